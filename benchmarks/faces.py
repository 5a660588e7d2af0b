"""Photos with faces: found and answered by ours, against a plain loop of OpenCV's Haar cascade and model.predict."""

import os
import sys
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
    """The fields of each line of the table. Ours and the floor take turns on the same photos of 640 pixels."""
    import evaluate_faces  # noqa: PLC0415 - of tools/

    from cnnviz.networks import architectures, faces  # noqa: PLC0415
    from cnnviz.presets import PRESETS  # noqa: PLC0415

    preset = PRESETS["emotions"]
    model = architectures.build(preset.layers, preset.preprocessing.shape)  # what it has learned costs no time
    haar = evaluate_faces.haar()
    calls = {"ours": partial(_ours, faces.find, model, preset), "floor": partial(_floor, haar, model, preset)}
    photos = _photos()
    took: dict[str, list[float]] = {who: [] for who in calls}
    seen = dict.fromkeys(calls, 0)
    for number in range(WARM + PHOTOS):
        photo = photos[number % len(photos)]
        for who in sorted(calls, reverse=number % 2 == 0):
            started = time.perf_counter()
            count = calls[who](photo)
            if number >= WARM:
                took[who].append((time.perf_counter() - started) * 1000)
                seen[who] += count
    more = {"faces answered": seen, "photos": PHOTOS}
    found = f"{seen['ours']} faces; floor {seen['floor']}"
    yield {
        "what": f"photo of 640 → faces found and answered ({found})",
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
    for name, photo in (("40 faces", _class_photo()), ("noise", _noise())):
        faces.find(photo)
        times = []
        for _ in range(SLOWEST):
            started = time.process_time()  # of all threads: what it takes on an idle machine, at most
            faces.find(photo)
            times.append((time.process_time() - started) * 1000)
        yield {"what": f"CPU time of finding alone, {name}", "unit": "ms", "ours": times, "goal": 500}


def _ours(find: Any, model: Any, preset: Any, photo: Any) -> int:
    """Every face in one batch."""
    from cnnviz.face import crop  # noqa: PLC0415

    pictures = [preset.preprocessing.picture(crop(photo, face)) for face in find(photo)]
    if pictures:
        model.predict_on_batch(preset.preprocessing.scaled(np.stack(pictures)))
    return len(pictures)


def _floor(find: Any, model: Any, preset: Any, photo: Any) -> int:
    """What a tutorial does: one face after the other through model.predict."""
    boxes = find(photo)
    for x, y, w, h in boxes:
        cut = photo[round(y) : round(y + h), round(x) : round(x + w)]
        model.predict(preset.preprocessing.scaled(preset.preprocessing.picture(cut)[None]), verbose=0)
    return len(boxes)


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
