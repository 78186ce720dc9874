"""What an attack wants: margins, losses, and when a network is fooled."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.shared.evaluating import margins

__all__ = ["Goal"]

TINY = 1e-12


class Goal(NamedTuple):
    """The class to get away from, and the one to reach, for each picture."""

    labels: Int[Tensor, " n"]
    targets: Int[Tensor, " n"] | None  # None: any other class

    def take(self, keep: Tensor) -> "Goal":
        """Give the goals of some of the pictures."""
        return Goal(self.labels[keep], None if self.targets is None else self.targets[keep])

    def check(self, classes: int) -> None:
        """Refuse what is no class of a network, or no goal.

        Raises: ValueError with the classes that it has.
        """
        for name, given in (("label", self.labels), ("target", self.targets)):
            if given is not None and not bool(((given >= 0) & (given < classes)).all()):
                raise ValueError(
                    f"{name} must be from 0 to {classes - 1}, got {given.tolist()[:5]}"
                )
        if self.targets is not None and bool((self.targets == self.labels).any()):
            raise ValueError("target must be another class than the true one, got the same")

    def margin(self, logits: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        """Compute by how many logits the network resists; below 0 it is fooled.

        Without a target it is the true logit less the largest other; with one, the largest of the
        others less the target's.
        """
        if self.targets is None:
            return margins(logits, self.labels)
        return -margins(logits, self.targets)

    def fooled(self, logits: Float[Tensor, "n k"]) -> Bool[Tensor, " n"]:
        """Tell which are read as was wanted; a tie is no success."""
        return self.margin(logits) < 0

    def loss(self, kind: str, logits: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        """Compute what is to grow, each picture for itself.

        Args:
            kind: "margin", "dlr" or "ce".
            logits: of the network.

        Raises: ValueError where DLR has too few classes.

        Source: Croce, Hein 2020, arXiv:2003.01690, equations 4 and 5 (DLR).
        """
        match kind:
            case "margin":
                return -self.margin(logits)
            case "ce":
                if self.targets is None:
                    return F.cross_entropy(logits, self.labels, reduction="none")
                return -F.cross_entropy(logits, self.targets, reduction="none")
        return self._dlr(logits)

    def _dlr(self, logits: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        classes = logits.shape[1]
        least, last = (3, "third") if self.targets is None else (4, "fourth")
        if classes < least:
            raise ValueError(
                f"loss must be margin or ce for {classes} classes, got dlr, which divides by the "
                f"distance of the largest logit to the {last}"
            )
        ordered = logits.sort(1, descending=True).values
        if self.targets is None:
            return -self.margin(logits) / (ordered[:, 0] - ordered[:, 2] + TINY)
        both = torch.stack([self.labels, self.targets], 1)
        true, target = logits.gather(1, both).unbind(1)
        return -(true - target) / (ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2 + TINY)
