"""The protocol of DCASE 2020: fit each machine on its training clips, score its test clips.

An evaluation writes the challenge's files into a folder, machine by machine. If it is stopped and
started again with the same settings and clips, it continues with the next machine.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from tqdm.auto import tqdm

from skasd._version import __version__
from skasd.challenge._machine_task import (
    MachineKey,
    MachineResult,
    MachineTask,
    read_json,
    run_machine,
    to_csv,
    write_text,
)
from skasd.datasets._dcase import find_machine_ids, find_machines, load_dcase2020
from skasd.datasets._layout import MACHINES
from skasd.exceptions import DatasetError, EvaluationError
from skasd.metrics._summary import average_scores
from skasd.systems._by_name import make_system


@dataclass
class Evaluation:
    """The results of all machines.

    Parameters
    ----------
    results : dict of (str, str) to MachineResult
        Results by machine type and id.
    not_evaluated : dict of (str, str) to str
        Reasons why the other machines were not evaluated, by machine type and id.
    """

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


def evaluate_dcase2020(
    root: str | os.PathLike,
    out: str | os.PathLike,
    system: str = "iaeo3",
    *,
    machines: Sequence[str] | None = None,
    machine_ids: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    random_state: int = 0,
    overwrite: bool = False,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Evaluation:
    """Fit and score every machine, and write the files that the challenge requires.

    Writes into `out` ``anomaly_score_<type>_id_<id>.csv`` and
    ``decision_result_<type>_id_<id>.csv`` (1 is anomalous) for each machine, ``result.csv`` with
    AUC and pAUC, ``settings.json``, and a folder ``finished`` that records the finished machines.
    Every file is either complete or absent.

    Parameters
    ----------
    root : str or PathLike
        Folder that contains the machine types' folders, as unpacked from the challenge's archives.
    out : str or PathLike
        Folder for the results; created if it is missing.
    system : {"views", "iaeo3", "iaeo3-opt", "iaeo3-plus", "iae", "baseline"}, default="iaeo3"
        The system; see `make_system`. One is fitted for each machine type and id. This includes the
        baseline, of which the challenge fitted one for each type.
    machines : sequence of str or None, default=None
        Machine types; all types in `root` if None.
    machine_ids : sequence of str or None, default=None
        Ids, such as ``"00"``; all ids of each type if None.
    settings : mapping or None, default=None
        Settings that override those of the system.
    random_state : int, default=0
        Seed of every machine's system.
    overwrite : bool, default=False
        Whether to delete results of other settings in `out`. Otherwise, they are an error.
    n_jobs : int or None, default=None
        Machines that are fitted at the same time, by joblib. Results are the same to the bit
        if this number is.
    verbose : int, default=0
        1 shows a progress bar over machines.

    Returns
    -------
    Evaluation
        The results of all machines.

    Raises
    ------
    EvaluationError
        A ValueError: if a machine is unknown, or `out` holds other or damaged results or cannot
        be created.
    ValueError
        If a system or a setting is unknown.
    DatasetError
        If `root` has no clips.
    WeightsError
        If OpenL3's weights cannot be obtained.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import soundfile
    >>> from skasd.datasets import make_machine_sounds
    >>> from skasd.challenge import evaluate_dcase2020
    >>> sounds, _ = make_machine_sounds("fan", n_normal=8, n_anomalous=2, duration=1.0)
    >>> names = [f"train/normal_id_00_{i:08}.wav" for i in range(6)]
    >>> names += [f"test/normal_id_00_{i:08}.wav" for i in range(2)]
    >>> names += [f"test/anomaly_id_00_{i:08}.wav" for i in range(2)]
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name, sound in zip(names, sounds):
    ...         path = Path(root, "fan", name)
    ...         path.parent.mkdir(parents=True, exist_ok=True)
    ...         soundfile.write(path, sound, 16000)
    ...     evaluation = evaluate_dcase2020(
    ...         root, Path(root, "out"), "baseline", settings={"epochs": 1}
    ...     )
    ...     sorted(path.name for path in Path(root, "out").glob("*.csv"))
    ['anomaly_score_fan_id_00.csv', 'decision_result_fan_id_00.csv', 'result.csv']
    >>> evaluation.complete, sorted(evaluation.results)
    (True, [('fan', '00')])
    """
    settings = dict(settings or {})
    out = Path(out)
    keys = _find_keys(root, machines, machine_ids)
    detectors = {
        # As the report and the challenge do, all members learn from all clips.
        machine: make_system(
            system, machine, **{"cv": None, "random_state": random_state, **settings}
        )
        for machine in {machine for machine, _ in keys}
    }
    evaluation, tasks = Evaluation(), []
    for machine, machine_id in keys:
        try:
            train, test = (load_dcase2020(root, machine, machine_id, s) for s in ("train", "test"))
            tasks.append(MachineTask(machine, machine_id, train, test, detectors[machine], out))
        except DatasetError as error:
            evaluation.not_evaluated[machine, machine_id] = str(error)
    _claim(out, {"system": system, "settings": settings, "random_state": random_state}, overwrite)
    pending = [task for task in tasks if not task.is_finished()]
    outcomes = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        delayed(run_machine)(task) for task in pending
    )
    with tqdm(
        total=len(tasks), initial=len(tasks) - len(pending), unit="machine", disable=not verbose
    ) as progress:
        for key, reason in outcomes:
            if reason is not None:
                evaluation.not_evaluated[key] = reason
            progress.update()
    for task in tasks:
        if task.key not in evaluation.not_evaluated:
            try:
                evaluation.results[task.key] = task.result()
            except EvaluationError:
                raise
            except ValueError as error:
                evaluation.not_evaluated[task.key] = f"Its clips are scored, but {error}"
    if evaluation.labeled_scores():
        write_text(out / "result.csv", _result_csv(evaluation))
    return evaluation


def _find_keys(
    root: str | os.PathLike, machines: Sequence[str] | None, machine_ids: Sequence[str] | None
) -> list[MachineKey]:
    """List machine types and ids in the report's order."""
    present = find_machines(root)
    machines = [name for name in MACHINES if name in present] if machines is None else machines
    unknown = [name for name in machines if name not in MACHINES]
    if unknown or not machines:
        raise EvaluationError(
            f"machines={unknown or None}",
            f"DCASE 2020 has {', '.join(MACHINES)}, and {root} holds {', '.join(present)}",
            "Pass machine types that are in both, or another root.",
        )
    keys = [(name, each) for name in machines for each in find_machine_ids(root, name)]
    if machine_ids is None:
        return keys
    wanted = {str(each).zfill(2) for each in machine_ids}
    missing = wanted - {each for _, each in keys}
    if missing:
        raise EvaluationError(
            f"machine_ids={sorted(missing)}",
            f"{', '.join(machines)} in {root} have the ids "
            f"{', '.join(sorted({each for _, each in keys}))}",
            "Pass ids from this list, or None for all.",
        )
    return [(name, each) for name, each in keys if each in wanted]


def _claim(out: Path, settings: dict[str, Any], overwrite: bool) -> None:
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
        # Settings are written first, so results without them are of others, for all we know.
        if file.exists() or any((out / "finished").iterdir()):
            held = read_json(file, "Pass another out, or overwrite to delete the results in it.")
    except EvaluationError:
        if not overwrite:
            raise
        held = {}
    if held != settings:
        changed = {name for name in {*held, *settings} if held.get(name) != settings.get(name)}
        difference = "; ".join(
            f"{name} was {held.get(name)}, and is {settings.get(name)}" for name in sorted(changed)
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


def _result_csv(evaluation: Evaluation) -> str:
    """Write AUC and pAUC of each id, and their averages, as the challenge's baseline does."""
    scores = evaluation.labeled_scores()
    rows: list[list[Any]] = []
    for machine, average in average_scores(scores).by_machine.items():
        rows += [[machine], ["id", "AUC", "pAUC"]]
        rows += [[i, s["auc"], s["pauc"]] for (name, i), s in scores.items() if name == machine]
        rows += [["Average", average["auc"], average["pauc"]], []]
    return to_csv(rows)
