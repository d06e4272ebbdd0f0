"""A process that tries one input after the other, within limits, and may die of it."""

import os
import random
import warnings
from collections.abc import Iterable
from pathlib import Path

from benchmarks.fuzzing.caches import Caches
from benchmarks.fuzzing.events import EventFiles
from benchmarks.fuzzing.fleets import Fleets
from benchmarks.fuzzing.kind import GOOD, Files, Kind, limit_memory, write
from benchmarks.fuzzing.models import Models
from benchmarks.fuzzing.recordings import Recordings
from benchmarks.fuzzing.results import Results
from benchmarks.fuzzing.weights import WeightFiles

KINDS: dict[str, type[Kind]] = {
    kind.name: kind
    for kind in (Models, Fleets, WeightFiles, Caches, Results, EventFiles, Recordings)
}

SPARE = 2
"""The system ends what takes so many times what it may; what takes less is measured."""


def prepare(name: str, folder: Path) -> None:
    """Write the honest files of a kind."""
    KINDS[name].prepare(folder)


def make(kind: Kind, seed: int, index: int) -> Files:
    """Return one of the inputs, the same each time."""
    return kind.make(random.Random(f"{seed} {kind.name} {index}"))


def work(
    name: str, seed: int, inputs: Iterable[int], folder: Path, keep: Path | None, *, answers: int
) -> None:
    """Try inputs in this process, and write what came of each, in a line, to a descriptor."""
    warnings.simplefilter("ignore")
    kind = KINDS[name](folder)
    place = folder / "work"
    place.mkdir(exist_ok=True)
    # What is imported late is part of what the process holds anyway.
    for index in range(20):
        kind.outcome(make(kind, seed, -1 - index), place)
    limit_memory(SPARE * kind.most_megabytes)
    for index in inputs:
        files = make(kind, seed, index)
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        before = _kilobytes("VmRSS")
        outcome = kind.outcome(files, place)
        megabytes = (_kilobytes("VmHWM") - before) / 1024
        if megabytes > kind.most_megabytes:
            outcome = f"took {megabytes:.0f} MB"
        if keep is not None and outcome not in GOOD:
            save(files, keep / f"{name}-{seed}-{index}")
        os.write(answers, f"{outcome}\n".encode(errors="backslashreplace"))


def save_deadly(name: str, seed: int, index: int, folder: Path, keep: Path) -> None:
    """Keep an input that ended the process which read it."""
    save(make(KINDS[name](folder), seed, index), keep / f"{name}-{seed}-{index}")


def save(files: Files, folder: Path) -> None:
    """Write an input to a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    write(files, folder)


def _kilobytes(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split(maxsplit=1)[0])
