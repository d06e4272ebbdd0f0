"""What a page says of each anomalous clip."""

import os
from base64 import b64encode
from io import BytesIO
from typing import Any, NamedTuple

from skasd.audio._clips import Clip, Clips
from skasd.exceptions import AudioError
from skasd.inspection._error_map_display import ErrorMapDisplay
from skasd.inspection._explanation import Explanation, explain
from skasd.inspection._nearest_clips import HealthyClips
from skasd.report._batch import Batch, Row
from skasd.report._sounds import Sound, Sounds
from skasd.report._text import in_folder

N_NEAREST = 2
SIZE_INCHES, DOTS_PER_INCH = (5.6, 6.8), 120


class Neighbor(NamedTuple):
    """A healthy clip beside an anomalous one."""

    name: str
    sound: Sound


class OddClip(NamedTuple):
    """What a page says of an anomalous clip.

    Parameters
    ----------
    row : Row
        The clip.
    explanation : Explanation or None
        None if there is none.
    problem : str
        Why there is none.
    picture : str
        The maps, as an image in the page; empty without an explanation.
    sound : Sound
        What is played of it.
    neighbors : list of Neighbor
        Healthy clips that it is the most like, the nearest first.
    """

    row: Row
    explanation: Explanation | None
    problem: str
    picture: str
    sound: Sound
    neighbors: list[Neighbor]


def odd_clips(
    detector: Any, batch: Batch, n_explained: int, *, healthy: "Clips | None", n_jobs: int | None
) -> tuple[list[OddClip], list[AudioError]]:
    """Explain the oddest anomalous clips of a batch.

    Parameters
    ----------
    detector : fitted detector
        It takes clips.
    batch : Batch
        The batch.
    n_explained, healthy, n_jobs
        See `write_report`.

    Returns
    -------
    odd : list of OddClip
        The oddest first.
    unread : list of AudioError
        What is wrong with healthy clips that could not be compared with.
    """
    rows = batch.anomalous[:n_explained]
    if not rows:
        return [], []
    others = None if healthy is None else HealthyClips(detector, healthy, n_jobs=n_jobs)
    sounds = Sounds(detector)
    odd = [_odd_clip(detector, row, others, sounds) for row in rows]
    return odd, [] if others is None else others.failures


def _odd_clip(detector: Any, row: Row, others: HealthyClips | None, sounds: Sounds) -> OddClip:
    assert row.clip is not None
    explanation, problem, picture, middle = None, "", "", 0.0
    try:
        explanation = explain(detector, row.clip)
    except ValueError as error:
        # Of a detector that can say nothing of its clips, or a file that is gone by now.
        problem = str(error)
    else:
        picture = f"data:image/webp;base64,{b64encode(draw(explanation)).decode()}"
        middle = sum(explanation.spans[0]) / 2
    sound = sounds.sound_of(row.clip, middle)
    neighbors = [] if others is None else _neighbors_of(row.clip, others, sounds)
    return OddClip(row, explanation, problem, picture, sound, neighbors)


def _neighbors_of(clip: Clip, others: HealthyClips, sounds: Sounds) -> list[Neighbor]:
    try:
        nearest = others.nearest(clip, N_NEAREST + 1)
    except AudioError:
        return []
    found = [index for index in nearest if not _same(others.clips[index], clip)]
    _, names = in_folder([each.name for each in others.clips])
    return [
        Neighbor(names[index], sounds.sound_of(others.clips[index])) for index in found[:N_NEAREST]
    ]


def _same(one: Clip, other: Clip) -> bool:
    if isinstance(one.source, str) and isinstance(other.source, str):
        return os.path.realpath(one.source) == os.path.realpath(other.source)
    return one.source is other.source


def draw(explanation: Explanation) -> bytes:
    """Draw the maps as WebP, which is a fifth of a PNG's size.

    Parameters
    ----------
    explanation : Explanation
        Of a clip.

    Returns
    -------
    bytes
        The file.
    """
    from matplotlib.figure import Figure

    # Not with pyplot, which keeps every figure.
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    ErrorMapDisplay(explanation).plot(axes=figure.subplots(3, 1, sharex=True, sharey=True))
    file = BytesIO()
    figure.savefig(file, format="webp", dpi=DOTS_PER_INCH, pil_kwargs={"quality": 85})
    return file.getvalue()
