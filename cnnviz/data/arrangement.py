"""Which file belongs to which class and split, told from paths alone; for folders and zips."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

from cnnviz.data.dataset import SPLITS, DataError, Entry

Parts = tuple[str, ...]  # a path inside the data set

WANTED = "a folder (or a zip) that holds one folder of pictures per class, such as cats and dogs"
_FILL = "put one folder of pictures per class into it, such as cats and dogs"
PACKED = frozenset((".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz"))
_PICTURES = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"))
_PICTURES |= {".avif", ".heic", ".heif"}
_LEFT_BY_SYSTEMS = frozenset(("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir"))
_SPLIT_FOLDER = re.compile("(?:(train|training)|(validation|valid|val)|(test|testing))(?:[_-]?set)?", re.IGNORECASE)
_NO_CLASS = "lies in no folder of a class"
_NO_PICTURES = "is a folder without pictures"
_LINES = 20  # that name files passed over for one and the same reason


def suffix(name: str) -> str:
    """The end of a file's name from its last dot on, in small letters."""
    return os.path.splitext(name)[1].lower()


def beside(name: str, is_folder: bool) -> str:
    """Why a file or folder of this name is never part of a data set, or ""."""
    if name.startswith("."):
        return "is hidden"
    if name.lower() in _LEFT_BY_SYSTEMS:
        return "is left behind by the system"
    packed = not is_folder and suffix(name) in PACKED
    return "is an archive inside, and such are not opened" if packed else ""


def arranged(
    name: str, files: list[Parts], folders: list[Parts], passed_over: dict[str, str]
) -> tuple[tuple[str, ...], tuple[Entry, ...], list[int]]:
    """Labels, entries, and for each entry the index of its file; what is no entry goes to passed_over (path: reason).

    A class is a folder with a name in it that ends like a picture's, at any depth. Each file in it is an entry,
    whatever its name, so that the cleaning report can tell what is no picture. Folders in which everything lies are
    looked through. Train, validation and test are told by the names of folders, where there are at least two of them.
    DataError without a picture, or without a class.
    """
    pictured = [parts for parts in files if suffix(parts[-1]) in _PICTURES]
    if not pictured:
        seen = f" ({_first(lines_of(passed_over))})" if passed_over else ""
        raise DataError(f"{name} holds no pictures{seen}; {_FILL}.")
    wrapping = _wrapping(pictured)
    depth = len(wrapping)
    inner = [parts[depth:] for parts in pictured if parts[:depth] == wrapping]
    splits = _split_folders({parts[0] for parts in inner if len(parts) > 1})
    folders_of_classes = {placed[1] for parts in inner if (placed := _placed(parts, splits))[1]}
    if not folders_of_classes:
        where = " and ".join(natural(splits)) or name
        raise DataError(
            f"The pictures lie directly in {where}, so that nobody can tell their classes; put those of each class "
            "into a folder of its own, named like the class."
        )
    labels = natural({shown(folder) for folder in folders_of_classes})
    number_of = {label: number for number, label in enumerate(labels)}
    numbers = {folder: number_of[shown(folder)] for folder in folders_of_classes}

    members: list[tuple[str, int, str, int]] = []  # name, label, split, index of the file
    for index, parts in enumerate(files):
        split, folder, reason = _placed(parts[depth:], splits) if parts[:depth] == wrapping else ("", "", _NO_CLASS)
        if folder in numbers:
            members.append((shown("/".join(parts[depth:])), numbers[folder], split, index))
        elif folder:
            passed_over["/".join(parts[: depth + 1 + bool(splits)])] = _NO_PICTURES
        else:
            passed_over["/".join(parts)] = reason
    for parts in folders:
        folder = _placed((*parts[depth:], ""), splits)[1] if parts[:depth] == wrapping else ""
        if folder and folder not in numbers:
            passed_over["/".join(parts[: depth + 1 + bool(splits)])] = _NO_PICTURES
    members.sort(key=lambda member: _natural_key(member[0]))
    if len({split for _, _, split, _ in members}) == 1:
        members = [(path, label, "", index) for path, label, _, index in members]
    names = _unique(path for path, _, _, _ in members)
    entries = tuple(Entry(unique, label, split) for unique, (_, label, split, _) in zip(names, members, strict=True))
    _note_missing(entries, labels, passed_over)
    return labels, entries, [index for _, _, _, index in members]


def _first(lines: tuple[str, ...], most: int = 3) -> str:
    """The first lines as part of a sentence, none of them long."""
    short = [line if len(line) <= 160 else f"{line[:60]} … {line[-90:]}" for line in lines[:most]]
    return "; ".join(short) + (f"; and {len(lines) - most} more" if len(lines) > most else "")


def _note_missing(entries: tuple[Entry, ...], labels: tuple[str, ...], passed_over: dict[str, str]) -> None:
    there = {(entry.split, entry.label) for entry in entries}
    splits = {split for split, _ in there}
    for split in SPLITS:
        for number, label in enumerate(labels):
            if split in splits and (split, number) not in there:
                passed_over[f"{split}/{label}"] = "there are no pictures of this class here"


def _wrapping(pictured: list[Parts]) -> Parts:
    """The folders around everything: each is alone at its level, and has folders in it but no pictures."""
    wrapping: Parts = ()
    while True:
        depth = len(wrapping)
        pictured = [parts for parts in pictured if len(parts) > depth + 1]
        tops = {parts[depth] for parts in pictured}
        if len(tops) != 1 or any(len(parts) == depth + 2 for parts in pictured):
            return wrapping
        wrapping = (*wrapping, *tops)


def _split_folders(tops: set[str]) -> dict[str, str]:
    """Folder -> split, where the source has at least two; a lone "train" is a class of trains or a wrapping."""
    splits = {top: SPLITS[(match.lastindex or 1) - 1] for top in tops if (match := _SPLIT_FOLDER.fullmatch(top))}
    return splits if len(set(splits.values())) > 1 else {}


def _placed(parts: Parts, splits: dict[str, str]) -> tuple[str, str, str]:
    """(split, folder of the class, "") of a file, or ("", "", why it is in none)."""
    if not splits:
        return ("", parts[0], "") if len(parts) > 1 else ("", "", _NO_CLASS)
    if len(parts) > 1 and parts[0] not in splits:
        return "", "", f"lies beside {' and '.join(natural(splits))}"
    return (splits[parts[0]], parts[1], "") if len(parts) > 2 else ("", "", _NO_CLASS)


def _unique(names: Iterable[str]) -> Iterator[str]:
    """The same names, with " (2)" after the second of two that are shown alike."""
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    for name in names:
        unique = name
        while unique in taken:
            counts[name] += 1
            unique = f"{name} ({counts[name] + 1})"
        taken.add(unique)
        yield unique


def natural(names: Iterable[str]) -> tuple[str, ...]:
    """Sorted as people do: "2" before "10", capitals among small letters."""
    return tuple(sorted(names, key=_natural_key))


def _natural_key(name: str) -> tuple[list[str | int], str]:
    pieces = re.split(r"(\d+)", name)
    return [int(piece) if index % 2 else piece.casefold() for index, piece in enumerate(pieces)], name


def shown(text: str) -> str:
    """Text that can be shown and stored: one form of accented letters, and nothing that controls a terminal."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(c) for c in unicodedata.normalize("NFC", text))


def _shown(c: str) -> str:
    kind = unicodedata.category(c)
    if kind == "Zs":  # the narrow spaces of some systems' file names are no different to the eye
        return " "
    return "\ufffd" if kind[0] == "C" or c in "\u2028\u2029" else c


def lines_of(passed_over: dict[str, str]) -> tuple[str, ...]:
    """One line a file, and one for all the rest where many are passed over for the same reason."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in passed_over.items():
        by_reason.setdefault(reason, []).append(shown(path))
    lines = []
    for reason, paths in by_reason.items():
        lines += [f"{path}: {reason}" for path in natural(paths)[:_LINES]]
        if len(paths) > _LINES:
            lines.append(f"and {len(paths) - _LINES:,} more: {reason}")
    return tuple(lines)
