"""Every method that asks often says how far it is, up to its end."""

import pytest
import torch

from core.saliency import Query
from core.saliency.explaining import explain
from core.saliency.methods import METHODS
from core.shared import data
from core.shared.models import Source
from core.shared.progress import Done

DIGITS = Source(kind="built-in", name="mnist")
FEW = {"steps": 130, "samples": 130, "masks": 150}
ASKED = {  # what each counts, and how many
    "smoothgrad": ("pictures", 130),
    "vargrad": ("pictures", 130),
    "integrated": ("steps", 130),
    "expected": ("baselines", 130),
    "scorecam": ("maps", None),
    "occlusion": ("pictures", None),
    "rise": ("pictures", 150),
    "lime": ("pictures", None),  # equal ones are asked about once
    "kernelshap": ("pictures", None),
}


@pytest.mark.parametrize("method", ASKED)
def test_a_method_says_how_far_it_is(method: str) -> None:
    heeds = METHODS[method].heeds
    query = Query(method=method, **{key: many for key, many in FEW.items() if key in heeds})  # type: ignore[arg-type]
    pixels = data.dataset("mnist", torch.device("cpu")).test.images[0].numpy()
    words = [each for each in explain.in_turns(DIGITS, pixels, query) if isinstance(each, Done)]
    numbers = [each.done for each in words]
    assert numbers == sorted(set(numbers))
    assert words[-1].done == words[-1].of
    unit, of = ASKED[method]
    assert {(each.title, each.unit) for each in words} == {(METHODS[method].title, unit)}
    assert of in (None, words[-1].of)
    if of:
        assert len(words) > 1
