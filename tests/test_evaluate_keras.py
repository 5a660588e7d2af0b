"""Scoring a network on pictures: what it was trained on is left out, and each picture is opened once."""

import json
import shutil
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.keras
pytest.importorskip("keras")

from cnnviz import layers  # noqa: E402
from cnnviz.cards import Card, CardError, write_card  # noqa: E402
from cnnviz.data import sources  # noqa: E402
from cnnviz.data.dataset import DataError  # noqa: E402
from cnnviz.data.fingerprints import digest, scan  # noqa: E402
from cnnviz.data.preprocessing import Preprocessing  # noqa: E402
from cnnviz.data.sources import open_dataset  # noqa: E402
from cnnviz.data.split import DIGESTS, Split, make_split  # noqa: E402
from cnnviz.face import OFF, crop  # noqa: E402
from cnnviz.images import Pixels, decode  # noqa: E402
from cnnviz.layer_kinds import Conv2D, Dense, GlobalAveragePooling2D, Softmax  # noqa: E402
from cnnviz.networks import fitting  # noqa: E402
from cnnviz.training.evaluate import Evaluation, _largest_face, evaluate  # noqa: E402

SEEN = Preprocessing(8, 8)
NETWORK = (Conv2D(2, 3), GlobalAveragePooling2D(), Dense(2), Softmax())
NUMBER = 40  # pictures, of which 28 to learn from, 8 to choose and 4 to test


def draw(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    Image.fromarray(np.kron(rng.integers(0, 255, (5, 5, 3), np.uint8), np.ones((6, 6, 1), np.uint8))).save(path)


@dataclass
class Trained:
    """A network that knows cats and dogs, and the folder of photos that it was trained on."""

    root: Path
    photos: Path
    split: Split

    @property
    def run(self) -> Path:
        """As it lies in its run's directory."""
        return self.root / "run"

    def taken_away(self, digests: bool) -> Path:
        """As it comes out of the zip that the page gives."""
        folder = self.root / f"taken {digests}"
        folder.mkdir(exist_ok=True)
        for name in ("model.keras", "card.json"):
            (folder / name).write_bytes((self.run / name).read_bytes())
        if digests:
            (folder / DIGESTS).write_text(json.dumps(self.split.digests()))
        return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Trained:
    root = tmp_path_factory.mktemp("trained")
    for number in range(NUMBER):
        draw(root / "photos" / ("cats", "dogs")[number % 2] / f"{number}.png", number)
    dataset = open_dataset(root / "photos")
    split = make_split(dataset, scan(dataset), seed=1)
    (root / "run").mkdir()
    split.save(root / "run" / "split.json")
    fitting.save(fitting.make(NETWORK, SEEN.shape, 1), root / "run" / "model.keras")
    data = {"name": "photos", "licence": "own", "train": 28, "validation": 8, "test": 4, "given": False}
    training = {"command": "a test", "seed": 1, "device": "CPU"}
    card = Card(
        "n",
        "Cats and dogs",
        "picture",
        ("cats", "dogs"),
        SEEN,
        layers.to_json(NETWORK),
        1,
        data,
        {},
        None,
        training,
        "",
    )
    write_card(card, root / "run" / "card.json")
    return Trained(root, root / "photos", split)


def scored(network: Path, data: Path) -> Evaluation:
    return evaluate(str(network), str(data), lambda *_: None)


def renamed(trained: Trained) -> Path:
    """The same photos under other names, two new ones among them."""
    folder = trained.root / "renamed"
    for path in trained.photos.rglob("*.png"):
        target = folder / path.parent.name / f"photo {path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    draw(folder / "cats" / "new.png", 1001)
    draw(folder / "dogs" / "new.png", 1002)
    return folder


def without_tests(trained: Trained) -> Path:
    """What it learned from and was chosen on, and two new photos."""
    folder, names = trained.root / "no tests", {name for name, _ in trained.split.test}
    for path in trained.photos.rglob("*.png"):
        if path.relative_to(trained.photos).as_posix() not in names:
            target = folder / path.parent.name / f"photo {path.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    draw(folder / "cats" / "new.png", 1001)
    draw(folder / "dogs" / "new.png", 1002)
    return folder


def others(trained: Trained) -> Path:
    folder = trained.root / "others"
    for number in range(6):
        draw(folder / ("cats", "dogs")[number % 2] / f"{number}.png", 500 + number)
    return folder


def its_own(trained: Trained) -> Path:
    return trained.photos


LEFT_OUT = "the 2 pictures that it was not trained on"


@pytest.mark.parametrize(
    ("network", "data", "on", "n", "left_out"),
    [
        ("run", its_own, "the 4 test pictures of its own split", 4, 0),
        ("digests", its_own, "the 4 test pictures of its own split", 4, 36),
        ("digests", renamed, "the 4 test pictures of its own split", 4, 36),
        ("run", renamed, "the 4 test pictures of its own split", 4, 36),
        ("run", without_tests, LEFT_OUT, 2, 36),
        ("digests", without_tests, LEFT_OUT, 2, 36),
        ("digests", others, "all 6 pictures", 6, 0),
        ("run", others, "all 6 pictures", 6, 0),
        ("nothing", its_own, "all 40 pictures, which may contain training pictures", 40, 0),
        ("nothing", others, "all 6 pictures, which may contain training pictures", 6, 0),
    ],
)
def test_pictures_that_it_was_trained_on_are_left_out_where_they_are_known(trained, network, data, on, n, left_out):
    folder = trained.run if network == "run" else trained.taken_away(network == "digests")
    result = scored(folder, data(trained))
    assert (result.on, result.scores.n, result.left_out) == (on, n, left_out)
    assert result.passed_over == ()


def test_a_network_that_knows_every_picture_is_not_scored(trained):
    folder = trained.root / "only training"
    name = next(name for name, _ in trained.split.train if name.startswith("cats"))
    other = next(name for name, _ in trained.split.train if name.startswith("dogs"))
    for number, one in enumerate((name, other)):
        target = folder / one.split("/")[0] / f"{number}.png"
        target.parent.mkdir(parents=True)
        target.write_bytes((trained.photos / one).read_bytes())
    with pytest.raises(DataError, match="All 2 pictures of only training are ones that this network was trained on"):
        scored(trained.taken_away(True), folder)


def test_digests_tell_no_names_and_not_the_order(trained):
    content = trained.split.digests()
    assert set(content) == {"format", "train", "validation", "test"}
    assert content["train"] == sorted(digest for _, digest in trained.split.train)
    assert "cats" not in json.dumps(content)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 1}', '{"format": 1, "train": 3, "validation": [], "test": []}', '{"format": 9}']
)
def test_digests_that_cannot_be_read_are_a_sentence_and_not_taken_for_none(trained, text):
    folder = trained.taken_away(True)
    (folder / DIGESTS).write_text(text)
    with pytest.raises(DataError, match=r"digests\.json"):
        scored(folder, trained.photos)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("network", ["run", "digests", "nothing"])
def test_each_picture_is_opened_once_and_unreadable_ones_are_named(trained, monkeypatch, tmp_path, network, packed):
    opened: Counter[str] = Counter()
    decode = sources.decode

    def counted(data: bytes, name: str):
        opened[name] += 1
        return decode(data, name)

    monkeypatch.setattr(sources, "decode", counted)
    data = renamed(trained)
    if packed:
        with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
            for path in data.rglob("*.png"):
                archive.write(path, path.relative_to(data))
            archive.writestr("cats/broken.png", b"no picture")
        data = tmp_path / "photos.zip"
    folder = trained.run if network == "run" else trained.taken_away(network == "digests")
    result = scored(folder, data)
    assert len(opened) == 42 + packed
    assert set(opened.values()) == {1}
    assert [line.split(":")[0] for line in result.passed_over] == ["cats/broken.png"] * packed


def test_of_its_own_data_only_the_test_pictures_are_opened(trained, monkeypatch):
    opened: Counter[str] = Counter()
    decode = sources.decode

    def counted(data: bytes, name: str):
        opened[name] += 1
        return decode(data, name)

    monkeypatch.setattr(sources, "decode", counted)
    scored(trained.run, trained.photos)
    tests = {name for name, _ in trained.split.test}
    assert {name: opened[name] for name in tests} == dict.fromkeys(tests, 1)
    assert sum(opened.values()) <= len(tests) + 1  # one to see that these are its own


def test_its_own_data_with_a_picture_missing_or_changed_is_said(trained):
    folder = trained.root / "changed"
    for path in trained.photos.rglob("*.png"):
        target = folder / path.relative_to(trained.photos)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    test = folder / trained.split.test[0][0]
    draw(test, 999)
    with pytest.raises(DataError, match="is another picture than when the data were split"):
        scored(trained.run, folder)
    test.unlink()
    with pytest.raises(DataError, match="is not in changed"):
        scored(trained.run, folder)


# ------------------------------------------------------------------------------------------------ faces

ASTRONAUT = Path(__file__).resolve().parents[1] / "sample_images" / "astronaut.jpg"


def save(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)


@pytest.fixture(scope="module")
def of_faces(trained) -> Path:
    """The network of cats and dogs, said to be for faces."""
    folder = trained.root / "faces"
    folder.mkdir()
    (folder / "model.keras").write_bytes((trained.run / "model.keras").read_bytes())
    card = json.loads((trained.run / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"task": "face", "labels": ["happy", "sad"]}))
    return folder


@pytest.fixture(scope="module")
def whole_photos() -> dict[str, Pixels]:
    """Photos by name; in each the largest face, which their class is of, lies in the part given, if there is one."""
    astronaut = decode(ASTRONAUT.read_bytes(), "").pixels
    head = astronaut[30:230, 130:330]
    two = np.zeros((300, 500, 3), np.uint8)
    two[:100, :100] = cv2.resize(head[:, ::-1], (100, 100), interpolation=cv2.INTER_AREA)
    two[100:300, 300:500] = head
    nothing = np.full((200, 200, 3), 90, np.uint8)
    return {
        "happy/one.png": astronaut,
        "happy/two.png": two,
        "happy/none.png": nothing,
        "sad/mirrored.png": astronaut[:, ::-1],
        "sad/dark.png": astronaut // 3,
        "sad/none.png": nothing + 1,
        "sad/none too.png": nothing + 2,
    }


@pytest.mark.parametrize("how", ["digests", "card"])
@pytest.mark.parametrize("left_out", [(), ("sad/dark.png",), ("sad/none.png", "happy/one.png")])
def test_of_whole_photos_the_largest_face_is_scored_and_one_not_found_counts_as_wrong(
    of_faces, whole_photos, tmp_path, left_out, how
):
    """left_out: photos that the network was trained on. how: that is known."""
    from cnnviz.networks import faces  # noqa: PLC0415
    from cnnviz.networks.predict import probabilities  # noqa: PLC0415

    for name, pixels in whole_photos.items():
        save(tmp_path / "photos" / name, pixels)
    if left_out:
        known = [digest(whole_photos[name]) for name in left_out]
        shutil.copytree(of_faces, tmp_path / "net")
        content = {"format": 1, "train": known, "validation": [], "test": []}
        if how == "digests":
            (tmp_path / "net" / DIGESTS).write_text(json.dumps(content))
        else:
            card = json.loads((tmp_path / "net" / "card.json").read_text())
            card["data"]["not_scored_on"] = dict.fromkeys(known, "a row of its data")
            (tmp_path / "net" / "card.json").write_text(json.dumps(card))
    result = scored(tmp_path / "net" if left_out else of_faces, tmp_path / "photos")

    model = fitting.load(of_faces / "model.keras")
    confusion, missing = [[0, 0], [0, 0]], [0, 0]
    for name, pixels in whole_photos.items():
        if name in left_out:
            continue
        truth = ("happy", "sad").index(name.split("/")[0])
        found = faces.find(np.ascontiguousarray(pixels))
        if not found:
            missing[truth] += 1
            continue
        if name == "happy/two.png":
            found = [one for one in found if one.box[0] > 300]  # the larger one
        seen = SEEN.picture(crop(np.ascontiguousarray(pixels), found[0]))
        confusion[truth][int(probabilities(model, seen[None], SEEN)[0].argmax())] += 1
    assert result.faces_found
    assert result.left_out == len(left_out)
    assert ("may contain training pictures" in result.on) is (not left_out or how == "card")
    assert str(7 - len(left_out)) in result.on
    assert result.scores.n == 7 - len(left_out)
    assert [list(row) for row in result.scores.confusion] == confusion
    assert list(result.scores.unanswered) == missing
    assert sum(missing) == 3 - ("sad/none.png" in left_out)
    assert result.scores.right == confusion[0][0] + confusion[1][1]
    assert result.passed_over == ()


def test_of_several_faces_the_largest_is_cut_out(whole_photos):
    from cnnviz.networks import faces  # noqa: PLC0415

    two = whole_photos["happy/two.png"]
    small, large = faces.find(two)
    assert large.box[2] > 1.5 * small.box[2]
    assert (_largest_face(two) == crop(two, large)).all()
    assert _largest_face(whole_photos["sad/none.png"]) is None


@pytest.mark.parametrize("side", [8, 16])
def test_small_pictures_are_faces_already(of_faces, whole_photos, tmp_path, side):
    """Up to twice the input's size nothing is looked for: so are the pictures that such networks learn from."""
    for name, pixels in whole_photos.items():
        save(tmp_path / name, cv2.resize(pixels, (side, side)))
    result = scored(of_faces, tmp_path)
    assert not result.faces_found
    assert (result.scores.n, result.scores.unanswered) == (7, ())


def test_photos_without_a_single_face_cannot_be_scored(of_faces, tmp_path):
    for number in range(4):
        save(tmp_path / ("happy", "sad")[number % 2] / f"{number}.png", np.full((100, 100, 3), 60 * number, np.uint8))
    with pytest.raises(DataError, match=r"In none of the 4 pictures of .* a face was found"):
        scored(of_faces, tmp_path)


def test_no_network_for_faces_is_scored_where_faces_are_off(of_faces, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNVIZ_FACES", "off")
    with pytest.raises(CardError) as refused:
        scored(of_faces, tmp_path)
    assert str(refused.value) == OFF
