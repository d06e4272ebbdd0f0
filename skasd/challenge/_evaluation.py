"""The challenge's protocol: fit each machine on its training clips, score its test clips.

An evaluation writes the challenge's files into a folder, machine by machine. If it is stopped and
started again with the same settings and clips, it continues with the next machine.
"""

import os
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from tqdm.auto import tqdm

from skasd._sklearn import Interval, StrOptions, validate_params
from skasd.challenge._files import write_text
from skasd.challenge._machine_task import MachineKey, MachineTask, run_machine
from skasd.challenge._protocol import (
    FIT_ON,
    default_fit_on,
    default_settings,
    identifier_of,
)
from skasd.challenge._result_csv import result_csv
from skasd.challenge._results import Evaluation, claim
from skasd.datasets._dcase import find_machine_ids, find_machines
from skasd.datasets._layout import MACHINES
from skasd.datasets._load_dcase import YEARS, find_ground_truth, load_dcase
from skasd.datasets._years import find_year
from skasd.exceptions import DatasetError, EvaluationError
from skasd.systems._by_name import make_system


@validate_params(
    {
        "root": [str, os.PathLike],
        "year": [Interval(Integral, *YEARS, closed="both"), None],
        "fit_on": [StrOptions(set(FIT_ON)), None],
    }
)
def evaluate_dcase(
    root: str | os.PathLike,
    out: str | os.PathLike,
    system: str = "iaeo3",
    *,
    year: int | None = None,
    machines: Sequence[str] | None = None,
    sections: Sequence[str] | None = None,
    fit_on: str | None = None,
    ground_truth: str | os.PathLike | None = None,
    settings: Mapping[str, Any] | None = None,
    random_state: int = 0,
    overwrite: bool = False,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Evaluation:
    """Fit and score every machine of a year's challenge, and write the files that it requires.

    Writes into `out`, for each section, ``anomaly_score_<name>.csv`` and
    ``decision_result_<name>.csv`` (1 is anomalous), ``result.csv`` with all metrics, their means
    and the official score, ``settings.json``, and a folder ``finished`` that records what is
    finished. Every file is either complete or absent. The names are those that the year's evaluator
    reads: ``<type>_id_<id>`` in 2020, ``<type>_section_<section>_<domain>_test`` in 2021 and
    ``<type>_section_<section>_test`` since.

    Parameters
    ----------
    root : str or PathLike
        Folder that contains the machine types' folders, as unpacked from the challenge's archives.
    out : str or PathLike
        Folder for the results; created if it is missing.
    system : str, default="iaeo3"
        The system; see `make_system`.
    year : int or None, default=None
        The challenge's year, 2020 to 2026; None detects it from the clips.
    machines : sequence of str or None, default=None
        Machine types; None evaluates all types in `root`.
    sections : sequence of str or None, default=None
        Sections or, in 2020, ids, such as ``"00"``; None evaluates all of each type.
    fit_on : {"machine", "section"} or None, default=None
        Whether a model learns from all sections of a machine type, or from a single one. None does
        what the year's baseline does: ``"machine"`` in 2021 and 2022, and otherwise ``"section"``.
        The exception is 2020, when the baseline had one model for each type, but None means
        ``"section"``.
    ground_truth : str, PathLike or None, default=None
        Folder of the challenge's lists of labels; see `load_dcase`. None looks for them next to the
        clips. Without labels, clips are scored, but no metrics are computed.
    settings : mapping or None, default=None
        Settings that override those of the system. The recordings of 2026 have two channels; unless
        this says otherwise, only that of the near microphone, ``channel=0``, is used.
    random_state : int, default=0
        Seed of every machine's system.
    overwrite : bool, default=False
        Whether to delete results of other settings in `out`. If not, such results are an error.
    n_jobs : int or None, default=None
        Number of models fitted at the same time, by joblib. Results are bit-identical for the same
        number.
    verbose : int, default=0
        1 shows a progress bar over models.

    Returns
    -------
    Evaluation
        The results of all sections.

    Raises
    ------
    EvaluationError
        A ValueError. Raised if a machine is unknown, or if `out` holds other or damaged results or
        cannot be created.
    ValueError
        If a system or a setting is unknown.
    DatasetError
        If `root` has no clips, or the year cannot be detected.
    WeightsError
        If OpenL3's weights cannot be obtained.

    See Also
    --------
    skasd.datasets.fetch_dcase : Download a year's recordings.
    skasd.metrics.official_score : How the official score is computed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import soundfile
    >>> from skasd.datasets import make_machine_sounds
    >>> from skasd.challenge import evaluate_dcase
    >>> sounds, _ = make_machine_sounds("fan", n_normal=10, n_anomalous=4, duration=1.0)
    >>> kinds = ["train_normal"] * 6 + ["test_normal"] * 4 + ["test_anomaly"] * 4
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for i, (kind, sound) in enumerate(zip(kinds, sounds)):
    ...         domain = "target" if i % 2 else "source"
    ...         name = f"section_00_{domain}_{kind}_{i:04}_vel_6.wav"
    ...         path = Path(root, "fan", kind.partition("_")[0], name)
    ...         path.parent.mkdir(parents=True, exist_ok=True)
    ...         soundfile.write(path, sound, 16000)
    ...     evaluation = evaluate_dcase(
    ...         root, Path(root, "out"), "baseline", year=2024, settings={"epochs": 1}
    ...     )
    ...     sorted(path.name for path in Path(root, "out").glob("[ar]*.csv"))
    ['anomaly_score_fan_section_00_test.csv', 'result.csv']
    >>> evaluation.complete, sorted(evaluation.results)
    (True, [('fan', '00')])
    """
    out, year = Path(out), find_year(root) if year is None else year
    keys = _find_keys(root, year, machines, sections)
    defaults = {"cv": None, "random_state": random_state, **default_settings(year)}
    settings = dict(settings or {})
    detectors = {
        # All members learn from all clips, as in the report and the challenge.
        machine: make_system(system, machine, **{**defaults, **settings})
        for machine in {machine for machine, _ in keys}
    }
    truth = find_ground_truth(root, year, ground_truth)
    fit_on = default_fit_on(year) if fit_on is None else fit_on
    evaluation = Evaluation(year)
    tasks = []
    for machine, own in _groups(keys, fit_on):
        tests = {}
        for section in own:
            try:
                tests[section] = load_dcase(
                    root, machine, section, "test", year=year, ground_truth=truth
                )
            except DatasetError as error:
                evaluation.not_evaluated[machine, section] = str(error)
        try:
            one = own[0] if fit_on == "section" else None
            train = load_dcase(root, machine, one, "train", year=year, ground_truth=truth)
        except DatasetError as error:
            evaluation.not_evaluated |= {(machine, section): str(error) for section in own}
        else:
            if tests:
                tasks.append(MachineTask(year, machine, train, tests, detectors[machine], out))
    claimed = {"year": year, "system": system, "fit_on": fit_on, "settings": settings}
    claim(out, {**claimed, "random_state": random_state}, overwrite)
    _run(tasks, evaluation, n_jobs, verbose)
    for task in tasks:
        for key in task.keys:
            if key not in evaluation.not_evaluated:
                try:
                    evaluation.results[key] = task.result(key[1])
                except EvaluationError:
                    raise
                except ValueError as error:
                    evaluation.not_evaluated[key] = f"Its clips are scored, but {error}"
    if evaluation.labeled_scores():
        write_text(out / "result.csv", result_csv(year, evaluation.labeled_scores()))
    return evaluation


def _run(
    tasks: list[MachineTask], evaluation: Evaluation, n_jobs: int | None, verbose: int
) -> None:
    """Run the tasks that are not finished, and note why any of them failed."""
    pending = [task for task in tasks if not task.is_finished()]
    outcomes = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        delayed(run_machine)(task) for task in pending
    )
    with tqdm(
        total=len(tasks), initial=len(tasks) - len(pending), unit="machine", disable=not verbose
    ) as progress:
        for keys, reason in outcomes:
            if reason is not None:
                evaluation.not_evaluated |= dict.fromkeys(keys, reason)
            progress.update()


def _groups(keys: list[MachineKey], fit_on: str) -> list[tuple[str, list[str]]]:
    """Return the machine type and the sections of each model."""
    if fit_on == "section":
        return [(machine, [section]) for machine, section in keys]
    machines = dict.fromkeys(machine for machine, _ in keys)
    return [(name, [section for machine, section in keys if machine == name]) for name in machines]


def _find_keys(
    root: str | os.PathLike,
    year: int,
    machines: Sequence[str] | None,
    sections: Sequence[str] | None,
) -> list[MachineKey]:
    """List machine types and sections, in the report's order in 2020."""
    present = find_machines(root)
    known = MACHINES if year == 2020 else present
    machines = [name for name in known if name in present] if machines is None else machines
    unknown = [name for name in machines if name not in known]
    if unknown or not machines:
        held = f"{root} holds {', '.join(present)}"
        raise EvaluationError(
            f"machines={unknown or None}",
            f"DCASE 2020 has {', '.join(MACHINES)}, and {held}" if year == 2020 else held,
            "Pass machine types from that folder, or another root or year.",
        )
    keys = [(name, each) for name in machines for each in find_machine_ids(root, name)]
    if sections is None:
        return keys
    wanted = {str(each).zfill(2) for each in sections}
    missing = wanted - {each for _, each in keys}
    if missing:
        raise EvaluationError(
            f"{'machine_ids' if year == 2020 else 'sections'}={sorted(missing)}",
            f"{', '.join(machines)} in {root} have the {identifier_of(year)}s "
            f"{', '.join(sorted({each for _, each in keys}))}",
            "Pass some from this list, or None for all.",
        )
    return [(name, each) for name, each in keys if each in wanted]
