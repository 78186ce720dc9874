"""What the panel of LSTM gates says: what to try, and the formulae."""

__all__ = [
    "CALLED",
    "COLOURED",
    "CUTS",
    "EMPTY",
    "FORMULAE",
    "LESSONS",
    "ORDERS",
    "PREDICTED",
    "SHOWN",
]

CALLED = {
    "i": "input",
    "f": "forget",
    "g": "candidate",
    "o": "output",
    "c": "cell",
    "h": "hidden",
    "r": "reset",
    "z": "update",
    "n": "candidate",
}
ORDERS = {
    "number": "their number",
    "mean": "their mean",
    "spread": "how much they move",
    "time": "when they are largest",
}
EMPTY = "Type a text above: there is nothing to read yet."
SHOWN = {"32": "the first 32", "64": "the first 64", "all": "all"}  # of the units
PREDICTED = {"actual": "the character that came", "predicted": "the likeliest one"}
COLOURED = {"absolute": "one scale for all", "rows": "each row its own", "log": "one, by decades"}
CUTS = {"no": "through all", "yes": "cut at the window of {}"}

LESSONS = """
**Who counts the brackets?** Choose *Built-in: brackets, LSTM 64* and look at the map of **c**: some
unit climbs with each opening bracket and falls with each closing one. *Finding meaning* names it,
with its correlation on text that was not used to choose it. Then *Intervene*: hold its c at the
value of depth 4, and the network closes brackets that nobody opened.

**What does it keep?** Type `(((` and go on typing. In *Memory* a forget gate near 1 keeps a unit's
c for 1 / (1 − f̄) characters. Change one early character under *One character edited*: the curves
say for how long c and h remember the difference, and when the predictions meet again.

**Why the gradient vanishes.** Start *The race*: the four networks learn the same copying task.
The gradient of the plain RNN loses a constant factor with each character back, a straight line on
the log axis; that of the LSTM whose forget gates begin at 1 stays nearly flat.

**Nobody looks further than the window.** Train a network with a window of 8 and look at its map of
influence: what lies further back never had a gradient, and hardly counts.
"""

FORMULAE = (
    (
        "LSTM",
        (
            r"i = \sigma(W_{xi}x_t + W_{hi}h_{t-1} + b_i) \qquad f = \sigma(W_{xf}x_t + W_{hf}h_{t-1} + b_f)",  # noqa: E501
            r"g = \tanh(W_{xg}x_t + W_{hg}h_{t-1} + b_g) \qquad o = \sigma(W_{xo}x_t + W_{ho}h_{t-1} + b_o)",  # noqa: E501
            r"c_t = f \odot c_{t-1} + i \odot g \qquad h_t = o \odot \tanh(c_t)",
        ),
    ),
    (
        "GRU, as torch has it",
        (
            r"r = \sigma(W_{xr}x_t + W_{hr}h_{t-1} + b_r) \qquad z = \sigma(W_{xz}x_t + W_{hz}h_{t-1} + b_z)",  # noqa: E501
            r"n = \tanh(W_{xn}x_t + b_{xn} + r \odot (W_{hn}h_{t-1} + b_{hn})) \qquad h_t = (1 - z) \odot n + z \odot h_{t-1}",  # noqa: E501
        ),
    ),
    ("Plain RNN", (r"h_t = \tanh(W_{xh}x_t + W_{hh}h_{t-1} + b)",)),
    (
        "The next character, and bits a character",
        (
            r"p = \mathrm{softmax}(W_{hy}h_t + b_y) \qquad \frac{1}{T}\sum_t -\log_2 p(x_{t+1} \mid x_1 \dots x_t)",  # noqa: E501
        ),
    ),
    (
        "Effective memory, and the gradient along the cells alone",
        (
            r"\frac{1}{1 - \bar f}\ \text{characters} \qquad \frac{\partial c_T}{\partial c_t} = \prod_{k=t+1}^{T} f_k",  # noqa: E501
        ),
    ),
)
