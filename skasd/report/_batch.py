"""What a page says about a batch as a whole."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from skasd._steps import calibrated_step, threshold_of
from skasd.audio._clips import Clip, Clips, check_clip
from skasd.detection._calibrated import NEW, SEEN
from skasd.detection._calibration import in_words
from skasd.detection._score_report import FEWEST_CLIPS, ScoreReport
from skasd.ensemble._skipping import ClipScore
from skasd.exceptions import AudioError
from skasd.persistence._model_info import ModelInfo, installed_versions
from skasd.report._chart import Chart
from skasd.report._sounds import link_to
from skasd.report._text import counted, in_folder

VERDICTS = {1: "normal", -1: "anomalous", 0: "not scored"}

CALIBRATED_ON = {
    SEEN: "clips that the detector was trained on, so that more healthy clips than that may be "
    "called anomalous",
    NEW: "healthy clips of a later recalibration",
}
"""What the threshold comes from, if not from training clips that were left out."""


@dataclass(frozen=True)
class Row:
    """A clip in the table.

    Parameters
    ----------
    place : int
        Its place in the batch, from 1 on.
    name : str
        Its path within the folder of the batch or, for an array, what errors call it.
    clip : Clip or None
        None if it cannot be opened.
    result : ClipScore
        What came out.
    link : str or None
        Where its recording is.
    """

    place: int
    name: str
    clip: Clip | None
    result: ClipScore
    link: str | None

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return VERDICTS[self.result.prediction]


class Batch:
    """What a page says about a batch as a whole.

    Parameters
    ----------
    detector, X, results, page, fdr, model_info
        See `write_scored`.
    """

    def __init__(
        self,
        detector: Any,
        X: Clips,
        results: Sequence[ClipScore],
        page: Path,
        *,
        fdr: float | None,
        model_info: ModelInfo | None,
    ):
        self.fdr, self.threshold = fdr, threshold_of(detector)
        self.written = datetime.now().astimezone()
        self.step = calibrated_step(detector)
        self.model_info = model_info or ModelInfo.of(detector, np.empty(0))
        self.is_from_file = model_info is not None
        self.versions = installed_versions()
        self.folder, names = in_folder([result.clip for result in results])
        in_order = [
            _row(place, name, clip, result, page)
            for place, (name, clip, result) in enumerate(zip(names, X, results, strict=True), 1)
        ]
        self.failed = [row for row in in_order if row.result.error is not None]
        scored = [row for row in in_order if row.result.error is None]
        self.scored = scored
        self.anomalous = sorted(
            (row for row in scored if row.result.prediction == -1),
            key=lambda row: -row.result.anomaly_score,
        )
        self.rows = sorted(scored, key=lambda row: -row.result.anomaly_score) + self.failed

    @cached_property
    def false_alarm_rate(self) -> float | None:
        """Share of healthy clips beyond the threshold, if that is what judged."""
        if self.step is None or self.fdr is not None:
            return None
        return float(self.step._calibration.p_values(np.nextafter(self.threshold, np.inf)))

    @cached_property
    def chart(self) -> Chart | None:
        """The p-values from first to last; None if there are none, or too few to see anything."""
        if self.step is None or len(self.scored) < 2:
            return None
        line = None
        if self.false_alarm_rate is not None:
            at_threshold = float(self.step._calibration.p_values(self.threshold))
            line = math.sqrt(at_threshold * self.false_alarm_rate)
        p_values = [row.result.p_value for row in self.scored]
        return Chart.of([row.place for row in self.scored], p_values, line)

    @cached_property
    def drift(self) -> ScoreReport | None:
        """How the batch compares with the training clips; None if nobody can say."""
        if self.step is None or len(self.scored) < FEWEST_CLIPS:
            return None
        return self.step._report(np.array([-row.result.anomaly_score for row in self.scored]))

    @property
    def verdict(self) -> str:
        """What there is to say first, in a few sentences."""
        failed = f"{self._n_failed()}." if self.failed and self.scored else ""
        return " ".join(filter(None, (self._found(), self._by_chance(), failed, self._moved())))

    @property
    def is_alarming(self) -> bool:
        """Whether somebody should look."""
        return bool(self.anomalous) or self._moved() != ""

    @property
    def calibrated_on(self) -> str:
        """What the threshold comes from."""
        if self.step is None:
            return "the detector itself, which knows no p-values"
        of = CALIBRATED_ON.get(getattr(self.step, "calibrated_on_", SEEN), "")
        n_clips = len(self.step._calibration.scores)
        return f"{n_clips:,} " + (of or "training clips, each scored by a fit without it")

    def rarity(self, row: Row) -> str:
        """Say what the p-value of a clip means; nothing if it has none."""
        if self.step is None or math.isnan(row.result.p_value):
            return ""
        return in_words(row.result.p_value, self.step._calibration.finest)

    def _found(self) -> str:
        n_scored, n_anomalous = len(self.scored), len(self.anomalous)
        if not n_scored:
            return f"No verdict: {self._n_failed()}."
        if n_scored == 1:
            return f"The clip is {self.scored[0].verdict}."
        if n_anomalous in (0, n_scored):
            subject = f"{'All' if n_anomalous else 'None'} of the {n_scored:,} clips"
        else:
            subject = f"{n_anomalous:,} of {n_scored:,} clips"
        return f"{subject} {'are' if n_anomalous > 1 else 'is'} anomalous."

    def _n_failed(self) -> str:
        return f"{counted(len(self.failed))} could not be scored"

    def _by_chance(self) -> str:
        if self.fdr is not None and self.anomalous:
            return f"Of those, {100 * self.fdr:g} % are expected to be healthy."
        if self.false_alarm_rate is None or len(self.scored) < 2:
            return ""
        expected = self.false_alarm_rate * len(self.scored)
        about = "less than one" if expected < 0.95 else f"about {expected:,.0f}"
        return f"Of {counted(len(self.scored), 'healthy clip')}, {about} would be."

    def _moved(self) -> str:
        if self.drift is None or self.drift.verdict != "more anomalous":
            return ""
        return (
            "The clips as a whole score higher than in training: the machine, the microphone or "
            "its place has changed."
        )


def _row(place: int, name: str, clip: Any, result: ClipScore, page: Path) -> Row:
    try:
        checked = check_clip(clip, place - 1)
    except AudioError:
        return Row(place, name, None, result, None)
    return Row(place, name, checked, result, link_to(checked, page))
