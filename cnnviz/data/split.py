"""Splits: which pictures a network learns from, is chosen on and is scored on, without a copy on two sides."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.data.dataset import SPLITS, DataError, Dataset
from cnnviz.data.fingerprints import Scan, digest, exact_copies
from cnnviz.files import write_json
from cnnviz.images import Pixels

FORMAT = 1
FRACTIONS = (0.7, 0.2, 0.1)  # train, validation, test
FILE, DIGESTS = "split.json", "digests.json"  # beside a network: in its run's directory, and where it was taken away
File = tuple[str, str]  # name and digest


@dataclass(frozen=True)
class Split:
    """A split as a list of files. Each file is its name in the data set and the digest of its pixels.

    left_out: names that are on no side, with the reason. given: whether the source itself sets a test part apart.
    """

    train: tuple[File, ...]
    validation: tuple[File, ...]
    test: tuple[File, ...]
    left_out: tuple[tuple[str, str], ...]
    seed: int
    fractions: tuple[float, float, float]
    given: bool

    def indices(self, dataset: Dataset) -> dict[str, list[int]]:
        """Where the files stand in a data set; DataError if one is missing. Digests are for `check` to compare."""
        place = {entry.name: index for index, entry in enumerate(dataset.entries)}
        chosen = {name: [name_ for name_, _ in getattr(self, name)] for name in SPLITS}
        missing = [name for names in chosen.values() for name in names if name not in place]
        if len(missing) == 1:
            raise DataError(
                f"1 picture of the saved split is not in {dataset.name}: {missing[0]}; bring it back, or train anew."
            )
        if missing:
            raise DataError(
                f"{len(missing):,} pictures of the saved split are not in {dataset.name}, {missing[0]} for one; "
                "bring them back, or train anew."
            )
        return {side: [place[name] for name in names] for side, names in chosen.items()}

    def check(self, name: str, pixels: Pixels) -> None:
        """DataError if these pixels, uint8 (H, W, 3), are not those that the file of this name had at the split."""
        digests = self._digests
        if name in digests and digests[name] != digest(pixels):
            raise DataError(f"{name} is another picture than when the data were split; bring it back, or train anew.")

    @cached_property
    def _digests(self) -> dict[str, str]:
        return dict((*self.train, *self.validation, *self.test))

    def digests(self) -> dict[str, Any]:
        """JSON object with the digests of each side, sorted: what tells the pictures without telling about them."""
        return {"format": FORMAT, **{side: sorted(digest for _, digest in getattr(self, side)) for side in SPLITS}}

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "seed": self.seed,
            "fractions": list(self.fractions),
            "given": self.given,
            **{side: [list(file) for file in getattr(self, side)] for side in SPLITS},
            "left_out": [list(one) for one in self.left_out],
        }

    def save(self, path: Path) -> None:
        """Write the file as a whole or not at all."""
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> "Split":
        """The split that save wrote; DataError with a sentence for anything else."""
        try:
            return cls.from_json(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, RecursionError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"The split in {path.name} cannot be read; train anew to make another.") from None

    @classmethod
    def from_json(cls, content: Any) -> "Split":
        try:
            number = content["format"]
            if number > FORMAT:
                raise DataError(f"The split has format {number}, newer than this program's {FORMAT}; update cnnviz.")
            sides = {side: tuple(_two_texts(file) for file in content[side]) for side in (*SPLITS, "left_out")}
            names = [name for side in SPLITS for name, _ in sides[side]]
            if len(set(names)) < len(names):
                raise DataError("The split has a picture on two sides; train anew to make another.")
            first, second, third = (float(value) for value in content["fractions"])
            return cls(
                **sides, seed=int(content["seed"]), fractions=(first, second, third), given=bool(content["given"])
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError("The split is not one that this program wrote; train anew to make another.") from None


def made_with(folder: Path, named: Any) -> tuple[dict[str, str], bool]:
    """Digest -> side of the pictures that the network in this folder was made with, and whether these are all of them.

    named: its card's data.not_scored_on, by which a network that ships without its split can name some. DataError as
    `sides`.
    """
    some = dict.fromkeys(named, "train") if isinstance(named, Mapping) else {}
    every = sides(folder)
    return some | (every or {}), every is not None


def sides(folder: Path) -> dict[str, str] | None:
    """Digest -> side of the pictures that the network in this folder was made with; None where nothing is known.

    DataError with a sentence where what is known cannot be read.
    """
    if (folder / FILE).exists():
        content = Split.load(folder / FILE).digests()
    elif (folder / DIGESTS).exists():
        try:
            content = json.loads((folder / DIGESTS).read_text("utf-8"))
            newer = content["format"] > FORMAT
            whole = newer or all(isinstance(one, str) for side in SPLITS for one in content[side])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            newer = whole = False
        if newer:
            raise DataError(
                f"{DIGESTS} has format {content['format']}, newer than this program's {FORMAT}; update cnnviz."
            )
        if not whole:
            raise DataError(f"{DIGESTS} beside the network cannot be read; take the network away anew.")
    else:
        return None
    # a picture on two sides was learned from
    return {digest: side for side in reversed(SPLITS) for digest in content[side]}


def make_split(
    dataset: Dataset,
    seen: Scan,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
) -> Split:
    """Split by seed and per class; copies and near-copies stay together on one side.

    fractions: of train, validation and test, which sum to 1; test may be 0. Where the source sets a validation or a
    test part apart, they are kept, and what copies them is left out of training (and of validation what copies test);
    a part that is missing is taken from training. Left out are, too, unreadable pictures and, unless they are given
    test pictures, those whose copies stand under another label. A group of near-copies counts for the class of most of
    its members. DataError where a class has too few groups for one on each side that is to be made.
    """
    shares = _checked(fractions)
    if seed < 0:
        raise DataError(f"The seed is {seed}; choose 0 or more.")
    entries, group = dataset.entries, seen.groups
    left_out = dict.fromkeys(seen.errors, "cannot be read")
    for copies in exact_copies(seen.fingerprints):
        if len({entries[index].label for index in copies}) > 1:
            left_out |= {index: "stands under another label, too" for index in copies if entries[index].split != "test"}
    for side in ("test", "validation"):
        of_side = {group[index] for index, entry in enumerate(entries) if entry.split == side and index not in left_out}
        for index, entry in enumerate(entries):
            if index not in left_out and entry.split != side and group[index] in of_side:
                left_out[index] = f"copy of a {side} picture"
    kept = [index for index in range(len(entries)) if index not in left_out]
    sides = {index: entries[index].split for index in kept if entries[index].split in SPLITS[1:]}
    free = [index for index in kept if index not in sides]
    wanted = {"train": shares[0]} | {
        side: share for side, share in zip(SPLITS[1:], shares[1:], strict=True) if share and side not in sides.values()
    }
    given = "test" in sides.values()
    sides |= _drawn(dataset, free, group, wanted, seed)
    files: dict[str, list[File]] = {side: [] for side in SPLITS}
    for index, side in sorted(sides.items()):
        one = seen.fingerprints[index]
        assert one is not None
        files[side].append((entries[index].name, one.digest))
    return Split(
        train=tuple(files["train"]),
        validation=tuple(files["validation"]),
        test=tuple(files["test"]),
        left_out=tuple((entries[index].name, why) for index, why in sorted(left_out.items())),
        seed=seed,
        fractions=shares,
        given=given,
    )


def _drawn(
    dataset: Dataset, free: list[int], group: list[int], wanted: Mapping[str, float], seed: int
) -> dict[int, str]:
    """Index -> side for the free pictures: class by class, groups in random order, the large ones first."""
    members: dict[int, list[int]] = defaultdict(list)
    for index in free:
        members[group[index]].append(index)
    of_class: dict[int, list[list[int]]] = defaultdict(list)
    for together in members.values():
        label, _ = Counter(dataset.entries[index].label for index in together).most_common(1)[0]
        of_class[label].append(together)
    sides: dict[int, str] = {}
    for label, name in enumerate(dataset.labels):
        found = of_class[label]
        if len(found) < len(wanted):
            raise DataError(
                f"The class {name} has {_count(len(found))} to learn from, and {len(wanted)} are needed, one each for "
                f"{', '.join(wanted)}; add pictures, or leave the class out."
            )
        order = np.random.default_rng((seed, label)).permutation(len(found))
        total = sum(len(together) for together in found)
        missing = {side: max(1.0, share / sum(wanted.values()) * total) for side, share in wanted.items()}
        empty = set(wanted)
        largest_first = sorted((found[place] for place in order), key=len, reverse=True)
        for done, together in enumerate(largest_first):
            # the last groups go to the sides that have none yet
            open_ = empty if len(largest_first) - done <= len(empty) else set(wanted)
            side = max(sorted(open_), key=lambda one: missing[one])
            missing[side] -= len(together)
            empty.discard(side)
            sides |= dict.fromkeys(together, side)
    return sides


def _checked(fractions: Sequence[float]) -> tuple[float, float, float]:
    values = tuple(float(value) for value in fractions)
    if len(values) != 3 or not (min(values[:2]) > 0 and values[2] >= 0 and abs(sum(values) - 1) <= 1e-6):
        raise DataError(
            f"The fractions are {', '.join(f'{value:g}' for value in values)}; expected three that sum to 1, "
            "as 0.7, 0.2 and 0.1 do, and only the last may be 0."
        )
    return values[0], values[1], values[2]


def _count(number: int) -> str:
    return {0: "no picture", 1: "one picture only"}.get(number, f"{number} different pictures only")


def _two_texts(given: Any) -> tuple[str, str]:
    one, two = given
    if not isinstance(one, str) or not isinstance(two, str):
        raise TypeError
    return one, two
