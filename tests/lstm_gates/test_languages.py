"""What is true of a drawn text, what may come next and how likely it is: each line knows."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.lstm_gates import UNKNOWN, languages
from core.lstm_gates.generating import Followed, alphabet, draw, follow, score
from core.lstm_gates.languages import LANGUAGES

LENGTH = 6_000
quiet = settings(derandomize=True, deadline=None, max_examples=60)


def drawn(name: str, length: int = LENGTH, seed: int = 0) -> str:
    return draw(name, length, np.random.default_rng(seed))


def lines(name: str) -> Iterator[tuple[str, float]]:
    """Write every line of a language that has an end to them, with its probability."""
    if name == "counting":
        for number in range(1, 11):
            yield "a" * number + "b" * number + "\n", 1 / 10
    elif name == "copying":
        for length in range(1, 7):
            for letters in product("abcd", repeat=length):
                yield "".join(letters) + "|" + "".join(letters) + "\n", 1 / 6 / 4**length
    else:
        for one, other in product(range(100), repeat=2):
            yield f"{one}+{other}={one + other}\n", 1 / 10_000


def by_prefix(name: str) -> dict[str, Counter[str]]:
    """Count what comes after each beginning of a line, over all lines."""
    follows: dict[str, Counter[str]] = defaultdict(Counter)
    for line, chance in lines(name):
        for place, character in enumerate(line):
            follows[line[:place]][character] += chance  # type: ignore[assignment] # a weight
    return follows


def agrees_with_all_lines(name: str, text: str, known: Followed) -> None:
    letters, follows, begun = alphabet(name), by_prefix(name), ""
    for place, character in enumerate(text):
        bits = -np.log2(follows[begun][character] / sum(follows[begun].values()))
        assert known.ideal[place] == pytest.approx(bits, abs=1e-9)
        begun = "" if character == "\n" else begun + character
        may = {letters[each] for each in np.flatnonzero(known.allowed[place])}
        assert may == set(follows[begun])
        must = letters.index(next(iter(may))) if len(may) == 1 else -1
        assert known.forced[place] == must


@pytest.mark.parametrize("name", ["counting", "copying", "adding"])
def test_what_may_come_is_what_all_lines_say(name: str) -> None:
    text = drawn(name, 2_000)
    agrees_with_all_lines(name, text, follow(name, text))


def test_that_oracle_rejects_other_chances_and_other_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn("counting", 500)
    known = follow("counting", text)
    for wrong in (
        replace(known, ideal=known.ideal + 0.01),
        replace(known, forced=np.roll(known.forced, 1)),
        replace(known, allowed=~known.allowed),
    ):
        with pytest.raises(AssertionError):
            agrees_with_all_lines("counting", text, wrong)
    monkeypatch.setattr(languages, "MOST", 11)
    with pytest.raises(AssertionError):
        agrees_with_all_lines("counting", text, follow("counting", text))


def after_brackets(prefix: str) -> set[str]:
    depth = prefix.count("(") - prefix.count(")")
    if prefix.endswith("="):
        return {str(depth)}
    may = {"="} if prefix[-1:] in ("(", ")") else set()
    return may | ({"("} if depth < 4 else set()) | ({")"} if depth else set())


def after_quotes(prefix: str) -> set[str]:
    inside, letters = "", set("abcd")
    for character in prefix:
        if character in "'\"":
            inside = "" if inside else character
    last = prefix[-1:] or " "
    if last in letters:
        return letters | {" ", "."}
    if last == ".":
        return {inside or " "}
    if last in "'\"":
        return letters if inside else {" "}
    return letters | (set() if inside else {"'", '"'})


RULES = {"brackets": after_brackets, "quotes": after_quotes}


def agrees_with_the_rules(name: str, text: str, known: Followed) -> None:
    for place in range(len(text)):
        may = {alphabet(name)[each] for each in np.flatnonzero(known.allowed[place])}
        assert may == RULES[name](text[: place + 1])
        assert (known.forced[place] >= 0) == (len(may) == 1)
        assert known.forced[place] < 0 or alphabet(name)[known.forced[place]] in may


@pytest.mark.parametrize("name", RULES)
def test_what_may_come_is_what_the_rules_say_of_all_before(name: str) -> None:
    text = drawn(name, 1_500)
    agrees_with_the_rules(name, text, follow(name, text))


def test_that_oracle_rejects_brackets_that_go_deeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "DEPTH", 3)
    text = drawn("brackets", 500)
    with pytest.raises(AssertionError):
        agrees_with_the_rules("brackets", text, follow("brackets", text))


def takes_the_bits_that_are_counted(text: str, known: Followed) -> None:
    """By what came after the same state, over the text: 20,000 draws settle it to ±0.01."""
    kinds: dict[tuple[object, ...], Counter[str]] = defaultdict(Counter)
    truth = np.stack(list(known.truth.values()), axis=1)
    for place in range(1, len(text)):
        state = known.allowed[place - 1].tobytes(), truth[place - 1].tobytes()
        kinds[state][text[place]] += 1
    counted = 0.0
    for each in kinds.values():
        shares = np.array(list(each.values())) / each.total()
        counted -= each.total() * float((shares * np.log2(shares)).sum())
    assert counted / len(text) == pytest.approx(known.ideal.mean(), abs=0.01)


@pytest.mark.parametrize("name", RULES)
def test_a_drawn_text_takes_the_bits_that_it_is_said_to(name: str) -> None:
    text = drawn(name, 20_000)
    takes_the_bits_that_are_counted(text, follow(name, text))


def test_that_oracle_rejects_other_chances(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn("brackets", 20_000)
    monkeypatch.setattr(languages, "TELL", 0.3)
    with pytest.raises(AssertionError):
        takes_the_bits_that_are_counted(text, follow("brackets", text))


def test_the_depth_is_counted_and_told_after_each_equals_sign() -> None:
    text = drawn("brackets")
    known = follow("brackets", text)
    depth = np.cumsum([{"(": 1, ")": -1}.get(each, 0) for each in text])
    assert set(depth) == set(range(5))
    np.testing.assert_array_equal(known.truth["depth"], depth)
    told = [place for place, each in enumerate(text) if each.isdigit()]
    assert [text[place] for place in told] == [str(depth[place]) for place in told]
    assert 0.2 < (known.forced >= 0).mean() < 0.4


def test_inside_a_quotation_is_after_an_odd_number_of_marks() -> None:
    text = drawn("quotes")
    known = follow("quotes", text)
    marks = np.cumsum([each in "'\"" for each in text])
    np.testing.assert_array_equal(known.truth["inside_quote"], marks % 2)
    latest = [text[: place + 1].rfind('"') > text[: place + 1].rfind("'") for place in range(3_000)]
    np.testing.assert_array_equal(
        known.truth["inside_double"][:3_000], (marks[:3_000] % 2 == 1) & np.array(latest)
    )


@pytest.mark.parametrize("name", ["counting", "copying", "adding"])
def test_each_line_tells_its_own_truth(name: str) -> None:
    text = drawn(name)
    known, begun = follow(name, text), ""
    for place, character in enumerate(text):
        begun = "" if character == "\n" else begun + character
        truth = {key: values[place] for key, values in known.truth.items()}
        if name == "counting":
            wanted = {"left": begun.count("a") - begun.count("b"), "matching": "b" in begun}
        elif name == "copying":
            string, copying, copy = begun.partition("|")
            wanted = {
                "copying": bool(copying),
                "length": len(string),
                "place": len(copy),
                "left": len(string) - len(copy),
            }
        else:
            asked, writing, _ = begun.partition("=")
            numbers = [int(each or 0) for each in asked.split("+")]
            units = [each % 10 for each in numbers]
            wanted = {
                "first": numbers[0],
                "sum": sum(numbers),
                "writing": bool(writing),
                "carry": bool(writing) and sum(units) >= 10,
            }
        assert truth == wanted


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_text_is_drawn_from_its_source_alone_and_begins_alike(name: str) -> None:
    assert drawn(name, 400) == drawn(name, 900)[:400]
    assert drawn(name, 400) != drawn(name, 400, seed=1)
    assert set(drawn(name)) == set(LANGUAGES[name].characters)
    assert alphabet(name)[0] == UNKNOWN
    assert list(alphabet(name)[1:]) == sorted(LANGUAGES[name].characters)


@pytest.mark.parametrize("name", LANGUAGES)
@given(data=some.data())
@quiet
def test_nobody_knows_after_what_may_not_come_until_it_is_told(
    name: str, data: some.DataObject
) -> None:
    text = data.draw(some.text(LANGUAGES[name].characters + "é", max_size=40))
    known = follow(name, text)
    assert len(known.forced) == len(known.ideal) == len(text)
    lost = np.isnan(next(iter(known.truth.values()), np.zeros(0)))
    broken = np.flatnonzero(np.isinf(known.ideal))
    assert lost.any() <= bool(len(broken))
    np.testing.assert_array_equal(lost, ~known.allowed.any(1))
    np.testing.assert_array_equal(np.isnan(known.ideal[1:]), lost[:-1])
    for place in range(len(text)):  # as far as it goes, by the beginning alone
        part = follow(name, text[: place + 1])
        assert part.forced[-1] == known.forced[place]


def test_a_line_that_is_wrong_ends_and_a_digit_tells_the_depth() -> None:
    known = follow("counting", "aab\nab")
    assert np.isinf(known.ideal[3])
    np.testing.assert_array_equal(known.truth["left"], [1, 2, 1, 0, 1, 0])
    known = follow("brackets", ")((2)")
    np.testing.assert_array_equal(known.truth["depth"], [np.nan, np.nan, np.nan, 2, 1])
    np.testing.assert_array_equal(np.isnan(known.ideal), [False, True, True, True, False])


def test_a_place_is_fresh_where_the_text_could_begin() -> None:
    text = drawn("copying")
    fresh = follow("copying", text).fresh
    after = [0] + [place + 1 for place, each in enumerate(text) if each == "\n"]
    assert fresh.tolist() == [each for each in after if each < len(text)]
    text = drawn("brackets")
    for place in follow("brackets", text).fresh[1:]:
        assert text[place - 2 : place] == "=0"


def brute(
    probabilities: np.ndarray, forced: np.ndarray, allowed: np.ndarray
) -> tuple[float, float]:
    right, wasted = [], []
    for row, must, may in zip(probabilities, forced, allowed, strict=True):
        if must >= 0:
            right.append(max(range(len(row)), key=lambda each: row[each]) == must)
        if may.any():
            wasted.append(sum(row[each] for each in range(len(row)) if not may[each]))
    return float(np.mean(right)), float(np.mean(wasted))


def test_the_score_is_counted_place_by_place() -> None:
    text = drawn("brackets", 300) + "))" + drawn("brackets", 50)
    known = follow("brackets", text)
    source = np.random.default_rng(0)
    likely = source.dirichlet(np.ones(known.allowed.shape[1]), len(text))
    likely[::2] = known.allowed[::2] / np.maximum(known.allowed[::2].sum(1, keepdims=True), 1)
    found = score(likely, known.forced, known.allowed)
    right, wasted = brute(likely, known.forced, known.allowed)
    assert found.right == pytest.approx(right)
    assert found.impossible == pytest.approx(wasted)
    assert found.places == (known.forced >= 0).sum()
    assert 0.4 < found.right < 0.9  # so that it tells from a constant
    assert (found.right, found.impossible) != pytest.approx(
        brute(likely, np.roll(known.forced, 1), known.allowed)
    )


def test_who_knows_all_scores_all_and_who_knows_nothing_its_share() -> None:
    text = drawn("counting", 900)
    known = follow("counting", text)
    perfect = known.allowed / known.allowed.sum(1, keepdims=True)
    found = score(perfect, known.forced, known.allowed)
    assert (found.right, found.impossible) == (1, 0)
    even = np.full(perfect.shape, 1 / perfect.shape[1])
    share = 1 - known.allowed.mean()
    assert score(even, known.forced, known.allowed).impossible == pytest.approx(share)
    nobody = score(even[:3], np.full(3, -1), np.zeros((3, 4), bool))
    assert np.isnan([nobody.right, nobody.impossible]).all()


def test_another_language_is_refused() -> None:
    with pytest.raises(ValueError, match=r"name must be one of .*'brackets'.* got 'klingon'"):
        drawn("klingon")
    with pytest.raises(ValueError, match="name must be one of"):
        follow("klingon", "x")
    with pytest.raises(ValueError, match="name must be one of"):
        alphabet("klingon")
