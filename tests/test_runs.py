"""Keeping a network under a name: what is written, and what is said where it cannot be; and what the server sees to."""

import os
import threading
import time
from pathlib import Path

import pytest

from cnnviz import cards
from cnnviz.cards import Card, read_card, write_card
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.training import pictures, record
from cnnviz.training.config import TrainingConfig
from cnnviz.training.record import Run
from cnnviz.ui import runs, server


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = record.create(tmp_path, TrainingConfig("digits"), "a")
    data = {"name": "digits", "licence": "free", "train": 3, "validation": 2, "test": 1}
    training = {"command": "a test", "seed": 1, "device": "CPU"}
    card = Card("n", "digits", "picture", ("0", "1"), Preprocessing(8, 8), "tiny", 1, data, {}, None, training, "")
    write_card(card, made.card)
    return made


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def closed(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("name", "where", "fault", "sentence"),
    [
        ("  My   network ", None, None, None),
        (" ", None, None, "no name yet"),
        ("x" * 61, None, None, "up to 60 ordinary characters"),
        ("a\x00b", None, None, "up to 60 ordinary characters"),
        (
            "mine",
            cards,
            full,
            "The disk is full, so the name could not be saved; free some space and press Keep again.",
        ),
        (
            "mine",
            record,
            full,
            "The disk is full, so the name could not be saved; free some space and press Keep again.",
        ),
        ("mine", record, closed, "The name could not be saved: Permission denied."),
    ],
)
def test_a_name_is_kept_on_card_and_record_or_a_sentence_says_why_not(run, monkeypatch, name, where, fault, sentence):
    if where is cards:
        monkeypatch.setattr(cards.os, "replace", fault)
    elif where is record:
        monkeypatch.setattr(record, "write_json", fault)
    if sentence is None:
        runs.keep(run, name)
        assert (run.state().kept, read_card(run.card).title) == ("My network", "My network")
        return
    with pytest.raises(ValueError, match=sentence):
        runs.keep(run, name)
    assert run.state().kept == ""


def test_a_run_without_its_card_cannot_be_kept(run):
    run.card.unlink()
    with pytest.raises(ValueError, match=r"card\.json is not there"):
        runs.keep(run, "mine")


def test_photos_go_after_a_week_also_where_nobody_opens_train(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.set_state(state="finished")
    other = record.create(run.path.parent, TrainingConfig("digits"), "a")
    for one, days in ((run, 7.1), (other, 6.9)):
        stored = one.path / pictures.PIXELS
        stored.write_bytes(b"photos")
        os.utime(stored, times=(time.time() - 86_400 * days,) * 2)
    monkeypatch.setenv("CNNVIZ_RUNS", str(run.path.parent))
    monkeypatch.setattr(runs, "_queue", None)
    monkeypatch.setattr(server, "AFTER", 0.0)
    server._keep_promises(threading.Event())
    try:
        assert not (run.path / pictures.PIXELS).exists()
        assert (other.path / pictures.PIXELS).exists()
    finally:
        runs.queue().close()
