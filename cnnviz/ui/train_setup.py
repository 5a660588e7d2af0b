"""Train before a run: the three steps data, network, settings as widgets, and the TrainingConfig that they make."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from cnnviz import layers
from cnnviz.data.dataset import DataError, Dataset
from cnnviz.data.sources import open_dataset
from cnnviz.images import ImageError, Pixels
from cnnviz.layers import LayerError
from cnnviz.presets import PRESETS
from cnnviz.training import device
from cnnviz.training.batches import augment
from cnnviz.training.config import Augmentation, ConfigError, TrainingConfig
from cnnviz.training.queue import QueueError
from cnnviz.training.record import RecordError
from cnnviz.ui import address, frame, layer_list, markup, runs, train_photos

CHOICES = {**runs.DATA, runs.OWN: "Own photos, as a zip"}
DRAWN = ("drawn-faces", "drawn-shapes")
# the labels of data that only the worker opens: fetching it needs the network and, in Keras, TensorFlow
FETCHED = {
    "mnist": (10, "70,000", "11 MB"),
    "fashion_mnist": (10, "70,000", "30 MB"),
    "cifar10": (10, "60,000", "170 MB"),
}
NUMBERS = (300, 600, 1_000, 1_500, 2_000, 3_000, 5_000)
EPOCHS = (1, 2, 3, 5, 8, 12, 15, 20, 30, 50, 100)
BATCHES = (8, 16, 32, 64, 128, 256)
RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
OPTIMIZERS = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD with momentum", "rmsprop": "RMSprop"}
SHIFTS, TURNS, LIGHTS = (0, 5, 10, 15, 20), (0, 5, 10, 15, 20, 30), (0, 10, 20, 30, 50)
PATIENCE = (0, 3, 5, 8, 12, 20)
SEEDS = tuple(range(1, 11))
SHOWN = 5  # pictures in the strip
_THUMB = 64  # pixels
_T = TypeVar("_T")


def data() -> tuple[str, int]:
    """Choose the data: (name or OWN, number of pictures to draw or 0)."""
    name = choice("Pictures", "data", CHOICES, "drawn-faces")
    if name not in DRAWN:
        return name, 0
    return name, _one_of("How many to draw", "number", NUMBERS, 3_000)


def network() -> str:
    """Choose the network: a preset's name."""
    return choice("Architecture", "network", {name: preset.title for name, preset in PRESETS.items()}, "tiny")


def settings(name: str, number: int, architecture: str) -> TrainingConfig:
    """The settings' widgets, and the config that they make with data and network; ConfigError if it is impossible."""
    with st.container(horizontal=True, wrap=False, gap="small"):
        epochs = _one_of("Epochs", "epochs", EPOCHS, 15)
        batch_size = _one_of("Batch size", "batch", BATCHES, 32)
    rates = {str(rate): str(rate) for rate in RATES}
    rate = float(choice("Learning rate", "rate", rates, str(usual_rate(architecture))))
    with st.expander("More settings", key="more_settings"):
        optimizer = choice("Optimizer", "optimizer", OPTIMIZERS, "adamw")
        st.markdown("Changes to each picture, at random")
        with st.container(horizontal=True, wrap=False, gap="small"):
            shift = _one_of("Shift, %", "shift", SHIFTS, 0)
            turn = _one_of("Turn, °", "rotate", TURNS, 0)
            light = _one_of("Light, %", "brightness", LIGHTS, 0)
        flip = st.toggle("Mirror half of them", False, key="flip", bind="query-params")
        patience = _one_of("Stop after epochs without progress (0: never)", "patience", PATIENCE, 0)
        balance = st.toggle("Count rare classes more", False, key="balance", bind="query-params")
        mixed = st.toggle("Mixed precision (bfloat16)", False, key="mixed", bind="query-params")
        seed = _one_of("Seed", "seed", SEEDS, 1)
    return TrainingConfig(
        "" if name == runs.OWN else name,
        architecture,
        number=number,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=rate,
        optimizer=optimizer,
        weight_decay=1e-4 if optimizer == "adamw" else 0.0,
        patience=patience,
        class_weights=balance,
        mixed_precision=mixed,
        augmentation=Augmentation(flip=flip, shift=shift / 100, rotate=float(turn), brightness=light / 100),
        seed=seed,
    )


def usual_rate(architecture: str) -> float:
    """A learning rate to start with: small networks with batch norm bear more, those without it less."""
    kinds = {type(layer).__name__ for layer in PRESETS[architecture].layers}
    if not kinds & {"BatchNormalization", "ResidualBlock"}:
        return 0.001
    return 0.01 if architecture == "tiny" else 0.003


def choice(label: str, param: str, options: Mapping[str, str], default: str) -> str:
    """A selectbox over `options` (key -> label) whose key is kept in `?param=`; the default may change with others."""
    address.kept(param)
    return address.choice(label, param, options, default, on_change=_nothing, then=_nothing)


def _nothing() -> None:
    """After a change the whole page runs again, and that is all there is to do."""


def recall(config: TrainingConfig) -> None:
    """Put a run's settings back into the widgets, in a callback: train it again with one thing changed."""
    changes = config.augmentation
    values: dict[str, tuple[object, tuple[object, ...]]] = {
        "number": (config.number, NUMBERS),
        "epochs": (config.epochs, EPOCHS),
        "batch": (config.batch_size, BATCHES),
        "rate": (str(config.learning_rate), tuple(map(str, RATES))),
        "shift": (round(100 * changes.shift), SHIFTS),
        "rotate": (round(changes.rotate), TURNS),
        "brightness": (round(100 * changes.brightness), LIGHTS),
        "patience": (config.patience, PATIENCE),
        "seed": (config.seed, SEEDS),
        "flip": (changes.flip, (True, False)),
        "balance": (config.class_weights, (True, False)),
        "mixed": (config.mixed_precision, (True, False)),
        "data": (config.data or runs.OWN, tuple(CHOICES)),
        "network": (config.architecture, tuple(PRESETS)),
        "optimizer": (config.optimizer, tuple(OPTIMIZERS)),
    }
    for key, (value, possible) in values.items():
        if value in possible:
            st.session_state[key] = value


def _one_of(label: str, key: str, options: tuple[_T, ...], default: _T) -> _T:
    """A selectbox over a few numbers, kept in the URL; what the URL says beside them counts as the default."""
    value: _T = st.selectbox(label, options, options.index(default), key=key, bind="query-params")
    return value


@lru_cache(maxsize=8)
def _built_in(name: str, number: int, seed: int) -> Dataset:
    """A data set that is made from a seed or ships with a library; its pictures are made when asked for."""
    return open_dataset(name, number=number or None, seed=seed)


def classes(dataset: Dataset) -> str:
    """The classes and how many pictures each has, as Markdown: "happy: 750 · sad: 750"."""
    counts = Counter(entry.label for entry in dataset.entries)
    names = [f"{frame.escape(label)}: {counts[index]:,}" for index, label in enumerate(dataset.labels[:12])]
    return " · ".join(names) + (f" · and {len(dataset.labels) - 12} more" if len(dataset.labels) > 12 else "")


def strip(dataset: Dataset, config: TrainingConfig) -> str:
    """Some pictures as the network gets them and, where they are changed at random, the same pictures changed: HTML.

    The same settings always show the same pictures.
    """
    chosen = _spread(dataset)
    pictures = np.stack([config.input().picture(dataset.pixels(index)) for index in chosen])
    names = [dataset.labels[dataset.entries[index].label] for index in chosen]
    rows = [_row(pictures, names)]
    if config.augmentation != Augmentation():
        changed = augment(pictures, config.augmentation, np.random.default_rng(config.seed))
        rows.append(_row(np.rint(changed).astype(np.uint8), [f"{name}, changed at random" for name in names]))
    return f'<div class="strip">{"".join(rows)}</div>'


def _spread(dataset: Dataset) -> list[int]:
    """The first pictures of each class in turn, SHOWN in all."""
    of_class: dict[int, list[int]] = {}
    for index, entry in enumerate(dataset.entries):
        of_class.setdefault(entry.label, []).append(index)
    turns = max((len(found) for found in of_class.values()), default=0)
    order = [found[turn] for turn in range(min(turns, SHOWN)) for found in of_class.values() if turn < len(found)]
    return order[:SHOWN]


def _row(pictures: Pixels, names: Sequence[str]) -> str:
    images = (
        markup.picture(markup.rgb(one), _THUMB, name, smooth=max(one.shape[:2]) > _THUMB)
        for one, name in zip(pictures, names, strict=True)
    )
    return f"<div>{''.join(images)}</div>"


def show_network(config: TrainingConfig, labels: int) -> None:
    """What the chosen network is: drawn, in figures, and layer by layer behind a button."""
    shape = config.input().shape
    try:
        list_ = layers.with_classes(config.network(), max(2, labels))
        rows, memory = layers.summary(list_, shape), layers.memory(list_, shape, config.batch_size)
    except LayerError as error:
        frame.problem(str(error), "network")
        return
    st.html(layer_list.drawing(rows, shape) + layer_list.figures(rows, memory, config.batch_size))
    layers_ = st.popover(f"All {len(rows)} layers", type="tertiary", key="layers", on_change="rerun")
    if layers_.open:
        with layers_:
            st.html(layer_list.table(rows, shape))
            st.caption(memory.how)


def show_data(owner: str, config: TrainingConfig) -> int:
    """What the chosen data looks like. Returns the number of classes, 0 where they are not known yet."""
    if config.data in FETCHED:
        count, pictures, size = FETCHED[config.data]
        st.caption(f"{pictures} pictures of {count} kinds. They are fetched from the network once, {size}.")
        return count
    dataset = _built_in(config.data, config.number, config.seed) if config.data else train_photos.show(owner)
    if dataset is None:
        return 0
    st.caption(f"{len(dataset):,} pictures: {classes(dataset)}")
    try:
        st.html(strip(dataset, config))
    except ImageError as error:
        frame.problem(str(error), "strip")
    if not config.data:
        train_photos.report(owner)
    return len(dataset.labels)


def start(owner: str, config: TrainingConfig, labels: int) -> None:
    """The button that starts the run, with what it will train on, or why it cannot be started."""
    sentence = _impossible(config, labels) if labels else ""
    pressed = st.button("Train", type="primary", width="stretch", key="train", disabled=bool(sentence))
    if pressed and not config.data:
        sentence = train_photos.missing(owner)
    if sentence:
        frame.problem(sentence, "train")
        return
    found = device.devices()[0]
    st.caption(f"Trains on {found.name}." if found.kind == "gpu" else f"Trains on {found.name}; there is no GPU here.")
    if not pressed:
        return
    try:
        store = None
        if not config.data:
            bar = st.progress(0.0, "Storing the pictures at the network’s size")
            store = train_photos.store(owner, config, lambda done, total: _tell(bar, done, total))
        run = runs.queue().submit(config, owner, store)
    except (QueueError, RecordError, DataError, ImageError) as error:
        frame.problem(str(error), "train")
        return
    st.session_state["open_run"] = run.id
    st.rerun()


def _tell(bar: Any, done: int, total: int) -> None:
    bar.progress(done / total, f"Storing the pictures at the network’s size: {done:,} of {total:,}")


def _impossible(config: TrainingConfig, labels: int) -> str:
    """Why this cannot be trained on this computer, or ""."""
    try:
        device.check_memory(config, labels)
    except ConfigError as error:
        return str(error)
    return ""
