"""Which estimator each machine of a fleet is fitted with."""

from collections.abc import Iterable, Mapping
from typing import Any

from skasd._steps import last_step
from skasd.ensemble._fitting import takes_domain
from skasd.ensemble._fleet_messages import shortened


def estimators_for(estimator: Any, machines: Iterable[str], *, with_domain: bool) -> dict[str, Any]:
    """Return the estimator of each machine.

    Parameters
    ----------
    estimator : detector, mapping of str to detector, or None
        As a fleet takes it: one for all, or by machine type.
    machines : iterable of str
        Labels of the machines.
    with_domain : bool
        Whether they are to be told the domains of their clips.

    Returns
    -------
    dict of str to detector
        By machine; to be cloned.

    Raises
    ------
    ValueError
        If a machine has none, or one that takes no domains and is to be told them.

    Examples
    --------
    >>> from skasd import FeatureDetector, MahalanobisDetector
    >>> from skasd.ensemble._fleet_estimators import estimators_for
    >>> by_type = {"fan": MahalanobisDetector(), "pump": FeatureDetector()}
    >>> estimators_for(by_type, ["fan_id_00", "pump"], with_domain=True)
    {'fan_id_00': MahalanobisDetector(), 'pump': FeatureDetector()}
    """
    if estimator is None:
        raise ValueError(
            "estimator is None, as in a fleet that skasd.load returns: its folder holds what "
            "was fitted, and not what to fit. Call set_params(estimator=...) first."
        )
    estimators = {machine: _estimator_of(machine, estimator) for machine in machines}
    if with_domain:
        # Each once, however many machines there are: asking a pipeline takes a millisecond.
        for machine, each in {id(each): (name, each) for name, each in estimators.items()}.values():
            if not takes_domain(each):
                raise ValueError(
                    f"{type(last_step(each)).__name__}, the detector of machine {machine!r}, takes "
                    "no domain. Wrap it in a FusionDetector, whose threshold then holds in both "
                    "domains, or fit such machines without domain."
                )
    return estimators


def _estimator_of(machine: str, estimator: Any) -> Any:
    if not isinstance(estimator, Mapping):
        return estimator
    machine_type = machine.partition("_id_")[0]
    if machine_type not in estimator:
        raise ValueError(
            f"Machine {machine!r} is of type {machine_type!r}, for which estimator has "
            f"nothing: it has {shortened(estimator)}."
        )
    return estimator[machine_type]
