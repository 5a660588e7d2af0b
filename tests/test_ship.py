"""tools/ship.py: a run's network goes under models/, and what its predecessor's card knew stays known."""

import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from test_cards import CARD

from cnnviz.cards import FILE, Card, read_card, write_card

TOOL = Path(__file__).resolve().parents[1] / "tools" / "ship.py"
LOOK = {"date": "2026-01-02", "what": "as on the pages", "accuracy": 0.5}
OLD = LOOK | {"what": "an earlier network, as on the pages"}
FURTHER = LOOK | {"what": "a further network, not taken"}
KNOWN = {"ab" * 16: "a row of its data"}


def put(folder: Path, card: Card, weights: bytes = b"new") -> Path:
    folder.mkdir(parents=True)
    write_card(card, folder / FILE)
    (folder / "model.keras").write_bytes(weights)
    return folder


def ship(monkeypatch: pytest.MonkeyPatch, run: Path, models: Path, *more: str) -> Card:
    tool = runpy.run_path(str(TOOL))
    monkeypatch.setitem(tool["main"].__globals__, "MODELS", models)
    monkeypatch.setattr(sys, "argv", ["ship.py", str(run), "pets", "--title", "Pets", *more])
    tool["main"]()
    return read_card(models / "pets" / FILE)


@pytest.mark.parametrize("before", [True, False])
def test_what_the_card_before_knew_of_looks_and_known_pictures_stays(
    before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before:
        data, scores = {**CARD.data, "not_scored_on": KNOWN}, {**CARD.scores, "looks": [LOOK, FURTHER]}
        put(tmp_path / "models" / "pets", replace(CARD, name="pets", data=data, scores=scores), b"old")
    run = put(tmp_path / "run", replace(CARD, name="20260102-030405-0123abcd"))
    look = ("--look", "2026-02-03", "this network, as on the pages", "0.6667")
    card = ship(monkeypatch, run, tmp_path / "models", *look, "--not-for", "Horses.", "--licence", "none")
    new = {"date": "2026-02-03", "what": "this network, as on the pages", "accuracy": 0.6667}
    assert card.scores["looks"] == ([OLD, FURTHER, new] if before else [new])
    again = ship(monkeypatch, run, tmp_path / "models")
    assert again.scores["looks"][:-1] == ([OLD, FURTHER] if before else [])  # said once
    assert again.scores["looks"][-1] == new | {"what": "an earlier network, as on the pages"}
    assert card.data.get("not_scored_on") == (KNOWN if before else None)
    assert (card.name, card.title, card.data["licence"]) == ("pets", "Pets", "none")
    assert card.not_for == f"{CARD.not_for} Horses."
    assert (tmp_path / "models" / "pets" / "model.keras").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("card", "size", "sentence"),
    [(replace(CARD, scores={"test": None}), 1, "not scored"), (CARD, 8_000_001, "8,000,001 bytes, more than")],
)
def test_what_does_not_ship_leaves_what_is_there(
    card: Card, size: int, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "models" / "pets", CARD, b"old")
    with pytest.raises(SystemExit, match=sentence):
        ship(monkeypatch, put(tmp_path / "run", card, b"0" * size), tmp_path / "models")
    assert (tmp_path / "models" / "pets" / "model.keras").read_bytes() == b"old"
