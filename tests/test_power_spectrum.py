import numpy as np
import pytest
from scipy.signal import periodogram

from skasd import PowerSpectrum


def decibels(power):
    return 10 * np.log10(power)


@pytest.mark.parametrize("n_samples", [512, 2048, 2000])
def test_bins_are_means_of_a_periodogram(n_samples):
    """SciPy's, of the same points: twice as high as it is one-sided, and a density per Hz."""
    clip = np.random.default_rng(0).normal(0, 0.1, n_samples).astype(np.float32)
    n_fft = 512 if n_samples == 512 else 2048
    _, density = periodogram(clip.astype(float), fs=1, detrend=False, nfft=n_fft)
    power = np.r_[density[0], density[1:-1] / 2].reshape(256, -1).mean(axis=1)
    (levels,) = PowerSpectrum(n_bins=256).transform([clip])
    np.testing.assert_allclose(levels, decibels(power), rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_samples", [3001, 16384, 50000])
def test_level_of_noise_does_not_depend_on_the_length(n_samples):
    """The power of all bins is that of the samples, by Parseval's theorem."""
    clip = np.random.default_rng(0).normal(0, 0.1, n_samples)
    (levels,) = PowerSpectrum(n_bins=128).transform([clip])
    assert decibels(np.mean(10 ** (levels / 10))) == pytest.approx(-20, abs=0.2)
    assert np.ptp(levels) < 20


@pytest.mark.parametrize("n_samples", [16000, 40000])
def test_tone_is_in_its_bin(n_samples):
    """Half of its power, 0.005, is above 0 Hz, in one of the 2000 bins of both sides."""
    tone = 0.1 * np.sin(2 * np.pi * 1004 * np.arange(n_samples) / 16000)
    (levels,) = PowerSpectrum(n_bins=1000).transform([tone])
    assert levels.argmax() == 125  # 1000 to 1008 Hz
    assert levels.max() == pytest.approx(decibels(0.0025 * 2000), abs=0.3)


def test_silence_has_a_level():
    assert PowerSpectrum(n_bins=8).transform([np.zeros(100)]).round(1).tolist() == [[-156.5] * 8]


def test_far_microphone_is_taken_off():
    """A machine 20 dB louder at the near one."""
    near = np.random.default_rng(0).normal(0, 0.1, 4000)
    stereo = np.column_stack([near, 0.1 * near])
    levels = PowerSpectrum(n_bins=64, channel="near-far").transform([(16000, stereo)])
    np.testing.assert_allclose(levels, 20, atol=1e-4)
