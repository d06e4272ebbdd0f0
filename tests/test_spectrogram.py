from pathlib import Path

import numpy as np
import pytest
from scipy.signal import get_window

from skasd import AudioError, LogMelSpectrogram
from skasd.features import FRONT_ENDS
from skasd.features._mel_bands import mel_bands
from skasd.features._short_time_spectrum import centered_window
from skasd.features._spectrogram_transformer import check_spectrograms

DATA = Path(__file__).parent / "data"


def test_agrees_with_toy_car_spectrograms(shared_recordings):
    with np.load(shared_recordings / "toycar-logmel" / "id_04_six_clips.npz") as file:
        expected = dict(file)
    folder = shared_recordings / "dcase2020" / "ToyCar" / "test"
    paths = [folder / f"{name}.wav" for name in expected]
    spectrograms = LogMelSpectrogram().transform(paths)
    assert len(spectrograms) == 6
    for spectrogram, reference in zip(spectrograms, expected.values(), strict=True):
        np.testing.assert_allclose(spectrogram[50:250], reference, rtol=0, atol=1e-4)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_silence_is_the_smallest_level(power):
    (spectrogram,) = LogMelSpectrogram(power=power).transform(np.zeros((1, 16000)))
    expected = 20 / power * np.log10(np.finfo(float).eps)
    np.testing.assert_allclose(spectrogram, expected, rtol=1e-6)


def test_sine_peaks_in_its_band():
    """HTK-free (Slaney) mel: below 1 kHz, 200/3 Hz a mel, as librosa documents."""
    n_mels, frequency = 40, 500.0
    clip = np.sin(2 * np.pi * frequency * np.arange(16000) / 16000)
    (spectrogram,) = LogMelSpectrogram(n_mels=n_mels, fmax=1000).transform([clip])
    centres = np.linspace(0, 1000, n_mels + 2)[1:-1]
    assert spectrogram[5:-5].mean(axis=0).argmax() == np.abs(centres - frequency).argmin()


def test_ten_times_the_amplitude_is_20_db():
    clip = np.random.default_rng(0).uniform(-0.05, 0.05, 16000)
    quiet, loud = LogMelSpectrogram().transform([clip, 10 * clip])
    np.testing.assert_allclose(loud - quiet, 20, atol=1e-3)


def test_number_of_frames():
    clips = [np.zeros(n) for n in (1024, 1535, 1536, 160000)]
    lengths = [len(spectrogram) for spectrogram in LogMelSpectrogram().transform(clips)]
    assert lengths == [3, 3, 4, 313]


def test_threads_change_nothing(noise):
    clips = [noise, noise[:8000], noise[::-1]]
    for one, two in zip(
        LogMelSpectrogram().transform(clips),
        LogMelSpectrogram(n_jobs=2).transform(clips),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)


def test_channel_and_rate_of_a_file_count(tmp_path, noise):
    import soundfile

    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.column_stack([noise, 0 * noise]), 16000, subtype="FLOAT")
    left, right = (LogMelSpectrogram(channel=i).transform([path])[0] for i in (0, 1))
    np.testing.assert_array_equal(left, LogMelSpectrogram().transform([noise])[0])
    assert np.ptp(right) == 0


def test_bad_clip_is_named(bad_clip, noise):
    clip, problem = bad_clip
    transformer = LogMelSpectrogram(min_frames=5)
    with pytest.raises(AudioError, match=problem):
        transformer.fit_transform([noise, clip])


def test_min_frames_names_the_file(tmp_path, noise):
    import soundfile

    path = tmp_path / "short.wav"
    soundfile.write(path, noise[:2000], 16000)
    assert len(LogMelSpectrogram(min_frames=4).transform([path])[0]) == 4
    with pytest.raises(AudioError, match=r"short\.wav: is too short: 2000 samples .* 2048"):
        LogMelSpectrogram(min_frames=5).transform([path])


@pytest.mark.parametrize(
    "parameters", [{"fmax": 9000.0}, {"fmin": 8000.0}, {"fmin": 4000.0, "fmax": 3000.0}]
)
def test_band_edges_are_checked(parameters):
    with pytest.raises(ValueError, match="do not fit sample_rate=16000"):
        LogMelSpectrogram(**parameters).fit(np.zeros((1, 16000)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "at least one spectrogram"),
        (np.zeros((20, 128)), "got one array of shape"),
        ([np.zeros(128)], "clip 0: expected a spectrogram of shape"),
        (["fan.wav"], "clip 0: expected a spectrogram, got str. Put LogMelSpectrogram before"),
        ([np.zeros((9, 8)), np.zeros((9, 7))], "clip 1: has 7 bands, but 8 are expected"),
        ([np.zeros((9, 8)), np.full((9, 8), np.nan)], "clip 1: its spectrogram holds NaN"),
    ],
)
def test_bad_spectrograms_are_named(X, message):
    with pytest.raises(ValueError, match=message):
        check_spectrograms(X)


def test_short_spectrogram_is_an_audio_error():
    with pytest.raises(AudioError, match="clip 1: is too short: 4 frames, but 5 are needed"):
        check_spectrograms([np.zeros((5, 8)), np.zeros((4, 8))], min_frames=5)


LIBROSA = dict(np.load(DATA / "librosa.npz"))
"""What librosa computes, whose import takes long: tests/data/make_librosa.py."""


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("default", {}),
        ("magnitude", {"power": 1.0}),
        ("short", {"n_fft": 256, "hop_length": 128, "n_mels": 32}),
        ("window", {"n_fft": 2048, "win_length": 600, "hop_length": 300}),
        ("odd", {"n_fft": 401, "win_length": 400, "hop_length": 160, "n_mels": 20}),
    ],
)
def test_agrees_with_librosa(noise, name, settings):
    (spectrogram,) = LogMelSpectrogram(**settings).transform([noise[:4000]])
    np.testing.assert_allclose(spectrogram, LIBROSA[name], rtol=0, atol=1e-4)


def rising_tone(rate):
    """Return what tests/data/make_front_ends.py gave to the front ends of others."""
    time = np.arange(round(0.3 * rate)) / rate
    tone = 0.3 * np.sin(2 * np.pi * (200 + 4000 * time) * time)
    return (tone + np.random.default_rng(0).normal(0, 0.02, len(time))).astype(np.float32)


KALDI = {
    "n_fft": 512,
    "win_length": 400,
    "hop_length": 160,
    "n_mels": 80,
    "fmin": 20.0,
    "window": "povey",
    "framing": "kaldi",
    "pre_emphasis": 0.97,
    "mel_scale": "kaldi",
    "mel_norm": None,
    "log": "ln",
    "offset": 0.0,
    # Of 16-bit samples, as kaldi-native-fbank had them.
    "floor": 2.0**-53,
    "mean": -30 * np.log(2),
}


@pytest.mark.parametrize("name", ["kaldi", "ast", "yamnet", "efficientat"])
def test_agrees_with_front_ends_of_encoders(name):
    """Computed by kaldi-native-fbank, transformers and librosa: tests/data/make_front_ends.py."""
    with np.load(DATA / "front_ends.npz") as file:
        expected = file[name]
    settings = KALDI if name == "kaldi" else FRONT_ENDS[name]
    rate = settings.get("sample_rate", 16000)
    log_mel = LogMelSpectrogram(**settings, input_sample_rate=rate)
    (spectrogram,) = log_mel.transform([rising_tone(rate)])
    np.testing.assert_allclose(spectrogram[:20], expected, rtol=0, atol=1e-4)


def test_beats_is_ast_with_other_numbers():
    """Both are Kaldi's, of samples in 16 bits or not: where nothing is below the floor."""
    clip = rising_tone(16000)
    ast, beats = (
        LogMelSpectrogram(**{**FRONT_ENDS[name], "window": "povey", "n_mels": 40}).transform([clip])
        for name in ("ast", "beats")
    )
    levels = ast[0] * 2 * 4.5689974 - 4.2677393 + 2 * np.log(2.0**15)
    np.testing.assert_allclose(beats[0], (levels - 15.41663) / (2 * 6.55582), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["panns", "clap", "ced"])
def test_agrees_with_librosa_on_front_ends(name):
    """torchlibrosa, of PANNs and CLAP, is librosa; torchaudio, of CED, has HTK's bands."""
    rate = FRONT_ENDS[name]["sample_rate"]
    clip = np.concatenate([rising_tone(rate), np.zeros(rate // 10, np.float32)])
    log_mel = LogMelSpectrogram(**FRONT_ENDS[name], input_sample_rate=rate)
    (spectrogram,) = log_mel.transform([clip])
    np.testing.assert_allclose(spectrogram, LIBROSA[name], rtol=0, atol=1e-4)


@pytest.mark.parametrize("norm", [None, "slaney"])
def test_bands_of_kaldi_are_librosas_where_they_are_narrow(norm):
    """Sides that are straight in mel or in Hz hardly differ in bands of few Hz."""
    settings = {"fmin": 4000.0, "fmax": 4400.0, "mel_scale": "kaldi", "mel_norm": norm}
    ours, theirs = mel_bands(16000, 2**14, 4, **settings).toarray(), LIBROSA[f"narrow_{norm}"]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.02 * theirs.max())


@pytest.mark.parametrize("framing", ["zeros", "reflect", "inside", "kaldi"])
@pytest.mark.parametrize("pre_emphasis", [0.0, 0.97])
def test_shortest_clip_has_as_many_frames_as_are_needed(framing, pre_emphasis):
    log_mel = LogMelSpectrogram(
        n_fft=64, hop_length=16, win_length=48, n_mels=4, min_frames=9, framing=framing
    ).set_params(pre_emphasis=pre_emphasis)
    clip = np.random.default_rng(0).normal(size=log_mel.min_samples)
    assert len(log_mel.transform([clip])[0]) >= 9
    with pytest.raises(AudioError, match="is too short"):
        log_mel.transform([clip[:-1]])


def test_silence_needs_an_offset_or_a_floor():
    with pytest.raises(ValueError, match="With offset=0 and floor=0, silence has no logarithm"):
        LogMelSpectrogram(offset=0).fit(np.zeros((1, 16000)))


@pytest.mark.parametrize("length", [1, 2, 3, 400, 1024])
@pytest.mark.parametrize(("name", "periodic"), [("hann", True), ("symmetric_hann", False)])
def test_window_is_that_of_scipy(name, periodic, length):
    expected = get_window("hann", length, fftbins=periodic)
    np.testing.assert_allclose(centered_window(name, None, length), expected, atol=1e-15)
