"""Random tables of networks that can be built, for the tests of their text, sums and torch."""

import math
from collections.abc import Iterable

from hypothesis import strategies as some

from core.shared.arithmetic import arithmetic
from core.shared.layers import ACTIVATIONS, KINDS, NORMALISATIONS, RESIDUAL, Row, write


@some.composite
def any_row(draw: some.DrawFn, kinds: tuple[str, ...] = tuple(KINDS), small: bool = False) -> Row:
    """Draw a row of one of these kinds; a small one is cheap to compute."""
    kind = draw(some.sampled_from(kinds))
    values: dict[str, object] = {}
    odd = kind in RESIDUAL
    kernel = draw(some.integers(0, 1 if small else 7)) * 2 + 1 if odd else 0
    kernel = kernel or draw(some.integers(1, 4 if small else 15))
    most = {"fc": 2048}.get(kind, 512)
    quarters = draw(some.integers(1, 3 if small else 128))
    channels = 4 * quarters if kind == "inception" else draw(some.integers(1, 9 if small else most))
    padding = draw(some.integers(0, min(7, kernel // 2) if small or kind in ("max", "mean") else 7))
    for name, value in (
        ("channels", channels),
        ("kernel", kernel),
        ("stride", draw(some.integers(1, 3 if small else 8))),
        ("padding", padding),
        ("dilation", draw(some.integers(1, 2 if small else 4))),
        ("normalisation", draw(some.sampled_from(NORMALISATIONS))),
        ("activation", draw(some.sampled_from(ACTIVATIONS))),
        ("dropout", draw(some.integers(0, 90)) / 100),
    ):
        if name in KINDS[kind]:
            values[name] = value
    return Row(kind=kind, **values)  # type: ignore[arg-type] # each by its name


def buildable(rows: Iterable[Row], shape: tuple[int, int, int], widest: float = math.inf) -> str:
    """Write down those rows that can follow the ones before; the receptive fields stay small."""
    kept: list[Row] = []
    for row in rows:
        try:
            layers = arithmetic(write([*kept, row]), shape)
        except ValueError:
            continue
        if all(layer.field <= widest for layer in layers[:-1]):
            kept.append(row)
    return write(kept)
