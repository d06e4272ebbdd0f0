"""Do ``skasd fit`` and ``skasd score`` survive being killed? ``python -m benchmarks.kills``.

Each command is killed (SIGKILL) 20 times at random moments. After each, the model file must be the
old one or the new one, and the scores so far the first lines of all scores; run to the end, the
result must be that of an uninterrupted run. ``benchmarks.protocol`` does so for ``skasd evaluate``,
``benchmarks.monitor`` for ``skasd monitor``.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import skasd
from benchmarks.clips import write_clips
from benchmarks.measure import command_line, skasd_command

N_KILLS = 20
SETTINGS = ("--set=epochs=2", "--set=n_repeats=2")


def run(*arguments, seconds=None, stdout=subprocess.DEVNULL) -> float | None:
    """Run a command; return how long it took, or None where it was killed."""
    begin = time.perf_counter()
    command = skasd_command(*arguments)
    try:
        subprocess.run(command, stdout=stdout, timeout=seconds, check=True)  # a timeout kills
    except subprocess.TimeoutExpired:
        return None
    return time.perf_counter() - begin


def kill_fit(folder: Path, moments: random.Random) -> bool:
    paths, _ = write_clips(folder / "healthy", "pump", n_normal=30, duration=2.0)
    old = folder / "old.skasd"
    run("fit", *paths[:10], "-o", old, *SETTINGS)
    whole, killed = folder / "whole.skasd", folder / "killed.skasd"
    seconds = run("fit", folder / "healthy", "-o", whole, *SETTINGS)
    expected = {model: skasd.load(model).score_samples(paths).tolist() for model in (old, whole)}
    killed.write_bytes(old.read_bytes())
    finished = 0
    for _ in range(N_KILLS):
        moment = moments.uniform(0.1, 1.1) * seconds
        ended = run("fit", folder / "healthy", "-o", killed, *SETTINGS, seconds=moment)
        finished += ended is not None
        if skasd.load(killed).score_samples(paths).tolist() not in expected.values():
            return False
    run("fit", folder / "healthy", "-o", killed, *SETTINGS)
    print(f"fit ({seconds:.1f} s) killed {N_KILLS - finished} times, finished {finished} times")
    return skasd.load(killed).score_samples(paths).tolist() == expected[whole]


def kill_score(folder: Path, moments: random.Random) -> bool:
    write_clips(folder / "new", "pump", n_normal=200, duration=2.0)
    command = "score", folder / "whole.skasd", folder / "new"
    with open(folder / "whole.txt", "w") as file:
        seconds = run(*command, stdout=file)
    expected = (folder / "whole.txt").read_text()
    lines = []
    for _ in range(N_KILLS):
        with open(folder / "killed.txt", "w") as file:
            run(*command, seconds=moments.uniform(0.1, 1.0) * seconds, stdout=file)
        so_far = (folder / "killed.txt").read_text()
        lines.append(so_far.count("\n"))
        if not expected.startswith(so_far):
            return False
    with open(folder / "killed.txt", "w") as file:
        run(*command, stdout=file)
    print(f"score ({seconds:.1f} s, 200 clips) killed after {lines} lines")
    return (folder / "killed.txt").read_text() == expected


def main():
    parser = command_line(__doc__)
    parser.add_argument("--seed", type=int, default=0)
    moments = random.Random(parser.parse_args().seed)
    with tempfile.TemporaryDirectory() as folder:
        survived = [kill(Path(folder), moments) for kill in (kill_fit, kill_score)]
    print("nothing lost, nothing doubled" if all(survived) else "LOST OR DOUBLED")
    sys.exit(not all(survived))


if __name__ == "__main__":
    main()
