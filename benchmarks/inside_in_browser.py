"""The page /inside in Chromium: changes drawn, frames under a moving pointer, blocked threads, bytes, memory."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from pages_in_browser import IN_PAGE, ROOT, App, Frame, change, server
from PIL import Image

sys.path.insert(0, str(ROOT))

PATIENCE = 180_000  # ms for an engine that has yet to load Keras
OWNER = "0123456789abcdef" * 2
LARGE = "20260101-000000-00000000"  # id of the run whose network has 2.3 million parameters
SAMPLES = (
    "cat",
    "coffee",
    "camera",
    "handwriting",
    "bricks",
    "retina",
    "step_edge",
    "checkerboard",
    "circle",
    "gradient",
)
OWN, SIDE = 6, 3000
SETTLED, PHOTOS = 40, 100
HOVERS, MOVES = 3, 150
FRAME = 1000 / 55  # ms
NETWORK, LAYER = ("canvas[data-map=network]",), (".st-key-layer_head h3",)
MAPS = ("canvas[data-map=mosaic]", "canvas[data-map=channel]")  # of a layer; they look the same after dropout
DRAWN = "before => cnnvizHub.blocks.get('inside') && cnnvizHub.blocks.get('inside').network.id !== before"
SHOWN = "() => cnnvizHub.blocks.get('inside').network.id"
# the page has run, and its new uploader has taken the place of the old one
AT_REST = """() => document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning"
  && document.querySelectorAll(".st-key-upload input[type=file]").length === 1"""
FRAMES = """() => {
  bench.frames = []
  const frame = now => { bench.frames.push(now); if (bench.frames) requestAnimationFrame(frame) }
  requestAnimationFrame(frame)
}"""


def measure(browser: Any) -> Iterator[dict[str, Any]]:
    """Lines for the table of run.py."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _large_network(folder / "runs")
        app = App("app.py", "/inside", NETWORK)
        address, _, process = stack.enter_context(server(app, {"CNNVIZ_RUNS": str(folder / "runs")}))
        page = stack.enter_context(_page(browser, address, "network=objects&picture=astronaut"))
        yield from _changes(page, app, folder)
        yield from _pointer(page)
        page.goto(f"{address}/inside?network={LARGE}&picture=astronaut")
        _wait(page)
        yield from _layers(page, app._replace(must=LAYER, also=MAPS))
        page.goto(f"{address}/inside?network=objects&picture=astronaut")
        _wait(page)
        yield from _memory(page, folder, psutil.Process(process))


def _changes(page: Any, app: App, folder: Path) -> Iterator[dict[str, Any]]:
    frames, longest = _timed(page, app, [_sample(page, key) for key in SAMPLES])
    yield from _lines("objects: another sample → all maps of all layers drawn", frames, 500)
    photos = [_photo(folder, number, SIDE) for number in range(OWN)]
    own, blocked = _timed(page, app, [_upload(page, photo) for photo in photos])
    yield from _lines(f"objects: a photo of one’s own, {SIDE} × {SIDE} → all maps drawn", own, 900)
    opened = _clicks(page, 12, ((n * 7 % 37 + 3) / 40 for n in range(12)))
    layers, at_layers = _timed(page, app._replace(must=LAYER, also=MAPS), opened)
    yield from _lines("objects: another layer → its channels drawn", layers, 300)
    for what, blocks in (("samples", longest), ("own photos", blocked), ("layers", at_layers)):
        yield _longest(f"objects, {what}", blocks)


def _longest(what: str, blocks: list[float]) -> dict[str, Any]:
    shown = [round(block) for block in blocks]
    return {
        "what": f"longest block of the main thread: {what}",
        "unit": "ms",
        "ours": [max(blocks)],
        "goal": 200,
        "more": {"each": shown},
    }


def _lines(what: str, frames: list[Frame], goal: float) -> Iterator[dict[str, Any]]:
    parts = {name: round(float(np.median([getattr(f, name) for f in frames])), 1) for name in ("waited", "answered")}
    yield {"what": what, "unit": "ms", "ours": [frame.took for frame in frames], "goal": goal, "more": parts}
    yield {"what": f"bytes sent: {what.partition(' → ')[0]}", "unit": "B", "ours": [frame.bytes for frame in frames]}


def _timed(page: Any, app: App, acts: list[Callable[[], None]]) -> tuple[list[Frame], list[float]]:
    """How each went, and of each the longest task of the page's main thread."""
    frames, longest = [], []
    for act in acts:
        page.evaluate("() => { bench.long.length = 0 }")
        frames.append(change(page, app, act))
        longest.append(page.evaluate("() => Math.max(0, ...bench.long)"))
    return frames, longest


def _sample(page: Any, key: str) -> Callable[[], None]:
    return partial(page.locator(f"[data-testid=sample][data-key={key}]").click)


def _upload(page: Any, photo: Path) -> Callable[[], None]:
    return lambda: page.locator(".st-key-upload input[type=file]").set_input_files(photo)


def _clicks(page: Any, count: int, places: Iterator[float]) -> list[Callable[[], None]]:
    """Clicks on the middle map of as many columns of the network."""
    canvas = page.locator("canvas[data-map=network]")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    spots = [(box["x"] + x * box["width"], box["y"] + 0.4 * box["height"]) for x in places][:count]
    return [partial(page.mouse.click, *spot) for spot in spots]


def _pointer(page: Any) -> Iterator[dict[str, Any]]:
    """Frames while the pointer moves over all maps, each move to another one, and what a move runs."""
    canvas = page.locator("canvas[data-map=network]")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    frames, moves = [], []
    for _ in range(HOVERS):
        page.evaluate("() => { bench.moves.length = 0 }")
        page.evaluate(FRAMES)
        for n in range(MOVES):
            x, y = (n * 7 % 97) / 97, 0.2 + 0.6 * (n * 5 % 89) / 89
            page.mouse.move(box["x"] + 4 + x * (box["width"] - 8), box["y"] + y * box["height"])
            page.wait_for_timeout(5)
        stamps = page.evaluate("() => { const found = bench.frames; bench.frames = null; return found }")
        moves += page.evaluate("() => bench.moves")
        frames.append((stamps[-1] - stamps[0]) / (len(stamps) - 1))
    what = "one frame while the pointer moves over all maps (55 a second)"
    yield {
        "what": what,
        "unit": "ms",
        "ours": frames,
        "goal": FRAME,
        "more": {"frames a second": 1000 / float(np.median(frames))},
    }
    yield {"what": "one move over all maps, p95", "unit": "ms", "ours": moves, "goal": 4, "percentile": 95}


def _layers(page: Any, app: App) -> Iterator[dict[str, Any]]:
    """Each layer of the large network, opened by keyboard: a click would have to know where it stands."""
    count = page.evaluate("() => cnnvizHub.blocks.get('inside').network.layers.length")
    canvas = page.locator("canvas[data-map=network]")
    canvas.focus()
    page.keyboard.press("Home")
    frames, blocked = [], []
    for _ in range(count - 1):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(300)
        if _is_open(page):
            continue
        one, longest = _timed(page, app, [partial(page.keyboard.press, "Enter")])
        frames, blocked = [*frames, *one], [*blocked, *longest]
    yield from _lines("2.3 million parameters: another layer → its channels drawn", frames, 300)
    yield _longest("2.3 million parameters, layers", blocked)


def _is_open(page: Any) -> bool:
    now = page.locator("canvas[data-map=network]").get_attribute("data-layer")
    return bool(now == page.evaluate("() => cnnvizHub.blocks.get('inside_layer').channel.name"))


def _memory(page: Any, folder: Path, its_server: psutil.Process) -> Iterator[dict[str, Any]]:
    """What a hundred photos add, after the first ones."""
    its_engine = next(one for one in its_server.children(recursive=True) if "popen_loky" in " ".join(one.cmdline()))
    before: dict[psutil.Process, int] = {}
    for number in range(SETTLED + PHOTOS):
        if number == SETTLED:
            before = {who: who.memory_info().rss for who in (its_server, its_engine)}
        shown = page.evaluate(SHOWN)
        _upload(page, _photo(folder, 1000 + number, 320))()
        page.wait_for_function(DRAWN, arg=shown)
        page.wait_for_function(AT_REST)
    for who, words in ((its_server, "the server"), (its_engine, "the engine")):
        added = (who.memory_info().rss - before[who]) / 1e6
        yield {"what": f"memory that {PHOTOS} other photos add to {words}", "unit": "MB", "ours": [added], "goal": 20}


def _photo(folder: Path, seed: int, side: int) -> Path:
    """A JPEG file with clouds of color and a grain, no two alike."""
    random = np.random.default_rng(seed)
    clouds = Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8)).resize((side, side), Image.BICUBIC)
    grain = random.integers(-12, 13, (side, side, 1), dtype=np.int16)
    file = folder / f"photo_{seed}.jpg"
    Image.fromarray(np.clip(np.asarray(clouds) + grain, 0, 255).astype(np.uint8)).save(file, quality=90)
    return file


def _large_network(runs: Path) -> None:
    """An untrained network of the preset system-c among the kept ones of OWNER."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from cnnviz.networks import architectures  # noqa: PLC0415 (it imports keras)
    from cnnviz.presets import PRESETS  # noqa: PLC0415
    from cnnviz.training import record  # noqa: PLC0415
    from cnnviz.training.config import TrainingConfig  # noqa: PLC0415

    preset = PRESETS["system-c"]
    model = architectures.build(preset.layers, preset.preprocessing.shape)
    run = record.create(runs, TrainingConfig("drawn-faces"), OWNER, runs / LARGE)
    run.set_state(state="finished", kept="Large")
    model.save(run.network)
    card = json.loads((ROOT / "models" / "objects" / "card.json").read_text("utf-8"))
    about = {"name": "large", "title": "Large", "labels": list(preset.labels), "architecture": "system-c"}
    card |= {**about, "preprocessing": preset.preprocessing.to_json(), "parameters": model.count_params()}
    card |= {"scores": {}, "threshold": None}
    run.card.write_text(json.dumps(card), "utf-8")


@contextmanager
def _page(browser: Any, address: str, query: str) -> Iterator[Any]:
    """The page as OWNER's, once everything on it stands."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.add_cookies([{"name": "cnnviz_owner", "value": OWNER, "url": address}])
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.add_init_script(IN_PAGE)
        page.goto(f"{address}/inside?{query}")
        _wait(page)
        yield page
    finally:
        context.close()


def _wait(page: Any) -> None:
    page.wait_for_function(
        "() => ['inside', 'inside_layer', 'trace'].every(name => globalThis.cnnvizHub?.blocks.has(name))"
    )
    page.wait_for_timeout(3000)
