"""An attack keeps its promises: the budget, the best so far, 8 bits, and nothing not found."""

from collections.abc import Callable, Generator

import pytest
import torch
from torch import Tensor, nn

from core.adversarial import METHODS, Attack
from core.adversarial.attacking import CODE
from core.adversarial.best import Batch, Row
from core.adversarial.driving import drive, perturb
from core.adversarial.goals import Goal
from core.adversarial.gradients import follow_gradient
from core.adversarial.problems import Method, Moment, Problem
from tests.adversarial.linear import inner_images, linear, two_class_distances
from tests.adversarial.promises import backwards, nothing
from tests.shared.turning import whole
from tests.shared.untouched import leaves_untouched

LINEAR = [
    (channels, classes, norm)
    for channels in (1, 3)
    for classes in (2, 3, 10, 100)
    for norm in ("linf", "l2")
]


def at(steps: int, **given: object) -> Attack:
    return Attack(**{"steps": steps, "whole_levels": False, **given})  # type: ignore[arg-type]


def reaches_the_optimum(method: Method, norm: str) -> None:
    """Of a linear network of two classes the least margin in a ball is |f| − ε‖w‖, dual norm."""
    network, images = linear(2, 3), inner_images(16, 3)
    labels = network(images).argmax(1)
    distances, weight = two_class_distances(network, images)
    dual = weight.abs().sum() if norm == "linf" else weight.norm()
    epsilon = 0.9 * float((distances / dual).median())
    attack = at(1, method="fgsm", norm=norm, epsilon=epsilon, early=False)
    rows = list(drive(method, network, images, Goal(labels, None), attack))
    margin = Goal(labels, None).margin(rows[-1].logits)
    assert margin.allclose(distances - epsilon * dual, atol=1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fgsm_reaches_the_worst_corner_of_a_linear_network(norm: str) -> None:
    reaches_the_optimum(follow_gradient, norm)


@pytest.mark.parametrize("wrong", [nothing, backwards])
def test_that_oracle_rejects_an_attack_that_does_nothing_or_descends(wrong: Method) -> None:
    with pytest.raises(AssertionError):
        reaches_the_optimum(wrong, "linf")


@pytest.mark.parametrize("method", ["fgsm", "bim", "pgd", "mifgsm"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_whoever_can_be_fooled_in_a_ball_around_a_linear_network_is(method: str, norm: str) -> None:
    """Success is exactly |f| < ε‖w‖ in the dual norm, where no pixel meets black or white."""
    network, images = linear(2), inner_images(60)
    labels = network(images).argmax(1)
    distances, weight = two_class_distances(network, images)
    dual = weight.abs().sum() if norm == "linf" else weight.norm()
    epsilon = float((distances / dual).median())
    for share, early in ((0.5, True), (1.0, False), (1.5, True)):
        attack = at(40, method=method, norm=norm, epsilon=share * epsilon, early=early)
        batch = perturb(follow_gradient, network, images, Goal(labels, None), attack)
        possible = distances < share * epsilon * dual
        sure = (distances - share * epsilon * dual).abs() > 0.02 * distances
        assert batch.fooled[sure].equal(possible[sure])


@pytest.mark.parametrize(("channels", "classes", "norm"), LINEAR)
def test_a_result_keeps_its_promises_for_any_channels_and_classes(
    channels: int, classes: int, norm: str
) -> None:
    network, images = linear(classes, channels), inner_images(24, channels)
    labels = network(images).argmax(1)
    before = 0
    for epsilon in (0.0, 0.01, 0.05, 0.2) if norm == "linf" else (0.0, 0.05, 0.3, 1.5):
        for method in ("fgsm", "pgd"):
            attack = Attack(method=method, norm=norm, epsilon=epsilon, steps=10)
            batch = perturb(follow_gradient, network, images, Goal(labels, None), attack)
            keeps_its_promises(network, images, labels, attack, batch)
        if epsilon == 0:
            assert not batch.fooled.any()
        assert int(batch.fooled.sum()) >= before  # of PGD, with the budget
        before = int(batch.fooled.sum())
    assert before > 0


def keeps_its_promises(
    network: nn.Module, images: Tensor, labels: Tensor, attack: Attack, batch: Batch
) -> None:
    """Recompute all of it from the images alone."""
    change = batch.images - images
    size = change.flatten(1)
    length = size.abs().amax(1) if attack.norm == "linf" else size.norm(dim=1)
    assert float(length.max()) <= attack.epsilon + 1e-5
    assert float(batch.images.min()) >= 0
    assert float(batch.images.max()) <= 1
    assert (network(batch.images).argmax(1) != labels).equal(batch.fooled)
    levels = (255 * batch.images).round() / 255
    assert (network(levels).argmax(1) != labels).equal(batch.fooled)
    assert not change[~batch.fooled].any()
    assert not (batch.fooled & ~batch.found).any()


@pytest.mark.parametrize("method", ["fgsm", "bim", "pgd", "mifgsm"])
@pytest.mark.parametrize("loss", ["margin", "dlr", "ce"])
def test_with_a_target_only_the_target_counts_and_its_logit_rises(method: str, loss: str) -> None:
    network, images = linear(10, 3), inner_images(40, 3)
    labels = network(images).argmax(1)
    goal = Goal(labels, (labels + 3) % 10)
    attack = Attack(method=method, loss=loss, epsilon=0.1, steps=20, early=False)
    batch = perturb(follow_gradient, network, images, goal, attack)
    after = network(batch.images)
    assert batch.fooled.any()
    assert (after.argmax(1) == goal.targets).equal(batch.fooled)
    rows = torch.arange(40)
    rise = (after - network(images))[rows, goal.targets]
    assert (rise[batch.fooled] > 0).all()


def climbs_and_falls(
    problem: Problem, attack: Attack, source: torch.Generator
) -> Generator[Moment, Tensor | None, None]:
    """An attack whose best moment is its second, and whose last is worse."""
    gradient, _ = problem.gradient(problem.clean, attack.loss)
    for share in (0.3, 1.0, 0.5, 0.2):
        keep = yield Moment((problem.clean + share * attack.epsilon * gradient.sign()).clamp(0, 1))
        assert keep is None


def test_the_best_moment_is_kept_and_not_the_last() -> None:
    network, images = linear(3), inner_images(20)
    labels = network(images).argmax(1)
    goal = Goal(labels, None)
    attack = at(1, method="fgsm", epsilon=0.1, early=False)
    batch = perturb(climbs_and_falls, network, images, goal, attack)
    rows = list(drive(climbs_and_falls, network, images, goal, attack))
    margins = torch.stack([goal.margin(row.logits) for row in rows])
    assert batch.fooled.any()
    kept = goal.margin(network(batch.images))
    assert kept[batch.fooled].allclose(margins.amin(0)[batch.fooled], atol=1e-5)
    assert (batch.steps[batch.fooled] == 1).all()
    assert (margins[-1] > margins[1]).any()


@pytest.mark.parametrize("method", ["bim", "mifgsm"])
def test_images_that_are_fooled_leave_and_the_others_fare_as_if_alone(method: str) -> None:
    network, images = linear(5, 3), inner_images(30, 3)
    labels = network(images).argmax(1)
    attack = Attack(method=method, epsilon=0.03, steps=12)
    together = perturb(follow_gradient, network, images, Goal(labels, None), attack)
    assert len(together.steps[together.fooled].unique()) > 2
    for k in range(30):
        one = slice(k, k + 1)
        alone = perturb(follow_gradient, network, images[one], Goal(labels[one], None), attack)
        assert alone.fooled.equal(together.fooled[one])
        assert alone.images.allclose(together.images[one], atol=1e-5)
        assert alone.steps.equal(together.steps[one])


def test_leaving_early_asks_for_fewer_gradients_and_fools_as_many() -> None:
    network, images = linear(5), inner_images(30)
    labels = network(images).argmax(1)
    found = [
        perturb(
            follow_gradient,
            network,
            images,
            Goal(labels, None),
            Attack(epsilon=0.06, steps=20, early=early),
        )
        for early in (True, False)
    ]
    assert found[0].fooled.equal(found[1].fooled)
    assert found[0].counts.gradients < found[1].counts.gradients / 2


def test_what_only_floats_fool_is_found_but_no_success() -> None:
    """A step of 0.4/255 crosses the boundary; in 8 bits there is none such."""
    network, images = linear(2), inner_images(40)
    labels = network(images).argmax(1)
    distances, weight = two_class_distances(network, images)
    near = (distances / weight.abs().sum()).argsort()[:3]
    epsilon = 1.2 * float((distances / weight.abs().sum())[near].max())
    assert epsilon < 1 / 255
    goal = Goal(labels[near], None)
    attack = Attack(method="fgsm", epsilon=epsilon)
    batch = perturb(follow_gradient, network, images[near], goal, attack)
    assert batch.found.all()
    assert not batch.fooled.any()
    assert batch.images.equal(images[near])
    rows: list[Row] = list(drive(follow_gradient, network, images[near], goal, attack))
    assert rows[-1].undone.all()


def test_images_that_are_wrong_already_are_left_as_they_are() -> None:
    network, images = linear(4), inner_images(12)
    labels = (network(images).argmax(1) + 1) % 4
    batch = perturb(follow_gradient, network, images, Goal(labels, None), Attack(epsilon=0.1))
    assert batch.images.equal(images)
    assert batch.fooled.all()
    assert batch.counts.gradients == 0


def test_restarts_go_on_with_those_that_are_left_alone() -> None:
    network, images = linear(5), inner_images(30)
    goal = Goal(network(images).argmax(1), None)
    once, often = (
        perturb(follow_gradient, network, images, goal, Attack(epsilon=0.008, steps=2, restarts=n))
        for n in (1, 5)
    )
    assert int(often.fooled.sum()) >= int(once.fooled.sum())
    assert often.counts.gradients > once.counts.gradients
    assert often.images[once.fooled].equal(once.images[once.fooled])


def test_dead_gradients_are_counted() -> None:
    network, images = linear(3, scale=400.0), inner_images(20)
    goal = Goal(network(images).argmax(1), None)
    dead = perturb(follow_gradient, network, images, goal, at(5, method="bim", loss="ce"))
    alive = perturb(follow_gradient, network, images, goal, at(5, method="bim", loss="margin"))
    assert dead.dead > dead.asked / 2
    assert alive.dead == 0
    assert int(alive.fooled.sum()) > int(dead.fooled.sum())


@pytest.mark.parametrize(
    ("labels", "targets", "sentence"),
    [
        ([5], None, "label must be from 0 to 2"),
        ([0], [3], "target must be from 0 to 2"),
        ([1], [1], "target must be another class"),
    ],
)
def test_classes_that_a_network_has_not_are_refused(
    labels: list[int], targets: list[int] | None, sentence: str
) -> None:
    network, images = linear(3), inner_images(1)
    goal = Goal(torch.tensor(labels), None if targets is None else torch.tensor(targets))
    with pytest.raises(ValueError, match=sentence):
        perturb(follow_gradient, network, images, goal, Attack())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"method": "magic"}, "method must be one of"),
        ({"norm": "l0"}, r"norm must be one of \('linf', 'l2'\) for pgd"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"epsilon": 1.5}, "epsilon must be from 0 to 1 in L∞, got 1.5"),
        ({"epsilon": -0.1}, "epsilon must be"),
        ({"epsilon": float("nan")}, "epsilon must be"),
        ({"norm": "l2", "epsilon": float("inf")}, "epsilon must be finite"),
        ({"steps": 0}, "steps must be a whole number from 1 to 1,000, got 0"),
        ({"step_size": float("nan")}, "step_size must be from 0 to 100"),
        ({"target": -1}, "target must be the number of a class"),
        ({"seed": 2**31}, "seed must be a whole number"),
    ],
)
def test_a_bad_setting_is_named_with_its_rule_and_value(
    given: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Attack(**given)  # type: ignore[arg-type]


def test_an_attack_leaves_the_network_as_it_was() -> None:
    network, images = linear(3).train(), inner_images(4)
    goal, bad = Goal(network(images).argmax(1), None), Goal(torch.tensor([7] * 4), None)
    attack = Attack(steps=3)
    cases: list[Callable[[], object]] = [
        lambda: perturb(follow_gradient, network, images, goal, attack)
    ]
    for case in cases:
        leaves_untouched(network, case)
    leaves_untouched(
        network, (lambda: perturb(follow_gradient, network, images, bad, attack), "label must be")
    )


@pytest.mark.parametrize("method", [name for name, about in METHODS.items() if about.looks_first])
@pytest.mark.parametrize("early", [True, False])
def test_who_looks_at_the_clean_images_first_need_not_be_told_what_they_are(
    method: str, early: bool
) -> None:
    network, images = linear(3), inner_images(12)
    labels = network(images).argmax(1)
    labels[:3] = (labels[:3] + 1) % 3  # wrong already
    goal, config = Goal(labels, None), Attack(method=method, epsilon=0.1, steps=5, early=early)
    problem = Problem(network, images, goal)
    first = next(CODE[method](problem, config, torch.Generator().manual_seed(0)))
    assert first.images.equal(images)
    assert first.logits is not None
    found = perturb(CODE[method], network, images, goal, config)
    rows = drive(CODE[method], network, images, goal, config, logits=network(images))
    while True:
        try:
            next(rows)
        except StopIteration as end:
            told = end.value
            break
    assert found.images.equal(told.images)
    assert found.fooled.equal(told.fooled)
    assert found.images[:3].equal(images[:3])  # nobody has touched what was wrong
    assert (found.asked, found.dead) == (told.asked, told.dead)
    assert found.counts.queries <= told.counts.queries


@pytest.mark.parametrize("whole_levels", [True, False])
@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_of_a_network_that_draws_the_lowest_margin_is_kept_where_no_reading_was_wrong(
    method: str, whole_levels: bool
) -> None:
    """Of a linear network that is the corner of the ball, here too near to fool it."""
    network, images = linear(2), inner_images(12)
    distances, weight = two_class_distances(network, images)
    epsilon = 2 / 255
    far = (distances / weight.abs().sum() > 2 * epsilon).nonzero()[:, 0]
    assert len(far) > 3
    images, labels = images[far], network(images[far]).argmax(1)
    attack = Attack(method=method, epsilon=epsilon, steps=8, early=False, whole_levels=whole_levels)
    signs = (2 * labels - 1).view(-1, 1, 1, 1) * weight.sign().view(1, *images.shape[1:])
    found = {}
    for drawn in (True, False):
        rows = drive(CODE[method], network, images, Goal(labels, None), attack, drawn=drawn)
        found[drawn] = whole(rows)
        assert not found[drawn].fooled.any()
    assert found[True].images.allclose(images + epsilon * signs, atol=1e-6)
    assert found[False].images.equal(images)
