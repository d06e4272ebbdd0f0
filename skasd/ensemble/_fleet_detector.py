"""A detector for each machine of a plant."""

import warnings
from collections.abc import Mapping
from itertools import chain
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, clone
from sklearn.utils import Tags, check_consistent_length, get_tags
from sklearn.utils.validation import check_is_fitted

from skasd._sklearn import N_JOBS, HasMethods, fit_context
from skasd._utils.threads import parallel_threads
from skasd.audio._clips import Clips
from skasd.audio._looking import warn_of_remarks
from skasd.detection._domains import check_domain
from skasd.ensemble._fleet_estimators import estimators_for
from skasd.ensemble._fleet_messages import check_known, warn_of_failures
from skasd.ensemble._fleet_task import FleetTask, check_machine, group_by_machine, rows
from skasd.ensemble._saved_detectors import SavedDetectors
from skasd.exceptions import RecordingWarning


class FleetDetector(OutlierMixin, MetaEstimatorMixin, BaseEstimator):
    """Fit one detector for each machine; score each clip by its machine's own.

    Parameters
    ----------
    estimator : detector, pipeline that ends with one, or mapping of str to such
        What is cloned and fitted for each machine. A mapping has one for each machine type: the
        part of a machine's label before ``_id_``, as in DCASE's ``fan_id_00``. A label without
        ``_id_`` is its own type. None, as in a fleet that `skasd.load` returns, can score and not
        fit.
    n_jobs : int or None, default=None
        Machines that are fitted or scored at the same time, by joblib. None means 1 unless in a
        :obj:`joblib.parallel_config` context, such as one of a Dask cluster.

    Attributes
    ----------
    detectors_ : mapping of str to fitted detector
        By machine. What it offers besides scores, such as `offset_` or `score_report`, is there.
    failures_ : dict of str to str
        Machines whose last fit failed, and why.

    See Also
    --------
    skasd.save : Writes a fleet as a folder with one file for each machine.

    Notes
    -----
    A machine's detector depends on its own clips alone, and not on the order of machines. `fit`
    forgets machines that do not occur; `partial_fit` leaves them as they are.

    The report's Table 1 as a fleet is ``FleetDetector({m: make_iaeo3_opt(m) for m in MACHINES})``,
    with `MACHINES` of `skasd.datasets`.

    On a cluster, ``with joblib.parallel_config(backend="dask")`` spreads the machines over the
    workers. One machine is one piece of work: if machines run at the same time, the members of
    each run one after the other. Pass paths that the workers can read; arrays travel through the
    scheduler. If a worker dies, another one repeats its work. joblib does not use a cluster of a
    single thread, and runs the work where it is called.

    Start a worker for each core, and keep each from taking all of them: set ``PJRT_NPROC=1``,
    which JAX counts its threads by, and ``OMP_NUM_THREADS=1`` where it starts, and
    ``JAX_COMPILATION_CACHE_DIR`` to a folder that the workers share, so that a network is compiled
    once. Scores are the serial ones to the bit if these two numbers are the same there; with
    other BLAS threads alone to a relative 1e-5; with another ``PJRT_NPROC``, JAX trains to other
    bits, as with another number of cores.

    References
    ----------
    Table 1 of Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and interpolation
    autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical report.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import FleetDetector, GaussianMixtureDetector
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (100, 2)), rng.normal(9, 1, (100, 2))])
    >>> machine_label = ["fan_id_00"] * 100 + ["fan_id_02"] * 100
    >>> fleet = FleetDetector(GaussianMixtureDetector(random_state=0))
    >>> fleet = fleet.fit(X, machine_label=machine_label)
    >>> fleet.predict([[0.0, 0.0], [0.0, 0.0]], machine_label=["fan_id_00", "fan_id_02"])
    array([ 1, -1])
    >>> sorted(fleet.detectors_)
    ['fan_id_00', 'fan_id_02']
    """

    detectors_: Mapping[str, BaseEstimator]
    failures_: dict[str, str]

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "score_samples"]), Mapping, None],
        "n_jobs": N_JOBS,
    }

    def __init__(self, estimator: Any, *, n_jobs: Any = None):
        self.estimator = estimator
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Clips | ArrayLike,
        y: Any = None,
        *,
        machine_label: ArrayLike,
        domain: ArrayLike | None = None,
    ) -> Self:
        """Fit a detector for each machine.

        Parameters
        ----------
        X : what `estimator` is fitted on
            Clips, spectrograms or features of healthy machines.
        y : array-like of shape (n_clips,), default=None
            Each machine's part of it is passed on.
        machine_label : array-like of shape (n_clips,)
            Label of the machine of each clip.
        domain : array-like of shape (n_clips,), default=None
            ``"source"`` or ``"target"`` for each clip. Each machine's part of it is passed on,
            whether or not metadata routing is turned on, so its detector must take domains.

        Returns
        -------
        self : FleetDetector

        Raises
        ------
        TypeError
            If a label is not a string, or `machine_label` is a single one.
        ValueError
            If a parameter or domain is invalid, a machine's type has no estimator, or one that
            takes no domain although `domain` is given, or no machine can be fitted.

        Warns
        -----
        UserWarning
            If a machine cannot be fitted: which ones, and why. The others are.
        """
        self.detectors_, self.failures_ = self._fit_machines(X, y, machine_label, domain)
        warn_of_failures(self.failures_, self.detectors_)
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self,
        X: Clips | ArrayLike,
        y: Any = None,
        *,
        machine_label: ArrayLike,
        domain: ArrayLike | None = None,
    ) -> Self:
        """Add the machines that occur, or fit them anew; leave all others as they are.

        Parameters
        ----------
        X, y, machine_label, domain
            See `fit`.

        Returns
        -------
        self : FleetDetector

        Raises
        ------
        TypeError, ValueError
            As `fit` does; the fleet is as before.

        Warns
        -----
        UserWarning
            If a machine cannot be fitted. One that had a detector keeps it.
        """
        if not hasattr(self, "detectors_"):
            return self.fit(X, y, machine_label=machine_label, domain=domain)
        fitted, failures = self._fit_machines(X, y, machine_label, domain)
        self.detectors_ = self.detectors_ | fitted  # type: ignore[operator]  # either kind can
        earlier = {name: why for name, why in self.failures_.items() if name not in fitted}
        self.failures_ = earlier | failures
        warn_of_failures(failures, self.detectors_)
        return self

    def score_samples(self, X: Clips | ArrayLike, *, machine_label: ArrayLike) -> np.ndarray:
        """Compute how normal each clip is, by its machine's detector.

        Parameters
        ----------
        X : what the detectors were fitted on
            Clips, spectrograms or features.
        machine_label : array-like of shape (n_clips,)
            Label of the machine of each clip.

        Returns
        -------
        ndarray of shape (n_clips,)
            In the order of the clips; higher is more normal. Only scores of the same machine can
            be compared.

        Raises
        ------
        AudioError
            If a clip cannot be read or analyzed.
        ModelFileError
            If the file of one of these machines is damaged.
        ValueError
            If a machine is unknown, or could not be fitted.
        """
        return self._score("score_samples", X, machine_label)

    def anomaly_score(self, X: Clips | ArrayLike, *, machine_label: ArrayLike) -> np.ndarray:
        """Compute how anomalous each clip is, as in DCASE and its CSV files.

        Parameters
        ----------
        X, machine_label
            See `score_samples`.

        Returns
        -------
        ndarray of shape (n_clips,)
            ``-score_samples(X, machine_label=machine_label)``; higher is more anomalous.
        """
        return -self.score_samples(X, machine_label=machine_label)

    def decision_function(self, X: Clips | ArrayLike, *, machine_label: ArrayLike) -> np.ndarray:
        """Compute the distance from the threshold of each clip's machine.

        Parameters
        ----------
        X, machine_label
            See `score_samples`.

        Returns
        -------
        ndarray of shape (n_clips,)
            Negative for anomalous clips.
        """
        return self._score("decision_function", X, machine_label)

    def predict(self, X: Clips | ArrayLike, *, machine_label: ArrayLike) -> np.ndarray:
        """Decide which clips are anomalous, by the threshold of each one's machine.

        Parameters
        ----------
        X, machine_label
            See `score_samples`.

        Returns
        -------
        ndarray of shape (n_clips,), int
            +1 for normal clips, -1 for anomalous ones.
        """
        return self._score("predict", X, machine_label)

    def p_values(self, X: Clips | ArrayLike, *, machine_label: ArrayLike) -> np.ndarray:
        """Compute for each clip the share of its machine's healthy clips that sound as odd.

        Parameters
        ----------
        X, machine_label
            See `score_samples`.

        Returns
        -------
        ndarray of shape (n_clips,)
            In (0, 1]; of clips of one machine and of several alike, so that
            :func:`scipy.stats.false_discovery_control` can take them all together.
        """
        return self._score("p_values", X, machine_label)

    def fit_predict(
        self,
        X: Clips | ArrayLike,
        y: Any = None,
        *,
        machine_label: ArrayLike,
        domain: ArrayLike | None = None,
    ) -> np.ndarray:
        """Fit a detector for each machine, and decide which of the same clips are anomalous.

        Parameters
        ----------
        X, y, machine_label, domain
            See `fit`.

        Returns
        -------
        ndarray of shape (n_clips,), int
            +1 for normal clips, -1 for anomalous ones.
        """
        return self.fit(X, y, machine_label=machine_label, domain=domain).predict(
            X, machine_label=machine_label
        )

    def _fit_machines(
        self, X: Any, y: Any, machine_label: Any, domain: Any
    ) -> tuple[dict[str, BaseEstimator], dict[str, str]]:
        """Return fitted detectors, and the reasons of those that could not be fitted."""
        labels = check_machine(X, machine_label)
        check_consistent_length(X, y)
        is_target = check_domain(domain, X)
        groups = dict(group_by_machine(labels))
        estimators = estimators_for(self.estimator, groups, with_domain=domain is not None)
        in_turn = effective_n_jobs(self.n_jobs) > 1
        outcomes = Parallel(n_jobs=self.n_jobs)(
            delayed(FleetTask.fit)(
                FleetTask(
                    name,
                    {name: clone(estimators[name])},
                    rows(X, indices),
                    rows(y, indices),
                    rows(is_target, indices),
                    indices,
                    in_turn,
                )
            )
            for name, indices in groups.items()
        )
        fitted = {name: detector for name, detector, *_ in outcomes if detector is not None}
        failures = {name: reason for name, detector, reason, _ in outcomes if detector is None}
        misfits = [f"{name}: {words}" for name, _, _, words in outcomes if words is not None]
        if misfits:
            warnings.warn("\n".join(misfits), RecordingWarning, stacklevel=5)
        if not fitted:
            name, reason = next(iter(failures.items()))
            raise ValueError(f"None of {len(failures)} machines can be fitted. {name}: {reason}")
        return fitted, failures

    def _score(self, method: str, X: Any, machine_label: Any) -> np.ndarray:
        check_is_fitted(self)
        groups = dict(group_by_machine(check_machine(X, machine_label)))
        for name in groups:
            check_known(name, self.detectors_, self.failures_)
        in_turn = effective_n_jobs(self.n_jobs) > 1
        tasks = (
            FleetTask(name, self._only(name), rows(X, indices), None, None, indices, in_turn)
            for name, indices in groups.items()
        )
        scoring = (delayed(FleetTask.score)(task, method) for task in tasks)
        scores, remarks = zip(*parallel_threads(self.n_jobs, scoring), strict=True)
        warn_of_remarks(dict(chain(*(each.items() for each in remarks))), len(X))
        values = np.concatenate(scores)
        in_order = np.empty_like(values)
        in_order[np.concatenate(list(groups.values()))] = values
        return in_order

    def _only(self, machine: str) -> Mapping[str, BaseEstimator]:
        """Return what a process that scores this machine needs."""
        if isinstance(self.detectors_, SavedDetectors):
            return self.detectors_.only(machine)
        return {machine: self.detectors_[machine]}

    def __repr__(self, N_CHAR_MAX: Any = 700) -> str:
        if not isinstance(self.estimator, Mapping):
            return super().__repr__(N_CHAR_MAX)
        named = ", ".join(
            f"{name!r}: {type(e).__name__}(...)" for name, e in self.estimator.items()
        )
        jobs = "" if self.n_jobs is None else f", n_jobs={self.n_jobs}"
        return f"FleetDetector(estimator={{{named}}}{jobs})"

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        estimators = self.estimator
        if not isinstance(estimators, Mapping):
            estimators = {} if estimators is None else {"all": estimators}
        for estimator in list(estimators.values())[:1]:
            tags.input_tags = get_tags(estimator).input_tags
        return tags
