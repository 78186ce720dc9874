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
**Who counts the brackets?** Choose *Built-in: brackets, LSTM 64* and look at **c**, the cells: that
of unit 39 climbs with each opening bracket and falls with each closing one, that of unit 26 goes
the other way. *Finding meaning* finds both, and their correlation with the depth, near 0.94, is
that on text which chose nobody.

**Who needs that unit?** *Intervene*: hold c of unit 39 at 1, and after an = the network says too
high a digit, more often than not; at −1 about half are too low. Now hold c of unit 18: it goes with
the depth as well, yet at 1, at 0 or at −1 the digits stay what they were. Hold f of *all units* at
1, so that they never forget: hardly a digit is right. What goes with something need not be what it
is done with.

**What does it keep?** Type `(((` and go on typing. In *Memory* a forget gate near 1 keeps a unit's
c for 1 / (1 − f̄) characters. Change one early character under *One character edited*: the curves
say for how long c and h remember the difference, and when the predictions meet again.

**Why the gradient vanishes.** Start *The race*. Before the first step the gradient of the plain RNN
loses about the same factor with each character back, a straight line on the log axis, to less than
1/10,000 after 20. That of the LSTM whose forget gates begin at 1 is about a hundred times as large
there, or more. Then watch: whose line becomes flat learns to answer, and that is the GRU first.

**Gradients are cut, values are not.** Train on *Copying* for 600 steps, once with a window of 4 and
once of 64: of the characters that are forced the first says about half right, the second nearly
all. Yet in *Gradients through time* both have looked back farther than 4 characters, as c and h are
carried over from window to window. Choose *cut at the window*: steps along the diagonal are all
that a window has to learn from.
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
