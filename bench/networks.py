"""Train the built-in networks, test them, and write them to assets/networks.

python -m bench.networks [NAME ...]      both, or one
"""

import json
import sys
import time
from dataclasses import asdict, replace

import torch
from safetensors.torch import save_file

from core.shared import devices, weights
from core.shared.evaluating import evaluate
from core.shared.models import NETWORKS
from core.shared.recipes import Recipe
from core.train_cnn import learning

TABLE = weights.NETWORKS["the built-in networks"]  # VGG in small
BASE = Recipe(
    network=TABLE,
    schedule="one-cycle",
    learning_rate=0.1,
    batch_size=64,
    weight_decay=0.0005,
)
RECIPES = {
    "mnist": replace(BASE, epochs=4),
    "fashion": replace(BASE, data="fashion", epochs=12),
}


def train(name: str) -> dict[str, object]:
    """Train a network to its end, read every test image once, and write its weights."""
    began = time.monotonic()
    training = learning.begin(RECIPES[name], None).training
    for _ in training.run():
        pass
    test = evaluate(training.network, training.dataset.test, training.recipe)
    trained = {key: value.contiguous() for key, value in training.network.state_dict().items()}
    save_file(trained, NETWORKS / f"{name}.safetensors")
    return {
        "recipe": asdict(training.recipe),
        "test_accuracy": test.accuracy,
        "test_images": len(training.dataset.test),
        "steps": training.step,
        "seconds": round(time.monotonic() - began),
        "machine": devices.describe(devices.choose()),
        "torch": torch.__version__,
    }


def main() -> None:
    """Train those that were named, and put what came out beside what is there already."""
    NETWORKS.mkdir(exist_ok=True)
    file = NETWORKS / "networks.json"
    outcomes = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name in sys.argv[1:] or RECIPES:
        outcomes[name] = train(name)
        print(name, outcomes[name], flush=True)
        file.write_text(json.dumps(outcomes, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
