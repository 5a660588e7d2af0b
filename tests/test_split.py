"""Splits: no copy on two sides, each class on each side, the source's own parts kept, and read back as they were."""

import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cnnviz.data.dataset import SPLITS, DataError, Dataset, Entry
from cnnviz.data.fingerprints import Fingerprint, Pair, Scan, digest, groups, scan
from cnnviz.data.split import FRACTIONS, Split, make_split

PLAIN = np.zeros((32, 32), np.uint8)
NO_TINT = np.zeros((8, 8, 2), np.uint8)


def fingerprint(name: str) -> Fingerprint:
    return Fingerprint(name, 0, 0, PLAIN, NO_TINT, 32, 32, None, False, False, b"")


@dataclass(frozen=True, eq=False)
class Known(Scan):
    """A scan whose near-copies are given."""

    pairs: tuple[Pair, ...] = ()


def made(rows: str, near: str = "") -> tuple[Dataset, Known]:
    """A data set in words: "digest label split" a picture, with "-" for one that cannot be read; near: "0=3 1=2"."""
    entries, prints, errors = [], [], {}
    for index, row in enumerate(row for row in rows.split(",") if row.strip()):
        name, label, *split = row.split()
        entries.append(Entry(f"{index}", "ab".index(label), "".join(split)))
        prints.append(None if name == "-" else fingerprint(name))
        if name == "-":
            errors[index] = "broken"
    pairs = [Pair(*map(int, pair.split("=")), mirrored=False) for pair in near.split()]
    return Dataset("made", ("a", "b"), tuple(entries), lambda _: PLAIN), Known(tuple(prints), errors, tuple(pairs))


def by_name(split: Split) -> dict[str, str]:
    return {name: side for side in SPLITS for name, _ in getattr(split, side)}


# ---------------------------------------------------------------------- a property, for many seeds and sizes


def piled(seed: int) -> tuple[Dataset, Known, int]:
    """A random pile: 2 to 5 classes of 3 to 60 originals, each with copies and near-copies, sometimes given splits."""
    chance = random.Random(seed)
    labels = chance.randint(2, 5)
    given = chance.choice(("", "", "test", "validation", "test validation"))
    entries: list[Entry] = []
    prints: list[Fingerprint | None] = []
    pairs, errors = [], {}
    most = chance.choice((1, 2, 6))
    for label in range(labels):
        for original in range(chance.choice((8, 20, 60))):
            first = len(entries)
            for copy in range(chance.choice((1, 1, 1, most))):
                is_near = bool(copy) and chance.random() < 0.5
                side = chance.choice(("train", "train", "train", *given.split())) if given else ""
                # enough of the first originals lie in training that every class has some of its own
                entries.append(Entry(f"{len(entries)}", label, "train" if given and original < 4 else side))
                prints.append(fingerprint(f"{label}/{original}/{copy if is_near else 0}"))
                if is_near:
                    pairs.append(Pair(first, len(entries) - 1, chance.random() < 0.3))
    for _ in range(chance.choice((0, 0, 3))):
        errors[len(entries)] = "broken"
        entries.append(Entry(f"{len(entries)}", chance.randrange(labels)))
        prints.append(None)
    dataset = Dataset("pile", tuple("abcde"[:labels]), tuple(entries), lambda _: PLAIN)
    return dataset, Known(tuple(prints), errors, tuple(pairs)), most


@pytest.mark.parametrize("seed", range(80))
def test_no_copy_on_two_sides_and_every_class_on_each(seed: int) -> None:
    dataset, seen, most = piled(seed)
    split = make_split(dataset, seen, seed=seed)
    sides = by_name(split)
    place = {entry.name: index for index, entry in enumerate(dataset.entries)}

    # every picture is on one side or left out with a reason
    left_out = dict(split.left_out)
    assert sorted([*sides, *left_out]) == sorted(place)
    assert sum(len(getattr(split, side)) for side in SPLITS) == len(sides)

    # no digest and no group on two sides
    group = groups(seen.fingerprints, seen.pairs)
    of_group, of_digest = defaultdict(set), defaultdict(set)
    for name, side in sides.items():
        of_group[group[place[name]]].add(side)
        one = seen.fingerprints[place[name]]
        assert one is not None
        of_digest[one.digest].add(side)
        assert (name, one.digest) in getattr(split, side)
    assert all(len(found) == 1 for found in (*of_group.values(), *of_digest.values()))

    # what the source gives stays on its side; test is kept whole
    given = {entry.split for entry in dataset.entries} & {"test", "validation"}
    for entry in dataset.entries:
        if entry.split in given and entry.name in sides:
            assert sides[entry.name] == entry.split
        if entry.split == "test" and seen.fingerprints[place[entry.name]]:
            assert sides[entry.name] == "test"
        if entry.split == "train" and entry.name in sides:
            assert sides[entry.name] not in given
    assert split.given == ("test" in given)

    # each class on each side that was made, in about its share
    counts = Counter((dataset.entries[place[name]].label, side) for name, side in sides.items())
    shares = {side: share for side, share in zip(SPLITS, FRACTIONS, strict=True) if side not in given}
    for label in range(len(dataset.labels)):
        total = sum(counts[label, side] for side in shares)
        for side, share in shares.items():
            assert counts[label, side] >= 1
            wanted = share / sum(shares.values()) * total
            assert abs(counts[label, side] - wanted) <= most + len(SPLITS)

    assert make_split(dataset, seen, seed=seed) == split
    others = {make_split(dataset, seen, seed=seed + other).train for other in (1, 2, 3)}
    assert bool(others - {split.train}) == (len(given) < 2)  # where both parts are given, nothing is left to chance


# ---------------------------------------------------------------------- by hand

MANY = "".join(f"m{n} {'ab'[n % 2]}," for n in range(12))


@pytest.mark.parametrize(
    ("rows", "near", "expected"),
    [
        pytest.param("1 a,2 a,3 a,4 b,5 b,6 b", "", {}, id="three of each: one on each side"),
        pytest.param("1 a,1 a,2 a,3 a,4 b,5 b,6 b", "", {"0": "same as 1"}, id="a copy goes along"),
        pytest.param(
            "1 a,2 a,3 a,4 a,5 a,4 b,6 b,7 b,8 b",
            "1=2",
            {"1": "same as 2", "3": "stands under another label, too", "5": "stands under another label, too"},
            id="two labels: both out",
        ),
        pytest.param(
            "1 a,2 a,3 a,- a,4 b,5 b,6 b,- b", "", {"3": "cannot be read", "7": "cannot be read"}, id="broken"
        ),
        pytest.param("1 a,2 a,3 a,9 a,4 b,5 b,6 b,7 b", "3=4", {"3": "same as 4"}, id="near, two labels: together"),
        pytest.param(
            "1 a,2 a,3 b,4 a,5 a,6 b,7 b,8 b",
            "0=1 1=2",
            {"0": "same as 1", "2": "same as 1"},
            id="a group counts for the class of most",
        ),
        pytest.param(
            "t a test,t a train,u b test,v b train," + MANY,
            "2=3",
            {"0": "test", "1": "copy of a test picture", "2": "test", "3": "copy of a test picture"},
            id="test given",
        ),
        pytest.param(
            "v a validation,v a train,w b validation," + MANY,
            "",
            {"0": "validation", "1": "copy of a validation picture", "2": "validation"},
            id="validation given",
        ),
        pytest.param(
            "t a test,t a validation,u b test,v b validation,w a validation," + MANY,
            "3=5",
            {
                "0": "test",
                "1": "copy of a test picture",
                "2": "test",
                "3": "validation",
                "4": "validation",
                "5": "copy of a validation picture",
            },
            id="all given",
        ),
        pytest.param(
            "t a test,t b test,t a train,u b test," + MANY,
            "",
            {"0": "test", "1": "test", "2": "stands under another label, too", "3": "test"},
            id="two labels in the given test part: kept whole",
        ),
        pytest.param(
            "v a validation,t a test,w b validation," + MANY,
            "0=3 1=3",
            {"0": "copy of a test picture", "1": "test", "2": "validation", "3": "copy of a test picture"},
            id="a chain from validation over training to test",
        ),
        pytest.param("- a test," + MANY, "", {"0": "cannot be read"}, id="the only given test picture is broken"),
    ],
)
def test_cases_by_hand(rows: str, near: str, expected: dict[str, str]) -> None:
    dataset, seen = made(rows, near)
    split = make_split(dataset, seen)
    where = {**by_name(split), **dict(split.left_out)}
    assert len(where) == len(dataset)
    for name, said in expected.items():
        assert where[name] == (where[said.split()[-1]] if said.startswith("same as") else said)
    assert {name for name, _ in split.left_out} == {
        name for name, said in expected.items() if said not in SPLITS and not said.startswith("same as")
    }
    assert {dataset.entries[int(name)].label for name, _ in split.train} == {0, 1}
    assert split.validation
    assert split.test
    assert split.given == ("test" in expected.values())


@pytest.mark.parametrize(
    ("number", "fractions", "expected"),
    [
        (10, FRACTIONS, (7, 2, 1)),
        (100, FRACTIONS, (70, 20, 10)),
        (3, FRACTIONS, (1, 1, 1)),
        (5, FRACTIONS, (3, 1, 1)),
        (100, (0.5, 0.25, 0.25), (50, 25, 25)),
        (10, (0.8, 0.2, 0), (8, 2, 0)),
        (2, (0.8, 0.2, 0), (1, 1, 0)),
    ],
)
def test_fractions_are_met_in_each_class(number: int, fractions, expected) -> None:
    dataset, seen = made("".join(f"{n}{label} {label}," for n in range(number) for label in "ab"))
    split = make_split(dataset, seen, fractions)
    for label in range(2):
        of_label = [side for name, side in by_name(split).items() if dataset.entries[int(name)].label == label]
        assert tuple(of_label.count(side) for side in SPLITS) == expected
    assert (split.fractions, split.seed, split.given) == (tuple(fractions), 0, False)


def test_a_class_is_split_alike_whatever_the_others_hold() -> None:
    """Adding pictures of one class does not move those of another."""
    rows = "".join(f"{n} a," for n in range(20))
    small, large = (make_split(*made(rows + "".join(f"x{n} b," for n in range(number)))) for number in (5, 50))
    assert [by_name(small)[str(n)] for n in range(20)] == [by_name(large)[str(n)] for n in range(20)]


@pytest.mark.parametrize(
    ("rows", "near", "settings", "sentence"),
    [
        (
            "",
            "",
            {},
            "The class a has no picture to learn from, and 3 are needed, one each for train, validation, test;",
        ),
        ("1 a,2 a,3 a", "", {}, "The class b has no picture to learn from, and 3 are needed, one each for train"),
        ("- a,- b", "", {}, "The class a has no picture to learn from"),
        ("1 a,2 a,3 a,4 b", "", {}, "The class b has one picture only to learn from, and 3 are needed"),
        ("1 a,2 a,3 a,4 b,5 b", "", {}, "The class b has 2 different pictures only to learn from"),
        ("1 a,2 a,3 a,4 b,4 b,4 b,5 b", "", {}, "The class b has 2 different pictures only to learn from"),
        ("1 a,2 a,3 a,4 b,5 b,6 b", "3=4", {}, "The class b has 2 different pictures only to learn from"),
        ("1 a,2 a,3 a,1 b,2 b,3 b", "", {}, "The class a has no picture to learn from"),
        ("1 a test,2 b test,1 a validation,2 b validation,3 a validation", "", {}, "The class a has no picture"),
        ("1 a test,2 b test,3 a train,4 b train", "", {}, "The class a has one picture only to learn from, and 2 are"),
        (MANY, "", {"fractions": (0.7, 0.3)}, "The fractions are 0.7, 0.3; expected three that sum to 1, as 0.7, 0.2"),
        (MANY, "", {"fractions": (0.7, 0.2, 0.2)}, "The fractions are 0.7, 0.2, 0.2; expected three that sum to 1"),
        (MANY, "", {"fractions": (1.1, -0.1, 0)}, "The fractions are 1.1, -0.1, 0; expected three that sum to 1"),
        (MANY, "", {"fractions": (0.8, 0, 0.2)}, "The fractions are 0.8, 0, 0.2; expected three that sum to 1"),
        (MANY, "", {"fractions": (float("nan"), 0.2, 0.1)}, "The fractions are nan, 0.2, 0.1; expected three"),
        (MANY, "", {"seed": -1}, "The seed is -1; choose 0 or more."),
    ],
)
def test_what_cannot_be_split(rows: str, near: str, settings, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        make_split(*made(rows, near), **settings)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith(".")


# ---------------------------------------------------------------------- saved and read back

DATASET, SEEN = made("".join(f"{n} {'ab'[n % 2]}," for n in range(20)) + "- a")
SPLIT = make_split(DATASET, SEEN, seed=3)


def test_a_split_comes_back_as_it_was(tmp_path: Path) -> None:
    SPLIT.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == SPLIT
    content = json.loads((tmp_path / "split.json").read_text())
    assert (content["format"], content["seed"], content["left_out"]) == (1, 3, [["20", "cannot be read"]])
    assert content["train"][0] == [SPLIT.train[0][0], SPLIT.train[0][0]]  # these digests are the names


def test_it_finds_its_pictures_in_another_order_too() -> None:
    turned = DATASET.select(range(20, -1, -1))
    for side, found in SPLIT.indices(turned).items():
        assert [turned.entries[index].name for index in found] == [name for name, _ in getattr(SPLIT, side)]
    assert SPLIT.indices(DATASET)["train"] == [int(name) for name, _ in SPLIT.train]


def test_pictures_that_are_gone_or_changed_are_named() -> None:
    gone = SPLIT.test[0][0]
    with pytest.raises(DataError, match=f"^1 picture of the saved split is not in made: {gone}; bring it back, or"):
        SPLIT.indices(DATASET.without([gone]))
    with pytest.raises(DataError, match=r"^20 pictures of the saved split are not in made, \d+ for one; bring them"):
        SPLIT.indices(DATASET.select([20]))
    pixels = np.random.default_rng(1).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    kept = Split((("a", digest(pixels)),), (), (), (), 0, FRACTIONS, False)
    kept.check("a", pixels)
    kept.check("b", pixels + 1)  # not in it
    with pytest.raises(DataError, match=r"^a is another picture than when the data were split; bring it back, or"):
        kept.check("a", pixels + 1)


GOOD = SPLIT.to_json()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "The split in split.json cannot be read; train anew to make another."),
        ("\ufeff{", "The split in split.json cannot be read; train anew to make another."),
        ("[" * 100_000, "The split in split.json cannot be read; train anew to make another."),
        ([], "The split is not one that this program wrote; train anew to make another."),
        (GOOD | {"format": 2}, "The split has format 2, newer than this program's 1; update cnnviz."),
        (GOOD | {"format": "1"}, "The split is not one that this program wrote"),
        ({key: value for key, value in GOOD.items() if key != "test"}, "The split is not one that this program wrote"),
        (GOOD | {"train": [["a"]]}, "The split is not one that this program wrote"),
        (GOOD | {"train": [["a", 1]]}, "The split is not one that this program wrote"),
        (GOOD | {"train": None}, "The split is not one that this program wrote"),
        (GOOD | {"fractions": [1]}, "The split is not one that this program wrote"),
        (GOOD | {"seed": None}, "The split is not one that this program wrote"),
        (GOOD | {"train": GOOD["test"]}, "The split has a picture on two sides; train anew to make another."),
    ],
)
def test_what_is_no_saved_split(tmp_path: Path, content, sentence: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DataError) as caught:
        Split.load(path)
    assert str(caught.value).startswith(sentence)


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^The split in split\.json cannot be read"):
        Split.load(tmp_path / "split.json")


def test_of_real_pictures_with_a_copy_and_a_mirror_image() -> None:
    chance = np.random.default_rng(7)
    rough = chance.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    pictures = [np.kron(one, np.ones((8, 8, 1), np.uint8)) for one in rough]
    pictures += [pictures[0][:, ::-1], pictures[1], np.clip(pictures[2].astype(int) + 9, 0, 255).astype(np.uint8)]
    entries = tuple(Entry(f"{n}", n % 2) for n in range(15))
    dataset = Dataset("real", ("a", "b"), entries, lambda index: np.ascontiguousarray(pictures[index]))
    for seed in range(10):
        sides = by_name(make_split(dataset, scan(dataset), seed=seed))
        assert [sides["0"], sides["1"], sides["2"]] == [sides["12"], sides["13"], sides["14"]]
        assert set(sides.values()) == set(SPLITS)
