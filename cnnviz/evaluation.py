"""Scores: how often a classifier is right, with interval, baseline, confusion, calibration and "not sure" threshold."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15  # of the calibration error
SMALLEST = 1e-7  # probability that the log loss reckons with, as Keras does; 0 would give an endless loss
_SUM = 0.01  # by which a row may miss the sum 1: half precision does, logits miss it by far
_ROUNDED = 0.001  # by which a stated figure may miss the one from the confusion matrix: people round

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class of a score. None stands for 0/0, which is neither 0 nor 1.

    n: pictures that truly are of this class.
    precision: of the pictures called this, the share that is; None if none was called this.
    recall: of the n pictures, the share that was called this; None if n is 0.
    f1: 2·TP / (2·TP + FP + FN); None if there was neither such a picture nor such an answer.
    recall_interval: 95 % Wilson interval of the recall; None if n is 0.
    """

    n: int
    precision: float | None
    recall: float | None
    f1: float | None
    recall_interval: Interval | None


@dataclass(frozen=True, slots=True)
class Scores:
    """What a classifier scored on n pictures. Made by `scores`.

    right, accuracy, interval: how many answers were right, their share of n, its 95 % Wilson interval.
    majority: share of the largest class among the true labels, which saying that class always would score.
    per_class: label -> ClassScore, in the order of the network's outputs.
    confusion: confusion[true][predicted], counts.
    calibration_error: 0..1, expected calibration error (see `scores`).
    log_loss: mean of −ln(probability of the true class), probabilities below SMALLEST taken as SMALLEST; None where a
        card does not state it.
    unanswered: pictures of each class that got no answer, as where no face was found; empty where all got one. They
        count as wrong everywhere but in the last two figures.
    """

    n: int
    right: int
    accuracy: float
    interval: Interval
    majority: float
    per_class: dict[str, ClassScore]
    confusion: tuple[tuple[int, ...], ...]
    calibration_error: float
    log_loss: float | None
    unanswered: tuple[int, ...] = ()

    @property
    def majority_label(self) -> str:
        """The label of the largest class; of several equally large ones the first."""
        return max(self.per_class, key=lambda label: self.per_class[label].n)

    def words(self) -> str:
        """One line: "78.2 % right (77.4 to 79.0, n = 10,000); always saying 'cat' would give 10.0 %"."""
        low, high = (_percent(end) for end in self.interval)
        return (
            f"{_percent(self.accuracy)} % right ({low} to {high}, n = {self.n:,}); "
            f"always saying '{self.majority_label}' would give {_percent(self.majority)} %"
        )

    def lines(self) -> list[str]:
        """`words`, a line a class, and a line on the probabilities: the score as text for a terminal."""
        about = f"calibration error {self.calibration_error:.3f}"
        if self.log_loss is not None:
            about += f", mean log loss {self.log_loss:.3f}"
        lines = [self.words(), *(_class_line(label, one) for label, one in self.per_class.items()), about]
        if missing := sum(self.unanswered):
            lines.append(f"{missing:,} of the {self.n:,} got no answer and count as wrong")
        return lines

    def to_json(self) -> dict[str, Any]:
        """As a card's scores.test; undefined figures are None."""
        fields = asdict(self)
        fields["interval"] = list(self.interval)
        fields["confusion"] = [list(row) for row in self.confusion]
        fields["unanswered"] = list(self.unanswered)
        if not self.unanswered:
            del fields["unanswered"]
        for one in fields["per_class"].values():
            one["recall_interval"] = one["recall_interval"] and list(one["recall_interval"])
        return fields

    @classmethod
    def from_json(cls, fields: Any, labels: Sequence[str]) -> "Scores":
        """The scores that to_json wrote; ValueError with a sentence for anything else.

        All that follows from the confusion matrix is worked out from it again, so that no figure can contradict it;
        stated ones that do (n, accuracy, interval, majority) are refused.
        """
        needed = ("n", "accuracy", "interval", "majority", "per_class", "confusion", "calibration_error")
        if not isinstance(fields, Mapping):
            raise ValueError(f"The test score is {_shown(fields)}; an object with {', '.join(needed)} was expected.")
        if missing := [name for name in needed if name not in fields]:
            raise ValueError(f"The test score lacks {', '.join(missing)}; score the network again to get all figures.")
        classes, labels = fields["per_class"], _checked_labels(labels)
        if not isinstance(classes, Mapping) or set(classes) != set(labels):
            raise ValueError(
                f"The test score's per_class holds {_shown(classes)}; it must hold the labels {', '.join(labels)}."
            )
        error, loss = fields["calibration_error"], fields.get("log_loss")
        if not _is_number(error, 1):
            raise ValueError(f"The calibration error is {_shown(error)}; it must be a number from 0 to 1.")
        if loss is not None and not _is_number(loss):
            raise ValueError(f"The mean log loss is {_shown(loss)}; it must be a number from 0 on, or null.")
        confusion = _checked_confusion(fields["confusion"], len(labels))
        unanswered = _checked_unanswered(fields.get("unanswered", ()), len(labels))
        made = _from_confusion(confusion, labels, float(error), None if loss is None else float(loss), unanswered)
        for name in ("n", "accuracy", "interval", "majority"):
            _compare(name, fields[name], getattr(made, name))
        return made


def scores(probabilities: ArrayLike, truth: ArrayLike, labels: Sequence[str], unanswered: Sequence[int] = ()) -> Scores:
    """Score a classifier's answers.

    probabilities: float (n, classes), n ≥ 1, classes ≥ 2, each row adding up to 1 within 0.01 (softmax outputs; for one
    sigmoid output see `two_columns`). truth: whole numbers (n,), 0..classes−1. labels: the classes' names, unique.
    The answer is the most probable class, of equals the first, and its probability is the confidence.
    unanswered: how many pictures of each class got none; they count as wrong. Empty: none.

    Expected calibration error (Naeini, Cooper, Hauskrecht 2015; Guo, Pleiss, Sun, Weinberger 2017, equation 3): with
    answers sorted into 15 bins B of equal width by confidence, ((m−1)/15, m/15], it is
    Σ |B|/n · |share right in B − mean confidence in B|.

    ValueError with a sentence for probabilities that are not finite, negative or no probabilities, for shapes or labels
    that do not fit, and where there is nothing to score.
    """
    labels = _checked_labels(labels)
    rows = _checked_rows(probabilities)
    if rows.shape[1] != len(labels):
        raise ValueError(
            f"The network gives {rows.shape[1]} probabilities a picture for {len(labels)} labels; "
            "score it on data with its own classes."
        )
    classes = _checked_truth(truth, rows)
    predicted, confidence = _answers(rows)
    right = predicted == classes
    count = len(labels)
    missing = _checked_unanswered(unanswered, count)
    confusion = np.bincount(classes * count + predicted, minlength=count * count).reshape(count, count)

    bins = np.searchsorted(np.arange(1, BINS) / BINS, confidence, side="left")
    # |B|/n · |mean right − mean confidence| is |sum of (right − confidence)| / n
    gaps = np.bincount(bins, weights=right - confidence, minlength=BINS)
    of_truth = np.clip(rows[np.arange(len(rows)), classes], SMALLEST, 1)
    return _from_confusion(
        tuple(tuple(int(cell) for cell in row) for row in confusion),
        labels,
        calibration_error=float(np.abs(gaps).sum() / len(rows)),
        log_loss=abs(float(np.mean(np.log(of_truth)))),
        unanswered=missing,
    )


def wilson(right: int, n: int, confidence: float = 0.95) -> Interval:
    """The interval of a share: right of n, 0..1 (Wilson 1927, score interval without continuity correction).

    Center (p + z²/2n) / (1 + z²/n), half width z·√(p(1−p)/n + z²/4n²) / (1 + z²/n). ValueError where n is 0.
    """
    if not 0 <= right <= n or n < 1:
        raise ValueError(f"{right} right of {n} is no share; expected 0 to n right, and n at least 1.")
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence is {confidence}; it must lie between 0 and 1, as .95 does.")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = right / n
    wider = 1 + z * z / n
    center = (p + z * z / (2 * n)) / wider
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / wider
    # rounding would leave dust where the end is 0 or 1 exactly
    return (0.0 if right == 0 else center - half, 1.0 if right == n else center + half)


def two_columns(p: ArrayLike) -> NDArray[np.float64]:
    """The answers of a one-output network, float (n,) or (n, 1) in 0..1 -> (n, 2): 1 − p and p."""
    column = np.asarray(p, np.float64)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise ValueError(f"The network's answers have the shape {column.shape}; expected one number a picture.")
    _refuse_not_finite(column[:, None])
    if column.size and not (column.min() >= 0 and column.max() <= 1):
        raise ValueError(
            f"The network's answers reach from {column.min():.3g} to {column.max():.3g}; "
            "expected probabilities from 0 to 1: put a sigmoid behind the last layer."
        )
    return np.stack([1 - column, column], axis=1)


def temperature(views: Sequence[ArrayLike], truth: ArrayLike) -> float:
    """The T > 0 with which the answers softmax(ln(p)/T), their mean over the views, have the smallest log loss.

    views: of the same pictures, each (n, classes), n > 0. Below 1 the answers become surer, above 1 less sure; with one
    view the most likely class stays. Temperature scaling: Guo et al. 2017, from probabilities, whose logarithms are the
    logits but for a constant. Sought from 1/8 to 8, to 0.3 %.
    """
    rows = [_checked_rows(view) for view in views]
    true = _checked_truth(truth, rows[0])

    def loss(t: float) -> float:
        answers = np.mean([tempered(view, t) for view in rows], axis=0)
        return float(-np.log(np.clip(answers[np.arange(len(true)), true], SMALLEST, 1)).mean())

    best, step = 1.0, 8.0
    while step > 1.003:
        best = float(min(best * np.geomspace(1 / step, step, 17), key=loss))
        step **= 1 / 4
    return min(max(best, 1 / 8), 8.0)


def tempered(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """softmax(ln(p)/T) of each row of (n, classes): what a network gives whose logits are divided by T."""
    logs = np.log(np.clip(np.asarray(probabilities, np.float64), 1e-300, None)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    answers: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return answers


def threshold(probabilities: ArrayLike, truth: ArrayLike, accept: float = 0.95) -> float | None:
    """The confidence from which on a network is sure: the largest that still accepts `accept` of its right answers.

    probabilities, truth: of validation pictures, as for `scores`. accept: share above 0, up to 1. An answer is sure if
    its confidence is at least the threshold; equal confidences are accepted together, so it may be a larger share.
    None if no answer was right: then nothing says what "sure" could mean.
    """
    if not 0 < accept <= 1:
        raise ValueError(f"The share to accept is {accept}; it must lie above 0 and not above 1, as .95 does.")
    rows = _checked_rows(probabilities)
    classes = _checked_truth(truth, rows)
    predicted, confidence = _answers(rows)
    surest_first = np.sort(confidence[predicted == classes])[::-1]
    if not surest_first.size:
        return None
    needed = math.ceil(accept * surest_first.size - 1e-9)  # .07 · 100 is a little above 7
    return float(surest_first[max(needed, 1) - 1])


def sure(probabilities: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """Which answers have at least this confidence: probabilities (n, classes) -> bool (n,)."""
    return np.asarray(_answers(_checked_rows(probabilities))[1] >= threshold)


def accepted(probabilities: ArrayLike, threshold: float) -> float:
    """The share of answers that are `sure`, 0..1; of foreign pictures, the share that the threshold lets through."""
    return float(np.mean(sure(probabilities, threshold)))


def accepted_by(probabilities: ArrayLike, truth: ArrayLike, threshold: float) -> dict[str, float | None]:
    """The share of the "right" answers that are `sure`, and of the "wrong" ones; None where there are no such answers.

    What a threshold is worth: one that lets most wrong answers through tells little.
    """
    rows = _checked_rows(probabilities)
    passed, right = sure(rows, threshold), _answers(rows)[0] == _checked_truth(truth, rows)
    return {what: float(passed[of].mean()) if of.any() else None for what, of in (("right", right), ("wrong", ~right))}


def _answers(rows: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The most probable class of each row and its probability, which half precision may have rounded above 1."""
    return rows.argmax(axis=1), np.minimum(rows.max(axis=1), 1)


def _from_confusion(
    confusion: tuple[tuple[int, ...], ...],
    labels: tuple[str, ...],
    calibration_error: float,
    log_loss: float | None,
    unanswered: tuple[int, ...],
) -> Scores:
    of_class = [sum(row) + missing for row, missing in zip(confusion, unanswered or [0] * len(labels), strict=True)]
    called = [sum(column) for column in zip(*confusion, strict=True)]
    hits = [confusion[index][index] for index in range(len(labels))]
    n, right = sum(of_class), sum(hits)
    return Scores(
        n=n,
        right=right,
        accuracy=right / n,
        interval=wilson(right, n),
        majority=max(of_class) / n,
        per_class={
            label: ClassScore(
                n=there,
                precision=_share(hit, said),
                recall=_share(hit, there),
                f1=_share(2 * hit, there + said),  # TP + FN pictures and TP + FP answers
                recall_interval=wilson(hit, there) if there else None,
            )
            for label, there, said, hit in zip(labels, of_class, called, hits, strict=True)
        },
        confusion=confusion,
        calibration_error=calibration_error,
        log_loss=log_loss,
        unanswered=unanswered,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percent(share: float) -> str:
    """One decimal; 0.0 and 100.0 only where they are exact."""
    if 0 < share < 1:
        share = min(max(share, 0.001), 0.999)
    return f"{100 * share:.1f}"


def _class_line(label: str, one: ClassScore) -> str:
    if one.recall is None or one.recall_interval is None:
        found = "no such picture here"
    else:
        low, high = (_percent(end) for end in one.recall_interval)
        found = f"{_percent(one.recall)} % found ({low} to {high}, n = {one.n:,})"
    if one.precision is None:
        return f"{label}: {found}; it never says so"
    return f"{label}: {found}; right in {_percent(one.precision)} % of the times it says so"


def _refuse_not_finite(rows: NDArray[np.float64]) -> None:
    if bad := int((~np.isfinite(rows)).any(axis=1).sum()):
        raise ValueError(
            f"For {bad:,} of {len(rows):,} pictures the network's answer is not a number (NaN or infinite), "
            "so it cannot be scored; train it again with a smaller learning rate."
        )


def _checked_rows(probabilities: ArrayLike) -> NDArray[np.float64]:
    rows = np.asarray(probabilities, np.float64)
    if rows.ndim != 2 or rows.shape[1] < 2:
        raise ValueError(
            f"The network's answers have the shape {rows.shape}; expected a row a picture with a probability for each "
            "of at least two classes."
        )
    if not len(rows):
        raise ValueError("There is no picture to score; give at least one.")
    _refuse_not_finite(rows)
    sums = rows.sum(axis=1)
    off = np.where(rows.min(axis=1) < 0, np.inf, np.abs(sums - 1))
    if off.max() > _SUM:
        worst = int(off.argmax())
        raise ValueError(
            f"The answers for picture {worst + 1} reach from {rows[worst].min():.3g} to {rows[worst].max():.3g} and "
            f"add up to {sums[worst]:.3g}; expected probabilities of sum 1: put a softmax behind the last layer."
        )
    return rows


def _checked_truth(truth: ArrayLike, rows: NDArray[np.float64]) -> NDArray[np.intp]:
    classes = np.asarray(truth)
    if classes.shape != (len(rows),) or classes.dtype.kind not in "iu":
        raise ValueError(
            f"The true classes are {classes.dtype} of shape {classes.shape}; expected a whole number for each of "
            f"{len(rows):,} pictures."
        )
    if classes.min() < 0 or classes.max() >= rows.shape[1]:
        raise ValueError(
            f"The true classes reach from {classes.min()} to {classes.max()}; expected numbers from 0 to "
            f"{rows.shape[1] - 1}, one for each output of the network."
        )
    return classes.astype(np.intp)


def _checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    if len(labels) < 2 or len(set(labels)) != len(labels):
        raise ValueError(f"The labels are {', '.join(labels) or 'none'}; expected at least two, each of them once.")
    return tuple(labels)


def _checked_confusion(cells: Any, count: int) -> tuple[tuple[int, ...], ...]:
    whole = isinstance(cells, list | tuple) and len(cells) == count
    for row in cells if whole else ():
        whole &= isinstance(row, list | tuple) and len(row) == count
        whole &= whole and all(isinstance(c, int) and not isinstance(c, bool) and 0 <= c < 2**53 for c in row)
    if not whole or not any(any(row) for row in cells):
        raise ValueError(
            f"The confusion matrix is {_shown(cells)}; expected {count} rows of {count} counts, not all of them 0."
        )
    return tuple(tuple(row) for row in cells)


def _checked_unanswered(counts: Any, count: int) -> tuple[int, ...]:
    whole = isinstance(counts, list | tuple) and len(counts) in (0, count)
    if not whole or not all(isinstance(c, int) and not isinstance(c, bool) and 0 <= c < 2**53 for c in counts):
        raise ValueError(
            f"The pictures without an answer are {_shown(counts)}; expected {count} counts, one for each class."
        )
    return tuple(counts) if any(counts) else ()


def _compare(name: str, stated: Any, computed: float | Interval) -> None:
    """ValueError if a stated figure is not what the confusion matrix gives, but for rounding."""
    ends = computed if isinstance(computed, tuple) else (computed,)
    given = stated if isinstance(computed, tuple) and isinstance(stated, list | tuple) else (stated,)
    fits = len(given) == len(ends) and all(
        _is_number(one) and abs(one - end) <= (0 if name == "n" else _ROUNDED)
        for one, end in zip(given, ends, strict=True)
    )
    if not fits:
        says = " to ".join(f"{end:.4g}" if isinstance(end, float) else str(end) for end in ends)
        raise ValueError(
            f"The test score states {_shown(stated)} as {name}, but its confusion matrix gives {says}; "
            "score the network again."
        )


def _is_number(value: Any, most: float = 2**53) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
