"""A network of eight layers made of random numbers, that answers as cnnviz.networks.inside does; no keras.

Its maps are not what any weights would make of the picture: tests of the page ask what is shown of them.
"""

from typing import Any

import numpy as np

from cnnviz import maps as measure
from cnnviz.engine import State
from cnnviz.graph import Answer, Fields, Kernels, Look, Maps, Mosaic, Node, Screen
from cnnviz.networks import NetworkError

LABELS = tuple(f"class {n}" for n in range(10))
NODES = (
    Node("input", "InputLayer", "Input", (), (32, 32, 3), 0, "", 0, ""),
    Node("conv_1", "Conv2D", "Conv2D 3×3, 4 filters, same", ("input",), (32, 32, 4), 112, "3·3·3·4 + 4", 110_592, ""),
    Node("relu_1", "ReLU", "ReLU", ("conv_1",), (32, 32, 4), 0, "", 0, "", "relu"),
    Node(
        "block_1_conv", "Conv2D", "Conv2D 3×3, 4 filters", ("relu_1",), (32, 32, 4), 144, "3·3·4·4", 147_456, "block_1"
    ),
    Node("block_1_add", "Add", "Add", ("block_1_conv", "relu_1"), (32, 32, 4), 0, "", 0, "block_1"),
    Node("average_1", "GlobalAveragePooling2D", "Global average", ("block_1_add",), (4,), 0, "", 0, ""),
    Node("dense_1", "Dense", "Dense 10", ("average_1",), (10,), 50, "4·10 + 10", 40, ""),
    Node("softmax_1", "Softmax", "Softmax", ("dense_1",), (10,), 0, "", 0, "", "softmax"),
)
READY = State(True, 0, "")


class Engine:
    """Stands in for cnnviz.engine: call and cached compute at once. asked: the names of what was asked, in order.

    silent: those of them for which nobody would have been told that they wait.
    """

    def __init__(self, fits: bool = True):
        self.fits = fits
        self.asked: list[str] = []
        self.silent: list[str] = []
        self.fails: Exception | None = None
        self.slow = False  # whether each question waits, so that what waits is told so
        self.spoiled = False  # whether there is a NaN in each layer

    def cached(self, _: Any, name: str, *arguments: Any, say: Any = None, **__: Any) -> Any:
        self.asked.append(name)
        if say is None:
            self.silent.append(name)
        if self.fails is not None:
            raise self.fails
        if self.slow and say is not None:
            say(READY)
        function, _, *rest = (name.removeprefix("inside."), *arguments)
        return getattr(self, function)(*rest)

    def values(self, picture: Any, look: Look) -> dict[str, Any]:
        """Numbers that depend on the picture's first pixel and on what is switched off."""
        found: dict[str, Any] = {}
        for number, node in enumerate(NODES):
            random = np.random.default_rng(1000 * int(picture.flat[0]) + number)
            made = random.normal(size=node.shape).astype(np.float32)
            if node.kind == "InputLayer":
                made = (picture / np.float32(255)).astype(np.float32)
            if node.kind == "ReLU" and node.name not in look.linear:
                made = np.maximum(made, 0)
            if node.kind == "Softmax":
                switched = sum(len(channels) for _, channels in look.off)
                made = np.exp(found["dense_1"] * (1 + switched))
                made /= made.sum()
            for name, channels in look.off:
                if name == node.name:
                    made[..., list(channels)] = 0
            if self.spoiled and node.inputs:
                made.flat[1] = np.nan
            found[node.name] = made
        return found

    def graph(self) -> tuple[Node, ...]:
        return NODES

    def screen(self, picture: Any, look: Look) -> Screen:
        values = self.values(picture, look)
        flat = {name: measure.by_channel(one) for name, one in values.items()}
        numbers = dict(zip(flat, measure.statistics(list(flat.values())), strict=True))
        ends = measure.ranges(NODES, numbers, look.range, (0.0, 1.0), look.linear)
        logits, answer = values["dense_1"], values["softmax_1"]
        chosen = int(answer.argmax()) if look.chosen is None else look.chosen
        layers, offset = [], 0
        for node in NODES:
            one, scale = numbers[node.name], ends[node.name]
            height, width, channels = node.size
            weight = np.arange(channels, dtype=np.float32) if node.name == "average_1" else None
            at = offset if self.fits else None
            statistics = (one.mean, one.max, one.min, one.zeros, one.dead, np.zeros(channels, bool))
            scale_of = (scale.low, scale.high, scale.signed, scale.inherited)
            shares = (node.parameters / 306, 0.1)
            nan = np.isnan(one.max)
            layers.append(Maps(node, height, width, channels, *scale_of, *statistics, weight, *shares, at, nan))
            offset += values[node.name].size
        levels = measure.levels(list(flat.values()), [ends[name] for name in flat]) if self.fits else None
        return Screen(tuple(layers), Answer(LABELS, chosen, logits, answer, "softmax"), 306, 258_088, levels)

    def mosaic(self, picture: Any, look: Look, layer: str, order: str) -> Mosaic:
        maps = self.screen(picture, look).maps(layer)
        tiles = measure.tiles(self.values(picture, look)[layer], 96)
        ends = measure.Ends(maps.low, maps.high, maps.signed)
        levels = measure.levels([tiles.reshape(len(tiles), -1)], [ends]).reshape(tiles.shape)
        found = measure.statistics([measure.by_channel(self.values(picture, look)[layer])])[0]
        places = measure.order(order, found, maps.weight)
        made, columns = measure.mosaic(levels[places])
        return Mosaic(maps, made, tiles.shape[1], tiles.shape[2], columns, places, order)  # type: ignore[arg-type]

    def channel(self, picture: Any, look: Look, layer: str, channel: int) -> Any:
        node = next(node for node in NODES if node.name == layer)
        if channel >= node.size[2]:
            raise NetworkError("There is no such channel.")
        return np.ascontiguousarray(self.values(picture, look)[layer].reshape(node.size)[..., channel])

    def tiles(self, picture: Any, look: Look, channels: Any, cell: int) -> Any:
        found = {}
        for layer, number in channels.items():
            maps = self.screen(picture, look).maps(layer)
            tiles = measure.tiles(self.values(picture, look)[layer], cell)
            tiles = tiles if number is None else tiles[number : number + 1]
            scale = measure.Ends(maps.low, maps.high, maps.signed).of(number or 0)
            levels = measure.levels([tiles.reshape(len(tiles), -1)], [scale]).reshape(tiles.shape)
            found[layer] = measure.mosaic(levels)[0]
        return found

    def array(self, picture: Any, look: Look, layer: str) -> Any:
        return self.values(picture, look)[layer]

    def kernels(self, layer: str, channel: int | None, *_: Any) -> Kernels:
        random = np.random.default_rng(7)
        node = next(node for node in NODES if node.name == layer)
        source = next(one for one in NODES if one.name == node.inputs[0])
        side = 3 if node.kind == "Conv2D" else 1
        count = node.size[2] if channel is None else min(8, source.size[2])
        shape = (count, side, side, 3) if channel is None else (count, side, side)
        weights = random.normal(size=shape).astype(np.float32)
        strength = np.arange(count, 0, -1, dtype=np.float32)
        inputs = np.arange(count, dtype=np.int32)
        limit = float(np.abs(weights).max())
        return Kernels(layer, channel, channel is None, weights, inputs, strength, 1.0, source.name, None, limit)

    def fields(self, layer: str) -> Fields:
        height, _, channels = next(node for node in NODES if node.name == layer).size
        if height == 1:
            whole = np.tile(np.array([[0, 32]], np.int32), (channels, 1))
            return Fields(whole, whole, True)
        rows = np.stack([np.arange(height) - 1, np.arange(height) + 2], axis=1).astype(np.int32)
        return Fields(rows, rows, False)

    def all_fields(self) -> dict[str, Fields]:
        return {node.name: self.fields(node.name) for node in NODES}

    def effective(self, picture: Any, *_: Any) -> Any:
        return np.ones(picture.shape[:2], np.float32)
