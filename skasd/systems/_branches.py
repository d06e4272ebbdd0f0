"""What the systems share: pipeline steps, and checks of the settings of their factories."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skasd.audio._reading import ASSUMED_RATE
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._principal_components import PrincipalComponents
from skasd.features._window_autoencoder import WindowAutoencoder
from skasd.features.openl3._openl3_embedding import OpenL3Embedding

DENSITY_NEIGHBORS = 16
"""K of the local density, as in the paper of Wilkinghoff et al."""

Factory = TypeVar("Factory", bound=Callable[..., Any])


def name_settings(factory: Factory) -> Factory:
    """Make a factory reject a setting that it does not have, and list those that it has."""
    known = inspect.signature(factory).parameters

    @wraps(factory)
    def make(*args: Any, **settings: Any) -> Any:
        for name in settings:
            if name not in known:
                raise TypeError(_unknown_setting(factory, name))
        return factory(*args, **settings)

    return make  # type: ignore[return-value]


def _unknown_setting(factory: Callable[..., Any], name: str) -> str:
    settings = inspect.signature(factory).parameters
    message = f"{factory.__name__} has no setting {name!r}. It takes {', '.join(settings)}"
    elsewhere = [each for each in factory().get_params() if each.split("__")[-1] == name]
    if elsewhere:
        ways = " or ".join(f"set_params({each}=...)" for each in elsewhere)
        return f"{message}. To set {name}, call {ways} on the detector it returns."
    return f"{message}. To set anything else, call set_params on the detector it returns."


def check_input(input: str, openl3: bool) -> None:
    """Reject any other kind of input, and spectrograms if OpenL3 needs clips."""
    if input not in ("clips", "spectrograms"):
        raise ValueError(f"input={input!r}: expected 'clips' or 'spectrograms'.")
    if openl3 and input == "spectrograms":
        raise ValueError(
            "openl3=True needs recordings, but input='spectrograms' provides none. Pass "
            "openl3=False."
        )


def spectrogram_step(autoencoder: WindowAutoencoder, input: str, **settings: Any) -> tuple:
    """Return the step that turns clips into spectrograms, long enough for the autoencoder."""
    spectrogram = LogMelSpectrogram(min_frames=autoencoder.n_frames, **settings)
    return ("spectrogram", spectrogram if input == "clips" else "passthrough")


def log_mel_steps(autoencoder: WindowAutoencoder, input: str, **settings: Any) -> list[tuple]:
    """Return the steps of a pipeline from clips or spectrograms to reconstruction errors."""
    return [spectrogram_step(autoencoder, input, **settings), ("autoencoder", autoencoder)]


def openl3_branch(*, input_sample_rate: int | None, **settings: Any) -> Pipeline:
    """Return the pipeline from clips to 50 principal components of OpenL3 embeddings."""
    # If the sample rate is a guess, the branch beside this one says so.
    rate = ASSUMED_RATE if input_sample_rate is None else input_sample_rate
    return Pipeline(
        [
            ("embedding", OpenL3Embedding(input_sample_rate=rate, **settings)),
            ("scaler", StandardScaler()),
            ("pca", PrincipalComponents(n_components=50)),
        ]
    )
