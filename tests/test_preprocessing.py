"""Preprocessing: from pictures of every kind to the numbers of a network's input, checked by hand."""

import io
import itertools
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cnnviz.data.preprocessing import MAX_SIDE, Preprocessing
from cnnviz.images import Pixels, decode

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
COLORS, FITS, SCALES = ("rgb", "grey"), ("crop", "letterbox", "stretch"), ("0..1", "-1..1", "0..255")
LIMITS = {"0..1": (0, 1), "-1..1": (-1, 1), "0..255": (0, 255)}


def plain(color: tuple[int, int, int], height: int = 6, width: int = 6) -> Pixels:
    return np.full((height, width, 3), color, np.uint8)


def stripes(*colors: tuple[int, int, int], height: int = 1, width: int = 1) -> Pixels:
    """Upright stripes side by side, each of this size."""
    return np.hstack([plain(color, height, width) for color in colors])


def from_file(image: Image.Image, kind: str = "PNG", **options: Any) -> Pixels:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return decode(file.getvalue()).pixels


# ---------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("color", "level"),
    [
        # 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded
        (RED, 76),
        (GREEN, 150),
        (BLUE, 29),
        (WHITE, 255),
        (BLACK, 0),
        ((10, 20, 30), 18),
        ((200, 100, 50), 124),
        ((1, 1, 1), 1),
        ((123, 123, 123), 123),
    ],
)
def test_grey_is_the_luminance(color: tuple[int, int, int], level: int) -> None:
    assert round(0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]) == level
    picture = Preprocessing(4, 5, "grey").picture(plain(color))
    assert picture.shape == (4, 5, 1)
    assert (picture == level).all()


@pytest.mark.parametrize(
    ("scale", "low", "middle", "high"),
    [("0..1", 0.0, 0.2, 1.0), ("-1..1", -1.0, -0.6, 1.0), ("0..255", 0.0, 51.0, 255.0)],
)
def test_levels_become_the_range_of_the_scale(scale: Any, low: float, middle: float, high: float) -> None:
    made = Preprocessing(1, 3, scale=scale, fit="stretch")(stripes(BLACK, (51, 51, 51), WHITE))
    assert made.dtype == np.float32
    assert made[0, :, 0].tolist() == pytest.approx([low, middle, high], abs=1e-7)
    assert (made[0, 0, 0], made[0, 2, 0]) == (low, high)  # the ends exactly


@pytest.mark.parametrize("scale", SCALES)
def test_batches_are_scaled_like_single_pictures_and_fractions_are_kept(scale: Any) -> None:
    preprocessing = Preprocessing(2, 2, scale=scale)
    levels = np.random.default_rng(0).integers(0, 256, (5, 2, 2, 3), dtype=np.uint8)
    batch = preprocessing.scaled(levels)
    assert batch.dtype == np.float32
    assert (batch == np.stack([preprocessing(picture) for picture in levels])).all()
    assert preprocessing.scaled(np.float32([0.5, 1.0]))[0] != preprocessing.scaled(np.float32([0.0, 1.0]))[0]


def test_red_stays_the_first_channel() -> None:
    made = Preprocessing(3, 3)(plain(RED, 50, 70))
    assert (made == np.float32([1, 0, 0])).all()
    made = Preprocessing(3, 3, scale="-1..1")(from_file(Image.new("RGB", (9, 9), RED)))
    assert (made == np.float32([1, -1, -1])).all()


# ---------------------------------------------------------------------- pictures as people have them


def test_a_photo_held_sideways_arrives_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side: its top is at the right
    lying = Image.fromarray(np.vstack([plain(RED, 40, 80), plain(BLUE, 40, 80)]))
    file = io.BytesIO()
    lying.save(file, "JPEG", exif=exif.tobytes(), quality=95, subsampling=0)
    made = Preprocessing(8, 4, scale="0..255")(decode(file.getvalue()).pixels)
    assert np.abs(made[:, 0] - BLUE).max() < 8
    assert np.abs(made[:, 3] - RED).max() < 8


def test_see_through_parts_are_white() -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 4, 8))
    made = Preprocessing(2, 2, scale="0..255")(from_file(image))
    assert made.tolist() == [[[0, 0, 255], [255, 255, 255]]] * 2
    assert Preprocessing(2, 2, "grey", scale="0..255")(from_file(image))[0, :, 0].tolist() == [29, 255]


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ("crop", [[GREEN, GREEN], [GREEN, GREEN]]),
        ("stretch", [[RED, GREEN, BLUE]] * 3),
        ("letterbox", [[BLACK] * 3, [RED, GREEN, BLUE], [BLACK] * 3]),
    ],
)
def test_a_very_wide_picture(fit: Any, expected: list[Any]) -> None:
    side = len(expected)
    wide = stripes(RED, GREEN, BLUE, height=2, width=500)
    made = Preprocessing(side, side, fit=fit, scale="0..255")(wide)
    assert made.tolist() == np.float32(expected).tolist()
    # the same, upright
    made = Preprocessing(side, side, fit=fit, scale="0..255")(wide.swapaxes(0, 1))
    assert made.swapaxes(0, 1).tolist() == np.float32(expected).tolist()


def test_one_pixel_fills_any_input() -> None:
    for fit in FITS:
        made = Preprocessing(7, 7, fit=fit)(plain((51, 102, 255), 1, 1))
        assert np.abs(made - np.float32([0.2, 0.4, 1])).max() < 1e-6


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 9), (1, 1600), (1600, 1), (3, 2), (1, 1), (1601, 1599), (2, 3)],
)
@pytest.mark.parametrize("shape", [(1, 1), (64, 64), (5, 300), (300, 5), (512, 1)])
def test_any_picture_fits_any_input(height: int, width: int, shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture.setflags(write=False)
    for color, fit, scale in itertools.product(COLORS, FITS, SCALES):
        preprocessing = Preprocessing(*shape, color, fit, scale)  # type: ignore[arg-type]
        made = preprocessing(picture)
        assert made.shape == preprocessing.shape == (*shape, 1 if color == "grey" else 3)
        assert made.dtype == np.float32
        assert made.flags.c_contiguous
        low, high = LIMITS[scale]
        assert made.min() >= low
        assert made.max() <= high


# ---------------------------------------------------------------------- fitting


@pytest.mark.parametrize(
    ("size", "shape", "rows", "columns"),
    [
        # of a picture of this size (height, width), the middle part that is kept
        ((4, 8), (2, 2), (0, 4), (2, 6)),
        ((8, 4), (2, 2), (2, 6), (0, 4)),
        ((6, 6), (3, 3), (0, 6), (0, 6)),
        ((4, 12), (1, 2), (0, 4), (2, 10)),
        ((12, 4), (3, 1), (0, 12), (0, 4)),
        ((5, 8), (5, 5), (0, 5), (1, 6)),
    ],
)
def test_crop_keeps_the_middle(
    size: tuple[int, int], shape: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    picture = plain(BLACK, *size)
    picture[slice(*rows), slice(*columns)] = 200
    assert (Preprocessing(*shape, scale="0..255")(picture) == 200).all()
    # one pixel more at any side would show
    outside = plain(WHITE, *size)
    outside[slice(*rows), slice(*columns)] = 0
    assert Preprocessing(*shape, scale="0..255")(outside).max() == 0


def test_crop_takes_the_center_and_not_a_corner() -> None:
    picture = stripes(RED, RED, GREEN, GREEN, BLUE, BLUE, height=2)
    assert (Preprocessing(2, 2, scale="0..255")(picture) == GREEN).all()


@pytest.mark.parametrize(
    ("size", "shape", "top", "left", "tall", "wide"),
    [
        ((4, 8), (8, 8), 2, 0, 4, 8),
        ((8, 4), (8, 8), 0, 2, 8, 4),
        ((2, 8), (4, 4), 1, 0, 1, 4),
        ((1, 1), (3, 9), 0, 3, 3, 3),
        ((1, 1600), (16, 16), 7, 0, 1, 16),
        ((5, 5), (5, 5), 0, 0, 5, 5),
        ((2, 2), (5, 2), 1, 0, 2, 2),
    ],
)
def test_letterbox_adds_black_bars_and_loses_nothing(
    size: tuple[int, int], shape: tuple[int, int], top: int, left: int, tall: int, wide: int
) -> None:
    expected = plain(BLACK, *shape)
    expected[top : top + tall, left : left + wide] = 255
    made = Preprocessing(*shape, fit="letterbox", scale="0..255")(plain(WHITE, *size))
    assert (made == expected).all()
    made = Preprocessing(*shape, "grey", "letterbox", "-1..1")(plain(WHITE, *size))
    assert (made[..., 0] == np.where(expected[..., 0], 1, -1)).all()


def test_a_picture_shrinks_by_averaging_areas() -> None:
    board: NDArray[Any] = np.indices((8, 8)).sum(0) % 2 * 200
    made = Preprocessing(4, 4, scale="0..255")(np.dstack([board] * 3).astype(np.uint8))
    assert (made == 100).all()


def test_a_picture_of_the_right_size_is_left_as_it_is_and_not_shared() -> None:
    picture = np.random.default_rng(2).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    for fit in FITS:
        made = Preprocessing(5, 4, fit=fit).picture(picture)
        assert (made == picture).all()
        before = picture.copy()
        made[:] = 0  # as augmentation may do
        assert (picture == before).all()


# ---------------------------------------------------------------------- as text


@pytest.mark.parametrize(("color", "fit", "scale"), list(itertools.product(COLORS, FITS, SCALES)))
def test_what_is_written_is_read_again(color: Any, fit: Any, scale: Any) -> None:
    preprocessing = Preprocessing(48, 512, color, fit, scale)
    fields = json.loads(json.dumps(preprocessing.to_json()))
    assert fields == {"height": 48, "width": 512, "color": color, "fit": fit, "scale": scale}
    assert Preprocessing.from_json(fields) == preprocessing


def test_what_older_files_lack_has_its_usual_value() -> None:
    assert Preprocessing.from_json({"height": 8, "width": 9}) == Preprocessing(8, 9, "rgb", "crop", "0..1")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (None, "expected height, width"),
        ([], "expected height, width"),
        ("rgb", "expected height, width"),
        ({}, "expected height, width"),
        ({"height": 8}, "expected height, width"),
        ({"height": 8, "width": 8, "depth": 8}, "expected height, width"),
        ({"height": 8, "width": 8, 3: 8}, "expected height, width"),
        ({"height": "8" * 10_000}, "expected height, width"),
        ({"height": 0, "width": 8}, f"height is 0; it must be a whole number from 1 to {MAX_SIDE}"),
        ({"height": -1, "width": 8}, "height is -1"),
        ({"height": 8, "width": 513}, "width is 513"),
        ({"height": 8.0, "width": 8}, "height is 8.0"),
        ({"height": True, "width": 8}, "height is True"),
        ({"height": "8", "width": 8}, "height is '8'"),
        ({"height": None, "width": 8}, "height is None"),
        ({"height": float("nan"), "width": 8}, "height is nan"),
        ({"height": 8, "width": 8, "color": "bgr"}, "color is 'bgr'; choose rgb or grey"),
        ({"height": 8, "width": 8, "color": []}, "color is"),
        ({"height": 8, "width": 8, "color": None}, "color is None"),
        ({"height": 8, "width": 8, "fit": "squeeze"}, "fit is 'squeeze'; choose crop or letterbox or stretch"),
        ({"height": 8, "width": 8, "scale": 255}, "scale is 255; choose"),
        ({"height": 8, "width": 8, "scale": "x" * 10_000}, "scale is 'x"),
        ({"height": 10**4000, "width": 8}, "height is"),
    ],
)
def test_anything_else_gets_one_sentence(fields: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        Preprocessing.from_json(fields)
    said = str(caught.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) < 300


def test_words_for_the_page() -> None:
    assert Preprocessing(64, 48).words() == "64 × 48 pixels, color, middle cropped, levels 0..1"
    assert Preprocessing(1, 2, "grey", "letterbox", "-1..1").words() == "1 × 2 pixels, grey, bars added, levels −1..1"
