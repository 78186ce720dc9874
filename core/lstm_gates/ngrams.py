"""How well counting does: smoothed n-grams, against which a network's bits can be read.

The probability of a character after a context is its share among what came after the context,
mixed with its probability after the context less its first character, and so on down to one that is
the same for all characters. The more different characters came after a context, the more weight
the shorter one has.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from core.lstm_gates.texts import places

__all__ = ["MOST", "bits", "likelihoods", "named"]

MOST = 8  # characters of a gram, the predicted one included


def bits(
    training: str, validation: str, alphabet: str, most: int = MOST
) -> Iterator[tuple[str, float]]:
    """Give the bits that a character takes, by unigrams, bigrams and so on, one after the other.

    Args:
        training: the text that is counted.
        validation: that is predicted; all but its first character count, as of a network.
        alphabet: UNKNOWN first, then sorted; each other character is UNKNOWN.
        most: characters of the longest gram.

    Returns: the name of each order and its bits, as soon as they are known.
    Raises: ValueError when either text has fewer than two characters, or most is below 1.
    """
    known, asked = places(training, alphabet), places(validation, alphabet)
    for order, likely in enumerate(likelihoods(known, asked, len(alphabet), most), start=1):
        yield named(order), float(-np.log2(likely[1:]).mean())


def named(order: int) -> str:
    """Name an order as people do."""
    return {1: "unigram", 2: "bigram", 3: "trigram"}.get(order, f"{order}-gram")


def likelihoods(
    training: Int[np.ndarray, " n"],
    validation: Int[np.ndarray, " v"],
    size: int,
    most: int = MOST,
) -> Iterator[Float[np.ndarray, " v"]]:
    """Give the probability of each character of a text after those before it, order by order.

    Where fewer characters came before than the order has, the longest order that fits speaks.

    Args:
        training: places in the alphabet, of the text that is counted.
        validation: likewise, of the text that is predicted.
        size: of the alphabet.
        most: characters of the longest gram.

    Raises: ValueError when either text has fewer than two characters, or most is below 1.

    Source: Witten and Bell 1991, doi:10.1109/18.87000, method C, interpolated as in Chen and
    Goodman 1998, TR-10-98, section 2.5; below the unigrams stands the uniform distribution.
    """
    if min(len(training), len(validation)) < 2:  # noqa: PLR2004
        raise ValueError(
            "training and validation must have at least 2 characters each, "
            f"got {len(training)} and {len(validation)}"
        )
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}")
    count = len(training)
    both = np.concatenate([training, validation])
    likely = np.full(len(validation), 1 / size)
    contexts = np.zeros(len(both), dtype=np.int64)  # of each character; those of no character agree
    for order in range(1, most + 1):
        # A gram is known by its number: texts share it where the gram is the same. Those that would
        # reach over either text's beginning are of no character.
        whole = np.ones(len(both), dtype=bool)
        whole[: order - 1] = whole[count : count + order - 1] = False
        where = np.flatnonzero(whole)
        grams, numbers = np.unique(contexts[where] * size + both[where], return_inverse=True)
        training_part = where < count
        times = np.bincount(numbers[training_part], minlength=len(grams))
        above = grams // size  # the context of each gram
        total = np.bincount(above, weights=times, minlength=len(both))
        kinds = np.bincount(above, weights=times > 0, minlength=len(both))
        asked = where[~training_part] - count
        gram, context = numbers[~training_part], contexts[where[~training_part]]
        seen = total[context] > 0
        gram, context, asked = gram[seen], context[seen], asked[seen]
        likely = likely.copy()
        likely[asked] = (times[gram] + kinds[context] * likely[asked]) / (
            total[context] + kinds[context]
        )
        yield likely
        contexts = np.zeros(len(both), dtype=np.int64)
        after = where[where + 1 < len(both)] + 1
        contexts[after] = numbers[: len(after)]
