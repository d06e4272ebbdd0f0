"""Front ends: the spectrograms that published encoders were trained with."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_KALDI: dict[str, Any] = {
    "sample_rate": 16000,
    "n_fft": 512,
    "win_length": 400,
    "hop_length": 160,
    "n_mels": 128,
    "fmin": 20.0,
    "framing": "kaldi",
    "pre_emphasis": 0.97,
    "mel_scale": "kaldi",
    "mel_norm": None,
    "log": "ln",
    "offset": 0.0,
}

_LIBROSA: dict[str, Any] = {
    "n_mels": 64,
    "framing": "reflect",
    "offset": 0.0,
    "floor": 1e-10,
}

_TENSORFLOW: dict[str, Any] = {
    "sample_rate": 16000,
    "n_fft": 512,
    "win_length": 400,
    "hop_length": 160,
    "n_mels": 64,
    "fmin": 125.0,
    "fmax": 7500.0,
    "power": 1.0,
    "framing": "inside",
    "mel_scale": "kaldi",
    "mel_norm": None,
    "log": "ln",
}

FRONT_ENDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # In float32, Kaldi's smallest band is 2**-23, for samples in [-1, 1] as well as in 16 bits.
        "ast": {
            **_KALDI,
            "window": "symmetric_hann",
            "floor": 2.0**-23,
            "mean": -4.2677393,
            "scale": 2 * 4.5689974,
        },
        "beats": {
            **_KALDI,
            "window": "povey",
            "floor": 2.0**-53,
            "mean": 15.41663 - 30 * math.log(2),
            "scale": 2 * 6.55582,
        },
        "ced": {
            **_LIBROSA,
            "sample_rate": 16000,
            "n_fft": 512,
            "hop_length": 160,
            "mel_scale": "htk",
            "mel_norm": None,
            "top_db": 120.0,
        },
        "clap": {
            **_LIBROSA,
            "sample_rate": 48000,
            "n_fft": 1024,
            "hop_length": 480,
            "fmin": 50.0,
            "fmax": 14000.0,
        },
        "efficientat": {
            "sample_rate": 32000,
            "n_fft": 1024,
            "win_length": 800,
            "hop_length": 320,
            "n_mels": 128,
            "fmax": 15000.0,
            "window": "symmetric_hann",
            "framing": "reflect",
            "pre_emphasis": 0.97,
            "mel_scale": "kaldi",
            "mel_norm": None,
            "log": "ln",
            "offset": 1e-5,
            "mean": -4.5,
            "scale": 5.0,
        },
        "panns": {
            **_LIBROSA,
            "sample_rate": 32000,
            "n_fft": 1024,
            "hop_length": 320,
            "fmin": 50.0,
            "fmax": 14000.0,
        },
        "vggish": {**_TENSORFLOW, "offset": 0.01},
        "yamnet": {**_TENSORFLOW, "offset": 0.001},
    }
)
"""Name → settings of `LogMelSpectrogram`: those of EfficientAT, AST, BEATs, CED, LAION's CLAP,
PANNs, VGGish and YAMNet."""
