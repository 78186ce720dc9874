"""Blocks of a text in its tokens, and of the merges that made them, painted by ui/js/tokens.js."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.bpe.results import Candidate, Window
from core.bpe.vocabulary import END
from ui.blocks import Block

__all__ = [
    "Branch",
    "Row",
    "Verdict",
    "pairs",
    "reel",
    "running",
    "spelt",
    "tokenised",
    "trace",
    "tree",
    "versus",
]

LONGEST = 32  # signs of a token in a title or a note
PLACES = 10  # of pairs, so that the list keeps its height
SIGNS = {" ": "·", "\n": "⏎", "\t": "⇥", "\r": "␍", "\u00a0": "⍽"}  # as ui/js/tokens.js has them
FIRST = 0xDC00  # of the lone surrogates that stand for bytes
LIT, STARTS = 1, 2  # what a token is, as bits
SMALL = 0.001  # a share, below which it is said that it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A piece of a text while it is encoded, after so many merges."""

    tokens: Sequence[bytes | str]
    ids: Sequence[int]
    ends: Sequence[bool] = ()  # which have the end-of-word mark; none where it is empty
    made: Sequence[int] = ()  # places of the tokens that the merge before this row made
    merged: Sequence[int] = ()  # places of the left ones of the pairs that are merged next
    rank: int | None = None  # of that merge; None where no merge is left


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A token in the tree of another one."""

    token: bytes
    id: int
    ends: bool = False  # whether it has the end-of-word mark
    rank: int | None = None  # the number of its merge; None for one of the alphabet
    parts: tuple["Branch", "Branch"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one tokenizer makes of a text, and of one sentence."""

    name: str
    note: str = ""  # in a few words, as "8,256 tokens, learned here"
    size: int | None = None  # tokens that it knows
    count: int | None = None  # tokens that the text becomes
    rate: float | None = None  # bytes per token of the text
    unknown: float | None = None  # share of words that it does not know; None where none can be
    tokens: Sequence[bytes | str] = ()  # of the sentence; str as they are, as "##ing", set apart
    ids: Sequence[int] = ()
    ends: Sequence[bool] = ()
    strange: Sequence[int] = ()  # places of the tokens that stand for what it does not know
    own: bool = False  # whether it is the one that grew here


def reel(
    name: str,
    label: str,
    step: int,
    steps: int,
    *,
    note: str = "",
    stops: Sequence[tuple[int, str]] = (),
    span: int = 12,
) -> Block:
    """Draw the control of a history: a slider, one step back and on, play, and a number.

    It tells a step from 0 to `steps` as `name`, while it is dragged, played or held, each time the
    newest; of many steps the slider has more room for the first.

    Args:
        name: what a step is told by.
        label: what is counted, as "Merges done".
        step: that is shown.
        steps: that there are.
        note: on the step, beside the number, as "t + he → the".
        stops: steps that a button leads to, and its words, as (31, "first tie").
        span: twelfths of the screen.
    """
    words = {"kind": "history", "span": span, "name": name, "label": label, "note": note}
    return Block({**words, "step": step, "steps": steps, "stops": list(stops)})


def running(
    tokens: Sequence[bytes | str],
    ids: Sequence[int],
    *,
    ends: Sequence[bool] = (),
    lit: Sequence[bool] = (),
    starts: Sequence[bool] = (),
) -> Window:
    """Make a window of all tokens of a short text, as of one that was typed."""
    known = tuple(_bytes(each) for each in tokens)
    size = sum(map(len, known))

    def facts(given: Sequence[bool]) -> np.ndarray:
        return np.array(given if len(given) else [False] * len(known), bool)

    return Window(
        first=0,
        last=size,
        size=size,
        tokens=known,
        ends=facts(ends),
        ids=np.array(ids, np.int64),
        lit=facts(lit),
        starts=facts(starts),
    )


def spelt(token: bytes | str, *, ends: bool = False) -> str:
    """Write a token, or its beginning, for a title or a note: signs for what is unseen, hex for
    cut characters.
    """
    signs = (
        SIGNS.get(sign)
        or (f"{ord(sign) - FIRST:02X}" if FIRST < ord(sign) <= FIRST + 255 else sign)
        for sign in _text(token)
    )
    text = "".join(signs)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}…"
    return text + (END if ends else "")


def tokenised(
    window: Window,
    *,
    title: str,
    hint: str = "",
    boundaries: bool = True,
    chosen: int | None = None,
    name: str = "token",
    place: str = "place",
    lines: int = 12,
    lit: tuple[str, str] = ("made", "by this merge"),
    empty: str = "There is no text.",
    span: int = 12,
) -> Block:
    """Print a text in its tokens, coloured by their ids.

    A click on a token, or Enter, tells its id as `name`; what is pointed at, or reached by the
    arrow keys, is told in words below. "Earlier", "More" and a slider between them tell a place of
    the text, in bytes, as `place`.

    Args:
        window: some of the text.
        title: over the text.
        hint: under the title.
        boundaries: whether a thin line stands before the first token of each piece.
        chosen: the id of the token that is looked at.
        name: what a token is told by; "" where none can be chosen.
        place: what a place is told by; "" where the window stays.
        lines: that are seen at once, at most; the others are scrolled to.
        lit: what lit tokens are, in words, the first of which is lit itself.
        empty: what is said where there are no tokens.
        span: twelfths of the screen.
    """
    known, order = _known(window.tokens, window.ids.tolist(), window.ends.tolist())
    sizes = [len(token) for token in window.tokens]
    words = {
        "kind": "tokenised",
        "span": span,
        "name": name,
        "title": title,
        "hint": hint,
        "known": known,
        "count": len(order),
        "first": window.first,
        "last": window.last,
        "size": window.size,
        "boundaries": boundaries,
        "chosen": chosen,
        "place": place,
        "lines": lines,
        "lit": lit,
        "empty": empty,
        "alt": f"{title}: {len(order):,} tokens; arrow keys go to the next one",
    }
    begins = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])[: len(order)]
    flags = LIT * window.lit + STARTS * window.starts
    return Block(words, _columns(np.array(order, np.int64), begins, flags))


def pairs(
    best: Sequence[Candidate],
    *,
    title: str,
    hint: str = "",
    note: str = "",
    hidden: bool = False,
    guess: tuple[int, int] | None = None,
    name: str = "guess",
    span: int = 6,
) -> Block:
    """Draw the commonest pairs as bars, with those that are tied, and the one that is next.

    Where they are `hidden`, they stand in the order of their bytes, without counts, each as a
    button that tells the two ids, [left, right], as `name`. A guess that was made is marked as
    right or wrong once they are not hidden any more.

    Args:
        best: at most ten, the commonest first.
        title: over them.
        hint: under the title.
        note: below them.
        hidden: whether it is to be guessed which is next.
        guess: the ids of the pair that was guessed.
        name: what a guess is told by.
        span: twelfths of the screen.
    """
    shown = list(best[:PLACES])
    if hidden:
        shown.sort(key=lambda each: (each.left + each.right, each.left, each.ends))
    most = max([each.count for each in best], default=1)
    told = [
        {
            "left": _text(each.left),
            "right": _text(each.right),
            "ends": each.ends,
            "ids": [int(each.ids[0]), int(each.ids[1])],
            "made": _text(each.left + each.right),
            **({} if hidden else _openly(each, most)),
        }
        for each in shown
    ]
    words = {
        "kind": "candidates",
        "span": span,
        "name": name,
        "title": title,
        "hint": hint,
        "note": note,
        "hidden": hidden,
        "guess": None if guess is None else list(guess),
        "pairs": told,
        "slots": PLACES,
    }
    return Block(words)


def trace(
    rows: Sequence[Row],
    *,
    title: str,
    hint: str = "",
    at: int | None = None,
    name: str = "row",
    span: int = 12,
) -> Block:
    """Write out how a piece is encoded: a row for each merge, with the pair that is merged next.

    A click on a row, or the arrow keys, tell its number, from 0, as `name`.

    Args:
        rows: the segmentations, the alphabet's first.
        title: over them.
        hint: under the title.
        at: the row that is looked at; None for none.
        name: what a row is told by.
        span: twelfths of the screen.
    """
    told = [
        {
            "tokens": _all(row.tokens, row.ids, row.ends),
            "made": list(row.made),
            "merged": list(row.merged),
            "rank": row.rank,
        }
        for row in rows
    ]
    words = {"kind": "trace", "span": span, "name": name, "title": title, "hint": hint}
    return Block({**words, "segments": told, "at": at})


def tree(
    root: Branch | None,
    *,
    title: str,
    hint: str = "",
    chosen: int | None = None,
    name: str = "token",
    span: int = 6,
) -> Block:
    """Draw of which tokens a token was made: its units below, in their order, the merges above.

    A click on a token in it, or Enter, tells its id as `name`.

    Args:
        root: the token; None where there is none.
        title: over the tree.
        hint: under the title.
        chosen: the id of the token that is looked at.
        name: what a token is told by.
        span: twelfths of the screen.
    """
    told: list[tuple[str, bool, int, int | None, int, int]] = []
    if root is not None:
        _grown(root, told)
    words = {"kind": "family", "span": span, "name": name, "title": title, "hint": hint}
    return Block({**words, "branches": told, "chosen": chosen})


def versus(
    verdicts: Sequence[Verdict],
    *,
    title: str,
    hint: str = "",
    sentence: str = "",
    chosen: str = "",
    name: str = "",
    span: int = 12,
) -> Block:
    """Compare tokenizers: how long each makes a text, and what it makes of a sentence.

    Args:
        verdicts: one of each tokenizer.
        title: over them.
        hint: under the title.
        sentence: that is tokenised.
        chosen: the name of the one that is looked at.
        name: what a click on a tokenizer's name tells that name by; "" for nothing.
        span: twelfths of the screen.
    """
    most = max([each.rate or 0.0 for each in verdicts], default=0.0) or 1.0
    told = [
        {
            "title": each.name,
            "note": each.note,
            "size": "" if each.size is None else f"{each.size:,}",
            "count": "–" if each.count is None else f"{each.count:,}",
            "rate": "–" if each.rate is None else f"{each.rate:.2f}",
            "share": (each.rate or 0.0) / most,
            "unknown": "none" if each.unknown is None else _share(each.unknown),
            "tokens": _all(each.tokens, each.ids, each.ends),
            "strange": list(each.strange),
            "loose": any(isinstance(token, str) for token in each.tokens),
            "own": each.own,
        }
        for each in verdicts
    ]
    words = {"kind": "versus", "span": span, "name": name, "title": title, "hint": hint}
    return Block({**words, "sentence": sentence, "chosen": chosen, "verdicts": told})


def _text(token: bytes | str) -> str:
    """Write a token for JSON; bytes of no whole character are lone surrogates (PEP 383)."""
    return token if isinstance(token, str) else token.decode("utf-8", "surrogateescape")


def _bytes(token: bytes | str) -> bytes:
    return token.encode("utf-8", "surrogateescape") if isinstance(token, str) else token


def _known(
    tokens: Sequence[bytes | str], ids: Sequence[int], ends: Sequence[bool]
) -> tuple[list[tuple[str, int, bool]], list[int]]:
    """List the different tokens, and the place of each token among them."""
    places: dict[tuple[bytes | str, int, bool], int] = {}
    order = [
        places.setdefault(each, len(places))
        for each in zip(tokens, ids, ends or [False] * len(tokens), strict=True)
    ]
    return [(_text(token), int(number), bool(end)) for token, number, end in places], order


def _all(
    tokens: Sequence[bytes | str], ids: Sequence[int], ends: Sequence[bool]
) -> list[tuple[str, int, bool]]:
    """Write out one token after the other."""
    known, order = _known(tokens, ids, ends)
    return [known[place] for place in order]


def _openly(candidate: Candidate, most: int) -> dict[str, object]:
    """Tell of a pair what one has to guess where it is hidden."""
    return {
        "count": f"{candidate.count:,}",
        "share": candidate.count / max(1, most),
        "tied": candidate.tied,
        "chosen": candidate.chosen,
    }


def _grown(branch: Branch, told: list[tuple[str, bool, int, int | None, int, int]]) -> int:
    """List the tokens of a tree, parts first, each with the places of its parts; −1 for none."""
    left, right = (_grown(part, told) for part in branch.parts) if branch.parts else (-1, -1)
    told.append((_text(branch.token), branch.ends, branch.id, branch.rank, left, right))
    return len(told) - 1


def _columns(*columns: np.ndarray) -> Float[np.ndarray, " n"]:
    return np.concatenate([np.asarray(each, np.float64) for each in columns])


def _share(share: float) -> str:
    return (
        "0 %" if share == 0 else f"< {100 * SMALL:g} %" if share < SMALL else f"{100 * share:.1f} %"
    )
