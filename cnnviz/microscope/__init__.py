"""The microscope: stages of the road from picture to pooled map, and the arithmetic of the window under the pointer.

The parts of a road are mounted once and stay empty; what they show comes in one block of bytes (`draw`), so that a
change sends that block and nothing else, and leaves the other elements of the page alone. In the browser the parts find
one another by the names of block and road (events "cnnviz:block", "cnnviz:point", "cnnviz:cursor", "cnnviz:seek");
while the pointer moves nothing asks the server. The contract:

part    `stage`, `kernel` and `window` are given [{"block", "name"}] (a list, since Streamlit looks into a dict for
        tables, and imports pandas to know one) and answer with triggers: kernel "edit", window "pin".
plane   bytes: uint32 length of a JSON header, the header {"digest", "height", "width", "channels", "dtype"}, then the
        values row by row, "uint8" or "float32". Sent once per picture and working size.
block   bytes: uint32 length of a JSON header, the header {"block", "stages": {name: stage}, "kernel", "window"} (the
        last two may be null), then the levels and palettes of its pictures; it answers with the trigger "coarse" where
        the screen has room for more pixels than a picture came with.
stage   {"road", "role": "input" | "map" | "relu" | "pool" | ..., "title", "sub", "cells": [rows, columns],
        "picture": {"rows", "columns", "at": offset of its bytes, "palette": offset of 256 colors, or null where it is
        RGB itself} or null (then the plane's pixels are drawn, "channel": "rgb" | "luminance" | index),
        "shape", "range", "bar", "numbers": texts of the cells or null, "sheet": over the full width, "note",
        "alt", "pads": [top, bottom, left, right], "uncovered": {"rows": [[from, to]],
        "columns": [[from, to]]}, "live": whether the pointer opens windows on it}
kernel  {"weights": [[...]], "title", "sub", "shape", "range", "bar", "fixed", "most": [rows, columns], "why",
        "edited", "canUndo", "turn": of the edit
        seen last, "problem": a sentence after a refused edit, whose cell then shows what holds};
        its "edit": {"cells": [[row, column, text]]}, alone or with {"paste": text} |
        {"rows", "columns"} | {"tool": "flip" | "negate" | "transpose" | "normalize" | "undo" | "reset"}
window  {"road", "plane": digest, "parts": [{"name", "channel", "weights": [[...]]}], "combine": "sum" | "magnitude" |
        "direction", "bias", "kernelSize", "strides", "padding": [[top, bottom], [left, right]], "dilation", "output",
        "relu", "limit": end of the map's color scale, "pool": null | {"kind", "size", "strides", "padding", "output"},
        "pin": "" | "stage,row,column"}; a part is one input channel (their sums are shown, then the total) or x and y
        of a gradient; its "pin" is the place held, or ""
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

_HERE = Path(__file__).parent


def _read(*names: str) -> str:
    return "\n".join((_HERE / name).read_text() for name in names)


_stage = st.components.v2.component(
    "cnnviz_stage",
    html="""
<div class="stage">
  <div class="name"></div><div class="sub"></div>
  <div class="holder"><div class="frame">
    <canvas data-testid="stage" role="img"></canvas><div class="box" hidden></div><div class="tip" hidden></div>
  </div></div>
  <div class="line"><span class="shape"></span><span class="range"></span></div>
  <div class="bar"></div><div class="here"></div><div class="note"></div>
</div>
""",
    css=_read("stage.css"),
    js=_read("hub.js", "stage.js"),
)
_kernel = st.components.v2.component(
    "cnnviz_kernel",
    html="""
<div class="stage">
  <div class="name"></div><div class="sub"></div>
  <div class="holder arrow"><div class="frame edit">
    <div class="weights" role="group" aria-label="Weights"></div>
  </div></div>
  <div class="line"><span class="shape"></span><span class="range"></span></div><div class="bar"></div>
  <div class="size">
    <label>Rows<input class="rows" type="number" min="1"></label>
    <label>Columns<input class="columns" type="number" min="1"></label>
  </div>
  <div class="why" aria-live="polite"></div>
  <div class="tools"></div>
</div>
""",
    css=_read("stage.css", "kernel.css"),
    js=_read("hub.js", "kernel.js"),
)
_window = st.components.v2.component(
    "cnnviz_window",
    html=_read("window.html"),
    css=_read("window.css"),
    js=_read("hub.js", "arithmetic.js", "grid.js", "window_sums.js", "near.js", "window.js"),
)
_plane = st.components.v2.component("cnnviz_plane", js=_read("hub.js", "plane.js"))
_block = st.components.v2.component("cnnviz_block", js=_read("hub.js", "block.js"))


@dataclass(frozen=True, eq=False)
class Stage:
    """What one stage shows; the fields are those of the contract above.

    pixels: uint8, (rows, columns) of numbers of colors in `palette` (256, 3), or (rows, columns, 3) in RGB; None where
    the plane's own pixels are shown.
    """

    road: str
    role: str
    title: str
    cells: tuple[int, int]
    pixels: NDArray[np.uint8] | None = None
    palette: NDArray[np.uint8] | None = None
    plane: str | None = None
    channel: str | int = "rgb"
    sub: str = ""
    shape: str = ""
    value_range: str = ""
    bar: str = ""
    numbers: list[list[str]] | None = None
    sheet: bool = False
    note: str = ""
    alt: str = ""
    pads: Sequence[int] = (0, 0, 0, 0)
    uncovered: dict[str, list[list[int]]] | None = None
    arrow: bool = False
    live: bool = False


def plane(key: str, digest: str, values: NDArray[np.uint8] | NDArray[np.float32]) -> None:
    """Give the browser the values (H, W, channels) that windows are computed from, under the name `digest`."""
    height, width, channels = values.shape
    header = {"digest": digest, "height": height, "width": width, "channels": channels, "dtype": str(values.dtype)}
    _plane(key=key, data=_bytes(header, [values]))


def stage(key: str, block: str, name: str) -> None:
    """A place for the stage `name` of a block."""
    _stage(key=key, data=[{"block": block, "name": name}])


def kernel(key: str, block: str, on_edit: Callable[[], None]) -> None:
    """A place for a block's grid of weights; `on_edit` finds the change in st.session_state[key].edit."""
    _kernel(key=key, data=[{"block": block}], on_edit_change=on_edit)


def window(key: str, block: str, on_pin: Callable[[], None]) -> None:
    """A place for a block's window under the pointer; `on_pin` finds the place in st.session_state[key].pin."""
    _window(key=key, data=[{"block": block}], on_pin_change=on_pin)


def draw(
    key: str,
    block: str,
    stages: Mapping[str, Stage],
    kernel: dict[str, Any] | None = None,
    window: dict[str, Any] | None = None,
    on_coarse: Callable[[], None] = lambda: None,
) -> None:
    """Send everything that the parts of `block` show; `on_coarse` is called where the screen could show more."""
    arrays: list[NDArray[Any]] = []
    at: dict[int, int] = {}  # offset by identity: stages share a palette

    def place(array: NDArray[np.uint8]) -> int:
        if id(array) not in at:
            at[id(array)] = sum(a.nbytes for a in arrays)
            arrays.append(array)
        return at[id(array)]

    header = {
        "block": block,
        "stages": {name: _fields(stage, place) for name, stage in stages.items()},
        "kernel": kernel,
        "window": window,
    }
    _block(key=key, data=_bytes(header, arrays), on_coarse_change=on_coarse)


def _fields(stage: Stage, place: Callable[[NDArray[np.uint8]], int]) -> dict[str, Any]:
    picture = None
    if stage.pixels is not None:
        picture = {
            "rows": stage.pixels.shape[0],
            "columns": stage.pixels.shape[1],
            "at": place(stage.pixels),
            "palette": None if stage.palette is None else place(stage.palette),
        }
    return {
        "road": stage.road,
        "role": stage.role,
        "title": stage.title,
        "cells": list(stage.cells),
        "picture": picture,
        "plane": stage.plane,
        "channel": stage.channel,
        "sub": stage.sub,
        "shape": stage.shape,
        "range": stage.value_range,
        "bar": stage.bar,
        "numbers": stage.numbers,
        "sheet": stage.sheet,
        "note": stage.note,
        "alt": stage.alt or stage.title,
        "pads": list(stage.pads),
        "uncovered": stage.uncovered,
        "arrow": stage.arrow,
        "live": stage.live,
    }


def _bytes(header: dict[str, Any], arrays: Sequence[NDArray[Any]]) -> bytes:
    text = json.dumps(header).encode()
    return b"".join([len(text).to_bytes(4, "little"), text, *(np.ascontiguousarray(a).tobytes() for a in arrays)])
