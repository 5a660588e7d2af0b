"""In a real browser, with the real engine and real files: one photo, mistakes, a dragged patch, many photos, camera."""

import csv
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import find
from conftest import PATIENCE, QUIET, Server, downloaded, settle, until
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_images"

pytestmark = [pytest.mark.browser, pytest.mark.keras]


def visit(page: Any, server: Server, query: str = "") -> None:
    page.set_default_timeout(60_000)
    page.goto(f"{server.url}/classify?{query}")
    page.get_by_role("heading", name="Classify", exact=True).wait_for()


def words(page: Any) -> str:
    return str(page.locator("[data-testid=stMain]").inner_text()).replace("\u00a0", " ")


def said(page: Any, part: str = "answer") -> str:
    """The headline of an answer, "" where there is none yet."""
    line = page.locator(f".st-key-{part} .said")
    return str(line.first.inner_text()).replace("\u00a0", " ") if line.count() else ""


def numbers(page: Any, part: str = "answer") -> dict[str, str]:
    """The bars: label -> number."""
    lines = page.locator(f".st-key-{part} .bars li")
    found = [lines.nth(index).inner_text().split("\n") for index in range(lines.count())]
    return {label: number.replace("\u00a0", " ") for label, number in found}


def other_than(page: Any, before: dict[str, str], part: str = "answer") -> dict[str, str]:
    """The bars, once they show another answer."""
    until(lambda: numbers(page, part) not in ({}, before), "another answer")
    settle(page)
    return numbers(page, part)


def param(page: Any, name: str) -> str:
    return str(page.evaluate(f"new URLSearchParams(location.search).get('{name}') ?? ''"))


def picture(folder: Path, sample: str, name: str, size: int = 640) -> Path:
    image = Image.open(SAMPLES / f"{sample}.jpg").convert("RGB")
    image.thumbnail((size, size))
    image.save(folder / name)
    return folder / name


def rows(page: Any) -> list[str]:
    """The table's lines, with "|" between cells; the browser may draw them anew at any time."""
    script = "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent).join('|'))"
    return [text.replace("\u00a0", " ") for text in page.locator("[data-testid=row]").evaluate_all(script)]


def drop(page: Any, *files: Path) -> None:
    page.locator(".st-key-upload_many input[type=file]").set_input_files([str(file) for file in files])


def test_one_photo_is_answered_as_the_command_line_would(page: Any, server: Server, tmp_path: Path) -> None:
    visit(page, server)
    until(lambda: said(page), "the first answer")
    settle(page)
    before = numbers(page)
    assert len(before) == 5
    file = picture(tmp_path, "cat", "my cat.png", 300)
    page.locator(".st-key-upload input[type=file]").set_input_files(str(file))
    until(lambda: "my cat.png" in words(page), "the photo's name")
    found = other_than(page, before)
    assert "Cropped" in words(page)
    look = "e => [e.naturalWidth, e.width, getComputedStyle(e).imageRendering]"
    until(lambda: page.locator(".st-key-stage_seen img").evaluate(look) == [32, 320, "pixelated"], "the cells")

    command = [sys.executable, "-m", "cnnviz", "classify", str(file), "--model", "objects", "--json"]
    answer = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    assert len(found) == 5
    for label, number in found.items():
        assert abs(float(number.rstrip(" %")) - 100 * answer["scores"][label]) <= 0.1

    page.locator(".st-key-card_open button").click()
    card = page.locator("[role=dialog]")
    for word in ("of 10,000 test pictures right", "95 % interval", "Rights in the data", "Not for", "automobile"):
        until(lambda word=word: word in card.inner_text().replace("\u00a0", " "), f"“{word}” on the card")
    page.keyboard.press("Escape")
    report = server.report()
    for heavy in ("keras", "tensorflow", "sklearn", "pandas", "pyarrow"):
        assert heavy not in report["modules"], f"{heavy} is loaded in the web server"
    assert page.context.foreign == []


def test_the_threshold_decides_what_is_sure_and_stays_in_the_address(page: Any, server: Server) -> None:
    visit(page, server, "picture=cat&sure=0")
    until(lambda: said(page), "an answer")
    settle(page)
    assert said(page) != "Not sure"
    slider = page.locator(".st-key-sure_shown input[type=range]")
    slider.focus()
    page.keyboard.press("End")
    until(lambda: said(page) == "Not sure", "the doubt")
    until(lambda: param(page, "sure") == "100", "the threshold in the address")
    page.reload()
    until(lambda: said(page) == "Not sure", "the doubt after a reload")


def test_mistakes_change_the_answer_and_a_link_brings_them_back(page: Any, server: Server) -> None:
    visit(page, server, "picture=cat&mistakes=true")
    until(lambda: numbers(page, "after"), "the drawer")
    settle(page)
    before = numbers(page, "before")
    assert before == numbers(page, "after")
    assert page.locator(".st-key-switches [class*=st-key-mistake_]").count() == 10
    page.locator(".st-key-mistake_sideways label").click()
    until(lambda: "After: sideways" in words(page), "the mistake's name")
    other_than(page, before, "after")
    assert numbers(page, "before") == before
    page.locator(".st-key-mistake_dark label").click()
    until(lambda: "After: sideways, darker" in words(page), "both mistakes")
    until(lambda: param(page, "sideways") == param(page, "dark") == "true", "both in the address")
    settle(page)
    found = numbers(page, "after")
    address = page.evaluate("location.href")
    page.goto("about:blank")
    page.goto(address)
    until(lambda: "After: sideways, darker" in words(page), "the mistakes of the link")
    until(lambda: numbers(page, "after") == found, "the same answer")


def test_the_patch_is_dragged_and_moved_by_keys(page: Any, server: Server) -> None:
    visit(page, server, "picture=cat&mistakes=true&covered=true")
    patch = page.locator("[data-testid=patch]")
    patch.wait_for()
    until(lambda: numbers(page, "after"), "an answer")
    settle(page)
    assert [patch.get_attribute(f"data-{side}") for side in ("top", "left")] == ["10", "10"]
    first = numbers(page, "after")
    patch.scroll_into_view_if_needed()
    box = patch.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 35, y - 35, steps=5)  # five cells of 7 px each
    assert param(page, "at") == "", "the place is told on release"
    page.mouse.up()
    assert [patch.get_attribute(f"data-{side}") for side in ("top", "left")] == ["5", "15"]
    until(lambda: param(page, "at"), "the place in the address")
    y_share, x_share = (float(share) for share in param(page, "at").split(","))
    assert abs(y_share - 10.5 / 32) < 1e-3
    assert abs(x_share - 20.5 / 32) < 1e-3
    second = other_than(page, first, "after")
    patch.focus()
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowLeft")
    until(lambda: [patch.get_attribute(f"data-{side}") for side in ("top", "left")] == ["9", "11"], "the keys' way")
    other_than(page, second, "after")
    assert "rows 9 to 19, columns 11 to 21" in patch.get_attribute("aria-label")


def test_the_patch_follows_a_finger(chromium: Any, server: Server) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    visit(page, server, "picture=cat&mistakes=true&covered=true")
    patch = page.locator("[data-testid=patch]")
    patch.wait_for(timeout=PATIENCE * 1000)
    until(lambda: numbers(page, "after"), "an answer")
    settle(page)
    patch.scroll_into_view_if_needed()
    box = patch.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    wire = context.new_cdp_session(page)
    for kind, dx in (("touchStart", 0), ("touchMove", 10), ("touchMove", 28), ("touchEnd", None)):
        points = [] if dx is None else [{"x": x + dx, "y": y}]
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    until(lambda: param(page, "at"), "the place in the address")
    assert abs(float(param(page, "at").split(",")[1]) - 19.5 / 32) < 0.04
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_many_photos_a_broken_one_and_a_copy(page: Any, server: Server, tmp_path: Path) -> None:
    files = [picture(tmp_path, sample, f"{sample}.png", 200) for sample in ("cat", "coffee", "bricks")]
    (tmp_path / "broken.jpg").write_bytes((SAMPLES / "cat.jpg").read_bytes()[:3000])
    (tmp_path / "again.png").write_bytes(files[0].read_bytes())
    visit(page, server, "view=many")
    until(lambda: len(rows(page)) == 14, "the samples' answers")
    drop(page, *files, tmp_path / "broken.jpg", tmp_path / "again.png")
    until(lambda: len(rows(page)) == 5 and "4 photos answered" in words(page), "the answers")
    found = rows(page)
    assert len(found) == 5
    assert [row for row in found if "damaged or cut off" in row and "broken.jpg" in row]
    assert [row for row in found if "same file as cat.png" in row and "again.png" in row]
    assert page.locator("[data-testid=row] img").count() == 4

    page.locator("[data-testid=sort][data-by=p]").click()
    until(lambda: param(page, "sort") == "p-down", "the order in the address")
    settle(page)
    shares = [float(row.split(" %")[0].split("|")[-1]) for row in rows(page) if " %" in row]
    assert len(shares) == 4
    assert shares == sorted(shares, reverse=True)
    page.locator("[data-testid=sort][data-by=name]").click()
    listed, names = page.locator("[data-testid=row]"), "rows => rows.map((row) => row.dataset.name)"
    in_order = ["again.png", "bricks.png", "broken.jpg", "cat.png", "coffee.png"]
    until(lambda: listed.evaluate_all(names) == in_order, "the files by their names")
    until(lambda: param(page, "sort") == "name", "that order in the address")
    settle(page)
    page.go_back()
    until(lambda: param(page, "sort") == "p-down" and listed.evaluate_all(names) != in_order, "the order before")
    settle(page)

    lines = list(csv.DictReader(io.StringIO(downloaded(page, "csv_many").read_text())))
    assert [line["file"] for line in lines] == ["cat.png", "coffee.png", "bricks.png", "broken.jpg", "again.png"]
    assert lines[0]["answer"] == lines[4]["answer"]
    assert "damaged" in lines[3]["error"]
    content = json.loads(downloaded(page, "json_many").read_text())
    assert abs(sum(content[0]["scores"].values()) - 1) < 1e-6
    assert float(lines[0]["probability"]) == pytest.approx(max(content[0]["scores"].values()), abs=1e-6)


def labelled(folder: Path, number: int = 0) -> Path:
    """A zip of photos in folders of classes: cat (two), dog, and one that is no class; number: of further photos."""
    path = folder / "pets.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name, sample, size in (
            ("pets/cat/1.png", "cat", 300), ("pets/cat/2.png", "astronaut", 200), ("pets/dog/1.png", "coffee", 200),
            ("pets/giraffe/1.png", "bricks", 200),
        ):  # fmt: skip
            made.writestr(name, picture(folder, sample, "one.png", size).read_bytes())
        for index in range(number):
            made.writestr(f"pets/frog/{index}.png", picture(folder, "retina", "one.png", 700 + index).read_bytes())
        made.writestr("pets/cat/notes.txt", "no photo")
    return path


def test_folders_give_a_score_a_matrix_and_the_photos_behind_a_cell(page: Any, server: Server, tmp_path: Path) -> None:
    visit(page, server, "view=many")
    until(lambda: len(rows(page)) == 14, "the samples' answers")
    drop(page, labelled(tmp_path))
    until(lambda: "of 3 photos right" in words(page), "the score")
    settle(page)
    assert "Always saying “cat” would be right for 66.7 %" in words(page)
    assert "“giraffe” is answered, but not scored" in words(page)
    assert [row for row in rows(page) if "notes.txt" in row]
    answers = dict(
        page.locator("[data-testid=row]").evaluate_all(
            "rows => rows.map((row) => [row.dataset.name, row.querySelector('.answer')?.firstChild.textContent])"
        )
    )
    labels = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    dog = answers["pets/dog/1.png"]
    cells = page.locator(".st-key-many_confusion .nsewdrag.drag").first
    cells.scroll_into_view_if_needed()
    settle(page)
    box = cells.bounding_box()
    page.mouse.click(
        box["x"] + box["width"] * (labels.index(dog) + 0.5) / 10,
        box["y"] + box["height"] * (labels.index("dog") + 0.5) / 10,
    )
    sentence = "1 of 1 pictures of “dog” were " + ("recognized" if dog == "dog" else f"taken for “{dog}”")
    until(lambda: sentence in words(page), "the cell that was clicked")
    until(lambda: page.locator(".behind img").count() == 1, "the photo behind the cell")
    assert "pets/dog/1.png" in page.locator(".behind img").get_attribute("alt")
    until(lambda: param(page, "true_class") == "dog", "the cell in the address")


def test_many_are_stopped_and_gone_on_with(page: Any, server: Server, tmp_path: Path) -> None:
    visit(page, server, "view=many")
    until(lambda: len(rows(page)) == 14, "the samples' answers")
    path = tmp_path / "many.zip"
    large = io.BytesIO()  # so that the work takes some seconds on any machine
    Image.open(SAMPLES / "astronaut.jpg").resize((3000, 3000)).save(large, "JPEG", quality=20)
    with zipfile.ZipFile(path, "w") as made:
        for number in range(80):
            made.writestr(f"{number:03}.jpg", large.getvalue() + bytes(number))  # another file each, to the digest
    drop(page, path)
    page.locator(".st-key-many_stop button").wait_for()
    until(lambda: "of 80 photos: many.zip" in words(page), "how far it is")
    until(lambda: 0 < len(rows(page)) < 80 and "000.jpg" in rows(page)[0], "the first answers before the last")
    page.locator(".st-key-many_stop button").click()
    until(lambda: "Stopped after" in words(page), "the word that it stopped")
    settle(page)
    done = len(rows(page))
    assert 0 < done < 80
    page.wait_for_timeout(1500)
    assert len(rows(page)) == done
    page.locator(".st-key-many_go button").click()
    until(lambda: "80 photos answered" in words(page) and len(rows(page)) == 80, "all answers")


def test_a_deep_link_opens_network_threshold_mistakes_and_patch(page: Any, server: Server) -> None:
    visit(page, server, "network=cats-dogs&picture=cat&sure=7&mistakes=true&bgr=true&covered=true&at=0.25,0.25")
    until(lambda: "After: blue and red swapped, a patch covered" in words(page), "the mistakes")
    until(lambda: set(numbers(page, "after")) == {"cats", "dogs"}, "the answer")
    settle(page)
    assert page.locator("[data-testid=patch]").get_attribute("data-top") == "10"  # 28 - 18.5, to even
    assert page.locator(".st-key-sure_shown input[type=range]").input_value() == "7"
    assert "112 × 112 pixels" in words(page)


@pytest.fixture
def filmed(chromium: Any) -> Iterator[Any]:
    """A browser whose camera shows a moving test picture."""
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    made = chromium.browser_type.launch(executable_path=find(), args=[*QUIET, *fake])
    context = made.new_context(permissions=["camera"])
    yield context.new_page()
    made.close()


def test_the_camera_mirrors_what_is_seen_and_not_what_is_taken(filmed: Any, server: Server) -> None:
    visit(filmed, server)
    filmed.locator(".st-key-camera_open button").click()
    video = filmed.locator("[data-testid=stCameraInputWebcamComponent] video")
    video.wait_for()
    until(lambda: "scaleX(-1)" in video.evaluate("e => e.style.transform"), "the mirror")
    # before its first picture the camera takes none
    until(lambda: video.evaluate("e => e.readyState >= 2 && e.videoWidth > 0"), "a moving picture")
    filmed.get_by_role("button", name="Take Photo").click()
    until(lambda: "Camera picture" in words(filmed), "the picture")
    until(lambda: not filmed.locator("[role=dialog]").count(), "the end of the dialog")


def test_where_there_is_no_camera_the_file_button_and_a_sentence_stand(
    page: Any, server: Server, tmp_path: Path
) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    visit(page, server)
    page.locator(".st-key-camera_open button").click()
    until(lambda: "https pages" in page.locator("[role=dialog]").inner_text(), "the sentence")
    field = page.locator("[role=dialog] input[type=file]")
    until(lambda: field.get_attribute("accept") == "image/*", "the way to a phone's camera")
    field.set_input_files(str(picture(tmp_path, "cat", "taken.png", 300)))
    until(lambda: "taken.png" in words(page), "the photo")
    until(lambda: not page.locator("[role=dialog]").count(), "the end of the dialog")
