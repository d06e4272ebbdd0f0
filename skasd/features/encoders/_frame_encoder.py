"""From clips or spectrograms, through the frames that a network gives, to features."""

from abc import abstractmethod
from functools import partial
from typing import Any

import numpy as np
from joblib import delayed
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skasd._utils.threads import parallel_threads
from skasd.features._clip_transformer import ClipTransformer
from skasd.features._pretrained import PretrainedMixin
from skasd.features._spectrogram_transformer import check_spectrograms
from skasd.features.encoders._pooling import Pooling, pool, poolings_of
from skasd.features.encoders._reader import Reader


class FrameEncoder(PretrainedMixin, ClipTransformer):
    """Base of encoders that pool a network's frames over time, and cache the features of clips.

    A subclass says which network it is, and what its `fit` finds out about it.

    Parameters
    ----------
    input : {"clips", "spectrograms"}
        What the network takes.
    pooling : {"mean", "std", "max"}, float, or a list of these
        See `ONNXEncoder`, which has the other parameters as well.

    Attributes
    ----------
    n_features_out_ : int
        Number of features.
    n_features_in_ : int
        Number of bands of the spectrograms; only with ``input="spectrograms"``.
    """

    input: str
    pooling: Pooling
    n_features_out_: int
    n_features_in_: int

    @abstractmethod
    def _load_reader(self) -> Reader:
        """Return the network and how it is used, or refuse parameters that contradict it."""

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> np.ndarray:
        """Fit to a training set and compute its features, and check whether the clips are alike.

        Parameters
        ----------
        X : clips or spectrograms
            Clips or spectrograms, as `input` says.
        y : ignored
            Not used, present for API consistency by convention.
        **fit_params
            Passed on to `fit`.

        Returns
        -------
        ndarray of shape (n_clips, n_features), float64

        Raises
        ------
        AudioError
            If a clip cannot be read or encoded, or all clips are silent.

        Warns
        -----
        RecordingWarning
            If some clips differ from the others, such as a clip of a lower sample rate, or a silent
            one.
        """
        if self.input == "clips":
            return super().fit_transform(X, y, **fit_params)
        return self.fit(X, y, **fit_params).transform(X)

    def transform(self, X: Any) -> np.ndarray:
        """Compute the features of each clip.

        Parameters
        ----------
        X : clips or spectrograms
            Clips or spectrograms, as `input` says.

        Returns
        -------
        ndarray of shape (n_clips, n_features), float64

        Raises
        ------
        AudioError
            If a clip cannot be read or encoded.
        WeightsError
            If the network is not that of `fit`.
        """
        reader = self._fitted_reader()
        clips = self._check(X)
        features = np.array(self._map(clips, partial(self._recall, reader)), dtype=np.float64)
        if self.input == "clips":
            self._warn_of_unlike(X, clips)
        return features

    def embed(self, X: Any) -> list[np.ndarray]:
        """Compute the network's output for each frame, one window after the other.

        Parameters
        ----------
        X : clips or spectrograms
            Clips or spectrograms, as `input` says.

        Returns
        -------
        list of n_clips ndarrays of shape (n_frames, n_features), float32
            Without pooling, and without the cache.

        Raises
        ------
        AudioError
            If a clip cannot be read or encoded.
        WeightsError
            If the network is not that of `fit`.
        """
        return self._map(self._check(X), partial(self._embed, self._fitted_reader()))

    def transform_clip(self, samples: np.ndarray) -> np.ndarray:
        """Compute the features of one clip, without the cache.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,) or (n_frames, n_mels), float32
            Mono samples at `sample_rate`, or a spectrogram.

        Returns
        -------
        ndarray of shape (n_features,), float32
            Features of the clip.
        """
        return pool(_flat(self._fitted_reader().read(samples, "clip 0")), self.pooling)

    def _check(self, X: Any) -> list[Any]:
        """Check the clips, or the spectrograms."""
        if self.input == "clips":
            return self._check_clips(X)
        return check_spectrograms(X, n_mels=self.n_features_in_)

    def _map(self, clips: list[Any], function: Any) -> list[np.ndarray]:
        calls = (
            delayed(function)(clip, getattr(clip, "name", f"clip {index}"))
            for index, clip in enumerate(clips)
        )
        return parallel_threads(self.n_jobs, calls)

    def _embed(self, reader: Reader, clip: Any, name: str) -> np.ndarray:
        def frames_of(data: np.ndarray) -> np.ndarray:
            return _flat(reader.read(data, name))

        if self.input == "spectrograms":
            return frames_of(clip)
        return self._less_far(clip, self._read(clip), frames_of)

    def _recall(self, reader: Reader, clip: Any, name: str) -> np.ndarray:
        """Return the features kept with the clip or on disk, or compute them."""
        settings = (*reader.settings, *poolings_of(self.pooling))

        def fetch(data: np.ndarray) -> np.ndarray:
            def compute() -> np.ndarray:
                return pool(_flat(reader.read(data, name)), self.pooling)

            return self._remember(data, settings, (self.n_features_out_,), compute)

        if self.input == "spectrograms":
            return fetch(clip)
        key = (type(self), *settings, self.sample_rate, self.input_sample_rate, self.channel)
        return clip.analyze(key, lambda: self._less_far(clip, self._read(clip), fetch))

    def _fitted_reader(self) -> Reader:
        check_is_fitted(self)
        reader = self._load_reader()
        self._require_digest(reader.network.digest)
        return reader

    def _check_parameters(self) -> None:
        super()._check_parameters()
        poolings_of(self.pooling)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = self.input == "clips"
        tags.input_tags.three_d_array = self.input == "spectrograms"
        return tags


def _flat(frames: np.ndarray) -> np.ndarray:
    return frames.reshape(len(frames), -1).astype(np.float32, copy=False)
