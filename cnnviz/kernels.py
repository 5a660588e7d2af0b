"""The Kernel type, the textbook kernels, and the edits that one can make to a grid of weights."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Weights = NDArray[np.float32]

MAX_SIDE = 15
MAX_WEIGHT = 1_000_000  # beyond it sums of float32 lose their small terms, and soon everything


@dataclass(frozen=True, eq=False)
class Kernel:
    """A named grid of weights, checked once here and trusted afterwards.

    `weights` is kept as read-only float32 of shape (kh, kw), for use on each channel alone, or (kh, kw, channels), for
    a sum over the channels; kh and kw lie in 1..15. ValueError, in a sentence, for anything that check_weights refuses.
    """

    name: str
    label: str
    weights: Weights

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", check_weights(self.weights))


def check_weights(weights: ArrayLike) -> Weights:
    """A read-only float32 copy of any grid of numbers, (kh, kw) or (kh, kw, channels), with 1..15 rows and columns.

    ValueError, in a sentence, for text, empty cells, uneven rows, nan, infinity (also of what float32 cannot hold) and
    other shapes.
    """
    grid = _float32(weights)
    if grid.ndim not in (2, 3) or 0 in grid.shape or max(grid.shape[:2]) > MAX_SIDE:
        shape = " × ".join(map(str, grid.shape)) or "a single number"
        raise ValueError(
            f"A kernel has 1 to {MAX_SIDE} rows, 1 to {MAX_SIDE} columns and, if you like, channels, but this one is "
            f"{shape}; 3 × 3 is a good start."
        )
    bad = np.argwhere(~(np.abs(grid) <= MAX_WEIGHT))
    if len(bad):
        row, column = bad[0][:2] + 1
        raise ValueError(
            f"The weight in row {row}, column {column} is {grid[tuple(bad[0])]:,.7g}, but each weight must be a number "
            f"from −{MAX_WEIGHT:,} to {MAX_WEIGHT:,}; put one such as 0.5 there."
        )
    grid.flags.writeable = False
    return grid


def _float32(weights: ArrayLike) -> Weights:
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, and check_weights names it
            return np.array(weights, dtype=np.float64).astype(np.float32)
    except (TypeError, ValueError):
        raise ValueError(
            "A kernel is a full grid of numbers, but this one has text, an empty cell or rows of different length; "
            "write it like [[0, 1, 0], [1, −4, 1], [0, 1, 0]]."
        ) from None


def flip(weights: ArrayLike) -> Weights:
    """The weights turned by 180° in their first two axes: what makes a correlation the convolution of mathematics."""
    return _float32(weights)[::-1, ::-1].copy()


def transpose(weights: ArrayLike) -> Weights:
    """Rows and columns exchanged, channels kept: makes Sobel y of Sobel x."""
    return _float32(weights).swapaxes(0, 1).copy()


def negate(weights: ArrayLike) -> Weights:
    """Every sign changed; zeros stay plain zeros."""
    return 0 - _float32(weights)


def normalize(weights: ArrayLike) -> Weights:
    """The weights divided by their sum, so that an even area keeps its brightness.

    Where |sum| < 1e-6 (edge kernels) they are divided by half the sum of absolute values instead: the positive weights
    then sum to 1 and the negative ones to −1. Zeros only: unchanged.
    """
    grid = _float32(weights).astype(np.float64)
    total = grid.sum()
    if abs(total) < 1e-6:
        total = np.abs(grid).sum() / 2
    return (grid / (total or 1)).astype(np.float32)


def _presets() -> dict[str, Kernel]:
    binomial_3 = np.outer([1, 2, 1], [1, 2, 1])
    binomial_5 = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])
    identity = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    laplacian_4 = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    laplacian_8 = np.array([[1, 1, 1], [1, -8, 1], [1, 1, 1]])
    unsharp = 2 * np.pad(identity, 1) - binomial_5 / 256
    prewitt_x = np.outer([1, 1, 1], [-1, 0, 1])
    sobel_x = np.outer([1, 2, 1], [-1, 0, 1])
    scharr_x = np.outer([3, 10, 3], [-1, 0, 1])
    rows: list[tuple[str, str, ArrayLike]] = [
        ("identity", "Identity: nothing changes", identity),
        ("box_blur", "Box blur 3×3: plain mean", np.full((3, 3), 1 / 9)),
        ("box_blur_5", "Box blur 5×5: plain mean", np.full((5, 5), 1 / 25)),
        ("gaussian_blur", "Gaussian blur 3×3: weighted mean", binomial_3 / 16),
        ("gaussian_blur_5", "Gaussian blur 5×5: weighted mean", binomial_5 / 256),
        ("sharpen", "Sharpen: picture − Laplacian 4", identity - laplacian_4),
        ("unsharp", "Unsharp mask: 2 × picture − Gaussian 5×5", unsharp),
        ("emboss", "Emboss: relief along the diagonal", [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
        ("outline", "Outline: center against 8 neighbors", -laplacian_8),
        ("laplacian_4", "Laplacian 4: 4 neighbors against center", laplacian_4),
        ("laplacian_8", "Laplacian 8: 8 neighbors against center", laplacian_8),
        ("prewitt_x", "Prewitt x: vertical edges", prewitt_x),
        ("prewitt_y", "Prewitt y: horizontal edges", prewitt_x.T),
        ("sobel_x", "Sobel x: vertical edges", sobel_x),
        ("sobel_y", "Sobel y: horizontal edges", sobel_x.T),
        ("scharr_x", "Scharr x: vertical edges", scharr_x),
        ("scharr_y", "Scharr y: horizontal edges", scharr_x.T),
    ]
    return {name: Kernel(name, label, np.asarray(weights, np.float32)) for name, label, weights in rows}


PRESETS: dict[str, Kernel] = _presets()
"""The textbook kernels by name. x kernels answer with + where it gets brighter to the right, y kernels downward."""

GRADIENTS: dict[str, tuple[str, str]] = {
    "sobel": ("sobel_x", "sobel_y"),
    "prewitt": ("prewitt_x", "prewitt_y"),
    "scharr": ("scharr_x", "scharr_y"),
}
"""The pairs of presets that make a gradient: (kernel_x, kernel_y)."""


def parse_number(text: str) -> float:
    """A number as people type it: "0.5", "0,5", "−1", "1/9". ValueError, in a sentence, for anything else."""
    plain = text.strip().replace("−", "-").replace(",", ".").replace("_", "?")  # float would read 1_0 as 10
    try:
        above, slash, below = plain.partition("/")
        number = float(above) / float(below) if slash else float(plain)
    except (ValueError, ZeroDivisionError):
        number = math.nan
    if not math.isfinite(number):
        shown = f"“{text.strip()[:20]}”" if text.strip() else "an empty cell"
        raise ValueError(
            f"A weight is a number such as 2, −0.5 or 1/9, but this was {shown}; the kernel stays as it was."
        )
    return number


def parse(text: str) -> Weights:
    """Weights from text: a block copied out of a spreadsheet or a text file, or what `dump` wrote.

    Rows end with a line break (or, all on one line, with ";"); cells are parted by tabs, else by ";" or ",", else by
    spaces; "|" parts the planes of a kernel with channels. ValueError, in a sentence, as in check_weights.
    """
    planes = [_parse_plane(plane) for plane in text.strip("\r\n ").split("|")]
    if len(planes) == 1:
        return check_weights(planes[0])
    if len({tuple(map(len, plane)) for plane in planes}) > 1:
        raise ValueError(
            "All planes of a kernel have the same size, but these differ; give each the same rows and columns."
        )
    return check_weights(np.stack([np.asarray(plane) for plane in planes], axis=-1))


def _parse_plane(text: str) -> list[list[float]]:
    lines = [line for line in text.splitlines() if line.strip()] if "\n" in text.strip() else text.split(";")
    separator = next((s for s in ("\t", ";", ",") if any(s in line for line in lines)), None)
    rows = [[parse_number(cell) for cell in line.split(separator)] for line in lines]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("The rows of a kernel are equally long, but these are not; fill the short ones with 0.")
    return rows


def dump(weights: ArrayLike) -> str:
    """The shortest text that `parse` reads back to the same float32 weights; it is safe in a URL."""
    grid = _float32(weights)
    planes = grid[..., None] if grid.ndim == 2 else grid
    return "|".join(
        ";".join(",".join(f"{w!s}".removesuffix(".0").replace("e+", "e") for w in row) for row in planes[..., c])
        for c in range(planes.shape[2])
    )


def resize(weights: ArrayLike, rows: int, columns: int) -> Weights:
    """The weights cut or filled up with zeros round their center to rows × columns; channels kept."""
    grid = _float32(weights)
    resized = np.zeros((rows, columns, *grid.shape[2:]), np.float32)
    old, new = [], []
    for have, want in zip(grid.shape[:2], (rows, columns), strict=True):
        # the center of an even side is the cell before its middle: steps of one end where one large step does
        shift = (want - 1) // 2 - (have - 1) // 2
        old.append(slice(max(0, -shift), max(0, -shift) + min(have, want)))
        new.append(slice(max(0, shift), max(0, shift) + min(have, want)))
    resized[tuple(new)] = grid[tuple(old)]
    return resized
