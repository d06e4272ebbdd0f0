"""Checks of the trees of an isolation forest, which scikit-learn follows without bounds checks."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

from skasd._steps import walk

TREE = "sklearn.tree._tree.Tree"
"""The compiled type, which skops does not trust by default."""


def check_trees(detector: Any, schema: bytes) -> None:
    """Check every tree in a file, and that each belongs to an isolation forest.

    Parameters
    ----------
    detector : fitted detector
        The detector that was loaded, or will be saved.
    schema : bytes
        Description by skops of the file's content, as JSON.

    Raises
    ------
    ValueError
        If following a tree could leave its arrays or never end, or a forest's arrays do not fit
        its trees.
    TypeError
        If there is a tree outside of an isolation forest.
    """
    n_trees = sum(node.get("__loader__") == "TreeNode" for node in _nodes(json.loads(schema)))
    forests = [step for _, step in walk(detector) if isinstance(step, IsolationForest)]
    if n_trees != sum(len(forest.estimators_) for forest in forests):
        raise TypeError(f"it holds {TREE} outside of IsolationForest, which cannot be checked")
    for forest in forests:
        _check_forest(forest)


def _nodes(state: Any) -> Iterator[dict[str, Any]]:
    pending = [state]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            yield each
            pending += each.values()
        elif isinstance(each, list):
            pending += each


def _check_forest(forest: IsolationForest) -> None:
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
