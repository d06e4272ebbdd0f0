"""Clips that arrive in a folder."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from skasd.audio._folders import is_recording
from skasd.monitoring._monitor_event import ClipFile


def find_clip(path: Path) -> ClipFile | None:
    """Return the name, size and time of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    ClipFile or None
        None if there is no such file. A link that leads nowhere is described itself.
    """
    try:
        status = path.stat()
    except OSError:
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
    return ClipFile(path.name, status.st_size, status.st_mtime_ns)


def watch_arrivals(
    folder: Path,
    *,
    seen: Mapping[str, ClipFile],
    poll_seconds: float,
    once: bool,
    wait: Callable[[float], None],
) -> Iterator[ClipFile]:
    """Wait for clips, and yield each one once it is completely written.

    Parameters
    ----------
    folder : Path
        Where the clips arrive.
    seen : mapping of str to ClipFile
        Clips, by name, to pass over. The caller adds each clip that it takes.
    poll_seconds : float
        The argument that `wait` is called with between two looks.
    once : bool
        Whether to stop once all clips that were there at the first look have been yielded.
    wait : callable
        Takes `poll_seconds`, and returns after them.

    Yields
    ------
    ClipFile
        A clip that has the same size and time in two looks, or has vanished after the first of
        them. Clips come in the order of arrival; of those that arrive between two looks, the
        oldest comes first.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    pending: dict[str, ClipFile] = {}
    is_first = True
    while True:
        found = _look(folder)
        for name, clip in list(pending.items()):
            if found.get(name) in (None, clip):
                del pending[name]
                yield clip
        for name, clip in found.items():
            if seen.get(name) != clip and (is_first or not once or name in pending):
                pending[name] = clip
        if once and not pending:
            return
        is_first = False
        wait(poll_seconds)


def _look(folder: Path) -> dict[str, ClipFile]:
    """List the clips in a folder, oldest first."""
    paths = [os.path.join(folder, name) for name in os.listdir(folder)]
    clips = [find_clip(Path(path)) for path in paths if is_recording(path)]
    found = [clip for clip in clips if clip is not None]
    return {clip.name: clip for clip in sorted(found, key=lambda clip: (clip.mtime_ns, clip.name))}
