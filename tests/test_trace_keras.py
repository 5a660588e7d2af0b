"""A trace adds up to what Keras computed, term by term, in every layer of networks of all kinds."""

import math
import os
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnviz import presets, steps
from cnnviz.cards import Card
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.graph import Look
from cnnviz.microscope import tracing
from cnnviz.steps import Place, Step

pytestmark = pytest.mark.keras

MODELS = Path(__file__).resolve().parents[1] / "models"
SHIPPED = sorted(path.parent.name for path in MODELS.glob("*/card.json"))
SYSTEMS = [name for name in presets.PRESETS if name.startswith("system")]
CELLS = 50
NETWORKS = 7  # random ones
LABELS = ("first", "second", "third")


def net(name: str) -> Any:
    """A module of cnnviz.networks, loaded when a test needs it: it imports keras."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return import_module(f"cnnviz.networks.{name}")


def card(preprocessing: Preprocessing, labels: tuple[str, ...]) -> Card:
    data = {"name": "none", "licence": "none", "train": 0, "validation": 0, "test": 0}
    training = {"command": "none", "seed": None, "device": "none"}
    return Card("made", "Made", "picture", labels, preprocessing, "made", 0, data, {}, None, training, "")


def scene(model: Any, preprocessing: Preprocessing, labels: tuple[str, ...], look: Look | None = None) -> Any:
    """A network at work on random levels."""
    forward = net("forward")
    scenes = net("scene")

    look = look or Look()
    picture = np.random.default_rng(5).integers(0, 256, preprocessing.shape, np.uint8)
    x = preprocessing.scaled(picture[None])
    arrays = forward.outputs(model, x, dict(look.off), look.linear)
    return scenes.scene_of(model, card(preprocessing, labels), picture, look, arrays)


def randomized(model: Any, seed: int = 0) -> Any:
    """Every weight drawn anew, so that none is 0 or 1; variances above 0."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        values = random.normal(0, 1 / max(1, math.prod(weight.shape[:-1])) ** 0.5, weight.shape).astype("float32")
        weight.assign(np.abs(values) + 0.1 if "variance" in weight.path else values)
    return model


# -------------------------------------------------------------------------------- random networks of all kinds


def map_layers(random: np.random.Generator) -> list[Callable[[Any], Any]]:
    """One of each kind that takes a map and gives one, with random settings."""
    from keras import activations, layers, ops

    def pick(*choices: Any) -> Any:
        return choices[int(random.integers(len(choices)))]

    def window(**more: Any) -> dict[str, Any]:
        strided = random.random() < 0.5
        return {
            "kernel_size": (pick(1, 2, 3), pick(2, 3)),
            "strides": pick(1, 2) if strided else 1,
            "dilation_rate": 1 if strided else (pick(1, 2), pick(1, 2)) if not more.get("square") else pick(1, 2),
            "padding": pick("same", "same", "valid"),
            "activation": pick(None, "relu", "tanh", "gelu", "leaky_relu", "elu", "silu"),
            "use_bias": pick(True, True, False),
        }

    def merged(kind: Any) -> Callable[[Any], Any]:
        return lambda x: kind()([x, layers.Activation("tanh")(x), layers.GlobalAveragePooling2D(keepdims=True)(x)])

    pool = {"pool_size": (pick(2, 3), pick(2, 3)), "strides": pick(1, 2), "padding": pick("same", "valid")}
    return [
        layers.Conv2D(6, **window()),
        layers.Conv2D(6, 3, padding="same", dilation_rate=2, groups=2),
        layers.Conv2D(4, 3, strides=2, padding="same", activation="softmax"),
        layers.DepthwiseConv2D(**{**window(square=True), "depth_multiplier": pick(1, 2)}),
        layers.SeparableConv2D(5, **{**window(square=True), "depth_multiplier": pick(1, 2)}),
        layers.MaxPooling2D(**pool),
        layers.AveragePooling2D(**pool),
        layers.BatchNormalization(scale=pick(True, False), center=pick(True, True, False)),
        layers.LayerNormalization(axis=pick(-1, [1, 2, 3], [2, 3]), center=pick(True, True, False)),
        layers.LayerNormalization(axis=pick(1, [1, 3]), scale=pick(True, True, False)),
        layers.GroupNormalization(groups=pick(1, 2), scale=pick(True, True, False), center=pick(True, True, False)),
        layers.GroupNormalization(groups=-1),
        layers.ReLU(max_value=pick(None, 1.0), negative_slope=pick(0.0, 0.1), threshold=pick(0.0, 0.2)),
        layers.LeakyReLU(0.3),
        layers.ELU(0.7),
        layers.PReLU(shared_axes=pick(None, [1, 2])),
        layers.Softmax(),
        *(layers.Activation(name) for name in ("sigmoid", "hard_sigmoid", "softplus", "relu6", "selu", "mish")),
        *(merged(kind) for kind in (layers.Add, layers.Average, layers.Multiply, layers.Maximum, layers.Minimum)),
        lambda x: layers.Subtract()([x, layers.Activation("sigmoid")(x)]),
        lambda x: layers.Concatenate()([x, layers.Activation("softsign")(x)]),
        lambda x: x + ops.relu(x),
        lambda x: x - activations.relu(x, negative_slope=0.2),
        lambda x: x - activations.sigmoid(x) * activations.tanh(x),
        lambda x: layers.Permute((2, 1, 3))(layers.Reshape((x.shape[2], x.shape[1], x.shape[3]))(x)),
        layers.ZeroPadding2D(((1, 0), (2, 1))),
        layers.Cropping2D(((1, 0), (0, 1))),
        layers.UpSampling2D((1, 2)),
        layers.Rescaling(0.5, 0.25),
        layers.Normalization(mean=0.1, variance=2.0, axis=None),
        layers.Dropout(0.5),
        layers.SpatialDropout2D(0.5),
        layers.GaussianDropout(0.5),
        layers.GaussianNoise(0.5),
        layers.AlphaDropout(0.5),
        layers.Identity(),
        layers.ActivityRegularization(),
        *(kind() for kind in (layers.RandomFlip,)),
        layers.RandomTranslation(0.2, 0.2),
        *(getattr(layers, f"Random{kind}")(0.2) for kind in ("Rotation", "Zoom", "Contrast", "Brightness")),
        lambda x: x * activations.silu(x),
        ops.relu6,
    ]


def random_network(seed: int) -> Any:
    """A network of some of these layers; together NETWORKS of them hold every one."""
    import keras
    from keras import layers

    random = np.random.default_rng(seed)
    made = map_layers(random)
    order = np.random.default_rng(99).permutation(len(made))[seed::NETWORKS]
    x = given = keras.Input((13, 11, 3))
    for n in order:
        if min(x.shape[1:3]) < 4:
            x = layers.UpSampling2D(3)(x)
        if x.shape[3] % 2:
            x = layers.Conv2D(4, 1)(x)
        x = made[n](x)
    ends = [layers.Flatten(), layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D()]
    y = ends[seed % 3](x)
    y = layers.Dense(7, activation="sigmoid")(y)
    y = layers.Softmax()(layers.Dense(3)(y)) if seed % 2 else layers.Dense(3, activation="softmax")(y)
    return randomized(keras.Model(given, y), seed)


@cache
def scene_of(name: str) -> Any:
    if name.startswith("random"):
        return scene(random_network(int(name.split()[1])), Preprocessing(13, 11), LABELS)
    architectures = net("architectures")
    classifier = net("classifier")
    forward = net("forward")
    scenes = net("scene")

    if name in SHIPPED:
        model, its_card = classifier.load(MODELS / name)
        picture = np.random.default_rng(5).integers(0, 256, its_card.preprocessing.shape, np.uint8)
        arrays = forward.outputs(model, its_card.preprocessing.scaled(picture[None]))
        return scenes.scene_of(model, its_card, picture, Look(), arrays)
    preset = presets.PRESETS[name]
    model = architectures.build(preset.layers, preset.preprocessing.shape, seed=3)
    return scene(model, preset.preprocessing, preset.labels)


def random_cells(one: Any, seed: int = 0, cells: int = CELLS) -> Iterator[Place]:
    """Cells of every layer."""
    random = np.random.default_rng(seed)
    for name, node in one.nodes.items():
        for _ in range(cells):
            yield Place(name, tuple(int(random.integers(n)) for n in node.shape))


def faults(one: Any, step: Step) -> list[str]:
    """What is wrong with a step."""
    found = []
    shown = math.fsum(term.product for term in step.terms) + step.rest.sum
    size = max(step.size, abs(step.result))
    if step.form == "end" or not abs(step.result - step.value) <= 1e-5 * size:
        found.append(f"{step.title}: {step.result} where Keras has {step.value}, {step.form} {step.end}")
    if step.combine in ("sum", "share") and not abs(shown + (step.bias or 0) - step.total) <= 1e-12 * max(step.size, 1):
        found.append(f"{step.title}: what is shown makes {shown}, the total is {step.total}")
    if step.form == "window":
        parts = math.fsum(part.sum for part in step.parts) + step.rest_parts.sum
        if not abs(parts + (step.bias or 0) - step.total) <= 1e-12 * max(step.size, 1):
            found.append(f"{step.title}: its channels make {parts}, the total is {step.total}")
    for term in step.terms:
        if term.place is None or term.place.node.endswith(steps.LOGITS):
            continue
        if term.value != float(one.arrays[term.place.node][term.place.index]):
            found.append(f"{step.title}: {term.place} is not {term.value}")
        if step.combine != "share" and term.product != term.value * term.weight:
            found.append(f"{step.title}: {term} is no product")
    return found


@pytest.mark.parametrize("name", [*SHIPPED, *SYSTEMS, *(f"random {seed}" for seed in range(NETWORKS))])
def test_the_terms_of_random_cells_of_every_layer_add_up_to_what_keras_computed(name: str) -> None:
    trace = net("trace")

    one = scene_of(name)
    wrong = [fault for place in random_cells(one) for fault in faults(one, trace.step_at(one, place))]
    assert not wrong, "\n".join(wrong[:5])


def test_the_random_networks_hold_every_kind_that_is_supported() -> None:
    arithmetic = net("arithmetic")

    seen = {type(layer).__name__ for n in range(NETWORKS) for layer in scene_of(f"random {n}").layers.values()}
    assert set(arithmetic.KINDS) <= seen, sorted(set(arithmetic.KINDS) - seen)


# ---------------------------------------------------------------------------------------- mistakes that are caught


def flipped(original: Callable[..., Any]) -> Callable[..., Any]:
    def array_of(variable: Any) -> Any:
        values = original(variable)
        return values[::-1, ::-1] if values.ndim == 4 else values

    return array_of


MUTATIONS: dict[str, tuple[str, str, Callable[[Callable[..., Any]], Callable[..., Any]]]] = {
    "dilation ignored": (
        "windows",
        "axis_inputs",
        lambda old: lambda at, taps, stride, _, size, padding: old(at, taps, stride, 1, size, padding),
    ),
    "stride ignored": (
        "windows",
        "axis_inputs",
        lambda old: lambda at, taps, _, dilation, size, padding: old(at, taps, 1, dilation, size, padding),
    ),
    "padding one off": ("windows", "before", lambda old: lambda *settings: old(*settings) + (settings[-1] == "same")),
    "kernel flipped": ("windows", "array_of", flipped),
    "kernel flipped in dense order": ("arithmetic", "array_of", lambda old: lambda variable: old(variable)[::-1]),
    "activation left out": ("windows", "fused", lambda _: lambda _layer: ("", lambda x: x)),
    "epsilon left out": (
        "arithmetic",
        "_batch_norm",
        lambda old: lambda layer, *rest: old(_Without(layer, epsilon=0.0), *rest),
    ),
    "mean of one axis only": (
        "arithmetic",
        "_layer_norm",
        lambda old: lambda layer, *rest: old(_Without(layer, axis=layer.axis[-1:], gamma=None, beta=None), *rest),
    ),
    "mean of all groups": (
        "arithmetic",
        "_group_norm",
        lambda old: lambda layer, *rest: old(_Without(layer, groups=1), *rest),
    ),
}
OF_KINDS = {
    "_batch_norm": "BatchNormalization",
    "_layer_norm": "LayerNormalization",
    "_group_norm": "GroupNormalization",
}


class _Without:
    """A layer with one setting changed."""

    def __init__(self, layer: Any, **changed: Any) -> None:
        self._layer, self._changed = layer, changed

    def __getattr__(self, name: str) -> Any:
        return self._changed[name] if name in self._changed else getattr(self._layer, name)


def small_network() -> Any:
    import keras
    from keras import layers

    given = keras.Input((12, 12, 2))
    x = layers.Conv2D(4, 3, padding="same", dilation_rate=2, activation="relu")(given)
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2, padding="same")(x))
    x = layers.AveragePooling2D(3, 1, "same")(x)
    x = layers.GroupNormalization(2)(layers.LayerNormalization([1, 3], scale=False, center=False)(x))
    return randomized(keras.Model(given, layers.Dense(3)(layers.Flatten()(x))))


def small_faults() -> list[str]:
    forward = net("forward")
    trace = net("trace")
    scenes = net("scene")

    model = small_network()
    picture = np.random.default_rng(1).integers(0, 256, (12, 12, 2), np.uint8)
    arrays = forward.outputs(model, picture[None] / np.float32(255))
    one = scenes.scene_of(model, card(Preprocessing(12, 12), LABELS), picture, Look(), arrays)
    return [fault for place in random_cells(one, cells=15) for fault in faults(one, trace.step_at(one, place))]


@pytest.mark.parametrize("name", ["", *MUTATIONS, "bias dropped", "padding counted in a mean"])
def test_broken_arithmetic_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arithmetic = net("arithmetic")
    terms = net("terms")
    trace = net("trace")
    windows = net("windows")

    if name in MUTATIONS:
        module, function, mutate = MUTATIONS[name]
        target = {"windows": windows, "arithmetic": arithmetic}[module]
        if function.startswith("_"):  # the kinds are looked up in a table
            monkeypatch.setitem(arithmetic._KINDS, OF_KINDS[function], mutate(getattr(target, function)))
        else:
            monkeypatch.setattr(target, function, mutate(getattr(target, function)))
    elif name == "bias dropped":

        def without(found: Any) -> Any:
            found.bias = None
            return terms.total(found)

        monkeypatch.setattr(trace, "total_of", without)
    elif name:
        old = windows.pool

        def counted(*given: Any) -> Any:
            found = old(*given)
            found.weights[:] = 1 / len(found.weights)
            return found

        monkeypatch.setitem(arithmetic._KINDS, "AveragePooling2D", counted)
    assert bool(small_faults()) == bool(name)


# ------------------------------------------------------------------------------------------- the way, and its ends


def test_the_way_from_the_answer_ends_at_a_pixel_and_each_step_comes_from_a_term_of_the_one_before() -> None:
    trace = net("trace")

    one = scene_of("objects")
    picture = one.picture
    walk = trace.walk(MODELS / "objects", picture, Look(), ())
    start = walk.starts[walk.chosen]
    way = [trace.step_at(one, start)]
    while way[-1].follow is not None:
        way.append(trace.step_at(one, way[-1].follow))
    assert walk.probabilities[walk.chosen] == max(walk.probabilities)
    assert way[0].form == "softmax"
    assert way[-1].form == "photo"
    assert {step.form for step in way} == {"softmax", "terms", "function", "line", "window", "pool", "photo"}
    for before, after in pairwise(way):
        assert after.place == before.follow
        assert after.place in [term.place for term in before.terms]
    top, left, _, _ = way[-1].reach
    assert (top, left) == way[-1].place.index[:2]
    level = picture[way[-1].place.index]
    assert way[-1].value == pytest.approx(level / 255, rel=1e-6)
    trail = tuple(step.place for step in way)
    assert trace.walk(MODELS / "objects", picture, Look(), steps.read(steps.written(trail))).trail == trail


@pytest.mark.parametrize("name", ["random 0", "random 3", "random 5"])
def test_a_pixel_reaches_only_cells_that_see_it(name: str) -> None:
    scenes = net("scene")
    one = scene_of(name)
    for pixel in ((0, 0), (6, 5), (12, 10)):
        for found in scenes.reached(one, Place(scenes.input_of(one), (*pixel, 0))):
            if found.place is None:  # cropped away, or between the windows of a stride
                assert found.count == 0
                continue
            top, left, bottom, right = scenes.reach_of(one, found.place)
            assert top <= pixel[0] < bottom, found
            assert left <= pixel[1] < right, found


@pytest.mark.parametrize("settings", [{}, {"strides": 2, "padding": "same"}, {"dilation_rate": 3, "padding": "same"}])
def test_the_cells_that_a_pixel_can_reach_are_those_that_change_with_it(settings: dict[str, Any]) -> None:
    import keras
    from keras import layers

    forward = net("forward")
    scenes = net("scene")

    given = keras.Input((14, 14, 1))
    x = layers.Conv2D(2, 3, use_bias=False, kernel_initializer="ones", **settings)(given)
    x = layers.AveragePooling2D(2, padding="same")(layers.ZeroPadding2D(1)(x))
    model = keras.Model(given, x)
    for y, column in ((0, 0), (3, 8), (13, 13), (7, 7)):
        picture = np.zeros((14, 14, 1), np.uint8)
        picture[y, column] = 255
        arrays = forward.outputs(model, picture[None].astype(np.float32))
        one = scenes.scene_of(model, card(Preprocessing(14, 14, "grey"), LABELS), picture, Look(), arrays)
        for found in scenes.reached(one, Place(scenes.input_of(one), (y, column, 0))):
            lit = arrays[found.node].any(axis=2)
            assert found.count == lit.sum(), (found, lit.sum())
            if found.box:
                rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
                assert found.box == (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
                assert lit[found.place.index[:2]]


@pytest.mark.parametrize("axis", [-1, 3, [3], 1, [1, 3], [2, 3], [1, 2, 3], None])
def test_a_number_reaches_all_that_a_normalization_has_in_one_mean_with_it(axis: Any) -> None:
    from keras import layers

    reach = net("reach")

    layer = layers.GroupNormalization(2) if axis is None else layers.LayerNormalization(axis)
    values = np.random.default_rng(2).normal(size=(5, 6, 4)).astype(np.float32)
    before = np.asarray(layer(values[None]))[0]
    for place in ((0, 0, 0), (4, 2, 3), (2, 5, 1)):
        other, mask = values.copy(), np.zeros(values.shape, np.bool_)
        other[place] += 5
        mask[place] = True
        changed = np.asarray(layer(other[None]))[0] != before
        reached = reach.ahead(layer, [mask], values.shape)
        if axis is None:  # its groups are not told apart
            assert reached.all()
        else:
            np.testing.assert_array_equal(reached, changed)


# ------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Place("conv_1", (40, 7, 0)), "The link leads to cell (40, 7, 0) of conv 1, whose shape is 32 × 32 × 16"),
        (Place("conv_1", (4, 7)), "whose shape is 32 × 32 × 16"),
        (Place("conv_99", (0, 0, 0)), "The link leads to the layer “conv_99”, which Ten everyday things does not have"),
        (Place("dense_1@logits", (0,)), "which Ten everyday things does not have"),
    ],
)
def test_a_place_that_is_not_there_gets_a_sentence_and_the_trail_before_it_is_shown(place: Place, words: str) -> None:
    trace = net("trace")

    picture = np.zeros((32, 32, 3), np.uint8)
    walk = trace.walk(MODELS / "objects", picture, Look(), (Place("softmax_1", (3,)), place))
    assert words in walk.problem
    assert walk.trail == (Place("softmax_1", (3,)),)
    assert walk.step is not None
    assert walk.step.adds_up


def test_a_vector_s_number_may_stand_as_a_cell_of_one_row_and_column() -> None:
    trace = net("trace")

    walk = trace.walk(MODELS / "objects", np.zeros((32, 32, 3), np.uint8), Look(), steps.read("dense_1,0,0,4"))
    assert walk.trail == (Place("dense_1", (4,)),)
    assert walk.titles == ("dense 1, deer",)


@pytest.mark.parametrize(
    ("units", "ends", "off", "told"),
    [
        (3, "softmax", (), True),
        (3, "softmax", ("last",), False),
        (3, None, (), False),
        (1, "sigmoid", (), True),
        (1, "sigmoid", ("last",), False),
    ],
)
def test_an_answer_has_probabilities_only_where_it_ends_with_what_makes_them(
    units: int, ends: str | None, off: tuple[str, ...], told: bool
) -> None:
    import keras
    from keras import layers

    scenes = net("scene")

    given = keras.Input((6, 6, 1))
    model = randomized(keras.Model(given, layers.Dense(units, ends, name="last")(layers.Flatten()(given))), 4)
    one = scene(model, Preprocessing(6, 6, "grey"), LABELS if units == 3 else LABELS[:2], Look(linear=off))
    numbers = one.arrays["last"].ravel()
    places, shares, chosen = scenes.answer(one)
    assert [place.index for place in places] == ([(0,), (1,), (2,)] if units == 3 else [(0,), (0,)])
    assert (shares is not None) is told
    if shares is not None:
        assert shares == pytest.approx(numbers if units == 3 else [1 - numbers[0], numbers[0]], abs=1e-6)
        assert sum(shares) == pytest.approx(1, abs=1e-6)
    between = 0.5 if told else 0
    assert chosen == (int(numbers.argmax()) if units == 3 else int(numbers[0] > between))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_shown_as_what_they_are(value: float) -> None:
    import keras
    from keras import layers

    trace = net("trace")

    given = keras.Input((6, 6, 3))
    x = layers.ReLU()(layers.Conv2D(2, 3)(given))
    model = keras.Model(given, layers.Softmax()(layers.Dense(3)(layers.Flatten()(layers.MaxPooling2D(2)(x)))))
    randomized(model)
    kernel = model.layers[1].kernel.numpy()
    kernel[1, 1, 0, 0] = value
    model.layers[1].kernel.assign(kernel)
    one = scene(model, Preprocessing(6, 6), LABELS)
    for place in random_cells(one, cells=5):
        step = trace.step_at(one, place)
        assert step.sentence
        if place.index[-1] == 0 and step.form == "window":
            assert str(step.result) == str(float(value))
            assert step.adds_up
            assert "NaN" in step.sentence or "∞" in step.sentence
        assert tracing.message("trace", _walk(one, step), "plane")


def _walk(one: Any, step: Step) -> steps.Walk:
    scenes = net("scene")
    starts, probabilities = (found and found[:3] for found in scenes.answer(one)[:2])
    lit = scenes.map_of(one, step.place)
    return steps.Walk((step.place,), (step.title,), step, "", starts, LABELS, probabilities, 0, "input", lit)


def test_of_a_layer_with_a_hundred_thousand_terms_only_what_is_shown_is_sent() -> None:
    import keras
    from keras import layers

    trace = net("trace")

    given = keras.Input((183, 183, 3))
    one = scene(
        randomized(keras.Model(given, layers.Dense(3)(layers.Flatten()(given)))), Preprocessing(183, 183), LABELS
    )
    step = trace.step_at(one, Place(one.last, (1,)))
    assert step.count == 100_467
    assert len(step.terms) == steps.TERMS
    assert step.rest.count == 100_467 - steps.TERMS
    assert not faults(one, step)
    assert len(tracing.message("trace", _walk(one, step), "plane")) < 6000


def test_of_two_thousand_channels_the_strongest_are_sent_with_their_windows() -> None:
    import keras
    from keras import layers

    trace = net("trace")

    given = keras.Input((8, 8, 3))
    wide = layers.Conv2D(2048, 1)(given)
    one = scene(randomized(keras.Model(given, layers.Conv2D(2, 7, padding="same")(wide))), Preprocessing(8, 8), LABELS)
    step = trace.step_at(one, Place(one.last, (4, 4, 1)))
    assert not faults(one, step)
    assert (len(step.parts), step.rest_parts.count) == (steps.PARTS, 2048 - steps.PARTS)
    sums = [abs(part.sum) for part in step.parts]
    assert sums == sorted(sums, reverse=True)
    assert len(tracing.message("trace", _walk(one, step), "plane")) < 30_000


def test_a_kind_that_is_not_known_says_so_and_ends_the_trace_with_its_value() -> None:
    import keras
    from keras import layers

    trace = net("trace")

    given = keras.Input((6, 6, 3))
    model = keras.Model(given, layers.Dense(3)(layers.UnitNormalization(name="odd")(layers.Flatten()(given))))
    one = scene(model, Preprocessing(6, 6), LABELS)
    step = trace.step_at(one, Place("odd", (5,)))
    assert (step.form, step.follow, step.terms) == ("end", None, ())
    assert step.value == step.result == one.arrays["odd"][5]
    assert "does not know the arithmetic of the layer kind UnitNormalization" in step.end


def test_a_normalization_says_of_what_its_mean_and_variance_are() -> None:
    import keras
    from keras import layers

    trace = net("trace")

    given = keras.Input((6, 4, 3))
    x = layers.LayerNormalization(name="cell")(layers.Conv2D(4, 1)(given))
    x = layers.GroupNormalization(2, name="group")(x)
    one = scene(keras.Model(given, layers.Dense(3)(layers.Flatten()(x))), Preprocessing(6, 4), LABELS)
    # a cell's four channels; two channels of 6 × 4 cells
    for name, count, along in (("cell", 4, np.s_[2, 3, :]), ("group", 48, np.s_[..., 2:])):
        step = trace.step_at(one, Place(name, (2, 3, 3)))
        assert f"Mean and variance are of {count} numbers of this picture, x among them." in step.note
        values = one.arrays[one.nodes[name].inputs[0]][along].astype(np.float64)
        assert dict(step.numbers)["mean"] == pytest.approx(values.mean())
        assert dict(step.numbers)["variance"] == pytest.approx(values.var())
        assert step.follow == Place(one.nodes[name].inputs[0], (2, 3, 3))


@pytest.mark.parametrize("switched", [Look(linear=("conv_1",)), Look(off={"conv_1": [2]}), Look(linear=("dense_1",))])
def test_what_is_switched_off_is_off_in_the_trace_too(switched: Look) -> None:
    import keras
    from keras import layers

    trace = net("trace")

    given = keras.Input((8, 8, 3))
    x = layers.Flatten()(layers.Conv2D(4, 3, activation="relu", name="conv_1")(given))
    model = randomized(keras.Model(given, layers.Dense(3, activation="softmax", name="dense_1")(x)))
    one = scene(model, Preprocessing(8, 8), LABELS, switched)
    ended = 0
    for place in random_cells(one, cells=30):
        step = trace.step_at(one, place)
        if step.form == "end":
            ended += 1
            assert "switched off" in step.end
            assert step.value == 0
            assert place.index[-1] == 2
        else:
            assert not faults(one, step)
    assert bool(ended) == bool(switched.off)


@pytest.mark.parametrize("kind", ["Conv2D", "DepthwiseConv2D", "SeparableConv2D"])
def test_every_convolution_with_a_softmax_of_its_own_is_traced_through_it(kind: str) -> None:
    import keras
    from keras import layers

    forward, scenes, trace = net("forward"), net("scene"), net("trace")

    settings = {"DepthwiseConv2D": {"depth_multiplier": 2}}.get(kind, {"filters": 6})
    given = keras.Input((5, 5, 3))
    layer = getattr(layers, kind)(**settings, kernel_size=3, padding="same", activation="softmax", name="conv")
    model = randomized(keras.Model(given, layer(given)))
    picture = np.random.default_rng(1).integers(0, 2, (5, 5, 3), np.uint8)
    arrays = forward.outputs(model, picture[None].astype(np.float32))
    one = scenes.scene_of(model, card(Preprocessing(5, 5, "rgb"), LABELS), picture, Look(), arrays)
    step = trace.step_at(one, Place("conv", (1, 2, 4)))
    assert (step.form, step.count, step.end) == ("softmax", 6, "")
    assert step.result == pytest.approx(float(arrays["conv"][1, 2, 4]), rel=1e-4)
