import hashlib
import io
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from skasd.datasets import (
    MACHINES,
    DatasetError,
    fetch_dcase2020,
    load_dcase2020,
    load_dcase2021,
)
from skasd.datasets import _fetch as fetching
from skasd.datasets._dcase import find_machine_ids, find_machines


def make(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def as_lists(clips):
    fields = ("machine_ids", "y", "domains", "attributes")
    return [None if clips[field] is None else clips[field].tolist() for field in fields]


@pytest.mark.parametrize(
    ("machine", "machine_id"),
    [
        ("ToyCar", "04"),
        ("ToyConveyor", "01"),
        ("fan", "06"),
        ("pump", "04"),
        ("slider", "00"),
        ("valve", "02"),
    ],
)
def test_real_test_clips_of_2020(shared_recordings, machine, machine_id):
    clips = load_dcase2020(shared_recordings / "dcase2020", machine, split="test")
    assert as_lists(clips) == [[machine_id] * 6, [-1] * 3 + [1] * 3, None, None]
    assert clips.names == sorted(clips.names)
    folder = shared_recordings / "dcase2020" / machine / "test"
    assert clips.paths == [str(folder / name) for name in clips.names]
    assert find_machine_ids(shared_recordings / "dcase2020", machine) == [machine_id]


def test_real_training_clips_of_2020(shared_recordings):
    root = str(shared_recordings / "dcase2020")
    clips = load_dcase2020(root, "slider", machine_id=0)
    assert clips.y.tolist() == [1] * 75
    assert tuple(find_machines(root)) == MACHINES
    with pytest.raises(DatasetError, match=r"no folder train in .*fan holds test\. Pass as root"):
        load_dcase2020(root, "fan")


@pytest.mark.parametrize(
    ("machine", "attributes"),
    [
        ("fan", {"strength_1_ambient"}),
        ("pump", {"serial_no_000_water"}),
        ("valve", {"pattern_00_air_pump", "pattern_01_air_pump", "pattern_00_no_pump"}),
    ],
)
def test_real_clips_of_2021(shared_recordings, machine, attributes):
    clips = load_dcase2021(shared_recordings / "dcase2021", machine, section=0, domain="source")
    assert as_lists(clips)[:3] == [["00"] * 40, [1] * 40, ["source"] * 40]
    assert attributes <= set(clips.attributes)
    assert find_machines(shared_recordings / "dcase2021") == ["fan", "pump", "valve"]


@pytest.mark.parametrize("folder", ["fan/test", "fan/fan/test"])
@pytest.mark.parametrize(
    ("names", "machine_ids", "y"),
    [
        (["anomaly_id_02_00000001.wav", "normal_id_00_00000000.wav"], ["02", "00"], [-1, 1]),
        (["id_01_00000000.wav", "id_03_00000000.wav"], ["01", "03"], None),
    ],
    ids=["labelled", "evaluation"],
)
def test_names_of_2020(tmp_path, folder, names, machine_ids, y):
    make(tmp_path / folder, *reversed(names), f"._{names[0]}", "readme.txt")
    clips = load_dcase2020(tmp_path, "fan", split="test")
    assert clips.names == names
    assert clips.paths == [str(tmp_path / folder / name) for name in names]
    assert as_lists(clips) == [machine_ids, y, None, None]
    assert find_machine_ids(tmp_path, "fan") == sorted(machine_ids)


@pytest.mark.parametrize("machine_id", [2, "2", "02", "id_02"])
def test_one_machine(tmp_path, machine_id):
    make(tmp_path / "fan" / "train", "normal_id_00_00000000.wav", "normal_id_02_00000000.wav")
    assert load_dcase2020(tmp_path, "fan", machine_id).names == ["normal_id_02_00000000.wav"]


@pytest.mark.parametrize(
    ("folder", "name", "section", "y", "domain", "attributes"),
    [
        ("train", "section_00_source_train_normal_0000_strength_1_ambient.wav",
         "00", 1, "source", "strength_1_ambient"),
        ("train", "section_00_source_train_normal_0000_.wav", "00", 1, "source", ""),
        ("source_test", "section_01_source_test_normal_0001.wav", "01", 1, "source", ""),
        ("target_test", "section_01_target_test_anomaly_0001.wav", "01", -1, "target", ""),
        ("test", "section_00_target_test_anomaly_0003_noAttribute.wav",
         "00", -1, "target", "noAttribute"),
        ("test", "section_00_source_test_anomaly_0002_car_B1_spd_31V_mic_1.wav",
         "00", -1, "source", "car_B1_spd_31V_mic_1"),
        ("source_test", "section_03_source_test_0000.wav", "03", None, "source", ""),
        ("test", "section_01_0000.wav", "01", None, None, ""),
    ],
)  # fmt: skip
def test_names_of_2021_to_2025(tmp_path, folder, name, section, y, domain, attributes):
    make(tmp_path / "ToyDrone" / folder, name)
    clips = load_dcase2021(tmp_path, "ToyDrone", split=folder.rpartition("_")[2])
    expected = [section, y, domain, attributes]
    assert as_lists(clips) == [None if value is None else [value] for value in expected]
    assert find_machine_ids(tmp_path, "ToyDrone") == [section]


def test_two_test_folders_of_2021(tmp_path):
    names = [f"section_0{i}_{domain}_test_normal_0000" for i in (0, 1) for domain in ("s", "t")]
    names = [n.replace("_s_", "_source_").replace("_t_", "_target_") + ".wav" for n in names]
    make(tmp_path / "fan" / "source_test", *names[::2])
    make(tmp_path / "fan" / "target_test", *names[1::2])
    assert load_dcase2021(tmp_path, "fan", split="test").names == names
    assert load_dcase2021(tmp_path, "fan", split="test", domain="target").names == names[1::2]
    assert load_dcase2021(tmp_path, "fan", "section_01", split="test").names == names[2:]
    make(tmp_path / "fan" / "test", *names[:3])
    assert load_dcase2021(tmp_path, "fan", split="test").names == names[:3]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (None, r"no folder train in .*fan or .*fan/fan: .* holds slider\. Pass as root"),
        ([], r"no clips such as .*: .*fan/train holds nothing"),
        (list("abcdefg"), r"fan/train holds a, b, c, d, e and 2 more"),
        (["normal_id_0_0.wav"], r"normal_id_0_0\.wav: is not named like normal_id_00_0{8}\.wav"),
        (["section_00_0000.wav"], r"load_dcase2021 those of 2021 to 2025"),
        (["normal_id_00_00000000.WAV"], r"\.WAV: is not named like"),
        (["normal_id_01_00000000.wav", "normal_id_02_00000000.wav"],
         r"machine_id=7: does not occur in .*fan/train, where files name 01, 02\."),
        (["normal_id_07_00000000.wav", "id_07_00000001.wav"],
         r"are mixed .*: id_07_00000001\.wav and normal_id_07_00000000\.wav\. Load one machine_id"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_2020(tmp_path, names, message):
    make(tmp_path / "slider")
    if names is not None:
        make(tmp_path / "fan" / "train", *names)
    with pytest.raises(DatasetError, match=message):
        load_dcase2020(tmp_path, "fan", 7)


SOURCE, TARGET = (f"section_00_{domain}_test_normal_0000.wav" for domain in ("source", "target"))


@pytest.mark.parametrize(
    ("names", "arguments", "message"),
    [
        (["normal_id_00_00000000.wav"], {}, "load_dcase2020 reads the names of 2020"),
        ([SOURCE.replace("test", "train")], {}, ": is not named like section_00_source_test_"),
        ([SOURCE], {"domain": "target"}, "domain='target': does not occur .* name source"),
        ([SOURCE], {"section": "1"}, "section='1': does not occur in .* name 00"),
        (["section_00_0000.wav"], {"domain": "source"}, "does not occur .* name none"),
        ([SOURCE, "section_00_source_test_0001.wav"], {}, "are mixed .* Load one section"),
        (["section_01_source_test_0001.wav", "section_00_0000.wav"], {}, "are mixed"),
    ],
)
def test_what_is_wrong_in_2021(tmp_path, names, arguments, message):
    make(tmp_path / "fan" / "test", *names)
    with pytest.raises(DatasetError, match=message):
        load_dcase2021(tmp_path, "fan", split="test", **arguments)


def test_sections_with_and_without_labels_side_by_side(tmp_path):
    make(tmp_path / "fan" / "test", SOURCE, TARGET, "section_03_source_test_0000.wav")
    assert load_dcase2021(tmp_path, "fan", 0, "test").y.tolist() == [1, 1]
    assert load_dcase2021(tmp_path, "fan", 3, "test").y is None


@pytest.mark.parametrize("find", [find_machines, lambda root: find_machine_ids(root, "fan")])
def test_nothing_to_find(tmp_path, find):
    with pytest.raises(DatasetError, match=r"there is no folder .*nowhere"):
        find(tmp_path / "nowhere")
    make(tmp_path, "fan.zip")
    with pytest.raises(DatasetError, match=r"holds fan\.zip"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        (lambda root: load_dcase2020(root, "fann"), "machine"),
        (lambda root: load_dcase2020(root, "fan", split="eval"), "split"),
        (lambda root: load_dcase2021(root, "fan", domain="both"), "domain"),
        (lambda root: fetch_dcase2020("gearbox", data_home=root), "machine"),
        (lambda root: fetch_dcase2020("fan", "test", data_home=root), "subset"),
    ],
)
def test_parameters(tmp_path, call, parameter):
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter of"):
        call(tmp_path)
    assert list(tmp_path.iterdir()) == []


NAMES = [f"normal_id_00_{i:08}.wav" for i in range(5)]
CONTENT = b"sound " * 1000


def zip_of(*extra):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in NAMES:
            archive.writestr(f"fan/train/{name}", CONTENT)
        for member in extra:
            archive.writestr(member, "evil")
    return buffer.getvalue()


def link():
    member = zipfile.ZipInfo("fan/train/link")
    member.create_system = 3
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


ARCHIVES = {
    "good": zip_of(),
    "cut": zip_of(),
    "wrong": b"another file",
    "outside": zip_of("../evil"),
    "backslashes": zip_of("fan\\..\\..\\evil"),
    "absolute": zip_of("/evil"),
    "drive": zip_of("C:evil"),
    "link": zip_of(link()),
    "no_zip": b"no archive at all",
    "damaged": zip_of().replace(CONTENT, CONTENT[::-1], 1),
}


@pytest.fixture
def server(monkeypatch):
    """Serve archives as if they were the published ones; return how, and what was asked for."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            kind = self.path.split("/")[1]
            if kind not in ARCHIVES:
                return self.send_error(404)
            body = ARCHIVES[kind]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if kind == "cut" else body)

        def log_message(self, *arguments):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def behave(kind):
        url = f"http://127.0.0.1:{http.server_port}/{kind}/{{record}}/{{name}}_{{machine}}.zip"
        monkeypatch.setattr(fetching, "URL", url)
        archive = ARCHIVES["good" if kind == "wrong" else kind] if kind in ARCHIVES else b""
        for md5 in fetching.MD5.values():
            monkeypatch.setitem(md5, "fan", hashlib.md5(archive).hexdigest())
        return requests

    yield behave
    http.shutdown()
    http.server_close()


def visible(folder):
    return [path.name for path in folder.iterdir() if not path.name.endswith(".lock")]


def is_whole(root):
    clips = load_dcase2020(root, "fan")
    contents = {Path(path).read_bytes() for path in clips.paths}
    return clips.names == NAMES and contents == {CONTENT} and visible(root) == ["fan"]


@pytest.mark.parametrize(
    ("subset", "path"),
    [
        ("dev", "/3678171/dev_data_fan.zip"),
        ("additional", "/3727685/eval_data_train_fan.zip"),
        ("eval", "/3841772/eval_data_test_fan.zip"),
    ],
)
def test_fetch(tmp_path, server, capfd, subset, path):
    requests = server("good")
    root = fetch_dcase2020("fan", subset, tmp_path)
    assert root == tmp_path / subset
    assert is_whole(root)
    assert requests == ["/good" + path]
    assert capfd.readouterr() == ("", "")
    server("missing")
    assert fetch_dcase2020("fan", subset, str(tmp_path)) == root
    assert len(requests) == 1


def test_progress_is_shown_when_asked_for(tmp_path, server, capfd):
    server("good")
    fetch_dcase2020("fan", data_home=tmp_path, verbose=1)
    assert "100%" in capfd.readouterr().err


def test_users_cache(tmp_path, server, monkeypatch):
    monkeypatch.setattr(fetching, "user_cache_path", lambda name: tmp_path / name)
    server("good")
    assert fetch_dcase2020("fan") == tmp_path / "skasd" / "dcase2020" / "dev"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "dev_data_fan.zip: cannot be downloaded: 404.* unpack it into .*dev/fan"),
        ("cut", "dev_data_fan.zip: cannot be downloaded: .*unpack it into .*dev/fan"),
        ("wrong", "is not the published file: 12 bytes with the md5 .* unpack it into .*dev/fan"),
        ("outside", r"not unpacked, because its member '\.\./evil' is outside the folder"),
        ("backslashes", "is outside the folder"),
        ("absolute", "member '/evil' is outside the folder"),
        ("drive", "member 'C:evil' is outside the folder"),
        ("link", "member 'fan/train/link' is a symbolic link"),
        ("no_zip", "is not a complete archive: File is not a zip file"),
        ("damaged", "is not a complete archive: Bad CRC-32"),
    ],
)
def test_failed_fetch_leaves_nothing(tmp_path, server, monkeypatch, kind, message):
    unpacked = []
    extract = zipfile.ZipFile.extractall
    monkeypatch.setattr(
        zipfile.ZipFile, "extractall", lambda *args: unpacked.append(args) or extract(*args)
    )
    server(kind)
    with pytest.raises(DatasetError, match=message):
        fetch_dcase2020("fan", data_home=tmp_path / "home")
    assert bool(unpacked) == (kind == "damaged")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert visible(tmp_path / "home" / "dev") == []
    server("good")
    assert is_whole(fetch_dcase2020("fan", data_home=tmp_path / "home"))


def test_offline_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetching, "URL", "http://127.0.0.1:9/{record}/{name}_{machine}.zip")
    with pytest.raises(DatasetError, match=f"unpack it into {tmp_path / 'eval' / 'pump'}"):
        fetch_dcase2020("pump", "eval", data_home=tmp_path)


@pytest.mark.parametrize("place", ["home", "home/dev", "home/dev/fan"])
def test_folder_that_cannot_be_made(tmp_path, server, place):
    server("good")
    home = make(tmp_path, "file") / "home"
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).touch()
    with pytest.raises(
        DatasetError, match=r"cannot hold the recordings: .* another folder for data_home"
    ):
        fetch_dcase2020("fan", data_home=home)


FETCH = """
import os, shutil, signal, sys
from skasd.datasets import _fetch as fetching
fetching.URL, fetching.MD5["dev"]["fan"], home, n_members = sys.argv[1:]
copy, copied = shutil.copyfileobj, []

def copy_some(source, target):
    if len(copied) == int(n_members):
        target.write(source.read(100))
        target.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    copied.append(copy(source, target))

shutil.copyfileobj = copy_some
print(fetching.fetch_dcase2020("fan", data_home=home))
"""


def start(home, n_members):
    arguments = [fetching.URL, fetching.MD5["dev"]["fan"], str(home), str(n_members)]
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, *arguments], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.posix
def test_killed_while_unpacking(tmp_path, server):
    """The archive that was left is used again, and what was unpacked of it is not."""
    requests = server("good")
    with start(tmp_path, n_members=2) as process:
        assert process.wait() == -signal.SIGKILL
    unpacked = tmp_path / "dev" / ".fan.part" / "unpacked"
    sizes = [path.stat().st_size for path in sorted(unpacked.rglob("*.wav"))]
    assert sizes == [len(CONTENT), len(CONTENT), 100]
    make(unpacked, "left over")
    assert is_whole(fetch_dcase2020("fan", data_home=tmp_path))
    assert not (tmp_path / "dev" / "fan" / "left over").exists()
    assert len(requests) == 1


def test_killed_while_downloading(tmp_path, server):
    server("good")
    work = make(tmp_path / "dev" / ".fan.part", "tmp1234")
    (work / "archive.zip").write_bytes(ARCHIVES["good"][:100])
    assert is_whole(fetch_dcase2020("fan", data_home=tmp_path))


def test_two_processes_at_once(tmp_path, server):
    requests = server("good")
    processes = [start(tmp_path, n_members=len(NAMES)) for _ in range(2)]
    printed = [process.communicate()[0].strip() for process in processes]
    assert printed == [str(tmp_path / "dev")] * 2
    assert is_whole(tmp_path / "dev")
    assert len(requests) == 1


def test_published_checksums():
    checksums = [md5[machine] for md5 in fetching.MD5.values() for machine in MACHINES]
    assert len(set(checksums)) == 18
    assert all(len(bytes.fromhex(checksum)) == 16 for checksum in checksums)
