"""What the panel of distillation says: what to try, and the formulae."""

__all__ = ["FORMULAE", "LESSONS"]

LESSONS = ""
FORMULAE = (
    (
        "Softmax at temperature T",
        (
            r"p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}} = \frac{e^{(z_i - m) / T}}{\sum_j e^{(z_j - m) / T}},\quad m = \max_j z_j",  # noqa: E501
            r"\frac{dH}{dT} = \frac{\mathrm{Var}_p(z)}{T^3} \ge 0",
        ),
    ),
    (
        "The loss of a student",
        (
            r"\alpha \cdot \mathrm{CE}(y, q_1) + (1 - \alpha) \cdot T^2 \cdot \mathrm{KL}(p_T \,\|\, q_T)",  # noqa: E501
        ),
    ),
    (
        "Its gradients by the student's logits z, with the teacher's v; N classes",
        (
            r"\frac{\partial\, \mathrm{CE}}{\partial z} = q_1 - y \qquad \frac{\partial\, \mathrm{KL}}{\partial z} = \frac{q_T - p_T}{T} \;\xrightarrow{T \to \infty}\; \frac{z - v}{N T^2}\ \text{(both of mean 0)}",  # noqa: E501
        ),
    ),
    (
        "Calibration",
        (
            r"\mathrm{ECE} = \sum_b \frac{n_b}{n} \left|\mathrm{acc}_b - \mathrm{conf}_b\right| \qquad \mathrm{NLL}(\beta) = \frac1n \sum_i \left(\ln \sum_j e^{\beta z_{ij}} - \beta z_{i y_i}\right),\ \beta = 1/T",  # noqa: E501
        ),
    ),
)
