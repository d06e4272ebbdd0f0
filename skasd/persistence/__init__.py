"""Fitted detectors in files that are safe to share: loading one runs no foreign code.

`joblib` and `pickle` work as for any scikit-learn estimator, but only for files that nobody else
can write. Use this package for all other files.
"""

from skasd._utils.public_names import claim_names
from skasd.exceptions import ModelFileError, ModelVersionWarning
from skasd.persistence._model_file import load, read_info, save
from skasd.persistence._model_info import ModelInfo

__all__ = ["ModelFileError", "ModelInfo", "ModelVersionWarning", "load", "read_info", "save"]

claim_names(__name__)
