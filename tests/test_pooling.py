import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from skasd import AudioError, LogMelSpectrogram, PrincipalComponents, TimeWeightedPooling

RNG = np.random.default_rng(0)
CLIPS = RNG.normal(-30, 8, size=(5, 40, 6)).astype(np.float32)


def ranking_pooling(levels, decay):
    """The definition of the paper for one band, term by term."""
    total = weight_sum = 0.0
    for rank, level in enumerate(sorted(map(float, levels), reverse=True)):
        total += decay**rank * level
        weight_sum += decay**rank
    return total / weight_sum


@pytest.mark.parametrize("decay", [1, 0.99, 0.5, 0, 1.02, 3])
def test_formula(decay):
    expected = [[ranking_pooling(band, decay) for band in clip.T] for clip in CLIPS]
    pooled = TimeWeightedPooling(decay).fit_transform(CLIPS)
    assert pooled.dtype == np.float64
    np.testing.assert_allclose(pooled, expected, rtol=1e-12)


def test_by_hand():
    # Sorted: 8, 4, 0, with the weights 4/7, 2/7, 1/7.
    pooled = TimeWeightedPooling(0.5).fit_transform([[[4.0], [0.0], [8.0]]])
    assert pooled == pytest.approx(40 / 7)


def test_limits_are_mean_and_maximum():
    pooled = TimeWeightedPooling([1, 0], std=True).fit_transform(CLIPS)
    exact = CLIPS.astype(np.float64)
    expected = np.hstack([exact.mean(axis=1), exact.max(axis=1), exact.std(axis=1)])
    np.testing.assert_allclose(pooled, expected, rtol=1e-12)


def test_order_of_frames_does_not_matter():
    pooling = TimeWeightedPooling([0.9, 0.3], std=True).fit(CLIPS)
    shuffled = CLIPS[:, RNG.permutation(CLIPS.shape[1])]
    np.testing.assert_array_equal(pooling.transform(shuffled), pooling.transform(CLIPS))


def test_ragged_clips_and_one_frame():
    pooling = TimeWeightedPooling([1, 0.5, 0], std=True)
    pooled = pooling.fit_transform([CLIPS[0], CLIPS[1, :7], CLIPS[2, :1]])
    np.testing.assert_array_equal(pooled[2], np.r_[np.tile(CLIPS[2, 0], 3), np.zeros(6)])
    np.testing.assert_allclose(pooled[1, :6], CLIPS[1, :7].astype(np.float64).mean(axis=0))


def test_long_clip_does_not_underflow():
    clip = np.linspace(-90, 0, 100_000, dtype=np.float32)[:, np.newaxis]
    assert TimeWeightedPooling(0.1).fit_transform([clip]) == pytest.approx(0, abs=1e-3)
    assert TimeWeightedPooling(10.0).fit_transform([clip]) == pytest.approx(-90, abs=1e-3)


def test_names():
    pooling = TimeWeightedPooling([1, 0.95], std=True).fit(CLIPS)
    names = pooling.get_feature_names_out().tolist()
    assert [names[0], names[11], names[17]] == ["decay1_mel_0", "decay0.95_mel_5", "std_mel_5"]
    assert len(names) == 18


def test_projection_is_principal_components():
    features = TimeWeightedPooling([1, 0]).fit_transform(CLIPS)
    projected = TimeWeightedPooling([1, 0], n_components=2).fit(CLIPS)
    np.testing.assert_allclose(
        projected.transform(CLIPS), PCA(2, svd_solver="full").fit_transform(features)
    )
    assert projected.get_feature_names_out().tolist() == ["component_0", "component_1"]
    separate = make_pipeline(TimeWeightedPooling([1, 0]), PrincipalComponents(2))
    np.testing.assert_allclose(separate.fit_transform(CLIPS), projected.transform(CLIPS))


def test_fewer_clips_than_components_warn():
    with pytest.warns(UserWarning, match="n_components=50"):
        pooling = TimeWeightedPooling(n_components=50).fit(CLIPS)
    assert pooling.transform(CLIPS).shape == (5, 5)


@pytest.mark.parametrize(
    ("decay", "message"),
    [
        ([], "expected one number"),
        ([0.5, -1], "expected one number"),
        ([np.nan], "expected one number"),
        ([[1, 0]], "expected one number"),
        (["mean"], "expected numbers"),
        ([1, 1.0], "twice"),
    ],
)
def test_wrong_decays(decay, message):
    with pytest.raises(ValueError, match=f"decay=.*{message}"):
        TimeWeightedPooling(decay).fit(CLIPS)


def test_wrong_spectrograms():
    pooling = TimeWeightedPooling().fit(CLIPS)
    with pytest.raises(ValueError, match="4 bands where 6 are expected"):
        pooling.transform(CLIPS[:, :, :4])
    with pytest.raises(AudioError, match="too short: 0 frames"):
        pooling.transform([CLIPS[0], CLIPS[1, :0]])


def test_of_recordings(shared_recordings):
    paths = sorted((shared_recordings / "dcase2020").rglob("*.wav"))[:2]
    pooled = make_pipeline(LogMelSpectrogram(), TimeWeightedPooling([1, 0])).fit_transform(paths)
    assert pooled.shape == (2, 256)
    assert (pooled[:, 128:] > pooled[:, :128]).all()
