"""`LogMelSpectrogram` as ONNX operators."""

import sys

import numpy as np

from skasd.export._graph import Clips, Spectrograms
from skasd.features._log_mel_spectrogram import FRONT_END, LogMelSpectrogram
from skasd.features._mel_bands import mel_bands
from skasd.features._short_time_spectrum import centered_window


def count_frames(step: LogMelSpectrogram, n_samples: int) -> int:
    """Count the frames of a clip that is padded with half a frame of zeros at each end."""
    return 1 + (n_samples + 2 * (step.n_fft // 2) - step.n_fft) // step.hop_length


def check_length(step: LogMelSpectrogram, n_samples: int) -> None:
    """Refuse clips that the step itself would refuse, and front ends that have no operators."""
    others = [name for name, value in FRONT_END.items() if getattr(step, name) != value]
    if others:
        raise ValueError(
            f"LogMelSpectrogram has {', '.join(f'{n}={getattr(step, n)!r}' for n in others)}, "
            "which cannot be exported. Pass input='spectrograms' and n_frames, or use the defaults."
        )
    min_samples = step.min_samples
    if n_samples < min_samples:
        raise ValueError(
            f"duration={n_samples / step.sample_rate:g} is too short: {n_samples} samples at "
            f"{step.sample_rate} Hz, but the analysis needs {min_samples} "
            f"({min_samples / step.sample_rate:.3f} s)."
        )


def log_mel(step: LogMelSpectrogram, data: Clips | Spectrograms) -> Spectrograms:
    """Transform clips as `LogMelSpectrogram` does; return spectrograms unchanged."""
    if isinstance(data, Spectrograms):
        return data
    check_length(step, data.n_samples)
    # In float64, except for the spectrum.
    margin = step.n_fft // 2
    samples = data.tensor.cast(np.float64).apply("Pad", np.array([0, margin, 0, margin]))
    spectrum = samples.apply("Unsqueeze", np.array([2])).apply(
        "STFT",
        np.array(step.hop_length),
        centered_window("hann", step.win_length, step.n_fft),
        onesided=1,
    )
    # The spectrum is kept in float32; everything after it is in float64.
    magnitude = spectrum.cast(np.float32).cast(np.float64).reduce("SumSquare", 3)
    if step.power != 2:
        magnitude = magnitude.apply("Pow", np.array(step.power / 2))
    bands = mel_bands(step.sample_rate, step.n_fft, step.n_mels, step.fmin, step.fmax).toarray()
    # ONNX has only the natural logarithm.
    levels = ((magnitude @ bands.T) + sys.float_info.epsilon).apply("Log")
    levels = (levels * (20 / step.power / np.log(10))).cast(np.float32)
    return Spectrograms(levels, count_frames(step, data.n_samples), step.n_mels)
