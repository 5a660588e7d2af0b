"""Checks the classic mistakes: each against arithmetic done here another way, their order, and the covering patch."""

import io

import numpy as np
import pytest
from PIL import Image

from cnnviz import mistakes
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.mistakes import KEYS, MISTAKES
from cnnviz.samples import photo

SIZE = 32
RGB, GREY = Preprocessing(SIZE, SIZE), Preprocessing(SIZE, SIZE, "grey")
RANDOM = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
SAME = RANDOM[:SIZE, :SIZE]  # of the input's size: nothing is resized


def turned(pixels):
    """A quarter turn clockwise, cell by cell: the pixel at (y, x) comes to (x, last row - y)."""
    rows, columns = pixels.shape[:2]
    made = np.empty((columns, rows, 3), np.uint8)
    for y in range(rows):
        for x in range(columns):
            made[x, rows - 1 - y] = pixels[y, x]
    return made


def luma(pixels):
    return np.rint(pixels @ np.array([0.299, 0.587, 0.114]))


@pytest.mark.parametrize("preprocessing", [RGB, Preprocessing(20, 30, fit="letterbox"), Preprocessing(20, 30)])
def test_without_a_mistake_it_is_what_the_network_always_gets(preprocessing):
    assert (mistakes.picture(RANDOM, preprocessing) == preprocessing.picture(RANDOM)).all()
    assert (mistakes.fed(preprocessing.picture(RANDOM), preprocessing) == preprocessing(RANDOM)).all()


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("bgr", SAME[..., [2, 1, 0]]),
        ("mirrored", SAME[:, list(range(SIZE - 1, -1, -1))]),
        ("sideways", turned(SAME)),
        ("dark", np.rint(SAME * 0.35)),
        ("unscaled", SAME),
        ("squashed", SAME),
    ],
)
def test_a_mistake_is_exactly_this(key, expected):
    assert (mistakes.picture(SAME, RGB, [key]) == expected).all()


def test_swapped_colors_reach_a_grey_network_as_another_grey():
    made = mistakes.picture(SAME, GREY, ["bgr"])[..., 0]
    assert abs(made - luma(SAME[..., [2, 1, 0]])).max() <= 1
    assert abs(made - luma(SAME)).max() > 40


def test_squashed_holds_the_edges_that_cropping_loses():
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, :8] = 255  # the left eighth of a picture twice as wide as high
    assert mistakes.picture(pixels, RGB).max() == 0
    assert (mistakes.picture(pixels, RGB, ["squashed"])[:, :4] == 255).all()
    assert mistakes.picture(pixels, RGB, ["squashed"])[:, 5:].max() == 0


def test_where_squashing_is_right_the_mistake_is_to_crop():
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, :8] = 255
    stretched = Preprocessing(SIZE, SIZE, fit="stretch")
    assert mistakes.picture(pixels, stretched).max() == 255
    assert mistakes.picture(pixels, stretched, ["squashed"]).max() == 0


def test_blur_is_a_gaussian_of_a_24th_of_the_side():
    point = np.zeros((48, 48, 3), np.uint8)
    point[24, 24] = 255
    made = mistakes.picture(point, Preprocessing(48, 48), ["blurred"])[..., 0].astype(float)
    y, x = np.mgrid[:48, :48] - 24
    gauss = np.exp(-(y**2 + x**2) / (2 * 2.0**2))
    assert abs(made - 255 * gauss / gauss.sum()).max() < 1


def test_noise_is_by_chance_of_this_strength_and_the_same_each_time():
    grey = np.full((64, 64, 3), 128, np.uint8)
    first, second = (mistakes.picture(grey, Preprocessing(64, 64), ["noisy"]).astype(float) for _ in range(2))
    assert (first == second).all()
    assert 38 < first.std() < 42
    assert abs(first.mean() - 128) < 2
    assert abs(np.corrcoef(first[..., 0].ravel(), first[..., 1].ravel())[0, 1]) < 0.1


@pytest.mark.parametrize(("preprocessing", "mode"), [(RGB, "RGB"), (GREY, "L")])
def test_jpeg_is_what_another_library_makes_of_quality_10(preprocessing, mode):
    pixels = preprocessing.picture(photo("cat").pixels)
    made = mistakes.picture(photo("cat").pixels, preprocessing, ["jpeg"])
    file = io.BytesIO()
    Image.fromarray(pixels if mode == "RGB" else pixels[..., 0], mode).save(file, "JPEG", quality=10)
    other = np.asarray(Image.open(file)).reshape(pixels.shape)
    assert made.shape == pixels.shape
    assert abs(made.astype(int) - other).mean() < 2
    assert abs(made.astype(int) - pixels).mean() > 5


@pytest.mark.parametrize(
    ("scale", "mistake", "low", "high"),
    [
        ("0..1", (), 0, 1),
        ("0..1", ("unscaled",), 0, 255),
        ("-1..1", (), -1, 1),
        ("-1..1", ("unscaled",), 0, 255),
        ("0..255", (), 0, 255),
        ("0..255", ("unscaled",), 0, 1),
    ],
)
def test_levels_are_fed_in_this_range(scale, mistake, low, high):
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[0] = 255
    fed = mistakes.fed(pixels, Preprocessing(4, 4, scale=scale), mistake)
    assert (fed.dtype, fed.shape, float(fed.min()), float(fed.max())) == (np.float32, (4, 4, 3), low, high)


@pytest.mark.parametrize(
    ("size", "place", "expected"),
    [
        ((32, 32), (0.5, 0.5), (10, 10, 11)),  # 16 - 5.5 = 10.5, to even
        ((30, 30), (0.5, 0.5), (10, 10, 10)),
        ((30, 30), (0, 0), (0, 0, 10)),
        ((30, 30), (1, 1), (20, 20, 10)),
        ((30, 60), (0.5, 0.25), (10, 10, 10)),
        ((60, 30), (1, 0.5), (50, 10, 10)),
        ((1, 1), (0.5, 0.5), (0, 0, 1)),
        ((2, 1), (1, 1), (1, 0, 1)),
    ],
)
def test_the_patch_covers_these_cells_and_no_others(size, place, expected):
    preprocessing = Preprocessing(*size)
    top, left, side = mistakes.patch(preprocessing, place)
    assert (top, left, side) == expected
    pixels = np.zeros((*size, 3), np.uint8)
    made = mistakes.picture(pixels, preprocessing, ["covered"], place)
    assert (made == 128).sum() == side * side * 3
    assert (made[top : top + side, left : left + side] == 128).all()


@pytest.mark.parametrize("size", [(32, 32), (112, 112), (28, 28), (48, 96), (5, 3)])
def test_the_middle_of_a_patch_as_a_share_brings_back_the_same_patch(size):
    preprocessing = Preprocessing(*size)
    side = mistakes.patch(preprocessing, (0, 0))[2]
    for top in range(size[0] - side + 1):
        left = (top * 7) % (size[1] - side + 1)
        share = tuple(
            float(f"{(start + side / 2) / whole:.4g}") for start, whole in zip((top, left), size, strict=True)
        )
        assert mistakes.patch(preprocessing, share) == (top, left, side)


def test_the_patch_lies_on_top_of_all_other_mistakes():
    made = mistakes.picture(RANDOM, RGB, [key for key in KEYS if key != "squashed"], (0.5, 0.5))
    assert (made[10:21, 10:21] == 128).all()


def test_mistakes_are_made_in_one_order_whatever_order_they_are_chosen_in():
    assert (mistakes.picture(RANDOM, RGB, KEYS) == mistakes.picture(RANDOM, RGB, KEYS[::-1])).all()


def test_the_photo_itself_stays_as_it_is():
    before = RANDOM.copy()
    held = RANDOM.copy()
    held.setflags(write=False)
    mistakes.picture(held, RGB, KEYS)
    assert (held == before).all()


@pytest.mark.parametrize("key", KEYS)
def test_no_mistake_but_the_levels_leaves_a_photo_as_it_was(key):
    pixels = photo("coffee").pixels
    changed = (mistakes.picture(pixels, RGB, [key]) != RGB.picture(pixels)).any()
    assert changed == (key != "unscaled")


def test_a_mistake_that_is_none_is_refused():
    with pytest.raises(KeyError, match="upside_down"):
        mistakes.picture(RANDOM, RGB, ["upside_down"])


@pytest.mark.parametrize(
    ("preprocessing", "key", "label"),
    [
        (RGB, "squashed", "Squashed, not cropped"),
        (Preprocessing(4, 4, fit="stretch"), "squashed", "Cropped, not squashed"),
        (Preprocessing(4, 4, fit="letterbox"), "squashed", "Squashed, no bars"),
        (Preprocessing(4, 4, scale="0..255"), "unscaled", "Scaled, against its training"),
        (Preprocessing(4, 4, scale="-1..1"), "unscaled", "Not scaled"),
    ],
)
def test_a_switch_says_what_is_wrong_for_this_network(preprocessing, key, label):
    found = {one.key: one for one in mistakes.of(preprocessing)}
    assert tuple(found) == KEYS == tuple(one.key for one in MISTAKES)
    assert found[key].label == label
    assert all(0 < len(one.why) <= 100 for one in found.values())


@pytest.mark.parametrize(
    ("fit", "size", "rows", "columns", "expected"),
    [
        ("crop", (32, 32), 100, 200, (0, 50, 100, 100)),
        ("crop", (32, 32), 200, 100, (50, 0, 100, 100)),
        ("crop", (20, 40), 100, 100, (25, 0, 50, 100)),
        ("crop", (32, 32), 1, 1600, (0, 799, 1, 1)),
        ("letterbox", (32, 32), 100, 200, (0, 0, 100, 200)),
        ("stretch", (32, 32), 100, 200, (0, 0, 100, 200)),
    ],
)
def test_the_part_of_a_picture_that_is_used(fit, size, rows, columns, expected):
    assert Preprocessing(*size, fit=fit).window(rows, columns) == expected


@pytest.mark.parametrize(("scale", "words"), [("0..1", "first layer’s products"), ("-1..1", "far outside the range")])
def test_not_scaled_claims_only_what_is_so(scale, words):
    (why,) = (one.why for one in mistakes.of(Preprocessing(4, 4, scale=scale)) if one.key == "unscaled")
    assert words in why
    assert "fold" not in why  # a bias does not grow, and a pixel's factor from −1..1 is no constant
