"""What a run is asked to do while it goes: lines on the worker's stdin, which closes when its starter is gone."""

import sys
import threading
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
