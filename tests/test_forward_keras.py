"""Compares graphs and activations of networks with Keras: presets, and random graphs with nested and shared layers."""

import gc
import os
from concurrent.futures import Future
from contextlib import suppress
from math import prod

import numpy as np
import pytest

from cnnviz.graph import Node
from cnnviz.layers import summary
from cnnviz.networks import NetworkError
from cnnviz.presets import PRESETS

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import keras

    return keras


@pytest.fixture(scope="module")
def forward(keras):  # noqa: ARG001 (keras is imported quietly first)
    from cnnviz.networks import forward  # noqa: PLC0415 (it imports keras)

    return forward


def randomize(model, random):
    """Weights with spread, also in batch norm, whose own start would hide an error."""
    for variable in model.weights:
        if variable.dtype == "float32":
            low = 0.5 if "variance" in variable.path else -1.0
            variable.assign(random.uniform(low, 1.0, variable.shape) / max(1, prod(variable.shape[:-1])) ** 0.5)


def picture(shape, seed=0):
    return np.random.default_rng(seed).random((1, *shape), np.float32)


def assert_equals_keras(keras, forward, model, x, prefix="", values=None):
    """Every layer of the model, nested ones inside, against an extractor that Keras builds; returns the values."""
    values = forward.outputs(model, x) if values is None else values
    model = getattr(model, "_functional", model)  # of a Sequential
    tensors = [t for op in model.operations for node in op._inbound_nodes[:1] for t in node.output_tensors]
    found = keras.Model(model.inputs, tensors)
    found.jit_compile = False
    expected = iter(found.predict_on_batch(x))
    for op in model.operations:
        for number, _ in enumerate(op._inbound_nodes[0].output_tensors):
            value = next(expected)[0]
            name = f"{prefix}{op.name}" + (f"[{number}]" if number else "")
            if isinstance(op, keras.Model):
                [before] = op._inbound_nodes[0].input_tensors
                given = values[f"{prefix}{before._keras_history.operation.name}"][np.newaxis]
                assert_equals_keras(keras, forward, op, given, f"{name}/", values)
            elif name in values:
                np.testing.assert_allclose(values[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
            else:
                assert type(op).__name__ == "InputLayer", name
    return values


# ------------------------------------------------------------------------------------------------------- the presets


@pytest.fixture(scope="module")
def built(keras):
    from cnnviz.networks import architectures  # noqa: PLC0415 (it imports keras)

    made = {}

    def build(name):
        if name not in made:
            made.clear()  # one at a time: system A alone takes 60 MB
            model = architectures.build(PRESETS[name].layers, PRESETS[name].preprocessing.shape)
            randomize(model, np.random.default_rng(1))
            model.jit_compile = False
            made[name] = model
        return made[name]

    del keras
    return build


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_graph_has_the_numbers_of_its_list_of_layers(forward, built, name):
    model = built(name)
    nodes = forward.nodes(model)
    assert [node.name for node in nodes[:1]] == ["input"]
    assert {node.name for node in nodes} == {layer.name for layer in model.layers}
    for row in summary(PRESETS[name].layers, PRESETS[name].preprocessing.shape):
        own = [node for node in nodes if row.name in (node.name, node.group)]
        assert sum(node.parameters for node in own) == row.parameters
        assert sum(node.multiply_adds for node in own) == row.multiply_adds
        assert own[-1].shape == row.output_shape
        if row.kind != "ResidualBlock":
            assert [(n.kind, n.label, n.how, n.group) for n in own] == [(row.kind, row.label, row.how, "")]


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_parameters_come_about_as_is_said(forward, built, name):
    model = built(name)
    for node in forward.nodes(model)[1:]:
        counted = model.get_layer(node.name).count_params()
        assert node.parameters == counted
        assert calculated(node.how) == counted
        assert node.shape == model.get_layer(node.name).output.shape[1:]
    assert sum(node.parameters for node in forward.nodes(model)) == model.count_params()


def calculated(how):
    return sum(prod(int(n.replace(",", "")) for n in term.split("·")) for term in how.split(" + ")) if how else 0


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_maps_are_those_of_keras(keras, forward, built, name):
    model, x = built(name), picture(PRESETS[name].preprocessing.shape)
    values = assert_equals_keras(keras, forward, model, x)
    np.testing.assert_allclose(values[model.layers[-1].name], model.predict_on_batch(x)[0], rtol=1e-4, atol=1e-5)
    for name_, value in values.items():
        assert value.dtype == np.float32
        assert name_.endswith("@logits") or value.shape == next(
            node.shape for node in forward.nodes(model) if node.name == name_
        )


# ---------------------------------------------------------------------------------------------------- random networks


def draw(keras, random):
    """A functional network of 8 to 12 steps over all kinds, with branches, shared layers and nested models."""
    layers = keras.layers

    def one(*choices):
        return choices[random.integers(len(choices))]

    def small(channels, name):
        inside = keras.Input((None, None, channels))
        a = layers.Conv2D(3, 3, padding="same", activation="relu", name=f"{name}_a")(inside)
        b = layers.Conv2D(3, 1, name=f"{name}_b")(inside)
        return keras.Model(inside, layers.Add(name=f"{name}_sum")([a, b]), name=name)

    def chain(channels, name):
        return keras.Sequential(
            [
                keras.Input((None, None, channels)),
                layers.SeparableConv2D(4, 3, padding="same", name=f"{name}_s"),
                small(4, f"{name}_deep"),
                layers.BatchNormalization(name=f"{name}_n"),
            ],
            name=name,
        )

    x = inputs = keras.Input((int(random.integers(8, 13)), int(random.integers(8, 13)), one(1, 3)), name="photo")
    shared = layers.Conv2D(4, 3, padding="same", activation=one(None, "tanh", "elu"), name="shared")
    twice = small(4, "twice")
    for number in range(int(random.integers(8, 13))):
        c, h = x.shape[-1], x.shape[1]
        steps = [
            layers.Conv2D(
                one(2, 4, 6), one(1, 3, (3, 2)), padding="same", dilation_rate=one(1, 2), activation=one(None, "relu")
            ),
            layers.DepthwiseConv2D(3, padding="same", depth_multiplier=one(1, 2)),
            layers.BatchNormalization(scale=one(True, False), center=one(True, False)),
            one(
                layers.ReLU(),
                layers.ReLU(max_value=0.5, negative_slope=0.1),
                layers.LeakyReLU(),
                layers.PReLU(),
                layers.ELU(),
                layers.Activation("sigmoid"),
                layers.Activation("gelu"),
            ),
            layers.Dropout(0.5),
            lambda x: layers.Add()([x, layers.Conv2D(x.shape[-1], 3, padding="same")(x)]),
            lambda x: layers.Concatenate()([x, layers.AveragePooling2D(3, 1, "same")(x)]),
            lambda x: layers.Multiply()([x, layers.GlobalAveragePooling2D(keepdims=True)(x)]),
            lambda x: shared(layers.Conv2D(4, 1)(shared(layers.Conv2D(4, 1)(x)))),
            lambda x: twice(layers.ReLU()(layers.Conv2D(4, 1)(twice(layers.Conv2D(4, 1)(x)))))[..., :2],
            lambda x, c=c, number=number: small(c, f"inner_{number}")(x),
            lambda x, c=c, number=number: chain(c, f"chain_{number}")(x),
            lambda x: keras.ops.relu(x * 2.0 - 0.5),
            lambda x: x + keras.ops.tanh(x),
            lambda x: layers.Conv2DTranspose(3, 2, 2)(x) if x.shape[1] < 9 else x,
            layers.ZeroPadding2D((1, 2)),
        ]
        if h > 4:
            steps += [
                layers.MaxPooling2D(2, padding=one("same", "valid")),
                layers.Conv2D(4, 3, 2, groups=2 if c % 2 == 0 else 1),
            ]
        x = one(*steps)(x)
    x = one(layers.GlobalAveragePooling2D(), layers.Flatten())(x)
    end = one("fused", "layer", "one")
    if end == "fused":
        x = layers.Dense(3, "softmax")(x)
    elif end == "layer":
        x = layers.Softmax()(layers.Dense(3)(x))
    else:
        x = layers.Dense(1, "sigmoid")(x)
    model = keras.Model(inputs, x)
    randomize(model, random)
    model.jit_compile = False
    return model


@pytest.mark.parametrize("seed", range(12))
def test_a_random_networks_maps_and_parameters_are_those_of_keras(keras, forward, seed):
    model = draw(keras, np.random.default_rng(seed))
    nodes = forward.nodes(model)
    assert sum(node.parameters for node in nodes) == model.count_params()
    for node in nodes[1:]:
        layer = forward.layer(model, node.name)
        if node.parameters:
            assert node.parameters == layer.count_params()
            assert calculated(node.how) == node.parameters, node
    place = {node.name: number for number, node in enumerate(nodes)}
    assert len(place) == len(nodes)
    assert all(place[source] < place[node.name] for node in nodes for source in node.inputs)
    x = picture(model.input_shape[1:], seed)
    values = assert_equals_keras(keras, forward, model, x)
    assert all(values[node.name].shape == node.shape for node in nodes)
    np.testing.assert_allclose(values[nodes[-1].name], model.predict_on_batch(x)[0], rtol=1e-4, atol=1e-5)


def test_the_random_networks_hold_nested_shared_and_branching_parts(keras, forward):
    kinds = {"nested": 0, "deep": 0, "shared": 0, "nested twice": 0, "branch": 0, "operation": 0}
    for seed in range(12):
        for node in forward.nodes(draw(keras, np.random.default_rng(seed))):
            kinds["nested"] += node.name.count("/") == 1
            kinds["deep"] += node.name.count("/") == 2
            kinds["shared"] += node.name == "shared@2"
            kinds["nested twice"] += node.name.startswith("twice@2/")
            kinds["branch"] += len(node.inputs) == 2
            kinds["operation"] += node.kind in ("GetItem", "Subtract", "Tanh")
    assert min(kinds.values()) >= 3, kinds


# ------------------------------------------------------------------------------------------- single graphs, worked out


def test_a_residual_block_stands_main_path_first(keras, forward):
    x = inputs = keras.Input((8, 8, 2), name="photo")
    short = keras.layers.Conv2D(4, 1, name="short")(x)
    x = keras.layers.Conv2D(4, 3, padding="same", name="first")(x)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="second")(x)
    model = keras.Model(inputs, keras.layers.Add(name="sum")([x, short]))
    expected = [("photo", ()), ("first", ("photo",)), ("second", ("first",)), ("short", ("photo",))]
    found = [(node.name, node.inputs) for node in forward.nodes(model)]
    assert found == [*expected, ("sum", ("second", "short"))]


def test_a_nested_network_that_is_called_twice_counts_once(keras, forward):
    half = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3, name="conv")], name="half")
    inputs = keras.Input((4, 4, 1), name="photo")
    both = keras.layers.Concatenate(name="both")([half(inputs), half(keras.layers.ReLU(name="relu")(inputs))])
    nodes = {node.name: node for node in forward.nodes(keras.Model(inputs, both))}
    assert list(nodes) == ["photo", "half/conv", "relu", "half@2/conv", "both"]
    assert nodes["half/conv"].how == "3·3·1·2 + 2"
    assert (nodes["half/conv"].parameters, nodes["half/conv"].group) == (20, "half")
    assert nodes["half@2/conv"].parameters == 0
    assert nodes["half@2/conv"].how == "the weights of half/conv, counted there"
    assert nodes["both"].inputs == ("half/conv", "half@2/conv")


@pytest.mark.parametrize(("off", "linear"), [({}, ()), ({"conv": [1], "relu": [0]}, ("relu", "dense"))])
def test_a_large_network_is_run_as_it_is_until_it_is_compiled_and_gives_the_same(
    keras, forward, monkeypatch, off, linear
):
    class Later:
        """Compiles when it is told to."""

        def submit(self, make):
            self.make, self.future = make, Future()
            return self.future

    L, later = keras.layers, Later()
    layers = [L.Conv2D(3, 3, name="conv"), L.BatchNormalization(), L.ReLU(name="relu"), L.Flatten()]
    model = keras.Sequential([keras.Input((6, 6, 2)), *layers, L.Dense(4, activation="softmax", name="dense")])
    randomize(model, np.random.default_rng(3))
    monkeypatch.setattr(forward, "_compiler", later)
    monkeypatch.setattr(forward, "QUICK", 4)
    x = picture((6, 6, 2))
    at_once = forward.outputs(model, x, off, linear)
    assert not later.future.done()
    later.future.set_result(later.make())
    monkeypatch.setattr(forward, "Calls", None)  # whoever runs it uncompiled fails
    then = forward.outputs(model, x, off, linear)
    assert list(then) == list(at_once)
    for name, values in then.items():
        assert at_once[name].dtype == np.float32
        np.testing.assert_allclose(at_once[name], values, rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_small_network_does_not_wait_for_a_large_one_to_be_compiled(keras, forward, monkeypatch):
    monkeypatch.setattr(forward, "_compiler", None)  # whoever is put behind the large one fails
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3, name="conv")])
    assert forward.outputs(model, picture((6, 6, 1)))["conv"].shape == (4, 4, 2)


@pytest.mark.parametrize("quick", [0, 60])
def test_a_pass_that_could_not_be_made_once_is_made_anew(keras, forward, monkeypatch, quick):
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3, name="conv")])
    randomize(model, np.random.default_rng(3))
    x, good, failed = picture((6, 6, 1)), forward._Pass, []

    def short_of_memory(*_):
        failed.append(1)
        raise MemoryError

    monkeypatch.setattr(forward, "QUICK", quick)
    monkeypatch.setattr(forward, "_Pass", short_of_memory)
    for _ in range(2):
        with suppress(MemoryError):  # a large network is run uncompiled meanwhile
            forward.outputs(model, x)
        forward._compiler.submit(int).result()  # whatever was being compiled has ended
    monkeypatch.setattr(forward, "_Pass", good)
    found = forward.outputs(model, x)
    forward._compiler.submit(int).result()
    assert failed
    np.testing.assert_allclose(forward.outputs(model, x)["conv"], found["conv"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["conv"], model.predict_on_batch(x)[0], rtol=1e-5, atol=1e-6)


def test_a_layer_with_two_outputs_is_two_nodes(keras, forward):
    inputs = keras.Input((4, 4, 2), name="photo")
    left, right = keras.ops.split(inputs, 2, axis=-1)
    model = keras.Model(inputs, keras.layers.Concatenate(name="swapped")([right, left]))
    x = picture((4, 4, 2))
    values = forward.outputs(model, x)
    nodes = forward.nodes(model)
    assert nodes[3].inputs == (nodes[2].name, nodes[1].name)
    np.testing.assert_array_equal(values[nodes[2].name], x[0, ..., 1:])
    np.testing.assert_array_equal(values["swapped"], x[0, ..., ::-1])


@pytest.mark.parametrize(
    ("make", "kind", "label", "activation", "multiply_adds"),
    [
        (lambda L: L.Activation("relu"), "ReLU", "ReLU", "relu", 0),
        (lambda L: L.Activation("softmax"), "Softmax", "Softmax", "softmax", 0),
        (lambda L: L.Activation("tanh"), "Tanh", "Tanh", "tanh", 0),
        (lambda L: L.Activation("silu"), "Activation", "Activation, silu", "silu", 0),
        (lambda L: L.ReLU(6), "ReLU", "ReLU, at most 6", "relu", 0),
        (lambda L: L.Conv2D(1, (1, 3), 2), "Conv2D", "Conv2D 1×3, 1 filter, stride 2", "", 4 * 3 * 3 * 4),
        (
            lambda L: L.Conv2D(4, 3, dilation_rate=2, groups=2, padding="same", activation="tanh"),
            *("Conv2D", "Conv2D 3×3, 4 filters, dilation 2×2, 2 groups, same, tanh", "tanh", 8 * 8 * 4 * 9 * 2),
        ),
        (lambda L: L.DepthwiseConv2D(3), "DepthwiseConv2D", "DepthwiseConv2D 3×3", "", 6 * 6 * 4 * 9),
        (
            lambda L: L.Conv2DTranspose(5, 2, 2),
            *("Conv2DTranspose", "Conv2DTranspose 2×2, 5 filters, stride 2", "", 8 * 8 * 4 * 4 * 5),
        ),
        (lambda L: L.MaxPooling2D(3, 2), "MaxPooling2D", "MaxPooling2D 3×3, stride 2", "", 0),
        (lambda L: L.Dense(5, activation=L.ReLU()), "Dense", "Dense 5, ReLU", "relu", 8 * 8 * 4 * 5),
        (lambda L: L.BatchNormalization(), "BatchNormalization", "BatchNormalization", "", 8 * 8 * 4),
        (lambda L: L.LayerNormalization([1, 3]), "LayerNormalization", "LayerNormalization", "", 8 * 8 * 4),
        (lambda L: L.LayerNormalization(center=False), "LayerNormalization", "LayerNormalization", "", 8 * 8 * 4),
        (
            lambda L: L.GroupNormalization(2, scale=False, center=False),
            *("GroupNormalization", "GroupNormalization", "", 8 * 8 * 4),
        ),
        (lambda L: L.GroupNormalization(2), "GroupNormalization", "GroupNormalization", "", 8 * 8 * 4),
    ],
)
def test_a_layer_is_said_in_words(keras, forward, make, kind, label, activation, multiply_adds):
    inputs = keras.Input((8, 8, 4))
    node: Node = forward.nodes(keras.Model(inputs, make(keras.layers)(inputs)))[1]
    # (8 - 1) // 2 + 1 = 4 rows and (8 - 3) // 2 + 1 = 3 columns of the strided one
    assert (node.kind, node.label, node.activation, node.multiply_adds) == (kind, label, activation, multiply_adds)
    assert calculated(node.how) == node.parameters


def test_logits_are_given_where_the_last_layer_hides_them(keras, forward):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    x = picture((4, 4, 1))
    values = forward.outputs(model, x)
    name = forward.plan(model).logits
    kernel, bias = (np.asarray(value) for value in model.layers[-1].get_weights())
    np.testing.assert_allclose(values[name], x.ravel() @ kernel + bias, rtol=1e-5, atol=1e-6)
    assert name == f"{model.layers[-1].name}@logits"


def test_a_network_for_any_size_is_shown_at_the_size_of_its_picture(keras, forward):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(inputs)))
    with pytest.raises(NetworkError, match="any size"):
        forward.nodes(model)
    for side in (5, 9, 5):
        shapes = [node.shape for node in forward.nodes(model, (side, side, 3))]
        assert shapes == [(side, side, 3), (side - 2, side - 2, 2), (2,)]
        assert forward.outputs(model, picture((side, side, 3)))[forward.nodes(model)[1].name].shape == shapes[1]


def two_inputs(keras):
    a, b = keras.Input((4, 4, 1)), keras.Input((4, 4, 1))
    return keras.Model([a, b], keras.layers.Add()([a, b]))


def by_code(keras):
    class Own(keras.Model):
        def call(self, x):
            return x

    return Own()


@pytest.mark.parametrize(
    ("make", "act", "words"),
    [
        (
            two_inputs,
            lambda f, m: f.nodes(m),
            "wants 2 inputs at the same time, and this app shows a network one picture; choose a",
        ),
        (by_code, lambda f, m: f.nodes(m), "program code"),
        (None, lambda f, m: f.layer(m, "nobody"), "no layer 'nobody'"),
        (None, lambda f, m: f.outputs(m, picture((5, 4, 1))), "takes 4 × 4 × 1 numbers, and got 5 × 4 × 1"),
        (None, lambda f, m: f.outputs(m, picture((4, 4, 1)), {"nobody": [0]}), "no layer 'nobody'"),
        (None, lambda f, m: f.outputs(m, picture((4, 4, 1)), {"conv": [0, 2]}), "channels 0 to 1, and channel 2"),
        (None, lambda f, m: f.outputs(m, picture((4, 4, 1)), {}, ["conv"]), "no non-linearity"),
    ],
)
def test_what_cannot_be_shown_gets_a_sentence(keras, forward, make, act, words):
    plain = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3, name="conv")])
    with pytest.raises(NetworkError, match=words) as caught:
        act(forward, make(keras) if make else plain)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_what_is_known_of_a_network_goes_with_it(keras, forward):
    from cnnviz.networks.plan import _PLANS  # noqa: PLC0415 (it imports keras)

    gc.collect()
    before = len(_PLANS)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3)])
    forward.outputs(model, picture((4, 4, 1)))
    assert len(_PLANS) == before + 1
    del model
    gc.collect()
    assert len(_PLANS) == before
