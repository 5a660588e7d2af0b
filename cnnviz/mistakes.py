"""The classic mistakes between a photo and a network: each as exact arithmetic on the picture that goes in."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.data.preprocessing import Preprocessing
from cnnviz.face import FACTOR, Face, Point, crop, within
from cnnviz.images import Pixels

PATCH = 1 / 3  # side of the covering square, as a share of the input's shorter side
GREY = 128  # its level
DARKER = 0.35  # factor on every level
NOISE = 40  # levels, standard deviation
NOISE_SEED = 1
JPEG_QUALITY = 10
BLUR = 1 / 24  # standard deviation, as a share of the input's shorter side
MIDDLE = (0.5, 0.5)
WIDER = 1.4  # factor on the side of the square round a face
# how far the bands reach past eyes and mouth, as shares of the face's measure (see `band`)
BANDS = {"eyes": (0.4, 0.3), "mouth": (0.3, 0.35)}  # along the line of the two points, across it

Place = tuple[float, float]  # (y, x) of the patch's middle, as shares 0..1 of the input's height and width


@dataclass(frozen=True, slots=True)
class Mistake:
    """key: in URLs; label: on its switch; why: one line on how it comes about and why it matters."""

    key: str
    label: str
    why: str


MISTAKES = (
    Mistake(
        "bgr", "Blue and red swapped", "OpenCV reads BGR, networks learn RGB: no error appears, only worse answers."
    ),
    Mistake(
        "unscaled",
        "Not scaled",
        "Trained on levels 0 to 1, fed 0 to 255: the first layer’s products are 255 times as large.",
    ),
    Mistake(
        "squashed", "Squashed, not cropped", "Another way to fit the frame than in training makes things thin or flat."
    ),
    Mistake("mirrored", "Mirrored", "Selfie cameras mirror. Most things bear it; writing and steering wheels do not."),
    Mistake("sideways", "Sideways", "A phone notes “turned” in the file; a program that ignores the note sees this."),
    Mistake(
        "jpeg", "JPEG, quality 10", "Messengers squeeze pictures: blocks and fringes appear that no training photo had."
    ),
    Mistake("dark", "Darker", "Taken at dusk: a network that never saw dim photos takes less light for another thing."),
    Mistake("blurred", "Blurred", "Out of focus: the fine edges that first layers look for are gone."),
    Mistake("noisy", "Noisy", "High ISO: each pixel is off by chance, you hardly mind, and kernels for edges do."),
    Mistake("covered", "A patch covered", "Drag it: where the answer falls, the network was looking."),
)
KEYS = tuple(one.key for one in MISTAKES)
# a square round a face cannot be squashed into a square; it can be cut in the wrong size
OF_FACES = (
    Mistake(
        "wide", "Cut out too wide", "It learned faces that fill the frame; with more around it this one is small to it."
    ),
    Mistake(
        "sideways",
        "Sideways",
        "Turned after the face was found; in a photo that lies on its side mostly none is found.",
    ),
    Mistake(
        "eyes", "Eyes covered", "Dark glasses, or a bar for privacy: what stays of the answer came from the mouth."
    ),
    Mistake("mouth", "Mouth covered", "A mask or a hand: what stays of the answer came from eyes and brows."),
)
FACE_KEYS = tuple(one.key for one in OF_FACES if one.key not in KEYS)
# what is another mistake for a network that was trained in another way: (fit or scale) -> key, label, why
_OTHERWISE = {
    "letterbox": Mistake("squashed", "Squashed, no bars", MISTAKES[2].why),
    "stretch": Mistake("squashed", "Cropped, not squashed", "Fitted another way than in training: edges are missing."),
    "0..255": Mistake(
        "unscaled", "Scaled, against its training", "Trained on levels 0 to 255, fed 0 to 1: all is black to it."
    ),
    "-1..1": Mistake(
        "unscaled",
        "Not scaled",
        "Trained on levels −1 to 1, fed 0 to 255: far outside the range that it was trained on.",
    ),
}


def of(preprocessing: Preprocessing, faces: bool = False) -> tuple[Mistake, ...]:
    """The mistakes that can be made with this preprocessing, in their order, in words that fit it.

    faces: those of a network for faces, which squashes nothing, since what is cut out round a face is square. Colors
    cannot be swapped for a network that gets none.
    """
    other = {one.key: one for name in (preprocessing.fit, preprocessing.scale) if (one := _OTHERWISE.get(name))}
    made = MISTAKES if preprocessing.color == "rgb" else tuple(one for one in MISTAKES if one.key != "bgr")
    found = tuple(other.get(one.key, one) for one in made)
    if not faces:
        return found
    wide, lying, *covers = OF_FACES
    instead = {"squashed": wide, "sideways": lying}
    *others, covered = (instead.get(one.key, one) for one in found)
    return (*others, *covers, covered)


def picture(
    pixels: Pixels,
    preprocessing: Preprocessing,
    mistakes: Collection[str] = (),
    place: Place = MIDDLE,
    face: Face | None = None,
) -> Pixels:
    """The network's input, uint8 (height, width, channels), of a photo (H, W, 3) RGB with these mistakes made.

    face: the one in the photo that is cut out first. What concerns the photo comes first: the face cut out too wide, a
    quarter turn clockwise, mirrored, R and B swapped, fitted the wrong way. All else is done to the picture at the
    network's size, where no resizing can hide it (as in Hendrycks and Dietterich 2019): Gaussian blur, darker, noise,
    JPEG, then bands over eyes and mouth, and the patch round `place`. "unscaled" changes nothing here, see `fed`.
    KeyError for a mistake that is none, or one of FACE_KEYS without a face.
    """
    if unknown := set(mistakes) - set(KEYS) - set(() if face is None else FACE_KEYS):
        raise KeyError(", ".join(sorted(unknown)))
    pixels, face = _photo(pixels, mistakes, face)
    if "squashed" in mistakes:
        preprocessing = replace(preprocessing, fit=other_fit(preprocessing))
    made = preprocessing.picture(np.ascontiguousarray(pixels))
    if "blurred" in mistakes:
        made = _like(made, cv2.GaussianBlur(made, (0, 0), max(0.5, BLUR * min(made.shape[:2]))))
    if "dark" in mistakes:
        made = np.rint(made * DARKER).astype(np.uint8)
    if "noisy" in mistakes:
        noise = np.random.default_rng(NOISE_SEED).normal(0, NOISE, made.shape)
        made = np.clip(np.rint(made + noise), 0, 255).astype(np.uint8)
    if "jpeg" in mistakes:
        made = _jpeg(made)
    if face is not None:
        shown = _at_size(face, pixels, preprocessing)
        for part in set(BANDS) & set(mistakes):
            made[band(part, shown, made.shape[0], made.shape[1])] = GREY
    if "covered" in mistakes:
        top, left, side = patch(preprocessing, place)
        made[top : top + side, left : left + side] = GREY
    return made


def _photo(pixels: Pixels, mistakes: Collection[str], face: Face | None) -> tuple[Pixels, Face | None]:
    """What is done to the photo, before it is fitted; and the face in what came of it."""
    if face is not None:
        factor = FACTOR * (WIDER if "wide" in mistakes else 1)
        pixels, face = crop(pixels, face, factor), within(face, factor)
    if "sideways" in mistakes:
        rows = pixels.shape[0]
        pixels, face = np.rot90(pixels, -1), face and _moved(face, lambda x, y: (rows - y, x))
    if "mirrored" in mistakes:
        columns = pixels.shape[1]
        pixels, face = pixels[:, ::-1], face and _moved(face, lambda x, y: (columns - x, y))
    return pixels[..., ::-1] if "bgr" in mistakes else pixels, face


def fed(picture: Pixels, preprocessing: Preprocessing, mistakes: Collection[str] = ()) -> NDArray[np.float32]:
    """What the network is given for an input picture, float32 of the same shape: scaled, or with "unscaled" not.

    Where a network was trained on levels 0..255 as they are, the mistake is to scale them to 0..1.
    """
    if "unscaled" not in mistakes:
        return preprocessing.scaled(picture)
    levels = np.asarray(picture, np.float32)
    return levels / np.float32(255) if preprocessing.scale == "0..255" else levels


def other_fit(preprocessing: Preprocessing) -> Literal["crop", "stretch"]:
    """How another program fits the photo: it squashes, or where squashing is right, it crops."""
    return "crop" if preprocessing.fit == "stretch" else "stretch"


def patch(preprocessing: Preprocessing, place: Place) -> tuple[int, int, int]:
    """(top, left, side) of the covering square in whole pixels, inside the input, as near to `place` as can be."""
    height, width = preprocessing.height, preprocessing.width
    side = max(1, round(PATCH * min(height, width)))
    top, left = (
        min(max(round(share * size - side / 2), 0), size - side)
        for share, size in zip(place, (height, width), strict=True)
    )
    return top, left, side


def band(part: str, face: Face, height: int, width: int) -> NDArray[np.bool_]:
    """Which cells of a picture of this size a band over a part of its face covers: bool (height, width).

    part: "eyes" or "mouth". face: in the picture's pixels. The band is straight and lies along the face: its direction
    is that of the line through the eyes plus that through the corners of the mouth. It reaches past the two eyes, or
    corners, by shares (BANDS) of the face's measure: the larger of the distance of the eyes and that from their middle
    to the mouth's, since in profile the first is small, and in a bowed head the second. A cell is covered if its middle
    lies in the band.
    """
    (a, b), (c, d) = np.array(face.eyes), np.array(face.mouth)
    measure = max(np.hypot(*(b - a)), np.hypot(*((c + d) / 2 - (a + b) / 2)))
    along = (b - a) + (d - c)
    length = np.hypot(*along)
    along = along / length if length else np.array([1.0, 0.0])
    across = np.array([-along[1], along[0]])
    ends = np.array(getattr(face, part))
    rows, columns = np.mgrid[:height, :width] + 0.5
    covered = np.ones((height, width), bool)
    for axis, reach in zip((along, across), BANDS[part], strict=True):
        low, high = np.sort(ends @ axis) + np.array([-reach, reach]) * measure
        place = columns * axis[0] + rows * axis[1]
        covered &= (low <= place) & (place <= high)
    return covered


def _moved(face: Face, to: Callable[[float, float], Point]) -> Face:
    """The face with its points moved: (x, y) -> (x, y)."""
    (a, b), (c, d) = face.eyes, face.mouth
    return replace(face, eyes=(to(*a), to(*b)), mouth=(to(*c), to(*d)))


def _at_size(face: Face, pixels: Pixels, preprocessing: Preprocessing) -> Face:
    """A face in a picture's pixels -> the same in those of the network's input."""
    rows, columns = pixels.shape[:2]
    top, left, tall, wide = preprocessing.window(rows, columns)
    high, broad = preprocessing.height / tall, preprocessing.width / wide
    if preprocessing.fit == "letterbox":  # as far as the smaller side goes, the rest are bars, half on each side
        high = broad = min(high, broad)
    down = (preprocessing.height - tall * high) / 2 - top * high
    right = (preprocessing.width - wide * broad) / 2 - left * broad
    return _moved(face, lambda x, y: (x * broad + right, y * high + down))


def _jpeg(picture: Pixels) -> Pixels:
    """Through a JPEG file of JPEG_QUALITY and back; BGR for and from OpenCV."""
    color = picture.shape[2] == 3
    _, data = cv2.imencode(".jpg", picture[..., ::-1] if color else picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    return np.ascontiguousarray(decoded[..., ::-1]) if color else _like(picture, decoded)


def _like(picture: Pixels, made: Any) -> Pixels:
    """OpenCV drops the axis of a single channel."""
    return np.asarray(made, np.uint8).reshape(picture.shape)
