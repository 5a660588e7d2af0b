"""Fingerprints: what one look at each picture leaves behind, enough to find copies, near-copies and oddities."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.data.dataset import Dataset
from cnnviz.images import ImageError, Pixels

THUMB = 16  # side of the grey thumbnail by which near-copies are confirmed
MOST_BITS = 10  # of 64 in which the hashes of near-copies may differ
ALIKE = 0.985  # correlation of two thumbnails from which on they are near-copies
_FLAT = 3.0  # levels of deviation below which a thumbnail shows too little to be recognized
_GREY = 6  # levels between the channels of a pixel that still count as grey (JPEG tints a little)
_BLOCK = 512  # pictures compared with all others at a time


@dataclass(frozen=True, eq=False, slots=True)
class Fingerprint:
    """One picture, seen once.

    digest: 32 hexadecimal digits of the SHA-256 of height, width and pixels; equal for exact copies, in any file format
    without loss. hash, mirrored: 64-bit perceptual hashes of the picture and of its mirror image. thumb: uint8
    (THUMB, THUMB), grey. height, width: pixels. size: bytes of the file, or None. grey: no color in it. constant: all
    pixels equal. magic: the first bytes of the file, or b"".
    """

    digest: str
    hash: int
    mirrored: int
    thumb: NDArray[np.uint8]
    height: int
    width: int
    size: int | None
    grey: bool
    constant: bool
    magic: bytes


@dataclass(frozen=True, eq=False)
class Scan:
    """A look at every picture of a data set: its fingerprint, or None and the reason where it cannot be read."""

    fingerprints: tuple[Fingerprint | None, ...]
    errors: dict[int, str]


class Pair(NamedTuple):
    """Two near-copies: their indices, and whether one is the mirror image of the other."""

    first: int
    second: int
    mirrored: bool


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
            data = dataset.data(index) if dataset.data is not None else None
            found[index] = fingerprint(dataset.pixels(index), data)
        except (ImageError, OSError) as error:
            errors[index] = str(error)

    with ThreadPoolExecutor(2) as pool:
        for done, _ in enumerate(pool.map(one, range(total)), 1):
            if progress is not None and (done % 64 == 0 or done == total):
                progress(done, total)
    return Scan(tuple(found), dict(sorted(errors.items())))


def fingerprint(pixels: Pixels, data: bytes | None = None) -> Fingerprint:
    """uint8 (H, W, 3) RGB, and the file's bytes where there is a file."""
    small = np.asarray(cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA), np.uint8)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    channels = small.astype(np.int16)
    return Fingerprint(
        digest=digest(pixels),
        hash=perceptual_hash(grey),
        mirrored=perceptual_hash(np.ascontiguousarray(grey[:, ::-1])),
        thumb=np.asarray(cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA), np.uint8),
        height=pixels.shape[0],
        width=pixels.shape[1],
        size=None if data is None else len(data),
        grey=bool((channels.max(axis=2) - channels.min(axis=2)).max() <= _GREY),
        constant=bool((pixels == pixels[0, 0]).all()),
        magic=b"" if data is None else data[:64],
    )


def digest(pixels: Pixels) -> str:
    """32 hexadecimal digits: the SHA-256 of "HxW:" and the pixels."""
    return sha256(f"{pixels.shape[0]}x{pixels.shape[1]}:".encode() + pixels.tobytes()).hexdigest()[:32]


def perceptual_hash(grey: Any) -> int:
    """64 bits of a 32×32 grey picture: which of the 8×8 lowest waves of its cosine transform lie above their median.

    As Zauner (2010) describes it. The package imagehash does the same, and would bring SciPy for these three lines.
    """
    waves = cv2.dct(np.asarray(grey, np.float32))[:8, :8].ravel()
    return int.from_bytes(np.packbits(waves > np.median(waves)).tobytes(), "big")


def near_copies(fingerprints: Sequence[Fingerprint | None]) -> list[Pair]:
    """All pairs of different pictures that show the same: resized, compressed again, lighter or darker, mirrored.

    First by hash (at most MOST_BITS different), then by the correlation of the thumbnails (at least ALIKE), which does
    not mind brightness and contrast. Pictures that are almost plain are never near-copies of anything.
    """
    known = [index for index, one in enumerate(fingerprints) if one is not None and not _flat(one.thumb)]
    # of exact copies the first stands for all
    first: dict[str, int] = {}
    for index in known:
        first.setdefault(_of(fingerprints, index).digest, index)
    chosen = np.array(sorted(first.values()), np.int64)
    hashes = np.array([_of(fingerprints, index).hash for index in chosen], np.uint64)
    mirrored = np.array([_of(fingerprints, index).mirrored for index in chosen], np.uint64)
    thumbs = np.array([_of(fingerprints, index).thumb for index in chosen], np.float32)
    straight, flipped = _standard(thumbs), _standard(thumbs[:, :, ::-1]) if len(chosen) else thumbs
    pairs = []
    for others, views, is_mirrored in ((hashes, straight, False), (mirrored, flipped, True)):
        for one, two in _candidates(hashes, others):
            if two > one and float(straight[one] @ views[two]) >= ALIKE:
                pairs.append(Pair(int(chosen[one]), int(chosen[two]), is_mirrored))
    # a symmetrical picture and its copy are found both ways: once is enough
    seen: dict[tuple[int, int], Pair] = {}
    for pair in pairs:
        seen.setdefault((pair.first, pair.second), pair)
    return sorted(seen.values())


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


def _candidates(hashes: NDArray[np.uint64], others: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Index pairs (one, two) with two ≥ one whose hashes differ in at most MOST_BITS bits, block by block."""
    for start in range(0, len(hashes), _BLOCK):
        rest = others[start:]
        apart = np.bitwise_count(hashes[start : start + _BLOCK, np.newaxis] ^ rest[np.newaxis, :])
        for one, two in np.argwhere(apart <= MOST_BITS):
            yield start + int(one), start + int(two)


def _of(fingerprints: Sequence[Fingerprint | None], index: int) -> Fingerprint:
    one = fingerprints[index]
    assert one is not None
    return one


def _flat(thumb: NDArray[np.uint8]) -> bool:
    return float(thumb.std()) < _FLAT


def _standard(thumbs: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, h, w) -> (n, h·w) of mean 0 and length 1, so that a product is a correlation."""
    rows = thumbs.reshape(len(thumbs), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)
