"""The look at recordings before a fit: each planted fault is found, and nothing else."""

import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
import soxr
from typer.testing import CliRunner

from skasd.audio import RecordingReport, check_recordings
from skasd.audio._clipping import count_clipped
from skasd.audio._misfits import Finding
from skasd.audio._recording_facts import ChannelPowers, RecordingFacts, find_bandwidth
from skasd.cli import app
from skasd.datasets import make_machine_sounds
from skasd.report._write_recordings import write_recordings

RATE, SECONDS = 16000, 2


@pytest.fixture(scope="module")
def clips():
    clips, _ = make_machine_sounds(
        "pump", n_normal=14, n_anomalous=0, duration=SECONDS, snr_db=6, random_state=1
    )
    return [clip.astype(np.float32) for clip in clips]


def noise(seed=0, n_samples=RATE * SECONDS, scale=0.05):
    return np.random.default_rng(seed).normal(0, scale, n_samples).astype(np.float32)


def through(samples, rate, **format_):
    """Return what is read of samples that were written in some format."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **format_)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def with_zeros(clip, seconds=0.1):
    clip = clip.copy()
    clip[9000 : 9000 + round(seconds * RATE)] = 0
    return clip


def as_mp3(clip):
    return through(0.5 * clip, RATE, format="MP3", subtype="MPEG_LAYER_III")[: len(clip)]


def fan(seed=7):
    return make_machine_sounds(
        "fan", n_normal=1, n_anomalous=0, duration=SECONDS, snr_db=6, random_state=seed
    )[0][0]


FAULTS = {
    "silent": lambda clips: np.zeros_like(clips[0]),
    "dropouts": lambda clips: with_zeros(clips[5]),
    "clipping": lambda clips: np.clip(clips[5], *np.quantile(clips[5], [0.02, 0.98])),
    "offset": lambda clips: clips[5] + 0.1,
    "level": lambda clips: 0.1 * noise(3) * clips[5].std() / noise(3).std(),
    "scale": lambda clips: clips[5] * 2**15,
    "copy": lambda clips: clips[2].copy(),
    "near copy": lambda clips: as_mp3(clips[2]),
    "odd": lambda clips: fan(),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_planted_fault_is_found(kind, clips):
    report = check_recordings([*clips[:5], *clips[6:], FAULTS[kind](clips)])
    assert kind in {finding.kind for finding in report.findings}
    assert {finding.clip for finding in report.findings} == {"clip 13"}


def test_nothing_is_said_of_what_is_right(clips):
    assert check_recordings(clips).findings == []


def write(folder, clips, rate=RATE, **format_):
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index}.wav" for index in range(len(clips))]
    for path, clip in zip(paths, clips, strict=True):
        soundfile.write(path, clip, rate, **format_)
    return paths


def planted(folder, kind, clips):
    """Write a file with a fault in it, and return its path."""
    path = folder / "planted.wav"
    resampled = soxr.resample(clips[5], RATE, 8000)
    if kind == "rate":
        soundfile.write(path, resampled, 8000)
    elif kind == "bandwidth":
        soundfile.write(path, soxr.resample(resampled, 8000, RATE), RATE)
    elif kind == "unreadable":
        soundfile.write(path, clips[5], RATE)
        path.write_bytes(path.read_bytes()[:20000])
    elif kind == "dead channel":
        soundfile.write(path, np.stack([clips[5], 1e-4 * clips[4]], axis=1), RATE)
    elif kind == "antiphase":
        soundfile.write(path, np.stack([clips[5], -0.95 * clips[5]], axis=1), RATE)
    elif kind == "channels":
        soundfile.write(path, np.stack([clips[5], 0.5 * clips[4]], axis=1), RATE)
    elif kind == "length":
        soundfile.write(path, clips[5][: RATE // 2], RATE)
    elif kind == "format":
        path = path.with_suffix(".ogg")
        soundfile.write(path, clips[5], RATE)
    elif kind == "anomaly":
        path = path.with_name("section_00_anomaly_0.wav")
        soundfile.write(path, clips[5], RATE)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "rate",
        "bandwidth",
        "unreadable",
        "dead channel",
        "antiphase",
        "channels",
        "length",
        "format",
        "anomaly",
    ],
)
def test_a_planted_file_is_found(kind, clips, tmp_path):
    paths = write(tmp_path / "healthy", clips[:5] + clips[6:])
    path = planted(tmp_path / "healthy", kind, clips)
    report = check_recordings([*paths, path])
    assert kind in {finding.kind for finding in report.findings}
    assert {finding.clip for finding in report.findings} == {str(path)}
    assert report.unread == ([str(path)] if kind == "unreadable" else [])


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("fan/abnormal", 2),
        ("anomaly_detection/fan", 0),
        ("fan/no_anomaly", 0),
        ("fan/normal", 0),
        ("fan/default", 0),
    ],
)
def test_names_of_folders(folder, found, clips, tmp_path):
    report = check_recordings(write(tmp_path / folder, clips[:2]))
    assert [finding.kind for finding in report.findings] == ["anomaly"] * found


def test_anomalies_below_a_common_folder(clips, tmp_path):
    healthy = write(tmp_path / "normal", clips[:2])
    odd = write(tmp_path / "Abnormal" / "fan", clips[2:4])
    report = check_recordings([*healthy, *odd])
    assert [finding.clip for finding in report.findings] == [str(path) for path in odd]


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("low", [8000, 16000, 32000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_bandwidth_of_what_was_resampled(rate, low, subtype):
    samples = soxr.resample(noise(n_samples=low), low, rate)
    samples = through(samples, rate, format="WAV", subtype=subtype)
    expected = min(rate, low) / 2
    # To a few of the 64 bands that are told apart.
    assert find_bandwidth(samples, rate) == pytest.approx(expected, rel=0.1, abs=rate / 100)


def test_bandwidth_of_an_encoder():
    samples = noise(n_samples=88200)
    encoded = through(samples, 44100, format="MP3", subtype="MPEG_LAYER_III")
    # LAME's filter at its default quality.
    assert 15000 < find_bandwidth(encoded, 44100) < 19000
    assert find_bandwidth(samples, 44100) == 22050


@pytest.mark.parametrize("hertz", [50, 120, 440, 3000])
def test_a_tone_over_noise_is_no_edge(hertz):
    tone = np.sin(2 * np.pi * hertz * np.arange(RATE * SECONDS) / RATE).astype(np.float32)
    assert find_bandwidth(0.5 * tone + noise(scale=1e-3), RATE) == RATE / 2


def facts_of_mean(channels):
    powers = ChannelPowers()
    for block in np.array_split(channels, 3):
        powers.add(block)
    return RecordingFacts.of(channels.mean(axis=1), 2, RATE).with_channels(powers.of_channels())


def test_facts_are_what_was_planted():
    left, right = noise(1), noise(2)
    channels = np.stack([left, -left], axis=1) + np.float32(0.25)
    facts = facts_of_mean(channels)
    assert facts.offset == pytest.approx(0.25, abs=1e-3)
    assert facts.cancelled > 60
    channels = np.stack([left, right], axis=1)
    facts = facts_of_mean(channels)
    # Of two that are unrelated, the mean has half of the power.
    assert facts.cancelled == pytest.approx(3.0, abs=0.2)
    assert facts.level == pytest.approx(20 * np.log10(0.05) - 3.0, abs=0.2)
    facts = RecordingFacts.of(with_zeros(left, 0.5), 1, RATE)
    assert facts.still == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("hertz", [20, 50, 440])
@pytest.mark.parametrize("bits", [8, 16, 24])
def test_the_top_of_a_wave_is_not_clipped(hertz, bits):
    """A slow wave stays at its largest value for some samples, as rounding makes it."""
    wave = np.sin(2 * np.pi * hertz * np.arange(48000) / 48000)
    rounded = np.round(0.7 * wave * 2 ** (bits - 1)) / 2 ** (bits - 1)
    assert count_clipped(rounded) == 0
    if bits > 8:
        assert count_clipped(np.clip(rounded, -0.4, 0.4)) > 0


@pytest.mark.parametrize(
    "copy",
    [
        lambda clip: -0.3 * clip,
        lambda clip: clip[: len(clip) * 3 // 4],
        lambda clip: clip[800:],
        lambda clip: clip + noise(9, len(clip), 0.1 * clip.std()),
        lambda clip: soxr.resample(soxr.resample(clip, RATE, 44100), 44100, RATE),
        lambda clip: np.round(clip * 2**15) / 2**15,
    ],
    ids=["gain", "shorter", "later", "noise", "resampled", "rounded"],
)
def test_copies(copy, clips):
    copied = copy(clips[3]).astype(np.float32)
    kinds = {f.clip: f.kind for f in check_recordings([*clips, copied]).findings}
    assert kinds.get("clip 14") == "near copy"


def test_all_clips_are_unreadable(tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    report = check_recordings([tmp_path / "a.wav", [np.nan] * 100])
    assert report.unread == [str(tmp_path / "a.wav"), "clip 1"]
    assert {finding.kind for finding in report.findings} == {"unreadable"}


@pytest.mark.parametrize("wrong", ["fan.wav", np.zeros(100), []])
def test_wrong_input(wrong):
    with pytest.raises((TypeError, ValueError)):
        check_recordings(wrong)


def test_real_machines_are_no_faults(shared_recordings):
    for folder in ("dcase2020/slider/train", "dcase2021/fan", "dcase2021/pump", "dcase2021/valve"):
        paths = sorted((shared_recordings / folder).rglob("*.wav"))
        assert len(paths) >= 40
        assert check_recordings(paths).findings == []


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def run(*arguments):
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def test_command(clips, tmp_path):
    folder = tmp_path / "healthy"
    paths = write(folder, clips)
    result = run(folder, "--fail-on-finding")
    assert result.exit_code == 0
    assert "Nothing is wrong" in result.stdout
    soundfile.write(paths[3], np.zeros(RATE * SECONDS), RATE)
    result = run(folder, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [(each["clip"], each["kind"]) for each in found["findings"]] == [
        (str(paths[3]), "silent")
    ]
    assert found["summary"]["sample rate"] == {"16000 Hz": 14}
    assert run(folder, "--fail-on-finding").exit_code == 1
    paths[4].write_bytes(b"RIFF")
    result = run(folder)
    assert result.exit_code == 3
    assert f"not read: {paths[4]}" in result.stderr
    assert run(folder, "--fail-on-finding").exit_code == 1


@pytest.mark.parametrize("arguments", [["nowhere"], ["--html", "no/where.html"], []])
def test_command_that_cannot_start(arguments, clips, tmp_path):
    write(tmp_path / "healthy", clips[:2])
    arguments = [str(tmp_path / each) if "where" in each else each for each in arguments]
    result = run(*([tmp_path / "healthy"] if "--html" in arguments else []), *arguments)
    assert result.exit_code in (2, 3)


def test_a_page_overwrites_no_recording(clips, tmp_path):
    (path, *_) = write(tmp_path, clips[:2])
    before = path.read_bytes()
    assert run(tmp_path, "--html", path).exit_code == 2
    assert path.read_bytes() == before


def test_a_name_of_bytes_that_are_no_text_is_in_the_page(tmp_path):
    name = b"\xff.wav".decode(errors="surrogateescape")
    report = RecordingReport(1, {}, [Finding(name, "silent", "is silent", "Leave it out.")], [])
    write_recordings(report, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "\\xff.wav" in Page(page).text


@pytest.mark.posix
def test_hostile_names_are_text_in_the_page(clips, tmp_path):
    folder = tmp_path / "healthy"
    folder.mkdir()
    names = [
        "<script>alert(1)<|script>.wav",
        '"><img src=x onerror=alert(1)>.wav',
        "a&amp;b.wav",
        "new\nline.wav",
    ]
    for name in names:
        soundfile.write(folder / name, np.zeros(RATE), RATE)
    page = tmp_path / "page.html"
    result = run(folder, "--html", page)
    assert result.exit_code == 0, result.output
    read = Page(page.read_text(encoding="utf-8"))
    tags = [tag for tag, _ in read.tags]
    assert tags.count("script") == 1
    assert not {"img", "iframe"}.intersection(tags)
    assert not any(name.startswith("on") or name == "src" for _, a in read.tags for name in a)
    for name in names:
        assert name.replace("\n", "\\n") in read.text
