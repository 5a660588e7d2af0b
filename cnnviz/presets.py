"""Networks to start with: those of the five systems that this project grew from, and our own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cnnviz.data.preprocessing import Preprocessing
from cnnviz.layer_kinds import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    MaxPooling2D,
    ReLU,
    ResidualBlock,
    Softmax,
)

HAPPY_SAD = ("happy", "sad")
EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # in FER2013's order
CATS_DOGS = ("cat", "dog")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")  # CIFAR-10's


@dataclass(frozen=True, slots=True)
class Preset:
    """A network with the input it was made for.

    name: its key. title: as people read it. note: one plain sentence.
    labels: the classes it was meant for, in the order of its outputs; empty where it is for any.
    settings: what its source states of the training, by the names of TrainingConfig; the rest was not stated.
    """

    name: str
    title: str
    note: str
    layers: tuple[Layer, ...]
    preprocessing: Preprocessing
    labels: tuple[str, ...] = ()
    settings: Mapping[str, int | float | str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def of_faces(self) -> bool:
        """Whether it was made to tell expressions."""
        return bool(self.labels) and set(self.labels) <= set(EXPRESSIONS)


def _conv(filters: int, strides: int = 1) -> tuple[Layer, ...]:
    """3×3 convolution without bias, which the batch norm after it has, and ReLU."""
    return (Conv2D(filters, 3, strides, "same", use_bias=False), BatchNormalization(), ReLU())


def _stages(squeeze: int, *widths: int, depth: int = 1) -> tuple[Layer, ...]:
    """Residual blocks, `depth` of each width; from the second width on each first block halves the map."""
    return tuple(
        ResidualBlock(width, 2 if index and not block else 1, squeeze)
        for index, width in enumerate(widths)
        for block in range(depth)
    )


def _convolution_study(units: int) -> tuple[Layer, ...]:
    pool = MaxPooling2D()
    dense = (Dense(units, "relu"), Dense(64, "relu"), Dense(1, "sigmoid"))
    return (Conv2D(32), pool, Conv2D(16), pool, Flatten(), *dense)


def _seen(side: int, color: str = "rgb") -> Preprocessing:
    """The five systems' input: squashed to a square, levels 0..1."""
    return Preprocessing(side, side, "grey" if color == "grey" else "rgb", "stretch", "0..1")


_SYSTEMS = (
    Preset(
        "system-a",
        "System A, convolution study",
        "Its convolutions have no activation, so that up to the first dense layer only the pooling is not linear.",
        _convolution_study(256),
        _seen(256),
        HAPPY_SAD,
    ),
    Preset(
        "system-a-small",
        "System A, the small one",
        "As system A, with half as many units in the first dense layer, and with them half of all parameters.",
        _convolution_study(128),
        _seen(256),
        HAPPY_SAD,
    ),
    Preset(
        "system-b",
        "Systems B and E, happy or sad",
        "The network of a well-known tutorial: three convolutions, and 14,400 numbers into one dense layer.",
        (
            *(Conv2D(16, activation="relu"), MaxPooling2D()),
            *(Conv2D(32, activation="relu"), MaxPooling2D()),
            *(Conv2D(16, activation="relu"), MaxPooling2D()),
            *(Flatten(), Dense(256, "relu"), Dense(1, "sigmoid")),
        ),
        _seen(256),
        HAPPY_SAD,
        MappingProxyType({"epochs": 20}),
    ),
    Preset(
        "system-c",
        "System C, face to emoji",
        "Four convolutions and a large dense layer, held back by dropout, for seven expressions in small grey faces.",
        (
            *(Conv2D(32, activation="relu"), Conv2D(64, activation="relu"), MaxPooling2D(), Dropout(0.25)),
            *(Conv2D(128, activation="relu"), MaxPooling2D()),
            *(Conv2D(128, activation="relu"), MaxPooling2D(), Dropout(0.25)),
            *(Flatten(), Dense(1024, "relu"), Dropout(0.5), Dense(7, "softmax")),
        ),
        _seen(48, "grey"),
        EXPRESSIONS,
    ),
    Preset(
        "system-d",
        "System D, cats and dogs",
        "Convolution, pooling, flattening, full connection: the smallest of the five, from a first lesson on networks.",
        (
            *(Conv2D(32, activation="relu"), MaxPooling2D()),
            *(Conv2D(32, activation="relu"), MaxPooling2D()),
            *(Flatten(), Dense(128, "relu"), Dense(1, "sigmoid")),
        ),
        _seen(64),
        CATS_DOGS,
    ),
)

_OURS = (
    Preset(
        "tiny",
        "Tiny",
        "Four small convolutions for a first try: it trains in seconds, and all its maps fit the screen.",
        (
            *(*_conv(8), MaxPooling2D()),
            *(*_conv(16), MaxPooling2D()),
            *(*_conv(16), MaxPooling2D()),
            *(*_conv(24), GlobalAveragePooling2D()),
            *(Dense(2), Softmax()),
        ),
        Preprocessing(32, 32),
    ),
    Preset(
        "objects",
        "Ten everyday things",
        "Never more than 16 maps side by side: a first convolution, five residual blocks and 16 averages decide.",
        (
            *_conv(16),
            *(ResidualBlock(16), MaxPooling2D()),
            *(ResidualBlock(16), ResidualBlock(16), MaxPooling2D()),
            *(ResidualBlock(16), ResidualBlock(16)),
            *(GlobalAveragePooling2D(), Dense(10), Softmax()),
        ),
        Preprocessing(32, 32),
        OBJECTS,
    ),
    Preset(
        "objects-plain",
        "Ten everyday things, plain",
        "Eight convolutions of 16 maps one after the other, without shortcuts.",
        (
            *(*_conv(16), *_conv(16), MaxPooling2D()),
            *(*_conv(16), *_conv(16), *_conv(16), MaxPooling2D()),
            *(*_conv(16), *_conv(16), *_conv(16)),
            *(GlobalAveragePooling2D(), Dense(10), Softmax()),
        ),
        Preprocessing(32, 32),
        OBJECTS,
    ),
    Preset(
        "cats-dogs",
        "Cats and dogs",
        "Four residual blocks on larger photos, small enough to learn from 2,000 of them.",
        (
            *(*_conv(16), MaxPooling2D()),
            *_stages(0, 16, 32, 64, 128),
            *(GlobalAveragePooling2D(), Dropout(0.4), Dense(2), Softmax()),
        ),
        Preprocessing(112, 112),
        CATS_DOGS,
    ),
    Preset(
        "emotions",
        "Seven expressions",
        "Eight residual blocks that weigh their maps by squeeze-and-excitation, for small grey faces.",
        (
            *_conv(24),
            *_stages(8, 24, 48, 96, 192, depth=2),
            *(GlobalAveragePooling2D(), Dropout(0.4), Dense(7), Softmax()),
        ),
        Preprocessing(48, 48, "grey"),
        EXPRESSIONS,
    ),
    Preset(
        "happy-sad",
        "Happy or sad",
        "The network for seven expressions with one block of each width instead of two, for two of them.",
        (
            *_conv(24),
            *_stages(8, 24, 48, 96, 192),
            *(GlobalAveragePooling2D(), Dropout(0.4), Dense(2), Softmax()),
        ),
        Preprocessing(48, 48, "grey"),
        HAPPY_SAD,
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in (*_OURS, *_SYSTEMS)})
