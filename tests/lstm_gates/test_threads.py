"""A small network has one thread where more would wait for each other, and gives the rest back."""

import time
from collections.abc import Callable

import pytest
import torch

from core.lstm_gates import Plan
from core.lstm_gates.readers import Reader, build
from core.lstm_gates.threads import IN_A_ROW, Sharing, few

MANY = 4
LARGE = 1 << 10  # texts: 64 · 16 weights in so many are worth sharing


class Machine:
    """A clock and a number of threads; a step takes as long as it is told for so many."""

    def __init__(self, alone: float, together: float) -> None:
        self.now, self.threads, self.seconds = 0.0, MANY, {1: alone, MANY: together}

    def step(self) -> None:
        self.now += self.seconds[self.threads]

    def use(self, count: int) -> None:
        self.threads = count


@pytest.fixture
def machine_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, float], Machine]:
    def made(alone: float, together: float) -> Machine:
        machine = Machine(alone, together)
        monkeypatch.setattr(torch, "get_num_threads", lambda: machine.threads)
        monkeypatch.setattr(torch, "set_num_threads", machine.use)
        monkeypatch.setattr(time, "perf_counter", lambda: machine.now)
        return machine

    return made


def small() -> Reader:
    return build(Plan(units=16), "\ufffdab", torch.device("cpu"))


def test_a_small_network_reads_with_one_thread_and_a_large_one_with_all(
    machine_of: Callable[[float, float], Machine],
) -> None:
    machine = machine_of(1, 1)
    with few(small()):
        assert machine.threads == 1
    assert machine.threads == MANY
    with few(small(), LARGE):
        assert machine.threads == MANY
    with pytest.raises(KeyError), few(small()):
        raise KeyError
    assert machine.threads == MANY


@pytest.mark.parametrize(("together", "chosen"), [(0.7, MANY), (50.0, 1)])
def test_a_course_has_as_many_threads_as_are_quickest(
    machine_of: Callable[[float, float], Machine], together: float, chosen: int
) -> None:
    machine = machine_of(1, together)
    sharing = Sharing(small(), 4)
    sharing.settle(machine.step)
    assert sharing.threads == chosen
    began = machine.now
    sharing.settle(machine.step)
    assert machine.now == began  # it is settled
    with sharing.at_work():
        assert machine.threads == chosen
    assert machine.threads == MANY


def test_a_course_goes_on_with_the_threads_that_it_had(
    machine_of: Callable[[float, float], Machine],
) -> None:
    machine = machine_of(1, 2)
    for had in (1, MANY):
        sharing = Sharing(small(), 4, had)
        sharing.settle(machine.step)
        assert sharing.threads == had
    large = Sharing(small(), LARGE)
    began = machine.now
    large.settle(machine.step)
    assert (large.threads, machine.now) == (MANY, began)


def test_only_a_machine_that_stays_busy_makes_a_course_keep_to_one_thread(
    machine_of: Callable[[float, float], Machine],
) -> None:
    machine = machine_of(1, 0.7)
    sharing = Sharing(small(), 4)
    sharing.settle(machine.step)

    def advance(*, busy: bool) -> None:
        machine.seconds[MANY] = 50.0 if busy else 0.7
        sharing.settle(machine.step)
        with sharing.at_work():
            machine.step()

    late = [True] * IN_A_ROW
    for busy in [*late[1:], False] * 3 + [*late, False] + late:
        advance(busy=busy)
        assert sharing.threads == MANY
    advance(busy=True)
    assert sharing.threads == 1
