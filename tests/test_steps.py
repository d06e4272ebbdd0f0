"""The one walk: whatever holds a detector scores, is saved, is watched and skips broken clips."""

import joblib
import numpy as np
import pytest
import soundfile
from settings import make
from sklearn.base import BaseEstimator, OutlierMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import skasd
from skasd import (
    AudioError,
    ClipTransformer,
    FeatureDetector,
    FusionDetector,
    GaussianMixtureDetector,
    LogMelSpectrogram,
    Monitor,
    PyODDetector,
    RepeatedSeedEnsemble,
    TimeWeightedPooling,
    fit_clips,
    make_iaeo3,
    score_clips,
)
from skasd._steps import clip_steps, first_steps, last_step, parts_of, threshold_of, walk
from skasd.inspection import explain
from skasd.metrics import auc_scorer
from skasd.model_selection import NormalKFold

CLIPS = np.random.default_rng(0).normal(0, 0.1, size=(12, 8000)).astype(np.float32)


def levels(end=None, **log_mel):
    end = GaussianMixtureDetector(n_components=1) if end is None else end
    return make_pipeline(LogMelSpectrogram(n_mels=8, **log_mel), TimeWeightedPooling(), end)


def searched():
    grid = {"gaussianmixturedetector__shrinkage": ["oas", "ledoit_wolf"]}
    X, y = [*CLIPS, *np.random.default_rng(1).normal(0, 1, size=(4, 8000))], [1] * 12 + [-1] * 4
    search = GridSearchCV(
        levels(), grid, scoring=auc_scorer, cv=NormalKFold(2, random_state=0), refit=True
    )
    return search.fit(X, y)


HELD = {
    "search": searched,
    "frozen": lambda: FrozenEstimator(levels().fit(CLIPS)),
    "pipeline in a pipeline": lambda: make_pipeline(
        LogMelSpectrogram(n_mels=8), make_pipeline(TimeWeightedPooling(), FeatureDetector())
    ).fit(CLIPS),
    "frozen in a pipeline": lambda: make_pipeline(
        FrozenEstimator(LogMelSpectrogram(n_mels=8)),
        FrozenEstimator(TimeWeightedPooling().fit(LogMelSpectrogram(n_mels=8).transform(CLIPS))),
        FeatureDetector(),
    ).fit(CLIPS),
    "search of an ensemble": lambda: GridSearchCV(
        RepeatedSeedEnsemble(levels(), n_repeats=2, random_state=0),
        {"n_repeats": [1, 2]},
        scoring=auc_scorer,
        cv=NormalKFold(2, random_state=0),
    ).fit([*CLIPS, *(5 * CLIPS[:4])], [1] * 12 + [-1] * 4),
}


@pytest.fixture(params=HELD, scope="module")
def held(request):
    return HELD[request.param]()


def test_held_detectors_are_scored(held):
    scores = [each.anomaly_score for each in score_clips(held, CLIPS)]
    np.testing.assert_array_equal(scores, -held.score_samples(CLIPS))
    predictions = [each.prediction for each in score_clips(held, CLIPS)]
    np.testing.assert_array_equal(predictions, held.predict(CLIPS))


def test_held_detectors_are_saved(tmp_path, held):
    skasd.save(held, tmp_path / "machine.skasd")
    loaded = skasd.load(tmp_path / "machine.skasd")
    np.testing.assert_array_equal(loaded.score_samples(CLIPS), held.score_samples(CLIPS))
    assert threshold_of(loaded) == threshold_of(held)


def test_held_detectors_are_watched(held):
    events = list(Monitor(held, clip_seconds=0.5).stream([CLIPS.ravel()]))
    scores = [event.anomaly_score for event in events]
    np.testing.assert_allclose(scores, -held.score_samples(CLIPS), rtol=1e-12)


def test_held_detectors_skip_broken_clips(held):
    assert [type(step) for step in clip_steps(held)] == [LogMelSpectrogram]
    results = list(score_clips(held, [CLIPS[0], CLIPS[1][:100]], on_error="skip"))
    assert [result.error is None for result in results] == [True, False]


def test_search_is_explained():
    detector = make(
        make_iaeo3,
        openl3=False,
        n_mels=16,
        encoder_units=(8, 4),
        epochs=1,
        n_repeats=1,
        n_components=1,
        cv=None,
    )
    search = GridSearchCV(
        detector, {"random_state": [0]}, scoring=auc_scorer, cv=NormalKFold(2, random_state=0)
    ).fit([*CLIPS, *(5 * CLIPS[:4])], [1] * 12 + [-1] * 4)
    expected = explain(search.best_estimator_, CLIPS[0])
    assert str(explain(search, CLIPS[0])) == str(expected)


def test_unfitted_search_says_so(tmp_path):
    search = GridSearchCV(levels(), {})
    for use in (lambda: list(score_clips(search, CLIPS)), lambda: skasd.save(search, tmp_path)):
        with pytest.raises(NotFittedError):
            use()


class RootMeanSquare(TransformerMixin, BaseEstimator):
    """Somebody's transformer of clips, which knows nothing of skasd."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.array([[np.sqrt(np.mean(np.square(self.read(clip))))] for clip in X])

    def read(self, clip):
        assert isinstance(clip, str | np.ndarray)
        return soundfile.read(clip)[0] if isinstance(clip, str) else clip


@pytest.fixture
def files(tmp_path):
    paths = [str(tmp_path / f"{i}.wav") for i in range(len(CLIPS))]
    for path, clip in zip(paths, CLIPS, strict=True):
        soundfile.write(path, clip, 16000, subtype="FLOAT")
    return paths


@pytest.mark.parametrize(
    "wrap",
    [
        lambda foreign: make_pipeline(foreign, FeatureDetector()),
        lambda foreign: RepeatedSeedEnsemble(make_pipeline(foreign, FeatureDetector())),
        lambda foreign: make_pipeline(
            FeatureUnion(
                [
                    ("foreign", foreign),
                    ("ours", make_pipeline(LogMelSpectrogram(n_mels=4), TimeWeightedPooling())),
                ]
            ),
            FeatureDetector(),
        ),
    ],
    ids=["pipeline", "ensemble", "union"],
)
def test_foreign_transformers_skip_broken_clips(tmp_path, files, wrap):
    detector = wrap(RootMeanSquare())
    (tmp_path / "3.wav").write_bytes(b"RIFF")
    clips = [*files, str(tmp_path / "missing.wav")]
    failures = fit_clips(detector, clips, on_error="skip")
    assert list(failures) == [files[3], str(tmp_path / "missing.wav")]
    rms = np.sqrt(np.mean(np.square(np.delete(CLIPS, 3, axis=0), dtype=np.float64), axis=1))
    results = list(score_clips(detector, clips, on_error="skip"))
    scores = [result.anomaly_score for result in results if result.error is None]
    np.testing.assert_allclose(scores, rms, rtol=1e-6)
    with pytest.raises(AudioError, match="cannot be read"):
        list(score_clips(detector, files))


class Counting(ClipTransformer):
    """Somebody's transformer of clips, on the public base."""

    calls: list = []

    def transform_clip(self, samples):
        self.calls.append(len(samples))
        return np.array([samples.std()])


def test_public_base_shares_analyses(files):
    """Five members analyze each clip once, in fitting and in scoring."""
    Counting.calls.clear()
    ensemble = RepeatedSeedEnsemble(make_pipeline(Counting(), FeatureDetector()), n_repeats=5)
    ensemble.fit(files)
    assert len(Counting.calls) == len(files)
    ensemble.score_samples(files)
    assert len(Counting.calls) == 2 * len(files)


class Blockwise(RootMeanSquare):
    sizes: list = []

    def transform(self, X):
        self.sizes.append(len(X))
        return super().transform(X)


def test_foreign_transformers_score_in_blocks(files):
    ensemble = RepeatedSeedEnsemble(make_pipeline(Blockwise(), FeatureDetector()), n_repeats=1)
    ensemble.fit(files)
    Blockwise.sizes.clear()
    expected = ensemble.score_samples(files)
    scores = ensemble.score_samples(files * 11)
    assert max(Blockwise.sizes) == 32
    np.testing.assert_array_equal(scores, np.tile(expected, 11))


class Outliers(BaseEstimator):
    """What a detector of PyOD has: the distance from the mean is its outlier score."""

    def __init__(self, contamination=0.5):
        self.contamination = contamination

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        self.decision_scores_ = self.decision_function(X)
        return self

    def decision_function(self, X):
        return abs(X - self.mean_).sum(axis=1)

    def predict(self, X):
        return np.ones(len(X), dtype=int)


def test_pyod_counts_the_other_way():
    X = [[0.0], [1.0], [2.0], [5.0]]
    detector = PyODDetector(Outliers(), contamination=0.25).fit(X)
    np.testing.assert_array_equal(detector.anomaly_score([[2.0], [7.0]]), [0.0, 5.0])
    np.testing.assert_array_equal(detector.predict([[2.0], [7.0]]), [1, -1])
    # From the means of the others: 8/3, 7/3, 2 and 1. One clip of 4 + 1 is less than a quarter.
    np.testing.assert_allclose(-detector.training_scores_, [8 / 3, 4 / 3, 0, 4])
    assert detector.offset_ == -4


@pytest.mark.parametrize("name", ["ECOD", "KNN", "IForest"])
def test_pyod_itself(name):
    pyod = pytest.importorskip("pyod", reason="PyOD is in the extra 'benchmarks'")
    kind = getattr(__import__(f"{pyod.__name__}.models.{name.lower()}", fromlist=[name]), name)
    outside = kind(**({"random_state": 0} if name == "IForest" else {}))
    features = make_pipeline(LogMelSpectrogram(n_mels=8), TimeWeightedPooling()).fit(CLIPS)
    expected = outside.fit(features.transform(CLIPS)).decision_function(features.transform(CLIPS))
    detector = levels(PyODDetector(outside)).fit(CLIPS)
    np.testing.assert_allclose(-detector.score_samples(CLIPS), expected, rtol=1e-12)


def test_pyod_wherever_a_detector_goes(tmp_path):
    detector = levels(PyODDetector(Outliers()))
    fusion = FusionDetector([("one", detector), ("other", levels())], cv=2).fit(CLIPS)
    assert len(list(score_clips(fusion, CLIPS))) == len(CLIPS)
    detector.fit(CLIPS)
    with pytest.raises(TypeError, match=r"PyODDetector.*joblib.dump"):
        skasd.save(detector, tmp_path / "machine.skasd")
    joblib.dump(detector, tmp_path / "machine.joblib")
    loaded = joblib.load(tmp_path / "machine.joblib")
    np.testing.assert_array_equal(loaded.predict(CLIPS), detector.predict(CLIPS))


def test_bare_pyod_is_told_of_the_adapter(tmp_path):
    bare = levels(Outliers()).fit(CLIPS)
    for use in (
        lambda: list(score_clips(bare, CLIPS)),
        lambda: skasd.save(bare, tmp_path / "machine.skasd"),
        lambda: Monitor(bare),
    ):
        with pytest.raises(TypeError, match=r"Wrap a detector of PyOD: PyODDetector\(Outliers"):
            use()
    with pytest.raises(ValueError, match="Wrap a detector of PyOD"):
        FusionDetector([("bare", bare)]).fit(CLIPS)


def test_walk_follows_every_holder():
    log_mel, scaler, end = LogMelSpectrogram(), StandardScaler(), FeatureDetector()
    branches = FeatureUnion([("pooling", TimeWeightedPooling()), ("none", "drop")])
    pipeline = Pipeline([("a", log_mel), ("b", branches), ("c", "passthrough"), ("d", end)])
    names = [name for name, _ in walk(pipeline)]
    assert names == ["a", "b__pooling", "d"]
    assert last_step(pipeline) is end
    columns = ColumnTransformer([("first", scaler, [0]), ("second", "drop", [1])])
    assert first_steps(make_pipeline(columns, end)) == [scaler]
    assert first_steps(make_pipeline("passthrough", end)) == [end]
    assert parts_of(end) is None


def test_foreign_detectors_without_threshold_are_refused():
    class Scores(OutlierMixin, BaseEstimator):
        def fit(self, X, y=None):
            self.fitted_ = True
            return self

        def score_samples(self, X):
            return np.zeros(len(X))

    with pytest.raises(TypeError, match="has no offset_, and so no threshold"):
        threshold_of(Scores().fit(CLIPS))
