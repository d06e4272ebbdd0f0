"""When, in which bands, and why a clip is judged anomalous, in words and in pictures.

Pictures need matplotlib: ``pip install "skasd[examples]"``.
"""

from skasd._utils.public_names import claim_names
from skasd.inspection._detection_curve_display import DetectionCurveDisplay
from skasd.inspection._error_map_display import ErrorMapDisplay
from skasd.inspection._explanation import Explanation, explain
from skasd.inspection._score_distribution_display import ScoreDistributionDisplay

__all__ = [
    "DetectionCurveDisplay",
    "ErrorMapDisplay",
    "Explanation",
    "ScoreDistributionDisplay",
    "explain",
]

claim_names(__name__)
