"""Use an installation from end to end, in seconds: fit, save, load, score, watch, explain, export.

    python tests/smoke.py [MODEL]

MODEL is a file that is written where networks can be trained, and scored where they cannot. It says
what it does, and ends with "skasd works here", or with an error and exit code 1. What is not
installed, such as onnx, is left out. The file needs nothing beside it but skasd.
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

import skasd
from skasd.datasets import make_machine_sounds

SAMPLE_RATE = 16000
SECONDS = 2.0
PACKAGES = ("numpy", "scipy", "scikit-learn", "skops", "soundfile", "soxr")


def main():
    """Go through all that a user does with one machine."""
    print(f"Python {sys.version.split()[0]}, skasd {skasd.__version__}")
    print(", ".join(f"{package} {version(package)}" for package in PACKAGES))
    clips, y = make_machine_sounds(
        "pump", n_normal=24, n_anomalous=4, duration=SECONDS, random_state=0
    )
    healthy, new = clips[:20], clips[20:]
    detector = make_detector().fit(healthy)
    scores = detector.anomaly_score(new)
    assert np.isfinite(scores).all(), scores
    assert scores[-1] > scores[y[20:] == 1].max(), "the plainest leak is not the oddest clip"
    print("fit and scored")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "pump.skasd"
        skasd.save(detector, model)
        np.testing.assert_array_equal(skasd.load(model).anomaly_score(new), scores)
        print("saved and loaded")
        if sys.argv[1:] and find_spec("keras"):
            skasd.save(detector, sys.argv[1])
        elif sys.argv[1:]:
            assert np.isfinite(skasd.load(sys.argv[1]).anomaly_score(new)).all()
            print("scored with the networks of another environment")

        write_clips(folder, new)
        print(command("--help").splitlines()[1].strip())
        lines = command("score", model, folder / "new").splitlines()
        assert len(lines) == len(new), lines
        print("scored recordings from the shell")

        events = watch(model, folder / "long.wav")
        assert len(events) == len(new), events
        print("watched a long recording")

        assert command("explain", model, folder / "new" / "7.wav").strip()
        print("explained a clip")

        if find_spec("matplotlib"):
            command("explain", model, folder / "new" / "7.wav", "-o", folder / "odd.png")
            assert (folder / "odd.png").stat().st_size > 10_000
            print("drew it")
            command("report", model, folder / "new", "-o", folder / "pump.html")
            assert "<audio" in (folder / "pump.html").read_text(encoding="utf-8")
            print("wrote a page")
        if find_spec("onnx"):
            skasd.export_onnx(detector, folder / "pump.onnx", duration=SECONDS)
            print("exported to ONNX")
            if find_spec("onnxruntime"):
                np.testing.assert_allclose(run_onnx(folder / "pump.onnx", new), scores, rtol=1e-3)
                print("scored with onnxruntime")
    print("skasd works here")


def make_detector():
    """Return a small IAEO3; where nothing can train it, the default system."""
    if find_spec("keras"):
        return skasd.make_iaeo3(openl3=False, n_repeats=2, epochs=3, random_state=0)
    return skasd.make_views_detector()


def write_clips(folder, clips):
    """Write each clip, in several formats, and all of them as one long recording."""
    (folder / "new").mkdir()
    for i, clip in enumerate(clips):
        suffix = ("flac", "ogg", "mp3")[i] if i < 3 else "wav"
        soundfile.write(folder / "new" / f"{i}.{suffix}", clip, SAMPLE_RATE)
    soundfile.write(folder / "long.wav", np.concatenate(clips), SAMPLE_RATE)


def command(*arguments):
    """Run skasd from the shell, and return what it writes to standard output."""
    line = [sys.executable, "-m", "skasd", *map(str, arguments)]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    return subprocess.run(
        line, check=True, stdout=subprocess.PIPE, encoding="utf-8", env=environment
    ).stdout


def watch(model, recording):
    """Return the events of a recording."""
    lines = command("monitor", model, recording, "--clip-seconds", SECONDS).splitlines()
    return [json.loads(line) for line in lines]


def run_onnx(path, clips):
    """Return the anomaly scores that an exported model gives."""
    from onnxruntime import InferenceSession

    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    scores, _ = session.run(None, {"clip": clips.astype(np.float32)})
    return scores


if __name__ == "__main__":
    main()
