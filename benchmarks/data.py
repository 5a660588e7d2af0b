"""Pictures a second of reading, hashing and preprocessing, against bare cv2.imdecode of the same files."""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cnnviz import samples
from cnnviz.data.dataset import Dataset
from cnnviz.data.fingerprints import fingerprint, near_copies, scan
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.data.sources import open_dataset

SIZES = {"640 × 480": (480, 640, 120), "32 × 32": (32, 32, 1200)}  # rows, columns, files
ROUNDS = 5
PILE = 20_000  # pictures among which near-copies are looked for


def main(as_json: bool = False) -> None:
    """Print a line for each step: pictures a second, median of ROUNDS, and its time in times of the floor's."""
    rows = []
    for size, (height, width, number) in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), height, width, number)
            rows += [(size, *row) for row in _measure(open_dataset(folder))]
    rows.append(("hashes", f"near-copies among {PILE:,}", PILE / _pile(), None))
    for size, step, rate, times in rows:
        if as_json:
            values = {"measure": "data", "size": size, "step": step, "pictures_per_second": rate, "times_floor": times}
            print(json.dumps(values, ensure_ascii=False))
        else:
            print(f"{size:>9}  {step:36}{rate:>9,.0f} pictures/s{'' if times is None else f'{times:7.2f} × floor'}")


def _write(folder: Path, height: int, width: int, number: int) -> None:
    """JPEGs of two classes: windows of the sample photos, no two alike."""
    chance = np.random.default_rng(0)
    photos = [samples.photo(sample.key).pixels for sample in samples.samples() if sample.file.endswith(".jpg")]
    for index in range(number):
        photo = photos[index % len(photos)]
        rows, columns = (int(side * chance.uniform(0.5, 0.9)) for side in photo.shape[:2])
        top, left = chance.integers(0, photo.shape[0] - rows), chance.integers(0, photo.shape[1] - columns)
        window = cv2.resize(photo[top : top + rows, left : left + columns], (width, height))
        path = folder / "ab"[index % 2] / f"{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cv2.imencode(".jpg", window[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())


def _measure(dataset: Dataset) -> list[tuple[str, float, float]]:
    everything = range(len(dataset))
    assert dataset.data is not None
    files = [np.frombuffer(dataset.data(index), np.uint8) for index in everything]
    pictures = [dataset.pixels(index) for index in everything]
    preprocessing = Preprocessing(64, 64)
    steps: dict[str, Callable[[], Any]] = {
        "floor: cv2.imdecode, 1 thread": lambda: [cv2.imdecode(file, cv2.IMREAD_COLOR) for file in files],
        "reading and checking, 1 thread": lambda: [dataset.pixels(index) for index in everything],
        "hashing, 1 thread": lambda: [fingerprint(picture) for picture in pictures],
        "preprocessing to 64 × 64, 1 thread": lambda: [preprocessing.picture(picture) for picture in pictures],
        "scan: reading and hashing, 2 threads": partial(scan, dataset),
    }
    took: dict[str, list[float]] = {step: [] for step in steps}
    for _ in range(ROUNDS):  # in turns, so that the machine's other work hits all alike
        for step, act in steps.items():
            started = time.perf_counter()
            act()
            took[step].append(time.perf_counter() - started)
    floor = statistics.median(took["floor: cv2.imdecode, 1 thread"])
    medians = {step: statistics.median(times) for step, times in took.items()}
    return [(step, len(dataset) / seconds, seconds / floor) for step, seconds in medians.items()]


def _pile() -> float:
    """Seconds to look for near-copies in a pile of noise, of which no two are alike."""
    chance = np.random.default_rng(0)
    coarse = chance.integers(0, 256, (PILE, 8, 8, 3), dtype=np.uint8)
    prints = [fingerprint(cv2.resize(one, (32, 32), interpolation=cv2.INTER_CUBIC)) for one in coarse]
    started = time.perf_counter()
    near_copies(prints)
    return time.perf_counter() - started


if __name__ == "__main__":
    main("--json" in sys.argv[1:])
