"""The evaluation of one machine, and the files that show that it is finished."""

import csv
import hashlib
import io
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.utils import Bunch

from skasd._sklearn import InvalidParameterError
from skasd._utils.files import write_whole
from skasd.ensemble._repeated_seed_ensemble import RepeatedSeedEnsemble
from skasd.ensemble._skipping import fit_clips, score_clips
from skasd.exceptions import DatasetError, EvaluationError, WeightsError
from skasd.metrics._summary import evaluate

MachineKey = tuple[str, str]
"""Machine type and id, such as ``("fan", "00")``."""

REMEDY = "Delete it, and start again: this machine is then evaluated anew."


class MachineResult(NamedTuple):
    """The result of one machine.

    Parameters
    ----------
    scores : dict of str to float or tuple, or None
        Of `skasd.metrics.evaluate`: ``"auc"``, ``"auc_interval"``, and so on. None if the test
        clips have no labels.
    failed_clips : dict of str to str
        Clips that could not be read and were left out, with the reasons.
    """

    scores: dict[str, Any] | None
    failed_clips: dict[str, str]


@dataclass
class MachineTask:
    """One machine: its clips, its detector, and the files to write.

    Parameters
    ----------
    machine, machine_id : str
        Machine type and id.
    train, test : Bunch
        Clips from `skasd.datasets.load_dcase2020`.
    detector : RepeatedSeedEnsemble
        The detector to fit.
    out : Path
        Folder for the files.
    """

    machine: str
    machine_id: str
    train: Bunch
    test: Bunch
    detector: RepeatedSeedEnsemble
    out: Path

    @property
    def key(self) -> MachineKey:
        """Machine type and id."""
        return self.machine, self.machine_id

    @property
    def name(self) -> str:
        """What the names of its files end with."""
        return f"{self.machine}_id_{self.machine_id}"

    @property
    def finished_file(self) -> Path:
        """The file that tells that the others are whole."""
        return self.out / "finished" / f"{self.name}.json"

    @property
    def score_file(self) -> Path:
        """The anomaly score of each test clip."""
        return self.out / f"anomaly_score_{self.name}.csv"

    @property
    def decision_file(self) -> Path:
        """The decision on each test clip: 1 is anomalous."""
        return self.out / f"decision_result_{self.name}.csv"

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """All of its files."""
        return self.finished_file, self.score_file, self.decision_file

    def is_finished(self) -> bool:
        """Return whether the files exist and belong to these clips; refuse damaged ones."""
        if not all(file.exists() for file in self.files):
            return False
        finished = read_json(self.finished_file, REMEDY)
        failed_clips = finished.get("failed_clips")
        if not isinstance(finished.get("clips"), str) or not (
            isinstance(failed_clips, dict)
            and all(isinstance(reason, str) for reason in failed_clips.values())
        ):
            raise EvaluationError(
                str(self.finished_file), "is damaged: it lacks clips or failed_clips", REMEDY
            )
        if finished["clips"] != self.fingerprint():
            return False
        names = self._scored_names(failed_clips)
        read_column(self.score_file, names)
        for decision in read_column(self.decision_file, names):
            if decision not in (0, 1):
                raise EvaluationError(
                    str(self.decision_file), f"is damaged: it holds {decision}", REMEDY
                )
        return True

    def _scored_names(self, failed_clips: Mapping[str, str]) -> list[str]:
        """Return the names of the clips that have scores, in the order of the clips."""
        pairs = zip(self.test.names, self.test.paths, strict=True)
        # Of training and of test, two clips may have the same name; the root may have another.
        failed = {Path(clip).parts[-2:] for clip in failed_clips}
        return [name for name, path in pairs if Path(path).parts[-2:] not in failed]

    def fingerprint(self) -> str:
        """Compute a digest that identifies the clips by their names, sizes and times."""
        digest = hashlib.sha256()
        for path in (*self.train.paths, *self.test.paths):
            status = os.stat(path)
            digest.update(f"{Path(path).name} {status.st_size} {status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def result(self) -> MachineResult:
        """Read the result from the files."""
        failed_clips = read_json(self.finished_file, REMEDY)["failed_clips"]
        names = self._scored_names(failed_clips)
        scores = read_column(self.score_file, names)
        if self.test.y is None:
            return MachineResult(None, failed_clips)
        labels = dict(zip(self.test.names, self.test.y, strict=True))
        return MachineResult(evaluate([labels[name] for name in names], scores), failed_clips)


def run_machine(task: MachineTask) -> tuple[MachineKey, str | None]:
    """Fit, score and write the files; return why that failed, or None."""
    fingerprint = task.fingerprint()
    for file in task.files:
        file.unlink(missing_ok=True)
    try:
        failed_clips = fit_clips(task.detector, task.train.paths, on_error="skip")
        results = list(score_clips(task.detector, task.test.paths, on_error="skip"))
        scored = [result for result in results if result.error is None]
        if not scored:
            raise DatasetError(
                task.name,
                "none of its test clips can be read",
                f"{results[0].clip}: {results[0].error}",
            )
    except (WeightsError, InvalidParameterError):
        raise  # would be the same for every machine
    except ValueError as error:
        return task.key, str(error)
    failed_clips |= {result.clip: result.error for result in results if result.error is not None}
    names = [Path(result.clip).name for result in scored]
    scores = [result.anomaly_score for result in scored]
    decisions = [int(result.prediction == -1) for result in scored]
    write_text(task.score_file, to_csv(zip(names, scores, strict=True)))
    write_text(task.decision_file, to_csv(zip(names, decisions, strict=True)))
    finished = {"clips": fingerprint, "failed_clips": failed_clips}
    write_text(task.finished_file, json.dumps(finished, indent=1))
    return task.key, None


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
