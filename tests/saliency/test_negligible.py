"""A map is empty beside what its network could answer, not beside a number of ours."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from core.saliency import Attribution
from core.saliency.methods import CONTROL, METHODS
from tests.saliency.asking import attribution, convolutional, image_of
from ui.explained import panes, reach
from ui.panels.saliency.showing import Map, shown, summed

IMAGE = image_of(1, 8)
FEW = {"samples": 4, "masks": 40, "steps": 8, "segments": 8}
QUIET = 2.0**-14  # about 1e-4


def scaled(factor: float) -> nn.Module:
    """A network whose logits are so many times as large: the factor is a power of 2."""
    network = convolutional()
    last = network[-1]
    assert isinstance(last, nn.Linear)
    for parameter in last.parameters():
        parameter.mul_(factor)
    return network


def explained(method: str, factor: float = 1.0) -> Attribution:
    few = {name: value for name, value in FEW.items() if name in METHODS[method].heeds}
    return attribution(scaled(factor), IMAGE, method, **few)


def said(found: Attribution) -> str:
    """What stands in a map's place; "" where it is drawn."""
    method = found.query.about
    told = Map("", "", summed(found.values, method), method.unit, found.negligible)
    rows = shown([told], {"view": "map", "scale": "own"})
    block = panes(IMAGE[0].numpy(), rows, look="ink", columns=1)
    return str(block.words["rows"][0]["empty"])


def grows_as_it_says(method: str) -> None:
    """Where logits are small already, as some weights are curved in them."""
    small, smaller = (explained(method, 2.0**power) for power in (-13, -14))
    wanted = small.values / 2.0 ** METHODS[method].power
    assert np.allclose(smaller.values, wanted, rtol=1e-2, atol=1e-3 * abs(wanted).max())
    if METHODS[method].power:
        assert smaller.negligible == pytest.approx(
            small.negligible / 2.0 ** METHODS[method].power, rel=1e-4
        )
    else:
        assert small.negligible == smaller.negligible == 0


@pytest.mark.parametrize("method", [name for name in METHODS if name != "rollout"])
def test_a_value_grows_with_the_logits_as_its_method_says(method: str) -> None:
    grows_as_it_says(method)


@pytest.mark.parametrize("method", ["vargrad", "gradient", "edges"])
def test_that_rejects_another_power(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(METHODS[method], power=METHODS[method].power + 1)
    monkeypatch.setitem(METHODS, method, wrong)
    with pytest.raises(AssertionError):
        grows_as_it_says(method)


def test_the_spread_is_that_of_the_logits() -> None:
    for factor in (1.0, QUIET, 2.0**-30, 2.0**20):  # of the last all probabilities but one are 0
        with torch.no_grad():
            logits = scaled(factor)(IMAGE)[0]
        assert explained("gradient", factor).spread == pytest.approx(
            float(logits.max() - logits.min()), rel=1e-5
        )


def is_seen_whatever_its_size() -> None:
    """Also where a network answers a ten-thousandth, or a thousand-millionth, of another."""
    for method in ("gradient", "integrated", "vargrad", "gradcam", "occlusion", "lime"):
        for factor in (1.0, QUIET, 2.0**-30):
            found = explained(method, factor)
            assert said(found) == "", (method, factor)
            top = reach(summed(found.values, found.query.about))
            some = {"found": found.values, "nothing": 0 * found.values}
            noise = (2.0**-24 * found.spread) ** METHODS[method].power  # half of a last bit
            some["noise"] = np.float32(noise / top) * found.values
            told = {name: said(replace(found, values=values)) for name, values in some.items()}
            assert told["nothing"].startswith("This map is empty: nothing beyond 0 ")
            assert told["noise"].startswith("This map is empty: nothing beyond ")


def test_a_map_is_empty_beside_its_networks_answers_alone() -> None:
    is_seen_whatever_its_size()


@pytest.mark.parametrize(
    "wrong", [lambda _: 1e-6, lambda _: 0.0, lambda found: 1e-7 * found.spread]
)
def test_that_rejects_a_number_of_ours_none_and_one_power_for_all(
    wrong: Callable[[Attribution], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Attribution, "negligible", property(wrong))
    with pytest.raises(AssertionError):
        is_seen_whatever_its_size()


def test_of_what_does_not_grow_with_the_logits_only_0_is_nothing() -> None:
    for method, known in METHODS.items():
        assert (known.power == 0) == (known.family == CONTROL or method in ("scorecam", "rollout"))
