"""Squares cut round faces, worked out by hand on pictures whose every pixel says where it lies; and the switch."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from cnnviz.face import LONG_SIDE, Face, allowed, crop, reduced, subject
from cnnviz.images import Photo

HEIGHT, WIDTH = 40, 60
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype(np.uint8)
MAP = np.stack([ROWS, COLUMNS, np.zeros_like(ROWS)], axis=2)  # the pixel at (y, x) holds y, x, 0
EYES = ((20.0, 14.0), (28.0, 14.0))
MOUTH = ((21.0, 19.0), (27.0, 19.0))


Eyes = tuple[tuple[float, float], tuple[float, float]]


def face(*box: int, eyes: Eyes = EYES) -> Face:
    return Face((box[0], box[1], box[2], box[3]), 0.9, eyes, MOUTH)


@pytest.mark.parametrize(
    ("box", "factor", "side", "top", "left"),
    [
        ((20, 10, 8, 12), 1.0, 12, 10, 18),  # longer side 12, center (24, 16)
        ((20, 10, 12, 8), 1.0, 12, 8, 20),
        ((20, 10, 8, 12), 1.5, 18, 7, 15),
        ((20, 10, 8, 12), 0.5, 6, 13, 21),
        ((0, 0, 10, 10), 2.0, 20, -5, -5),  # over the corner at the top left
        ((50, 30, 10, 10), 2.0, 20, 25, 45),  # over the one at the bottom right
        ((0, 0, 60, 40), 1.0, 60, -10, 0),
        ((5, 5, 1, 1), 0.1, 1, 5, 5),
    ],
)
@pytest.mark.parametrize("eyes", [EYES, ((20.0, 14.0), (28.0, 16.8))])  # level, and tilted by 19.3 degrees
def test_the_square_round_a_face(
    box: tuple[int, int, int, int], factor: float, side: int, top: int, left: int, eyes: Eyes
) -> None:
    cut = crop(MAP, face(*box, eyes=eyes), factor)
    assert cut.shape == (side, side, 3)
    assert cut.dtype == np.uint8
    rows, columns = np.mgrid[top : top + side, left : left + side]
    assert (cut[..., 0] == rows.clip(0, HEIGHT - 1)).all()  # what lies outside repeats the edge
    assert (cut[..., 1] == columns.clip(0, WIDTH - 1)).all()


@pytest.mark.parametrize("degrees", [-40, -21, 30, 90, 180])
def test_strongly_tilted_eyes_come_to_lie_on_one_line(degrees: float) -> None:
    """Two dots at the eyes of a tilted face come to lie level, at the same distance, left and right of the middle."""
    picture = np.zeros((101, 101, 3), np.uint8)
    turn = math.radians(degrees)
    ends = [
        (50.5 - 20 * math.cos(turn), 50.5 - 20 * math.sin(turn)),
        (50.5 + 20 * math.cos(turn), 50.5 + 20 * math.sin(turn)),
    ]
    for (x, y), channel in zip(ends, (0, 1), strict=True):
        picture[round(y - 2.5) : round(y + 2.5), round(x - 2.5) : round(x + 2.5), channel] = 255
    tilted = Face((20, 20, 61, 61), 0.9, (ends[0], ends[1]), (ends[0], ends[1]))
    assert tilted.turn == pytest.approx(degrees)
    cut = crop(picture, tilted)
    assert cut.shape == (61, 61, 3)
    for channel, x in ((0, 10.0), (1, 50.0)):  # middle 30, 20 to either side; in pixels, whose centers are whole
        weights = cut[..., channel].astype(float)
        ys, xs = np.mgrid[:61, :61]
        assert (weights * ys).sum() / weights.sum() == pytest.approx(30, abs=0.7)
        assert (weights * xs).sum() / weights.sum() == pytest.approx(x, abs=0.7)


@pytest.mark.parametrize(
    ("eyes", "mouth", "turn"),
    [
        (((10, 20), (30, 20)), ((12, 40), (28, 40)), 0),
        (((10, 20), (30, 30)), ((8, 40), (24, 48)), 26.565),  # 20 + 16 to the right, 10 + 8 down
        (((10, 20), (30, 20)), ((8, 40), (20, 56)), 26.565),  # 20 + 12 and 0 + 16
        (((10, 20), (30, 20)), ((8, 40), (24, 50)), 0),  # 36 and 10 are 15.5 degrees
        (((10, 20), (14, 23)), ((11, 40), (14, 42)), 0),  # seen from the side: 7 and 5 are short of .3 · 60
    ],
)
def test_a_face_is_turned_where_eyes_and_mouth_together_are_tilted(eyes: Eyes, mouth: Eyes, turn: float) -> None:
    assert Face((0, 0, 50, 60), 0.9, eyes, mouth).turn == pytest.approx(turn, abs=0.001)


@pytest.mark.parametrize("factor", [0, -1, 0.05, 5, math.nan, math.inf])
def test_a_factor_that_makes_no_square(factor: float) -> None:
    with pytest.raises(ValueError, match=r"The crop's factor is .*; it must lie between 0.1 and 4"):
        crop(MAP, face(20, 10, 8, 12), factor)


def test_the_photo_stays_as_it_is() -> None:
    picture = MAP.copy()
    picture.flags.writeable = False
    for low in (14, 23):
        cut = crop(picture, face(20, 10, 8, 12, eyes=((20, 14), (28, low))))
        cut[:] = 0
    assert (picture == MAP).all()
    with pytest.raises(FrozenInstanceError):
        face(0, 0, 1, 1).confidence = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("height", "width", "small"),
    [
        (40, 60, (40, 60)),
        (640, 1, (640, 1)),
        (1600, 1200, (640, 480)),
        (480, 1280, (240, 640)),
        (1, 1600, (1, 640)),  # sides stay at least 1
        (1600, 1, (640, 1)),
        (641, 641, (640, 640)),
    ],
)
def test_what_the_finder_is_shown_has_at_most_its_long_side(height: int, width: int, small: tuple[int, int]) -> None:
    picture = np.full((height, width, 3), 200, np.uint8)
    shown = reduced(picture)
    assert shown.shape == (*small, 3)
    assert max(shown.shape) <= LONG_SIDE
    assert (shown == 200).all()
    assert shown.flags.c_contiguous


def test_a_reduced_pixel_is_the_mean_of_those_it_stands_for() -> None:
    picture = np.zeros((2, 2 * LONG_SIDE, 3), np.uint8)
    picture[0, ::2] = 100  # one pixel of each four
    assert (reduced(picture) == 25).all()


def test_a_face_is_a_photo_of_its_own() -> None:
    photo = Photo("group.jpg", MAP, "ab" * 16, ("turned upright",))
    one, two = subject(photo, face(20, 10, 8, 12), 1), subject(photo, face(40, 10, 8, 8), 2)
    assert (one.name, two.name) == ("group.jpg, face 1", "group.jpg, face 2")
    assert len({photo.digest, one.digest, two.digest}) == 3  # or caches would give one the other's answers
    assert (one.pixels == crop(MAP, face(20, 10, 8, 12))).all()
    assert two.pixels.shape == (8, 8, 3)
    assert subject(Photo("", MAP, "00", ()), face(20, 10, 8, 8), 3).name == "photo, face 3"


@pytest.mark.parametrize(
    ("address", "said", "expected"),
    [
        ("127.0.0.1", None, True),
        ("127.0.0.2", None, True),
        ("localhost", None, True),
        ("LOCALHOST", None, True),
        ("::1", None, True),
        ("[::1]", None, True),
        ("", None, False),  # Streamlit's default: every interface
        ("0.0.0.0", None, False),
        ("::", None, False),
        ("192.168.1.7", None, False),
        ("lab.example.org", None, False),
        ("127.0.0.1.example.org", None, False),
        ("127.0.0.1", "off", False),
        ("127.0.0.1", " OFF ", False),
        ("127.0.0.1", "", True),  # set to nothing: as if not set
        ("127.0.0.1", "no", False),  # what is not understood takes faces away
        ("127.0.0.1", "0", False),
        ("0.0.0.0", "on", True),
        ("", "On", True),
        ("0.0.0.0", "1", False),
        ("0.0.0.0", "off", False),
    ],
)
def test_where_faces_are_allowed(address: str, said: str | None, expected: bool) -> None:
    environ = {"OTHER": "on"} if said is None else {"CNNVIZ_FACES": said}
    assert allowed(address, environ) is expected
