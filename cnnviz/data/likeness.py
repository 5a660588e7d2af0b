"""Likeness: which pictures of a pile show the same, told from their hashes, thumbnails and colors alone."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

THUMB = 32  # side of a thumbnail
MOST_BITS = 12  # of 64 in which the hashes of near-copies may differ
WHOLE = 0.95  # correlation of the thumbnails of near-copies, laid over each other
DETAIL = 0.88  # the same of their details ...
MOST_DETAIL = 0.985  # ... and among pictures that all look alike
TINT = 8.0  # levels of chroma that near-copies may differ in, on average, beside fading
MOVED = 3.0  # pixels of the thumbnail that one may be shifted, cropped or turned against the other
MOST_CANDIDATES = 300_000  # pairs that are looked at closely

_FADE = 0.6  # of its color a darker copy keeps at least
_CHANCE = 15.3  # standard deviations of the correlation of two strangers that a near-copy lies above
_BEFORE = 0.43  # by which the details of near-copies may be less alike before they are laid over each other
_STRANGERS = 300  # pairs from which on their correlation can be told; with fewer DETAIL is asked for
_ROWS, _COLUMNS = 128, 8192  # hashes compared at a time; they and their differences stay in the processor's cache
_AT_ONCE = 256  # pairs laid over each other between two calls of `look`

Hashes = NDArray[np.uint64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]


def alike(
    hashes: Hashes,
    mirrored: Hashes,
    thumbs: NDArray[np.uint8],
    tints: NDArray[np.uint8],
    look: Callable[[float], None] | None = None,
) -> list[tuple[int, int, bool]]:
    """All pairs that show the same: resized, compressed again, cropped a little, lighter, mirrored.

    hashes, mirrored: (n,), of the pictures and of their mirror images. thumbs: (n, THUMB, THUMB), grey.
    tints: (n, h, w, 2), chroma. Returns (one, two, whether two is mirrored) with one < two, in order.
    look: called now and then with the share that is done, 0..1; what it raises ends the search.

    Candidates are pairs whose hashes differ in at most MOST_BITS. Their thumbnails are laid over each other (shifted,
    stretched, turned by up to MOVED pixels) and must then agree as a whole, in detail and in color; brightness and
    contrast do not matter. Where strangers look alike, as digits and clothes do, more is asked for: a near-copy lies
    _CHANCE deviations above what two strangers of the same pile have in common. Where more than MOST_CANDIDATES pairs
    have like hashes, fewer bits may differ.
    """
    look = look or _nothing
    details = _details(thumbs)
    needed = _needed(details)
    # what may yet be gained by laying them over each other; little, where so much is asked for
    enough = needed - _BEFORE * (1 - needed) / (1 - DETAIL)
    ones, twos, flipped = _candidates(hashes, mirrored, look)
    kept = _correlations(details, ones, twos, flipped) >= enough
    kept &= _tint_apart(tints, ones, twos, flipped) <= TINT
    work = list(zip(ones[kept].tolist(), twos[kept].tolist(), flipped[kept].tolist(), strict=True))
    same: list[bool] = []
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(work), _AT_ONCE):
            same += pool.map(partial(_same, thumbs, needed), work[start : start + _AT_ONCE])
            look(0.5 + 0.5 * len(same) / len(work))
    # a symmetrical picture and its copy are found both ways: once is enough
    pairs: dict[tuple[int, int], bool] = {}
    for (one, two, is_mirrored), agrees in zip(work, same, strict=True):
        if agrees:
            pairs.setdefault((one, two), is_mirrored)
    return [(one, two, is_mirrored) for (one, two), is_mirrored in sorted(pairs.items())]


def _nothing(_: float) -> None:
    """Nobody looks."""


def _candidates(hashes: Hashes, mirrored: Hashes, look: Callable[[float], None]) -> tuple[Indices, Indices, Flags]:
    """Index pairs one < two, and whether two is mirrored; those with the fewest bits apart where there are too many."""
    found = np.empty((0, 4), np.int64)  # one, two, mirrored, bits apart
    waiting: list[Indices] = []
    limit, number = MOST_BITS, 0
    for is_mirrored, others in enumerate((hashes, mirrored)):
        for top, left in _tiles(len(hashes)):
            look(0.25 * (is_mirrored + top / len(hashes)))
            apart = np.bitwise_count(hashes[top : top + _ROWS, np.newaxis] ^ others[left : left + _COLUMNS])
            one, two = np.nonzero(apart <= limit)
            if len(one) == 0:
                continue
            rows = np.stack([one + top, two + left, np.full_like(one, is_mirrored), apart[one, two]], axis=1)
            waiting.append(rows[rows[:, 0] < rows[:, 1]])
            number += len(waiting[-1])
            while number > MOST_CANDIDATES and limit >= 0:
                found, waiting = np.concatenate([found, *waiting]), []
                limit = int(found[:, 3].max()) - 1
                found = found[found[:, 3] <= limit]
                number = len(found)
    found = np.concatenate([found, *waiting])
    if limit < MOST_BITS:
        # of many with one and the same hash, each is at least compared with the next
        order = np.argsort(hashes, kind="stable")
        alike = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
        rows = np.stack([order[alike], order[alike + 1], np.zeros_like(alike), np.zeros_like(alike)], axis=1)
        found = np.unique(np.concatenate([found, rows]), axis=0)
    return found[:, 0], found[:, 1], found[:, 2] > 0


def _tiles(number: int) -> Iterator[tuple[int, int]]:
    for top in range(0, number, _ROWS):
        for left in range(top, number, _COLUMNS):
            yield top, left


def _blur(side: int, sigma: float = 2.0) -> NDArray[np.float32]:
    """(side, side): a matrix that blurs columns by a Gaussian; at the borders the weights inside are scaled up."""
    apart = np.arange(side)[:, np.newaxis] - np.arange(side)
    weights = np.exp(-(apart**2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


_BLUR = _blur(THUMB)
_ALL = np.full((THUMB, THUMB), 255, np.uint8)


def _detail(thumbs: NDArray[Any]) -> NDArray[np.float32]:
    """(..., h, w): what is left of a thumbnail without its coarse light and dark, which many pictures share."""
    values = thumbs.astype(np.float32)
    return np.asarray(values - _BLUR @ values @ _BLUR.T, np.float32)


def _details(thumbs: NDArray[np.uint8]) -> NDArray[np.int8]:
    """(n, h, w) uint8 -> the details, int8 (n, h, w), each with a mean of about 0 and its largest at ±127."""
    scaled = np.empty(thumbs.shape, np.int8)
    for start in range(0, len(thumbs), 1024):
        detail = _detail(thumbs[start : start + 1024])
        detail -= detail.mean(axis=(1, 2), keepdims=True)
        largest = np.abs(detail).max(axis=(1, 2), keepdims=True)
        scaled[start : start + 1024] = np.rint(detail * (127 / np.maximum(largest, 1e-6)))
    return scaled


def _correlations(details: NDArray[np.int8], ones: Indices, twos: Indices, flipped: Flags) -> NDArray[np.float32]:
    result = np.empty(len(ones), np.float32)
    for start in range(0, len(ones), 4096):
        part = slice(start, start + 4096)
        one, two = details[ones[part]].astype(np.float32), details[twos[part]].astype(np.float32)
        two[flipped[part]] = two[flipped[part], :, ::-1]
        product = np.einsum("nij,nij->n", one, two)
        lengths = np.einsum("nij,nij->n", one, one) * np.einsum("nij,nij->n", two, two)
        result[part] = product / np.sqrt(np.maximum(lengths, 1e-6))
    return result


def _needed(details: NDArray[np.int8]) -> float:
    """How alike details must be: far above chance, which is told from pairs of strangers (Fisher's z).

    The spread of their correlation is read at its 90th percentile, which copies among the pairs do not move.
    """
    number = len(details)
    if number * (number - 1) // 2 < _STRANGERS:
        return DETAIL
    ones, twos = np.random.default_rng(0).integers(0, number, (2, 20_000))
    ones, twos = ones[ones != twos], twos[ones != twos]
    strangers = np.abs(_correlations(details, ones, twos, np.zeros(len(ones), np.bool_)))
    spread = float(np.percentile(strangers, 90)) / 1.645
    return float(np.clip(np.tanh(_CHANCE * spread), DETAIL, MOST_DETAIL))


def _tint_apart(tints: NDArray[np.uint8], ones: Indices, twos: Indices, flipped: Flags) -> NDArray[np.float32]:
    """The mean distance in chroma, levels, with the stronger colors faded to _FADE at most: a darker copy's are."""
    result = np.empty(len(ones), np.float32)
    for start in range(0, len(ones), 65_536):
        part = slice(start, start + 65_536)
        one, two = tints[ones[part]].astype(np.float32) - 128, tints[twos[part]].astype(np.float32) - 128
        two[flipped[part]] = two[flipped[part], :, ::-1]
        product, *squares = (np.einsum("nijc,nijc->n", *both) for both in ((one, two), (one, one), (two, two)))
        fades = (squares[0] >= squares[1])[:, np.newaxis, np.newaxis, np.newaxis]
        strong, weak = np.where(fades, one, two), np.where(fades, two, one)
        share = np.clip(product / np.maximum(np.maximum(*squares), 1), _FADE, 1)
        apart = weak - share[:, np.newaxis, np.newaxis, np.newaxis] * strong
        result[part] = np.hypot(apart[..., 0], apart[..., 1]).mean(axis=(1, 2))
    return result


def _same(thumbs: NDArray[np.uint8], needed: float, pair: tuple[int, int, bool]) -> bool:
    """Whether two thumbnails agree as they are, or laid over each other (ECC, Evangelidis and Psarakis 2008)."""
    one, two = thumbs[pair[0]], thumbs[pair[1]]
    if pair[2]:
        two = np.ascontiguousarray(two[:, ::-1])
    if _agree(one, two, np.ones(one.shape, np.bool_), needed):
        return True
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 1e-3)
    try:
        _, found = cv2.findTransformECC(one, two, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, stop, _ALL, 1)
    except cv2.error:  # it does not converge
        return False
    matrix = np.asarray(found, np.float64)
    middle = (THUMB - 1) / 2
    shifted = matrix @ (middle, middle, 1) - middle
    if max(np.abs(shifted).max(), np.abs(matrix[:, :2] - np.eye(2)).max() * THUMB / 2) > MOVED:
        return False
    back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    over = cv2.warpAffine(two.astype(np.float32), matrix, (THUMB, THUMB), flags=back, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(_ALL, matrix, (THUMB, THUMB), flags=back) == _ALL
    return _agree(one, np.asarray(over), np.asarray(inside), needed)


def _agree(one: NDArray[Any], two: NDArray[Any], inside: Flags, needed: float) -> bool:
    return (
        _correlation(_detail(one)[inside], _detail(two)[inside]) >= needed
        and _correlation(one[inside], two[inside]) >= WHOLE
    )


def _correlation(one: NDArray[Any], two: NDArray[Any]) -> float:
    """Pearson's; 0 where one of both is plain."""
    one, two = one - one.mean(dtype=np.float64), two - two.mean(dtype=np.float64)
    length = np.sqrt((one @ one) * (two @ two))
    return float(one @ two / length) if length > 1e-3 else 0.0
