"""Files from strangers, and damaged ones: recordings, weights, caches, archives, results, events.

`ATTACKS` maps each attack to its tests, by name. Memory and time are limited in child processes.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline

import skasd
from skasd.audio import AudioError, check_clips, check_recordings, read_clip

ATTACKS = {
    "a recording of a day in a file of a few MB": [
        "test_long_recording_is_refused",
        "test_bomb_takes_no_memory",
        "test_folder_goes_on_after_a_bomb",
    ],
    "a low sample rate, of which resampling makes hundreds of times as much": [
        "test_bomb_takes_no_memory",
        "test_long_array_is_refused",
    ],
    "short sound of very many channels, or at a very high rate": [
        "test_short_but_huge_recording_is_refused",
    ],
}
"""Attack → the tests that it fails."""


def test_attacks_are_tested():
    tests = {name for name in globals() if name.startswith("test_")}
    named = {name for names in ATTACKS.values() for name in names}
    assert named <= tests
    assert tests - named == {"test_attacks_are_tested"}


LIMITED = """
import resource, sys
with open("/proc/self/statm") as statm:
    held = int(statm.read().split()[0]) * resource.getpagesize()
limit = held + {megabytes} * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""


def run_limited(imports, code, *arguments, megabytes=300):
    """Run code in a child that may take so much more memory than its imports took."""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("this system does not say how much memory a process has")
    script = imports + LIMITED.format(megabytes=megabytes) + code
    process = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


FORMATS = {
    "wav": {},
    "wav_50_hz": {"samplerate": 50},
    "adpcm.wav": {"format": "WAV", "subtype": "IMA_ADPCM"},
    "rf64": {"format": "RF64", "subtype": "PCM_16"},
    "w64": {"format": "W64"},
    "aiff": {"format": "AIFF"},
    "au": {"format": "AU"},
    "caf": {"format": "CAF"},
    "flac": {"format": "FLAC"},
    "ogg": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {"format": "MP3"},
}


@pytest.mark.parametrize("kind", FORMATS)
def test_long_recording_is_refused(tmp_path, kind):
    """Whatever declares the length: a header, the last page, or each frame."""
    path = tmp_path / "long"
    settings = {"samplerate": 16000, "format": "WAV", **FORMATS[kind]}
    rate = settings.pop("samplerate")
    soundfile.write(path, np.zeros(3 * rate), rate, **settings)
    (clip,) = check_clips([path])
    assert abs(len(read_clip(clip, sample_rate=16000, max_seconds=3.2)) - 48000) < 2400
    with pytest.raises(AudioError, match=r"is too long: it lasts .* s or more.*max_seconds"):
        read_clip(clip, sample_rate=16000, max_seconds=2.5)
    content = path.read_bytes()
    for embedded in ({"bytes": content, "path": None}, {"bytes": content[: len(content) // 2]}):
        (clip,) = check_clips([embedded])
        with pytest.raises(AudioError, match="is too long|is truncated|cannot be read|is damaged"):
            read_clip(clip, sample_rate=16000, max_seconds=2.5)


def test_long_array_is_refused():
    (clip,) = check_clips([(50, np.zeros((200_000, 1), np.int16))])
    with pytest.raises(AudioError, match="it lasts 4000 s or more, and a clip may last 3600 s"):
        read_clip(clip, sample_rate=16000)
    assert len(read_clip(clip, sample_rate=50, max_seconds=None)) == 200_000


def test_short_but_huge_recording_is_refused(tmp_path):
    path = tmp_path / "huge.wav"
    # A sparse file: 0.4 s at ten million samples a second, of 100 channels.
    soundfile.write(path, np.zeros((1, 100)), 10_000_000, subtype="PCM_U8")
    size = 400_000_000
    with open(path, "r+b") as file:
        header = bytearray(file.read(200))
        data = header.rindex(b"data")
        header[4:8] = (size + data).to_bytes(4, "little")
        header[data + 4 : data + 8] = size.to_bytes(4, "little")
        file.seek(0)
        file.write(header[: data + 8])
        file.truncate(data + 8 + size)
    (clip,) = check_clips([path])
    with pytest.raises(AudioError, match=r"is too large: it has 4000000 samples .* 100 channels"):
        read_clip(clip, sample_rate=16000)


READ = """
for path in sys.argv[1:]:
    try:
        read_clip(*check_clips([path]), sample_rate=16000)
    except AudioError as error:
        print(error.problem)
"""


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    """Return 24 hours in a FLAC file, and 20 hours at 50 Hz in a WAV file."""
    folder = tmp_path_factory.mktemp("bombs")
    with soundfile.SoundFile(folder / "day.flac", "w", 1000, 1) as file:
        for _ in range(24):
            file.write(np.zeros(3600 * 1000, np.int16))
    soundfile.write(folder / "slow.wav", np.zeros(20 * 3600 * 50, np.int16), 50)
    return folder


def test_bomb_takes_no_memory(bombs):
    imports = "import soundfile, soxr\nfrom skasd.audio import AudioError, check_clips, read_clip\n"
    printed = run_limited(imports, READ, *sorted(bombs.iterdir()), megabytes=100)
    assert [re.search(r"it lasts (\d+) s", line)[1] for line in printed.splitlines()] == [
        "86400",
        "72000",
    ]


@pytest.mark.filterwarnings("ignore::skasd.exceptions.CalibrationWarning")
def test_folder_goes_on_after_a_bomb(bombs):
    """A monitor of a folder reports an event, and a look at recordings a finding."""
    clips = np.random.default_rng(0).normal(0, 0.1, size=(6, 16000))
    detector = make_pipeline(
        skasd.LogMelSpectrogram(n_mels=8), skasd.TimeWeightedPooling(), skasd.FeatureDetector()
    ).fit(clips)
    paths = sorted(bombs.iterdir())
    events = list(skasd.Monitor(detector).watch(bombs, once=True, wait=lambda seconds: None))
    assert [event.clip.name for event in events] == [path.name for path in paths]
    assert all("is too long" in event.error for event in events)
    report = check_recordings([*map(str, paths), *clips])
    assert report.unread == [str(path) for path in paths]
