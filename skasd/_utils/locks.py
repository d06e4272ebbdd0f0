"""Locks on open files, whatever names lead to them."""

import os
import sys
from typing import Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_FAR = 2**31 - 2
"""A byte of which nothing is read: on Windows, nobody else may read what is locked."""


def try_to_lock(file: Any) -> bool:
    """Lock a file until it is closed, or its process ends.

    Parameters
    ----------
    file : file
        Open for writing.

    Returns
    -------
    bool
        False if it is locked already, by another process or through another open file.

    Raises
    ------
    OSError
        If the file system has no locks.

    Examples
    --------
    >>> import tempfile
    >>> from skasd._utils.locks import try_to_lock
    >>> with tempfile.NamedTemporaryFile() as file, open(file.name, "ab") as again:
    ...     try_to_lock(file), try_to_lock(again)
    (True, False)
    """
    try:
        if sys.platform == "win32":
            position = file.seek(0, os.SEEK_CUR)
            file.seek(_FAR)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            finally:
                file.seek(position)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
