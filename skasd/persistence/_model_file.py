"""Save and load fitted detectors."""

import io
import os
import warnings
import zipfile
import zlib

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

from skasd._steps import Detector, best_of, check_detector
from skasd.ensemble._fleet_detector import FleetDetector
from skasd.exceptions import ModelFileError, ModelVersionWarning, WeightsError
from skasd.persistence._check_input import make_check_input
from skasd.persistence._container import read_archive, write_archive
from skasd.persistence._fleet_folder import load_fleet, save_fleet
from skasd.persistence._model_info import ModelInfo, installed_versions
from skasd.persistence._trees import check_trees
from skasd.persistence._trust import check_nodes, trusted_names

_MALFORMED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Exceptions that skops, zipfile and NumPy raise for an archive that none of them has written."""

CHECK_TOLERANCE = 1e-6


def save(detector: BaseEstimator, path: str | os.PathLike) -> None:
    """Save a fitted detector to a file, or a fleet to a folder, that is safe to share.

    Parameters
    ----------
    detector : fitted detector, pipeline that ends with one, search, or FleetDetector
        A detector that holds only estimators of skasd and scikit-learn, and NumPy arrays. If it is
        a search, its best detector is saved.
    path : str or PathLike
        The file, ``.skasd`` by custom. One that is there is replaced once the new one is whole.
        For a fleet the folder, made if it is missing: a file for each machine, and
        ``fleet.json``. A fleet that was loaded from there writes those machines alone that were
        fitted since.

    Raises
    ------
    NotFittedError
        If the detector is not fitted.
    TypeError
        If `detector` is not a detector, or holds something that `load` would refuse.
    ValueError
        If the labels of two machines of a fleet differ only in upper and lower case.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : Loads the detector.
    read_info : Reads the description of the detector.

    Notes
    -----
    The file consists of one line with a format number and a digest, followed by the skops archive:
    arrays, names of types, and `ModelInfo` as JSON.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import skasd
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> detector = skasd.GaussianMixtureDetector(random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skasd.save(detector, f"{folder}/machine.skasd")
    ...     loaded = skasd.load(f"{folder}/machine.skasd")
    >>> bool((loaded.score_samples(X) == detector.score_samples(X)).all())
    True
    """
    import skops.io

    if isinstance(detector, FleetDetector):
        save_fleet(detector, path, save)
        return
    check_detector(detector)
    detector = best_of(detector)
    info = ModelInfo.of(detector, detector.score_samples(make_check_input(detector)))
    archive = skops.io.dumps(detector, compression=zipfile.ZIP_DEFLATED)
    foreign = set(skops.io.get_untrusted_types(data=archive)) - trusted_names()
    if foreign:
        raise TypeError(
            f"The detector holds {', '.join(sorted(foreign))}, which skasd.load would refuse: it "
            "trusts only the types of skasd, scikit-learn and NumPy. Save it with joblib.dump "
            "instead, in a file that nobody else can write."
        )
    buffer = io.BytesIO(archive)
    with zipfile.ZipFile(buffer, "a") as members:
        check_trees(detector, members.read("schema.json"))
        members.writestr("skasd.json", info.to_json())
    write_archive(path, buffer.getvalue())


def load(path: str | os.PathLike[str]) -> Detector:
    """Load a detector that `save` or ``skasd fit`` has written.

    Parameters
    ----------
    path : str or PathLike
        The file, or a fleet's folder.

    Returns
    -------
    fitted detector
        A detector with the same scores as the one that was saved. Each detector of a fleet is
        loaded when its machine is first scored, the 64 most recently used ones stay loaded, and a
        damaged file affects only its own machine. The fleet has no `estimator`, which `partial_fit`
        needs.

    Raises
    ------
    ModelFileError
        A ValueError: if the file is damaged, of a later format, a pickle, or holds a type that
        is neither skasd's nor scikit-learn's nor NumPy's. No code in the file ever runs.
    OSError
        If the file cannot be read.

    Warns
    -----
    ModelVersionWarning
        If the installed versions are not those that saved the detector, and its scores of noise
        have changed since by more than a relative 1e-6, or a package that scoring needs is not
        installed.

    See Also
    --------
    save : Saves the detector.

    Examples
    --------
    >>> import pickle, tempfile
    >>> from pathlib import Path
    >>> import skasd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "fan.skasd").write_bytes(pickle.dumps("a detector"))
    ...     skasd.load(Path(folder, "fan.skasd"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    skasd.exceptions.ModelFileError: ...fan.skasd: is a pickle. Loading a pickle can...
    """
    import skops.io

    if os.path.isdir(path):
        return load_fleet(path, load)
    archive = read_archive(path)
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as members:
            info = ModelInfo.from_json(members.read("skasd.json"))
            schema = members.read("schema.json")
            check_nodes(schema)
        with warnings.catch_warnings():
            # Differing versions are judged by the scores, below.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            detector = skops.io.loads(archive, trusted=sorted(trusted_names()))
        if not hasattr(detector, "score_samples"):
            raise TypeError(f"it holds {type(detector).__name__}, which is not a detector")
        check_is_fitted(detector)
        check_trees(detector, schema)
        change = _change_of_scores(detector, info)
    except _MALFORMED as error:
        raise ModelFileError(
            os.fspath(path),
            f"cannot be loaded: {type(error).__name__}: {error}",
            "skasd.save does not write such files. Do not use it unless you know where it is from.",
        ) from error
    if change is not None:
        warnings.warn(change, ModelVersionWarning, stacklevel=2)
    return detector


def read_info(path: str | os.PathLike) -> ModelInfo:
    """Read the description of a detector from a model file, without loading the detector.

    Parameters
    ----------
    path : str or PathLike
        The file.

    Returns
    -------
    ModelInfo
        The description.

    Raises
    ------
    ModelFileError
        If the file is damaged, of a later format, or a pickle.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import skasd
    >>> from skasd.persistence import read_info
    >>> detector = skasd.FeatureDetector().fit([[1.0], [2.0], [3.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skasd.save(detector, f"{folder}/machine.skasd")
    ...     info = read_info(f"{folder}/machine.skasd")
    >>> info.detector, info.n_clips, info.training_quantiles["0.5"]
    ('FeatureDetector', 3, 2.0)
    """
    archive = read_archive(path)
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as members:
            return ModelInfo.from_json(members.read("skasd.json"))
    except _MALFORMED as error:
        raise ModelFileError(
            os.fspath(path), f"says nothing about itself: {error}", "It was not written by skasd."
        ) from error


def _change_of_scores(detector: BaseEstimator, info: ModelInfo) -> str | None:
    """Say what has changed since the detector was saved; None if nothing that matters has."""
    installed = installed_versions()
    differing = ", ".join(
        f"{name} {version} (here {installed.get(name, 'not installed')})"
        for name, version in info.versions.items()
        if installed.get(name) != version
    )
    if not differing:
        return None
    try:
        scores = detector.score_samples(make_check_input(detector))
    except (WeightsError, ImportError) as error:
        return (
            f"The detector was saved with {differing}. Whether that matters is not known: {error}"
        )
    if np.allclose(scores, info.check_scores, rtol=CHECK_TOLERANCE, atol=CHECK_TOLERANCE):
        return None
    return (
        f"The detector was saved with {differing}, and scores differ here: noise that had the "
        f"scores {info.check_scores} has {scores.tolist()}. Install those versions, or fit again."
    )
