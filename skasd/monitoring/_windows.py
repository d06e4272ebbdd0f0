"""Windows of a stream of samples."""

from collections.abc import Iterable, Iterator

import numpy as np


def cut_windows(
    pieces: Iterable[np.ndarray], *, window_length: int, hop_length: int
) -> Iterator[np.ndarray]:
    """Cut a stream into windows, each yielded as soon as its last sample has arrived.

    Parameters
    ----------
    pieces : iterable of ndarrays of shape (n_samples,) or (n_samples, n_channels)
        The stream, in pieces of any size and one shape.
    window_length : int
        Length of a window, in samples.
    hop_length : int
        Samples from the start of one window to the start of the next. If it is less than
        `window_length`, windows overlap; if it is more, there are gaps between them.

    Yields
    ------
    ndarray of shape (window_length,) or (window_length, n_channels), float32
        A window; window i starts at sample ``i * hop_length``. An incomplete last window is
        dropped.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.monitoring._windows import cut_windows
    >>> pieces = [np.arange(3), np.arange(3, 8)]
    >>> [w.tolist() for w in cut_windows(pieces, window_length=4, hop_length=3)]
    [[0.0, 1.0, 2.0, 3.0], [3.0, 4.0, 5.0, 6.0]]
    """
    window = np.empty(0, np.float32)
    n_held, n_to_drop = 0, 0
    for piece in pieces:
        if not len(window):
            window = np.empty((window_length, *piece.shape[1:]), np.float32)
        start = 0
        while start < len(piece):
            if n_to_drop:
                n_dropped = min(n_to_drop, len(piece) - start)
                start += n_dropped
                n_to_drop -= n_dropped
                continue
            n_taken = min(window_length - n_held, len(piece) - start)
            window[n_held : n_held + n_taken] = piece[start : start + n_taken]
            start += n_taken
            n_held += n_taken
            if n_held == window_length:
                yield window.copy()
                n_held = max(0, window_length - hop_length)
                n_to_drop = max(0, hop_length - window_length)
                window[:n_held] = window[window_length - n_held :]
