"""Checks of the trees of an isolation forest, which scikit-learn follows without bounds checks."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

from skasd._sklearn import TREE_NODE_FIELDS

TREE = "sklearn.tree._tree.Tree"
"""The compiled type, which skops does not trust by default."""


def check_tree_node(
    node: dict[str, Any],
    resolve: Callable[[dict[str, Any]], dict[str, Any]],
    read: Callable[[dict[str, Any]], np.ndarray],
) -> None:
    """Check the description of a tree, before scikit-learn makes one of it.

    Parameters
    ----------
    node : dict
        Description by skops.
    resolve : callable
        Returns the description that counts, of an object that is described twice.
    read : callable
        Returns the array that a description names.

    Raises
    ------
    ValueError
        If there are not as many nodes as it says, or it is no tree of an isolation forest.
    """
    n_features, n_classes, n_outputs = map(resolve, resolve(node["__reduce__"]["args"])["content"])
    state = {name: resolve(each) for name, each in resolve(node["content"])["content"].items()}
    numbers = [json.loads(each["content"]) for each in (n_features, n_outputs, state["node_count"])]
    _require(all(type(each) is int and each > 0 for each in numbers), "the numbers of a tree")
    _require(read(n_classes).tolist() == [1] and numbers[1] == 1, "the outputs of a tree")
    nodes = read(state["nodes"])
    _require(nodes.shape == (numbers[2],) and nodes.dtype.names == TREE_NODE_FIELDS, "the nodes")
    _require(read(state["values"]).shape == (numbers[2], 1, 1), "the values of a tree")


def check_forest(forest: IsolationForest) -> None:
    """Check every tree of an isolation forest.

    Parameters
    ----------
    forest : fitted IsolationForest
        The forest.

    Raises
    ------
    ValueError
        If following a tree could leave its arrays or never end, or a forest's arrays do not fit
        its trees.
    """
    parts = (
        forest.estimators_,
        forest.estimators_features_,
        forest._decision_path_lengths,
        forest._average_path_length_per_tree,
    )
    for estimator, features, *lengths in zip(*parts, strict=True):
        features = np.asarray(features)
        _require(features.dtype.kind == "i" and features.ndim == 1, "the indices of features")
        inside = (features >= 0) & (features < forest.n_features_in_)
        _require(inside.all(), "the indices of features")
        _check_tree(estimator.tree_, n_features=len(features))
        for length in lengths:
            has_all = np.shape(length) == (estimator.tree_.node_count,)
            _require(has_all and np.isfinite(length).all(), "the lengths of paths")
    _require(np.isfinite(forest.offset_), "offset_")


def _check_tree(tree: Any, n_features: int) -> None:
    n_nodes = tree.node_count
    left, right = tree.children_left, tree.children_right
    _require(n_nodes == len(left) > 0 and tree.n_features == n_features, "the size of a tree")
    inner = np.flatnonzero((left != -1) | (right != -1))
    for children in (left[inner], right[inner]):
        # Trees are stored depth first, so whatever follows one only goes forward.
        _require(((children > inner) & (children < n_nodes)).all(), "the children of a node")
    feature = tree.feature[inner]
    _require(((feature >= 0) & (feature < n_features)).all(), "the feature of a node")
    _require(np.isfinite(tree.threshold[inner]).all(), "the threshold of a node")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"{what} of an isolation forest cannot be right")
