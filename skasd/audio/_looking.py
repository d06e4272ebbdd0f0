"""A look at recordings: do those of a training set fit together, and is a new one like them."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from skasd.audio._clips import Clip
from skasd.audio._misfits import N_NAMED, find_misfits, in_words, refuse_silence
from skasd.audio._reading import recorded_seconds, recording_facts
from skasd.audio._recording_facts import RecordingFacts
from skasd.audio._training_recordings import TrainingRecordings
from skasd.exceptions import RecordingWarning


class Listener(Protocol):
    """What reads clips: a `ClipTransformer`."""

    sample_rate: int
    input_sample_rate: int | None
    channel: str | int
    max_seconds: float | None


def are_handed_on(X: Any) -> bool:
    """Tell whether clips come from what has looked at them, and will say what there is to say."""
    return all(isinstance(clip, Clip) for clip in X)


def facts_of(clip: Clip, listener: Listener) -> RecordingFacts:
    """Return what is known about a clip as a transformer hears it."""
    return recording_facts(
        clip,
        input_sample_rate=listener.input_sample_rate,
        channel=listener.channel,
        max_seconds=listener.max_seconds,
    )


def seconds_of(clip: Clip, listener: Listener) -> float:
    """Return how long a clip is, in seconds, without reading it if its header says so."""
    return recorded_seconds(
        clip,
        input_sample_rate=listener.input_sample_rate,
        channel=listener.channel,
        max_seconds=listener.max_seconds,
    )


def describe_training(clips: Sequence[Clip], listeners: Sequence[Any]) -> TrainingRecordings:
    """Put together what the clips of a training set are.

    Parameters
    ----------
    clips : sequence of Clip
        The clips to fit on.
    listeners : sequence of ClipTransformer
        The steps that read them; the facts are those of the first.

    Returns
    -------
    TrainingRecordings
    """
    facts = [facts_of(clip, listeners[0]) for clip in clips]
    return TrainingRecordings.of(facts, max(map(_listens_up_to, listeners)))


def misfits_in_words(clips: Sequence[Clip], listeners: Sequence[Any]) -> str | None:
    """Say which clips of a training set do not fit the others, or hold nothing.

    Parameters
    ----------
    clips : sequence of Clip
        The clips to fit on.
    listeners : sequence of ClipTransformer
        The steps that read them; the facts are those of the first.

    Returns
    -------
    str or None
        Which ones, why, and what to do, if there are any.

    Raises
    ------
    AudioError
        If a clip cannot be read, or all are silent.
    """
    facts = {clip.name: facts_of(clip, listeners[0]) for clip in clips}
    refuse_silence(facts)
    findings = find_misfits(facts, listens_up_to=max(map(_listens_up_to, listeners)))
    return f"Of {len(clips)} clips to fit on:\n{in_words(findings)}" if findings else None


def warn_of_misfits(clips: Sequence[Clip], listeners: Sequence[Any]) -> None:
    """Warn of the clips of a training set that do not fit the others.

    Parameters
    ----------
    clips, listeners
        See `misfits_in_words`.

    Raises
    ------
    AudioError
        If a clip cannot be read, or all are silent.

    Warns
    -----
    RecordingWarning
        If there are any.
    """
    message = misfits_in_words(clips, listeners)
    if message is not None:
        warnings.warn(message, RecordingWarning, stacklevel=4)


def remarks_on(
    clips: Sequence[Clip], listener: Listener, recordings: TrainingRecordings | None
) -> dict[str, str]:
    """Say which clips are unlike those of a training set, and why.

    Parameters
    ----------
    clips : sequence of Clip
        The clips that are scored.
    listener : ClipTransformer
        The step that has read them.
    recordings : TrainingRecordings or None
        What the detector was fitted on, if that is known.

    Returns
    -------
    dict of str to str
        Reasons by the names of clips; nothing for clips like those.
    """
    if recordings is None:
        return {}
    notes = {clip.name: recordings.unlike(facts_of(clip, listener)) for clip in clips}
    return {name: "; ".join(each) for name, each in notes.items() if each}


def warn_of_remarks(remarks: Mapping[str, str], n_clips: int) -> None:
    """Warn of clips that are unlike those of the training.

    Parameters
    ----------
    remarks : mapping of str to str
        Reasons by the names of clips.
    n_clips : int
        Number of all clips.

    Warns
    -----
    RecordingWarning
        If there are any.
    """
    if not remarks:
        return
    lines = [f"{len(remarks)} of {n_clips} clips are unlike those that the detector was fitted on:"]
    lines += [f"{name}: {remark}." for name, remark in list(remarks.items())[:N_NAMED]]
    if len(remarks) > N_NAMED:
        lines.append(f"{len(remarks) - N_NAMED} more.")
    warnings.warn("\n".join(lines), RecordingWarning, stacklevel=4)


def _listens_up_to(listener: Any) -> float:
    """Return the highest frequency that a transformer analyzes, in Hz."""
    fmax = getattr(listener, "fmax", None)
    return float(listener.sample_rate / 2 if fmax is None else fmax)
