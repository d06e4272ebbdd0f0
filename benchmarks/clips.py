"""Recordings of synthetic machines on disk, and a detector of them, for several benchmarks."""

import warnings
from pathlib import Path

import numpy as np
import soundfile

from skasd import make_iaeo3
from skasd.datasets import make_machine_sounds

GOLDEN_WEIGHTS = Path(__file__).resolve().parents[1] / "tests/data/openl3_audio_mel256_golden.h5.gz"
"""Weights of OpenL3's shape: speed does not depend on what they hold."""


def write_clips(
    folder: Path,
    machine: str,
    *,
    n_normal: int,
    n_anomalous: int = 0,
    duration: float = 10.0,
    random_state: int = 0,
) -> tuple[list[str], np.ndarray]:
    """Write 16-bit WAV files at 16 kHz; return their paths and labels."""
    folder.mkdir(exist_ok=True)
    sounds, y = make_machine_sounds(
        machine,
        n_normal=n_normal,
        n_anomalous=n_anomalous,
        duration=duration,
        random_state=random_state,
    )
    paths = []
    for i, (sound, label) in enumerate(zip(sounds, y, strict=True)):
        kind = "normal" if label == 1 else "anomaly"
        paths.append(str(folder / f"{machine}_{kind}_id_{random_state:02}_{i:08}.wav"))
        soundfile.write(paths[-1], sound, 16000)
    return paths, y


def fit_with_openl3(paths: list[str], *, hop_size: float, n_jobs: int | None = None):
    """Return IAEO3 with OpenL3, which has learned no more from few clips than it needs to score."""
    detector = make_iaeo3(weights=GOLDEN_WEIGHTS, epochs=1, random_state=0, n_jobs=n_jobs)
    detector.set_params(
        estimator__features__openl3__embedding__hop_size=hop_size,
        estimator__features__openl3__embedding__cache=None,
        estimator__detector__n_components=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # fewer clips than principal components
        return detector.fit(paths)
