"""The networks that ship are what their cards and docs/models.md say of them."""

import os
from pathlib import Path

import pytest

from cnnviz import systems
from cnnviz.cards import listed
from cnnviz.training.config import TrainingConfig

ROOT = Path(__file__).resolve().parents[1]
CARDS = listed(ROOT / "models").cards
TABLE = systems.read(ROOT / "models" / systems.FILE)
FACES = [name for name, card in CARDS.items() if card.task == "face"]
MOST_BYTES, MOST_WEIGHTS = 8_000_000, 2_000_000


def test_every_card_can_be_read() -> None:
    assert listed(ROOT / "models").faults == ()
    assert sorted(CARDS) == ["cats-dogs", "emotions", "happy-sad", "objects"]


@pytest.mark.parametrize("name", CARDS)
def test_a_network_is_small_scored_and_described(name: str) -> None:
    card, text = CARDS[name], (ROOT / "docs" / "models.md").read_text("utf-8")
    assert (ROOT / "models" / name / "model.keras").stat().st_size <= MOST_BYTES
    assert card.parameters <= MOST_WEIGHTS
    assert card.test is not None
    assert card.test.n == card.data["test"]
    assert {"baseline", "foreign", "sure"} <= set(card.scores)
    section = text[text.index(f"## {name}:") :].partition("\n## ")[0]
    low, high = (f"{end:.3f}".lstrip("0") for end in card.test.interval)
    for figure in (f"{card.parameters:,}", f"({low} to {high})", f"n = {card.test.n:,}", f"{card.sure_from:.3f}"):
        assert figure.lstrip("0") in section, figure
    command = card.training["command"]
    assert not any(word in command for word in ("--out", "--resume", " /", "..")), command
    assert f"`{command}`" in section


@pytest.mark.parametrize("name", [name for name in CARDS if name != "objects"])  # which no older system rivals
def test_the_table_of_older_systems_has_the_network_that_ships(name: str) -> None:
    card, (row,) = CARDS[name], [one for one in TABLE.results if one.network == name]
    assert card.test is not None
    assert (row.right, row.n) == ((card.test.right,), card.test.n)
    assert (row.alone is not None) == card.mirror
    assert (row.parameters, row.train, row.labels) == (card.parameters, card.data["train"], card.labels)
    assert row.started_from == card.training.get("started_from", "")
    assert row.epochs == card.training.get("stopped_after", row.epochs)
    assert f"--epochs {row.epochs} " in card.training["command"] or "stopped_after" in card.training


@pytest.mark.parametrize("name", FACES)
def test_a_network_for_faces_says_on_whom_it_was_not_tested_and_how_often_its_test_was_looked_at(name: str) -> None:
    card = CARDS[name]
    for words in ("not a feeling", "school", "Never tested by age, sex, skin color"):
        assert words in card.not_for
    assert len(card.data["not_scored_on"]) == 6  # photos of happysad that are in FER2013
    assert card.test is not None
    assert card.mirror
    looks, one = [look["accuracy"] for look in card.scores["looks"]], 1.01 / card.test.n  # a picture more or less
    for accuracy in (card.test.accuracy, card.scores["without_mirror"]["accuracy"]):
        assert any(look == pytest.approx(accuracy, abs=one) for look in looks)
    assert "references" not in card.scores or len(card.labels) == 7  # people were asked for seven expressions
    assert (card.scores["photos"]["n"], card.scores["photos"]["name"]) == (351, "happysad")


@pytest.mark.keras
@pytest.mark.parametrize("name", CARDS)
def test_the_weights_are_those_of_the_card(name: str) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from cnnviz.networks import classifier  # noqa: PLC0415 - loads keras
    from cnnviz.training import scoring  # noqa: PLC0415

    folder, card = ROOT / "models" / name, CARDS[name]
    model, read = classifier.load(folder)
    assert read == card
    assert model.count_params() == card.parameters
    assert model.input_shape[1:] == card.preprocessing.shape
    # what belongs to no class is drawn anew, and just as much of it passes; of other weights it would be another share
    told = card.scores["foreign"]
    config = TrainingConfig(told["name"], foreign=told["name"], seed=int(card.training["seed"]), mirror=card.mirror)
    again = scoring.foreign(model, config, card.preprocessing, card.sure_from, lambda *_: None)
    assert again["n"] == told["n"]
    assert again["accepted"] == pytest.approx(told["accepted"], abs=0.002)
