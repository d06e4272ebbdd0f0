"""Clips that every test module shares."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: OpenMP's threads would wait for each other by keeping these busy.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# For ncnn, whose threads are told: spinning would take five times what its network takes.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pytest
import soundfile

# The same small networks are trained again and again: compiling each once saves most of the time.
if "PYTEST_XDIST_WORKER" not in os.environ:  # workers share the folder of whoever started them
    COMPILED = tempfile.TemporaryDirectory(prefix="skasd-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = COMPILED.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
# Nor do they train long enough for what an optimized program costs to compile.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"

collect_ignore = ["data"]

SHARED = Path(__file__).parents[2] / "shared"
"""The report, real recordings and reference scores, which are not part of the project."""


def pytest_runtest_setup(item):
    """Skip what needs signals or paths that Windows does not have."""
    if os.name != "posix" and item.get_closest_marker("posix"):
        pytest.skip("this system is none of POSIX")


@pytest.fixture(scope="session")
def shared():
    if not SHARED.is_dir():
        pytest.skip("the report, the real recordings and scores are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def shared_recordings(shared):
    return shared / "recordings"


@pytest.fixture
def noise():
    return np.random.default_rng(0).uniform(-0.5, 0.5, 16000).astype(np.float32)


def _cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


@pytest.fixture
def full_disk():
    """Return a context in which no file can grow beyond so many bytes."""
    resource = pytest.importorskip("resource", reason="this system does not limit files")

    @contextmanager
    def limited(n_bytes):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


BAD_CLIPS = {
    "missing": "does not exist",
    "folder": "is a folder",
    "unreadable": "cannot be read",
    "empty_file": "is an empty file",
    "no_samples": "holds no samples",
    "truncated.wav": "is truncated",
    "truncated.ogg": "is truncated",
    "truncated.mp3": "is truncated",
    "truncated.flac": "cannot be read",
    "nan": "1 NaN or infinite samples, the first at index 7",
    "infinite": "1 NaN or infinite samples, the first at index 7",
    "too_short": "is too short: 1600 samples",
    "empty_array": "holds no samples",
    "nan_array": "2 NaN or infinite samples, the first at index 3",
    "infinite_array": "1 NaN or infinite samples, the first at index 3",
    "short_array": "is too short: 100 samples",
    "two_dimensional": r"shape \(2, 16000\)",
    "complex": "dtype complex128",
    "nothing": "NoneType",
}
"""What the error says of each clip that `bad_clip` makes."""


@pytest.fixture(params=BAD_CLIPS)
def bad_clip(request, tmp_path, noise):
    """Return a clip that cannot be analyzed, and what is wrong with it."""
    name = request.param
    path = tmp_path / (name if "." in name else f"{name}.wav")
    if name == "folder":
        path.mkdir()
    elif name == "unreadable":
        path.write_text("This is a text, and no sound. " * 100)
    elif name == "empty_file":
        path.touch()
    elif name == "no_samples":
        soundfile.write(path, noise[:0], 16000)
    elif name.startswith("truncated"):
        soundfile.write(path, np.tile(noise, 3), 16000)
        _cut(path, 0.6)
    elif name in ("nan", "infinite"):
        broken = np.where(np.arange(16000) == 7, np.nan if name == "nan" else np.inf, noise)
        soundfile.write(path, broken, 16000, subtype="FLOAT")
    elif name == "too_short":
        soundfile.write(path, noise[:1600], 16000)
    arrays = {
        "empty_array": noise[:0],
        "nan_array": np.where(np.isin(np.arange(16000), (3, 9)), np.nan, noise),
        "infinite_array": np.where(np.arange(16000) == 3, -np.inf, noise),
        "short_array": noise[:100],
        "two_dimensional": np.stack([noise, noise]),
        "complex": noise.astype(complex),
        "nothing": None,
    }
    return arrays.get(name, path), BAD_CLIPS[name]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Return the file of a model of quarters of a second, which is fitted in no time."""
    from sklearn.pipeline import make_pipeline

    import skasd

    clips = np.random.default_rng(0).normal(0, 0.1, (10, 4000)).astype(np.float32)
    spectrogram = skasd.LogMelSpectrogram(n_fft=512, hop_length=256, n_mels=8)
    steps = spectrogram, skasd.TimeWeightedPooling(), skasd.FeatureDetector(feature=7)
    path = tmp_path_factory.mktemp("model") / "fan.skasd"
    skasd.save(make_pipeline(*steps).fit(clips), path)
    return path


@pytest.fixture(scope="module")
def browser():
    """Return a Chromium that playwright drives."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    with api.sync_playwright() as playwright:
        if path is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("there is no Chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def check_accessibility(browser):
    """Return what checks that a page fits its window, and that axe finds nothing on it."""

    def check(url, scheme, width):
        # The page's own policy would let in no other script, such as the one that checks.
        context = browser.new_context(
            bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 800}
        )
        tab = context.new_page()
        tab.goto(url)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        chart = tab.locator("svg.chart").bounding_box()
        assert chart["x"] + chart["width"] <= width
        axe = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
        if not axe.exists():
            context.close()
            pytest.skip("npm install axe-core would check more")
        tab.add_script_tag(path=axe)
        found = tab.evaluate("axe.run()")["violations"]
        context.close()
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []

    return check
