"""In a real browser with the real engine: from a class's probability down to a pixel, each sum checked on the way."""

import math
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlparse

import numpy as np
import pytest
from conftest import ROOT, Server, address, open_page, settle, until

from cnnviz import steps

pytestmark = [pytest.mark.browser, pytest.mark.keras]
WAIT = 120_000  # ms for an engine that has yet to load Keras on a busy machine
DEPTH = 45  # steps that a way may have
SHOWN = """trace => {
  const number = text => text === "NaN" ? NaN : Number(text)
  const all = (within, name) => [...within.querySelectorAll(`[data-testid=${name}]`)].map(e => number(e.dataset.value))
  const sum = trace.querySelector("[data-testid=sum]").dataset
  return {
    form: sum.form, combine: sum.combine, place: sum.place,
    total: number(sum.value), result: number(sum.result), keras: number(sum.keras),
    terms: all(trace, "term"), parts: all(trace, "part"), rest: all(trace, "rest"), bias: all(trace, "bias"),
    windows: [...trace.querySelectorAll(".window-row")].map(row => all(row, "term")),
    biasOfStep: number(sum.bias),
    follow: trace.querySelector("[data-follow]")?.dataset.place ?? "",
  }
}"""


def trace(page: Any) -> Any:
    return page.locator("section.trace")


def open_trace(page: Any, server: Server, trail: str = "", network: str = "objects", **query: str) -> None:
    page.set_default_timeout(WAIT)
    asked = {"network": network, "picture": "cat", **query, **({"trace": trail} if trail else {})}
    open_page(page, f"{server.url}/inside?{urlencode(asked)}")
    trace(page).wait_for()
    settle(page)


def in_url(page: Any) -> str:
    return parse_qs(urlparse(address(page)).query).get("trace", [""])[0]


def at_place(page: Any, place: str) -> None:
    """Wait until the step of this place is shown."""
    page.locator(f"section.trace [data-testid=sum][data-place='{place}']").wait_for(state="attached")


def same(a: float, b: float, size: float) -> bool:
    return abs(a - b) <= 1e-5 * max(size, abs(b), 1e-30)


def checked(page: Any) -> dict[str, Any]:
    """What the step on the screen shows, once it is sure that it adds up."""
    shown = trace(page).evaluate(SHOWN)
    form, terms = shown["form"], shown["terms"]
    size = sum(abs(v) for v in (*terms, *shown["parts"], *shown["rest"], *shown["bias"]))
    if form == "window":
        assert same(math.fsum((*shown["parts"], *shown["rest"], *shown["bias"])), shown["total"], size), shown
        for window, part in zip(shown["windows"], shown["parts"], strict=False):
            assert same(math.fsum(window), part, sum(map(abs, window))), shown
    elif shown["combine"] == "largest":
        assert max(terms) == shown["total"], shown
    elif shown["combine"] == "product":
        assert same(math.prod(terms), shown["total"], size), shown
    elif form not in ("photo", "end"):
        assert same(math.fsum((*terms, *shown["rest"], *shown["bias"])), shown["total"], size), shown
    if form == "softmax":
        assert 0 <= shown["result"] <= 1
        assert any(same(shown["result"], term / shown["total"], 1) for term in terms), shown
    if not math.isnan(shown["keras"]):
        assert same(shown["result"], shown["keras"], size), shown
    assert "differs" not in trace(page).locator(".after").inner_text()
    return shown


def walked(page: Any, by_key: bool) -> list[dict[str, Any]]:
    """Go on by the term that is marked, from the step on the screen to the end."""
    way = [checked(page)]
    while way[-1]["follow"] and len(way) < DEPTH:
        marked = trace(page).locator("[data-testid=term][data-follow]").first
        if by_key:
            marked.focus()
            page.keyboard.press("Enter")
        else:
            marked.click()
        at_place(page, way[-1]["follow"])
        way.append(checked(page))
    return way


def test_from_a_class_s_probability_to_a_pixel_every_sum_holds_and_the_way_is_in_the_address(
    page: Any, server: Server
) -> None:
    open_trace(page, server)
    trace(page).get_by_role("button", name="cat 59").click()
    at_place(page, "softmax_1:3")
    way = walked(page, by_key=False)
    forms = [step["form"] for step in way]
    assert forms[:3] == ["softmax", "terms", "terms"]
    assert forms[-1] == "photo"
    assert {"window", "line", "function", "pool"} <= set(forms)
    until(lambda: [step["place"] for step in way] == in_url(page).split("~"), "the way in the address")
    assert "levels 0..1" in trace(page).inner_text()
    assert trace(page).get_by_test_id("reached").count() > 5
    page.reload()
    trace(page).wait_for()
    at_place(page, way[-1]["place"])
    assert in_url(page).split("~") == [step["place"] for step in way]

    trace(page).get_by_test_id("back").click()
    at_place(page, way[-2]["place"])
    trace(page).get_by_role("button", name="dense 1, cat").click()
    at_place(page, "dense_1:3")
    until(lambda: in_url(page) == "softmax_1:3~dense_1:3", "the shorter way in the address")
    page.go_back()
    at_place(page, way[-2]["place"])


def test_by_keyboard_one_moves_between_terms_goes_on_and_comes_back(page: Any, server: Server) -> None:
    open_trace(page, server, "block_5_conv_2:5.3.3")
    first = checked(page)
    marked = trace(page).locator("[data-testid=term][data-follow]")
    marked.focus()
    place = marked.get_attribute("data-place")
    page.keyboard.press("ArrowUp")
    above = trace(page).locator("[data-testid=term]:focus").get_attribute("data-place")
    (here,), (there,) = steps.read(place), steps.read(above)
    assert there == steps.Place(here.node, (here.index[0] - 1, *here.index[1:]))
    page.keyboard.press("Enter")
    at_place(page, above)
    checked(page)
    page.keyboard.press("Backspace")
    at_place(page, first["place"])
    page.keyboard.press("Escape")
    trace(page).locator(".start:focus").wait_for()  # who walks by keyboard goes on from there
    page.wait_for_function("!location.search.includes('trace=')")


def test_it_plays_by_itself_and_pauses(page: Any, server: Server) -> None:
    open_trace(page, server)
    button = trace(page).get_by_test_id("play")
    assert button.inner_text() == "What made this “cat”?"
    button.click()
    trace(page).get_by_role("button", name="Pause").wait_for()
    page.wait_for_function("location.search.includes('dense_1')")
    button.click()
    settle(page)
    held = in_url(page)
    time.sleep(3)
    assert in_url(page) == held
    assert button.inner_text() == "What made this number?"
    button.click()
    trace(page).locator(".speed").select_option("10")
    trace(page).locator("[data-testid=sum][data-form=photo]").wait_for()
    trace(page).locator(".photo .box").wait_for()
    assert "this pixel" in trace(page).locator(".photo").inner_text()
    until(lambda: button.inner_text() == "What made this number?", "the end of the play")


def test_a_pixel_that_is_clicked_shows_what_it_reaches_and_a_cell_there_goes_on(page: Any, server: Server) -> None:
    open_trace(page, server, "softmax_1:3")
    photo = trace(page).get_by_test_id("trace-photo")
    box = photo.bounding_box()
    photo.click(position={"x": box["width"] * 20.5 / 32, "y": box["height"] * 10.5 / 32})
    at_place(page, "input:10.20.0")
    layers = trace(page).get_by_test_id("reached")
    until(lambda: "9 of 1,024" in layers.first.inner_text(), "how many cells of the first layer it reaches")
    layers.first.click()
    trace(page).locator("[data-testid=sum][data-form=window]").wait_for()
    until(lambda: in_url(page).startswith("conv_1"), "the cell in the address")
    node, index = steps.read(in_url(page))[0].node, steps.read(in_url(page))[0].index
    assert node == "conv_1"
    assert (abs(index[0] - 10), abs(index[1] - 20)) <= (1, 1)
    checked(page)


def test_pixel_and_cell_are_chosen_by_keyboard_too(page: Any, server: Server) -> None:
    open_trace(page, server, "softmax_1:3")
    photo, pixels = trace(page).get_by_test_id("trace-photo"), trace(page).locator(".photo .aim")
    photo.focus()
    assert pixels.is_hidden()
    for key in ("Shift+ArrowUp", "ArrowRight", "ArrowRight"):  # from the middle, 16.16
        photo.press(key)
    assert pixels.is_visible()
    photo.press("Escape")
    assert pixels.is_hidden()
    assert in_url(page) == "softmax_1:3"  # Escape took the mark, and not the step back
    for key in ("Shift+ArrowUp", "Shift+ArrowUp", "ArrowLeft", "Enter"):
        photo.press(key)
    at_place(page, "input:0.15.0")  # it ends at the edge
    open_trace(page, server, "block_2_conv_1:3.3.5")
    cells = trace(page).get_by_test_id("trace-map")
    cells.focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        cells.press(key)
    at_place(page, "block_2_conv_1:4.4.5")
    assert trace(page).locator(".map .aim").is_hidden()
    for key in ("ArrowDown", "Enter"):  # it has kept the focus, and goes on from there
        page.keyboard.press(key)
    at_place(page, "block_2_conv_1:5.4.5")


WIDE = "document.querySelector('[data-testid=stMain]').scrollWidth"


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_scrolls_sideways_however_much_the_rest_of_the_terms_is(
    chromium: Any, server: Server, width: int
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900})
    try:
        page = context.new_page()
        open_trace(page, server, "block_2_conv_1:3.3.5")
        page.evaluate("""() => {
          const { body, ...rest } = cnnvizHub.blocks.get("trace")
          const block = { body, ...JSON.parse(JSON.stringify(rest)) }
          const most = Math.max(...block.step.parts.map((part) => Math.abs(part.sum)))
          block.step.restParts = { count: 500, sum: 6 * most }
          cnnvizHub.blocks.set("trace", { ...block, turn: "another" })
          document.dispatchEvent(new CustomEvent("cnnviz:block", { detail: { block: "trace" } }))
        }""")
        row = trace(page).get_by_test_id("rest")
        until(lambda: "the other 500 channels together" in row.inner_text(), "the rest")
        assert page.evaluate(WIDE) <= width
        track, bar = row.locator(".track"), row.locator(".bar")
        assert track.get_attribute("title") == "6 times as long as fits here"
        assert bar.evaluate("e => e.classList.contains('cut')")
        boxes = track.bounding_box(), bar.bounding_box()
        assert boxes[1]["x"] + boxes[1]["width"] <= boxes[0]["x"] + boxes[0]["width"] + 1
        assert not trace(page).locator(".part .bar.cut").count()
    finally:
        context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_while_it_plays_nothing_scrolls_sideways(chromium: Any, server: Server, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900})
    try:
        page = context.new_page()
        open_trace(page, server)
        page.evaluate(f"""() => {{
          globalThis.widest = 0
          const look = () => {{ widest = Math.max(widest, {WIDE}); requestAnimationFrame(look) }}
          look()
        }}""")
        trace(page).get_by_test_id("play").click()
        trace(page).locator(".speed").select_option("10")
        trace(page).locator("[data-testid=sum][data-form=photo]").wait_for()
        settle(page)
        assert page.evaluate("widest") <= width
    finally:
        context.close()


def test_a_share_has_one_style_and_all_its_digits_on_its_title(page: Any, server: Server) -> None:
    open_trace(page, server)
    starts = trace(page).locator(".start")
    shares = {b.inner_text(): b.get_attribute("title") for b in starts.all()}
    assert len(shares) == 10
    little = [title for text, title in shares.items() if "<\u00a00.1\u00a0%" in text]
    assert little
    for title in shares.values():
        assert re.fullmatch(r"\d+(\.\d+)?\u00a0%", title), title
    total = sum(float(title.rstrip("\u00a0%")) for title in shares.values())
    assert total == pytest.approx(100, abs=1e-3)
    assert all(0 < float(title.rstrip("\u00a0%")) < 0.1 for title in little)
    starts.last.click()
    trace(page).locator("[data-testid=sum][data-form=softmax]").wait_for()
    assert trace(page).get_by_test_id("sum").inner_text() == "<\u00a00.1\u00a0%"
    # the sum is worked out again from the terms: its last digits are those of float32, which differ between processors
    again = trace(page).get_by_test_id("sum").get_attribute("title")
    assert re.fullmatch(r"\d+\.\d+\u00a0%", again), again
    assert float(again.rstrip("\u00a0%")) == pytest.approx(float(list(shares.values())[-1].rstrip("\u00a0%")), rel=3e-6)
    text = trace(page).inner_text()
    assert not re.search(r"e[−-]?\d+\s*%", text), text
    exact = re.search(r"= (\S+), which is <\u00a00.1\u00a0%", trace(page).locator(".equals").inner_text())[1]
    number = float(exact.replace("−", "-"))
    assert 100 * number == pytest.approx(float(list(shares.values())[-1].rstrip("\u00a0%")), rel=1e-3)


SHARES = "".join(
    (ROOT / "cnnviz" / "microscope" / name).read_text(encoding="utf-8") for name in ("hub.js", "shares.js")
)


def test_the_browser_writes_shares_as_python_does(page: Any) -> None:
    random = np.random.default_rng(3)
    parts = [
        *random.uniform(0, 1, 200),
        *10.0 ** random.uniform(-12, 0, 200),
        0.0,
        0.001,
        0.0005,
        0.9995,
        1 - 1e-9,
        1.0,
    ]
    texts, exact = page.evaluate(
        f"(parts) => {{{SHARES}; return [parts.map(percent), parts.map(exactPercent)] }}", [float(p) for p in parts]
    )
    assert texts == [steps.share(float(part)) for part in parts]
    for part, text in zip(parts, exact, strict=True):
        assert float(text.removesuffix("\u00a0%")) == pytest.approx(100 * float(part), rel=1e-6)


@pytest.mark.parametrize(
    ("trail", "words"),
    [
        ("conv_1:99.0.0", "The link leads to cell (99, 0, 0) of conv 1, whose shape is 32 × 32 × 16"),
        ("softmax_1:3~nowhere:1", "The link leads to the layer “nowhere”"),
        ("<img src=x>:1", "which Ten everyday things does not have"),
        ("%%%~~~", ""),
    ],
)
def test_an_old_link_gets_a_sentence_and_as_much_of_the_way_as_there_is(
    page: Any, server: Server, trail: str, words: str
) -> None:
    open_trace(page, server, trail)
    assert words in trace(page).inner_text()
    assert trace(page).locator(".start, [data-testid=sum]:visible").count() > 0


def test_numbers_that_are_not_finite_are_written_as_what_they_are(page: Any, server: Server) -> None:
    open_trace(page, server, "dense_1:3")
    page.evaluate("""() => {
      const { body, ...rest } = cnnvizHub.blocks.get("trace")
      const block = { body, ...JSON.parse(JSON.stringify(rest)) }
      Object.assign(block.step, { total: "NaN", result: "NaN", value: "NaN" })
      Object.assign(block.step.terms[0], { value: "Infinity", product: "-Infinity" })
      cnnvizHub.blocks.set("trace", { ...block, turn: "another" })
      document.dispatchEvent(new CustomEvent("cnnviz:block", { detail: { block: "trace" } }))
    }""")
    until(lambda: trace(page).get_by_test_id("sum").inner_text() == "NaN", "the numbers")
    assert "∞ × " in trace(page).get_by_test_id("term").first.inner_text()
    assert "−∞" in trace(page).get_by_test_id("term").first.inner_text()
    assert "Keras computed NaN." in trace(page).inner_text()


def names_of(folder: Path) -> list[str]:
    """The layers of a network, as Keras has them."""
    import keras

    return [layer.name for layer in keras.models.load_model(folder / "model.keras", compile=False).layers]


def test_in_a_network_that_was_just_trained_every_layer_is_shown_and_the_way_ends_at_a_pixel_too(
    page: Any, server: Server
) -> None:
    page.set_default_timeout(WAIT)
    open_page(page, f"{server.url}/train?number=200&epochs=1")
    page.locator(".st-key-train button").first.click()
    page.get_by_role("heading", name="Trained “drawn faces”").wait_for()
    run = parse_qs(urlparse(address(page)).query)["run"][0]
    page.get_by_label("Name of the network").fill("Traced")
    page.locator(".st-key-keep button").first.click()
    page.get_by_text("Kept as “Traced”").first.wait_for()
    page.get_by_role("link", name="Networks").first.click()
    page.get_by_role("heading", name="Traced").wait_for()
    open_trace(page, server, network=run, picture="happy_face")
    layers = page.evaluate("cnnvizHub.blocks.get('inside').network.layers")
    assert [layer["name"] for layer in layers] == names_of(server.runs / run)
    assert all(layer["picture"]["count"] == layer["count"] for layer in layers)
    trace(page).locator(".start").first.click()
    trace(page).locator("[data-testid=sum]").wait_for()
    way = walked(page, by_key=True)
    assert way[0]["form"] == "softmax"
    assert way[-1]["form"] == "photo"
    assert len(way) > 8
