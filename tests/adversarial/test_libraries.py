"""Ours fools at least as often as torchattacks and foolbox do, and keeps what they do not."""

import warnings

import pytest
import torch
from torch import Tensor, nn

from core.adversarial import Attack
from core.adversarial.autopgd import automatic_steps
from core.adversarial.carlini_wagner import carlini_wagner
from core.adversarial.deepfool import deepfool
from core.adversarial.driving import perturb
from core.adversarial.goals import Goal
from core.adversarial.gradients import follow_gradient
from core.adversarial.problems import Method
from core.adversarial.saliency_map import saliency_map
from core.shared import data, devices
from core.shared.loading import load
from core.shared.models import Source
from tests.adversarial.linear import inner_images, linear
from tests.adversarial.promises import flat, nothing, run

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of modules that they import by their former names
    import foolbox
    import torchattacks

RANDOM = 0.02  # by which the success of attacks that begin at random differs by chance
Digits = tuple[Tensor, Tensor]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return load(Source(kind="built-in", name="mnist")).network


@pytest.fixture(scope="module")
def digits() -> Digits:
    split = data.dataset("mnist", devices.choose("cpu")).test
    return split.images[:1_000], split.labels[:1_000]


def of_foolbox(
    attack: object, network: nn.Module, digits: Digits, epsilon: float | None = None
) -> Tensor:
    """Attack with foolbox; without a budget it gives what it took for the best."""
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    raw, clipped, _ = attack(model, *digits, epsilons=epsilon)  # type: ignore[operator]
    found: Tensor = raw if epsilon is None else clipped
    return found


def ours(method: Method, network: nn.Module, digits: Digits, /, **given: object) -> Tensor:
    """Attack in float32, as the libraries do."""
    attack = Attack(**{"whole_levels": False, **given})  # type: ignore[arg-type]
    return perturb(method, network, digits[0], Goal(digits[1], None), attack).images


def success(
    network: nn.Module, digits: Digits, changed: Tensor, epsilon: float, norm: str = "linf"
) -> float:
    """Give the share of the digits that are misread within the budget."""
    images, labels = digits
    change = (changed - images).flatten(1)
    size = change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
    with torch.no_grad():
        wrong = network(changed).argmax(1) != labels
    return float((wrong & (size <= epsilon + 1e-5)).float().mean())


def some(digits: Digits, count: int) -> Digits:
    return digits[0][:count], digits[1][:count]


@pytest.mark.parametrize("epsilon", [0.1, 0.2])
def test_fgsm_fools_as_many_digits_as_theirs(
    network: nn.Module, digits: Digits, epsilon: float
) -> None:
    mine = ours(follow_gradient, network, digits, method="fgsm", epsilon=epsilon, loss="ce")
    attack = foolbox.attacks.FGSM()
    for other in (
        torchattacks.FGSM(network, eps=epsilon)(*digits),
        of_foolbox(attack, network, digits, epsilon),
    ):
        assert other.allclose(mine, atol=1e-6) or success(
            network, digits, mine, epsilon
        ) >= success(network, digits, other, epsilon)


def test_pgd_fools_as_many_digits_as_theirs_by_either_loss(
    network: nn.Module, digits: Digits
) -> None:
    epsilon, steps = 0.2, 10
    step = 2.5 * epsilon / steps
    attack = foolbox.attacks.LinfPGD(steps=steps, abs_stepsize=step)
    theirs = max(
        success(network, digits, changed, epsilon)
        for changed in (
            torchattacks.PGD(network, eps=epsilon, alpha=step, steps=steps)(*digits),
            of_foolbox(attack, network, digits, epsilon),
        )
    )
    # One of a thousand is found from some beginnings and from others not. The margin's rival may be
    # another class in each step: three more stay so between two.
    for loss, less in (("ce", 0.001), ("margin", 0.004)):
        given = {"method": "pgd", "epsilon": epsilon, "loss": loss, "steps": steps}
        mine = ours(follow_gradient, network, digits, **given)
        assert success(network, digits, mine, epsilon) >= theirs - less - 1e-6 > 0.98


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.08), ("l2", 1.0)])
def test_apgd_fools_as_many_digits_as_that_of_torchattacks_and_more_than_pgd(
    network: nn.Module, digits: Digits, norm: str, epsilon: float
) -> None:
    digits = some(digits, 60)
    given = {"norm": norm, "epsilon": epsilon, "loss": "ce", "steps": 15}
    share = success(
        network,
        digits,
        ours(automatic_steps, network, digits, method="apgd", **given),
        epsilon,
        norm,
    )
    pgd = ours(follow_gradient, network, digits, method="pgd", **given)
    theirs = torchattacks.APGD(
        network, norm={"linf": "Linf", "l2": "L2"}[norm], eps=epsilon, steps=15, loss="ce"
    )(*digits)
    assert share >= success(network, digits, theirs, epsilon, norm) - RANDOM
    assert share > success(network, digits, pgd, epsilon, norm)


@pytest.mark.parametrize(
    ("norm", "budgets"), [("l2", (0.5, 1.0, 1.5, 2.0)), ("linf", (0.05, 0.08, 0.1, 0.15))]
)
def test_deepfool_finds_as_near_an_image_as_that_of_foolbox(
    network: nn.Module, digits: Digits, norm: str, budgets: tuple[float, ...]
) -> None:
    digits = some(digits, 20)
    attack = {
        "l2": foolbox.attacks.L2DeepFoolAttack(steps=12),
        "linf": foolbox.attacks.LinfDeepFoolAttack(steps=12),
    }[norm]
    theirs = of_foolbox(attack, network, digits)
    far = 1.0 if norm == "linf" else 100.0
    given = {"norm": norm, "epsilon": far, "steps": 12}
    mine = ours(deepfool, network, digits, method="deepfool", **given)
    for epsilon in (*budgets, far):
        share = success(network, digits, mine, epsilon, norm)
        assert share >= success(network, digits, theirs, epsilon, norm)
    assert share > 0.9


def test_deepfool_fools_digits_before_whose_boundary_that_of_torchattacks_gets_stuck(
    network: nn.Module, digits: Digits
) -> None:
    """Its steps are as long as the way; cut short at black and white they never cross."""
    digits = some(digits, 8)
    theirs = torchattacks.DeepFool(network, steps=12)(*digits)
    given = {"norm": "l2", "epsilon": 100.0, "steps": 12}
    mine = ours(deepfool, network, digits, method="deepfool", **given)
    assert success(network, digits, mine, 100.0, "l2") == 1
    assert success(network, digits, theirs, 100.0, "l2") < 0.8


def test_carlini_and_wagners_attack_comes_nearer_than_theirs(
    network: nn.Module, digits: Digits
) -> None:
    """After as many steps, of the same length."""
    digits = some(digits, 20)
    given = {"epsilon": 100.0, "steps": 30, "searches": 2, "rate": 0.2}
    mine = ours(carlini_wagner, network, digits, method="cw", **given)
    attack = foolbox.attacks.L2CarliniWagnerAttack(
        binary_search_steps=2, steps=30, stepsize=0.2, initial_const=1.0
    )
    nearer = of_foolbox(attack, network, digits)
    stuck = torchattacks.CW(network, c=1, steps=60, lr=0.2)(*digits)
    shares = [success(network, digits, mine, epsilon, "l2") for epsilon in (1.0, 1.5, 100.0)]
    for other in (nearer, stuck):
        for share, epsilon in zip(shares, (1.0, 1.5, 100.0), strict=True):
            assert share >= success(network, digits, other, epsilon, "l2")
    assert shares[1] > 0.8
    assert shares[2] == 1
    lengths = [(each - digits[0]).flatten(1).norm(dim=1).mean() for each in (mine, nearer)]
    assert lengths[0] < lengths[1]


def test_jsma_reaches_more_targets_by_fewer_pixels_than_that_of_torchattacks(
    network: nn.Module, digits: Digits
) -> None:
    images, labels = some(digits, 3)
    targets = (labels + 1) % 10  # torchattacks takes no other
    attack = Attack(method="jsma", epsilon=40.0, steps=40)
    mine = perturb(saliency_map, network, images, Goal(labels, targets), attack)
    theirs = torchattacks.JSMA(network, theta=1.0, gamma=40 / 784)(images.clone(), labels)
    with torch.no_grad():
        reached = network(theirs).argmax(1) == targets
    assert int(mine.fooled.sum()) >= int(reached.sum()) > 0
    both = mine.fooled & reached
    pixels = [
        float((each != images).flatten(1).sum(1)[both].float().mean())
        for each in (mine.images, theirs)
    ]
    assert pixels[0] <= pixels[1]


def test_that_comparison_rejects_an_attack_that_does_nothing(
    network: nn.Module, digits: Digits
) -> None:
    changed = ours(nothing, network, digits, method="fgsm", epsilon=0.2)
    theirs = torchattacks.FGSM(network, eps=0.2)(*digits)
    assert success(network, digits, changed, 0.2) < success(network, digits, theirs, 0.2)


# Where the libraries are wrong.


def test_black_and_white_pixels_never_move_in_torchattacks_carlini_wagner() -> None:
    """Their place in the space of tanh is at infinity, where every derivative is 0."""
    network, images = linear(2), inner_images(1)
    images[0, 0, :3], images[0, 0, 3:5] = 0.0, 1.0
    labels = network(images).argmax(1)
    theirs = torchattacks.CW(network, c=10, steps=60, lr=0.2)(images, labels)
    attack = Attack(method="cw", epsilon=100.0, steps=60, rate=0.2, searches=1)
    mine = run(carlini_wagner, network, images, attack)
    ends = (images == 0) | (images == 1)
    assert theirs[ends].equal(images[ends])
    assert mine.fooled.all()
    assert (mine.images[ends] != images[ends]).any()


def test_torchattacks_carlini_wagner_takes_logits_below_0_for_0() -> None:
    """It masks the true class by a factor 0, and 0 is then the largest of the other logits."""
    logits, label = torch.tensor([[-1.0, -2.0, -3.0]]), torch.tensor([0])
    assert float(torchattacks.CW(linear(3)).f(logits, label)) == 0  # nothing is left to be done
    assert float(Goal(label, None).margin(logits)) == 1


def test_torchattacks_jsma_crashes_with_three_classes() -> None:
    """Its target is the next of ten, whatever the network has."""
    network, images = linear(3, 1, 6), inner_images(8)
    labels = torch.full((8,), 2)
    with pytest.raises(IndexError):
        torchattacks.JSMA(network)(images.clone(), labels)
    assert run(saliency_map, network, images, Attack(method="jsma", epsilon=36.0)).fooled.all()


def test_foolbox_carlini_wagner_gives_a_black_image_where_it_finds_nothing() -> None:
    """That looks like a success wherever black is read as something else."""
    network, images = flat(3), inner_images(2)
    labels = torch.zeros(2, dtype=torch.long)
    attack = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=2, steps=3)
    assert not of_foolbox(attack, network.eval(), (images, labels)).any()
    mine = run(carlini_wagner, network, images, Attack(method="cw", epsilon=100.0, steps=3))
    assert mine.images.equal(images)
    assert not mine.fooled.any()
