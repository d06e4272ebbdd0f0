"""Steps that the systems share."""

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._principal_components import PrincipalComponents
from skasd.features._window_autoencoder import WindowAutoencoder
from skasd.features.openl3._openl3_embedding import OpenL3Embedding


def check_input(input: str, openl3: bool) -> None:
    """Refuse what is neither clips nor spectrograms, and spectrograms where clips are needed."""
    if input not in ("clips", "spectrograms"):
        raise ValueError(f"input={input!r}: expected 'clips' or 'spectrograms'.")
    if openl3 and input == "spectrograms":
        raise ValueError(
            "openl3=True needs the recordings, and input='spectrograms' has none. Pass "
            "openl3=False."
        )


def spectrogram_step(autoencoder: WindowAutoencoder, input: str, **settings) -> tuple:
    """Return the step that turns clips into spectrograms, long enough for the autoencoder."""
    spectrogram = LogMelSpectrogram(min_frames=autoencoder.n_frames, **settings)
    return ("spectrogram", spectrogram if input == "clips" else "passthrough")


def log_mel_steps(autoencoder: WindowAutoencoder, input: str, **settings) -> list[tuple]:
    """Return the steps of a pipeline from clips, or from spectrograms, to the errors."""
    return [spectrogram_step(autoencoder, input, **settings), ("autoencoder", autoencoder)]


def openl3_branch(**settings) -> Pipeline:
    """Return the pipeline from clips to 50 principal components of OpenL3 embeddings."""
    return Pipeline(
        [
            ("embedding", OpenL3Embedding(**settings)),
            ("scaler", StandardScaler()),
            ("pca", PrincipalComponents(n_components=50)),
        ]
    )
