"""What goes wrong in a plant, and where it is tested that nothing is lost.

=============================================== =================================================
what goes wrong                                 test
=============================================== =================================================
any of nineteen kinds of bad clip               test_bad_clip_is_skipped_and_named, and for
                                                ``"raise"`` test_audio, test_common, test_openl3
2,000 clips, 1 % of them broken                 test_two_thousand_clips_of_which_some_are_broken
a clip vanishes between listing and reading     test_clip_vanishes
a clip changes between listing and reading      test_clip_changes_while_a_detector_is_fitted
any bytes in an audio file                      test_any_bytes_are_read_or_refused
disk full while a cache entry is written        test_disk_full_for_the_cache
disk full while a model is written              test_persistence.test_disk_full_leaves_the_old_file
disk full while results are written             test_disk_full_for_results, test_monitoring
no home folder                                  test_no_home_folder
cache that cannot be written                    test_openl3.test_cache_that_cannot_be_written_...
fit killed                                      test_fit_killed_leaves_the_old_model
score killed                                    test_score_killed_leaves_whole_lines
evaluate killed                                 test_evaluation.test_killed_and_started_again
monitor killed                                  test_monitoring
worker of a parallel fit killed                 test_killed_worker_is_an_error
two processes on one cache                      test_two_processes_on_one_cache, and for weights
                                                test_openl3_weights.test_two_processes_at_once
two processes on one output folder              test_two_evaluations_at_once, test_monitoring
model file truncated, flipped, foreign, pickled test_persistence
any bytes in a model file                       test_persistence
Ctrl-C                                          test_cli.test_ctrl_c
=============================================== =================================================

``python -m benchmarks.kills`` kills each command at random moments.
"""

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import BrokenExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from processes import Script
from results import assert_same_results
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import skasd
from skasd import (
    AudioError,
    FeatureDetector,
    GaussianMixtureDetector,
    LogMelSpectrogram,
    RepeatedSeedEnsemble,
    TimeWeightedPooling,
    fit_clips,
    score_clips,
)
from skasd.audio import check_clips, read_clip

HEALTHY = np.random.default_rng(1).uniform(-0.5, 0.5, size=(12, 8000))


def small_detector():
    return make_pipeline(
        LogMelSpectrogram(n_fft=2048, n_mels=8),
        TimeWeightedPooling(),
        GaussianMixtureDetector(n_components=1, random_state=0),
    )


@pytest.fixture(scope="module")
def fitted():
    return small_detector().fit(HEALTHY)


def test_bad_clip_is_skipped_and_named(bad_clip, noise, fitted):
    clip, problem = bad_clip
    scores = list(score_clips(fitted, [noise, clip, noise], on_error="skip"))
    assert [score.prediction == 0 for score in scores] == [False, True, False]
    assert np.isnan(scores[1].anomaly_score)
    assert scores[0].anomaly_score == -fitted.score_samples([noise])[0]
    assert re.search(problem, scores[1].error)
    with pytest.raises(AudioError, match=problem):
        list(score_clips(fitted, [noise, clip, noise]))
    detector = small_detector()
    failures = fit_clips(detector, [*HEALTHY[:6], clip, *HEALTHY[6:]], on_error="skip")
    assert list(failures) == [scores[1].clip.replace("clip 1", "clip 6")]
    np.testing.assert_array_equal(detector.score_samples(HEALTHY), fitted.score_samples(HEALTHY))


def test_nothing_but_bad_clips(noise):
    with pytest.raises(ValueError, match=r"None of the 2 clips can be analyzed. clip 0: is too"):
        fit_clips(small_detector(), [noise[:9], noise[:8]], on_error="skip")
    with pytest.raises(ValueError, match="on_error"):
        fit_clips(small_detector(), [noise], on_error="ignore")
    with pytest.raises(TypeError, match="Wrap one clip in a list"):
        score_clips(small_detector().fit(HEALTHY), "clip.wav", on_error="skip")


class Loudness(FeatureDetector):
    """A detector that is hardly more than reading clips."""

    def fit(self, X, y=None):
        return super().fit(loudness(X))

    def score_samples(self, X):
        return super().score_samples(X if isinstance(X, np.ndarray) else loudness(X))


def loudness(X):
    clips = (read_clip(clip, sample_rate=16000) for clip in check_clips(X))
    return np.array([[np.sqrt(np.mean(samples**2))] for samples in clips])


def test_five_hundred_clips_of_which_some_are_broken(tmp_path):
    good, broken = tmp_path / "good.wav", tmp_path / "broken.wav"
    soundfile.write(good, HEALTHY[0, :500], 16000)
    broken.write_bytes(good.read_bytes()[:700])
    is_broken = np.random.default_rng(0).permutation(500) < 20
    paths = []
    for i, each in enumerate(is_broken):
        paths.append(tmp_path / f"{i:05}.wav")
        os.link(broken if each else good, paths[-1])
    detector = Loudness().fit([good] * 3)
    scores = list(score_clips(detector, paths, on_error="skip"))
    assert [score.clip for score in scores] == [str(path) for path in paths]
    np.testing.assert_array_equal([score.prediction == 0 for score in scores], is_broken)
    assert all("is truncated" in score.error for score in scores if score.prediction == 0)
    expected = soundfile.read(good, dtype="float32")[0]
    assert scores[np.argmin(is_broken)].anomaly_score == pytest.approx(
        np.sqrt(np.mean(expected**2)), rel=1e-6
    )


def wav_files(folder, clips):
    paths = [folder / f"{i}.wav" for i in range(len(clips))]
    for path, clip in zip(paths, clips, strict=True):
        soundfile.write(path, clip, 16000)
    return paths


def test_clip_vanishes(tmp_path, fitted):
    paths = wav_files(tmp_path, HEALTHY[:4])
    scores = []
    for score in score_clips(fitted, paths, on_error="skip"):
        scores.append(score)
        paths[-1].unlink(missing_ok=True)
    assert [score.prediction == 0 for score in scores] == [False, False, False, True]
    assert "does not exist" in scores[-1].error
    (clip,) = check_clips([paths[0]])
    paths[0].unlink()
    with pytest.raises(AudioError, match=r"0.wav: cannot be read"):
        read_clip(clip, sample_rate=16000)


def test_clip_changes_while_a_detector_is_fitted(tmp_path, monkeypatch):
    """Each clip is read once, whatever the number of members: all see the same."""
    paths, reads = wav_files(tmp_path, HEALTHY), []

    def read_and_overwrite(clip, **settings):
        samples = read_clip(clip, **settings)
        reads.append(clip.name)
        soundfile.write(clip.source, np.zeros(8000), 16000)
        return samples

    steps = LogMelSpectrogram(n_mels=8), TimeWeightedPooling(), GaussianMixtureDetector(1)
    ensemble = RepeatedSeedEnsemble(make_pipeline(*steps), n_repeats=3, random_state=0)
    expected = clone(ensemble).fit([soundfile.read(path, dtype="float32")[0] for path in paths])
    monkeypatch.setattr("skasd.features._clip_transformer.read_clip", read_and_overwrite)
    detector = ensemble.fit(paths)
    assert sorted(reads) == sorted(map(str, paths))
    assert detector.offset_ == expected.offset_
    reads.clear()
    detector.score_samples(paths)
    assert reads == [str(path) for path in paths]


SOUND = {}
for _suffix in ("wav", "flac", "ogg", "mp3"):
    _path = Path(os.environ["JAX_COMPILATION_CACHE_DIR"]) / f"sound.{_suffix}"
    soundfile.write(_path, HEALTHY[0, :3000], 16000)
    SOUND[_suffix] = _path.read_bytes()
    _path.unlink()


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    suffix=st.sampled_from(sorted(SOUND)),
    edits=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)), max_size=3),
    end=st.integers(1, 9000),
)
def test_any_bytes_are_read_or_refused(tmp_path, suffix, edits, end):
    content = bytearray(SOUND[suffix][:end])
    for position, replacement in edits:
        content[position : position + len(replacement)] = replacement
    path = tmp_path / f"clip.{suffix}"
    path.write_bytes(content)
    try:
        samples = read_clip(*check_clips([path]), sample_rate=16000)
    except AudioError:
        pass
    else:
        assert samples.ndim == 1
        assert len(samples)
        assert np.isfinite(samples).all()


def mel128(**settings):
    weights = Path(__file__).parent / "data" / "openl3_audio_mel128_golden.h5.gz"
    return skasd.OpenL3Embedding("mel128", hop_size=1.0, weights=str(weights), **settings)


def test_disk_full_for_the_cache(tmp_path, noise, full_disk):
    expected = mel128(cache=None).fit([noise]).transform([noise])
    embedding = mel128(cache=str(tmp_path / "cache")).fit([noise])
    with full_disk(100), pytest.warns(UserWarning, match="are not cached, because"):
        features = embedding.transform([noise])
    np.testing.assert_array_equal(features, expected)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    np.testing.assert_array_equal(embedding.transform([noise]), expected)


EMBED = """
import sys
import numpy as np
from skasd import OpenL3Embedding

cache = None if sys.argv[2] == "none" else sys.argv[2]
clips = np.random.default_rng(1).uniform(-0.5, 0.5, size=(3, 8000))
embedding = OpenL3Embedding("mel128", hop_size=1.0, weights=sys.argv[1], cache=cache)
print(embedding.fit_transform(clips).tolist())
"""


@pytest.mark.posix
def test_no_home_folder(tmp_path, noise):
    weights = mel128().weights
    home = {"HOME": "/dev/null", "XDG_CACHE_HOME": ""}
    process = Script(EMBED, weights, "auto", **home)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "are not cached, because" in errors
    assert np.array(eval(output)).shape == (3, 512)


def test_two_processes_on_one_cache(tmp_path):
    processes = [Script(EMBED, mel128().weights, tmp_path / "cache") for _ in range(2)]
    (one, _), (other, _) = [process.communicate() for process in processes]
    assert one == other != ""
    clips = np.random.default_rng(1).uniform(-0.5, 0.5, size=(3, 8000))
    cached = mel128(cache=str(tmp_path / "cache")).fit(clips).transform(clips)
    np.testing.assert_array_equal(cached, eval(one))
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 3


DIE_WHILE_SAVING = """
import os, signal, sys
import numpy as np
import skasd
from skasd._utils import files as _files

replace = os.replace
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
skasd.save(skasd.FeatureDetector().fit([[1.0], [2.0]]), sys.argv[1])
"""


@pytest.mark.posix
def test_fit_killed_leaves_the_old_model(tmp_path):
    path = tmp_path / "machine.skasd"
    detector = FeatureDetector().fit([[3.0], [4.0]])
    skasd.save(detector, path)
    process = Script(DIE_WHILE_SAVING, path)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert skasd.load(path).anomaly_score([[5.0]]) == 5.0
    assert skasd.load(path).offset_ == detector.offset_


@pytest.mark.posix
def test_score_killed_leaves_whole_lines(tmp_path, fitted):
    skasd.save(fitted, tmp_path / "machine.skasd")
    (tmp_path / "new").mkdir()
    paths = wav_files(tmp_path / "new", np.tile(HEALTHY, (20, 1)))
    process = subprocess.Popen(
        [sys.executable, "-m", "skasd", "score", tmp_path / "machine.skasd", *paths],
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = [process.stdout.readline() for _ in range(3)]
    process.kill()
    lines += process.stdout.readlines()
    process.wait()
    scores = -fitted.score_samples(paths)
    for line, path, score in zip(lines, paths, scores, strict=False):
        assert line.endswith("\n")
        assert line.split("\t")[:3] == [
            str(path),
            f"{score:.6g}",
            "anomalous" if score > -fitted[-1].offset_ else "normal",
        ]


@pytest.mark.posix
def test_killed_worker_is_an_error():
    # Within the test, so that workers get the class itself, and need not import this module.
    class DiesInAWorker(FeatureDetector):
        """A detector whose process is killed while it is fitted, as by a lack of memory."""

        def fit(self, X, y=None):
            os.kill(os.getpid(), signal.SIGKILL)

    ensemble = RepeatedSeedEnsemble(DiesInAWorker(), n_repeats=2, n_jobs=2)
    with parallel_config(backend="loky"), pytest.raises(BrokenExecutor, match="terminated"):
        ensemble.fit([[1.0], [2.0]])


EVALUATE = """
import sys
from skasd.challenge import evaluate_dcase2020

settings = {"n_fft": 512, "hop_length": 256, "n_mels": 8}
evaluation = evaluate_dcase2020(sys.argv[1], sys.argv[2], "views", settings=settings)
print(evaluation.complete)
"""


def test_two_evaluations_at_once(tmp_path, monkeypatch):
    for split in ("train", "test"):
        folder = tmp_path / "fan" / split
        folder.mkdir(parents=True)
        for i, clip in enumerate(HEALTHY):
            label = "anomaly" if split == "test" and i % 2 else "normal"
            soundfile.write(folder / f"{label}_id_00_{i:08}.wav", clip, 16000)
    processes = [Script(EVALUATE, tmp_path, tmp_path / "out") for _ in range(2)]
    outputs = [process.communicate() for process in processes]
    assert [output for output, _ in outputs] == ["True\n"] * 2, outputs
    monkeypatch.setattr("sys.argv", ["", str(tmp_path), str(tmp_path / "alone")])
    exec(EVALUATE, {})
    assert_same_results(tmp_path / "out", tmp_path / "alone")
    assert not list((tmp_path / "out").rglob("*.part"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_disk_full_for_results(tmp_path, fitted):
    skasd.save(fitted, tmp_path / "machine.skasd")
    (path,) = wav_files(tmp_path, HEALTHY[:1])
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "skasd", "score", tmp_path / "machine.skasd", path],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert process.returncode == 2
    assert "No space left on device" in process.stderr
