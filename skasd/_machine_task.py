"""What an evaluation does for one machine, and the files that tell it is done."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.utils import Bunch
from sklearn.utils._param_validation import InvalidParameterError

from skasd._files import write_whole
from skasd.audio import AudioError
from skasd.datasets.layout import DatasetError
from skasd.ensemble import RepeatedSeedEnsemble
from skasd.metrics import evaluate
from skasd.openl3.weights import WeightsError
from skasd.spectrogram import LogMelSpectrogram

MachineKey = tuple[str, str]
"""Machine type and id, such as ``("fan", "00")``."""


class MachineResult(NamedTuple):
    """What came out for one machine.

    Parameters
    ----------
    scores : dict of str to float or tuple, or None
        Of `skasd.metrics.evaluate`: ``"auc"``, ``"auc_interval"``, and so on. None where the test
        clips have no labels.
    failed_clips : dict of str to str
        Clips that could not be read, and why. They were left out.
    """

    scores: dict[str, Any] | None
    failed_clips: dict[str, str]


@dataclass
class MachineTask:
    """One machine: what is fitted on what, and the files that come of it.

    Parameters
    ----------
    machine, machine_id : str
        Machine type and id.
    train, test : Bunch
        Of `skasd.datasets.load_dcase2020`.
    detector : RepeatedSeedEnsemble
        What is fitted.
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
        return self.machine, self.machine_id

    @property
    def name(self) -> str:
        return f"{self.machine}_id_{self.machine_id}"

    @property
    def finished_file(self) -> Path:
        return self.out / "finished" / f"{self.name}.json"

    @property
    def score_file(self) -> Path:
        return self.out / f"anomaly_score_{self.name}.csv"

    @property
    def decision_file(self) -> Path:
        return self.out / f"decision_result_{self.name}.csv"

    @property
    def files(self) -> tuple[Path, Path, Path]:
        return self.finished_file, self.score_file, self.decision_file

    def is_finished(self) -> bool:
        """Whether the files are there, and of these clips."""
        return all(file.exists() for file in self.files) and (
            json.loads(self.finished_file.read_text())["clips"] == self.fingerprint()
        )

    def fingerprint(self) -> str:
        """Tell clips from others by names, sizes and times."""
        digest = hashlib.sha256()
        for path in (*self.train.paths, *self.test.paths):
            status = os.stat(path)
            digest.update(f"{Path(path).name} {status.st_size} {status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def result(self) -> MachineResult:
        """Read the result from the files."""
        failed_clips = json.loads(self.finished_file.read_text())["failed_clips"]
        if self.test.y is None:
            return MachineResult(None, failed_clips)
        scores = {name: float(score) for name, score in read_csv(self.score_file)}
        y = [
            label
            for name, label in zip(self.test.names, self.test.y, strict=True)
            if name in scores
        ]
        return MachineResult(evaluate(y, list(scores.values())), failed_clips)


def run_machine(task: MachineTask) -> tuple[MachineKey, str | None]:
    """Fit, score and write; return why that was not possible."""
    fingerprint = task.fingerprint()
    for file in task.files:
        file.unlink(missing_ok=True)
    spectrogram = next(
        step for step in task.detector.get_params().values() if isinstance(step, LogMelSpectrogram)
    )
    train, failed_train = _readable(task.train.paths, spectrogram)
    test, failed_test = _readable(task.test.paths, spectrogram)
    try:
        if not train or not test:
            raise DatasetError(f"None of the {'test' if train else 'training'} clips can be read.")
        anomaly_scores = task.detector.fit(train).anomaly_score(test)
        decisions = (anomaly_scores > -task.detector.offset_).astype(int)
    except (WeightsError, InvalidParameterError):
        raise  # would be the same for every machine
    except ValueError as error:
        return task.key, str(error)
    names = [Path(path).name for path in test]
    write_text(task.score_file, to_csv(zip(names, anomaly_scores.tolist(), strict=True)))
    write_text(task.decision_file, to_csv(zip(names, decisions.tolist(), strict=True)))
    finished = {"clips": fingerprint, "failed_clips": {**failed_train, **failed_test}}
    write_text(task.finished_file, json.dumps(finished, indent=1))
    return task.key, None


def _readable(
    paths: Sequence[str], spectrogram: LogMelSpectrogram
) -> tuple[list[str], dict[str, str]]:
    """Return the clips that can be analysed, and what is wrong with the others."""
    readable, failed = [], {}
    for path in paths:
        try:
            spectrogram.transform([path])
        except AudioError as error:
            failed[path] = f"{error.problem}. {error.remedy}"
        else:
            readable.append(path)
    return readable, failed


def to_csv(rows: Iterable[Sequence]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def read_csv(path: Path) -> list[list[str]]:
    with open(path, newline="") as file:
        return list(csv.reader(file))


def write_text(path: Path, text: str) -> None:
    with write_whole(path) as file:
        file.write(text.encode())
