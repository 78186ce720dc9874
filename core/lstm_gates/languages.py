"""Five small languages, each of which asks for something to be remembered.

A language is an automaton: a state says which characters may come next and how likely each is, and
a character leads to the next state. The states are what a network has to find for itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["LANGUAGES", "Language", "State", "Truth"]

State = tuple[str, int]  # what came last, or since the start, and a number

DEPTH = 4  # of the brackets, as in LSTMVis' data set
MOST = 10  # that is counted to
LONGEST = 6  # string that is copied
LETTERS = "abcd"
END = "\n"  # of a line; all is then as it was at the start
TELL = 0.4
OPEN = 0.2  # how often a word begins a quotation
STOP = 0.25  # how often a word or a sentence ends there
MARKS = ("", "'", '"')  # outside, and inside each


@dataclass(frozen=True, slots=True)
class Truth:
    """Something of the state that a unit might stand for."""

    about: str  # one sentence
    whether: bool = False  # it is 0 or 1; otherwise a number


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """An automaton that writes."""

    characters: str  # all that it may write
    start: State
    options: Callable[[State], Mapping[str, float]]  # what may come next, with its probability
    after: Callable[[State, str], State]
    truth: Callable[[State], tuple[float, ...]]  # the values of:
    truths: Mapping[str, Truth]
    found_again: Mapping[str, State] = field(default_factory=dict)  # by a character that tells it


def _evenly(characters: str, share: float = 1.0) -> dict[str, float]:
    return {each: share / len(characters) for each in characters}


# Brackets: "(()=1(=2)))=0". After "=" only the depth may come; the state is the last character and
# the depth.


def _bracket_options(state: State) -> Mapping[str, float]:
    last, depth = state
    if last == "=":
        return {str(depth): 1.0}
    brackets = "(" * (depth < DEPTH) + ")" * (depth > 0)
    if last.isdigit():
        return _evenly(brackets)
    return {"=": TELL, **_evenly(brackets, 1 - TELL)}


def _after_bracket(state: State, character: str) -> State:
    _, depth = state
    return ("0" if character.isdigit() else character), depth + {"(": 1, ")": -1}.get(character, 0)


# Quotes: words outside, 'or inside of either kind of quotation.' A full stop ends a sentence
# outside and goes before a space, and ends a quotation inside and goes before its own mark.


def _quote_options(state: State) -> Mapping[str, float]:
    last, mark = state
    if last == ".":
        return {MARKS[mark] or " ": 1.0}
    if last == "closed":
        return {" ": 1.0}
    if last == " ":
        opening = 0.0 if mark else OPEN
        marks = _evenly("'\"", opening) if opening else {}
        return {**marks, **_evenly(LETTERS, 1 - opening)}
    if last == "opened":
        return _evenly(LETTERS)
    return {" ": STOP, ".": STOP / 3, **_evenly(LETTERS, 1 - STOP - STOP / 3)}


def _after_quote(state: State, character: str) -> State:
    _, mark = state
    if character in MARKS[1:]:
        return ("closed", 0) if mark else ("opened", MARKS.index(character))
    return ("a" if character in LETTERS else character), mark


# Counting: as many b as there were a, "aaabbb". The number is how many are to be matched.


def _counting_options(state: State) -> Mapping[str, float]:
    last, left = state
    if last == END:
        return {"a": 1.0}
    if last == "b":
        return {"b": 1.0} if left else {END: 1.0}
    stop = 1 / (MOST + 1 - left)  # each number from 1 to MOST is as likely
    return {"b": 1.0} if left == MOST else {"a": 1 - stop, "b": stop}


def _after_counting(state: State, character: str) -> State:
    return character, state[1] + {"a": 1, "b": -1}.get(character, 0)


# Copying: "cab|cab". The state is the string, and the place that is to be copied next, −1 while the
# string is given.


def _copying_options(state: State) -> Mapping[str, float]:
    string, place = state
    if place >= 0:
        return {string[place] if place < len(string) else END: 1.0}
    if not string:
        return _evenly(LETTERS)
    stop = 1 / (LONGEST + 1 - len(string))
    if len(string) == LONGEST:
        return {"|": 1.0}
    return {"|": stop, **_evenly(LETTERS, 1 - stop)}


def _after_copying(state: State, character: str) -> State:
    string, place = state
    if character == END:
        return "", -1
    if place >= 0:
        return string, place + 1
    return (string, 0) if character == "|" else (string + character, -1)


def _copying_truth(state: State) -> tuple[float, ...]:
    string, place = state
    return (
        float(place >= 0),
        float(len(string)),
        float(max(place, 0)),
        len(string) - max(place, 0.0),
    )


# Adding: "12+7=19", numbers from 0 to 99. The state is the line so far.


def _adding_options(state: State) -> Mapping[str, float]:
    line, _ = state
    sum_, equals, written = line.partition("=")
    if equals:
        result = str(sum(int(each) for each in sum_.split("+"))) + END
        return {result[len(written)]: 1.0}
    number = line.rpartition("+")[2]
    follows = "=" if "+" in line else "+"
    if not number:
        return {"0": 0.01, **_evenly("123456789", 0.99)}
    if number == "0" or len(number) > 1:
        return {follows: 1.0}
    return {follows: 1 / 11, **_evenly("0123456789", 10 / 11)}


def _after_adding(state: State, character: str) -> State:
    return ("" if character == END else state[0] + character), 0


def _adding_truth(state: State) -> tuple[float, ...]:
    line, _ = state
    sum_, equals, _ = line.partition("=")
    numbers = [int(each or 0) for each in sum_.split("+")]
    carries = len(numbers) > 1 and sum(each % 10 for each in numbers) > 9  # noqa: PLR2004
    return (
        float(numbers[0]),
        float(sum(numbers)),
        float(bool(equals)),
        float(equals != "" and carries),
    )


LANGUAGES = {
    "brackets": Language(
        characters="()=" + "".join(map(str, range(DEPTH + 1))),
        start=("0", 0),
        options=_bracket_options,
        after=_after_bracket,
        truth=lambda state: (float(state[1]),),
        truths={"depth": Truth("How many brackets are open.")},
        found_again={str(depth): ("0", depth) for depth in range(DEPTH + 1)},
    ),
    "quotes": Language(
        characters=LETTERS + " .'\"",
        start=(" ", 0),
        options=_quote_options,
        after=_after_quote,
        truth=lambda state: (float(state[1] > 0), float(state[1] == MARKS.index('"'))),
        truths={
            "inside_quote": Truth("A quotation of either kind has begun and not ended.", True),
            "inside_double": Truth("A quotation with double marks has, so that they end it.", True),
        },
    ),
    "counting": Language(
        characters="ab" + END,
        start=(END, 0),
        options=_counting_options,
        after=_after_counting,
        truth=lambda state: (float(state[1]), float(state[0] == "b")),
        truths={
            "left": Truth("How many b it takes until there are as many as a."),
            "matching": Truth("The line has come to its b.", True),
        },
        found_again={END: (END, 0)},
    ),
    "copying": Language(
        characters=LETTERS + "|" + END,
        start=("", -1),
        options=_copying_options,
        after=_after_copying,
        truth=_copying_truth,
        truths={
            "copying": Truth("The string is over, and its copy has begun.", True),
            "length": Truth("Characters of the string so far."),
            "place": Truth("Characters that are copied."),
            "left": Truth("Characters that are still to be copied."),
        },
        found_again={END: ("", -1)},
    ),
    "adding": Language(
        characters="0123456789+=" + END,
        start=("", 0),
        options=_adding_options,
        after=_after_adding,
        truth=_adding_truth,
        truths={
            "first": Truth("The first number, as far as it is read."),
            "sum": Truth("The sum of what is read of both numbers."),
            "writing": Truth("Both numbers are read, and the sum is being written.", True),
            "carry": Truth("The sum is being written, and its units carry a ten over.", True),
        },
        found_again={END: ("", 0)},
    ),
}
