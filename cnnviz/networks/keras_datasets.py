"""Data sets that Keras fetches from the network once and keeps: mnist, fashion_mnist and cifar10."""

import contextlib
import gzip
import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.data.dataset import DataError, Dataset, Entry
from cnnviz.images import Pixels

Progress = Callable[[int, int], None]  # (bytes that have come, bytes in all)

SECONDS_TO_WAIT = 20  # for an answer of the network
_SECONDS_BETWEEN = 0.2  # two looks at how much has come


@dataclass(frozen=True, slots=True)
class _Source:
    """labels; licence; number of bytes to fetch; the files in Keras's folder for data sets, as a glob."""

    labels: tuple[str, ...]
    licence: str
    size: int
    files: str


_SOURCES = {
    "mnist": _Source(tuple("0123456789"), "CC BY-SA 3.0", 11_490_434, "mnist.npz"),
    "fashion_mnist": _Source(
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        "MIT",
        30_878_645,
        "fashion-mnist/*.gz",
    ),
    "cifar10": _Source(
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        "not stated; in research it is taken to be free",
        170_498_071,
        "cifar-10-batches-py-target_archive",
    ),
}


def open_dataset(name: str, progress: Progress | None = None) -> Dataset:
    """One of sources.FETCHED with its own training and test pictures, called "train N" and "test N", N from 0.

    All pictures are held as bytes (up to 184 MB). progress is called from another thread while files come, some times
    a second, and once at the end. DataError for another name, without network, and where what Keras kept is damaged.
    """
    if name not in _SOURCES:
        raise DataError(f"Keras is asked for the data set {str(name)[:40]!r} here; choose {', '.join(_SOURCES)}.")
    source = _SOURCES[name]
    parts = _loaded(name, source, progress)
    entries: list[Entry] = []
    for split, (pictures, labels) in zip(("train", "test"), parts, strict=True):
        numbers = np.asarray(labels).ravel()
        if (
            pictures.dtype != np.uint8
            or pictures.ndim not in (3, 4)
            or len(pictures) != len(numbers)
            or not np.isin(numbers, range(len(source.labels))).all()
        ):
            raise _damaged(name)
        entries += [Entry(f"{split} {index}", int(label), split) for index, label in enumerate(numbers)]
    pixels = partial(_pixels, *(pictures for pictures, _ in parts))
    return Dataset(name, source.labels, tuple(entries), pixels, licence=source.licence)


def _pixels(train: NDArray[np.uint8], test: NDArray[np.uint8], index: int) -> Pixels:
    picture = train[index] if index < len(train) else test[index - len(train)]
    return np.dstack([picture] * 3) if picture.ndim == 2 else np.ascontiguousarray(picture)


def _loaded(name: str, source: _Source, progress: Progress | None) -> Any:
    """((pictures, labels) to train on, the same to test on), as Keras gives them."""
    import keras

    waits = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS_TO_WAIT)  # Keras itself would wait for ever
    try:
        # Keras prints addresses and a bar, which would stand among the JSON of the command line
        with _watched(source, progress), contextlib.redirect_stdout(io.StringIO()):
            return getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras itself raises a bare Exception where nothing answers
        fetching = isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile)
        if fetching or "URL fetch failure" in str(error):
            raise DataError(
                f"{name} could not be fetched, since the network did not answer or the disk is full; try again later, "
                "or take digits, drawn-shapes or drawn-faces, which need no network."
            ) from error
        raise _damaged(name) from error
    finally:
        socket.setdefaulttimeout(waits)


def _damaged(name: str) -> DataError:
    return DataError(f"What Keras kept of {name} is damaged; delete it ({_folder()}) and try again with a network.")


def _folder() -> Path:
    return Path(os.environ.get("KERAS_HOME") or "~/.keras") / "datasets"


@contextlib.contextmanager
def _watched(source: _Source, progress: Progress | None) -> Iterator[None]:
    """Tell progress what lies in the folder; Keras's own bar cannot be listened to."""
    if progress is None:
        yield
        return
    done = threading.Event()

    def look() -> None:
        while not done.wait(_SECONDS_BETWEEN):
            here = 0
            for file in _folder().expanduser().glob(source.files):
                with contextlib.suppress(OSError):
                    here += file.stat().st_size
            if not done.is_set():
                progress(min(here, source.size), source.size)

    watch = threading.Thread(target=look, name="watch the download", daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()
    progress(source.size, source.size)
