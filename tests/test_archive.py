"""The zip reader: what zipfile writes is read alike, and what an attacker writes gets a sentence and does no harm."""

import io
import os
import random
import stat
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cnnviz.data import archive
from cnnviz.data.archive import Archive, open_archive
from cnnviz.data.dataset import DataError

LINK = (stat.S_IFLNK | 0o777) << 16
PIPE = (stat.S_IFIFO | 0o666) << 16
MEGABYTE = bytes(1_000_000)


@dataclass
class Item:
    """One file of a zip in which anything may be a lie; what is None is told truly."""

    name: bytes
    data: bytes = b"picture"
    method: int = 0
    flags: int = 0
    attributes: int = 0
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    start: int | None = None
    central_extra: bytes = b""
    body: bytes | None = None


def made(
    *items: Item, prefix: bytes = b"", comment: bytes = b"", count: int | None = None, zip64: bool = False
) -> bytes:
    body, directory = io.BytesIO(), io.BytesIO()
    body.write(prefix)
    for item in items:
        stream = item.data if item.body is None else item.body
        if item.body is None and item.method == 8:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            stream = packer.compress(item.data) + packer.flush()
        start = body.tell() - len(prefix)
        crc = zlib.crc32(item.data) if item.crc is None else item.crc
        sizes = (
            len(stream) if item.packed is None else item.packed,
            len(item.data) if item.size is None else item.size,
        )
        common = struct.pack("<HHIIII", item.flags, item.method, 0, crc, *sizes)
        body.write(b"PK\3\4\x14\0" + common + struct.pack("<HH", len(item.name), 0) + item.name + stream)
        directory.write(
            b"PK\1\2\x14\3\x14\0"
            + common
            + struct.pack("<HHHHHII", len(item.name), len(item.central_extra), 0, 0, 0, item.attributes, 0)[:-4]
            + struct.pack("<I", start if item.start is None else item.start)
            + item.name
            + item.central_extra
        )
    at, length = body.tell() - len(prefix), directory.tell()
    number = len(items) if count is None else count
    body.write(directory.getvalue())
    if zip64:
        there = body.tell() - len(prefix)
        body.write(b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, number, number, length, at))
        body.write(b"PK\6\7" + struct.pack("<IQI", 0, there, 1))
        number, length, at = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
    ending = struct.pack("<HHHHIIH", 0, 0, min(number, 65535), min(number, 65535), length, at, len(comment))
    return body.getvalue() + b"PK\5\6" + ending + comment


def written(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as target:
        target.comment = comment
        for name, data in files.items():
            target.writestr(name, data)
    return file.getvalue()


class OneWay(io.RawIOBase):
    """A file that cannot go back, so that zipfile writes sizes behind the data."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.data += data
        return len(data)


def streamed(files: dict[str, bytes]) -> bytes:
    file = OneWay()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in files.items():
            with target.open(name, "w", force_zip64=True) as entry:
                entry.write(data)
    return bytes(file.data)


def contents(opened: Archive) -> dict[str, bytes]:
    return {member.path: opened.read(member) for member in opened.members}


@pytest.fixture(autouse=True)
def _nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test here runs in a folder of its own, which it has to leave as it was; so do those above it."""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(inner))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield
    assert sorted(path.name for path in tmp_path.rglob("*") if path.name != "given.zip") == ["inner", "outer"]
    assert not Path("/evil.jpg").exists()


# ---------------------------------------------------------------------- good zips, against zipfile

FILES = {
    "cats/1.jpg": b"one" * 500,
    "cats/2.jpg": b"",
    "dogs/ä ö/狗.jpg": os.urandom(3000),
    "dogs/long.jpg": random.Random(1).randbytes(70_000),
}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(written(FILES, zipfile.ZIP_STORED), id="stored"),
        pytest.param(written(FILES), id="deflated"),
        pytest.param(written(FILES, comment=b"c" * 65535), id="longest comment"),
        pytest.param(b"#!/bin/sh\nPK\3\4" * 50 + written(FILES), id="something before it"),
        pytest.param(written(FILES) + b"\0" * 300, id="something after it"),
        pytest.param(streamed(FILES), id="streamed, zip64 sizes"),
    ],
)
@pytest.mark.parametrize("as_file", [False, True])
def test_good_zips_are_read_as_zipfile_reads_them(data: bytes, as_file: bool, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as oracle:
        expected = {name: oracle.read(name) for name in oracle.namelist()}
    assert expected == FILES
    (tmp_path / "given.zip").write_bytes(data)
    assert contents(open_archive(tmp_path / "given.zip" if as_file else data, "a.zip")) == expected


def test_a_comment_that_looks_like_the_end_is_no_end() -> None:
    # zipfile itself refuses this one
    assert contents(open_archive(written(FILES, comment=b"PK\5\6 is how the end begins" * 100), "a.zip")) == FILES


def test_zip64_with_more_than_65535_files_and_a_prefix() -> None:
    items = [Item(b"cats/%d.jpg" % number, b"%d" % number) for number in range(66_000)]
    opened = open_archive(made(*items, zip64=True, prefix=b"x" * 99), "a.zip")
    assert len(opened.members) == 66_000
    assert opened.read(opened.members[65_999]) == b"65999"


def test_zip64_sizes_and_places_come_from_the_extra_field() -> None:
    # kind 0x5455 is a time stamp, which is skipped; size, packed size and place follow in this order
    extra = struct.pack("<HHB", 0x5455, 1, 7) + struct.pack("<HHQQQ", 1, 24, 7, 7, 0)
    all_ones = 0xFFFFFFFF
    data = made(Item(b"a/1.jpg", size=all_ones, packed=all_ones, start=all_ones, central_extra=extra))
    assert contents(open_archive(data, "a.zip")) == {"a/1.jpg": b"picture"}


def test_folders_and_empty_zips() -> None:
    opened = open_archive(made(Item(b"cats/", b""), Item(b"./", b""), Item(b"cats\\black\\", b"")), "a.zip")
    assert (opened.members, opened.folders, opened.passed_over) == ((), ("cats", "cats/black"), ())
    assert open_archive(made(), "a.zip").members == ()


@pytest.mark.parametrize(
    ("raw", "flags", "path"),
    [
        (b"cats/1.jpg", 0, "cats/1.jpg"),
        (b"cats\\1.jpg", 0, "cats/1.jpg"),
        (b"./cats//1.jpg", 0, "cats/1.jpg"),
        (b"c\x84t/1.jpg", 0, "cät/1.jpg"),  # code page 437
        ("cät/1.jpg".encode(), 0x800, "cät/1.jpg"),
        ("cät/1.jpg".encode(), 0, "cät/1.jpg"),  # as macOS writes it
        (b"c\xe4t/1.jpg", 0x800, "cΣt/1.jpg"),  # says UTF-8 and is not: Latin-1, read as code page 437
        ("猫/犬.jpg".encode("shift_jis"), 0, "öL/îó.jpg"),
        (b"..cats/1..jpg", 0, "..cats/1..jpg"),
        (b"\xff\xfe\x80\x81", 0, "\xa0■Çü"),
    ],
)
def test_names_in_any_encoding_become_paths(raw: bytes, flags: int, path: str) -> None:
    assert contents(open_archive(made(Item(raw, flags=flags)), "a.zip")) == {path: b"picture"}


# ---------------------------------------------------------------------- what is passed over


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (Item(b"../evil.jpg"), "leads out"),
        (Item(b"../../../../../../../../evil.jpg"), "leads out"),
        (Item(b"cats/../../evil.jpg"), "leads out"),
        (Item(b"..\\evil.jpg"), "leads out"),
        (Item(b"cats\\..\\..\\evil.jpg"), "leads out"),
        (Item(b"/evil.jpg"), "leads out"),
        (Item(b"\\\\server\\share\\evil.jpg"), "leads out"),
        (Item(b"C:\\evil.jpg"), "leads out"),
        (Item(b"c:evil.jpg"), "leads out"),
        (Item(b"cats/1.jpg\0.txt"), "leads out"),
        (Item(b".."), "leads out"),
        (Item(b"../", b""), "leads out"),
        (Item(b""), "no name"),
        (Item(b"x" * 1001), "too long"),
        (Item(b"a/" * 30_000 + b"b"), "too long"),
        (Item(b"cats/link.jpg", b"/etc/passwd", attributes=LINK), "link"),
        (Item(b"cats/link/", b"", attributes=LINK), "link"),
        (Item(b"cats/pipe.jpg", attributes=PIPE), "no ordinary file"),
    ],
)
def test_harmful_entries_are_passed_over_and_the_rest_is_read(item: Item, reason: str) -> None:
    opened = open_archive(made(Item(b"cats/1.jpg", b"good"), item, Item(b"dogs/1.jpg", b"too")), "a.zip")
    assert contents(opened) == {"cats/1.jpg": b"good", "dogs/1.jpg": b"too"}
    ((_, said),) = opened.passed_over
    assert reason in said


def test_of_two_files_with_one_name_the_later_is_taken_as_unzip_does() -> None:
    opened = open_archive(made(Item(b"a/1.jpg", b"old"), Item(b"a//1.jpg", b"new"), Item(b"a/2.jpg")), "a.zip")
    assert contents(opened) == {"a/1.jpg": b"new", "a/2.jpg": b"picture"}
    assert [path for path, _ in opened.passed_over] == ["a/1.jpg"]


# ---------------------------------------------------------------------- what is refused

GOOD = made(Item(b"cats/1.jpg"), Item(b"dogs/1.jpg"))
DIRECTORY = GOOD.index(b"PK\1\2")


def quoted_overlap(files: int) -> bytes:
    """A bomb without ratio: every file's stored data holds all local headers behind it."""
    body = b"".join(
        b"PK\3\4\x14\0" + struct.pack("<HHIIII", 0, 0, 0, 0, 1000, 1000) + struct.pack("<HH", 1, 0) + b"%d" % n
        for n in range(files)
    ) + bytes(1000)
    directory = b"".join(
        b"PK\1\2\x14\3\x14\0"
        + struct.pack("<HHIIII", 0, 0, 0, 0, 1000, 1000)
        + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 31 * n)
        + b"%d" % n
        for n in range(files)
    )
    end = struct.pack("<HHHHIIH", 0, 0, files, files, len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


def many(**lies: Any) -> bytes:
    return made(*[Item(b"a/%d.jpg" % n, b"") for n in range(100_001)], **lies)


@pytest.mark.parametrize(
    ("data", "words"),  # data: made when its turn comes, where that takes long
    [
        pytest.param(b"", "no zip", id="empty"),
        pytest.param(b"PK", "no zip", id="two bytes"),
        pytest.param(b"GIF89a" + bytes(5000), "no zip", id="a picture"),
        pytest.param(bytes(100_000), "no zip", id="zeros"),
        pytest.param(b"PK\5\6" * 20_000, "zip", id="ends only"),
        pytest.param(GOOD[:DIRECTORY], "cut off", id="cut before the list"),
        pytest.param(GOOD[:-1], "cut off", id="last byte gone"),
        pytest.param(GOOD[:40], "cut off", id="cut in the first file"),
        pytest.param(GOOD[DIRECTORY:], "damaged", id="beginning gone"),
        pytest.param(GOOD[:DIRECTORY] + b"XX" + GOOD[DIRECTORY + 2 :], "damaged", id="broken list"),
        pytest.param(GOOD.replace(b"PK\1\2", b"PK\1\2"[::-1], 1), "damaged", id="broken record"),
        pytest.param(GOOD[:-18] + b"\1\0" + GOOD[-16:], "several parts", id="second disk"),
        pytest.param(made(Item(b"a/1.jpg"), Item(b"a/2.jpg", flags=1)), "password", id="one file encrypted"),
        pytest.param(made(Item(b"a/1.jpg", flags=0x2041)), "password", id="strong encryption"),
        pytest.param(made(Item(b"a/1.jpg", method=99, flags=1)), "password", id="AES"),
        pytest.param(quoted_overlap(9), "overlap", id="bomb that overlaps"),
        pytest.param(made(Item(b"a/1.jpg"), Item(b"a/2.jpg", start=0)), "overlap", id="two names, one file"),
        pytest.param(made(Item(b"a/1.jpg", start=2**32 - 2)), "overlap", id="place beyond the end"),
        pytest.param(made(Item(b"a/1.jpg", packed=2**32 - 2)), "overlap", id="longer than the zip"),
        pytest.param(made(Item(b"a", size=2**32 - 1, packed=2**32 - 1)), "damaged", id="zip64 without its field"),
        pytest.param(
            made(Item(b"a", size=2**32 - 1, central_extra=struct.pack("<HHI", 1, 4, 0))), "damaged", id="short zip64"
        ),
        pytest.param(
            made(Item(b"a", size=2**32 - 1, central_extra=struct.pack("<HHQ", 1, 8, 2**64 - 1))),
            "unpack",
            id="2⁶⁴ bytes",
        ),
        pytest.param(partial(many, zip64=True), "100,000", id="count"),
        pytest.param(partial(many, count=3), "100,000", id="count that lies"),
        pytest.param(
            lambda: made(*[Item(b"%d" % n, b"", central_extra=bytes(60_000)) for n in range(700)]),
            "list of contents",
            id="list",
        ),
        pytest.param(
            lambda: made(*[Item(b"a/%d.bmp" % n, MEGABYTE * 19, method=8, size=19_000_000) for n in range(6)]),
            "times",
            id="ratio of 1,000",
        ),
        pytest.param(
            lambda: made(*[Item(b"%d" % n, method=8, size=19_999_999) for n in range(101)], prefix=bytes(21_000_000)),
            "2,000 MB",
            id="total size",
        ),
    ],
)
def test_what_cannot_be_opened_gets_one_sentence(data: bytes | Callable[[], bytes], words: str) -> None:
    data = data if isinstance(data, bytes) else data()
    started = time.thread_time()
    with pytest.raises(DataError) as caught:
        open_archive(data, "pets.zip")
    said = str(caught.value)
    assert said.startswith("pets.zip ")
    assert said.endswith(".")
    assert "\n" not in said
    assert words in said
    assert time.thread_time() - started < 2


def test_many_small_empty_pictures_are_no_bomb() -> None:
    data = made(*[Item(b"a/%d.bmp" % n, MEGABYTE, method=8) for n in range(90)])
    assert 90e6 / len(data) > 500
    assert len(open_archive(data, "a.zip").members) == 90


def test_a_file_over_the_bound_and_what_is_no_file(tmp_path: Path) -> None:
    big = tmp_path / "given.zip"
    with big.open("wb") as file:
        file.truncate(200_000_001)
    with pytest.raises(DataError, match="200 MB"):
        open_archive(big, "given.zip")
    for path in (tmp_path, tmp_path / "nothing.zip", Path("/dev/zero")):
        with pytest.raises(DataError, match="given"):
            open_archive(path, "given")


# ---------------------------------------------------------------------- reading

DEFLATED = zlib.compressobj(9, zlib.DEFLATED, -15)
TWENTY = DEFLATED.compress(MEGABYTE * 19) + DEFLATED.flush()


@pytest.mark.parametrize(
    ("item", "words"),
    [
        pytest.param(Item(b"a", crc=1), "damaged", id="checksum, stored"),
        pytest.param(Item(b"a", method=8, crc=1), "damaged", id="checksum, deflated"),
        pytest.param(Item(b"a", size=6), "damaged", id="stored, shorter"),
        pytest.param(Item(b"a", size=8), "damaged", id="stored, longer"),
        pytest.param(Item(b"a", method=8, size=6), "damaged", id="deflated, shorter"),
        pytest.param(Item(b"a", method=8, size=8), "damaged", id="deflated, longer"),
        pytest.param(Item(b"a", b"x" * 99, method=8, size=0), "damaged", id="says it is empty"),
        pytest.param(Item(b"a", method=8, body=b"\xff" * 50), "damaged", id="no deflate at all"),
        pytest.param(Item(b"a", method=8, body=TWENTY[:-9], size=19_000_000), "damaged", id="deflate cut off"),
        pytest.param(Item(b"a", method=8, body=b""), "damaged", id="nothing to unpack"),
        pytest.param(Item(b"a", method=8, data=MEGABYTE * 21), "21.0 MB", id="more than a picture may have"),
        pytest.param(Item(b"a", method=14), "LZMA", id="LZMA"),
        pytest.param(Item(b"a", method=9), "Deflate64", id="Deflate64"),
        pytest.param(Item(b"a", method=77), "method 77", id="unknown method"),
    ],
)
def test_one_bad_file_does_not_spoil_the_others(item: Item, words: str) -> None:
    opened = open_archive(made(Item(b"b", b"good"), item, Item(b"c", b"too", method=8)), "a.zip")
    first, bad, last = opened.members
    with pytest.raises(OSError, match=words) as caught:
        opened.read(bad)
    assert str(caught.value).endswith(".")
    assert (opened.read(first), opened.read(last)) == (b"good", b"too")


def test_a_local_header_that_lies_reaches_into_no_other_file() -> None:
    data = bytearray(made(Item(b"a", b"mine", crc=zlib.crc32(b"secr")), Item(b"b", b"secret")))
    data[28:30] = struct.pack("<H", 31 + 4)  # length of the extra field: skips to the second file
    opened = open_archive(bytes(data), "a.zip")
    with pytest.raises(OSError, match="damaged"):
        opened.read(opened.members[0])


@pytest.mark.parametrize("size", [0, 10])
def test_no_more_is_unpacked_than_the_list_says(size: int) -> None:
    opened = open_archive(made(Item(b"a", method=8, body=TWENTY, size=size)), "a.zip")
    tracemalloc.start()
    with pytest.raises(OSError, match="damaged"):
        opened.read(opened.members[0])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_zip_that_changes_after_opening_gives_errors_and_no_wrong_bytes(tmp_path: Path) -> None:
    path = tmp_path / "given.zip"
    path.write_bytes(written(FILES))
    opened = open_archive(path, "given.zip")
    for changed in (b"", b"short", written({"x": os.urandom(90_000)})):
        path.write_bytes(changed)
        for member in opened.members:
            with pytest.raises(OSError, match="damaged"):
                opened.read(member)
    path.unlink()
    with pytest.raises(OSError, match="No such file"):
        opened.read(opened.members[0])


@pytest.mark.parametrize("as_file", [False, True])
def test_threads_read_at_once(as_file: bool, tmp_path: Path) -> None:
    files = {f"cats/{number}.jpg": random.Random(number).randbytes(5000 + number) for number in range(200)}
    (tmp_path / "given.zip").write_bytes(written(files))
    opened = open_archive(tmp_path / "given.zip" if as_file else written(files), "given.zip")
    chosen = random.Random(3).choices(opened.members, k=1500)
    with ThreadPoolExecutor(8) as pool:
        for member, data in zip(chosen, pool.map(opened.read, chosen), strict=True):
            assert data == files[member.path]


def test_files_are_closed_after_each_reading(tmp_path: Path) -> None:
    (tmp_path / "given.zip").write_bytes(written(FILES))
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    opened = open_archive(tmp_path / "given.zip", "given.zip")
    contents(opened)
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    assert before == after


@pytest.mark.parametrize("seed", range(4))
def test_mutated_zips_give_an_archive_or_a_sentence(seed: int) -> None:
    rng = random.Random(seed)
    sources = [written(FILES), streamed(FILES), GOOD, made(Item(b"a/1.jpg"), Item(b"b/1.jpg"), zip64=True)]
    seen = {"opened": 0, "refused": 0, "read": 0, "unreadable": 0}
    for _ in range(400):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.randint(1, 4)):
            # most of what decides lies in the list of contents, at the end
            at = rng.randrange(len(data)) if rng.random() < 0.3 else len(data) - 1 - rng.randrange(min(len(data), 500))
            way = rng.randrange(4)
            if way == 0:
                data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, data[at] ^ (1 << rng.randrange(8))))
            elif way == 1:
                data[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 0xFFFF, 0x10000, 2**31, 2**32 - 1)))
            elif way == 2:
                del data[at : at + rng.randint(1, 60)]
            else:
                data[at:at] = data[max(0, at - rng.randint(1, 200)) : at]
            data = data or bytearray(b"P")
        try:
            opened = open_archive(bytes(data), "a.zip")
        except DataError:
            seen["refused"] += 1
            continue
        seen["opened"] += 1
        for member in opened.members:
            assert not {"", ".", ".."} & set(member.path.split("/"))
            try:
                content = opened.read(member)
            except OSError:
                seen["unreadable"] += 1
            else:
                seen["read"] += 1
                assert zlib.crc32(content) == member.crc
    assert min(seen.values()) > 20, seen


def test_the_bounds_are_those_of_the_design() -> None:
    assert (archive.MAX_ARCHIVE_BYTES, archive.MAX_BYTES, archive.MAX_ENTRIES) == (200_000_000, 20_000_000, 100_000)
