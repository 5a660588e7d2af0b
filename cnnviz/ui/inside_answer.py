"""The answer of a network as /inside shows it: classes with logits and probabilities, and what they were before."""

from math import isfinite, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.cards import Card
from cnnviz.display import number
from cnnviz.graph import Answer
from cnnviz.ui.inside_words import percent

Floats = NDArray[np.float64]

_MOST_CLASSES = 20


def answer_part(
    answer: Answer,
    before: Answer | None,
    threshold: float | None,
    faceless: bool = False,
) -> dict[str, Any]:
    """The answer. before: that of the whole network, where something is switched off.

    faceless: a network for faces was given none, so that no answer is to be trusted.
    """
    shares = None if answer.probabilities is None else np.asarray(answer.probabilities, np.float64)
    was = None if before is None or before.probabilities is None else before.probabilities
    ranked = np.asarray(answer.logits if shares is None else shares if was is None else was, np.float64)
    count = len(answer.labels)
    if ranked.size < count:
        ranked = np.zeros(count)
    places = [int(one) for one in np.argsort(-np.nan_to_num(ranked, nan=-np.inf), kind="stable")[:_MOST_CLASSES]]
    if answer.chosen not in places:
        places.append(answer.chosen)
    single = len(answer.logits) == 1
    classes = []
    for place in places:
        share = None if shares is None else float(shares[place])
        logit = float(answer.logits[0]) * (1 if place else -1) if single else float(answer.logits[place])
        words = f"{answer.labels[place]}: "
        words += f"logit {number(logit)}" + ("" if share is None else f", probability {number(share)}")
        if was is not None:
            words += f", before {number(float(was[place]))}"
        classes.append(
            {
                "number": place,
                "label": answer.labels[place],
                "share": share if share is None or isfinite(share) else None,
                "before": None if was is None or not isfinite(was[place]) else float(was[place]),
                "value": _short(share),
                "logit": f"logit {number(logit, 3)}",
                "words": words,
            }
        )
    title, first = _said(answer, shares, threshold, faceless)
    return {
        "title": title,
        "note": _note(answer, before),
        "chosen": answer.chosen,
        "first": first,
        "classes": classes,
    }


def mean(card: Card, both: Floats, mirrored: bool, switch: bool) -> str:
    """What a network answers that looks at the mirror image, too: both, the mean (classes,), as Classify has it.

    mirrored: the pass that is shown is over the mirror image. switch: the page has one for the other pass.
    """
    best = int(both.argmax())
    doubt = f", not sure (under {number(card.sure_from, 2)})" if both[best] < card.sure_from else ""
    other = "the picture as it is" if mirrored else "its mirror image"
    where = " (see the switch Mirrored)" * switch
    return (
        f"The network’s answer is the mean of this and of what it says to {other}{where}: {card.labels[best]}, "
        f"{percent(float(both[best]))}{doubt}."
    )


def _short(share: float | None) -> str:
    if share is None:
        return ""
    if isnan(share):
        return "NaN"
    if 0.9995 <= share < 1:
        return "> 0.999"
    return f"{share:.3f}" if share >= 0.0005 else "< 0.001"


def _said(answer: Answer, shares: Any, threshold: float | None, faceless: bool) -> tuple[str, int]:
    if np.isnan(answer.logits if shares is None else shares).all():
        return "Answer: none, the network computes NaN (not a number)", -1
    if shares is None or not np.isfinite(shares).any():
        return "Answer: no probabilities", -1
    first = int(np.nanargmax(shares))
    share = float(shares[first])
    doubt = ""
    if faceless:
        doubt = " · means nothing: no face was found"
    elif threshold is not None and share < threshold:
        doubt = f" · not sure (under {number(threshold, 2)})"
    return f"Answer: {answer.labels[first]}, {percent(share)}{doubt}", first


def _note(answer: Answer, before: Answer | None) -> str:
    of = {"softmax": "Softmax makes shares of the logits that add up to 1.", "sigmoid": "Sigmoid makes the logit one "
          "probability; the rest to 1 is the other class’s."}.get(answer.activation, "")  # fmt: skip
    ticks = " The tick on each bar is what the whole network says." if before is not None else ""
    closed = f" It has to call one of its {len(answer.labels)} classes, whatever it is shown."
    return f"{of}{closed}{ticks}".strip()
