"""What is said of a run that ended before its last epoch was scored: why, and what can be done with it now."""

from contextlib import suppress

from cnnviz.training.config import ConfigError
from cnnviz.training.record import RecordError, Run

STOPPED = "Stopped."
INTERRUPTED = "The program that had started this run ended."
GAVE_WAY = "Stopped after ten paused minutes because others were waiting."
TOO_LONG = "Stopped because it took much longer than allowed here."
KILLED = (
    "The system ended this run's process, most likely because memory ran out; if it happens again, choose a smaller "
    "batch or network."
)
FULL = "The disk is full; free some space."
MEMORY = "The memory was not enough; choose a smaller network, batch or picture size."
WAITED = "This run's turn had not come when the program that would have started it ended. Start it again."
NEEDS_MEMORY = "There is not enough memory free for this run now, so it waits until others are done."
NOT_BEGUN = "Taken out of the line before its turn; it can be started again."


def ending(run: Run, why: str) -> str:
    """Why the run ended and, as far as it came, what can be done with it: one or two sentences."""
    done, epochs = run.epochs_done(), 0
    with suppress(RecordError, ConfigError):
        epochs = run.config().epochs
    if not done:
        return f"{why} No epoch was whole yet: start it again."
    if done >= epochs > 0:
        return f"{why} All epochs are done: score the network as it is."
    return f"{why} Go on from the last whole epoch, or score the network as it is."


def last_words(run: Run, state: str, message: str) -> None:
    """Say what became of a run that no process works on, as far as its directory is there."""
    with suppress(RecordError, OSError):
        run.set_state(state=state, message=message, pid=0, paused=False)
        run.append("end", state=state, message=message)
