"""The input of a model: samples, or the spectrograms that the detector would compute from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skasd.audio._channels import far_channel
from skasd.export._graph import Clips, Graph, Spectrograms
from skasd.export._spectrogram import check_length, count_frames
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._power_spectrum import PowerSpectrum

LISTENERS = (LogMelSpectrogram, PowerSpectrum)
"""Steps that take samples."""

SETTINGS = (
    "sample_rate",
    "n_fft",
    "hop_length",
    "win_length",
    "n_mels",
    "power",
    "fmin",
    "fmax",
)
"""Settings that a spectrogram depends on."""


def common_settings(log_mels: Sequence[LogMelSpectrogram]) -> dict[str, Any]:
    """Return the settings that all of these steps have in common; none if there are no steps."""
    values = {name: {getattr(step, name) for step in log_mels} for name in SETTINGS}
    values["win_length"] = {step.win_length or step.n_fft for step in log_mels}
    values["fmax"] = {step.fmax or step.sample_rate / 2 for step in log_mels}
    return {name: found.pop() for name, found in values.items() if len(found) == 1}


def add_clips(graph: Graph, steps: Sequence[BaseEstimator], duration: float) -> Clips:
    """Add an input for samples; refuse detectors that take no clips, or clips of several rates."""
    listeners = [step for step in steps if isinstance(step, LISTENERS)]
    if not listeners:
        raise ValueError(
            "input='clips' needs a LogMelSpectrogram or PowerSpectrum, but this detector was "
            "fitted on spectrograms and has neither. Pass input='spectrograms'."
        )
    if any(far_channel(step.channel) is not None for step in listeners):
        raise ValueError(
            "input='clips' has one channel, but the detector compares two. Pass "
            "input='spectrograms': the levels of the near channel minus those of the far one."
        )
    rates = sorted({step.sample_rate for step in listeners})
    if len(rates) > 1:
        names = " and ".join(sorted({type(step).__name__ for step in listeners}))
        raise ValueError(
            f"The {names} steps have different sample rates ({rates}), so one input "
            "cannot serve them all. Fit them with the same sample_rate."
        )
    n_samples = round(duration * rates[0])
    description = f"Mono samples at {rates[0]} Hz, in [-1, 1]."
    clip = graph.input("clip", np.float32, (n_samples,), description)
    return Clips(clip, n_samples, rates[0])


def add_spectrograms(
    graph: Graph,
    steps: Sequence[BaseEstimator],
    log_mels: Sequence[LogMelSpectrogram],
    duration: float,
    n_frames: int | None,
) -> Spectrograms:
    """Add an input for levels; refuse an unknown number of frames, and several kinds of levels."""
    if any(isinstance(step, PowerSpectrum) for step in steps):
        raise ValueError(
            "input='spectrograms' does not go with PowerSpectrum, which computes the spectrum of "
            "the whole clip from its samples. Pass input='clips'."
        )
    different = set(SETTINGS) - set(common_settings(log_mels))
    if log_mels and different:
        raise ValueError(
            f"The LogMelSpectrogram steps differ in {', '.join(sorted(different))}, so one input "
            "cannot serve them all. Pass input='clips'."
        )
    if n_frames is None and not log_mels:
        raise ValueError(
            "n_frames=None: the detector was fitted on spectrograms, and does not know the number "
            "of frames per second. Pass n_frames."
        )
    if n_frames is None:
        n_samples = round(duration * log_mels[0].sample_rate)
        check_length(log_mels[0], n_samples)
        n_frames = count_frames(log_mels[0], n_samples)
    # If the first step takes something other than spectrograms, `convert` reports it.
    n_mels = log_mels[0].n_mels if log_mels else steps[0].n_features_in_
    tensor = graph.input("spectrogram", np.float32, (n_frames, n_mels), "Log-mel levels in dB.")
    return Spectrograms(tensor, n_frames, n_mels)
