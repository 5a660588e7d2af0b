"""The cleaning report: what is odd in a pile of pictures. It lists; nothing is ever deleted or moved."""

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from cnnviz.data.dataset import DataError, Dataset, Entry
from cnnviz.data.fingerprints import Fingerprint, Scan, exact_copies, near_copies
from cnnviz.files import write_json
from cnnviz.image_formats import RefusedError, recognize

FORMAT = 1
MIN_BYTES = 10_000  # of a file; below lie icons and thumbnails, as system E's cleaning has it
MIN_PIXELS = 1024  # of a picture, 32 × 32
IMBALANCE = 3.0  # times as many pictures in the largest class as in the smallest
_SHOWN = 5  # files named in the text of a finding
# kind of a finding -> what it is called
KINDS: Mapping[str, str] = {
    "unreadable": "cannot be read",
    "wrong-name": "not what the name says",
    "small-file": "small files",
    "small-picture": "small pictures",
    "constant": "one color all over",
    "exact-copies": "exact copies",
    "near-copies": "near-copies",
    "two-labels": "one picture under two labels",
    "across-splits": "copies across the splits",
    "near-across-splits": "near-copies across the splits",
    "imbalance": "classes of very different size",
    "grey": "grey among color",
}
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "HEIF": (".heic", ".heif", ".hif"),
    "AVIF": (".avif", ".avifs"),
}


@dataclass(frozen=True)
class Finding:
    """One kind of oddity. groups: file names, those together that belong together (copies of each other)."""

    kind: str
    sentence: str
    groups: tuple[tuple[str, ...], ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(name for group in self.groups for name in group)


@dataclass(frozen=True)
class Report:
    """What was found in a data set of so many pictures. counts: pictures of each label, and of each given split."""

    name: str
    pictures: int
    counts: Mapping[str, int]
    splits: Mapping[str, int]
    findings: tuple[Finding, ...]
    passed_over: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)

    def find(self, kind: str) -> Finding | None:
        return next((finding for finding in self.findings if finding.kind == kind), None)

    def json_lines(self) -> list[str]:
        """A line for the whole, then one a finding, each a JSON object."""
        whole = {
            "data": self.name,
            "pictures": self.pictures,
            "classes": dict(self.counts),
            "splits": dict(self.splits),
            "passed_over": list(self.passed_over),
        }
        lines = [
            {"kind": one.kind, "sentence": one.sentence, "groups": [list(group) for group in one.groups]}
            for one in self.findings
        ]
        return [json.dumps(line, ensure_ascii=False) for line in (whole, *lines)]

    def text(self) -> str:
        """The report as people read it, with the first files of each finding."""
        lines = [f"{self.name}: {self.pictures:,} pictures in {len(self.counts)} classes"]
        lines += [f"  {label}: {number:,}" for label, number in self.counts.items()]
        lines += [f"  {split}: {number:,}" for split, number in self.splits.items() if split]
        for one in self.findings:
            lines += ["", one.sentence]
            shown = one.groups[:_SHOWN]
            lines += ["  " + " = ".join(group[:_SHOWN]) + (" = …" if len(group) > _SHOWN else "") for group in shown]
            if len(one.groups) > _SHOWN:
                lines.append(f"  and {len(one.groups) - _SHOWN:,} more")
        if not self.findings:
            lines += ["", "Nothing odd was found."]
        if self.passed_over:
            lines += ["", "Passed over:", *(f"  {line}" for line in self.passed_over[:20])]
            if len(self.passed_over) > 20:
                lines.append(f"  and {len(self.passed_over) - 20:,} more")
        return "\n".join(lines)


def report(dataset: Dataset, seen: Scan, min_bytes: int = MIN_BYTES, min_pixels: int = MIN_PIXELS) -> Report:
    """All findings on a data set that was scanned. min_bytes counts only where the pictures are files."""
    entries, prints = dataset.entries, seen.fingerprints
    known = [(entry, one) for entry, one in zip(entries, prints, strict=True) if one is not None]
    findings = [
        _list("unreadable", [entries[index] for index in seen.errors], "{n} cannot be read as pictures."),
        _list(
            "wrong-name",
            [entry for entry, one in known if not _name_fits(entry.name, one)],
            "{n} are of another kind than their names say.",
        ),
        _list(
            "small-file",
            [entry for entry, one in known if one.size is not None and one.size < min_bytes],
            f"{{n}} take less than {min_bytes:,} bytes.",
        ),
        _list(
            "small-picture",
            [entry for entry, one in known if one.height * one.width < min_pixels],
            f"{{n}} have fewer than {min_pixels:,} pixels.",
        ),
        _list("constant", [entry for entry, one in known if one.constant], "{n} are of one color all over."),
        *_copies(entries, prints),
        _imbalance(dataset),
        _grey(known),
    ]
    counts = Counter(entry.label for entry in entries)
    return Report(
        name=dataset.name,
        pictures=len(entries),
        counts={label: counts[index] for index, label in enumerate(dataset.labels)},
        splits=dict(Counter(entry.split for entry in entries if entry.split)),
        findings=tuple(finding for finding in findings if finding is not None),
        passed_over=dataset.passed_over,
        labels={entry.name: dataset.labels[entry.label] for entry in entries},
        given={entry.name: entry.split for entry in entries if entry.split},
    )


def suggested(report: Report, kinds: Iterable[str]) -> dict[str, str]:
    """Which files to leave out for these kinds of findings: name -> reason. DataError for a kind that is none.

    Of copies the first stays, a test picture before a validation one before others; of copies under two labels, none.
    """
    kinds = list(kinds)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise DataError(f"There is no kind of finding called {', '.join(unknown)}; choose from {', '.join(KINDS)}.")
    left_out: dict[str, str] = {}
    copies = ("exact-copies", "near-copies", "across-splits", "near-across-splits")
    for kind in kinds:
        finding = report.find(kind)
        if finding is None or kind in ("imbalance", "grey"):
            continue
        for group in finding.groups:
            order = {"test": 0, "validation": 1}
            ranked = sorted(group, key=lambda name: order.get(report.given.get(name, ""), 2))
            for name in ranked[1:] if kind in copies else ranked:
                left_out.setdefault(name, KINDS[kind])
    return left_out


def leave_out_path(path: str | Path) -> Path:
    """The list of what is left out of a data set lies beside it: photos.zip -> photos.zip.leave-out.json."""
    path = Path(path)
    return path.with_name(f"{path.name}.leave-out.json")


def write_leave_out(path: str | Path, files: Mapping[str, str]) -> Path:
    """Write the list for the data set at `path` and return where it lies."""
    target = leave_out_path(path)
    write_json(target, {"format": FORMAT, "files": dict(files)})
    return target


def read_leave_out(path: str | Path) -> dict[str, str]:
    """The list for the data set at `path`: name -> reason; empty if there is none, DataError if it is no list."""
    target = leave_out_path(path)
    try:
        content = json.loads(target.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise DataError(f"{target.name} cannot be read as JSON; mend it, or delete it to leave nothing out.") from None
    if isinstance(content, dict) and isinstance(content.get("format"), int) and content["format"] > FORMAT:
        raise DataError(
            f"{target.name} has format {content['format']}, newer than this program's {FORMAT}; update cnnviz."
        )
    files: Any = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict) or not all(isinstance(reason, str) for reason in files.values()):
        raise DataError(f"{target.name} holds no list of files with reasons; mend it, or delete it.")
    return dict(files)


def _list(kind: str, entries: Sequence[Entry], sentence: str) -> Finding | None:
    """A finding with a group for each file, or None where there is no file."""
    if not entries:
        return None
    return Finding(kind, _plural(sentence.format(n=_n(len(entries)))), tuple((entry.name,) for entry in entries))


def _n(number: int) -> str:
    return "1 picture" if number == 1 else f"{number:,} pictures"


def _plural(sentence: str) -> str:
    if not sentence.startswith("1 picture "):
        return sentence
    for many, one in (
        (" are ", " is "),
        (" take ", " takes "),
        (" have ", " has "),
        ("their names say", "its name says"),
    ):
        sentence = sentence.replace(many, one, 1)
    return sentence.replace(" as pictures", " as a picture")


def _name_fits(name: str, one: Fingerprint) -> bool:
    ending = PurePosixPath(name).suffix.lower()
    if not one.magic:
        return True
    try:
        return ending in _SUFFIXES.get(recognize(one.magic), (ending,))
    except RefusedError:
        return True


def _copies(entries: Sequence[Entry], prints: Sequence[Fingerprint | None]) -> list[Finding | None]:
    exact = exact_copies(prints)
    near = near_copies(prints)
    pairs = [(pair.first, pair.second) for pair in near]
    mirrored = sum(pair.mirrored for pair in near)

    def names(groups: Iterable[Sequence[int]]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(entries[index].name for index in group) for group in groups)

    def across(groups: Iterable[Sequence[int]]) -> list[Sequence[int]]:
        return [group for group in groups if len({entries[index].split for index in group} - {""}) > 1]

    under_two = [group for group in [*exact, *pairs] if len({entries[index].label for index in group}) > 1]
    surplus = sum(len(group) - 1 for group in exact)
    crossing, near_crossing = across(exact), across(pairs)
    flipped = f", {mirrored:,} of them mirrored" if mirrored else ""
    made = (
        ("exact-copies", exact, f"{surplus:,} more than needed: exact copies in {_groups(len(exact))}."),
        ("near-copies", pairs, f"{_groups(len(pairs), 'pair')} of near-copies{flipped}."),
        ("two-labels", under_two, f"{_groups(len(under_two))} of copies stand under more than one label."),
        (
            "across-splits",
            crossing,
            f"{_groups(len(crossing))} of exact copies lie in more than one split. {_sides(entries, crossing)}",
        ),
        (
            "near-across-splits",
            near_crossing,
            f"{_groups(len(near_crossing), 'pair')} of near-copies lie in two splits. {_sides(entries, near_crossing)}",
        ),
    )
    return [Finding(kind, sentence.strip(), names(groups)) if groups else None for kind, groups, sentence in made]


def _groups(number: int, what: str = "group") -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


def _sides(entries: Sequence[Entry], groups: Iterable[Sequence[int]]) -> str:
    """How many test and validation pictures also stand in training: the figure that makes a score doubtful."""
    leaked: dict[str, int] = defaultdict(int)
    for group in groups:
        sides = {entries[index].split for index in group}
        for index in group:
            if "train" in sides and entries[index].split != "train":
                leaked[entries[index].split] += 1
    parts = [f"{number:,} {side} pictures" for side, number in sorted(leaked.items()) if number]
    return f"{' and '.join(parts)} have a copy in training." if parts else ""


def _imbalance(dataset: Dataset) -> Finding | None:
    counts = Counter(entry.label for entry in dataset.entries)
    if len(counts) < 2:
        return None
    (largest, most), (smallest, fewest) = counts.most_common()[0], counts.most_common()[-1]
    if most < IMBALANCE * fewest:
        return None
    labels = dataset.labels
    return Finding(
        "imbalance",
        f"{labels[largest]} has {most:,} pictures, {most / fewest:.1f} times as many as {labels[smallest]} ({fewest:,}).",
    )


def _grey(known: Sequence[tuple[Entry, Fingerprint]]) -> Finding | None:
    """Grey pictures, where most are in color: a class that is mostly grey can be told by that alone."""
    grey = [entry for entry, one in known if one.grey]
    if not grey or statistics.fmean(one.grey for _, one in known) > 0.5:
        return None
    return _list("grey", grey, "{n} are grey among pictures in color.")
