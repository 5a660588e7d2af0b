"""Checks many photos without the page: which files are taken, and their answers as CSV and as JSON."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_pages_classify import zipped

from cnnviz.cards import read_card
from cnnviz.ui import batches, classify_scores

ROOT = Path(__file__).resolve().parents[1]
ROWS = [
    batches.Row("a.png", "1", {"cat": 0.7, "dog": 0.3}),
    batches.Row("b.png", "2", {"cat": 0.4, "dog": 0.6}),
    batches.Row("=1+1.png", "", None, error="=1+1.png is broken."),
]


def test_csv_has_a_line_a_file_and_no_formula():
    card = read_card(ROOT / "models" / "cats-dogs" / "card.json")
    assert len(card.labels) == 2
    rows = [
        batches.Row(
            row.name,
            row.digest,
            row.scores and dict(zip(card.labels, row.scores.values(), strict=True)),
            error=row.error,
        )
        for row in ROWS
    ]
    first, second = card.labels
    assert batches.csv_text(rows, card, 0.65, [0, None, None]).splitlines() == [
        f"file,answer,probability,sure,true class,error,{first},{second}",
        f"a.png,{first},0.700000,yes,{first},,0.700000,0.300000",
        f"b.png,{second},0.600000,no,,,0.400000,0.600000",
        "'=1+1.png,,,,,'=1+1.png is broken.,,",
    ]


@pytest.mark.parametrize(
    ("label", "cell"), [("=1+1", "'=1+1"), ("@a", "'@a"), ("-x", "'-x"), (" +2", "' +2"), ("a=b", "a=b")]
)
def test_no_class_name_is_a_formula(label: str, cell: str):
    card = replace(read_card(ROOT / "models" / "cats-dogs" / "card.json"), labels=(label, "dog"), scores={})
    rows = [batches.Row("a.png", "1", {label: 0.7, "dog": 0.3})]
    assert batches.csv_text(rows, card, 0.65, [0]).splitlines() == [
        f"file,answer,probability,sure,true class,error,{cell},dog",
        f"a.png,{cell},0.700000,yes,{cell},,0.700000,0.300000",
    ]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("cat", "dogs"), [None, 0, 1, None]),
        (("A", "S"), [None, None, None, 1]),  # the plural of nothing is no class
        (("s", "ss"), [None, None, None, 0]),
        (("dog", "Dog"), [None, None, 0, None]),  # a name as it stands goes before one in other letters
        (("DOG", "Dog"), [None, None, None, None]),  # it could be either
        (("cat", "cats"), [None, 1, None, None]),
    ],
)
def test_a_file_has_the_class_that_its_folder_names_and_none_in_no_folder(labels, expected):
    files = tuple(batches.File(f"{folder}1.png", b"", folder) for folder in ("", "Cats", "dog", "s"))
    assert batches.truths(batches.Given("", files, (), 0), labels) == expected


def test_what_a_network_was_made_with_is_no_test_of_it():
    card = read_card(ROOT / "models" / "cats-dogs" / "card.json")
    first, second = card.labels
    rows = [batches.Row(f"{n}.png", str(n), {first: 0.7, second: 0.3}, fingerprint=f"print {n}") for n in range(4)]
    files = tuple(batches.File(f"{n}.png", b"", first if n % 2 else second) for n in range(4))
    for learned, right, left_out in (
        ((), 2, 0),
        (("print 1", "print 2"), 1, 2),
        ([f"print {n}" for n in range(4)], 0, 4),
    ):
        found, torn, known = classify_scores.scored(rows, batches.Given("", files, (), 0), card, learned)
        assert (torn, known) == (0, left_out)
        assert (found is None) == (left_out == 4)
        if found is not None:
            assert (found.scores.n, found.scores.right) == (4 - left_out, right)


def test_json_is_what_the_command_line_prints_in_a_list():
    assert json.loads(batches.json_text(ROWS, 0.65)) == [
        {"file": "a.png", "scores": {"cat": 0.7, "dog": 0.3}, "sure": True},
        {"file": "b.png", "scores": {"cat": 0.4, "dog": 0.6}, "sure": False},
        {"file": "=1+1.png", "error": "=1+1.png is broken."},
    ]


@pytest.mark.parametrize(
    ("count", "first", "last"), [(200, "0.png", "199.png"), (400, "0.png", "398.png"), (2000, "0.png", "1990.png")]
)
def test_of_a_large_zip_photos_all_over_it_are_taken(count: int, first: str, last: str):
    given = batches.given([("a.zip", zipped({f"{number}.png": b"1" for number in range(count)}))])
    assert len(given.files) == 200
    assert (given.files[0].name, given.files[-1].name) == (first, last)
    assert bool(given.notes) == (count > 200)


def test_more_bytes_than_an_owner_may_hold_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "MAX_BYTES", 1000)
    given = batches.given([("a.png", b"1" * 600), ("b.png", b"1" * 600)])
    assert (given.files, given.size) == ((), 0)
    assert "can be held" in given.notes[0]
