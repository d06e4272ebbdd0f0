"""Training and scoring of the interpolation autoencoder: ``python -m benchmarks.iae_fit``.

The limit is a float32 matrix product of the same machine. A training step takes 1.5 MFLOP a window
(250,000 weights, 2 operations each, forward, and twice that backward). Beside ours stands bare
Keras: `Model.fit` of the same layers, with all windows laid out in memory. Each contender runs in
a process of its own, on the same data, in turn, and the fastest of three runs counts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

N_WINDOWS, N_MELS, EPOCHS, REPEATS = 300_000, 128, 5, 3
ENCODER_UNITS = (256, 128, 64, 32)
MFLOP_PER_WINDOW = 1.5


def clips():
    """Return spectrograms with `N_WINDOWS` windows of five frames."""
    rng = np.random.default_rng(0)
    return [8 * rng.standard_normal((304, N_MELS), dtype=np.float32) - 30 for _ in range(1000)]


def product_gflops(size=2048, repeats=10):
    """Return the speed of a float32 matrix product."""
    matrix = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    matrix @ matrix
    start = time.perf_counter()
    for _ in range(repeats):
        matrix @ matrix
    return repeats * 2 * size**3 / (time.perf_counter() - start) / 1e9


def memory(field):
    """Return VmRSS (now) or VmHWM (peak) of this process, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1e3


def fit_ours(spectrograms):
    from skasd import InterpolationAutoencoder

    InterpolationAutoencoder(ENCODER_UNITS, epochs=EPOCHS, random_state=0).fit(spectrograms)


def fit_bare_keras(spectrograms):
    import keras

    windows = np.concatenate(
        [np.lib.stride_tricks.sliding_window_view(s, 5, axis=0) for s in spectrograms]
    )
    inputs = windows[:, :, [0, 1, 3, 4]].transpose(0, 2, 1).reshape(len(windows), -1)
    targets = np.ascontiguousarray(windows[:, :, 2])
    del windows
    network = keras.Sequential([keras.Input((4 * N_MELS,))])
    for units in (*ENCODER_UNITS, *reversed(ENCODER_UNITS[:-1])):
        network.add(keras.layers.Dense(units))
        network.add(keras.layers.BatchNormalization())
        network.add(keras.layers.ReLU())
    network.add(keras.layers.Dense(N_MELS))
    network.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    start = time.perf_counter()
    network.fit(inputs, targets, batch_size=512, epochs=EPOCHS, verbose=0)
    return time.perf_counter() - start


CONTENDERS = {
    "skasd on JAX": (fit_ours, "jax"),
    "bare Keras on JAX": (fit_bare_keras, "jax"),
    "skasd on TensorFlow": (fit_ours, "tensorflow"),
    "bare Keras on TensorFlow": (fit_bare_keras, "tensorflow"),
}


def measure(contender):
    """Fit in this process; print seconds, memory above the data, and the product's speed."""
    fit, _ = CONTENDERS[contender]
    import keras

    keras.ops.zeros(1)  # starts the backend, which is not part of the fit
    gflops = product_gflops()
    spectrograms = clips()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    start = time.perf_counter()
    own_seconds = fit(spectrograms)
    seconds = own_seconds or time.perf_counter() - start
    print(json.dumps([seconds, memory("VmHWM") - before, gflops]))


def score_one_file():
    """Return the milliseconds that five members take for one 10 s WAV file, each time."""
    import soundfile

    from skasd import make_iaeo3

    rng = np.random.default_rng(0)
    recordings = 0.1 * rng.standard_normal((12, 160_000), dtype=np.float32)
    detector = make_iaeo3(openl3=False, epochs=1, random_state=0).fit(recordings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.wav")
        soundfile.write(path, recordings[0], 16000)
        milliseconds = []
        for _ in range(30):
            start = time.perf_counter()
            detector.score_samples([path])
            milliseconds.append(1e3 * (time.perf_counter() - start))
    return milliseconds[1:]


def run_contender(name):
    """Return seconds, memory above the data in MB and the product's GFLOP/s; None if it fails."""
    command = [sys.executable, "-m", "benchmarks.iae_fit", "--contender", name]
    environment = {**os.environ, "KERAS_BACKEND": CONTENDERS[name][1], "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout.splitlines()[-1]) if result.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", choices=CONTENDERS)
    contender = parser.parse_args().contender
    if contender:
        return measure(contender)
    runs = [{name: run_contender(name) for name in CONTENDERS} for _ in range(REPEATS)]
    product = max(result[2] for run in runs for result in run.values() if result)
    print(f"{N_WINDOWS} windows of {N_MELS} bands, {EPOCHS} epochs, {os.cpu_count()} cores, ")
    print(f"float32 product {product:.0f} GFLOP/s\n")
    print("| fit | s | GFLOP/s | of the product | MB above the data |\n| --- |" + " --- |" * 4)
    for name in CONTENDERS:
        results = [run[name] for run in runs if run[name]]
        if not results:
            print(f"| {name} | not measured: it failed, see above | | | |")
            continue
        seconds, megabytes, _ = np.min(results, axis=0)
        gflops = MFLOP_PER_WINDOW * N_WINDOWS * EPOCHS / seconds / 1e3
        share = gflops / product
        print(f"| {name} | {seconds:.1f} | {gflops:.0f} | {share:.2f} | {megabytes:.0f} |")
    p50, p99 = np.percentile(score_one_file(), [50, 99])
    print(f"\nScoring one 10 s WAV file with five members: p50 {p50:.0f} ms, p99 {p99:.0f} ms")


if __name__ == "__main__":
    main()
