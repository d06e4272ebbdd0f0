"""What transformers with a pretrained network have in common: fingerprint and cache."""

import os
import re
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import ClassVar

import numpy as np
from platformdirs import user_cache_path
from sklearn.utils import Tags

from skasd._utils.fitted import Text
from skasd.exceptions import WeightsError
from skasd.features._embedding_cache import EmbeddingCache


class PretrainedMixin:
    """Mixin of transformers whose network stays in its file, never in a pickle or model file."""

    cache: str | os.PathLike[str] | None
    weights_digest_: str

    _file_parameter: ClassVar[str] = "weights"
    _cache_name: ClassVar[str]
    """Name of the folder in the user's cache."""

    _fitted_digest: ClassVar[dict[str, Text]] = {"weights_digest_": Text()}

    @abstractmethod
    def _look_for_weights(self, *, may_download: bool) -> Path:
        """Return the weights file that the parameters describe, or raise a WeightsError."""

    def _find_weights(self, *, may_download: bool = True) -> Path:
        try:
            return self._look_for_weights(may_download=may_download)
        except WeightsError:
            # Weights that this process read earlier may be in any folder.
            path = _read_from.get(getattr(self, "weights_digest_", ""))
            if path is None or not path.is_file():
                raise
            return path

    def _has_weights(self) -> bool:
        """Tell whether the weights are on this machine."""
        try:
            self._find_weights(may_download=False)
        except WeightsError:
            return False
        return True

    def _check_fitted(self) -> None:
        """Refuse anything that cannot be a digest."""
        if not re.fullmatch("[0-9a-f]{64}", self.weights_digest_):
            raise ValueError(f"weights_digest_ is {self.weights_digest_!r:.80}")

    def _forget_places(self) -> None:
        """Forget the paths of the machine where it was fitted, except for the file's name."""
        file = getattr(self, self._file_parameter)
        setattr(self, self._file_parameter, "auto" if file == "auto" else PurePath(file).name)
        self.cache = None if self.cache is None else "auto"

    def _remember(
        self,
        data: np.ndarray,
        settings: tuple,
        shape: tuple[int, ...],
        compute: Callable[[], np.ndarray],
    ) -> np.ndarray:
        """Return a clip's embeddings from the disk, or compute them; see `EmbeddingCache.fetch`."""
        if self.cache is None:
            return compute()
        in_users_cache = user_cache_path("skasd") / self._cache_name
        folder = in_users_cache if self.cache == "auto" else self.cache
        return EmbeddingCache(folder).fetch(data, settings, shape, compute)

    def _require_digest(self, digest: str) -> None:
        """Refuse weights other than those of the fit."""
        if digest != self.weights_digest_:
            raise WeightsError(
                type(self).__name__,
                f"was fitted with weights of the digest {self.weights_digest_[:12]}…, but those "
                f"found here have the digest {digest[:12]}…, so its scores would mean nothing",
                "Provide the original weights, or fit again.",
            )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "weights_digest_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()  # type: ignore[misc]  # that of the transformer
        tags.requires_fit = True
        return tags


def remember_place(digest: str, path: Path) -> None:
    """Remember where the weights are that this process has read."""
    _read_from[digest] = path


_read_from: dict[str, Path] = {}
"""Digest → file."""
