"""Zips of own photos in memory, one per owner, looked through in a thread; they leave after 60 idle minutes."""

import secrets
import threading
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from cnnviz.data import cleaning
from cnnviz.data.archive import MAX_ARCHIVE_BYTES
from cnnviz.data.dataset import SPLITS, DataError, Dataset
from cnnviz.data.fingerprints import Scan, Stopped, scan
from cnnviz.data.sources import open_upload, require_classes
from cnnviz.data.split import Split, make_split
from cnnviz.training.bounds import PICTURES
from cnnviz.ui.store import MAX_BYTES, Store

MOST_CLASSES = 100  # of a run: a matrix of more could not be read, and takes seconds to draw
OPENING, READING, COMPARING = "opening", "reading", "comparing"  # what is done to a zip, in this order


@dataclass(eq=False)
class Upload:
    """A zip and what is known of it. done of total are through with what it is `doing`; report comes at the end.

    problem: one sentence where it cannot be used, or "".
    """

    name: str
    size: int
    dataset: Dataset | None = None
    doing: str = OPENING
    done: int = 0
    total: int = 0
    seen: Scan | None = None
    report: cleaning.Report | None = None
    problem: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    token: str = field(default_factory=lambda: secrets.token_hex(8))  # tells it from every other
    _divided: tuple[tuple[frozenset[str], int], Dataset, Split] | None = None

    @property
    def busy(self) -> bool:
        """Whether it is still being looked through."""
        return self.report is None and not self.problem

    def divided(self, left_out: Collection[str], seed: int) -> tuple[Dataset, Split]:
        """The data set less these names, and its split; DataError where too little is left, or it is not ready yet."""
        if self.dataset is None or self.seen is None or self.report is None:
            raise DataError(self.problem or f"{self.name} is still being looked through; wait for the report.")
        asked = (frozenset(left_out), seed)
        if self._divided is None or self._divided[0] != asked:
            kept = [index for index, entry in enumerate(self.dataset.entries) if entry.name not in left_out]
            dataset = self.dataset.select(kept)
            _require_enough(dataset)
            self._divided = asked, dataset, make_split(dataset, self.seen.select(kept), seed=seed)
        return self._divided[1:]


def _require_enough(dataset: Dataset) -> None:
    """DataError unless each class has a picture for each part; where a split came along, make_split knows better.

    And where there are more pictures or classes than a run here may have: to look at them takes memory and time.
    """
    for number, most, what in ((len(dataset), PICTURES, "pictures"), (len(dataset.labels), MOST_CLASSES, "classes")):
        if number > most:
            raise DataError(
                f"{dataset.name} has {number:,} {what}, and a run here has at most {most:,}; take some out."
            )
    require_classes(dataset, 2 if any(entry.split for entry in dataset.entries) else len(SPLITS))


def look_through(upload: Upload, data: bytes) -> None:
    """Open a zip's bytes and write its cleaning report; what is wrong becomes the upload's problem."""
    try:
        upload.dataset = open_upload(data, upload.name)
        _require_enough(upload.dataset)

        def progress(done: int, total: int) -> None:
            upload.done, upload.total = done, total

        upload.doing, upload.total = READING, len(upload.dataset)
        upload.seen = scan(upload.dataset, progress, upload.stop.is_set)
        upload.doing, upload.done, upload.total = COMPARING, 0, 100
        upload.seen.compare(lambda share: progress(int(100 * share), 100), upload.stop.is_set)
        upload.report = cleaning.report(upload.dataset, upload.seen)
    except DataError as error:
        upload.problem = str(error)
    except Stopped:
        upload.problem = "Stopped; drop the zip again to look through it."
    except MemoryError:
        upload.problem = f"There is not enough memory to look through {upload.name}; make a zip of fewer pictures."
    except Exception:  # this thread's last chance to say that it ends
        traceback.print_exc()
        upload.problem = f"{upload.name} could not be looked through; try it with fewer pictures."


class UploadStore(Store[Upload]):
    """Holds one upload per owner; the look at one that is let go stops."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(lambda upload: upload.size, clock, max_bytes, lambda upload: upload.stop.set())

    def take(self, owner: str, name: str, data: bytes) -> Upload:
        """Hold a zip for its owner instead of the one before, and look through it in a thread of its own."""
        upload = Upload(name, len(data))
        if len(data) > MAX_ARCHIVE_BYTES:
            upload.problem = (
                f"{name} has {len(data) / 1e6:,.0f} MB, and a zip may have {MAX_ARCHIVE_BYTES / 1e6:.0f}; "
                "make one of fewer or smaller pictures."
            )
            data = b""
        self.put(owner, upload)
        if upload.busy:
            threading.Thread(target=look_through, args=(upload, data), name="upload", daemon=True).start()
        return upload


ZIPS = UploadStore()
ZIPS.sweep_for_ever()
