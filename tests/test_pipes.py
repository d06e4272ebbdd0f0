"""Sound from a pipe, as arecord, ffmpeg and others write it."""

import io
import struct
import subprocess

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import skasd
from skasd.audio._pipes import PCM_FORMATS, read_pcm, read_pipe

RNG = np.random.default_rng(0)
SAMPLES = RNG.integers(-(2**31), 2**31, (300, 2))
"""Of 32 bits; formats of fewer take the upper ones."""

SUBTYPES = {
    "u8": "PCM_U8",
    "s16": "PCM_16",
    "s24": "PCM_24",
    "s32": "PCM_32",
    "f32": "FLOAT",
    "f64": "DOUBLE",
}
"""The formats as libsndfile calls them."""


class SplitReader:
    """A pipe, which hands over bytes as they come, and not by samples."""

    def __init__(self, content, sizes=()):
        self.content = content
        self.sizes = iter(sizes)

    def read1(self, size):
        size = min(size, next(self.sizes, size))
        part, self.content = self.content[:size], self.content[size:]
        return part


def joined(blocks):
    return np.concatenate(list(blocks))


def scaled(blocks):
    """Return floats in [-1, 1)."""
    samples = joined(blocks)
    if samples.dtype.kind == "f":
        return samples
    bits = 8 * samples.dtype.itemsize
    return (samples - 2.0 ** (bits - 1) * (samples.dtype.kind == "u")) / 2.0 ** (bits - 1)


def wav(samples=SAMPLES, rate=44100, subtype="PCM_16", **more):
    file = io.BytesIO()
    samples = (np.asarray(samples) / 2.0**31).astype(np.float64)
    soundfile.write(file, samples, rate, subtype=subtype, **{"format": "WAV", **more})
    return file.getvalue()


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks):
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def fmt(code=1, channels=1, rate=16000, width=2, bits=16):
    frame = channels * width
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits))


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("kind", SUBTYPES)
def test_raw_pcm_of_any_format(kind, order):
    """As libsndfile writes it."""
    name = kind if kind == "u8" else kind + order
    file = io.BytesIO()
    subtype, endian = SUBTYPES[kind], "LITTLE" if order == "le" else "BIG"
    floats = SAMPLES / 2.0**31
    soundfile.write(file, floats, 16000, format="RAW", subtype=subtype, endian=endian)
    reader = SplitReader(file.getvalue() + b"\1", [1, 3, 5, 20])
    blocks = read_pcm(reader, n_channels=2, sample_format=name)
    bits = int(subtype.partition("_")[2].lstrip("U") or 24)
    np.testing.assert_allclose(scaled(blocks), floats, atol=2.0 ** (1 - bits))


def test_names_of_arecord():
    """S24_LE has its bits in the lower three bytes of four, whatever is in the fourth."""
    values = np.array([1, -1, 2**23 - 1, -(2**23)], dtype=np.int64)
    low = (values & 0xFFFFFF).astype("<u4")
    packed = b"".join(int(each).to_bytes(3, "little") for each in low)
    expected = (values * 2**8)[:, np.newaxis]
    for name, content in {
        "S24_LE": low.tobytes(),
        "s24_le": (low | 0xAB000000).astype("<u4").tobytes(),
        "S24_3LE": packed,
        "s24le": packed,
    }.items():
        np.testing.assert_array_equal(
            joined(read_pcm(SplitReader(content), sample_format=name)), expected
        )
    arecord_wav = riff(fmt(width=4, bits=24), chunk(b"data", low.tobytes()))
    np.testing.assert_array_equal(joined(read_pipe(SplitReader(arecord_wav)).blocks), expected)
    (block,) = read_pcm(SplitReader(bytes(4)), sample_format="FLOAT_LE")
    assert block.dtype == np.float32


def test_formats_that_do_not_exist():
    with pytest.raises(ValueError, match="format 's20le': expected one of u8, s16le"):
        read_pcm(SplitReader(b""), sample_format="s20le")
    with pytest.raises(ValueError, match="0 channels"):
        read_pcm(SplitReader(b""), n_channels=0)


@pytest.mark.parametrize("kind", SUBTYPES)
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize("endian", ["FILE", "BIG"])
def test_wav_is_read_as_libsndfile_reads_it(kind, container, endian):
    if (container, endian) == ("WAVEX", "BIG"):
        pytest.skip("libsndfile writes none")
    content = wav(subtype=SUBTYPES[kind], format=container, endian=endian)
    expected, rate = soundfile.read(io.BytesIO(content))
    sound = read_pipe(SplitReader(content, RNG.integers(1, 90, 50)))
    assert (sound.sample_rate, sound.n_channels) == (rate, 2)
    assert sound.sample_format.startswith(kind)
    np.testing.assert_array_equal(scaled(sound.blocks), expected)


@pytest.mark.parametrize("codec", ["u8", "s16le", "s24le", "s32le", "f32le"])
def test_wav_of_ffmpeg(codec):
    """It declares 0xFFFFFFFF bytes on a pipe, and writes a chunk about itself before them."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    content = subprocess.run(
        [ffmpeg, "-v", "error", "-i", "-", "-c:a", f"pcm_{codec}", "-f", "wav", "-"],
        input=wav(),
        capture_output=True,
        check=True,
    ).stdout
    assert b"\xff\xff\xff\xff" in content
    assert b"LIST" in content
    sound = read_pipe(SplitReader(content))
    assert sound[:3] == (44100, 2, codec)
    expected, _ = soundfile.read(io.BytesIO(wav()))
    np.testing.assert_allclose(scaled(sound.blocks), expected, atol=2**-7)


def test_length_that_is_declared():
    """What follows it is no sound; without one, all is; and less than it is an error."""
    data = SAMPLES[:10].astype("<i2").tobytes()
    tail = chunk(b"LIST", b"INFO, and no sound")
    odd = chunk(b"junk", b"odd")
    whole = riff(odd, fmt(channels=2), odd, chunk(b"data", data), tail)
    assert len(joined(read_pipe(SplitReader(whole)).blocks)) == 10
    declared = struct.pack("<I", len(data))
    for unknown in (0, 0x7FFF0000, 0x7FFFFF00, 0x80000000, 0xFFFFFFFF):
        stream = riff(fmt(channels=2), chunk(b"data", data)).replace(
            b"data" + declared, b"data" + struct.pack("<I", unknown)
        )
        assert len(joined(read_pipe(SplitReader(stream)).blocks)) == 10
    sound = read_pipe(SplitReader(riff(fmt(channels=2), chunk(b"data", data))[:-6]))
    read = []
    with pytest.raises(skasd.AudioError, match="is truncated: it ends 6 bytes before"):
        read.extend(sound.blocks)
    assert sum(map(len, read)) == 8


def test_raw_pcm_has_the_defaults_or_what_is_asked_for():
    sound = read_pipe(SplitReader(b""))
    assert sound[:3] == (16000, 1, "s16le")
    assert list(sound.blocks) == []
    data = SAMPLES.astype("<i2").tobytes()
    sound = read_pipe(
        SplitReader(data, [5, 70]), sample_rate=8000, n_channels=2, sample_format="S16_LE"
    )
    assert sound[:3] == (8000, 2, "s16le")
    np.testing.assert_array_equal(joined(sound.blocks), SAMPLES.astype("<i2"))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"sample_rate": 48000}, "sample rate 44100, and 48000 was asked for"),
        ({"n_channels": 1}, "number of channels 2, and 1 was"),
        ({"sample_format": "S24_3LE"}, "format s16le, and s24le was"),
    ],
)
def test_header_that_says_another_thing(wanted, message):
    with pytest.raises(skasd.AudioError, match=message):
        read_pipe(SplitReader(wav()), **wanted)
    same = {"sample_rate": 44100, "n_channels": 2, "sample_format": "S16_LE"}
    assert read_pipe(SplitReader(wav()), **same).sample_rate == 44100


@pytest.mark.parametrize(
    "format", ["FLAC", "OGG", "RF64", "AIFF", "AU", "CAF", "W64", "NIST", "VOC", "MP3"]
)
def test_other_containers_are_refused(format):
    file = io.BytesIO()
    soundfile.write(file, np.zeros(5000), 16000, format=format)
    with pytest.raises(skasd.AudioError, match="and only WAV and raw PCM are read from a pipe"):
        read_pipe(SplitReader(file.getvalue()))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"RIFF\0\0\0\0AVI " + bytes(100), "a RIFF file without sound"),
        (b"\0\0\0\x20ftypM4A " + bytes(100), "is MP4"),
        (riff(fmt())[:30], "too short"),
        (riff(fmt()), "ends in its header"),
        (riff(chunk(b"data", b"")), "does not say its format"),
        (riff(chunk(b"fmt ", b"1234"), chunk(b"data", b"")), "too short"),
        (riff(fmt(code=7, width=1, bits=8), chunk(b"data", b"")), "codec 0x7, 1 channels"),
        (riff(fmt(channels=0), chunk(b"data", b"")), "0 channels"),
        (riff(fmt(rate=0), chunk(b"data", b"")), "and 0 Hz"),
        (riff(fmt(width=8, bits=64), chunk(b"data", b"")), "64 bits in frames of 8 bytes"),
        (riff(fmt(width=4, bits=16), chunk(b"data", b"")), "16 bits in frames of 4 bytes"),
    ],
)
def test_headers_that_are_refused(content, problem):
    with pytest.raises(skasd.AudioError, match=problem):
        read_pipe(SplitReader(content))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_headers_are_read_or_refused(data):
    """No other exception, and no endless loop, whatever bytes of the header have changed."""
    content = bytearray(wav(SAMPLES[:20]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        sound = read_pipe(SplitReader(content))
        n_samples = sum(block.size for block in sound.blocks)
    except skasd.AudioError:
        return
    assert sound.sample_format in PCM_FORMATS
    assert n_samples <= len(content)
