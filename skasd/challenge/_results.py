"""The results of an evaluation, and the folder that holds them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skasd._version import __version__
from skasd.challenge._files import read_json, write_text
from skasd.challenge._machine_task import MachineKey, MachineResult
from skasd.exceptions import EvaluationError


@dataclass
class Evaluation:
    """The results of all machines.

    Parameters
    ----------
    year : int
        The challenge's year.
    results : dict of (str, str) to MachineResult
        Results by machine type and section (2020: id).
    not_evaluated : dict of (str, str) to str
        Reasons why the others were not evaluated.
    """

    year: int = 2020
    results: dict[MachineKey, MachineResult] = field(default_factory=dict)
    not_evaluated: dict[MachineKey, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether all machines were evaluated on all of their clips."""
        failed = any(result.failed_clips for result in self.results.values())
        return not failed and not self.not_evaluated

    def labeled_scores(self) -> dict[MachineKey, dict[str, Any]]:
        """Return the scores of the machines whose test clips have labels."""
        return {key: each.scores for key, each in self.results.items() if each.scores is not None}


def claim(out: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Reserve the folder for results of these settings."""
    settings = json.loads(json.dumps({"skasd": __version__, **settings}, default=str))
    file = out / "settings.json"
    try:
        (out / "finished").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(
            str(out), f"cannot hold the results: {error}", "Pass another out."
        ) from error
    held = settings
    try:
        # Settings are written first, so results without them must be someone else's.
        if file.exists() or any((out / "finished").iterdir()):
            held = read_json(file, "Pass another out, or overwrite to delete the results in it.")
    except EvaluationError:
        if not overwrite:
            raise
        held = {}
    if held != settings:
        changed = {name for name in {*held, *settings} if held.get(name) != settings.get(name)}
        difference = "; ".join(
            f"{name} was {held.get(name)}, but is now {settings.get(name)}"
            for name in sorted(changed)
        )
        if not overwrite:
            raise EvaluationError(
                str(out),
                f"holds results of other settings: {difference}",
                "Pass another out, or overwrite to delete them.",
            )
        for pattern in ("finished/*.json", "anomaly_score_*", "decision_result_*", "result.csv"):
            for stale in out.glob(pattern):
                stale.unlink()
    write_text(file, json.dumps(settings, indent=1))
