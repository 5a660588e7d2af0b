"""A lock on a file that the system lets go of when its holder ends, however it ends: so others know who is alive."""

import errno
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_PATIENCE = 0.5  # seconds in which somebody who only looks has surely let go


def take(path: Path) -> IO[bytes] | None:
    """Take the lock; it is kept until the file is closed or this process ends. None where another has it.

    OSError where the file cannot be made. On a file system without locks it is always given.
    """
    file = path.open("ab")
    give_up = time.monotonic() + _PATIENCE
    while not _try(file, shared=False):
        if time.monotonic() > give_up:
            file.close()
            return None
        time.sleep(0.01)
    return file


def taken(path: Path) -> bool:
    """Whether some process, this one included, has the lock."""
    with suppress(OSError), path.open("rb") as file:
        return not _try(file, shared=True)
    return False


def _try(file: IO[bytes], shared: bool) -> bool:
    try:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            if shared:
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        return sys.platform != "win32" and error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True
