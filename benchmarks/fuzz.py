"""Is what a stranger wrote, or a disk damaged, taken or refused? ``python -m benchmarks.fuzz``.

    python -m benchmarks.fuzz --minutes 10 [--seed 0] [--only models] [--out FILE] [--keep FOLDER]

Honest files of every kind that skasd reads are changed where it hurts: model files, fleets,
weights, entries of the cache, results of ``skasd evaluate``, event files of a monitor, recordings
of every container. They are read in processes with limits on time and memory. Each must be taken,
or refused by skasd's own error. Counted, and kept in ``--keep``, is whatever ends a process, takes
longer than 20 s or more memory than its kind may, raises anything else, or is taken for what it is
not: a recording that was cut off for a whole one, a file that was changed without the key for
that of who has it.

An input follows from seed, kind and number: ``--first 1234 --inputs 1`` tries one again. Those of
models and fleets hold what was fitted as well, which is not the same each time. It needs Linux. The
exit code is 1 if there was anything else than taken and refused.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.fuzzing.child import KINDS, work
from benchmarks.fuzzing.kind import ACCEPTED, GOOD, REFUSED
from benchmarks.measure import command_line, table_head, table_line

BATCH = 50_000
"""Inputs for one process."""

START_SECONDS = 120
"""That a process may take until its first answer."""


class Watchdog(threading.Thread):
    """Kill a child that says nothing for too long, or at the end of the time."""

    def __init__(self, child: subprocess.Popen, seconds: float, end: float):
        super().__init__(daemon=True)
        self.child, self.seconds, self.end = child, seconds, end
        self.heard = time.monotonic() + START_SECONDS
        self.has_bitten = self.is_over = False

    def run(self) -> None:
        """Look twice a second."""
        while self.child.poll() is None:
            now = time.monotonic()
            self.has_bitten = now > self.heard + self.seconds
            self.is_over = now > self.end
            if self.has_bitten or self.is_over:
                self.child.kill()
                return
            time.sleep(0.5)


class Run:
    """The inputs of one kind.

    Parameters
    ----------
    name : str
        The kind.
    seed : int
        What the inputs follow from.
    keep : Path or None
        Folder for those that are neither taken nor refused.
    """

    def __init__(self, name: str, seed: int, keep: Path | None):
        self.name, self.seed, self.keep = name, seed, keep
        self.outcomes: Counter[str] = Counter()
        self.seconds = 0.0

    def go(self, first: int, stop: int, end: float) -> None:
        """Try inputs until there are no more, or no time."""
        begin = time.monotonic()
        # A file system in memory, if there is one: a million files wear out a disk.
        shared = Path("/dev/shm")
        place = shared if os.access(shared, os.W_OK) else None
        with tempfile.TemporaryDirectory(dir=place) as name:
            folder = Path(name)
            # Training takes memory and threads.
            self._call("prepare", self.name, folder)
            while first < stop and time.monotonic() < end:
                first = self._run_child(folder, first, min(stop, first + BATCH), end)
        self.seconds = time.monotonic() - begin

    def _call(self, function: str, *arguments: object) -> None:
        """Call a function of `benchmarks.fuzzing.child` in a process of its own."""
        code = "from pathlib import PosixPath; from benchmarks.fuzzing import child; "
        code += f"child.{function}{arguments!r}"
        subprocess.run([sys.executable, "-c", code], check=True)

    def _run_child(self, folder: Path, first: int, stop: int, end: float) -> int:
        """Run one child; return the next input."""
        reader, writer = os.pipe()
        command = [sys.executable, "-m", "benchmarks.fuzz", "--child", str(writer)]
        command += ["--only", self.name, "--seed", str(self.seed), "--first", str(first)]
        command += ["--inputs", str(stop - first), "--folder", str(folder)]
        command += [] if self.keep is None else ["--keep", str(self.keep)]
        complaints = folder / "complaints"
        with open(complaints, "wb") as stderr:
            child = subprocess.Popen(
                command,
                pass_fds=[writer],
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        os.close(writer)
        watchdog = Watchdog(child, KINDS[self.name].most_seconds, end)
        watchdog.start()
        with open(reader, encoding="utf-8") as answers:
            for answer in answers:
                watchdog.heard = time.monotonic()
                self._note(answer.rstrip("\n"), first)
                first += 1
        code = child.wait()
        watchdog.join()
        if watchdog.is_over or (code == 0 and first == stop):
            return first
        complaint = complaints.read_text(errors="replace")
        if code > 0 and "Traceback" in complaint:
            raise RuntimeError(f"{self.name} {first} cannot be tried:\n{complaint[-4000:]}")
        if self.keep is not None:
            self._call("save_deadly", self.name, self.seed, first, folder, self.keep)
        late = f"took more than {watchdog.seconds} s"
        self._note(late if watchdog.has_bitten else f"ended its process: {code}", first)
        return first + 1

    def _note(self, outcome: str, index: int) -> None:
        self.outcomes[outcome] += 1
        if outcome not in GOOD:
            print(f"{self.name} {index}: {outcome}", flush=True)

    @property
    def counts(self) -> dict[str, int]:
        """How many were taken, refused, and anything else, and the seconds that it took."""
        others = self.outcomes.total() - sum(self.outcomes[each] for each in GOOD)
        return {
            "inputs": self.outcomes.total(),
            "taken": self.outcomes[ACCEPTED],
            "refused": self.outcomes[REFUSED],
            "anything else": others,
            "seconds": round(self.seconds),
        }


def main() -> int:
    """Try inputs of each kind for its share of the time; return the exit code."""
    parser = command_line(__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=KINDS, help="This kind; repeatable.")
    parser.add_argument("--first", type=int, default=0, help="Begin with this input.")
    parser.add_argument("--inputs", type=int, help="At most so many of each kind.")
    parser.add_argument("--out", type=Path, help="A file of JSON to add the counts to.")
    parser.add_argument("--keep", type=Path, help="Folder for inputs that are anything else.")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = arguments.only or list(KINDS)
    stop = sys.maxsize if arguments.inputs is None else arguments.first + arguments.inputs
    if arguments.child is not None:
        inputs = range(arguments.first, stop)
        folders = arguments.folder, arguments.keep
        work(names[0], arguments.seed, inputs, *folders, answers=arguments.child)
        return 0
    shares = sum(KINDS[name].share for name in names)
    columns = ("kind", "inputs", "taken", "refused", "anything else", "seconds")
    print(f"seed {arguments.seed}\n\n{table_head(columns)}", flush=True)
    results = {}
    for name in names:
        run = Run(name, arguments.seed, arguments.keep)
        seconds = 60 * arguments.minutes * KINDS[name].share / shares
        run.go(arguments.first, stop, time.monotonic() + seconds)
        results[name] = run.counts
        print(table_line([name, *map(str, run.counts.values())]), flush=True)
    if arguments.out:
        runs = json.loads(arguments.out.read_text()) if arguments.out.exists() else []
        date = f"{datetime.now(UTC):%Y-%m-%d}"
        settings = {"date": date, "seed": arguments.seed, "first": arguments.first}
        runs.append({**settings, "kinds": results})
        arguments.out.write_text(json.dumps(runs, indent=1) + "\n")
    return int(any(counts["anything else"] for counts in results.values()))


if __name__ == "__main__":
    sys.exit(main())
