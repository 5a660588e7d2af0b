"""A network at work as what the microscope's parts show: the engine's plain values in, blocks of bytes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz import display
from cnnviz.display import number
from cnnviz.graph import Answer, Fields, Floats, Kernels, Levels, Maps, Mosaic, Node, Screen
from cnnviz.microscope.network import Body
from cnnviz.ui.inside_state import strongest
from cnnviz.ui.inside_words import percent, times

_SHORT = {
    "InputLayer": "input",
    "Conv2D": "conv",
    "DepthwiseConv2D": "depthwise",
    "SeparableConv2D": "separable",
    "BatchNormalization": "norm",
    "MaxPooling2D": "max pool",
    "AveragePooling2D": "avg pool",
    "GlobalAveragePooling2D": "average",
    "GlobalMaxPooling2D": "maximum",
    "Flatten": "flatten",
    "Dense": "dense",
    "Dropout": "dropout",
    "Add": "add",
    "Multiply": "times",
    "Concatenate": "join",
    "Reshape": "reshape",
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
}
_TRAILS = ("ReLU", "Pooling", "Dropout", "Activation")  # kinds that belong to the block before them
_MOST_CLASSES = 20
MOST_UNITS = 32  # of a vector that are drawn one by one
_DEAD, _SATURATED = "dead: every cell is the same", "saturated: nearly every cell is at an end of the scale"
_GREY = display.grey_scale().table
_SIGNED, _HEAT = display.signed_scale(1).table, display.heat_scale(0, 1).table


@dataclass(frozen=True, eq=False)
class Tile:
    """What stands for a layer of a network that is too large for one screen: one of its maps."""

    channel: int
    levels: Levels


def name(node_name: str) -> str:
    """A layer's name as people read it: "block 1 conv 2"."""
    return node_name.replace("_", " ").replace("/", " › ")


def blocks(nodes: Sequence[Node]) -> list[str]:
    """For each layer the block that it is drawn in; a name that differs from the one before starts a new one.

    Layers outside of named blocks start one at each convolution, dense layer or flattening; what only bends or pools
    goes with what it follows.
    """
    found: list[str] = []
    for index, node in enumerate(nodes):
        named = node.group != ""
        follows = index > 0 and nodes[index - 1].kind != "InputLayer"
        starts = any(word in node.kind for word in ("Conv", "Dense", "Flatten", "Global")) or not follows
        after_block = index > 0 and nodes[index - 1].group != ""
        trails = any(word in node.kind for word in _TRAILS) and not node.kind.startswith("Global")
        if named:
            found.append(node.group)
        elif index == 0 or (starts and not trails) or (after_block and not trails):
            vector = index > 0 and len(node.shape) == 1 and len(nodes[index - 1].shape) == 1
            found.append(found[-1] if vector else f"{index}")
        else:
            found.append(found[-1])
    return found


def palette(maps: Maps) -> NDArray[np.uint8]:
    """The colors of a layer's maps: the picture itself in grey, signed ones about white, others from dark to bright."""
    if maps.node.kind == "InputLayer" and not maps.signed:
        return _GREY
    return _SIGNED if maps.signed else _HEAT


def bar(maps: Maps) -> str:
    """The same as stops of a CSS gradient."""
    table = palette(maps)
    return ", ".join("#{:02x}{:02x}{:02x}".format(*color) for color in table[np.linspace(0, 254, 9, dtype=int)])


def ends(maps: Maps, channel: int | None = None, short: bool = False) -> str:
    """The ends of the color scale in words: "−1.3 … 1.3", in short "±1.3"; of one channel, or of all."""
    if channel is None and maps.low.size > 1:
        return "own" if short else "each map its own"
    at = channel if channel is not None and maps.low.size > 1 else 0
    low, high = float(maps.low.flat[at]), float(maps.high.flat[at])
    if short:
        text = number(float(f"{high:.2g}"))
        return f"±{text}" if maps.signed else f"0…{text}"
    return f"{number(low, 3)} … {number(high, 3)}"


def marks(maps: Maps) -> str:
    """A letter a channel: "d" dead, "s" saturated, "." neither; a single number is never dead, it is 0."""
    if _vector(maps):
        return "".join("s" if one else "." for one in maps.saturated)
    pairs = zip(maps.dead, maps.saturated, strict=True)
    return "".join("d" if dead else "s" if saturated else "." for dead, saturated in pairs)


def legend(layers: Sequence[Maps]) -> str:
    """What the marks mean, as far as there are any: "╱ 3 dead maps · ◤ 1 saturated"."""
    letters = "".join(map(marks, layers))
    dead, saturated = letters.count("d"), letters.count("s")
    parts = [f"╱ {dead} dead (all cells equal)"] * (dead > 0) + [f"◤ {saturated} saturated"] * (saturated > 0)
    return " · ".join(parts)


def network_block(
    block: str,
    screen: Screen,
    identity: str,
    opened: tuple[str, bool, int],
    off: Mapping[str, Sequence[int]],
    tiles: Mapping[str, Tile] | None = None,
) -> bytes:
    """The network on one screen. identity: of the numbers. opened: layer, whether it was asked for, channel.

    tiles: by layer, where Screen.levels is None.
    """
    body = Body()
    groups = blocks([one.node for one in screen.layers])
    fits = screen.levels is not None
    layers = []
    for maps, group in zip(screen.layers, groups, strict=True):
        known: dict[str, Any] = {"off": list(off.get(maps.node.name, ()))}
        if screen.levels is not None and maps.offset is not None:
            cells = maps.height * maps.width
            levels = screen.levels[maps.offset : maps.offset + cells * maps.channels]
            if _vector(maps) and maps.channels > MOST_UNITS:
                known |= _folded(body, maps, levels)
                layers.append(_layer(maps, group) | known)
                continue
            known["picture"] = body.picture(levels, maps.height, maps.width, palette(maps), maps.channels)
            known["statsAt"] = body.place(np.stack([maps.min, maps.max, maps.mean, maps.zeros]).astype(np.float32))
        elif tiles is not None and maps.node.name in tiles:
            tile = tiles[maps.node.name]
            known["picture"] = body.picture(tile.levels, tile.levels.shape[0], tile.levels.shape[1], palette(maps))
            known["shown"] = [tile.channel]
            known["pictured"] = "all units" if _vector(maps) else f"strongest: channel {tile.channel}"
        layers.append(_layer(maps, group) | known | {"units": unit_names(screen, maps)})
    opened_name, explicit, channel = opened
    network = {
        "id": identity,
        "fits": fits,
        "layers": layers,
        "opened": opened_name,
        "explicit": explicit,
        "channel": channel,
        "alt": f"The network’s {len(layers)} layers with their maps. Left and right: layers. Up and down: channels. "
        "Enter opens a layer, Escape goes back.",
        "hint": "Move over the maps. Click one to open its layer.",
        "legend": legend(screen.layers),
    }
    return body.block(block, network=network)


def _folded(body: Body, maps: Maps, levels: Levels) -> dict[str, Any]:
    """A long vector as one picture of all its units, row by row."""
    columns = ceil(sqrt(maps.channels))
    rows = ceil(maps.channels / columns)
    picture = np.pad(levels, (0, rows * columns - maps.channels))
    return {
        "picture": body.picture(picture, rows, columns, palette(maps)),
        "vector": False,
        "pictured": f"all {maps.channels:,} units",
        "folded": True,
        "marks": ".",
    }


def _vector(maps: Maps) -> bool:
    return maps.height == maps.width == 1


def _layer(maps: Maps, group: str) -> dict[str, Any]:
    node = maps.node
    return {
        "name": node.name,
        "title": name(node.name),
        "short": _SHORT.get(node.kind, node.kind[:9]),
        "group": group,
        "block": name(group).capitalize() if node.group else times(node.shape[:2]) if len(node.shape) == 3 else "",
        "inputs": list(node.inputs),
        "shape": times(node.shape),
        "count": maps.channels,
        "strongest": strongest(maps),
        "folded": False,
        "vector": _vector(maps),
        "picture": None,
        "scale": {"text": ends(maps, short=True), "bar": bar(maps)},
        "shown": None,
        "pictured": "",
        "units": None,
        "statsAt": None,
        "marks": marks(maps),
        "words": {"d": _DEAD, "s": _SATURATED},
    }


# ------------------------------------------------------------------------------------------------------- one layer


def mosaic_part(
    body: Body,
    mosaic: Mosaic,
    channel: int,
    off: Sequence[int],
    kernels: Kernels | None,
    switchable: bool,
    units: Sequence[str] | None = None,
) -> dict[str, Any]:
    """All channels of a layer. kernels: a first layer's, to stand under their maps. units: of a vector, by name."""
    maps = mosaic.maps
    order = [int(one) for one in mosaic.order]
    letters = marks(maps)
    beneath = None
    if kernels is not None and kernels.color:
        planes = np.stack([_colored(one, kernels.limit) for one in kernels.weights])
        count, rows, columns = planes.shape[:3]
        ordered = np.zeros_like(planes)
        ordered[kernels.inputs] = planes
        beneath = body.picture(np.ascontiguousarray(ordered), rows, columns, None, count)
    height, width = mosaic.levels.shape
    return {
        "name": maps.node.name,
        "picture": body.picture(mosaic.levels, height, width, palette(maps)),
        "tile": [mosaic.tile_height, mosaic.tile_width],
        "across": mosaic.columns,
        "order": order,
        "words": [_channel_words(maps, one, letters[one], units) for one in order],
        "marks": "".join(letters[one] for one in order),
        "off": list(off),
        "channel": channel,
        "switchable": switchable,
        "kernels": beneath,
        "scale": {"text": range_words(maps), "bar": bar(maps)},
        "legend": legend([maps]),
        "alt": f"All {maps.channels:,} channels of {name(maps.node.name)}. Arrow keys walk, Enter enlarges a channel, "
        "x switches it off.",
        "hint": "",
    }


def range_words(maps: Maps) -> str:
    """The ends of a layer's scale, and where they come from."""
    if maps.low.size > 1:
        return "each map’s own range"
    origin = f"kept from {name(maps.inherited)}" if maps.inherited else "set by this layer"
    return f"{ends(maps)}, {origin}"


def unit_names(screen: Screen, maps: Maps) -> tuple[str, ...] | None:
    """The classes, for the answer and the logits that it is made of; None for other layers."""
    last = screen.layers[-1].node
    answers = {last.name, *(last.inputs if last.kind in ("Softmax", "Sigmoid", "Activation") else ())}
    labels = screen.answer.labels
    if maps.node.name not in answers or not _vector(maps):
        return None
    return labels if maps.channels == len(labels) else labels[-1:] if maps.channels == 1 else None


def channel_name(maps: Maps, channel: int, units: Sequence[str] | None = None) -> str:
    """A channel in words: "channel 4", "unit 4", or the class that the unit stands for."""
    return units[channel] if units else f"{'unit' if _vector(maps) else 'channel'} {channel}"


def _channel_words(maps: Maps, channel: int, mark: str, units: Sequence[str] | None) -> str:
    low, high, mean, zeros = (float(values[channel]) for values in (maps.min, maps.max, maps.mean, maps.zeros))
    if _vector(maps):
        parts = [channel_name(maps, channel, units), f"value {number(mean)}"]
    else:
        spread = f"{number(low)} … {number(high)}"
        parts = [f"channel {channel}", spread, f"mean {number(mean)}", f"{percent(zeros)} zeros"]
    if maps.low.size > 1:
        parts.append(f"colors {ends(maps, channel)}")
    if maps.weight is not None:
        parts.append(f"weight toward the class {number(float(maps.weight[channel]), 3)}")
    parts += ["dead"] * (mark == "d") + ["saturated"] * bool(maps.saturated[channel])
    return " · ".join(parts)


def _colored(weights: Floats, limit: float) -> NDArray[np.uint8]:
    """A kernel (h, w, channels) as colors (h, w, 3): three about mid-grey, which is 0; one on a signed scale."""
    if weights.shape[-1] != 3:
        return display.colored(weights[..., 0], display.signed_scale(limit))
    shares = np.clip(np.nan_to_num(weights) / (2 * limit) + 0.5, 0, 1)
    colors: NDArray[np.uint8] = np.rint(255 * shares).astype(np.uint8)
    return colors


def channel_part(
    body: Body,
    maps: Maps,
    channel: int,
    values: Floats,
    picture: Levels,
    seen: str,
    fields: Fields | None,
    kernels: dict[str, Any] | None,
    pin: tuple[int, int] | None,
    units: Sequence[str] | None = None,
) -> dict[str, Any]:
    """One channel (h, w), float32, beside the network's input `picture` (h, w, 1 or 3).

    seen: how the input was made. pin: the cell that is held. units: names of a vector's units.
    """
    at = channel if maps.low.size > 1 else 0
    scale = display.Scale(palette(maps), float(maps.low.flat[at]), float(maps.high.flat[at]))
    rgb = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture
    rows, columns = values.shape
    unit = channel_name(maps, channel, units)
    finite = values[np.isfinite(values)]
    spread = f"{number(float(finite.min()))} … {number(float(finite.max()))}" if finite.size else "NaN"
    input_shape = times(picture.shape)
    return {
        "name": maps.node.name,
        "channel": channel,
        "title": f"{name(maps.node.name)}, {unit}",
        "sub": f"colors {ends(maps, channel)}",
        "shape": times((rows, columns)),
        "range": spread,
        "bar": bar(maps),
        "picture": body.picture(display.levels(values, scale), rows, columns, scale.table),
        "valuesAt": body.place(np.ascontiguousarray(values, np.float32)),
        "signed": bool(maps.signed),
        "alt": f"{unit} of {name(maps.node.name)}, {times((rows, columns))} cells, values {spread}. Arrow "
        "keys move over its cells, Enter holds one.",
        "hint": "Move over the map: what does a cell see?",
        "pin": None if pin is None else list(pin),
        "photo": body.picture(np.ascontiguousarray(rgb), rgb.shape[0], rgb.shape[1], None)
        | {
            "title": "Input",
            "sub": seen,
            "shape": input_shape,
            "range": "",
            "bar": "",
            "alt": f"The picture as the network gets it, {input_shape}",
        },
        "fields": None
        if fields is None
        else {"rows": fields.rows.tolist(), "columns": fields.columns.tolist(), "vector": fields.vector},
        "single": _vector(maps),
        "kernels": kernels,
    }


def reach_part(body: Body, maps: Maps, channel: int, cell: tuple[int, int], effective: Floats) -> dict[str, Any]:
    """How much each pixel of the input counts for a cell of a channel, (h, w), as levels up to the largest."""
    size = np.abs(np.nan_to_num(effective))
    levels = np.rint(np.sqrt(size / (size.max(initial=0.0) or 1.0)) * 254).astype(np.uint8)
    place = f"({cell[0]}, {cell[1]})"
    words = f"Bright: what cell {place} really depends on, by its gradient." if size.any() else f"Cell {place} is flat."
    of_cell = {"name": maps.node.name, "channel": channel, "cell": list(cell), "words": words}
    return body.picture(levels, levels.shape[0], levels.shape[1], _HEAT) | of_cell


def kernel_part(body: Body, kernels: Kernels, source: Maps | None) -> dict[str, Any]:
    """The weights that made a channel, toward its strongest inputs in `source`."""
    rows, columns = kernels.weights.shape[1:3]
    bias = "no bias" if kernels.bias is None else f"bias {number(float(np.asarray(kernels.bias).flat[0]), 3)}"
    whole = float(np.sum(kernels.strength)) + kernels.rest
    colors = ("red", "green", "blue")
    from_input = source is not None and source.node.kind == "InputLayer"
    planes = []
    for weights, origin, strength in zip(kernels.weights, kernels.inputs, kernels.strength, strict=True):
        share = float(strength) / whole if whole else 0.0
        called = f"ch {int(origin)}"
        if from_input and source is not None:
            called = colors[int(origin)] if source.channels == len(colors) else "grey"
        planes.append(
            _plane(
                body, weights, kernels.limit, int(origin), f"{called} · {number(float(f'{100 * share:.2g}'))} %", share
            )
        )
    rest = f" All others together: {percent(kernels.rest / whole)}." if whole and kernels.rest > 0 else ""
    return {
        "title": "Its kernel" if from_input else "Its strongest inputs",
        "sub": f"{'weights' if rows == columns == 1 else 'kernels'} over {name(kernels.source)}, {bias}",
        "note": f"Share of |weight × value| summed over this picture.{rest}",
        "scale": {"text": f"±{number(kernels.limit, 3)}", "bar": display.signed_scale(1).css},
        "source": kernels.source,
        "planes": planes,
    }


def _plane(body: Body, weights: Floats, limit: float, source: int, title: str, share: float) -> dict[str, Any]:
    levels = display.levels(weights, display.signed_scale(limit))
    if levels.size == 1:
        title = f"{title} · {'+' if weights.flat[0] > 0 else ''}{number(float(weights.flat[0]), 3)}"
    text = "; ".join(", ".join(number(float(w), 3) for w in row) for row in weights)
    return {
        "input": source,
        "title": title,
        "words": text,
        "share": round(share, 4),
        "picture": body.picture(levels, levels.shape[0], levels.shape[1], _SIGNED),
    }


# ------------------------------------------------------------------------------------------------------ the answer


def answer_part(answer: Answer, before: Answer | None, threshold: float | None) -> dict[str, Any]:
    """The answer. before: that of the whole network, where something is switched off."""
    shares = None if answer.probabilities is None else np.asarray(answer.probabilities, np.float64)
    was = None if before is None or before.probabilities is None else before.probabilities
    ranked = np.asarray(answer.logits if shares is None else shares if was is None else was, np.float64)
    count = len(answer.labels)
    if ranked.size < count:
        ranked = np.zeros(count)
    places = [int(one) for one in np.argsort(-np.nan_to_num(ranked, nan=-np.inf), kind="stable")[:_MOST_CLASSES]]
    if answer.chosen not in places:
        places.append(answer.chosen)
    single = len(answer.logits) == 1
    classes = []
    for place in places:
        share = None if shares is None else float(shares[place])
        logit = float(answer.logits[0]) * (1 if place else -1) if single else float(answer.logits[place])
        words = f"{answer.labels[place]}: "
        words += f"logit {number(logit)}" + ("" if share is None else f", probability {number(share)}")
        if was is not None:
            words += f", before {number(float(was[place]))}"
        classes.append(
            {
                "number": place,
                "label": answer.labels[place],
                "share": share if share is None or isfinite(share) else 0.0,
                "before": None if was is None else float(was[place]),
                "value": "" if share is None else f"{share:.3f}" if share >= 0.0005 else "< 0.001",
                "logit": f"logit {number(logit, 3)}",
                "words": words,
            }
        )
    title, first = _said(answer, shares, threshold)
    return {
        "title": title,
        "note": _note(answer, before),
        "chosen": answer.chosen,
        "first": first,
        "classes": classes,
    }


def _said(answer: Answer, shares: Any, threshold: float | None) -> tuple[str, int]:
    if shares is None or not np.isfinite(shares).any():
        return "Answer: no probabilities", -1
    first = int(np.nanargmax(shares))
    share = float(shares[first])
    unsure = threshold is not None and share < threshold
    doubt = f" · not sure (under {number(threshold or 0, 2)})" if unsure else ""
    return f"Answer: {answer.labels[first]}, {percent(share)}{doubt}", first


def _note(answer: Answer, before: Answer | None) -> str:
    of = {"softmax": "Softmax makes shares of the logits that add up to 1.", "sigmoid": "Sigmoid makes the logit one "
          "probability; the rest to 1 is the other class’s."}.get(answer.activation, "")  # fmt: skip
    ticks = " The tick on each bar is the answer of the whole network." if before is not None else ""
    closed = f" It has to call one of its {len(answer.labels)} classes, whatever it is shown."
    return f"{of}{closed}{ticks}".strip()
