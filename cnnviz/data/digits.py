"""Handwritten digits: the 1,797 small pictures that scikit-learn carries, read from its file without loading it."""

import importlib.util
import zlib
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnviz.data.dataset import DataError, Dataset, Entry
from cnnviz.images import Pixels

NUMBER, SIDE, DEEPEST = 1797, 8, 16  # pictures, pixels each way, the highest level in the file
# 8 pixels are gone after three poolings. Each one is repeated as a whole block: no value is lost or made up.
ENLARGED = 4
LICENCE = (
    "CC BY 4.0: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998; "
    "by way of scikit-learn (BSD-3-Clause)"
)


def digits() -> Dataset:
    """The digits 0 to 9: uint8 (32, 32, 3), grey, white on black, every pixel of the 8 × 8 a block of 4 × 4.

    The file's levels 0..16 become 0..255. DataError where scikit-learn is not installed or its file is not this one.
    """
    rows = _read(_file())
    labels = tuple(str(digit) for digit in range(10))
    entries = tuple(Entry(f"{row[-1]}/{index:04}", int(row[-1])) for index, row in enumerate(rows))
    levels = np.rint(rows[:, :-1] * (255 / DEEPEST)).astype(np.uint8).reshape(-1, SIDE, SIDE)
    return Dataset("digits", labels, entries, partial(_pixels, levels), licence=LICENCE)


def _pixels(levels: NDArray[np.uint8], index: int) -> Pixels:
    grey = levels[index].repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
    return np.dstack([grey] * 3)


def _file() -> Path:
    # finding a package does not run it: importing scikit-learn takes seconds and 200 MB
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise DataError(
            "The digits come with scikit-learn, which is not installed here: run `pip install scikit-learn`, "
            "or choose another data set."
        )
    return Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"


def _read(path: Path) -> NDArray[np.int64]:
    """The file's rows: 64 levels from the top left on, then the digit."""
    try:
        rows: NDArray[np.int64] = np.loadtxt(path, np.int64, delimiter=",", ndmin=2)
    except (OSError, EOFError, ValueError, zlib.error):
        rows = np.empty((0, 0), np.int64)
    if rows.shape != (NUMBER, SIDE * SIDE + 1) or rows.min() < 0 or rows.max() > DEEPEST or rows[:, -1].max() > 9:
        raise DataError(
            f"scikit-learn's digits are not as expected ({NUMBER:,} lines of 64 levels and a digit in "
            "datasets/data/digits.csv.gz): install scikit-learn again, or choose another data set."
        )
    return rows
