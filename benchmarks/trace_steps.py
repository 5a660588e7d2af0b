"""A step of a trace, click to numbers on the screen, in turn with a typed change of an empty page; and what is sent."""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from pages_in_browser import IN_PAGE, App, Frame, change, serve, visit

PATIENCE = 180_000  # ms for an engine that has yet to load Keras
TRACE = App("app.py", "/inside?network=objects&picture=cat", ("section.trace .title",), ("[data-testid=sum]",))
TURNS = 2  # from the answer to a pixel: the second one is kept by the engine's cache


def measure(browser: Any, empty: App) -> Iterator[dict[str, Any]]:
    """Lines for the table of run.py. Each step goes on by the term that is marked; the pixel ends a turn."""
    frames: dict[tuple[int, str], list[Frame]] = {}
    with ExitStack() as stack:
        address, _ = stack.enter_context(serve(TRACE))
        page = stack.enter_context(_traced(browser, address))
        empty_address, _ = stack.enter_context(serve(empty))
        floor, _ = stack.enter_context(visit(browser, empty, empty_address))
        box = floor.locator(".st-key-bias input").first
        typed = 0
        for turn in range(TURNS):
            page.locator("section.trace .start").first.click()
            marked = page.locator("section.trace [data-testid=term][data-follow]").first
            marked.wait_for()
            while marked.count():
                page.wait_for_timeout(300)
                frames.setdefault((turn, "ours"), []).append(change(page, TRACE, marked.click))
                typed += 1
                box.fill(str(typed))
                page.wait_for_timeout(50)
                frames.setdefault((turn, "floor"), []).append(change(floor, empty, partial(box.press, "Enter")))
            page.goto(address + TRACE.path)
            page.locator("section.trace .start").first.wait_for()
            page.wait_for_timeout(3000)
    for turn, name in enumerate(("a step of a trace, click → numbers", "the same step once more, kept")):
        ours, theirs = frames[turn, "ours"], frames[turn, "floor"]
        yield {
            "what": name,
            "unit": "ms",
            "ours": [frame.took for frame in ours],
            "floor": [frame.took for frame in theirs],
            "goal": 2.5,
            "more": {who: _parts(frames[turn, who]) for who in ("ours", "floor")},
        }
    yield {"what": "bytes sent for a step", "unit": "B", "ours": [frame.bytes for frame in frames[0, "ours"]]}


def _parts(frames: list[Frame]) -> dict[str, float]:
    """Medians of where the time of a step goes."""
    names = ("waited", "answered", "messages", "look", "bytes")
    return {name: round(statistics.median(getattr(frame, name) for frame in frames), 1) for name in names}


@contextmanager
def _traced(browser: Any, address: str) -> Iterator[Any]:
    """The page /inside as a new visitor's, once its trace stands: its engine takes longer than a page may."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.add_init_script(IN_PAGE)
        page.goto(address + TRACE.path)
        page.locator("section.trace .start").first.wait_for()
        page.wait_for_timeout(3000)
        yield page
    finally:
        context.close()
