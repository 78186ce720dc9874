"""How long a network keeps what it has: saturated gates, and what one other character changes."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.lstm_gates import GATES, RANGES, Saturation
from core.lstm_gates.gates import coded, read
from core.lstm_gates.readers import Reader
from core.lstm_gates.results import Edited, Memory

__all__ = ["KEEPING", "edited", "memory"]

KEEPING = {"lstm": "f", "gru": "z", "rnn": ""}  # the gate that what is kept is multiplied by
LEFT, RIGHT = 0.1, 0.9  # below and above which a gate is nearly shut and nearly open
BINS = 50
Values = dict[str, Float[np.ndarray, "l t u"]]


def memory(reader: Reader, text: str) -> Memory:
    """Tell how the gates from 0 to 1 are spread, and for how long each unit keeps what it has.

    A unit whose gate stays at its mean f̄ keeps the share f̄ⁿ of what it has for n steps more,
    1 + f̄ + f̄² + … = 1 / (1 − f̄) in all. That is ∞ where the mean is rounded to 1. Of a GRU it is
    its update gate z by which torch multiplies what was kept.

    Raises: ValueError when the text is empty or too long.

    Source: Tallec, Ollivier 2018, arXiv:1804.11188, section 2: the time for which a unit forgets is
        the inverse of what its gate lets in. Nearly shut and nearly open gates: Karpathy, Johnson,
        Fei-Fei 2015, arXiv:1506.02078, section 4.2.
    """
    values = _opened(reader, text)
    spread = _saturation(values)
    gate = KEEPING[reader.cell]
    with np.errstate(divide="ignore"):
        steps = 1 / (1 - spread.mean[gate]) if gate else np.zeros((len(reader.layers), 0))
    return Memory(
        saturation=spread,
        edges=np.linspace(0, 1, BINS + 1),
        counts={
            name: np.stack([np.histogram(layer, BINS, (0, 1))[0] for layer in each])
            for name, each in values.items()
        },
        gate=gate,
        steps=steps,
    )


@torch.inference_mode()
def edited(
    reader: Reader, text: str, place: int, character: str, threshold: float = 0.01
) -> Edited:
    """Let one character be another, and see how the readings part and meet again.

    Args:
        reader: left as it is.
        text: 1 to `room.longest` characters.
        place: of the character in the text, from 0.
        character: that stands there instead.
        threshold: total variation of two predictions below which they are taken for one.

    Raises: ValueError when the text is empty or too long or has no such place, what stands there
        instead is not one character, or the threshold is outside [0, 1].
    """
    codes = coded(reader, text, "edited")
    if not 0 <= place < len(text):
        raise ValueError(f"place must be from 0 to {len(text) - 1}, got {place}")
    if len(character) != 1:
        raise ValueError(f"character must be one character, got {character!r}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be from 0 to 1, got {threshold!r}")
    other = text[:place] + character + text[place + 1 :]
    one, two = read(reader, codes), read(reader, coded(reader, other, "edited"))
    logs = [each.logits.log_softmax(1) for each in (one, two)]
    variation = (logs[0].exp() - logs[1].exp()).abs().sum(1) / 2
    divergence = (logs[0].exp() * (logs[0] - logs[1])).sum(1) / np.log(2)
    apart = (variation >= threshold).nonzero()[:, 0]
    met = int(apart[-1]) + 1 if len(apart) else 0
    return Edited(
        text=text,
        edited=other,
        place=place,
        cells=_far(one.values["c"], two.values["c"]) if "c" in GATES[reader.cell] else None,
        hidden=_far(one.values["h"], two.values["h"]),
        variation=variation.cpu().numpy(),
        divergence=divergence.clamp(min=0).cpu().numpy(),  # below it only by rounding
        threshold=threshold,
        met=max(met, place) if met < len(text) else None,
    )


def _opened(reader: Reader, text: str) -> Values:
    """Give the values of all gates from 0 to 1."""
    values = read(reader, coded(reader, text, "memory")).values
    return {name: each.numpy() for name, each in values.items() if RANGES.get(name) == (0, 1)}


def _saturation(values: Values) -> Saturation:
    return Saturation(
        left={name: (each < LEFT).mean(1) for name, each in values.items()},
        right={name: (each > RIGHT).mean(1) for name, each in values.items()},
        mean={name: each.mean(1, dtype=float) for name, each in values.items()},
    )


def _far(one: Float[Tensor, "l t u"], two: Float[Tensor, "l t u"]) -> Float[np.ndarray, "l t"]:
    """Give the distance of each layer's states."""
    distances: Float[np.ndarray, "l t"] = (one - two).norm(dim=2).numpy()
    return distances
