"""The sample pictures that ship with the app, in the order of the picture strip."""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from cnnviz import images

_FOLDER = Path(__file__).resolve().parents[1] / "sample_images"


@dataclass(frozen=True)
class Sample:
    """A picture anybody may use: `key` stands in URLs, `title` and `alt` on the page."""

    key: str
    file: str
    title: str
    alt: str


@cache
def samples() -> tuple[Sample, ...]:
    """All samples; the first one is what a newcomer sees."""
    return tuple(Sample(**entry) for entry in json.loads((_FOLDER / "samples.json").read_text(encoding="utf-8")))


@cache
def photo(key: str) -> images.Photo:
    """The decoded sample. KeyError if there is none of that key."""
    sample = {s.key: s for s in samples()}[key]
    return replace(images.decode(data(key), sample.file), name=sample.title)


def data(key: str) -> bytes:
    """The bytes of the sample's file. KeyError if there is none of that key."""
    return (_FOLDER / {s.key: s.file for s in samples()}[key]).read_bytes()


@cache
def thumbnail(key: str) -> bytes:
    """The sample for the picture strip, a square WebP file; it is made beforehand, since a page shows all of them."""
    return (_FOLDER / "thumbs" / f"{key}.webp").read_bytes()
