"""Results that ``skasd evaluate`` has written, and goes on with."""

import json
import random
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.fuzzing.kind import Files, Kind, MistakenError
from benchmarks.fuzzing.mutations import change_json_or_text, change_text
from skasd.challenge import _machine_task
from skasd.challenge._machine_task import MachineTask
from skasd.challenge._results import claim
from skasd.datasets import load_dcase2020
from skasd.metrics import evaluate

SETTINGS = {"system": "iae", "settings": {"epochs": 3}, "random_state": 0}


class Results(Kind):
    """Scores, decisions, and the records of what is finished and of the settings.

    If they are taken, each clip has one score.
    """

    name = "results"
    share = 1
    most_megabytes = 100

    def __init__(self, folder: Path):
        super().__init__(folder)
        # Intervals would take most of the time.
        _machine_task.evaluate = partial(evaluate, n_resamples=0)  # type: ignore[assignment]
        root, out = folder / "clips", folder / "out"
        names = [f"{kind}_id_00_{i:08}.wav" for kind in ("normal", "anomaly") for i in range(12)]
        for name in ("train/normal_id_00_00000000.wav", *(f"test/{each}" for each in names)):
            path = root / "fan" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"sound")
        train, test = (load_dcase2020(root, "fan", "00", split) for split in ("train", "test"))
        self._task = MachineTask(2020, "fan", train, {"00": test}, None, out)
        (part,) = self._task.parts()
        claim(out, SETTINGS, overwrite=True)
        scores = [f"{name},{i / 7}\n" for i, name in enumerate(names[1:])]
        decisions = [f"{name},{int('anomaly' in name)}\n" for name in names[1:]]
        failed = {f"elsewhere/fan/test/{names[0]}": "is empty"}
        record = {"clips": self._task.fingerprint(), "failed_clips": failed}
        self._paths = {
            "scores": self._task.score_file(part),
            "decisions": self._task.decision_file(part),
            "finished": self._task.finished_file,
            "settings": out / "settings.json",
        }
        self._honest = {
            "scores": "".join(scores).encode(),
            "decisions": "".join(decisions).encode(),
            "finished": json.dumps(record, indent=1).encode(),
            "settings": self._paths["settings"].read_bytes(),
        }

    def make(self, rng: random.Random) -> Files:
        """Return the files, of which one is changed."""
        name = rng.choice(list(self._honest))
        change = change_json_or_text if name in ("finished", "settings") else change_text
        return {**self._honest, name: change(self._honest[name], rng)}

    def read(self, files: Files, folder: Path) -> None:
        """Go on with an evaluation, as far as its first fit."""
        for name, content in files.items():
            self._paths[name].write_bytes(content)
        claim(self._task.out, SETTINGS, overwrite=False)
        if not self._task.is_finished():
            return
        result = self._task.result("00")
        n_scored = len(self._task.tests["00"].names) - len(result.failed_clips)
        if len(set(files["scores"].splitlines())) < n_scored:
            raise MistakenError("scores that are lost")
        assert result.scores is not None
        if not np.isfinite([result.scores["auc"], result.scores["pauc"]]).all():
            raise MistakenError("a result that is no number")
