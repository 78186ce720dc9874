"""What is computed in turns is what is computed whole, and nobody else notices."""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from core import feature_maps
from core.feature_maps import channels
from core.feature_maps.channels import lesion, top
from core.feature_maps.laboratory import effective_field
from core.feature_maps.spaces import probe, shift, space
from core.shared import loading
from core.shared.models import Source
from core.shared.samples import sample, strangeness
from core.shared.turns import WAITING, Patient, Room, patient, remembered
from tests.shared.untouched import untouched

MNIST = Source(kind="built-in", name="mnist")
FASHION = Source(kind="built-in", name="fashion")
LONG: dict[str, tuple[Source, Callable[[], Generator[Any, None, Any]]]] = {
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
def counted(end: int, log: list[int]) -> Generator[Any, None, int]:
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
    def refuses() -> Generator[Any, None, None]:
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
    def square(number: int) -> Generator[Any, None, int]:
        asked.append(number)
        yield
        if number < 0:
            raise ValueError("no")
        return number**2

    @patient
    def whole(number: int) -> Generator[Any, None, int]:
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
    forget()
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
    def holds() -> Generator[Any, None, None]:
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


def in_step(*works: Generator[Any, None, Any]) -> list[Any]:
    """Advance all by turns; give what each returns, in order."""
    results: dict[int, Any] = {}
    turns = [0] * len(works)
    while len(results) < len(works):
        for k, work in enumerate(works):
            if k not in results:
                try:
                    next(work)
                    turns[k] += 1
                except StopIteration as end:
                    results[k] = end.value
    assert min(turns) > 1
    return [results[k] for k in range(len(works))]


def forget() -> None:
    channels._largest.cache_clear()
    channels._right.cache_clear()


def test_turns_do_not_mix_when_others_compute_between_them() -> None:
    forget()
    alone = top(MNIST, "conv2.0", 0, 9, 600)
    hurt = lesion(MNIST, digit(), "conv2.0", 1, True, 600)
    forget()
    found, also = in_step(
        top.in_turns(MNIST, "conv2.0", 0, 9, 600),
        lesion.in_turns(MNIST, digit(), "conv2.0", 1, True, 600),
    )
    assert [e.index for e in found.examples] == [e.index for e in alone.examples]
    assert also.accuracy_after == hurt.accuracy_after < hurt.accuracy_before
    assert np.array_equal(also.classes_after, hurt.classes_after)


def test_that_comparison_rejects_what_mixes() -> None:
    held: list[int] = []

    @patient
    def mixes(number: int) -> Generator[Any, None, list[int]]:
        held.clear()
        for _ in range(3):
            held.append(number)
            yield
        return [*held]

    assert mixes(1) == [1, 1, 1]
    assert in_step(mixes.in_turns(1), mixes.in_turns(2)) != [[1, 1, 1], [2, 2, 2]]


def test_there_is_room_for_so_many_and_it_is_given_back() -> None:
    room, inside = Room(2), []

    @patient
    def enters(name: str) -> Generator[Any, None, None]:
        yield from room.enter()
        try:
            inside.append(name)
            yield
        finally:
            room.leave()

    works = [enters.in_turns(name) for name in "abc"]
    assert [next(work) for work in works] == [None, None, WAITING]
    assert inside == ["a", "b"]
    works[0].close()
    assert next(works[2]) is None
    assert inside == ["a", "b", "c"]


def test_t_sne_leaves_the_process_its_threads_also_when_two_overlap() -> None:
    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info()]

    before = threads()
    first, second = (space.in_turns(MNIST, "conv4.1", 60 + k, "tsne") for k in range(2))
    in_step(first, second)
    assert threads() == before
