"""The short texts of the Kernel lab, each with the numbers of the picture in hand."""

import numpy as np
from numpy.typing import NDArray

from cnnviz import road
from cnnviz.display import number
from cnnviz.filters import output_size


def size_formula(size: int, window: int, stride: int, padding: tuple[int, int]) -> str:
    """The output size of one axis with the numbers in it: ⌊(128 + 0 − 3) / 1⌋ + 1 = 126."""
    before, after = padding
    result = output_size(size, window, stride, padding)
    pads = f" + {before} + {after}" if before + after else ""
    return f"⌊({size}{pads} − {window}) / {stride}⌋ + 1 = {result}"


def times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def value_range(values: NDArray[np.generic]) -> str:
    """The smallest and the largest value: "−412 … 388"."""
    return f"{number(float(values.min()))} … {number(float(values.max()))}"


def operator(settings: road.Settings) -> str:
    """The line under the name of the feature map: kernel, stride, padding, dilation."""
    stride, dilation = settings.strides, settings.dilation_rate
    parts = [
        f"{settings.kernel_size[0]}×{settings.kernel_size[1]}",
        f"stride {stride[0]}" if stride[0] == stride[1] else f"stride {stride[0]}, {stride[1]}",
        settings.padding if isinstance(settings.padding, str) else "own padding",
    ]
    if max(dilation) > 1:
        parts.append(
            f"dilation {dilation[0]}" if dilation[0] == dilation[1] else f"dilation {dilation[0]}, {dilation[1]}"
        )
    return " · ".join(parts)


def convolution(walked: road.Road) -> str:
    rows, columns = walked.settings.kernel_size
    out = walked.feature_map.shape
    terms = rows * columns * (3 if walked.settings.channel == "rgb" else 1)
    return (
        f"**Convolution.** The {rows} × {columns} kernel lies on a window of the picture, each weight is multiplied with "
        f"the pixel under it, and the {terms} products are added up: one number. Then it slides on. "
        f"{out[0]} × {out[1]} windows make {out[0] * out[1]:,} numbers, the feature map. "
        "Networks slide the kernel as it stands (cross-correlation); mathematics flips it first. “Flip” shows the difference."
    )


def bias(walked: road.Road) -> str:
    return (
        f"**Bias.** One number that is added to every sum, here {number(walked.settings.bias)}. It moves the whole map up or "
        "down, and so decides how much a window has to answer before ReLU lets it through."
    )


def stride(walked: road.Road) -> str:
    s, size = walked.settings, walked.pixels.shape
    out = walked.feature_map.shape
    return (
        f"**Stride.** How far the window jumps, here {s.strides[0]} down and {s.strides[1]} across. A stride of 2 asks only "
        f"every second place, so the map has about half the rows and columns. Here {times(size[:2])} pixels gave "
        f"{times(out)} cells."
    )


def padding(walked: road.Road) -> str:
    s, size = walked.settings, walked.pixels.shape[:2]
    (top, bottom), (left, right) = road.pads(s, (size[0], size[1]))
    zeros = (size[0] + top + bottom) * (size[1] + left + right) - size[0] * size[1]
    return (
        f"**Padding.** Zeros round the picture, so that windows can stand on the border. Here {top} above, {bottom} below, "
        f"{left} left and {right} right: {zeros:,} zeros. “valid” adds none and the map shrinks; “same” adds as many as keep "
        "the size at stride 1 (an odd one goes below and to the right)."
    )


def dilation(walked: road.Road) -> str:
    s = walked.settings
    reach = [d * (k - 1) + 1 for d, k in zip(s.dilation_rate, s.kernel_size, strict=True)]
    return (
        f"**Dilation.** The weights move apart and skip pixels between them: the kernel sees further with no more weights. "
        f"Here {s.kernel_size[0]} × {s.kernel_size[1]} weights reach over {reach[0]} × {reach[1]} pixels."
    )


def relu(walked: road.Road) -> str:
    negative = int((walked.feature_map < 0).sum())
    share = number(100 * negative / walked.feature_map.size, 2)
    return (
        f"**ReLU.** Negative numbers become 0, the others stay. Here {negative:,} of {walked.feature_map.size:,} cells are "
        f"negative ({share} %). Without such a bend, many layers would be no more than one."
    )


def pooling(walked: road.Road) -> str:
    s = walked.settings
    assert walked.relu is not None
    out = times(walked.pooled.shape) if walked.pooled is not None else "nothing"
    return (
        f"**Max and average pooling.** Each {s.pool_size[0]} × {s.pool_size[1]} window becomes one number: its largest (max: "
        "“is it anywhere here?”) or its mean (average: “how much of it is here?”). "
        f"Here {times(walked.relu.shape)} cells became {out}."
    )
