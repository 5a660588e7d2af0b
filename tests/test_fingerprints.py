"""Fingerprints: copies of a photo are found however they were made, and different pictures are not taken for copies."""

import hashlib
import io
import itertools
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnviz.data import likeness
from cnnviz.data.dataset import Dataset, Entry
from cnnviz.data.digits import digits
from cnnviz.data.drawn import drawn_shapes
from cnnviz.data.drawn_faces import drawn_faces
from cnnviz.data.fingerprints import (
    Pair,
    Scan,
    Stopped,
    digest,
    exact_copies,
    fingerprint,
    groups,
    near_copies,
    perceptual_hash,
    scan,
)
from cnnviz.data.sources import open_dataset
from cnnviz.images import ImageError, decode

SAMPLES = Path(__file__).resolve().parents[1] / "sample_images"
PHOTOS = {
    name: decode((SAMPLES / f"{name}.jpg").read_bytes()).pixels for name in ("astronaut", "cat", "coffee", "camera")
}
PRINTS = {name: fingerprint(photo) for name, photo in PHOTOS.items()}
RANDOM = np.random.default_rng(5)
NOISE = RANDOM.integers(0, 256, (40, 30, 3), dtype=np.uint8)


def of(pictures, data=None) -> Dataset:
    """A data set of arrays; an exception in a picture's place is raised when it is read."""

    def pixels(index: int):
        if isinstance(pictures[index], Exception):
            raise pictures[index]
        return pictures[index]

    return Dataset("arrays", ("a",), tuple(Entry(f"{n}", 0) for n in range(len(pictures))), pixels, data)


def jpeg(picture, quality: int):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def cropped(picture, top: float, bottom: float, left: float, right: float):
    height, width = picture.shape[:2]
    rows = slice(round(top * height), height - round(bottom * height))
    return picture[rows, round(left * width) : width - round(right * width)].copy()


def mirrored(picture):
    return picture[:, ::-1].copy()


WAYS = {
    "thumbnail": lambda p: cv2.resize(p, (64, round(64 * p.shape[0] / p.shape[1])), interpolation=cv2.INTER_AREA),
    "tiny thumbnail": lambda p: cv2.resize(p, (28, round(28 * p.shape[0] / p.shape[1])), interpolation=cv2.INTER_AREA),
    "twice as large": lambda p: cv2.resize(p, None, fx=2, fy=2),
    "stretched": lambda p: cv2.resize(p, (300, 200), interpolation=cv2.INTER_AREA),
    "compressed again": lambda p: jpeg(p, 20),
    "cropped by 2 % all around": lambda p: cropped(p, 0.02, 0.02, 0.02, 0.02),
    "cropped by 3 % left and top": lambda p: cropped(p, 0.03, 0, 0.03, 0),
    "brighter": lambda p: np.clip(p.astype(int) + 40, 0, 255).astype(np.uint8),
    "more contrast": lambda p: np.clip(p * 1.3, 0, 255).astype(np.uint8),
    "darker": lambda p: (p * 0.6).astype(np.uint8),
    "mirrored": mirrored,
    "mirrored, cropped and compressed": lambda p: jpeg(cropped(mirrored(p), 0.02, 0.01, 0.02, 0.01), 40),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PHOTOS)
def test_a_copy_is_found_among_other_photos(name: str, way: str) -> None:
    prints = [fingerprint(np.ascontiguousarray(WAYS[way](PHOTOS[name]))), *PRINTS.values()]
    assert near_copies(prints) == [(0, 1 + list(PHOTOS).index(name), "mirrored" in way)]
    assert exact_copies(prints) == []


def shape(figure, ground, at: int = 32):
    canvas = np.full((64, 64, 3), ground, np.uint8)
    return cv2.circle(canvas, (at, 32), 15, figure, cv2.FILLED, cv2.LINE_AA)


def with_noise(seed: int):
    """The same coarse light and dark, and details of which seven tenths are shared."""
    shared, own = np.random.default_rng(0), np.random.default_rng(seed)
    noise = shared.normal(0, 8, (32, 32)) + 0.6 * own.normal(0, 8, (32, 32))
    coarse = cv2.resize(cv2.GaussianBlur(PHOTOS["coffee"], (0, 0), 40), (32, 32), interpolation=cv2.INTER_AREA)
    return np.clip(coarse + noise[..., np.newaxis], 0, 255).astype(np.uint8)


def slope(level: int):
    """A sky: four levels from left to right."""
    return np.repeat(np.tile(np.linspace(level, level + 4, 64).astype(np.uint8), (64, 1))[..., np.newaxis], 3, axis=2)


def lit_from_the_side(picture):
    ramp = np.linspace(-80, 80, picture.shape[1])[:, np.newaxis]
    return np.clip(picture * 0.5 + 64 + ramp, 0, 255).astype(np.uint8)


SHAPES = drawn_shapes(100)


@pytest.mark.parametrize(
    ("one", "two", "alike"),
    [
        (with_noise(1), with_noise(2), False),
        (PHOTOS["cat"], lit_from_the_side(PHOTOS["cat"]), False),
        (slope(80), slope(120), False),
        (SHAPES.pixels(55), SHAPES.pixels(80), False),
        (PHOTOS["astronaut"], PHOTOS["cat"], False),
        (shape((200, 30, 30), (250, 250, 250)), shape((30, 30, 200), (250, 250, 250)), False),
        (shape((0, 0, 0), (40, 200, 60)), shape((0, 0, 0), (200, 60, 190)), False),
        (shape((200, 30, 30), (250, 250, 250)), shape((200, 30, 30), (250, 250, 250), 45), False),
        (shape((200, 30, 30), (250, 250, 250)), shape((202, 30, 30), (250, 250, 251)), True),
        (np.full((9, 9, 3), 80, np.uint8), np.full((9, 9, 3), 81, np.uint8), False),
        (np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8), False),
        (PHOTOS["cat"], 255 - PHOTOS["cat"], False),
        (PHOTOS["cat"], PHOTOS["cat"][::-1].copy(), False),
    ],
    ids=[
        "details",
        "light",
        "skies",
        "shapes that are moved and mirrored",
        "photos",
        "red, blue",
        "other ground",
        "moved",
        "a shade",
        "plain",
        "one pixel",
        "negative",
        "upside down",
    ],
)
def test_what_is_a_near_copy_and_what_is_not(one, two, alike: bool) -> None:
    assert len(near_copies([fingerprint(one), fingerprint(two)])) == alike


def test_among_pictures_that_all_look_alike_more_is_asked_for() -> None:
    seen = scan(digits().select(range(600)))
    assert near_copies(seen.fingerprints) == []
    few = [one for one in seen.fingerprints if one is not None][:24]  # too few to tell what strangers have in common
    assert likeness._needed(likeness._details(np.array([one.thumb for one in few]))) == likeness.DETAIL
    assert near_copies(scan(drawn_faces(100)).fingerprints) == []


def test_all_pairs_at_once_are_the_pairs_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tiles and few candidates, so that every border between them is crossed."""
    prints = [*PRINTS.values(), *(fingerprint(way(PHOTOS["cat"])) for way in WAYS.values()), None, PRINTS["cat"]]
    expected = [
        (one, two, bool(near_copies([prints[one], prints[two]])[0].mirrored))
        for one, two in itertools.combinations(range(len(prints) - 1), 2)
        if near_copies([prints[one], prints[two]])
    ]
    assert len(expected) > 40
    monkeypatch.setattr(likeness, "_ROWS", 3)
    monkeypatch.setattr(likeness, "_COLUMNS", 4)
    assert [tuple(pair) for pair in near_copies(prints)] == expected


@pytest.mark.parametrize("most", [0, 5, 40])
def test_with_too_many_candidates_the_likest_are_kept(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shades = [np.clip(PHOTOS["cat"].astype(int) + shade, 0, 255).astype(np.uint8) for shade in range(12)]
    prints = [fingerprint(shade) for shade in shades]
    monkeypatch.setattr(likeness, "MOST_CANDIDATES", most)
    pairs = near_copies(prints)
    assert len(pairs) < 66
    same_hash = {one.hash for one in prints}
    assert len(set(groups(prints, pairs))) <= len(same_hash)  # those with one hash are joined, whatever the bound


@pytest.mark.parametrize(
    ("pixels", "height", "width", "grey", "constant"),
    [
        (NOISE, 40, 30, False, False),
        (np.full((3, 5, 3), 200, np.uint8), 3, 5, True, True),
        (np.full((3, 5, 3), (200, 190, 190), np.uint8), 3, 5, False, True),
        (np.zeros((1, 1, 3), np.uint8), 1, 1, True, True),
        (np.repeat(NOISE[..., :1], 3, axis=2), 40, 30, True, False),
        (np.pad(np.zeros((1, 700, 3), np.uint8), ((0, 0), (0, 1), (0, 0)), constant_values=9), 1, 701, True, False),
    ],
    ids=["noise", "plain grey", "plain pink", "one pixel", "grey", "one other pixel"],
)
def test_what_is_noted_of_a_picture(pixels, height: int, width: int, grey: bool, constant: bool) -> None:
    one = fingerprint(pixels, b"GIF89a")
    assert (one.height, one.width, one.grey, one.constant) == (height, width, grey, constant)
    assert (one.size, one.magic, fingerprint(pixels).size) == (6, b"GIF89a", None)
    assert one.digest == hashlib.sha256(f"{height}x{width}:".encode() + pixels.tobytes()).hexdigest()[:32]


def test_a_digest_knows_shape_and_order_of_memory() -> None:
    assert digest(NOISE) != digest(NOISE.reshape(30, 40, 3))
    assert digest(NOISE[::2, ::-1]) == digest(NOISE[::2, ::-1].copy())


def test_the_hash_is_the_cosine_transform_against_its_median() -> None:
    picture = cv2.resize(NOISE, (32, 32))[..., 0]
    k, x = np.arange(8)[:, np.newaxis], np.arange(32)
    basis = np.cos(np.pi * k * (2 * x + 1) / 64) * np.sqrt(np.where(k == 0, 1, 2) / 32)
    waves = (basis @ picture @ basis.T).ravel()
    assert perceptual_hash(picture) == int("".join("01"[int(wave > np.median(waves))] for wave in waves), 2)


@pytest.mark.parametrize(
    ("digests", "pairs", "expected"),
    [
        ("", [], []),
        ("a", [], [0]),
        ("abc", [], [0, 1, 2]),
        ("aba", [], [0, 1, 0]),
        ("abc", [(1, 2)], [0, 1, 1]),
        ("abcd", [(1, 2), (2, 3)], [0, 1, 1, 1]),
        ("abcdef", [(0, 5), (3, 4), (4, 5)], [0, 1, 2, 0, 0, 0]),
        ("abab", [(0, 1)], [0, 0, 0, 0]),
        ("a-a-", [], [0, 1, 0, 3]),
    ],
)
def test_groups_by_hand(digests: str, pairs, expected: list[int]) -> None:
    """One letter a picture, "-" for one that cannot be read."""
    known = {letter: fingerprint(np.full((2, 2, 3), ord(letter), np.uint8)) for letter in set(digests) - {"-"}}
    given = [Pair(*pair, mirrored=False) for pair in pairs]
    assert groups([known.get(letter) for letter in digests], given) == expected


@pytest.mark.parametrize(
    ("digests", "pairs", "chosen", "expected", "errors"),
    [
        ("abc", [(0, 1), (1, 2)], [0, 1, 2], [(0, 1), (1, 2)], {}),
        ("abc", [(0, 1), (1, 2)], [0, 2], [], {}),  # what linked them is gone
        ("abc", [(0, 1), (1, 2)], [2, 1], [(0, 1)], {}),  # in another order
        ("aab", [(0, 2)], [0, 1, 2], [(0, 2)], {}),  # of exact copies the first stands for all
        ("aab", [(0, 2)], [1, 2], [(0, 1)], {}),  # the copy stands for the one that is gone
        ("abab", [(0, 1)], [3, 2], [(0, 1)], {}),
        ("a-b-", [(0, 2)], [0, 1, 2], [(0, 2)], {1: "picture 1"}),
        ("a-b-", [(0, 2)], [3, 0], [], {0: "picture 3"}),
        ("abc", [(0, 2)], [], [], {}),
    ],
)
def test_of_fewer_pictures_the_near_copies_need_not_be_looked_for_again(digests, pairs, chosen, expected, errors):
    known = {letter: fingerprint(np.full((2, 2, 3), ord(letter), np.uint8)) for letter in set(digests) - {"-"}}
    broken = {place: f"picture {place}" for place, letter in enumerate(digests) if letter == "-"}
    seen = Scan(tuple(known.get(letter) for letter in digests), broken)
    seen.__dict__["pairs"] = [Pair(*pair, mirrored=True) for pair in pairs]
    less = seen.select(chosen)
    assert less.fingerprints == tuple(seen.fingerprints[place] for place in chosen)
    assert less.errors == errors
    assert less.pairs == [Pair(*pair, mirrored=True) for pair in expected]


def test_the_pairs_of_fewer_real_pictures_are_those_that_a_new_search_finds() -> None:
    prints = [*PRINTS.values(), *(fingerprint(way(PHOTOS["cat"])) for way in WAYS.values()), PRINTS["cat"], None]
    seen = Scan(tuple(prints), {len(prints) - 1: "broken"})
    for _ in range(5):
        chosen = sorted(RANDOM.permutation(len(prints))[: len(prints) // 2].tolist())
        assert seen.select(chosen).pairs == near_copies([prints[place] for place in chosen])


def test_the_search_for_near_copies_tells_how_far_it_is_and_can_be_stopped() -> None:
    prints = [*PRINTS.values(), *(fingerprint(way(PHOTOS["cat"])) for way in WAYS.values())]
    seen, told = Scan(tuple(prints), {}), list[float]()
    seen.compare(told.append, lambda: False)
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1
    assert seen.pairs == near_copies(prints)
    with pytest.raises(Stopped):
        Scan(tuple(prints), {}).compare(told.append, lambda: len(told) > 0)


# ---------------------------------------------------------------------- the scan


@pytest.mark.parametrize("number", [0, 1, 2, 32, 33, 70])
def test_every_picture_is_seen_once_and_faults_stay_with_theirs(number: int) -> None:
    pictures = [np.full((2, 2, 3), n, np.uint8) if n % 3 else ImageError(f"{n} is broken.") for n in range(number)]
    told: list[tuple[int, int]] = []
    seen = scan(of(pictures), lambda done, total: told.append((done, total)))
    assert seen.errors == {n: f"{n} is broken." for n in range(0, number, 3)}
    assert [one and one.digest for one in seen.fingerprints] == [
        None if isinstance(picture, Exception) else digest(picture) for picture in pictures
    ]
    assert told == [(min(n + 32, number), number) for n in range(0, number, 32)]
    assert seen.pairs == []
    assert len(seen.groups) == number


def test_files_are_read_once_and_remembered_by_size_and_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    Image.fromarray(NOISE).save(tmp_path / "c" / "a.png")
    Image.fromarray(NOISE).save(tmp_path / "c" / "b.bmp")
    (tmp_path / "c" / "c.jpg").write_bytes(b"no picture")
    seen = scan(open_dataset(tmp_path))
    assert exact_copies(seen.fingerprints) == [(0, 1)]
    assert [one and one.size for one in seen.fingerprints] == [
        (tmp_path / "c" / "a.png").stat().st_size,
        (tmp_path / "c" / "b.bmp").stat().st_size,
        None,
    ]
    assert "c.jpg" in seen.errors[2]
    reads: list[int] = []
    file = io.BytesIO()
    Image.fromarray(NOISE).save(file, "PNG")
    scan(of([ValueError("must not be asked")] * 3, lambda index: reads.append(index) or file.getvalue()))
    assert sorted(reads) == [0, 1, 2]


def test_at_most_two_pictures_are_in_memory() -> None:
    lock, alive, most = threading.Lock(), 0, 0

    def pixels(index: int):
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        time.sleep(0.002)
        with lock:
            alive -= 1
        return np.full((4, 4, 3), index, np.uint8)

    scan(Dataset("many", ("a",), tuple(Entry(f"{n}", 0) for n in range(40)), pixels))
    assert most == 2


@pytest.mark.parametrize("fault", ["stop", "interrupt"])
def test_stop_and_ctrl_c_end_a_scan_at_once(fault: str) -> None:
    read: list[int] = []

    def pixels(index: int):
        read.append(index)
        return np.zeros((2, 2, 3), np.uint8)

    dataset = Dataset("many", ("a",), tuple(Entry(f"{n}", 0) for n in range(5000)), pixels)

    def interrupt(_done: int, _total: int) -> None:
        if fault == "interrupt":
            raise KeyboardInterrupt

    with pytest.raises(Stopped if fault == "stop" else KeyboardInterrupt):
        scan(dataset, interrupt, lambda: fault == "stop" and len(read) >= 10)
    assert len(read) <= 32


def test_nothing_to_compare() -> None:
    assert near_copies([]) == near_copies([None]) == near_copies([PRINTS["cat"]]) == []
    assert near_copies([PRINTS["cat"], PRINTS["cat"]]) == []  # exact copies are no near-copies
    assert Scan((), {}).groups == []
