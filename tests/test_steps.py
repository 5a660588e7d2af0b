"""Addresses of trails, sentences of steps, and what is sent of them to the browser; no keras."""

import json
import math

import numpy as np
import pytest

from cnnviz import steps
from cnnviz.microscope import tracing
from cnnviz.steps import Form, Map, Part, Place, Rest, Step, Term, Walk

TRAIL = (
    Place("softmax_1", (3,)),
    Place("outer/conv_3@2", (4, 7, 12)),
    Place("a~b:c d", (0, 0, 0)),
    Place("ü[1]", (5,)),
)


def test_a_written_trail_is_read_again() -> None:
    assert steps.read(steps.written(TRAIL)) == TRAIL
    assert steps.written(TRAIL[:2]) == "softmax_1:3~outer/conv_3@2:4.7.12"


@pytest.mark.parametrize(
    ("text", "trail"),
    [
        ("", ()),
        ("conv_1,4,7,12", (Place("conv_1", (4, 7, 12)),)),
        ("conv,1,0,0,5", (Place("conv,1", (0, 0, 5)),)),
        ("softmax:3", (Place("softmax", (3,)),)),
        ("softmax:3~", (Place("softmax", (3,)),)),
        ("softmax:3~dense", (Place("softmax", (3,)),)),
        ("softmax:3~dense:x", (Place("softmax", (3,)),)),
        ("softmax:-3", ()),
        ("softmax:3.", ()),
        ("softmax:٣", ()),
        ("softmax:12345678901", ()),
        (":3", ()),
        ("<b>~~~", ()),
        ("~".join(["a:1"] * 500), (Place("a", (1,)),) * steps.STEPS),
    ],
)
def test_of_any_text_as_much_is_read_as_there_is(text: str, trail: tuple[Place, ...]) -> None:
    assert steps.read(text) == trail


@pytest.mark.parametrize(
    ("index", "names", "what", "words"),
    [
        ((4, 7, 12), (), "number", "channel 12, (4, 7)"),
        ((3,), ("a", "b", "c", "cat"), "unit", "cat"),
        ((3,), ("a",), "unit", "unit 3"),
        ((3,), (), "channel", "channel 3"),
    ],
)
def test_a_cell_in_words(index: tuple[int, ...], names: tuple[str, ...], what: str, words: str) -> None:
    assert steps.cell_words(index, names, what) == words


@pytest.mark.parametrize(
    ("node", "words"),
    [("block_2_conv_1", "block 2 conv 1"), ("outer/conv", "outer, conv"), ("dense_1@logits", "dense 1 before softmax")],
)
def test_a_layer_in_words(node: str, words: str) -> None:
    assert steps.layer_words(node) == words


@pytest.mark.parametrize(
    ("result", "value", "size", "agrees"),
    [
        (1.0, 1.0 + 9e-6, 1.0, True),
        (1.0, 1.0 + 2e-5, 1.0, False),
        (0.001, 0.0011, 100.0, True),  # large terms that cancel
        (0.5, 0.5 + 1e-8, 0.0, True),  # an activation that lifts 0
        (0.0, 1e-9, 0.0, False),
        (math.nan, math.nan, 1.0, True),
        (math.inf, math.inf, math.inf, True),
        (math.inf, -math.inf, math.inf, False),
        (1.0, math.nan, 1.0, False),
    ],
)
def test_what_counts_as_the_same_number(result: float, value: float, size: float, agrees: bool) -> None:
    assert steps.agree(result, value, size) is agrees


def step(form: Form, **more: object) -> Step:
    term = Term(Place("conv_1", (4, 7, 12)), 2.0, -1.5, -3.0, "channel 12, (4, 7)")
    known: dict[str, object] = {"terms": (term,), "count": 144, "total": -2.5, "result": 0.0, "bias": 0.5}
    return Step(Place("conv_2", (4, 7, 0)), "Conv2D", form, "conv 2, channel 0, (4, 7)", 0.0, **{**known, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (step("window", activation="ReLU"), "144 products, with the bias 0.5 sum to −2.5; ReLU makes 0 of it."),
        (step("terms", bias=None, count=1024), "1,024 products sum to −2.5."),
        (step("pool", combine="largest", result=3.0), "the largest of 144 numbers is 3."),
        (step("terms", combine="product", result=6.0, count=2), "the product of 2 numbers is 6."),
        (step("softmax", combine="share", result=0.913, count=10), "is 91.3\u00a0% of the sum of all 10 exponentials."),
        (step("line"), "2 × −1.5 plus 0.5 is 0."),
        (step("line", bias=-0.5), "2 × −1.5 minus 0.5 is 0."),
        (step("function", activation="ReLU"), "ReLU of 2 is 0."),
        (step("same", result=2.0), "2 was taken over unchanged from channel 12, (4, 7)."),
        (step("photo", result=0.008), "level 2 of the picture, as the network is given it 0.008."),
        (step("end", end="Nobody knows."), "conv 2, channel 0, (4, 7) is 0. Nobody knows."),
        (step("window", total=math.nan, result=math.nan), "sum to NaN."),
    ],
)
def test_a_step_in_a_sentence(made: Step, words: str) -> None:
    sentence = steps.sentence(made)
    assert sentence.startswith("conv 2, channel 0, (4, 7)")
    assert sentence.endswith(words), sentence


def message(
    made: Step | None, lit: Map | None = None, shares: tuple[float, ...] | None = (0.2, 0.8)
) -> tuple[dict, bytes]:
    trail = () if made is None else (made.place,)
    walk = Walk(
        trail,
        tuple("x" for _ in trail),
        made,
        "",
        (Place("s", (0,)), Place("s", (1,))),
        ("a", "b"),
        shares,
        1,
        "in",
        lit,
    )
    data = tracing.message("trace", walk, "plane")
    length = int.from_bytes(data[:4], "little")
    return json.loads(data[4 : 4 + length]), data[4 + length :]


def test_numbers_that_json_does_not_have_are_sent_as_texts() -> None:
    header, _ = message(step("window", total=math.nan, result=math.inf, rest=Rest(3, -math.inf)))
    sent = header["step"]
    assert (sent["total"], sent["result"], sent["rest"]["sum"]) == ("NaN", "Infinity", "-Infinity")


def test_a_window_s_values_and_weights_are_sent_bit_for_bit() -> None:
    values = np.array([[0.1, np.nan], [0.0, 1e-300]])
    weights = np.array([[1 / 3, 2.0], [-4.0, np.inf]])
    outside = np.array([[False, False], [True, False]])
    part = Part("conv/1", 5, "channel 5", 1.5, (3, 4), (7, 8), outside, values, weights)
    short = Part("conv/1", 6, "channel 6", 0.5)
    levels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    header, body = message(step("window", parts=(part, short)), Map(levels, 2, (4, 6), -1.0, 1.0, "signed"))
    sent, other = header["step"]["parts"]
    assert (sent["node"], sent["rows"], sent["columns"], sent["outside"]) == ("conv/1", [3, 4], [7, 8], [2])
    numbers = np.frombuffer(body, np.float64, 8, sent["at"])
    np.testing.assert_array_equal(numbers, [*values.ravel(), *weights.ravel()])
    assert other["at"] is None
    assert body[header["map"]["at"] :][:6] == levels.tobytes()
    assert header["map"]["cells"] == [4, 6]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((0.2, 0.8), [("b", 0.8), ("a", 0.2)]),
        ((0.0, np.nan), [("b", "NaN"), ("a", 0)]),
        (None, [("a", None), ("b", None)]),
    ],
)
def test_without_a_trail_the_classes_are_sent_the_likeliest_first(
    shares: tuple[float, ...] | None, expected: list[tuple[str, float | str | None]]
) -> None:
    header, _ = message(None, shares=shares)
    assert header["step"] is None
    assert [(start["name"], start["probability"]) for start in header["starts"]] == expected
    assert (header["chosen"], header["start"]) == ("b", "s:1")


def test_the_same_trace_has_the_same_turn_and_another_one_another() -> None:
    turns = [message(made)[0]["turn"] for made in (step("line"), step("line"), step("line", bias=1.0))]
    assert turns[0] == turns[1] != turns[2]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0.0, "0 %"),
        (3.708e-6, "< 0.1 %"),
        (1e-300, "< 0.1 %"),
        (0.00099999, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.0004 + 0.0123, "1.27 %"),
        (0.59171, "59.2 %"),
        (0.99949, "99.9 %"),
        (0.9995, "> 99.9 %"),
        (1 - 1e-12, "> 99.9 %"),
        (1.0, "100 %"),
        (math.nan, "NaN"),
    ],
)
def test_a_share_never_has_an_exponent_and_is_all_or_nothing_only_where_it_is(part: float, text: str) -> None:
    assert steps.share(part) == text.replace(" ", "\u00a0")
