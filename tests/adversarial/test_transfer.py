"""Transfer: an imitation reads as the original does, and what fools the one fools the other."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from core.adversarial import Attack, transfer
from core.adversarial.balls import random_change
from core.adversarial.driving import perturb
from core.adversarial.goals import Goal
from core.adversarial.gradients import follow_gradient
from core.adversarial.problems import Method, Network
from core.adversarial.transfer import Proxy, imitate, proxy, transfer_method, transferred
from core.shared import networks
from core.shared.data import Split, mnist
from core.shared.loading import load
from core.shared.models import Source
from tests.adversarial.counting import Counting
from tests.adversarial.linear import inner_images, linear
from tests.adversarial.promises import any_images, curved, keeps_its_promises, nothing
from tests.shared.turning import whole
from tests.shared.untouched import leaves_untouched, untouched

MNIST = Source(kind="built-in", name="mnist")
IMAGES = 600  # that the proxy of these tests is taught by


@pytest.fixture(scope="module")
def made() -> Proxy:
    with untouched(load(MNIST).network):
        found = whole(proxy(MNIST, IMAGES))
    assert isinstance(found, Proxy)
    return found


def digits(count: int) -> Split:
    test = mnist(torch.device("cpu")).test
    return Split(test.images[-count:], test.labels[-count:])


def reads_as_the_target_does(network: Network, most: float = 0.8) -> float:
    images = digits(500).images
    with torch.no_grad():
        same = network(images).argmax(1) == load(MNIST).network(images).argmax(1)
    share = float(same.float().mean())
    assert share > most
    return share


def test_the_proxy_reads_most_digits_as_the_target_does(made: Proxy) -> None:
    share = reads_as_the_target_does(made.network)
    assert made.agreement == pytest.approx(share, abs=0.05)  # of other digits
    assert made.queries == IMAGES


def test_that_oracle_rejects_a_network_that_learned_nothing() -> None:
    untaught = networks.build(transfer.TABLE, torch.Generator().manual_seed(0)).eval()
    with pytest.raises(AssertionError):
        reads_as_the_target_does(untaught)


def fools_more_than_noise(method: Method) -> None:
    """Of so many digits a share has a deviation of 0.05 at most."""
    few, network = digits(100), load(MNIST).network
    attack, goal = Attack(epsilon=0.1, steps=10, loss="ce"), Goal(few.labels, None)
    batch = perturb(method, network, few.images, goal, attack)
    source = torch.Generator().manual_seed(0)
    noise = random_change("linf", few.images, torch.full((100,), 0.1), source)
    with torch.no_grad():
        noisy = network((few.images + noise).clamp(0, 1)).argmax(1) != few.labels
        assert (network(batch.images).argmax(1) != few.labels).equal(batch.fooled)
    assert (batch.images * 255).round().allclose(batch.images * 255, atol=1e-3)
    assert float(batch.fooled.float().mean()) > float(noisy.float().mean()) + 0.07


def test_pgd_on_the_proxy_fools_the_target_more_often_than_noise_does(made: Proxy) -> None:
    fools_more_than_noise(transfer_method(made.network))


@pytest.mark.parametrize("wrong", ["nothing", "descends", "untaught"])
def test_that_oracle_rejects_an_attack_that_does_nothing_or_descends(
    made: Proxy, wrong: str
) -> None:
    untaught = networks.build(transfer.TABLE, torch.Generator().manual_seed(0)).eval()
    ways: dict[str, Method] = {
        "nothing": nothing,
        "descends": transfer_method(lambda images: -made.network(images)),
        "untaught": transfer_method(untaught),
    }
    with pytest.raises(AssertionError):
        fools_more_than_noise(ways[wrong])


def test_a_proxy_is_made_once_and_asked_for_again_at_once(made: Proxy) -> None:
    again = proxy(MNIST, IMAGES)
    with pytest.raises(StopIteration) as end:
        next(again)
    assert end.value.value is made


def imitation(network: Network, pictures: Tensor, seed: int = 0) -> nn.Sequential:
    found = whole(imitate(network, pictures, torch.Generator().manual_seed(seed)))
    assert isinstance(found, nn.Sequential)
    return found


@pytest.mark.parametrize(
    ("classes", "channels", "side"), [(2, 1, 6), (3, 3, 9), (10, 1, 4), (100, 3, 6)]
)
def test_a_network_of_any_shape_is_imitated_and_asked_twice_about_each_picture(
    classes: int, channels: int, side: int
) -> None:
    network = Counting(linear(classes, channels, side))
    pictures = any_images(40, channels, side)
    student = imitation(network, pictures)
    assert network.count == 80
    assert all(0 <= float(each.min()) <= float(each.max()) <= 1 for each in network.asked)
    assert student(pictures).shape == (40, classes)
    assert not student.training
    assert all(not each.requires_grad and each.grad is None for each in student.parameters())
    made = network.asked[-1]
    moved = (made - pictures).abs()
    inner = (pictures > 0.1) & (pictures < 0.9)
    assert moved[inner].allclose(torch.tensor(0.1), atol=1e-5)


@pytest.mark.parametrize("scale", [1 / 128, 128])
def test_how_large_the_logits_are_does_not_matter(scale: float) -> None:
    network, pictures = curved(3), any_images(60)
    usual = imitation(network, pictures)(pictures)
    found = imitation(lambda images: scale * network(images) + 2, pictures)(pictures)
    assert found.allclose(usual, atol=0.01)  # of a deviation of 1
    other = imitation(lambda images: network(images).flip(1), pictures)(pictures)
    assert not other.allclose(usual, atol=0.01)


def test_the_seed_decides_all_of_it() -> None:
    pictures = any_images(30)
    found = [imitation(curved(3), pictures, seed)(pictures) for seed in (1, 1, 2)]
    assert found[0].equal(found[1])
    assert not found[0].equal(found[2])


def test_others_have_their_turn_every_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    true = torch.optim.Adam.step

    def counted(self: torch.optim.Adam, closure: None = None) -> None:
        nonlocal steps
        steps += 1
        true(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", counted)
    turns, seen = imitate(curved(3), any_images(300), torch.Generator().manual_seed(0)), [0]
    for _ in turns:
        seen.append(steps)
    assert steps == 4 * 6 + 4 * 12  # epochs of batches of 50, before and after the second half
    assert max(after - before for before, after in pairwise(seen)) <= 4


def test_on_the_target_itself_it_is_the_white_box_attack() -> None:
    network, images = curved(5, 3), any_images(20, 3)
    goal = Goal(network(images).argmax(1), None)
    attack = Attack(epsilon=0.1, steps=8)
    through = transferred(network, network, images, goal, attack)
    direct = perturb(follow_gradient, network, images, goal, attack)
    assert through.images.equal(direct.images)
    assert through.fooled.equal(direct.fooled)
    assert len(through.steps[through.fooled].unique()) > 1  # and those leave early
    assert (through.counts.gradients, direct.counts.gradients > 0) == (0, True)


def like(network: nn.Module) -> nn.Module:
    """Change the weights of a linear network, by as much as they are large."""
    weight = network[1].weight  # type: ignore[index]
    weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(5)))
    return network


def test_the_proxys_gradient_leads_and_the_target_judges() -> None:
    """FGSM on a linear proxy goes to its corner, ε · sign(w), wherever the target's is."""
    target, own, images = linear(2), like(linear(2)), inner_images(30)
    labels = target(images).argmax(1)
    attack = Attack(method="fgsm", epsilon=0.03)
    batch = transferred(target, own, images, Goal(labels, None), attack)
    weight = own[1].weight  # type: ignore[index]
    uphill = (weight[1 - labels] - weight[labels]).view_as(images).sign()
    corner = images + 7 / 255 * uphill  # that is as far as whole levels go
    wrong = target(corner).argmax(1) != labels
    assert wrong.any()
    assert not wrong.all()
    assert batch.fooled.equal(wrong)
    assert batch.images[wrong].allclose(corner[wrong], atol=1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("target", [False, True])
@pytest.mark.parametrize(("classes", "channels"), [(2, 3), (10, 1), (100, 3)])
def test_results_keep_their_promises(norm: str, classes: int, channels: int, target: bool) -> None:
    network, images = linear(classes, channels), any_images(16, channels)
    labels = network(images).argmax(1)
    targets = (labels + 1) % classes if target else None
    attack = Attack(norm=norm, epsilon=0.2 if norm == "linf" else 2.0, steps=10)
    method = transfer_method(like(linear(classes, channels)))
    batch = keeps_its_promises(method, network, images, attack, targets)
    assert batch.fooled.any()


def test_an_epsilon_of_0_changes_nothing() -> None:
    network, images = curved(3), any_images(4)
    goal = Goal(network(images).argmax(1), None)
    batch = transferred(network, linear(3), images, goal, Attack(epsilon=0.0, steps=3))
    assert batch.images.equal(images)
    assert not batch.fooled.any()


def test_the_target_is_asked_once_a_step_for_its_answer_alone() -> None:
    class Answers(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            assert not torch.is_grad_enabled()
            answers: Tensor = linear(3)(images)
            return answers

    network, images = Counting(Answers()), inner_images(6)
    attack = Attack(epsilon=0.01, steps=5, whole_levels=False, early=False)
    with torch.no_grad():
        goal = Goal(linear(3)(images).argmax(1), None)
    batch = transferred(network, linear(3), images, goal, attack)
    assert network.count == batch.counts.queries == 6 * (1 + 5 + 1)


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "images": (lambda: whole(proxy(MNIST, 1)), "images must be at least 2, got 1"),
    "data": (
        lambda: whole(proxy(Source(kind="built-in", name="efficientnet-lite0"))),
        "network must be one whose data are here, got Eff",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_imitated_is_refused(name: str) -> None:
    leaves_untouched(load(MNIST).network, BAD[name])


def test_an_attack_leaves_both_networks_as_they_were() -> None:
    network, other, images = curved(3).train(), linear(3).train(), any_images(4)
    goal = Goal(network(images).argmax(1), None)
    with untouched(other):
        leaves_untouched(network, lambda: transferred(network, other, images, goal, Attack()))
