"""images.decode against 2,400 damaged files of every format: a Photo or an ImageError, soon, and nothing else."""

import io
import random
import time

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from cnnviz.images import LONG_SIDE, ImageError, decode

pillow_heif.register_heif_opener()
pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\..*")  # pytest resets what images.py sets

FILES_A_SEED = 600
SECONDS_A_FILE = 2


def saved(image: Image.Image, kind: str, pictures: int = 1, **options) -> bytes:
    first, *others = [image.rotate(180 * n) for n in range(pictures)]  # copies: saving a JPEG leaves settings behind
    if others:
        options |= {"save_all": True, "append_images": others}
    file = io.BytesIO()
    first.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """One small file of each way of storing pixels, with EXIF and a color profile where there is room for them."""
    numbers = np.random.default_rng(5)
    slope = np.add.outer(np.arange(24) * 5, np.arange(32) * 3)[..., None]
    picture = Image.fromarray((slope + numbers.integers(0, 60, (24, 32, 3))).clip(0, 255).astype(np.uint8))
    clear = picture.copy()
    clear.putalpha(Image.fromarray(numbers.integers(0, 255, (24, 32), dtype=np.uint8)))
    deep = Image.fromarray(numbers.integers(0, 65535, (9, 9), dtype=np.uint16))
    exif = Image.Exif()
    exif[0x0112], exif[0x011A], exif[0x0128] = 6, 72.0, 2
    more = {
        "exif": exif.tobytes(),
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    }
    return {
        "JPEG": saved(picture, "JPEG", **more),
        "JPEG, CMYK, progressive": saved(picture.convert("CMYK"), "JPEG", progressive=True),
        "MPO": saved(picture, "MPO", pictures=2),
        "PNG": saved(clear, "PNG", **more),
        "PNG, palette": saved(clear.quantize(16), "PNG"),
        "PNG, 16 bits": saved(deep, "PNG"),
        "PNG, animated": saved(picture, "PNG", pictures=2),
        "GIF": saved(picture, "GIF", pictures=2),
        "BMP": saved(picture, "BMP"),
        "BMP, palette": saved(picture.quantize(9), "BMP"),
        "WebP": saved(picture, "WEBP", **more),
        "WebP, lossless, animated": saved(clear, "WEBP", lossless=True, pictures=2),
        "AVIF": saved(picture, "AVIF", **more),
        "AVIF, alpha": saved(clear, "AVIF"),
        "HEIC": saved(picture, "HEIF", **more),
        "HEIC, alpha": saved(clear, "HEIF"),
        **{
            f"TIFF, {compression}": saved(picture, "TIFF", compression=compression, **more)
            for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "tiff_lzma", "zstd")
        },
        "TIFF": saved(picture, "TIFF", **more),
        "TIFF, pages": saved(picture, "TIFF", pictures=2),
        "TIFF, fax": saved(picture.convert("1"), "TIFF", compression="group4"),
        "TIFF, float": saved(Image.fromarray(numbers.normal(size=(9, 9)).astype(np.float32)), "TIFF"),
        "TIFF, 16 bits": saved(deep, "TIFF"),
    }


def mutated(data: bytes, other: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    at = chance.randrange(len(changed))
    match chance.choice(["flip", "flip", "cut", "splice", "insert", "repeat"]):
        case "flip":
            for _ in range(chance.choice([1, 2, 5, 30])):
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        case "cut":
            del changed[at:]
        case "splice":
            start = chance.randrange(len(other))
            changed[at : at + chance.randrange(300)] = other[start : start + chance.randrange(300)]
        case "insert":
            changed[at:at] = chance.randbytes(chance.choice([1, 2, 4, 100]))
        case "repeat":
            changed[at:at] = changed[at : at + chance.randrange(200)] * chance.choice([1, 50])
    return bytes(changed)


def test_the_files_are_good_before_they_are_damaged(files):
    assert {name: decode(data).pixels.shape[2] for name, data in files.items()} == dict.fromkeys(files, 3)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_damaged_file_becomes_a_photo_or_an_image_error(files, seed):
    chance = random.Random(seed)
    names = list(files)
    photos = refusals = 0
    for number in range(FILES_A_SEED):
        name = names[number % len(names)]
        data = mutated(files[name], files[chance.choice(names)], chance)
        which = f"seed {seed}, file {number}: {name}"
        sentence = pixels = None
        start = time.process_time()
        try:
            pixels = decode(data, name).pixels
        except ImageError as error:
            sentence = str(error)
        except Exception as error:
            raise AssertionError(which) from error
        assert time.process_time() - start < SECONDS_A_FILE, which
        if pixels is None:
            refusals += 1
            assert sentence.startswith(name), which
        else:
            photos += 1
            assert pixels.dtype == np.uint8, which
            assert pixels.ndim == 3, which
            assert pixels.shape[2] == 3, which
            assert 1 <= min(pixels.shape[:2]) <= max(pixels.shape[:2]) <= LONG_SIDE, which
            assert not pixels.flags.writeable, which
    assert photos > FILES_A_SEED / 10  # otherwise the damage is too crude to reach the readers
    assert refusals > FILES_A_SEED / 10
