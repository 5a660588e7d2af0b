"""In a real browser, with the real server and real workers: a network is trained, watched, stopped, kept, survives."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Server, address, open_page, settle, start_server, until
from test_pages_train import photo, zipped

from cnnviz.training.record import Run, runs

pytestmark = [pytest.mark.browser, pytest.mark.keras]


def title(page: Any) -> str:
    heading = page.locator("h1")
    return str(heading.first.inner_text()) if heading.count() else ""


def words(page: Any) -> str:
    return str(page.locator("[data-testid=stMain]").inner_text())


def points(page: Any, chart: str) -> int:
    """How many points all the lines of a chart have."""
    script = "e => (e._fullData ?? []).reduce((sum, line) => sum + (line.x?.length ?? 0), 0)"
    plot = page.locator(f".st-key-{chart} .js-plotly-plot")
    return int(plot.first.evaluate(script)) if plot.count() else 0


def press(page: Any, key: str) -> None:
    page.locator(f".st-key-{key} button").first.click()


def start(page: Any, server: Server, query: str = "") -> Run:
    """Press Train, and see that the run's address is in the URL."""
    open_page(page, f"{server.url}/train?{query}")
    press(page, "train")
    return opened(page, server)


def opened(page: Any, server: Server) -> Run:
    """The run whose address is in the URL, once there is one."""
    asked = "new URLSearchParams(location.search).get('run')"
    return Run(server.runs / until(lambda: page.evaluate(asked), "the run's address"))


def epoch(run: Run) -> int:
    return max((event["epoch"] for event in run.events()[0] if event["kind"] == "epoch"), default=0)


def test_drawn_faces_are_learned_watched_looked_at_and_kept(page: Any, server: Server) -> None:
    run = start(page, server)
    page.get_by_role("heading", name="Training “drawn faces”").wait_for()
    first = until(lambda: points(page, "loss"), "a first point")
    until(lambda: points(page, "loss") > first, "another point")
    until(lambda: epoch(run) >= 2, "the second epoch")

    page.reload()
    until(lambda: title(page) in ("Training “drawn faces”", "Trained “drawn faces”"), "the run after a reload")
    assert opened(page, server) == run
    until(lambda: points(page, "accuracy") > first, "the points after a reload")
    until(lambda: page.locator(".st-key-inside .tiles img").count() >= 8, "kernels")

    until(lambda: title(page) == "Trained “drawn faces”", "the end of the training")
    share = until(
        lambda: page.locator(".score strong").count() and page.locator(".score strong").inner_text(), "a score"
    )
    assert float(share.rstrip("%\u00a0")) >= 95
    settle(page)
    assert "of 300 test pictures right" in words(page)
    assert "Always saying" in words(page)

    matrix = json.loads(run.card.read_text())["scores"]["test"]["confusion"]
    for wanted in ((0, 0), (1, 1)):
        settle(page)
        box = page.locator(".st-key-confusion .nsewdrag.drag").first.bounding_box()
        page.mouse.click(
            box["x"] + box["width"] * (0.25 + 0.5 * wanted[1]), box["y"] + box["height"] * (0.25 + 0.5 * wanted[0])
        )
        sentence = f"{matrix[wanted[0]][wanted[1]]} of {sum(matrix[wanted[0]])} pictures"
        until(lambda sentence=sentence: sentence in words(page), "the pictures of a cell that was clicked")
        until(lambda: page.locator(".behind img").count() == 24, "the pictures behind the cell")

    page.get_by_label("Name of the network").fill("Faces 1")
    press(page, "keep")
    until(lambda: run.state().kept == "Faces 1", "the name")
    page.get_by_role("link", name="Networks").first.click()
    page.get_by_role("heading", name="Faces 1").wait_for()
    until(lambda: share in words(page), "the score on the card")
    report = server.report()
    for heavy in ("keras", "tensorflow", "sklearn", "pandas", "pyarrow"):
        assert heavy not in report["modules"], f"{heavy} is loaded in the web server"
    assert report["hosts"] == []
    assert page.context.foreign == []


def there_and_back(page: Any) -> None:
    """To another page and back to Train."""
    page.get_by_role("link", name="Networks").first.click()
    page.get_by_role("heading", name="Networks").first.wait_for()
    settle(page)
    page.get_by_role("link", name="Train").first.click()
    page.locator(".st-key-train button").wait_for()
    settle(page)


def test_what_was_typed_stands_in_the_address_and_outlives_a_page_change(page: Any, server: Server) -> None:
    open_page(page, f"{server.url}/train?batch=48")
    there_and_back(page)
    epochs = page.get_by_label("Epochs", exact=True)
    epochs.fill("77")
    epochs.press("Tab")
    until(lambda: "epochs=77" in address(page), "the epochs in the address")
    settle(page)
    rate = page.get_by_label("Learning rate", exact=True)
    rate.fill("0")
    rate.press("Tab")
    field = page.locator(".st-key-plain_rate")
    until(lambda: "0 cannot be used here" in field.inner_text(), "the sentence at its field")
    settle(page)
    assert page.locator(".st-key-train button").is_disabled()
    rate.fill("5e-4")
    rate.press("Tab")
    until(lambda: "cannot be used" not in words(page), "the end of the sentence")
    settle(page)
    there_and_back(page)
    values = [page.get_by_label(name, exact=True).input_value() for name in ("Epochs", "Batch size", "Learning rate")]
    assert values == ["77", "48", "0.0005"]


@pytest.mark.parametrize("width", [360, 768])
def test_nothing_scrolls_sideways_with_own_photos_and_all_settings_open(
    chromium: Any, server: Server, width: int
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    open_page(page, f"{server.url}/train?data=own&epochs=999&shift=99")
    page.get_by_text("More settings").click()
    files = {f"{kind}/{n}.png": photo(n + kind) for kind in (10, 20) for n in range(4)} | {"a" * 90 + "/x.txt": b"x"}
    page.locator(".st-key-upload_zip input").set_input_files(
        {"name": "p" * 90 + ".zip", "mimeType": "application/zip", "buffer": zipped(files)}
    )
    page.locator(".st-key-consent").wait_for()
    press(page, "findings")
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("[data-testid=stMain]").evaluate("e => e.scrollWidth - e.clientWidth") == 0
    context.close()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_table_of_classes_ends_within_its_page(chromium: Any, server: Server, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    open_page(page, f"{server.url}/networks?card=objects")
    page.locator("td").first.wait_for()
    ends = page.evaluate("[...document.querySelectorAll('td, th')].map(e => e.getBoundingClientRect().right)")
    assert len(ends) == 11 * 6
    assert max(ends) <= width - 16
    context.close()


def test_a_run_is_paused_stopped_and_gone_on_with(page: Any, server: Server) -> None:
    before = len(list(runs(server.runs)))
    open_page(page, f"{server.url}/train?number=300&epochs=100")
    page.locator(".st-key-train button").evaluate("button => { for (let i = 0; i < 5; i++) button.click() }")
    run = opened(page, server)
    until(lambda: epoch(run) >= 2, "the second epoch")
    press(page, "steer_pause")
    until(lambda: "paused" in words(page), "the word that it is paused")
    held = epoch(run)
    time.sleep(1.5)
    assert epoch(run) - held <= 1
    press(page, "steer_go")
    until(lambda: epoch(run) > held + 1, "an epoch after the pause")
    assert len(list(runs(server.runs))) == before + 1, "Train was pressed five times"
    pid = run.state().pid
    asked = time.monotonic()
    press(page, "steer_stop")
    until(lambda: title(page) == "Stopped: “drawn faces”", "the page after Stop")
    assert time.monotonic() - asked < 60, "the run has a hundred epochs"
    assert not alive(pid)
    done = epoch(run)
    press(page, "resume")
    until(lambda: epoch(run) > done, "an epoch after going on")
    assert [e["resumed"] for e in run.events()[0] if e["kind"] == "start"] == [0, done]
    until(lambda: title(page).startswith("Training"), "the live view")
    press(page, "steer_finish")
    until(lambda: title(page) == "Trained “drawn faces”", "the score")
    press(page, "delete_run")
    press(page, "delete_sure")
    until(lambda: not run.path.exists(), "the run's end")
    page.locator(".st-key-train button").wait_for()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_server_and_a_killed_worker_lose_nothing(page: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    try:
        run = start(page, server, "number=300&epochs=100")
        until(lambda: epoch(run) >= 2, "the second epoch")
        pid = run.state().pid
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
        until(lambda: not alive(pid), "the end of the worker")
        done = epoch(run)
        (tmp_path / "again").mkdir()
        server = start_server(tmp_path / "again", server.runs)
        open_page(page, f"{server.url}/train?run={run.id}")
        until(lambda: title(page) == "Interrupted: “drawn faces”", "the page after the restart")
        until(lambda: points(page, "accuracy"), "the curves from before")
        assert [one.id for one in runs(server.runs)] == [run.id]

        press(page, "resume")
        until(lambda: epoch(run) > done, "an epoch after going on")
        until(lambda: title(page) == "Training “drawn faces”", "the live view")
        os.kill(run.state().pid, signal.SIGKILL)
        until(lambda: title(page).startswith(("Failed", "Interrupted")), "the page after the worker's death")
        settle(page)
        assert "memory" in words(page), "what ends a process so, most often"
        assert page.locator(".st-key-resume button").count() == 1
        settle(page)
    finally:
        server.process.terminate()
        server.process.wait(10)
