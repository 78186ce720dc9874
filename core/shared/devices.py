"""One place decides where tensors live: CUDA, Apple's MPS or the CPU."""

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

__all__ = [
    "choose",
    "describe",
    "every",
    "free_memory",
    "prepare",
    "pulse",
    "release",
    "synchronise",
    "watch",
]

VARIABLE = "GLASSBOX_DEVICE"
KINDS = ("cpu", "cuda", "mps")

_prepared = threading.local()


def choose(wish: str | None = None) -> torch.device:
    """Pick the device to own: the wish, else the environment's, else the best that is here.

    A thread that was prepared for a device keeps to it, so that whatever an engine computes is
    computed on the device that this engine owns.

    Args:
        wish: "cpu", "cuda", "cuda:1" or "mps"; None asks the variable GLASSBOX_DEVICE.

    Raises: ValueError when the wish is no such name, or names a device that this machine lacks.
    """
    if wish is None and hasattr(_prepared, "device"):
        return torch.device(_prepared.device)
    name = wish or os.environ.get(VARIABLE, "").strip()
    if not name:
        return torch.device(every()[0])
    kind, _, index = name.partition(":")
    if kind not in KINDS or (index and not index.isdigit()):
        raise ValueError(f"{VARIABLE} must be cpu, mps, cuda or cuda:N, got {name!r}")
    here = every()
    if kind != "cpu" and not any(device.startswith(kind) for device in here):
        raise ValueError(f"{VARIABLE} must name a device of this machine {here}, got {name!r}")
    if kind == "cuda" and f"cuda:{index or 0}" not in here:
        raise ValueError(f"{VARIABLE} must name a device of this machine {here}, got {name!r}")
    return torch.device(f"cuda:{index or 0}" if kind == "cuda" else kind)


def every() -> tuple[str, ...]:
    """Name the devices worth an engine process each: all CUDA cards, else MPS, else the CPU."""
    if torch.cuda.is_available():
        return tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    return ("mps",) if torch.backends.mps.is_available() else ("cpu",)


def describe(device: torch.device) -> str:
    """Name a device as a person would: "NVIDIA H200", "Apple GPU", "CPU, 2 cores"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"CPU, {cores} core{'' if cores == 1 else 's'}"


def prepare(device: torch.device) -> None:
    """Make this thread keep to the device, in true fp32: TensorFloat-32 rounds what we show."""
    _prepared.device = str(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False


def pulse() -> None:
    """Tell whoever watches over this thread that it is still at work."""
    if hasattr(_prepared, "pulse"):
        _prepared.pulse()


def watch(pulse: Callable[[], None]) -> None:
    """Be told of each pulse of this thread."""
    _prepared.pulse = pulse


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was told, so that a turn ends when its work does."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def release(device: torch.device) -> None:
    """Give cached blocks back to the device, after something large has gone."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    else:
        with suppress(AttributeError, OSError, TypeError):  # only glibc has it
            ctypes.CDLL(None).malloc_trim(0)


def free_memory(device: torch.device) -> int:
    """Bytes that new work may still take on the device, as its driver or kernel says."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 1 << 34  # no way to ask (macOS, Windows): 16 GiB, which bounds nothing in practice
