"""The training loop on small made-up pictures: what it records, keeps, averages and goes on from."""

import json
import shutil

import numpy as np
import pytest

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")

from cnnviz import evaluation, layers  # noqa: E402
from cnnviz.data.dataset import Dataset, Entry  # noqa: E402
from cnnviz.data.preprocessing import Preprocessing  # noqa: E402
from cnnviz.layer_kinds import Conv2D, Dense, GlobalAveragePooling2D, ReLU, Sigmoid, Softmax  # noqa: E402
from cnnviz.networks import fitting  # noqa: E402
from cnnviz.networks.predict import probabilities  # noqa: E402
from cnnviz.training import control, history, loop, record, snapshots  # noqa: E402
from cnnviz.training.config import TrainingConfig  # noqa: E402
from cnnviz.training.control import Control  # noqa: E402
from cnnviz.training.prepare import Part, Prepared  # noqa: E402

SEEN = Preprocessing(8, 8)
TWO = layers.to_json((Conv2D(4, 3), ReLU(), GlobalAveragePooling2D(), Dense(2), Softmax()))
ONE = layers.to_json((Conv2D(4, 3), ReLU(), GlobalAveragePooling2D(), Dense(1), Sigmoid()))


def pictures(n: int, seed: int) -> Part:
    """Bright left halves are class 1: something that a small network learns at once."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 2
    made = rng.integers(0, 80, (n, 8, 8, 3)).astype(np.uint8)
    made[truth == 1] += 120
    return Part(made, truth.astype(np.int64), tuple(f"picture {index}" for index in range(n)))


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    entries = tuple(Entry(f"picture {index}", index % 2) for index in range(2))
    dataset = Dataset("halves", ("dark", "bright"), entries, lambda _: np.zeros((8, 8, 3), np.uint8))
    parts = {"train": pictures(96, 1), "validation": pictures(32, 2), "test": pictures(32, 3)}
    return Prepared(dataset, parts, None)


def trained(tmp_path, prepared, control=None, resume=False, name="run", **settings):
    values = {"architecture": TWO, "preprocessing": SEEN, "epochs": 3, "batch_size": 32, "learning_rate": 0.05}
    config = TrainingConfig("made up", **{**values, **settings})
    run = record.Run(tmp_path / name) if resume else record.create(tmp_path, config, path=tmp_path / name)
    progress = loop.fit(run, config, prepared, control or Control(), resume)
    return run, progress, [event for event in run.events()[0] if event["kind"] == "epoch"]


@pytest.mark.parametrize("architecture", [TWO, ONE], ids=["softmax", "one output"])
def test_a_small_network_learns_and_every_epoch_is_recorded(tmp_path, prepared, architecture):
    run, progress, epochs = trained(tmp_path, prepared, architecture=architecture, epochs=8)
    assert [event["epoch"] for event in epochs] == list(range(1, 9))
    assert epochs[-1]["val_accuracy"] == 1
    assert epochs[-1]["val_loss"] < epochs[0]["val_loss"]
    assert (progress.epoch, progress.step) == (8, 24)
    assert sum(epochs[-1]["val_predicted"]) == 32
    start = next(event for event in run.events()[0] if event["kind"] == "start")
    assert (start["steps"], start["majority"], start["pictures"]["train"]) == (3, 0.5, 96)


def test_the_network_kept_is_the_best_epoch_by_validation(tmp_path, prepared):
    run, progress, epochs = trained(tmp_path, prepared, learning_rate=2.0, schedule="constant", epochs=6)
    answers = probabilities(
        keras.saving.load_model(run.network, compile=False), prepared.parts["validation"].pictures, SEEN
    )
    truth = prepared.parts["validation"].truth
    loss = -np.log(np.clip(answers[np.arange(32), truth], 1e-7, 1)).mean()
    best = min(epochs, key=lambda event: event["val_loss"])
    assert progress.best_epoch == best["epoch"]
    assert loss == pytest.approx(best["val_loss"], rel=1e-4)
    assert [event["best"] for event in epochs][best["epoch"] - 1]


def test_the_accuracy_recorded_is_that_of_the_probabilities(tmp_path, prepared):
    _, _, epochs = trained(tmp_path, prepared, epochs=1)
    assert 0 <= epochs[0]["accuracy"] <= 1
    for truth, answer, expected in (
        ([[1, 0], [0.1, 0.9]], [[0.6, 0.4], [0.7, 0.3]], [1, 0]),
        ([[0.05], [0.95]], [[0.4], [0.6]], [1, 1]),
        ([[0], [1]], [[0.6], [0.4]], [0, 0]),
    ):
        assert (
            np.array(fitting.accuracy(keras.ops.array(truth, "float32"), keras.ops.array(answer))).tolist() == expected
        )


def test_the_training_values_of_an_epoch_are_means_over_all_its_steps(tmp_path, prepared, monkeypatch):
    seen: list[float] = []
    step = keras.Model.train_on_batch

    def watched(self, *args, **settings):
        values = step(self, *args, **settings)
        seen.append(float(values["loss"]))
        return values

    monkeypatch.setattr(keras.Model, "train_on_batch", watched)
    monkeypatch.setattr(loop, "EVERY", 1e9)  # a step is recorded at the end of an epoch only
    run, _, epochs = trained(tmp_path, prepared, epochs=3)
    assert [event["loss"] for event in epochs] == pytest.approx(np.reshape(seen, (3, 3)).mean(axis=1), abs=1e-4)
    last = [event for event in run.events()[0] if event["kind"] == "step"][-1]
    assert last["loss"] == pytest.approx(np.mean(seen[-3:]), abs=1e-4)


def test_a_run_goes_on_from_its_last_whole_epoch(tmp_path, prepared):
    run, progress, _ = trained(tmp_path, prepared, epochs=2)
    assert progress.epoch == 2
    config = run.config().changed(epochs=4)
    record.write_json(run.path / "config.json", config.to_json())
    progress = loop.fit(run, config, prepared, Control(), resume=True)
    assert (progress.epoch, progress.step) == (4, 12)
    starts = [event for event in run.events()[0] if event["kind"] == "start"]
    assert [event["resumed"] for event in starts] == [0, 2]
    epochs = [event["epoch"] for event in run.events()[0] if event["kind"] == "epoch"]
    assert epochs == [1, 2, 3, 4]


GAP = (keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3))
ENDINGS = {
    "softmax": (*GAP, keras.layers.Softmax()),
    "softmax as an activation": (*GAP, keras.layers.Activation("softmax")),
    "within the layer": (GAP[0], keras.layers.Dense(3, activation="softmax")),
    "one output": (GAP[0], keras.layers.Dense(1, activation="sigmoid")),
    "without a bias": (
        GAP[0],
        keras.layers.Dense(3, use_bias=False),
        keras.layers.Dropout(0.5),
        keras.layers.Softmax(),
    ),
    "no dense layer": (keras.layers.Conv2D(3, 3), GAP[0], keras.layers.Softmax()),
    "no probabilities": GAP,
    "relu before": (GAP[0], keras.layers.Dense(3, activation="relu"), keras.layers.Softmax()),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("temperature", [0.4, 3.0])
def test_a_temperature_scales_what_softmax_gets_and_nothing_else(ending, temperature):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), *(one.__class__.from_config(one.get_config()) for one in ENDINGS[ending])]
    )
    seen = pictures(20, 4).pictures
    before = probabilities(model, seen, SEEN) if ending != "no probabilities" else None
    if ending in ("no dense layer", "no probabilities", "relu before"):
        with pytest.raises(ValueError, match="does not end with a dense layer"):
            fitting.temper(model, temperature)
    else:
        fitting.temper(model, temperature)
        expected = evaluation.tempered(before, temperature)
        np.testing.assert_allclose(probabilities(model, seen, SEEN), expected, atol=1e-5)


def test_weight_decay_spares_the_same_weights_after_a_run_has_gone_on(tmp_path, prepared):
    run, *_ = trained(tmp_path, prepared, epochs=1, optimizer="adamw", weight_decay=0.5)
    model = fitting.load(run.checkpoint, compiled=True)
    decayed = [one.name for one in model.trainable_variables if model.optimizer._use_weight_decay(one)]
    assert decayed == ["kernel", "kernel"]


class Ticking:
    """A clock that a step of training moves by one second, and a pause by a thousand."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Paused:
    """Stands for Control.running: cleared once, before the second step of each epoch."""

    def __init__(self, clock: Ticking):
        self.clock, self.asked = clock, 0

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked % 3 != 2

    def wait(self) -> None:
        self.clock.now += 1000

    def set(self) -> None: ...


@pytest.fixture
def ticking(monkeypatch) -> Ticking:
    clock, step = Ticking(), keras.Model.train_on_batch

    def timed(self, *args, **settings):
        clock.now += 1
        return step(self, *args, **settings)

    monkeypatch.setattr(keras.Model, "train_on_batch", timed)
    monkeypatch.setattr(control, "time", clock)
    monkeypatch.setattr(loop, "EVERY", 1e9)  # a point for the first two steps and one at the end of each epoch
    return clock


@pytest.mark.parametrize("paused", [False, True])
def test_a_pause_is_no_training_time(tmp_path, prepared, ticking, paused):
    asked = Control(running=Paused(ticking)) if paused else Control()
    run, progress, epochs = trained(tmp_path, prepared, asked, minutes=1.0)
    assert len(epochs) == 3, "the minute is not over"
    assert ticking.now == 9 + 3000 * paused
    assert progress.seconds == 9
    assert [event["seconds"] for event in epochs] == [3, 6, 9]
    steps = [event for event in run.events()[0] if event["kind"] == "step"]
    assert [(event["step"], event["seconds"], event["rate"]) for event in steps] == [
        (1, 1, 32), (2, 2, 32), (3, 3, 32), (6, 6, 32), (9, 9, 32)
    ]  # fmt: skip
    assert next(event for event in run.events()[0] if event["kind"] == "start")["seconds"] == 0
    told = history.history(run.events()[0])
    assert told.rate == 32


def test_a_run_that_goes_on_counts_the_seconds_before(tmp_path, prepared, ticking):
    run, progress, _ = trained(tmp_path, prepared, epochs=2)
    assert progress.seconds == 6
    ticking.now = 500
    progress = loop.fit(run, run.config().changed(epochs=3), prepared, Control(), resume=True)
    assert progress.seconds == 9
    assert [event["seconds"] for event in run.events()[0] if event["kind"] == "start"] == [0, 6]


def at_every_write(monkeypatch, run, to) -> list[record.Run]:
    """Copies of the run's directory as each write of its second epoch, and the next, would find it."""
    copies: list[record.Run] = []

    def copied(of, name):
        write = getattr(of, name)

        def writes(*given, **named):
            if run.snapshots.joinpath("00001.npz").exists() and (run.path / "progress.json").exists():
                copies.append(record.Run(to / f"{len(copies):02d}"))
                shutil.copytree(run.path, copies[-1].path)
            return write(*given, **named)

        monkeypatch.setattr(of, name, writes)

    copied(fitting, "save")
    copied(snapshots.Camera, "take")
    copied(loop.os, "replace")
    copied(loop, "write_json")
    copied(record.Run, "append")
    return copies


def test_whenever_a_process_is_killed_no_epoch_is_twice_in_the_record_or_missing(tmp_path, prepared, monkeypatch):
    monkeypatch.setattr(loop, "EVERY", 1e9)
    config = TrainingConfig(
        "made up", architecture=TWO, preprocessing=SEEN, epochs=2, batch_size=32, schedule="constant",
        learning_rate=0.01,
    )  # fmt: skip
    run = record.create(tmp_path, config, path=tmp_path / "run")
    with monkeypatch.context() as patched:
        copies = at_every_write(patched, run, tmp_path)
        loop.fit(run, config, prepared, Control(), False)
    assert [event["best"] for event in run.events()[0] if event["kind"] == "epoch"] == [True, True]
    assert len(copies) >= 12
    validation = prepared.parts["validation"]
    seen = []
    for copy in copies:
        progress = loop.recovered(copy)
        seen.append(progress.epoch)
        epochs = [event for event in copy.events()[0] if event["kind"] == "epoch"]
        assert [event["epoch"] for event in epochs] == list(range(1, progress.epoch + 1))
        assert json.loads((copy.path / "progress.json").read_text()) == progress.__dict__
        assert fitting.steps(fitting.load(copy.checkpoint, compiled=True)) == progress.step == 3 * progress.epoch
        answers = probabilities(fitting.load(copy.network), validation.pictures, SEEN)
        loss = -np.log(answers[np.arange(32), validation.truth]).mean()
        assert loss == pytest.approx(min(event["val_loss"] for event in epochs), rel=1e-4)
        assert sorted(path.name for path in copy.path.glob("*.keras")) == ["last.keras", "model.keras"]
    assert seen == sorted(seen)
    assert set(seen) == {1, 2}
    killed = copies[seen.index(2)]  # just after the second epoch's checkpoint
    progress = loop.fit(killed, config.changed(epochs=3), prepared, Control(), True)
    assert (progress.epoch, progress.step) == (3, 9)
    assert [event["epoch"] for event in killed.events()[0] if event["kind"] == "epoch"] == [1, 2, 3]


def test_the_same_seed_starts_alike_and_another_differently(tmp_path, prepared):
    losses = [
        trained(tmp_path, prepared, name=name, epochs=1, seed=seed)[2][0]["val_loss"]
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0] != pytest.approx(losses[2], rel=1e-3)


def test_training_ends_early_without_progress_and_says_so(tmp_path, prepared):
    run, progress, _ = trained(
        tmp_path, prepared, learning_rate=1e-9, schedule="constant", epochs=50, patience=2, seed=3
    )
    assert progress.epoch < 50
    assert any("ended early" in event.get("message", "") for event in run.events()[0])


def test_a_loss_that_is_no_number_ends_in_a_sentence(tmp_path, prepared):
    # without batch norm, plain gradient descent with a rate of 10 overflows within a few steps
    convolutions = (Conv2D(8, 3, padding="same", activation="relu") for _ in range(6))
    deep = layers.to_json((*convolutions, GlobalAveragePooling2D(), Dense(2), Softmax()))
    wild = {"optimizer": "sgd", "weight_decay": 0.0, "learning_rate": 10, "epochs": 30, "schedule": "constant"}
    with pytest.raises(loop.TrainingError, match="learning rate"):
        trained(tmp_path, prepared, architecture=deep, **wild)


def test_finish_ends_after_the_step_and_leaves_a_network(tmp_path, prepared):
    asked = Control()
    asked.finish.set()
    run, progress, epochs = trained(tmp_path, prepared, asked, epochs=50)
    assert progress.epoch <= 1
    assert len(epochs) <= 1
    assert run.network.exists() == bool(epochs)


def test_the_mean_of_the_weights_follows_its_formula(tmp_path):
    class Model:
        def __init__(self):
            self.weights = [np.zeros(2)]

        def get_weights(self):
            return [self.weights[0].copy()]

        def set_weights(self, weights):
            self.weights = [np.array(value) for value in weights]

    model = Model()
    average = loop.Average(model, 0.9, tmp_path / "average.npz", step=992)
    model.weights = [np.ones(2)]
    average.update(model, 1000)
    np.testing.assert_allclose(average.mean[0], 1 - 0.9**8)  # eight steps at once
    average.step = 5
    average.update(model, 8)
    share = (9 / 18) ** 3  # early on it follows faster: (1 + t) / (10 + t)
    np.testing.assert_allclose(average.mean[0], share * (1 - 0.9**8) + 1 - share)
    had = average.put_in(model)
    np.testing.assert_allclose(model.weights[0], average.mean[0])
    average.take_out(model, had)
    np.testing.assert_allclose(model.weights[0], 1)
    average.save()
    np.testing.assert_allclose(loop.Average(model, 0.9, tmp_path / "average.npz").mean[0], average.mean[0])


def test_an_averaged_run_validates_and_keeps_the_mean(tmp_path, prepared):
    run, _, epochs = trained(tmp_path, prepared, average=0.99, epochs=4)
    answers = probabilities(
        keras.saving.load_model(run.network, compile=False), prepared.parts["validation"].pictures, SEEN
    )
    assert (answers.argmax(1) == prepared.parts["validation"].truth).mean() == min(epochs, key=lambda e: e["val_loss"])[
        "val_accuracy"
    ]
    assert (run.path / "average.npz").exists()


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_the_mean_knows_the_last_step_of_every_epoch(tmp_path, prepared, monkeypatch, steps):
    known: list[int] = []
    update = loop.Average.update
    monkeypatch.setattr(
        loop.Average, "update", lambda self, model, step: (known.append(step), update(self, model, step))
    )
    trained(tmp_path, prepared, average=0.99, epochs=2, batch_size=96 // steps)
    every = [*range(8, 2 * steps + 1, 8), steps, 2 * steps]
    assert known == sorted(set(every))


def test_an_epoch_of_which_no_step_was_trained_does_not_count(tmp_path, prepared, monkeypatch):
    """Paused while the first epoch is written, and then asked to finish: the second one has not begun."""
    asked, commit = Control(), loop._commit

    def paused(*values):
        commit(*values)
        asked.running.clear()

    def wait(*_):
        asked.finish.set()
        asked.running.set()

    monkeypatch.setattr(loop, "_commit", paused)
    monkeypatch.setattr(control.Clock, "wait", wait)
    _, progress, epochs = trained(tmp_path, prepared, asked, epochs=5)
    assert (progress.epoch, progress.step, len(epochs)) == (1, 3, 1)


def test_snapshots_show_kernels_maps_and_confusion(tmp_path, prepared):
    run, _, epochs = trained(tmp_path, prepared)
    assert snapshots.epochs(run.snapshots) == [0, 1, 2, 3]
    arrays = snapshots.read(run.snapshots, 3)
    assert arrays["kernels"].shape == (3, 3, 3, 4)
    assert arrays["maps_0"].dtype == np.float16
    assert arrays["confusion"].sum() == 32
    assert np.trace(arrays["confusion"]) / 32 == pytest.approx(epochs[-1]["val_accuracy"])
    assert sorted(path.stem for path in run.snapshots.iterdir()) == ["00000", "00001", "00002", "00003"]


def test_a_snapshot_holds_the_first_kernels_and_maps_and_says_of_how_many(tmp_path):
    many = (Conv2D(40, 3, padding="same", activation="relu"), GlobalAveragePooling2D(), Dense(2), Softmax())
    model = fitting.make(many, SEEN.shape, seed=1)
    snapshots.Camera(tmp_path, model, np.zeros(SEEN.shape, np.uint8), SEEN).take(1, None)
    arrays = snapshots.read(tmp_path, 1)
    assert (arrays["kernels"].shape[-1], arrays["filters"]) == (32, 40)
    assert (arrays["maps_0"].shape[-1], arrays["channels"].tolist()) == (32, [40])


def test_snapshots_are_thinned_but_the_first_and_the_newest_stay(tmp_path):
    for epoch in range(100):
        (tmp_path / f"{epoch:05d}.npz").write_bytes(b"")
        snapshots.thin(tmp_path)
        assert len(list(tmp_path.iterdir())) <= 60
    left = sorted(int(path.stem) for path in tmp_path.iterdir())
    assert left[0] == 0
    assert left[-1] == 99
    assert len(left) >= 30


def test_answers_of_a_part_batch_equal_those_of_a_full_one(tmp_path, prepared):
    run, *_ = trained(tmp_path, prepared, epochs=1)
    model, given = keras.saving.load_model(run.network, compile=False), prepared.parts["test"].pictures
    whole = probabilities(model, given, SEEN, batch_size=32)
    np.testing.assert_allclose(probabilities(model, given, SEEN, batch_size=9), whole, atol=1e-6)
    np.testing.assert_allclose(whole.sum(axis=1), 1, atol=1e-6)
    mirrored = probabilities(model, np.ascontiguousarray(given[:, :, ::-1]), SEEN)
    np.testing.assert_allclose(probabilities(model, given, SEEN, flip=True), (whole + mirrored) / 2, atol=1e-6)
    assert probabilities(model, given[:0], SEEN).shape == (0, 2)
