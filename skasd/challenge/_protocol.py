"""What each year of the challenge requires: which clips a model learns from, and which files."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.utils import Bunch

FIT_ON = ("machine", "section")
"""What a model may be fitted on: all sections of a machine type together, or a single one."""

_FITTED_ON_MACHINES = (2021, 2022)
"""Years whose baselines have one model for all sections of a machine type."""

_NEAR_MICROPHONE = 0
"""Channel of the microphone near the machine, the only one that the baseline of 2026 uses."""


def default_fit_on(year: int) -> str:
    """Return what a year's models are fitted on: ``"machine"`` or ``"section"``."""
    return "machine" if year in _FITTED_ON_MACHINES else "section"


def default_settings(year: int) -> Mapping[str, Any]:
    """Return the settings that a year's recordings call for."""
    return MappingProxyType({"channel": _NEAR_MICROPHONE} if year >= 2026 else {})


def identifier_of(year: int) -> str:
    """Return what a year calls the parts of a machine type: ``"id"`` or ``"section"``."""
    return "id" if year == 2020 else "section"


def file_parts(year: int, section: str, test: Bunch) -> dict[str, list[str]]:
    """Tell which files the test clips of a section go into.

    Parameters
    ----------
    year : int
        The challenge's year.
    section : str
        Section or, in 2020, id.
    test : Bunch
        The section's test clips, from `skasd.datasets.load_dcase`.

    Returns
    -------
    dict of str to list of str
        How the names of the files end, after the machine type, and the clips in each file.

    Examples
    --------
    >>> from sklearn.utils import Bunch
    >>> from skasd.challenge._protocol import file_parts
    >>> file_parts(2024, "00", Bunch(names=["section_00_0000.wav"], domains=None))
    {'section_00_test': ['section_00_0000.wav']}
    """
    if year == 2020:
        return {f"id_{section}": test.names}
    if year == 2021 and test.domains is not None:
        names = np.array(test.names, dtype=object)
        return {
            f"section_{section}_{domain}_test": names[test.domains == domain].tolist()
            for domain in np.unique(test.domains)
        }
    return {f"section_{section}_test": test.names}
