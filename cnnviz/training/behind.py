"""What stands behind a confusion matrix, kept with a run: its answers, and small pictures of data only workers open."""

import os
import zipfile
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnviz.data.dataset import DataError
from cnnviz.display import reduce
from cnnviz.images import Pixels
from cnnviz.training.record import Run

FILE, ANSWERS = "behind.npz", "answers.npz"
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
OF_A_CELL = 24  # pictures shown at most
MOST = 2000  # pictures kept in all: 25 MB at the largest size, in a file a few MB
SIDE = 64  # pixels


def cell(answers: NDArray[np.float32], truth: NDArray[np.int64], true: int, said: int) -> NDArray[np.intp]:
    """The rows of one class that were answered so, the surest first. answers: (n, classes), truth: (n,)."""
    rows = np.flatnonzero((truth == true) & (answers.argmax(axis=1) == said))
    return rows[np.argsort(-answers[rows, said], kind="stable")]


def chosen(answers: ArrayLike, truth: NDArray[np.int64], of_a_cell: int = OF_A_CELL, most: int = MOST) -> list[int]:
    """The rows to keep: the surest of every cell in turn, until there are `most`."""
    values = np.asarray(answers, np.float32)
    said = values.argmax(axis=1)
    cells = [
        cell(values, truth, true, one) for true, one in sorted(set(zip(truth.tolist(), said.tolist(), strict=True)))
    ]
    turns = [int(rows[turn]) for turn in range(of_a_cell) for rows in cells if turn < len(rows)]
    return turns[:most]


def store(run: Run, pictures: Pixels, answers: ArrayLike, truth: NDArray[np.int64]) -> None:
    """Keep the pictures behind the cells. pictures: uint8 (n, h, w, c), the test part; answers and truth as in cell."""
    rows = chosen(answers, truth)
    height, width, channels = reduce(pictures[0], SIDE).shape[:2] + pictures.shape[3:]
    small = np.empty((len(rows), height, width, channels), np.uint8)
    for place, row in enumerate(rows):
        small[place] = reduce(pictures[row], SIDE).reshape(small.shape[1:])  # OpenCV drops a single channel
    _write(run, FILE, rows=np.array(rows, np.int64), pictures=small)


def read(run: Run, rows: NDArray[np.intp]) -> list[Pixels]:
    """The pictures of these rows, as far as they were kept, each uint8 (h, w, c); DataError where none was."""
    with suppress(*_DAMAGED), np.load(run.path / FILE, allow_pickle=False) as saved:
        place = {int(row): index for index, row in enumerate(saved["rows"])}
        pictures = saved["pictures"]
        return [pictures[place[int(row)]] for row in rows if int(row) in place]
    raise DataError("The test pictures were not kept with this run; train it again to see those behind a cell.")


def store_answers(run: Run, answers: ArrayLike, truth: NDArray[np.int64]) -> None:
    """Keep the answers to the test pictures, (n, classes), and their classes, (n,)."""
    _write(run, ANSWERS, answers=np.asarray(answers, np.float32), truth=truth)


def read_answers(run: Run) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What store_answers kept; DataError where it is gone or damaged."""
    with suppress(*_DAMAGED), np.load(run.path / ANSWERS, allow_pickle=False) as saved:
        return saved["answers"], saved["truth"]
    raise DataError("The answers of this run are gone; train it again to see the pictures behind a cell.")


def _write(run: Run, name: str, **arrays: Any) -> None:
    half = run.path / f".{name}"
    np.savez_compressed(half, **arrays)
    os.replace(half, run.path / name)
