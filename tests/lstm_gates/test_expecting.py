"""What a network expects is what it gives for the last character, whole."""

import numpy as np
import pytest
import torch

from core.lstm_gates.asking import built_in
from core.lstm_gates.built_ins import BUILT_INS
from core.lstm_gates.expecting import Expected, expected
from core.lstm_gates.sampling import sample
from tests.lstm_gates.small import ALPHABET, KINDS, TEXT, plain, small
from tests.shared.untouched import leaves_untouched


@pytest.mark.parametrize(("cell", "embedding"), KINDS)
def test_it_is_what_plain_loops_over_the_weights_give(cell: str, embedding: int) -> None:
    reader = small(cell, embedding)
    found = expected(reader, TEXT)
    logits = plain(reader, TEXT)["logits"].numpy()
    assert (found.text, found.alphabet, len(found.logits)) == (TEXT, ALPHABET, len(ALPHABET))
    np.testing.assert_allclose(found.logits, logits[-1], rtol=0, atol=1e-12)
    assert not np.allclose(found.logits, logits[-2])  # the oracle sees another place


def test_a_built_in_network_is_asked_by_name_and_says_what_is_likeliest() -> None:
    found = built_in("python", "expected", "def __init__(sel")
    assert isinstance(found, Expected)
    assert len(found.logits) == len(found.alphabet) == len(BUILT_INS["python"].alphabet)
    assert found.alphabet[found.logits.argmax()] == built_in(
        "python", "sample", "def __init__(sel", 1, 0.0, 0
    )


def test_a_network_stays_as_it_was_and_an_empty_text_is_refused() -> None:
    reader = small("lstm").train()
    leaves_untouched(reader, lambda: expected(reader, TEXT))
    leaves_untouched(reader, (lambda: expected(reader, ""), "from 1 to 10,000 characters, got 0"))
    leaves_untouched(reader, (lambda: expected(reader, "a" * 10_001), "got 10,001"))
    assert (
        sample(reader, "ab", 1, 0.0, torch.Generator())
        == ALPHABET[int(expected(reader, "ab").logits.argmax())]
    )
