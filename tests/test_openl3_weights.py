import gzip
import hashlib
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest
from processes import Script

from skasd.features import WeightsError
from skasd.features.openl3 import _weights as module
from skasd.features.openl3._network import expected_shapes
from skasd.features.openl3._weights import find_weights, read_weights

GOLDEN = Path(__file__).parent / "data" / "openl3_audio_mel128_golden.h5.gz"
NAME = "openl3_audio_mel128_env-v0_4_0.h5.gz"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Keep the user's cache, environment and packages out of it."""
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv(module.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        content = GOLDEN.read_bytes()
        kind = self.path.split("/")[1]
        if kind == "missing":
            return self.send_error(404)
        body = {"cut": content[: len(content) // 2], "wrong": b"another file"}.get(kind, content)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body if kind == "wrong" else content)))
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            # As some servers say of every .gz file: clients then unpack it.
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    """Serve the golden weights as if they were the published ones; return how to misbehave."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    content = GOLDEN.read_bytes()
    blob = hashlib.sha1(b"blob " + str(len(content)).encode() + b"\0" + content).hexdigest()
    monkeypatch.setitem(module.BLOB_IDS, NAME, blob)

    def behave(kind):
        monkeypatch.setattr(module, "URL", f"http://127.0.0.1:{http.server_port}/{kind}/")

    yield behave
    http.shutdown()
    http.server_close()


def test_path(tmp_path, cache):
    assert find_weights(GOLDEN, "mel128", "env") == GOLDEN
    with pytest.raises(WeightsError, match=r"no\.h5'.* no such file.*openl3=False"):
        find_weights(tmp_path / "no.h5", "mel128", "env")


@pytest.mark.parametrize("name", [NAME, "openl3_audio_mel128_env.h5"])
def test_folder_in_the_environment(tmp_path, cache, monkeypatch, name):
    monkeypatch.setenv(module.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match="holds none of"):
        find_weights("auto", "mel128", "env")
    shutil.copy(GOLDEN, tmp_path / name)
    assert find_weights("auto", "mel128", "env") == tmp_path / name


def test_installed_package_is_not_imported(tmp_path, cache, monkeypatch):
    package = tmp_path / "openl3"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    path = package / "openl3_audio_mel128_env.h5"
    path.write_bytes(gzip.decompress(GOLDEN.read_bytes()))
    monkeypatch.syspath_prepend(tmp_path)
    assert find_weights("auto", "mel128", "env") == path
    assert set(read_weights(path)) == set(expected_shapes())


def test_download_is_kept(cache, server):
    server("good")
    path = find_weights("auto", "mel128", "env")
    assert path == cache / NAME
    assert path.read_bytes() == GOLDEN.read_bytes()
    server("missing")
    assert find_weights("auto", "mel128", "env") == path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "v0_4_0.h5.gz: cannot be downloaded: 404.*put it at"),
        ("cut", "cannot be downloaded"),
        ("wrong", "is not the published file: 12 bytes"),
    ],
)
def test_failed_download_leaves_nothing(cache, server, kind, message):
    server(kind)
    with pytest.raises(WeightsError, match=message):
        find_weights("auto", "mel128", "env")
    assert list(cache.iterdir()) == []


def test_offline_says_where_to_put_the_file(cache, monkeypatch):
    monkeypatch.setattr(module, "URL", "http://127.0.0.1:9/")
    with pytest.raises(WeightsError, match=f"put it at {cache / NAME}"):
        find_weights("auto", "mel128", "env")


def test_cache_that_cannot_be_written(cache, server):
    cache.touch()
    server("good")
    with pytest.raises(WeightsError, match="cannot hold the weights"):
        find_weights("auto", "mel128", "env")


def test_disk_full(cache, server, full_disk):
    server("good")
    with full_disk(100), pytest.raises(WeightsError, match="cannot hold the weights"):
        find_weights("auto", "mel128", "env")
    assert list(cache.iterdir()) == []


def test_two_processes_at_once(cache, server):
    server("good")
    script = (
        "import sys; from pathlib import Path\n"
        "from skasd.features.openl3 import _weights as module\n"
        "name, module.URL, folder, blob = sys.argv[1:]\n"
        "module.BLOB_IDS[name] = blob\n"
        "module.cache_folder = lambda: Path(folder)\n"
        "print(module.find_weights('auto', 'mel128', 'env'))\n"
    )
    arguments = [NAME, module.URL, str(cache), module.BLOB_IDS[NAME]]
    processes = [Script(script, *arguments) for _ in range(2)]
    printed = [process.communicate()[0].strip() for process in processes]
    assert printed == [str(cache / NAME)] * 2
    assert [path.name for path in cache.iterdir()] == [NAME]
    assert (cache / NAME).read_bytes() == GOLDEN.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_file(tmp_path, share, zipped):
    content = GOLDEN.read_bytes()
    content = content if zipped else gzip.decompress(content)
    path = tmp_path / "cut.h5"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"cut\.h5: cannot be read as OpenL3's weights"):
        read_weights(path)


def test_foreign_file(tmp_path):
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["conv2d"]
        group = file.create_group("conv2d")
        group.attrs["weight_names"] = ["conv2d/kernel:0"]
        group["conv2d/kernel:0"] = np.zeros((3, 3, 1, 7))
    with pytest.raises(WeightsError, match="does not hold OpenL3's audio network"):
        read_weights(path)
    path.write_text("no weights")
    with pytest.raises(WeightsError, match="cannot be read as OpenL3's weights"):
        read_weights(path)


def test_published_ids_are_git_blob_ids():
    """git's own id of an empty file, and the form of the published ones."""
    assert hashlib.sha1(b"blob 0\0").hexdigest() == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert len(module.BLOB_IDS) == 6
    assert all(len(bytes.fromhex(blob)) == 20 for blob in module.BLOB_IDS.values())
