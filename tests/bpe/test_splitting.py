"""Pieces are those of the peers' own patterns, and together they are the text."""

import inspect

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as some
from tiktoken_ext import openai_public
from tokenizers import pre_tokenizers

from core.bpe import SPLITS, splitting, texts
from core.bpe.splitting import PATTERNS, pieces

TIKTOKENS = {
    "gpt2": openai_public.r50k_pat_str,
    "gpt4": regex.findall(r'"pat_str": r"""(.+)"""', inspect.getsource(openai_public.cl100k_base))[
        0
    ],
}
TEXTS = some.text(some.sampled_from("aZé漢1٣ \t\n\r\u3000'sl-!😀\u0301\x1c"), max_size=60)


@given(text=some.text(max_size=60) | TEXTS)
@example("")
@example("   ")
@settings(derandomize=True, deadline=None)
def test_the_pieces_of_every_split_are_the_text(text: str) -> None:
    for name in SPLITS:
        cut = pieces(text, name)
        assert "".join(cut) == text
        assert "" not in cut


@pytest.mark.parametrize("name", TIKTOKENS)
@given(text=some.text(max_size=60) | TEXTS)
@settings(derandomize=True, deadline=None)
def test_pieces_are_those_of_tiktokens_pattern(name: str, text: str) -> None:
    assert pieces(text, name) == regex.findall(TIKTOKENS[name], text)


@given(text=TEXTS)
@settings(derandomize=True, deadline=None)
def test_gpt2s_pieces_are_those_of_tokenizers(text: str) -> None:
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    places = [place for _, place in level.pre_tokenize_str(text)]
    assert pieces(text, "gpt2") == [text[first:last] for first, last in places]


def test_that_oracle_rejects_another_generations_pattern() -> None:
    text = "It's 12345\n\n  I'LL"
    assert pieces(text, "gpt2") != regex.findall(TIKTOKENS["gpt4"], text)
    assert pieces(text, "gpt4") != regex.findall(TIKTOKENS["gpt2"], text)


def in_parts(name: str) -> None:
    text = texts.read("python")[:30_000] + " \n\t\n " + texts.read("tang")[:1_000] + "\n  "
    assert len([*splitting.parts(text, name)]) > 50
    assert pieces(text, name) == regex.findall(PATTERNS[name], text)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_long_text_is_cut_in_parts_as_it_is_whole(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitting, "PART", 100)
    in_parts(name)


@pytest.mark.parametrize("place", [r"(?<=\s)", r"(?=\s)", r"(?=\p{L})"])
def test_that_oracle_rejects_parts_that_end_elsewhere(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitting, "PART", 100)
    monkeypatch.setattr(splitting, "SAFE", regex.compile(place))
    with pytest.raises(AssertionError):
        in_parts("gpt4")


def test_at_white_space_each_space_is_a_piece() -> None:
    assert pieces("low  lower\n", "spaces") == ["low", " ", " ", "lower", "\n"]
    assert pieces("low  lower\n", "none") == ["low  lower\n"]
