"""Recordings for training and testing."""

from skasd._utils.public_names import claim_names
from skasd.datasets._dcase import load_dcase2020, load_dcase2021
from skasd.datasets._fetch import fetch_dcase2020
from skasd.datasets._layout import MACHINES
from skasd.datasets._synthetic import make_machine_sounds
from skasd.exceptions import DatasetError

__all__ = [
    "MACHINES",
    "DatasetError",
    "fetch_dcase2020",
    "load_dcase2020",
    "load_dcase2021",
    "make_machine_sounds",
]

claim_names(__name__)
