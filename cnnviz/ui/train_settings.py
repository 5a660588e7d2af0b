"""Train's settings as fields: numbers that are typed, each checked with a sentence under it, all kept in the URL."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from cnnviz import face
from cnnviz.presets import PRESETS
from cnnviz.training.bounds import EPOCHS, MINUTES
from cnnviz.training.config import Augmentation, TrainingConfig, usual
from cnnviz.ui import address, catalog, frame, runs

CHOICES = {**runs.DATA, runs.OWN: "Own photos, as a zip"}
OPTIMIZERS = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD with momentum", "rmsprop": "RMSprop"}
_DEFAULTS = TrainingConfig("")


@dataclass(frozen=True, slots=True)
class Field:
    """A number to type, from low to high. step: what the field's buttons add; 0 for a field without."""

    label: str
    low: float
    high: float
    help: str
    step: float = 1.0
    whole: bool = True


FIELDS: Mapping[str, Field] = {
    "number": Field("How many to draw", 2, 20_000, "More pictures teach more, and take longer.", 100),
    "epochs": Field(
        "Epochs",
        1,
        EPOCHS,
        f"How many times it looks at every picture. The one in which {MINUTES:.0f} minutes are over is the last.",
    ),
    "batch": Field("Batch size", 1, 1024, "Pictures that it looks at before it changes its weights once.", 8),
    "rate": Field(
        "Learning rate",
        1e-6,
        10,
        "How far each change of the weights goes. Too little learns slowly; too much breaks what was learned.",
        0,
        whole=False,
    ),
    "shift": Field("Shift, %", 0, 50, "Up to this share of a side, each way.", 0, whole=False),
    "rotate": Field("Turn, °", 0, 180, "Up to this many degrees, either way.", 0, whole=False),
    "brightness": Field("Light, %", 0, 90, "Lighter or darker by up to this share.", 0, whole=False),
    "patience": Field(
        "Stop after epochs without progress", 0, 1000, "Without a better loss on the validation pictures. 0: never."
    ),
    "seed": Field("Seed", 0, 2**31 - 1, "Which random numbers are used: the same seed, the same start."),
}


def number(key: str, default: float, wrong: list[str]) -> float:
    """A field for a number. What is impossible gets a sentence, its label goes to `wrong`, and the default counts."""
    field = FIELDS[key]
    with st.container(gap="xsmall", key=f"field_{key}" if field.step else f"plain_{key}"):
        given = st.number_input(
            field.label,
            value=float(default),
            step=float(field.step or 1),
            format="%g",
            key=key,
            bind="query-params",
            help=field.help,
        )
        if field.low <= given <= field.high and not (field.whole and given % 1):
            return int(given) if field.whole else given
        kind = "whole number" if field.whole else "number"
        low = f"{field.low:,.6f}".rstrip("0").rstrip(".")
        frame.problem(f"{given:g} cannot be used here; choose a {kind} from {low} to {field.high:,}.", key)
    wrong.append(field.label)
    return default


def settings(name: str, drawn: int, architecture: str, gpu: bool, wrong: list[str]) -> TrainingConfig:
    """The settings' widgets, and the config that they make with data and network.

    drawn: how many pictures to draw. gpu: whether it is trained on a graphics card. wrong: gets the labels of the
    fields in which something impossible stands.
    """
    with st.container(horizontal=True, wrap=False, gap="small"):
        epochs = number("epochs", _DEFAULTS.epochs, wrong)
        batch_size = number("batch", _DEFAULTS.batch_size, wrong)
    rate = number("rate", usual(name, architecture)["learning_rate"], wrong)
    with st.expander("More settings", key="more_settings"):
        optimizer = choice("Optimizer", "optimizer", OPTIMIZERS, _DEFAULTS.optimizer)
        st.markdown("Changes to each picture, at random")
        with st.container(horizontal=True, wrap=False, gap="small"):
            shift = number("shift", 0, wrong)
            turn = number("rotate", 0, wrong)
            light = number("brightness", 0, wrong)
        flip = st.toggle("Mirror half of them", False, key="flip", bind="query-params")
        patience = number("patience", _DEFAULTS.patience, wrong)
        balance = st.toggle("Count rare classes more", False, key="balance", bind="query-params")
        mixed = _mixed_precision(gpu)
        seed = number("seed", _DEFAULTS.seed, wrong)
    return TrainingConfig(
        "" if name == runs.OWN else name,
        architecture,
        number=drawn,
        epochs=int(epochs),
        batch_size=int(batch_size),
        learning_rate=rate,
        optimizer=optimizer,
        weight_decay=usual(name, architecture, optimizer)["weight_decay"],
        patience=int(patience),
        class_weights=balance,
        mixed_precision=mixed,
        augmentation=Augmentation(flip=flip, shift=shift / 100, rotate=float(turn), brightness=light / 100),
        seed=int(seed),
    )


def _mixed_precision(gpu: bool) -> bool:
    """A choice on a graphics card; on a processor it gains nothing, so it is there only where a link has it on."""
    if not gpu and not st.session_state.get("mixed", st.query_params.get("mixed", "").lower() == "true"):
        return False
    help_ = "Computes in bfloat16, which new graphics cards do faster and in less memory. A processor gains nothing."
    return st.toggle("Mixed precision", False, key="mixed", bind="query-params", help=help_)


def choice(label: str, param: str, options: Mapping[str, str], default: str) -> str:
    """A selectbox over `options` (key -> label) whose key is kept in `?param=`; the default may change with others."""
    address.kept(param)
    return address.choice(label, param, options, default, on_change=_nothing, then=_nothing)


def _nothing() -> None:
    """After a change the whole page runs again, and that is all there is to do."""


def network(owner: str) -> str:
    """Choose the network: a preset's name. A usual learning rate gives way to that of the new network."""

    def usual_rate() -> None:
        if st.session_state.get("rate") in {usual("", name)["learning_rate"] for name in PRESETS}:
            st.session_state["rate"] = usual("", st.session_state["network"])["learning_rate"]

    # on other pages `?network=` names a trained one, which came along from there
    held = st.session_state.get("network")
    if held and held not in PRESETS and held in catalog.networks(owner)[0]:
        st.session_state["network"] = ""
    asked = address.kept("network")
    titles = {name: preset.title for name, preset in PRESETS.items() if frame.faces() or not preset.of_faces}
    chosen = address.choice("Architecture", "network", titles, "tiny", on_change=_nothing, then=usual_rate)
    if asked in PRESETS and asked not in titles:
        st.caption(frame.escape(face.OFF))
    return chosen


def recall(config: TrainingConfig) -> None:
    """Put a run's settings back into the widgets, in a callback: train it again with one thing changed."""
    changes = config.augmentation
    numbers = {
        "number": config.number,
        "epochs": config.epochs,
        "batch": config.batch_size,
        "rate": config.learning_rate,
        "shift": 100 * changes.shift,
        "rotate": changes.rotate,
        "brightness": 100 * changes.brightness,
        "patience": config.patience,
        "seed": config.seed,
    }
    others: dict[str, tuple[object, tuple[object, ...]]] = {
        "flip": (changes.flip, (True, False)),
        "balance": (config.class_weights, (True, False)),
        "mixed": (config.mixed_precision, (True, False)),
        "data": (config.data or runs.OWN, tuple(CHOICES)),
        "network": (config.architecture, tuple(PRESETS)),
        "optimizer": (config.optimizer, tuple(OPTIMIZERS)),
    }
    for key, value in numbers.items():
        if value or key != "number":
            # 100 · .07 is a little more than 7
            st.session_state[key] = float(value) if key == "seed" else float(f"{value:.6g}")
    for key, (choice_, possible) in others.items():
        if choice_ in possible:
            st.session_state[key] = choice_
