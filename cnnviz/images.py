"""Pictures: the bytes of an uploaded file become a Photo, upright uint8 RGB of bounded size, or an ImageError."""

import ctypes
import io
import logging
import math
import re
import threading
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin as _avif  # noqa: F401 - registers the format; Pillow would else load all its fifty
from PIL import BmpImagePlugin, Image, ImageCms, ImageFile, JpegImagePlugin, TiffImagePlugin, _imaging
from PIL import WebPImagePlugin as _webp  # noqa: F401

from cnnviz import image_formats
from cnnviz.image_formats import RefusedError, count_scans, recognize

MAX_BYTES = image_formats.MAX_BYTES
MAX_PIXELS = 50_000_000
LONG_SIDE = 1600  # pixels

_MAX_SCANS = 100  # of a JPEG; programs write 1 or about 10, and each costs a pass over all pixels
_MAX_RUN_LENGTH_CODED = 4_000_000  # bytes or pixels of a compressed BMP, which Pillow unpacks in Python
_MAX_STRIPS = 100_000  # of a TIFF; programs write some hundreds
_SAME_COLOR = 2  # of 255 levels; a profile that moves no color further is sRGB by another name

_ORIENTATION = 0x0112  # tags of EXIF and TIFF
_NEW_SUBFILE_TYPE, _PHOTOMETRIC, _TILE_WIDTH, _TILE_LENGTH, _DNG_VERSION = 254, 262, 322, 323, 50706
_STEPS = ((1, 1), (1, -1), (-1, -1), (-1, 1))  # through rows and columns; 5 to 8 are these, transposed
_HUGE = 1e30  # a float above it is no brightness, and a sum of several might overflow
_TURNS = {degrees: f"turned by {degrees}° by hand" for degrees in (90, 180, 270)}
_ON_WHITE = "see-through parts put on white"
_NOTE_ON_FURTHER = {"TIFF": "first page of several", "HEIF": "main picture of several"}
_SPATIAL_EXTENTS = re.compile(rb"\0\0\0\x14ispe\0{4}(.{4})(.{4})", re.DOTALL)  # a box of ISO 23008-12

_AT_ONCE = threading.BoundedSemaphore(2)  # a 50-megapixel picture takes up to 0.8 GB while it is decoded

# Pillow warns of what is odd but readable; what matters to the user is in Photo.notes or in the ImageError.
# Set once for the process, because warnings.catch_warnings is not safe in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)
with suppress(OSError, AttributeError):  # libtiff, inside Pillow, writes to stderr; on Windows it cannot be reached
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False, slots=True)
class Photo:
    """A picture. Made by decode, and from one of these by `turned` and `face.subject`, each with a digest of its own.

    name: the file's name without folders, cleaned for showing; empty if there was none.
    pixels: uint8 (H, W, 3), RGB in sRGB, 0..255, upright, each side 1..LONG_SIDE, read-only.
    digest: 32 hexadecimal digits of the SHA-256 of the file's bytes; the key of every cache.
    notes: what was done to the picture, in a few words each; often empty.
    reduced: how many of the file's pixels a pixel here is long; 1 where it was not reduced.
    """

    name: str
    pixels: Pixels
    digest: str
    notes: tuple[str, ...]
    reduced: float = 1.0


class ImageError(ValueError):
    """These bytes do not become a Photo. The message is one sentence for the user."""


def decode(data: bytes, name: str = "") -> Photo:
    """Turn the bytes of a picture file into a Photo.

    Takes JPEG, PNG, WebP, BMP, GIF, TIFF, AVIF and HEIC, told apart by their bytes and not by the name; of several
    pictures in one file the first (HEIC: the main one). Applies EXIF orientation and color profile, puts see-through
    parts on white and reduces a long side over LONG_SIDE to it by averaging areas.

    Raises ImageError for all else: no picture, damaged, more than MAX_BYTES or MAX_PIXELS.
    Safe in threads; two pictures are decoded at once, further calls wait.
    """
    name = _displayable(name)
    try:
        kind = recognize(data)
        with _AT_ONCE:
            pixels, notes, long_side = _decode(data, kind)
    except RefusedError as refusal:
        raise ImageError(f"{name or 'This file'} {refusal}") from refusal.__cause__
    pixels.setflags(write=False)
    reduced = long_side / max(pixels.shape[:2])
    return Photo(name, pixels, sha256(data).hexdigest()[:32], tuple(notes), reduced)


def turned(photo: Photo) -> Photo:
    """The photo after a quarter turn clockwise, where a file does not say how it stands; four give the same pixels."""
    degrees = next((at for at, note in _TURNS.items() if note in photo.notes), 0) + 90
    notes = [note for note in photo.notes if note not in _TURNS.values()]
    pixels = np.ascontiguousarray(np.rot90(photo.pixels, -1))
    pixels.setflags(write=False)
    digest = sha256(f"{photo.digest} turned".encode()).hexdigest()[:32]
    if degrees in _TURNS:
        notes.append(_TURNS[degrees])
    return replace(photo, pixels=pixels, digest=digest, notes=tuple(notes))


def _displayable(name: str) -> str:
    """The last part of a path in at most 60 characters, none of which control a terminal or the writing direction."""
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    seen = "".join(c for c in last if c.isspace() or not unicodedata.category(c).startswith("C"))
    line = " ".join(seen.split())
    return line if len(line) <= 60 else f"{line[:40]}…{line[-19:]}"


# ---------------------------------------------------------------------- opening, with every limit checked first


@contextmanager
def _library(kind: str) -> Iterator[None]:
    """Put around calls of the reading libraries only: on damaged files they raise nearly every exception there is."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise _too_large("far too many pixels") from error
    except MemoryError as error:
        raise RefusedError("needs more memory than is free now; make the picture smaller first.") from error
    except Exception as error:
        like = {"HEIF": "a HEIC", "AVIF": "an AVIF", "WEBP": "a WebP"}.get(kind, f"a {kind}")
        raise RefusedError(
            f"begins like {like} picture but is damaged or cut off; "
            "copy or download it again, or open it in a picture program and save it as JPEG or PNG."
        ) from error


def _decode(data: bytes, kind: str) -> tuple[Pixels, list[str], int]:
    """The picture, what was done to it, and the long side of that in the file."""
    # A HEIC may hide a huge picture behind a small clean aperture, which is all that its reader tells.
    for extent in _SPATIAL_EXTENTS.finditer(data) if kind == "HEIF" else ():
        _check_size((int.from_bytes(extent[1], "big"), int.from_bytes(extent[2], "big")))
    with _library(kind):
        image, notes = _open(data, kind)
        rawmode, strange = _rawmode(image), _strange(image, data)
    _check_size(image.size)
    if strange:
        raise RefusedError(
            f"is {strange}, which cannot be opened here; open it in a picture program and save it as JPEG or PNG."
        )
    size = image.size
    # Pillow turns a TIFF while it loads and forgets the tag, pillow-heif turns HEIC; the others are left to us.
    turned_by_reader = kind in ("TIFF", "HEIF")
    orientation = _orientation(image) if kind == "TIFF" else 1
    with _library(kind):
        if kind == "JPEG":
            image.draft(None, _reduced(size))
        image.load()
    if turned_by_reader:
        size = image.size
    if kind != "TIFF":
        orientation = _orientation(image)
    if _has_further_pictures(image):
        notes.append(_NOTE_ON_FURTHER.get(kind, "first picture of an animation"))

    with _library(kind):
        pixels = _flatten(image, rawmode, notes)
        if max(size) > LONG_SIDE:
            pixels = cv2.resize(pixels, _reduced(size), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    pixels = _to_srgb(pixels, image.info.get("icc_profile"), notes)
    if orientation != 1:
        notes.append("turned upright")
    if not turned_by_reader:
        pixels = _upright(pixels, orientation)
        size = size[::-1] if orientation >= 5 else size
    if max(size) > LONG_SIDE:
        notes.append(f"reduced from {size[0]} × {size[1]}")
    return np.ascontiguousarray(pixels), notes, max(size)


def _open(data: bytes, kind: str) -> tuple[ImageFile.ImageFile, list[str]]:
    """Read the header, and begin the notes."""
    if kind == "HEIF":
        from pillow_heif import HeifImageFile  # noqa: PLC0415 - few pictures need it, and the server must start fast

        return HeifImageFile(io.BytesIO(data)), []  # type: ignore[no-untyped-call]
    try:
        return Image.open(io.BytesIO(data), formats=(kind,)), []
    except Exception:
        # Pillow looks into EXIF while it opens these two, and a fault there must not cost the picture.
        if kind not in ("JPEG", "AVIF") or b"Exif" not in data:
            raise
    hidden = data.replace(b"Exif", b"exif")
    return Image.open(io.BytesIO(hidden), formats=(kind,)), ["unreadable camera data left out"]


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise _too_large(f"{width} × {height} pixels ({math.ceil(width * height / 1e6)} megapixels)")


def _too_large(size: str) -> RefusedError:
    return RefusedError(
        f"has {size}, and at most {MAX_PIXELS / 1e6:.0f} megapixels can be opened; make the picture smaller first."
    )


def _strange(image: Image.Image, data: bytes) -> str:
    """Name what must not be loaded although Pillow would: it takes minutes, or shows a thumbnail for the picture."""
    if isinstance(image, JpegImagePlugin.JpegImageFile) and count_scans(data, _MAX_SCANS) > _MAX_SCANS:
        return f"a JPEG in more than {_MAX_SCANS} layers"
    if isinstance(image, BmpImagePlugin.BmpImageFile) and image.info["compression"] in (1, 2):
        too_long = max(len(data), image.width * image.height) > _MAX_RUN_LENGTH_CODED
        return "a compressed BMP of this size" if too_long else ""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        if data[8:10] == b"CR" or _DNG_VERSION in tags or tags.get(_NEW_SUBFILE_TYPE) == 1:
            return "a camera's raw file"
        width, height = tags.get(_TILE_WIDTH), tags.get(_TILE_LENGTH)
        too_large = isinstance(width, int) and isinstance(height, int) and width * height > MAX_PIXELS
        if too_large or len(image.tile) > _MAX_STRIPS:
            return "a TIFF in unusual pieces"
    return ""


def _rawmode(image: ImageFile.ImageFile) -> str:
    """How samples lie in the file, in Pillow's words; known between opening and loading only."""
    args = image.tile[0].args if image.tile else None
    return str(args[0]) if isinstance(args, tuple) and args else str(args)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8 as the file has it; 1 where it has none or its EXIF cannot be read."""
    try:
        value = image.info.get("original_orientation") or image.getexif().get(_ORIENTATION)
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _has_further_pictures(image: ImageFile.ImageFile) -> bool:
    """Not for the many-picture JPEGs of phones, in which the others are thumbnails and depths."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:
        return True  # something follows, and it is broken


# ---------------------------------------------------------------------- pixels


def _reduced(size: tuple[int, int]) -> tuple[int, int]:
    """The size with a long side of LONG_SIDE."""
    width, height = size
    return max(1, round(width * LONG_SIDE / max(size))), max(1, round(height * LONG_SIDE / max(size)))


def _flatten(image: Image.Image, rawmode: str, notes: list[str]) -> Pixels:
    """8 bits and opaque, still in the file's own colors: grey (H, W), RGB (H, W, 3) or CMYK (H, W, 4)."""
    transparent = _transparent_value(image, rawmode)
    image.info.pop("transparency", None)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _flatten_fine_grey(image, rawmode, transparent, notes)
    bits = 16 if ";16" in rawmode else image.info.get("bit_depth")
    if isinstance(bits, int) and bits > 8:
        notes.append(f"{bits}-bit values scaled to 8 bits")
    if transparent is not None:
        image.info["transparency"] = transparent
    if image.has_transparency_data:
        alphas: list[int] = []
        pixels = _by_bands(image, lambda band: _on_white(band.convert("RGBA"), alphas))
        notes.extend([_ON_WHITE] if min(alphas) < 255 else [])
        return pixels
    mode = {"1": "L", "L": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")
    return _by_bands(image, lambda band: np.asarray(band.convert(mode)))


def _flatten_fine_grey(image: Image.Image, rawmode: str, transparent: object, notes: list[str]) -> Pixels:
    """Grey values of 12, 16 or 32 bits or with a fraction become uint8 (H, W), rounded."""
    values = _by_bands(image, lambda band: np.asarray(band, "f8" if image.mode == "I" else "f4"))
    with np.errstate(invalid="ignore"):
        if not (values.min() > -_HUGE and values.max() < _HUGE):
            values[~(abs(values) < _HUGE)] = 0
    black, white = _black_and_white(image, rawmode, float(values.min()), float(values.max()))
    if {black, white} == {0, 65535}:
        notes.append("16-bit values scaled to 8 bits")
    elif (black, white) != (0, 255):
        notes.append(f"values {black:g} to {white:g} spread over 0 to 255")
    if isinstance(transparent, int) and (see_through := values == transparent).any():
        values[see_through] = white
        notes.append(_ON_WHITE)
    values -= black
    values *= 255 / (white - black)
    levels: Pixels = np.rint(values, out=values).astype(np.uint8)
    return levels


def _black_and_white(image: Image.Image, rawmode: str, low: float, high: float) -> tuple[float, float]:
    """Which values stand for black and white; where the file does not say, its lowest and highest tell."""
    if image.mode.startswith("I;16"):
        top = 4095 if rawmode == "I;12" else 65535
        white_is_zero = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0
        return (top, 0) if white_is_zero else (0, top)
    for top in (1, 255, 65535) if image.mode == "F" else (255, 65535):
        if low >= 0 and high <= top:
            return 0, top
    return low, max(high, low + 1)


def _by_bands(image: Image.Image, convert: Callable[[Image.Image], NDArray[Any]]) -> NDArray[Any]:
    """Convert some rows at a time: they stay in the processor's cache, which is up to nine times as fast."""
    width, height = image.size
    rows = max(1, 500_000 // width)
    result = None
    for top in range(0, height, rows):
        band = convert(image.crop((0, top, width, min(top + rows, height))))
        if result is None:
            result = np.empty((height, *band.shape[1:]), band.dtype)
        result[top : top + rows] = band
    assert result is not None
    return result


def _on_white(image: Image.Image, alphas: list[int]) -> Pixels:
    """Lay an RGBA image on white; its smallest alpha joins alphas."""
    alpha = image.getchannel("A")
    alphas.append(int(np.asarray(alpha).min()))
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=alpha)
    return np.asarray(white)


def _transparent_value(image: Image.Image, rawmode: str) -> int | bytes | tuple[int, ...] | None:
    """The value that a PNG or GIF calls see-through, or the alpha of each palette entry, in Pillow's 8-bit scale."""
    value = image.info.get("transparency")  # could be anything: Pillow puts a PNG's texts in the same place
    if image.mode == "P":
        return value if isinstance(value, (int, bytes)) else None
    if isinstance(value, int):
        return value * {"L;2": 85, "L;4": 17}.get(rawmode, 1)
    if isinstance(value, tuple):
        return tuple(v >> 8 for v in value) if rawmode.startswith("RGB;16") else value
    return None


def _to_srgb(pixels: Pixels, profile: object, notes: list[str]) -> Pixels:
    """Grey, RGB or CMYK of any shape -> RGB (H, W, 3) in sRGB, by the picture's ICC profile if it has a good one."""
    if isinstance(profile, bytes) and profile:
        try:
            converted = _by_profile(pixels, profile)
        except ImageCms.PyCMSError:
            notes.append("unreadable color profile left out")
        else:
            if converted is not None:
                notes.append("colors converted to sRGB")
                return converted
    if pixels.ndim == 2:
        return np.dstack([pixels] * 3)
    if pixels.shape[2] == 4:
        notes.append("printing colors (CMYK) turned into screen colors")
        return np.asarray(_as_image(pixels).convert("RGB"))
    return pixels


def _by_profile(pixels: Pixels, profile: bytes) -> Pixels | None:
    """The pixels in sRGB, or None where the profile is sRGB by another name. Raises PyCMSError if it cannot be used."""
    source = ImageCms.getOpenProfile(io.BytesIO(profile))
    space = profile[16:20]  # ICC.1:2022, table 18
    if space == b"RGB " and pixels.ndim == 2:
        pixels = np.dstack([pixels] * 3)
    elif space == b"GRAY" and pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    mode = _as_image(pixels[:1, :1]).mode
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    if mode != "CMYK":
        steps = np.linspace(0, 255, 18).astype(np.uint8)
        sample = np.stack(np.meshgrid(*[steps] * len(mode), indexing="ij"), axis=-1).reshape(1, -1, len(mode))
        change = np.asarray(ImageCms.applyTransform(_as_image(sample), transform)) - sample.astype(int)
        if abs(change).max() <= _SAME_COLOR:
            return None
    return np.asarray(ImageCms.applyTransform(_as_image(pixels), transform))


def _as_image(pixels: Pixels) -> Image.Image:
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[pixels.size // (pixels.shape[0] * pixels.shape[1])]
    return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes())


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (tag 0x0112 of Exif 2.32)."""
    rows, columns = _STEPS[(orientation - 1) % 4]
    return (pixels.swapaxes(0, 1) if orientation >= 5 else pixels)[::rows, ::columns]
