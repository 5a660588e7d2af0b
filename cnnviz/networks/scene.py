"""A network at work on one picture: its cells, their names, its answer, and which cells depend on which."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnnviz import display, steps
from cnnviz.cards import Card
from cnnviz.graph import Look, Node
from cnnviz.networks import NetworkError, classifier, forward, inside, reach, receptive
from cnnviz.networks.activations import Unsupported, is_softmax
from cnnviz.networks.plan import Plan
from cnnviz.steps import LOGITS, Map, Place, Reached

MAP = 96  # rows and columns of a map that is sent


@dataclass(frozen=True, eq=False)
class Scene:
    """A network at work on one picture. plan: its calls. nodes, layers, arrays: by name, in order, without the batch.

    last: the node that is the answer.
    """

    plan: Plan
    card: Card
    nodes: Mapping[str, Node]
    layers: Mapping[str, Any]
    arrays: Mapping[str, NDArray[np.float32]]
    picture: NDArray[np.uint8]
    look: Look
    last: str


def open_scene(folder: str | Path, picture: NDArray[np.uint8], look: Look) -> Scene:
    """The network in a folder at work on a picture, uint8 (h, w, c); NetworkError as classifier.load and inside."""
    model, card = classifier.load(folder)
    return scene_of(model, card, picture, look, inside.activations(folder, picture, look))


def scene_of(
    model: Any, card: Card, picture: NDArray[np.uint8], look: Look, arrays: Mapping[str, NDArray[np.float32]]
) -> Scene:
    """The same of a keras.Model and what its nodes give, as forward.outputs has it."""
    found = forward.plan(model)
    layers = {found.input: forward.layer(model, found.input), **found.operations}
    return Scene(found, card, found.by_name, layers, arrays, picture, look, found.outputs[0])


def fuses_softmax(scene: Scene, name: str) -> bool:
    """Whether a layer that computes something else ends with a softmax."""
    layer = scene.layers[name]
    weighs = type(layer).__name__ in ("Dense", "Conv2D", "DepthwiseConv2D", "SeparableConv2D")
    return weighs and is_softmax(layer.activation) and name not in scene.look.linear


def check(scene: Scene, place: Place) -> Place:
    """The place, which the network has, a vector's also from (0, 0, unit); NetworkError with a sentence for others."""
    name = place.node.removesuffix(LOGITS)
    if name not in scene.nodes or (name != place.node and not fuses_softmax(scene, name)):
        raise NetworkError(
            f"The link leads to the layer “{place.node[:40]}”, which {scene.card.title} does not have; start again "
            "from its answer."
        )
    shape = scene.nodes[name].shape
    if len(shape) == 1 and len(place.index) == 3 and place.index[:2] == (0, 0):
        place = Place(place.node, place.index[2:])
    if len(place.index) != len(shape) or any(not 0 <= i < n for i, n in zip(place.index, shape, strict=True)):
        raise NetworkError(
            f"The link leads to cell ({', '.join(map(str, place.index))}) of {steps.layer_words(name)}, whose shape is "
            f"{' × '.join(map(str, shape))}, counted from 0; start again from the answer."
        )
    return place


def names(scene: Scene, name: str) -> tuple[str, ...]:
    """The classes, for the answer and for the one layer whose numbers it is made of one by one; else nothing."""
    name = name.removesuffix(LOGITS)
    labels = scene.card.labels
    last = scene.nodes[scene.last]
    answers = {scene.last, *(last.inputs if last.kind in ("Softmax", "Sigmoid", "Activation") else ())}
    if name not in answers or len(scene.nodes[name].shape) != 1:
        return ()
    units = scene.nodes[name].shape[0]
    return labels if units == len(labels) else labels[1:] if units == 1 else ()


def title(scene: Scene, place: Place, alone: bool = False) -> str:
    """A place in words; alone: without its layer."""
    node = scene.nodes[place.node.removesuffix(LOGITS)]
    if not node.inputs and len(place.index) == 3:
        cell = f"{color(scene, place.index[2])}, ({place.index[0]}, {place.index[1]})"
    else:
        what = "channel" if node.kind.startswith("Global") else "unit" if node.kind == "Dense" else "number"
        cell = steps.cell_words(place.index, names(scene, place.node), what)
    return cell if alone else f"{steps.layer_words(place.node)}, {cell}"


def color(scene: Scene, channel: int) -> str:
    """A channel of the network's input in words."""
    return "grey" if scene.picture.shape[-1] == 1 else ("red", "green", "blue")[channel]


def input_of(scene: Scene) -> str:
    """The node that the picture goes into."""
    return next(iter(scene.nodes))


def answer(scene: Scene) -> tuple[tuple[Place, ...], tuple[float, ...] | None, int]:
    """The place of each class's number in the answer; their probabilities, if it has any; and the likeliest class."""
    output = scene.arrays[scene.last].ravel()
    shares = inside.probabilities(scene.nodes[scene.last], output, scene.look)
    both = len(output) == 1 and len(scene.card.labels) == 2
    places = (Place(scene.last, (0,)),) * 2 if both else tuple(Place(scene.last, (k,)) for k in range(len(output)))
    told = None if shares is None else tuple(float(share) for share in shares)
    return places, told, inside.likeliest(output if shares is None else shares)


def map_of(scene: Scene, place: Place) -> Map | None:
    """The map that a cell lies on; None for a vector."""
    name = place.node
    if len(place.index) != 3:
        return None
    array = scene.arrays[name.removesuffix(LOGITS)][..., place.index[2]]
    limit = display.limit(array)
    signed = bool((array < 0).any())
    kind: Literal["signed", "heat", "grey"] = "signed" if signed else "heat" if name != input_of(scene) else "grey"
    scale = display.signed_scale(limit) if signed else display.heat_scale(0.0, limit)
    every = -(-max(array.shape) // MAP)
    rows, columns = array.shape
    low, high = (scale.low, scale.high) if array.any() else (0.0, 0.0)  # `limit` of zeros is a hair above 0
    return Map(display.levels(array[::every, ::every], scale), every, (rows, columns), low, high, kind)


def reach_of(scene: Scene, place: Place) -> tuple[int, int, int, int] | None:
    """Top, left, bottom, right of the input's pixels that a cell can depend on; None where it is none's cell."""
    fields = receptive.fields(scene.plan, place.node.removesuffix(LOGITS))
    y, x = place.index[:2] if len(place.index) == 3 else (0, 0)
    top, bottom, left, right = fields.box(y, x, place.index[-1])
    return (top, left, bottom, right) if bottom > top and right > left else None


def reached(scene: Scene, place: Place) -> tuple[Reached, ...]:
    """Which cells of the layers after it a cell can reach, layer by layer; of the input's pixels all channels count."""
    node = place.node
    start = np.zeros(scene.nodes[node].shape, np.bool_)
    start[place.index[:2] if scene.nodes[node].inputs == () else place.index] = True
    masks: dict[str, NDArray[np.bool_]] = {node: start}
    found = []
    for name, one in scene.nodes.items():
        if name in masks or not any(source in masks for source in one.inputs):
            continue
        shapes = [scene.nodes[source].shape for source in one.inputs]
        inputs = [
            masks.get(source, np.zeros(shape, np.bool_)) for source, shape in zip(one.inputs, shapes, strict=True)
        ]
        try:
            masks[name] = reach.ahead(scene.layers[name], inputs, one.shape)
        except (Unsupported, ValueError, IndexError):
            masks[name] = np.ones(one.shape, np.bool_)
        mask = masks[name] if len(one.shape) == 3 else masks[name].reshape(1, 1, -1)
        flat = mask.any(axis=2)
        count, of = (int(flat.sum()), flat.size) if flat.size > 1 else (int(mask.sum()), mask.size)
        cells = np.argwhere(masks[name])
        middle = Place(name, tuple(int(i) for i in cells[len(cells) // 2])) if len(cells) else None
        found.append(Reached(name, steps.layer_words(name), count, of, reach.box(mask), flat.shape, middle))
    return tuple(found)
