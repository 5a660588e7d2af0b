"""The kernel in hand on the Kernel lab: a preset or edited weights, with undo, reset and its place in the URL."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from cnnviz import filters, kernels
from cnnviz.kernels import Weights

DEFAULT = "sobel_x"
KINDS = ("magnitude", "direction")
EDITS: dict[str, Callable[[Any], Weights]] = {
    "flip": kernels.flip,
    "negate": kernels.negate,
    "transpose": kernels.transpose,
    "normalize": kernels.normalize,
}
_UNDO = 100  # steps kept


class Hand(NamedTuple):
    """What stands on the page: a key of `CHOICES`, and the edited weights, or None while the preset is untouched."""

    choice: str
    edited: Weights | None


def _choices() -> dict[str, str]:
    labels = {key: kernel.label for key, kernel in filters.PRESETS.items()}
    for pair in filters.GRADIENTS:
        labels[f"{pair}_magnitude"] = f"{pair.title()} magnitude: how steep"
        labels[f"{pair}_direction"] = f"{pair.title()} direction: which way"
    return labels


CHOICES = _choices()
"""Every kernel that can be chosen, by key: the presets, and magnitude and direction of each gradient pair."""


def pair(choice: str) -> tuple[str, str, str] | None:
    """(x preset, y preset, "magnitude" or "direction") where the choice is a gradient, else None."""
    name, _, kind = choice.rpartition("_")
    return (*filters.GRADIENTS[name], kind) if name in filters.GRADIENTS and kind in KINDS else None


def hand() -> Hand:
    """The kernel in hand, from `?kernel=` and `?w=` (edited weights)."""
    choice = st.session_state.get("kernel") or DEFAULT
    choice = choice if choice in CHOICES else DEFAULT
    text = st.session_state.get("w") or ""
    if not text or pair(choice):
        return Hand(choice, None)
    try:
        edited = _read(text)
    except ValueError:  # `problem` says so
        return Hand(choice, None)
    return Hand(choice, None if np.array_equal(edited, filters.PRESETS[choice].weights) else edited)


def name(in_hand: Hand) -> str:
    """What the kernel is called: "Sobel x", "Sobel x, edited", or "Own kernel" where it has another size."""
    preset = CHOICES[in_hand.choice].partition(":")[0]
    if in_hand.edited is None:
        return preset
    same_size = in_hand.edited.shape[:2] == filters.PRESETS[in_hand.choice].weights.shape[:2]
    return f"{preset}, edited" if same_size else "Own kernel"


def problem() -> str:
    """What is wrong with the last edit, or with the weights of a link; "" if nothing is."""
    if st.session_state.get("kernel_problem"):
        return str(st.session_state["kernel_problem"])
    text = st.session_state.get("w") or ""
    if text and not pair(st.session_state.get("kernel") or DEFAULT):
        try:
            _read(text)
        except ValueError as error:
            return f"The link holds weights that cannot be read: {error}"
    return ""


def forget_problem() -> None:
    """A sentence about an edit is said once."""
    st.session_state.pop("kernel_problem", None)


def _read(text: str) -> Weights:
    """Weights of one plane, or of one each for R, G and B."""
    grid = kernels.parse(text)
    if grid.ndim == 3 and grid.shape[2] != 3:
        raise ValueError(
            f"A kernel has one plane, or three for R, G and B, but this one has {grid.shape[2]}; "
            "take some away or add some."
        )
    return grid


def weights(in_hand: Hand, plane: int | None) -> Weights:
    """The weights that the convolution uses: (kh, kw, 3) for R, G and B (a flat kernel thrice), or one plane, (kh, kw).

    plane: 0, 1 or 2, which one of a kernel with three; None for all of them.
    """
    grid = in_hand.edited if in_hand.edited is not None else filters.PRESETS[in_hand.choice].weights
    if plane is not None:
        return grid if grid.ndim == 2 else grid[..., plane]
    return grid if grid.ndim == 3 else np.repeat(grid[..., None], 3, axis=2)


def take(new: Hand) -> None:
    """Take a kernel into the hand; the one before goes on the undo pile, if it is another."""
    before = hand()
    if before.choice != new.choice or not _same(before.edited, new.edited):
        pile = st.session_state.setdefault("kernel_undo", [])
        pile.append(before)
        del pile[:-_UNDO]
    _hold(new)


def _same(one: Weights | None, other: Weights | None) -> bool:
    return np.array_equal(one, other) if one is not None and other is not None else one is other


def change(new: Weights) -> None:
    """Take edited weights into the hand."""
    take(Hand(hand().choice, kernels.check_weights(new)))


def choose_preset() -> None:
    """The selectbox has changed: its preset as it stands."""
    take(Hand(st.session_state["kernel_shown"], None))


def can_undo() -> bool:
    """Whether there is a kernel to go back to."""
    return bool(st.session_state.get("kernel_undo"))


def undo() -> None:
    """Back to the kernel before the last change."""
    if can_undo():
        _hold(st.session_state["kernel_undo"].pop())


def forget_undone() -> None:
    """The kernel in hand has come back by another way than `undo`: it need not come back once more."""
    pile = st.session_state.get("kernel_undo")
    if pile and pile[-1].choice == hand().choice and _same(pile[-1].edited, hand().edited):
        pile.pop()


def _hold(new: Hand) -> None:
    st.session_state["kernel"] = new.choice
    st.session_state["w"] = "" if new.edited is None else kernels.dump(new.edited)


def has_planes() -> bool:
    """Whether the kernel in hand has a plane each for R, G and B."""
    edited = hand().edited
    return edited is not None and edited.ndim == 3


def edit(plane: int | None) -> None:
    """Apply what the kernel stage sent; `plane` is the one of three that it shows, None for a flat kernel."""
    sent = st.session_state["kernel_grid"].edit
    if not sent or (pair(hand().choice) and sent.get("tool") != "undo"):
        return
    st.session_state["kernel_turn"] = sent.get("turn", 0)
    try:
        if sent.get("cells"):
            now = _now(plane)
            for row, column, text in sent["cells"]:
                now[(int(row), int(column), *(() if plane is None else (plane,)))] = kernels.parse_number(str(text))
            change(now)
        if sent.get("tool") == "undo":
            undo()
        elif sent.get("tool") == "reset":
            take(Hand(hand().choice, None))
        elif "tool" in sent:
            change(EDITS[sent["tool"]](_now(plane)))
        elif "rows" in sent:
            change(kernels.resize(_now(plane), int(sent["rows"]), int(sent["columns"])))
        elif "paste" in sent:
            block = _read(str(sent["paste"]))
            if plane is not None and block.ndim == 2:
                block = _with_plane(kernels.resize(_now(plane), *block.shape), plane, block)
            change(block)
    except (ValueError, LookupError) as error:
        st.session_state["kernel_problem"] = str(error)


def _now(plane: int | None) -> Weights:
    return weights(hand(), 0 if plane is None else None).copy()


def _with_plane(grid: Weights, plane: int, block: Weights) -> Weights:
    grid[..., plane] = block
    return grid
