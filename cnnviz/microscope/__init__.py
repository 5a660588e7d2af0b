"""The microscope: stages of the road from picture to pooled map, and the arithmetic of the window under the pointer.

Instances of a road find one another in the browser (events "cnnviz:point", "cnnviz:cursor"); while the pointer
moves nothing asks the server. What each instance is given (as the one element of a list: Streamlit looks into a
dict for tables, and imports pandas to know one):

plane   bytes: uint32 length of a JSON header, the header {"digest", "height", "width", "channels", "dtype"}, then the
        values row by row, "uint8" or "float32". Sent once per picture and working size.
stage   {"road", "role": "input" | "map" | "relu" | "pool" | ..., "title", "sub", "cells": [rows, columns],
        "picture": data URL or null (then the plane's pixels are drawn, "channel": "rgb" | "luminance" | index),
        "shape", "range", "bar", "numbers": texts of the cells or null, "sheet": over the full width, "note",
        "alt", "pads": [top, bottom, left, right], "uncovered": {"rows": [[from, to]],
        "columns": [[from, to]]}, "live": whether the pointer opens windows on it}
kernel  {"weights": [[...]], "title", "sub", "shape", "range", "bar", "fixed", "most": [rows, columns], "why",
        "edited", "canUndo", "turn": of the edit
        seen last, "problem": a sentence after a refused edit, whose cell then shows what holds};
        answers with the trigger "edit": {"cells": [[row, column, text]]}, alone or with {"paste": text} |
        {"rows", "columns"} | {"tool": "flip" | "negate" | "transpose" | "normalize" | "undo" | "reset"}
window  {"road", "plane": digest, "parts": [{"name", "channel", "weights": [[...]]}], "combine": "sum" | "magnitude" |
        "direction", "bias", "kernelSize", "strides", "padding": [[top, bottom], [left, right]], "dilation", "output",
        "relu", "limit": end of the map's color scale, "pool": null | {"kind", "size", "strides", "padding", "output"},
        "pin": "" | "stage,row,column"}; a part is one input channel (their sums are shown, then the total) or x and y
        of a gradient; answers with the trigger "pin"
"""

import json
from collections.abc import Callable, Sequence
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
    <canvas data-testid="stage" role="img"></canvas><div class="box" hidden></div>
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
  <div class="why"></div>
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
    js=_read("hub.js", "arithmetic.js", "window.js"),
)
_plane = st.components.v2.component(
    "cnnviz_plane",
    js=_read("hub.js")
    + """
export default function ({ data }) {
  const plane = readPlane(data)
  for (const digest of [...hub.planes.keys()].slice(0, -3)) hub.planes.delete(digest)
  hub.planes.set(plane.digest, plane)
  tell("plane", { digest: plane.digest })
}
""",
)


def plane(key: str, digest: str, values: NDArray[np.uint8] | NDArray[np.float32]) -> None:
    """Give the browser the values (H, W, channels) that windows are computed from, under the name `digest`."""
    height, width, channels = values.shape
    header = json.dumps(
        {"digest": digest, "height": height, "width": width, "channels": channels, "dtype": str(values.dtype)}
    ).encode()
    _plane(key=key, data=len(header).to_bytes(4, "little") + header + np.ascontiguousarray(values).tobytes())


def stage(
    key: str,
    road: str,
    role: str,
    title: str,
    cells: tuple[int, int],
    *,
    picture: str | None = None,
    plane: str | None = None,
    channel: str | int = "rgb",
    sub: str = "",
    shape: str = "",
    value_range: str = "",
    bar: str = "",
    numbers: list[list[str]] | None = None,
    sheet: bool = False,
    note: str = "",
    alt: str = "",
    pads: Sequence[int] = (0, 0, 0, 0),
    uncovered: dict[str, list[list[int]]] | None = None,
    arrow: bool = False,
    live: bool = False,
) -> None:
    """Show one stage; the arguments are the fields of the contract above."""
    data: dict[str, Any] = {
        "road": road,
        "role": role,
        "title": title,
        "cells": list(cells),
        "picture": picture,
        "plane": plane,
        "channel": channel,
        "sub": sub,
        "shape": shape,
        "range": value_range,
        "bar": bar,
        "numbers": numbers,
        "sheet": sheet,
        "note": note,
        "alt": alt or title,
        "pads": list(pads),
        "uncovered": uncovered,
        "arrow": arrow,
        "live": live,
    }
    _stage(key=key, data=[data])


def kernel(key: str, data: dict[str, Any], on_edit: Callable[[], None]) -> None:
    """Show the grid of weights; `on_edit` finds the change in st.session_state[key].edit."""
    _kernel(key=key, data=[data], on_edit_change=on_edit)


def window(key: str, spec: dict[str, Any], on_pin: Callable[[], None]) -> None:
    """Show the window under the pointer of a road; `on_pin` finds the place in st.session_state[key].pin."""
    _window(key=key, data=[spec], on_pin_change=on_pin)
