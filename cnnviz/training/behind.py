"""The pictures behind a confusion matrix, small, kept with a run whose data only its worker can open."""

import os
import zipfile
import zlib
from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnviz.data.dataset import DataError
from cnnviz.display import reduce
from cnnviz.images import Pixels
from cnnviz.training.record import Run

FILE = "behind.npz"
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
    half = run.path / f".{FILE}"
    np.savez_compressed(half, rows=np.array(rows, np.int64), pictures=small)
    os.replace(half, run.path / FILE)


def read(run: Run, rows: NDArray[np.intp]) -> list[Pixels]:
    """The pictures of these rows, as far as they were kept, each uint8 (h, w, c); DataError where none was."""
    with (
        suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error),
        np.load(run.path / FILE, allow_pickle=False) as saved,
    ):
        place = {int(row): index for index, row in enumerate(saved["rows"])}
        pictures = saved["pictures"]
        return [pictures[place[int(row)]] for row in rows if int(row) in place]
    raise DataError("The test pictures were not kept with this run; train it again to see those behind a cell.")
