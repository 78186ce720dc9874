"""What the panel of distillation says: what to try, and the formulae."""

__all__ = ["FORMULAE", "LESSONS"]

LESSONS = """
**What a temperature does.** Drag T above from 1 to 20: the logits shrink, the largest bar too, the
small ones grow, and their order never changes. At 0 the largest alone is left, at ∞ all are alike;
between, entropy only rises, by Var(z)/T³. Choose *ten sliders* and *two alike*.

**Where the formula breaks.** Choose *as the formula stands* and drag T to 0.05 with a network's
logits: exp overflows, and infinity divided by infinity is no number. With the largest subtracted
nothing ever overflows.

**Why T²?** In its tab drag T: the soft gradient falls a hundredfold from T = 2 to 20, the one
multiplied by T² stays beside the hard one. In *Let students learn* switch T² off at T = 20 and
look at the norms.

**Is it the teacher's knowledge?** Let all four students learn *as usual*. The distilled one
makes the fewest errors; the one whose wrong classes were permuted is between: softness helps a
little, knowing which classes are alike helps more.

**How warm for whom?** Fill the *Grid*: on average the student with 8 units makes the fewest errors
at T = 2 to 4, and at T = 20 more than one who learned alone; the one with 64 gains most from T = 4
up. Its seeds differ: point at a cell.

**Take a student along.** Below the students *Pin it*: it is then the network of every panel. Is it
as easy to fool as its teacher, and does it look at the same strokes?

**Which 2 looks like a 7?** In *Dark knowledge* click a cell: its images are those that the teacher
itself finds to be like the other class.

**Three temperatures.** To distil, T is high while students learn, and 1 when they are asked. To
calibrate, T is fitted so that sure means right. To draw, T says how daring. One formula, three
ends.
"""
FORMULAE = (  # a line each: a phone shows about 40 signs
    (
        "Softmax at temperature T",
        (
            r"p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}} = \frac{e^{(z_i - m) / T}}{\sum_j e^{(z_j - m) / T}}",  # noqa: E501
            r"m = \max_j z_j \qquad \frac{dH}{dT} = \frac{\mathrm{Var}_p(z)}{T^3} \ge 0",
        ),
    ),
    (
        "The loss of a student",
        (r"\alpha\,\mathrm{CE}(y, q_1) + (1 - \alpha)\,T^2\,\mathrm{KL}(p_T \,\|\, q_T)",),
    ),
    (
        "Its gradients by the student's logits z, with the teacher's v; N classes",
        (
            r"\frac{\partial\, \mathrm{CE}}{\partial z} = q_1 - y \qquad \frac{\partial\, \mathrm{KL}}{\partial z} = \frac{q_T - p_T}{T}",  # noqa: E501
            r"\frac{q_T - p_T}{T} \;\xrightarrow{T \to \infty}\; \frac{z - v}{N T^2}\ \text{(both of mean 0)}",  # noqa: E501
        ),
    ),
    (
        "Calibration",
        (
            r"\mathrm{ECE} = \sum_b \frac{n_b}{n} \left|\mathrm{acc}_b - \mathrm{conf}_b\right|",
            r"\mathrm{NLL}(\beta) = \frac1n \sum_i \left(\ln \sum_j e^{\beta z_{ij}} - \beta z_{i y_i}\right)",  # noqa: E501
            r"\beta = 1/T",
        ),
    ),
)
