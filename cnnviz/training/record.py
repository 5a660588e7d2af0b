"""The record of a run: a directory with its settings, its state, its events and its snapshots; no keras."""

import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnnviz.cards import MAX_NAME, is_name
from cnnviz.files import write_json
from cnnviz.training.config import TrainingConfig

FORMAT = 1
STATES = ("queued", "running", "finished", "stopped", "failed", "interrupted")
OVER = ("finished", "stopped", "failed", "interrupted")
MAX_SNAPSHOTS = 60
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


writing = threading.RLock()  # held while this process writes a record: whoever has it can speak the last word


class RecordError(ValueError):
    """This run cannot be read or changed. The message is one sentence for the user."""


@dataclass(frozen=True)
class State:
    """What a run is doing.

    state: one of STATES. message: one sentence for the user, or "". owner: whose run it is. pid: of the worker while it
    runs, else 0. device: what it trains on, in words. paused: whether it waits for the user. kept: the name that its
    owner gave the finished network, or "". started, changed: seconds since 1970.
    """

    state: str
    message: str = ""
    owner: str = ""
    pid: int = 0
    device: str = ""
    paused: bool = False
    kept: str = ""
    created: float = 0.0
    changed: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run's directory. Every method reads the disk: several processes work on the same run."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name if self.path.name not in ("", "..") else self.path.resolve().name

    @property
    def snapshots(self) -> Path:
        return self.path / "snapshots"

    @property
    def network(self) -> Path:
        """The best epoch's network by validation; there once an epoch is over."""
        return self.path / "model.keras"

    @property
    def checkpoint(self) -> Path:
        """The newest epoch's network with its optimizer, from which a run goes on."""
        return self.path / "last.keras"

    @property
    def card(self) -> Path:
        return self.path / "card.json"

    @property
    def lock(self) -> Path:
        """The file that the process which works on this run keeps locked (lock.py)."""
        return self.path / "worker.lock"

    def epochs_done(self) -> int:
        """How many epochs are whole, so that the run can go on from there."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            return int(json.loads((self.path / "progress.json").read_text("utf-8"))["epoch"])
        return 0

    def config(self) -> TrainingConfig:
        """The settings; RecordError if the file is gone, ConfigError if it was edited into nonsense."""
        try:
            return TrainingConfig.from_text((self.path / "config.json").read_text("utf-8"))
        except (OSError, UnicodeDecodeError):
            raise RecordError("This run's settings cannot be read; start a new one.") from None

    def state(self) -> State:
        """The state; RecordError if the run is gone or of a newer format."""
        try:
            values = json.loads((self.path / "state.json").read_text("utf-8"))
            number = values.pop("format")
            if number > FORMAT:
                raise RecordError(f"This run has format {number}, newer than this program's {FORMAT}; update cnnviz.")
            known = State.__dataclass_fields__
            extra = {name: values.pop(name) for name in list(values) if name not in known}
            state = State(**{**values, "extra": {**extra, **values.get("extra", {})}})
        except RecordError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise RecordError("This run is gone, or its record cannot be read.") from None
        if state.state not in STATES:
            raise RecordError(f"This run's record names the state {str(state.state)[:20]!r}, which is none.")
        return state

    def set_state(self, **changes: Any) -> State:
        """Change some fields, atomically; the run must exist. While a process has the run's lock, only it may do so."""
        with writing:
            old = self.state()
            values = {**old.__dict__, **changes, "changed": time.time()}
            write_json(self.path / "state.json", {"format": FORMAT, **values})
        return State(**values)

    def append(self, kind: str, **values: Any) -> None:
        """Add one line to events.jsonl; values are numbers, text, or small lists."""
        line = json.dumps({"format": FORMAT, "time": round(time.time(), 3), "kind": kind, **values}, allow_nan=True)
        # one write of one line: a reader in another process sees it whole or, at the very end, not yet
        with writing, (self.path / "events.jsonl").open("a+b") as file:
            if file.tell():  # half a line, of a process that was ended or a disk that was full, must not spoil this one
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else "\n" + line
            file.write(line.encode() + b"\n")

    def events(self, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The events after this byte, and the byte to go on from. A half-written or broken line is passed over."""
        try:
            with (self.path / "events.jsonl").open("rb") as file:
                file.seek(offset)
                block = file.read()
        except OSError:
            return [], offset
        whole = block.rfind(b"\n") + 1
        events = []
        for line in block[:whole].splitlines():
            with suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and isinstance(event.get("kind"), str):
                    events.append(event)
        return events, offset + whole

    def delete(self) -> None:
        """Remove the directory with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def home() -> Path:
    """The directory of all runs: the environment's CNNVIZ_RUNS, else ./runs."""
    return Path(os.environ.get("CNNVIZ_RUNS") or "runs").absolute()


def create(root: Path, config: TrainingConfig, owner: str = "", path: Path | None = None) -> Run:
    """A new run in state "queued", in `path` or in a new directory under `root`, for its user's eyes only (0700).

    RecordError where the directory cannot be made or is not empty.
    """
    run = Run(path or root / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}")
    if not is_name(run.id):  # it becomes the name on the card
        raise RecordError(f"A run's directory has a name of 1 to {MAX_NAME} letters; name another one than {run.id!r}.")
    try:
        run.path.mkdir(mode=0o700, parents=True, exist_ok=path is not None)
        if any(run.path.iterdir()):
            raise RecordError(f"{run.path} is not empty; name another directory, or go on with it with --resume.")
        run.snapshots.mkdir(mode=0o700)
        write_json(run.path / "config.json", config.to_json())
        now = time.time()
        state = State("queued", owner=owner, created=now, changed=now)
        write_json(run.path / "state.json", {"format": FORMAT, **state.__dict__})
    except OSError as error:
        raise RecordError(f"The run's directory cannot be written: {error.strerror}. Free some space.") from None
    return run


def runs(root: Path) -> Iterator[Run]:
    """The runs under a directory, newest first; others' files are passed over."""
    with suppress(OSError):
        for path in sorted(root.iterdir(), reverse=True):
            if _ID.fullmatch(path.name) and path.is_dir():
                yield Run(path)


def find(root: Path, run_id: str) -> Run:
    """The run of this id; RecordError if there is none (ids come from URLs)."""
    run = Run(root / run_id) if _ID.fullmatch(run_id) else None
    if run is None or not run.path.is_dir():
        raise RecordError("There is no such run here; it may have been deleted.")
    return run
