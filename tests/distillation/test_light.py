"""What the server computes itself while a temperature is dragged needs no torch."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIGHT = ("calibrating", "comparing", "darkness", "drawing", "pulling", "sigmoid", "softening")
PROGRAM = """
import sys
from importlib import import_module
for name in sys.argv[1:]:
    import_module(f"core.distillation.{name}")
    print("torch" in sys.modules)
"""


def test_they_are_imported_without_torch_and_what_asks_networks_is_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *LIGHT, "asking"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["False"] * len(LIGHT) + ["True"], done.stderr
