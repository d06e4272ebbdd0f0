import os
import signal
import subprocess
import sys
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import soxr
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

import skasd
from skasd import FeatureDetector, LogMelSpectrogram, Monitor, TimeWeightedPooling
from skasd.audio import check_clips, read_clip
from skasd.audio._blocks import read_blocks
from skasd.cli import app
from skasd.cli._stopping import Stopped, Stopping
from skasd.monitoring import Alarm, EventFile, EventFileError, MonitorEvent

RATE = 16000


class Loudness(BaseEstimator):
    """The anomaly score of a clip is its mean level, and more than 0.5 is anomalous."""

    def __init__(self, input_sample_rate=RATE, channel="mean"):
        self.input_sample_rate = input_sample_rate
        self.channel = channel

    def fit(self, X=None, y=None):
        self.offset_ = -0.5
        self.clips = []
        return self

    def score_samples(self, X):
        (clip,) = check_clips(X)
        settings = {"sample_rate": RATE, "input_sample_rate": RATE, "channel": self.channel}
        self.clips.append(read_clip(clip, **settings))
        return np.array([-np.abs(self.clips[-1]).mean()])


@pytest.fixture
def detector():
    return Loudness().fit()


def small_monitor(detector, window=100, **parameters):
    """Return a monitor of windows of 100 samples, and forget the one that it tried itself."""
    monitor = Monitor(detector, clip_seconds=window / RATE, **parameters)
    detector.clips.clear()
    return monitor


def signal_of(decisions, window=100):
    """Return a sound whose windows are loud where an A stands, quiet at a dot, NaN at an x."""
    levels = {"A": 1.0, ".": 0.1, "x": np.nan}
    return np.repeat(np.float32([levels[decision] for decision in decisions]), window)


def in_blocks(signal, sizes):
    ends = np.cumsum(np.resize(sizes, len(signal)))
    return np.split(signal, ends[: np.searchsorted(ends, len(signal))])


SIZES = {
    "1": [1],
    "7": [7],
    "1000": [1000],
    "random": np.random.default_rng(0).integers(0, 700, 50),
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize(("window", "hop"), [(400, 400), (400, 130), (130, 400)])
def test_windows_are_slices_of_the_whole(detector, sizes, window, hop):
    signal = np.random.default_rng(1).uniform(-1, 1, 3000).astype(np.float32)
    monitor = small_monitor(detector, window, hop_seconds=hop / RATE)
    events = list(monitor.stream(in_blocks(signal, sizes)))
    starts = range(0, len(signal) - window + 1, hop)
    np.testing.assert_array_equal(detector.clips, [signal[s : s + window] for s in starts])
    assert [event.window for event in events] == list(range(len(starts)))
    assert [(event.start, event.end) for event in events] == [
        (s / RATE, (s + window) / RATE) for s in starts
    ]
    assert [event.anomaly_score for event in events] == [
        np.abs(signal[s : s + window]).mean() for s in starts
    ]


@pytest.mark.parametrize("hop", [30, 100, 250])
def test_event_comes_with_the_last_sample(detector, hop):
    n_consumed = 0

    def samples():
        nonlocal n_consumed
        while n_consumed < 1000:
            n_consumed += 1
            yield np.zeros(1)

    for event in small_monitor(detector, hop_seconds=hop / RATE).stream(samples()):
        assert n_consumed == round(event.end * RATE) == event.window * hop + 100


def test_blocks_of_any_kind(detector):
    left, right = np.random.default_rng(0).integers(-(2**15), 2**15, (2, 300), dtype=np.int16)
    stereo = np.stack([left, right], axis=1)
    whole = read_clip(*check_clips([left]), sample_rate=RATE)
    kinds = {
        "mean": [stereo[:130], [], stereo[130:].astype(float) / 2**15],
        0: [left, np.zeros((0, 2))],
        1: [stereo[:, ::-1], right[:0].tolist()],
    }
    for channel, blocks in kinds.items():
        detector.channel = channel
        list(small_monitor(detector, 300).stream(blocks))
        expected = stereo.mean(axis=1) / 2**15 if channel == "mean" else whole
        np.testing.assert_allclose(detector.clips[0], expected, atol=1e-7)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (np.zeros((2, 2, 2)), r"block 1: .*shape \(2, 2, 2\)"),
        (np.zeros(3, complex), "dtype complex128"),
        ("sound", "block 1: is a str"),
        (np.zeros((3, 1)), "block 1: has no channel 1"),
        (np.zeros((3, 2)), "block 1: has 2 channels, and those before it have 1"),
        (np.zeros((1, 480)), r"block 1: has 1 samples of 480 channels. .*samples\.T"),
        ([1, -2, 3], r"block 1: holds ints of 64 bits \(list of int64\)\. Pass .*np\.int16"),
        (np.zeros(3, np.uint64), "block 1: holds ints of 64 bits"),
        ([None, 1.0], "dtype object"),
    ],
)
def test_blocks_that_are_none(detector, block, message):
    detector.channel = 1
    with pytest.raises(skasd.AudioError, match=message):
        list(small_monitor(detector).stream([np.zeros(10), block]))


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("size", [1000, 40000])
def test_stream_of_another_rate(detector, rate, size):
    signal = np.random.default_rng(0).uniform(-1, 1, 2 * rate + 99).astype(np.float32)
    monitor = Monitor(detector, clip_seconds=0.1, sample_rate=rate)
    detector.clips.clear()
    events = list(monitor.stream(in_blocks(signal, [size])))
    windows = signal[: 2 * rate].reshape(20, -1)
    np.testing.assert_array_equal(
        detector.clips, [soxr.resample(window, rate, RATE) for window in windows]
    )
    assert [event.end for event in events] == pytest.approx(np.arange(1, 21) / 10)


@pytest.mark.parametrize("seconds", [0.1, 0.7])
def test_windows_of_a_stream_of_several_channels(detector, seconds):
    signal = np.random.default_rng(0).uniform(-1, 1, (44100, 3)).astype(np.float32)
    detector.channel = 2
    monitor = Monitor(detector, clip_seconds=0.25, hop_seconds=seconds, sample_rate=44100)
    detector.clips.clear()
    list(monitor.stream(in_blocks(signal, [997])))
    starts = np.arange(0, 44100 - 11025 + 1, round(seconds * 44100))
    windows = [soxr.resample(signal[s : s + 11025, 2], 44100, RATE) for s in starts]
    np.testing.assert_array_equal(detector.clips, windows)


def test_memory_is_that_of_a_window(detector):
    monitor = small_monitor(detector, 50_000)
    detector.score_samples = lambda X: np.array([-1.0])
    blocks = (np.zeros(5000, np.int16) for _ in range(400))
    tracemalloc.start()
    n_events = sum(1 for _ in monitor.stream(blocks))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_events == 40
    assert peak < 8 * 50_000 * 4


@pytest.mark.parametrize(
    ("rule", "release", "decisions", "states"),
    [
        ("3 of 5", None, ".A.AA....AA", "....####..."),
        ("3 of 5", 2, ".A.AA....AA", "....##....."),
        ("3 of 5", 0, ".A.AA....AA", "....#######"),
        ("3 of 5", 0, "AAA........", "..#####...."),
        ("2 of 2", None, "AA.A..", ".####."),
        ("2 of 2", 1, "AA.A..", ".#...."),
        ("3 of 3", None, "AAA..", "..##."),
        (" 1 of 1 ", None, "A.A", "#.#"),
        ("2 of 3", None, "A..A.A", ".....#"),
    ],
)
def test_alarm_worked_out_by_hand(detector, rule, release, decisions, states):
    monitor = small_monitor(detector, alarm=rule, release=release)
    events = list(monitor.stream([signal_of(decisions)]))
    assert "".join(".A"[event.is_anomalous] for event in events) == decisions
    assert "".join(".#"[event.alarm] for event in events) == states
    changes = {".#": "raised", "#.": "cleared", "..": None, "##": None}
    assert [event.alarm_change for event in events] == [
        changes[before + after] for before, after in pairwise("." + states)
    ]


@pytest.mark.parametrize("rule", ["0 of 3", "4 of 3", "3/5", "3 of", "", "3 of 5 of 7", None, 3])
def test_no_alarm(rule):
    with pytest.raises(ValueError, match=r"alarm=.*expected 'k of n'"):
        Alarm(rule)


@pytest.mark.parametrize("release", [3, -1, True, 1.0])
def test_no_release(release):
    with pytest.raises(ValueError, match=r"release=.*from 0 to 2"):
        Alarm("3 of 5", release)


def test_windows_that_cannot_be_scored_do_not_count(detector):
    monitor = small_monitor(detector, alarm="3 of 3")
    events = list(monitor.stream([signal_of("AAxA.xx..")]))
    assert "".join(".#"[event.alarm] for event in events) == "...####.."
    errors = [event for event in events if event.error]
    assert [event.window for event in errors] == [2, 5, 6]
    assert errors[0].error == "holds 100 NaN or infinite samples, the first at index 0"
    assert np.isnan(errors[0].anomaly_score)
    assert not errors[0].is_anomalous
    assert len(detector.clips) == 6


def test_detector_that_fails_at_one_window(detector):
    monitor = small_monitor(detector)
    scores = iter([-0.1, np.nan, -np.inf, ValueError("too quiet"), -0.2])

    def score_samples(X):
        score = next(scores)
        if isinstance(score, Exception):
            raise score
        return np.array([score])

    detector.score_samples = score_samples
    errors = [event.error for event in monitor.stream([signal_of(".....")])]
    assert errors == [None, "its score is nan", "its score is -inf", "too quiet", None]


def test_nan_does_not_spread(detector):
    """Not into the windows beside it, whatever is resampled."""
    for rate in (RATE, 44100):
        sound = np.random.default_rng(0).uniform(-1, 1, 5 * rate).astype(np.float32)
        monitor = Monitor(detector, clip_seconds=1.0, sample_rate=rate)
        whole = list(monitor.stream([sound]))
        sound[int(2.5 * rate)] = np.nan
        events = list(monitor.stream(in_blocks(sound, [999])))
        assert "holds 1 NaN or infinite samples" in events[2].error
        assert [*events[:2], *events[3:]] == [*whole[:2], *whole[3:]]


@pytest.fixture(scope="module")
def fitted():
    """Return a detector of clips that is fitted in no time, and its training clips."""
    clips = np.random.default_rng(0).normal(0, 0.1, (10, 4000)).astype(np.float32)
    spectrogram = LogMelSpectrogram(n_fft=512, hop_length=256, n_mels=8)
    detector = make_pipeline(spectrogram, TimeWeightedPooling(), FeatureDetector(feature=7))
    return detector.fit(clips), clips


def test_scores_and_decisions_are_the_detectors(fitted):
    detector, clips = fitted
    silence = np.zeros((1, 4000), np.float32)
    windows = np.concatenate([clips, silence, 3 * clips])
    monitor = Monitor(detector, clip_seconds=0.25)
    events = list(monitor.stream(in_blocks(windows.ravel(), [1234])))
    scores = [detector.score_samples([window])[0] for window in windows]
    assert [event.anomaly_score for event in events] == [-score for score in scores]
    assert [event.is_anomalous for event in events] == [
        score < detector[-1].offset_ for score in scores
    ]
    assert sum(event.is_anomalous for event in events) == 10
    assert [event.p_value <= 0.1 for event in events] == [event.is_anomalous for event in events]
    assert {event.threshold for event in events} == {-detector[-1].offset_}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"clip_seconds": 0}, "'clip_seconds' parameter of Monitor must be"),
        ({"hop_seconds": -1.0}, "'hop_seconds' parameter of Monitor must be"),
        ({"hop_seconds": 1e-6}, "hop_seconds=1e-06: is less than one sample at 16000 Hz"),
        ({"sample_rate": 0}, "'sample_rate' parameter of Monitor must be"),
        ({"alarm": "5 of 3"}, "alarm='5 of 3'"),
        ({"clip_seconds": 0.01}, "cannot score a clip of 0.01 s .*too short: 160 samples"),
    ],
)
def test_wrong_arguments(fitted, parameters, message):
    with pytest.raises(ValueError, match=message):
        Monitor(fitted[0], **parameters)


def test_wrong_detectors(fitted):
    _, clips = fitted
    with pytest.raises(NotFittedError):
        Monitor(make_pipeline(LogMelSpectrogram(), TimeWeightedPooling(), FeatureDetector()))
    with pytest.raises(TypeError, match="has no score_samples"):
        Monitor(LogMelSpectrogram())
    with pytest.raises(ValueError, match="fitted on clips"):
        Monitor(FeatureDetector().fit([[1.0], [2.0]]))
    spectrograms = LogMelSpectrogram(n_mels=8).transform(clips)
    with pytest.raises(ValueError, match=r"a spectrogram of shape"):
        Monitor(make_pipeline(TimeWeightedPooling(), FeatureDetector()).fit(spectrograms))
    spectrogram = LogMelSpectrogram(input_sample_rate=8000)
    with pytest.raises(ValueError, match="differ in input_sample_rate: 16000, 8000"):
        Monitor(make_pipeline(spectrogram, Loudness().fit()))


@pytest.mark.parametrize("n_held", range(8))
def test_goes_on_after_what_was_said(detector, n_held):
    monitor = small_monitor(detector, hop_seconds=80 / RATE, alarm="2 of 3")
    sound = signal_of(".AAxA.")
    events = list(monitor.stream([sound]))
    assert len(events) == 7
    detector.clips.clear()
    replayed = monitor.stream(in_blocks(sound, [77]), after=iter(events[:n_held]), replay=True)
    assert [*events[:n_held], *replayed] == events
    assert len(detector.clips) == sum(event.error is None for event in events[n_held:])
    live = monitor.stream([sound[80 * n_held :]], after=events[:n_held])
    assert [*events[:n_held], *live] == events


def test_refuses_what_it_did_not_say(detector):
    events = list(small_monitor(detector).stream([signal_of("AAA.")]))
    with pytest.raises(ValueError, match="Event 1 of the earlier run is of window 2"):
        next(small_monitor(detector).stream([], after=[events[0], events[2]]))
    with pytest.raises(ValueError, match="Window 1 of the earlier run had another alarm"):
        next(small_monitor(detector, alarm="2 of 5").stream([], after=events))
    with pytest.raises(ValueError, match="Event 0 of the earlier run is of a stream"):
        next(small_monitor(detector).watch(".", after=events, once=True))


def watch_into(path, detector, decisions="A.AxA", **parameters):
    """Run a monitor on a sound until its end, as the command line does."""
    monitor = small_monitor(detector, **parameters)
    with EventFile(path, {"source": "a test", "alarm": monitor.alarm}) as file:
        for event in monitor.stream([signal_of(decisions)], after=file, replay=True):
            file.append(event)
    return path.read_bytes()


def test_event_file_cut_off_anywhere(detector, tmp_path):
    path = tmp_path / "events.jsonl"
    whole = watch_into(path, detector)
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 6
    assert [MonitorEvent.from_json(line).window for line in lines[1:]] == list(range(5))
    last_two = range(len(whole) - len(lines[-1]) - len(lines[-2]), len(whole) + 1)
    for cut in [*range(len(lines[0]) + 1), *last_two]:
        path.write_bytes(whole[:cut])
        assert watch_into(path, detector) == whole, cut
        n_held = max(0, whole[:cut].count(b"\n") - 1)
        assert len(detector.clips) == sum(b"NaN" not in line for line in lines[1 + n_held :])


def test_event_file_of_something_else(detector, tmp_path):
    path = tmp_path / "events.jsonl"
    watch_into(path, detector)
    events = path.read_bytes()
    with pytest.raises(EventFileError, match=r"alarm was 3 of 5, but is now 2 of 5\. Pass another"):
        watch_into(path, detector, alarm="2 of 5")
    assert path.read_bytes() == events

    lines = events.splitlines(keepends=True)
    damaged = {
        b"".join([*lines[:3], b'{"window": 2}\n', *lines[4:]]): "cannot be read: not an event",
        b"".join([*lines[:3], b"\0\0\n", *lines[4:]]): "line 4 cannot be read",
        b"".join([*lines[:3], *lines[4:]]): "an event is missing, or occurs twice",
        b"A diary, and no line's end": "is not an event file of skasd, and is left as it is",
        b"1\n": "is not an event file of skasd",
        b"[]\n": "is not an event file of skasd",
        b'{"skasd_events": 2}\n': "has the format 2",
    }
    for content, message in damaged.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            watch_into(path, detector)
        assert path.read_bytes() == content


def test_event_file_is_written_by_one(detector, tmp_path):
    path = tmp_path / "events.jsonl"
    with (
        EventFile(path, {}),
        pytest.raises(EventFileError, match="another monitor appends to it"),
        EventFile(path, {}),
    ):
        pass
    with EventFile(path, {}) as file:
        assert list(file) == []


def test_full_disk(detector, tmp_path, full_disk):
    path = tmp_path / "events.jsonl"
    whole = watch_into(path, detector)
    ends = np.cumsum([len(line) for line in whole.splitlines(keepends=True)])
    for n_bytes in (0, 10, *ends[:-1], *(ends[:-1] + 20)):
        path.unlink()
        with full_disk(int(n_bytes)), pytest.raises(EventFileError, match="cannot be written"):
            watch_into(path, detector)
        assert path.stat().st_size == max(ends[ends <= n_bytes], default=0)
        assert watch_into(path, detector) == whole


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from skasd.monitoring import EventFile
from test_monitoring import Loudness, watch_into

append = EventFile.append

def append_or_die(file, event):
    if event.window == 3:
        line = event.to_json().encode()
        file._file.write(line[: len(line) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    append(file, event)

EventFile.append = append_or_die
watch_into(Path({path!r}), Loudness().fit())
"""


@pytest.mark.posix
def test_killed_and_started_again(detector, tmp_path):
    """Killed amid a line, with the lock still held."""
    path = tmp_path / "events.jsonl"
    script = KILLED.format(tests=os.path.dirname(__file__), path=str(path))
    process = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert path.read_bytes().count(b"\n") == 4
    assert watch_into(path, detector) == watch_into(tmp_path / "whole.jsonl", detector)


def write_clip(path, level, mtime=0.0):
    soundfile.write(path, np.full(100, level), RATE)
    os.utime(path, (mtime, mtime))


class Script:
    """Stands in for time.sleep: what happens in a folder between two looks."""

    def __init__(self, *steps):
        self.steps = list(steps)

    def __call__(self, seconds):
        if not self.steps:
            raise Stopped
        self.steps.pop(0)()


def watch(monitor, folder, *steps, **parameters):
    events = []
    try:
        for event in monitor.watch(folder, wait=Script(*steps), **parameters):
            events.append(event)
    except Stopped:
        pass
    return events


def nothing():
    pass


def test_folder_in_the_order_of_arrival(detector, tmp_path):
    monitor = small_monitor(detector, alarm="2 of 3")
    write_clip(tmp_path / "b.wav", 0.9, 1)
    write_clip(tmp_path / "a.wav", 0.2, 2)
    for name in ("notes.txt", ".hidden.wav", "half.wav.part"):
        (tmp_path / name).write_text("no clip")
    (tmp_path / "folder.wav").mkdir()
    growing = tmp_path / "growing.wav"

    def arrive_and_grow():
        write_clip(tmp_path / "0.flac", 0.8, 0.5)
        write_clip(growing, 0.3, 0.1)

    def grow_on():
        growing.write_bytes(growing.read_bytes() + b"\0\0")
        os.utime(growing, (0.1, 0.1))

    def finish():
        write_clip(growing, 0.7, 0.1)

    events = watch(monitor, tmp_path, nothing, arrive_and_grow, grow_on, finish, *[nothing] * 3)
    assert [event.clip.name for event in events] == ["b.wav", "a.wav", "0.flac", "growing.wav"]
    scores = [event.anomaly_score for event in events]
    assert scores == pytest.approx([0.9, 0.2, 0.8, 0.7], abs=1e-4)
    assert [event.window for event in events] == [0, 1, 2, 3]
    assert [event.alarm_change for event in events] == [None, None, "raised", None]
    assert events[0].clip == ("b.wav", (tmp_path / "b.wav").stat().st_size, 10**9)
    assert events[0].start is events[0].end is None


def test_folder_goes_on_where_it_was(detector, tmp_path):
    monitor = small_monitor(detector, alarm="2 of 2")
    for i, level in enumerate((0.9, 0.8, 0.1, 0.2)):
        write_clip(tmp_path / f"{i}.wav", level, i)
    events = watch(monitor, tmp_path, nothing)
    held = [MonitorEvent.from_json(event.to_json()) for event in events[:3]]
    assert held == events[:3]
    assert watch(monitor, tmp_path, nothing, nothing, after=held) == events[3:]
    write_clip(tmp_path / "0.wav", 0.4, 9)
    again = watch(monitor, tmp_path, nothing, after=events)
    assert [(event.window, event.clip.name) for event in again] == [(4, "0.wav")]


def test_folder_of_broken_clips(detector, tmp_path):
    """One that cannot be read, one that vanishes and comes back, one that changes meanwhile."""
    monitor = small_monitor(detector)
    broken, gone, changing = (tmp_path / f"{name}.wav" for name in ("broken", "gone", "changing"))
    broken.write_bytes(b"no sound")
    os.utime(broken, (1, 1))
    write_clip(gone, 0.2, 2)
    write_clip(changing, 0.3, 3)
    score = detector.score_samples

    def score_slowly(X):
        scores = score(X)
        if X[0] == str(changing) and changing.stat().st_mtime == 3:
            write_clip(changing, 0.6, 4)
        return scores

    detector.score_samples = score_slowly
    come_back = [lambda: write_clip(gone, 0.2, 2), nothing]
    events = watch(monitor, tmp_path, gone.unlink, *come_back, nothing)
    names = ["broken.wav", "gone.wav", "changing.wav", "gone.wav", "changing.wav"]
    assert [event.clip.name for event in events] == names
    errors = [event.error for event in events[:3]]
    assert "broken.wav: cannot be read" in errors[0]
    assert errors[1:] == [
        "it vanished before it was read",
        "it changed while it was read, and is scored once it stays the same",
    ]
    scores = {event.clip.name: event.anomaly_score for event in events[3:]}
    assert scores == pytest.approx({"gone.wav": 0.2, "changing.wav": 0.6}, abs=1e-4)
    assert watch(monitor, tmp_path, nothing, nothing, after=events) == []


def test_folder_once(detector, tmp_path):
    for name in ("a", "b"):
        write_clip(tmp_path / f"{name}.wav", 0.2)
    arrive = [lambda: write_clip(tmp_path / "late.wav", 0.3)]
    events = watch(small_monitor(detector), tmp_path, *arrive, once=True)
    assert [event.clip.name for event in events] == ["a.wav", "b.wav"]
    with pytest.raises(OSError, match="nowhere"):
        list(small_monitor(detector).watch(tmp_path / "nowhere"))


def test_long_file_that_is_truncated(tmp_path):
    sound = np.random.default_rng(0).uniform(-1, 1, 5000).astype(np.float32)
    path = tmp_path / "night.wav"
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    path.write_bytes(path.read_bytes()[:-8000])
    blocks = read_blocks(str(path), n_samples=1000)
    assert sum(len(next(blocks)) for _ in range(3)) == 3000
    with pytest.raises(skasd.AudioError, match=r"is truncated: it ends after 0\.188 s"):
        next(blocks)


def test_stopping_ends_what_waits_and_not_what_works():
    before = signal.getsignal(signal.SIGTERM)
    with Stopping() as stopping:
        signal.raise_signal(signal.SIGTERM)
        assert stopping.requested
        assert signal.getsignal(signal.SIGTERM) == before
        with pytest.raises(Stopped):
            next(stopping.each([1]))
    with Stopping() as stopping, pytest.raises(Stopped):
        stopping.wait(signal.raise_signal(signal.SIGINT))
    with Stopping() as stopping, pytest.raises(Stopped):
        list(stopping.each(signal.raise_signal(signal.SIGTERM) for _ in range(1)))


@pytest.fixture(scope="module")
def model(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "fan.skasd"
    skasd.save(fitted[0], path)
    return str(path)


@pytest.fixture(scope="module")
def sound(fitted):
    """Return six windows of a quarter of a second, the last four of them loud."""
    _, clips = fitted
    return np.concatenate([*clips[:2] / 2, *clips[:4] * 3]).clip(-1, 1)


def shell(model, *arguments, stdin=None):
    arguments = ["monitor", model, *map(str, arguments), "--clip-seconds", "0.25"]
    return CliRunner().invoke(app, arguments, input=stdin)


def test_command_line_says_what_python_says(fitted, model, sound, tmp_path):
    """From a file and from standard input; a recording of another rate is resampled."""
    pcm = (sound * 2**15).clip(-(2**15), 2**15 - 1).astype("<i2")
    monitor = Monitor(fitted[0], clip_seconds=0.25)
    lines = [event.to_json() for event in monitor.stream([pcm])]
    path = tmp_path / "night.wav"
    soundfile.write(path, pcm, RATE)
    for arguments in ((path,), ("-",)):
        shown = shell(model, *arguments, stdin=pcm.tobytes())
        assert shown.exit_code == 0, shown.stderr
        assert shown.stdout.splitlines() == lines
        assert shown.stderr.splitlines() == ["alarm raised: window 4"]
    soundfile.write(path, soxr.resample(sound, RATE, 44100), 44100, subtype="FLOAT")
    shown = shell(model, path, "--timestamps", "--fail-on-alarm")
    assert shown.exit_code == 1
    events = [MonitorEvent.from_json(line) for line in shown.stdout.splitlines()]
    expected = [MonitorEvent.from_json(line).anomaly_score for line in lines]
    assert [event.anomaly_score for event in events] == pytest.approx(expected, abs=0.5)
    assert '"time": "20' in shown.stdout


def test_command_line_goes_on(model, sound, tmp_path):
    pcm, path = sound.astype("<f4").tobytes(), tmp_path / "events.jsonl"
    arguments = ("-", "--format", "f32le", "--events", path)
    assert shell(model, *arguments, "--fail-on-anomaly", stdin=pcm[:32100]).exit_code == 0
    assert shell(model, *arguments, "--fail-on-anomaly", stdin=pcm[32000:]).exit_code == 1
    live = path.read_bytes()
    assert live.count(b"\n") == 7
    path.write_bytes(live[:-200])
    shown = shell(model, *arguments, "--replay", stdin=pcm)
    assert shown.stdout == ""
    assert path.read_bytes() == live
    shown = shell(model, *arguments, "--rate", "8000", stdin=pcm)
    assert shown.exit_code == 2
    assert "rate was 16000, but is now 8000" in shown.stderr
    assert path.read_bytes() == live


def test_command_line_of_a_folder(model, fitted, tmp_path):
    for i, clip in enumerate(fitted[1][:2] / 2):
        soundfile.write(tmp_path / f"{i}.wav", clip, RATE)
    (tmp_path / "2.wav").touch()
    arguments = (tmp_path, "--once", "--poll", "0.01", "--events", tmp_path / "events.jsonl")
    shown = shell(model, *arguments)
    assert shown.exit_code == 3
    assert "not scored: 2.wav: " in shown.stderr
    assert "is an empty file" in shown.stderr
    events = (tmp_path / "events.jsonl").read_bytes()
    assert events.count(b"\n") == 4
    assert shell(model, *arguments).exit_code == 0
    assert (tmp_path / "events.jsonl").read_bytes() == events


def test_command_line_goes_on_past_what_is_broken(model, sound, tmp_path):
    broken = np.where(np.arange(len(sound)) == 5000, np.nan, sound).astype("<f4")
    shown = shell(model, "-", "--format", "f32le", stdin=broken.tobytes())
    assert shown.exit_code == 3
    assert shown.stderr.startswith("not scored: window 1: holds 1 NaN or infinite samples")
    path = tmp_path / "night.wav"
    soundfile.write(path, sound, RATE)
    path.write_bytes(path.read_bytes()[:-9000])
    shown = shell(model, path)
    assert shown.exit_code == 3
    assert len(shown.stdout.splitlines()) == 4
    assert "is truncated" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.wav"], "nowhere.wav: cannot be read"),
        (["-", "--alarm", "5 of 3"], "alarm='5 of 3'"),
        (["-", "--hop-seconds", "0"], "'hop_seconds' parameter"),
        (["-", "--events", "."], "skasd monitor: "),
        (["-", "--format", "s20le"], "format 's20le': expected one of u8, s16le"),
    ],
)
def test_wrong_usage(model, arguments, message):
    shown = shell(model, *arguments, stdin=b"")
    assert shown.exit_code == 2
    assert message in shown.stderr


def test_model_that_is_none(tmp_path):
    (tmp_path / "fan.skasd").write_bytes(b"no model")
    shown = shell(str(tmp_path / "fan.skasd"), "-", stdin=b"")
    assert shown.exit_code == 2
    assert "fan.skasd" in shown.stderr


@pytest.mark.posix
def test_asked_to_stop(model, sound):
    """It ends while it waits for the third window, and says that all went well."""
    command = [sys.executable, "-c", "from skasd.cli import app; app()"]
    process = subprocess.Popen(
        [*command, "monitor", model, "-", "--clip-seconds", "0.25", "--format", "f32le"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(sound[:9000].astype("<f4").tobytes())
    process.stdin.flush()
    lines = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    # Its input stays open: only the signal can have ended it.
    assert process.wait(timeout=60) == 0
    assert process.stdout.read() == process.stderr.read() == b""
    assert [MonitorEvent.from_json(line).window for line in lines] == [0, 1]
    process.stdin.close()
