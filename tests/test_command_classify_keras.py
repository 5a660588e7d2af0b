"""The command line's answers: for files and folders, as text and as JSON, with a sentence for each that is no good."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnviz import images
from cnnviz.cards import read_card

pytestmark = pytest.mark.keras
ROOT = Path(__file__).resolve().parents[1]
PHOTOS = sorted((ROOT / "sample_images").rglob("*.[jpw][pne][gb]*"))[:20]


def classify(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cnnviz", "classify", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


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
    done = classify(folder, "nowhere.jpg", "photos", "photos/notes.txt", "nothing", "--model", "models/objects")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first.startswith("photos/cat.jpg: cat 5")
    assert second.startswith("photos/inner/COFFEE.JPG: not sure; automobile")
    assert second.count("%") == 3
    for line, words in zip(
        done.stderr.splitlines(),
        (
            "nowhere.jpg is not there",
            "cut.png",
            "notes.txt seems to be a text",
            "nothing is a folder without a picture",
        ),
        strict=True,
    ):
        assert words in line
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


def test_a_network_for_faces_is_said_to_take_the_photo_for_one(folder):
    done = classify(folder, "photos/cat.jpg", "--model", "face", "--json")
    assert done.returncode == 0
    assert "one face as a whole" in done.stderr
    assert "scores" in json.loads(done.stdout)
