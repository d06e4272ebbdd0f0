"""Does an evaluation survive being killed? ``python -m benchmarks.protocol``.

Writes a synthetic development set, six machine types and 23 ids in the challenge's layout,
evaluates it once without interruption and once killed again and again at random moments, and
compares all files.
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile
from tqdm import tqdm

from benchmarks.measure import command_line, skasd_command
from skasd.challenge._published import TABLE_2
from skasd.datasets import make_machine_sounds

SYNTHETIC = {"ToyCar": "pump", "ToyConveyor": "slider"}
"""What stands in for the machines that `make_machine_sounds` does not have."""

N_TRAIN, N_TEST, N_ANOMALOUS = 20, 6, 6


def write_development_set(root: Path) -> None:
    """Write clips of one second for each id of the report's Table 2."""
    keys = [key for key in TABLE_2["IAEO3"] if key[1] != "Avg"]
    for seed, (machine, machine_id) in enumerate(tqdm(keys, desc="synthetic set")):
        sounds, y = make_machine_sounds(
            SYNTHETIC.get(machine, machine),
            n_normal=N_TRAIN + N_TEST,
            n_anomalous=N_ANOMALOUS,
            duration=1.0,
            random_state=seed,
        )
        for i, (sound, label) in enumerate(zip(sounds, y, strict=True)):
            folder = root / machine / ("train" if i < N_TRAIN else "test")
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{'normal' if label == 1 else 'anomaly'}_id_{machine_id}_{i:08}.wav"
            soundfile.write(folder / name, sound, 16000)


def start(root: Path, out: Path, jobs: int) -> subprocess.Popen:
    settings = ("openl3=false", "epochs=2", "n_repeats=2", "estimator__detector__n_components=1")
    options = ["--out", out, "--system", "iaeo3-opt", f"--jobs={jobs}"]
    options += [f"--set={setting}" for setting in settings]
    return subprocess.Popen(skasd_command("evaluate", root, *options), start_new_session=True)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def main():
    parser = command_line(__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        root, whole, killed = (Path(folder, name) for name in ("dev_data", "whole", "killed"))
        write_development_set(root)
        begin = time.perf_counter()
        assert start(root, whole, arguments.jobs).wait() == 0
        print(f"uninterrupted: {time.perf_counter() - begin:.0f} s")
        finished = []
        while True:
            process = start(root, killed, arguments.jobs)
            try:
                code = process.wait(timeout=moments.uniform(4, 20))
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                finished.append(len(list(killed.glob("finished/*.json"))))
        same = contents(killed) == contents(whole)
        print(f"killed {len(finished)} times, with {finished} of 23 finished; exit code {code}")
        print(f"{len(contents(whole))} files, {'identical' if same else 'DIFFERENT'}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
