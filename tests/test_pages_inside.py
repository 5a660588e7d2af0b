"""Checks /inside without a browser and without Keras: what its parts are given, links, bad input, what is switched off.

The engine is one of random numbers (small_network.py); that the numbers are Keras's is tested in the browser.
"""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from conftest import PATIENCE
from small_network import NODES, READY, Engine
from streamlit.testing.v1 import AppTest

from cnnviz import engine, face
from cnnviz.engine import EngineError, State
from cnnviz.graph import Look
from cnnviz.networks import NetworkError
from cnnviz.ui import asking, face_choice, history, inside_ask, inside_pairs, trace_view

pytestmark = pytest.mark.pages
ROOT = Path(__file__).resolve().parents[1]
PAGE = "pages/inside.py"
PICTURE = np.full((32, 32, 3), 3, np.uint8)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine of random numbers in place of ours."""
    made = Engine()
    monkeypatch.setattr(engine, "cached", made.cached)
    monkeypatch.setattr(engine, "state", lambda: READY)
    monkeypatch.setattr(trace_view, "show", lambda *_, **__: None)
    return made


def opened(**query: Any) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=PATIENCE)
    app.query_params.update({"network": "objects", **query})
    return app.switch_page(PAGE).run()


def blocks(app: AppTest) -> dict[str, Any]:
    """What was drawn, by the name of the block; the body's bytes under "body"."""
    found = {}
    for component in app.get("bidi_component"):
        if component.key.startswith("drawn_"):
            data = component.proto.bytes
            length = int.from_bytes(data[:4], "little")
            block = json.loads(data[4 : 4 + length], parse_constant=no_number)
            found[block["block"]] = block | {"body": data[4 + length :]}
    return found


def no_number(word: str) -> None:
    raise AssertionError(f"a browser reads no JSON with {word} in it")


def sentences(app: AppTest) -> list[str]:
    return [m.value.replace("\\", "") for m in app.markdown if m.value.startswith(":material/error:")]


def test_it_opens_with_every_map_of_every_layer_and_the_first_convolution(small: Engine):
    app = opened()
    assert not app.exception
    assert sentences(app) == []
    found = blocks(app)
    network = found["inside"]["network"]
    assert [layer["name"] for layer in network["layers"]] == [node.name for node in NODES]
    assert [layer["picture"]["count"] for layer in network["layers"]] == [node.size[2] for node in NODES]
    assert (network["opened"], network["explicit"], network["fits"]) == ("conv_1", False, True)
    assert network["note"] == ""  # nothing is left out
    screen = small.screen(PICTURE, Look())
    assert screen.levels is not None
    last = network["layers"][-1]["picture"]
    assert last["at"] + last["count"] <= len(found["inside"]["body"])
    assert found["inside_layer"]["mosaic"]["order"] == [0, 1, 2, 3]
    assert len(found["inside_answer"]["answer"]["classes"]) == 10


@pytest.mark.parametrize("node", NODES[1:], ids=lambda node: node.name)
def test_a_link_opens_each_layer_with_its_values(small: Engine, node: Any):
    app = opened(layer=node.name, map=str(node.size[2] - 1))
    assert not app.exception
    found = blocks(app)["inside_layer"]
    channel = found["channel"]
    assert (channel["name"], channel["channel"]) == (node.name, node.size[2] - 1)
    height, width, channels = node.size
    values = np.frombuffer(found["body"], np.float32, height * width, channel["valuesAt"]).reshape(height, width)
    picture = inside_picture(found)
    expected = small.channel(picture, Look(), node.name, channels - 1)
    np.testing.assert_array_equal(values, expected)
    kinds = ("Conv2D", "Dense")
    assert (channel["kernels"] is not None) == (node.kind in kinds)
    assert (found["mosaic"]["kernels"] is not None) == (node.name == "conv_1")


def inside_picture(block: dict[str, Any]) -> Any:
    photo = block["channel"]["photo"]
    size = photo["rows"] * photo["columns"] * 3
    return np.frombuffer(block["body"], np.uint8, size, photo["at"]).reshape(photo["rows"], photo["columns"], 3)


# what a link asks for -> what the page says is not there
HELL: list[tuple[dict[str, str], str]] = [
    ({"layer": "nothing", "map": "99999999"}, "asks for the layer “nothing”, which “Ten everyday things” does not"),
    ({"layer": "relu_1", "map": "44"}, "asks for channel “44” of relu 1 (it has 0 to 3), which"),
    ({"off": "conv_1:99,relu_1:0.1.x,:3,;", "linear": "softmax_9,relu_1"}, "channel “x” of relu 1"),
    ({"off": "conv_1:" + ".".join(["1"] * 9000)}, ""),
    ({"range": "rainbow", "order": "luck", "toward": "77"}, "asks for class “77” (it has 0 to 9), which"),
    ({"toward": "-1", "trace": "conv_1,9999,0,0", "reach": "effective"}, "asks for class “-1”"),
    ({"trace": "<script>,1,2,3", "beside": "network:../../etc"}, ""),
    ({"beside": "picture:own"}, "Your own photo goes beside it: drop one on the strip."),
    ({"beside": "picture:nobody"}, ""),
    ({"beside": "network:objects"}, ""),
]


@pytest.mark.parametrize(("query", "said"), HELL)
def test_query_parameters_from_hell_leave_a_usable_page_that_says_what_is_not_there(query: dict[str, str], said: str):
    app = opened(**query)
    assert not app.exception
    assert (said in sentences(app)[0]) if said else not sentences(app)
    assert len(sentences(app)) == (said != "")
    assert blocks(app)["inside"]["network"]["layers"]
    assert blocks(app)["inside_layer"]["channel"]["name"]


def test_what_another_network_lacks_that_was_chosen_by_hand_is_given_up_without_a_word():
    app = opened(layer="block_1_add", map="2")
    assert sentences(app) == []
    app.session_state["network"] = "cats-dogs"
    app.session_state["layer"] = "block_9_add"
    app.run()
    assert sentences(app) == []


def test_who_stops_a_page_that_waits_is_told_so_and_the_next_step_goes_on(small: Engine):
    small.slow = True
    app = opened()
    assert blocks(app)["inside"]
    app.button(key=asking.STOP).click().run()
    assert sentences(app)[0] == (
        ":material/error: You stopped this; choose a picture, a network or a layer, and it goes on."
    )
    assert "inside" not in blocks(app)
    app.run()
    assert sentences(app) == []
    assert blocks(app)["inside"]


def test_what_is_chosen_after_a_stop_is_shown_though_its_fragment_alone_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(st, "session_state", {"stop_stopped": True})
    for fragment in (False, True):
        monkeypatch.setattr(history, "in_fragment", lambda fragment=fragment: fragment)
        with asking.telling() as say, nullcontext() if fragment else pytest.raises(asking.Stopped):
            say(READY)


@pytest.mark.parametrize("how", ["the box here", "another page"])
def test_another_network_begins_with_all_channels_on_and_its_own_answer(how: str):
    chosen = {"off": "conv_1:1", "linear": "relu_1", "toward": "1", "beside": "network:objects"}
    app = opened(network="cats-dogs", layer="relu_1", **chosen)
    assert blocks(app)["inside"]["network"]["layers"][1]["off"] == [1]
    if how == "the box here":
        box = app.selectbox(key="network_shown")
        box.select(next(option for option in box.options if option.startswith("Ten everyday"))).run()
    else:
        app.session_state["network"] = "objects"
    app.run()
    assert dict(app.query_params) == {"layer": "relu_1"}
    assert sentences(app) == []


def test_what_is_switched_off_is_listed_and_compared_and_can_be_switched_on_again():
    app = opened(off="conv_1:0.2,relu_1:1", linear="relu_1")
    words = " ".join(m.value for m in app.markdown).replace("\\", "")
    assert "Switched off: conv 1 channels 0, 2; relu 1 channel 1; the non-linearity of relu 1" in words
    found = blocks(app)
    assert [layer["off"] for layer in found["inside"]["network"]["layers"][:3]] == [[], [0, 2], [1]]
    classes = found["inside_answer"]["answer"]["classes"]
    assert all(one["before"] is not None for one in classes)
    assert any(abs(one["share"] - one["before"]) > 1e-4 for one in classes)
    app.button(key="reset").click().run()
    app.run()
    assert "off" not in app.query_params
    assert all(one["before"] is None for one in blocks(app)["inside_answer"]["answer"]["classes"])


def test_taking_out_a_non_linearity_leaves_its_negative_numbers():
    app = opened(layer="relu_1")
    before = blocks(app)["inside_layer"]
    app.toggle(key="bend_shown").set_value(False).run()
    app.run()
    assert app.query_params["linear"] == "relu_1"
    after = blocks(app)["inside_layer"]
    values = [
        np.frombuffer(one["body"], np.float32, 32 * 32, one["channel"]["valuesAt"]).min() for one in (before, after)
    ]
    assert values[0] == 0
    assert values[1] < 0


def test_what_is_no_number_is_said_and_shown_and_breaks_nothing(small: Engine):
    small.spoiled = True
    app = opened(layer="block_1_conv", map="1", off="relu_1:0")
    assert not app.exception
    found = blocks(app)
    assert found["inside_answer"]["answer"]["title"] == "Answer: none, the network computes NaN (not a number)"
    assert {one["value"] for one in found["inside_answer"]["answer"]["classes"]} == {"NaN"}
    assert "NaN in" in found["inside"]["network"]["legend"]
    assert found["inside_layer"]["channel"]["range"].endswith(" and NaN")


def test_sorting_and_range_are_in_the_address_and_change_what_is_drawn():
    app = opened(layer="average_1")
    app.selectbox(key="order_shown").set_value("weight").run()
    app.run()
    assert app.query_params["order"] == "weight"
    assert blocks(app)["inside_layer"]["mosaic"]["order"] == [3, 2, 1, 0]
    app.selectbox(key="range_shown").set_value("map").run()
    app.run()
    assert app.query_params["range"] == "map"
    assert blocks(app)["inside_layer"]["mosaic"]["scale"]["text"] == "each map’s own range"


def test_a_class_that_is_chosen_is_chosen_everywhere():
    found = blocks(opened(toward="4", layer="softmax_1"))
    assert found["inside_answer"]["answer"]["chosen"] == 4
    assert found["inside_layer"]["channel"]["title"] == "softmax 1, class 4"


def test_whatever_the_page_waits_for_it_says_so(small: Engine):
    opened(beside="picture:cat", layer="relu_1", reach="effective")
    assert {"inside.graph", "inside.screen", "inside.mosaic", "inside.effective"} <= set(small.asked)
    assert small.silent == []


def test_two_pictures_stand_side_by_side(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inside_pairs, "MOST", 2)
    app = opened(beside="picture:cat", layer="relu_1", map="2")
    assert not app.exception
    found = blocks(app)
    assert {"inside", "inside_beside", "inside_layer", "inside_layer_beside"} <= set(found)
    assert len(app.columns) == 4  # of the networks, and of the opened layer
    one, two = found["inside_layer"], found["inside_layer_beside"]
    assert (two["channel"]["name"], two["channel"]["channel"]) == ("relu_1", 2)
    assert (inside_picture(one) != inside_picture(two)).any()
    # the button to switch with stands in the first column, and the second keeps its room
    assert [(it["mosaic"]["switchable"], it["mosaic"]["level"]) for it in (one, two)] == [(True, False), (False, True)]
    # it is the same network, so that a layer and a channel of either are to be had in both
    both = [found[block]["network"]["layers"] for block in ("inside", "inside_beside")]
    assert {layer["peer"] for layer in both[1]} == {None}
    assert [layer["shown"] for layer in both[0]] == [layer["shown"] for layer in both[1]]


def test_a_picture_never_stands_beside_itself():
    app = opened(beside="picture:cat")
    assert "inside_beside" in blocks(app)
    app.session_state["picture"] = "cat"
    app.run()
    assert not app.exception
    assert "inside_beside" not in blocks(app)
    assert not [caption.value for caption in app.caption if "The link asks for" in caption.value]
    assert "inside_beside" not in blocks(opened(picture="cat", beside="picture:cat"))


def test_what_another_layer_was_sorted_by_is_not_said_to_be_a_link_s():
    app = opened(layer="average_1", order="weight")
    assert blocks(app)["inside_layer"]["mosaic"]["order"] != list(range(4))
    app.session_state["layer"] = "conv_1"
    app.run()
    assert blocks(app)["inside_layer"]["mosaic"]["order"] == list(range(4))
    assert not [caption.value for caption in app.caption if "The link asks for" in caption.value]


def test_two_networks_stand_side_by_side_on_layers_that_compare():
    app = opened(beside="network:cats-dogs", layer="block_1_conv")
    assert not app.exception
    found = blocks(app)
    assert found["inside_layer_beside"]["channel"]["name"] == "block_1_conv"
    assert "**Cats and dogs**" in " ".join(m.value for m in app.markdown)
    for block in ("inside", "inside_beside"):
        network = found[block]["network"]
        assert network["paired"]
        compared = ["input", "conv_1", "block_1_add"]  # what goes in, the first convolution, the last of 32 × 32
        peers = compared if block == "inside_beside" else [None] * 3
        assert [layer["name"] for layer in network["layers"]] == compared
        assert [layer["peer"] for layer in network["layers"]] == peers
    assert any(one.value.startswith("Side by side stand") for one in app.caption)


def test_a_block_goes_by_another_name_when_other_maps_of_the_same_network_are_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inside_pairs, "MOST", 2)
    seen = {}
    for beside in ("", "picture:cat", "picture:coffee", "network:cats-dogs"):
        network = blocks(opened(beside=beside))["inside"]["network"]
        seen.setdefault(str([(layer["name"], layer["shown"]) for layer in network["layers"]]), set()).add(network["id"])
    assert len(seen) > 2
    assert len(set.union(*seen.values())) == sum(map(len, seen.values())) == len(seen)


def test_all_layers_of_both_are_to_be_had_one_network_below_the_other():
    app = opened(beside="network:cats-dogs")
    app.toggle(key="whole_shown").set_value(True).run()
    assert app.query_params["whole"] == "1"
    assert not app.columns
    found = blocks(app)
    assert all(len(found[block]["network"]["layers"]) == len(NODES) for block in ("inside", "inside_beside"))
    assert not any(one.value.startswith("Side by side stand") for one in app.caption)
    mosaic = found["inside_layer_beside"]["mosaic"]
    assert (mosaic["switchable"], mosaic["level"]) == (False, False)  # nothing is in line with what stands below
    app.toggle(key="whole_shown").set_value(False).run()
    assert "whole" not in app.query_params
    assert blocks(app)["inside"]["network"]["paired"]
    assert "whole_shown" not in [one.key for one in opened(whole="1").toggle]  # nothing stands beside it


@pytest.mark.parametrize(
    ("beside", "switch", "said"),
    [
        ("network:emotions", "off", True),
        ("network:emotions", "on", False),
        ("network:nowhere", "off", False),
        ("picture:cat", "off", False),
    ],
)
def test_that_a_network_for_faces_cannot_stand_beside_is_said_where_they_are_switched_off(
    monkeypatch: pytest.MonkeyPatch, beside: str, switch: str, said: bool
):
    monkeypatch.setenv(face.SWITCH, switch)
    monkeypatch.setattr(face_choice, "row", lambda *_: None)
    monkeypatch.setattr(face_choice, "taken", lambda photo, *_: (photo, None))
    app = opened(beside=beside)
    assert not app.exception
    assert (face.OFF in [one.value.replace("\\", "") for one in app.caption]) == said


@pytest.mark.parametrize("query", [{"network": "emotions"}, {"beside": "network:emotions"}])
def test_where_nobody_can_say_if_there_is_a_face_nothing_of_the_photo_goes_in(
    monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
):
    monkeypatch.setenv(face.SWITCH, "on")
    monkeypatch.setattr("cnnviz.ui.faces.find", lambda *_: "The engine ended.")
    app = opened(**query)
    assert not app.exception
    assert [one.partition(" ")[2] for one in sentences(app)] == ["The engine ended."]
    assert ("inside" in blocks(app)) is ("beside" in query)  # the other network needs no face
    assert "inside_beside" not in blocks(app)


def test_a_network_too_large_for_a_screen_becomes_a_road_of_one_map_a_layer(small: Engine):
    small.fits = False
    app = opened()
    assert not app.exception
    network = blocks(app)["inside"]["network"]
    assert not network["fits"]
    assert all(layer["picture"]["count"] == 1 for layer in network["layers"])
    pictured = [layer["pictured"].partition(":")[0] for layer in network["layers"]]
    assert pictured == ["strongest of 3 maps"] + ["strongest of 4 maps"] * 4 + ["all units"] * 3
    assert network["note"] == "Of each layer one map is shown, its strongest; choose a layer to see all its 4 maps."
    asked = [name for name in small.asked if name in ("inside.tiles", "inside.array")]
    assert asked == ["inside.tiles"]  # once, and not layer by layer


@pytest.mark.parametrize(
    "error",
    [
        NetworkError("The network objects is no longer there; it was deleted or moved. Choose another one."),
        EngineError("The program that runs the networks broke down over this; it is being started again."),
    ],
)
def test_an_error_is_one_sentence_and_the_page_stays(small: Engine, error: Exception):
    small.fails = error
    app = opened()
    assert not app.exception
    assert sentences(app) == [f":material/error: {error}"]


def test_while_the_engine_loads_there_is_an_outline_and_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "state", lambda: State(False, 0, "The networks are being loaded."))
    app = opened()
    assert not app.exception
    assert any("The networks are being loaded" in m.value for m in app.markdown)
    assert not blocks(app)


def test_a_link_to_a_network_that_is_not_there_shows_one_and_the_same_everywhere(monkeypatch):
    seen = []
    at = inside_ask.Subject.at
    monkeypatch.setattr(inside_ask.Subject, "at", lambda network, *rest: seen.append(network.key) or at(network, *rest))
    app = opened(network="zzz")
    assert app.selectbox(key="network_shown").value == "objects"
    assert set(seen) == {"objects"}


def test_what_is_switched_off_is_so_in_the_chosen_network_and_not_in_the_one_beside_it(monkeypatch):
    looks = {}
    screen = inside_ask.screen

    def seen(subject, look):
        looks.setdefault(subject.network.key, []).append(look.off)
        return screen(subject, look)

    monkeypatch.setattr(inside_ask, "screen", seen)
    opened(off=f"{NODES[1].name}:0", beside="network:cats-dogs")
    assert any(looks["objects"])
    assert not any(looks["cats-dogs"])
