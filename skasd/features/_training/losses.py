"""Losses on the cosines between embeddings and the directions of classes."""

import math
from collections.abc import Callable
from typing import Any

from skasd.features._training.backend import import_keras

Loss = Callable[[Any, Any], Any]
"""Shares of the classes (batch, n_classes) and cosines (batch, n_directions) → (batch,)."""


def angular_margin_loss(*, scale: float, margin: float) -> Loss:
    """Return the loss of ArcFace (Deng et al. 2019, equation 3), with one direction for each class.

    Parameters
    ----------
    scale : float
        Factor of the cosines.
    margin : float
        Added to the angle of the clip's own class, in radians.

    Returns
    -------
    callable
    """
    ops = import_keras().ops

    def loss(target: Any, cosine: Any) -> Any:
        angle = ops.arccos(ops.clip(cosine, -1 + 1e-6, 1 - 1e-6))
        logits = scale * ops.cos(ops.minimum(angle + margin * target, math.pi))
        return ops.categorical_crossentropy(target, logits, from_logits=True)

    return loss


def sub_cluster_adacos_loss(n_classes: int, n_subclusters: int) -> Loss:
    """Return the loss of sub-cluster AdaCos (Wilkinghoff 2021) with its fixed scale.

    Parameters
    ----------
    n_classes : int
        Number of classes.
    n_subclusters : int
        Directions of each class, next to each other. Their probabilities are added.

    Returns
    -------
    callable
    """
    ops = import_keras().ops
    scale = fixed_scale(n_classes * n_subclusters)

    def loss(target: Any, cosine: Any) -> Any:
        logits = ops.reshape(scale * cosine, (-1, n_classes, n_subclusters))
        logits = ops.logsumexp(logits, axis=2)
        return ops.categorical_crossentropy(target, logits, from_logits=True)

    return loss


def fixed_scale(n_directions: int) -> float:
    """Return the scale of AdaCos (Zhang et al. 2019): √2 ln(n_directions - 1)."""
    return math.sqrt(2) * math.log(n_directions - 1)
