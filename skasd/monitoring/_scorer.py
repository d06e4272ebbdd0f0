"""The score of one window or file, or the reason why it has none."""

import math
import os
from pathlib import Path
from typing import Any

from skasd._steps import first_steps, training_recordings
from skasd.audio._clips import Clip, check_clip
from skasd.audio._looking import remarks_on, seconds_of, warn_of_remarks
from skasd.audio._training_recordings import TrainingRecordings
from skasd.ensemble._members import lengths_count
from skasd.exceptions import AudioError
from skasd.monitoring._arrivals import find_clip
from skasd.monitoring._detector_input import find_input
from skasd.monitoring._monitor_event import ClipFile


class Scorer:
    """Score windows and files one by one, and go on if one of them cannot be scored.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        The detector that listens.

    Raises
    ------
    ValueError
        If its steps disagree on what they are given.
    """

    def __init__(self, detector: Any):
        self._detector = detector
        self._input = find_input(detector)
        self._recordings = training_recordings(detector)

    def score(self, clip: Clip | str) -> tuple[float, str | None]:
        """Score a window of a stream, or a file.

        Parameters
        ----------
        clip : Clip or str
            The window, or the path of the file.

        Returns
        -------
        score : float
            Higher is more normal.
        error : str or None
            Why there is no score; it is then NaN or infinite.

        Warns
        -----
        RecordingWarning
            If a file is unlike those that the detector was fitted on.
        """
        try:
            if isinstance(clip, Clip):
                handed_on = self._input(clip)
            else:
                handed_on = clip if self._recordings is None else check_clip(clip, 0)
            score = float(self._detector.score_samples([handed_on])[0])
            if isinstance(clip, str) and self._recordings is not None:
                self._look_at(handed_on, self._recordings)
        except AudioError as error:
            # The event says itself which window it is of.
            return math.nan, error.problem if isinstance(clip, Clip) else str(error)
        except (ValueError, OSError) as error:
            return math.nan, str(error)
        return score, None if math.isfinite(score) else f"its score is {score}"

    def score_arrival(self, folder: Path, clip: ClipFile) -> tuple[ClipFile, float, str | None]:
        """Score a file that may vanish or change at any time.

        Parameters
        ----------
        folder : Path
            Where it has arrived.
        clip : ClipFile
            The file, as it was last seen.

        Returns
        -------
        clip : ClipFile
            As given; of size 0 if it has vanished, so that it is new if it comes back.
        score, error
            See `score`. A score with an error does not count.
        """
        path = folder / clip.name
        score, error = self.score(os.fspath(path))
        found = find_clip(path)
        if found is None and error is not None:
            return ClipFile(clip.name, 0, 0), math.nan, "it vanished before it was read"
        if found not in (None, clip):
            error = "it changed while it was read, and is scored once it stays the same"
        return clip, score, error

    def _look_at(self, clip: Clip, recordings: TrainingRecordings) -> None:
        """Refuse a verdict on a file that is too short for one; warn of one unlike the training."""
        listener = first_steps(self._detector)[0]
        if lengths_count(self._detector):
            recordings.check_length(clip.name, seconds_of(clip, listener))
        warn_of_remarks(remarks_on([clip], listener, recordings), 1)
