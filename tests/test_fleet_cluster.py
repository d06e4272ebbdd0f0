"""Fleets on Dask clusters of real processes, whose workers are killed."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import joblib
import numpy as np
import pytest
from distributed import Client, LocalCluster
from settings import make

import skasd
from skasd import FeatureDetector, FleetDetector, GaussianMixtureDetector, make_iaeo3_plus

ROOT = Path(__file__).parents[1]
NAMES = ["fan_id_00", "fan_id_02", "pump_id_00", "pump_id_04", "slider_id_00", "valve_id_06"]
MACHINE = np.repeat(NAMES, 20)
FEATURES = np.random.default_rng(0).normal(size=(len(MACHINE), 3))


class DiesOnce(FeatureDetector):
    """A detector that kills the first process that fits it, as a lack of memory would."""

    def __init__(self, feature=None, contamination=0.1, threshold_rule="percentile", marker=None):
        super().__init__(feature, contamination=contamination, threshold_rule=threshold_rule)
        self.marker = marker

    def fit(self, X, y=None):
        try:
            os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return super().fit(X)
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def client():
    """Return a client of two workers, which are processes of one thread."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def on_dask(client):
    client.wait_for_workers(2)
    with joblib.parallel_config(backend="dask"):
        yield


def score_serially(estimator, X, machine):
    with joblib.parallel_config(backend="sequential"):
        return (
            FleetDetector(estimator)
            .fit(X, machine_label=machine)
            .score_samples(X, machine_label=machine)
        )


@pytest.mark.usefixtures("on_dask")
def test_equal_to_serial(tmp_path):
    detector = GaussianMixtureDetector(n_components=2, random_state=0)
    expected = score_serially(detector, FEATURES, MACHINE)
    fleet = FleetDetector(detector).fit(FEATURES, machine_label=MACHINE)
    np.testing.assert_array_equal(fleet.score_samples(FEATURES, machine_label=MACHINE), expected)
    skasd.save(fleet, tmp_path)
    loaded = skasd.load(tmp_path)
    np.testing.assert_array_equal(loaded.score_samples(FEATURES, machine_label=MACHINE), expected)


@pytest.mark.usefixtures("on_dask")
def test_ensembles_of_autoencoders_are_equal_to_serial():
    X = np.random.default_rng(0).normal(-30, 5, size=(20, 30, 8))
    machine = NAMES[:2] * 10
    detector = make(
        make_iaeo3_plus,
        input="spectrograms",
        encoder_units=(6, 3),
        epochs=1,
        n_repeats=2,
        random_state=0,
    )
    fleet = FleetDetector(detector).fit(X, machine_label=machine)
    # The workers have one BLAS thread each.
    np.testing.assert_allclose(
        fleet.score_samples(X, machine_label=machine),
        score_serially(detector, X, machine),
        rtol=1e-5,
    )


@pytest.mark.usefixtures("on_dask")
def test_machine_that_cannot_be_fitted():
    X = np.where(MACHINE[:, np.newaxis] == NAMES[3], np.nan, FEATURES)
    fleet = FleetDetector(FeatureDetector(0))
    with pytest.warns(UserWarning, match=r"1 of the machines .*\npump_id_04: Input X contains"):
        fleet.fit(X, machine_label=MACHINE)
    assert list(fleet.detectors_) == [*NAMES[:3], *NAMES[4:]]


@pytest.mark.usefixtures("on_dask")
@pytest.mark.posix
def test_killed_worker(tmp_path):
    marker = str(tmp_path / "killed")
    fleet = FleetDetector(DiesOnce(0, marker=marker)).fit(FEATURES, machine_label=MACHINE)
    assert os.path.exists(marker)
    scores = fleet.anomaly_score(FEATURES, machine_label=MACHINE)
    np.testing.assert_array_equal(scores, FEATURES[:, 0])


@pytest.mark.posix
def test_cluster_from_the_command_line(tmp_path):
    """Two workers are started, and one is killed for good: the other one does the rest."""
    scheduler = str(tmp_path / "scheduler.json")
    options = ["--no-dashboard", "--host", "127.0.0.1", "--scheduler-file", scheduler]
    worker = ["dask_worker", *options, "--nthreads", "1", "--no-nanny"]
    worker += ["--local-directory", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    with ExitStack() as stack:
        processes = []
        for module, *arguments in (["dask_scheduler", *options, "--port", "0"], worker, worker):
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
                env=environment,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes.append(process)
        client = stack.enter_context(Client(scheduler_file=scheduler, timeout=60))
        client.wait_for_workers(2, timeout=60)
        detector = DiesOnce(0, marker=str(tmp_path / "killed"))
        with joblib.parallel_config(backend="dask"):
            fleet = FleetDetector(detector).fit(FEATURES, machine_label=MACHINE)
            scores = fleet.anomaly_score(FEATURES, machine_label=MACHINE)
        assert sorted(process.poll() is None for process in processes) == [False, True, True]
    np.testing.assert_array_equal(scores, FEATURES[:, 0])
