"""Systems by the names that the command line knows."""

from collections.abc import Callable, Mapping
from typing import Any

from skasd.ensemble._fusion_detector import FusionDetector
from skasd.ensemble._repeated_seed_ensemble import RepeatedSeedEnsemble
from skasd.systems._baseline import make_baseline
from skasd.systems._iaeo3 import make_iaeo3, make_iaeo3_opt
from skasd.systems._iaeo3_plus import make_iaeo3_plus
from skasd.systems._settings import check_kinds, list_settings, set_checked
from skasd.systems._views import make_views_detector

UNUSED = ("random_state", "verbose")
"""Settings that the command line passes to every system, but that views do not have."""


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "iae": {"openl3": False, "score": "mean"},
    "baseline-mahalanobis": {"score": "mahalanobis"},
}
"""Name → settings that differ from the factory's."""


def _views(machine: str | None, **settings: Any) -> FusionDetector:
    # Nothing is random, nothing takes long, and each view already uses all clips.
    if settings.get("cv", "members") is None:
        del settings["cv"]
    used = {name: value for name, value in settings.items() if name not in UNUSED}
    return make_views_detector(**used)


SYSTEMS: Mapping[str, Callable[..., RepeatedSeedEnsemble | FusionDetector]] = {
    "views": _views,
    "iaeo3": lambda machine, **settings: make_iaeo3(**settings),
    "iaeo3-opt": make_iaeo3_opt,
    "iaeo3-plus": lambda machine, **settings: make_iaeo3_plus(**settings),
    "iae": lambda machine, **settings: make_iaeo3(**{**PRESETS["iae"], **settings}),
    "baseline": lambda machine, **settings: make_baseline(**settings),
    "baseline-mahalanobis": lambda machine, **settings: make_baseline(
        **{**PRESETS["baseline-mahalanobis"], **settings}
    ),
}
"""Name → factory that takes the machine type and settings."""

FACTORIES: Mapping[str, Callable[..., Any]] = {
    "views": make_views_detector,
    "iaeo3": make_iaeo3,
    "iaeo3-opt": make_iaeo3,
    "iaeo3-plus": make_iaeo3_plus,
    "iae": make_iaeo3,
    "baseline": make_baseline,
    "baseline-mahalanobis": make_baseline,
}
"""Name → factory whose settings it takes."""


def make_system(
    name: str, machine: str | None, **settings: Any
) -> RepeatedSeedEnsemble | FusionDetector:
    """Make a system by its name on the command line.

    Parameters
    ----------
    name : str
        ``"views"``, ``"iaeo3"``, ``"iaeo3-opt"`` or ``"iaeo3-plus"`` for `make_views_detector`,
        `make_iaeo3`, `make_iaeo3_opt` or `make_iaeo3_plus`; ``"iae"`` for the interpolation
        autoencoder alone, with its mean error as the score; ``"baseline"`` for `make_baseline`;
        ``"baseline-mahalanobis"`` for `make_baseline` with ``score="mahalanobis"``.
    machine : str or None
        Machine type, from which ``"iaeo3-opt"`` chooses its settings.
    **settings
        Settings of the factory, and parameters of the detector that it makes, by their full names,
        such as ``estimator__detector__n_components``.

    Returns
    -------
    RepeatedSeedEnsemble or FusionDetector
        An unfitted detector.

    Raises
    ------
    ValueError
        If there is no such system, the system has no such setting, or a value is not allowed.

    Examples
    --------
    >>> from skasd.systems import make_system
    >>> make_system("iae", "fan", n_repeats=2).n_repeats
    2
    """
    if name not in SYSTEMS:
        raise ValueError(f"system={name!r}: expected one of {', '.join(SYSTEMS)}.")
    short = {key: value for key, value in settings.items() if "__" not in key}
    full = {key: value for key, value in settings.items() if "__" in key}
    try:
        check_kinds(FACTORIES[name], short)
        detector = SYSTEMS[name](machine, **short)
        set_checked(detector, full)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The settings do not fit system={name!r}: {error}") from error
    return detector


def settings_of(name: str, machine: str | None) -> dict[str, Any]:
    """List the settings of a system, with their defaults.

    Parameters
    ----------
    name : str
        The system.
    machine : str or None
        Machine type.

    Returns
    -------
    dict of str to object
        Short names first, then full names.

    Raises
    ------
    ValueError
        If there is no such system, or none for this machine type.

    Examples
    --------
    >>> from skasd.systems._by_name import settings_of
    >>> settings_of("baseline", None)["epochs"]
    100
    """
    settings = list_settings(FACTORIES[name], make_system(name, machine))
    return {**settings, **PRESETS.get(name, {})}
