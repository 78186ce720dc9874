"""Texts that break tokenizers: all scripts, controls, emoji, combining marks, contractions."""

import random
import sys
import unicodedata

# What a library takes for a letter depends on the Unicode it knows: only what all know is drawn.
OLD = [
    chr(each)
    for each in range(sys.maxunicode + 1)
    if unicodedata.ucd_3_2_0.category(chr(each)) not in ("Cn", "Cs")
    and unicodedata.ucd_3_2_0.category(chr(each)) == unicodedata.category(chr(each))
    and each < 0x20000  # planes of ideographs and of private use would be all that is drawn
]
COMMON = [
    *" \n\t\r'e0",
    *(
        "'s",
        "'LL",
        "don't",
        "  ",
        "\r\n",
        "the",
        "1234",
        "\u017f",
        "é",
        "👩‍👩‍👧",
        "🇮🇳",
        "한국",
        "ा",
        "لا",
        "<unk>",
        "</w>",
    ),
]


def fuzzed(source: random.Random, length: int) -> str:
    """Draw a text of so many parts."""
    drawn = (source.choice(source.choice((OLD, COMMON, OLD[:96]))) for _ in range(length))
    return "".join(drawn)
