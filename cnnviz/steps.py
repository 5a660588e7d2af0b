"""Steps of a trace: one cell of a network, the terms it was made of and where each came from; how a page says it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from cnnviz.display import number

Form = Literal["window", "pool", "terms", "line", "function", "softmax", "same", "photo", "end"]
Combine = Literal["sum", "largest", "smallest", "product", "share"]
Floats = NDArray[np.float64]

TERMS = 12  # that are shown one by one; the others together
PARTS = 16  # input channels that are shown one by one
CELLS = 1_200  # of windows that are sent; at least one window is
STEPS = 200  # of a trail that an address may hold
LOGITS = "@logits"  # after a layer's name: what it computes before its own softmax
_CELL = re.compile(r"(.{1,200}),(\d{1,6}),(\d{1,6}),(\d{1,6})", re.ASCII | re.DOTALL)
TOLERANCE = 1e-5  # of the sum of |terms|: how far float32 sums may lie from exact ones


@dataclass(frozen=True, slots=True)
class Place:
    """A cell: a node of the network's graph and an index into its output, (y, x, channel) or (unit,)."""

    node: str
    index: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """value × weight = product, one share of a cell. place: the cell that the value is; None for padding's zeros.

    Of a softmax the value is the logit, and the product its exponential.

    name: the place in words, without what all terms of the step have in common.
    """

    place: Place | None
    value: float
    weight: float
    product: float
    name: str


@dataclass(frozen=True, slots=True)
class Rest:
    """The terms that are not shown, together."""

    count: int = 0
    sum: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One input channel's window: its values and weights (rows, columns), whose products sum to `sum`.

    node, channel: the map it lies on. rows, columns: of that map, for each row and column of the window; outside it
    there is padding, whose value is 0. values, weights are None where only the sum is sent.
    """

    node: str
    channel: int
    name: str
    sum: float
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    outside: NDArray[np.bool_] | None = None
    values: Floats | None = None
    weights: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """How one cell was computed.

    place, kind, title: the cell, its layer's class in Keras, and its name in words.
    form: how it is drawn. "window": sliding weights over channels, in `parts`; "pool": one window, in `parts`; "terms":
    weighted terms; "line": x · a + b; "function": one number's; "softmax": a share of exponentials; "same": a number
    that was only moved; "photo": a pixel of the network's input; "end": here the trace ends, `end` says why.
    combine: what is done to the terms: their sum, their largest or smallest, their product, one's share of their sum.
    value: what Keras computed, float32 or NaN where it keeps no such number. total: of the terms and the bias.
    result: total after the activation; `value` but for rounding.
    terms: the largest first, at most TERMS; rest: the others; count: of all. size: sum of |terms| and |bias|.
    parts: the largest first, at most PARTS; rest_parts: the others.
    bias: None where there is none. activation: in words, or "". numbers: further (name, value)s that went into it.
    follow: the term that pushed hardest the way the result went, or None where the trace ends.
    reach: top, left, bottom, right (exclusive) of the input's pixels that the cell can depend on, or None.
    curve: points (x, y) of what a "line" or "function" makes of other numbers, in order.
    """

    place: Place
    kind: str
    form: Form
    title: str
    value: float
    total: float = math.nan
    result: float = math.nan
    combine: Combine = "sum"
    terms: tuple[Term, ...] = ()
    rest: Rest = Rest()
    count: int = 0
    size: float = 0.0
    parts: tuple[Part, ...] = ()
    rest_parts: Rest = Rest()
    bias: float | None = None
    activation: str = ""
    numbers: tuple[tuple[str, float], ...] = ()
    follow: Place | None = None
    reach: tuple[int, int, int, int] | None = None
    curve: tuple[tuple[float, float], ...] = ()
    end: str = ""
    note: str = ""
    sentence: str = ""

    @property
    def adds_up(self) -> bool:
        """Whether the result is what Keras computed, but for rounding; NaN and infinity equal themselves."""
        return agree(self.result, self.value, self.size)


def agree(result: float, value: float, size: float) -> bool:
    """|result − value| ≤ TOLERANCE × (size, or the result where an activation lifts it above that)."""
    if not (math.isfinite(result) and math.isfinite(value)):
        return result == value or (math.isnan(result) and math.isnan(value))
    return abs(result - value) <= TOLERANCE * max(size, abs(result))


# ------------------------------------------------------------------------------------------- a trail, as an address


def written(trail: Sequence[Place]) -> str:
    """The places one after the other, "softmax:3~dense:3~conv_1:4.7.12", the answer first."""
    return "~".join(f"{_quoted(place.node)}:{'.'.join(map(str, place.index))}" for place in trail)


def read(text: str) -> tuple[Place, ...]:
    """The trail that `written` wrote; of other texts as much from the front as can be read.

    One cell may also stand as "conv_1,4,7,12": layer, row, column, channel, of a vector (0, 0, unit).
    """
    if "~" not in text and (cell := _CELL.fullmatch(text)):
        return (Place(cell[1], (int(cell[2]), int(cell[3]), int(cell[4]))),)
    trail: list[Place] = []
    for piece in text.split("~")[:STEPS]:
        name, _, index = piece.rpartition(":")
        numbers = index.split(".")
        if not name or not all(n.isascii() and n.isdigit() and len(n) < 10 for n in numbers):
            break
        trail.append(Place(unquote(name), tuple(map(int, numbers))))
    return tuple(trail)


def _quoted(name: str) -> str:
    return quote(name, safe="/@ ").replace("~", "%7E")


# ------------------------------------------------------------------------------------------------------------ in words


def layer_words(node: str) -> str:
    """A node's name as people read it: "block_2_conv_1" → "block 2 conv 1"."""
    words = node.removesuffix(LOGITS).replace("_", " ").replace("/", ", ")
    return f"{words} before softmax" if node.endswith(LOGITS) else words


def cell_words(index: Sequence[int], names: Sequence[str] = (), what: str = "number") -> str:
    """An index in words: "channel 12, (4, 7)", "unit 5", or the unit's own name; what: are counted in a vector."""
    if len(index) == 1:
        return names[index[0]] if index[0] < len(names) else f"{what} {index[0]}"
    return f"channel {index[-1]}, ({', '.join(map(str, index[:-1]))})"


def sentence(step: Step) -> str:  # noqa: PLR0911 (one for each form)
    """The step for those who do not see it."""
    what, result = step.title, number(step.result)
    if step.form == "end":
        return f"{what} is {number(step.value)}. {step.end}"
    if step.form == "softmax":
        return f"{what}: its exponential is {share(step.result)} of the sum of all {step.count} exponentials."
    if step.form == "same":
        return f"{what}: {result} was taken over unchanged from {step.terms[0].name}."
    if step.form == "photo":
        return f"{what}: level {number(step.terms[0].value)} of the picture, as the network is given it {result}."
    if step.form == "function":
        return f"{what}: {step.activation} of {number(step.terms[0].value)} is {result}."
    if step.form == "line":
        return f"{what}: {number(step.terms[0].value)} × {number(step.terms[0].weight)} {_plus(step.bias)} is {result}."
    if step.combine in ("largest", "smallest"):
        return f"{what}: the {step.combine} of {step.count} numbers is {result}."
    if step.combine == "product":
        return f"{what}: the product of {step.count} numbers is {result}."
    after = f"; {step.activation} makes {result} of it" if step.activation else ""
    bias = "" if step.bias is None else f", with the bias {number(step.bias)}"
    return f"{what}: {step.count:,} products{bias} sum to {number(step.total)}{after}."


def share(part: float) -> str:
    """0..1 as "91.3 %", which no line breaks: three digits, and never an exponent; the browser's side is shares.js."""
    if not math.isfinite(part):
        return number(part)
    if 0 < part < 0.001:
        return "<\u00a00.1\u00a0%"
    if 0.9995 <= part < 1:
        return ">\u00a099.9\u00a0%"
    return f"{number(100 * part, 3)}\u00a0%"


def _plus(bias: float | None) -> str:
    return f"{'minus' if (bias or 0) < 0 else 'plus'} {number(abs(bias or 0.0))}"


# ------------------------------------------------------------------------------------------------- what a page is given


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """One channel's map, to find another cell on. levels: uint8 as display.levels has them on this scale.

    every: cells from one of the levels to the next, above 1 where the map is large. cells: rows and columns of the map.
    low, high: the ends of the scale.
    """

    levels: NDArray[np.uint8]
    every: int
    cells: tuple[int, int]
    low: float
    high: float
    scale: Literal["signed", "heat", "grey"]


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """A trail as a page shows it: its places and their names, and the step at its end; all empty for no trail.

    problem: a sentence where the trail was cut, since it led to places that the network does not have. starts: the
    place of each class in the answer, in the order of the labels. probabilities: of the classes; None where the answer
    ends without softmax or sigmoid. chosen: the class that the trail began at, or the likeliest. map: of the step's own
    channel, None for a vector. input: the node that the picture goes into. reached: for a pixel, what it reaches.
    """

    trail: tuple[Place, ...]
    titles: tuple[str, ...]
    step: Step | None
    problem: str
    starts: tuple[Place, ...]
    labels: tuple[str, ...]
    probabilities: tuple[float, ...] | None
    chosen: int
    input: str
    map: Map | None = None
    reached: tuple["Reached", ...] = ()


@dataclass(frozen=True, slots=True)
class Reached:
    """The cells of one layer that a pixel can reach: how many (of all its maps' places), and their box, or None.

    place: one of them, in the middle. places: rows and columns of the maps, (1, 1) for a vector.
    """

    node: str
    title: str
    count: int
    of: int
    box: tuple[int, int, int, int] | None
    places: tuple[int, int]
    place: Place | None
