"""Checks /inside without a browser and without Keras: what its parts are given, links, bad input, what is switched off.

The engine is one of random numbers (small_network.py); that the numbers are Keras's is tested in the browser.
"""

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_network import LABELS, NODES, READY, Engine
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from cnnviz import engine, samples
from cnnviz.engine import EngineError, State
from cnnviz.graph import Answer, Look, Screen
from cnnviz.networks import NetworkError
from cnnviz.training.queue import Queue
from cnnviz.ui import inside_ask, inside_state, inside_take, inside_view, inside_words, runs, trace_view
from cnnviz.ui.inside_words import Place

ROOT = Path(__file__).resolve().parents[1]
PAGE = "pages/inside.py"
PICTURE = np.full((32, 32, 3), 3, np.uint8)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    """The engine of random numbers in place of ours."""
    made = Engine()
    monkeypatch.setattr(engine, "cached", made.cached)
    monkeypatch.setattr(engine, "state", lambda: READY)
    monkeypatch.setattr(engine, "start", lambda: None)
    monkeypatch.setattr(trace_view, "show", lambda *_, **__: None)
    monkeypatch.setattr(BidiComponentManager, "discover_and_register_components", lambda *_, **__: None)
    monkeypatch.setattr(Queue, "warm", lambda _: None)
    monkeypatch.setenv("CNNVIZ_RUNS", str(tmp_path))
    monkeypatch.setattr(runs, "_queue", None)
    return made


def opened(**query: Any) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=20)
    app.query_params.update({"network": "objects", **query})
    return app.switch_page(PAGE).run()


def blocks(app: AppTest) -> dict[str, Any]:
    """What was drawn, by the name of the block; the body's bytes under "body"."""
    found = {}
    for component in app.get("bidi_component"):
        if component.key.startswith("drawn_"):
            data = component.proto.bytes
            length = int.from_bytes(data[:4], "little")
            block = json.loads(data[4 : 4 + length])
            found[block["block"]] = block | {"body": data[4 + length :]}
    return found


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
    screen = small.screen(PICTURE, Look())
    assert screen.levels is not None
    last = network["layers"][-1]["picture"]
    assert last["at"] + last["count"] <= len(found["inside"]["body"])
    assert found["inside_layer"]["mosaic"]["order"] == [0, 1, 2, 3]
    assert len(found["inside_answer"]["answer"]["classes"]) == 10


def test_the_levels_and_statistics_of_a_layer_stand_where_the_header_says(small: Engine):
    screen = small.screen(PICTURE, Look())
    data = inside_view.network_block("inside", screen, "1", ("conv_1", False, 0), {})
    length = int.from_bytes(data[:4], "little")
    header, body = json.loads(data[4 : 4 + length]), data[4 + length :]
    assert screen.levels is not None
    for layer, maps in zip(header["network"]["layers"], screen.layers, strict=True):
        picture = layer["picture"]
        size = maps.height * maps.width * maps.channels
        assert (picture["rows"], picture["columns"], picture["count"]) == (maps.height, maps.width, maps.channels)
        levels = np.frombuffer(body, np.uint8, size, picture["at"])
        np.testing.assert_array_equal(levels, screen.levels[maps.offset : maps.offset + size])
        numbers = np.frombuffer(body, np.float32, 4 * maps.channels, layer["statsAt"]).reshape(4, -1)
        np.testing.assert_array_equal(numbers, [maps.min, maps.max, maps.mean, maps.zeros])


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


HELL = [
    {"layer": "nothing", "map": "99999999"},
    {"layer": "relu_1", "map": "44"},
    {"off": "conv_1:99,relu_1:0.1.x,:3,;", "linear": "softmax_9,relu_1"},
    {"off": "conv_1:" + ".".join(["1"] * 9000)},
    {"range": "rainbow", "order": "luck", "toward": "77"},
    {"toward": "-1", "trace": "conv_1,9999,0,0", "reach": "effective"},
    {"trace": "<script>,1,2,3", "beside": "network:../../etc"},
    {"beside": "picture:nobody"},
    {"beside": "network:objects"},
]


@pytest.mark.parametrize("query", HELL)
def test_query_parameters_from_hell_leave_a_usable_page(query: dict[str, str]):
    app = opened(**query)
    assert not app.exception
    assert blocks(app)["inside"]["network"]["layers"]
    assert blocks(app)["inside_layer"]["channel"]["name"]


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


def test_two_pictures_stand_side_by_side():
    app = opened(beside="picture:cat", layer="relu_1", map="2")
    assert not app.exception
    found = blocks(app)
    assert {"inside", "inside_beside", "inside_layer", "inside_layer_beside"} <= set(found)
    one, two = found["inside_layer"], found["inside_layer_beside"]
    assert (two["channel"]["name"], two["channel"]["channel"]) == ("relu_1", 2)
    assert (inside_picture(one) != inside_picture(two)).any()
    assert not two["mosaic"]["switchable"]


def test_two_networks_stand_side_by_side_on_layers_that_compare():
    app = opened(beside="network:cats-dogs", layer="block_1_conv")
    assert not app.exception
    found = blocks(app)
    assert found["inside_layer_beside"]["channel"]["name"] == "block_1_conv"
    assert "**Cats and dogs**" in " ".join(m.value for m in app.markdown)


def test_a_network_too_large_for_a_screen_becomes_a_road_of_one_map_a_layer(small: Engine):
    small.fits = False
    app = opened()
    assert not app.exception
    network = blocks(app)["inside"]["network"]
    assert not network["fits"]
    assert all(layer["picture"]["count"] == 1 for layer in network["layers"])
    pictured = [layer["pictured"].partition(":")[0] for layer in network["layers"]]
    assert pictured == ["strongest"] * 5 + ["all units"] * 3
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


# ---------------------------------------------------------------------------------------------- without the page


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("conv_1:3.5", {"conv_1": (3, 5)}),
        ("conv_1:3,conv_1:1.3", {"conv_1": (1, 3)}),
        ("outer/inner:0,a:b,c:", {"outer/inner": (0,)}),
        ("conv_1:٣", {}),
    ],
)
def test_what_is_off_is_read_from_the_address(monkeypatch: pytest.MonkeyPatch, text: str, expected: Any):
    monkeypatch.setattr(inside_state, "value", lambda _: text)
    assert inside_state.off() == expected


def test_a_look_keeps_only_what_the_network_has():
    asked = Look("map", {"conv_1": (0, 9), "gone": (1,)}, ("relu_1", "conv_1", "gone"), 12)
    assert inside_state.fitting(asked, NODES, 10) == Look("map", {"conv_1": (0,)}, ("relu_1",), None)


def test_blocks_keep_what_belongs_together():
    assert inside_view.blocks(NODES) == ["0", "1", "1", "block_1", "block_1", "5", "5", "5"]


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_every_kind_of_layer_has_its_words_with_the_numbers_of_the_picture(small: Engine, node: Any):
    screen = small.screen(PICTURE, Look())
    place = Place(screen, screen.maps(node.name))
    said = inside_words.words(place)
    assert said.startswith("**")
    assert inside_words.title(place.maps).startswith("What ")
    facts = {
        "Conv2D": f"{node.parameters:,} parameters",
        "Dense": "4·10 + 10 = 50 parameters",
        "ReLU": f"of {32 * 32 * 4:,} numbers",
        "GlobalAveragePooling2D": "1,024 cells",
        "Softmax": LABELS[screen.answer.chosen],
        "InputLayer": "32 × 32 × 3 numbers",
        "Add": "*block 1 conv* and *relu 1*",
    }
    assert facts[node.kind] in said


@pytest.mark.parametrize(
    "kind",
    ["BatchNormalization", "MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "Flatten", "Dropout", "Multiply",
     "Sigmoid", "Something"],
)  # fmt: skip
def test_other_kinds_have_words_too(small: Engine, kind: str):
    screen = small.screen(PICTURE, Look())
    maps = screen.maps("relu_1")
    said = inside_words.words(Place(screen, replace(maps, node=replace(maps.node, kind=kind, activation=""))))
    assert len(said) > 60


def test_files_to_take_away_hold_what_is_shown(small: Engine):
    mosaic = small.mosaic(PICTURE, Look(), "conv_1", "index")
    picture = np.asarray(Image.open(BytesIO(inside_take.mosaic_png(mosaic))))
    assert picture.shape == (65, 65, 3)  # two by two tiles of 32, a pixel of air between them
    table = inside_view.palette(mosaic.maps)
    np.testing.assert_array_equal(picture[:32, 33:], table[mosaic.levels[:32, 32:]])
    values = small.array(PICTURE, Look(), "conv_1")
    np.testing.assert_array_equal(np.load(BytesIO(inside_take.npy(values))), values)
    with np.load(BytesIO(inside_take.npz({"outer/conv": values}))) as file:
        np.testing.assert_array_equal(file["outer.conv"], values)


def changed(screen: Screen, layer: str, **changes: Any) -> Place:
    """A layer that differs in these fields of its node."""
    maps = screen.maps(layer)
    maps = replace(maps, node=replace(maps.node, **changes))
    return Place(replace(screen, layers=tuple(maps if o.node.name == layer else o for o in screen.layers)), maps)


def normalized(screen: Screen, layer: str) -> Screen:
    """With batch norm in place of what takes this layer."""
    layers = [
        replace(one, node=replace(one.node, kind="BatchNormalization")) if layer in one.node.inputs else one
        for one in screen.layers
    ]
    return replace(screen, layers=tuple(layers))


@pytest.mark.parametrize(
    ("layer", "changes", "said", "never"),
    [
        ("conv_1", {}, "over all maps of its input (32 × 32 × 3)", "no bias"),
        ("conv_1", {"how": "3·3·3·4"}, "with no bias:", "batch norm"),
        ("block_1_conv", {"how": "3·3·2·4"}, "over 2 of the 4 maps of its input (32 × 32 × 4)", "all maps"),
        ("block_1_conv", {"how": "1·1·4·1,024 + 1,024"}, "over all maps of its input (32 × 32 × 4)", "no bias"),
        ("dense_1", {}, "adds up and adds its bias", "no bias"),
        ("dense_1", {"how": "4·10"}, "adds up, with no bias", "adds its bias"),
        ("dense_1", {"activation": "sigmoid"}, "each for itself", "probability"),
        ("dense_1", {"activation": "softmax"}, "shares that add up to 1", "logit"),
        ("block_1_add", {"kind": "Multiply"}, "cell by cell", "squeeze"),
        ("relu_1", {"kind": "BatchNormalization", "activation": ""}, "γ and β", "same strength"),
    ],
)  # fmt: skip
def test_words_say_only_what_is_true_of_this_layer(small: Engine, layer: str, changes: Any, said: str, never: str):
    words = inside_words.words(changed(small.screen(PICTURE, Look()), layer, **changes))
    assert said in words
    assert never not in words


@pytest.mark.parametrize(("layer", "said"), [("relu_1", "each for itself"), ("softmax_1", "the probability of")])
def test_only_the_last_sigmoid_is_called_the_answer(small: Engine, layer: str, said: str):
    screen = small.screen(PICTURE, Look())
    one, two = np.array([0.5], np.float32), np.array([0.4, 0.6], np.float32)
    screen = replace(screen, answer=Answer(("cat", "dog"), 1, one, two, "sigmoid"))
    assert said in inside_words.words(changed(screen, layer, kind="Sigmoid", activation="sigmoid"))


def test_batch_norm_is_named_as_the_reason_for_no_bias_only_where_it_takes_the_sum(small: Engine):
    screen = normalized(small.screen(PICTURE, Look()), "conv_1")
    assert "batch norm that comes next" in inside_words.words(changed(screen, "conv_1", how="3·3·3·4"))


def taken(**changes: Any) -> inside_take.Taken:
    photo = samples.photo("cat")
    made = inside_take.Taken("me", "cat", photo.digest, "objects", "me/take", Look(), "conv_1", 2, "index", [])
    return replace(made, **changes)


def test_a_file_is_made_from_names_alone_so_that_no_button_holds_a_photo(small: Engine):
    one = taken()
    assert all(isinstance(value, str | int | list | Look) for value in vars(one).values())
    picture = np.load(BytesIO(inside_take.file("npy_input", one)))
    assert picture.shape == (32, 32, 3)
    expected = small.values(picture, Look())
    np.testing.assert_array_equal(np.load(BytesIO(inside_take.file("npy_layer", one))), expected["conv_1"])
    with np.load(BytesIO(inside_take.file("npz_all", one))) as file:
        assert set(file) == set(expected)
    for what, size in (("png_channel", (32, 32)), ("png_mosaic", (65, 65))):
        assert Image.open(BytesIO(inside_take.file(what, one))).size == size
    assert one.said == []


@pytest.mark.parametrize(
    ("changes", "fails", "words"),
    [
        ({"digest": "of a photo that its owner let go"}, None, "This photo is no longer in memory"),
        ({"network": "deleted"}, None, "This network is no longer there"),
        ({}, EngineError("The engine broke down."), "The engine broke down."),
        ({}, NetworkError("The network is gone."), "The network is gone."),
    ],
)
def test_a_file_that_cannot_be_made_leaves_a_sentence(small: Engine, changes: Any, fails: Any, words: str):
    one, small.fails = taken(**changes), fails
    for _ in range(2):
        with pytest.raises((EngineError, NetworkError)):
            inside_take.file("npy_layer", one)
    assert len(one.said) == 1
    assert words in one.said[0]


def test_several_channels_are_switched_off_one_by_one_and_on_again(monkeypatch: pytest.MonkeyPatch):
    state: dict[str, Any] = {}
    monkeypatch.setattr(inside_state.st, "session_state", state)
    steps = [("conv_1", 3, True), ("conv_1", 1, True), ("relu_1", 0, True), ("conv_1", 3, False), ("relu_1", 0, False)]
    seen = []
    for step in steps:
        inside_state.switch(*step)
        seen.append(state["off"])
    assert seen == ["conv_1:3", "conv_1:1.3", "conv_1:1.3,relu_1:0", "conv_1:1,relu_1:0", "conv_1:1"]
    inside_state.bend("relu_1", True)
    inside_state.bend("dense_1", True)
    assert state["linear"] == "dense_1,relu_1"
    inside_state.bend("relu_1", False)
    assert inside_state.linear() == ("dense_1",)
    inside_state.reset()
    assert (inside_state.off(), inside_state.linear()) == ({}, ())


def test_a_link_to_a_network_that_is_not_there_shows_one_and_the_same_everywhere(monkeypatch):
    seen = []
    of = inside_ask.Subject.of
    monkeypatch.setattr(inside_ask.Subject, "of", lambda network, *rest: seen.append(network.key) or of(network, *rest))
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
