"""The kernels of a layer: in color where they see the input's channels, else by their strongest input channels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.filters import pad_amounts
from cnnviz.graph import Floats, Kernels, Node
from cnnviz.networks import NetworkError, forward
from cnnviz.networks.forward import Plan

_KINDS = ("Conv2D", "DepthwiseConv2D", "Dense")
_COLORS = 3  # channels of a kernel that can be shown in color


def kernels(found: Plan, layer: str, channel: int | None, values: Mapping[str, Floats] | None, count: int) -> Kernels:
    """See graph.Kernels and inside.kernels; channel is one that the layer has. values: what every node gives."""
    node = forward.known(found, layer)
    if node.kind not in _KINDS:
        raise NetworkError(f"{layer} ({node.kind}) has no kernels; choose a convolution or a dense layer.")
    operation = found.operations[layer]
    source = found.by_name[node.inputs[0]]
    whole, bias = _weights(operation, node.kind)
    limit = float(np.abs(whole[np.isfinite(whole)]).max(initial=0.0)) or 1.0
    if channel is None:
        return _in_color(node, source, whole, bias, limit, count)
    planes, first = _planes(operation, node, whole, channel)
    strength = np.abs(planes).sum(axis=(0, 1))
    if values is not None:
        strength = _strength(operation, node, planes, values[source.name].reshape(source.size), first)
    order = np.argsort(-strength, kind="stable")[: max(1, count)]
    return Kernels(
        layer,
        channel,
        False,
        np.ascontiguousarray(planes[..., order].transpose(2, 0, 1)),
        (first + order).astype(np.int32),
        strength[order].astype(np.float32),
        float(np.delete(strength, order).sum()),
        source.name,
        None if bias is None else bias[channel : channel + 1],
        limit,
    )


def _in_color(node: Node, source: Node, whole: Floats, bias: Floats | None, limit: float, count: int) -> Kernels:
    if node.kind != "Conv2D" or whole.shape[2] > _COLORS:
        raise NetworkError(
            f"The kernels of {node.name} see {whole.shape[2]:,} channels each, too many for one color; choose "
            "a channel."
        )
    shown = np.ascontiguousarray(whole.transpose(3, 0, 1, 2)[: max(1, count)])
    return Kernels(
        node.name,
        None,
        True,
        shown,
        np.arange(len(shown), dtype=np.int32),
        np.abs(shown).sum(axis=(1, 2, 3)),
        float(np.abs(whole[..., len(shown) :]).sum()),
        source.name,
        None if bias is None else bias[: len(shown)],
        limit,
    )


def _weights(operation: Any, kind: str) -> tuple[Floats, Floats | None]:
    """(kernel height, kernel width, inputs, outputs) and (outputs,) or None; a dense layer has kernels of 1 × 1."""
    whole = np.asarray(operation.kernel, np.float32)
    if kind == "Dense":
        whole = whole[np.newaxis, np.newaxis]
    bias = np.asarray(operation.bias, np.float32) if operation.use_bias else None
    return whole, bias


def _planes(operation: Any, node: Node, whole: Floats, channel: int) -> tuple[Floats, int]:
    """(kernel height, kernel width, inputs) of one output channel, and the number of its first input channel."""
    if node.kind == "DepthwiseConv2D":
        own, multiple = divmod(channel, whole.shape[3])
        return whole[:, :, own : own + 1, multiple], own
    if node.kind == "Conv2D" and operation.groups > 1:
        group = channel // (whole.shape[3] // operation.groups)
        return whole[..., channel], group * whole.shape[2]
    return whole[..., channel], 0


def _strength(operation: Any, node: Node, planes: Floats, given: Floats, first: int) -> NDArray[np.float64]:
    """Sum over all windows of |weight · activation|, by input channel of the kernel."""
    kh, kw, inputs = planes.shape
    activation = np.abs(given[..., first : first + inputs].astype(np.float64))
    if node.kind == "Dense":
        dense: NDArray[np.float64] = activation.sum(axis=(0, 1)) * np.abs(planes[0, 0])
        return dense
    (sy, sx), (dy, dx) = operation.strides, operation.dilation_rate
    height, width, _ = node.size
    pads = [
        pad_amounts(size, d * (k - 1) + 1, s, operation.padding)
        for size, k, s, d in zip(given.shape[:2], (kh, kw), (sy, sx), (dy, dx), strict=True)
    ]
    padded = np.pad(activation, (*pads, (0, 0)))
    total = np.zeros(inputs)
    for y in range(kh):
        for x in range(kw):
            seen = padded[y * dy : y * dy + height * sy : sy, x * dx : x * dx + width * sx : sx][:height, :width]
            total += seen.sum(axis=(0, 1)) * np.abs(planes[y, x])
    return total
