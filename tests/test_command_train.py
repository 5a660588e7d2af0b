"""The command line of training without training: its help, and settings that are the page's."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import PATIENCE
from streamlit.testing.v1 import AppTest

from cnnviz import __main__ as command
from cnnviz import face, layers
from cnnviz.presets import PRESETS
from cnnviz.training import record
from cnnviz.training.config import Augmentation, TrainingConfig, usual
from cnnviz.training.record import RecordError, Run

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", command.main.commands)
def test_every_option_has_one_short_line_of_help(name: str):
    for option in command.main.commands[name].params:
        if option.param_type_name == "option":
            line = getattr(option, "help", None) or ""
            assert 10 < len(line) <= 90, option.name
            assert line.endswith((".", "]")), option.name


def test_every_setting_is_an_option_of_train():
    options = {option.name for option in command.main.commands["train"].params}
    settings = {one.name for of in (TrainingConfig, Augmentation) for one in fields(of)}
    assert settings - options == {"data", "preprocessing", "augmentation"}
    assert {"source", "size"} <= options


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("train --data /home/some,body/photos --out runs/a", "train --data photos --out a"),
        ("train --teachers /x/a.keras,b.keras,../c.keras --flip", "train --teachers a.keras,b.keras,c.keras --flip"),
        ("train --labels happy,sad", "train --labels happy,sad"),
    ],
)
def test_a_card_shows_of_each_path_the_last_part_only(given: str, shown: str):
    assert command._shown(given.split()) == shown.split()


@pytest.mark.parametrize("alone", [False, True])
def test_a_file_of_layers_is_a_network(tmp_path: Path, alone: bool):
    written = layers.to_json(PRESETS["tiny"].layers)
    (tmp_path / "net.json").write_text(json.dumps(written["layers"] if alone else written))
    assert layers.from_json(command._layers(str(tmp_path / "net.json"))) == PRESETS["tiny"].layers


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[TrainingConfig]:
    """The settings that were asked for, on the command line or on the page; nothing is trained."""
    found: list[TrainingConfig] = []

    def create(_root: Path, config: TrainingConfig, *_: Any, **__: Any) -> Run:
        found.append(config)
        raise RecordError("This test trains nothing.")

    monkeypatch.setattr(record, "create", create)
    return found


def on_the_command_line(*words: str) -> None:
    done = CliRunner().invoke(command.main, ["train", *words])
    assert "This test trains nothing." in done.output


@pytest.mark.pages
@pytest.mark.parametrize(
    ("words", "query"),
    [
        ((), {}),
        (("--architecture", "system-b"), {"network": "system-b"}),
        (("--architecture", "objects", "--epochs", "3"), {"network": "objects", "epochs": "3"}),
        (("--optimizer", "sgd"), {"optimizer": "sgd"}),
        (("--data", "digits"), {"data": "digits"}),
    ],
)
def test_page_and_command_line_start_with_the_same_settings(asked, words, query):
    on_the_command_line(*(() if "--data" in words else ("--data", "drawn-faces")), *words)
    app = AppTest.from_file(ROOT / "app.py", default_timeout=PATIENCE)
    app.query_params.update(query)
    app.session_state["owner"] = "0" * 32
    app.switch_page("pages/train.py").run().button(key="train").click().run()
    here, page = asked
    assert replace(page, minutes=0.0) == here  # a server bounds the minutes
    assert page.minutes > 0


@pytest.mark.parametrize(
    ("switch", "words", "refused"),
    [
        ("off", ("--task", "face"), True),
        ("no", ("--task", "face"), True),  # any other word counts as off
        ("off", ("--task", "face", "--architecture", "emotions"), True),
        ("off", ("--task", "picture", "--architecture", "emotions"), False),
        ("off", ("--architecture", "happy-sad"), False),
        ("on", ("--task", "face"), False),
        ("", ("--task", "face"), False),  # the command line counts as this computer
    ],
)
def test_where_faces_are_off_no_network_for_them_is_trained(asked, monkeypatch, tmp_path, switch, words, refused):
    monkeypatch.setenv(face.SWITCH, switch)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command.main, ["train", "--data", "drawn-faces", *words])
    assert done.exit_code == 1
    assert (face.OFF in done.output) is refused
    assert [config.task for config in asked] == ([] if refused else [words[1] if "--task" in words else "picture"])
    assert list(tmp_path.iterdir()) == []


def test_where_faces_are_off_no_run_for_them_goes_on(monkeypatch, tmp_path):
    run = record.create(tmp_path, TrainingConfig("drawn-faces", task="face"), path=tmp_path / "mine")
    monkeypatch.setenv(face.SWITCH, "off")
    done = CliRunner().invoke(command.main, ["train", "--resume", "--out", str(run.path)])
    assert (done.exit_code, face.OFF in done.output) == (1, True)


@pytest.mark.pages
@pytest.mark.parametrize("network", ["emotions", "happy-sad", "system-c"])
@pytest.mark.parametrize(("switch", "made"), [("on", True), ("off", False)])
def test_the_page_makes_networks_for_whole_pictures_and_of_those_for_faces_none_where_they_are_off(
    asked, monkeypatch, network, switch, made
):
    monkeypatch.setenv(face.SWITCH, switch)
    app = AppTest.from_file(ROOT / "app.py", default_timeout=PATIENCE)
    app.query_params.update({"network": network, "task": "face"})
    app.session_state["owner"] = "0" * 32
    app.switch_page("pages/train.py").run()
    assert (face.OFF in [one.value.replace("\\", "") for one in app.caption]) is not made
    app.button(key="train").click().run()
    assert [(config.architecture, config.task) for config in asked] == [(network if made else "tiny", "picture")]


@pytest.mark.parametrize(
    ("data", "architecture", "optimizer", "expected"),
    [
        ("drawn-faces", "tiny", "adamw", (3000, 0.01, 0.0001)),
        ("drawn-shapes", "objects", "adam", (3000, 0.003, 0.0)),
        ("digits", "system-b", "sgd", (0, 0.001, 0.0)),
        ("", layers.to_json(PRESETS["objects"].layers), "adamw", (0, 0.003, 0.0001)),
        ("", layers.to_json(PRESETS["system-b"].layers), "adamw", (0, 0.001, 0.0001)),
        ("", "skynet", "adamw", (0, 0.003, 0.0001)),  # which TrainingConfig refuses
        ("", {"layers": 7}, "adamw", (0, 0.003, 0.0001)),
    ],
)
def test_what_is_usual_depends_on_data_network_and_optimizer(data, architecture, optimizer, expected):
    assert tuple(usual(data, architecture, optimizer).values()) == expected


def test_the_settings_defaults_are_the_usual_ones_of_the_default_network():
    config = TrainingConfig("digits")
    assert replace(config, **usual("digits", config.architecture, config.optimizer)) == config
