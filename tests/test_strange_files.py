"""Files from strangers, and damaged ones: recordings, weights, caches, archives, results, events.

`ATTACKS` maps each attack to its tests, by name. Memory and time are limited in child processes.
"""

import gzip
import hashlib
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline

import skasd
from skasd.audio import AudioError, check_clips, check_recordings, read_clip
from skasd.exceptions import WeightsError
from skasd.features.openl3 import _weights as weights_module
from skasd.features.openl3._cache import EmbeddingCache
from skasd.features.openl3._network import expected_shapes
from skasd.features.openl3._weights import read_weights

GOLDEN = Path(__file__).parent / "data" / "openl3_audio_mel128_golden.h5.gz"

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
    "weights elsewhere than in their file": ["test_strange_weights_are_refused"],
    "weights that unpack, or are filled, to terabytes": [
        "test_strange_weights_are_refused",
        "test_weights_that_unpack_without_end_are_refused",
    ],
    "weights that keep HDF5's reader busy for ever": [
        "test_unknown_weights_are_read_in_a_child",
        "test_weights_that_keep_their_reader_busy_are_refused",
        "test_reader_that_spins_is_ended",
    ],
    "NaN, infinity or text for a weight": ["test_strange_weights_are_refused"],
    "a damaged or forged entry of the cache of embeddings": [
        "test_cache_entry_that_cannot_be_right_is_computed_anew",
        "test_cache_entry_that_is_a_pipe_is_not_waited_for",
        "test_cache_is_its_owners_alone",
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


@pytest.fixture(scope="module")
def golden():
    return gzip.decompress(GOLDEN.read_bytes())


def first_array(file):
    """Return the group and the name of the first convolution's bias, and its numbers."""
    layer = next(name for name in file.attrs["layer_names"] if name.startswith("conv2d"))
    name = next(name for name in file[layer].attrs["weight_names"] if "bias" in name)
    return file[layer], name, file[layer][name][()]


def replace_by(**settings):
    def replace(file, folder):
        group, name, array = first_array(file)
        (folder / "secret").write_bytes(array.tobytes())
        del group[name]
        each = {key: value(array, folder) if callable(value) else value
                for key, value in settings.items()}
        group.create_dataset(name, **{"shape": array.shape, "dtype": "f4", **each})

    return replace


def link_elsewhere(make):
    def link(file, folder):
        group, name, array = first_array(file)
        with h5py.File(folder / "other.h5", "w") as other:
            other["x"] = array
        group["spare"] = array
        del group[name]
        make(group, name, str(folder / "other.h5"), array.shape)

    return link


def link_out(group, name, other, shape):
    group[name] = h5py.ExternalLink(other, "x")


def link_within(group, name, other, shape):
    group[name] = h5py.SoftLink(group.name + "/spare")


def link_virtually(group, name, other, shape):
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource(other, "x", shape)
    group.create_virtual_dataset(name, layout)


def set_names(value):
    def replace(file, folder):
        file.attrs["layer_names"] = value

    return replace


def set_number(number, parameter="bias"):
    def replace(file, folder):
        def put(name, item):
            if isinstance(item, h5py.Dataset) and parameter in name:
                item[(0,) * item.ndim] = number

        file.visititems(put)

    return replace


STRANGE_WEIGHTS = {
    "external storage": (
        replace_by(external=lambda array, folder: [(str(folder / "secret"), 0, array.nbytes)]),
        "not in the file",
    ),
    "link to another file": (link_elsewhere(link_out), "link to somewhere else"),
    "link within the file": (link_elsewhere(link_within), "link to somewhere else"),
    "virtual dataset": (link_elsewhere(link_virtually), "packed, or in several places"),
    "gzip": (
        replace_by(compression="gzip", data=lambda array, folder: array),
        "packed, or in several places",
    ),
    "fill value": (replace_by(fillvalue=1.0), "not in the file"),
    "fill value of a terabyte": (replace_by(shape=(2**38,)), r"of shape \(274877906944,\)"),
    "complex": (
        replace_by(dtype="c8", data=lambda array, folder: array.astype("c8")),
        "of dtype complex64",
    ),
    "text": (replace_by(dtype="S4", data=lambda array, folder: array.astype("S4")), "of dtype"),
    "names are numbers": (set_names([1, 2]), "are no names"),
    "names of another encoding": (set_names(np.array([b"conv2d\xff"])), "codec can't decode"),
    "names in a table": (set_names(np.array([[b"conv2d"]])), r"are of shape \(1, 1\)"),
    "very many names": (set_names(np.array([b"conv2d"] * 5000)), r"are of shape \(5000,\)"),
    "a single name": (set_names("conv2d"), r"are of shape \(\)"),
    "no names": (lambda file, folder: file.attrs.__delitem__("layer_names"), "layer_names"),
    "NaN": (set_number(np.nan), "NaN or infinity"),
    "infinity": (set_number(-np.inf, "kernel"), "NaN or infinity"),
    "a variance below 0": (set_number(-1, "moving_variance"), "no variance is below 0"),
}


@pytest.mark.parametrize("kind", STRANGE_WEIGHTS)
def test_strange_weights_are_refused(tmp_path, golden, monkeypatch, kind):
    """Storage and links out of the file, bombs, numbers that no weight can be, odd names."""
    monkeypatch.setattr(weights_module, "_read_in_a_child", weights_module.read_arrays)
    change, message = STRANGE_WEIGHTS[kind]
    path = tmp_path / "strange.h5"
    path.write_bytes(golden)
    with h5py.File(path, "r+") as file:
        change(file, tmp_path)
    with pytest.raises(WeightsError, match=f"cannot be read as OpenL3's weights: .*{message}"):
        read_weights(path)


def test_unknown_weights_are_read_in_a_child(tmp_path, golden):
    """As before: those of another version or of a user, packed or not."""
    path = tmp_path / "mine.h5"
    path.write_bytes(golden)
    weights = read_weights(path)
    assert {name: array.shape for name, array in weights.items()} == expected_shapes()
    expected = weights_module.read_arrays(GOLDEN.read_bytes(), expected_shapes())
    for name, array in weights.items():
        np.testing.assert_array_equal(array, expected[name])
    path.write_bytes(golden[:2000] + bytes(3000) + golden[5000:])
    with pytest.raises(WeightsError, match="cannot be read as OpenL3's weights"):
        read_weights(path)


@pytest.mark.posix
def test_weights_that_keep_their_reader_busy_are_refused(tmp_path, golden, monkeypatch):
    """A part of a table is zeros, and HDF5's reader goes round in it."""
    monkeypatch.setattr(weights_module, "MOST_SECONDS", 1)
    path = tmp_path / "busy.h5"
    path.write_bytes(golden[:5000] + bytes(3000) + golden[8000:])
    with pytest.raises(WeightsError, match="takes more than"):
        read_weights(path)


def test_weights_that_unpack_without_end_are_refused(tmp_path):
    path = tmp_path / "bomb.h5.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(65):
            file.write(bytes(2**20))
    with pytest.raises(WeightsError, match="it is larger than 64 MiB"):
        read_weights(path)


def test_reader_that_spins_is_ended(tmp_path, monkeypatch):
    """HDF5's reader runs in circles in some damaged files: here, a program that always does."""
    program = tmp_path / "spin.py"
    program.write_text("while True: pass")
    monkeypatch.setattr(weights_module._weights_file, "__file__", str(program))
    monkeypatch.setattr(weights_module, "MOST_SECONDS", 0.05)
    with pytest.raises(WeightsError, match="it takes more than"):
        read_weights(GOLDEN)


class Counted:
    """Computes embeddings, and counts how often."""

    def __init__(self):
        self.n_computed = 0

    def __call__(self):
        self.n_computed += 1
        return np.arange(6, dtype=np.float32).reshape(2, 3)


def entry_of(numbers, path):
    numbers = np.asarray(numbers, "<f4").tobytes()
    return hashlib.sha256(path.stem.encode() + numbers).digest() + numbers


WRONG_ENTRIES = {
    "nothing": lambda path: b"",
    "a flipped bit": lambda path: path.read_bytes()[:-1] + b"\x01",
    "a flipped bit of the digest": lambda path: b"\x01" + path.read_bytes()[1:],
    "another shape": lambda path: entry_of(range(9), path),
    "NaN": lambda path: entry_of([0, 1, np.nan, 3, 4, 5], path),
    "infinity": lambda path: entry_of([0, 1, np.inf, 3, 4, 5], path),
    "that of another clip": lambda path: entry_of(range(6), Path("another.f32")),
    "zip": lambda path: b"PK\x03\x04" + bytes(52),
}


@pytest.mark.parametrize("kind", WRONG_ENTRIES)
def test_cache_entry_that_cannot_be_right_is_computed_anew(tmp_path, kind):
    cache, compute, samples = EmbeddingCache(tmp_path / "cache"), Counted(), np.zeros(5, np.float32)
    cache.fetch(samples, (), (2, 3), compute)
    (path,) = tmp_path.rglob("*.f32")
    path.write_bytes(WRONG_ENTRIES[kind](path))
    for _ in range(2):
        embeddings = cache.fetch(samples, (), (2, 3), compute)
        np.testing.assert_array_equal(embeddings, [[0, 1, 2], [3, 4, 5]])
    assert compute.n_computed == 2


@pytest.mark.posix
def test_cache_entry_that_is_a_pipe_is_not_waited_for(tmp_path):
    cache, compute, samples = EmbeddingCache(tmp_path), Counted(), np.zeros(5, np.float32)
    cache.fetch(samples, (), (2, 3), compute)
    (path,) = tmp_path.rglob("*.f32")
    path.unlink()
    os.mkfifo(path)
    cache.fetch(samples, (), (2, 3), compute)
    assert compute.n_computed == 2
    assert path.is_file()


@pytest.mark.posix
def test_cache_is_its_owners_alone(tmp_path):
    EmbeddingCache(tmp_path / "cache").fetch(np.zeros(5), (), (2, 3), Counted())
    folders = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert len(folders) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
