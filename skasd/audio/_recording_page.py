"""A page about recordings, in one file that needs nothing else."""

from collections.abc import Iterable, Sequence
from html import escape

from skasd.audio._misfits import Finding

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: left; }
td.clip { overflow-wrap: anywhere; font-family: monospace; }
"""


def make_page(n_clips: int, facts: Sequence[tuple[str, str]], findings: Sequence[Finding]) -> str:
    """Lay out what was found as a page; names of clips are text, whatever is in them.

    Parameters
    ----------
    n_clips : int
        Number of clips.
    facts : sequence of (str, str)
        Names of what was counted, and counts.
    findings : sequence of Finding
        What is wrong.

    Returns
    -------
    str
        HTML.
    """
    if findings:
        found = _table(("clip", "what", "problem", "remedy"), map(_row, findings))
    else:
        found = "<p>Nothing is wrong with them, as far as can be seen.</p>"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{n_clips} recordings</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{n_clips} recordings</h1>
{_table(("", "clips"), (_cells(row) for row in facts))}
<h2>{len(findings)} findings</h2>
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
