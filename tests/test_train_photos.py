"""Own photos on their way into a run: refused by their number and size before one of them is opened."""

import io
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz.images import Pixels
from cnnviz.training import pictures
from cnnviz.training.bounds import Bounds, QueueError
from cnnviz.training.config import TrainingConfig
from cnnviz.training.queue import Queue
from cnnviz.training.record import Run, runs
from cnnviz.ui import runs as served
from cnnviz.ui import train_photos
from cnnviz.ui.uploads import Upload, UploadStore

CONFIG = TrainingConfig("")  # 32 × 32 × 3


def photo(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 255, (40, 50, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def upload(monkeypatch) -> Upload:
    """24 photos, one of them broken, looked through."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(24):
            kind = ("cats", "dogs")[number % 2]
            archive.writestr(f"{kind}/{number}.png", b"no picture" if number == 7 else photo(number))
    monkeypatch.setattr(train_photos, "ZIPS", UploadStore())
    found = train_photos.ZIPS.take("a", "pets.zip", file.getvalue())
    while found.busy:
        time.sleep(0.01)
    assert not found.problem
    return found


@pytest.fixture
def line(tmp_path: Path, monkeypatch) -> Queue:
    """A queue that starts nothing."""
    monkeypatch.setenv("CNNVIZ_RUNS", str(tmp_path))
    monkeypatch.setattr(Queue, "_start_next", lambda _: None)
    made = Queue(tmp_path, bounds=Bounds(room=0))
    monkeypatch.setattr(served, "_queue", made)
    yield made
    made.close()


def submit(line: Queue) -> Run:
    return line.submit(CONFIG, "a", train_photos.store("a", CONFIG, lambda *_: None))


@pytest.mark.usefixtures("upload")
def test_photos_are_stored_at_input_size_with_their_names(line):
    run = submit(line)
    dataset = pictures.stored(run)
    assert len(dataset) == pictures.count(run) == 23  # the broken one is left out
    assert {entry.name for entry in dataset.entries} == {f"{('cats', 'dogs')[n % 2]}/{n}.png" for n in range(24)} - {
        "dogs/7.png"
    }
    assert dataset.pixels(0).shape == (32, 32, 3)
    assert run.state().extra["data"] == "pets"


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        (Bounds(pictures=22, room=0), "23 pictures"),
        (Bounds(photos=23 * 32 * 32 * 3 - 1, room=0), "of pictures that are allowed"),
        (Bounds(room=10**18), "must stay free"),
    ],
)
def test_too_much_is_refused_before_a_photo_is_opened(line, upload, bounds, sentence):
    def opened(_: int) -> Pixels:
        raise AssertionError("a photo was opened")

    line.bounds = bounds
    upload.dataset = replace(upload.dataset, pixels=opened)
    with pytest.raises(QueueError, match=sentence):
        submit(line)
    assert list(runs(line.root)) == []


@pytest.mark.usefixtures("upload")
def test_a_disk_that_fills_up_meanwhile_ends_the_writing(line, monkeypatch):
    monkeypatch.setattr(pictures, "BLOCK", 5 * 32 * 32 * 3)
    write, blocks = train_photos.store("a", CONFIG, lambda *_: None), []

    def free(*_: object) -> None:
        blocks.append(1)
        if len(blocks) == 3:
            raise QueueError("The disk has 0 MB left.")

    monkeypatch.setattr(Bounds, "free", free)
    with pytest.raises(QueueError, match="0 MB left"):
        line.submit(CONFIG, "a", write)
    assert list(runs(line.root)) == []
