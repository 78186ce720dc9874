"""The melt's screen, where the engine refuses."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from core.saliency import Query
from core.shared import models
from core.shared.engine import EngineError
from core.shared.models import Source
from ui import pinned
from ui.panels.saliency import melt

DIGITS = Source(kind="built-in", name="mnist", config="", folder="", step=0)
SAID = "It was stopped."


class Refusing:
    """An engine that melts nothing."""

    def __init__(self, place: int) -> None:
        self.place = place  # from which on it refuses

    def call(self, _target: str, _source: Source, _pixels: Any, query: Query, place: int) -> Any:
        if place >= self.place:
            raise EngineError(SAID)
        found = SimpleNamespace(
            query=query, values=np.ones((1, 28, 28)), negligible=0.0, probability=0.9
        )
        return SimpleNamespace(
            layers=("output.1", "conv2.0"), attribution=found, correlation=1.0, absolute=1.0
        )


@pytest.mark.parametrize(
    ("refused", "melted", "blocks"), [(0, 0, 1), (1, 1, 2), (2, 2, 2), (1, 0, 2)]
)
def test_where_the_engine_refuses_it_says_so_and_the_slider_stays(
    refused: int, melted: int, blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = SimpleNamespace(pixels=np.zeros((1, 28, 28)), photograph=None, look="ink")
    monkeypatch.setattr(pinned, "see", lambda *_: seen)
    looks = {"view": "map", "scale": "own", "melted": melted}
    query = Query(method="gradient", target=3)
    engine: Any = Refusing(refused)
    drawn = melt._draw(engine, DIGITS, models.about(DIGITS), {}, query, looks)
    assert [block.words["kind"] for block in drawn] == ["progress", "drag"][:blocks]
    assert SAID in str(drawn[0].words)
