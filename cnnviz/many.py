"""Many photos through one network: decoded while the network answers, one row for each as it comes.

A network for whole pictures gets them in small batches; one for faces gets all faces of a photo at once.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnviz import display, engine, face, images
from cnnviz.cards import Card
from cnnviz.data import fingerprints
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.face import Face
from cnnviz.images import Pixels

FIRST, BATCH = 4, 16  # pictures; few at first, so that answers show at once
_WHOLE_PHOTOS = 4  # held at once where faces are looked for
_THREADS = 2
_FAILURES = 3  # photos without an answer, one after the other, before it is given up

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float64]]  # (n, h, w, c) -> probabilities (n, classes)
Find = Callable[[Pixels, str], tuple[Face, ...]]  # pixels (H, W, 3) and digest of a photo -> its faces, left to right


@dataclass(frozen=True)
class FaceAnswer:
    """What became of one face. The rest is as in Row, of this face.

    box: x, y, width, height in the pixels of the file's picture, as it stands upright.
    """

    box: tuple[int, int, int, int]
    scores: dict[str, float]
    sure: bool
    thumbnail: bytes = b""

    @property
    def label(self) -> str:
        """The class with the largest probability."""
        return max(self.scores, key=self.scores.__getitem__)


@dataclass(frozen=True)
class Row:
    """What became of one file: scores, faces or error, never two of them.

    name: as given. digest: of the photo; files with the same one are the same. scores: label -> probability, in the
    card's order. sure: whether the largest is at least the threshold. error: one sentence. thumbnail: a WebP file.
    fingerprint: of its pixels, as a split names them.
    faces: of a network for faces, left to right; empty where none was found, None where nothing was looked for.
    reduced: as in Photo.
    """

    name: str
    digest: str = ""
    scores: dict[str, float] | None = None
    sure: bool = False
    error: str = ""
    thumbnail: bytes = b""
    faces: tuple[FaceAnswer, ...] | None = None
    reduced: float = 1.0
    fingerprint: str = ""

    @property
    def label(self) -> str:
        """The class with the largest probability, "" where there is no answer."""
        return max(self.scores, key=self.scores.__getitem__) if self.scores else ""


def classify_many(
    files: Iterable[tuple[str, bytes | Callable[[], bytes]]],
    card: Card,
    answer: Answer,
    threshold: float | None = None,
    thumbnail: int = 96,
    find: Find | None = None,
) -> Iterator[Row]:
    """A Row for each file, in their order, as soon as it or its batch is answered. To stop, leave the loop.

    files: (name, the bytes of a picture file or what reads them, which may raise OSError). answer, find:
    `through_engine` and `faces_through_engine`, or classifier.answers and faces.find where Keras is; only a network for
    faces needs find. threshold: instead of the card's. thumbnail: its long side in pixels; 0 for none.
    A file that cannot be used, and a photo that the engine breaks down over, give rows with an error; a batch that it
    breaks down over is asked once more, photo by photo. What else answer and find raise ends it (NetworkError,
    Replaced, EngineError when it happens again and again).
    """
    sure_from = card.sure_from if threshold is None else threshold
    faces = card.task == "face"
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="cnnviz photos")
    failures = 0

    def scored(found: NDArray[np.float64]) -> tuple[dict[str, float], bool]:
        scores = dict(zip(card.labels, map(float, found), strict=True))
        return scores, max(scores.values()) >= sure_from

    def whole(row: Row, picture: NDArray[np.uint8], together: Iterator[NDArray[np.float64]] | None) -> Row:
        found = answer(picture[np.newaxis])[0] if together is None else next(together)
        scores, sure = scored(found)
        return replace(row, scores=scores, sure=sure)

    def each_face(row: Row, pixels: Pixels) -> Row:
        assert find is not None
        seen = find(pixels, row.digest)
        squares = [face.crop(pixels, one) for one in seen]
        found = answer(np.stack([card.preprocessing.picture(square) for square in squares])) if squares else ()
        answers = (
            FaceAnswer(_in_file(one.box, row.reduced), *scored(of), _small(square, thumbnail))
            for one, square, of in zip(seen, squares, found, strict=True)
        )
        return replace(row, faces=tuple(answers))

    try:
        prepare = partial(_prepare, preprocessing=None if faces else card.preprocessing, thumbnail=thumbnail)
        for batch in _ahead(pool, iter(files), prepare, _WHOLE_PHOTOS if faces else BATCH):
            rows = [future.result() for future in batch]
            good = [picture for _, picture in rows if picture is not None]
            together: Iterator[NDArray[np.float64]] | None = None
            if good and not faces:
                try:
                    together = iter(answer(np.stack(good)))
                except engine.Replaced:
                    raise
                except engine.EngineError:
                    pass  # each of them is asked once more below
            for row, picture in rows:
                if picture is None:
                    yield row
                    continue
                try:
                    done = each_face(row, picture) if faces else whole(row, picture, together)
                except engine.Replaced:
                    raise
                except engine.EngineError as broken:
                    failures += 1
                    if failures == _FAILURES:
                        raise
                    yield replace(row, error=str(broken))
                    continue
                failures = 0
                yield done
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def through_engine(
    folder: str | Path, turn: str, say: Callable[[engine.State], None] | None = None
) -> Callable[[NDArray[np.uint8]], NDArray[np.float64]]:
    """The answers of the network in this folder, from the engine. turn, say: as in engine.call."""

    def answer(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = engine.call("classifier.answers", str(folder), pictures, turn=turn, say=say)
        return found

    return answer


def faces_through_engine(turn: str, say: Callable[[engine.State], None] | None = None) -> Find:
    """The faces of photos, from the engine, which keeps them for each photo. turn, say: as in engine.call."""

    def find(pixels: Pixels, digest: str) -> tuple[Face, ...]:
        asked = face.reduced(pixels), pixels.shape[:2]
        found: tuple[Face, ...] = engine.cached((digest,), "faces.find", *asked, turn=turn, say=say)
        return found

    return find


_Prepared = tuple[Row, NDArray[np.uint8] | None]


def _ahead(
    pool: ThreadPoolExecutor,
    files: Iterator[tuple[str, bytes | Callable[[], bytes]]],
    prepare: Callable[[str, bytes | Callable[[], bytes]], _Prepared],
    size: int,
) -> Iterator[list[Future[_Prepared]]]:
    """Batches of files being prepared, each begun while the one before it is answered."""

    def begun(count: int) -> list[Future[_Prepared]]:
        return [pool.submit(prepare, name, data) for name, data in islice(files, count)]

    batch = begun(FIRST)
    while batch:
        following = begun(size)
        yield batch
        batch = following


def _prepare(
    name: str, data: bytes | Callable[[], bytes], preprocessing: Preprocessing | None, thumbnail: int
) -> _Prepared:
    """A row without an answer and the network's input, or the photo's pixels; or a row with an error and None."""
    try:
        photo = images.decode(data if isinstance(data, bytes) else data(), name)
    except images.ImageError as error:
        return Row(name, error=str(error)), None
    except OSError as error:
        why = f"cannot be read: {error.strerror}." if error.strerror else str(error)
        return Row(name, error=f"This file {why}"), None
    except MemoryError:
        return Row(name, error="This picture needs more memory than is free now; make it smaller first."), None
    small, known_as = _small(photo.pixels, thumbnail), fingerprints.digest(photo.pixels)
    row = Row(name, photo.digest, thumbnail=small, reduced=photo.reduced, fingerprint=known_as)
    return row, photo.pixels if preprocessing is None else preprocessing.picture(photo.pixels)


def _in_file(box: tuple[int, int, int, int], reduced: float) -> tuple[int, int, int, int]:
    """A box in the photo's pixels in those of its file, as it stands upright."""
    x, y, w, h = (round(reduced * side) for side in box)
    return x, y, w, h


def _small(pixels: Pixels, long_side: int) -> bytes:
    return display.webp(display.reduce(pixels, long_side), 80) if long_side else b""
