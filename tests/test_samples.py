"""The pictures in sample_images/: complete, credited, plain files, and the cards as the script draws them."""

import importlib.util
import io
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from cnnviz import display, samples

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "sample_images"
SAMPLES: list[dict[str, str]] = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))
FILES = [sample["file"] for sample in SAMPLES]
CARDS = ["step_edge", "checkerboard", "circle", "gradient", "digits", "happy_face", "sad_face"]
PHOTOGRAPHS = ["astronaut", "cat", "coffee", "camera", "handwriting", "bricks", "retina"]


def credit_rows() -> dict[str, list[str]]:
    """The rows of CREDITS.md by file: what, source, licence, change."""
    lines = (FOLDER / "CREDITS.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows if "." in row[0]}


def pixels(name: str) -> np.ndarray:
    with Image.open(FOLDER / name) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """tools/make_samples.py, imported as a module; tools is no package."""
    spec = importlib.util.spec_from_file_location("make_samples", ROOT / "tools" / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module


def test_the_photographs_come_first_then_the_cards():
    assert [sample["key"] for sample in SAMPLES] == PHOTOGRAPHS + CARDS


@pytest.mark.parametrize("sample", SAMPLES, ids=FILES)
def test_a_sample_has_a_plain_key_a_short_title_and_a_sentence_for_screen_readers(sample: dict[str, str]):
    assert set(sample) == {"key", "file", "title", "alt"}
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", sample["key"])
    assert Path(sample["file"]).stem == sample["key"]
    assert 1 <= len(sample["title"].split()) <= 2
    assert re.fullmatch(r"[A-Z][^.]{20,120}\.", sample["alt"])


@pytest.mark.parametrize("file", FILES)
def test_a_sample_decodes_to_a_picture_of_middle_size_without_metadata(file: str):
    with Image.open(FOLDER / file) as picture:
        assert not picture.getexif()
        assert not {"exif", "xmp", "icc_profile", "comment", "XML:com.adobe.xmp"} & set(picture.info)
        height, width, channels = np.asarray(picture.convert("RGB")).shape
    assert channels == 3
    assert min(height, width) >= 200
    assert max(height, width) <= 700


def test_the_folder_holds_what_is_listed_and_stays_small():
    present = sorted(path.name for path in FOLDER.iterdir() if path.is_file())
    assert present == sorted([*FILES, "CREDITS.md", "samples.json"])
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 1_000_000


def test_every_sample_is_credited_and_nothing_else_is():
    assert sorted(credit_rows()) == sorted(FILES)


@pytest.mark.parametrize("file", FILES)
def test_a_credit_names_source_licence_and_change(file: str):
    what, source, licence, change = credit_rows()[file]
    assert min(len(what), len(source), len(change)) > 3
    assert licence in ({"MIT, like the project"} if file.endswith(".png") else {"CC0", "public domain"})


def test_the_list_is_what_the_script_writes(script: ModuleType):
    assert script.listing() == SAMPLES


@pytest.mark.parametrize("key", CARDS)
def test_a_card_is_what_the_script_draws(script: ModuleType, key: str):
    drawn = getattr(script, key)()
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, pixels(f"{key}.png"))


@pytest.mark.parametrize(
    ("key", "row", "column", "value"),
    [
        ("step_edge", 100, 79, 32),
        ("step_edge", 100, 80, 224),
        ("step_edge", 0, 206, 224),
        ("step_edge", 0, 209, 128),
        ("step_edge", 255, 142, 224),
        ("step_edge", 255, 146, 128),
        ("checkerboard", 31, 31, 0),
        ("checkerboard", 31, 32, 255),
        ("checkerboard", 255, 255, 0),
        ("circle", 128, 46, 32),
        ("circle", 128, 50, 224),
        ("circle", 206, 128, 224),
        ("circle", 210, 128, 32),
        ("gradient", 7, 0, 0),
        ("gradient", 200, 199, 199),
    ],
)
def test_the_cards_have_the_values_that_their_credits_promise(key: str, row: int, column: int, value: int):
    assert pixels(f"{key}.png")[row, column].tolist() == [value] * 3


def test_the_two_faces_differ_in_the_expression_only():
    different = (pixels("happy_face.png") != pixels("sad_face.png")).any(axis=2)
    rows, columns = np.nonzero(different)
    assert 0.02 < different.mean() < 0.1
    assert rows.min() > 90
    assert rows.max() < 205
    assert columns.min() > 75
    assert columns.max() < 180


@pytest.mark.parametrize(
    ("installed", "sentence"),
    [
        (False, r"come out of scikit-image, which is not installed here: run `pip install scikit-image`"),
        (True, r"no astronaut\.png, or another picture under that name.*run `pip install scikit-image==0\.26\.0`"),
    ],
    ids=["scikit-image is missing", "another picture under the name"],
)
def test_the_script_says_what_is_missing_and_writes_nothing(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, *, installed: bool, sentence: str
):
    package = tmp_path / "skimage" / "__init__.py"
    (package.parent / "data").mkdir(parents=True)
    (package.parent / "data" / "astronaut.png").write_bytes(b"another picture")
    spec = importlib.util.spec_from_file_location("skimage", package) if installed else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: spec)
    monkeypatch.setattr(script, "FOLDER", tmp_path / "made")
    assert script.main() == 1
    printed = capsys.readouterr()
    assert re.search(sentence, printed.err)
    assert "Traceback" not in printed.err
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("sample", SAMPLES, ids=FILES)
def test_a_thumbnail_is_the_middle_of_its_picture(sample: dict[str, str]):
    with Image.open(io.BytesIO(samples.thumbnail(sample["key"]))) as opened:
        assert (opened.format, opened.size) == ("WEBP", (88, 88))
        thumbnail = np.asarray(opened.convert("RGB")).astype(float)
    square = display.reduce(display.center_square(pixels(sample["file"])), 88)
    assert np.abs(thumbnail - square).mean() < 6
    assert [path.stem for path in (FOLDER / "thumbs").iterdir()].count(sample["key"]) == 1
    assert len(list((FOLDER / "thumbs").iterdir())) == len(SAMPLES)
