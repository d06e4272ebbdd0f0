"""Write a fitted detector as an ONNX model."""

import os
from pathlib import Path

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skasd._utils.files import write_whole


def export_onnx(
    detector: BaseEstimator,
    path: str | os.PathLike,
    *,
    input: str = "clips",
    duration: float = 10.0,
    n_frames: int | None = None,
) -> None:
    """Write a fitted detector as an ONNX model, which scores clips without skasd.

    The model computes the same as `anomaly_score` and `predict`, in the same precision. It takes
    batches of any size, but all clips must have the same length.

    Parameters
    ----------
    detector : RepeatedSeedEnsemble, FusionDetector or Pipeline
        The detector, fitted on clips or on spectrograms. It may consist of skasd's
        `LogMelSpectrogram`, `PowerSpectrum`, `SpectrogramStatistics`, `InterpolationAutoencoder`,
        `FrameAutoencoder`, `TimeWeightedPooling`, `MachineIDEmbedding`, `SpectrumEmbedding`,
        `PrincipalComponents`, `NearestNeighborsDetector`, `GaussianMixtureDetector`,
        `MahalanobisDetector` and `FeatureDetector`, and of scikit-learn's `Pipeline`,
        `FeatureUnion`, `FrozenEstimator` and `StandardScaler`. Thus it may come from
        `make_views_detector`, from `make_iaeo3`, `make_iaeo3_opt` or `make_iaeo3_plus` with
        ``openl3=False``, or from `make_baseline`.
    path : str or PathLike
        The file, which is replaced if it exists. It is written completely or not at all.
    input : {"clips", "spectrograms"}, default="clips"
        With ``"clips"``, the model takes mono samples, (n_clips, n_samples), float32, at the
        `sample_rate` of `LogMelSpectrogram` or `PowerSpectrum`, in [-1, 1] as read from files. With
        ``"spectrograms"``, it takes the output of `LogMelSpectrogram`, (n_clips, n_frames, n_mels),
        float32, in dB.
    duration : float, default=10.0
        Length of the clips, in seconds.
    n_frames : int or None, default=None
        Number of frames of the spectrograms, with ``input="spectrograms"``. None means as many as
        `LogMelSpectrogram` computes for `duration`, and raises an error if the detector has no such
        step.

    Raises
    ------
    ImportError
        If onnx is not installed.
    NotFittedError
        If the detector is not fitted.
    TypeError
        If the detector has a step that cannot be exported, such as `OpenL3Embedding`,
        `ONNXEncoder` or a step from another package.
    ValueError
        If an argument is out of range or does not go with the detector; if clips of this length are
        too short for it; or if its `LogMelSpectrogram` steps differ although one input has to serve
        them all, or are front ends of encoders, for which there are no operators.
    OSError
        If the file cannot be written.

    See Also
    --------
    RepeatedSeedEnsemble : The kind of detector that most ready-made systems are.

    Notes
    -----
    The model has two outputs of shape (n_clips,): ``anomaly_score`` (float64; higher is more
    anomalous) and ``is_anomalous`` (bool; true where `predict` returns -1). A clip with NaN or
    infinite values, which skasd refuses, scores NaN and counts as anomalous.

    Its metadata hold ``format``, ``skasd_version``, ``input``, ``threshold`` (scores above it are
    anomalous), ``n_samples`` or else ``n_frames`` and ``n_mels``, and, if the detector has a
    `LogMelSpectrogram`, its settings, such as ``sample_rate``. If it has several, only the settings
    that they share are included, which rules out ``n_fft`` for `make_views_detector`. A detector of
    skasd adds ``n_calibration_clips`` and ``calibration_quantiles``: as JSON, the anomaly score
    that each share of healthy clips does not exceed. 1 minus that share is the p-value of the
    score.

    The model uses operators of opset 18. The Fourier transform, statistics and densities are
    computed in float64 and networks in float32, as in skasd. This requires a runtime with float64
    and, for clips, the operator STFT or DFT, such as onnxruntime on a CPU. Members that take the
    same spectrogram share it.

    In skasd, `NearestNeighborsDetector` does not count a clip as its own neighbor: it leaves out a
    training clip that has exactly the same features. The model leaves none out; therefore training
    clips, and no others, score lower in the model than in skasd.

    Resampling and downmixing are not part of the model.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from onnxruntime import InferenceSession
    >>> from sklearn.pipeline import make_pipeline
    >>> from skasd import GaussianMixtureDetector, LogMelSpectrogram, TimeWeightedPooling
    >>> from skasd import export_onnx
    >>> from skasd.datasets import make_machine_sounds
    >>> clips, _ = make_machine_sounds("fan", n_normal=12, n_anomalous=0, duration=2.0,
    ...                                random_state=0)
    >>> detector = make_pipeline(LogMelSpectrogram(), TimeWeightedPooling(),
    ...                          GaussianMixtureDetector(n_components=1)).fit(clips)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(detector, Path(folder, "fan.onnx"), duration=2.0)
    ...     session = InferenceSession(Path(folder, "fan.onnx"))
    >>> scores, is_anomalous = session.run(None, {"clip": clips.astype("float32")})
    >>> bool(abs(scores + detector.score_samples(clips)).max() < 1e-5)
    True
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError("export_onnx needs onnx: pip install 'skasd[onnx]'.") from error
    from skasd.export._model import make_model

    check_is_fitted(detector)
    model = make_model(detector, input=input, duration=duration, n_frames=n_frames)
    onnx.checker.check_model(model, full_check=True)
    with write_whole(Path(path)) as file:
        file.write(model.SerializeToString())
