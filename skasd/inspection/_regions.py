"""The few runs along an axis that carry most of what is unusual."""

import numpy as np

MOST_RUNS = 3
WEAKEST_RUN = 0.25
"""Of the strongest; what carries less is not named."""
SPREAD = 0.37
"""Where half of the sum takes more of the profile than this, it has no place. In healthy clips of
steady machines, where chance alone says what is unusual, it takes 0.35 to 0.41."""


def carrying_runs(profile: np.ndarray, *, gap: int) -> list[tuple[int, int]]:
    """Find the densest runs that carry half of a profile's sum.

    Parameters
    ----------
    profile : ndarray of shape (n,)
        Not negative.
    gap : int
        Runs with at most so many lower values between them are one.

    Returns
    -------
    list of (first, last)
        At most three, the strongest first; `last` is within the run. One run from end to end where
        the sum is spread all over the profile, or is 0.
    """
    highest = np.sort(profile)[::-1]
    carried = np.cumsum(highest)
    level = highest[np.searchsorted(carried, carried[-1] / 2)]
    inside = np.flatnonzero(profile >= level)
    if len(inside) > SPREAD * len(profile):
        return [(0, len(profile) - 1)]
    cuts = np.flatnonzero(np.diff(inside) > gap + 1)
    runs = zip(inside[np.r_[0, cuts + 1]], inside[np.r_[cuts, -1]], strict=True)
    sums = {(int(first), int(last)): profile[first : last + 1].sum() for first, last in runs}
    strongest = sorted(sums, key=sums.get, reverse=True)[:MOST_RUNS]
    return [run for run in strongest if sums[run] >= WEAKEST_RUN * sums[strongest[0]]]
