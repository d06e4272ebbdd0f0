"""What a network that others have trained leaves in a fitted transformer: its fingerprint."""

import os
import re
from abc import abstractmethod
from pathlib import PurePath
from typing import ClassVar

from skasd._utils.fitted import Text
from skasd.exceptions import WeightsError


class PretrainedMixin:
    """Mixin of transformers whose network is in a file, and never in a pickle or model file."""

    cache: str | os.PathLike[str] | None
    weights_digest_: str

    _file_parameter: ClassVar[str] = "weights"

    _fitted_digest: ClassVar[dict[str, Text]] = {"weights_digest_": Text()}

    @abstractmethod
    def _has_weights(self) -> bool:
        """Tell whether the weights are on this machine."""

    def _check_digest(self) -> None:
        """Refuse what no fit has left as a digest."""
        if not re.fullmatch("[0-9a-f]{64}", self.weights_digest_):
            raise ValueError(f"weights_digest_ is {self.weights_digest_!r:.80}")

    def _forget_places(self) -> None:
        """Keep no place of the machine where it was fitted, but the name of the file."""
        file = getattr(self, self._file_parameter)
        setattr(self, self._file_parameter, "auto" if file == "auto" else PurePath(file).name)
        self.cache = None if self.cache is None else "auto"

    def _require_digest(self, digest: str) -> None:
        """Refuse other weights than those of the fit."""
        if digest != self.weights_digest_:
            raise WeightsError(
                type(self).__name__,
                f"was fitted with weights of the digest {self.weights_digest_[:12]}…, and those at "
                f"hand have {digest[:12]}…, so that its scores would mean nothing",
                "Provide the weights of then, or fit again.",
            )
