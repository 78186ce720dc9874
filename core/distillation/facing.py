"""A test image as the teacher of a run and each of its students read it."""

import numpy as np
from jaxtyping import Float

from core.distillation.asking import picture
from core.distillation.distilling import Distilling, logits
from core.distillation.results import Pictured
from core.shared.targets import reads

__all__ = ["faced"]


@reads
def faced(
    distilling: Distilling, index: int
) -> tuple[Pictured, dict[str, Float[np.ndarray, " k"]]]:
    """Read a test image with the teacher's weights and the students' present ones.

    Args:
        distilling: the run; asked of it.
        index: of the image, counted from 0; beyond the last it is the last.

    Returns: what the teacher makes of it, and each student's logits by its arm.
    Raises: ValueError when the index is below 0, or a logit of the teacher is not finite.
    """
    seen = picture(distilling.config.teacher, index)
    arms = distilling.config.arms
    return seen, {arm: logits(distilling, arm, (seen.index,))[0] for arm in arms}
