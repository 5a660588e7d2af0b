"""What /inside keeps in its URL: the opened layer and channel, how it is looked at, and what is switched off."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from cnnviz import steps
from cnnviz.graph import ORDERS, RANGES, Look, Maps, Node, Screen
from cnnviz.ui import address

KEPT, MAPS, OPENED, TRACE = "inside_kept", "inside_maps", "inside_opened", "inside_trace"  # keys of the fragments
PARAMS = {"layer": "", "map": "", "range": "inherited", "order": "index", "toward": "", "off": "", "linear": "",
          "beside": "", "whole": "", "mirror": "", "reach": "", "trace": ""}  # fmt: skip
RANGE_WORDS = {"inherited": "inherited", "layer": "the layer’s own", "map": "each map’s own"}
ORDER_WORDS = {
    "index": "number",
    "mean": "mean",
    "max": "largest value",
    "zeros": "share of zeros",
    "weight": "weight toward the class",
}
assert set(RANGE_WORDS) == set(RANGES)
assert set(ORDER_WORDS) == set(ORDERS)
_MOST_OFF = 4000  # letters of ?off=
_MOST_MISSING = 4  # things that a link asks for in vain, named one by one


@st.fragment(key=KEPT)
def kept() -> None:
    """The part of the address that no visible widget keeps; it comes before the widgets that show it."""
    for name, default in PARAMS.items():
        if name != "trace":  # which stands beside the trace, so that a step sends little else
            address.kept(name, default)


def value(name: str) -> str:
    """The value of `?name=`, or its default."""
    return str(st.session_state.get(name) or PARAMS[name])


def mirrored() -> bool:
    """Whether the network is at work on the mirror image of the picture in hand."""
    return value("mirror") == "1"


def look() -> Look:
    """How the network is looked at; what the address says wrongly counts as not said."""
    asked = value("range")
    toward = value("toward")
    chosen = int(toward) if re.fullmatch(r"\d{1,4}", toward, re.ASCII) else None
    return Look(asked if asked in RANGES else "inherited", off(), linear(), chosen)  # type: ignore[arg-type]


def order() -> Any:
    """What the channels are sorted by."""
    return value("order") if value("order") in ORDERS else "index"


def off() -> dict[str, tuple[int, ...]]:
    """Layer -> its channels that are switched off, from "conv_1:3.5,relu_2:0"."""
    found: dict[str, tuple[int, ...]] = {}
    for part in value("off")[:_MOST_OFF].split(","):
        name, _, numbers = part.rpartition(":")
        channels = tuple(int(n) for n in numbers.split(".") if re.fullmatch(r"\d{1,5}", n, re.ASCII))
        if name and channels:
            found[name] = tuple(sorted({*found.get(name, ()), *channels}))
    return found


def linear() -> tuple[str, ...]:
    """Layers whose non-linearity is taken out."""
    return tuple(sorted({name for name in value("linear")[:_MOST_OFF].split(",") if name}))


def switch(layer: str, channel: int, out: bool) -> None:
    """Switch a channel off, or on again; in a callback."""
    channels = set(off().get(layer, ()))
    now = {**off(), layer: tuple(sorted(channels | {channel} if out else channels - {channel}))}
    st.session_state["off"] = ",".join(f"{name}:{'.'.join(map(str, which))}" for name, which in now.items() if which)


def bend(layer: str, straight: bool) -> None:
    """Take a layer's non-linearity out, or put it back; in a callback."""
    now = set(linear()) | {layer} if straight else set(linear()) - {layer}
    st.session_state["linear"] = ",".join(sorted(now))


def of_network(key: str) -> None:
    """What was chosen in another network means nothing in this one, whatever they call it; it comes before `kept`."""
    address.belongs(("off", "linear", "toward", "trace"), key)


def reset() -> None:
    """Everything is switched on again; in a callback."""
    st.session_state["off"] = st.session_state["linear"] = ""


def fitting(asked: Look, nodes: Sequence[Node], classes: int) -> Look:
    """The look without what this network does not have: layers, channels and classes of another one."""
    channels = {one.name: one.size[2] for one in nodes}
    bends = {one.name for one in nodes if one.activation}
    there = {name: [channel for channel in which if channel < channels.get(name, 0)] for name, which in asked.off}
    chosen = asked.chosen if asked.chosen is not None and asked.chosen < classes else None
    return Look(asked.range, there, [name for name in asked.linear if name in bends], chosen)


def missing(nodes: Sequence[Node], classes: int, title: str) -> str:
    """One sentence on what the address asks for and this network, called `title`, does not have; "" for nothing."""
    known = {one.name: one for one in nodes}
    layer, asked = value("layer"), value("map")
    found = [_layer(layer)] if layer and layer not in known else []
    if asked and layer in known and not (_is_number(asked) and int(asked) < known[layer].size[2]):
        found.append(_channel(asked, known[layer]))
    for part in filter(None, value("off")[:_MOST_OFF].split(",")):
        name, _, numbers = part.rpartition(":")
        if name not in known:
            found.append(_layer(name or part))
            continue
        outside = [one for one in numbers.split(".") if not (_is_number(one) and int(one) < known[name].size[2])]
        found += [_channel(one, known[name]) for one in outside]
    for name in linear():
        if name not in known:
            found.append(_layer(name))
        elif not known[name].activation:
            found.append(f"a non-linearity in {name.replace('_', ' ')}")
    toward = value("toward")
    if toward and not (_is_number(toward) and int(toward) < classes):
        found.append(f"class “{toward[:20]}” (it has 0 to {classes - 1})")
    found = list(dict.fromkeys(found))
    if len(found) > _MOST_MISSING:
        found[_MOST_MISSING - 1 :] = [f"{len(found) - _MOST_MISSING + 1} things more"]
    if not found:
        return ""
    words = " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))
    return f"The link asks for {words}, which “{title}” does not have; all else is as the link says."


def _layer(name: str) -> str:
    return f"the layer “{name[:30]}”"


def _channel(number: str, node: Node) -> str:
    return f"channel “{number[:12]}” of {node.name.replace('_', ' ')} (it has 0 to {node.size[2] - 1:,})"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d{1,6}", text, re.ASCII) is not None


def opened(screen: Screen) -> tuple[str, bool]:
    """The opened layer, and whether somebody asked for it: else it is the first convolution."""
    names = [one.node.name for one in screen.layers]
    if (asked := value("layer")) in names:
        return asked, True
    first = next((one.node.name for one in screen.layers if "Conv" in one.node.kind), None)
    return first or names[min(1, len(names) - 1)], False


def channel(screen: Screen, maps: Maps) -> int:
    """The channel of the opened layer that is enlarged: as asked for, else the class in hand, else the strongest."""
    asked = value("map")
    if _is_number(asked) and int(asked) < maps.channels:
        return int(asked)
    answers = maps.node.name in (screen.layers[-1].node.name, *screen.layers[-1].node.inputs)
    if answers and maps.node.shape == (len(screen.answer.labels),):
        return screen.answer.chosen
    return strongest(maps)


def strongest(maps: Maps) -> int:
    """The channel with the largest mean in size; the first where all are NaN."""
    return int(np.argmax(np.nan_to_num(np.abs(maps.mean), nan=-1.0)))


def trace() -> tuple[str, int, int, int] | None:
    """The cell at the end of `?trace=`: (layer, row, column, channel)."""
    trail = steps.read(value("trace"))
    if not trail:
        return None
    row, column, channel = (0, 0, *trail[-1].index)[-3:]
    return trail[-1].node.removesuffix(steps.LOGITS), row, column, channel
