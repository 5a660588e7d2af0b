"""Photos in memory, one per owner, and only there: they leave 60 idle minutes after their owner was last seen."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from cnnviz.images import Photo

IDLE_SECONDS = 60 * 60
MAX_BYTES = 1_000_000_000  # of pixels in all; beyond it the owner who was away longest makes room
_SWEEP_SECONDS = 60


@dataclass
class _Held:
    photo: Photo
    seen: float  # seconds on the store's clock


class PhotoStore:
    """Holds one photo per owner key. Safe to call from many threads.

    clock: seconds, rising; replaced in tests so that an hour can pass at once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._held: OrderedDict[str, _Held] = OrderedDict()  # longest away first
        self._lock = threading.Lock()

    def put(self, owner: str, photo: Photo) -> None:
        """Keep `photo` for `owner`; the one held before is let go."""
        with self._lock:
            self._held[owner] = _Held(photo, self._clock())
            self._held.move_to_end(owner)
            while len(self._held) > 1 and sum(h.photo.pixels.nbytes for h in self._held.values()) > self._max_bytes:
                self._held.popitem(last=False)

    def get(self, owner: str) -> Photo | None:
        """The photo of `owner`, or None; asking counts as being there."""
        self.sweep()
        with self._lock:
            held = self._held.get(owner)
            if held is None:
                return None
            held.seen = self._clock()
            self._held.move_to_end(owner)
            return held.photo

    def drop(self, owner: str) -> None:
        """Forget the photo of `owner`."""
        with self._lock:
            self._held.pop(owner, None)

    def sweep(self) -> None:
        """Let go of every photo whose owner has been away for `IDLE_SECONDS`."""
        with self._lock:
            limit = self._clock() - IDLE_SECONDS
            while self._held and next(iter(self._held.values())).seen <= limit:
                self._held.popitem(last=False)


def _sweep_for_ever(store: PhotoStore) -> None:
    while True:
        time.sleep(_SWEEP_SECONDS)
        store.sweep()


PHOTOS = PhotoStore()
threading.Thread(target=_sweep_for_ever, args=(PHOTOS,), name="photo sweep", daemon=True).start()
