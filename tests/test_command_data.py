"""python -m cnnviz data: the report as text and as JSON, the list of what is left out, and a sentence for bad input."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cnnviz.__main__ import main
from cnnviz.data.leave_out import read_leave_out

ROOT = Path(__file__).resolve().parents[1]
CHANCE = np.random.default_rng(2)


def picture(*, grey: bool = False) -> bytes:
    pixels = np.kron(CHANCE.integers(0, 256, (9, 9, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    file = io.BytesIO()
    Image.fromarray(pixels).convert("L" if grey else "RGB").save(file, "PNG")
    return file.getvalue()


PICTURES = [picture() for _ in range(6)]


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Three cats and three dogs; one cat stands there twice, and there is a text called jpg."""
    files = {f"{'cats' if n < 3 else 'dogs'}/{n}.png": data for n, data in enumerate(PICTURES)}
    for name, data in {**files, "cats/9.png": PICTURES[0], "dogs/broken.jpg": b"oh", "notes.txt": b"oh"}.items():
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / name).write_bytes(data)
    return tmp_path / "pets"


def data(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, ["data", *map(str, arguments)])
    assert "Traceback" not in result.output
    return result


def test_the_report_for_people(pets: Path) -> None:
    result = data(pets, "--min-bytes", "0")
    assert result.exit_code == 0
    assert result.stdout == (
        "pets: 8 pictures in 2 classes\n"
        "  cats: 4\n"
        "  dogs: 4\n"
        "\n"
        "1 picture cannot be read.\n"
        "  dogs/broken.jpg\n"
        "\n"
        "1 group of exact copies, 1 picture more than needed.\n"
        "  cats/0.png = cats/9.png\n"
        "\n"
        "Passed over:\n"
        "  notes.txt: lies in no folder of a class\n"
    )
    assert result.stderr == ""


def test_the_report_for_programs(pets: Path) -> None:
    result = data(pets, "--json", "--min-bytes", "100000", "--min-pixels", "5185")
    whole, *findings = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert (whole["data"], whole["pictures"], whole["classes"]) == ("pets", 8, {"cats": 4, "dogs": 4})
    assert {one["kind"]: len(one["groups"]) for one in findings} == {
        "unreadable": 1,
        "small-file": 7,
        "small-picture": 7,  # 72 × 72 are 5,184
        "exact-copies": 1,
    }


def test_what_is_left_out_is_not_reported_again_and_the_list_grows(pets: Path) -> None:
    before = {path: path.read_bytes() for path in pets.rglob("*") if path.is_file()}
    first = data(pets, "--leave-out", "unreadable", "--min-bytes", "0")
    assert (first.exit_code, first.stderr) == (0, "pets.leave-out.json: 1 name added\n")
    second = data(pets, "--leave-out", "exact-copies", "--leave-out", "near-copies", "--min-bytes", "0")
    assert "cannot be read" not in second.stdout.partition("Left out")[0]
    assert "pets: 7 pictures" in second.stdout
    assert read_leave_out(pets) == {"dogs/broken.jpg": "cannot be read", "cats/9.png": "exact copies"}
    third = data(pets, "--min-bytes", "0")
    assert "Nothing odd was found." in third.stdout
    assert third.stdout.endswith(
        "Left out by the list beside it:\n  dogs/broken.jpg: cannot be read\n  cats/9.png: exact copies\n"
    )
    assert json.loads(data(pets, "--json").stdout.splitlines()[0])["left_out"] == read_leave_out(pets)
    assert {path: path.read_bytes() for path in pets.rglob("*") if path.is_file()} == before


def test_built_in_data_has_nothing_odd_but_small_pictures() -> None:
    result = data("digits", "--min-pixels", "64", "--json")
    assert result.exit_code == 0
    assert [json.loads(line)["kind"] for line in result.stdout.splitlines()[1:]] == ["near-copies"]  # two ones


def climbing(root: Path) -> Path:
    with zipfile.ZipFile(root / "bad.zip", "w") as target:
        target.writestr("../cats/1.png", PICTURES[0])
    return root / "bad.zip"


def no_columns(root: Path) -> Path:
    (root / "fer2013.csv").write_text("emotion,Usage\n1,Training\n")
    return root / "fer2013.csv"


def no_pictures(root: Path) -> Path:
    (root / "empty").mkdir()
    return root / "empty"


def broken_list(root: Path) -> Path:
    (root / "pets.leave-out.json").write_text("{")
    return root / "pets"


@pytest.mark.parametrize(
    ("made", "options", "word"),
    [
        (lambda root: root / "nothing", [], "nothing is not there or cannot be opened; give a folder"),
        (climbing, [], "bad.zip"),
        (no_columns, [], "pixels"),
        (no_pictures, [], "empty holds no pictures"),
        (broken_list, [], "pets.leave-out.json cannot be read as JSON"),
        (lambda root: root / "pets", ["--leave-out", "copies"], "There is no kind of finding called copies; choose"),
        (lambda root: root / "nothing", ["--leave-out", "copies"], "There is no kind"),  # said before anything is read
        (lambda root: root / "pets", ["--leave-out", "imbalance"], "The finding imbalance is about the data set as"),
        (lambda _: "digits", ["--leave-out", "near-copies"], "digits is no file or folder"),
        (lambda _: "cifar10", [], "cifar10 is fetched from the Internet"),
        (lambda _: "", [], "No data set was named"),
    ],
    ids=["missing", "../", "columns", "empty", "list", "kind", "kind first", "whole", "built-in", "network", "no name"],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_bad_input_gets_a_sentence_and_1(pets: Path, made, options: list[str], word: str, as_json: bool) -> None:
    path = made(pets.parent)
    before = sorted(os.listdir(pets.parent))
    result = data(path, *options, *["--json"] * as_json)
    assert result.exit_code == 1
    text = result.stdout if as_json else result.stderr
    assert text.count("\n") == 1
    assert (result.stderr if as_json else result.stdout) == ""
    if as_json:
        said = json.loads(text)
        assert said["file"] == str(path)
        text = said["error"]
    assert word in text
    assert sorted(os.listdir(pets.parent)) == before


def test_as_a_program(pets: Path) -> None:
    """One real start: nothing on stderr, and no Keras in it."""
    code = "import sys, cnnviz.__main__ as m\ntry: m.main()\nfinally: print('keras' in sys.modules, file=sys.stderr)"
    result = subprocess.run(
        [sys.executable, "-c", code, "data", str(pets)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (result.returncode, result.stderr) == (0, "False\n")
    assert result.stdout.startswith("pets: 8 pictures in 2 classes\n")
