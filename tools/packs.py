"""Write a data pack of ../shared/data as a user would have it: `python tools/packs.py PACK OUT`, a csv or a zip.

The program itself knows no packs: it reads what this writes, a csv or a zip, like anything else.
"""

import argparse
import importlib.util
import os
import shutil
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import cv2

PACKS = Path(__file__).resolve().parents[2] / "shared" / "data"
USAGES = {"train": "Training", "public": "PublicTest", "private": "PrivateTest"}  # in the order of the csv


def fer2013(file: IO[bytes], at_most: int | None = None) -> None:
    """fer2013.csv, rows in their first order; at_most of each split."""
    file.write(b"emotion,pixels,Usage\n")
    parts = loader().fer2013()
    for part, usage in USAGES.items():
        for face, label in zip(parts[part]["images"][:at_most], parts[part]["labels"][:at_most], strict=True):
            levels = " ".join(map(str, face.ravel().tolist()))
            file.write(f"{label},{levels},{usage}\n".encode())


def fashion_mnist(file: IO[bytes], at_most: int | None = None) -> None:
    """A zip of train|test/<class>/N.png, N from 0 in the pack's order; at_most of each split."""
    loaded = loader()
    with zipfile.ZipFile(file, "w") as target:
        for part, (pictures, labels) in loaded.fashion_mnist().items():
            for number, (picture, label) in enumerate(zip(pictures[:at_most], labels[:at_most], strict=True)):
                made, png = cv2.imencode(".png", picture)
                assert made
                target.writestr(f"{part}/{loaded.FASHION_CLASSES[label]}/{number:05}.png", png.tobytes())


def cifar10(file: IO[bytes], at_most: int | None = None) -> None:
    """A zip of train|test/<class>/NNNN.jpg, byte for byte; at_most of each split and class."""
    written: Counter[str] = Counter()
    source = PACKS / "cifar10" / "cifar10_jpg.tar.xz"
    with zipfile.ZipFile(file, "w") as target, tarfile.open(source) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            folder = member.name.rpartition("/")[0]
            if content is not None and (at_most is None or written[folder] < at_most):
                written[folder] += 1
                target.writestr(member.name, content.read())


def catsdogs(file: IO[bytes], at_most: int | None = None) -> None:
    """The zip as it is; or at_most of each split and class."""
    source = PACKS / "catsdogs" / "catsdogs_max200.zip"
    if at_most is None:
        with source.open("rb") as content:
            shutil.copyfileobj(content, file)
        return
    written: Counter[str] = Counter()
    with zipfile.ZipFile(file, "w") as target, zipfile.ZipFile(source) as archive:
        for name in archive.namelist():
            folder = name.rpartition("/")[0]
            written[folder] += 1
            if written[folder] <= at_most:
                target.writestr(name, archive.read(name))


def happysad(file: IO[bytes], at_most: int | None = None) -> None:
    """A zip of happy|sad/NAME.jpg; at_most of each class."""
    with zipfile.ZipFile(file, "w") as target:
        for folder in ("happy", "sad"):
            for path in sorted((PACKS / "happysad" / folder).iterdir())[:at_most]:
                target.write(path, f"{folder}/{path.name}")


WRITERS: dict[str, Callable[[IO[bytes], int | None], None]] = {
    "fer2013": fer2013,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "catsdogs": catsdogs,
    "happysad": happysad,
}


def loader() -> Any:
    """The packs' own reader, which lies beside them."""
    spec = importlib.util.spec_from_file_location("load_packs", PACKS / "load_packs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # the packs' folder is for reading only
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def write(pack: str, out: Path, at_most: int | None = None) -> None:
    """Write one pack to a file, whole or not at all."""
    part = out.with_name(f".{out.name}.part")
    try:
        with part.open("wb") as file:
            WRITERS[pack](file, at_most)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a data pack of ../shared/data as a csv or a zip.")
    parser.add_argument("pack", choices=WRITERS)
    parser.add_argument("out", type=Path, help="fer2013: a .csv; the others: a .zip")
    parser.add_argument("--at-most", type=int, metavar="N", help="so many pictures of each part")
    given = parser.parse_args()
    if not (PACKS / given.pack).is_dir():
        raise SystemExit(f"There is no pack {given.pack} in ../shared/data beside this project.")
    try:
        write(given.pack, given.out, given.at_most)
    except OSError as error:
        raise SystemExit(f"{given.out} could not be written: {error.strerror or error}.") from error


if __name__ == "__main__":
    main()
