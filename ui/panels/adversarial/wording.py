"""The attack panel's words: what to try, the formulae, and what filters are called."""

__all__ = ["FORMULAE", "LESSONS", "per_cent", "short", "strength"]

LESSONS = """
1. **One step, then forty.** Drag ε with *FGSM* until the digit is misread, and remember the figure.
   Choose *PGD*: it needs about two thirds, for it looks again after each small step. Drag the
   film: the margin falls below 0 long before the eye sees anything.
2. **Is it the attack, or is it noise?** The last line of the receipt tries changes at random of the
   same size. Where they fool the network as often, nothing was found out about it. Take ε down
   until only the attack succeeds.
3. **The nearest boundary.** *DeepFool* and *Carlini–Wagner* look for the least change instead of
   spending a budget. Open *Norms* and see what equal success costs in L∞, L2 and L0, and which of
   the three the eye finds first.
4. **A photograph of yours.** Pin EfficientNet-Lite0 and upload a photograph: it is attacked at its
   own resolution, through the scaling that the network puts before it. Save the PNG, upload it
   again in the sidebar: it still fools.
5. **Does it fool others too?** Train two runs with different seeds, for an epoch, and open
   *Transfer*. Read each cell against the row of noise below it: only what is above that was carried
   over. Then give *DeepFool* the same budget: it stops at the boundary, and far less is.
6. **A defence that was not told.** Pin Fashion-MNIST, open *Defences* and choose *Try them*: behind
   the autoencoder most is read right that was attacked without knowing it, and a small part once
   the attack goes through it. Repeat it with MNIST and 2 bits: digits are black and white, and
   there it stays. Which pictures is a filter for?
7. **Two that learn side by side.** In *Adversarial training* press *Train both*: on clean images
   the two end within a few points of each other, under PGD far apart. Look at ∂L/∂x of both: of
   the one that learned against an adversary it begins to look like the digit.
"""
FORMULAE = (
    (
        "What an attack wants: the margin below 0 within a ball",
        (
            r"m(x) = z_y(x) - \max_{k\ne y} z_k(x) \qquad m_t(x) = \max_{k\ne t} z_k(x) - z_t(x)",
            r"\min_{\lVert\delta\rVert_p\le\varepsilon,\;0\le x+\delta\le1} m(x+\delta)",
        ),
    ),
    (
        "FGSM; PGD is the same with small steps, each brought back into the ball",
        (
            r"x' = x + \varepsilon\,\operatorname{sign}\nabla_x L(x, y)",
            r"x_{k+1} = \Pi_{\varepsilon}\bigl(x_k + \alpha\,\operatorname{sign}\nabla_x L(x_k, y)\bigr)",  # noqa: E501
            r"\text{in L2:}\quad x_{k+1} = \Pi_{\varepsilon}\bigl(x_k + \alpha\,\nabla_x L / \lVert\nabla_x L\rVert_2\bigr)",  # noqa: E501
        ),
    ),
    (
        "Adversarial training: the worst picture within the budget is what is learned",
        (
            r"\min_\theta\; \mathbb{E}_{(x, y)} \max_{\lVert\delta\rVert_\infty\le\varepsilon} L(\theta, x + \delta, y)",  # noqa: E501
        ),
    ),
    (
        "The losses: cross-entropy saturates, the margin does not, DLR has no scale",
        (
            r"L_{\mathrm{CE}} = -\ln p_y \qquad \frac{\partial L_{\mathrm{CE}}}{\partial z_k} = p_k - [k = y] \to 0",  # noqa: E501
            r"L_{\mathrm{margin}} = -m(x) \qquad L_{\mathrm{DLR}} = -\frac{m(x)}{z_{(1)} - z_{(3)}}",  # noqa: E501
        ),
    ),
    (
        "DeepFool: the step to the nearest boundary, were the network linear",
        (
            r"r = \frac{|f_k|}{\lVert w_k\rVert_2^2}\,w_k \qquad f_k = z_k - z_y,\; w_k = \nabla_x f_k,\; k = \arg\min_j \frac{|f_j|}{\lVert w_j\rVert_2}",  # noqa: E501
        ),
    ),
    (
        "Carlini and Wagner: no box to leave, and a search for c",
        (
            r"\min_w\; \lVert x' - x\rVert_2^2 + c\,\max(m(x'), -\kappa) \qquad x' = \tfrac12(\tanh w + 1)",  # noqa: E501
        ),
    ),
    (
        "A filter T before the network, for an attack that knows it: BPDA and the mean over draws",
        (
            r"\nabla_x L(f(T(x))) \approx \nabla_u L(f(u))\big|_{u=T(x)} \quad\text{as if}\quad \frac{\partial T}{\partial x} = 1",  # noqa: E501
            r"\nabla_x\, \mathbb{E}_{t} L(f(t(x))) \approx \frac1n \sum_{i=1}^{n} \nabla_x L(f(t_i(x)))",  # noqa: E501
        ),
    ),
)
STRENGTHS = {  # of a filter, as it is chosen and stands in the address
    "gaussian": "σ {:g}",
    "median": "{0:g}×{0:g}",
    "jpeg": "quality {:g}",
    "depth": "{:g} bits",
    "resize": "{:.0%}",
    "autoencoder": "σ {:g}",
}
SHORT = {  # before its strength
    "gaussian": "Gaussian",
    "median": "Median",
    "jpeg": "JPEG,",
    "depth": "Depth",
    "resize": "Shrunk",
    "autoencoder": "Autoencoder",
}


def strength(name: str, value: float) -> str:
    """Say how strong a filter is."""
    return STRENGTHS[name].format(value).replace("1 bits", "1 bit").replace("%", " %")


def short(name: str, value: float) -> str:
    """Name a filter and its strength."""
    return f"{SHORT[name]} {strength(name, value)}"


def per_cent(share: float) -> str:
    """Say a share, from 0 to 1."""
    return f"{100 * share:.1f} %"
