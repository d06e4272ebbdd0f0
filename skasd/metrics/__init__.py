"""Scores of detectors, averages and intervals of scores, and scorers for GridSearchCV.

Labels follow scikit-learn: `y` is +1 for normal clips and -1 for anomalous ones. `anomaly_scores`
follow the field, as in the CSV files of DCASE: higher is more anomalous. They are
``detector.anomaly_score(X)`` or, for any detector of scikit-learn, ``-detector.score_samples(X)``.
Anomalous clips are the positive class of every metric. Every function that takes `y` checks it
with `validate`, which describes the ValueError that it raises.

References
----------
Koizumi et al., "Description and discussion on DCASE2020 challenge task2: Unsupervised anomalous
sound detection for machine condition monitoring", DCASE 2020 Workshop, arXiv:2006.05822.

McClish, "Analyzing a portion of the ROC curve", Medical Decision Making 9(3), 1989.
"""

from skasd._utils.public_names import claim_names
from skasd.metrics._bootstrap import confidence_interval
from skasd.metrics._domains import evaluate_domains, official_score
from skasd.metrics._scorers import auc_pauc_scorer, auc_scorer, pauc_scorer
from skasd.metrics._scores import auc, f1, pauc, precision, recall
from skasd.metrics._summary import average_scores, evaluate, harmonic_mean

__all__ = [
    "auc",
    "auc_pauc_scorer",
    "auc_scorer",
    "average_scores",
    "confidence_interval",
    "evaluate",
    "evaluate_domains",
    "f1",
    "harmonic_mean",
    "official_score",
    "pauc",
    "pauc_scorer",
    "precision",
    "recall",
]

claim_names(__name__)
