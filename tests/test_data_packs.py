"""The cleaning reports of the data packs agree with their READMEs; docs/data.md explains where they say more."""

from collections import Counter

import numpy as np
import packs
import pytest

from cnnviz.data import cleaning
from cnnviz.data.dataset import Dataset, Entry
from cnnviz.data.fingerprints import scan
from cnnviz.data.sources import open_dataset
from cnnviz.data.split import make_split

pytestmark = [
    pytest.mark.packs,
    pytest.mark.skipif(not packs.PACKS.is_dir(), reason="the data packs do not lie in ../shared/data"),
]


def groups(report: cleaning.Report, kind: str) -> int:
    finding = report.find(kind)
    return 0 if finding is None else len(finding.groups)


def test_fer2013_holds_the_copies_that_its_readme_counts() -> None:
    loaded = packs.loader().fer2013()
    parts = {"train": "train", "public": "validation", "private": "test"}
    faces = np.concatenate([loaded[part]["images"] for part in parts])
    truth = np.concatenate([loaded[part]["labels"] for part in parts])
    splits = [split for part, split in parts.items() for _ in loaded[part]["labels"]]
    entries = tuple(
        Entry(f"row {n}", int(label), split) for n, (label, split) in enumerate(zip(truth, splits, strict=True))
    )
    labels = tuple(packs.loader().FER_CLASSES)
    dataset = Dataset("fer2013", labels, entries, lambda index: np.repeat(faces[index][..., np.newaxis], 3, axis=2))
    seen = scan(dataset)
    report = cleaning.report(dataset, seen)

    exact = report.find("exact-copies")
    assert exact is not None
    assert exact.sentence == "1,516 groups of exact copies, 1,853 pictures more than needed."
    across = report.find("across-splits")
    assert across is not None
    assert "288 test pictures and 280 validation pictures have a copy in training." in across.sentence
    assert (groups(report, "two-labels"), groups(report, "constant")) == (57, 12)

    # the pack's own marks name the same copies
    marks = np.concatenate([loaded[part]["dup_of"] for part in parts])
    ours = {name: group[0] for group in exact.groups for name in group[1:]}
    assert ours == {f"row {n}": f"row {first}" for n, first in enumerate(marks) if first not in (-1, n)}

    # near-copies go beyond the README; see docs/data.md
    assert 1_700 <= groups(report, "near-copies") <= 1_850
    assert 750 <= groups(report, "near-across-splits") <= 850

    split = make_split(dataset, seen)
    test = {f"row {n}" for n, part in enumerate(splits) if part == "test"}
    assert {name for name, _ in split.test} == test
    assert not {digest for _, digest in split.train} & {digest for _, digest in (*split.test, *split.validation)}
    assert set(Counter(why for _, why in split.left_out)) == {
        "copy of a test picture",
        "copy of a validation picture",
        "stands under another label, too",
    }


@pytest.mark.parametrize(("pack", "near"), [("catsdogs", 2), ("happysad", 0)])
def test_photos_without_exact_copies(pack: str, near: int) -> None:
    path = packs.PACKS / pack
    dataset = open_dataset(path / "catsdogs_max200.zip" if pack == "catsdogs" else path)
    report = cleaning.report(dataset, scan(dataset), min_bytes=0)
    assert {kind: groups(report, kind) for kind in ("unreadable", "wrong-name", "exact-copies", "near-copies")} == {
        "unreadable": 0,
        "wrong-name": 0,
        "exact-copies": 0,
        "near-copies": near,
    }
