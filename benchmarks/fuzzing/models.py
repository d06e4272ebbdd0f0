"""Model files: what they say, hold and are packed in."""

import contextlib
import io
import json
import random
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
from benchmarks.fuzzing.kind import Files, Kind, MistakenError, save_honest, saved, write
from benchmarks.fuzzing.mutations import TEXTS, anything, change_bytes, holders_in
from skasd.persistence._archive import pack, unpack
from skasd.persistence._container import read_archive, write_archive

KEY = b"of the plant"

NAMES = (
    *TEXTS, "os", "system", "Popen", "builtins", "eval",
    "ListNode", "DictNode", "TupleNode", "JsonNode", "NdArrayNode", "ObjectNode", "TreeNode",
    "TypeNode", "FunctionNode", "MethodNode", "RandomStateNode", "CachedNode", "SparseMatrixNode",
    "ndarray", "float64", "numpy", "sklearn.svm._classes", "OneClassSVM", "skasd", "int", "map",
)  # fmt: skip


class Models(Kind):
    """Model files.

    Most are changed inside and packed anew, so that their digest is right. One in ten is changed
    outside: it must be refused. So must be any that was changed inside, if it is read with a key.
    """

    name = "models"
    share = 4
    most_megabytes = 600

    @classmethod
    def prepare(cls, folder: Path) -> None:
        """Save detectors of all kinds that a model file may hold."""
        save_honest(make_detectors(), folder)

    def __init__(self, folder: Path):
        super().__init__(folder)
        self._files = list(saved(folder, "*.skasd").values())
        self._members = [unpack(read_archive(path)) for path in sorted(folder.glob("*.skasd"))]
        schemas = (members["schema.json"] for members in self._members)
        self._sizes = [len(schema) for schema in schemas]

    def make(self, rng: random.Random) -> Files:
        """Return a model file."""
        if rng.random() < 0.1:
            content = rng.choice(self._files)
            changed = change_bytes(content, rng, head=200)
            return {"damaged.skasd" if changed != content else "model.skasd": changed}
        # A large schema takes longer, and shows no more: it comes up less often.
        members = rng.choices(self._members, [1 / size for size in self._sizes])[0]
        path = self.folder / "packed"
        write_archive(path, pack(Mutator(members, rng).mutate()))
        return {"model.skasd" if rng.random() < 0.95 else "stranger.skasd": path.read_bytes()}

    def read(self, files: Files, folder: Path) -> None:
        """Load a model, and score with it."""
        write(files, folder)
        (name,) = files
        detector = skasd.load(folder / name, key=KEY if name == "stranger.skasd" else None)
        if name != "model.skasd":
            raise MistakenError(f"a {name.partition('.')[0]} file loads")
        # Whatever comes of scoring: limits on time and memory hold here as well.
        with contextlib.suppress(Exception):
            score(detector)


def score(detector: Any) -> None:
    """Score noise."""
    rng = np.random.default_rng(1)
    takes_features = getattr(detector, "n_features_in_", None) == 4
    noise = rng.normal(size=(3, 4)) if takes_features else rng.normal(0, 0.1, (3, 8000))
    detector.predict(noise)


def make_detectors() -> list[Any]:
    """Return fitted detectors."""
    warnings.simplefilter("ignore")
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
    of_clips: list[Any] = [
        skasd.make_views_detector(n_fft=256, hop_length=128, n_mels=8),
        skasd.make_iaeo3(openl3=False, n_repeats=2, n_mels=8, epochs=1).set_params(
            estimator__features__iae__autoencoder__encoder_units=(4, 2)
        ),
    ]
    return [each.fit(features) for each in detectors] + [each.fit(clips) for each in of_clips]


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
        nodes = [node for node in holders_in(schema) if node]
        node, other = self.rng.choice(nodes), self.rng.choice(nodes)
        key = self.rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
        kind = self.rng.randrange(6)
        if kind == 0:
            node[key] = anything(self.rng, NAMES)
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
        values = [node for node in holders_in(schema) if _is_value(node)]
        node = self.rng.choice(values)
        node["content"] = json.dumps(anything(self.rng, NAMES))
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
        info[self.rng.choice(list(info))] = anything(self.rng, NAMES)
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


def _is_value(node: Any) -> bool:
    return isinstance(node, dict) and node.get("__loader__") == "JsonNode"
