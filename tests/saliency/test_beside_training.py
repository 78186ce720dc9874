"""A network that learns ends as it would have ended, whatever is explained of it meanwhile."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.saliency import ALL, Query
from core.saliency.explaining import explain
from core.saliency.methods import METHODS
from core.shared import data, models, runs, snapshots
from core.shared.models import Source
from core.shared.recipes import Recipe
from core.shared.runs import Manifest
from core.train_cnn import learning
from tests.shared.mischief import few_digits

RECIPE = Recipe(
    network="conv4-batch-relu,max2,fc8-drop50", learning_rate=0.05, batch_size=32, epochs=1
)
FEW = {"samples": 2, "masks": 10, "steps": 2, "segments": 4}
Looks = Callable[[learning.Lesson, Source], object]


@pytest.fixture(autouse=True)
def digits(monkeypatch: pytest.MonkeyPatch) -> None:
    few = few_digits()
    monkeypatch.setattr(data, "dataset", lambda name, device, images=0: few)
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")


def learned(folder: Path, look: Looks) -> dict[str, Tensor]:
    """Train, look at each step, and give the weights and statistics in the end."""
    manifest = Manifest(
        run="a",
        visitor="b",
        function="core.train_cnn.learning:train",
        number=1,
        config=asdict(RECIPE),
        status="running",
        started=0.0,
    )
    place = runs.folder_of(folder, manifest)
    place.mkdir(parents=True)
    lesson = None
    for given in learning.train(RECIPE):
        if isinstance(given, learning.Lesson):
            lesson = given
            training = given.training
            snapshots.write(place, training.snapshot(), rolling=False)
            look(given, models.of_run(folder, manifest, training.step))
    assert lesson is not None
    return {key: value.clone() for key, value in lesson.training.network.state_dict().items()}


def nothing(lesson: learning.Lesson, source: Source) -> None:
    """Look at nothing."""


def everything(lesson: learning.Lesson, source: Source) -> None:
    """Explain an answer by every method, also of the network as it melts."""
    pixels = data.dataset("mnist", torch.device("cpu")).test.images[0].numpy()
    for name, known in METHODS.items():
        few = {field: value for field, value in FEW.items() if field in known.heeds}
        with suppress(ValueError):  # rollout has no attention here
            explain(source, pixels, Query(method=name, **few))  # type: ignore[arg-type]
    explain(source, pixels, Query(melted=ALL))


def the_living(lesson: learning.Lesson, source: Source) -> None:
    """Explain the network itself, as it is done elsewhere: put it at rest and leave it so."""
    lesson.training.network.eval()


def test_what_is_explained_meanwhile_changes_nothing(tmp_path: Path) -> None:
    alone, beside = (learned(tmp_path / each.__name__, each) for each in (nothing, everything))
    assert alone.keys() == beside.keys()
    assert all(torch.equal(alone[key], beside[key]) for key in alone)


def test_that_rejects_who_puts_the_living_network_at_rest(tmp_path: Path) -> None:
    alone, beside = (learned(tmp_path / each.__name__, each) for each in (nothing, the_living))
    assert not all(torch.equal(alone[key], beside[key]) for key in alone)
