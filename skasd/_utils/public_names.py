"""Public names, which belong to the package that exports them, not to their defining module."""

import sys
from types import FunctionType

AT_HOME = "skasd.exceptions"
"""A public module: what is defined there says so, whatever else exports it."""


def claim_names(package: str) -> None:
    """Name a package as the module of everything that it exports, or ``skasd`` if that does too.

    Pickles, model files and tracebacks then name no private module, and survive a move.

    Parameters
    ----------
    package : str
        Name of the package whose ``__all__`` is claimed.

    Examples
    --------
    >>> from skasd import GaussianMixtureDetector
    >>> GaussianMixtureDetector.__module__
    'skasd'
    """
    module, face = sys.modules[package], package.partition(".")[0]
    for name in module.__all__:
        exported = getattr(module, name)
        if isinstance(exported, type | FunctionType) and exported.__module__ != AT_HOME:
            exported.__module__ = face if name in sys.modules[face].__all__ else package
