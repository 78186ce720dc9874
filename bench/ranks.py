"""Make assets/tokenizers: the ranks of GPT-2, cl100k and o200k, checked against OpenAI's own sums.

npm pack js-tiktoken@1.0.21 && tar xzf js-tiktoken-1.0.21.tgz
python -m bench.ranks package/dist/ranks        where gpt2.js, cl100k_base.js, o200k_base.js lie
"""

import base64
import hashlib
import json
import lzma
import sys
from pathlib import Path

from core.bpe.ranks import FOLDER, RANKS, pack

ORIGINALS = {"gpt2": "gpt2.js", "cl100k": "cl100k_base.js", "o200k": "o200k_base.js"}
LARGEST = 1_500_000  # bytes of all together, as every clone carries them


def main() -> None:
    """Write each file, and print the sums for assets/SOURCES.md."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    originals, total = Path(sys.argv[1]), 0
    FOLDER.mkdir(exist_ok=True)
    for name, file in ORIGINALS.items():
        tokens = read((originals / file).read_text(encoding="utf-8"))
        if hashlib.sha256(official(tokens)).hexdigest() != RANKS[name].sha256:
            sys.exit(f"{file} does not hold the ranks that OpenAI publishes.")
        content = lzma.compress(pack(tokens), preset=9 | lzma.PRESET_EXTREME)
        (FOLDER / f"{name}.xz").write_bytes(content)
        total += len(content)
        print(f"{name:<8} {len(content):>8,} bytes  {hashlib.sha256(content).hexdigest()}")
    if total > LARGEST:
        sys.exit(f"The ranks have {total:,} bytes, more than {LARGEST:,}.")
    print(f"{total:,} bytes together")


def read(script: str) -> list[bytes]:
    """Read js-tiktoken's file: lines of "! FIRST token token …", tokens in base64."""
    told = json.loads(script[script.index("{") : script.rindex("}") + 1])
    ranks: dict[int, bytes] = {}
    for line in filter(None, told["bpe_ranks"].split("\n")):
        _, first, *tokens = line.split(" ")
        ranks.update(enumerate(map(base64.b64decode, tokens), int(first)))
    return [ranks[place] for place in range(len(ranks))]


def official(tokens: list[bytes]) -> bytes:
    """Write ranks as OpenAI does."""
    return b"".join(base64.b64encode(each) + b" %d\n" % rank for rank, each in enumerate(tokens))


if __name__ == "__main__":
    main()
