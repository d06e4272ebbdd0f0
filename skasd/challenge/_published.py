"""Published results, from Table 2 of the IAEO3 report.

Machines and ids are named as in the challenge's file names; the report writes Car 1 for ToyCar,
id_01. Source: Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and interpolation
autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical report.
"""

from types import MappingProxyType

SYSTEMS = ("IAEO3_opt", "IAEO3", "baseline")
"""Columns of Table 2."""

_TABLE_2 = """
ToyCar      01   93.9  82.5    93.9  82.5    81.4  68.4
ToyCar      02   96.5  89.7    96.5  89.7    86.0  77.7
ToyCar      03   87.4  69.6    87.4  69.6    63.3  55.2
ToyCar      04   99.5  97.3    99.5  97.3    84.5  69.0
ToyCar      Avg  94.3  84.8    94.3  84.8    78.8  67.6
ToyConveyor 01   85.1  71.8    84.2  68.5    78.1  64.3
ToyConveyor 02   71.5  55.8    70.3  55.5    64.2  56.0
ToyConveyor 03   83.4  66.5    79.4  62.8    75.4  61.0
ToyConveyor Avg  80.0  64.7    78.0  62.3    72.5  60.4
fan         00   65.5  53.9    64.9  52.67   54.4  49.4
fan         02   83.3  64.4    80.9  63.0    73.4  54.8
fan         04   71.4  62.1    67.2  54.3    61.6  53.3
fan         06   98.1  90.2    96.6  82.8    73.9  52.4
fan         Avg  79.6  67.6    77.4  63.2    65.8  52.4
pump        00   84.4  62.9    82.6  60.0    67.2  56.7
pump        02   77.8  68.8    75.9  64.6    61.5  58.1
pump        04   98.0  90.9    98.4  92.9    92.9  67.1
pump        06   78.9  66.3    79.1  65.8    74.6  58.0
pump        Avg  84.8  72.2    84.0  70.8    72.9  60.0
slider      00   95.9  79.6    95.9  79.6    96.2  81.4
slider      02   84.0  60.1    84.0  60.1    79.0  63.7
slider      04   97.9  88.9    97.9  88.9    94.3  72.0
slider      06   85.9  54.6    85.9  54.6    69.6  49.0
slider      Avg  90.9  70.8    90.9  70.8    84.8  66.5
valve       00  100.0 100.0   100.0  99.9    68.8  51.7
valve       02   99.7  98.6    99.4  97.0    68.2  51.8
valve       04   99.8  99.0    99.0  95.8    74.3  52.0
valve       06   98.8  94.2    93.8  79.90   53.9  48.4
valve       Avg  99.6  97.9    98.1  93.1    66.3  51.0
Total       Avg  88.5  76.8    87.5  74.7    73.6  59.6
"""


def _parse(table: str) -> dict[str, MappingProxyType]:
    columns: dict[str, dict[tuple[str, str], tuple[float, float]]] = {
        system: {} for system in SYSTEMS
    }
    for line in table.split("\n")[1:-1]:
        machine, machine_id, *numbers = line.split()
        percentages = zip(numbers[::2], numbers[1::2], strict=True)
        for column, (auc, pauc) in zip(columns.values(), percentages, strict=True):
            column[machine, machine_id] = (float(auc), float(pauc))
    return {system: MappingProxyType(column) for system, column in columns.items()}


TABLE_2 = MappingProxyType(_parse(_TABLE_2))
"""Table 2: system → (machine, id) → (AUC, pAUC) in % on the development set.

The id ``"Avg"`` is the average over a machine type's ids; ``("Total", "Avg")`` is the average over
all 23 ids.
"""
