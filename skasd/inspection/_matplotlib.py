"""Matplotlib, imported only when a picture is requested."""

from collections.abc import Iterable
from typing import Any

PALETTE = BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#e69f00", "#009e73", "#cc79a7"
"""Colors of Okabe and Ito, which color-blind readers can tell apart."""

_LEAST_ROOM = 0.07
"""Share of an axis that must be free between the tick at its end and the next one."""


def import_pyplot() -> Any:
    """Return matplotlib.pyplot, or say what to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib: pip install "skasd[examples]", or pip install matplotlib.'
        ) from error
    return plt


def ticks_with_ends(low: float, high: float, inner: Iterable[float]) -> list[float]:
    """Return ticks at both ends of an axis, and those between that are far enough from them.

    Parameters
    ----------
    low, high : float
        Ends of the axis, on a linear scale.
    inner : iterable of float
        Other ticks.

    Returns
    -------
    list of float

    Examples
    --------
    >>> from skasd.inspection._matplotlib import ticks_with_ends
    >>> ticks_with_ends(0, 9.9, [0, 2, 4, 6, 8, 10])
    [0, 2, 4, 6, 8, 9.9]
    """
    room = _LEAST_ROOM * (high - low)
    return [low, *(tick for tick in inner if low + room <= tick <= high - room), high]
