"""Pictures at a network's input size: read from a data set, stored in a run's directory, and forgotten there again."""

import json
import os
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import prod
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from cnnviz.data.dataset import SPLITS, DataError, Dataset, Entry
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.data.split import Split
from cnnviz.files import write_json
from cnnviz.images import Pixels
from cnnviz.training.record import Run

FORMAT = 1
BLOCK = 16_000_000  # bytes of pictures in memory before they are written
PIXELS, ABOUT, OLD = "pictures.npy", "pictures.json", "pictures.npz"  # OLD holds both, in runs of older programs
_HALF = f".{PIXELS}"  # while it is being written, and for good where the server was ended meanwhile
_UNREADABLE = "The pictures of this run cannot be read any more; start a new run with them."
_SHOWING = ("picture", "maps_", "names")  # what of a snapshot one of the pictures can be told from


def read(
    dataset: Dataset,
    indices: list[int],
    preprocessing: Preprocessing,
    say: Callable[[int, int], None] | None = None,
    check: Callable[[str, Pixels], None] | None = None,
) -> Pixels:
    """The pictures of these entries, uint8 (n, h, w, c); ImageError for one that cannot be read.

    check: called with name and full-size pixels of each, to raise where they are not what they were (Split.check).
    """
    pictures = np.empty((len(indices), *preprocessing.shape), np.uint8)

    def one(position: int) -> None:
        index = indices[position]
        pixels = dataset.pixels(index)
        if check is not None:
            check(dataset.entries[index].name, pixels)
        pictures[position] = preprocessing.picture(pixels)

    with ThreadPoolExecutor(2) as pool:
        for done, _ in enumerate(pool.map(one, range(len(indices))), 1):
            if say is not None and (done % 256 == 0 or done == len(indices)):
                say(done, len(indices))
    return pictures


def size_of(count: int, preprocessing: Preprocessing) -> int:
    """Bytes that so many pictures take."""
    return count * prod(preprocessing.shape)


def store(
    run: Run,
    dataset: Dataset,
    preprocessing: Preprocessing,
    split: Split,
    say: Callable[[int, int], None] | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Write a user's pictures, at input size, into a run's directory, so that its worker needs nothing else.

    They are in memory a block at a time. check: called before each block, to raise where no more may be written; then,
    and on OSError or ImageError, nothing is left behind. say: how many are stored, of how many.
    """
    chosen = split.indices(dataset)
    indices = sorted(index for side in SPLITS for index in chosen[side])
    at_once = max(1, BLOCK // size_of(1, preprocessing))
    half = run.path / _HALF
    try:
        # no memory map: where the disk is full it ends the process instead of raising OSError
        with half.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(indices), *preprocessing.shape)}
            npy.write_array_header_1_0(file, header)
            for start in range(0, len(indices), at_once):
                if check is not None:
                    check()
                file.write(read(dataset, indices[start : start + at_once], preprocessing).data)
                if say is not None:
                    say(min(start + at_once, len(indices)), len(indices))
        about = {
            "format": FORMAT,
            "name": dataset.name,
            "labels": list(dataset.labels),
            "names": [dataset.entries[index].name for index in indices],
            "truth": [dataset.entries[index].label for index in indices],
        }
        write_json(run.path / ABOUT, about)
        os.replace(half, run.path / PIXELS)
    except BaseException:
        for path in (half, run.path / ABOUT):
            with suppress(OSError):
                path.unlink()
        raise


def stored(run: Run) -> Dataset:
    """The data set that `store` wrote; its pictures are read from the disk one at a time. DataError with a sentence."""
    if not has(run):
        raise DataError("The pictures of this run are gone, since they stay for 7 days; start a new run with them.")
    try:
        if (run.path / PIXELS).exists():
            about = json.loads((run.path / ABOUT).read_text("utf-8"))
            if about["format"] > FORMAT:
                raise DataError(
                    f"The pictures have format {about['format']}, newer than this program's {FORMAT}; update cnnviz."
                )
            pictures = np.load(run.path / PIXELS, mmap_mode="r", allow_pickle=False)
        else:
            with np.load(run.path / OLD, allow_pickle=False) as arrays:
                pictures = arrays["pictures"]
                about = {name: arrays[name].tolist() for name in ("name", "labels", "names", "truth")}
        labels = tuple(map(str, about["labels"]))
        entries = tuple(Entry(str(one), int(label)) for one, label in zip(about["names"], about["truth"], strict=True))
        whole = pictures.ndim == 4 and pictures.dtype == np.uint8 and len(pictures) == len(entries)
        if not whole or not all(0 <= entry.label < len(labels) for entry in entries):
            raise DataError(_UNREADABLE)
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError, zipfile.BadZipFile, zlib.error):
        raise DataError(_UNREADABLE) from None

    def pixels(index: int) -> Pixels:
        picture = np.array(pictures[index])
        return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture

    return Dataset(str(about["name"]), labels, entries, pixels, licence="the user's own pictures")


def has(run: Run) -> bool:
    """Whether a user's own pictures lie in the run's directory."""
    return _file(run) is not None


def _file(run: Run) -> Path | None:
    return next((run.path / name for name in (PIXELS, OLD) if (run.path / name).exists()), None)


def count(run: Run) -> int:
    """How many pictures lie in the run's directory, from the file's header; 0 where there are none."""
    with suppress(OSError, ValueError), (run.path / PIXELS).open("rb") as file:
        npy.read_magic(file)
        return int(npy.read_array_header_1_0(file)[0][0])
    with (
        suppress(OSError, KeyError, ValueError, zipfile.BadZipFile),
        zipfile.ZipFile(run.path / OLD) as archive,
        archive.open("truth.npy") as file_,
    ):
        npy.read_magic(file_)
        return int(npy.read_array_header_1_0(file_)[0][0])
    return 0


def size(run: Run) -> int:
    """Bytes of the pictures in the run's directory."""
    with suppress(OSError):
        if (file := _file(run)) is not None:
            return file.stat().st_size
    return 0


def age(run: Run, now: float) -> float:
    """For how many seconds pictures have been stored, also half stored ones; 0 where there are none.

    OSError where they just went.
    """
    files = [run.path / name for name in (PIXELS, OLD, _HALF, ABOUT)]
    return max((now - file.stat().st_mtime for file in files if file.exists()), default=0.0)


def forget(run: Run) -> None:
    """Delete a run's stored pictures and what shows them: the pinned picture and its maps in the snapshots.

    OSError where a file cannot be deleted.
    """
    for path in run.snapshots.glob(".*.npz"):  # halves that a process left when it was ended
        path.unlink(missing_ok=True)
    for path in run.snapshots.glob("[0-9]*.npz"):
        _without_picture(path)
    for name in (PIXELS, OLD, _HALF, ABOUT):  # last: while they are there, this is done again
        (run.path / name).unlink(missing_ok=True)


def _without_picture(path: Path) -> None:
    """Take out of a snapshot what shows a picture; one that cannot be read or written anew goes as a whole."""
    half = path.with_name(".new.npz")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            kept = {name: arrays[name] for name in arrays.files if not name.startswith(_SHOWING)}
        np.savez_compressed(half, allow_pickle=False, **kept)
        os.replace(half, path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        for one in (half, path):
            one.unlink(missing_ok=True)
