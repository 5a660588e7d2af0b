"""A Streamlit server in a process of its own and a page of it in Chromium, for measures that hold a clock to both."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
IN_PAGE = Path(__file__).with_name("in_page.js").read_text(encoding="utf-8")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
START_LIMIT = 60  # seconds


class App(NamedTuple):
    """A script, the page of it to open, what that page must have redrawn after a change, and what else it redraws."""

    script: str
    path: str
    must: tuple[str, ...]
    also: tuple[str, ...] = ()


class Frame(NamedTuple):
    """What the page has noted between an input (or its opening) and its rest; see in_page.js. Times in milliseconds."""

    complete: float
    """When all that had to change had changed for the first time, since the page's time 0."""
    took: float
    """From the input event to the last frame in which anything changed; on a new page since the page's time 0."""
    waited: float
    """From the input event to the first message of the answer."""
    answered: float
    """From the input event to the last message of the answer."""
    bytes: int
    messages: int
    look: float
    """What looking at the page took in all its frames: the most that the measure itself can have cost."""
    origin: float
    """The page's time 0 as seconds since 1970."""


@contextmanager
def serve(app: App) -> Iterator[tuple[str, float]]:
    """Start `streamlit run` with the project's settings and an empty home; yields (address, time of the start)."""
    with server(app) as (address, started, _):
        yield address, started


@contextmanager
def server(app: App, environment: Mapping[str, str] = MappingProxyType({})) -> Iterator[tuple[str, float, int]]:
    """As `serve`, with more in its environment; yields (address, time of the start, id of the process)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tempfile.mkdtemp()
    command = [sys.executable, "-m", "streamlit", "run", app.script]
    started = time.time()
    process = subprocess.Popen(
        [*command, "--server.headless", "true", "--server.port", str(port)],
        cwd=ROOT,
        # Streamlit was compiled when it was installed: the app is, too, from its second start on
        env={**os.environ, "HOME": home, "PYTHONDONTWRITEBYTECODE": "", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}", started, process.pid
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"The server did not answer on port {port} within {START_LIMIT} s; start it by hand to see why.")


@contextmanager
def chromium() -> Iterator[Any]:
    """A running headless Chromium."""
    sys.path.insert(0, str(ROOT / "tools"))
    from browser import find  # noqa: PLC0415 (tools/ is no package)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (seldom needed, takes a while)

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=find(), args=list(FLAGS))
        yield running
        running.close()


@contextmanager
def visit(browser: Any, app: App, address: str) -> Iterator[tuple[Any, Frame]]:
    """Open the app's page as a new visitor, 1280 wide; yields the page, at rest, and how its opening went."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    try:
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.add_init_script(f"{IN_PAGE}\nbench.watch({list(app.must)}, {list(app.also)})")
        page.goto(address + app.path, wait_until="commit")
        yield page, _frame(page)
    finally:
        context.close()


def change(page: Any, app: App, act: Any) -> Frame:
    """Do `act()`, whose last click or key is the input, and wait until the page has redrawn and come to rest."""
    page.evaluate("([must, also]) => bench.watch(must, also)", [list(app.must), list(app.also)])
    act()
    return _frame(page)


def _frame(page: Any) -> Frame:
    noted = page.evaluate("() => bench.result")
    since = noted["input"] or 0.0
    return Frame(
        complete=noted["complete"],
        took=noted["changed"] - since,
        waited=noted["first"] - since,
        answered=noted["last"] - since,
        bytes=noted["bytes"],
        messages=noted["messages"],
        look=noted["cost"],
        origin=noted["origin"] / 1000,
    )
