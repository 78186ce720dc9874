"""What stands in each tab is what plain torch finds of the teacher and of the student."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.distillation import DISTIL, LOGITS, asking, outcomes
from core.shared import models
from core.shared.loading import Model
from core.shared.models import Source
from tests.distillation.small import SMALL, TEACHER, Small, small, student
from tests.ui.test_temperature import received
from ui.blocks import Block
from ui.numbers import plain, share
from ui.panels.distillation import agreeing, calibrating, drawing, halving, knowing, looking
from ui.panels.distillation import pulling as pulls
from ui.panels.distillation.desk import Desk

STUDENT = Source(kind="built-in", name="fashion")  # a name; the small one is found in its place
WARM = 3.0


class Direct:
    """An engine that asks at once."""

    def call(self, target: str, *given: Any) -> Any:
        module, _, name = target.partition(":")
        return getattr(import_module(module), name)(*given)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    with small(monkeypatch) as found:
        learner = replace(SMALL, seed=8)
        other = Model(STUDENT, student(learner).eval(), ("a", "b", "c", "d"), (1, 5, 5), "mnist")
        for module in (asking, outcomes):
            monkeypatch.setattr(
                module, "load", lambda source: other if source == STUDENT else found.model
            )
        outcomes.outcomes.cache_clear()
        yield found
        outcomes.outcomes.cache_clear()


def desk() -> Desk:
    about = replace(models.about(TEACHER), classes=("a", "b", "c", "d"))
    looks = looking.looks_of({"heat_T": f"{WARM:g}", "heat_pulled": "4", "heat_image": "4"})
    return Desk(Direct(), "me", TEACHER, about, {}, looks)  # type: ignore[arg-type]


def told(blocks: list[Block]) -> dict[str, str]:
    """The figures of a screen, by their labels."""
    drawn = [received(each)[0] for each in blocks]
    return {row[0]: row[1] for each in drawn if each["kind"] == "figures" for row in each["rows"]}


def both(world: Small) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of teacher and student on the test images, and the labels."""
    test = world.dataset.test
    with torch.no_grad():
        learner = student(replace(SMALL, seed=8))(test.images)
    return world.network(test.images).double(), learner.double(), test.labels


def near(written: str, true: float) -> bool:
    """Whether a number is written as it is, but for rounding in float32."""
    return float(written.replace("−", "-")) == pytest.approx(true, rel=6e-3)


def test_agreement_and_divergence_are_of_the_two_that_were_chosen(world: Small) -> None:
    v, z, labels = both(world)
    found = told(agreeing._board(desk(), STUDENT, "student", None))
    kl: Callable[[float], float] = lambda t: float(  # noqa: E731
        F.kl_div((z / t).log_softmax(1), (v / t).softmax(1), reduction="batchmean")
    )
    assert near(found["KL(teacher ‖ student) at T = 3"], kl(3.0))
    assert near(found["at T = 1"], kl(1.0))
    assert not near(found["at T = 1"], kl(3.0))  # the oracle sees T
    alike = float((v.argmax(1) == z.argmax(1)).double().mean())
    assert float(found["read alike"].split(" ")[0]) == pytest.approx(100 * alike, abs=0.06)
    assert found["teacher's errors"] == f"{int((v.argmax(1) != labels).sum())} of 50"
    assert found["student's errors"] == f"{int((z.argmax(1) != labels).sum())} of 50"


def test_dark_knowledge_is_told_of_the_cell_that_gives_most(world: Small) -> None:
    v, _, labels = both(world)
    p = (v / WARM).softmax(1)
    blocks = knowing._board(desk(), None)
    found = told(blocks)
    assert near(found["mean entropy in nats"], float(-(p * p.log()).sum(1).mean()))
    means = torch.stack([p[labels == k].mean(0) for k in range(4)]).fill_diagonal_(0)
    true, other = divmod(int(means.argmax()), 4)
    assert found["most alike"] == f"{'abcd'[true]} like {'abcd'[other]}"
    (table,) = (received(each)[0] for each in blocks if each.words["kind"] == "darkness")
    assert near(table["table"][true][other][1], float(means[true, other]))
    (cards,) = (received(each)[0]["cards"] for each in blocks if each.words["kind"] == "faces")
    most = p[labels == true][:, other].sort(descending=True).values
    assert len(cards) == min(12, len(most))
    assert near(cards[0]["words"].split(": ")[1], float(most[0]))


def test_calibration_tells_the_likelihood_at_each_of_three_temperatures(world: Small) -> None:
    v, _, labels = both(world)
    found = told(calibrating._board(desk(), None))
    fitted = float(found["fitted T"])
    nll = {name: float(F.cross_entropy(v / t, labels)) for name, t in (("T = 1", 1), ("here", 3))}
    for name, value in nll.items():
        assert near(found[f"NLL, {name}"], value)
    assert near(found["NLL, fitted"], float(F.cross_entropy(v / fitted, labels)))
    right = float((v.argmax(1) == labels).double().mean())
    assert float(found["accuracy, at any T"].split(" ")[0]) == pytest.approx(100 * right, abs=0.06)


def test_the_pulls_are_the_gradients_of_a_new_student(world: Small) -> None:
    v, _, labels = both(world)
    z = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    p = (v[4] / WARM).softmax(0)
    hard = F.cross_entropy(z, labels[4])
    soft = F.kl_div((z / WARM).log_softmax(0), p, reduction="sum")
    norms = [float(torch.autograd.grad(each, z)[0].norm()) for each in (hard, soft)]
    found = told(pulls._board(desk(), None))
    assert near(found["‖hard‖"], norms[0])
    assert near(found["‖soft‖"], norms[1])
    assert near(found["‖soft · T²‖"], 9 * norms[1])


class School(Direct):
    """Has a distillation whose student's logits are known."""

    z = (0.5, -2.0, 3.0, 0.0)

    def runs_of(self, _: str) -> list[Any]:
        config = {"teacher": asdict(TEACHER), "arms": ["alone", "distilled"]}
        return [SimpleNamespace(function=DISTIL, config=config, run="7", status="finished")]

    def ask(self, run: str, target: str, arm: str, images: tuple[int, ...]) -> np.ndarray:
        assert (run, target, arm, images) == ("7", LOGITS, "distilled", (4,))
        return np.array([self.z], np.float32)


def test_the_pulls_are_those_of_the_student_that_is_chosen(world: Small) -> None:
    v, _, labels = both(world)
    mine = replace(desk(), engine=School())  # type: ignore[arg-type]
    mine.looks["student"] = "distilled"
    found = told(pulls._board(mine, None))
    z = torch.tensor(School.z, dtype=torch.float64, requires_grad=True)
    hard = F.cross_entropy(z, labels[4])
    soft = F.kl_div((z / WARM).log_softmax(0), (v[4] / WARM).softmax(0), reduction="sum")
    norms = [float(torch.autograd.grad(each, z)[0].norm()) for each in (hard, soft)]
    assert near(found["‖hard‖"], norms[0])
    assert near(found["‖soft‖"], norms[1])
    new = told(pulls._board(desk(), None))
    assert not near(new["‖soft‖"], norms[1])


@pytest.mark.parametrize(
    ("student", "sentence"),
    [
        ("sliders", "The ten sliders must be of ten classes, got a network of 4."),
        ("distilled", "No distilled student of this network is here: let students learn first."),
    ],
)
def test_a_student_who_is_not_here_is_said_to_be_none(
    world: Small, student: str, sentence: str
) -> None:
    mine = replace(desk(), engine=Nobody())  # type: ignore[arg-type]
    mine.looks["student"] = student
    assert received(pulls._board(mine, None)[-1])[0]["text"] == sentence


class Nobody(Direct):
    """Has no distillation."""

    def runs_of(self, _: str) -> list[Any]:
        return []


@pytest.mark.parametrize(("one", "other"), [("3", "8"), ("0", "7"), *[halving.USUAL] * 1])
def test_two_classes_are_a_sigmoid_of_what_is_between_them(one: str, other: str) -> None:
    mine = desk()
    mine.looks["of"] = "sliders"
    a, b = (3, 8) if (one, other) == halving.USUAL else (int(one), int(other))
    apart = looking.SLIDERS[a] - looking.SLIDERS[b]
    found = told(halving._board(mine, one, other, None))
    sigmoid = float(torch.tensor(apart / WARM, dtype=torch.float64).sigmoid())
    assert found[f"z of {a} − z of {b}"] == plain(apart)
    assert found["softmax of these two"] == share(sigmoid)
    assert found[f"σ({plain(apart)} / 3)"] == share(sigmoid)


def test_what_is_drawn_is_kept_of_all_classes_and_a_display_that_cuts_says_more() -> None:
    mine = desk()
    mine.looks["of"] = "sliders"
    p = torch.tensor(looking.SLIDERS, dtype=torch.float64).div(WARM).softmax(0)
    found = told(drawing._board(mine, 3, 1.0, 5, 0, None))
    top = p.sort(descending=True).values
    assert found["classes that are kept"] == "3 of 10"
    assert found["their probability together"] == share(float(top[:3].sum()))
    assert found["the 5 likeliest, in truth"] == share(float(top[:5].sum()))
    assert found["p of 3, in truth"] == share(float(top[0]))
    assert found["such a display says"] == share(float(top[0] / top[:5].sum()))
