import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from sklearn.neural_network import MLPRegressor

from skasd import AudioError, FrameAutoencoder, InterpolationAutoencoder
from skasd.features._training import dense, program
from skasd.features._training.backend import import_keras
from skasd.features._training.windows import WindowBatches


@pytest.fixture(scope="module")
def spectrograms():
    rng = np.random.default_rng(0)
    return [rng.normal(-30, 8, size=(n, 12)).astype(np.float32) for n in (40, 5, 60)]


@pytest.fixture(scope="module")
def fitted(spectrograms):
    return InterpolationAutoencoder((16, 8), epochs=3, batch_size=32, random_state=0).fit(
        spectrograms
    )


def windows_without_middle(spectrogram, n_frames=5):
    windows = np.lib.stride_tricks.sliding_window_view(spectrogram, n_frames, axis=0)
    windows = windows.transpose(0, 2, 1)
    middle = n_frames // 2
    inputs = np.delete(windows, middle, axis=1)
    return inputs.reshape(len(inputs), -1), windows[:, middle]


def peer_of(autoencoder):
    """Return an MLPRegressor of scikit-learn with the same weights."""
    peer = MLPRegressor()
    peer.coefs_, peer.intercepts_ = autoencoder.coefs_, autoencoder.intercepts_
    peer.n_layers_, peer.n_outputs_ = len(peer.coefs_) + 1, len(peer.intercepts_[-1])
    peer.out_activation_, peer.n_features_in_ = "identity", len(peer.coefs_[0])
    return peer


def test_report_has_roughly_250k_parameters():
    """The encoder and decoder of the report's Table 1, on 128 bands: 250,912 by hand."""
    spectrogram = np.zeros((1, 6, 128))
    autoencoder = InterpolationAutoencoder(epochs=1, batch_norm=False).fit(spectrogram)
    assert autoencoder.n_parameters_ == 250_912
    shapes = [coefs.shape for coefs in autoencoder.coefs_]
    units = [512, 256, 128, 64, 32, 64, 128, 256, 128]
    assert shapes == list(pairwise(units))


def test_training_is_that_of_keras(spectrograms, monkeypatch):
    """Steps of Keras' own `fit`, of which JAX takes three, and the rest, in a call."""
    # Batch normalization's moments would be those of batches in another order.
    autoencoder = InterpolationAutoencoder(
        (16, 8), epochs=3, batch_size=8, batch_norm=False, random_state=0
    )
    monkeypatch.setattr(program, "STACK_BYTES", 3 * 8 * 5 * 12 * 4)
    stacked = autoencoder.fit(spectrograms).coefs_
    monkeypatch.setattr(program, "runs_on_jax", lambda: False)
    dense._program.cache_clear()
    for coefs, expected in zip(stacked, autoencoder.fit(spectrograms).coefs_, strict=True):
        np.testing.assert_allclose(coefs, expected, rtol=1e-4, atol=1e-6)


def test_baseline_has_its_layers_and_parameters():
    """What the summary of the challenge's baseline shows: 640 in, 640 out, 269,992 parameters."""
    autoencoder = FrameAutoencoder(epochs=1).fit(np.zeros((1, 6, 128)))
    assert autoencoder.n_parameters_ == 269_992
    shapes = [coefs.shape for coefs in autoencoder.coefs_]
    assert shapes == list(pairwise([640, *4 * [128], 8, *4 * [128], 640]))


def test_baseline_score_of_a_clip(spectrograms):
    """The baseline's score: the mean over windows of the squared error of all 640 values, in dB².

    The forward pass is scikit-learn's.
    """
    autoencoder = FrameAutoencoder((16, 4), epochs=2, batch_size=32, random_state=0)
    autoencoder.fit(spectrograms)
    for spectrogram, score in zip(spectrograms, autoencoder.transform(spectrograms), strict=True):
        windows = np.array([spectrogram[i : i + 5].ravel() for i in range(len(spectrogram) - 4)])
        predicted = peer_of(autoencoder).predict(windows)
        assert score[0] == pytest.approx(np.mean((windows - predicted) ** 2), rel=1e-5)


def test_frame_autoencoder_shows_where_it_errs(spectrograms):
    autoencoder = FrameAutoencoder(
        (16, 4), epochs=2, batch_size=32, standardize=True, input_noise=0.1, random_state=0
    ).fit(spectrograms)
    for errors, error_map in zip(
        autoencoder.reconstruction_error(spectrograms),
        autoencoder.error_map(spectrograms),
        strict=True,
    ):
        assert error_map.shape == (len(errors), 12)
        np.testing.assert_allclose(error_map.mean(axis=1), errors, rtol=1e-5)


def test_batches_hold_every_window_once(spectrograms):
    batches = WindowBatches(
        spectrograms,
        n_frames=5,
        input_frames=[0, 1, 3, 4],
        target_frames=[2],
        batch_size=31,
        standardize=True,
        input_noise=0,
        random_state=np.random.RandomState(0),
    )
    expected = [windows_without_middle(spectrogram) for spectrogram in spectrograms]
    inputs, targets = (np.concatenate(parts) for parts in zip(*expected, strict=True))
    assert len(inputs) == 36 + 1 + 56 == 3 * 31
    frames = np.concatenate(spectrograms)
    centre, scale = frames.mean(axis=0), frames.std(axis=0)
    inputs, targets = (inputs - np.tile(centre, 4)) / np.tile(scale, 4), (targets - centre) / scale
    seen_inputs, seen_targets = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    order, seen_order = inputs[:, 0].argsort(), seen_inputs[:, 0].argsort()
    assert not np.array_equal(order, seen_order)
    np.testing.assert_allclose(seen_inputs[seen_order], inputs[order], atol=1e-5)
    np.testing.assert_allclose(seen_targets[seen_order], targets[order], atol=1e-5)


def test_noise_is_of_the_inputs_alone(spectrograms):
    def batch(input_noise):
        return WindowBatches(
            [spectrograms[0].repeat(50, axis=0)],
            n_frames=5,
            input_frames=[0, 1, 3, 4],
            target_frames=[2],
            batch_size=1500,
            standardize=True,
            input_noise=input_noise,
            random_state=np.random.RandomState(0),
        )

    noisy = batch(0.5)
    clean = batch(0)
    clean.starts = noisy.starts
    (noisy_inputs, noisy_targets), (inputs, targets) = noisy[0], clean[0]
    np.testing.assert_array_equal(noisy_targets, targets)
    assert np.std(noisy_inputs - inputs) == pytest.approx(0.5, rel=0.02)
    assert np.mean(noisy_inputs - inputs) == pytest.approx(0, abs=0.02)


def test_errors_agree_with_scikit_learn(fitted, spectrograms):
    """The forward pass is that of an MLPRegressor with the same weights."""
    peer = peer_of(fitted)
    for spectrogram, error_map, errors in zip(
        spectrograms,
        fitted.error_map(spectrograms),
        fitted.reconstruction_error(spectrograms),
        strict=True,
    ):
        inputs, targets = windows_without_middle(spectrogram)
        scale = np.std(np.concatenate(spectrograms), axis=0)
        expected = ((peer.predict(inputs) - targets) / scale) ** 2
        np.testing.assert_allclose(error_map, expected, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(errors, expected.mean(axis=1), rtol=1e-4)


def test_folded_network_reaches_the_training_loss():
    """Batch normalization folded in leaves no error that the training did not have."""
    spectrograms = np.random.default_rng(0).normal(-30, 8, size=(20, 104, 12))
    autoencoder = InterpolationAutoencoder(
        (16, 8), epochs=20, batch_size=100, input_noise=0, random_state=0
    )
    autoencoder.fit(spectrograms)
    error = np.mean(autoencoder.reconstruction_error(spectrograms))
    assert error == pytest.approx(autoencoder.loss_curve_[-1], rel=0.02)


def test_empty_band_does_not_outweigh_the_others():
    """A mel filter without a bin is constant in training, and may differ by a rounding later."""
    spectrograms = np.random.default_rng(0).normal(-30, 8, size=(4, 40, 12))
    spectrograms[:, :, 0] = -156.5
    autoencoder = InterpolationAutoencoder((16, 8), epochs=2, random_state=0).fit(spectrograms)
    spectrograms[:, :, 0] += 1e-4
    errors = np.mean(autoencoder.error_map(spectrograms), axis=(0, 1))
    assert errors[0] < 2 * np.median(errors)


def test_statistics(fitted, spectrograms):
    features = fitted.transform(spectrograms)
    for row, errors in zip(features, fitted.reconstruction_error(spectrograms), strict=True):
        q25, q50, q75 = np.quantile(errors, [0.25, 0.5, 0.75])
        expected = [errors.sum() / len(errors), stats.tstd(errors, ddof=0), q50, errors.max()]
        np.testing.assert_allclose(row, [*expected, q75 - q25], rtol=1e-9)


def test_statistics_are_chosen_and_named(fitted, spectrograms):
    all_five = fitted.transform(spectrograms)
    autoencoder = InterpolationAutoencoder(
        (16, 8), epochs=3, batch_size=32, random_state=0, statistics=("max", "mean")
    ).fit(spectrograms)
    np.testing.assert_array_equal(autoencoder.transform(spectrograms), all_five[:, [3, 0]])
    assert autoencoder.get_feature_names_out().tolist() == ["error_max", "error_mean"]


def test_long_clip_in_blocks_equals_short_ones(fitted):
    long = np.random.default_rng(1).normal(-30, 8, size=(9000, 12)).astype(np.float32)
    (whole,) = fitted.reconstruction_error([long])
    parts = fitted.reconstruction_error([long[i : i + 1004] for i in range(0, 8000, 1000)])
    np.testing.assert_allclose(whole[:8000], np.concatenate(parts), rtol=1e-5)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_learns_what_can_be_interpolated(batch_norm):
    """Frames on a straight line: the middle one is the mean of its neighbors."""
    rng = np.random.default_rng(0)
    start, slope = rng.normal(size=(2, 200, 1, 4))
    spectrograms = start + 0.2 * slope * np.arange(20)[:, np.newaxis]
    autoencoder = InterpolationAutoencoder(
        (32, 8), epochs=40, batch_size=64, batch_norm=batch_norm, input_noise=0, random_state=0
    ).fit(spectrograms)
    assert np.mean(autoencoder.reconstruction_error(spectrograms)) < 0.05
    jump = spectrograms[:1].copy()
    jump[0, 10] += 10
    (errors,) = autoencoder.reconstruction_error(jump)
    assert errors.argmax() == 10 - 2


def test_seed_decides(spectrograms):
    """Whether its network is compiled for it, or has been trained before."""
    dense._program.cache_clear()

    def weights(seed):
        autoencoder = InterpolationAutoencoder((8,), epochs=3, batch_size=32, random_state=seed)
        return autoencoder.fit(spectrograms).coefs_[0]

    compiled = weights(0)
    assert not np.array_equal(weights(1), compiled)
    np.testing.assert_array_equal(weights(0), compiled)
    assert dense._program.cache_info().currsize == 1
    with ThreadPoolExecutor(2) as pool:
        for seed, again in zip((0, 1, 0), pool.map(weights, (0, 1, 0)), strict=True):
            assert np.array_equal(again, compiled) == (seed == 0)
    assert dense._program.cache_info().misses == 1


def test_global_seeds_are_left_alone(spectrograms):
    def states():
        return random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    import_keras().utils.set_random_seed(3)
    before = states()
    InterpolationAutoencoder((8,), epochs=2, random_state=0).fit(spectrograms)
    assert states() == before


def test_progress_bar_shows_the_loss(spectrograms, capsys):
    autoencoder = InterpolationAutoencoder((8,), epochs=2, random_state=0, verbose=1)
    autoencoder.fit(spectrograms)
    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert f"loss={autoencoder.loss_curve_[-1]:.4g}" in shown


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_frames": 4}, "n_frames=4: only an odd number"),
        ({"encoder_units": ()}, r"encoder_units=\(\): expected one positive int"),
        ({"encoder_units": (8, 0)}, "expected one positive int"),
        ({"statistics": ("mean", "mode")}, "expected some of mean, std, median, max, iqr"),
        ({"statistics": ()}, "expected some of"),
        ({"learning_rate": 1e30, "batch_norm": False}, "diverged: the loss in epoch"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_wrong_parameters(spectrograms, parameters, message):
    with pytest.raises(ValueError, match=message):
        InterpolationAutoencoder(**parameters).fit(spectrograms)


def test_short_clip_is_refused_before_training(monkeypatch, spectrograms, fitted):
    monkeypatch.setattr("skasd.features._training.dense.train_dense_network", None)
    with pytest.raises(AudioError, match="clip 3: is too short: 4 frames, but 5 are needed"):
        InterpolationAutoencoder().fit([*spectrograms, spectrograms[0][:4]])
    with pytest.raises(AudioError, match="clip 0: is too short"):
        fitted.transform([spectrograms[0][:4]])
