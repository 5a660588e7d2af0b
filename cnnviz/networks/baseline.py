"""The three-number baseline: what brightness, chroma and contrast alone give away of a picture's class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.images import Pixels

_LUMA = (0.299, 0.587, 0.114)  # weights of R, G, B in ITU-R BT.601
_AT_ONCE = 8_000_000  # levels held as floats at a time


def three_numbers(picture: Pixels) -> tuple[float, float, float]:
    """Mean brightness, mean chroma and contrast of a picture, uint8 (h, w, 1) or (h, w, 3) RGB; each in levels 0..255.

    Brightness of a pixel is its luma, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), or its one level; chroma is the
    largest of R, G, B less the smallest, as in HSV, and 0 in a grey picture; contrast is the standard deviation of the
    brightness over all pixels (root mean square contrast, Peli 1990).
    """
    brightness, chroma, contrast = numbers(np.asarray(picture)[None])[0]
    return float(brightness), float(chroma), float(contrast)


def numbers(pictures: Pixels) -> NDArray[np.float64]:
    """The `three_numbers` of each picture: uint8 (n, h, w, 1 or 3) -> float64 (n, 3). ValueError for other arrays."""
    if pictures.ndim != 4 or pictures.dtype != np.uint8 or pictures.shape[-1] not in (1, 3) or 0 in pictures.shape[1:]:
        raise ValueError(
            f"The pictures are {pictures.dtype} of shape {pictures.shape}; expected uint8 of shape (pictures, height, "
            "width, 1 or 3)."
        )
    found = np.zeros((len(pictures), 3))
    step = max(1, _AT_ONCE // pictures[0].size) if len(pictures) else 1
    for start in range(0, len(pictures), step):
        part = pictures[start : start + step]
        luma = part[..., 0].astype(np.float64) if part.shape[-1] == 1 else part @ np.array(_LUMA)
        rows = found[start : start + step]
        rows[:, 0] = luma.mean(axis=(1, 2))
        if part.shape[-1] == 3:  # one maximum over the last axis would be ten times slower
            red, green, blue = part[..., 0], part[..., 1], part[..., 2]
            high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
            rows[:, 1] = (high - low).mean(axis=(1, 2))
        rows[:, 2] = luma.std(axis=(1, 2))
    return found.round(9)  # a plain picture has contrast 0, not 1e-14, which standardizing would blow up


def baseline(
    train_pictures: Pixels, train_labels: NDArray[Any], test_pictures: Pixels, test_labels: NDArray[Any]
) -> float:
    """The accuracy, 0..1, on test pictures of a multinomial logistic regression on `numbers`.

    Pictures: uint8 (n, h, w, 1 or 3), as the network would get them but not yet scaled. Labels: whole numbers (n,). The
    three numbers are standardized by mean and deviation of the train pictures; the regression has scikit-learn's usual
    L2 penalty (C = 1). With one class among the train labels, the answer is always that class. A network that is hardly
    better than this has learned light and color of the photos, not their content. Loads scikit-learn, which takes
    seconds. ValueError with a sentence for arrays that do not fit.
    """
    for which, pictures, labels in (
        ("train", train_pictures, train_labels),
        ("test", test_pictures, test_labels),
    ):
        if not len(pictures) or np.shape(labels) != (len(pictures),):
            raise ValueError(
                f"There are {len(pictures)} {which} pictures with labels of shape {np.shape(labels)}; "
                "expected at least one picture, and one label each."
            )
    train, test = numbers(train_pictures), numbers(test_pictures)
    train_labels, test_labels = np.asarray(train_labels), np.asarray(test_labels)
    known = np.unique(train_labels)
    if known.size == 1:
        return float(np.mean(test_labels == known[0]))

    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    regression.fit(train, train_labels)
    return float(np.mean(regression.predict(test) == test_labels))
