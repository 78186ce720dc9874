"""One change for all: of a linear network it is the known corner, and on digits it beats noise."""

import dataclasses
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.adversarial import universal as module
from core.adversarial.balls import random_change
from core.adversarial.studies import UNIVERSAL, Universal, UniversalAttack
from core.adversarial.universal import universal
from core.shared import targets
from core.shared.data import mnist
from core.shared.engine import Engine
from core.shared.loading import load
from core.shared.models import Source
from tests.adversarial.linear import inner_images, linear
from tests.adversarial.promises import any_images, curved, last, put
from tests.shared.untouched import leaves_untouched

MNIST = Source(kind="built-in", name="mnist")
PLAIN = UniversalAttack(source=MNIST, epsilon=0.2, images=40, steps=10, batch_size=40)


def told_by(config: UniversalAttack) -> Universal:
    return last(universal(config)).freeze()


def is_the_corner(norm: str, channels: int, told: Universal, images: Tensor) -> None:
    """Most images are of one class: the change is what leads away from it on the shortest way."""
    layer = linear(2, channels)[1]  # type: ignore[index]
    weight = layer.weight[0] - layer.weight[1]
    logits = linear(2, channels)(images)
    signed = logits[:, 0] - logits[:, 1]
    away = -float(torch.sign((signed > 0).float().mean() - 0.5)) * weight
    corner = PLAIN.epsilon * (away.sign() if norm == "linf" else away / away.norm())
    found = torch.from_numpy(told.change).flatten()
    # In L∞ 0.2 is 51 levels; in L2 each value is rounded, or cut, to a level.
    assert found.allclose(corner, atol=1e-6 if norm == "linf" else 1 / 255)
    # So the margin falls or rises alike for all, and those change that are nearer to 0.
    change = float(found @ weight)
    assert told.fooled == pytest.approx(
        float(((signed > 0) != (signed + change > 0)).double().mean())
    )
    assert told.fooled > 0


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("loss", ["margin", "ce"])
def test_of_a_linear_network_it_is_the_worst_corner_for_most(
    monkeypatch: pytest.MonkeyPatch, norm: str, channels: int, loss: str
) -> None:
    images = inner_images(40, channels)
    others = inner_images(30, channels, seed=2)
    put(monkeypatch, linear(2, channels), others, training=images)
    if loss == "ce":  # all of one class, as cross-entropy weighs the images
        read = linear(2, channels)(images).argmax(1)
        images = images[read == read.mode().values]
        put(monkeypatch, linear(2, channels), images)
    told = told_by(replace(PLAIN, norm=norm, loss=loss))
    is_the_corner(norm, channels, told, images)


@pytest.mark.parametrize("wrong", [lambda _, gradient: -gradient.sign(), lambda _, g: 0 * g])
def test_that_oracle_rejects_a_search_that_descends_or_does_nothing(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[str, Tensor], Tensor]
) -> None:
    images = inner_images(40)
    put(monkeypatch, linear(2), images)
    monkeypatch.setattr(module, "steepest", wrong)
    told = told_by(PLAIN)
    with pytest.raises(AssertionError):
        is_the_corner("linf", 1, told, images)


@pytest.mark.parametrize(("classes", "channels"), [(2, 3), (3, 1), (10, 3), (100, 1)])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_what_is_told_is_so_when_it_is_computed_from_the_change_alone(
    monkeypatch: pytest.MonkeyPatch, classes: int, channels: int, norm: str
) -> None:
    network, images = curved(classes, channels), any_images(60, channels)
    others = any_images(50, channels, seed=9)
    put(monkeypatch, network, others, training=images)
    epsilon = 0.2 if norm == "linf" else 1.0
    config = replace(PLAIN, norm=norm, epsilon=epsilon, images=100, batch_size=20)
    before = -1.0
    for search in universal(config):
        told = search.freeze()
        change = torch.from_numpy(told.change)
        size = change.abs().max() if norm == "linf" else change.norm()
        assert float(size) <= epsilon + 1e-5
        assert (change * 255).round().allclose(change * 255, atol=1e-3)
        for share, few in ((told.fooled, images), (told.held_out, others)):
            levels = ((few + change).clamp(0, 1) * 255).round() / 255
            other = network(levels).argmax(1) != network(few).argmax(1)
            assert share == pytest.approx(float(other.double().mean()))
        assert (told.images, told.others) == (60, 50)
        assert search.progress == told.step / 10 > before
        before = search.progress
    assert told.step == told.steps == 10
    assert told.fooled > 0.2
    assert told.held_out > 0.1


def test_before_the_first_step_nobody_is_fooled(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, curved(3), any_images(20))
    search = next(universal(PLAIN))
    told = search.freeze()
    assert (told.step, told.fooled, told.held_out, search.progress) == (0, 0, 0, 0)
    assert not told.change.any()
    with pytest.raises(dataclasses.FrozenInstanceError):
        told.step = 1  # type: ignore[misc]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_epsilon_of_0_fools_nobody(monkeypatch: pytest.MonkeyPatch, norm: str) -> None:
    put(monkeypatch, curved(3), any_images(20))
    told = told_by(replace(PLAIN, norm=norm, epsilon=0.0))
    assert (told.fooled, told.held_out) == (0, 0)
    assert not told.change.any()


def beats_noise(change: np.ndarray) -> None:
    """Of digits that nothing was learned from it fools far more than noise of the same size."""
    test = mnist(torch.device("cpu")).test
    network, images = load(MNIST).network, test.images[500:800]
    source = torch.Generator().manual_seed(0)
    noise = random_change("linf", images, torch.full((300,), 0.1), source)
    with torch.no_grad():
        clean = network(images).argmax(1)
        shares = [
            float((network((images + each).clamp(0, 1)).argmax(1) != clean).float().mean())
            for each in (torch.from_numpy(change), noise)
        ]
    assert shares[0] > shares[1] + 0.05  # three deviations of a difference of such shares


def test_on_digits_it_fools_more_than_noise_does() -> None:
    config = UniversalAttack(source=MNIST, epsilon=0.1, images=200, steps=30, batch_size=40)
    beats_noise(told_by(config).change)


@pytest.mark.parametrize("wrong", ["nothing", "noise"])
def test_that_comparison_rejects_noise_and_no_change(wrong: str) -> None:
    source = torch.Generator().manual_seed(4)
    noise = random_change("linf", torch.zeros(1, 1, 28, 28), torch.tensor([0.1]), source)[0]
    with pytest.raises(AssertionError):
        beats_noise((noise * (wrong == "noise")).numpy())


def test_the_seed_decides_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, curved(3), any_images(20), training=any_images(60))
    found = [told_by(replace(PLAIN, seed=seed, batch_size=8)).change for seed in (1, 1, 2)]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_a_batch_may_be_larger_than_what_passes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images = any_images(300)
    put(monkeypatch, curved(3), images)
    config = replace(PLAIN, images=300, batch_size=300)
    whole = told_by(config).change
    monkeypatch.setattr(module, "portion", lambda _: 1_000)
    assert np.allclose(told_by(config).change, whole, atol=1.01 / 255)  # two orders of a sum


def test_one_that_has_ended_holds_no_network_and_keeps_its_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(monkeypatch, curved(3), any_images(20), training=any_images(60))
    searches = universal(PLAIN)
    search = next(searches)
    assert next(searches) is search
    searches.close()  # type: ignore[attr-defined]
    assert search.network is None
    assert search.images.untyped_storage().nbytes() == 0
    assert search.freeze().step == 1
    with pytest.raises(ValueError, match="search must go on, got one that has ended"):
        search.move()


def test_a_gradient_that_is_not_finite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = linear(2)
    put(monkeypatch, network, inner_images(4))
    searches = universal(PLAIN)
    next(searches)
    network[1].weight.fill_(torch.nan)  # type: ignore[index]
    with pytest.raises(FloatingPointError, match="the gradient was not finite after 0 steps"):
        next(searches)


def test_a_network_whose_data_are_not_here_is_refused() -> None:
    source = Source(kind="built-in", name="efficientnet-lite0")
    with pytest.raises(ValueError, match="network must be one whose data are here, got Eff"):
        next(universal(replace(PLAIN, source=source)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"norm": "l0"}, "norm must be one of"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"epsilon": 1.5}, "epsilon must be from 0 to 1 in L∞, got 1.5"),
        ({"epsilon": float("nan")}, "epsilon must be finite and not below 0, got nan"),
        ({"epsilon": -1.0, "norm": "l2"}, "epsilon must be finite and not below 0, got -1"),
        ({"steps": 0}, "steps must be a whole number from 1 to 2,000, got 0"),
        ({"images": 10_001}, "images must be a whole number from 1 to 10,000, got 10001"),
        ({"batch_size": True}, "batch_size must be a whole number from 1 to 1,000, got True"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_a_bad_setting_is_named_with_its_rule_and_value(
    change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(PLAIN, **change)  # type: ignore[arg-type]


def test_a_config_comes_back_from_json_as_it_was() -> None:
    again = targets.config_of(universal, json.loads(json.dumps(asdict(PLAIN))))
    assert again == PLAIN
    assert hash(again) == hash(PLAIN)


def test_the_engine_finds_the_same(tmp_path: Path, until: Callable[..., None]) -> None:
    config = replace(PLAIN, images=30, steps=3, batch_size=10)
    with Engine(tmp_path, devices=("cpu",), inline=True) as engine:
        run = engine.submit(UNIVERSAL, config, visitor="ada")
        until(lambda: not engine.view(run).live)
        view = engine.view(run)
    assert (view.status, view.progress) == ("finished", 1.0)
    assert np.array_equal(view.state.change, told_by(config).change)
    assert pickle.loads(pickle.dumps(view.state)).step == 3


def test_a_search_leaves_the_network_as_it_was() -> None:
    config = replace(PLAIN, images=10, steps=1, batch_size=10)
    leaves_untouched(load(MNIST).network, lambda: told_by(config))


def shows_what_it_does(told: Universal) -> None:
    """Read the pictures again that are shown with the change and without."""
    clean, changed = torch.from_numpy(told.examples), torch.from_numpy(told.changed)
    assert np.allclose(told.changed, np.clip(told.examples + told.change, 0, 1), atol=1e-6)
    with torch.no_grad():
        network = load(MNIST).network
        assert (network(clean).argmax(1).numpy() == told.read).all()
        assert (network(changed).argmax(1).numpy() == told.misread).all()


def test_the_pictures_that_are_shown_are_read_as_it_says() -> None:
    told = told_by(replace(PLAIN, epsilon=0.3, images=100, steps=20))
    assert told.examples.shape == (6, 1, 28, 28)
    assert np.array_equal(told.examples, mnist(torch.device("cpu")).test.images[:6].numpy())
    shows_what_it_does(told)
    with pytest.raises(AssertionError):
        shows_what_it_does(replace(told, misread=told.misread[::-1] + 1))
