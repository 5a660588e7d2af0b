"""Train before a run: the steps data, network and settings, with what each choice means, and the button that starts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import streamlit as st

from cnnviz import layers
from cnnviz.data.dataset import DataError, Dataset
from cnnviz.data.sources import open_dataset
from cnnviz.data.split import FRACTIONS
from cnnviz.images import ImageError, Pixels
from cnnviz.layers import LayerError
from cnnviz.presets import PRESETS
from cnnviz.training import pictures, record
from cnnviz.training.batches import augment
from cnnviz.training.bounds import fits
from cnnviz.training.config import DRAWN, TO_DRAW, Augmentation, TrainingConfig
from cnnviz.training.device import Device
from cnnviz.training.queue import QueueError
from cnnviz.training.record import RecordError
from cnnviz.ui import frame, layer_list, markup, runs, train_photos, train_settings

# the labels of data that only the worker opens: fetching it needs the network and, in Keras, TensorFlow
_FETCHED = {
    "mnist": (10, "70,000", "11 MB"),
    "fashion_mnist": (10, "70,000", "30 MB"),
    "cifar10": (10, "60,000", "170 MB"),
}
SHOWN = 5  # pictures in the strip
FEW = 30  # test pictures, below which a score says little
_LEAST = 3  # pictures of a class: one each to learn from, to validate and to test
_THUMB = 64  # pixels


def data(wrong: list[str]) -> tuple[str, int]:
    """Choose the data: (name or OWN, number of pictures to draw or 0). wrong: as train_settings.number has it."""
    name = train_settings.choice("Pictures", "data", train_settings.CHOICES, "drawn-faces")
    return name, int(train_settings.number("number", TO_DRAW, wrong)) if name in DRAWN else 0


def where() -> tuple[Device, str]:
    """Choose the device where there is a choice: it, and what the queue calls it."""
    found = runs.queue().slots
    cards, others = ([one for one in found if (one.kind == "gpu") is gpu] for gpu in (True, False))
    if not cards or not others:
        return found[0], ""
    known = {"gpu": max(cards, key=lambda card: card.memory), "cpu": others[0]}
    options = {"gpu": _card(cards[0])}
    if len(cards) > 1:
        options["gpu"] = "The graphics card that is free first"
        known |= {f"gpu-{card.index}": card for card in cards}
        options |= {f"gpu-{card.index}": _card(card) for card in cards}
    options["cpu"] = f"{others[0].name}, slower"
    key = train_settings.choice("Device", "device", options, "gpu")
    return known[key], {"gpu": "", "cpu": "cpu"}.get(key, known[key].uuid)


def _card(card: Device) -> str:
    return f"{card.name}, {layer_list.size(card.memory)}"


@lru_cache(maxsize=8)
def _built_in(name: str, number: int, seed: int) -> Dataset:
    """A data set that is made from a seed or ships with a library; its pictures are made when asked for."""
    return open_dataset(name, number=number or None, seed=seed)


def show_data(owner: str, config: TrainingConfig, wrong: list[str]) -> int:
    """What the chosen data looks like and how it is divided. Returns the number of classes, 0 if not known yet.

    wrong: gets the word for the data where nothing can be learned from it.
    """
    if config.data in _FETCHED:
        count, number, size = _FETCHED[config.data]
        st.caption(f"{number} pictures of {count} kinds. They are fetched from the Internet once, {size}.")
        return count
    if not config.data:
        return _show_own(owner, config, wrong)
    dataset = _built_in(config.data, config.number, config.seed)
    counts = Counter(entry.label for entry in dataset.entries)
    st.caption(f"{len(dataset):,} pictures: {classes(dataset.labels, counts)}")
    _show_strip(dataset, config)
    if min(counts[label] for label in range(len(dataset.labels))) < _LEAST:
        frame.problem(
            f"Each of the {len(dataset.labels)} classes needs {_LEAST} pictures, one each to learn from, to choose the "
            f"best epoch and to test; draw {_LEAST * len(dataset.labels)} or more.",
            "pictures",
        )
        wrong.append("Data")
    else:
        st.caption(_sides("About ", [round(share * len(dataset)) for share in FRACTIONS]))
    return len(dataset.labels)


def _show_own(owner: str, config: TrainingConfig, wrong: list[str]) -> int:
    upload = train_photos.show(owner)
    if upload is None or upload.dataset is None or upload.problem:
        return 0
    dataset, counts = upload.dataset, Counter(entry.label for entry in upload.dataset.entries)
    sides: list[int] = []
    fault = ""
    if upload.report is not None:
        try:
            _, split = upload.divided(train_photos.left_out(upload), config.seed)
            label = {entry.name: entry.label for entry in dataset.entries}
            parts = (split.train, split.validation, split.test)
            sides = [len(part) for part in parts]
            counts = Counter(label[name] for part in parts for name, _ in part)
            size = pictures.size_of(sum(sides), config.input())
            runs.queue().bounds.own(record.home(), owner, sum(sides), size)
        except (DataError, QueueError) as error:
            fault = str(error)
    left = len(dataset) - counts.total()
    of = f"{counts.total():,} of {len(dataset):,} pictures are used" if left else f"{len(dataset):,} pictures"
    st.caption(f"{of}: {classes(dataset.labels, counts)}")
    _show_strip(dataset, config)
    if sides:
        st.caption(_sides("", sides))
    if fault:
        frame.problem(fault, "pictures")
        wrong.append("Data")
    train_photos.report(upload)
    return len(dataset.labels)


def _sides(about: str, sides: Sequence[int]) -> str:
    """How many pictures are for what, in words."""
    train, validation, test = sides
    few = " A score on so few test pictures says little." if test < FEW else ""
    return f"{about}{train:,} to learn from, {validation:,} to choose the best epoch, {test:,} for the test.{few}"


def classes(labels: Sequence[str], counts: Counter[int], most: int = 12) -> str:
    """The classes and how many pictures each has, as Markdown: "happy: 750 · sad: 750"."""
    names = [f"{frame.escape(label)}: {counts[index]:,}" for index, label in enumerate(labels[:most])]
    return " · ".join(names) + (f" · and {len(labels) - most} more" if len(labels) > most else "")


def _show_strip(dataset: Dataset, config: TrainingConfig) -> None:
    try:
        st.html(strip(dataset, config))
    except ImageError as error:
        frame.problem(str(error), "strip")


def strip(dataset: Dataset, config: TrainingConfig) -> str:
    """Some pictures as the network gets them and, where they are changed at random, the same pictures changed: HTML.

    The same settings always show the same pictures; what cannot be read is passed over. ImageError where nothing can.
    """
    shown, names, fault = [], [], ImageError("There is no picture to show.")
    for index in _spread(dataset):
        try:
            shown.append(config.input().picture(dataset.pixels(index)))
        except ImageError as error:
            fault = error
            continue
        names.append(dataset.labels[dataset.entries[index].label])
        if len(names) == SHOWN:
            break
    if not shown:
        raise fault
    rows = [_row(shown, names)]
    if config.augmentation != Augmentation():
        changed = augment(np.stack(shown), config.augmentation, np.random.default_rng(config.seed))
        rows.append(_row(np.rint(changed).astype(np.uint8), [f"{name}, changed at random" for name in names]))
    return f'<div class="strip">{"".join(rows)}</div>'


def _spread(dataset: Dataset) -> list[int]:
    """The first pictures of each class in turn, some more than are shown."""
    of_class: dict[int, list[int]] = {}
    for index, entry in enumerate(dataset.entries):
        of_class.setdefault(entry.label, []).append(index)
    turns = max((len(found) for found in of_class.values()), default=0)
    order = [found[turn] for turn in range(min(turns, SHOWN)) for found in of_class.values() if turn < len(found)]
    return order[: 4 * SHOWN]


def _row(pictures: Iterable[Pixels], names: Sequence[str]) -> str:
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
    if isinstance(config.architecture, str):
        st.caption(PRESETS[config.architecture].note)
    st.html(layer_list.drawing(rows, shape) + layer_list.figures(rows, memory, config.batch_size))
    layers_ = st.popover(f"All {len(rows)} layers", type="tertiary", key="layers", on_change="rerun")
    if layers_.open:
        with layers_:
            st.html(layer_list.table(rows, shape))
            st.caption(memory.how)


def start(owner: str, config: TrainingConfig, labels: int, place: tuple[Device, str], wrong: Sequence[str]) -> None:
    """The button that starts the run, with what it will train on, or why it cannot be started."""
    used, called = place
    if used.kind == "cpu":
        st.caption(f"Trains on {used.name}{'' if called else '; there is no graphics card (GPU) here'}.")
    said = train_photos.consent(owner) if not config.data else st.container()
    sentence = fits(config, labels, used)
    pressed = st.button("Train", type="primary", width="stretch", key="train", disabled=bool(sentence or wrong))
    if sentence:
        frame.problem(sentence, "train")
        return
    if wrong:
        st.caption(f"To be mended first: {', '.join(wrong)}.")
        return
    if not pressed:
        if (ahead := runs.queue().before(owner, called)) > 0:
            which = "next" if ahead == 1 else f"number {ahead}"
            st.caption(f"The device is at work: your run will be {which} in line, and start by itself.")
        return
    if not config.data and (sentence := train_photos.missing(owner)):
        with said:
            frame.problem(sentence, "train")
        return
    try:
        store = None
        if not config.data:
            bar = st.progress(0.0, "Storing the pictures at the network’s size")
            store = train_photos.store(owner, config, lambda done, total: _tell(bar, done, total))
        run = runs.queue().submit(config, owner, store, called)
    except (QueueError, RecordError, DataError, ImageError) as error:
        frame.problem(str(error), "train")
        return
    st.session_state["open_run"] = run.id
    st.rerun()


def _tell(bar: Any, done: int, total: int) -> None:
    bar.progress(done / total, f"Storing the pictures at the network’s size: {done:,} of {total:,}")
