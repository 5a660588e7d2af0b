"""Checks each rule of the advice on a made-up run in which it must speak, and on runs in which it must be silent."""

import math
from pathlib import Path

import pytest

from cnnviz.training.advice import MOST, advice
from cnnviz.training.history import history

NAN = math.nan


def run(
    loss=(0.6, 0.5, 0.4, 0.35, 0.3),
    val_loss=(0.65, 0.55, 0.45, 0.4, 0.35),
    accuracy=0.85,
    val_accuracy=0.84,
    predicted=(300, 300),
    sure=0.0,
    rate=0.003,
    epochs=20,
    majority=0.5,
    validation=600,
    labels=("cat", "dog"),
    counts=None,
    end="",
    step_losses=None,
    set_rate=None,
):
    """A run of so many epochs as the losses have; figures that are one number hold for every epoch."""
    seen = {"train": 2400, "validation": validation, "test": 300}
    told = {"epochs": epochs, "steps": 10, "batch_size": 64, "majority": majority, "labels": list(labels)}
    told |= {} if set_rate is None else {"learning_rate": set_rate}
    events = [{"kind": "start", "resumed": 0, "step": 0, "pictures": seen, "counts": counts, **told}]
    best = math.inf
    for number, (trained, validated) in enumerate(zip(loss, val_loss, strict=True), 1):
        figures = {"loss": trained, "val_loss": validated, "learning_rate": rate, "val_sure_mistakes": sure}
        shares = {
            name: values[number - 1] if isinstance(values, tuple) else values
            for name, values in (("accuracy", accuracy), ("val_accuracy", val_accuracy))
        }
        events += [{"kind": "step", "step": 10 * number - 9 + step, "loss": trained} for step in range(10)]
        told = {"epoch": number, "step": 10 * number, "best": validated < best, "val_predicted": list(predicted)}
        events.append({"kind": "epoch", **told, **figures, **shares})
        best = min(best, validated)
    if step_losses is not None:
        events = events[:1] + [{"kind": "step", "step": at, "loss": one} for at, one in enumerate(step_losses, 1)]
    if end:
        events.append({"kind": "end", "state": "failed", "message": end})
    return history(events)


FLAT = {"loss": (0.68, 0.67, 0.67, 0.67, 0.67), "val_loss": (0.69, 0.68, 0.68, 0.68, 0.68), "val_accuracy": 0.55}
RISING = {"loss": (0.6, 0.4, 0.3, 0.2, 0.1), "val_loss": (0.6, 0.5, 0.6, 0.7, 0.8)}
STILL = {"loss": (0.6905, 0.6904, 0.6903, 0.6902, 0.6901), "val_loss": (0.69,) * 5, "val_accuracy": 0.5}
TEN = {"labels": tuple("abcdefghij"), "predicted": (60,) * 10, "majority": 0.1}

SPEAKS = [
    ("exploding", run(step_losses=[0.7] * 5 + [3.0, 9.0, 20.0, 30.0, 40.0]), ["0.7 ", "20"]),
    ("exploding", run(step_losses=[0.7, 0.6, NAN]), ["no number"]),
    ("exploding", run(end="The loss is no number any more at step 4: the learning rate is too high."), ["0.0003"]),
    ("exploding", run(end="The network's answers are no numbers any more."), ["no number"]),
    ("too_slow", run(**STILL, rate=1e-5), ["0.6905", "0.6901", "0.0001"]),
    ("one_class", run(**FLAT, predicted=(0, 600)), ["600", "“dog”"]),
    ("below_baseline", run(val_accuracy=(0.9, 0.4, 0.41, 0.4, 0.4)), ["last 3 epochs", "41 %", "50 %"]),
    ("overfitting", run(**RISING), ["0.5 ", "0.7", "0.4 ", "0.2", "epoch 2"]),
    ("labels_suspect", run(val_accuracy=0.9, accuracy=0.92, sure=0.07), ["42 of 60"]),
    ("underfitting", run(**FLAT), ["0.67", "0.68", "0.693"]),
    ("small_class", run(counts=[1200, 15]), ["“dog” has 15", "1,200"]),
    ("small_class", run(counts=[1000, 300]), ["“dog” has 300"]),
    ("small_class", run(counts=[10, 10]), ["No class has more than 10"]),
    ("exploding", run(step_losses=[0.7, NAN], rate=0.0007, set_rate=0.1), ["tenth", "0.01"]),  # it still climbed
    ("too_slow", run(**STILL, rate=1e-5, set_rate=0.0002), ["0.002"]),
    ("small_class", run(majority=0.8, val_accuracy=0.95), ["80 %", "2 classes"]),
    ("small_class", run(**{**TEN, "majority": 0.3}), ["30 %", "10 classes"]),
    ("still_improving", run(epochs=5), ["0.55 after epoch 2", "0.35 after epoch 5", "10 epochs"]),
    ("still_improving", run(loss=(0.6, 0.5), val_loss=(0.6, 0.5), epochs=2), ["0.6 after epoch 1", "4 epochs"]),
    ("few_pictures", run(validation=12), ["12 validation", "8.33 %"]),
]

SILENT = [
    # the loss falls from far above what guessing gives; a peak that is over; the first steps are not looked at
    ("exploding", run(step_losses=[9.0, 8.0, 7.0] + [6.0] * 20)),
    ("exploding", run(step_losses=[0.7] * 5 + [40.0] * 3 + [0.7] * 10)),
    ("exploding", run(step_losses=[0.7] * 3 + [9.0] * 3)),
    ("exploding", run(step_losses=[0.01] * 5 + [0.06] * 10)),  # it started from a trained network
    ("exploding", run(end="The disk is full.")),
    # a low rate that works; a high one that does not; too early to say
    ("too_slow", run(rate=1e-5)),
    ("too_slow", run(**STILL, rate=0.01)),
    ("too_slow", run(**STILL, rate=0.0005, set_rate=0.0015)),  # few epochs, and no look at the highest rate
    ("too_slow", run(loss=(0.69, 0.69), val_loss=(0.69, 0.69), rate=1e-5)),
    ("too_slow", run(**STILL, rate=1e-5, epochs=100)),  # the schedule still climbs
    ("too_slow", run(loss=(0.01,) * 5, val_loss=(0.01,) * 5, val_accuracy=1.0, rate=1e-5)),
    ("one_class", run(predicted=(1, 599))),
    ("one_class", run(predicted=())),
    ("one_class", run(predicted=(0, 0))),
    ("one_class", run(predicted=(0, 600), majority=1.0)),
    ("one_class", run(loss=(0.7,), val_loss=(0.7,), predicted=(0, 600))),
    ("below_baseline", run(val_accuracy=0.5)),
    ("below_baseline", run(val_accuracy=(0.3, 0.3, 0.3, 0.3, 0.51))),
    ("below_baseline", run(loss=(0.7, 0.6), val_loss=(0.7, 0.6), val_accuracy=0.3)),
    ("below_baseline", run(val_accuracy=0.4, majority=NAN)),
    # both fall; validation is flat; both rise; a bump that is two epochs old; a rise next to nothing
    ("overfitting", run()),
    ("overfitting", run(loss=(0.6, 0.4, 0.3, 0.2, 0.1), val_loss=(0.6, 0.5, 0.51, 0.52, 0.51))),
    ("overfitting", run(loss=(0.6, 0.4, 0.5, 0.6, 0.7), val_loss=(0.6, 0.5, 0.6, 0.7, 0.8))),
    ("overfitting", run(loss=(0.6, 0.4, 0.3, 0.2, 0.1), val_loss=(0.7, 0.6, 0.5, 0.7, 0.8))),
    ("overfitting", run(loss=(0.02, 0.01, 0.004, 0.003, 0.001), val_loss=(0.003, 0.002, 0.003, 0.004, 0.005))),
    ("labels_suspect", run(val_accuracy=0.97, accuracy=0.98, sure=0.02)),
    ("labels_suspect", run(val_accuracy=0.7, accuracy=0.75, sure=0.1)),  # most mistakes are unsure ones
    ("labels_suspect", run(val_accuracy=0.8, accuracy=0.99, sure=0.15)),  # it has learned by heart
    ("labels_suspect", run(val_accuracy=0.55, accuracy=0.56, sure=0.3)),  # it has learned nothing
    ("labels_suspect", run(val_accuracy=0.9, accuracy=0.92, sure=0.07, validation=50)),  # four pictures
    ("labels_suspect", run(val_accuracy=0.9, accuracy=0.92, sure=NAN)),
    ("underfitting", run()),
    ("underfitting", run(loss=(0.1,) * 5, val_loss=(0.11,) * 5)),
    ("underfitting", run(loss=(0.69, 0.68, 0.66, 0.64, 0.62), val_loss=(0.69, 0.68, 0.66, 0.64, 0.62))),
    ("underfitting", run(loss=(0.4,) * 5, val_loss=(0.6,) * 5)),  # far apart is something else
    ("underfitting", run(loss=(0.67,) * 3, val_loss=(0.68,) * 3)),
    ("small_class", run(counts=[900, 300])),
    ("small_class", run(counts=[20, 30])),
    ("small_class", run(counts=[1200, 15, 3])),  # not one for each label
    ("small_class", run(majority=0.7)),
    ("small_class", run(**{**TEN, "majority": 0.24})),
    ("still_improving", run()),  # 15 epochs to go
    ("still_improving", run(val_loss=(0.65, 0.42, 0.41, 0.405, 0.4), epochs=5)),
    ("still_improving", run(val_loss=(0.65, 0.55, 0.45, 0.35, 0.4), epochs=5)),
    ("still_improving", run(val_accuracy=1.0, epochs=5)),
    ("still_improving", run(loss=(0.5,), val_loss=(0.5,), epochs=1)),
    ("few_pictures", run(validation=40)),
    ("few_pictures", run(validation=0)),
]


@pytest.mark.parametrize(("key", "told", "numbers"), SPEAKS)
def test_a_rule_speaks_with_its_numbers_where_it_must(key, told, numbers):
    said = advice(told)
    assert [one.key for one in said] == [key]
    _, happening, remedy = said[0]
    for number in numbers:
        assert number in f"{happening} {remedy} "
    for sentence in (happening, remedy):
        assert not sentence[0].islower()
        assert sentence.endswith(".")
        assert len(sentence) < 200


@pytest.mark.parametrize(("key", "told"), SILENT)
def test_a_rule_is_silent_where_it_must(key, told):
    assert key not in [one.key for one in advice(told)]


def test_every_rule_has_both_kinds_of_run():
    assert {key for key, *_ in SPEAKS} == {key for key, *_ in SILENT}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (run(), []),
        (history([]), []),
        # the most serious first, and at most two
        (run(**RISING, counts=[900, 9], validation=30), ["overfitting", "small_class"]),
        # what follows from another finding is not said
        (run(**STILL, rate=1e-5, predicted=(0, 600)), ["too_slow"]),
        (run(**FLAT | {"val_accuracy": 0.4}, predicted=(0, 600)), ["one_class"]),
        (run(**FLAT | {"val_accuracy": 0.4}), ["below_baseline"]),
        (run(end="no number any more", predicted=(0, 600), validation=9, counts=[3, 4]), ["exploding"]),
    ],
)
def test_the_most_serious_comes_first_and_consequences_are_left_out(told, expected):
    said = [one.key for one in advice(told)]
    assert said == expected
    assert len(said) <= MOST


def test_figures_that_are_missing_raise_nothing():
    nothing = (NAN,) * 5
    told = run(nothing, nothing, NAN, NAN, (), NAN, NAN, 0, NAN, 0, (), [1, 2])
    assert [one.key for one in advice(told)] == ["exploding"]
    assert advice(history([{"kind": "epoch", "epoch": number} for number in range(1, 9)])) == []


def test_the_words_that_betray_a_loss_without_number_are_those_of_the_loop():
    # the loop cannot be imported without keras; its sentences are the only sign of it in the record
    loop = (Path(__file__).parents[1] / "cnnviz" / "training" / "loop.py").read_text("utf-8")
    assert "The loss is no number any more" in loop
    assert "answers are no numbers any more" in loop
