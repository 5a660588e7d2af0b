"""Checks the classic mistakes: each against arithmetic done here another way, their order, and the covering patch."""

import io

import numpy as np
import pytest
from PIL import Image

from cnnviz import face, mistakes
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.face import Face
from cnnviz.mistakes import FACE_KEYS, KEYS, MISTAKES
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


@pytest.mark.parametrize("faces", [False, True])
def test_colors_are_swapped_only_for_networks_that_get_some(faces):
    color, grey = ([one.key for one in mistakes.of(Preprocessing(48, 48, kind), faces)] for kind in ("rgb", "grey"))
    assert color[0] == "bgr"
    assert grey == color[1:]


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


# ------------------------------------------------------------------------------------------------------------- faces

PHOTO = np.random.default_rng(1).integers(0, 100, (90, 120, 3), dtype=np.uint8)  # nowhere the grey of what covers
UPRIGHT = Face((30, 20, 40, 48), 0.9, ((40.0, 40.0), (60.0, 40.0)), ((42.0, 58.0), (58.0, 58.0)))
TILTED = Face((30, 20, 40, 48), 0.9, ((40.0, 36.0), (58.0, 44.0)), ((36.0, 56.0), (48.0, 62.0)))  # by 24 degrees
FOUR_EIGHTS = Preprocessing(48, 48)  # the square round both faces has 48 pixels a side: nothing is resized


def covered(made):
    return (made == 128).all(axis=2)


def by_complex_numbers(part, one, height, width):
    """The cells of a band, with the plane turned by a complex number so that the face stands level."""
    eyes, mouth = ([complex(*point) for point in pair] for pair in (one.eyes, one.mouth))
    along = eyes[1] - eyes[0] + mouth[1] - mouth[0]
    measure = max(abs(eyes[1] - eyes[0]), abs(sum(mouth) / 2 - sum(eyes) / 2))
    turned = [end * along.conjugate() / abs(along) for end in (eyes if part == "eyes" else mouth)]
    past, above = (0.4, 0.3) if part == "eyes" else (0.3, 0.35)
    found = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            cell = complex(x + 0.5, y + 0.5) * along.conjugate() / abs(along)
            low, high = (sorted(getattr(end, axis) for end in turned) for axis in ("real", "imag"))
            found[y, x] = (
                low[0] - past * measure <= cell.real <= low[1] + past * measure
                and high[0] - above * measure <= cell.imag <= high[1] + above * measure
            )
    return found


@pytest.mark.parametrize(
    ("part", "rows", "columns"),
    # the square begins at (26, 20): eyes at 14 and 34, row 20; mouth at 16 and 32, row 38; the measure is 20
    [("eyes", (14, 26), (6, 42)), ("mouth", (31, 45), (10, 38))],
)
def test_a_band_over_a_level_face_covers_these_cells_and_no_others(part, rows, columns):
    made = mistakes.picture(PHOTO, FOUR_EIGHTS, [part], face=UPRIGHT)
    assert np.argwhere(covered(made)).min(axis=0).tolist() == [rows[0], columns[0]]
    assert covered(made).sum() == (rows[1] - rows[0]) * (columns[1] - columns[0])
    assert covered(made)[rows[0] : rows[1], columns[0] : columns[1]].all()
    bare = mistakes.picture(PHOTO, FOUR_EIGHTS, face=UPRIGHT)
    assert (made[~covered(made)] == bare[~covered(made)]).all()


@pytest.mark.parametrize("part", ["eyes", "mouth"])
@pytest.mark.parametrize(
    "one",
    [
        UPRIGHT,
        TILTED,
        Face((0, 0, 48, 48), 0.9, ((30.0, 10.0), (32.0, 40.0)), ((12.0, 14.0), (10.0, 35.0))),  # lies on its side
        Face((0, 0, 48, 48), 0.9, ((30.0, 18.0), (31.0, 18.0)), ((28.0, 36.0), (30.0, 37.0))),  # in profile
        Face((0, 0, 48, 48), 0.9, ((5.0, -9.0), (40.0, -6.0)), ((10.0, 50.0), (40.0, 52.0))),  # cut off
    ],
)
def test_a_band_lies_along_the_face(part, one):
    assert (mistakes.band(part, one, 48, 50) == by_complex_numbers(part, one, 48, 50)).all()


def test_a_face_whose_points_are_one_has_a_band_nevertheless():
    point = Face((0, 0, 8, 8), 0.9, ((4.5, 4.5), (4.5, 4.5)), ((4.5, 4.5), (4.5, 4.5)))
    assert np.argwhere(mistakes.band("eyes", point, 8, 8)).tolist() == [[4, 4]]


@pytest.mark.parametrize("part", ["eyes", "mouth"])
@pytest.mark.parametrize("one", [UPRIGHT, TILTED])
@pytest.mark.parametrize(("key", "moved"), [("mirrored", np.fliplr), ("sideways", turned)])
def test_a_band_goes_along_with_the_face(part, one, key, moved):
    made = mistakes.picture(PHOTO, FOUR_EIGHTS, [part], face=one)
    assert (mistakes.picture(PHOTO, FOUR_EIGHTS, [part, key], face=one) == moved(made)).all()


@pytest.mark.parametrize(
    ("preprocessing", "rows", "columns"),
    [
        (Preprocessing(24, 24), (7, 13), (3, 21)),  # half of 14 to 26 and 6 to 42
        # the eyes at 7 and 17, so that the measure is the 18 to the mouth: 14.6 to 25.4, and −0.2 to 24.2
        (Preprocessing(48, 24, fit="stretch"), (15, 25), (0, 24)),
        (Preprocessing(24, 48), (2, 14), (6, 42)),  # cropped: 12 rows above are gone
        (Preprocessing(48, 64, fit="letterbox"), (14, 26), (14, 50)),  # bars of 8
        (Preprocessing(48, 48, "grey"), (14, 26), (6, 42)),
    ],
)
def test_a_band_is_where_the_eyes_are_in_any_input(preprocessing, rows, columns):
    made = covered(mistakes.picture(PHOTO, preprocessing, ["eyes"], face=UPRIGHT))
    expected = np.zeros_like(made)
    expected[rows[0] : rows[1], columns[0] : columns[1]] = True
    assert (made == expected).all()


@pytest.mark.parametrize("one", [UPRIGHT, TILTED, Face((100, 70, 20, 20), 0.9, UPRIGHT.eyes, UPRIGHT.mouth)])
def test_without_a_mistake_a_face_is_its_square(one):
    assert (mistakes.picture(PHOTO, RGB, face=one) == RGB.picture(face.crop(PHOTO, one))).all()
    assert (mistakes.picture(PHOTO, RGB, ["wide"], face=one) == RGB.picture(face.crop(PHOTO, one, 1.4))).all()


@pytest.mark.parametrize("key", FACE_KEYS)
def test_what_is_done_to_a_face_needs_one(key):
    with pytest.raises(KeyError, match=key):
        mistakes.picture(PHOTO, RGB, [key])


@pytest.mark.parametrize("key", [*KEYS, *FACE_KEYS])
def test_each_switch_of_a_face_changes_what_goes_in(key):
    offered = key in [one.key for one in mistakes.of(RGB, faces=True)]
    changed = (mistakes.picture(PHOTO, RGB, [key], face=UPRIGHT) != RGB.picture(face.crop(PHOTO, UPRIGHT))).any()
    assert (offered, changed) == (key != "squashed", key not in ("squashed", "unscaled"))
    assert all(0 < len(one.why) <= 100 for one in mistakes.of(RGB, faces=True))


@pytest.mark.parametrize(
    ("one", "corners", "eyes"),
    [
        # the longer side is 48: a square of 48 round the middle (50, 44)
        (UPRIGHT, [(26, 20), (74, 20), (74, 68), (26, 68)], [(14, 20), (34, 20)]),
        # eyes one over the other: a quarter turn about that middle
        (
            Face((30, 20, 40, 48), 0.9, ((60.0, 34.0), (60.0, 54.0)), ((44.0, 36.0), (44.0, 52.0))),
            [(74, 20), (74, 68), (26, 68), (26, 20)],
            [(14, 14), (34, 14)],
        ),
    ],
)
def test_the_square_stands_level_with_its_corners_and_eyes_here(one, corners, eyes):
    assert np.allclose(face.corners(one), corners)
    assert np.allclose(face.within(one).eyes, eyes)
    assert face.within(one).box == (0, 0, 48, 48)


@pytest.mark.parametrize("one", [UPRIGHT, TILTED])
def test_what_lies_at_a_point_of_the_photo_lies_there_in_the_square(one):
    photo = np.zeros((90, 120, 3), np.uint8)
    (x, y), _ = one.eyes
    photo[int(y) - 1 : int(y) + 1, int(x) - 1 : int(x) + 1] = 255
    rows, columns, _ = np.nonzero(face.crop(photo, one) > 100)
    assert np.allclose(face.within(one).eyes[0], (columns.mean() + 0.5, rows.mean() + 0.5), atol=0.6)
