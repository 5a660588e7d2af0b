"""Faces as boxes: the square cut out of a photo for a network, and whether this server may look for faces at all."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

import cv2
import numpy as np

from cnnviz.images import Pixels

FACTOR = 1.0  # side of the square over the longer side of the box: as tight as FER2013's faces (docs/faces.md)
MOST = 40  # faces that are answered in one photo
NONE_FOUND = (
    "No face was found in this photo; try one where a face looks towards the camera, stands upright, is at least a "
    "twentieth of the photo wide, and is not covered."
)
SWITCH = "CNNVIZ_FACES"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a photo. A photo's faces are numbered from 1, left to right: the order in which `find` gives them.

    box: (x, y, w, h) in the photo's own pixels, inside the photo, w and h at least 1.
    confidence: 0..1, how sure the finder is that this is a face; not how sure a network is of its expression.
    eyes: the center of the eye on the left of the picture, then of the one on the right; (x, y) in the photo's pixels.
    """

    box: tuple[int, int, int, int]
    confidence: float
    eyes: tuple[Point, Point]

    @property
    def tilt(self) -> float:
        """Degrees by which the line through the eyes is turned clockwise from level, −180..180."""
        (x1, y1), (x2, y2) = self.eyes
        return math.degrees(math.atan2(y2 - y1, x2 - x1))


def crop(pixels: Pixels, face: Face, factor: float = FACTOR, level: bool = False) -> Pixels:
    """The square round a face: uint8 (s, s, 3) of a photo (H, W, 3), in the photo's resolution.

    s is `factor` times the longer side of the box, at least 1; the square has the center of the box. level: turned
    about that center so that the eyes lie on one line. What lies outside the photo repeats the photo's edge.
    ValueError for a factor that is not between 0.1 and 4.
    """
    if not 0.1 <= factor <= 4:
        raise ValueError(f"The crop's factor is {factor}; it must lie between 0.1 and 4, as 1 does.")
    x, y, w, h = face.box
    side = max(1, round(factor * max(w, h)))
    cx, cy = x + w / 2, y + h / 2
    angle = math.radians(face.tilt) if level else 0.0
    if not angle:
        return _window(pixels, round(cx - side / 2), round(cy - side / 2), side)
    cos, sin = math.cos(angle), math.sin(angle)
    # a pixel's center lies half a pixel inside its corner; the matrix maps pixels of the square to those of the photo
    half = (side - 1) / 2
    back = np.array([[cos, -sin, cx - 0.5 - half * (cos - sin)], [sin, cos, cy - 0.5 - half * (sin + cos)]])
    turned = cv2.warpAffine(
        pixels, back, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(turned, np.uint8)


def _window(pixels: Pixels, left: int, top: int, side: int) -> Pixels:
    rows = np.clip(np.arange(top, top + side), 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, pixels.shape[1] - 1)
    return pixels[rows[:, None], columns]


def allowed(address: str, environ: Mapping[str, str]) -> bool:
    """Whether this server may find faces and answer for them: CNNVIZ_FACES on or off, else where it listens.

    address: what the server listens on, as Streamlit's option server.address has it; empty is every interface. Without
    CNNVIZ_FACES faces are there for a server that only this computer reaches, and not for one that a class or an office
    shares: where the emotions of others must not be read off their faces, nobody has to know of the switch.
    Any word but on and off counts as off.
    """
    asked = environ.get(SWITCH, "").strip().lower()
    if asked:
        return asked == "on"
    host = address.strip().strip("[]").lower()
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
