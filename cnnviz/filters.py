"""The arithmetic of convolution and pooling layers on one picture, and which pixels each output cell reads."""

import math
import operator
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnviz import kernels
from cnnviz.kernels import Kernel

Floats = NDArray[np.float32]
Pair = int | tuple[int, int]
AxisPadding = str | int | tuple[int, int]
Padding = str | int | tuple[tuple[int, int], tuple[int, int]]

PRESETS = kernels.PRESETS
GRADIENTS = kernels.GRADIENTS
MAX_STRIDE = 8
MAX_DILATION = 4
MAX_POOL = 15
MAX_PADDING = 56  # 4 · (15 − 1): beyond it even the widest window would read nothing but zeros

# From this many weights on, cv2.filter2D turns to an FFT, where one NaN spoils the whole picture and a bright corner
# leaves dust in a black one. The numbers are in dftFilter2D of OpenCV's filter.dispatch.cpp; 3 is CPU_SSE3.
_FFT_FROM = 130 if cv2.checkHardwareSupport(3) else 50
# Up to this many weights cv2.filter2D is faster on uint8 than a float32 copy of it is made; the sums are the same.
_BYTES_UP_TO = 16
_MOST_CHANNELS_AT_ONCE = 512  # CV_CN_MAX; a last axis of 1 is lost in cv2


class _Axis(NamedTuple):
    """One axis of a sliding window: output cell i reads at i · stride − before + j · dilation for j in 0..taps−1."""

    size: int
    taps: int
    stride: int
    dilation: int
    window: int
    before: int
    after: int
    out: int

    def inputs(self) -> NDArray[np.intp]:
        """The input index of every output cell and tap, shape (out, taps); those outside 0..size−1 are padding."""
        starts = np.arange(self.out) * self.stride - self.before
        return starts[:, None] + np.arange(self.taps) * self.dilation


def conv2d(
    image: ArrayLike, kernel: Kernel | ArrayLike, strides: Pair = 1, padding: Padding = "valid", dilation_rate: Pair = 1
) -> Floats:
    """Slide a kernel over a picture: each output cell is the sum of weights × pixels in its window.

    image: (H, W) or (H, W, C), any numbers. kernel: a Kernel or its weights; (kh, kw) works on each channel alone and
    keeps the image's dimensions, (kh, kw, C) is summed over the channels and gives (out_h, out_w), as one filter of a
    layer does. strides (1..8) and dilation_rate (1..4): int or (y, x), both may be above 1. padding: "valid", "same",
    0..56 on all sides, or ((top, bottom), (left, right)); always with zeros.

    Returns float32, possibly a view of a larger array. It is cross-correlation, as in every CNN library, and equals
    keras.ops.conv to float32 rounding: |error| <= 1e-6 · sum of |weight × pixel|. A NaN or infinite pixel reaches
    exactly the cells whose window reads it, also under a weight of 0 (0 × NaN is NaN).

    ValueError, in a sentence, if an argument is out of range or the kernel does not fit into the padded picture.
    """
    weights = kernel.weights if isinstance(kernel, Kernel) else kernels.check_weights(kernel)
    strides = _pair(strides, "strides", MAX_STRIDE)
    dilation_rate = _pair(dilation_rate, "dilation_rate", MAX_DILATION)
    pixels = _pixels(image, keep_bytes=weights.size <= _BYTES_UP_TO and dilation_rate == (1, 1))
    axes = _axes(pixels.shape[:2], weights.shape[:2], strides, padding, dilation_rate, thing="kernel")
    most = max(axes[0].before, axes[0].after, axes[1].before, axes[1].after)
    if most > MAX_PADDING:
        raise ValueError(f"padding may be at most {MAX_PADDING} a side, but this was {most}; choose a smaller one.")
    if weights.ndim == 3:
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        if weights.shape[2] != channels:
            raise ValueError(
                f"A kernel of {weights.shape[2]} channels needs a picture of as many, but this one has {channels}; "
                "choose a kernel without channels, or one whose channels match."
            )
        planes = pixels.reshape(*pixels.shape[:2], channels)
        return sum(
            (_correlate(planes[..., c], weights[..., c], axes) for c in range(1, channels)),
            start=_correlate(planes[..., 0], weights[..., 0], axes),
        )
    if pixels.ndim == 3 and not 1 < pixels.shape[2] <= _MOST_CHANNELS_AT_ONCE:
        return np.stack([_correlate(pixels[..., c], weights, axes) for c in range(pixels.shape[2])], axis=-1)
    return _correlate(pixels, weights, axes)


def _correlate(pixels: NDArray[Any], weights: Floats, axes: tuple[_Axis, _Axis]) -> Floats:
    """conv2d with everything checked; pixels (H, W) or (H, W, 2..512), weights (kh, kw)."""
    y, x = axes
    pixels = np.ascontiguousarray(pixels)
    # cv2 skips weights of 0, so what is not finite has to be brought to their cells too. A sum over all pixels is the
    # cheapest way to see that nothing is (einsum, since vdot and @ wait for threads that a busy machine has no time
    # for), and where it overflows nothing is changed; it comes first, since it leaves the pixels in the cache
    plain = pixels.dtype == np.uint8 or weights.all() or math.isfinite(np.einsum("i->", pixels.ravel()))
    sums = _slide(pixels, _spread(weights, axes), axes)
    if not plain:
        odd = (~np.isfinite(pixels)).astype(np.float32)
        sums[_slide(odd, _spread((weights == 0).astype(np.float32), axes), axes) > 0] = np.nan
    if y.stride > 1 or x.stride > 1:
        return np.ascontiguousarray(sums[:: y.stride, :: x.stride])
    return sums


def _spread(weights: Floats, axes: tuple[_Axis, _Axis]) -> Floats:
    """Dilation as a kernel: the weights with dilation − 1 zeros between neighbors."""
    y, x = axes
    if y.dilation == x.dilation == 1:
        return weights
    spread = np.zeros((y.window, x.window), np.float32)
    spread[:: y.dilation, :: x.dilation] = weights
    return spread


def _slide(pixels: NDArray[Any], weights: Floats, axes: tuple[_Axis, _Axis]) -> Floats:
    """The sums at stride 1, as many as the strides will pick from."""
    y, x = axes
    rows, columns = (y.out - 1) * y.stride + 1, (x.out - 1) * x.stride + 1
    height, width = weights.shape
    if weights.size < _FFT_FROM and y.before + y.after < height and x.before + x.after < width:
        # cv2's own zero border makes the padding, which saves a copy of the picture
        return _filter2d(pixels, weights, (x.before, y.before))[:rows, :columns]
    padded: NDArray[Any] = cv2.copyMakeBorder(pixels, y.before, y.after, x.before, x.after, cv2.BORDER_CONSTANT)
    wide = min(width, _FFT_FROM - 1)
    high = (_FFT_FROM - 1) // wide
    sums: Floats = np.zeros((rows, columns, *pixels.shape[2:]), np.float32)
    for top in range(0, height, high):
        for left in range(0, width, wide):
            block = weights[top : top + high, left : left + wide]
            if block.any():
                part = padded[top : top + rows + block.shape[0] - 1, left : left + columns + block.shape[1] - 1]
                sums += _filter2d(part, block, (0, 0))[:rows, :columns]
    return sums


def _filter2d(pixels: NDArray[Any], weights: Floats, anchor: tuple[int, int]) -> Floats:
    filtered: NDArray[Any] = cv2.filter2D(pixels, cv2.CV_32F, weights, anchor=anchor, borderType=cv2.BORDER_CONSTANT)
    return filtered


def gradient(
    image: ArrayLike,
    kernel_x: Kernel | ArrayLike,
    kernel_y: Kernel | ArrayLike,
    strides: Pair = 1,
    padding: Padding = "valid",
    dilation_rate: Pair = 1,
) -> tuple[Floats, Floats]:
    """How steep each place of a picture is, and which way it gets brighter.

    Arguments and errors as in conv2d, for two kernels of one size. Returns (magnitude, direction), float32 in the shape
    that conv2d gives: magnitude = √(x² + y²), direction = atan2(y, x) in radians, −π..π, 0 to the right and π/2 down.
    """
    x = conv2d(image, kernel_x, strides, padding, dilation_rate)
    y = conv2d(image, kernel_y, strides, padding, dilation_rate)
    if x.shape != y.shape:
        raise ValueError(
            "The two kernels of a gradient must have the same size; choose both from one pair, as Sobel x and y."
        )
    return np.hypot(x, y), np.arctan2(y, x)


def pool2d(
    image: ArrayLike,
    pool_size: Pair = 2,
    strides: Pair | None = None,
    padding: Literal["valid", "same"] = "valid",
    kind: Literal["max", "average"] = "max",
) -> Floats:
    """Keep the largest value, or the mean, of each window: (H, W) -> (out_h, out_w), (H, W, C) -> (out_h, out_w, C).

    pool_size and strides: 1..15, int or (y, x); strides None means pool_size. padding "valid" or "same"; cells of
    padding never win and do not count in the mean. Returns float32; equals keras.ops.max_pool and average_pool.
    A window that reads a NaN gives NaN. ValueError, in a sentence, if an argument is out of range or does not fit.
    """
    pixels = _pixels(image)
    pool_size = _pair(pool_size, "pool_size", MAX_POOL)
    strides = pool_size if strides is None else _pair(strides, "strides", MAX_POOL)
    if kind not in ("max", "average"):
        raise ValueError(f'kind must be "max" or "average", but this was {kind!r}; choose one of the two.')
    if padding not in ("valid", "same"):
        raise ValueError(
            f'The padding of a pool must be "valid" or "same", but this was {padding!r}; choose one of the two.'
        )
    y, x = _axes(pixels.shape[:2], pool_size, strides, padding, 1, thing="pool")
    borders = [(y.before, y.after), (x.before, x.after), (0, 0)][: pixels.ndim]
    combine, filler = (np.maximum, -np.inf) if kind == "max" else (np.add, 0.0)
    padded = np.pad(pixels, borders, constant_values=filler) if np.any(borders) else pixels
    # a rectangle's maximum or sum is taken down its columns first, then along its rows
    rows = _fold(combine, [padded[j : j + (y.out - 1) * y.stride + 1 : y.stride] for j in range(y.taps)])
    cells = _fold(combine, [rows[:, j : j + (x.out - 1) * x.stride + 1 : x.stride] for j in range(x.taps)])
    if kind == "average":
        inside = [((axis.inputs() >= 0) & (axis.inputs() < axis.size)).sum(axis=1) for axis in (y, x)]
        counts = np.outer(*inside).astype(np.float32)
        cells /= counts if pixels.ndim == 2 else counts[..., None]
    return cells


def _fold(combine: np.ufunc, parts: list[Floats]) -> Floats:
    folded = parts[0].copy()
    for part in parts[1:]:
        combine(folded, part, out=folded)
    return folded


def output_size(size: int, window: int, stride: int, padding: AxisPadding) -> int:
    """How many output cells an axis of `size` gives: floor((size + before + after − window) / stride) + 1.

    window = dilation · (k − 1) + 1 for a kernel of k. ValueError, in a sentence, if the window does not fit.
    """
    before, after = pad_amounts(size, window, stride, padding)
    steps = _steps(size + before + after, window, stride)
    if steps < 1:
        raise ValueError(
            f"A window of {window} does not fit into a length of {size} with padding {padding}; "
            "choose a smaller window or padding same."
        )
    return steps


def pad_amounts(size: int, window: int, stride: int, padding: AxisPadding) -> tuple[int, int]:
    """How many zeros stand before and after an axis of `size`, for padding "valid", "same", int or (before, after).

    "same" is the rule of TensorFlow and Keras, which gives ceil(size / stride) output cells and puts the odd zero
    after: total = max((out − 1) · stride + window − size, 0), before = total // 2. ValueError for any other padding.
    """
    if min(size, window, stride) < 1:
        raise ValueError(
            f"size, window and stride must be whole numbers from 1, but these were {size}, {window} and {stride}; "
            "choose larger ones."
        )
    if padding == "valid":
        return 0, 0
    if padding == "same":
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        return total // 2, total - total // 2
    before, after = _two(padding)
    if min(before, after) < 0:
        raise _padding_error(padding)
    return before, after


def window(
    cell: tuple[int, int],
    size: tuple[int, int],
    kernel_size: Pair,
    strides: Pair = 1,
    padding: Padding = "valid",
    dilation_rate: Pair = 1,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The input rows and columns that one output cell (row, column) reads, in a picture of size (height, width).

    Holds for kernels and pools alike. Indices below 0 or from height (width) on lie in the padding.
    ValueError, in a sentence, if there is no such cell or the window does not fit.
    """
    y, x = _axes(size, kernel_size, strides, padding, dilation_rate)
    row, column = cell
    if not (0 <= row < y.out and 0 <= column < x.out):
        raise ValueError(
            f"There is no output cell ({row}, {column}): the output is {y.out}×{x.out}; "
            f"choose a row from 0 to {y.out - 1} and a column from 0 to {x.out - 1}."
        )
    return y.inputs()[row], x.inputs()[column]


def uncovered(
    size: tuple[int, int], kernel_size: Pair, strides: Pair = 1, padding: Padding = "valid", dilation_rate: Pair = 1
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows and which columns of a picture of size (height, width) no window reads, as masks of those lengths.

    They are the remainder at the end, gaps where the stride exceeds the window, and what dilation skips. A pixel is
    uncovered if its row or its column is. ValueError, in a sentence, if the window does not fit.
    """
    axes = _axes(size, kernel_size, strides, padding, dilation_rate)
    y, x = (~np.isin(np.arange(axis.size), axis.inputs()) for axis in axes)
    return y, x


def luminance(pixels: NDArray[Any]) -> Floats:
    """The brightness of RGB pixels, (H, W, 3) -> float32 (H, W) in the same units: 0.299 R + 0.587 G + 0.114 B.

    Those are the weights of Rec. ITU-R BT.601. For uint8 the sum of thousandths is exact and rounded once, at the
    division, so that grey stays the grey that it is. ValueError if there are not three channels.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(
            f"Luminance needs a picture of shape (height, width, 3), but this one is {pixels.shape}; give it RGB."
        )
    thousandths: NDArray[Any] = cv2.transform(_pixels(pixels), np.array([[299, 587, 114]], np.float32))
    thousandths /= 1000
    return thousandths


def _axes(
    size: tuple[int, ...],
    kernel_size: Pair,
    strides: Pair,
    padding: Padding,
    dilation_rate: Pair,
    *,
    thing: str = "window",
) -> tuple[_Axis, _Axis]:
    taps, strides = _pair(kernel_size, "kernel_size"), _pair(strides, "strides")
    dilation_rate = _pair(dilation_rate, "dilation_rate")
    per_side = isinstance(padding, tuple | list)
    sides: Any = padding if per_side else (padding, padding)
    if per_side and (len(sides) != 2 or not all(isinstance(side, tuple | list) for side in sides)):
        raise _padding_error(padding)
    y, x = (_axis(*axis) for axis in zip(size, taps, strides, sides, dilation_rate, strict=True))
    if min(y.out, x.out) < 1:
        spread = f", spread over {y.window}×{x.window} pixels by its dilation," if max(dilation_rate) > 1 else ""
        raise ValueError(
            f"A {y.taps}×{x.taps} {thing}{spread} does not fit into a {y.size}×{x.size} picture with padding "
            f"{padding}; choose a smaller {thing} or padding same."
        )
    return y, x


def _axis(size: int, taps: int, stride: int, padding: AxisPadding, dilation: int) -> _Axis:
    window = dilation * (taps - 1) + 1
    before, after = pad_amounts(size, window, stride, padding)
    return _Axis(size, taps, stride, dilation, window, before, after, _steps(size + before + after, window, stride))


def _steps(length: int, window: int, stride: int) -> int:
    """How many positions a window takes in a padded length; less than 1 where it does not fit."""
    return (length - window) // stride + 1


def _padding_error(padding: object) -> ValueError:
    return ValueError(
        f'padding must be "valid", "same" or whole numbers from 0, but this was {padding!r}; '
        "write 1 for all sides, or ((top, bottom), (left, right))."
    )


def _pair(value: Pair, name: str, highest: int | None = None) -> tuple[int, int]:
    pair = _two(value)
    if min(pair) < 1 or (highest and max(pair) > highest):
        limits = f"from 1 to {highest}" if highest else "from 1"
        raise ValueError(
            f"{name} must be a whole number {limits}, or two of them as (y, x), but this was {value!r}; try 1."
        )
    return pair


def _two(value: Any) -> tuple[int, int]:
    """A whole number doubled, two whole numbers as they are, and (-1, -1) for anything else."""
    try:
        first, second = value if isinstance(value, tuple | list) else (value, value)
        return operator.index(first), operator.index(second)
    except (TypeError, ValueError):
        return -1, -1


def _pixels(image: ArrayLike, keep_bytes: bool = False) -> NDArray[Any]:
    """Checked and float32, or still uint8 where `keep_bytes` allows it."""
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3) or pixels.size == 0 or pixels.dtype.kind not in "biuf":
        raise ValueError(
            "A picture is an array of numbers of shape (height, width) or (height, width, channels), but this one is "
            f"{pixels.dtype} of shape {pixels.shape}; choose another picture."
        )
    bytes_kept = keep_bytes and pixels.dtype == np.uint8
    return np.ascontiguousarray(pixels, dtype=np.uint8 if bytes_kept else np.float32)
