import numpy as np
import pytest

from skasd import AudioError, LogMelSpectrogram
from skasd.features._base import check_spectrograms


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
        (["fan.wav"], "clip 0: no spectrogram but str. Put LogMelSpectrogram before"),
        ([np.zeros((9, 8)), np.zeros((9, 7))], "clip 1: has 7 bands where 8 are expected"),
        ([np.zeros((9, 8)), np.full((9, 8), np.nan)], "clip 1: its spectrogram holds NaN"),
    ],
)
def test_bad_spectrograms_are_named(X, message):
    with pytest.raises(ValueError, match=message):
        check_spectrograms(X)


def test_short_spectrogram_is_an_audio_error():
    with pytest.raises(AudioError, match="clip 1: is too short: 4 frames where 5 are needed"):
        check_spectrograms([np.zeros((5, 8)), np.zeros((4, 8))], min_frames=5)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"power": 1.0},
        {"n_fft": 256, "hop_length": 128, "n_mels": 32},
        {"n_fft": 2048, "win_length": 600, "hop_length": 300},
        {"n_fft": 401, "win_length": 400, "hop_length": 160, "n_mels": 20},
    ],
)
def test_agrees_with_librosa(noise, settings):
    import librosa

    (spectrogram,) = LogMelSpectrogram(**settings).transform([noise])
    power = settings.pop("power", 2.0)
    settings = {"n_fft": 1024, "hop_length": 512, "n_mels": 128, **settings}
    mel = librosa.feature.melspectrogram(
        y=noise, sr=16000, power=power, pad_mode="constant", **settings
    )
    expected = 20 / power * np.log10(mel + np.finfo(float).eps)
    np.testing.assert_allclose(spectrogram, expected.T, rtol=0, atol=1e-4)
