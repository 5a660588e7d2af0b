"""fer2013.csv: grey faces with seven emotions, one a line, as the challenge of 2013 published them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnnviz.data.dataset import DataError, Dataset, Entry, Reference
from cnnviz.images import Pixels

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # in the order of the numbers 0..6
SPLIT_OF = {b"Training": "train", b"PublicTest": "validation", b"PrivateTest": "test"}
SIDE = 48  # pixels
MAX_ROWS = 100_000
LONGEST_LINE = 65_536  # bytes; a line of the file has up to 9,240

_HUMAN = Reference("people, on a sample of these faces", 0.60, 0.70)
_LICENCE = "not stated: pictures from a web search, of a challenge in 2013; no right to pass them on is known"
_BLANK = b" \t\r\n\"'"


def open_csv(path: Path) -> Dataset:
    """The data set of a csv with the columns emotion (0..6), pixels (2,304 levels 0..255) and, if there, Usage.

    Columns may stand in any order, with others between. An entry is called "row N", N from 0. The levels are held as
    bytes (83 MB for the whole file); pictures come as uint8 (48, 48, 3). DataError with the line for anything wrong.
    """
    levels = bytearray()
    entries: list[Entry] = []
    try:
        with path.open("rb") as file:
            for label, split, row in _rows(file, path.name):
                if len(entries) == MAX_ROWS:
                    raise DataError(f"{path.name} has more than {MAX_ROWS:,} rows; fer2013.csv has 35,887.")
                entries.append(Entry(f"row {len(entries)}", label, split))
                levels += row
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error.strerror}).") from error
    if not entries:
        raise DataError(f"{path.name} has no rows below its first line; copy or download it again.")
    pictures = np.frombuffer(levels, np.uint8).reshape(-1, SIDE, SIDE)
    pixels = partial(_pixels, pictures)
    return Dataset(path.stem, LABELS, tuple(entries), pixels, licence=_LICENCE, references=(_HUMAN,))


def _pixels(pictures: NDArray[np.uint8], index: int) -> Pixels:
    return np.dstack([pictures[index]] * 3)


def _rows(file: BinaryIO, name: str) -> Iterator[tuple[int, str, bytes]]:
    """(label, split, 2,304 levels) of each line that is not blank."""
    header: list[bytes] | None = None
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise DataError(f"Line {number} of {name} has more than {LONGEST_LINE:,} bytes; {_wanted()}.")
        if not line.strip():
            continue
        fields = [field.strip(_BLANK) for field in line.removeprefix(b"\xef\xbb\xbf").split(b",")]
        if header is None:
            header = [field.lower() for field in fields]
            emotion, pixels, usage = _columns(header, name)
            continue
        if len(fields) != len(header):
            raise DataError(
                f"Line {number} of {name} has {len(fields)} columns and the first line {len(header)}; {_wanted()}."
            )
        try:
            split = "" if usage is None else _split(fields[usage])
            yield _label(fields[emotion]), split, _levels(fields[pixels])
        except ValueError as error:
            raise DataError(f"Line {number} of {name} {error}; {_wanted()}.") from error
    if header is None:
        raise DataError(f"{name} is empty; {_wanted()}.")


def _wanted() -> str:
    return "a fer2013.csv has the columns emotion, pixels and Usage, and in each line one face"


def _columns(header: list[bytes], name: str) -> tuple[int, int, int | None]:
    missing = [column for column in ("emotion", "pixels") if column.encode() not in header]
    if missing:
        raise DataError(f"{name} has no column {' and no column '.join(missing)} in its first line; {_wanted()}.")
    usage = header.index(b"usage") if b"usage" in header else None
    return header.index(b"emotion"), header.index(b"pixels"), usage


def _label(field: bytes) -> int:
    if len(field) != 1 or not b"0" <= field <= b"6":
        raise ValueError(f"has the emotion {_quoted(field)} where 0 to 6 is expected")
    return int(field)


def _split(field: bytes) -> str:
    if field not in SPLIT_OF:
        raise ValueError(f"has the Usage {_quoted(field)} where Training, PublicTest or PrivateTest is expected")
    return SPLIT_OF[field]


def _levels(field: bytes) -> bytes:
    """The levels of "70 80 82 ..."."""
    words = _words_as_bytes(field)
    if words is None:  # other spaces than one between two, or something wrong
        words = _words_as_bytes(b" ".join(field.split()))
    if words is not None and len(words) == SIDE * SIDE:
        return words
    for word in field.split():
        if not (word.isdigit() and len(word) <= 3 and int(word) <= 255):
            raise ValueError(f"has the pixel {_quoted(word)} where a whole number from 0 to 255 is expected")
    raise ValueError(f"has {len(field.split()):,} pixels where {SIDE * SIDE:,} are expected")


def _words_as_bytes(field: bytes) -> bytes | None:
    """Numbers 0..255 with one space between two, as bytes; None for anything else. Four times as fast as int()."""
    text = np.frombuffer(b" " + field, np.uint8)
    digit = text - 48  # wraps around below the digits, so that one comparison finds all that is none
    begins = np.flatnonzero(text == 32)
    lengths = np.diff(begins, append=len(text)) - 1
    if lengths.min() < 1 or lengths.max() > 3 or np.count_nonzero(digit > 9) != len(begins):
        return None
    ends = begins + lengths
    values = digit[ends].astype(np.uint16)
    values += np.where(lengths > 1, digit[ends - 1], 0) * np.uint16(10)
    values += np.where(lengths > 2, digit[ends - 2], 0) * np.uint16(100)
    return bytes(values.astype(np.uint8)) if values.max() <= 255 else None


def _quoted(field: bytes) -> str:
    return repr(field[:20].decode("latin-1"))
