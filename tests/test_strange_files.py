"""Files from strangers, and damaged ones: recordings, weights, caches, archives, results, events.

Memory and time are limited in child processes.
"""

import gzip
import hashlib
import io
import json
import os
import re
import stat
import struct
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
from limited import run_limited
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

import skasd
from skasd._utils.download import DownloadError, download, md5
from skasd.audio import AudioError, check_clips, check_recordings, read_clip
from skasd.challenge._machine_task import MachineTask
from skasd.challenge._results import claim
from skasd.cli import app
from skasd.datasets import _archives as archives
from skasd.datasets import fetch_dcase2020, load_dcase2020
from skasd.exceptions import DatasetError, EvaluationError, EventFileError, WeightsError
from skasd.features._embedding_cache import EmbeddingCache
from skasd.features.openl3 import _weights as weights_module
from skasd.features.openl3._network import expected_shapes
from skasd.features.openl3._weights import read_weights
from skasd.monitoring import EventFile, MonitorEvent

GOLDEN = Path(__file__).parent / "data" / "openl3_audio_mel128_golden.h5.gz"

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
        with pytest.raises(AudioError, match=r"is too long|is truncated|cannot be read|is damaged"):
            read_clip(clip, sample_rate=16000, max_seconds=2.5)


def test_long_array_is_refused():
    (clip,) = check_clips([(50, np.zeros((200_000, 1), np.int16))])
    with pytest.raises(AudioError, match="it lasts 4000 s or more, and a clip may last 3600 s"):
        read_clip(clip, sample_rate=16000)
    assert len(read_clip(clip, sample_rate=50, max_seconds=None)) == 200_000


def sparse_wav(path, seconds):
    """Write a file of zeros that takes no disk: ten million samples a second, of 8 bits."""
    soundfile.write(path, np.zeros(1), 10_000_000, subtype="PCM_U8")
    size = int(10_000_000 * seconds)
    with open(path, "r+b") as file:
        header = bytearray(file.read())
        data = header.rindex(b"data")
        header[4:8] = (size + data).to_bytes(4, "little")
        header[data + 4 : data + 8] = size.to_bytes(4, "little")
        file.seek(0)
        file.write(header[: data + 8])
        file.truncate(data + 8 + size)


def test_short_but_huge_recording_is_refused(tmp_path):
    sparse_wav(tmp_path / "huge.wav", seconds=40)
    (clip,) = check_clips([tmp_path / "huge.wav"])
    with pytest.raises(AudioError, match="is too large: 400000000 samples or more at 10000000 Hz"):
        read_clip(clip, sample_rate=16000)


IMPORTS = "import soundfile, soxr\nfrom skasd.audio import AudioError, check_clips, read_clip\n"


def test_channels_are_mixed_as_they_are_read(tmp_path):
    """A minute of 100 channels takes no more memory than one channel and a block."""
    soundfile.write(tmp_path / "wide.wav", np.zeros((60 * 8000, 100), np.int16), 8000)
    code = "print(len(read_clip(*check_clips(sys.argv[1:]), sample_rate=8000)))"
    printed = run_limited(IMPORTS, code, tmp_path / "wide.wav", megabytes=150)
    assert int(printed) == 480000


def test_header_that_declares_gigabytes_takes_none(tmp_path):
    """An AIFF file whose properties come last, and are said to be 4 GB long."""
    path = tmp_path / "sound.aiff"
    soundfile.write(path, np.zeros(3000, np.int16), 16000, format="AIFF")
    content = path.read_bytes()
    properties = content[20:38]
    assert content[12:20] == b"COMM" + struct.pack(">I", len(properties))
    # Another number of samples than there is, so that the file is repaired as it is read.
    properties = properties[:2] + struct.pack(">I", 10) + properties[6:]
    changed = b"AIFF" + content[38:] + b"COMM" + struct.pack(">I", 0xF0000000) + properties
    path.write_bytes(b"FORM" + struct.pack(">I", len(changed)) + changed)
    code = "print(len(read_clip(*check_clips(sys.argv[1:]), sample_rate=16000)))"
    assert int(run_limited(IMPORTS, code, path)) == 3000


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
    printed = run_limited(IMPORTS, READ, *sorted(bombs.iterdir()), megabytes=100)
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
        each = {
            key: value(array, folder) if callable(value) else value
            for key, value in settings.items()
        }
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


def link_layer_out(group, name, other, shape):
    layer, file = group.name, group.file
    del file[layer]
    file[layer] = h5py.ExternalLink(other, "/")


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
    "a layer in another file": (link_elsewhere(link_layer_out), "link to somewhere else"),
    "link within the file": (link_elsewhere(link_within), "link to somewhere else"),
    "virtual dataset": (link_elsewhere(link_virtually), "compressed or split"),
    "gzip": (
        replace_by(compression="gzip", data=lambda array, folder: array),
        "compressed or split",
    ),
    "fill value": (replace_by(fillvalue=1.0), "not in the file"),
    "fill value of a terabyte": (replace_by(shape=(2**38,)), r"has shape \(274877906944,\)"),
    "complex": (
        replace_by(dtype="c8", data=lambda array, folder: array.astype("c8")),
        "have dtype complex64",
    ),
    "text": (replace_by(dtype="S4", data=lambda array, folder: array.astype("S4")), "have dtype"),
    "names are numbers": (set_names([1, 2]), "are not names"),
    "names of another encoding": (set_names(np.array([b"conv2d\xff"])), "codec can't decode"),
    "names in a table": (set_names(np.array([[b"conv2d"]])), r"have shape \(1, 1\)"),
    "very many names": (set_names(np.array([b"conv2d"] * 5000)), r"have shape \(5000,\)"),
    "a single name": (set_names("conv2d"), r"have shape \(\)"),
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


def zip_of(*members, **settings):
    file = io.BytesIO()
    with (
        warnings.catch_warnings(action="ignore"),
        zipfile.ZipFile(file, "w", **settings) as archive,
    ):
        for name in members:
            archive.writestr(name, b"" if name.endswith("/") else b"sound")
    return file.getvalue()


def bomb():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fan/train/zeros.wav", bytes(2**24))
    return file.getvalue()


def with_flag(content, place, value):
    """Change a member's own header and the one in the directory."""
    changed = bytearray(content)
    changed[content.index(b"PK\3\4") + 4 + place] = value
    changed[content.index(b"PK\1\2") + 6 + place] = value
    return bytes(changed)


STRANGE_ARCHIVES = {
    "bomb": (bomb(), r"its \d+ bytes would become 16777216"),
    "file and folder": (zip_of("fan/a", "fan/a/b.wav"), "in a folder that is a file"),
    "folder and file": (zip_of("fan/a/b.wav", "fan/a"), "there twice"),
    "the same twice": (zip_of("fan/a.wav", "fan/A.WAV"), "there twice"),
    "name of 300 characters": (zip_of("fan/" + 300 * "x"), "of a name that no file can have"),
    "name of 300 bytes": (zip_of("fan/" + 150 * "ü"), "of a name that no file can have"),
    "very deep": (zip_of(600 * "a/" + "b.wav"), "of a name that no file can have"),
    "encrypted": (with_flag(zip_of("fan/a.wav"), 2, 1), "encrypted, or packed in another way"),
    "unknown method": (with_flag(zip_of("fan/a.wav"), 4, 99), "packed in another way"),
    "lzma": (zip_of("fan/a.wav", compression=zipfile.ZIP_LZMA), "packed in another way"),
    "name that is no text": (
        with_flag(zip_of("fan/ü.wav"), 2, 0).replace("ü".encode(), b"\xff\xff"),
        "is not a complete archive",
    ),
    "nothing": (zip_of(), "it has 0 members"),
}


@pytest.mark.parametrize("kind", STRANGE_ARCHIVES)
def test_strange_archive_is_refused(tmp_path, monkeypatch, kind):
    """Whatever was published under this digest: it is refused whole, in our words."""
    content, message = STRANGE_ARCHIVES[kind]
    monkeypatch.setattr(archives, "download", lambda url, path, **kw: path.write_bytes(content))
    (tmp_path / "dev" / ".fan.part").mkdir(parents=True)
    with pytest.raises(DatasetError, match=message) as caught:
        fetch_dcase2020("fan", data_home=tmp_path)
    assert "Nothing was kept" in caught.value.remedy
    assert {path.name for path in tmp_path.rglob("*")} <= {"dev", ".fan.lock"}


def test_download_without_end_is_refused(tmp_path, monkeypatch):
    def send(url, file, pooch):
        while True:
            file.write(bytes(2**16))

    monkeypatch.setattr("pooch.HTTPDownloader", lambda **settings: send)
    with pytest.raises(DownloadError, match="it has more than 1000000 bytes"):
        download("url", tmp_path / "file", digest=md5, expected="", most_bytes=1_000_000)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def task(tmp_path):
    """Return a machine whose evaluation is finished: one clip failed, the others rank rightly."""
    for name in ("train/normal_id_00_00000000.wav", *(f"test/{each}" for each in TEST_CLIPS)):
        (tmp_path / "fan" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fan" / name).write_bytes(b"sound")
    train, test = (load_dcase2020(tmp_path, "fan", "00", split) for split in ("train", "test"))
    out = tmp_path / "out"
    (out / "finished").mkdir(parents=True)
    task = MachineTask(2020, "fan", train, {"00": test}, None, out)
    failed = {f"elsewhere/fan/test/{TEST_CLIPS[0]}": "is empty"}
    record = {"clips": task.fingerprint(), "failed_clips": failed}
    task.finished_file.write_text(json.dumps(record))
    scores = [f"{name},{int('anomaly' in name)}.0\n" for name in TEST_CLIPS[1:]]
    task.score_file("fan_id_00").write_text("".join(scores))
    decisions = "".join(f"{name},0\n" for name in TEST_CLIPS[1:])
    task.decision_file("fan_id_00").write_text(decisions)
    return task


TEST_CLIPS = [f"{kind}_id_00_{i:08}.wav" for kind in ("normal", "anomaly") for i in range(3)]


def test_results_are_paired_by_name(task):
    """As a spreadsheet may sort them."""
    assert task.is_finished()
    for order in (1, -1):
        score_file = task.score_file("fan_id_00")
        lines = sorted(score_file.read_text().splitlines(keepends=True))[::order]
        score_file.write_text("".join(lines))
        assert task.result("00").scores["auc"] == 1.0


LOST = f"{TEST_CLIPS[1]}' is missing"
DAMAGED_RESULTS = {
    "score_file": {
        "lost line": (lambda text: text.partition("\n")[2], LOST),
        "empty": (lambda text: "", "0 instead of 5"),
        "doubled line": (lambda text: text + text.partition("\n")[0], "is one too many"),
        "another clip": (lambda text: text.replace("00000002", "00000009", 1), "is missing"),
        "no number": (lambda text: text.replace(",0.0", ",none", 1), "is damaged: could not"),
        "NaN": (lambda text: text.replace(",0.0", ",nan", 1), "has nan"),
        "infinity": (lambda text: text.replace(",1.0", ",-inf", 1), "has -inf"),
        "one column": (lambda text: text.replace(",", ";"), "is damaged: not enough"),
        "three columns": (lambda text: text.replace("\n", ",7\n"), "is damaged: too many"),
        "NUL": (lambda text: "\0" + text, "holds other clips|is damaged"),
        "a byte order mark": (lambda text: "\ufeff" + text, "missing"),
        "a field without end": (lambda text: '"' + 200_000 * "x" + text, "is damaged: field"),
    },
    "decision_file": {
        "lost line": (lambda text: text.partition("\n")[2], LOST),
        "neither 0 nor 1": (lambda text: text.replace(",0", ",2", 1), "it holds 2"),
    },
    "finished_file": {
        "empty": (lambda text: "", "is damaged"),
        "cut off": (lambda text: text[:-9], "is damaged"),
        "list": (lambda text: f"[{text}]", "not hold a JSON object"),
        "number": (lambda text: 5000 * "1", "is damaged"),
        "nested": (lambda text: 100_000 * "[", "is damaged"),
        "NUL": (lambda text: 100 * "\0", "is damaged"),
        "no clips": (lambda text: text.replace("clips", "Clips", 1), "it lacks clips"),
        "failed clips are a list": (lambda text: re.sub(r"\{(\"else.*)\}\}", "[]}", text), "lacks"),
        "a reason is a number": (lambda text: text.replace('"is empty"', "7"), "it lacks clips"),
        "no failed clips": (lambda text: text.replace("failed", "lost"), "or failed_clips"),
    },
}


@pytest.mark.parametrize(
    ("file", "kind"), [(file, kind) for file in DAMAGED_RESULTS for kind in DAMAGED_RESULTS[file]]
)
def test_damaged_results_are_refused(task, file, kind):
    change, message = DAMAGED_RESULTS[file][kind]
    path = task.finished_file if file == "finished_file" else getattr(task, file)("fan_id_00")
    path.write_text(change(path.read_text()))
    with pytest.raises(EvaluationError, match=message) as caught:
        task.is_finished()
    assert caught.value.what == str(path)
    assert "Delete it and start again" in caught.value.remedy


@pytest.mark.parametrize("content", ["", "{", "[]", "1", 100_000 * "[", "\0\0", "\ufeff{}"])
def test_damaged_settings_are_refused(tmp_path, content):
    (tmp_path / "settings.json").write_text(content, encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"settings\.json: is damaged"):
        claim(tmp_path, {"system": "iae"}, overwrite=False)
    claim(tmp_path, {"system": "iae"}, overwrite=True)
    claim(tmp_path, {"system": "iae"}, overwrite=False)
    (tmp_path / "finished" / "fan_id_00.json").touch()
    with pytest.raises(EvaluationError, match="system was iae, but is now baseline"):
        claim(tmp_path, {"system": "baseline"}, overwrite=False)
    (tmp_path / "settings.json").unlink()
    with pytest.raises(EvaluationError, match=r"settings\.json: is damaged: .*No such file"):
        claim(tmp_path, {"system": "iae"}, overwrite=False)


@pytest.mark.posix
def test_event_file_is_locked_by_any_name(tmp_path):
    path = tmp_path / "events.jsonl"
    (tmp_path / "elsewhere").mkdir()
    hard, soft = tmp_path / "elsewhere" / "hard.jsonl", tmp_path / "soft.jsonl"
    with EventFile(path, {"source": "fan"}):
        hard.hardlink_to(path)
        soft.symlink_to(path)
        content = path.read_bytes()
        for other in (path, hard, soft):
            with (
                pytest.raises(EventFileError, match="another monitor appends to it"),
                EventFile(other, {"source": "fan"}),
            ):
                pass
        assert path.read_bytes() == content
    with EventFile(hard, {"source": "fan"}) as file:
        assert list(file) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "elsewhere",
        "events.jsonl",
        "soft.jsonl",
    ]


HEADER = b'{"skasd_events": 1}\n'
EVENT = MonitorEvent(0, 0, 1, 2.0, 3.0, False, False, None, None).to_json().encode()
CLIP = {"name": "a.wav", "size": 1, "mtime_ns": 1}
CLIP_EVENT = b'{"clip": %b, ' + EVENT[1:]
STRANGE_EVENTS = {
    "nested header": (100_000 * b"[" + b"\n", "is not an event file"),
    "NUL for a header": (b"\0\0\0\n", "is not an event file"),
    "byte order mark": (b"\xef\xbb\xbf" + HEADER, "is not an event file"),
    "UTF-16": (HEADER.decode().encode("utf-16"), "is not an event file"),
    "header of no line": (HEADER[:-1] + b" ", "is not an event file"),
    "header without end": (2 * 2**20 * b" " + HEADER, "is not an event file"),
    "nested line": (HEADER + 100_000 * b'{"window":' + b"\n", "line 2 .* nested too deeply"),
    "nested in an event": (
        HEADER + EVENT[:-1] + b', "more": ' + 100_000 * b"[" + b"\n",
        "line 2 .* nested too deeply",
    ),
    "NUL": (HEADER + b"\0\0\n", "line 2 cannot be read"),
    "byte order mark amid it": (HEADER + b"\xef\xbb\xbf" + EVENT + b"\n", "line 2 cannot be read"),
    "no UTF-8": (HEADER + EVENT.replace(b"null", b'"\xff"', 1) + b"\n", "line 2 cannot be read"),
    "line without end": (HEADER + 2 * 2**20 * b" " + EVENT + b"\n", "line 2 cannot be read"),
    "long number": (HEADER + EVENT.replace(b"3.0", 9999 * b"3") + b"\n", "line 2 cannot be read"),
    "start is text": (HEADER + EVENT.replace(b'"start": 0', b'"start": "0"') + b"\n", "its start"),
    **{
        f"clip whose {name} is a list": (
            HEADER + CLIP_EVENT % json.dumps({**CLIP, name: [1]}).encode() + b"\n",
            rf"its {name} is \[1\]",
        )
        for name in CLIP
    },
}


@pytest.mark.parametrize("kind", STRANGE_EVENTS)
def test_strange_event_file_is_refused(tmp_path, kind):
    content, message = STRANGE_EVENTS[kind]
    path = tmp_path / "events.jsonl"
    path.write_bytes(content)
    with pytest.raises(EventFileError, match=message), EventFile(path, {}) as file:
        list(file)
    assert path.read_bytes() == content


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    clips = np.random.default_rng(0).normal(0, 0.1, size=(10, 16000))
    steps = skasd.LogMelSpectrogram(n_mels=8), skasd.SpectrogramStatistics()
    path = tmp_path_factory.mktemp("model") / "fan.skasd"
    skasd.save(make_pipeline(*steps, skasd.NearestNeighborsDetector()).fit(clips), path)
    return path


def run_skasd(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_strange_event_file_ends_a_monitor_with_2(tmp_path, model):
    events = tmp_path / "events.jsonl"
    (tmp_path / "clips").mkdir()
    arguments = ["monitor", model, tmp_path / "clips", "--once", "--events", events]
    assert run_skasd(*arguments).exit_code == 0
    for line in (100_000 * b"[", b"\0", b"\xef\xbb\xbf{}"):
        events.write_bytes(events.read_bytes().partition(b"\n")[0] + b"\n" + line + b"\n")
        shown = run_skasd(*arguments)
        assert shown.exit_code == 2
        assert "skasd monitor: " in shown.stderr
        assert "line 2 cannot be read" in shown.stderr


@pytest.mark.posix
def test_loop_of_links_is_an_event(tmp_path, model):
    """Alone, by way of another, and through a folder."""
    (tmp_path / "x.wav").symlink_to("x.wav")
    (tmp_path / "y.wav").symlink_to("z.wav")
    (tmp_path / "z.wav").symlink_to("y.wav")
    (tmp_path / "nowhere.wav").symlink_to(tmp_path / "x.wav" / "clip.wav")
    soundfile.write(tmp_path / "clip.wav", np.random.default_rng(1).normal(0, 0.1, 16000), 16000)
    shown = run_skasd("monitor", model, tmp_path, "--once", "--poll", 0.01)
    assert shown.exit_code == 3, shown.stderr
    events = [MonitorEvent.from_json(line) for line in shown.stdout.splitlines()]
    errors = {event.clip.name: event.error for event in events}
    assert errors.pop("clip.wav") is None
    assert errors.keys() == {"x.wav", "y.wav", "z.wav", "nowhere.wav"}
    assert all(errors.values())


@pytest.mark.posix
def test_names_forge_no_lines(tmp_path, model):
    """What a name adds to a line of check and explain stays in that line."""
    sound = np.random.default_rng(1).normal(0, 0.1, 16000)
    bad = tmp_path / "a\nNothing is wrong with them.\n\x1b[31m.wav"
    for path, each in {
        bad: 0 * sound,
        tmp_path / "b.wav": sound,
        tmp_path / "b\r.wav": sound,
    }.items():
        soundfile.write(path, each, 16000)
    escaped = str(bad).replace("\n", "\\n").replace("\x1b", "\\x1b")
    shown = run_skasd("check", tmp_path)
    lines = shown.stdout.splitlines()
    assert [line for line in lines if line.startswith(escaped)]
    assert len([line for line in lines if "\\r.wav" in line and "the same" in line]) == 1
    assert not [line for line in lines if line.startswith("Nothing")]
    shown = run_skasd("explain", model, bad)
    assert len(shown.stdout.splitlines()) == 1, shown.stderr
    assert shown.stdout.startswith(escaped)
    bad.write_bytes(b"")
    for command in (["explain", model, bad], ["check", tmp_path]):
        shown = run_skasd(*command)
        assert shown.exit_code == 3
        assert len(shown.stderr.splitlines()) == 1
