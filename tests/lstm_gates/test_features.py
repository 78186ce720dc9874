"""Known features of a text, against what each is said to be, place by place."""

import csv
import heapq
import io
import shlex
import textwrap
import tokenize
from collections.abc import Callable, Mapping
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from core.lstm_gates.features import FEATURES, features

quiet = settings(derandomize=True, deadline=None, max_examples=80)
pieces = some.lists(
    some.sampled_from(
        [
            *("a", "Bc", "don't", "x_1", " ", "  ", "\n", "\t", "(", "]", "{", ")", ".", "?", ","),
            *("7", "http://a.b/c?d ", "www.x.y", "://", "“", "”", "'", '"', "#", "\\", '"""'),
            *("é", "春。"),
        ]
    ),
    max_size=25,
).map("".join)


def back(text: str, until: str) -> str:
    """Give what came since the last of some characters."""
    return "".join(takewhile(lambda each: each not in until, reversed(text)))[::-1]


def in_word(text: str) -> int:
    return len(list(takewhile(lambda each: each.isalnum() or each == "_", reversed(text))))


def indentation(text: str) -> int:
    line = text.rpartition("\n")[2]
    return len(line) - len(line.lstrip())


def url(text: str) -> bool:
    stretch = back(text, " \n\t()[]{}<>\"',“”«»「」『』")
    return "://" in stretch or "www." in stretch


PLAIN: Mapping[str, Callable[[str], float]] = {
    "since_newline": lambda text: len(back(text, "\n")),
    "since_sentence": lambda text: len(back(text, ".!?。！？")),  # noqa: RUF001
    "in_word": in_word,
    "indentation": indentation,
    "indenting": lambda text: not text.rpartition("\n")[2].strip(),
    "url": url,
    "letter": lambda text: text[-1].isalpha(),
    "capital": lambda text: text[-1] == text[-1].upper() != text[-1].lower(),
    "digit": lambda text: text[-1].isdigit(),
    "space": lambda text: not text[-1].strip(),
    "punctuation": lambda text: bool(text[-1].strip()) and not in_word(text),
}


def agree(text: str, found: Mapping[str, np.ndarray]) -> None:
    for name, truth in PLAIN.items():
        wanted = [float(truth(text[: place + 1])) for place in range(len(text))]
        np.testing.assert_array_equal(found[name], wanted, err_msg=name)


@given(text=pieces)
@example("")
@example("  x\n\n   y (")
@quiet
def test_plain_features_are_what_they_are_said_to_be(text: str) -> None:
    agree(text, features(text))


@pytest.mark.parametrize("name", PLAIN)
def test_that_oracle_rejects_each_feature_a_character_late(name: str) -> None:
    text = "See www.a.b now.\n  If x_1 > 27:\n    Ok."
    found = dict(features(text))
    found[name] = np.roll(found[name], 1)
    with pytest.raises(AssertionError, match=name):
        agree(text, found)


@given(text=pieces)
@quiet
def test_no_feature_knows_what_follows(text: str) -> None:
    whole = features(text)
    for length in {0, len(text) // 3, len(text) // 2, max(len(text) - 1, 0)}:
        for name, part in features(text[:length]).items():
            np.testing.assert_array_equal(part, whole[name][:length], err_msg=name)


@given(text=pieces)
@quiet
def test_each_feature_is_there_and_keeps_its_range(text: str) -> None:
    found = features(text)
    assert list(found) == list(FEATURES)
    for name, values in found.items():
        assert values.shape == (len(text),)
        assert (values >= 0).all()
        assert not FEATURES[name].whether or np.isin(values, (0, 1)).all()
    assert (found["inside_single"] + found["inside_double"] <= found["inside_quote"]).all()


@pytest.fixture(scope="module")
def python() -> tuple[str, Mapping[str, np.ndarray]]:
    """Code whose tokens the language itself can tell, without f-strings, which are many."""
    modules = [csv.__file__, heapq.__file__, shlex.__file__, textwrap.__file__]
    text = "\n".join(Path(module).read_text(encoding="utf-8") for module in modules)
    return text, features(text)


def agrees_with_python(text: str, found: Mapping[str, np.ndarray]) -> None:
    starts = np.cumsum([0, *map(len, text.splitlines(keepends=True))])
    steps, quoted, commented = np.zeros((3, len(text)))
    sure = np.ones(len(text), bool)  # but for the marks themselves, where they are three
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        begin = starts[token.start[0] - 1] + token.start[1]
        end = starts[token.end[0] - 1] + token.end[1]
        if token.type == tokenize.STRING:
            marks = 3 if token.string.endswith(('"""', "'''")) and len(token.string) > 5 else 1
            prefix = len(token.string) - len(token.string.lstrip("rRbBfFuU"))
            sure[begin + prefix : begin + prefix + 2] = sure[end - 3 : end - 1] = marks == 1
            quoted[begin + prefix : end - 1] = 1
        elif token.type == tokenize.COMMENT:
            commented[begin:end] = 1
        elif token.type == tokenize.OP and token.string in "([{)]}":
            steps[begin] = 1 if token.string in "([{" else -1
    depth = np.cumsum(steps)
    assert quoted.sum() > 2_000 < commented.sum()
    assert depth.max() >= 3
    np.testing.assert_array_equal(found["inside_quote"][sure], quoted[sure])
    np.testing.assert_array_equal(found["comment"], commented)
    np.testing.assert_array_equal(found["bracket_depth"], depth)


def test_quotations_comments_and_brackets_of_code_are_pythons_own(
    python: tuple[str, Mapping[str, np.ndarray]],
) -> None:
    agrees_with_python(*python)


@pytest.mark.parametrize("name", ["inside_quote", "comment", "bracket_depth"])
def test_that_oracle_rejects_each_a_character_late(
    python: tuple[str, Mapping[str, np.ndarray]], name: str
) -> None:
    text, found = python[0], dict(python[1])
    found[name] = np.roll(found[name], 1)
    with pytest.raises(AssertionError):
        agrees_with_python(text, found)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("don't 'a' b'c'", "______##___##_"),  # b is Python's
        ('say "a b" c', "____####___"),
        ('"a\nb"', "##__#"),
        (r'"a\"b" c', "#####___"),
        ("“a” «b» 「c」", "##__##__##_"),
        ('x = """a\n"b" c""" d', "____#_##########___"),
        ('marks (""") are', "_______#_#_____"),
        ("# it's", "______"),
    ],
)
def test_quotations_by_hand(text: str, inside: str) -> None:
    found = features(text)["inside_quote"]
    assert "".join("#" if each else "_" for each in found) == inside


def test_brackets_that_close_too_much_count_for_nothing() -> None:
    found = features(")](a[{)] '(' # (\n)")["bracket_depth"]
    assert found.astype(int).tolist() == [0, 0, 1, 1, 2, 3, 2, 1, *[1] * 9, 0]
