"""Train during a run: what it is doing, its curves, its kernels, and the buttons that steer it."""

import time
from collections.abc import Callable

import streamlit as st

from cnnviz.display import number
from cnnviz.training import device, snapshots
from cnnviz.training.advice import advice
from cnnviz.training.history import History
from cnnviz.training.queue import QueueError
from cnnviz.training.record import OVER, RecordError, Run, State
from cnnviz.ui import charts, frame, layer_list, runs, snapshot, train_results
from cnnviz.ui.card import percent

EVERY = 1.0  # seconds between two looks at the record of a run that goes on
NEWEST = "newest"
_SCRUB = "Scrub through the epochs: kernels and maps move together"
_AFTERWARDS = 3.0  # the same for one that is over: another tab may go on with it


def show(owner: str, run_id: str) -> None:
    """The run of this id: live while it goes, its results afterwards; one sentence if the owner has no such run."""
    try:
        run, state = runs.find(run_id, owner)
    except RecordError as error:
        st.title("Train", anchor=False)
        frame.problem(str(error), "run")
        train_results.all_runs()
        return
    if state.state not in OVER:
        # all of it is in the fragment: what a full run may lose of its last messages is there again a second later
        st.fragment(_live, run_every=EVERY)(owner, run_id)
        return
    past = runs.history(run)
    train_results.show(run, state, past)
    if past.step:
        curves(past)
        inside(run, past, over=True)
    train_results.show_card(run)
    st.fragment(_watch, run_every=_AFTERWARDS)(owner, run_id, state.changed, st.context.theme.type)


def _watch(owner: str, run_id: str, changed: float, theme: str | None) -> None:
    """Draw the page anew when run or theme have changed, and once after the run's end, in case a message was lost."""
    try:
        now = runs.find(run_id, owner)[1].changed
    except RecordError:
        now = -1.0
    ended = st.session_state.get("run_ended")
    again = ended is not None and time.monotonic() - ended > 1
    if now != changed or again or st.context.theme.type != theme:  # charts hold the colors of one theme
        st.session_state["run_ended"] = None
        st.rerun()


def _live(owner: str, run_id: str) -> None:
    try:
        run, state = runs.find(run_id, owner)
    except RecordError:
        st.rerun()
    if state.state in OVER:
        st.session_state["run_ended"] = time.monotonic()
        st.rerun()
    past = runs.history(run)
    if train_results.all_runs():
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", key="run_head"):
        word = "In line:" if state.state == "queued" else "Training"
        st.title(f"{word} “{frame.escape(runs.data_title(run, state))}”", anchor=False, width="stretch")
        _buttons(run, state, past)
    st.markdown(frame.escape(line(run, state, past)))
    if state.state == "queued":
        if state.message:
            st.markdown(frame.escape(state.message))
        ahead = runs.queue().held_up_by(run)
        if ahead is not None and st.button("Open the paused run", key="open_paused", on_click=_open, args=(ahead.id,)):
            st.rerun()
    else:
        with st.container(key="run_bar"):
            st.progress(share(past))
    if sentence := st.session_state.pop("steer_problem", ""):
        frame.problem(sentence, "steer")
    if state.state == "queued" and not past.step:
        return
    curves(past, live=not state.paused)
    inside(run, past)
    st.caption(_load(run, state))


def _open(run_id: str) -> None:
    st.session_state["run"] = run_id


def _buttons(run: Run, state: State, past: History) -> None:
    queue = runs.queue()
    if past.step and not past.doing:
        if state.paused:
            _steer("Go on", "play_arrow", "go", queue.go, run)
        else:
            _steer("Pause", "pause", "pause", queue.pause, run)
        if past.all_epochs:
            _steer("Finish now and score", "sports_score", "finish", queue.finish, run)
    word = "Leave the line" if state.state == "queued" else "Stop"
    _steer(word, "stop", "stop", queue.stop, run, quiet=False)


def _steer(label: str, icon: str, key: str, ask: Callable[[Run], None], run: Run, quiet: bool = True) -> None:
    st.button(
        label,
        icon=f":material/{icon}:",
        type="tertiary" if quiet else "secondary",
        key=f"steer_{key}",
        on_click=steer,
        args=(ask, run),
    )


def steer(ask: Callable[[Run], object], run: Run) -> None:
    """Ask the queue for something, in a callback; what it refuses is said on the page."""
    try:
        ask(run)
    except (QueueError, RecordError) as error:
        st.session_state["steer_problem"] = str(error)


def line(run: Run, state: State, past: History) -> str:
    """What the run is doing right now, in a line."""
    if state.state == "queued":
        return _queued(run)
    if past.epochs and not past.step and not past.doing:
        return "Compiling the network: the first step takes some seconds"
    if past.doing or not past.step:
        count = f": {past.done:,} of {past.total:,}" if past.total else " …"
        doing = past.doing or "starting"
        return doing[0].upper() + doing[1:] + count
    parts = [f"Epoch {past.epoch} of {past.epochs}"]
    if state.paused:
        parts.append("paused; nothing is lost while you wait")
    else:
        if past.rate is not None:
            parts.append(
                f"{past.rate:,.0f} pictures a second on {state.device.removeprefix('CPU, ') or 'this machine'}"
            )
        if past.seconds_left is not None:
            parts.append(f"about {runs.duration(past.seconds_left)} left")
    return " · ".join(parts)


def _queued(run: Run) -> str:
    place, wait = runs.queue().place(run), runs.queue().wait(run)
    if not place:
        return "Starting …"
    first = "Next in line" if place == 1 else f"Number {place} in line"
    if runs.queue().held_up_by(run) is not None:
        return f"{first} · waits for a paused run of yours: go on with that one, or stop it"
    return f"{first} · starts by itself" + ("" if wait is None else f" in about {runs.duration(wait)}")


def share(past: History) -> float:
    """How much of what the line speaks of is done, 0..1."""
    if past.doing:
        return min(1.0, past.done / past.total) if past.total else 0.0
    return past.progress


def _load(run: Run, state: State) -> str:
    """How busy the machine is, in one line."""
    load = device.load(state.pid, runs.queue().device(run))
    parts = []
    if load.cpu is not None:
        parts.append(f"CPU {100 * load.cpu:.0f} % busy")
    if load.memory is not None:
        parts.append(f"the run holds {layer_list.size(load.memory)} of memory")
    if load.gpu is not None:
        parts.append(f"GPU {100 * load.gpu:.0f} % busy")
    if load.gpu_memory is not None:
        parts.append(f"{layer_list.size(load.gpu_memory)} of its memory")
    return frame.escape(" · ".join(parts)) or " "


def curves(past: History, live: bool = False) -> None:
    """Loss and accuracy, side by side. live: they are about to change."""
    with st.grid(2, min_column_width=400, gap=(24, 40), key="curves"):
        if not past.step:
            st.skeleton(height=charts.HEIGHT)
            st.skeleton(height=charts.HEIGHT)
            return
        for make, words in ((charts.loss, charts.loss_words), (charts.accuracy, charts.accuracy_words)):
            figure = make(past, train_results.palette(), train_results.on_a_phone(), live)
            st.plotly_chart(figure, config=charts.CONFIG, theme=None, key=make.__name__, alt=words(past))


def inside(run: Run, past: History, over: bool = False) -> None:
    """Kernels and maps of one epoch, with a scrub through the kept ones, and what the curves say in words."""
    kept = snapshots.epochs(run.snapshots)
    lines = advice(past)
    if not kept and not lines:
        return
    with st.container(border=True, key="inside"):
        left, right = st.columns((3, 7), gap="large")
        with right:
            st.subheader("What happened" if over else "What is happening", anchor=False)
            for _, happening, remedy in lines:
                st.markdown(f"{frame.escape(happening)} {frame.escape(remedy)}")
            if not lines:
                st.markdown(_quiet(past))
            best = past.best.epoch if over and past.best is not None else None
            epoch = _scrub(kept, past.epochs) if best is None else _scrub_past(run, kept, past.epochs, best)
        arrays = None if epoch is None else snapshots.read(run.snapshots, epoch)
        if arrays is not None:
            with left:
                when = "before training" if epoch == 0 else f"after epoch {epoch}"
                when += ", the kept one" if epoch == best else ""
                st.subheader(f"First-layer kernels {when}", anchor=False)
                st.html(snapshot.kernels(arrays))
            with right:
                st.html(snapshot.maps(arrays))


def _quiet(past: History) -> str:
    if not past.all_epochs:
        return "The first epoch is on its way: every training picture is looked at once."
    best = past.best
    if best is None:
        return "The network learns."
    if 0 < past.majority < 1 and best.val_accuracy <= past.majority:
        return (
            f"No better than guessing yet: in the best epoch, {best.epoch}, it is right in "
            f"{percent(best.val_accuracy)} of the validation pictures, and the commonest class alone would be right in "
            f"{percent(past.majority)}. Give it more epochs or more pictures."
        )
    return (
        f"Nothing is amiss. The best epoch is {best.epoch}, with a validation loss of {number(best.val_loss, 3)}; its "
        "network is the one that is kept."
    )


def _scrub(kept: list[int], epochs: int) -> int | None:
    """The epoch to look at: the newest, or the kept one that is nearest before the chosen one.

    The choices stay the same while the run goes on: a slider whose ends move would fight with the hand on it.
    """
    chosen = NEWEST
    if epochs:
        options = [*map(str, range(epochs + 1)), NEWEST]
        chosen = st.select_slider(_SCRUB, options, NEWEST, key=f"epoch_shown_{epochs}")
    if not kept:
        return None
    if chosen == NEWEST:
        return kept[-1]
    return max((epoch for epoch in kept if epoch <= int(chosen)), default=kept[0])


def _scrub_past(run: Run, kept: list[int], epochs: int, best: int) -> int | None:
    """The same for a run that is over: it opens on the epoch whose network is kept, or the snapshot nearest to it."""
    chosen = best
    if epochs >= best:
        chosen = st.select_slider(
            _SCRUB,
            list(range(epochs + 1)),
            best,
            format_func=lambda epoch: f"{epoch}, kept" if epoch == best else str(epoch),
            key=f"epoch_past_{run.id}_{best}",
        )
    if chosen == best:
        return min(kept, key=lambda epoch: abs(epoch - best), default=None)
    return max((epoch for epoch in kept if epoch <= chosen), default=kept[0] if kept else None)
