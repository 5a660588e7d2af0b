"""The opened layer of /inside as its parts show it: all channels, one of them enlarged, what made it, what it sees."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz import display
from cnnviz.display import number
from cnnviz.graph import NAN_LEVEL, Fields, Floats, Kernels, Levels, Maps, Mosaic
from cnnviz.microscope.network import Body
from cnnviz.ui.inside_view import bar, channel_name, ends, is_vector, legend, marks, name, palette
from cnnviz.ui.inside_words import percent, times

_SIGNED, _HEAT = display.signed_scale(1).table, display.heat_scale(0, 1).table


def mosaic_part(
    body: Body,
    mosaic: Mosaic,
    channel: int,
    off: Sequence[int],
    kernels: Kernels | None,
    switchable: bool | None,
    units: Sequence[str] | None = None,
) -> dict[str, Any]:
    """All channels of a layer. kernels: a first layer's, to stand under their maps. units: of a vector, by name.

    switchable: whether channels can be switched off here; False keeps room for the button that the other column has,
    None does not.
    """
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
        "switchable": bool(switchable),
        "level": switchable is False,
        "kernels": beneath,
        "scale": {"text": range_words(maps), "bar": bar(maps)},
        "legend": legend([maps]),
        "alt": f"All {maps.channels:,} channels of {name(maps.node.name)}. Arrow keys walk, Enter enlarges a "
        f"channel{', x switches it off' * bool(switchable)}.",
        "hint": "",
    }


def range_words(maps: Maps) -> str:
    """The ends of a layer's scale, and where they come from."""
    if maps.low.size > 1:
        return "each map’s own range"
    origin = f"kept from {name(maps.inherited)}" if maps.inherited else "set by this layer"
    return f"{ends(maps)}, {origin}"


def _channel_words(maps: Maps, channel: int, mark: str, units: Sequence[str] | None) -> str:
    low, high, mean, zeros = (float(values[channel]) for values in (maps.min, maps.max, maps.mean, maps.zeros))
    if is_vector(maps):
        parts = [channel_name(maps, channel, units), f"value {number(mean)}"]
    else:
        spread = f"{number(low)} … {number(high)}"
        parts = [f"channel {channel}", spread, f"mean {number(mean)}", f"{percent(zeros)} zeros"]
    if maps.low.size > 1:
        parts.append(f"colors {ends(maps, channel)}")
    if maps.weight is not None:
        parts.append(f"weight toward the class {number(float(maps.weight[channel]), 3)}")
    parts += ["NaN in it or its weights"] * (mark == "n") + ["dead"] * (mark == "d")
    parts += ["saturated"] * bool(maps.saturated[channel])
    return " · ".join(parts)


def _colored(weights: Floats, limit: float) -> NDArray[np.uint8]:
    """A kernel (h, w, channels) as colors (h, w, 3): three about mid-grey, which is 0; one on a signed scale."""
    if weights.shape[-1] != 3:
        return display.colored(weights[..., 0], display.signed_scale(limit))
    shares = np.clip(np.nan_to_num(weights) / (2 * limit) + 0.5, 0, 1)
    colors: NDArray[np.uint8] = np.rint(255 * shares).astype(np.uint8)
    colors[np.isnan(weights).any(axis=-1)] = _SIGNED[NAN_LEVEL]
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
    spread = f"{number(float(finite.min()))} … {number(float(finite.max()))}" if finite.size else ""
    spread = " and ".join([spread] * bool(spread) + ["NaN"] * bool(np.isnan(values).any()))
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
        "single": is_vector(maps),
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
    whole = float(np.nansum([*kernels.strength, kernels.rest]))
    colors = ("red", "green", "blue")
    from_input = source is not None and source.node.kind == "InputLayer"
    planes = []
    for weights, origin, strength in zip(kernels.weights, kernels.inputs, kernels.strength, strict=True):
        share = float(strength) / (whole or 1.0)
        called = f"ch {int(origin)}"
        if from_input and source is not None:
            called = colors[int(origin)] if source.channels == len(colors) else "grey"
        planes.append(_plane(body, weights, kernels.limit, int(origin), f"{called} · {percent(share)}", share))
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
        "share": round(share, 4) if isfinite(share) else 0,
        "picture": body.picture(levels, levels.shape[0], levels.shape[1], _SIGNED),
    }
