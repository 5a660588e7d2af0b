"""Zip archives, read safely: every bound is checked before anything is unpacked, and nothing is written to disk."""

import os
import re
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cnnviz.data.dataset import DataError
from cnnviz.images import MAX_BYTES

MAX_ARCHIVE_BYTES = 200_000_000
MAX_ENTRIES = 100_000
MAX_UNPACKED = 2_000_000_000  # bytes, as the directory says; no file is unpacked further than it says
MAX_RATIO = 100  # unpacked to packed; only texts and empty pictures are packed better
FREE_OF_RATIO = 100_000_000  # bytes unpacked that do no harm at any ratio
MAX_DIRECTORY = 40_000_000  # bytes
MAX_NAME = 1000  # characters

# Records of APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.14 to 4.3.16
_LOCAL = struct.Struct("<4s22xHH")
_CENTRAL = struct.Struct("<4s4xHH4xIIIHHH4xII")
_END = struct.Struct("<4sHH4xIIH")
_LOCATOR = struct.Struct("<4s4xQ4x")
_END64 = struct.Struct("<4s36xQQ")
_LONGEST_COMMENT = 0xFFFF
_IN_ZIP64 = 0xFFFFFFFF

_STORED, _DEFLATED = 0, 8
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}

ReadAt = Callable[[int, int], bytes]  # (offset, length) -> at most that many bytes


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive. path: folders and name with "/" between, relative, without ".."; size: bytes unpacked."""

    path: str
    size: int
    packed: int
    method: int
    crc: int
    start: int  # of its header, in bytes from the beginning of the zip
    limit: int  # where what follows begins


@dataclass(frozen=True, eq=False, slots=True)
class Archive:
    """What a zip holds. It is opened anew for each reading, and may be read in threads.

    members: its files, unique by path. folders: those named by themselves. passed_over: (path, reason).
    """

    members: tuple[Member, ...]
    folders: tuple[str, ...]
    passed_over: tuple[tuple[str, str], ...]
    read_at: ReadAt

    def read(self, member: Member) -> bytes:
        """The unpacked bytes, at most MAX_BYTES; else OSError with a sentence that lacks its subject, the file."""
        if max(member.size, member.packed) > MAX_BYTES:
            raise OSError(
                f"has {max(member.size, member.packed) / 1e6:,.1f} MB, and at most {MAX_BYTES / 1e6:.0f} MB can be "
                "opened; save it smaller, for example as a JPEG."
            )
        if member.method not in (_STORED, _DEFLATED):
            way = _METHODS.get(member.method, f"method {member.method}")
            raise OSError(f"is packed with {way}, which cannot be opened here; make the zip anew with Deflate.")
        header = self.read_at(member.start, _LOCAL.size)
        if len(header) == _LOCAL.size and header.startswith(b"PK\3\4"):
            _, name, extra = _LOCAL.unpack(header)
            begin = member.start + _LOCAL.size + name + extra
            if begin + member.packed <= member.limit:
                data = _unpacked(self.read_at(begin, member.packed), member)
                if data is not None and zlib.crc32(data) == member.crc:
                    return data
        raise OSError("is damaged inside the zip (size or checksum is wrong); copy, download or make the zip again.")


def open_archive(source: Path | bytes, name: str) -> Archive:
    """Read what a zip holds, from a file or from its bytes; `name` is what sentences call it.

    Files with harmful names, links and devices are passed over. DataError: no zip, cut off, with a password, above
    one of the bounds, or with files that overlap (of which bombs are made).
    """
    size, read_at = _source(source, name)
    if size > MAX_ARCHIVE_BYTES:
        raise DataError(
            f"{name} has {size / 1e6:,.0f} MB, and at most {MAX_ARCHIVE_BYTES / 1e6:.0f} MB can be opened as a zip; "
            "make a zip of fewer or smaller pictures."
        )
    records, directory = _records(size, read_at, name)
    limits = _limits(records, directory, name)
    members: dict[str, Member] = {}
    folders: list[str] = []
    passed_over: list[tuple[str, str]] = []
    for record, limit in zip(records, limits, strict=True):
        given = _text(record.name)
        path = "/".join(part for part in given.split("/") if part not in ("", "."))
        if given in ("./", "/"):
            continue
        if reason := _harm(given, path, stat.S_IFMT(record.attributes >> 16)):
            passed_over.append((given[:MAX_NAME], reason))
        elif given.endswith("/"):
            folders.append(path)
        elif record.locked:
            raise DataError(f"{name} is locked with a password; make a zip without one.")
        else:
            if path in members:
                passed_over.append((path, "is twice in the zip, and the later one is taken"))
            members[path] = Member(path, record.size, record.packed, record.method, record.crc, record.start, limit)
    _check_unpacked_size(sum(member.size for member in members.values()), size, name)
    return Archive(tuple(members.values()), tuple(folders), tuple(passed_over), read_at)


def _source(source: Path | bytes, name: str) -> tuple[int, ReadAt]:
    if isinstance(source, bytes):
        return len(source), lambda at, length: source[at : at + length]

    def read_at(at: int, length: int) -> bytes:
        with open(source, "rb") as file:
            file.seek(at)
            return file.read(length)

    try:
        if not stat.S_ISREG(os.stat(source).st_mode):
            raise DataError(f"{name} is no ordinary file; give a zip.")
        read_at(0, 1)
        return os.stat(source).st_size, read_at
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror}).") from error


# ---------------------------------------------------------------------- the directory at the zip's end


@dataclass(frozen=True, slots=True)
class _Record:
    name: bytes
    locked: bool
    method: int
    crc: int
    packed: int
    size: int
    attributes: int
    start: int


def _records(size: int, read_at: ReadAt, name: str) -> tuple[list[_Record], int]:
    """The records of the central directory, and where it begins."""
    damaged = DataError(f"{name} is a damaged zip (its list of contents is broken); copy or download it again.")
    tail_at = max(0, size - _END.size - _LONGEST_COMMENT)
    tail = read_at(tail_at, size - tail_at)
    end = _end(tail)
    if end is None:
        if read_at(0, 4) in (b"PK\3\4", b"PK\7\x08"):
            raise DataError(f"{name} is cut off: the end of the zip is missing; copy or download it again.")
        raise DataError(f"{name} is no zip; give one that holds one folder of pictures per class.")
    _, disk, first_disk, length, start, _ = _END.unpack_from(tail, end)
    if (disk, first_disk) not in ((0, 0), (0xFFFF, 0xFFFF), (0, 0xFFFF)):
        raise DataError(f"{name} is one part of a zip in several parts; make a zip in one part.")
    stop = tail_at + end
    if end >= _LOCATOR.size and tail.startswith(b"PK\6\7", end - _LOCATOR.size):
        _, record_at = _LOCATOR.unpack_from(tail, end - _LOCATOR.size)
        # with something put before the zip, the place given is wrong, and the record stands right before the locator
        for at in (stop - _LOCATOR.size - 56, record_at):
            record64 = read_at(at, _END64.size) if 0 <= at < size else b""
            if record64.startswith(b"PK\6\6") and len(record64) == _END64.size:
                _, length, start = _END64.unpack(record64)
                stop = at
                break
        else:
            raise damaged
    shift = stop - length - start
    if shift < 0:
        raise damaged
    if length > MAX_DIRECTORY:
        raise DataError(f"{name} has a list of contents of {length / 1e6:,.0f} MB; make a zip of fewer files.")
    records: list[_Record] = []
    try:
        for record in _parsed(read_at(stop - length, length), shift):
            if len(records) == MAX_ENTRIES:
                raise DataError(f"{name} holds more than {MAX_ENTRIES:,} files; make a zip of fewer.")
            records.append(record)
    except (struct.error, IndexError) as error:
        raise damaged from error
    return records, stop - length


def _end(tail: bytes) -> int | None:
    """Where the end record begins: the last whose comment does not reach beyond the file."""
    at = len(tail) - _END.size + 4
    while (at := tail.rfind(b"PK\5\6", 0, at)) >= 0:
        if at + _END.size <= len(tail) and at + _END.size + _END.unpack_from(tail, at)[-1] <= len(tail):
            return at
        at += 3
    return None


def _parsed(directory: bytes, shift: int) -> Iterator[_Record]:
    """struct.error or IndexError where the directory is broken."""
    at = 0
    while at < len(directory):
        fields = _CENTRAL.unpack_from(directory, at)
        magic, flags, method, crc, packed, size, name, extra, comment, attributes, start = fields
        at += _CENTRAL.size
        if magic != b"PK\1\2" or at + name + extra + comment > len(directory):
            raise IndexError
        if _IN_ZIP64 in (packed, size, start):
            size, packed, start = _zip64(directory[at + name : at + name + extra], size, packed, start)
        yield _Record(directory[at : at + name], bool(flags & 1), method, crc, packed, size, attributes, start + shift)
        at += name + extra + comment


def _zip64(extra: bytes, *values: int) -> Iterator[int]:
    """Each value, or the eight bytes that stand for it in the extra field of kind 1 (APPNOTE 4.5.3)."""
    at = 0
    while True:
        kind, length = struct.unpack_from("<HH", extra, at)
        at += 4
        if kind == 1:
            break
        at += length
    for value in values:
        if value == _IN_ZIP64:
            (value,) = struct.unpack_from("<Q", extra, at)  # noqa: PLW2901
            at += 8
        yield value


def _limits(records: list[_Record], directory: int, name: str) -> list[int]:
    """Where each file has to end: at the next one's beginning, or at the directory's."""
    limits = [directory] * len(records)
    order = sorted(range(len(records)), key=lambda index: records[index].start)
    limit = directory
    for index in reversed(order):
        if records[index].start + _LOCAL.size + records[index].packed > limit:
            raise DataError(
                f"{name} is damaged or a trap: files in it overlap, so that it would unpack to far more than it holds; "
                "make the zip again."
            )
        limits[index], limit = limit, records[index].start
    return limits


def _text(name: bytes) -> str:
    """A name as text. Many programs write UTF-8 without saying so; code page 437 has a character for every byte."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        text = name.decode("cp437")
    return text.replace("\\", "/")  # some programs for Windows write it, against the standard


def _harm(given: str, path: str, kind: int) -> str:
    """Why this entry is passed over, or ""."""
    if len(given) > MAX_NAME:
        return "has too long a name"
    if not path:
        return "has no name"
    if "\0" in given or given.startswith("/") or re.match("[A-Za-z]:", given) or ".." in given.split("/"):
        return "has a name that leads out of the zip"
    if kind == stat.S_IFLNK:
        return "is a link, and links are not followed"
    return "" if kind in (0, stat.S_IFREG, stat.S_IFDIR) else "is no ordinary file"


def _check_unpacked_size(unpacked: int, size: int, name: str) -> None:
    if unpacked > MAX_UNPACKED or unpacked > max(FREE_OF_RATIO, MAX_RATIO * size):
        raise DataError(
            f"{name} would unpack to {unpacked / 1e6:,.0f} MB, {unpacked / max(1, size):,.0f} times its size; at most "
            f"{MAX_UNPACKED / 1e6:,.0f} MB and {MAX_RATIO} times are opened, so make a zip of fewer pictures."
        )


def _unpacked(packed: bytes, member: Member) -> bytes | None:
    """At most member.size bytes; None where the packed ones give another number."""
    if member.method == _STORED:
        return packed if len(packed) == member.size else None
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = stream.decompress(packed, member.size + 1)  # one more, so that too much is seen and the end reached
    except zlib.error:
        return None
    return data if stream.eof and len(data) == member.size else None
