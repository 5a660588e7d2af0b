"""The arithmetic of one cell of any layer: from its weights and inputs to the terms that make it, in float64."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cnnviz.networks import activations, windows
from cnnviz.networks.activations import Unsupported
from cnnviz.networks.terms import Array, Index, Terms, array_of, fused, pair, plain, same, total
from cnnviz.steps import Combine, Form


def calculate(layer: Any, inputs: Sequence[Array], index: Index, linear: bool = False) -> Terms:
    """The terms of the cell `index` of what a Keras layer makes of these inputs, all without the batch.

    linear: its non-linearity is taken out. Dropout and others that only act in training count as they are in use.
    The softmax of a layer that has one as its activation is left out: this is what comes before it. Unsupported, a
    sentence, for kinds not known here.
    """
    kind = type(layer).__name__
    is_layer = isinstance(layer, keras.layers.Layer)
    known = kind in _KINDS if is_layer else kind in _OPERATIONS and len(inputs) == _OPERATIONS[kind]
    if not type(layer).__module__.startswith("keras.") or not known:
        raise Unsupported(f"This app does not know the arithmetic of the layer kind {kind[:40]}.")
    if getattr(layer, "data_format", None) == "channels_first":
        raise Unsupported("This layer has its channels first; this app reads layers with the channels last.")
    if linear and kind in _ACTIVATIONS:
        return _one("same", index, inputs[0], note="The non-linearity is switched off.")
    with np.errstate(all="ignore"):
        terms = _KINDS[kind](layer, inputs, index)
    if linear and terms.words:
        terms.words, terms.function, terms.note = "", same, "The non-linearity is switched off."
    return terms


# -------------------------------------------------------------------------------------------------- without a window


def _dense(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    *lead, unit = index
    values = inputs[0][tuple(lead)]
    indices = np.empty((len(values), len(index)), np.intp)
    indices[:, :-1] = lead
    indices[:, -1] = np.arange(len(values))
    words, function = fused(layer)
    bias = float(array_of(layer.bias)[unit]) if layer.use_bias else None
    return plain("terms", indices, values, array_of(layer.kernel)[:, unit], bias=bias, words=words, function=function)


def _softmax(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    axis = getattr(layer, "axis", -1)
    if not isinstance(axis, int) or axis == 0:
        raise Unsupported("This app reads a softmax over one axis.")
    return softmax(inputs[0], index, axis if axis < 0 else axis - 1 - inputs[0].ndim)


def softmax(logits: Array, index: Index, axis: int = -1) -> Terms:
    """The exponentials along an axis, and which of them the cell is the share of. values are exp(logit)."""
    at = len(index) + axis
    along = logits[tuple(slice(None) if n == at else i for n, i in enumerate(index))].astype(np.float64)
    indices = [tuple(j if n == at else i for n, i in enumerate(index)) for j in range(len(along))]
    largest = float(along.max())
    # e^80 still is a number that can be read; beyond it all exponents are made smaller, which no share notices
    less = largest if np.abs(along).max() > 80 else 0.0
    numbers = (("the largest number before", largest),) if less else ()
    exponentials = np.exp(along - less)
    return plain(
        "softmax",
        indices,
        exponentials,
        np.ones(len(along)),
        combine="share",
        chosen=index[at],
        numbers=numbers,
        given=along,
    )


def logits(layer: Any, inputs: Sequence[Array], index: Index) -> NDArray[np.float64]:
    """All that a layer with a softmax of its own computes before it, along the last axis at this cell."""
    if type(layer).__name__ == "Dense":
        kernel = array_of(layer.kernel).astype(np.float64)
        bias = array_of(layer.bias).astype(np.float64) if layer.use_bias else 0.0
        with np.errstate(all="ignore"):
            return np.asarray(inputs[0][index[:-1]].astype(np.float64) @ kernel + bias)
    units = layer.compute_output_shape((1, *inputs[0].shape))[-1]
    each = (calculate(layer, inputs, (*index[:-1], unit)) for unit in range(units))
    return np.array([total(terms)[0] for terms in each])


def _one(form: Form, place: Index, array: Array, weight: float = 1.0, **more: Any) -> Terms:
    return plain(form, [place], [float(array[place])], [weight], **more)


def _batch_norm(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    axis = layer.axis if layer.axis < 0 else layer.axis - len(index) - 1
    channel = index[axis]
    mean = float(array_of(layer.moving_mean)[channel])
    variance = float(array_of(layer.moving_variance)[channel])
    gamma = float(array_of(layer.gamma)[channel]) if layer.scale else 1.0
    beta = float(array_of(layer.beta)[channel]) if layer.center else 0.0
    return _normalized(index, inputs[0], mean, variance, gamma, beta, layer.epsilon)


def _normalized(
    index: Index,
    array: Array,
    mean: float,
    variance: float,
    gamma: float,
    beta: float,
    epsilon: float,
    of: str = "",
) -> Terms:
    """The line of a normalization. of: a sentence on what mean and variance are of."""
    slope = gamma / math.sqrt(variance + epsilon) if variance + epsilon > 0 else math.nan
    numbers = (("mean", mean), ("variance", variance), ("gamma", gamma), ("beta", beta), ("epsilon", epsilon))
    return _one(
        "line",
        index,
        array,
        slope,
        bias=beta - mean * slope,
        bias_size=abs(beta) + abs(mean * slope),
        numbers=numbers,
        note=f"(x − mean) / √(variance + epsilon) · gamma + beta, as one line x · a + b.{of}",
    )


def _layer_norm(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    """Mean and variance are of the numbers along the layer's axes, at this cell's place on all others."""
    if layer.rms_scaling:
        raise Unsupported("This app does not know a layer normalization with rms_scaling.")
    axes = [axis % (len(index) + 1) - 1 for axis in layer.axis]
    along = inputs[0][tuple(slice(None) if n in axes else i for n, i in enumerate(index))].astype(np.float64)
    weight = tuple(index[axis] for axis in axes)
    gamma = 1.0 if layer.gamma is None else float(array_of(layer.gamma)[weight])
    beta = 0.0 if layer.beta is None else float(array_of(layer.beta)[weight])
    return _of_this_picture(index, inputs[0], along, gamma, beta, layer.epsilon)


def _group_norm(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    """Mean and variance are of all places of this channel's group."""
    axis = layer.axis % (len(index) + 1) - 1
    channel, many = index[axis], inputs[0].shape[axis] // layer.groups
    first = channel // many * many
    along = np.moveaxis(inputs[0], axis, -1)[..., first : first + many].astype(np.float64)
    gamma = float(array_of(layer.gamma)[channel]) if layer.scale else 1.0
    beta = float(array_of(layer.beta)[channel]) if layer.center else 0.0
    return _of_this_picture(index, inputs[0], along, gamma, beta, layer.epsilon)


def _of_this_picture(index: Index, array: Array, along: Array, gamma: float, beta: float, epsilon: float) -> Terms:
    of = f" Mean and variance are of {along.size:,} numbers of this picture, x among them."
    return _normalized(index, array, float(along.mean()), float(along.var()), gamma, beta, epsilon, of)


def _rescaling(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    shape = inputs[0].shape
    scale, offset = (
        float(np.broadcast_to(np.asarray(v, np.float64), shape)[index]) for v in (layer.scale, layer.offset)
    )
    return _one("line", index, inputs[0], scale, bias=offset)


def _normalization(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    shape = inputs[0].shape
    mean, variance = (
        float(np.broadcast_to(array_of(v).astype(np.float64), (1, *shape))[(0, *index)])
        for v in (layer.mean, layer.variance)
    )
    deviation = max(math.sqrt(variance), float(keras.config.epsilon()))
    numbers = (("mean", mean), ("variance", variance))
    if layer.invert:
        return _one("line", index, inputs[0], deviation, bias=mean, numbers=numbers)
    return _one("line", index, inputs[0], 1 / deviation, bias=-mean / deviation, numbers=numbers)


def _function(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    if activations.is_softmax(getattr(layer, "activation", None)):
        return softmax(inputs[0], index)
    known = activations.of_layer(layer, index)
    assert known is not None
    words, function = known
    return _one("function" if words else "same", index, inputs[0], words=words, function=function)


def _merge(form: Form = "terms", combine: Combine = "sum", last: float = 1.0) -> Callable[..., Terms]:
    """One term from each input; last: the weight of all but the first."""

    def merge(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
        places = [_broadcast(index, array) for array in inputs]
        values = [float(array[place]) for array, place in zip(inputs, places, strict=True)]
        weights = np.full(len(values), 1 / len(values) if type(layer).__name__ == "Average" else 1.0)
        weights[1:] *= last
        return plain(form, places, values, weights, np.arange(len(values)), combine=combine)

    return merge


def _broadcast(index: Index, array: Array) -> Index:
    """Where a cell of the result reads from an input that counts the same along axes of length 1."""
    return tuple(min(i, n - 1) for i, n in zip(index[len(index) - array.ndim :], array.shape, strict=True))


def _concatenate(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    axis = layer.axis if layer.axis < 0 else layer.axis - 1 - len(index)
    at, number = index[axis], 0
    while at >= inputs[number].shape[axis]:
        at -= inputs[number].shape[axis]
        number += 1
    place = list(index)
    place[axis] = at
    return _one("same", tuple(place), inputs[number], source=[number])


def moved(layer: Any, shape: Index, output: Index, index: Index) -> Index | None:
    """Where a layer that only moves numbers took a cell from, in an input of this shape; None for a filled-in 0."""
    match type(layer).__name__:
        case "Flatten" | "Reshape":
            return tuple(int(i) for i in np.unravel_index(int(np.ravel_multi_index(index, output)), shape))
        case "Permute":
            place = [0] * len(index)
            for i, dimension in zip(index, layer.dims, strict=True):
                place[dimension - 1] = i
            return tuple(place)
        case "ZeroPadding2D" | "Cropping2D":
            sign = -1 if type(layer).__name__ == "ZeroPadding2D" else 1
            offsets = layer.padding if sign < 0 else layer.cropping
            y, x = (i + sign * offset[0] for i, offset in zip(index, offsets, strict=False))
            return (y, x, index[2]) if 0 <= y < shape[0] and 0 <= x < shape[1] else None
        case "UpSampling2D":
            if layer.interpolation != "nearest":
                raise Unsupported(f"This app does not know enlarging by {layer.interpolation}, only by nearest.")
            high, wide = pair(layer.size)
            return (index[0] // high, index[1] // wide, index[2])
    return index


def _moved(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    output = tuple(int(n) for n in layer.compute_output_shape((1, *inputs[0].shape))[1:])
    place = moved(layer, inputs[0].shape, output, index)
    if place is None:
        return plain("same", [()], [0.0], [1.0], outside=np.array([True]), note="A zero of the padding.")
    return _one("same", place, inputs[0])


IDENTITIES = (
    *("Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "AlphaDropout", "Identity"),
    *("ActivityRegularization", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomContrast"),
    "RandomBrightness",
)
MOVES = ("Flatten", "Reshape", "Permute", "ZeroPadding2D", "Cropping2D", "UpSampling2D")
_ACTIVATIONS = ("Softmax", "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU")
_KINDS: dict[str, Callable[[Any, Sequence[Array], Index], Terms]] = {
    "Conv2D": windows.conv,
    "DepthwiseConv2D": windows.depthwise,
    "SeparableConv2D": windows.separable,
    **dict.fromkeys(("MaxPooling2D", "AveragePooling2D"), windows.pool),
    **dict.fromkeys(("GlobalAveragePooling2D", "GlobalMaxPooling2D"), windows.global_pool),
    "Dense": _dense,
    "Softmax": _softmax,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    **dict.fromkeys(_ACTIVATIONS[1:], _function),
    "Add": _merge(),
    "Average": _merge(),
    "Subtract": _merge(last=-1.0),
    "Multiply": _merge(combine="product"),
    "Maximum": _merge(combine="largest"),
    "Minimum": _merge(combine="smallest"),
    "Concatenate": _concatenate,
    **dict.fromkeys((*IDENTITIES, *MOVES), _moved),
}
# what x + y and keras.activations.relu(x) are in a functional model, and how many tensors they take (else: numbers)
_OPERATIONS = {
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Maximum", "Minimum"), 2),
    **dict.fromkeys(("ReLU", *activations.OPERATIONS), 1),
}
_KINDS |= dict.fromkeys(activations.OPERATIONS, _function)
KINDS = tuple(_KINDS)
