"""A network before it is trained, for the eye: its maps drawn to scale, its figures, and the list of its layers."""

from collections.abc import Sequence
from math import log2, sqrt

from cnnviz import layers
from cnnviz.display import number
from cnnviz.layers import Row, Shape
from cnnviz.ui import markup

_WIDTH, _TALLEST = 340, 72  # of the drawing, in pixels
_DRAWN = ("Conv2D", "ResidualBlock", "Dense", "Flatten", "GlobalAveragePooling2D", "MaxPooling2D", "AveragePooling2D")


def drawing(rows: Sequence[Row], input_shape: Shape) -> str:
    """Boxes for the input and each layer that changes the shape, left to right. HTML.

    A box is as tall as its maps beside the input's, and the wider the more maps there are.
    """
    shapes = [input_shape]
    for row in rows:
        if row.kind in _DRAWN and row.output_shape != shapes[-1]:
            shapes.append(row.output_shape)
    widths = [4 + 3 * log2(1 + shape[-1]) if len(shape) == 3 else 8 for shape in shapes]
    shrink = min(1.0, (_WIDTH - 4 * len(shapes)) / sum(widths))
    boxes = "".join(
        f'<i class="{"map" if len(shape) == 3 else "vector"}" title="{words(shape)}" '
        f'style="width:{shrink * width:.1f}px;height:{_height(shape, input_shape):.0f}px"></i>'
        for shape, width in zip(shapes, widths, strict=True)
    )
    told = " → ".join(words(shape) for shape in shapes)
    return (
        f'<div class="network" role="img" aria-label="The sizes from input to output: {told}">{boxes}</div>'
        f'<p class="quiet">{words(shapes[0])} → {words(shapes[-1])}</p>'
    )


def _height(shape: Shape, input_shape: Shape) -> float:
    if len(shape) == 3:
        return max(3.0, _TALLEST * sqrt(shape[0] * shape[1] / (input_shape[0] * input_shape[1])))
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
            return f"{number(count / unit, 3)} {name}"
    return f"{count:.0f} bytes"
