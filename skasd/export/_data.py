"""What passes between the steps of a model: the three kinds of data of skasd, and scores."""

from typing import NamedTuple

from skasd.export._graph import Tensor


class Clips(NamedTuple):
    """Samples at the rate of the analysis: (n_clips, n_samples), float32."""

    tensor: Tensor
    n_samples: int


class Spectrograms(NamedTuple):
    """Levels in dB: (n_clips, n_frames, n_mels), float32."""

    tensor: Tensor
    n_frames: int
    n_mels: int


class Features(NamedTuple):
    """Features of each clip: (n_clips, n_features), float64."""

    tensor: Tensor


class Scores(NamedTuple):
    """Anomaly scores: (n_clips,), float64; higher is more anomalous."""

    tensor: Tensor
