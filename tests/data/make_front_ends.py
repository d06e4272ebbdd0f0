"""Write front_ends.npz: what others' front ends make of one sound.

Run with kaldi-native-fbank 1.22, librosa 0.11 and transformers 5.24 (without PyTorch):

    python tests/data/make_front_ends.py
"""

from pathlib import Path

import kaldi_native_fbank
import librosa
import numpy as np
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

SECONDS = 0.3


def sound(rate):
    """Return a rising tone in noise, which tests make again."""
    time = np.arange(round(SECONDS * rate)) / rate
    tone = 0.3 * np.sin(2 * np.pi * (200 + 4000 * time) * time)
    return (tone + np.random.default_rng(0).normal(0, 0.02, len(time))).astype(np.float32)


def kaldi():
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = 80
    fbank = kaldi_native_fbank.OnlineFbank(options)
    fbank.accept_waveform(16000, (sound(16000) * 2**15).tolist())
    return np.array([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])


def ast():
    """Compute what ASTFeatureExtractor does; 128 bands are too many for Kaldi itself."""
    levels = spectrogram(
        sound(16000).astype(np.float64),
        window_function(400, "hann", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=mel_filter_bank(257, 128, 20, 8000, 16000, None, "kaldi", True),
        log_mel="log",
        mel_floor=2**-23,
        remove_dc_offset=True,
    )
    return (levels.T + 4.2677393) / (2 * 4.5689974)


def yamnet():
    bands = mel_filter_bank(257, 64, 125, 7500, 16000, None, "htk", triangularize_in_mel_space=True)
    mel = spectrogram(
        sound(16000).astype(np.float64),
        window_function(400, "hann"),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=1.0,
        center=False,
        mel_filters=bands,
        mel_floor=0.0,
    )
    return np.log(mel + 0.001).T


def efficientat():
    samples = sound(32000).astype(np.float64)
    bands = mel_filter_bank(513, 128, 0, 15000, 32000, None, "kaldi", True)
    spectrum = librosa.stft(
        samples[1:] - 0.97 * samples[:-1],
        n_fft=1024,
        hop_length=320,
        win_length=800,
        window=np.hanning(800),
        pad_mode="reflect",
    )
    return (np.log(np.abs(spectrum.T) ** 2 @ bands + 1e-5) + 4.5) / 5


FRONT_ENDS = {
    "kaldi": kaldi,
    "ast": ast,
    "yamnet": yamnet,
    "efficientat": efficientat,
}

if __name__ == "__main__":
    # A few frames are enough: the last ones of some extractors are of their padding.
    np.savez_compressed(
        Path(__file__).with_name("front_ends.npz"),
        **{name: make()[:20].astype(np.float32) for name, make in FRONT_ENDS.items()},
    )
