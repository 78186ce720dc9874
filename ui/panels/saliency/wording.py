"""The saliency panel's words: what to try, and the formulae."""

__all__ = ["FORMULAE", "LESSONS"]

LESSONS = """
1. **Two answers to one question.** Pin EfficientNet-Lite0 and the cat, and go through the methods
   one by one. They do not agree. Each says under its map what its numbers mean: which of them
   answers the question that you had?
2. **Does it add up?** *Integrated gradients* promises that its map adds up to the score less that
   of the baseline. Take 10 steps, then 200, and watch what is missing. Take another baseline: the
   map is another, and as true.
3. **Why a 4 rather than a 9?** Choose both. What speaks for both falls out, and what tells them
   apart stays.
4. **Hear the witnesses.** Open *The court*: all maps of one picture, with an edge detector, noise,
   a blob and a network with random weights among them. Which maps win against these?
5. **Melt it.** Open *Melt* and drag: layer by layer the network forgets all that it learned. A map
   that stays the same did not explain what was learned.
6. **What would it like to see?** *What the class wants* climbs to the largest logit: by the pixels
   alone, and by the code of a generator that can only draw what looks like a training image. Both
   are read as the class with certainty. Which of the two tells you what the network knows?
7. **A cheat.** In *Clever Hans* a network learns from pictures with a small mark. Does the method
   point at the mark? Here, for once, the truth is known.
"""
FORMULAE = (
    (
        "Gradient; SmoothGrad is its mean over noise, VarGrad its variance",
        (
            r"M = \nabla_x z_c(x) \qquad M_{\mathrm{smooth}} = \frac1n\sum_{i=1}^{n}\nabla_x z_c(x + \sigma\epsilon_i)",  # noqa: E501
        ),
    ),
    (
        "Integrated gradients, from the baseline b; complete",
        (
            r"M_i = (x_i - b_i)\int_0^1 \frac{\partial z_c}{\partial x_i}\bigl(b + \alpha(x - b)\bigr)\,d\alpha \qquad \sum_i M_i = z_c(x) - z_c(b)",  # noqa: E501
        ),
    ),
    (
        "Grad-CAM and HiResCAM, of a layer's maps A",
        (
            r"\alpha_k = \frac1{HW}\sum_{y,x}\frac{\partial z_c}{\partial A^k_{yx}} \qquad M = \operatorname{ReLU}\Bigl(\sum_k \alpha_k A^k\Bigr)",  # noqa: E501
            r"M_{\mathrm{HiRes}} = \sum_k \frac{\partial z_c}{\partial A^k}\odot A^k",
        ),
    ),
    (
        "Occlusion and RISE: hide, and look what is lost",
        (
            r"M_i = \operatorname*{mean}_{B \ni i}\bigl(z_c(x) - z_c(x_{\setminus B})\bigr) \qquad M_{\mathrm{RISE}} = \frac1{np}\sum_{j} z_c(x\odot m_j)\,m_j",  # noqa: E501
        ),
    ),
    (
        "LIME and KernelSHAP: a linear model g over superpixels s in the network's place",
        (
            r"\min_g \sum_j \pi(s_j)\bigl(z_c(x_{s_j}) - g(s_j)\bigr)^2 \qquad g(s) = w_0 + \sum_i w_i s_i",  # noqa: E501
            r"\pi_{\mathrm{SHAP}}(s) = \frac{M - 1}{\binom{M}{|s|}\,|s|\,(M - |s|)}",
        ),
    ),
    (
        "What a class wants: by the pixels, or by the code h of a generator G",
        (
            r"\max_x\; z_c(x) - \lambda\lVert x\rVert_2^2 \qquad \max_h\; z_c(G(h)) \quad\text{with each } h_i \text{ as usual for training images}",  # noqa: E501
        ),
    ),
    (
        "Deletion and insertion: the area under the probability while the first pixels go or come",
        (
            r"\mathrm{AUC} = \int_0^1 p_c\bigl(x \text{ with the share } q \text{ of the highest } M \text{ (of slopes } \lvert M\rvert\text{) replaced}\bigr)\,dq",  # noqa: E501
        ),
    ),
)
