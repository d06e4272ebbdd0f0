"""The files of an evaluation: written completely or not at all, and refused if damaged."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from skasd._utils.files import write_whole
from skasd.exceptions import EvaluationError

REMEDY = "Delete it and start again; this machine will then be evaluated again."


def to_csv(rows: Iterable[Sequence]) -> str:
    """Return rows as the text of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def read_column(path: Path, names: Sequence[str]) -> list[float]:
    """Read one finite number for each clip from a CSV file, in any order of lines.

    Parameters
    ----------
    path : Path
        The file; each line has a name and a number.
    names : sequence of str
        The clips; the file must hold each of them once, and no others.

    Returns
    -------
    list of float
        Numbers in the order of `names`.

    Raises
    ------
    EvaluationError
        If it is damaged, or holds other clips.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [(name, float(number)) for name, number in csv.reader(file)]
    except (OSError, ValueError, csv.Error) as error:
        raise EvaluationError(str(path), f"is damaged: {error}", REMEDY) from error
    numbers = dict(rows)
    for name, number in rows:
        if not math.isfinite(number):
            raise EvaluationError(str(path), f"is damaged: {name!r} has {number}", REMEDY)
    counts = Counter(name for name, _ in rows)
    counts.subtract(names)
    wrong = sorted(name for name, count in counts.items() if count)
    if wrong:
        raise EvaluationError(
            str(path),
            f"holds other clips than the folder, {len(rows)} instead of {len(names)}: "
            f"{wrong[0]!r} is {'missing' if counts[wrong[0]] < 0 else 'one too many'}",
            REMEDY,
        )
    return [numbers[name] for name in names]


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON object.

    Parameters
    ----------
    path : Path
        The file.
    remedy : str
        What to do if it is damaged.

    Returns
    -------
    dict of str to object

    Raises
    ------
    EvaluationError
        If the file holds anything else.
    """
    try:
        content = json.loads(path.read_bytes().decode())
    except (OSError, ValueError, RecursionError) as error:
        raise EvaluationError(str(path), f"is damaged: {error}", remedy) from error
    if not isinstance(content, dict):
        raise EvaluationError(str(path), "is damaged: it does not hold a JSON object", remedy)
    return content


def write_text(path: Path, text: str) -> None:
    """Write a file completely, or leave what was there."""
    with write_whole(path) as file:
        file.write(text.encode())
