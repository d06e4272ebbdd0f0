"""Reading a weights file: arrays of known names, shapes and storage, and nothing else.

Run as a program, it takes the file from standard input, and shapes and seconds from its arguments,
and writes the arrays, one after the other, to standard output. HDF5's own reader follows whatever a
damaged file says, if need be in circles; in a process of its own, it can be stopped. For this
reason, nothing of skasd is imported here.
"""

import gzip
import io
import json
import math
import re
import sys
import zlib
from typing import Any

import numpy as np

MOST_BYTES = 2**26
"""Most bytes of a file, packed or not: three times OpenL3's weights."""

MOST_SECONDS = 5
"""Most processor time for an unknown file; OpenL3's weights take less than a second."""

MOST_MEMORY = 2**30

MOST_NAMES = 256
"""Most names of layers, or of the weights of a layer."""

PROBLEMS = (
    *(OSError, EOFError, ArithmeticError, AttributeError, LookupError, MemoryError),
    *(RuntimeError, TypeError, ValueError, zlib.error),
)
"""Exceptions that gzip and h5py raise for damaged files."""


def read_arrays(content: bytes, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read the arrays of a network whose shapes are known.

    Parameters
    ----------
    content : bytes
        HDF5 as written by ``save_weights`` of TensorFlow's Keras, gzipped or not.
    shapes : dict of str to tuple of int
        Shapes, under the names of `skasd.features.openl3._network.expected_shapes`.

    Returns
    -------
    dict of str to ndarray, float32
        In the order of `shapes`.

    Raises
    ------
    ValueError
        If the arrays are not the expected ones, are compressed, lie elsewhere or are missing, or
        hold numbers that no weight can have.
    Exception
        Any other exception in `PROBLEMS`, from h5py.
    """
    import h5py

    if content[:2] == b"\x1f\x8b":
        with gzip.open(io.BytesIO(content)) as packed:
            content = packed.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES >> 20} MiB")
    with h5py.File(io.BytesIO(content), "r") as file:
        places = dict(_places(file))
        if places.keys() != shapes.keys():
            name = min(places.keys() ^ shapes.keys())
            has = "holds" if name in places else "lacks"
            raise ValueError(f"it does not hold OpenL3's audio network: it {has} {name}")
        return {name: _read(file, places[name], name, shapes[name]) for name in shapes}


def _places(file: Any) -> Any:
    """Name the arrays by kind and order, as Keras numbers its layers anew in each session."""
    names = _names(file, "layer_names")
    norms = [name for name in names if name.startswith("batch_normalization")]
    convolutions = [name for name in names if re.match("conv2d|audio_embedding_layer", name)]
    for kind, layers in (("norm", norms), ("conv", convolutions)):
        for i, layer in enumerate(layers):
            for path in _names(_follow(file, layer), "weight_names"):
                parameter = path.rpartition("/")[2].partition(":")[0]
                yield f"{kind}_{i}/{parameter}", f"{layer}/{path}"


def _follow(file: Any, path: str) -> Any:
    """Follow a path within the file, and nowhere else."""
    import h5py

    place = file
    for part in path.split("/"):
        if not isinstance(place.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"its {path} is missing, or a link to somewhere else")
        place = place[part]
    return place


def _names(group: Any, attribute: str) -> list[str]:
    shape = group.attrs.get_id(attribute).shape
    if len(shape) != 1 or shape[0] > MOST_NAMES:
        raise ValueError(f"its {attribute} have shape {shape}")
    names = [n.decode() if isinstance(n, bytes) else n for n in group.attrs[attribute]]
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"its {attribute} are not names")
    return names


def _read(file: Any, path: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    import h5py

    dataset = _follow(file, path)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape != shape:
        found = getattr(dataset, "shape", None)
        raise ValueError(
            f"it does not hold OpenL3's audio network: {name} should have shape "
            f"{shape}, but has shape {found}"
        )
    if dataset.dtype.kind != "f" or dataset.dtype.itemsize > 8:
        raise ValueError(f"its {name} have dtype {dataset.dtype}")
    if dataset.id.get_create_plist().get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
        raise ValueError(f"its {name} are compressed or split")
    if dataset.external or dataset.id.get_storage_size() != dataset.nbytes:
        raise ValueError(f"its {name} are not in the file")
    array = np.asarray(dataset, np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"its {name} hold NaN or infinity")
    if name.endswith("moving_variance") and array.min() < 0:
        raise ValueError(f"its {name} hold {array.min():.3g}, but no variance is below 0")
    return array


def _limit(most_seconds: int) -> None:
    """Let the system stop this process if it can; otherwise, the parent does."""
    try:
        import resource
    except ImportError:
        return
    spent = math.ceil(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    limits = {resource.RLIMIT_CPU: spent + most_seconds, resource.RLIMIT_AS: MOST_MEMORY}
    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    import h5py  # noqa: F401  # before the limits, which are for the file

    expected = {name: tuple(shape) for name, shape in json.loads(sys.argv[1]).items()}
    _limit(int(sys.argv[2]))
    try:
        arrays = read_arrays(sys.stdin.buffer.read(), expected)
    except PROBLEMS as error:
        sys.exit(f"{error}" or type(error).__name__)
    for each in arrays.values():
        sys.stdout.buffer.write(each.astype("<f4").tobytes())
