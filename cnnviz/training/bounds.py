"""What one owner may ask of a server that others use too; the command line has no such bounds."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cnnviz.data.sources import BUILT_IN, FETCHED
from cnnviz.training import pictures, record
from cnnviz.training.config import ConfigError, TrainingConfig
from cnnviz.training.device import Device, in_words, shortage
from cnnviz.training.record import RecordError, Run

WAITING = 3  # runs of one owner in line
EPOCHS = 200  # of a run
MINUTES = 60.0  # of a run; one that sets none gets these
PICTURES = 20_000  # of the user's own, in a run
PHOTOS = 500_000_000  # bytes of the user's own pictures, in all the owner's runs
DISK = 2_000_000_000  # bytes of all the owner's runs
ROOM = 500_000_000  # bytes that stay free on the disk
RESERVE = 1_000_000_000  # bytes of a device's memory, a quarter at most, that system, server and engine need themselves

SHIPPED = Path(__file__).resolve().parents[2] / "models"


class QueueError(ValueError):
    """This cannot be done now. The message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a queue, each checked with a QueueError."""

    waiting: int = WAITING
    epochs: int = EPOCHS
    minutes: float = MINUTES
    pictures: int = PICTURES
    photos: int = PHOTOS
    disk: int = DISK
    room: int = ROOM

    def config(self, config: TrainingConfig) -> TrainingConfig:
        """The settings with a bound on the minutes, where they are allowed here."""
        if config.epochs > self.epochs:
            raise QueueError(
                f"These are {config.epochs:,} epochs, and a run here has at most {self.epochs:,}; set fewer."
            )
        if config.minutes > self.minutes:
            raise QueueError(
                f"These are {config.minutes:g} minutes, and a run here has at most {self.minutes:g}; set fewer."
            )
        for data in (config.data, config.foreign):
            if data and data not in (*BUILT_IN, *FETCHED):
                raise QueueError(
                    f"The page does not offer the data {data[:60]!r}; for files on the server use the command line, "
                    "python -m cnnviz train."
                )
        return config if config.minutes else config.changed(minutes=self.minutes)

    def start(self, config: TrainingConfig, root: Path, owner: str) -> None:
        """Networks to start or to learn from are ones that their owner kept or that ship: no other file is opened."""
        for given, verb in ((config.start, "start"), *((path, "learn") for path in config.teacher_files)):
            if given and not _known(given, root, owner):
                raise QueueError(
                    f"The page does not {verb} from {given[:60]!r}; choose one that you kept or that ships, or use the "
                    "command line, python -m cnnviz train."
                )

    def line(self, waiting: int) -> None:
        """So many runs of an owner wait already, and one is to come."""
        if waiting >= self.waiting:
            raise QueueError(
                f"{waiting} of your runs are waiting already, and no more than {self.waiting} may; wait until one has "
                "begun, or delete one."
            )

    def space(self, root: Path, owner: str) -> None:
        """The runs on disk and the disk itself have room for one more."""
        self.free(root)
        if (used := disk(root, owner)) > self.disk:
            raise QueueError(
                f"Your runs take {used / 1e6:,.0f} MB, and {self.disk / 1e6:,.0f} MB are allowed; delete some of them."
            )

    def free(self, root: Path, more: int = 0) -> None:
        """The disk has room for so many bytes more."""
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody may have tidied it away
            free = shutil.disk_usage(root).free
        except OSError as error:
            raise QueueError(f"The folder of runs cannot be written: {error.strerror}.") from None
        if free - more < self.room:
            these = f"these pictures take {_mb(more)} MB; " if more else ""
            raise QueueError(
                f"The disk has {_mb(free)} MB left, and {these}{_mb(self.room)} MB must stay free; delete runs that "
                "you need no more."
            )

    def own(self, root: Path, owner: str, count: int, size: int) -> None:
        """So many pictures of the owner's own, of so many bytes in all, may be stored for one more run."""
        self._few(count)
        self._light(sum(map(pictures.size, _of(root, owner))), size)
        self.free(root, size)

    def stored(self, root: Path, run: Run) -> None:
        """The pictures that were stored in the run's directory are not too many, with all others of their owner."""
        self._few(pictures.count(run))
        here = pictures.size(run)
        self._light(sum(map(pictures.size, _of(root, run.state().owner))) - here, here)

    def _few(self, count: int) -> None:
        if count > self.pictures:
            raise QueueError(
                f"These are {count:,} pictures, and a run here takes at most {self.pictures:,}; give fewer."
            )

    def _light(self, held: int, size: int) -> None:
        if held + size > self.photos:
            raise QueueError(
                f"These pictures take {size / 1e6:,.1f} MB at the network’s input size, and your runs hold "
                f"{held / 1e6:,.1f} MB of the {self.photos / 1e6:,.1f} MB of pictures that are allowed; give fewer, "
                "choose a network with a smaller input, or delete runs with photos."
            )


def fits(config: TrainingConfig, classes: int, device: Device) -> str:
    """Why this network can never be trained on this device, with the arithmetic; "" where it can.

    What others take now does not count: a run that only has to wait for memory waits in the queue. classes: how many,
    or 0 where that is not known yet.
    """
    room = device.memory - min(RESERVE, device.memory // 4)
    there = f"of the {in_words(device.memory)} of {device.name} at most {in_words(room)} can be used for it"
    try:
        return shortage(config, classes, device, room, there)
    except ConfigError as error:
        return str(error)


def disk(root: Path, owner: str) -> int:
    """Bytes of all runs of this owner."""
    total = 0
    for run in _of(root, owner):
        with suppress(OSError):
            total += sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    return total


def _known(given: str, root: Path, owner: str) -> bool:
    """Whether a path is that of a network which the owner kept, or of one that ships."""
    with suppress(OSError, ValueError):  # names too long, or with characters that no name has
        asked = Path(given).resolve(strict=True)
        kept = (run.network for run in _of(root, owner) if run.state().kept)
        return any(asked == path.parent.resolve() / path.name for path in (*kept, *SHIPPED.glob("*/model.keras")))
    return False


def _of(root: Path, owner: str) -> Iterator[Run]:
    for run in record.runs(root):
        with suppress(RecordError):
            if run.state().owner == owner:
                yield run


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f}"
