"""What is written as a line: on one, and of characters that do nothing else."""

import unicodedata
from collections.abc import Callable

DOES_MORE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of characters that end lines, move the cursor, turn the direction of
writing or stand for bytes that are no text."""


def on_one_line(text: object) -> str:
    r"""Escape what would break a line, or say another thing than it holds.

    Parameters
    ----------
    text : object
        Such as the name of a file, which may hold any character and any byte.

    Returns
    -------
    str
        With escapes as Python has them; a byte that is no UTF-8 is ``\xff``.

    Examples
    --------
    >>> from skasd._utils.text import on_one_line
    >>> print(on_one_line("tab\tred\x1b[31m"), on_one_line("Lüfter 3.wav"))
    tab\tred\x1b[31m Lüfter 3.wav
    """
    return escaped(str(text), lambda each: unicodedata.category(each) in DOES_MORE)


def in_utf_8(text: str) -> str:
    """Escape the bytes of a file's name that are no UTF-8, and nothing else.

    Parameters
    ----------
    text : str
        The name.

    Returns
    -------
    str
    """
    return escaped(text, lambda each: unicodedata.category(each) == "Cs")


def escaped(text: str, is_escaped: Callable[[str], bool]) -> str:
    """Escape some characters of a text, as Python does.

    Parameters
    ----------
    text : str
        The text.
    is_escaped : callable
        Tells of a character whether to escape it.

    Returns
    -------
    str
    """
    return "".join(_escape(each) if is_escaped(each) else each for each in text)


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
