"""A filter is worth what it leaves to an attack that knows it, and no more is said of it."""

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.adversarial import Attack, defences, filtered, filtering, subjects
from core.adversarial.attacking import CODE, attack
from core.adversarial.best import Batch
from core.adversarial.defences import FILTERS, Filtered, FilterTrial, Withstood
from core.adversarial.driving import drive
from core.adversarial.filtered import through
from core.adversarial.filtering import withstand
from core.adversarial.filters import Filter, filter_of, straight_through
from core.adversarial.goals import Goal
from core.adversarial.problems import Network
from core.shared import data, photographs, seeing
from core.shared.loading import Model, load
from core.shared.models import Source
from core.shared.turns import WAITING
from tests.adversarial.linear import linear, two_class_distances
from tests.shared.turning import whole
from tests.shared.untouched import leaves_untouched
from ui.panels.adversarial.trial import verdict

DIGITS = Source(kind="built-in", name="mnist")
PHOTOGRAPHS = Source(kind="built-in", name="efficientnet-lite0")
COUNT = 24
CHOSEN = (("gaussian", 1), ("median", 3), ("jpeg", 50), ("depth", 2), ("resize", 0.2))
Numbers = tuple[float, float, float]


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")


def trial(config: FilterTrial) -> Withstood:
    *_, ended = withstand(config)
    assert ended.progress == 1
    return ended.freeze()


@pytest.fixture(scope="module")
def digits() -> Withstood:
    """The built-in network on digits, behind each filter that need not learn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSBOX_DEVICE", "cpu")
        return trial(
            FilterTrial(source=DIGITS, filters=CHOSEN, epsilon=26 / 255, images=COUNT, steps=8)
        )


def keeps_its_word(accuracy: np.ndarray) -> bool:
    """Whether who knows more is nowhere weaker than who knows less, or than who does nothing."""
    shares = bool(((accuracy >= 0) & (accuracy <= 1)).all())
    return shares and bool((accuracy[:, 2] <= accuracy[:, :2].min(1)).all())


def test_who_knows_a_filter_is_never_weaker_than_who_does_not(digits: Withstood) -> None:
    assert keeps_its_word(digits.accuracy)
    assert digits.accuracy.shape == (1 + len(CHOSEN), 3)
    assert digits.accuracy[0, 1] == digits.accuracy[0, 2]
    clean, unaware, aware = digits.accuracy.T
    assert clean.min() > 0.8
    assert unaware[1] > aware[1] + 0.1  # smoothing helps against who does not expect it
    assert not digits.working
    assert digits.images == COUNT


def test_that_word_is_broken_by_an_attack_that_is_weaker_for_knowing() -> None:
    assert not keeps_its_word(np.array([[1.0, 0.2, 0.3]]))
    assert not keeps_its_word(np.array([[0.1, 0.2, 0.15]]))


def right(images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float((load(DIGITS).network(images).argmax(1) == labels).float().mean())


def test_the_numbers_of_bit_depth_are_those_of_a_network_that_rounds(digits: Withstood) -> None:
    """Rounded by hand; that a digit of black and white withstands is so for any attack."""
    test = data.dataset("mnist", torch.device("cpu")).test
    images, labels = test.images[:COUNT], test.labels[:COUNT]
    row = 1 + [name for name, _ in CHOSEN].index("depth")
    assert digits.accuracy[row, 0] == pytest.approx(right((3 * images).round() / 3, labels))
    assert digits.accuracy[0, 0] == pytest.approx(right(images, labels))
    # Of values from 0 to 0.06 and from 0.94 to 1 none comes to another level within 26/255.
    firm = ((images < 0.06) | (images > 0.94)).float().mean()
    assert firm > 0.8
    assert digits.accuracy[row, 2] > 0.7


class Mean(nn.Module):
    """Two classes: whether the mean of the pixels is above a half."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(40.0))

    def forward(self, images: Tensor) -> Tensor:
        bright = self.weight * (images.mean((1, 2, 3)) - 0.5)
        return torch.stack([-bright, bright], 1)


class Chequered(Mean):
    """The same of flat grey, but it minds a chequerboard four times as much as the mean."""

    def forward(self, images: Tensor) -> Tensor:
        rows, columns = torch.meshgrid(torch.arange(28), torch.arange(28), indexing="ij")
        board = 1 - 2 * ((rows + columns) % 2)
        return super().forward(images + 4 * board * images)


class Brighter(Mean):
    """Two classes: whether the mean of the pixels is above three quarters."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images - 0.25)


def flat_grey(
    monkeypatch: pytest.MonkeyPatch,
    network: nn.Module | None = None,
    levels: Sequence[int] = (40, 100, 118, 123, 133, 138, 156, 210),
) -> tuple[nn.Module, Tensor]:
    """Grey pictures of one shade each, and a network that reads which are bright."""
    shades = torch.tensor(levels) / 255
    images = shades.view(-1, 1, 1, 1).expand(-1, 1, 28, 28).clone()
    network = (network or Mean()).requires_grad_(False)
    model = Model(DIGITS, network, ("dark", "bright"), (1, 28, 28), "mnist")
    monkeypatch.setattr(subjects, "load", lambda _: model)
    monkeypatch.setattr(subjects, "tested", lambda _: (images, (shades > 0.5).long()))
    return network, shades


@pytest.mark.parametrize("name", ["gaussian", "median", "jpeg", "depth"])
def test_a_filter_that_leaves_flat_grey_alone_is_worth_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """All pixels move as one: who knows nothing of the filter has found the best already."""
    _, shades = flat_grey(monkeypatch)
    found = trial(
        FilterTrial(
            source=DIGITS,
            filters=((name, 1 if name == "depth" else FILTERS[name].usual),),
            epsilon=16 / 255,
            images=8,
            steps=10,
        )
    )
    far = (shades - 0.5).abs() > 16 / 255
    assert found.accuracy[0].tolist() == [1.0, float(far.float().mean()), float(far.float().mean())]
    clean, unaware, aware = found.accuracy[1]
    assert clean == 1
    if name == "jpeg":  # shades come out two levels off at most, and so does the boundary
        assert aware <= unaware
        assert aware == pytest.approx(far.float().mean(), abs=1 / 8)
    else:
        assert aware == far.float().mean()


BEHIND = {  # what is read, which shades, and of the network alone how far an attack must go
    # Smoothing wipes out the chequerboard that the network minds, and leaves the mean.
    "gaussian": (Chequered, (40, 111, 112, 123, 133, 143, 144, 210), (127.5, 4 * 16)),
    # Rounded to black or white they are far from three quarters, or not at all.
    "depth": (Brighter, (40, 80, 111, 112, 120, 127, 210, 250), (191.25, 16)),
}


def is_found_by_who_knows(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whether the attack that knows the filter is the best there is, and the other is in vain."""
    network, levels, (boundary, reach) = BEHIND[name]
    flat_grey(monkeypatch, network(), levels)
    found = trial(
        FilterTrial(source=DIGITS, filters=((name, 1),), epsilon=16 / 255, images=8, steps=10)
    )
    shades = np.array(levels)
    alone = float((abs(shades - boundary) > reach).mean())
    assert found.accuracy[0].tolist() == [1, alone, alone]
    # Behind either filter the best is to move all pixels as one, beyond half the way to white.
    aware = float((abs(shades - 127.5) > 16).mean())
    assert found.accuracy[1].tolist() == [1, 1, aware]


@pytest.mark.parametrize("name", BEHIND)
def test_where_the_best_attack_is_known_only_who_knows_the_filter_finds_it(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    is_found_by_who_knows(monkeypatch, name)


@pytest.mark.parametrize("name", BEHIND)
def test_that_closed_form_rejects_an_attack_that_does_nothing_behind_a_filter(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    usual = filtering.Filtering._attacked

    def idle(
        self: filtering.Filtering, network: Network, attack: Attack, **known: bool
    ) -> Generator[object, None, Tensor]:
        if network == self.subject.ask:
            return (yield from usual(self, network, attack, **known))
        return self.subject.images

    monkeypatch.setattr(filtering.Filtering, "_attacked", idle)
    with pytest.raises(AssertionError, match=r"\[1.0, 1.0, 1.0\] == "):
        is_found_by_who_knows(monkeypatch, name)


SIDE, STEP = 8, 4 / 255
QUALITY = 10  # of the JPEG, so low that all pixels change


def patches() -> Tensor:
    """Pictures of two shades each, with a corner in the middle."""
    pictures = torch.full((3, 1, SIDE, SIDE), 96 / 255)
    for k, picture in enumerate(pictures):
        picture[0, : 3 + k, : 5 - k] = (140 + 10 * k) / 255
    return pictures


def one_step_behind(filter_: Filter, images: Tensor) -> tuple[Tensor, Tensor]:
    """Give FGSM's step through a filter before a linear network, and the same without it."""
    network = linear(2, side=SIDE)
    with torch.no_grad():
        assert not filter_(images).equal(images)
        labels = network(filter_(images)).argmax(1)
    attack = Attack(method="fgsm", epsilon=STEP, early=False)

    def behind(seen: Tensor) -> Tensor:
        logits: Tensor = network(filter_(seen))
        return logits

    *_, row = drive(CODE["fgsm"], behind, images, Goal(labels, None), attack)
    weight = two_class_distances(network, images)[1].view(1, 1, SIDE, SIDE)
    return row.images - images, STEP * weight.sign() * (2 * labels - 1).view(-1, 1, 1, 1)


@pytest.mark.parametrize(("name", "strength"), [("median", 3), ("jpeg", QUALITY)])
def test_a_step_straight_through_a_filter_is_that_of_the_network_alone(
    name: str, strength: float
) -> None:
    """BPDA goes back as if the filter did nothing: of a linear network that is FGSM on w."""
    filter_ = filter_of(name, strength, torch.Generator())
    step, known = one_step_behind(straight_through(filter_), patches())
    assert step.allclose(known, atol=1e-6)
    other, _ = one_step_behind(filter_, patches())  # by the filter's own gradient it is another
    assert not other.allclose(known, atol=1e-6)


def test_the_own_gradient_of_a_median_is_that_of_the_pixel_in_the_middle() -> None:
    """Where shades grow to the right and downwards the median is the middle, but at the border."""
    down, right = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    slope = ((80 + 10 * down + right) / 255).view(1, 1, SIDE, SIDE)
    step, known = one_step_behind(filter_of("median", 3, torch.Generator()), slope)
    inner = ..., slice(2, -2), slice(2, -2)
    assert step[inner].allclose(known[inner], atol=1e-6)
    assert not step.allclose(known, atol=1e-6)


def test_a_filter_that_draws_is_known_by_the_mean_of_its_gradients(
    digits: Withstood, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Attack] = []
    usual = subjects.Subject.attack

    def noting(
        self: subjects.Subject, few: Tensor, config: Attack, *rest: Any, drawn: bool = False
    ) -> Generator[object, None, Batch]:
        asked.append(config)
        return (yield from usual(self, few, config, *rest, drawn=drawn))

    monkeypatch.setattr(subjects.Subject, "attack", noting)
    config = FilterTrial(source=DIGITS, filters=(("resize", 0.2), ("jpeg", 50)), images=4, steps=2)
    trial(config)
    assert [each.draws for each in asked] == [1, 8, 1, 1]
    assert [each.method for each in asked] == ["pgd", "pgd", "pgd", "square"]
    assert not any(each.early for each in asked[:3])
    row = 1 + [name for name, _ in CHOSEN].index("resize")
    readings = digits.accuracy[row] * COUNT * defences.READINGS
    assert np.allclose(readings, readings.round())


def test_a_trial_leaves_the_network_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    network, _ = flat_grey(monkeypatch)
    config = FilterTrial(source=DIGITS, filters=CHOSEN, images=2, steps=1)
    leaves_untouched(network, lambda: trial(config))


def test_an_autoencoder_learns_in_its_turns_and_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    flat_grey(monkeypatch)
    learned: list[tuple[object, ...]] = []

    def denoiser(*given: object) -> Generator[object, None, nn.Module]:
        learned.append(given)
        yield WAITING
        return nn.Identity()

    monkeypatch.setattr(filtering, "denoiser", denoiser)
    config = FilterTrial(source=DIGITS, filters=(("autoencoder", 0.5),), images=8, steps=4)
    states = [*withstand(config)]
    assert learned == [("mnist", 0.5)]
    assert any(state is WAITING for state in states)
    found = states[-1].freeze()
    assert (found.accuracy[0] == found.accuracy[1]).all()  # it does nothing


def pixels_of(index: int) -> tuple[np.ndarray, int]:
    test = data.dataset("mnist", torch.device("cpu")).test
    return test.images[index].numpy(), int(test.labels[index])


@pytest.mark.parametrize(("name", "strength"), CHOSEN)
def test_the_picture_on_the_screen_is_filtered_and_read_as_it_says(
    name: str, strength: float
) -> None:
    clean, label = pixels_of(0)
    changed = attack(DIGITS, clean, label, Attack(epsilon=26 / 255, steps=10)).changed
    shown = through(DIGITS, clean, changed, name, strength)
    if name != "resize":
        a_true_reading(shown, DIGITS)
    if name == "depth":
        assert np.allclose(shown.changed, np.round(3 * changed) / 3, atol=1e-6)
        assert shown.after.argmax() == label
    assert shown.before.argmax() == label
    assert shown.before.sum() == pytest.approx(1)


def a_true_reading(shown: Filtered, source: Source) -> None:
    """Read again what is shown."""
    both = torch.tensor(np.stack([shown.clean, shown.changed]))
    with torch.no_grad():
        shares = load(source).network(both).double().softmax(1).numpy()
    assert np.allclose(shown.before, shares[0], atol=1e-4)
    assert np.allclose(shown.after, shares[1], atol=1e-4)


def test_that_a_reading_of_another_picture_would_be_seen() -> None:
    clean, _ = pixels_of(0)
    shown = through(DIGITS, clean, pixels_of(1)[0], "median", 3)
    wrong = Filtered(
        clean=shown.changed, changed=shown.clean, before=shown.before, after=shown.after
    )
    with pytest.raises(AssertionError):
        a_true_reading(wrong, DIGITS)


@pytest.mark.parametrize("name", ["jpeg", "resize"])
def test_a_photograph_goes_through_filters_too_but_no_autoencoder(name: str) -> None:
    pixels = seeing.fit(photographs.photograph("coffee").pixels, (3, 224, 224), "")
    shown = through(PHOTOGRAPHS, pixels, pixels, name, FILTERS[name].usual)
    assert shown.clean.shape == pixels.shape
    if name == "jpeg":
        a_true_reading(shown, PHOTOGRAPHS)
    with pytest.raises(ValueError, match="data are here for an autoencoder to learn from, got Eff"):
        through(PHOTOGRAPHS, pixels, pixels, "autoencoder", 0.3)


def test_the_picture_behind_an_autoencoder_is_what_it_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def denoiser(name: str, strength: float) -> Generator[None, None, Filter]:
        yield None
        return lambda images: (strength * images).clamp(0, 1)

    monkeypatch.setattr(filtered, "denoiser", denoiser)
    clean, _ = pixels_of(0)
    shown = whole(through.in_turns(DIGITS, clean, clean, "autoencoder", 0.5))
    assert np.allclose(shown.clean, clean / 2)
    a_true_reading(shown, DIGITS)


def test_a_look_leaves_the_network_as_it_was_and_a_bad_one_is_named() -> None:
    clean, _ = pixels_of(0)
    small, network = clean[:, :-1], load(DIGITS).network
    leaves_untouched(network, lambda: through(DIGITS, clean, clean, "resize", 0.1))
    leaves_untouched(
        network, (lambda: through(DIGITS, small, small, "jpeg", 50), "picture must be of")
    )
    leaves_untouched(
        network, (lambda: through(DIGITS, clean, clean, "jpeg", 51), "strength of jpeg must be one")
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"filters": ()}, "filters must be one or more"),
        ({"filters": (("jpeg", 50), ("jpeg", 10))}, "filters must be one or more, each once"),
        ({"filters": (("hope", 1),)}, "filter must be one of"),
        ({"filters": (("jpeg", 51),)}, "strength of jpeg must be one of"),
        ({"method": "square"}, "method must be one of"),
        ({"images": 0}, "images must be a whole number from 1 to 1,000, got 0"),
        ({"epsilon": 2.0}, "epsilon must be from 0 to 1 in L∞"),
    ],
)
def test_a_bad_setting_of_a_trial_is_named(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        FilterTrial(source=DIGITS, **given)  # type: ignore[arg-type]


def withstood(*rows: Numbers) -> Withstood:
    return Withstood(
        filters=CHOSEN[: len(rows) - 1], accuracy=np.array(rows), images=64, working=""
    )


@pytest.mark.parametrize(
    ("rows", "told", "untold"),
    [
        (
            ((1, 0.1, 0.1), (1, 0.9, 0.1)),
            "none stands: the best, Gaussian σ 1, leaves 10.0 %",
            "still",
        ),
        (((1, 0.1, 0.1), (1, 0.9, 0.1)), "left behind Gaussian σ 1 (90.0 %)", "still"),
        (((1, 0.1, 0.1), (1, 0.2, 0.1), (1, 0.9, 0.8)), "Median 3×3 (80.0 %) still stands", "none"),
        (((0.9, 0, 0), (0.7, 0.6, 0.16)), "none stands", "still"),
        (((1, 0.7, 0.7), (1, 0.7, 0.7)), "none stands", "Only while"),
    ],
)
def test_the_sentence_says_who_stands_and_who_only_seemed_to(
    rows: tuple[Numbers, ...], told: str, untold: str
) -> None:
    said = verdict(withstood(*rows))
    assert told in said
    assert untold not in said
