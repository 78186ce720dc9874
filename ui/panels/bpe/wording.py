"""What the panel of BPE says: what to try, and the formulae."""

__all__ = ["FORMULAE", "LESSONS"]

LESSONS = """
**Be the algorithm.** Choose the text *aaabdaaabac*, go back to 0 merges, and *guess it first*:
which pair is the commonest? It is aa, counted 4 times, as each aaa has two of them; but only 2 can
be replaced. Both numbers stand above the text.

**A tie decides the vocabulary.** The next step there is a tie: HF's libraries take ab, minbpe and
subword-nmt take aaa. Change *Among equally common pairs* and see; in *Ties side by side* choose
*Python's help*: more than half of its merges are ties, yet both rules need nearly as many tokens in
the end. Ties change names, and hardly the compression.

**What the pre-tokenizer forbids.** Choose *Python's help* and *none*: now merges cross words, and
the third makes one token of e and the space after it. With 1,000 merges such a vocabulary has the
token “Changed in version 3.”, which is short on this text, and of no use on another.

**Bytes are no characters.** Choose *Tang poems* and press play: the first merges join two of the
three bytes of a character, a token that nobody can read alone. Of 1,000 merges about a quarter make
such a token.

**The longest token is the wrong one.** In *Encoding* all 1,000 merges of *Python's help* make low
and est of lowest; who takes the longest token from the left begins with the space and lo, and gets
others. The network never saw these ids for that word.
"""
FORMULAE = (
    (
        "The next merge, counted within pieces, overlapping pairs included",
        (
            r"(a, b) = \arg\max_{(a, b)} \sum_{\text{pieces } p} n_p \cdot \#\{t : p_t = a,\ p_{t+1} = b\}",  # noqa: E501
        ),
    ),
    (
        "Encoding, until no two neighbours have a merge",
        (
            r"\text{replace all } (p_t, p_{t+1}) \text{ of the lowest rank},\ \text{from left to right}",  # noqa: E501
        ),
    ),
    (
        "How well a vocabulary V fits, and what it costs a network whose tokens have d values",
        (
            r"\frac{\text{bytes}}{\text{tokens}} \qquad \text{fertility} = \frac{\text{tokens}}{\text{words}} \qquad |V| \cdot d \ \text{parameters}",  # noqa: E501
        ),
    ),
)
