"""The avatars: well-formed drawings of one size, named, each another one, with nothing in them from elsewhere."""

import base64
import re
from xml.etree import ElementTree

import pytest

from cnnviz.ui import avatar

SVG = "{http://www.w3.org/2000/svg}"
ALL = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # in the order of FER2013


def test_there_is_one_for_each_expression() -> None:
    assert avatar.EXPRESSIONS == ALL


@pytest.mark.parametrize("expression", [*ALL, "not sure"])
@pytest.mark.parametrize("size", [16, 48, 200])
def test_a_drawing(expression: str, size: int) -> None:
    drawn = ElementTree.fromstring(avatar.svg(expression, size))
    assert drawn.tag == f"{SVG}svg"
    assert (drawn.get("width"), drawn.get("height"), drawn.get("viewBox")) == (str(size), str(size), "0 0 48 48")
    assert (drawn.get("role"), drawn.get("aria-label")) == ("img", expression)
    assert drawn[0].tag == f"{SVG}title"
    assert drawn[0].text == expression
    assert {element.tag.removeprefix(SVG) for element in drawn.iter()} <= {
        "svg",
        "title",
        "g",
        "path",
        "rect",
        "circle",
        "ellipse",
    }
    # no two on a page can get into each other's way, and nothing is fetched
    assert not any({"id", "href", "style"} & set(element.keys()) for element in drawn.iter())


def test_each_differs_in_eyes_brows_or_mouth_and_not_in_color_alone() -> None:
    def shapes(expression: str) -> str:
        return re.sub(r'(fill|stroke)="[^"]*"', "", avatar.svg(expression).partition("</g>")[2])

    assert len({shapes(expression) for expression in (*ALL, avatar.NOT_SURE)}) == len(ALL) + 1


@pytest.mark.parametrize("expression", [*ALL, "not sure"])
def test_as_an_image_it_is_the_same_drawing_with_no_color_from_outside(expression: str) -> None:
    kind, _, data = avatar.source(expression, 40).partition(",")
    assert kind == "data:image/svg+xml;base64"
    drawn = base64.b64decode(data).decode()
    assert drawn == avatar.svg(expression, 40)
    assert "currentColor" not in drawn


@pytest.mark.parametrize(
    ("label", "expression"),
    [("happy", "happy"), (" Happy", "happy"), ("SURPRISE", "surprise"), ("cat", None), ("not sure", None), ("", None)],
)
def test_which_classes_have_an_avatar(label: str, expression: str | None) -> None:
    assert avatar.of(label) == expression


@pytest.mark.parametrize("expression", ["", "Happy", "bored", "<script>"])
def test_an_expression_that_is_not_drawn(expression: str) -> None:
    with pytest.raises(ValueError, match=r"There is no avatar for '.*'; there are angry, disgust, fear, happy"):
        avatar.svg(expression)
