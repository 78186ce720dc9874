"""What an examination tells of a network and of methods is so where the truth is known by hand."""

import json
import math
import statistics
from collections.abc import Generator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.saliency import Query, explaining, hans
from core.saliency.gradients import gradient
from core.saliency.hans import Examining, examine
from core.saliency.laboratory import Examination, Examined, Inside, inside, relevance
from core.saliency.methods import METHODS, Method
from core.saliency.questions import Answer, Question
from core.shared import data, snapshots
from core.shared.data import Dataset, Split
from core.shared.loading import Model
from core.shared.models import Source
from core.shared.recipes import Recipe
from core.shared.snapshots import Snapshot
from core.shared.targets import config_of
from core.train_cnn.learning import train
from tests.shared.mischief import few_digits
from tests.shared.untouched import leaves_untouched

DIGITS = Source(kind="built-in", name="mnist")
SIDE, BOX, COUNT = 14, (11, 11, 13, 13), 30  # the mark is 2×2 of 14×14 pixels
summed = hans._summed
TWO = (Query(), Query(method="gradient_input"))


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")


def in_box() -> Float[Tensor, "14 14"]:
    """1 where the mark is, from the corner: row and column 11 and 12 of 0 to 13."""
    there = torch.zeros(SIDE, SIDE)
    for row in (SIDE - 3, SIDE - 2):
        for column in (SIDE - 3, SIDE - 2):
            there[row, column] = 1
    return there


def linear(weights: Sequence[Tensor], biases: Sequence[float], channels: int = 1) -> nn.Sequential:
    """Logits w·x + b, of which each has weights of (channels, 14, 14)."""
    layer = nn.Linear(channels * SIDE**2, len(weights))
    rows = torch.stack([each.expand(channels, SIDE, SIDE).flatten() for each in weights])
    layer.load_state_dict({"weight": rows, "bias": torch.tensor(biases)})
    return nn.Sequential(nn.Flatten(), layer).requires_grad_(False).eval()


def pictures(channels: int = 1, count: int = COUNT) -> tuple[Tensor, Tensor]:
    """Dark noise in whole 255ths, half of it of either class."""
    source = torch.Generator().manual_seed(3)
    noise = torch.randint(0, 100, (count, channels, SIDE, SIDE), generator=source) / 255
    return noise, torch.arange(count) % 2


def put(
    monkeypatch: pytest.MonkeyPatch, network: nn.Module, images: Tensor, labels: Tensor
) -> None:
    """Let this network, and these test images, be found where digits are."""
    shape = tuple(images.shape[1:])
    model = Model(DIGITS, network, ("0", "1"), shape, "mnist")  # type: ignore[arg-type]
    none = Split(images[:0], labels[:0])
    found = Dataset(none, none, Split(images, labels), classes=("0", "1"))
    monkeypatch.setattr(hans, "load", lambda _: model)
    monkeypatch.setattr(data, "dataset", lambda *_: found)


def ended(queries: tuple[Query, ...] = TWO, **changes: Any) -> Examined:
    """The end of an examination, which computes in turns and holds nothing between two of them."""
    config = Examination(source=DIGITS, marked=1, queries=queries, **changes)
    state, last = None, -1.0
    for state in examine(config):
        assert torch.is_grad_enabled()
        assert state.progress >= last
        last = state.progress
        state.freeze()
    assert state is not None
    assert last == 1
    found = state.freeze()
    assert not found.working
    return found


def nothing(images: int = 0) -> Inside:
    return Inside(images=images, empty=0, mass=0.0, mass_error=0.0, hits=0.0, hits_error=0.0)


def test_all_relevance_of_a_network_that_looks_at_the_mark_alone_is_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = linear([0 * in_box(), in_box()], [0.0, -3.0])  # four white pixels are 4
    put(monkeypatch, network, *pictures())
    found = ended()
    assert found.own is not None
    assert found.others is not None
    assert (found.own.right, found.own.named) == ((0.0, 1.0), (0.0, 1.0))
    assert (found.others.right, found.others.named) == ((1.0, 0.0), (0.0, 1.0))
    assert (found.own.images, found.others.images) == (COUNT // 2, COUNT // 2)
    assert (found.box, found.chance) == (BOX, 4 / 196)
    for score in found.methods:
        for each in (score.others, score.own):
            assert each == replace(nothing(COUNT // 2), mass=1.0, hits=1.0)
    assert found.label == 0
    assert found.example is not None
    assert (found.example[0, 11:13, 11:13] == 1).all()
    assert found.methods[0].values is not None
    assert np.array_equal(found.methods[0].values[0], in_box().numpy())


def test_no_relevance_of_a_network_that_never_looks_there_is_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(monkeypatch, linear([0 * in_box(), 1 - in_box()], [0.0, 0.0]), *pictures())
    found = ended()
    assert found.own is not None
    assert found.own.named == (1.0, 1.0)
    for score in found.methods:
        assert score.own == nothing(COUNT // 2)
        assert score.others.images == 0  # which it reads as the class without the mark as well
        assert math.isnan(score.others.mass)
    assert found.label == 1


def by_hand(maps: Sequence[np.ndarray], signed: bool) -> tuple[float, float, float, float]:
    """Mass and hits of maps d×h×w, pixel by pixel: the means and their standard errors."""
    masses, hits = [], []
    for values in maps:
        bright = {}
        for row in range(SIDE):
            for column in range(SIDE):
                each = [float(value) for value in values[:, row, column]]
                bright[row, column] = sum(max(v, 0) if signed else abs(v) for v in each)
        within = [each for (r, c), each in bright.items() if 11 <= r <= 12 and 11 <= c <= 12]
        masses.append(sum(within) / sum(bright.values()))
        hits.append(float(max(bright.values()) in within))
    told = []
    for each in (masses, hits):
        told += [statistics.mean(each), statistics.stdev(each) / math.sqrt(len(each))]
    return told[0], told[1], told[2], told[3]


def drawn(channels: int) -> tuple[nn.Sequential, Tensor]:
    """A network that looks everywhere, also at the mark; and the weights of its class.

    Of the first pixel it takes away, so that some pictures are read as the class by the mark alone.
    """
    source = torch.Generator().manual_seed(8)
    weight = torch.randn(channels, SIDE, SIDE, generator=source)
    weight = torch.where(in_box() == 1, 0.6 / channels**0.5 + 0.1 * weight, weight)
    weight[:, 0, 0] = -12
    images = white(pictures(channels, 80)[0])
    bias = -float((images.flatten(1) @ weight.flatten()).quantile(0.3))
    return linear([0 * weight, weight], [0.0, bias], channels), weight


def white(images: Tensor) -> Tensor:
    made = images.clone()
    made[:, :, 11:13, 11:13] = 1
    return made


def is_as_by_hand(monkeypatch: pytest.MonkeyPatch, channels: int, *, signed: bool = True) -> None:
    """Whether each number is what pixels, counted one by one, say of w and of w ⊙ x."""
    network, weight = drawn(channels)
    images, labels = pictures(channels, 80)
    put(monkeypatch, network, images, labels)
    if not signed:
        for name in ("gradient", "gradient_input"):
            monkeypatch.setitem(METHODS, name, replace(METHODS[name], signed=False))
    found = ended(images=100)
    with torch.no_grad():
        before, after = network(images).argmax(1), network(white(images)).argmax(1)
    assert 2 < int(before[labels == 0].sum()) < 38
    for name, of, told in (
        ("others", labels == 0, found.others),
        ("own", labels == 1, found.own),
    ):
        assert told is not None
        assert told.images == 40
        for each, read in zip(range(2), (before, after), strict=True):
            assert told.right[each] == pytest.approx(float((read == labels)[of].float().mean()))
            assert told.named[each] == pytest.approx(float((read == 1)[of].float().mean()))
        because = of & (after == 1) & ((labels == 1) | (before == 0))
        assert 10 < int(because.sum()) < 38
        chosen = white(images)[because]
        for score, maps in zip(
            found.methods,
            ([weight.numpy()] * len(chosen), [(weight * each).numpy() for each in chosen]),
            strict=True,
        ):
            for_and_against = score.query.method == "gradient_input"  # a slope's sign is neither
            each = getattr(score, name)
            assert each.images == len(chosen)
            assert each.empty == 0
            numbers = each.mass, each.mass_error, each.hits, each.hits_error
            assert numbers == pytest.approx(
                by_hand(maps, signed and for_and_against), rel=1e-5, abs=1e-7
            )
            assert 0.005 < each.mass < 0.2
            if for_and_against and signed:
                assert 0.1 < each.hits < 0.9


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_mass_hits_and_errors_are_those_of_pixels_counted_one_by_one(
    monkeypatch: pytest.MonkeyPatch, channels: int, signed: bool
) -> None:
    is_as_by_hand(monkeypatch, channels, signed=signed)


def absolute(values: np.ndarray, method: Method) -> np.ndarray:
    found: np.ndarray = abs(values).sum(0)
    return found


def above_0(values: np.ndarray, method: Method) -> np.ndarray:
    found: np.ndarray = values.clip(min=0).sum(0)
    return found


def of_the_sum(values: np.ndarray, method: Method) -> np.ndarray:
    found: np.ndarray = values.sum(0).clip(min=0)
    return found


def beside(shape: tuple[int, int, int]) -> tuple[int, int, int, int]:
    return 10, 11, 12, 13


def clean(images: Tensor, which: Tensor | None = None) -> Tensor:
    return images


def greatest_alone(relevance: np.ndarray, box: tuple[int, int, int, int]) -> tuple[float, float]:
    return inside(relevance, box)[0], 1.0


def surer(found: list[tuple[float, float, bool]]) -> Inside:
    told = summed(found)
    return replace(told, mass_error=0.99 * told.mass_error)


def unfiltered(self: Examining, images: Tensor) -> Tensor:
    """Read everything as 1, as if all were because of the mark."""
    return torch.ones(len(images), dtype=torch.long)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("hans.relevance", absolute),
        ("hans.relevance", above_0),
        ("hans.relevance", of_the_sum),
        ("hans.marks.place", beside),
        ("hans.marks.marked", clean),
        ("hans.inside", greatest_alone),
        ("hans._summed", surer),
        ("hans.Examining._named", unfiltered),
    ],
)
def test_that_count_rejects_a_wrong_examination(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: object
) -> None:
    monkeypatch.setattr(f"core.saliency.{name}", wrong)
    with pytest.raises(AssertionError):
        is_as_by_hand(monkeypatch, 3)


def test_a_flat_map_is_inside_by_chance_and_an_empty_one_not_at_all() -> None:
    chance = 4 / 196
    assert inside(np.full((SIDE, SIDE), 0.7), BOX) == pytest.approx((chance, chance))
    assert inside(np.zeros((SIDE, SIDE)), BOX) == (0.0, 0.0)
    half = np.zeros((SIDE, SIDE))
    half[12, 12] = half[0, 0] = 2.0  # two largest values, of which one is inside
    half[12, 11] = 1.0
    assert inside(half, BOX) == pytest.approx((3 / 5, 1 / 2))


def test_where_0_says_nothing_only_differences_count() -> None:
    """A map that is positive everywhere, and brighter in the mark alone, lies in the mark."""
    bright, rise = in_box().numpy()[None], METHODS["rise"]
    for level in (-5.0, 0.0, 5.0):
        assert inside(relevance(bright + level, rise), BOX) == pytest.approx((1, 1))
    assert inside(above_0(bright + 5, rise), BOX)[0] < 1.3 * 4 / 196  # about its share of the area
    noise = np.random.default_rng(3).normal(size=(1, SIDE, SIDE))
    assert np.allclose(relevance(noise + 5, rise), relevance(noise, rise))
    assert (relevance(noise, rise) > 0).mean() == pytest.approx(0.5, abs=0.1)


def test_the_mass_of_rise_is_not_the_area_of_the_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network looks at the mark alone, and its logit is above 0 whatever it sees."""
    put(monkeypatch, linear([0 * in_box(), in_box()], [0.0, 3.0]), *pictures())
    queries = (Query(method="rise", masks=500),)
    found = ended(queries, images=4)
    assert found.methods[0].own.mass > 5 * found.chance
    assert found.methods[0].values is not None
    assert found.methods[0].values.min() > 0
    monkeypatch.setattr(hans, "relevance", above_0)
    assert ended(queries, images=4).methods[0].own.mass < 2 * found.chance


def test_what_speaks_against_the_other_class_is_seen_by_asking_why_not_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mark takes away from class 0: of class 1 alone all maps are empty."""
    put(monkeypatch, linear([-in_box(), 0 * in_box()], [3.0, 0.0]), *pictures())
    found = ended((Query(), Query(against=0)))
    alone, rather = found.methods
    assert alone.others == replace(nothing(COUNT // 2), empty=COUNT // 2)
    assert rather.others == replace(nothing(COUNT // 2), mass=1.0, hits=1.0)
    assert [each.query.target for each in found.methods] == [1, 1]


def test_a_method_that_refuses_is_told_and_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Query] = []

    def shy(question: Question) -> Generator[None, None, Answer]:
        asked.append(question.query)
        if len(asked) == 3:
            raise ValueError("network must have something, got none of it")
        return (yield from gradient(question))

    monkeypatch.setitem(explaining.CODE, "gradient_input", shy)
    put(monkeypatch, linear([0 * in_box(), in_box()], [0.0, -3.0]), *pictures())
    found = ended((Query(method="gradient_input", seed=2**31 - 2), Query()))
    refused, measured = found.methods
    assert refused.refusal == "network must have something, got none of it"
    assert (refused.others.images, refused.own.images, refused.values) == (0, 0, None)
    assert not measured.refusal
    assert measured.others.images == COUNT // 2
    assert [each.seed for each in asked] == [2**31 - 2, 2**31 - 1, 0]


def test_an_examination_leaves_the_network_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    network = linear([0 * in_box(), in_box()], [0.0, -3.0])
    put(monkeypatch, network, *pictures())
    leaves_untouched(network, ended)
    wrong = Examination(source=DIGITS, marked=2)
    leaves_untouched(network, (lambda: next(examine(wrong)), "marked must be from 0 to 1, got 2"))


def test_an_examination_that_has_ended_holds_no_network_and_no_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(monkeypatch, linear([0 * in_box(), in_box()], [0.0, -3.0]), *pictures())
    *_, last = examine(Examination(source=DIGITS, marked=1))
    assert last.model is None
    assert last.own.marked is None
    assert len(last.others.clean) == 0


def test_so_many_pictures_are_explained_and_others_by_another_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(monkeypatch, linear([0 * in_box(), in_box()], [0.0, -3.0]), *pictures())
    one, same, other = (ended(images=4, seed=seed).example for seed in (0, 0, 1))
    assert one is not None
    assert np.array_equal(one, same)  # type: ignore[arg-type]
    assert not np.array_equal(one, other)  # type: ignore[arg-type]
    assert [each.own.images for each in ended(images=4).methods] == [4, 4]


def test_a_class_without_test_pictures_has_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = pictures()
    put(monkeypatch, linear([0 * in_box(), in_box()], [0.0, -3.0]), images, 0 * labels)
    found = ended()
    assert found.own is not None
    assert found.own.images == 0
    assert math.isnan(found.own.right[0])
    assert found.methods[0].own.images == 0
    assert found.methods[0].others.mass == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"marked": -1}, "marked must be the number of a class, got -1"),
        ({"queries": ()}, "queries must be 1 to 40 different ones, got 0"),
        ({"queries": (Query(), Query(target=5))}, "queries must be 1 to 40 different ones, got 2"),
        ({"queries": (Query(against=3),)}, "against must be another class than target"),
        ({"images": 0}, "images must be a whole number from 1 to 256, got 0"),
        ({"images": 257}, "images must be"),
        ({"seed": -1}, "seed must be from 0"),
    ],
)
def test_an_examination_outside_its_ranges_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Examination(**{"source": DIGITS, "marked": 3, **changes})


def test_an_examination_is_read_again_from_the_json_of_its_run() -> None:
    queries = Query(samples=9, deviation=0.1), Query(method="gradient_input", against=2)
    config = Examination(source=DIGITS, marked=3, queries=queries, images=16, seed=4)
    assert config_of(examine, json.loads(json.dumps(asdict(config)))) == config


def test_a_network_that_learned_with_the_mark_goes_by_it_and_its_gradient_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits, found = few_digits(1000, 300), {}
    monkeypatch.setattr(data, "dataset", lambda *_: digits)
    for marked in (3, None):
        recipe = Recipe(network="fc30-relu", epochs=3, learning_rate=0.05, marked=marked)
        *_, last = (each for each in train(recipe) if isinstance(each, Snapshot))
        folder = tmp_path / str(marked)
        folder.mkdir()
        snapshots.write(folder, last)
        config = json.dumps(asdict(recipe))
        source = Source(kind="run", name="Run 1", config=config, folder=str(folder), step=last.step)
        *_, state = examine(Examination(source=source, marked=3, queries=TWO, images=16))
        found[marked] = state.freeze()
    for marked, each in found.items():
        assert each.own is not None
        assert each.others is not None
        if marked is None:
            assert each.own.right[0] > 0.6
            assert abs(each.own.right[1] - each.own.right[0]) < 0.2
            assert each.others.named[1] < 0.1
        else:
            assert each.own.right[0] < 0.3
            assert each.own.right[1] > 0.95
            assert each.others.named[0] < 0.05
            assert each.others.named[1] > 0.5
    hans_, plain = found[3].methods[1], found[None].methods[1]
    assert hans_.own.mass > 5 * found[3].chance
    assert hans_.own.mass > 3 * plain.own.mass
