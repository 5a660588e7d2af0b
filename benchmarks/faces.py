"""Photos with faces: found and answered by ours, against a plain loop of OpenCV's Haar cascade and model.predict."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

PHOTOS, WARM, SIDE, SLOWEST = 40, 4, 640, 5


def measure() -> Iterator[dict[str, Any]]:
    """The fields of each line of the table. Ours and the floor take turns on the same files of 640 pixels."""
    import evaluate_faces  # noqa: PLC0415 - of tools/

    from cnnviz import engine, many  # noqa: PLC0415
    from cnnviz.cards import read_card  # noqa: PLC0415
    from cnnviz.networks import faces, fitting  # noqa: PLC0415

    for name, photo in (("40 faces", _class_photo()), ("noise", _noise())):
        faces.find(photo)
        times = []
        for _ in range(SLOWEST):
            started = time.process_time()  # of all threads: what it takes on an idle machine, at most
            faces.find(photo)
            times.append((time.process_time() - started) * 1000)
        yield {"what": f"CPU time of finding alone, {name}", "unit": "ms", "ours": times, "goal": 500}

    with tempfile.TemporaryDirectory() as temporary:
        folder = _network(Path(temporary))
        card, model = read_card(folder / "card.json"), fitting.load(folder / "model.keras")
        answer, find = many.through_engine(folder, "bench/faces"), many.faces_through_engine("bench/faces")
        for number in range(3):
            engine.call("faces.warm", number)
        calls = {
            "ours": lambda file: _ours(many.classify_many([("photo.jpg", file)], card, answer, find=find)),
            "floor": partial(_floor, evaluate_faces.haar(), model, card.preprocessing),
        }
        photos = _photos()
        took: dict[str, list[float]] = {who: [] for who in calls}
        seen = dict.fromkeys(calls, 0)
        for number in range(WARM + PHOTOS):
            file = _jpeg(photos[number % len(photos)], number)
            for who in sorted(calls, reverse=number % 2 == 0):
                started = time.perf_counter()
                count = calls[who](file)
                if number >= WARM:
                    took[who].append((time.perf_counter() - started) * 1000)
                    seen[who] += count
    more = {"faces answered": seen, "photos": PHOTOS}
    found = f"{seen['ours']} faces; floor {seen['floor']}"
    yield {
        "what": f"photo of 640, from file to faces found and answered ({found})",
        "unit": "ms",
        "ours": took["ours"],
        "floor": took["floor"],
        "goal": 2,
        "more": more,
    }
    yield {
        "what": "the same, at least 3 photos a second",
        "unit": "ms",
        "ours": took["ours"],
        "goal": 333,
        "more": more,
    }


def _ours(rows: Any) -> int:
    """What the app does: found and answered by the engine, all faces of a photo at once."""
    return sum(len(row.faces) for row in rows)


def _floor(find: Any, model: Any, preprocessing: Any, file: bytes) -> int:
    """What a tutorial does: one face after the other through model.predict."""
    photo = cv2.cvtColor(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    boxes = find(photo)
    for x, y, w, h in boxes:
        cut = photo[round(y) : round(y + h), round(x) : round(x + w)]
        model.predict(preprocessing.scaled(preprocessing.picture(cut)[None]), verbose=0)
    return len(boxes)


def _network(temporary: Path) -> Path:
    """The folder of the network that ships, or else of one that has learned nothing, which takes as long."""
    from cnnviz.cards import Card, write_card  # noqa: PLC0415
    from cnnviz.networks import architectures, fitting  # noqa: PLC0415
    from cnnviz.presets import PRESETS  # noqa: PLC0415

    if (ROOT / "models" / "emotions" / "model.keras").exists():
        return ROOT / "models" / "emotions"
    preset = PRESETS["emotions"]
    model = architectures.build(preset.layers, preset.preprocessing.shape)
    fitting.save(model, temporary / "model.keras")
    data = {"name": "none", "licence": "", "train": 0, "validation": 0, "test": 0}
    labels = tuple(f"class {n}" for n in range(model.output_shape[-1]))
    training = {"command": "", "seed": None, "device": ""}
    card = Card("none", "None", "face", labels, preset.preprocessing, "emotions", 0, data, {}, None, training, "")
    write_card(card, temporary / "card.json")
    return temporary


def _jpeg(pixels: Any, number: int) -> bytes:
    """The picture as a file, no two alike: answers are kept by what is in a file."""
    pixels = pixels.copy()
    pixels[0, number % pixels.shape[1]] = (number % 256, 255, 0)
    done, file = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert done
    return bytes(file)


def _photos() -> list[Any]:
    """Photos with a long side of 640: those of the data pack, or else the sample with a face and its mirror image."""
    import evaluate_faces  # noqa: PLC0415

    folder = evaluate_faces.PACKS / "happysad"
    if folder.is_dir():
        pictures = (evaluate_faces.read(path) for path in sorted(folder.glob("*/*.jpg")))
        large = [pixels for pixels in pictures if max(pixels.shape) == SIDE]
        return large[:: max(1, len(large) // PHOTOS)][:PHOTOS]
    photo = cv2.resize(_astronaut(), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return [photo, np.ascontiguousarray(photo[:, ::-1])]


def _astronaut() -> Any:
    import evaluate_faces  # noqa: PLC0415

    return evaluate_faces.read(ROOT / "sample_images" / "astronaut.jpg")


def _class_photo() -> Any:
    face = cv2.resize(_astronaut()[30:230, 130:330], (80, 80), interpolation=cv2.INTER_AREA)
    return np.tile(face, (5, 8, 1))


def _noise() -> Any:
    coarse = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    return cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
