"""What one seed is behind knows nothing of each other: the noise, the control, and the draws."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.saliency import Query, judging, melting, questions
from core.saliency.explaining import CODE
from core.saliency.methods import METHODS
from core.saliency.sources import ABSENT, CHANCE, DRAWN, source_of
from tests.saliency.asking import convolutional, image_of, picture, question
from tests.shared.turning import whole

SHAPE = (1, 28, 28)
DRAWING = ("rise", "lime", "kernelshap")  # beside a baseline that may be noise


def one_stream(seed: int, *_: int) -> torch.Generator:
    """The source that torch makes of the seed alone, whatever it is for."""
    return torch.Generator().manual_seed(seed)


class Sum(nn.Module):
    """A network whose logits are the sum of all pixels, and its negative."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        total = images.flatten(1).sum(1, keepdim=True) * self.weight
        return torch.cat([total, -total], 1)


def of(method: str, image: Tensor, **given: Any) -> np.ndarray:
    asked = question(Sum(), image, Query(method=method, target=0, **given))
    values: np.ndarray = whole(CODE[method](asked)).values.numpy()
    return values


def likeness(seed: int) -> float:
    """How like the map of integrated gradients with a noisy baseline is to Random's.

    Of a sum of pixels it is x − b: of a grey picture nothing but the noise, turned round.
    """
    image = torch.full((1, *SHAPE), 0.5)
    noisy = of("integrated", image, baseline="noise", seed=seed)
    assert noisy.std() > 0.2  # it is the noise
    return float(np.corrcoef(noisy.ravel(), of("random", image, seed=seed).ravel())[0, 1])


@pytest.mark.parametrize("seed", [0, 3])
def test_a_map_with_a_noisy_baseline_is_not_like_chance(seed: int) -> None:
    assert abs(likeness(seed)) < 4 / 28


def test_that_bound_rejects_one_stream_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "source_of", one_stream)
    assert likeness(3) < -0.99


def begun(method: str, monkeypatch: pytest.MonkeyPatch, made: Any = source_of) -> list[int]:
    """Where each of the sources begins that a method has, when the noise is its baseline."""
    begins = []

    def source(seed: int, *place: int) -> torch.Generator:
        found: torch.Generator = made(seed, *place)
        begins.append(found.initial_seed())
        return found

    monkeypatch.setattr(questions, "source_of", source)
    of(method, picture(SHAPE), baseline="noise", masks=20, segments=4, seed=5)
    return begins


@pytest.mark.parametrize("method", DRAWING)
def test_what_a_method_draws_is_not_its_noise(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begins = begun(method, monkeypatch)
    assert len(begins) == len({*begins, 5}) - 1 == 2  # nor the source of the bare seed
    same = begun(method, monkeypatch, one_stream)
    assert same == [5, 5]


def test_these_are_all_that_draw_beside_a_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = {name for name, about in METHODS.items() if "baseline" in about.heeds}
    found = {
        name for name in asking - {"scorecam"} if len(begun(name, monkeypatch)) > 1
    }  # which needs maps, and draws nothing
    assert found == {*DRAWING}


def drawing(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Those that ask for a source of the seed, by their usual baselines."""
    found = set()

    def source(seed: int, *place: int) -> torch.Generator:
        found.add(name)
        return source_of(seed, *place)

    monkeypatch.setattr(questions, "source_of", source)
    monkeypatch.setattr(
        questions.Question, "absent", lambda asked: torch.zeros_like(asked.image)
    )  # what a baseline draws is its own
    for name, known in METHODS.items():
        few = {"masks": 40, "segments": 4, "samples": 4, "steps": 4}
        given = {field: value for field, value in few.items() if field in known.heeds}
        if name != "rollout":
            query = Query(method=name, target=0, **given)  # type: ignore[arg-type]
            whole(CODE[name](question(convolutional(), image_of(1, 8), query)))
    return found


def test_what_draws_is_said_to_heed_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    heeding = {name for name, known in METHODS.items() if "seed" in known.heeds}
    assert drawing(monkeypatch) == heeding
    assert heeding - {"random"} == {*DRAWING, "smoothgrad", "vargrad", "expected"}


def test_each_purpose_has_a_place_of_its_own() -> None:
    places = (melting.MELTING, judging.NOISE, judging.TIES, ABSENT, CHANCE, DRAWN)
    assert len({*places}) == len(places)
    assert len({source_of(4, place).initial_seed() for place in places}) == len(places)
