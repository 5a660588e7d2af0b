"""Measure the app against floors that run in turn with it: `python benchmarks/run.py [--only NAME] [--json]`.

One line a measure: what, ours, floor, ratio, goal. The machine's other work hits ours and the floor alike, so read the
ratios. NAME: change, start, conv2d, pointer, engine, inside, trace, faces, data, training. --json prints one JSON
object a line, with quartiles. How to read the lines: docs/benchmarks.md.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import data
import engine
import faces
import inside
import inside_in_browser
import trace_steps
import training
from pages_in_browser import App, Frame, change, chromium, serve, visit

from cnnviz import filters, kernels

STARTS = 3
ROUNDS, WARM = 60, 5  # of a convolution; the first ones do not count
MOVES = 200
STAGES = tuple(f"canvas[data-stage={stage}]" for stage in ("map", "relu", "pool"))
ALSO = ("canvas[data-stage=input]", "[data-testid=sum]")
LAB = App("app.py", "/kernels?size=512", STAGES, ALSO)
EMPTY = App("benchmarks/empty_app.py", "/", ("[data-testid=stMarkdown]",))


@dataclass
class Line:
    """One line of the table: samples of ours and of the floor, and the goal for their ratio or (no floor) for ours."""

    measure: str
    what: str
    unit: str
    ours: Sequence[float]
    floor: Sequence[float] = ()
    goal: float | None = None
    percentile: float = 50
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.value(self.ours) / self.value(self.floor) if self.floor else None

    @property
    def met(self) -> bool | None:
        judged = self.ratio if self.floor else self.value(self.ours)
        return None if self.goal is None or judged is None else judged <= self.goal

    def value(self, samples: Sequence[float]) -> float:
        return float(np.percentile(samples, self.percentile))

    def row(self) -> list[str]:
        digits = 0 if self.unit == "B" else 2 if self.unit == "s" else 1
        shown = [f"{self.value(s):,.{digits}f} {self.unit}" if s else "" for s in (self.ours, self.floor)]
        goal = "" if self.goal is None else f"≤ {self.goal:g}" + ("" if self.floor else f" {self.unit}")
        return [
            self.what,
            *shown,
            "" if self.ratio is None else f"{self.ratio:.2f}",
            goal,
            {True: "met", False: "missed", None: ""}[self.met],
        ]

    def record(self) -> dict[str, Any]:
        record = {k: v for k, v in asdict(self).items() if k not in ("ours", "floor")}
        for name, samples in (("ours", self.ours), ("floor", self.floor)):
            record[name] = self.value(samples) if samples else None
            record[f"{name}_quartiles"] = [float(np.percentile(samples, p)) for p in (25, 75)] if samples else None
        return {**record, "samples": len(self.ours), "ratio": self.ratio, "met": self.met}


# ----------------------------------------------------------------------------------- a change, and the bytes it sends


def _choose(page: Any, key: str, label: str) -> Callable[[], None]:
    """Open a selectbox; the act is the click on the option."""
    page.locator(f".st-key-{key} input").first.click()
    option = page.get_by_role("option", name=label, exact=True)
    option.wait_for()
    page.wait_for_timeout(200)  # the list has opened with an animation
    return partial(option.click)


def _type(page: Any, key: str, text: str) -> Callable[[], None]:
    """Type into a field; the act is Enter."""
    box = page.locator(f".st-key-{key} input").first
    box.fill(text)
    page.wait_for_timeout(50)
    return lambda: box.press("Enter")


def _step(page: Any, key: str, arrow: str) -> Callable[[], None]:
    """One step of a number; the act is an arrow key."""
    box = page.locator(f".st-key-{key} input").first
    box.focus()
    page.wait_for_timeout(50)
    return lambda: box.press(arrow)


Act = Callable[[Any], Callable[[], None]]  # brings a page to the brink of a change, and returns the change


def _changes() -> Iterator[tuple[str, Act, Act]]:
    """(control, change of ours, same of the floor); none twice: Streamlit does not send again what it has sent."""
    labels = [kernel.label for name, kernel in filters.PRESETS.items() if name != "sobel_x"]
    for n, label in enumerate(labels, 2):
        other = f"Kernel {n}: one label among many others"
        yield "kernel", partial(_choose, key="kernel_shown", label=label), partial(_choose, key="kernel", label=other)
    for n in range(1, 16):
        typed = partial(_type, key="bias", text=str(20 * n))
        yield "bias", typed, typed
    for key, arrow in [("stride_x", "ArrowUp")] * 7 + [("stride_y", "ArrowUp")] * 7 + [("stride_x", "ArrowDown")]:
        stepped = partial(_step, key=key, arrow=arrow)
        yield "stride", stepped, stepped


def measure_change(browser: Any) -> list[Line]:
    """From the input event to the frame in which the whole road (of the empty page: its text) stands redrawn."""
    frames: dict[tuple[str, str], list[Frame]] = {}
    with ExitStack() as stack:
        pages = []
        for app in (LAB, EMPTY):
            address, _ = stack.enter_context(serve(app))
            pages.append(stack.enter_context(visit(browser, app, address)))
        (lab, lab_opened), (empty, empty_opened) = pages
        for control, ours, floor in _changes():
            frames.setdefault((control, "ours"), []).append(change(lab, LAB, ours(lab)))
            frames.setdefault((control, "floor"), []).append(change(empty, EMPTY, floor(empty)))
    controls = list(dict.fromkeys(control for control, _ in frames))
    lines = [
        Line(
            "change",
            f"changed {control} → road redrawn, at 512",
            "ms",
            [f.took for f in frames[control, "ours"]],
            [f.took for f in frames[control, "floor"]],
            goal=2.5,
            more={who: _parts(frames[control, who]) for who in ("ours", "floor")},
        )
        for control in controls
    ]
    for control in controls:
        lines.append(
            Line(
                "change",
                f"bytes sent when the {control} changes",
                "B",
                [f.bytes for f in frames[control, "ours"]],
                [f.bytes for f in frames[control, "floor"]],
            )
        )
    lines.append(Line("change", "bytes of a page's first load, at 512", "B", [lab_opened.bytes], [empty_opened.bytes]))
    return lines


def _parts(frames: list[Frame]) -> dict[str, float]:
    """Medians of where the time of a change goes."""
    return {
        name: round(statistics.median(getattr(f, name) for f in frames), 1)
        for name in ("waited", "answered", "messages", "look")
    }


# ------------------------------------------------------------------------------------------------------------ a start


def measure_start(browser: Any) -> list[Line]:
    """From the start of the server's process to a drawn road (of the empty app: its text) in an open browser."""
    took: dict[App, list[float]] = {}
    first = LAB._replace(path="/kernels", also=())  # what is not there yet would be looked for in every frame
    for app in (first, EMPTY) * STARTS:
        with serve(app) as (address, started), visit(browser, app, address) as (_, frame):
            took.setdefault(app, []).append(frame.origin + frame.complete / 1000 - started)
    return [Line("start", "server start → usable page", "s", took[first], took[EMPTY], goal=1.5)]


# ------------------------------------------------------------------------------------------------------ a convolution


def measure_conv2d() -> list[Line]:
    """filters.conv2d against bare cv2.filter2D with float32 output, on random 1080 × 1920 grey."""
    random = np.random.default_rng(1)
    sizes = {"3×3 Sobel": filters.PRESETS["sobel_x"].weights, "7×7": random.normal(size=(7, 7)).astype(np.float32)}
    image = random.integers(0, 256, (1080, 1920), dtype=np.uint8)
    lines = []
    for dtype in (np.float32, np.uint8):
        pixels = image.astype(dtype)
        for name, weights in sizes.items():
            calls: dict[str, Callable[[], Any]] = {
                "ours": partial(filters.conv2d, pixels, weights),
                "floor": partial(cv2.filter2D, pixels, cv2.CV_32F, weights),
            }
            took: dict[str, list[float]] = {"ours": [], "floor": []}
            for n in range(ROUNDS):
                for who in sorted(calls, reverse=n % 2 == 0):  # which comes first decides who finds the memory warm
                    took[who].append(_milliseconds(calls[who]))
            what = f"conv2d, 1080p grey {np.dtype(dtype)}, {name}"
            lines.append(Line("conv2d", what, "ms", took["ours"][WARM:], took["floor"][WARM:], goal=1.5))
    return lines


def _milliseconds(function: Callable[[], Any]) -> float:
    started = time.perf_counter()
    function()
    return (time.perf_counter() - started) * 1000


# ------------------------------------------------------------------------------------------------ the mouse's handler


def measure_pointer(browser: Any) -> list[Line]:
    """Everything that runs for one move of the mouse over a stage, layout and paint left out."""
    wide = kernels.dump(np.random.default_rng(2).integers(-9, 10, (15, 15)))
    places = {
        "map, Sobel 3×3": ("map", ""),
        "map, kernel 15×15": ("map", f"&w={wide}"),
        "pool 2×2, kernel 15×15": ("pool", f"&w={wide}"),
        "pool 15×15, kernel 15×15": ("pool", f"&w={wide}&pool_y=15&pool_x=15"),
    }
    lines = []
    with serve(LAB) as (address, _):
        for name, (stage, query) in places.items():
            app = LAB._replace(path=LAB.path + query)
            with visit(browser, app, address) as (page, _):
                whole, shown = _move(page, stage)
                lines.append(
                    Line(
                        "pointer",
                        f"one mouse move, p95, {name}",
                        "ms",
                        whole,
                        goal=4,
                        percentile=95,
                        more={"hub.timings p95": float(np.percentile(shown, 95)), "hub.timings": len(shown)},
                    )
                )
    return lines


def _move(page: Any, stage: str) -> tuple[list[float], list[float]]:
    """Move over a stage so that each move meets another cell; (all handlers of a move, the window's part of them)."""
    canvas = page.locator(f"canvas[data-stage={stage}]")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.evaluate("() => { bench.moves.length = 0; if (cnnvizHub.timings) cnnvizHub.timings.length = 0 }")
    for n in range(MOVES):
        x, y = (n * 7 % 97) / 97, (n * 5 % 89) / 89
        page.mouse.move(box["x"] + 4 + x * (box["width"] - 8), box["y"] + 4 + y * (box["height"] - 8))
    return page.evaluate("() => bench.moves"), page.evaluate("() => cnnvizHub.timings ?? []")


# ------------------------------------------------------------------------------------------- a network's answers


def measure_engine() -> list[Line]:
    """Answers against bare predict_on_batch, and from files to rows through the engine."""
    return [Line("engine", **fields) for fields in engine.measure()]


# ----------------------------------------------------------------------------------------------- inside the network


def measure_inside(browser: Any) -> list[Line]:
    """Every layer's maps: the engine's part against bare predict_on_batch in one process, then the page."""
    return [
        Line("inside", **fields) for part in (inside.measure(), inside_in_browser.measure(browser)) for fields in part
    ]


# ------------------------------------------------------------------------------------------------ a traced number


def measure_trace(browser: Any) -> list[Line]:
    """From the click on a term to the frame in which the step at its own cell stands."""
    return [Line("trace", **fields) for fields in trace_steps.measure(browser, EMPTY)]


# ------------------------------------------------------------------------------------------------ faces in photos


def measure_faces() -> list[Line]:
    """Faces found and answered: ours against Haar and model.predict a face, in one process."""
    return [Line("faces", **fields) for fields in faces.measure()]


# ---------------------------------------------------------------------------------------------------------- the table


def _print_table(lines: list[Line]) -> None:
    rows = [["what", "ours", "floor", "ratio", "goal", ""], *(line.row() for line in lines)]
    widths = [max(len(row[c]) for row in rows) for c in range(6)]
    for row in rows:
        cells = [
            cell.ljust(w) if c in (0, 5) else cell.rjust(w) for c, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def _machine(browser: Any) -> str:
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    chromium_version = f", Chromium {browser.version.split('.')[0]}" if browser else ""
    return (
        f"{os.cpu_count()} cores{load}, {platform.system()}, Python {platform.python_version()}, "
        f"Streamlit {version('streamlit')}{chromium_version}"
    )


MEASURES: dict[str, Callable[..., list[Line]]] = {
    "change": measure_change,
    "start": measure_start,
    "conv2d": measure_conv2d,
    "pointer": measure_pointer,
    "engine": measure_engine,
    "inside": measure_inside,
    "faces": measure_faces,
    "trace": measure_trace,
}
WITHOUT_BROWSER = ("conv2d", "engine", "faces")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=[*MEASURES, "data", "training"], help="run one measure")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    asked = parser.parse_args()
    if asked.only == "data":
        data.main(asked.json)
        return
    if asked.only == "training":
        training.main()
        return
    names = [asked.only] if asked.only else list(MEASURES)
    lines: list[Line] = []
    with ExitStack() as stack:
        browser = None if asked.only in WITHOUT_BROWSER else stack.enter_context(chromium())
        machine = _machine(browser)
        started = time.monotonic()
        for name in names:
            if not asked.json:
                print(f"measuring {name} ...", file=sys.stderr)
            lines += MEASURES[name]() if name in WITHOUT_BROWSER else MEASURES[name](browser)
    if asked.json:
        print(json.dumps({"format": 1, "machine": machine}))
        for line in lines:
            print(json.dumps(line.record(), ensure_ascii=False))
    else:
        _print_table(lines)
        print(f"\n{machine}; took {time.monotonic() - started:.0f} s\n")
    if not asked.only:
        data.main(asked.json)
        if not asked.json:
            training.main()


if __name__ == "__main__":
    main()
