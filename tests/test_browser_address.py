"""In a real browser: every page's address says what the page shows, and Back is one step back."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Server, open_page, settle

pytestmark = pytest.mark.browser
SAMPLES = Path(__file__).resolve().parents[1] / "sample_images"
LAB = {"picture": "cat", "kernel": "emboss", "size": "64", "bias": "20", "stride_y": "3"}


def at(page: Any) -> tuple[str, dict[str, str], int]:
    """The page's path, the parameters of its address, and the entries of the history so far."""
    path, query, entries = page.evaluate(
        "() => [location.pathname, Object.fromEntries(new URLSearchParams(location.search)), history.length]"
    )
    return path, query, entries


def go(page: Any, title: str) -> None:
    """To another page by the navigation along the top."""
    page.locator("[data-testid=stTopNavLink]", has_text=title).click()
    page.locator("[data-testid=stHeading]", has_text=title if title != "Start" else "laboratory").wait_for()
    if title != "Networks":
        page.locator("[data-testid=sample]").first.wait_for(timeout=90_000)  # Classify waits for the engine first
    settle(page)


def shown(page: Any) -> str | None:
    """The sample in hand."""
    pressed = page.locator("[data-testid=sample][aria-pressed=true]")
    return pressed.get_attribute("data-key") if pressed.count() else None


def same(query: dict[str, str], expected: dict[str, str]) -> bool:
    """Whether two addresses mean the same: Streamlit writes a bias of 20 back as 20.0."""
    return {key: value.removesuffix(".0") for key, value in query.items()} == expected


def test_what_a_link_said_stays_in_the_address_from_page_to_page_and_back(page: Any, server: Server) -> None:
    open_page(page, f"{server.url}/kernels?{'&'.join(f'{key}={value}' for key, value in LAB.items())}")
    _, query, entries = at(page)
    assert same(query, LAB)
    visits = (
        ("Start", "/", {"picture": "cat"}),
        ("Kernel lab", "/kernels", LAB),
        ("Classify", "/classify", {"picture": "cat"}),
        ("Networks", "/networks", {}),
        ("Inside the network", "/inside", {"picture": "cat"}),
        ("Kernel lab", "/kernels", LAB),
    )
    for n, (title, path, expected) in enumerate(visits, 1):
        go(page, title)
        assert at(page)[0] == path
        assert same(at(page)[1], expected), title
        assert at(page)[2] == entries + n, f"{title}: one entry a page"
        assert shown(page) == expected.get("picture")
    assert page.locator(".st-key-bias input").input_value() == "20"
    for title, path, expected in (*reversed(visits[:-1]), ("the link", "/kernels", LAB)):
        page.go_back()
        settle(page)
        assert at(page)[0] == path
        assert same(at(page)[1], expected), f"back to {title}"
        assert shown(page) == expected.get("picture")
    assert page.locator(".st-key-kernel_shown input").input_value().startswith("Emboss")
    page.go_forward()
    settle(page)
    assert (at(page)[0], at(page)[1], shown(page)) == ("/", {"picture": "cat"}, "cat")


def test_a_click_makes_one_entry_and_back_takes_it_back_on_the_next_page_too(page: Any, server: Server) -> None:
    open_page(page, f"{server.url}/classify?network=cats-dogs&sure=90")
    page.locator("[data-testid=sample]").first.wait_for(timeout=90_000)
    entries = at(page)[2]
    page.locator("[data-testid=sample][data-key=coffee]").click()
    settle(page)
    assert at(page)[1:] == ({"network": "cats-dogs", "sure": "90", "picture": "coffee"}, entries + 1)
    go(page, "Kernel lab")
    assert at(page)[1] == {"picture": "coffee"}, "the lab has a display of its own, though it is called view, too"
    assert page.locator(".st-key-view").get_by_role("radio", name="Signed").is_checked()
    page.locator(".st-key-view").get_by_role("radio", name="Absolute").click()
    settle(page)
    page.locator("[data-tool=negate]").click()  # an edit keeps weights in the address
    settle(page)
    assert at(page)[1]["view"] == "Absolute"
    assert at(page)[2] == entries + 3
    go(page, "Inside the network")
    assert at(page)[1] == {"network": "cats-dogs", "picture": "coffee"}
    page.go_back()
    settle(page)
    assert at(page)[1].keys() == {"picture", "view", "w"}
    page.go_back()
    settle(page)
    assert "w" not in at(page)[1]
    assert page.locator("[data-testid=weight]").first.input_value() == "−1"
    page.go_back()
    settle(page)
    assert at(page)[:2] == ("/classify", {"network": "cats-dogs", "sure": "90", "picture": "coffee"})
    page.go_back()
    settle(page)
    assert at(page)[1] == {"network": "cats-dogs", "sure": "90"}
    assert shown(page) != "coffee"


def test_what_train_calls_a_network_stays_there(page: Any, server: Server) -> None:
    open_page(page, f"{server.url}/train?network=system-b")
    assert at(page)[1] == {"network": "system-b"}
    go(page, "Inside the network")
    assert at(page)[1] == {}
    page.go_back()
    settle(page)
    assert at(page)[:2] == ("/train", {"network": "system-b"})


def test_one_s_own_photo_stands_in_the_address_of_the_first_page_too_so_that_back_leads_to_it(
    context: Any, page: Any, server: Server
) -> None:
    open_page(page, f"{server.url}/kernels")
    page.locator(".st-key-upload input[type=file]").set_input_files(str(SAMPLES / "coffee.jpg"))
    page.locator("[data-testid=sample][data-key=own]").wait_for()
    later = context.new_page()
    open_page(later, f"{server.url}/kernels?kernel=emboss")
    assert at(later) == ("/kernels", {"kernel": "emboss", "picture": "own"}, 2)  # a blank one, and the link
    later.locator("[data-testid=sample][data-key=cat]").click()
    settle(later)
    assert at(later)[1:] == ({"kernel": "emboss", "picture": "cat"}, 3)
    later.go_back()
    settle(later)
    assert (at(later)[1], shown(later)) == ({"kernel": "emboss", "picture": "own"}, "own")
