"""What is taken away gives the same ids in the libraries it is for, and the check can say no."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import tiktoken
from tiktoken.load import load_tiktoken_bpe
from tokenizers import Tokenizer

from core.bpe import exporting
from core.bpe.encoding import UNKNOWN, encode, of_merges
from core.bpe.exporting import checked, tiktoken_ranks, tokenizer_json
from core.bpe.vocabulary import Vocabulary
from tests.bpe import slow
from tests.bpe.fuzzing import fuzzed

TEXT = (
    "the theme there them then these: hug pug 1234 12's I'LL don't\n\n  x\n"
    " é漢字 مرحبا 한국어 🙂👨‍👩‍👧 "
) * 3
SPLITS = ["gpt2", "gpt4", "spaces", "none"]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("units", ["bytes", "characters"])
def test_the_library_gives_the_same_ids_and_the_text_back(units: str, split: str) -> None:
    source = random.Random(7)
    vocabulary = slow.learned(TEXT, 60, units=units, split=split, order="hf")
    library = Tokenizer.from_str(tokenizer_json(vocabulary))
    for length in (0, 1, *[40] * 60):
        text = fuzzed(source, length)
        ours = encode(of_merges(vocabulary), text).ids
        unknown = len(vocabulary.tokens)
        theirs = library.encode(text, add_special_tokens=False).ids
        assert [unknown if each == UNKNOWN else each for each in ours] == theirs
        assert checked(vocabulary, text).same
        if units == "bytes":
            assert library.decode(theirs, skip_special_tokens=False) == text
    assert library.decode(library.encode(TEXT).ids) == TEXT
    assert checked(vocabulary, TEXT).tokens == len(encode(of_merges(vocabulary), TEXT).tokens)


@pytest.mark.parametrize("split", SPLITS)
def test_tiktoken_gives_the_same_ids(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    vocabulary = slow.learned(TEXT, 60, split=split)
    lines, pattern = tiktoken_ranks(vocabulary)
    (tmp_path / "own.tiktoken").write_bytes(lines)
    ranks = load_tiktoken_bpe(str(tmp_path / "own.tiktoken"))
    library = tiktoken.Encoding("own", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    source = random.Random(8)
    for text in ("", TEXT, *(fuzzed(source, 40) for _ in range(60))):
        assert encode(of_merges(vocabulary), text).ids.tolist() == library.encode_ordinary(text)


def without_a_merge(vocabulary: Vocabulary) -> str:
    content = json.loads(tokenizer_json(vocabulary))
    del content["model"]["merges"][-1]
    return json.dumps(content)


def with_another_split(vocabulary: Vocabulary) -> str:
    content = json.loads(tokenizer_json(vocabulary))
    content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\S+"
    return json.dumps(content)


def with_two_ids_exchanged(vocabulary: Vocabulary) -> str:
    content = json.loads(tokenizer_json(vocabulary))
    known = content["model"]["vocab"]
    known["a"], known["b"] = known["b"], known["a"]
    return json.dumps(content)


@pytest.mark.parametrize("wrong", [without_a_merge, with_another_split, with_two_ids_exchanged])
def test_that_the_check_says_no_to_a_wrong_file(
    wrong: Callable[[Vocabulary], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary = slow.learned("aa aa ab bab aa ab", 4)
    text = "xy " * 9 + "aa aa bab ab\n\n ab"
    assert checked(vocabulary, text).same
    spoilt = wrong(vocabulary)
    monkeypatch.setattr(exporting, "tokenizer_json", lambda _: spoilt)
    found = checked(vocabulary, text)
    theirs = Tokenizer.from_str(spoilt).encode(text).ids
    ours = encode(of_merges(vocabulary), text).ids.tolist()
    assert not found.same
    assert found.difference is not None
    place = found.difference.place
    assert ours[:place] == theirs[:place]
    assert found.difference.ours == dict(enumerate(ours)).get(place)
    assert found.difference.theirs == dict(enumerate(theirs)).get(place)
    assert found.difference.ours != found.difference.theirs
    assert found.difference.near in text


def test_two_tokens_that_read_alike_are_told() -> None:
    vocabulary = slow.learned("a</w>x a</w>y a", 9, units="characters", split="spaces")
    assert "a</w>" in {token.decode() for token in vocabulary.tokens}
    with pytest.raises(ValueError, match=r"^the vocabulary must have no two .* got 'a</w>' twice$"):
        tokenizer_json(vocabulary)


def test_a_token_that_reads_as_the_unknown_one_is_told() -> None:
    vocabulary = slow.learned("<unk>x <unk>y", 9, units="characters", split="spaces")
    with pytest.raises(ValueError, match=r"^the vocabulary must have no token that reads <unk>, "):
        tokenizer_json(vocabulary)


def test_tiktoken_has_no_characters() -> None:
    with pytest.raises(ValueError, match=r"^units must be 'bytes' for tiktoken, .*'characters'$"):
        tiktoken_ranks(slow.learned(TEXT, 3, units="characters"))


def test_a_lone_surrogate_is_told_before_the_library_sees_it() -> None:
    with pytest.raises(ValueError, match=r"^the text must be Unicode without lone surrogates"):
        checked(slow.learned(TEXT, 3), "\ud800")
