"""What passes many images through a network says how far it is, up to its end."""

from typing import Any

import pytest

from core.feature_maps import channels, spaces
from core.feature_maps.spaces import probe
from core.shared.progress import Done
from tests.shared.test_turns import LONG, MNIST

TITLES = {  # what each says that it does, one after the other
    "top": ["What excites the channels"],
    "lesion": ["The changed network reads", "The whole network reads"],
    "effective field": ["The field of a unit"],
    "PCA": ["What layers give"],
    "t-SNE": ["What layers give"],
    "probe": ["What layers give"],
    "shift": ["The picture moves"],
}


def said(turns: Any) -> list[Done]:
    return [each for each in turns if isinstance(each, Done)]


def goes_to_its_end(words: list[Done]) -> bool:
    numbers = [each.done for each in words]
    return numbers == sorted({*numbers}) and words[-1].done == words[-1].of


@pytest.mark.parametrize("name", TITLES)
def test_it_says_how_far_it_is(name: str) -> None:
    channels._largest.cache_clear()
    channels._right.cache_clear()
    words = said(LONG[name][1]())
    assert list(dict.fromkeys(each.title for each in words)) == TITLES[name]
    for title in TITLES[name]:
        assert goes_to_its_end([each for each in words if each.title == title])


def test_a_probe_of_many_layers_counts_each_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = ("conv4.1", "conv8.2")
    (once, *_) = said(probe.in_turns(MNIST, layers, 600))
    assert (once.of, once.unit) == (600, "images")
    monkeypatch.setattr(spaces, "HELD", 600)  # one layer at a time
    words = said(probe.in_turns(MNIST, layers, 600))
    assert {(each.of, each.unit) for each in words} == {(1200, "passes of images")}
    assert goes_to_its_end(words)
    assert not goes_to_its_end(words[:-1])
    assert not goes_to_its_end(words[::-1])
