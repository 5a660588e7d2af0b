"""Many photos through one network: small batches, decoded while the network answers, one row for each as it comes."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnviz import display, engine, images
from cnnviz.cards import Card

FIRST, BATCH = 4, 16  # pictures; few at first, so that answers show at once
_THREADS = 2
_FAILURES = 3  # photos without an answer, one after the other, before it is given up

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float64]]  # (n, h, w, c) -> probabilities (n, classes)


@dataclass(frozen=True)
class Row:
    """What became of one file: scores or error, never both.

    name: as given. digest: of the photo; files with the same one are the same. scores: label -> probability, in the
    card's order. sure: whether the largest is at least the threshold. error: one sentence. thumbnail: a WebP file.
    """

    name: str
    digest: str = ""
    scores: dict[str, float] | None = None
    sure: bool = False
    error: str = ""
    thumbnail: bytes = b""

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
) -> Iterator[Row]:
    """A Row for each file, in their order, as soon as its batch is answered. To stop, leave the loop.

    files: (name, the bytes of a picture file or what reads them, which may raise OSError). answer: `through_engine`, or
    classifier.answers with a folder. threshold: instead of the card's. thumbnail: its long side in pixels; 0 for none.
    A file that cannot be used, and a photo that the engine breaks down over, give rows with an error; a batch that it
    breaks down over is asked once more, photo by photo. What else answer raises ends it (NetworkError, Replaced,
    EngineError when it happens again and again).
    """
    sure_from = card.sure_from if threshold is None else threshold
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="cnnviz photos")
    failures = 0
    try:
        for batch in _ahead(pool, iter(files), card, thumbnail):
            rows = [future.result() for future in batch]
            good = [picture for _, picture in rows if picture is not None]
            together: Iterator[NDArray[np.float64]] | None = None
            if good:
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
                    found = answer(picture[np.newaxis])[0] if together is None else next(together)
                except engine.Replaced:
                    raise
                except engine.EngineError as broken:
                    failures += 1
                    if failures == _FAILURES:
                        raise
                    yield replace(row, error=str(broken))
                    continue
                failures = 0
                scores = dict(zip(card.labels, map(float, found), strict=True))
                yield replace(row, scores=scores, sure=max(scores.values()) >= sure_from)
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


_Prepared = tuple[Row, NDArray[np.uint8] | None]


def _ahead(
    pool: ThreadPoolExecutor, files: Iterator[tuple[str, bytes | Callable[[], bytes]]], card: Card, thumbnail: int
) -> Iterator[list[Future[_Prepared]]]:
    """Batches of files being prepared, each begun while the one before it is answered."""

    def begun(count: int) -> list[Future[_Prepared]]:
        return [pool.submit(_prepare, name, data, card, thumbnail) for name, data in islice(files, count)]

    batch = begun(FIRST)
    while batch:
        following = begun(BATCH)
        yield batch
        batch = following


def _prepare(name: str, data: bytes | Callable[[], bytes], card: Card, thumbnail: int) -> _Prepared:
    """A row without scores and the network's input, or a row with an error and None."""
    try:
        photo = images.decode(data if isinstance(data, bytes) else data(), name)
    except images.ImageError as error:
        return Row(name, error=str(error)), None
    except OSError as error:
        why = f"cannot be read: {error.strerror}." if error.strerror else str(error)
        return Row(name, error=f"This file {why}"), None
    except MemoryError:
        return Row(name, error="This picture needs more memory than is free now; make it smaller first."), None
    small = display.webp(display.reduce(photo.pixels, thumbnail), 80) if thumbnail else b""
    return Row(name, photo.digest, thumbnail=small), card.preprocessing.picture(photo.pixels)
