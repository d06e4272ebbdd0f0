"""Detectors over feature matrices, and the threshold that every detector of skasd shares.

Scores follow scikit-learn: higher is more normal, and `predict` gives +1 for normal clips and -1
for anomalous ones. The field counts the other way, as `anomaly_score` does.
"""

from skasd._utils.public_names import claim_names
from skasd.detection._feature_detector import FeatureDetector
from skasd.detection._gaussian_mixture_detector import GaussianMixtureDetector
from skasd.detection._mahalanobis_detector import MahalanobisDetector
from skasd.detection._nearest_neighbors_detector import NearestNeighborsDetector
from skasd.detection._pyod_detector import PyODDetector
from skasd.detection._score_report import ScoreReport

__all__ = [
    "FeatureDetector",
    "GaussianMixtureDetector",
    "MahalanobisDetector",
    "NearestNeighborsDetector",
    "PyODDetector",
    "ScoreReport",
]

claim_names(__name__)
