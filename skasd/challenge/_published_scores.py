"""Published results on the evaluation sets since 2023, from the challenge's own evaluators.

Sources: the sections "Check results" of the READMEs of
https://github.com/nttcslab/dcase2023_task2_evaluator,
https://github.com/nttcslab/dcase2024_task2_evaluator and
https://github.com/nttcslab/dcase2025_task2_evaluator, rounded to hundredths of a percent.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class PublishedScores(NamedTuple):
    """Published results of a system in one year.

    Parameters
    ----------
    official_score : float
        Official score, in %.
    sections : mapping of (str, str) to tuple of float
        Machine type and section → AUC of the source domain, AUC of the target domain and pAUC,
        in %.
    """

    official_score: float
    sections: Mapping[tuple[str, str], tuple[float, float, float]]


_TABLE = """
2023               MSE                   Mahalanobis
bandsaw            66.67  48.29  50.91   83.64  58.86  57.54
grinder            70.68  55.17  58.46   74.09  50.68  59.55
shaker             69.43  56.04  54.92   84.77  63.00  62.33
ToyDrone           79.68  56.10  53.68   81.30  46.22  51.42
ToyNscale          77.00  47.16  51.79   66.78  40.90  50.89
ToyTank            72.12  64.68  58.26   80.12  45.32  53.84
Vacuum             88.16  45.32  59.47   83.84  90.06  65.32
official           59.25                 61.05
2024               MSE                   Mahalanobis
3DPrinter          79.12  47.96  49.42   75.44  42.40  50.84
AirCompressor      65.00  48.24  55.47   66.10  55.50  60.79
Scanner            69.16  53.74  50.11   56.84  55.50  49.26
ToyCircuit         76.58  52.66  50.00   67.94  44.64  49.21
HoveringDrone      86.02  43.88  50.21   83.88  46.40  58.00
HairDryer          62.24  45.98  51.63   60.60  58.98  55.11
ToothBrush         75.04  69.48  52.74   65.56  57.90  48.37
RoboticArm         65.96  41.52  51.16   58.34  42.50  51.79
BrushlessMotor     70.70  63.52  55.58   80.32  73.38  59.05
official           56.51                 56.49
2025               MSE                   Mahalanobis
AutoTrash          81.02  34.36  54.21   77.26  52.60  54.16
HomeCamera         81.40  49.76  52.84   86.16  42.64  51.84
ToyPet             67.70  36.70  55.00   69.82  50.90  56.84
ToyRCCar           52.84  62.72  55.53   55.86  55.48  54.00
BandSealer         71.98  39.56  52.05   76.38  32.68  49.11
CoffeeGrinder      73.04  44.36  53.42   74.98  40.42  51.42
Polisher           66.86  44.30  52.32   70.42  52.78  53.79
ScrewFeeder        64.86  65.92  62.11   72.90  79.04  70.05
official           54.43                 56.51
"""

SYSTEMS = ("MSE", "Mahalanobis")
"""The two scores that the baseline's autoencoder can give."""


def _parse(table: str) -> dict[int, Mapping[str, PublishedScores]]:
    official: dict[int, dict[str, float]] = {}
    sections: dict[int, dict[str, dict]] = {}
    for line in table.strip().split("\n"):
        name, *cells = line.split()
        if name.isdigit():
            year = int(name)
            official[year], sections[year] = {}, {system: {} for system in SYSTEMS}
        elif name == "official":
            official[year] = dict(zip(SYSTEMS, map(float, cells), strict=True))
        else:
            numbers = tuple(map(float, cells))
            for system, triple in zip(SYSTEMS, (numbers[:3], numbers[3:]), strict=True):
                sections[year][system][name, "00"] = triple
    return {
        year: MappingProxyType(
            {
                system: PublishedScores(official[year][system], MappingProxyType(own))
                for system, own in systems.items()
            }
        )
        for year, systems in sections.items()
    }


PUBLISHED_SCORES: Mapping[int, Mapping[str, PublishedScores]] = MappingProxyType(_parse(_TABLE))
"""Year → system, ``"MSE"`` or ``"Mahalanobis"`` → its scores on the evaluation set."""
