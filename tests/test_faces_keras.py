"""Faces found in photos: in the shipped samples, where there are none, in odd sizes, in crowds, and on known photos."""

import subprocess
import sys
from pathlib import Path

import cv2
import evaluate_faces as known_photos
import numpy as np
import pytest

from cnnviz.face import MOST, OFF, Face, reduced
from cnnviz.images import Pixels, decode
from cnnviz.networks import NetworkError

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


def find(pixels: Pixels, size: tuple[int, int] | None = None) -> tuple[Face, ...]:
    from cnnviz.networks import faces  # noqa: PLC0415 - loads keras

    return faces.find(pixels, size)


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
    (x1, y1), (x2, y2) = face.eyes
    assert left < x1 < (left + right) / 2 < x2 < right
    assert abs(y2 - y1) < 0.36 * (x2 - x1)  # 20 degrees
    # about as far below the eyes as these are apart, its corners in their order
    (left_corner, y3), (right_corner, y4) = face.mouth
    assert left < left_corner < right_corner < right
    assert 0.7 < ((y3 + y4) / 2 - (y1 + y2) / 2) / (x2 - x1) < 1.5
    assert (y4 - y3) / (right_corner - left_corner) == pytest.approx((y2 - y1) / (x2 - x1), abs=0.25)
    assert (picture == before).all()


@pytest.mark.parametrize(("height", "width"), [(1600, 1600), (1599, 1130), (1200, 1600), (641, 641), (512, 512)])
def test_a_reduced_picture_gives_the_faces_of_the_whole_photo(astronaut: Pixels, height: int, width: int) -> None:
    """What the engine is sent is the small picture, and its answer is in pixels of the large one."""
    photo = cv2.resize(astronaut, (width, height))
    (whole,), (sent,) = find(photo), find(reduced(photo), (height, width))
    assert known_photos.iou(whole.box, sent.box) > 0.98
    assert sent.box[0] / width == pytest.approx(ASTRONAUT[0] / 512, abs=0.02)
    assert sent.box[1] / height == pytest.approx(ASTRONAUT[1] / 512, abs=0.03)
    np.testing.assert_allclose(whole.eyes + whole.mouth, sent.eyes + sent.mouth, atol=2)


@pytest.mark.parametrize(("height", "width"), [(999, 1600), (1001, 1600), (1600, 999), (1003, 1007)])
def test_boxes_of_a_reduced_picture_stay_inside_the_photo(astronaut: Pixels, height: int, width: int) -> None:
    photo = cv2.resize(astronaut[60:190, 170:275], (width, height))  # the face fills it
    faces = find(reduced(photo), (height, width))
    for x, y, w, h in [face.box for face in faces]:
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height
    assert faces


def test_the_finder_refuses_where_faces_are_switched_off(astronaut: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNVIZ_FACES", "off")
    with pytest.raises(NetworkError) as refused:
        find(astronaut)
    assert str(refused.value) == OFF


def test_a_warm_finder_compiles_nothing_for_the_first_photo() -> None:
    """Each part is warmed in a question of its own; after them a first photo takes as long as a second one."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from cnnviz.images import decode\n"
        "from cnnviz.networks import faces\n"
        "photo = decode(Path(sys.argv[1]).read_bytes(), '').pixels\n"
        "for number in range(3): faces.warm(number)\n"
        "for _ in range(2):\n"
        "    started = time.process_time()\n"
        "    assert len(faces.find(photo)) == 1\n"
        "    print(time.process_time() - started)\n"
    )
    command = [sys.executable, "-c", script, str(SAMPLES / "astronaut.jpg")]
    done = subprocess.run(command, cwd=SAMPLES.parent, capture_output=True, text=True, check=True)
    first, second = map(float, done.stdout.split())
    assert first < 3 * second + 0.2  # to compile one network takes a half second and more


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
