"""What is happening in a run, and what to try: rules on its history, the most serious first, no keras."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cnnviz.display import number
from cnnviz.training.history import Epoch, Floats, History

MOST = 2  # pieces of advice at a time
_LATELY = 3  # epochs that count as "lately"
_RISEN = 1.1  # times the lowest validation loss from which on it counts as risen
_MOVED = 0.03  # share by which a loss must fall to have moved
_SLOW = 1e-3  # learning rates below may be too low
_SURE = 0.03  # share of validation pictures wrongly answered with p above .9 that makes labels suspect
_FEW = 20  # training pictures of a class
_FEW_VALIDATION = 40


class Advice(NamedTuple):
    """key: of the rule. happening, remedy: one plain sentence each (labels in them are the user's own words)."""

    key: str
    happening: str
    remedy: str


def advice(history: History) -> list[Advice]:
    """What to say about a run now: at most MOST pieces, the most serious first; empty while all goes well.

    A rule that explains another's finding silences it: a loss that explodes also answers with one class only.
    """
    found: list[Advice] = []
    silent: set[str] = set()
    for rule, explains in _RULES:
        said = rule(history)
        if said is not None and said.key not in silent:
            found.append(said)
            silent |= explains
    return found[:MOST]


def exploding(history: History) -> Advice | None:
    """The loss is no number, or three times what it was at first (and what guessing gives)."""
    losses = history.all_steps.loss
    rate = _rate(history)
    remedy = f"Start again with a tenth of the learning rate{f', {_plain(rate / 10)}' if rate else ''}."
    if "no number" in history.end or (losses.size and not np.isfinite(losses[-1])):
        return Advice("exploding", "The loss is no number any more: the steps were far too large.", remedy)
    if losses.size < 10:
        return None
    first, now = max(float(np.median(losses[:3])), _guessing(history)), float(np.median(losses[-5:]))
    if not now >= 3 * first:
        return None
    return Advice("exploding", f"The loss has risen from {_loss(losses[0])} to {_loss(now)}: it explodes.", remedy)


def too_slow(history: History) -> Advice | None:
    """The training loss has hardly moved since the first epoch, and the learning rate is low."""
    epochs, rate = history.all_epochs, _rate(history)
    warm = max(_LATELY, history.epochs / 10 + 1)  # the schedule may climb for a tenth of the time
    if len(epochs) < min(warm, max(history.epochs, 2)) or not rate or rate >= _SLOW:
        return None
    before, now = epochs[0].loss, epochs[-1].loss
    if not (1 - _MOVED) * before < now <= before or _solved(epochs[-1]):
        return None
    return Advice(
        "too_slow",
        f"The training loss hardly moves: {number(before)} after the first epoch, {number(now)} now.",
        f"Try ten times the learning rate, {_plain(10 * rate)}.",
    )


def one_class(history: History) -> Advice | None:
    """For two epochs every validation picture was called the same, though they are not all the same."""
    lately = history.all_epochs[-2:]
    if len(lately) < 2 or history.majority >= 1:
        return None
    if any(sum(epoch.val_predicted) == 0 or max(epoch.val_predicted) < sum(epoch.val_predicted) for epoch in lately):
        return None
    answers = lately[-1].val_predicted
    always = answers.index(max(answers))
    name = f"“{history.labels[always]}”" if always < len(history.labels) else f"class {always + 1}"
    return Advice(
        "one_class",
        f"The network calls all {sum(answers):,} validation pictures {name}.",
        "Give it a few more epochs; if it stays so, try a third of the learning rate, or turn on “Count rare "
        "classes more”.",
    )


def below_baseline(history: History) -> Advice | None:
    """Even the best of the last epochs is right less often than the largest class's name would be."""
    epochs = history.all_epochs
    if len(epochs) < _LATELY or not history.majority > 0:
        return None
    best = max(epoch.val_accuracy for epoch in epochs[-_LATELY:])
    if not best < history.majority:
        return None
    return Advice(
        "below_baseline",
        f"In the last {_LATELY} epochs validation accuracy was {_percent(best)} at best; always naming the largest "
        f"class would give {_percent(history.majority)}.",
        "Look whether pictures and labels belong together, and try a third of the learning rate.",
    )


def overfitting(history: History) -> Advice | None:
    """Since the lowest validation loss, over three epochs ago, it has risen while the training loss fell on."""
    epochs = history.all_epochs
    if len(epochs) <= _LATELY:
        return None
    lowest = min(epochs, key=lambda epoch: epoch.val_loss)
    lately = epochs[-_LATELY:]
    validation, training = (float(np.mean([getattr(e, name) for e in lately])) for name in ("val_loss", "loss"))
    if lowest.epoch > epochs[-1].epoch - _LATELY:
        return None
    # a loss near zero may double without meaning much
    if not validation > _RISEN * lowest.val_loss + 0.01 or not training < (1 - _MOVED) * lowest.loss:
        return None
    return Advice(
        "overfitting",
        f"Since epoch {lowest.epoch} the validation loss rose from {_loss(lowest.val_loss)} to {_loss(validation)}, "
        f"while the training loss fell from {_loss(lowest.loss)} to {_loss(training)}: the network learns the training "
        "pictures by heart.",
        f"Try more pictures, augmentation or a smaller network, or stop here: epoch {lowest.epoch} is the one kept.",
    )


def labels_suspect(history: History) -> Advice | None:
    """At its best epoch the network does no worse on new pictures, yet most of its mistakes there are sure ones."""
    best, pictures = history.best, history.pictures.get("validation", 0)
    if best is None or best.epoch < _LATELY:
        return None
    wrong = 1 - best.val_accuracy
    sure = round(best.val_sure_mistakes * pictures) if best.val_sure_mistakes >= _SURE else 0
    learned = best.val_accuracy > history.majority + 0.3 * (1 - history.majority)
    if sure < 5 or best.val_sure_mistakes < 0.5 * wrong or not learned or best.accuracy > best.val_accuracy + 0.1:
        return None
    return Advice(
        "labels_suspect",
        f"{sure:,} of {round(wrong * pictures):,} mistakes on the validation pictures were made with p above 0.9: some "
        "labels may be wrong.",
        "Look at the pictures behind the confusion matrix, and at copies that stand in two classes.",
    )


def underfitting(history: History) -> Advice | None:
    """Both losses are still over half of what guessing gives, and stand still."""
    epochs, guessing = history.all_epochs, _guessing(history)
    if len(epochs) <= _LATELY or not guessing:
        return None
    before, now = epochs[-_LATELY - 1], epochs[-1]
    flat = now.loss > (1 - _MOVED) * before.loss and abs(now.val_loss - before.val_loss) < _MOVED * before.val_loss
    if not flat or min(now.loss, now.val_loss) < guessing / 2 or now.val_loss > 1.25 * now.loss:
        return None
    return Advice(
        "underfitting",
        f"Training and validation loss stand still at {_loss(now.loss)} and {_loss(now.val_loss)}; guessing gives "
        f"{_loss(guessing)}.",
        "Try a larger network or another learning rate, and look whether you could tell these pictures apart yourself.",
    )


def small_class(history: History) -> Advice | None:
    """A class has few training pictures, or one has three times as many as the others have on average."""
    counts, labels = history.counts, history.labels
    if counts and len(counts) == len(labels):
        least, most = (pick(range(len(counts)), key=counts.__getitem__) for pick in (min, max))
        if counts[most] < _FEW:
            return Advice(
                "small_class",
                f"No class has more than {counts[most]:,} training pictures.",
                "Add pictures; with so few a network learns these by heart, and little else.",
            )
        if counts[least] < _FEW or counts[most] > 3 * counts[least]:
            return Advice(
                "small_class",
                f"“{labels[least]}” has {counts[least]:,} training pictures, “{labels[most]}” has {counts[most]:,}.",
                f"Add pictures of “{labels[least]}”, or turn on “Count rare classes more”.",
            )
        return None
    others = (1 - history.majority) / max(1, len(labels) - 1)
    if not history.majority > 3 * others or len(labels) < 2:
        return None
    return Advice(
        "small_class",
        f"{_percent(history.majority)} of the validation pictures are of one of the {len(labels)} classes.",
        "Add pictures of the smaller classes, or turn on “Count rare classes more”.",
    )


def still_improving(history: History) -> Advice | None:
    """All epochs are over, and the validation loss was falling to the end."""
    epochs = history.all_epochs
    if len(epochs) < 2 or len(epochs) < history.epochs or not epochs[-1].best or _solved(epochs[-1]):
        return None
    before = epochs[-min(_LATELY, len(epochs) - 1) - 1]
    if not epochs[-1].val_loss < 0.95 * before.val_loss:
        return None
    return Advice(
        "still_improving",
        f"The validation loss was still falling at the end: {_loss(before.val_loss)} after epoch {before.epoch}, "
        f"{_loss(epochs[-1].val_loss)} after epoch {epochs[-1].epoch}.",
        f"Train for longer, say {2 * len(epochs)} epochs.",
    )


def few_pictures(history: History) -> Advice | None:
    """So few validation pictures that one more right or wrong is seen in the curve."""
    pictures = history.pictures.get("validation", 0)
    if not 0 < pictures < _FEW_VALIDATION or not history.all_epochs:
        return None
    return Advice(
        "few_pictures",
        f"There are {pictures} validation pictures, so each counts {_percent(1 / pictures)} and the curve jumps.",
        "Add pictures; until then trust only large differences.",
    )


_Rule = Callable[[History], Advice | None]
_CONSEQUENCES = {"one_class", "below_baseline", "underfitting", "overfitting", "labels_suspect", "still_improving"}
# the most serious first, and whose findings each explains
_RULES: tuple[tuple[_Rule, set[str]], ...] = (
    (exploding, {*_CONSEQUENCES, "small_class", "few_pictures"}),
    (too_slow, _CONSEQUENCES),
    (one_class, {"below_baseline", "underfitting"}),
    (below_baseline, {"underfitting"}),
    (overfitting, {"labels_suspect"}),
    (labels_suspect, {"underfitting"}),
    (underfitting, set()),
    (small_class, set()),
    (still_improving, set()),
    (few_pictures, set()),
)


def _rate(history: History) -> float:
    """The learning rate that the run was set to; in older records the highest after an epoch; 0 if unknown."""
    if history.learning_rate > 0:
        return history.learning_rate
    rates: Floats = history.column("learning_rate")
    rates = rates[np.isfinite(rates)]
    return float(rates.max()) if rates.size else 0.0


def _guessing(history: History) -> float:
    """The loss of giving each class the same probability, ln(classes); 0 where they are not known."""
    return math.log(len(history.labels)) if history.labels else 0.0


def _solved(epoch: Epoch) -> bool:
    return epoch.val_accuracy >= 0.99


def _loss(value: float) -> str:
    return number(float(value), 3)


def _plain(rate: float) -> str:
    """A learning rate as people write it: 0.0003."""
    return np.format_float_positional(rate, precision=2, fractional=False, trim="-")


def _percent(share: float) -> str:
    return f"{number(100 * share, 3)} %"
