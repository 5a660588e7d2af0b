"""The arithmetic of one cell under a sliding window: convolutions and pools, in float64."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.networks.activations import Unsupported
from cnnviz.networks.terms import Array, Index, Terms, array_of, fused, pair, plain


def axis_inputs(at: int, taps: int, stride: int, dilation: int, size: int, padding: str) -> NDArray[np.intp]:
    """Where a window's taps lie on an axis of this size, for output cell `at`; outside 0..size−1 is padding.

    padding "same": total = max((⌈size / stride⌉ − 1) · stride + window − size, 0), the smaller half of it before.
    """
    return at * stride - before(taps, stride, dilation, size, padding) + np.arange(taps) * dilation


def before(taps: int, stride: int, dilation: int, size: int, padding: str) -> int:
    """Cells of padding before an axis of this size; Unsupported for paddings other than valid and same."""
    if padding not in ("valid", "same"):
        raise Unsupported(f"This app does not know the padding {padding[:20]!r}.")
    if padding == "valid":
        return 0
    return int(max((-(-size // stride) - 1) * stride + dilation * (taps - 1) + 1 - size, 0) // 2)


def _window(array: Array, rows: NDArray[np.intp], columns: NDArray[np.intp], channels: NDArray[np.intp]) -> Any:
    """(indices (n, 3), values (n,), outside (n,)) of a window, channel by channel, row by row."""
    c, y, x = (grid.ravel() for grid in np.meshgrid(channels, rows, columns, indexing="ij"))
    outside = (y < 0) | (y >= array.shape[0]) | (x < 0) | (x >= array.shape[1])
    safe_y, safe_x = y.clip(0, array.shape[0] - 1), x.clip(0, array.shape[1] - 1)
    values = np.where(outside, 0.0, array[safe_y, safe_x, c].astype(np.float64))
    return np.stack([y, x, c], axis=1), values, outside


def _slide(
    layer: Any, array: Array, index: Index, kernel: Array, channels: NDArray[np.intp], dilation: Any = None
) -> Terms:
    """A window with the weights (rows, columns, channels) of one filter."""
    high, wide = kernel.shape[:2]
    strides, dilation = pair(layer.strides), pair(dilation or layer.dilation_rate)
    rows = axis_inputs(index[0], high, strides[0], dilation[0], array.shape[0], layer.padding)
    columns = axis_inputs(index[1], wide, strides[1], dilation[1], array.shape[1], layer.padding)
    indices, values, outside = _window(array, rows, columns, channels)
    words, function = fused(layer)
    return Terms(
        "window",
        indices,
        values,
        kernel.astype(np.float64).transpose(2, 0, 1).ravel(),
        np.zeros(len(values), np.intp),
        bias=float(array_of(layer.bias)[index[2]]) if layer.use_bias else None,
        words=words,
        function=function,
        outside=outside,
        window=(len(channels), high, wide),
    )


def conv(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    kernel = array_of(layer.kernel)[..., index[2]]
    each = kernel.shape[2]
    first = index[2] // (layer.filters // layer.groups) * each
    return _slide(layer, inputs[0], index, kernel, np.arange(first, first + each))


def depthwise(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    channel, which = divmod(index[2], layer.depth_multiplier)
    kernel = array_of(layer.kernel)[:, :, channel, which]
    return _slide(layer, inputs[0], index, kernel[..., None], np.array([channel]))


def separable(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    depthwise = array_of(layer.depthwise_kernel).astype(np.float64)  # (h, w, channels, multiplier)
    pointwise = array_of(layer.pointwise_kernel).astype(np.float64)[0, 0, :, index[2]]
    kernel = (depthwise * pointwise.reshape(depthwise.shape[2:])).sum(axis=3)
    terms = _slide(layer, inputs[0], index, kernel, np.arange(kernel.shape[2]))
    terms.note = "Each weight here is a depthwise weight times a pointwise one: the two steps of the layer as one."
    return terms


def pool(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    size, strides = pair(layer.pool_size), pair(layer.strides or layer.pool_size)
    places = [axis_inputs(index[a], size[a], strides[a], 1, inputs[0].shape[a], layer.padding) for a in (0, 1)]
    indices, values, outside = _window(inputs[0], places[0], places[1], np.array([index[2]]))
    average = type(layer).__name__.startswith("Average")
    # padding is no part of a mean
    weights = np.where(outside, 0.0, 1 / max(int((~outside).sum()), 1)) if average else np.ones(len(values))
    return Terms(
        "pool",
        indices,
        values,
        weights,
        np.zeros(len(values), np.intp),
        combine="sum" if average else "largest",
        outside=outside,
        window=(1, *size),
    )


def global_pool(layer: Any, inputs: Sequence[Array], index: Index) -> Terms:
    rows, columns, channel = *inputs[0].shape[:2], index[-1]
    indices, values, _ = _window(inputs[0], np.arange(rows), np.arange(columns), np.array([channel]))
    average = "Average" in type(layer).__name__
    weights = np.full(len(values), 1 / len(values) if average else 1.0)
    return plain("terms", indices, values, weights, combine="sum" if average else "largest")
