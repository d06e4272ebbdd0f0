"""OpenL3 embeddings as a transformer of clips."""

import os
from collections.abc import Callable
from functools import lru_cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

import numpy as np
from joblib import delayed
from sklearn.utils.validation import check_is_fitted

from skasd._sklearn import Interval, Options, StrOptions, fit_context
from skasd._utils.threads import parallel_threads, threads_each
from skasd.audio._clips import Clip, Clips, check_clips
from skasd.audio._length import MAX_SECONDS
from skasd.exceptions import AudioError
from skasd.features._clip_transformer import ClipTransformer
from skasd.features._pretrained import PretrainedMixin, remember_place
from skasd.features.openl3._engines import ENGINES, Engine
from skasd.features.openl3._frontend import SAMPLE_RATE, network_input, split_windows
from skasd.features.openl3._network import build_network
from skasd.features.openl3._weights import find_weights, read_weights

POOLINGS: dict[str, Callable[..., np.ndarray]] = {"mean": np.mean, "max": np.max}


class OpenL3Embedding(PretrainedMixin, ClipTransformer):
    """Describe clips by OpenL3, a network that was trained to tell which sound fits a picture.

    A clip is cut into windows of one second, and the network turns each window into an embedding.
    The features of the clip are the average of its embeddings. They are the same numbers as those
    of the openl3 package.

    Parameters
    ----------
    input_repr : {"linear", "mel128", "mel256"}, default="mel256"
        Spectrogram that the network sees.
    content_type : {"env", "music"}, default="env"
        What the network was trained on: environmental sounds, or music.
    embedding_size : {512, 6144}, default=512
        Length of an embedding.
    hop_size : float, default=0.1
        Step from one window to the next, in seconds.
    center : bool, default=True
        Whether the first window is centered on the clip's first sample. If not, it begins there.
    frontend : {"kapre", "librosa"}, default="kapre"
        Whose way of computing the spectrogram to use.
    pooling : {"mean", "max"}, default="mean"
        How the embeddings of a clip are combined into one; `embed` returns them all.
    weights : "auto" or path, default="auto"
        The published weights, as a .h5 or .h5.gz file. ``"auto"`` looks in the folder that the
        environment variable ``SKASD_OPENL3_WEIGHTS`` names, the folder of an installed openl3
        package, and the user's cache; if they are in none of these, it downloads them into the
        cache. A file name without a folder is looked for in the working directory and in those
        folders.
    engine : {"auto", "ncnn", "keras"}, default="auto"
        What runs the network. ``"auto"`` uses ncnn; ``"keras"`` is for a GPU.
    cache : "auto", path or None, default="auto"
        Folder in which the features of each clip are cached by its content. ``"auto"`` is the
        user's cache folder; None caches nothing.
    channel : "mean", "near-far", "far-near" or int, default="mean"
        ``"mean"`` averages the channels, and an int selects one by its index. An array of shape
        (n_samples,) has one channel already. ``"near-far"`` takes the features of the first
        channel, near the machine, minus half of those of the second, which hears the surroundings;
        ``"far-near"`` swaps the two.
    input_sample_rate : int or None, default=None
        Sample rate of clips given as arrays, in Hz. None assumes 16000, with a warning. Files, and
        arrays given as ``(rate, samples)``, carry their own rate.
    n_jobs : int or None, default=None
        Number of clips processed at the same time, each with its share of the cores.
    max_seconds : float or None, default=3600.0
        Longest clip to accept, in seconds; None for no limit. A longer clip is refused before
        memory is allocated for it.
    verbose : int, default=0
        1 shows a progress bar over clips, and one during a download.

    Attributes
    ----------
    weights_digest_ : str
        SHA-256 of the weights. A fitted instance refuses to work with any others.

    See Also
    --------
    LogMelSpectrogram : The first step of the other branch.

    Notes
    -----
    Nothing is learned. The network is loaded on first use, and never pickled. A model file records
    the name and the digest of the weights, but not their location: an embedding that `skasd.load`
    returns looks for them as above, and uses the cache of the user who loads it.

    An entry in the cache takes about 2 kB for 512 numbers, and 205 kB for the embeddings that
    `embed` keeps of a clip of 10 s at a hop of 0.1 s. The cache is ``skasd/openl3-embeddings`` in
    the user's cache folder; delete it to clear the cache. It is created readable by its owner
    alone, because anyone who can write to it can forge features, and thereby scores. Damaged
    entries are computed again.

    References
    ----------
    Cramer et al., "Look, listen, and learn more: Design choices for deep audio embeddings",
    ICASSP 2019.

    Section 3.1 of Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and interpolation
    autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical report.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import OpenL3Embedding
    >>> embedding = OpenL3Embedding(input_repr="mel128", hop_size=1.0, cache=None,
    ...                             weights="tests/data/openl3_audio_mel128_golden.h5.gz")
    >>> embedding.fit_transform(np.zeros((1, 16000))).shape
    (1, 512)
    """

    sample_rate = SAMPLE_RATE

    _cache_name = "openl3-embeddings"

    _parameter_constraints = {
        **ClipTransformer._parameter_constraints,
        "input_repr": [StrOptions({"linear", "mel128", "mel256"})],
        "content_type": [StrOptions({"env", "music"})],
        "embedding_size": [Options(Integral, {512, 6144})],
        "hop_size": [Interval(Real, 1 / SAMPLE_RATE, 3600, closed="both")],
        "center": ["boolean"],
        "frontend": [StrOptions({"kapre", "librosa"})],
        "pooling": [StrOptions(set(POOLINGS))],
        "weights": [str, os.PathLike],
        "engine": [StrOptions({"auto", *ENGINES})],
        "cache": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    _fitted = {**ClipTransformer._fitted, **PretrainedMixin._fitted_digest}

    def __init__(
        self,
        input_repr: str = "mel256",
        *,
        content_type: str = "env",
        embedding_size: int = 512,
        hop_size: float = 0.1,
        center: bool = True,
        frontend: str = "kapre",
        pooling: str = "mean",
        weights: str | os.PathLike[str] = "auto",
        engine: str = "auto",
        cache: str | os.PathLike[str] | None = "auto",
        channel: str | int = "mean",
        input_sample_rate: int | None = None,
        n_jobs: int | None = None,
        max_seconds: float | None = MAX_SECONDS,
        verbose: int = 0,
    ):
        self.input_repr = input_repr
        self.content_type = content_type
        self.embedding_size = embedding_size
        self.hop_size = hop_size
        self.center = center
        self.frontend = frontend
        self.pooling = pooling
        self.weights = weights
        self.engine = engine
        self.cache = cache
        self.channel = channel
        self.input_sample_rate = input_sample_rate
        self.n_jobs = n_jobs
        self.max_seconds = max_seconds
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Clips, y: Any = None) -> Self:
        """Check the parameters, the clips and the weights. Nothing is learned.

        Parameters
        ----------
        X : clips
            Paths or arrays of samples.
        y : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : OpenL3Embedding

        Raises
        ------
        AudioError
            If a file is missing, or an array is not a clip.
        WeightsError
            If the weights cannot be obtained, or are not OpenL3's.
        """
        check_clips(X)
        self.weights_digest_ = self._load_engine().network.digest
        return self

    def transform(self, X: Clips) -> np.ndarray:
        """Compute the features of each clip.

        Parameters
        ----------
        X : clips
            Paths or arrays of samples.

        Returns
        -------
        ndarray of shape (n_clips, embedding_size), float64

        Raises
        ------
        AudioError
            If a clip cannot be read.
        WeightsError
            If the weights are not those of `fit`.
        """
        clips = check_clips(X)
        features = np.array(self._map(clips, self.pooling), dtype=np.float64)
        self._warn_of_unlike(X, clips)
        return features

    def embed(self, X: Clips) -> list[np.ndarray]:
        """Compute the embedding of each window of each clip.

        Parameters
        ----------
        X : clips
            Paths or arrays of samples.

        Returns
        -------
        list of n_clips ndarrays of shape (n_windows, embedding_size), float32
            Window i belongs to the time ``i * hop_size``: its center if `center`, otherwise its
            start.

        Raises
        ------
        AudioError
            If a clip cannot be read.
        WeightsError
            If the weights are not those of `fit`.
        """
        return self._map(X, None)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features: ``openl3_0``, and so on.

        Parameters
        ----------
        input_features : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of shape (embedding_size,), dtype object
        """
        return np.array([f"openl3_{i}" for i in range(self.embedding_size)], dtype=object)

    def transform_clip(self, samples: np.ndarray) -> np.ndarray:
        """Compute the features of one clip, without the cache.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            Mono, at 48 kHz.

        Returns
        -------
        ndarray of shape (embedding_size,), float32
            Features of the clip.

        Raises
        ------
        WeightsError
            If the weights are not those of `fit`.
        """
        return self._embed(samples, self._fitted_engine(), self.pooling)

    def _map(self, X: Clips, pooling: str | None) -> list[np.ndarray]:
        from tqdm.auto import tqdm  # takes long to import, for OpenL3 alone

        engine = self._fitted_engine()
        progress = tqdm(self._check_clips(X), unit="clip", desc="OpenL3", disable=not self.verbose)
        return parallel_threads(
            self.n_jobs, (delayed(self._recall)(clip, engine, pooling) for clip in progress)
        )

    def _recall(self, clip: Clip, engine: Engine, pooling: str | None) -> np.ndarray:
        """Return embeddings kept with the clip or on disk, or compute them."""
        settings = (
            engine.network.digest,
            type(engine).__name__,
            self.input_repr,
            self.embedding_size,
            float(self.hop_size),
            bool(self.center),
            self.frontend,
            pooling,
        )

        def fetch(samples: np.ndarray) -> np.ndarray:
            def compute() -> np.ndarray:
                embeddings = self._embed(samples, engine, pooling)
                if not np.isfinite(embeddings).all():
                    raise AudioError(
                        clip.name,
                        "gives NaN or infinity in OpenL3Embedding",
                        "Scale it to [-1, 1], and check whose weights these are.",
                    )
                return embeddings

            shape: tuple[int, ...] = (self.embedding_size,)
            if pooling is None:
                shape = (len(split_windows(samples, self.hop_size, self.center)), *shape)
            return self._remember(samples, settings, shape, compute)

        key = (type(self), *settings, self.input_sample_rate, self.channel)
        return clip.analyze(key, lambda: self._less_far(clip, self._read(clip), fetch))

    def _embed(self, samples: np.ndarray, engine: Engine, pooling: str | None) -> np.ndarray:
        windows = split_windows(samples, self.hop_size, self.center)
        embeddings = engine.embed(network_input(windows, self.input_repr, self.frontend))
        return POOLINGS[pooling](embeddings, axis=0) if pooling else embeddings

    def _look_for_weights(self, *, may_download: bool) -> Path:
        return find_weights(
            self.weights,
            self.input_repr,
            self.content_type,
            self.verbose,
            may_download=may_download,
        )

    def _fitted_engine(self) -> Engine:
        check_is_fitted(self)
        engine = self._load_engine()
        self._require_digest(engine.network.digest)
        return engine

    def _load_engine(self) -> Engine:
        path = self._find_weights()
        kind = "ncnn" if self.engine == "auto" else self.engine
        modified = path.stat().st_mtime_ns
        n_threads = threads_each(self.n_jobs)
        engine = _load_engine(path, modified, self.input_repr, self.embedding_size, kind, n_threads)
        remember_place(engine.network.digest, path)
        return engine


@lru_cache(maxsize=2)
def _load_engine(
    path: Path, modified: int, input_repr: str, embedding_size: int, kind: str, n_threads: int
) -> Engine:
    """Build an engine once per process; a file that has changed since is read again."""
    return ENGINES[kind](build_network(read_weights(path), input_repr, embedding_size), n_threads)
