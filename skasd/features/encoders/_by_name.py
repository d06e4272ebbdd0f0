"""Encoders by name: front end, network and pooling."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.pipeline import Pipeline

from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features.encoders._front_ends import FRONT_ENDS
from skasd.features.encoders._onnx_encoder import ONNXEncoder
from skasd.features.encoders._onnx_file import find_file
from skasd.features.encoders._published import (
    EFFICIENTAT_MN04,
    PublishedWeights,
    as_onnx,
    find_published,
)
from skasd.features.openl3._openl3_embedding import OpenL3Embedding


class NamedEncoder(NamedTuple):
    """What makes up a named encoder."""

    front_end: str
    weights: PublishedWeights
    as_onnx: Callable[[Path], Path]
    settings: Mapping[str, Any]  # of `ONNXEncoder`


ENCODERS = {
    "efficientat-mn04": NamedEncoder(
        "efficientat", EFFICIENTAT_MN04, as_onnx, {"output": "block8", "pooling": "mean"}
    ),
}
"""Encoders in ONNX files, by name."""

NAMES = (*ENCODERS, "openl3")


def make_encoder(
    name: str,
    *,
    weights: str | os.PathLike[str] = "auto",
    download: bool = False,
    cache: str | os.PathLike[str] | None = "auto",
    channel: str | int = "mean",
    input_sample_rate: int | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    **settings: Any,
) -> Pipeline | OpenL3Embedding:
    """Make a pretrained encoder, with the front end that it was trained with.

    Parameters
    ----------
    name : {"efficientat-mn04", "openl3"}
        ``"efficientat-mn04"`` is the third smallest of EfficientAT's MobileNets, trained on
        AudioSet, with 1 million weights. Its features are the output of block 8 of 15, averaged
        over time: 32 channels of 8 bands. ``"openl3"`` is `OpenL3Embedding`.
    weights : "auto" or path, default="auto"
        The published weights, or an ONNX file. ``"auto"`` looks in the working directory, the
        folder that the environment variable ``SKASD_ENCODERS`` names, and the user's cache. For
        ``"openl3"``, see `OpenL3Embedding`.
    download : bool, default=False
        Whether weights that are not on this machine may be downloaded. If not, the error tells what
        they are, under which licence, and how large. `OpenL3Embedding` downloads its own.
    cache, channel, input_sample_rate, n_jobs
        Settings of the steps.
    verbose : int, default=0
        1 shows a progress bar of a download.
    **settings
        Settings of `ONNXEncoder`, such as `output` and `pooling`, or of `OpenL3Embedding`.

    Returns
    -------
    Pipeline or OpenL3Embedding
        Takes clips and returns features. A pipeline has the steps ``spectrogram`` and ``encoder``.

    Raises
    ------
    ImportError
        If onnx is needed but not installed.
    ValueError
        If there is no such encoder.
    WeightsError
        If the weights are missing and may not be downloaded, or are not the expected ones.

    See Also
    --------
    ONNXEncoder : For any other network.
    make_encoder_neighbors : A detector that uses an encoder.

    References
    ----------
    Schmid et al., "Efficient large-scale audio tagging via transformer-to-CNN knowledge
    distillation", ICASSP 2023.

    Examples
    --------
    >>> from skasd import make_encoder
    >>> make_encoder("openl3", hop_size=1.0)
    OpenL3Embedding(hop_size=1.0)
    """
    if name == "openl3":
        return OpenL3Embedding(
            weights=weights,
            cache=cache,
            channel=channel,
            input_sample_rate=input_sample_rate,
            n_jobs=n_jobs,
            verbose=verbose,
            **settings,
        )
    if name not in ENCODERS:
        raise ValueError(f"name={name!r}: expected one of {', '.join(NAMES)}.")
    encoder = ENCODERS[name]
    if weights == "auto":
        path = find_published(encoder.weights, download, verbose)
    else:
        path = find_file(weights)
    spectrogram = LogMelSpectrogram(
        **FRONT_ENDS[encoder.front_end],
        channel=channel,
        input_sample_rate=input_sample_rate,
        n_jobs=n_jobs,
    )
    network = ONNXEncoder(
        str(encoder.as_onnx(path)),
        input="spectrograms",
        cache=cache,
        n_jobs=n_jobs,
        **{**encoder.settings, **settings},
    )
    return Pipeline([("spectrogram", spectrogram), ("encoder", network)])
