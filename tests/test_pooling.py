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


def test_the_same_quantiles_whatever_the_length():
    """With each frame several times: the same distribution, several times as long."""
    decays = [0, 0.9, 1, 1.2]
    pooling = TimeWeightedPooling(decays, std=True).fit(CLIPS)
    assert pooling.n_frames_ == 40
    once = pooling.transform(CLIPS)
    for n_times in (2, 5):
        longer = pooling.transform(CLIPS.repeat(n_times, axis=1))
        # The weights of a level's copies are decay**rank, times the same sum for each level.
        np.testing.assert_allclose(longer, once, rtol=1e-12)


@pytest.mark.parametrize("decay", [0.9, 0.99, 1.05])
def test_limit_of_long_clips(decay):
    """Levels that fall linearly from 1 to 0: the integral over quantiles, in closed form."""
    a = -40 * np.log(decay)
    expected = 1 - (1 / a - 1 / np.expm1(a))
    pooling = TimeWeightedPooling(decay).fit(np.zeros((1, 40, 1)))
    for n_frames in (500, 4000):
        ramp = ((np.arange(n_frames) + 0.5) / n_frames)[:, np.newaxis]
        assert pooling.transform([ramp]) == pytest.approx(expected, abs=1e-4)


def test_length_of_training_clips_is_their_median():
    pooling = TimeWeightedPooling(0.5).fit([CLIPS[0, :3], CLIPS[1, :8], CLIPS[2]])
    assert pooling.n_frames_ == 8
    # Sorted: 8, 4, 0, with the weights 1, 2**-(8/3), 4**-(8/3).
    weights = 0.5 ** (np.arange(3) * 8 / 3)
    levels = np.tile([[4.0], [0.0], [8.0]], 6)
    expected = (weights @ [8, 4, 0]) / weights.sum()
    np.testing.assert_allclose(pooling.transform([levels]), np.full((1, 6), expected))


def test_fitted_before_lengths_were_kept():
    pooling = TimeWeightedPooling(0.5).fit(CLIPS)
    del pooling.n_frames_
    short = [CLIPS[0, :7]]
    own = TimeWeightedPooling(0.5).fit_transform(short)
    np.testing.assert_array_equal(pooling.transform(short), own)


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
        ([], "expected one or more numbers"),
        ([0.5, -1], "expected one or more numbers"),
        ([np.nan], "expected one or more numbers"),
        ([[1, 0]], "expected one or more numbers"),
        (["mean"], "expected numbers"),
        ([1, 1.0], "only once"),
    ],
)
def test_wrong_decays(decay, message):
    with pytest.raises(ValueError, match=f"decay=.*{message}"):
        TimeWeightedPooling(decay).fit(CLIPS)


def test_wrong_spectrograms():
    pooling = TimeWeightedPooling().fit(CLIPS)
    with pytest.raises(ValueError, match="4 bands, but 6 are expected"):
        pooling.transform(CLIPS[:, :, :4])
    with pytest.raises(AudioError, match="too short: 0 frames"):
        pooling.transform([CLIPS[0], CLIPS[1, :0]])


def test_of_recordings(shared_recordings):
    paths = sorted((shared_recordings / "dcase2020").rglob("*.wav"))[:2]
    pooled = make_pipeline(LogMelSpectrogram(), TimeWeightedPooling([1, 0])).fit_transform(paths)
    assert pooled.shape == (2, 256)
    assert (pooled[:, 128:] > pooled[:, :128]).all()
