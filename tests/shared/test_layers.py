"""A table of layers survives its text, and what cannot be a table is refused in a sentence."""

from collections.abc import Callable, Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.shared.layers import KINDS, PRESETS, Row, parse, write
from tests.shared.tables import any_row

unhurried = settings(derandomize=True, deadline=None, max_examples=60)

CONV = "conv16-k5-s1-p2-batch-relu"
EXAMPLE = (
    f"{CONV},max2,depthwise-p1-relu,res32-s2-batch-relu,inception32-batch-relu,global,"
    "fc120-tanh-drop50"
)


def survives(rows: tuple[Row, ...], writes: Callable[[Iterable[Row]], str]) -> bool:
    return parse(writes(rows)) == rows


@unhurried
@given(rows=some.lists(any_row(), max_size=8).map(tuple))
def test_a_table_survives_its_text(rows: tuple[Row, ...]) -> None:
    assert survives(rows, write)
    assert write(parse(write(rows))) == write(rows)


def test_that_oracle_rejects_a_text_without_strides() -> None:
    rows = (Row(kind="conv", channels=3, stride=2),)
    assert not survives(rows, lambda rows: write(rows).replace("-s2", ""))


@unhurried
@given(row=any_row(), order=some.randoms(use_true_random=False))
def test_words_can_stand_in_any_order(row: Row, order: Random) -> None:
    head, *words = write([row]).split("-")
    order.shuffle(words)
    assert parse("-".join([head, *words])) == (row,)


@unhurried
@given(row=any_row())
def test_the_text_can_stand_in_an_address_as_it_is(row: Row) -> None:
    assert all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in write([row]))


def test_the_example_is_read_word_by_word() -> None:
    assert parse(EXAMPLE) == (
        Row(
            kind="conv",
            channels=16,
            kernel=5,
            stride=1,
            padding=2,
            dilation=1,
            normalisation="batch",
            activation="relu",
        ),
        Row(kind="max", kernel=2, stride=2),
        Row(kind="depthwise", kernel=3, stride=1, padding=1, dilation=1, activation="relu"),
        Row(kind="res", channels=32, kernel=3, stride=2, normalisation="batch", activation="relu"),
        Row(kind="inception", channels=32, normalisation="batch", activation="relu"),
        Row(kind="global"),
        Row(kind="fc", channels=120, activation="tanh", dropout=0.5),
    )


def test_what_is_usual_is_not_written() -> None:
    assert write(parse(EXAMPLE)) == EXAMPLE.replace("-s1", "")
    assert write(parse("conv4-k3-s1-p0-d1,max3-s3,mean3-s2-p1,res8-k3-s1")) == (
        "conv4,max3,mean3-s2-p1,res8"
    )
    assert write(parse(" Conv4 - K 5 , fc3, ")) == "conv4-k5,fc3"
    assert parse("") == parse(" ") == ()
    assert write(()) == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("fc9,mean2,conv0", 'row 3, "conv0": channels must be from 1 to 512, got 0'),
        ("conv513", 'row 1, "conv513": channels must be from 1 to 512, got 513'),
        ("fc2049", 'row 1, "fc2049": units must be from 1 to 2048, got 2049'),
        ("conv8-k0", 'row 1, "conv8-k0": kernel must be from 1 to 15, got 0'),
        ("conv8-k16", 'row 1, "conv8-k16": kernel must be from 1 to 15, got 16'),
        ("conv8-s9", 'row 1, "conv8-s9": stride must be from 1 to 8, got 9'),
        ("max0", 'row 1, "max0": kernel must be from 1 to 15, got 0'),
        ("max2-s0", 'row 1, "max2-s0": stride must be from 1 to 15, got 0'),
        ("conv8-p8", 'row 1, "conv8-p8": padding must be from 0 to 7, got 8'),
        ("conv8-d5", 'row 1, "conv8-d5": dilation must be from 1 to 4, got 5'),
        ("conv8-d0", 'row 1, "conv8-d0": dilation must be from 1 to 4, got 0'),
        ("fc8-drop91", 'row 1, "fc8-drop91": dropout must be from 0 to 90 per cent, got 91'),
        ("conv", 'row 1, "conv": conv must be followed by its channels, got none'),
        ("fc", 'row 1, "fc": fc must be followed by its units, got none'),
        ("max-p1", 'row 1, "max-p1": max must be followed by its kernel, got none'),
        ("global2", 'row 1, "global2": global takes no number, got 2'),
        ("fc8-k3", 'row 1, "fc8-k3": fc has no kernel, got "k3"'),
        ("max2-relu", 'row 1, "max2-relu": max has no activation, got "relu"'),
        ("res8-p1", 'row 1, "res8-p1": res has no padding, got "p1"'),
        ("fc8-relu-tanh", 'row 1, "fc8-relu-tanh": activation must be given once, got "tanh" as'),
        ("max2-k3", 'row 1, "max2-k3": kernel must be given once, got "k3" as well'),
        ("res8-k4", 'row 1, "res8-k4": kernel must be odd, so that the size stays, got 4'),
        ("inception6", 'row 1, "inception6": channels must be a multiple of 4, got 6'),
        ("max2-p2", 'row 1, "max2-p2": padding must be at most half the kernel, 2, got 2'),
        ("fc8,dense8", 'row 2, "dense8": kind must be one of conv, depthwise, max, mean, global,'),
        ("fc8,,fc8", 'row 2, "": kind must be one of'),
        (
            "fc8-quick",
            'row 1, "fc8-quick": what follows a - must be k, s, p, d or drop with a whole',
        ),
        ("conv8-none", 'row 1, "conv8-none": what follows a - must be'),
        ("conv8-k5-", 'row 1, "conv8-k5-": what follows a - must be'),
        ("conv٣", 'row 1, "conv٣": kind must be one of'),
        ("conv-8", 'row 1, "conv-8": conv must be followed by its channels, got none'),
        ("conv" + "9" * 5000, 'row 1, "conv999999999999999999999999999999999999…": kind must be'),
        (",".join(["fc8"] * 61), "a network must have at most 60 rows, got 61"),
    ],
)
def test_a_text_that_is_no_table_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 # the sentence is compared below
        parse(text)
    assert str(refusal.value).startswith(sentence)
    assert len(str(refusal.value)) < 250


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kind": "dense"}, 'kind must be one of .*, got "dense"'),
        ({"kind": "conv"}, "channels must be from 1 to 512, got 0"),
        ({"kind": "fc", "channels": -1}, "units must be from 1 to 2048, got -1"),
        ({"kind": "fc", "channels": 9, "kernel": 3}, "fc has no kernel, got 3"),
        ({"kind": "global", "activation": "relu"}, 'global has no activation, got "relu"'),
        ({"kind": "fc", "channels": 9, "normalisation": "power"}, 'normalisation .*, got "power"'),
        ({"kind": "global", "dropout": 0.123}, "dropout must be .* whole hundredths, got 0.123"),
        ({"kind": "global", "dropout": float("nan")}, "dropout must be from 0 to 0.9 .*, got nan"),
        ({"kind": "global", "dropout": -0.1}, "dropout must be from 0 to 0.9 .*, got -0.1"),
        ({"kind": "global", "dropout": 0.95}, "dropout must be from 0 to 0.9 .*, got 0.95"),
    ],
)
def test_a_row_that_cannot_be_is_refused(values: dict[str, str | int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Row(**values)  # type: ignore[arg-type] # each by its name


def test_every_whole_per_cent_of_dropout_is_kept() -> None:
    for per_cent in range(91):
        assert parse(f"global-drop{per_cent}") == (Row(kind="global", dropout=per_cent / 100),)


@pytest.mark.parametrize("name", PRESETS)
def test_the_presets_are_written_as_write_does(name: str) -> None:
    assert write(parse(PRESETS[name])) == PRESETS[name]


def test_the_presets_show_every_kind() -> None:
    used = {row.kind for text in PRESETS.values() for row in parse(text)}
    assert used | {"skip"} == set(KINDS)  # that one is for the lessons
