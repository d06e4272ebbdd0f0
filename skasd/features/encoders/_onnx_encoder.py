"""Any network in an ONNX file, as a transformer."""

import os
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skasd._sklearn import Interval, StrOptions, fit_context
from skasd._utils.fitted import Number
from skasd._utils.threads import threads_each
from skasd.audio._clips import check_clips
from skasd.audio._length import MAX_SECONDS
from skasd.features._clip_transformer import ClipTransformer
from skasd.features._pretrained import PretrainedMixin, remember_place
from skasd.features._spectrogram_transformer import MOST_BANDS, check_spectrograms
from skasd.features.encoders._frame_encoder import FrameEncoder
from skasd.features.encoders._onnx_file import find_file
from skasd.features.encoders._onnx_network import DEVICES, load_network
from skasd.features.encoders._pooling import Pooling, feature_names, poolings_of
from skasd.features.encoders._reader import Reader


class ONNXEncoder(FrameEncoder):
    """Describe clips by a pretrained network in an ONNX file.

    The network is not trained any further; onnxruntime runs it, on a CPU or a GPU. Its output for a
    clip, taken from any layer that the file offers as an output, is pooled over time.

    Parameters
    ----------
    model : path
        The ONNX file. A name without a folder is looked for in the working directory, in the
        folder that the environment variable ``SKASD_ENCODERS`` names, and in the user's cache.
    input : {"clips", "spectrograms"}, default="clips"
        What the network takes: samples, or spectrograms from a `LogMelSpectrogram` before this
        step, with the settings that the network was trained with.
    sample_rate : int, default=16000
        Sample rate that a network for samples was trained at, in Hz. It has no effect for
        spectrograms.
    output : int or str, default=0
        Which output of the file to use, by number or name. For anomalies, layers in the middle are
        often better than the last one.
    pooling : {"mean", "std", "max"}, float, or a list of these, default="mean"
        How each number that the network outputs per frame is combined over time; bands stay
        separate. A number from 0 to 1 is the decay of a rank-weighted mean: values are sorted,
        largest first, and averaged with weights ``decay**rank``.
    window_length : int or None, default=None
        Length of the windows that the network is given, in samples or frames of spectrograms. None
        means the length that the file requires or, if any length is accepted, the whole clip. A
        clip that is shorter than a window is repeated until it fills one.
    hop_length : int or None, default=None
        Step from one window to the next; None means `window_length`. The last window ends where the
        clip ends.
    layout : {"auto", "tb", "bt"}, default="auto"
        Whether a network for spectrograms takes time before bands (``"tb"``) or bands before time
        (``"bt"``), if the file leaves this open.
    time_axis : int or None, default=None
        Which axis of the output is time. None chooses the only axis, besides the first, whose
        length the file leaves open; if that is not conclusive, the second of three axes, the last
        of four, and none of two.
    n_bands : int or None, default=None
        Number of bands in the features of each channel, which are next to each other in the output.
        None means the length of the output's last axis other than time, if there is one besides
        that of the channels, and otherwise 1: no bands. `explain` uses it to name bands.
    batch_size : int, default=8
        Number of windows of a clip in one call.
    device : {"auto", "cpu", "cuda"}, default="auto"
        What runs the network. ``"auto"`` uses a GPU if onnxruntime-gpu finds one.
    cache : "auto", path or None, default="auto"
        Folder in which the features of each clip are cached by its content. ``"auto"`` is the
        user's cache folder; None caches nothing.
    channel : "mean", "near-far", "far-near" or int, default="mean"
        ``"mean"`` averages the channels, and an int selects one by its index. ``"near-far"`` takes
        the features of the first channel, near the machine, minus half of those of the second,
        which hears the surroundings; ``"far-near"`` swaps the two.
    input_sample_rate : int or None, default=None
        Sample rate of clips given as arrays, in Hz. None assumes 16000, with a warning if
        `sample_rate` differs. Files, and arrays given as ``(rate, samples)``, carry their own rate.
    n_jobs : int or None, default=None
        Number of clips processed at the same time, each with its share of the cores.
    max_seconds : float or None, default=3600.0
        Longest clip to accept, in seconds; None for no limit.

    Attributes
    ----------
    weights_digest_ : str
        SHA-256 of the file, or of the file and those that hold its weights. A fitted instance
        refuses to work with any other network.
    n_features_out_ : int
        Number of features.
    n_bands_ : int
        Number of bands in the features of each channel; 1 if there are no bands.
    n_features_in_ : int
        Number of bands of the spectrograms; only with ``input="spectrograms"``.

    See Also
    --------
    make_encoder : Encoders by name, with their front ends.
    make_encoder_neighbors : A detector that uses an encoder.
    CallableEncoder : For a network that runs in Python.
    LogMelSpectrogram : Computes the spectrograms.

    Notes
    -----
    Nothing is learned. This class needs ``pip install "skasd[encoders]"``. The network is loaded on
    first use and never pickled; a model file records the name and the digest of the network's file,
    but not its location.

    An ONNX file holds operators and numbers, but no code. Files with operators that onnxruntime
    does not have, or with weights outside the file's folder, are refused before anything runs. The
    memory and time that a network takes are not limited: only run networks whose source you know.

    A call never mixes windows of different clips, so no clip affects the features of another.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, onnx
    >>> from onnx import TensorProto, helper
    >>> from skasd import ONNXEncoder
    >>> samples, loudness = (
    ...     helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    ...     for name, shape in (("samples", ["n", "t"]), ("loudness", ["n", 1]))
    ... )
    >>> node = helper.make_node("ReduceL2", ["samples"], ["loudness"], axes=[1])
    >>> graph = helper.make_graph([node], "loudness", [samples], [loudness])
    >>> model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.save(model, f"{folder}/loudness.onnx")
    ...     encoder = ONNXEncoder(f"{folder}/loudness.onnx", cache=None)
    ...     encoder.fit_transform([np.full(16, 0.5)])
    array([[2.]])
    """

    _file_parameter = "model"
    _cache_name = "encoder-features"

    _parameter_constraints = {
        **ClipTransformer._parameter_constraints,
        "model": [str, os.PathLike],
        "input": [StrOptions({"clips", "spectrograms"})],
        "output": [str, Integral],
        "pooling": [str, "array-like", Interval(Real, 0, 1, closed="both")],
        "window_length": [Interval(Integral, 1, None, closed="left"), None],
        "hop_length": [Interval(Integral, 1, None, closed="left"), None],
        "layout": [StrOptions({"auto", "tb", "bt"})],
        "time_axis": [Interval(Integral, 0, None, closed="left"), None],
        "n_bands": [Interval(Integral, 1, MOST_BANDS, closed="both"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [StrOptions({"auto", *DEVICES})],
        "cache": [str, os.PathLike, None],
    }

    _fitted = {
        **ClipTransformer._fitted,
        **PretrainedMixin._fitted_digest,
        "n_features_out_": Number("i", low=1, high=2**31),
        "n_bands_": Number("i", low=1, high=MOST_BANDS),
        "n_features_in_": Number("i", low=1, high=MOST_BANDS, optional=True),
    }

    n_bands_: int

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        input: str = "clips",
        sample_rate: int = 16000,
        output: int | str = 0,
        pooling: Pooling = "mean",
        window_length: int | None = None,
        hop_length: int | None = None,
        layout: str = "auto",
        time_axis: int | None = None,
        n_bands: int | None = None,
        batch_size: int = 8,
        device: str = "auto",
        cache: str | os.PathLike[str] | None = "auto",
        channel: str | int = "mean",
        input_sample_rate: int | None = None,
        n_jobs: int | None = None,
        max_seconds: float | None = MAX_SECONDS,
    ):
        self.model = model
        self.input = input
        self.sample_rate = sample_rate
        self.output = output
        self.pooling = pooling
        self.window_length = window_length
        self.hop_length = hop_length
        self.layout = layout
        self.time_axis = time_axis
        self.n_bands = n_bands
        self.batch_size = batch_size
        self.device = device
        self.cache = cache
        self.channel = channel
        self.input_sample_rate = input_sample_rate
        self.n_jobs = n_jobs
        self.max_seconds = max_seconds

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters, the clips and the file, using the first clip. Nothing is learned.

        Parameters
        ----------
        X : clips or spectrograms
            Clips or spectrograms, as `input` says.
        y : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : ONNXEncoder

        Raises
        ------
        AudioError
            If a file is missing, or an array is not a clip.
        ValueError
            If a parameter contradicts what the file says about its input and outputs.
        WeightsError
            If the file cannot be obtained, or cannot be run.
        """
        self._check_parameters()
        if hasattr(self, "n_features_in_"):
            del self.n_features_in_
        if self.input == "clips":
            first = self._read(check_clips(X)[0])
        else:
            first = check_spectrograms(X)[0]
            self.n_features_in_ = first.shape[1]
        reader = self._load_reader()
        self.weights_digest_ = reader.network.digest
        frames = reader.read(first, "clip 0")
        n_features = frames[0].size
        self.n_bands_ = self.n_bands or (frames.shape[-1] if frames.ndim > 2 else 1)
        if n_features % self.n_bands_:
            raise ValueError(
                f"n_bands={self.n_bands}: {reader.output} of {reader.network.path} gives "
                f"{n_features} numbers, which cannot be divided into this many bands."
            )
        self.n_features_out_ = n_features * len(poolings_of(self.pooling))
        return self

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features: ``onnx_mean_0``, or ``onnx_mean_0_band_3`` if there are bands.

        Parameters
        ----------
        input_features : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of shape (n_features,), dtype object
        """
        check_is_fitted(self)
        return feature_names("onnx", self.pooling, self.n_features_out_, self.n_bands_)

    def _check_fitted(self) -> None:
        super()._check_fitted()
        if self.n_features_out_ % (self.n_bands_ * len(poolings_of(self.pooling))):
            raise ValueError(f"{self.n_features_out_} features cannot have {self.n_bands_} bands")
        if self.input == "spectrograms" and not hasattr(self, "n_features_in_"):
            raise ValueError("n_features_in_ is missing")

    def _look_for_weights(self, *, may_download: bool) -> Path:
        return find_file(self.model)

    def _load_reader(self) -> Reader:
        path = self._find_weights()
        modified = path.stat().st_mtime_ns
        network = load_network(path, modified, self.device, threads_each(self.n_jobs))
        of_clips = self.input == "clips"
        if of_clips and network.sample_rate not in (None, str(self.sample_rate)):
            raise ValueError(
                f"sample_rate={self.sample_rate}: {path} says it takes {network.sample_rate}."
            )
        n_bands = None if of_clips else self.n_features_in_
        layout = network.layout(self.input, n_bands, self.layout)
        fixed = network.fixed_length(layout)
        if fixed and self.window_length not in (None, fixed):
            raise ValueError(
                f"window_length={self.window_length}: {path} only takes windows of {fixed}."
            )
        output = network.output(self.output)
        remember_place(network.digest, path)
        return Reader(
            network=network,
            kind=self.input,
            layout=layout,
            output=output,
            time_axis=network.time_axis(output, layout, self.time_axis),
            window_length=fixed or self.window_length,
            hop_length=self.hop_length,
            batch_size=self.batch_size,
        )
