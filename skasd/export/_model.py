"""From a fitted detector to a model: input, operators, outputs and metadata."""

import json
from numbers import Integral, Real

import numpy as np
import onnx
from sklearn.base import BaseEstimator

from skasd._steps import calibrated_step, threshold_of
from skasd._version import __version__
from skasd.export._graph import Clips, Graph, Scores, Spectrograms
from skasd.export._inputs import add_clips, add_spectrograms, common_settings
from skasd.export._steps import OPERATORS, convert, leaves
from skasd.features._log_mel_spectrogram import LogMelSpectrogram

QUANTILES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
"""Shares of the healthy clips whose anomaly scores are stored; 1 minus a share is a p-value."""

FORMAT = "1"
"""Version of the meaning of a model's names and metadata."""


def make_model(
    detector: BaseEstimator, *, input: str, duration: float, n_frames: int | None
) -> onnx.ModelProto:
    """Make the model that `skasd.export_onnx` writes, with the same parameters."""
    _check_arguments(input, duration, n_frames)
    _check_steps(detector)
    steps = [step for _, step in leaves(detector)]
    log_mels = [step for step in steps if isinstance(step, LogMelSpectrogram)]
    graph = Graph()
    data: Clips | Spectrograms
    if input == "clips":
        data = add_clips(graph, steps, duration)
    else:
        data = add_spectrograms(graph, steps, log_mels, duration, n_frames)
    result = convert(detector, data)
    if not isinstance(result, Scores):
        raise TypeError(
            f"{type(detector).__name__} returns {type(result).__name__.lower()}, but scores are "
            "needed. Export a detector, or a pipeline that ends with one."
        )
    threshold = threshold_of(detector)
    _add_outputs(graph, data, result, threshold)
    metadata = {
        "format": FORMAT,
        "skasd_version": __version__,
        "input": input.removesuffix("s"),
        **_shape(data),
        **common_settings(log_mels),
        "threshold": repr(threshold),
        **_calibration(detector),
    }
    return graph.model(
        {name: str(value) for name, value in metadata.items()},
        producer_name="skasd",
        producer_version=__version__,
    )


def _check_arguments(input: str, duration: float, n_frames: int | None) -> None:
    if input not in ("clips", "spectrograms"):
        raise ValueError(f"input={input!r}: expected 'clips' or 'spectrograms'.")
    if not isinstance(duration, Real) or not 0 < duration < np.inf:
        raise ValueError(f"duration={duration!r}: expected a number of seconds above 0.")
    if n_frames is None:
        return
    if not isinstance(n_frames, Integral) or n_frames < 1:
        raise ValueError(f"n_frames={n_frames!r}: expected an int of at least 1.")
    if input == "clips":
        raise ValueError(f"n_frames={n_frames} is for input='spectrograms'. Pass duration.")


def _check_steps(detector: BaseEstimator) -> None:
    foreign = {
        name or "detector": type(step).__name__
        for name, step in leaves(detector)
        if type(step) not in OPERATORS
    }
    if foreign:
        raise TypeError(
            "Cannot be exported to ONNX: "
            f"{', '.join(f'{name} ({kind})' for name, kind in foreign.items())}. Fit a detector "
            "without these, or score with skasd itself. What can be exported: "
            f"{', '.join(step.__name__ for step in OPERATORS)}."
        )


def _shape(data: Clips | Spectrograms) -> dict[str, int]:
    """Return the size of one clip, by name."""
    return {name: size for name, size in data._asdict().items() if name != "tensor"}


def _calibration(detector: BaseEstimator) -> dict[str, str]:
    """Return what p-values are computed from: quantiles of healthy clips' anomaly scores."""
    step = calibrated_step(detector)
    if step is None:
        return {}
    calibration = step._calibration
    quantiles = dict(zip(QUANTILES, calibration.quantiles(QUANTILES).tolist(), strict=True))
    return {
        "n_calibration_clips": str(len(calibration.coarsest.scores)),
        "calibration_quantiles": json.dumps(quantiles),
    }


def _add_outputs(
    graph: Graph, data: Clips | Spectrograms, scores: Scores, threshold: float
) -> None:
    # 0 if all values are finite, otherwise NaN, which not every operator of a runtime passes on.
    flaw = (data.tensor.apply("Flatten") * 0).reduce("Sum", 1).cast(np.float64)
    score = scores.tensor + flaw
    # Not "above the threshold", since NaN never is.
    is_normal = score.apply("LessOrEqual", np.array(threshold), dtype=bool)
    graph.output("anomaly_score", score, "Higher is more anomalous.")
    graph.output(
        "is_anomalous",
        is_normal.apply("Not"),
        f"Whether anomaly_score is above {threshold!r}, or NaN.",
    )
