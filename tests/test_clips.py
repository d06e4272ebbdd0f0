"""What a clip may be, and what is said of what is none."""

import io
import pickle
import warnings
from array import array
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.io import wavfile
from sklearn.pipeline import make_pipeline

from skasd import (
    AudioError,
    ClipTransformer,
    FeatureDetector,
    FleetDetector,
    LogMelSpectrogram,
    Monitor,
    OpenL3Embedding,
    RepeatedSeedEnsemble,
    TimeWeightedPooling,
    fit_clips,
    load,
    make_baseline,
    make_iaeo3,
    make_iaeo3_plus,
    make_views_detector,
    save,
    score_clips,
)
from skasd._steps import walk
from skasd.audio import check_clips, read_clip
from skasd.audio._sources import MOST_CHANNELS

WEIGHTS = Path(__file__).parent / "data" / "openl3_audio_mel128_golden.h5.gz"
STEREO = np.random.default_rng(0).integers(-(2**15), 2**15, (4410, 2)).astype(np.int16)


def read(clip, **settings):
    (checked,) = check_clips([clip])
    return read_clip(checked, **{"sample_rate": 16000, **settings})


@pytest.fixture
def path(tmp_path):
    soundfile.write(tmp_path / "fan.wav", STEREO, 44100)
    return tmp_path / "fan.wav"


@pytest.fixture
def ensemble():
    features = make_pipeline(
        LogMelSpectrogram(n_fft=256, hop_length=128, n_mels=4), TimeWeightedPooling()
    )
    return RepeatedSeedEnsemble(
        make_pipeline(features, FeatureDetector(feature=1)), n_repeats=1, cv=None
    )


def forms(path):
    """Return the same recording as all that it may be, and the name that errors call it."""
    content = path.read_bytes()
    file = io.BytesIO(content)
    file.seek(0, io.SEEK_END)
    double = STEREO / 2.0**15
    return {
        "pair": ((44100, STEREO), "clip 0"),
        "list of rate and samples": ([44100, STEREO], "clip 0"),
        "rate of NumPy": ((np.int32(44100), STEREO), "clip 0"),
        "rate that is a float": ((44100.0, STEREO), "clip 0"),
        "columns first in memory": ((44100, np.asfortranarray(STEREO)), "clip 0"),
        "wide ints": ((44100, STEREO.astype(np.int32) * 2**16), "clip 0"),
        "other byte order": ((44100, STEREO.astype(">i2")), "clip 0"),
        "float64": ((44100, double), "clip 0"),
        "nested lists": ((44100, double.tolist()), "clip 0"),
        "table": ((44100, pd.DataFrame(double)), "clip 0"),
        "array": ({"array": double, "sampling_rate": 44100}, "clip 0"),
        "array with a path": (
            {"path": "fan.flac", "array": double, "sampling_rate": 44100},
            "fan.flac",
        ),
        "other mapping": (OrderedDict(array=STEREO, sampling_rate=44100), "clip 0"),
        "bytes": ({"bytes": content, "path": None}, "clip 0"),
        "bytes with a path": ({"bytes": content, "path": "fan.wav"}, "fan.wav"),
        "path": ({"bytes": None, "path": str(path)}, str(path)),
        "file in memory, at its end": (file, "clip 0"),
        "open file": (open(path, "rb"), str(path)),
        "row of one path": ([path], str(path)),
    }


@pytest.mark.parametrize("settings", [{}, {"channel": 1}, {"sample_rate": 44100, "channel": 0}])
def test_all_forms_are_read_as_the_file(path, settings):
    expected = read(path, **settings)
    for form, (clip, name) in forms(path).items():
        (checked,) = check_clips([clip])
        assert checked.name == name, form
        for _ in range(2):
            np.testing.assert_array_equal(read(clip, **settings), expected, err_msg=form)
        again = pickle.loads(pickle.dumps(checked))
        np.testing.assert_array_equal(
            read_clip(again, **{"sample_rate": 16000, **settings}), expected, err_msg=form
        )


@pytest.mark.parametrize("n_channels", [1, 2, 7, 8, 16])
def test_mean_of_channels_has_the_bits_of_a_file(tmp_path, n_channels):
    samples = np.random.default_rng(1).uniform(-1, 1, (999, n_channels))
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="DOUBLE")
    expected = read(tmp_path / "a.wav")
    np.testing.assert_array_equal(read((16000, samples)), expected)
    np.testing.assert_array_equal(read((16000, np.asfortranarray(samples))), expected)


@pytest.mark.filterwarnings("ignore::scipy.io.wavfile.WavFileWarning")
@pytest.mark.parametrize(
    ("subtype", "dtype"), [("PCM_U8", "u1"), ("PCM_24", "i4"), ("FLOAT", "f4")]
)
def test_samples_as_scipy_reads_them(tmp_path, subtype, dtype):
    soundfile.write(tmp_path / "a.wav", STEREO / 2**15, 44100, subtype=subtype)
    pair = wavfile.read(tmp_path / "a.wav")
    assert pair[1].dtype == dtype
    np.testing.assert_array_equal(read(pair), read(tmp_path / "a.wav"))


def test_what_a_pair_says_goes_before_input_sample_rate():
    assert len(read((8000, np.zeros(800)), input_sample_rate=48000)) == 1600
    assert len(read(np.zeros(800), input_sample_rate=8000)) == 1600
    assert len(read(np.zeros(800))) == 800


def test_array_module_is_no_list_of_ints():
    samples = array("h", [0, 16384, -32768])
    np.testing.assert_array_equal(read(samples), [0, 0.5, -1])


INTS = "holds ints of 64 bits .*Pass the width that was recorded, np.int16 or np.int32, or floats"


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        ([0, 1, -32768], INTS),
        (range(100), INTS),
        (np.arange(10), INTS),
        (np.arange(10, dtype=np.uint64), INTS),
        (pd.Series([1, 2, 3]), INTS),
        ((16000, [1, 2, 3]), INTS),
        ({"array": [[1, 2], [3, 4]], "sampling_rate": 16000}, INTS),
        ([2**70, 1], "dtype object"),
        ([None, 0.5], "dtype object"),
        (np.array([1, 2, 3], dtype=object), "dtype object"),
        ([True, False], "dtype bool"),
        (0.5, r"is a float of shape \(\).* Wrap one clip in a list"),
        ([[1.0], [2.0, 3.0]], "a ragged one"),
        (np.zeros((100, 2)), r"shape \(100, 2\).*\(rate, samples\)"),
        ((16000, np.zeros((2, 4000))), r"has 2 samples of 4000 channels\. .*samples\.T"),
        ((16000, np.zeros((2, 3, 4))), r"shape \(2, 3, 4\)"),
        ((np.zeros(100), 16000), r"a pair of samples and rate\. Pass \(rate, samples\)"),
        ((16000.5, np.zeros(100)), r"a sample rate of 16000\.5"),
        ((0, np.zeros(100)), "a sample rate of 0"),
        ((16, np.zeros(100)), "a sample rate of 16. Pass whole Hz, from 50"),
        ((float("nan"), np.zeros(100)), "a sample rate of nan"),
        ({"array": np.zeros(100), "sampling_rate": "16000"}, "a sample rate of '16000'"),
        ({"array": np.zeros(100)}, "is a mapping of array"),
        ({"array": None, "sampling_rate": 16000}, "is a mapping of array, sampling_rate"),
        ({}, "is a mapping of nothing"),
        ({"path": "nowhere.wav"}, "nowhere.wav: does not exist"),
        ({"path": "nowhere.wav", "bytes": b"no sound" * 9}, "^nowhere.wav: cannot be read: [^/]*$"),
        (io.BytesIO(b"no sound" * 9), "^clip 0: cannot be read: [^/]*$"),
        (io.BytesIO(), "clip 0: is an empty file"),
        (io.StringIO("RIFF"), "StringIO that gives no bytes, but str. Open it in the mode"),
        (b"RIFF", r"is a bytes of shape \(\)"),
    ],
)
def test_what_is_no_clip(clip, message):
    with pytest.raises(AudioError, match=message):
        read(clip)


def test_files_that_cannot_be_read_from_their_beginning(path):
    with open(path, "rb") as closed:
        pass
    with pytest.raises(AudioError, match=r"fan\.wav: .*cannot be read from its beginning.*BytesIO"):
        read(closed)

    class Pipe(io.BytesIO):
        def seek(self, *_):
            raise io.UnsupportedOperation("seek")

    with pytest.raises(AudioError, match=r"clip 0: is a Pipe that cannot be read from its"):
        read(Pipe(path.read_bytes()))


def test_a_file_in_memory_is_checked_as_a_path(path):
    content = path.read_bytes()[:-1000]
    with pytest.raises(AudioError, match=r"^clip 0: is truncated: it ends after"):
        read(io.BytesIO(content))


def test_few_samples_of_many_channels_are_left_alone():
    samples = np.zeros((3, MOST_CHANNELS))
    assert read((16000, samples)).shape == (3,)


NOT_CLIPS = {
    "folder": (lambda path: str(path.parent), "got the folder .*Pass the files in it: sorted"),
    "path of a folder": (lambda path: path.parent, "got the folder .*Pass the files in it: sorted"),
    "file": (str, "Wrap one clip in a list"),
    "open file": (lambda path: io.BytesIO(path.read_bytes()), "Wrap one clip in a list"),
    "pair": (lambda path: (44100, STEREO), "Wrap one clip in a list"),
    "list of rate and samples": (lambda path: [44100, STEREO], "Wrap one clip in a list"),
    "mapping of one": (lambda path: {"array": STEREO, "sampling_rate": 1}, "Wrap one clip"),
    "array": (lambda path: STEREO[:, 0], "Wrap one clip in a list"),
    "array of no dimension": (lambda path: np.array("fan.wav"), "Wrap one clip in a list"),
    "generator": (lambda path: (p for p in [path]), r"got a generator, .*Pass a list: list\(clips"),
    "map": (lambda path: map(str, [path]), r"got a map, .*Pass a list: list\(clips\)"),
    "glob": (lambda path: path.parent.glob("*"), r"got a generator, .*Pass a list: list\(clips\)"),
    "set": (lambda path: {str(path)}, r"got a set, .*Pass a list: list\(clips\)"),
    "dictionary": (lambda path: {"fan": str(path)}, r"got a dict\. Pass list\(clips\.values"),
    "table of two columns": (
        lambda path: pd.DataFrame({"path": [str(path)], "y": [1]}),
        "a table of 2 columns: path, y. Pass the column of clips",
    ),
}


@pytest.mark.parametrize("name", NOT_CLIPS)
def test_what_is_no_sequence_of_clips(name, path, ensemble):
    make, message = NOT_CLIPS[name]
    fitted = ensemble.fit([path] * 4)
    ways = [
        check_clips,
        LogMelSpectrogram().fit,
        LogMelSpectrogram().transform,
        ensemble.fit,
        fitted.score_samples,
        fitted.predict,
        lambda X: list(score_clips(fitted, X)),
        lambda X: fit_clips(ensemble, X, on_error="skip"),
    ]
    for way in ways:
        with pytest.raises(TypeError, match=message):
            way(make(path))


COLUMNS = {
    "table": lambda paths: pd.DataFrame({"file": paths}),
    "table with another index": lambda paths: pd.DataFrame({"file": paths}, index=[9, 8, 7, 5]),
    "series": pd.Series,
    "objects": lambda paths: np.array(paths, dtype=object)[:, np.newaxis],
    "strings": lambda paths: np.array(paths)[:, np.newaxis],
    "rows": lambda paths: [[path] for path in paths],
    "tuple": tuple,
}


@pytest.mark.parametrize("name", COLUMNS)
def test_column_of_paths(name, tmp_path, ensemble):
    paths = [str(tmp_path / f"{index}.wav") for index in range(4)]
    for index, one in enumerate(paths):
        soundfile.write(one, STEREO * (index + 1) / 2**18, 16000)
    column = COLUMNS[name](paths)
    expected = ensemble.fit(paths).score_samples(paths)
    assert len(set(expected)) == 4
    np.testing.assert_array_equal(ensemble.score_samples(column), expected)
    np.testing.assert_array_equal(ensemble.fit(column).score_samples(column), expected)
    assert [score.clip for score in score_clips(ensemble, column)] == paths
    assert fit_clips(ensemble, column, on_error="skip") == {}
    fleet = FleetDetector(ensemble).fit(column, machine_label=["a", "b", "b", "a"])
    scores = fleet.score_samples(column, machine_label=["a", "b", "b", "a"])
    np.testing.assert_array_equal(
        scores, fleet.score_samples(paths, machine_label=["a", "b", "b", "a"])
    )


def guesses(make):
    """Return what is said of rates that nobody gave."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = make()
    said = [str(each.message) for each in caught if "sample rate of the" in str(each.message)]
    return result, said


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_rate_that_nobody_gave_is_told_where_it_matters(rate):
    clips = np.random.default_rng(0).normal(0, 0.1, (2, 24000))

    def made(X, **settings):
        log_mel = LogMelSpectrogram(rate, n_fft=256, n_mels=8, **settings)
        return guesses(lambda: log_mel.fit_transform(X))

    guessed, (message,) = made(clips)
    assert f"LogMelSpectrogram, which analyzes at {rate} Hz, assumes 16000 Hz." in message
    assert "Pass input_sample_rate, or each clip as (rate, samples)." in message
    for X, settings in ((clips, {"input_sample_rate": 16000}), ([(16000, c) for c in clips], {})):
        told, said = made(X, **settings)
        assert said == []
        np.testing.assert_array_equal(told, guessed)


def test_nobody_is_told_where_it_does_not_matter(path):
    clips = np.random.default_rng(0).normal(0, 0.1, (2, 16000))
    assert guesses(lambda: LogMelSpectrogram().fit_transform(clips))[1] == []
    assert guesses(lambda: LogMelSpectrogram(44100).fit_transform([path]))[1] == []


@pytest.mark.parametrize("make", [make_views_detector, make_baseline, make_iaeo3, make_iaeo3_plus])
def test_systems_tell_as_their_steps_do(make):
    for settings, expected in (
        ({}, set()),
        ({"sample_rate": 48000}, {"LogMelSpectrogram"}),
        ({"sample_rate": 48000, "input_sample_rate": 44100}, set()),
    ):
        steps = [step for _, step in walk(make(**settings)) if isinstance(step, ClipTransformer)]
        assert {type(step).__name__ for step in steps if step._guesses_rates} == expected


def test_openl3_tells_that_it_guesses():
    embedding = OpenL3Embedding("mel128", weights=str(WEIGHTS), hop_size=1.0, cache=None)
    clips = np.zeros((1, 8000))
    assert (
        "OpenL3Embedding, which analyzes at 48000 Hz"
        in guesses(lambda: embedding.fit_transform(clips))[1][0]
    )
    embedding.input_sample_rate = 16000
    assert guesses(lambda: embedding.fit_transform(clips))[1] == []


def test_monitor_tells_that_it_guesses_and_hears_what_score_samples_hears(tmp_path):
    clips = np.random.default_rng(0).normal(0, 0.1, (12, 4800))

    def monitored(settings, **parameters):
        log_mel = LogMelSpectrogram(48000, n_fft=512, n_mels=8, **settings)
        detector = make_pipeline(log_mel, TimeWeightedPooling(), FeatureDetector(feature=3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = -detector.fit(clips).score_samples(clips[:3])
        rate = parameters.get("sample_rate") or settings.get("input_sample_rate") or 16000
        monitor = Monitor(detector, clip_seconds=4800 / rate, **parameters)
        assert monitor.sample_rate == rate
        events, said = guesses(lambda: list(monitor.stream(clips[:3])))
        scores = [event.anomaly_score for event in events]
        if rate == (settings.get("input_sample_rate") or 16000):
            np.testing.assert_allclose(scores, expected, rtol=1e-12)
        return said

    (message,) = monitored({})
    assert "sample rate of the stream is unknown, and 16000 Hz, which is assumed, is not" in message
    assert monitored({}, sample_rate=48000) == []
    assert monitored({"input_sample_rate": 48000}) == []
    assert monitored({"input_sample_rate": 44100}, sample_rate=48000) == []


def test_a_model_file_is_written_and_read_without_a_word(tmp_path):
    log_mel = LogMelSpectrogram(48000, n_fft=512, n_mels=8)
    detector = make_pipeline(log_mel, TimeWeightedPooling(), FeatureDetector(feature=3))
    detector.fit([(48000, clip) for clip in np.random.default_rng(0).normal(size=(12, 4800))])
    assert guesses(lambda: save(detector, tmp_path / "a.skasd"))[1] == []
    assert guesses(lambda: load(tmp_path / "a.skasd"))[1] == []
