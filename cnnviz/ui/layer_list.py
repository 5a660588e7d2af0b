"""A network before it is trained, for the eye: its maps drawn to scale, its figures, and the list of its layers."""

from collections.abc import Sequence
from math import log2, sqrt

from cnnviz import layers
from cnnviz.display import number
from cnnviz.layers import Row, Shape
from cnnviz.ui import markup

_WIDTH, _HEIGHT = 368, 104  # of the drawing, in pixels
_TALLEST = 72
_DRAWN = ("Conv2D", "ResidualBlock", "Dense", "Flatten", "GlobalAveragePooling2D", "MaxPooling2D", "AveragePooling2D")


def drawing(rows: Sequence[Row], input_shape: Shape) -> str:
    """An SVG with a box for the input and each layer that changes the shape, left to right.

    A box is as tall as its maps beside the input's, and the wider the more maps there are.
    """
    shapes = [input_shape]
    for row in rows:
        if row.kind in _DRAWN and row.output_shape != shapes[-1]:
            shapes.append(row.output_shape)
    widths = [3 + 3 * log2(1 + shape[-1]) if len(shape) == 3 else 6 for shape in shapes]
    room = _WIDTH - 2
    gap = min(16.0, (room - sum(widths)) / max(1, len(shapes) - 1))
    if gap < 2:
        widths = [width * room * 0.8 / sum(widths) for width in widths]
        gap = room * 0.2 / max(1, len(shapes) - 1)
    boxes, x = [], 1.0
    for shape, width in zip(shapes, widths, strict=True):
        height = _height(shape, input_shape)
        kind = "map" if len(shape) == 3 else "vector"
        boxes.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{(_TALLEST - height) / 2 + 1:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" rx="1"><title>{words(shape)}</title></rect>'
        )
        x += width + gap
    ends = (
        f'<text x="1" y="{_HEIGHT - 8}">{words(shapes[0])}</text>'
        f'<text x="{x - gap:.1f}" y="{_HEIGHT - 8}" text-anchor="end">{words(shapes[-1])}</text>'
    )
    told = " → ".join(words(shape) for shape in shapes)
    return (
        f'<svg class="network" viewBox="0 0 {max(x - gap + 1, 160):.0f} {_HEIGHT}" height="{_HEIGHT}" role="img" '
        f'aria-label="The sizes from input to output: {told}">{"".join(boxes)}{ends}</svg>'
    )


def _height(shape: Shape, input_shape: Shape) -> float:
    if len(shape) == 3:
        return max(4.0, _TALLEST * sqrt(shape[0] * shape[1] / (input_shape[0] * input_shape[1])))
    return min(float(_TALLEST), 6 + 6 * log2(1 + shape[0]))


def words(shape: Shape) -> str:
    """A shape in words: "32 × 32 × 8", or the length of a vector."""
    return " × ".join(f"{side:,}" for side in shape)


def figures(rows: Sequence[Row], memory: layers.Memory, batch_size: int) -> str:
    """Parameters, work and memory as names and numbers."""
    products = sum(row.multiply_adds for row in rows)
    return markup.pairs(
        [
            ("Parameters", f"{sum(row.parameters for row in rows):,}"),
            ("Multiply-adds a picture", large(products)),
            (f"Memory for a batch of {batch_size}", size(memory.total)),
        ]
    )


def table(rows: Sequence[Row], input_shape: Shape) -> str:
    """Every layer with its output shape, its parameters and how they come about."""
    lines = [("Input", words(input_shape), "", "")]
    lines += [
        (row.label, words(row.output_shape), f"{row.parameters:,}" if row.parameters else "", _how(row)) for row in rows
    ]
    return markup.table(("Layer", "Output", "Parameters", "which are"), lines, (2,), "Layers of the network")


def _how(row: Row) -> str:
    return row.how if len(row.how) <= 40 else f"{row.how[:38].rsplit(' + ', 1)[0]} + …"


def large(count: float) -> str:
    """A large count in words: "825 thousand", "1.2 million"."""
    for unit, name in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if count >= unit:
            return f"{number(count / unit, 3)} {name}"
    return f"{count:.0f}"


def size(count: float) -> str:
    """Bytes in words: "17 MB", "2.1 GB"."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{number(count / unit, 2 if unit < 1e9 else 3)} {name}"
    return f"{count:.0f} bytes"


