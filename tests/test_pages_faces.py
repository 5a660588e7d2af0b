"""Checks the pages with a network for faces, without a browser: which face is answered, and many photos with faces.

The finder finds what the test says; the network answers by a rule that is worked out here again.
"""

import csv
import gc
import io
import json
import shutil
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from test_pages_classify import OWNER, components, opened, sentences, text

from cnnviz import engine, face, mistakes, samples
from cnnviz.cards import FILE, Card, read_card, write_card
from cnnviz.engine import EngineError, State
from cnnviz.face import Face
from cnnviz.many import FaceAnswer, Row
from cnnviz.ui import (
    batches,
    catalog,
    classify_faces,
    classify_many,
    classify_photo,
    classify_scores,
    face_choice,
    frame,
    strip,
)
from cnnviz.ui.batches import Batch, File, Given

pytestmark = pytest.mark.pages
ROOT = Path(__file__).resolve().parents[1]
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
OBJECTS = read_card(ROOT / "models" / "objects" / FILE)
CARD = Card.from_json(
    OBJECTS.to_json()
    | {"task": "face", "title": "Seven expressions", "labels": list(LABELS), "scores": {}, "threshold": 0.5}
    | {"preprocessing": {"height": 48, "width": 48, "color": "grey", "fit": "crop", "scale": "0..1"}}
)
PHOTO = samples.photo("astronaut")
BOXES = [(180, 60, 80, 100), (20, 200, 60, 60), (400, 300, 90, 80)]
FACES = [Face(box, 0.9, ((box[0] + 20.0, box[1] + 30.0), (box[0] + 50.0, box[1] + 30.0)),
              ((box[0] + 25.0, box[1] + 55.0), (box[0] + 45.0, box[1] + 55.0))) for box in BOXES]  # fmt: skip


def rule(pictures: Any) -> Any:
    """0.82 for one class, by the mean level, and 0.03 for each of the others."""
    found = np.full((len(pictures), 7), 0.03)
    means = [float(np.mean(one)) for one in pictures]
    found[np.arange(len(pictures)), [int(mean * 10) % 7 for mean in means]] = 0.82
    return found


def square(one: Face) -> Any:
    return CARD.preprocessing.picture(face.crop(PHOTO.pixels, one))


class Engine:
    """Stands in for the real one."""

    def __init__(self) -> None:
        self.found: tuple[Face, ...] | EngineError = tuple(FACES)
        self.asked: list[tuple[str, Any]] = []

    def state(self) -> State:
        return State(True, 0, "")

    def call(self, name: str, *arguments: Any, **_: Any) -> Any:
        self.asked.append((name, arguments))
        if name == "faces.find":
            if isinstance(self.found, EngineError):
                raise self.found
            return self.found
        assert name == "classifier.answers"
        return rule(arguments[1] if arguments[1].dtype == np.uint8 else arguments[1] * 255)

    def cached(self, key: tuple[object, ...], *rest: Any, **more: Any) -> Any:
        hash(key)
        return self.call(*rest, **more)


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    made = Engine()
    for name in ("state", "call", "cached"):
        monkeypatch.setattr(engine, name, getattr(made, name))
    monkeypatch.setenv(face.SWITCH, "on")
    folder = tmp_path / "emotions"
    shutil.copytree(ROOT / "models" / "objects", folder)
    write_card(CARD, folder / FILE)
    network = catalog.Network("emotions", CARD, folder, False)
    real = catalog._all
    monkeypatch.setattr(catalog, "_all", lambda owner: (real(owner)[0] | {"emotions": network}, ()))
    return made


def classify(**query: Any) -> AppTest:
    return opened(network="emotions", picture="astronaut", **query)


@pytest.mark.parametrize(
    ("asked", "number", "sentence"),
    [
        ({}, 1, ""),
        ({"face": "2"}, 2, ""),
        ({"face": "3"}, 3, ""),
        ({"face": "4"}, 1, "The link asks for face 4, and 3 faces were found in this photo; this is the first."),
        ({"face": "0"}, 1, "The link asks for face 0, and"),
        ({"face": "-1"}, 1, "The link asks for face -1, and"),
        ({"face": "<b>"}, 1, "The link asks for face <b>, and"),
        ({"face": "02"}, 1, "The link asks for face 02, and"),
    ],
)
def test_the_face_of_the_address_is_opened(asked: dict[str, str], number: int, sentence: str, fake: Engine) -> None:
    app = classify(**asked)
    assert not app.exception
    assert f"Face {number} of 3" in text(app)
    assert sentence in text(app)
    assert ("The link asks" in text(app)) is bool(sentence)
    sent = components(app)["faces"]
    assert sent["chosen"] == number
    answers = rule([square(one) for one in FACES])
    assert [(one["label"], one["p"].replace("\u00a0", " ")) for one in sent["faces"]] == [
        (LABELS[int(answer.argmax())], f"{100 * answer.max():.1f} %") for answer in answers
    ]
    assert np.allclose(sent["photo"]["boxes"], [[100 * value / 512 for value in one.box] for one in FACES])
    said = LABELS[int(answers[number - 1].argmax())]
    assert f'<p class="said">{said} ' in text(app)
    assert f'alt="Avatar: {said}"' in text(app)
    assert face.NOTE in text(app)
    chosen = FACES[number - 1]
    assert classify_photo.array(square(chosen), "What the network sees") in text(app)
    assert classify_faces.cut(PHOTO, chosen, classify_faces.AROUND) in text(app)
    asked_for = [arguments[1] for name, arguments in fake.asked if name == "classifier.answers"]
    assert all((pictures == np.stack([square(one) for one in FACES])).all() for pictures in asked_for)


def test_one_face_needs_no_list(fake: Engine) -> None:
    fake.found = (FACES[0],)
    app = classify(face="2")
    assert "faces" not in components(app)
    assert "The face in the photo" in text(app)
    assert "The link asks for face 2, and 1 face was found" in text(app)


@pytest.mark.parametrize(
    ("found", "sentence"), [((), face.NONE_FOUND), (EngineError("It broke."), "It broke.")], ids=["nobody", "broken"]
)
def test_where_no_face_is_found_a_sentence_stands_in_place_of_the_answer(
    found: Any, sentence: str, fake: Engine
) -> None:
    fake.found = found
    app = classify(mistakes="true")
    assert sentences(app) == [sentence]
    assert 'class="said' not in text(app)
    assert not any(name == "classifier.answers" for name, _ in fake.asked)


def test_the_threshold_decides_what_is_not_sure_in_list_and_answer() -> None:
    app = classify(sure="90")
    assert [one["sure"] for one in components(app)["faces"]["faces"]] == [False] * 3
    assert {one["expression"] for one in components(app)["faces"]["faces"]} == {"not sure"}
    assert "Not sure" in text(app)
    assert 'alt="Avatar: not sure"' in text(app)


def test_the_drawer_makes_the_mistakes_of_faces_on_the_chosen_one(fake: Engine) -> None:
    app = classify(face="2", mistakes="true", eyes="true")
    keys = [one.key for one in mistakes.of(CARD.preprocessing, faces=True)]
    assert [one.key for one in app.toggle] == keys
    assert "After: eyes covered" in text(app)
    sent = [arguments[1] for name, arguments in fake.asked if name == "classifier.answers"][-1]
    made = mistakes.picture(PHOTO.pixels, CARD.preprocessing, ["eyes"], face=FACES[1])
    assert (made != square(FACES[1])).any()
    assert (sent[0] == CARD.preprocessing.scaled(made)).all()


def test_another_photo_begins_with_its_first_face() -> None:
    app = classify(face="3")
    app.session_state["picture"] = "cat"
    app.run()
    assert components(app)["faces"]["chosen"] == 1


@pytest.mark.parametrize("page", ["pages/classify.py", "pages/inside.py"])
def test_the_face_of_a_link_to_ones_own_photo_waits_for_it_in_one_sentence(page: str) -> None:
    app = opened(page, network="emotions", picture="own", face="7")
    assert len(sentences(app)) == 1
    assert "Your own photo goes here" in sentences(app)[0]
    assert "The link asks" not in text(app)
    assert "ace 1 of 3" in text(app), "the first of the sample that stands in"
    app = opened(page, network="emotions", picture="own", face="2")
    strip.PHOTOS.put(OWNER, replace(PHOTO, digest="0" * 32))
    app.run()
    assert sentences(app) == []
    assert "ace 2 of 3" in text(app), "the face that the link asks for"
    strip.PHOTOS.drop(OWNER)


def test_of_a_link_to_ones_own_photo_nothing_is_left_on_another() -> None:
    app = opened(network="emotions", picture="own", face="7")
    app.session_state["picture"] = "cat"
    app.run()
    assert components(app)["faces"]["chosen"] == 1
    assert "The link asks" not in text(app)


@pytest.mark.parametrize(("side", "said"), [(11, True), (12, False), (40, False)])
def test_a_face_that_was_enlarged_much_means_little(side: int, said: bool, fake: Engine) -> None:
    fake.found = (replace(FACES[0], box=(30, 40, side, side)),)
    sentence = f"enlarged from {side} × {side} to 48 × 48 pixels, so the answer means little"
    assert (sentence in text(classify())) is said


@pytest.mark.parametrize("page", ["pages/classify.py", "pages/inside.py"])
def test_a_photo_that_is_let_go_leaves_memory_though_its_faces_are_on_the_page(page: str, fake: Engine) -> None:
    photo = replace(PHOTO, pixels=PHOTO.pixels.copy(), digest="0" * 32)
    strip.PHOTOS.put(OWNER, photo)
    held = weakref.ref(photo.pixels)
    app = opened(page, network="emotions", picture="own", mistakes="true", face="2")
    assert "ace 2 of 3" in text(app)
    assert held() is not None
    del photo
    fake.asked.clear()
    strip.PHOTOS.drop(OWNER)
    gc.collect()
    assert held() is None


# ------------------------------------------------------------------------------------------------- one of many faces


@pytest.mark.parametrize(
    ("size", "fit", "words"),
    [
        ((48, 48), "crop", "48 × 48 pixels, grey, levels 0..1"),
        ((48, 48), "letterbox", "48 × 48 pixels, grey, levels 0..1"),
        ((48, 40), "crop", "48 × 40 pixels, grey, middle cropped, levels 0..1"),
    ],
)
def test_of_a_square_nothing_is_cropped(size: tuple[int, int], fit: Any, words: str) -> None:
    assert replace(CARD.preprocessing, height=size[0], width=size[1], fit=fit).words(square=True) == words


@pytest.mark.parametrize(
    ("box", "around", "left", "beyond"),
    # a square of 100 whose left edge is at 170; with half of it on each side what is shown begins at 120
    [((180, 60, 80, 100), None, 100 * 170 / 512, False), ((180, 60, 80, 100), 0.5, 25, False),
     ((0, 0, 100, 60), None, 0, True)],
)  # fmt: skip
def test_the_square_is_marked_where_it_lies(box: Any, around: float | None, left: float, beyond: bool) -> None:
    drawn = classify_faces.cut(PHOTO, replace(FACES[0], box=box), around)
    found = float(drawn.split('<b style="left:')[1].split("%")[0])
    assert abs(found - left) < 0.3
    assert "100 × 100 pixels" in drawn
    assert ("the photo’s edge is repeated" in drawn) is beyond


@pytest.mark.parametrize(
    ("digest", "expected"),
    [(PHOTO.digest, PHOTO.name), (f"{PHOTO.digest}-face2", f"{PHOTO.name}, face 2"), (f"{PHOTO.digest}-face9", None),
     ("another", None)],
)  # fmt: skip
def test_a_file_of_inside_is_made_of_the_same_face(digest: str, expected: str | None) -> None:
    found = face_choice.again(PHOTO, digest, "turn")
    assert (found and found.name) == expected
    if expected and "face" in expected:
        assert (found.pixels == face.crop(PHOTO.pixels, FACES[1])).all()


# ------------------------------------------------------------------------------------------------------- many photos


def scores(label: str, p: float) -> dict[str, float]:
    return {one: p if one == label else (1 - p) / 6 for one in LABELS}


ROWS = [
    Row("two.jpg", "1", faces=(FaceAnswer((1, 2, 30, 40), scores("sad", 0.4), False),
                               FaceAnswer((50, 2, 40, 41), scores("happy", 0.9), True))),
    Row("none.jpg", "2", faces=()),
    Row("broken.jpg", error="broken.jpg is broken."),
    Row("one.jpg", "3", faces=(FaceAnswer((5, 6, 7, 8), scores("fear", 0.7), True),)),
]  # fmt: skip
GIVEN = Given("x", tuple(File(row.name, b"", folder) for row, folder in zip(ROWS, ("happy", "sad", "sad", "happy"),
                                                                            strict=True)), (), 4)  # fmt: skip


def test_csv_has_a_line_a_face() -> None:
    lines = list(csv.DictReader(io.StringIO(batches.csv_text(ROWS, CARD, 0.5, [3, 4, 4, None]))))
    columns = ("file", "face", "x", "width", "answer", "probability", "sure", "true class", "error")
    assert [tuple(line[name] for name in columns) for line in lines] == [
        ("two.jpg", "1", "1", "30", "sad", "0.400000", "no", "", ""),
        ("two.jpg", "2", "50", "40", "happy", "0.900000", "yes", "happy", ""),
        ("none.jpg", "0", "", "", "", "", "", "sad", "no face found"),
        ("broken.jpg", "", "", "", "", "", "", "sad", "broken.jpg is broken."),
        ("one.jpg", "1", "5", "7", "fear", "0.700000", "yes", "", ""),
    ]
    assert float(lines[1]["happy"]) == 0.9


def test_json_is_as_the_command_line_has_it() -> None:
    assert json.loads(batches.json_text(ROWS, 0.8)) == [
        {"file": "two.jpg", "faces": [{"box": [1, 2, 30, 40], "scores": scores("sad", 0.4), "sure": False},
                                      {"box": [50, 2, 40, 41], "scores": scores("happy", 0.9), "sure": True}]},
        {"file": "none.jpg", "faces": []},
        {"file": "broken.jpg", "error": "broken.jpg is broken."},
        {"file": "one.jpg", "faces": [{"box": [5, 6, 7, 8], "scores": scores("fear", 0.7), "sure": False}]},
    ]  # fmt: skip


def test_the_largest_face_is_scored_and_a_photo_without_one_is_wrong() -> None:
    found, torn, _ = classify_scores.scored(ROWS, GIVEN, CARD)
    assert found is not None
    assert (torn, found.true, found.said) == (0, (3, 3), (3, 2))
    assert (found.scores.n, found.scores.right) == (3, 1)
    assert found.scores.unanswered == (0, 0, 0, 0, 1, 0, 0)


def test_where_no_face_was_found_in_any_photo_nothing_is_scored() -> None:
    assert classify_scores.scored(ROWS[1:3], replace(GIVEN, files=GIVEN.files[1:3]), CARD) == (None, 0, 0)


@pytest.mark.parametrize(
    ("which", "words"),
    [
        (ROWS, "3 photos looked through, 3 faces in them, 2 of the faces surely; in 1 photo no face was found; "
               "1 could not be answered and is listed with the reason."),
        (ROWS[1:2], "1 photo looked through, 0 faces in them, 0 of the faces surely; in 1 photo no face was found."),
        (ROWS[3:], "1 photo answered, 1 face in them, 1 of the faces surely."),
    ],
)  # fmt: skip
def test_the_summary_counts_faces(which: list[Row], words: str) -> None:
    batch = Batch("x", replace(GIVEN, files=GIVEN.files[: len(which)]), rows=which)
    assert classify_many.summary(batch, which, 0.5) == words


def test_the_table_has_a_line_a_face_and_the_truth_at_the_largest() -> None:
    lines = [line for row in ROWS for line in classify_many._lines(row, "happy", 0.5)]
    assert [(line["name"], line.get("face"), line.get("answer"), line["true"], line["error"]) for line in lines] == [
        ("two.jpg", "face 1 of 2", "sad", "", ""),
        ("two.jpg", "face 2 of 2", "happy", "happy", ""),
        ("none.jpg", None, None, "happy", "No face was found in this photo."),
        ("broken.jpg", None, None, "happy", "broken.jpg is broken."),
        ("one.jpg", "face 1 of 1", "fear", "happy", ""),
    ]


@pytest.mark.parametrize("said", ["off", "on"])
def test_where_faces_are_switched_off_a_link_says_so(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(face.SWITCH, said)
    app = classify(face="2")
    assert (face.OFF in text(app)) is (said == "off")
    assert ("faces" in components(app)) is frame.faces() is (said == "on")
    assert ("Face 2 of 3" in text(app)) is (said == "on")
