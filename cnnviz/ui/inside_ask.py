"""What /inside asks the engine: a picture in a network, each answer kept by what it depends on."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz import engine
from cnnviz.engine import EngineError
from cnnviz.face import Face
from cnnviz.graph import Fields, Floats, Kernels, Levels, Look, Maps, Mosaic, Node, Screen
from cnnviz.images import Photo
from cnnviz.networks import NetworkError, stamp
from cnnviz.ui import inside_state
from cnnviz.ui.asking import Say
from cnnviz.ui.catalog import Network
from cnnviz.ui.inside_view import Tile, is_vector

Problem = (EngineError, NetworkError)  # each with one sentence for the user
_TILE = 88  # px
_MOST_KERNELS = 128  # that stand under their maps


@dataclass(frozen=True, eq=False)
class Subject:
    """One picture in one network. picture: uint8 (h, w, c), as the network gets it, before scaling.

    turn: its place in the engine's line. say: is told the engine's state while a question waits.
    face: that of a larger photo whose square the photo is; None where it is a whole one.
    mirrored: whether the picture is the mirror image of what the network gets of the photo.
    """

    network: Network
    photo: Photo
    picture: NDArray[np.uint8]
    turn: str
    say: Say | None = None
    face: Face | None = None
    mirrored: bool = False

    @classmethod
    def at(
        cls,
        network: Network,
        photo: Photo,
        turn: str,
        say: Say | None = None,
        face: Face | None = None,
        mirrored: bool = False,
    ) -> "Subject":
        """The photo as this network gets it."""
        return cls(network, photo, prepared(network, photo, mirrored), turn, say, face, mirrored)

    @property
    def faceless(self) -> bool:
        """Whether a network for faces gets a whole photo, since no face was found in it."""
        return self.network.card.task == "face" and self.face is None

    @property
    def folder(self) -> str:
        return str(self.network.folder)

    def ask_network(self, function: str, *arguments: Any) -> Any:
        """The same of what no picture changes."""
        key, turn = (*stamp(self.folder), *arguments), f"{self.turn}/{function}"
        return engine.cached(key, f"inside.{function}", self.folder, *arguments, turn=turn, say=self.say)

    @property
    def identity(self) -> tuple[Hashable, ...]:
        """What the numbers depend on beside what is switched off."""
        return (*stamp(self.folder), self.photo.digest, self.mirrored)

    def ask(self, function: str, key: tuple[Hashable, ...], *arguments: Any) -> Any:
        """The answer of inside.`function`; raises one of Problem."""
        name = f"inside.{function}"
        return engine.cached(
            (*self.identity, *key), name, self.folder, *arguments, turn=f"{self.turn}/{function}", say=self.say
        )


def prepared(network: Network, photo: Photo, mirrored: bool) -> NDArray[np.uint8]:
    """The picture that goes in, uint8 (h, w, c): of the photo, or the mirror image of that."""
    picture = network.card.preprocessing.picture(photo.pixels)
    return np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture


def nodes(subject: Subject) -> tuple[Node, ...]:
    """The layers of the network."""
    found: tuple[Node, ...] = subject.ask_network("graph")
    return found


def mean_answer(subject: Subject) -> NDArray[np.float64]:
    """What a network answers whose card says `mirror`, as Classify has it: the mean of both passes, (classes,)."""
    found: NDArray[np.float64] = engine.cached(
        (*stamp(subject.folder), subject.photo.digest, "mean"),
        "classifier.answers",
        subject.folder,
        subject.picture[np.newaxis],
        turn=f"{subject.turn}/mean",
        say=subject.say,
    )
    mean: NDArray[np.float64] = found[0]
    return mean


def screen(subject: Subject, look: Look) -> Screen:
    """Every layer in numbers, and all maps where they fit a screen."""
    found: Screen = subject.ask("screen", (look,), subject.picture, look)
    return found


def mosaic(subject: Subject, look: Look, layer: str, order: str) -> Mosaic:
    """One layer's channels."""
    found: Mosaic = subject.ask("mosaic", (look, layer, order), subject.picture, look, layer, order)
    return found


def channel(subject: Subject, look: Look, layer: str, number: int) -> Floats:
    """One channel, float32 (h, w)."""
    found: Floats = subject.ask("channel", (look, layer, number), subject.picture, look, layer, number)
    return found


def array(subject: Subject, look: Look, layer: str) -> Floats:
    """All of a layer's output, float32 without the batch."""
    found: Floats = subject.ask("array", (look, layer), subject.picture, look, layer)
    return found


def fields(subject: Subject, layer: str) -> Fields:
    """The theoretical receptive fields of a layer."""
    found: Fields = subject.ask_network("fields", layer)
    return found


def all_fields(subject: Subject) -> dict[str, Fields]:
    """The same of every layer."""
    found: dict[str, Fields] = subject.ask_network("all_fields")
    return found


def effective(subject: Subject, look: Look, layer: str, cell: tuple[int, int], number: int) -> Floats:
    """How much one cell depends on each pixel of the input, (h, w)."""
    found: Floats = subject.ask(
        "effective", (look, layer, cell, number), subject.picture, look, layer, cell[0], cell[1], number
    )
    return found


def kernels(subject: Subject, look: Look, maps: Maps, number: int) -> Kernels | None:
    """The weights behind a channel; None for layers without."""
    if maps.node.kind not in ("Conv2D", "DepthwiseConv2D", "Dense"):
        return None
    name = maps.node.name
    found: Kernels = subject.ask("kernels", (look, name, number), name, number, subject.picture, look)
    return found


def colored_kernels(subject: Subject, maps: Maps, source: Maps | None) -> Kernels | None:
    """Every kernel of a convolution that sees the input's channels; None for others."""
    if maps.node.kind != "Conv2D" or source is None or source.channels > 3 or maps.channels > _MOST_KERNELS:
        return None
    found: Kernels = subject.ask("kernels", (maps.node.name,), maps.node.name, None, None, Look(), maps.channels)
    return found


def tiles(subject: Subject, look: Look, whole: Screen) -> dict[str, Tile]:
    """For a network that is too large for one screen: the strongest map of each layer, or all units of a vector."""
    strongest = {maps.node.name: inside_state.strongest(maps) for maps in whole.layers}
    asked = {maps.node.name: None if is_vector(maps) else strongest[maps.node.name] for maps in whole.layers}
    key = (look, tuple(asked.items()), _TILE)
    found: dict[str, Levels] = subject.ask("tiles", key, subject.picture, look, asked, _TILE)
    return {name: Tile(strongest[name], levels) for name, levels in found.items()}
