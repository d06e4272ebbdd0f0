"""Two hours of a machine through a pipe into ``skasd monitor``: ``python -m benchmarks.monitor``.

A synthetic machine runs, with faults planted at known times. Measured are speed and memory, which
faults were raised and how many alarms were false, whether a monitor that is killed again and again
writes the same file in the end, and the latency from a window's last sample to its event.
"""

import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np

import skasd
from benchmarks.measure import command_line, memory, skasd_command
from skasd.datasets import make_machine_sounds

RATE = 16000
SECONDS = 10
BYTES_PER_SECOND = 2 * RATE
FAULT_CLIPS = 8
LEAD_IN = 3.7
"""Seconds before the first clip, so that windows and clips do not begin together."""


def make_sounds(machine: str, n_train: int, n_pieces: int, n_faults: int, seed: int):
    """Return training clips, healthy pieces, and faulty pieces of middle to full severity."""
    clips, y = make_machine_sounds(
        machine, n_normal=n_train + n_pieces, n_anomalous=2 * n_faults, random_state=seed
    )
    normal = clips[y == 1]
    return normal[:n_train], normal[n_train:], clips[y == -1][n_faults:]


def write_recording(path: Path, pieces, faults, hours: float, rng) -> list[tuple[float, float]]:
    """Write raw PCM piece by piece; return begin and end of each fault, in seconds."""
    n_pieces = round(hours * 3600 / SECONDS)
    every = n_pieces // len(faults)
    starts = {every * i + every // 2: i for i in range(len(faults))}
    times = []
    with open(path, "wb") as file:
        file.write(to_pcm(pieces[0][: round(LEAD_IN * RATE)]))
        fault, n_left = 0, 0
        for i in range(n_pieces):
            if i in starts:
                fault, n_left = starts[i], FAULT_CLIPS
                times.append((LEAD_IN + i * SECONDS, LEAD_IN + (i + FAULT_CLIPS) * SECONDS))
            piece = faults[fault] if n_left else pieces[rng.integers(len(pieces))]
            n_left = max(0, n_left - 1)
            file.write(to_pcm(piece))
    return times


def to_pcm(samples: np.ndarray) -> bytes:
    return (samples * 2**15).clip(-(2**15), 2**15 - 1).astype("<i2").tobytes()


def start(model: Path, *options: str, **streams) -> subprocess.Popen:
    command = skasd_command("monitor", model, "-", *options)
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0, **streams
    )


def feed(process: subprocess.Popen, recording: Path, seed: int, each_minute=None) -> None:
    """Write a recording into a process in blocks of any size, until it ends or nobody reads."""
    sizes, n_written = random.Random(seed), 0
    with open(recording, "rb") as file:
        try:
            while block := file.read(sizes.randint(1, 60_000)):
                process.stdin.write(block)
                before, n_written = n_written, n_written + len(block)
                minute = 60 * BYTES_PER_SECOND
                if each_minute and n_written // minute > before // minute:
                    each_minute()
            process.stdin.close()
        except (BrokenPipeError, ValueError):
            pass


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_whole(model: Path, recording: Path, events: Path) -> None:
    seconds = recording.stat().st_size / BYTES_PER_SECOND
    megabytes, begin, cpu_before = [], time.perf_counter(), cpu_of_children()
    process = start(model, "--events", str(events), "--replay")
    while not events.exists():
        time.sleep(0.01)
    ready = time.perf_counter()
    feed(process, recording, 0, lambda: megabytes.append(memory("VmRSS", process.pid)))
    code = process.wait()
    end = time.perf_counter()
    after_first = np.array(megabytes[1:])
    cpu = cpu_of_children() - cpu_before
    print(f"exit code {code}; {seconds:.0f} s of sound; {cpu:.0f} s of CPU in all")
    print(
        f"speed: {seconds / (end - ready):.0f} times real time; {seconds / (end - begin):.0f} with "
        f"the {ready - begin:.1f} s until it listens"
    )
    print(
        f"memory, MB by the minute: {' '.join(f'{m:.0f}' for m in megabytes)}\n"
        f"after the first: {after_first.min():.1f} to {after_first.max():.1f}, "
        f"{np.ptp(after_first):.1f} between"
    )


def judge(events: Path, faults: list[tuple[float, float]]) -> None:
    lines = [json.loads(line) for line in islice(events.open(), 1, None)]
    raised = [line["end"] for line in lines if line["alarm_change"] == "raised"]
    delays = [
        min((t - begin for t in raised if begin < t <= end + SECONDS), default=None)
        for begin, end in faults
    ]
    n_true = sum(delay is not None for delay in delays)
    false = [t for t in raised if not any(b < t <= e + SECONDS for b, e in faults)]
    normal = [e for e in lines if not any(b < e["end"] and e["start"] < t for b, t in faults)]
    n_anomalous = sum(line["is_anomalous"] for line in normal)
    print(
        f"{len(lines)} windows; {n_true} of {len(faults)} faults raised, after "
        f"{', '.join('-' if delay is None else f'{delay:.0f}' for delay in delays)} s; "
        f"{len(false)} false alarms; {n_anomalous} of {len(normal)} healthy windows anomalous"
    )


def run_killed(
    model: Path, recording: Path, whole: Path, events: Path, n_kills: int, seed: int
) -> bool:
    moments = random.Random(seed)
    n_lines = whole.read_bytes().count(b"\n")
    held = []
    for i in range(n_kills):
        process = start(model, "--events", str(events), "--replay")
        writer = threading.Thread(target=feed, args=(process, recording, i + 1))
        writer.start()
        if moments.random() < 0.2:
            time.sleep(moments.uniform(0.1, 4))
        else:
            # Amid the work, and far enough from its end that all the kills find it at work.
            wanted = (held[-1] if held else 0) + moments.randint(2, 2 * n_lines // (n_kills + 5))
            while process.poll() is None and count_lines(events) < wanted:
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        code = process.wait()
        writer.join()
        held.append(count_lines(events))
        if code != -signal.SIGKILL:
            print(f"run {i} had ended before it was killed, with exit code {code}")
    process = start(model, "--events", str(events), "--replay")
    feed(process, recording, 0)
    code = process.wait()
    same = events.read_bytes() == whole.read_bytes()
    print(
        f"killed {len(held)} times, with {held} of {n_lines} lines written; exit code {code}; file "
        f"{'identical to that of the uninterrupted run' if same else 'DIFFERENT'}"
    )
    return same


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def measure_latency(model: Path, recording: Path, n_windows: int) -> None:
    """Write a window but for its last sample, then that, and wait for the event."""
    process = start(model, stdout=subprocess.PIPE)
    latencies = []
    with open(recording, "rb") as file:
        for _ in range(n_windows):
            window = memoryview(file.read(SECONDS * BYTES_PER_SECOND))
            while len(window) > 2:
                window = window[process.stdin.write(window[:-2]) :]
            # What is in the pipe is to be read before the last sample comes, as in real time.
            time.sleep(0.02)
            begin = time.perf_counter()
            process.stdin.write(window)
            process.stdout.readline()
            latencies.append(time.perf_counter() - begin)
    process.stdin.close()
    process.wait()
    p50, p99 = 1000 * np.percentile(latencies[1:], [50, 99])
    print(f"latency of {n_windows} windows: p50 {p50:.0f} ms, p99 {p99:.0f} ms")


def main():
    parser = command_line(__doc__)
    parser.add_argument("--machine", default="pump")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--faults", type=int, default=12)
    parser.add_argument("--train", type=int, default=150)
    parser.add_argument("--pieces", type=int, default=200)
    parser.add_argument("--contamination", type=float, default=0.05)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model, recording, whole, killed = (
            Path(folder, name) for name in ("m.skasd", "sound.raw", "whole.jsonl", "killed.jsonl")
        )
        train, pieces, faulty = make_sounds(
            arguments.machine, arguments.train, arguments.pieces, arguments.faults, arguments.seed
        )
        detector = skasd.make_iaeo3_plus(
            contamination=arguments.contamination,
            epochs=arguments.epochs,
            random_state=arguments.seed,
        )
        skasd.save(detector.fit(train), model)
        rng = np.random.default_rng(arguments.seed)
        faults = write_recording(recording, pieces, faulty, arguments.hours, rng)
        del train, pieces, faulty, detector
        run_whole(model, recording, whole)
        judge(whole, faults)
        measure_latency(model, recording, min(200, round(arguments.hours * 360)))
        same = run_killed(model, recording, whole, killed, arguments.kills, arguments.seed)
    sys.exit(not same)


if __name__ == "__main__":
    main()
