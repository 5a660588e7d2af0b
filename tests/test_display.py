"""Checks color scales, reduced pictures, picture files and the text of numbers against values worked out by hand."""

import base64
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnviz import display
from cnnviz.display import colored, directions, grey_scale, heat_scale, levels, number, palette_png, png, signed_scale

NAN, INF = np.nan, np.inf
NAN_RGB = (0xC0, 0x26, 0xD3)
BLUE, MIDDLE, RED = (0x21, 0x66, 0xAC), (0xF7, 0xF7, 0xF7), (0xB2, 0x18, 0x2B)
# level 64 of 0..254 lies 2/254 of a stop beyond #92C5DE, level 190 as much before #F4A582
HALF_BLUE, HALF_RED = (0x93, 0xC5, 0xDE), (0xF4, 0xA6, 0x83)
TABLES = {"signed": signed_scale(1), "heat": heat_scale(0, 1), "grey": grey_scale()}


def color(value, scale):
    return tuple(colored(np.array([[value]], np.float32), scale)[0, 0].tolist())


def opened(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def cividis(value: int) -> tuple[int, ...]:
    bgr = cv2.applyColorMap(np.array([[value]], np.uint8), cv2.COLORMAP_CIVIDIS)[0, 0]
    return tuple(bgr[::-1].tolist())


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        (-4, signed_scale(4), BLUE),
        (-3, signed_scale(4), (90, 150, 197)),  # level 31.75 -> 32: 128/254 of the way from #2166AC to #92C5DE
        (-2, signed_scale(4), HALF_BLUE),
        (0, signed_scale(4), MIDDLE),
        (-0.0, signed_scale(4), MIDDLE),
        (2, signed_scale(4), HALF_RED),
        (4, signed_scale(4), RED),
        (4.001, signed_scale(4), RED),
        (-1e30, signed_scale(4), BLUE),
        (INF, signed_scale(4), RED),
        (-INF, signed_scale(4), BLUE),
        (NAN, signed_scale(4), NAN_RGB),
        (0, signed_scale(0), MIDDLE),
        (NAN, signed_scale(0), NAN_RGB),
        (3.4e38, signed_scale(3.4e38), RED),
        (1e-45, signed_scale(float(np.float32(1e-45))), RED),
        (10, heat_scale(10, 20), cividis(0)),
        (20, heat_scale(10, 20), cividis(255)),
        (9, heat_scale(10, 20), cividis(0)),
        (NAN, heat_scale(10, 20), NAN_RGB),
        (0, grey_scale(), (0, 0, 0)),
        (255, grey_scale(), (255, 255, 255)),
        (-7, grey_scale(), (0, 0, 0)),
        (300, grey_scale(), (255, 255, 255)),
        (64, grey_scale(), (64, 64, 64)),
        (0.5, grey_scale(0, 1), (128, 128, 128)),
        (NAN, grey_scale(), NAN_RGB),
    ],
)
def test_a_value_has_the_color_of_its_place_on_the_scale(value, scale, expected):
    assert color(value, scale) == expected


def test_the_ends_of_heat_are_dark_blue_and_yellow():
    (_, _, blue), (red, green, other) = cividis(0), cividis(255)
    assert blue > 60
    assert min(red, green) > 200
    assert other < 100


@pytest.mark.parametrize("limit", [1e-9, 0.1, 1 / 3, 1, 7, 255, 1020.3, 1e30, 3.4e38])
def test_exactly_zero_is_the_exact_middle_of_a_signed_scale(limit):
    assert levels(np.zeros((1, 1), np.float32), signed_scale(limit)).item() == 127
    assert color(limit * 1e-9, signed_scale(limit)) == MIDDLE


def test_signed_values_of_one_size_stand_equally_far_from_the_middle():
    values = np.random.default_rng(3).normal(0, 1, (50, 50))
    above, below = (levels(sign * values, signed_scale(2.0)).astype(int) - 127 for sign in (1, -1))
    assert np.abs(above + below).max() == 0
    assert len(np.unique(above)) > 200


def test_grey_keeps_every_grey_to_one_step():
    greys = np.arange(256, dtype=np.float32)[None]
    assert np.abs(colored(greys, grey_scale())[0].astype(int) - greys[0, :, None]).max() <= 1


def test_heat_is_cividis_all_the_way():
    values = np.linspace(0, 255, 999, dtype=np.float32)[None]
    ours = colored(values, heat_scale(0, 255)).astype(int)
    theirs = cv2.applyColorMap(np.rint(values).astype(np.uint8), cv2.COLORMAP_CIVIDIS)[..., ::-1].astype(int)
    assert np.abs(ours - theirs).max() <= 4  # as much as neighbors in cividis differ


@pytest.mark.parametrize("scale", TABLES.values(), ids=TABLES)
def test_a_legend_runs_from_the_color_of_low_through_the_middle_to_that_of_high(scale):
    stops = scale.css.split(", ")
    assert len(stops) == 9
    for stop, value in ((0, scale.low), (4, (scale.low + scale.high) / 2), (8, scale.high)):
        assert stops[stop] == "#{:02x}{:02x}{:02x}".format(*color(value, scale))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1, -3], [2, 0]], 3),
        ([[-0.25]], 0.25),
        ([[NAN, -2], [INF, 1]], 2),
        ([[0, 0]], 1e-9),
        ([[NAN, INF]], 1e-9),
        (np.zeros((0, 3)), 1e-9),
    ],
)
def test_the_limit_is_the_largest_finite_size_and_never_zero(values, expected):
    assert display.limit(np.asarray(values, np.float32)) == expected


def test_a_pooled_map_keeps_its_colors_on_the_scale_of_the_feature_map():
    feature_map = np.array([[-8, 2], [4, 1]], np.float32)
    scale = signed_scale(display.limit(feature_map))
    assert color(4, scale) == HALF_RED
    assert color(4, signed_scale(display.limit(np.maximum(feature_map, 0)))) == RED


# ---------------------------------------------------------------------------------------------------- directions


def lab(pixels):
    return cv2.cvtColor((pixels / 255).astype(np.float32), cv2.COLOR_RGB2Lab)


def test_directions_have_equal_lightness_and_the_hue_of_their_angle():
    angle = np.linspace(-np.pi, np.pi, 360, dtype=np.float32)[None]
    found = lab(directions(angle, np.ones_like(angle)))
    assert np.abs(found[..., 0] - 68).max() < 1
    assert np.abs(np.hypot(found[..., 1], found[..., 2]) - 42).max() < 5  # a few greenish blues lie beyond sRGB
    off = np.arctan2(found[..., 2], found[..., 1]) - angle
    assert np.abs(np.arctan2(np.sin(off), np.cos(off))).max() < np.radians(4)


def test_the_axes_have_four_far_colors_and_the_turn_closes():
    angle = np.array([[0, np.pi / 2, np.pi, -np.pi / 2, -np.pi]], np.float32)
    right, down, left, up, left_again = directions(angle, np.ones_like(angle))[0].astype(int)
    axes = [right, down, left, up]
    assert min(np.abs(a - b).sum() for i, a in enumerate(axes) for b in axes[:i]) > 100
    np.testing.assert_allclose(left, left_again, atol=1)
    assert lab(np.array([[right, left]]))[0, 0, 1] > 40  # a > 0: reddish
    assert lab(np.array([[down, up]]))[0, 0, 2] > 40  # b > 0: yellowish


@pytest.mark.parametrize(
    ("magnitude", "grey"),
    [
        ([100, 1.99, 2.01, 50], [False, True, False, False]),
        ([100, 0, 2, 99], [False, True, False, False]),
        ([0, 0, 0, 0], [True] * 4),
        ([INF, 1, 0.019, 0.021], [False, False, True, False]),
    ],
)
def test_places_under_two_percent_of_the_largest_magnitude_are_grey(magnitude, grey):
    angle = np.array([[0.1, 1, 2, -3]], np.float32)
    found = directions(angle, np.array([magnitude], np.float32))[0].astype(int)
    assert (np.ptp(found, axis=1) == 0).tolist() == grey


def test_the_wheel_shows_each_angle_where_it_points():
    wheel = display.wheel(101)
    angle = np.array([[0, np.pi / 2, np.pi, -np.pi / 2, np.pi / 4]], np.float32)
    expected = directions(angle, np.ones_like(angle))[0]
    found = [wheel[50, 100], wheel[100, 50], wheel[50, 0], wheel[0, 50], wheel[90, 90]]
    np.testing.assert_array_equal(found, expected)


def test_the_legend_of_directions_starts_and_ends_on_the_left_and_has_the_right_in_its_middle():
    stops = display.wheel_css().split(", ")
    left, right = directions(np.array([[-np.pi, 0]], np.float32), np.ones((1, 2), np.float32))[0]
    assert len(stops) == 17
    assert stops[0] == "#{:02x}{:02x}{:02x}".format(*left)
    assert stops[8] == "#{:02x}{:02x}{:02x}".format(*right)


# ---------------------------------------------------------------------------------------------------- sizes


def test_reducing_takes_the_mean_of_each_area():
    values = np.array([[0, 4, 10, 10], [8, 4, 20, 20], [1, 1, -5, 5], [1, 1, 5, -5]], np.float32)
    np.testing.assert_array_equal(display.reduce(values, 2), [[4, 15], [1, 0]])
    planes = np.stack([values, values + 100, -values], axis=-1)
    reduced = display.reduce(planes, 2)
    np.testing.assert_array_equal(
        reduced, np.stack([[[4, 15], [1, 0]], [[104, 115], [101, 100]], [[-4, -15], [-1, 0]]], -1)
    )


def test_reducing_by_a_broken_factor_weighs_cut_cells_by_their_area():
    np.testing.assert_allclose(display.reduce(np.array([[0, 30, 60]], np.float32), 2), [[10, 50]], rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "side", "expected"),
    [
        ((4, 4), 4, (4, 4)),
        ((4, 3), 100, (4, 3)),
        ((1, 1), 16, (1, 1)),
        ((10, 20), 10, (5, 10)),
        ((20, 10, 3), 10, (10, 5, 3)),
        ((1600, 3, 3), 128, (128, 1, 3)),
        ((3, 1600, 3), 16, (1, 16, 3)),
        ((20_000, 1), 128, (128, 1)),
        ((1, 20_000), 128, (1, 128)),
        ((20_000, 1, 3), 16, (16, 1, 3)),
        ((513, 512), 512, (512, 511)),
        ((480, 640), 1, (1, 1)),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_long_side_is_reduced_to_what_is_asked_and_nothing_is_enlarged(shape, side, expected, dtype):
    array = np.random.default_rng(5).integers(0, 256, shape).astype(dtype)
    reduced = display.reduce(array, side)
    assert reduced.shape == expected
    assert reduced.dtype == dtype
    assert float(reduced.mean()) == pytest.approx(float(array.mean()), abs=3)
    if expected == shape:
        np.testing.assert_array_equal(reduced, array)


@pytest.mark.parametrize("side", range(1, 100, 7))
def test_the_long_side_is_never_off_by_one(side):
    assert {display.reduce(np.zeros((5, long), np.uint8), side).shape[1] for long in range(100, 1600, 53)} == {side}


@pytest.mark.parametrize(
    ("shape", "first"),
    [((1, 1), 0), ((3, 3), 0), ((3, 5), 1), ((5, 3), 3), ((2, 5), 1), ((5, 2), 2), ((1, 100), 49)],
)
def test_the_center_square_is_the_largest_round_the_center(shape, first):
    pixels = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(*shape, 1).repeat(3, axis=2)
    square = display.center_square(pixels)
    assert square.shape == (min(shape), min(shape), 3)
    assert square[0, 0, 0] == first


# ---------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (31, 17), (1, 700)])
def test_a_png_comes_back_bit_for_bit(shape):
    pixels = np.random.default_rng(7).integers(0, 256, (*shape, 3), np.uint8)
    np.testing.assert_array_equal(opened(png(pixels)), pixels)
    np.testing.assert_array_equal(opened(png(pixels[::-1, ::-1])), pixels[::-1, ::-1])


@pytest.mark.parametrize("scale", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (40, 60)])
def test_a_palette_png_comes_back_in_the_very_colors_of_its_map(scale, shape):
    values = np.random.default_rng(8).uniform(scale.low * 1.2 - 1, scale.high * 1.2, shape).astype(np.float32)
    values[-1, -1] = NAN
    data = palette_png(values, scale)
    np.testing.assert_array_equal(opened(data), colored(values, scale))
    assert tuple(opened(data)[-1, -1]) == NAN_RGB
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "P"


def test_a_webp_is_close_to_its_photo():
    pixels = np.repeat(np.linspace(0, 255, 64)[None, :, None], 48, axis=0).repeat(3, axis=2).astype(np.uint8)
    pixels[..., 2] = 40
    assert np.abs(opened(display.webp(pixels)).astype(int) - pixels).max() < 12


def test_a_data_url_holds_its_file():
    head, body = display.data_url(b"\x00\xff hello", "png").split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == b"\x00\xff hello"


# ---------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1, "1"),
        (-1, "−1"),
        (10, "10"),
        (1000, "1000"),
        (9999, "9999"),
        (-412.0, "−412"),
        (0.5, "0.5"),
        (0.1, "0.1"),
        (1 / 9, "0.1111"),
        (-2 / 3, "−0.6667"),
        (1.50004, "1.5"),
        (123.4567, "123.5"),
        (999.94, "999.9"),
        (999.95, "1000"),
        (999.96, "1000"),
        (99.996, "100"),
        (9.9996, "10"),
        (0.99996, "1"),
        (9999.4, "9999"),
        (9999.5, "10,000"),
        (-9999.5, "−10,000"),
        (10_000, "10,000"),
        (-12_230.6, "−12,231"),
        (123_456, "123,456"),
        (99_999.5, "100,000"),
        (999_999.4, "999,999"),
        (999_999.5, "1e6"),
        (-1_234_567, "−1.235e6"),
        (0.01234, "0.0123"),
        (0.001, "0.001"),
        (0.00104, "0.001"),
        (0.00099995, "1e−3"),
        (0.00099994, "9.999e−4"),
        (-3e-9, "−3e−9"),
        (1e300, "1e300"),
        (5e-324, "4.941e−324"),
        (NAN, "NaN"),
        (INF, "∞"),
        (-INF, "−∞"),
        (np.float32(0.1), "0.1"),
        (np.float32(1 / 3), "0.3333"),
        (np.float32(-1e-45), "−1.401e−45"),
        (np.float32(3.4028235e38), "3.403e38"),
        (np.float32(9999.5), "10,000"),
        (np.float32(NAN), "NaN"),
        # exact ties go away from 0, as toFixed and toExponential have it in the browser
        (1234.5, "1235"),
        (-1233.5, "−1234"),
        (81.125, "81.13"),
        (-122.25, "−122.3"),
        (0.03125, "0.0313"),
        (12_344.5, "12,345"),
        (1_234_500, "1.235e6"),
        (1.0005, "1"),  # no tie: as a double it is a little less
    ],
)
def test_a_number_has_four_digits_or_is_whole_up_to_a_million(value, expected):
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (12.345, 2, "12"),
        (99.6, 2, "100"),
        (1234.5, 2, "1235"),
        (9999.4, 2, "9999"),
        (9999.5, 2, "1e4"),
        (12_345, 3, "12,345"),
        (99_999.5, 3, "1e5"),
        (99.4, 2, "99"),
        (0.126, 2, "0.13"),
        (99.95, 3, "100"),
        (2.5, 1, "3"),
        (0.04, 2, "4e−2"),
        (1 / 3, 7, "0.3333333"),
        (1234567.25, 7, "1,234,567"),
    ],
)
def test_a_number_can_have_fewer_or_more_digits(value, digits, expected):
    assert number(value, digits) == expected


def test_a_number_says_its_value_to_four_digits():
    random = np.random.default_rng(11)
    values = random.choice([-1, 1], 3000) * 10.0 ** random.uniform(-30, 30, 3000)
    for value in np.concatenate([values, random.normal(0, 300, 3000)]):
        text = number(value)
        read = float(text.replace("−", "-").replace(",", ""))
        assert read == pytest.approx(value, rel=6e-4, abs=5.01e-5 if abs(value) >= 1e-3 else 0), (value, text)
        digits = text.split("e")[0].strip("−").replace(".", "").replace(",", "").lstrip("0")
        assert len(digits) <= 4 or (1e4 <= abs(value) < 1e6 and text == f"{value:,.0f}".replace("-", "−"))
