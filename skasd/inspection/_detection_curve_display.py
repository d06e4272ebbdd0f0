"""A picture of the ROC curve, with the part of it that a pAUC covers."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_curve

from skasd.audio._clips import Clips
from skasd.inspection._matplotlib import PALETTE, import_pyplot
from skasd.metrics._labels import validate
from skasd.metrics._scores import auc, pauc


class DetectionCurveDisplay:
    """Draw the share of anomalous clips found against the share of false alarms.

    Parameters
    ----------
    fpr, tpr : ndarray of shape (n_thresholds,)
        Shares of the normal and of the anomalous clips that are judged anomalous.
    auc, pauc : float
        Areas, as `skasd.metrics` computes them.
    max_fpr : float, default=0.1
        False positive rate up to which the pAUC counts.
    name : str or None, default=None
        Name of the detector in the legend.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The picture.
    ax_ : matplotlib Axes
        The curve, with the region of the pAUC below it shaded.
    line_ : matplotlib Line2D
        The curve alone.

    See Also
    --------
    skasd.metrics.pauc : The number, and its formula.
    ScoreDistributionDisplay : The scores behind the curve.

    Examples
    --------
    >>> from skasd.inspection import DetectionCurveDisplay
    >>> y, anomaly_scores = [1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8]
    >>> display = DetectionCurveDisplay.from_predictions(y, anomaly_scores)  # doctest: +SKIP
    >>> display.auc  # doctest: +SKIP
    0.75
    """

    def __init__(
        self,
        fpr: np.ndarray,
        tpr: np.ndarray,
        *,
        auc: float,
        pauc: float,
        max_fpr: float = 0.1,
        name: str | None = None,
    ):
        self.fpr = fpr
        self.tpr = tpr
        self.auc = auc
        self.pauc = pauc
        self.max_fpr = max_fpr
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        detector: BaseEstimator,
        X: Clips,
        y: ArrayLike,
        *,
        max_fpr: float = 0.1,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Score clips and draw the curve.

        Parameters
        ----------
        detector : fitted detector
            Any detector with `score_samples`.
        X : what the detector was fitted on
            The clips.
        y : array-like of shape (n_clips,)
            +1 for normal clips, -1 for anomalous ones; some of both.
        max_fpr, name, ax
            See `from_predictions`.

        Returns
        -------
        display : DetectionCurveDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If the labels or `max_fpr` are invalid.
        """
        import_pyplot()
        scores = -detector.score_samples(X)
        return cls.from_predictions(y, scores, max_fpr=max_fpr, name=name, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y: ArrayLike,
        anomaly_scores: ArrayLike,
        *,
        max_fpr: float = 0.1,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the curve from scores.

        Parameters
        ----------
        y : array-like of shape (n_clips,)
            +1 for normal clips, -1 for anomalous ones; some of both.
        anomaly_scores : array-like of shape (n_clips,)
            Higher is more anomalous.
        max_fpr : float, default=0.1
            False positive rate up to which the pAUC counts, in (0, 1].
        name : str or None, default=None
            Name of the detector in the legend.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure. Several curves may share one.

        Returns
        -------
        display : DetectionCurveDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If the labels, the scores or `max_fpr` are invalid.
        """
        is_anomalous, anomaly_scores = validate(y, anomaly_scores)
        areas = {"auc": auc(y, anomaly_scores), "pauc": pauc(y, anomaly_scores, max_fpr)}
        fpr, tpr, _ = roc_curve(is_anomalous, anomaly_scores)
        return cls(fpr, tpr, **areas, max_fpr=max_fpr, name=name).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : DetectionCurveDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        if ax is None:
            _, ax = plt.subplots(figsize=(4.8, 4.8), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        if not ax.lines:
            ax.set_prop_cycle(color=PALETTE, linestyle=["-", "--", "-.", ":"])
            ax.axline((0, 0), (1, 1), color="gray", linewidth=0.7, linestyle=":", label="chance")
            ax.axvline(self.max_fpr, color="gray", linewidth=0.5)
            ax.set(
                xlabel="share of normal clips called anomalous\n(false positive rate)",
                ylabel="share of anomalous clips that are found\n(true positive rate)",
            )
            ax.set_title(f"ROC curve (shaded: pAUC, up to {self.max_fpr:g})", loc="left")
            ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        areas = f"AUC {self.auc:.3f}, pAUC {self.pauc:.3f}"
        label = areas if self.name is None else f"{self.name} ({areas})"
        (self.line_,) = ax.plot(self.fpr, self.tpr, label=label)
        inside = self.fpr <= self.max_fpr
        at_end = np.interp(self.max_fpr, self.fpr, self.tpr)
        ax.fill_between(
            np.append(self.fpr[inside], self.max_fpr),
            np.append(self.tpr[inside], at_end),
            color=self.line_.get_color(),
            alpha=0.25,
            linewidth=0,
        )
        ax.legend(loc="lower right")
        return self
