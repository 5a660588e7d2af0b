"""fer2013.csv: every way in which it is written is read, and every fault gets a sentence with its line."""

import os
import re
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from cnnviz.data import fer2013
from cnnviz.data.dataset import DataError, Dataset
from cnnviz.data.sources import open_dataset

FACES = np.random.default_rng(4).integers(0, 256, (4, 48, 48), dtype=np.uint8)
FACES[0].flat[:12] = (0, 1, 9, 10, 19, 90, 99, 100, 199, 200, 250, 255)
WORDS = [" ".join(str(level) for level in face.flat) for face in FACES]
LABELS = (0, 6, 3, 3)
USAGES = ("Training", "PublicTest", "PrivateTest", "Training")
ROWS = [f"{label},{words},{usage}" for label, words, usage in zip(LABELS, WORDS, USAGES, strict=True)]
HEADER = "emotion,pixels,Usage"
GOOD = "\n".join([HEADER, *ROWS]) + "\n"
BLACK = " ".join(["0"] * 2304)


def opened(tmp_path: Path, content: str | bytes) -> Dataset:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_dataset(path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD, id="as published"),
        pytest.param(GOOD.rstrip(), id="no newline at the end"),
        pytest.param(GOOD.replace("\n", "\r\n"), id="CRLF"),
        pytest.param("\ufeff" + GOOD, id="byte order mark"),
        pytest.param("\n\n" + GOOD.replace("\n", "\n\n") + " \n\n", id="blank lines"),
        pytest.param(GOOD.replace(HEADER, "Emotion, pixels ,USAGE"), id="capitals and spaces"),
        pytest.param(re.sub(r"([^,\n]+)", r'"\1"', GOOD), id="quoted"),
        pytest.param(
            "id, Usage,pixels,emotion\n"
            + "".join(f"7, {u},{w},{n}\n" for u, w, n in zip(USAGES, WORDS, LABELS, strict=True)),
            id="other order, another column",
        ),
        pytest.param(GOOD.replace(" ", "  ").replace(",0  1", ", 0\t1"), id="other spaces"),
        pytest.param(GOOD.replace(",0 1 9", ",000 001 09"), id="zeros in front"),
    ],
)
def test_every_way_to_write_it_gives_the_same_faces(tmp_path: Path, content: str) -> None:
    dataset = opened(tmp_path, content)
    assert dataset.labels == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert [entry.name for entry in dataset.entries] == ["row 0", "row 1", "row 2", "row 3"]
    assert [dataset.labels[entry.label] for entry in dataset.entries] == ["angry", "neutral", "happy", "happy"]
    assert [entry.split for entry in dataset.entries] == ["train", "validation", "test", "train"]
    for index, face in enumerate(FACES):
        picture = dataset.pixels(index)
        assert picture.shape == (48, 48, 3)
        assert picture.dtype == np.uint8
        assert all((picture[..., channel] == face).all() for channel in range(3))


def test_without_usage_there_is_no_given_split(tmp_path: Path) -> None:
    dataset = opened(tmp_path, f"pixels,emotion\n{WORDS[0]},4\n{BLACK},5\n")
    assert [(entry.split, entry.label) for entry in dataset.entries] == [("", 4), ("", 5)]
    assert dataset.pixels(1).max() == 0


def test_what_people_reach_stands_beside_the_scores(tmp_path: Path) -> None:
    dataset = opened(tmp_path, GOOD)
    ((what, lowest, highest),) = [(line.what, line.lowest, line.highest) for line in dataset.references]
    assert "people" in what
    assert (lowest, highest) == (0.60, 0.70)
    assert dataset.only(dataset.labels[::-1]).references == dataset.references
    assert dataset.only(("happy", "sad")).references == ()  # of two classes nobody was asked
    assert (dataset.name, dataset.data) == ("fer2013", None)
    assert "not stated" in dataset.licence


def line(number: int, row: str) -> str:
    """GOOD with another line; the header is line 1."""
    lines = GOOD.splitlines()
    lines[number - 1] = row
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("\n \r\n", "is empty", id="blank"),
        pytest.param(HEADER + "\n", "no rows", id="no rows"),
        pytest.param("pixels,Usage\n", "no column emotion in", id="no emotion"),
        pytest.param("emotion,Usage\n", "no column pixels in", id="no pixels"),
        pytest.param("a,b\n1,2\n", "no column emotion and no column pixels", id="another csv"),
        pytest.param(ROWS[0] + "\n", "no column emotion and no column pixels", id="no header"),
        pytest.param(GOOD.replace(",", ";"), "no column emotion", id="semicolons"),
        pytest.param(GOOD.encode("utf-16"), "no column emotion", id="UTF-16"),
        pytest.param(os.urandom(60_000).replace(b"\n", b" "), "no column emotion", id="binary"),
        pytest.param(bytes(300_000), "Line 1 .* more than 65,536 bytes", id="zeros"),
        pytest.param(",".join(f"c{n}" for n in range(1_000_000)), "Line 1 .* more than 65,536", id="a million columns"),
        pytest.param(HEADER + "\n" + "," * 1_000_000, "Line 2 .* more than 65,536", id="a million fields"),
        pytest.param(
            HEADER + "\n" + "," * 60_000, "Line 2 .* has 60,?001 columns and the first line 3", id="many fields"
        ),
        pytest.param(GOOD.replace("\n", "\r"), "no rows", id="CR alone"),
        pytest.param(line(3, f"0,{BLACK}"), "Line 3 .* has 2 columns", id="a column too few"),
        pytest.param(line(5, ROWS[0] + ",x"), "Line 5 .* has 4 columns", id="a column too many"),
        pytest.param(line(2, f"7,{BLACK},Training"), "Line 2 .* the emotion '7'", id="emotion 7"),
        pytest.param(line(2, f"-1,{BLACK},Training"), "emotion '-1'", id="emotion -1"),
        pytest.param(line(2, f"happy,{BLACK},Training"), "emotion 'happy'", id="emotion in words"),
        pytest.param(line(2, f",{BLACK},Training"), "emotion ''", id="no emotion given"),
        pytest.param(line(2, f"1.0,{BLACK},Training"), "emotion '1.0'", id="emotion with a fraction"),
        pytest.param(line(4, f"0,{BLACK},Test"), "Line 4 .* Usage 'Test'", id="another usage"),
        pytest.param(line(4, f"0,{BLACK},"), "Line 4 .* Usage ''", id="usage empty"),
        pytest.param(line(4, f"0,{BLACK} 0,Training"), "Line 4 .* 2,305 pixels where 2,304", id="a pixel too many"),
        pytest.param(line(4, f"0,{BLACK[2:]},Training"), "Line 4 .* 2,303 pixels where 2,304", id="a pixel too few"),
        pytest.param(line(4, "0,,Training"), "Line 4 .* 0 pixels", id="no pixels given"),
        pytest.param(line(4, "0,   ,Training"), "Line 4 .* 0 pixels", id="spaces for pixels"),
        pytest.param(line(4, f"0,256{BLACK[1:]},Training"), "Line 4 .* the pixel '256'", id="256"),
        pytest.param(line(4, f"0,999{BLACK[1:]},Training"), "pixel '999'", id="999"),
        pytest.param(line(4, f"0,1000{BLACK[1:]},Training"), "pixel '1000'", id="1000"),
        pytest.param(line(4, f"0,{BLACK[:-1]}-5,Training"), "pixel '-5'", id="negative"),
        pytest.param(line(4, f"0,{BLACK[:-1]}1.5,Training"), "pixel '1.5'", id="a fraction"),
        pytest.param(line(4, f"0,{BLACK[:-1]}1_0,Training"), "pixel '1_0'", id="underscore"),
        pytest.param(line(4, f"0,{BLACK[:-1]}nan,Training"), "pixel 'nan'", id="nan"),
        pytest.param(line(4, f"0,{BLACK[:-1]}0x1,Training"), "pixel '0x1'", id="hexadecimal"),
        pytest.param(line(4, f"0,{BLACK[:-1]}٣,Training"), "pixel 'Ù£'", id="other digits"),
        pytest.param(line(4, f"0,{BLACK[:-1]}\0,Training"), r"pixel '\\x00'", id="NUL"),
        pytest.param(line(4, f"0,{'9' * 60_000},Training"), "pixel '99999999999999999999'", id="one long number"),
        pytest.param(line(5, ROWS[3][:4000]), "Line 5", id="cut off"),
    ],
)
def test_every_fault_gets_a_sentence_with_its_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        opened(tmp_path, content)
    said = str(caught.value)
    assert re.fullmatch(r"[^\n]+[^.\n]\.", said)
    assert said.isprintable()
    assert "fer2013.csv" in said
    assert len(said) < 300


def test_too_many_rows_get_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fer2013, "MAX_ROWS", 3)
    with pytest.raises(DataError, match="more than 3 rows"):
        opened(tmp_path, GOOD)


def test_levels_are_held_as_bytes_and_a_huge_line_is_not_held(tmp_path: Path) -> None:
    path = many(tmp_path, 1000)
    tracemalloc.start()
    dataset = open_dataset(path)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(dataset) == 1000
    assert held < 1.3 * 2_304_000
    assert peak < 2 * 2_304_000
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(100_000_000)
    tracemalloc.start()
    with pytest.raises(DataError, match="Line 1"):
        open_dataset(tmp_path / "huge.csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def many(tmp_path: Path, rows: int) -> Path:
    path = tmp_path / "many.csv"
    path.write_text(HEADER + "\n" + f"{ROWS[0]}\n" * rows)
    return path


def test_a_thousand_rows_take_a_fraction_of_a_second(tmp_path: Path) -> None:
    path = many(tmp_path, 1000)
    started = time.process_time()
    open_dataset(path)
    assert time.process_time() - started < 0.6


def test_a_number_of_rows_is_chosen(tmp_path: Path) -> None:
    opened(tmp_path, GOOD)
    dataset = open_dataset(tmp_path / "fer2013.csv", number=2, seed=1)
    for index, entry in enumerate(dataset.entries):
        assert (dataset.pixels(index)[..., 0] == FACES[int(entry.name.removeprefix("row "))]).all()
    assert len(dataset) == 2


def test_random_rows_against_int(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    rows = [" ".join(str(level) for level in rng.integers(0, top + 1, 2304)) for top in (0, 9, 10, 99, 100, 255) * 5]
    dataset = opened(tmp_path, "emotion,pixels\n" + "".join(f"1,{row}\n" for row in rows))
    for index, row in enumerate(rows):
        assert dataset.pixels(index)[..., 1].ravel().tolist() == [int(word) for word in row.split()]
