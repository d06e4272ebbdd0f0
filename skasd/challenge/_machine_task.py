"""The evaluation of one model, and the files that record that it is finished."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.utils import Bunch

from skasd._sklearn import InvalidParameterError
from skasd._steps import threshold_of
from skasd.challenge._files import REMEDY, read_column, read_json, to_csv, write_text
from skasd.challenge._protocol import file_parts, identifier_of
from skasd.ensemble._skipping import fit_clips, score_clips
from skasd.exceptions import DatasetError, EvaluationError, WeightsError
from skasd.metrics._domains import evaluate_domains
from skasd.metrics._summary import evaluate

MachineKey = tuple[str, str]
"""Machine type and section or, in 2020, id, such as ``("fan", "00")``."""


class MachineResult(NamedTuple):
    """The result of one section of a machine type, or in 2020 of one machine.

    Parameters
    ----------
    scores : dict of str to float or tuple, or None
        From `skasd.metrics.evaluate` or, since 2021, `skasd.metrics.evaluate_domains`: ``"auc"``,
        ``"auc_interval"``, and so on. None if the labels of the test clips are unknown.
    failed_clips : dict of str to str
        Clips that could not be read and were left out, with the reasons.
    """

    scores: dict[str, Any] | None
    failed_clips: dict[str, str]


@dataclass
class MachineTask:
    """One model: the clips to fit it on, the clips to score, and the files to write.

    Parameters
    ----------
    year : int
        The challenge's year.
    machine : str
        Machine type.
    train : Bunch
        Clips from `skasd.datasets.load_dcase`.
    tests : dict of str to Bunch
        Test clips of each section or, in 2020, id.
    detector : detector
        The detector to fit.
    out : Path
        Folder for the files.
    """

    year: int
    machine: str
    train: Bunch
    tests: dict[str, Bunch]
    detector: Any
    out: Path

    @property
    def keys(self) -> list[MachineKey]:
        """What the task evaluates."""
        return [(self.machine, section) for section in self.tests]

    @property
    def name(self) -> str:
        """The machine type and, if there is only one, the section."""
        sections = list(self.tests)
        if len(sections) > 1:
            return self.machine
        return f"{self.machine}_{identifier_of(self.year)}_{sections[0]}"

    @property
    def finished_file(self) -> Path:
        """The file that shows that the others are complete."""
        return self.out / "finished" / f"{self.name}.json"

    def parts(self) -> dict[str, list[str]]:
        """Return how the names of its files end, and the clips in each file."""
        return {
            f"{self.machine}_{name}": clips
            for section, test in self.tests.items()
            for name, clips in file_parts(self.year, section, test).items()
        }

    def score_file(self, part: str) -> Path:
        """Return the file of the anomaly score of each test clip."""
        return self.out / f"anomaly_score_{part}.csv"

    def decision_file(self, part: str) -> Path:
        """Return the file of the decision on each test clip: 1 is anomalous."""
        return self.out / f"decision_result_{part}.csv"

    @property
    def files(self) -> list[Path]:
        """All of its files."""
        parts = self.parts()
        return [self.finished_file, *map(self.score_file, parts), *map(self.decision_file, parts)]

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
        if self.year > 2020 and not isinstance(finished.get("threshold"), float):
            raise EvaluationError(
                str(self.finished_file), "is damaged: it lacks the threshold", REMEDY
            )
        if finished["clips"] != self.fingerprint():
            return False
        failed = self._failed_names(failed_clips)
        for part, names in self.parts().items():
            scored = [name for name in names if name not in failed]
            read_column(self.score_file(part), scored)
            for decision in read_column(self.decision_file(part), scored):
                if decision not in (0, 1):
                    raise EvaluationError(
                        str(self.decision_file(part)), f"is damaged: it holds {decision}", REMEDY
                    )
        return True

    def _failed_names(self, failed_clips: Mapping[str, str]) -> set[str]:
        """Return the names of the test clips that have no score."""
        # A training and a test clip may have the same name, and the root may have been moved.
        failed = {Path(clip).parts[-2:] for clip in failed_clips}
        paths = (Path(path) for test in self.tests.values() for path in test.paths)
        return {path.name for path in paths if path.parts[-2:] in failed}

    def fingerprint(self) -> str:
        """Compute a digest that identifies the clips by their names, sizes and times."""
        digest = hashlib.sha256()
        for clips in (self.train, *self.tests.values()):
            for path in clips.paths:
                status = os.stat(path)
                digest.update(f"{Path(path).name} {status.st_size} {status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def result(self, section: str) -> MachineResult:
        """Read the result of a section from the files."""
        finished = read_json(self.finished_file, REMEDY)
        failed_clips, test = finished["failed_clips"], self.tests[section]
        failed = self._failed_names(failed_clips)
        own = {name: reason for name, reason in failed_clips.items() if self._is_of(name, section)}
        if test.y is None:
            return MachineResult(None, own)
        scores: dict[str, float] = {}
        for part, names in file_parts(self.year, section, test).items():
            scored = [name for name in names if name not in failed]
            column = read_column(self.score_file(f"{self.machine}_{part}"), scored)
            scores.update(zip(scored, column, strict=True))
        kept = [index for index, name in enumerate(test.names) if name in scores]
        y, anomaly_scores = test.y[kept], [scores[test.names[index]] for index in kept]
        if test.domains is None:
            return MachineResult(evaluate(y, anomaly_scores), own)
        metrics = evaluate_domains(
            y,
            anomaly_scores,
            test.domains[kept],
            threshold=finished["threshold"],
            anomalies="domain" if self.year == 2021 else "all",
        )
        return MachineResult(metrics, own)

    def _is_of(self, clip: str, section: str) -> bool:
        """Return whether a clip counts for a section: as its test clip, or because all train it."""
        path = Path(clip)
        others = [test for name, test in self.tests.items() if name != section]
        return not any(path.parts[-2:] == Path(p).parts[-2:] for test in others for p in test.paths)


def run_machine(task: MachineTask) -> tuple[list[MachineKey], str | None]:
    """Fit, score and write the files; return what was evaluated, and the reason if it failed."""
    fingerprint = task.fingerprint()
    for file in task.files:
        file.unlink(missing_ok=True)
    paths = [path for test in task.tests.values() for path in test.paths]
    try:
        train = task.train
        failed_clips = fit_clips(task.detector, train.paths, domain=train.domains, on_error="skip")
        results = list(score_clips(task.detector, paths, on_error="skip"))
        scored = {Path(each.clip).name: each for each in results if each.error is None}
        if not scored:
            raise DatasetError(
                task.name,
                "none of its test clips can be read",
                f"{results[0].clip}: {results[0].error}",
            )
    except (WeightsError, InvalidParameterError):
        raise  # would be the same for every machine
    except ValueError as error:
        return task.keys, str(error)
    failed_clips |= {result.clip: result.error for result in results if result.error is not None}
    for part, names in task.parts().items():
        kept = [(name, scored[name]) for name in names if name in scored]
        scores = [(name, each.anomaly_score) for name, each in kept]
        decisions = [(name, int(each.prediction == -1)) for name, each in kept]
        write_text(task.score_file(part), to_csv(scores))
        write_text(task.decision_file(part), to_csv(decisions))
    finished: dict[str, Any] = {"clips": fingerprint, "failed_clips": failed_clips}
    if task.year > 2020:
        finished["threshold"] = threshold_of(task.detector)
    write_text(task.finished_file, json.dumps(finished, indent=1))
    return task.keys, None
