"""Arrays to pictures: color scales, directions, files for the browser, and the text of a number."""

import base64
import io
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from math import isfinite, isnan, log10
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]  # (H, W, 3) RGB

# -max, ..., 0, ..., +max: blue and red of equal weight round a near-white zero.
SIGNED_STOPS = ("#2166AC", "#92C5DE", "#F7F7F7", "#F4A582", "#B2182B")
NAN_COLOR = "#C026D3"
_LEVELS = 255  # odd, so that exactly 0 has a level of its own; index 255 is left for NaN
_TIES_UP = Context(rounding=ROUND_HALF_UP)


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _signed_table() -> Pixels:
    stops = np.array([_rgb(c) for c in SIGNED_STOPS], np.float64)
    at = np.linspace(0, len(stops) - 1, _LEVELS)
    table = np.stack([np.interp(at, np.arange(len(stops)), stops[:, c]) for c in range(3)], axis=1)
    return np.vstack([np.rint(table), [_rgb(NAN_COLOR)]]).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Scale:
    """A color scale: values from low to high run through `table`, whose last row is the color of NaN."""

    table: Pixels  # (256, 3)
    low: float
    high: float

    @property
    def css(self) -> str:
        """The scale from left to right as color stops of a CSS gradient."""
        return ", ".join(
            "#{:02x}{:02x}{:02x}".format(*row) for row in self.table[np.linspace(0, _LEVELS - 1, 9, dtype=int)]
        )

    def bar(self, values: NDArray[np.floating]) -> str:
        """The colors of these values, evenly from left to right, as color stops of a CSS gradient."""
        return ", ".join("#{:02x}{:02x}{:02x}".format(*row) for row in colored(values, self))


def _with_nan(colors: NDArray[Any]) -> Pixels:
    at = np.rint(np.linspace(0, len(colors) - 1, _LEVELS)).astype(int)
    return np.vstack([colors[at], [_rgb(NAN_COLOR)]]).astype(np.uint8)


_SIGNED = _signed_table()
_HEAT = _with_nan(cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_CIVIDIS)[:, 0, ::-1])
_GREY = _with_nan(np.repeat(np.arange(256)[:, None], 3, axis=1))


def signed_scale(limit: float) -> Scale:
    """Blue below zero, near-white at zero, red above; the ends are ±limit."""
    return Scale(_SIGNED, -limit, limit)


def heat_scale(low: float, high: float) -> Scale:
    """Cividis for values without a sign, dark blue at `low`, yellow at `high`."""
    return Scale(_HEAT, low, high)


def grey_scale(low: float = 0.0, high: float = 255.0) -> Scale:
    """Black at `low`, white at `high`."""
    return Scale(_GREY, low, high)


def levels(values: NDArray[np.floating], scale: Scale) -> NDArray[np.uint8]:
    """Row of the scale's table for each value; beyond the ends counts as the end, NaN as 255."""
    span = scale.high - scale.low
    if span > 0:
        # the low end is brought to 0 before scaling, so that a value halfway lands on the middle level exactly
        scaled = (values.astype(np.float64) - scale.low) * ((_LEVELS - 1) / span)
    else:
        scaled = np.where(np.isnan(values), np.nan, (_LEVELS - 1) / 2)
    index = np.rint(np.clip(np.nan_to_num(scaled, nan=0.0), 0, _LEVELS - 1)).astype(np.uint8)
    index[np.isnan(values)] = 255
    return index


def colored(values: NDArray[np.floating], scale: Scale) -> Pixels:
    """A map (H, W) as RGB pixels."""
    return scale.table[levels(values, scale)]


def directions(angle: NDArray[np.floating], magnitude: NDArray[np.floating], least: float = 0.0) -> Pixels:
    """Angles (radians) as hues of equal lightness, grey where the magnitude is below least or 2 % of the largest."""
    lab = np.empty((*angle.shape, 3), np.float32)
    lab[..., 0] = 68
    lab[..., 1], lab[..., 2] = 42 * np.cos(angle), 42 * np.sin(angle)
    lab[magnitude < max(least, 0.02 * limit(magnitude)), 1:] = 0
    return np.rint(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB) * 255).astype(np.uint8)


def wheel(side: int) -> Pixels:
    """The legend of `directions`: each place round the center in the color of its angle (0 right, a quarter down)."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return directions(np.arctan2(y, x).astype(np.float32), np.ones((side, side), np.float32))


def wheel_css() -> str:
    """The angles −π..π from left to right, in the colors of `directions`, as color stops of a CSS gradient."""
    angle = np.linspace(-np.pi, np.pi, 17, dtype=np.float32)[None]
    return ", ".join("#{:02x}{:02x}{:02x}".format(*color) for color in directions(angle, np.ones_like(angle))[0])


def limit(values: NDArray[np.floating]) -> float:
    """The largest finite absolute value (at least a hair above 0): the end of a signed scale."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0)) or 1e-9


def reduced_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Rows and columns of what `reduce` makes of a picture of `size`."""
    factor = side / max(size)
    return size if factor >= 1 else (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))


def reduce(array: NDArray[Any], side: int) -> NDArray[Any]:
    """Reduce (H, W) or (H, W, 3) by area so that the long side is at most `side`; never enlarged."""
    size = (array.shape[0], array.shape[1])
    rows, columns = reduced_size(size, side)
    if (rows, columns) == size:
        return array
    reduced: NDArray[Any] = cv2.resize(array, (columns, rows), interpolation=cv2.INTER_AREA)
    return reduced


def center_square(pixels: Pixels) -> Pixels:
    """The largest square round the center."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def webp(pixels: Pixels, quality: int = 85) -> bytes:
    """RGB pixels as a lossy WebP file (for photos)."""
    return _encode(".webp", pixels, cv2.IMWRITE_WEBP_QUALITY, quality)


def png(pixels: Pixels) -> bytes:
    """RGB pixels as a PNG file, bit for bit."""
    return _encode(".png", pixels, cv2.IMWRITE_PNG_COMPRESSION, 1)


def _encode(kind: str, pixels: Pixels, option: int, value: int) -> bytes:
    _, data = cv2.imencode(kind, np.ascontiguousarray(pixels[..., ::-1]), [option, value])
    return data.tobytes()


def palette_png(values: NDArray[np.floating], scale: Scale) -> bytes:
    """A map (H, W) as a PNG of 256 colors: a third of the bytes and the time of an RGB one."""
    picture = Image.fromarray(levels(values, scale), "P")
    picture.putpalette(scale.table.tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def data_url(data: bytes, kind: str) -> str:
    """A file as a URL that holds it; kind: "png" or "webp"."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def number(value: float, digits: int = 4) -> str:
    """A number as it stands on the page: at most `digits` digits, a real minus, no needless zeros.

    Two more before a whole number is written with an exponent, with commas from 10,000. A tie goes away from 0, as in
    the browser, so that the microscope shows the same text for the same number.

    >>> number(-412.0), number(0.12345), number(-12230.6), number(1234567.0), number(3e-9)
    ('−412', '0.1235', '−12,231', '1.235e6', '3e−9')
    """
    if not isfinite(value):
        return "NaN" if isnan(value) else ("∞" if value > 0 else "−∞")
    magnitude = abs(value)
    if magnitude and not 10.0 ** (1 - digits) <= magnitude < 10.0 ** (digits + 2) - 0.5:
        mantissa, exponent = _rounded(magnitude, f".{digits - 1}e").split("e")
        text = f"{_trim(mantissa)}e{int(exponent)}"
    else:
        whole = 1 if magnitude < 1 else int(log10(magnitude)) + 1
        commas = "," if magnitude >= 9999.5 else ""
        text = _trim(_rounded(magnitude, f"{commas}.{max(0, digits - max(whole, 1) + (magnitude < 1))}f"))
    text = text.replace("-", "−")
    return "−" + text if value < 0 and text != "0" else text


def _rounded(magnitude: float, form: str) -> str:
    with localcontext(_TIES_UP):
        return format(Decimal(float(magnitude)), form)


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
