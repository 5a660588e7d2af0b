"""All maps of a network on a picture: our pass, numbers and levels against bare predict_on_batch, in one process."""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

ROUNDS, WARM, PHOTOS = 60, 3, 100
SHOWN = ("the same with another range", "another layer as a mosaic")


def measure() -> Iterator[dict[str, Any]]:
    """The fields of each line of the table. Ours and the floor take turns, each on a picture that it has not seen.

    But for another range and another layer, which are asked of a picture that is shown, as on the page.
    """
    from cnnviz.graph import Look  # noqa: PLC0415
    from cnnviz.networks import architectures, classifier, inside  # noqa: PLC0415
    from cnnviz.presets import PRESETS  # noqa: PLC0415

    random, load = np.random.default_rng(0), classifier.load
    shipped = str(ROOT / "models" / "objects")
    model, card = load(shipped)
    large = PRESETS["system-c"]  # 2.4 million parameters
    other = architectures.build(large.layers, large.preprocessing.shape)
    other.jit_compile = False
    cards = {"objects": (model, card), "system-c": (other, _Card(large))}
    classifier.load = lambda folder: cards[folder]
    for name, (network, its) in cards.items():
        shape = its.preprocessing.shape
        layers = [node.name for node in inside.graph(name)]
        off = {layers[1]: (0,)}
        calls: dict[str, Callable[[Any], Any]] = {
            "floor": lambda photo, n=network, c=its: n.predict_on_batch(c.preprocessing.scaled(photo)[None]),
            "activations of all layers": lambda photo, n=name: inside.activations(n, photo, Look()),
            "numbers and levels of them": lambda photo, n=name: inside.screen(n, photo, Look()),
            "the same with another range": lambda photo, n=name: inside.screen(n, photo, Look("layer")),
            "another layer as a mosaic": lambda photo, n=name, at=layers[3]: inside.mosaic(
                n, photo, Look(), at, "mean"
            ),
            "a channel switched off, with numbers and levels": lambda photo, n=name, off=off: inside.screen(
                n, photo, Look(off=off)
            ),
            "effective field of a cell": lambda photo, n=name, at=layers[5]: inside.effective(
                n, photo, Look(), at, 0, 0, 0
            ),
        }
        took: dict[str, list[float]] = {what: [] for what in calls}
        first = {}
        photo = np.zeros(shape, np.uint8)
        for number in range(ROUNDS + WARM):
            turns = list(calls.items())
            for what, call in turns if number % 2 else (*turns[1:], turns[0]):  # the floor is first, then last
                if what not in SHOWN:
                    photo = random.integers(0, 256, shape, dtype=np.uint8)
                started = time.perf_counter()
                call(photo)
                took[what].append((time.perf_counter() - started) * 1000)
                if number == 0:
                    first[what] = took[what][0]
        floor = took.pop("floor")[WARM:]
        for what, samples in took.items():
            goal = {"activations of all layers": 1.5}.get(what)
            yield {
                "what": f"{name}: {what}",
                "unit": "ms",
                "ours": samples[WARM:],
                "floor": floor,
                "goal": goal,
                "more": {"the first, which compiles": round(first[what])},
            }
        levels = inside.screen(name, photo, Look()).levels
        yield {"what": f"{name}: bytes of levels", "unit": "B", "ours": [0 if levels is None else levels.nbytes]}
    before = _memory()
    for _ in range(PHOTOS):
        inside.screen("objects", random.integers(0, 256, (32, 32, 3), dtype=np.uint8), Look())
    yield {"what": f"memory that {PHOTOS} other photos add", "unit": "B", "ours": [_memory() - before]}
    classifier.load = load


class _Card:
    """What inside needs of the card of a network without a folder."""

    def __init__(self, preset: Any) -> None:
        self.preprocessing, self.labels, self.title = preset.preprocessing, preset.labels, preset.title


def _memory() -> float:
    """Bytes in use by this process; where the system does not tell, the most that there were."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
