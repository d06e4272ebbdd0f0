"""The public suite finds what is wrong with a transformer, and passes one that is right."""

import numpy as np
import pytest

from skasd import ClipTransformer, SpectrogramTransformer
from skasd.utils.estimator_checks import check_clip_transformer, check_spectrogram_transformer


class Loudness(ClipTransformer):
    """Right: it says what it makes of one clip, and nothing else."""

    def __init__(self, order=2, *, sample_rate=16000):
        self.order = order
        self.sample_rate = sample_rate

    def transform_clip(self, samples):
        return np.array([np.mean(abs(samples) ** self.order), abs(samples).max()])


class Spread(SpectrogramTransformer):
    def transform_spectrogram(self, spectrogram):
        return spectrogram.std(axis=0)


class Envelope(ClipTransformer):
    """Right: a spectrogram of one band."""

    def transform_clip(self, samples):
        blocks = samples[: len(samples) // 100 * 100].reshape(-1, 100)
        return abs(blocks).max(axis=1, keepdims=True)


def test_right_ones_pass():
    check_clip_transformer(Loudness())
    check_clip_transformer(Loudness(order=3, sample_rate=8000))
    check_clip_transformer(Envelope())
    check_spectrogram_transformer(Spread())


class Converts(Loudness):
    def __init__(self, order=2, *, sample_rate=16000):
        super().__init__(float(order), sample_rate=sample_rate)
        self.more = 0


class Changes(Loudness):
    def fit(self, X, y=None):
        self.order += 1
        return super().fit(X)


class Notes(Loudness):
    def fit(self, X, y=None):
        self.n_clips = len(X)
        return super().fit(X)


class Forgets(Loudness):
    def fit(self, X, y=None):
        super().fit(X)


class Spoils(Loudness):
    def transform(self, X):
        result = super().transform(X)
        X[0][:] = 0
        return result


class Compares(Loudness):
    def transform(self, X):
        features = super().transform(X)
        return features - features.mean(axis=0)


class Accumulates(Spread):
    def fit(self, X, y=None):
        self.seen_ = [*getattr(self, "seen_", []), *map(np.mean, X)]
        return super().fit(X)

    def transform_spectrogram(self, spectrogram):
        return np.array([np.sum(self.seen_)])


class Single(Spread):
    def transform(self, X):
        return super().transform(X).astype(np.float32)


class Doubles(Spread):
    def get_feature_names_out(self, input_features=None):
        return np.array(["spread"] * self.n_features_in_, dtype=object)


class Broken(Spread):
    def transform_spectrogram(self, spectrogram):
        return np.full(2, np.nan)


class Accepts(Loudness):
    def fit(self, X, y=None):
        return self


@pytest.mark.parametrize(
    ("wrong", "check", "why"),
    [
        (Changes, "fit_keeps_parameters", "fit changes parameters"),
        (Notes, "fit_keeps_parameters", "fit stores {'n_clips'}"),
        (Compares, "clips_do_not_influence_each_other", "clips one by one: clip 0 differs"),
        (Accumulates, "refit_forgets", "a second fit: clip 0 differs"),
        (Single, "result", "float32, not float64"),
        (Doubles, "names_of_columns", "Two columns have the same name"),
        (Broken, "pipeline_and_union", None),
        (Accepts, "wrong_input", "did not raise"),
    ],
)
def test_wrong_ones_are_told(wrong, check, why):
    suite = (
        check_spectrogram_transformer
        if issubclass(wrong, SpectrogramTransformer)
        else check_clip_transformer
    )
    with pytest.raises((AssertionError, ValueError), match=why) as raised:
        suite(wrong())
    if why is not None:
        assert str(raised.value).startswith(f"check_{check}: ")


def test_others_are_told():
    with pytest.raises((AssertionError, RuntimeError)):
        check_clip_transformer(Converts())
    with pytest.raises((AssertionError, AttributeError)):
        check_clip_transformer(Forgets())
    with pytest.raises((AssertionError, ValueError), match=r"read-only|input"):
        check_clip_transformer(Spoils())
