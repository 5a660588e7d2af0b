"""Drawn happy and sad faces from a seed: nothing but mouth, brows and eyes tells the two classes apart."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnviz.data.dataset import Dataset
from cnnviz.data.drawn import (
    Color,
    Points,
    Sheet,
    bend,
    drawn_dataset,
    luminance,
    mixed,
    oval,
    tint,
)
from cnnviz.images import Pixels

LABELS = ("happy", "sad")

SKINS = (
    (255, 226, 200),
    (248, 208, 172),
    (238, 190, 148),
    (224, 172, 126),
    (200, 143, 100),
    (174, 116, 76),
    (146, 94, 62),
    (118, 74, 50),
    (92, 58, 42),
    (72, 46, 36),
)
CARTOON_SKINS = ((255, 217, 74), (158, 210, 130), (138, 188, 240), (196, 170, 236), (250, 176, 196), (244, 160, 96))
HAIRS = (
    (30, 26, 28),
    (46, 34, 30),
    (68, 44, 34),
    (104, 68, 44),
    (144, 80, 48),
    (200, 98, 46),
    (228, 188, 106),
    (242, 226, 184),
    (166, 166, 172),
    (238, 238, 238),
)
DYED_HAIRS = ((240, 110, 170), (40, 168, 160), (130, 84, 190), (60, 110, 210), (220, 50, 60))
WHITE, NIGHT = (255, 255, 255), (24, 20, 26)
LIPS = ((124, 34, 42), (232, 138, 134), (70, 20, 30))
TONGUE = (226, 108, 108)


def drawn_faces(number: int = 1200, seed: int = 0, size: int = 64) -> Dataset:
    """Happy and sad faces in turns, `size` pixels wide and high.

    A picture depends on seed and index only, and its scene not on the size: a data set of 600 is the first half of
    one of 1,200. DataError for a number outside 2..20,000, a size outside 16..512, a seed outside 0..2³² − 1.
    """
    return drawn_dataset("drawn-faces", LABELS, draw_face, number, seed, size)


@dataclass(frozen=True, slots=True)
class _Face:
    """What the parts of a face share. Lengths are in units of about half a head's width, y down, from its middle.

    outline, line: color and width of the line around every area; a width of 0 is no line.
    width, height: half axes of the head.
    happy: 1 for a happy face, −1 for a sad one; `strength` 0..1 says how much.
    """

    sheet: Sheet
    random: np.random.Generator
    skin: Color
    hair: Color
    cloth: Color
    outline: Color
    line: float
    drawing: bool
    width: float
    height: float
    jaw: float
    corner: float
    eye_x: float
    eye_y: float
    mouth_y: float
    happy: int
    strength: float

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def within(self, lowest: float, highest: float) -> float:
        return lowest + (highest - lowest) * self.random.random()

    def area(self, points: Points, color: Color) -> None:
        self.sheet.fill(points, color)
        if self.line:
            self.sheet.stroke(points, self.line, self.outline, closed=True)

    def visible(self, color: Color, ground: Color) -> Color:
        """The color, or ink in a line drawing; made darker or brighter where it could not be told from the ground."""
        if self.drawing:
            return self.skin if ground == self.outline else self.outline
        return _apart(color, ground, 45)


def _apart(color: Color, ground: Color, least: float) -> Color:
    """The color, moved towards black or white until its luminance differs from the ground's by `least`."""
    here, there = luminance(color), luminance(ground)
    if abs(here - there) >= least:
        return color
    down = there > 200 or (here <= there and there > least + luminance(NIGHT))
    goal, wanted = (NIGHT, there - least) if down else (WHITE, there + least)
    return mixed(color, goal, (here - wanted) / (here - luminance(goal)))


def draw_face(random: np.random.Generator, label: int, size: int) -> Pixels:
    """One face with the expression LABELS[label]: uint8 (size, size, 3).

    The same random numbers with the other label give the same person in the other mood.
    """
    style = random.random()
    ground = tint(random.random(), random.uniform(0.05, 0.75), random.uniform(0.35, 1))
    cloth = tint(random.random(), random.uniform(0.1, 0.9), random.uniform(0.25, 0.95))
    skin = _one_of(random, SKINS if random.random() < 0.72 else CARTOON_SKINS)
    hair = _one_of(random, HAIRS if random.random() < 0.82 else DYED_HAIRS)
    outline, line = NIGHT, 0.0
    drawing = style > 0.72
    if drawing:
        paper = tint(random.random(), random.uniform(0, 0.2), random.uniform(0.85, 1))
        outline = tint(random.random(), random.uniform(0, 0.9), random.uniform(0.1, 0.4))
        if style > 0.9:  # chalk on a board
            paper, outline = outline, paper
        hair = outline if random.random() < 0.3 else paper
        ground = skin = cloth = paper
    else:
        ground, hair, cloth = _apart(ground, skin, 25), _apart(hair, skin, 30), _apart(cloth, skin, 20)
    if style > 0.36:
        line = random.uniform(0.045, 0.085)

    height = random.uniform(0.92, 1.2)
    sheet = Sheet(size, ground)
    face = _Face(
        sheet,
        random,
        skin,
        hair,
        cloth,
        outline,
        line,
        drawing,
        width=random.uniform(0.8, 1),
        height=height,
        jaw=random.uniform(0.72, 1.08),
        corner=random.uniform(0.78, 1),
        eye_x=random.uniform(0.3, 0.42),
        eye_y=random.uniform(-0.22, -0.04),
        mouth_y=random.uniform(0.5, 0.58) * height,
        happy=1 if label == 0 else -1,
        strength=random.uniform(0, 1),
    )
    x, y = random.uniform(0.42, 0.58), random.uniform(0.45, 0.57)
    unit, turn, mirrored = random.uniform(0.25, 0.35), random.uniform(-0.3, 0.3), random.random() < 0.5
    sheet.place(0.5, 0.5, 0.5)
    _backdrop(face, ground)
    hairdo = HAIRDOS[int(random.integers(len(HAIRDOS)))]
    sheet.place(x, y, unit, turn, mirrored)
    hairdo.behind(face)
    sheet.place(x, y, unit, turn / 3, mirrored)
    _body(face)
    sheet.place(x, y, unit, turn, mirrored)
    _head(face, ears=hairdo.ears)
    under_mouth = _beard(face)
    _nose(face)
    _eyes(face)
    _brows(face)
    _glasses(face)
    _mouth(face, under_mouth)
    hairdo.front(face)
    return sheet.finished(random, light=random.uniform(0, 0.3), noise=int(random.integers(0, 14)))


def _one_of(random: np.random.Generator, colors: tuple[Color, ...]) -> Color:
    """One of the colors, a little off."""
    red, green, blue = colors[int(random.integers(len(colors)))]
    off = random.integers(-10, 11, 3)
    return (
        min(255, max(0, red + int(off[0]))),
        min(255, max(0, green + int(off[1]))),
        min(255, max(0, blue + int(off[2]))),
    )


# --- around the face ---


def _backdrop(face: _Face, ground: Color) -> None:
    other = mixed(ground, WHITE if face.chance(0.6) else NIGHT, face.within(0.1, 0.3))
    kind, where, spread = face.random.random(), face.within(-0.5, 0.5), face.within(0.5, 1)
    if face.drawing or kind < 0.4:
        return
    if kind < 0.6:
        face.sheet.fill(oval(where / 3, 0, spread, spread), other)
    elif kind < 0.8:
        face.sheet.fill(np.array([(-1.0, where), (1, where / 2), (1, 1), (-1, 1)]), other)
    else:
        for left in np.arange(-2, 1, 2 * spread / 3):
            stripe = [(left + where, -1), (left + where + spread / 3, -1), (left + 1, 1), (left + 1 - spread / 3, 1)]
            face.sheet.fill(np.array(stripe), other)


def _body(face: _Face) -> None:
    neck, wide, top = face.within(0.28, 0.4), face.within(1.1, 1.5), face.height + face.within(0.2, 0.35)
    shade = face.skin if face.drawing else mixed(face.skin, NIGHT, 0.18)
    shoulders = [(-wide, 4), (-wide, top + 0.5), (-wide, top + 0.1), (-neck, top), (0, top - 0.05), (neck, top)]
    face.area(bend(*shoulders, (wide, top + 0.1), (wide, top + 0.5), (wide, 4)), face.cloth)
    low = top + face.within(0.1, 0.4)
    face.area(bend((-neck, 0.5), (-neck, 0.8), (-neck, top), (0, 2 * low - top), (neck, top), (neck, 0.8), (neck, 0.5)), shade)


def _head(face: _Face, ears: bool) -> None:
    w, h = face.width, face.height
    size, dark = face.within(0.14, 0.22), mixed(face.skin, NIGHT, 0.16)
    if ears:
        for side in (-1, 1):
            face.area(oval(side * w, face.eye_y + 0.18, size * 0.8, size), face.skin)
    outline = _head_outline(face, 1)
    face.area(outline, face.skin)
    # a darker edge on one side, as light from the other side gives
    light, depth = face.within(-1, 1), face.within(0.03, 0.12)
    if not face.drawing and face.chance(0.5):
        face.sheet.fill(outline, dark)
        face.sheet.fill(outline * (1 - depth) + (light * depth * w, -depth * h * 0.6), face.skin)
        if face.line:
            face.sheet.stroke(outline, face.line, face.outline, closed=True)
    blush, wide = face.within(0.15, 0.4), face.within(0.1, 0.2)
    if face.chance(0.35) and not face.drawing:
        for side in (-1, 1):
            face.sheet.fill(oval(side * w * 0.62, 0.28, wide, wide * 0.7), mixed(face.skin, (236, 90, 90), blush))


def _head_outline(face: _Face, scale: float) -> Points:
    """Around the head: an ellipse, more or less square, with a narrow or a wide jaw."""
    points = oval(0, 0, 1, 1)
    points = np.sign(points) * np.abs(points) ** face.corner
    points[:, 0] *= 1 - (1 - face.jaw) * np.maximum(points[:, 1], 0) ** 2
    return points * (face.width * scale, face.height * scale)


# --- the expression: only what follows looks at `happy` ---


def _mouth(face: _Face, ground: Color) -> None:
    half = face.within(0.26, 0.46)
    depth = half * (0.4 + 0.4 * face.strength) * face.happy  # of the curve, corners to middle
    skew, x = face.within(-0.06, 0.06), face.within(-0.06, 0.06)
    kind, thick, gap = face.random.random(), face.within(0.08, 0.14), face.within(0.45, 0.8)
    lips = max(LIPS, key=lambda lip: abs(luminance(lip) - luminance(ground)))
    color = face.visible(lips, ground)
    # corners and middle lie on both sides of mouth_y, so that no mood has its mouth higher or lower
    y, left, right = face.mouth_y, -half + x, half + x

    def curve(share: float) -> Points:
        edge = y - depth / 2
        return bend((left, edge - skew), (x, edge + 2 * depth * share), (right, edge + skew))

    if kind < 0.5:
        face.sheet.stroke(curve(1), thick, color)
        return
    inside = color if face.drawing else mixed(lips, NIGHT, 0.4)
    opening = np.concatenate([curve(gap - 0.25), curve(1.1)[::-1]])
    teeth = np.concatenate([curve(gap - 0.25), curve(gap + (0.1 if kind < 0.75 else 0.5))[::-1]])
    if kind > 0.62:
        face.sheet.fill(opening, inside)
        face.sheet.fill(teeth, ground if face.drawing else WHITE)
    else:
        face.sheet.fill(opening, inside)
    face.sheet.stroke(opening, thick * 0.5, color, closed=True)


def _brows(face: _Face) -> None:
    long, thick = face.within(0.14, 0.24), face.within(0.06, 0.13)
    height = face.eye_y - face.within(0.28, 0.4)
    mood = face.strength * face.within(0, 1)
    color = face.visible(face.hair, face.skin)
    if face.chance(0.15):
        return
    for side in (-1, 1):
        inner, outer = side * (face.eye_x - long), side * (face.eye_x + long)
        if face.happy > 0:
            points = bend((inner, height + 0.04 * mood), (side * face.eye_x, height - 0.3 * mood), (outer, height + 0.08 * mood))
        else:
            points = bend((inner, height - 0.18 * mood), (side * face.eye_x, height - 0.02), (outer, height + 0.14 * mood))
        face.sheet.stroke(points, thick, color)


def _eyes(face: _Face) -> None:
    kind, size, mood = face.random.random(), face.within(0.1, 0.17), face.random.random()
    gaze, tall = face.within(-0.25, 0.25), face.within(0.9, 1.4)
    iris = face.visible(tint(face.random.random(), face.within(0.3, 0.9), face.within(0.1, 0.5)), WHITE)
    dark = face.visible(NIGHT, face.skin)
    for side in (-1, 1):
        x, y = side * face.eye_x, face.eye_y
        if kind < 0.14:  # closed
            up = -face.happy * size * 1.5 if mood < 0.6 else size * 1.5
            face.sheet.stroke(bend((x - size, y - up / 4), (x, y + up), (x + size, y - up / 4)), 0.09, dark)
            continue
        if kind < 0.5:
            face.sheet.fill(oval(x, y, size * 0.75, size * 0.75 * tall), dark)
            if not face.drawing and mood < 0.7:
                face.sheet.fill(oval(x + size * 0.25, y - size * 0.3, size * 0.25, size * 0.25), WHITE)
            continue
        white = face.skin if face.drawing else WHITE
        face.sheet.fill(oval(x, y, size * 1.3, size * tall), white)
        if face.line or face.drawing:
            face.sheet.stroke(oval(x, y, size * 1.3, size * tall), face.line * 0.7, face.outline, closed=True)
        face.sheet.fill(oval(x + gaze * size, y, size * 0.7, size * 0.8), iris)
        face.sheet.fill(oval(x + gaze * size, y, size * 0.38, size * 0.42), face.outline if face.drawing else NIGHT)
        if mood < 0.4:
            # a lid: from below, pushed up by the cheek, or from above, falling outwards
            edge = size * tall
            if face.happy > 0:
                lid = bend((x - size * 1.5, y + edge * 0.9), (x, y + edge * 0.1), (x + size * 1.5, y + edge * 0.9))
                lid = np.concatenate([lid, [(x + size * 1.5, y + edge * 1.2), (x - size * 1.5, y + edge * 1.2)]])
            else:
                inner, outer = x - side * size * 1.5, x + side * size * 1.5
                lid = np.array([(inner, y - edge * 1.2), (inner, y - edge * 0.9), (outer, y + edge * 0.1), (outer, y - edge * 1.2)])
            face.sheet.fill(lid, face.skin)


# --- what has nothing to do with the expression ---


def _nose(face: _Face) -> None:
    kind, y, size = face.random.random(), face.within(0.14, 0.24), face.within(0.07, 0.15)
    color = face.outline if face.drawing else mixed(face.skin, NIGHT, 0.35)
    if kind < 0.3:
        face.sheet.stroke(bend((-size, y), (0, y + 1.2 * size), (size, y)), 0.06, color)
    elif kind < 0.55:
        face.sheet.stroke(bend((0, y - 2 * size), (size * 0.4, y), (size, y), (size * 0.6, y + size * 0.6), (0, y + size * 0.5)), 0.06, color)
    elif kind < 0.8:
        face.area(oval(0, y, size * 1.1, size), mixed(face.skin, (200, 80, 70), 0 if face.drawing else 0.3))
    elif kind < 0.9:
        for side in (-1, 1):
            face.sheet.fill(oval(side * size * 0.6, y + 0.03, 0.04, 0.04), color)


def _beard(face: _Face) -> Color:
    """Draws a beard, a moustache, both or none; returns the color that the mouth lies on."""
    kind, curl, thick = face.random.random(), face.within(-0.12, 0.12), face.within(0.05, 0.1)
    w, h, top = face.width, face.height, face.mouth_y - face.within(0.17, 0.21)
    side, long = face.within(0.7, 0.82), face.within(1.04, 1.2)
    stubble = face.chance(0.4) and not face.drawing
    color = mixed(face.skin, face.hair, 0.3) if stubble else face.hair
    if kind < 0.13:
        jaw = _head_outline(face, 1.02)
        jaw = jaw[jaw[:, 1] > 0]
        jaw[:, 1] *= 1.01 if stubble else long
        cheek = [(-w * side, face.mouth_y), (-w * 0.45, face.mouth_y - 0.1), (-w * 0.25, top), (0, top)]
        edge = bend((-w, 0), *cheek, *((-x, y) for x, y in cheek[::-1][1:]), (w, 0))
        face.area(np.concatenate([edge, jaw]), color)
    elif kind < 0.19:
        face.area(bend((-0.2, h * 0.84), (-0.2, h * long), (0, h * long), (0.2, h * long), (0.2, h * 0.84)), color)
    if 0.09 < kind < 0.23:
        left = bend((0, top), (-0.2, top - thick), (-0.42, top + curl), (-0.2, top + 2 * thick), (0, top + thick))
        face.area(np.concatenate([left, left[::-1] * (-1, 1)]), face.hair)
    return color if kind < 0.13 else face.skin


def _glasses(face: _Face) -> None:
    kind, wide, tall = face.random.random(), face.within(0.22, 0.29), face.within(0.85, 1.05)
    color = face.visible(tint(face.random.random(), face.within(0, 0.9), face.within(0.05, 0.8)), face.skin)
    if kind > 0.24:
        return
    for side in (-1, 1):
        lens = oval(side * face.eye_x, face.eye_y, wide, wide * tall)
        if kind > 0.12:
            lens = np.array([(-1, -0.8), (1, -0.8), (0.85, 0.8), (-0.85, 0.8)]) * (wide, wide * tall) + (side * face.eye_x, face.eye_y)
        if kind < 0.03 or kind > 0.22:
            face.sheet.fill(lens, color)
        face.sheet.stroke(lens, 0.06, color, closed=True)
        face.sheet.stroke(np.array([(side * (face.eye_x + wide), face.eye_y), (side * face.width, face.eye_y - 0.05)]), 0.05, color)
    gap = max(0.0, face.eye_x - wide)
    face.sheet.stroke(bend((-gap, face.eye_y - 0.04), (0, face.eye_y - 0.1), (gap, face.eye_y - 0.04)), 0.06, color)


# --- hair and what else is worn on a head ---


@dataclass(frozen=True, slots=True)
class _Hairdo:
    """behind, front: what is drawn before the body, and after everything else."""

    behind: Callable[[_Face], None]
    front: Callable[[_Face], None]
    ears: bool = True


def _nothing(_: _Face) -> None:
    """No hair here."""


def _crown(face: _Face, scale: float, low: float) -> Points:
    """Around the top of the head, from the left temple to the right one; low: how far below the middle it starts."""
    angles = np.linspace(math.pi - low, 2 * math.pi + low, 25)
    return np.stack([np.cos(angles) * face.width, np.sin(angles) * face.height], axis=1) * scale


def _cap(face: _Face) -> None:
    top = _crown(face, face.within(1.04, 1.12), face.within(-0.1, 0.25))
    (left, start), (right, end) = top[0], top[-1]
    brow, part, kind = -face.height * face.within(0.5, 0.68), face.within(-0.5, 0.5), face.random.random()
    if kind < 0.4:  # parted
        fringe = bend((right, end), (right * 0.85, brow), (part, brow - 0.2), (left * 0.6, brow + 0.15), (left, start))
    elif kind < 0.7:  # straight
        fringe = bend((right, end), (right * 0.8, end), (right * 0.8, brow), (0, brow + part / 5), (left * 0.8, brow), (left * 0.8, start), (left, start))
    else:  # receding
        fringe = bend((right, end), (right * 0.7, brow), (right * 0.5, brow - 0.15), (0, brow + 0.2), (left * 0.5, brow - 0.15), (left * 0.7, brow), (left, start))
    face.area(np.concatenate([top, fringe]), face.hair)


def _bumpy(face: _Face) -> None:
    top = _crown(face, 1.12, face.within(-0.1, 0.15))
    bumps = int(face.random.integers(5, 9))
    top *= (1 + 0.07 * np.abs(np.sin(np.linspace(0, bumps * math.pi, len(top)))))[:, np.newaxis]
    brow = -face.height * face.within(0.45, 0.6)
    fringe = bend(tuple(top[-1]), (0.75, brow), (0.4, brow), (0.1, brow - 0.25), (-0.2, brow), (-0.7, brow + 0.1), tuple(top[0]))
    face.area(np.concatenate([top, fringe]), face.hair)


def _spikes(face: _Face) -> None:
    top = _crown(face, 1, -0.1)[::2]
    radii = np.where(np.arange(len(top)) % 2, face.within(1.2, 1.45), 1.02)
    brow = -face.height * 0.62
    fringe = np.array([(0.6, brow), (0.35, brow - 0.15), (0.1, brow + 0.08), (-0.2, brow - 0.15), (-0.55, brow)])
    face.area(np.concatenate([top * radii[:, np.newaxis], fringe]), face.hair)


def _tuft(face: _Face) -> None:
    h, tall, lean = face.height, face.within(0.2, 0.45), face.within(-0.3, 0.3)
    left, middle, right = (-0.4 + lean, -h - tall * 0.8), (lean, -h - tall), (0.4 + lean, -h - tall * 0.8)
    root = [(0.3, -h * 0.85), (0, -h * 0.7), (-0.3, -h * 0.85)]
    points = [left, (-0.1, -h * 1.02), middle, (0.1, -h * 1.02), right, (0.35, -h), *root, (-0.35, -h), left]
    face.area(bend(*points), face.hair)


def _long(face: _Face) -> None:
    wide, low = face.width * face.within(1.12, 1.4), face.within(0.5, 1.9)
    flare = wide * face.within(0.85, 1.15)
    top = -face.height * 1.1
    left = [(0, top), (-wide, top), (-wide, 0), (-wide, low * 0.7), (-flare, low), (0, low + 0.15)]
    face.area(bend(*left, *((-x, y) for x, y in left[::-1][1:])), face.hair)


def _afro(face: _Face) -> None:
    size = face.within(1.2, 1.5)
    points = oval(0, 0, size * face.width, size * face.height)
    bumps = 1 + 0.05 * np.cos(np.linspace(0, 2 * math.pi * 12, len(points), endpoint=False))
    face.area(points * bumps[:, np.newaxis] - (0, 0.22), face.hair)


def _bun(face: _Face) -> None:
    size = face.within(0.25, 0.42)
    face.area(oval(face.within(-0.3, 0.3), -face.height - size * 0.6, size, size), face.hair)


def _pigtails(face: _Face) -> None:
    w, low, out = face.width, face.within(0.5, 1.2), face.within(0.35, 0.6)
    tail = bend((-w * 0.9, -0.3), (-w - out, -0.6), (-w - out, low * 0.5), (-w - out, low), (-w, low), (-w - 0.1, 0.2), (-w * 0.9, 0))
    for side in (1, -1):
        face.area(tail * (side, 1), face.hair)


def _beanie(face: _Face) -> None:
    top, brow = _crown(face, face.within(1.08, 1.18), -0.35), -face.height * 0.42
    face.area(top, face.cloth)
    band = mixed(face.cloth, WHITE, 0 if face.drawing else 0.35)
    edge = abs(top[0, 0]) * 1.04
    face.area(bend((-edge, brow), (0, brow - 0.2), (edge, brow), (edge, brow + 0.1), (edge, brow + 0.24), (0, brow + 0.04), (-edge, brow + 0.24)), band)
    if face.chance(0.5):
        face.area(oval(0, -face.height * 1.2, 0.2, 0.2), band)


def _hat(face: _Face) -> None:
    brow, tall, brim = -face.height * face.within(0.5, 0.62), face.within(0.5, 0.9), face.within(1.15, 1.5)
    w = face.width
    face.area(bend((-w, brow), (-w, brow - tall), (0, brow - tall), (w, brow - tall), (w, brow)), face.cloth)
    face.area(oval(0, brow, brim, 0.14), mixed(face.cloth, NIGHT, 0 if face.drawing else 0.2))


def _scarf_behind(face: _Face) -> None:
    face.area(oval(0, 0.08, face.width * 1.28, face.height * 1.25), face.cloth)


def _scarf(face: _Face) -> None:
    outer, inner = oval(0, 0.08, face.width * 1.28, face.height * 1.25), oval(0, 0.1, face.width * 0.9, face.height * 0.86)
    face.sheet.fill(np.concatenate([outer, outer[:1], inner[:1], inner[::-1]]), face.cloth)
    if face.line:
        face.sheet.stroke(inner, face.line, face.outline, closed=True)


HAIRDOS = (
    _Hairdo(_nothing, _nothing),
    _Hairdo(_nothing, _cap),
    _Hairdo(_nothing, _cap),
    _Hairdo(_nothing, _bumpy),
    _Hairdo(_nothing, _spikes),
    _Hairdo(_nothing, _tuft),
    _Hairdo(_long, _cap, ears=False),
    _Hairdo(_long, _cap, ears=False),
    _Hairdo(_long, _bumpy, ears=False),
    _Hairdo(_afro, _nothing),
    _Hairdo(_afro, _cap),
    _Hairdo(_bun, _cap),
    _Hairdo(_pigtails, _cap),
    _Hairdo(_nothing, _beanie),
    _Hairdo(_long, _beanie, ears=False),
    _Hairdo(_nothing, _hat),
    _Hairdo(_long, _hat, ears=False),
    _Hairdo(_scarf_behind, _scarf, ears=False),
)
