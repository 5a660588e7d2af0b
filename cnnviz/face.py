"""Faces as boxes: what the finder sees of a photo, the square cut out for a network, and whether faces are allowed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.images import Photo, Pixels

FACTOR = 1.0  # side of the square over the longer side of the box: as tight as FER2013's faces (docs/faces.md)
UPRIGHT = 20  # degrees of tilt up to which a face is left as it is: `emotions` gains nothing from less (docs/faces.md)
_SHORT = 0.3  # of the box's longer side: eyes and mouth that are no longer together are seen from the side
LONG_SIDE = 640  # pixels of what the finder is shown
MOST = 40  # faces that are answered in one photo
NONE_FOUND = (
    "No face was found in this photo; try one where a face looks towards the camera, stands upright (a "
    "photo that lies on its side can be turned first), is not covered, and is large enough: about 20 pixels wide, and "
    "in a large photo 3 % of its longer side."
)
MANY = f"At most {MOST} faces are answered in one photo; of more these are the surest to be faces."
NOTE = "The expression in this picture, not a feeling."
SWITCH = "CNNVIZ_FACES"
HERE = "localhost"  # the address of what only this computer reaches, as the command line
OFF = (
    "Faces and the networks for them are switched off here. On a server that others can reach they are off at first; "
    f"whoever starts it can turn them on with {SWITCH}=on."
)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a photo. A photo's faces are numbered from 1, left to right: the order in which `find` gives them.

    box: (x, y, w, h) in the photo's own pixels, inside the photo, w and h at least 1.
    confidence: 0..1, how sure the finder is that this is a face; not how sure a network is of its expression.
    eyes: the center of the eye on the left of the picture, then of the one on the right; (x, y) in the photo's pixels.
    mouth: its corner on the left of the picture, then the one on the right.
    """

    box: tuple[int, int, int, int]
    confidence: float
    eyes: tuple[Point, Point]
    mouth: tuple[Point, Point]

    @property
    def turn(self) -> float:
        """Degrees by which its square is turned clockwise, −180..180, so that eyes and mouth lie level.

        0 of small tilts, and in profile, where the two eyes lie too close to each other to tell.
        """
        (x1, y1), (x2, y2), (x3, y3), (x4, y4) = *self.eyes, *self.mouth
        x, y = x2 - x1 + x4 - x3, y2 - y1 + y4 - y3
        tilt = math.degrees(math.atan2(y, x))
        return tilt if abs(tilt) > UPRIGHT and math.hypot(x, y) >= _SHORT * max(self.box[2:]) else 0.0


def reduced(pixels: Pixels, long_side: float = LONG_SIDE) -> Pixels:
    """What the finder is shown of a photo: uint8 (h, w, 3), sides at least 1 and at most long_side.

    Each of its pixels is the mean of what it stands for. A photo that is small enough stays as it is.
    """
    scale = long_side / max(pixels.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(pixels)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def crop(pixels: Pixels, face: Face, factor: float = FACTOR) -> Pixels:
    """The square round a face: uint8 (s, s, 3) of a photo (H, W, 3), in the photo's resolution.

    s is `factor` times the longer side of the box, at least 1; the square has the center of the box, about which it is
    turned by `face.turn`. What lies outside the photo repeats the photo's edge. ValueError for a factor that is not
    between 0.1 and 4.
    """
    side, to_photo = _square(face, factor)
    turn, (left, top) = to_photo[:, :2], to_photo[:, 2]
    if not face.turn:
        rows = np.clip(np.arange(top, top + side, dtype=int), 0, pixels.shape[0] - 1)
        columns = np.clip(np.arange(left, left + side, dtype=int), 0, pixels.shape[1] - 1)
        return np.asarray(pixels[rows[:, None], columns], np.uint8)
    back = to_photo.copy()
    back[:, 2] += turn @ [0.5, 0.5] - 0.5  # OpenCV counts from a pixel's center, half a pixel inside its corner
    turned = cv2.warpAffine(
        pixels, back, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(turned, np.uint8)


def corners(face: Face, factor: float = FACTOR) -> tuple[Point, ...]:
    """The four corners of the square that `crop` cuts, in the photo's pixels, clockwise from the square's top left.

    They may lie outside the photo, whose edge is repeated there.
    """
    side, to_photo = _square(face, factor)
    square = np.array([[0, 0], [side, 0], [side, side], [0, side]])
    return _points(square @ to_photo[:, :2].T + to_photo[:, 2])


def within(face: Face, factor: float = FACTOR) -> Face:
    """The same face in the pixels of the square that `crop` cuts: eyes, mouth, and the whole square as its box."""
    side, to_photo = _square(face, factor)
    # the inverse of a rotation is its transpose
    one, two, three, four = _points((np.array([*face.eyes, *face.mouth]) - to_photo[:, 2]) @ to_photo[:, :2])
    return Face((0, 0, side, side), face.confidence, (one, two), (three, four))


def _points(array: NDArray[np.float64]) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in array)


def _square(face: Face, factor: float) -> tuple[int, NDArray[np.float64]]:
    """Side of the square, and the matrix (2, 3) from its pixels (x, y) to the photo's; both count from a corner."""
    if not 0.1 <= factor <= 4:
        raise ValueError(f"The crop's factor is {factor}; it must lie between 0.1 and 4, as 1 does.")
    x, y, w, h = face.box
    side = max(1, round(factor * max(w, h)))
    cx, cy = x + w / 2, y + h / 2
    if not face.turn:
        return side, np.array([[1.0, 0.0, round(cx - side / 2)], [0.0, 1.0, round(cy - side / 2)]])
    angle = math.radians(face.turn)
    cos, sin, half = math.cos(angle), math.sin(angle), side / 2
    return side, np.array([[cos, -sin, cx - half * (cos - sin)], [sin, cos, cy - half * (sin + cos)]])


def subject(photo: Photo, face: Face, number: int) -> Photo:
    """The square round one face as a photo of its own. number: of the face in the photo, from 1."""
    name, notes = f"{photo.name or 'photo'}, face {number}", (*photo.notes, f"face {number}")
    return Photo(name, crop(photo.pixels, face), digest(photo, number), notes, photo.reduced)


def digest(photo: Photo, number: int) -> str:
    """The digest of what `subject` makes of the face of this number."""
    return f"{photo.digest}-face{number}"


def largest(boxes: Sequence[tuple[int, int, int, int]]) -> int:
    """Which of a photo's faces a class of the whole photo is about: the largest, of equals the first; not empty."""
    areas = [w * h for _, _, w, h in boxes]
    return areas.index(max(areas))


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
