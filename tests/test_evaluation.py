"""Scores against numbers worked out by hand, published intervals, and plain loops; bad input gets a sentence."""

import json
import math
from typing import Any

import numpy as np
import pytest

from cnnviz import evaluation
from cnnviz.evaluation import Scores, accepted, accepted_by, scores, sure, threshold, two_columns, wilson

# Six pictures of cats and dogs; no bird is there and none is ever called. One cat is called a dog, one dog a cat.
HAND = np.array(
    [
        [0.9, 0.1, 0.0],  # cat, right
        [0.8, 0.1, 0.1],  # cat, right
        [0.3, 0.6, 0.1],  # cat, called dog
        [0.5, 0.5, 0.0],  # cat, right: of equals the first
        [0.1, 0.7, 0.2],  # dog, right
        [1.0, 0.0, 0.0],  # dog, called cat, as sure as can be
    ]
)
TRUTH = np.array([0, 0, 0, 0, 1, 1])
LABELS = ("cat", "dog", "bird")


def hand(**changes: Any) -> dict[str, Any]:
    return {**scores(HAND, TRUTH, LABELS).to_json(), **changes}


def random_answers(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random table of probabilities, some classes never true, some probabilities on a bin's edge."""
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(1, 60)), int(rng.integers(2, 8))
    rows = rng.dirichlet(np.full(classes, rng.uniform(0.05, 3)), n)
    rows[rng.random(n) < 0.2] = np.eye(classes)[rng.integers(classes)]
    rows[rng.random(n) < 0.2] = [0.6, 0.4] + [0.0] * (classes - 2)  # 9/15
    return rows, rng.integers(0, rng.integers(1, classes + 1), n)


@pytest.mark.parametrize(
    ("right", "n", "confidence", "low", "high"),
    [
        (81, 263, 0.95, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3: these four
        (15, 148, 0.95, 0.0624, 0.1605),
        (0, 20, 0.95, 0.0, 0.1611),
        (1, 29, 0.95, 0.0061, 0.1718),
        (0, 10, 0.95, 0.0, 0.2775),  # z² / (n + z²)
        (10, 10, 0.95, 0.7225, 1.0),
        (7820, 10000, 0.95, 0.7738, 0.7900),
        (1, 2, 0.6826894921370859, 0.2113, 0.7887),  # z = 1: ½ ± √(1/8 + 1/16) / (3/2)
    ],
)
def test_wilson_intervals_are_the_published_ones(
    right: int, n: int, confidence: float, low: float, high: float
) -> None:
    assert wilson(right, n, confidence) == pytest.approx((low, high), abs=5.1e-5)


def test_wilson_ends_are_exact_where_none_or_all_are_right() -> None:
    for n in range(1, 200):
        assert wilson(0, n)[0] == 0.0
        assert wilson(n, n)[1] == 1.0
        assert all(0 <= low < right / n < high <= 1 for right in range(1, n) for low, high in [wilson(right, n)])


def test_scores_of_six_pictures_are_those_worked_out_by_hand() -> None:
    got = scores(HAND, TRUTH, LABELS)
    assert (got.n, got.right, got.accuracy, got.majority) == (6, 4, 4 / 6, 4 / 6)
    assert got.interval == wilson(4, 6)
    assert got.confusion == ((3, 1, 0), (1, 1, 0), (0, 0, 0))
    cat, dog, bird = got.per_class.values()
    assert (cat.n, cat.precision, cat.recall, cat.f1, cat.recall_interval) == (4, 3 / 4, 3 / 4, 6 / 8, wilson(3, 4))
    assert (dog.n, dog.precision, dog.recall, dog.f1, dog.recall_interval) == (2, 1 / 2, 1 / 2, 2 / 4, wilson(1, 2))
    assert (bird.n, bird.precision, bird.recall, bird.f1, bird.recall_interval) == (0, None, None, None, None)
    # each picture alone in its bin but .9 and 1.0: (14/15, 1], (13/15, 14/15]; gaps .1, .2, .6, .5, .3, 1.0
    assert got.calibration_error == pytest.approx((0.1 + 0.2 + 0.6 + 0.5 + 0.3 + 1.0) / 6)
    logs = [math.log(p) for p in (0.9, 0.8, 0.3, 0.5, 0.7, 1e-7)]
    assert got.log_loss == pytest.approx(-sum(logs) / 6)


def test_pictures_without_an_answer_count_as_wrong() -> None:
    """The six by hand, and two more dogs and one more bird in whose photos nothing was found."""
    got = scores(HAND, TRUTH, LABELS, (0, 2, 1))
    assert (got.n, got.right, got.accuracy, got.majority) == (9, 4, 4 / 9, 4 / 9)
    assert got.interval == wilson(4, 9)
    cat, dog, bird = got.per_class.values()
    assert (cat.n, cat.precision, cat.recall) == (4, 3 / 4, 3 / 4)
    assert (dog.n, dog.precision, dog.recall, dog.f1) == (4, 1 / 2, 1 / 4, 2 / 6)
    assert (bird.n, bird.precision, bird.recall, bird.recall_interval) == (1, None, 0.0, wilson(0, 1))
    plain = scores(HAND, TRUTH, LABELS)
    assert (got.calibration_error, got.log_loss, got.confusion) == (
        plain.calibration_error,
        plain.log_loss,
        plain.confusion,
    )
    assert got.lines()[-1] == "3 of the 9 got no answer and count as wrong"
    assert Scores.from_json(json.loads(json.dumps(got.to_json())), LABELS) == got
    assert scores(HAND, TRUTH, LABELS, (0, 0, 0)) == plain
    assert "unanswered" not in plain.to_json()


@pytest.mark.parametrize("counts", [(1,), (0, -1, 0), (0, 1.5, 0), "abc", (0, True, 0), 3])
def test_counts_without_an_answer_that_are_none(counts: Any) -> None:
    with pytest.raises(ValueError, match=r"The pictures without an answer are .*; expected 3 counts"):
        scores(HAND, TRUTH, LABELS, counts)
    with pytest.raises(ValueError, match="The pictures without an answer are"):
        Scores.from_json(hand(unanswered=counts), LABELS)


@pytest.mark.parametrize(
    ("rows", "truth", "precision", "recall", "f1"),
    [
        ([[0.2, 0.8]], [1], (None, 1.0), (None, 1.0), (None, 1.0)),  # neither there nor called: all undefined
        ([[0.2, 0.8]], [0], (None, 0.0), (0.0, None), (0.0, 0.0)),  # F1 is 0 where one of its two halves is undefined
        ([[0.9, 0.1], [0.9, 0.1]], [0, 1], (0.5, None), (1.0, 0.0), (2 / 3, 0.0)),
    ],
)
def test_a_figure_is_none_only_where_it_would_be_nought_by_nought(
    rows: list[list[float]], truth: list[int], precision: Any, recall: Any, f1: Any
) -> None:
    got = scores(rows, truth, ("a", "b")).per_class.values()
    assert tuple(one.precision for one in got) == precision
    assert tuple(one.recall for one in got) == recall
    assert tuple(one.f1 for one in got) == f1


@pytest.mark.parametrize(
    ("confidences", "right", "expected"),
    [
        ([0.8, 0.8, 0.8, 0.8, 0.8], [1, 1, 1, 1, 0], 0.0),  # four of five right at 80 %: perfectly calibrated
        ([1.0] * 4, [1] * 4, 0.0),
        ([1.0] * 4, [0] * 4, 1.0),
        ([0.6, 0.6], [1, 0], 0.1),
        # 9/15 belongs to the bin below it: with .55 it shares one (gap .15 / 2), were it above they would give .85 / 2
        ([9 / 15, 0.55], [1, 0], 0.075),
        ([9 / 15, 0.62], [1, 0], 0.51),  # two bins: (.4 + .62) / 2
        ([0.9, 0.52], [0, 1], 0.69),  # gaps of opposite sign in two bins do not cancel: (.9 + .48) / 2
    ],
)
def test_calibration_error_weighs_the_gap_in_each_of_15_bins(
    confidences: list[float], right: list[int], expected: float
) -> None:
    rows = [[p, 1 - p] for p in confidences]
    assert scores(rows, 1 - np.array(right), "ab").calibration_error == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(60))
def test_counts_and_calibration_agree_with_plain_loops(seed: int) -> None:
    rows, truth = random_answers(seed)
    labels = [f"class {index}" for index in range(rows.shape[1])]
    predicted = [row.index(max(row)) for row in rows.tolist()]
    confusion = [[0] * len(labels) for _ in labels]
    bins: dict[int, list[tuple[bool, float]]] = {}
    for row, true, said in zip(rows.tolist(), truth.tolist(), predicted, strict=True):
        confusion[true][said] += 1
        place = next(m for m in range(1, 16) if row[said] <= m / 15 or m == 15)
        bins.setdefault(place, []).append((true == said, row[said]))
    error = sum(
        len(inside) / len(rows) * abs(sum(r for r, _ in inside) / len(inside) - sum(c for _, c in inside) / len(inside))
        for inside in bins.values()
    )
    got = scores(rows, truth, labels)
    assert got.confusion == tuple(map(tuple, confusion))
    assert got.calibration_error == pytest.approx(error, abs=1e-12)
    assert got.majority == max(np.bincount(truth)) / len(truth)
    for index, one in enumerate(got.per_class.values()):
        assert one.recall_interval == (wilson(confusion[index][index], one.n) if (truth == index).any() else None)
    assert Scores.from_json(json.loads(json.dumps(got.to_json(), allow_nan=False)), labels) == got


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_answers_in_any_precision_are_taken(kind: str) -> None:
    rows = np.full((4, 10), 0.1).astype(kind)
    assert scores(rows, [0, 1, 2, 3], "abcdefghij").right == 1


def test_answers_rounded_above_one_stay_in_range() -> None:
    rows = [[1.0004, 0.0], [1.0004, 0.0]]
    got = scores(rows, [0, 0], "ab")
    assert (got.calibration_error, got.log_loss, threshold(rows, [0, 0]), accepted(rows, 1.0)) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("confusion", "expected"),
    [
        ([[782, 218], [0, 0]], "78.2 % right (75.5 to 80.6, n = 1,000); always saying 'cat' would give 100.0 %"),
        ([[1, 0], [0, 1]], "100.0 % right (34.2 to 100.0, n = 2); always saying 'cat' would give 50.0 %"),
        ([[0, 1], [2, 0]], "0.0 % right (0.0 to 56.1, n = 3); always saying 'dog' would give 66.7 %"),
        # one error of 20,000 is not "100.0 %"
        ([[9999, 1], [0, 10000]], "99.9 % right (99.9 to 99.9, n = 20,000); always saying 'cat' would give 50.0 %"),
    ],
)
def test_the_score_in_words(confusion: list[list[int]], expected: str) -> None:
    rows, truth = [], []
    for true, cells in enumerate(confusion):
        for said, count in enumerate(cells):
            rows += [np.eye(2)[said]] * count
            truth += [true] * count
    assert scores(rows, truth, ("cat", "dog")).words() == expected


def test_the_score_in_lines_names_each_class_and_what_is_undefined() -> None:
    assert scores(HAND, TRUTH, LABELS).lines()[1:] == [
        "cat: 75.0 % found (30.1 to 95.4, n = 4); right in 75.0 % of the times it says so",
        "dog: 50.0 % found (9.5 to 90.5, n = 2); right in 50.0 % of the times it says so",
        "bird: no such picture here; it never says so",
        "calibration error 0.450, mean log loss 3.117",
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "accept", "expected", "share"),
    [
        ([p / 100 for p in range(51, 91)], [], 0.95, 0.53, 38 / 40),  # 38 of 40 right answers are needed
        ([p / 100 for p in range(51, 91)], [], 1.0, 0.51, 1.0),
        ([p / 100 for p in range(51, 61)], [], 0.9, 0.52, 9 / 10),
        ([p / 1000 for p in range(501, 601)], [], 0.07, 0.594, 7 / 100),  # .07 · 100 is 7.000000000000001
        ([0.9], [], 0.01, 0.9, 1.0),
        ([0.7] * 20, [], 0.95, 0.7, 1.0),  # equals are accepted together
        ([0.9] * 19 + [0.6], [0.99, 0.55, 0.8], 0.95, 0.9, 20 / 23),  # wrong answers do not move it
    ],
)
def test_the_threshold_accepts_that_share_of_right_answers(
    right: list[float], wrong: list[float], accept: float, expected: float, share: float
) -> None:
    rows = np.array([[p, 1 - p] for p in (*right, *wrong)])
    truth = [0] * len(right) + [1] * len(wrong)
    got = threshold(rows, truth, accept)
    assert got == pytest.approx(expected)
    assert got is not None
    assert accepted(rows, got) == pytest.approx(share)
    assert sure(rows, got).sum() == round(share * len(rows))
    # a hair below, since 1 − (1 − p) is not always p
    of = {what: [p >= expected - 1e-9 for p in ps] for what, ps in (("right", right), ("wrong", wrong))}
    expected_of = {what: sum(passed) / len(passed) if passed else None for what, passed in of.items()}
    assert accepted_by(rows, truth, got) == expected_of


@pytest.mark.parametrize("seed", range(40))
def test_no_larger_threshold_accepts_enough(seed: int) -> None:
    rows, truth = random_answers(seed)
    right = rows.argmax(axis=1) == truth
    got = threshold(rows.astype(np.float32), truth)
    if got is None:
        assert not right.any()
        return
    kept = rows.astype(np.float32).max(axis=1)[right]
    assert (kept >= got).mean() >= 0.95
    assert (kept > got).mean() < 0.95


def test_without_a_right_answer_there_is_no_threshold() -> None:
    assert threshold([[0.9, 0.1]], [1]) is None


@pytest.mark.parametrize("p", [[0.25, 1.0, 0.0], [[0.25], [1.0], [0.0]]])
def test_one_output_becomes_two_columns(p: list[Any]) -> None:
    np.testing.assert_array_equal(two_columns(np.array(p, np.float32)), [[0.75, 0.25], [0, 1], [1, 0]])


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: scores([[0.5, 0.5], [NAN, 0.5]], [0, 0], "ab"),
            "For 1 of 2 pictures .* not a number .* learning rate",
        ),
        (lambda: scores([[INF, -INF]], [0], "ab"), "For 1 of 1 pictures .* not a number"),
        (lambda: threshold([[NAN, NAN]], [0]), "not a number"),
        (lambda: accepted([[NAN, NAN]], 0.5), "not a number"),
        (lambda: accepted_by([[NAN, NAN]], [0], 0.5), "not a number"),
        (lambda: accepted_by([[0.5, 0.5]], [0, 1], 0.5), "expected a whole number for each of 1 pictures"),
        (lambda: two_columns([0.5, NAN]), "For 1 of 2 pictures .* not a number"),
        (lambda: two_columns([0.5, -1.5]), "reach from -1.5 to 0.5; .* sigmoid"),
        (lambda: two_columns([[0.5, 0.5]]), r"shape \(1, 2\); expected one number a picture"),
        (lambda: scores([[0.5, 0.5], [4.0, -3.0]], [0, 0], "ab"), "picture 2 reach from -3 to 4 .* softmax"),
        (lambda: scores([[0.5, 0.5], [0.9, 0.9]], [0, 0], "ab"), "picture 2 reach .* add up to 1.8; .* softmax"),
        (lambda: scores(np.zeros((0, 2)), np.zeros(0, int), "ab"), "no picture to score"),
        (lambda: accepted(np.zeros((0, 2)), 0.5), "no picture to score"),
        (lambda: scores([0.5, 0.5], [0, 0], "ab"), r"shape \(2,\); expected a row a picture"),
        (lambda: scores([[1.0]], [0], "ab"), r"shape \(1, 1\); .* at least two classes"),
        (lambda: scores([[0.5, 0.5]], [0], "abc"), "2 probabilities a picture for 3 labels"),
        (lambda: scores([[0.5, 0.5]], [0], "aa"), "labels are a, a; .* each of them once"),
        (lambda: scores([[1.0]], [0], "a"), "labels are a; expected at least two"),
        (lambda: scores([[0.5, 0.5]], [0, 1], "ab"), r"int64 of shape \(2,\); .* each of 1 pictures"),
        (lambda: scores([[0.5, 0.5]], [0.0], "ab"), "float64 of shape .* whole number"),
        (lambda: scores([[0.5, 0.5]], [True], "ab"), "bool of shape .* whole number"),
        (lambda: scores([[0.5, 0.5]], [2], "ab"), "from 2 to 2; expected numbers from 0 to 1"),
        (lambda: scores([[0.5, 0.5]], [-1], "ab"), "from -1 to -1; expected numbers from 0 to 1"),
        (lambda: threshold([[0.5, 0.5]], [0], 0), "share to accept is 0"),
        (lambda: threshold([[0.5, 0.5]], [0], 95), "share to accept is 95"),
        (lambda: wilson(0, 0), "0 right of 0 is no share"),
        (lambda: wilson(3, 2), "3 right of 2 is no share"),
        (lambda: wilson(1, 2, 95), "confidence is 95"),
        (lambda: Scores.from_json([1], LABELS), r"score is \[1\]; an object"),
        (lambda: Scores.from_json({"n": 1}, LABELS), "lacks accuracy, interval, majority, per_class, confusion, calib"),
        (lambda: Scores.from_json(hand(accuracy=0.9), LABELS), "states 0.9 as accuracy, but .* gives 0.6667"),
        (lambda: Scores.from_json(hand(accuracy=None), LABELS), "states None as accuracy"),
        (lambda: Scores.from_json(hand(n=7), LABELS), "states 7 as n, but .* gives 6"),
        (lambda: Scores.from_json(hand(interval=[0.6, 0.7]), LABELS), "as interval, but .* gives 0.3 to 0.9032"),
        (lambda: Scores.from_json(hand(interval=0.6), LABELS), "states 0.6 as interval"),
        (lambda: Scores.from_json(hand(interval=[0.3]), LABELS), r"states \[0.3\] as interval"),
        (lambda: Scores.from_json(hand(majority=0.1), LABELS), "states 0.1 as majority"),
        (lambda: Scores.from_json(hand(confusion=[[1, 2], [3, 4]]), LABELS), "expected 3 rows of 3 counts"),
        (lambda: Scores.from_json(hand(confusion=[[0] * 3] * 3), LABELS), "not all of them 0"),
        (lambda: Scores.from_json(hand(confusion=[[1, 2, "3"]] * 3), LABELS), "expected 3 rows of 3 counts"),
        (lambda: Scores.from_json(hand(confusion=[1, 2, 3]), LABELS), "expected 3 rows of 3 counts"),
        (lambda: Scores.from_json(hand(confusion=None), LABELS), "matrix is None"),
        (lambda: Scores.from_json(hand(per_class=[]), LABELS), r"per_class holds \[\]; it must hold .* cat, dog, bird"),
        (lambda: Scores.from_json(hand(), ("cat", "dog", "owl")), "must hold the labels cat, dog, owl"),
        (lambda: Scores.from_json(hand(calibration_error=NAN), LABELS), "calibration error is nan"),
        (lambda: Scores.from_json(hand(calibration_error=2), LABELS), "calibration error is 2"),
        (lambda: Scores.from_json(hand(calibration_error=True), LABELS), "calibration error is True"),
        (lambda: Scores.from_json(hand(log_loss="low"), LABELS), "log loss is 'low'"),
    ],
)
def test_what_cannot_be_scored_gets_a_sentence(call: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize("changes", [{"accuracy": 0.667}, {"interval": [0.3, 0.903]}, {"log_loss": None}, {"more": 1}])
def test_rounded_figures_and_further_fields_are_read(changes: dict[str, Any]) -> None:
    got = Scores.from_json(hand(**changes), LABELS)
    assert got.accuracy == 4 / 6
    assert evaluation.wilson(4, 6) == got.interval


def test_a_score_without_log_loss_has_a_line_without_it() -> None:
    fields = hand()
    del fields["log_loss"]
    assert Scores.from_json(fields, LABELS).lines()[-1] == "calibration error 0.450"


def drawn(logits: np.ndarray, temperature: float, seed: int = 3) -> np.ndarray:
    """Classes drawn with the probabilities softmax(logits / T)."""
    p = evaluation.tempered(np.exp(logits - logits.max(axis=1, keepdims=True)), temperature)
    return (p.cumsum(axis=1) > np.random.default_rng(seed).random((len(p), 1))).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.9])
@pytest.mark.parametrize("classes", [2, 7])
def test_the_temperature_that_made_the_classes_is_found(temperature: float, classes: int) -> None:
    logits = np.random.default_rng(classes).normal(0, 3 * temperature, (6_000, classes))
    truth = drawn(logits, temperature)
    answers = evaluation.tempered(np.exp(logits), 1)
    found = evaluation.temperature([answers], truth)
    assert found == pytest.approx(temperature, rel=0.1)
    labels = list("abcdefg")[:classes]
    before, after = (evaluation.scores(evaluation.tempered(answers, t), truth, labels) for t in (1, found))
    assert after.log_loss <= before.log_loss
    assert after.calibration_error < 0.03
    assert (after.right, after.confusion) == (before.right, before.confusion)  # the likeliest class stays
    # as another search has it
    grid = np.geomspace(1 / 8, 8, 1500)
    losses = [evaluation.scores(evaluation.tempered(answers, t), truth, labels).log_loss for t in grid[::25]]
    assert found == pytest.approx(grid[::25][int(np.argmin(losses))], rel=0.08)


@pytest.mark.parametrize(
    ("views", "truth", "expected"),
    [
        # hand: one picture of 10 is wrong, all are answered with .8; ln(9) / ln(4) = 1.585, so that they become .9
        ([[[0.8, 0.2]] * 10], [0] * 9 + [1], 1 / 1.585),
        # the mean of .8 and .6 is to be .9
        ([[[0.8, 0.2]] * 10, [[0.6, 0.4]] * 10], [0] * 9 + [1], None),
        ([[[0.8, 0.2]] * 10], [0] * 10, 1 / 8),  # nothing is sure enough
        ([[[0.8, 0.2]] * 10], [0] * 5 + [1] * 5, 8),  # everything is too sure
        ([[[1.0, 0.0]] * 10], [0] * 9 + [1], None),  # from exact zeros there is no way back, and nothing breaks
    ],
)
def test_a_temperature_by_hand(views: list, truth: list[int], expected: float | None) -> None:
    found = evaluation.temperature(views, truth)
    assert 1 / 8 <= found <= 8
    if expected is not None:
        assert found == pytest.approx(expected, rel=0.005)
    elif len(views) == 2:
        mean = np.mean([evaluation.tempered(view, found)[0, 0] for view in views])
        assert mean == pytest.approx(0.9, abs=0.002)
