"""What a look at recordings has found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from skasd.audio._misfits import Finding, in_words
from skasd.audio._recording_page import make_page


@dataclass(frozen=True)
class RecordingReport:
    """What `check_recordings` has found.

    Parameters
    ----------
    n_clips : int
        Number of clips.
    summary : dict of str to dict of str to int
        ``"sample rate"``, ``"length"``, ``"channels"``, ``"format"`` and ``"bandwidth"``, each
        with the number of clips by value.
    findings : list of Finding
        What is wrong: ``clip``, ``kind``, ``problem`` and ``remedy`` of each. Empty if nothing is.
    unread : list of str
        Clips that cannot be read, which are among the findings.

    See Also
    --------
    check_recordings : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.audio import check_recordings
    >>> clips = np.random.default_rng(0).normal(0, 0.1, size=(9, 16000))
    >>> clips[4, 5000:9000] = 0
    >>> report = check_recordings(clips)
    >>> report.findings[0].clip, report.findings[0].kind
    ('clip 4', 'dropouts')
    """

    n_clips: int
    summary: dict[str, dict[str, int]]
    findings: list[Finding]
    unread: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return all as what JSON can hold.

        Returns
        -------
        dict of str to object
        """
        return {**asdict(self), "findings": [finding._asdict() for finding in self.findings]}

    def to_html(self) -> str:
        """Return a page that needs nothing else.

        Returns
        -------
        str
        """
        facts = [(name, counted(values)) for name, values in self.summary.items()]
        return make_page(self.n_clips, facts, self.findings)

    def __str__(self) -> str:
        lines = [f"{self.n_clips} clips"]
        lines += [f"{name:12} {counted(values)}" for name, values in self.summary.items()]
        lines.append("")
        if not self.findings:
            lines.append("Nothing is wrong with them, as far as can be seen.")
        else:
            lines.append(in_words(self.findings))
        return "\n".join(lines)


def counted(values: dict[str, int]) -> str:
    """Return values and how often they occur, the most frequent first.

    Parameters
    ----------
    values : dict of str to int
        Numbers by value.

    Returns
    -------
    str
        The values alone if there is just one.
    """
    if len(values) == 1:
        return next(iter(values))
    return ", ".join(f"{value} ({n})" for value, n in values.items())


def count(values: Sequence[str]) -> dict[str, int]:
    """Count values, the most frequent first.

    Parameters
    ----------
    values : sequence of str
        What there is.

    Returns
    -------
    dict of str to int
    """
    return dict(Counter(values).most_common())
