"""Passing one clip through a fitted pipeline: its views, and its features by branch."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.pipeline import FeatureUnion

from skasd._steps import parts_of, union_parts
from skasd.detection._nearest_neighbors_detector import NearestNeighborsDetector
from skasd.ensemble._fusion_detector import FusionDetector
from skasd.ensemble._repeated_seed_ensemble import RepeatedSeedEnsemble
from skasd.features._frame_autoencoder import FrameAutoencoder
from skasd.features._interpolation_autoencoder import InterpolationAutoencoder
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._machine_id_embedding import MachineIDEmbedding
from skasd.features._power_spectrum import PowerSpectrum
from skasd.features._spectrogram_statistics import SpectrogramStatistics
from skasd.features._time_weighted_pooling import TimeWeightedPooling
from skasd.features._window_autoencoder import WindowAutoencoder
from skasd.features.encoders._callable_encoder import CallableEncoder
from skasd.features.encoders._onnx_encoder import ONNXEncoder
from skasd.features.encoders._pooling import poolings_of
from skasd.features.openl3._openl3_embedding import OpenL3Embedding

WORDS = {
    InterpolationAutoencoder: "interpolation error",
    FrameAutoencoder: "reconstruction error",
    OpenL3Embedding: "OpenL3 embedding",
    ONNXEncoder: "pretrained encoder",
    CallableEncoder: "function of the samples",
    TimeWeightedPooling: "level of the bands",
    MachineIDEmbedding: "embedding taught by other machines",
    PowerSpectrum: "spectrum of the whole clip",
}
"""Names in text of branches with such a step."""

WORDS_FOR_STATISTICS = {
    "level": "level of the bands",
    "quiet": "level of the quiet half",
    "loud": "loudest moments",
    "spread": "spread of the level",
    "flux": "change from frame to frame",
    "modulation": "modulation",
    "interpolation": "roughness",
    "dynamics": "dynamics",
}
"""Names in text of branches of `SpectrogramStatistics`."""


class Branch(NamedTuple):
    """What one branch of a pipeline computes from the clip."""

    name: str
    features: np.ndarray  # of shape (n_features,)
    steps: list[BaseEstimator]  # that the features pass through, starting at the fork


class View(NamedTuple):
    """What an autoencoder of a pipeline sees of the clip."""

    autoencoder: WindowAutoencoder
    log_mel: LogMelSpectrogram | None
    spectrogram: np.ndarray  # of shape (n_frames, n_mels)


class StatisticView(NamedTuple):
    """What a statistic, or an encoder, of a pipeline sees of the clip, and its detector."""

    statistics: SpectrogramStatistics | ONNXEncoder
    neighbors: NearestNeighborsDetector
    log_mel: LogMelSpectrogram | None
    spectrogram: np.ndarray  # of shape (n_frames, n_mels)


def statistic_view(member: BaseEstimator, clip: Any) -> StatisticView | None:
    """Return a member's view of a clip, if its features are all means over time of bands.

    Parameters
    ----------
    member, clip
        See `walk`.

    Returns
    -------
    StatisticView or None
        None if there are other steps between, the detector is of another type, or an encoder keeps
        no bands or computes anything but means.
    """
    *steps, neighbors = _flatten([member])
    if not isinstance(neighbors, NearestNeighborsDetector) or neighbors.metric == "cosine":
        return None
    log_mel = steps.pop(0) if steps and isinstance(steps[0], LogMelSpectrogram) else None
    if len(steps) != 1 or not _keeps_bands(steps[0]):
        return None
    (spectrogram,) = [clip] if log_mel is None else log_mel.transform([clip])
    return StatisticView(steps[0], neighbors, log_mel, np.asarray(spectrogram, dtype=np.float32))


def _keeps_bands(step: Any) -> bool:
    if isinstance(step, ONNXEncoder):
        is_mean = poolings_of(step.pooling) == ["mean"]
        return is_mean and step.input == "spectrograms" and step.n_bands_ > 1
    return isinstance(step, SpectrogramStatistics)


def groups_of(detector: Any) -> list[list[Any]]:
    """Return the members of each fused detector, or those of a single detector.

    Parameters
    ----------
    detector : fitted detector
        Any fitted detector.

    Returns
    -------
    list of lists of fitted detectors
    """
    fused = detector.estimators_ if isinstance(detector, FusionDetector) else [detector]
    return [
        each.estimators_ if isinstance(each, RepeatedSeedEnsemble) else [each] for each in fused
    ]


def weighted_statistics(
    groups: list[list[Any]], shares: np.ndarray, clip: Any
) -> list[tuple[float, StatisticView]]:
    """Return the view of a clip that each statistical member has, and its share of the score.

    Parameters
    ----------
    groups : list of lists of fitted detectors
        Members of each fused detector.
    shares : ndarray of shape (n_fused,)
        Shares of the fused detectors.
    clip : path or ndarray
        A single clip, as the members take it.

    Returns
    -------
    list of (float, StatisticView)
    """
    found = [
        (share / len(group), statistic_view(member, clip))
        for share, group in zip(shares.tolist(), groups, strict=True)
        for member in group
    ]
    return [(share, view) for share, view in found if view is not None]


def walk(member: BaseEstimator, clip: Any) -> tuple[list[Branch], list[View]]:
    """Send a clip through all steps of a member except the detector.

    Parameters
    ----------
    member : fitted pipeline that ends with a detector
        A pipeline. Anything else has neither branches nor autoencoders.
    clip : path or ndarray
        A single clip, as the member takes it.

    Returns
    -------
    branches : list of Branch
        Branches of the features that the detector receives, in order. If branches fork again, these
        are the innermost ones.
    views : list of View
        One for each autoencoder.
    """
    *steps, _ = _flatten([member])
    if not steps:
        return [], []
    branches, views = _walk("features", steps, [clip], None)
    names = [_in_words(branch) for branch in branches]
    if len(set(names)) < len(names):
        names = [branch.name for branch in branches]
    return [b._replace(name=name) for b, name in zip(branches, names, strict=True)], views


def _walk(
    name: str, steps: Iterable[BaseEstimator], X: Any, log_mel: LogMelSpectrogram | None
) -> tuple[list[Branch], list[View]]:
    branches: list[Branch] = []
    views: list[View] = []
    passed: list[BaseEstimator] = []
    for step in _flatten(steps):
        if isinstance(step, FeatureUnion):
            branches = []
            for inner_name, inner_step in union_parts(step):
                inner, inner_views = _walk(inner_name, [inner_step], X, log_mel)
                weight = (step.transformer_weights or {}).get(inner_name, 1)
                branches += [b._replace(features=weight * b.features) for b in inner]
                views += inner_views
            X = np.concatenate([branch.features for branch in branches])[np.newaxis]
            continue
        if isinstance(step, LogMelSpectrogram):
            log_mel = step
        if isinstance(step, WindowAutoencoder):
            views.append(View(step, log_mel, np.asarray(X[0], dtype=np.float32)))
        X = step.transform(X)
        if isinstance(step, OneToOneFeatureMixin):
            branches = _replace_features(branches, np.asarray(X)[0])
        else:
            branches = []
        passed.append(step)
    return branches or [Branch(name, np.asarray(X)[0], passed)], views


def _flatten(steps: Iterable[Any]) -> Iterator[Any]:
    """Yield the steps that the data pass through in turn; a union counts as one step."""
    for step in steps:
        parts = parts_of(step)
        if parts is None or parts.side_by_side:
            yield step
        else:
            yield from _flatten(part for _, part in parts.steps)


def _replace_features(branches: list[Branch], features: np.ndarray) -> list[Branch]:
    ends = np.cumsum([len(branch.features) for branch in branches])
    parts = np.split(features, ends[:-1]) if branches else []
    return [b._replace(features=part) for b, part in zip(branches, parts, strict=True)]


def _in_words(branch: Branch) -> str:
    for step in branch.steps:
        if isinstance(step, SpectrogramStatistics):
            return WORDS_FOR_STATISTICS[step.statistic]
        if type(step) in WORDS:
            return WORDS[type(step)]
    return branch.name
