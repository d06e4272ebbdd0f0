"""The description of a detector in a model file."""

import json
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from skasd._steps import calibrated_step, last_step, threshold_of, training_recordings
from skasd._version import __version__

PACKAGES = ("numpy", "scipy", "scikit-learn", "soxr", "ncnn", "skops")
"""Packages besides skasd and Python whose versions are recorded, because scoring uses them."""

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class ModelInfo:
    """The description of a detector in a model file.

    Parameters
    ----------
    detector : str
        Class of the detector.
    created : str
        When the detector was saved: ISO 8601, UTC.
    versions : dict of str to str
        Versions of skasd, Python and those of the packages for scoring that were installed.
    settings : dict of str to object
        The detector's parameters by name, except those that are estimators themselves.
    n_clips : int or None
        Number of clips that it was fitted on, if the detector knows.
    threshold : float
        The anomaly score above which a clip is anomalous.
    training_quantiles : dict of str to float or None
        Quantiles of the anomaly scores of the healthy clips that the threshold comes from:
        ``"0.5"`` is their median.
    check_scores : list of float
        Scores of a noise that `skasd.load` scores again.
    recordings : dict of str to object or None
        Rates, channels, lengths, bandwidths and levels of the clips that it was fitted on, if the
        detector knows; ``"summary"`` says it in a line.

    See Also
    --------
    skasd.persistence.read_info : Reads it from a model file.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import skasd
    >>> from skasd.persistence import read_info
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> detector = skasd.GaussianMixtureDetector(random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skasd.save(detector, f"{folder}/machine.skasd")
    ...     info = read_info(f"{folder}/machine.skasd")
    >>> info.detector, info.n_clips
    ('GaussianMixtureDetector', 50)
    """

    detector: str
    created: str
    versions: dict[str, str]
    settings: dict[str, Any]
    n_clips: int | None
    threshold: float
    training_quantiles: dict[str, float] | None
    check_scores: list[float]
    recordings: dict[str, Any] | None = None

    @classmethod
    def of(cls, detector: BaseEstimator, check_scores: np.ndarray) -> Self:
        """Describe a fitted detector.

        Parameters
        ----------
        detector : fitted detector, or pipeline that ends with one
            What is to be described.
        check_scores : ndarray
            Its scores of the noise.

        Returns
        -------
        ModelInfo
            The description.
        """
        last, recordings = last_step(detector), training_recordings(detector)
        training_scores = getattr(last, "training_scores_", None)
        quantiles = None
        step = calibrated_step(detector)
        if step is not None:
            values = step._calibration.quantiles(QUANTILES)
            quantiles = {f"{q:g}": float(v) for q, v in zip(QUANTILES, values, strict=True)}
        return cls(
            detector=type(detector).__name__,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=installed_versions(),
            settings=_settings(detector),
            n_clips=None if training_scores is None else len(training_scores),
            threshold=threshold_of(detector),
            training_quantiles=quantiles,
            check_scores=check_scores.tolist(),
            recordings=None if recordings is None else recordings.as_dict(),
        )

    def to_json(self) -> str:
        """Return the description as JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a description from JSON.

        Parameters
        ----------
        text : str or bytes
            The JSON that `to_json` returned.

        Returns
        -------
        ModelInfo
            The description.

        Raises
        ------
        ValueError
            If the text is not what `to_json` returns.
        """
        try:
            info = cls(**json.loads(text))
        except (TypeError, RecursionError) as error:
            raise ValueError(str(error)) from error
        for name, is_right in info._checks().items():
            if not is_right:
                raise ValueError(f"{name} is {getattr(info, name)!r:.80}")
        return info

    def _checks(self) -> dict[str, bool]:
        quantiles = self.training_quantiles
        return {
            "detector": isinstance(self.detector, str),
            "created": isinstance(self.created, str),
            "versions": _maps_to(str, self.versions),
            "settings": _maps_to(object, self.settings),
            "n_clips": self.n_clips is None or type(self.n_clips) is int,
            "threshold": _are_numbers([self.threshold]),
            "training_quantiles": quantiles is None
            or (_maps_to(float | int, quantiles) and _are_numbers(list(quantiles.values()))),
            "check_scores": isinstance(self.check_scores, list) and _are_numbers(self.check_scores),
        }


def installed_versions() -> dict[str, str]:
    """Return the versions of skasd, Python and those of `PACKAGES` that are installed."""
    versions = {"skasd": __version__, "python": platform.python_version()}
    found = {name: version_of(name) for name in PACKAGES}
    return {**versions, **{name: version for name, version in found.items() if version is not None}}


@cache
def version_of(package: str) -> str | None:
    """Return the version of an installed package, which takes half a millisecond to look up.

    Parameters
    ----------
    package : str
        Its name.

    Returns
    -------
    str or None
        None if it is not installed.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _maps_to(kind: Any, value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, kind) for each in value.values())


def _are_numbers(values: list[Any]) -> bool:
    return all(type(each) in (int, float) and np.isfinite(each) for each in values)


def _settings(detector: BaseEstimator) -> dict[str, Any]:
    settings = {}
    for name, value in detector.get_params().items():
        holds_estimators = isinstance(value, list) and any(isinstance(v, tuple) for v in value)
        if isinstance(value, BaseEstimator) or holds_estimators:
            continue
        try:
            settings[name] = json.loads(json.dumps(value))
        except TypeError:
            settings[name] = repr(value)
    return settings
