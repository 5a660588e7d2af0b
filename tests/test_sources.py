"""Opening data sets: a tree of files means the same in a folder and in a zip, and the rest gets a sentence."""

import builtins
import io
import os
import random
import re
import subprocess
import sys
import time
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz.data import sources
from cnnviz.data.arrangement import arranged, natural
from cnnviz.data.dataset import DataError, Dataset, Entry
from cnnviz.data.sources import open_dataset, open_upload, require_classes
from cnnviz.images import ImageError

ROOT = Path(__file__).resolve().parents[1]
PETS = ("cats/1.jpg", "cats/2.jpg", "dogs/1.jpg")
Opener = Callable[[dict[str, bytes]], Dataset]


def png(color: tuple[int, int, int] = (200, 0, 0), size: tuple[int, int] = (4, 3)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name, data in files.items():
            target.writestr(name, data)
    return file.getvalue()


@pytest.fixture(params=["folder", "zip", "upload"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens files, given by path and content, in each way; a path with "/" at its end is an empty folder."""

    def from_folder(files: dict[str, bytes]) -> Dataset:
        for name, data in files.items():
            path = tmp_path / "pets" / name
            (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.write_bytes(data)
        return open_dataset(tmp_path / "pets")

    def from_zip(files: dict[str, bytes]) -> Dataset:
        (tmp_path / "pets.zip").write_bytes(zipped(files))
        return open_dataset(str(tmp_path / "pets.zip"))

    def from_upload(files: dict[str, bytes]) -> Dataset:
        return open_upload(zipped(files), "pets.zip")

    return {"folder": from_folder, "zip": from_zip, "upload": from_upload}[request.param]


def described(dataset: Dataset) -> list[str]:
    """ "cats/1.jpg = cats, train" """
    return [
        f"{entry.name} = {dataset.labels[entry.label]}{', ' * bool(entry.split)}{entry.split}"
        for entry in dataset.entries
    ]


# ---------------------------------------------------------------------- layouts


@pytest.mark.parametrize(
    ("paths", "expected", "passed_over"),
    [
        pytest.param(PETS, ["cats/1.jpg = cats", "cats/2.jpg = cats", "dogs/1.jpg = dogs"], [], id="folder per class"),
        pytest.param(
            tuple(f"pets/{path}" for path in PETS),
            ["cats/1.jpg = cats", "cats/2.jpg = cats", "dogs/1.jpg = dogs"],
            [],
            id="wrapped",
        ),
        pytest.param(
            ("a/b/README.md", "a/notes.txt", *(f"a/b/{path}" for path in PETS)),
            ["cats/1.jpg = cats", "cats/2.jpg = cats", "dogs/1.jpg = dogs"],
            ["a/b/README.md: lies in no folder of a class", "a/notes.txt: lies in no folder of a class"],
            id="wrapped twice, with texts",
        ),
        pytest.param(("cats/1.jpg", "cats/2.PNG"), ["cats/1.jpg = cats", "cats/2.PNG = cats"], [], id="one class"),
        pytest.param(("pets/cats/1.jpg",), ["cats/1.jpg = cats"], [], id="one class, wrapped"),
        pytest.param(
            ("10/1.gif", "9/1.gif", "1/10.gif", "1/9.gif"),
            ["1/9.gif = 1", "1/10.gif = 1", "9/1.gif = 9", "10/1.gif = 10"],
            [],
            id="natural order",
        ),
        pytest.param(
            ("cats/black/old/1.jpg", "cats/1.jpg", "dogs/1.jpg"),
            ["cats/1.jpg = cats", "cats/black/old/1.jpg = cats", "dogs/1.jpg = dogs"],
            [],
            id="folders in a class",
        ),
        pytest.param(
            ("train/cats/1.jpg", "Validation/cats/2.jpg", "TEST/cats/3.jpg", "train/dogs/1.jpg", "TEST/dogs/2.jpg"),
            [
                "TEST/cats/3.jpg = cats, test",
                "TEST/dogs/2.jpg = dogs, test",
                "train/cats/1.jpg = cats, train",
                "train/dogs/1.jpg = dogs, train",
                "Validation/cats/2.jpg = cats, validation",
            ],
            ["validation/dogs: there are no pictures of this class here"],
            id="ready splits",
        ),
        pytest.param(
            ("d/training_set/cats/1.jpg", "d/test_set/cats/2.jpg"),
            ["test_set/cats/2.jpg = cats, test", "training_set/cats/1.jpg = cats, train"],
            [],
            id="ready splits, other names, wrapped",
        ),
        pytest.param(
            ("val/b/1.jpg", "val/10/1.jpg", "testing/9/1.jpg"),
            ["testing/9/1.jpg = 9, test", "val/10/1.jpg = 10, validation", "val/b/1.jpg = b, validation"],
            [
                "test/10: there are no pictures of this class here",
                "test/b: there are no pictures of this class here",
                "validation/9: there are no pictures of this class here",
            ],
            id="labels are the union",
        ),
        pytest.param(
            ("train/cats/1.jpg", "test/cats/1.jpg", "extra/cats/1.jpg", "test/9.jpg", "test/notes/a.txt", "top.jpg"),
            ["test/cats/1.jpg = cats, test", "train/cats/1.jpg = cats, train"],
            [
                "extra/cats/1.jpg: lies beside test and train",
                "test/9.jpg: lies in no folder of a class",
                "test/notes: is a folder without pictures",
                "top.jpg: lies in no folder of a class",
            ],
            id="what lies beside splits",
        ),
        pytest.param(
            ("train/cats/1.jpg", "train/dogs/1.jpg", "test/1.jpg"),
            ["train/cats/1.jpg = cats", "train/dogs/1.jpg = dogs"],
            ["test/1.jpg: lies in no folder of a class"],
            id="a test folder without classes gives no split",
        ),
        pytest.param(
            ("train/cats/1.jpg", "train/dogs/1.jpg"),
            ["cats/1.jpg = cats", "dogs/1.jpg = dogs"],
            [],
            id="train alone is a wrapping",
        ),
        pytest.param(
            ("car/1.jpg", "train/1.jpg", "plane/1.jpg"),
            ["car/1.jpg = car", "plane/1.jpg = plane", "train/1.jpg = train"],
            [],
            id="trains are a class",
        ),
        pytest.param(
            (
                "cats/.hidden.jpg",
                "cats/1.jpg",
                "cats/Thumbs.db",
                "cats/.git/a.jpg",
                "cats/.git/b.jpg",
                "cats/more.zip",
                ".DS_Store",
                "__MACOSX/cats/1.jpg",
                "desktop.ini",
                "top.png",
                "readme.txt",
                "scripts/a.py",
                "scripts/b.py",
                "empty/",
                "cats/emptier/",
                "a/b/c/",
            ),
            ["cats/1.jpg = cats"],
            [
                ".DS_Store: is hidden",
                "__MACOSX: is left behind by the system",
                "a: is a folder without pictures",
                "cats/.git: is hidden",
                "cats/.hidden.jpg: is hidden",
                "cats/Thumbs.db: is left behind by the system",
                "cats/more.zip: is an archive inside, and such are not opened",
                "desktop.ini: is left behind by the system",
                "empty: is a folder without pictures",
                "readme.txt: lies in no folder of a class",
                "scripts: is a folder without pictures",
                "top.png: lies in no folder of a class",
            ],
            id="what lies beside",
        ),
        pytest.param(
            ("cats/1.jpg", "cats/notes.txt", "cats/no extension", "cats/2.exe"),
            ["cats/1.jpg = cats", "cats/2.exe = cats", "cats/no extension = cats", "cats/notes.txt = cats"],
            [],
            id="every file of a class is an entry",
        ),
        pytest.param(
            ("cats.zip/1.jpg", "dogs/1.jpg"),
            ["cats.zip/1.jpg = cats.zip", "dogs/1.jpg = dogs"],
            [],
            id="a folder with the name of an archive",
        ),
        pytest.param(
            (unicodedata.normalize("NFD", "train/Bär/1.jpg"), "test/Bär/1.jpg"),
            ["test/Bär/1.jpg = Bär, test", "train/Bär/1.jpg = Bär, train"],
            [],
            id="two ways to write an umlaut are one class",
        ),
        pytest.param(
            ("a/x\x1b[31m.jpg", "a/x\u202e[31m.jpg", "a\nb/1.jpg"),
            ["a/x\ufffd[31m.jpg = a", "a/x\ufffd[31m.jpg (2) = a", "a\ufffdb/1.jpg = a\ufffdb"],
            [],
            id="characters that control a terminal, and names that then look alike",
        ),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_every_layout_is_understood_alike_in_folders_and_zips(
    opened: Opener, paths: tuple[str, ...], expected: list[str], passed_over: list[str]
) -> None:
    shuffled = list(paths)
    random.Random(1).shuffle(shuffled)
    dataset = opened(dict.fromkeys(shuffled, b"not read"))
    assert described(dataset) == expected
    assert sorted(dataset.passed_over) == sorted(passed_over)
    assert dataset.name == "pets"
    assert len({entry.name for entry in dataset.entries}) == len(dataset)


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ((), "pets.* holds no pictures"),
        (("empty/", "two/"), "holds no pictures"),
        (("readme.txt", "a/b.txt"), "holds no pictures"),
        (("inner.zip",), r"no pictures \(inner.zip: is an archive inside"),
        (("__MACOSX/cats/1.jpg", ".x/1.jpg"), "holds no pictures"),
        (("1.jpg", "2.jpg", "docs/a.txt"), "directly in pets"),
        (("train/1.jpg", "test/2.jpg"), "directly in test and train"),
    ],
)
def test_without_a_class_there_is_one_sentence(opened: Opener, paths: tuple[str, ...], words: str) -> None:
    files = dict.fromkeys(paths, b"") or {"./": b""}
    with pytest.raises(DataError, match=words) as caught:
        opened(files)
    assert re.fullmatch(r"[^\n]+[^.\n]\.", str(caught.value))


def test_of_many_files_passed_over_some_are_named_and_the_rest_counted(opened: Opener) -> None:
    files = dict.fromkeys([*PETS, *(f"{number}.txt" for number in range(100))], b"")
    lines = opened(files).passed_over
    assert lines[:2] == ("0.txt: lies in no folder of a class", "1.txt: lies in no folder of a class")
    assert lines[20:] == ("and 80 more: lies in no folder of a class",)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("b", "a"), ("a", "b")),
        (("10", "9", "1", "01"), ("01", "1", "9", "10")),
        (("x10y2", "x10y10", "x9"), ("x9", "x10y2", "x10y10")),
        (("Zebra", "ant", "Cat"), ("ant", "Cat", "Zebra")),
        (("1", "a", "", "²", "٣"), ("", "1", "٣", "a", "²")),
        (("9" * 300, "1" + "0" * 300), ("9" * 300, "1" + "0" * 300)),
    ],
)
def test_natural_order(names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert natural(names) == expected


# ---------------------------------------------------------------------- reading


def test_pictures_and_bytes_come_when_asked_for(opened: Opener) -> None:
    red, blue = png((200, 0, 0)), png((0, 0, 90))
    dataset = opened({"b/4.jpg": red[:40], "b/3.jpg": b"", "b/2.jpg": b"text", "b/1.png": blue, "a/1.png": red})
    assert dataset.data is not None
    assert dataset.data(0) == red
    assert dataset.pixels(1).tolist() == [[[0, 0, 90]] * 4] * 3
    assert dataset.pixels(1).dtype == np.uint8
    for index, words in ((2, r"2.jpg seems to be a text"), (3, "3.jpg is empty"), (4, "4.jpg .*damaged")):
        with pytest.raises(ImageError, match=words):
            dataset.pixels(index)
    chosen = dataset.select([1])
    assert chosen.data is not None
    assert (chosen.data(0), chosen.pixels(0).max()) == (blue, 90)


def test_pictures_of_a_phone_lie_upright(opened: Opener) -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 2)).save(file, "JPEG", exif=exif.tobytes())
    assert opened({"a/1.jpg": file.getvalue()}).pixels(0).shape == (6, 2, 3)


def test_opening_reads_no_picture(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.open
    read: list[str] = []

    def watched(file: object, *args: object, **more: object) -> object:
        read.append(str(file))
        return real(file, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(sources, "decode", lambda *_: pytest.fail("decoded"))
    files = dict.fromkeys(PETS, b"not read")
    monkeypatch.setattr(builtins, "open", watched)
    assert len(opened(files)) == 3
    assert not [name for name in read if name.endswith(".jpg")]


def test_a_huge_file_is_an_entry_that_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with (tmp_path / "a" / "1.jpg").open("wb") as file:
        file.truncate(60_000_000)
    dataset = open_dataset(tmp_path)
    with pytest.raises(ImageError, match=r"a/1.jpg has 60.0 MB, and at most 20 MB"):
        dataset.pixels(0)


def test_files_that_go_or_change_after_opening_give_a_sentence_without_the_users_folders(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "3.png"):
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / name).write_bytes(png())
    dataset = open_dataset(tmp_path)
    secret = tmp_path / "secret.png"
    secret.write_bytes(png())
    (tmp_path / "a" / "1.png").unlink()
    (tmp_path / "a" / "2.png").unlink()
    (tmp_path / "a" / "2.png").symlink_to(secret)
    (tmp_path / "a" / "3.png").unlink()
    os.mkfifo(tmp_path / "a" / "3.png")
    for index in range(3):
        with pytest.raises(ImageError, match=f"{index + 1}.png") as caught:
            dataset.pixels(index)
        assert str(tmp_path) not in str(caught.value)


def test_links_and_devices_are_passed_over(tmp_path: Path) -> None:
    pets, outside = tmp_path / "pets", tmp_path / "outside"
    for path in (pets / "cats", outside / "birds"):
        path.mkdir(parents=True)
        (path / "1.jpg").write_bytes(png())
    (pets / "cats" / "2.jpg").symlink_to(outside / "birds" / "1.jpg")
    (pets / "cats" / "3.jpg").symlink_to(tmp_path / "nowhere")
    (pets / "cats" / "round").symlink_to(pets)
    (pets / "birds").symlink_to(outside / "birds")
    os.mkfifo(pets / "cats" / "4.jpg")
    dataset = open_dataset(pets)
    assert described(dataset) == ["cats/1.jpg = cats"]
    link, pipe = "is a link, and links are not followed", "is no ordinary file"
    assert sorted(dataset.passed_over) == [
        f"birds: {link}",
        f"cats/2.jpg: {link}",
        f"cats/3.jpg: {link}",
        f"cats/4.jpg: {pipe}",
        f"cats/round: {link}",
    ]
    (tmp_path / "link").symlink_to(pets)  # the one that the user names is followed
    assert len(open_dataset(tmp_path / "link")) == 1


def test_names_that_are_no_text_can_be_shown_and_stored(tmp_path: Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"c\xe4ts")
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system takes texts only")
    for name in (b"1\xff.png", b"1\xfe.png"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(png())
    dataset = open_dataset(tmp_path)
    assert "\n".join(described(dataset)).encode()
    assert len({entry.name for entry in dataset.entries}) == 2
    assert dataset.pixels(1).shape == (3, 4, 3)


def test_folders_too_deep_are_passed_over(tmp_path: Path) -> None:
    deep = tmp_path.joinpath("cats", *["x"] * 60)
    deep.mkdir(parents=True)
    (deep / "1.jpg").write_bytes(b"")
    (tmp_path / "cats" / "1.jpg").write_bytes(b"")
    dataset = open_dataset(tmp_path)
    assert described(dataset) == ["cats/1.jpg = cats"]
    assert dataset.passed_over[0].endswith("is too deep in folders")


def test_many_classes_and_many_names_shown_alike_take_no_quadratic_time() -> None:
    files = [(f"{number}", f"{number}.jpg") for number in range(15_000)]
    files += [("a", f"{chr(1 + number % 8)}.jpg") for number in range(15_000)]
    started = time.process_time()
    labels, entries, chosen = arranged("pets", files, [], {})
    assert time.process_time() - started < 4
    assert len(labels) == 15_001
    assert len({entry.name for entry in entries}) == len(entries) == len(chosen) == 30_000


# ---------------------------------------------------------------------- what can be named


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "No data set was named"),
        ("  ", "No data set was named"),
        ("nowhere", "nowhere is not there.*drawn-shapes, drawn-faces, digits, mnist"),
        ("no\0where", "is not there"),
        ("x" * 5000, "is not there"),
        ("\udcff\x1b[2J", "is not there"),
        ("notes.txt", "notes.txt is no data set; give a folder"),
        ("photo.jpg", "photo.jpg is no data set; give a folder"),
        ("pack.tar.gz", "pack.tar.gz is no data set; unpack it"),
        ("pack.rar", "pack.rar is no data set; unpack it"),
        ("empty.zip", "empty.zip is no zip"),
        ("cut.zip", "cut.zip is cut off"),
        ("cut", "cut is cut off"),
        ("empty.csv", "empty.csv is empty"),
        ("pipe", "pipe is no data set"),
        ("pipe.zip", "pipe.zip is no data set"),
        ("pipe.csv", "pipe.csv is no data set"),
        ("mnist", "mnist is fetched from the Internet"),
    ],
)
def test_what_is_no_data_set_gets_one_sentence(
    spec: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cut = zipped(dict.fromkeys(PETS, b"x" * 500))[:700]
    files = {"notes.txt": b"notes", "photo.jpg": png(), "pack.tar.gz": b"\x1f\x8b", "pack.rar": b"Rar!"}
    for name, data in {**files, "empty.zip": b"", "cut.zip": cut, "cut": cut, "empty.csv": b""}.items():
        Path(name).write_bytes(data)
    for name in ("pipe", "pipe.zip", "pipe.csv"):
        os.mkfifo(name)
    with pytest.raises(DataError, match=words) as caught:
        open_dataset(spec)
    said = str(caught.value)
    assert re.fullmatch(r"[^\n]+[^.\n]\.", said)
    assert said.isprintable()
    assert len(said) < 700


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(DataError, match="cannot be read"):
        open_dataset(tmp_path / "locked")


def test_zips_are_told_by_their_bytes_and_names_of_uploads_do_no_harm(tmp_path: Path) -> None:
    data = zipped({path: png() for path in PETS})
    (tmp_path / "no extension").write_bytes(data)
    assert len(open_dataset(tmp_path / "no extension")) == 3
    for name in ("../../evil.zip", "", "\x1b[2J\n.zip", "x" * 100_000 + ".zip"):
        dataset = open_upload(data, name)
        assert dataset.name.isprintable()
        assert "/" not in dataset.name
        assert 0 < len(dataset.name) <= 200
    assert open_upload(data, "../../evil.zip").name == "evil"


@pytest.mark.parametrize("spec", [".", "../pets", "./", "../pets/../pets/"])
def test_the_name_is_the_folders_however_it_is_given(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pets" / "cats").mkdir(parents=True)
    (tmp_path / "pets" / "cats" / "1.jpg").write_bytes(b"")
    monkeypatch.chdir(tmp_path / "pets")
    assert open_dataset(spec).name == "pets"


@pytest.mark.parametrize(
    ("spec", "labels", "number"),
    [
        ("drawn-shapes", ("circle", "square", "triangle", "star", "cross"), 10),
        ("drawn-faces", ("happy", "sad"), 6),
        ("digits", tuple("0123456789"), 40),
    ],
)
def test_built_in_names_open_in_any_number(spec: str, labels: tuple[str, ...], number: int) -> None:
    dataset = open_dataset(spec, number=number, seed=5)
    assert (dataset.name, dataset.labels, len(dataset)) == (spec, labels, number)
    picture = dataset.pixels(number - 1)
    assert (picture.dtype, picture.shape[2]) == (np.uint8, 3)
    again = open_dataset(spec, number=number, seed=5)
    assert again.entries == dataset.entries
    assert (again.pixels(number - 1) == picture).all()
    assert len(open_dataset(spec)) > number


def test_a_path_wins_over_a_built_in_name_where_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "digits" / "cats").mkdir(parents=True)
    (tmp_path / "digits" / "cats" / "1.jpg").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert open_dataset("digits").labels == tuple("0123456789")
    assert open_dataset("./digits").labels == ("cats",)
    assert open_dataset(Path("digits")).labels == ("cats",)


def test_a_number_chooses_by_the_seed(tmp_path: Path) -> None:
    spec = tmp_path / "pets.zip"
    spec.write_bytes(zipped({f"{folder}/{number}.jpg": b"%d" % number for folder in "ab" for number in range(50)}))
    some, same, other = (open_dataset(spec, 30, seed) for seed in (1, 1, 2))
    assert some.entries == same.entries != other.entries
    assert len(some) == len(set(some.entries)) == 30
    assert some.data is not None
    assert [some.data(index).decode() for index in range(30)] == [re.sub(r"\D", "", e.name) for e in some.entries]
    assert len(open_dataset(spec, 1000)) == 100
    with pytest.raises(DataError, match="choose 1 or more"):
        open_dataset(spec, 0)


@pytest.mark.parametrize(
    ("counts", "needed", "words"),
    [
        ({"cats": 2, "dogs": 2}, 2, ""),
        ({"cats": 500}, 2, "one class only .cats."),
        ({"cats": 9, "dogs": 1}, 2, "“.*” needs 2 pictures or more, but dogs has 1;"),
        ({"cats": 9, "dogs": 0}, 1, "dogs has 0"),
        ({"cats": 9, "dogs": 10}, 10, "cats has 9;"),
        ({str(number): 1 for number in range(9)}, 2, "4 has 1 and so on;"),
    ],
)
def test_training_needs_two_classes_with_some_pictures(counts: dict[str, int], needed: int, words: str) -> None:
    entries = [
        Entry(f"{label}/{n}", number) for number, (label, count) in enumerate(counts.items()) for n in range(count)
    ]
    dataset = Dataset("pets", tuple(counts), tuple(entries), lambda _: np.zeros((1, 1, 3), np.uint8))
    if not words:
        require_classes(dataset, needed)
        return
    with pytest.raises(DataError, match=words):
        require_classes(dataset, needed)


def test_the_reader_of_sources_loads_nothing_heavy() -> None:
    code = (
        "import sys; from cnnviz.data.sources import open_dataset as o; o('digits'); o('drawn-faces'); "
        "heavy = {'keras', 'tensorflow', 'sklearn', 'pandas', 'streamlit'}; "
        "print(heavy & {name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_twenty_thousand_files_are_counted_right() -> None:
    data = zipped({f"pets/{number % 7}/{number}.jpg": b"" for number in range(20_000)})
    started = time.process_time()
    dataset = open_upload(data, "many.zip")
    assert time.process_time() - started < 4
    assert Counter(entry.label for entry in dataset.entries) == {0: 2858, **dict.fromkeys(range(1, 7), 2857)}
