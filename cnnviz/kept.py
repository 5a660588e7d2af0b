"""Answers kept as bytes, within a bound and for a time."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator

IDLE_SECONDS = 60 * 60  # that something is kept without being used: it may show a photo, and photos are forgotten then


class Kept:
    """What is kept under keys, at most `most` bytes; what was used longest ago goes first. Not safe in threads.

    clock: seconds, rising; replaced in tests so that an hour can pass at once.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic):
        self.most, self.size, self._clock = most, 0, clock
        self._data: OrderedDict[Hashable, bytes] = OrderedDict()
        self._used: dict[Hashable, float] = {}

    def get(self, key: Hashable) -> bytes | None:
        """What is kept under the key, which counts as used now."""
        if (data := self._data.get(key)) is not None:
            self._data.move_to_end(key)
            self._used[key] = self._clock()
        return data

    def put(self, key: Hashable, data: bytes) -> None:
        """Keep it, unless it is larger than the bound by itself."""
        if len(data) > self.most:
            return
        self.size += len(data) - len(self._data.pop(key, b""))
        self._data[key], self._used[key] = data, self._clock()
        while self.size > self.most:
            self._drop_first()

    def forget(self) -> None:
        """Let go of what was not used for IDLE_SECONDS."""
        limit = self._clock() - IDLE_SECONDS
        while self._data and self._used[next(iter(self._data))] <= limit:
            self._drop_first()

    def drop(self, which: Callable[[Hashable], bool]) -> None:
        """Let go of what is kept under these keys."""
        for key in [key for key in self._data if which(key)]:
            self.size -= len(self._data.pop(key))
            del self._used[key]

    def _drop_first(self) -> None:
        key, data = self._data.popitem(last=False)
        del self._used[key]
        self.size -= len(data)

    def __iter__(self) -> Iterator[Hashable]:
        """The keys, that used longest ago first."""
        return iter(self._data)
