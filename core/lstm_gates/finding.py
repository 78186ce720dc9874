"""Which unit stands for something: chosen by the first half of a text, measured on the second.

With thousands of units some follow anything a little. So a unit and its direction are chosen by one
half of the text, and what counts is the other. How far chance goes is measured by the same search
after the feature was shifted along the text in a circle: it is as smooth and as frequent as before,
but at the wrong places.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from core.lstm_gates.languages import Truth

__all__ = ["LEAST", "Finding", "Row", "find", "survey"]

SHIFTS = 19  # what beats all of them happens by chance once in twenty times
LEAST = SHIFTS + 1  # characters of each half, or a shift leaves it where it was
MOST = 12  # rows

Values = Mapping[str, Float[np.ndarray, "l t u"]]  # by gate, as `Gates.values`
Series = Float[np.ndarray, "s t"]


@dataclass(frozen=True, slots=True)
class Row:
    """A unit's gate, and how it goes with a feature.

    Both measures are of the gate times `sign`, which makes `chosen` at least what a gate has that
    knows nothing: 0 of a correlation, ½ of an area.
    """

    gate: str
    layer: int  # from 0
    unit: int  # from 0
    sign: int  # −1 where it is low when the feature is high
    chosen: float  # on the first half of the characters
    held_out: float  # on the second


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The units that go with a feature, the first half's best first."""

    measure: str  # "area" under the ROC curve of a yes or no, "correlation" of a number
    rows: tuple[Row, ...]
    chance: Row  # of the shifted features' best units, that which did best on the second half
    halves: tuple[int, int]  # characters of each


def find(
    values: Values, feature: Float[np.ndarray, " t"], whether: bool = False, most: int = MOST
) -> Finding:
    """Rank all units of all gates by how they go with a feature.

    Args:
        values: of the gates that are searched.
        feature: of the same characters; places where it is NaN are left out.
        whether: it is 0 or 1, and the measure is the area under the ROC curve: how often a value
            where it is 1 is above one where it is 0, equal ones counting half. Otherwise the
            measure is Pearson's correlation, 0 for a gate that never changes.
        most: rows that are given.

    Raises: ValueError when there are no values, the feature is known of too few characters, or it
        is the same in all of a half.
    """
    if whether and not np.isin(feature[~np.isnan(feature)], (0, 1)).all():
        raise ValueError("feature must be 0 or 1 where it is a yes or no")
    first, second = _halves(feature)
    if len(first) < LEAST:
        raise ValueError(
            f"the feature must be known of at least {2 * LEAST} characters, "
            f"got {len(first) + len(second)}"
        )
    for half, part in (("first", first), ("second", second)):
        if np.ptp(feature[part]) == 0:
            raise ValueError(
                f"the feature must change within the {half} half of the text, "
                f"got {feature[part[0]]:g} all along"
            )
    return _Search(values, most).find(feature, whether)


def survey(
    values: Values,
    known: Mapping[str, Float[np.ndarray, " t"]],
    truths: Mapping[str, Truth],
    most: int = MOST,
) -> dict[str, Finding]:
    """Rank all units for many features at once.

    Args:
        values: of the gates that are searched.
        known: the features' values, of the same characters.
        truths: what each is.
        most: rows that are given of each.

    Returns: a finding for each feature that changes within both halves of the text.
    Raises: ValueError when there are no values.
    """
    search = _Search(values, most)
    return {
        name: search.find(feature, truths[name].whether)
        for name, feature in known.items()
        if all(len(half) >= LEAST and np.ptp(feature[half]) > 0 for half in _halves(feature))
    }


class _Search:
    """All units of all gates, each half made ready once for all features."""

    def __init__(self, values: Values, most: int) -> None:
        if not values:
            raise ValueError("values must be of at least one gate, got none")
        self.names = [
            (gate, layer, unit)
            for gate, each in values.items()
            for layer in range(each.shape[0])
            for unit in range(each.shape[2])
        ]
        every = [each.transpose(0, 2, 1).reshape(-1, each.shape[1]) for each in values.values()]
        self.series = np.concatenate(every).astype(np.float32)
        self.most = most
        self.ready: dict[tuple[bytes, bool], Series] = {}

    def find(self, feature: Float[np.ndarray, " t"], whether: bool) -> Finding:
        first, second = _halves(feature)
        key = first.tobytes(), whether
        if key not in self.ready:
            series = self.series[:, first]
            middle = np.float32((len(first) + 1) / 2)  # of the ranks
            self.ready[key] = _ranks(series) - middle if whether else _unit(series)
        wanted = np.stack(list(_shifted(feature[first])))
        held = np.stack(list(_shifted(feature[second])))
        # What a yes adds to the ranks, less what a no does, grows with the area under the curve.
        goes = self.ready[key] @ _unit(wanted).astype(np.float32).T
        best = np.argsort(-np.abs(goes[:, 0]), kind="stable")[: self.most]
        lucky = np.abs(goes[:, 1:]).argmax(0)
        units = np.concatenate([best, lucky])
        column = np.concatenate([np.zeros(len(best), dtype=int), np.arange(1, len(wanted))])
        sign = np.where(goes[units, column] < 0, -1, 1)
        measure = _area if whether else _correlation
        chosen = measure(sign[:, None] * self.series[units][:, first], wanted[column])
        last = measure(sign[:, None] * self.series[units][:, second], held[column])
        rows = [
            Row(*self.names[unit], *each)
            for unit, *each in zip(
                units.tolist(), sign.tolist(), chosen.tolist(), last.tolist(), strict=True
            )
        ]
        return Finding(
            measure="area" if whether else "correlation",
            rows=tuple(rows[: len(best)]),
            chance=max(rows[len(best) :], key=lambda row: row.held_out),
            halves=(len(first), len(second)),
        )


def _halves(
    feature: Float[np.ndarray, " t"],
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    known = np.flatnonzero(~np.isnan(feature))
    return known[: len(known) // 2], known[len(known) // 2 :]


def _shifted(feature: Float[np.ndarray, " t"]) -> Iterator[Float[np.ndarray, " t"]]:
    """Give the feature, then as it is after each shift."""
    for number in range(SHIFTS + 1):
        yield np.roll(feature, round(number * len(feature) / (SHIFTS + 1)))


def _unit(series: Series) -> Series:
    """Centre each, and give it length 1; one that never changes is nought."""
    centred = series - series.mean(1, keepdims=True, dtype=np.float64).astype(series.dtype)
    centred[np.ptp(series, axis=1) == 0] = 0
    length = np.sqrt(np.einsum("st,st->s", centred, centred))[:, None]
    scaled: Series = centred / np.where(length > 0, length, 1)
    return scaled


def _correlation(one: Series, other: Series) -> Float[np.ndarray, " s"]:
    """Give Pearson's correlation of each with each."""
    products: Series = _unit(one.astype(np.float64)) * _unit(other)
    total: Float[np.ndarray, " s"] = products.sum(1)
    return total


def _area(series: Series, whether: Series) -> Float[np.ndarray, " s"]:
    """Give the area under the ROC curve of each, by its ranks.

    Source: Mann and Whitney 1947; Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747.
    """
    yes = whether.sum(1)
    ranks = (_ranks(series).astype(np.float64) * whether).sum(1)
    area: Float[np.ndarray, " s"] = (ranks - yes * (yes + 1) / 2) / (yes * (whether.shape[1] - yes))
    return area


def _ranks(series: Series) -> Series:
    """Give the place of each value among all of its series, from 1; equal ones share their mean."""
    order = np.argsort(series, axis=1)
    ordered = np.take_along_axis(series, order, axis=1)
    places = np.arange(series.shape[1], dtype=np.float32)
    new = np.ones(series.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(new, places, 0), axis=1)
    ends = np.roll(new, -1, axis=1)
    last = np.minimum.accumulate(np.where(ends, places, places[-1])[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(series.shape, dtype=np.float32)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    return ranks
