"""`TimeWeightedPooling` and what projects, scales and joins features, in operators."""

import numpy as np
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import StandardScaler

from skasd.export._data import Features, Spectrograms
from skasd.features._principal_components import PrincipalComponents
from skasd.features._time_weighted_pooling import TimeWeightedPooling


def pooled_levels(step: TimeWeightedPooling, data: Spectrograms) -> Features:
    """Average the sorted levels of each band, for each decay with its weights."""
    levels = data.tensor.largest_first(1, data.n_frames).cast(np.float64)
    weights = levels.graph.constant(step._rank_weights(data.n_frames))
    pooled = (weights @ levels).apply("Flatten")
    if step.std:
        deviations = data.tensor.cast(np.float64).std(1)
        pooled = pooled.graph.concatenate([pooled, deviations], axis=1)
    if step.projection_ is None:
        return Features(pooled)
    return principal_components(step.projection_, Features(pooled))


def principal_components(step: PrincipalComponents, data: Features) -> Features:
    """Project centred features onto the components."""
    return Features((data.tensor - step.pca_.mean_) @ step.pca_.components_.T)


def standardized(step: StandardScaler, data: Features) -> Features:
    """Centre and scale, as far as the scaler does."""
    tensor = data.tensor
    if step.with_mean:
        tensor = tensor - step.mean_
    if step.with_std:
        tensor = tensor / step.scale_
    return Features(tensor)


def joined(step: FeatureUnion, parts: list[Features]) -> Features:
    """Put the features of all parts side by side, with their weights."""
    names = [name for name, part in step.transformer_list if part != "drop"]
    weights = step.transformer_weights or {}
    columns = [
        part.tensor * weights[name] if name in weights else part.tensor
        for name, part in zip(names, parts, strict=True)
    ]
    return Features(columns[0].graph.concatenate(columns, axis=1))
