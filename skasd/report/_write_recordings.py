"""A page about recordings that were looked at before a fit."""

from pathlib import Path

from skasd._utils.files import write_whole
from skasd.audio._recording_report import RecordingReport, counted
from skasd.report._page import make_page


def write_recordings(report: RecordingReport, path: Path) -> None:
    """Write a page about recordings.

    Parameters
    ----------
    report : RecordingReport
        What has been found.
    path : Path
        The page.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    facts = [(name, counted(values)) for name, values in report.summary.items()]
    title = f"{report.n_clips} recordings"
    page = make_page("recordings.html", title=title, report=report, facts=facts)
    with write_whole(path) as file:
        file.write(page.encode())
