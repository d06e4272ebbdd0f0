"""Write librosa.npz: what librosa makes of noise and of a rising tone.

Run with librosa 0.11, whose import compiles for longer than the tests of spectrograms run:

    python tests/data/make_librosa.py
"""

from pathlib import Path

import librosa
import numpy as np

NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 4000).astype(np.float32)

SPECTROGRAMS = {
    "default": {"n_fft": 1024, "hop_length": 512, "n_mels": 128},
    "magnitude": {"n_fft": 1024, "hop_length": 512, "n_mels": 128, "power": 1.0},
    "short": {"n_fft": 256, "hop_length": 128, "n_mels": 32},
    "window": {"n_fft": 2048, "win_length": 600, "hop_length": 300, "n_mels": 128},
    "odd": {"n_fft": 401, "win_length": 400, "hop_length": 160, "n_mels": 20},
}
"""Settings of `librosa.feature.melspectrogram`."""

FRONT_ENDS = {
    "panns": {"sr": 32000, "n_fft": 1024, "hop_length": 320, "fmin": 50, "fmax": 14000},
    "clap": {"sr": 48000, "n_fft": 1024, "hop_length": 480, "fmin": 50, "fmax": 14000},
    "ced": {"sr": 16000, "n_fft": 512, "hop_length": 160, "htk": True, "norm": None},
}
"""The same for encoders: torchlibrosa, of PANNs and CLAP, is librosa, and torchaudio, of CED, has
HTK's bands."""


def log_mel(power=2.0, **settings):
    mel = librosa.feature.melspectrogram(
        y=NOISE, sr=16000, power=power, pad_mode="constant", **settings
    )
    return 20 / power * np.log10(mel.T + np.finfo(float).eps)


def front_end(name, sr, **settings):
    time = np.arange(round(0.3 * sr)) / sr
    tone = 0.3 * np.sin(2 * np.pi * (200 + 4000 * time) * time)
    tone = (tone + np.random.default_rng(0).normal(0, 0.02, len(time))).astype(np.float32)
    clip = np.concatenate([tone, np.zeros(sr // 10, np.float32)]).astype(np.float64)
    mel = librosa.feature.melspectrogram(y=clip, sr=sr, n_mels=64, pad_mode="reflect", **settings)
    return librosa.power_to_db(mel, amin=1e-10, top_db=120.0 if name == "ced" else None).T


def narrow_bands(norm):
    return librosa.filters.mel(
        sr=16000, n_fft=2**14, n_mels=4, htk=True, norm=norm, fmin=4000.0, fmax=4400.0
    )


if __name__ == "__main__":
    arrays = {name: log_mel(**settings) for name, settings in SPECTROGRAMS.items()}
    arrays |= {name: front_end(name, **settings) for name, settings in FRONT_ENDS.items()}
    arrays |= {f"narrow_{norm}": narrow_bands(norm) for norm in (None, "slaney")}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    arrays["corners"] = librosa.mel_frequencies(34, fmin=50, fmax=3000)
    np.savez_compressed(Path(__file__).with_name("librosa.npz"), **arrays)
