"""Checks for transformers that take clips or spectrograms.

scikit-learn's `check_estimator` runs only one check on an estimator that does not take 2-D arrays.
This suite replaces it for such estimators: it checks parameters, `fit`, `transform`, seeds,
pickles, containers and pipelines.
"""

import copy
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from skasd.audio._reading import ASSUMED_RATE
from skasd.detection._feature_detector import FeatureDetector
from skasd.features._time_weighted_pooling import TimeWeightedPooling

__all__ = [
    "check_clip_transformer",
    "check_spectrogram_transformer",
    "clip_transformer_checks",
    "spectrogram_transformer_checks",
]

N_CLIPS, N_MELS = 6, 16


def check_clip_transformer(transformer: Any) -> None:
    """Check that a clip transformer does what pipelines, searches and skasd require.

    Parameters
    ----------
    transformer : transformer
        Takes clips, such as an instance of a subclass of `ClipTransformer`. It is cloned.

    Raises
    ------
    AssertionError
        If a check fails. The message names the check and says why.

    See Also
    --------
    clip_transformer_checks : The same checks one by one, for pytest.

    Examples
    --------
    >>> from skasd import LogMelSpectrogram
    >>> from skasd.utils.estimator_checks import check_clip_transformer
    >>> check_clip_transformer(LogMelSpectrogram(n_mels=16))
    """
    _run(clip_transformer_checks(transformer))


def check_spectrogram_transformer(transformer: Any) -> None:
    """Check that a spectrogram transformer does what pipelines, searches and skasd require.

    Parameters
    ----------
    transformer : transformer
        Takes spectrograms, such as an instance of a subclass of `SpectrogramTransformer`. It is
        cloned.

    Raises
    ------
    AssertionError
        If a check fails. The message names the check and says why.

    See Also
    --------
    spectrogram_transformer_checks : The same checks one by one, for pytest.

    Examples
    --------
    >>> from skasd import TimeWeightedPooling
    >>> from skasd.utils.estimator_checks import check_spectrogram_transformer
    >>> check_spectrogram_transformer(TimeWeightedPooling())
    """
    _run(spectrogram_transformer_checks(transformer))


def clip_transformer_checks(
    transformer: Any,
) -> Iterator[tuple[str, Callable[[], None]]]:  # numpydoc ignore=RT01
    """Yield the checks of a transformer of clips.

    Parameters
    ----------
    transformer : transformer
        Takes clips.

    Returns
    -------
    iterator of (str, callable)
        Name of each check, and the check itself. It takes no arguments and raises an
        AssertionError if the transformer does not pass.

    Examples
    --------
    >>> from skasd import LogMelSpectrogram
    >>> from skasd.utils.estimator_checks import clip_transformer_checks
    >>> checks = dict(clip_transformer_checks(LogMelSpectrogram(n_mels=16)))
    >>> checks["clone_and_parameters"]()
    """
    rate = getattr(transformer, "input_sample_rate", None) or ASSUMED_RATE
    shortest = getattr(transformer, "min_samples", 1) / getattr(transformer, "sample_rate", rate)
    n_samples = int(np.ceil(rate * max(0.25, 2 * shortest)))
    clips = np.random.default_rng(0).uniform(-0.5, 0.5, size=(N_CLIPS, n_samples))
    return _checks(transformer, clips)


def spectrogram_transformer_checks(
    transformer: Any,
) -> Iterator[tuple[str, Callable[[], None]]]:  # numpydoc ignore=RT01
    """Yield the checks of a transformer of spectrograms.

    Parameters
    ----------
    transformer : transformer
        Takes spectrograms.

    Returns
    -------
    iterator of (str, callable)
        Name of each check, and the check itself. It takes no arguments and raises an
        AssertionError if the transformer does not pass.

    Examples
    --------
    >>> from skasd import TimeWeightedPooling
    >>> from skasd.utils.estimator_checks import spectrogram_transformer_checks
    >>> checks = dict(spectrogram_transformer_checks(TimeWeightedPooling()))
    >>> checks["ragged_input"]()
    """
    n_frames = max(8, 2 * getattr(transformer, "min_frames", 1))
    rng = np.random.default_rng(0)
    levels = rng.normal(-40, 10, size=(N_CLIPS, n_frames, N_MELS)).astype(np.float32)
    return _checks(transformer, levels)


def _run(checks: Iterator[tuple[str, Callable[[], None]]]) -> None:
    for name, check in checks:
        try:
            check()
        except AssertionError as error:
            raise AssertionError(f"check_{name}: {error}") from error


def _checks(transformer: Any, X: np.ndarray) -> Iterator[tuple[str, Callable[[], None]]]:
    for check in CHECKS:
        name = check.__name__.removeprefix("_check_")
        yield name, partial(check, transformer, X)


def _labels(X: Any) -> list[str]:
    """Return labels for transformers that learn from them; others ignore them."""
    return [f"id_{i % 2:02}" for i in range(len(X))]


def _fit_transform(transformer: Any, X: Any) -> Any:
    return transformer.fit(X, _labels(X)).transform(X)


def _assert_equal(left: Any, right: Any, what: str) -> None:
    """Compare features or spectrograms clip by clip, bit for bit."""
    assert len(left) == len(right), f"{what}: {len(left)} and {len(right)} clips."
    for index, (one, other) in enumerate(zip(left, right, strict=True)):
        assert np.array_equal(one, other), f"{what}: clip {index} differs."


def _assert_raises(
    expected: type[Exception] | tuple[type[Exception], ...], function: Callable, *arguments: Any
) -> None:
    try:
        function(*arguments)
    except expected:
        return
    raise AssertionError(f"{function} of {arguments!r:.60} did not raise {expected}.")


def _check_clone_and_parameters(transformer: Any, X: np.ndarray) -> None:
    copied = clone(transformer)
    for parameter, value in copied.get_params(deep=False).items():
        copied.set_params(**{parameter: value})
        assert copied.get_params(deep=False)[parameter] is value, f"{parameter} is not kept."
    _assert_raises(ValueError, lambda: copied.set_params(no_such_parameter=1))


def _check_constructor_only_stores(transformer: Any, X: np.ndarray) -> None:
    stored, parameters = set(vars(clone(transformer))), set(transformer.get_params(deep=False))
    assert stored == parameters, f"It stores {stored ^ parameters} besides its parameters."


def _check_fit_keeps_parameters(transformer: Any, X: np.ndarray) -> None:
    transformer = clone(transformer)
    before = copy.deepcopy(transformer.get_params(deep=False))
    assert transformer.fit(X, _labels(X)) is transformer, "fit does not return the transformer."
    after = transformer.get_params(deep=False)
    assert repr(after) == repr(before), f"fit changes parameters from {before} to {after}."
    learned = {name for name in set(vars(transformer)) - set(before) if not name.endswith("_")}
    assert not learned, f"fit stores {learned}: the names of learned attributes end with _."


def _check_input_is_left_alone(transformer: Any, X: np.ndarray) -> None:
    copied = X.copy()
    copied.flags.writeable = False
    _fit_transform(clone(transformer), copied)
    _assert_equal(copied, X, "the input after transform")


def _check_fit_transform(transformer: Any, X: np.ndarray) -> None:
    at_once = clone(transformer).fit_transform(X, _labels(X))
    _assert_equal(at_once, _fit_transform(clone(transformer), X), "fit_transform")


def _check_refit_forgets(transformer: Any, X: np.ndarray) -> None:
    fitted, shorter = clone(transformer), X[:3, : X.shape[1] * 3 // 4]
    fitted.fit(shorter, _labels(shorter))
    _assert_equal(_fit_transform(fitted, X), _fit_transform(clone(transformer), X), "a second fit")


def _check_unfitted(transformer: Any, X: np.ndarray) -> None:
    unfitted = clone(transformer)
    if get_tags(unfitted).requires_fit:
        _assert_raises(NotFittedError, unfitted.transform, X)
    else:
        expected = _fit_transform(clone(transformer), X)
        _assert_equal(unfitted.transform(X), expected, "transform without a fit")


def _check_pickle(transformer: Any, X: np.ndarray) -> None:
    fitted = clone(transformer).fit(X, _labels(X))
    loaded = pickle.loads(pickle.dumps(fitted))
    _assert_equal(loaded.transform(X), fitted.transform(X), "a pickle's transform")


def _check_same_bits_in_threads(transformer: Any, X: np.ndarray) -> None:
    expected = _fit_transform(clone(transformer), X)
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda each: _fit_transform(clone(each), X), [transformer] * 4):
            _assert_equal(result, expected, "transform in a thread")


def _check_clips_do_not_influence_each_other(transformer: Any, X: np.ndarray) -> None:
    fitted = clone(transformer).fit(X, _labels(X))
    alone = [fitted.transform(X[i : i + 1])[0] for i in range(len(X))]
    _assert_equal(fitted.transform(X), alone, "clips one by one")


def _check_ragged_input(transformer: Any, X: np.ndarray) -> None:
    fitted = clone(transformer)
    ragged = [X[0], X[1, : len(X[1]) * 3 // 4], X[2]]
    result = _fit_transform(fitted, ragged)
    _assert_equal(fitted.transform(ragged[1:2]), result[1:2], "a shorter clip")


def _check_containers(transformer: Any, X: np.ndarray) -> None:
    objects = np.empty(len(X), dtype=object)
    objects[:] = list(X)
    expected = _fit_transform(clone(transformer), X)
    for container in (list(X), tuple(X), objects, X.astype(np.float32)):
        result = _fit_transform(clone(transformer), container)
        _assert_equal(result, expected, f"a {type(container).__name__}")


def _check_wrong_input(transformer: Any, X: np.ndarray) -> None:
    for wrong in ([], 3, None, "fan.wav", [None], [["a"]]):
        _assert_raises((ValueError, TypeError), clone(transformer).fit, wrong, ["id_00", "id_02"])


def _check_result(transformer: Any, X: np.ndarray) -> None:
    result = _fit_transform(clone(transformer), X)
    assert len(result) == len(X), f"{len(result)} results for {len(X)} clips."
    if isinstance(result, np.ndarray) and result.ndim == 2:
        assert result.dtype == np.float64, f"Features are {result.dtype}, not float64."
        return
    for spectrogram in result:
        assert np.ndim(spectrogram) == 2, f"A spectrogram has the shape {np.shape(spectrogram)}."
        assert spectrogram.dtype == np.float32, f"A spectrogram is {spectrogram.dtype}."


def _check_names_of_columns(transformer: Any, X: np.ndarray) -> None:
    if not hasattr(transformer, "get_feature_names_out"):
        return
    fitted = clone(transformer)
    result = _fit_transform(fitted, X)
    names = fitted.get_feature_names_out()
    assert len(set(names)) == len(names), "Two columns have the same name."
    n_columns = np.shape(result[0])[-1]
    assert n_columns == len(names), f"{n_columns} columns have {len(names)} names."


def _check_pipeline_and_union(transformer: Any, X: np.ndarray) -> None:
    branch = [("transformer", clone(transformer))]
    if np.ndim(_fit_transform(clone(transformer), X[:2])[0]) == 2:
        branch.append(("pooling", TimeWeightedPooling()))
    union = FeatureUnion([("branch", Pipeline(branch))])
    pipeline = Pipeline([("features", union), ("detector", FeatureDetector())])
    scores = pipeline.fit(X, _labels(X)).score_samples(X)
    assert scores.shape == (len(X),), f"A pipeline's scores have the shape {scores.shape}."
    assert np.isfinite(scores).all(), "A pipeline's scores are not finite."


CHECKS = (
    _check_clone_and_parameters,
    _check_constructor_only_stores,
    _check_fit_keeps_parameters,
    _check_input_is_left_alone,
    _check_fit_transform,
    _check_refit_forgets,
    _check_unfitted,
    _check_pickle,
    _check_same_bits_in_threads,
    _check_clips_do_not_influence_each_other,
    _check_ragged_input,
    _check_containers,
    _check_wrong_input,
    _check_result,
    _check_names_of_columns,
    _check_pipeline_and_union,
)
