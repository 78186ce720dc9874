"""What stands beside the paper's figures is what was stored of each of our own runs."""

import json

import numpy as np
from safetensors.numpy import load_file

from core.distillation.hinton import FILE, LOGITS, prepared
from ui.panels.distillation import hinton


def test_each_row_has_the_papers_number_and_that_of_each_seed() -> None:
    seeds = json.loads(FILE.read_text(encoding="utf-8"))["seeds"]
    stored = load_file(LOGITS)
    labels = stored["labels"].astype(int)

    def wrong(seed: str, shift: float, *, threes: bool = False) -> int:
        logits = stored[f"logits.{seed}"].astype(np.float64)
        logits[:, 3] += shift
        missed = logits.argmax(1) != labels
        return int((missed & (labels == 3) if threes else missed).sum())

    told = [(row["paper"], row["each seed"]) for row in hinton._rows(prepared())]
    ours = [
        (67, [each["teacher"] for each in seeds.values()]),
        (146, [each["students"]["plain"] for each in seeds.values()]),
        (None, [each["students"]["jittered"] for each in seeds.values()]),
        (None, [each["students"]["permuted"] for each in seeds.values()]),
        (74, [each["students"]["distilled"] for each in seeds.values()]),
        (206, [wrong(seed, 0) for seed in seeds]),
        (133, [wrong(seed, 0, threes=True) for seed in seeds]),
        (109, [wrong(seed, each["shift"]) for seed, each in seeds.items()]),
        (14, [wrong(seed, each["shift"], threes=True) for seed, each in seeds.items()]),
    ]
    assert told == [(str(paper or "–"), ", ".join(map(str, row))) for paper, row in ours]
    medians = [row["ours, median"] for row in hinton._rows(prepared())]
    assert medians == [float(np.median(row)) for _, row in ours]
