"""Hold a gate, c or h of some units while a text is read, and see what comes of it."""

import torch
from jaxtyping import Float
from torch import Tensor

from core.lstm_gates import GATES, Clamp
from core.lstm_gates.gates import Reading, bits, coded, read, told
from core.lstm_gates.readers import Reader
from core.lstm_gates.recurrence import Hold, replay, weights_of
from core.lstm_gates.results import Clamped

__all__ = ["clamped"]

MOST_SHOWN = 100  # characters whose probabilities are told
MOST_CLAMPS = 100


@torch.inference_mode()
def clamped(reader: Reader, text: str, clamps: tuple[Clamp, ...]) -> Clamped:
    """Let a network read a text while clamps hold some of its values.

    What is computed after a held value, in the same step, in the layers above and at all later
    characters, is computed from it. Of two clamps on the same value the last one holds.

    Args:
        reader: left as it is.
        text: 1 to `room.longest` characters.
        clamps: at most MOST_CLAMPS; without any it reads as it always does.

    Raises: ValueError when the text is empty or too long, or the network or the text lacks what is
        to be held.
    """
    codes = coded(reader, text, "clamped")
    free = read(reader, codes)
    for clamp in clamps[: MOST_CLAMPS + 1]:
        _require(clamp, reader, *free.hidden.shape)
    if len(clamps) > MOST_CLAMPS:
        raise ValueError(f"clamps must be at most {MOST_CLAMPS}, got {len(clamps)}")
    value, layers = reader.see(codes[None]), []
    for number, layer in enumerate(reader.layers):
        mine = [clamp for clamp in clamps if clamp.layer == number]
        rows = replay(reader.cell, weights_of(layer), value, _held(mine) if mine else None)
        layers.append({name: torch.cat(column) for name, column in rows.items()})
        value = layers[-1]["h"][None]
    logits = reader.head(value[0])
    begins = min((clamp.first for clamp in clamps), default=len(text))
    held = Reading(
        codes=codes,
        values={
            name: torch.stack([each[name] for each in layers]).cpu() for name in GATES[reader.cell]
        },
        hidden=free.hidden,
        logits=logits,
        same=begins,
    )
    before, after = free.logits.softmax(1), logits.softmax(1)
    moved = (after - before).abs()
    shown = moved.amax(0).argsort(descending=True)[:MOST_SHOWN]
    return Clamped(
        gates=told(reader, text, held),
        bits=bits(free.logits, codes).cpu().numpy(),
        characters="".join(reader.alphabet[each] for each in shown.tolist()),
        before=before[:, shown].cpu().numpy(),
        after=after[:, shown].cpu().numpy(),
        apart=(moved.sum(1) / 2).cpu().numpy(),
    )


def _held(clamps: list[Clamp]) -> Hold:
    """Give what holds a layer's values."""

    def hold(name: str, place: int, value: Float[Tensor, "n u"]) -> Float[Tensor, "n u"]:
        for clamp in clamps:
            ended = clamp.last is not None and place > clamp.last
            if clamp.gate == name and clamp.first <= place and not ended:
                value = value.clone()
                value[:, list(clamp.units) or slice(None)] = clamp.value
        return value

    return hold


def _require(clamp: Clamp, reader: Reader, layers: int, length: int, units: int) -> None:
    """Refuse what there is not.

    Raises: ValueError that says what there is.
    """
    if clamp.gate not in GATES[reader.cell]:
        raise ValueError(f"gate must be one of {GATES[reader.cell]}, got {clamp.gate!r}")
    if clamp.layer >= layers:
        raise ValueError(f"layer must be from 0 to {layers - 1}, got {clamp.layer}")
    if clamp.units and max(clamp.units) >= units:
        raise ValueError(f"units must be from 0 to {units - 1}, got {max(clamp.units)}")
    if clamp.first >= length:
        raise ValueError(f"first must be from 0 to {length - 1}, got {clamp.first}")
