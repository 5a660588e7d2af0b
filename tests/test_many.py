"""Many photos: a row for each, in order, as its batch is answered, whatever the files are."""

import hashlib
import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnviz import many
from cnnviz.cards import Card, read_card
from cnnviz.engine import EngineError, Replaced
from cnnviz.face import Face
from cnnviz.many import BATCH, FIRST, Row, classify_many
from cnnviz.networks import NetworkError

CARD = read_card(Path(__file__).resolve().parents[1] / "models" / "objects" / "card.json")


def picture(level: int, size: tuple[int, int] = (40, 30), kind: str = "PNG", **options: Any) -> bytes:
    """A file in one grey level."""
    file = io.BytesIO()
    Image.new("RGB", size, (level, level, level)).save(file, kind, **options)
    return file.getvalue()


def by_brightness(pictures: np.ndarray) -> np.ndarray:
    """Answers whose class 0 has the picture's brightness as its probability, and class 1 the rest."""
    found = np.zeros((len(pictures), 10))
    found[:, 0] = pictures.mean(axis=(1, 2, 3)) / 255
    found[:, 1] = 1 - found[:, 0]
    return found


class Answers:
    """by_brightness that notes the sizes of its batches, and raises what is planned for a batch."""

    def __init__(self, **plan: Exception):
        self.sizes: list[int] = []
        self.plan = {int(name[1:]): error for name, error in plan.items()}

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        assert pictures.dtype == np.uint8
        self.sizes.append(len(pictures))
        if error := self.plan.get(len(self.sizes)):
            raise error
        return by_brightness(pictures)


def rows(files: list[tuple[str, Any]], answer: Any = by_brightness, **options: Any) -> list[Row]:
    return list(classify_many(files, CARD, answer, **options))


def test_each_file_gets_its_own_answer_in_the_order_of_the_files():
    levels = [(37 * n) % 256 for n in range(50)]
    found = rows([(f"{n}.png", picture(level)) for n, level in enumerate(levels)])
    assert [row.name for row in found] == [f"{n}.png" for n in range(50)]
    assert [round(row.scores["airplane"] * 255) for row in found] == levels
    assert all(list(row.scores) == list(CARD.labels) for row in found)
    assert [row.label for row in found] == ["airplane" if level >= 128 else "automobile" for level in levels]
    assert not any(row.error for row in found)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (1, [1]), (FIRST, [FIRST]), (FIRST + 1, [FIRST, 1]), (FIRST + 2 * BATCH, [FIRST, BATCH, BATCH])],
)
def test_the_first_batch_is_small_so_that_answers_show_at_once(count, sizes):
    answers = Answers()
    assert len(rows([(f"{n}", picture(n)) for n in range(count)], answers)) == count
    assert answers.sizes == sizes


def test_rows_come_before_later_files_are_read():
    read: list[int] = []

    def file(n: int) -> tuple[str, Any]:
        return str(n), lambda: read.append(n) or time.sleep(0.05) or picture(n)

    going = classify_many((file(n) for n in range(200)), CARD, by_brightness)
    assert next(going).name == "0"
    assert len(read) < FIRST + BATCH // 2
    going.close()
    end = time.monotonic() + 10
    while [one for one in threading.enumerate() if one.name.startswith("cnnviz photos")]:
        assert time.monotonic() < end, "threads go on after a Stop"
        time.sleep(0.01)
    assert len(read) < FIRST + BATCH // 2  # what was to be read next is not read any more


def test_the_next_batch_is_being_read_while_the_network_answers():
    read: list[int] = []

    def answer(pictures: np.ndarray) -> np.ndarray:
        end = time.monotonic() + 10
        while len(read) < FIRST + 2:
            assert time.monotonic() < end, "nothing is read meanwhile"
            time.sleep(0.01)
        return by_brightness(pictures)

    files = [(str(n), lambda n=n: read.append(n) or picture(n)) for n in range(FIRST + 3)]
    assert len(rows(files, answer)) == FIRST + 3


def missing() -> bytes:
    raise FileNotFoundError(2, "No such file or directory")


def in_a_broken_zip() -> bytes:
    raise OSError("is packed with LZMA, which cannot be opened here; make the zip anew with Deflate.")


def no_memory() -> bytes:
    raise MemoryError


def animation() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("RGB", (20, 20), (level, level, level)) for level in (255, 0, 0)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words", "level"),
    [
        (b"", "empty", None),
        (b"only words\n" * 30, "text", None),
        (picture(9)[:60], "damaged or cut off", None),
        (b"PK\x03\x04" + bytes(200), "odd.jpg", None),
        (missing, "This file cannot be read: No such file or directory.", None),
        (in_a_broken_zip, "This file is packed with LZMA", None),
        (no_memory, "more memory than is free", None),
        (picture(200, (1, 1)), "", 200),
        (picture(200, (20_000, 1)), "", 200),
        (picture(200, (1, 20_000)), "", 200),
        (animation(), "", 255),  # its first frame
    ],
    ids=[
        "empty",
        "text",
        "cut",
        "zip",
        "missing",
        "packed",
        "memory",
        "1 x 1",
        "20,000 x 1",
        "1 x 20,000",
        "animation",
    ],
)
def test_a_file_that_cannot_be_used_is_a_row_with_a_sentence_and_the_others_are_done(data, words, level):
    before, odd, after = rows([("a.png", picture(255)), ("odd.jpg", data), ("b.png", picture(0))])
    assert (before.scores["airplane"], after.scores["airplane"]) == (1, 0)
    assert words in odd.error
    if level is None:
        assert (odd.scores, odd.sure, odd.thumbnail, odd.label) == (None, False, b"", "")
        assert odd.error.endswith(".")
    else:
        assert odd.scores["airplane"] == pytest.approx(level / 255, abs=0.01)


def test_a_batch_of_files_that_cannot_be_used_asks_nothing():
    answers = Answers()
    found = rows([(f"{n}", b"nothing") for n in range(FIRST)] + [("good", picture(255))], answers)
    assert [bool(row.error) for row in found] == [True] * FIRST + [False]
    assert answers.sizes == [1]


def test_the_same_file_twice_has_the_same_digest_and_answer():
    data = picture(60)
    one, two, other = rows([("a.png", data), ("b.png", data), ("c.png", picture(61))])
    assert one.digest == two.digest == hashlib.sha256(data).hexdigest()[:32] != other.digest
    assert one.scores == two.scores
    assert (one.name, two.name) == ("a.png", "b.png")


@pytest.mark.parametrize(
    ("threshold", "card", "sure"),
    [(None, 0.5, [True, True, True]), (None, None, [True, True, True]), (0.75, 0.5, [True, False, True])],
)
def test_sure_is_what_reaches_the_threshold(threshold, card, sure):
    """Brightness 255, 153 and 64 give the best class 1, .6 and .75."""
    changed = Card.from_json({**json.loads(json.dumps(CARD.to_json())), "threshold": card})
    files = [("a", picture(255)), ("b", picture(153)), ("c", picture(63))]
    assert [row.sure for row in classify_many(files, changed, by_brightness, threshold)] == sure


@pytest.mark.parametrize(("card", "sure"), [(None, [False, True]), (0.4, [True, True]), (0.55, [False, False])])
def test_without_a_threshold_sure_begins_at_a_half_as_on_the_page(card, sure):
    changed = Card.from_json({**json.loads(json.dumps(CARD.to_json())), "threshold": card})
    found = np.array([[0.49, 0.48, *[0.03 / 8] * 8], [0.5, 0.4, *[0.1 / 8] * 8]])
    rows = classify_many([("a", picture(1)), ("b", picture(2))], changed, lambda _: found)
    assert [row.sure for row in rows] == sure


@pytest.mark.parametrize(("side", "size"), [(96, (96, 48)), (10, (10, 5)), (0, None)])
def test_thumbnails_have_their_long_side(side, size):
    (row,) = rows([("a.png", picture(50, (400, 200)))], thumbnail=side)
    assert (Image.open(io.BytesIO(row.thumbnail)).size if row.thumbnail else None) == size


FACES = Card.from_json({**json.loads(json.dumps(CARD.to_json())), "task": "face", "threshold": 0.75})


def by_width(pixels: np.ndarray, digest: str) -> tuple[Face, ...]:
    """A face for each 20 pixels of width, each a square of that side; digest: of the photo whose pixels these are."""
    assert len(digest) == 32
    boxes = [(20 * n, 0, 20, 20) for n in range(pixels.shape[1] // 20)]
    return tuple(Face(box, 0.9, ((0.0, 0.0), (1.0, 0.0)), ((0.0, 1.0), (1.0, 1.0))) for box in boxes)


def striped(*levels: int) -> bytes:
    """A photo whose faces, as by_width finds them, have these levels."""
    file = io.BytesIO()
    pixels = np.repeat(np.repeat(np.array([levels], np.uint8), 20, axis=0), 20, axis=1)
    Image.fromarray(np.dstack([pixels] * 3)).save(file, "PNG")
    return file.getvalue()


def in_faces(files: list[tuple[str, Any]], answer: Any = by_brightness, find: Any = by_width) -> list[Row]:
    return list(classify_many(files, FACES, answer, find=find))


def test_each_face_of_each_photo_gets_its_own_answer():
    answers = Answers()
    photos = [(255,), (0, 255, 51), tuple(range(40)), (102, 204)]
    found = in_faces([(f"{n}", striped(*levels)) for n, levels in enumerate(photos)], answers)
    assert answers.sizes == [1, 3, 40, 2]  # all of a photo at once
    for row, levels in zip(found, photos, strict=True):
        assert (row.scores, row.error, row.label) == (None, "", "")
        assert [round(one.scores["airplane"] * 255) for one in row.faces] == list(levels)
        assert [one.box for one in row.faces] == [(20 * n, 0, 20, 20) for n in range(len(levels))]
        assert all(list(one.scores) == list(CARD.labels) for one in row.faces)
    assert [one.sure for one in found[1].faces] == [True, True, True]
    assert [(one.label, one.sure) for one in found[3].faces] == [("automobile", False), ("airplane", True)]
    assert [bool(row.thumbnail) for row in found] == [True] * 4
    small = Image.open(io.BytesIO(found[3].faces[1].thumbnail))
    assert small.size == (20, 20)
    assert abs(np.asarray(small).mean() - 204) < 5


def test_a_box_is_given_in_the_pixels_of_the_file():
    file = io.BytesIO()
    Image.new("RGB", (60, 4000)).save(file, "PNG")  # 24 pixels wide as it is shown
    (row,) = in_faces([("tall", file.getvalue())])
    assert [one.box for one in row.faces] == [(0, 0, 50, 50)]


def test_a_photo_without_a_face_asks_the_network_nothing():
    answers = Answers()
    none, one = in_faces([("none", picture(9, (10, 10))), ("one", striped(9))], answers)
    assert (none.faces, none.scores, none.error, none.sure) == ((), None, "", False)
    assert len(one.faces) == 1
    assert answers.sizes == [1]


def test_photos_without_faces_looked_for_say_none_and_not_empty():
    (row,) = rows([("a", picture(255))])
    assert row.faces is None
    assert row.scores is not None


def test_each_photo_shows_before_the_next_is_asked():
    answers = Answers()
    going = classify_many([(f"{n}", striped(n)) for n in range(8)], FACES, answers, find=by_width)
    for count in range(1, 9):
        next(going)
        assert len(answers.sizes) == count


def test_few_whole_photos_are_held_at_once():
    """They are not reduced to the network's input before faces are found in them."""
    read: list[int] = []
    files = [(str(n), lambda n=n: read.append(n) or striped(n)) for n in range(60)]
    most = 0
    for number, _ in enumerate(classify_many(files, FACES, by_brightness, find=by_width)):
        most = max(most, len(read) - number)
    assert len(read) == 60
    assert most <= 9


@pytest.mark.parametrize("breaks", ["find", "answer"])
def test_a_photo_over_which_the_engine_breaks_is_a_row_with_a_sentence(breaks):
    def broken(asked: Any, *_: Any) -> Any:
        if asked.max() == 7:
            raise EngineError("It broke down.")
        return by_brightness(asked) if breaks == "answer" else by_width(asked, "0" * 32)

    files = [("a", striped(1)), ("b", striped(7)), ("c", b""), ("d", striped(2, 3))]
    found = in_faces(files, **{breaks: broken})
    assert [row.error for row in found][:2] == ["", "It broke down."]
    assert "empty" in found[2].error
    assert [None if row.faces is None else len(row.faces) for row in found] == [1, None, None, 2]


@pytest.mark.parametrize(
    ("error", "after"), [(NetworkError("Faces are off."), 0), (Replaced("A newer one."), 0), (EngineError("Again."), 2)]
)
def test_what_ends_it_ends_it_with_faces_too(error, after):
    def find(*_: Any) -> Any:
        raise error

    found: list[Row] = []
    with pytest.raises(type(error)):
        found.extend(classify_many([(f"{n}", striped(n)) for n in range(9)], FACES, by_brightness, find=find))
    assert [row.error for row in found] == ["Again."] * after


class Breaks:
    """by_brightness that breaks down over pictures of these levels, whatever else is in the batch."""

    def __init__(self, *levels: int):
        self.levels, self.sizes = levels, []

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        self.sizes.append(len(pictures))
        if any(one.max() in self.levels for one in pictures):
            raise EngineError("It broke down.")
        return by_brightness(pictures)


@pytest.mark.parametrize(
    ("levels", "sizes"),
    [
        ((), [FIRST, BATCH, 3]),
        ((FIRST + 2,), [FIRST, BATCH, *[1] * (BATCH - 1), 3]),
        ((1, 2), [FIRST, *[1] * FIRST, BATCH, 3]),
    ],
)
def test_a_batch_over_which_the_engine_breaks_is_asked_photo_by_photo(levels, sizes):
    answer = Breaks(*levels)
    files = [(f"{n}", picture(n)) for n in range(FIRST + BATCH + 3)]
    files[FIRST] = ("broken", b"")
    sizes = [size - (size == BATCH) for size in sizes]  # a file that is broken is not asked
    found = rows(files, answer)
    assert answer.sizes == sizes
    assert {n for n, row in enumerate(found) if row.error == "It broke down."} == set(levels)
    assert "empty" in found[FIRST].error
    assert [round(row.scores["airplane"] * 255) for row in found if row.scores] == [
        n for n in range(len(files)) if n not in (*levels, FIRST)
    ]


@pytest.mark.parametrize(
    ("answer", "error", "before"),
    [
        (Answers(_2=NetworkError("It is gone.")), NetworkError, FIRST),
        (Answers(_2=Replaced("A newer one.")), Replaced, FIRST),
        (Answers(_2=EngineError("It broke."), _4=Replaced("A newer one.")), Replaced, FIRST + 1),
        (Breaks(*range(FIRST + 5, 100)), EngineError, FIRST + 5 + 2),
        (Breaks(*range(100)), EngineError, 2),
    ],
)
def test_what_will_not_get_better_ends_it(answer, error, before):
    found = []
    with pytest.raises(error):
        found.extend(_collected(found, answer))
    assert len(found) == before


def _collected(found: list[Row], answer: Any) -> Iterator[Row]:
    for row in classify_many([(f"{n}", picture(n)) for n in range(100)], CARD, answer):
        found.append(row)
    return iter(())


def test_through_engine_asks_for_the_answers_of_the_folder(monkeypatch):
    asked = []
    monkeypatch.setattr(many.engine, "call", lambda *given, **more: asked.append((given, more)) or "answer")
    say = print
    assert many.through_engine(Path("models/objects"), "me/classify/many", say)(np.zeros((1, 2, 2, 3))) == "answer"
    (((name, folder, pictures), more),) = asked
    assert (name, folder, pictures.shape) == ("classifier.answers", "models/objects", (1, 2, 2, 3))
    assert more == {"turn": "me/classify/many", "say": say}
