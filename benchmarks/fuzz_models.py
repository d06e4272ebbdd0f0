"""Change honest model files where it hurts, and load each in a process with limits.

``python -m benchmarks.fuzz_models --files N --seed S`` prints how many files loaded, were refused
with skasd's error, and did anything else: another exception, the end of the interpreter, more time
or memory than the limits. It needs POSIX, and ends with 1 if there was anything else. Files that
did something else are kept in the folder that ``--keep`` names.
"""

import argparse
import collections
import contextlib
import io
import json
import os
import random
import resource
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

import skasd
from skasd.exceptions import SkasdError
from skasd.persistence._archive import pack, unpack
from skasd.persistence._container import read_archive, write_archive

SECONDS = 20
"""That a file may take to load and to score."""

MEGABYTES = 1200
"""That the process may hold, 300 of which are Python's packages."""

NUMBERS = (
    0, 1, -1, 2, 3, 7, 128, 1000, 2**31 - 1, 2**31, 2**63, -(2**63), 10**20, 10**400, 0.5, -0.0,
    1e-320, 1e308, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip

TEXTS = (
    "", "auto", "full", "diag", "tied", "precomputed", "poly", "kd_tree", "cosine", "seuclidean",
    "/etc/passwd", "..", "\ud800", "a" * 10_000, "os", "system", "Popen", "builtins", "eval",
    "ListNode", "DictNode", "TupleNode", "JsonNode", "NdArrayNode", "ObjectNode", "TreeNode",
    "TypeNode", "FunctionNode", "MethodNode", "RandomStateNode", "CachedNode", "SparseMatrixNode",
    "ndarray", "float64", "numpy", "sklearn.svm._classes", "OneClassSVM", "skasd", "int", "map",
)  # fmt: skip


def make_seeds() -> list[Any]:
    """Return fitted detectors of the kinds that a model file may hold."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 4))
    clips = rng.uniform(-0.5, 0.5, size=(12, 8000))
    detectors: list[Any] = [
        skasd.FeatureDetector(),
        skasd.GaussianMixtureDetector(n_components=2, random_state=0),
        skasd.GaussianMixtureDetector(1, covariance_type="tied", shrinkage=None),
        skasd.NearestNeighborsDetector(density_neighbors=3),
        OneClassSVM(),
        OneClassSVM(kernel="poly"),
        IsolationForest(n_estimators=3, random_state=np.random.RandomState(0)),
        EllipticEnvelope(random_state=0),
        LocalOutlierFactor(n_neighbors=3, novelty=True, algorithm="brute"),
        make_pipeline(StandardScaler(), skasd.PrincipalComponents(2), OneClassSVM()),
        skasd.RepeatedSeedEnsemble(IsolationForest(n_estimators=2), n_repeats=2),
    ]
    fitted = [detector.fit(features) for detector in detectors]
    of_clips: list[Any] = [
        skasd.make_views_detector(n_fft=256, hop_length=128, n_mels=8),
        skasd.make_iaeo3(openl3=False, n_repeats=2, n_mels=8, epochs=1).set_params(
            estimator__features__iae__autoencoder__encoder_units=(4, 2)
        ),
    ]
    return fitted + [detector.fit(clips) for detector in of_clips]


class Mutator:
    """Changes the members of a model file.

    Parameters
    ----------
    members : dict of str to bytes
        What `skasd.save` has written.
    rng : random.Random
        What is changed, and how.
    """

    def __init__(self, members: dict[str, bytes], rng: random.Random):
        self.members, self.rng = dict(members), rng

    def mutate(self) -> dict[str, bytes]:
        """Return the members after one to three changes."""
        changes: list[Callable[[], None]] = [
            self.change_schema,
            self.change_schema,
            self.change_value,
            self.change_value,
            self.change_array,
            self.change_array,
            self.change_header,
            self.change_description,
            self.change_members,
        ]
        for _ in range(self.rng.randint(1, 3)):
            # What an earlier change has left may be nothing that this one can change.
            with contextlib.suppress(Exception):
                self.rng.choice(changes)()
        return self.members

    def change_schema(self) -> None:
        """Change a field of a node: anything, or another node; take it away, or repeat it."""
        schema = json.loads(self.members["schema.json"])
        nodes = [node for node in _holders(schema) if node]
        node, other = self.rng.choice(nodes), self.rng.choice(nodes)
        key = self.rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
        kind = self.rng.randrange(6)
        if kind == 0:
            node[key] = self._anything()
        elif kind == 1:
            node[key] = other
        elif kind == 2:
            del node[key]
        elif kind == 3 and isinstance(node, list):
            node.extend(node * self.rng.choice((1, 10, 1000)))
        elif kind == 4 and isinstance(node, dict):
            node["__id__"] = other.get("__id__", 1) if isinstance(other, dict) else 1
        elif isinstance(node, dict):
            node[self.rng.choice(("offset_", "_parts", "predict", "extra", "__id__"))] = other
        self.members["schema.json"] = json.dumps(schema).encode()

    def change_value(self) -> None:
        """Change a parameter, or a fitted number or text."""
        schema = json.loads(self.members["schema.json"])
        values = [node for node in _holders(schema) if _is_value(node)]
        node = self.rng.choice(values)
        node["content"] = json.dumps(self._anything())
        node["__id__"] = self.rng.randrange(1, 2**40)
        self.members["schema.json"] = json.dumps(schema).encode()

    def change_array(self) -> None:
        """Change an array: its shape, its dtype, or some of its numbers."""
        name = self.rng.choice([name for name in self.members if name.endswith(".npy")])
        array = np.load(io.BytesIO(self.members[name]))
        kind = self.rng.randrange(7)
        if kind == 0:
            array = array[: self.rng.randrange(3)] if array.ndim else array
        elif kind == 1:
            array = array.reshape(self.rng.choice(((-1,), (1, -1), (-1, 1))))
        elif kind == 2 and array.dtype.names is None:
            array = array.astype(
                self.rng.choice(("f4", "f8", "i4", "i8", ">f8", "c16", "U3", "f2"))
            )
        elif kind == 3 and array.dtype.kind == "f":
            array = np.where(np.arange(array.size).reshape(array.shape) % 3, array, np.nan)
        elif kind == 4:
            array = np.concatenate([array.ravel()] * 3)
        elif kind == 5 and array.dtype.names:
            field = self.rng.choice(array.dtype.names)
            array[field] = self.rng.choice((-1, 0, 10**6, 100))
        elif array.size and array.dtype.kind in "if":
            array = array * self.rng.choice((0, -1, 1000, 10**6))
        buffer = io.BytesIO()
        np.save(buffer, array)
        self.members[name] = buffer.getvalue()

    def change_header(self) -> None:
        """Say that an array is of another shape or dtype than it is; cut it; flip some bytes."""
        name = self.rng.choice(list(self.members))
        content = bytearray(self.members[name])
        kind = self.rng.randrange(3)
        if kind == 0:
            content = content[: self.rng.randrange(len(content) + 1)]
        elif kind == 1 and name.endswith(".npy"):
            shape = self.rng.choice(((10**12,), (2**31, 2**31), (0, 10**18), (-1,), ()))
            dtype = self.rng.choice(("<f8", "|O", "<U9", "|V64", ">i4", "|S1000000", "<M8[s]"))
            buffer = io.BytesIO()
            header = {"shape": shape, "fortran_order": False, "descr": dtype}
            np.lib.format.write_array_header_1_0(buffer, header)
            content = bytearray(buffer.getvalue()) + content[128:]
        else:
            for _ in range(4):
                if content:
                    content[self.rng.randrange(len(content))] = self.rng.randrange(256)
        self.members[name] = bytes(content)

    def change_description(self) -> None:
        """Change what the file says of itself."""
        info = json.loads(self.members["skasd.json"])
        info[self.rng.choice(list(info))] = self._anything()
        self.members["skasd.json"] = json.dumps(info).encode()

    def change_members(self) -> None:
        """Take a member away, or put one in the place of another."""
        one, other = (self.rng.choice(list(self.members)) for _ in range(2))
        if self.rng.random() < 0.5:
            self.members[one] = self.members[other]
        elif len(self.members) > 1:
            del self.members[one]
        self.members.setdefault("schema.json", b"{}")
        self.members.setdefault("skasd.json", b"{}")

    def _anything(self) -> Any:
        return self.rng.choice(
            (None, True, False, [], {}, [[]], self.rng.choice(NUMBERS), self.rng.choice(TEXTS))
        )


def _holders(schema: Any) -> list[Any]:
    found, pending = [], [schema]
    while pending:
        each = pending.pop()
        if isinstance(each, dict | list):
            found.append(each)
            pending += each.values() if isinstance(each, dict) else each
    return found


def _is_value(node: Any) -> bool:
    return isinstance(node, dict) and node.get("__loader__") == "JsonNode"


def save_seeds(folder: Path) -> None:
    """Save honest detectors, in a process of its own: what trains may not be forked later."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            for number, detector in enumerate(make_seeds()):
                skasd.save(detector, folder / f"{number}.seed")
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(process, 0)[1]:
        raise RuntimeError("The honest files could not be made.")


def load_in_child(path: Path) -> str:
    """Load a file in a process with limits, and score with it; return what came of it."""
    process = os.fork()
    if process == 0:
        signal.alarm(SECONDS)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        code = 3
        try:
            code = _load_and_score(path)
        finally:
            os._exit(code)
    _, status, usage = os.wait4(process, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return "took too long" if number == signal.SIGALRM else f"ended by signal {number}"
    if usage.ru_maxrss > MEGABYTES * 1024:
        return "took too much memory"
    return ("loaded", "refused", "another exception", "ended early")[os.WEXITSTATUS(status)]


def _load_and_score(path: Path) -> int:
    warnings.simplefilter("ignore")
    try:
        detector = skasd.load(path)
    except SkasdError:
        return 1
    except BaseException:
        return 2
    try:
        rng = np.random.default_rng(1)
        X = rng.normal(0, 0.1, (3, 8000)) if hasattr(detector, "estimators_") else None
        detector.predict(rng.normal(size=(3, 4)) if X is None else X)
    except Exception:
        pass  # whatever it takes; the limits hold here as well
    return 0


def main() -> int:
    """Change and load as many files as are asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=None)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        save_seeds(Path(folder))
        paths = sorted(Path(folder).glob("*.seed"))
        seeds = [unpack(read_archive(path)) for path in paths]
        for path in paths:
            skasd.load(path)
        for number in range(arguments.files):
            rng = random.Random(f"{arguments.seed} {number}")
            path = Path(folder, f"{number}.skasd")
            write_archive(path, pack(Mutator(rng.choice(seeds), rng).mutate()))
            outcome = load_in_child(path)
            counts[outcome] += 1
            if outcome not in ("loaded", "refused"):
                print(f"file {number}: {outcome}", file=sys.stderr)
                if arguments.keep is not None:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    path.rename(arguments.keep / path.name)
            path.unlink(missing_ok=True)
    print(f"seed {arguments.seed}: {arguments.files} files,", dict(counts))
    return int(bool(set(counts) - {"loaded", "refused"}))


if __name__ == "__main__":
    sys.exit(main())
