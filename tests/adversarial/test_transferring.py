"""The matrix of transfer counts what each network makes of what was made to fool another."""

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.adversarial import METHODS, Attack, attacking
from core.adversarial import transferring as module
from core.adversarial.attacking import CODE
from core.adversarial.driving import perturb
from core.adversarial.goals import Goal
from core.adversarial.studies import TRANSFERS, TransferMatrix, Transferred
from core.adversarial.transfer import Proxy
from core.adversarial.transferring import transfer_all
from core.shared import targets
from core.shared.engine import Engine
from core.shared.loading import load
from core.shared.models import Source
from tests.adversarial.linear import inner_images, linear
from tests.adversarial.promises import any_images, curved, last, nothing, put
from tests.shared.untouched import leaves_untouched, untouched

SOURCES = tuple(Source(kind="built-in", name=name) for name in ("mnist", "fashion"))
OTHER = Source(kind="built-in", name="efficientnet-lite0")  # a third name for a network
EPSILON = 5 / 255
PLAIN = TransferMatrix(sources=SOURCES, attack=Attack(method="fgsm", epsilon=EPSILON), images=1_000)
Put = Callable[..., tuple[Tensor, Tensor]]


@pytest.fixture
def among(monkeypatch: pytest.MonkeyPatch) -> Put:
    """Put networks in the places of the sources, and give the images that all read as the first."""

    def place(*networks: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
        labels = networks[0](images).argmax(1)
        put(monkeypatch, dict(zip((*SOURCES, OTHER), networks, strict=False)), images, labels)
        right = torch.stack([each(images).argmax(1) == labels for each in networks]).all(0)
        return images[right], labels[right]

    return place


def found(config: TransferMatrix = PLAIN) -> Transferred:
    return last(transfer_all(config)).freeze()


def half(which: str) -> nn.Module:
    """A linear network of two classes that sees the left or the right half of an image alone."""
    network, columns = linear(2, seed=3), torch.arange(36) % 6
    seen = columns < 3 if which == "left" else columns >= 3
    layer = network[1]  # type: ignore[index]
    layer.weight.mul_(seen)
    layer.bias.copy_(-layer.weight.sum(1) / 2)
    return network


def slopes(network: nn.Module, labels: Tensor) -> Tensor:
    """Of each image's margin, the weights of its own class less those of the other."""
    rows = network[1].weight.double()  # type: ignore[index]
    margin: Tensor = rows[labels] - rows[1 - labels]
    return margin


def margins(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    logits: Tensor = network(images).double()
    return logits.gather(1, labels[:, None])[:, 0] - logits.gather(1, 1 - labels[:, None])[:, 0]


def is_the_closed_form(
    told: Transferred, networks: tuple[nn.Module, ...], images: Tensor, labels: Tensor
) -> None:
    """Each change of a linear network is −ε sign w; it moves the margin of another by −ε sign w·v.

    No pixel of these images is near black or white, and ε is in whole 255ths.
    """
    assert told.images == len(images)
    steps = [-EPSILON * slopes(each, labels).sign() for each in networks]
    for row, step in enumerate(steps):
        left = [
            margins(each, images, labels) + (step * slopes(each, labels)).sum(1)
            for each in networks
        ]
        assert min(float(each.abs().min()) for each in left) > 1e-5  # no tie that rounding decides
        fooled = left[row] < 0
        for column, rest in enumerate(left):
            if column == row:
                assert (told.misread[row, row], told.tried[row, row]) == (
                    int(fooled.sum()),
                    len(images),
                )
            else:
                assert told.tried[row, column] == int(fooled.sum())
                assert told.misread[row, column] == int((fooled & (rest < 0)).sum())


NETWORKS: Mapping[str, Callable[[], tuple[nn.Module, ...]]] = {
    "same": lambda: (linear(2), linear(2)),
    "disjoint": lambda: (half("left"), half("right")),
    "any": lambda: (linear(2), linear(2, seed=1), linear(2, seed=2)),
}


@pytest.mark.parametrize("method", ["fgsm", "bim"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_among_linear_networks_each_cell_is_the_closed_form(
    among: Put, kind: str, method: str
) -> None:
    networks = NETWORKS[kind]()
    images, labels = among(*networks, images=inner_images(400))
    attack = Attack(method=method, epsilon=EPSILON, step_size=1 / 255, steps=8)
    told = found(replace(PLAIN, sources=(*SOURCES, OTHER)[: len(networks)], attack=attack))
    is_the_closed_form(told, networks, images, labels)
    assert 20 < told.misread[0, 0] < len(images) - 10
    across = told.misread[0, 1] / told.tried[0, 1]
    if kind == "any":
        assert 0 < across < 1
    else:
        assert across == (kind == "same")


@pytest.mark.parametrize("wrong", ["early", "all", "nothing"])
def test_that_oracle_rejects_an_attack_that_ends_early_and_one_that_does_nothing(
    among: Put, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """And one that counts what did not fool its own network."""
    networks = linear(2), linear(2, seed=1)
    images, labels = among(*networks, images=inner_images(400))
    attack = Attack(method="bim", epsilon=EPSILON, step_size=1 / 255, steps=8)
    if wrong == "early":
        monkeypatch.setattr(module, "replace", lambda attack, **_: replace(attack, target=None))
    elif wrong == "all":
        true = module.Transferring._count

        def count(self: module.Transferring, *given: object) -> None:
            true(self, *given)  # type: ignore[arg-type]
            self.tried[0, 1] = len(images)

        monkeypatch.setattr(module.Transferring, "_count", count)
    else:
        monkeypatch.setattr(attacking, "CODE", dict.fromkeys(CODE, nothing))
    told = found(replace(PLAIN, attack=attack))
    with pytest.raises(AssertionError):
        is_the_closed_form(told, networks, images, labels)


def is_noise(told: Transferred, networks: tuple[nn.Module, ...], images: Tensor) -> None:
    """Of a linear network ±ε at random moves the margin by about a normal with ε‖w‖₂."""
    labels = networks[0](images).argmax(1)
    expected, spread, count = np.zeros(2), np.zeros(2), 0
    for network in networks:
        step = -EPSILON * slopes(network, labels).sign()
        fooled = margins(network, images, labels) + (step * slopes(network, labels)).sum(1) < 0
        count += int(fooled.sum())
        for column, reader in enumerate(networks):
            deviation = EPSILON * slopes(reader, labels).norm(dim=1)
            share = torch.special.ndtr(-margins(reader, images, labels) / deviation)[fooled]
            expected[column] += float(share.sum())
            spread[column] += float((share * (1 - share)).sum())
    assert told.tried[-1].tolist() == [count] * 2
    # Five deviations; and the sum of 36 signs is no normal to the last image.
    assert (abs(told.misread[-1] - expected) <= 5 * np.sqrt(spread) + 2).all()
    assert (expected > 20).all()


def test_the_row_of_noise_is_as_likely_as_it_must_be(among: Put) -> None:
    networks = linear(2), linear(2, seed=1)
    images, _ = among(*networks, images=inner_images(1_000))
    told = found()
    is_noise(told, networks, images)
    assert told.misread[-1, 0] < told.misread[0, 0] / 2


def test_that_oracle_rejects_noise_that_is_the_change_itself(
    among: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = linear(2), linear(2, seed=1)
    images, _ = among(*networks, images=inner_images(1_000))
    monkeypatch.setattr(module, "shuffled", lambda change, *_: change)
    with pytest.raises(AssertionError):
        is_noise(found(), networks, images)


def is_the_attacks_own_success(
    told: Transferred, networks: tuple[nn.Module, ...], images: Tensor, attack: Attack
) -> None:
    goal = Goal(networks[0](images).argmax(1), None)
    for row, network in enumerate(networks):
        batch = perturb(CODE[attack.method], network, images, goal, attack)
        assert told.misread[row, row] == int(batch.fooled.sum()) > 0
        assert told.tried[row, row] == len(images)


@pytest.mark.parametrize("method", ["pgd", "deepfool", "cw", "jsma", "square"])
def test_the_diagonal_is_the_attacks_own_success(among: Put, method: str) -> None:
    networks = curved(3), curved(3, seed=5)
    images, _ = among(*networks, images=any_images(60))
    epsilon = {"linf": 0.03, "l2": 0.3, "l0": 3.0}[METHODS[method].norms[0]]
    attack = Attack(method=method, epsilon=epsilon, steps=20, queries=60, early=False)
    is_the_attacks_own_success(found(replace(PLAIN, attack=attack)), networks, images, attack)


def test_that_oracle_rejects_another_budget(among: Put) -> None:
    networks = curved(3), curved(3, seed=5)
    images, _ = among(*networks, images=any_images(60))
    attack = Attack(epsilon=0.03, steps=20, early=False)
    told = found(replace(PLAIN, attack=replace(attack, epsilon=0.02)))
    with pytest.raises(AssertionError):
        is_the_attacks_own_success(told, networks, images, attack)


def are_examples(
    told: Transferred, networks: tuple[nn.Module, ...], images: Tensor, epsilon: float
) -> None:
    """Read each of them again, with plain torch."""
    assert told.examples.keys() == {f"{r}-{c}" for r, c in np.argwhere(told.misread > 0)}
    for key, few in told.examples.items():
        row, column = map(int, key.split("-"))
        pictures, labels = torch.from_numpy(few.pictures) / 255, torch.from_numpy(few.labels)
        assert len(pictures) == min(6, told.misread[row, column])
        read = networks[column](pictures).argmax(1)
        assert read.tolist() == few.read.tolist()
        assert (read != labels).all()
        if row < len(networks):
            assert (networks[row](pictures).argmax(1) != labels).all()
        far = (pictures[:, None] - images[None]).flatten(2).abs().amax(2)
        near, which = far.min(1)
        assert float(near.max()) <= epsilon + 1e-6
        assert networks[0](images)[which].argmax(1).equal(labels)


def test_each_example_is_misread_as_is_said_and_near_an_image(among: Put) -> None:
    networks = curved(3), curved(3, seed=5)
    images, _ = among(*networks, images=any_images(200))
    told = found(replace(PLAIN, attack=Attack(epsilon=0.1, steps=10)))
    are_examples(told, networks, images, 0.1)
    assert len(told.examples) == 6
    with pytest.raises(AssertionError):
        are_examples(told, networks[::-1], images, 0.1)
    with pytest.raises(AssertionError):
        are_examples(told, networks, images, 0.05)


def test_it_tells_how_far_it_is_and_lets_the_networks_go(among: Put) -> None:
    images, _ = among(linear(2), linear(2, seed=1), images=inner_images(100))
    shares, words = [], set()
    for matrix in transfer_all(replace(PLAIN, images=20)):
        told = matrix.freeze()
        shares.append(matrix.progress)
        words.add(told.working)
        assert (told.misread <= told.tried).all()
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)
    assert told.images == 20 < len(images)
    assert told.names == ("MNIST, built in", "Fashion-MNIST, a subset, built in")
    assert words == {
        "",
        "now looking for images that all of them read right",
        *(f"now FGSM on {name}" for name in told.names),
    }
    assert matrix.networks == []
    assert matrix.subject.network is None


def test_a_network_that_is_never_fooled_leaves_nothing_to_try_on_others(among: Put) -> None:
    among(linear(2), linear(2, seed=1), images=inner_images(50))
    told = found(replace(PLAIN, attack=Attack(epsilon=0.0, steps=2)))
    assert not told.misread.any()
    assert (told.tried == np.diag([told.images] * 2 + [0])[:, :2]).all()


def test_the_proxy_of_each_network_leads_the_attack_on_it(
    among: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that is the network itself is a white box, and each is asked for once."""
    networks = dict(zip(SOURCES, (linear(2), linear(2, seed=1)), strict=True))
    images, labels = among(*networks.values(), images=inner_images(200))
    asked = []

    def proxy(source: Source, seed: int) -> Generator[None, None, Proxy]:
        asked.append(source)
        yield
        return Proxy(networks[source], 0, 1.0)  # type: ignore[arg-type]

    monkeypatch.setattr(attacking, "proxy", proxy)
    attack = Attack(method="transfer", epsilon=EPSILON, step_size=1 / 255, steps=8)
    is_the_closed_form(found(replace(PLAIN, attack=attack)), (*networks.values(),), images, labels)
    assert asked == [*SOURCES]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"sources": SOURCES[:1]}, "sources must be 2 to 6 networks, got 1"),
        ({"sources": SOURCES[:1] * 7}, "sources must be 2 to 6 networks, got 7"),
        ({"sources": SOURCES[:1] * 2}, "sources must be different networks, got the same one"),
        ({"images": 0}, "images must be a whole number from 1 to 1,000, got 0"),
        ({"images": True}, "images must be a whole number from 1 to 1,000, got True"),
    ],
)
def test_a_bad_matrix_is_refused_with_its_rule(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(PLAIN, **given)  # type: ignore[arg-type]


def test_networks_of_other_data_and_without_data_are_refused() -> None:
    alike = "sources must be of the same data, classes and shape, got 'MNIST, built in' and"
    leaves_untouched(load(SOURCES[0]).network, (lambda: found(PLAIN), alike))
    with pytest.raises(ValueError, match=f"{alike} 'EfficientNet-Lite0'"):
        found(replace(PLAIN, sources=(SOURCES[0], OTHER)))
    with pytest.raises(ValueError, match="network must be one whose data are here, got Eff"):
        found(replace(PLAIN, sources=(OTHER, SOURCES[0])))


def test_networks_that_never_agree_are_refused(among: Put) -> None:
    network, images = linear(2), inner_images(10)
    opposite = nn.Sequential(network, nn.Linear(2, 2, bias=False))
    opposite[1].weight.data = torch.eye(2).flip(0)
    among(network, opposite.requires_grad_(False), images=images)
    with pytest.raises(ValueError, match="sources must read some test image right, all of them"):
        found()


def test_a_config_comes_back_from_json_as_it_was() -> None:
    again = targets.config_of(transfer_all, json.loads(json.dumps(asdict(PLAIN))))
    assert again == PLAIN
    assert hash(again) == hash(PLAIN)


def test_the_engine_finds_the_same(among: Put, tmp_path: Path, until: Callable[..., None]) -> None:
    among(linear(2), linear(2, seed=1), images=inner_images(100))
    with Engine(tmp_path, devices=("cpu",), inline=True) as engine:
        run = engine.submit(TRANSFERS, PLAIN, visitor="ada")
        until(lambda: not engine.view(run).live)
        view = engine.view(run)
    assert (view.status, view.progress) == ("finished", 1.0)
    assert np.array_equal(view.state.misread, found().misread)


def test_the_matrix_leaves_all_networks_as_they_were(among: Put) -> None:
    first, second = curved(3), curved(3, seed=5)
    among(first, second, images=any_images(20))
    config = replace(PLAIN, attack=Attack(epsilon=0.1, steps=3))
    with untouched(second):
        leaves_untouched(first, lambda: found(config))
