"""The engine's process, from both ends: how the server starts it, and what it does before it works.

It is a plain program that inherits its end of the pipe. The spawn of multiprocessing would run the
parent's `__main__` again first, and that is whichever page Streamlit happens to execute just then.
"""

import ctypes
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["Shared", "main", "start"]

Shared = ctypes.c_double * 3  # the numbers that both ends see; `start` says which

# For the owner's CPU kernels; what the environment says goes first. A thread that has done its part
# of an operation waits awake for a third of a millisecond, which bridges what is between two of
# them, and then gives its core away. And freed memory is kept for the next step instead of being
# mapped and cleared by the kernel each time.
KERNELS = {
    "GOMP_SPINCOUNT": "100000",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_TOP_PAD_": str(1 << 26),
}


def start(
    link: Connection, device: str | None, memory: int | None
) -> "tuple[subprocess.Popen[bytes], ctypes.Array[ctypes.c_double]]":
    """Start an owner.

    Args:
        link: its end of the pipe.
        device: the device's name; None for the best one.
        memory: bytes that new work may take on a CPU; None for nine tenths of what is free.

    Returns: the process, and the numbers that it shares with us: when the work in hand began, on
        the monotonic clock and 0 while there is none; the number of that work; and until when, on
        that clock, it is to leave the cores to a page.
    """
    handle = link.fileno()
    inheriting: dict[str, Any] = {"pass_fds": (handle,)}
    if os.name == "nt":
        os.set_handle_inheritable(handle, True)  # type: ignore[attr-defined,unused-ignore]
        inheriting = {"close_fds": False}
    with tempfile.NamedTemporaryFile(prefix="glassbox-", delete=False) as file:
        file.write(bytes(ctypes.sizeof(Shared)))
        file.flush()
        shared = mmap.mmap(file.fileno(), ctypes.sizeof(Shared))
    arguments = repr((handle, file.name, device, memory))
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from core.shared.process import main; main{arguments}"],
            env={**KERNELS, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
            **inheriting,
        )
    except OSError:
        Path(file.name).unlink()
        raise
    return process, Shared.from_buffer(shared)


def main(handle: int, beat: str, device: str | None, memory: int | None) -> None:
    """Be the engine process: own the device until the server closes the pipe or dies.

    Args:
        handle: of the inherited end of the pipe to the server.
        beat: the file of the shared numbers.
        device: the device's name; None for the best one.
        memory: bytes that new work may take on a CPU; None for nine tenths of what is free.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when we end
    threading.Thread(target=_end_with_server, args=(os.getppid(),), daemon=True).start()
    from core.shared import devices, owner  # here, for the server needs no torch

    with Path(beat).open("r+b") as file:
        shared = Shared.from_buffer(mmap.mmap(file.fileno(), ctypes.sizeof(Shared)))
    with suppress(OSError):  # Windows deletes no file that is mapped
        Path(beat).unlink()
    kind = "Connection" if os.name == "posix" else "PipeConnection"
    owning = owner.Owner(getattr(connection, kind)(handle), shared, device)
    os.environ[devices.VARIABLE] = str(owning.device)  # what runs here asks `devices.choose`
    if owning.device.type == "cpu":
        _confine(memory or int(devices.free_memory(owning.device) * 0.9))
        _let_others_wake_first()
    owning.serve()


def _end_with_server(server: int) -> None:
    """End this process when its parent has gone, whatever it is doing."""
    while os.getppid() == server:
        time.sleep(1)
    os._exit(1)


def _let_others_wake_first() -> None:
    """Take no core from others when we wake up: the server, and often a browser, use the same few.

    Our share of the cores stays whole, unlike with niceness: two threads that wait for each other
    have next to nothing of a tenth. What a page needs at once it gets by `Worker.make_way`.
    """
    if hasattr(os, "SCHED_BATCH"):  # Linux
        with suppress(OSError):  # some containers forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _confine(memory: int) -> None:
    """Let allocations beyond this many bytes fail here, and the kernel prefer us to the server."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        with Path("/proc/self/status").open(encoding="ascii") as lines:
            data = next(int(line.split()[1]) for line in lines if line.startswith("VmData:"))
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        limit = data * 1024 + memory
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
