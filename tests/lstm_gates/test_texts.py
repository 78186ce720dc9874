"""Each text is there, is the same each time, and keeps its validation to itself."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from core.lstm_gates import UNKNOWN, texts
from core.lstm_gates.languages import LANGUAGES
from core.lstm_gates.texts import TEXTS, limited, places, read
from core.shared import own_texts as own

ROOT = Path(__file__).parents[2]
LENGTHS = {"python": (900_000, 1_100_000), "english": (300_000, 600_000), "tang": (29_000, 30_000)}


@pytest.mark.parametrize("name", TEXTS)
def test_each_text_can_be_read(name: str) -> None:
    text = read(name)
    assert read(name) is text
    least, most = LENGTHS.get(name, (200_000, 200_000))
    assert least <= len(text.content) <= most
    assert text.alphabet[0] == UNKNOWN
    assert list(text.alphabet[1:]) == sorted(set(text.alphabet[1:]))
    assert len(text.alphabet) <= texts.LARGEST
    training, validation = text.parts
    assert (training.start, training.stop, validation.stop) == (0, text.cut, len(text.content))
    assert validation.start == text.cut
    assert 0.1 <= round(1 - text.cut / len(text.content), 6) < 0.101
    about = TEXTS[name]
    assert about.title
    assert about.about.endswith(".")
    assert about.source


@pytest.mark.parametrize("name", LANGUAGES)
def test_of_a_drawn_text_all_is_known_and_nobody_can_change_it(name: str) -> None:
    text = read(name)
    assert text.forced is not None
    assert text.allowed is not None
    assert text.ideal is not None
    length = len(text.content)
    assert text.allowed.shape == (length, len(text.alphabet))
    assert text.truth.keys() == LANGUAGES[name].truths.keys()
    every = [text.forced, text.ideal, text.allowed, *text.truth.values()]
    assert all(len(values) == length for values in every)
    assert not any(values.flags.writeable for values in every)
    codes = places(text.content, text.alphabet)
    assert text.allowed[np.arange(length - 1), codes[1:]].all()
    must = text.forced[:-1] >= 0
    np.testing.assert_array_equal(codes[1:][must], text.forced[:-1][must])
    assert not text.allowed[:, 0].any()  # UNKNOWN never may come
    for values in (*text.truth.values(), text.ideal):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("name", LANGUAGES)
def test_validation_begins_as_the_text_does(name: str) -> None:
    text = read(name)
    assert text.allowed is not None
    before = text.content[text.cut - 1]
    assert before == {"brackets": "0", "quotes": " "}.get(name, "\n")
    assert all(values[text.cut - 1] == 0 for values in text.truth.values())


def test_a_part_of_a_text_is_its_beginning_with_its_own_alphabet() -> None:
    whole, part = read("english"), read("english", 5_000)
    assert part.content == whole.content[:5_000]
    assert part.cut == 4_500
    assert set(part.alphabet) == {UNKNOWN, *part.content[:4_500]}
    drawn = read("adding", 1_000)
    assert drawn.content == read("adding").content[:1_000]
    assert len(read("counting", 300_000).content) == 300_000
    assert read("tang", 10_000_000).content == read("tang").content


def test_an_alphabet_is_of_training_alone_and_its_rarest_are_unknown() -> None:
    tang = read("tang")
    training, validation = (tang.content[part] for part in tang.parts)
    assert len(tang.alphabet) == 1_000
    counts = {each: training.count(each) for each in set(training)}
    left_out = {each: count for each, count in counts.items() if each not in tang.alphabet}
    assert max(left_out.values()) <= min(counts[each] for each in tang.alphabet[1:])
    assert set(tang.alphabet[1:]) <= set(training)
    assert not set(validation) <= set(training)
    assert limited("ccbbba" + 9 * UNKNOWN, 3) == UNKNOWN + "bc"
    assert limited("dcba", 3) == UNKNOWN + "ab"


def test_places_are_where_each_character_is() -> None:
    content = "zaé x" + UNKNOWN + "\n𐍈"
    alphabet = UNKNOWN + "\n az𐍈"
    wanted = [max(alphabet.find(each), 0) for each in content]
    assert places(content, alphabet).tolist() == wanted == [4, 3, 0, 2, 0, 0, 1, 5]
    assert places("", alphabet).tolist() == []
    assert places("ab", UNKNOWN).tolist() == [0, 0]
    tang = read("tang")
    found = places(tang.content, tang.alphabet)
    again = "".join(tang.alphabet[each] for each in found)
    assert all(a in (b, UNKNOWN) for a, b in zip(again, tang.content, strict=True))


def test_no_paragraph_of_the_english_text_comes_again() -> None:
    paragraphs = read("english").content.rstrip("\n").split("\n\n")
    assert len(paragraphs) > 1_000
    assert len(set(paragraphs)) == len(paragraphs)


def test_the_poems_are_those_of_the_list_of_sources() -> None:
    content = (ROOT / "assets" / "text" / "tang300.txt").read_bytes()
    rows = (ROOT / "assets" / "SOURCES.md").read_text(encoding="utf-8").splitlines()
    (row,) = [row for row in rows if "`text/tang300.txt`" in row]
    assert hashlib.sha256(content).hexdigest() in row
    assert content.decode() == read("tang").content


def test_every_module_of_the_python_text_is_there() -> None:
    content = read("python").content
    assert all(
        f"def {name}(" in content for name in ("heappush", "dedent", "literal_eval", "merge")
    )


def test_ones_own_text_is_read_like_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path / "runs"))
    name = own.keep(own.folder(), ("ein kurzer Text\n" * 40).encode())
    text = read(name)
    assert text.content == "ein kurzer Text\n" * 40
    assert set(text.alphabet) == {UNKNOWN, *text.content}
    assert (text.name, text.truth, text.forced, text.allowed) == (name, {}, None, None)
    assert len(read(name, 200).content) == 200


@pytest.mark.parametrize(
    ("name", "characters", "sentence"),
    [
        ("klingon", 0, "name must be one of .*'tang'.* or a text of one's own, got 'klingon'"),
        ("brackets", 199, "characters must be 0 or at least 200, got 199"),
        ("brackets", True, "characters must be 0 or at least 200, got True"),
        ("own-x", 0, "name must be 'own-' and 32 of 0-9 and a-f, got 'own-x'"),
        ("own-" + "0" * 32, 0, "this text is no longer on the server: upload it again"),
    ],
)
def test_what_is_not_there_is_refused(
    name: str, characters: int, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSBOX_RUNS", str(tmp_path))
    with pytest.raises(ValueError, match=sentence):
        read(name, characters)
