"""The runs of this server: where they lie, the one queue that trains them, and which of them an owner may see."""

import atexit
import errno
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cnnviz.cards import Card, CardError, read_card, write_card
from cnnviz.presets import PRESETS
from cnnviz.training import record
from cnnviz.training.config import ConfigError, TrainingConfig
from cnnviz.training.history import History, extend
from cnnviz.training.queue import Queue
from cnnviz.training.record import RecordError, Run, State

OWN = "own"  # ?data= of photos that only their owner can see; in a run's settings it is ""
# name in the settings -> title on the page
DATA: Mapping[str, str] = {
    "drawn-faces": "Drawn faces",
    "drawn-shapes": "Drawn shapes",
    "digits": "Digits",
    "mnist": "MNIST, handwritten digits",
    "fashion_mnist": "Fashion-MNIST, clothes",
    "cifar10": "CIFAR-10, everyday things",
}
_NOT_HERE = (
    "This run is not here: it was started in another browser, or it has been deleted. “All runs” shows your own."
)
_LONGEST_NAME = 60
_OPEN_RECORDS = 8  # runs whose events are held in memory, read so far

_queue: Queue | None = None
_lock = threading.Lock()


def queue() -> Queue:
    """The queue of this process, made at the first call and closed when the process ends."""
    global _queue  # noqa: PLW0603 - one a process, whatever module cache a page has
    with _lock:
        if _queue is None:
            _queue = Queue(record.home())
            atexit.register(_queue.close)
        return _queue


def find(run_id: str, owner: str) -> tuple[Run, State]:
    """The owner's run of this id and its state; RecordError in the same words if there is none or it is another's."""
    try:
        run = record.find(record.home(), run_id)
    except RecordError:
        raise RecordError(_NOT_HERE) from None
    state = run.state()
    if state.owner != owner:
        raise RecordError(_NOT_HERE)
    return run, state


@dataclass(frozen=True)
class Listed:
    """A run as a list shows it. card: None while there is none that can be read."""

    run: Run
    state: State
    title: str
    card: Card | None


def of_owner(owner: str) -> list[Listed]:
    """The owner's runs, newest first; what cannot be read is passed over."""
    found = []
    for run in record.runs(record.home()):
        try:
            state = run.state()
        except RecordError:
            continue
        if state.owner == owner:
            found.append(Listed(run, state, title(run, state), card(run)))
    return found


def kept(owner: str) -> list[Listed]:
    """The owner's networks: the runs that were given a name and have a card, newest first."""
    return [one for one in of_owner(owner) if one.state.kept and one.card is not None]


def keep(run: Run, name: str) -> None:
    """Give a finished network a name, in its state and on its card; ValueError with a sentence where it cannot be."""
    name = " ".join(name.split())
    if not name:
        raise ValueError("The network has no name yet; write one and press Keep.")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise ValueError(f"A name has up to {_LONGEST_NAME} ordinary characters; this one cannot stand on a card.")
    try:
        write_card(replace(read_card(run.card), title=name), run.card)
        run.set_state(kept=name)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ValueError(
                "The disk is full, so the name could not be saved; free some space and press Keep again."
            ) from None
        raise ValueError(f"The name could not be saved: {error.strerror or error}.") from None


def card(run: Run) -> Card | None:
    """The card of a run that was scored, or None."""
    try:
        return read_card(run.card) if run.card.exists() else None
    except CardError:
        return None


def title(run: Run, state: State) -> str:
    """A run in words: "drawn faces, Tiny"; text that may come from a user's file."""
    return f"{data_title(run, state)}, {network_title(run)}"


def data_title(run: Run, state: State) -> str:
    """The data in words: "drawn faces", or the name of the user's own."""
    config = _config(run)
    if config is None:
        return run.id
    if config.data == "":
        return str(state.extra.get("data") or "your photos")
    name = DATA.get(config.data, config.data)
    return name[0].lower() + name[1:] if name.startswith(("Drawn", "Digits")) else name


def network_title(run: Run) -> str:
    """The network in words: the preset's title."""
    config = _config(run)
    if config is None:
        return "its settings cannot be read"
    name = config.architecture
    return PRESETS[name].title if isinstance(name, str) and name in PRESETS else "a network of its own"


def _config(run: Run) -> TrainingConfig | None:
    try:
        return run.config()
    except (RecordError, ConfigError):
        return None


@dataclass
class _Read:
    """What has been read of one run's events."""

    history: History = field(default_factory=History)
    offset: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


_records: OrderedDict[Path, _Read] = OrderedDict()


def history(run: Run) -> History:
    """The run's history so far. Only new events are read: each browser that watches asks every second."""
    with _lock:
        held = _records.setdefault(run.path, _Read())
        _records.move_to_end(run.path)
        while len(_records) > _OPEN_RECORDS:
            _records.popitem(last=False)
    with held.lock:
        new, held.offset = run.events(held.offset)
        held.history = extend(held.history, new)
        return held.history


def age(seconds_since_1970: float) -> str:
    """How long ago, in words: "just now", "5 minutes ago", "3 days ago"."""
    seconds = max(0.0, time.time() - seconds_since_1970)
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' * (count > 1)} ago"
    return "just now"


def duration(seconds: float) -> str:
    """A time to wait, rounded as people say it: "25 seconds", "3 minutes", "2 hours"."""
    for length, unit in ((5_400, "hour"), (90, "minute")):
        if seconds >= length:
            count = round(seconds / {"hour": 3_600, "minute": 60}[unit])
            return f"{count} {unit}{'s' * (count > 1)}"
    count = max(1, round(seconds) if seconds < 10 else round(seconds / 5) * 5)
    return f"{count} second{'s' * (count > 1)}"
