"""Recordings that do not fit the others, by what is known about them without listening."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skasd._utils.text import on_one_line
from skasd.audio._recording_facts import RecordingFacts
from skasd.exceptions import AudioError

N_NAMED = 5
"""Clips that a message names."""

ALIKE_BANDWIDTH = 0.8
"""Share of the bandwidth of others that counts as the same: filters end at 0.9 to 0.99 of it."""

LEVEL_DECIBELS = 10.0
"""Difference of levels that is taken for another gain, if the others' levels differ little."""

LEVEL_SPREADS = 6.0
"""The same in standard deviations, estimated from the middle half of the levels."""

FEWEST_LEVELS = 5
"""Clips among which a level can lie apart."""

CANCELLED_DECIBELS = 7.0
"""What the mean of channels may lack, beyond what it does if these are unrelated."""

DEAD_DECIBELS = 30.0
"""How far a channel may be below the loudest: more than places around a machine differ."""

UNLIKE_DECIBELS = 6.0
"""Difference of channels of which one is farther from the machine: twice as far."""

UNRELATED_DECIBELS = 1.0
"""What the mean of unrelated channels may lack by chance, beyond the number of them."""

FULL_SCALE = 1.0


class Finding(NamedTuple):
    """What there is to say about one clip, or of all.

    Parameters
    ----------
    clip : str
        Its path or, for an array, ``"clip "`` and its index.
    kind : str
        What is wrong in a word or two, such as ``"silent"``: findings of a kind have one remedy.
    problem : str
        What is wrong with it.
    remedy : str
        What to do about it.
    """

    clip: str
    kind: str
    problem: str
    remedy: str


def find_misfits(
    facts: dict[str, RecordingFacts], *, listens_up_to: float, reference: float | None = None
) -> list[Finding]:
    """Find the recordings of a training set that do not fit the others, or hold nothing.

    Parameters
    ----------
    facts : dict of str to RecordingFacts
        What is known about each clip, by name.
    listens_up_to : float
        Highest frequency that is analyzed, in Hz.
    reference : float or None, default=None
        Frequency up to which a clip is to hold anything, in Hz; that of the clip that reaches
        highest if None.

    Returns
    -------
    list of Finding
        In the order of the clips.
    """
    heard = {name: min(each.bandwidth, listens_up_to) for name, each in facts.items()}
    reference = max(heard.values()) if reference is None else reference
    sounding = [each.level for each in facts.values() if not each.is_silent]
    findings = []
    for name, each in facts.items():
        if (finding := _find_channels(name, each)) is not None:
            findings.append(finding)
            continue
        if (finding := _find_unlike_channels(name, each)) is not None:
            findings.append(finding)
        if each.is_silent:
            problem = "is silent: no sample differs from the next"
            findings.append(Finding(name, "silent", problem, "Leave it out; check the microphone."))
            continue
        if each.still > 0:
            problem = f"has dropouts: {_percent(each.still)} of it are samples that do not change"
            remedy = "Record it again or leave it out."
            findings.append(Finding(name, "dropouts", problem, remedy))
        if heard[name] < ALIKE_BANDWIDTH * reference:
            findings.append(_find_bandwidth(name, each, heard[name], reference))
        if (finding := _find_level(name, each, sounding)) is not None:
            findings.append(finding)
    return findings


def _find_bandwidth(name: str, facts: RecordingFacts, heard: float, reference: float) -> Finding:
    if facts.sample_rate / 2 < ALIKE_BANDWIDTH * reference:
        return Finding(
            name,
            "rate",
            f"is recorded at {facts.sample_rate} Hz, so that it holds nothing above "
            f"{facts.sample_rate / 2:.0f} Hz, where others reach {reference:.0f} Hz",
            "Leave it out and record at the rate of the others, or resample all to its rate and "
            f"pass sample_rate={facts.sample_rate}.",
        )
    return Finding(
        name,
        "bandwidth",
        f"holds nothing above {heard:.0f} Hz, where others reach {reference:.0f} Hz: it was "
        "resampled from a lower rate, or encoded with loss",
        "Leave it out, or record all in the same way.",
    )


def _find_channels(name: str, facts: RecordingFacts) -> Finding | None:
    if facts.cancelled > 10 * np.log10(facts.n_channels) + CANCELLED_DECIBELS:
        lost = f"{facts.cancelled:.0f} dB" if facts.cancelled < 100 else "all"
        return Finding(
            name,
            "antiphase",
            f"has channels in antiphase: their mean lacks {lost} of their power",
            'Pass channel=0 instead of "mean", or reverse the polarity of one microphone.',
        )
    if facts.quietest_channel > DEAD_DECIBELS:
        return Finding(
            name,
            "dead channel",
            f"has a dead channel: one of {facts.n_channels} is more than {DEAD_DECIBELS:.0f} dB "
            "below the loudest",
            'Check the cable, and pass the index of a working channel instead of channel="mean".',
        )
    return None


def _find_unlike_channels(name: str, facts: RecordingFacts) -> Finding | None:
    lost = facts.cancelled - 10 * np.log10(facts.n_channels)
    if facts.quietest_channel <= UNLIKE_DECIBELS and lost <= UNRELATED_DECIBELS:
        return None
    problem = f"has channels that differ by {facts.quietest_channel:.0f} dB"
    if lost > UNRELATED_DECIBELS:
        problem = f"has channels that cancel {facts.cancelled:.0f} dB of each other"
    return Finding(
        name,
        "unlike channels",
        f"{problem}, and is heard as their mean",
        "Pass channel=0, or the index of that near the machine; or channel='near-far' if the "
        "second channel hears the surroundings.",
    )


def _find_level(name: str, facts: RecordingFacts, levels: Sequence[float]) -> Finding | None:
    if len(levels) < FEWEST_LEVELS:
        return None
    low, median, high = np.quantile(levels, [0.25, 0.5, 0.75])
    limit = max(LEVEL_DECIBELS, LEVEL_SPREADS * (high - low) / 1.35)
    apart = facts.level - median
    if abs(apart) <= limit:
        return None
    problem = f"is {abs(apart):.0f} dB {'louder' if apart > 0 else 'quieter'} than the others"
    remedy = "Check the gain, and whether the machine was running; leave it out or record it again."
    if facts.peak > 2 * FULL_SCALE:
        problem += f": its samples reach {facts.peak:.0f}, and full scale is 1"
        remedy = "Divide its samples by the full scale of the integers that they were."
    return Finding(name, "level", problem, remedy)


def refuse_silence(facts: dict[str, RecordingFacts]) -> None:
    """Raise an AudioError if no clip of a training set holds any sound.

    Parameters
    ----------
    facts : dict of str to RecordingFacts
        What is known about each clip, by name.

    Raises
    ------
    AudioError
        If all are silent.
    """
    # A single clip is no training set: whoever analyzes one may want to see silence.
    if len(facts) < 2 or not all(each.is_silent for each in facts.values()):
        return
    name, first = next(iter(facts.items()))
    finding = _find_channels(name, first)
    raise AudioError(
        name,
        "is silent, and so are all clips to fit on: no sample differs from the next"
        if finding is None
        else f"{finding.problem}, and all clips to fit on are as silent",
        "Check the microphone and its gain." if finding is None else finding.remedy,
    )


def in_words(findings: Sequence[Finding]) -> str:
    """Put findings into a line for each kind.

    Parameters
    ----------
    findings : sequence of Finding
        Findings of any kinds.

    Returns
    -------
    str
        The first clips' names, what is wrong with the first of them, and the remedy.
    """
    lines = []
    for kind in dict.fromkeys(finding.kind for finding in findings):
        group = [finding for finding in findings if finding.kind == kind]
        first = group[0]
        line = f"{first.clip} {first.problem}. {first.remedy}"
        if len(group) > 1:
            named = ", ".join(finding.clip for finding in group[1:N_NAMED])
            more = f" and {len(group) - N_NAMED} more" if len(group) > N_NAMED else ""
            line += f" The same ({kind}): {named}{more}."
        # Names of files may hold anything, such as another line.
        lines.append(on_one_line(line))
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"
