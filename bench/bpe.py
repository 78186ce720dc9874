"""Merges: how soon the whole history is there, beside others that learn only the merges.

    python -m bench.bpe            nine rounds
    python -m bench.bpe --quick    three, and each of the slow ones once: under a minute

All sides of a comparison learn in turns, in one process, and must come to the same merges. Ours
is the whole history: each step's count, replacements and ties, and what tells any step's ten best
pairs and its text. HF's trainer uses all cores, the others one.
"""

import argparse
import gc
import os
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import regex
import rustbpe
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from bench import report
from core.bpe import TIES, Plan, texts
from core.bpe.best import best
from core.bpe.history import History, grow
from core.bpe.splitting import PATTERNS
from core.bpe.windows import window

MERGES = 8_000
FEW = 500  # for minbpe, on the first CHARACTERS
CHARACTERS = 200_000
LARGE = 5_000_000  # bytes
MEGABYTE = 1_000_000
MOMENTS = 400


def ours(text: str, plan: Plan) -> tuple[History, float]:
    """Learn a whole history; gives the longest turn too, in seconds."""
    work, longest, began = grow(plan, text), 0.0, time.perf_counter()
    while True:
        try:
            next(work)
        except StopIteration as end:
            history: History = end.value
            return history, max(longest, time.perf_counter() - began)
        now = time.perf_counter()
        longest, began = max(longest, now - began), now


def hf(text: str, merges: int) -> Tokenizer:
    """Learn by HF tokenizers, GPT-2's regex."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=256 + merges,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def rust(text: str, merges: int) -> Any:
    """Learn by rustbpe, GPT-2's regex."""
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator([text], vocab_size=256 + merges, pattern=PATTERNS["gpt2"])
    return tokenizer


def minbpe(text: str, merges: int) -> list[bytes]:
    """Learn as minbpe's RegexTokenizer does: count everything anew at each step.

    Source: karpathy/minbpe minbpe/regex.py (`train`) and base.py (`get_stats`, `merge`).
    """
    chunks = [list(chunk.encode()) for chunk in regex.findall(PATTERNS["gpt4"], text)]
    vocabulary = {value: bytes([value]) for value in range(256)}
    for new in range(256, 256 + merges):
        stats: dict[tuple[int, int], int] = {}
        for chunk in chunks:
            for pair in zip(chunk, chunk[1:]):  # noqa: B905, RUF007 - as it is there
                stats[pair] = stats.get(pair, 0) + 1
        left, right = max(stats, key=stats.get)  # type: ignore[arg-type]
        chunks = [_merged(chunk, left, right, new) for chunk in chunks]
        vocabulary[new] = vocabulary[left] + vocabulary[right]
    return list(vocabulary.values())


def _merged(ids: list[int], left: int, right: int, new: int) -> list[int]:
    after, place = [], 0
    while place < len(ids):
        if ids[place] == left and place < len(ids) - 1 and ids[place + 1] == right:
            after.append(new)
            place += 2
        else:
            after.append(ids[place])
            place += 1
    return after


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Tell how long it takes, in seconds, and what it gives."""
    gc.collect()
    began = time.perf_counter()
    given = work()
    return time.perf_counter() - began, given


def beside_libraries(rounds: int) -> list[dict[str, object]]:
    """Compare with those that learn fast, in turns."""
    text = texts.read("topics")
    plan, raw = Plan(merges=MERGES), Plan(merges=MERGES, ties="raw")
    seconds: dict[str, list[float]] = {"ours": [], "raw": [], "HF tokenizers": [], "rustbpe": []}
    for _ in range(rounds):
        for name, work in (
            ("ours", lambda: ours(text, plan)[0]),
            ("HF tokenizers", lambda: hf(text, MERGES)),
            ("raw", lambda: ours(text, raw)[0]),
            ("rustbpe", lambda: rust(text, MERGES)),
        ):
            took, given = timed(work)
            seconds[name].append(took)
            if name == "ours":
                history = given
            elif name == "HF tokenizers":
                learned = given
            elif name == "raw":
                tokens = given.vocabulary.tokens
            elif [bytes(token) for token, _ in given.get_mergeable_ranks()] != [*tokens]:
                raise AssertionError("rustbpe came to other merges")
    _same_as_hf(history, learned)
    size = len(text.encode())
    print(f"{MERGES:,} merges on {size / 1000:,.0f} kB, GPT-2's regex")
    report.spread("whole history, smaller pair of ids", seconds["ours"], "s")
    report.spread("HF tokenizers", seconds["HF tokenizers"], "s")
    report.spread("whole history, bytes by value", seconds["raw"], "s")
    report.spread("rustbpe", seconds["rustbpe"], "s")
    ratios = _ratios(seconds["ours"], seconds["HF tokenizers"])
    report.spread("whole history / rustbpe", _ratios(seconds["raw"], seconds["rustbpe"]), "ratio")
    value = report.spread("whole history / HF tokenizers", ratios, "ratio")
    fastest = min(seconds["ours"]) / min(seconds["HF tokenizers"])
    return [
        report.claim("whole history / HF tokenizers, median", value, 1.5, at_most=True),
        report.claim("whole history / HF tokenizers, fastest", fastest, 1.5, at_most=True),
        *_moments(history),
    ]


def _ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def _same_as_hf(history: History, learned: Tokenizer) -> None:
    """See that ids agree: all merges are HF's, in its order."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [value for value in range(256) if value not in shown]
    letter = {value: chr(value) for value in shown}
    letter |= {value: chr(256 + place) for place, value in enumerate(rest)}
    mine = ["".join(letter[byte] for byte in token) for token in history.vocabulary.tokens]
    ids = learned.get_vocab()
    if mine != sorted(ids, key=ids.__getitem__):
        raise AssertionError("HF tokenizers came to other merges")


def _moments(history: History) -> list[dict[str, object]]:
    """Tell how soon a step is told: its ten best pairs, and some of the text."""
    source = random.Random(0)
    size = int(history.ends[-1])
    took = []
    for _ in range(MOMENTS):
        step, place = source.randint(0, history.steps), source.randrange(size)
        began = time.perf_counter()
        best(history, step, 10)
        window(history, step, place)
        took.append(1000 * (time.perf_counter() - began))
    report.spread("any step: ten best pairs and a window", took, "ms")
    worst = statistics.quantiles(took, n=20)[-1]
    return [report.claim("any step, engine's part, 95 of 100, ms", worst, 50, at_most=True)]


def beside_minbpe(rounds: int) -> list[dict[str, object]]:
    """Compare with counting anew, which is how merges are taught."""
    text = texts.read("topics")[:CHARACTERS]
    plan = Plan(merges=FEW, split="gpt4", ties="first")
    mine, theirs = [], []
    for _ in range(rounds):
        took, (history, _) = timed(lambda: ours(text, plan))
        mine.append(took)
        took, tokens = timed(lambda: minbpe(text, FEW))
        theirs.append(took)
        if tokens != [*history.vocabulary.tokens]:
            raise AssertionError("minbpe's rule came to other merges")
    print(f"{FEW} merges on the first {CHARACTERS // 1000} kB, GPT-4's regex, first met")
    report.spread("whole history", mine, "s")
    report.spread("minbpe's RegexTokenizer", theirs, "s")
    ratios = _ratios(theirs, mine)
    value = report.spread("minbpe's RegexTokenizer / whole history", ratios, "ratio")
    return [report.claim("minbpe's RegexTokenizer / whole history, median", value, 100)]


def rules(rounds: int) -> None:
    """Tell what each rule costs."""
    text = texts.read("topics")
    print(f"{MERGES:,} merges on the same text, each rule")
    for ties in TIES:
        plan = Plan(merges=MERGES, ties=ties)
        took = [timed(partial(ours, text, plan))[0] for _ in range(rounds)]
        report.spread(TIES[ties], took, "s")


def large(rounds: int) -> list[dict[str, object]]:
    """Learn from five megabytes of code, cut into pieces and whole."""
    text = _library()
    print(f"{MERGES:,} merges on {len(text.encode()) / MEGABYTE:.1f} MB of Python's library")
    claims = []
    for split in ("gpt2", "none"):
        plan = Plan(merges=MERGES, split=split)
        took, turns = [], []
        for _ in range(rounds):
            seconds, (_, longest) = timed(partial(ours, text, plan))
            took.append(seconds)
            turns.append(longest)
        report.spread(f"split {split}: whole history", took, "s")
        report.spread(f"split {split}: longest turn", turns, "s")
        claims.append(
            report.claim(f"5 MB, split {split}: seconds, slowest", max(took), 20, at_most=True)
        )
    return claims


def _library() -> str:
    """Give LARGE bytes of Python's own source."""
    content, folder = b"", Path(os.__file__).parent
    for place in sorted(folder.rglob("*.py")):
        if "site-packages" not in place.parts and len(content) < LARGE:
            content += place.read_bytes()
    return content[:LARGE].decode(errors="ignore").replace("\r\n", "\n")


def main() -> None:
    """Measure and print what holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="under a minute")
    quick = parser.parse_args().quick
    device = f"{os.cpu_count()} CPU cores"
    report.heading("bench.bpe", device)
    claims = beside_libraries(3 if quick else 9)
    claims += beside_minbpe(1 if quick else 3)
    rules(1 if quick else 5)
    claims += large(1 if quick else 3)
    report.finish("bpe", device, claims)


if __name__ == "__main__":
    main()
