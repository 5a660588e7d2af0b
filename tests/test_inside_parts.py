"""Checks what /inside is made of without the page: its words, blocks of bytes, files to take away, what is off.

The engine is one of random numbers (small_network.py).
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

from cnnviz import engine, mistakes, samples
from cnnviz.cards import FILE, read_card
from cnnviz.engine import EngineError
from cnnviz.graph import Answer, Look, Node, Screen
from cnnviz.networks import NetworkError
from cnnviz.ui import inside_answer, inside_pairs, inside_parts, inside_state, inside_take, inside_view, inside_words
from cnnviz.ui.catalog import Network
from cnnviz.ui.inside_ask import Subject
from cnnviz.ui.inside_pairs import Row
from cnnviz.ui.inside_words import Place

PICTURE = np.full((32, 32, 3), 3, np.uint8)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine of random numbers in place of ours."""
    made = Engine()
    monkeypatch.setattr(engine, "cached", made.cached)
    monkeypatch.setattr(engine, "state", lambda: READY)
    return made


def test_the_levels_and_statistics_of_a_layer_stand_where_the_header_says(small: Engine):
    screen = small.screen(PICTURE, Look())
    fields = small.all_fields()
    data = inside_view.network_block("inside", screen, "1", ("conv_1", False, 0), {}, None, fields)
    length = int.from_bytes(data[:4], "little")
    header, body = json.loads(data[4 : 4 + length]), data[4 + length :]
    assert screen.levels is not None
    for layer, maps in zip(header["network"]["layers"], screen.layers, strict=True):
        ends = np.frombuffer(body, np.float32, 2 * layer["scales"], layer["scaleAt"]).reshape(2, -1)
        np.testing.assert_array_equal(ends, [maps.low, maps.high])
        sees = np.frombuffer(body, np.int16, 2 * (layer["height"] + layer["width"]), layer["fieldsAt"]).reshape(-1, 2)
        of = fields[layer["name"]]
        np.testing.assert_array_equal(sees, np.concatenate([of.rows, of.columns]))
        picture = layer["picture"]
        size = maps.height * maps.width * maps.channels
        assert (picture["rows"], picture["columns"], picture["count"]) == (maps.height, maps.width, maps.channels)
        levels = np.frombuffer(body, np.uint8, size, picture["at"])
        np.testing.assert_array_equal(levels, screen.levels[maps.offset : maps.offset + size])
        numbers = np.frombuffer(body, np.float32, 4 * maps.channels, layer["statsAt"]).reshape(4, -1)
        np.testing.assert_array_equal(numbers, [maps.min, maps.max, maps.mean, maps.zeros])


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


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, ""),
        ({"layer": "relu_1", "map": "3", "off": "conv_1:1,relu_1:0.3", "linear": "relu_1", "toward": "9"}, ""),
        ({"map": "77"}, ""),  # of no layer
        ({"layer": "nothing"}, "the layer “nothing”"),
        ({"layer": "nothing", "map": "77"}, "the layer “nothing”"),
        ({"layer": "average_1", "map": "4"}, "channel “4” of average 1 (it has 0 to 3)"),
        ({"layer": "conv_1", "map": "-1"}, "channel “-1” of conv 1 (it has 0 to 3)"),
        ({"off": "gone:1,conv_1:1"}, "the layer “gone”"),
        ({"off": "conv_1:4.x.0"}, "channel “4” of conv 1 (it has 0 to 3) and channel “x” of conv 1 (it has 0 to 3)"),
        ({"off": "gone"}, "the layer “gone”"),
        ({"linear": "conv_1"}, "a non-linearity in conv 1"),
        ({"linear": "gone", "off": "gone:1"}, "the layer “gone”"),
        ({"toward": "10"}, "class “10” (it has 0 to 9)"),
        ({"off": "a:1,b:2,c:3,d:4,e:5"}, "the layer “a”, the layer “b”, the layer “c” and 2 things more"),
        ({"layer": "x" * 90}, f"the layer “{'x' * 30}”"),
    ],
)
def test_what_a_link_asks_for_in_vain_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch, asked: Any, said: str):
    monkeypatch.setattr(inside_state, "value", lambda name: asked.get(name, ""))
    sentence = inside_state.missing(NODES, 10, "Things")
    ends = ", which “Things” does not have; all else is as the link says."
    assert sentence == (f"The link asks for {said}{ends}" if said else "")


def test_a_look_keeps_only_what_the_network_has():
    asked = Look("map", {"conv_1": (0, 9), "gone": (1,)}, ("relu_1", "conv_1", "gone"), 12)
    assert inside_state.fitting(asked, NODES, 10) == Look("map", {"conv_1": (0,)}, ("relu_1",), None)


def test_blocks_keep_what_belongs_together():
    assert inside_view.blocks(NODES) == ["0", "1", "1", "block_1", "block_1", "5", "5", "5"]


def test_a_first_layers_kernel_with_a_weight_that_is_no_number_has_its_color_there():
    weights = np.zeros((2, 2, 3), np.float32)
    weights[0, 1, 2] = np.nan
    colors = inside_parts._colored(weights, 1.0)
    assert colors[0, 1].tolist() == [0xC0, 0x26, 0xD3]
    assert (colors[0, 0] == 128).all()


@pytest.mark.parametrize(
    ("pixels", "flat"),
    [
        (np.full((32, 32, 3), 9, np.uint8), True),
        (np.tile(np.array([1, 2, 3], np.uint8), (32, 32, 1)), True),
        (np.arange(32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8), False),
    ],
)
def test_a_picture_of_one_color_is_named_as_what_makes_maps_flat(small: Engine, pixels: Any, flat: bool):
    data = inside_view.network_block("inside", small.screen(pixels, Look()), "1", ("conv_1", False, 0), {})
    header = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
    assert ("one color all over" in header["network"]["legend"]) == flat


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


def nodes(*sides: int | tuple[int, str]) -> list[Node]:
    """A network of layers with maps of these sides, "conv 8" on the first of 8 × 8, and so on; 0 for a vector."""
    found = [Node("in", "InputLayer", "", (), (64, 64, 3), 0, "", 0, "")]
    for one in sides:
        side, kind = one if isinstance(one, tuple) else (one, "ReLU")
        shape = (side, side, 4) if side else (4,)
        found.append(Node(f"{kind} {len(found)}", kind, "", (found[-1].name,), shape, 0, "", 0, ""))
    return found


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        # the last of each size; 28 is nearest to 32 and 32 to 28; 112 and 56 are nearest to 32, too, and stay alone
        (
            nodes((32, "Conv2D"), 32, 16, 16, 8, 0),
            nodes((112, "Conv2D"), 56, 28, 14, 7, 7, 0),
            [("in", "in"), ("Conv2D 1", "Conv2D 1"), ("ReLU 2", "ReLU 3"), ("ReLU 4", "ReLU 4"), ("ReLU 5", "ReLU 6")],
        ),
        # a network beside itself: each size once, and the first convolution is not named twice
        (nodes((8, "Conv2D"), 4, 0), nodes((8, "Conv2D"), 4, 0), [("in",) * 2, ("Conv2D 1",) * 2, ("ReLU 2",) * 2]),
        # without a convolution there is no first one, and without maps only what goes in
        (nodes(8, 0), nodes((9, "Conv2D"), 0), [("in", "in"), ("ReLU 1", "Conv2D 1")]),
        (nodes(0, 0), nodes((9, "Conv2D"), 0), [("in", "in")]),
        # sizes that come back are one size, its last layer, and what would cross its pair stays alone
        (nodes(8, 4, 8), nodes(8, 4), [("in", "in"), ("ReLU 3", "ReLU 1")]),
        # there the first convolution is the last of its size, too, and 48 is the nearest to 56
        (
            nodes((112, "Conv2D"), 56, 28),
            nodes((48, "Conv2D"), 24),
            [("in", "in"), ("Conv2D 1", "Conv2D 1"), ("ReLU 3", "ReLU 2")],
        ),
        # larger maps before the first convolution: 32 beside the ReLU of 32 would cross, and so would 16 beside 16
        (
            nodes((32, "Rescaling"), (16, "Conv2D"), 8),
            nodes((32, "Conv2D"), 32, 16, 8),
            [("in", "in"), ("Conv2D 2", "Conv2D 1"), ("ReLU 3", "ReLU 4")],
        ),
        # the same on either side crosses nothing, and stands before the convolutions
        (
            nodes((32, "Rescaling"), (16, "Conv2D"), 8),
            nodes((32, "Rescaling"), (8, "Conv2D"), 8),
            [("in", "in"), ("Rescaling 1", "Rescaling 1"), ("Conv2D 2", "Conv2D 2"), ("ReLU 3", "ReLU 3")],
        ),
    ],
)
def test_layers_compare_by_the_nearest_size_of_maps(here: Any, there: Any, expected: Any):
    assert inside_pairs.pairs(here, there) == expected
    assert inside_pairs.pairs(there, here) == [(two, one) for one, two in expected]


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (["in", "ReLU 1", "ReLU 2", "ReLU 3"], ""),
        (
            ["in", "ReLU 2"],
            "Left out are the maps of 112 × 112 and 28 × 28 of “Here”: “There” has none left to compare them with.",
        ),
        (
            ["in", "ReLU 2", "ReLU 3"],
            "Left out are the maps of 112 × 112 of “Here”: “There” has none left to compare them with.",
        ),
    ],
)
def test_what_stands_beside_nothing_is_said(shown: list[str], words: str):
    rows = [Row(name, (), "", 0) for name in shown]
    assert inside_pairs.unmatched(nodes(112, 56, 28, 0), rows, "Here", "There") == words


@pytest.mark.parametrize("fits", [True, False])
def test_a_column_shows_the_strongest_maps_of_its_layers_and_room_for_the_others(
    small: Engine, monkeypatch: pytest.MonkeyPatch, fits: bool
):
    small.fits = fits
    monkeypatch.setattr(inside_pairs, "MOST", 3)
    folder = Path(__file__).resolve().parents[1] / "models" / "objects"
    network = Network("objects", read_card(folder / FILE), folder, False)
    subject = Subject.at(network, samples.photo("cat"), "me/inside", lambda _: None)
    screen = small.screen(subject.picture, Look())
    shown = next(row.channels for row in inside_pairs.rows(screen, screen)[0] if row.name == "conv_1")
    rows = [Row("input", (0, 1, 2), "in", 1), Row("conv_1", shown, "other", 9)]
    data = inside_pairs.column("inside", subject, Look(), screen, rows, ("conv_1", True, 2), "1", True)
    length = int.from_bytes(data[:4], "little")
    header, body = json.loads(data[4 : 4 + length])["network"], data[4 + length :]
    assert header["paired"]
    assert [(one["name"], one["peer"], one["room"], one["count"]) for one in header["layers"]] == [
        ("input", "in", 1, 3),
        ("conv_1", "other", 9, 4),
    ]
    layer, maps = header["layers"][1], screen.maps("conv_1")
    weakest = int(np.argmin(np.abs(maps.mean)))
    assert layer["shown"] == [one for one in range(4) if one != weakest]
    picture = layer["picture"]
    levels = np.frombuffer(body, np.uint8, 3 * 32 * 32, picture["at"]).reshape(3, 32, 32)
    all_ = small.mosaic(subject.picture, Look(), "conv_1", "index").levels
    expected = [all_[32 * (one // 2) :, 32 * (one % 2) :][:32, :32] for one in layer["shown"]]
    np.testing.assert_array_equal(levels, expected)
    means = np.frombuffer(body, np.float32, 12, layer["statsAt"]).reshape(4, 3)[2]
    np.testing.assert_array_equal(means, maps.mean[layer["shown"]])


@pytest.mark.parametrize(("same", "expected"), [(False, ((0, 1), (2, 3))), (True, ((0, 3), (0, 3)))])
def test_two_pictures_in_one_network_are_compared_on_the_same_channels(
    small: Engine, monkeypatch: pytest.MonkeyPatch, same: bool, expected: Any
):
    monkeypatch.setattr(inside_pairs, "MOST", 2)

    found = inside_pairs.rows(with_means(small, -9, 3, 1, 0), with_means(small, 1, 2, 3, -8), same)
    both = [next(row for row in column if row.name == "conv_1") for column in found]
    assert tuple(row.channels for row in both) == expected
    assert [row.room for row in both] == [2, 2]


def with_means(small: Engine, *means: float) -> Screen:
    """A screen whose first convolution has maps of these means."""
    screen = small.screen(PICTURE, Look())
    layers = [
        replace(one, mean=np.array(means, np.float32)) if one.node.name == "conv_1" else one for one in screen.layers
    ]
    return replace(screen, layers=tuple(layers))


@pytest.mark.parametrize(("same", "expected"), [(False, ((0, 2), (1, 3))), (True, ((0, 2), (0, 2)))])
def test_a_map_that_is_no_number_is_shown_before_the_strongest(
    small: Engine, monkeypatch: pytest.MonkeyPatch, same: bool, expected: Any
):
    monkeypatch.setattr(inside_pairs, "MOST", 2)
    nan = float("nan")
    found = inside_pairs.rows(with_means(small, nan, 3, nan, 9), with_means(small, 1, 2, 0, 3), same)
    both = [next(row for row in column if row.name == "conv_1") for column in found]
    assert tuple(row.channels for row in both) == expected


@pytest.mark.parametrize(
    ("sides", "words"),
    [
        (nodes(8, 4, 0), "Of each layer one map is shown, its strongest; choose a layer to see all its 4 maps."),
        (nodes(0, 0), ""),
    ],
)
def test_a_road_says_that_it_shows_one_map_of_many(small: Engine, sides: Any, words: str):
    like = small.screen(PICTURE, Look()).maps("relu_1")
    layers = [replace(like, node=one, height=one.size[0], width=one.size[1], channels=one.size[2]) for one in sides]
    assert inside_view.stand_ins(layers) == words
    more = [replace(one, channels=64) if one.node.inputs and one.height == 4 else one for one in layers]
    assert inside_view.stand_ins(more) == words.replace("all its 4", "all its 4 to 64")


def test_what_inside_keeps_in_the_address_has_no_name_of_a_switch_on_classify():
    assert not set(inside_state.PARAMS) & {one.key for one in (*mistakes.MISTAKES, *mistakes.OF_FACES)}


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (None, ""),
        (0.0, "< 0.001"),
        (0.0005, "0.001"),
        (0.5, "0.500"),
        (0.9994, "0.999"),
        (0.9996, "> 0.999"),
        (1.0, "1.000"),
    ],
)
def test_a_share_is_written_as_1_only_where_it_is(share: float | None, expected: str):
    assert inside_answer._short(share) == expected


@pytest.mark.parametrize(
    ("both", "mirrored", "switch", "expected"),
    [
        ((0.25, 0.75), False, True, "to its mirror image (see the switch Mirrored): dog, 75 %."),
        ((0.75, 0.25), True, True, "to the picture as it is (see the switch Mirrored): cat, 75 %."),
        ((0.45, 0.55), False, False, "to its mirror image: dog, 55 %, not sure (under 0.6)."),
    ],
)
def test_beside_one_pass_stands_the_mean_that_is_the_answer(both: Any, mirrored: bool, switch: bool, expected: str):
    card = replace(
        read_card(Path(__file__).parents[1] / "models" / "cats-dogs" / FILE),
        labels=("cat", "dog"),
        scores={},
        threshold=0.6,
    )
    said = inside_answer.mean(card, np.array(both), mirrored, switch)
    assert said == f"The network’s answer is the mean of this and of what it says {expected}"
