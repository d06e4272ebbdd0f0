import numpy as np
import pytest

from skasd import MachineIDEmbedding, NearestNeighborsDetector
from skasd.features._training.backend import import_keras
from skasd.features._training.machine_classifier import MixedClips
from skasd.metrics import auc


@pytest.fixture(scope="module")
def fleet():
    """Return 30 clips of each of three machines, which differ in the tilt of their spectrum."""
    rng = np.random.default_rng(0)
    tilts = np.linspace(-6, 6, 16) * np.repeat([-1, 0, 1], 30)[:, np.newaxis]
    spectrograms = rng.normal(-30, 6, size=(90, 37, 16)) + tilts[:, np.newaxis]
    return spectrograms.astype(np.float32), np.repeat(["id_00", "id_02", "id_04"], 30)


@pytest.fixture(scope="module")
def fitted(fleet):
    embedding = MachineIDEmbedding((4, 8), embedding_size=6, mixup=0, batch_size=10, random_state=0)
    return embedding.fit(*fleet)


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


def test_training_tells_machines_apart(fitted, fleet):
    """Neighbours of one machine's embeddings: its own held-out clips, and not the others'."""
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
        (["fan"] * 90, "y names one machine, .*'fan'"),
        (["fan", "pump"], "inconsistent numbers of samples"),
    ],
)
def test_wrong_machines(fleet, y, message):
    with pytest.raises(ValueError, match=message):
        MachineIDEmbedding().fit(fleet[0], y)


def test_wrong_channels(fleet):
    with pytest.raises(ValueError, match=r"channels=\(8, 0\): expected one positive int"):
        MachineIDEmbedding((8, 0)).fit(*fleet)
