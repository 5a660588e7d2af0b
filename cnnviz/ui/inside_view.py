"""A network at work as what the microscope's parts show: the engine's plain values in, blocks of bytes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz import display
from cnnviz.display import number
from cnnviz.graph import Fields, Levels, Maps, Node, Screen
from cnnviz.microscope.network import Body
from cnnviz.ui.inside_state import strongest
from cnnviz.ui.inside_words import times

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
MOST_UNITS = 32  # of a vector that are drawn one by one
_DEAD, _SATURATED = "dead: every cell is the same", "saturated: nearly every cell is at an end of the scale"
_NAN = "NaN: not a number, in the map or in the weights that make it"
_HINT = (
    "Move over the maps: numbers are read off their colors, ± half of one step in 254. Click a map to open its layer, "
    "with the numbers as computed."
)
_FLAT = "the picture has one color all over, so most maps have, too"
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
    """A letter a channel: "n" NaN, "d" dead, "s" saturated, "." none; a single number is never dead, it is 0."""
    nan = np.zeros(maps.channels, np.bool_) if maps.nan is None else maps.nan
    dead = maps.dead & (not is_vector(maps))
    return "".join(np.select([nan, dead, maps.saturated], ["n", "d", "s"], ".").tolist())


def legend(layers: Sequence[Maps]) -> str:
    """What the marks mean, as far as there are any: "NaN in 2 · ╱ 3 dead · ◤ 1 saturated"."""
    letters = "".join(map(marks, layers))
    nan, dead, saturated = (letters.count(letter) for letter in "nds")
    parts = [f"■ NaN in {nan} {'map or its' if nan == 1 else 'maps or their'} weights"] * (nan > 0)
    parts += [f"╱ {dead} dead (all cells equal)"] * (dead > 0) + [f"◤ {saturated} saturated"] * (saturated > 0)
    return " · ".join(parts)


def network_block(
    block: str,
    screen: Screen,
    identity: str,
    opened: tuple[str, bool, int],
    off: Mapping[str, Sequence[int]],
    tiles: Mapping[str, Tile] | None = None,
    fields: Mapping[str, Fields] | None = None,
) -> bytes:
    """The network on one screen. identity: of the numbers. opened: layer, whether it was asked for, channel.

    tiles: by layer, where Screen.levels is None. fields: the receptive fields by layer, where it is not.
    """
    body = Body()
    groups = blocks([one.node for one in screen.layers])
    fits = screen.levels is not None
    layers = []
    for maps, group in zip(screen.layers, groups, strict=True):
        known: dict[str, Any] = {"off": list(off.get(maps.node.name, ()))}
        if fields is not None:
            field = fields[maps.node.name]
            known["fieldsAt"] = body.place(np.concatenate([field.rows, field.columns]).astype(np.int16))
        if screen.levels is not None and maps.offset is not None:
            cells = maps.height * maps.width
            levels = screen.levels[maps.offset : maps.offset + cells * maps.channels]
            if is_vector(maps) and maps.channels > MOST_UNITS:
                known |= _folded(body, maps, levels)
            else:
                known["picture"] = body.picture(levels, maps.height, maps.width, palette(maps), maps.channels)
                known["statsAt"] = body.place(np.stack([maps.min, maps.max, maps.mean, maps.zeros]).astype(np.float32))
        elif tiles is not None and maps.node.name in tiles:
            tile = tiles[maps.node.name]
            known["picture"] = body.picture(tile.levels, tile.levels.shape[0], tile.levels.shape[1], palette(maps))
            known["shown"] = [tile.channel]
            known["pictured"] = "all units" if is_vector(maps) else _stands_for(maps, tile.channel)
            known["whole"] = is_vector(maps) or tile.levels.shape == (maps.height, maps.width)
        layers.append(layer_part(body, maps, group) | known | {"units": unit_names(screen, maps)})
    opened_name, explicit, channel = opened
    network = {
        "id": identity,
        "fits": fits,
        "paired": False,
        "layers": layers,
        "opened": opened_name,
        "explicit": explicit,
        "channel": channel,
        "alt": f"The network’s {len(layers)} layers with their maps.",
        "hint": _HINT if fits else "Move over the maps. Click one to open its layer.",
        "legend": " · ".join(filter(None, (legend(screen.layers), _FLAT if _is_flat(screen.layers[0]) else ""))),
        "note": "" if fits else stand_ins(screen.layers),
    }
    return body.block(block, network=network)


def stand_ins(layers: Sequence[Maps]) -> str:
    """What a road shows of each layer, and how to see the rest; "" where one map is all there is."""
    counts = sorted(
        {maps.channels for maps in layers if not is_vector(maps) and maps.node.inputs and maps.channels > 1}
    )
    if not counts:
        return ""
    all_ = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    return f"Of each layer one map is shown, its strongest; choose a layer to see all its {all_} maps."


def _stands_for(maps: Maps, channel: int) -> str:
    if maps.channels == 1:
        return ""
    return f"strongest of {maps.channels:,} maps: channel {channel}"


def _is_flat(maps: Maps) -> bool:
    return bool(np.all(maps.min == maps.max)) and maps.height * maps.width > 1


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


def is_vector(maps: Maps) -> bool:
    """Whether its maps are single numbers."""
    return maps.height == maps.width == 1


def layer_part(body: Body, maps: Maps, group: str) -> dict[str, Any]:
    """A layer of the contract without its picture."""
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
        "vector": is_vector(maps),
        "picture": None,
        "whole": True,
        "scales": maps.low.size,
        "fieldsAt": None,
        "height": maps.channels if len(node.shape) == 1 else maps.height,
        "width": maps.channels if len(node.shape) == 1 else maps.width,
        "scale": {"text": ends(maps, short=True), "bar": bar(maps)},
        "shown": None,
        "pictured": "",
        "units": None,
        "statsAt": None,
        "scaleAt": body.place(np.concatenate([maps.low, maps.high]).astype(np.float32)),
        "room": 0,
        "peer": None,
        "marks": marks(maps),
        "words": {"d": _DEAD, "s": _SATURATED, "n": _NAN},
    }


def unit_names(screen: Screen, maps: Maps) -> tuple[str, ...] | None:
    """The classes, for the answer and the logits that it is made of; None for other layers."""
    last = screen.layers[-1].node
    answers = {last.name, *(last.inputs if last.kind in ("Softmax", "Sigmoid", "Activation") else ())}
    labels = screen.answer.labels
    if maps.node.name not in answers or not is_vector(maps):
        return None
    return labels if maps.channels == len(labels) else labels[-1:] if maps.channels == 1 else None


def channel_name(maps: Maps, channel: int, units: Sequence[str] | None = None) -> str:
    """A channel in words: "channel 4", "unit 4", or the class that the unit stands for."""
    return units[channel] if units else f"{'unit' if is_vector(maps) else 'channel'} {channel}"
