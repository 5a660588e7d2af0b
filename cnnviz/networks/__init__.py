"""Keras networks: the only folder that imports keras; the web server reaches it through the engine alone.

This file itself is free of Keras: it holds what both sides of the engine need.
"""

from pathlib import Path

MODEL = "model.keras"


class NetworkError(ValueError):
    """A network, or a place in it, that cannot be used. The message is one sentence for the user."""


def stamp(folder: str | Path) -> tuple[str, ...]:
    """What changes when the network in a folder changes: for keys of caches. NetworkError where there is none."""
    from cnnviz.cards import FILE  # not at the top: every server start would wait for it

    folder = Path(folder)
    try:
        seen = [(folder / file).stat() for file in (MODEL, FILE)]
    except OSError:
        raise NetworkError(
            f"The network {folder.name} is no longer there; it was deleted or moved. Choose another one."
        ) from None
    return (str(folder.absolute()), *(f"{one.st_mtime_ns} {one.st_size}" for one in seen))
