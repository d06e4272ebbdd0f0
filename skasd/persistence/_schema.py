"""What a model file says that it holds, checked before any of it is made."""

import io
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from skasd._sklearn import TREE_NODE_FIELDS
from skasd.persistence._archive import check_size
from skasd.persistence._trees import TREE, check_tree_node
from skasd.persistence._trust import FOREST, SCALARS, TRUSTED_BY_LOADER, trusted_objects

MOST_NODES = 200_000
"""Lists, tuples, arrays, numbers, estimators and so on: an ensemble of five forests of 500 trees
has 140,000."""

DEEPEST = 60
"""Nodes inside of each other; 13 in the default system."""

DEEPEST_ESTIMATORS = 12
"""Estimators inside of each other: scikit-learn's time doubles with each."""

LENGTH_BYTES = {b"\x01\x00": 2, b"\x02\x00": 4}
"""Version of NumPy's format → bytes of the length of its header."""

CALLABLE_NODES = {"FunctionNode", "MethodNode", "OperatorFuncNode", "PartialNode"}
"""Nodes that skops can hold and a detector never needs: objects that could be called."""

Node = dict[str, Any]


class Schema:
    """The description by skops of what a file holds, from which skops makes it.

    Parameters
    ----------
    members : mapping of str to bytes
        Members of the archive.
    archive_size : int or None, default=None
        Size of the archive, which bounds that of all arrays; no bound if None.

    Attributes
    ----------
    root_name : str
        Type of what the file holds.
    foreign : set of str
        Types that are not trusted.
    names : set of str
        Types of all that it holds.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it is not as skops writes it, or there is more of it than the bounds of `skasd.load`.
    """

    def __init__(self, members: Mapping[str, bytes], archive_size: int | None = None):
        self.members = members
        root: Node = json.loads(members["schema.json"])
        self.root_name = f"{root['__module__']}.{root['__class__']}"
        self.foreign: set[str] = set()
        self.names: set[str] = set()
        self._trusted = {**TRUSTED_BY_LOADER, "ObjectNode": trusted_objects()}
        self._first: dict[int, Node] = {}
        self._weights: dict[int, tuple[int, int, int]] = {}
        self._n_bytes, self._archive_size = 0, archive_size
        self._visit(root, depth=1, n_estimators=0, in_forest=False)

    def _visit(
        self, node: Node, depth: int, n_estimators: int, in_forest: bool
    ) -> tuple[int, int, int]:
        """Check a node; return how many there are in it, and how deep they and estimators go."""
        loader = node["__loader__"]
        is_estimator = loader == "ObjectNode"
        n_estimators += is_estimator
        self._check_depth(depth, n_estimators)
        identity = node.get("__id__")
        if identity:
            # skops makes the object once, and takes it wherever its number occurs again.
            _require(type(identity) is int, "the number of an object is none")
            if identity in self._first:
                weight = self._weights.get(identity)
                if weight is None:
                    raise ValueError(f"it holds a {node['__class__']} that holds itself")
                self._check_depth(depth + weight[1], n_estimators + weight[2])
                return weight
            self._first[identity] = node
        name = f"{node['__module__']}.{node['__class__']}"
        self.names.add(name)
        foreign = self._foreign(loader, name, in_forest)
        if foreign is not None:
            self.foreign.add(foreign)
            return 1, 1, 0
        in_forest = in_forest or (is_estimator and name == FOREST)
        n_nodes, deepest, deepest_estimators = 1, 0, 0
        for child in self._children(node, loader):
            n, deep, estimators = self._visit(child, depth + 1, n_estimators, in_forest)
            n_nodes += n
            deepest, deepest_estimators = max(deepest, deep), max(deepest_estimators, estimators)
            if n_nodes > MOST_NODES:
                raise ValueError(f"it holds more than {MOST_NODES} objects")
        weight = (n_nodes, deepest + 1, deepest_estimators + is_estimator)
        if identity:
            self._weights[identity] = weight
        if loader == "TreeNode":
            check_tree_node(node, self._resolve, self._array)
        return weight

    def _resolve(self, node: Node) -> Node:
        """Return the node that skops takes for one that has been visited."""
        return self._first.get(node.get("__id__", 0), node)

    def _check_depth(self, depth: int, n_estimators: int) -> None:
        if depth > DEEPEST:
            raise ValueError(f"it holds objects inside of each other, more than {DEEPEST} deep")
        if n_estimators > DEEPEST_ESTIMATORS:
            raise ValueError(
                f"it holds estimators inside of each other, more than {DEEPEST_ESTIMATORS} deep"
            )

    def _foreign(self, loader: str, name: str, in_forest: bool) -> str | None:
        """Return what is not trusted, if anything."""
        if loader in CALLABLE_NODES:
            return f"{name} in a {loader}, which could be called"
        if loader == "TreeNode":
            return None if in_forest else f"{TREE} outside of IsolationForest"
        return None if name in self._trusted.get(loader, ()) else name

    def _children(self, node: Node, loader: str) -> list[Node]:
        """Return the nodes in a node, after checking what is in it besides."""
        if loader == "JsonNode":
            _require(isinstance(node["content"], str), "a value is no text")
            value = json.loads(node["content"])
            _require(not isinstance(value, list | dict), "a value is a list")
            return []
        if loader in ("ListNode", "TupleNode"):
            return list(node["content"])
        if loader == "DictNode":
            return [node["key_types"], *node["content"].values()]
        if loader == "ObjectNode":
            return [node["content"]] if node.get("content") is not None else []
        if loader == "RandomStateNode":
            return [node["content"]]
        if loader == "TreeNode":
            return [node["content"], node["__reduce__"]["args"]]
        if loader == "NdArrayNode" and node["type"] == "json":
            return [*node["content"], node["shape"]]
        if loader == "NdArrayNode":
            self._n_bytes += len(self.members[node["file"]])
            if self._archive_size is not None:
                check_size(self._n_bytes, self._archive_size)
            self._array(node)
        return []

    def _array(self, node: Node) -> np.ndarray:
        """Return an array, after checking that it is as large as it says, and plain."""
        name = node["file"]
        return read_array(name, self.members[name], is_scalar=node["__class__"] in SCALARS)


def read_array(name: str, content: bytes, *, is_scalar: bool = False) -> np.ndarray:
    """Read an array in NumPy's format, without believing its header.

    Parameters
    ----------
    name : str
        What an error calls it.
    content : bytes
        The file.
    is_scalar : bool, default=False
        Whether it is to be a single number.

    Returns
    -------
    ndarray
        A view of the content.

    Raises
    ------
    ValueError
        If it is of another size than its header says, holds objects, or is of no plain dtype.
    """
    start = _start_of_array(name, content)
    shape, is_fortran, dtype = _read_header(content[:start])
    if dtype.hasobject:
        raise ValueError(f"{name} holds objects, and is read with allow_pickle=False")
    if dtype.names != TREE_NODE_FIELDS and dtype.kind not in "fiubU":
        raise ValueError(f"{name} has the dtype {dtype}")
    if dtype.kind not in "VU" and not dtype.isnative:
        raise ValueError(f"{name} has another byte order")
    if is_scalar and shape != ():
        raise ValueError(f"{name} is no single number")
    count = math.prod(shape)
    if any(length < 0 for length in shape) or len(content) - start != count * dtype.itemsize:
        raise ValueError(f"{name} is of another size than it says")
    array = np.frombuffer(content, dtype, count, offset=start) if count else np.empty(0, dtype)
    return array.reshape(shape, order="F" if is_fortran else "C")


def _start_of_array(name: str, content: bytes) -> int:
    """Return where the header of an array's file ends."""
    if content[:6] != np.lib.format.MAGIC_PREFIX:
        raise ValueError(f"{name} is no array, but may be a file containing pickled data")
    n_bytes = LENGTH_BYTES.get(content[6:8])
    if n_bytes is None:
        raise ValueError(f"{name} has a format that skasd.save does not write")
    return 8 + n_bytes + int.from_bytes(content[8 : 8 + n_bytes], "little")


@lru_cache(maxsize=256)
def _read_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Return shape, order and dtype: many arrays of a detector are of one shape."""
    file = io.BytesIO(header)
    if np.lib.format.read_magic(file) == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)
