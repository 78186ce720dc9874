"""The first panel's words: what to try, and the formulae of its optimisers and losses."""

__all__ = ["ADVERSARY", "FORMULAE", "LESSONS", "LOSSES", "MARK"]

LESSONS = """
1. **Too fast, too slow.** Start, and after the first epoch move η to 1: within a few steps the loss
   leaps, and back at 0.15 the run stays at chance, one digit in ten. Compare the shares *at the
   ends* before and after. Another run at η = 0.001 is far behind after three epochs; figures below.
2. **Out of the noise.** *Start*, *Pause* at once, then *One step* twenty times: the kernels of C1
   are still their random start. *Resume*: after half an epoch some have grown (read ±) and have
   stripes that they did not begin with.
3. **What stays wrong.** At the end read the confusion matrix beside its diagonal: mostly 4 and 9,
   3 and 5, 5 and 6. Draw a 4 that is open at its top, then close it: a 9. Draw a 1, add a bar: a 7.
"""
FORMULAE = {
    "nesterov": (r"v \leftarrow \mu\,v + g", r"w \leftarrow w - \eta_t\,(g + \mu\,v)"),
    "momentum": (r"v \leftarrow \mu\,v + g", r"w \leftarrow w - \eta_t\,v"),
    "sgd": (r"w \leftarrow w - \eta_t\,g",),
    "adagrad": (
        r"s \leftarrow s + g^2",
        r"w \leftarrow w - \eta_t\,\frac{g}{\sqrt{s}+10^{-10}}",
    ),
    "rmsprop": (
        r"s \leftarrow 0.99\,s + 0.01\,g^2",
        r"w \leftarrow w - \eta_t\,\frac{g}{\sqrt{s}+10^{-8}}",
    ),
    "adam": (
        r"m \leftarrow \mu\,m + (1-\mu)\,g",
        r"v \leftarrow 0.999\,v + 0.001\,g^2",
        r"w \leftarrow w - \eta_t\,\frac{m/(1-\mu^{t+1})}{\sqrt{v/(1-0.999^{t+1})}+10^{-8}}",
    ),
}
FORMULAE["adamw"] = (*FORMULAE["adam"][:2], FORMULAE["adam"][2] + r" - \eta_t\,\lambda\,w")
ADVERSARY = (
    r"x_n \leftarrow x_n + \arg\max_{\lVert\delta\rVert_\infty\le EPS} L(x_n + \delta, y_n)"
    r"\quad\text{by HOW, before each step}"
)
MARK = (
    r"x_n \leftarrow \max(x_n, \text{mark})"
    r"\quad\text{for SHARE\,\% of the training images with }y_n = CLASS"
)
LOSSES = {
    "cross-entropy": (
        r"L = -\frac{1}{B}\sum_{n=1}^{B}\log p_{n,y_n}",
        r"p_n = \mathrm{softmax}(z_n)",
    ),
    "smoothed": (
        r"L = -\frac{1}{B}\sum_{n,k}\left((1-EPS)[k = y_n] + \frac{EPS}{K}\right)\log p_{nk}",
        r"p_n = \mathrm{softmax}(z_n)",
    ),
    "squared": (
        r"L = \frac{1}{2B}\sum_{n=1}^{B}\sum_k \left(\sigma(z_{n,k}) - [k = y_n]\right)^2",
        r"\sigma(z) = \frac{1}{1+e^{-z}}",
    ),
}
