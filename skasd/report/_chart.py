"""The p-values of a batch from its first clip to its last, as a picture."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 128, 12, 12, 40


class Chart(NamedTuple):
    """Where things are in a drawing of `WIDTH` by `HEIGHT`.

    Parameters
    ----------
    points : list of (float, float)
        Of each clip; the rarer it is among healthy ones, the higher.
    ticks : list of (float, str)
        Heights, and what they mean.
    threshold : float or None
        Height of the threshold; None if there is none.
    ends : tuple of (int, int)
        Places of the first and the last clip.
    """

    points: list[tuple[float, float]]
    ticks: list[tuple[float, str]]
    threshold: float | None
    ends: tuple[int, int]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM

    @classmethod
    def of(cls, places: Sequence[int], p_values: Sequence[float], threshold: float | None) -> Self:
        """Lay out the p-values of clips on a logarithmic scale.

        Parameters
        ----------
        places : sequence of n_clips ints
            Of the clips in their batch, in order.
        p_values : sequence of n_clips floats
            In (0, 1].
        threshold : float or None
            The p-value up to which clips are anomalous.

        Returns
        -------
        Chart
        """
        decades = max(math.ceil(-math.log10(min(p_values))), 1)
        ticks = [(1.0, "all")] + [(0.1**n, f"1 in {10**n:,}") for n in range(1, decades + 1)]
        return cls(
            points=[
                (_across(place, places), _up(p_value, decades))
                for place, p_value in zip(places, p_values, strict=True)
            ],
            ticks=[(_up(p_value, decades), text) for p_value, text in ticks],
            threshold=None if threshold is None else _up(threshold, decades),
            ends=(places[0], places[-1]),
        )


def _across(place: int, places: Sequence[int]) -> float:
    share = (place - places[0] + 0.5) / (places[-1] - places[0] + 1)
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _up(p_value: float, decades: int) -> float:
    share = 1 + math.log10(p_value) / decades
    return round(TOP + share * (HEIGHT - TOP - BOTTOM), 1)
