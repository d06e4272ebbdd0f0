"""Archives of every year, fetched from a server that answers as Zenodo does."""

import hashlib
import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from skasd._utils.download import md5
from skasd.datasets import DatasetError, fetch_dcase, load_dcase
from skasd.datasets import _fetch_dcase as fetching
from skasd.datasets._years import MACHINE_TYPES

NORMAL = "section_00_source_train_normal_0000_vel_6.wav"
ANOMALY = "section_00_source_test_anomaly_0000_vel_6.wav"
EVAL = "section_00_0001.wav"
LIST = f"bandsaw\r\n{EVAL},section_00_target_test_anomaly_0001_vel_12.wav\r\n".encode()


def zip_of(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in members:
            archive.writestr(member, b"sound")
    return buffer.getvalue()


class Zenodo:
    """Records of files, which can be changed, and what was asked for."""

    def __init__(self):
        self.records, self.lists, self.requests = {}, {}, []
        self.checksum = lambda content: f"md5:{hashlib.md5(content).hexdigest()}"

    def add(self, record, key, content):
        self.records.setdefault(record, {})[key] = content

    def answer(self, path):
        parts = path.partition("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "records"]:
            files = self.records.get(parts[2])
            if files is None or isinstance(files, bytes):
                return files
            described = [
                {"key": key, "size": len(content), "checksum": self.checksum(content)}
                for key, content in files.items()
            ]
            return json.dumps({"files": described}).encode()
        if parts[0] == "records":
            return self.records.get(parts[1], {}).get(parts[3])
        return self.lists.get(parts[-1])


@pytest.fixture
def zenodo(monkeypatch):
    served = Zenodo()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.requests.append(self.path)
            body = served.answer(self.path)
            if body is None:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    address = f"http://127.0.0.1:{http.server_port}"
    monkeypatch.setattr(fetching, "ZENODO", address)
    monkeypatch.setattr(fetching, "LISTS", f"{address}/lists/{{commit}}/")
    yield served
    http.shutdown()
    http.server_close()


def serve_evaluation_set(zenodo, monkeypatch):
    zenodo.add("7830345", "eval_data_bandsaw_train.zip", zip_of(f"bandsaw/train/{NORMAL}"))
    zenodo.add("7860847", "eval_data_bandsaw_test.zip", zip_of(f"bandsaw/test/{EVAL}"))
    zenodo.lists["eval_data_list_2023.csv"] = LIST
    commit, _ = fetching.LISTED[2023]
    digest = hashlib.sha256(LIST.replace(b"\r\n", b"\n")).hexdigest()
    monkeypatch.setitem(fetching.LISTED, 2023, (commit, digest))


@pytest.mark.parametrize(
    ("year", "record", "key"),
    [
        (2020, "3678171", "dev_data_fan.zip"),
        (2021, "4562016", "dev_data_fan.zip"),
        (2022, "6355122", "dev_fan.zip"),
        (2023, "7882613", "dev_fan.zip"),
        (2024, "10902294", "dev_fan.zip"),
        (2025, "15097779", "dev_fan.zip"),
        (2026, "19336329", "dev_fan.zip"),
    ],
)
def test_development_sets(zenodo, tmp_path, year, record, key):
    zenodo.add(record, key, zip_of(f"fan/train/{NORMAL}", f"fan/test/{ANOMALY}"))
    root = fetch_dcase(year, "fan", data_home=tmp_path)
    assert root == tmp_path / "dev"
    assert load_dcase(root, "fan").names == [NORMAL]
    assert load_dcase(root, "fan", split="test").y.tolist() == [-1]
    asked = [f"/api/records/{record}", f"/records/{record}/files/{key}?download=1"]
    assert zenodo.requests == asked
    assert fetch_dcase(year, "fan", data_home=str(tmp_path)) == root
    assert zenodo.requests == asked


def test_evaluation_set_is_whole(zenodo, monkeypatch, tmp_path):
    """Training clips, test clips and their labels, from three places."""
    serve_evaluation_set(zenodo, monkeypatch)
    root = fetch_dcase(2023, "bandsaw", "eval", tmp_path)
    assert load_dcase(root, "bandsaw").names == [NORMAL]
    clips = load_dcase(root, "bandsaw", split="test")
    assert [clips.y.tolist(), clips.domains.tolist()] == [[-1], ["target"]]
    n_requests = len(zenodo.requests)
    fetch_dcase(2023, "bandsaw", "eval", tmp_path)
    assert len(zenodo.requests) == n_requests == 5


def test_last_correction_is_taken(zenodo, tmp_path):
    for version, name in (("", "wrong"), ("_r2", "right"), ("_r10", "newest"), ("_new", "other")):
        member = f"ToyCar/train/section_00_source_train_normal_0000_{name}.wav"
        zenodo.add("19336329", f"dev_ToyCar{version}.zip", zip_of(member))
    zenodo.add("19336329", "dev_ToyCarEmu_r11.zip", zip_of("ToyCarEmu/train/x"))
    root = fetch_dcase(2026, "ToyCar", data_home=tmp_path)
    assert load_dcase(root, "ToyCar").attributes.tolist() == ["newest"]


def test_archives_that_are_whole_are_used_again(zenodo, monkeypatch, tmp_path):
    serve_evaluation_set(zenodo, monkeypatch)
    test = zenodo.records.pop("7860847")
    work = tmp_path / "eval" / ".bandsaw.part"
    work.mkdir(parents=True)
    (work / "archive0.zip").write_bytes(zenodo.records["7830345"]["eval_data_bandsaw_train.zip"])
    zenodo.records["7860847"] = test
    root = fetch_dcase(2023, "bandsaw", "eval", tmp_path)
    assert not any("bandsaw_train.zip" in path for path in zenodo.requests)
    assert load_dcase(root, "bandsaw").names == [NORMAL]


def broken(zenodo, kind):
    if kind == "no record":
        zenodo.records.clear()
    elif kind == "no such archive":
        zenodo.records["7882613"] = {"dev_fans.zip": b""}
    elif kind == "another file":
        zenodo.checksum = lambda content: "md5:" + "0" * 32
    elif kind == "another digest":
        zenodo.checksum = lambda content: "sha1:" + "0" * 40
    elif kind == "no description":
        zenodo.records["7882613"] = b"[]"
    elif kind == "outside":
        zenodo.add("7882613", "dev_fan.zip", zip_of("../evil"))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no record", r"api/records/7882613: cannot be downloaded: 404.*records/7882613 yourself"),
        ("no such archive", r"has no dev_fan\.zip, but dev_fans\.zip"),
        ("another file", r"is not the published file: .* unpack it into .*dev/fan"),
        ("another digest", r"has no MD5 of dev_fan\.zip, but sha1:0"),
        ("no description", "is not a description of a record"),
        ("outside", r"its member '\.\./evil' is outside the folder"),
    ],
)
def test_what_is_not_fetched(zenodo, tmp_path, kind, message):
    zenodo.add("7882613", "dev_fan.zip", zip_of(f"fan/train/{NORMAL}"))
    broken(zenodo, kind)
    with pytest.raises(DatasetError, match=message):
        fetch_dcase(2023, "fan", data_home=tmp_path)
    assert not (tmp_path / "dev" / "fan").exists()
    assert not (tmp_path / "evil").exists()


def test_list_that_is_not_fetched(zenodo, monkeypatch, tmp_path):
    serve_evaluation_set(zenodo, monkeypatch)
    zenodo.lists["eval_data_list_2023.csv"] = LIST + b"more\n"
    with pytest.raises(
        DatasetError, match=r"the list of labels is missing: .* The clips are complete"
    ):
        fetch_dcase(2023, "bandsaw", "eval", tmp_path)
    assert load_dcase(tmp_path / "eval", "bandsaw", split="test").y is None


@pytest.mark.parametrize(
    ("year", "machine", "subset"), [(2023, "bandsaw", "dev"), (2024, "fan", "eval")]
)
def test_machine_types_of_another_set(tmp_path, year, machine, subset):
    with pytest.raises(DatasetError, match=f"is not in the {subset} set of {year}, which has"):
        fetch_dcase(year, machine, subset, tmp_path)


def test_lists_are_those_that_the_challenge_has_published(shared):
    for year, (_, digest) in fetching.LISTED.items():
        with open(shared / "dcase-ground-truth" / f"eval_data_list_{year}.csv", "rb") as file:
            assert fetching.text_sha256(file) == digest
    assert md5(io.BytesIO(b"")) == "d41d8cd98f00b204e9800998ecf8427e"


def test_machine_types_and_records_are_those_of_the_baselines_authors(shared):
    """Whose YAML is of two forms only: a name, and an item of a list."""
    found, records = {}, {}
    for path in sorted((shared / "dcase-ground-truth").glob("download_path_*.yaml")):
        year = machine = subset = None
        for line in path.read_text().splitlines():
            word = line.strip().removesuffix(":")
            if word.startswith("DCASE"):
                year = int(word[5:9])
            elif word in ("dev", "eval"):
                subset = word
                found.setdefault(year, {}).setdefault(subset, []).append(machine)
            elif word.startswith("- "):
                record, name = word.split("/")[4], word.split("/")[-1].partition(".")[0]
                name = name.removesuffix("_r2").replace(machine, "{machine}")
                records.setdefault(year, {}).setdefault(subset, {})[record] = name
            elif word:
                machine = word
    for year, subsets in found.items():
        for subset, machines in subsets.items():
            assert sorted(MACHINE_TYPES[year][subset]) == sorted(machines)
            # Their list of 2026 is from before the test clips were published.
            own = fetching.RECORDS[year][subset]
            assert own.items() >= records[year][subset].items()
            assert len(own) == len(records[year][subset]) + ((year, subset) == (2026, "eval"))
    assert found.keys() == MACHINE_TYPES.keys()
