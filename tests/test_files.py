"""Files are read whole, or refused: beside ffmpeg, and beside headers that are built here."""

import os
import re
import struct
import subprocess
import zlib

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from skasd import AudioError, ClipTransformer, FeatureDetector, score_clips
from skasd.audio import check_clips, read_clip
from skasd.audio._blocks import read_blocks
from skasd.audio._recording import open_recording

RATE = 16000
SOUND = (
    0.4 * np.sin(2 * np.pi * 440 * np.arange(6000) / RATE)
    + 0.1 * np.random.default_rng(0).standard_normal(6000)
).astype(np.float32)


def read(path):
    """Return all samples of all channels."""
    return np.concatenate(list(read_blocks(str(path))))


def read_bytes(folder, content, name="clip"):
    path = folder / name
    path.write_bytes(content)
    return read(path)


def refuse(folder, content, problem):
    path = folder / "clip"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=problem) as caught:
        read_clip(*check_clips([path]), sample_rate=RATE)
    assert caught.value.clip == str(path)


@pytest.fixture(scope="session")
def ffmpeg():
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="ffmpeg is not installed")

    def run(*arguments):
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).stdout

    return run


FORMATS = {
    "WAV": ("wav", "pcm_s16le", ""),
    "WAV of 24 bits": ("wav", "pcm_s24le", ""),
    "WAV of floats": ("wav", "pcm_f32le", ""),
    "WAV of A-law": ("wav", "pcm_alaw", ""),
    "RF64": ("wav", "pcm_s16le", "-rf64 always"),
    "W64": ("w64", "pcm_s24le", ""),
    "AIFF": ("aiff", "pcm_s16be", ""),
    "AIFC": ("aiff", "pcm_f32be", ""),
    "AU": ("au", "pcm_s16be", ""),
    "CAF": ("caf", "pcm_s16le", ""),
    "FLAC": ("flac", "flac", ""),
    "Vorbis": ("ogg", "libvorbis", ""),
    "Opus": ("opus", "libopus", "-ar 48000"),
    "MP3": ("mp3", "libmp3lame", ""),
    "MP3, VBR": ("mp3", "libmp3lame", "-q:a 4 -ar 44100"),
    "MP3, VBR, no length": ("mp3", "libmp3lame", "-q:a 4 -write_xing 0"),
    "MP3, CBR, no length": ("mp3", "libmp3lame", "-b:a 64k -ar 48000 -write_xing 0"),
    "MP3 of 8 kHz": ("mp3", "libmp3lame", "-ar 8000 -write_xing 0"),
    "MP2": ("mp2", "mp2", ""),
}


@pytest.fixture(scope="module", params=FORMATS)
def encoded(request, ffmpeg, tmp_path_factory):
    """Return a file that ffmpeg wrote, of two channels, and what it reads from it."""
    suffix, codec, options = FORMATS[request.param]
    folder = tmp_path_factory.mktemp("encoded")
    soundfile.write(folder / "sound.wav", np.stack([SOUND, SOUND[::-1]], 1), RATE, "FLOAT")
    path = folder / f"clip.{suffix}"
    ffmpeg("-i", folder / "sound.wav", "-c:a", codec, *options.split(), path)
    decoded = ffmpeg("-i", path, "-f", "f32le", "-")
    return path, np.frombuffer(decoded, "<f4").reshape(-1, 2)


def test_whole_as_ffmpeg_reads_it(encoded):
    path, expected = encoded
    samples = read(path)
    if path.suffix == ".ogg":
        # ffmpeg does not cut off the end of the last block.
        assert len(samples) == len(SOUND) <= len(expected)
    else:
        assert len(samples) == len(expected)
    np.testing.assert_allclose(samples, expected[: len(samples)], rtol=0, atol=1e-4)


def test_cut_off_is_refused(encoded, tmp_path):
    content = encoded[0].read_bytes()
    for n_bytes in [1, 3, 31, *np.linspace(0.1, 0.9, 7) * len(content)]:
        refuse(tmp_path, content[: -(int(n_bytes) | 1)], "is truncated|is damaged|cannot be read")


def test_faults_of_headers_lose_no_sound(encoded, ffmpeg, tmp_path):
    """Whatever byte of the header is wrong, no less is read than ffmpeg reads, or nothing."""
    content = encoded[0].read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.choice(60, 10, replace=False):
        broken = bytearray(content)
        broken[place] = rng.integers(256)
        try:
            samples = read_bytes(tmp_path, broken)
        except AudioError:
            continue
        expected = ffmpeg("-i", tmp_path / "clip", "-f", "f32le", "-")
        assert samples.size >= len(expected) // 4 - 128


LITTLE, BIG = "<", ">"


def chunk(name, content, order=LITTLE, pad=True):
    return (
        name + struct.pack(f"{order}I", len(content)) + content + b"\0" * (len(content) % 2 * pad)
    )


def wav(
    pcm, *, rate=RATE, channels=1, bits=16, tag=1, extra=b"", tail=b"", length=None, order=LITTLE
):
    """Build a WAV file, with chunks before and after its sound."""
    block = channels * bits // 8
    form = struct.pack(f"{order}HHIIHH", tag, channels, rate, rate * block, block, bits)
    size = struct.pack(f"{order}I", len(pcm) if length is None else length)
    body = b"WAVE" + chunk(b"fmt ", form, order) + extra + b"data" + size + pcm + tail
    riff = b"RIFF" if order == LITTLE else b"RIFX"
    return riff + struct.pack(f"{order}I", len(body)) + body


def rf64(pcm, *, length, channels=1, rate=RATE):
    content = wav(pcm, channels=channels, rate=rate, length=0xFFFFFFFF)
    ds64 = chunk(b"ds64", struct.pack("<QQQI", len(content) + 28, length, 0, 0))
    return b"RF64\xff\xff\xff\xffWAVE" + ds64 + content[12:]


def w64(pcm, *, length, channels=1, rate=RATE):
    tail = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    form = struct.pack("<HHIIHH", 1, channels, rate, 2 * rate * channels, 2 * channels, 16)
    body = b"wave" + tail + b"fmt " + tail + struct.pack("<Q", 40) + form
    body += b"data" + tail + struct.pack("<Q", length) + pcm
    riff = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    return riff + struct.pack("<Q", 24 + len(body)) + body


def aiff(pcm, *, length, n_frames, channels=1):
    rate = struct.pack(">HQ", 16383 + 13, RATE << 50)  # 80 bits
    common = chunk(b"COMM", struct.pack(">HIH", channels, n_frames, 16) + rate, BIG)
    body = b"AIFF" + common + b"SSND" + struct.pack(">III", length, 0, 0) + pcm
    return b"FORM" + struct.pack(">I", len(body)) + body


def au(pcm, *, length, channels=1):
    return b".snd" + struct.pack(">5I", 24, length, 3, RATE, channels) + pcm


def caf(pcm, *, length, channels=1):
    desc = struct.pack(">d4s5I", RATE, b"lpcm", 0, 2 * channels, 1, channels, 16)
    content = b"caff\0\1\0\0desc" + struct.pack(">q", 32) + desc
    return content + b"data" + struct.pack(">qI", length, 0) + pcm


names = st.sampled_from([b"LIST", b"bext", b"junk", b"PAD ", b"iXML", b"abcd", b"fact"])
chunks = st.lists(
    st.tuples(names, st.integers(0, 5000), st.booleans(), st.integers(0, 255)), max_size=4
)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    before=chunks,
    after=chunks,
    rate=st.integers(50, 192000),
    channels=st.integers(1, 9),
    n_frames=st.integers(1, 700),
    width=st.sampled_from([1, 2, 3, 4]),
    order=st.sampled_from([LITTLE, BIG]),
    n_cut=st.integers(1, 10**6),
)
def test_any_wav_header(tmp_path, before, after, rate, channels, n_frames, width, order, n_cut):
    """Chunks of any length around the sound, with pad bytes or, as some write them, without."""
    assume(order == LITTLE or width > 1)
    shape = n_frames, channels
    integers = np.random.default_rng(n_frames).integers(0, 256, (*shape, width), np.uint8)
    pcm = integers.tobytes()
    extra, tail = (
        b"".join(chunk(name, bytes([fill]) * n, order, pad) for name, n, pad, fill in parts)
        for parts in (before, after)
    )
    tail = b"\0" * (len(pcm) % 2) + tail
    content = wav(
        pcm, rate=rate, channels=channels, bits=8 * width, order=order, extra=extra, tail=tail
    )
    values = integers if order == BIG else integers[..., ::-1]
    expected = sum(values[..., i].astype(float) * 256.0 ** (width - 1 - i) for i in range(width))
    if width == 1:
        expected -= 128
    expected[expected >= 128 * 256.0 ** (width - 1)] -= 256.0**width
    path = tmp_path / "clip.wav"
    path.write_bytes(content)
    np.testing.assert_allclose(read(path), expected / 128 / 256 ** (width - 1), atol=1e-6)
    n_sound = len(content) - len(tail)
    n_cut = len(tail) + 1 + n_cut % (n_sound - 1)
    refuse(tmp_path, content[: len(content) - n_cut], "is truncated|is damaged|cannot be read")


PCM = (SOUND * 32767).astype("<i2").tobytes()
PCM_BIG = (SOUND * 32767).astype(">i2").tobytes()
UNKNOWN = [0, 0x7FFFF000, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0x80000000, 2**32 - 1, 2**32 - 45]


@pytest.mark.parametrize("length", [*UNKNOWN, 0x7FFF0000, 0x7FFFF000 // 6 * 6])
def test_wav_of_a_recorder_that_was_killed(tmp_path, length):
    """As ffmpeg, SoX, arecord, MPlayer, GStreamer and Python's wave leave it behind."""
    samples = read_bytes(tmp_path, wav(PCM, length=length))
    np.testing.assert_array_equal(samples[:, 0], np.frombuffer(PCM, "<i2") / np.float32(32768))
    # It starts with silence, ends within a sample, and has a long header.
    silence = bytes(len(PCM)) + PCM[:-1]
    comment = chunk(b"LIST", b"INFO" + bytes(3001))
    assert len(read_bytes(tmp_path, wav(silence, length=length, extra=comment))) == 11999


@pytest.mark.parametrize("length", [len(PCM) + 2, 3_000_000_000, 0x7FFFF000 + 2**20, 0x90000000])
def test_wav_that_is_cut_off_however_long_it_was(tmp_path, length):
    refuse(tmp_path, wav(PCM, length=length), "is truncated: it ends after 0.375 s")


def test_wav_that_goes_on(tmp_path):
    """Headers that were written while the recorder ran, or lengths beyond 4 GiB."""
    refuse(tmp_path, wav(PCM, length=4000), "it goes on after the length that it declares")
    assert len(read_bytes(tmp_path, wav(PCM, tail=bytes(3000)))) == 6000
    assert len(read_bytes(tmp_path, wav(PCM, tail=b"TAG" + b"fan".ljust(125)))) == 6000
    refuse(tmp_path, wav(b""), "holds no samples")
    refuse(tmp_path, wav(b"", tail=chunk(b"LIST", b"INFOabc")), "holds no samples")


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("build", "unknown"),
    [
        (rf64, [0, 2**64 - 1, 2**63 - 1]),
        (w64, [0, 24, 2**63 - 1, 2**64 - 1]),
        (au, [0xFFFFFFFF, 0]),
        (caf, [-1, 0]),
        (aiff, [0, 8, 0x7F000008, 0xFFFFFFFF]),
    ],
    ids=["RF64", "W64", "AU", "CAF", "AIFF"],
)
def test_other_containers_of_recorders_that_were_killed(tmp_path, build, unknown, channels):
    pcm = PCM_BIG if build in (au, caf, aiff) else PCM
    options = {"channels": channels}
    if build is aiff:
        options["n_frames"] = 0
    expected = (np.frombuffer(PCM, "<i2") / np.float32(32768)).reshape(-1, channels)
    for length in unknown:
        samples = read_bytes(tmp_path, build(pcm, length=length, **options))
        np.testing.assert_array_equal(samples, expected)
    if build is aiff:
        options["n_frames"] = 6001 // channels
    header = {w64: 24, caf: 4, aiff: 8}.get(build, 0)
    for length in (len(pcm) + 2 * channels, 3_000_000_000):
        content = build(pcm, length=header + length, **options)
        refuse(tmp_path, content, "is truncated")


def test_kinds_of_sound_that_are_not_read(tmp_path, ffmpeg):
    soundfile.write(tmp_path / "sound.wav", SOUND, RATE)
    for suffix, codec, problem in [
        ("wav", "pcm_s64le", "PCM of 64 bits"),
        ("wav", "libmp3lame", "MP3 in a WAV"),
        ("ogg", "flac", "FLAC in an Ogg"),
        ("mka", "flac", "Matroska"),
        ("m4a", "aac", "M4A"),
        ("aac", "aac", "AAC"),
        ("aiff", "adpcm_ima_qt", "ima4"),
    ]:
        path = tmp_path / f"clip.{suffix}"
        ffmpeg("-i", tmp_path / "sound.wav", "-c:a", codec, path)
        assert path.stat().st_size > 100
        refuse(tmp_path, path.read_bytes(), f"cannot be read: it is .*{problem}")
    refuse(tmp_path, bytes.fromhex("00051607") + bytes(100), "AppleDouble")
    refuse(tmp_path, wav(PCM * 4, bits=64), "PCM of 64 bits")


@pytest.mark.posix
def test_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", "/dev/null", "/dev/zero"):
        with pytest.raises(AudioError, match="is not a regular file"):
            read_clip(*check_clips([path]), sample_rate=RATE)


def mp3(folder, mode="VARIABLE"):
    options = {"bitrate_mode": mode, "compression_level": 0.5}
    soundfile.write(folder / "sound.mp3", SOUND, RATE, format="MP3", **options)
    content = (folder / "sound.mp3").read_bytes()
    return content, content.index(b"Info" if mode == "CONSTANT" else b"Xing")


def frame_sizes(content):
    """Return the sizes of frames of MPEG-2, layer III, at 16 kHz."""
    kilobits = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    sizes = []
    while sum(sizes) < len(content):
        header = content[sum(sizes) :]
        sizes.append(72 * kilobits[header[2] >> 4] // 16 + (header[2] >> 1 & 1))
    return sizes


ID3 = b"ID3\x03\0\0\0\0\0\x5aTIT2\0\0\0\x06\0\0\0fan 1" + bytes(74)


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_mp3_whose_length_is_missing_or_wrong(tmp_path, ffmpeg, mode):
    content, place = mp3(tmp_path, mode)
    sizes = frame_sizes(content)
    frames = content[sizes[0] :]
    (n_frames,) = struct.unpack(">I", content[place + 8 : place + 12])
    assert n_frames == len(sizes) - 1
    fewer = bytearray(content)
    fewer[place + 8 : place + 12] = struct.pack(">I", n_frames // 2)
    uncounted = bytearray(content)
    uncounted[place + 7] &= 0xFE
    whole = read_bytes(tmp_path, frames)
    decoded = ffmpeg("-i", tmp_path / "clip", "-f", "f32le", "-")
    np.testing.assert_allclose(whole[:, 0], np.frombuffer(decoded, "<f4"), rtol=0, atol=1e-4)
    for variant in (ID3 + frames, frames + b"TAG" + bytes(125), ID3 + fewer, uncounted):
        np.testing.assert_array_equal(read_bytes(tmp_path, variant), whole)
    assert len(read_bytes(tmp_path, frames + ID3 + frames)) == 2 * len(whole)
    more = bytearray(content)
    more[place + 8 : place + 12] = struct.pack(">I", n_frames + 1)
    refuse(tmp_path, more, "is truncated")
    middle = sum(sizes[: n_frames // 2])
    refuse(tmp_path, content[: middle + 3] + content[middle + 9 :], "is damaged|is truncated")


def unknown_length(content):
    """Set the last 36 bits of the eight bytes to zero that hold FLAC's number of samples."""
    bits = int.from_bytes(content[18:26], "big") >> 36 << 36
    return content[:18] + bits.to_bytes(8, "big") + content[26:]


@pytest.mark.parametrize("n_samples", [1, 4000, 4096, 30000])
@pytest.mark.parametrize("channels", [1, 2])
def test_flac_of_unknown_length(tmp_path, n_samples, channels):
    sound = np.resize(SOUND, (n_samples, channels))
    soundfile.write(tmp_path / "sound.flac", sound, RATE)
    content = (tmp_path / "sound.flac").read_bytes()
    whole = read_bytes(tmp_path, content)
    assert whole.shape == sound.shape
    streamed = unknown_length(content)
    for variant in (streamed, ID3 + streamed, streamed + b"TAG" + bytes(125), ID3 + content):
        np.testing.assert_array_equal(read_bytes(tmp_path, variant), whole)
    for n_bytes in (1, 5, len(streamed) // 3):
        refuse(tmp_path, streamed[:-n_bytes], "is truncated|is damaged|cannot be read")
    if n_samples == 30000:
        shorter = bytearray(content)
        shorter[24] ^= 0x10
        refuse(tmp_path, shorter, "is truncated|goes on after the length")


def ogg_checksum(page):
    """Compute it bit by bit, as RFC 3533 describes it."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x104C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def ogg_pages(content):
    return [b"OggS" + page for page in content.split(b"OggS")[1:]]


def renumbered(page, *, serial):
    page = page[:14] + struct.pack("<I", serial) + page[18:22] + bytes(4) + page[26:]
    return page[:22] + struct.pack("<I", ogg_checksum(page)) + page[26:]


@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
def test_ogg(tmp_path, codec):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (60000, 2))
    soundfile.write(tmp_path / "sound.ogg", sound, RATE, format="OGG", subtype=codec)
    content = (tmp_path / "sound.ogg").read_bytes()
    pages = ogg_pages(content)
    assert len(pages) > 3
    whole = read_bytes(tmp_path, content)
    assert len(whole) == len(sound)
    np.testing.assert_array_equal(
        read_bytes(tmp_path, b"".join(renumbered(page, serial=7) for page in pages)), whole
    )
    refuse(tmp_path, content[:-1], "is truncated")
    refuse(tmp_path, b"".join(pages[:-1]), "is truncated")
    refuse(tmp_path, b"".join(pages[:3] + pages[4:]), "pages of Ogg are missing")
    flipped = bytearray(content)
    flipped[-100] ^= 1
    refuse(tmp_path, flipped, "does not match its checksum")
    refuse(tmp_path, content[:-2000] + b"\1" * 100 + content[-2000:], "is damaged")
    other = [renumbered(page, serial=7) for page in pages]
    several = "holds several streams of Ogg"
    refuse(tmp_path, content + content, several)
    refuse(tmp_path, content + b"".join(other), several)
    mixed = [page for pair in zip(pages, other, strict=True) for page in pair]
    refuse(tmp_path, b"".join(mixed), several)


def test_adpcm_ends_where_its_fact_says(tmp_path, ffmpeg):
    soundfile.write(tmp_path / "sound.wav", SOUND[:5900], RATE)
    for codec in ("adpcm_ima_wav", "adpcm_ms"):
        path = tmp_path / f"{codec}.wav"
        ffmpeg("-i", tmp_path / "sound.wav", "-c:a", codec, path)
        padded = np.frombuffer(ffmpeg("-i", path, "-f", "f32le", "-"), "<f4")
        assert len(padded) > 5900
        np.testing.assert_allclose(read(path)[:, 0], padded[:5900], atol=1e-4)
        refuse(tmp_path, path.read_bytes()[:-600], "is truncated")
    for subtype, n_samples in [("GSM610", 5900), ("MS_ADPCM", 5900)]:
        soundfile.write(tmp_path / "clip.wav", SOUND[:5900], RATE, subtype=subtype)
        assert len(read(tmp_path / "clip.wav")) == n_samples


@pytest.mark.parametrize("channels", [1, 2])
def test_adpcm_of_libsndfile_counts_its_padding_as_sound(tmp_path, channels):
    loud = np.resize(np.where(np.arange(5900) % 8 < 4, 0.5, -0.5), (5900, channels))
    path = tmp_path / "clip.wav"
    soundfile.write(path, loud, RATE, subtype="IMA_ADPCM")
    padded = soundfile.info(path).frames
    assert padded > 6000
    samples = read(path)
    assert 5900 <= len(samples) < 6000
    np.testing.assert_array_equal(
        samples, soundfile.read(path, dtype="float32", always_2d=True)[0][: len(samples)]
    )
    soundfile.write(path, np.resize(loud, (padded, channels)), RATE, subtype="IMA_ADPCM")
    assert len(read(path)) == padded
    soundfile.write(path, np.zeros((9000, channels)), RATE, subtype="IMA_ADPCM")
    assert len(read(path)) == soundfile.info(path).frames


class Energy(ClipTransformer):
    """Overflows in float32, for clips that `read_clip` accepts."""

    def transform_clip(self, samples):
        return np.array([np.sum(samples**4)])


class EnergyDetector(FeatureDetector):
    def score_samples(self, X):
        return super().score_samples(Energy().transform(X))


@pytest.mark.parametrize("peak", [3e38, 1e20, 1e13, 1e11])
def test_huge_samples_end_no_run(tmp_path, peak):
    paths = [tmp_path / f"{i}.wav" for i in range(3)]
    for path in paths:
        huge = np.where(np.arange(6000) // 10 == 9, peak, SOUND) if "1.wav" in path.name else SOUND
        soundfile.write(path, np.stack([huge, huge], 1), 48000, subtype="FLOAT")
    detector = EnergyDetector().fit(Energy().transform([paths[0], paths[2]]))
    scores = list(score_clips(detector, paths, on_error="skip"))
    assert [score.prediction == 0 for score in scores] == [False, True, False]
    assert re.search(r"NaN or inf|samples as large as|samples reach 1e\+11", scores[1].error)
    with pytest.raises(AudioError, match=re.escape(str(paths[1]))):
        Energy().transform(paths)


def test_checksum_of_ogg_is_that_of_zlib_the_other_way_round():
    from skasd.audio._containers._ogg import _checksum

    page = bytes(np.random.default_rng(0).integers(0, 256, 999, np.uint8))
    assert _checksum(page) == ogg_checksum(page)
    assert _checksum(page) != zlib.crc32(page)


@pytest.mark.parametrize(
    "content", [b"\xff\xf3\x88", b"\xff\xfb\x90\x00", b"ID3", b"fLaC", b"OggS"]
)
def test_beginnings_are_refused(tmp_path, content):
    refuse(tmp_path, content, "is truncated|is damaged|cannot be read")


def test_sound_in_two_chunks_is_refused(tmp_path):
    refuse(tmp_path, wav(PCM, tail=chunk(b"data", PCM)), "goes on after the length")


def test_adpcm_of_a_recorder_that_was_killed(tmp_path, ffmpeg):
    soundfile.write(tmp_path / "sound.wav", SOUND, RATE)
    ffmpeg("-i", tmp_path / "sound.wav", "-c:a", "adpcm_ima_wav", tmp_path / "whole.wav")
    content = (tmp_path / "whole.wav").read_bytes()
    place = content.index(b"data") + 4
    for length in (0, 2**32 - 1):
        open_ended = content[:place] + struct.pack("<I", length) + content[place + 4 :]
        samples = read_bytes(tmp_path, open_ended[:-5])
        assert len(samples) == 2 * 2041
        np.testing.assert_array_equal(samples, read(tmp_path / "whole.wav")[: len(samples)])


@pytest.mark.posix
def test_name_that_is_no_text(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.wav")
    try:
        with open(path, "wb") as file:
            file.write(wav(PCM))
    except OSError:
        pytest.skip("this file system has names of text alone")
    assert len(read_clip(*check_clips([path]), sample_rate=RATE)) == 6000
    with open(path, "wb") as file:
        file.write(wav(PCM)[:500])
    with pytest.raises(AudioError, match="is truncated"):
        read_clip(*check_clips([path]), sample_rate=RATE)


def test_silence_is_not_searched_for_chunks(tmp_path):
    head = aiff(b"", length=0, n_frames=0)
    path = tmp_path / "long"
    path.write_bytes(head)
    os.truncate(path, len(head) + 3 * 2**30)
    with open_recording(str(path)) as recording:
        assert not next(recording.blocks(100)).any()


@pytest.mark.parametrize("build", [wav, rf64, w64, au, caf])
def test_recorders_that_were_killed_after_more_than_4_gib(tmp_path, build):
    """The file has a hole, and takes no space."""
    head = build(b"", length=0)
    path = tmp_path / "long"
    path.write_bytes(head + b"\1\0\0\1")
    os.truncate(path, len(head) + 5 * 2**30)
    with open_recording(str(path)) as recording:
        block = next(recording.blocks(100))
    expected = [[256], [1]] if build in (au, caf) else [[1], [256]]
    np.testing.assert_array_equal(block[:2] * 32768, expected)
