"""The kinds of layers that a network's list is made of: their settings, checked when made, and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal, get_args

FORMAT = 1
MAX_LAYERS = 100
MAX_UNITS = 65_536  # of a dense layer

Pair = int | tuple[int, int]
Padding = Literal["valid", "same"]
Activation = Literal["relu", "sigmoid", "tanh", "softmax"]


class LayerError(ValueError):
    """These layers make no network. The message is one sentence for the user."""


class _Checked:
    """Looks at each setting as a layer is made; LayerError for an impossible one. One number may stand for a pair."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = _checked(type(self).__name__, field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, value)


@dataclass(frozen=True, slots=True)
class Conv2D(_Checked):
    """`filters` kernels of kernel_size × input channels / groups, a bias each, and an activation at once if wanted."""

    filters: int
    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    activation: Activation | None = None
    use_bias: bool = True
    dilation_rate: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True, slots=True)
class BatchNormalization(_Checked):
    """Per channel (x − mean) / √(variance + epsilon) · gamma + beta.

    momentum: how slowly the mean and variance for use follow those of the batches. Keras's own 0.99 needs some 500
    steps to forget its start, longer than a whole run on a small data set.
    """

    momentum: float = 0.9
    epsilon: float = 0.001


@dataclass(frozen=True, slots=True)
class ReLU(_Checked):
    """max(x, 0)."""


@dataclass(frozen=True, slots=True)
class MaxPooling2D(_Checked):
    """The largest number of each window. strides None means pool_size."""

    pool_size: Pair = (2, 2)
    strides: Pair | None = None
    padding: Padding = "valid"


@dataclass(frozen=True, slots=True)
class AveragePooling2D(_Checked):
    """The mean of each window. strides None means pool_size."""

    pool_size: Pair = (2, 2)
    strides: Pair | None = None
    padding: Padding = "valid"


@dataclass(frozen=True, slots=True)
class Dropout(_Checked):
    """While training, this share of the numbers becomes 0 at random, and the others grow by 1 / (1 − rate)."""

    rate: float


@dataclass(frozen=True, slots=True)
class Flatten(_Checked):
    """The map as one vector: row by row, and in each cell channel by channel."""


@dataclass(frozen=True, slots=True)
class GlobalAveragePooling2D(_Checked):
    """The mean of each channel."""


@dataclass(frozen=True, slots=True)
class Dense(_Checked):
    """Each of `units` numbers is a weighted sum of the whole input, plus a bias."""

    units: int
    activation: Activation | None = None


@dataclass(frozen=True, slots=True)
class Softmax(_Checked):
    """Exponentials, each divided by their sum: shares that add up to 1."""


@dataclass(frozen=True, slots=True)
class Sigmoid(_Checked):
    """1 / (1 + exp(−x))."""


@dataclass(frozen=True, slots=True)
class ResidualBlock(_Checked):
    """conv 3×3, batch norm, ReLU, conv 3×3, batch norm; plus its own input; ReLU (He et al. 2016, basic block).

    Where the shape changes, the input passes a 1×1 convolution with `strides` and a batch norm. The convolutions pad
    with "same" and have no bias. squeeze r > 0 weighs the channels before the addition by squeeze-and-excitation
    (Hu et al. 2018): global average, dense of max(1, filters // r) with ReLU, dense of `filters` with sigmoid.
    """

    filters: int
    strides: Pair = (1, 1)
    squeeze: int = 0


Layer = (
    Conv2D
    | BatchNormalization
    | ReLU
    | MaxPooling2D
    | AveragePooling2D
    | Dropout
    | Flatten
    | GlobalAveragePooling2D
    | Dense
    | Softmax
    | Sigmoid
    | ResidualBlock
)
KINDS: dict[str, Any] = {kind.__name__: kind for kind in get_args(Layer)}


def to_json(layers: Sequence[Layer]) -> dict[str, Any]:
    """{"format": 1, "layers": [{"kind": "Conv2D", "filters": 32, ...}, ...]}."""
    return {"format": FORMAT, "layers": [{"kind": type(layer).__name__, **asdict(layer)} for layer in layers]}


def from_json(given: Any) -> tuple[Layer, ...]:
    """The layers that to_json wrote, or its list alone; LayerError with a sentence for anything else.

    Only settings are checked here: whether the layers fit one after the other, layers.summary says.
    """
    if isinstance(given, Mapping):
        number = given.get("format")
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise LayerError(f"The network's format is {shown(number)}; this program reads format {FORMAT}.")
        if number > FORMAT:
            raise LayerError(f"The network has format {shown(number)}, newer than this program's; update cnnviz.")
        given = given.get("layers")
    check_length(given)
    found = []
    for number, item in enumerate(given, start=1):
        try:
            found.append(_layer(item))
        except LayerError as error:
            raise LayerError(f"Layer {number}, {error}") from None
    return tuple(found)


def _layer(item: Any) -> Layer:
    kind = item.get("kind") if isinstance(item, Mapping) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise LayerError(f"whose kind is {shown(kind)}, is not known here; choose {', '.join(KINDS)}.")
    settings = {str(name): value for name, value in item.items() if name != "kind"}
    known = {field.name: field for field in fields(KINDS[kind])}
    if unknown := sorted(set(settings) - set(known)):
        choice = f"its settings are {', '.join(known)}" if known else "it has no settings"
        raise LayerError(f"{kind}: it has no setting {shown(unknown[0])}; {choice}.")
    for name, field in known.items():
        if field.default is MISSING and name not in settings:
            raise LayerError(f"{kind}: {name} is missing; add it, as in {_EXAMPLES[kind]}.")
    found: Layer = KINDS[kind](**settings)
    return found


_EXAMPLES = {
    "Conv2D": '{"kind": "Conv2D", "filters": 16}',
    "Dense": '{"kind": "Dense", "units": 10}',
    "Dropout": '{"kind": "Dropout", "rate": 0.5}',
    "ResidualBlock": '{"kind": "ResidualBlock", "filters": 16}',
}
_WHOLE = {"filters": (1, 4096), "groups": (1, 4096), "units": (1, MAX_UNITS), "squeeze": (0, 4096)}
_PAIRS = {"kernel_size": 64, "pool_size": 512, "strides": 512, "dilation_rate": 64}
_NUMBERS = {"rate": (0.0, 0.99), "momentum": (0.0, 0.9999), "epsilon": (1e-9, 1.0)}


def _checked(kind: str, name: str, value: Any) -> Any:
    """The setting's value, a pair as a tuple of two; LayerError "Kind: name is ...; ..." where it is impossible."""
    wrong = f"{kind}: {name} is {shown(value)}; "
    if name in _WHOLE:
        lowest, highest = _WHOLE[name]
        if not is_whole(value) or not lowest <= value <= highest:
            raise LayerError(f"{wrong}it must be a whole number from {lowest} to {highest:,}.")
    elif name in _PAIRS:
        if value is None and "Pooling" in kind and name == "strides":
            return None
        pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
        if len(pair) != 2 or not all(is_whole(side) and 1 <= side <= _PAIRS[name] for side in pair):
            raise LayerError(f"{wrong}it must be one or two whole numbers from 1 to {_PAIRS[name]}.")
        return pair
    elif name in _NUMBERS:
        low, high = _NUMBERS[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise LayerError(f"{wrong}it must be a number from {low:g} to {high:g}.")
        return float(value)
    elif name == "use_bias":
        if not isinstance(value, bool):
            raise LayerError(f"{wrong}it must be true or false.")
    else:
        softmax = (None, *get_args(Activation))
        choices = get_args(Padding) if name == "padding" else softmax if kind == "Dense" else softmax[:-1]
        if not (value is None or isinstance(value, str)) or value not in choices:
            raise LayerError(f"{wrong}choose {', '.join('none' if c is None else c for c in choices)}.")
    return value


def check_length(layers: Any) -> None:
    if not isinstance(layers, list | tuple):
        raise LayerError(f"The network is {shown(layers)}; a list of layers was expected.")
    if not 1 <= len(layers) <= MAX_LAYERS:
        raise LayerError(f"The network has {len(layers):,} layers; it must have 1 to {MAX_LAYERS}.")


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """The value in at most 40 characters."""
    if is_whole(value) and abs(value) >= 10**15:
        return "a huge number"  # Python refuses to write whole numbers of over 4,300 digits
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= 40 else f"{text[:39]}…"
