"""Checks the pictures made from a seed (shapes, faces) and the digits that come with scikit-learn."""

import gzip
import importlib.util
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cnnviz.data import drawn_faces as drawn_faces_module
from cnnviz.data.dataset import DataError
from cnnviz.data.digits import digits
from cnnviz.data.drawn import WHITE, Sheet, apart, bend, drawn_shapes, luminance, oval, tint
from cnnviz.data.drawn_faces import draw_face, drawn_faces

ROOT = Path(__file__).resolve().parents[1]
BOTH = pytest.mark.parametrize("draw", [drawn_shapes, drawn_faces])
FACES = 600


def digest(picture):
    return sha256(picture.tobytes()).hexdigest()[:16]


# --- what a data set is asked for ---


@BOTH
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"number": 2}, None),
        ({"number": 20_000}, None),
        ({"number": 1}, "The number of pictures is 1; choose a whole number from 2 to 20,000 for drawn-"),
        ({"number": 20_001}, "The number of pictures is 20001; choose"),
        ({"number": -5}, "The number of pictures is -5; choose"),
        ({"number": 600.0}, "The number of pictures is 600.0; choose"),
        ({"number": "600"}, "The number of pictures is '600'; choose"),
        ({"number": True}, "The number of pictures is True; choose"),
        ({"number": None}, "The number of pictures is None; choose"),
        ({"size": 16}, None),
        ({"size": 512}, None),
        ({"size": 15}, "The size of the pictures is 15; choose a whole number from 16 to 512 for drawn-"),
        ({"size": 513}, "The size of the pictures is 513; choose"),
        ({"seed": 2**32 - 1}, None),
        ({"seed": -1}, "The seed is -1; choose a whole number from 0 to 4,294,967,295 for drawn-"),
        ({"seed": True}, "The seed is True; choose"),
        ({"seed": 2**32}, "The seed is 4294967296; choose"),
        ({"seed": "x" * 999}, "The seed is 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; choose"),
    ],
)
def test_bounds(draw, asked, expected):
    if expected is None:
        drawn = draw(**asked)
        size = asked.get("size", 64)
        assert len(drawn) == asked.get("number", 1200)
        for index in (0, len(drawn) - 1):
            picture = drawn.pixels(index)
            assert (picture.shape, picture.dtype) == ((size, size, 3), np.uint8)
            assert picture.flags.c_contiguous
        return
    with pytest.raises(DataError) as raised:
        draw(**asked)
    assert str(raised.value).startswith(expected)
    assert str(raised.value).endswith((f"for {draw.__name__.replace('_', '-')}.",))


@pytest.mark.parametrize(
    ("draw", "number", "name", "labels", "counts"),
    [
        (drawn_shapes, 1200, "drawn-shapes", ("circle", "square", "triangle", "star", "cross"), [240] * 5),
        (drawn_shapes, 13, "drawn-shapes", ("circle", "square", "triangle", "star", "cross"), [3, 3, 3, 2, 2]),
        (drawn_faces, 1200, "drawn-faces", ("happy", "sad"), [600] * 2),
        (drawn_faces, 7, "drawn-faces", ("happy", "sad"), [4, 3]),
    ],
)
def test_classes_are_equally_large_and_names_unique(draw, number, name, labels, counts):
    drawn = draw(number)
    assert (drawn.name, drawn.labels, drawn.data) == (name, labels, None)
    assert np.bincount([entry.label for entry in drawn.entries]).tolist() == counts
    assert len({entry.name for entry in drawn.entries}) == number
    assert {entry.split for entry in drawn.entries} == {""}
    assert all(entry.name.split("/")[0] == labels[entry.label] for entry in drawn.entries)


# --- the same picture each time ---


@BOTH
def test_a_picture_depends_on_seed_and_index_alone(draw):
    drawn, longer, other = draw(40, seed=5), draw(2000, seed=5), draw(40, seed=15)
    forwards = [digest(drawn.pixels(index)) for index in range(40)]
    assert [digest(longer.pixels(index)) for index in reversed(range(40))] == forwards[::-1]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda index: digest(drawn.pixels(index % 40)), range(160))) == forwards * 4
    assert len({*forwards, *(digest(other.pixels(index)) for index in range(40))}) == 80


@BOTH
def test_a_picture_is_not_changed_through_one_that_was_given_out(draw):
    drawn = draw(2)
    before = digest(drawn.pixels(1))
    drawn.pixels(1)[:] = 0
    assert digest(drawn.pixels(1)) == before


@BOTH
def test_a_larger_picture_shows_the_same_scene(draw):
    small, large = (draw(30, size=size) for size in (32, 128))
    small = np.stack([small.pixels(index) for index in range(30)]).astype(int)
    for index in range(30):
        averaged = large.pixels(index).reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
        differences = np.abs(small - averaged).mean(axis=(1, 2, 3))
        assert differences.argmin() == index
        assert differences[index] < 16  # levels, mostly noise


def test_drawing_loads_nothing_large():
    program = (
        "import sys; from cnnviz.data.drawn_faces import drawn_faces; from cnnviz.data.digits import digits;"
        "drawn_faces().pixels(0); digits().pixels(0);"
        "print([name for name in ('sklearn', 'scipy', 'keras', 'tensorflow', 'streamlit') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


# --- what is in the pictures ---


@BOTH
def test_no_picture_is_nearly_another(draw):
    drawn = draw(200, seed=1)
    thumbnails = [drawn.pixels(index).reshape(16, 4, 16, 4, 3).mean(axis=(1, 3)) for index in range(200)]
    flat = np.reshape(thumbnails, (200, -1)) / 255
    both = np.concatenate([flat, np.reshape([picture[:, ::-1] for picture in thumbnails], (200, -1)) / 255])
    squares = (both**2).sum(axis=1)
    distances = np.sqrt((squares[:200, None] + squares - 2 * flat @ both.T).clip(0) / flat.shape[1])
    distances[np.arange(200), np.arange(200)] = distances[np.arange(200), np.arange(200) + 200] = 1
    assert distances.min() > 0.03  # root mean square; noise of the same scene drawn twice is below 0.015


def three_numbers(picture):
    """Mean brightness, mean chroma, contrast."""
    brightness = picture @ np.array([0.299, 0.587, 0.114])
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    chroma = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return brightness.mean(), chroma.mean(), brightness.std()


def test_brightness_chroma_and_contrast_do_not_give_the_mood_away():
    drawn = drawn_faces(FACES, seed=3)
    labels = np.array([entry.label for entry in drawn.entries])
    numbers = np.array([three_numbers(drawn.pixels(index)) for index in range(FACES)])
    numbers = np.column_stack([(numbers - numbers.mean(axis=0)) / numbers.std(axis=0), np.ones(FACES)])
    half = FACES // 2
    # least squares on happy = 1, sad = -1: Fisher's linear discriminant
    weights = np.linalg.lstsq(numbers[:half], 1 - 2.0 * labels[:half], rcond=None)[0]
    right = np.mean((numbers[half:] @ weights > 0) == (labels[half:] == 0))
    # five-nearest-neighbor vote, which sees more than lines
    distances = ((numbers[half:, None, :3] - numbers[None, :half, :3]) ** 2).sum(axis=-1)
    votes = labels[:half][np.argsort(distances, axis=1)[:, :5]].mean(axis=1) > 0.5
    for accuracy in (right, np.mean(votes == labels[half:])):
        assert abs(accuracy - 0.5) < 0.087  # three standard errors of 300 coin tosses


def test_the_other_mood_changes_mouth_brows_and_eyes_only():
    differences, touched = [], []
    for index in range(150):
        happy, sad = (draw_face(np.random.default_rng((4, index)), label, 64) for label in (0, 1))
        touched.append((happy != sad).any(axis=2))
        differences.append(np.subtract(three_numbers(happy), three_numbers(sad)))
    touched = np.array(touched)
    assert touched.any(axis=(1, 2)).all()
    assert touched.mean(axis=(1, 2)).max() < 0.15  # of the picture
    assert not touched[:, :, :6].any()
    assert not touched[:, :, -6:].any()
    assert not touched[:, -6:].any()
    assert (np.abs(np.mean(differences, axis=0)) < 0.2).all()  # levels


def test_happy_mouths_turn_up_and_sad_ones_down(monkeypatch):
    draw_mouth = drawn_faces_module._mouth

    def elsewhere(mood, strength, person, ground):
        draw_mouth(mood, strength, replace(person, sheet=Sheet(16, ground)), ground)

    for index in range(60):
        label = index % 2
        whole = draw_face(np.random.default_rng((2, index)), label, 96).astype(int)
        monkeypatch.setattr(drawn_faces_module, "_mouth", elsewhere)
        without = draw_face(np.random.default_rng((2, index)), label, 96)
        monkeypatch.undo()
        y, x = np.nonzero(np.abs(whole - without).sum(axis=2) > 20)
        assert len(y) > 20
        # a parabola through the mouth: y points down, so that a happy one's opens against y
        curvature = np.polyfit((x - x.mean()) / x.std(), y, 2)[0]
        assert curvature < -0.1 if label == 0 else curvature > 0.1


def recognized(picture):
    """The shape's name from its outline alone: the figure that it fills, else the number of its notches."""
    grey = cv2.medianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 5).astype(int)
    ground = np.median(grey[[0, 0, -1, -1], [0, -1, 0, -1]])
    mask = (np.abs(grey - ground) > 40).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    area = cv2.contourArea(outline)
    notches = cv2.convexityDefects(outline, cv2.convexHull(outline, returnPoints=False))
    deep = sum(depth / 256 > 0.08 * area**0.5 for depth in notches[:, 0, 3])
    if deep:
        return "cross" if deep == 4 else "star" if 5 <= deep <= 7 else "?"
    filled = {
        "circle": np.pi * cv2.minEnclosingCircle(outline)[1] ** 2,
        "square": np.prod(cv2.minAreaRect(outline)[1]),
        "triangle": cv2.minEnclosingTriangle(outline)[0],
    }
    return min(filled, key=lambda name: filled[name])


def test_shapes_are_what_their_label_says():
    drawn = drawn_shapes(150, seed=9, size=160)
    right = [recognized(drawn.pixels(i)) == drawn.labels[entry.label] for i, entry in enumerate(drawn.entries)]
    by_class = np.reshape(right, (30, 5)).mean(axis=0)
    assert (by_class > 0.9).all(), by_class


# --- the sheet ---


def plain(size, color, draw=None, **finish):
    sheet = Sheet(size, color)
    if draw:
        draw(sheet)
    return sheet.finished(np.random.default_rng(0), **({"light": 0, "noise": 0} | finish))


def test_an_empty_sheet_is_its_color():
    assert (plain(16, (10, 200, 30)) == (10, 200, 30)).all()


@pytest.mark.parametrize("size", [16, 64])
def test_areas_are_right(size):
    disc = plain(size, (0, 0, 0), lambda sheet: sheet.fill(oval(0, 0, 0.8, 0.5), WHITE))
    # pi a b of a sheet that is two units wide
    assert disc.mean() / 255 == pytest.approx(np.pi * 0.8 * 0.5 / 4, rel=0.02 if size == 64 else 0.08)
    assert np.abs(disc.astype(int) - disc[::-1]).max() <= 64
    assert disc[0].max() == 0


@pytest.mark.parametrize(
    ("turn", "mirrored", "row", "column"),
    [(0, False, 8, 12), (np.pi / 2, False, 12, 8), (np.pi, False, 8, 4), (0, True, 8, 4), (np.pi / 2, True, 4, 8)],
)
def test_what_is_right_of_the_middle_is_turned_clockwise_and_mirrored_before(turn, mirrored, row, column):
    def draw(sheet):
        sheet.place(0.53125, 0.53125, 0.25, turn, mirrored)  # the middle of pixel (8, 8)
        sheet.fill(oval(1, 0, 0.3, 0.3), WHITE)

    picture = plain(16, (0, 0, 0), draw)[..., 0]
    assert np.unravel_index(picture.argmax(), picture.shape) == (row, column)


def test_light_and_noise_keep_within_their_bounds():
    ground = (100, 100, 100)
    noisy, lit = plain(64, ground, noise=9).astype(int), plain(64, ground, light=0.3).astype(int)
    assert (noisy.min(), noisy.max()) == (91, 109)
    assert noisy.mean() == pytest.approx(100, abs=0.3)
    assert 70 <= lit.min() < 80
    assert 120 < lit.max() <= 130
    assert np.abs(np.diff(lit, axis=0)).max() <= 2


def test_curves_pass_through_their_ends_and_halfway_to_the_pull():
    points = bend((0, 0), (1, 2), (2, 0), (3, -2), (4, 0))
    for point in ((0, 0), (1, 1), (2, 0), (3, -1), (4, 0)):
        assert np.abs(points - point).sum(axis=1).min() < 1e-9


@pytest.mark.parametrize("least", [20, 45, 100])
def test_colors_are_moved_apart(least):
    random = np.random.default_rng(0)
    for _ in range(500):
        color, ground = tint(*random.random(3)), tint(*random.random(3))
        moved = apart(color, ground, least)
        assert 0 <= min(moved) <= max(moved) <= 255
        assert abs(luminance(moved) - luminance(ground)) > least - 1
        if abs(luminance(color) - luminance(ground)) >= least:
            assert moved == color


# --- digits ---


def test_digits_are_those_of_scikit_learn():
    found = digits()
    assert (found.name, found.labels, len(found)) == ("digits", tuple("0123456789"), 1797)
    # counts of the test part as its publisher lists them
    assert np.bincount([entry.label for entry in found.entries]).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip
    first = found.pixels(0)
    assert (first.shape, first.dtype) == ((32, 32, 3), np.uint8)
    assert found.entries[0].name == "0/0000"
    # the first two rows of the file's first line, 0,0,5,13,9,1,0,0 and 0,0,13,15,10,15,5,0, times 255 / 16
    np.testing.assert_array_equal(first[0, ::4, 1], [0, 0, 80, 207, 143, 16, 0, 0])
    np.testing.assert_array_equal(first[7, 3::4, 2], [0, 0, 207, 239, 159, 239, 80, 0])
    everything = np.stack([found.pixels(index) for index in range(len(found))])
    assert len(np.unique(everything)) == 17
    assert everything.max() == 255
    blocks = everything.reshape(-1, 8, 4, 8, 4, 3)
    assert (blocks == blocks[:, :, :1, :, :1, :1]).all()


GOOD = ",".join(["7"] * 64 + ["3"])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "The digits come with scikit-learn, which is not installed here: run `pip install scikit-learn`, or"),
        (b"", "scikit-learn's digits are not as expected (1,797 lines of 64 levels and a digit in "),
        (b"no gzip", "scikit-learn's digits are not as expected"),
        (gzip.compress(b"\n".join([GOOD.encode()] * 1797))[:-40], "scikit-learn's digits are not as expected"),
        (gzip.compress(b"\n".join([GOOD.encode()] * 1796)), "scikit-learn's digits are not as expected"),
        (gzip.compress(b"\n".join([b"8" + GOOD.encode()] * 1797)), "scikit-learn's digits are not as expected"),
        (gzip.compress(b"\n".join([b"-" + GOOD.encode()] * 1797)), "scikit-learn's digits are not as expected"),
        (gzip.compress(b"\n".join([GOOD[:-1].encode() + b"10"] * 1797)), "scikit-learn's digits are not as expected"),
        (gzip.compress(b"\n".join([GOOD[:-1].encode() + b"x"] * 1797)), "scikit-learn's digits are not as expected"),
        (gzip.compress(b"\n".join([GOOD.encode()] * 1797)), ""),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_missing_and_damaged_digits(data, sentence, tmp_path, monkeypatch):
    place = tmp_path / "sklearn" / "__init__.py"
    file = place.parent / "datasets" / "data" / "digits.csv.gz"
    file.parent.mkdir(parents=True)
    if data is not None:
        file.write_bytes(data)
    found = None if data is None else SimpleNamespace(origin=str(place))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: found)
    if not sentence:
        assert len(digits()) == 1797
        return
    with pytest.raises(DataError) as raised:
        digits()
    assert str(raised.value).startswith(sentence)
    assert str(raised.value).endswith("or choose another data set.")
