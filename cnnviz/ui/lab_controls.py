"""The controls of the Kernel lab, in which nothing impossible can be set, and what a change of one draws again."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import streamlit as st

from cnnviz import display, filters
from cnnviz.images import Photo
from cnnviz.ui import address, lab_link, lab_settings, weights
from cnnviz.ui.lab_link import WISHED
from cnnviz.ui.lab_settings import DEFAULTS, Size, value

STAGES, KEPT = "stages", "kept"  # keys of the fragments that draw the stages and that keep the address
_RESET = "lab_reset"  # in the session: see _Reset
OTHERS = {"": "nothing"} | {key: kernel.label for key, kernel in filters.PRESETS.items()}


class _Reset(NamedTuple):
    """The last reset: what the controls said before it, and whether nothing has been changed since."""

    before: dict[str, Any]
    stands: bool


def reset() -> None:
    """Everything but the picture as it was at the start; `restore` takes that back."""
    held: _Reset | None = st.session_state.get(_RESET)
    wished = st.session_state.pop(WISHED, {})
    before = {key: wished.get(key, value(key)) for key in DEFAULTS}
    # a second click that comes before the page has changed brings values from before the first along, but not all
    if not (held and held.stands) and before != DEFAULTS:
        st.session_state[_RESET] = _Reset(before, True)
    weights.take(weights.Hand(weights.DEFAULT, None))
    for key, default in DEFAULTS.items():
        st.session_state[key] = default
    lab_link.forget()


def was_reset() -> bool:
    """Whether all is as the last reset left it, so that `restore` can bring back what was before."""
    held: _Reset | None = st.session_state.get(_RESET)
    return held is not None and held.stands and all(value(key) == default for key, default in DEFAULTS.items())


def restore() -> None:
    """Everything as it was before the last reset; twice is as once."""
    held: _Reset | None = st.session_state.get(_RESET)
    if held is None:
        return
    st.session_state[_RESET] = held._replace(stands=False)
    for key, before in held.before.items():
        st.session_state[key] = before
    weights.forget_undone()


def reset_buttons() -> None:
    """Reset and its undo, each always in its own place, so that a second click finds no other button there."""
    undo = was_reset()
    if not undo and (held := st.session_state.get(_RESET)):
        st.session_state[_RESET] = held._replace(stands=False)  # changed since: the next reset is another one
    with st.container(horizontal=True, gap="medium", width="content"):
        st.button("Reset everything", key="reset", type="tertiary", on_click=reset)
        # hidden and not taken away: of two quick clicks the second would bring the values from before, and no undo
        with st.container(key="undo" if undo else "no_undo", width="content"):
            st.button("Undo the reset", key="reset_undone", type="tertiary", on_click=restore)


# ------------------------------------------------------------------------------------- what a change draws again


def layout(photo_size: Size) -> tuple[Any, ...]:
    """All that decides which controls and sentences there are and what can be set, so that any change of it shows."""
    side = str(value("size"))
    size = photo_size if side == "full" else display.reduced_size(photo_size, int(side))
    cells = lab_settings.map_size(lab_settings.settings(), size)
    return (
        photo_size,
        size,
        lab_settings.planes(),
        value("channel") == "RGB",
        lab_settings.strength(),
        value("padding") == "own",
        lab_settings.most_dilation(size),
        lab_settings.most_pool(size),
        cells is not None,
        weights.problem(),
        value("kernel") in weights.CHOICES,
        _edited_name(),
        value("compare"),
        tuple(lab_link.asked()),
        was_reset(),
    )


def _edited_name() -> str:
    """What the kernel is called once it has been edited, "" before."""
    hand = weights.hand()
    return "" if hand.edited is None else weights.name(hand)


def drawn(photo: Photo, only_stages_depend: bool) -> None:
    """Note what the page was drawn for; `only_stages_depend`: that nothing but its stages shows numbers of the road."""
    size = (photo.pixels.shape[0], photo.pixels.shape[1])
    st.session_state["lab_drawn"] = (size, layout(size)) if only_stages_depend else None


def redraw(*also: str) -> None:
    """Callback: run the stages' fragment alone, and those in `also`, where the rest of the page can stay as it is."""
    if (last := st.session_state.get("lab_drawn")) and layout(last[0]) == last[1]:
        st.rerun([*also, STAGES])


def redraw_kept() -> None:
    """The same after a change of what stands in the address beside the widgets' own values."""
    redraw(KEPT)


# ------------------------------------------------------------------------------------------------- the controls


def kept() -> None:
    """What stands in the address beside the visible widgets' values."""
    for param in ("kernel", "w", "compare", "cell"):
        address.kept(param, DEFAULTS[param])


def channel() -> None:
    """Which channel the kernel reads."""
    _segments("Channel", list(lab_settings.CHANNELS), "channel")


def size() -> None:
    """The working size."""
    _segments("Working size", lab_settings.SIZES, "size")
    if lab_settings.strength():
        st.caption("At 16 and 32 every number stands below.")


def kernel() -> None:
    """Which kernel, and which plane of it the grid shows."""
    address.choice(
        "Kernel",
        "kernel",
        weights.CHOICES,
        weights.DEFAULT,
        weights.choose_preset,
        redraw_kept,
        changed_to=_edited_name(),
    )
    fixed = weights.pair(weights.hand().choice) is not None
    if fixed and value("channel") == "RGB":
        st.caption("Three channels have no one direction: a gradient reads luminance.")
    if names := lab_settings.planes():
        _segments("Kernel of the pair" if fixed else "Plane", names, f"plane_{names[0]}", redraw)


def edit() -> None:
    """Callback: the kernel stage sent a change."""
    weights.edit(lab_settings.edited_plane())
    redraw_kept()


def bias() -> None:
    """The number added to every sum; an angle has none."""
    _number("Bias", "bias", *lab_settings.BIAS, "%g", disabled=not lab_settings.strength())
    lab_link.say({"bias": lab_link.refused_number("bias", "Bias", *lab_settings.BIAS)})


def strides() -> None:
    """How far the window moves."""
    _pair("Stride", "stride", (filters.MAX_STRIDE, filters.MAX_STRIDE))


def padding() -> None:
    """The zeros round the picture."""
    options, sides = lab_settings.PADDINGS, lab_settings.SIDES
    st.selectbox(
        "Padding", options, key="padding", bind="query-params", on_change=_changed, args=("padding", redraw)
    )  # fmt: skip
    lab_link.say({"padding": lab_link.refused("padding", "Padding", _one_of(options))})
    if value("padding") == "own":
        for two in (sides[:2], sides[2:]):
            _side_by_side({f"pad_{side}": (side.title(), 0, filters.MAX_PADDING) for side in two})


def dilation(size: Size) -> None:
    """How far the weights stand apart, in a picture of `size`."""
    most = lab_settings.most_dilation(size)
    _pair("Dilation", "dilation", most)
    if min(most) < filters.MAX_DILATION:
        st.caption(f"At most {min(most)}: wider, the kernel leaves the picture.")


def view() -> None:
    """How the maps are colored."""
    _segments("Display", lab_settings.VIEWS, "view", redraw)


def relu() -> None:
    """Whether negative cells become 0."""
    label = "Cut negative numbers"
    st.toggle(label, True, key="relu", bind="query-params", on_change=_changed, args=("relu", redraw))
    lab_link.say({"relu": lab_link.refused("relu", f"“{label}”", "can be true or false")})


def pool(size: Size) -> None:
    """Pool size, stride and kind, for a picture of `size`."""
    most = lab_settings.most_pool(size)
    _pair("Pool size", "pool", most)
    _pair("Pool stride", "pool_stride", (filters.MAX_STRIDE, filters.MAX_STRIDE))
    if min(most) < filters.MAX_POOL:
        st.caption(f"At most {most[0]} × {most[1]}: the map has no more cells.")
    _segments("Kind", list(lab_settings.POOLS), "kind", redraw)


def sheet() -> str:
    """Of which stage every number is shown."""
    _segments("Every number of", lab_settings.SHEETS, "sheet", width="content", named="“Every number of …”")
    return str(value("sheet"))


def compare() -> str:
    """Which other kernel the map is compared with, "" for none."""
    return address.choice("Compare with", "compare", OTHERS, "", lambda: None, lambda: None, width=280)


def _changed(key: str, then: Callable[[], None] | None) -> None:
    """Callback: a control was changed by hand, so what a link asked of it is over."""
    lab_link.forget(key)
    st.session_state.get(WISHED, {}).pop(key, None)
    if then:
        then()


def _segments(
    label: str,
    options: Sequence[str],
    key: str,
    then: Callable[[], None] | None = None,
    width: Literal["stretch", "content"] = "stretch",
    named: str = "",
) -> None:
    """named: what it is called in a sentence, if not by its label."""
    st.segmented_control(
        label,
        options,
        default=DEFAULTS[key],
        required=True,
        key=key,
        bind="query-params",
        width=width,
        on_change=_changed,
        args=(key, then),
    )
    lab_link.say({key: lab_link.refused(key, named or label, _one_of(options))})


def _one_of(options: Sequence[str]) -> str:
    return f"can be {', '.join(options[:-1])} or {options[-1]}"


def _pair(label: str, key: str, most: Size) -> None:
    """Two whole numbers from 1 side by side: down (y) and across (x)."""
    _side_by_side({f"{key}_y": (f"{label} ↓", 1, most[0]), f"{key}_x": (f"{label} →", 1, most[1])})


def _side_by_side(fields: dict[str, tuple[str, int, int]]) -> None:
    """Whole numbers, each with its label, least and most, and below them what a link asks of them in vain."""
    wished: dict[str, int] = st.session_state.setdefault(WISHED, {})
    with st.container(horizontal=True, wrap=False, gap="xsmall"):
        for key, field in fields.items():
            if value(key) > field[2]:  # it has become impossible
                wished.setdefault(key, value(key))
            if key in wished:  # and comes back as far as it can
                st.session_state[key] = min(wished[key], field[2])
            _number(field[0], key, *field[1:])
    lab_link.say({key: lab_link.refused_number(key, *field) for key, field in fields.items()})


def _number(label: str, key: str, least: Any, most: Any, style: str | None = None, disabled: bool = False) -> None:
    st.number_input(
        label,
        least,
        most,
        min(DEFAULTS[key], most),
        type(least)(1),
        style,
        key=key,
        bind="query-params",
        disabled=disabled,
        on_change=_changed,
        args=(key, redraw),
    )
