"""Cards: what is written is read again, anything else gets a sentence, and a file is never half written."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnviz import cards
from cnnviz.cards import Card, CardError, listed, read_card, write_card
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.evaluation import scores

LABELS = ("Katze", "犬")
TEST = scores([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], np.array([0, 1, 1]), LABELS)
CARD = Card(
    name="pets",
    title="Cats and dogs",
    task="picture",
    labels=LABELS,
    preprocessing=Preprocessing(32, 24, "grey", "letterbox", "-1..1"),
    architecture=[{"kind": "Conv2D", "filters": 16}, {"kind": "Softmax"}],
    parameters=17_242,
    data={"name": "drawn", "licence": "CC0", "train": 70, "validation": 20, "test": 3, "digest": "ab12"},
    scores={
        "test": {**TEST.to_json(), "split": "by group"},
        "baseline": {"three numbers": 0.41},
        "references": [{"what": "people", "lowest": 0.6, "highest": 0.7}],
    },
    threshold=0.62,
    training={"command": "cnnviz train", "seed": 7, "device": "CPU", "epochs": 20},
    not_for="Deciding anything about people.",
    extra={"thanks": ["to all"], "faces": {"margin": 1.1}},
)


def content(**changes: Any) -> dict[str, Any]:
    return {**CARD.to_json(), **changes}


def within(name: str, **changes: Any) -> dict[str, Any]:
    return content(**{name: {**CARD.to_json()[name], **changes}})


def less(*path: str) -> dict[str, Any]:
    fields = json.loads(json.dumps(CARD.to_json()))
    inner = fields
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return fields


def test_the_file_is_format_1_with_the_fields_in_their_order(tmp_path: Path) -> None:
    write_card(CARD, tmp_path / "card.json")
    text = (tmp_path / "card.json").read_text("utf-8")
    fields = json.loads(text)
    assert list(fields) == [
        *("format", "name", "title", "task", "labels", "preprocessing", "architecture", "parameters", "data"),
        *("scores", "threshold", "training", "not_for", "thanks", "faces"),
    ]
    assert fields["format"] == 1
    assert fields["labels"] == ["Katze", "犬"]
    assert "犬" in text
    assert fields["preprocessing"] == {"height": 32, "width": 24, "color": "grey", "fit": "letterbox", "scale": "-1..1"}
    assert fields["scores"]["test"]["per_class"]["犬"]["recall"] == 0.5
    assert fields["scores"]["test"]["confusion"] == [[1, 0], [1, 1]]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mirror": True},
        {"architecture": "system-a"},
        {"architecture": {"format": 1, "layers": []}},
        {"threshold": None},
        {"threshold": 1},
        {"scores": {}},
        {"scores": {"test": None}},
        {"training": {"command": "", "seed": None, "device": ""}},
        {"extra": {}},
        {"task": "face", "not_for": ""},
    ],
)
def test_a_card_is_read_as_it_was_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    card = replace(CARD, **changes)
    write_card(card, tmp_path / "card.json")
    again = read_card(tmp_path / "card.json")
    assert again == card
    assert again.test == (TEST if "scores" not in changes else None)


def test_an_editor_s_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(json.dumps(CARD.to_json()), "utf-8-sig")
    assert read_card(tmp_path / "card.json") == CARD


WHOLE = json.dumps(CARD.to_json(), indent=1)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (None, "pets/card.json is not there"),
        (b"", "pets/card.json is not whole: .* line 1"),
        (WHOLE[: len(WHOLE) // 2], "pets/card.json is not whole: it is cut off or goes wrong in line"),
        (WHOLE + "}", "pets/card.json is not whole"),
        (b"\x89PNG\r\n\x1a\n\xff", "is no text in UTF-8"),
        ("[" * 100_000, "beyond measure"),
        ('{"format": 1' + "0" * 5000 + "}", "beyond measure"),
        (WHOLE.replace("0.62", "NaN"), "holds NaN, Infinity"),
        (WHOLE.replace("0.62", "1e999"), "holds NaN, Infinity"),
        (WHOLE.replace("to all", "\\ud800"), "holds NaN, Infinity or half a character"),
        ([1, 2], r"pets/card.json: The card is \[1, 2\]; an object"),
        (b"null", "pets/card.json: The card is None; an object"),
        (content(format=2), "has format 2, and this program reads up to format 1; .* update"),
        (less("format"), "format is None; it must be the number 1"),
        *[(content(format=bad), "The card's format is ") for bad in ("1", 0, -1, 1.0, True, [1])],
        *[(less(name), f"The card lacks {name};") for name in CARD.to_json() if name not in ("format", *CARD.extra)],
        (less("data", "licence"), "The card's data lacks licence;"),
        (less("training", "seed"), "The card's training lacks seed;"),
        (less("scores", "test", "interval"), "The test score lacks interval;"),
        (content(name=""), "card's name is ''; it must be one line of 1 to 80"),
        (content(name=7), "card's name is 7"),
        (content(title="a\nb"), "card's title is "),
        (content(title="x" * 81), "card's title is 'xxx.*…; it must be one line"),
        (content(task="video"), "task is 'video'; it must be 'picture' or 'face'"),
        (content(task=["face"]), r"task is \['face'\]"),
        (content(labels=["one"]), r"labels is \['one'\]; it must be at least two names"),
        (content(labels=["a", "a"]), "labels is .* each of them once"),
        (content(labels=["a", 2]), "labels is "),
        (content(labels=["a", ["b"]]), "labels is "),
        (content(labels="ab"), "labels is 'ab'"),
        (content(labels=None), "labels is None"),
        (content(preprocessing=None), "preprocessing is 'None'; expected height, width"),
        (within("preprocessing", height=0), "input's height is 0"),
        (within("preprocessing", fit=["crop"]), "preprocessing's fit is"),
        (content(architecture=None), "architecture is None; it must be the name of a network or a list"),
        (content(architecture=[]), r"architecture is \[\]"),
        (content(architecture=7), "architecture is 7"),
        (content(parameters=-1), "parameters is -1; it must be a whole number"),
        (content(parameters=1.5), "parameters is 1.5"),
        (content(parameters=True), "parameters is True"),
        (content(data=[]), r"data is \[\]; it must be an object with name, licence"),
        (within("data", train="many"), "data.train is 'many'; it must be a number of pictures"),
        (within("data", licence=None), "data.licence is None; it must be a text"),
        (content(scores=None), "scores is None; it must be an object"),
        (content(scores={"test": 0.9}), "The test score is 0.9; an object"),
        (within("scores", test={**TEST.to_json(), "accuracy": 0.99}), "states 0.99 as accuracy, but .* gives 0.6667"),
        (content(threshold="high"), "threshold is 'high'; it must be a number from 0 to 1, or null"),
        (content(threshold=1.1), "threshold is 1.1"),
        (content(threshold=True), "threshold is True"),
        (content(training="by hand"), "training is 'by hand'; it must be an object with command, seed, device"),
        (within("training", seed="x"), "training.seed is 'x'"),
        (within("training", device=3), "training.device is 3; it must be a text"),
        (content(not_for=["weapons"]), r"not_for is \['weapons'\]; it must be a text"),
    ],
)
def test_what_is_no_card_gets_a_sentence(tmp_path: Path, file: Any, sentence: str) -> None:
    path = tmp_path / "pets" / "card.json"
    path.parent.mkdir()
    if file is not None:
        text = file if isinstance(file, str | bytes) else json.dumps(file)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CardError, match=sentence) as caught:
        read_card(path)
    assert str(tmp_path) not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_folder_or_an_endless_file_in_place_of_a_card_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CardError, match="cannot be read: Is a directory"):
        read_card(tmp_path)
    monkeypatch.setattr(cards, "MAX_BYTES", 1000)
    (tmp_path / "card.json").write_bytes(b" " * 1001)
    with pytest.raises(CardError, match="is larger than"):
        read_card(tmp_path / "card.json")


def test_any_cut_of_a_card_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    data = json.dumps(CARD.to_json(), ensure_ascii=False).encode()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(CardError):
            read_card(path)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"extra": {"x": float("nan")}}, CardError),
        ({"extra": {"x": np.float32(1)}}, CardError),
        ({"extra": {"x": "\ud800"}}, CardError),
        ({"extra": {"x": {1, 2}}}, CardError),
        ({}, OSError),  # the disk is full
    ],
)
def test_a_write_that_fails_leaves_the_old_card_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], error: type[Exception]
) -> None:
    path = tmp_path / "card.json"
    write_card(replace(CARD, title="The old one"), path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    if not changes:
        monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(error):
        write_card(replace(CARD, **changes), path)
    assert read_card(path).title == "The old one"
    assert [one.name for one in tmp_path.iterdir()] == ["card.json"]


def test_the_card_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "card.json"
    write_card(replace(CARD, title="The old one"), path)
    seen = []
    real = os.replace

    def watched(half: Path, whole: Path) -> None:
        seen.append((read_card(whole).title, read_card(half).title, half.parent == whole.parent))
        real(half, whole)

    monkeypatch.setattr(os, "replace", watched)
    write_card(CARD, path)
    assert seen == [("The old one", CARD.title, True)]
    assert read_card(path) == CARD
    assert [one.name for one in tmp_path.iterdir()] == ["card.json"]


@pytest.mark.parametrize("name", ["name", "format"])
def test_an_extra_field_cannot_stand_for_one_of_the_card(name: str) -> None:
    with pytest.raises(CardError, match=f"extra fields hold {name}"):
        replace(CARD, extra={name: "x"})


def test_cards_of_a_folder_are_listed_in_order_and_broken_ones_named(tmp_path: Path) -> None:
    for name in ("zebra", "apple", "mango"):
        (tmp_path / name).mkdir()
        write_card(replace(CARD, name=name), tmp_path / name / "card.json")
    (tmp_path / "kiwi").mkdir()
    (tmp_path / "kiwi" / "card.json").write_text('{"format": 1')
    (tmp_path / "banana").mkdir()
    (tmp_path / "banana" / "card.json").write_text(json.dumps(content(format=3)))
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "card.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "card.json").write_text("x")
    (tmp_path / "README.md").write_text("x")
    found, faults = listed(tmp_path)
    assert list(found) == ["apple", "mango", "zebra"]
    assert [card.name for card in found.values()] == ["apple", "mango", "zebra"]
    assert len(faults) == 3
    assert faults[0].startswith("banana/card.json: The card has format 3")
    assert faults[1].startswith("kiwi/card.json is not whole")
    assert faults[2].startswith("lost/card.json is not there")


def test_a_folder_that_is_not_there_holds_no_cards(tmp_path: Path) -> None:
    assert listed(tmp_path / "none") == ({}, ())
    (tmp_path / "file").write_text("x")
    assert listed(tmp_path / "file") == ({}, ("The folder file cannot be read: Not a directory.",))
