"""Checks the history of a run against events written by hand: resuming, thinning, speed, time left, the table."""

import csv
import io
import math

import numpy as np
import pytest

from cnnviz.training.history import MOST_POINTS, Epoch, History, extend, history


def start(resumed=0, step=0, time=100.0, epochs=4, steps=10, **more):
    shape = {"epochs": epochs, "steps": steps, "batch_size": 8, "parameters": 99, "labels": ["cat", "dog"]}
    pictures = {"train": 80, "validation": 20, "test": 10}
    told = {"resumed": resumed, "step": step, "time": time, "pictures": pictures, "majority": 0.6}
    return {"kind": "start", **shape, **told, **more}


def at(step, loss=1.0, accuracy=0.5, rate=40.0, time=0.0):
    epoch = -(-step // 10) if isinstance(step, int) else 1
    return {
        "kind": "step",
        "epoch": epoch,
        "step": step,
        "loss": loss,
        "accuracy": accuracy,
        "rate": rate,
        "time": time,
    }


def after(epoch, val_loss=0.7, best=True, seconds=5.0, steps=10, **more):
    figures = {"loss": 0.5, "accuracy": 0.75, "val_loss": val_loss, "val_accuracy": 0.7, "learning_rate": 0.003}
    told = {"kind": "epoch", "epoch": epoch, "step": steps * epoch, "best": best, "seconds": seconds}
    return {**told, **figures, "val_predicted": [12, 8], "val_sure_mistakes": 0.05, **more}


def note(doing="reading", done=3, total=9):
    return {"kind": "note", "doing": doing, "done": done, "total": total}


END = {"kind": "end", "state": "stopped", "message": "Stopped."}
RUN = [start(), at(5, 0.9), at(10, 0.8), after(1, 0.7), at(15, 0.7), at(20, 0.6), after(2, 0.5), at(25, 0.4)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("labels", ("cat", "dog")),
        ("pictures", {"train": 80, "validation": 20, "test": 10}),
        ("majority", 0.6),
        ("epochs", 4),
        ("steps", 10),
        ("batch_size", 8),
        ("parameters", 99),
        ("step", 25),
        ("epoch", 3),
        ("progress", 25 / 40),
        ("counts", ()),
        ("state", ""),
    ],
)
def test_the_start_event_and_the_newest_step_are_told(name, expected):
    assert getattr(history(RUN), name) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [([], 0), ([start()], 0), ([start(), at(10)], 0.25), ([start(), at(40)], 1), ([start(), at(99)], 1), ([at(9)], 0)],
)
def test_progress_is_the_share_of_all_steps(events, expected):
    assert history(events).progress == expected


def test_curves_hold_what_the_events_say():
    told = history(RUN)
    assert told.curve.step.tolist() == [5, 10, 15, 20, 25]
    assert told.curve.loss.tolist() == [0.9, 0.8, 0.7, 0.6, 0.4]
    assert told.column("val_loss").tolist() == [0.7, 0.5]
    assert told.all_epochs[0] == Epoch(1, 10, 0.5, 0.75, 0.7, 0.7, 0.003, 5.0, True, (12, 8), 0.05)


@pytest.mark.parametrize(
    ("best", "expected"), [([True, True, False], 2), ([True, False, False], 1), ([False], None), ([], None)]
)
def test_the_best_epoch_is_the_newest_one_marked_so(best, expected):
    told = history([start(), *(after(number, best=is_best) for number, is_best in enumerate(best, 1))])
    assert (told.best.epoch if told.best else None) == expected


@pytest.mark.parametrize(
    ("events", "steps", "epochs"),
    [
        ([start(1, 10), at(12, 0.75)], [5, 10, 12], [1]),
        ([start(2, 20)], [5, 10, 15, 20], [1, 2]),
        ([start(0, 0), at(3)], [3], []),  # the progress file was lost: all over again
        ([at(25, 7.0), at(7, 7.0), after(1, 7.0)], [5, 10, 15, 20, 25], [1, 2]),  # nothing is told twice
        ([start(1, 10), at(12), start(1, 10), at(14)], [5, 10, 14], [1]),
    ],
)
def test_going_on_from_an_epoch_drops_what_came_after_it(events, steps, epochs):
    told = history(RUN + events)
    assert told.all_steps.step.tolist() == steps
    assert [epoch.epoch for epoch in told.all_epochs] == epochs
    assert not (told.all_steps.loss == 7).any()


@pytest.mark.parametrize("cuts", [[], [1], [3, 4], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [5, 5]])
def test_events_in_parts_tell_the_same_as_all_at_once(cuts):
    events = [*RUN, END, note(), start(1, 10, time=200), at(11, time=203), at(12, time=203.2), at(13), at(14)]
    parts = [events[low:high] for low, high in zip([0, *cuts], [*cuts, None], strict=True)]
    told = History()
    for part in parts:
        before = told.all_steps.step.tolist()
        newer = extend(told, part)
        assert told.all_steps.step.tolist() == before  # the old one is not changed
        told = newer
    whole = history(events)
    assert told.all_steps.step.tolist() == whole.all_steps.step.tolist() == [5, 10, 11, 12, 13, 14]
    for name in ("all_epochs", "rate", "seconds_left", "state", "end", "doing", "done", "total", "majority"):
        assert getattr(told, name) == getattr(whole, name)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([note()], ("reading", 3, 9, "", "", "")),
        ([note(), start()], ("", 0, 0, "", "", "")),
        ([start(), note("scoring", 0, 0)], ("scoring", 0, 0, "", "", "")),
        ([start(), note(), at(1)], ("", 0, 0, "", "", "")),
        ([start(), at(1), note(), END], ("", 0, 0, "", "stopped", "Stopped.")),
        ([start(), at(1), END, note()], ("reading", 3, 9, "", "", "")),  # taken up again, to be scored
        ([start(), at(1), END, start(0, 0), at(1)], ("", 0, 0, "", "", "")),
        ([start(), {"kind": "note", "message": "No better."}, END], ("", 0, 0, "No better.", "stopped", "Stopped.")),
        ([start(), {"kind": "note", "message": "No better."}, at(1)], ("", 0, 0, "No better.", "", "")),
        ([], ("", 0, 0, "", "", "")),
    ],
)
def test_notes_and_ends_hold_until_something_newer_happens(events, expected):
    told = history(events)
    assert (told.doing, told.done, told.total, told.message, told.state, told.end) == expected


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "step"},
        {"kind": "step", "step": "7", "loss": 1},
        {"kind": "step", "step": True},
        {"kind": "step", "step": 1e300},
        {"kind": "step", "step": math.nan},
        {"kind": "epoch", "epoch": None},
        {"kind": "wish", "step": 99},
        {},
    ],
)
def test_events_without_their_number_are_passed_over(event):
    told = history([*RUN, event])
    assert told.step == 25
    assert len(told.all_epochs) == 2


def test_figures_that_are_missing_are_not_a_number():
    told = history([start(labels="cat", pictures=[3], majority=None, counts="x"), {"kind": "step", "step": 4}])
    assert math.isnan(history([start(majority=True)]).majority)
    assert math.isnan(told.curve.loss[0])
    assert math.isnan(told.majority)
    assert (told.labels, told.pictures, told.counts, told.rate, told.seconds_left) == ((), {}, (), None, None)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([40.0], None),  # the first point is compiled in
        ([1.0, 40.0], 40.0),
        # 8 pictures a step: 8 at 40 a second take .2 s, 8 at 10 a second .8 s
        ([1.0, 40.0, 10.0], 16.0),
        ([1.0, 0.0, 10.0], 10.0),
        ([500.0] * 30 + [40.0] * 20, 40.0),  # only the newest count
        ([40.0, 40.0, start(0, 0), 40.0], None),  # after a new start afresh
        ([40.0, 40.0, start(0, 0), 40.0, 10.0], 10.0),
    ],
)
def test_the_rate_is_pictures_by_time_of_the_newest_points(rates, expected):
    told = history([start(), *(one if isinstance(one, dict) else at(n, rate=one) for n, one in enumerate(rates, 1))])
    assert told.rate == (None if expected is None else pytest.approx(expected))


def steps(first, last, time=103.0):
    return [at(step, time=time, rate=40.0) for step in range(first, last + 1)]


MINUTE = {"minutes": 1.0, "seconds": 0.0}


def within(first, last, seconds):
    """Steps, the last of them after so many seconds of training."""
    return [{**one, "seconds": seconds} for one in steps(first, last)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([start()], None),
        ([start(), *steps(1, 3)], None),
        # 4 of 40 steps are done; 36 steps of 8 pictures at 40 a second
        ([start(), *steps(1, 4)], 7.2),
        # the first epoch took 9 s, of which 3 passed until the first step: 6 s each for the other three
        ([start(time=100), *steps(1, 10), after(1, seconds=9.0)], 18.0),
        # the second took 4 s; one and a half are left
        ([start(), *steps(1, 10), after(1, seconds=9.0), *steps(11, 20), after(2, seconds=13.0), *steps(21, 25)], 6.0),
        # a pause of 100 s in one of three epochs changes nothing
        (
            [start(epochs=5)]
            + [one for n, s in [(1, 9), (2, 13), (3, 113), (4, 117)]
               for one in [*steps(10 * n - 9, 10 * n), after(n, seconds=float(s))]],
            4.0,
        ),
        ([start(epochs=1), *steps(1, 10), after(1)], 0.0),
        ([start(), *steps(1, 10), END], None),
        # gone on before any epoch was over: a start of its own, with 4 s until its first step
        ([start(time=100), *steps(1, 5), END, start(time=900), *steps(1, 10, time=904.0), after(1, seconds=9.0)], 15.0),
        # a pause of 1,000 s before the first step changes nothing where the clock of training is recorded
        ([start(time=100, seconds=0.0), *({**one, "seconds": 3.0} for one in steps(1, 10, time=1103.0)),
          after(1, seconds=9.0)], 18.0),
        # 60 s of training are allowed, and an epoch takes 2 s: the one in which they are over is the last
        ([start(epochs=99, **MINUTE), *within(1, 10, 7.0), after(1)], 54.0),
        ([start(epochs=99, **MINUTE), *within(1, 10, 7.0), after(1), *within(11, 15, 8.0)], 53.0),
        ([start(epochs=99, **MINUTE), *within(1, 10, 59.0), after(1), *within(11, 15, 60.5)], 1.0),
        ([start(epochs=99, **MINUTE), *within(1, 10, 70.0), after(1)], 0.0),
        ([start(epochs=1, **MINUTE), *within(1, 5, 7.0)], 1.0),
        # gone on from epoch 1: its length is known, and the time between does not count
        ([start(), *steps(1, 10), after(1, seconds=5.0), *steps(11, 20), after(2, seconds=9.0), END,
          start(2, 20, time=9000.0), *steps(21, 25, time=9003.0)], 6.0),
    ],
)  # fmt: skip
def test_the_time_left_is_estimated_from_epochs_and_before_from_steps(events, expected):
    assert history(events).seconds_left == (None if expected is None else pytest.approx(expected))


def long_run(points, gap=3):
    told = [at(gap * number, loss=float(number), accuracy=number / points) for number in range(1, points + 1)]
    return history([start(steps=100, epochs=9999), *told])


@pytest.mark.parametrize("points", [0, 1, 2, MOST_POINTS - 1, MOST_POINTS])
def test_short_curves_are_drawn_as_they_are(points):
    told = long_run(points)
    assert told.curve is told.all_steps
    assert len(told.curve) == points


@pytest.mark.parametrize("points", [MOST_POINTS + 1, MOST_POINTS + 2, 3998, 3999, 4000, 25_001])
def test_long_curves_are_thinned_and_keep_the_newest_point_and_the_mean(points):
    curve = long_run(points).curve
    assert MOST_POINTS / 2 <= len(curve) <= MOST_POINTS
    assert (np.diff(curve.step) > 0).all()
    assert (curve.step[-1], curve.loss[-1], curve.accuracy[-1]) == (3 * points, points, 1.0)
    # weighted by the steps that each point covers, the mean is that of all points: 1, 2, ..., points
    covered = np.diff(curve.step, prepend=0)
    assert np.average(curve.loss, weights=covered) == pytest.approx((points + 1) / 2)


def test_a_thinned_point_is_the_mean_over_its_steps():
    # 3,999 points: the first two cover 1 and 9 steps, so that the first drawn one is (1·5 + 9·1) / 10
    told = history([start(), at(1, 5.0), at(10, 1.0), *(at(10 + number) for number in range(1, 3998))])
    assert told.curve.step[0] == 10
    assert told.curve.loss[0] == pytest.approx(1.4)


def test_drawn_points_stay_where_they_are_while_the_curve_grows():
    short, longer = long_run(5000).curve, long_run(5400).curve
    kept = len(short) - 1
    assert short.loss[: kept - 1].tolist() == longer.loss[: kept - 1].tolist()


def test_the_table_holds_every_step_and_epoch_in_order():
    rows = list(csv.DictReader(io.StringIO(history(RUN).csv())))
    assert [(row["kind"], row["epoch"], row["step"]) for row in rows] == [
        ("step", "1", "5"), ("step", "1", "10"), ("epoch", "1", "10"), ("step", "2", "15"), ("step", "2", "20"),
        ("epoch", "2", "20"), ("step", "3", "25"),
    ]  # fmt: skip
    assert (rows[0]["loss"], rows[0]["val_loss"]) == ("0.9", "")
    assert (rows[2]["loss"], rows[2]["val_loss"], rows[2]["seconds"]) == ("0.5", "0.7", "5.0")


def test_a_step_after_an_epoch_that_was_cut_short_is_of_the_next_one():
    cut = {"kind": "epoch", "epoch": 2, "step": 13, "loss": 0.5}
    on = [{**at(17), "epoch": 3}, {**at(20), "epoch": 3}]
    told = history([*RUN[:4], {**at(13), "epoch": 2}, cut, {**start(), "resumed": 2, "step": 13}, *on])
    assert told.epoch == 3
    assert told.progress == pytest.approx((2 + 7 / 10) / 4)
    rows = list(csv.DictReader(io.StringIO(told.csv())))
    assert [(row["kind"], row["epoch"], row["step"]) for row in rows[3:]] == [
        ("step", "2", "13"), ("epoch", "2", "13"), ("step", "3", "17"), ("step", "3", "20"),
    ]  # fmt: skip


def test_the_table_of_a_long_run_is_not_thinned():
    assert long_run(5000).csv().count("\n") == 5001
