"""The same sound has the same score, whichever way it comes in."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

import skasd
from skasd import (
    FeatureDetector,
    LogMelSpectrogram,
    Monitor,
    NearestNeighborsDetector,
    OpenL3Embedding,
    TimeWeightedPooling,
    make_views_detector,
    score_clips,
)
from skasd.cli import app
from skasd.monitoring import MonitorEvent

WEIGHTS = Path(__file__).parent / "data" / "openl3_audio_mel128_golden.h5.gz"
RATES = [8000, 16000, 22050, 44100, 48000, 96000]
SECONDS = 0.5


def sounds(rate, n_clips):
    """Return clips of two channels that differ, in the bits that recorders write."""
    rng = np.random.default_rng(rate)
    levels = rng.uniform(500, 5000, (n_clips, 1, 2))
    noise = rng.normal(size=(n_clips, round(SECONDS * rate), 2))
    return (levels * noise).clip(-(2**15), 2**15 - 1).astype(np.int16)


def plain(rate, **settings):
    hop = rate // 50
    log_mel = LogMelSpectrogram(rate, n_fft=2 * hop, hop_length=hop, n_mels=16, **settings)
    return make_pipeline(log_mel, TimeWeightedPooling([0.9, 1]), NearestNeighborsDetector())


def views(rate, **settings):
    hop = rate // 50
    return make_views_detector(
        sample_rate=rate, n_fft=2 * hop, hop_length=hop, n_mels=32, **settings
    )


def openl3(rate, **settings):
    embedding = OpenL3Embedding("mel128", hop_size=1.0, weights=str(WEIGHTS), **settings)
    return make_pipeline(embedding, FeatureDetector(feature=3))


def command(*arguments, stdin=None):
    shown = CliRunner().invoke(app, list(map(str, arguments)), input=stdin)
    assert shown.exit_code == 0, shown.output
    return shown.stdout


def monitored(*arguments, stdin=None):
    lines = command("monitor", *arguments, stdin=stdin).splitlines()
    return [MonitorEvent.from_json(line).anomaly_score for line in lines]


def ways_in(detector, clips, rate, folder):
    """Yield the name of each way, and the scores of the same clips by it."""
    paths = [folder / f"{index}.wav" for index in range(len(clips))]
    for path, clip in zip(paths, clips, strict=True):
        soundfile.write(path, clip, rate)
    dictionaries = [{"array": c / 2**15, "sampling_rate": rate, "path": None} for c in clips]
    inputs = {
        "paths": paths,
        "table": pd.DataFrame({"path": list(map(str, paths))}),
        "column": np.array(paths, dtype=object)[:, np.newaxis],
        "pairs": [(rate, clip) for clip in clips],
        "pairs of floats": [(np.float64(rate), (clip / 2**15).astype("f4")) for clip in clips],
        "dictionaries": dictionaries,
        "dictionaries of paths": [{"path": str(path), "bytes": None} for path in paths],
        "dictionaries of bytes": [{"path": "a.wav", "bytes": p.read_bytes()} for p in paths],
        "files in memory": [io.BytesIO(path.read_bytes()) for path in paths],
    }
    for name, X in inputs.items():
        yield name, -detector.score_samples(X)
    for name in ("pairs", "table"):
        scores = score_clips(detector, inputs[name])
        yield f"score_clips of {name}", [score.anomaly_score for score in scores]
    sound = np.concatenate(clips)
    monitor = Monitor(detector, clip_seconds=SECONDS, sample_rate=rate)
    for name, stream in {"ints": sound, "floats": sound / 2**15}.items():
        blocks = np.array_split(stream, 7)
        yield f"stream of {name}", [event.anomaly_score for event in monitor.stream(blocks)]
    model, night = folder / "model.skasd", folder.parent / "night.wav"
    skasd.save(detector, model)
    soundfile.write(night, sound, rate)
    pcm = ("--rate", rate, "--channels", 2, "--format", "s16le")
    seconds = ("--clip-seconds", SECONDS)
    yield "monitor: file", monitored(model, night, *seconds)
    yield "monitor: PCM", monitored(model, "-", *pcm, *seconds, stdin=sound.tobytes())
    yield "monitor: folder", monitored(model, folder, "--once", "--poll", 0.01)
    scores = csv.DictReader(io.StringIO(command("score", model, folder, "--csv")))
    yield "score: folder", [float(row["anomaly_score"]) for row in scores]


@pytest.mark.parametrize(
    ("make", "rate", "recorded_at", "channel"),
    [
        *[(plain, rate, rate, channel) for rate in RATES for channel in ("mean", 1)],
        (plain, 16000, 48000, 0),
        (plain, 48000, 16000, "mean"),
        (views, 22050, 22050, "mean"),
        (views, 48000, 48000, 1),
        (views, 16000, 96000, "mean"),
        (openl3, 48000, 44100, 1),
    ],
)
def test_same_sound_has_the_same_score(make, rate, recorded_at, channel, tmp_path):
    (tmp_path / "clips").mkdir()
    train, test = np.split(sounds(recorded_at, 8), [6])
    # Samples with the same bits have their embeddings in the cache.
    cache = {"cache": str(tmp_path / "cache")} if make is openl3 else {}
    detector = make(rate, channel=channel, **cache).fit([(recorded_at, clip) for clip in train])
    scores = dict(ways_in(detector, test, recorded_at, tmp_path / "clips"))
    expected = scores.pop("paths")
    # Python and shell disagree if there is nothing to hear, or one channel for another.
    assert abs(expected[0] - expected[1]) > 1e-3
    for name, values in scores.items():
        np.testing.assert_allclose(values, expected, rtol=1e-5, err_msg=name)
