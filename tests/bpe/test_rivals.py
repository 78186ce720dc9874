"""Each rival learns what its kind learns, and tells what it does not know."""

from collections.abc import Callable

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from core.bpe import rivals
from core.bpe.encoding import UNKNOWN
from core.bpe.rivals import Rival, characters, learned, words
from core.bpe.splitting import PATTERNS
from core.bpe.tallying import Tally, tally
from core.shared.natural import help_topics
from core.shared.turns import WAITING
from tests.bpe.draining import drained

TEXT = help_topics(once=True)[:20_000]


def tallied(text: str, split: str) -> Tally:
    return drained(tally(text, split))


def test_of_words_the_rest_is_unknown() -> None:
    rival = words("to be, or not to be: to be!  hm", 4)
    assert (rival.vocabulary, rival.tokens, rival.unknown) == (4, 12, 12 - 3 - 3 - 1)
    found = rival.spell(" be  or\nto")
    assert found.encoded.tokens == (b" be", b"  or", b"\nto")
    assert found.written == ("be", "<unk>", "to")
    assert found.encoded.ids.tolist() == [1, UNKNOWN, 0]
    assert found.encoded.starts.all()
    assert rival.spell("be,").encoded.ids.tolist() == [1, 2]  # of equally common ones the first met


def test_of_characters_the_rest_is_unknown() -> None:
    rival = characters("abracadabra", 3)
    assert (rival.vocabulary, rival.tokens, rival.unknown) == (3, 11, 4)
    assert rival.spell("baé").encoded.tokens == (b"b", b"a", "é".encode())
    assert rival.spell("baé").written == ("b", "a", "<unk>")


@pytest.mark.parametrize("rival", [words, characters])
def test_nothing_is_learned_from_nothing(rival: Callable[[str, int], Rival]) -> None:
    for size in (0, 1, 300):
        found = rival("", size)
        assert (found.vocabulary, found.tokens, found.unknown) == (1, 0, 0)
        assert set(found.spell("a b").written) == {"<unk>"}
        assert found.spell("").written == ()


def plainly(split: str, size: int) -> Tokenizer:
    """Train Unigram as the library's own handbook does: on the text, with a pre-tokenizer."""
    library = Tokenizer(models.Unigram())
    library.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERNS[split]), "isolated")
    trainer = trainers.UnigramTrainer(
        vocab_size=size, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )
    library.train_from_iterator([TEXT], trainer)
    return library


def test_unigram_is_that_of_the_library_on_the_whole_text() -> None:
    rival = drained(learned("unigram", tallied(TEXT, "gpt2"), "gpt2", 400))
    library = plainly("gpt2", 400)
    found = library.encode(TEXT)
    assert rival.vocabulary == library.get_vocab_size() == 400
    assert (rival.tokens, rival.unknown) == (len(found.ids), 0)
    sentence = "The statement 漢字漢 was unseen"
    theirs = library.encode(sentence)
    spelt = rival.spell(sentence)
    assert [each.replace("漢字漢", "<unk>") for each in theirs.tokens] == list(spelt.written)
    assert b"".join(spelt.encoded.tokens) == sentence.encode()
    assert (spelt.encoded.ids == UNKNOWN).sum() == 1
    assert rival.tokens != len(plainly("spaces", 400).encode(TEXT).ids)  # what else it might be


def longest_first(piece: str, known: set[str]) -> list[str]:
    """Spell as Wu et al. 2016 do: the longest that is known, else nothing of the piece is."""
    found, first = [], 0
    while first < len(piece):
        marks = "##" if first else ""
        lasts = [
            last for last in range(len(piece), first, -1) if marks + piece[first:last] in known
        ]
        if not lasts:
            return ["<unk>"]
        found.append(marks + piece[first : lasts[0]])
        first = lasts[0]
    return found


def test_wordpiece_takes_the_longest_first_and_gives_a_piece_up_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Tokenizer] = []
    maker = rivals._MAKERS["wordpiece"]

    def noted(size: int) -> tuple[Tokenizer, trainers.Trainer]:
        library, trainer = maker(size)
        made.append(library)
        return library, trainer

    monkeypatch.setitem(rivals._MAKERS, "wordpiece", noted)
    counts = tallied(TEXT, "gpt2")
    rival = drained(learned("wordpiece", counts, "gpt2", 400))
    known = set(made[0].get_vocab())
    assert rival.vocabulary == len(known) == 400
    expected = {piece: longest_first(piece, known) for piece in counts}
    assert rival.tokens == sum(often * len(expected[piece]) for piece, often in counts.items())
    assert rival.unknown == 0
    assert any(len(each) > 1 for each in expected.values())
    spelt = rival.spell("The 漢statement was")
    assert spelt.written == (
        *longest_first("The", known),
        "<unk>",
        *longest_first(" was", known),
    )
    assert b" \xe6\xbc\xa2statement" in spelt.encoded.tokens


@pytest.mark.parametrize("kind", ["unigram", "wordpiece"])
def test_others_have_their_turn_while_the_library_learns(kind: str) -> None:
    told = list(learned(kind, tallied(TEXT, "gpt2"), "gpt2", 300))
    assert told[0] is WAITING
    assert set(told) <= {WAITING, None}


@pytest.mark.parametrize("text", ["a", "    ", "a\0b", "aaabdaaabac", "漢"])
@pytest.mark.parametrize("kind", ["unigram", "wordpiece"])
def test_the_smallest_texts_are_learned_from_too(kind: str, text: str) -> None:
    rival: Rival = drained(learned(kind, tallied(text, "gpt2"), "gpt2", 300))
    assert rival.tokens >= 1
    assert rival.unknown == 0
    assert rival.spell("z").written == ("<unk>",)


def test_what_cannot_be_learned_from_is_told_in_one_sentence() -> None:
    many = "".join(chr(0x4E00 + each) for each in range(600))
    with pytest.raises(ValueError, match=r"^HF's library could not learn from this text: The voca"):
        drained(learned("unigram", tallied(many, "gpt2"), "gpt2", 300))
    with pytest.raises(ValueError, match=r"^the text must have at least one character to learn fr"):
        drained(learned("unigram", tallied("", "gpt2"), "gpt2", 300))
