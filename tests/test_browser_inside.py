"""In a real browser with the real engine: what /inside shows is what Keras computes; by mouse and by keyboard."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlparse

import numpy as np
import pytest
from conftest import ROOT, Server, address, choose, downloaded, open_page, settle, until

from cnnviz import display, samples
from cnnviz.cards import read_card

pytestmark = [pytest.mark.browser, pytest.mark.keras]
WAIT = 120_000  # ms for an engine that has yet to load Keras on a busy machine
OPENED = """(layer) => {
  const block = cnnvizHub.blocks.get("inside_layer")
  return block && block.channel.name === layer
}"""


@cache
def model() -> Any:
    """(every layer's output as one keras.Model, names)."""
    import keras

    network = keras.models.load_model(ROOT / "models" / "objects" / "model.keras", compile=False)
    layers = network.layers
    return keras.Model(network.inputs, [layer.output for layer in layers]), [layer.name for layer in layers]


@cache
def computed(sample: str, mirrored: bool = False) -> dict[str, Any]:
    """Layer -> what it gives on a sample or on its mirror image, by Keras."""
    card = read_card(ROOT / "models" / "objects" / "card.json")
    every, names = model()
    inputs = card.preprocessing(samples.photo(sample).pixels)[np.newaxis]
    outputs = every.predict_on_batch(inputs[:, :, ::-1] if mirrored else inputs)
    return {name: np.asarray(output)[0] for name, output in zip(names, outputs, strict=True)}


def open_inside(page: Any, server: Server, **query: str) -> None:
    page.set_default_timeout(WAIT)
    open_page(page, f"{server.url}/inside?{urlencode({'network': 'objects', **query})}")
    page.wait_for_function("globalThis.cnnvizHub?.blocks.has('inside_layer') && cnnvizHub.blocks.has('inside')")
    settle(page)


def query(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(address(page)).query).items()}


def canvas(page: Any, which: str) -> Any:
    return page.locator(f"[data-testid=map][data-map={which}]").first


def wait_for(page: Any, layer: str) -> None:
    page.wait_for_function(OPENED, arg=layer)
    settle(page)


def answers(page: Any) -> dict[str, float]:
    buttons = page.locator(".st-key-network_answer [data-testid=class]")
    return {
        b["label"]: float(b["value"])
        for b in buttons.evaluate_all(
            "all => all.map(b => ({label: b.querySelector('.label').textContent, value: b.dataset.value}))"
        )
    }


def test_all_layers_are_walked_by_keyboard_and_are_what_keras_computes(page: Any, server: Server) -> None:
    expected = computed("astronaut")
    open_inside(page, server)
    network = canvas(page, "network")
    network.focus()
    page.keyboard.press("Home")
    seen = []
    for _ in range(len(expected)):
        name, channel = network.get_attribute("data-layer"), int(network.get_attribute("data-channel"))
        values = expected[name].reshape(-1, expected[name].shape[-1])[:, channel]
        words = page.locator(".st-key-network_maps .here").inner_text()
        text = [display.number(float(v)) for v in (values.min(), values.max())]
        if len(values) > 1:
            assert words.split(" · ")[1] == " … ".join(text), name
        else:
            assert f"value {text[0]}" in words, name
        seen.append(name)
        page.keyboard.press("ArrowRight")
    assert seen == list(expected)
    page.keyboard.press("Home")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    layer = list(expected)[6]
    wait_for(page, layer)
    page.wait_for_function("layer => location.search.includes(`layer=${layer}`)", arg=layer)
    assert (query(page)["layer"], query(page)["map"]) == (layer, "2")
    page.keyboard.press("Escape")
    wait_for(page, "conv_1")
    page.wait_for_function("!location.search.includes('layer=')")


@pytest.mark.parametrize(
    ("layer", "channel"), [("conv_1", 3), ("block_1_add", 7), ("pool_2", 0), ("block_5_relu_2", 15)]
)
def test_the_value_under_the_pointer_is_the_one_that_keras_computes(
    page: Any, server: Server, layer: str, channel: int
) -> None:
    values = computed("cat")[layer][..., channel]
    open_inside(page, server, picture="cat", layer=layer, map=str(channel))
    drawn = canvas(page, "channel")
    drawn.scroll_into_view_if_needed()
    sent: list[Any] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))  # noqa: PLW0108
    box = drawn.bounding_box()
    rows, columns = values.shape
    random = np.random.default_rng(1)
    for _ in range(12):
        row, column = int(random.integers(rows)), int(random.integers(columns))
        page.mouse.move(
            box["x"] + (column + 0.5) * box["width"] / columns, box["y"] + (row + 0.5) * box["height"] / rows
        )
        now = drawn.evaluate("e => ({...e.dataset})")
        assert (int(now["row"]), int(now["column"])) == (row, column)
        assert float(now["value"]) == pytest.approx(float(values[row, column]), rel=1e-4, abs=1e-5)
        words = page.locator(".st-key-layer_channel .channel .here").inner_text()
        assert words.startswith(("+", "−", "0"))
        seen = page.locator(".st-key-layer_channel .photo .here").inner_text()
        assert seen.startswith("it sees")
    assert not sent


def test_over_any_map_of_the_network_the_pointer_reads_what_keras_computes_as_far_as_colors_tell(
    page: Any, server: Server
) -> None:
    expected = computed("cat")
    open_inside(page, server, picture="cat")
    network = canvas(page, "network")
    network.scroll_into_view_if_needed()
    sent: list[Any] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))  # noqa: PLW0108
    box = network.bounding_box()
    random = np.random.default_rng(5)
    read, lit = set(), 0
    for _ in range(60):
        page.mouse.move(box["x"] + random.random() * box["width"], box["y"] + random.uniform(0.2, 0.85) * box["height"])
        now = network.evaluate("e => ({...e.dataset})")
        if not now["value"]:  # between maps, or on a single number, which is said as it is
            continue
        row, column = int(now["row"]), int(now["column"])
        about, doubt = (float(part.replace("−", "-")) for part in now["value"].split(" ± "))
        values = expected[now["layer"]][..., int(now["channel"])]
        assert abs(float(values[row, column]) - about) <= doubt, now
        assert doubt < 0.02 * np.abs(expected[now["layer"]]).max() + 0.05, now
        words = page.locator(".st-key-network_maps .here").inner_text()
        assert now["value"] in words
        read.add(now["layer"])
        if now["layer"].startswith("block_1_conv_1"):  # two 3×3 convolutions see 5×5 pixels
            (top, bottom), (left, right) = ((max(0, at - 2), min(32, at + 3)) for at in (row, column))
            assert f"sees rows {top}–{bottom - 1}, columns {left}–{right - 1}" in words
        if "sees rows" in words:
            lit += 1
            assert page.locator(".st-key-network_maps .seen:visible").count() == 3
    assert len(read) > 15
    assert lit > 5
    assert not sent


def test_the_receptive_field_of_a_cell_of_the_second_layer_is_where_arithmetic_says(page: Any, server: Server) -> None:
    open_inside(page, server, layer="block_1_conv_1", map="0")
    drawn = canvas(page, "channel")
    drawn.focus()
    # two 3×3 convolutions see 5×5 pixels; the middle cell of 32 is the 16th
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    assert drawn.get_attribute("data-row") == "16"
    seen = page.locator(".st-key-layer_channel .photo .here").inner_text()
    assert seen == "it sees rows 14–18, columns 14–18"


def test_switching_a_channel_off_changes_the_answer_as_keras_has_it(page: Any, server: Server) -> None:
    open_inside(page, server, layer="global_average_1")
    before = answers(page)
    expected = computed("astronaut")
    for label, value in zip(labels(), expected["softmax_1"], strict=True):
        assert before[label] == pytest.approx(float(value), abs=1e-4)
    page.locator(".st-key-layer_mosaic .mode").click()
    mosaic = canvas(page, "mosaic")
    box = mosaic.bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + 20)
    page.wait_for_function("location.search.includes('off=')")
    settle(page)
    assert query(page)["off"] == "global_average_1:0"
    import keras

    network = keras.models.load_model(ROOT / "models" / "objects" / "model.keras", compile=False)
    kernel, bias = network.get_layer("dense_1").get_weights()
    averages = expected["global_average_1"].copy()
    averages[0] = 0
    logits = (averages @ kernel + bias).astype(np.float64)
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    after = answers(page)
    for label, value in zip(labels(), shares, strict=True):
        assert after[label] == pytest.approx(float(value), abs=1e-4)
    assert "global average 1 channel 0" in page.locator(".st-key-switched").inner_text()
    page.locator(".st-key-reset button").click()
    page.wait_for_function("!location.search.includes('off=')")
    settle(page)
    assert answers(page) == before
    assert page.locator(".st-key-layer_mosaic .mode[aria-pressed=true]").count() == 1
    for key in ("Home", "Enter"):  # the input, none of whose channels can be switched off there
        canvas(page, "network").press(key)
    until(lambda: page.locator(".st-key-layer_mosaic .mode[aria-pressed=true]").count() == 0, "no more switching off")


def labels() -> tuple[str, ...]:
    return read_card(ROOT / "models" / "objects" / "card.json").labels


def test_a_link_brings_the_same_page_back(page: Any, server: Server, chromium: Any) -> None:
    open_inside(page, server)
    canvas(page, "network").focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    wait_for(page, "block_1_conv_1")
    page.locator(".st-key-network_answer [data-testid=class]").nth(2).click()
    page.wait_for_function("location.search.includes('toward=')")
    settle(page)
    other = chromium.new_context(viewport={"width": 1280, "height": 1000})
    try:
        second = other.new_page()
        open_inside(second, server, **query(page))
        wait_for(second, "block_1_conv_1")
        for which in ("mosaic", "channel", "network"):
            for one in (page, second):
                one.mouse.move(2, 2)
            until(lambda which=which: drawn(page, which) == drawn(second, which), f"the same {which}")
        chosen = ".st-key-network_answer [aria-pressed=true] .label"
        assert page.locator(chosen).inner_text() == second.locator(chosen).inner_text()
    finally:
        other.close()


def test_how_channels_are_sorted_and_colored_is_in_the_address(page: Any, server: Server) -> None:
    open_inside(page, server)
    for key, option, place in (("order", "mean", "order=mean"), ("range", "each map", "range=map")):
        choose(page, f"{key}_shown", option)
        page.wait_for_function("part => location.search.includes(part)", arg=place)
        settle(page)


def drawn(page: Any, which: str) -> str:
    return str(canvas(page, which).evaluate("e => e.toDataURL()"))


def test_a_click_on_a_cell_holds_it_in_the_address_and_opens_its_sum(page: Any, server: Server) -> None:
    open_inside(page, server, layer="block_1_conv_1", map="3")
    one = canvas(page, "channel")
    one.scroll_into_view_if_needed()
    box = one.bounding_box()
    page.mouse.click(box["x"] + 10.5 * box["width"] / 32, box["y"] + 20.5 * box["height"] / 32)
    page.wait_for_function("location.search.includes('trace=')")
    settle(page)
    place = query(page)["trace"]
    assert place == "block_1_conv_1,20,10,3"
    total = float(computed("astronaut")["block_1_conv_1"][20, 10, 3])
    assert float(one.get_attribute("data-value")) == pytest.approx(total, rel=1e-4, abs=1e-5)
    made = page.locator(".st-key-trace_view [data-testid=sum]").first
    assert float(made.get_attribute("data-value")) == pytest.approx(total, rel=1e-4, abs=1e-5)
    one.press("Escape")
    until(lambda: "trace" not in query(page), "the cell let go")
    assert one.get_attribute("data-row") == ""
    assert page.locator(".st-key-layer_channel .channel .box:visible").count() == 0


def test_the_maps_are_read_as_before_after_going_back_and_so_is_the_window_of_the_kernel_lab(
    page: Any, server: Server
) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    open_inside(page, server, layer="conv_1")
    network = canvas(page, "network")
    for key in ("Home", "ArrowRight", "ArrowRight", "Enter"):
        network.press(key)
    page.wait_for_function("location.search.includes('layer=bn_1')")
    settle(page)
    page.go_back()
    wait_for(page, "conv_1")
    words = page.locator(".st-key-network_maps .here")
    network.press("ArrowRight")
    network.press("ArrowLeft")
    assert "mean" in words.inner_text()
    box = network.bounding_box()
    read = set()
    for x in range(20, int(box["width"]), 40):
        page.mouse.move(box["x"] + x, box["y"] + box["height"] / 2)
        read.add(network.evaluate("e => e.dataset.value"))
    assert len(read - {""}) > 3
    page.get_by_role("link", name="Kernel lab").first.click()
    stage = page.locator(".st-key-stage_map [data-testid=stage]")
    stage.wait_for()
    settle(page)
    for key in ("ArrowDown", "Enter"):
        stage.press(key)
    page.wait_for_function("location.search.includes('cell=map')")
    assert not faults


def test_beside_another_picture_the_inputs_of_a_channel_are_its_own(page: Any, server: Server) -> None:
    open_inside(page, server, network="cats-dogs", beside="picture:cat", layer="block_3_conv_1", map="0")
    page.wait_for_function("cnnvizHub.blocks.get('inside')?.network.paired")
    settle(page)
    told = page.evaluate(
        """() => {
          const { network } = cnnvizHub.blocks.get('inside')
          const kernels = cnnvizHub.blocks.get('inside_layer').channel.kernels
          const source = network.layers.find(layer => layer.name === kernels.source)
          return { shown: source.shown, inputs: kernels.planes.map(plane => plane.input) }
        }"""
    )
    drawn = page.locator(".st-key-layer_channel .plane").evaluate_all(
        "all => all.map(e => e.querySelectorAll('canvas').length)"
    )
    assert 0 < len(told["shown"]) < 32
    assert drawn == [2 if channel in told["shown"] else 1 for channel in told["inputs"]]


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_is_taken_away_is_what_keras_computes(page: Any, server: Server, mirrored: bool) -> None:
    open_inside(page, server, layer="block_2_add", mirror="1" if mirrored else "")
    page.locator(".st-key-take button").first.click()
    settle(page)
    expected = computed("astronaut", mirrored)
    for key, layers in (("npy_layer", ["block_2_add"]), ("npz_all", list(expected))):
        found = np.load(downloaded(page, key))
        for layer in layers:
            values = found if key == "npy_layer" else found[layer]
            np.testing.assert_allclose(values, expected[layer], rtol=1e-4, atol=1e-4, err_msg=layer)


@pytest.mark.parametrize("width", [390, 360])
def test_a_narrow_screen_stacks_the_layers_and_never_scrolls_sideways(
    chromium: Any, server: Server, width: int
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, has_touch=True, is_mobile=True)
    try:
        page = context.new_page()
        open_inside(page, server, layer="block_1_conv_1")
        wide = page.evaluate(
            "[document.documentElement.scrollWidth, document.querySelector('[data-testid=stMain]').scrollWidth]"
        )
        assert max(wide) <= width
        # the last layer stands far below the first
        assert canvas(page, "network").bounding_box()["height"] > 1000
    finally:
        context.close()


def sides(page: Any, which: str) -> list[Any]:
    """Boxes of the two canvases that stand beside each other."""
    keys = {"network": ("network_maps", "beside_maps"), "channel": ("layer_channel", "beside_channel")}[which]
    return [page.locator(f".st-key-{key} [data-testid=map]").first.bounding_box() for key in keys]


@pytest.mark.parametrize(("width", "columns"), [(1280, 2), (768, 2), (390, 1)])
def test_layers_that_compare_stand_on_one_line_and_on_a_phone_below_each_other(
    chromium: Any, server: Server, width: int, columns: int
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900})
    try:
        page = context.new_page()
        open_inside(page, server, beside="network:cats-dogs")
        both = "['inside', 'inside_beside'].map(b => cnnvizHub.blocks.get(b)?.network)"
        page.wait_for_function(f"{both}.every(n => n?.paired) && cnnvizHub.blocks.has('inside_layer_beside')")
        settle(page)
        for which in ("network", "channel"):
            one, two = sides(page, which)
            if columns == 2:
                assert abs(one["y"] - two["y"]) < 2, which
                assert one["x"] + one["width"] <= two["x"], which
                assert abs(one["height"] - two["height"]) < 2, which
            else:
                assert one["y"] + one["height"] <= two["y"], which
        wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        assert wide <= width
        rows = page.evaluate(f"{both}.map(n => n.layers.map(l => l.name))")
        assert rows[0] == ["input", "conv_1", "block_1_relu_2", "block_3_relu_2", "block_5_relu_2"]
        assert rows[1] == ["input", "conv_1", "block_2_relu_2", "block_3_relu_2", "block_4_relu_2"]
    finally:
        context.close()


def test_choosing_a_layer_of_either_column_opens_both_that_stand_there(page: Any, server: Server) -> None:
    open_inside(page, server, beside="network:cats-dogs")
    page.wait_for_function("cnnvizHub.blocks.get('inside_beside')?.network.paired")
    settle(page)
    opened = "['inside_layer', 'inside_layer_beside'].map(b => cnnvizHub.blocks.get(b)?.channel.name).join()"
    for column, keys, names in (
        ("beside_maps", ("Home", "ArrowDown", "ArrowDown"), "block_1_relu_2,block_2_relu_2"),
        ("network_maps", ("End",), "block_5_relu_2,block_4_relu_2"),
    ):
        page.locator(f".st-key-{column} [data-testid=map]").focus()
        for key in (*keys, "Enter"):
            page.keyboard.press(key)
        page.wait_for_function(f"(names) => {opened} === names", arg=names)
        settle(page)
        assert query(page)["layer"] == names.split(",")[0]
        frames = [page.locator(f".st-key-{key} .opened").bounding_box() for key in ("network_maps", "beside_maps")]
        assert abs(frames[0]["y"] - frames[1]["y"]) < 2, "the same row of both is marked"


def test_all_layers_of_two_networks_stand_below_each_other(page: Any, server: Server) -> None:
    open_inside(page, server, beside="network:cats-dogs", layer="block_1_conv_2", whole="1")
    page.wait_for_function("['inside_beside', 'inside_layer_beside'].every(b => cnnvizHub.blocks.has(b))")
    settle(page)
    names = page.evaluate("['inside', 'inside_beside'].map(b => cnnvizHub.blocks.get(b).network.layers.length)")
    assert names[0] == len(computed("astronaut"))
    assert page.evaluate("cnnvizHub.blocks.get('inside_layer_beside').channel.name") == "block_1_conv_2"
    assert page.evaluate("cnnvizHub.blocks.get('inside_layer_beside').channel.photo.rows") == 112


def test_another_sample_is_drawn_and_how_long_it_took(page: Any, server: Server, record_property: Callable) -> None:
    open_inside(page, server)
    page.evaluate(
        """() => {
          globalThis.drawn = 0
          document.addEventListener("cnnviz:block", ({ detail }) => {
            if (detail.block === "inside") requestAnimationFrame(() => { drawn = performance.now() })
          })
          document.addEventListener("click", () => { globalThis.clicked = performance.now() }, true)
        }"""
    )
    times = []
    for key in ("cat", "coffee", "camera"):
        page.evaluate("drawn = 0")
        before = page.evaluate("cnnvizHub.blocks.get('inside').network.id")
        page.locator(f"[data-testid=sample][data-key={key}]").click()
        page.wait_for_function("drawn > 0")
        settle(page)
        assert page.evaluate("cnnvizHub.blocks.get('inside').network.id") != before
        times.append(round(page.evaluate("drawn - clicked")))
    record_property("milliseconds", json.dumps(times))
    assert min(times) < 15_000  # on the busiest machine; the goal on an idle one is 500, as the benchmarks measure
    body = page.evaluate("cnnvizHub.blocks.get('inside').body.length")
    assert body < 400_000


STROKES = "".join(
    (ROOT / "cnnviz" / "microscope" / name).read_text(encoding="utf-8") for name in ("hub.js", "strokes.js")
)


@pytest.mark.parametrize(
    ("names", "room", "most", "expected"),
    [
        (["conv 1", "dense 1"], 12, 1, [["conv 1"], ["dense 1"]]),
        (["block 2 shortcut conv", "block 2 shortcut bn"], 14, 1, [["block…ut conv"], ["block…tcut bn"]]),
        (
            ["block 2 shortcut conv", "block 2 shortcut bn", "block 12 add"],
            14,
            2,
            [["block 2", "shortcut conv"], ["block 2", "shortcut bn"], ["block 12 add"]],
        ),
        (["a very long first part end", "a very long other part end"], 12, 1, None),
        (["xxxxxxxxxxxxxxxx1yyyyyyyyyyyyyyyy", "xxxxxxxxxxxxxxxx2yyyyyyyyyyyyyyyy"], 10, 2, None),
        (["same name", "same name"], 6, 1, None),
    ],
)
def test_names_that_do_not_fit_are_cut_so_that_no_two_read_the_same(
    page: Any, names: list[str], room: int, most: int, expected: Any
) -> None:
    found = page.evaluate(
        f"([names, room, most]) => {{{STROKES}; const measureText = (text) => ({{ width: text.length }});"
        "const context = { measureText }; return distinct(context, names, names.map(() => room), most) }",
        [names, room, most],
    )
    assert all(len(line) <= room for lines in found for line in lines)
    assert len({str(lines) for lines in found}) == len(set(names))
    assert expected is None or found == expected


def test_names_over_the_layers_are_laid_out_once_for_a_picture_and_a_width(page: Any, server: Server) -> None:
    open_inside(page, server, network="cats-dogs", picture="cat")
    page.evaluate("""() => {
      const measure = CanvasRenderingContext2D.prototype.measureText
      CanvasRenderingContext2D.prototype.measureText = function (text) {
        globalThis.measured += this.font.startsWith("600")
        return measure.call(this, text)
      }
      globalThis.measured = 0
    }""")
    canvas(page, "network").focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    wait_for(page, "relu_1")
    assert page.evaluate("measured") == 0, "a click lays nothing out"
    page.set_viewport_size({"width": 1000, "height": 1000})
    page.wait_for_function("measured > 40")
    settle(page)
    page.evaluate("measured = 0")
    page.locator("[data-testid=sample][data-key=coffee]").click()
    page.wait_for_function("measured > 40")


@pytest.mark.parametrize("width", [572, 344, 200])
def test_rows_of_two_columns_are_equally_high_whoever_has_more_maps(page: Any, width: int) -> None:
    source = (ROOT / "cnnviz" / "microscope" / "layout.js").read_text(encoding="utf-8")
    counts = [(3, 1), (16, 4), (9, 16), (8, 8), (1, 16)]
    columns = [[{"picture": {"count": one}, "room": two} for one, two in pairs]
               for pairs in (counts, [pair[::-1] for pair in counts])]  # fmt: skip
    found = page.evaluate(
        f"([columns, width]) => {{{source}; return columns.map((layers) => arrange(layers.map((layer, n) => "
        "({ ...layer, name: `${n}`, group: `${n}`, inputs: [] })), width, true, true)) }",
        [columns, width],
    )
    tops = [[head["y"] for head in one["heads"]] for one in found]
    assert tops[0] == tops[1]
    assert found[0]["height"] == found[1]["height"]
    for one, column in zip(found, columns, strict=True):
        assert [sum(tile["layer"] == n for tile in one["tiles"]) for n in range(5)] == [
            layer["picture"]["count"] for layer in column
        ]
        assert all(tile["x"] + tile["width"] <= width for tile in one["tiles"])


def test_a_road_says_what_it_shows_and_a_name_in_full(page: Any, server: Server) -> None:
    open_inside(page, server, network="cats-dogs", picture="cat")
    note = page.locator(".st-key-network_maps .note")
    assert note.inner_text() == (
        "Of each layer one map is shown, its strongest; choose a layer to see all its 16 to 128 maps."
    )
    canvas(page, "network").scroll_into_view_if_needed()
    box = canvas(page, "network").bounding_box()
    titles = set()
    for x in range(20, 1100, 40):
        page.mouse.move(box["x"] + x, box["y"] + 28)
        titles.add(canvas(page, "network").get_attribute("title"))
    assert {"conv 1", "block 1 conv 1"} <= titles
    page.mouse.move(box["x"] + 160, box["y"] + 60)
    assert "strongest of 16 maps: channel" in page.locator(".st-key-network_maps .here").inner_text()
    assert not canvas(page, "network").get_attribute("title")
