"""The scores of a monitor's last windows, as a picture."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Self

from skasd.report._chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH

MOST_POINTS = 240


class Point(NamedTuple):
    """One window, or the oddest of some that follow each other.

    Parameters
    ----------
    x, y : float
        Where it is drawn.
    is_odd : bool
        Whether it is anomalous.
    """

    x: float
    y: float
    is_odd: bool


class ScoreChart(NamedTuple):
    """Where things are in a drawing of `WIDTH` by `HEIGHT`.

    Parameters
    ----------
    points : list of Point
        At most `MOST_POINTS`; none for windows that could not be scored.
    threshold : float
        Its height.
    ends : list of (float, float)
        Heights of the lowest and the highest score, and these.
    """

    points: list[Point]
    threshold: float
    ends: list[tuple[float, float]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT

    @classmethod
    def of(cls, scores: Sequence[float | None], threshold: float) -> Self | None:
        """Lay out scores, the first one at the left.

        Parameters
        ----------
        scores : sequence of floats or None
            Of windows; None for one that could not be scored.
        threshold : float
            The score above which a window is anomalous.

        Returns
        -------
        ScoreChart or None
            None if nothing is scored.

        Examples
        --------
        >>> from skasd.report._score_chart import ScoreChart
        >>> ScoreChart.of([1.0, None, 3.0], threshold=2.0).points
        [Point(x=211.3, y=160.0, is_odd=False), Point(x=544.7, y=12.0, is_odd=True)]
        """
        columns = _columns(scores)
        known = [score for score in columns if score is not None]
        if not known:
            return None
        low, high = min(*known, threshold), max(*known, threshold)
        span = (high - low) or 1.0

        def up(score: float) -> float:
            """Return the height of a score, in pixels from the top."""
            return round(HEIGHT - BOTTOM - (score - low) / span * (HEIGHT - TOP - BOTTOM), 1)

        step = (WIDTH - LEFT - RIGHT) / len(columns)
        points = [
            Point(round(LEFT + (number + 0.5) * step, 1), up(score), score > threshold)
            for number, score in enumerate(columns)
            if score is not None
        ]
        return cls(points, up(threshold), [(up(low), low), (up(high), high)])


def _columns(scores: Sequence[float | None]) -> list[float | None]:
    """Return the highest score of each of at most `MOST_POINTS` groups."""
    n_columns = min(len(scores), MOST_POINTS)
    bounds = [round(number * len(scores) / n_columns) for number in range(n_columns + 1)]
    groups = [scores[start:stop] for start, stop in pairwise(bounds)]
    return [max((score for score in group if score is not None), default=None) for group in groups]
