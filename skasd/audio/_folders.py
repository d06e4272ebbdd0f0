"""Folders of recordings: what counts as one, and which are named as anomalous."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

SUFFIXES = (
    *(".wav", ".wave", ".bwf", ".rf64", ".w64"),
    *(".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".voc", ".sph"),
)
"""Names of recordings that libsndfile reads end so."""

UNREADABLE = (".m4a", ".aac", ".wma", ".amr", ".ape", ".wv", ".spx")
"""Recordings that it cannot read: each is named as one that cannot be, and not passed over."""

ANOMALOUS = re.compile("anomal(y|ies|ous)|abnormal|fault(s|y)?|defect(s|ive)?|unhealthy")
"""Words for anomalous clips in the names of files and folders, in lower case; of a broken clip,
the file may be meant."""

NEGATIONS = {"no", "non", "not", "without"}


def is_recording(path: str) -> bool:
    """Tell whether a file of a folder counts as a recording.

    Parameters
    ----------
    path : str
        What the folder lists.

    Returns
    -------
    bool
        Whether it is a file, or a link to one, that a recording's name ends so and no dot begins,
        as those that systems hide or keep beside a file of another system. A link that leads
        nowhere counts as well, unless its name ends otherwise: it may have been one, or a folder
        of them.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skasd.audio._folders import is_recording
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     names = ["fan.WAV", "._fan.WAV", "fan.txt"]
    ...     for name in names:
    ...         Path(folder, name).touch()
    ...     [is_recording(f"{folder}/{name}") for name in names]
    [True, False, False]
    """
    name = os.path.basename(path)
    if name.startswith("."):
        return False
    suffix = os.path.splitext(name)[1].lower()
    if suffix in SUFFIXES or suffix in UNREADABLE:
        return os.path.isfile(path) or _leads_nowhere(path)
    return not suffix and _leads_nowhere(path)


def find_clips(paths: Iterable[Path]) -> list[str]:
    """List recordings: files as they are named, and those of folders, sorted.

    Parameters
    ----------
    paths : iterable of Path
        Files and folders. Links of a folder are followed, and nothing in it that is hidden is
        listed; a folder that two names lead to is listed under one of them.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If a folder holds no recording.
    OSError
        If a folder, or one in it, cannot be read.
    """
    clips: list[str] = []
    for path in paths:
        clips += _clips_of_folder(path) if os.path.isdir(path) else [str(path)]
    return clips


def find_healthy_clips(paths: Sequence[Path], *, take_all: bool = False) -> list[str]:
    """List recordings as `find_clips` does, of which none may be named as anomalous.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders of a healthy machine.
    take_all : bool, default=False
        Whether to take all clips, whatever their names.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If a file's name, or that of a folder, says that clips are anomalous, or a folder ``test``
        is beside a folder ``train``.
    OSError
        If a folder, or one in it, cannot be read.
    """
    found = [(path, find_clips([path])) for path in paths]
    clips = [clip for _, each in found for clip in each]
    if take_all:
        return clips
    folders = {folder for clip in clips for folder in PurePath(clip).parents}
    tests = {each for each in folders if each.name == "test" and each.with_name("train") in folders}
    others = [
        clip
        for path, each in found
        for clip in each
        if tests.intersection(PurePath(clip).parents) or _is_anomalous(clip, path)
    ]
    if others:
        raise ValueError(_refusal(clips, others))
    return clips


def _is_anomalous(clip: str, path: Path) -> bool:
    """Go by all names below the folder, and by its own if it is nothing but such a word."""
    folder = path.parent if clip == str(path) else path
    below = PurePath(clip).parts[len(folder.parts) :]
    return bool(ANOMALOUS.fullmatch(folder.name.lower())) or any(map(says_anomalous, below))


def _refusal(clips: list[str], others: list[str]) -> str:
    some = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    mixed = {os.path.dirname(clip) for clip in others}
    healthy = sorted({os.path.dirname(clip) for clip in clips} - mixed)
    return (
        f"{len(others)} of {len(clips)} clips are not of a healthy machine, or are to be tested "
        f"on, by their names or those of their folders: {some}. Pass the healthy clips alone"
        f"{f', such as {healthy[0]}' if healthy else ''}; --all takes all of them."
    )


def says_anomalous(name: str) -> bool:
    """Tell whether the name of a file or folder says that its clips are anomalous.

    Parameters
    ----------
    name : str
        Without the folders above.

    Returns
    -------
    bool

    Examples
    --------
    >>> from skasd.audio._folders import says_anomalous
    >>> says_anomalous("section_00_source_test_anomaly_0001.wav"), says_anomalous("normal_id_00")
    (True, False)
    >>> says_anomalous("AnomalousSound_IND"), says_anomalous("no_fault_found.wav")
    (True, False)
    """
    words = [each.lower() for each in re.findall("[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]
    return any(
        ANOMALOUS.fullmatch(word) and before not in NEGATIONS and after not in ("free", "less")
        for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False)
    )


def _leads_nowhere(path: str) -> bool:
    return os.path.islink(path) and not os.path.exists(path)


def _clips_of_folder(root: Path) -> list[str]:
    clips: list[str] = []
    others: Counter[str] = Counter()
    for path in _walk(str(root)):
        if is_recording(path):
            clips.append(path)
        elif not os.path.basename(path).startswith("."):
            others[os.path.splitext(path)[1].lower() or "unnamed"] += 1
    if not clips:
        raise ValueError(
            f"{root} holds no recording, whose name ends in one of {', '.join(SUFFIXES)}. "
            + (f"It holds {_counted(others)} files." if others else "It holds no other file.")
        )
    return sorted(clips)


def _walk(root: str) -> Iterator[str]:
    """List what is in a folder and those below, but for folders; links to folders come last."""
    seen = set()
    folders: list[str] = [root]
    linked: list[str] = []
    while folders or linked:
        folder = folders.pop() if folders else linked.pop(0)
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for name in sorted(os.listdir(folder)):
            path = str(Path(folder, name))
            if not os.path.isdir(path):
                yield path
            elif not name.startswith("."):
                (linked if os.path.islink(path) else folders).append(path)


def _counted(suffixes: Counter[str]) -> str:
    return ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(5))
