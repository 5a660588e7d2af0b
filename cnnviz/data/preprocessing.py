"""Preprocessing: the one way from a picture to the array that a network is given, in training, scoring and use."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.images import Pixels

COLORS = ("rgb", "grey")
FITS = ("crop", "letterbox", "stretch")
SCALES = ("0..1", "-1..1", "0..255")
MAX_SIDE = 512  # pixels of a network's input
_LETTERBOX = 0  # level of the bars


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a picture becomes a network's input. Checked when made: ValueError with one sentence.

    height, width: of the input, in pixels, 1..MAX_SIDE.
    color: "rgb" (3 channels) or "grey" (1 channel, luminance by ITU-R BT.601 as OpenCV has it).
    fit: what happens to another aspect ratio: "crop" the middle, "letterbox" with black bars, or "stretch".
    scale: the range that levels 0..255 are mapped to.
    """

    height: int
    width: int
    color: Literal["rgb", "grey"] = "rgb"
    fit: Literal["crop", "letterbox", "stretch"] = "crop"
    scale: Literal["0..1", "-1..1", "0..255"] = "0..1"

    def __post_init__(self) -> None:
        for name, side in (("height", self.height), ("width", self.width)):
            if isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= MAX_SIDE:
                raise ValueError(
                    f"The input's {name} is {repr(side)[:40]}; it must be a whole number from 1 to {MAX_SIDE}."
                )
        for name, value, choices in (
            ("color", self.color, COLORS),
            ("fit", self.fit, FITS),
            ("scale", self.scale, SCALES),
        ):
            if value not in choices:
                raise ValueError(f"The preprocessing's {name} is {repr(value)[:40]}; choose {' or '.join(choices)}.")

    @property
    def channels(self) -> int:
        return 1 if self.color == "grey" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.height, self.width, self.channels)

    def window(self, rows: int, columns: int) -> tuple[int, int, int, int]:
        """(top, left, height, width) of what is used of a picture of this many rows and columns, in its pixels.

        With "crop" the largest middle part of the input's aspect ratio, at least one pixel each way; else all of it.
        """
        if self.fit != "crop":
            return 0, 0, rows, columns
        scale = min(rows / self.height, columns / self.width)
        tall, wide = max(1, round(self.height * scale)), max(1, round(self.width * scale))
        return (rows - tall) // 2, (columns - wide) // 2, tall, wide

    def picture(self, pixels: Pixels) -> Pixels:
        """uint8 (H, W, 3) RGB -> uint8 (height, width, channels): fitted and sized, not yet scaled."""
        top, left, tall, wide = self.window(pixels.shape[0], pixels.shape[1])
        fitted = _resized(pixels[top : top + tall, left : left + wide], self.height, self.width, self.fit)
        if self.color == "grey":
            return np.ascontiguousarray(cv2.cvtColor(fitted, cv2.COLOR_RGB2GRAY)[..., np.newaxis])
        return np.ascontiguousarray(fitted)

    def scaled(self, pictures: NDArray[Any]) -> NDArray[np.float32]:
        """Levels 0..255 (uint8, or float32 after augmentation) -> float32 in the range of `scale`, same shape."""
        levels = np.asarray(pictures, np.float32)
        if self.scale == "0..255":
            return levels
        return levels / np.float32(255) if self.scale == "0..1" else levels / np.float32(127.5) - np.float32(1)

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """uint8 (H, W, 3) RGB -> float32 (height, width, channels), exactly what the network gets."""
        return self.scaled(self.picture(pixels))

    def words(self, square: bool = False) -> str:
        """One line for the page: "64 × 64 pixels, color, middle cropped, levels 0..1".

        square: of square pictures, of which a square network gets all, as they are.
        """
        color = "grey" if self.color == "grey" else "color"
        fit = {"crop": "middle cropped, ", "letterbox": "bars added, ", "stretch": "stretched, "}[self.fit]
        fit = "" if square and self.height == self.width else fit
        return f"{self.height} × {self.width} pixels, {color}, {fit}levels {self.scale.replace('-', '−')}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Any) -> "Preprocessing":
        """The object that to_json wrote; ValueError with a sentence for anything else."""
        names = ("height", "width", "color", "fit", "scale")
        if not isinstance(fields, Mapping) or not {"height", "width"} <= set(fields) <= set(names):
            raise ValueError(
                f"The preprocessing is {str(fields)[:80]!r}; expected height, width, color, fit and scale."
            )
        return cls(**fields)


def _resized(pixels: Pixels, height: int, width: int, fit: str) -> Pixels:
    rows, columns = pixels.shape[:2]
    if fit != "letterbox":
        return _resize(pixels, height, width)
    scale = min(height / rows, width / columns)
    tall, wide = max(1, round(rows * scale)), max(1, round(columns * scale))
    canvas = np.full((height, width, 3), _LETTERBOX, np.uint8)
    top, left = (height - tall) // 2, (width - wide) // 2
    canvas[top : top + tall, left : left + wide] = _resize(pixels, tall, wide)
    return canvas


def _resize(pixels: Pixels, height: int, width: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels.copy()  # augmentation may write into it
    shrinks = pixels.shape[0] > height or pixels.shape[1] > width
    # averaging over areas avoids moiré when a photo shrinks; when it grows, area would give blocks
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: Any = cv2.resize(pixels, (width, height), interpolation=way)
    return np.asarray(resized, np.uint8)
