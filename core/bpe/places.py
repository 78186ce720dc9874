"""Where in a text a merge was done first."""

import numpy as np

from core.bpe.history import History

__all__ = ["first_made"]


def first_made(history: History, step: int) -> int:
    """Find the first token that a merge made, in bytes of the text's UTF-8; 0 for no merge.

    Args:
        history: of a plan.
        step: the merge's number, from 1; 0 for none.
    """
    corpus, gone = history.corpus, history.gone
    removed = np.flatnonzero(gone == step) if step else np.zeros(0, np.int64)
    if not len(removed):
        return 0
    piece = int(np.searchsorted(corpus.begins, removed[0], "right")) - 1
    begin, place = int(corpus.begins[piece]), int(removed[0])
    while gone[place] <= step:  # the token's other inner boundaries went before
        place -= 1
    place = max(place, begin)
    nth = int(np.argmax(corpus.sequence == piece))
    before = int(history.ends[nth - 1]) if nth else 0
    return before + int(corpus.widths(begin, place).sum())
