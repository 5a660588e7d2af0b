"""Training: pictures a second against bare model.fit, the cost of snapshots, the time from Start to the first point."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

STEPS, BATCH, ROUNDS = 30, 64, 3


def main() -> None:
    """Print each figure with its floor from the same run."""
    throughput()
    first_point()


def throughput() -> None:
    """The same network on the same arrays: bare model.fit, our loop, and our loop's snapshots."""
    import keras

    from cnnviz.data.dataset import Dataset, Entry  # noqa: PLC0415
    from cnnviz.presets import PRESETS  # noqa: PLC0415
    from cnnviz.training import loop, record, snapshots  # noqa: PLC0415
    from cnnviz.training.batches import targets  # noqa: PLC0415
    from cnnviz.training.config import Augmentation, TrainingConfig  # noqa: PLC0415
    from cnnviz.training.control import Control  # noqa: PLC0415
    from cnnviz.training.prepare import Part, Prepared  # noqa: PLC0415

    seen = PRESETS["objects"].preprocessing
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (STEPS * BATCH, *seen.shape)).astype(np.uint8)
    truth = np.arange(len(pictures)) % 10
    few = Part(pictures[:64], truth[:64], ())
    dataset = Dataset("random", tuple("0123456789"), (Entry("0", 0),), lambda _: pictures[0])
    prepared: Any = Prepared(dataset, {"train": Part(pictures, truth, ()), "validation": few, "test": few}, None)
    inputs, wanted = seen.scaled(pictures), targets(truth, 10)
    plain, moved = Augmentation(), Augmentation(flip=True, shift=0.1, rotate=10)
    rates: dict[str, list[float]] = {"model.fit": [], "loop": [], "loop with augmentation": []}
    shares = []
    for turn in range(ROUNDS + 1):  # the first turn warms up
        for name, augmentation in (("loop", plain), ("loop with augmentation", moved)):
            with tempfile.TemporaryDirectory() as folder:
                config = TrainingConfig("random", "objects", epochs=2, batch_size=BATCH, augmentation=augmentation)
                run = record.create(Path(folder), config)
                loop.fit(run, config, prepared, Control(), False)
                # the first epoch holds the building of the graph
                times = [e["time"] for e in run.events()[0] if e["kind"] == "step" and e["epoch"] == 2]
                steps = [e["step"] for e in run.events()[0] if e["kind"] == "step" and e["epoch"] == 2]
                rate = (steps[-1] - steps[0]) * BATCH / (times[-1] - times[0])
                model = keras.saving.load_model(run.network, compile=False)
                camera = snapshots.Camera(run.snapshots, model, pictures[0], seen)
                camera.take(3, None)
                start = time.perf_counter()
                camera.take(4, None)
                taken = time.perf_counter() - start
            if turn:
                rates[name].append(rate)
                shares.append(taken / (STEPS * BATCH / rate))
        model = loop.build(TrainingConfig("random", "objects", batch_size=BATCH), 10, 2 * STEPS)
        model.fit(inputs, wanted, batch_size=BATCH, epochs=1, verbose=0)
        start = time.perf_counter()
        model.fit(inputs, wanted, batch_size=BATCH, epochs=1, verbose=0)
        if turn:
            rates["model.fit"].append(len(inputs) / (time.perf_counter() - start))
    floor = median(rates["model.fit"])
    print(f"network objects, batches of {BATCH}, a step of bare model.fit takes {1000 * BATCH / floor:.0f} ms")
    for name, values in rates.items():
        print(f"  {name:<24} {median(values):8.0f} pictures a second  {median(values) / floor:5.2f} of model.fit")
    print(f"  a snapshot takes {100 * median(shares):.1f} % of an epoch of {STEPS} steps (goal: at most 5 %)")


def first_point() -> None:
    """From the start of a worker to its first recorded step, against importing TensorFlow alone."""
    from cnnviz.training import record  # noqa: PLC0415
    from cnnviz.training.config import TrainingConfig  # noqa: PLC0415

    floors, starts = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, stderr=subprocess.DEVNULL)
        floors.append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as folder:
            run = record.create(Path(folder), TrainingConfig("drawn-faces", number=1000, epochs=1, batch_size=32))
            command = [sys.executable, "-m", "cnnviz.training.worker", str(run.path)]
            start = time.perf_counter()
            worker = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
            try:
                while not any(event["kind"] == "step" for event in run.events()[0]):
                    if worker.poll() is not None:
                        raise SystemExit(f"The worker ended early: {run.state().message}")
                    time.sleep(0.02)
                starts.append(time.perf_counter() - start)
            finally:
                worker.communicate()  # closes its stdin, which ends it
    ratio = median(starts) / median(floors)
    print(
        f"start of a worker to the first point: {median(starts):.1f} s, importing TensorFlow {median(floors):.1f} s, "
        f"{ratio:.2f} times (goal: at most 1.6; without the spare worker)"
    )


if __name__ == "__main__":
    main()
