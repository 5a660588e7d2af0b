"""Answers of a network: against bare predict_on_batch, through the engine, from files to rows; what memory it takes."""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

NETWORKS = ("objects", "cats-dogs")
ROUNDS, WARM = 60, 3
FILES, LARGE, DIFFERENT, SETTLED = 200, 5, 1000, 200  # photos
RUNS = 3


def measure() -> Iterator[dict[str, Any]]:
    """The fields of each line of the table."""
    yield from _against_bare()
    yield from _through_engine()


def _against_bare() -> Iterator[dict[str, Any]]:
    """classifier.answers and predict_on_batch on the same batch in one process, taking turns."""
    from cnnviz.networks import classifier  # noqa: PLC0415

    random = np.random.default_rng(0)
    for name in NETWORKS:
        folder = ROOT / "models" / name
        model, card = classifier.load(folder)
        for count in (1, 16, 64):
            took: dict[str, list[float]] = {"ours": [], "floor": []}
            for number in range(ROUNDS + WARM):
                pictures = random.integers(0, 256, (count, *card.preprocessing.shape), dtype=np.uint8)
                ready = card.preprocessing.scaled(pictures)
                calls: dict[str, Callable[[], Any]] = {
                    "ours": lambda folder=folder, pictures=pictures: classifier.answers(folder, pictures),
                    "floor": lambda model=model, ready=ready: model.predict_on_batch(ready),
                }
                for who in sorted(calls, reverse=number % 2 == 0):
                    started = time.perf_counter()
                    calls[who]()
                    took[who].append((time.perf_counter() - started) * 1000 / count)
            what = f"{name}: a picture, {count} at once, against predict_on_batch"
            yield {"what": what, "unit": "ms", "ours": took["ours"][WARM:], "floor": took["floor"][WARM:], "goal": 1.5}


def _through_engine() -> Iterator[dict[str, Any]]:
    from cnnviz import engine, images, many, samples  # noqa: PLC0415
    from cnnviz.cards import read_card  # noqa: PLC0415

    folder = ROOT / "models" / "objects"
    card = read_card(folder / "card.json")
    answer = many.through_engine(folder, "bench/photos")
    photos = [samples.photo(one.key).pixels for one in samples.samples() if one.file.endswith(".jpg")]

    started = time.perf_counter()
    engine.start()
    answer(np.zeros((1, *card.preprocessing.shape), np.uint8))
    yield {"what": "the engine's start, to the first answer", "unit": "s", "ours": [time.perf_counter() - started]}
    answer(np.zeros((2, *card.preprocessing.shape), np.uint8))

    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer(np.zeros((1, *card.preprocessing.shape), np.uint8))
        took.append((time.perf_counter() - started) * 1000)
    yield {"what": "one picture there and back through the engine", "unit": "ms", "ours": took}

    files = [(f"{n}.jpg", _jpeg(photos[n % len(photos)], 640, n)) for n in range(FILES)]
    took, first = [], []
    for _ in range(RUNS):
        started = time.perf_counter()
        rows = many.classify_many(files, card, answer)
        next(rows)
        first.append(time.perf_counter() - started)
        assert all(row.scores for row in rows)
        took.append((time.perf_counter() - started) * 1000 / FILES)
    what = f"{FILES} photos of 640 px, from files to rows, each"
    yield {"what": what, "unit": "ms", "ours": took, "goal": 25, "more": {"to the first row, s": first}}

    took = []
    for number in range(LARGE):
        data = _jpeg(photos[number % len(photos)], 4000, number)
        started = time.perf_counter()
        answer(card.preprocessing.picture(images.decode(data).pixels)[None])
        took.append(time.perf_counter() - started)
    what = "a photo of 12 megapixels, from bytes to answer"
    yield {"what": what, "unit": "s", "ours": took, "goal": 1.5}

    me = psutil.Process()
    its = next(one for one in me.children() if "popen_loky" in " ".join(one.cmdline()))
    different = ((f"{n}.jpg", _jpeg(photos[n % len(photos)], 320, n)) for n in range(SETTLED + DIFFERENT))
    rows = many.classify_many(different, card, answer)
    sum(1 for _ in islice(rows, SETTLED))
    before = {who: who.memory_info().rss for who in (me, its)}
    assert sum(1 for row in rows if row.scores) == DIFFERENT
    for who, words in ((me, "here"), (its, "in the engine")):
        added = (who.memory_info().rss - before[who]) / 1e6
        yield {"what": f"memory that {DIFFERENT} photos add {words}", "unit": "MB", "ours": [added], "goal": 20}


def _jpeg(pixels: Any, side: int, number: int) -> bytes:
    """A file of this picture, its longer side `side`, 4 : 3, no two alike."""
    picture = Image.fromarray(pixels).resize((side, side * 3 // 4))
    picture.putpixel((number % side, number // side), (number % 256, 0, 255))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=88)
    return file.getvalue()


def main() -> None:
    """The lines of this measure, without the table."""
    for line in measure():
        ours, floor = np.median(line["ours"]), np.median(line.get("floor") or [np.nan])
        print(f"{line['what']:70} {ours:9.2f} {line['unit']}  floor {floor:8.2f}  ratio {ours / floor:5.2f}")


if __name__ == "__main__":
    main()
