"""`SpectrogramStatistics` against closed forms and other libraries."""

import numpy as np
import pytest
from scipy.interpolate import lagrange
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skasd import AudioError, LogMelSpectrogram, SpectrogramStatistics

RNG = np.random.default_rng(0)
CLIPS = RNG.normal(-40, 5, size=(4, 60, 20)).astype(np.float32)
ALL = (
    "level",
    "quiet",
    "loud",
    "spread",
    "flux",
    "modulation",
    "interpolation",
    "dynamics",
)


def statistic(name, spectrogram, **parameters):
    (features,) = SpectrogramStatistics(name, **parameters).transform([spectrogram])
    return features


def test_level_is_the_mean_and_spread_the_standard_deviation():
    exact = CLIPS.astype(np.float64)
    np.testing.assert_allclose(statistic("level", CLIPS[0]), exact[0].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        np.exp(statistic("spread", CLIPS[0])), exact[0].std(axis=0) + 1e-3, rtol=1e-12
    )


def test_quiet_and_loud_frames_of_a_ramp():
    ramp = np.arange(1.0, 101.0)[RNG.permutation(100), np.newaxis]
    assert statistic("quiet", ramp) == pytest.approx(25.5)  # the mean of 1 to 50
    assert statistic("loud", ramp) == pytest.approx(95.5)  # the mean of 91 to 100


def test_a_sawtooth_has_the_differences_of_its_slope():
    # 0, 1, 2, 3 dB over and over, 25 times: 75 steps of 1 and 24 of -3.
    sawtooth = np.tile(np.arange(4.0), 25)[:, np.newaxis]
    flux = (75 * 1 + 24 * 3) / 99
    assert np.exp(statistic("flux", sawtooth)) == pytest.approx(flux + 1e-3)
    squares = np.exp(statistic("modulation", sawtooth)) - 1e-3
    # Frames two apart differ by 2 dB, those a period or more apart not at all.
    np.testing.assert_allclose(squares, [(75 * 1 + 24 * 9) / 99, 4, 0, 0, 0], atol=1e-12)


def test_white_noise_has_twice_its_variance_at_each_distance():
    noise = np.random.default_rng(1).normal(0, 3, size=(200_000, 1))
    squares = np.exp(statistic("modulation", noise))
    np.testing.assert_allclose(squares, 2 * 9, rtol=0.03)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_a_cubic_is_interpolated_without_an_error(degree):
    cubic = np.polynomial.Polynomial(RNG.normal(size=degree + 1))(np.linspace(-1, 1, 30))
    assert np.exp(statistic("interpolation", cubic[:, np.newaxis])) == pytest.approx(1e-3)


def test_interpolation_error_is_that_of_lagrange():
    around = np.array([-2, -1, 1, 2])
    errors = [
        levels[2] - lagrange(around, levels[around + 2])(0)
        for levels in np.lib.stride_tricks.sliding_window_view(CLIPS[0, :, 0].astype(np.float64), 5)
    ]
    expected = np.log(np.mean(np.square(errors)) + 1e-3)
    assert statistic("interpolation", CLIPS[0])[0] == pytest.approx(expected)


def test_dynamics_are_quantiles_over_time():
    ramp = np.linspace(0, 100, 101)[RNG.permutation(101), np.newaxis]
    features = statistic("dynamics", ramp)
    np.testing.assert_allclose(features[:5], [5, 25, 50, 75, 95])


def test_wide_bands_are_averages_of_adjacent_ones():
    wide = statistic("level", CLIPS[0], n_bands=4)
    np.testing.assert_allclose(wide, CLIPS[0].reshape(60, 4, 5).mean(axis=(0, 2)), rtol=1e-6)
    uneven = statistic("level", CLIPS[0], n_bands=3)
    parts = np.split(CLIPS[0].mean(axis=0), [6, 13])
    np.testing.assert_allclose(uneven, [part.mean() for part in parts], rtol=1e-6)
    # There are no more than there are.
    assert len(statistic("level", CLIPS[0], n_bands=100)) == 20


@pytest.mark.parametrize("name", ALL)
def test_names_and_count(name):
    statistics = SpectrogramStatistics(name).fit(CLIPS)
    names = statistics.get_feature_names_out()
    assert statistics.transform(CLIPS).shape == (4, len(names))
    assert len(set(names)) == len(names)
    assert names[0].startswith(name)


@pytest.mark.parametrize("name", ALL)
def test_nothing_depends_on_the_length_of_the_clip(name):
    rng = np.random.default_rng(2)
    short, long = (rng.normal(size=(300, n_frames, 1)) for n_frames in (100, 400))
    of_short, of_long = (
        SpectrogramStatistics(name).transform(clips).mean(axis=0) for clips in (short, long)
    )
    # The logarithm of a mean of few is lower by half its relative variance, 0.01 of 100 frames, and
    # NumPy's quantile of few is nearer to the median.
    np.testing.assert_allclose(of_short, of_long, atol=0.05)


@pytest.mark.parametrize("name", ALL)
def test_digital_silence_is_finite(name):
    assert np.isfinite(statistic(name, np.full((40, 20), -156.5))).all()


def test_too_few_frames_name_the_clip():
    statistics = SpectrogramStatistics("modulation").fit(CLIPS)
    with pytest.raises(AudioError, match=r"clip 1.*16 frames, but 17"):
        statistics.transform([CLIPS[0], CLIPS[1, :16]])


def test_works_unfitted_and_after_a_clone():
    statistics = SpectrogramStatistics("flux")
    np.testing.assert_array_equal(
        statistics.transform(CLIPS), clone(statistics).fit_transform(CLIPS)
    )
    with pytest.raises(ValueError, match="20 are expected"):
        statistics.fit(CLIPS).transform(CLIPS[:, :, :5])


def test_a_shorter_window_hears_faster_changes():
    """A tone that is switched on and off every 16 ms is steady to a window of 64 ms."""
    seconds = np.arange(32000) / 16000
    beating = np.sin(2 * np.pi * 1000 * seconds) * (seconds % 0.032 < 0.016)
    spreads = {
        win_length: make_pipeline(
            LogMelSpectrogram(hop_length=64, win_length=win_length, n_mels=16),
            SpectrogramStatistics("spread"),
        ).transform([beating.astype(np.float32)])[0, 5]
        for win_length in (1024, 128)
    }
    assert np.exp(spreads[128]) > 10 * np.exp(spreads[1024])
