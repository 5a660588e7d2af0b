"""The command line from training to scoring: train, go on, evaluate on its own test pictures and on others."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cnnviz.layer_kinds import Conv2D, Dense, GlobalAveragePooling2D, to_json

pytestmark = pytest.mark.keras
ROOT = Path(__file__).resolve().parents[1]
SMALL = (
    "--architecture",
    "tiny",
    "--data",
    "drawn-faces",
    "--number",
    "120",
    "--epochs",
    "1",
    "--batch-size",
    "16",
    "--size",
    "24",
)


def cnnviz(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cnnviz", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder in which one run was trained, in the foreground, to its card."""
    folder = tmp_path_factory.mktemp("command")
    done = cnnviz(folder, "train", *SMALL, "--out", "first")
    assert done.returncode == 0, done.stderr
    assert "epoch   1" in done.stdout
    assert done.stderr == ""  # none of TensorFlow's own lines
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "number.json").write_text("5")
    shutil.copytree(folder / "first", folder / "damaged")
    network = bytearray((folder / "first" / "model.keras").read_bytes())
    network[len(network) // 2] ^= 255
    (folder / "damaged" / "model.keras").write_bytes(network)
    return folder


def card(folder: Path) -> dict:
    return json.loads((folder / "first" / "card.json").read_text())


def test_a_run_leaves_its_card_with_command_seed_and_a_score_on_its_test_part(folder):
    made = card(folder)
    assert made["training"]["command"].startswith("cnnviz train --architecture tiny")
    assert (made["preprocessing"]["height"], made["preprocessing"]["width"]) == (24, 24)
    assert str(folder) not in json.dumps(made)
    assert sum(made["data"][side] for side in ("train", "validation", "test")) == 120
    assert made["scores"]["test"]["n"] == made["data"]["test"] == 12
    assert 0 <= made["scores"]["baseline"]["accuracy"] <= 1


def test_a_list_of_layers_in_a_file_is_trained_at_the_size_asked_for_in_the_directory_one_stands_in(tmp_path: Path):
    layers = to_json((Conv2D(4), GlobalAveragePooling2D(), Dense(2, "softmax")))
    (tmp_path / "net.json").write_text(json.dumps(layers["layers"]))
    here = tmp_path / "here"
    here.mkdir()
    for name in ("one", "two"):
        (tmp_path / "others" / name).mkdir(parents=True)
        Image.new("RGB", (20, 20), "red").save(tmp_path / "others" / name / "a.png")
    (tmp_path / "others" / "one" / "notes.txt").write_text("no picture")
    words = ("--architecture", "../net.json", "--data", "drawn-faces", "--number", "60", "--epochs", "1")
    words += ("--foreign", "../others")
    done = cnnviz(here, "train", *words, "--out", ".", "--size", "16")
    assert done.returncode == 0, done.stderr
    made = json.loads((here / "card.json").read_text())
    assert (made["name"], made["parameters"]) == ("here", 3 * 3 * 3 * 4 + 4 + 4 * 2 + 2)
    assert made["preprocessing"]["height"] == 16
    assert made["scores"]["foreign"]["n"] == 2  # the notes are passed over


def test_evaluate_reprints_the_score_of_the_card_on_the_data_it_was_trained_with(folder):
    done = cnnviz(folder, "evaluate", "--model", "first", "--data", "drawn-faces", "--json")
    again = json.loads(done.stdout)
    test = card(folder)["scores"]["test"]
    assert again["on"] == "the 12 test pictures of its own split"
    assert {name: again[name] for name in ("n", "right", "confusion")} == {
        name: test[name] for name in ("n", "right", "confusion")
    }


def test_data_of_the_same_names_with_other_pictures_is_not_taken_for_its_own(folder):
    config = folder / "first" / "config.json"
    before = config.read_text()
    config.write_text(json.dumps({**json.loads(before), "seed": 9}))
    try:
        done = cnnviz(folder, "evaluate", "--model", "first", "--data", "drawn-faces", "--json")
    finally:
        config.write_text(before)
    assert json.loads(done.stdout)["on"] == "all 120 pictures"


def test_a_finished_run_is_not_trained_on_because_test_pictures_are_used_once(folder):
    before = card(folder)
    done = cnnviz(folder, "train", "--resume", "--out", "first")
    assert done.returncode == 1
    assert "finished and scored" in done.stderr
    assert card(folder) == before


def test_a_start_that_fails_leaves_its_directory_free(folder):
    done = cnnviz(folder, "train", "--data", "nowhere", "--out", "second")
    assert done.returncode == 1
    assert not (folder / "second").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("train", "--data", "nowhere"), "is not there"),
        (("train", "--data", ""), "No data set was named"),
        (("train", "--data", "digits", "--learning-rate", "0"), "nothing would be learned"),
        (("train", "--data", "digits", "--architecture", "skynet"), "skynet"),
        (("train", "--data", "digits", "--labels", "0,cat"), "no class cat"),
        (("train", "--data", "mnist", "--number", "9"), "mnist is taken as a whole; leave --number out."),
        (("train", "--data", "digits", "--start", "damaged/model.keras", "--out", "x"), "to start from cannot be read"),
        (("train", "--data", "digits", "--size", "0"), "height is 0"),
        (("train", "--data", "digits", "--architecture", "deep.json"), "deep.json is no JSON"),
        (("train", "--data", "digits", "--architecture", "number.json"), "number.json holds no list of layers"),
        (("train", "--data", "digits", "--out", "n" * 81), "has a name of 1 to 80 letters"),
        (("train", "--data", "digits", "--foreign", "nowhere", "--out", "strange"), "nowhere is not there"),
        (("train", "--resume", "--out", "nowhere"), "no run in nowhere"),
        (("train", "--resume", "--out", "first", "--epochs", "9"), "its own settings"),
        (("evaluate", "--model", "nobody", "--data", "digits"), "no network nobody"),
        (("evaluate", "--model", "first", "--data", "digits"), "none in common"),
        (("evaluate", "--model", "damaged", "--data", "drawn-faces"), "damaged/model.keras cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_status_1(folder, words, sentence):
    done = cnnviz(folder, *words)
    assert done.returncode == 1
    assert sentence in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_models_lists_what_ships():
    done = cnnviz(ROOT, "models", "--json")
    cards = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert "objects" in [one["name"] for one in cards]


def test_a_network_trained_to_answer_with_the_mirror_image_is_scored_so_and_evaluate_can_do_without(folder):
    words = ("--number", "120", "--size", "24", "--epochs", "1", "--seed", "3")
    trained = cnnviz(folder, "train", "--data", "drawn-faces", "--out", "both", "--mirror", "--calibrate", *words)
    assert trained.returncode == 0, trained.stderr
    made = json.loads((folder / "both" / "card.json").read_text())
    assert made["mirror"] is True
    assert 1 / 8 <= made["training"]["temperature"] <= 8

    def again(*words: str) -> dict:
        done = cnnviz(folder, "evaluate", "--model", "both", "--data", "drawn-faces", "--json", *words)
        return json.loads(done.stdout)

    for score, asked in ((made["scores"]["test"], ()), (made["scores"]["without_mirror"], ("--no-mirror",))):
        found = again(*asked)
        assert found["confusion"] == score["confusion"]
        assert found["log_loss"] == pytest.approx(score["log_loss"], rel=1e-4)
    assert made["scores"]["test"]["log_loss"] != made["scores"]["without_mirror"]["log_loss"]
