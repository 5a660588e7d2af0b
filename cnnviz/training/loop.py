"""The training loop: epochs of steps, each recorded; after every epoch validation, checkpoints and a snapshot."""

import csv
import json
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz import evaluation
from cnnviz.files import write_json
from cnnviz.layers import with_classes
from cnnviz.networks import fitting
from cnnviz.networks.predict import probabilities
from cnnviz.training import snapshots, teachers
from cnnviz.training.batches import Batches, class_weights
from cnnviz.training.config import TrainingConfig
from cnnviz.training.control import Clock, Control
from cnnviz.training.prepare import Prepared, Say
from cnnviz.training.record import Run, writing

EVERY = 0.25  # seconds between two recorded steps at least
AHEAD = 4  # batches made while the network trains
_AVERAGE_STEPS = 8  # the mean of the weights is brought up to date this often: 3 ms for a million weights
_PROGRESS = "progress.json"


class TrainingError(RuntimeError):
    """Training cannot go on. The message is one sentence for the user."""


@dataclass
class Progress:
    """How far a run has come: whole epochs and steps done, the best epoch by validation loss, seconds of training."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    seconds: float = 0.0


def build(config: TrainingConfig, classes: int, steps: int) -> Any:
    """The compiled network for this many classes, trained for this many steps in all."""
    layers = with_classes(config.network(), classes)
    model = fitting.make(layers, config.input().shape, config.seed, config.mixed_precision)
    if config.start:
        try:
            fitting.take_weights(model, config.start)
        except Exception as error:  # on damaged files Keras raises nearly every exception there is
            raise TrainingError(f"The network to start from cannot be read: {str(error)[:120]}") from None
    fitting.compile_(model, config.optimizer, config.learning_rate, config.schedule, config.weight_decay, steps)
    return model


def fit(
    run: Run,
    config: TrainingConfig,
    prepared: Prepared,
    control: Control,
    resume: bool,
    say: Say | None = None,
) -> Progress:
    """Train until the last epoch, the patience or the time is over, or the user asks for the end.

    Leaves model.keras, the best epoch by validation loss, and last.keras to go on from. TrainingError with a sentence
    where the loss is no number any more.
    """
    train, validation = prepared.parts["train"], prepared.parts["validation"]
    classes = len(prepared.dataset.labels)
    size = min(config.batch_size, len(train.truth))
    weights = class_weights(train.truth, classes) if config.class_weights else None
    steps_each = max(1, len(train.truth) // size)
    progress = Progress()
    if resume and run.checkpoint.exists():
        progress = recovered(run)
        model = fitting.load(run.checkpoint, compiled=True)
    else:
        model = build(config, classes, steps_each * config.epochs)
    batches = Batches(
        train.pictures,
        train.truth,
        int(model.output_shape[-1]),
        size,
        config.input(),
        config.augmentation,
        config.label_smoothing,
        weights,
        teachers.answers(config, prepared.dataset.labels, train.pictures, int(model.output_shape[-1]), say),
        config.seed,
    )
    average = Average(model, config.average, run.path / "average.npz", progress.step) if config.average else None
    log = _Log(run, config, model)
    pinned = validation if len(validation.truth) else train
    camera = snapshots.Camera(run.snapshots, model, pinned.pictures[0], config.input())
    run.append(
        "start",
        resumed=progress.epoch,
        step=progress.step,
        seconds=round(progress.seconds, 3),
        epochs=config.epochs,
        minutes=config.minutes,
        learning_rate=config.learning_rate,
        steps=steps_each,
        batch_size=size,
        parameters=int(model.count_params()),
        labels=list(prepared.dataset.labels),
        pictures={name: len(part.truth) for name, part in prepared.parts.items()},
        majority=_majority(validation.truth),
        counts=np.bincount(train.truth, minlength=classes).tolist(),
    )
    if not progress.epoch:
        with writing:
            camera.take(0, None)
    clock = Clock(progress.seconds)
    with ThreadPoolExecutor(2) as pool:
        while progress.epoch < config.epochs and not (control.finish.is_set() and progress.epoch):
            before = progress.step
            losses = _epoch(run, model, batches, progress, control, clock, average, pool)
            if progress.step == before:  # it was ended while it was paused, before a step of this epoch
                break
            kept = average.put_in(model) if average else None
            answers = probabilities(model, validation.pictures, config.input())
            values = _validated(answers, validation.truth)
            best = values["val_loss"] < progress.best_loss or progress.epoch == 0
            with writing:  # a Stop waits until the whole epoch is on disk
                progress.epoch += 1
                if best:
                    fitting.save_plain(model, _candidate(run, progress.epoch))
                camera.take(progress.epoch, _confusion(answers, validation.truth, classes))
                if average and kept is not None:
                    average.take_out(model, kept)
                if best:
                    progress.best_epoch, progress.best_loss = progress.epoch, values["val_loss"]
                progress.seconds = clock.now()
                rate = fitting.learning_rate(model)
                values = {**losses, **values, "learning_rate": rate, "seconds": round(progress.seconds, 2)}
                event = {"epoch": progress.epoch, "step": progress.step, "best": best, **values}
                _commit(run, model, progress, event, average)
            log.epoch(progress.epoch, values)
            if why := _early(config, progress):
                run.append("note", message=why)
                break
    return progress


def _early(config: TrainingConfig, progress: Progress) -> str:
    """Why training ends before its last epoch, or ""."""
    if config.patience and progress.epoch - progress.best_epoch >= config.patience:
        return f"No better for {config.patience} epochs, so training ended early."
    if config.minutes and progress.seconds > 60 * config.minutes:
        return f"The {config.minutes:g} minutes are over, so training ended early."
    return ""


def _epoch(
    run: Run,
    model: Any,
    batches: Batches,
    progress: Progress,
    control: Control,
    clock: Clock,
    average: "Average | None",
    pool: ThreadPoolExecutor,
) -> dict[str, float]:
    """One pass over the training pictures; the mean loss and accuracy over it."""
    whole, window, since = np.zeros(2), np.zeros(2), clock.now()
    done, first = 0, 0  # steps in the epoch, and how many of them were recorded
    for inputs, wanted, weight in _ahead(batches, progress.epoch, pool):
        if not control.running.is_set():
            run.set_state(paused=True)
            clock.wait(control)
            run.set_state(paused=False)
        if control.finish.is_set() and progress.epoch:
            break
        values = model.train_on_batch(
            inputs, wanted, sample_weight=weight if batches.weights is not None else None, return_dict=True
        )
        one = np.array([float(values["loss"]), float(values["accuracy"])])  # of this batch alone
        if not np.isfinite(one[0]):
            raise TrainingError(
                f"The loss is no number any more at step {progress.step + 1}: the learning rate is too high; "
                "try a tenth of it."
            )
        progress.step, done = progress.step + 1, done + 1
        whole, window = whole + one, window + one
        if average is not None and (progress.step % _AVERAGE_STEPS == 0 or done == len(batches)):
            average.update(model, progress.step)
        now = clock.now()
        if now - since >= EVERY or progress.step <= 2 or done == len(batches):
            steps = done - first
            loss, right = window / steps
            rate = steps * batches.batch_size / max(now - since, 1e-9)
            run.append(
                "step",
                epoch=progress.epoch + 1,
                step=progress.step,
                seconds=round(now, 3),
                loss=round(float(loss), 5),
                accuracy=round(float(right), 5),
                rate=round(rate, 1),
            )
            window, since, first = np.zeros(2), now, done
    loss, right = whole / max(done, 1)
    return {"loss": round(float(loss), 5), "accuracy": round(float(right), 5)}


def _ahead(batches: Batches, epoch: int, pool: ThreadPoolExecutor) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """The batches of an epoch, some made ahead in threads (NumPy and OpenCV let others work meanwhile)."""
    waiting: deque[Future[tuple[NDArray[np.float32], ...]]] = deque()
    for number in range(len(batches)):
        waiting.append(pool.submit(batches.batch, epoch, number))
        if len(waiting) >= AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _validated(answers: NDArray[np.float64], truth: NDArray[np.int64]) -> dict[str, Any]:
    """Loss and accuracy on the validation pictures, how often each class was answered, and sure mistakes."""
    if not np.isfinite(answers).all():
        raise TrainingError(
            "The network's answers are no numbers any more: the learning rate is too high; try a tenth."
        )
    rows = np.arange(len(truth))
    best = answers.argmax(axis=1)
    wrong = best != truth
    return {
        "val_loss": float(-np.log(np.clip(answers[rows, truth], evaluation.SMALLEST, 1)).mean()),
        "val_accuracy": float((~wrong).mean()),
        "val_predicted": np.bincount(best, minlength=answers.shape[1]).tolist(),
        "val_sure_mistakes": float((wrong & (answers[rows, best] > 0.9)).mean()),
    }


def _confusion(answers: NDArray[np.float64], truth: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    return np.bincount(truth * classes + answers.argmax(axis=1), minlength=classes**2).reshape(classes, classes)


def _majority(truth: NDArray[np.int64]) -> float:
    return float(np.bincount(truth).max() / len(truth)) if len(truth) else 0.0


class Average:
    """The running mean of all weights, batch norm's statistics included: often better than the last weights.

    Each _AVERAGE_STEPS steps and at the end of an epoch, n steps after the last time: mean ← m·mean + (1 − m)·weights
    with m = momentum^n, less at the start (the momentum at most (1 + t)/(10 + t) after t steps), as Polyak averaging is
    done since Tan and Le 2019. step: the last one that the mean knows.
    """

    def __init__(self, model: Any, momentum: float, path: Path, step: int = 0):
        self.momentum, self.path, self.step = momentum, path, step
        self.mean = [np.array(value) for value in model.get_weights()]
        with suppress(OSError, KeyError, ValueError), np.load(path) as saved:
            self.mean = [saved[f"arr_{index}"] for index in range(len(self.mean))]

    def update(self, model: Any, step: int) -> None:
        momentum = min(self.momentum, (1 + step) / (10 + step)) ** (step - self.step)
        self.step = step
        self.mean = [
            momentum * mean + (1 - momentum) * now for mean, now in zip(self.mean, model.get_weights(), strict=True)
        ]

    def put_in(self, model: Any) -> list[NDArray[Any]]:
        """The mean becomes the network's weights; returns those that it had."""
        had: list[NDArray[Any]] = model.get_weights()
        model.set_weights(self.mean)
        return had

    def take_out(self, model: Any, had: list[NDArray[Any]]) -> None:
        model.set_weights(had)

    def save(self) -> None:
        temporary = self.path.with_name(".average.npz")
        np.savez(temporary, *self.mean)
        os.replace(temporary, self.path)


class _Log:
    """TensorBoard and CSV beside the record, where they were asked for."""

    def __init__(self, run: Run, config: TrainingConfig, model: Any):
        self.board = fitting.tensorboard(run.path / "tensorboard", model) if config.tensorboard else None
        self.table = run.path / "history.csv" if config.csv else None

    def epoch(self, epoch: int, values: dict[str, Any]) -> None:
        numbers = {name: value for name, value in values.items() if isinstance(value, float)}
        if self.board is not None:
            self.board(epoch, numbers)
        if self.table is not None:
            new = not self.table.exists()
            with self.table.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ["epoch", *numbers])
                if new:
                    writer.writeheader()
                writer.writerow({"epoch": epoch, **numbers})


def _commit(run: Run, model: Any, progress: Progress, event: dict[str, Any], average: "Average | None") -> None:
    """Write what makes an epoch count. Once the checkpoint is there it does: `recovered` makes up for the rest.

    But for the running mean of the weights, which may then lack this epoch; the epochs after it outweigh that.
    """
    notes = json.dumps({"progress": progress.__dict__, "event": event})
    fitting.save(model, run.checkpoint, {_PROGRESS: notes})
    if event["best"]:
        os.replace(_candidate(run, progress.epoch), run.network)
    if average:
        average.save()
    write_json(run.path / _PROGRESS, progress.__dict__)
    run.append("epoch", **event)


def recovered(run: Run) -> Progress:
    """How far a run has come, once what a process that was ended between two writes has left half done is put right.

    The newest checkpoint says which epochs are whole; network, progress and record are brought in line with it.
    """
    progress, event = Progress(), None
    with suppress(OSError, ValueError, TypeError):
        progress = Progress(**json.loads((run.path / _PROGRESS).read_text("utf-8")))
    with suppress(ValueError, TypeError, KeyError):  # checkpoints of older programs have no notes
        notes = json.loads(fitting.note(run.checkpoint, _PROGRESS))
        progress, event = Progress(**notes["progress"]), dict(notes["event"])
    for path in (*run.path.glob(_candidate(run).name), *run.path.glob(".*.keras")):
        if progress.best_epoch == progress.epoch and path == _candidate(run, progress.epoch):
            os.replace(path, run.network)
        else:
            path.unlink()
    if event is not None:
        write_json(run.path / _PROGRESS, progress.__dict__)
        if not any(one["kind"] == "epoch" and one.get("epoch") == progress.epoch for one in run.events()[0]):
            run.append("epoch", **event)
    return progress


def _candidate(run: Run, epoch: int | None = None) -> Path:
    """Where the best network waits until its epoch is whole; without an epoch, the pattern of all such names."""
    return run.path / ("best-[0-9]*.keras" if epoch is None else f"best-{epoch:05d}.keras")
