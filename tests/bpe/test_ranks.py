"""The ranks are those that OpenAI publishes, and by them our ids are those of the libraries."""

import hashlib
import json
import lzma
import random
import re
from functools import cache
from pathlib import Path

import pytest
import tiktoken
from tiktoken_ext import openai_public
from tokenizers import Tokenizer

from bench import ranks as making
from core.bpe.encoding import Encoder, decode, encode, of_ranks
from core.bpe.explaining import parts
from core.bpe.exporting import tokenizer_json
from core.bpe.ranks import FOLDER, RANKS, pack, ranked, unpack
from core.bpe.vocabulary import Vocabulary
from core.shared.natural import help_topics, python_source, tang_poems
from tests.bpe.fuzzing import fuzzed

SOURCES = Path(__file__).parents[2] / "assets" / "SOURCES.md"
# Of OpenAI's vocab.bpe of 2019, as tiktoken checks it: "#version: 0.2", then a merge a line.
OFFICIAL = {"gpt2": "gpt2", "cl100k": "cl100k_base", "o200k": "o200k_base"}
VOCAB_BPE = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"


def test_each_file_is_listed_with_its_source_its_licence_and_its_sum() -> None:
    rows = re.findall(
        r"^\| `tokenizers/(\w+)\.xz` \| (.+) \| (.+) \| MIT, .+ \| `(\w{64})` \|$",
        SOURCES.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [row[0] for row in rows] == list(RANKS) == list(making.ORIGINALS)
    assert sorted(f"{row[0]}.xz" for row in rows) == sorted(each.name for each in FOLDER.iterdir())
    for name, _, _, told in rows:
        assert hashlib.sha256((FOLDER / f"{name}.xz").read_bytes()).hexdigest() == told
    assert sum(each.stat().st_size for each in FOLDER.iterdir()) < making.LARGEST


@pytest.mark.parametrize("name", RANKS)
def test_the_ranks_are_those_that_are_published(name: str) -> None:
    encoder = ranked(name)
    assert len(encoder.tokens) == RANKS[name].size
    assert hashlib.sha256(making.official(list(encoder.tokens))).hexdigest() == RANKS[name].sha256
    assert sorted(encoder.tokens[:256]) == [bytes([each]) for each in range(256)]
    assert ranked(name) is encoder


@cache
def library(name: str) -> tiktoken.Encoding:
    """Build tiktoken's own encoding, with the pattern that it has, of our ranks."""
    ranks = {token: rank for rank, token in enumerate(ranked(name).tokens)}
    with pytest.MonkeyPatch.context() as patched:  # it would download them
        patched.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: ranks)
        patched.setattr(openai_public, "data_gym_to_mergeable_bpe_ranks", lambda *_, **__: ranks)
        told = getattr(openai_public, OFFICIAL[name])()
    return tiktoken.Encoding(
        name, pat_str=told["pat_str"], mergeable_ranks=told["mergeable_ranks"], special_tokens={}
    )


def texts(seed: int, count: int) -> list[str]:
    source = random.Random(seed)
    return ["", " ", "a" * 300, *(fuzzed(source, 60) for _ in range(count))]


@pytest.mark.parametrize("name", RANKS)
def test_our_ids_are_those_of_tiktoken(name: str) -> None:
    encoder = ranked(name)
    for text in [*texts(11, 120), tang_poems()[:20_000], python_source()[:60_000]]:
        ours = encode(encoder, text).ids.tolist()
        assert ours == library(name).encode_ordinary(text)
        assert decode(encoder, ours) == text.encode()


def spoilt(name: str) -> dict[str, Encoder]:
    tokens = list(ranked(name).tokens)
    exchanged, the, of = tokens.copy(), tokens.index(b" the"), tokens.index(b" of")
    exchanged[the], exchanged[of] = b" of", b" the"
    other = "spaces"
    return {
        "two ranks exchanged": of_ranks(exchanged, RANKS[name].split),
        "the last third left out": of_ranks(tokens[: len(tokens) * 2 // 3], RANKS[name].split),
        "another pre-tokenizer": of_ranks(tokens, other),
    }


@pytest.mark.parametrize("name", RANKS)
def test_that_oracle_rejects_other_ranks_and_another_pre_tokenizer(name: str) -> None:
    text = help_topics(once=False)[:20_000]
    right = library(name).encode_ordinary(text)
    for wrong in spoilt(name).values():
        assert encode(wrong, text).ids.tolist() != right


def test_of_gpt2_each_merge_is_the_published_one_and_hf_gives_the_same_ids() -> None:
    encoder = ranked("gpt2")
    merges = [parts(encoder, each) for each in range(256, len(encoder.tokens))]
    assert None not in merges
    vocabulary = Vocabulary(
        units="bytes",
        split="gpt2",
        tokens=encoder.tokens,
        ends=encoder.ends,
        merges=tuple(pair for pair in merges if pair),
    )
    content = tokenizer_json(vocabulary)
    lines = [f"{left} {right}\n" for left, right in json.loads(content)["model"]["merges"]]
    assert hashlib.sha256("".join(["#version: 0.2\n", *lines]).encode()).hexdigest() == VOCAB_BPE
    hf = Tokenizer.from_str(content)
    for text in [*texts(12, 60), tang_poems()[:5_000]]:
        assert encode(encoder, text).ids.tolist() == hf.encode(text).ids


def test_what_is_packed_is_unpacked() -> None:
    tokens = [b"a", b"", b"\x00\xff" * 100, "…".encode()]
    assert unpack(pack(tokens), len(tokens)) == tokens
    assert unpack(b"", 0) == []


def test_each_file_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a package as js-tiktoken's is, of which one file holds something else."""
    for name, file in making.ORIGINALS.items():
        lines = making.official(list(ranked(name).tokens)).decode().split()[::2]
        told = json.dumps(
            {"bpe_ranks": "! 0 " + " ".join(lines[:9]) + "\n! 9 " + " ".join(lines[9:])}
        )
        (tmp_path / file).write_text(f"export default {told};", encoding="utf-8")
    monkeypatch.setattr(making, "FOLDER", tmp_path / "made")
    monkeypatch.setattr(lzma, "compress", lambda content, preset: content)  # it takes long
    monkeypatch.setattr(making, "LARGEST", 3_000_000)
    monkeypatch.setattr("sys.argv", ["", str(tmp_path)])
    making.main()
    assert capsys.readouterr().out.count(" bytes ") == 4
    for name in RANKS:
        again = (tmp_path / "made" / f"{name}.xz").read_bytes()
        assert again == lzma.decompress((FOLDER / f"{name}.xz").read_bytes())
    (tmp_path / "gpt2.js").write_text('{"bpe_ranks": "! 0 IQ== Ig=="}', encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^gpt2.js does not hold the ranks that OpenAI"):
        making.main()


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^name must be one of \('gpt2', .*\), got 'gpt5'$"):
        ranked("gpt5")
