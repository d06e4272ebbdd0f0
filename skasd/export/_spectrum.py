"""`PowerSpectrum` as ONNX operators."""

import numpy as np

from skasd.export._graph import Clips, Features
from skasd.features._power_spectrum import OFFSET, PowerSpectrum


def power_spectrum(step: PowerSpectrum, data: Clips) -> Features:
    """Transform clips as `PowerSpectrum` does, in float64."""
    n_fft = step._n_fft(data.n_samples)
    padding = np.array([0, 0, 0, n_fft - data.n_samples])
    samples = data.tensor.cast(np.float64).apply("Pad", padding)
    spectrum = samples.apply("Unsqueeze", np.array([2])).apply("DFT", onesided=1)
    power = spectrum.cut(1, 0, n_fft // 2).reduce("SumSquare", 2) / data.n_samples
    bins = power.apply("Reshape", np.array([0, step.n_bins, -1])).reduce("Mean", 2)
    # ONNX has only the natural logarithm.
    levels = (bins + OFFSET).apply("Log") * (10 / np.log(10))
    return Features(levels.cast(np.float32).cast(np.float64))
