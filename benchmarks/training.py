"""Training: speed against bare model.fit, snapshots, the first point; the Kernel lab and the server beside runs."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from pages_in_browser import App, change, chromium, server, visit  # noqa: E402

from cnnviz.training import device, record  # noqa: E402

STEPS, BATCH, ROUNDS = 30, 64, 3
CHANGES = 15  # of the Kernel lab's bias, without a run and beside one
RUNS = 20
_PATIENCE = 300  # seconds for a short run on a busy machine


def main() -> None:
    """Print each figure with its floor from the same run."""
    throughput()
    first_point()
    beside_a_run()
    memory_over_runs()


def throughput() -> None:
    """The same network on the same arrays: bare model.fit, our loop, and our loop's snapshots."""
    import keras

    from cnnviz.data.dataset import Dataset, Entry  # noqa: PLC0415
    from cnnviz.presets import PRESETS  # noqa: PLC0415
    from cnnviz.training import loop, snapshots  # noqa: PLC0415
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
                # all of the second epoch, as of model.fit; the first holds the building of the graph
                begun = next(e["time"] for e in run.events()[0] if e["kind"] == "epoch" and e["epoch"] == 1)
                ended = [e["time"] for e in run.events()[0] if e["kind"] == "step" and e["epoch"] == 2][-1]
                rate = STEPS * BATCH / (ended - begun)
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


def beside_a_run() -> None:
    """From a change in the Kernel lab to its road redrawn: while a run is on and its page is open, against without."""
    lab = App("app.py", "/kernels?size=512", tuple(f"canvas[data-stage={stage}]" for stage in ("map", "relu", "pool")))
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        chromium() as browser,
        server(lab, {"CNNVIZ_RUNS": folder}) as (address, _, _),
        visit(browser, lab, address) as (page, _),
    ):
        without = _changes(page, lab, range(10, 10 + CHANGES))
        context = _start(browser, f"{address}/train?data=drawn-shapes&number=5000&network=objects&epochs=100")
        _until(lambda: any(event["kind"] == "step" for run in record.runs(Path(folder)) for event in run.events()[0]))
        beside = _changes(page, lab, range(110, 110 + CHANGES))
        context.pages[0].locator(".st-key-steer_stop button").click()
        _until(lambda: all(run.state().state == "stopped" for run in record.runs(Path(folder))))
        without += _changes(page, lab, range(210, 210 + CHANGES))  # the machine may have become busier meanwhile
    ours, floor = median(beside), median(without)
    print(
        f"Kernel lab, changed bias to road redrawn: {ours:.0f} ms beside a run, {floor:.0f} ms without, "
        f"{ours / floor:.2f} times (goal: at most 2)"
    )


def _changes(page: Any, lab: App, values: range) -> list[float]:
    """Milliseconds of a change of the bias to each of these values, the first two left out."""
    took = []
    for value in values:
        box = page.locator(".st-key-bias input").first
        box.fill(str(value))
        page.wait_for_timeout(50)
        took.append(change(page, lab, partial(box.press, "Enter")).took)
    return took[2:]


def memory_over_runs() -> None:
    """What the web server holds after each of some short runs, each started on the page and watched to its end."""
    app, held = App("app.py", "/train", ()), []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        chromium() as browser,
        server(app, {"CNNVIZ_RUNS": folder}) as (address, _, pid),
    ):
        for number in range(1, RUNS + 1):
            context = _start(browser, f"{address}/train?data=digits&epochs=1&seed={number % 10 + 1}&batch=64")
            _until(partial(_over, Path(folder), number))
            time.sleep(1.5)  # its page shows the results
            context.close()
            held.append(device.load(pid).memory or 0)
    quarters = [held[RUNS * part // 4 - 1] / 1e6 for part in (1, 2, 3, 4)]
    told = ", ".join(f"{one:.0f}" for one in quarters)
    print(f"web server over {RUNS} short runs: {told} MB after each quarter (goal: flat)")


def _start(browser: Any, address: str) -> Any:
    """Press Train on a page of a new visitor, which stays open; returns its context."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    page.locator(".st-key-train button").click()
    page.wait_for_url("**run=*")
    return context


def _over(folder: Path, number: int) -> bool:
    """Whether so many runs are finished; ends the measure where one broke off."""
    states = [run.state() for run in record.runs(folder)]
    if failed := [state.message for state in states if state.state in ("failed", "interrupted", "stopped")]:
        raise SystemExit(f"A run ended early: {failed[0]}")
    return sum(state.state == "finished" for state in states) >= number


def _until(happened: Callable[[], bool]) -> None:
    limit = time.monotonic() + _PATIENCE
    while not happened():
        if time.monotonic() > limit:
            raise SystemExit(f"It did not happen within {_PATIENCE} s.")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
