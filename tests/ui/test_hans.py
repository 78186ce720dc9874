"""The Clever-Hans laboratory trains and examines what is chosen, and says what came of it."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import train_cnn
from core.saliency import Query
from core.saliency.laboratory import HANS, Answers, Examination, Examined, Inside, Scored
from core.saliency.methods import METHODS
from core.shared import models, runs
from core.shared.engine import View
from core.shared.models import Source
from core.shared.recipes import Recipe
from core.shared.runs import Manifest
from ui import visitors
from ui.blocks import pack
from ui.panels.saliency.examined import draw, found, verdict

DIGITS = Source(kind="built-in", name="mnist")
ABOUT = models.about(DIGITS)
LOOKS = {"view": "overlay", "scale": "own"}
NAN = float("nan")


class Engine:
    """Does nothing, and notes what it is asked to do."""

    def __init__(
        self, folder: Path = Path("/nowhere"), manifests: tuple[Manifest, ...] = ()
    ) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.folder, self.manifests = folder, {each.run: each for each in manifests}

    def runs_of(self, visitor: str) -> list[View]:
        return [self.view(run) for run in self.manifests]

    def manifest(self, run: str) -> Manifest:
        return self.manifests[run]

    def view(self, run: str) -> View:
        kept = self.manifests[run]
        return View(
            run=run,
            function=kept.function,
            config=kept.config,
            status=kept.status,
            place=0,
            version=1,
            progress=1.0,
            pace=None,
            failure="",
            note="",
            started=0.0,
            pinned=False,
            number=kept.number,
            origin="",
            origin_step=0,
            state=None,
        )

    def submit(self, function: str, config: Any, *, visitor: str) -> str:
        self.asked.append((function, config))
        return "0"

    def stop(self, run: str) -> None:
        raise AssertionError


def page() -> None:
    """Draw the laboratory alone."""
    import streamlit as st

    from core.shared import models
    from ui.panels.saliency.hans import laboratory

    source = st.session_state.source
    about = models.about(models.Source(kind="built-in", name=st.session_state.data))
    laboratory(st.session_state.engine, "me", source, about, {"view": "overlay", "scale": "own"})


def opened(
    source: Source = DIGITS, data: str = "mnist", engine: Engine | None = None, **query: str
) -> AppTest:
    test = AppTest.from_function(page)
    test.session_state.engine, test.session_state.source = engine or Engine(), source
    test.session_state.data = data
    for key, value in query.items():
        test.query_params[key] = value
    test.run(timeout=20)
    assert not test.exception
    return test


def pressed(test: AppTest, key: str) -> Any:
    """What the engine is asked to do when a button is pressed."""
    test.button(key=key).click().run(timeout=20)
    assert not test.exception
    return test.session_state.engine.asked[-1]


def test_a_network_is_trained_with_the_mark_that_is_chosen() -> None:
    test = opened(hans_share="25 %", hans_seed="4")
    test.selectbox(key="hans_class").set_value(7).run()
    expected = Recipe(images=10_000, epochs=3, seed=4, marked=7, mark_share=0.25)
    assert pressed(test, "hans_train") == (train_cnn.TRAIN, expected)
    test.selectbox(key="hans_share").set_value(0.0).run()
    assert test.button(key="hans_train").label == "Train it without a mark"
    control = replace(expected, marked=None, mark_share=1.0)
    assert pressed(test, "hans_train") == (train_cnn.TRAIN, control)


def test_of_data_with_few_images_all_are_learned_from_and_classes_have_their_names() -> None:
    test = opened(data="fashion", source=Source(kind="built-in", name="fashion"), hans_class="Bag")
    _, recipe = pressed(test, "hans_train")
    assert (recipe.data, recipe.images, recipe.marked) == ("fashion", 0, 8)


def test_the_pinned_network_is_examined_for_the_mark_that_it_learned_with() -> None:
    test = opened(hans_class="5")
    queries = tuple(Query(method=name) for name in METHODS if name != "rollout")  # no attention
    expected = Examination(source=DIGITS, marked=5, queries=queries, images=32)
    assert pressed(test, "hans_start") == (HANS, expected)
    recipe = Recipe(marked=8, mark_share=0.5)
    run = Source(kind="run", name="Run 1", config=json.dumps(asdict(recipe)), folder="/x", step=1)
    test = opened(run, hans_class="5")
    assert any("the mark on 50 % of the images of 8" in each.value for each in test.caption)
    test.multiselect(key="hans_methods_").set_value(["gradient"]).run()
    queries = (Query(method="gradient"),)
    expected = Examination(source=run, marked=8, queries=queries, images=32)
    assert pressed(test, "hans_start") == (HANS, expected)


def test_the_network_that_was_trained_is_pinned_as_it_stood_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors, "visitor", lambda: "me")
    made = [
        replace(
            runs.create(tmp_path, "me", train_cnn.TRAIN, asdict(recipe), number=number),
            status="finished",
        )
        for number, recipe in (
            (3, Recipe(data="fashion", marked=1)),
            (2, Recipe(marked=1)),
            (1, Recipe()),
        )
    ]
    folder = runs.folder_of(tmp_path, made[1])
    for step in (0, 20):
        runs.place(folder, step).touch()
    test = opened(engine=Engine(tmp_path, tuple(made)))
    assert any("Run 2 of yours" in each.value for each in test.caption)
    assert test.button(key="hans_pin").label == "Pin it"
    test.session_state.pin_steps = {made[1].run: 0}
    test.button(key="hans_pin").click().run()
    assert not test.exception
    assert test.session_state.pin_network == f"run-{made[1].run}"
    assert test.session_state.pin_steps == {}
    for step, label in ((0, "Pin it"), (20, "It is pinned")):
        source = models.of_run(tmp_path, made[1], step)
        test = opened(source, engine=Engine(tmp_path, tuple(made)))
        assert test.button(key="hans_pin").label == label


def test_what_has_no_data_here_is_not_trained() -> None:
    test = opened(data="efficientnet-lite0")
    assert not test.button
    assert "choose a network whose data are here" in test.info[0].value


def inside(images: int = 9, mass: float = 0.5, hits: float = 1.0, empty: int = 0) -> Inside:
    errors = {"mass_error": 0.01, "hits_error": 0.02} if images > 1 else {}
    known = {"mass": mass, "hits": hits} if images else {}
    numbers = dict.fromkeys(("mass", "mass_error", "hits", "hits_error"), NAN) | known | errors
    return Inside(images=images, empty=empty, **numbers)


def score(method: str, others: Inside, own: Inside, refusal: str = "") -> Scored:
    values = np.zeros((1, 28, 28), np.float32) if own.images or others.images else None
    return Scored(
        query=Query(method=method, target=3),
        refusal=refusal,
        others=others,
        own=own,
        values=values,
        negligible=0.0,
    )


NO_MAP = inside(0)
READ = Answers(images=40, right=(0.25, 1.0), named=(0.25, 1.0))
OTHERS = Answers(images=60, right=(0.9, 0.3), named=(0.01, 0.6))
ENDED = Examined(
    box=(23, 23, 27, 27),
    chance=16 / 784,
    own=READ,
    others=OTHERS,
    methods=(
        score("gradient", inside(hits=0.2, mass=0.1, empty=2), inside()),
        score("integrated", inside(), inside(hits=0.1)),
        score("guided", NO_MAP, NO_MAP, "network must have a ReLU, got none"),
        score("edges", inside(hits=0.9), inside()),
    ),
    example=np.zeros((1, 28, 28), np.float32),
    label=1,
    working="",
)


def said(state: Examined) -> str:
    """All words that are drawn of a state, which can be sent."""
    packet = pack({}, draw(state, 3, ABOUT, dict(LOOKS)))
    length = int.from_bytes(packet[:4], "little")
    return packet[4 : 4 + length].decode("unicode_escape", errors="replace")


def test_the_end_says_which_methods_point_at_the_mark() -> None:
    told = said(ENDED)
    expected = (
        "Mostly brightest inside the mark: Integrated gradients. "
        "Mostly brightest elsewhere: Gradient."
    )
    assert found(ENDED, "others") == expected
    assert expected in told
    assert "Not by Guided backpropagation: network must have a ReLU, got none." in told
    assert "2 empty" in told
    own = "inside the mark: Gradient. Mostly brightest elsewhere: Integrated gradients."
    assert own in found(ENDED, "own")


def test_who_cannot_explain_the_network_has_no_bars_and_each_reason_is_said_once() -> None:
    why = "this network has no ReLU, and nothing else of it would be changed"
    refused = [
        score(name, NO_MAP, NO_MAP, f"method must be another one than {name}: {why}")
        for name in ("guided", "deconvnet")
    ]
    state = replace(ENDED, methods=(ENDED.methods[0], *refused))
    bars = [each for each in draw(state, 3, ABOUT, dict(LOOKS)) if each.words["kind"] == "bars"]
    assert [row[0] for row in bars[-1].words["rows"]] == ["Gradient"]
    assert f"Not by Guided backpropagation and Deconvnet: {why}." in said(state)
    assert said(state).count(why) == 1


@pytest.mark.parametrize(
    "state",
    [
        replace(ENDED, own=None, others=None, working="now reading test pictures"),
        replace(ENDED, working="now Gradient"),
        replace(
            ENDED,
            methods=tuple(score(each.query.method, NO_MAP, NO_MAP) for each in ENDED.methods),
            working="now Gradient",
        ),
        replace(
            ENDED,
            methods=tuple(score(each.query.method, NO_MAP, inside(1)) for each in ENDED.methods),
        ),
        replace(
            ENDED,
            own=Answers(images=0, right=(NAN, NAN), named=(NAN, NAN)),
            methods=(score("gradient", NO_MAP, NO_MAP),),
            example=None,
            label=None,
        ),
    ],
    ids=["reading", "explaining", "nothing yet", "a control", "no test pictures"],
)
def test_every_state_can_be_drawn(state: Examined) -> None:
    told = said(state)
    assert not state.working or f"N{state.working[1:]}." in told
    assert "nan" not in told.lower().replace("unan", "")


def test_whether_a_network_goes_by_the_mark_is_judged_by_what_the_mark_does() -> None:
    assert verdict(READ, OTHERS, "3").endswith(
        "of the others it takes 1.0 % for a 3, with the mark 60.0 %. It goes by the mark."
    )
    same = Answers(images=9, right=(0.97, 0.98), named=(0.97, 0.98))
    none = Answers(images=9, right=(0.97, 0.96), named=(0.01, 0.02))
    assert verdict(same, none, "8").endswith("It hardly minds the mark.")
    assert verdict(same, OTHERS, "8").endswith("It goes by the mark.")
    assert verdict(READ, none, "8").endswith("It goes by the mark.")
    unknown = Answers(images=0, right=(NAN, NAN), named=(NAN, NAN))
    assert verdict(unknown, OTHERS, "8").endswith("It goes by the mark.")
