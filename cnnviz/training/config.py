"""TrainingConfig: everything that decides how a run trains, checked when it is made, kept as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, get_type_hints

from cnnviz import layers
from cnnviz.cards import TASKS
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.layer_kinds import BatchNormalization, ResidualBlock
from cnnviz.presets import PRESETS

FORMAT = 1
OPTIMIZERS = ("adamw", "adam", "sgd", "rmsprop")
SCHEDULES = ("cosine", "constant")
DRAWN = ("drawn-faces", "drawn-shapes")  # data that is made in any number
TO_DRAW = 3000  # of them, where nobody says how many: enough for the small networks, drawn in seconds


class ConfigError(ValueError):
    """These settings cannot be trained with. The message is one sentence for the user."""


def lines(of: type) -> dict[str, str]:
    """What each setting of TrainingConfig or Augmentation is, in one line, by its name."""
    return {name: kind.__metadata__[0] for name, kind in get_type_hints(of, include_extras=True).items()}


def usual(data: str, architecture: Any, optimizer: str = "adamw") -> dict[str, Any]:
    """The settings to start with that depend on data, network and optimizer: number, learning_rate, weight_decay.

    Small networks with batch norm bear higher rates, those without it lower ones. architecture: as in TrainingConfig.
    """
    try:
        network = PRESETS[architecture].layers if isinstance(architecture, str) else layers.from_json(architecture)
    except (KeyError, layers.LayerError):  # a sentence for it comes from TrainingConfig
        network = ()
    plain = network and not any(isinstance(layer, BatchNormalization | ResidualBlock) for layer in network)
    return {
        "number": TO_DRAW if data in DRAWN else 0,
        "learning_rate": 0.01 if architecture == "tiny" else 0.001 if plain else 0.003,
        "weight_decay": 0.0001 if optimizer == "adamw" else 0.0,
    }


def _check_number(name: str, value: Any, lowest: float, highest: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise ConfigError(f"The {name.replace('_', ' ')} is {value!r}; it must be a number.")
    if not lowest <= value <= highest:
        raise ConfigError(f"The {name.replace('_', ' ')} is {value:g}; it must be from {lowest:g} to {highest:g}.")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much each training picture may be changed at random, afresh in every epoch."""

    flip: Annotated[bool, "Swap left and right in half of the pictures."] = False
    shift: Annotated[float, "Shift up to this share of a side, each way."] = 0.0
    rotate: Annotated[float, "Turn up to this many degrees, either way."] = 0.0
    zoom: Annotated[float, "Enlarge or shrink by up to this share."] = 0.0
    brightness: Annotated[float, "Lighten or darken by up to this share."] = 0.0
    contrast: Annotated[float, "Raise or lower the contrast by up to this share."] = 0.0
    cutout: Annotated[float, "Cover a square whose side is this share of the picture's."] = 0.0
    mixup: Annotated[float, "Mix pairs of pictures: alpha of the Beta distribution of the shares."] = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.flip, bool):
            raise ConfigError(f"The augmentation's flip is {self.flip!r}; it is true or false.")
        for name, highest in _AUGMENTATION_LIMITS.items():
            _check_number(f"augmentation's {name}", getattr(self, name), 0, highest)

    @property
    def moves(self) -> bool:
        """Whether pictures are shifted, turned or zoomed."""
        return bool(self.shift or self.rotate or self.zoom)


_AUGMENTATION_LIMITS = {
    "shift": 0.5,
    "rotate": 180,
    "zoom": 0.5,
    "brightness": 0.9,
    "contrast": 0.9,
    "cutout": 0.9,
    "mixup": 2,
}


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Settings of one run. ConfigError with one sentence where one is impossible.

    Each field says what it is, and so does the command line's help (`lines`). The defaults are those of the default
    network; `usual` has those of others.
    """

    data: Annotated[str, 'A built-in name or a path; "" for pictures in the run\'s directory.']
    architecture: Annotated[str | dict[str, Any], "A preset's name, or what layers.to_json writes."] = "tiny"
    number: Annotated[int, "How many pictures to draw, or a random choice of others; 0: all."] = 0
    labels: Annotated[tuple[str, ...], "The classes to use, in the order of the outputs; empty for all."] = ()
    preprocessing: Annotated[Preprocessing | None, "How a picture becomes the input; None: the preset's."] = None
    epochs: Annotated[int, "How many times every training picture is looked at."] = 15
    batch_size: Annotated[int, "Pictures of one step."] = 32
    learning_rate: Annotated[float, "The highest one; the schedule leads to it and away."] = 0.01
    optimizer: Annotated[str, f"What changes the weights: {', '.join(OPTIMIZERS)}."] = "adamw"
    schedule: Annotated[str, "cosine: up in a tenth of the steps, then down to zero; or constant."] = "cosine"
    weight_decay: Annotated[float, "Share taken off the weights, times the learning rate; adamw only."] = 0.0001
    label_smoothing: Annotated[float, "Share of each target that is spread over all classes."] = 0.0
    average: Annotated[float, "Momentum of the weights' running mean, which is then kept; 0: none."] = 0.0
    patience: Annotated[int, "End after so many epochs without a better validation loss; 0: never."] = 0
    minutes: Annotated[float, "End after the epoch in which so much training time is over; 0: never."] = 0.0
    class_weights: Annotated[bool, "Let every class count the same, however few pictures it has."] = False
    mixed_precision: Annotated[bool, "Compute in bfloat16, which new graphics cards do faster."] = False
    augmentation: Annotated[Augmentation, "How pictures are changed at random."] = Augmentation()
    seed: Annotated[int, "Decides split, drawn pictures, start weights and order."] = 1
    tensorboard: Annotated[bool, "Write logs for TensorBoard into the run's directory."] = False
    csv: Annotated[bool, "Write history.csv into the run's directory."] = False
    foreign: Annotated[str, "Data of foreign pictures: the card counts those that pass its threshold."] = ""
    start: Annotated[str, "A .keras file whose weights to start from where their shapes agree."] = ""
    teachers: Annotated[str, "Networks (.keras, commas between) whose mean answer is half of every target."] = ""
    mirror: Annotated[bool, "Answer with the mean over a picture and its mirror image, once trained."] = False
    calibrate: Annotated[bool, "Once trained, scale the logits by what fits the validation pictures best."] = False
    task: Annotated[str, "picture: a class for the whole; face: each picture is one face."] = "picture"

    def __post_init__(self) -> None:
        for name, kind, what in (
            *((name, str, "text") for name in ("data", "foreign", "start", "teachers")),
            *(
                (name, bool, "true or false")
                for name in ("class_weights", "mixed_precision", "tensorboard", "csv", "mirror", "calibrate")
            ),
        ):
            if not isinstance(getattr(self, name), kind):
                raise ConfigError(f"The setting {name} is {getattr(self, name)!r}; it must be {what}.")
        for name, (lowest, highest) in _WHOLE.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ConfigError(f"The setting {name} is {value!r}; it must be a whole number.")
            _check_number(name, value, lowest, highest)
        for name, (low, high) in _NUMBERS.items():
            _check_number(name, getattr(self, name), low, high)
        for name, choices in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("task", TASKS)):
            if getattr(self, name) not in choices:
                raise ConfigError(f"The {name} is {getattr(self, name)!r}; choose {', '.join(choices)}.")
        self._check_together()

    def _check_together(self) -> None:
        if self.learning_rate == 0:
            raise ConfigError("The learning rate is 0, so nothing would be learned; try 0.003.")
        if self.weight_decay and self.optimizer != "adamw":
            raise ConfigError(f"Weight decay works with adamw, not with {self.optimizer}; set it to 0.")
        if not all(isinstance(label, str) for label in self.labels) or len(set(self.labels)) != len(self.labels):
            raise ConfigError("The labels must be different names.")
        if len(self.labels) == 1:
            raise ConfigError("There is one class only; a network needs at least two to tell apart.")
        self.network()  # the layers must be possible
        self.input()

    def network(self) -> tuple[layers.Layer, ...]:
        """The layers, as the preset or the list has them; ConfigError where they are none."""
        if isinstance(self.architecture, str):
            if self.architecture not in PRESETS:
                raise ConfigError(f"There is no network {self.architecture!r}; choose {', '.join(PRESETS)}.")
            return PRESETS[self.architecture].layers
        try:
            return layers.from_json(self.architecture)
        except layers.LayerError as error:
            raise ConfigError(str(error)) from None

    def input(self) -> Preprocessing:
        """The preprocessing: as set, or the preset's; ConfigError where neither is there."""
        if self.preprocessing is not None:
            return self.preprocessing
        if isinstance(self.architecture, str):
            return PRESETS[self.architecture].preprocessing
        raise ConfigError("A network given as a list of layers needs its preprocessing.")

    @property
    def teacher_files(self) -> tuple[str, ...]:
        """The paths of the networks that teach this one."""
        return tuple(path.strip() for path in self.teachers.split(",") if path.strip())

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self), "labels": list(self.labels)}

    @classmethod
    def from_json(cls, given: Any) -> "TrainingConfig":
        """The object that to_json wrote, or an older one; ConfigError with a sentence for anything else."""
        if not isinstance(given, Mapping):
            raise ConfigError("The settings are not a JSON object.")
        number = given.get("format", FORMAT)
        if not isinstance(number, int) or number > FORMAT:
            raise ConfigError(f"The settings have format {number}, newer than this program's {FORMAT}; update cnnviz.")
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in given.items() if name != "format"}
        if unknown := sorted(set(values) - known):
            raise ConfigError(f"The settings hold {', '.join(unknown)[:80]}, which this program does not know.")
        if "data" not in values:
            raise ConfigError("The settings do not say which data to train on.")
        try:
            if values.get("preprocessing") is not None:
                values["preprocessing"] = Preprocessing.from_json(values["preprocessing"])
            values["augmentation"] = Augmentation(**values.get("augmentation", {}))
        except TypeError:
            raise ConfigError("The settings' augmentation is not one that this program knows.") from None
        except ConfigError:
            raise
        except ValueError as error:
            raise ConfigError(str(error)) from None
        if isinstance(values.get("labels"), list):
            values["labels"] = tuple(values["labels"])
        if not isinstance(values.get("labels", ()), tuple):
            raise ConfigError("The labels must be a list of names.")
        return cls(**values)

    @classmethod
    def from_text(cls, text: str) -> "TrainingConfig":
        """From a config.json's text, which somebody may have edited by hand."""
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"The settings are no JSON: {error.msg} in line {error.lineno}.") from None
        except (ValueError, RecursionError, OverflowError):  # numbers of thousands of digits, a thousand brackets
            raise ConfigError("The settings hold numbers or brackets beyond measure.") from None
        return cls.from_json(content)

    def changed(self, **changes: Any) -> "TrainingConfig":
        return replace(self, **changes)


_WHOLE = {
    "number": (0, 20_000),
    "epochs": (1, 1000),
    "batch_size": (1, 1024),
    "patience": (0, 1000),
    "seed": (0, 2**31 - 1),
}
_NUMBERS = {
    "learning_rate": (0, 10),
    "weight_decay": (0, 1),
    "label_smoothing": (0, 0.5),
    "average": (0, 0.9999),
    "minutes": (0, 100_000),
}
