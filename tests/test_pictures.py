"""A user's own pictures in a run's directory: stored in blocks, read one at a time, forgotten without the run."""

import json
import os
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnviz.data.dataset import DataError, Dataset, Entry
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.data.split import Split
from cnnviz.images import ImageError
from cnnviz.training import pictures, snapshots
from cnnviz.training.config import TrainingConfig
from cnnviz.training.record import Run, create

SEEN = Preprocessing(8, 6)
LABELS = ("cats", "dogs")


def photos(number: int, side: int = 20) -> Dataset:
    """Pictures of one level each, its index."""
    entries = tuple(Entry(f"{LABELS[index % 2]}/{index}.png", index % 2) for index in range(number))
    return Dataset("pets", LABELS, entries, lambda index: np.full((side, side, 3), index % 256, np.uint8))


def split(dataset: Dataset, left_out: int = 0) -> Split:
    """The first half to learn from, then a quarter each; the last ones are on no side."""
    files = tuple((entry.name, "0" * 32) for entry in dataset.entries[: len(dataset) - left_out])
    half = len(files) // 2
    sides = files[:half], files[half : half + half // 2], files[half + half // 2 :]
    return Split(*sides, left_out=(), seed=1, fractions=(0.5, 0.25, 0.25), given=False)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create(tmp_path, TrainingConfig(""), "a" * 32)


@pytest.mark.parametrize("color", ["rgb", "grey"])
@pytest.mark.parametrize(("number", "block"), [(11, 10**9), (11, 1), (11, 3 * 144), (12, 3 * 144), (0, 1)])
def test_what_was_stored_is_read_again_picture_by_picture(run, monkeypatch, color, number, block):
    monkeypatch.setattr(pictures, "BLOCK", block)
    seen, said = replace(SEEN, color=color), []
    dataset = photos(number + 2)
    pictures.store(run, dataset, seen, split(dataset, 2), lambda *done: said.append(done))
    assert pictures.count(run) == number
    assert pictures.size(run) == pictures.size_of(number, seen) + 128  # the file's header
    again = pictures.stored(run)
    assert (again.name, again.labels, again.entries) == ("pets", LABELS, dataset.entries[:number])
    for index in range(number):
        assert again.pixels(index).shape == (8, 6, 3)
        assert (again.pixels(index) == index).all()
    assert said[-1:] == [(number, number)] * bool(number)
    assert not list(run.path.glob(".*"))


def test_neither_storing_nor_reading_holds_all_pictures(run, monkeypatch):
    monkeypatch.setattr(pictures, "BLOCK", 4_000_000)
    seen, dataset = Preprocessing(128, 128), photos(600, 128)  # 29 MB
    tracemalloc.start()
    pictures.store(run, dataset, seen, split(dataset))
    stored = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    again = pictures.stored(run)
    assert (again.pixels(599) == 599 % 256).all()
    _, looked = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stored < 1.5 * pictures.BLOCK
    assert looked < 1_000_000


def refuse_after(number: int, error: Exception):
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) > number:
            raise error

    return check


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("too much")])
def test_what_may_not_be_written_to_its_end_leaves_nothing(run, monkeypatch, error):
    monkeypatch.setattr(pictures, "BLOCK", 3 * 144)
    before, dataset = sorted(run.path.iterdir()), photos(12)
    with pytest.raises(type(error)):
        pictures.store(run, dataset, SEEN, split(dataset), check=refuse_after(2, error))
    assert sorted(run.path.iterdir()) == before

    def unreadable(_: int) -> np.ndarray:
        raise ImageError("This is no picture.")

    with pytest.raises(ImageError):
        pictures.store(run, replace(dataset, pixels=unreadable), SEEN, split(dataset))
    assert sorted(run.path.iterdir()) == before
    assert not pictures.has(run)


def as_older_programs_did(run: Run, number: int = 5) -> None:
    arrays = {"pictures": np.arange(number * 48, dtype=np.uint8).reshape(number, 4, 4, 3)}
    arrays |= {"truth": np.arange(number) % 2, "names": np.array([f"{index}.png" for index in range(number)])}
    np.savez(run.path / "pictures.npz", labels=np.array(LABELS), name=np.array("pets"), **arrays)


def test_runs_of_older_programs_are_read(run):
    as_older_programs_did(run)
    assert pictures.count(run) == 5
    assert pictures.size(run) > 5 * 48
    dataset = pictures.stored(run)
    assert (dataset.name, dataset.labels) == ("pets", LABELS)
    assert dataset.entries[3] == Entry("3.png", 1)
    assert dataset.pixels(1).ravel().tolist() == list(range(48, 96))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda run: (run.path / "pictures.npy").unlink(), "are gone"),
        (lambda run: (run.path / "pictures.json").unlink(), "cannot be read"),
        (lambda run: (run.path / "pictures.json").write_text("[]"), "cannot be read"),
        (lambda run: (run.path / "pictures.json").write_text("{"), "cannot be read"),
        (lambda run: (run.path / "pictures.npy").write_bytes(b""), "cannot be read"),
        (lambda run: (run.path / "pictures.npy").write_bytes(b"\x93NUMPY" + bytes(200)), "cannot be read"),
        (lambda run: np.save(run.path / "pictures.npy", np.zeros((12, 8, 6, 3))), "cannot be read"),
        (lambda run: np.save(run.path / "pictures.npy", np.zeros((11, 8, 6, 3), np.uint8)), "cannot be read"),
        (lambda run: cut(run.path / "pictures.npy"), "cannot be read"),
        (lambda run: changed(run, format=2), "newer than this program's"),
        (lambda run: changed(run, truth=[7] * 12), "cannot be read"),
        (lambda run: changed(run, names=["one"]), "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(run, harm, sentence):
    dataset = photos(12)
    pictures.store(run, dataset, SEEN, split(dataset))
    harm(run)
    with pytest.raises(DataError, match=sentence):
        pictures.stored(run)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def changed(run: Run, **values: object) -> None:
    path = run.path / "pictures.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def snapshot(run: Run, epoch: int) -> None:
    np.savez_compressed(
        run.snapshots / f"{epoch:05d}.npz",
        picture=np.ones((8, 6, 3), np.uint8),
        names=np.array(["conv2d"]),
        maps_0=np.ones((8, 6, 4), np.float16),
        kernels=np.ones((3, 3, 3, 4), np.float32),
        confusion=np.eye(2, dtype=np.int64),
    )


@pytest.mark.parametrize("old", [False, True])
def test_forgetting_takes_the_pictures_and_what_shows_them_and_nothing_else(run, old):
    dataset = photos(12)
    as_older_programs_did(run) if old else pictures.store(run, dataset, SEEN, split(dataset))
    split(dataset).save(run.path / "split.json")
    for name in ("model.keras", "last.keras", "card.json", "events.jsonl", "answers.npz", "progress.json"):
        (run.path / name).write_bytes(b"whatever")
    for epoch in range(3):
        snapshot(run, epoch)
    (run.snapshots / "00003.npz").write_bytes(b"half of on")
    before = {path.name for path in run.path.iterdir()}
    pictures.forget(run)
    gone = {"pictures.npz"} if old else {"pictures.npy", "pictures.json"}
    assert before - {path.name for path in run.path.iterdir()} == gone
    assert snapshots.epochs(run.snapshots) == [0, 1, 2]
    for epoch in range(3):
        assert set(snapshots.read(run.snapshots, epoch)) == {"kernels", "confusion"}
    assert not list(run.snapshots.glob(".*"))
    with pytest.raises(DataError, match="they stay for 7 days"):
        pictures.stored(run)
    pictures.forget(run)  # once more does no harm


@pytest.mark.parametrize(
    ("written", "gone"),
    [
        (".pictures.npy", "the server was ended while it stored them"),
        ("pictures.json", "and between the two files"),
        ("snapshots/.new.npz", "and while a snapshot was written anew"),
    ],
)
def test_halves_that_an_ended_server_left_are_found_and_forgotten_as_well(run, written, gone):
    pictures.store(run, photos(12), SEEN, split(photos(12)))
    if "snapshots" not in written:
        for name in {"pictures.npy", "pictures.json"} - {written}:
            (run.path / name).unlink()
    (run.path / written).write_bytes(b"half a picture")
    os.utime(run.path / written, (1000, 1000))
    assert pictures.age(run, 1060 if "snapshots" not in written else time.time() + 60) >= 60, gone
    pictures.forget(run)
    assert not (run.path / written).exists()
    assert pictures.age(run, 2000) == 0
