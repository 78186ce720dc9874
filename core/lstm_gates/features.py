"""What is known of each character of any text: the things that a unit might stand for.

Each is read from the characters up to and including the place, as a network reads them, and never
from those that follow. So the mark that begins a quotation is inside of it, and the one that ends
it is outside.
"""

import re
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

from core.lstm_gates.languages import Truth

__all__ = ["FEATURES", "features"]

PAIRS = {"“": "”", "«": "»", "「": "」", "『": "』"}  # other marks, and what ends them
PREFIXES = ("", "r", "b", "f", "u", "rb", "br", "rf", "fr")  # of a string in Python
MARKS = ("'", '"')
TRIPLE = 3
SENTENCE = ".!?。\uff01\uff1f"  # full stop, exclamation and question mark, also of full width
BEFORE = ("", *"=([,:")  # one of triple marks, so that prose about them begins none
URL = re.compile(r"(://|www\.)[^\s()\[\]{}<>\"',“”«»「」『』]*")
SINGLE, DOUBLE, OTHER = 1, 2, 3

FEATURES = {
    "inside_quote": Truth(
        "A quotation has begun and not ended; an apostrophe begins none, a line's end ends each, "
        "but for one of triple marks that begins a line or comes after one of =([,:.",
        True,
    ),
    "inside_single": Truth("It began with one or three of the mark '.", True),
    "inside_double": Truth('It began with one or three of the mark ".', True),
    "comment": Truth("A # has come in this line, outside of quotations.", True),
    "url": Truth(
        "Since :// or www. there has been no white space, quotation mark, bracket or comma.", True
    ),
    "bracket_depth": Truth(
        "How many of ( [ { are open, outside of quotations and comments; what closes too many "
        "counts for nothing."
    ),
    "since_newline": Truth("Characters since the line began, 0 at the newline before."),
    "indentation": Truth(
        "White space at the line's beginning, as far as it is read; a tab is one."
    ),
    "indenting": Truth("Nothing but white space has come in this line.", True),
    "in_word": Truth("Which letter, digit or _ of a word it is, from 1; 0 between words."),
    "since_sentence": Truth("Characters since the last full stop, question or exclamation mark."),
    "letter": Truth("It is a letter.", True),
    "capital": Truth("It is a capital letter.", True),
    "digit": Truth("It is a digit.", True),
    "space": Truth("It is white space.", True),
    "punctuation": Truth("It is neither letter, digit, _ nor white space.", True),
}


def features(text: str) -> Mapping[str, Float[np.ndarray, " n"]]:
    """Give the value of each of FEATURES at each character, 0 and 1 for no and yes."""
    letters, codes = _distinct(text)

    def where(test: Callable[[str], bool]) -> Bool[np.ndarray, " n"]:
        passed = np.array([test(each) for each in letters], dtype=bool)
        return np.take(passed, codes)

    newline, space = where("\n".__eq__), where(str.isspace)
    word = where(lambda each: each.isalnum() or each == "_")
    quotation, comment = _quotations(text)
    open_, closed = where("([{".__contains__), where(")]}".__contains__)
    steps = np.cumsum(np.where((quotation > 0) | comment, 0, open_ * 1 - closed * 1))
    lowest = np.minimum.accumulate(np.minimum(steps, 0))
    since_newline = _since(newline)
    begun = _last(~space) > _last(newline)  # something other than white space has come in the line
    first = begun & ~np.concatenate([[False], begun])[: len(text)]
    indentation = np.where(begun, since_newline[_last(first)] - 1, since_newline)
    values = {
        "inside_quote": quotation > 0,
        "inside_single": quotation == SINGLE,
        "inside_double": quotation == DOUBLE,
        "comment": comment,
        "url": _urls(text),
        "bracket_depth": steps - lowest,
        "since_newline": since_newline,
        "indentation": indentation,
        "indenting": ~begun,
        "in_word": _since(~word),
        "since_sentence": _since(where(SENTENCE.__contains__)),
        "letter": where(str.isalpha),
        "capital": where(str.isupper),
        "digit": where(str.isdigit),
        "space": space,
        "punctuation": ~word & ~space,
    }
    return {name: values[name].astype(np.float64) for name in FEATURES}


def _distinct(text: str) -> tuple[list[str], Int[np.ndarray, " n"]]:
    """Give the characters of a text once each, and which of them each one is."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    distinct, codes = np.unique(points, return_inverse=True)
    return [chr(each) for each in distinct.tolist()], codes


def _last(marks: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Give the last marked place up to each, −1 before the first."""
    return np.maximum.accumulate(np.where(marks, np.arange(len(marks)), -1))


def _since(marks: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    since: Int[np.ndarray, " n"] = np.arange(len(marks)) - _last(marks)
    return since


def _urls(text: str) -> Bool[np.ndarray, " n"]:
    inside = np.zeros(len(text), dtype=bool)
    for found in URL.finditer(text):
        inside[found.start() + len(found[1]) - 1 : found.end()] = True
    return inside


def _quotations(text: str) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Tell what kind of quotation each character is in, and whether in a comment."""
    kinds, comments = np.zeros(len(text), dtype=np.int8), np.zeros(len(text), dtype=bool)
    reading = _Quotations()
    for place, character in enumerate(text):
        reading.read(character)
        kinds[place], comments[place] = reading.kind, reading.comment
    return kinds, comments


class _Quotations:
    """What a reader of one character after the other knows of quotations."""

    def __init__(self) -> None:
        self.end = ""  # the mark that ends what it is in
        self.triple = self.comment = self.escaped = False
        self.began = False  # just now
        self.run = 0  # of this mark, until now
        self.word = ""  # until now
        self.before = ""  # it in its line, the last character that is no white space
        self.long = False  # whether one of triple marks may begin
        self.empty = ""  # the mark, right after a quotation of nothing

    @property
    def kind(self) -> int:
        return {"": 0, "'": SINGLE, '"': DOUBLE}.get(self.end, OTHER)

    def read(self, character: str) -> None:
        empty, self.empty = self.empty, ""
        if self.escaped:
            self.escaped = False
            self.run = 0
        elif character == "\n" and not self.triple:
            self.end, self.comment = "", False
        elif self.end:
            self._inside(character)
        elif not self.comment:
            self._outside(character, empty)
        if character.isalnum() or character == "_":
            self.word += character
        else:
            self.before = (
                "" if character == "\n" else f"{self.before}{self.word}{character}".strip()[-1:]
            )
            self.word = ""

    def _inside(self, character: str) -> None:
        self.escaped = character == "\\" and self.end in MARKS
        self.run = self.run + 1 if character == self.end else 0
        named = self.began and self.triple and character == ")"  # prose about the mark, (""")
        if named or self.run == (TRIPLE if self.triple else 1):
            self.empty = self.end if self.began and not self.triple else ""
            self.end, self.triple = "", False
        self.began = False

    def _outside(self, character: str, empty: str) -> None:
        apostrophe = character == "'" and self.word.lower() not in PREFIXES
        if character == "#":
            self.comment = True
        elif character in PAIRS or (character in MARKS and not apostrophe):
            self.end = PAIRS.get(character, character)
            self.triple = character == empty and self.long
            self.long = self.before in BEFORE and self.word.lower() in PREFIXES
            self.began, self.run = True, 0
