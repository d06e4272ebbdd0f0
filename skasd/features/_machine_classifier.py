"""Training that is common to embeddings that tell machines apart."""

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Tags, check_consistent_length, check_random_state, column_or_1d

from skasd._sklearn import Interval, StrOptions
from skasd._utils.fitted import Array, ListOf, Number, Part


class MachineClassifierMixin:
    """Mixin of embeddings: parameters of the training, the training, and the standardization."""

    loss: str
    scale: float
    margin: float
    n_subclusters: int
    mixup: float
    epochs: int
    batch_size: int
    learning_rate: float
    random_state: int | np.random.RandomState | None
    verbose: int

    _constraints_of_training: ClassVar[dict[str, list[Any]]] = {
        "embedding_size": [Interval(Integral, 1, None, closed="left")],
        "loss": [StrOptions({"arcface", "adacos"})],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "margin": [Interval(Real, 0, np.pi, closed="left")],
        # With one direction for each of two machines, the fixed scale would be 0.
        "n_subclusters": [Interval(Integral, 2, None, closed="left")],
        "mixup": [Interval(Real, 0, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _fitted_in_training: ClassVar[dict[str, Part]] = {
        "mean_": Array(("n_features_in_",)),
        "scale_": Array(("n_features_in_",), above=0),
        "loss_curve_": ListOf(Number()),
    }

    def _train(
        self,
        clips: Sequence[np.ndarray],
        y: ArrayLike,
        make_layers: Callable[[np.random.RandomState], list[Any]],
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Train a network on clips (n_frames, n_bands); return its layers' weights and biases."""
        if y is None:
            name = type(self).__name__
            raise ValueError(f"{name} needs y: the machine that each clip comes from.")
        check_consistent_length(clips, y)
        classes, indices = np.unique(column_or_1d(y), return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y names only one machine, {classes[0]!r}, so there is nothing to tell it from. "
                "Pass clips of other machines as well."
            )
        random_state = check_random_state(self.random_state)

        from skasd.features._training.losses import angular_margin_loss, sub_cluster_adacos_loss
        from skasd.features._training.machine_classifier import (
            MixedClips,
            train_machine_classifier,
        )

        frames = np.concatenate(clips)
        self.mean_ = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        scale = self._deviation(frames).astype(np.float32)
        self.scale_ = np.where(scale > 0, scale, np.float32(1))
        batches = MixedClips(
            [self._standardize(clip) for clip in clips],
            indices,
            batch_size=self.batch_size,
            mixup=self.mixup,
            random_state=random_state,
        )
        if self.loss == "adacos":
            n_subclusters = self.n_subclusters
            loss = sub_cluster_adacos_loss(len(classes), n_subclusters)
        else:
            n_subclusters = 1
            loss = angular_margin_loss(scale=self.scale, margin=self.margin)
        weights, self.loss_curve_ = train_machine_classifier(
            batches,
            make_layers,
            loss=loss,
            n_subclusters=n_subclusters,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            random_state=random_state,
            verbose=self.verbose,
        )
        self.classes_ = classes
        return weights

    def _deviation(self, frames: np.ndarray) -> np.ndarray:
        """Return the numbers by which the centered bands (n_frames, n_bands) are divided."""
        return frames.std(axis=0, dtype=np.float64)

    def _standardize(self, frames: np.ndarray) -> np.ndarray:
        return (frames - self.mean_) / self.scale_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()  # type: ignore[misc]  # that of the transformer
        tags.target_tags.required = True
        return tags
