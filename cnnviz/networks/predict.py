"""A network's answers on arrays of pictures, compiled and in batches of one size."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.data.preprocessing import Preprocessing

_ROUNDING = 1e-3  # by which float32 and float16 may miss a sum of 1


def probabilities(
    model: Any,
    pictures: NDArray[np.uint8],
    preprocessing: Preprocessing,
    batch_size: int = 256,
    flip: bool = False,
    say: Callable[[int, int], None] | None = None,
) -> NDArray[np.float64]:
    """uint8 (n, h, w, c) -> (n, classes), rows that sum to 1; a one-output network gives two columns, 1 - p and p.

    flip: the mean of the answers on each picture and on its mirror image.
    """
    batch_size = max(1, min(batch_size, len(pictures)))
    rows = []
    for start in range(0, len(pictures), batch_size):
        chunk = pictures[start : start + batch_size]
        # the last chunk is filled up, because another shape would be compiled anew
        full = np.concatenate([chunk, np.zeros((batch_size - len(chunk), *chunk.shape[1:]), np.uint8)])
        answer = np.asarray(model.predict_on_batch(preprocessing.scaled(full)), np.float64)
        if flip:
            mirrored = np.ascontiguousarray(full[:, :, ::-1])
            answer = (answer + np.asarray(model.predict_on_batch(preprocessing.scaled(mirrored)), np.float64)) / 2
        rows.append(answer[: len(chunk)])
        if say is not None:
            say(start + len(chunk), len(pictures))
    answers = np.concatenate(rows) if rows else np.zeros((0, int(model.output_shape[-1])))
    if answers.shape[1] == 1:
        return np.hstack([1 - answers, answers])
    return answers


def are_probabilities(answers: NDArray[np.float64]) -> bool:
    """Whether no number of (n, classes) is below 0 and every row sums to 1."""
    return bool(np.all(answers >= -_ROUNDING) and np.all(np.abs(answers.sum(axis=1) - 1) <= _ROUNDING))
