"""What browsers give, one thing per owner, only in memory: it leaves 60 minutes after its owner was last seen."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from streamlit.runtime import get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnnviz import engine
from cnnviz.images import Photo

IDLE_SECONDS = 60 * 60
MAX_BYTES = 1_000_000_000  # in all; beyond it the owner who was away longest makes room
_SWEEP_SECONDS = 60

_T = TypeVar("_T")


class Store(Generic[_T]):
    """Holds one thing per owner key. Safe to call from many threads.

    size: the bytes that a thing takes. let_go: called with each thing that is held no more. clock: seconds, rising;
    replaced in tests so that an hour can pass at once.
    """

    def __init__(
        self,
        size: Callable[[_T], int],
        clock: Callable[[], float] = time.monotonic,
        max_bytes: int = MAX_BYTES,
        let_go: Callable[[_T], None] = lambda _: None,
    ) -> None:
        self._size, self._clock, self._max_bytes, self._let_go = size, clock, max_bytes, let_go
        self._held: OrderedDict[str, tuple[_T, float]] = OrderedDict()  # longest away first; when last seen
        self._lock = threading.Lock()

    def put(self, owner: str, thing: _T) -> None:
        """Hold this for `owner` instead of what was held before."""
        self.drop(owner)
        with self._lock:
            self._held[owner] = (thing, self._clock())
            gone = []
            while len(self._held) > 1 and sum(self._size(held) for held, _ in self._held.values()) > self._max_bytes:
                gone.append(self._held.popitem(last=False)[1][0])
        for one in gone:
            self._let_go(one)

    def get(self, owner: str) -> _T | None:
        """What is held for `owner`, or None; asking counts as being there."""
        self.sweep()
        with self._lock:
            held = self._held.pop(owner, None)
            if held is None:
                return None
            self._held[owner] = (held[0], self._clock())
            return held[0]

    def drop(self, owner: str) -> None:
        """Forget what is held for `owner`."""
        with self._lock:
            held = self._held.pop(owner, None)
        if held is not None:
            self._let_go(held[0])

    def sweep(self) -> None:
        """Let go of everything whose owner has been away for `IDLE_SECONDS`."""
        gone = []
        with self._lock:
            limit = self._clock() - IDLE_SECONDS
            while self._held and next(iter(self._held.values()))[1] <= limit:
                gone.append(self._held.popitem(last=False)[1][0])
        for one in gone:
            self._let_go(one)

    def sweep_for_ever(self) -> None:
        """Sweep each minute, in a thread of its own, so that memory is freed although nobody asks."""

        def often() -> None:
            while True:
                time.sleep(_SWEEP_SECONDS)
                self.sweep()

        threading.Thread(target=often, name="sweep", daemon=True).start()


def forget(file: UploadedFile) -> None:
    """Let Streamlit's own copy of a file go: it would keep the bytes as long as the tab is open."""
    context, manager = get_script_run_ctx(), get_instance().uploaded_file_mgr
    if context is not None and isinstance(manager, MemoryUploadedFileManager):
        manager.remove_file(context.session_id, file.file_id)


PHOTOS = Store[Photo](lambda photo: photo.pixels.nbytes, let_go=lambda photo: engine.forget(photo.digest))
PHOTOS.sweep_for_ever()
