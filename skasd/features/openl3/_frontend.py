"""From samples at 48 kHz to the input of the OpenL3 network: windows of one second, in dB.

Both front ends of the openl3 package are implemented here, without kapre. Levels are ``10 * log10``
of the magnitude, not of the power, relative to the window's largest, and at least -80 dB, as the
network was trained with (kapre 0.1.4).
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy import fft, sparse

from skasd.features._mel_bands import mel_bands
from skasd.features._short_time_spectrum import centered_window, short_time_power

SAMPLE_RATE = 48000
"""Sample rate that the network was trained at, in Hz."""

WINDOW_LENGTH = SAMPLE_RATE
HOP_LENGTH = 242
N_FFT = {"linear": 512, "mel128": 2048, "mel256": 2048}
N_MELS = {"mel128": 128, "mel256": 256}
SMALLEST_LEVEL, DYNAMIC_RANGE = 1e-10, 80.0


def split_windows(samples: np.ndarray, hop_size: float, center: bool) -> np.ndarray:
    """Cut a clip into windows of one second, padded with silence as the openl3 package does.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        At 48 kHz.
    hop_size : float
        Step from one window to the next, in seconds.
    center : bool
        Whether the first window is centered on the first sample. If not, it begins there.

    Returns
    -------
    ndarray of shape (n_windows, 48000)
        A read-only view if no padding is needed.
    """
    hop = int(hop_size * SAMPLE_RATE)
    begin = WINDOW_LENGTH // 2 if center else 0
    beyond_first = max(0, begin + len(samples) - WINDOW_LENGTH)
    n_hops = -(-beyond_first // hop)
    end = WINDOW_LENGTH + n_hops * hop - begin - len(samples)
    padded = np.pad(samples, (begin, end))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW_LENGTH)[::hop]


def network_input(windows: np.ndarray, input_repr: str, frontend: str) -> Iterator[np.ndarray]:
    """Compute the spectrogram of each window.

    Parameters
    ----------
    windows : ndarray of shape (n_windows, 48000)
        From `split_windows`.
    input_repr : {"linear", "mel128", "mel256"}
        Bands of the spectrogram.
    frontend : {"kapre", "librosa"}
        Whose spectrogram to compute. They differ at the window's ends: kapre's frames begin at the
        first sample, while librosa's mel frames are centered on it.

    Yields
    ------
    ndarray of shape (n_bands, n_frames), float32
        Levels in dB, in [-80, 0].
    """
    magnitude = _kapre_magnitude if frontend == "kapre" else _librosa_magnitude
    for window in windows:
        spectrum = magnitude(window, input_repr)
        if input_repr in N_MELS:
            spectrum = _mel_filters(input_repr) @ spectrum
        levels = 10 * np.log10(np.maximum(spectrum, SMALLEST_LEVEL))
        yield np.maximum(levels - levels.max(), -DYNAMIC_RANGE).astype(np.float32)


def _kapre_magnitude(window: np.ndarray, input_repr: str) -> np.ndarray:
    n_fft = N_FFT[input_repr]
    if input_repr in N_MELS:
        n_frames = -(-WINDOW_LENGTH // HOP_LENGTH)
        window = np.pad(window, (0, (n_frames - 1) * HOP_LENGTH + n_fft - WINDOW_LENGTH))
    frames = np.lib.stride_tricks.sliding_window_view(window, n_fft)[::HOP_LENGTH]
    # In float64, like the window: float32 would cost quiet bins 0.02 dB.
    return np.abs(fft.rfft(frames * centered_window("hann", None, n_fft))).T


def _librosa_magnitude(window: np.ndarray, input_repr: str) -> np.ndarray:
    framing = "zeros" if input_repr in N_MELS else "inside"
    blocks = short_time_power(
        window, n_fft=N_FFT[input_repr], hop_length=HOP_LENGTH, framing=framing
    )
    return np.sqrt(np.concatenate(list(blocks))).T


@lru_cache
def _mel_filters(input_repr: str) -> sparse.csr_array:
    # Sparse, as nearly all are zeros; a dense product would leave threads of BLAS spinning.
    return mel_bands(SAMPLE_RATE, N_FFT[input_repr], N_MELS[input_repr], 0, None)
