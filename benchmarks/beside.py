"""Two checkouts in turn, in one run: ``python -m benchmarks --beside OTHER_CHECKOUT``.

Each benchmark of a part runs in child processes that find the benchmarks of this checkout, and the
`skasd` of one or the other: here, there, there, here, and so on, so that a machine that grows
slower by the hour slows both. Only parts whose benchmarks take nothing but public names from
`skasd` are measured so, since private ones lie elsewhere in other commits.

A row's value is the median of what was measured here, and its ratio is to that of what was measured
there: below 1 is better for seconds, above 1 for clips a second. Each run is told beside it. What
does not use `skasd`, such as bare Keras, tells by how much ratios differ from 1 by chance.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.measure import Row, read_rows

BENCHMARKS = {"a": ("iae_fit",), "d": ("end_to_end", "imports", "threads")}
HERE = Path(__file__).resolve().parents[1]


def lay_out(folder: Path, checkout: Path) -> Path:
    """Link this checkout's benchmarks and a checkout's `skasd` into a folder."""
    folder.mkdir()
    (folder / "benchmarks").symlink_to(HERE / "benchmarks")
    (folder / "skasd").symlink_to((checkout / "skasd").resolve(strict=True))
    return folder


def measure(benchmark: str, folder: Path) -> list[Row]:
    """Run a benchmark on what is linked into a folder; its table goes to standard error."""
    print(f"{benchmark}, {folder.name}:", file=sys.stderr, flush=True)
    subprocess.run(
        [sys.executable, "-m", f"benchmarks.{benchmark}", "--out", folder],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=sys.stderr,
        check=True,
    )
    return read_rows(folder)


def compare(here: list[Row], there: list[Row]) -> Row:
    """Return one row of the same row of several runs."""
    for row in (*here, *there):
        if np.isnan(row.value):
            return row  # its note says why it was not measured
    value, other = (np.median([row.value for row in rows]) for rows in (here, there))
    return Row(
        part=here[0].part,
        what=here[0].what,
        value=value,
        unit=here[0].unit,
        ratio=value / other,
        ratio_of="of the other checkout's",
        note=f"here {list_runs(here)}; there {list_runs(there)}",
    )


def list_runs(rows: list[Row]) -> str:
    return ", ".join(f"{row.measured} ({row.note})" if row.note else row.measured for row in rows)


def rows(other: Path, parts: Iterable[str], n_rounds: int) -> Iterator[Row]:
    """Measure both checkouts in turn."""
    with tempfile.TemporaryDirectory() as folder:
        here = lay_out(Path(folder, "here"), HERE)
        there = lay_out(Path(folder, "there"), other)
        for benchmark in (name for part in parts for name in BENCHMARKS[part]):
            runs = {here: [], there: []}
            for i in range(n_rounds):
                for side in (here, there) if i % 2 == 0 else (there, here):
                    runs[side].append(measure(benchmark, side))
            # The i-th row is the same in all runs, since the benchmarks are.
            rows_here, rows_there = (zip(*runs[side], strict=True) for side in (here, there))
            for row_here, row_there in zip(rows_here, rows_there, strict=True):
                yield compare(row_here, row_there)
