"""What a run is asked to do while it goes: lines on the worker's stdin, which closes when its starter is gone."""

import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass(frozen=True)
class Control:
    """Wishes of the user. running: cleared while the run shall wait. finish: set to end after this step and score."""

    running: threading.Event = field(default_factory=_set)
    finish: threading.Event = field(default_factory=threading.Event)


class Clock:
    """Seconds of training: they stand still while the run is paused. seconds: of the times before."""

    def __init__(self, seconds: float = 0.0):
        self._since = time.monotonic() - seconds

    def now(self) -> float:
        return time.monotonic() - self._since

    def wait(self, control: Control) -> None:
        """Stand still until the run may go on."""
        began = time.monotonic()
        control.running.wait()
        self._since += time.monotonic() - began


def listen(control: Control, stop: Callable[[bool], None], lines: Iterable[str] | None = None) -> None:
    """Follow "pause", "go" and "finish"; call stop(True) on "stop" and stop(False) when the lines end."""
    for line in sys.stdin if lines is None else lines:
        word = line.strip()
        if word == "pause":
            control.running.clear()
        elif word == "go":
            control.running.set()
        elif word == "finish":
            control.finish.set()
            control.running.set()
        elif word == "stop":
            stop(True)
            return
    stop(False)
