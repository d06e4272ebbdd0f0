"""Tables of what fitted estimators hold, and the check of an estimator against its table."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple, Protocol

import numpy as np

_DTYPES = {
    "f": (np.dtype("float64"), np.dtype("float32")),
    "f8": (np.dtype("float64"),),
    "i": (np.dtype("int64"), np.dtype("int32")),
    "i4": (np.dtype("int32"),),
    "b": (np.dtype("bool"),),
}

Sizes = dict[str, int]
"""Sizes by name: whatever is called alike is of the same length."""


class Part(Protocol):
    """One attribute of a fitted estimator."""

    @property
    def optional(self) -> bool:
        """Whether the attribute may be None or missing."""

    def check(self, value: Any, sizes: Sizes) -> None:
        """Raise a ValueError that says what is wrong with a value."""


class Array(NamedTuple):
    """An array of numbers, finite and in the machine's byte order.

    Parameters
    ----------
    shape : tuple of str or int
        Lengths, or names of lengths: of an attribute or parameter of the estimator, or of the first
        array that uses the name.
    dtype : {"f", "f8", "i", "i4", "b"}, default="f"
        Floats, float64, integers, int32 or booleans.
    low, high : float
        What all numbers are at least, and at most.
    above : float
        What all numbers are greater than.
    nan : bool, default=False
        Whether NaN is a value as well.
    optional : bool, default=False
        Whether the attribute may be None or missing.
    """

    shape: tuple[str | int, ...]
    dtype: str = "f"
    low: float = -np.inf
    high: float = np.inf
    above: float = -np.inf
    nan: bool = False
    optional: bool = False

    def check(self, value: Any, sizes: Sizes) -> None:
        """Raise a ValueError that says what is wrong with a value."""
        _require(type(value) is np.ndarray, f"is {type(value).__name__}, and no array")
        if value.dtype not in _DTYPES[self.dtype] or not value.dtype.isnative:
            raise ValueError(f"has the dtype {value.dtype}")
        if value.ndim == len(self.shape):
            for name, length in zip(self.shape, value.shape, strict=True):
                if isinstance(name, str):
                    sizes.setdefault(name, length)
        expected = tuple(
            sizes.get(name, -1) if isinstance(name, str) else name for name in self.shape
        )
        if value.shape != expected:
            raise ValueError(f"has the shape {value.shape}, and not {self.shape}")
        numbers = value[~np.isnan(value)] if self.nan else value
        if value.dtype == bool or not numbers.size:
            return
        # NaN is the least and the most of any numbers that it is among.
        least, most = numbers.min(), numbers.max()
        _require(bool(np.isfinite(least) and np.isfinite(most)), "holds NaN or infinity")
        if not self.low <= least <= most <= self.high or least <= self.above:
            is_inside = (numbers >= self.low) & (numbers <= self.high) & (numbers > self.above)
            raise ValueError(f"holds numbers out of range, such as {numbers[~is_inside][:1]}")


class Number(NamedTuple):
    """A finite number.

    Parameters
    ----------
    dtype : {"f", "i"}, default="f"
        Any number, or an integer.
    low, high : float
        What it is at least, and at most.
    above : float
        What it is greater than.
    optional : bool, default=False
        Whether the attribute may be None or missing.
    """

    dtype: str = "f"
    low: float = -np.inf
    high: float = np.inf
    above: float = -np.inf
    optional: bool = False

    def check(self, value: Any, sizes: Sizes) -> None:
        """Raise a ValueError that says what is wrong with a value."""
        kind = Integral if self.dtype == "i" else Real
        is_number = isinstance(value, kind) and not isinstance(value, bool)
        if not is_number:
            raise ValueError(f"is {_shown(value)}")
        is_inside = self.low <= value <= self.high and value > self.above and np.isfinite(value)
        _require(bool(is_inside), f"is {value}, which is out of range")


class Text(NamedTuple):
    """A string.

    Parameters
    ----------
    options : sequence of str or None, default=None
        What it may be; anything if None.
    optional : bool, default=False
        Whether the attribute may be None or missing.
    """

    options: Sequence[str] | None = None
    optional: bool = False

    def check(self, value: Any, sizes: Sizes) -> None:
        """Raise a ValueError that says what is wrong with a value."""
        is_known = isinstance(value, str) and (self.options is None or value in self.options)
        if not is_known:
            raise ValueError(f"is {_shown(value)}")


class ListOf(NamedTuple):
    """A list or tuple of things of one kind.

    Parameters
    ----------
    part : part
        The kind. Its lengths are those of each thing alone.
    fewest : int, default=0
        How many there are at least.
    most : int or None, default=None
        How many there are at most, if there is a bound.
    optional : bool, default=False
        Whether the attribute may be None or missing.
    """

    part: Any
    fewest: int = 0
    most: int | None = None
    optional: bool = False

    def check(self, value: Any, sizes: Sizes) -> None:
        """Raise a ValueError that says what is wrong with a value."""
        _require(isinstance(value, list | tuple), f"is {type(value).__name__}, and no list")
        is_inside = self.fewest <= len(value) and (self.most is None or len(value) <= self.most)
        _require(is_inside, f"holds {len(value)} things")
        for each in value:
            self.part.check(each, dict(sizes))


class Estimator(NamedTuple):
    """An estimator of some class, which has a table of its own.

    Parameters
    ----------
    kind : type or str
        Its class, or a method that it must have.
    optional : bool, default=False
        Whether the attribute may be None or missing.
    """

    kind: type | str
    optional: bool = False

    def check(self, value: Any, sizes: Sizes) -> None:
        """Raise a ValueError that says what is wrong with a value."""
        is_kind = (
            hasattr(value, self.kind) if isinstance(self.kind, str) else type(value) is self.kind
        )
        _require(is_kind, f"is {type(value).__name__}")


class Exactly(NamedTuple):
    """A value that nothing may differ from.

    Parameters
    ----------
    value : object
        The value.
    """

    value: Any

    @property
    def optional(self) -> bool:
        """Whether the attribute may be None or missing."""
        return self.value is None

    def check(self, value: Any, sizes: Sizes) -> None:
        """Raise a ValueError that says what is wrong with a value."""
        if type(value) is not type(self.value) or value != self.value:
            raise ValueError(f"is {_shown(value)}")


Table = Mapping[str, Part]
"""Parts of a fitted estimator by the names of its attributes."""


def check_fitted(estimator: Any, table: Table) -> None:
    """Check what a fitted estimator holds.

    Parameters
    ----------
    estimator : estimator
        What is checked.
    table : mapping of str to part
        What each of its attributes should be.

    Raises
    ------
    ValueError
        If an attribute is missing, of another type, shape or dtype, not finite or out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skasd._utils.fitted import Array, check_fitted
    >>> table = {"mean_": Array(("n_features_in_",)), "scale_": Array(("n_features_in_",), above=0)}
    >>> scaler = StandardScaler().fit([[0.0, 1.0], [1.0, 3.0]])
    >>> check_fitted(scaler, table)
    >>> scaler.scale_ = np.zeros(2)
    >>> check_fitted(scaler, table)
    Traceback (most recent call last):
    ValueError: scale_ of StandardScaler holds numbers out of range, such as [0.]
    """
    values = vars(estimator)
    sizes = {
        name: int(value)
        for name, value in values.items()
        if isinstance(value, Integral) and not isinstance(value, bool)
    }
    for name, part in table.items():
        value = values.get(name)
        try:
            if value is not None:
                part.check(value, sizes)
            else:
                _require(part.optional, "is missing")
        except ValueError as error:
            raise ValueError(f"{name} of {type(estimator).__name__} {error}") from None


def check_chain(
    coefs: Sequence[np.ndarray], intercepts: Sequence[np.ndarray], n_inputs: int, n_outputs: int
) -> None:
    """Check that the layers of a dense network, from so many inputs to outputs, fit together.

    Parameters
    ----------
    coefs : sequence of ndarrays of shape (n_in, n_out)
        Weights.
    intercepts : sequence of ndarrays of shape (n_out,)
        Biases.
    n_inputs, n_outputs : int
        Of the whole network.

    Raises
    ------
    ValueError
        If they do not.
    """
    ends = [n_inputs, *(each.shape[1] for each in coefs)]
    fits = len(coefs) == len(intercepts) > 0 and ends[-1] == n_outputs
    fits = fits and all(each.shape[0] == n_in for each, n_in in zip(coefs, ends, strict=False))
    fits = fits and all(len(b) == n_out for b, n_out in zip(intercepts, ends[1:], strict=True))
    _require(fits, f"the layers do not lead from {n_inputs} numbers to {n_outputs}")


def _shown(value: Any) -> str:
    return " ".join(repr(value).split())[:80]


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)
