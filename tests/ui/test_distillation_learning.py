"""What is chosen for students, or stands in the address, is what the engine is asked for."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from core.distillation import ARMS, DISTIL, EXPORT, FACED, Arm, Distillation, Distilled
from core.distillation.grids import GRID, Grid, Gridded
from core.shared import data, models
from core.shared.loading import load
from core.shared.models import Source
from core.shared.runs import Manifest
from core.shared.targets import resolve
from tests.ui.test_hans import Engine, pressed
from tests.ui.test_temperature import received
from ui.panels.distillation import earlier, facing, widths
from ui.panels.distillation.desk import Desk

DIGITS = Source(kind="built-in", name="mnist")
RUN = Manifest(
    run="7",
    visitor="me",
    number=1,
    function=DISTIL,
    config={"arms": ["alone"]},
    status="running",
    started=0.0,
)


def page() -> None:
    """Draw one tab alone."""
    import streamlit as st

    from core.shared import models
    from ui.panels.distillation.desk import Desk
    from ui.panels.distillation.learning import learning
    from ui.panels.distillation.widths import widths

    source = models.Source(kind="built-in", name=st.session_state.network)
    desk = Desk(st.session_state.engine, "me", source, models.about(source), {}, {"T": 1.0})
    (learning if st.session_state.tab == "learning" else widths)(desk)


def opened(tab: str = "learning", network: str = "mnist", **query: str) -> AppTest:
    test = AppTest.from_function(page)
    test.session_state.engine, test.session_state.tab = Engine(), tab
    test.session_state.network = network
    for key, value in query.items():
        test.query_params[key] = value
    test.run(timeout=20)
    assert not test.exception
    return test


def said(test: AppTest) -> str:
    return " ".join(each.value for each in test.toast).replace("\\", "")


def test_without_a_word_it_is_the_usual_distillation() -> None:
    test = opened()
    assert pressed(test, "distil_start") == (DISTIL, Distillation(teacher=DIGITS))
    assert not said(test)


def test_each_setting_stands_in_the_address() -> None:
    test = opened(
        distil_student="30 units",
        distil_images="5,000",
        distil_T="20",
        distil_alpha="0",
        distil_epochs="10",
        distil_unlabelled="1,000",
        distil_left_out="3",
        distil_seed="7",
        distil_squared="false",
        distil_reduction="mean",
        distil_arms="alone,distilled",
    )
    assert not said(test)
    expected = Distillation(
        teacher=DIGITS,
        student="fc30-relu",
        images=5_000,
        temperature=20.0,
        alpha=0.0,
        epochs=10,
        unlabelled=1_000,
        left_out=3,
        seed=7,
        squared=False,
        reduction="mean",
        arms=("alone", "distilled"),
    )
    assert pressed(test, "distil_start") == (DISTIL, expected)


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        (1, {"temperature": 20.0, "alpha": 0.5, "squared": False}),
        (2, {"temperature": 20.0, "alpha": 0.5}),
        (3, {"reduction": "mean"}),
        (4, {"alpha": 0.0}),
    ],
)
def test_an_experiment_is_one_click(place: int, changes: dict[str, Any]) -> None:
    test = opened()
    assert pressed(test, f"distil_try_{place}")[1] == Distillation(teacher=DIGITS, **changes)
    assert len(test.session_state.engine.asked) == 1
    assert pressed(test, "distil_start")[1] == Distillation(teacher=DIGITS, **changes)
    assert pressed(test, "distil_try_0")[1] == Distillation(teacher=DIGITS)


def test_what_cannot_be_had_is_said_and_the_usual_is_taken() -> None:
    test = opened(distil_T="hot", distil_images="7", distil_arms="genius", distil_magic="1")
    for key in ("T", "images", "arms"):
        assert f"distil_{key} must be" in said(test), key
    assert "distil_magic in the address is no setting here" in said(test)
    assert pressed(test, "distil_start")[1] == Distillation(teacher=DIGITS)


def test_without_a_student_nothing_can_begin() -> None:
    test = opened()
    assert not test.button(key="distil_start").disabled
    test.multiselect[0].set_value([]).run(timeout=20)
    assert test.button(key="distil_start").disabled


def test_a_grid_is_what_is_chosen() -> None:
    assert pressed(opened("grid"), "grid_start") == (GRID, Grid(teacher=DIGITS))
    test = opened(
        "grid",
        grid_widths="10, 30, 100, 300",
        grid_T="1, 1.5, 2, 2.5, 3, 4, 6, 10",
        grid_seeds="1",
        grid_images="500",
        grid_alpha="0.5",
        grid_epochs="5",
    )
    expected = Grid(
        teacher=DIGITS,
        widths=(10, 30, 100, 300),
        temperatures=(1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0),
        seeds=1,
        images=500,
        alpha=0.5,
        epochs=5,
    )
    assert pressed(test, "grid_start") == (GRID, expected)
    assert not said(test)


@pytest.mark.parametrize("tab", ["learning", "grid"])
def test_without_the_teachers_images_nobody_can_learn(tab: str) -> None:
    test = opened(tab, "efficientnet-lite0")
    assert "training images have to be here" in test.info[0].value
    assert not test.button


def test_a_grid_shows_means_of_those_that_have_ended() -> None:
    nan = np.nan
    state = Gridded(
        alone=np.array([[100.0, 50.0], [120.0, nan]]),
        distilled=np.array([[[80.0, 90.0], [40.0, nan]], [[60.0, nan], [nan, nan]]]),
        teacher_errors=30,
        tested=1_000,
        working="now 4 units, alone, seed 1",
    )
    blocks = widths._draw(state, {"widths": (2, 4), "temperatures": (1.0, 4.0)})
    assert received(blocks[0])[0]["text"] == "now 4 units, alone, seed 1"
    words, _ = received(blocks[1])
    assert [[cell[1] for cell in row] for row in words["table"]] == [
        ["110", "70", "90"],
        ["50", "40", "·"],
    ]
    assert [[cell[3] for cell in row] for row in words["table"]] == [
        [False, True, False],
        [False, True, False],
    ]
    assert words["table"][0][1][2] == "2 units, distilled at T = 1: 80, 60, mean 70"
    assert words["table"][1][2][2] == "4 units, distilled at T = 4: not yet"
    assert words["table"][0][0][0] == 1  # the most errors
    assert words["table"][1][1][0] == 0
    _, numbers = received(blocks[2])
    saved = numbers[2:].reshape(2, 2)
    # At T = 4 the second seed has not ended, whose student alone makes 120 errors.
    np.testing.assert_allclose(saved, 100 * np.array([[40 / 110, 0.1], [0.2, nan]]), rtol=1e-6)
    assert not np.isclose(saved[0, 1], 100 * (1 - 90 / 110))


class Direct(Engine):
    """Answers itself what it is asked for."""

    def call(self, target: str, *arguments: Any) -> Any:
        return resolve(target)(*arguments)

    def ask(self, run: str, target: str, *given: Any) -> Any:
        assert (run, target) == ("7", FACED)
        seen = resolve("core.distillation.asking:picture")(DIGITS, *given)
        return seen, {arm: np.eye(10)[tuple(ARMS).index(arm)] for arm in ("alone", "permuted")}


def desk(engine: Direct) -> Desk:
    return Desk(
        engine,  # type: ignore[arg-type]
        "me",
        DIGITS,
        models.about(DIGITS),
        {},
        {"T": 2.0, "faced": 10**6, "beside": 0},
    )


def test_a_picture_is_read_by_the_teacher_and_by_each_student() -> None:
    view = replace(Engine(manifests=(RUN,)).view("7"), config={"arms": ["alone", "permuted"]})
    dragged, _dial, faces, figures = map(received, facing._board(desk(Direct()), view))
    assert (dragged[0]["value"], dragged[0]["highest"]) == (9_999, 9_999)
    words, numbers = faces
    assert words["networks"] == [ARMS["alone"], ARMS["permuted"], "the teacher"]
    (card,) = words["cards"]
    image = data.dataset("mnist", torch.device("cpu")).test
    np.testing.assert_array_equal(numbers, image.images[-1].numpy().ravel())
    label = int(image.labels[-1])
    assert card["hard"] == label
    for place, row in ((0, card["bars"][0]), (3, card["bars"][1])):
        expected = torch.softmax(torch.eye(10, dtype=torch.float64)[place] / 2, 0)
        np.testing.assert_allclose(row, expected)
    with torch.no_grad():
        teacher = load(DIGITS).network(image.images[-1:])[0].double() / 2
    np.testing.assert_allclose(card["bars"][2], torch.softmax(teacher, 0), rtol=1e-4, atol=1e-9)
    student = torch.log_softmax(torch.eye(10, dtype=torch.float64)[3] / 2, 0)
    apart = torch.nn.functional.kl_div(student, torch.softmax(teacher, 0), reduction="sum")
    assert float(figures[0]["rows"][1][1]) == pytest.approx(float(apart), rel=0.01)


@pytest.mark.parametrize("status", ["waiting", "failed"])
def test_of_a_run_that_has_nothing_to_say_nobody_asks(status: str) -> None:
    view = replace(Engine(manifests=(RUN,)).view("7"), status=status)
    assert facing._board(desk(Direct()), view) == []
    assert facing._board(desk(Direct()), None) == []


class Student(Direct):
    """Has a run that has ended, and its students' weights."""

    def ask(self, run: str, target: str, *given: Any) -> Any:
        if target == EXPORT:
            self.asked.append((run, given))
            return b"a zip"
        return super().ask(run, target, *given)


def test_a_student_is_pinned_for_every_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []

    def keep(folder: Any, content: bytes, data: str) -> str:
        kept.append(content)
        return "ab" * 16

    monkeypatch.setattr("core.shared.weights.keep", keep)
    monkeypatch.setattr("ui.visitors.visitor", lambda: "me")
    config = asdict(Distillation(teacher=DIGITS))
    manifest = replace(RUN, config=config | {"arms": [*ARMS]}, status="failed")
    test = AppTest.from_function(page)
    test.session_state.engine, test.session_state.tab = Student(manifests=(manifest,)), "learning"
    test.session_state.network = "mnist"
    test.run(timeout=20)
    test.selectbox(key="distil_keep").set_value("permuted").run(timeout=20)
    assert pressed(test, "distil_pin") == ("7", ("permuted",))
    assert kept == [b"a zip"]
    assert test.session_state.pin_network == "own-" + "ab" * 16
    assert test.session_state.pin_weights == ["own-" + "ab" * 16]


def test_experiments_are_listed_beside_each_other() -> None:
    def distilled(errors: int, ended: bool = True) -> Distilled:
        nothing = np.empty(0)
        arm = Arm(
            name="distilled",
            epochs=nothing,
            validation=nothing,
            hard=nothing,
            soft=nothing,
            agreement=nothing,
            errors=errors if ended else None,
            agreed=None,
            divergence=None,
        )
        told = 52 if ended else None
        return Distilled(epoch=1.0, arms=(arm,), teacher_errors=told, tested=10_000, watched=1_000)

    config = asdict(Distillation(teacher=DIGITS, squared=False))
    view = replace(Engine(manifests=(RUN,)).view("7"), config=config)
    other = {**config, "teacher": asdict(Source(kind="built-in", name="fashion"))}
    views = [
        replace(view, number=4, state=distilled(0, ended=False)),
        replace(view, number=3, state=distilled(700)),
        replace(view, number=2, state=distilled(800), config=other),
        replace(view, number=1, state=distilled(900)),
    ]
    rows = earlier.rows(views, DIGITS)
    assert [(row["run"], row["T²"], row["distilled"]) for row in rows] == [
        (3, "no", 700),
        (1, "no", 900),
    ]
