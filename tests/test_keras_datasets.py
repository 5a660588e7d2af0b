"""Data sets that Keras fetches: from a folder where they lie already, and without a network a sentence."""

import gzip
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnviz.data.dataset import DataError
from cnnviz.data.sources import FETCHED
from cnnviz.networks import keras_datasets

pytestmark = pytest.mark.keras
ROOT = Path(__file__).resolve().parents[1]

# run in a process of its own, since Keras looks where its folder is when it is imported
PROGRAM = textwrap.dedent("""
    import json, sys, time
    from cnnviz.data.dataset import DataError
    from cnnviz.networks import keras_datasets

    said = []
    clothes = keras_datasets.open_dataset("fashion_mnist", lambda done, total: said.append((done, total)))
    answer = {
        "labels": clothes.labels,
        "entries": [(e.name, e.label, e.split) for e in clothes.entries],
        "pixels": clothes.pixels(5).tolist(),
        "licence": clothes.licence,
        "last": said[-1],
    }
    for name in ("mnist", "cifar10"):
        started = time.monotonic()
        try:
            keras_datasets.open_dataset(name, lambda *_: None)
        except DataError as error:
            answer[name] = str(error)
        answer[name + " seconds"] = time.monotonic() - started
    open(sys.argv[1], "w").write("no gzip")
    try:
        keras_datasets.open_dataset("fashion_mnist")
    except DataError as error:
        answer["damaged"] = str(error)
    print(json.dumps(answer))
""")


def test_the_names_are_those_that_pages_and_command_line_offer():
    assert tuple(keras_datasets._SOURCES) == FETCHED


def idx(pictures: np.ndarray[Any, Any]) -> bytes:
    """The form that the two MNIST came in: a header of 8 or 16 bytes, then the bytes."""
    return gzip.compress(bytes(16 if pictures.ndim == 3 else 8) + pictures.tobytes())


def test_from_the_folder_and_without_a_network(tmp_path: Path) -> None:
    folder = tmp_path / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    pictures = np.random.default_rng(3).integers(0, 256, (7, 28, 28), dtype=np.uint8)
    labels = np.array([9, 0, 1, 2, 3, 5, 6], np.uint8)
    for part, chosen in (("train", slice(0, 4)), ("t10k", slice(4, 7))):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(pictures[chosen]))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels[chosen]))
    with socket.socket() as closed:  # bound and not listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(folder / "train-images-idx3-ubyte.gz")],
            env={**os.environ, **proxies, "no_proxy": "", "NO_PROXY": "", "KERAS_HOME": str(tmp_path)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    answer = json.loads(done.stdout)  # nothing else is printed there
    assert "Traceback" not in done.stderr
    assert answer["labels"][0] == "T-shirt/top"
    assert answer["labels"][9] == "Ankle boot"
    assert answer["entries"] == [
        ["train 0", 9, "train"],
        ["train 1", 0, "train"],
        ["train 2", 1, "train"],
        ["train 3", 2, "train"],
        ["test 0", 3, "test"],
        ["test 1", 5, "test"],
        ["test 2", 6, "test"],
    ]
    assert answer["pixels"] == np.dstack([pictures[5]] * 3).tolist()
    assert (answer["licence"], answer["last"]) == ("MIT", [30_878_645, 30_878_645])
    for name in ("mnist", "cifar10"):
        assert answer[name].startswith(f"{name} could not be fetched")
        assert answer[name].endswith("which need no network.")
        assert answer[f"{name} seconds"] < 19
    assert "What Keras kept of fashion_mnist is damaged" in answer["damaged"]
    assert not list(tmp_path.rglob("*mnist.npz*"))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put something in the place of Keras's own way to fetch."""
    import keras

    def put(name: str, load_data: Any) -> None:
        monkeypatch.setattr(getattr(keras.datasets, name), "load_data", load_data)

    return put


def test_colors_and_labels_in_a_column(load: Any) -> None:
    rng = np.random.default_rng(1)
    train, test = (rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8).transpose(0, 2, 3, 1) for n in (3, 2))
    load("cifar10", lambda: ((train, np.uint8([[3], [0], [9]])), (test, np.uint8([[1], [1]]))))
    dataset = keras_datasets.open_dataset("cifar10")
    assert [dataset.labels[entry.label] for entry in dataset.entries] == [
        "cat", "airplane", "truck", "automobile", "automobile",
    ]  # fmt: skip
    assert all((dataset.pixels(n) == (train[n] if n < 3 else test[n - 3])).all() for n in range(5))
    assert dataset.pixels(4).flags.c_contiguous


GREY = np.zeros((2, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("imagenet", None, "'imagenet' here; choose mnist, fashion_mnist, cifar10"),
        ("mnist", Exception("URL fetch failure on https://x -- None -- [Errno -2]"), "could not be fetched"),
        ("mnist", TimeoutError("timed out"), "could not be fetched"),
        ("mnist", ConnectionResetError(), "could not be fetched"),
        ("mnist", OSError(28, "No space left on device"), "could not be fetched"),
        ("mnist", ValueError("Incomplete or corrupted file detected."), "is damaged; delete it"),
        ("mnist", gzip.BadGzipFile("Not a gzipped file"), "is damaged; delete it"),
        ("mnist", EOFError(), "is damaged; delete it"),
        ("mnist", ((GREY, np.uint8([1, 10])), (GREY, np.uint8([1, 1]))), "is damaged; delete it"),
        ("mnist", ((GREY, np.uint8([1])), (GREY, np.uint8([1, 1]))), "is damaged; delete it"),
        ("mnist", ((GREY / 255, np.uint8([1, 1])), (GREY, np.uint8([1, 1]))), "is damaged; delete it"),
    ],
)
def test_every_fault_gets_one_sentence(load: Any, name: str, answer: Any, words: str) -> None:
    def load_data() -> Any:
        print("Downloading data from https://somewhere")
        if isinstance(answer, Exception):
            raise answer
        return answer

    load("mnist", load_data)
    before = socket.getdefaulttimeout()
    with pytest.raises(DataError, match=words) as caught:
        keras_datasets.open_dataset(name)
    assert socket.getdefaulttimeout() == before
    assert "\n" not in str(caught.value)
    assert "https" not in str(caught.value)


def test_progress_tells_what_has_come(load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras_datasets, "_SECONDS_BETWEEN", 0.01)
    said: list[tuple[int, int]] = []
    seen = threading.Event()

    def progress(done: int, total: int) -> None:
        said.append((done, total))
        if done:
            seen.set()

    def load_data() -> Any:
        (tmp_path / "datasets").mkdir()
        (tmp_path / "datasets" / "mnist.npz").write_bytes(bytes(1000))
        assert seen.wait(20)
        return (GREY, np.uint8([1, 2])), (GREY, np.uint8([0, 9]))

    load("mnist", load_data)
    threads = threading.active_count()
    dataset = keras_datasets.open_dataset("mnist", progress)
    assert (len(dataset), dataset.labels) == (4, tuple("0123456789"))
    assert (1000, 11_490_434) in said
    assert said[-1] == (11_490_434, 11_490_434)
    number = len(said)
    time.sleep(0.05)
    assert (len(said), threading.active_count()) == (number, threads)
