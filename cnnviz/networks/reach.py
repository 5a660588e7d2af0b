"""Which cells of a layer a cell of its input can reach, whatever the weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.networks.activations import OPERATIONS, Unsupported, is_softmax
from cnnviz.networks.arithmetic import IDENTITIES, MOVES
from cnnviz.networks.windows import before

Mask = NDArray[np.bool_]  # of an activation without the batch: which cells are meant
Shape = tuple[int, ...]

_ALONE = (
    *("BatchNormalization", "Rescaling", "Normalization", "ReLU", "LeakyReLU", "ELU", "PReLU", "Activation"),
    *OPERATIONS,
    *IDENTITIES,
)
_MERGES = ("Add", "Average", "Subtract", "Multiply", "Maximum", "Minimum")
_WINDOWS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "MaxPooling2D", "AveragePooling2D")


def ahead(layer: Any, masks: Sequence[Mask], output: Shape) -> Mask:  # noqa: PLR0911 (one for each kind)
    """Of the layer's output, of this shape, the cells that some meant cell of its inputs can reach.

    Of a kind that is not known here: all, if any cell of the inputs is meant.
    """
    kind, mask = type(layer).__name__, masks[0]
    if kind in _WINDOWS:
        slid = mask if _each_channel(layer) else _groups(mask, layer)
        for axis in (0, 1):
            inputs = _axis(layer, mask.shape[axis], axis, output[axis])
            inside = (inputs >= 0) & (inputs < mask.shape[axis])
            taken = np.moveaxis(slid, axis, 0)[inputs.clip(0, mask.shape[axis] - 1)]
            taken &= inside.reshape(*inside.shape, *(1,) * (taken.ndim - 2))
            slid = np.moveaxis(taken.any(axis=1), 0, axis)
        return np.repeat(slid, output[2] // slid.shape[2], axis=2)
    if kind.startswith("Global"):
        return np.broadcast_to(mask.any(axis=(0, 1)), output)
    if mixed := _mixed_axes(layer, len(output)):
        return np.broadcast_to(mask.any(axis=mixed, keepdims=True), output)
    if kind in _MERGES:
        return np.asarray(np.logical_or.reduce([np.broadcast_to(m, output) for m in masks]))
    if kind == "Concatenate":
        return np.concatenate(masks, axis=layer.axis if layer.axis < 0 else layer.axis - 1)
    if kind in MOVES:
        return shift(layer, mask, output, fill=False)
    if kind in _ALONE:
        return mask
    return np.full(output, any(m.any() for m in masks))


def shift(layer: Any, array: NDArray[Any], output: Shape, fill: Any) -> NDArray[Any]:
    """What a layer that only moves numbers makes of an array; fill: for numbers that come from nowhere."""
    match type(layer).__name__:
        case "Flatten" | "Reshape":
            return array.reshape(output)
        case "Permute":
            return array.transpose([d - 1 for d in layer.dims])
        case "ZeroPadding2D":
            return np.pad(array, (*layer.padding, (0, 0)), constant_values=fill)
        case "Cropping2D":
            (top, _), (left, _) = layer.cropping
            return array[top : top + output[0], left : left + output[1]]
        case "UpSampling2D":
            return array.repeat(output[0] // array.shape[0], axis=0).repeat(output[1] // array.shape[1], axis=1)
    raise Unsupported("This layer does not move numbers.")


def box(mask: Mask) -> tuple[int, int, int, int] | None:
    """Top, left, bottom, right (exclusive) of the meant cells of a map (h, w, channels), or None."""
    rows, columns = (np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2)))
    if not len(rows):
        return None
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _each_channel(layer: Any) -> bool:
    return type(layer).__name__ in ("DepthwiseConv2D", "MaxPooling2D", "AveragePooling2D")


def _groups(mask: Mask, layer: Any) -> Mask:
    """Input channels → groups of a convolution."""
    groups = 1 if type(layer).__name__ == "SeparableConv2D" else layer.groups
    return np.asarray(mask.reshape(*mask.shape[:2], groups, -1).any(axis=3))


def _mixed_axes(layer: Any, rank: int) -> tuple[int, ...]:
    """The axes along which every number of the output depends on every one of the input."""
    kind = type(layer).__name__
    if kind == "Dense" or (kind == "Activation" and is_softmax(layer.activation)):
        return (-1,)
    if kind == "Softmax" and isinstance(layer.axis, int):
        return (layer.axis if layer.axis < 0 else layer.axis - 1,)
    return normalized_axes(layer, rank) if kind == "LayerNormalization" else ()


def normalized_axes(layer: Any, rank: int) -> tuple[int, ...]:
    """The axes that a LayerNormalization takes mean and variance along, of an activation without the batch."""
    return tuple(axis % (rank + 1) - 1 for axis in layer.axis)


def _axis(layer: Any, size: int, axis: int, count: int) -> NDArray[np.intp]:
    """The input cells of every window along an axis, (count, taps)."""

    def setting(name: str) -> int:
        value = getattr(layer, name, 1)
        return int(value if isinstance(value, int) else value[axis])

    pooling = type(layer).__name__.endswith("Pooling2D")
    taps = setting("pool_size" if pooling else "kernel_size")
    stride, dilation = setting("strides"), 1 if pooling else setting("dilation_rate")
    start = np.arange(count) * stride - before(taps, stride, dilation, size, layer.padding)
    return np.asarray(start[:, None] + np.arange(taps) * dilation)
