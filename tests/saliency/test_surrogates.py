"""A sum over superpixels is right where the network is one, and Shapley's where it is none."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import KernelShap
from jaxtyping import Float, Int
from sklearn.linear_model import LinearRegression
from torch import Tensor, nn

from core.saliency import Attribution, surrogates
from core.saliency.questions import absent
from core.saliency.sources import ABSENT, DRAWN, source_of
from core.saliency.surrogates import coalitions, kernelshap
from tests.saliency.asking import (
    asked,
    attribution,
    convolutional,
    few_at_a_time,
    image_of,
    plane,
    seeded,
)
from tests.shared.untouched import leaves_untouched, untouched

Labels = Int[np.ndarray, "h w"]
Weights = Float[np.ndarray, " s"]


def curved(channels: int = 1) -> nn.Sequential:
    """A network in which superpixels have much to do with each other."""
    made = seeded(
        nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * channels, 12),
            nn.Hardtanh(-0.1, 0.1),
            nn.Linear(12, 3),
        ),
        4,
    )
    made.get_parameter("3.weight").mul_(10)
    return made


def pieces_of(given: Attribution) -> Labels:
    assert given.surrogate is not None
    return given.surrogate.segments


def weights_of(given: Attribution) -> Weights:
    assert given.surrogate is not None
    return given.surrogate.weights


def without(image: Tensor, empty: Tensor, pieces: Labels, present: Any) -> Tensor:
    """The picture with some superpixels put in one by one."""
    made = empty.clone()
    for piece in np.flatnonzero(np.asarray(present)):
        made[:, :, torch.from_numpy(pieces == piece)] = image[
            :, :, torch.from_numpy(pieces == piece)
        ]
    return made


def worth(
    network: nn.Module, image: Tensor, empty: Tensor, pieces: Labels
) -> dict[frozenset[int], float]:
    """The score of each coalition of superpixels."""
    count = int(pieces.max()) + 1
    return {
        frozenset(np.flatnonzero(present)): float(
            network(without(image, empty, pieces, present))[0, 0]
        )
        for present in itertools.product((0, 1), repeat=count)
    }


def shapley(values: dict[frozenset[int], float], count: int) -> Weights:
    """Shapley 1953: what each brings to those before it, the mean over all orders."""
    found = np.zeros(count)
    for order in itertools.permutations(range(count)):
        before: frozenset[int] = frozenset()
        for player in order:
            found[player] += values[before | {player}] - values[before]
            before |= {player}
    return found / math.factorial(count)


def banzhaf(values: dict[frozenset[int], float], count: int) -> Weights:
    """What each brings to all coalitions of others, each counting the same: not Shapley's."""
    found = np.zeros(count)
    for player in range(count):
        for coalition, value in values.items():
            sign = 1 if player in coalition else -1
            found[player] += sign * value / 2 ** (count - 1)
    return found


def parts(network: nn.Sequential, image: Tensor, empty: Tensor, pieces: Labels) -> Weights:
    """Σ w (x − b) over each superpixel."""
    each = network.get_parameter("1.weight")[0].view(image.shape[1:]) * (image - empty)[0]
    flat = each.sum(0).double().numpy().ravel()
    found: Weights = np.bincount(pieces.ravel(), flat)
    return found


@pytest.mark.parametrize("baseline", ["grey", "noise"])
@pytest.mark.parametrize(
    ("method", "segments"), [("lime", 9), ("kernelshap", 9), ("kernelshap", 4)]
)
def test_a_linear_network_is_recovered_exactly(method: str, segments: int, baseline: str) -> None:
    net, image = plane(3, (3, 8, 8)), image_of(3, 8)
    given = attribution(net, image, method, segments=segments, masks=60, baseline=baseline)
    empty = absent(image, baseline, source_of(0, ABSENT))
    pieces = pieces_of(given)
    wanted = parts(net, image, empty, pieces)
    assert len(wanted) > 3
    np.testing.assert_allclose(weights_of(given), wanted, rtol=1e-4, atol=1e-5)
    for wrong in (parts(net, image, 0 * empty, pieces), wanted[::-1]):
        assert not np.allclose(weights_of(given), wrong, rtol=1e-2, atol=1e-2)
    assert given.surrogate is not None
    assert given.surrogate.intercept == pytest.approx(float(net(empty)[0, 0]), abs=1e-5)
    assert given.surrogate.empty == pytest.approx(float(net(empty)[0, 0]), abs=1e-5)
    assert given.surrogate.fidelity == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("method", ["lime", "kernelshap"])
def test_a_weight_is_spread_evenly_over_its_superpixel(method: str) -> None:
    given = attribution(curved(), image_of(side=8), method, segments=6, masks=40)
    pieces, weights = pieces_of(given), weights_of(given)
    assert given.values.shape == (1, 8, 8)
    for piece, weight in enumerate(weights):
        values = given.values[0][pieces == piece]
        assert len({*values.tolist()}) == 1
        assert values.sum() == pytest.approx(weight, rel=1e-5)
    assert given.grid == (len({*pieces.ravel().tolist()}), 1) != (64, 1)
    assert len({*np.bincount(pieces.ravel())}) > 1  # not all of one size


@pytest.mark.parametrize("segments", [2, 4, 6])
def test_shap_by_all_coalitions_is_the_mean_over_all_orders(segments: int) -> None:
    net, image = curved(), image_of(side=8)
    given = attribution(net, image, "kernelshap", segments=segments, masks=64)
    pieces = pieces_of(given)
    count = int(pieces.max()) + 1
    values = worth(net, image, torch.full_like(image, 0.5), pieces)
    np.testing.assert_allclose(weights_of(given), shapley(values, count), rtol=1e-3, atol=1e-5)
    assert given.passes == 2**count
    if count > 2:
        assert not np.allclose(weights_of(given), banzhaf(values, count), rtol=1e-2, atol=1e-3)


def test_that_shapleys_values_reject_a_kernel_that_is_flat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def flat(count: int, most: int, source: torch.Generator) -> Any:
        present, counts = coalitions(count, most, source)
        return present, np.ones_like(counts)

    monkeypatch.setattr(surrogates, "coalitions", flat)
    net, image = curved(), image_of(side=8)
    given = attribution(net, image, "kernelshap", segments=6, masks=64)
    values = worth(net, image, torch.full_like(image, 0.5), pieces_of(given))
    wanted = shapley(values, len(weights_of(given)))
    assert not np.allclose(weights_of(given), wanted, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(("segments", "masks"), [(4, 20), (12, 60), (30, 61)])
def test_shap_adds_up_to_the_score_less_the_baselines(segments: int, masks: int) -> None:
    given = attribution(curved(), image_of(side=8), "kernelshap", segments=segments, masks=masks)
    assert abs(given.gap) < 1e-5
    assert abs(given.score - given.baseline) > 1e-2
    assert given.query.about.complete
    lime = attribution(curved(), image_of(side=8), "lime", segments=segments, masks=masks)
    assert math.isnan(lime.gap)  # it promises nothing
    total = float(weights_of(lime).sum())
    assert abs(total - (given.score - given.baseline)) > 1e-2


def test_drawn_coalitions_bring_shap_near_the_exact_values() -> None:
    """Of 40 times as many masks the error of a mean is √40 times smaller; here at least 2.5."""
    net, image = curved(), image_of(side=8)
    exact = attribution(net, image, "kernelshap", segments=12, masks=4096)
    assert exact.passes == 2 ** len(weights_of(exact))

    def off(masks: int) -> float:
        drawn = [
            weights_of(attribution(net, image, "kernelshap", segments=12, masks=masks, seed=seed))
            for seed in range(8)
        ]
        return float(np.sqrt(np.square(np.array(drawn) - weights_of(exact)).mean()))

    few, many = off(40), off(1600)
    assert many < 0.4 * few
    assert many < 0.1 * float(np.abs(weights_of(exact)).max())


def test_shap_is_captums_within_its_sampling_error() -> None:
    """Within five standard errors of the mean of eight runs of theirs, which draws no pairs."""
    net, image = curved(), image_of(side=8)
    given = attribution(net, image, "kernelshap", segments=8, masks=600)
    pieces = torch.from_numpy(pieces_of(given))[None, None]
    count = int(pieces.max()) + 1
    assert given.passes == 2**count  # exact
    captums = KernelShap(net)

    def draw(seed: int) -> Weights:
        with torch.random.fork_rng():
            torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
            found = captums.attribute(
                image,
                baselines=0.5,
                target=0,
                feature_mask=pieces,
                n_samples=200,
                perturbations_per_eval=50,
                return_input_shape=False,
            )
        theirs: Weights = found[0].double().numpy()
        return theirs

    runs = np.array([draw(seed) for seed in range(8)])
    error = runs.std(0, ddof=1) / 8**0.5
    off = np.abs(weights_of(given) - runs.mean(0))
    assert (off < 5 * error + 1e-4).all()
    assert (np.abs(weights_of(given)[::-1] - runs.mean(0)) > 5 * error + 1e-4).any()


def test_coalitions_are_drawn_by_the_kernel_and_in_pairs() -> None:
    """Of 20,000 draws the share of each size is within five standard errors of the kernel's."""
    count, most = 10, 998
    sizes, total = np.zeros(count + 1), 0.0
    for seed in range(20):
        present, counts = coalitions(count, most, torch.Generator().manual_seed(seed))
        assert len({row.tobytes() for row in present}) == len(present)
        together = {row.tobytes(): each for row, each in zip(present, counts, strict=True)}
        assert all(together[(~row).tobytes()] == together[row.tobytes()] for row in present)
        sizes += np.bincount(present.sum(1), counts, minlength=count + 1)
        total += counts.sum()
    assert total == 20 * most
    kernel = np.array([0, *(1 / (k * (count - k)) for k in range(1, count)), 0])
    shares = kernel / kernel.sum()
    error = np.sqrt(shares * (1 - shares) / (total / 2)) + 1e-12  # a pair is one draw
    assert (np.abs(sizes / total - shares) < 5 * error).all()
    uniform = np.where(kernel > 0, 1 / (count - 1), 0)
    assert not (np.abs(sizes / total - uniform) < 5 * error).all()


def test_lime_is_scikit_learns_weighted_regression() -> None:
    """Of the pictures that are drawn, each by itself, by the kernel as LIME's own code has it."""
    net, image = curved(), image_of(side=8)
    given = attribution(net, image, "lime", segments=9, masks=300, baseline="black")
    pieces = pieces_of(given)
    count = int(pieces.max()) + 1
    source = source_of(0, DRAWN)
    drawn = (torch.rand(300, count, generator=source) < 0.5).numpy()
    drawn[0] = True
    different = len({row.tobytes() for row in drawn})
    assert given.passes == 1 + different < 300  # equal ones are read once, and nothing at all too
    norms = np.sqrt(drawn.sum(1))
    cosine = drawn.sum(1) / np.maximum(norms, 1e-9) / math.sqrt(count)
    for width, right in ((0.25, True), (1.0, False)):
        kernel = np.sqrt(np.exp(-((1 - cosine) ** 2) / width**2))
        with torch.no_grad():
            scores = torch.cat(
                [net(without(image, 0 * image, pieces, row))[:, 0] for row in drawn]
            ).double()
        fitted = LinearRegression().fit(drawn, scores.numpy(), kernel)
        same = np.allclose(weights_of(given), fitted.coef_, rtol=1e-4, atol=1e-6)
        assert same is right
        if right:
            assert given.surrogate is not None
            assert given.surrogate.intercept == pytest.approx(fitted.intercept_, rel=1e-4)
            nothing = float(net(0 * image)[0, 0])
            assert given.surrogate.empty == pytest.approx(nothing, rel=1e-4)
            assert given.surrogate.intercept != pytest.approx(nothing, rel=0.01)
            r2 = fitted.score(drawn, scores.numpy(), kernel)
            assert given.surrogate.fidelity == pytest.approx(r2, rel=1e-4)
            assert given.surrogate.fidelity < 0.99


@pytest.mark.parametrize("method", ["lime", "kernelshap"])
def test_a_network_that_says_always_the_same_has_no_weights(method: str) -> None:
    net = plane(3, (1, 8, 8))
    net.get_parameter("1.weight").zero_()
    given = attribution(net, image_of(side=8), method, segments=9, masks=50)
    np.testing.assert_allclose(weights_of(given), 0, atol=1e-6)
    assert given.surrogate is not None
    assert given.surrogate.fidelity == 1


@pytest.mark.parametrize("method", ["lime", "kernelshap"])
def test_too_few_masks_are_refused(method: str) -> None:
    net, image = convolutional(), image_of(side=8)
    sentence = "masks must be at least 32, 2 for each superpixel, got 31"
    case = (lambda: attribution(net, image, method, segments=16, masks=31), sentence)
    leaves_untouched(net, case)
    assert attribution(net, image, method, segments=16, masks=32).values.any()


@pytest.mark.parametrize("method", ["lime", "kernelshap"])
def test_batches_of_any_size_give_the_same(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, image = convolutional(), image_of(side=8)
    whole = attribution(net, image, method, segments=9, masks=50)
    few_at_a_time(monkeypatch, 4, image)
    some = attribution(net, image, method, segments=9, masks=50)
    np.testing.assert_allclose(some.values, whole.values, rtol=1e-3, atol=1e-6)
    assert some.passes == whole.passes
    question = asked(net, image, "kernelshap", segments=9, masks=50)
    turns = sum(1 for _ in kernelshap(question))
    assert turns == -(-question.passes // 4)


@pytest.mark.parametrize("method", ["lime", "kernelshap"])
def test_a_difference_of_logits_is_the_difference_of_the_maps(method: str) -> None:
    net, image, query = convolutional(), image_of(side=8), {"segments": 9, "masks": 50}
    both = attribution(net, image, method, against=1, **query).values
    one, other = (attribution(net, image, method, target=each, **query).values for each in (0, 1))
    np.testing.assert_allclose(both, one - other, rtol=1e-3, atol=1e-6)
    assert not np.allclose(both, one, atol=1e-4)


@pytest.mark.parametrize("method", ["lime", "kernelshap"])
def test_a_network_is_as_it_was_before_and_the_seed_decides(method: str) -> None:
    net, image = curved(), image_of(side=8)
    with untouched(net):
        once, again, other = (
            attribution(net, image, method, segments=12, masks=40, seed=seed).values
            for seed in (3, 3, 4)
        )
    assert (once == again).all()
    assert (once != other).any()
