"""Fit on clips, and score clips, of which some cannot be analyzed."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from joblib import delayed
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

from skasd._sklearn import StrOptions, validate_params
from skasd._steps import (
    calibrated_step,
    first_steps,
    reads_clips,
    threshold_of,
    training_recordings,
)
from skasd._utils.threads import stream_threads
from skasd.audio._clips import Clip, Clips, check_clip, check_clips, check_sequence, iterate_clips
from skasd.audio._looking import facts_of, warn_of_misfits
from skasd.audio._reading import read_clip
from skasd.detection._base import check_scores
from skasd.detection._calibration import Calibration
from skasd.detection._domains import check_domain
from skasd.ensemble._fitting import fit_in_domains
from skasd.ensemble._members import lengths_count, share_analyses, take_clips
from skasd.exceptions import AudioError

ON_ERROR = {"on_error": [StrOptions({"raise", "skip"})]}


class ClipScore(NamedTuple):
    """What came out for one clip.

    Parameters
    ----------
    clip : str
        Its path or, for an array, ``"clip "`` and its index.
    anomaly_score : float
        Higher is more anomalous; NaN if the clip could not be scored.
    prediction : int
        +1 normal, -1 anomalous, 0 if the clip could not be scored.
    error : str or None
        Why it could not be scored, and what to do about it.
    p_value : float
        Share of healthy clips that sound as odd; NaN if the clip could not be scored, or the
        detector, such as one of scikit-learn's, has no p-values.
    note : str or None
        In which respects it is unlike the clips that the detector was fitted on, if it is: rate,
        bandwidth, length, channels, level, silence. Its score may mean that, and not a fault.
    """

    clip: str
    anomaly_score: float
    prediction: int
    error: str | None
    p_value: float = np.nan
    note: str | None = None


@validate_params(ON_ERROR)
def fit_clips(
    detector: BaseEstimator,
    X: Clips,
    y: ArrayLike | None = None,
    *,
    domain: ArrayLike | None = None,
    on_error: str = "raise",
) -> dict[str, str]:
    """Fit a detector on the clips that can be analyzed.

    Parameters
    ----------
    detector : detector, or pipeline that ends with one
        It takes clips, and is fitted in place.
    X : clips
        Paths or arrays of samples of a healthy machine.
    y : array-like of shape (n_clips,), default=None
        What the detector's `fit` takes for y.
    domain : array-like of shape (n_clips,), default=None
        ``"source"`` or ``"target"`` for each clip: for the steps that take it, as in the `fit` of
        `FusionDetector`.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a clip that cannot be analyzed. ``"raise"`` is what `fit` does;
        ``"skip"`` leaves it out.

    Returns
    -------
    dict of str to str
        The clips that were left out, and why.

    Raises
    ------
    AudioError
        If a clip cannot be analyzed, with ``on_error="raise"``, or all are silent.
    ValueError
        If no clip can be analyzed, or the detector cannot be fitted on the others.

    Warns
    -----
    RecordingWarning
        If clips do not fit the others, such as one of a lower sample rate, or silence.

    See Also
    --------
    score_clips : Scores clips of which some cannot be analyzed.

    Notes
    -----
    If the fit fails, an estimator of skasd is as it was before. scikit-learn's own `Pipeline` is
    not: some of its steps may have been fitted anew. Fit a clone of it, and replace it by that.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import LogMelSpectrogram, TimeWeightedPooling, GaussianMixtureDetector
    >>> from skasd import fit_clips
    >>> from sklearn.pipeline import make_pipeline
    >>> detector = make_pipeline(
    ...     LogMelSpectrogram(n_mels=8), TimeWeightedPooling(), GaussianMixtureDetector()
    ... )
    >>> clips = list(np.random.default_rng(0).uniform(-0.1, 0.1, size=(6, 8000)))
    >>> clips[2] = clips[2][:100]
    >>> list(fit_clips(detector, clips, on_error="skip"))
    ['clip 2']
    """
    check_sequence(X)
    is_target = check_domain(domain, X)
    if on_error == "raise" or not take_clips(detector, X):
        fit_in_domains(detector, X, y, is_target)
        return {}
    steps = first_steps(detector, fitted=False)
    shared = share_analyses(detector)
    readable, failures = {}, {}
    for index, source in enumerate(iterate_clips(X)):
        try:
            clip = check_clip(source, index)
            for step in steps:
                _try_step(step, clip)
        except AudioError as error:
            failures[error.clip] = _reason(error)
        else:
            readable[index] = clip if shared else source
    if not readable:
        name, reason = next(iter(failures.items()))
        raise ValueError(f"None of the {len(failures)} clips can be analyzed. {name}: {reason}")
    if shared:
        # Before anything is trained. What is handed on as clips is not looked at again.
        warn_of_misfits(list(readable.values()), steps)
    of_readable = [
        None if each is None else np.asarray(each)[list(readable)] for each in (y, is_target)
    ]
    fit_in_domains(detector, list(readable.values()), *of_readable)
    return failures


@validate_params(ON_ERROR)
def score_clips(  # numpydoc ignore=RT01
    detector: BaseEstimator, X: Clips, *, on_error: str = "raise", n_jobs: int | None = None
) -> Iterator[ClipScore]:
    """Score clips one by one, as they are asked for.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        It takes clips.
    X : clips
        Paths or arrays of samples.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a clip that cannot be analyzed. ``"raise"`` raises its `AudioError`;
        ``"skip"`` says in its place why it has no score.
    n_jobs : int or None, default=None
        Clips that are scored at the same time, in threads.

    Yields
    ------
    ClipScore
        Of each clip, in their order.

    Raises
    ------
    AudioError
        If a clip cannot be analyzed, or is so short that it can get no verdict, with
        ``on_error="raise"``.

    See Also
    --------
    fit_clips : Fits on clips of which some cannot be analyzed.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import LogMelSpectrogram, TimeWeightedPooling, GaussianMixtureDetector
    >>> from skasd import score_clips
    >>> from sklearn.pipeline import make_pipeline
    >>> detector = make_pipeline(
    ...     LogMelSpectrogram(n_mels=8), TimeWeightedPooling(), GaussianMixtureDetector()
    ... )
    >>> clips = np.random.default_rng(0).uniform(-0.1, 0.1, size=(6, 8000))
    >>> scores = list(score_clips(detector.fit(clips), [clips[0], []], on_error="skip"))
    >>> [score.prediction for score in scores]
    [1, 0]
    >>> scores[1].error
    'holds no samples. Record it again or leave it out.'
    """
    step = calibrated_step(detector)
    if step is not None:
        step._warn_if_seen()
    return _scores(_Judge(detector), X, on_error, n_jobs)


def score_for_calibration(detector: BaseEstimator, X: Clips, on_error: str) -> Iterator[ClipScore]:
    """Score clips of any length, by which the threshold is to be set.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        It takes clips.
    X : clips
        Paths or arrays of samples.
    on_error : {"raise", "skip"}
        As for `score_clips`.

    Returns
    -------
    iterator of ClipScore
    """
    judge = _Judge(detector)
    judge.lengths_count = False
    return _scores(judge, X, on_error, None)


def _scores(judge: "_Judge", X: Clips, on_error: str, n_jobs: int | None) -> Iterator[ClipScore]:
    check_clips(X) if on_error == "raise" else check_sequence(X)
    return stream_threads(
        n_jobs,
        (
            delayed(judge.score)(clip, index, on_error)
            for index, clip in enumerate(iterate_clips(X))
        ),
    )


class _Judge:
    """What a detector says about single clips."""

    def __init__(self, detector: Any):
        self.detector = detector
        self.threshold = threshold_of(detector)
        step = calibrated_step(detector)
        self.calibration: Calibration | None = None if step is None else step._calibration
        self.shared = share_analyses(detector)
        self.listener = first_steps(detector)[0]
        self.recordings = training_recordings(detector)
        self.lengths_count = lengths_count(detector)

    def score(self, source: Any, index: int, on_error: str) -> ClipScore:
        """Score a clip, or say why that is not possible."""
        try:
            clip = check_clip(source, index)
            if not self.shared:
                _read(clip)
            clips = [clip if self.shared else source]
            scores = self.detector.score_samples(clips)
            check_scores(scores, [clip])
            anomaly_score = -float(scores[0])
            note = self._note(clip)
        except AudioError as error:
            if on_error == "raise":
                raise
            return ClipScore(error.clip, np.nan, 0, _reason(error))
        prediction, p_value = -1 if anomaly_score > self.threshold else 1, np.nan
        if self.calibration is not None:
            p_value = float(self.calibration.p_values(anomaly_score))
        return ClipScore(clip.name, anomaly_score, prediction, None, p_value, note)

    def _note(self, clip: Clip) -> str | None:
        """Say what is unlike the training; refuse a clip that is too short for a verdict."""
        if self.recordings is None or not self.shared:
            return None
        facts = facts_of(clip, self.listener)
        if self.lengths_count:
            self.recordings.check_length(clip.name, facts.duration)
        return "; ".join(self.recordings.unlike(facts)) or None


def _try_step(step: Any, clip: Clip) -> None:
    """Analyze a clip, which remembers it; or at least read it, if analyzing takes a fit."""
    if not reads_clips(step):
        _read(clip)
    elif get_tags(step).requires_fit:
        step._read(clip)
    else:
        step.transform([clip])


def _read(clip: Clip) -> None:
    """Read a clip for a step that is not ours, whose own errors would not name the clip."""
    read_clip(clip, sample_rate=16000)


def _reason(error: AudioError) -> str:
    return f"{error.problem}. {error.remedy}"
