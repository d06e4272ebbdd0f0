"""The years of the challenge's anomaly task: their machine types, and which one a folder is of."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from skasd.datasets._dcase import find_machine_ids, find_machines
from skasd.datasets._ground_truth import LIST, NO_ATTRIBUTE
from skasd.datasets._layout import split_folders, wav_files
from skasd.exceptions import DatasetError

_FIRST_SHOT = ("ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve")
_TYPES_2020 = ("ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve")
_TYPES_2021 = ("ToyCar", "ToyTrain", "fan", "gearbox", "pump", "slider", "valve")

_TYPES: dict[int, dict[str, tuple[str, ...]]] = {
    2020: {"dev": _TYPES_2020, "eval": _TYPES_2020},
    2021: {"dev": _TYPES_2021, "eval": _TYPES_2021},
    2022: {"dev": _FIRST_SHOT, "eval": _FIRST_SHOT},
    2023: {
        "dev": _FIRST_SHOT,
        "eval": ("ToyDrone", "ToyNscale", "ToyTank", "Vacuum", "bandsaw", "grinder", "shaker"),
    },
    2024: {
        "dev": _FIRST_SHOT,
        "eval": (
            *("3DPrinter", "AirCompressor", "BrushlessMotor", "HairDryer", "HoveringDrone"),
            *("RoboticArm", "Scanner", "ToothBrush", "ToyCircuit"),
        ),
    },
    2025: {
        "dev": _FIRST_SHOT,
        "eval": (
            *("AutoTrash", "BandSealer", "CoffeeGrinder", "HomeCamera", "Polisher"),
            *("ScrewFeeder", "ToyPet", "ToyRCCar"),
        ),
    },
    2026: {
        "dev": (
            *("ToyCar", "ToyCarEmu", "bearingEmu", "fan", "gearboxEmu", "sliderEmu", "valveEmu"),
        ),
        "eval": ("BlowerDustCollector", "Sander", "SewingMachine", "ToothBrush", "ToyDrone"),
    },
}

MACHINE_TYPES: Mapping[int, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {year: MappingProxyType(subsets) for year, subsets in _TYPES.items()}
)
"""Year → subset, ``"dev"`` or ``"eval"`` → its machine types."""

_SEVERAL_SECTIONS = (2021, 2022)
"""Years in which a machine type has sections besides 00."""

_HIDDEN: dict[int, frozenset[str]] = {
    2022: frozenset(),
    2023: frozenset(),
    2024: frozenset({"ToyTrain", "gearbox", "slider"}),
    2025: frozenset({"ToyTrain", "bearing", "slider"}),
}
"""Machine types of the development sets whose attributes are hidden, where the types are alike."""


def find_year(root: str | os.PathLike) -> int:
    """Find out which year's challenge the clips in a folder are of.

    Tells by the folder's name, such as ``dcase2024``, by a list of labels that lies in it, and by
    the clips: their names, machine types, sections, test folders and hidden attributes.

    Parameters
    ----------
    root : str or PathLike
        The folder that contains the machine types' folders.

    Returns
    -------
    int
        2020 to 2026.

    Raises
    ------
    DatasetError
        If it has no clips, or those of no year or of several.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skasd.datasets._years import find_year
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = Path(root) / "bandsaw" / "train"
    ...     folder.mkdir(parents=True)
    ...     (folder / "section_00_source_train_normal_0000_vel_15.wav").touch()
    ...     find_year(root)
    2023
    """
    root = Path(root).expanduser()
    machines = find_machines(root)
    for part in reversed(root.resolve().parts):
        named = re.search(r"(?i)dcase\D?(20\d\d)", part)
        if named and int(named[1]) in MACHINE_TYPES:
            return int(named[1])
    years = [year for year in MACHINE_TYPES if _may_be_of(root, machines, year)]
    listed = [year for year in years if (root / LIST.format(year=year)).is_file()]
    if len(listed) == 1:
        return listed[0]
    if len(years) != 1:
        described = f"may be of {' or '.join(map(str, years))}" if years else "are of no known year"
        raise DatasetError(
            str(root),
            f"its clips {described}: {', '.join(machines)}",
            "Pass the year.",
        )
    return years[0]


def _may_be_of(root: Path, machines: list[str], year: int) -> bool:
    """Return whether the clips in a folder may be of a year."""
    if not any(set(machines) <= set(types) for types in MACHINE_TYPES[year].values()):
        return False
    folders = [f for m in machines for s in ("train", "test") for f in split_folders(root, m, s)]
    names = [path.name for path in wav_files(folders)]
    are_sections = all(name.startswith("section_") for name in names)
    if (year == 2020) == are_sections:
        return False
    tests = {folder.name for folder in folders} - {"train"}
    if tests and (year == 2021) != tests.isdisjoint({"test"}):
        return False
    sections = {section for machine in machines for section in find_machine_ids(root, machine)}
    has_several = sections != {"00"} or tests == {"source_test", "target_test"}
    if are_sections and (year in _SEVERAL_SECTIONS) != has_several:
        return False
    if set(machines) <= set(_FIRST_SHOT) and year in _HIDDEN:
        hidden = {m for m in machines if _hides_attributes(root, m)}
        return hidden == _HIDDEN[year] & set(machines)
    return True


def _hides_attributes(root: Path, machine: str) -> bool:
    names = (path.stem for path in wav_files(split_folders(root, machine, "train")))
    return any(name.endswith(NO_ATTRIBUTE) for name in names)
