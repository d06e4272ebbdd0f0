"""What every benchmark measures with: rows, the machine, memory, and processes of their own."""

import argparse
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path

import joblib
import numpy as np

PACKAGES = (
    *("numpy", "scipy", "scikit-learn", "librosa", "soundfile", "soxr", "ncnn", "keras", "jax"),
    *("tensorflow", "torch", "pyod", "onnxruntime", "dask"),
)

MACHINES = ("fan", "pump", "slider", "valve")
"""The machines that `skasd.datasets.make_machine_sounds` has."""


def table_line(cells: Iterable[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def table_head(names: Iterable[str]) -> str:
    """Return the head of a Markdown table, two lines."""
    names = list(names)
    return f"{table_line(names)}\n{table_line(['---'] * len(names))}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    part : str
        Which benchmark, such as "a".
    what : str
        What was measured.
    value : float
        How much, in `unit`.
    unit : str
    ratio : float or None
        The ratio that says what the value is worth.
    ratio_of : str
        What was divided by what.
    note : str
        What else belongs to it, such as the memory.
    """

    part: str
    what: str
    value: float
    unit: str
    ratio: float | None = None
    ratio_of: str = ""
    note: str = ""

    @property
    def measured(self) -> str:
        """The value and its unit, or nothing where there is none."""
        value = f"{self.value:.3g}" if self.value < 1000 else f"{self.value:.0f}"
        return "" if math.isnan(self.value) else f"{value} {self.unit}"

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.3g}"
        return table_line((self.part, self.what, self.measured, ratio, self.ratio_of, self.note))


HEADER = table_head(("part", "what", "measured", "ratio", "of", "beside"))


def not_measured(*, part: str, what: str, unit: str, why: object) -> Row:
    """Return the row of what could not be measured here."""
    return Row(part=part, what=what, value=math.nan, unit=unit, note=f"not measured: {why}")


def command_line(description: str) -> argparse.ArgumentParser:
    """Return a parser whose help shows a module's docstring as it is written."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def run(description: str, rows: Callable[[], Iterable[Row]]) -> None:
    """Run a benchmark that has no options of its own."""
    parser = command_line(description)
    parser.add_argument("--out", type=Path, help="Folder for the results; without it, none.")
    report(rows(), parser.parse_args().out)


def report(rows: Iterable[Row], out: Path | None = None) -> None:
    """Print a Markdown table, each row as it comes; write it and JSON to a folder as well."""
    host, measured = machine(), []
    lines = [f"{describe(host)}\n", *HEADER.splitlines()]
    print(*lines, sep="\n", flush=True)
    for row in rows:
        measured.append(row)
        lines.append(str(row))
        print(row, flush=True)
        if out:
            (out / "results.md").write_text("\n".join(lines) + "\n")
            content = {"machine": host, "rows": [asdict(row) for row in measured]}
            (out / "results.json").write_text(json.dumps(content, indent=1) + "\n")


def read_rows(out: Path) -> list[Row]:
    """Return the rows that a run wrote to a folder."""
    return [Row(**row) for row in json.loads((out / "results.json").read_text())["rows"]]


def machine() -> dict:
    """Describe the machine and what is installed."""
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": joblib.cpu_count(),
        "GiB": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "python": platform.python_version(),
        "load before": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "versions": versions,
    }


def describe(host: dict) -> str:
    """Say it in a line."""
    versions = ", ".join(f"{name} {number}" for name, number in host["versions"].items() if number)
    return (
        f"{host['processor']}, {host['cores']} cores, {host['GiB']} GiB, Python "
        f"{host['python']}, load {host['load before']} before, {host['date']}; {versions}"
    )


def product_gflops(size: int = 2048, repeats: int = 10) -> float:
    """Return the speed of a float32 matrix product: the limit of what is computed here."""
    matrix = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    matrix @ matrix
    start = time.perf_counter()
    for _ in range(repeats):
        matrix @ matrix
    return repeats * 2 * size**3 / (time.perf_counter() - start) / 1e9


def memory(field: str, process: int | str = "self") -> float:
    """Return VmRSS (now) or VmHWM (peak) of a process, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1e3


def seconds_of(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def milliseconds_of(call: Callable[[], object], *, n_first: int, n: int) -> list[float]:
    """Return what a call takes each time, but for the first ones."""
    return [1e3 * seconds_of(call) for _ in range(n_first + n)][n_first:]


@dataclass
class Cost:
    """Seconds, and MB above what there was before."""

    seconds: float = 0.0
    megabytes: float = 0.0


@contextmanager
def cost() -> Iterator[Cost]:
    """Measure what the context takes."""
    result = Cost()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    start = time.perf_counter()
    yield result
    result.seconds = time.perf_counter() - start
    result.megabytes = max(0.0, memory("VmHWM") - before)


def apart(function: Callable, *arguments, **environment: str):
    """Call a function in a process of its own, with these environment variables.

    Raises
    ------
    BrokenProcessPool
        Where the process dies, for want of memory for example.
    """
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(function, *arguments).result()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def skasd_command(*arguments: object) -> list[str]:
    """Return the command line that runs ``skasd`` with this Python."""
    return [sys.executable, "-m", "skasd", *map(str, arguments)]
