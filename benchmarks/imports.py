"""What a process imports before it can score: ``python -m benchmarks.imports``.

Each statement runs in new processes, whose time from start to end is told. The limit is
scikit-learn's own import, without which there is no estimator; skops, which reads model files,
imports more of scikit-learn. Packages that only our peers and tests need are hidden, since
scikit-learn and skops import them if they are installed, and a user of skasd need not have them.
"""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np

from benchmarks.measure import Row, milliseconds_of, run, skasd_command

HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in {"torch", "pandas", "dask", "pytest"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
"""

STATEMENTS = (
    "pass",
    "import sklearn",
    "import skasd",
    "import sklearn, skasd",
    "import sklearn, skops.io",
    "from skasd import load",
)
REPEATS = 10


def milliseconds(command: list[str]) -> float:
    """Return the median time of a process."""

    def start() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return float(np.median(milliseconds_of(start, n_first=1, n=REPEATS)))


def rows() -> Iterator[Row]:
    """Measure the statements, then the help of the command line."""
    times = {
        statement: milliseconds([sys.executable, "-c", HIDE + statement])
        for statement in STATEMENTS
    }
    times["skasd --help"] = milliseconds(skasd_command("--help"))
    for name, value in times.items():
        yield Row(
            part="d",
            what=f"a process: {name}",
            value=value,
            unit="ms",
            ratio=value / times["import sklearn"],
            ratio_of="of importing scikit-learn",
        )


if __name__ == "__main__":
    run(__doc__, rows)
