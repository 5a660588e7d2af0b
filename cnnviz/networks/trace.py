"""Traces a number through a network: the step that made a cell, the way from the answer to a pixel, and back up."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz import steps
from cnnviz.graph import Look
from cnnviz.networks import NetworkError, arithmetic
from cnnviz.networks import scene as scenes
from cnnviz.networks.activations import Unsupported
from cnnviz.networks.scene import Scene
from cnnviz.networks.terms import Terms
from cnnviz.networks.terms import total as total_of
from cnnviz.steps import LOGITS, Part, Place, Rest, Step, Term, Walk

POINTS = 41  # of a curve


def walk(folder: str | Path, picture: NDArray[np.uint8], look: Look, trail: Sequence[Place]) -> Walk:
    """What a page shows of a trail; of one that leads to places that do not exist, as much as there is."""
    scene = scenes.open_scene(folder, picture, look)
    problem, known = "", []
    for place in trail:
        try:
            known.append(scenes.check(scene, place))
        except NetworkError as error:
            problem = str(error)
            break
    starts, probabilities, chosen = scenes.answer(scene)
    if look.chosen is not None and look.chosen < len(starts):
        chosen = look.chosen
    step = step_at(scene, known[-1]) if known else None
    return Walk(
        tuple(known),
        tuple(scenes.title(scene, place) for place in known),
        step,
        problem,
        starts,
        scene.card.labels,
        probabilities,
        chosen,
        scenes.input_of(scene),
        scenes.map_of(scene, known[-1]) if known else None,
        scenes.reached(scene, known[-1]) if step is not None and step.form == "photo" else (),
    )


# ----------------------------------------------------------------------------------------------- how it came about


def step_at(scene: Scene, place: Place) -> Step:
    """How a cell came about; NetworkError for a place that the network does not have."""
    place = scenes.check(scene, place)
    name = place.node.removesuffix(LOGITS)
    node, layer = scene.nodes[name], scene.layers[name]
    before = name != place.node
    value = math.nan if before else float(scene.arrays[name][place.index])
    step = Step(place, node.label, "end", scenes.title(scene, place), value, reach=scenes.reach_of(scene, place))
    if not before and any(name == off and place.index[-1] in channels for off, channels in scene.look.off):
        step = replace(step, result=value, end="This channel is switched off, so that it gives 0.")
    elif not node.inputs:
        step = _pixel(scene, step)
    else:
        inputs = [scene.arrays[source] for source in node.inputs]
        try:
            if not before and scenes.fuses_softmax(scene, name):
                terms = arithmetic.softmax(arithmetic.logits(layer, inputs, place.index), place.index[-1:])
                terms.indices = [(*place.index[:-1], j) for (j,) in terms.indices]
                step = _filled(scene, step, terms, (name + LOGITS,))
            else:
                terms = arithmetic.calculate(layer, inputs, place.index, linear=name in scene.look.linear)
                step = _filled(scene, step, terms, node.inputs)
            step = _said_of_rounding(step, layer)
        except Unsupported as error:
            step = replace(step, result=value, end=f"{error} The trace ends here.")
    if before:
        step = replace(step, value=step.result)
    return replace(step, sentence=steps.sentence(step))


def _said_of_rounding(step: Step, layer: Any) -> Step:
    dtype = getattr(layer, "compute_dtype", "float32")
    if dtype in ("float32", "float64") or step.adds_up:
        return step
    return replace(step, note=f"{step.note} This layer computes in {dtype}, which rounds.".strip())


def _pixel(scene: Scene, step: Step) -> Step:
    if step.place.index[:-1] and scene.picture.shape == scene.nodes[step.place.node].shape:
        level = float(scene.picture[step.place.index])
        weight, bias = {"0..1": (1 / 255, None), "-1..1": (1 / 127.5, -1.0)}.get(
            scene.card.preprocessing.scale, (1.0, None)
        )
        result = level * weight + (bias or 0.0)
        term = Term(None, level, weight, level * weight, "level of the pixel")
        size = abs(level * weight) + abs(bias or 0.0)
        end = f"A pixel of the picture as the network sees it, {scene.card.preprocessing.words()}."
        return replace(
            step, form="photo", terms=(term,), count=1, total=result, result=result, bias=bias, size=size, end=end
        )
    return replace(step, result=step.value, end="This is what the network was given.")


def _filled(scene: Scene, step: Step, terms: Terms, sources: Sequence[str]) -> Step:
    total, result, size = total_of(terms)
    with np.errstate(all="ignore"):
        products = terms.values * terms.weights
    strength = np.where(np.isnan(products), np.inf, np.abs(products))
    if terms.outside is not None:
        strength[terms.outside] = -1.0  # padding comes last
    order = np.argsort(-strength, kind="stable")
    shown = order[: steps.TERMS]
    if terms.form == "softmax" and terms.chosen not in shown:
        shown = np.array([*shown[:-1], terms.chosen])
    others = order[~np.isin(order, shown)]
    rest = Rest(
        len(others), math.fsum(products[others]) if np.isfinite(products).all() else float(products[others].sum())
    )
    hardest = _hardest(scene, step.place, terms, products, total)
    places = {int(n): _place(terms, sources, n) for n in (*shown, hardest)}
    parts, rest_parts = _parts(scene, terms, products, sources) if terms.window else ((), Rest())
    return replace(
        step,
        form=terms.form,
        combine=terms.combine,
        total=total,
        result=result,
        size=size,
        terms=tuple(
            Term(
                places[int(n)],
                float((terms.values if terms.given is None else terms.given)[n]),
                float(terms.weights[n]),
                float(products[n]),
                _term_name(scene, places[int(n)], len(set(sources)) > 1 or terms.form in ("same", "line", "function")),
            )
            for n in shown
        ),
        rest=rest,
        count=len(products),
        parts=parts,
        rest_parts=rest_parts,
        bias=terms.bias,
        activation=terms.words,
        numbers=terms.numbers,
        note=terms.note,
        follow=places[hardest],
        curve=_curve(terms),
    )


def _curve(terms: Terms) -> tuple[tuple[float, float], ...]:
    """What a line or a function makes of numbers round the one that it was given."""
    if terms.form not in ("line", "function") or not np.isfinite(terms.values[0]):
        return ()
    middle = dict(terms.numbers).get("mean", 0.0)
    far = 1.3 * max(abs(float(terms.values[0]) - middle), 1.0 if terms.form == "line" else 3.0)
    xs = np.linspace(middle - far, middle + far, 2 if terms.form == "line" else POINTS)
    slope, bias = float(terms.weights[0]), terms.bias or 0.0
    return tuple((round(float(x), 6), round(terms.function(float(x) * slope + bias), 6)) for x in xs)


def _place(terms: Terms, sources: Sequence[str], n: int) -> Place | None:
    if terms.outside is not None and terms.outside[n]:
        return None
    return Place(sources[int(terms.source[n])], tuple(int(i) for i in terms.indices[n]))


def _term_name(scene: Scene, place: Place | None, with_layer: bool) -> str:
    if place is None:
        return "padding"
    return scenes.title(scene, place, alone=not with_layer)


def _hardest(scene: Scene, place: Place, terms: Terms, products: NDArray[np.float64], total: float) -> int:
    """Number of the term that pushed hardest the way the result went."""
    if terms.combine == "share":
        return terms.chosen
    if terms.combine == "product":  # the map that is weighed, not what weighs it
        return int(np.argmax([np.size(scene.arrays[s]) for s in scene.nodes[place.node].inputs]))
    if np.isnan(products).any():
        return int(np.flatnonzero(np.isnan(products))[0])
    inside = np.ones(len(products), np.bool_) if terms.outside is None or terms.outside.all() else ~terms.outside
    if terms.combine in ("largest", "smallest"):
        masked = np.where(inside, products, -np.inf if terms.combine == "largest" else np.inf)
        return int(masked.argmax() if terms.combine == "largest" else masked.argmin())
    # a logit is asked what made it large, whatever its sign: the softmax compares
    upward = total >= 0 or _is_logit(scene, place)
    pushes = np.where(inside, products if upward else -products, -np.inf)
    return int(pushes.argmax()) if pushes.max() > 0 else int(np.where(inside, np.abs(products), -1.0).argmax())


def _is_logit(scene: Scene, place: Place) -> bool:
    if place.node.endswith(LOGITS):
        return True
    last = scene.nodes[scene.last]
    return last.kind == "Softmax" and place.node in last.inputs


def _parts(
    scene: Scene, terms: Terms, products: NDArray[np.float64], sources: Sequence[str]
) -> tuple[tuple[Part, ...], Rest]:
    """A window's channels, the strongest first."""
    assert terms.window is not None
    channels, high, wide = terms.window
    shape = (channels, high, wide)
    with np.errstate(all="ignore"):
        sums = products.reshape(channels, -1).sum(axis=1)
    order = np.argsort(-np.where(np.isnan(sums), np.inf, np.abs(sums)), kind="stable")
    values, weights = terms.values.reshape(shape), terms.weights.reshape(shape)
    outside = np.zeros(shape, np.bool_) if terms.outside is None else terms.outside.reshape(shape)
    indices = np.asarray(terms.indices).reshape(*shape, 3)
    sent = max(1, steps.CELLS // (high * wide))
    found = []
    for position, c in enumerate(order[: steps.PARTS]):
        channel = int(indices[c, 0, 0, 2])
        part = Part(sources[0], channel, _channel_name(scene, sources[0], channel), float(sums[c]))
        if position < sent:
            part = replace(
                part,
                rows=tuple(int(i) for i in indices[c, :, 0, 0]),
                columns=tuple(int(i) for i in indices[c, 0, :, 1]),
                outside=outside[c],
                values=values[c],
                weights=weights[c],
            )
        found.append(part)
    others = order[steps.PARTS :]
    return tuple(found), Rest(
        len(others), float(math.fsum(sums[others])) if np.isfinite(sums).all() else float(sums[others].sum())
    )


def _channel_name(scene: Scene, node: str, channel: int) -> str:
    return scenes.color(scene, channel) if node == scenes.input_of(scene) else f"channel {channel}"
