"""Detectors that stay in their files until they are needed."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Self

from sklearn.base import BaseEstimator

N_LOADED = 64
"""Detectors that are kept loaded, the most recent ones: about 5 MB each, for five autoencoders."""


class SavedDetectors(Mapping):
    """Mapping of machine → fitted detector, which is loaded when it is first asked for.

    Parameters
    ----------
    files : mapping of str to object
        Each machine's file: what `load` takes, and can be hashed.
    load : callable
        Takes a file, returns the detector. It can be pickled.
    fitted : mapping of str to detector
        Detectors that are in no file; they come first.

    Notes
    -----
    A pickle holds paths, and no detector that was loaded from one.

    Examples
    --------
    >>> from skasd.ensemble._saved_detectors import SavedDetectors
    >>> detectors = SavedDetectors({"fan": "fan.skasd"}, str.upper)
    >>> detectors["fan"], detectors | {"pump": "fitted"}
    ('FAN.SKASD', <SavedDetectors: 1 machine in files, 1 in memory>)
    """

    def __init__(
        self,
        files: Mapping[str, Any],
        load: Callable[[Any], BaseEstimator],
        fitted: Mapping[str, BaseEstimator] | None = None,
    ):
        self.files = files
        self.fitted = fitted or {}
        self.load = load
        self._load_once = lru_cache(N_LOADED)(load)

    def __getitem__(self, machine: str) -> BaseEstimator:
        if machine in self.fitted:
            return self.fitted[machine]
        return self._load_once(self.files[machine])

    def __contains__(self, machine: object) -> bool:
        # Mapping would load the detector to find out.
        return machine in self.fitted or machine in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self.files, *self.fitted}))

    def __len__(self) -> int:
        return len({*self.files, *self.fitted})

    def __or__(self, fitted: Mapping[str, BaseEstimator]) -> Self:
        return self._view(self.files, {**self.fitted, **fitted})

    def file_of(self, machine: str) -> Any:
        """Return the file that holds a machine's detector; None if it is in memory alone."""
        return None if machine in self.fitted else self.files[machine]

    def only(self, machine: str) -> Self:
        """Return the same for one machine, which is small enough to send to another process."""
        if machine in self.fitted:
            return self._view({}, {machine: self.fitted[machine]})
        return self._view({machine: self.files[machine]}, {})

    def _view(self, files: Any, fitted: Any) -> Self:
        view = type(self)(files, self.load, fitted)
        view._load_once = self._load_once
        return view

    def __reduce__(self) -> Any:
        return type(self), (self.files, self.load, self.fitted)

    def __repr__(self) -> str:
        in_files = len(self) - len(self.fitted)
        return (
            f"<SavedDetectors: {in_files} machine{'s' * (in_files != 1)} in files, "
            f"{len(self.fitted)} in memory>"
        )
