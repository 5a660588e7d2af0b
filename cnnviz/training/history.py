"""The history of a run as numbers: curves per step and epoch, progress, speed and time left, from its events."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 2000  # of a curve that is drawn
_RECENT = 20  # step events, about five seconds, over which the rate is taken
_EPOCHS_TIMED = 5  # newest epochs whose median length says how long the others will take
_COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Training as it was recorded. step, epoch: int64 (n,), rising. loss, accuracy: float64 (n,), each the mean over
    the steps after the point before, up to and with this one."""

    step: NDArray[np.int64]
    epoch: NDArray[np.int64]
    loss: Floats
    accuracy: Floats

    def __len__(self) -> int:
        return len(self.step)


@dataclass(frozen=True, slots=True)
class Epoch:
    """One whole epoch. Figures that its event does not hold are NaN or empty.

    loss, accuracy: means over the training pictures, while the network learned. val_loss, val_accuracy: of the
    validation pictures afterwards. best: whether the validation loss was the lowest so far. val_predicted: how often
    each class was answered. val_sure_mistakes: share of the validation pictures answered wrongly with p above .9.
    learning_rate: at the end of the epoch. seconds: since the run began.
    """

    epoch: int
    step: int
    loss: float = math.nan
    accuracy: float = math.nan
    val_loss: float = math.nan
    val_accuracy: float = math.nan
    learning_rate: float = math.nan
    seconds: float = math.nan
    best: bool = False
    val_predicted: tuple[int, ...] = ()
    val_sure_mistakes: float = math.nan


@dataclass(frozen=True, slots=True)
class _Timed:
    """A step event's step, time and pictures a second. Times: of training, or since 1970 in older records."""

    step: int
    time: float
    rate: float


def _no_curve() -> Curve:
    return Curve(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))


@dataclass(frozen=True, eq=False)
class History:
    """What is known of a run. Made by `history` and `extend`; a new one for each batch of events, so any may be shared.

    labels: the classes. pictures: how many "train", "validation" and "test" hold. counts: training pictures of each
    class, or empty where the record does not say. majority: share of the largest class of the validation pictures.
    epochs, steps, batch_size: how many epochs there will be, of how many steps, of how many pictures.
    minutes: after how many of training it ends all the same; 0: never. learning_rate: the highest that was set.
    all_steps: every recorded point; `curve` is for drawing. all_epochs: the whole ones.
    doing, done, total: the work named by the newest note, "" while training. message: of the newest note that has one.
    state, end: the final state (record.OVER) and its sentence, "" while the run goes on.
    """

    labels: tuple[str, ...] = ()
    pictures: Mapping[str, int] = field(default_factory=dict)
    counts: tuple[int, ...] = ()
    majority: float = math.nan
    epochs: int = 0
    steps: int = 0
    minutes: float = 0.0
    learning_rate: float = math.nan
    batch_size: int = 0
    parameters: int = 0
    all_steps: Curve = field(default_factory=_no_curve)
    all_epochs: tuple[Epoch, ...] = ()
    doing: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    state: str = ""
    end: str = ""
    _began: float = math.nan  # when the newest start was
    _first: _Timed | None = None  # the first step event since then: before it the network is compiled
    _timed: tuple[_Timed, ...] = ()  # the newest of them, and one more before

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.all_steps.step[-1]) if len(self.all_steps) else 0

    @property
    def epoch(self) -> int:
        """The epoch in work, or the last one; 0 before the first step."""
        return int(self.all_steps.epoch[-1]) if len(self.all_steps) else 0

    @property
    def progress(self) -> float:
        """How much of the training is done, 0..1."""
        return min(1.0, self._epochs_done / self.epochs) if self.epochs else 0.0

    @property
    def _epochs_done(self) -> float:
        """Whole ones and the part of the one in work; one that was ended early is whole, however few steps it has."""
        last = self.all_epochs[-1] if self.all_epochs else Epoch(0, 0)
        return last.epoch + (max(0, self.step - last.step) / self.steps if self.steps else 0.0)

    @property
    def best(self) -> Epoch | None:
        """The epoch whose network is kept: the lowest validation loss so far."""
        return next((epoch for epoch in reversed(self.all_epochs) if epoch.best), None)

    @cached_property
    def curve(self) -> Curve:
        """The points to draw, at most MOST_POINTS.

        Longer curves are thinned to means over as many neighbors as needed, weighted by the steps that each covers, so
        a peak shorter than that is flattened; the newest point stays as it is.
        """
        return _thinned(self.all_steps, MOST_POINTS)

    @property
    def rate(self) -> float | None:
        """Pictures a second over the last seconds of training, or None before that can be said."""
        pictures = seconds = 0.0
        for before, timed in pairwise(self._timed):
            if timed.rate > 0:
                these = (timed.step - before.step) * self.batch_size
                pictures, seconds = pictures + these, seconds + these / timed.rate
        return pictures / seconds if seconds else None

    @property
    def seconds_left(self) -> float | None:
        """An estimate of the time until training ends; None at first, and when the run is over.

        From the median length of the newest epochs, which holds validation and saving too; in the first two epochs from
        the first one without its compilation, or from the pictures a second.
        """
        if self.state or not self.steps or self.rate is None or len(self._timed) < 4:
            return None
        length = self._seconds_of_an_epoch(self.rate)
        left = length * max(0.0, self.epochs - self._epochs_done)
        if not self.minutes:
            return left
        # the epoch in which its minutes are over is the last
        rest, allowed = -self._epochs_done % 1 * length, 60 * self.minutes - self._timed[-1].time
        return min(left, rest + math.ceil(max(0.0, allowed - rest) / length) * length)

    def _seconds_of_an_epoch(self, rate: float) -> float:
        times = [epoch.seconds for epoch in self.all_epochs[-_EPOCHS_TIMED - 1 :]]
        lengths = [later - earlier for earlier, later in pairwise(times) if later > earlier]
        if lengths:
            return median(lengths)
        compiled = self._first.time - self._began if self._first is not None else math.nan
        if len(times) == 1 and times[0] > compiled:
            return times[0] - compiled
        return self.steps * self.batch_size / rate

    def column(self, name: str) -> Floats:
        """A figure of all epochs, float64 (epochs,): "epoch", "step", "val_loss", ..."""
        return np.array([getattr(epoch, name) for epoch in self.all_epochs], np.float64)

    def csv(self) -> str:
        """All steps and epochs as a table, in order; figures that a row does not have are empty."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("kind", "epoch", "step", *_COLUMNS))
        curve, epochs = self.all_steps, list(self.all_epochs)
        points = zip(
            *(values.tolist() for values in (curve.step, curve.epoch, curve.loss, curve.accuracy)), strict=True
        )
        for step, epoch, loss, accuracy in points:
            while epochs and epochs[0].step < step:
                writer.writerow(_row(epochs.pop(0)))
            writer.writerow(("step", epoch, step, loss, accuracy, "", "", "", ""))
        writer.writerows(_row(epoch) for epoch in epochs)
        return file.getvalue()


def history(events: Iterable[Mapping[str, Any]]) -> History:
    """The history that these events tell, from a run's first on."""
    return extend(History(), events)


def extend(old: History, events: Iterable[Mapping[str, Any]]) -> History:
    """The history with newer events; `old` stays as it was. Costs time for the new events, and a copy of the curve.

    A start that goes on from epoch k drops all that was recorded after it: the epochs above k and the steps above its
    own. Events that lack their number, or whose number is none, are passed over.
    """
    new: list[Mapping[str, Any]] = []  # step events, added all at once: there may be a hundred thousand
    step = old.step
    for event in events:
        kind = event.get("kind")
        if kind == "step" and _whole(event, "step") > step:
            new.append(event)
            step = _whole(event, "step")
            if old.doing or old.state:
                old = replace(old, **_AT_WORK)
        elif kind == "epoch" and _whole(event, "epoch") > (old.all_epochs[-1].epoch if old.all_epochs else 0):
            old = replace(old, all_epochs=(*old.all_epochs, _epoch(event)))
        elif kind == "start":
            old, new = _started(_with_steps(old, new), event), []
            step = old.step
        elif kind == "note":
            old = _noted(old, event)
        elif kind == "end":
            old = replace(old, **_AT_WORK)
            old = replace(old, state=_text(event, "state"), end=_text(event, "message"))
    return _with_steps(old, new)


_AT_WORK: dict[str, Any] = {"doing": "", "done": 0, "total": 0, "state": "", "end": ""}


def _with_steps(old: History, new: list[Mapping[str, Any]]) -> History:
    if not new:
        return old
    timed = [_Timed(_whole(event, "step"), _clock(event), _number(event, "rate")) for event in new]
    curve = old.all_steps
    return replace(
        old,
        all_steps=Curve(
            np.concatenate([curve.step, np.array([one.step for one in timed], np.int64)]),
            np.concatenate([curve.epoch, np.array([_epoch_of(event, old.steps) for event in new], np.int64)]),
            np.concatenate([curve.loss, np.array([_number(event, "loss") for event in new])]),
            np.concatenate([curve.accuracy, np.array([_number(event, "accuracy") for event in new])]),
        ),
        _first=old._first or timed[0],
        _timed=(*old._timed, *timed)[-_RECENT - 1 :],
    )


def _epoch_of(event: Mapping[str, Any], steps: int) -> int:
    """The epoch of a step event; where it does not say, by the steps of one."""
    return _whole(event, "epoch") or (-(-_whole(event, "step") // steps) if steps else 0)


def _started(old: History, event: Mapping[str, Any]) -> History:
    resumed, step = _whole(event, "resumed"), _whole(event, "step")
    kept = int(np.searchsorted(old.all_steps.step, step, side="right"))
    curve = old.all_steps
    counts, labels, pictures = event.get("counts"), event.get("labels"), event.get("pictures")
    return replace(
        old,
        labels=tuple(map(str, labels)) if isinstance(labels, list) else (),
        pictures={str(name): _whole(pictures, name) for name in pictures} if isinstance(pictures, Mapping) else {},
        counts=_wholes(counts),
        majority=_number(event, "majority"),
        epochs=_whole(event, "epochs"),
        minutes=max(0.0, _number(event, "minutes")) if "minutes" in event else 0.0,
        learning_rate=_number(event, "learning_rate"),
        steps=_whole(event, "steps"),
        batch_size=_whole(event, "batch_size"),
        parameters=_whole(event, "parameters"),
        all_steps=Curve(curve.step[:kept], curve.epoch[:kept], curve.loss[:kept], curve.accuracy[:kept]),
        all_epochs=tuple(epoch for epoch in old.all_epochs if epoch.epoch <= resumed),
        message="",
        **_AT_WORK,
        _began=_clock(event),
        _timed=(),
        _first=None,
    )


def _noted(old: History, event: Mapping[str, Any]) -> History:
    if message := _text(event, "message"):
        return replace(old, message=message)
    # work after an end: the run was taken up again, to train it further or to score it
    work = {"doing": _text(event, "doing"), "done": _whole(event, "done"), "total": _whole(event, "total")}
    return replace(old, **{**_AT_WORK, **work})


def _epoch(event: Mapping[str, Any]) -> Epoch:
    return Epoch(
        _whole(event, "epoch"),
        _whole(event, "step"),
        **{name: _number(event, name) for name in _COLUMNS},
        best=event.get("best") is True,
        val_predicted=_wholes(event.get("val_predicted")),
        val_sure_mistakes=_number(event, "val_sure_mistakes"),
    )


def _thinned(curve: Curve, most: int) -> Curve:
    if len(curve) <= most:
        return curve
    older = len(curve) - 1
    width = math.ceil(older / (most - 1))
    # counted from the first point, so that the drawn points stay where they are while the curve grows
    starts = np.arange(0, older, width)
    ends = np.minimum(starts + width, older) - 1
    weight = np.diff(curve.step[:-1], prepend=0).astype(np.float64)
    total = np.add.reduceat(weight, starts)

    def means(values: Floats) -> Floats:
        return np.append(np.add.reduceat(values[:-1] * weight, starts) / total, values[-1])

    step, epoch = (np.append(values[ends], values[-1]) for values in (curve.step, curve.epoch))
    return Curve(step, epoch, means(curve.loss), means(curve.accuracy))


def _row(epoch: Epoch) -> tuple[Any, ...]:
    figures = (getattr(epoch, name) for name in _COLUMNS)
    return ("epoch", epoch.epoch, epoch.step, *("" if math.isnan(figure) else figure for figure in figures))


def _number(event: Mapping[str, Any], name: str) -> float:
    value = event.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _clock(event: Mapping[str, Any]) -> float:
    """Seconds of training, which stand still in a pause; records of older programs have the time of day only."""
    return _number(event, "seconds" if "seconds" in event else "time")


def _whole(event: Mapping[str, Any], name: str) -> int:
    value = _number(event, name)
    return int(value) if abs(value) < 2**53 else 0  # NaN is not


def _wholes(values: Any) -> tuple[int, ...]:
    whole = isinstance(values, list) and all(isinstance(value, int) for value in values)
    return tuple(values) if whole else ()


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""
