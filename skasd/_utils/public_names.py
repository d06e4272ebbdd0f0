"""Public names, which belong to the package that exports them and not to the module they are in."""

import sys
from types import FunctionType

AT_HOME = "skasd.exceptions"
"""A public module: what is defined there says so, whatever else exports it."""


def claim_names(package: str) -> None:
    """Let what a package exports name that package as its module.

    Pickles, model files and tracebacks then name no private place, and outlive a move.

    Parameters
    ----------
    package : str
        Name of the package, whose ``__all__`` is claimed.

    Examples
    --------
    >>> from skasd import GaussianMixtureDetector
    >>> GaussianMixtureDetector.__module__
    'skasd'
    """
    module = sys.modules[package]
    for name in module.__all__:
        exported = getattr(module, name)
        if isinstance(exported, type | FunctionType) and exported.__module__ != AT_HOME:
            exported.__module__ = package
