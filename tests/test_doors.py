"""Start's doors: what they show of a picture without a network."""

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnviz import display
from cnnviz.images import Photo
from cnnviz.ui import doors

COLORS = np.random.default_rng(4).integers(0, 256, (90, 150, 3), np.uint8)


def tiles(html: str) -> list[Any]:
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
        for data in re.findall(r"base64,([^\"]+)", html)
    ]


@pytest.mark.parametrize("shape", [(90, 150), (1, 1), (1, 400), (40, 40)])
def test_one_photo_becomes_sixteen_the_first_of_them_itself(shape: tuple[int, int]) -> None:
    photo = Photo("a <b>.png", np.resize(COLORS, (*shape, 3)), "digest", ())
    found = tiles(doors.variants(photo))
    assert len(found) == 16
    assert (found[0] == display.reduce(display.center_square(photo.pixels), 64)).all()
    assert {one.shape for one in found} == {found[0].shape}
    assert doors.variants(photo) == doors.variants(photo)
    assert "a &lt;b&gt;.png" in doors.variants(photo)
    if shape == (90, 150):
        assert len({one.tobytes() for one in found}) == 16


def test_a_doors_words_are_no_html() -> None:
    assert "<h3>1 &lt; 2?</h3>" in doors.door("1 < 2?", "", "", "")
