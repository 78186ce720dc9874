"""What is counted for the curves: bits a character, what is right and what is impossible."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from core.lstm_gates import Curves
from core.lstm_gates.readers import Reader, encode
from core.lstm_gates.texts import Text
from core.lstm_gates.threads import few
from core.shared.evaluating import at_rest

__all__ = ["Point", "Watched", "curves_of", "judge", "watched"]

WATCHED = 4_000  # characters of the validation text that each point is computed on, at most
ALONG, WARM = 96, 32  # read one after the other in each place; before these, to know where it is


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the curves."""

    step: int  # steps done
    training: float | None  # bits a character over the steps since the last point
    validation: float  # bits a character
    norm: float | None  # of the last step's gradient
    clipped: float | None  # and after it was clipped
    right: float | None  # share of the characters that are forced
    impossible: float | None  # mean probability of what may not come


@dataclass(frozen=True, slots=True)
class Watched:
    """A fixed part of the validation text, read in many places side by side."""

    codes: Int[Tensor, "n t"]
    wanted: Int[Tensor, "n m"]  # what comes after each of the last m characters of a place
    forced: Int[Tensor, "n m"] | None  # the only one that may, −1 where there are several
    allowed: Bool[Tensor, "n m k"] | None

    @property
    def characters(self) -> int:
        """That are read, with those that do not count."""
        return self.codes.numel()


def watched(text: Text, alphabet: str, device: torch.device) -> Watched:
    """Choose places all over the validation text, a few characters from before each with it.

    Args:
        text: that a network learns; its alphabet may be another by now.
        alphabet: of the network.
        device: of the network.
    """
    cut, count = text.cut, len(text.content) - text.cut
    warm, along = min(WARM, cut), min(ALONG, count)
    places = min(count, WATCHED) // along
    apart = count // places
    views = encode(text.content[cut - warm :], alphabet).unfold(0, warm + along, apart)[:places]
    forced = allowed = None
    if text.forced is not None and text.allowed is not None and text.alphabet == alphabet:
        # What is known of a character is of the one that comes after it.
        after = np.arange(places)[:, None] * apart + np.arange(cut - 1, cut - 1 + along)
        forced = torch.from_numpy(text.forced[after]).to(device)
        allowed = torch.from_numpy(text.allowed[after]).to(device)
    return Watched(
        views[:, :-1].contiguous().to(device), views[:, warm:].to(device), forced, allowed
    )


def judge(reader: Reader, part: Watched) -> tuple[float, float | None, float | None]:
    """Read a part of the validation text.

    Returns: bits a character; where it is known, the share that is right of what is forced, and the
        mean probability of what is impossible.
    """
    with at_rest(reader), few(reader, len(part.codes)):
        logits = reader(part.codes)[0][:, -part.wanted.shape[1] :]
        nats = F.cross_entropy(logits.flatten(0, 1), part.wanted.flatten())
        if part.forced is None or part.allowed is None:
            return float(nats) / math.log(2), None, None
        sure = part.forced >= 0
        right = (logits.argmax(2) == part.forced)[sure].float().mean()
        impossible = logits.softmax(2).masked_fill(part.allowed, 0).sum(2).mean()
        bits, share, mass = torch.stack([nats / math.log(2), right, impossible]).tolist()
    return bits, share, mass


def curves_of(points: Sequence[Point]) -> Curves:
    """Draw up the curves of a training so far."""
    return Curves(
        **{
            name: np.array([getattr(point, name) for point in points], float)
            for name in (
                "step",
                "training",
                "validation",
                "norm",
                "clipped",
                "right",
                "impossible",
            )
        }
    )
