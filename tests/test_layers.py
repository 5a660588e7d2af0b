"""Networks as lists: shapes, parameters and multiply-adds checked by hand, impossible layers, JSON, ends, presets."""

import json
import subprocess
import sys

import pytest

from cnnviz.layer_kinds import (
    KINDS,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    LayerError,
    MaxPooling2D,
    ReLU,
    ResidualBlock,
    Sigmoid,
    Softmax,
    from_json,
    to_json,
)
from cnnviz.layers import label, memory, names, summary, with_classes
from cnnviz.presets import PRESETS

ONE_OF_EACH = (
    Conv2D(8, (3, 5), (2, 1), "same", "tanh", False, 1, 1),
    BatchNormalization(0.99),
    ReLU(),
    MaxPooling2D(3, 2),
    AveragePooling2D(padding="same"),
    ResidualBlock(16, 2, 4),
    Dropout(0.25),
    GlobalAveragePooling2D(),
    Flatten(),
    Dense(3, "relu"),
    Softmax(),
    Sigmoid(),
)


# Each number was worked out by hand from the definitions, not with this code.
@pytest.mark.parametrize(
    ("layer", "shape", "output", "how", "parameters", "trainable", "multiply_adds"),
    [
        (Conv2D(64, 3), (10, 10, 32), (8, 8, 64), "3·3·32·64 + 64", 18_496, 18_496, 1_179_648),
        (Conv2D(32, 3), (256, 256, 3), (254, 254, 32), "3·3·3·32 + 32", 896, 896, 55_741_824),
        (Conv2D(4, 3, use_bias=False), (5, 5, 1), (3, 3, 4), "3·3·1·4", 36, 36, 324),
        (Conv2D(2, (1, 3), (2, 1)), (5, 5, 1), (3, 3, 2), "1·3·1·2 + 2", 8, 8, 54),
        (Conv2D(2, 3, 2, "same"), (5, 4, 1), (3, 2, 2), "3·3·1·2 + 2", 20, 20, 108),
        (Conv2D(2, 3, 2), (6, 6, 1), (2, 2, 2), "3·3·1·2 + 2", 20, 20, 72),
        (Conv2D(1, 3, dilation_rate=2), (5, 7, 1), (1, 3, 1), "3·3·1·1 + 1", 10, 10, 27),
        (Conv2D(6, 3, groups=2), (3, 3, 4), (1, 1, 6), "3·3·2·6 + 6", 114, 114, 108),
        (Conv2D(4, 1, groups=4), (2, 2, 4), (2, 2, 4), "1·1·1·4 + 4", 8, 8, 16),
        (BatchNormalization(), (4, 5, 6), (4, 5, 6), "4·6", 24, 12, 120),
        (BatchNormalization(), (7,), (7,), "4·7", 28, 14, 7),
        (ReLU(), (4, 5, 6), (4, 5, 6), "", 0, 0, 0),
        (MaxPooling2D(), (5, 4, 3), (2, 2, 3), "", 0, 0, 0),
        (MaxPooling2D(3, 2, "same"), (5, 4, 3), (3, 2, 3), "", 0, 0, 0),
        (MaxPooling2D((2, 1)), (5, 4, 3), (2, 4, 3), "", 0, 0, 0),
        (AveragePooling2D(3, 1), (5, 4, 3), (3, 2, 3), "", 0, 0, 0),
        (Dropout(0.5), (4, 5, 6), (4, 5, 6), "", 0, 0, 0),
        (Flatten(), (62, 62, 16), (61_504,), "", 0, 0, 0),
        (GlobalAveragePooling2D(), (4, 5, 6), (6,), "", 0, 0, 0),
        (Dense(7), (1024,), (7,), "1,024·7 + 7", 7_175, 7_175, 7_168),
        (Softmax(), (7,), (7,), "", 0, 0, 0),
        (Sigmoid(), (1,), (1,), "", 0, 0, 0),
        # two convolutions of 3·3·16·16 = 2,304 and two batch norms, on 4×4 cells: 16·4,608 + 2·256
        (ResidualBlock(16), (4, 4, 16), (4, 4, 16), "3·3·16·16 + 4·16 + 3·3·16·16 + 4·16", 4_736, 4_672, 74_240),
        # stride 2 on 5×5 gives 3×3 cells: 9·(144 + 576 + 16) products and three batch norms of 9·8 numbers
        (
            *(ResidualBlock(8, 2), (5, 5, 2), (3, 3, 8)),
            *("3·3·2·8 + 4·8 + 3·3·8·8 + 4·8 + 1·1·2·8 + 4·8", 832, 784, 9 * 736 + 3 * 72),
        ),
        # squeeze by 4: 8·2 + 2 and 2·8 + 8 parameters, 32 products and one for each of the 2·2·8 numbers
        (
            *(ResidualBlock(8, 1, 4), (2, 2, 8), (2, 2, 8)),
            *("3·3·8·8 + 4·8 + 3·3·8·8 + 4·8 + 8·2 + 2 + 2·8 + 8", 1_258, 1_226, 4_608 + 64 + 32 + 32),
        ),
        # the squeeze goes by the block's own 8 channels, not by the 2 that come in: 8 / 2 = 4 units
        (
            *(ResidualBlock(8, 1, 2), (1, 1, 2), (1, 1, 8)),
            "3·3·2·8 + 4·8 + 3·3·8·8 + 4·8 + 8·4 + 4 + 4·8 + 8 + 1·1·2·8 + 4·8",
            *(908, 860, 144 + 576 + 16 + 3 * 8 + 64 + 8),
        ),
    ],
)
def test_a_layer_in_numbers(layer, shape, output, how, parameters, trainable, multiply_adds):
    # a vector comes out of a Flatten, since a network's input is a map
    rows = summary((layer,), shape) if len(shape) == 3 else summary((Flatten(), layer), (1, 1, *shape))
    row = rows[-1]
    assert (row.output_shape, row.how, row.parameters) == (output, how, parameters)
    assert (row.trainable, row.multiply_adds) == (trainable, multiply_adds)


@pytest.mark.parametrize(
    ("layers", "shape", "sentence"),
    [
        (
            (Conv2D(4), MaxPooling2D(), Conv2D(4, 3), MaxPooling2D()),
            (8, 8, 1),
            "Layer 4, MaxPooling2D 2×2: its input is 1×1, smaller than its window of 2×2; use padding same, pool less "
            "before it or take larger pictures.",
        ),
        ((Conv2D(4, (5, 1)),), (4, 9, 3), "Layer 1, Conv2D 5×1, 4 filters: its input is 4×9, smaller than its window"),
        ((Conv2D(1, 3, dilation_rate=4),), (8, 9, 3), "its input is 8×9, smaller than its window of 9×9"),
        ((AveragePooling2D(3),), (9, 2, 3), "Layer 1, AveragePooling2D 3×3: its input is 9×2"),
        ((Dense(5),), (8, 8, 3), "Layer 1, Dense 5: its input is a map of 8×8×3, not a vector; put Flatten or"),
        ((ReLU(), Softmax()), (8, 8, 3), "Layer 2, Softmax: its input is a map of 8×8×3, not a vector"),
        ((Sigmoid(),), (8, 8, 3), "Layer 1, Sigmoid: its input is a map"),
        ((Flatten(), Conv2D(2)), (8, 8, 3), "Layer 2, Conv2D 3×3, 2 filters: its input is a vector of 192, not a map"),
        ((Flatten(), ResidualBlock(2)), (8, 8, 3), "Layer 2, ResidualBlock 2: its input is a vector of 192"),
        ((Flatten(), MaxPooling2D()), (8, 8, 3), "Layer 2, MaxPooling2D 2×2: its input is a vector"),
        ((Flatten(), GlobalAveragePooling2D()), (8, 8, 3), "Layer 2, GlobalAveragePooling2D: its input is a vector"),
        ((Conv2D(2, 3, 2, dilation_rate=2),), (8, 8, 3), "strides and dilation_rate above 1, which Keras cannot do"),
        ((Conv2D(4, groups=2),), (8, 8, 3), "3 input channels cannot be shared out to 2 groups"),
        ((Conv2D(4, groups=3),), (8, 8, 3), "4 filters cannot be shared out to 3 groups"),
        (
            (Flatten(), Dense(65_536), Dense(10)),
            (256, 256, 3),
            "Layer 2, Dense 65536: its 12,884,967,424 parameters bring the network to 12,884,967,424, more than the "
            "100,000,000 allowed",
        ),
        ((Flatten(), Dense(9_000), Dense(9_000), Dense(9_000)), (1, 1, 9), "Layer 4, Dense 9000: its 81,009,000"),
        ((), (8, 8, 3), "The network has 0 layers; it must have 1 to 100."),
        ((ReLU(),) * 500, (8, 8, 3), "The network has 500 layers; it must have 1 to 100."),
        ("Conv2D", (8, 8, 3), "The network is 'Conv2D'; a list of layers was expected."),
        ((ReLU(),), (0, 8, 3), "The network's input is (0, 8, 3); expected (height, width, channels)"),
        ((ReLU(),), (8, 8), "The network's input is (8, 8); expected"),
        ((ReLU(),), (8, 8, 10**20), "each from 1 to 4,096."),
        ((ReLU(),), None, "The network's input is None"),
    ],
)
def test_an_impossible_network_is_named_with_its_reason(layers, shape, sentence):
    with pytest.raises(LayerError) as error:
        summary(layers, shape)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ({"kind": "Conv2D", "filters": 0}, "Conv2D: filters is 0; it must be a whole number from 1 to 4,096."),
        ({"kind": "Conv2D", "filters": "32"}, "Conv2D: filters is '32'; it must be a whole number"),
        ({"kind": "Conv2D", "filters": 3.0}, "filters is 3.0; it must be a whole number"),
        ({"kind": "Conv2D", "filters": True}, "filters is True; it must be a whole number"),
        ({"kind": "Conv2D", "filters": -(10**5000)}, "filters is a huge number; it must be"),
        ({"kind": "Conv2D", "filters": [10**5000]}, "filters is list; it must be"),
        ({"kind": "Conv2D", "filters": "9" * 99}, f"filters is '{'9' * 38}…; it must be"),
        ({"kind": "Conv2D"}, 'Conv2D: filters is missing; add it, as in {"kind": "Conv2D", "filters": 16}.'),
        (
            {"kind": "Conv2D", "filters": 1, "size": 3},
            "Conv2D: it has no setting 'size'; its settings are filters,",
        ),
        ({"kind": "ReLU", "slope": 3}, "ReLU: it has no setting 'slope'; it has no settings."),
        ({"kind": "Conv2D", "filters": 1, "kernel_size": [3, 0]}, "kernel_size is [3, 0]; it must be one or two"),
        ({"kind": "Conv2D", "filters": 1, "kernel_size": [3, 3, 3]}, "kernel_size is [3, 3, 3]; it must be one or"),
        ({"kind": "Conv2D", "filters": 1, "kernel_size": 65}, "one or two whole numbers from 1 to 64."),
        ({"kind": "Conv2D", "filters": 1, "strides": None}, "Conv2D: strides is None; it must be one or two"),
        ({"kind": "Conv2D", "filters": 1, "padding": "full"}, "padding is 'full'; choose valid, same."),
        ({"kind": "Conv2D", "filters": 1, "padding": ["same"]}, "padding is ['same']; choose valid, same."),
        ({"kind": "Conv2D", "filters": 1, "activation": "softmax"}, "'softmax'; choose none, relu, sigmoid, tanh."),
        ({"kind": "Dense", "units": 1, "activation": "swish"}, "'swish'; choose none, relu, sigmoid, tanh, softmax."),
        ({"kind": "Conv2D", "filters": 1, "use_bias": 1}, "use_bias is 1; it must be true or false."),
        ({"kind": "Dense", "units": 65_537}, "units is 65537; it must be a whole number from 1 to 65,536."),
        ({"kind": "Dropout", "rate": 1}, "Dropout: rate is 1; it must be a number from 0 to 0.99."),
        ({"kind": "Dropout", "rate": float("nan")}, "rate is nan; it must be a number"),
        ({"kind": "Dropout", "rate": 10**400}, "rate is a huge number; it must be a number"),
        ({"kind": "BatchNormalization", "momentum": 1}, "momentum is 1; it must be a number from 0 to 0.9999."),
        ({"kind": "ResidualBlock", "filters": 4, "squeeze": -1}, "squeeze is -1; it must be a whole number"),
        ({"kind": "Conv3D"}, "Layer 2, whose kind is 'Conv3D', is not known here; choose Conv2D, BatchNormalization,"),
        ({"kind": ["ReLU"]}, "whose kind is ['ReLU'], is not known here"),
        ({}, "whose kind is None, is not known here"),
        (7, "whose kind is None, is not known here"),
    ],
)
def test_an_impossible_setting_is_named_with_its_layer(item, sentence):
    with pytest.raises(LayerError) as error:
        from_json([{"kind": "ReLU"}, item])
    assert str(error.value).startswith("Layer 2, ")
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"format": 2, "layers": [{"kind": "ReLU"}]}, "has format 2, newer than this program's; update cnnviz."),
        ({"format": 0, "layers": [{"kind": "ReLU"}]}, "format is 0; this program reads format 1."),
        ({"format": "1", "layers": [{"kind": "ReLU"}]}, "format is '1'; this program reads format 1."),
        ({"layers": [{"kind": "ReLU"}]}, "format is None"),
        ({"format": 1}, "The network is None; a list of layers was expected."),
        ({"format": 1, "layers": []}, "The network has 0 layers"),
        ([{"kind": "ReLU"}] * 101, "The network has 101 layers"),
        (None, "The network is None"),
        ("[]", "The network is '[]'"),
    ],
)
def test_what_is_no_list_of_layers_is_refused(given, sentence):
    with pytest.raises(LayerError, match=r"^The network") as error:
        from_json(given)
    assert sentence in str(error.value)


@pytest.mark.parametrize("layers", [ONE_OF_EACH, *(preset.layers for preset in PRESETS.values())])
def test_json_gives_the_same_layers_back(layers):
    given = json.loads(json.dumps(to_json(layers)))
    assert given["format"] == 1
    assert from_json(given) == from_json(given["layers"]) == layers


def test_one_of_each_kind_is_tested():
    assert {type(layer).__name__ for layer in ONE_OF_EACH} == set(KINDS)


def test_one_number_stands_for_a_pair():
    assert Conv2D(2, 3, 2) == Conv2D(2, (3, 3), (2, 2)) == Conv2D(2, [3, 3], [2, 2])


def test_names_count_each_kind_and_labels_tell_what_differs():
    assert names(ONE_OF_EACH) == (
        *("conv_1", "bn_1", "relu_1", "pool_1", "pool_2", "block_1", "dropout_1"),
        *("global_average_1", "flatten_1", "dense_1", "softmax_1", "sigmoid_1"),
    )
    assert [label(layer) for layer in (*ONE_OF_EACH, Conv2D(1, 3, dilation_rate=2), Conv2D(4, 1, 2, groups=2))] == [
        "Conv2D 3×5, 8 filters, strides 2×1, same, tanh",
        "BatchNormalization",
        "ReLU",
        "MaxPooling2D 3×3, stride 2",
        "AveragePooling2D 2×2, same",
        "ResidualBlock 16, squeeze 4, stride 2",
        "Dropout 0.25",
        "GlobalAveragePooling2D",
        "Flatten",
        "Dense 3, ReLU",
        "Softmax",
        "Sigmoid",
        "Conv2D 3×3, 1 filter, dilation 2×2",
        "Conv2D 1×1, 4 filters, 2 groups, stride 2",
    ]


BODY = (Conv2D(2), Flatten(), Dense(4, "relu"))


@pytest.mark.parametrize(
    ("end", "n", "expected"),
    [
        ((Dense(1, "sigmoid"),), 2, (Dense(1, "sigmoid"),)),
        ((Dense(1, "sigmoid"),), 3, (Dense(3, "softmax"),)),
        ((Dense(1), Sigmoid()), 2, (Dense(1), Sigmoid())),
        ((Dense(1), Sigmoid()), 7, (Dense(7), Softmax())),
        ((Dense(10, "softmax"),), 2, (Dense(2, "softmax"),)),
        ((Dense(10), Softmax()), 10, (Dense(10), Softmax())),
        ((Dense(10), Softmax()), 3, (Dense(3), Softmax())),
        ((Dense(10),), 3, (Dense(3), Softmax())),  # logits become shares
        ((Dense(1),), 2, (Dense(2), Softmax())),
        ((Dense(4, "sigmoid"),), 2, (Dense(2, "softmax"),)),
        ((Dense(10, "relu"), Softmax()), 3, (Dense(3), Softmax())),
        ((Dense(1, "softmax"),), 2, (Dense(2, "softmax"),)),
    ],
)
def test_the_end_is_taken_from_the_number_of_classes(end, n, expected):
    assert with_classes((*BODY, *end), n) == (*BODY, *expected)


@pytest.mark.parametrize(
    ("layers", "n", "sentence"),
    [
        ((Conv2D(2), GlobalAveragePooling2D(), Softmax()), 3, "The network must end with a Dense layer"),
        ((Flatten(), Dense(4), ReLU()), 3, "The network must end with a Dense layer"),
        ((Flatten(), Dense(4)), 1, "The number of classes is 1; a network needs at least two"),
        ((Flatten(), Dense(4)), "3", "The number of classes is '3'"),
        ((Flatten(), Dense(4)), True, "The number of classes is True"),
        ((), 3, "The network has 0 layers"),
    ],
)
def test_an_end_without_classes_is_refused(layers, n, sentence):
    with pytest.raises(LayerError) as error:
        with_classes(layers, n)
    assert sentence in str(error.value)


def test_memory_of_a_batch_checked_by_hand():
    # input 4·4·1 = 16; conv 2·2·3 = 12 before and 12 after its ReLU; flatten none; dropout 12 and a mask of 12; dense 5
    layers = (Conv2D(3, activation="relu"), Flatten(), Dropout(0.5), Dense(5))
    found = memory(layers, (4, 4, 1), 10, slots=2)
    assert found.activations == 4 * 10 * (16 + 24 + 24 + 5 + 2 * 16)
    assert (found.parameters, found.gradients, found.optimizer) == (4 * 95, 4 * 95, 8 * 95)
    assert found.total == 4 * (10 * 101 + 4 * 95)
    assert found.how == (
        "4 bytes · (10 pictures · (69 + 2·16 numbers) + 95 parameters + 95 gradients + 2·95 of the optimizer)"
    )


def test_memory_keeps_every_layer_of_a_block_and_no_gradient_of_moving_means():
    # conv, bn, relu, conv, bn, sum, relu: 7 numbers a cell of 2·2·4; with squeeze 4 + 2·2 + 2·4 and the product more
    plain, squeezed = (memory((ResidualBlock(4, 1, r),), (2, 2, 4), 1, slots=0) for r in (0, 2))
    assert plain.activations == 4 * (16 + 7 * 16 + 2 * 16)
    assert squeezed.activations == plain.activations + 4 * (4 + 4 + 8 + 16)
    assert (plain.parameters, plain.gradients) == (4 * (2 * 144 + 2 * 16), 4 * (2 * 144 + 2 * 8))
    assert plain.optimizer == 0


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("system-a", 15_767_313),
        ("system-a-small", 7_886_481),
        ("system-b", 3_696_625),
        ("system-c", 2_345_607),
        ("system-d", 813_217),
    ],
)
def test_the_five_systems_have_exactly_their_parameters(name, parameters):
    preset = PRESETS[name]
    assert sum(row.parameters for row in summary(preset.layers, preset.preprocessing.shape)) == parameters


@pytest.mark.parametrize(
    ("name", "channels", "parameters"),
    [
        ("tiny", 24, 8_000),
        ("objects", 16, 25_000),
        ("objects-plain", 16, 25_000),
        ("cats-dogs", 128, 500_000),
        ("emotions", 192, 2_000_000),
        ("happy-sad", 192, 1_000_000),
    ],
)
def test_our_networks_keep_their_bounds(name, channels, parameters):
    preset = PRESETS[name]
    rows = summary(preset.layers, preset.preprocessing.shape)
    assert max(row.output_shape[2] for row in rows if len(row.output_shape) == 3) == channels
    assert sum(row.parameters for row in rows) <= parameters


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_what_it_is_and_its_arithmetic_adds_up(name):
    preset = PRESETS[name]
    rows = summary(preset.layers, preset.preprocessing.shape)
    assert preset.name == name
    assert preset.note.endswith(".")
    for row in rows:
        assert row.parameters == (eval(row.how.replace("·", "*").replace(",", "")) if row.how else 0), row
    outputs = rows[-1].output_shape[0]
    assert len(preset.labels) in (0, 2 if outputs == 1 else outputs)
    for n in (2, 10):
        changed = summary(with_classes(preset.layers, n), preset.preprocessing.shape)
        assert changed[-1].output_shape[0] == (1 if outputs == 1 and n == 2 else n)


def test_lists_are_read_without_keras():
    code = "import sys, cnnviz.presets; print([m for m in ('keras', 'tensorflow', 'jax') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
