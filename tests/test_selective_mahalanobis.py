"""The baseline of 2023 to 2026 in its selective Mahalanobis mode."""

import numpy as np
import pytest

import skasd
from skasd import SelectiveMahalanobisAutoencoder, make_baseline
from skasd.systems import make_system

N_FRAMES, N_MELS = 3, 6


@pytest.fixture(scope="module")
def spectrograms():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2, N_MELS, N_MELS))
    return [(rng.normal(size=(40, N_MELS)) @ mixing[i % 2]).astype(np.float32) for i in range(12)]


DOMAIN = ["source", "target"] * 6


@pytest.fixture(scope="module")
def fitted(spectrograms):
    autoencoder = SelectiveMahalanobisAutoencoder(
        (8, 2), n_frames=N_FRAMES, epochs=2, batch_size=32, random_state=0
    )
    return autoencoder.fit(spectrograms, domain=DOMAIN)


def errors_of(autoencoder, spectrogram):
    """Compute the errors of all frames of all windows, a row each, one layer after the other."""
    windows = np.lib.stride_tricks.sliding_window_view(spectrogram, N_FRAMES, axis=0)
    windows = np.float64(windows.transpose(0, 2, 1)).reshape(-1, N_FRAMES * N_MELS)
    layers = list(zip(autoencoder.coefs_, autoencoder.intercepts_, strict=True))
    activation = windows
    for number, (coefs, intercepts) in enumerate(layers):
        activation = activation @ coefs + intercepts
        if number < len(layers) - 1:
            activation = np.maximum(activation, 0)
    return (activation - windows).reshape(-1, N_MELS)


def test_score_is_that_of_the_baselines_code(fitted, spectrograms):
    """It multiplies the errors of all pairs of frames by the inverse covariance, and averages."""
    inverses = []
    for domain in ("source", "target"):
        own = [each for each, name in zip(spectrograms, DOMAIN, strict=True) if name == domain]
        errors = np.concatenate([errors_of(fitted, each) for each in own])
        inverses.append(np.linalg.inv(np.cov(errors.T, bias=True)))
    nearer = set()
    for spectrogram, score in zip(spectrograms, fitted.transform(spectrograms), strict=True):
        errors = errors_of(fitted, spectrogram)
        distances = [(errors @ inverse @ errors.T).mean() for inverse in inverses]
        assert score == pytest.approx(min(distances), rel=1e-3)
        nearer.add(int(np.argmin(distances)))
    assert nearer == {0, 1}
    assert fitted.get_feature_names_out().tolist() == ["error_mahalanobis"]


def test_without_domains_both_are_alike(fitted, spectrograms):
    clone = SelectiveMahalanobisAutoencoder(**fitted.get_params())
    of_all = clone.fit(spectrograms).precision_factors_
    np.testing.assert_array_equal(of_all[0], of_all[1])
    assert not np.allclose(fitted.precision_factors_[0], fitted.precision_factors_[1])
    target_alone = clone.fit(spectrograms, domain=["target"] * 12).precision_factors_
    np.testing.assert_allclose(target_alone, of_all)


@pytest.mark.parametrize(
    ("domain", "message"),
    [(["source"] * 11 + ["goal"], "domain is 'goal' at index 11"), (["source"], "inconsistent")],
)
def test_wrong_domains(fitted, spectrograms, domain, message):
    with pytest.raises(ValueError, match=message):
        SelectiveMahalanobisAutoencoder(**fitted.get_params()).fit(spectrograms, domain=domain)


@pytest.fixture(scope="module")
def system(spectrograms):
    detector = make_baseline(score="mahalanobis", input="spectrograms", epochs=2, cv=None)
    detector.set_params(random_state=0, estimator__autoencoder__encoder_units=(8, 2))
    return detector.fit(spectrograms, domain=DOMAIN)


def test_domains_reach_the_autoencoder_of_a_system(system, spectrograms):
    (member,) = system.estimators_
    source, target = member["autoencoder"].precision_factors_
    assert not np.allclose(source, target)
    np.testing.assert_array_equal(
        system.anomaly_score(spectrograms), member["autoencoder"].transform(spectrograms).ravel()
    )


def test_saved_and_loaded(system, spectrograms, tmp_path):
    skasd.save(system, tmp_path / "model.skasd")
    loaded = skasd.load(tmp_path / "model.skasd")
    np.testing.assert_array_equal(
        loaded.anomaly_score(spectrograms), system.anomaly_score(spectrograms)
    )


def test_system_by_name():
    detector = make_system("baseline-mahalanobis", None, epochs=3)
    assert isinstance(detector.estimator["autoencoder"], SelectiveMahalanobisAutoencoder)
    assert detector.estimator["autoencoder"].epochs == 3
    assert detector.estimator["autoencoder"].batch_size == 256
    with pytest.raises(ValueError, match="score='mse2': expected 'mse' or 'mahalanobis'"):
        make_baseline(score="mse2")
