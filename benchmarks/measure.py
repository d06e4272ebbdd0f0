"""What every benchmark measures with: rows, the machine, memory, and processes of their own."""

import json
import math
import os
import platform
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


@dataclass(frozen=True)
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

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.3g}"
        value = f"{self.value:.3g}" if self.value < 1000 else f"{self.value:.0f}"
        measured = "" if math.isnan(self.value) else f"{value} {self.unit}"
        cells = self.part, self.what, measured, ratio, self.ratio_of, self.note
        return f"| {' | '.join(cells)} |"


HEADER = "| part | what | measured | ratio | of | beside |\n| --- |" + " --- |" * 5


def print_rows(rows: Iterable[Row]) -> None:
    """Print a Markdown table, each row as it comes."""
    print(describe(machine()), HEADER, sep="\n\n", flush=True)
    for row in rows:
        print(row, flush=True)


def write_json(path: Path, host: dict, rows: list[Row]) -> None:
    """Write the machine and the rows."""
    content = {"machine": host, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(content, indent=1) + "\n")


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


def memory(field: str) -> float:
    """Return VmRSS (now) or VmHWM (peak) of this process, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1e3


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


def anomaly_scores(detector, X) -> np.ndarray:
    """Return anomaly scores of a detector of ours, of scikit-learn, or of PyOD."""
    if hasattr(detector, "score_samples"):
        return -detector.score_samples(X)
    return detector.decision_function(X)


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
