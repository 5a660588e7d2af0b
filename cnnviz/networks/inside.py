"""What the page /inside asks of a network: its graph, every layer's maps on a picture, kernels, receptive fields.

All take the network's folder first, and a picture as uint8 (height, width, channels), what card.preprocessing.picture
gives; it is scaled here. All raise NetworkError, one sentence: no network there, not one picture as input, a picture of
another shape, an unknown layer or channel. NaN and infinite numbers are no error: they are shown as what they are.

    graph(folder) -> tuple[Node, ...]                        the input first
    screen(folder, picture, look) -> Screen                  every layer in numbers; its maps as levels if they fit
    mosaic(folder, picture, look, layer, order, cell) -> Mosaic   one layer's channels as one picture
    tiles(folder, picture, look, channels, cell) -> dict     levels by layer: one channel of each, for large networks
    maps(folder, picture, look, layer) -> Maps               one layer in numbers
    channel(folder, picture, look, layer, channel)           float32 (h, w); (1, 1) for a unit of a vector
    array(folder, picture, look, layer)                      float32 (h, w, c) or (units,), to be taken away
    kernels(folder, layer, channel, picture, look, count) -> Kernels
    fields(folder, layer) -> Fields                          receptive fields of all cells, by the graph alone
    all_fields(folder) -> dict                               the same of all layers, by name
    effective(folder, picture, look, layer, y, x, channel)   float32 (H, W): |gradient| of a cell by each pixel
    activations(folder, picture, look) -> dict               float32 by node, for other modules in here

Look, Screen, Maps, Answer, Mosaic, Fields and Kernels stand in cnnviz/graph.py, without keras. Levels are rows of the
tables of display.signed_scale and display.heat_scale: 0..254 from Maps.low to Maps.high, 0 of a signed scale at 127,
255 for NaN. A picture's activations are computed once for all of these, and kept (at_work.py).
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnviz import graph as plain
from cnnviz import maps as measure
from cnnviz.graph import Answer, Fields, Floats, Kernels, Levels, Look, Maps, Mosaic, Node, Order, Screen
from cnnviz.networks import NetworkError, at_work, forward, receptive, weights
from cnnviz.networks.at_work import Pixels, Work

MAX_CELLS = 600_000  # of all maps that a screen sends
MAX_CHANNELS = 64  # of a layer with maps that a screen sends
# each channel of what they give comes from the same one of what they get, where these are equally many
_CARRIES = ("GlobalAveragePooling2D", "GlobalMaxPooling2D", "Flatten", "Reshape", "Identity", "ActivityRegularization")


def graph(folder: str | Path) -> tuple[Node, ...]:
    """The network's layers in the order of computation, the input first."""
    return at_work.network(folder)[1].nodes


def activations(folder: str | Path, picture: Pixels, look: Look) -> dict[str, Floats]:
    """What every node gives, without the batch, by its name; the arrays are not to be written to."""
    return at_work.on(folder, picture, look).values


def screen(folder: str | Path, picture: Pixels, look: Look) -> Screen:
    """The whole network in numbers, and all its maps as levels where they are few enough."""
    work = at_work.on(folder, picture, look)
    nodes = work.found.nodes
    cells = sum(work.values[node.name].size for node in nodes)
    fits = cells <= MAX_CELLS and all(node.size[2] <= MAX_CHANNELS for node in nodes if len(node.shape) > 1)
    blocks = {node.name: measure.by_channel(work.values[node.name]) for node in nodes} if fits else {}
    _measure(work, blocks)
    ends = _ranges(work)
    given = answer_of(work)
    toward = _toward(work, given.chosen)
    layers = [_maps(work, node, ends[node.name], toward.get(node.name), blocks) for node in nodes]
    sent = None
    if fits:
        sent = measure.levels(list(blocks.values()), [ends[name] for name in blocks])
        offsets = np.cumsum([0, *(block.size for block in blocks.values())])
        layers = [replace(one, offset=int(first)) for one, first in zip(layers, offsets, strict=False)]
    return Screen(tuple(layers), given, work.found.parameters, work.found.multiply_adds, sent)


def maps(folder: str | Path, picture: Pixels, look: Look, layer: str) -> Maps:
    """One layer in numbers."""
    work = at_work.on(folder, picture, look)
    node = forward.known(work.found, layer)
    _measure(work, {})
    toward = _toward(work, answer_of(work).chosen)
    return _maps(work, node, _ranges(work)[layer], toward.get(layer), {})


def mosaic(
    folder: str | Path, picture: Pixels, look: Look, layer: str, order: Order = "index", cell: int = 96
) -> Mosaic:
    """One layer's channels side by side, each at most `cell` pixels a side; NetworkError for weight without one."""
    if order not in plain.ORDERS:
        raise NetworkError(f"Channels cannot be sorted by {str(order)[:40]!r}; choose {', '.join(plain.ORDERS)}.")
    one = maps(folder, picture, look, layer)
    if order == "weight" and one.weight is None:
        raise NetworkError(
            f"The channels of {layer} have no weight of their own toward a class; only those have one that the last "
            "dense layer takes, directly or as averages. Sort by another number."
        )
    work = at_work.on(folder, picture, look)
    tiles = measure.tiles(work.values[layer], max(1, int(cell)))
    channels, height, width = tiles.shape
    ends = measure.Ends(one.low, one.high, one.signed)
    levels = measure.levels([tiles.reshape(channels, -1)], [ends]).reshape(tiles.shape)
    places = measure.order(order, work.numbers[layer], one.weight)
    picture_, columns = measure.mosaic(levels[places])
    return Mosaic(one, picture_, height, width, columns, places, order)


def tiles(
    folder: str | Path, picture: Pixels, look: Look, channels: Mapping[str, int | None], cell: int = 96
) -> dict[str, Levels]:
    """Of several layers one channel each, at most `cell` pixels a side; for None all of them, as a mosaic."""
    work = at_work.on(folder, picture, look)
    _measure(work, {})
    ends = _ranges(work)
    found = {}
    for layer, number in channels.items():
        values, scale = work.values[forward.known(work.found, layer).name], ends[layer]
        if number is not None:
            values = values.reshape(_with_channel(work.found, layer, number).size)[..., number : number + 1]
            scale = scale.of(number)
        tiled = measure.tiles(values, max(1, int(cell)))
        through = measure.levels([tiled.reshape(len(tiled), -1)], [scale]).reshape(tiled.shape)
        found[layer] = measure.mosaic(through)[0]
    return found


def channel(folder: str | Path, picture: Pixels, look: Look, layer: str, channel: int) -> Floats:
    """One channel's map, (height, width); a unit of a vector is (1, 1)."""
    work = at_work.on(folder, picture, look)
    node = _with_channel(work.found, layer, channel)
    return np.ascontiguousarray(work.values[layer].reshape(node.size)[..., channel])


def array(folder: str | Path, picture: Pixels, look: Look, layer: str) -> Floats:
    """All that a layer gives, in its own shape."""
    work = at_work.on(folder, picture, look)
    forward.known(work.found, layer)
    return np.array(work.values[layer])


def kernels(
    folder: str | Path,
    layer: str,
    channel: int | None = None,
    picture: Pixels | None = None,
    look: Look | None = None,
    count: int = 8,
) -> Kernels:
    """The weights of a layer: see graph.Kernels. channel None: every kernel of a layer that sees the input's channels.

    count: of input channels at most, or of output channels where channel is None.
    """
    _, found, _ = at_work.network(folder)
    given = None
    if channel is not None:
        _with_channel(found, layer, channel)
        given = None if picture is None else at_work.on(folder, picture, look or Look()).values
    return weights.kernels(found, layer, channel, given, count)


def fields(folder: str | Path, layer: str) -> Fields:
    """Which part of the input each cell of a layer can see."""
    return receptive.fields(at_work.network(folder)[1], layer)


def all_fields(folder: str | Path) -> dict[str, Fields]:
    """The same of every layer: a millisecond each, once a network."""
    found = at_work.network(folder)[1]
    return {node.name: receptive.fields(found, node.name) for node in found.nodes}


def effective(folder: str | Path, picture: Pixels, look: Look, layer: str, y: int, x: int, channel: int) -> Floats:
    """How much a cell depends on each pixel: |gradient| summed over the input's channels, (height, width)."""
    _, found, card = at_work.network(folder)
    node = _with_channel(found, layer, channel)
    height, width, _ = node.size
    if not (0 <= y < height and 0 <= x < width):
        raise NetworkError(
            f"Layer {layer} has maps of {height} × {width}, and the cell ({y}, {x}) was asked for; choose a cell again."
        )
    index = np.unravel_index((y * width + x) * node.size[2] + channel, node.shape)
    scaled = card.preprocessing.scaled(at_work.checked(picture, card))[np.newaxis]
    return receptive.effective(found, scaled, dict(look.off), look.linear, layer, tuple(int(i) for i in index))


# -------------------------------------------------------------------------------------------------------- in numbers


def _measure(work: Work, blocks: dict[str, Floats]) -> None:
    """Fill in the numbers of all layers; one sweep where the blocks are given, else one layer after the other."""
    missing = [node.name for node in work.found.nodes if node.name not in work.numbers]
    if blocks:
        work.numbers.update(
            zip(missing, measure.statistics([blocks[name] for name in missing]), strict=True) if missing else ()
        )
        return
    for name in missing:
        work.numbers[name] = measure.statistics([measure.by_channel(work.values[name])])[0]


def _ranges(work: Work) -> dict[str, measure.Ends]:
    if work.look.range not in plain.RANGES:
        raise NetworkError(f"There is no range {str(work.look.range)[:40]!r}; choose {', '.join(plain.RANGES)}.")
    low, high = (float(n) for n in work.card.preprocessing.scaled(np.array([0, 255], np.uint8)))
    return measure.ranges(work.found.nodes, work.numbers, work.look.range, (low, high), work.look.linear)


def _maps(work: Work, node: Node, ends: measure.Ends, weight: Floats | None, blocks: dict[str, Floats]) -> Maps:
    one = work.numbers[node.name]
    height, width, channels = node.size
    last = node.name in (*work.found.outputs, work.found.logits)
    at_ends = np.zeros(channels, np.bool_)
    nan = np.isnan(one.max) | _nan_weights(work.found).get(node.name, np.False_)
    on = np.ones(channels, np.bool_)
    on[list(dict(work.look.off).get(node.name, ()))] = False
    if node.activation in ("sigmoid", "tanh") and node.name not in work.look.linear and not last:
        block = blocks.get(node.name)
        at_ends = measure.saturated(
            measure.by_channel(work.values[node.name]) if block is None else block, node.activation
        )
    return Maps(
        node,
        height,
        width,
        channels,
        ends.low,
        ends.high,
        ends.signed,
        ends.inherited,
        one.mean,
        one.max,
        one.min,
        one.zeros,
        one.dead & (not last and bool(node.inputs)) & ~nan & on,
        at_ends & on,
        weight,
        node.parameters / max(1, work.found.parameters),
        node.multiply_adds / max(1, work.found.multiply_adds),
        nan=nan,
    )


def _nan_weights(found: forward.Plan) -> dict[str, NDArray[np.bool_]]:
    """(channels,) by node: whether the weights that make a channel hold a NaN; without the nodes that have none."""

    def read() -> dict[str, NDArray[np.bool_]]:
        nan: dict[str, NDArray[np.bool_]] = {}
        for name, operation in found.operations.items():
            channels = found.by_name[name].size[2] if name in found.by_name else 0
            for which in ("kernel", "depthwise_kernel", "pointwise_kernel", "bias"):
                weights = getattr(operation, which, None)
                if weights is None or not channels:
                    continue
                values = np.isnan(np.asarray(weights, np.float32))
                if values.any():
                    of = values.reshape(-1, channels).any(axis=0) if values.size % channels == 0 else np.True_
                    nan[name] = nan.get(name, np.zeros(channels, np.bool_)) | of
        return nan

    made: dict[str, NDArray[np.bool_]] = forward.beside(found, "nan weights", read)
    return made


def _with_channel(found: forward.Plan, layer: str, channel: int) -> Node:
    node = forward.known(found, layer)
    if not 0 <= channel < node.size[2]:
        raise NetworkError(
            f"Layer {layer} has channels 0 to {node.size[2] - 1:,}, and channel {channel} was asked for; choose again."
        )
    return node


# -------------------------------------------------------------------------------------------------------- the answer


def answer_of(work: Work) -> Answer:
    """Logits and probabilities of a network at work."""
    found, labels = work.found, work.card.labels
    last = found.by_name[found.outputs[0]]
    output, logits = work.values[last.name].ravel(), work.values[found.logits].ravel()
    shares = probabilities(last, output, work.look)
    chosen = work.look.chosen
    if chosen is None:
        chosen = likeliest(logits if shares is None else shares)
    if not 0 <= chosen < len(labels):
        raise NetworkError(
            f"The network has the classes 0 to {len(labels) - 1}, and class {chosen} was chosen; choose again."
        )
    return Answer(labels, chosen, logits, shares, "" if shares is None else last.activation)


def probabilities(last: Node, output: Floats, look: Look) -> Floats | None:
    """What the last layer's output (units,) says of each class; None where it ends without softmax or sigmoid."""
    if last.activation not in ("softmax", "sigmoid") or last.name in look.linear:
        return None
    return np.array([1 - output[0], output[0]], np.float32) if len(output) == 1 else output


def likeliest(numbers: Floats) -> int:
    """The class of the largest of these, or of one number, which speaks for the second of two classes from 0 on."""
    numbers = np.array([0, numbers[0]]) if len(numbers) == 1 else numbers
    return int(np.argmax(np.nan_to_num(numbers, nan=-np.inf)))


def _toward(work: Work, chosen: int) -> dict[str, Floats]:
    """Weights toward a class, of every node whose channels the last dense layer takes: see graph.Maps."""
    found = work.found
    name = found.outputs[0]
    while found.by_name[name].kind in ("Softmax", "Sigmoid", "Activation"):
        name = found.by_name[name].inputs[0]
    if found.by_name[name].kind != "Dense":
        return {}
    columns = np.asarray(found.operations[name].kernel, np.float32)
    toward = columns[:, chosen] if columns.shape[1] > 1 else columns[:, 0] * (1 if chosen else -1)
    weights: dict[str, Floats] = {}
    node = found.by_name[found.by_name[name].inputs[0]]
    while node.size[2] == len(toward):
        weights[node.name] = toward
        carried = "Dropout" in node.kind or node.kind in _CARRIES
        if not (carried and len(node.inputs) == 1):
            break
        node = found.by_name[node.inputs[0]]
    return weights
