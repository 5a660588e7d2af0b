"""What one owner may ask of a server that others use too; the command line has no such bounds."""

import shutil
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from numpy.lib import format as npy

from cnnviz.data.sources import BUILT_IN, FETCHED
from cnnviz.training import record
from cnnviz.training.config import TrainingConfig
from cnnviz.training.record import RecordError, Run

WAITING = 3  # runs of one owner in line
EPOCHS = 200  # of a run
MINUTES = 60.0  # of a run; one that sets none gets these
PICTURES = 20_000  # of the user's own, in a run
DISK = 2_000_000_000  # bytes of all the owner's runs
ROOM = 500_000_000  # bytes that stay free on the disk


class QueueError(ValueError):
    """This cannot be done now. The message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a queue, each checked with a QueueError."""

    waiting: int = WAITING
    epochs: int = EPOCHS
    minutes: float = MINUTES
    pictures: int = PICTURES
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

    def line(self, waiting: int) -> None:
        """So many runs of an owner wait already, and one is to come."""
        if waiting >= self.waiting:
            raise QueueError(
                f"{waiting} of your runs are waiting already, and no more than {self.waiting} may; wait until one has "
                "begun, or delete one."
            )

    def space(self, root: Path, owner: str) -> None:
        """The runs on disk and the disk itself have room for one more."""
        if (free := shutil.disk_usage(root).free) < self.room:
            raise QueueError(
                f"The disk has {free / 1e6:,.0f} MB left, and {self.room / 1e6:,.0f} MB must stay free; delete runs "
                "that you need no more."
            )
        if (used := disk(root, owner)) > self.disk:
            raise QueueError(
                f"Your runs take {used / 1e6:,.0f} MB, and {self.disk / 1e6:,.0f} MB are allowed; delete some of them."
            )

    def stored(self, run: Run) -> None:
        """The pictures that were stored in the run's directory are not too many."""
        if (number := stored_pictures(run)) > self.pictures:
            raise QueueError(
                f"These are {number:,} pictures, and a run here takes at most {self.pictures:,}; give fewer."
            )


def disk(root: Path, owner: str) -> int:
    """Bytes of all runs of this owner."""
    total = 0
    for run in record.runs(root):
        with suppress(RecordError, OSError):
            if run.state().owner == owner:
                total += sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    return total


def stored_pictures(run: Run) -> int:
    """How many pictures lie in the run's directory, from the file's header; 0 where there are none."""
    with (
        suppress(OSError, KeyError, ValueError, zipfile.BadZipFile),
        zipfile.ZipFile(run.path / "pictures.npz") as archive,
        archive.open("truth.npy") as file,
    ):
        npy.read_magic(file)
        return int(npy.read_array_header_1_0(file)[0][0])
    return 0
