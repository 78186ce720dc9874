"""What is taken away gives the same ids in the libraries it is for, and the check can say no."""

import json
import random
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import tiktoken
from tiktoken.load import load_tiktoken_bpe
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from core.bpe import exporting, splitting
from core.bpe.encoding import UNKNOWN, encode, of_merges
from core.bpe.exporting import checked, tiktoken_ranks, tokenizer_json
from core.bpe.vocabulary import Vocabulary
from core.shared.natural import help_topics, python_source, tang_poems
from core.shared.progress import Done
from tests.bpe import schoolbook
from tests.bpe.draining import drained
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
    vocabulary = schoolbook.learned(TEXT, 60, units=units, split=split, order="hf")
    library = Tokenizer.from_str(tokenizer_json(vocabulary))
    for length in (0, 1, *[40] * 60):
        text = fuzzed(source, length)
        ours = encode(of_merges(vocabulary), text).ids
        unknown = len(vocabulary.tokens)
        theirs = library.encode(text, add_special_tokens=False).ids
        assert [unknown if each == UNKNOWN else each for each in ours] == theirs
        assert drained(checked(vocabulary, text)).same
        if units == "bytes":
            assert library.decode(theirs, skip_special_tokens=False) == text
    assert library.decode(library.encode(TEXT).ids) == TEXT
    tokens = encode(of_merges(vocabulary), TEXT).tokens
    assert drained(checked(vocabulary, TEXT)).tokens == len(tokens)


@pytest.mark.parametrize("split", SPLITS)
def test_tiktoken_gives_the_same_ids(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    vocabulary = schoolbook.learned(TEXT, 60, split=split)
    lines, pattern = tiktoken_ranks(vocabulary)
    (tmp_path / "own.tiktoken").write_bytes(lines)
    ranks = load_tiktoken_bpe(str(tmp_path / "own.tiktoken"))
    library = tiktoken.Encoding("own", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    source = random.Random(8)
    for text in ("", TEXT, *(fuzzed(source, 40) for _ in range(60))):
        assert encode(of_merges(vocabulary), text).ids.tolist() == library.encode_ordinary(text)


@pytest.mark.parametrize("split", SPLITS)
def test_white_space_at_the_end_of_a_text_is_cut_alike(split: str) -> None:
    ends = ["", *("".join(each) for each in product(" \n\t\r\u3000", repeat=3))]
    vocabulary = schoolbook.learned(" ".join(ends), 60, units="characters", split=split)
    for end in ends:
        assert drained(checked(vocabulary, f"a b{end}")).same


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
    vocabulary = schoolbook.learned("aa aa ab bab aa ab", 4)
    text = "xy " * 9 + "aa aa bab ab\n\n ab"
    assert drained(checked(vocabulary, text)).same
    spoilt = wrong(vocabulary)
    monkeypatch.setattr(exporting, "tokenizer_json", lambda _: spoilt)
    found = drained(checked(vocabulary, text))
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
    vocabulary = schoolbook.learned("a</w>x a</w>y a", 9, units="characters", split="spaces")
    assert "a</w>" in {token.decode() for token in vocabulary.tokens}
    with pytest.raises(ValueError, match=r"^the vocabulary must have no two .* got 'a</w>' twice$"):
        tokenizer_json(vocabulary)


def test_a_token_that_reads_as_the_unknown_one_is_told() -> None:
    vocabulary = schoolbook.learned("<unk>x <unk>y", 9, units="characters", split="spaces")
    with pytest.raises(ValueError, match=r"^the vocabulary must have no token that reads <unk>, "):
        tokenizer_json(vocabulary)


def test_tiktoken_has_no_characters() -> None:
    with pytest.raises(ValueError, match=r"^units must be 'bytes' for tiktoken, .*'characters'$"):
        tiktoken_ranks(schoolbook.learned(TEXT, 3, units="characters"))


def test_a_lone_surrogate_is_told_before_the_library_sees_it() -> None:
    with pytest.raises(ValueError, match=r"^the text must be Unicode without lone surrogates"):
        drained(checked(schoolbook.learned(TEXT, 3), "\ud800"))


def hf_learned(text: str, size: int) -> Vocabulary:
    """Let HF's library learn, and take its vocabulary."""
    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(exporting.HF_PATTERNS["gpt4"]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    library.train_from_iterator([text], trainer)
    model = json.loads(library.to_str())["model"]
    known: dict[str, int] = model["vocab"]
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = (each for each in range(256) if each not in printed)
    byte_of = {chr(each): each for each in printed} | {
        chr(256 + place): each for place, each in enumerate(rest)
    }
    names = sorted(known, key=known.__getitem__)
    tokens = [bytes(byte_of[each] for each in name) for name in names]
    return Vocabulary(
        units="bytes",
        split="gpt4",
        tokens=tuple(tokens),
        ends=(False,) * len(tokens),
        merges=tuple((known[left], known[right]) for left, right in model["merges"]),
    )


def test_what_the_library_learned_from_a_real_text_encodes_others_alike() -> None:
    vocabulary = hf_learned(help_topics(once=True)[:60_000], 1_500)
    assert len(vocabulary.merges) == 1_500 - 256
    for text in (help_topics(once=False)[-60_000:], python_source()[:60_000], tang_poems()[:9_000]):
        found = drained(checked(vocabulary, text))
        assert found.same
        assert found.characters == len(text)
        assert found.tokens == len(encode(of_merges(vocabulary), text).tokens)


def test_it_is_compared_in_turns_and_the_first_difference_is_found_in_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(splitting, "PART", 50)
    vocabulary = schoolbook.learned("aa aa ab bab aa ab", 4)
    text = "xb " * 100 + "aa aa" + " x" * 60
    told = list(checked(vocabulary, text))
    assert told[0] == Done(0, len(text), "characters")
    assert len(told) > 5
    spoilt = without_the_token(vocabulary, "Ġa")
    monkeypatch.setattr(exporting, "tokenizer_json", lambda _: spoilt)
    found = drained(checked(vocabulary, text))
    ours = encode(of_merges(vocabulary), text).ids.tolist()
    theirs = Tokenizer.from_str(spoilt).encode(text).ids
    same = [one == other for one, other in zip(ours, theirs, strict=False)]
    first = same.index(False)
    assert found.difference is not None
    assert found.difference.place == first > 100
    assert (found.difference.ours, found.difference.theirs) == (ours[first], theirs[first])
    assert found.characters < len(text)


def without_the_token(vocabulary: Vocabulary, token: str) -> str:
    content = json.loads(tokenizer_json(vocabulary))
    merges = content["model"]["merges"]
    content["model"]["merges"] = [pair for pair in merges if "".join(pair) != token]
    return json.dumps(content)


def test_of_one_long_piece_the_beginning_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "LONGEST", 30)
    vocabulary = schoolbook.learned(TEXT, 4, split="none")
    assert drained(checked(vocabulary, TEXT)).characters == 30
