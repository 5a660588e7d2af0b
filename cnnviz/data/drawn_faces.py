"""Drawn happy and sad faces from a seed: nothing but mouth, brows and eyes tells the two classes apart."""

from functools import partial

import numpy as np

from cnnviz.data.dataset import Dataset
from cnnviz.data.drawn import NIGHT, WHITE, Color, Points, bend, drawn_dataset, luminance, mixed, oval, tint
from cnnviz.data.drawn_people import Person, draw_person, somebody
from cnnviz.images import Pixels

LABELS = ("happy", "sad")
_LIPS = ((124, 34, 42), (232, 138, 134), (70, 20, 30))


def drawn_faces(number: int = 1200, seed: int = 0, size: int = 64) -> Dataset:
    """Happy and sad faces in turns, `size` pixels wide and high.

    A picture depends on seed and index only, and its scene not on the size: a data set of 600 is the first half of
    one of 1,200. DataError for a number outside 2..20,000, a size outside 16..512, a seed outside 0..2³² − 1.
    """
    return drawn_dataset("drawn-faces", LABELS, draw_face, number, seed, size)


def draw_face(random: np.random.Generator, label: int, size: int) -> Pixels:
    """One face with the expression LABELS[label]: uint8 (size, size, 3).

    The same random numbers with the other label give the same person on the same ground in the other mood.
    """
    person = somebody(random, size)
    mood = 1 if LABELS[label] == "happy" else -1
    draw_person(person, partial(_expression, mood, random.random()))
    return person.sheet.finished(random, light=random.uniform(0, 0.3), noise=int(random.integers(0, 14)))


# --- mood: 1 is happy, -1 sad; strength: 0..1. Both moods ask for the same random numbers. ---


def _expression(mood: int, strength: float, person: Person, around_mouth: Color) -> None:
    _eyes(mood, person)
    _brows(mood, strength, person)
    _mouth(mood, strength, person, around_mouth)


def _mouth(mood: int, strength: float, person: Person, ground: Color) -> None:
    half = person.within(0.26, 0.46)
    depth = half * (0.4 + 0.4 * strength) * mood  # from the corners down to the middle
    skew, x = person.within(-0.06, 0.06), person.within(-0.06, 0.06)
    kind, thick, upper = person.random.random(), person.within(0.08, 0.14), person.within(0.2, 0.55)
    lips = max(_LIPS, key=lambda lip: abs(luminance(lip) - luminance(ground)))
    color = person.visible(lips, ground)

    def curve(share: float) -> Points:
        # corners and middle lie as far from mouth_y on either side: no mood has its mouth higher than the other
        y = person.mouth_y - depth / 2
        return bend((x - half, y - skew), (x, y + 2 * depth * share), (x + half, y + skew))

    if kind < 0.5:
        person.sheet.stroke(curve(1), thick, color)
        return
    opening = np.concatenate([curve(upper), curve(1.1)[::-1]])
    person.sheet.fill(opening, color if person.drawing else mixed(lips, NIGHT, 0.4))
    if kind > 0.62:
        # for a sad mouth all is upside down, its teeth too, so that both moods show as much white
        teeth = np.concatenate([curve(upper), curve(upper + (0.35 if kind < 0.75 else 0.75))[::-1]])
        person.sheet.fill(teeth, ground if person.drawing else WHITE)
    person.sheet.stroke(opening, thick * 0.5, color, closed=True)


def _brows(mood: int, strength: float, person: Person) -> None:
    long, thick = person.within(0.14, 0.24), person.within(0.06, 0.13)
    x, y = person.eye_x, person.eye_y - person.within(0.28, 0.4)
    lift = strength * person.random.random()
    color = person.visible(person.hair, person.skin)
    if person.chance(0.15):
        return
    # heights at the inner end, the middle and the outer end: arched, or rising towards the nose
    inner, middle, outer = (0.04 * lift, -0.3 * lift, 0.08 * lift) if mood > 0 else (-0.18 * lift, -0.02, 0.14 * lift)
    brow = bend((x - long, y + inner), (x, y + middle), (x + long, y + outer))
    for side in (-1, 1):
        person.sheet.stroke(brow * (side, 1), thick, color)


def _eyes(mood: int, person: Person) -> None:
    kind, size, extra = person.random.random(), person.within(0.1, 0.17), person.random.random()
    gaze, tall = person.within(-0.25, 0.25), person.within(0.9, 1.4)
    iris = person.visible(tint(person.random.random(), person.within(0.3, 0.9), person.within(0.1, 0.5)), WHITE)
    dark = person.visible(NIGHT, person.skin)
    for side in (-1, 1):
        x, y = side * person.eye_x, person.eye_y
        if kind < 0.14:  # closed: laughing eyes, or cast down in either mood
            low = -1.5 * size * mood if extra < 0.6 else 1.5 * size
            person.sheet.stroke(bend((x - size, y - low / 4), (x, y + low), (x + size, y - low / 4)), 0.09, dark)
        elif kind < 0.5:
            person.sheet.fill(oval(x, y, size * 0.75, size * 0.75 * tall), dark)
            if extra < 0.7 and not person.drawing:
                person.sheet.fill(oval(x + size * 0.25, y - size * 0.3, size * 0.25, size * 0.25), WHITE)
        else:
            white = oval(x, y, size * 1.3, size * tall)
            person.sheet.fill(white, person.skin if person.drawing else WHITE)
            person.border(white)
            person.sheet.fill(oval(x + gaze * size, y, size * 0.7, size * 0.8), iris)
            person.sheet.fill(oval(x + gaze * size, y, size * 0.38, size * 0.42), NIGHT)
            if extra < 0.4:
                person.sheet.fill(_lid(mood, size, tall) * (side, 1) + (x, y), person.skin)


def _lid(mood: int, size: float, tall: float) -> Points:
    """Over a part of the right eye: pushed up from below by a cheek, or fallen outwards from above."""
    wide, high = size * 1.5, size * tall
    if mood > 0:
        return np.concatenate(
            [
                bend((-wide, high * 0.9), (0, high * 0.1), (wide, high * 0.9)),
                [(wide, high * 1.2), (-wide, high * 1.2)],
            ]
        )
    return np.array([(-wide, -high * 1.2), (-wide, -high * 0.9), (wide, high * 0.1), (wide, -high * 1.2)])
