"""Faces in photos: the three small networks of the package mtcnn, one after the other, on a picture of bounded size.

The cascade is that of Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks" (2016): P looks at every place of the picture in every size, R and O look closer at what the
one before them left over. The weights are the package's. The steps between are ours: the package's leave out faces as
large as the picture, take ever longer the more a picture looks like faces, and run the networks uncompiled.
docs/faces.md has the figures of both, and how the numbers below were chosen.
"""

import logging
import math
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.face import HERE, LONG_SIDE, MOST, OFF, Face, allowed, reduced
from cnnviz.images import Pixels
from cnnviz.networks import NetworkError

P_MOST, R_MOST = 400, 150  # boxes that P and R hand on, the surest first: they bound the time

_STEP = math.sqrt(0.5)  # from one size of the picture to the next: half the area
_CELL, _STRIDE = 12, 2  # P sees windows of 12 × 12 pixels, two apart
_R_SIDE, _O_SIDE = 24, 48  # pixels of what R and O are shown of a box
_SAME_SIZE, _SAME, _INSIDE = 0.5, 0.7, 0.7  # overlap from which on two boxes are one face
_GREY = (127, 127, 127)

# boxes are (n, 5): x1, y1, x2, y2, confidence; points (n, 5, 2): x and y of the eyes, the nose and the mouth's corners,
# of each pair the one on the left of the picture first
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Look:
    """How closely to look. p, r, o: the confidence above which a network hands a box on.

    smallest: height of the smallest face, in pixels of the picture shown. margin: grey round the picture, as a share of
    its sides: a face that the photo's edge cuts is found in it.
    """

    p: float
    r: float
    o: float
    smallest: float
    margin: float = 0.0


FIRST = Look(p=0.6, r=0.7, o=0.7, smallest=20)
SECOND = Look(p=0.4, r=0.3, o=0.9, smallest=40, margin=0.25)  # where the first finds nothing
# A face much smaller than the largest is rarely what a photo is of, and most of what is no face is small.
MUCH_SMALLER, SURE = 0.5, 0.98


def find(picture: Pixels, size: tuple[int, int] | None = None) -> tuple[Face, ...]:
    """The faces of a photo from left to right; at most MOST, of more the surest. Empty: none found.

    picture: uint8 (h, w, 3), the photo or what `face.reduced` has made of it. size: height and width of the photo, if
    that is larger; boxes and points are in its pixels. Faces under about 3 % of the long side are not found, those
    tilted by more than 45 degrees often not. NetworkError where faces are switched off.
    """
    if not allowed(HERE, os.environ):
        raise NetworkError(OFF)
    small = reduced(picture)
    for look in (FIRST, SECOND):
        if faces := _found(small, look, size or picture.shape[:2]):
            return faces
    return ()


def _found(picture: Pixels, look: Look, size: tuple[int, int]) -> tuple[Face, ...]:
    shown = reduced(picture, LONG_SIDE / (1 + 2 * look.margin))
    scale = np.array([shown.shape[1] / size[1], shown.shape[0] / size[0]])  # of x and of y
    margin = np.array([round(side * look.margin) for side in shown.shape[1::-1]])
    if look.margin:
        x, y = (int(side) for side in margin)
        shown = np.asarray(cv2.copyMakeBorder(shown, y, y, x, x, cv2.BORDER_CONSTANT, value=_GREY), np.uint8)
    boxes, points = cascade(shown, look)
    corners = (boxes[:, :4].reshape(-1, 2, 2) - margin) / scale
    boxes[:, :4] = np.clip(corners, 0, size[::-1]).reshape(-1, 4)
    points = (points - margin) / scale
    sides = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, initial=0)
    kept = (sides >= 2) & ((boxes[:, 4] > SURE) | (sides >= MUCH_SMALLER * sides.max(initial=0)))
    faces = [_face(box, of, size) for box, of in zip(boxes[kept][:MOST], points[kept][:MOST], strict=True)]
    return tuple(sorted(faces, key=lambda face: face.box[0] + face.box[2] / 2))


def _face(box: Array, points: Array, size: tuple[int, int]) -> Face:
    x, y = min(round(box[0]), size[1] - 1), min(round(box[1]), size[0] - 1)
    w, h = max(1, round(box[2]) - x), max(1, round(box[3]) - y)
    left_eye, right_eye, _, left_corner, right_corner = ((float(px), float(py)) for px, py in points)
    return Face((int(x), int(y), int(w), int(h)), float(box[4]), (left_eye, right_eye), (left_corner, right_corner))


# ------------------------------------------------------------------------------------------------------- the cascade


@cache
def _networks() -> tuple[Any, Any, Any]:
    """P, R and O. Each takes float32 (n, h, w, 3), −1..1, RGB; O gives five points a face."""
    from mtcnn.network.onet import ONet
    from mtcnn.network.pnet import PNet
    from mtcnn.network.rnet import RNet
    from mtcnn.utils.tensorflow import load_weights

    # five new shapes in ten calls are no mistake where four networks begin at once; TensorFlow says they were
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    made = []
    for network, weights in ((PNet(), "pnet.lz4"), (RNet(), "rnet.lz4"), (ONet(), "onet.lz4")):
        network.build()
        network.set_weights(load_weights(weights))
        made.append(network)
    return made[0], made[1], made[2]


def warm(number: int) -> None:
    """Load all networks and compile P, R or O (0, 1, 2), which the first photo would have to wait for."""
    network, side = _networks()[number], (_CELL, _R_SIDE, _O_SIDE)[number]
    for n in (1, 2):  # two shapes are compiled; from then on TensorFlow uses the second one's graph for every shape
        high, count = (n * side, 1) if number == 0 else (side, n)
        network.predict_on_batch(np.zeros((count, high, high, 3), np.float32))


def cascade(picture: Pixels, look: Look) -> tuple[Array, Array]:
    """Boxes, the surest first, and their points, in pixels of the picture, uint8 (H, W, 3), sides up to LONG_SIDE."""
    p, r, o = _networks()
    none = np.empty((0, 5)), np.empty((0, 5, 2))
    boxes = _square(_places(p, picture, look))[:P_MOST]
    if not len(boxes):
        return none
    offsets, scores = r.predict_on_batch(_patches(picture, boxes, _R_SIDE))
    boxes = _moved(boxes, offsets, scores[:, 1])[scores[:, 1] > look.r]
    boxes = _square(boxes[_distinct(boxes, _SAME)])[:R_MOST]
    if not len(boxes):
        return none
    offsets, points, scores = o.predict_on_batch(_patches(picture, boxes, _O_SIDE))
    sizes = boxes[:, 2:4] - boxes[:, :2]
    # ten numbers a face: the x of all points, then their y, as shares of the box
    points = boxes[:, None, :2] + sizes[:, None] * np.stack([points[:, :5], points[:, 5:]], axis=2)
    sure = scores[:, 1] > look.o
    boxes, points = _moved(boxes, offsets, scores[:, 1])[sure], points[sure]
    kept = _distinct(boxes, _INSIDE, of_smaller=True)
    return boxes[kept], points[kept]


def _places(p: Any, picture: Pixels, look: Look) -> Array:
    """Where P sees a face, in all sizes, the surest first."""
    height, width = picture.shape[:2]
    found, scale = [np.empty((0, 5))], _CELL / look.smallest
    while min(size := (math.ceil(width * scale), math.ceil(height * scale))) >= _CELL:
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        offsets, scores = p.predict_on_batch(_levels(np.asarray(small, np.uint8))[None])
        rows, columns = np.nonzero(scores[0, :, :, 1] > look.p)
        corners = _STRIDE * np.stack([columns, rows, columns, rows], axis=1) + [0, 0, _CELL, _CELL]
        corners = (corners + _CELL * offsets[0, rows, columns]) * ([width / size[0], height / size[1]] * 2)
        boxes = np.concatenate([corners, scores[0, rows, columns, 1:]], axis=1)
        boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")[:P_MOST]]
        found.append(boxes[_distinct(boxes, _SAME_SIZE)])
        scale *= _STEP
    boxes = np.concatenate(found)
    return boxes[_distinct(boxes, _SAME)]


def _levels(pictures: Pixels) -> NDArray[np.float32]:
    return np.asarray((pictures.astype(np.float32) - 127.5) / 128, np.float32)


def _patches(picture: Pixels, boxes: Array, side: int) -> NDArray[np.float32]:
    """What lies in square boxes, float32 (n, side, side, 3); outside the picture is grey."""
    patches = np.empty((len(boxes), side, side, 3), np.uint8)
    for patch, (x1, y1, x2, _, _) in zip(patches, boxes, strict=True):
        finer = max(1, int((x2 - x1) / side))  # samples a pixel and axis, averaged: a large face does not alias
        step = (x2 - x1) / side / finer
        to_picture = np.array([[step, 0, x1 + step / 2 - 0.5], [0, step, y1 + step / 2 - 0.5]])
        sampled = cv2.warpAffine(
            picture,
            to_picture,
            (side * finer, side * finer),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderValue=_GREY,
        )
        patch[...] = cv2.resize(sampled, (side, side), interpolation=cv2.INTER_AREA)
    return _levels(patches)


def _moved(boxes: Array, offsets: Array, scores: Array) -> Array:
    """Boxes moved by offsets (n, 4), shares of their sides, with new confidences."""
    sides = np.tile(boxes[:, 2:4] - boxes[:, :2], 2)
    return np.concatenate([boxes[:, :4] + offsets * sides, scores[:, None]], axis=1)


def _square(boxes: Array) -> Array:
    centers = (boxes[:, :2] + boxes[:, 2:4]) / 2
    half = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, keepdims=True, initial=1) / 2
    return np.concatenate([centers - half, centers + half, boxes[:, 4:]], axis=1)


def _distinct(boxes: Array, overlap: float, of_smaller: bool = False) -> NDArray[np.intp]:
    """Which boxes to keep, the surest first, so that no two overlap by more than this share.

    The share is of their union, or with of_smaller of the smaller one (non-maximum suppression).
    """
    order = np.argsort(-boxes[:, 4], kind="stable")
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    kept = []
    while len(order):
        first, order = order[0], order[1:]
        kept.append(first)
        sides = np.minimum(boxes[first, 2:4], boxes[order, 2:4]) - np.maximum(boxes[first, :2], boxes[order, :2])
        shared = np.prod(np.maximum(sides, 0), axis=1)
        whole = np.minimum(areas[first], areas[order]) if of_smaller else areas[first] + areas[order] - shared
        order = order[shared <= overlap * whole]
    return np.array(kept, np.intp)
