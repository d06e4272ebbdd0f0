"""Splits that train on normal clips only, and ways to select settings without any anomaly.

Labels are +1 for normal clips and -1 for anomalous ones, as in `skasd.metrics`, whose scorers work
with these splits. After a search, ``GridSearchCV`` fits the best setting to all clips. A
`RepeatedSeedEnsemble`, and thus every ready-made system built on it, then leaves out the anomalous
ones; for any other estimator, pass ``refit=False`` and fit it to the normal clips yourself.
"""

from skasd._utils.public_names import claim_names
from skasd.model_selection._splitters import NormalKFold, TrainTestFolder
from skasd.model_selection._without_anomalies import (
    add_pseudo_anomalies,
    held_out_likelihood,
    score_stability,
)

__all__ = [
    "NormalKFold",
    "TrainTestFolder",
    "add_pseudo_anomalies",
    "held_out_likelihood",
    "score_stability",
]

claim_names(__name__)
