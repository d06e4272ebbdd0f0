import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event, get_ident

import numpy as np
import pytest
from joblib import cpu_count
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_info, threadpool_limits

from skasd import (
    FeatureDetector,
    InterpolationAutoencoder,
    LogMelSpectrogram,
    OpenL3Embedding,
    RepeatedSeedEnsemble,
    SpectrogramStatistics,
    score_clips,
)
from skasd._utils.threads import map_side_by_side, one_ahead, threads_each
from skasd.audio._clips import Clip
from skasd.ensemble import _members
from skasd.features._training import dense

WEIGHTS = Path(__file__).parent / "data" / "openl3_audio_mel128_golden.h5.gz"


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


class BlasWitness(FeatureDetector):
    """Reports, as its score, the largest number of BLAS threads where it is called."""

    def score_samples(self, X):
        # threadpoolctl does not know macOS's Accelerate.
        return np.full(len(X), max(blas_threads(), default=1), dtype=float)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_jobs_share_the_threads_of_blas(n_jobs):
    before = blas_threads()
    witness = RepeatedSeedEnsemble(BlasWitness(), n_repeats=1).fit([[1.0], [2.0], [4.0]])
    scores = witness.set_params(n_jobs=n_jobs).score_samples([[1.0]])
    assert n_jobs * scores.max() <= max(n_jobs, cpu_count())
    assert blas_threads() == before


def test_clips_that_are_streamed_share_the_threads_of_blas():
    before = blas_threads()
    witness = BlasWitness().fit([[1.0], [2.0], [4.0]])
    n_threads = [-score.anomaly_score for score in score_clips(witness, np.ones((4, 9)), n_jobs=2)]
    assert len(n_threads) == 4
    assert 2 * max(n_threads) <= max(2, cpu_count())
    assert blas_threads() == before


def test_jobs_share_the_threads_of_ncnn():
    embedding = OpenL3Embedding(input_repr="mel128", weights=WEIGHTS, n_jobs=2)
    assert embedding._load_engine()._net.opt.num_threads == max(1, cpu_count() // 2)
    assert embedding.set_params(n_jobs=None)._load_engine()._net.opt.num_threads == cpu_count()


def test_trainings_share_the_cores(monkeypatch):
    train, running, counts = dense.Program.train, [], []

    def count_running(*args, **kwargs):
        running.append(None)
        counts.append(len(running))
        try:
            return train(*args, **kwargs)
        finally:
            running.pop()

    monkeypatch.setattr(dense.Program, "train", count_running)
    member = make_pipeline(
        InterpolationAutoencoder([2], statistics=["mean"], epochs=1), FeatureDetector()
    )
    clips = np.random.default_rng(0).normal(size=(4, 300, 8))
    RepeatedSeedEnsemble(member, n_repeats=4, n_jobs=4, random_state=0).fit(clips)
    assert len(counts) == 4
    assert max(counts) <= cpu_count()


def test_share_of_each():
    assert threads_each(1) == threads_each(None) == cpu_count()
    assert threads_each(cpu_count()) == threads_each(10 * cpu_count()) == 1


def test_spectrograms_are_the_same_in_threads():
    clips = np.random.default_rng(0).uniform(-0.5, 0.5, size=(6, 8000))
    alone = LogMelSpectrogram().transform(clips)
    for spectrogram, expected in zip(
        LogMelSpectrogram(n_jobs=3).transform(clips), alone, strict=True
    ):
        np.testing.assert_allclose(spectrogram, expected, atol=1e-4)


def test_threads_analyse_a_clip_once():
    clip, started, released, computed = Clip("clip", np.zeros(1)), Event(), Event(), []

    def compute():
        computed.append(np.ones(1))
        started.set()
        released.wait(timeout=60)
        return computed[-1]

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(clip.analyze, "key", compute)
        assert started.wait(timeout=60)
        second = pool.submit(clip.analyze, "key", compute)
        released.set()
        assert first.result() is second.result()
    assert len(computed) == 1


def test_scores_do_not_depend_on_the_number_of_blas_threads():
    clips = np.random.default_rng(0).normal(size=(5, 400, 16))
    autoencoder = InterpolationAutoencoder([8], epochs=1, random_state=0).fit(clips)
    with threadpool_limits(1):
        one = autoencoder.transform(clips)
    with threadpool_limits(3):
        three = autoencoder.transform(clips)
    np.testing.assert_array_equal(one, three)


def test_the_score_of_a_clip_does_not_depend_on_the_others():
    clips = [np.random.default_rng(0).normal(size=(n, 16)) for n in (400, 400, 60)]
    autoencoder = InterpolationAutoencoder([8], epochs=1, random_state=0).fit(clips)
    alone = np.concatenate([autoencoder.transform([clip]) for clip in clips])
    np.testing.assert_array_equal(autoencoder.transform(clips), alone)
    np.testing.assert_array_equal(autoencoder.transform(clips[:2]), alone[:2])


def test_calls_side_by_side_keep_their_order():
    with threadpool_limits(3):
        assert map_side_by_side(lambda number: number**2, range(50)) == [n**2 for n in range(50)]


def test_calls_side_by_side_have_one_thread_of_blas_each():
    before = blas_threads()
    overlap = Barrier(2, timeout=60)

    def look(_):
        overlap.wait()
        return blas_threads()

    # Two callers that overlap must not set back what they find of each other.
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda n: map_side_by_side(look, [n]), range(2)))
    assert all(threads <= {1} for (threads,) in found)
    assert blas_threads() == before


def test_error_in_a_call_side_by_side():
    before = blas_threads()
    with threadpool_limits(2), pytest.raises(ZeroDivisionError):
        map_side_by_side(lambda number: 1 / number, [1, 0, 2, 0])
    assert blas_threads() == before


def test_the_next_item_is_prepared_while_one_is_used():
    started = [Event(), Event(), Event()]
    ahead = one_ahead(lambda index: started[index].set(), range(3))
    assert next(ahead) == 0
    assert started[1].wait(timeout=60)
    assert not started[2].is_set()
    assert list(ahead) == [1, 2]


def test_error_in_preparing_an_item():
    ahead = one_ahead(lambda number: 1 / number, [1, 0])
    assert next(ahead) == 1
    with pytest.raises(ZeroDivisionError):
        next(ahead)


class WhereItRuns(LogMelSpectrogram):
    """A user's own analysis, which may depend on the thread."""

    threads = set()

    def transform_clip(self, samples):
        self.threads.add(get_ident())
        return super().transform_clip(samples)


def test_the_analysis_of_a_user_runs_in_the_thread_of_the_caller(monkeypatch):
    monkeypatch.setattr(_members, "BLOCK", 2)
    clips = np.random.default_rng(0).uniform(-0.5, 0.5, size=(6, 8000))
    member = make_pipeline(WhereItRuns(), SpectrogramStatistics(), FeatureDetector())
    RepeatedSeedEnsemble(member, n_repeats=1).fit(clips).score_samples(clips)
    assert WhereItRuns.threads == {get_ident()}


def test_scores_do_not_depend_on_the_blocks(monkeypatch):
    clips = np.random.default_rng(0).uniform(-0.5, 0.5, size=(7, 8000))
    member = make_pipeline(LogMelSpectrogram(), SpectrogramStatistics(), FeatureDetector())
    detector = RepeatedSeedEnsemble(member, n_repeats=2).fit(clips)
    at_once = detector.score_samples(clips)
    monkeypatch.setattr(_members, "BLOCK", 2)
    np.testing.assert_array_equal(detector.score_samples(clips), at_once)
    np.testing.assert_array_equal(detector.set_params(n_jobs=2).score_samples(clips), at_once)


def test_blocks_that_are_scored_are_forgotten(monkeypatch):
    monkeypatch.setattr(_members, "BLOCK", 2)
    score_block, seen, alive = RepeatedSeedEnsemble._score_block, [], []

    def watch(self, X):
        alive.append(sum(clip() is not None for clip in seen))
        seen.extend(weakref.ref(clip) for clip in X)
        return score_block(self, X)

    monkeypatch.setattr(RepeatedSeedEnsemble, "_score_block", watch)
    clips = np.random.default_rng(0).uniform(-0.5, 0.5, size=(12, 8000))
    member = make_pipeline(LogMelSpectrogram(), SpectrogramStatistics(), FeatureDetector())
    RepeatedSeedEnsemble(member, n_repeats=1).fit(clips).score_samples(clips)
    # What is left is a block that its successor has not replaced yet.
    assert len(alive) == 6
    assert max(alive) <= 4
