import pickle

import numpy as np
import pytest
import soundfile

from skasd import AudioError
from skasd.audio import check_clips, read_clip


def read(clip, **options):
    (checked,) = check_clips([clip])
    return read_clip(checked, **{"sample_rate": 16000, **options})


def sine(frequency, sample_rate, seconds=1.0):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(seconds * sample_rate) / sample_rate)


@pytest.mark.parametrize(
    ("suffix", "format", "subtype", "tolerance"),
    [
        ("wav", "WAV", "PCM_U8", 2**-7),
        ("wav", "WAV", "PCM_16", 2**-15),
        ("wav", "WAV", "PCM_24", 2**-23),
        ("wav", "WAV", "PCM_32", 2**-24),
        ("wav", "WAV", "FLOAT", 2**-24),
        ("wav", "WAV", "DOUBLE", 2**-24),
        ("wav", "WAVEX", "PCM_16", 2**-15),
        ("wav", "WAVEX", "PCM_24", 2**-23),
        ("flac", "FLAC", "PCM_16", 2**-15),
        ("flac", "FLAC", "PCM_24", 2**-23),
        ("ogg", "OGG", "VORBIS", 0.05),
        ("mp3", "MP3", "MPEG_LAYER_III", 0.05),
    ],
)
def test_file_formats(tmp_path, suffix, format, subtype, tolerance):
    path = tmp_path / f"clip.{suffix}"
    expected = sine(440, 16000, seconds=2.0)
    soundfile.write(path, expected, 16000, format=format, subtype=subtype)
    samples = read(path)
    assert samples.dtype == np.float32
    assert samples.shape == expected.shape
    np.testing.assert_allclose(samples[500:-500], expected[500:-500], rtol=0, atol=tolerance)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000, 96000])
def test_resampling_keeps_a_sine(tmp_path, sample_rate):
    path = tmp_path / "clip.wav"
    soundfile.write(path, sine(1000, sample_rate), sample_rate, subtype="FLOAT")
    expected = sine(1000, 16000)
    for clip, rate in ((path, 16000), (sine(1000, sample_rate), sample_rate)):
        samples = read(clip, input_sample_rate=rate)
        assert len(samples) == 16000
        np.testing.assert_allclose(samples[800:-800], expected[800:-800], rtol=0, atol=1e-3)


def test_channels(tmp_path):
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.tile([0.25, -0.75], (16000, 1)), 16000, subtype="FLOAT")
    np.testing.assert_array_equal(read(path), np.full(16000, -0.25, dtype=np.float32))
    np.testing.assert_array_equal(read(path, channel=1), np.full(16000, -0.75, dtype=np.float32))
    with pytest.raises(AudioError, match=r"stereo\.wav: has no channel 2: it has 2, counted from"):
        read(path, channel=2)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
def test_integers_are_scaled(dtype):
    limits = np.iinfo(dtype)
    middle = (int(limits.min) + int(limits.max) + 1) // 2
    samples = read(np.array([limits.min, middle, limits.max], dtype=dtype))
    half = 2.0 ** (limits.bits - 1)
    np.testing.assert_allclose(samples, [-1, 0, 1 - 1 / half], rtol=0, atol=1e-7)


def test_integers_are_scaled_as_files_are(tmp_path):
    integers = np.random.default_rng(0).integers(-(2**15), 2**15, 16000).astype(np.int16)
    soundfile.write(tmp_path / "clip.wav", integers, 16000)
    np.testing.assert_array_equal(read(integers), read(tmp_path / "clip.wav"))


def test_floats_are_not_scaled():
    np.testing.assert_array_equal(read(np.array([3.0, -4.0])), [3, -4])


def test_bad_clip_is_named(bad_clip):
    clip, problem = bad_clip
    name = "clip 0" if clip is None or isinstance(clip, np.ndarray) else str(clip)
    with pytest.raises(AudioError, match=problem) as caught:
        read(clip, min_samples=2048)
    assert caught.value.clip == name
    assert str(caught.value).startswith(f"{name}: ")


@pytest.mark.parametrize("length", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_wav_of_unknown_length_is_whole(tmp_path, noise, length):
    """A recorder that writes to a pipe cannot go back and fill in the length."""
    path = tmp_path / "piped.wav"
    soundfile.write(path, noise, 16000)
    content = bytearray(path.read_bytes())
    position = content.index(b"data") + 4
    content[position : position + 4] = length.to_bytes(4, "little")
    path.write_bytes(content)
    assert len(read(path)) == 16000


def test_error_survives_a_process():
    error = pickle.loads(pickle.dumps(AudioError("fan.wav", "is wrong", "Mend it.")))
    assert str(error) == "fan.wav: is wrong. Mend it."


@pytest.mark.parametrize("X", ["fan.wav", b"fan.wav", np.zeros(16000), 3, None])
def test_single_clip_is_refused(X):
    with pytest.raises(TypeError, match="Wrap one clip in a list"):
        check_clips(X)


def test_no_clips_are_refused():
    with pytest.raises(ValueError, match="at least one clip"):
        check_clips([])
