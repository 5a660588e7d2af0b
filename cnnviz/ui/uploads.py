"""Zips of own photos in memory, one per owner, looked through in a thread; they leave after 60 idle minutes."""

import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from streamlit.runtime import get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnnviz.data import cleaning
from cnnviz.data.archive import MAX_ARCHIVE_BYTES
from cnnviz.data.dataset import DataError, Dataset
from cnnviz.data.fingerprints import Scan, Stopped, scan
from cnnviz.data.sources import open_upload, require_classes
from cnnviz.ui.store import IDLE_SECONDS

MAX_BYTES = 1_000_000_000  # of all zips together; beyond it the owner who was away longest makes room
_SWEEP_SECONDS = 60


@dataclass(eq=False)
class Upload:
    """A zip and what is known of it. done of total pictures were looked at; report comes when all were.

    problem: one sentence where it cannot be used, or "".
    """

    name: str
    size: int
    dataset: Dataset | None = None
    done: int = 0
    total: int = 0
    seen: Scan | None = None
    report: cleaning.Report | None = None
    problem: str = ""
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def busy(self) -> bool:
        """Whether it is still being looked through."""
        return self.report is None and not self.problem

    def chosen(self, left_out: Collection[str]) -> tuple[Dataset, Scan]:
        """Data set and scan less these names; DataError where too little is left, or where it is not ready."""
        if self.dataset is None or self.seen is None:
            raise DataError(self.problem or f"{self.name} is still being looked through; wait for the report.")
        kept = [index for index, entry in enumerate(self.dataset.entries) if entry.name not in left_out]
        errors = {new: self.seen.errors[old] for new, old in enumerate(kept) if old in self.seen.errors}
        dataset = self.dataset.select(kept)
        require_classes(dataset)
        return dataset, Scan(tuple(self.seen.fingerprints[index] for index in kept), errors)


def look_through(upload: Upload, data: bytes) -> None:
    """Open a zip's bytes and write its cleaning report; what is wrong becomes the upload's problem."""
    try:
        upload.dataset = open_upload(data, upload.name)
        upload.total = len(upload.dataset)
        require_classes(upload.dataset)

        def progress(done: int, _: int) -> None:
            upload.done = done

        upload.seen = scan(upload.dataset, progress, upload.stop.is_set)
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


class UploadStore:
    """Holds one upload per owner key. Safe to call from many threads.

    clock: seconds, rising; replaced in tests so that an hour can pass at once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._held: OrderedDict[str, tuple[Upload, float]] = OrderedDict()  # longest away first; when last seen
        self._lock = threading.Lock()

    def take(self, owner: str, name: str, data: bytes) -> Upload:
        """Hold a zip for its owner instead of the one before, and look through it in a thread of its own."""
        upload = Upload(name, len(data))
        if len(data) > MAX_ARCHIVE_BYTES:
            upload.problem = (
                f"{name} has {len(data) / 1e6:,.0f} MB, and a zip may have {MAX_ARCHIVE_BYTES / 1e6:.0f}; "
                "make one of fewer or smaller pictures."
            )
            data = b""
        self.drop(owner)
        with self._lock:
            self._held[owner] = (upload, self._clock())
            while len(self._held) > 1 and sum(held.size for held, _ in self._held.values()) > self._max_bytes:
                _, (dropped, _) = self._held.popitem(last=False)
                dropped.stop.set()
        if upload.busy:
            threading.Thread(target=look_through, args=(upload, data), name="upload", daemon=True).start()
        return upload

    def get(self, owner: str) -> Upload | None:
        """The upload of `owner`, or None; asking counts as being there."""
        self.sweep()
        with self._lock:
            held = self._held.get(owner)
            if held is None:
                return None
            self._held[owner] = (held[0], self._clock())
            self._held.move_to_end(owner)
            return held[0]

    def drop(self, owner: str) -> None:
        """Forget the upload of `owner`."""
        with self._lock:
            held = self._held.pop(owner, None)
        if held is not None:
            held[0].stop.set()

    def sweep(self) -> None:
        """Let go of every upload whose owner has been away for IDLE_SECONDS."""
        with self._lock:
            limit = self._clock() - IDLE_SECONDS
            while self._held and next(iter(self._held.values()))[1] <= limit:
                _, (dropped, _) = self._held.popitem(last=False)
                dropped.stop.set()


def forget(file: UploadedFile) -> None:
    """Let Streamlit's own copy of a file go: it would keep the bytes as long as the tab is open."""
    context, manager = get_script_run_ctx(), get_instance().uploaded_file_mgr
    if context is not None and isinstance(manager, MemoryUploadedFileManager):
        manager.remove_file(context.session_id, file.file_id)


def _sweep_for_ever(store: UploadStore) -> None:
    while True:
        time.sleep(_SWEEP_SECONDS)
        store.sweep()


ZIPS = UploadStore()
threading.Thread(target=_sweep_for_ever, args=(ZIPS,), name="zip sweep", daemon=True).start()
