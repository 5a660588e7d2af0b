"""Drawn heads and shoulders, by chance: all of a drawn face but its expression, which is unknown here."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnviz.data.drawn import NIGHT, WHITE, Color, Points, Sheet, apart, bend, mixed, oval, tint


def _colors(codes: str) -> list[Color]:
    return [(code[0], code[1], code[2]) for code in map(bytes.fromhex, codes.split())]


_SKINS = _colors("ffe2c8 f8d0ac eebe94 e0ac7e c88f64 ae744c 925e3e 764a32 5c3a2a 482e24")
_CARTOON_SKINS = _colors("ffd94a 9ed282 8abcf0 c4aaec fab0c4 f4a060")
_HAIRS = _colors("1e1a1c 2e221e 442c22 68442c 905030 c8622e e4bc6a f2e2b8 a6a6ac eeeeee")
_DYED_HAIRS = _colors("f06eaa 28a8a0 8254be 3c6ed2 dc323c")


@dataclass(frozen=True, slots=True)
class Person:
    """What the parts of one drawn person share. Lengths: 1 is about half a head's width, (0, 0) the head's middle.

    drawing: lines on paper, so that ground, skin and clothes have the paper's color. outline, line: color and width of
    the line around every area; width 0 is no line. width, height: half axes of the head. jaw: its width below, as a
    share. corner: 1 for an oval head, less for a square one. place: arguments of Sheet.place.
    """

    random: np.random.Generator
    sheet: Sheet
    drawing: bool
    ground: Color
    skin: Color
    hair: Color
    cloth: Color
    outline: Color
    line: float
    width: float
    height: float
    jaw: float
    corner: float
    eye_x: float
    eye_y: float
    mouth_y: float
    place: tuple[float, float, float, float, bool]

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def within(self, lowest: float, highest: float) -> float:
        return lowest + (highest - lowest) * self.random.random()

    def area(self, points: Points, color: Color) -> None:
        self.sheet.fill(points, color)
        self.border(points)

    def border(self, points: Points) -> None:
        if self.line:
            self.sheet.stroke(points, self.line, self.outline, closed=True)

    def visible(self, color: Color, ground: Color) -> Color:
        """The color, so that it can be told from the ground that it lies on; in a line drawing ink, or paper on ink."""
        if self.drawing:
            return self.skin if ground == self.outline else self.outline
        return apart(color, ground, 45)

    def head(self, scale: float = 1) -> Points:
        """Around the head, clockwise from the right."""
        points = oval(0, 0, 1, 1)
        points = np.sign(points) * np.abs(points) ** self.corner
        points[:, 0] *= 1 - (1 - self.jaw) * np.maximum(points[:, 1], 0) ** 2
        return points * (self.width * scale, self.height * scale)


def somebody(random: np.random.Generator, size: int) -> Person:
    """A person by chance and an empty sheet for a picture of `size` pixels."""
    style = random.random()
    ground = tint(random.random(), random.uniform(0.05, 0.75), random.uniform(0.35, 1))
    cloth = tint(random.random(), random.uniform(0.1, 0.9), random.uniform(0.25, 0.95))
    skin = _one_of(_SKINS if random.random() < 0.72 else _CARTOON_SKINS, random)
    hair = _one_of(_HAIRS if random.random() < 0.82 else _DYED_HAIRS, random)
    outline = NIGHT
    drawing = style > 0.72
    if drawing:
        paper = tint(random.random(), random.uniform(0, 0.2), random.uniform(0.85, 1))
        outline = tint(random.random(), random.uniform(0, 0.9), random.uniform(0.1, 0.4))
        if style > 0.9:  # chalk on a board
            paper, outline = outline, paper
        hair = outline if random.random() < 0.3 else paper
        ground = skin = cloth = paper
    else:
        ground, hair, cloth = apart(ground, skin, 25), apart(hair, skin, 30), apart(cloth, skin, 20)
    height = random.uniform(0.92, 1.2)
    return Person(
        random,
        Sheet(size, ground),
        drawing,
        ground,
        skin,
        hair,
        cloth,
        outline,
        line=random.uniform(0.045, 0.085) if style > 0.36 else 0,
        width=random.uniform(0.8, 1),
        height=height,
        jaw=random.uniform(0.72, 1.08),
        corner=random.uniform(0.78, 1),
        eye_x=random.uniform(0.3, 0.42),
        eye_y=random.uniform(-0.22, -0.04),
        mouth_y=random.uniform(0.5, 0.58) * height,
        place=(
            random.uniform(0.42, 0.58),
            random.uniform(0.45, 0.57),
            random.uniform(0.25, 0.35),
            random.uniform(-0.3, 0.3),
            random.random() < 0.5,
        ),
    )


def draw_person(person: Person, expression: Callable[[Person, Color], None]) -> None:
    """Draws all of the person, back to front; calls `expression` with the color around the mouth in its turn."""
    behind, front, ears = _HAIRDOS[int(person.random.integers(len(_HAIRDOS)))]
    x, y, unit, turn, mirrored = person.place
    _backdrop(person)
    person.sheet.place(*person.place)
    behind(person)
    person.sheet.place(x, y, unit, turn / 3, mirrored)
    _shoulders(person)
    person.sheet.place(*person.place)
    _head(person, ears)
    around_mouth = _beard(person)
    _nose(person)
    expression(person, around_mouth)
    _glasses(person)
    front(person)


def _one_of(colors: list[Color], random: np.random.Generator) -> Color:
    """One of the colors, a little off."""
    off = random.integers(-10, 11, 3)
    red, green, blue = (np.array(colors[int(random.integers(len(colors)))]) + off).clip(0, 255).tolist()
    return red, green, blue


def _symmetric(*half: tuple[float, float]) -> Points:
    """Along the curve through the half given, from one side to the axis x = 0, and on through its mirror image."""
    return bend(*half, *((-x, y) for x, y in half[-2::-1]))


def _backdrop(person: Person) -> None:
    other = mixed(person.ground, WHITE if person.chance(0.6) else NIGHT, person.within(0.1, 0.3))
    kind, where, spread = person.random.random(), person.within(-0.5, 0.5), person.within(0.5, 1)
    if person.drawing or kind < 0.4:
        return
    if kind < 0.6:
        person.sheet.fill(oval(where / 3, 0, spread, spread), other)
    elif kind < 0.8:
        person.sheet.fill(np.array([(-1, where), (1, where / 2), (1, 1), (-1, 1)]), other)
    else:
        wide = spread / 3
        stripe = np.array([(where, -1), (where + wide, -1), (1, 1), (1 - wide, 1)])
        for left in np.arange(-2, 1, 2 * wide):
            person.sheet.fill(stripe + np.array([left, 0]), other)


def _shoulders(person: Person) -> None:
    neck, wide, top = person.within(0.28, 0.4), person.within(1.1, 1.5), person.height + person.within(0.2, 0.35)
    low = 2 * person.within(0.1, 0.4) + top
    shade = person.skin if person.drawing else mixed(person.skin, NIGHT, 0.18)
    outline = _symmetric((-wide, 4), (-wide, top + 0.5), (-wide, top + 0.1), (-neck, top), (0, top - 0.05))
    person.area(outline, person.cloth)
    person.area(_symmetric((-neck, 0.5), (-neck, 0.8), (-neck, top), (0, low)), shade)


def _head(person: Person, ears: bool) -> None:
    size = person.within(0.14, 0.22)
    for side in (-1, 1) if ears else ():
        person.area(oval(side * person.width, person.eye_y + 0.18, size * 0.8, size), person.skin)
    outline, width = person.head(), person.width
    light, depth = person.within(-1, 1), person.within(0.03, 0.12)
    shaded = person.chance(0.5) and not person.drawing
    person.sheet.fill(outline, mixed(person.skin, NIGHT, 0.16) if shaded else person.skin)
    if shaded:  # but for the part towards the light
        person.sheet.fill(outline * (1 - depth) + (light * depth * width, -depth * person.height * 0.6), person.skin)
    person.border(outline)
    blush, wide = mixed(person.skin, (236, 90, 90), person.within(0.15, 0.4)), person.within(0.1, 0.2)
    if person.chance(0.35) and not person.drawing:
        for side in (-1, 1):
            person.sheet.fill(oval(side * width * 0.62, 0.28, wide, wide * 0.7), blush)


def _beard(person: Person) -> Color:
    """Draws a beard, a moustache, both or none; returns the color around the mouth."""
    kind, curl, thick = person.random.random(), person.within(-0.12, 0.12), person.within(0.05, 0.1)
    w, h, top = person.width, person.height, person.mouth_y - person.within(0.17, 0.21)
    cheek, long = person.within(0.7, 0.82), person.within(1.04, 1.2)
    stubble = person.chance(0.4) and not person.drawing
    color = mixed(person.skin, person.hair, 0.3) if stubble else person.hair
    if kind < 0.13:
        jaw = person.head(1.02)
        jaw = jaw[jaw[:, 1] > 0] * (1, 1 if stubble else long)
        middle = person.mouth_y
        edge = _symmetric((-w, 0), (-w * cheek, middle), (-w * 0.45, middle - 0.1), (-w * 0.25, top), (0, top))
        person.area(np.concatenate([edge, jaw]), color)
    elif kind < 0.19:
        person.area(_symmetric((-0.2, h * 0.84), (-0.2, h * long), (0, h * long)), color)
    if 0.09 < kind < 0.23:  # its ends point up or down as they like, and so mislead
        left = bend((0, top), (-0.2, top - thick), (-0.42, top + curl), (-0.2, top + 2 * thick), (0, top + thick))
        person.area(np.concatenate([left, left[::-1] * (-1, 1)]), person.hair)
    return color if kind < 0.13 else person.skin


def _nose(person: Person) -> None:
    kind, y, size = person.random.random(), person.within(0.14, 0.24), person.within(0.07, 0.15)
    color = person.outline if person.drawing else mixed(person.skin, NIGHT, 0.35)
    if kind < 0.3:
        person.sheet.stroke(bend((-size, y), (0, y + 1.2 * size), (size, y)), 0.06, color)
    elif kind < 0.55:
        tip = bend((0, y - 2 * size), (size * 0.4, y), (size, y), (size * 0.6, y + size * 0.6), (0, y + size * 0.5))
        person.sheet.stroke(tip, 0.06, color)
    elif kind < 0.8:
        person.area(oval(0, y, size * 1.1, size), mixed(person.skin, (200, 80, 70), 0 if person.drawing else 0.3))
    elif kind < 0.9:
        for side in (-1, 1):
            person.sheet.fill(oval(side * size * 0.6, y + 0.03, 0.04, 0.04), color)


def _glasses(person: Person) -> None:
    kind, wide, tall = person.random.random(), person.within(0.22, 0.29), person.within(0.85, 1.05)
    color = person.visible(tint(person.random.random(), person.within(0, 0.9), person.within(0.05, 0.8)), person.skin)
    if kind > 0.24:
        return
    x, y = person.eye_x, person.eye_y
    lens = oval(0, 0, 1, 1) if kind < 0.12 else np.array([(-1, -0.8), (1, -0.8), (0.85, 0.8), (-0.85, 0.8)])
    for side in (-1, 1):
        placed = lens * (wide, wide * tall) + (side * x, y)
        if kind < 0.03 or kind > 0.22:  # against the sun
            person.sheet.fill(placed, color)
        person.sheet.stroke(placed, 0.06, color, closed=True)
        person.sheet.stroke(np.array([(side * (x + wide), y), (side * person.width, y - 0.05)]), 0.05, color)
    gap = max(0.0, x - wide)
    person.sheet.stroke(bend((-gap, y - 0.04), (0, y - 0.1), (gap, y - 0.04)), 0.06, color)


# --- hair, and what else is worn on a head ---


def _nothing(_: Person) -> None:
    """No hair here."""


def _crown(person: Person, scale: float, low: float) -> Points:
    """Over the head from the left temple to the right one; low: angle below the middle at which it starts."""
    angles = np.linspace(math.pi - low, 2 * math.pi + low, 25)
    return np.stack([np.cos(angles) * person.width, np.sin(angles) * person.height], axis=1) * scale


def _cut(person: Person) -> None:
    top = _crown(person, person.within(1.04, 1.12), person.within(-0.1, 0.25))
    x, y = top[-1]
    brow, part, kind = -person.height * person.within(0.5, 0.68), person.within(-0.5, 0.5), person.random.random()
    if kind < 0.4:  # parted
        fringe = bend((x, y), (x * 0.85, brow), (part, brow - 0.2), (-x * 0.6, brow + 0.15), (-x, y))
    elif kind < 0.7:  # straight
        fringe = _symmetric((x, y), (x * 0.8, y), (x * 0.8, brow), (0, brow + part / 5))
    else:  # receding
        fringe = _symmetric((x, y), (x * 0.7, brow), (x * 0.5, brow - 0.15), (0, brow + 0.2))
    person.area(np.concatenate([top, fringe]), person.hair)


def _curls(person: Person) -> None:
    top = _crown(person, 1.12, person.within(-0.1, 0.15))
    bumps = int(person.random.integers(5, 9))
    top *= (1 + 0.07 * np.abs(np.sin(np.linspace(0, bumps * math.pi, len(top)))))[:, np.newaxis]
    brow, (x, y) = -person.height * person.within(0.45, 0.6), top[-1]
    fringe = bend((x, y), (0.75, brow), (0.4, brow), (0.1, brow - 0.25), (-0.2, brow), (-0.7, brow + 0.1), (-x, y))
    person.area(np.concatenate([top, fringe]), person.hair)


def _spikes(person: Person) -> None:
    top = _crown(person, 1, -0.1)[::2]
    radii = np.where(np.arange(len(top)) % 2, person.within(1.2, 1.45), 1.02)
    brow = -person.height * 0.62
    fringe = np.array([(0.6, brow), (0.35, brow - 0.15), (0.1, brow + 0.08), (-0.2, brow - 0.15), (-0.55, brow)])
    person.area(np.concatenate([top * radii[:, np.newaxis], fringe]), person.hair)


def _tuft(person: Person) -> None:
    h, tall, lean = person.height, person.within(0.2, 0.45), person.within(-0.3, 0.3)
    left, middle, right = (-0.4 + lean, -h - tall * 0.8), (lean, -h - tall), (0.4 + lean, -h - tall * 0.8)
    tips = [left, (-0.1, -h * 1.02), middle, (0.1, -h * 1.02), right]
    root = [(0.35, -h), (0.3, -h * 0.85), (0, -h * 0.7), (-0.3, -h * 0.85), (-0.35, -h), left]
    person.area(bend(*tips, *root), person.hair)


def _long(person: Person) -> None:
    wide, low, top = person.width * person.within(1.12, 1.4), person.within(0.5, 1.9), -person.height * 1.1
    flare = wide * person.within(0.85, 1.15)
    half = [(0, top), (-wide, top), (-wide, 0), (-wide, low * 0.7), (-flare, low), (0, low + 0.15)]
    person.area(_symmetric(*half), person.hair)


def _afro(person: Person) -> None:
    size = person.within(1.2, 1.5)
    points = oval(0, 0, size * person.width, size * person.height)
    bumps = 1 + 0.05 * np.cos(np.linspace(0, 2 * math.pi * 12, len(points), endpoint=False))
    person.area(points * bumps[:, np.newaxis] - (0, 0.22), person.hair)


def _bun(person: Person) -> None:
    size = person.within(0.25, 0.42)
    person.area(oval(person.within(-0.3, 0.3), -person.height - size * 0.6, size, size), person.hair)


def _pigtails(person: Person) -> None:
    w, low, out = person.width, person.within(0.5, 1.2), person.width + person.within(0.35, 0.6)
    tail = bend(
        (-w * 0.9, -0.3), (-out, -0.6), (-out, low * 0.5), (-out, low), (-w, low), (-w - 0.1, 0.2), (-w * 0.9, 0)
    )
    for side in (1, -1):
        person.area(tail * (side, 1), person.hair)


def _beanie(person: Person) -> None:
    top, y = _crown(person, person.within(1.08, 1.18), -0.35), -person.height * 0.42
    person.area(top, person.cloth)
    band, x = mixed(person.cloth, WHITE, 0 if person.drawing else 0.35), abs(top[0, 0]) * 1.04
    lower, upper = bend((-x, y + 0.24), (0, y + 0.04), (x, y + 0.24)), bend((x, y), (0, y - 0.2), (-x, y))
    person.area(np.concatenate([lower, upper]), band)
    if person.chance(0.5):
        person.area(oval(0, -person.height * 1.2, 0.2, 0.2), band)


def _hat(person: Person) -> None:
    w, brow, top = person.width, -person.height * person.within(0.5, 0.62), person.within(0.5, 0.9)
    person.area(_symmetric((-w, brow), (-w, brow - top), (0, brow - top)), person.cloth)
    brim = mixed(person.cloth, NIGHT, 0 if person.drawing else 0.2)
    person.area(oval(0, brow, person.within(1.15, 1.5), 0.14), brim)


def _scarf_behind(person: Person) -> None:
    person.area(oval(0, 0.08, person.width * 1.28, person.height * 1.25), person.cloth)


def _scarf(person: Person) -> None:
    outer = oval(0, 0.08, person.width * 1.28, person.height * 1.25)
    inner = oval(0, 0.1, person.width * 0.9, person.height * 0.86)
    person.sheet.fill(np.concatenate([outer, outer[:1], inner[:1], inner[::-1]]), person.cloth)
    person.border(inner)


_Draw = Callable[[Person], None]
# what is drawn behind the head, what in front of it, and whether ears are to be seen
_HAIRDOS: tuple[tuple[_Draw, _Draw, bool], ...] = (
    (_nothing, _nothing, True),
    (_nothing, _cut, True),
    (_nothing, _cut, True),
    (_nothing, _curls, True),
    (_nothing, _spikes, True),
    (_nothing, _tuft, True),
    (_nothing, _beanie, True),
    (_nothing, _hat, True),
    (_long, _cut, False),
    (_long, _cut, False),
    (_long, _curls, False),
    (_long, _beanie, False),
    (_long, _hat, False),
    (_afro, _nothing, True),
    (_afro, _cut, True),
    (_bun, _cut, True),
    (_pigtails, _cut, True),
    (_scarf_behind, _scarf, False),
)
