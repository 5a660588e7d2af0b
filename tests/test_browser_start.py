"""In a real browser: pictures go in, stay with their owner, and travel to every page."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Server, address, choose, open_page, settle, start_server, until
from PIL import Image

from cnnviz import filters

pytestmark = pytest.mark.browser
STRIPES = np.where(np.arange(120) // 10 % 2, 255, 0).astype(np.uint8)


def picture_file(folder: Path, name: str = "stripes.png") -> Path:
    """A file of vertical black and white stripes, 120 × 90."""
    path = folder / name
    Image.fromarray(np.repeat(np.broadcast_to(STRIPES, (90, 120))[..., None], 3, axis=2)).save(path)
    return path


def upload(page: Any, path: Path) -> None:
    """Give the page a file, and wait until it is chosen or refused."""
    page.locator(".st-key-upload input[type=file]").set_input_files(str(path))
    page.locator("[data-testid=sample][data-key=own][aria-pressed=true], .st-key-problem_picture").first.wait_for()
    settle(page)


def chosen(page: Any) -> str:
    return page.locator("[data-testid=sample][aria-pressed=true]").get_attribute("data-key")


def map_picture(page: Any) -> bytes:
    return page.locator("[data-testid=stage][data-stage=map]").first.screenshot()


def test_a_photo_goes_in_and_a_convolved_picture_comes_out(page: Any, server: Server, tmp_path: Path) -> None:
    open_page(page, f"{server.url}/kernels?kernel=identity")
    before = map_picture(page)
    upload(page, picture_file(tmp_path))
    assert chosen(page) == "own"
    assert "stripes.png" in page.locator("[data-testid=stCaptionContainer]").first.inner_text()
    uploaded = map_picture(page)
    assert uploaded != before
    choose(page, "kernel_shown", "Sobel x: vertical edges")
    assert map_picture(page) != uploaded
    # black to white over two columns: (1 + 2 + 1) · 255 at every edge, in both signs
    assert page.locator(".st-key-stage_map .range").inner_text() == "−1020 … 1020"


def test_a_deep_link_works_as_the_first_thing_opened(tmp_path: Path, page: Any) -> None:
    fresh = start_server(tmp_path)
    try:
        open_page(page, f"{fresh.url}/kernels?picture=cat")
        assert page.get_by_role("heading", name="Kernel lab").is_visible()
        assert page.locator("[data-testid=stTopNavLink]").count() >= 2
        assert chosen(page) == "cat"
        assert page.context.foreign == []
    finally:
        fresh.process.terminate()
        fresh.process.wait(10)


def test_the_picture_survives_reload_and_page_change(page: Any, server: Server, tmp_path: Path) -> None:
    open_page(page, server.url)
    upload(page, picture_file(tmp_path))
    page.reload()
    page.locator("[data-testid=sample]").first.wait_for()
    settle(page)
    assert chosen(page) == "own"
    page.get_by_role("link", name="Kernel lab").first.click()
    page.get_by_role("heading", name="Kernel lab").wait_for()
    settle(page)
    assert chosen(page) == "own"
    page.locator("[data-testid=sample][data-key=coffee]").press("Enter")
    settle(page)
    assert chosen(page) == "coffee"
    focused = page.locator("[data-testid=sample]:focus")  # who walks by keyboard goes on from there
    assert focused.get_attribute("data-key") == "coffee"
    page.get_by_role("link", name="Start").first.click()
    page.get_by_role("heading", name="A laboratory for convolutional networks").wait_for()
    settle(page)
    assert chosen(page) == "coffee"
    assert page.locator("[data-testid=sample][data-key=own]").count() == 1


def test_two_browsers_do_not_see_each_others_photo(chromium: Any, server: Server, tmp_path: Path) -> None:
    one, two = chromium.new_context(), chromium.new_context()
    try:
        first, second = one.new_page(), two.new_page()
        open_page(first, f"{server.url}/kernels")
        open_page(second, f"{server.url}/kernels")
        upload(first, picture_file(tmp_path, "secret.png"))
        link = first.url
        assert "picture=own" in link
        open_page(second, link)
        second.locator("[data-testid=sample]").first.wait_for()
        assert second.locator("[data-testid=sample][data-key=own]").count() == 0
        assert "secret" not in second.content()
        assert "Your own photo goes here" in second.locator(".st-key-problem_picture").inner_text()
        keys = [{c["name"]: c for c in c.cookies()}["cnnviz_owner"] for c in (one, two)]
        assert keys[0]["value"] != keys[1]["value"]
        assert all(re.fullmatch(r"[0-9a-f]{32}", k["value"]) and k["sameSite"] == "Strict" for k in keys)
    finally:
        one.close()
        two.close()


def test_a_second_tab_of_the_same_browser_has_the_photo(page: Any, server: Server, tmp_path: Path) -> None:
    open_page(page, server.url)
    upload(page, picture_file(tmp_path))
    second = page.context.new_page()
    open_page(second, f"{server.url}/kernels")
    assert chosen(second) == "own"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("notes.jpg", b"these are only words\n" * 20, "notes.jpg"),
        ("empty.png", b"", "empty"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        ("cut.png", None, "cut"),
    ],
)
def test_bad_files_get_a_sentence_where_the_input_was(
    page: Any, server: Server, tmp_path: Path, name: str, data: bytes | None, words: str
) -> None:
    if data is None:
        whole = io.BytesIO()
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (80, 80, 3), np.uint8)).save(whole, "PNG")
        data = whole.getvalue()[:9000]
    path = tmp_path / name
    path.write_bytes(data)
    open_page(page, f"{server.url}/kernels?picture=cat")
    upload(page, path)
    sentence = page.locator(".st-key-problem_picture").inner_text()
    assert words in sentence
    assert sentence.rstrip().endswith(".")
    assert words in page.get_by_role("alert").inner_text()  # read out where a screen reader is used
    assert chosen(page) == "cat"
    assert page.locator("[data-testid=stException]").count() == 0


def test_the_back_button_brings_the_picture_back(page: Any, server: Server) -> None:
    open_page(page, f"{server.url}/kernels")
    for key in ("cat", "coffee"):
        page.locator(f"[data-testid=sample][data-key={key}]").click()
        until(lambda key=key: f"picture={key}" in address(page), "the picture in the address")
        settle(page)
    page.go_back()
    until(lambda: chosen(page) == "cat", "the picture before")


def test_no_page_asks_another_host(page: Any, server: Server) -> None:
    for path in ("", "kernels", "train", "networks"):
        open_page(page, f"{server.url}/{path}")
        page.wait_for_timeout(500)
    assert page.context.foreign == []
    report = server.report()
    assert report["hosts"] == []
    assert "streamlit" in report["modules"]
    for heavy in ("keras", "tensorflow", "sklearn", "skimage", "pandas"):
        assert heavy not in report["modules"], f"{heavy} is loaded in the web server"


@pytest.mark.keras
def test_each_door_leads_to_the_page_that_shows_the_same_of_this_picture(page: Any, server: Server) -> None:
    def said() -> list[str]:
        return [" ".join(line.inner_text().split()) for line in page.locator("ol.bars li").all()]

    open_page(page, f"{server.url}/?picture=coffee")
    page.locator(".st-key-door_classify ol.bars").wait_for()
    settle(page)
    assert page.locator(".st-key-door_inside .sixteen img").count() == 16
    assert page.locator(".st-key-door_train .sixteen img").count() == 16
    answer = said()
    for door, heading in (
        ("kernels", "Kernel lab"),
        ("inside", "Inside the network"),
        ("classify", "Classify"),
        ("train", "Train"),
    ):
        page.locator(f".st-key-open_{door} button").click()
        page.get_by_role("heading", name=heading, exact=True).first.wait_for()
        settle(page)
        if door == "kernels":
            shown = [float(cell.input_value().replace("−", "-")) for cell in page.locator("[data-testid=weight]").all()]
            assert shown == filters.PRESETS["sobel_x"].weights.ravel().tolist()
        if door == "classify":
            page.locator("ol.bars").first.wait_for()
            assert said()[: len(answer)] == answer
        page.get_by_role("link", name="Start").first.click()
        page.locator(".st-key-door_classify ol.bars").wait_for()
        settle(page)
        assert chosen(page) == "coffee"
        assert "picture=coffee" in address(page)
