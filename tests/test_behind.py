"""The pictures behind a confusion matrix: which are kept, that they are small and few, and that they come back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnviz import layers
from cnnviz.data.dataset import DataError, Dataset, Entry
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.data.split import Split
from cnnviz.layer_kinds import Conv2D, Dense, GlobalAveragePooling2D, Softmax
from cnnviz.training import behind, record
from cnnviz.training.config import TrainingConfig
from cnnviz.training.prepare import Part, Prepared
from cnnviz.training.record import Run

# truth and the network's answers, by hand: cells (0, 0): rows 0 and 3; (0, 1): rows 1 and 4; (1, 1): rows 2 and 5
TRUTH = np.array([0, 0, 1, 0, 0, 1])
SURE = ((0.6, 0.4), (0.1, 0.9), (0.3, 0.7), (0.8, 0.2), (0.4, 0.6), (0.05, 0.95))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return record.create(tmp_path, TrainingConfig("mnist"), "0" * 32)


@pytest.mark.parametrize(("true", "said", "rows"), [(0, 0, [3, 0]), (0, 1, [1, 4]), (1, 1, [5, 2]), (1, 0, [])])
def test_the_rows_of_a_cell_come_surest_first(true: int, said: int, rows: list[int]):
    assert behind.cell(np.array(SURE, np.float32), TRUTH, true, said).tolist() == rows


@pytest.mark.parametrize(
    ("of_a_cell", "most", "rows"),
    [(24, 2000, [3, 1, 5, 0, 4, 2]), (1, 2000, [3, 1, 5]), (24, 4, [3, 1, 5, 0]), (24, 2, [3, 1]), (0, 9, [])],
)
def test_the_surest_of_every_cell_are_kept_in_turn(of_a_cell: int, most: int, rows: list[int]):
    assert behind.chosen(SURE, TRUTH, of_a_cell, most) == rows


@pytest.mark.parametrize(
    ("shape", "kept"), [((8, 8, 1), (8, 8, 1)), ((96, 48, 3), (64, 32, 3)), ((90, 90, 1), (64, 64, 1))]
)
def test_pictures_come_back_small_and_in_the_order_asked_for(run: Run, shape, kept):
    pictures = np.repeat(np.arange(6, dtype=np.uint8), int(np.prod(shape))).reshape(6, *shape)
    behind.store(run, pictures, SURE, TRUTH)
    found = behind.read(run, np.array([4, 99, 5, 0]))
    assert [one.shape for one in found] == [kept] * 3
    assert [int(one.max()) for one in found] == [4, 5, 0], "a row that was not kept is passed over"
    assert sorted(path.name for path in run.path.glob("*behind*")) == ["behind.npz"]


def test_the_file_is_bounded(run: Run):
    noise = np.random.default_rng(1)
    truth = noise.integers(0, 10, 6000)  # about 60 pictures behind each of 100 cells
    answers = noise.random((6000, 10), np.float32)
    pictures = noise.integers(0, 255, (6000, 8, 8, 3), np.uint8)
    behind.store(run, pictures, answers, truth)
    with np.load(run.path / behind.FILE) as saved:
        assert len(saved["rows"]) == len(set(saved["rows"].tolist())) == behind.MOST


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4 broken"])
def test_where_none_were_kept_a_sentence_says_so(run: Run, content: bytes | None):
    if content is not None:
        (run.path / behind.FILE).write_bytes(content)
    with pytest.raises(DataError, match="train it again"):
        behind.read(run, np.array([0]))


@pytest.mark.parametrize("damaged", [b"", b"PK\3\4 broken", "in the middle", None])
def test_answers_come_back_or_a_sentence_says_that_they_are_gone(run: Run, damaged: Any):
    answers, truth = np.random.default_rng(3).random((500, 4), np.float32), np.arange(500) % 4
    behind.store_answers(run, answers, truth)
    found = behind.read_answers(run)
    assert (found[0] == answers).all()
    assert (found[1] == truth).all()
    assert [path.name for path in run.path.glob("*answers*")] == ["answers.npz"]
    path = run.path / "answers.npz"
    whole = path.read_bytes()
    if damaged is None:
        path.unlink()
    else:
        path.write_bytes(whole[:900] + b"?" * 200 + whole[1100:] if damaged == "in the middle" else damaged)
    with pytest.raises(DataError, match="train it again"):
        behind.read_answers(run)


@pytest.mark.keras
@pytest.mark.parametrize(("data", "kept"), [("mnist", True), ("drawn-shapes", False)])
def test_scoring_keeps_them_only_where_the_data_must_be_fetched(tmp_path: Path, data: str, kept: bool):
    keras = pytest.importorskip("keras")
    from cnnviz.training import scoring  # noqa: PLC0415 - imports keras

    network = layers.to_json((Conv2D(2, 3), GlobalAveragePooling2D(), Dense(2), Softmax()))
    config = TrainingConfig(data, network, preprocessing=Preprocessing(8, 8))
    run = record.create(tmp_path, config, "0" * 32)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    model.save(run.network)
    random = np.random.default_rng(1)
    pictures, truth = random.integers(0, 255, (12, 8, 8, 3), np.uint8), np.arange(12) % 2
    part = Part(pictures, truth, tuple(map(str, range(12))))
    dataset = Dataset("made up", ("a", "b"), (Entry("0", 0), Entry("1", 1)), lambda _: pictures[0])
    split = Split((), (), (), (), 1, (0.7, 0.2, 0.1), given=False)
    prepared = Prepared(dataset, {"train": part, "validation": part, "test": part}, split)
    scoring.finish(run, config, prepared, "a test", "CPU", lambda *_: None)
    assert (run.path / behind.FILE).exists() == kept
    if kept:
        found = behind.read(run, np.array([5, 3]))
        assert [one.tolist() for one in found] == [pictures[5].tolist(), pictures[3].tolist()]
