"""The files of an evaluation: written whole, and refused if they are damaged."""

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

REMEDY = "Delete it, and start again: this machine is then evaluated anew."


def to_csv(rows: Iterable[Sequence]) -> str:
    """Return rows as the text of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def read_column(path: Path, names: Sequence[str]) -> list[float]:
    """Read one finite number for each clip from the text of a CSV file, whatever its order.

    Parameters
    ----------
    path : Path
        The file, of lines of a name and a number.
    names : sequence of str
        The clips, each of which it must hold once, and no other.

    Returns
    -------
    list of float
        In the order of `names`.

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
            f"holds other clips than the folder, {len(rows)} where there are {len(names)}: "
            f"{wrong[0]!r} is {'lost' if counts[wrong[0]] < 0 else 'one too many'}",
            REMEDY,
        )
    return [numbers[name] for name in names]


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read an object of JSON.

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
        If it holds anything else.
    """
    try:
        content = json.loads(path.read_bytes().decode())
    except (OSError, ValueError, RecursionError) as error:
        raise EvaluationError(str(path), f"is damaged: {error}", remedy) from error
    if not isinstance(content, dict):
        raise EvaluationError(str(path), "is damaged: it holds no object of JSON", remedy)
    return content


def write_text(path: Path, text: str) -> None:
    """Write a file whole, or leave what was there."""
    with write_whole(path) as file:
        file.write(text.encode())
