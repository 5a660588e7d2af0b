"""The parts of the browser component that show a network at work: all its maps, one layer, one channel, the answer.

As in the rest of the microscope a part is mounted once and stays empty; what it shows comes as a block of bytes (see
`cnnviz.microscope`), so that a change sends that block and leaves the page alone. A block holds one of these under its
own name; offsets are bytes in the body.

picture  {"rows", "columns", "count": maps one after the other, "at": offset of the levels, "palette": offset of 256
         colors, or null where the levels are RGB}
scale    {"text": "±1.3" or "0 … 1", "bar": stops of a CSS gradient}
network  {"id": of the numbers in it; the same id is not unpacked twice, "fits": whether every map has come (else one a
         layer), "paired": whether these are the layers that compare with another column's, "layers": [layer],
         "opened": name of a layer or "", "explicit": whether somebody asked for it, "channel": of it, "alt", "hint",
         "legend": what the marks mean, "note": what of the layers is shown, or ""}
layer    {"name", "title": "block 1 conv 2", "short": "conv", "group", "block": name of the group, "inputs": names,
         "shape": "32 × 32 × 16", "count": channels, "vector": maps are single cells, "picture", "scale",
         "shown": channel of each map or null where they are all, "pictured": which map stands for the layer, "units":
         names of a vector's units or null, "statsAt": offset of float32 (4, count of maps), least, largest, mean and
         share of zeros, or null, "scaleAt": offset of float32 (2, "scales"), the ends of its colors, of all maps or
         of each, "whole": whether the picture has a level for each cell, "fieldsAt": offset of int16 ("height" +
         "width", 2), what of the input each row and column sees, of a vector each unit twice, or null,
         "marks": a letter a map, "n" NaN, "d" dead, "s" saturated, ".", "words": of these,
         "off": channels, "room": maps that the layer beside it in the other column shows, "peer": its name, or null: to
         be opened in its stead}; the part answers with the trigger "open" {"layer", "channel" or null}, "" to close
mosaic   {"name", "picture": of all tiles, "tile": [rows, columns], "across": tiles a row, "order": channel by place,
         "words", "marks": by place, "off", "channel", "switchable", "level": whether room is kept for the button that
         it lacks, "kernels": a picture with a kernel a channel or null, "scale", "legend", "alt", "hint"}; triggers
         "open" and "switch" {"layer", "channel", "off"}
channel  {"name", "channel", "title", "sub", "shape", "range", "bar", "picture", "valuesAt": offset of float32 (rows,
         columns), "signed", "alt", "hint", "pin": [row, column] or null, "photo": a picture with the same texts,
         "fields": {"rows": [[first, past the last]], "columns", "vector"} or null, "single": one cell,
         "kernels": {"title", "sub", "note", "scale", "source", "planes": [{"input", "title", "words", "share",
         "picture" or null}]} or null}; trigger "trace": "layer,row,column,channel" or ""
effective  in the block whose name ends in "_reach": a picture and {"name", "channel", "cell", "words"}
answer   {"title", "note", "chosen", "first": numbers of classes, "classes": [{"number", "label", "share": 0..1 or null,
         "before": 0..1 or null, "value", "logit", "words"}]}; trigger "pick": number of a class
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnnviz.microscope import _block, _bytes, _read

_network = st.components.v2.component(
    "cnnviz_network",
    html=_read("network.html"),
    css=_read("network.css"),
    js=_read("hub.js", "shares.js", "tiles.js", "layout.js", "strokes.js", "cell.js", "network.js"),
)
_mosaic = st.components.v2.component(
    "cnnviz_mosaic",
    html=_read("mosaic.html"),
    css=_read("network.css"),
    js=_read("hub.js", "tiles.js", "mosaic.js"),
)
_channel = st.components.v2.component(
    "cnnviz_channel",
    html=_read("channel.html"),
    css=_read("stage.css", "channel.css"),
    js=_read("hub.js", "tiles.js", "channel.js"),
)
_answer = st.components.v2.component(
    "cnnviz_answer", html=_read("answer.html"), css=_read("answer.css"), js=_read("hub.js", "answer.js")
)


class Body:
    """The arrays of a block, each at its offset; an array that is placed twice is sent once."""

    def __init__(self) -> None:
        self._arrays: list[NDArray[Any]] = []
        self._at: dict[int, int] = {}
        self._size = 0

    def place(self, array: NDArray[Any]) -> int:
        """The offset of an array, in bytes."""
        if id(array) not in self._at:
            self._at[id(array)] = self._size
            self._arrays.append(array)
            self._size += array.nbytes
        return self._at[id(array)]

    def picture(
        self, levels: NDArray[np.uint8], rows: int, columns: int, palette: NDArray[np.uint8] | None, count: int = 1
    ) -> dict[str, Any]:
        """A picture of the contract above, of `count` maps of this size; palette None: the levels are RGB."""
        return {
            "rows": rows,
            "columns": columns,
            "count": count,
            "at": self.place(levels),
            "palette": None if palette is None else self.place(palette),
        }

    def block(self, name: str, **parts: Any) -> bytes:
        """The block `name` with these parts."""
        return _bytes({"block": name, **parts}, self._arrays)


def network(key: str, block: str, on_open: Callable[[], None]) -> None:
    """A place for a block's network; `on_open` finds the layer in st.session_state[key].open."""
    _network(key=key, data=[{"block": block}], on_open_change=on_open)


def mosaic(key: str, block: str, of: str, on_open: Callable[[], None], on_switch: Callable[[], None]) -> None:
    """A place for the channels of a block's layer; `of`: the block of the network it belongs to."""
    _mosaic(key=key, data=[{"block": block, "network": of}], on_open_change=on_open, on_switch_change=on_switch)


def channel(key: str, block: str, of: str, on_trace: Callable[[], None]) -> None:
    """A place for one channel, beside the input and the kernels; `of`: the block of the network it belongs to."""
    _channel(key=key, data=[{"block": block, "network": of}], on_trace_change=on_trace)


def answer(key: str, block: str, on_pick: Callable[[], None]) -> None:
    """A place for a block's answer; `on_pick` finds the class in st.session_state[key].pick."""
    _answer(key=key, data=[{"block": block}], on_pick_change=on_pick)


def draw(key: str, data: bytes) -> None:
    """Send a block, as Body.block makes it, to the parts that follow it."""
    _block(key=key, data=data, on_coarse_change=lambda: None)
