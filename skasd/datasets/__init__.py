"""Recordings for training and testing."""

from skasd._utils.public_names import claim_names
from skasd.datasets._dcase import load_dcase2020, load_dcase2021
from skasd.datasets._fetch import fetch_dcase2020
from skasd.datasets._fetch_dcase import fetch_dcase
from skasd.datasets._ground_truth import GroundTruth, read_ground_truth
from skasd.datasets._layout import MACHINES
from skasd.datasets._load_dcase import load_dcase
from skasd.datasets._synthetic import make_machine_sounds
from skasd.exceptions import DatasetError

__all__ = [
    "MACHINES",
    "DatasetError",
    "GroundTruth",
    "fetch_dcase",
    "fetch_dcase2020",
    "load_dcase",
    "load_dcase2020",
    "load_dcase2021",
    "make_machine_sounds",
    "read_ground_truth",
]

claim_names(__name__)
