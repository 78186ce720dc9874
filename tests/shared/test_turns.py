"""What is computed in turns is what is computed whole, and nobody else notices."""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest
import torch

from core import feature_maps
from core.feature_maps.channels import lesion, top
from core.feature_maps.laboratory import effective_field
from core.feature_maps.spaces import probe, shift, space
from core.shared import loading
from core.shared.models import Source
from core.shared.samples import sample, strangeness
from core.shared.turns import Patient, patient, remembered
from tests.shared.untouched import untouched

MNIST = Source(kind="built-in", name="mnist")
FASHION = Source(kind="built-in", name="fashion")
LONG: dict[str, tuple[Source, Callable[[], Generator[None, None, Any]]]] = {
    "top": (MNIST, lambda: top.in_turns(MNIST, "conv4.1", 1, 9, 601)),
    "lesion": (MNIST, lambda: lesion.in_turns(MNIST, digit(), "conv4.1", 1, False, 601)),
    "effective field": (MNIST, lambda: effective_field.in_turns(MNIST, "conv4.1", 1, 300)),
    "PCA": (MNIST, lambda: space.in_turns(MNIST, "conv4.1", 600)),
    "t-SNE": (MNIST, lambda: space.in_turns(MNIST, "conv4.1", 100, "tsne")),
    "probe": (MNIST, lambda: probe.in_turns(MNIST, ("conv4.1", "conv8.2"), 600)),
    "shift": (MNIST, lambda: shift.in_turns(MNIST, digit(), ("conv4.1",))),
    "strangeness": (FASHION, lambda: strangeness.in_turns(FASHION, digit())),
}


@patient
def counted(end: int, log: list[int]) -> Generator[None, None, int]:
    """Count."""
    for number in range(end):
        log.append(number)
        yield
    return end


def test_it_can_be_called_whole_and_in_turns() -> None:
    log: list[int] = []
    assert counted(3, log) == 3
    assert log == [0, 1, 2]
    assert len(list(counted.in_turns(3, log))) == 3
    assert (counted.__doc__, counted.__name__) == ("Count.", "counted")


def test_an_error_comes_out_whole_and_in_turns() -> None:
    @patient
    def refuses() -> Generator[None, None, None]:
        yield
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        refuses()
    work = refuses.in_turns()
    next(work)
    with pytest.raises(ValueError, match="no"):
        next(work)


def test_what_is_remembered_is_computed_once_and_the_longest_unused_goes() -> None:
    asked: list[int] = []

    @remembered(2)
    def square(number: int) -> Generator[None, None, int]:
        asked.append(number)
        yield
        if number < 0:
            raise ValueError("no")
        return number**2

    @patient
    def whole(number: int) -> Generator[None, None, int]:
        return (yield from square(number))

    assert [whole(each) for each in (1, 2, 1, 3, 1, 2)] == [1, 4, 1, 9, 1, 4]
    assert asked == [1, 2, 3, 2]
    square.cache_clear()
    assert whole(1) == 1
    assert asked == [1, 2, 3, 2, 1]
    for _ in range(2):  # an error is not remembered, and does not make others wait
        with pytest.raises(ValueError, match="no"):
            whole(-1)
    first, second = whole.in_turns(9), whole.in_turns(9)
    next(first)
    next(second)
    next(second)
    assert asked.count(9) == 1  # the second waits
    first.close()
    next(second)  # and computes it when the first has gone
    assert asked.count(9) == 2
    with pytest.raises(StopIteration) as end:
        next(second)
    assert end.value.value == 81


@pytest.mark.parametrize("name", LONG)
def test_the_long_ones_leave_the_network_as_it_was_after_each_turn(name: str) -> None:
    source, begin = LONG[name]
    network, work, turns = loading.load(source).network, begin(), 0
    while True:
        with untouched(network):
            try:
                next(work)
            except StopIteration:
                break
        turns += 1
    assert turns > 1
    left = begin()
    next(left, None)  # what is remembered takes no turn
    with untouched(network):
        left.close()


def test_that_guard_rejects_a_turn_that_ends_without_gradients() -> None:
    def holds() -> Generator[None, None, None]:
        with torch.no_grad():
            yield

    work = holds()
    with torch.enable_grad():
        next(work)
        assert not torch.is_grad_enabled()


def test_all_that_a_page_may_wait_long_for_takes_turns() -> None:
    named = {"TOP": top, "LESION": lesion, "EFFECTIVE_FIELD": effective_field}
    named |= {"SPACE": space, "PROBE": probe, "SHIFT": shift}
    for name, function in named.items():
        assert isinstance(function, Patient)
        module, _, called = getattr(feature_maps, name).partition(":")
        assert (function.__module__, function.__name__) == (module, called)


def digit() -> np.ndarray:
    return sample("mnist", 0).pixels


def test_turns_do_not_mix_when_others_compute_between_them() -> None:
    alone = top(MNIST, "conv2.0", 0, 9, 600)
    first, second = (
        top.in_turns(MNIST, "conv2.0", 0, 9, 600),
        lesion.in_turns(MNIST, digit(), "conv2.0", 1, True, 600),
    )
    results: list[object] = []
    works = [first, second]
    while works:
        for work in list(works):
            try:
                next(work)
            except StopIteration as end:
                results.append(end.value)
                works.remove(work)
    found = next(each for each in results if isinstance(each, feature_maps.Top))
    assert [e.index for e in found.examples] == [e.index for e in alone.examples]
    other = next(each for each in results if isinstance(each, feature_maps.Lesion))
    assert np.array_equal(other.after, lesion(MNIST, digit(), "conv2.0", 1, True, 600).after)
