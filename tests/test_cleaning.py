"""The cleaning report: every planted flaw is found and named, nothing else is, and nothing is touched."""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnviz.data import cleaning
from cnnviz.data.cleaning import Finding, Report, report, suggested
from cnnviz.data.dataset import DataError, Dataset, Entry
from cnnviz.data.fingerprints import scan
from cnnviz.data.leave_out import leave_out_path, less_left_out, read_leave_out, write_leave_out
from cnnviz.data.sources import open_dataset
from cnnviz.images import decode

SAMPLES = Path(__file__).resolve().parents[1] / "sample_images"
NAMES = ("astronaut", "cat", "coffee", "bricks", "retina", "handwriting")


def saved(pixels, kind: str = "PNG", **settings) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **settings)
    return file.getvalue()


PHOTOS = {
    name: cv2.resize(decode((SAMPLES / f"{name}.jpg").read_bytes()).pixels, (256, 200), interpolation=cv2.INTER_AREA)
    for name in NAMES
}
# bricks and handwriting are grey
FILES = {name: saved((photo * (1, 0.95, 0.8)).astype(np.uint8), "JPEG", quality=97) for name, photo in PHOTOS.items()}
CAT = decode(FILES["cat"]).pixels


def folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def judged(path: Path, **bounds: int) -> Report:
    dataset = open_dataset(path)
    return report(dataset, scan(dataset), **bounds)


GOOD = {
    "people/astronaut.jpg": FILES["astronaut"],
    "people/hand.jpg": FILES["handwriting"],
    "things/coffee.jpg": FILES["coffee"],
    "things/cat.jpg": FILES["cat"],
}
THUMBNAIL = saved(cv2.resize(CAT, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA))
PLAIN = saved(np.full((64, 64, 3), (200, 10, 10), np.uint8))
GREY = saved(PHOTOS["bricks"], "JPEG", quality=97)


@pytest.mark.parametrize(
    ("planted", "kinds", "sentence", "groups"),
    [
        pytest.param({}, {}, "", (), id="nothing"),
        pytest.param(
            {"things/a.jpg": b"hello"}, {"unreadable"}, "1 picture cannot be read.", (("things/a.jpg",),), id="a text"
        ),
        pytest.param(
            {"things/a.jpg": FILES["bricks"][:3000], "things/b.jpg": b""},
            {"unreadable"},
            "2 pictures cannot be read.",
            (("things/a.jpg",), ("things/b.jpg",)),
            id="cut off and empty",
        ),
        pytest.param(
            {"people/a.png": FILES["retina"]},
            {"wrong-name"},
            "1 picture is of another kind than its name says.",
            (("people/a.png",),),
            id="a JPEG called png",
        ),
        pytest.param(
            {"people/a.txt": FILES["retina"], "people/b.webp": FILES["bricks"]},
            {"wrong-name"},
            "2 pictures are of another kind than their names say.",
            (("people/a.txt",), ("people/b.webp",)),
            id="two wrong names",
        ),
        pytest.param({"people/a": FILES["retina"], "people/b.2024": FILES["bricks"]}, {}, "", (), id="no ending"),
        pytest.param({"people/a.JPEG": FILES["retina"], "people/b.jfif": FILES["bricks"]}, {}, "", (), id="other ends"),
        pytest.param(
            {"people/a.png": PLAIN},
            {"constant", "small-file"},
            "1 picture is of one color all over.",
            (("people/a.png",),),
            id="plain",
        ),
        pytest.param(
            {"things/z.jpg": FILES["cat"]},
            {"exact-copies"},
            "1 group of exact copies, 1 picture more than needed.",
            (("things/cat.jpg", "things/z.jpg"),),
            id="a copy",
        ),
        pytest.param(
            {"things/z.png": saved(CAT), "things/y.bmp": saved(CAT, "BMP"), "things/x.jpg": FILES["coffee"]},
            {"exact-copies"},
            "2 groups of exact copies, 3 pictures more than needed.",
            (("things/cat.jpg", "things/y.bmp", "things/z.png"), ("things/coffee.jpg", "things/x.jpg")),
            id="copies in other formats",
        ),
        pytest.param(
            {"people/z.jpg": FILES["cat"]},
            {"two-labels", "exact-copies"},
            "1 group of exact copies stands under more than one label.",
            (("people/z.jpg", "things/cat.jpg"),),
            id="a copy under another label",
        ),
        pytest.param(
            {"things/t.png": THUMBNAIL},
            {"near-copies", "small-file"},
            "1 group of near-copies (1 pair).",
            (("things/cat.jpg", "things/t.png"),),
            id="a thumbnail",
        ),
        pytest.param(
            {"people/m.jpg": saved(CAT[:, ::-1], "JPEG", quality=97)},
            {"near-two-labels", "near-copies"},
            "1 group of near-copies stands under more than one label.",
            (("people/m.jpg", "things/cat.jpg"),),
            id="a mirror image under another label",
        ),
        pytest.param(
            {"things/g.jpg": GREY},
            {"grey"},
            "1 picture is grey among pictures in color.",
            (("things/g.jpg",),),
            id="grey",
        ),
        pytest.param(
            {
                f"things/{n}.png": saved(np.random.default_rng(n).integers(0, 256, (99, 99, 3), np.uint8))
                for n in range(4)
            },
            {"imbalance"},
            "things has 6 pictures, 3.0 times as many as people.",
            (),
            id="three times as many",
        ),
    ],
)
def test_a_planted_flaw_is_found_and_no_other(
    tmp_path: Path, planted: dict[str, bytes], kinds: set[str], sentence: str, groups
) -> None:
    found = judged(folder(tmp_path / "data", {**GOOD, **planted})).findings
    assert {one.kind for one in found} == set(kinds)
    assert sentence in [one.sentence for one in found] or not sentence
    assert groups in [one.groups for one in found] or not found


def test_ready_splits_of_the_source_and_their_copies(tmp_path: Path) -> None:
    files = {
        "train/a/1.jpg": FILES["astronaut"],
        "train/a/2.jpg": FILES["cat"],
        "train/b/1.jpg": FILES["coffee"],
        "train/b/2.jpg": FILES["retina"],
        "test/a/1.jpg": FILES["cat"],
        "test/a/2.png": saved(decode(FILES["cat"]).pixels),
        "test/b/1.jpg": saved(decode(FILES["coffee"]).pixels[:, ::-1], "JPEG"),
        "val/b/1.jpg": FILES["retina"],
        "val/a/1.jpg": FILES["bricks"],
    }
    found = judged(folder(tmp_path, files), min_bytes=0)
    assert found.splits == {"test": 3, "train": 4, "validation": 2}
    assert {one.kind: one.sentence for one in found.findings} == {
        "exact-copies": "2 groups of exact copies, 3 pictures more than needed.",
        "near-copies": "1 group of near-copies (1 pair, mirrored).",
        "across-splits": "2 groups of exact copies lie in more than one split. "
        "2 test pictures and 1 validation picture have a copy in training.",
        "near-across-splits": "1 group of near-copies lies in more than one split. "
        "1 test picture has a copy in training.",
    }
    assert suggested(found, ["across-splits", "near-across-splits"]) == {
        "test/a/2.png": "copies across the splits",  # the second of two test pictures
        "train/a/2.jpg": "copies across the splits",
        "train/b/2.jpg": "copies across the splits",
        "train/b/1.jpg": "near-copies across the splits",
    }


def test_a_near_copy_of_a_copy_crosses_the_splits_too() -> None:
    """train 0 = test 1 exactly, and train 2 is their thumbnail: test 1 has a near-copy in training."""
    small = cv2.resize(CAT, (64, 64), interpolation=cv2.INTER_AREA)
    found = of([CAT, CAT, small], splits=("train", "test", "train"))
    crossing = found.find("near-across-splits")
    assert crossing is not None
    assert crossing.groups == (("0", "1", "2"),)


@pytest.mark.parametrize(
    ("splits", "sentence"),
    [
        (("train", "test"), "in more than one split. 1 test picture has a copy in training."),
        (("test", "validation"), "in more than one split."),
        (("train", ""), ""),
        (("test", "test"), ""),
    ],
)
def test_which_copies_lie_across_the_splits(splits: tuple[str, str], sentence: str) -> None:
    found = of([CAT, CAT], splits=splits).find("across-splits")
    assert (found.sentence if found else "").partition(" lies ")[2] == sentence


def of(pictures, labels=None, splits=None, names=("a", "b"), **bounds) -> Report:
    number = len(pictures)
    entries = tuple(Entry(str(n), (labels or [0] * number)[n], (splits or [""] * number)[n]) for n in range(number))
    dataset = Dataset("made", names, entries, lambda index: pictures[index])
    return report(dataset, scan(dataset), **bounds)


NOISES = [np.random.default_rng(n).integers(0, 256, (30, 40, 3), dtype=np.uint8) for n in range(12)]
GREYS = [np.repeat(noise[..., :1], 3, axis=2) for noise in NOISES]


@pytest.mark.parametrize(
    ("pictures", "labels", "expected"),
    [
        pytest.param([], [], {}, id="empty"),
        pytest.param(NOISES[:1], [0], {"imbalance": "The class b has no pictures."}, id="a class without pictures"),
        pytest.param(NOISES[:4], [0, 0, 0, 1], {"imbalance": "a has 3 pictures, 3.0 times as many as b."}, id="3 to 1"),
        pytest.param(NOISES[:7], [0] * 5 + [1] * 2, {}, id="5 to 2"),
        pytest.param(
            NOISES[:2] * 3,
            [0, 1] * 3,
            {"exact-copies": "2 groups of exact copies, 4 pictures more than needed."},
            id="all copies",
        ),
        pytest.param(
            [NOISES[0]] * 4,
            [0, 1] * 2,
            {
                "exact-copies": "1 group of exact copies, 3 pictures more than needed.",
                "two-labels": "1 group of exact copies stands under more than one label.",
            },
            id="one picture only",
        ),
        pytest.param(GREYS[:4], [0, 1, 0, 1], {}, id="all grey"),
        pytest.param(NOISES[:2] + GREYS[2:4], [0, 1, 0, 1], {"grey": "2 pictures are grey"}, id="half grey"),
        pytest.param(NOISES[:1] + GREYS[1:4], [0, 1, 0, 1], {}, id="mostly grey"),
        pytest.param(
            [np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 9, np.uint8)],
            [0, 1],
            {"small-picture": "2 pictures have fewer than 1,024 pixels each.", "constant": "2 pictures are of one"},
            id="one pixel each",
        ),
    ],
)
def test_edges(pictures, labels, expected: dict[str, str]) -> None:
    found = {one.kind: one.sentence for one in of(pictures, labels).findings}
    assert found.keys() == expected.keys()
    assert all(found[kind].startswith(sentence) for kind, sentence in expected.items())


@pytest.mark.parametrize(
    ("min_pixels", "min_bytes", "kinds"),
    [(1200, 0, []), (1201, 0, ["small-picture"]), (0, 10**9, [])],  # arrays have no bytes
)
def test_bounds_of_small_can_be_chosen(min_pixels: int, min_bytes: int, kinds: list[str]) -> None:
    found = of(NOISES[:2], [0, 1], min_pixels=min_pixels, min_bytes=min_bytes)
    assert [one.kind for one in found.findings] == kinds


@pytest.mark.parametrize("more", [0, 1])
def test_a_file_of_the_smallest_size_is_not_small(tmp_path: Path, more: int) -> None:
    root = folder(tmp_path, {"a/1.jpg": FILES["cat"], "a/2.jpg": FILES["coffee"]})
    small = judged(root, min_bytes=min(len(FILES["cat"]), len(FILES["coffee"])) + more).find("small-file")
    assert (small is not None) == bool(more)


def test_nothing_is_touched_and_all_unreadable_is_a_report_too(tmp_path: Path) -> None:
    root = folder(tmp_path / "data", {"a/1.jpg": b"x", "a/2.jpg": b"yy", "b/1.jpg": b"zzz"})
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*") if path.is_file()}
    found = judged(root)
    assert [(one.kind, len(one.files)) for one in found.findings] == [("unreadable", 3)]
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*") if path.is_file()} == before
    assert os.listdir(tmp_path) == ["data"]


def test_the_report_as_text_and_as_json() -> None:
    found = Report(
        "pets",
        1234,
        {"cats": 1000, "dogs": 234},
        {"test": 34, "train": 1200},
        (
            Finding("exact-copies", "7 groups.", tuple((f"{n}", f"{n}b") for n in range(7))),
            Finding("imbalance", "Odd."),
        ),
        ("notes.txt: no picture",),
        left_out={"x.jpg": "cannot be read"},
    )
    assert found.text().split("\n") == [
        "pets: 1,234 pictures in 2 classes",
        "  cats: 1,000",
        "  dogs: 234",
        "Splits of the source",
        "  test: 34",
        "  train: 1,200",
        "",
        "7 groups.",
        *(f"  {n} = {n}b" for n in range(5)),
        "  and 2 more",
        "",
        "Odd.",
        "",
        "Passed over:",
        "  notes.txt: no picture",
        "",
        "Left out by the list beside it:",
        "  x.jpg: cannot be read",
    ]
    whole, copies, odd = [json.loads(line) for line in found.json_lines()]
    assert (whole["data"], whole["pictures"], whole["classes"]["dogs"], whole["left_out"]) == (
        "pets",
        1234,
        234,
        {"x.jpg": "cannot be read"},
    )
    assert (copies["kind"], copies["groups"][6], odd) == (
        "exact-copies",
        ["6", "6b"],
        {"kind": "imbalance", "sentence": "Odd.", "groups": []},
    )
    assert Report("p", 1, {"a": 1}, {}, ()).text() == "p: 1 picture in 1 class\n  a: 1\n\nNothing odd was found."


# ---------------------------------------------------------------------- leaving out

FOUND = Report(
    "pets",
    9,
    {},
    {},
    (
        Finding("unreadable", "", (("bad",),)),
        Finding("exact-copies", "", (("a", "b", "c"), ("d", "e"))),
        Finding("two-labels", "", (("d", "e"),)),
        Finding("across-splits", "", (("tr", "va", "te"), ("tr2", "va2"))),
        Finding("imbalance", "all"),
    ),
    given={"tr": "train", "va": "validation", "te": "test", "tr2": "train", "va2": "validation"},
)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], ""),
        (["unreadable"], "bad"),
        (["exact-copies"], "b c d e"),  # d and e stand under two labels: none of them stays
        (["two-labels"], "d e"),
        (["exact-copies", "two-labels"], "b c d e"),
        (["across-splits"], "tr va tr2"),
        (["near-copies"], ""),
    ],
)
def test_of_copies_one_stays_and_under_two_labels_none(kinds: list[str], expected: str) -> None:
    assert set(suggested(FOUND, kinds)) == set(expected.split())


def test_every_kind_but_those_about_the_whole_can_be_left_out() -> None:
    kinds = [kind for kind in cleaning.KINDS if kind not in cleaning.WHOLE]
    every = Report("pets", 2, {}, {}, tuple(Finding(kind, "", (("a", "b"),)) for kind in kinds))
    for kind in kinds:
        assert suggested(every, [kind])["b"] == cleaning.KINDS[kind]


def test_the_list_lies_beside_the_data_and_grows(tmp_path: Path) -> None:
    files = {f"{label}/{n}.png": saved(NOISES[n]) for n in range(3) for label in "ab"}
    root = folder(tmp_path / "pets", files)
    dataset = open_dataset(root)
    assert less_left_out(dataset, root) == (dataset, {})
    assert write_leave_out(f"{root}{os.sep}", {"a/0.png": "copy"}) == tmp_path / "pets.leave-out.json"
    write_leave_out(root, {"b/1.png": "grey", "gone.png": "cannot be read"})
    assert read_leave_out(root) == {"a/0.png": "copy", "b/1.png": "grey", "gone.png": "cannot be read"}
    left, gone = less_left_out(dataset, root)
    assert [entry.name for entry in left.entries] == ["a/1.png", "a/2.png", "b/0.png", "b/2.png"]
    assert gone == {"a/0.png": "copy", "b/1.png": "grey"}
    assert (left.pixels(2) == NOISES[0]).all()
    assert json.loads((tmp_path / "pets.leave-out.json").read_text())["format"] == 1


def test_where_the_list_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert leave_out_path(".") == tmp_path / "here.leave-out.json"
    assert leave_out_path("x.zip") == tmp_path / "here" / "x.zip.leave-out.json"
    (tmp_path / "here" / "digits.leave-out.json").write_text("{")
    assert read_leave_out("digits") == {}  # the built-in data set has none
    with pytest.raises(DataError, match=r"digits\.leave-out\.json cannot be read as JSON"):
        read_leave_out("./digits")


def everything_out(root: Path) -> object:
    write_leave_out(root, {entry.name: "x" for entry in open_dataset(root).entries})
    return less_left_out(open_dataset(root), root)


def written(text: str) -> Callable[[Path], object]:
    def act(root: Path) -> object:
        leave_out_path(root).write_text(text)
        return less_left_out(open_dataset(root), root)

    return act


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda _: suggested(FOUND, ["copies"]), "There is no kind of finding called copies; choose from unreadable, "),
        (lambda _: suggested(FOUND, ["imbalance"]), "The finding imbalance is about the data set as a whole, so that"),
        (written("{"), "pets.leave-out.json cannot be read as JSON; mend it, or delete it to leave nothing out."),
        (written("[" * 100_000), "pets.leave-out.json cannot be read as JSON; mend it, or delete it to leave nothing"),
        (written("[]"), "pets.leave-out.json holds no list of files with reasons; mend it, or delete it."),
        (written('{"format": 1, "files": ["a"]}'), "pets.leave-out.json holds no list of files with reasons;"),
        (written('{"format": 1, "files": {"a": 1}}'), "pets.leave-out.json holds no list of files with reasons;"),
        (written('{"format": 2, "files": {}}'), "pets.leave-out.json has format 2, newer than this program's 1;"),
        (everything_out, "pets.leave-out.json leaves out every picture; take some names out of it."),
        (lambda _: write_leave_out("digits", {}), "digits is no file or folder, so that no list can lie beside it;"),
        (lambda root: write_leave_out(root / "no" / "where", {}), "where.leave-out.json cannot be written beside the"),
    ],
)
def test_what_goes_wrong_with_the_list(tmp_path: Path, act: Callable[[Path], object], sentence: str) -> None:
    root = folder(tmp_path / "pets", {f"{label}/1.png": saved(NOISES[n]) for n, label in enumerate("ab")})
    with pytest.raises(DataError) as caught:
        act(root)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith(".") or "choose from" in sentence
    assert "\n" not in str(caught.value)


def test_a_list_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "pets", {"a/1.png": saved(NOISES[0])})
    write_leave_out(root, {"a": "x"})
    digest = hashlib.sha256((tmp_path / "pets.leave-out.json").read_bytes()).digest()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match=r"cannot be written beside the data \(No space left on device\)"):
        write_leave_out(root, {"b": "x"})
    assert sorted(os.listdir(tmp_path)) == ["pets", "pets.leave-out.json"]
    assert hashlib.sha256((tmp_path / "pets.leave-out.json").read_bytes()).digest() == digest


def test_names_that_are_shown_alike_are_judged_by_their_ending() -> None:
    """The second of two files that are both shown as a.jpg is called "a.jpg (2)"."""
    data = FILES["cat"]
    entries = (Entry("c/a.jpg", 0), Entry("c/a.jpg (2)", 0), Entry("c/b.png (2)", 0))
    dataset = Dataset("made", ("c",), entries, lambda _: CAT, lambda _: data)
    wrong = report(dataset, scan(dataset)).find("wrong-name")
    assert wrong is not None
    assert wrong.files == ("c/b.png (2)",)


def test_a_zip_is_judged_like_its_folder(tmp_path: Path) -> None:
    files = {**GOOD, "things/z.jpg": FILES["cat"], "things/a.jpg": b"hello"}
    root = folder(tmp_path / "data", files)
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as target:
        for name, data in files.items():
            target.writestr(f"data/{name}", data)
    assert judged(tmp_path / "data.zip").json_lines() == judged(root).json_lines()
