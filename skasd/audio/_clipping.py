"""Clipping: samples that stay at an extreme where sound would go on."""

import numpy as np

PLATEAU = 3
"""Samples at an extreme, one after the other."""

STEEP = 4.0
"""How many quanta a wave falls beside a plateau, within half of its length, at least.

A quantum is the smallest difference of two values. A wave's own top, rounded to quanta, is a
parabola that falls by half a quantum within half of its plateau, and by two beside it.
"""

FEWEST_PLATEAUS = 3
"""So many may be chance, or a knock."""


def count_clipped(samples: np.ndarray) -> int:
    """Count the plateaus at the largest or smallest value of one channel.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        One channel, as it was recorded.

    Returns
    -------
    int
        0 if there are so few that they may be chance.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.audio._clipping import count_clipped
    >>> wave = np.sin(np.arange(16000) * 0.05)
    >>> count_clipped(wave), count_clipped(wave.clip(-0.5, 0.5)) > 200
    (0, True)
    """
    values = np.unique(samples)
    if len(values) < 2:
        return 0
    quantum = np.diff(values).min()
    n_plateaus = sum(
        _count_plateaus(samples, extreme, STEEP * quantum) for extreme in (values[0], values[-1])
    )
    return n_plateaus if n_plateaus >= FEWEST_PLATEAUS else 0


def _count_plateaus(samples: np.ndarray, extreme: float, steep: float) -> int:
    at_extreme = np.concatenate([[False], samples == extreme, [False]])
    edges = np.flatnonzero(at_extreme[1:] != at_extreme[:-1])
    starts, ends = edges[::2], edges[1::2]
    starts, ends = starts[ends - starts >= PLATEAU], ends[ends - starts >= PLATEAU]
    beside = (ends - starts + 1) // 2
    before = np.abs(samples[np.maximum(starts - beside, 0)] - extreme)
    after = np.abs(samples[np.minimum(ends - 1 + beside, len(samples) - 1)] - extreme)
    return int(np.count_nonzero(np.minimum(before, after) >= steep))
