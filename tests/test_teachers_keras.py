"""Teachers: their mean answer, by picture and mirror image, and a sentence for a network that cannot teach."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")

from cnnviz import layers  # noqa: E402
from cnnviz.data.preprocessing import Preprocessing  # noqa: E402
from cnnviz.layer_kinds import Conv2D, Dense, Flatten, Sigmoid, Softmax  # noqa: E402
from cnnviz.networks import fitting  # noqa: E402
from cnnviz.training import teachers  # noqa: E402
from cnnviz.training.config import Augmentation, ConfigError, TrainingConfig  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
SEEN = Preprocessing(6, 6)
PICTURES = np.random.default_rng(1).integers(0, 256, (5, 6, 6, 3)).astype(np.uint8)
ENDS = {3: (Dense(3), Softmax()), 2: (Dense(2), Softmax()), 1: (Dense(1), Sigmoid())}


def network(outputs: int, seed: int, side: int = 6):
    return fitting.make((Conv2D(2, 3), Flatten(), *ENDS[outputs]), (side, side, 3), seed)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """name -> path: two networks of three outputs, two of one, one that takes other pictures, one that is none."""
    folder = tmp_path_factory.mktemp("teachers")
    made = {"a": (3, 1), "b": (3, 2), "one a": (1, 3), "one b": (1, 4), "wide": (3, 5, 8)}
    others = ("no network", "not there", "empty zip", "cut off", "two answers", "logits", "other order", "other scale")
    for name, what in made.items():
        fitting.save_plain(network(*what), folder / f"{name}.keras")
    (folder / "no network.keras").write_bytes(b"PK")
    with zipfile.ZipFile(folder / "empty zip.keras", "w") as empty:
        empty.writestr("metadata.json", "{}")
    whole = (folder / "a.keras").read_bytes()
    (folder / "cut off.keras").write_bytes(whole[: len(whole) // 2])
    picture = keras.Input(SEEN.shape)
    flat = keras.layers.Flatten()(picture)
    keras.Model(picture, [keras.layers.Dense(3)(flat), keras.layers.Dense(3)(flat)]).save(folder / "two answers.keras")
    keras.Model(picture, keras.layers.Dense(3)(flat)).save(folder / "logits.keras")
    paths = {name: folder / f"{name}.keras" for name in (*made, *others)}
    for name, changes in (("other order", {"labels": ["y", "x", "z"]}), ("other scale", {"labels": list("xyz")})):
        (folder / name).mkdir()
        paths[name] = folder / name / "model.keras"
        paths[name].write_bytes(whole)
        card = json.loads((ROOT / "models" / "objects" / "card.json").read_text())
        seen = {"height": 6, "width": 6, "color": "rgb", "fit": "crop", "scale": "-1..1"}
        (folder / name / "card.json").write_text(json.dumps({**card, "scores": {}, "preprocessing": seen, **changes}))
    return {name: str(path) for name, path in paths.items()}


def config(teachers: str, outputs: int, flip: bool = False) -> TrainingConfig:
    layers_ = layers.to_json((Conv2D(4, 3), Flatten(), *ENDS[max(outputs, 2)]))
    return TrainingConfig("x", layers_, preprocessing=SEEN, teachers=teachers, augmentation=Augmentation(flip))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("names", "outputs"), [(["a"], 3), (["a", "b"], 3), (["one a", "one b"], 1)])
def test_answers_are_the_mean_over_teachers_and_mirror_images(files, names, outputs, flip):
    views = [PICTURES, PICTURES[:, :, ::-1]] if flip else [PICTURES]
    expected = np.mean(
        [
            np.asarray(fitting.load(files[name])(view.astype(np.float32) / 255, training=False))
            for name in names
            for view in views
        ],
        axis=0,
    )
    said = []
    given = config(" , ".join(files[name] for name in names), outputs, flip)
    found = teachers.answers(given, tuple("xyz"), PICTURES, outputs, lambda *what: said.append(what))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert said == [("asking the teachers", 5 * number, 5 * len(names)) for number in range(1, len(names) + 1)]


def test_without_teachers_there_are_no_answers():
    assert teachers.answers(config("", 3), tuple("xyz"), PICTURES, 3) is None


@pytest.mark.parametrize(
    ("name", "outputs", "sentence"),
    [
        ("not there", 3, r"The teacher '.*not there.keras' cannot be read: "),
        ("no network", 3, r"The teacher '.*no network.keras' cannot be read: "),
        ("empty zip", 3, r"The teacher '.*empty zip.keras' cannot be read: "),
        ("cut off", 3, r"The teacher '.*cut off.keras' cannot be read: "),
        ("two answers", 3, r"The teacher '.*two answers.keras' (cannot be read: |takes pictures)"),
        ("logits", 3, "gives numbers that are no probabilities; its last layer must be a softmax"),
        ("a", 2, r"takes pictures of 6 × 6 × 3 and gives 3 answers; .* takes 6 × 6 × 3 and gives 2\."),
        ("wide", 3, r"takes pictures of 8 × 8 × 3 and gives 3 answers; .* takes 6 × 6 × 3 and gives 3\."),
        (
            "other order",
            3,
            "knows the classes y, x, z; the network that it is to teach knows x, y, z, and they must be",
        ),
        (
            "other scale",
            3,
            r"sees 6 × 6 pixels, color, middle cropped, levels .1..1; the network that it is to teach sees",
        ),
    ],
)
def test_a_network_that_cannot_teach_is_named_in_a_sentence(files, name, outputs, sentence):
    with pytest.raises(ConfigError, match=sentence):
        teachers.answers(config(files[name], outputs), tuple("xyz"), PICTURES, outputs)
