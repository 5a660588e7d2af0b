"""Scores against scikit-learn's on random answers."""

import warnings

import numpy as np
import pytest

from cnnviz.evaluation import SMALLEST, scores

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("seed", range(80))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    n, count = int(rng.integers(1, 300)), int(rng.integers(2, 12))
    rows = rng.dirichlet(np.full(count, rng.uniform(0.1, 2)), n)
    rows = np.maximum(rows, SMALLEST)  # scikit-learn cuts at another smallest probability
    rows /= rows.sum(axis=1, keepdims=True)
    truth = rng.integers(0, rng.integers(1, count + 1), n)  # some classes are not there
    labels = [f"class {index}" for index in range(count)]

    got = scores(rows, truth, labels)

    which = np.arange(count)
    predicted = rows.argmax(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision, recall, f1, support = metrics.precision_recall_fscore_support(
            truth, predicted, labels=which, zero_division=np.nan
        )
    of_classes = list(got.per_class.values())
    assert got.accuracy == pytest.approx(metrics.accuracy_score(truth, predicted))
    np.testing.assert_array_equal(got.confusion, metrics.confusion_matrix(truth, predicted, labels=which))
    assert [one.n for one in of_classes] == support.tolist()
    for name, theirs in (("precision", precision), ("recall", recall), ("f1", f1)):
        ours = [getattr(one, name) for one in of_classes]
        np.testing.assert_allclose(np.array(ours, float), theirs, err_msg=name)  # None becomes nan
    assert got.log_loss == pytest.approx(metrics.log_loss(truth, rows, labels=which))
