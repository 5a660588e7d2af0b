"""The cleaning report: what is odd in a pile of pictures. It lists; nothing is ever deleted or moved."""

import json
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from cnnviz.data.dataset import DataError, Dataset, Entry
from cnnviz.data.fingerprints import Fingerprint, Scan, exact_copies
from cnnviz.image_formats import RefusedError, recognize

MIN_BYTES = 10_000  # of a file; below lie icons and thumbnails, as system E's cleaning has it
MIN_PIXELS = 1024  # of a picture, 32 × 32
IMBALANCE = 3.0  # times as many pictures in the largest class as in the smallest
_SHOWN = 5  # groups, and files of a group, named in the text of a finding
_LISTED = 20  # files passed over or left out before that are named in the text
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
    "near-two-labels": "near-copies under two labels",
    "across-splits": "copies across the splits",
    "near-across-splits": "near-copies across the splits",
    "imbalance": "classes of very different size",
    "grey": "grey among color",
}
WHOLE = ("imbalance",)  # findings that name no files
_ONE_STAYS = ("exact-copies", "near-copies", "across-splits", "near-across-splits")
_COUNTED = re.compile(r" \(\d+\)$")  # what follows the second of two names that are shown alike
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
    """One kind of oddity. groups: file names, those together that belong together (copies of each other).

    Groups of near-copies hold the exact copies of their members, too.
    """

    kind: str
    sentence: str
    groups: tuple[tuple[str, ...], ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(name for group in self.groups for name in group)


@dataclass(frozen=True)
class Report:
    """What was found in a data set.

    counts: pictures of each label. splits: pictures of each split that the source gives. given: name -> that split.
    left_out: files that were left out before by the list beside the data set, name -> reason.
    """

    name: str
    pictures: int
    counts: Mapping[str, int]
    splits: Mapping[str, int]
    findings: tuple[Finding, ...]
    passed_over: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

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
            "left_out": dict(self.left_out),
        }
        lines = [
            {"kind": one.kind, "sentence": one.sentence, "groups": [list(group) for group in one.groups]}
            for one in self.findings
        ]
        return [json.dumps(line, ensure_ascii=False) for line in (whole, *lines)]

    def text(self) -> str:
        """The report as people read it, with the first files of each finding."""
        classes = "1 class" if len(self.counts) == 1 else f"{len(self.counts):,} classes"
        lines = [f"{self.name}: {_number(self.pictures, 'picture')} in {classes}"]
        lines += [f"  {label}: {number:,}" for label, number in self.counts.items()]
        if self.splits:
            lines.append("Splits of the source")
            lines += [f"  {split}: {number:,}" for split, number in self.splits.items()]
        for one in self.findings:
            lines += ["", one.sentence]
            shown = one.groups[:_SHOWN]
            lines += ["  " + " = ".join(group[:_SHOWN]) + (" = …" if len(group) > _SHOWN else "") for group in shown]
            if len(one.groups) > _SHOWN:
                lines.append(f"  and {len(one.groups) - _SHOWN:,} more")
        if not self.findings:
            lines += ["", "Nothing odd was found."]
        left_out = [f"{name}: {reason}" for name, reason in self.left_out.items()]
        for title, details in (("Passed over", self.passed_over), ("Left out by the list beside it", left_out)):
            if details:
                lines += ["", f"{title}:", *(f"  {line}" for line in details[:_LISTED])]
                if len(details) > _LISTED:
                    lines.append(f"  and {len(details) - _LISTED:,} more")
        return "\n".join(lines)


def report(
    dataset: Dataset,
    seen: Scan,
    min_bytes: int = MIN_BYTES,
    min_pixels: int = MIN_PIXELS,
    left_out: Mapping[str, str] | None = None,
) -> Report:
    """All findings on a data set that was scanned.

    min_bytes counts only where the pictures are files. left_out: what leave_out.less_left_out took out of it.
    """
    entries = dataset.entries
    known = [(entry, one) for entry, one in zip(entries, seen.fingerprints, strict=True) if one is not None]
    found = [
        _list("unreadable", [entries[index] for index in seen.errors], "cannot be read", "cannot be read"),
        _list(
            "wrong-name",
            [entry for entry, one in known if not _name_fits(entry.name, one)],
            "is of another kind than its name says",
            "are of another kind than their names say",
        ),
        _list(
            "small-file",
            [entry for entry, one in known if one.size is not None and one.size < min_bytes],
            f"takes less than {min_bytes:,} bytes",
            f"take less than {min_bytes:,} bytes each",
        ),
        _list(
            "small-picture",
            [entry for entry, one in known if one.height * one.width < min_pixels],
            f"has fewer than {min_pixels:,} pixels",
            f"have fewer than {min_pixels:,} pixels each",
        ),
        _list(
            "constant",
            [entry for entry, one in known if one.constant],
            "is of one color all over",
            "are of one color all over",
        ),
        *_exact(entries, exact_copies(seen.fingerprints)),
        *_near(entries, seen),
        _imbalance(dataset),
        _grey(known),
    ]
    kinds = {one.kind: one for one in found if one is not None}
    counts = Counter(entry.label for entry in entries)
    return Report(
        name=dataset.name,
        pictures=len(entries),
        counts={label: counts[index] for index, label in enumerate(dataset.labels)},
        splits=dict(Counter(entry.split for entry in entries if entry.split)),
        findings=tuple(kinds[kind] for kind in KINDS if kind in kinds),
        passed_over=dataset.passed_over,
        given={entry.name: entry.split for entry in entries if entry.split},
        left_out=dict(left_out or {}),
    )


def check_kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    """The same kinds; DataError for one that no file can be left out for."""
    kinds = tuple(kinds)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise DataError(f"There is no kind of finding called {', '.join(unknown)}; choose from {', '.join(KINDS)}.")
    if whole := [kind for kind in kinds if kind in WHOLE]:
        raise DataError(
            f"The finding {' and '.join(whole)} is about the data set as a whole, so that no single file can be left "
            "out for it; add or remove pictures by hand."
        )
    return kinds


def suggested(report: Report, kinds: Iterable[str]) -> dict[str, str]:
    """Which files to leave out for these kinds of findings: name -> reason. DataError as in check_kinds.

    Of copies one stays: the first test picture, where there is none the first validation picture, else the first. Of
    copies under two labels none stays, since nobody knows which label is right.
    """
    left_out: dict[str, str] = {}
    under_two = (report.find(kind) for kind in ("two-labels", "near-two-labels"))
    mixed = {name for finding in under_two if finding is not None for name in finding.files}
    for kind in check_kinds(kinds):
        finding = report.find(kind)
        for group in finding.groups if finding is not None else ():
            order = {"test": 0, "validation": 1}
            ranked = sorted(group, key=lambda name: order.get(report.given.get(name, ""), 2))
            one_stays = kind in _ONE_STAYS and mixed.isdisjoint(group)
            for name in ranked[1:] if one_stays else ranked:
                left_out.setdefault(name, KINDS[kind])
    return left_out


# ---------------------------------------------------------------------- the findings


def _list(kind: str, entries: Sequence[Entry], one: str, many: str) -> Finding | None:
    """A finding with a group for each file, or None where there is no file."""
    if not entries:
        return None
    verb = one if len(entries) == 1 else many
    sentence = f"{_number(len(entries), 'picture')} {verb}."
    return Finding(kind, sentence, tuple((entry.name,) for entry in entries))


def _number(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _name_fits(name: str, one: Fingerprint) -> bool:
    """Whether the ending is one of this kind of file; a name that ends in none, or in a number, says nothing."""
    ending = PurePosixPath(_COUNTED.sub("", name)).suffix.lower()
    if not one.magic or not ending.strip(".0123456789"):
        return True
    try:
        return ending in _SUFFIXES.get(recognize(one.magic), (ending,))
    except RefusedError:
        return True


def _exact(entries: Sequence[Entry], groups: Sequence[Sequence[int]]) -> list[Finding | None]:
    surplus = sum(len(group) - 1 for group in groups)
    mixed, crossing = _mixed(entries, groups), _crossing(entries, groups)
    return [
        _copies(entries, "exact-copies", groups, f"of exact copies, {_number(surplus, 'picture')} more than needed"),
        _copies(entries, "two-labels", mixed, f"of exact copies {_stand(mixed)} under more than one label"),
        _copies(entries, "across-splits", crossing, f"of exact copies {_lie(crossing)} in more than one split"),
    ]


def _near(entries: Sequence[Entry], seen: Scan) -> list[Finding | None]:
    """Groups with near-copies in them, joined over several steps."""
    members: dict[int, list[int]] = {}
    for index, group in enumerate(seen.groups):
        members.setdefault(group, []).append(index)
    mirrored = sum(pair.mirrored for pair in seen.pairs)
    groups = [members[number] for number in sorted({seen.groups[pair.first] for pair in seen.pairs})]
    mixed, crossing = _mixed(entries, groups), _crossing(entries, groups)
    which = "" if mirrored == len(seen.pairs) else f"{mirrored:,} of them "
    pairs = _number(len(seen.pairs), "pair") + (f", {which}mirrored" if mirrored else "")
    return [
        _copies(entries, "near-copies", groups, f"of near-copies ({pairs})"),
        _copies(entries, "near-two-labels", mixed, f"of near-copies {_stand(mixed)} under more than one label"),
        _copies(entries, "near-across-splits", crossing, f"of near-copies {_lie(crossing)} in more than one split"),
    ]


def _copies(entries: Sequence[Entry], kind: str, groups: Sequence[Sequence[int]], what: str) -> Finding | None:
    if not groups:
        return None
    sentence = f"{_number(len(groups), 'group')} {what}.{_leaked(entries, groups) if 'across' in kind else ''}"
    return Finding(kind, sentence, tuple(tuple(entries[index].name for index in group) for group in groups))


def _mixed(entries: Sequence[Entry], groups: Iterable[Sequence[int]]) -> list[Sequence[int]]:
    return [group for group in groups if len({entries[index].label for index in group}) > 1]


def _crossing(entries: Sequence[Entry], groups: Iterable[Sequence[int]]) -> list[Sequence[int]]:
    return [group for group in groups if len({entries[index].split for index in group} - {""}) > 1]


def _stand(groups: Sequence[object]) -> str:
    return "stands" if len(groups) == 1 else "stand"


def _lie(groups: Sequence[object]) -> str:
    return "lies" if len(groups) == 1 else "lie"


def _leaked(entries: Sequence[Entry], groups: Iterable[Sequence[int]]) -> str:
    """How many test and validation pictures also stand in training: the figure that makes a score doubtful."""
    leaked: Counter[str] = Counter()
    for group in groups:
        splits = [entries[index].split for index in group]
        if "train" in splits:
            leaked.update(split for split in splits if split not in ("train", ""))
    parts = [_number(number, f"{split} picture") for split, number in sorted(leaked.items())]
    have = "has" if leaked.total() == 1 else "have"
    return f" {' and '.join(parts)} {have} a copy in training." if parts else ""


def _imbalance(dataset: Dataset) -> Finding | None:
    counts = Counter(entry.label for entry in dataset.entries)
    if not counts or len(dataset.labels) < 2:
        return None
    sizes = [(counts[index], label) for index, label in enumerate(dataset.labels)]
    (most, largest), (fewest, smallest) = max(sizes, key=lambda one: one[0]), min(sizes, key=lambda one: one[0])
    if fewest == 0:
        return Finding("imbalance", f"The class {smallest} has no pictures.")
    if most < IMBALANCE * fewest:
        return None
    times = f"{most / fewest:.1f} times as many as {smallest}"
    return Finding("imbalance", f"{largest} has {_number(most, 'picture')}, {times}.")


def _grey(known: Sequence[tuple[Entry, Fingerprint]]) -> Finding | None:
    """Grey pictures, where most are in color: a class that is mostly grey can be told by that alone."""
    grey = [entry for entry, one in known if one.grey]
    if not grey or statistics.fmean(one.grey for _, one in known) > 0.5:
        return None
    return _list("grey", grey, "is grey among pictures in color", "are grey among pictures in color")
