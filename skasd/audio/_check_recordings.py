"""A look at recordings before a detector is fitted on them."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from skasd.audio._clipping import count_clipped
from skasd.audio._clips import Clip, Clips, check_clip, check_sequence
from skasd.audio._folders import ANOMALOUS, says_anomalous
from skasd.audio._length import MAX_SECONDS
from skasd.audio._likeness import RATE, Sound, find_copies, find_odd
from skasd.audio._misfits import FULL_SCALE, Finding, find_misfits
from skasd.audio._reading import read_channels, read_clip, recording_facts
from skasd.audio._recording import open_recording
from skasd.audio._recording_facts import RecordingFacts
from skasd.audio._recording_report import RecordingReport, count
from skasd.exceptions import AudioError

LENGTHS_APART = 1.5
"""Ratio of a length to the median that is worth a word."""

OFFSET_OF_FULL_SCALE = 0.05
"""Mean of the samples that is worth a word, whatever the level."""

OFFSET_OF_LEVEL = 0.5
"""The same as a share of the root mean square, if it is more than the rounding of a few bits."""

FEWEST_QUANTA = 1e-3


def check_recordings(
    clips: Clips,
    *,
    input_sample_rate: int = 16000,
    max_seconds: float | None = MAX_SECONDS,
    progress: Callable[[Any], Any] = iter,
) -> RecordingReport:
    """Look at recordings as a careful engineer does before a detector is fitted on them.

    It finds clips that cannot be read; other rates, lengths, channels and formats than most have;
    clips whose upper frequencies are empty, as after resampling or lossy encoding; silence,
    dropouts, clipping, an offset (DC); levels apart from the others; a dead channel, or channels
    that cancel each other; copies; clips that sound unlike all others; and anomalies by their name.

    Parameters
    ----------
    clips : clips
        Paths or arrays of samples, all of one machine.
    input_sample_rate : int, default=16000
        What clips given as arrays are sampled at, in Hz. Files say so themselves.
    max_seconds : float or None, default=3600.0
        Longest clip to accept, in seconds; None for no limit. A longer one is refused
        before memory is taken for it.
    progress : callable, default=iter
        Gets the list of clips, and returns an iterator over it, such as tqdm.

    Returns
    -------
    RecordingReport
        Its `findings` are empty if nothing is wrong; printed, it is a table.

    Raises
    ------
    TypeError
        If `clips` is a single clip.
    ValueError
        If `clips` is empty.

    See Also
    --------
    skasd.fit_clips : Fits a detector; it warns of clips that do not fit the others.

    Notes
    -----
    Clips that sound unlike all others are sought among eight or more, and levels that lie apart
    among five or more. Only the beginnings of clips, of 5 s, are compared for copies.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.audio import check_recordings
    >>> clips = list(np.random.default_rng(0).normal(0, 0.1, size=(9, 16000)))
    >>> clips[7] = 0.5 * clips[2]
    >>> print(check_recordings(clips))
    9 clips
    sample rate  16000 Hz
    length       1 s
    channels     1
    format       array
    bandwidth    8000 Hz
    <BLANKLINE>
    clip 7 is a copy of clip 2, but for its gain or its encoding. Leave it out.
    """
    check_sequence(clips)
    findings: list[Finding] = []
    looks: dict[str, _Look] = {}
    for index, source in enumerate(progress(list(clips))):
        try:
            clip = check_clip(source, index)
            looks[clip.name] = _Look(clip, input_sample_rate, max_seconds)
        except AudioError as error:
            findings.append(Finding(error.what, "unreadable", error.problem, error.remedy))
    facts = {name: look.facts for name, look in looks.items()}
    unread = [finding.clip for finding in findings]
    findings += _find_anomalous_names([*unread, *looks])
    if facts:
        highest = max(each.sample_rate for each in facts.values()) / 2
        findings += find_misfits(facts, listens_up_to=highest, reference=highest)
        findings += _find_unusual(facts, {name: look.format for name, look in looks.items()})
        for name, look in looks.items():
            findings += look.findings(name)
        findings += _compare(looks, {finding.clip for finding in findings})
    summary = {
        "sample rate": count([f"{each.sample_rate} Hz" for each in facts.values()]),
        "length": count([f"{each.duration:.4g} s" for each in facts.values()]),
        "channels": count([str(each.n_channels) for each in facts.values()]),
        "format": count([look.format for look in looks.values()]),
        "bandwidth": count([f"{each.bandwidth:.0f} Hz" for each in facts.values()]),
    }
    summary = {name: values for name, values in summary.items() if values}
    return RecordingReport(len(clips), summary, findings, unread)


class _Look:
    """What is kept of one clip."""

    def __init__(self, clip: Clip, input_sample_rate: int, max_seconds: float | None):
        self.clip = clip
        self.input_sample_rate = input_sample_rate
        self.max_seconds = max_seconds
        samples = self.read()
        self.facts: RecordingFacts = recording_facts(
            clip, input_sample_rate=input_sample_rate, max_seconds=max_seconds
        )
        self.format = _format(clip)
        self.digest = hashlib.sha256(samples.tobytes()).digest()
        self.sound = Sound.of(samples)
        channels, _ = read_channels(clip, input_sample_rate, max_seconds)
        self.n_clipped = max(count_clipped(channel) for channel in channels.T)

    def read(self) -> np.ndarray:
        """Read the clip at the rate at which clips are compared."""
        return read_clip(
            self.clip,
            sample_rate=RATE,
            input_sample_rate=self.input_sample_rate,
            max_seconds=self.max_seconds,
        )

    def findings(self, name: str) -> list[Finding]:
        """Return what is wrong with the clip itself, whatever the others are."""
        findings = []
        facts = self.facts
        if self.n_clipped and not facts.is_silent:
            problem = f"is clipped: its wave is cut off flat {self.n_clipped} times"
            remedy = "Lower the gain and record it again, or leave it out."
            findings.append(Finding(name, "clipping", problem, remedy))
        root_mean_square = 10 ** (facts.level / 20)
        offset = abs(facts.offset)
        if offset > OFFSET_OF_FULL_SCALE or (
            offset > max(OFFSET_OF_LEVEL * root_mean_square, FEWEST_QUANTA)
        ):
            problem = f"has an offset (DC) of {facts.offset:.3g}, where 1 is full scale"
            remedy = "Subtract the mean, or check the sound card."
            findings.append(Finding(name, "offset", problem, remedy))
        if facts.peak > 2 * FULL_SCALE:
            problem = f"has samples of up to {facts.peak:.4g}, where 1 is full scale"
            remedy = "Divide them by the full scale of the integers that they were."
            findings.append(Finding(name, "scale", problem, remedy))
        return findings


def _format(clip: Clip) -> str:
    if not isinstance(clip.source, str):
        return "array"
    with open_recording(clip.source) as recording:
        return recording.format


def _find_unusual(facts: dict[str, RecordingFacts], formats: dict[str, str]) -> list[Finding]:
    """Find clips of another length, number of channels or kind of format than most have."""
    findings = []
    median = float(np.median([each.duration for each in facts.values()]))
    usual = next(iter(count([str(each.n_channels) for each in facts.values()])))
    lossy = {name: _is_lossy(each) for name, each in formats.items()}
    for name, each in facts.items():
        if not 1 / LENGTHS_APART < each.duration / median < LENGTHS_APART:
            problem = f"is {each.duration:.4g} s long, where half are {median:.4g} s or more"
            remedy = "Cut all to one length: verdicts are for clips as long as the training clips."
            findings.append(Finding(name, "length", problem, remedy))
        if str(each.n_channels) != usual:
            problem = f"has {each.n_channels} channels, where most have {usual}"
            remedy = "Record all in the same way, or pass the channel that is the same in all."
            findings.append(Finding(name, "channels", problem, remedy))
        if lossy[name] and not all(lossy.values()):
            problem = f"is encoded with loss ({formats[name]}), where others are not"
            remedy = "Record all in the same way, best without loss."
            findings.append(Finding(name, "format", problem, remedy))
    return findings


def _is_lossy(format_: str) -> bool:
    return any(codec in format_ for codec in ("MPEG", "MP3", "VORBIS", "OPUS", "GSM", "ADPCM"))


def _compare(looks: dict[str, _Look], known: set[str]) -> list[Finding]:
    """Find copies, and clips that sound unlike all others; these only if nothing else is known."""
    sounding = {name: look for name, look in looks.items() if not look.facts.is_silent}
    names, each = list(sounding), list(sounding.values())
    findings = []
    first: dict[bytes, str] = {}
    for name, look in sounding.items():
        original = first.setdefault(look.digest, name)
        if original != name:
            problem = f"is the same as {original}, sample by sample"
            findings.append(Finding(name, "copy", problem, "Leave it out."))
    exact = {finding.clip for finding in findings}
    copies = find_copies([look.sound for look in each], lambda index: each[index].read())
    for later, earlier in copies.items():
        if names[later] not in exact:
            problem = f"is a copy of {names[earlier]}, but for its gain or its encoding"
            findings.append(Finding(names[later], "near copy", problem, "Leave it out."))
    for index, decibels in find_odd([look.sound for look in each]):
        if names[index] not in known:
            problem = (
                f"sounds unlike all others: its bands are {decibels:.0f} dB from those of the "
                "most similar ones"
            )
            remedy = "Listen to it, and leave it out if it is a fault or another machine."
            findings.append(Finding(names[index], "odd", problem, remedy))
    return findings


def _find_anomalous_names(names: Sequence[str]) -> list[Finding]:
    """Find clips whose file, or folder below what all have in common, is called anomalous."""
    paths = [name for name in names if os.path.dirname(name) or os.path.exists(name)]
    if not paths:
        return []
    common = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])
    # The folder that all are in counts by its whole name: not "anomaly_detection", but "abnormal".
    all_are = ANOMALOUS.fullmatch(os.path.basename(common).lower())
    problem = "is an anomaly, judging by its name"
    remedy = "Keep it for a test, and fit on healthy clips alone."
    return [
        Finding(path, "anomaly", problem, remedy)
        for path in paths
        if all_are or any(map(says_anomalous, PurePath(os.path.relpath(path, common)).parts))
    ]
