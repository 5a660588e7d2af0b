"""The short texts of /inside: what each kind of layer does, with the numbers of the picture in hand (Markdown)."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, isfinite, prod

import numpy as np

from cnnviz import steps
from cnnviz.display import number
from cnnviz.graph import Maps, Screen

_STEPS = (
    ("convolution", ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")),
    ("ReLU", ("ReLU",)),
    ("pooling", ("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D")),
    ("flattening", ("Flatten",)),
    ("full connection", ("Dense",)),
)


@dataclass(frozen=True)
class Place:
    """A layer in a network at work: its maps, those it gets, and the whole."""

    screen: Screen
    maps: Maps

    @property
    def sources(self) -> tuple[Maps, ...]:
        known = {one.node.name: one for one in self.screen.layers}
        return tuple(known[name] for name in self.maps.node.inputs if name in known)

    @property
    def source(self) -> Maps | None:
        return self.sources[0] if self.sources else None

    @property
    def is_answer(self) -> bool:
        """Whether it is the layer that gives the network's answer."""
        return self.maps.node.name == self.screen.layers[-1].node.name

    @property
    def is_normalized(self) -> bool:
        """Whether batch norm alone takes what it gives."""
        takers = [one.node for one in self.screen.layers if self.maps.node.name in one.node.inputs]
        return bool(takers) and all(one.kind == "BatchNormalization" for one in takers)


def times(shape: tuple[int, ...]) -> str:
    """A shape in words: "32 × 32 × 16"."""
    return " × ".join(f"{side:,}" for side in shape)


def percent(share: float) -> str:
    """A share as "9.5 %", as steps.share has it; "–" for none."""
    return steps.share(share) if isfinite(share) else "–"


def title(maps: Maps) -> str:
    """The heading of the popover: "What a convolution does"."""
    return _KINDS.get(maps.node.kind, (None, f"About {maps.node.kind}"))[1]


def words(place: Place) -> str:
    """What the layer does, in one or two paragraphs; the non-linearity that is part of it comes after."""
    node = place.maps.node
    write = _KINDS.get(node.kind, (_unknown, ""))[0]
    parts = [write(place)]
    own = {"relu": "ReLU", "softmax": "Softmax", "sigmoid": "Sigmoid"}.get(node.activation, "")
    if own and own != node.kind:
        parts.append(_KINDS[own][0](place))
    if node.kind in {kind for _, kinds in _STEPS for kind in kinds}:
        parts.append(five_steps(place))
    return "\n\n".join(part for part in parts if part)


def five_steps(place: Place) -> str:
    """The five steps of a first lesson on networks, and how many layers of each this one has."""
    kinds = [one.node.kind for one in place.screen.layers]
    fused = sum(one.node.activation == "relu" and one.node.kind != "ReLU" for one in place.screen.layers)
    counts = []
    for step, of_step in _STEPS:
        count = sum(kind in of_step for kind in kinds) + (fused if step == "ReLU" else 0)
        here = place.maps.node.kind in of_step
        counts.append(f"{'**' * here}{step}{'**' * here} {count}×" if count else f"{step} –")
    return "The five steps of a first lesson, and how often they stand here: " + " → ".join(counts) + "."


def _size(maps: Maps | None) -> str:
    return times(maps.node.shape) if maps is not None else "its input"


def _input(place: Place) -> str:
    shape = place.maps.node.shape
    return (
        f"**Input.** The picture as the network gets it: {times(shape)} numbers"
        f"{', one map for red, green and blue each' if shape[-1] == 3 and len(shape) == 3 else ''}, "
        f"from {number(float(np.nanmin(place.maps.min)))} to {number(float(np.nanmax(place.maps.max)))}. "
        "Everything after it is computed from these numbers alone."
    )


def _convolution(place: Place) -> str:
    maps, source = place.maps, place.source
    shifted = ", since the batch norm that comes next shifts the sum anyway" if place.is_normalized else ""
    bias = "a bias" if "+" in maps.node.how else f"no bias{shifted}"
    factors = maps.node.how.partition(" ")[0].replace(",", "").split("·")
    seen = int(factors[2]) if len(factors) == 4 else 0  # channels that one kernel takes
    part = source is not None and 0 < seen < source.channels
    over = f"{seen:,} of the {source.channels:,} maps" if part and source is not None else "all maps"
    cells = prod(maps.node.shape[:2]) if len(maps.node.shape) == 3 else 1
    return (
        f"**Convolution.** Each of the {maps.channels:,} channels has a kernel of its own over {over} of its input "
        f"({_size(source)}). It slides over them; at each place its weights are multiplied with what is under them and "
        f"added up, with {bias}: one number. {cells:,} places give one map. "
        f"All kernels together have {maps.node.how} = {maps.node.parameters:,} parameters, used at every place: "
        f"{maps.node.multiply_adds:,} multiply-adds for this picture."
    )


def _norm(place: Place) -> str:
    maps, source = place.maps, place.source
    before = ""
    if source is not None:
        before = (
            f" Here the channels come with means from {number(float(np.nanmin(source.mean)), 3)} to "
            f"{number(float(np.nanmax(source.mean)), 3)} and leave with {number(float(np.nanmin(maps.mean)), 3)} to "
            f"{number(float(np.nanmax(maps.mean)), 3)}."
        )
    return (
        "**Batch normalization.** Each channel is shifted and stretched: (x − mean) / √(variance + ε) · γ + β. Mean "
        "and variance were measured in training and stand still now; γ and β were learned: what "
        f"the first half makes alike, they give back its own strength and level.{before}"
    )


def _relu(place: Place) -> str:
    zeros = float(np.nanmean(place.maps.zeros)) if place.maps.channels else 0.0
    total = prod(place.maps.node.shape)
    return (
        f"**ReLU.** Negative numbers become 0, the others stay: max(0, x). Here {percent(zeros)} of {total:,} numbers "
        "are 0. Without such a bend a stack of convolutions could do no more than one of them; take it out below and "
        "see."
    )


def _pooled(place: Place) -> str:
    source = place.source
    if source is None:
        return ""
    rows = round(source.height / max(1, place.maps.height))
    columns = round(source.width / max(1, place.maps.width))
    return (
        f" Here windows of about {rows} × {columns} turn {_size(source)} into {_size(place.maps)}: "
        f"{prod(source.node.shape):,} numbers become {prod(place.maps.node.shape):,}."
    )


def _max_pooling(place: Place) -> str:
    return (
        "**Max pooling.** Of each window the largest number stays: is it anywhere here? Small shifts of the picture "
        f"change little. *Average pooling* would keep the mean: how much of it is here?{_pooled(place)}"
    )


def _average_pooling(place: Place) -> str:
    return (
        "**Average pooling.** Each window becomes its mean: how much of it is here? *Max pooling* would keep the "
        f"largest number: is it anywhere?{_pooled(place)}"
    )


def _global_average(place: Place) -> str:
    source = place.source
    cells = source.height * source.width if source is not None else 1
    return (
        f"**Global average.** Each map becomes one number, the mean of its {cells:,} cells: how much of what this "
        f"channel looks for is in the picture, no matter where. {place.maps.channels:,} maps, {place.maps.channels:,} "
        "numbers, and no weights."
    )


def _global_max(_: Place) -> str:
    return "**Global maximum.** Each map becomes one number, its largest: is what the channel looks for anywhere?"


def _flatten(place: Place) -> str:
    return (
        f"**Flattening.** The maps ({_size(place.source)}) are written in one long row of "
        f"{prod(place.maps.node.shape):,} numbers. Nothing is computed; but from here on a number’s place decides its "
        "weight, so that the same thing elsewhere in the picture means something else."
    )


def _dense(place: Place) -> str:
    maps, source = place.maps, place.source
    inputs = source.node.shape[-1] if source is not None else 0  # of maps it takes the channels of one cell
    bias = "adds up and adds its bias" if "+" in maps.node.how else "adds up, with no bias"
    return (
        f"**Full connection.** Each of the {maps.channels:,} units has a weight for every one of its {inputs:,} "
        f"inputs. It multiplies, {bias}: {maps.node.how} = {maps.node.parameters:,} parameters, "
        f"{percent(maps.parameter_share)} of all in this network."
    )


def _dropout(place: Place) -> str:
    return (
        "**Dropout.** In training it sets some of these numbers to 0 by lot, so that no unit can rely on another. In "
        f"use it does nothing: {prod(place.maps.node.shape):,} numbers go in, and the same come out."
    )


def _add(place: Place) -> str:
    names = [one.node.name.replace("_", " ") for one in place.sources]
    what = " and ".join(f"*{name}*" for name in names) or "its inputs"
    spread = [float(np.nanmean(np.abs(one.mean))) for one in place.sources]
    shares = ""
    if len(spread) == 2 and sum(spread) > 0:
        shares = f" Here the means of the first are {percent(spread[0] / sum(spread))} of the two together in size."
    return (
        f"**Residual addition.** {what} are added cell by cell. The shortcut carries what was there before past the "
        f"convolutions, which only have to learn what to change; in training the error finds its way back by it."
        f"{shares}"
    )


def _multiply(place: Place) -> str:
    if not any(one.height == one.width == 1 for one in place.sources):
        return "**Product.** What it gets is multiplied cell by cell: what is near 0 in one of them is turned down."
    return (
        "**Weighing maps.** Each map is multiplied with one number of its own. In squeeze and excitation two small "
        "dense layers make these, from 0 to 1, of all maps’ means: what matters in this picture is let through, the "
        "rest is turned down."
    )


def _softmax(place: Place) -> str:
    answer = place.screen.answer
    if not place.is_answer or answer.probabilities is None or len(answer.logits) < 2:
        return "**Softmax.** e to the power of each number, divided by the sum of them all: shares that add up to 1."
    first = int(np.nanargmax(answer.probabilities)) if np.isfinite(answer.probabilities).any() else 0
    logit, share = float(answer.logits[first]), float(answer.probabilities[first])
    shown = f"e^{number(logit, 3)} = {number(exp(logit), 3)}" if logit < 300 else f"e^{number(logit, 3)}"
    return (
        f"**Softmax.** Each logit becomes e^logit, and is divided by the sum of them all: {len(answer.logits):,} "
        f"shares that add up to 1. “{answer.labels[first]}”: {shown}, which is {percent(share)} of the sum. A logit "
        "that is larger by 1 makes a share about 2.7 times as large against another one."
    )


def _sigmoid(place: Place) -> str:
    answer = place.screen.answer
    one = answer.activation == "sigmoid" and answer.probabilities is not None and len(answer.logits) == 1
    if not place.is_answer or not one or answer.probabilities is None:
        return "**Sigmoid.** 1 / (1 + e^−x): every number is squeezed between 0 and 1, each for itself."
    logit, share = float(answer.logits[0]), float(answer.probabilities[-1])
    return (
        f"**Sigmoid.** 1 / (1 + e^−x) squeezes one number between 0 and 1: {number(logit, 3)} becomes "
        f"{number(share, 3)}, the probability of “{answer.labels[-1]}”; what is left to 1 is that of "
        f"“{answer.labels[0]}”. At 0 it is undecided, ½."
    )


def _unknown(place: Place) -> str:
    return (
        f"**{place.maps.node.kind}.** This app has no words for this kind of layer. What it gets and what it gives are "
        f"shown all the same: {_size(place.source)} → {_size(place.maps)}."
    )


_KINDS: dict[str, tuple[Callable[[Place], str], str]] = {
    "InputLayer": (_input, "What the network gets"),
    "Conv2D": (_convolution, "What a convolution does"),
    "BatchNormalization": (_norm, "What batch norm does"),
    "ReLU": (_relu, "What ReLU does"),
    "MaxPooling2D": (_max_pooling, "What max pooling does"),
    "AveragePooling2D": (_average_pooling, "What average pooling does"),
    "GlobalAveragePooling2D": (_global_average, "What the global average does"),
    "GlobalMaxPooling2D": (_global_max, "What the global maximum does"),
    "Flatten": (_flatten, "What flattening does"),
    "Dense": (_dense, "What full connection does"),
    "Dropout": (_dropout, "What dropout does"),
    "Add": (_add, "What the residual addition does"),
    "Multiply": (_multiply, "What weighing maps does"),
    "Softmax": (_softmax, "What softmax does"),
    "Sigmoid": (_sigmoid, "What sigmoid does"),
}
