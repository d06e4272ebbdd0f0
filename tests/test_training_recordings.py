"""What a detector was trained on: whether it fits together, and what of a new clip is unlike it."""

import csv
import io
import json
import pickle
import warnings

import numpy as np
import pytest
import soundfile
import soxr
from joblib import parallel_config
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import FeatureUnion, make_pipeline
from typer.testing import CliRunner

import skasd
from skasd import (
    ClipTransformer,
    FleetDetector,
    FusionDetector,
    GaussianMixtureDetector,
    LogMelSpectrogram,
    Monitor,
    RepeatedSeedEnsemble,
    TimeWeightedPooling,
    fit_clips,
    make_views_detector,
    score_clips,
)
from skasd._steps import training_recordings
from skasd.cli import app
from skasd.exceptions import AudioError, RecordingWarning
from skasd.persistence import read_info

RATE, N_SAMPLES = 16000, 16000


def noise(seed, n_samples=N_SAMPLES, scale=0.05):
    return np.random.default_rng(seed).normal(0, scale, n_samples).astype(np.float32)


HEALTHY = [noise(seed) for seed in range(12)]
SILENCE = np.zeros(N_SAMPLES, np.float32)


class Loudness(ClipTransformer):
    def transform_clip(self, samples):
        return np.array([samples.std(), np.abs(samples).max()])


def levels(detector=None, **settings):
    detector = GaussianMixtureDetector(n_components=1) if detector is None else detector
    return make_pipeline(LogMelSpectrogram(n_mels=8, **settings), TimeWeightedPooling(), detector)


class Fleet(FleetDetector):
    """A fleet of one machine, which is fitted and scored as other detectors are."""

    def fit(self, X, y=None):
        return super().fit(X, y, machine_label=["fan"] * len(X))

    def predict(self, X):
        return super().predict(X, machine_label=["fan"] * len(X))


class FitClips:
    """What `skasd fit` does."""

    def fit(self, X):
        self.detector = levels()
        fit_clips(self.detector, X, on_error="skip")
        return self

    def predict(self, X):
        return self.detector.predict(X)


WAYS = {
    "pipeline": lambda: levels(),
    "scikit-learn's detector": lambda: levels(IsolationForest(n_estimators=5, random_state=0)),
    "own transformer": lambda: make_pipeline(Loudness(), GaussianMixtureDetector(n_components=1)),
    "union": lambda: make_pipeline(
        FeatureUnion([("loudness", Loudness())]), GaussianMixtureDetector(n_components=1)
    ),
    "seeds": lambda: RepeatedSeedEnsemble(levels(), n_repeats=2),
    "folds": lambda: RepeatedSeedEnsemble(levels(), n_repeats=2, cv=2),
    "fusion": lambda: FusionDetector([("levels", levels()), ("quiet", levels(fmin=100))]),
    "ensemble of a fusion": lambda: RepeatedSeedEnsemble(
        FusionDetector([("levels", levels()), ("quiet", levels(fmin=100))]), n_repeats=2
    ),
    "views": make_views_detector,
    "fleet": lambda: Fleet(levels()),
    "fleet of ensembles": lambda: Fleet(RepeatedSeedEnsemble(levels(), n_repeats=2)),
    "fit_clips": FitClips,
}


def said(call):
    """Return what was warned of recordings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(each.message) for each in caught if each.category is RecordingWarning]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_fitting_warns_once(way):
    detector = WAYS[way]()
    assert said(lambda: detector.fit(HEALTHY)) == []
    (message,) = said(lambda: WAYS[way]().fit([*HEALTHY, SILENCE]))
    assert "Of 13 clips" in message
    assert "clip 12 is silent" in message
    assert said(lambda: detector.predict(HEALTHY)) == []
    (message,) = said(lambda: detector.predict([*HEALTHY, SILENCE]))
    assert "1 of 13 clips" in message
    assert "clip 12: silent" in message


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_fitting_takes_silence_alone(way):
    with pytest.raises(ValueError, match="clip 0: is silent, and so are all"):
        WAYS[way]().fit([SILENCE] * 12)


def test_processes():
    with parallel_config(backend="loky", n_jobs=2):
        ensemble = RepeatedSeedEnsemble(levels(), n_repeats=2, n_jobs=2)
        messages = said(lambda: ensemble.fit([*HEALTHY, SILENCE]))
        assert len(messages) == 1
        (message,) = said(lambda: ensemble.predict([*HEALTHY, SILENCE[: N_SAMPLES - 100]]))
        assert "clip 12: silent" in message


def write(path, samples, rate=RATE, **format_):
    soundfile.write(path, samples, rate, **format_)
    return str(path)


MISFITS = {
    "is recorded at 8000 Hz": lambda p: write(p, soxr.resample(noise(20), RATE, 8000), 8000),
    "holds nothing above": lambda p: write(
        p, soxr.resample(soxr.resample(noise(20), RATE, 8000), 8000, RATE)
    ),
    "is silent": lambda p: write(p, SILENCE),
    "has dropouts": lambda p: write(p, np.r_[noise(20)[:8000], SILENCE[:1600], noise(21)[:6400]]),
    "has channels in antiphase": lambda p: write(p, np.stack([noise(20), -noise(20)], axis=1)),
    "has a dead channel": lambda p: write(p, np.stack([noise(20), 0 * noise(20)], axis=1)),
    "dB quieter than the others": lambda p: write(p, 0.1 * noise(20)),
    "dB louder than the others: its samples reach": lambda p: write(
        p, 2**15 * noise(20), subtype="FLOAT"
    ),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_misfits_are_named(misfit, tmp_path):
    paths = [write(tmp_path / f"{index}.wav", clip) for index, clip in enumerate(HEALTHY)]
    path = MISFITS[misfit](tmp_path / "misfit.wav")
    (message,) = said(lambda: levels().fit([*paths, path]))
    assert f"{path} " in message
    assert misfit in message
    # Of the others, nothing is said.
    assert message.count(".wav") == 1


def test_what_all_have_fits_together(tmp_path):
    """Also where the analysis would hear more, as OpenL3 at 48 kHz does."""
    paths = [
        write(tmp_path / f"{index}.wav", soxr.resample(clip, RATE, 8000), 8000)
        for index, clip in enumerate(HEALTHY)
    ]
    assert said(lambda: levels().fit(paths)) == []


def test_a_chosen_channel_is_all_that_counts(tmp_path):
    paths = [
        write(tmp_path / f"{index}.wav", np.stack([clip, -clip], axis=1), subtype="FLOAT")
        for index, clip in enumerate(HEALTHY)
    ]
    with pytest.raises(AudioError, match=r"channels in antiphase: .* Pass channel=0"):
        levels().fit(paths)
    assert said(lambda: levels(channel=1).fit(paths)) == []


def test_what_was_trained_on_is_kept(tmp_path):
    paths = [write(tmp_path / f"{index}.wav", clip) for index, clip in enumerate(HEALTHY)]
    stereo = write(tmp_path / "long.wav", np.stack([noise(20, 32000), noise(21, 32000)], axis=1))
    ensemble = RepeatedSeedEnsemble(levels(), n_repeats=2).fit([*paths, stereo])
    kept = ensemble.training_recordings_
    assert (kept.n_clips, kept.sample_rates, kept.n_channels) == (13, (16000,), (1, 2))
    assert kept.durations == (1.0, 1.0, 2.0)
    assert kept.bandwidths == (8000.0, 8000.0)
    assert kept.listens_up_to == 8000.0
    assert training_recordings(pickle.loads(pickle.dumps(ensemble))) == kept
    skasd.save(ensemble, tmp_path / "model.skasd")
    assert training_recordings(skasd.load(tmp_path / "model.skasd")) == kept
    info = read_info(tmp_path / "model.skasd")
    assert info.recordings["summary"] == str(kept)
    assert info.recordings["sample_rates"] == [16000]


def test_what_does_not_know_its_recordings_says_nothing():
    """As a model of an earlier version."""
    ensemble = RepeatedSeedEnsemble(levels(), n_repeats=2).fit(HEALTHY)
    del ensemble.training_recordings_
    for member in ensemble.estimators_:
        del member[0].training_recordings_
    assert training_recordings(ensemble) is None
    assert said(lambda: ensemble.predict([SILENCE[:8000]])) == []
    assert [each.note for each in score_clips(ensemble, [SILENCE])] == [None]
    assert said(lambda: Monitor(ensemble)) == []
    assert Monitor(ensemble).clip_seconds == 10.0


def test_fit_forgets_and_transform_is_stateless():
    log_mel = LogMelSpectrogram(n_mels=8)
    log_mel.fit_transform(HEALTHY)
    assert said(lambda: log_mel.transform([SILENCE])) != []
    log_mel.fit_transform([clip[:8000] for clip in HEALTHY])
    assert log_mel.training_recordings_.durations == (0.5, 0.5, 0.5)
    assert said(lambda: LogMelSpectrogram(n_mels=8).transform([SILENCE])) == []


UNLIKE = {
    "recorded at 8 kHz, so it holds nothing above 4 kHz; the detector listens up to 8 kHz": (
        lambda p: write(p, soxr.resample(noise(20), RATE, 8000), 8000)
    ),
    "the detector listens up to 8 kHz": lambda p: write(
        p, soxr.resample(soxr.resample(noise(20), RATE, 8000), 8000, RATE)
    ),
    "2 s long; trained on clips of 1 s": lambda p: write(p, noise(20, 2 * N_SAMPLES)),
    "has 2 channels; trained on clips of 1": lambda p: write(
        p, np.stack([noise(20), noise(20)], axis=1)
    ),
    "silent": lambda p: write(p, SILENCE),
    "its channels cancel each other": lambda p: write(p, np.stack([noise(2), -noise(2)], axis=1)),
    "has a dead channel": lambda p: write(p, np.stack([noise(20), SILENCE], axis=1)),
    "has dropouts": lambda p: write(p, np.r_[noise(20)[:8000], SILENCE[:8000]]),
    "dB quieter than all clips": lambda p: write(p, 1e-2 * noise(20)),
}


@pytest.fixture(scope="module")
def ensemble():
    return RepeatedSeedEnsemble(levels(), n_repeats=2, random_state=0).fit(HEALTHY)


@pytest.mark.parametrize("reason", UNLIKE)
def test_scoring_says_what_is_unlike(reason, ensemble, tmp_path):
    path = UNLIKE[reason](tmp_path / "unlike.wav")
    results = list(score_clips(ensemble, [path, HEALTHY[0]]))
    assert reason in results[0].note
    assert results[1].note is None
    assert np.isfinite(results[0].anomaly_score)
    (message,) = said(lambda: ensemble.score_samples([path, HEALTHY[0]]))
    assert message.startswith("1 of 2 clips are unlike")
    assert f"{path}: " in message


def test_more_than_was_heard_in_training(tmp_path):
    low = [soxr.resample(soxr.resample(clip, RATE, 8000), 8000, RATE) for clip in HEALTHY]
    detector = levels().fit(low)
    (result,) = score_clips(detector, [noise(20)])
    assert "holds sound up to 8 kHz; trained on clips that hold nothing above" in result.note


@pytest.mark.parametrize("way", ["seeds", "fusion", "views", "fleet of ensembles", "fleet"])
def test_shorter_clips_get_no_verdict(way):
    detector = WAYS[way]().fit(HEALTHY)
    short = [noise(20), noise(21, N_SAMPLES * 3 // 4)]
    with pytest.raises(AudioError, match=r"clip 1: is 0.75 s long, .* fitted on clips of 1 s"):
        detector.predict(short)
    assert len(detector.predict([noise(20, 2 * N_SAMPLES), noise(21)])) == 2


def test_shorter_clips_get_a_score_and_no_verdict(ensemble):
    short = noise(20, N_SAMPLES * 3 // 4)
    (message,) = said(lambda: ensemble.anomaly_score([short]))
    assert "clip 0: 0.75 s long; trained on clips of 1 s" in message
    with pytest.raises(AudioError, match=r"0\.75 s long"):
        ensemble.p_values([short])
    with pytest.raises(AudioError, match=r"0\.75 s long"):
        list(score_clips(ensemble, [short]))
    result, other = score_clips(ensemble, [short, noise(21)], on_error="skip")
    assert result.prediction == 0
    assert "0.75 s long" in result.error
    assert other.error is None


def test_recalibration_makes_verdicts_of_shorter_clips():
    detector = RepeatedSeedEnsemble(levels(), n_repeats=2, random_state=0).fit(HEALTHY)
    shorter = [noise(seed, N_SAMPLES // 2) for seed in range(20, 60)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecordingWarning)
        detector.recalibrate(shorter[:20])
        assert (detector.predict(shorter[20:]) == 1).mean() > 0.5
    assert not any(result.error for result in score_clips(detector, shorter[20:]))


def test_a_tenth_of_short_clips_is_no_length():
    detector = RepeatedSeedEnsemble(levels(), n_repeats=2).fit([*HEALTHY, noise(20, 6000)])
    with pytest.raises(AudioError, match=r"0\.5 s long"):
        detector.predict([noise(21, 8000)])


def test_monitor_takes_the_length_of_the_training_clips(ensemble):
    monitor = Monitor(ensemble)
    assert monitor.clip_seconds == 1.0
    sound = np.concatenate(HEALTHY[:3])
    assert said(lambda: list(monitor.stream([sound, 0 * sound]))) == []
    with pytest.warns(RecordingWarning, match=r"Windows of 0.5 s are shorter .*\(1 s\)"):
        Monitor(ensemble, clip_seconds=0.5)


def test_monitor_of_a_folder(ensemble, tmp_path):
    write(tmp_path / "a.wav", noise(20, 8000))
    write(tmp_path / "b.wav", SILENCE)
    events = []
    (message,) = said(lambda: events.extend(Monitor(ensemble).watch(tmp_path, once=True)))
    by_name = {event.clip.name: event for event in events}
    assert "0.5 s long" in by_name["a.wav"].error
    assert by_name["b.wav"].error is None
    assert "silent" in message


def run(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_commands(ensemble, tmp_path):
    model = tmp_path / "fan.skasd"
    skasd.save(ensemble, model)
    paths = {
        "silent": write(tmp_path / "silent.wav", SILENCE),
        "short": write(tmp_path / "short.wav", noise(20, 8000)),
        "healthy": write(tmp_path / "healthy.wav", noise(21)),
    }
    result = run("score", model, *paths.values(), "--json")
    assert result.exit_code == 3
    silent, short, healthy = map(json.loads, result.stdout.splitlines())
    assert (silent["note"], healthy["note"]) == ("silent", None)
    assert short["verdict"] == "not scored"
    assert "0.5 s long" in short["error"]
    assert f"unlike the training clips: {paths['silent']}: silent" in result.stderr
    result = run("score", model, paths["silent"], "--csv")
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert (row["note"], row["error"]) == ("silent", "")
    assert "12 clips of 1 s, 16000 Hz, 1 channel" in run("info", model).stdout
    long = write(tmp_path / "long.wav", np.concatenate(HEALTHY[:3]))
    result = run("monitor", model, long)
    assert "windows of 1 s, as long as the training clips" in result.stderr
    assert len(result.stdout.splitlines()) == 3


def test_skasd_fit_warns(tmp_path):
    healthy = tmp_path / "healthy"
    healthy.mkdir()
    for index, clip in enumerate([*HEALTHY, SILENCE]):
        write(healthy / f"{index:02}.wav", clip)
    result = run("fit", healthy, "-o", tmp_path / "fan.skasd")
    assert result.exit_code == 0
    assert result.stderr.count("is silent") == 1
    assert "12.wav is silent" in result.stderr
    for path in healthy.glob("0*.wav"):
        path.unlink()
    for path in healthy.glob("*.wav"):
        write(path, SILENCE)
    result = run("fit", healthy, "-o", tmp_path / "none.skasd")
    assert result.exit_code == 2
    assert "so are all" in result.stderr
    assert not (tmp_path / "none.skasd").exists()
