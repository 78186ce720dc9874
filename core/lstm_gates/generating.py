"""Texts that are drawn by rules: what is true at each place, and what may come next, is known.

A text is drawn by walking through a language's automaton; any other text, such as one that was
typed, is followed through it in the same way.
"""

from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
from jaxtyping import Bool, Float, Int

from core.lstm_gates import UNKNOWN
from core.lstm_gates.languages import LANGUAGES, Language, State

__all__ = ["Followed", "Score", "alphabet", "draw", "drawn", "follow", "score"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What is true after each character of a text."""

    truth: Mapping[str, Float[np.ndarray, " n"]]  # NaN after what may not have come
    forced: Int[np.ndarray, " n"]  # place in the alphabet of what must come next, −1 where free
    allowed: Bool[np.ndarray, "n k"]  # what may come next; nothing where nobody knows
    ideal: Float[np.ndarray, " n"]  # −log₂ of each character's true probability, infinite where it
    # may not come, NaN where nobody knows
    fresh: Int[np.ndarray, " s"]  # places of characters before which all is as at the start


@dataclass(frozen=True, slots=True)
class Score:
    """How well a network knows a language's rules."""

    right: float  # share of the forced characters that it thinks the likeliest; NaN without any
    impossible: float  # mean probability of all that may not come, where anybody knows
    places: int  # at which the next character is forced


@dataclass(slots=True)
class _Node:
    """A state, and what a walk needs to know of it."""

    number: int
    state: State
    characters: str
    chances: list[float]
    ends: list[float]  # cumulative chances
    next: dict[str, "_Node"] = field(default_factory=dict)


class _Walk:
    """The states that one walk has met."""

    def __init__(self, name: str) -> None:
        self.name, self.language = name, _language(name)
        self.met: dict[State, _Node] = {}
        self.start = self.node(self.language.start)

    def node(self, state: State) -> _Node:
        if state not in self.met:
            options = self.language.options(state)
            chances = list(options.values())
            ends = list(accumulate(chances))
            self.met[state] = _Node(len(self.met), state, "".join(options), chances, ends)
        return self.met[state]

    def step(self, node: _Node, character: str) -> _Node:
        if character not in node.next:
            node.next[character] = self.node(self.language.after(node.state, character))
        return node.next[character]


def alphabet(name: str) -> str:
    """Give a language's characters as a network's alphabet: UNKNOWN first, then sorted."""
    return UNKNOWN + "".join(sorted(_language(name).characters))


def draw(name: str, length: int, source: np.random.Generator) -> str:
    """Draw a text of a language.

    Args:
        name: one of LANGUAGES.
        length: in characters; the text may end in the middle of something.
        source: of chance.

    Raises: ValueError when there is no such language.
    """
    return _draw(_Walk(name), length, source)


def drawn(name: str, length: int, source: np.random.Generator) -> tuple[str, Followed]:
    """Draw a text of a language, and tell what is true of it: `draw` and `follow` in one walk."""
    walk = _Walk(name)
    content = _draw(walk, length, source)
    return content, _follow(walk, content)


def follow(name: str, text: str) -> Followed:
    """Find what is true after each character of a text, from the language's start on.

    Args:
        name: one of LANGUAGES.
        text: any; from the first character that may not have come nobody knows, until one that
            tells the state again: a depth's digit, the end of a line.

    Raises: ValueError when there is no such language.
    """
    return _follow(_Walk(name), text)


def score(
    probabilities: Float[np.ndarray, "t k"],
    forced: Int[np.ndarray, " t"],
    allowed: Bool[np.ndarray, "t k"],
) -> Score:
    """Tell how often a network is right where only one character may come, and what it wastes.

    Args:
        probabilities: of each character of the alphabet, after each character of the text.
        forced: as `follow` gives it, of the same characters.
        allowed: likewise.
    """
    must, known = forced >= 0, allowed.any(1)
    right = probabilities[must].argmax(1) == forced[must]
    wasted = np.where(allowed[known], 0.0, probabilities[known]).sum(1)
    return Score(
        float(right.mean()) if must.any() else np.nan,
        float(wasted.mean()) if known.any() else np.nan,
        int(must.sum()),
    )


def _language(name: str) -> Language:
    if name not in LANGUAGES:
        raise ValueError(f"name must be one of {tuple(LANGUAGES)}, got {name!r}")
    return LANGUAGES[name]


def _draw(walk: _Walk, length: int, source: np.random.Generator) -> str:
    node, content = walk.start, []
    for chance in source.random(length).tolist():
        place = min(bisect(node.ends, chance), len(node.ends) - 1)  # a sum may end just below 1
        content.append(character := node.characters[place])
        node = node.next.get(character) or walk.step(node, character)
    return "".join(content)


def _follow(walk: _Walk, text: str) -> Followed:
    known: _Node | None = walk.start
    numbers, likely, fresh = [], [], []
    for place, character in enumerate(text):
        if known is walk.start:
            fresh.append(place)
        option = -2 if known is None else known.characters.find(character)
        likely.append(
            known.chances[option] if known and option >= 0 else np.nan if option < -1 else 0.0
        )
        if known is not None and option >= 0:
            known = known.next.get(character) or walk.step(known, character)
        else:
            state = walk.language.found_again.get(character)
            known = None if state is None else walk.node(state)
        numbers.append(-1 if known is None else known.number)
    which = np.array(numbers, dtype=np.int64)
    allowed, truth = _tables(walk)
    forced = np.where(allowed.sum(1) == 1, allowed.argmax(1), -1)
    with np.errstate(divide="ignore"):
        ideal = np.abs(np.log2(np.array(likely, dtype=float)))
    return Followed(
        truth={key: truth[which, column] for column, key in enumerate(walk.language.truths)},
        forced=forced[which],
        allowed=allowed[which],
        ideal=ideal,
        fresh=np.array(fresh, dtype=np.int64),
    )


def _tables(walk: _Walk) -> tuple[Bool[np.ndarray, "m k"], Float[np.ndarray, "m truths"]]:
    """Give a row for each state that was met, and a last one for that which nobody knows."""
    places = {each: number for number, each in enumerate(alphabet(walk.name))}
    allowed = np.zeros((len(walk.met) + 1, len(places)), dtype=bool)
    truth = np.full((len(walk.met) + 1, len(walk.language.truths)), np.nan)
    for node in walk.met.values():
        allowed[node.number, [places[each] for each in node.characters]] = True
        truth[node.number] = walk.language.truth(node.state)
    return allowed, truth
