"""A page about recordings, in one file that needs nothing else."""

from collections.abc import Iterable
from html import escape

from skasd.audio._misfits import Finding
from skasd.audio._recording_report import RecordingReport, counted

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: left; }
td.clip { overflow-wrap: anywhere; font-family: monospace; }
"""


def make_page(report: RecordingReport) -> str:
    """Lay out a report as a page; names of clips are text, whatever is in them.

    Parameters
    ----------
    report : RecordingReport
        What has been found.

    Returns
    -------
    str
        HTML.
    """
    facts = [(name, counted(values)) for name, values in report.summary.items()]
    if report.findings:
        found = _table(("clip", "what", "problem", "remedy"), map(_row, report.findings))
    else:
        found = "<p>Nothing is wrong with them, as far as can be seen.</p>"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{report.n_clips} recordings</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{report.n_clips} recordings</h1>
{_table(("", "clips"), (_cells(row) for row in facts))}
<h2>{len(report.findings)} findings</h2>
{found}
</body>
</html>
"""


def _table(headings: tuple[str, ...], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "\n".join(rows)
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"


def _cells(texts: tuple[str, ...]) -> str:
    return "<tr>" + "".join(f"<td>{_text(text)}</td>" for text in texts) + "</tr>"


def _row(finding: Finding) -> str:
    clip, *others = finding
    cells = "".join(f"<td>{_text(text)}</td>" for text in others)
    return f'<tr><td class="clip">{_text(clip)}</td>{cells}</tr>'


def _text(text: str) -> str:
    """Escape a text; bytes of a file name that are no text become what can be printed."""
    return escape(text.encode("utf-8", "backslashreplace").decode())
