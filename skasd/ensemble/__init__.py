"""Detectors that hold others: several seeds, several kinds, several machines, and broken clips."""

from skasd._utils.public_names import claim_names
from skasd.ensemble._fleet_detector import FleetDetector
from skasd.ensemble._fusion_detector import FusionDetector
from skasd.ensemble._repeated_seed_ensemble import RepeatedSeedEnsemble
from skasd.ensemble._skipping import fit_clips, score_clips

__all__ = [
    "FleetDetector",
    "FusionDetector",
    "RepeatedSeedEnsemble",
    "fit_clips",
    "score_clips",
]

claim_names(__name__)
