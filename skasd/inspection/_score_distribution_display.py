"""A picture of the scores of normal and anomalous clips."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from skasd._steps import threshold_of
from skasd.audio._clips import Clips
from skasd.inspection._matplotlib import BLUE, ORANGE, import_pyplot, ticks_with_ends
from skasd.metrics._labels import validate

_FAR = 20  # times the width of the normal clips' scores


class ScoreDistributionDisplay:
    """Draw the anomaly scores of normal and of anomalous clips, and the threshold.

    Parameters
    ----------
    y : ndarray of shape (n_clips,)
        +1 for normal clips, -1 for anomalous ones.
    anomaly_scores : ndarray of shape (n_clips,)
        Higher is more anomalous.
    threshold : float or None, default=None
        A clip with a higher score is judged anomalous.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The picture.
    ax_ : matplotlib Axes
        Scores from left to right. The axis is linear around the normal clips and, if scores reach
        much farther than those of normal clips, logarithmic beyond.

    See Also
    --------
    DetectionCurveDisplay : How well the scores separate clips at every threshold.

    Examples
    --------
    >>> from skasd.inspection import ScoreDistributionDisplay
    >>> y, anomaly_scores = [1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8]
    >>> ScoreDistributionDisplay.from_scores(y, anomaly_scores, threshold=0.5)  # doctest: +SKIP
    """

    def __init__(
        self, y: np.ndarray, anomaly_scores: np.ndarray, *, threshold: float | None = None
    ):
        self.y = y
        self.anomaly_scores = anomaly_scores
        self.threshold = threshold

    @classmethod
    def from_estimator(
        cls, detector: BaseEstimator, X: Clips, y: ArrayLike, *, ax: Any = None
    ) -> Self:
        """Score clips and draw their scores.

        Parameters
        ----------
        detector : fitted detector
            A detector, or a pipeline that ends with one.
        X : what the detector was fitted on
            The clips.
        y : array-like of shape (n_clips,)
            +1 for normal clips, -1 for anomalous ones; some of both.
        ax : matplotlib Axes or None, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : ScoreDistributionDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If the labels are invalid.
        """
        import_pyplot()
        return cls.from_scores(
            y, -detector.score_samples(X), threshold=threshold_of(detector), ax=ax
        )

    @classmethod
    def from_scores(
        cls,
        y: ArrayLike,
        anomaly_scores: ArrayLike,
        *,
        threshold: float | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw scores.

        Parameters
        ----------
        y : array-like of shape (n_clips,)
            +1 for normal clips, -1 for anomalous ones; some of both.
        anomaly_scores : array-like of shape (n_clips,)
            Higher is more anomalous.
        threshold : float or None, default=None
            A clip with a higher score is judged anomalous.
        ax : matplotlib Axes or None, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : ScoreDistributionDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If the labels or the scores are invalid.
        """
        is_anomalous, anomaly_scores = validate(y, anomaly_scores)
        return cls(np.where(is_anomalous, -1, 1), anomaly_scores, threshold=threshold).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw a mark for each clip.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : ScoreDistributionDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        if ax is None:
            _, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self._set_scale()
        # The height within a row means nothing; it only keeps marks apart.
        height = np.random.default_rng(0).uniform(-0.3, 0.3, len(self.y))
        classes = ((1, "normal", BLUE, "o"), (-1, "anomalous", ORANGE, "^"))
        labels = []
        for row, (label, name, color, marker) in enumerate(classes):
            chosen = self.y == label
            labels.append(f"{name}\n({chosen.sum()} clips)")
            style = {"color": color, "marker": marker, "linestyle": "none", "markersize": 5}
            alpha = 0.9 if chosen.sum() <= 100 else 0.4
            ax.plot(self.anomaly_scores[chosen], row + height[chosen], alpha=alpha, **style)
        if self.threshold is not None:
            ax.axvline(self.threshold, color="black", linestyle="--", linewidth=1)
            # Between the rows, where there are no marks.
            text = " threshold of the verdict "
            ax.annotate(text, (self.threshold, 0.5), va="center", ha=self._free_side())
        ax.set(xlabel="anomaly score (higher is more anomalous)", ylim=(-0.5, 1.5))
        ax.set_title("Scores of normal and of anomalous clips", loc="left")
        ax.set_yticks([0, 1], labels)
        self._set_ticks()
        return self

    def _free_side(self) -> str:
        left, right = self.ax_.get_xlim()
        ends = self.ax_.transData.transform([(left, 0), (self.threshold, 0), (right, 0)])[:, 0]
        return "left" if ends[1] < (ends[0] + ends[2]) / 2 else "right"

    def _set_ticks(self) -> None:
        """Put ticks at the lowest and the highest score, and some between."""
        ax, axis = self.ax_, self.ax_.xaxis
        shown = [self.anomaly_scores.min(), self.anomaly_scores.max()]
        if shown[0] == shown[1]:
            return
        limits = ax.get_xlim()
        # By position on the axis, whatever its scale.
        scale = axis.get_transform()
        inner = scale.transform(axis.get_major_locator()())
        low, high = scale.transform(shown)
        ticks = ticks_with_ends(low, high, inner)
        values = scale.inverted().transform(np.asarray(ticks))
        ax.set_xticks(values, [f"{value:.3g}" for value in values])
        ax.minorticks_off()
        ax.set_xlim(limits)

    def _set_scale(self) -> None:
        normal = self.anomaly_scores[self.y == 1]
        width = max(np.subtract(*np.quantile(normal, [0.9, 0.1])), np.finfo(np.float64).eps)
        if np.ptp(self.anomaly_scores) > _FAR * width:
            self.ax_.set_xscale("symlog", linthresh=max(np.quantile(np.abs(normal), 0.9), width))
