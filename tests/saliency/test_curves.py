"""Pixels go and come in the order of the map, exactly so many, and the network has its say."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.saliency import BASELINES, Query, curves, questions
from core.saliency.curves import deletion, insertion
from core.saliency.questions import Question, absent
from core.saliency.ranking import ranks
from core.saliency.sources import source_of
from tests.saliency.asking import curved, picture, plane, probabilities, question
from tests.shared.turning import whole
from tests.shared.untouched import untouched

SHAPE = (3, 6, 5)
PIXELS = 30
FOLLOW: dict[str, Callable[..., Any]] = {"deletion": deletion, "insertion": insertion}


def any_order(seed: int = 5) -> Int[Tensor, " n"]:
    return torch.randperm(PIXELS, generator=torch.Generator().manual_seed(seed))


def nothing_of(image: Tensor, imputer: str) -> Tensor:
    return absent(image, imputer, source_of(0))


def by_hand(
    asked: Question, order: Tensor, gone: Tensor, points: int, name: str
) -> Float[np.ndarray, " p"]:
    """Change one pixel after another in a loop, and read each picture by itself."""
    here, there = asked.image[0].numpy(), gone[0].numpy()
    start, end = (here, there) if name == "deletion" else (there, here)
    found, query = [], asked.query
    for k in range(points + 1):
        changed = start.copy()
        for place in order.tolist()[: round(k * PIXELS / points)]:
            row, column = divmod(place, SHAPE[2])
            changed[:, row, column] = end[:, row, column]
        shares = probabilities(asked.network, changed)
        chance = shares[asked.target]
        if query.against is not None:
            chance = chance / (chance + shares[query.against])
        found.append(chance)
    return np.array(found)


def is_as_by_hand(name: str, imputer: str, query: Query, points: int) -> None:
    image, order = picture(SHAPE), any_order()
    asked = question(curved(), image, query)
    gone = nothing_of(image, imputer)
    with untouched(asked.network):
        found = whole(FOLLOW[name](asked, order, gone, points))
    assert asked.passes == len(found) == points + 1
    wanted = by_hand(asked, order, gone, points, name)
    assert np.allclose(found, wanted, atol=1e-6)
    assert np.ptp(wanted) > 1e-3  # a thousand times what is let pass


@pytest.mark.parametrize("name", FOLLOW)
@pytest.mark.parametrize("imputer", BASELINES)
def test_a_curve_is_that_of_a_loop_over_pixels(name: str, imputer: str) -> None:
    is_as_by_hand(name, imputer, Query(target=1), 7)


@pytest.mark.parametrize("name", FOLLOW)
@pytest.mark.parametrize("points", [2, 30, 41])
def test_where_two_classes_are_compared_their_share_is_followed(name: str, points: int) -> None:
    is_as_by_hand(name, "grey", Query(target=2, against=0), points)


WRONG: dict[str, tuple[object, str, object]] = {
    "one pixel too many": (curves, "round", lambda count: int(count) + 1),
    "one pixel too few": (curves, "round", lambda count: max(0, int(count) - 1)),
    "the other class": (Question, "score", lambda self, logits: logits[:, self.target]),
}


@pytest.mark.parametrize("case", WRONG)
def test_that_loop_rejects_a_wrong_curve(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, wrong = WRONG[case]
    monkeypatch.setattr(where, name, wrong, raising=False)
    with pytest.raises(AssertionError):
        is_as_by_hand("deletion", "grey", Query(target=2, against=0), 7)


class Recorder(nn.Module):
    """Note what is shown, and answer something."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.shown.append(images)
        return images.flatten(1)[:, :2]


def keeps_the_share(name: str, points: int) -> None:
    """Count the pixels that are other than at the start: all colours of them, in the order."""
    image, order, recorder = picture(SHAPE), any_order(), Recorder()
    gone = nothing_of(image, "black")
    whole(FOLLOW[name](question(recorder, image), order, gone, points))
    shown = torch.cat(recorder.shown)
    start, end = (image, gone) if name == "deletion" else (gone, image)
    other = (shown != start).flatten(2)
    assert (other.all(1) == other.any(1)).all()
    assert ((shown == start) | (shown == end)).all()
    for k, changed in enumerate(other.any(1)):
        share = k / points
        assert abs(int(changed.sum()) - share * PIXELS) <= 0.5  # no pixel nearer to the share
        assert changed[order[: int(changed.sum())]].all()


@pytest.mark.parametrize("name", FOLLOW)
@pytest.mark.parametrize("points", [2, 7, 20, 30, 64])
def test_exactly_the_share_of_the_pixels_is_changed(name: str, points: int) -> None:
    keeps_the_share(name, points)


@pytest.mark.parametrize("off", [-1, 1])
def test_that_count_rejects_a_pixel_more_or_less(off: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "round", lambda count: int(count) + off, raising=False)
    with pytest.raises(AssertionError):
        keeps_the_share("deletion", 30)


def follows(values: Float[np.ndarray, "h w"], name: str) -> Float[np.ndarray, " p"]:
    """Follow a map's order in a linear network whose picture becomes grey."""
    image = picture((1, 6, 5))
    asked = question(plane(), image, Query(target=0))
    order = ranks(values, source_of(0))
    found: Float[np.ndarray, " p"] = whole(
        FOLLOW[name](asked, order, nothing_of(image, "grey"), PIXELS)
    )
    return found


def truth() -> Float[np.ndarray, "h w"]:
    """What each pixel adds to the score of a linear network: w (x − b)."""
    layer = plane()[1]
    assert isinstance(layer, nn.Linear)
    weight = (layer.weight[0] - layer.weight[1]).view(6, 5)
    added: Float[np.ndarray, "h w"] = (weight * (picture((1, 6, 5))[0, 0] - 0.5)).double().numpy()
    return added


def no_order_is_better(values: Float[np.ndarray, "h w"]) -> None:
    """Of a linear network the largest parts first is best at each share: any other is no better."""
    source = np.random.default_rng(0)
    others = [source.random((6, 5)) for _ in range(40)]
    others += [abs(truth()), -truth(), picture((1, 6, 5))[0, 0].double().numpy()]
    down, up = follows(values, "deletion"), follows(values, "insertion")
    for other in others:
        assert (down <= follows(other, "deletion") + 1e-6).all()
        assert (up >= follows(other, "insertion") - 1e-6).all()
    assert down.mean() < follows(others[0], "deletion").mean() - 0.05


def test_in_a_linear_network_no_order_is_better_than_the_true_one() -> None:
    no_order_is_better(truth())


@pytest.mark.parametrize("wrong", [lambda part: -part, abs, lambda part: np.roll(part, 1)])
def test_that_bound_rejects_other_orders(
    wrong: Callable[[Float[np.ndarray, "h w"]], Float[np.ndarray, "h w"]],
) -> None:
    with pytest.raises(AssertionError):
        no_order_is_better(wrong(truth()))


def test_the_ends_of_both_curves_are_the_picture_and_nothing() -> None:
    image = picture(SHAPE)
    asked = question(curved(), image, Query(target=1))
    gone = nothing_of(image, "noise")
    down, up = (whole(follow(asked, any_order(), gone, 4)) for follow in FOLLOW.values())
    ends = [probabilities(asked.network, each[0].numpy())[1] for each in (image, gone)]
    assert np.allclose([down[0], down[-1]], ends, atol=1e-6)
    assert np.allclose([up[-1], up[0]], ends, atol=1e-6)


def test_in_parts_it_is_the_same_and_others_have_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = picture(SHAPE)
    asked = question(curved(), image, Query(target=1))
    given = asked, any_order(), nothing_of(image, "grey"), 20
    at_once = whole(deletion(*given))
    monkeypatch.setattr(questions, "AT_ONCE", {"cpu": 0})
    assert asked.at_once == 4
    assert len([*deletion(*given)]) == 6  # of 21 pictures
    assert np.allclose(whole(deletion(*given)), at_once, atol=1e-6)
