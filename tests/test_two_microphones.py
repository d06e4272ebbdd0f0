"""Two microphones: one near the machine, and one that hears the surroundings."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

import skasd
from skasd import (
    AudioError,
    LogMelSpectrogram,
    Monitor,
    NearestNeighborsDetector,
    OpenL3Embedding,
    SpectrogramStatistics,
    export_onnx,
    make_views_detector,
)
from skasd.audio import check_clips, read_clip
from skasd.cli import app
from skasd.exceptions import RecordingWarning
from skasd.report._sounds import Sounds

RATE = 16000
GOLDEN = Path(__file__).parent / "data" / "openl3_audio_mel128_golden.h5.gz"


def record(near, far):
    return RATE, np.stack([near, far], axis=1).astype(np.float32)


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(0, 0.02, size=(12, RATE)).astype(np.float32)


def detector(channel, end=None):
    return make_pipeline(
        LogMelSpectrogram(n_mels=16, channel=channel),
        SpectrogramStatistics(),
        NearestNeighborsDetector(contamination=0.3) if end is None else end,
    )


def test_levels_above_those_of_the_far_microphone(noise):
    """Ten times the amplitude is 20 dB in every band."""
    (levels,) = LogMelSpectrogram(channel="near-far").transform([record(10 * noise[0], noise[0])])
    np.testing.assert_allclose(levels, 20, atol=1e-3)
    (levels,) = LogMelSpectrogram(channel="far-near").transform([record(10 * noise[0], noise[0])])
    np.testing.assert_allclose(levels, -20, atol=1e-3)


def test_they_are_those_of_each_channel(noise):
    clip = [record(noise[0], noise[1])]
    near, far, difference = (
        LogMelSpectrogram(n_mels=16, channel=channel).transform(clip)[0]
        for channel in (0, 1, "near-far")
    )
    np.testing.assert_array_equal(difference, near - far)
    assert difference.dtype == np.float32


def test_half_of_an_embedding(noise):
    clip = [record(noise[0], noise[1])]
    near, far, residual = (
        OpenL3Embedding(
            "mel128",
            hop_size=1.0,
            weights=GOLDEN,
            cache=None,
            channel=channel,
            input_sample_rate=RATE,
        ).fit_transform(clip)
        for channel in (0, 1, "near-far")
    )
    np.testing.assert_allclose(residual, near - 0.5 * far, rtol=1e-6)


def test_noise_that_both_hear_is_not_heard(noise):
    """Surroundings rise by 20 dB: where the machine is silent, levels above the far one stay."""
    spectrum = np.fft.rfft(noise[0])
    spectrum[2000:] = 0
    machine = np.fft.irfft(spectrum)
    clips = [record(machine + gain * noise[1], gain * noise[1]) for gain in (0.1, 1.0)]
    (near, near_loud), (above, above_loud) = (
        [levels[2:-2, 90:].mean() for levels in LogMelSpectrogram(channel=channel).transform(clips)]
        for channel in (0, "near-far")
    )
    assert near_loud - near == pytest.approx(20, abs=0.5)
    assert above == pytest.approx(0, abs=0.1)
    assert above_loud == pytest.approx(0, abs=0.1)
    # A whistle of the machine there is as much above the loud surroundings as it is.
    whistle = 0.1 * np.sin(2 * np.pi * 5000 * np.arange(RATE) / RATE)
    faulty = [record(machine + noise[1] + whistle, noise[1])]
    (levels,) = LogMelSpectrogram(channel="near-far").transform(faulty)
    assert levels[:, 90:].mean(axis=0).max() > 10


@pytest.mark.parametrize(
    ("clip", "problem"),
    [
        (np.zeros(RATE), "clip 0: has one channel, but channel='near-far' compares two"),
        ((RATE, np.zeros((RATE, 1))), "has one channel, but channel='near-far' compares two"),
        (record(np.ones(RATE), np.zeros(RATE)), "has a dead channel 1: no sample differs"),
    ],
)
def test_clips_that_lack_a_channel(clip, problem):
    with pytest.raises(AudioError, match=problem):
        LogMelSpectrogram(channel="near-far").transform([clip])


def test_unknown_channel():
    (clip,) = check_clips([record(np.zeros(RATE), np.zeros(RATE))])
    with pytest.raises(ValueError, match="channel='left': expected an index, or one of far-near"):
        read_clip(clip, sample_rate=RATE, channel="left")


@pytest.mark.parametrize(
    ("far", "words"),
    [
        (lambda noise: 0.4 * noise, "channels that differ by 8 dB, and is heard as their mean"),
        (lambda noise: -0.5 * noise, "channels that cancel 10 dB of each other"),
    ],
)
def test_mean_of_channels_that_differ_is_warned_of(noise, far, words):
    clips = [record(each, far(each)) for each in noise]
    with pytest.warns(RecordingWarning, match=words):
        detector("mean").fit(clips)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecordingWarning)
        for channel in (0, "near-far"):
            detector(channel).fit(clips)


def test_mean_of_channels_that_are_alike_is_not(noise):
    """The same sound with noise of their own, or nothing in common at all."""
    others = np.random.default_rng(1).normal(0, 0.02, size=noise.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecordingWarning)
        detector("mean").fit([record(a, a + 0.5 * b) for a, b in zip(noise, others, strict=True)])
        detector("mean").fit([record(a, b) for a, b in zip(noise, others, strict=True)])


def test_default_system_in_a_model_file(noise, tmp_path):
    clips = [record(a, b) for a, b in zip(noise[:6], noise[6:], strict=True)] * 2
    fitted = make_views_detector(n_mels=32, channel="near-far", contamination=0.3).fit(clips)
    skasd.save(fitted, tmp_path / "model.skasd")
    loaded = skasd.load(tmp_path / "model.skasd")
    assert {step.channel for step in (m[0] for m in loaded.estimators_)} == {"near-far"}
    np.testing.assert_array_equal(loaded.score_samples(clips), fitted.score_samples(clips))
    with pytest.raises(ValueError, match="input='clips' has one channel"):
        export_onnx(loaded, tmp_path / "model.onnx")


def test_monitor_and_player(noise):
    clips = [record(a, b) for a, b in zip(noise[:6], noise[6:], strict=True)]
    fitted = detector("near-far").fit(clips * 2)
    monitor = Monitor(fitted, clip_seconds=1.0, sample_rate=RATE)
    events = list(monitor.stream([samples for _, samples in clips]))
    np.testing.assert_allclose(
        [event.anomaly_score for event in events], -fitted.score_samples(clips), rtol=1e-6
    )
    # What is near is played.
    (clip,) = check_clips(clips[:1])
    assert Sounds(fitted).play(clip).seconds == 1.0


def test_command_line(noise, tmp_path):
    for index, (near, far) in enumerate(zip(noise[:6], noise[6:], strict=True)):
        soundfile.write(tmp_path / f"{index}.wav", record(near, far)[1], RATE)
    out = tmp_path / "model.skasd"
    settings = ["--set", "n_mels=32", "--false-alarm-rate", "0.4"]
    run = CliRunner().invoke
    result = run(app, ["fit", str(tmp_path), "-o", str(out), "--channel", "near-far", *settings])
    assert result.exit_code == 0, result.output
    assert skasd.load(out).get_params()["level__spectrogram__channel"] == "near-far"
    result = run(app, ["score", str(out), str(tmp_path)])
    assert result.exit_code == 0, result.output
    result = run(app, ["fit", str(tmp_path), "-o", str(out), "--channel", "1", *settings])
    assert skasd.load(out).get_params()["level__spectrogram__channel"] == 1
    result = run(app, ["fit", str(tmp_path), "-o", str(out), "--channel", "left", *settings])
    assert result.exit_code != 0
    assert "channel" in result.output
