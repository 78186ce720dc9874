"""A vocabulary that grew by merges: what each token is, and of which two it was made."""

from dataclasses import dataclass

__all__ = ["END", "Vocabulary"]

END = "</w>"  # of a piece, where units are characters


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens by their ids: first the alphabet, then one for each merge, in the order of merging.

    units: "bytes", or "characters", whose alphabet has, beside each character that ends a piece
        somewhere, that character with the mark (`d</w>`), as subword-nmt since 0.2 and HF
        tokenizers with a suffix do.
    split: the pre-tokenizer, one of SPLITS.
    tokens: the bytes of each; of characters in UTF-8, without the mark.
    ends: whether it has the end-of-word mark; all False for bytes.
    merges: the ids of the left and the right part of each token that is none of the alphabet:
        token `alphabet + k` is made of `merges[k]`.
    """

    units: str
    split: str
    tokens: tuple[bytes, ...]
    ends: tuple[bool, ...]
    merges: tuple[tuple[int, int], ...]

    @property
    def alphabet(self) -> int:
        """How many tokens are no merge."""
        return len(self.tokens) - len(self.merges)
