"""Which operators each estimator becomes, and how to walk through nested estimators."""

from collections.abc import Callable, Iterator
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skasd._steps import Parts, parts_of
from skasd.detection._feature_detector import FeatureDetector
from skasd.detection._gaussian_mixture_detector import GaussianMixtureDetector
from skasd.detection._mahalanobis_detector import MahalanobisDetector
from skasd.detection._nearest_neighbors_detector import NearestNeighborsDetector
from skasd.ensemble._fusion_detector import FusionDetector
from skasd.ensemble._repeated_seed_ensemble import RepeatedSeedEnsemble
from skasd.export._detectors import (
    aggregated_score,
    feature_score,
    mahalanobis_score,
    mixture_score,
    neighbors_score,
)
from skasd.export._embeddings import spectrogram_embedding, spectrum_embedding
from skasd.export._features import (
    error_statistics,
    joined,
    pooled_levels,
    principal_components,
    standardized,
)
from skasd.export._graph import Clips, Features, Scores, Spectrograms
from skasd.export._spectrogram import log_mel
from skasd.export._spectrum import power_spectrum
from skasd.export._statistics import spectrogram_statistics
from skasd.features._frame_autoencoder import FrameAutoencoder
from skasd.features._interpolation_autoencoder import InterpolationAutoencoder
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._machine_id_embedding import MachineIDEmbedding
from skasd.features._power_spectrum import PowerSpectrum
from skasd.features._principal_components import PrincipalComponents
from skasd.features._spectrogram_statistics import SpectrogramStatistics
from skasd.features._spectrum_embedding import SpectrumEmbedding
from skasd.features._time_weighted_pooling import TimeWeightedPooling

Data = Clips | Spectrograms | Features | Scores

# Exact types here and below, as a subclass may compute something else.
OPERATORS: dict[type, tuple[Callable[..., Any], Any]] = {
    LogMelSpectrogram: (log_mel, Clips | Spectrograms),
    PowerSpectrum: (power_spectrum, Clips),
    InterpolationAutoencoder: (error_statistics, Spectrograms),
    FrameAutoencoder: (error_statistics, Spectrograms),
    TimeWeightedPooling: (pooled_levels, Spectrograms),
    SpectrogramStatistics: (spectrogram_statistics, Spectrograms),
    MachineIDEmbedding: (spectrogram_embedding, Spectrograms),
    SpectrumEmbedding: (spectrum_embedding, Features),
    PrincipalComponents: (principal_components, Features),
    StandardScaler: (standardized, Features),
    GaussianMixtureDetector: (mixture_score, Features),
    MahalanobisDetector: (mahalanobis_score, Features),
    NearestNeighborsDetector: (neighbors_score, Features),
    FeatureDetector: (feature_score, Features),
}
"""Estimator → the function that writes its operators, and the data that it takes."""

HOLDERS = {
    Pipeline,
    FeatureUnion,
    FrozenEstimator,
    FunctionTransformer,
    GridSearchCV,
    RandomizedSearchCV,
    RepeatedSeedEnsemble,
    FusionDetector,
}
"""Estimators that hold others, and compute nothing except as `SIDE_BY_SIDE` says."""

SIDE_BY_SIDE: dict[type, Callable[..., Any]] = {
    FeatureUnion: joined,
    RepeatedSeedEnsemble: aggregated_score,
    FusionDetector: aggregated_score,
}
"""Estimators whose parts all take the same data → the function that joins the results."""


def convert(step: BaseEstimator, data: Data, name: str = "") -> Data:
    """Add a step's operators to the graph of its data.

    Parameters
    ----------
    step : estimator
        A fitted estimator; it and all estimators in it are in `OPERATORS` or `HOLDERS`.
    data : Clips, Spectrograms or Features
        Data that the step takes.
    name : str, default=""
        Name of the step, as in `set_params`.

    Returns
    -------
    Clips, Spectrograms, Features or Scores
        Data or scores that the step returns.

    Raises
    ------
    TypeError
        If the step does not take such data.
    """
    if type(step) in OPERATORS:
        operators, taken = OPERATORS[type(step)]
        if not isinstance(data, taken):
            raise TypeError(
                f"{name or 'detector'}: {type(step).__name__} cannot take the "
                f"{type(data).__name__.lower()} that the previous step or the model's input "
                "provides. Export the whole pipeline, starting from clips or spectrograms."
            )
        return operators(step, data)
    parts = parts_of(step) or Parts([])
    if parts.side_by_side:
        results = [
            convert(part, data, _full_name(name, part_name)) for part_name, part in parts.steps
        ]
        return SIDE_BY_SIDE[type(step)](step, results)
    for part_name, part in parts.steps:
        data = convert(part, data, _full_name(name, part_name))
    return data


def leaves(step: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the steps that compute something, with their names, but not those that hold them."""
    parts = parts_of(step) if type(step) in HOLDERS else None
    if parts is None:
        yield name, step
        return
    for part_name, part in parts.steps:
        yield from leaves(part, _full_name(name, part_name))


def _full_name(name: str, part_name: str) -> str:
    return f"{name}__{part_name}" if name else part_name
