"""Put a finished run's network under models/: `python tools/ship.py RUN NAME --title TITLE`."""

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cnnviz.cards import FILE, read_card, write_card  # noqa: E402

MODELS = ROOT / "models"
NOT_SCORED_ON = "not_scored_on"  # of a card's data: digests of pictures that show what it was trained on
MOST_BYTES = 8_000_000  # of a network that ships; each version stays in the repository's history


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--title", required=True)
    parser.add_argument("--licence", default="", help="what is known of the rights in the data, one line")
    parser.add_argument("--not-for", default="", help="one more sentence on what it must not be used for")
    parser.add_argument("--started-from", default="", help="how the weights were made that training started from")
    # each time more that the test pictures were looked at: what is chosen by them is no test any more
    parser.add_argument("--look", nargs=3, action="append", default=[], metavar=("DATE", "WHAT", "ACCURACY"))
    given = parser.parse_args()
    card, network = read_card(given.run / FILE), given.run / "model.keras"
    if card.test is None:
        raise SystemExit("This run was not scored on test pictures, so it does not ship.")
    if network.stat().st_size > MOST_BYTES:
        raise SystemExit(f"The network takes {network.stat().st_size:,} bytes, more than the {MOST_BYTES:,} allowed.")
    folder = MODELS / given.name
    # the test pictures were looked at for its predecessor, too, and what shows its training pictures is still known
    before = read_card(folder / FILE) if (folder / FILE).exists() else None
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(network, folder / "model.keras")
    not_for = f"{card.not_for} {given.not_for}".strip()
    data = {**card.data, "licence": given.licence or card.data["licence"]}
    if before is not None and NOT_SCORED_ON in before.data:
        data.setdefault(NOT_SCORED_ON, before.data[NOT_SCORED_ON])
    training = {**card.training, **({"started_from": given.started_from} if given.started_from else {})}
    score = card.test.words()
    looks = [
        {**look, "what": _of_earlier(look["what"])}
        for look in (before.scores.get("looks", []) if before is not None else [])
    ]
    looks += [{"date": date, "what": what, "accuracy": float(accuracy)} for date, what, accuracy in given.look]
    scores = {**card.scores, **({"looks": looks} if looks else {})}
    card = replace(
        card, name=given.name, title=given.title, data=data, scores=scores, training=training, not_for=not_for
    )
    write_card(card, folder / FILE)
    print(f"{folder.name}: {score}")
    if card.task == "face":
        print(f"Now score it on whole photos: python tools/evaluate_faces.py --network {given.name} --mark")


def _of_earlier(what: str) -> str:
    """What was looked at, as the card of the network after it says so."""
    what = what.removeprefix("this network, ")
    return what if what.startswith(("an earlier ", "a further ", "one more ")) else f"an earlier network, {what}"


if __name__ == "__main__":
    main()
