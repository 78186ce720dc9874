"""Attacks on the built-in digits' network against torchattacks and foolbox, and on a photograph.

    python -m bench.attacks            three rounds
    python -m bench.attacks --quick    one round, fewer images
    python -m bench.attacks --all      one round, 1,000 digits for every attack: 15 minutes

All sides attack the same digits in turns, as floats within the same budget and with the same loss,
and each side's success is counted alike: the network is read once more, and the distance measured.
Ours is measured too where success counts in 8 bits only, as on the page. Theirs have the network as
torch builds it, ours as the panel's studies climb it: what that gains is the engine's. Of what
looks for the least change the mean distance is told, and ours has the number of steps with which it
still comes nearest. The photograph is attacked through its resize; it stands against as many plain
passes forwards and backwards of the network.
"""

import argparse
import copy
import os
import statistics
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from core.shared import process

os.environ.update({**process.KERNELS, **os.environ})  # as the engine's process has it

import foolbox
import torch
import torchattacks
from torch import Tensor, nn

from bench import report
from core.adversarial import Attack
from core.adversarial.attacking import CODE, attack
from core.adversarial.driving import perturb
from core.adversarial.goals import Goal
from core.adversarial.subjects import MANY
from core.shared import data, devices, photographs, seeing
from core.shared.evaluating import quickest
from core.shared.folding import folded
from core.shared.loading import load
from core.shared.models import Source

DIGITS = Source(kind="built-in", name="mnist")
LITE = Source(kind="built-in", name="efficientnet-lite0")
AT_ONCE = 128  # of our images
ALL = 1_000  # digits
EPSILON, RADIUS = 0.2, 3.0  # in L∞ and in L2
STEPS, QUERIES = 40, 500
FEW = 8  # images that each side warms up with
PHOTOGRAPH = "coffee"

Side = Callable[[Tensor, Tensor], Tensor]


def ours(network: nn.Module, config: Attack, at_once: int = AT_ONCE) -> Side:
    """Give our attack, some images at a time, on the copy that the panel's studies climb too."""
    climbed = quickest(folded(network, (1, 28, 28)))

    def run(images: Tensor, labels: Tensor) -> Tensor:
        found = [
            perturb(CODE[config.method], climbed, few, Goal(true, None), config).images
            for few, true in zip(images.split(at_once), labels.split(at_once), strict=True)
        ]
        return torch.cat(found)

    return run


def theirs(make: Callable[[nn.Module], object], network: nn.Module) -> Side:
    """Give one of torchattacks."""
    made = make(network)

    def run(images: Tensor, labels: Tensor) -> Tensor:
        changed: Tensor = made(images, labels)  # type: ignore[operator]
        return changed

    return run


def of_foolbox(made: object, network: nn.Module, epsilon: float | None) -> Side:
    """Give one of foolbox."""
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device=torch.device("cpu"))

    def run(images: Tensor, labels: Tensor) -> Tensor:
        changed: Tensor = made(model, images, labels, epsilons=epsilon)[1]  # type: ignore[operator]
        return changed

    return run


def success(network: nn.Module, clean: Tensor, labels: Tensor, changed: Tensor, norm: str) -> float:
    """Count what is read wrong within the budget."""
    with torch.no_grad():
        wrong = network(changed).argmax(1) != labels
    size = (changed - clean).flatten(1)
    near = size.abs().amax(1) <= EPSILON + 1e-4 if norm == "linf" else size.norm(dim=1) <= RADIUS
    return float((wrong & near).float().mean())


def contests(network: nn.Module, plain: nn.Module) -> dict[str, tuple[int, str, dict[str, Side]]]:
    """Say for each attack on how many images it is measured, in which norm, and who takes part."""
    floats = Attack(epsilon=EPSILON, steps=STEPS, loss="ce", whole_levels=False)
    near = replace(floats, loss="margin", norm="l2", method="deepfool", epsilon=RADIUS, steps=50)
    return {
        "FGSM": (
            1_000,
            "linf",
            {
                "ours": ours(network, replace(floats, method="fgsm")),
                "torchattacks": theirs(lambda n: torchattacks.FGSM(n, eps=EPSILON), plain),
                "foolbox": of_foolbox(foolbox.attacks.LinfFastGradientAttack(), plain, EPSILON),
            },
        ),
        f"PGD-{STEPS}": (
            1_000,
            "linf",
            {
                "ours": ours(network, floats),
                "ours, in 8 bits": ours(network, replace(floats, whole_levels=True)),
                "torchattacks": theirs(
                    lambda n: torchattacks.PGD(n, eps=EPSILON, alpha=EPSILON / 10, steps=STEPS),
                    plain,
                ),
                "foolbox": of_foolbox(foolbox.attacks.LinfPGD(steps=STEPS), plain, EPSILON),
            },
        ),
        "DeepFool": (
            200,  # of which torchattacks takes a minute
            "l2",
            {
                "ours": ours(network, near),
                "torchattacks": theirs(lambda n: torchattacks.DeepFool(n, steps=50), plain),
                "foolbox": of_foolbox(foolbox.attacks.L2DeepFoolAttack(steps=50), plain, None),
            },
        ),
        "Carlini-Wagner": (
            100,
            "l2",
            {
                "ours": ours(network, replace(near, method="cw", steps=50, searches=5)),
                "torchattacks": theirs(
                    lambda n: torchattacks.CW(n, c=1, steps=600, lr=0.01), plain
                ),
                "foolbox": of_foolbox(
                    foolbox.attacks.L2CarliniWagnerAttack(
                        binary_search_steps=6, steps=100, stepsize=0.05
                    ),
                    plain,
                    None,
                ),
            },
        ),
        "Square": (
            1_000,
            "linf",
            {
                "ours": ours(
                    network,
                    replace(floats, method="square", loss="margin", queries=QUERIES),
                    MANY,
                ),
                "torchattacks": theirs(
                    lambda n: torchattacks.Square(n, eps=EPSILON, n_queries=QUERIES), plain
                ),
            },
        ),
    }


def photograph(rounds: int) -> tuple[list[float], list[float]]:
    """Time PGD on a photograph, and as many passes of its network forwards and backwards."""
    whole = photographs.photograph(PHOTOGRAPH).pixels
    pixels = seeing.fit(whole, (3, 224, 224), "")
    config = Attack(epsilon=2 / 255, steps=STEPS, early=False)
    network, images = load(LITE).network, torch.tensor(pixels, dtype=torch.float32)[None]
    attacks, passes = [], []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        attack(LITE, pixels, None, config, whole)
        attacks.append(time.perf_counter() - began)
        began = time.perf_counter()
        for _ in range(STEPS):
            leaf = images.clone().requires_grad_()
            torch.autograd.grad(network(leaf).amax(), leaf)
        passes.append(time.perf_counter() - began)
    return attacks[1:], passes[1:]


def main() -> None:
    """Measure all sides and print what holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="one round, fewer images")
    parser.add_argument("--all", action="store_true", help="one round, 1,000 digits for every one")
    asked = parser.parse_args()
    rounds, share = (1 if asked.quick or asked.all else 3), (5 if asked.quick else 1)
    device = devices.choose("cpu")
    devices.prepare(device)
    name = devices.describe(device)
    report.heading("bench.attacks", name)
    warnings.simplefilter("ignore")  # those of the libraries
    network, test = load(DIGITS).network, data.dataset("mnist", device).test
    plain = copy.deepcopy(network)
    plain.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    claims = []
    for attacked, (count, norm, sides) in contests(network, plain).items():
        taken = ALL if asked.all else count // share
        clean, labels = test.images[:taken], test.labels[:taken]
        seconds, found, far = defaultdict(list), {}, {}
        for run in sides.values():  # what is loaded and compiled at first is nobody's time
            run(clean[:FEW], labels[:FEW])
        for _ in range(rounds):
            for side, run in sides.items():
                began = time.perf_counter()
                changed = run(clean, labels)
                seconds[side].append(time.perf_counter() - began)
                found[side] = success(network, clean, labels, changed.detach(), norm)
                far[side] = (changed.detach() - clean).flatten(1).norm(dim=1)
        for side, values in seconds.items():
            led = far[side][far[side] > 0]  # those that were wrong already have not moved
            told = f", L2 {float(led.mean()):.3f}" if norm == "l2" else ""
            report.spread(f"{attacked}, {side}: {found[side]:.1%} fooled{told}", values, "s")
        goal = 5.0 if attacked.startswith("PGD") else 1.5
        for side in sides:
            if not side.startswith("ours"):
                pairs = zip(seconds[side], seconds["ours"], strict=True)
                faster = statistics.median(theirs / our for theirs, our in pairs)
                claims.append(report.claim(f"{attacked}: {side} / ours, seconds", faster, goal))
                more = found["ours"] - found[side]
                claims.append(report.claim(f"{attacked}: success above {side}", more, 0.0))
                if norm == "l2" and found[side] == found["ours"] == 1:
                    both = (far[side] > 0) & (far["ours"] > 0)
                    nearer = float(far[side][both].mean() / far["ours"][both].mean())
                    claims.append(report.claim(f"{attacked}: L2 of {side} / ours", nearer, 1.0))
    attacks, passes = photograph(rounds)
    report.spread(f"PGD-{STEPS} on a photograph, through its resize", attacks, "s")
    report.spread(f"{STEPS} passes of the network as it is loaded, both ways", passes, "s")
    ratio = statistics.median(a / p for a, p in zip(attacks, passes, strict=True))
    claims.append(report.claim("photograph: PGD-40 / its passes", ratio, 1.5, at_most=True))
    report.finish("attacks", name, claims)


if __name__ == "__main__":
    main()
