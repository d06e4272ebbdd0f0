"""Errors and warnings of skasd; every error says what is wrong and what to do about it."""

__all__ = [
    "AudioError",
    "CalibrationWarning",
    "DatasetError",
    "EvaluationError",
    "EventFileError",
    "ModelFileError",
    "ModelVersionWarning",
    "RecordingWarning",
    "SkasdError",
    "WeightsError",
]


class SkasdError(ValueError):
    """Input that skasd cannot work with. This is the base class of skasd's errors.

    Parameters
    ----------
    what : str
        The file, folder, machine or argument that is at fault.
    problem : str
        What is wrong with it.
    remedy : str
        What to do about it, in one or more sentences.

    Examples
    --------
    >>> from skasd.exceptions import SkasdError
    >>> try:
    ...     raise SkasdError("fan.wav", "holds no samples", "Record it again.")
    ... except SkasdError as error:
    ...     error.what, error.remedy
    ('fan.wav', 'Record it again.')
    """

    def __init__(self, what: str, problem: str, remedy: str):
        # All three become the exception's args, so that it can be pickled.
        super().__init__(what, problem, remedy)
        self.what = what
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}: {self.problem}. {self.remedy}"


class AudioError(SkasdError):
    """A clip that cannot be analyzed.

    Parameters
    ----------
    what : str
        The clip's path or, for an array, ``"clip "`` and its index.
    problem : str
        What is wrong with it.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> from skasd import AudioError
    >>> raise AudioError("fan.wav", "holds no samples", "Record it again.")
    Traceback (most recent call last):
    skasd.exceptions.AudioError: fan.wav: holds no samples. Record it again.
    """

    @property
    def clip(self) -> str:
        """The clip; another name for `what`."""
        return self.what


class DatasetError(SkasdError):
    """Recordings that are missing, have unexpected names, or cannot be fetched.

    Parameters
    ----------
    what : str
        The folder, file, URL or argument.
    problem : str
        What is wrong with it.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> from skasd.datasets._dcase import find_machines
    >>> find_machines("nowhere")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    skasd.exceptions.DatasetError: nowhere: no machine type has clips: there is no folder nowhere...
    """


class WeightsError(SkasdError):
    """Encoder weights that cannot be obtained, or are not the expected ones.

    Parameters
    ----------
    what : str
        The file, URL or argument.
    problem : str
        What is wrong with it.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> from skasd import OpenL3Embedding
    >>> OpenL3Embedding(weights="no.h5").fit([[0.0]])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    skasd.exceptions.WeightsError: weights='no.h5': there is no such file. Pass a file to...
    """


class EventFileError(SkasdError):
    """A file that events cannot be read from or appended to.

    Parameters
    ----------
    what : str
        The file.
    problem : str
        What is wrong with it.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> import tempfile
    >>> from skasd.monitoring import EventFile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with EventFile(f"{folder}/events.jsonl", {"source": "fan"}):
    ...         pass
    ...     with EventFile(f"{folder}/events.jsonl", {"source": "pump"}):  # doctest: +ELLIPSIS
    ...         pass
    Traceback (most recent call last):
    skasd.exceptions.EventFileError: ...source was fan, but is now pump. Pass another file.
    """


class EvaluationError(SkasdError):
    """An evaluation that cannot start because of its settings or its results folder.

    Parameters
    ----------
    what : str
        The folder or argument.
    problem : str
        What is wrong with it.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skasd.challenge import evaluate_dcase2020
    >>> with tempfile.TemporaryDirectory() as root:
    ...     Path(root, "fan", "train").mkdir(parents=True)
    ...     evaluate_dcase2020(root, "out", machines=["gearbox"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    skasd.exceptions.EvaluationError: machines=['gearbox']: DCASE 2020 has ToyCar, ToyConveyor...
    """


class ModelFileError(SkasdError):
    """A model file that cannot be loaded.

    Parameters
    ----------
    what : str
        The file.
    problem : str
        What is wrong with it.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> from skasd.persistence import ModelFileError
    >>> raise ModelFileError("fan.skasd", "is empty", "Copy it again.")
    Traceback (most recent call last):
    skasd.exceptions.ModelFileError: fan.skasd: is empty. Copy it again.
    """

    @property
    def path(self) -> str:
        """The file; another name for `what`."""
        return self.what


class ModelVersionWarning(UserWarning):
    """A model whose scores differ from those it had under the package versions that saved it.

    Examples
    --------
    >>> import tempfile, warnings
    >>> import skasd
    >>> from skasd.persistence import ModelVersionWarning
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
    ...     skasd.save(skasd.FeatureDetector().fit([[1.0], [2.0]]), f"{folder}/fan.skasd")
    ...     warnings.simplefilter("error", ModelVersionWarning)
    ...     detector = skasd.load(f"{folder}/fan.skasd")
    """


class CalibrationWarning(UserWarning):
    """A threshold whose false-alarm rate was not measured on enough held-out clips.

    Examples
    --------
    >>> import warnings
    >>> import skasd
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     detector = skasd.FeatureDetector().fit([[1.0], [2.0], [3.0]])
    >>> caught[0].category.__name__
    'CalibrationWarning'
    """


class RecordingWarning(UserWarning):
    """Clips that do not match the rest of a training set, or the training set of a detector.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from skasd import LogMelSpectrogram
    >>> clips = np.random.default_rng(0).normal(0, 0.1, size=(6, 16000))
    >>> clips[2] = 0
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     spectrograms = LogMelSpectrogram().fit_transform(clips)
    >>> print(caught[0].message)
    Of 6 clips to fit on:
    clip 2 is silent: no sample differs from the next. Leave it out; check the microphone.
    """
