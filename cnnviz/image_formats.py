"""What the bytes of a file are, without reading its pixels: a picture format known here, or why they are refused."""

import math
import re

MAX_BYTES = 20_000_000

_JPEG_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_MARKERS_WITHOUT_LENGTH = (b"\xff\x01", b"\xff\xd8")


class RefusedError(Exception):
    """Why a file is refused: the sentence of an ImageError without its subject, the file's name."""


_PICTURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
_BMP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_OTHERS = {
    "a PDF document": (b"%PDF",),
    "a PostScript document": (b"%!PS", b"\xc5\xd0\xd3\xc6"),
    "a ZIP archive or an office document": (b"PK\x03\x04",),
    "a compressed archive": (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!"),
    "a program": (b"MZ", b"\x7fELF"),
    "a Photoshop document": (b"8BPS",),
    "an icon": (b"\0\0\x01\0",),
    "a JPEG 2000 picture": (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
    "a JPEG XL picture": (b"\0\0\0\x0cJXL ", b"\xff\x0a"),
    "a video or a sound recording": (b"RIFF", b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"FLV\x01", b"ID3", b"OggS", b"fLaC"),
    "a file of numbers": (b"\x93NUMPY", b"\x89HDF"),
}


def recognize(data: bytes) -> str:
    """The format's name as Pillow knows it, from the first bytes; "HEIF" stands for HEIC too."""
    if not data:
        raise RefusedError("is empty (0 bytes); choose the picture again, or copy it anew from where it comes from.")
    if len(data) > MAX_BYTES:
        raise RefusedError(
            f"has {math.ceil(len(data) / 1e5) / 10} MB, and at most {MAX_BYTES / 1e6:.0f} MB can be opened; "
            "save it smaller, for example as a JPEG."
        )
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    for kind, magic in _PICTURES.items():
        if data.startswith(magic):
            return kind
    if data[4:8] == b"ftyp":
        return _recognize_by_brand(data)
    for what, magic in _OTHERS.items():
        if data.startswith(magic):
            raise _no_photo(what)
    raise _no_photo(_describe_text(data[:2000]))


def _recognize_by_brand(data: bytes) -> str:
    """AVIF, HEIC and videos are all made of boxes (ISO 14496-12); the first box names the brands."""
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, length - 3, 4))}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    raise _no_photo("a camera's raw file" if b"crx " in brands else "a video or a sound recording")


def _describe_text(start: bytes) -> str:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "a text"
    text = start.decode("utf-8-sig", errors="replace").rstrip("\ufffd").lower()
    if any(c == "\ufffd" or (c < " " and c not in "\t\n\r\f") for c in text):
        return ""
    if "<svg" in text:
        return "an SVG drawing, which has shapes in place of pixels"
    if text.lstrip().startswith(("<!doctype html", "<html", "<head", "<body")):
        return "a web page"
    return "a text"


def _no_photo(what: str) -> RefusedError:
    seen = f"seems to be {what}" if what else "does not look like any kind of picture known here"
    return RefusedError(f"{seen}; choose a photo saved as JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF.")


def count_scans(data: bytes, enough: int) -> int:
    """How often the reader of a JPEG passes over all pixels, or a little more: 1, or about 10 if it is progressive."""
    most = data.count(_START_OF_SCAN)
    if most <= enough:
        return most
    scans, at = 0, 2  # takes longer, and leaves out thumbnails and the films that phones append
    while found := _JPEG_MARKER.search(data, at):
        marker, at = data[found.end() - 2 : found.end()], found.end()
        if marker == _END_OF_IMAGE:
            break
        scans += marker == _START_OF_SCAN
        if marker not in _MARKERS_WITHOUT_LENGTH:
            at += int.from_bytes(data[at : at + 2], "big")
    return scans
