"""TrainingConfig: everything that decides how a run trains, checked when it is made, kept as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from cnnviz import layers
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.presets import PRESETS

FORMAT = 1
OPTIMIZERS = ("adamw", "adam", "sgd", "rmsprop")
SCHEDULES = ("cosine", "constant")
TASKS = ("picture", "face")


class ConfigError(ValueError):
    """These settings cannot be trained with. The message is one sentence for the user."""


def _check_number(name: str, value: Any, lowest: float, highest: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise ConfigError(f"The {name.replace('_', ' ')} is {value!r}; it must be a number.")
    if not lowest <= value <= highest:
        raise ConfigError(f"The {name.replace('_', ' ')} is {value:g}; it must be from {lowest:g} to {highest:g}.")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much each training picture may be changed at random, afresh in every epoch.

    flip: left and right swapped in half of the pictures. shift: up to this share of a side, each way. rotate: up to
    this many degrees either way. zoom, brightness, contrast: up to this share more or less. cutout: side of one
    covered square, as a share of the picture's. mixup: alpha of the Beta distribution that mixes two pictures.
    """

    flip: bool = False
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0

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

    data: a built-in data set's name or a path; "" for pictures that lie in the run's directory.
    number: how many pictures to draw (drawn data only), or 0 for the source's own number.
    labels: the classes to use, in the order of the outputs; empty for all.
    architecture: a preset's name, or what layers.to_json writes.
    preprocessing: None takes the preset's.
    learning_rate: the highest; the schedule "cosine" climbs for a tenth of the first epochs and then falls to zero.
    weight_decay: per step and learning rate, as in AdamW; for other optimizers it must be 0.
    average: momentum of the running mean of the weights (EMA) that is validated and kept, or 0 for none.
    patience: epochs without a better validation loss after which training ends early, or 0 for never.
    minutes: training ends after the epoch in which this time is over, 0 for no bound.
    foreign: a data set of clearly foreign pictures, on which the card counts what passes the threshold; "" for none.
    task: "picture" for whole pictures, "face" where each picture is one face.
    start: a network (.keras) of the same layers, whose weights to start from where their shapes agree; "" for none.
    """

    data: str
    architecture: str | dict[str, Any] = "tiny"
    number: int = 0
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 0.003
    optimizer: str = "adamw"
    schedule: str = "cosine"
    weight_decay: float = 0.0001
    label_smoothing: float = 0.0
    average: float = 0.0
    patience: int = 0
    minutes: float = 0.0
    class_weights: bool = False
    mixed_precision: bool = False
    augmentation: Augmentation = Augmentation()
    seed: int = 1
    tensorboard: bool = False
    csv: bool = False
    foreign: str = ""
    start: str = ""
    task: str = "picture"

    def __post_init__(self) -> None:
        for name, kind, what in (
            *((name, str, "text") for name in ("data", "foreign", "start")),
            *((name, bool, "true or false") for name in ("class_weights", "mixed_precision", "tensorboard", "csv")),
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
