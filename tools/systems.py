"""Write models/systems.json and print its table: `python tools/systems.py models/cats-dogs RUN/system-d-1 RUN/...`.

Each folder holds card.json and model.keras. Runs of one network that differ in their seed become one line. The two
speeds are measured here, for all networks in one run: training steps of the run's own batch size on pictures made up at
random, and the answer to one picture.
"""

import os
import re
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cnnviz import systems  # noqa: E402
from cnnviz.cards import FILE, Card, read_card  # noqa: E402
from cnnviz.networks import fitting  # noqa: E402
from cnnviz.presets import EXPRESSIONS  # noqa: E402
from cnnviz.systems import Result, Table  # noqa: E402
from cnnviz.training.config import TrainingConfig  # noqa: E402

SECONDS = 5.0  # of training steps, after the first ones
ANSWERS = 30


def main() -> None:
    if not sys.argv[1:]:
        raise SystemExit(__doc__)
    runs: dict[str, list[tuple[Card, Path]]] = {}
    for folder in map(Path, sys.argv[1:]):
        card = read_card(folder / FILE)
        runs.setdefault(str(card.architecture) + ", ".join(card.labels), []).append((card, folder))
    device = f"CPU, {os.cpu_count()} cores, Keras {fitting.VERSION}"
    table = Table(device, tuple(result(cards) for cards in runs.values()))
    (ROOT / "models" / systems.FILE).write_text(systems.text(table), "utf-8")
    print(systems.markdown(table))


def result(runs: list[tuple[Card, Path]]) -> Result:
    """One line: of runs that differ in nothing but their seed."""
    card, folder = runs[0]
    tests = [one.test for one, _ in runs if one.test is not None]
    if len(tests) != len(runs):
        raise SystemExit(f"{folder} was not scored on test pictures.")
    if len({test.n for test in tests}) > 1:
        raise SystemExit(f"The runs like {folder} were tested on different numbers of pictures.")
    settings = {name: int(found.group(1)) for name in ("epochs", "batch-size") if (found := _setting(card, name))}
    usual = TrainingConfig(card.data["name"])
    rate, milliseconds = speeds(folder, card, settings.get("batch-size", usual.batch_size))
    ours = folder.resolve().is_relative_to(ROOT / "models")
    name = card.name if ours else str(card.architecture)
    claim = systems.CLAIMS.get(name)
    return Result(
        network=name,
        title=f"Ours: {name}" if claim is None else claim.title,
        labels=card.labels,
        face=card.task == "face" or not set(card.labels).isdisjoint(EXPRESSIONS),
        parameters=card.parameters,
        epochs=card.training.get("stopped_after") or settings.get("epochs", usual.epochs),
        train=card.data["train"],
        validation=card.data["validation"],
        n=tests[0].n,
        right=tuple(test.right for test in tests),
        majority=tests[0].majority,
        colors=card.scores.get("baseline", {}).get("accuracy"),
        training_rate=rate,
        milliseconds=milliseconds,
        started_from=str(card.training.get("started_from", "")),
        alone=card.scores["without_mirror"]["right"] if card.mirror else None,
    )


def _setting(card: Card, name: str) -> re.Match[str] | None:
    return re.search(rf"--{name}[ =](\d+)", str(card.training["command"]))


def speeds(folder: Path, card: Card, batch_size: int) -> tuple[float, float]:
    """Pictures a second in training, and milliseconds of one answer."""
    model: Any = fitting.load(folder / "model.keras")
    fitting.compile_(model, "adam", 1e-3, "constant", 0.0, 1000)
    rng = np.random.default_rng(1)
    pictures = rng.random((batch_size, *card.preprocessing.shape), np.float32)
    classes = int(model.output_shape[-1])
    drawn = rng.integers(0, max(2, classes), batch_size)
    truth = np.float32(drawn[:, None] if classes == 1 else np.eye(classes)[drawn])
    times: list[float] = []
    for _ in range(3):
        model.train_on_batch(pictures, truth)
    while sum(times) < SECONDS:
        begun = time.perf_counter()
        model.train_on_batch(pictures, truth)
        times.append(time.perf_counter() - begun)
    model.predict_on_batch(pictures[:1])
    answers = []
    for _ in range(ANSWERS):
        begun = time.perf_counter()
        for _ in range(1 + card.mirror):
            model.predict_on_batch(pictures[:1])
        answers.append(time.perf_counter() - begun)
    return round(batch_size / median(times), 1), round(1000 * median(answers), 2)


if __name__ == "__main__":
    main()
