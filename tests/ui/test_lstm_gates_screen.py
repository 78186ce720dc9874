"""What the screen of the gates shows follows from what the engine gave."""

import math
import re
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.lstm_gates import GATES, Curves, Plan, State
from core.lstm_gates.cell import cell
from core.lstm_gates.gates import gates
from core.lstm_gates.readers import Reader, build
from core.lstm_gates.results import Cell
from core.lstm_gates.stored import load_built_in
from core.shared.engine import Engine
from tests.ui.test_screen import view
from ui.blocks import pack
from ui.panels.lstm_gates import looking
from ui.panels.lstm_gates.brushing import BRUSHES, TOLD, brushing
from ui.panels.lstm_gates.desk import GONE, Desk
from ui.panels.lstm_gates.looking import LONGEST, cleaned, first_change, looks_of
from ui.panels.lstm_gates.screen import draw, field, order_of, place_of, rows_of
from ui.panels.lstm_gates.stepping import stepping
from ui.panels.lstm_gates.training import training

TEXT = "((=2)()=1"


def test_units_come_in_the_order_that_is_asked_for() -> None:
    values = np.array([[0.1, -0.9, 0.3], [0.2, 0.8, 0.3], [0.9, -0.5, 0.3]])
    assert order_of(values, "number") == [0, 1, 2]
    assert order_of(values, "mean") == [0, 2, 1]  # 0.4, −0.2, 0.3
    assert order_of(values, "spread") == [1, 0, 2]
    assert order_of(values, "time") == [1, 2, 0]  # the largest size, also below 0; ties by number


def test_the_units_that_are_drawn_are_the_selected_the_first_and_the_one_looked_at() -> None:
    order = [*range(100)]
    assert rows_of(order, [], 5, "64") == order[:64]
    assert rows_of(order, [], 80, "64") == [*order[:64], 80]
    assert rows_of(order, [90, 3], 0, "32") == [90, 3, 0, 1, 2, *range(4, 31)]
    assert rows_of(order, [], 80, "all") == order
    many = [*range(40, 100)]
    assert rows_of(order, many, 40, "32") == many  # of what was found none is left out


def values_of(gate: str) -> np.ndarray:
    values: np.ndarray = gates(load_built_in("brackets"), TEXT).values[gate][0]
    return values


def spans(first: int, last: int, **looks: str) -> tuple[list[int], str]:
    looking_at = {**BRUSHES, "span": (first, last), **looks}
    found = brushing(values_of("g"), TEXT, "g", looking_at)
    return found.units, found.hint


def test_a_brush_finds_the_units_that_are_on_at_each_character_of_it() -> None:
    values = values_of("g")
    high = [unit for unit in range(64) if min(values[1:3, unit]) >= 0.5]
    low = [unit for unit in range(64) if max(values[1:3, unit]) <= -0.5]
    assert 2 < len(high) < 40
    assert 2 < len(low) < 40
    assert spans(1, 2, on_by="high")[0] == high
    assert spans(1, 2, on_by="low")[0] == low
    assert sorted(spans(1, 2)[0]) == sorted(high + low)
    alone = [unit for unit in high if values[0, unit] < 0.5 and values[3, unit] < 0.5]
    assert spans(1, 2, on_by="high", off_around="1")[0] == alone != high
    told = spans(1, 2, on_by="high")[1]
    assert told.startswith(f"1 to 2, “(=”: {len(high)} units have g on all along, {high[0]}")
    assert 0 < told.count("of them)") <= TOLD


def test_a_brush_beyond_the_text_is_none() -> None:
    assert spans(9, 12)[0] == []
    assert spans(8, 500)[1].startswith("8 to 8, “1”: ")


def made(kind: str, layers: int) -> Reader:
    return build(Plan(cell=kind, layers=layers, units=16), "\ufffd()=0123").eval()


def number(text: str) -> float:
    return float(text.strip("() ").replace("−", "-"))


def recomputed(shown: dict[str, str], kind: str, told: Cell) -> None:
    """Do the arithmetic that is written, and compare it with the value that is written."""
    expression = shown["numbers"].replace("−", "-").replace("·", "*").split(" = ")[0]
    scope: dict[str, Any] = {"σ": lambda x: 1 / (1 + math.exp(-x)), "tanh": math.tanh}
    if kind == "gru" and shown["symbol"] == "n":
        scope["r"] = next(each.value for each in told.sums if each.gate == "r")
    assert re.fullmatch(r"[σtanhr()\d.+*\- ]+", expression), expression
    value = eval(expression, {"__builtins__": {}}, scope)
    assert value == pytest.approx(number(shown["value"]), abs=4e-4), shown


@pytest.mark.parametrize(("kind", "layers"), [("lstm", 1), ("gru", 2), ("rnn", 2), ("lstm", 3)])
def test_each_number_of_a_step_can_be_computed_again(kind: str, layers: int) -> None:
    found = cell(made(kind, layers), TEXT, 6, layers - 1, 3)
    block = stepping(found, "h")
    for row in block.words["rows"]:
        recomputed(row, kind, found)
    symbols = [row["symbol"] for row in block.words["rows"]]
    assert symbols == [*GATES[kind]]
    wrong = {**block.words["rows"][0], "value": "0.9999"}
    with pytest.raises(AssertionError):
        recomputed(wrong, kind, found)


def test_the_largest_terms_of_a_gate_are_told_with_their_products() -> None:
    found = cell(load_built_in("brackets"), TEXT, 3, 0, 51)
    note = stepping(found, "f").words["note"].replace("−", "-")
    asked = next(each for each in found.sums if each.gate == "f")
    products = [float(each) for each in re.findall(r"adds (-?[\d.]+?)(?=[;.](?:\s|$))", note)]
    assert products == pytest.approx([each.product for each in asked.terms[:3]], abs=6e-5)
    given_as_it_is = [each for each in asked.terms[:3] if each.of == "x"]
    assert note.count("to read “2” adds") == len(given_as_it_is)  # a digit is a character there


def test_the_field_says_what_the_network_never_learned() -> None:
    known = "\ufffd()"
    assert field("(()", known).words["label"] == "Type a text"
    assert field("", known).words["label"] == "Type a text: there is nothing to read yet"
    assert field("(é\u200bé☃", known).words["label"].endswith("alike to it: é  U+200B  ☃")
    strange = "".join(chr(97 + k) for k in range(20))
    assert field(strange, known).words["label"].endswith("l and 8 more")


def test_of_many_units_the_first_are_drawn_and_it_is_said() -> None:
    reader = load_built_in("python")
    found, told = gates(reader, "def f():\n"), cell(reader, "def f():\n", 3, 1, 100)
    looks = looks_of({"lstm_layer": "2", "lstm_unit": "100", "lstm_time": "3"})
    blocks = {each.words["kind"]: each.words for each in draw(found, told, looks, "def f():\n")}
    assert blocks["gates"]["order"] == [*range(64), 100]
    assert blocks["gates"]["hint"].startswith("65 of its 128 units are drawn.")
    assert blocks["gates"]["at"] == (100, 3)
    told_rows = {
        each["name"]: [value for value, _ in each["values"]] for each in blocks["choices"]["rows"]
    }
    assert told_rows["most"] == ["32", "64", "all"]
    looks["shown"] = "all"
    blocks = {each.words["kind"]: each.words for each in draw(found, told, looks, "def f():\n")}
    assert blocks["gates"]["order"] == [*range(128)]


def test_a_place_beyond_what_there_is_is_the_last() -> None:
    found = gates(load_built_in("brackets-rnn"), "((")
    looks = looks_of({"lstm_layer": "3", "lstm_unit": "5000", "lstm_time": "700", "lstm_gate": "f"})
    assert place_of(found, looks) == (0, found.values["h"].shape[2] - 1, 1, "h")


NONSENSE = ("", "-1", "1e3", "nan", "∞", "٣", "q", "9" * 40, "3-1-2", "\ud800", "None", "[]")


@pytest.mark.parametrize("said", NONSENSE)
def test_nonsense_in_the_address_is_what_one_looks_at_without_it(said: str) -> None:
    usual = looks_of({})
    keys = [key for key in looking.rules(usual) if key != "lstm_typed"]
    looks = looks_of(dict.fromkeys(keys, said))
    if said == "1e3":
        assert looks.pop("held") == 1_000  # the one number that it is
        usual.pop("held")
    elif said == "-1":
        assert looks.pop("held") == -1
        usual.pop("held")
    assert looks == usual


def test_what_stands_in_the_address_is_looked_at() -> None:
    asked = {
        "lstm_typed": "(é",
        "lstm_layer": "2",
        "lstm_unit": "7",
        "lstm_time": "1",
        "lstm_gate": "f",
        "lstm_order": "spread",
        "lstm_most": "all",
        "lstm_step": "40",
        "lstm_span": "3-7",
        "lstm_on": "0.9",
        "lstm_by": "low",
        "lstm_around": "3",
        "lstm_of": "predicted",
        "lstm_scale": "log",
        "lstm_cut": "yes",
        "lstm_pair": "7-3",
        "lstm_at": "-2.5",
    }
    told = looking.rules(looks_of(asked))
    assert {key: str(value) for key, (value, _) in told.items()} == asked


def test_a_span_goes_forwards_and_a_pair_looks_back() -> None:
    looks = looks_of({"lstm_span": "7-3", "lstm_pair": "3-7"})
    assert (looks["span"], looks["pair"]) == (None, (0, 0))
    looks = looks_of({"lstm_span": "4-4", "lstm_pair": "4-4"})
    assert (looks["span"], looks["pair"]) == ((4, 4), (4, 4))


@given(some.text(some.characters(), max_size=40))
def test_what_is_typed_can_be_written_as_utf_8_and_what_can_be_already_stays(text: str) -> None:
    cleaned(text).encode()
    cleaned(text + "\ud800").encode()
    if "\r" not in text:
        assert cleaned(text) == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_what_is_typed_is_cut_and_its_lines_end_alike() -> None:
    assert len(cleaned("x" * 3_000)) == LONGEST
    assert cleaned("a\r\nb\rc") == "a\nb\nc"
    assert cleaned("(\ud800)") == "(\ufffd)"
    assert cleaned("🦊") == "🦊"


@given(some.text("ab", max_size=12), some.text("ab", max_size=12))
def test_the_first_change_is_where_two_texts_part(old: str, new: str) -> None:
    place = first_change(old, new)
    assert old[:place] == new[:place]
    if new:
        assert place < len(new)
        assert place == len(new) - 1 or new[place : place + 1] != old[place : place + 1]
    else:
        assert place == 0


def test_a_run_whose_text_is_gone_is_told_calmly_and_nothing_is_asked_of_it() -> None:
    plans = {"run": Plan(text="own-" + "0" * 32)}
    unasked = cast("Engine", None)  # whoever asks it anything fails
    desk = Desk(unasked, {}, plans, looks_of({"lstm_typed": "abc"}), "run")
    assert [each.words["text"] for each in desk.board(None)] == [GONE]
    assert not desk.board(None)[0].words["warn"]
    assert (desk.text, desk.long, desk.alphabet) == (None, "", "")


def test_gates_that_are_no_numbers_any_more_can_be_sent() -> None:
    found = gates(load_built_in("brackets"), TEXT)
    told = cell(load_built_in("brackets"), TEXT, 3, 0, 5)
    lost = {name: np.full_like(values, np.nan) for name, values in found.values.items()}
    pack({}, draw(replace(found, values=lost), told, looks_of({}), TEXT))  # JSON has no NaN


def standing(status: str, step: int) -> dict[str, str]:
    """The figures of a run whose curves end at step 60."""
    row = np.array([np.nan, 2.5, 1.25])
    curves = Curves(
        step=np.array([0.0, 30, 60]),
        training=row,
        validation=row,
        norm=row,
        clipped=row,
        right=row,
        impossible=row,
    )
    state = State(
        step=step,
        steps=100,
        characters=100 * step,
        alphabet="\ufffd()",
        curves=curves,
        baselines=(),
        samples=(),
        forced=None,
        kept=(),
    )
    figures, *_ = training(replace(view(), status=status), state, Plan(), step, ())
    return {name: value for name, value, _ in figures.words["rows"]}


@pytest.mark.parametrize(
    ("status", "step", "name"),
    [
        ("running", 79, "validation, bits"),
        ("paused", 79, "bits at step 60"),
        ("stopped", 79, "bits at step 60"),
        ("stopped", 60, "validation, bits"),
    ],
)
def test_bits_of_an_earlier_step_say_so_when_the_run_stands(
    status: str, step: int, name: str
) -> None:
    shown = standing(status, step)
    assert [told for told in shown if "bits" in told] == [name]
    assert shown[name] == "1.250"
