"""The merges of a plan in plain Python: a script that gives the same ones, to read and to keep."""

from core.bpe import Plan
from core.bpe.splitting import PATTERNS
from core.bpe.texts import WORDS

__all__ = ["script"]

READ = {
    "topics": """from pydoc_data.topics import topics  # Python's own help

text = "\\n\\n".join(topics[name].strip("\\n") for name in sorted(topics))""",
    "wikipedia": 'text = "aaabdaaabac"',
    "sennrich": f"""text = " ".join(
    word for word, times in {WORDS!r}.items() for _ in range(times)
)""",
}
FILE = """from pathlib import Path

text = Path("text.txt").read_text(encoding="utf-8")  # {file}"""
FILES = {
    "python": "the modules of Python's library that the page reads",
    "tang": "assets/text/tang300.txt",
}
HEAD = '''"""BPE: the commonest pair of neighbours becomes a token, {merges:,} times."""

from collections import Counter
{regex}
{read}

{pieces}
'''
BYTES = """shown = [*range(33, 127), *range(161, 173), *range(174, 256)]  # bytes shown as they are
order = shown + [byte for byte in range(256) if byte not in shown]  # HF's order of the alphabet
"""
VALUES = "order = range(256)\n"
UNITS = {
    "bytes": """tokens = [bytes([byte]) for byte in order]
number = {token: id for id, token in enumerate(tokens)}
words = [([number[bytes([byte])] for byte in piece.encode()], n) for piece, n in pieces.items()]
""",
    "characters": """plain = sorted({character for piece in pieces for character in piece})
last = sorted({piece[-1] for piece in pieces})  # these have the end-of-word mark
tokens = plain + [character + "</w>" for character in last]
number = {token: id for id, token in enumerate(tokens)}
words = [
    ([number[each] for each in piece[:-1]] + [number[piece[-1] + "</w>"]], n)
    for piece, n in pieces.items()
]
""",
}
LOOP = """merges = []
while len(merges) < {merges}:
    counts = Counter()
    for ids, n in words:
        for pair in zip(ids, ids[1:]):  # "aaa" counts twice, though one can be merged
            counts[pair] += n
    if not counts:
        break
{best}
    new = len(tokens)
    tokens.append(tokens[best[0]] + tokens[best[1]])
    merges.append(best)
    for ids, _ in words:
        place = 0
        while place < len(ids) - 1:  # from left to right
            if (ids[place], ids[place + 1]) == best:
                ids[place : place + 2] = [new]
            place += 1
    print(f"merge {{len(merges)}}: {{tokens[new]!r}} counted {{counts[best]}} times")
"""
BEST = {
    "smaller": "    best = min(counts, key=lambda pair: (-counts[pair], pair))  # the smaller ids",
    "raw": "    best = min(counts, key=lambda pair: (-counts[pair], pair))  # the smaller ids",
    "first": "    best = max(counts, key=counts.get)  # the first that was met",
    "lexicographic": """    best = max(  # the last by letters
        counts, key=lambda pair: (counts[pair], {left}, {right})
    )""",
    "shorter": """    best = min(  # the shorter, then the first by letters
        counts,
        key=lambda pair: (
            -counts[pair],
            {length},
            {left} + {right},
            {first},
        ),
    )""",
}


def script(plan: Plan) -> str:
    """Write a script whose `merges` are those of a plan.

    It counts all pairs anew for each merge, which takes it a hundred times as long as the page.

    Args:
        plan: of which; a text that is not Python's own or a textbook's has to lie in text.txt.
    """
    if plan.split == "none":
        pieces = "pieces = Counter([text])"
    else:
        pieces = f'pieces = Counter(regex.findall(r"{PATTERNS[plan.split]}", text))'
    read = READ.get(plan.text) or FILE.format(file=FILES.get(plan.text, "your own text"))
    head = HEAD.format(
        merges=plan.merges,
        regex="" if plan.split == "none" else "\nimport regex\n",
        read=read,
        pieces=pieces,
    )
    order = "" if plan.units != "bytes" else BYTES if plan.ties == "smaller" else VALUES
    marked = plan.units == "characters"
    left, right = "tokens[pair[0]]", "tokens[pair[1]]"
    best = BEST[plan.ties].format(
        left=f"{left}.encode()" if marked else left,
        right=f"{right}.encode()" if marked else right,
        length=f"len({left} + {right})"
        if not marked
        else f'len(({left} + {right}).removesuffix("</w>"))',
        first=f"len({left})",
    )
    return head + order + UNITS[plan.units] + "\n" + LOOP.format(merges=plan.merges, best=best)
