"""Answers kept as bytes, within a bound."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator


class Kept:
    """What is kept under keys, at most `most` bytes; what was used longest ago goes first. Not safe in threads."""

    def __init__(self, most: int):
        self.most, self.size = most, 0
        self._data: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """What is kept under the key, which counts as used now."""
        if (data := self._data.get(key)) is not None:
            self._data.move_to_end(key)
        return data

    def put(self, key: Hashable, data: bytes) -> None:
        """Keep it, unless it is larger than the bound by itself."""
        if len(data) > self.most:
            return
        self.size += len(data) - len(self._data.pop(key, b""))
        self._data[key] = data
        while self.size > self.most:
            self.size -= len(self._data.popitem(last=False)[1])

    def __iter__(self) -> Iterator[Hashable]:
        """The keys, that used longest ago first."""
        return iter(self._data)
