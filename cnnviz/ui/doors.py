"""Start's doors: the picture in hand as the pages behind them show it, small, as HTML."""

from collections.abc import Sequence

import numpy as np

from cnnviz import display
from cnnviz.graph import Look
from cnnviz.images import Photo, Pixels
from cnnviz.training.batches import augment
from cnnviz.training.config import Augmentation
from cnnviz.ui import asking, classify_photo, inside_ask, inside_view
from cnnviz.ui.asking import Say
from cnnviz.ui.catalog import Network
from cnnviz.ui.inside_ask import Subject
from cnnviz.ui.markup import text

TILES = 16  # in four rows
_SIDE = 64  # px of a tile, about as large as it is shown
# what Train changes at random, so that the sixteen differ at a glance
_CHANGES = Augmentation(flip=True, shift=0.12, rotate=15, zoom=0.15, brightness=0.15, contrast=0.2, cutout=0.25)


def door(question: str, what: str, shown: str, under: str) -> str:
    """A door: its question, what is shown, and a line under it; shown and under are HTML."""
    return (
        f'<div class="door"><h3>{text(question)}</h3><p class="quiet">{text(what)}</p>'
        f'<div class="shown">{shown}</div><div class="under">{under}</div></div>'
    )


def waiting(question: str, what: str, sentence: str) -> str:
    """A door that waits for the engine, and why: HTML."""
    return door(question, what, f'<p class="waiting">{text(sentence)}</p>', "")


def maps(network: Network, photo: Photo, owner: str, say: Say) -> tuple[str, str]:
    """(maps of the network's first convolution, their range): HTML. Raises one of inside_ask.Problem."""
    subject = Subject.at(network, photo, asking.turn(owner, "insidedoor"), say)
    layer = next((node.name for node in inside_ask.nodes(subject) if "Conv" in node.kind), "")
    if not layer:
        return "", "This network has no convolution."
    mosaic = inside_ask.mosaic(subject, Look(), layer, "index")
    table = inside_view.palette(mosaic.maps)
    pictures = [table[mosaic.tile(place)] for place in range(min(len(mosaic.order), TILES))]
    alt = f"{len(pictures)} maps of {inside_view.name(layer)}"
    ends = inside_view.ends(mosaic.maps)
    size = f"{mosaic.maps.height} × {mosaic.maps.width}"
    line = f"<span>{size} each</span><span>{text(ends)}</span>"
    bar = f'<i style="background:linear-gradient(90deg,{inside_view.bar(mosaic.maps)})"></i>'
    return _grid(pictures, alt, "sharp"), f"<p>{line}</p>{bar}"


def answer(network: Network, photo: Photo) -> tuple[str, str]:
    """(what the network takes it for as bars, what that is worth), or (why there is no answer, nothing): HTML."""
    card = network.card
    picture = card.preprocessing.picture(photo.pixels)
    found = classify_photo.ask(network, picture[None], ("one", photo.digest), "door")
    if isinstance(found, str):
        return f"<p>{text(found)}</p>", ""
    head = classify_photo.headline(card.labels, found[0], card.sure_from)
    small = classify_photo.enlarged(photo.pixels.shape[0], photo.pixels.shape[1], card.preprocessing)
    note = small or f"It has to choose one of its {len(card.labels)} classes"
    return head + classify_photo.bars(card.labels, found[0], card.sure_from), f"<p><span>{text(note)}</span></p>"


def variants(photo: Photo) -> str:
    """The picture, and fifteen that chance made of it as in training: HTML. The same photo, the same fifteen."""
    square = display.reduce(display.center_square(photo.pixels), _SIDE)
    changed = augment(np.repeat(square[None], TILES - 1, axis=0), _CHANGES, np.random.default_rng(1))
    alt = f"{photo.name}, and {TILES - 1} pictures made from it"
    return _grid([square, *np.rint(changed).astype(np.uint8)], alt, "smooth")


def _grid(pictures: Sequence[Pixels], alt: str, kind: str) -> str:
    tiles = (
        f'<img class="{kind}" src="{display.data_url(display.png(picture), "png")}" alt="">' for picture in pictures
    )
    return f'<div class="sixteen" role="img" aria-label="{text(alt)}">{"".join(tiles)}</div>'
