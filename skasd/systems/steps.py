"""Steps that the systems share."""

from skasd.autoencoder.base import WindowAutoencoder
from skasd.spectrogram import LogMelSpectrogram


def check_input(input: str) -> None:
    """Refuse what is neither clips nor spectrograms."""
    if input not in ("clips", "spectrograms"):
        raise ValueError(f"input={input!r}: expected 'clips' or 'spectrograms'.")


def log_mel_steps(autoencoder: WindowAutoencoder, input: str, **settings) -> list[tuple]:
    """Return the steps of a pipeline from clips, or from spectrograms, to the errors."""
    spectrogram = LogMelSpectrogram(min_frames=autoencoder.n_frames, **settings)
    return [
        ("spectrogram", spectrogram if input == "clips" else "passthrough"),
        ("autoencoder", autoencoder),
    ]
