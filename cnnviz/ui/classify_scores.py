"""Classify, many photos in folders named like the classes: the score, the confusion matrix, the photos of a cell."""

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from cnnviz import display, evaluation
from cnnviz.cards import Card
from cnnviz.data.dataset import DataError
from cnnviz.data.split import made_with
from cnnviz.evaluation import Scores
from cnnviz.many import Row
from cnnviz.ui import address, batches, charts, confusion, frame, markup, train_results
from cnnviz.ui import card as card_view
from cnnviz.ui.batches import Given
from cnnviz.ui.catalog import Network

TILES = 48  # photos shown of a cell
TRUE, SAID = "true_class", "said_class"  # in the URL, as labels


@dataclass(frozen=True)
class Scored:
    """Answered photos whose true class is known, each once. true, said: indices of labels, one a row.

    rows: with scores; of a network for faces those of each photo's largest face.
    """

    rows: tuple[Row, ...]
    true: tuple[int, ...]
    said: tuple[int, ...]
    scores: Scores


def scored(
    rows: Sequence[Row], given: Given, card: Card, learned: Collection[str] = ()
) -> tuple[Scored | None, int, int]:
    """The photos that can be scored, or None where there is none; how many lie in folders of two or more classes; and
    how many are left out because the network was made with them, which their fingerprints in `learned` tell.

    Of those in two folders nobody knows the true class, so they are left out, too. Where no face was found, that counts
    as wrong.
    """
    truths: dict[str, set[int]] = {}
    chosen: dict[str, Row] = {}
    known_ones = set[str]()
    for row, truth in zip(rows, batches.truths(given, card.labels), strict=False):
        if truth is not None and (row.scores is not None or row.faces is not None):
            if row.fingerprint in learned:
                known_ones.add(row.digest)
                continue
            truths.setdefault(row.digest, set()).add(truth)
            chosen.setdefault(row.digest, row)
    known = {digest: next(iter(found)) for digest, found in truths.items() if len(found) == 1}
    torn = len(truths) - len(known)
    answered = {digest: one for digest in known if (one := _whole(chosen[digest])) is not None}
    if not answered:
        return None, torn, len(known_ones)
    kept, true = tuple(answered.values()), tuple(known[digest] for digest in answered)
    answers = np.array([[row.scores[label] for label in card.labels] for row in kept if row.scores])
    silent = Counter(truth for digest, truth in known.items() if digest not in answered)
    unanswered = [silent[index] for index in range(len(card.labels))]
    found = evaluation.scores(answers, np.array(true), card.labels, unanswered)
    return Scored(kept, true, tuple(map(int, answers.argmax(axis=1))), found), torn, len(known_ones)


def _whole(row: Row) -> Row | None:
    """The row with the scores of what its folder's name is about; None where no face was found."""
    if row.faces is None:
        return row
    if not row.faces:
        return None
    one = row.faces[batches.largest(row.faces)]
    return replace(row, scores=one.scores, thumbnail=one.thumbnail)


def show(rows: Sequence[Row], given: Given, network: Network) -> None:
    """The score with its interval and baseline, the matrix, and the photos behind a cell."""
    card = network.card
    found, torn, learned = scored(rows, given, card, _learned(network))
    strange = batches.strange_folders(given, card.labels)
    if torn:
        st.caption(
            f"{'1 photo lies' if torn == 1 else f'{torn:,} photos lie'} in folders of more than one class and "
            f"{'is' if torn == 1 else 'are'} not scored: nobody knows which of them is true."
        )
    if learned:
        st.caption(
            f"{'1 photo is' if learned == 1 else f'{learned:,} photos are'} answered, but not scored: the network was "
            "trained or chosen with "
            f"{'it' if learned == 1 else 'them'}, so that being right there says nothing."
        )
    if found is None:
        if any(row.faces == () for row in rows) and any(
            truth is not None for truth in batches.truths(given, card.labels)
        ):
            st.caption("Not scored: no face was found in any photo that lies in a folder of a class.")
        elif strange and not learned:
            names = ", ".join(card.labels[:4])
            st.caption(
                f"Not scored: {_named(strange)} is no class of this network. In folders named {frame.escape(names)} "
                "… photos are scored, too."
            )
        return
    what = "photos with a face" if sum(found.scores.unanswered) else "pictures"  # those that the matrix holds
    with st.grid(2, min_column_width=300, gap=(24, 40), key="many_scores"):
        with st.container():
            st.subheader("How often it was right", anchor=False)
            st.html(card_view.measured(found.scores, "photos"))
            st.caption(_meant(found, strange, card))
            matrix = st.container()
        with st.container():
            st.subheader("The photos behind a cell", anchor=False)
            cell = _cell(found, card)
            said = confusion.cell_words(found.scores.confusion, card.labels, *cell, what)
            st.markdown(f"{frame.escape(said)}.")
            st.html(_tiles(found, card, cell))
        with matrix:
            figure = confusion.figure(
                found.scores.confusion, card.labels, train_results.palette(), cell, train_results.on_a_phone()
            )
            words = confusion.words(found.scores.confusion, card.labels, what)
            st.plotly_chart(
                figure,
                config=charts.CONFIG,
                theme=None,
                key="many_confusion",
                alt=words,
                on_select=lambda: _clicked(card),
                selection_mode="points",
            )


def _learned(network: Network) -> frozenset[str]:
    """Fingerprints of the pictures that the network was trained or chosen with, as far as they are known."""
    with suppress(DataError):
        known, _ = made_with(network.folder, network.card.data.get("not_scored_on"))
        return frozenset(one for one, side in known.items() if side != "test")
    return frozenset()


def _named(folders: tuple[str, ...]) -> str:
    more = f" (and {len(folders) - 1} more)" if len(folders) > 1 else ""
    return f"the folder “{frame.escape(folders[0][:40])}”{more}"


def _meant(found: Scored, strange: tuple[str, ...], card: Card) -> str:
    """Where the true classes come from, and what these photos cannot tell."""
    said = "The true classes are the names of the folders"
    said += ", and of each photo its largest face is scored." if card.task == "face" else "."
    if missing := sum(found.scores.unanswered):
        photos, they = ("1 photo", "it counts") if missing == 1 else (f"{missing:,} photos", "they count")
        said += f" In {photos} no face was found; {they} as wrong."
    if strange:
        said += f" What lies in {_named(strange)} is answered, but not scored."
    if card.test is not None and len(set(found.true)) < len(card.labels):
        said += " Classes without a photo here are not tested by this."
    return said


def _cell(found: Scored, card: Card) -> tuple[int, int]:
    """A true and a predicted class: two selects, which a click in the matrix sets, too; at first the worst mistake."""
    table = np.array(found.scores.confusion)
    mistakes = np.where(np.eye(len(table), dtype=bool), -1, table)
    if mistakes.max() <= 0:
        mistakes = np.where(np.eye(len(table), dtype=bool), table, -1)
    worst = np.unravel_index(int(mistakes.argmax()), mistakes.shape)
    names = {label: label for label in card.labels}
    chosen = []
    address.belongs((TRUE, SAID), card.name)
    with st.container(horizontal=True, wrap=False, gap="small"):
        for what, param, index in (("It is", TRUE, worst[0]), ("The network said", SAID, worst[1])):
            default = card.labels[int(index)]
            address.kept(param)
            chosen.append(card.labels.index(address.choice(what, param, names, default, _nothing, _nothing)))
    return chosen[0], chosen[1]


def _clicked(card: Card) -> None:
    cell = confusion.cell(st.session_state["many_confusion"])
    if cell is not None:
        st.session_state[TRUE], st.session_state[SAID] = (card.labels[index] for index in cell)


def _tiles(found: Scored, card: Card, cell: tuple[int, int]) -> str:
    """The photos of a cell, the surest first. HTML."""
    said = card.labels[cell[1]]
    chosen = [
        row
        for row, *where in zip(found.rows, found.true, found.said, strict=True)
        if tuple(where) == cell and row.scores
    ]
    chosen.sort(key=lambda row: -(row.scores or {})[said])
    images = []
    for row in chosen[:TILES]:
        words = markup.text(f"{row.name}: {said}, {card_view.percent((row.scores or {})[said])}")
        images.append(f'<img src="{display.data_url(row.thumbnail, "webp")}" alt="{words}" title="{words}">')
    more = f'<p class="quiet">and {len(chosen) - TILES} more</p>' if len(chosen) > TILES else ""
    return f'<div class="tiles behind photos">{"".join(images)}</div>{more}'


def _nothing() -> None:
    """After a change the whole page runs again, and that is all there is to do."""
