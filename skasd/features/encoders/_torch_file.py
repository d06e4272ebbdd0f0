"""Weights in a PyTorch file, read without PyTorch: named arrays, and nothing else."""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from skasd.exceptions import WeightsError

DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}

PROBLEMS = (
    *(ArithmeticError, AttributeError, EOFError, ImportError, LookupError, MemoryError, OSError),
    *(RuntimeError, TypeError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile),
)
"""Exceptions that zipfile and pickle raise for damaged files."""


def read_state_dict(path: Path, most_bytes: int) -> dict[str, np.ndarray]:
    """Read the state of a network, as ``torch.save(network.state_dict(), path)`` writes it.

    Parameters
    ----------
    path : Path
        The file.
    most_bytes : int
        Most bytes to read, unpacked.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    WeightsError
        If it is damaged or too large, or holds anything but arrays of floats and integers.

    Notes
    -----
    The file is a zip archive of a pickle and of arrays. The pickle may name a dictionary, tensors
    and their number types. Nothing that it names is imported, and none of its functions is called.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > most_bytes:
                raise ValueError(f"it is larger than {most_bytes >> 20} MiB")
            (name,) = [each for each in archive.namelist() if each.endswith("/data.pkl")]
            with archive.open(name) as file:
                state = _Reader(file, archive, name.removesuffix(".pkl")).load()
        arrays = {name: state[name] for name in state if isinstance(state[name], np.ndarray)}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("it holds NaN or infinity")
    except PROBLEMS as error:
        raise WeightsError(
            str(path),
            f"cannot be read as PyTorch weights: {error or type(error).__name__}",
            "It may be truncated, or a different kind of file. Download it again.",
        ) from error
    return arrays


class _Reader(pickle.Unpickler):
    """Reads tensors as arrays, and refuses anything else that a pickle names."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str):
        super().__init__(file)
        self._archive = archive
        self._folder = folder

    def find_class(self, module: str, name: str) -> Any:
        """Return the replacement for a name in the pickle."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in DTYPES:
            return np.dtype(DTYPES[name])
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not an array")

    def persistent_load(self, saved: Any) -> np.ndarray:
        """Return the numbers of a storage, of which one or more tensors are views."""
        kind, dtype, key, _, n_numbers = saved
        if kind != "storage" or not str(key).isdigit():
            raise pickle.UnpicklingError(f"it has a {kind!r} in place of numbers")
        content = self._archive.read(f"{self._folder}/{key}")
        return np.frombuffer(content, dtype, n_numbers)


def _tensor(
    numbers: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> np.ndarray:
    """Return a tensor as a view of the numbers in a storage, and of nothing beyond them."""
    last = offset + sum(
        (length - 1) * stride for length, stride in zip(shape, strides, strict=True)
    )
    if min(offset, *shape, *strides, 0) < 0 or 0 in shape or last >= len(numbers):
        raise ValueError("it has an array that extends beyond its storage")
    strides = tuple(stride * numbers.itemsize for stride in strides)
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, strides, writeable=False)
