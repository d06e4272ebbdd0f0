"""How well scores tell anomalous clips from normal ones."""

from typing import NamedTuple

import numpy as np

from skasd.metrics import auc, pauc


class Accuracy(NamedTuple):
    """AUC, and partial AUC."""

    auc: float
    pauc: float


def accuracy(y: np.ndarray, scores: np.ndarray) -> Accuracy:
    """Return the accuracy of anomaly scores: labels are 1 for normal clips, -1 for anomalous."""
    return Accuracy(auc=auc(y, scores), pauc=pauc(y, scores))


def anomaly_scores(detector, X) -> np.ndarray:
    """Return anomaly scores of a detector of ours, of scikit-learn, or of PyOD."""
    if hasattr(detector, "score_samples"):
        return -detector.score_samples(X)
    return detector.decision_function(X)
