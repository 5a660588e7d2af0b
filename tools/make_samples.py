"""Makes sample_images/: photographs out of scikit-image's wheel, and test cards drawn here.

Run `python tools/make_samples.py` in the project's folder; only the photographs need scikit-image (pip install
scikit-image), and nothing else in the project does. sample_images/CREDITS.md, written by hand, says where each
picture comes from and under which license: a new picture needs its row there.
"""

import hashlib
import importlib.util
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

FOLDER = Path(__file__).resolve().parent.parent / "sample_images"
THUMB = 88  # pixels: 44 in the picture strip, sharp on dense screens

Pixels = NDArray[np.uint8]
Points = list[tuple[float, float]]
Color = tuple[int, int, int]

SIDE = 256
# Curves are drawn this many times larger and averaged down: smooth edges in plain integer arithmetic, so that
# every machine draws the same bytes.
OVERSAMPLING = 8

INK = (31, 36, 48)
PAPER = (251, 250, 247)
DARK, MIDDLE, BRIGHT = (32, 32, 32), (128, 128, 128), (224, 224, 224)


class SampleError(Exception):
    """The sample pictures cannot be made; the message says what to do."""


# --- drawing: points are (x, y) in pixels of the finished card, y down; colors are RGB 0..255 ---


def sheet(color: Color) -> Pixels:
    """An empty card at drawing size: (SIDE * OVERSAMPLING, SIDE * OVERSAMPLING, 3)."""
    return np.full((SIDE * OVERSAMPLING, SIDE * OVERSAMPLING, 3), color, np.uint8)


def finished(drawing: Pixels) -> Pixels:
    """The drawing averaged down to (SIDE, SIDE, 3), rounded half up."""
    blocks = drawing.reshape(SIDE, OVERSAMPLING, SIDE, OVERSAMPLING, 3).astype(np.uint32)
    area = OVERSAMPLING**2
    means: Pixels = ((blocks.sum(axis=(1, 3)) + area // 2) // area).astype(np.uint8)
    return means


def arc(center: tuple[float, float], radii: tuple[float, float], start: float = 0, end: float = 360) -> Points:
    """Points along an ellipse; degrees run clockwise from three o'clock, as y points down."""
    angles = [math.radians(start + (end - start) * i / 96) for i in range(97)]
    return [(center[0] + radii[0] * math.cos(a), center[1] + radii[1] * math.sin(a)) for a in angles]


def bend(start: tuple[float, float], pull: tuple[float, float], end: tuple[float, float]) -> Points:
    """Points along a quadratic Bézier curve from start to end, pulled towards the point between."""
    steps = [i / 48 for i in range(49)]
    weights = [((1 - t) ** 2, 2 * t * (1 - t), t**2) for t in steps]
    return [(a * start[0] + b * pull[0] + c * end[0], a * start[1] + b * pull[1] + c * end[1]) for a, b, c in weights]


def _scaled(points: Points) -> list[NDArray[np.int32]]:
    return [np.rint(np.asarray(points) * OVERSAMPLING).astype(np.int32)]


def fill(drawing: Pixels, points: Points, color: Color) -> None:
    """Fills the polygon through the points."""
    cv2.fillPoly(drawing, _scaled(points), color)


def stroke(drawing: Pixels, points: Points, width: float, color: Color) -> None:
    """Draws a line with round ends through the points, width in pixels of the finished card."""
    cv2.polylines(drawing, _scaled(points), False, color, round(width * OVERSAMPLING))


# --- the test cards: each returns uint8 (SIDE, SIDE, 3) ---


def step_edge() -> Pixels:
    """Dark to bright along a vertical edge at x = 80, bright to middle along one that slants by 1 in 4."""
    drawing = sheet(BRIGHT)
    fill(drawing, [(208, 0), (SIDE, 0), (SIDE, SIDE), (144, SIDE)], MIDDLE)
    card = finished(drawing)
    card[:, :80] = DARK
    return card


def checkerboard() -> Pixels:
    """Eight by eight squares of 32 pixels, 0 and 255."""
    rows, columns = np.indices((SIDE, SIDE)) // 32
    grey = ((rows + columns) % 2 * 255).astype(np.uint8)
    return np.dstack([grey] * 3)


def circle() -> Pixels:
    """A bright disc of radius 80 in the middle of a dark card: edges in every direction."""
    drawing = sheet(DARK)
    fill(drawing, arc((SIDE / 2, SIDE / 2), (80, 80)), BRIGHT)
    return finished(drawing)


def gradient() -> Pixels:
    """Black to white from left to right: each pixel's value is its column, 0..255."""
    grey = np.tile(np.arange(SIDE, dtype=np.uint8), (SIDE, 1))
    return np.dstack([grey] * 3)


# Strokes of each digit in a box one wide and two high.
DIGITS: list[list[Points]] = [
    [arc((0.5, 1), (0.5, 1))],
    [[(0.12, 0.42), (0.58, 0), (0.58, 2)]],
    [[*arc((0.5, 0.52), (0.48, 0.52), 185, 395), (0.02, 2), (1, 2)]],
    [[*arc((0.46, 0.47), (0.44, 0.47), 200, 450), *arc((0.46, 1.47), (0.54, 0.53), 270, 520)]],
    [[(0.74, 2), (0.74, 0), (0, 1.42), (1, 1.42)]],
    [[(0.92, 0), (0.16, 0), (0.06, 0.92), *arc((0.46, 1.35), (0.54, 0.65), 225, 510)]],
    [[*bend((0.78, 0), (0, 0.6), (0, 1.38)), *arc((0.5, 1.38), (0.5, 0.62), 180, -180)]],
    [[(0, 0), (1, 0), (0.3, 2)]],
    [arc((0.5, 0.46), (0.43, 0.46)), arc((0.5, 1.46), (0.5, 0.54))],
    [[*bend((0.22, 2), (1, 1.4), (1, 0.62)), *arc((0.5, 0.62), (0.5, 0.62), 0, 360)]],
]


def digits() -> Pixels:
    """The digits 0 to 9 in two rows of five, ink on paper."""
    drawing = sheet(PAPER)
    for digit, strokes in enumerate(DIGITS):
        left, top = 16 + digit % 5 * 48.5, 32 + digit // 5 * 120
        for points in strokes:
            stroke(drawing, [(left + 30 * x, top + 36 * y) for x, y in points], 8, INK)
    return finished(drawing)


BACKDROP, SHIRT = (217, 233, 229), (15, 118, 110)
SKIN, SHADE, BLUSH, HAIR = (246, 200, 140), (230, 172, 112), (241, 166, 122), (74, 49, 42)
WHITE, MOUTH, TONGUE, TEAR = (255, 255, 255), (122, 34, 40), (226, 106, 104), (84, 160, 222)


def _head() -> Pixels:
    """What both faces share, so that nothing but the expression tells them apart."""
    drawing = sheet(BACKDROP)
    fill(drawing, arc((128, 292), (98, 74)), SHIRT)
    fill(drawing, [(104, 180), (152, 180), (152, 218), *arc((128, 218), (24, 16), 0, 180)], SHADE)
    fill(drawing, arc((128, 104), (85, 86)), HAIR)
    for x in (52, 204):
        fill(drawing, arc((x, 136), (15, 19)), SKIN)
        fill(drawing, arc((x, 136), (8, 11)), SHADE)
    fill(drawing, arc((128, 128), (76, 80)), SKIN)
    parting = [*bend((208, 116), (193, 78), (152, 58)), *bend((152, 58), (108, 92), (48, 112))]
    fill(drawing, [*arc((128, 104), (85, 86), 176, 364), *parting], HAIR)
    for x in (78, 178):
        fill(drawing, arc((x, 160), (14, 9)), BLUSH)
    stroke(drawing, arc((128, 148), (8, 6), 20, 160), 4, SHADE)
    for x in (98, 158):
        fill(drawing, arc((x, 132), (9, 11)), INK)
        fill(drawing, arc((x + 3, 128), (3, 3)), WHITE)
    return drawing


def happy_face() -> Pixels:
    """A drawn face that laughs."""
    drawing = _head()
    for x in (98, 158):
        stroke(drawing, arc((x, 114), (15, 9), 205, 335), 5, HAIR)
    lip = bend((94, 164), (128, 171), (162, 164))
    fill(drawing, [*lip, *arc((128, 164), (34, 32), 0, 180)], MOUTH)
    fill(drawing, [*lip, *arc((128, 164), (34, 32), 0, 23), *arc((128, 164), (34, 32), 157, 180)], WHITE)
    fill(drawing, arc((128, 189), (16, 6)), TONGUE)
    return finished(drawing)


def sad_face() -> Pixels:
    """The same face, sad, with a tear."""
    drawing = _head()
    stroke(drawing, bend((82, 117), (98, 112), (110, 100)), 5, HAIR)
    stroke(drawing, bend((174, 117), (158, 112), (146, 100)), 5, HAIR)
    stroke(drawing, arc((128, 194), (24, 18), 205, 335), 6, MOUTH)
    fill(drawing, [*arc((168, 166), (8, 9), -25, 205), (168, 146)], TEAR)
    return finished(drawing)


# --- what lies in sample_images/, in the order of the picture strip ---


@dataclass(frozen=True)
class Photograph:
    """A file of scikit-image's data folder; size is (width, height) as stored here."""

    key: str
    title: str
    alt: str
    source: str
    sha256: str
    size: tuple[int, int]


@dataclass(frozen=True)
class Card:
    """A test card; the drawing function's name is its key."""

    draw: Callable[[], Pixels]
    title: str
    alt: str

    @property
    def key(self) -> str:
        return self.draw.__name__


# Only files that scikit-image itself declares CC0 or public domain. Left out: page, moon and coins (no license named),
# rocket (its source page says non-commercial), hubble_deep_field (also published under a license that asks for credit).
PHOTOGRAPHS = [
    Photograph(
        "astronaut",
        "Astronaut",
        "A smiling astronaut in an orange space suit before a flag and a model of a space shuttle.",
        "astronaut.png",
        "88431cd9653ccd53",
        (512, 512),
    ),
    Photograph(
        "cat",
        "Cat",
        "The face of a tabby cat with green eyes, close up.",
        "chelsea.png",
        "596aa1e7cb875eb7",
        (451, 300),
    ),
    Photograph(
        "coffee",
        "Coffee",
        "An espresso in a red cup on a red saucer with a spoon, on a wooden table.",
        "coffee.png",
        "cc02f8ca188b167c",
        (600, 400),
    ),
    Photograph(
        "camera",
        "Camera",
        "A man in a dark coat looks through a camera on a tripod in a wide meadow, in shades of grey.",
        "camera.png",
        "b0793d2adda0fa6a",
        (512, 512),
    ),
    # 172 pixels high at its source, which is less than a picture in the strip should have: enlarged 5 : 4.
    Photograph(
        "handwriting",
        "Handwriting",
        "A page of formulas written by hand, seen at a slant, in shades of grey.",
        "text.png",
        "bd84aa3a6e3c9887",
        (560, 215),
    ),
    Photograph(
        "bricks",
        "Bricks",
        "A floor of long bricks with bright joints, in shades of grey.",
        "brick.png",
        "7966caf324f6ba84",
        (512, 512),
    ),
    Photograph(
        "retina",
        "Retina",
        "The back of a human eye: an orange disc with dark red blood vessels on black.",
        "retina.jpg",
        "38a07f36f27f095e",
        (512, 512),
    ),
]

CARDS = [
    Card(
        step_edge,
        "Step edge",
        "Three flat areas, dark, bright and grey, with a vertical and a slanted edge between them.",
    ),
    Card(checkerboard, "Checkerboard", "A checkerboard of eight by eight black and white squares."),
    Card(circle, "Circle", "A bright disc in the middle of a dark square."),
    Card(gradient, "Gradient", "A smooth change from black at the left to white at the right."),
    Card(digits, "Digits", "The digits 0 to 9 in two rows, dark on white."),
    Card(happy_face, "Happy face", "A drawn face with brown hair that laughs."),
    Card(sad_face, "Sad face", "The same drawn face with brown hair, sad, with a tear."),
]


def listing() -> list[dict[str, str]]:
    """What samples.json says: key, file, title and alt of each picture."""
    photographs = [{"key": p.key, "file": f"{p.key}.jpg", "title": p.title, "alt": p.alt} for p in PHOTOGRAPHS]
    cards = [{"key": c.key, "file": f"{c.key}.png", "title": c.title, "alt": c.alt} for c in CARDS]
    return photographs + cards


def photograph_folder() -> Path:
    """scikit-image's data folder, found without importing it. Raises SampleError where it is not installed."""
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise SampleError(
            "The photographs come out of scikit-image, which is not installed here: "
            "run `pip install scikit-image`, then this script again."
        )
    return Path(found.origin).parent / "data"


def photograph(wanted: Photograph, folder: Path) -> Image.Image:
    """The photograph, RGB or grey, at its size here and without metadata (all are sRGB). Raises SampleError."""
    path = folder / wanted.source
    data = path.read_bytes() if path.is_file() else b""
    # Another version may hold another picture under the same name, with another license: it has happened to camera.png.
    if not hashlib.sha256(data).hexdigest().startswith(wanted.sha256):
        raise SampleError(
            f"This scikit-image has no {wanted.source}, or another picture under that name, but its license was "
            "checked in version 0.26.0: run `pip install scikit-image==0.26.0`, then this script again."
        )
    with Image.open(path) as opened:
        picture = opened.convert("L" if opened.mode == "L" else "RGB")
    if picture.size != wanted.size:
        picture = picture.resize(wanted.size, Image.Resampling.LANCZOS)
    return Image.fromarray(np.asarray(picture))


def thumbnail(picture: Path) -> Image.Image:
    """The largest square round the center of a picture, THUMB pixels a side."""
    with Image.open(picture) as opened:
        whole = opened.convert("RGB")
    side = min(whole.size)
    left, top = (whole.width - side) // 2, (whole.height - side) // 2
    return whole.resize((THUMB, THUMB), Image.Resampling.BOX, box=(left, top, left + side, top + side))


def main() -> int:
    """Writes every picture, its thumbnail and samples.json; returns the exit status."""
    try:
        source = photograph_folder()
        photographs = {p.key: photograph(p, source) for p in PHOTOGRAPHS}
    except SampleError as error:
        print(error, file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    for key, picture in photographs.items():
        # Full-resolution color and little compression: kernels make the blocks of a poor JPEG visible.
        picture.save(FOLDER / f"{key}.jpg", quality=92, subsampling="4:4:4", progressive=True, optimize=True)
    for card in CARDS:
        Image.fromarray(card.draw()).save(FOLDER / f"{card.key}.png", optimize=True)
    (FOLDER / "thumbs").mkdir(exist_ok=True)
    for entry in listing():
        thumbnail(FOLDER / entry["file"]).save(FOLDER / "thumbs" / f"{entry['key']}.webp", quality=85, method=6)
    text = json.dumps(listing(), indent=2, ensure_ascii=False)
    (FOLDER / "samples.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
