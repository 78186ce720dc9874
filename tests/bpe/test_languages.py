"""The languages say the same, are what they are named, and cost what tiktoken says they cost."""

import hashlib
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from bench import declaration as making
from core.bpe.exporting import tokenizer_json
from core.bpe.languages import FILE, SCRIPTS, Language, languages, parallel, spell
from core.shared.progress import Done
from tests.bpe import schoolbook
from tests.bpe.draining import drained
from tests.bpe.test_ranks import library

SOURCES = Path(__file__).parents[2] / "assets" / "SOURCES.md"
NAMES = ("bpe", "gpt2", "cl100k", "o200k")
# How Unicode names the letters of a script, where it does so otherwise.
LETTERS = {"Han": ("CJK",), "Japanese": ("CJK", "HIRAGANA", "KATAKANA")}


def test_the_file_is_listed_with_its_source_its_licence_and_its_sum() -> None:
    listed = re.search(
        r"^\| `text/declaration\.json` \| .+ \| .+ \| .+ \| `(\w{64})` \|$",
        SOURCES.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert listed
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == listed[1]


def test_each_language_is_in_its_script_and_has_all_articles() -> None:
    assert len(languages()) >= 20
    assert languages()[0].name == "English"
    assert len({each.code for each in languages()}) == len(languages())
    assert {each.script for each in languages()} == set(SCRIPTS)
    for each in languages():
        assert len(each.articles) == 5
        assert all(len(article) > 15 for article in each.articles)
        letters = [character for character in each.text if character.isalpha()]
        allowed = LETTERS.get(each.script, (each.script.upper(),))
        inside = sum(unicodedata.name(letter).startswith(allowed) for letter in letters)
        assert inside >= 0.99 * len(letters)
        assert each.direction == ("rtl" if each.script in ("Arabic", "Hebrew") else "ltr")
        assert unicodedata.is_normalized("NFC", each.text)
        assert np.isnan(each.words) or 50 < each.words < 250
    assert len({each.text for each in languages()}) == len(languages())


@pytest.mark.parametrize(
    ("text", "script", "words"),
    [
        ("a b, c", "Latin", 3),
        ("ሰው፡ልጅ፡ሁሉ", "Ethiopic", 3),
        ("人人", "Han", np.nan),
        ("", "Greek", 0),
    ],
)
def test_words_are_what_stands_apart(text: str, script: str, words: float) -> None:
    told = Language("x", "x", "X", script, "ltr", (text,)).words
    np.testing.assert_equal(told, words)


def test_each_costs_what_tiktoken_says() -> None:
    vocabulary = schoolbook.learned(languages()[0].text, 100)
    own = Tokenizer.from_str(tokenizer_json(vocabulary))
    found = drained(parallel(vocabulary))
    assert found.names == NAMES
    assert found.languages == languages()
    for row, name in enumerate(found.names):
        for column, language in enumerate(languages()):
            text = language.text
            if name == "bpe":
                tokens = len(own.encode(text).ids)
            else:
                tokens = len(library(name).encode_ordinary(text))
            assert found.tokens[row, column] == tokens
            assert found.sizes[column] == len(text.encode())
            assert found.characters[column] == len(text)
    english = next(place for place, each in enumerate(languages()) if each.code == "eng")
    np.testing.assert_allclose(found.premium[:, english], 1)
    words = np.array([each.words for each in languages()])
    expected = np.where(np.isnan(words), np.nan, found.tokens)
    np.testing.assert_allclose(found.fertility * words, expected)
    np.testing.assert_allclose(found.premium * found.tokens[:, [english]], found.tokens)
    assert not found.unknown.any()


def test_of_characters_other_scripts_are_unknown_and_it_tells_how_far_it_is() -> None:
    vocabulary = schoolbook.learned(languages()[0].text, 10, units="characters")
    work, count = parallel(vocabulary), len(languages())
    assert [next(work) for _ in range(count)] == [
        Done(place, count, "languages") for place in range(count)
    ]
    found = drained(work)
    assert found.unknown[0, 0] == 0
    assert found.unknown[0, -1] > 0.9 * found.tokens[0, -1]
    assert not found.unknown[1:].any()


def test_the_file_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in json.loads(FILE.read_text(encoding="utf-8")):
        articles = "".join(
            f'<article data-number="{place}"><h2>No.</h2>'
            f"<p>{text[:9]}</p>\n <p> {text[9:]}</p></article>"
            for place, text in enumerate(each["articles"], 1)
        )
        page = f'<html lang="{each["tag"]}" dir="{each["direction"]}"><p>Preamble</p>{articles}'
        (tmp_path / f"{each['code']}.html").write_text(page, encoding="utf-8")
    monkeypatch.setattr(making, "FILE", tmp_path / "made.json")
    monkeypatch.setattr("sys.argv", ["", str(tmp_path)])
    making.main()
    assert " bytes " in capsys.readouterr().out
    again = json.loads((tmp_path / "made.json").read_text(encoding="utf-8"))
    for one, other in zip(again, json.loads(FILE.read_text(encoding="utf-8")), strict=True):
        assert [re.sub(r"\s", "", text) for text in one.pop("articles")] == [
            re.sub(r"\s", "", text) for text in other.pop("articles")
        ]
        assert one == other
    monkeypatch.setattr(making, "LARGEST", 10)
    with pytest.raises(SystemExit, match=r"^The declaration has [\d,]+ bytes, more than 10\.$"):
        making.main()


def test_an_article_is_spelled_by_each() -> None:
    vocabulary = schoolbook.learned(languages()[0].text, 30)
    for code, article in (("eng", 1), ("jpn", 5)):
        text = next(each for each in languages() if each.code == code).articles[article - 1]
        found = spell(vocabulary, code, article)
        assert tuple(found) == NAMES
        assert found["cl100k"].ids.tolist() == library("cl100k").encode_ordinary(text)
        assert found["bpe"].ids.tolist() == [
            each for piece in schoolbook.encoded(vocabulary, text) for each in piece
        ]
    with pytest.raises(ValueError, match=r"^code must be one of \('eng', .* got 'xx'$"):
        spell(vocabulary, "xx")
    for article in (0, 6):
        with pytest.raises(ValueError, match=rf"^article must be from 1 to 5, got {article}$"):
            spell(vocabulary, "eng", article)
