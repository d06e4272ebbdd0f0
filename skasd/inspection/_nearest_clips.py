"""The healthy clips that are most like a given clip, as a detector hears them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skasd._steps import best_of, check_detector, last_step
from skasd._utils.threads import stream_threads
from skasd.audio._clips import Clips, check_clip
from skasd.detection._feature_detector import FeatureDetector
from skasd.detection._nearest_neighbors_detector import NearestNeighborsDetector
from skasd.ensemble._members import share_analyses
from skasd.exceptions import AudioError
from skasd.inspection._branches import groups_of, walk
from skasd.inspection._contributions import shares_of_fused


class HealthyClips:
    """Healthy clips to compare others with.

    Parameters
    ----------
    detector : fitted detector
        The detector, which takes clips.
    clips : clips
        Paths or arrays of samples; they need not be those of the training.
    n_jobs : int or None, default=None
        Number of clips analyzed at the same time, in threads.

    Attributes
    ----------
    clips : list of Clip
        The clips that could be analyzed.
    failures : list of AudioError
        Errors of the clips that could not.

    Raises
    ------
    ValueError
        If the detector has no steps before the last one.

    Notes
    -----
    The distance is between the features that the detector judges: whitened as it whitens them, if
    it is a `NearestNeighborsDetector`, and otherwise standardized over the healthy clips. Distances
    of several members are added in units of their medians, and those of fused detectors by their
    shares of the clip's score.

    Examples
    --------
    >>> from skasd import make_views_detector
    >>> from skasd.datasets import make_machine_sounds
    >>> from skasd.inspection._nearest_clips import HealthyClips
    >>> clips, _ = make_machine_sounds("fan", n_normal=12, n_anomalous=0, duration=2.0,
    ...                                random_state=0)
    >>> healthy = HealthyClips(make_views_detector().fit(clips), clips)
    >>> healthy.nearest(clips[7], 1)
    [7]
    """

    def __init__(self, detector: Any, clips: Clips, *, n_jobs: int | None = None):
        from joblib import delayed

        check_detector(detector)
        self._detector = best_of(detector)
        self._groups = groups_of(self._detector)
        self.clips: list[Any] = []
        self.failures: list[AudioError] = []
        features = []
        jobs = (delayed(self._try_features_of)(clip, index) for index, clip in enumerate(clips))
        for index, result in enumerate(stream_threads(n_jobs, jobs)):
            if isinstance(result, AudioError):
                self.failures.append(result)
            else:
                self.clips.append(check_clip(clips[index], index))
                features.append(result)
        self._features = [np.stack(of_member) for of_member in zip(*features, strict=True)]

    def nearest(self, clip: Any, n_clips: int) -> list[int]:
        """Find the healthy clips that are most like a clip.

        Parameters
        ----------
        clip : path or ndarray
            The clip to compare.
        n_clips : int
            Number of clips to find, or all if there are fewer.

        Returns
        -------
        list of int
            Indices into `clips`, nearest first.

        Raises
        ------
        AudioError
            If the clip cannot be analyzed.
        """
        if not self.clips:
            return []
        shares = shares_of_fused(self._detector, clip)
        if not shares.any():
            shares = np.ones(len(self._groups))
        sizes = [len(group) for group in self._groups]
        weights = np.repeat(shares / sizes, sizes)
        distance = np.zeros(len(self.clips))
        for weight, own, healthy, detector in zip(
            weights, self._features_of(clip, 0), self._features, self._last_steps(), strict=True
        ):
            if weight > 0:
                of_member = _distances(detector, own, healthy)
                distance += weight * of_member / (np.median(of_member) or 1)
        return np.argsort(distance, kind="stable")[:n_clips].tolist()

    def _last_steps(self) -> list[Any]:
        return [last_step(member) for group in self._groups for member in group]

    def _try_features_of(self, clip: Any, index: int) -> list[np.ndarray] | AudioError:
        try:
            return self._features_of(clip, index)
        except AudioError as error:
            return error

    def _features_of(self, clip: Any, index: int) -> list[np.ndarray]:
        """Return the features that each member's detector receives."""
        if share_analyses(self._detector):
            clip = check_clip(clip, index)
        walks = [walk(member, clip)[0] for group in self._groups for member in group]
        if not all(walks):
            raise ValueError(
                f"{type(self._detector).__name__} has no steps whose features could be compared. "
                "Leave out the healthy clips."
            )
        return [np.concatenate([branch.features for branch in branches]) for branches in walks]


def _distances(detector: Any, own: np.ndarray, healthy: np.ndarray) -> np.ndarray:
    points: Sequence[np.ndarray]
    if isinstance(detector, NearestNeighborsDetector):
        points = [detector._whiten(each) for each in (own[np.newaxis], healthy)]
    elif isinstance(detector, FeatureDetector):
        points = [each[..., [detector.feature_index_]] for each in (own, healthy)]
    else:
        scale = healthy.std(axis=0)
        points = [each / np.where(scale == 0, 1, scale) for each in (own, healthy)]
    return np.linalg.norm(points[1] - points[0], axis=1)
