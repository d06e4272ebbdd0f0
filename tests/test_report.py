from math import comb

import numpy as np
import pytest

from skasd import FeatureDetector
from skasd.detection._score_report import ScoreReport


@pytest.fixture
def training_scores():
    return np.random.default_rng(0).normal(size=400)


def test_apart_in_every_clip():
    """Of n + n scores in all orders, two keep the batches apart."""
    report = ScoreReport.compare(np.arange(10), np.arange(10) + 100, threshold=9)
    assert report.statistic == 1
    assert report.pvalue == pytest.approx(2 / comb(20, 10), rel=1e-9)
    assert (report.n_clips, report.n_training_clips, report.n_anomalous) == (10, 10, 10)
    assert (report.quantiles[0.5], report.training_quantiles[0.5]) == (104.5, 4.5)
    assert report.verdict == "more anomalous"


@pytest.mark.parametrize(
    ("shift", "outliers", "verdict", "words"),
    [
        (0, 0, "as in training", "The clips score as in training."),
        (0, 3, "single clips", "3 of 103 clips are anomalous"),
        (1.5, 0, "more anomalous", "higher than in training: the machine, the microphone"),
        (-1.5, 0, "less anomalous", "lower than in training, and none of them need be odd"),
    ],
)
def test_verdict(training_scores, shift, outliers, verdict, words):
    batch = np.random.default_rng(1).normal(size=100) + shift
    report = ScoreReport.compare(
        training_scores, np.r_[batch, [np.nan], [50.0] * outliers], threshold=6.0
    )
    assert report.verdict == verdict
    assert words in str(report)


def test_by_chance_hardly_ever(training_scores):
    """At 1 %, and with a second condition, fewer than 1 of 100 batches is called moved."""
    rng = np.random.default_rng(2)
    reports = [
        ScoreReport.compare(training_scores, rng.normal(size=30), threshold=9) for _ in range(500)
    ]
    assert sum(report.verdict != "as in training" for report in reports) <= 5


def test_detector_compares_with_its_training_scores():
    detector = FeatureDetector(contamination=0.1).fit(np.arange(100.0)[:, np.newaxis])
    report = detector.score_report(np.arange(200.0, 220.0)[:, np.newaxis])
    assert report.n_anomalous == report.n_clips == 20
    assert report.training_quantiles[0.5] == 49.5
    with pytest.raises(ValueError, match="A report needs 5 clips at least, got 2"):
        detector.score_report([[1.0], [2.0]])
