"""images.decode: every format and mode against values checked by hand, and a sentence for all that is no photo."""

import hashlib
import io
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, JpegImagePlugin, PngImagePlugin

from cnnviz import images
from cnnviz.images import ImageError, decode, turned

pillow_heif.register_heif_opener()
pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\..*")  # pytest resets what images.py sets

NOISE = np.random.default_rng(7).integers(0, 256, (30, 40, 3), dtype=np.uint8)
RED = np.full((24, 32, 3), (255, 0, 0), np.uint8)
LOSSLESS = {
    "PNG": {},
    "BMP": {},
    "TIFF": {},
    "WEBP": {"lossless": True, "exact": True},
}
LOSSY = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "HEIF": {"quality": 95, "chroma": 444},
}


def saved(picture, kind: str, **options) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.asarray(picture))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def grey(*rows) -> np.ndarray:
    return np.dstack([np.array(rows, np.uint8)] * 3)


def png(width: int, height: int, depth: int, color_type: int, rows: list[bytes], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG by the book, for what Pillow does not write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*c) for c in [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    )


def tiff(width: int, height: int, bits: int, photometric: int, data: bytes, **more: list[int]) -> bytes:
    """A little-endian TIFF with one strip, for what Pillow does not write; more holds tags as t123=[values]."""
    tags = {256: [width], 257: [height], 258: [bits], 259: [1], 262: [photometric], 273: [8], 277: [1], 278: [height]}
    tags |= {279: [len(data)]} | {int(name[1:]): values for name, values in more.items()}
    table, beyond = b"", b""
    start = 8 + len(data)
    for tag, values in sorted(tags.items()):
        body = struct.pack(f"<{len(values)}I", *values)
        if len(body) > 4:
            beyond += body
            body = struct.pack("<I", start + 2 + 12 * len(tags) + 4 + len(beyond) - len(body))
        table += struct.pack("<HHI", tag, 4, len(values)) + body
    return b"II*\0" + struct.pack("<I", start) + data + struct.pack("<H", len(tags)) + table + b"\0\0\0\0" + beyond


# ---------------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        *[pytest.param(kind, options, 0, id=kind) for kind, options in LOSSLESS.items()],
        *[pytest.param(kind, options, 3, id=kind) for kind, options in LOSSY.items()],
        pytest.param("GIF", {}, 0, id="GIF"),
        pytest.param("WEBP", {}, 3, id="lossy WebP"),
        pytest.param("MPO", {}, 3, id="MPO"),
        pytest.param("JPEG", {"progressive": True}, 3, id="progressive JPEG"),
        *[
            pytest.param("TIFF", {"compression": compression}, 3, id=f"TIFF {compression}")
            for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "tiff_lzma")
        ],
    ],
)
def test_red_is_red_from_every_format(kind, options, tolerance):
    photo = decode(saved(RED, kind, **options), "red")
    assert photo.pixels.shape == (24, 32, 3)
    assert photo.pixels.dtype == np.uint8
    assert abs(photo.pixels.astype(int) - RED).max() <= tolerance
    assert photo.notes == ()


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_plain_picture_comes_through_bit_for_bit(kind):
    photo = decode(saved(NOISE, kind, **LOSSLESS[kind]), "noise")
    assert np.array_equal(photo.pixels, NOISE)
    assert photo.notes == ()


def test_a_photo_is_frozen_and_known_by_its_bytes():
    data = saved(NOISE, "PNG")
    photo = decode(data, "noise.png")
    with pytest.raises(ValueError, match="read-only"):
        photo.pixels[0, 0, 0] = 1
    with pytest.raises(AttributeError):
        photo.name = "other"
    assert photo.digest == hashlib.sha256(data).hexdigest()[:32]
    assert photo.digest == decode(data, "same bytes, other name").digest
    assert photo.digest != decode(saved(NOISE, "PNG", compress_level=1)).digest


@pytest.mark.parametrize(
    ("kind", "count", "notes"),
    [
        ("GIF", 3, ("first picture of an animation",)),
        ("PNG", 3, ("first picture of an animation",)),
        ("WEBP", 3, ("first picture of an animation",)),
        ("AVIF", 3, ("first picture of an animation",)),
        ("TIFF", 3, ("first page of several",)),
        ("HEIF", 3, ("main picture of several",)),
        ("MPO", 3, ()),
        ("GIF", 1, ()),
    ],
)
def test_the_first_of_several_pictures_is_taken(kind, count, notes):
    colors = ["red", "lime", "blue"][:count]
    first, *others = [Image.new("RGB", (32, 24), color) for color in colors]
    photo = decode(saved(first, kind, save_all=True, append_images=others))
    assert abs(photo.pixels.astype(int) - RED).max() <= 3
    assert photo.notes == notes


# ---------------------------------------------------------------------- modes

ON_WHITE = "see-through parts put on white"
SIXTEEN = "16-bit values scaled to 8 bits"
CMYK = "printing colors (CMYK) turned into screen colors"
PALETTE = Image.new("P", (3, 1))
PALETTE.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 0])
PALETTE.putdata([0, 1, 2])
COLORS = np.array([[(255, 0, 0), (0, 255, 0), (0, 0, 0)]], np.uint8)


def with_alpha(mode: str, *pixels: tuple[int, ...]) -> Image.Image:
    image = Image.new(mode, (len(pixels), 1))
    image.putdata(pixels)
    return image


@pytest.mark.parametrize(
    ("data", "expected", "notes"),
    [
        pytest.param(saved(np.array([[True, False, True]]), "PNG"), grey([255, 0, 255]), (), id="1 bit PNG"),
        pytest.param(saved(np.array([[True, False]]), "BMP"), grey([255, 0]), (), id="1 bit BMP"),
        pytest.param(
            saved(np.array([[True, False]]), "TIFF", compression="group4"), grey([255, 0]), (), id="1 bit fax TIFF"
        ),
        pytest.param(png(4, 1, 2, 0, [b"\x1b"]), grey([0, 85, 170, 255]), (), id="2 bit PNG"),
        pytest.param(saved(np.array([[0, 7, 255]], np.uint8), "PNG"), grey([0, 7, 255]), (), id="grey PNG"),
        pytest.param(saved(np.array([[0, 7, 255]], np.uint8), "BMP"), grey([0, 7, 255]), (), id="grey BMP"),
        pytest.param(saved(np.array([[0, 7, 255]], np.uint8), "GIF"), grey([0, 7, 255]), (), id="grey GIF"),
        # on white: v * a / 255 + 255 - a
        pytest.param(
            saved(with_alpha("LA", (100, 0), (100, 51), (100, 255)), "PNG"),
            grey([255, 224, 100]),
            (ON_WHITE,),
            id="grey and alpha",
        ),
        pytest.param(
            saved(with_alpha("RGBA", (200, 0, 0, 102), (9, 8, 7, 255)), "PNG"),
            np.array([[(233, 153, 153), (9, 8, 7)]]),
            (ON_WHITE,),
            id="alpha PNG",
        ),
        pytest.param(
            saved(with_alpha("RGBA", (200, 0, 0, 102), (9, 8, 7, 255)), "TIFF"),
            np.array([[(233, 153, 153), (9, 8, 7)]]),
            (ON_WHITE,),
            id="alpha TIFF",
        ),
        pytest.param(
            saved(with_alpha("RGBA", (200, 0, 0, 102), (9, 8, 7, 255)), "WEBP", lossless=True),
            np.array([[(233, 153, 153), (9, 8, 7)]]),
            (ON_WHITE,),
            id="alpha WebP",
        ),
        pytest.param(
            saved(with_alpha("RGBA", (1, 2, 3, 255)), "PNG"), np.array([[(1, 2, 3)]]), (), id="alpha that hides nothing"
        ),
        pytest.param(saved(PALETTE, "PNG"), COLORS, (), id="palette PNG"),
        pytest.param(saved(PALETTE, "GIF"), COLORS, (), id="palette GIF"),
        pytest.param(saved(PALETTE, "BMP"), COLORS, (), id="palette BMP"),
        pytest.param(saved(PALETTE, "TIFF"), COLORS, (), id="palette TIFF"),
        pytest.param(
            saved(PALETTE, "PNG", transparency=0),
            np.array([[(255, 255, 255), (0, 255, 0), (0, 0, 0)]]),
            (ON_WHITE,),
            id="palette PNG with one clear entry",
        ),
        pytest.param(
            saved(PALETTE, "GIF", transparency=2),
            np.array([[(255, 0, 0), (0, 255, 0), (255, 255, 255)]]),
            (ON_WHITE,),
            id="palette GIF with one clear entry",
        ),
        pytest.param(
            saved(PALETTE, "PNG", transparency=b"\xff\x00\x80"),
            np.array([[(255, 0, 0), (255, 255, 255), (127, 127, 127)]]),
            (ON_WHITE,),
            id="palette PNG with alphas",
        ),
        pytest.param(
            saved(np.array([[0, 7, 255]], np.uint8), "PNG", transparency=7),
            grey([0, 255, 255]),
            (ON_WHITE,),
            id="grey PNG with one clear value",
        ),
        pytest.param(
            png(4, 1, 2, 0, [b"\x1b"], (b"tRNS", b"\0\1")),
            grey([0, 255, 170, 255]),
            (ON_WHITE,),
            id="2 bit PNG with one clear value",
        ),
        pytest.param(
            png(8, 1, 1, 0, [b"\xf0"], (b"tRNS", b"\0\0")), grey([255] * 8), (ON_WHITE,), id="1 bit PNG, black is clear"
        ),
        pytest.param(
            saved(COLORS, "PNG", transparency=(255, 0, 0)),
            np.array([[(255, 255, 255), (0, 255, 0), (0, 0, 0)]]),
            (ON_WHITE,),
            id="RGB PNG with one clear color",
        ),
        # 16 bits: v / 257, rounded
        pytest.param(
            saved(np.array([[0, 771, 32768, 65535]], np.uint16), "PNG"),
            grey([0, 3, 128, 255]),
            (SIXTEEN,),
            id="16 bit grey PNG",
        ),
        pytest.param(
            saved(np.array([[0, 771, 32768, 65535]], np.uint16), "TIFF"),
            grey([0, 3, 128, 255]),
            (SIXTEEN,),
            id="16 bit grey TIFF",
        ),
        pytest.param(
            saved(Image.frombytes("I;16B", (2, 1), b"\0\0\x03\x03"), "TIFF"),
            grey([0, 3]),
            (SIXTEEN,),
            id="16 bit grey TIFF, big end first",
        ),
        pytest.param(
            png(3, 1, 16, 0, [struct.pack(">3H", 0, 1000, 65535)], (b"tRNS", struct.pack(">H", 1000))),
            grey([0, 255, 255]),
            (SIXTEEN, ON_WHITE),
            id="16 bit grey PNG with one clear value",
        ),
        pytest.param(
            png(2, 1, 16, 2, [struct.pack(">6H", 65535, 0, 77 * 257, 257, 514, 0)]),
            np.array([[(255, 0, 77), (1, 2, 0)]]),
            (SIXTEEN,),
            id="16 bit RGB PNG",
        ),
        pytest.param(
            png(2, 1, 16, 2, [struct.pack(">6H", 65535, 0, 77 * 257, 257, 514, 0)], (b"tRNS", b"\xff\xff\0\0\x4d\x4d")),
            np.array([[(255, 255, 255), (1, 2, 0)]]),
            (SIXTEEN, ON_WHITE),
            id="16 bit RGB PNG with one clear color",
        ),
        pytest.param(
            png(1, 1, 16, 6, [struct.pack(">4H", 200 * 257, 0, 0, 102 * 257)]),
            np.array([[(233, 153, 153)]]),
            (SIXTEEN, ON_WHITE),
            id="16 bit RGB PNG with alpha",
        ),
        pytest.param(
            tiff(1, 1, 16, 2, struct.pack("<3H", 65535, 0, 77 * 257), t258=[16, 16, 16], t277=[3]),
            np.array([[(255, 0, 77)]]),
            (SIXTEEN,),
            id="16 bit RGB TIFF",
        ),
        pytest.param(
            tiff(3, 1, 16, 0, struct.pack("<3H", 0, 771, 65535)),
            grey([255, 252, 0]),
            (SIXTEEN,),
            id="16 bit TIFF, white is zero",
        ),
        # 12 bits: v * 255 / 4095, two values in three bytes
        pytest.param(
            tiff(4, 1, 12, 1, bytes.fromhex("fff000 800400")),
            grey([255, 0, 128, 64]),
            ("values 0 to 4095 spread over 0 to 255",),
            id="12 bit TIFF",
        ),
        pytest.param(saved(np.array([[0, 100, 255]], np.int32), "TIFF"), grey([0, 100, 255]), (), id="32 bit TIFF"),
        pytest.param(
            saved(np.array([[0, 771, 65535]], np.int32), "TIFF"),
            grey([0, 3, 255]),
            (SIXTEEN,),
            id="32 bit TIFF to 65535",
        ),
        pytest.param(
            saved(np.array([[-10, 0, 10]], np.int32), "TIFF"),
            grey([0, 128, 255]),
            ("values -10 to 10 spread over 0 to 255",),
            id="32 bit TIFF with negative values",
        ),
        pytest.param(
            saved(np.array([[-10, -10]], np.int32), "TIFF"),
            grey([0, 0]),
            ("values -10 to -9 spread over 0 to 255",),
            id="32 bit TIFF of one value",
        ),
        pytest.param(
            saved(np.array([[0, 0.25, 1]], np.float32), "TIFF"),
            grey([0, 64, 255]),
            ("values 0 to 1 spread over 0 to 255",),
            id="float TIFF to 1",
        ),
        pytest.param(
            saved(np.array([[0, 99.6, 200]], np.float32), "TIFF"), grey([0, 100, 200]), (), id="float TIFF to 255"
        ),
        pytest.param(
            saved(np.array([[np.nan, np.inf, 3e38, 255]], np.float32), "TIFF"),
            grey([0, 0, 0, 255]),
            (),
            id="float TIFF with values that are no numbers",
        ),
        pytest.param(
            saved(with_alpha("CMYK", (255, 0, 0, 0), (0, 0, 0, 255), (0, 0, 0, 0)), "TIFF"),
            np.array([[(0, 255, 255), (0, 0, 0), (255, 255, 255)]]),
            (CMYK,),
            id="CMYK TIFF",
        ),
        pytest.param(
            saved(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=100),
            np.full((16, 16, 3), (0, 255, 255)),
            (CMYK,),
            id="CMYK JPEG",
        ),
        # Y + 1.402 (Cr - 128), Y - 0.344 (Cb - 128) - 0.714 (Cr - 128), Y + 1.772 (Cb - 128)
        pytest.param(saved(with_alpha("YCbCr", (76, 85, 255)), "TIFF"), np.array([[(254, 0, 0)]]), (), id="YCbCr TIFF"),
        # L* 53.7 is a luminance of 0.217, which sRGB writes as 128
        pytest.param(saved(with_alpha("LAB", (137, 128, 128)), "TIFF"), grey([128]), (), id="LAB TIFF"),
    ],
)
def test_every_mode_becomes_eight_bit_rgb(data, expected, notes):
    photo = decode(data)
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.tolist() == expected.tolist()
    assert photo.notes == notes


@pytest.mark.parametrize(("picture", "expected"), [(Image.fromarray(NOISE), NOISE), (PALETTE, COLORS)])
def test_texts_in_a_png_are_not_taken_for_its_settings(picture, expected):
    texts = PngImagePlugin.PngInfo()
    for key in ("transparency", "icc_profile", "bit_depth", "original_orientation", "exif", "xmp"):
        texts.add_text(key, "6")
    photo = decode(saved(picture, "PNG", pnginfo=texts))
    assert np.array_equal(photo.pixels, expected)
    assert photo.notes == ()


def test_ten_bit_heic_is_scaled():
    data = io.BytesIO()
    pillow_heif.encode("RGB;16", (32, 24), (RED.astype("<u2") * 257).tobytes(), data, quality=95, chroma=444)
    photo = decode(data.getvalue())
    assert abs(photo.pixels.astype(int) - RED).max() <= 3
    assert photo.notes == ("10-bit values scaled to 8 bits",)


# ---------------------------------------------------------------------- turned upright

UPRIGHT = np.zeros((48, 64, 3), np.uint8)  # an "F" on colored ground, the same in no two orientations
UPRIGHT[:, 32:] = (0, 0, 200)
UPRIGHT[8:40, 8:16] = UPRIGHT[8:16, 8:48] = UPRIGHT[24:32, 8:32] = (250, 220, 40)

# TIFF 6.0, page 36: where the stored 0th row and 0th column are in the upright picture
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def stored(orientation: int) -> np.ndarray:
    row, column = SIDES[orientation]
    pixels = UPRIGHT if row in ("top", "bottom") else UPRIGHT.transpose(1, 0, 2)
    return np.ascontiguousarray(
        pixels[:: -1 if row in ("bottom", "right") else 1, :: -1 if column in ("bottom", "right") else 1]
    )


def exif(orientation: int) -> bytes:
    return struct.pack(">6s2sHIHHHIHHI", b"Exif", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_pictures_are_turned_upright_once(kind, orientation):
    options = (LOSSLESS | LOSSY | {"MPO": LOSSY["JPEG"]})[kind]
    photo = decode(saved(stored(orientation), kind, exif=exif(orientation), **options))
    assert photo.pixels.shape == UPRIGHT.shape
    assert abs(photo.pixels.astype(int) - UPRIGHT).mean() <= (0 if kind in LOSSLESS else 3)
    assert photo.notes == (() if orientation == 1 else ("turned upright",))


# XResolution as a single byte, in which Pillow looks for a fraction while it opens a JPEG
BAD_RESOLUTION = struct.pack(
    ">6s2sHIHHHIIHHIHHI", b"Exif", b"MM", 42, 8, 2, 0x011A, 1, 1, 5 << 24, 0x0128, 3, 1, 2, 0, 0
)
LEFT_OUT = ("unreadable camera data left out",)


@pytest.mark.parametrize(
    ("kind", "broken", "notes"),
    [
        *[
            pytest.param(kind, broken, (), id=f"{kind} {what}")
            for kind in ("JPEG", "PNG", "WEBP", "HEIF")
            for what, broken in {
                "empty": b"Exif\0\0",
                "garbage": b"Exif\0\0" + b"\xff" * 40,
                "cut off": exif(6)[:20],
                "orientation 99": exif(99),
                "offset beyond the end": exif(6).replace(b"\0\0\0\x08", b"\xff\xff\xff\xff"),
            }.items()
        ],
        pytest.param("JPEG", BAD_RESOLUTION, LEFT_OUT, id="JPEG resolution of the wrong type"),
    ],
)
def test_broken_exif_does_not_cost_the_picture(kind, broken, notes):
    photo = decode(saved(RED, kind, exif=broken, **LOSSY.get(kind, {})))
    assert abs(photo.pixels.astype(int) - RED).max() <= 3
    assert photo.notes == notes


def test_broken_exif_does_not_cost_an_avif():
    good = struct.pack(">6s2sHIHHHI4sI", b"Exif", b"MM", 42, 8, 1, 0x010F, 2, 4, b"Cam\0", 0)
    data = saved(RED, "AVIF", exif=good, **LOSSY["AVIF"])
    assert data.count(good[6:]) == 1
    photo = decode(data.replace(good[6:], b"@" * len(good[6:])))
    assert abs(photo.pixels.astype(int) - RED).max() <= 3
    assert photo.notes == LEFT_OUT


# ---------------------------------------------------------------------- color profiles


def profile(space: bytes, connection: bytes, **tags: bytes) -> bytes:
    """An ICC profile, version 2."""
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name.encode(), 132 + 12 * len(tags) + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x3I48x", 0, 0x02400000, kind, space, connection, b"acsp", 63190, 65536, 54061
    )
    whole = header + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = SRGB.replace(b"rXYZ", b"xxxx", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"xxxx", b"bXYZ", 1)  # red is blue
WHITE_POINT = struct.pack(">4s4x3I", b"XYZ ", 63190, 65536, 54061)
LINEAR_GREY = profile(b"GRAY", b"XYZ ", wtpt=WHITE_POINT, kTRC=struct.pack(">4s4xI", b"curv", 0))
# A table of 2 x 2 x 2 x 2 inks in L*a*b*: none is white, any color L* 53.7, which sRGB writes as 128, any black black
STRAIGHT = bytes(range(256))
GREY_INK = profile(
    b"CMYK",
    b"Lab ",
    wtpt=WHITE_POINT,
    A2B0=struct.pack(">4s4xBBBx9I", b"mft1", 4, 3, 2, 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    + STRAIGHT * 4
    + bytes([255, 128, 128, 0, 128, 128] + [137, 128, 128, 0, 128, 128] * 7)
    + STRAIGHT * 3,
)
CONVERTED = ("colors converted to sRGB",)
UNREADABLE = ("unreadable color profile left out",)


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_an_embedded_profile_is_applied_in_every_format(kind):
    options = (LOSSLESS | LOSSY | {"MPO": LOSSY["JPEG"]})[kind]
    photo = decode(saved(RED, kind, icc_profile=SWAPPED, **options))
    assert abs(photo.pixels.astype(int) - RED[..., ::-1]).max() <= 4
    assert photo.notes == CONVERTED


@pytest.mark.parametrize(
    ("picture", "icc", "expected", "notes"),
    [
        pytest.param(NOISE, SWAPPED, NOISE[..., ::-1], CONVERTED, id="RGB"),
        pytest.param(NOISE, SRGB, NOISE, (), id="sRGB itself changes nothing"),
        pytest.param(PALETTE, SWAPPED, COLORS[..., ::-1], CONVERTED, id="palette"),
        pytest.param(
            with_alpha("RGBA", (200, 0, 0, 102)),
            SWAPPED,
            np.array([[(153, 153, 233)]]),
            (ON_WHITE, *CONVERTED),
            id="alpha",
        ),
        # sRGB writes the luminance 55 / 255 as 1.055 * 0.2157 ** (1 / 2.4) - 0.055 = 0.502
        pytest.param(np.array([[0, 55, 255]], np.uint8), LINEAR_GREY, grey([0, 128, 255]), CONVERTED, id="grey"),
        pytest.param(grey([0, 55, 255]), LINEAR_GREY, grey([0, 128, 255]), CONVERTED, id="grey profile, grey as RGB"),
        pytest.param(
            np.array([[0, 55, 255]], np.uint8), SWAPPED, grey([0, 55, 255]), CONVERTED, id="grey, RGB profile"
        ),
        pytest.param(NOISE, LINEAR_GREY, NOISE, UNREADABLE, id="grey profile of a colored picture"),
        pytest.param(NOISE, GREY_INK, NOISE, UNREADABLE, id="CMYK profile of an RGB picture"),
        pytest.param(NOISE, b"no profile" * 30, NOISE, UNREADABLE, id="text"),
        pytest.param(NOISE, SWAPPED[:200], NOISE, UNREADABLE, id="cut off"),
        pytest.param(NOISE, SWAPPED[:16] + b"\xff" * 4 + SWAPPED[20:], NOISE, UNREADABLE, id="unknown color space"),
    ],
)
def test_a_profile_leads_to_srgb_or_is_left_out(picture, icc, expected, notes):
    photo = decode(saved(picture, "PNG", icc_profile=icc))
    assert photo.pixels.shape == expected.shape
    assert abs(photo.pixels.astype(int) - expected).max() <= 1
    assert photo.notes == notes
    if CONVERTED[0] not in notes:
        assert np.array_equal(photo.pixels, expected)


@pytest.mark.parametrize(
    ("icc", "expected", "notes"),
    [
        pytest.param(GREY_INK, [(128, 128, 128), (255, 255, 255)], CONVERTED, id="profile"),
        pytest.param(b"no profile" * 30, [(0, 255, 255), (255, 255, 255)], (*UNREADABLE, CMYK), id="broken profile"),
    ],
)
@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_inks_are_converted_by_their_profile(kind, icc, expected, notes):
    inks = Image.new("CMYK", (32, 16))
    inks.paste((255, 0, 0, 0), (0, 0, 16, 16))
    photo = decode(saved(inks, kind, icc_profile=icc, **({"quality": 100} if kind == "JPEG" else {})))
    assert abs(photo.pixels[8, [8, 24]].astype(int) - expected).max() <= 1
    assert photo.notes == notes


@pytest.mark.parametrize("gamma", [1.0, 2.6])
def test_a_profile_changes_pixels_as_lcms_predicts(gamma):
    curve = struct.pack(">4s4xIH", b"curv", 1, round(gamma * 256))
    primaries = [(47, 19, 1), (39, 72, 7), (10, 9, 75)]  # hundredths of X, Y, Z for red, green and blue
    icc = profile(
        b"RGB ",
        b"XYZ ",
        wtpt=WHITE_POINT,
        **{
            f"{c}XYZ": struct.pack(">4s4x3I", b"XYZ ", *(v * 655 for v in xyz))
            for c, xyz in zip("rgb", primaries, strict=True)
        },
        **{f"{c}TRC": curve for c in "rgb"},
    )
    there = ImageCms.buildTransform(io.BytesIO(icc), ImageCms.createProfile("sRGB"), "RGB", "RGB")
    expected = np.asarray(ImageCms.applyTransform(Image.fromarray(NOISE), there))
    assert abs(expected.astype(int) - NOISE).max() > 40
    assert np.array_equal(decode(saved(NOISE, "PNG", icc_profile=icc)).pixels, expected)


# ---------------------------------------------------------------------- reduced


def test_a_large_picture_is_reduced_by_averaging_areas():
    fine = np.random.default_rng(3).integers(0, 256, (200, 3200, 3), dtype=np.uint8)
    photo = decode(saved(fine, "PNG", compress_level=1))
    means = fine.reshape(100, 2, 1600, 2, 3).mean(axis=(1, 3))
    assert photo.pixels.shape == (100, 1600, 3)
    assert abs(photo.pixels - means).max() <= 0.5
    assert photo.notes == ("reduced from 3200 × 200",)


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [
        (1600, 120, (120, 1600)),
        (1601, 1200, (1199, 1600)),
        (120, 1601, (1600, 120)),
        (4032, 302, (120, 1600)),
        (20000, 1, (1, 1600)),
        (1, 20000, (1600, 1)),
        (1, 1, (1, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_long_side_is_1600_and_no_side_is_lost(kind, width, height, shape):
    photo = decode(saved(Image.new("RGB", (width, height), (9, 90, 200)), kind))
    assert photo.pixels.shape == (*shape, 3)
    assert abs(photo.pixels.astype(int) - (9, 90, 200)).max() <= 3
    assert photo.notes == ((f"reduced from {width} × {height}",) if max(width, height) > 1600 else ())
    assert photo.reduced == max(1, max(width, height) / 1600)


def test_a_large_jpeg_is_read_at_a_fraction_of_its_size(monkeypatch):
    read = []
    load = JpegImagePlugin.JpegImageFile.load
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", lambda self: (read.append(self.size), load(self))[1])
    decode(saved(Image.new("RGB", (4032, 3024)), "JPEG"))
    assert read[0] == (2016, 1512)


@pytest.mark.parametrize(("kind", "tolerance"), [("JPEG", 4), ("PNG", 1), ("TIFF", 1)])
def test_a_large_picture_is_turned_and_reduced(kind, tolerance):
    lying = np.repeat(np.repeat(stored(6), 35, axis=0), 35, axis=1)
    photo = decode(saved(lying, kind, exif=exif(6), **({"compression": "tiff_lzw"} if kind == "TIFF" else {})))
    assert photo.pixels.shape == (1200, 1600, 3)
    assert abs(photo.pixels[12::25, 12::25].astype(int) - UPRIGHT).mean() <= tolerance
    assert photo.notes == ("turned upright", "reduced from 2240 × 1680")


def test_four_turns_undo_each_other_and_each_is_another_picture_to_caches():
    first = decode(saved(UPRIGHT, "PNG"), "a.png")
    photos = [first]
    for _ in range(4):
        photos.append(turned(photos[-1]))
    for quarters, photo in enumerate(photos):
        assert (photo.pixels == np.rot90(first.pixels, -quarters)).all()
        assert photo.pixels.flags.c_contiguous
        assert not photo.pixels.flags.writeable
        assert (photo.name, photo.reduced) == ("a.png", 1)
    assert [photo.notes for photo in photos] == [
        (), *((f"turned by {degrees}° by hand",) for degrees in (90, 180, 270)), ()
    ]  # fmt: skip
    assert len({photo.digest for photo in photos}) == 5
    assert all(len(photo.digest) == 32 for photo in photos)


# ---------------------------------------------------------------------- what is no photo

GOOD_PNG = saved(NOISE, "PNG")
GOOD_JPEG = saved(NOISE, "JPEG")
MP4 = b"\0\0\0\x18ftypisom\0\0\2\0isommp42"


def resized(kind: str, width: int, height: int) -> bytes:
    """A small picture whose header says that it is large."""
    data = bytearray(saved(np.zeros((16, 16, 3), np.uint8), kind))
    if kind == "PNG":
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
    elif kind == "BMP":
        data[18:26] = struct.pack("<II", width, height)
    elif kind == "TIFF":
        return tiff(width, height, 8, 1, b"\0" * 64)
    elif kind in ("AVIF", "HEIF"):
        at = data.index(b"ispe") + 8
        data[at : at + 8] = struct.pack(">II", width, height)
    elif kind == "WEBP":
        data = bytearray(saved(np.zeros((16, 16, 3), np.uint8), kind, lossless=True))
        at = data.index(b"VP8L") + 9
        data[at : at + 4] = struct.pack("<I", width - 1 | height - 1 << 14)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "name", "parts"),
    [
        pytest.param(b"", "cat.jpg", ["cat.jpg is empty (0 bytes)", "choose the picture again"], id="empty"),
        pytest.param(b"\0" * 20_000_001, "cat.jpg", ["cat.jpg has 20.1 MB", "at most 20 MB", "smaller"], id="20 MB"),
        pytest.param(b"Dear all,\nhere is", "cat.jpg", ["cat.jpg seems to be a text", "JPEG, PNG"], id="text"),
        pytest.param("Größe".encode(), "cat.jpg", ["seems to be a text"], id="text in UTF-8"),
        pytest.param("Größe".encode("utf-16"), "cat.jpg", ["seems to be a text"], id="text in UTF-16"),
        pytest.param(b"BMW and other cars\n", "cars.bmp", ["seems to be a text"], id="text that begins like a BMP"),
        pytest.param(b"<?xml version='1.0'?>\n<svg/>", "a.svg", ["a.svg seems to be an SVG drawing"], id="SVG"),
        pytest.param(b"\xef\xbb\xbf <!DOCTYPE html><p>404", "a.png", ["seems to be a web page"], id="web page"),
        pytest.param(b"%PDF-1.7\n", "a.pdf", ["seems to be a PDF document"], id="PDF"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n", "a.eps", ["seems to be a PostScript document"], id="EPS"),
        pytest.param(b"PK\3\4\x14\0", "photos.zip", ["seems to be a ZIP archive"], id="ZIP"),
        pytest.param(MP4, "a.mp4", ["seems to be a video"], id="MP4"),
        pytest.param(b"RIFF\x10\0\0\0AVI LIST", "a.avi", ["seems to be a video"], id="AVI"),
        pytest.param(b"\x1aE\xdf\xa3\x01", "a.webm", ["seems to be a video"], id="WebM"),
        pytest.param(b"\0\0\0\x18ftypcrx \0\0\0\1", "a.cr3", ["a camera's raw file"], id="raw file CR3"),
        pytest.param(tiff(4, 4, 8, 1, b"CR" + b"\0" * 14), "a.cr2", ["a camera's raw file"], id="raw file CR2"),
        pytest.param(tiff(4, 4, 8, 1, b"\0" * 16, t50706=[1]), "a.dng", ["a camera's raw file"], id="raw file DNG"),
        pytest.param(tiff(4, 4, 8, 1, b"\0" * 16, t254=[1]), "a.nef", ["a camera's raw file"], id="raw file NEF"),
        pytest.param(bytes(range(256)), "cat.jpg", ["does not look like any kind of picture"], id="unknown bytes"),
        pytest.param(b"\0" * 5000, "cat.jpg", ["does not look like any kind of picture"], id="zeros"),
        pytest.param(b"\x89PNG\n\x1a\n" + GOOD_PNG[8:], "a.png", ["does not look like"], id="PNG sent as text"),
        pytest.param(GOOD_PNG[: len(GOOD_PNG) // 2], "a.png", ["a.png begins like a PNG", "cut off"], id="half a PNG"),
        pytest.param(GOOD_JPEG[: len(GOOD_JPEG) // 2], "a", ["a begins like a JPEG", "cut off"], id="half a JPEG"),
        *[
            pytest.param(saved(NOISE, kind)[:-300], "a", ["cut off"], id=f"{kind} cut off")
            for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF", "HEIF")
        ],
        pytest.param(tiff(40, 30, 8, 1, b"\0" * 900), "a", ["cut off"], id="TIFF cut off"),
        *[
            pytest.param(magic, "a", ["cut off"], id=f"{magic!r} alone")
            for magic in (b"\xff\xd8\xff", b"GIF89a", b"II*\0")
        ],
        *[
            pytest.param(resized(kind, 9000, 6000), "a", ["9000 × 6000 pixels (54 megapixels)", "at most 50"], id=kind)
            for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF")
        ],
        *[
            pytest.param(resized(kind, 60000, 60000), "a", ["at most 50 megapixels"], id=f"{kind} of 60000 x 60000")
            for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF")
        ],
        pytest.param(resized("PNG", 2**31 - 1, 2**31 - 1), "a", ["at most 50 megapixels"], id="PNG of 2 ** 62"),
    ],
)
def test_what_is_no_photo_gets_a_sentence(data, name, parts):
    start = time.process_time()  # of the processor: a busy machine is not the file's fault
    with pytest.raises(ImageError) as caught:
        decode(data, name)
    sentence = str(caught.value)
    assert time.process_time() - start < 2
    assert [part for part in parts if part not in sentence] == []
    assert sentence.startswith(name)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 220


BIG_ZEROS = zlib.compress(b"\0" * 30_000_000, 9)


def scans(count: int, between: bytes = b"") -> bytes:
    """A progressive JPEG with its last scan repeated."""
    data = saved(np.zeros((64, 64), np.uint8), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + between + data[last:-2] * count + data[-2:]


def run_length_bmp(width: int, height: int, runs: bytes) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 2, 0)
    return b"BM" + struct.pack("<I4xI", 62 + len(runs), 62) + header + b"\0\0\0\0\xff\0\0\0" + runs


GIF_FRAME = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\2\2\x44\1\0;"


@pytest.mark.parametrize(
    ("data", "part"),
    [
        pytest.param(png(9, 9, 8, 0, [b""], (b"zTXt", b"k\0\0" + BIG_ZEROS)), "damaged", id="PNG text"),
        pytest.param(png(9, 9, 8, 0, [b""], (b"iCCP", b"k\0\0" + BIG_ZEROS)), "damaged", id="PNG profile"),
        pytest.param(png(6000, 8000, 8, 2, [b"\0" * 30_000_000]), "damaged", id="PNG pixels that are too few"),
        pytest.param(GIF_FRAME, "megapixels", id="GIF frame larger than its picture"),
        pytest.param(scans(200), "layers", id="JPEG scans"),
        pytest.param(scans(200, between=b"\xff\x01"), "layers", id="JPEG scans behind a marker without length"),
        pytest.param(run_length_bmp(3000, 3000, b"\xff\0" * 9), "compressed BMP", id="BMP runs"),
        pytest.param(
            tiff(1, 100_001, 8, 1, b"", t273=[8] * 100_001, t278=[1], t279=[1] * 100_001), "pieces", id="TIFF strips"
        ),
        pytest.param(
            tiff(16, 16, 8, 1, BIG_ZEROS, t259=[8], t322=[40000], t323=[40000], t324=[8], t325=[len(BIG_ZEROS)]),
            "pieces",
            id="TIFF tile",
        ),
    ],
)
def test_a_small_file_that_unpacks_to_much_is_refused_at_once(data, part):
    start = time.process_time()  # of the processor: a busy machine is not the file's fault
    with pytest.raises(ImageError, match=part):
        decode(data, "bomb")
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        pytest.param(scans(5), (64, 64, 3), id="JPEG with some scans"),
        pytest.param(run_length_bmp(4, 1, b"\2\0\2\1\0\1"), (1, 4, 3), id="BMP with runs"),
        pytest.param(GOOD_JPEG + b"\0\0" + b"\xff\xda\0\2" * 200, (30, 40, 3), id="JPEG with a film behind it"),
    ],
)
def test_what_only_resembles_a_bomb_is_opened(data, shape):
    assert decode(data).pixels.shape == shape


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (MemoryError, "needs more memory"),
        (Image.DecompressionBombError, "at most 50 megapixels"),
        (RuntimeError, "damaged"),
        (OSError, "damaged"),
        (ZeroDivisionError, "damaged"),
        (SyntaxError, "damaged"),
    ],
)
@pytest.mark.parametrize("place", ["open", "load"])
def test_whatever_pillow_raises_becomes_an_image_error(monkeypatch, place, error, part):
    def fail(*_, **__):
        raise error("from the library")

    if place == "open":
        monkeypatch.setattr(Image, "open", fail)
    else:
        monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
    with pytest.raises(ImageError, match=part) as caught:
        decode(GOOD_PNG, "a.png")
    assert "from the library" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "This file"),
        ("cat.jpg", "cat.jpg"),
        ("/photos/summer/cat.jpg", "cat.jpg"),
        ("C:\\photos\\cat.jpg", "cat.jpg"),
        ("../../etc/passwd", "passwd"),
        ("a\nb\x1b[31m\x00c.png", "a b[31mc.png"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("\udcff.png", ".png"),
        ("  Müller  1.png ", "Müller 1.png"),
        ("u\u0308.png", "ü.png"),
        ("x" * 100 + ".jpeg", "x" * 40 + "…" + "x" * 14 + ".jpeg"),
        ("folder/", "This file"),
    ],
)
def test_names_are_shown_without_folders_and_control_characters(name, shown):
    with pytest.raises(ImageError) as caught:
        decode(b"", name)
    assert str(caught.value).startswith(f"{shown} is empty")
    assert decode(GOOD_PNG, name).name == ("" if shown == "This file" else shown)


# ---------------------------------------------------------------------- in the server


def test_two_pictures_are_decoded_at_once_and_never_three(monkeypatch):
    inside, most, lock, opened = 0, 0, threading.Lock(), Image.open

    def slow(*args, **kwargs):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.02)
        with lock:
            inside -= 1
        return opened(*args, **kwargs)

    monkeypatch.setattr(images.Image, "open", slow)
    results = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(decode(GOOD_PNG if n % 2 else GOOD_JPEG))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert most == 2


def test_a_refused_picture_frees_its_place():
    for _ in range(5):
        with pytest.raises(ImageError):
            decode(GOOD_PNG[:100])
    assert decode(GOOD_PNG).pixels.shape == NOISE.shape


def test_odd_and_damaged_files_leave_no_trace_on_stderr(tmp_path):
    damaged = bytearray(saved(NOISE, "TIFF", compression="tiff_adobe_deflate"))
    damaged[60:70] = b"\xff" * 10
    files = [
        bytes(damaged),
        tiff(40, 30, 8, 1, b"\0" * 1200, t277=[999]),
        saved(RED, "JPEG", exif=BAD_RESOLUTION),
        saved(RED, "JPEG", exif=exif(6)[:20]),
        saved(RED, "MPO", save_all=True, append_images=[Image.fromarray(RED)]).replace(b"MPF\0MM", b"MPF\0XX"),
        png(9, 9, 8, 0, [b"\0" * 9] * 9, (b"acTL", b"\0" * 8)),
        saved(np.array([[np.nan, np.inf]], np.float32), "TIFF"),
    ]
    for number, data in enumerate(files):
        (tmp_path / f"{number}.bin").write_bytes(data)
    code = (
        "import sys, pathlib, cnnviz.images as i\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try: i.decode(path.read_bytes())\n"
        "    except i.ImageError: pass\n"
        "print('pillow_heif' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert run.stdout == "False\n"  # pillow-heif waits for the first HEIC
