"""Fingerprints: what one look at each picture leaves behind, enough to find copies, near-copies and oddities."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.data.dataset import Dataset
from cnnviz.data.likeness import THUMB, alike
from cnnviz.images import ImageError, Pixels, decode

_FLAT = 3.0  # levels of deviation below which a thumbnail shows too little to be recognized
_GREY = 6  # levels between the channels of a pixel that still count as grey (JPEG tints a little)
_AT_ONCE = 32  # pictures after which the scan looks up: for progress, Stop and Ctrl-C


@dataclass(frozen=True, eq=False, slots=True)
class Fingerprint:
    """One picture, seen once. It takes about 1.5 kB.

    digest: 32 hexadecimal digits of the SHA-256 of height, width and pixels; equal for exact copies, in any file format
    without loss. hash, mirrored: 64-bit perceptual hashes of the picture and of its mirror image. thumb: uint8
    (THUMB, THUMB), grey. tint: uint8 (8, 8, 2), chroma Cr and Cb. height, width: pixels. size: bytes of the file, or
    None. grey: no color in it. constant: all pixels equal. magic: the first bytes of the file, or b"".
    """

    digest: str
    hash: int
    mirrored: int
    thumb: NDArray[np.uint8]
    tint: NDArray[np.uint8]
    height: int
    width: int
    size: int | None
    grey: bool
    constant: bool
    magic: bytes


class Pair(NamedTuple):
    """Two near-copies: their indices, the smaller first, and whether one is the mirror image of the other."""

    first: int
    second: int
    mirrored: bool


@dataclass(frozen=True, eq=False)
class Scan:
    """A look at every picture of a data set: its fingerprint, or None and the reason where it cannot be read."""

    fingerprints: tuple[Fingerprint | None, ...]
    errors: dict[int, str]

    @cached_property
    def pairs(self) -> list[Pair]:
        """The near-copies, looked for once."""
        return near_copies(self.fingerprints)

    @cached_property
    def groups(self) -> list[int]:
        """A group number for each picture, as the function groups has it."""
        return groups(self.fingerprints, self.pairs)

    def compare(self, progress: Callable[[float], None], stop: Callable[[], bool]) -> None:
        """Look for the near-copies now, so that `pairs` has them; progress gets the share done, Stopped as in scan."""

        def look(share: float) -> None:
            if stop():
                raise Stopped
            progress(share)

        self.__dict__["pairs"] = near_copies(self.fingerprints, look)

    def select(self, indices: Sequence[int]) -> "Scan":
        """The scan of these pictures only, in this order; the near-copies found among all are not looked for again."""
        chosen = Scan(
            tuple(self.fingerprints[index] for index in indices),
            {new: self.errors[old] for new, old in enumerate(indices) if old in self.errors},
        )
        first: dict[str, int] = {}
        for new, one in enumerate(chosen.fingerprints):
            if one is not None:
                first.setdefault(one.digest, new)
        pairs = []
        for pair in self.pairs:
            one, two = self.fingerprints[pair.first], self.fingerprints[pair.second]
            if one is not None and two is not None and one.digest in first and two.digest in first:
                low, high = sorted((first[one.digest], first[two.digest]))
                pairs.append(Pair(low, high, pair.mirrored))
        chosen.__dict__["pairs"] = sorted(pairs)
        return chosen


class Stopped(Exception):
    """The scan was stopped on request."""


def scan(
    dataset: Dataset,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Scan:
    """Look at every picture once, in two threads; at most two are in memory at full size at a time.

    progress: called with (done, total) now and then. stop: asked before each picture; Stopped is raised if it says yes.
    """
    total = len(dataset)
    found: list[Fingerprint | None] = [None] * total
    errors: dict[int, str] = {}

    def one(index: int) -> None:
        if stop is not None and stop():
            raise Stopped
        try:
            if dataset.data is None:
                found[index] = fingerprint(dataset.pixels(index))
            else:
                data = dataset.data(index)
                found[index] = fingerprint(decode(data, dataset.entries[index].name).pixels, data)
        except (ImageError, OSError) as error:
            errors[index] = str(error)

    with ThreadPoolExecutor(2) as pool:
        for start in range(0, total, _AT_ONCE):
            end = min(start + _AT_ONCE, total)
            for _ in pool.map(one, range(start, end)):
                pass
            if progress is not None:
                progress(end, total)
    return Scan(tuple(found), dict(sorted(errors.items())))


def fingerprint(pixels: Pixels, data: bytes | None = None) -> Fingerprint:
    """uint8 (H, W, 3) RGB, and the file's bytes where there is a file."""
    small = _small(pixels)
    thumb = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    tiny = cv2.resize(small, (8, 8), interpolation=cv2.INTER_AREA)
    channels = small.astype(np.int16)
    return Fingerprint(
        digest=digest(pixels),
        hash=perceptual_hash(thumb),
        mirrored=perceptual_hash(np.ascontiguousarray(thumb[:, ::-1])),
        thumb=thumb,
        tint=np.array(cv2.cvtColor(tiny, cv2.COLOR_RGB2YCrCb)[..., 1:], np.uint8),
        height=pixels.shape[0],
        width=pixels.shape[1],
        size=None if data is None else len(data),
        grey=bool((channels.max(axis=2) - channels.min(axis=2)).max() <= _GREY),
        constant=bool((small == small[0, 0]).all() and (pixels == pixels[0, 0]).all()),
        magic=b"" if data is None else data[:64],
    )


def digest(pixels: Pixels) -> str:
    """32 hexadecimal digits: the SHA-256 of "HxW:" and the pixels."""
    content = sha256(f"{pixels.shape[0]}x{pixels.shape[1]}:".encode())
    content.update(np.ascontiguousarray(pixels).data)
    return content.hexdigest()[:32]


def perceptual_hash(grey: Any) -> int:
    """64 bits of a 32×32 grey picture: which of the 8×8 lowest waves of its cosine transform lie above their median.

    As Zauner (2010) describes it. The package imagehash does the same, and would bring SciPy for these three lines.
    """
    waves = cv2.dct(np.asarray(grey, np.float32))[:8, :8].ravel()
    return int.from_bytes(np.packbits(waves > np.median(waves)).tobytes(), "big")


# ---------------------------------------------------------------------- copies and groups


def exact_copies(fingerprints: Sequence[Fingerprint | None]) -> list[tuple[int, ...]]:
    """The groups of two and more pictures with the same pixels."""
    groups: dict[str, list[int]] = {}
    for index, one in enumerate(fingerprints):
        if one is not None:
            groups.setdefault(one.digest, []).append(index)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def groups(fingerprints: Sequence[Fingerprint | None], pairs: Sequence[Pair] | None = None) -> list[int]:
    """A group number for each picture; exact copies and near-copies share one, also over several steps.

    pairs: what near_copies found, where it is known already. A picture that cannot be read is a group of its own.
    """
    leader = list(range(len(fingerprints)))

    def root(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    links = [(group[0], other) for group in exact_copies(fingerprints) for other in group[1:]]
    links += [(pair.first, pair.second) for pair in (near_copies(fingerprints) if pairs is None else pairs)]
    for one, two in links:
        low, high = sorted((root(one), root(two)))
        leader[high] = low
    return [root(index) for index in range(len(fingerprints))]


def near_copies(fingerprints: Sequence[Fingerprint | None], look: Callable[[float], None] | None = None) -> list[Pair]:
    """All pairs of different pictures that show the same, as likeness.py tells it.

    Of exact copies the first stands for all; pictures that are almost plain are near-copies of nothing. look: called
    now and then with the share that is done, 0..1; what it raises ends the search.
    """
    first: dict[str, int] = {}
    for index, one in enumerate(fingerprints):
        if one is not None and one.thumb.std() >= _FLAT:
            first.setdefault(one.digest, index)
    index_of = sorted(first.values())
    chosen = [one for one in (fingerprints[index] for index in index_of) if one is not None]
    if len(chosen) < 2:
        return []
    found = alike(
        np.array([one.hash for one in chosen], np.uint64),
        np.array([one.mirrored for one in chosen], np.uint64),
        np.array([one.thumb for one in chosen]),
        np.array([one.tint for one in chosen]),
        look,
    )
    return [Pair(index_of[one], index_of[two], mirrored) for one, two, mirrored in found]


def _small(pixels: Pixels) -> Pixels:
    """uint8 (THUMB, THUMB, 3): averaged over areas along a side that shrinks, interpolated along one that grows."""
    height, width = min(pixels.shape[0], THUMB), min(pixels.shape[1], THUMB)
    shrunk = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (THUMB, THUMB), interpolation=cv2.INTER_LINEAR), np.uint8)
