"""How much each branch of features contributes to the score of a clip."""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.mixture import GaussianMixture

from skasd.detection._feature_detector import FeatureDetector
from skasd.detection._gaussian_mixture_detector import GaussianMixtureDetector
from skasd.ensemble._fusion_detector import FusionDetector
from skasd.features._time_weighted_pooling import TimeWeightedPooling
from skasd.features._window_autoencoder import WindowAutoencoder
from skasd.inspection._branches import Branch

MOST_PLAYERS = 12
"""Most detectors to share out a soft maximum; each doubles the time. The rest get no share."""


def shares_of_branches(
    detectors: Sequence[BaseEstimator], branches: Sequence[Sequence[Branch]]
) -> dict[str, float]:
    """Split the score of a clip among the branches of features.

    Parameters
    ----------
    detectors : sequence of n_members fitted detectors
        The last step of each member.
    branches : sequence of n_members sequences of Branch
        Branches of the features that each of them receives for the clip.

    Returns
    -------
    dict of str to float
        Each branch's share, in [0, 1]; they sum to 1. Empty if there are several branches and a
        detector is neither a `GaussianMixtureDetector` nor a `FeatureDetector`.
    """
    of_members = [contributions(*member) for member in zip(detectors, branches, strict=True)]
    known = [of_member for of_member in of_members if of_member is not None]
    if len(known) < len(of_members):
        return {}
    values = np.mean(known, axis=0)
    names = [branch.name for branch in branches[0]]
    return dict(zip(names, (values / values.sum()).tolist(), strict=True))


def shares_of_fused(detector: BaseEstimator, clip: Any) -> np.ndarray:
    """Split the score of a clip among fused detectors.

    Parameters
    ----------
    detector : fitted detector
        The detector. Unless it is a `FusionDetector`, it has the whole score.
    clip : path or ndarray
        A single clip, as the detector takes it.

    Returns
    -------
    ndarray of shape (n_fused,)
        How far each standardized score is above 0, weighted, as shares. With ``aggregation="max"``,
        only the highest counts; with ``"soft_max"``, shares are Shapley values, in which a detector
        that is left out has a score of 0. Zeros if no score is above 0, or other aggregations leave
        nothing to share.
    """
    if not isinstance(detector, FusionDetector):
        return np.ones(1)
    (scores,) = detector.member_scores([clip])
    above = np.maximum(scores, 0)
    if detector.aggregation == "soft_max":
        values = _shares_of_soft_max(detector, above)
        return values / values.sum() if values.any() else values
    if detector.aggregation == "max":
        above = np.where(np.arange(len(above)) == above.argmax(), above, 0)
    elif detector.aggregation != "mean":
        return np.zeros(len(above))
    if detector.weights is not None:
        above = above * np.asarray(detector.weights)
    return above / above.sum() if above.any() else above


def _shares_of_soft_max(detector: FusionDetector, above: np.ndarray) -> np.ndarray:
    """Compute the Shapley values of the scores that are farthest above 0."""
    players = [i for i in np.argsort(-above)[:MOST_PLAYERS] if above[i] > 0]

    def score(subset: tuple[int, ...]) -> float:
        present = np.isin(np.arange(len(above)), [players[i] for i in subset])
        return detector._aggregate(np.where(present, above, 0)[np.newaxis])[0]

    values = np.zeros(len(above))
    values[players] = shapley_values(len(players), score)
    return values


def shares_of_groups(
    weights: np.ndarray,
    detectors: Sequence[Sequence[BaseEstimator]],
    branches: Sequence[Sequence[Sequence[Branch]]],
) -> dict[str, float]:
    """Split the score of a clip among the branches of all fused detectors.

    Parameters
    ----------
    weights : ndarray of shape (n_fused,)
        Shares of the detectors.
    detectors, branches
        See `shares_of_branches`, for each detector.

    Returns
    -------
    dict of str to float
        Shares of the branches; those of branches with the same name are added. Empty if the score
        cannot be split.
    """
    shares: dict[str, float] = {}
    for weight, *group in zip(weights, detectors, branches, strict=True):
        within = shares_of_branches(*group)
        if not within or not weights.any():
            return {}
        for name, share in within.items():
            shares[name] = shares.get(name, 0.0) + float(weight) * share
    return shares


def contributions(detector: BaseEstimator, branches: Sequence[Branch]) -> np.ndarray | None:
    """Compute how much each branch contributes to the score of a clip.

    Parameters
    ----------
    detector : fitted detector
        The last step of a pipeline.
    branches : sequence of Branch
        Branches of the features that the detector receives for the clip.

    Returns
    -------
    ndarray of shape (n_branches,) or None
        At least 0. For a mixture, these are Shapley values of the squared Mahalanobis distance from
        the most responsible component, where the distance of some branches is that of their
        features alone; they sum to the distance of all. None if there are several branches and the
        detector is neither a `GaussianMixtureDetector` nor a `FeatureDetector`.
    """
    ends = np.cumsum([len(branch.features) for branch in branches])
    if len(branches) == 1:
        return np.ones(1)
    if isinstance(detector, FeatureDetector):
        return np.eye(len(ends))[np.searchsorted(ends, detector.feature_index_, "right")]
    if not isinstance(detector, GaussianMixtureDetector):
        return None
    deviation, covariance = _deviation(detector.mixture_, branches)
    columns = np.split(np.arange(ends[-1]), ends[:-1])

    def distance(subset: Sequence[int]) -> float:
        if not subset:
            return 0.0
        of_subset = np.concatenate([columns[i] for i in subset])
        part = deviation[of_subset]
        return part @ np.linalg.solve(covariance[np.ix_(of_subset, of_subset)], part)

    return shapley_values(len(branches), distance)


def shapley_values(n: int, value: Callable[[tuple[int, ...]], float]) -> np.ndarray:
    """Compute what each of several players adds to a value, on average over all orders.

    Parameters
    ----------
    n : int
        Number of players.
    value : callable
        The value of a subset of the players, a sorted tuple of their indices.

    Returns
    -------
    ndarray of shape (n,)
        They sum to the value of all players minus that of none.
    """
    value_of = cache(value)
    values = np.zeros(n)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for size in range(n):
            for subset in combinations(others, size):
                gain = value_of(tuple(sorted((*subset, i)))) - value_of(subset)
                values[i] += gain / (n * comb(n - 1, size))
    return values


def level_deviations(detector: BaseEstimator, branches: Sequence[Branch]) -> np.ndarray | None:
    """Compute how far each band's pooled level is from what the other features predict.

    Parameters
    ----------
    detector, branches
        See `contributions`.

    Returns
    -------
    ndarray of shape (n_mels,) or None
        Squared, in variances of the level given all other features, and averaged over the pooled
        numbers of the band: the density lost by that level alone. None if the detector is not a
        mixture, or none of its branches holds levels.
    """
    index = level_branch(branches)
    if index is None or not isinstance(detector, GaussianMixtureDetector):
        return None
    deviation, covariance = _deviation(detector.mixture_, branches)
    precision = np.linalg.inv(covariance)
    lost = (precision @ deviation) ** 2 / np.diag(precision)
    start = sum(len(branch.features) for branch in branches[:index])
    of_levels = lost[start : start + len(branches[index].features)]
    return of_levels.reshape(-1, _last_step(branches[index]).n_features_in_).mean(axis=0)


def mix_in_levels(
    band_profile: np.ndarray,
    detectors: Sequence[Sequence[BaseEstimator]],
    branches: Sequence[Sequence[Sequence[Branch]]],
    shares: dict[str, float],
    share_of_views: float = 0.0,
) -> np.ndarray:
    """Combine the profiles of the errors and of the levels by their shares of the score.

    Parameters
    ----------
    band_profile : ndarray of shape (n_mels,)
        Profile of the errors, and of statistics if there are any.
    detectors, branches
        See `shares_of_branches`, for each fused detector.
    shares : dict of str to float
        Shares of the branches.
    share_of_views : float, default=0.0
        Share of the statistics.

    Returns
    -------
    ndarray of shape (n_mels,)
    """
    error_share = sum(
        shares.get(branch.name, 0)
        for group in branches
        for branch in group[0]
        if any(isinstance(step, WindowAutoencoder) for step in branch.steps)
    )
    profiles = [(error_share + share_of_views, band_profile)]
    for group, branches_of_group in zip(detectors, branches, strict=True):
        found = [level_deviations(*each) for each in zip(group, branches_of_group, strict=True)]
        levels = [each for each in found if each is not None]
        index = level_branch(branches_of_group[0])
        if levels and index is not None:
            name = branches_of_group[0][index].name
            profiles.append((shares.get(name, 0), np.mean(levels, axis=0)))
    if not any(share for share, _ in profiles):
        return band_profile
    return sum(share * profile / profile.sum() for share, profile in profiles)


def level_branch(branches: Sequence[Branch]) -> int | None:
    """Return the index of the first branch that holds levels of bands, or None if none does.

    Parameters
    ----------
    branches : sequence of Branch
        Branches of the clip's features.

    Returns
    -------
    int or None
        Levels projected onto components are no longer levels of bands.
    """
    for index, branch in enumerate(branches):
        step = _last_step(branch)
        if isinstance(step, TimeWeightedPooling) and step.projection_ is None:
            return index
    return None


def _last_step(branch: Branch) -> Any:
    """Return the step that the features come from, ignoring scalers."""
    steps = [step for step in branch.steps if not isinstance(step, OneToOneFeatureMixin)]
    return steps[-1] if steps else None


def _deviation(
    mixture: GaussianMixture, branches: Sequence[Branch]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance from the mean of the most responsible component, and its covariance."""
    features = np.concatenate([branch.features for branch in branches])
    (component,) = mixture.predict(features[np.newaxis])
    covariance = {
        "full": lambda of_all: of_all[component],
        "tied": lambda of_all: of_all,
        "diag": lambda of_all: np.diag(of_all[component]),
        "spherical": lambda of_all: of_all[component] * np.eye(len(features)),
    }[mixture.covariance_type](mixture.covariances_)
    return features - mixture.means_[component], covariance
