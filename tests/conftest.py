"""Shapes in core's signatures are checked whenever tests run; waiting always has an end."""

import os
import time
from collections.abc import Callable

import pytest
import torch
from jaxtyping import install_import_hook

# Before anything of core is imported. An int is a float, as PEP 484 says.
CHECK = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
install_import_hook("core", CHECK)
# Two threads that share two cores with other programs wait for each other five times as long.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # in the processes that tests start


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="this machine has no GPU"))


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Wait until something is so; fail with what it was waited for when it takes too long."""

    def wait(fact: Callable[[], object], seconds: float = 30) -> None:
        limit = time.monotonic() + seconds
        while not fact():
            if time.monotonic() > limit:
                pytest.fail(f"not within {seconds:g} s")
            time.sleep(0.005)

    return wait
