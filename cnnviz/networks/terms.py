"""The terms of one cell: what is multiplied with what, where each value came from, and what is made of them."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cnnviz.networks import activations
from cnnviz.networks.activations import Function
from cnnviz.steps import Combine, Form

Array = NDArray[Any]  # an activation without the batch: (h, w, channels) or (units,)
Index = tuple[int, ...]


def same(x: float) -> float:
    return x


@dataclass(eq=False)
class Terms:
    """All terms of a cell. The cell is `function` of their sum and the bias, or as `combine` says (see steps.Step).

    source: which of the layer's inputs each term's value comes from; indices: where in it, (n, rank) or a list.
    outside: which terms are padding; their value is 0. window: shape (channels, rows, columns) of all terms, or None.
    chosen: of "softmax", the term whose share is meant. given: what stands for the values on the page, if not they.
    """

    form: Form
    indices: Any
    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    source: NDArray[np.intp]
    combine: Combine = "sum"
    bias: float | None = None
    bias_size: float | None = None
    words: str = ""
    function: Function = same
    outside: NDArray[np.bool_] | None = None
    window: tuple[int, int, int] | None = None
    numbers: tuple[tuple[str, float], ...] = ()
    chosen: int = 0
    given: NDArray[np.float64] | None = None
    note: str = ""


def total(terms: Terms) -> tuple[float, float, float]:
    """(total, result, size): what the terms and the bias make; after the activation; the sum of their |sizes|."""
    with np.errstate(all="ignore"):
        products = terms.values * terms.weights
        inside = products if terms.outside is None else products[~terms.outside]
        match terms.combine:
            case "largest":
                combined = float(inside.max())
            case "smallest":
                combined = float(inside.min())
            case "product":
                combined = float(np.prod(products))
            case "share":
                combined = math.fsum(products) if np.isfinite(products).all() else float(products.sum())
                return combined, float(np.divide(products[terms.chosen], combined)), 1.0
            case _:
                combined = _sum(products) + (terms.bias or 0.0)
        bias = terms.bias_size if terms.bias_size is not None else abs(terms.bias or 0.0)
        size = float(np.abs(products).sum()) + bias
        return combined, terms.function(combined), size


def _sum(products: NDArray[np.float64]) -> float:
    return math.fsum(products) if np.isfinite(products).all() else float(products.sum())


def plain(form: Form, indices: Any, values: Any, weights: Any, source: Any = None, **more: Any) -> Terms:
    """Terms without a window; source: 0 for all, if not given."""
    values = np.asarray(values, np.float64)
    source = np.zeros(len(values), np.intp) if source is None else np.asarray(source)
    return Terms(form, indices, values, np.asarray(weights, np.float64), source, **more)


def array_of(variable: Any) -> Array:
    """A variable of Keras as an array."""
    return np.asarray(keras.ops.convert_to_numpy(variable))


def pair(value: Any) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))


def fused(layer: Any) -> tuple[str, Function]:
    """(words, function) of the activation in a layer; a softmax is left out."""
    if activations.is_softmax(layer.activation):
        return "", same
    return activations.of_function(layer.activation)
