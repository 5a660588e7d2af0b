"""Side by side on /inside: which layers of two networks compare, and what a column shows of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np

from cnnviz.graph import Levels, Look, Maps, Node, Screen
from cnnviz.microscope.network import Body
from cnnviz.ui import inside_ask, inside_view
from cnnviz.ui.inside_ask import Subject
from cnnviz.ui.inside_words import times

MOST = 16  # maps of a layer in a column


@dataclass(frozen=True)
class Row:
    """A layer and its channels that are shown; the layer that it stands beside, and how many maps that one shows."""

    name: str
    channels: tuple[int, ...]
    peer: str
    room: int


def pairs(here: Sequence[Node], there: Sequence[Node]) -> list[tuple[str, str]]:
    """Names of the layers that compare: the inputs, the first convolutions, the last layers of either's nearest size.

    Two sizes of maps are a pair where each is the nearest to the other (by the ratio of their cells). No layer stands
    in two pairs and no two pairs cross: the first convolutions win, then the larger maps. In the order of the layers.
    """
    found = [(here[0].name, there[0].name)]
    convolutions = [next((one.name for one in nodes if "Conv" in one.kind), None) for nodes in (here, there)]
    if convolutions[0] and convolutions[1]:
        found.append((convolutions[0], convolutions[1]))
    ours, theirs = _last_of_sizes(here), _last_of_sizes(there)
    for cells, name in ours.items():
        if theirs and _nearest(ours, near := _nearest(theirs, cells)) == cells:
            found.append((name, theirs[near]))
    places = [{node.name: place for place, node in enumerate(nodes)} for nodes in (here, there)]
    kept: list[tuple[int, int]] = []
    for one, other in found:
        at = (places[0][one], places[1][other])
        if all((at[0] - ours) * (at[1] - theirs) > 0 for ours, theirs in kept):
            kept.append(at)
    return [(here[ours].name, there[theirs].name) for ours, theirs in sorted(kept)]


def unmatched(nodes: Sequence[Node], shown: Sequence[Row], title: str, other: str) -> str:
    """A sentence on the sizes of maps of which no layer is shown: "Left out are the maps of 56 × 56 …"; "" for none."""
    sizes = {node.name: node.size[:2] for node in nodes if _has_maps(node)}
    kept = {sizes[row.name] for row in shown if row.name in sizes}
    left = [times(size) for size in dict.fromkeys(sizes.values()) if size not in kept]
    if not left:
        return ""
    words = " and ".join(filter(None, (", ".join(left[:-1]), left[-1])))
    return f"Left out are the maps of {words} of “{title}”: “{other}” has none left to compare them with."


def _last_of_sizes(nodes: Sequence[Node]) -> dict[int, str]:
    """The last layer with maps of so many cells, the largest first."""
    last = {node.size[0] * node.size[1]: node.name for node in nodes if _has_maps(node)}
    return dict(sorted(last.items(), reverse=True))


def _has_maps(node: Node) -> bool:
    return bool(node.inputs) and node.size[0] * node.size[1] > 1


def _nearest(sizes: dict[int, str], cells: int) -> int:
    return min(sizes, key=lambda one: abs(log2(one / cells)))


def rows(here: Screen, there: Screen, same: bool = False) -> tuple[list[Row], list[Row]]:
    """What the two columns show, row by row. same: it is one network, so that both show the same channels."""
    sides: tuple[list[Row], list[Row]] = ([], [])
    for one, other in pairs([maps.node for maps in here.layers], [maps.node for maps in there.layers]):
        strong = [np.nan_to_num(np.abs(of.mean), nan=np.inf) for of in (here.maps(one), there.maps(other))]
        if same:
            strong = [np.maximum(*strong)] * 2
        ours, theirs = (np.sort(np.argsort(-of, kind="stable")[:MOST]).tolist() for of in strong)
        sides[0].append(Row(one, tuple(ours), other, len(theirs)))
        sides[1].append(Row(other, tuple(theirs), one, len(ours)))
    return sides


def counterpart(column: Sequence[Row], peer: str) -> str | None:
    """The layer of a column that stands beside `peer`; None where none does."""
    return next((row.name for row in column if row.peer == peer), None)


def column(
    block: str,
    subject: Subject,
    look: Look,
    screen: Screen,
    shown: Sequence[Row],
    opened: tuple[str, bool, int],
    key: str,
    second: bool = False,
) -> bytes:
    """The block of a network's column. opened: layer, whether it was asked for, channel. key: of the numbers.

    second: it is the other network's, so that a layer chosen there opens the one that stands beside it.
    """
    body = Body()
    layers: list[dict[str, Any]] = []
    for number, row in enumerate(shown):
        maps = screen.maps(row.name)
        channels, levels = list(row.channels), _levels(subject, look, screen, maps, row.channels)
        layers.append(
            inside_view.layer_part(body, maps, f"{number}")
            | {
                "inputs": [],
                "off": list(dict(look.off).get(row.name, ())),
                "picture": body.picture(
                    levels, levels.shape[1], levels.shape[2], inside_view.palette(maps), len(channels)
                ),
                "statsAt": body.place(
                    np.stack([of[channels] for of in (maps.min, maps.max, maps.mean, maps.zeros)]).astype(np.float32)
                ),
                "shown": channels,
                "whole": levels.shape[1:] == (maps.height, maps.width),
                "room": row.room,
                "peer": row.peer if second else None,
            }
        )
    opened_name, explicit, channel = opened
    network = {
        "id": key,
        "fits": True,
        "paired": True,
        "layers": layers,
        "opened": opened_name,
        "explicit": explicit,
        "channel": channel,
        "alt": f"{len(layers)} layers of {subject.network.card.title} that compare with those in the other column.",
        "hint": "Move over the maps. Click one to open its layer.",
        "legend": inside_view.legend([screen.maps(row.name) for row in shown]),
        "note": "",
    }
    return body.block(block, network=network)


def _levels(subject: Subject, look: Look, screen: Screen, maps: Maps, channels: Sequence[int]) -> Levels:
    """The levels (channels, rows, columns) of some channels of a layer, reduced where the network is large."""
    if screen.levels is not None and maps.offset is not None:
        cells = maps.height * maps.width
        levels = screen.levels[maps.offset : maps.offset + cells * maps.channels]
        return np.ascontiguousarray(levels.reshape(maps.channels, maps.height, maps.width)[list(channels)])
    made = inside_ask.mosaic(subject, look, maps.node.name, "index")
    return np.stack([made.tile(channel) for channel in channels])
