import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.base import clone

from skasd import MachineIDEmbedding, NearestNeighborsDetector, SpectrumEmbedding
from skasd.features._convolutional_network import ConvolutionalNetwork, SpectrumNetwork
from skasd.features._training.backend import import_keras
from skasd.features._training.losses import (
    angular_margin_loss,
    fixed_scale,
    sub_cluster_adacos_loss,
)
from skasd.features._training.machine_classifier import (
    MixedClips,
    _folded,
    spectrogram_layers,
    spectrum_layers,
)
from skasd.metrics import auc


@pytest.fixture(scope="module")
def fleet():
    """Return 30 clips of each of three machines, which differ in the tilt of their spectrum."""
    rng = np.random.default_rng(0)
    tilts = np.linspace(-6, 6, 16) * np.repeat([-1, 0, 1], 30)[:, np.newaxis]
    spectrograms = rng.normal(-30, 6, size=(90, 37, 16)) + tilts[:, np.newaxis]
    return spectrograms.astype(np.float32), np.repeat(["id_00", "id_02", "id_04"], 30)


def computed(loss, targets, cosines):
    return import_keras().ops.convert_to_numpy(loss(targets, cosines))


@pytest.fixture(scope="module")
def fitted(fleet):
    embedding = MachineIDEmbedding((4, 8), embedding_size=6, mixup=0, batch_size=10, random_state=0)
    return embedding.fit(*fleet)


@pytest.fixture(scope="module")
def adacos(fitted, fleet):
    return clone(fitted).set_params(loss="adacos").fit(*fleet)


def test_embedding_is_what_keras_computes(fitted, fleet):
    """Clips of even and odd length, through Keras' own layers with the same weights."""
    keras = import_keras()
    for n_frames in (37, 36, 5, 1):
        clip = fleet[0][0, :n_frames]
        activation = ((clip - fitted.mean_) / fitted.scale_)[np.newaxis, :, :, np.newaxis]
        for kernel, bias in zip(fitted.kernels_, fitted.biases_, strict=True):
            layer = keras.layers.Conv2D(len(bias), 3, strides=2, padding="same", activation="relu")
            layer.build(activation.shape)
            layer.set_weights([kernel, bias])
            activation = keras.ops.convert_to_numpy(layer(activation))
        expected = activation.mean(axis=1).ravel() @ fitted.coefs_ + fitted.intercepts_
        np.testing.assert_allclose(fitted.transform([clip])[0], expected, rtol=1e-4, atol=1e-5)


def in_keras(layers, X):
    """Compute what layers do with batch normalizations that have seen something, not folded."""
    keras = import_keras()
    network = keras.Sequential([keras.Input(X.shape[1:]), *layers])
    rng = np.random.default_rng(0)
    for layer in layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return network.predict(X, verbose=0)


def test_folded_network_is_what_keras_computes(fleet):
    spectrograms = (fleet[0][:2] + 30) / 6
    layers = spectrogram_layers(
        np.random.RandomState(0), n_frames=37, channels=(4, 8), embedding_size=6
    )
    expected = in_keras(layers, spectrograms[..., np.newaxis])
    *convolutions, dense = _folded(layers)
    network = ConvolutionalNetwork(*zip(*convolutions, strict=True), *dense)
    result = [network.embed(spectrogram) for spectrogram in spectrograms]
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_folded_spectrum_network_is_what_keras_computes():
    """With several steps after each convolution, which have not all their bins."""
    spectra = np.random.default_rng(0).normal(size=(2, 8200)).astype(np.float32)
    layers = spectrum_layers(
        np.random.RandomState(0), n_channels=4, hidden_units=(7, 6), embedding_size=5
    )
    expected = in_keras(layers, spectra[:, np.newaxis, :, np.newaxis])
    weights = _folded(layers)
    kernels, biases = zip(*weights[:3], strict=True)
    dense = zip(*weights[3:], strict=True)
    network = SpectrumNetwork([kernel[0] for kernel in kernels], biases, *dense)
    result = [network.embed(spectrum) for spectrum in spectra]
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_channels": 0}, "n_channels"),
        ({"hidden_units": (8, 0)}, r"hidden_units=\(8, 0\): expected one positive int"),
        ({"hidden_units": 8}, "hidden_units"),
        ({"loss": "softmax"}, "loss"),
    ],
)
def test_wrong_spectrum_embedding(parameters, message):
    with pytest.raises(ValueError, match=message):
        SpectrumEmbedding(**parameters).fit(np.eye(4), [0, 1, 0, 1])


def test_spectra_need_machines():
    with pytest.raises(ValueError, match="requires y to be passed"):
        SpectrumEmbedding().fit(np.eye(4), None)
    with pytest.raises(ValueError, match="y names only one machine"):
        SpectrumEmbedding().fit(np.eye(4), ["fan"] * 4)


@pytest.mark.parametrize("loss", ["arcface", "adacos"])
def test_training_tells_machines_apart(fitted, adacos, fleet, loss):
    """Neighbours of one machine's embeddings: its own held-out clips, and not the others'."""
    fitted = adacos if loss == "adacos" else fitted
    spectrograms, machine_ids = fleet
    embeddings = fitted.transform(spectrograms)
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    assert fitted.classes_.tolist() == ["id_00", "id_02", "id_04"]
    for machine_id in fitted.classes_:
        own = embeddings[machine_ids == machine_id]
        others = embeddings[machine_ids != machine_id]
        detector = NearestNeighborsDetector(metric="cosine").fit(own[:20])
        scores = detector.anomaly_score(np.concatenate([own[20:], others]))
        assert auc(np.repeat([1, -1], [10, 60]), scores) > 0.9


def test_adacos_adds_the_probabilities_of_sub_clusters():
    """Each direction is a class of a softmax; those of one machine are added (Wilkinghoff 2021)."""
    rng = np.random.default_rng(0)
    cosines = rng.uniform(-1, 1, size=(5, 12)).astype(np.float32)
    targets = rng.dirichlet(np.ones(3), size=5).astype(np.float32)
    probabilities = softmax(np.sqrt(2) * np.log(11) * cosines.astype(np.float64), axis=1)
    by_machine = [probabilities[:, 4 * i : 4 * i + 4].sum(axis=1) for i in range(3)]
    expected = -(targets * np.log(by_machine).T).sum(axis=1)
    loss = computed(sub_cluster_adacos_loss(3, 4), targets, cosines)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_adacos_of_directions_that_are_equal_or_opposite():
    """Equal cosines: ln 3. A wrong machine at 1 and the others at -1: ln(e^(2s) + 2)."""
    targets = np.eye(3, dtype=np.float32)
    loss = sub_cluster_adacos_loss(3, 16)
    equal = computed(loss, targets, np.full((3, 48), 0.3, dtype=np.float32))
    np.testing.assert_allclose(equal, np.log(3), rtol=1e-5)
    opposite = computed(loss, targets, np.repeat(2 * targets[[1, 2, 0]] - 1, 16, axis=1))
    scale = np.sqrt(2) * np.log(47)
    np.testing.assert_allclose(opposite, np.log(np.exp(2 * scale) + 2), rtol=1e-5)


def test_arcface_is_its_formula():
    cosines = np.array([[0.9, 0.1, -0.4], [0.2, -0.5, 0.7]], dtype=np.float32)
    targets = np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32)
    angles = np.arccos(cosines.astype(np.float64)) + 0.3 * targets
    expected = -log_softmax(4 * np.cos(angles), axis=1)[[0, 1], [0, 1]]
    loss = computed(angular_margin_loss(scale=4, margin=0.3), targets, cosines)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_fixed_scale():
    """√2 · ln(16 · 41 - 1), of 41 machines with 16 sub-clusters, by hand."""
    assert fixed_scale(16 * 41) == pytest.approx(9.17066, abs=1e-5)


def test_same_seed_gives_the_same_network(adacos, fleet):
    again = clone(adacos).fit(*fleet)
    np.testing.assert_array_equal(again.coefs_, adacos.coefs_)
    assert again.loss_curve_ == adacos.loss_curve_


def test_embedding_from_before_there_was_another_loss(fitted):
    new = ("loss", "n_subclusters")
    former = MachineIDEmbedding.__new__(MachineIDEmbedding)
    former.__setstate__({name: part for name, part in vars(fitted).items() if name not in new})
    assert former.get_params() == fitted.get_params()


def test_batches_are_rolled_and_mixed():
    ramp = np.arange(12, dtype=np.float32)[:, np.newaxis].repeat(3, axis=1)
    clips = [ramp, ramp[:10] + 100]
    plain = MixedClips(
        clips, np.array([0, 1]), batch_size=2, mixup=0, random_state=np.random.RandomState(0)
    )
    inputs, targets = plain[0]
    assert inputs.shape == (2, 10, 3, 1)
    for clip, target in zip(inputs, targets, strict=True):
        first, length = (0, 12) if target.tolist() == [1, 0] else (100, 10)
        steps = np.diff(clip[:, 0, 0])
        assert set(steps) <= {1, 1 - length}
        assert clip.min() >= first
    mixed = MixedClips(
        clips, np.array([0, 1]), batch_size=2, mixup=0.5, random_state=np.random.RandomState(0)
    )
    shares = np.array([mixed[0][1] for _ in range(20)])
    np.testing.assert_allclose(shares.sum(axis=2), 1, rtol=1e-6)
    assert ((shares > 0) & (shares < 1)).any()
    with pytest.raises(IndexError):
        plain[1]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "MachineIDEmbedding needs y"),
        (["fan"] * 90, "y names only one machine, .*'fan'"),
        (["fan", "pump"], "inconsistent numbers of samples"),
    ],
)
def test_wrong_machines(fleet, y, message):
    with pytest.raises(ValueError, match=message):
        MachineIDEmbedding().fit(fleet[0], y)


def test_wrong_channels(fleet):
    with pytest.raises(ValueError, match=r"channels=\(8, 0\): expected one positive int"):
        MachineIDEmbedding((8, 0)).fit(*fleet)
