"""What a fleet does for one machine, in whatever process."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
from joblib import parallel_config
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from skasd._sklearn import safe_indexing
from skasd._steps import calibrated, first_steps, training_recordings
from skasd.audio._clips import check_clip, check_sequence, iterate_clips
from skasd.audio._looking import misfits_in_words, remarks_on, seconds_of
from skasd.detection._base import check_scores
from skasd.ensemble._fitting import fit_in_domains
from skasd.ensemble._members import lengths_count, share_analyses

FIT_ERRORS = (ValueError, ArithmeticError, OSError, MemoryError)
"""What one machine's clips can cause: AudioError, LinAlgError and WeightsError are ValueErrors."""


class FleetTask(NamedTuple):
    """One machine: its detector and its clips.

    joblib's Dask backend leaves an argument of more than 1 kB with one worker, and the work is
    lost with that worker, unless the argument is a tuple: a tuple travels with the work.

    Parameters
    ----------
    machine : str
        Label of the machine.
    detectors : mapping of str to detector
        The machine's detector. It may be in a file, which is loaded where the work is done.
    X : clips, spectrograms or features
        Of this machine.
    y : array-like or None
        Labels of its clips.
    is_target : ndarray of shape (n_clips_of_machine,), bool, or None
        Which of its clips are from the target domain, if that is known.
    indices : ndarray of shape (n_clips_of_machine,)
        Which of all clips these are.
    in_turn : bool
        Whether what is within a detector runs one after the other, because machines run at the
        same time.
    """

    machine: str
    detectors: Mapping[str, BaseEstimator]
    X: Any
    y: ArrayLike | None
    is_target: np.ndarray | None
    indices: np.ndarray
    in_turn: bool

    def fit(self) -> tuple[str, BaseEstimator | None, str, str | None]:
        """Fit the detector; return it, or None and why not; and which clips do not fit others."""
        detector, misfits = self.detectors[self.machine], None
        try:
            with self._inner_parallelism():
                clips = self._clips(detector)
                if share_analyses(detector):
                    misfits = misfits_in_words(clips, first_steps(detector))
                fit_in_domains(detector, clips, self.y, self.is_target)
        except FIT_ERRORS as error:
            return self.machine, None, str(error) or type(error).__name__, None
        return self.machine, detector, "", misfits

    def score(self, method: str) -> tuple[np.ndarray, dict[str, str]]:
        """Call a method that returns a number for each clip; say which are unlike the training."""
        detector = self.detectors[self.machine]
        recordings = training_recordings(detector) if share_analyses(detector) else None
        with self._inner_parallelism():
            clips = self._clips(detector)
            if recordings is None:
                return self._call(detector, method, clips), {}
            listener = first_steps(detector)[0]
            if method in ("predict", "p_values") and lengths_count(detector):
                for clip in clips:
                    recordings.check_length(clip.name, seconds_of(clip, listener))
            # Scored before, a clip is known, and not read once more.
            numbers = self._call(detector, method, clips)
            return numbers, remarks_on(clips, listener, recordings)

    @staticmethod
    def _call(detector: Any, method: str, clips: Any) -> np.ndarray:
        if method != "p_values":
            return np.asarray(getattr(detector, method)(clips))
        # A pipeline does not pass this one on.
        scores = detector.score_samples(clips)
        check_scores(scores, clips)
        p_values: np.ndarray = calibrated(detector)._calibration.p_values(-scores)
        return p_values

    def _clips(self, detector: BaseEstimator) -> Any:
        """Return the clips; errors are to call an array by its place among all clips."""
        if not share_analyses(detector):
            return self.X
        clips = iterate_clips(self.X)
        return [check_clip(clip, i) for i, clip in zip(self.indices, clips, strict=True)]

    def _inner_parallelism(self) -> Any:
        return parallel_config(backend="sequential") if self.in_turn else nullcontext()


def check_machine(X: Any, machine_label: ArrayLike) -> np.ndarray:
    """Check that there is a label for each clip.

    Parameters
    ----------
    X : clips, spectrograms or features
        What is fitted or scored.
    machine_label : array-like of shape (n_clips,)
        Labels.

    Returns
    -------
    ndarray of shape (n_clips,), dtype object

    Raises
    ------
    TypeError
        If `X` or `machine_label` is a single one, or a label is not a string.
    ValueError
        If the numbers of clips and labels differ, or a label is empty.
    """
    check_sequence(X)
    if isinstance(machine_label, str):
        raise TypeError(
            f"machine_label is the single label {machine_label!r}. Pass one for each clip: "
            f"[{machine_label!r}] * {len(X)}."
        )
    labels = np.asarray(machine_label, dtype=object)
    if labels.shape != (len(X),):
        raise ValueError(
            f"machine_label has the shape {labels.shape}, and there are {len(X)} clips. Pass one "
            "label for each clip."
        )
    for index, label in enumerate(labels):
        if not isinstance(label, str):
            raise TypeError(
                f"machine_label is {label!r} for clip {index}. Labels are strings, such as "
                "'fan_id_00'."
            )
        if not label:
            raise ValueError(
                f"machine_label is empty for clip {index}. Labels are such as 'fan_id_00'."
            )
    return labels


def group_by_machine(labels: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Return the machines, sorted, and the indices of each one's clips.

    Parameters
    ----------
    labels : ndarray of shape (n_clips,)
        Label of the machine of each clip.

    Returns
    -------
    iterator of (str, ndarray of int)
        Machines and indices.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.ensemble._fleet_task import group_by_machine
    >>> dict(group_by_machine(np.array(["pump", "fan", "pump"], dtype=object)))
    {'fan': array([1]), 'pump': array([0, 2])}
    """
    machines, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    groups = np.split(np.argsort(inverse, kind="stable"), np.cumsum(counts)[:-1])
    return zip(machines.tolist(), groups, strict=True)


def rows(X: Any, indices: np.ndarray) -> Any:
    """Return the clips at these places; None of None."""
    return None if X is None else safe_indexing(X, indices)
