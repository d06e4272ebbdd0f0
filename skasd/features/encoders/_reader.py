"""How an encoder reads a clip, window by window, and turns its output into frames."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from skasd.exceptions import AudioError
from skasd.features.encoders._onnx_network import Network, first_line


class Reader(NamedTuple):
    """A network, and how it is used.

    Parameters
    ----------
    network : Network
        The network to run.
    kind : {"clips", "spectrograms"}
        What the network is given.
    layout : str
        Order of the axes of the network's input; see `Network.layout`.
    output : str
        Name of the network's output.
    time_axis : int or None
        Axis of the output that is time.
    window_length : int or None
        Length of windows; None means the whole clip.
    hop_length : int or None
        Step from one window to the next; None means the length of a window.
    batch_size : int
        Number of windows in one call.
    """

    network: Network
    kind: str
    layout: str
    output: str
    time_axis: int | None
    window_length: int | None
    hop_length: int | None
    batch_size: int

    @property
    def settings(self) -> tuple:
        """Everything that the frames depend on, besides the clip."""
        device = self.network.session.get_providers()[0]
        return (self.network.digest, device, *self[1:-1])

    def read(self, data: np.ndarray, name: str) -> np.ndarray:
        """Compute the frames of a clip.

        Parameters
        ----------
        data : ndarray of shape (n_samples,) or (n_frames, n_bands), float32
            The clip.
        name : str
            Name of the clip in errors.

        Returns
        -------
        ndarray of shape (n_frames, ...)
            The network's output for each frame, one window after the other.

        Raises
        ------
        AudioError
            If the network fails, or gives NaN or infinity.
        """
        frames = []
        for batch in self._batches(data):
            try:
                result = self.network.run(batch, self.layout, self.output)
            # onnxruntime's errors have no base class in common.
            except Exception as error:
                raise AudioError(
                    name,
                    f"cannot be encoded by {self.network.path}, in windows of {batch.shape[1:]}: "
                    f"{first_line(error)}",
                    "If it is too short, pass window_length: shorter clips are then repeated.",
                ) from error
            frames.append(self._time_first(result))
        encoded = np.concatenate(frames)
        if not len(encoded) or not np.isfinite(encoded).all():
            raise AudioError(
                name,
                f"gives {'NaN or infinity' if len(encoded) else 'no frame'} in {self.network.path}",
                "Scale it to [-1, 1], repair it or leave it out.",
            )
        return encoded

    def _batches(self, data: np.ndarray) -> Iterator[np.ndarray]:
        """Cut a clip into windows, a few at a time; the last one ends with the clip."""
        length = self.window_length or len(data)
        if len(data) < length:
            n_times = -(-length // len(data))
            data = np.concatenate([data] * n_times)[:length]
        last = len(data) - length
        starts = [*range(0, last, self.hop_length or length), last]
        one_by_one = "n" not in self.layout or self.network.input_shape[0] == 1
        at_once = 1 if one_by_one else self.batch_size
        for first in range(0, len(starts), at_once):
            windows = [data[i : i + length] for i in starts[first : first + at_once]]
            # A single window need not be copied.
            yield np.stack(windows) if len(windows) > 1 else windows[0][np.newaxis]

    def _time_first(self, result: np.ndarray) -> np.ndarray:
        """Put the frames of all windows one after the other."""
        if self.time_axis is None:
            return result if "n" in self.layout else result[np.newaxis]
        if "n" not in self.layout:
            return np.moveaxis(result, self.time_axis, 0)
        by_window = np.moveaxis(result, self.time_axis, 1)
        return by_window.reshape(-1, *by_window.shape[2:])
