"""tools/packs.py writes what a user would have, and the program reads it without knowing that it is a pack."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import packs
import pytest
from PIL import Image

from cnnviz.data.sources import open_dataset

pytestmark = [
    pytest.mark.packs,
    pytest.mark.skipif(not packs.PACKS.is_dir(), reason="the data packs do not lie in ../shared/data"),
]
ROOT = Path(__file__).resolve().parents[1]
FER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def test_fer2013(tmp_path: Path) -> None:
    packs.write("fer2013", tmp_path / "fer2013.csv", 40)
    dataset = open_dataset(tmp_path / "fer2013.csv")
    assert dataset.labels == FER
    assert Counter(entry.split for entry in dataset.entries) == {"train": 40, "validation": 40, "test": 40}
    pack = packs.loader().fer2013()
    for first, part in ((0, "train"), (40, "public"), (80, "private")):
        assert [dataset.entries[first + n].label for n in range(40)] == pack[part]["labels"][:40].tolist()
        for number in (0, 17, 39):
            assert (dataset.pixels(first + number)[..., 2] == pack[part]["images"][number]).all()


def test_fashion_mnist(tmp_path: Path) -> None:
    packs.write("fashion_mnist", tmp_path / "clothes.zip", 60)
    dataset = open_dataset(tmp_path / "clothes.zip")
    assert len(dataset.labels) == 10
    assert Counter(entry.split for entry in dataset.entries) == {"train": 60, "test": 60}
    loaded = packs.loader()
    pack, classes = loaded.fashion_mnist(), loaded.FASHION_CLASSES
    for index in (0, 50, 119):
        split, label, name = dataset.entries[index].name.split("/")
        pictures, labels = pack[split]
        assert classes[labels[int(name[:5])]] == label == dataset.labels[dataset.entries[index].label]
        assert (dataset.pixels(index)[..., 1] == pictures[int(name[:5])]).all()


@pytest.mark.parametrize(
    ("pack", "labels", "splits"),
    [
        ("catsdogs", ("cats", "dogs"), {"train": 20, "test": 20}),
        ("happysad", ("happy", "sad"), {"": 20}),
    ],
)
def test_photos_come_byte_for_byte(tmp_path: Path, pack: str, labels: tuple[str, ...], splits: dict[str, int]) -> None:
    packs.write(pack, tmp_path / "photos.zip", 10)
    dataset = open_dataset(tmp_path / "photos.zip")
    assert (dataset.labels, dataset.passed_over) == (labels, ())
    assert Counter(entry.split for entry in dataset.entries) == splits
    assert dataset.data is not None
    if pack == "happysad":
        assert dataset.data(13) == (packs.PACKS / "happysad" / dataset.entries[13].name).read_bytes()
    else:
        with zipfile.ZipFile(packs.PACKS / "catsdogs" / "catsdogs_max200.zip") as source:
            assert dataset.data(13) == source.read(dataset.entries[13].name)
    with Image.open(io.BytesIO(dataset.data(13))) as photo:
        assert np.abs(dataset.pixels(13).astype(int) - np.asarray(photo.convert("RGB"))).max() <= 2


def test_a_whole_zip_is_copied_as_it_is_and_a_folder_read_as_it_lies(tmp_path: Path) -> None:
    packs.write("catsdogs", tmp_path / "all.zip")
    source = packs.PACKS / "catsdogs" / "catsdogs_max200.zip"
    assert hashlib.sha256((tmp_path / "all.zip").read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()
    dataset = open_dataset(tmp_path / "all.zip")
    assert Counter((e.split, dataset.labels[e.label]) for e in dataset.entries) == {
        (split, label): 1000 for split in ("train", "test") for label in ("cats", "dogs")
    }
    folder = open_dataset(packs.PACKS / "happysad")
    assert Counter(folder.labels[entry.label] for entry in folder.entries) == {"happy": 220, "sad": 137}


def test_cifar10_in_small_keeps_folders_and_bytes(tmp_path: Path) -> None:
    packs.write("cifar10", tmp_path / "c.zip", 3)
    dataset = open_dataset(tmp_path / "c.zip")
    assert Counter((e.split, e.label) for e in dataset.entries) == {
        (split, label): 3 for split in ("train", "test") for label in range(10)
    }
    assert dataset.labels[:2] == ("airplane", "automobile")
    assert dataset.pixels(59).shape == (32, 32, 3)


def test_the_command_line_writes_all_or_nothing(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "tools" / "packs.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert run("happysad", "pets.zip", "--at-most", "2").returncode == 0
    assert os.listdir(tmp_path) == ["pets.zip"]
    failed = run("happysad", "nowhere/pets.zip")
    assert (failed.returncode, failed.stderr.count("\n"), "Traceback" in failed.stderr) == (1, 1, False)
    assert run("another", "pets.zip").returncode == 2
    assert os.listdir(tmp_path) == ["pets.zip"]


def test_a_fault_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.zip").write_bytes(b"old")

    def fails(file: io.BytesIO, _: int | None) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setitem(packs.WRITERS, "cifar10", fails)
    with pytest.raises(OSError, match="disk full"):
        packs.write("cifar10", tmp_path / "c.zip")
    assert os.listdir(tmp_path) == ["c.zip"]
    assert (tmp_path / "c.zip").read_bytes() == b"old"
