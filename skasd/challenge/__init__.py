"""The DCASE challenge: its protocol of every year, and published results."""

from skasd._utils.public_names import claim_names
from skasd.challenge._evaluation import evaluate_dcase
from skasd.challenge._evaluation_2020 import evaluate_dcase2020
from skasd.challenge._published import TABLE_2
from skasd.challenge._published_scores import PUBLISHED_SCORES
from skasd.exceptions import EvaluationError

__all__ = [
    "PUBLISHED_SCORES",
    "TABLE_2",
    "EvaluationError",
    "evaluate_dcase",
    "evaluate_dcase2020",
]

claim_names(__name__)
