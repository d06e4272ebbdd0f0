"""Save and load fitted detectors."""

import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skasd._steps import Detector, best_of, check_detector
from skasd.ensemble._fleet_detector import FleetDetector
from skasd.exceptions import ModelFileError, ModelVersionWarning
from skasd.features._pretrained import PretrainedMixin
from skasd.persistence._archive import pack, unpack
from skasd.persistence._check_input import make_check_input
from skasd.persistence._container import as_key, read_archive, write_archive
from skasd.persistence._fleet_folder import load_fleet, save_fleet
from skasd.persistence._model_info import ModelInfo, installed_versions
from skasd.persistence._schema import Schema
from skasd.persistence._short_schema import shorten
from skasd.persistence._state import as_saved, check_state, estimators_in, forget_places
from skasd.persistence._trust import trusted_names, trusted_objects

_MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Exceptions that skops, zipfile, NumPy and scoring raise for what `save` has not written."""

CHECK_TOLERANCE, SAME_VERSIONS_TOLERANCE = 1e-6, 1e-3
"""Of the scores of noise. If versions are the same, only processors and threads may differ."""


def save(
    detector: BaseEstimator, path: str | os.PathLike, *, key: bytes | str | None = None
) -> None:
    """Save a fitted detector to a file, or a fleet to a folder, that is safe to share.

    Parameters
    ----------
    detector : fitted detector, pipeline that ends with one, search, or FleetDetector
        A detector that holds only estimators whose content `load` can check: those of skasd, and
        those of scikit-learn in the notes. If it is a search, its best detector is saved.
    path : str or PathLike
        The file, ``.skasd`` by custom. An existing file is replaced once the new one is whole.
        For a fleet the folder, made if it is missing: a file for each machine, and
        ``fleet.json``, all of them or none. A fleet that was loaded from there writes those
        machines alone that were fitted since.
    key : bytes, str or None, default=None
        Secret by which `load` can tell that the file was saved by someone who has it
        (HMAC-SHA-256). None leaves a digest, which tells that nothing was damaged, and not who
        wrote the file.

    Raises
    ------
    NotFittedError
        If the detector is not fitted.
    TypeError
        If `detector` is not a detector, or holds something that `load` would refuse.
    ValueError
        If something in the detector is out of range, or it is too large for `load`, or a machine's
        label is no file name, or differs from another only in upper and lower case.
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

    Of scikit-learn, a detector may hold `Pipeline`, `FeatureUnion` and `FrozenEstimator`;
    `OneClassSVM`, `IsolationForest`, `EllipticEnvelope`, `GaussianMixture`, and
    `LocalOutlierFactor` and `NearestNeighbors` with ``algorithm="brute"``; `PCA`, the scalers,
    `Normalizer`, `PowerTransformer` and `QuantileTransformer`. For others use joblib, for files
    that nobody else can write.

    Networks and folders are not saved: an `OpenL3Embedding` or `ONNXEncoder` is loaded with the
    name of its weights alone, and with the cache of the user who loads it.

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
    key = as_key(key)
    if isinstance(detector, FleetDetector):
        save_fleet(detector, path, _save, key)
    else:
        _save(detector, path, key)


def _save(detector: BaseEstimator, path: str | os.PathLike, key: bytes | None) -> str:
    """Save a detector; return the digest of the file's archive."""
    import skops.io

    check_detector(detector)
    detector = best_of(detector)
    with as_saved(detector):
        members = unpack(skops.io.dumps(detector))
    foreign = Schema(members).foreign
    if foreign:
        raise TypeError(
            f"The detector holds {', '.join(sorted(foreign))}, which skasd.load would refuse: it "
            "trusts only types whose content it can check. Save it with joblib.dump instead, in a "
            "file that nobody else can write."
        )
    check_state(detector)
    info = ModelInfo.of(detector, detector.score_samples(make_check_input(detector)))
    members["schema.json"] = shorten(members["schema.json"])
    members["skasd.json"] = info.to_json().encode()
    archive = pack(members, zipfile.ZIP_DEFLATED)
    # What a loader would refuse is better refused here.
    ModelInfo.from_json(members["skasd.json"])
    Schema(unpack(archive), len(archive))
    return write_archive(path, archive, key)


def load(path: str | os.PathLike[str], *, key: bytes | str | None = None) -> Detector:
    """Load a detector that `save` or ``skasd fit`` has written.

    Parameters
    ----------
    path : str or PathLike
        The file, or a fleet's folder.
    key : bytes, str or None, default=None
        The key that it was saved with. With it, a file by someone who does not have the key is
        refused; a file that was saved with a key is refused without it.

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
        A ValueError: if the file is damaged, of a later format, a pickle, was not saved with `key`,
        is larger than the bounds in the notes, or holds a type whose content cannot be checked, a
        parameter or an array that cannot be right, or a detector that cannot score. No code in
        the file ever runs.
    OSError
        If the file cannot be read.

    Warns
    -----
    ModelVersionWarning
        If the detector's scores of noise are not those that it had when it was saved: by more than
        a relative 1e-6 if the installed versions differ, 1e-3 if not. Noise is not scored by
        an encoder unless versions differ and its weights are on this machine. Or if a package that
        scoring needs is not installed.

    See Also
    --------
    save : Saves the detector.

    Notes
    -----
    The file is all that is read, and nothing is written or downloaded.

    Bounds are read before anything is unpacked: 2 GiB for a file, 100,000 members, of 64 MiB in all
    or 32 times the file's size if that is more, at most 4 GiB. It may hold 200,000 lists, numbers,
    arrays and estimators, 60 inside of each other, and 12 estimators inside of each other. An
    ensemble of five isolation forests of 500 trees is within.

    What the digest and these checks cannot tell: who wrote the file, unless there is a `key`. A
    stranger's detector can call every clip normal.

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
    key = as_key(key)
    if os.path.isdir(path):
        return load_fleet(path, _load, key)
    return _load(path, key)


def _load(
    path: str | os.PathLike[str], key: bytes | None = None, digest: str | None = None
) -> Detector:
    """Load the detector in a file, whose archive must have the digest if there is one."""
    import skops.io

    archive = read_archive(path, key, digest=digest)
    try:
        members = unpack(archive)
        info = ModelInfo.from_json(members["skasd.json"])
        schema = Schema(members, len(archive))
        foreign = sorted(schema.foreign)
        kind = trusted_objects().get(schema.root_name)
        # A frozen estimator has what it holds, once it holds that.
        if kind is not FrozenEstimator and not hasattr(kind, "score_samples"):
            foreign.insert(0, f"{schema.root_name.rpartition('.')[2]}, which is not a detector")
        if foreign:
            raise TypeError(f"it holds {'; '.join(foreign)}: it is not trusted")
        with warnings.catch_warnings():
            # Differing versions are judged by the scores, below.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            # It reads what was checked: no two members of the archive have one name.
            trusted = schema.names.intersection(trusted_names())
            detector = skops.io.loads(archive, trusted=sorted(trusted))
        check_state(detector)
        check_is_fitted(detector)
        forget_places(detector)
        change = _change_of_scores(detector, info)
    except _MALFORMED as error:
        raise ModelFileError(
            os.fspath(path),
            f"cannot be loaded: {type(error).__name__}: {error}",
            "skasd.save does not write such files. Do not use it unless you know where it is from.",
        ) from error
    if change is not None:
        warnings.warn(change, ModelVersionWarning, stacklevel=3)
    return detector


def read_info(path: str | os.PathLike, *, key: bytes | str | None = None) -> ModelInfo:
    """Read the description of a detector from a model file, without loading the detector.

    Parameters
    ----------
    path : str or PathLike
        The file.
    key : bytes, str or None, default=None
        The key that it was saved with. None does not ask who wrote the file.

    Returns
    -------
    ModelInfo
        The description.

    Raises
    ------
    ModelFileError
        If the file is damaged, of a later format, a pickle, or was not saved with `key`.
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
    archive = read_archive(path, as_key(key), needs_key=False)
    try:
        return ModelInfo.from_json(unpack(archive)["skasd.json"])
    except _MALFORMED as error:
        raise ModelFileError(
            os.fspath(path), f"says nothing about itself: {error}", "It was not written by skasd."
        ) from error


def _change_of_scores(detector: BaseEstimator, info: ModelInfo) -> str | None:
    """Say how scores have changed since the detector was saved; None if not by what matters."""
    installed = installed_versions()
    differing = ", ".join(
        f"{name} {version} (here {installed.get(name, 'not installed')})"
        for name, version in info.versions.items()
        if installed.get(name) != version
    )
    embeddings = [each for each in estimators_in(detector) if isinstance(each, PretrainedMixin)]
    noise = make_check_input(detector)
    if embeddings and not differing:
        return None
    if not all(embedding._has_weights() for embedding in embeddings):
        return (
            f"The detector was saved with {differing}. Whether that matters is not known: an "
            "encoder's weights are not on this machine."
        )
    try:
        with _without_cache(embeddings):
            scores = detector.score_samples(noise)
    except ImportError as error:
        return (
            f"The detector was saved with {differing}. Whether that matters is not known: {error}"
        )
    if not np.isfinite(scores).all():
        raise ValueError(f"its scores of noise are {scores.tolist()}")
    expected = np.array(info.check_scores)
    if scores.shape != expected.shape:
        raise ValueError(f"it has {len(scores)} scores of noise, and says {len(expected)}")
    tolerance = CHECK_TOLERANCE if differing else SAME_VERSIONS_TOLERANCE
    if np.allclose(scores, expected, rtol=tolerance, atol=tolerance):
        return None
    scored = f"noise that had the scores {info.check_scores} has {scores.tolist()}"
    if differing:
        return (
            f"The detector was saved with {differing}, and scores differ here: {scored}. Install "
            "those versions, or fit again."
        )
    return f"The detector's scores differ from those that it was saved with: {scored}. Fit again."


@contextmanager
def _without_cache(embeddings: list[PretrainedMixin]) -> Iterator[None]:
    """Keep embeddings of the noise out of the cache."""
    caches = [embedding.cache for embedding in embeddings]
    try:
        for embedding in embeddings:
            embedding.cache = None
        yield
    finally:
        for embedding, cache in zip(embeddings, caches, strict=True):
            embedding.cache = cache
