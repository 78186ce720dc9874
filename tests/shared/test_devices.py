"""One place decides where tensors live, and says so when a wish cannot be granted."""

import threading
from pathlib import Path

import pytest
import torch

from core.shared import devices

CPU = torch.device("cpu")


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("two_cards")
def test_the_best_device_is_chosen_and_wish_and_variable_override_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert devices.every() == ("cuda:0", "cuda:1")
    assert devices.choose() == torch.device("cuda:0")
    assert devices.choose("cuda:1") == torch.device("cuda:1")
    assert devices.choose("cuda") == torch.device("cuda:0")
    monkeypatch.setenv(devices.VARIABLE, "cpu")
    assert devices.choose() == CPU
    assert devices.choose("cuda:1") == torch.device("cuda:1")
    monkeypatch.setenv(devices.VARIABLE, " ")
    assert devices.choose() == torch.device("cuda:0")


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize("wish", ["cuda:2", "mps", "gpu", "cuda:x", "cuda:-1", "cuda:1:2"])
def test_a_wish_for_a_device_that_is_not_here_is_refused(wish: str) -> None:
    with pytest.raises(ValueError, match="GLASSBOX_DEVICE must"):
        devices.choose(wish)


@pytest.mark.usefixtures("no_card")
def test_without_a_card_the_cpu_is_chosen() -> None:
    assert devices.every() == ("cpu",)
    assert devices.choose() == CPU
    assert devices.describe(CPU).startswith("CPU, ")


@pytest.mark.usefixtures("no_card")
def test_a_thread_keeps_to_the_device_that_it_was_prepared_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = []

    def work() -> None:
        devices.prepare(CPU)
        monkeypatch.setattr(devices, "every", lambda: ("cuda:0",))
        chosen.append(devices.choose())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert chosen == [CPU]
    assert devices.choose() == torch.device("cuda:0")  # this thread was not


def test_free_memory_is_what_the_kernel_says() -> None:
    found = devices.free_memory(CPU)
    stated = {
        line.split(":")[0]: int(line.split()[1]) * 1024
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    }
    assert 0 < found <= stated["MemTotal"]
    assert found == pytest.approx(stated["MemAvailable"], rel=0.5)  # others work here too


@pytest.mark.gpu
def test_the_gpu_multiplies_in_full_single_precision() -> None:
    device = torch.device("cuda")
    devices.prepare(device)
    source = torch.Generator().manual_seed(0)
    left, right = torch.randn(2, 512, 512, generator=source)
    exact = left.double() @ right.double()
    error = ((left.to(device) @ right.to(device)).cpu().double() - exact).abs().max()
    assert error < 1e-3  # float32 over 512 terms; TensorFloat-32 is some 3e-2 off
