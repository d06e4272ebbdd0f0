"""What is unusual about one clip, and where."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skasd._steps import best_of, calibrated_step, check_detector, last_step, threshold_of
from skasd.audio._clips import check_clip
from skasd.detection._calibrated import SEEN
from skasd.detection._calibration import in_words
from skasd.ensemble._members import share_analyses
from skasd.inspection._branches import groups_of, walk, weighted_statistics
from skasd.inspection._contributions import mix_in_levels, shares_of_fused, shares_of_groups
from skasd.inspection._maps import (
    band_middles_and_edges,
    carrying_runs,
    common_analysis,
    error_maps,
    unusual_cells,
)
from skasd.inspection._view_maps import grid_of, mixed_maps, view_maps

_WINDOW_GAP, _BAND_GAP = 3, 2
_SMALLEST_SHARE = 0.05
"""Share of the score below which text does not name a statistic."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """What is unusual about a clip, where, and how it contributes to the score.

    `str` gives it as a sentence.

    Parameters
    ----------
    anomaly_score : float
        Higher is more anomalous.
    threshold : float
        Anomaly score above which the clip is judged anomalous.
    spans : list of (float, float)
        Start and end, in seconds, of the spans that hold most of the excess; at most three,
        strongest first. The whole clip if the excess is spread over all of it.
    bands : list of (float, float)
        Lower and upper edge, in Hz, of the bands that hold most of the excess within `spans`; at
        most three, strongest first. All bands if it is spread over them.
    contributions : dict of str to float
        Each branch's share of the score, in [0, 1]; they sum to 1. Empty if the score of this
        detector cannot be split.
    easier_than_usual : bool
        Whether the clip stands out because its errors are smaller than a healthy machine's. `spans`
        and `bands` then tell where errors are missing.
    times : ndarray of shape (n_windows,)
        Middle of each window, in seconds; of each frame if there is no autoencoder.
    frequencies : ndarray of shape (n_mels,)
        Middle of each band, in Hz.
    spectrogram, prediction : ndarray of shape (n_windows, n_mels)
        Level of each window's middle frame, and the level that the autoencoders predict for it, in
        dB. Without autoencoders, the prediction is the mean level of the nearest healthy clip in
        that band, or the clip's own level if no statistic tells it.
    error : ndarray of shape (n_windows, n_mels)
        Squared error, in dB². Without autoencoders, what each cell adds to the squared distance
        from the nearest healthy clip (negative if it reduces the distance), averaged over the
        statistics by their shares.
    excess : ndarray of shape (n_windows, n_mels)
        `error` minus the mean error of the training clips in that band, in dB²; negative if it is
        smaller. A band that is always hard to predict does not stand out here. Without
        autoencoders, how unusual each cell is; `spans` and `bands` come from the values above 0. It
        has no unit and, for a single statistic, the values above 0 sum to 1.
    p_value : float, default=nan
        Share of healthy clips that score at least as high. NaN if the detector does not know it,
        either because its threshold comes from clips that it was trained on, or because it is not a
        detector of skasd.
    rarity : str, default=""
        `p_value` in words; empty if it is NaN.
    of_statistics : bool, default=False
        Whether there is no autoencoder, so that statistics tell what is unusual.

    See Also
    --------
    explain : Makes an explanation.
    ErrorMapDisplay : Draws an explanation.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.inspection import Explanation
    >>> maps = dict.fromkeys(("spectrogram", "prediction", "error", "excess"), np.zeros((9, 2)))
    >>> print(Explanation(
    ...     anomaly_score=85.2, threshold=12.1, spans=[(3.2, 4.1)], bands=[(2100, 3400)],
    ...     contributions={"interpolation error": 0.71, "OpenL3 embedding": 0.29},
    ...     easier_than_usual=False, times=np.arange(9), frequencies=np.array([500, 2500]), **maps
    ... ).location)
    unusual from 3.2 to 4.1 s, at 2.1 to 3.4 kHz
    """

    anomaly_score: float
    threshold: float
    spans: list[tuple[float, float]]
    bands: list[tuple[float, float]]
    contributions: dict[str, float]
    easier_than_usual: bool
    times: np.ndarray
    frequencies: np.ndarray
    spectrogram: np.ndarray
    prediction: np.ndarray
    error: np.ndarray
    excess: np.ndarray
    p_value: float = math.nan
    rarity: str = ""
    of_statistics: bool = False

    @property
    def is_anomalous(self) -> bool:
        """Whether the score is above the threshold."""
        return self.anomaly_score > self.threshold

    @property
    def location(self) -> str:
        """`spans` and `bands` in words."""
        unusual = "easier to predict than usual" if self.easier_than_usual else "unusual"
        most = "" if self.is_anomalous else "most "
        return f"{most}{unusual} {self._spans_in_words()}, {self._bands_in_words()}"

    def __str__(self) -> str:
        verdict = "anomalous" if self.is_anomalous else "normal"
        numbers = f"score {self.anomaly_score:.4g}, threshold {self.threshold:.4g}"
        rarity = f"; {self.rarity}" if self.rarity else ""
        text = f"{verdict} ({numbers}{rarity}): {self.location}"
        # Most of the nine views say little.
        least = _SMALLEST_SHARE if self.of_statistics else 0
        named = [item for item in self.contributions.items() if item[1] >= least]
        shares = sorted(named, key=lambda item: -item[1])
        if len(self.contributions) > 1:
            first, *others = [f"{100 * share:.0f} % {{}}from the {name}" for name, share in shares]
            text += "; " + ", ".join(
                [first.format("of the score "), *(o.format("") for o in others)]
            )
        return text

    def _spans_in_words(self) -> str:
        (start, end), *others = self.spans
        if not others and start <= self.times[0] and end >= self.times[-1]:
            return "throughout"
        return "from " + _enumerate(
            f"{start:.1f} to {end:.1f} s" for start, end in sorted(self.spans)
        )

    def _bands_in_words(self) -> str:
        (low, high), *others = self.bands
        if not others and low <= self.frequencies[0] and high >= self.frequencies[-1]:
            return "in all bands"
        return "at " + _enumerate(_in_hertz(low, high) for low, high in sorted(self.bands))


def explain(
    detector: BaseEstimator,
    clip: Any,
    *,
    sample_rate: int = 16000,
    hop_length: int = 512,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> Explanation:
    """Explain what is unusual about a clip: when, in which bands, and by which branch.

    Parameters
    ----------
    detector : fitted RepeatedSeedEnsemble, FusionDetector or pipeline
        A detector with an autoencoder, such as those of `make_iaeo3`, `make_iaeo3_opt`,
        `make_iaeo3_plus` and `make_baseline`; or with statistics of spectrograms, each followed by
        a `NearestNeighborsDetector` of its own, such as that of `make_views_detector`; or with an
        encoder of spectrograms that keeps bands, such as that of `make_encoder_neighbors`; or with
        several of these.
    clip : path or ndarray
        A single clip of the kind that was fitted: a recording, its samples, or a spectrogram of
        shape (n_frames, n_mels).
    sample_rate, hop_length, fmin, fmax
        Settings of the `LogMelSpectrogram` that computed the spectrogram. A detector that computes
        spectrograms itself knows them, and these have no effect.

    Returns
    -------
    Explanation
        The mean over the members of an ensemble.

    Raises
    ------
    AudioError
        If the clip cannot be read or analyzed, or is too short.
    ValueError
        If the detector has none of these, or several autoencoders that see different spectrograms.

    Notes
    -----
    Errors are compared with `training_error_`, the mean error of each band in training. The excess
    counts as much as it does in the autoencoder's features, in units of ``scale_**2``, and is
    averaged over the windows that a single unusual frame affects, and over three bands. `spans` and
    `bands` hold half of what is then left above 0. Errors of training clips are lower than those of
    new ones, by 2 % to 20 % in our measurements; this raises all bands, and hardly moves the
    places.

    A statistic is a mean over time, or its logarithm. The squared distance from the training clip
    that the score comes from is therefore a sum over frames and bands: in a whitened distance
    ``d' P d``, band i with the deviation d counts by ``(P d)_i``, and a frame by its difference
    from that clip's mean. To find `spans` and `bands`, a band also counts by
    ``|(P d)_i| / sqrt(P_ii)``, its difference from what the other bands predict. The result is
    averaged over nine frames and five bands. Several statistics are combined by their shares of the
    score, on the grid of the analysis with the longest steps or of the autoencoders. Sums over
    quantiles are approximate.

    An encoder's features are means over its frames, so the distance is such a sum as well. Its
    frames and bands are wider than the spectrogram's, and each counts evenly for those that it
    covers: with 8 bands, a place is known to an eighth of the mel scale at best.

    The share of a branch is its Shapley value in the squared Mahalanobis distance from the most
    responsible component of the mixture, which is by how much the score exceeds that of the
    component's mean. A `FusionDetector` first divides its score among its detectors, by how far the
    standardized score of each is above 0, the mean of healthy clips; for a soft maximum, again by
    Shapley values. If levels pooled over time are a branch, `bands` follow both, in proportion to
    their shares; such levels do not tell when.

    References
    ----------
    Lundberg and Lee, "A unified approach to interpreting model predictions", NeurIPS 2017.

    Examples
    --------
    >>> from skasd import make_iaeo3
    >>> from skasd.datasets import make_machine_sounds
    >>> from skasd.inspection import explain
    >>> clips, y = make_machine_sounds("fan", n_normal=12, n_anomalous=3, duration=2.0,
    ...                                random_state=0)
    >>> detector = make_iaeo3(openl3=False, epochs=2, n_repeats=2, random_state=0)
    >>> _ = detector.set_params(estimator__detector__n_components=1)
    >>> explanation = explain(detector.fit(clips[y == 1]), clips[-1])
    >>> explanation.excess.shape, explanation.contributions
    ((59, 128), {'interpolation error': 1.0})
    """
    check_detector(detector)
    detector = best_of(detector)
    settings = {"sample_rate": sample_rate, "hop_length": hop_length, "fmin": fmin, "fmax": fmax}
    groups = groups_of(detector)
    if share_analyses(detector):
        clip = check_clip(clip, 0)
    walks = [[walk(member, clip) for member in group] for group in groups]
    views = [view for group in walks for _, views_of_member in group for view in views_of_member]
    of_fused = shares_of_fused(detector, clip)
    statistics = weighted_statistics(groups, of_fused, clip)
    of_statistics = sum(weight for weight, _ in statistics)
    if views:
        analysis, maps = common_analysis(views, **settings), error_maps(views)
        unusual, easier_than_usual = unusual_cells(maps.smoothed_excess)
        if of_statistics:
            of_errors = of_fused @ [any(found for _, found in group) for group in walks]
            easier_than_usual &= bool(of_errors > of_statistics)
            grid = grid_of(analysis, len(unusual), maps.first_frame)
            unusual = of_errors * unusual / (unusual.sum() or 1)
            unusual += np.maximum(mixed_maps(statistics, grid, **settings)[1], 0)
    elif statistics:
        if not of_statistics:
            statistics = [(1 / len(statistics), view) for _, view in statistics]
        analysis, maps = view_maps(statistics, **settings)
        unusual, easier_than_usual = np.maximum(maps.excess, 0), False
    else:
        raise ValueError(
            f"{type(detector).__name__} cannot be explained: it has neither an autoencoder, whose "
            "errors show where a clip is unusual, nor statistics of spectrograms or an encoder "
            "that keeps their bands, with distances of their own. Pass a detector such as those "
            "of make_views_detector or make_iaeo3."
        )
    middles, edges = band_middles_and_edges(analysis)
    hop = analysis.hop_length / analysis.sample_rate
    times = (maps.first_frame + np.arange(len(maps.error))) * hop

    windows = carrying_runs(unusual.sum(axis=1), gap=_WINDOW_GAP)
    detectors = [[last_step(member) for member in group] for group in groups]
    branches = [[branches_of_member for branches_of_member, _ in group] for group in walks]
    shares = shares_of_groups(of_fused, detectors, branches)
    within_spans = np.concatenate([unusual[first : last + 1] for first, last in windows])
    band_profile = mix_in_levels(
        within_spans.sum(axis=0), detectors, branches, shares, of_statistics
    )
    bands = carrying_runs(band_profile, gap=_BAND_GAP)
    anomaly_score = -float(detector.score_samples([clip])[0])
    p_value, rarity = _rarity(detector, anomaly_score)
    return Explanation(
        anomaly_score=anomaly_score,
        threshold=threshold_of(detector),
        spans=[(max(times[first] - hop / 2, 0), times[last] + hop / 2) for first, last in windows],
        bands=[(edges[first], edges[last + 1]) for first, last in bands],
        contributions=shares,
        easier_than_usual=easier_than_usual,
        times=times,
        frequencies=middles,
        spectrogram=maps.spectrogram,
        prediction=maps.prediction,
        error=maps.error,
        excess=maps.excess,
        p_value=p_value,
        rarity=rarity,
        of_statistics=not views,
    )


def _rarity(detector: Any, anomaly_score: float) -> tuple[float, str]:
    """Return the p-value of a score and its meaning in words, if the detector knows them."""
    step = calibrated_step(detector)
    if step is None or getattr(step, "calibrated_on_", SEEN) == SEEN:
        return math.nan, ""
    calibration = step._calibration
    p_value = float(calibration.p_values(anomaly_score))
    return p_value, in_words(p_value, calibration.finest)


def _enumerate(items: Iterable[str]) -> str:
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def _in_hertz(low: float, high: float) -> str:
    if high < 1000:
        return f"{low:.0f} to {high:.0f} Hz"
    return f"{low / 1000:.1f} to {high / 1000:.1f} kHz"
