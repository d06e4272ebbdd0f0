"""The DCASE challenge: its protocol on the clips of 2020, and the published results."""

from skasd._utils.public_names import claim_names
from skasd.challenge._evaluation import evaluate_dcase2020
from skasd.challenge._published import TABLE_2
from skasd.exceptions import EvaluationError

__all__ = ["TABLE_2", "EvaluationError", "evaluate_dcase2020"]

claim_names(__name__)
