"""The picture that a class wants: where the summit is known it is reached, and nothing else is."""

import itertools
import json
import math
import pickle
from collections.abc import Callable, Generator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from scipy import ndimage
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from core.saliency import WANT, drafting, generating, wanting
from core.saliency.generating import Codes
from core.saliency.neighbours import Neighbours
from core.saliency.wanting import want
from core.saliency.wishes import GENERATOR, NONE, Granted, Wanted, Wish
from core.shared import data, targets
from core.shared.ascent import ascend
from core.shared.autoencoders import Autoencoder, learn
from core.shared.data import Dataset, Split
from core.shared.engine import Engine
from core.shared.loading import Model, load
from core.shared.models import Source
from core.shared.turns import WAITING
from tests.shared.turning import whole
from tests.shared.untouched import leaves_untouched

MNIST = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
SHAPE, SIZE, CLASSES, CODE = (2, 4, 3), 24, 3, 5
BARE = Wish(
    source=MNIST,
    target=1,
    priors=(NONE,),
    steps=60,
    rate=0.05,
    jitter=0,
    blur=0.0,
    weight_decay=0.0,
)
BY_CODE = replace(BARE, priors=(GENERATOR,), rate=0.9)


def numbers(*shape: int, seed: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


class Linear(nn.Module):
    """Logits that are sums of weighted pixels; none of the weights is near 0."""

    def __init__(self) -> None:
        super().__init__()
        drawn = numbers(CLASSES, SIZE, seed=0) * 2 - 1
        self.weight = nn.Parameter(drawn.sign() * (0.5 + drawn.abs()), requires_grad=False)
        self.bias = nn.Parameter(torch.tensor([0.1, 0.25, -0.2]), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight.T + self.bias


def curved(seed: int = 0) -> nn.Sequential:
    layers = nn.Linear(SIZE, 9), nn.Linear(9, CLASSES)
    for k, layer in enumerate(layers):
        layer.weight.data = 2 * numbers(*layer.weight.shape, seed=seed + k) - 1
        layer.bias.data = numbers(*layer.bias.shape, seed=seed + k + 2) - 0.5
    net = nn.Sequential(nn.Flatten(), layers[0], nn.Tanh(), layers[1])
    return net.requires_grad_(False)


class Plane(Autoencoder):
    """A generator whose pictures are linear in their codes."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.down = 2 * numbers(CODE, SIZE, seed=20) - 1
        self.up = 0.05 * (2 * numbers(SIZE, CODE, seed=49) - 1)  # each code counts

    def encode(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k y x"]:
        return (images.flatten(1) @ self.down.T)[..., None, None]

    def decode(self, code: Float[Tensor, "n k y x"]) -> Float[Tensor, "n c h w"]:
        return 0.5 + (code.flatten(1) @ self.up.T).view(-1, *SHAPE)


TRAINING = numbers(201, *SHAPE, seed=30)  # so that a percentile is one of them
LABELS = torch.arange(201) % CLASSES
TEST = numbers(60, *SHAPE, seed=31)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")


def put(monkeypatch: pytest.MonkeyPatch, network: nn.Module, *, known: bool = True) -> nn.Module:
    """Let this network, these images and that generator be found where those of digits are."""
    model = Model(MNIST, network, tuple("abc"), SHAPE, "mnist" if known else "")
    monkeypatch.setattr(wanting, "load", lambda _: model)
    test = Split(TEST, torch.arange(60) % CLASSES)
    found = Dataset(Split(TRAINING, LABELS), test, test, classes=tuple("abc"), mean=0.5)
    monkeypatch.setattr(data, "dataset", lambda *_: found)
    monkeypatch.setattr(generating, "denoiser", plane)
    return network


def plane(*_: object) -> Generator[object, None, Autoencoder]:
    yield WAITING
    yield None
    return Plane()


def granted(wish: Wish) -> Granted:
    *_, ended = want(wish)
    return ended.freeze()


def only(wish: Wish) -> Wanted:
    (picture,) = granted(wish).pictures
    return picture


# By pixels


def is_the_summit(told: Wanted, net: Linear) -> bool:
    """Of a sum of weighted pixels the highest is 1 where the weight is above 0, else 0."""
    weights, bias = (each.double().numpy() for each in (net.weight, net.bias))
    best = (weights[1] > 0).astype(float)
    logits = weights @ best + bias
    share = np.exp(logits[1]) / np.exp(logits).sum()
    grows = [each.value for each in told.film]
    return (
        np.array_equal(told.picture.ravel(), best)
        and told.logit == pytest.approx(logits[1], rel=1e-5)
        and told.probability == pytest.approx(share, rel=1e-4)
        and told.gradient == pytest.approx(np.linalg.norm(weights[1]), rel=1e-5)
        and grows == sorted(grows)
        and grows[0] < grows[-1] == pytest.approx(told.logit)
    )


def test_the_pixels_of_a_linear_network_come_to_its_summit(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Linear()
    put(monkeypatch, net)
    told = only(BARE)
    assert is_the_summit(told, net)
    assert (told.step, told.prior) == (60, NONE)
    shown = [each.step for each in told.film]
    assert (shown[0], shown[-1]) == (0, 60)


class Unsure(nn.Module):
    """Gives logarithms of probabilities, which also grow where other classes fall."""

    def forward(self, logits: Tensor) -> Tensor:
        return logits.log_softmax(1)


def test_that_oracle_rejects_a_descent_another_class_and_probability(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Linear()
    put(monkeypatch, net)
    assert not is_the_summit(only(replace(BARE, target=2)), net)
    assert not is_the_summit(only(replace(BARE, weight_decay=0.3)), net)
    put(monkeypatch, nn.Sequential(net, Unsure()))
    assert not is_the_summit(only(BARE), net)
    put(monkeypatch, net)

    def down(slope: Any, point: Tensor, *given: Any, **named: Any) -> Tensor:
        return 2 * point - ascend(slope, point, *given, **named)

    monkeypatch.setattr(drafting, "ascend", down)
    assert not is_the_summit(only(BARE), net)


def test_a_step_of_pixels_is_the_formula_for_a_shifted_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Linear()
    put(monkeypatch, net)
    wish = replace(BARE, jitter=1, blur=0.7, every=2, weight_decay=0.1, steps=12)
    work = want(wish)
    for _ in range(2):
        wanted = next(work)
    (draft,), w = wanted.drafts, net.weight[1].double().view(1, *SHAPE).numpy()
    shifts = set()
    for step in range(12):
        x = draft.point.double().numpy()
        next(work)
        after = draft.point.numpy()
        fits = []
        for shift in itertools.product((-1, 0, 1), repeat=2):
            slope = np.roll(w, [-each for each in shift], (2, 3))
            moved = x + 0.05 * slope / np.sqrt((w**2).mean()) + 0.1 * (0.5 - x)
            if step % 2 and step < 11:  # what is seen in the end is not smoothed
                sigma = (0, 0, 0.7, 0.7)
                moved = ndimage.gaussian_filter(moved, sigma, mode="nearest", radius=(0, 0, 2, 2))
            fits.append((float(abs(moved.clip(0, 1) - after).max()), shift))
        error, shift = min(fits)
        assert error < 1e-5 < sorted(fits)[1][0]
        shifts.add(shift)
    assert len(shifts) > 3


def in_numpy() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The training images' codes, their means and deviations, and the way from a code to pixels."""
    made = Plane()
    codes = TRAINING.flatten(1).double().numpy() @ made.down.double().numpy().T
    return codes, codes.mean(0), codes.std(0), made.up.double().numpy()


@pytest.mark.parametrize("wish", [BARE, BY_CODE], ids=[NONE, GENERATOR])
def test_logit_and_gradient_are_those_of_finite_differences(
    monkeypatch: pytest.MonkeyPatch, wish: Wish
) -> None:
    """Central differences in double precision are good to 1e-9; ours is of float32."""
    net = put(monkeypatch, curved())
    *_, ended = want(replace(wish, steps=3))
    (told,), (draft,) = ended.freeze().pictures, ended.drafts
    _, mean, spread, up = in_numpy()
    exact = [each.double().numpy() for each in net.parameters()]

    def logit(point: np.ndarray) -> float:
        if wish.priors == (GENERATOR,):
            point = 0.5 + up @ (mean + spread * point)
        hidden = np.tanh(exact[0] @ point + exact[1])
        return float((exact[2] @ hidden + exact[3])[1])

    point = draft.point.double().numpy().ravel()
    nudges = 1e-5 * np.eye(len(point))
    found = [(logit(point + each) - logit(point - each)) / 2e-5 for each in nudges]
    assert told.logit == pytest.approx(logit(point), rel=1e-4)
    assert told.gradient == pytest.approx(np.linalg.norm(found), rel=1e-4)
    other = [(logit(point + each) - logit(point - each)) / 2e-5 for each in nudges[1:]]
    assert told.gradient != pytest.approx(np.linalg.norm(other), rel=1e-4)


# By a generator


def test_a_step_of_a_code_is_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of w · (b + A (μ + σ u)) by u is σ Aᵀ w, and what is drawn is never smoothed."""
    net = Linear()
    put(monkeypatch, net)
    work = want(replace(BY_CODE, rate=0.05, blur=3.0, every=1, weight_decay=0.1))
    wanted = next(work)
    while not wanted.drafts:
        next(work)
    (draft,) = wanted.drafts
    _, _, spread, up = in_numpy()
    slope = spread * (net.weight[1].double().numpy() @ up)
    for _ in range(5):
        before = draft.point.double().numpy().ravel()
        next(work)
        moved = before + 0.05 * slope / np.sqrt((slope**2).mean()) - 0.1 * before
        assert draft.point.numpy().ravel() == pytest.approx(moved, abs=1e-5)


def is_the_best_corner(told: Wanted, net: Linear) -> bool:
    """Try all corners of the range that the codes of training images have, by their percentiles."""
    codes, _, _, up = in_numpy()
    ends = np.percentile(codes, [1, 99], axis=0)
    weights, bias = (each[1].double().numpy() for each in (net.weight, net.bias))
    drawn = [0.5 + up @ np.array(each) for each in itertools.product(*ends.T)]
    logits = [float(weights @ picture + bias) for picture in drawn]
    best = drawn[int(np.argmax(logits))]
    return bool(
        np.allclose(told.picture.ravel(), best, atol=1e-5) and abs(told.logit - max(logits)) < 1e-4
    )


def test_a_linear_generator_comes_to_the_best_corner_of_the_training_images_range(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Linear()
    put(monkeypatch, net)
    assert is_the_best_corner(only(BY_CODE), net)


def test_that_oracle_rejects_another_class_another_range_and_a_descent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Linear()
    put(monkeypatch, net)
    assert not is_the_best_corner(only(replace(BY_CODE, target=0)), net)
    for share in (0.0, 0.05):
        with monkeypatch.context() as patch:
            patch.setattr(generating, "RARE", share)
            assert not is_the_best_corner(only(BY_CODE), net)
    net.weight.mul_(-1)
    told = only(BY_CODE)
    net.weight.mul_(-1)
    assert not is_the_best_corner(told, net)


def stays_in_range(wish: Wish) -> bool:
    """See that no step leaves the percentiles, and that some value comes to each end."""
    codes, mean, spread, _ = in_numpy()
    low, high = (np.percentile(codes, [1, 99], axis=0) - mean) / spread
    met = set()
    work = want(wish)
    wanted = next(work)
    for _ in work:
        for draft in wanted.drafts:
            point = draft.point.double().numpy().ravel()
            if (point < low - 1e-5).any() or (point > high + 1e-5).any():
                return False
            met |= {
                end for end, at in (("low", low), ("high", high)) if (abs(point - at) < 1e-5).any()
            }
    return met == {"low", "high"}


def test_no_step_leaves_the_percentiles(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, curved())
    wish = replace(BY_CODE, rate=0.9, jitter=2, weight_decay=0.1)
    assert stays_in_range(wish)
    monkeypatch.setattr(generating, "RARE", 0.0)
    assert not stays_in_range(wish)


def test_a_generator_begins_at_the_code_of_the_mean_and_that_is_near_the_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(monkeypatch, curved())
    monkeypatch.setattr(generating, "NOISE", 0.0)
    told = only(replace(BY_CODE, steps=1))
    codes, _, _, up = in_numpy()
    mean = 0.5 + up @ codes.mean(0)  # of a linear encoder: the code of the mean
    assert told.film[0].picture.ravel() == pytest.approx(255 * mean, abs=0.51)


def test_values_of_a_code_that_never_differ_stay_as_they_are() -> None:
    class Blank(Plane):
        def encode(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k y x"]:
            code = super().encode(images)
            code[:, 2] = 7.3
            return code

    codes = Codes(Blank(), TRAINING)
    start = codes.start(torch.Generator().manual_seed(0))
    assert start[0, 2] == codes.low[0, 2] == codes.high[0, 2]
    drawn = codes.draw(start).flatten()
    mean = Blank().encode(TRAINING).mean(0).flatten()
    spread = Blank().encode(TRAINING).std(0, correction=0).flatten()
    spread[2] = 0
    code = mean + spread * start.flatten()
    torch.testing.assert_close(drawn, 0.5 + Blank().up @ code, atol=1e-5, rtol=0)


# What is told besides


def test_mean_and_neighbour_are_found_by_going_through_all_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = put(monkeypatch, curved())
    told = granted(replace(BARE, priors=(NONE, GENERATOR), steps=5))
    ours = TRAINING[LABELS == 1].double().mean(0)
    logits = net(ours[None].float())[0].double()
    assert told.mean == pytest.approx(ours.numpy(), abs=1e-6)
    assert told.mean_logit == pytest.approx(float(logits[1]), abs=1e-5)
    assert told.mean_probability == pytest.approx(float(logits.softmax(0)[1]), abs=1e-5)
    tree = NearestNeighbors(n_neighbors=1).fit(TRAINING.flatten(1).numpy())
    far, _ = tree.kneighbors(TEST[torch.arange(60) % 3 == 1].flatten(1).numpy())
    assert told.usual == pytest.approx(float(np.median(far)), abs=1e-4)
    assert [each.prior for each in told.pictures] == [NONE, GENERATOR]
    for picture in told.pictures:
        far, which = tree.kneighbors(picture.picture.reshape(1, -1))
        near = picture.nearest
        assert near is not None
        assert near.index == int(which[0, 0])
        assert near.distance == pytest.approx(float(far[0, 0]), abs=1e-4)
        assert near.label == int(LABELS[near.index])
        assert np.array_equal(near.pixels, TRAINING[near.index].numpy())
        assert near.logit == pytest.approx(float(net(TRAINING[near.index, None])[0, 1]), abs=1e-5)


def test_a_copy_of_a_training_image_is_told_by_its_distance() -> None:
    crowd = Neighbours(TRAINING)
    assert [crowd.nearest(TRAINING[k, None]) for k in (0, 77, 200)] == [(0, 0), (77, 0), (200, 0)]
    assert whole(crowd.median(TRAINING[:40])) == pytest.approx(0, abs=2e-3)  # of cancellation
    assert math.isnan(whole(crowd.median(TRAINING[:0])))


def test_where_the_data_are_not_here_nothing_is_told_of_training_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(monkeypatch, Linear(), known=False)
    told = granted(replace(BARE, steps=2))
    assert told.mean is None
    assert told.pictures[0].nearest is None
    assert math.isnan(told.mean_logit)
    assert math.isnan(told.mean_probability)
    assert math.isnan(told.usual)


def test_a_class_without_training_images_has_no_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "LABELS", torch.zeros(201, dtype=torch.long))
    put(monkeypatch, Linear())
    told = granted(replace(BARE, steps=2))
    assert told.mean is None
    assert told.pictures[0].nearest is not None


# The life of it


def test_a_seed_is_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, curved())
    wish = replace(BARE, priors=(NONE, GENERATOR), steps=3, jitter=1)
    first, again, other = (
        [each.picture for each in granted(replace(wish, seed=seed)).pictures] for seed in (4, 4, 5)
    )
    for k in range(2):
        assert np.array_equal(first[k], again[k])
        assert not np.array_equal(first[k], other[k])
    alone = only(replace(wish, priors=(GENERATOR,), seed=4))
    assert np.array_equal(alone.picture, first[1])


def test_it_is_told_how_far_it_is_and_who_waits_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, Linear())
    wish = replace(BARE, priors=(NONE, GENERATOR), steps=4)
    steps, said = [], []
    for wanted in want(wish):
        if wanted is WAITING:
            said.append("waiting")
            continue
        told = wanted.freeze()
        steps.append([each.step for each in told.pictures])
        said.append(told.working)
        assert wanted.progress == sum(steps[-1]) / 8
    assert steps[:6] == [[], *([step] for step in range(5))]
    assert [each for each in steps if len(each) == 2][:5] == [[4, step] for step in range(5)]
    assert steps[-1] == [4, 4]
    assert said.index("waiting") == 6
    assert said[7] == "now an autoencoder learns"
    assert said[-1] == ""
    assert told.steps == 4


def test_one_that_has_ended_holds_no_network_and_keeps_what_it_saw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(monkeypatch, Linear())
    work = want(BARE)
    for _ in range(4):
        wanted = next(work)
    (draft,) = wanted.drafts
    work.close()  # type: ignore[attr-defined]
    assert {wanted.model, wanted.data, wanted.neighbours, draft.held} == {None}
    assert wanted.freeze().pictures[0].step == 2
    with pytest.raises(ValueError, match="draft must go on, got one that has ended"):
        draft.move()
    with pytest.raises(ValueError, match="wish must go on, got one that has ended"):
        next(iter(wanted.measure()))
    assert pickle.loads(pickle.dumps(wanted.freeze())).pictures[0].step == 2


class Failing(Linear):
    """A network that fails from a certain time on, each time with another word."""

    fails, failed = False, 0

    def forward(self, images: Tensor) -> Tensor:
        if self.fails:
            self.failed += 1
            raise RuntimeError(f"failure {self.failed}")
        return super().forward(images)


def test_where_the_network_fails_all_is_let_go_and_its_first_failure_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Failing()
    put(monkeypatch, net)
    work = want(BARE)
    wanted = next(work)
    next(work)
    next(work)
    (draft,) = wanted.drafts
    net.fails = True
    with pytest.raises(RuntimeError, match="failure 1"):
        next(work)
    assert net.failed > 1  # the last look was tried, too
    assert {wanted.model, wanted.data, wanted.neighbours, draft.held} == {None}


def test_weights_that_are_no_numbers_end_it_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Linear()
    net.weight.fill_(torch.nan)
    put(monkeypatch, net)
    with pytest.raises(FloatingPointError, match="not finite after 0 steps: try another network"):
        granted(BARE)


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (
            replace(BARE, source=LITE, priors=(NONE, GENERATOR)),
            "training images are not here, got 'generator' for EfficientNet-Lite0",
        ),
        (replace(BARE, target=10), "target must be from 0 to 9, got 10"),
    ],
)
def test_what_the_network_cannot_grant_is_refused_and_nothing_is_disturbed(
    wish: Wish, sentence: str
) -> None:
    leaves_untouched(load(wish.source).network, (lambda: next(want(wish)), sentence))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"priors": ()}, "priors must be one or more, each once"),
        ({"priors": (NONE, NONE)}, "priors must be one or more, each once"),
        ({"priors": ("gan",)}, "prior must be one of"),
        ({"target": -1}, "target must be a whole number from 0 to 100,000, got -1"),
        ({"steps": 0}, "steps must be a whole number from 1 to 2,000, got 0"),
        ({"jitter": 33}, "jitter must be a whole number from 0 to 32, got 33"),
        ({"every": 0}, "every must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"rate": 1.5}, "rate must be from 0 to 1, got 1.5"),
        ({"blur": float("nan")}, "blur must be from 0 to 10, got nan"),
        ({"weight_decay": -0.1}, "weight_decay must be from 0 to 1, got -0.1"),
    ],
)
def test_a_bad_wish_is_named_with_its_rule_and_value(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(BARE, **change)


def test_a_wish_comes_back_from_json_as_it_was() -> None:
    wish = replace(BARE, priors=(NONE, GENERATOR))
    again = targets.config_of(want, json.loads(json.dumps(asdict(wish))))
    assert again == wish
    assert hash(again) == hash(wish)


def test_the_engine_grants_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, until: Callable[..., None]
) -> None:
    put(monkeypatch, Linear())
    wish = replace(BARE, priors=(NONE, GENERATOR), steps=3)
    with Engine(tmp_path, devices=("cpu",), inline=True) as engine:
        run = engine.submit(WANT, wish, visitor="ada")
        until(lambda: not engine.view(run).live)
        view = engine.view(run)
    assert (view.status, view.progress) == ("finished", 1.0)
    for ours, told in zip(granted(wish).pictures, view.state.pictures, strict=True):
        assert np.array_equal(ours.picture, told.picture)


# Digits


def few_lessons(*_: object) -> Generator[object, None, Autoencoder]:
    """An autoencoder that has learned for a second."""
    images = data.dataset("mnist", torch.device("cpu")).training.images
    return (yield from learn(images, 0.3, torch.Generator().manual_seed(0), 60))


def looks_like_a_digit(told: Wanted, free: Wanted) -> bool:
    """Whether it is nearer to a training image than what the pixels do alone, and of the class."""
    near, other = told.nearest, free.nearest
    if near is None or other is None:
        return False
    return near.label == 3 and near.distance < 0.9 * other.distance and told.probability > 0.99


def test_a_digit_is_wanted_and_with_a_generator_it_looks_like_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generating, "denoiser", few_lessons)
    found: list[Granted] = []
    leaves_untouched(
        load(MNIST).network,
        lambda: found.append(granted(Wish(source=MNIST, target=3, steps=50))),
    )
    free, drawn = found[0].pictures
    assert free.probability > 0.99
    assert looks_like_a_digit(drawn, free)
    assert not looks_like_a_digit(free, free)
    assert drawn.logit > found[0].mean_logit
