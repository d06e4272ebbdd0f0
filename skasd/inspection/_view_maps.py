"""Maps over time and frequency of how the statistics of a clip differ from a healthy clip's."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from skasd.detection._nearest_neighbors_detector import NearestNeighborsDetector
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._statistics import band_edges, bands_averaged
from skasd.features.encoders._onnx_encoder import ONNXEncoder
from skasd.inspection._branches import StatisticView
from skasd.inspection._maps import ErrorMaps, band_middles_and_edges, common_analysis
from skasd.inspection._terms import MEANS, TERMS

_AROUND = (9, 5)
"""Numbers of frames and bands to average: chance varies from cell to cell, a fault does not."""

_OF_LEVELS = ("level", "quiet", "loud")
"""Statistics whose features are levels, the most usual first."""

WeightedViews = Sequence[tuple[float, StatisticView]]


class Grid(NamedTuple):
    """Where the cells of a map end, in s and in Hz."""

    times: np.ndarray  # of shape (n_frames + 1,)
    frequencies: np.ndarray  # of shape (n_mels + 1,)


def grid_of(analysis: LogMelSpectrogram, n_frames: int, first_frame: int = 0) -> Grid:
    """Return the grid of this many frames of an analysis, each around its middle."""
    hop = analysis.hop_length / analysis.sample_rate
    times = (first_frame - 0.5 + np.arange(n_frames + 1)) * hop
    return Grid(times, band_middles_and_edges(analysis)[1])


def view_maps(views: WeightedViews, **settings: Any) -> tuple[LogMelSpectrogram, ErrorMaps]:
    """Compute the maps of one clip that is described by statistics alone.

    Parameters
    ----------
    views : sequence of (weight, StatisticView)
        Views of the clip. The weights are not negative, and sum to 1.
    **settings
        Settings of `LogMelSpectrogram`, used if the detector has no such step.

    Returns
    -------
    analysis : LogMelSpectrogram
        The analysis with the longest steps, whose frames and bands the maps have.
    maps : ErrorMaps
        See `Explanation`.
    """
    analyses = [common_analysis([view], **settings) for _, view in views]
    hops = [analysis.hop_length / analysis.sample_rate for analysis in analyses]
    slowest = int(np.argmax(hops))
    analysis, spectrogram = analyses[slowest], views[slowest][1].spectrogram
    error, excess = mixed_maps(views, grid_of(analysis, len(spectrogram)), **settings)
    usual = np.broadcast_to(_usual_levels(views, spectrogram), spectrogram.shape)
    return analysis, ErrorMaps(0, spectrogram, usual, error, excess, excess)


def mixed_maps(views: WeightedViews, grid: Grid, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Combine the maps of several views on one grid.

    Parameters
    ----------
    views : sequence of (weight, StatisticView)
        See `view_maps`.
    grid : Grid
        Cells of the maps.
    **settings
        See `view_maps`.

    Returns
    -------
    distance : ndarray of shape (n_frames, n_mels)
        What each cell adds to the squared distance; negative if it reduces the distance.
    excess : ndarray of shape (n_frames, n_mels)
        How unusual each cell is. The values of one view that are above 0 sum to its weight.
    """
    shape = len(grid.times) - 1, len(grid.frequencies) - 1
    distance, excess = np.zeros(shape), np.zeros(shape)
    for weight, view in views:
        if weight > 0:
            own = grid_of(common_analysis([view], **settings), len(view.spectrogram))
            cells, weighed = (_onto(grid, own, each) for each in distance_maps(view))
            smoothed = ndimage.uniform_filter(weighed, _AROUND, mode="nearest")
            distance += weight * cells
            excess += weight * smoothed / (np.maximum(smoothed, 0).sum() or 1)
    return distance, excess


def _onto(grid: Grid, own: Grid, cells: np.ndarray) -> np.ndarray:
    """Divide each cell of a map among those of another grid, by how far they overlap."""
    for edges, own_edges in zip(grid, own, strict=True):
        low = np.maximum.outer(edges[:-1], own_edges[:-1])
        high = np.minimum.outer(edges[1:], own_edges[1:])
        # Along the first axis; the transposed map then takes its turn.
        cells = (np.maximum(high - low, 0) / np.diff(own_edges) @ cells).T
    return cells


def _usual_levels(views: WeightedViews, spectrogram: np.ndarray) -> np.ndarray:
    """Return the levels of the nearest healthy clip, or the clip's own if no view knows them."""
    for statistic in _OF_LEVELS:
        for _, view in views:
            if isinstance(view.statistics, ONNXEncoder):
                continue
            is_wide = view.statistics._n_wide_bands is not None
            of_grid = view.spectrogram.shape == spectrogram.shape and not is_wide
            if view.statistics.statistic == statistic and of_grid:
                (features,) = view.statistics.transform([view.spectrogram])
                return nearest_features(view.neighbors, features).mean(axis=0)
    return spectrogram.mean(axis=0)


def distance_maps(view: StatisticView) -> tuple[np.ndarray, np.ndarray]:
    """Split the squared distance from the nearest healthy clip among the cells of a spectrogram.

    Parameters
    ----------
    view : StatisticView
        A view of the clip.

    Returns
    -------
    distance : ndarray of shape (n_frames, n_mels)
        It sums to the squared distance, or to the mean of the squared distances to `n_neighbors`
        clips; with ``statistic="dynamics"`` only approximately, as quantiles are treated as means
        of frames.
    weighed : ndarray of shape (n_frames, n_mels)
        The same, but each feature counts by its difference from what the others predict, in
        standard deviations, so that many bands that are off by chance do not outweigh a single
        unusual one.
    """
    (features,) = view.statistics.transform([view.spectrogram])
    maps_of = _maps_of_encoder if isinstance(view.statistics, ONNXEncoder) else _maps_of
    maps = [maps_of(view, features, usual) for usual in nearest_features(view.neighbors, features)]
    distance, weighed = np.mean(maps, axis=0)
    return distance, weighed


def nearest_features(neighbors: NearestNeighborsDetector, features: np.ndarray) -> np.ndarray:
    """Return the features of the training clips that a score comes from.

    Parameters
    ----------
    neighbors : NearestNeighborsDetector
        The detector that scores.
    features : ndarray of shape (n_features,)
        Features of a clip; a training clip with the same features is left out, as in the score.

    Returns
    -------
    ndarray of shape (n_neighbors, n_features)
    """
    _, (nearest,) = min(neighbors._judge(features[np.newaxis]), key=lambda judged: judged[0][0])
    return neighbors.X_fit_[nearest]


def _maps_of(view: StatisticView, features: np.ndarray, usual: np.ndarray) -> np.ndarray:
    statistic = view.statistics.statistic
    deviation = features - usual
    gradient, standardized = _gradient(view.neighbors, deviation)

    edges = band_edges(view.spectrogram.shape[1], view.statistics._n_wide_bands)
    widths = np.diff(edges)
    levels = view.spectrogram.astype(np.float64)
    wide = np.repeat(bands_averaged(levels, len(widths)), widths, axis=1)
    terms, weights = np.stack(TERMS[statistic](levels, wide), axis=1) / np.repeat(widths, widths)

    usual_means, slope = usual, np.ones(len(usual))
    if statistic in MEANS:
        usual_means = MEANS[statistic](usual)
        above = np.add.reduceat(terms.sum(axis=1), edges[:-1], axis=1).ravel() - usual_means
        # For a logarithm, take the slope between the two means, so that the sum is exact.
        slope = np.divide(deviation, above, out=slope, where=above != 0)

    def of_bands(values: np.ndarray) -> np.ndarray:
        return np.repeat(values.reshape(len(terms), 1, len(widths)), widths, axis=2)

    parts = (terms - weights * of_bands(usual_means)) * of_bands(gradient * slope)
    return np.stack([parts.sum(axis=0), (parts * of_bands(standardized)).sum(axis=0)])


def _maps_of_encoder(view: StatisticView, features: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Split the distance evenly over the spectrogram's cells in an encoder's frames and bands."""
    gradient, standardized = _gradient(view.neighbors, features - usual)
    (frames,) = view.statistics.embed([view.spectrogram])
    parts = (frames - usual) * gradient / len(frames)
    n_bands = view.statistics.n_bands_
    maps = [
        each.reshape(len(frames), -1, n_bands).sum(axis=1) for each in (parts, parts * standardized)
    ]
    return np.stack([_spread(each, view.spectrogram.shape) for each in maps])


def _spread(cells: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Divide each cell of a coarse map evenly among the cells of a fine one that it covers."""
    for axis, (n_coarse, n_fine) in enumerate(zip(cells.shape, shape, strict=True)):
        covers = np.arange(n_fine) * n_coarse // n_fine
        shares = 1 / np.bincount(covers, minlength=n_coarse)[covers]
        cells = np.take(cells, covers, axis) * np.expand_dims(shares, 1 - axis)
    return cells


def _gradient(
    neighbors: NearestNeighborsDetector, deviation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of each feature, and how far it is from what the others predict."""
    is_whitened = neighbors.metric == "mahalanobis"
    whitening = neighbors.whitening_ if is_whitened else np.eye(len(deviation))
    gradient = whitening @ (deviation @ whitening)
    return gradient, np.abs(gradient) / np.sqrt(np.sum(whitening**2, axis=1))
