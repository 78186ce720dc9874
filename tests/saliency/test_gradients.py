"""Gradients with noise and along paths: closed forms, captum's values, and what adds up."""

from collections.abc import Callable, Generator
from typing import Any

import captum.attr
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.saliency import Attribution, Query
from core.saliency.explaining import CODE, explained
from core.saliency.methods import METHODS
from core.saliency.questions import Answer, Code, Question, absent
from core.saliency.sources import ABSENT, source_of
from core.shared import data, photographs
from core.shared.data import Dataset, Split
from core.shared.seeing import fit
from core.shared.turns import patient
from tests.adversarial.linear import linear
from tests.adversarial.promises import curved
from tests.saliency.asking import answered, asked, convolutions, few_at_a_time, image_of, quietly
from tests.shared.untouched import leaves_untouched

METHODS_HERE = ("gradient", "gradient_input", "smoothgrad", "vargrad", "integrated", "expected")
ALONG_PATHS = ("integrated", "deeplift")
BASELINES = ("black", "grey", "blur", "noise", "own")


def baseline_of(question: Question) -> Tensor:
    return absent(question.image, question.query.baseline, source_of(question.query.seed, ABSENT))


def learned_from(monkeypatch: pytest.MonkeyPatch, images: Tensor) -> None:
    """Let these be the training images of every data set, and nobody ask for another part."""
    split = Split(images, torch.zeros(len(images), dtype=torch.long))
    nothing = Split(images[:0], split.labels[:0])
    monkeypatch.setattr(data, "dataset", lambda *_: Dataset(split, nothing, nothing))


# A linear network: its gradient is w everywhere.


def agrees_with_the_weights(question: Question, code: Code | None = None) -> None:
    """Compare with what the method gives for f(x) = w·x + c."""
    weights = question.network[1].weight.detach()  # type: ignore[index]
    against = question.query.against
    row = weights[question.target] - (0 if against is None else weights[against])
    w, x = row.view(question.image[0].shape), question.image[0]
    wanted = {
        "gradient": w,
        "smoothgrad": w,
        "vargrad": 0 * w,
        "gradient_input": w * x,
    }.get(question.query.method)
    answer = answered(question, code)
    if wanted is None:
        base = baseline_of(question)
        wanted = w * (x - base[0])
        score = float(question.score(question.network(base)))
        assert answer.baseline == pytest.approx(score, abs=1e-5)
    torch.testing.assert_close(answer.values, wanted, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("against", [None, 2])
@pytest.mark.parametrize("method", ["gradient", "gradient_input", "smoothgrad", "vargrad"])
def test_a_linear_networks_gradient_is_its_weights(method: str, against: int | None) -> None:
    network = linear(4, channels=3)
    agrees_with_the_weights(asked(network, image_of(3), method, target=1, against=against))


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("method", ALONG_PATHS)
def test_along_a_path_a_linear_networks_parts_are_weights_times_differences(
    method: str, baseline: str
) -> None:
    network = linear(4, channels=3)
    for steps in (1, 7):
        question = asked(network, image_of(3), method, baseline=baseline, steps=steps, against=3)
        agrees_with_the_weights(question)


def test_expected_gradients_of_a_linear_network_are_weights_times_mean_differences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = image_of(count=2, seed=5)
    learned_from(monkeypatch, known)
    network, image = linear(3), image_of()
    question = asked(network, image, "expected", samples=40, data="mnist")
    answer = answered(question)
    weights = network[1].weight[0].view(1, 6, 6)  # type: ignore[index]
    ends = [weights * (image - each)[0] for each in known]
    # The mean over n draws of two baselines is between their maps, in fortieths.
    share = ((answer.values - ends[0]) / (ends[1] - ends[0])).median()
    assert 0.2 < float(share) < 0.8
    assert float(40 * share) == pytest.approx(round(40 * float(share)), abs=1e-3)
    torch.testing.assert_close(
        answer.values, ends[0] + share * (ends[1] - ends[0]), atol=1e-4, rtol=0
    )
    gap = float(question.score(network(image))) - answer.baseline - float(answer.values.sum())
    assert gap == pytest.approx(0, abs=1e-4)


def wrong_sign(question: Question) -> Generator[None, None, Answer]:
    answer = yield from CODE[question.query.method](question)
    return Answer(values=-answer.values, baseline=answer.baseline)


def without_baseline(question: Question) -> Generator[None, None, Answer]:
    """Multiply by the picture where its difference from the baseline belongs."""
    _, slopes = question.slope(question.image)
    yield
    base = question.ask(question.absent())
    return Answer(values=slopes[0] * question.image[0], baseline=float(base))


def of_another_class(question: Question) -> Generator[None, None, Answer]:
    question.meant = question.target + 1
    return (yield from CODE[question.query.method](question))


def bases_score_forgotten(question: Question) -> Generator[None, None, Answer]:
    answer = yield from CODE[question.query.method](question)
    return Answer(values=answer.values, baseline=0.0)


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        *((method, wrong_sign) for method in ("gradient", "gradient_input", "smoothgrad")),
        *((method, wrong_sign) for method in ALONG_PATHS),
        *((method, without_baseline) for method in ALONG_PATHS),
        *((method, bases_score_forgotten) for method in ALONG_PATHS),
        ("gradient", of_another_class),
        ("vargrad", CODE["smoothgrad"]),
        ("gradient", CODE["gradient_input"]),
        ("gradient_input", CODE["gradient"]),
    ],
)
def test_that_oracle_rejects_a_wrong_engine(method: str, wrong: Code) -> None:
    question = asked(linear(4, channels=3), image_of(3), method, baseline="grey")
    with pytest.raises(AssertionError):
        agrees_with_the_weights(question, wrong)


# Networks whose gradient is another one at each place.


def test_the_gradient_is_how_the_score_moves_with_each_pixel() -> None:
    network, image = curved(3).double(), image_of().double()
    values = answered(asked(network, image, "gradient", target=2, against=1)).values
    for pixel in range(0, 36, 5):
        step = torch.zeros(36, dtype=torch.float64)
        step[pixel] = 1e-5
        up, down = (network(image + sign * step.view_as(image))[0] for sign in (1, -1))
        slope = ((up[2] - up[1]) - (down[2] - down[1])) / 2e-5
        assert float(values.flatten()[pixel]) == pytest.approx(float(slope), rel=1e-5)


def gap_of(question: Question, code: Code | None = None) -> float:
    """Give what is missing to completeness, of what the scores differ by."""
    answer = answered(question, code)
    score, base = (
        float(question.score(question.network(each)))
        for each in (question.image, baseline_of(question))
    )
    assert answer.baseline == pytest.approx(base, abs=1e-4)
    return abs(score - base - float(answer.values.sum())) / abs(score - base)


@pytest.mark.parametrize("baseline", BASELINES)
def test_integrated_gradients_add_up(baseline: str) -> None:
    for method in ALONG_PATHS:
        assert gap_of(asked(curved(3), image_of(), method, baseline=baseline, steps=50)) < 1e-4


def left_sum_of_one_step(question: Question) -> Generator[None, None, Answer]:
    baseline = question.absent()
    scores, slopes = question.slope(baseline)
    yield
    return Answer(values=(slopes * (question.image - baseline))[0], baseline=float(scores))


@pytest.mark.parametrize("wrong", [left_sum_of_one_step, without_baseline, wrong_sign])
def test_that_sum_rejects_a_wrong_engine(wrong: Code) -> None:
    assert gap_of(asked(curved(3), image_of(), "integrated", baseline="grey"), wrong) > 0.02


# The same as captum's.


def of_captum(question: Question, noise: Tensor, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Ask captum, which is told what to draw."""
    network, image, target = question.network, question.image, question.target
    query = question.query
    with quietly():
        match query.method:
            case "gradient":
                found = captum.attr.Saliency(network).attribute(image, target=target, abs=False)
            case "gradient_input":
                found = captum.attr.InputXGradient(network).attribute(image, target=target)
            case "integrated":
                found = captum.attr.IntegratedGradients(network).attribute(
                    image, baseline_of(question), target=target, n_steps=query.steps
                )
            case _:
                monkeypatch.setattr(torch, "normal", lambda *_: query.deviation * noise)
                found = captum.attr.NoiseTunnel(captum.attr.Saliency(network)).attribute(
                    image,
                    nt_type=query.method,
                    nt_samples=query.samples,
                    stdevs=query.deviation,
                    target=target,
                    abs=False,
                )
    values: Tensor = found.detach()[0]
    return values


def noise_for(question: Question) -> Tensor:
    """Draw as is promised: one picture after another, by the seed."""
    source, shape = question.source(), question.image.shape[1:]
    return torch.stack(
        [torch.randn(shape, generator=source) for _ in range(question.query.samples)]
    )


CAPTUM: tuple[tuple[str, dict[str, Any]], ...] = (
    ("gradient", {}),
    ("gradient_input", {}),
    ("smoothgrad", {"samples": 7, "deviation": 0.3}),
    ("vargrad", {"samples": 7, "deviation": 0.3}),
    ("integrated", {"steps": 13}),
    ("integrated", {"steps": 50, "baseline": "noise", "seed": 3}),
)


@pytest.mark.parametrize(("method", "given"), CAPTUM)
@pytest.mark.parametrize("make", [convolutions, lambda: curved(3, side=8)])
def test_the_values_are_captums(
    method: str,
    given: dict[str, Any],
    make: Callable[[], nn.Module],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = image_of(side=8)
    question = asked(make(), image, method, target=2, **given)
    few_at_a_time(monkeypatch, 3, image)
    values = answered(question).values
    theirs = of_captum(question, noise_for(question), monkeypatch)
    assert float(theirs.abs().max()) > 1e-3
    torch.testing.assert_close(values, theirs, atol=1e-5, rtol=1e-3)


def of_all_but_one(question: Question) -> Generator[None, None, Answer]:
    """Divide by one less, as is done for a sample of a larger population."""
    answer = yield from CODE["vargrad"](question)
    count = question.query.samples
    return Answer(values=answer.values * count / (count - 1))


def about_zero(question: Question) -> Generator[None, None, Answer]:
    variance = yield from CODE["vargrad"](question)
    mean = yield from CODE["smoothgrad"](question)
    return Answer(values=variance.values + mean.values.square())


def noise_that_stays_inside(question: Question) -> Generator[None, None, Answer]:
    images = question.image + question.query.deviation * noise_for(question)
    _, slopes = question.slope(images.clamp(0, 1))
    yield
    return Answer(values=slopes.mean(0))


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        ("vargrad", of_all_but_one),
        ("vargrad", about_zero),
        ("smoothgrad", noise_that_stays_inside),
        ("smoothgrad", CODE["gradient"]),
        ("integrated", left_sum_of_one_step),
        ("gradient", wrong_sign),
    ],
)
def test_that_captum_rejects_a_wrong_engine(
    method: str, wrong: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = asked(convolutions(), image_of(side=8), method, samples=7, deviation=0.3)
    values = answered(question, wrong).values
    theirs = of_captum(question, noise_for(question), monkeypatch)
    assert not torch.allclose(values, theirs, atol=1e-5, rtol=1e-3)


def test_expected_gradients_are_captums(monkeypatch: pytest.MonkeyPatch) -> None:
    known, image = image_of(side=8, count=5, seed=4), image_of(side=8)
    learned_from(monkeypatch, known)
    network = convolutions()
    question = asked(network, image, "expected", samples=9, target=1, data="mnist")
    few_at_a_time(monkeypatch, 4, image)
    answer = answered(question)
    source = question.source()
    chosen = known[torch.randint(5, (9,), generator=source)]
    places = torch.rand(9, generator=source).numpy()
    monkeypatch.setattr(np.random, "uniform", lambda *_: places)
    theirs = captum.attr._core.gradient_shap.InputBaselineXGradient(network).attribute(
        image.expand(9, -1, -1, -1), chosen, target=1
    )
    torch.testing.assert_close(answer.values, theirs.detach().mean(0), atol=1e-5, rtol=1e-3)
    assert answer.baseline == pytest.approx(float(network(chosen)[:, 1].mean()), abs=1e-4)
    # Along the way, not at its end: that would be another map.
    _, slopes = question.slope(image.expand(9, -1, -1, -1))
    at_the_end = ((image - chosen) * slopes).mean(0)
    assert not torch.allclose(answer.values, at_the_end, atol=1e-3)


def test_without_training_images_photographs_are_the_baselines() -> None:
    network, image = linear(3, channels=3, side=16), image_of(3, 16)
    question = asked(network, image, "expected", samples=500)
    answer = answered(question)
    names = [each.name for each in photographs.photographs()]
    fitted = [fit(photographs.photograph(each).pixels, (3, 16, 16), "") for each in names]
    chosen = torch.randint(len(names), (500,), generator=question.source())
    mean = torch.tensor(np.stack(fitted))[chosen].mean(0)
    wanted = network[1].weight[0].view(3, 16, 16) * (image[0] - mean)  # type: ignore[index]
    torch.testing.assert_close(answer.values, wanted, atol=1e-4, rtol=1e-3)


def test_data_of_another_shape_are_no_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    learned_from(monkeypatch, image_of(side=5, count=2))
    question = asked(linear(3), image_of(), "expected", data="mnist")
    with pytest.raises(ValueError, match=r"network must take pictures of \(1, 5, 5\), as its data"):
        answered(question)


# How it is computed makes no difference.


@pytest.mark.parametrize("method", ["smoothgrad", "vargrad", "integrated", "expected"])
def test_how_many_pass_together_makes_no_difference(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = image_of(side=8)
    learned_from(monkeypatch, image_of(side=8, count=3, seed=2))

    def run(together: int) -> tuple[Answer, int, int]:
        question = asked(convolutions(), image, method, samples=11, steps=11, data="mnist")
        few_at_a_time(monkeypatch, together, image)
        turns = sum(1 for _ in CODE[method](question))
        question.passes = question.gradients = 0
        answer = answered(question)
        assert question.gradients == 11
        assert question.passes == {"integrated": 12, "expected": 22}.get(method, 11)
        return answer, turns, question.passes

    together, turns, _ = run(11)
    assert turns == 1
    for size, wanted in ((1, 11), (4, 3)):
        apart, turns, _ = run(size)
        assert turns == wanted  # others may have their turn in between
        torch.testing.assert_close(apart.values, together.values, atol=1e-6, rtol=1e-4)
        assert apart.baseline == pytest.approx(together.baseline, abs=1e-5, nan_ok=True)


def test_the_seed_decides_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    learned_from(monkeypatch, image_of(count=9, seed=2))
    for method in ("smoothgrad", "vargrad", "expected"):
        first, again, other = (
            answered(asked(curved(3), image_of(), method, seed=seed, data="mnist")).values
            for seed in (0, 0, 1)
        )
        assert torch.equal(first, again)
        assert not torch.allclose(first, other, atol=1e-4)


@pytest.mark.parametrize("method", METHODS_HERE)
def test_the_network_stays_as_it_is(method: str) -> None:
    network = linear(3, channels=3) if method == "expected" else convolutions()
    image = image_of(3) if method == "expected" else image_of(side=8)
    before = image.clone()
    leaves_untouched(network, lambda: answered(asked(network, image, method, samples=3, steps=3)))
    assert torch.equal(image, before)
    assert not image.requires_grad


def test_what_is_promised_of_a_method_is_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether values are signed, and add up, by asking each about two networks."""
    learned_from(monkeypatch, image_of(side=8, count=3, seed=2))
    for method in METHODS_HERE:
        image = image_of(side=8)
        question = asked(convolutions(), image, method, samples=9, seed=1, data="mnist")
        found: Attribution = patient(explained)(question.model, question.image, question.query)
        assert bool((found.values < 0).any()) == METHODS[method].signed
        assert np.isnan(found.gap) != METHODS[method].complete
        assert found.grid == (8, 8)
        assert (found.query.steps, found.query.seed) == (Query().steps, 1)
