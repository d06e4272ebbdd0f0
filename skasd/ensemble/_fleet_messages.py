"""What a fleet says about machines that it has no detector for."""

import warnings
from collections.abc import Mapping
from itertools import islice

N_NAMED = 5
"""Machines that a message names."""


def shortened(machines: Mapping[str, object]) -> str:
    """Name the first few machines or machine types, and say how many more there are.

    Parameters
    ----------
    machines : mapping of str to object
        By machine or machine type.

    Returns
    -------
    str

    Examples
    --------
    >>> from skasd.ensemble._fleet_messages import shortened
    >>> shortened(dict.fromkeys("abcdefg"))
    "'a', 'b', 'c', 'd', 'e' and 2 more"
    """
    named = ", ".join(map(repr, islice(machines, N_NAMED)))
    return f"{named} and {len(machines) - N_NAMED} more" if len(machines) > N_NAMED else named


def check_known(machine: str, detectors: Mapping[str, object], failures: Mapping[str, str]) -> None:
    """Check that a machine has a detector.

    Parameters
    ----------
    machine : str
        Label of the machine.
    detectors : mapping of str to detector
        Those of the fleet, by machine.
    failures : mapping of str to str
        Machines whose last fit failed, and why.

    Raises
    ------
    ValueError
        If it could not be fitted, or is unknown.
    """
    if machine in detectors:
        return
    if machine in failures:
        raise ValueError(
            f"Machine {machine!r} could not be fitted: {failures[machine]}\nFix that, "
            "and call partial_fit with its clips."
        )
    raise ValueError(
        f"Machine {machine!r} is unknown; known are {shortened(detectors)}. Fit it by "
        "partial_fit, or check the label."
    )


def warn_of_failures(failures: Mapping[str, str], detectors: Mapping[str, object]) -> None:
    """Warn of machines that could not be fitted, if there are any.

    Parameters
    ----------
    failures : mapping of str to str
        These machines, and why.
    detectors : mapping of str to detector
        Those of the fleet, by machine.

    Warns
    -----
    UserWarning
        Which ones, and why; and how many of them keep an earlier detector.
    """
    if not failures:
        return
    # scikit-learn's reasons go on for paragraphs; the first line says what it is.
    named = [f"{name}: {why.splitlines()[0]}" for name, why in failures.items()][:N_NAMED]
    message = "\n".join([f"{len(failures)} of the machines could not be fitted:", *named])
    if len(failures) > N_NAMED:
        message += f"\n{len(failures) - N_NAMED} more are in failures_."
    kept = sum(name in detectors for name in failures)
    if kept:
        message += f"\nThose that had a detector keep it: {kept}."
    warnings.warn(message, stacklevel=5)
