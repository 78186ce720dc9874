"""The blocks that look inside a network name what they show."""

import numpy as np
import pytest

from core.feature_maps import Click
from ui import inside


def told(parts: tuple[str, ...], channels: tuple[int, ...]) -> Click:
    values = np.array([0.5, -1.25][: len(channels)])
    return Click(
        kind="sum or join",
        at=(3, 4, 5),
        value=float(values.sum()),
        computed=float(values.sum()),
        formula="",
        window=values[:, None, None],
        kernel=None,
        inside=np.ones((1, 1), bool),
        channels=channels,
        first=0,
        sums=values,
        bias=0.0,
        corner=(4, 5),
        span=(1, 1),
        field=(0, 0, 9, 9),
        parts=parts,
    )


@pytest.mark.parametrize(
    ("parts", "channels", "names"),
    [
        (("b takes", "b.norm"), (0, 1), [("a", "a: b takes"), ("b", "b: b.norm")]),
        (("branch2.1",), (7,), [("", "branch2.1, map 7")]),
        ((), (7,), []),
    ],
)
def test_summands_and_branches_have_the_names_of_their_layers(
    parts: tuple[str, ...], channels: tuple[int, ...], names: list[tuple[str, str]]
) -> None:
    block = inside.products(
        told(parts, channels), title="t", form="f", source="input map", weight=None
    )
    assert block.words["parts"] == names
    assert block.numbers.tolist() == pytest.approx([0.5, -1.25][: len(channels)] * 2)
