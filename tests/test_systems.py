"""The table of the five systems: what is written is read again, and its figures follow from right and n."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cnnviz import systems
from cnnviz.evaluation import wilson
from cnnviz.presets import PRESETS
from cnnviz.systems import Result, Table

D = Result(
    "system-d", "D", ("cats", "dogs"), False, 813_217, 25, 1556, 444, 2000, (1379, 1460, 1414), 0.5, 0.567, 585, 2.3
)  # fmt: skip
OURS = Result("cats-dogs", "Ours", ("cats", "dogs"), False, 309_234, 80, 1556, 444, 2000, (1811,), 0.5, None, 144, 6.6)
FACES = replace(OURS, network="happy-sad", labels=("happy", "sad"), face=True)
TABLE = Table("two cores", (D, FACES, OURS))


def with_right(right: object) -> str:
    content = json.loads(systems.text(TABLE))
    content["results"][0]["right"] = right
    return json.dumps(content)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / systems.FILE
    file.write_text(systems.text(TABLE), "utf-8")
    assert systems.read(file) == TABLE


def test_a_task_stands_with_its_networks_the_best_first_and_faces_last() -> None:
    assert TABLE.tasks() == {("cats", "dogs"): (OURS, D), ("happy", "sad"): (FACES,)}
    assert TABLE.tasks(faces=False) == {("cats", "dogs"): (OURS, D)}


def test_several_seeds_give_their_mean_and_the_interval_of_one_of_them() -> None:
    assert D.accuracy == pytest.approx((1379 + 1460 + 1414) / 6000)
    assert D.interval == wilson(1418, 2000)
    assert systems.row(D)[:5] == ("D (mean of 3 runs, 69.0 to 73.0)", "813,217", "70.9", "68.9 to 72.8", "56.7")
    assert systems.row(OURS)[2:5] == ("90.5", "89.2 to 91.8", "–")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (json.dumps({"format": 2, "device": "", "results": []}), "newer than 1"),
        (json.dumps({"format": 1, "device": "", "results": [{"network": "x"}]}), "cannot be read"),
        *((with_right(right), "cannot be read") for right in ([], ["90"], [2001], [-1], [1.5], 3)),
    ],
)
def test_a_file_that_is_no_table_gets_a_sentence(content: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / systems.FILE
    file.write_text(content, "utf-8")
    with pytest.raises(ValueError, match=sentence):
        systems.read(file)


def test_no_file_is_an_empty_table_and_every_claim_is_of_a_preset(tmp_path: Path) -> None:
    assert systems.read(tmp_path / "none.json") == Table("", ())
    assert set(systems.CLAIMS) == {name for name in PRESETS if name.startswith("system-")}


@pytest.mark.parametrize(
    ("network", "title"),
    [("system-b", "Systems B and E, happy or sad"), ("system-d", "System D, cats and dogs")],
)
def test_two_systems_are_named_as_two(network: str, title: str) -> None:
    assert systems.CLAIMS[network].title == title


def test_the_documentation_holds_the_table_that_ships() -> None:
    root = Path(__file__).resolve().parents[1]
    shipped = systems.read(root / "models" / systems.FILE)
    assert systems.markdown(shipped) in (root / "docs" / "models.md").read_text("utf-8")
