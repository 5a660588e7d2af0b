"""Where data sets come from: folders, zips, fer2013.csv and built-in names. Nothing is decoded while opening."""

import os
import random
import stat
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePath

from cnnviz.data import fer2013
from cnnviz.data.archive import open_archive
from cnnviz.data.arrangement import PACKED, WANTED, Parts, arranged, beside, lines_of, shown, suffix
from cnnviz.data.dataset import DataError, Dataset, Entry
from cnnviz.images import MAX_BYTES, ImageError, Pixels, decode

BUILT_IN = ("drawn-shapes", "drawn-faces", "digits")
FETCHED = ("mnist", "fashion_mnist", "cifar10")
MAX_FILES = 500_000  # in a folder
_DEEPEST = 32  # folders in folders


def open_dataset(spec: str | Path, number: int | None = None, seed: int = 0) -> Dataset:
    """The data set of a name or of a path; DataError with one sentence where there is none.

    spec: a folder with one folder per class, a folder with such folders in train, validation (or val, valid) and test,
    a zip of either, a fer2013.csv, or one of BUILT_IN ("./digits" is a folder of that name).
    number: so many pictures; drawn ones are made in this number, of others it is a random choice by `seed`.

    How the files of a folder or zip become entries is said in arrangement.py; hidden files, what systems leave behind,
    links, devices and archives inside are passed over, and listed.
    """
    if number is not None and number < 1:
        raise DataError(f"The number of pictures is {number}; choose 1 or more.")
    if spec in BUILT_IN:
        return _built_in(str(spec), number, seed)
    if spec in FETCHED:
        raise DataError(f"{spec} is fetched from the Internet and cannot be opened here; train or evaluate with it.")
    if not str(spec).strip():
        raise DataError(f"No data set was named; give {WANTED}.")
    return _chosen(_at_path(Path(spec)), number, seed)


def open_upload(data: bytes, name: str) -> Dataset:
    """The data set in an uploaded zip; `data` stays in memory as long as the data set is used. DataError as above."""
    return _from_archive(data, PurePath(name).name[-200:])


def require_classes(dataset: Dataset, pictures: int = 2) -> None:
    """DataError unless there are two classes or more, each with at least so many pictures: less teaches nothing."""
    if len(dataset.labels) < 2:
        raise DataError(
            f"{dataset.name} has one class only ({dataset.labels[0]}), and a network learns to tell two or more apart; "
            "add a folder of pictures of something else."
        )
    counts = Counter(entry.label for entry in dataset.entries)
    small = [f"{label} has {counts[index]}" for index, label in enumerate(dataset.labels) if counts[index] < pictures]
    if small:
        raise DataError(
            f"Each class of “{dataset.name}” needs {pictures} pictures or more, but {', '.join(small[:5])}"
            f"{' and so on' if len(small) > 5 else ''}; add pictures or leave the class out."
        )


def _built_in(name: str, number: int | None, seed: int) -> Dataset:
    # imported here, so that who opens a folder does not wait for them
    if name == "digits":
        from cnnviz.data.digits import digits  # noqa: PLC0415

        return _chosen(digits(), number, seed)
    from cnnviz.data.drawn import drawn_shapes  # noqa: PLC0415
    from cnnviz.data.drawn_faces import drawn_faces  # noqa: PLC0415

    draw = drawn_shapes if name == "drawn-shapes" else drawn_faces
    return draw(seed=seed) if number is None else draw(number, seed)


def _chosen(dataset: Dataset, number: int | None, seed: int) -> Dataset:
    if number is None or number >= len(dataset):
        return dataset
    return dataset.select(sorted(random.Random(seed).sample(range(len(dataset)), number)))


def _at_path(path: Path) -> Dataset:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        names = ", ".join((*BUILT_IN, *FETCHED))
        raise DataError(
            f"{shown(str(path))[:300]} is not there or cannot be opened; give {WANTED}, a fer2013.csv or one of "
            f"{names}."
        ) from error
    name = shown(os.path.basename(os.path.abspath(path))) or "data"
    if stat.S_ISDIR(mode):
        return _from_folder(path, name)
    ending = suffix(path.name)
    if stat.S_ISREG(mode) and ending == ".csv":
        return fer2013.open_csv(path)
    if stat.S_ISREG(mode) and (ending == ".zip" or _begins_like_zip(path)):
        return _from_archive(path, name)
    hint = "unpack it first and give the folder" if ending in PACKED else f"give {WANTED}, or a fer2013.csv"
    raise DataError(f"{name} is no data set; {hint}.")


def _begins_like_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\3\4"
    except OSError:
        return False


# ---------------------------------------------------------------------- folders and zips


def _from_folder(root: Path, name: str) -> Dataset:
    files, folders, passed_over = _walk(root, name)
    labels, entries, chosen = arranged(name, files, folders, passed_over)
    paths = [os.path.join(root, *files[index]) for index in chosen]

    def data(index: int) -> bytes:
        called = entries[index].name
        try:
            # a link or a device that took the file's place since is not followed, and nothing huge is read
            with open(paths[index], "rb", opener=_open_plain) as file:
                size = os.fstat(file.fileno()).st_size
                if size <= MAX_BYTES:
                    return file.read(MAX_BYTES + 1)
        except OSError as error:
            raise OSError(f"{called} cannot be read ({error.strerror or error}).") from error
        raise OSError(
            f"{called} has {size / 1e6:,.1f} MB, and at most {MAX_BYTES / 1e6:.0f} MB can be opened; save it smaller, "
            "for example as a JPEG."
        )

    return _dataset(name, labels, entries, data, passed_over)


def _open_plain(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _from_archive(source: Path | bytes, name: str) -> Dataset:
    name = shown(name) or "data"
    archive = open_archive(source, name)
    passed_over = dict(archive.passed_over)
    files, members = [], []
    for member in archive.members:
        parts = tuple(member.path.split("/"))
        for depth, part in enumerate(parts, 1):
            if reason := beside(part, is_folder=depth < len(parts)):
                passed_over["/".join(parts[:depth])] = reason
                break
        else:
            files.append(parts)
            members.append(member)
    named = [tuple(path.split("/")) for path in archive.folders]
    folders = [parts for parts in named if not any(beside(part, is_folder=True) for part in parts)]
    labels, entries, chosen = arranged(name, files, folders, passed_over)

    def data(index: int) -> bytes:
        try:
            return archive.read(members[chosen[index]])
        except OSError as error:
            ending = f"cannot be read ({error.strerror})." if error.strerror else str(error)
            raise OSError(f"{entries[index].name} {ending}") from error

    return _dataset(PurePath(name).stem, labels, entries, data, passed_over)


def _dataset(
    name: str,
    labels: tuple[str, ...],
    entries: tuple[Entry, ...],
    data: Callable[[int], bytes],
    passed_over: dict[str, str],
) -> Dataset:
    return Dataset(name, labels, entries, partial(_pixels, data, entries), data, passed_over=lines_of(passed_over))


def _pixels(data: Callable[[int], bytes], entries: tuple[Entry, ...], index: int) -> Pixels:
    try:
        content = data(index)
    except OSError as error:
        raise ImageError(str(error)) from error
    return decode(content, entries[index].name).pixels


def _walk(root: Path, name: str) -> tuple[list[Parts], list[Parts], dict[str, str]]:
    """The files under a folder, the folders under it, and what is passed over; links are not followed."""
    files: list[Parts] = []
    folders: list[Parts] = []
    passed_over: dict[str, str] = {}
    waiting: list[Parts] = [()]
    while waiting:
        parts = waiting.pop()
        try:
            with os.scandir(os.path.join(root, *parts)) as found:
                for item in found:
                    inner = (*parts, item.name)
                    if reason := _passed(item):
                        passed_over["/".join(inner)] = reason
                    elif item.is_file(follow_symlinks=False):
                        files.append(inner)
                    elif len(inner) > _DEEPEST:
                        passed_over["/".join(inner)] = "is too deep in folders"
                    else:
                        folders.append(inner)
                        waiting.append(inner)
        except OSError as error:
            if not parts:
                raise DataError(f"The folder {name} cannot be read ({error.strerror}).") from error
            passed_over["/".join(parts)] = f"cannot be read ({error.strerror})"
        if len(files) > MAX_FILES:
            raise DataError(f"{name} holds more than {MAX_FILES:,} files; give {WANTED}.")
    return files, folders, passed_over


def _passed(item: "os.DirEntry[str]") -> str:
    """Why a file or folder is passed over, or ""."""
    if item.is_symlink():
        return "is a link, and links are not followed"
    is_folder = item.is_dir(follow_symlinks=False)
    if not is_folder and not item.is_file(follow_symlinks=False):
        return "is no ordinary file"
    return beside(item.name, is_folder)
