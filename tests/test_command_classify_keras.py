"""The command line's answers: for files and folders, as text and as JSON, with a sentence for each that is no good."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnviz import face, images
from cnnviz.cards import read_card

pytestmark = pytest.mark.keras
ROOT = Path(__file__).resolve().parents[1]
PHOTOS = sorted((ROOT / "sample_images").rglob("*.[jpw][pne][gb]*"))[:20]


def command(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    line = [sys.executable, "-m", "cnnviz", *words]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def classify(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return command(folder, "classify", *words, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Photos good and bad, and networks good and bad, where the command is called."""
    folder = tmp_path_factory.mktemp("classify")
    shutil.copytree(ROOT / "models" / "objects", folder / "models" / "objects")
    (folder / "photos" / "inner").mkdir(parents=True)
    shutil.copy(ROOT / "sample_images" / "cat.jpg", folder / "photos" / "cat.jpg")
    shutil.copy(ROOT / "sample_images" / "coffee.jpg", folder / "photos" / "inner" / "COFFEE.JPG")
    (folder / "photos" / "notes.txt").write_text("not a photo")
    (folder / "photos" / ".hidden.jpg").write_bytes(b"")
    (folder / "photos" / ".thumbs").mkdir()
    shutil.copy(ROOT / "sample_images" / "cat.jpg", folder / "photos" / ".thumbs" / "cat.jpg")
    (folder / "photos" / "cut.png").write_bytes((ROOT / "sample_images" / "circle.png").read_bytes()[:200])
    (folder / "nothing").mkdir()
    for name in ("cut", "newer", "other", "face"):
        shutil.copytree(ROOT / "models" / "objects", folder / "models" / name)
    path = folder / "models" / "cut" / "model.keras"
    path.write_bytes(path.read_bytes()[:5000])
    for name, change in (
        ("newer", {"format": 9}),
        ("other", {"labels": ["a", "b", "c"], "scores": {}}),
        ("face", {"task": "face"}),
    ):
        path = folder / "models" / name / "card.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    return folder


def test_json_has_every_class_of_every_photo_as_the_network_answers_in_this_process(folder):
    from cnnviz.networks import classifier  # noqa: PLC0415

    done = classify(folder, *map(str, PHOTOS), "--model", "objects", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == list(map(str, PHOTOS))
    card = read_card(ROOT / "models" / "objects" / "card.json")
    for line, path in zip(lines, PHOTOS, strict=True):
        seen = card.preprocessing.picture(images.decode(path.read_bytes()).pixels)
        expected = classifier.answers(ROOT / "models" / "objects", seen[None])[0]
        assert set(line) == {"file", "scores", "sure"}
        assert list(line["scores"]) == list(card.labels)
        np.testing.assert_allclose(list(line["scores"].values()), expected, atol=1e-4)
        assert sum(line["scores"].values()) == pytest.approx(1, abs=1e-6)
        assert line["sure"] == (max(line["scores"].values()) >= card.threshold)


def test_text_names_the_three_best_and_bad_files_do_not_stop_the_others(folder):
    strange = "caf\udce9.jpg"  # a name that is no UTF-8, as old zips have them
    shutil.copy(folder / "photos" / "cat.jpg", folder / strange)
    words = ("nowhere.jpg", strange, "photos", "photos/notes.txt", "nothing/", "--model", "models/objects")
    done = classify(folder, *words, PYTHONIOENCODING="utf-8:strict")
    assert done.returncode == 1
    third, first, second = done.stdout.splitlines()
    assert third.startswith("caf\\udce9.jpg: cat 5")
    assert first.startswith("photos/cat.jpg: cat 5")
    assert second.startswith("photos/inner/COFFEE.JPG: not sure; automobile")
    assert second.count("%") == 3
    for line, words in zip(
        done.stderr.splitlines(),
        (
            "nowhere.jpg is not there",
            "photos/cut.png ",
            "photos/notes.txt seems to be a text",
            "nothing/ is a folder without a picture",
        ),
        strict=True,
    ):
        assert line.startswith(words)
        assert line.endswith(".")


def test_a_bad_file_is_a_json_line_in_its_place(folder):
    done = classify(folder, "photos/cut.png", "photos/cat.jpg", "--model", "objects", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    bad, good = map(json.loads, done.stdout.splitlines())
    assert set(bad) == {"file", "error"}
    assert bad["file"] == "photos/cut.png"
    assert good["scores"]["cat"] > 0.5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--model", "objects"), "Missing argument"),
        (("photos/cat.jpg",), "Missing option '--model'"),
        (("photos/cat.jpg", "--model", "nobody"), "There is no network nobody"),
        (("photos/cat.jpg", "--model", "cut"), "cut/model.keras cannot be read, it is damaged or cut off"),
        (("photos/cat.jpg", "--model", "newer"), "written by a newer program: update this one"),
        (("photos/cat.jpg", "--model", "other"), "has 10 outputs, and its card names 3 classes"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(folder, words, sentence):
    done = classify(folder, *words)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------------------------------------ faces


def group(rows: int, columns: int, side: int) -> Any:
    """So many times the astronaut's face, each in a square of this side."""
    face = images.decode((ROOT / "sample_images" / "astronaut.jpg").read_bytes()).pixels[30:230, 130:330]
    return np.tile(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), (rows, columns, 1))


@pytest.fixture(scope="module")
def group_photos(folder: Path) -> list[str]:
    """Three faces, forty, one lying on its side, none, a drawn one, and a file that is cut off."""
    for name, pixels in (
        ("three.png", group(1, 3, 200)),
        ("forty.png", group(5, 8, 150)),
        ("sideways.png", np.rot90(group(1, 1, 200))),
    ):
        Image.fromarray(pixels).save(folder / name)
    for name in ("coffee.jpg", "happy_face.png"):
        shutil.copy(ROOT / "sample_images" / name, folder / name)
    return ["three.png", "forty.png", "coffee.jpg", "photos/cut.png", "happy_face.png", "sideways.png"]


def test_every_face_is_found_and_answered_as_this_process_does_it(folder, group_photos):
    from cnnviz.networks import classifier, faces  # noqa: PLC0415

    done = classify(folder, *group_photos, "--model", "face", "--json")
    assert (done.returncode, done.stderr) == (1, "")  # of the file that is cut off
    lines = {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert list(lines) == group_photos
    assert set(lines["photos/cut.png"]) == {"file", "error"}
    assert len(lines["three.png"]["faces"]) == 3
    assert len(lines["forty.png"]["faces"]) == 40
    assert lines["coffee.jpg"]["faces"] == []
    card = read_card(ROOT / "models" / "objects" / "card.json")
    for name, line in lines.items():
        if "error" in line:
            continue
        assert set(line) == {"file", "faces"}
        photo = images.decode((folder / name).read_bytes()).pixels
        found = faces.find(face.reduced(photo), photo.shape[:2])
        assert [one["box"] for one in line["faces"]] == [list(one.box) for one in found]
        if not found:
            continue
        seen = np.stack([card.preprocessing.picture(face.crop(photo, one)) for one in found])
        for one, answer in zip(line["faces"], classifier.answers(ROOT / "models" / "objects", seen), strict=True):
            assert set(one) == {"box", "scores", "sure"}
            assert list(one["scores"]) == list(card.labels)
            np.testing.assert_allclose(list(one["scores"].values()), answer, atol=1e-4)
            assert one["sure"] == (max(one["scores"].values()) >= card.threshold)


def test_faces_in_words_are_numbered_and_where_none_is_found_it_says_what_to_try(folder, group_photos):
    done = classify(folder, *group_photos[2:4], "three.png", "coffee.jpg", "--model", "face")
    assert done.returncode == 1
    assert "cut.png" in done.stderr
    none, one, two, three, again = done.stdout.splitlines()
    assert none == f"coffee.jpg: {face.NONE_FOUND}"
    assert again == "coffee.jpg: No face was found in this photo."  # what to try is said once
    for number, line in enumerate((one, two, three), 1):
        assert line.startswith(f"three.png, face {number} of 3 at ")
        assert line.count("%") == 3
    lefts = [int(line.split(" at ")[1].split(",")[0]) for line in (one, two, three)]
    assert lefts == sorted(lefts)


def test_with_faces_switched_off_no_command_has_a_network_for_them(folder):
    off = {"CNNVIZ_FACES": "off"}
    for words in (("classify", "photos/cat.jpg", "--model", "face"), ("evaluate", "--data", "x", "--model", "face")):
        done = command(folder, *words, **off)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{face.OFF}\n")
    assert classify(folder, "photos/cat.jpg", "--model", "objects", "--json", **off).returncode == 0
    for environment, names in ((off, "cut or objects or other"), ({}, "cut or face or objects or other")):
        done = classify(folder, "photos/cat.jpg", "--model", "nobody", **environment)
        assert done.stderr == f"There is no network nobody; give a run's directory, or {names}.\n"
    for environment, there in ((off, False), ({}, True)):
        listed = [json.loads(line) for line in command(folder, "models", "--json", **environment).stdout.splitlines()]
        assert ("face" in [card["task"] for card in listed]) is there
        assert len(listed) == 3 + there
        assert all(card["task"] != "face" for card in listed[:3])  # those for faces come last
