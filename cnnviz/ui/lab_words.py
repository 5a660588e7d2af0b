"""The short texts of the Kernel lab, each with the numbers of the picture in hand (Markdown)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz import road
from cnnviz.display import number
from cnnviz.filters import output_size
from cnnviz.steps import share


def times(shape: tuple[int, ...]) -> str:
    """A shape in words: "126 × 126"."""
    return " × ".join(map(str, shape))


def both(y_x: tuple[int, int]) -> str:
    """A pair that is most often twice the same: "2", or "2, 3"."""
    return str(y_x[0]) if y_x[0] == y_x[1] else f"{y_x[0]}, {y_x[1]}"


def value_range(values: NDArray[Any]) -> str:
    """The smallest and the largest value: "−412 … 388"."""
    return f"{number(float(np.min(values)))} … {number(float(np.max(values)))}"


def operator(settings: road.Settings) -> str:
    """The line under the name of the feature map: kernel, stride, padding, dilation."""
    parts = [
        "×".join(map(str, settings.kernel_size)),
        f"stride {both(settings.strides)}",
        settings.padding if isinstance(settings.padding, str) else "own padding",
    ]
    if max(settings.dilation_rate) > 1:
        parts.append(f"dilation {both(settings.dilation_rate)}")
    return " · ".join(parts)


def size_formula(
    size: tuple[int, int], reach: tuple[int, int], strides: tuple[int, int], pads: Any = ((0, 0), (0, 0))
) -> str:
    """The output size with the numbers in it, rows and columns, or one line where both are alike."""
    lines = []
    for n, window, stride, (before, after) in zip(size, reach, strides, pads, strict=True):
        zeros = f" + {before} + {after}" if before + after else ""
        result = output_size(n, window, stride, (before, after))
        lines.append(f"⌊({n}{zeros} − {window}) / {stride}⌋ + 1 = {result}")
    return lines[0] if lines[0] == lines[1] else f"rows {lines[0]}\ncolumns {lines[1]}"


def map_formula(walked: road.Road) -> str:
    """How many cells the feature map has, and why."""
    s = walked.settings
    size = (walked.pixels.shape[0], walked.pixels.shape[1])
    return size_formula(size, s.reach, s.strides, road.pads(s, size))


def evenness(walked: road.Road) -> str:
    """Of a feature map that looks like one color: how much its cells differ; "" of others."""
    low, high = float(walked.feature_map.min()), float(walked.feature_map.max())
    rounding, most = road.rounding(walked.settings), max(abs(low), abs(high))
    if high - low <= rounding:
        value = 0.0 if most <= rounding else high
        return f"Every cell is {number(value)}{'' if low == high == value else ', but for rounding'}."
    return f"Nearly alike: the cells differ by {number(high - low)} at most." if high - low < 0.02 * most else ""


def pool_formula(walked: road.Road) -> str:
    """How many cells the pooled map has, and why."""
    s = walked.settings
    cells = (walked.feature_map.shape[0], walked.feature_map.shape[1])
    return size_formula(cells, s.pool_size, s.pool_strides) if walked.pooled is not None else ""


def border(settings: road.Settings, size: tuple[int, int]) -> str:
    """Of the input: what is hatched round it, and what no window reads."""
    (top, bottom), (left, right) = road.pads(settings, size)
    sides = {"above": top, "below": bottom, "left": left, "right": right}
    lines = []
    if len(set(sides.values())) == 1 and top:
        lines.append(f"Hatched: {top} {'row' if top == 1 else 'rows'} of zeros on each side.")
    elif any(sides.values()):
        zeros = ", ".join(f"{count} {where}" for where, count in sides.items() if count)
        lines.append(f"Hatched: zeros, {zeros}.")
    unread = [sum(end - start for start, end in runs) for runs in road.uncovered(settings, size).values()]
    parts = [
        f"{count} {name if count > 1 else name[:-1]}"
        for count, name in zip(unread, ("rows", "columns"), strict=True)
        if count
    ]
    if parts:
        lines.append(f"Cross-hatched: {' and '.join(parts)} that no window reads.")
    return "\n".join(lines)


def relu_share(walked: road.Road) -> str:
    """How many cells ReLU cut: "50.1 % of the cells became 0"."""
    if not walked.settings.relu:
        return "Off: negative cells stay."
    negative = int((walked.feature_map < 0).sum())
    return f"{share(negative / walked.feature_map.size)} of the cells became 0"


def convolution(walked: road.Road) -> str:
    s, out = walked.settings, walked.feature_map.shape
    added = f"the {s.weights.size} products are added up: one number"
    if s.weights_y is not None:
        made = "angle" if s.combine == "direction" else "length √(x² + y²)"
        added = f"{added}, x. A second kernel gives y, and the {made} of the two is the cell"
    return (
        f"**Convolution.** The {times(s.kernel_size)} kernel lies on a window of the picture. Each weight is "
        f"multiplied with the pixel under it and {added}. Then the window moves on. "
        f"{times(out)} windows give {out[0] * out[1]:,} numbers, the feature map. Networks lay the kernel on as it "
        "stands (cross-correlation); mathematics flips it first. “Flip” shows the difference. Numbers are rounded "
        "where they are shown, and added in full."
    )


def bias(walked: road.Road) -> str:
    return (
        f"**Bias.** One number added to every sum, here {number(walked.settings.bias)}. It moves the whole map up or "
        "down, and so decides how strongly a window has to answer before ReLU lets it through."
    )


def stride(walked: road.Road) -> str:
    s = walked.settings
    return (
        f"**Stride.** How far the window moves from one cell to the next: here {s.strides[0]} down and {s.strides[1]} "
        "across. With 2 it skips every other place, and the map has about half the rows and columns. "
        f"Here {times(walked.pixels.shape[:2])} pixels gave {times(walked.feature_map.shape)} cells: as many as the "
        "window has places. The formula under the map counts them; ⌊ ⌋ rounds down."
    )


def padding(walked: road.Road) -> str:
    rows, columns = walked.pixels.shape[:2]
    (top, bottom), (left, right) = road.pads(walked.settings, (rows, columns))
    zeros = (rows + top + bottom) * (columns + left + right) - rows * columns
    here = f"{top} above, {bottom} below, {left} left and {right} right: {zeros:,} zeros, drawn hatched"
    return (
        "**Padding.** Zeros round the picture, so that a window can stand on its border. Here "
        f"{here if zeros else 'there are none'}. *valid* adds none: the map is smaller than the picture, and pixels at "
        "the border count in fewer windows. *same* keeps the size at stride 1; an odd zero goes below and right. "
        "*own* takes a number for each side."
    )


def dilation(walked: road.Road) -> str:
    s = walked.settings
    return (
        "**Dilation.** The weights move apart and skip pixels: the kernel sees further and has no more weights. "
        f"Here {times(s.kernel_size)} weights reach over {times(s.reach)} pixels."
    )


def displays(walked: road.Road) -> str:
    return (
        "**Display.** *Signed* shows the map as it is: blue below 0, red above. *Absolute* drops the sign. *Clipped* "
        "is a common mistake: values are cut to 0…255 to make a picture of them, and "
        f"{_outside(walked)} of this map is lost. The numbers under the pointer are always the true ones."
    )


def _outside(walked: road.Road) -> str:
    lost = ((walked.feature_map < 0) | (walked.feature_map > 255)).mean()
    return share(float(lost))


def relu(walked: road.Road) -> str:
    negative = int((walked.feature_map < 0).sum())
    return (
        f"**ReLU.** Negative numbers become 0, the others stay: max(0, x). Here {negative:,} of "
        f"{walked.feature_map.size:,} cells are negative. Without such a bend a stack of layers could "
        "do no more than one layer."
    )


def pooling(walked: road.Road) -> str:
    s = walked.settings
    out = f"became {times(walked.pooled.shape)}" if walked.pooled is not None else "are too few for it"
    return (
        f"**Max and average pooling.** Each {times(s.pool_size)} window becomes one number. *Max* keeps the largest: "
        "is it anywhere here? *Average* keeps the mean: how much of it is here? "
        f"Here {times(walked.feature_map.shape)} cells {out}."
    )
