"""Checks every page without a browser: it opens from anywhere, survives any link and photo, and says what went wrong.

AppTest mounts the v2 components and knows what they were given, but it cannot answer in their place: picking a
sample, editing a weight and pinning a window are tested in the browser.
"""

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import PATIENCE
from PIL import Image
from streamlit.testing.v1 import AppTest

from cnnviz import display, filters, samples
from cnnviz.ui import frame, lab_settings, weights

pytestmark = pytest.mark.pages
ROOT = Path(__file__).resolve().parents[1]
KERNELS, HOME, INSIDE, CLASSIFY, TRAIN, NETWORKS = (
    f"pages/{name}.py" for name in ("kernels", "home", "inside", "classify", "train", "networks")
)
HEADINGS = {
    HOME: "A laboratory for convolutional networks",
    KERNELS: "Kernel lab",
    INSIDE: "Inside the network",
    CLASSIFY: "Classify",
    TRAIN: "Train",
    NETWORKS: "Networks",
}
FIRST = samples.samples()[0]
LONG = 10_000


def opened(page: str, **query: Any) -> AppTest:
    """The page as a link opens it, in a new session."""
    app = AppTest.from_file(ROOT / "app.py", default_timeout=PATIENCE)
    app.query_params.update(query)
    return app.switch_page(page).run()


def undoable(app: AppTest) -> bool:
    """Whether the Kernel lab shows the undo of its reset, which is hidden while there is nothing to take back."""

    def ids(block: Any) -> list[str]:
        return [
            getattr(block.proto, "id", ""),
            *(one for child in getattr(block, "children", {}).values() for one in ids(child)),
        ]

    found = [one.rpartition("-")[2] for one in ids(app.main) if one.endswith(("undo", "reset_undone"))]
    assert sorted(found) in (["no_undo", "reset_undone"], ["reset_undone", "undo"])
    return "undo" in found


def components(app: AppTest) -> dict[str, Any]:
    """What each mounted component was given, by key; of a part of the microscope, what its block shows on it."""
    protos = {component.key: component.proto for component in app.get("bidi_component")}
    blocks = [_unpacked(proto.bytes) for key, proto in protos.items() if key.startswith("drawn_")]
    known = {block["block"] for block in blocks if "stages" in block}  # those of /inside have other parts
    found = {key: json.loads(proto.json)[0] for key, proto in protos.items() if proto.json}
    for key, given in found.items():
        if "block" in given and given["block"] in known:
            block = next(block for block in blocks if block["block"] == given["block"])
            of_part = {"kernel_grid": block["kernel"], "window": block["window"]}
            found[key] = of_part[key] if key in of_part else block["stages"][given["name"]]
    return found


def pick(app: AppTest, picture: str) -> None:
    """Take a picture of the strip in hand, which AppTest cannot click."""
    app.session_state["picture"] = picture
    app.run()


def _unpacked(data: bytes) -> dict[str, Any]:
    """A block's header, with the bytes of each picture in place of their offset."""
    length = int.from_bytes(data[:4], "little")
    block, body = json.loads(data[4 : 4 + length]), data[4 + length :]
    for stage in block.get("stages", {}).values():
        if picture := stage["picture"]:
            depth = 1 if picture["palette"] is not None else 3
            size = picture["rows"] * picture["columns"] * depth
            picture["levels"] = body[picture["at"] : picture["at"] + size]
            assert len(picture["levels"]) == size
            if depth == 1:
                picture["colors"] = body[picture["palette"] : picture["palette"] + 768]
                assert len(picture["colors"]) == 768
    return block


def change(app: AppTest, widget: Any, value: Any) -> AppTest:
    """Change a widget; then run all once more, since AppTest keeps only what the fragments that ran have drawn."""
    widget.set_value(value).run()
    return app.run()


def sentences(app: AppTest) -> list[str]:
    """The answers to bad input that stand on the page."""
    return [m.value.replace("\\", "") for m in app.markdown if m.value.startswith(":material/error:")]


def check(app: AppTest, page: str) -> None:
    """The page is up: no exception, its heading, the picture strip, and the stages where the lab is."""
    assert not app.exception
    assert [title.value for title in app.title] == [HEADINGS[page]]
    if page in (TRAIN, NETWORKS):
        return  # what is on them is tested in test_pages_train.py
    keys = {widget.key for widget in (*app.file_uploader, *app.button)}
    assert "camera_open" in keys
    assert any(key.startswith("upload_") for key in keys)
    mounted = components(app)
    assert len(mounted["samples"]["entries"]) >= len(samples.samples())
    if page in (INSIDE, CLASSIFY):
        assert "Ten everyday things" in app.selectbox(key="network_shown").options  # the rest: in files of their own
    elif page == HOME:
        assert "door_map" in mounted
        assert {f"open_{name}" for name in ("kernels", "inside", "classify", "train")} <= keys
    else:
        known = list(weights.CHOICES.values())
        assert (
            app.selectbox(key="kernel_shown").options[-len(known) :] == known
        )  # before them the name of an edited one
        assert mounted["kernel_grid"]["weights"]
        assert mounted["stage_input"]["cells"]
        if "window" in mounted:
            assert mounted["stage_map"]["cells"] == mounted["window"]["output"]
            assert re.fullmatch(r"((input|map|relu|pool),\d{1,4},\d{1,4})?", mounted["window"]["pin"])
        else:
            assert any("does not fit" in sentence or "channels" in sentence for sentence in sentences(app))


def picture(width: int, height: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), (200, 100, 20), np.uint8)).save(file, kind)
    return file.getvalue()


def test_there_is_a_heading_for_every_page():
    assert [f"pages/{file}" for file, *_ in frame.PAGES] == list(HEADINGS)
    assert sorted(p.name for p in (ROOT / "pages").glob("*.py")) == sorted(file for file, *_ in frame.PAGES)


@pytest.mark.parametrize("page", HEADINGS)
def test_a_page_opens_from_the_navigation(page):
    app = AppTest.from_file(ROOT / "app.py", default_timeout=PATIENCE).run()
    check(app, HOME)
    check(app.switch_page(page).run(), page)
    check(app.switch_page(HOME).run(), HOME)


@pytest.mark.parametrize("page", HEADINGS)
def test_a_page_opens_as_the_first_thing_after_a_start(page):
    # before any run the page map is unknown, and Streamlit runs the file of pages/ without app.py
    check(opened(page), page)


@pytest.mark.parametrize("page", HEADINGS)
def test_a_page_file_brings_up_the_frame_by_itself(page):
    app = AppTest.from_file(ROOT / page, default_timeout=PATIENCE).run()
    check(app, page)
    assert app.session_state["entered"]


def test_the_lab_opens_with_a_sample_and_sobel_applied():
    app = opened(KERNELS)
    mounted = components(app)
    assert mounted["samples"]["choice"] == FIRST.key
    assert mounted["kernel_grid"]["weights"] == filters.PRESETS["sobel_x"].weights.tolist()
    assert app.selectbox(key="kernel_shown").value == "sobel_x"
    assert mounted["stage_map"]["cells"] == [126, 126]
    assert mounted["stage_pool"]["cells"] == [63, 63]
    assert sentences(app) == []


def test_a_link_carries_every_setting():
    query = {
        "picture": "checkerboard",
        "size": "32",
        "channel": "B",
        "kernel": "box_blur",
        "w": "1,2;3,4;5,6",
        "bias": "-2.5",
        "stride_y": "2",
        "stride_x": "3",
        "padding": "own",
        "pad_top": "4",
        "dilation_x": "2",
        "relu": "false",
        "pool_y": "3",
        "kind": "Average",
        "cell": "map,3,4",
    }
    app = opened(KERNELS, **query)
    check(app, KERNELS)
    spec = components(app)["window"]
    assert app.query_params == query
    assert spec["parts"] == [{"name": "", "channel": 2, "weights": [[1, 2], [3, 4], [5, 6]]}]
    assert (spec["bias"], spec["strides"], spec["dilation"]) == (-2.5, [2, 3], [1, 2])
    assert spec["padding"] == [[4, 1], [1, 1]]
    assert spec["output"] == [18, 11]  # ⌊(32 + 5 − 3) / 2⌋ + 1, ⌊(32 + 2 − 3) / 3⌋ + 1
    assert (spec["relu"], spec["pin"]) == (False, "map,3,4")
    assert (spec["pool"]["kind"], spec["pool"]["size"]) == ("average", [3, 2])
    assert components(app)["samples"]["choice"] == "checkerboard"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"kernel": "<script>alert(1)</script>", "compare": "<script>"}, None),
        ({"kernel": "9" * LONG, "padding": "a" * LONG, "cell": "map," * LONG}, "gives “aaaaaaaaaaaaaaaaaaaa” for"),
        ({"kernel": ["sobel_y", "box_blur"], "padding": "foo", "cell": "x,y,z"}, "; valid is used"),
        ({"w": "1,2;3"}, "The rows of a kernel are equally long"),
        ({"w": "nan"}, "this was “nan”"),
        ({"w": "1,−inf", "cell": "pool,99999,0"}, "this was “−inf”"),
        ({"w": "\x00"}, "holds weights that cannot be read"),
        ({"w": "<img src=x onerror=alert(1)>"}, "this was “<img”"),
        ({"w": "1" * LONG}, "this was “11111111111111111111”"),
        ({"w": "1," * LONG + "1"}, "this one is 1 × 10001"),
        ({"w": "1|2", "channel": "RGB"}, "A kernel "),
        ({"w": "3e38,3e38;-3e38,1e-45", "bias": "1e4", "cell": "map,9999,9999"}, "from −1,000,000 to 1,000,000"),
        (
            {"stride_y": "2.0", "relu": "False", "bias": "1e2", "pool_y": ""},
            None,
        ),  # as good as 2, false, 100 and nothing
        ({"stride_y": "inf"}, "; 1 is used"),
        ({"pool_x": "9" * LONG}, "gives “99999999999999999999” for Pool size →"),
        (
            {"size": "16", "w": "1,1;1,1", "dilation_y": "4", "dilation_x": "4", "compare": "box_blur_5"},
            "does not fit into a 16×16",
        ),
        ({"kernel": "sobel_direction", "channel": "RGB", "w": "1,2", "compare": "emboss", "cell": "pool,1,1"}, None),
        ({"picture": "../../etc/passwd"}, "no sample called “../../etc/passwd”"),
        ({"picture": "own"}, "Your own photo goes here"),
        ({"picture": "%00" * LONG, "size": ""}, "no sample called “%00%00"),
        ({"nonsense": "<script>" * LONG, "owner": "0" * 32}, None),
    ],
)
def test_no_link_breaks_the_kernel_lab(query, sentence):
    app = opened(KERNELS, **query)
    check(app, KERNELS)
    found = [one for one in sentences(app) if "for the window to hold" not in one]  # see the test of such places
    if sentence is None:
        assert found == []
    else:
        assert len(found) == 1
        assert sentence in found[0]
    assert len("".join(found)) < 400


NUMBERS = "which takes whole numbers from {} to {} here; {} is used."


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"stride_y": "99"}, ["“99” for Stride ↓, " + NUMBERS.format(1, 8, 1)]),
        ({"pool_x": "0"}, ["“0” for Pool size →, " + NUMBERS.format(1, 15, 2)]),
        ({"dilation_x": "7"}, ["“7” for Dilation →, " + NUMBERS.format(1, 4, 1)]),
        ({"dilation_x": "2.5"}, ["“2.5” for Dilation →, " + NUMBERS.format(1, 4, 2)]),
        ({"bias": "x"}, ["“x” for Bias, which takes numbers from −10,000 to 10,000 here; 0 is used."]),
        ({"bias": "nan"}, ["“nan” for Bias, which takes numbers from −10,000 to 10,000 here; 0 is used."]),
        (
            {"bias": "1e5", "stride_x": "4"},
            ["“1e5” for Bias, which takes numbers from −10,000 to 10,000 here; 0 is used."],
        ),
        (
            {"padding": "own", "pad_top": "-1", "pad_left": "57"},
            [f"“{n}” for {side}, " + NUMBERS.format(0, 56, 1) for n, side in (("-1", "Top"), ("57", "Left"))],
        ),
        ({"pad_top": "-1"}, []),  # of a padding that is not there
        (
            # 15 of 16 columns are weights: no room to spread them, and a map of 16 rows and 2 columns
            {"size": "16", "w": ",".join("1" * 15), "dilation_x": "4", "pool_x": "15", "pool_y": "15"},
            [
                "“4” for Dilation →, which can only be 1 here; 1 is used.",
                "“15” for Pool size →, " + NUMBERS.format(1, 2, 2),
            ],
        ),
        (
            {"channel": "X", "view": "<b>", "kind": "max", "relu": "maybe", "size": "64"},
            [
                "“X” for Channel, which can be Grey, R, G, B or RGB; Grey is used.",
                "“<b>” for Display, which can be Signed, Absolute or Clipped; Signed is used.",
                "“maybe” for “Cut negative numbers”, which can be true or false; true is used.",
                "“max” for Kind, which can be Max or Average; Max is used.",
            ],
        ),
        ({"foo": "1", "stride": "99"}, []),  # names that mean nothing
    ],
)
def test_what_a_control_cannot_be_is_said_with_what_it_can(query, expected):
    app = opened(KERNELS, **query)
    check(app, KERNELS)
    found = [sentence.removeprefix(":material/error: The link gives ") for sentence in sentences(app)]
    assert found == expected
    assert [sentence.removeprefix(":material/error: The link gives ") for sentence in sentences(app.run())] == expected


def test_a_control_that_is_changed_by_hand_says_no_more_of_the_link():
    app = opened(KERNELS, stride_y="99", kind="max", bias="x")
    change(app, app.number_input(key="stride_y"), 3)
    assert [("Kind" in one, "Bias" in one) for one in sentences(app)] == [(False, True), (True, False)]
    app.button(key="reset").click().run()
    assert sentences(app.run()) == []
    check(app.switch_page(HOME).run(), HOME)
    assert sentences(app.switch_page(KERNELS).run()) == []


def test_a_typed_number_that_cannot_be_is_told_what_can():
    def rules(app):
        style = next(one.proto.body for one in app.get("html") if '--range:"' in one.proto.body)
        return dict(re.findall(r'\.st-key-(\w+)\{--range:"([^"]*)"\}', style))

    app = opened(KERNELS, size="16", bias="-2.5", stride_x="4")
    said = rules(app)
    assert said["stride_x"] == "Only 1 to 8 here; 4 still counts."
    assert said["bias"] == "Only −10,000 to 10,000 here; −2.5 still counts."
    assert (said["pool_y"], said["pool_x"]) == (  # a map of 14 rows and 4 columns
        "Only 1 to 14 here; 2 still counts.",
        "Only 1 to 4 here; 2 still counts.",
    )
    change(app, app.number_input(key="stride_x"), 8)
    assert rules(app)["stride_x"] == "Only 1 to 8 here; 8 still counts."
    assert rules(app)["pool_x"] == "Only 1 to 2 here; 2 still counts."
    numbers = {one.key for one in app.number_input}
    assert numbers <= set(said)


@pytest.mark.parametrize(
    ("query", "name", "sub"),
    [
        ({}, "Sobel x: vertical edges", "click a weight to change it"),
        ({"kernel": "emboss"}, "Emboss: relief along the diagonal", "click a weight to change it"),
        ({"w": "-1,0,1;-2,0.5,2;-1,0,1"}, "Sobel x, edited", "Sobel x, edited"),
        ({"w": "-1,0,1;-2,0,2;-1,0,1"}, "Sobel x: vertical edges", "click a weight to change it"),  # as it is
        ({"kernel": "box_blur", "w": "1,2,3;4,5,6;7,8,9"}, "Box blur 3×3, edited", "Box blur 3×3, edited"),
        ({"kernel": "box_blur", "w": "1,2;3,4"}, "Own kernel", "Own kernel"),
        ({"kernel": "sobel_x", "w": "1|2|3", "channel": "RGB"}, "Own kernel", "plane R; all three are summed"),
        ({"kernel": "sobel_magnitude", "w": "1,2"}, "Sobel magnitude: how steep", "x of the pair, fixed"),
        ({"w": "1,2;3"}, "Sobel x: vertical edges", "click a weight to change it"),  # which cannot be read
    ],
)
def test_an_edited_kernel_is_not_called_by_its_presets_name(query, name, sub):
    app = opened(KERNELS, **query)
    check(app, KERNELS)
    box = app.selectbox(key="kernel_shown")
    assert box.options[box.index] == name
    assert components(app)["kernel_grid"]["sub"] == sub


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"kernel": "nonsense"}, "“nonsense”, which is not in this list; “Sobel x: vertical edges” is used."),
        ({"kernel": "nonsense", "w": "1,2"}, "“nonsense”, which is not in this list; “Own kernel” is used."),
        ({"compare": "nonsense"}, "“nonsense”, which is not in this list; “nothing” is used."),
        ({"kernel": "sobel_y", "foo": "1"}, None),
    ],
)
def test_a_choice_that_is_none_is_said_with_what_is_used(query, sentence):
    captions = [one.value.replace("\\", "") for one in opened(KERNELS, **query).caption]
    assert [one for one in captions if "link" in one] == ([f"The link asks for {sentence}"] if sentence else [])


def test_a_comparison_says_that_the_kernel_was_edited_and_the_preset_can_be_had_back():
    app = opened(KERNELS, w="-1,0,1;-2,0.5,2;-1,0,1", compare="emboss", size="16")
    assert components(app)["compare_one"]["sub"] == "Sobel x, edited"
    change(app, app.selectbox(key="kernel_shown"), "sobel_x")
    assert components(app)["kernel_grid"]["weights"] == filters.PRESETS["sobel_x"].weights.tolist()
    assert components(app)["compare_one"]["sub"] == "Sobel x"
    assert app.selectbox(key="kernel_shown").options == list(weights.CHOICES.values())
    assert "w" not in app.query_params


def test_after_a_broken_link_everything_can_be_used():
    app = opened(
        KERNELS, kernel="<b>", w="1,2;3", size="9999", padding="x" * LONG, stride_y="-7", picture="?", cell="?"
    )
    change(app, app.selectbox(key="kernel_shown"), "sobel_y")
    change(app, app.number_input(key="stride_y"), 2)
    pick(app, "cat")
    check(app, KERNELS)
    assert [one.split(", which")[0].split(" for ")[1] for one in sentences(app)] == [
        "Working size",
        "Padding",
        "the window to hold; a place reads “map,3,4”: stage, row, column.",
    ]
    app.button(key="reset").click().run()
    change(app, app.selectbox(key="kernel_shown"), "sobel_y")
    change(app, app.number_input(key="stride_y"), 2)
    check(app, KERNELS)
    assert sentences(app) == []
    assert components(app)["kernel_grid"]["weights"] == filters.PRESETS["sobel_y"].weights.tolist()
    assert components(app)["window"]["strides"] == [2, 1]
    assert components(app)["samples"]["choice"] == "cat"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"picture": "../../etc/passwd"}, "no sample called “../../etc/passwd”"),
        ({"picture": "x" * LONG, "size": "9999", "kernel": "<script>"}, "no sample called “xxxx"),
        ({"picture": "own"}, "Your own photo goes here"),
        ({"picture": ["", "cat"]}, None),
    ],
)
def test_no_link_breaks_the_start_page(query, sentence):
    app = opened(HOME, **query)
    check(app, HOME)
    assert [(sentence or "?") in found for found in sentences(app)] == ([True] if sentence else [])


def test_text_from_a_link_cannot_become_markup():
    app = opened(HOME, picture="[x](http://a.b)<b>:red[a]$x$")
    raw = next(m.value for m in app.markdown if m.value.startswith(":material/error:"))
    assert "\\[x\\]\\(http\\://a\\.b\\)\\<b\\>\\:red\\[a\\]\\$x\\$" in raw


# ---------------------------------------------------------------------------------------------------- the lab


@pytest.mark.parametrize(
    ("preset", "weights_shown", "combine"),
    [
        ("box_blur_5", filters.PRESETS["box_blur_5"].weights, "sum"),
        ("scharr_magnitude", filters.PRESETS["scharr_x"].weights, "magnitude"),
        ("sobel_direction", filters.PRESETS["sobel_x"].weights, "direction"),
    ],
)
def test_choosing_a_preset_changes_kernel_map_and_window(preset, weights_shown, combine):
    app = opened(KERNELS)
    before = components(app)["stage_map"]["picture"]
    change(app, app.selectbox(key="kernel_shown"), preset)
    check(app, KERNELS)
    after = components(app)
    assert after["kernel_grid"]["weights"] == weights_shown.tolist()
    assert after["stage_map"]["picture"] != before
    assert after["window"]["combine"] == combine
    assert app.query_params["kernel"] == preset


def test_three_planes_can_each_be_shown():
    app = opened(KERNELS, channel="RGB", w="1|2|3", size="16")
    for at, plane in enumerate("RGB"):
        change(app, next(b for b in app.get("button_group") if b.key == "plane_R"), plane)
        check(app, KERNELS)
        assert components(app)["kernel_grid"]["weights"] == [[at + 1]]
    assert [part["weights"] for part in components(app)["window"]["parts"]] == [[[1]], [[2]], [[3]]]


@pytest.mark.parametrize(("channel", "plane"), [("R", 1), ("G", 2), ("B", 3), ("Grey", 1)])
def test_one_channel_is_read_with_its_own_plane(channel: str, plane: int):
    app = opened(KERNELS, channel=channel, w="1|2|3", size="16")
    check(app, KERNELS)
    assert components(app)["kernel_grid"]["weights"] == [[plane]]
    assert [part["weights"] for part in components(app)["window"]["parts"]] == [[[plane]]]


@pytest.mark.parametrize(
    ("kernel", "channel", "sent", "expected"),
    [
        ("sobel_x", "B", {"cells": [[0, 0, "9"]]}, "1|2|9"),
        ("sobel_x", "Grey", {"tool": "negate"}, "-1|-2|-3"),  # tools are for the whole kernel
        ("sobel_x", "RGB", {"cells": [[0, 0, "9"]]}, "9|2|3"),
        ("sobel_x", "G", {"paste": "7,8"}, "1,0|7,8|3,0"),
        ("sobel_magnitude", "Grey", {"paste": "7,8"}, "1|2|3"),  # a pair is fixed
    ],
)
def test_an_edit_changes_the_plane_that_is_shown_and_keeps_the_others(
    kernel: str, channel: str, sent: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
):
    state = {"kernel": kernel, "w": "1|2|3", "channel": channel, "kernel_grid": SimpleNamespace(edit=sent)}
    monkeypatch.setattr(weights.st, "session_state", state)
    weights.edit(lab_settings.edited_plane())
    assert state["w"] == expected
    assert bool(state.get("kernel_undo")) == (expected != "1|2|3")


def test_a_plane_that_the_kernel_does_not_have_is_no_disaster():
    app = opened(KERNELS, channel="RGB", w="1|2", size="16")
    for plane in [b for b in app.get("button_group") if b.key == "plane_R"]:  # none, if the link was refused
        change(app, plane, "B")
    check(app, KERNELS)


# ---------------------------------------------------------------------------------------------------- photos


@pytest.mark.parametrize(
    ("size", "working", "fits"),
    [
        ((1, 1), (1, 1), False),
        ((2, 2), (2, 2), False),
        ((1600, 3), (1, 128), False),
        ((3, 1600), (128, 1), False),
        ((5, 4), (4, 5), True),
    ],
)
def test_a_photo_of_any_shape_goes_through_every_page(size, working, fits):
    app = opened(KERNELS)
    app.file_uploader(key="upload_0").set_value(("own.png", picture(*size), "image/png")).run()
    check(app, KERNELS)
    assert app.caption[0].value == f"own\\.png · {size[0]} pixels wide, {size[1]} high"
    assert components(app)["stage_input"]["cells"] == list(working)
    does_not = f"A 3×3 kernel does not fit into a {working[0]}×{working[1]} picture with padding valid; "
    assert [does_not in sentence for sentence in sentences(app)] == ([] if fits else [True])
    change(app, app.selectbox(key="padding"), "same")
    check(app, KERNELS)
    assert components(app)["stage_map"]["cells"] == list(working)
    check(app.switch_page(HOME).run(), HOME)
    assert components(app)["samples"]["choice"] == "own"


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.jpg", b"hello, I am a text", "a.jpg seems to be a text; choose a photo"),
        ("b.png", picture(40, 30)[:60], "b.png"),
        ("c.png", b"", "c.png"),
    ],
)
def test_a_file_that_is_no_photo_is_answered_in_a_sentence_and_the_picture_stays(name, data, sentence):
    app = opened(HOME)
    caption = app.caption[0].value
    app.file_uploader(key="upload_0").set_value((name, data, "image/png")).run()
    check(app, HOME)
    assert [sentence in found for found in sentences(app)] == [True]
    assert app.caption[0].value == caption
    assert sentences(app.run()) == [], "said once"


def test_a_sample_can_be_taken_in_hand_again_and_the_photo_too():
    app = opened(HOME)
    app.file_uploader(key="upload_0").set_value(("own.png", picture(9, 9), "image/png")).run()
    for key, caption in (("cat", samples.photo("cat").name), ("own", "own\\.png"), (FIRST.key, FIRST.title)):
        pick(app, key)
        check(app, HOME)
        assert app.caption[0].value.startswith(f"{caption} · ")


def test_a_photo_is_seen_by_nobody_else():
    mine, theirs = opened(KERNELS), opened(KERNELS)
    mine.file_uploader(key="upload_0").set_value(("mine.png", picture(20, 20), "image/png")).run()
    assert components(mine)["samples"]["choice"] == "own"
    theirs.run()
    assert "mine" not in json.dumps(components(theirs)["samples"])
    assert components(theirs)["samples"]["choice"] == FIRST.key
    link = opened(KERNELS, **mine.query_params)
    assert components(link)["samples"]["choice"] == FIRST.key
    assert "Your own photo goes here" in sentences(link)[0]


@pytest.mark.parametrize(
    ("view", "scale"),
    [("Signed", display.signed_scale(1)), ("Absolute", display.heat_scale(0, 1)), ("Clipped", display.grey_scale())],
)
def test_map_relu_and_pool_are_drawn_on_one_scale(view, scale):
    mounted = components(opened(KERNELS, size="16", view=view))
    for stage in ("stage_map", "stage_relu", "stage_pool"):
        assert mounted[stage]["picture"]["colors"] == scale.table.tobytes()


@pytest.mark.parametrize(
    ("view", "ends"),
    [
        # by the colors of LOOK: white is 0, blue below, red above; black is 0 and below it, white 255 and above
        ("Signed", ("blue", "red", "white", "red")),
        ("Absolute", ("bright", "bright", "dark", "bright")),
        ("Clipped", ("black", "white", "black", "white")),
    ],
)
def test_a_color_bar_shows_the_colors_of_the_numbers_at_its_ends(view, ends):
    def name(color: str) -> str:
        red, green, blue = (int(color[n : n + 2], 16) for n in (1, 3, 5))
        if view == "Absolute":
            return "dark" if max(red, green, blue) < 80 else "bright"
        if max(red, green, blue) - min(red, green, blue) < 16:
            return "white" if green > 128 else "black"
        return "red" if red > blue else "blue"

    mounted = components(opened(KERNELS, size="64", view=view))
    bars = [mounted[stage]["bar"].split(", ") for stage in ("stage_map", "stage_relu")]
    assert tuple(name(stops[at]) for stops in bars for at in (0, -1)) == ends


def test_words_of_a_link_are_not_read_as_markdown():
    app = opened(KERNELS, kernel="![](//host.example/a.png)", compare="[a](b)")
    captions = [caption.value for caption in app.caption if "not in this list" in caption.value]
    assert len(captions) == 2
    assert not any("![](" in caption or "[a](" in caption for caption in captions)


def test_the_kernel_that_is_in_hand_already_is_nothing_to_undo():
    app = opened(HOME).run()
    app.button(key="open_kernels").click().run()
    assert not components(app.switch_page(KERNELS).run())["kernel_grid"]["canUndo"]
    app = opened(KERNELS, kernel="emboss")
    app.switch_page(HOME).run()
    app.button(key="open_kernels").click().run()
    grid = components(app.switch_page(KERNELS).run())["kernel_grid"]
    assert grid["canUndo"]
    assert grid["weights"] == filters.PRESETS["sobel_x"].weights.tolist()


def test_what_a_link_gave_and_could_not_be_is_not_said_again_on_the_next_visit():
    app = opened(KERNELS, stride_y="99")
    assert [sentence for sentence in sentences(app) if "“99” for Stride" in sentence]
    app.switch_page(HOME).run()
    assert not [sentence for sentence in sentences(app.switch_page(KERNELS).run()) if "“99”" in sentence]


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("map,3,4", None),
        ("relu,0,0", None),
        ("map,9999,0", None),  # the window stands at the last row
        ("map,99999,0", "The link gives “map,99999,0” for the window to hold"),
        ("map,3", "The link gives “map,3” for the window to hold"),
        ("kernel,3,4", "The link gives “kernel,3,4” for the window to hold"),
        ("map,-1,4", "The link gives “map,-1,4” for the window to hold"),
        ("<b>" * LONG, "The link gives “<b><b>"),
    ],
)
def test_a_link_to_a_place_that_is_none_says_what_a_place_is(cell, sentence):
    app = opened(KERNELS, cell=cell)
    check(app, KERNELS)
    assert [(sentence or "?") in found for found in sentences(app)] == ([True] if sentence else [])
    assert components(app)["window"]["pin"] == ("" if sentence else cell)
    app.button(key="reset").click().run()
    assert sentences(app) == []


def test_a_size_that_did_not_fit_comes_back_with_the_room_for_it():
    app = opened(KERNELS, pool_y="15", pool_x="12", dilation_x="4")

    def now():
        return [app.number_input(key=key).value for key in ("pool_y", "pool_x", "dilation_x")]

    assert now() == [15, 12, 4]
    for size, expected in (("16", [14, 8, 4]), ("128", [15, 12, 4]), ("16", [14, 8, 4])):
        change(app, next(one for one in app.get("button_group") if one.key == "size"), size)
        assert now() == expected
    change(app, app.number_input(key="pool_x"), 3)  # by hand: this is what is wanted now
    change(app, next(one for one in app.get("button_group") if one.key == "size"), "128")
    assert now() == [15, 3, 4]


def test_a_reset_of_nothing_leaves_nothing_to_take_back():
    app = opened(KERNELS)
    app.button(key="reset").click().run()
    assert not undoable(app)


def test_a_reset_can_be_taken_back_until_something_else_is_changed():
    app = opened(KERNELS, w="1,2;3,4", stride_y="3", kind="Average", compare="identity")

    def now():
        return (
            components(app)["kernel_grid"]["weights"],
            app.number_input(key="stride_y").value,
            app.session_state["kind"],
            app.session_state["compare"],
        )

    before = now()
    assert before == ([[1, 2], [3, 4]], 3, "Average", "identity")
    app.button(key="reset").click().run()
    assert now() == (filters.PRESETS["sobel_x"].weights.tolist(), 1, "Max", "")
    assert undoable(app)
    app.button(key="reset_undone").click().run()
    assert now() == before
    assert not components(app)["kernel_grid"]["canUndo"]  # there is nothing between the two
    app.button(key="reset").click().run()
    change(app, app.number_input(key="stride_y"), 2)
    assert not undoable(app)
    app.button(key="reset").click().run()
    app.button(key="reset_undone").click().run()
    assert app.number_input(key="stride_y").value == 2
    change(app, app.number_input(key="stride_y"), 1)  # by hand, as at the start: there is no reset to undo
    assert not undoable(app)
    check(app, KERNELS)


def test_a_kernel_that_does_not_fit_can_be_reset():
    app = opened(KERNELS, size="16", w=";".join(["1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"] * 15), picture="cat")
    assert "does not fit" in "".join(sentences(app))
    assert components(app)["kernel_grid"]["why"] == "The picture has room for 11 × 16 at most."
    app.button(key="reset").click().run()
    assert sentences(app) == []
    assert components(app)["kernel_grid"]["weights"] == filters.PRESETS["sobel_x"].weights.tolist()
