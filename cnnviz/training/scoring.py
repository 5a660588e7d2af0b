"""The end of a run: the best network is scored once on the test pictures, and its card is written."""

from contextlib import suppress
from typing import Any

import numpy as np

from cnnviz import evaluation
from cnnviz.cards import Card, sure_from, write_card
from cnnviz.data.dataset import Dataset
from cnnviz.data.preprocessing import Preprocessing
from cnnviz.data.sources import FETCHED
from cnnviz.images import ImageError
from cnnviz.networks import fitting
from cnnviz.networks.baseline import baseline
from cnnviz.networks.predict import probabilities
from cnnviz.training import behind
from cnnviz.training.config import ConfigError, TrainingConfig
from cnnviz.training.prepare import Part, Prepared, Say, open_data
from cnnviz.training.record import Run

SURE = 0.95  # share of the right validation answers that the threshold accepts
MOST_FOREIGN = 1000  # foreign pictures looked at
_NOT_FOR = (
    "Decisions about people, safety or money. It knows its own classes only, and answers with one of them whatever "
    "it is shown."
)
_NOT_FOR_FACES = (
    "Reading real people: an expression is not a feeling, and in the EU inferring emotions at school or at work is "
    "forbidden (AI Act, Art. 5(1)(f)). Never tested by age, sex, skin color or camera, since its data do not say whose "
    "faces they are."
)


def finish(run: Run, config: TrainingConfig, prepared: Prepared, command: str, device: str, say: Say) -> Card:
    """Score model.keras and write card.json; the test pictures are used here and nowhere else."""
    model = fitting.load(run.network)
    labels, preprocessing = prepared.dataset.labels, config.input()
    train, validation, test = (prepared.parts[name] for name in ("train", "validation", "test"))
    say("scoring", 0, len(test.truth))
    training = {"command": command, "seed": config.seed, "device": device, "keras": fitting.VERSION}
    if config.calibrate and len(validation.truth):
        training["temperature"] = calibrate(model, validation, config)
        fitting.save_plain(model, run.network)
    answers = probabilities(model, validation.pictures, preprocessing, flip=config.mirror)
    threshold = evaluation.threshold(answers, validation.truth, SURE) if len(validation.truth) else None
    scores: dict[str, Any] = {"test": None}
    if len(validation.truth):
        scores["validation"] = evaluation.scores(answers, validation.truth, labels).to_json()
    if len(test.truth):
        answers = probabilities(
            model,
            test.pictures,
            preprocessing,
            flip=config.mirror,
            say=lambda done, total: say("scoring", done, total),
        )
        scores["test"] = evaluation.scores(answers, test.truth, labels).to_json()
        scores["sure"] = evaluation.accepted_by(answers, test.truth, sure_from(threshold))
        if config.mirror:
            alone = probabilities(model, test.pictures, preprocessing)
            scores["without_mirror"] = evaluation.scores(alone, test.truth, labels).to_json()
        behind.store_answers(run, answers, test.truth)
        if config.data in FETCHED:
            behind.store(run, test.pictures, answers, test.truth)
        scores["baseline"] = {
            "what": "mean brightness, chroma and contrast, logistic regression",
            "accuracy": baseline(train.pictures, train.truth, test.pictures, test.truth),
        }
    if prepared.dataset.references:
        scores["references"] = [
            {"what": one.what, "lowest": one.lowest, "highest": one.highest} for one in prepared.dataset.references
        ]
    if config.foreign and (found := foreign(model, config, preprocessing, sure_from(threshold), say)):
        scores["foreign"] = found
    card = Card(
        name=run.id,
        title=f"{prepared.dataset.name}: {', '.join(labels[:4])}{' …' if len(labels) > 4 else ''}"[:80],
        task=config.task,
        labels=labels,
        preprocessing=preprocessing,
        architecture=config.to_json()["architecture"],
        parameters=int(model.count_params()),
        data={
            "name": prepared.dataset.name,
            "licence": prepared.dataset.licence,
            **{name: len(part.truth) for name, part in prepared.parts.items()},
            "left_out": len(prepared.split.left_out),
            "seed": prepared.split.seed,
            "given": prepared.split.given,
        },
        scores=scores,
        threshold=threshold,
        training=training,
        not_for=f"{_NOT_FOR} {_NOT_FOR_FACES}" if config.task == "face" else _NOT_FOR,
        mirror=config.mirror,
    )
    write_card(card, run.card)
    return card


def calibrate(model: Any, validation: Part, config: TrainingConfig) -> float:
    """Scale a network's logits by the temperature that fits the validation pictures best, and return that.

    Where it answers with the mean over mirror images, so that this mean fits. ConfigError with a sentence where the
    network's end cannot be scaled.
    """
    pictures = validation.pictures
    sides = [pictures, np.ascontiguousarray(pictures[:, :, ::-1])] if config.mirror else [pictures]
    found = evaluation.temperature([probabilities(model, one, config.input()) for one in sides], validation.truth)
    try:
        fitting.temper(model, found)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return round(found, 4)


def foreign(
    model: Any, config: TrainingConfig, preprocessing: Preprocessing, threshold: float, say: Say
) -> dict[str, Any]:
    """How many pictures that belong to no class still pass the threshold; {} where there is no picture among them."""
    dataset: Dataset = open_data(config.foreign, config, None, say)
    chosen = np.random.default_rng(config.seed).permutation(len(dataset))[:MOST_FOREIGN]
    found = []
    for index in sorted(chosen.tolist()):
        with suppress(ImageError, OSError):
            found.append(preprocessing.picture(dataset.pixels(index)))
    if not found:
        return {}
    pictures = np.stack(found)
    answers = probabilities(model, pictures, preprocessing, flip=config.mirror)
    return {"name": dataset.name, "n": len(answers), "accepted": evaluation.accepted(answers, threshold)}
