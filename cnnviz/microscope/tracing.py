"""The part of the browser component that shows a trace: one cell's calculation, and the way that led to it.

It is mounted once and stays empty; what it shows comes as a block of bytes, as in the rest of the microscope, so that
a step sends its numbers and nothing else: uint32 length of a JSON header, the header, arrays.

header  {"block", "turn": changes when anything does, "trail": as steps.written has it, "titles": of its places,
        "problem", "plane": name of the picture that `microscope.plane` brought, "input": node that it goes into, "step"
        or null, "map" or null, "starts": [{"name", "probability", "place"}], "chosen": name of the class that "start"
        is the place of, "reached": [{"title", "count", "of", "box", "places", "place"}]}
step    the fields of steps.Step in camel case; places as steps.written has them; "before": it is no node's output
part    {"node", "channel", "name", "sum", "rows", "columns", "outside": numbers of cells that are padding, "at": offset
        of float64 values and then weights, row by row, or null where only the sum is sent}
map     {"rows", "columns": of its levels, "cells": of the map, "low", "high", "at": of the levels, "palette"}

Numbers that are not finite stand as the texts "NaN", "Infinity", "-Infinity". It answers with the trigger "go":
{"trail"}, the trail to show next.
"""

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnnviz import display, steps
from cnnviz.microscope import _bytes, _read
from cnnviz.steps import Part, Place, Step, Term, Walk

_trace = st.components.v2.component(
    "cnnviz_trace",
    html=_read("trace.html"),
    css=_read("trace.css", "trace_forms.css"),
    js=_read("hub.js", "shares.js", "grid.js", "trace_forms.js", "trace_windows.js", "trace.js"),
)

_PALETTES = {
    "signed": display.signed_scale(1.0).table,
    "heat": display.heat_scale(0.0, 1.0).table,
    "grey": display.grey_scale().table,
}


def trace(key: str, block: str, on_go: Callable[[], None]) -> None:
    """A place for a block's trace; `on_go` finds the trail to show next in st.session_state[key].go."""
    _trace(key=key, data=[{"block": block}], on_go_change=on_go)


def message(block: str, walk: Walk, plane: str) -> bytes:
    """What the trace of a block shows of a walk on the picture sent as `plane`; it is for microscope.network.draw."""
    arrays: list[NDArray[Any]] = []

    def place(array: NDArray[Any]) -> int:
        arrays.append(array)
        return sum(a.nbytes for a in arrays[:-1])

    shares = walk.probabilities or (None,) * len(walk.starts)
    order = sorted(range(len(walk.starts)), key=lambda k: -np.nan_to_num(shares[k] or 0, nan=2.0))
    header = {
        "trail": steps.written(walk.trail),
        "titles": walk.titles,
        "problem": walk.problem,
        "plane": plane,
        "input": steps.written([Place(walk.input, ())]).rstrip(":"),
        "step": None if walk.step is None else _step(walk.step, place),
        "map": _map(walk, place),
        "starts": [
            {"name": walk.labels[k], "probability": _plain(shares[k]), "place": _address(walk.starts[k])}
            for k in order[:10]
        ],
        "chosen": walk.labels[walk.chosen],
        "start": _address(walk.starts[walk.chosen]),
        "reached": [
            {
                "title": one.title,
                "count": one.count,
                "of": one.of,
                "box": one.box,
                "places": one.places,
                "place": _address(one.place),
            }
            for one in walk.reached
        ],
    }
    turn = blake2b(_bytes(header, arrays), digest_size=8).hexdigest()
    return _bytes({"block": block, "turn": turn, **header}, arrays)


def _address(place: Place | None) -> str:
    return "" if place is None else steps.written([place])


def _plain(value: float | None) -> float | str | None:
    """A number as JSON has it."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _step(step: Step, place: Callable[[NDArray[Any]], int]) -> dict[str, Any]:
    return {
        "title": step.title,
        "kind": step.kind,
        "form": step.form,
        "combine": step.combine,
        "value": _plain(step.value),
        "total": _plain(step.total),
        "result": _plain(step.result),
        "before": step.place.node.endswith(steps.LOGITS),
        "addsUp": step.adds_up,
        # a window's are among its parts
        "terms": [] if step.parts else [_term(term) for term in step.terms],
        "rest": {"count": step.rest.count, "sum": _plain(step.rest.sum)},
        "count": step.count,
        "parts": [_part(part, place) for part in step.parts],
        "restParts": {"count": step.rest_parts.count, "sum": _plain(step.rest_parts.sum)},
        "bias": _plain(step.bias),
        "activation": step.activation,
        "numbers": [(name, _plain(value)) for name, value in step.numbers],
        "follow": _address(step.follow),
        "reach": step.reach,
        "curve": [[_plain(x), _plain(y)] for x, y in step.curve],
        "end": step.end,
        "note": step.note,
        "sentence": step.sentence,
    }


def _term(term: Term) -> dict[str, Any]:
    numbers = {"value": term.value, "weight": term.weight, "product": term.product}
    return {"place": _address(term.place), "name": term.name, **{k: _plain(v) for k, v in numbers.items()}}


def _part(part: Part, place: Callable[[NDArray[Any]], int]) -> dict[str, Any]:
    at: int | None = None
    outside: Sequence[int] = ()
    if part.values is not None and part.weights is not None and part.outside is not None:
        at = place(np.stack([part.values, part.weights]).astype(np.float64))
        outside = np.flatnonzero(part.outside).tolist()
    return {
        "node": _address(Place(part.node, ())).rstrip(":"),
        "channel": part.channel,
        "name": part.name,
        "sum": _plain(part.sum),
        "rows": part.rows,
        "columns": part.columns,
        "outside": outside,
        "at": at,
    }


def _map(walk: Walk, place: Callable[[NDArray[Any]], int]) -> dict[str, Any] | None:
    if walk.map is None:
        return None
    levels = walk.map.levels
    return {
        "rows": levels.shape[0],
        "columns": levels.shape[1],
        "cells": walk.map.cells,
        "low": walk.map.low,
        "high": walk.map.high,
        "at": place(levels),
        "palette": place(_PALETTES[walk.map.scale]),
    }
