"""The list of files to leave out, which lies beside a data set as PATH.leave-out.json; the files themselves stay."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnviz.data.dataset import DataError, Dataset
from cnnviz.data.sources import BUILT_IN, FETCHED
from cnnviz.files import write_json

FORMAT = 1


def leave_out_path(path: str | Path) -> Path:
    """The list of what is left out of a data set lies beside it: photos.zip -> photos.zip.leave-out.json."""
    path = Path(os.path.abspath(path))
    return path.with_name(f"{path.name or 'data'}.leave-out.json")


def require_place(path: str | Path) -> None:
    """DataError for a built-in data set, which has no place beside it for a list."""
    if path in BUILT_IN or path in FETCHED:
        raise DataError(f"{path} is no file or folder, so that no list can lie beside it; its pictures all stay.")


def write_leave_out(path: str | Path, files: Mapping[str, str]) -> Path:
    """Add files to the list for the data set at `path`, and return where it lies. DataError where that fails."""
    require_place(path)
    target = leave_out_path(path)
    content = {"format": FORMAT, "files": {**read_leave_out(path), **files}}
    try:
        write_json(target, content)
    except OSError as error:
        raise DataError(
            f"{target.name} cannot be written beside the data ({error.strerror or error}); copy the data to a folder "
            "of your own."
        ) from error
    return target


def read_leave_out(path: str | Path) -> dict[str, str]:
    """The list for the data set at `path`: name -> reason; empty if there is none, DataError if it is no list."""
    if path in BUILT_IN or path in FETCHED:
        return {}
    target = leave_out_path(path)
    try:
        content = json.loads(target.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError):
        raise DataError(f"{target.name} cannot be read as JSON; mend it, or delete it to leave nothing out.") from None
    number = content.get("format") if isinstance(content, dict) else None
    if isinstance(number, int) and number > FORMAT:
        raise DataError(f"{target.name} has format {number}, newer than this program's {FORMAT}; update cnnviz.")
    files: Any = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict) or not all(isinstance(reason, str) for reason in files.values()):
        raise DataError(f"{target.name} holds no list of files with reasons; mend it, or delete it.")
    return dict(files)


def less_left_out(dataset: Dataset, path: str | Path) -> tuple[Dataset, dict[str, str]]:
    """The data set that was opened from `path` without what the list beside it names, and what that was.

    DataError if the list cannot be read, or leaves nothing.
    """
    listed = read_leave_out(path)
    there = {entry.name for entry in dataset.entries}
    left_out = {name: reason for name, reason in listed.items() if name in there}
    if there and len(left_out) == len(there):
        raise DataError(f"{leave_out_path(path).name} leaves out every picture; take some names out of it.")
    return (dataset.without(left_out) if left_out else dataset), left_out
