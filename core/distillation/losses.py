"""What a student's answer costs: against the label, and against what the teacher says.

Each term is already multiplied by its weight, so that the loss is their sum, and each is the mean
over the images. All is computed in 32 bits at least, under autocast too.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from core.distillation import REDUCTIONS

__all__ = ["UNLABELLED", "hard_term", "permuted", "soft_targets", "soft_term"]

UNLABELLED = -100  # the label of an image that has none


def hard_term(
    logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], weight: float, smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """Compute weight · CE(y, q₁), in nats; to the mean an image without a label gives 0.

    Args:
        logits: of the student.
        labels: the classes, or UNLABELLED.
        weight: α.
        smoothing: share of the label that is spread evenly over all classes.
    """
    summed = F.cross_entropy(
        _exact(logits),
        labels,
        ignore_index=UNLABELLED,
        label_smoothing=smoothing,
        reduction="sum",
    )
    return summed * (weight / len(labels))


def soft_targets(logits: Float[Tensor, "n k"], temperature: float) -> Float[Tensor, "n k"]:
    """Compute p_T, what a teacher says at a temperature."""
    return F.softmax(_exact(logits) / temperature, dim=1)


def soft_term(
    logits: Float[Tensor, "n k"],
    targets: Float[Tensor, "n k"],
    temperature: float,
    weight: float,
    *,
    squared: bool = True,
    reduction: str = "batchmean",
) -> Float[Tensor, ""]:
    """Compute weight · T² · KL(p_T ‖ q_T), in nats.

    The gradient of KL falls as 1/T², so T² keeps the two terms in step when T moves. It belongs to
    this term alone: no weight of the other, not 0 either, takes it away.

    Args:
        logits: of the student.
        targets: p_T, as `soft_targets` gives it.
        temperature: T.
        weight: 1 − α.
        squared: whether T² is there.
        reduction: "batchmean" divides by the images; "mean" by the classes too, as `nn.KLDivLoss`
            of torch 2 does unless it is told otherwise, with a warning that this will change.

    Raises: ValueError when there is no such reduction.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}")
    said = F.log_softmax(_exact(logits) / temperature, dim=1)
    summed = F.kl_div(said, targets, reduction="sum")
    count = len(logits) if reduction == "batchmean" else logits.numel()
    return summed * (weight * (temperature**2 if squared else 1) / count)


def permuted(logits: Float[Tensor, "n k"], source: torch.Generator) -> Float[Tensor, "n k"]:
    """Permute what a teacher says of all classes but its answer, within each image by itself.

    The answer, how sure it is and the entropy stay: what is lost is which other class is likely.

    Args:
        logits: of the teacher. Permuted logits have permuted probabilities, whatever T is.
        source: draws a permutation for each image, on the CPU.
    """
    images, classes = logits.shape
    top = logits.argmax(1, keepdim=True)
    others = torch.arange(classes - 1, device=logits.device).expand(images, -1)
    others = others + (others >= top)
    order = torch.rand(images, classes - 1, generator=source).argsort(1).to(logits.device)
    return logits.scatter(1, others, logits.gather(1, others.gather(1, order)))


def _exact(logits: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
