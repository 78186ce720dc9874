"""Some of the text in its tokens of one step: never more than a screen has room for."""

import numpy as np
from jaxtyping import Int

from core.bpe.history import History
from core.bpe.results import Window

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
    first, places, fresh = 0, np.zeros(0, np.int64), np.zeros(0, np.int64)
    if size:
        first, begins, lengths = _spans(history, step, min(place, size - 1), room)
        fresh = np.cumsum(lengths) - lengths
        places = np.repeat(begins - fresh, lengths) + np.arange(lengths.sum())
    at, ids = history.cut(places, step)
    tokens = tuple(history.vocabulary.tokens[each] for each in ids.tolist())
    marks = history.vocabulary.ends
    starts = np.isin(at, fresh)
    if len(places):
        starts[0] = bool(np.isin(places[0], history.corpus.begins))
    return Window(
        first=first,
        last=first + sum(map(len, tokens)),
        size=size,
        tokens=tokens,
        ends=np.fromiter((marks[each] for each in ids.tolist()), bool, len(ids)),
        ids=ids,
        lit=(ids == history.vocabulary.alphabet + step - 1) & (step > 0),
        starts=starts,
    )


Spans = tuple[int, Int[np.ndarray, " s"], Int[np.ndarray, " s"]]


def _spans(history: History, step: int, place: int, room: int) -> Spans:
    """Find what of the row is shown: the place in bytes, and where and how long each part is."""
    corpus, gone, ends = history.corpus, history.gone, history.ends
    piece = int(np.searchsorted(ends, place, "right"))
    before = int(ends[piece - 1]) if piece else 0
    few = corpus.sequence[piece : piece + room]
    begins, lengths = corpus.begins[few], corpus.lengths[few].astype(np.int64)
    begin, end = int(begins[0]), int(begins[0] + lengths[0])
    widths = history.widths[corpus.row[begin:end]]
    unit = int(np.searchsorted(np.cumsum(widths), place - before, "right"))
    back = int(np.argmax(gone[begin : begin + unit + 1][::-1] > step))
    begins[0] += unit - back
    lengths[0] -= unit - back
    upto = np.cumsum(lengths)
    last = min(int(np.searchsorted(upto, room)), len(few) - 1)
    begins, lengths = begins[: last + 1], lengths[: last + 1]
    if (over := int(upto[last]) - room) > 0:
        end = int(begins[last] + lengths[last])
        stands = gone[end - over : end] > step
        lengths[last] -= over - int(np.argmax(stands)) if stands.any() else 0
    return before + int(widths[: unit - back].sum()), begins, lengths
