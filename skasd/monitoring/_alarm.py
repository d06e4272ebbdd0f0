"""When single decisions become an alarm."""

import re
from collections import deque


class Alarm:
    """Alarm of k anomalous windows among the last n, which does not flicker.

    It is raised once k of the last n windows are anomalous, and cleared once at most `release` of
    them are. In between it stays as it is.

    Parameters
    ----------
    rule : str, default="3 of 5"
        ``"k of n"``, with 1 <= k <= n.
    release : int or None, default=None
        Less than k; ``(k - 1) // 2`` if None. That is halfway down: at 0, windows that are
        anomalous by chance, as a tenth of the healthy ones are at ``contamination=0.1``, keep an
        alarm up that nothing holds; at ``k - 1``, one window lets it go.

    Attributes
    ----------
    is_raised : bool
        Its state.

    Raises
    ------
    ValueError
        If the rule or `release` is none.

    Notes
    -----
    Before n windows are there, those that are there count.

    Examples
    --------
    >>> from skasd.monitoring import Alarm
    >>> alarm = Alarm("2 of 3")
    >>> [alarm.update(is_anomalous) for is_anomalous in (True, False, True, False, False, False)]
    [None, None, 'raised', None, None, 'cleared']
    """

    def __init__(self, rule: str = "3 of 5", release: int | None = None):
        match = re.fullmatch(r"\s*(\d+)\s+of\s+(\d+)\s*", rule) if isinstance(rule, str) else None
        k, n = map(int, match.groups()) if match else (0, 0)
        if not 1 <= k <= n:
            raise ValueError(f"alarm={rule!r}: expected 'k of n' with 1 <= k <= n, as '3 of 5'.")
        release = (k - 1) // 2 if release is None else release
        if isinstance(release, bool) or not isinstance(release, int) or not 0 <= release < k:
            raise ValueError(
                f"release={release!r}: expected an int from 0 to {k - 1} for the alarm {rule!r}, "
                "or None."
            )
        self.n_anomalous = k
        self.n_windows = n
        self.release = release
        self.is_raised = False
        self._last: deque[bool] = deque(maxlen=n)

    def update(self, is_anomalous: bool) -> str | None:
        """Take the next window's decision into account.

        Parameters
        ----------
        is_anomalous : bool
            The decision.

        Returns
        -------
        {"raised", "cleared"} or None
            What that does to the alarm.
        """
        self._last.append(is_anomalous)
        count = sum(self._last)
        if not self.is_raised and count >= self.n_anomalous:
            self.is_raised = True
            return "raised"
        if self.is_raised and count <= self.release:
            self.is_raised = False
            return "cleared"
        return None
