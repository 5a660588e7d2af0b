"""Receptive fields: which part of the input a cell of a layer can depend on, and how much it does depend on it."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.filters import pad_amounts
from cnnviz.graph import Fields, Floats, Node
from cnnviz.networks import forward, reach
from cnnviz.networks.forward import Plan

Taps = NDArray[np.float32]  # (outputs, inputs) of one axis: 1 where an output cell reads an input cell
_WINDOWS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "MaxPooling2D", "AveragePooling2D")
# each cell of the output comes from the cells at its own place
_IN_PLACE = {
    *("BatchNormalization", "Rescaling", "Normalization", "Activation", "Softmax", "Dropout", "SpatialDropout2D"),
    *("GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization", "Identity", "InputLayer"),
    *("Add", "Subtract", "Multiply", "Divide", "Average", "Maximum", "Minimum", "Concatenate"),
}


def fields(found: Plan, name: str) -> Fields:
    """What the cells of a node can see of the input, by the graph alone; NetworkError for an unknown name."""
    node = forward.known(found, name)
    vector = len(node.shape) == 1
    make = _of_vector if vector else _of_maps
    rows, columns = forward.beside(found, f"fields {name}", lambda: make(found, node))
    return Fields(rows, columns, vector)


def _of_maps(found: Plan, node: Node) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First and one past the last row that each row of the maps sees, and the same for columns."""
    height, width, _ = node.size
    # for every node that some cell depends on: (cells of this axis, its cells), more than 0 where it does
    reached = {node.name: (np.eye(height, dtype=np.float32), np.eye(width, dtype=np.float32))}
    for at in range(len(found.nodes) - 1, 0, -1):
        one = found.nodes[at]
        if one.name not in reached:
            continue
        ours = reached.pop(one.name)
        for source in one.inputs:
            taps = _taps(found, one, found.by_name[source])
            theirs = tuple((mine @ tap > 0).astype(np.float32) for mine, tap in zip(ours, taps, strict=True))
            if not all(one.any() for one in theirs):
                continue
            if source in reached:
                theirs = tuple(np.maximum(a, b) for a, b in zip(theirs, reached[source], strict=True))
            reached[source] = (theirs[0], theirs[1])
    seen = reached.get(found.input)
    if seen is None:
        return np.zeros((height, 2), np.int32), np.zeros((width, 2), np.int32)
    return _bounds(seen[0]), _bounds(seen[1])


def _of_vector(found: Plan, node: Node) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The same for each unit of a vector."""
    units = node.shape[0]
    sources = [found.by_name[name] for name in node.inputs]
    if len(sources) == 1 and prod(sources[0].shape) == units and _moves(node):
        source = sources[0]
        theirs = fields(found, source.name)
        if theirs.vector:
            return theirs.rows, theirs.columns
        _, width, channels = source.size
        unit = np.arange(units)
        return theirs.rows[unit // (width * channels)], theirs.columns[unit // channels % width]
    seen = [fields(found, source.name) for source in sources]
    if not seen:
        height, width, _ = found.nodes[0].size
        seen = [Fields(np.array([[0, height]], np.int32), np.array([[0, width]], np.int32), False)]
    rows, columns = np.concatenate([one.rows for one in seen]), np.concatenate([one.columns for one in seen])
    return _whole(rows, units), _whole(columns, units)


def _moves(node: Node) -> bool:
    """Whether unit i of the vector depends on number i of what it is made of, and on no other."""
    softmax = node.activation == "softmax"
    return node.kind in ("Flatten", "Reshape") or (_in_place(node) and not softmax)


def _in_place(node: Node) -> bool:
    return node.kind in _IN_PLACE or (bool(node.activation) and "Conv" not in node.kind and node.kind != "Dense")


def _whole(bounds: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    seen = bounds[bounds[:, 1] > bounds[:, 0]]
    ends = (seen[:, 0].min(), seen[:, 1].max()) if len(seen) else (0, 0)
    return np.tile(np.array(ends, np.int32), (count, 1))


def _bounds(sees: Taps) -> NDArray[np.int32]:
    """(cells, 2): first and one past the last input cell; 0, 0 for a cell that sees nothing."""
    some = sees.any(axis=1)
    first, last = sees.argmax(axis=1), sees.shape[1] - sees[:, ::-1].argmax(axis=1)
    return np.stack([first * some, last * some], axis=1).astype(np.int32)


def _taps(found: Plan, node: Node, source: Node) -> tuple[Taps, Taps]:
    """Of both axes, which input cells each output cell reads."""
    out, into = node.size, source.size
    operation = found.operations[node.name]
    made = [_axis_taps(operation, node, axis, out[axis], into[axis]) for axis in (0, 1)]
    return made[0], made[1]


def _axis_taps(operation: Any, node: Node, axis: int, out: int, into: int) -> Taps:
    starts, offsets = np.arange(out), np.zeros(1, np.intp)
    if node.kind in _WINDOWS:
        pooling = node.kind.endswith("Pooling2D")
        count = _pair(operation.pool_size if pooling else operation.kernel_size, axis)
        dilation = 1 if pooling else _pair(operation.dilation_rate, axis)
        stride = _pair(operation.strides, axis)
        before, _ = pad_amounts(into, dilation * (count - 1) + 1, stride, operation.padding)
        starts, offsets = starts * stride - before, np.arange(count) * dilation
    elif node.kind == "Conv2DTranspose":
        return _transposed(operation, axis, out, into)
    elif node.kind in ("ZeroPadding2D", "Cropping2D"):
        border = operation.padding if node.kind == "ZeroPadding2D" else operation.cropping
        starts = starts + (-border[axis][0] if node.kind == "ZeroPadding2D" else border[axis][0])
    elif node.kind == "UpSampling2D" and operation.interpolation == "nearest":
        starts = starts // _pair(operation.size, axis)
    elif not ((_in_place(node) or _keeps(operation, node, axis)) and out == into):
        return np.ones((out, into), np.float32)
    return _matrix(starts[:, None] + offsets, into)


def _keeps(operation: Any, node: Node, axis: int) -> bool:
    """Whether it is a normalization that leaves the cells along this axis of the maps apart."""
    return node.kind == "LayerNormalization" and axis not in reach.normalized_axes(operation, len(node.shape))


def _transposed(operation: Any, axis: int, out: int, into: int) -> Taps:
    """Of a transposed convolution, whose input cell i adds to output cells i · stride − before + j · dilation."""
    count, stride = _pair(operation.kernel_size, axis), _pair(operation.strides, axis)
    dilation = _pair(operation.dilation_rate, axis)
    before, _ = pad_amounts(out, dilation * (count - 1) + 1, stride, operation.padding)
    return _matrix(np.arange(into)[:, None] * stride - before + np.arange(count) * dilation, out).T


def _matrix(reads: NDArray[np.intp], size: int) -> Taps:
    taps = np.zeros((len(reads), size), np.float32)
    inside = (reads >= 0) & (reads < size)
    taps[np.nonzero(inside)[0], reads[inside]] = 1
    return taps


def _pair(value: Any, axis: int) -> int:
    return int(value if isinstance(value, int) else value[axis])


def effective(found: Plan, x: Floats, off: Any, linear: Any, name: str, index: tuple[int, ...]) -> Floats:
    """|Gradient| of one cell of a node by each pixel of x (1, height, width, channels), summed over the channels.

    (height, width) float32, zeros where nothing gets through or where it is not a number. The one place where the
    network's backend is named: gradients of Keras's own are none.
    """
    import tensorflow as tf

    node = forward.known(found, name)
    switched = bool(off or linear)
    masks = [tf.constant(mask[0]) for mask in forward.switches(found, off, linear)] if switched else []
    calls = forward.Calls(found, (name,), switched)
    given = tf.constant(x)
    # not compiled: 10 to 70 ms a cell of `objects`, and compiling takes 350 to 600 once for each layer
    with tf.GradientTape() as tape:
        tape.watch(given)
        cell = tf.reshape(calls(given, *masks)[0], [-1])[int(np.ravel_multi_index(index, node.shape))]
    slopes = tape.gradient(cell, given, unconnected_gradients="zero").numpy()
    total: Floats = np.abs(slopes[0]).sum(axis=-1)
    return np.nan_to_num(total, nan=0.0, posinf=0.0)
