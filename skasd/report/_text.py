"""Text on a page: numbers and names, whatever characters these hold."""

import math
import os
import unicodedata
from collections.abc import Sequence

from skasd._utils.text import escaped

TURNS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that turn the direction of writing."""

HIDDEN = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's categories of characters that end lines, do something, or stand for stray bytes."""


def visible(text: str) -> str:
    r"""Escape what would break a line, turn the direction of writing, or is no text at all.

    Parameters
    ----------
    text : str
        Such as the name of a file, which may hold any character and any byte.

    Returns
    -------
    str
        With escapes as Python has them; a byte that is no UTF-8 is ``\xff``.

    Examples
    --------
    >>> from skasd.report._text import visible
    >>> print(visible("two\nlines \udcff.wav"), visible("Lüfter 3.wav"))
    two\nlines \xff.wav Lüfter 3.wav
    """
    return escaped(text, lambda each: each in TURNS or unicodedata.category(each) in HIDDEN)


def number(value: float) -> str:
    """Round a score for people; a dash for what is not known.

    Parameters
    ----------
    value : float
        The score.

    Returns
    -------
    str

    Examples
    --------
    >>> from skasd.report._text import number
    >>> number(1.234567), number(123456.0), number(float("nan"))
    ('1.235', '123456', '-')
    """
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def share(p_value: float) -> str:
    """Round a p-value for people; a dash if it is not known.

    Parameters
    ----------
    p_value : float
        In (0, 1], or NaN.

    Returns
    -------
    str

    Examples
    --------
    >>> from skasd.report._text import share
    >>> share(0.03947), share(1.3e-5), share(float("nan"))
    ('0.039', '< 0.0001', '-')
    """
    if math.isnan(p_value):
        return "-"
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def sentence(text: str) -> str:
    """Begin a text with a capital, and leave units as they are.

    Parameters
    ----------
    text : str
        Words without a full stop.

    Returns
    -------
    str

    Examples
    --------
    >>> from skasd.report._text import sentence
    >>> sentence("unusual throughout, at 12 to 82 Hz")
    'Unusual throughout, at 12 to 82 Hz.'
    """
    return f"{text[:1].upper()}{text[1:]}."


def counted(n: int, what: str = "clip") -> str:
    """Count things: one of them, or several.

    Parameters
    ----------
    n : int
        How many.
    what : str, default="clip"
        What one of them is called.

    Returns
    -------
    str

    Examples
    --------
    >>> from skasd.report._text import counted
    >>> counted(1), counted(1200)
    ('1 clip', '1,200 clips')
    """
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def in_folder(paths: Sequence[str]) -> tuple[str, list[str]]:
    """Split paths into the folder that all of them are in, and the rest of each.

    Parameters
    ----------
    paths : sequence of str
        Names of clips, which need not be paths.

    Returns
    -------
    folder : str
        Empty if there is none.
    names : list of str

    Examples
    --------
    >>> from skasd.report._text import in_folder
    >>> in_folder(["new/a.wav", "new/night/b.wav"])
    ('new', ['a.wav', 'night/b.wav'])
    >>> in_folder(["a.wav", "clip 1"])
    ('', ['a.wav', 'clip 1'])
    """
    try:
        folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:
        # None at all, or relative and absolute ones.
        folder = ""
    return folder, [os.path.relpath(path, folder) if folder else path for path in paths]
