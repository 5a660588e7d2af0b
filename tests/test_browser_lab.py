"""In a real browser: what the Kernel lab's microscope shows is what conv2d computes, by mouse and by keyboard."""

import math
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from conftest import Server, address, choose, downloaded, open_page, settle, until
from PIL import Image

from cnnviz import display, filters, kernels, road, samples

pytestmark = pytest.mark.browser
SOBEL = filters.PRESETS["sobel_x"].weights
WIDE = np.round(np.random.default_rng(5).normal(size=(2, 5)), 2).astype(np.float32)
PLANES = np.round(np.random.default_rng(6).normal(size=(3, 3, 3)), 2).astype(np.float32)

# query parameters, and the same as road.Settings
SETTINGS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "as it opens": ({}, {}),
    "stride 2 and same": (
        {"stride_y": "2", "stride_x": "3", "padding": "same", "picture": "cat"},
        {"strides": (2, 3), "padding": "same"},
    ),
    "stride and dilation": (
        {"stride_y": "3", "stride_x": "2", "dilation_y": "2", "dilation_x": "3"},
        {"strides": (3, 2), "dilation_rate": (2, 3)},
    ),
    "own padding, own weights": (
        {"padding": "own", "pad_top": "4", "pad_left": "0", "w": kernels.dump(WIDE), "size": "64"},
        {"padding": ((4, 1), (0, 1)), "weights": WIDE},
    ),
    "three planes": ({"channel": "RGB", "w": kernels.dump(PLANES)}, {"channel": "rgb", "weights": PLANES}),
    "blue, with bias": ({"channel": "B", "bias": "-40.5", "size": "512"}, {"channel": "blue", "bias": -40.5}),
    "gradient magnitude": (
        {"kernel": "sobel_magnitude", "size": "32"},
        {"weights_y": SOBEL.T, "combine": "magnitude"},
    ),
    "gradient direction": ({"kernel": "sobel_direction"}, {"weights_y": SOBEL.T, "combine": "direction"}),
    "seven by seven": (
        {"w": kernels.dump(np.ones((7, 7))), "kernel": "box_blur"},
        {"weights": np.ones((7, 7), np.float32)},
    ),
}


def walk(query: dict[str, str], changed: dict[str, Any]) -> road.Road:
    size = query.get("size", "128")
    pixels = display.reduce(samples.photo(query.get("picture", "astronaut")).pixels, int(size))
    return road.walk(pixels, road.Settings(**{"channel": "luminance", "weights": SOBEL, **changed}))


def open_lab(page: Any, server: Server, **query: str) -> None:
    open_page(page, f"{server.url}/kernels?{urlencode(query)}")
    page.locator("[data-testid=stage][data-stage=map]").wait_for()
    page.locator("[data-testid=sum][data-value]").wait_for(state="attached")


def point(page: Any, stage: str, shape: tuple[int, ...], cell: tuple[int, int], click: bool = False) -> None:
    """Move to the middle of a cell: the map lies in the middle of its frame, its cells are whole from 4 pixels on."""
    canvas = page.locator(f".st-key-stage_{stage} [data-testid=stage]")
    box = canvas.bounding_box()
    scale = box["width"] / max(shape)
    scale = math.floor(scale) if scale >= 4 else scale
    x = box["x"] + (box["width"] - scale * shape[1]) / 2 + (cell[1] + 0.5) * scale
    y = box["y"] + (box["height"] - scale * shape[0]) / 2 + (cell[0] + 0.5) * scale
    page.mouse.move(x, y)
    if click:
        page.mouse.click(x, y)
    page.wait_for_timeout(20)


def shown(page: Any) -> dict[str, Any]:
    return page.locator("[data-testid=sum]").evaluate("e => ({...e.dataset, text: e.textContent})")


def stage_text(page: Any, stage: str, part: str) -> str:
    return page.locator(f".st-key-stage_{stage} .{part}").inner_text()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_sum_under_the_pointer_is_the_cell_that_conv2d_computes(page: Any, server: Server, name: str) -> None:
    query, changed = SETTINGS[name]
    walked = walk(query, changed)
    open_lab(page, server, **query)
    rows, columns = walked.feature_map.shape
    assert stage_text(page, "map", "shape") == f"{rows} × {columns}"
    page.locator(".st-key-stage_map").scroll_into_view_if_needed()
    random = np.random.default_rng(len(name))
    weight = float(np.abs(walked.settings.weights).sum()) * 255
    for _ in range(20):
        row, column = int(random.integers(rows)), int(random.integers(columns))
        point(page, "map", (rows, columns), (row, column))
        now = shown(page)
        # a cell is as small as half a pixel at size 512: take the one that the page says it shows
        row_shown, column_shown = int(now["row"]), int(now["column"])
        assert abs(row_shown - row) <= (rows > 200) * 2
        assert abs(column_shown - column) <= (columns > 200) * 2
        expected = float(walked.feature_map[row_shown, column_shown]) - walked.settings.bias
        tolerance = 1e-5 if walked.settings.combine == "direction" else 1e-6 * weight
        assert float(now["value"]) == pytest.approx(expected, abs=max(tolerance, 1e-4 * abs(expected)))


def test_the_pool_shows_its_winner_or_its_mean(page: Any, server: Server) -> None:
    for kind in ("Max", "Average"):
        query = {"kind": kind, "pool_y": "3", "pool_x": "2", "pool_stride_y": "2"}
        walked = walk({}, {"pool_kind": kind.lower(), "pool_size": (3, 2), "pool_strides": (2, 2)})
        open_lab(page, server, **query)
        assert walked.pooled is not None
        for cell in ((0, 0), (30, 17), (61, 62)):
            point(page, "pool", walked.pooled.shape, cell)
            now = shown(page)
            assert (now["stage"], int(now["row"]), int(now["column"])) == ("pool", *cell)
            assert float(now["value"]) == pytest.approx(float(walked.pooled[cell]), abs=0.01)
        assert page.locator("[data-testid=term]").count() == 6


def test_a_large_kernel_is_drawn_and_each_of_its_cells_can_be_read(page: Any, server: Server) -> None:
    large = np.arange(-112, 113, dtype=np.float32).reshape(15, 15)
    walked = walk({}, {"weights": large, "padding": "same"})
    open_lab(page, server, w=kernels.dump(large), padding="same")
    point(page, "map", (128, 128), (3, 100), click=True)
    assert float(shown(page)["value"]) == pytest.approx(float(walked.feature_map[3, 100]), rel=1e-5)
    labels = [c.get_attribute("aria-label") for c in page.locator(".st-key-window .cells canvas").all()]
    assert labels == ["window at row −4, column 93", "weights", "225 products"]
    grey = road.source(walked.pixels, "luminance")
    canvas = page.locator("[data-testid=terms]")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for row, column in ((0, 14), (4, 0), (9, 7)):
        page.mouse.move(box["x"] + (column + 0.5) * box["width"] / 15, box["y"] + (row + 0.5) * box["height"] / 15)
        words = page.locator(".st-key-window .term").inner_text()
        if row < 4:
            assert words.startswith("padding: 0 × ")
            continue
        y, x = row - 4, column + 93
        value, weight = grey[y, x], large[row, column]
        product, factor = (display.number(float(v)) for v in (value * weight, weight))
        assert words == f"pixel ({y}, {x}): {display.number(float(value))} × {plus(factor)} = {plus(product)}"


def test_the_sums_of_three_channels_stand_under_one_another_and_make_the_sum(page: Any, server: Server) -> None:
    whole = {"channel": "rgb", "weights": np.round(PLANES * 10), "bias": -7.0}
    walked = walk({}, whole)
    open_lab(page, server, channel="RGB", w=kernels.dump(whole["weights"]), bias="-7")
    window = page.locator(".st-key-window")
    window.locator(".say").evaluate(
        """(e) => {
          globalThis.cnnvizSaid = []
          new MutationObserver(() => cnnvizSaid.push(e.textContent)).observe(e, { childList: true })
        }"""
    )

    def adds_up() -> tuple[int, int]:
        """The cell that is shown; its three sums, total, bias and words are those of conv2d."""
        lines, total, after, at = page.evaluate(
            """() => {
              const root = document.querySelector(".st-key-window [data-testid=sum]")?.getRootNode()
                ?? [...document.querySelectorAll(".st-key-window *")].find((e) => e.shadowRoot).shadowRoot
              const find = (name) => root.querySelector(name)
              const lines = [...root.querySelectorAll("[data-testid=part]")].map(
                (line) => [...[...line.children].map((e) => e.textContent), line.getAttribute("aria-pressed")])
              const total = find("[data-testid=sum]")
              return [lines, find(".sign").textContent + total.textContent, find(".after").textContent,
                      [total.dataset.row, total.dataset.column].map(Number)]
            }"""
        )
        row, column = at
        patch = walked.pixels[row : row + 3, column : column + 3].astype(float)
        sums = [int((patch[..., c] * whole["weights"][..., c]).sum()) for c in range(3)]
        shown_at = [line[4] for line in lines].index("true")
        assert [line[:4] for line in lines] == [
            ["+" if c else "", name, plus(display.number(sums[c])), "these 9 products" if c == shown_at else ""]
            for c, name in enumerate("RGB")
        ]
        result = display.number(sum(sums))
        assert total == f"Σ R + G + B ={plus(result)}"
        biased = display.number(sum(sums) - 7)
        assert walked.feature_map[row, column] == sum(sums) - 7
        assert after == f"+ bias (−7) = {biased} → ReLU → {display.number(max(0, sum(sums) - 7))}"
        words = " + ".join(
            f"{name} {display.number(value)}{' (its 9 products are shown)' if c == shown_at else ''}"
            for c, (name, value) in enumerate(zip("RGB", sums, strict=True))
        )
        said.add(f"Row {row}, column {column}: {words} = {result}; {after.replace(' → ', ', ', 1)}.")
        return row, column

    said: set[str] = set()  # what is to be read out for the cells that were shown
    last = "() => cnnvizSaid.at(-1)"

    point(page, "map", (126, 126), (30, 50))
    assert adds_up() == (30, 50)
    until(lambda: page.evaluate(last) in said, "the words")
    window.locator("[data-testid=part]").nth(1).click()
    assert window.locator("[data-grid=weights] figcaption").inner_text() == "weights, G"
    assert window.locator("[data-grid=products] figcaption").inner_text() == "9 products, G"
    point(page, "map", (126, 126), (90, 20), click=True)
    held = adds_up()
    until(lambda: page.evaluate(last) in said, "the words")
    settle(page)
    point(page, "map", (126, 126), (3, 3))
    assert adds_up() == held
    window.locator("[data-testid=part]").nth(2).click()
    page.evaluate("cnnvizSaid.length = 0")
    window.locator(".play").click()
    until(lambda: adds_up() and len(set(page.evaluate("cnnvizSaid")) & said) > 2, "three steps, shown and read out")
    window.locator(".play").click()


@pytest.mark.parametrize(
    ("field", "typed", "used", "sentence"),
    [
        ("rows", "99", (15, 3), "99 was given for the rows: 1 to 15 are possible here, and 15 used."),
        ("columns", "0", (3, 1), "0 was given for the columns: 1 to 15 are possible here, and 1 used."),
        ("rows", "2.4", (2, 3), "2.4 was given for the rows: 1 to 15 are possible here, and 2 used."),
        ("columns", "", (3, 3), "Nothing was given for the columns: 1 to 15 are possible here, and 3 used."),
        ("rows", "4", (4, 3), ""),
    ],
)
def test_a_grid_that_cannot_be_so_large_says_so(
    page: Any, server: Server, field: str, typed: str, used: tuple[int, int], sentence: str
) -> None:
    open_lab(page, server)
    grid = page.locator(".st-key-kernel_grid")
    grid.locator(f".{field}").fill(typed)
    grid.locator(f".{field}").press("Tab")
    settle(page)
    assert grid.locator(".shape").inner_text() == f"{used[0]} × {used[1]}"
    assert grid.locator(".why").inner_text() == sentence
    page.locator(".st-key-kernel_grid [data-tool=negate]").click()
    settle(page)
    grid.locator(".rows").fill("5")
    grid.locator(".rows").press("Tab")
    settle(page)
    assert grid.locator(".why").inner_text() == "", "said of the size typed last"


def test_a_field_says_what_it_takes_when_more_is_typed(page: Any, server: Server) -> None:
    open_lab(page, server, size="16", stride_y="2")
    for key, typed, said in (
        ("stride_y", "99", "Only 1 to 8 here; 2 still counts."),
        ("pool_x", "15", "Only 1 to 14 here; 2 still counts."),
    ):
        field = page.locator(f".st-key-{key} input")
        field.fill(typed)
        field.press("Enter")
        told = "(e) => getComputedStyle(e, '::after').content"
        until(lambda: page.locator(f".st-key-{key} .stNumberInput").evaluate(told) == f'"{said}"', said)  # noqa: B023
        assert stage_text(page, "map", "shape") == "7 × 14"


def plus(text: str) -> str:
    return text if text.startswith("−") or text == "0" else f"+{text}"


def test_nothing_asks_the_server_while_the_pointer_moves(page: Any, server: Server) -> None:
    frames: list[Any] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda sent: frames.append(sent)))  # noqa: PLW0108
    open_lab(page, server)
    page.wait_for_timeout(700)  # a stage may ask for a finer picture until then
    settle(page)
    before = len(frames)
    for cell in range(0, 120, 3):
        point(page, "map", (126, 126), (cell, 125 - cell))
    page.wait_for_timeout(600)
    assert len(frames) == before
    assert before > 0


CONTROLS: list[tuple[str, Any, str, str, dict[str, Any]]] = [
    # key, new value (number typed, option clicked), stage whose shape and range are compared, then Settings
    ("stride_y", "2", "map", "number", {"strides": (2, 1)}),
    ("stride_x", "4", "map", "number", {"strides": (1, 4)}),
    ("dilation_y", "3", "map", "number", {"dilation_rate": (3, 1)}),
    ("dilation_x", "4", "map", "number", {"dilation_rate": (1, 4)}),
    ("bias", "100", "map", "number", {"bias": 100.0}),
    ("pool_y", "3", "pool", "number", {"pool_size": (3, 2)}),
    ("pool_x", "5", "pool", "number", {"pool_size": (2, 5)}),
    ("pool_stride_y", "1", "pool", "number", {"pool_strides": (1, 2)}),
    ("pool_stride_x", "4", "pool", "number", {"pool_strides": (2, 4)}),
    ("kernel_grid .rows", "5", "map", "size", {"weights": kernels.resize(SOBEL, 5, 3)}),
    ("kernel_grid .columns", "1", "map", "size", {"weights": kernels.resize(SOBEL, 3, 1)}),
    ("channel", "G", "map", "segment", {"channel": "green"}),
    ("kind", "Average", "pool", "segment", {"pool_kind": "average"}),
    ("relu", None, "relu", "toggle", {"relu": False}),
    ("padding", "same", "map", "select", {"padding": "same"}),
    ("pad_top", "3", "map", "own padding", {"padding": ((3, 1), (1, 1))}),
    ("pad_right", "0", "map", "own padding", {"padding": ((1, 1), (1, 0))}),
    ("kernel_shown", "Emboss", "map", "select", {"weights": filters.PRESETS["emboss"].weights}),
    ("kernel_grid [data-tool=flip]", None, "map", "button", {"weights": kernels.flip(SOBEL)}),
    ("kernel_grid [data-tool=negate]", None, "map", "button", {"weights": kernels.negate(SOBEL)}),
    ("kernel_grid [data-tool=transpose]", None, "map", "button", {"weights": kernels.transpose(SOBEL)}),
    ("kernel_grid [data-tool=normalize]", None, "map", "button", {"weights": kernels.normalize(SOBEL)}),
]


def test_every_control_does_what_it_says(page: Any, server: Server) -> None:
    open_lab(page, server)
    for key, value, stage, kind, changed in CONTROLS:
        if kind == "own padding":
            choose(page, "padding", "own")
        control = page.locator(f".st-key-{key}")
        if kind in ("number", "own padding"):
            control.locator("input").fill(value)
            control.locator("input").press("Enter")
        elif kind == "size":
            control.fill(value)
            control.press("Tab")
        elif kind == "segment":
            control.get_by_role("radio", name=value, exact=True).click()
        elif kind == "toggle":
            control.locator("label").click()
        elif kind == "select":
            choose(page, key, value)
        else:
            control.click()
        settle(page)
        walked = walk({}, changed)
        values = {"map": walked.feature_map, "relu": walked.relu, "pool": walked.pooled}[stage]
        assert values is not None
        assert stage_text(page, stage, "shape") == " × ".join(map(str, values.shape)), key
        text = f"{display.number(float(values.min()))} … {display.number(float(values.max()))}"
        assert stage_text(page, stage, "range") == text, key
        page.locator(".st-key-reset button").click()
        settle(page)
        assert stage_text(page, "map", "shape") == "126 × 126", f"{key} was not reset"


@pytest.mark.parametrize("pause", [0, 60, 150, 350])
def test_two_quick_clicks_reset_and_restore_as_one_does(page: Any, server: Server, pause: int) -> None:
    open_lab(page, server, w="1,2;3,4", stride_y="3")
    for key, shape in (("reset", "126 × 126"), ("reset_undone", "43 × 127")):
        button = page.locator(f".st-key-{key} button")
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        for wait in (pause, 0):  # at the place, whatever stands there the second time
            page.mouse.click(box["x"] + 10, box["y"] + 10)
            page.wait_for_timeout(wait)
        settle(page)
        until(lambda shape=shape: stage_text(page, "map", "shape") == shape, f"a map of {shape}", 20)
        assert page.locator("[data-testid=stException]").count() == 0
    assert "stride_y=3" in address(page)
    assert "w=1%2C2%3B3%2C4" in address(page)


def test_weights_are_edited_pasted_and_undone(page: Any, server: Server) -> None:
    open_lab(page, server)
    cells = page.locator("[data-testid=weight]")
    cells.nth(4).click()
    page.keyboard.type("1/2")
    page.keyboard.press("ArrowRight")
    settle(page)
    edited = SOBEL.copy()
    edited[1, 1] = 0.5
    expected = walk({}, {"weights": edited}).feature_map
    assert (
        stage_text(page, "map", "range")
        == f"{display.number(float(expected.min()))} … {display.number(float(expected.max()))}"
    )
    assert "w=" in page.url
    cells.nth(0).click()
    cells.nth(0).evaluate(
        """(cell, text) => {
          const data = new DataTransfer()
          data.setData("text", text)
          cell.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }))
        }""",
        "1\t2\t3\t4\n5\t6\t7\t8\n",
    )
    settle(page)
    assert page.locator("[data-testid=weight]").count() == 8
    assert page.locator(".st-key-kernel_grid .rows").input_value() == "2"
    assert page.locator(".st-key-problem_kernel").count() == 0
    for count in (9, 9):
        page.locator("[data-tool=undo]").click()
        settle(page)
        assert page.locator("[data-testid=weight]").count() == count
    assert "w=" not in page.url
    page.locator("[data-testid=weight]").nth(2).click()
    page.keyboard.type("abc")
    page.keyboard.press("Enter")
    settle(page)
    assert "abc" in page.locator(".st-key-problem_kernel").inner_text()
    assert page.locator("[data-testid=weight]").nth(2).input_value() == "+1"


def test_it_can_be_used_by_keyboard_alone(page: Any, server: Server) -> None:
    open_lab(page, server)
    page.locator(".st-key-stage_map [data-testid=stage]").focus()
    start = shown(page)
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    now = shown(page)
    assert (int(now["row"]), int(now["column"])) == (int(start["row"]) - 9, int(start["column"]) + 2)
    page.keyboard.press("Enter")
    until(lambda: f"cell=map%2C{now['row']}%2C{now['column']}" in address(page), "the held window in the address")
    settle(page)
    point(page, "map", (126, 126), (3, 3))
    assert shown(page)["row"] == now["row"], "a held window stays where it is"
    page.emulate_media(color_scheme="dark")
    settle(page)
    point(page, "map", (126, 126), (5, 5))
    assert shown(page)["row"] == now["row"], "also when it has become dark"
    page.emulate_media(color_scheme="light")
    settle(page)
    page.locator(".st-key-stage_map [data-testid=stage]").focus()
    page.keyboard.press("Escape")
    until(lambda: "cell=" not in address(page), "an address without it")
    settle(page)
    point(page, "map", (126, 126), (4, 5))
    assert (shown(page)["row"], shown(page)["column"]) == ("4", "5")
    until(lambda: "Row 4, column 5" in page.locator(".st-key-window .say").inner_text(), "the words")


def test_the_window_s_buttons_work_by_keyboard_and_tab_leaves_them(page: Any, server: Server) -> None:
    open_lab(page, server)
    window = page.locator(".st-key-window")
    start = int(shown(page)["column"])
    window.get_by_role("button", name="One cell to the right").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert int(shown(page)["column"]) == start + 2
    window.locator(".scrub").focus()
    page.keyboard.press("Home")
    assert (shown(page)["row"], shown(page)["column"]) == ("0", "0")
    page.keyboard.press("ArrowRight")
    assert (shown(page)["row"], shown(page)["column"]) == ("0", "1")
    for _ in range(3):  # the last button is not always there
        page.keyboard.press("Tab")
    assert not window.evaluate("(window) => window.contains(document.activeElement)")


@pytest.mark.parametrize("key", ["code", "take", "words_map"])
def test_a_popover_is_not_squeezed_below_its_button(page: Any, server: Server, key: str) -> None:
    open_lab(page, server)
    page.locator(f".st-key-{key} button").click()
    body = page.locator("[data-testid=stPopoverBody]")
    body.wait_for()
    settle(page)
    until(lambda: body.evaluate("(e) => e.clientHeight >= Math.min(e.scrollHeight, innerHeight * 0.4)"), "its height")
    box = body.bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= page.evaluate("innerHeight")


def test_play_steps_and_the_scrubber_moves(page: Any, server: Server) -> None:
    open_lab(page, server)
    window = page.locator(".st-key-window")
    window.locator(".speed").select_option("16")
    start = int(shown(page)["column"])
    window.locator(".play").click()
    until(lambda: int(shown(page)["column"]) > start + 3, "the fourth step")
    window.locator(".play").click()
    moved = int(shown(page)["column"])
    window.get_by_role("button", name="One cell to the right").click()
    assert int(shown(page)["column"]) == moved + 1
    window.locator(".scrub").fill("130")
    assert (shown(page)["row"], shown(page)["column"]) == ("1", "4")


def test_the_address_brings_the_same_page_back(page: Any, server: Server, chromium: Any) -> None:
    open_lab(page, server, picture="coffee", size="64")
    choose(page, "kernel_shown", "Emboss")
    page.locator("[data-tool=transpose]").click()
    settle(page)
    page.locator(".st-key-stride_y input").fill("2")
    page.locator(".st-key-stride_y input").press("Enter")
    settle(page)
    point(page, "map", (20, 62), (7, 9), click=True)
    until(lambda: "cell=" in address(page), "the held window in the address")
    settle(page)
    other = chromium.new_context(viewport={"width": 1280, "height": 1000})
    try:
        second = other.new_page()
        open_page(second, page.url)
        until(lambda: shown(second) == shown(page), "the same window")
        for stage in ("map", "relu", "pool"):
            for part in ("shape", "range", "sub"):
                assert stage_text(second, stage, part) == stage_text(page, stage, part)
        drawn = ".st-key-stage_pool [data-testid=stage]"
        until(lambda: page.locator(drawn).screenshot() == second.locator(drawn).screenshot(), "the same picture")
    finally:
        other.close()


HELL = [
    {"size": "-5", "stride_y": "99", "dilation_x": "nan", "padding": "own", "pad_top": "-3"},
    {"kernel": "<script>alert(1)</script>", "w": "1,2;3", "cell": "map,99999,x"},
    {"w": "nan,inf;1,2"},
    {"w": ",".join(["1"] * 400)},
    {"cell": "map,9999,9999", "kind": "Median", "view": "?", "channel": "alpha"},
    {"picture": "../../etc/passwd", "bias": "1e999", "relu": "maybe"},
]


@pytest.mark.parametrize("query", HELL)
def test_query_parameters_from_hell_leave_a_usable_page(page: Any, server: Server, query: dict[str, str]) -> None:
    open_lab(page, server, **query)
    assert page.locator("[data-testid=stException]").count() == 0
    assert stage_text(page, "map", "shape")
    point(page, "map", (126, 126), (60, 60))
    assert shown(page)["text"]


@pytest.mark.parametrize(("height", "width", "fits"), [(1, 1, False), (3, 1600, True), (1600, 3, True), (2, 2, False)])
def test_tiny_and_narrow_pictures(
    page: Any, server: Server, tmp_path: Path, height: int, width: int, fits: bool
) -> None:
    path = tmp_path / "odd.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 255, (height, width, 3), np.uint8)).save(path)
    open_lab(page, server, size="full")
    page.locator(".st-key-upload input[type=file]").set_input_files(str(path))
    page.locator("[data-testid=sample][data-key=own][aria-pressed=true]").wait_for()
    settle(page)
    assert page.locator("[data-testid=stException]").count() == 0
    if fits:
        assert stage_text(page, "map", "shape") == f"{height - 2} × {width - 2}"
        point(page, "map", (height - 2, width - 2), (0, 0))
        assert shown(page)["text"]
    else:
        sentence = page.locator(".st-key-problem_road").inner_text()
        assert f"{height}×{width}" in sentence
        assert "padding same" in sentence


def test_arrays_and_pictures_can_be_taken_away(page: Any, server: Server) -> None:
    open_lab(page, server, size="32")
    page.locator(".st-key-take button").first.click()
    walked = walk({"size": "32"}, {})
    for key, values in (("feature_map", walked.feature_map), ("pooled", walked.pooled)):
        np.testing.assert_array_equal(np.load(downloaded(page, f"npy_{key}")), values)
        picture = Image.open(downloaded(page, f"png_{key}"))
        assert picture.size == (values.shape[1], values.shape[0])
        scale = display.signed_scale(display.limit(walked.feature_map))
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), display.colored(values, scale))


def cell_colors(canvas: Any, shape: tuple[int, ...], cell: tuple[int, int]) -> set[tuple[int, ...]]:
    """The colors inside a cell of a map that lies in the middle of its canvas."""
    pixels = canvas.evaluate(
        """(canvas, [rows, columns, row, column]) => {
          const scale = Math.floor(Math.min(canvas.width / columns, canvas.height / rows))
          const [x0, y0] = [(canvas.width - scale * columns) / 2, (canvas.height - scale * rows) / 2]
          const corner = [x0 + (column + 0.1) * scale, y0 + (row + 0.1) * scale].map(Math.round)
          const size = Math.round(0.8 * scale)
          return [...canvas.getContext("2d").getImageData(...corner, size, size).data]
        }""",
        [*shape, *cell],
    )
    return {tuple(color) for color in np.array(pixels).reshape(-1, 4)[:, :3].tolist()}


def range_of(values: Any) -> str:
    return f"{display.number(float(values.min()))} … {display.number(float(values.max()))}"


@pytest.mark.parametrize(
    ("view", "shown_as", "scale"),
    [
        ("Signed", lambda values: values, display.signed_scale),
        ("Absolute", np.abs, lambda limit: display.heat_scale(0, limit)),
        ("Clipped", lambda values: np.clip(values, 0, 255), lambda _: display.grey_scale()),
    ],
)
def test_a_display_colors_the_cells_and_leaves_the_numbers(
    page: Any, server: Server, view: str, shown_as: Any, scale: Any
) -> None:
    open_lab(page, server, size="16", view="Clipped" if view == "Signed" else "Signed")
    page.locator(".st-key-view").get_by_role("radio", name=view).click()
    settle(page)
    walked = walk({"size": "16"}, {})
    colors = scale(display.limit(walked.feature_map))
    for stage, values in (("map", walked.feature_map), ("relu", walked.relu), ("pool", walked.pooled)):
        assert values is not None
        assert stage_text(page, stage, "range") == range_of(values)
        canvas = page.locator(f".st-key-stage_{stage} [data-testid=stage]")
        expected = display.colored(shown_as(values), colors)
        for cell in ((0, 0), (2, 5), (6, 3)):
            assert cell_colors(canvas, values.shape, cell) == {tuple(expected[cell].tolist())}, (stage, cell)


def test_each_plane_of_a_kernel_can_be_shown_and_edited(page: Any, server: Server) -> None:
    open_lab(page, server, channel="RGB", w=kernels.dump(PLANES))
    planes = PLANES.copy()
    for at, name in reversed(list(enumerate("RGB"))):
        page.locator(".st-key-plane_R").get_by_role("radio", name=name, exact=True).click()
        settle(page)
        cells = page.locator("[data-testid=weight]")
        titles = [cell.get_attribute("title") for cell in cells.all()]
        assert titles == [plus(display.number(float(w))) for w in planes[..., at].ravel()]
        cells.nth(at).fill("7")
        cells.nth(at).press("Enter")
        planes[0, at, at] = 7
        settle(page)
        walked = walk({}, {"channel": "rgb", "weights": planes})
        assert stage_text(page, "map", "range") == range_of(walked.feature_map)


def test_two_kernels_and_their_difference_stand_side_by_side(page: Any, server: Server) -> None:
    open_lab(page, server, size="64")
    choose(page, "compare_shown", "Emboss", typed="Emboss")
    one, two = (walk({"size": "64"}, {"weights": w}).feature_map for w in (SOBEL, filters.PRESETS["emboss"].weights))
    for name, values in (("one", one), ("two", two), ("difference", one - two)):
        assert page.locator(f".st-key-compare_{name} .range").inner_text() == range_of(values)
    page.locator(".st-key-stride_y input").fill("2")
    page.locator(".st-key-stride_y input").press("Enter")
    settle(page)
    assert page.locator(".st-key-compare_difference .range").inner_text() == range_of((one - two)[::2])
    choose(page, "compare_shown", "nothing", typed="nothing")
    assert page.locator(".st-key-compare_one").count() == 0


def test_at_32_and_below_every_number_stands_in_its_cell(page: Any, server: Server) -> None:
    walked = walk({"size": "16"}, {})
    grey = road.source(walked.pixels, "luminance")
    open_lab(page, server, size="16")
    for label, role, values in (
        ("Feature map", "map", walked.feature_map),
        ("Input", "input", grey),
        ("ReLU", "relu", walked.relu),
        ("Pooled map", "pool", walked.pooled),
    ):
        assert values is not None
        page.locator(".st-key-sheet").get_by_role("radio", name=label, exact=True).click()
        settle(page)
        numbers = page.evaluate("(role) => cnnvizHub.blocks.get('sheet').stages[role].numbers", role)
        assert numbers == [[display.number(float(v)) for v in row] for row in values]
        canvas = page.locator(f".st-key-sheet_{role} [data-testid=map]")
        for cell in ((0, 0), (3, 6), (6, 2)):
            assert len(cell_colors(canvas, values.shape, cell)) > 2, "a number is written on the color"
    open_lab(page, server, size="64")
    assert page.locator("[data-testid=map]").count() == 0


HUB = (Path(__file__).parents[1] / "cnnviz" / "microscope" / "hub.js").read_text(encoding="utf-8")


def test_the_browser_writes_numbers_as_python_does_and_fits_them_into_cells(page: Any) -> None:
    random = np.random.default_rng(8)
    values = [*random.choice([-1, 1], 400) * 10.0 ** random.uniform(-12, 12, 400), *random.normal(0, 3000, 400)]
    values += [0.0, 9999.5, 12_344.5, 99_999.5, 999_999.5, 0.001, 0.00099995, 1234.5, -81.125, 1e300]
    texts, cells = page.evaluate(
        f"(values) => {{{HUB}; return [[4, 3, 2].map((digits) => values.map((v) => numberText(v, false, digits))),"
        "values.map((v) => { const text = cellText(v, true, 42); return [text, textWidth(text, 12)] })] }",
        [float(v) for v in values],
    )
    for digits, written in zip((4, 3, 2), texts, strict=True):
        assert written == [display.number(float(v), digits) for v in values]
    for value, (text, width) in zip(values, cells, strict=True):
        assert width <= 42
        assert float(text.replace("−", "-").replace(",", "")) == pytest.approx(value, rel=0.06, abs=6e-4)
    assert dict(zip(values, cells, strict=True))[12_344.5][0] == "+12,345"


def test_a_number_can_be_read_on_every_color_of_its_cell(page: Any) -> None:
    """WCAG 2.2: 4.5 : 1 for text of this size, on all greys and on the scale of a map."""
    drawn = page.evaluate(
        f"() => {{{HUB}; return [...Array(256).keys()].map(greyColor)"
        ".concat([...Array(401).keys()].map((n) => signedColor(n / 200 - 1, 1)), [signedColor(NaN, 1)]) }"
    )
    for ground, ink in drawn:
        first, second = sorted((luminance(ground), luminance(ink)), reverse=True)
        assert (first + 0.05) / (second + 0.05) >= 4.5, (ground, ink)


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.2) of "rgb(1,2,3)" or "#010203"."""
    parts = color[4:-1].split(",") if color.startswith("rgb") else [str(int(color[n : n + 2], 16)) for n in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (int(part) / 255 for part in parts)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("size", "stage", "side"), [("16", "map", 13), ("32", "map", 6), ("64", "pool", 6)])
def test_all_cells_of_a_small_map_are_equally_large(
    page: Any, server: Server, size: str, stage: str, side: int
) -> None:
    open_lab(page, server, size=size, picture="checkerboard", w="1")  # the picture itself, so that neighbors differ
    pixels = page.locator(f".st-key-stage_{stage} canvas").evaluate(
        "(c) => [...c.getContext('2d').getImageData(0, c.height / 2, c.width, 1).data].filter((_, n) => n % 4 === 0)"
    )
    edges = np.flatnonzero(np.diff(np.array(pixels)[10:-10]))  # without the frame round the map
    assert len(edges) > 5
    assert set(np.diff(edges) % side) == {0}


def test_the_road_stands_in_one_row_from_its_first_frame(context: Any, server: Server) -> None:
    context.add_init_script(
        "globalThis.rows = new Set();"
        "const look = () => { const cells = [...document.querySelectorAll('[class*=st-key-cell_]')];"
        "  if (cells.length) rows.add(new Set(cells.map((e) => Math.round(e.getBoundingClientRect().y))).size);"
        "  requestAnimationFrame(look) }; requestAnimationFrame(look)"
    )
    page = context.new_page()
    large = kernels.dump(np.ones((15, 15)))
    open_lab(page, server, size="16", w=large, padding="same", dilation_y="2", stride_x="8", pool_y="15")
    assert page.evaluate("[...rows]") == [1]


@pytest.mark.parametrize("width", [360, 390, 768])
def test_nothing_scrolls_sideways(chromium: Any, server: Server, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, has_touch=True)
    try:
        page = context.new_page()
        open_lab(page, server, compare="emboss", size="32")
        wide = page.evaluate(
            "() => [document.documentElement, document.querySelector('[data-testid=stMain]')]"
            ".map((e) => e.scrollWidth - e.clientWidth)"
        )
        assert max(wide) <= 0
        for box in page.locator("[data-testid=stage]").all():
            where = box.bounding_box()
            assert where["x"] >= 0
            assert where["x"] + where["width"] <= width
        canvas = page.locator(".st-key-stage_map [data-testid=stage]")
        canvas.scroll_into_view_if_needed()
        canvas.tap()
        until(lambda: "cell=map" in address(page), "the held window in the address")
    finally:
        context.close()


@pytest.mark.parametrize(
    ("width", "height", "query", "form"),
    [
        (1280, 1000, {}, ""),
        (1280, 720, {}, "low"),
        (1280, 640, {}, "low"),
        (1280, 720, {"kernel": "gaussian_blur_5"}, "low"),
        (1280, 720, {"channel": "RGB"}, "low"),
        (1280, 640, {"channel": "RGB"}, "short"),
        (1280, 720, {"w": ";".join([",".join("1" * 15)] * 15)}, "short"),
        (1024, 768, {}, "low"),
        (768, 900, {"kernel": "gaussian_blur_5"}, "short"),
    ],
)
def test_the_window_does_not_cover_the_stage_under_the_pointer(
    chromium: Any, server: Server, width: int, height: int, query: dict[str, str], form: str
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": height})
    try:
        page = context.new_page()
        page.set_default_timeout(20_000)
        open_lab(page, server, **query)
        stage = page.locator(".st-key-stage_map [data-testid=stage]").bounding_box()
        panel = page.locator(".st-key-window .window")
        rows = []
        for part in (0.1, 0.5, 0.95):
            page.mouse.move(stage["x"] + stage["width"] * 0.5, stage["y"] + stage["height"] * part)
            page.wait_for_timeout(100)
            rows.append(int(shown(page)["row"]))
            assert panel.bounding_box()["y"] > stage["y"] + stage["height"]
            sum_of = page.locator("[data-testid=sum]").bounding_box()
            assert sum_of["y"] + sum_of["height"] < height
        assert rows[0] < rows[1] < rows[2]
        pool = page.locator(".st-key-stage_pool [data-testid=stage]").bounding_box()
        page.mouse.click(pool["x"] + pool["width"] / 2, pool["y"] + pool["height"] / 2)  # held, and another window
        page.wait_for_timeout(100)
        if pool["y"] < stage["y"] + stage["height"]:  # side by side, so that both are on the screen
            assert panel.bounding_box()["y"] > pool["y"] + pool["height"]
        page.keyboard.press("Escape")
        page.mouse.move(stage["x"] + stage["width"] * 0.5, stage["y"] + stage["height"] * 0.5)
        page.wait_for_timeout(100)
        assert panel.bounding_box()["y"] > stage["y"] + stage["height"]
        assert set(str(panel.get_attribute("class")).split()) & {"low", "short"} == ({form} if form else set())
        box = panel.bounding_box()
        page.mouse.move(box["x"] + 40, box["y"] + box["height"] - 20)  # into it: all of it
        page.wait_for_timeout(100)
        assert page.locator("[data-grid=products]").is_visible()
    finally:
        context.close()


def test_the_window_stays_whole_over_the_sheet_of_numbers_below_it(page: Any, server: Server) -> None:
    open_lab(page, server, size="16")
    panel, sheet = page.locator(".st-key-window .window"), page.locator(".st-key-sheet_map [data-testid=map]")
    panel.evaluate("(panel) => panel.scrollIntoView({ block: 'start' })")
    page.wait_for_timeout(200)
    before, box = panel.bounding_box(), sheet.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.wait_for_timeout(200)
    assert page.locator("[data-grid=products]").is_visible()
    assert panel.bounding_box()["height"] == pytest.approx(before["height"], abs=4)
    assert sheet.bounding_box()["y"] == pytest.approx(box["y"], abs=4)


def test_a_click_takes_a_weight_whole_also_where_enter_had_led_to_it(page: Any, server: Server) -> None:
    open_lab(page, server)
    cells = page.locator("[data-testid=weight]")
    cells.nth(1).click()
    page.keyboard.type("6")
    page.keyboard.press("Enter")
    settle(page)
    cells.nth(4).click()
    page.keyboard.type("7")
    page.keyboard.press("Enter")
    until(lambda: cells.nth(4).input_value() == "+7", "the weight 7")
    settle(page)
    cells.nth(4).click()
    cells.nth(4).click()  # the second click sets the caret
    page.keyboard.press("End")
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    until(lambda: cells.nth(4).input_value() == "+75", "the weight 75")


def test_a_held_window_that_leaves_the_map_is_held_where_it_went(page: Any, server: Server) -> None:
    open_lab(page, server, cell="map,100,100")
    for size, place in (("16", 13), ("128", 13)):
        page.locator(".st-key-size").get_by_role("radio", name=size, exact=True).click()
        until(lambda place=place: f"cell=map%2C{place}%2C{place}" in address(page), "the place that is shown")
        settle(page)
        assert (shown(page)["row"], shown(page)["column"]) == (str(place), str(place))


def test_on_a_phone_a_tap_brings_the_sum_near_and_arrows_walk_on(chromium: Any, server: Server) -> None:
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, device_scale_factor=2
    )
    try:
        page = context.new_page()
        page.set_default_timeout(20_000)
        open_lab(page, server)
        canvas = page.locator(".st-key-stage_map [data-testid=stage]")
        assert page.locator(".st-key-stage_map .tip").inner_text() == "tap the picture"
        canvas.scroll_into_view_if_needed()
        canvas.tap()
        assert page.locator(".st-key-stage_map .tip").is_hidden()
        total = page.locator("[data-testid=sum]")
        at = shown(page)
        assert 0 < total.bounding_box()["y"] < 844, "the sum is on the screen, with the stage above it"
        window = page.locator(".st-key-window")
        for move, (rows, columns) in (("right", (0, 1)), ("down", (1, 1))):
            arrow = window.get_by_role("button", name=move)
            assert min(arrow.bounding_box()[side] for side in ("width", "height")) >= 44
            arrow.tap()
            now = shown(page)
            assert (int(now["row"]), int(now["column"])) == (int(at["row"]) + rows, int(at["column"]) + columns)
        assert window.locator("[data-grid=products]").is_hidden()
        total.tap()  # opens it
        page.wait_for_timeout(300)
        for part in (window.locator("[data-grid=values]"), window.locator("[data-grid=products]"), total):
            assert 0 <= part.bounding_box()["y"] < 844
        window.locator(".up").tap()
        page.wait_for_timeout(300)
        assert 0 < canvas.bounding_box()["y"] < 844 - canvas.bounding_box()["height"]
        window.locator(".free").tap()
        page.wait_for_timeout(700)
        settle(page)
        assert "cell=" not in page.url
    finally:
        context.close()


def test_the_back_button_moves_controls_and_stages(page: Any, server: Server) -> None:
    def state() -> tuple[str, ...]:
        inputs = [page.locator(f".st-key-{key} input").input_value() for key in ("kernel_shown", "bias")]
        return address(page), *inputs, stage_text(page, "map", "range")

    open_lab(page, server)
    states = [state()]
    choose(page, "kernel_shown", "Emboss")
    page.locator(".st-key-bias input").fill("30")
    page.locator(".st-key-bias input").press("Enter")
    settle(page)
    states.append(state())
    assert states[-1][0].endswith("?bias=30&kernel=emboss")
    choose(page, "kernel_shown", "Outline")
    for before in reversed(states):
        assert state() != before
        page.go_back()
        until(lambda before=before: state() == before, "the state before")
        settle(page)
        assert state() == before


def test_a_changed_control_sends_its_stages_and_nothing_else(page: Any, server: Server) -> None:
    received: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    open_lab(page, server, size="512")
    page.wait_for_timeout(700)  # a stage may ask for a finer picture until then
    settle(page)
    for key in ("bias", "stride_x", "pool_y"):
        received.clear()
        page.locator(f".st-key-{key} input").fill("3")
        page.locator(f".st-key-{key} input").press("Enter")
        settle(page)
        assert 0 < len(received) <= 12
        assert sum(received) < 208 * 208 * 3 + 20_000, key


@pytest.mark.parametrize(("dense", "wanted"), [(1, 208), (2, 416)])
def test_pictures_come_as_large_as_the_screen_shows_them(
    chromium: Any, server: Server, dense: int, wanted: int
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 1000}, device_scale_factor=dense)
    try:
        page = context.new_page()
        open_lab(page, server, size="512")
        page.wait_for_timeout(1000)
        settle(page)
        columns = "() => cnnvizHub.blocks.get('lab').stages.map.picture.columns"
        until(lambda: page.evaluate(columns) == wanted, f"a picture {wanted} cells wide")
    finally:
        context.close()
