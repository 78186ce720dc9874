"""What a network sees of the pinned picture and what it reads, beside every look into it."""

import numpy as np
from jaxtyping import Float

from core.shared.engine import Engine, EngineError
from ui.blocks import Block, drag, pad
from ui.inside import answers
from ui.pinned.picture import Pinned

__all__ = ["blocks"]

STRANGE = "core.shared.samples:strangeness"
UNSURE = 0.3  # a network of ImageNet that is less sure may not know the class
SHOWN = 5  # classes


def blocks(
    engine: Engine, pinned: Pinned, probabilities: Float[np.ndarray, " k"] | None
) -> list[Block]:
    """Show the picture as the network sees it, what it reads, and what leads to the next picture.

    Args:
        engine: knows which pictures are strange to the network.
        pinned: network and picture.
        probabilities: of the network's classes; None where it cannot read.
    """
    if probabilities is None:
        drawn = [_answers(pinned, [], f"{pinned.about.title} cannot read it", "", warn=True)]
    else:
        drawn = [_read(engine, pinned, probabilities)]
    if pinned.count:
        drawn.append(drag("index", "Test image", 0, pinned.count - 1, pinned.index))
    if pinned.pad is not None:
        drawn.append(pad("ink", "Draw with mouse, pen or finger", blank=pinned.pad, span=12))
    return drawn


def _read(engine: Engine, pinned: Pinned, probabilities: Float[np.ndarray, " k"]) -> Block:
    order = probabilities.argsort()[::-1][:SHOWN]
    classes = pinned.about.classes
    entropy = float(-(probabilities * np.log(np.maximum(probabilities, 1e-300))).sum())
    note, warn = _doubt(engine, pinned, float(probabilities.max()))
    bits = f"Entropy {entropy:.3f} of at most {np.log(len(classes)):.2f} nats."
    true = "" if pinned.label is None else f" It shows: {classes[pinned.label]}."
    judged = ", rightly" if pinned.label == order[0] else ", wrongly"
    reads = f"{pinned.about.title} reads: {classes[order[0]]}"
    return _answers(
        pinned,
        [(classes[k], float(probabilities[k])) for k in order],
        reads + (judged if pinned.label is not None and pinned.count else ""),
        f"{bits}{true} {note}".strip(),
        warn=warn,
    )


def _answers(
    pinned: Pinned, rows: list[tuple[str, float]], reads: str, note: str, *, warn: bool
) -> Block:
    return answers(
        pinned.pixels,
        rows,
        title="What the network sees",
        form=f"{pinned.title[:1].upper()}{pinned.title[1:]}; {pinned.form}.",
        reads=reads,
        note=note,
        warn=warn,
        look=pinned.look,
    )


def _doubt(engine: Engine, pinned: Pinned, most: float) -> tuple[str, bool]:
    """Say when the picture is, or seems to be, of no class that the network knows."""
    if pinned.foreign:
        return pinned.foreign, True
    if pinned.label is not None or not pinned.pixels.any():
        drawn = pinned.pad is not None
        empty = "There is nothing in it yet." if drawn else "Nothing of it is left in this form."
        return ("" if pinned.label is not None else empty), False
    if pinned.about.data:
        try:
            seen, lit = engine.call(STRANGE, pinned.source, pinned.pixels)
        except EngineError:
            return "", False
        for distance, by in (
            (seen, "as the network sees it, its distance to what it learned is"),
            (lit, "by how many pixels are how bright, its distance to what it learned is"),
        ):
            if distance.far > distance.usual:
                of = f"of 99 of 100 test images at most {distance.usual:.2f}"
                told = f"{by} {distance.far:.2f}; {of}"
                return f"It may be of no class that the network knows: {told}.", True
    elif most < UNSURE:
        return "No class has 30 %: it may be of none that the network knows.", True
    return "", False
