import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from processes import run_script

from skasd import AudioError, OpenL3Embedding
from skasd.features import WeightsError
from skasd.features.openl3._frontend import network_input, split_windows

DATA = Path(__file__).parent / "data"
REPRESENTATIONS = ["linear", "mel128", "mel256"]


def weights(input_repr):
    return DATA / f"openl3_audio_{input_repr}_golden.h5.gz"


@pytest.fixture(scope="module", params=REPRESENTATIONS)
def golden(request):
    with np.load(DATA / f"openl3_{request.param}_golden.npz") as file:
        return request.param, dict(file)


@pytest.mark.parametrize("frontend", ["kapre", "librosa"])
def test_network_input_is_the_packages(golden, frontend):
    input_repr, expected = golden
    windows = split_windows(expected["audio"], hop_size=0.5, center=False)
    spectrograms = np.array(list(network_input(windows, input_repr, frontend)))
    reference = expected[f"{frontend}_input"][..., 0]
    np.testing.assert_allclose(spectrograms, reference, rtol=0, atol=0.01)


# What comes before the network depends neither on its engine nor on the size of its pooling.
@pytest.mark.parametrize(
    ("engine", "frontend", "embedding_size", "center"),
    [
        ("ncnn", "kapre", 512, True),
        ("ncnn", "kapre", 6144, False),
        ("ncnn", "librosa", 512, False),
        ("keras", "kapre", 512, False),
        ("keras", "kapre", 6144, False),
    ],
)
def test_embeddings_are_the_packages(golden, engine, frontend, embedding_size, center):
    input_repr, expected = golden
    transformer = OpenL3Embedding(
        input_repr=input_repr,
        embedding_size=embedding_size,
        hop_size=0.5,
        center=center,
        frontend=frontend,
        weights=weights(input_repr),
        engine=engine,
        cache=None,
        input_sample_rate=48000,
    )
    (embeddings,) = transformer.fit([expected["audio"]]).embed([expected["audio"]])
    key = f"{frontend}_{embedding_size}_{'center' if center else 'nocenter'}"
    reference = expected[key]
    assert embeddings.shape == reference.shape
    error = np.linalg.norm(embeddings - reference) / np.linalg.norm(reference)
    assert error <= 1e-5


@pytest.mark.parametrize("seconds", [0.2, 0.5, 0.5001, 1.0, 1.5, 2.3, 10.0, 65.0])
@pytest.mark.parametrize("hop_size", [0.05, 0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("center", [True, False])
def test_windows_are_the_packages(seconds, hop_size, center):
    """openl3 0.4.2 pads half a second in front with `center`, and to a whole hop at the end."""
    samples = np.arange(1, round(seconds * 48000) + 1, dtype=np.float32)
    windows = split_windows(samples, hop_size, center)
    begin = 24000 if center else 0
    length, hop = begin + len(samples), int(hop_size * 48000)
    expected = 1 if length <= 48000 else 1 + int(np.ceil((length - 48000) / hop))
    assert windows.shape == (expected, 48000)
    for i in (0, expected // 2, expected - 1):
        positions = np.arange(48000) + i * hop - begin
        inside = (positions >= 0) & (positions < len(samples))
        np.testing.assert_array_equal(windows[i], np.where(inside, positions + 1, 0))
    assert (expected - 1) * hop + 48000 >= length


@pytest.fixture
def mel128():
    """Return a small transformer: it runs the network on few windows."""
    return OpenL3Embedding(input_repr="mel128", hop_size=1.0, weights=weights("mel128"), cache=None)


def test_pooling_is_of_the_windows(mel128, noise):
    clips = [np.tile(noise, 2), noise[:8000]]
    embeddings = mel128.fit(clips).embed(clips)
    assert [len(each) for each in embeddings] == [3, 1]
    means = [each.sum(axis=0) / len(each) for each in embeddings]
    np.testing.assert_allclose(mel128.transform(clips), means, rtol=1e-5)
    largest = [each.max(axis=0) for each in embeddings]
    np.testing.assert_array_equal(mel128.set_params(pooling="max").transform(clips), largest)


def test_files_of_other_rates_are_resampled(tmp_path, mel128):
    time = np.arange(48000) / 48000
    chirp = 0.3 * np.sin(2 * np.pi * 2000 * time**2)
    soundfile.write(tmp_path / "48000.wav", chirp, 48000, subtype="FLOAT")
    soundfile.write(tmp_path / "24000.wav", chirp[::2], 24000, subtype="FLOAT")
    mel128.fit([chirp])
    full, half = mel128.transform([tmp_path / "48000.wav", tmp_path / "24000.wav"])
    assert np.linalg.norm(full - half) < 0.05 * np.linalg.norm(full)


def test_bad_clip_is_named(bad_clip, mel128, noise):
    clip, problem = bad_clip
    if "too short" in problem:
        return  # OpenL3 pads what is shorter than a window
    with pytest.raises(AudioError, match=problem):
        mel128.fit([noise, clip]).transform([noise, clip])


def test_unpickled_refuses_other_weights(tmp_path, mel128, noise):
    path = tmp_path / "weights.h5.gz"
    shutil.copy(weights("mel128"), path)
    pickled = pickle.dumps(mel128.set_params(weights=path).fit([noise]))
    assert len(pickled) < 2000
    shutil.copy(weights("mel256"), path)
    with pytest.raises(WeightsError, match="was fitted with"):
        pickle.loads(pickled).transform([noise])


class CountingEngine:
    """Stands in for the network: counts the clips that it was run on."""

    def __init__(self, engine):
        self.network, self.engine, self.runs = engine.network, engine, 0

    def embed(self, spectrograms):
        self.runs += 1
        return self.engine.embed(spectrograms)


@pytest.fixture
def counting(monkeypatch, mel128):
    engine = CountingEngine(mel128._load_engine())
    monkeypatch.setattr(OpenL3Embedding, "_load_engine", lambda self: engine)
    return engine


def test_cache_runs_the_network_once_a_clip(tmp_path, counting, mel128, noise):
    mel128.set_params(cache=tmp_path / "cache")
    clips = [noise[4000:12000], noise[:8000], noise[4000:12000]]
    first = mel128.fit_transform(clips)
    assert counting.runs == 2
    np.testing.assert_array_equal(mel128.fit_transform(clips), first)
    assert counting.runs == 2
    mel128.set_params(pooling="max").fit_transform(clips[:1])
    mel128.set_params(frontend="librosa").fit_transform(clips[:1])
    assert counting.runs == 4
    entries = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(entries) == 4
    assert max(entry.stat().st_size for entry in entries) < 3000


@pytest.mark.parametrize("damage", ["empty", "cut off", "flipped", "pickle"])
def test_damaged_cache_entry_is_computed_anew(tmp_path, counting, mel128, noise, damage):
    mel128.set_params(cache=tmp_path)
    expected = mel128.fit_transform([noise])
    (entry,) = tmp_path.rglob("*.f32")
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 0xFF
    entry.write_bytes(
        {
            "empty": b"",
            "cut off": entry.read_bytes()[:1000],
            "flipped": bytes(content),
            "pickle": pickle.dumps({"embeddings": 1}),
        }[damage]
    )
    np.testing.assert_array_equal(mel128.transform([noise]), expected)
    assert counting.runs == 2
    np.testing.assert_array_equal(mel128.transform([noise]), expected)
    assert counting.runs == 2


def test_cache_that_cannot_be_written_loses_nothing(tmp_path, mel128, noise):
    (tmp_path / "file").touch()
    expected = mel128.fit_transform([noise])
    mel128.set_params(cache=tmp_path / "file")
    with pytest.warns(UserWarning, match="cannot be written"):
        np.testing.assert_array_equal(mel128.transform([noise]), expected)


def test_ncnn_imports_neither_keras_nor_jax(mel128, noise):
    script = (
        "import sys, numpy as np; from skasd import OpenL3Embedding\n"
        f"embedding = OpenL3Embedding('mel128', weights={str(weights('mel128'))!r}, cache=None)\n"
        "embedding.fit_transform(np.zeros((1, 16000)))\n"
        "print({'keras', 'jax', 'tensorflow'} & set(sys.modules))\n"
    )
    process = run_script(script)
    assert process.stdout.strip() == "set()", process.stderr
