"""Faces found in photos: in the shipped samples, where there are none, in odd sizes, in crowds, and on known photos."""

from pathlib import Path

import cv2
import evaluate_faces as known_photos
import numpy as np
import pytest

from cnnviz.face import MOST, Face
from cnnviz.images import Pixels, decode

pytestmark = pytest.mark.keras
SAMPLES = Path(__file__).resolve().parents[1] / "sample_images"
ASTRONAUT = (
    179,
    69,
    87,
    115,
)  # x, y, width, height of the face in the sample of 512 × 512, measured by hand: hair to chin


@pytest.fixture(scope="module")
def astronaut() -> Pixels:
    return sample("astronaut.jpg")


def sample(name: str) -> Pixels:
    return decode((SAMPLES / name).read_bytes(), name).pixels


def find(pixels: Pixels) -> tuple[Face, ...]:
    from cnnviz.networks import faces  # noqa: PLC0415 - loads keras

    return faces.find(pixels)


def grey_of(pixels: Pixels) -> Pixels:
    return np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("name", "shape", "place"),
    [
        ("as it is", lambda p: p, lambda x, y: (x, y)),
        ("grey", grey_of, lambda x, y: (x, y)),
        ("mirrored", lambda p: p[:, ::-1], lambda x, y: (512 - x, y)),
        ("three times as large", lambda p: cv2.resize(p, None, fx=3, fy=3), lambda x, y: (3 * x, 3 * y)),
        (
            "a third as large",
            lambda p: cv2.resize(p, None, fx=1 / 3, fy=1 / 3, interpolation=3),
            lambda x, y: (x / 3, y / 3),
        ),
        ("in a corner", lambda p: np.pad(p, ((700, 0), (0, 900), (0, 0))), lambda x, y: (x, y + 700)),
        ("cut at the eyebrows", lambda p: p[100:], lambda x, y: (x, max(y - 100, 0))),
        ("read-only", lambda p: np.frombuffer(p.tobytes(), np.uint8).reshape(p.shape), lambda x, y: (x, y)),
    ],
)
def test_the_astronaut_is_found_where_she_is(astronaut: Pixels, name: str, shape: object, place: object) -> None:
    picture = shape(astronaut)  # type: ignore[operator]
    before = picture.copy()
    faces = find(picture)
    assert len(faces) == 1, name
    x, y, w, h = ASTRONAUT
    corners = [place(x, y), place(x + w, y + h)]  # type: ignore[operator]
    (left, right), (top, bottom) = (sorted(ends) for ends in zip(*corners, strict=True))
    face = faces[0]
    assert known_photos.iou(face.box, (left, top, right - left, bottom - top)) > 0.6
    assert 0.7 < face.confidence <= 1
    assert all(type(side) is int for side in face.box)
    # in the upper half of the box, the left one first, about level
    (x1, _), (x2, _) = face.eyes
    assert left < x1 < (left + right) / 2 < x2 < right
    assert abs(face.tilt) < 20
    assert (picture == before).all()


def test_faces_are_numbered_from_left_to_right(astronaut: Pixels) -> None:
    face = astronaut[30:230, 130:330]
    wide = np.concatenate([face, face[:, ::-1], face], axis=1)
    faces = find(wide)
    assert [face.box[0] // 200 for face in faces] == [0, 1, 2]


@pytest.mark.parametrize(("rows", "columns", "expected"), [(5, 8, 40), (6, 10, MOST)])
def test_a_class_photo(astronaut: Pixels, rows: int, columns: int, expected: int) -> None:
    face = cv2.resize(astronaut[30:230, 130:330], (150, 150), interpolation=cv2.INTER_AREA)
    faces = find(np.tile(face, (rows, columns, 1)))
    assert expected == len(faces)
    cells = {(face.box[0] // 150, face.box[1] // 150) for face in faces}
    assert len(cells) == expected
    lefts = [face.box[0] + face.box[2] / 2 for face in faces]
    assert lefts == sorted(lefts)


@pytest.mark.parametrize(
    "name", ["coffee.jpg", "cat.jpg", "bricks.jpg", "checkerboard.png", "digits.png", "retina.jpg"]
)
def test_no_face_is_seen_where_there_is_none(name: str) -> None:
    assert find(sample(name)) == ()


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 20_000), (20_000, 1), (11, 11), (12, 12), (13, 640), (640, 13), (2, 3), (19, 21)]
)
@pytest.mark.parametrize("kind", ["black", "noise"])
def test_odd_sizes(height: int, width: int, kind: str) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    if kind == "noise":
        picture[:] = np.random.default_rng(1).integers(0, 256, picture.shape)
    assert find(picture) == ()


def test_boxes_stay_inside_the_photo(astronaut: Pixels) -> None:
    """Wherever the edge cuts the face; some of these show less than half of it, and may be found or not."""
    found = 0
    for cut in range(0, 100, 12):
        for picture in (
            astronaut[60 + cut :, :],
            astronaut[:, 170 + cut :],
            astronaut[: 190 - cut],
            astronaut[:, : 275 - cut],
        ):
            for face in find(np.ascontiguousarray(picture)):
                x, y, w, h = face.box
                assert 0 <= x < x + w <= picture.shape[1]
                assert 0 <= y < y + h <= picture.shape[0]
                found += 1
    assert found > 8


@pytest.mark.packs
@pytest.mark.skipif(
    not (known_photos.PACKS / "happysad").is_dir(), reason="the data packs do not lie in ../shared/data"
)
def test_faces_of_known_photos() -> None:
    known = known_photos.known_faces(known_photos.PACKS / "happysad", 60)
    findings = [[face.box for face in find(one.pixels)] for one in known]
    found, false, count = known_photos.score(known, findings, known_photos.overlaps)
    assert found >= 0.95 * len(known)
    assert false <= 0.05 * count  # one real face that the manifest does not list is 2 % already
