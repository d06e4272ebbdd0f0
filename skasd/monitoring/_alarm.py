"""The rule that turns single decisions into an alarm."""

import re
from collections import deque


class Alarm:
    """Alarm for k anomalous windows among the last n, which does not flicker.

    The alarm is raised once k of the last n windows are anomalous, and cleared once at most
    `release` of them are. In between, it keeps its state.

    Parameters
    ----------
    rule : str, default="3 of 5"
        ``"k of n"``, with 1 <= k <= n.
    release : int or None, default=None
        Number of anomalous windows, less than k, at which the alarm is cleared;
        ``(k - 1) // 2`` if None. That is halfway down: at 0, windows that are anomalous by
        chance, as a tenth of the healthy ones are at ``contamination=0.1``, keep the alarm up
        for no reason; at ``k - 1``, a single window clears it.

    Attributes
    ----------
    is_raised : bool
        Whether the alarm is up.

    Raises
    ------
    ValueError
        If the rule or `release` is invalid.

    Notes
    -----
    Until n windows have been seen, the rule applies to those seen so far.

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
            raise ValueError(
                f"alarm={rule!r}: expected 'k of n' with 1 <= k <= n, such as '3 of 5'."
            )
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
            Whether the window is anomalous.

        Returns
        -------
        {"raised", "cleared"} or None
            The change of the alarm, if any.
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
