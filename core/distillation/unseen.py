"""A class that a run's students never saw: how often it is read once its bias is raised."""

from core.distillation.distilling import Distilling, logits
from core.distillation.hinton import Shifted, raised
from core.shared.targets import reads

__all__ = ["unseen"]


@reads
def unseen(distilling: Distilling, arm: str, shift: float) -> Shifted:
    """Raise the bias of the class that a student never saw, and count its test errors.

    Args:
        distilling: a run that has ended; asked of it.
        arm: which of its students.
        shift: what is added to the class's logit, in nats.

    Raises: ValueError when no class was left out, the run has not ended, it has no such student, or
        the shift is not finite.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 3.
    """
    left_out = distilling.config.left_out
    if left_out is None or not distilling.ended:
        raise ValueError("the run must have ended, and have left a class out")
    labels = distilling.dataset.test.labels.cpu().numpy()
    return raised(logits(distilling, arm), labels, left_out, shift)
