"""Drawn pictures from a seed: the sheet that they are drawn on, and the data set of five shapes."""

import colorsys
import math
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.data.dataset import DataError, Dataset, Entry
from cnnviz.images import Pixels

NUMBERS = (2, 20_000)  # pictures in a data set
SIZES = (16, 512)  # pixels, of a picture's side
SEEDS = (0, 2**32 - 1)
SHAPES = ("circle", "square", "triangle", "star", "cross")

OVERSAMPLING = 4  # drawn this many times larger and averaged down: smooth edges in plain integer arithmetic
_FRACTION_BITS = 4  # of a coordinate that OpenCV gets
_CONTRAST = 80  # levels of luminance between a shape and its background, at least

Color = tuple[int, int, int]  # RGB, 0..255
WHITE, NIGHT = (255, 255, 255), (24, 20, 26)
Points = NDArray[np.float64]  # (n, 2): x to the right, y down
Draw = Callable[[np.random.Generator, int, int], Pixels]  # (random, label, size) -> uint8 (size, size, 3)


def drawn_shapes(number: int = 1200, seed: int = 0, size: int = 64) -> Dataset:
    """Circles, squares, triangles, stars and crosses, `size` pixels wide and high, in classes of equal size.

    A picture depends on seed and index only, and its scene not on the size: a data set of 600 is the first half of
    one of 1,200. Shapes and backgrounds differ by at least 80 levels of luminance, so that grey pictures show them too.
    DataError for a number outside 2..20,000, a size outside 16..512, a seed outside 0..2³² − 1.
    """
    return drawn_dataset("drawn-shapes", SHAPES, draw_shape, number, seed, size)


def drawn_dataset(name: str, labels: tuple[str, ...], draw: Draw, number: int, seed: int, size: int) -> Dataset:
    """A data set whose picture `index` is drawn when asked for, with the label `index % len(labels)`."""
    for what, value, (lowest, highest) in (
        ("number of pictures", number, NUMBERS),
        ("seed", seed, SEEDS),
        ("size of the pictures", size, SIZES),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise DataError(
                f"The {what} is {repr(value)[:40]}; choose a whole number from {lowest:,} to {highest:,} for {name}."
            )
    entries = tuple(Entry(f"{labels[index % len(labels)]}/{index:05}", index % len(labels)) for index in range(number))
    pixels = partial(_pixels, draw, len(labels), seed, size)
    return Dataset(name, labels, entries, pixels, licence="drawn by this program; free to use")


def _pixels(draw: Draw, classes: int, seed: int, size: int, index: int) -> Pixels:
    # a generator for each picture: no state that threads could share or an order could change
    return draw(np.random.default_rng((seed, index)), index % classes, size)


# --- drawing ---


class Sheet:
    """A square to draw on. Shapes are given in units of their own, which `place` puts on the sheet."""

    def __init__(self, size: int, color: Color) -> None:
        """size: pixels of the finished picture's side."""
        side = size * OVERSAMPLING
        self.canvas: Pixels = np.empty((side, side, 3), np.uint8)
        cv2.rectangle(self.canvas, (0, 0), (side, side), color, cv2.FILLED)
        self.place(0.5, 0.5, 0.5)

    def place(self, x: float, y: float, unit: float, turn: float = 0, mirrored: bool = False) -> None:
        """What is drawn next has its origin at (x, y) and this unit, both in sides of the sheet, and is turned.

        turn: radians, clockwise. mirrored: left and right are exchanged before the turn.
        """
        side = self.canvas.shape[0]
        self._scale = unit * side
        cosine, sine = math.cos(turn) * self._scale, math.sin(turn) * self._scale
        flip = -1 if mirrored else 1
        self._matrix = np.array([[cosine * flip, sine * flip], [-sine, cosine]]) * (1 << _FRACTION_BITS)
        # OpenCV counts from the middle of the first pixel
        self._origin = (np.array([x, y]) * side - 0.5) * (1 << _FRACTION_BITS)

    def fill(self, points: Points, color: Color) -> None:
        """Fills the polygon through the points."""
        cv2.fillPoly(self.canvas, [self._placed(points)], color, cv2.LINE_8, _FRACTION_BITS)

    def stroke(self, points: Points, width: float, color: Color, closed: bool = False) -> None:
        """Draws a line with round ends; its width is in units too, and at least a quarter of a pixel."""
        thickness = max(1, round(width * self._scale))
        cv2.polylines(self.canvas, [self._placed(points)], closed, color, thickness, cv2.LINE_8, _FRACTION_BITS)

    def _placed(self, points: Points) -> NDArray[np.int32]:
        placed: NDArray[np.int32] = np.rint(points @ self._matrix + self._origin).astype(np.int32)
        return placed

    def finished(self, random: np.random.Generator, light: float, noise: int) -> Pixels:
        """The picture, uint8 (size, size, 3), lit from some side and with noise.

        light: brightness goes from 1 − light to 1 + light across the picture at most, in a direction by chance.
        noise: levels that a value is changed by at most, any as likely as another.
        """
        size = self.canvas.shape[0] // OVERSAMPLING
        # means of whole blocks, the same on every machine; two halves take a third of the time of one quarter
        half = cv2.resize(self.canvas, (2 * size, 2 * size), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(half, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
        direction = random.uniform(0, 2 * math.pi)
        across = np.linspace(-1, 1, size, dtype=np.float32)
        x, y = across * np.float32(math.cos(direction)), across[:, np.newaxis] * np.float32(math.sin(direction))
        picture *= (np.float32(1) + np.float32(light / math.sqrt(2)) * (x + y))[..., np.newaxis]
        if noise:
            # one byte a value costs a fifth of one random number
            grain = np.frombuffer(random.bytes(picture.size), np.int8).reshape(picture.shape)
            picture += grain * np.float32(noise / 128)
        levels: Pixels = np.rint(picture.clip(0, 255)).astype(np.uint8)
        return levels


_ANGLES = np.linspace(0, 2 * math.pi, 32, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_STEPS = np.linspace(0, 1, 13)
_BEND = np.stack([(1 - _STEPS) ** 2, 2 * _STEPS * (1 - _STEPS), _STEPS**2], axis=1)


def oval(x: float, y: float, width: float, height: float) -> Points:
    """Points around the ellipse with this center and these half axes."""
    return _CIRCLE * (width, height) + (x, y)


def bend(*corners: tuple[float, float]) -> Points:
    """Points along quadratic Bézier curves joined end to end: start, pull, end, pull, end ..."""
    given = np.array(corners)
    return np.concatenate([_BEND @ given[start : start + 3] for start in range(0, len(given) - 2, 2)])


def luminance(color: Color) -> float:
    """Brightness of an RGB color, 0..255, by ITU-R BT.601."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def tint(hue: float, saturation: float, value: float) -> Color:
    """The RGB color of hue, saturation and value, each 0..1."""
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def mixed(first: Color, second: Color, share: float) -> Color:
    """The color between the two: share 0 is the first, 1 the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def apart(color: Color, ground: Color, least: float) -> Color:
    """The color, moved towards black or white until its luminance differs from the ground's by `least`, 0..100."""
    here, there = luminance(color), luminance(ground)
    if abs(here - there) >= least:
        return color
    down = there > 255 - least or (here <= there and there > least + luminance(NIGHT))
    goal, wanted = (NIGHT, there - least) if down else (WHITE, there + least)
    return mixed(color, goal, (here - wanted) / (here - luminance(goal)))


# --- the shapes: each returns points within the unit circle, and all have about the same area ---


def _circle(_: np.random.Generator) -> Points:
    angles = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * 0.72


def _square(_: np.random.Generator) -> Points:
    return np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * 0.64


def _triangle(random: np.random.Generator) -> Points:
    # corners a third of a turn apart, give or take 15 degrees
    angles = (np.array([0, 1, 2]) - 0.75) * (2 * math.pi / 3) + random.uniform(-0.26, 0.26, 3)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _star(random: np.random.Generator) -> Points:
    rays = int(random.integers(5, 8))
    angles = np.arange(2 * rays) * (math.pi / rays) - math.pi / 2
    radii = np.where(np.arange(2 * rays) % 2, random.uniform(0.38, 0.52), 1)
    return np.stack([np.cos(angles) * radii, np.sin(angles) * radii], axis=1)


def _cross(random: np.random.Generator) -> Points:
    w, h = random.uniform(0.2, 0.34), 0.94
    corner = [(w, -h), (w, -w), (h, -w), (h, w), (w, w), (w, h)]
    return np.array([*corner, *((-x, -y) for x, y in corner)])


_OUTLINES = dict(zip(SHAPES, (_circle, _square, _triangle, _star, _cross), strict=True))


def draw_shape(random: np.random.Generator, label: int, size: int) -> Pixels:
    """One shape of class SHAPES[label] on a plain ground: uint8 (size, size, 3)."""
    ground = tint(random.random(), random.uniform(0, 0.9), random.uniform(0.1, 1))
    color = ground
    while abs(luminance(color) - luminance(ground)) < _CONTRAST:
        color = tint(random.random(), random.uniform(0, 1), random.uniform(0, 1))
    radius = random.uniform(0.25, 0.46)
    x, y = random.uniform(radius, 1 - radius, 2)
    sheet = Sheet(size, ground)
    sheet.place(x, y, radius, random.uniform(-0.45, 0.45))
    points = _OUTLINES[SHAPES[label]](random)
    if random.random() < 0.6:
        sheet.fill(points, color)
    else:
        # a line of 2.5 to 5.5 % of the side, drawn inwards so that the shape stays on the sheet
        width = random.uniform(0.025, 0.055) / radius
        sheet.stroke(points * (1 - width / 2), width, color, closed=True)
    return sheet.finished(random, light=random.uniform(0, 0.25), noise=int(random.integers(0, 14)))
