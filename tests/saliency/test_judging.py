"""The court tries all maps by one measure, on the network as it is, and shows what it has seen."""

import json
import pickle
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from jaxtyping import Float, Float16
from scipy import integrate
from torch import Tensor, nn

from core.saliency import ALL, JUDGE, Query, explaining, judging
from core.saliency.explaining import explained
from core.saliency.judging import Judging, judge
from core.saliency.methods import METHODS
from core.saliency.packing import packed, unpacked
from core.saliency.questions import Answer, Question, absent
from core.saliency.ranking import ranks, summed
from core.saliency.sources import CHANCE, source_of
from core.saliency.trials import CONTROLS, METHOD, Court, Judged, Row
from core.shared import data
from core.shared.loading import load
from core.shared.targets import config_of, resolve
from core.shared.turns import WAITING
from tests.saliency.asking import SOURCE, curved, model_of, picture, plane, probabilities
from tests.shared.turning import whole
from tests.shared.untouched import leaves_untouched

SHAPE = (1, 6, 5)
COLOURS = (3, 6, 5)
BOTH = (Query(method="gradient"), Query(method="gradient_input"))
GRADIENT, PARTS, EDGES, RANDOM, BLOB, FORGOTTEN = range(6)  # the rows of these two
Put = Callable[..., nn.Module]


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Put:
    """Let a network be found where the digits' is."""

    def put(network: nn.Module, shape: tuple[int, int, int] = SHAPE) -> nn.Module:
        model = model_of(network, shape)
        monkeypatch.setattr(judging, "load", lambda _: model)
        return network

    return put


def court(shape: tuple[int, int, int] = SHAPE, **given: Any) -> Court:
    pixels = picture(shape)[0].numpy()
    usual: dict[str, Any] = {"queries": BOTH, "imputers": ("black", "grey"), "points": 10}
    return Court(source=SOURCE, picture=packed(pixels), **{**usual, **given})


def sat(config: Court) -> Judged:
    *_, ended = judge(config)
    assert ended.progress == 1
    assert ended.freeze().working == ""
    return ended.freeze()


# What is measured


def of_each_pixel(network: nn.Module, pixels: Tensor) -> Float[np.ndarray, "h w"]:
    """What a pixel adds to the score of the class that is read, in a linear network."""
    (layer,) = (each for each in network if isinstance(each, nn.Linear))  # type: ignore[attr-defined]
    read = int(network(pixels[None]).argmax())
    parts: Float[np.ndarray, "h w"] = (layer.weight[read].view(pixels.shape) * pixels)[0].numpy()
    return parts


def by_hand(
    network: nn.Module, values: Float[np.ndarray, "h w"], gone: Float[np.ndarray, "c h w"]
) -> Float[np.ndarray, "2 p"]:
    """Both curves of an order without equal values, ten shares, one picture at a time."""
    pixels = picture(_shape(gone))[0].numpy()
    target = int(probabilities(network, pixels).argmax())
    order = (-values).ravel().argsort()
    found = []
    for start, end in ((pixels, gone), (gone, pixels)):
        curve = []
        for k in range(11):
            first = np.isin(np.arange(30), order[: 3 * k]).reshape(6, 5)
            curve.append(probabilities(network, np.where(first, end, start))[target])
        found.append(curve)
    return np.array(found)


def is_measured_as_by_hand(put: Put, shape: tuple[int, int, int] = SHAPE) -> None:
    """Compare all curves of each row with those by hand, always of the trained network.

    The gradient goes by the sizes of its colours, the gradient times the input by their sum.
    """
    network = put(curved(3, shape), shape)
    found = sat(court(shape))
    model, pixels = model_of(network, shape), picture(shape)
    for row in found.rows:
        colours = whole(explained(model, pixels, row.query)).values.astype(np.float64)
        values = colours.sum(0)
        assert row.most == pytest.approx(values.max())
        assert row.least == pytest.approx(values.min())
        if row.query.method == "gradient":
            values = np.sqrt(colours**2).sum(0)
        if row.query.method == "blob":
            continue  # it has equal values
        assert len(np.unique(values)) == values.size
        for place, grey in enumerate((0.0, 0.5)):
            wanted = by_hand(network, values, np.full(shape, grey, np.float32))
            assert np.allclose([row.deletion[place], row.insertion[place]], wanted, atol=1e-6)


def _shape(values: Float[np.ndarray, "c h w"]) -> tuple[int, int, int]:
    return values.shape[0], values.shape[1], values.shape[2]


@pytest.mark.parametrize("shape", [SHAPE, COLOURS])
def test_the_curves_of_every_row_are_those_by_hand_on_the_trained_network(
    shape: tuple[int, int, int], put: Put
) -> None:
    is_measured_as_by_hand(put, shape)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda values, _: summed(values),  # with signs
        lambda values, _: summed(abs(values)),  # none has signs
        lambda values, order: abs(summed(values)) if order == "size" else summed(values),
    ],
)
def test_that_rejects_another_order_of_colours(
    wrong: Callable[..., Any], put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "precedence", wrong)
    with pytest.raises(AssertionError):
        is_measured_as_by_hand(put, COLOURS)


def test_that_rejects_a_melted_map_that_is_judged_on_its_own_network(
    put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = judging.Judging._try

    def partial(self: Judging, asked: Question, number: int, *rest: Any) -> Iterator[object]:
        if number == FORGOTTEN:
            network = plane(3, SHAPE, seed=9)
            asked = Question(asked.model, network, asked.image, asked.query)
        yield from usual(self, asked, number, *rest)

    monkeypatch.setattr(judging.Judging, "_try", partial)
    with pytest.raises(AssertionError):
        is_measured_as_by_hand(put)


def test_that_rejects_an_order_upside_down(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "ranks", lambda values, source: ranks(-values, source))
    with pytest.raises(AssertionError):
        is_measured_as_by_hand(put)


def the_true_map_wins(put: Put) -> None:
    """Of a linear network and black, the gradient times the input is the truth: none is better."""
    network = put(plane(2, SHAPE))
    found = sat(court(imputers=("black",), points=30))
    assert found.winner == PARTS
    assert found.deletion_winners == found.insertion_winners == (PARTS,)
    true, chance = found.rows[PARTS], found.rows[RANDOM]
    worst = by_hand_of(network, -of_each_pixel(network, picture(SHAPE)[0]))
    assert true.deletion_area[0] < chance.deletion_area[0] < worst[0]
    assert true.insertion_area[0] > chance.insertion_area[0] > worst[1]
    assert true.total > found.rows[FORGOTTEN].total


def by_hand_of(network: nn.Module, values: Float[np.ndarray, "h w"]) -> tuple[float, float]:
    """Both areas of a map against black, by Simpson's neighbour in SciPy."""
    curves = by_hand(network, values, np.zeros(SHAPE, np.float32))
    areas = integrate.trapezoid(curves, dx=0.1, axis=1)
    return float(areas[0]), float(areas[1])


def test_the_true_map_wins_and_chance_lies_between_it_and_its_opposite(put: Put) -> None:
    the_true_map_wins(put)


@pytest.mark.parametrize("wrong", [lambda values: -values, abs, np.zeros_like])
def test_that_rejects_a_court_that_reads_maps_otherwise(
    wrong: Callable[[Any], Any], put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "ranks", lambda values, source: ranks(wrong(values), source))
    with pytest.raises(AssertionError):
        the_true_map_wins(put)


def test_what_stands_trial_and_what_it_costs(put: Put) -> None:
    network = put(curved(3, SHAPE))
    found = sat(court())
    read = int(network(picture(SHAPE)).argmax())
    assert found.target == read
    assert [row.role for row in found.rows] == ["method"] * 2 + ["control"] * 3 + ["melted"]
    methods = [*(query.method for query in BOTH), *CONTROLS, "gradient"]
    assert [row.query.method for row in found.rows] == methods
    assert {row.query.target for row in found.rows} == {read}
    assert found.rows[FORGOTTEN].query.melted == ALL
    assert [row.passes for row in found.rows] == [1, 1, 0, 0, 0, 1]
    assert [row.gradients for row in found.rows] == [1, 1, 0, 0, 0, 1]
    assert all(row.seconds > 0 for row in found.rows)
    assert found.expected == len(found.rows) == 6
    assert found.probability == pytest.approx(
        probabilities(network, picture(SHAPE)[0].numpy())[read], abs=1e-6
    )
    assert found.shares.tolist() == pytest.approx([k / 10 for k in range(11)])


def test_where_two_classes_are_compared_it_is_their_share(put: Put) -> None:
    network = put(curved(3, SHAPE))
    queries = tuple(replace(query, target=0, against=2) for query in BOTH)
    found = sat(court(queries=queries))
    shares = probabilities(network, picture(SHAPE)[0].numpy())
    assert found.probability == pytest.approx(shares[0] / (shares[0] + shares[2]), abs=1e-6)
    for row in found.rows:
        assert row.query.against == 2
        assert row.deletion[:, 0] == pytest.approx(found.probability)
        assert row.insertion[:, -1] == pytest.approx(found.probability)


def test_chance_knows_nothing_of_the_noise_that_stands_for_pixels(put: Put) -> None:
    """Both are drawn by one seed: were they one stream, its order would be that of the noise."""
    shape = (1, 28, 28)
    put(plane(2, shape), shape)
    config = court(shape, imputers=("noise",), seed=3, points=2)
    image = picture(shape)
    noise = absent(image, "noise", source_of(3, judging.NOISE))
    assert Judging(config).absent[0].equal(noise)
    row = sat(config).rows[RANDOM]
    assert abs(np.corrcoef(row.map.ravel(), noise.ravel().numpy())[0, 1]) < 4 / 28
    same = absent(image, "noise", source_of(3, CHANCE))
    assert np.corrcoef(row.map.ravel(), same.ravel().numpy())[0, 1] > 0.99


def test_equal_pixels_are_in_another_order_for_another_seed(put: Put) -> None:
    put(curved(3, SHAPE))
    one, again, other = (sat(court(seed=seed)).rows for seed in (1, 1, 2))
    assert np.array_equal(one[BLOB].map, other[BLOB].map)
    assert not np.array_equal(one[BLOB].deletion, other[BLOB].deletion)
    for row, same in zip(one, again, strict=True):
        assert np.array_equal(row.deletion, same.deletion)
    assert np.array_equal(one[0].deletion, other[0].deletion)  # it has no equal pixels


# What is seen meanwhile


def test_the_court_is_seen_as_it_sits(put: Put) -> None:
    put(plane(2, SHAPE))
    seen, progress, said = list[Judged](), list[float](), list[str]()
    for sitting in judge(court()):
        seen.append(sitting.freeze())
        progress.append(sitting.progress)
        said.append(sitting.working)
    counts = [len(state.rows) for state in seen]
    known = [sum(np.isfinite(row.deletion).sum() for row in state.rows) for state in seen]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert set(counts) == set(range(7))
    assert known == sorted(known)
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0, 1)
    assert seen[0].winner == -1
    assert seen[0].deletion_winners == (-1, -1)
    first = seen[counts.index(1)].rows[0]
    assert first.scale > 0  # the map is there before its curves
    assert np.isnan(first.deletion).all()
    assert not np.isnan(sitting.freeze().rows[0].deletion).any()
    assert np.isnan(first.deletion).all()  # what was seen stays as it was
    assert "now Gradient" in said
    assert "now Gradient, grey in place of pixels" in said
    assert "now Gradient of the network with random weights" in said


def test_in_the_end_no_network_is_held_and_a_look_is_small(put: Put) -> None:
    shape = (3, 224, 224)
    network = nn.Sequential(nn.AvgPool2d(28), plane(2, (3, 8, 8)))
    put(network.requires_grad_(False), shape)
    config = court(shape, imputers=("grey",), points=2)
    *_, sitting = judge(config)
    assert all(each is None for each in (sitting.model, sitting.question))
    assert sitting.absent == []
    found = sitting.freeze()
    assert len(pickle.dumps(found)) < 6 * 2 * 112**2 + 10_000
    edges = found.rows[EDGES]
    given = whole(explained(model_of(network, shape), picture(shape), edges.query))
    wanted = summed(given.values).reshape(112, 2, 112, 2).mean((1, 3))
    assert edges.map.shape == (112, 112)
    assert np.allclose(edges.map, wanted, atol=2e-3 * edges.scale)
    assert edges.scale == pytest.approx(summed(given.values).max())
    assert edges.map.max() < edges.most  # whose range is that of the whole map


def test_a_map_of_tiny_values_keeps_its_units(put: Put) -> None:
    network = plane(2, SHAPE)
    for parameter in network.parameters():
        parameter.mul_(1e-9)
    put(network)
    row = sat(court()).rows[0]
    wanted = network(picture(SHAPE)).argmax()
    layer = cast(nn.Linear, network[1])
    assert np.allclose(row.map.ravel(), layer.weight[wanted].numpy(), rtol=2e-3, atol=1e-13)


def far_up(question: Question) -> Generator[None, None, Answer]:
    """A mean score, some 1,000 logits, of which a pixel's part is less than one."""
    yield
    return Answer(values=1_000 + question.image[0])


def keeps_small_differences_of_large_values(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    put(plane(2, SHAPE))
    monkeypatch.setitem(explaining.CODE, "rise", far_up)
    row = sat(court(queries=(Query(method="rise"),))).rows[0]
    pixels = picture(SHAPE)[0, 0].double().numpy()
    wanted = pixels - pixels.mean()
    # Above 1,000 32 bits leave steps of 6e-5, and 16 bits those of 0.5.
    assert np.allclose(row.map, wanted, atol=1e-3)
    assert (row.least, row.most) == pytest.approx((wanted.min(), wanted.max()), abs=1e-4)


def test_a_map_whose_0_says_nothing_is_kept_less_its_mean(
    put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeps_small_differences_of_large_values(put, monkeypatch)


def test_that_rejects_a_mean_that_is_taken_away_from_16_bits(
    put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrunk = judging._shrunk

    def late(values: Float[np.ndarray, "h w"]) -> Float16[np.ndarray, "H W"]:
        whole = 1_000 + values  # whose largest difference is 1
        kept = shrunk(whole / whole.max()).astype(np.float32) * whole.max()
        less: np.ndarray = (kept - kept.mean()).astype(np.float16)
        return less

    monkeypatch.setattr(judging, "_shrunk", late)
    with pytest.raises(AssertionError):
        keeps_small_differences_of_large_values(put, monkeypatch)


# Whoever cannot explain


def refusing(question: Question) -> Generator[None, None, Answer]:
    """A method for other networks."""
    yield
    raise ValueError("network must have maps, got one without")


def not_a_number(question: Question) -> Generator[None, None, Answer]:
    """A method that divides by 0."""
    yield
    return Answer(values=question.image[0] * torch.nan)


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (refusing, "network must have maps, got one without"),
        (not_a_number, "map must be of finite numbers, got some that are not"),
    ],
)
def test_a_method_that_cannot_explain_this_network_has_its_row_and_the_court_goes_on(
    method: Callable[[Question], Generator[None, None, Answer]],
    sentence: str,
    put: Put,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(plane(2, SHAPE))
    usual = sat(court())
    monkeypatch.setitem(explaining.CODE, "gradient_input", method)
    found = sat(court())
    row = found.rows[PARTS]
    assert row.refused == sentence
    assert np.isnan(row.deletion).all()
    assert np.isnan(row.total)
    assert row.map.shape == (0, 0)
    assert found.winner not in (PARTS, -1)
    for place in (GRADIENT, EDGES, RANDOM, BLOB, FORGOTTEN):
        assert not found.rows[place].refused
        assert np.array_equal(found.rows[place].deletion, usual.rows[place].deletion)


def test_where_the_first_is_refused_so_is_it_of_random_weights(
    put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(plane(2, SHAPE))
    monkeypatch.setitem(explaining.CODE, "gradient", refusing)
    found = sat(court())
    assert [bool(row.refused) for row in found.rows] == [True, False, False, False, False, True]
    assert found.winner == PARTS


def test_who_waits_for_others_gives_them_their_turn(
    put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waiting(question: Question) -> Generator[object, None, Answer]:
        yield WAITING
        return Answer(values=question.image[0])

    put(plane(2, SHAPE))
    monkeypatch.setitem(explaining.CODE, "gradient", waiting)
    assert sum(given is WAITING for given in judge(court())) == 2


# Who wins


def row(deletion: list[list[float]], insertion: list[list[float]]) -> Row:
    return Row(
        role=METHOD,
        query=BOTH[0],
        refused="",
        values=np.zeros((1, 1), np.float16),
        scale=1.0,
        least=0.0,
        most=1.0,
        negligible=0.0,
        passes=1,
        gradients=1,
        seconds=0.1,
        deletion=np.array(deletion),
        insertion=np.array(insertion),
    )


def judged(*rows: Row) -> Judged:
    return Judged(
        rows=rows,
        expected=len(rows),
        imputers=("black", "grey"),
        shares=np.linspace(0, 1, 5),
        target=0,
        probability=1.0,
        working="",
    )


def test_areas_are_those_of_known_curves() -> None:
    ramp, step = [0.0, 0.25, 0.5, 0.75, 1.0], [1.0, 1.0, 0.0, 0.0, 0.0]
    square = [k**2 / 16 for k in range(5)]
    known = row([ramp, step], [square, [0.3] * 5])
    assert known.deletion_area.tolist() == [0.5, 0.375]
    # Of x² trapezoids have a sixth of the squared step too much.
    assert known.insertion_area.tolist() == pytest.approx([1 / 3 + 1 / 96, 0.3])
    wanted = integrate.trapezoid(square, dx=0.25)
    assert known.insertion_area[0] == pytest.approx(wanted)
    assert known.total == pytest.approx((1 / 3 + 1 / 96 - 0.5 + 0.3 - 0.375) / 2)


def test_the_least_area_wins_deletion_and_the_largest_insertion() -> None:
    low, middle, high = [0.1] * 5, [0.4] * 5, [0.8] * 5
    first = row([low, high], [middle, middle])
    second = row([middle, middle], [high, low])
    third = row([high, low], [low, high])
    found = judged(first, second, third)
    assert found.deletion_winners == (0, 2)
    assert found.insertion_winners == (1, 2)
    assert [each.total for each in found.rows] == pytest.approx([-0.05, 0.05, 0.0])
    assert found.winner == 1
    unknown = row([[np.nan] * 5] * 2, [[np.nan] * 5] * 2)
    assert judged(unknown, unknown).winner == -1
    late = judged(unknown, first, second)
    assert (late.deletion_winners, late.insertion_winners, late.winner) == ((1, 2), (2, 1), 2)
    half = row([low, [np.nan] * 5], [high, [np.nan] * 5])
    assert judged(half, first).winner == 1
    assert judged(half, first).insertion_winners == (0, 1)


# How it is asked for


def test_a_court_comes_back_from_json(put: Put) -> None:
    queries = (*BOTH, Query(method="gradient", seed=4, melted=2))
    config = court(queries=queries, imputers=("noise",), seed=2)
    assert resolve(JUDGE) is judge
    again = config_of(judge, json.loads(json.dumps(asdict(config))))
    assert again == config
    assert hash(again) == hash(config)
    assert np.array_equal(unpacked(again.picture), picture(SHAPE)[0].numpy())


def test_a_court_leaves_the_network_as_it_was(put: Put) -> None:
    network = put(curved(3, SHAPE))
    leaves_untouched(network, lambda: sat(court()))
    wrong = court(queries=(Query(target=3),))
    leaves_untouched(network, (lambda: sat(wrong), "target must be from 0 to 2, got 3"))
    other = court(queries=(Query(target=1, against=5),))
    leaves_untouched(network, (lambda: sat(other), "against must be from 0 to 2, got 5"))
    larger = court((1, 6, 6))
    leaves_untouched(network, (lambda: sat(larger), "picture must be of"))


def beats_chance() -> None:
    """Try SmoothGrad on six digits: what it puts first must count more than what chance does."""
    images = data.dataset("mnist", torch.device("cpu")).test.images[:6].numpy()
    totals = []
    for pixels in images:
        config = replace(court((1, 28, 28)), queries=(Query(method="smoothgrad"),))
        found = sat(replace(config, picture=packed(pixels), imputers=("grey",)))
        (random,) = (row for row in found.rows if row.query.method == "random")
        totals.append((found.rows[0].total, random.total))
    ours, chance = np.array(totals).T
    assert ours.mean() > chance.mean() + 0.1
    assert (ours > chance).sum() >= 5


def test_the_pixels_to_which_a_digit_is_sensitive_count_more_than_any() -> None:
    beats_chance()


def test_that_rejects_the_sign_of_a_gradient_as_for_or_against(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed = replace(METHODS["smoothgrad"], order="value")
    monkeypatch.setitem(METHODS, "smoothgrad", signed)
    with pytest.raises(AssertionError):
        beats_chance()


def test_a_court_on_the_shared_network_leaves_it_as_it_was() -> None:
    config = court((1, 28, 28), points=2, imputers=("own",))
    leaves_untouched(load(SOURCE).network, lambda: sat(config))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"queries": ()}, "queries must be 1 to 24 different ones, got 0"),
        ({"queries": (BOTH[0], BOTH[0])}, "queries must be 1 to 24 different ones, got 2"),
        (
            {"queries": tuple(Query(seed=k) for k in range(25))},
            "queries must be 1 to 24 different ones, got 25",
        ),
        ({"queries": (Query(method="edges"),)}, "queries must be of methods, got the control 'edg"),
        ({"queries": (BOTH[0], Query(target=1))}, "queries must be about the same classes"),
        ({"queries": (BOTH[0], Query(against=1))}, "queries must be about the same classes"),
        ({"imputers": ()}, "imputers must be one or more, each once"),
        ({"imputers": ("grey", "grey")}, "imputers must be one or more, each once"),
        ({"imputers": ("paint",)}, "imputer must be one of"),
        ({"points": 1}, "points must be a whole number from 2 to 100, got 1"),
        ({"points": True}, "points must be a whole number from 2 to 100, got True"),
        ({"seed": -1}, "seed must be a whole number from 0 to 2,147,483,647, got -1"),
        ({"picture": "1x28x28:"}, "picture must have 784 values"),
    ],
)
def test_a_bad_wish_of_a_court_is_named(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(court(), **given)
