"""A run that waits for a device or is at work on one, as the queue knows it, and how long it may still take."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from cnnviz.training.config import TrainingConfig
from cnnviz.training.record import Run


@dataclass(eq=False)
class Order:
    """A run that waits or is at work. Times are of the monotonic clock; started and paused are 0 for not yet, not.

    idle: seconds of the pauses that are over.
    """

    run: Run
    owner: str
    config: TrainingConfig
    option: str = ""
    device: str = ""  # the kind or the uuid of the one that it was asked for, or "" for any of the usual ones
    pressed: float = field(default_factory=time.monotonic)
    started: float = 0.0
    paused: float = 0.0
    idle: float = 0.0
    lacked: float = 0.0  # since when it has lacked memory though nothing is at work
    dropped: bool = False
    read: int = 0  # bytes of its events
    steps: int = 0  # in all
    first: tuple[float, int] | None = None  # seconds of training and step when it began
    newest: tuple[float, int] | None = None

    def begin(self) -> None:
        """It is at work from now on; what is recorded already was another time."""
        self.started = time.monotonic()
        with suppress(OSError):
            self.read = (self.run.path / "events.jsonl").stat().st_size

    def pause(self) -> None:
        """It has been told to wait."""
        self.paused = self.paused or time.monotonic()

    def go(self) -> None:
        """It has been told to go on."""
        if self.paused:
            self.idle, self.paused = self.idle + time.monotonic() - self.paused, 0.0

    def worked(self) -> float:
        """For how many seconds it has been at work, pauses left out."""
        return (self.paused or time.monotonic()) - self.started - self.idle

    def seconds_left(self) -> float | None:
        """Seconds of training until its last epoch at the pace since its start; None while there is no pace."""
        events, self.read = self.run.events(self.read)
        for event in events:
            with suppress(KeyError, TypeError, ValueError):
                at = (float(event["seconds"]), int(event["step"]))
                if event["kind"] == "start":
                    self.steps, self.first, self.newest = int(event["epochs"]) * int(event["steps"]), at, None
                elif event["kind"] == "step":
                    self.newest = at
        if self.first is None or self.newest is None or self.newest[1] <= self.first[1]:
            return None
        (begun, from_), (now, to) = self.first, self.newest
        left = (self.steps - to) * (now - begun) / (to - from_)
        if self.config.minutes:
            left = min(left, 60 * self.config.minutes - now)
        return max(0.0, left)


def turns(line: Iterable[Order], served: Mapping[str, int]) -> list[Order]:
    """The line in the order of turns: the owner served longest ago is next. served: owner -> when last, as a count."""
    left, count, sequence = list(line), dict(served), list[Order]()
    turn = max(count.values(), default=0)
    while left:
        order = min(left, key=lambda order: count.get(order.owner, 0))  # the first of equals
        left.remove(order)
        turn += 1
        count[order.owner] = turn
        sequence.append(order)
    return sequence
