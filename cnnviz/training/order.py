"""A run that waits for a device or is at work on one, as the queue knows it, and how long it may still take."""

import time
from contextlib import suppress
from dataclasses import dataclass, field

from cnnviz.training.config import TrainingConfig
from cnnviz.training.record import Run


@dataclass(eq=False)
class Order:
    """A run that waits or is at work. Times are of the monotonic clock; started and paused are 0 for not yet, not."""

    run: Run
    owner: str
    config: TrainingConfig
    option: str = ""
    pressed: float = field(default_factory=time.monotonic)
    started: float = 0.0
    paused: float = 0.0
    dropped: bool = False
    read: int = 0  # bytes of its events
    steps: int = 0  # in all
    first: tuple[float, int] | None = None  # time and step when it began
    newest: tuple[float, int] | None = None

    def begin(self) -> None:
        """It is at work from now on; what is recorded already was another time."""
        self.started = time.monotonic()
        with suppress(OSError):
            self.read = (self.run.path / "events.jsonl").stat().st_size

    def seconds_left(self) -> float | None:
        """Seconds until its last epoch at the pace since its start; None while there is no pace."""
        events, self.read = self.run.events(self.read)
        for event in events:
            with suppress(KeyError, TypeError, ValueError):
                at = (float(event["time"]), int(event["step"]))
                if event["kind"] == "start":
                    self.steps, self.first, self.newest = int(event["epochs"]) * int(event["steps"]), at, None
                elif event["kind"] == "step":
                    self.newest = at
        if self.first is None or self.newest is None or self.newest[1] <= self.first[1]:
            return None
        (begun, from_), (now, to) = self.first, self.newest
        left = (self.steps - to) * (now - begun) / (to - from_)
        if self.config.minutes:
            left = min(left, 60 * self.config.minutes - (time.monotonic() - self.started))
        return max(0.0, left)
