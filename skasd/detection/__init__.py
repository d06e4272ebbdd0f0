"""Detectors over feature matrices, and the threshold that every detector of skasd shares.

Scores follow scikit-learn: higher is more normal, and `predict` gives +1 for normal clips and -1
for anomalous ones. The field counts the other way: its number is `anomaly_score`.
"""

from skasd.detection.feature import FeatureDetector
from skasd.detection.mixture import GaussianMixtureDetector
from skasd.detection.neighbors import NearestNeighborsDetector
from skasd.detection.threshold import THRESHOLD_CONSTRAINTS, AnomalyDetectorMixin

__all__ = [
    "THRESHOLD_CONSTRAINTS",
    "AnomalyDetectorMixin",
    "FeatureDetector",
    "GaussianMixtureDetector",
    "NearestNeighborsDetector",
]
