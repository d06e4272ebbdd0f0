"""Maps over time and frequency: what was heard, what was predicted, and how far they differ.

This module also finds the few runs along an axis that hold most of what is unusual.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._mel_bands import mel_corners
from skasd.inspection._branches import StatisticView, View

_BANDS_OF_A_TONE = 3  # mel filters overlap by half

MOST_RUNS = 3
WEAKEST_RUN = 0.25
"""Share of the strongest run below which a run is not named."""
SPREAD = 0.37
"""If half of the sum takes more of the profile than this, it has no place. In healthy clips of
steady machines, where only chance makes anything unusual, it takes 0.35 to 0.41."""


class ErrorMaps(NamedTuple):
    """Maps of one clip, each of shape (n_windows, n_mels); see `Explanation`."""

    first_frame: int  # middle of the first window
    spectrogram: np.ndarray
    prediction: np.ndarray
    error: np.ndarray
    excess: np.ndarray
    smoothed_excess: np.ndarray  # in units of scale_**2, as the score counts it


def error_maps(views: Sequence[View]) -> ErrorMaps:
    """Compute the maps of one clip: means over several autoencoders.

    Parameters
    ----------
    views : sequence of View
        What each of the autoencoders sees; the same spectrogram for all.

    Returns
    -------
    ErrorMaps
        Maps of the windows that all of the autoencoders have.
    """
    middles = [view.autoencoder.n_frames // 2 for view in views]
    n_windows = [len(view.spectrogram) - view.autoencoder.n_frames + 1 for view in views]
    first = max(middles)
    stop = min(middle + n for middle, n in zip(middles, n_windows, strict=True))
    maps = [
        _maps_of(view, slice(first - m, stop - m)) for view, m in zip(views, middles, strict=True)
    ]
    return ErrorMaps(
        first,
        views[0].spectrogram[first:stop],
        *(np.mean(each, axis=0) for each in zip(*maps, strict=True)),
    )


def _maps_of(view: View, windows: slice) -> tuple[np.ndarray, ...]:
    autoencoder, spectrogram = view.autoencoder, view.spectrogram
    middle = autoencoder._target_frames.index(autoencoder.n_frames // 2)
    prediction = autoencoder._predict(spectrogram)[:, middle]
    (error,) = autoencoder.error_map([spectrogram])
    excess = error - autoencoder.training_error_
    # A single unusual frame affects all windows that contain it.
    around = (autoencoder.n_frames, _BANDS_OF_A_TONE)
    smoothed = ndimage.uniform_filter(excess, around, mode="nearest")
    square_decibels = autoencoder.scale_.astype(np.float64) ** 2
    maps = prediction, error * square_decibels, excess * square_decibels, smoothed
    return tuple(each[windows] for each in maps)


def unusual_cells(excess: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return how unusual each cell is, and whether that is because errors are missing.

    Parameters
    ----------
    excess : ndarray of shape (n_windows, n_mels)
        Errors minus their means in training.

    Returns
    -------
    unusual : ndarray of shape (n_windows, n_mels)
        At least 0.
    easier_than_usual : bool
    """
    above, below = np.maximum(excess, 0), np.maximum(-excess, 0)
    # Squares, because a short fault errs far more than usual where it is, and chance does not.
    easier_than_usual = np.sum(below**2) > np.sum(above**2)
    return (below if easier_than_usual else above), bool(easier_than_usual)


def common_analysis(views: Sequence[View | StatisticView], **settings: Any) -> LogMelSpectrogram:
    """Return the analysis that computed the spectrograms, or would have if not done elsewhere.

    Parameters
    ----------
    views : sequence of View or StatisticView
        Views of one clip.
    **settings
        Settings of `LogMelSpectrogram`, used if the detector has no such step.

    Returns
    -------
    LogMelSpectrogram

    Raises
    ------
    ValueError
        If there are several analyses, or the settings are out of range.
    """
    analyses = [view.log_mel for view in views if view.log_mel is not None]
    if not analyses:
        n_mels = views[0].spectrogram.shape[1]
        analyses = [LogMelSpectrogram(n_mels=n_mels, **settings)]
        analyses[0]._validate_params()
        analyses[0]._check_parameters()
    different = {
        name
        for analysis in analyses
        for name, value in analysis.get_params().items()
        if value != getattr(analyses[0], name) and name not in ("min_frames", "n_jobs")
    }
    if different:
        raise ValueError(
            "The detector's autoencoders see different spectrograms, which cannot be averaged: "
            f"{', '.join(sorted(different))} differ. Explain pipelines with one autoencoder each."
        )
    return analyses[0]


def band_middles_and_edges(analysis: LogMelSpectrogram) -> tuple[np.ndarray, np.ndarray]:
    """Return the middles of the bands, and the edges between them.

    Parameters
    ----------
    analysis : LogMelSpectrogram
        The analysis with these bands.

    Returns
    -------
    middles : ndarray of shape (n_mels,)
        Middles, in Hz.
    edges : ndarray of shape (n_mels + 1,)
        Edges, in Hz, halfway between the middles.
    """
    fmax = analysis.sample_rate / 2 if analysis.fmax is None else analysis.fmax
    corners = mel_corners(
        analysis.n_mels, fmin=analysis.fmin, fmax=fmax, mel_scale=analysis.mel_scale
    )
    return corners[1:-1], (corners[:-1] + corners[1:]) / 2


def carrying_runs(profile: np.ndarray, *, gap: int) -> list[tuple[int, int]]:
    """Find the densest runs that hold half of a profile's sum.

    Parameters
    ----------
    profile : ndarray of shape (n,)
        The profile; no value is negative.
    gap : int
        Runs with at most this many lower values between them are joined.

    Returns
    -------
    list of (first, last)
        At most three, strongest first; `last` belongs to the run. One run from end to end if the
        sum is spread over the whole profile, or is 0.
    """
    highest = np.sort(profile)[::-1]
    carried = np.cumsum(highest)
    level = highest[np.searchsorted(carried, carried[-1] / 2)]
    inside = np.flatnonzero(profile >= level)
    if len(inside) > SPREAD * len(profile):
        return [(0, len(profile) - 1)]
    cuts = np.flatnonzero(np.diff(inside) > gap + 1)
    runs = zip(inside[np.r_[0, cuts + 1]], inside[np.r_[cuts, -1]], strict=True)
    sums = {(int(first), int(last)): profile[first : last + 1].sum() for first, last in runs}
    strongest = sorted(sums, key=lambda run: sums[run], reverse=True)[:MOST_RUNS]
    return [run for run in strongest if sums[run] >= WEAKEST_RUN * sums[strongest[0]]]
