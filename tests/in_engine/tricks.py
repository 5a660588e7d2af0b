"""Functions for the engine's process that end it, hold it, or tell what it is like."""

import os
import signal
import sys
import threading
import time
from typing import Any

from cnnviz.networks import NetworkError

_counts: dict[str, int] = {}


def pid() -> int:
    return os.getpid()


def exit_now() -> None:
    os._exit(3)


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def segfault() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def hang() -> None:
    time.sleep(600)


def spin() -> None:
    while True:
        pass


def nap(seconds: float, answer: Any = None) -> Any:
    time.sleep(seconds)
    return answer


def until(path: str) -> None:
    """Be at work until there is a file."""
    while not os.path.exists(path):
        time.sleep(0.01)


def when() -> float:
    """The moment of the call, on the machine's clock."""
    now = time.monotonic()
    time.sleep(0.02)
    return now


def count(name: str, size: int = 0) -> tuple[int, bytes]:
    """How often it was called with this name, and so many bytes."""
    _counts[name] = _counts.get(name, 0) + 1
    return _counts[name], bytes(size)


def boxes() -> list[int]:
    return [1, 2, 3]


def fail() -> None:
    raise KeyError("some inner name")


def refuse() -> None:
    raise NetworkError("This network is no longer there.")


def unsendable() -> Any:
    return threading.Lock()


def surroundings() -> dict[str, Any]:
    return {
        "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "nice": os.nice(0),
        "main": getattr(sys.modules["__main__"], "__file__", ""),
        "modules": sorted(sys.modules),
        "grow": os.environ.get("LOKY_MAX_MEMORY_LEAK_SIZE"),
    }


def devices() -> list[str]:
    import tensorflow

    return [device.device_type for device in tensorflow.config.list_physical_devices()]
