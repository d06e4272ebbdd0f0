"""The protocol of DCASE 2020, under its name from before other years were supported."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from skasd.challenge._evaluation import evaluate_dcase
from skasd.challenge._results import Evaluation


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
    """Fit and score every machine of DCASE 2020, and write the files that it requires.

    This is `evaluate_dcase` for ``year=2020``.

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
        The system; see `make_system`. One is fitted for each machine type and id, even for the
        baseline, of which the challenge fitted only one for each type.
    machines : sequence of str or None, default=None
        Machine types; None evaluates all types in `root`.
    machine_ids : sequence of str or None, default=None
        Ids, such as ``"00"``; None evaluates all ids of each type.
    settings : mapping or None, default=None
        Settings that override those of the system.
    random_state : int, default=0
        Seed of every machine's system.
    overwrite : bool, default=False
        Whether to delete results of other settings in `out`. If not, such results are an error.
    n_jobs : int or None, default=None
        Number of machines fitted at the same time, by joblib. Results are bit-identical for the
        same number.
    verbose : int, default=0
        1 shows a progress bar over machines.

    Returns
    -------
    Evaluation
        The results of all machines.

    Raises
    ------
    EvaluationError
        A ValueError. Raised if a machine is unknown, or if `out` holds other or damaged results or
        cannot be created.
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
    return evaluate_dcase(
        root,
        out,
        system,
        year=2020,
        machines=machines,
        sections=machine_ids,
        settings=settings,
        random_state=random_state,
        overwrite=overwrite,
        n_jobs=n_jobs,
        verbose=verbose,
    )
