"""Weight files of OpenL3."""

import gzip
import os
import pickle
import random
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.fuzzing.kind import Files, Kind, MistakenError, limit_memory, write
from benchmarks.fuzzing.mutations import change_bytes
from skasd.exceptions import WeightsError
from skasd.features.openl3._network import expected_shapes
from skasd.features.openl3._weights import read_weights
from skasd.features.openl3._weights_file import MOST_MEMORY, PROBLEMS, read_arrays

GOLDEN = Path(__file__).parents[2] / "tests" / "data" / "openl3_audio_mel128_golden.h5.gz"

SIGNATURES = (b"\x89HDF", b"TREE", b"SNOD", b"HEAP", b"OHDR", b"GCOL", b"layer_names", b"kernel")
"""What HDF5's tables begin with: changes are made around them."""

READER_SECONDS = 0.3
"""Of a processor. skasd waits for 5, which would only take longer."""


class WeightFiles(Kind):
    """Weight files, packed or not.

    As skasd reads them in a process that it may end, so does this: a copy of this one, which needs
    no start. One in a hundred is read by `read_weights`.
    """

    name = "weights"
    share = 2
    most_megabytes = 300

    def __init__(self, folder: Path):
        super().__init__(folder)
        import h5py  # noqa: F401  # before the copies are made

        self._packed = GOLDEN.read_bytes()
        self._content = gzip.decompress(self._packed)
        self._places = [
            place for signature in SIGNATURES for place in _places(self._content, signature)
        ]
        self._shapes = expected_shapes()

    def make(self, rng: random.Random) -> Files:
        """Return a file whose tables were changed, or one that was changed as it was packed."""
        name = "slowly.h5" if rng.random() < 0.01 else "weights.h5"
        if rng.random() < 0.1:
            return {name: change_bytes(self._packed, rng)}
        content = bytearray(self._content)
        for _ in range(rng.choice((1, 1, 2, 4))):
            place = max(0, rng.choice(self._places) + rng.randrange(-32, 64))
            n_bytes = rng.choice((64, 256, 1024))
            changed = change_bytes(bytes(content[place : place + n_bytes]), rng, head=n_bytes)
            if rng.random() < 0.8:  # or else what follows moves
                changed = changed[:n_bytes].ljust(n_bytes, b"\0")
            content[place : place + n_bytes] = changed
        return {name: bytes(content)}

    def read(self, files: Files, folder: Path) -> None:
        """Read the weights."""
        ((name, content),) = files.items()
        if name == "slowly.h5":
            write(files, folder)
            self._check(read_weights(folder / name))
            return
        problem = _in_a_copy(lambda: self._check(read_arrays(content, self._shapes)))
        if isinstance(problem, PROBLEMS):
            raise WeightsError(name, str(problem), "")
        if problem is not None:
            raise problem

    def _check(self, weights: Mapping[str, np.ndarray]) -> None:
        if {name: array.shape for name, array in weights.items()} != self._shapes:
            raise MistakenError("weights of other shapes")
        if not all(np.isfinite(array).all() for array in weights.values()):
            raise MistakenError("weights that are no numbers")


def _places(content: bytes, signature: bytes) -> list[int]:
    places, place = [], content.find(signature)
    while place >= 0:
        places.append(place)
        place = content.find(signature, place + 1)
    return places


def _in_a_copy(call: Callable[[], None]) -> Exception | None:
    """Call a function where it can be ended; return what it raises."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        _answer(call, writer)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status) or not answer:
        return ValueError("it takes too much, or ends its process")
    return pickle.loads(answer)


def _answer(call: Callable[[], None], writer: int) -> None:
    """Call a function within limits, answer, and end."""
    try:
        limit_memory(MOST_MEMORY >> 20)
        signal.setitimer(signal.ITIMER_PROF, READER_SECONDS)
        problem = None
        try:
            call()
        except Exception as error:
            # Of h5py, some cannot be pickled.
            kind = ValueError if isinstance(error, PROBLEMS) else MistakenError
            problem = kind(f"{type(error).__name__}: {error}")
        os.write(writer, pickle.dumps(problem))
    finally:
        os._exit(0)
