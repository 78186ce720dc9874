"""Train the built-in readers of characters, and write them to assets/readers.

python -m bench.readers [NAME ...]      all, or some
"""

import json
import sys
import time
from dataclasses import asdict, replace

import torch
from safetensors.torch import save_file

from core.lstm_gates import Plan
from core.lstm_gates.built_ins import FOLDER
from core.lstm_gates.learning import begin
from core.shared import devices

BRACKETS = Plan(steps=2_000)
PLANS = {
    "brackets": replace(BRACKETS, seed=7),  # of eight, one in which no cell drifts away
    "brackets-gru": replace(BRACKETS, cell="gru"),
    "brackets-rnn": replace(BRACKETS, cell="rnn", learning_rate=0.003),
    "python": Plan(
        text="python",
        layers=2,
        units=128,
        embedding=32,
        learning_rate=0.004,
        steps=5_000,
    ),
}


def train(name: str) -> dict[str, object]:
    """Train a network to its end and write its weights."""
    began, plan = time.monotonic(), PLANS[name]
    course = begin(plan, None).course
    while not course.ended:
        course.advance()
    point = course.points[-1]
    trained = {key: value.contiguous() for key, value in course.reader.state_dict().items()}
    save_file(trained, FOLDER / f"{name}.safetensors")
    return {
        "plan": asdict(plan),
        "alphabet": course.alphabet,
        "bits": point.validation,
        "right": point.right,
        "impossible": point.impossible,
        "parameters": sum(each.numel() for each in course.parameters),
        "seconds": round(time.monotonic() - began),
        "machine": devices.describe(devices.choose()),
        "torch": torch.__version__,
    }


def main() -> None:
    """Train those that were named, and put what came out beside what is there already."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / "readers.json"
    outcomes = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name in sys.argv[1:] or PLANS:
        outcomes[name] = train(name)
        print(name, outcomes[name], flush=True)
        file.write_text(json.dumps(outcomes, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
