"""Some of the text in its tokens of one step: never more than a screen has room for."""

import numpy as np
from jaxtyping import Int

from core.bpe.history import History
from core.bpe.results import Window, shortened

__all__ = ["ROOM", "window"]

ROOM = 1_500  # units


def window(history: History, step: int, place: int, room: int = ROOM) -> Window:
    """Show the text from a place on.

    Args:
        history: of a plan.
        step: merges done.
        place: in bytes of the text's UTF-8; the token that has it is the first. One after the end
            is taken for the last.
        room: units; the last token may reach beyond.
    """
    ends = history.ends
    size = int(ends[-1]) if len(ends) else 0
    first, whole = 0, True
    places = fresh = np.zeros(0, np.int64)
    if size:
        first, whole, begins, lengths = _spans(history, step, min(place, size - 1), room)
        fresh = np.cumsum(lengths) - lengths
        places = np.repeat(begins - fresh, lengths) + np.arange(lengths.sum())
    at, ids = history.cut(places, step)
    tokens = tuple(history.vocabulary.tokens[each] for each in ids.tolist())
    marks = history.vocabulary.ends
    starts = np.isin(at, fresh)
    starts[:1] = whole
    return Window(
        first=first,
        last=first + sum(map(len, tokens)),
        size=size,
        tokens=tuple(map(shortened, tokens)),
        ends=np.fromiter((marks[each] for each in ids.tolist()), bool, len(ids)),
        ids=ids,
        lit=(ids == history.vocabulary.alphabet + step - 1) & (step > 0),
        starts=starts,
    )


Spans = tuple[int, bool, Int[np.ndarray, " s"], Int[np.ndarray, " s"]]


def _spans(history: History, step: int, place: int, room: int) -> Spans:
    """Find what of the row is shown.

    Returns: where it begins in the text, whether a piece does there, and by piece where what is
        shown begins in the row, and how long it is.
    """
    corpus, gone, ends = history.corpus, history.gone, history.ends
    piece = int(np.searchsorted(ends, place, "right"))
    before = int(ends[piece - 1]) if piece else 0
    few = corpus.sequence[piece : piece + room]
    begins, lengths = corpus.begins[few], corpus.lengths[few].astype(np.int64)
    begin = int(begins[0])
    most = min(place - before + 1, int(lengths[0]))  # a unit has a byte at least
    widths = np.cumsum(corpus.widths(begin, begin + most))
    unit = int(np.searchsorted(widths, place - before, "right"))
    unit -= int(np.argmax(gone[begin : begin + unit + 1][::-1] > step))
    begins[0] += unit
    lengths[0] -= unit
    upto = np.cumsum(lengths)
    last = min(int(np.searchsorted(upto, room)), len(few) - 1)
    begins, lengths = begins[: last + 1], lengths[: last + 1]
    if (over := int(upto[last]) - room) > 0:
        end = int(begins[last] + lengths[last])
        stands = gone[end - over : end] > step
        lengths[last] -= over - int(np.argmax(stands)) if stands.any() else 0
    return before + (int(widths[unit - 1]) if unit else 0), not unit, begins, lengths
