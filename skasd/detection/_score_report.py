"""How the scores of a batch compare with those of the training clips."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FEWEST_CLIPS = 5
SIGNIFICANT = 0.01


@dataclass(frozen=True)
class ScoreReport:
    """How the anomaly scores of a batch compare with those of healthy clips.

    The healthy clips are those that the threshold comes from: training clips, scored as new ones.

    Parameters
    ----------
    n_clips, n_training_clips : int
        Number of clips of each kind.
    n_anomalous : int
        Clips of the batch beyond the threshold.
    quantiles, training_quantiles : dict of float to float
        Anomaly scores that 5, 25, 50, 75 and 95 % of the clips do not exceed.
    statistic : float
        Statistic of the two-sample Kolmogorov-Smirnov test: the largest distance between
        the two shares of clips below a score, in [0, 1].
    pvalue : float
        Probability of so large a distance by chance, if nothing has changed.
    verdict : {"as in training", "single clips", "more anomalous", "less anomalous"}
        ``"more anomalous"``: the batch as a whole has moved, and so the machine, the microphone or
        its place has changed. ``"less anomalous"``: it has moved to lower scores, as clips do
        that the detector was trained on. ``"single clips"``: some are anomalous, and the others
        are as in training.

    See Also
    --------
    skasd.RepeatedSeedEnsemble.score_report : Make one.

    Notes
    -----
    The batch as a whole has moved if the test says so at 1 %, and the median lies outside the
    middle half of the training scores: a few odd clips do neither.

    References
    ----------
    Hodges, "The significance probability of the Smirnov two-sample test", Arkiv för Matematik
    3(5), 1958.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import FeatureDetector
    >>> rng = np.random.default_rng(0)
    >>> detector = FeatureDetector(contamination=0.05).fit(rng.normal(size=(200, 1)))
    >>> print(detector.score_report(rng.normal(2, 1, size=(50, 1))))  # doctest: +ELLIPSIS
    The clips as a whole score higher than in training: the machine, the microphone or its place...
    """

    n_clips: int
    n_training_clips: int
    n_anomalous: int
    quantiles: dict[float, float]
    training_quantiles: dict[float, float]
    statistic: float
    pvalue: float
    verdict: str

    @classmethod
    def compare(
        cls,
        training_scores: ArrayLike,
        anomaly_scores: ArrayLike,
        *,
        threshold: float,
        fewest_clips: int = FEWEST_CLIPS,
    ) -> Self:
        """Compare the anomaly scores of a batch with those of healthy clips.

        Parameters
        ----------
        training_scores : array-like of shape (n_training_clips,)
            Anomaly scores of the training clips.
        anomaly_scores : array-like of shape (n_clips,)
            Anomaly scores of the batch; NaN is skipped.
        threshold : float
            The anomaly score above which a clip is anomalous.
        fewest_clips : int, default=5
            Clips that a report needs.

        Returns
        -------
        ScoreReport

        Raises
        ------
        ValueError
            If there are fewer clips.
        """
        training_scores = np.asarray(training_scores, dtype=np.float64)
        scores = np.asarray(anomaly_scores, dtype=np.float64)
        scores = scores[~np.isnan(scores)]
        if len(scores) < fewest_clips:
            raise ValueError(
                f"A report needs {fewest_clips} clips at least, got {len(scores)} with a score. "
                "Collect more."
            )
        test = stats.ks_2samp(training_scores, scores)
        low, high = np.quantile(training_scores, [0.25, 0.75])
        median, n_anomalous = np.median(scores), int(np.count_nonzero(scores > threshold))
        if test.pvalue < SIGNIFICANT and not low <= median <= high:
            verdict = "more anomalous" if median > high else "less anomalous"
        else:
            verdict = "single clips" if n_anomalous else "as in training"
        return cls(
            n_clips=len(scores),
            n_training_clips=len(training_scores),
            n_anomalous=n_anomalous,
            quantiles=_quantiles(scores),
            training_quantiles=_quantiles(training_scores),
            statistic=float(test.statistic),
            pvalue=float(test.pvalue),
            verdict=verdict,
        )

    def __str__(self) -> str:
        cause = (
            "the machine, the microphone or its place has changed. Find out which, and if the "
            "machine is healthy, calibrate or fit again."
        )
        says = {
            "as in training": "The clips score as in training.",
            "single clips": (
                f"{self.n_anomalous} of {self.n_clips} clips are anomalous; the clips as a whole "
                "score as in training."
            ),
            "more anomalous": f"The clips as a whole score higher than in training: {cause}",
            "less anomalous": (
                "The clips as a whole score lower than in training, and none of them need be odd: "
                "they are clips of the training, or quieter or more alike than those."
            ),
        }
        return (
            f"{says[self.verdict]} Median {self.quantiles[0.5]:.4g} of {self.n_clips} clips, "
            f"{self.training_quantiles[0.5]:.4g} of {self.n_training_clips} in training "
            f"(Kolmogorov-Smirnov {self.statistic:.2f}, p = {self.pvalue:.2g})."
        )


def _quantiles(scores: np.ndarray) -> dict[float, float]:
    return dict(zip(QUANTILES, np.quantile(scores, QUANTILES).tolist(), strict=True))
