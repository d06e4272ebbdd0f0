import pickle

import pytest
from joblib import Parallel, delayed

import skasd
from skasd import audio, challenge, datasets, exceptions, features, monitoring, persistence

ERRORS = [getattr(exceptions, name) for name in exceptions.__all__ if name.endswith("Error")]


def fail(error, *arguments):
    raise error(*arguments)


@pytest.mark.parametrize("error", ERRORS)
def test_what_problem_and_remedy(error):
    with pytest.raises(exceptions.SkasdError) as caught:
        fail(error, "fan.wav", "is broken", "Mend it.")
    assert isinstance(caught.value, ValueError)
    assert (caught.value.what, caught.value.problem) == ("fan.wav", "is broken")
    assert caught.value.remedy == "Mend it."
    assert str(caught.value) == "fan.wav: is broken. Mend it."


@pytest.mark.parametrize("error", ERRORS)
def test_pickled(error):
    original = error("fan.wav", "is broken", "Mend it.")
    original.add_note("in the hall")
    copy = pickle.loads(pickle.dumps(original))
    assert type(copy) is error
    assert vars(copy) == vars(original)
    assert str(copy) == "fan.wav: is broken. Mend it."


def test_errors_of_workers():
    """A worker's error arrives with its class and attributes."""
    with pytest.raises(exceptions.AudioError) as caught:
        Parallel(n_jobs=2)(
            delayed(fail)(exceptions.AudioError, "fan.wav", str(i), "Mend it.") for i in range(2)
        )
    assert caught.value.what == "fan.wav"
    assert caught.value.problem in ("0", "1")
    assert caught.value.remedy == "Mend it."


def test_other_names_of_what():
    assert exceptions.AudioError("fan.wav", "is broken", "Mend it.").clip == "fan.wav"
    assert exceptions.ModelFileError("fan.skasd", "is broken", "Mend it.").path == "fan.skasd"


@pytest.mark.parametrize(
    ("room", "name"),
    [
        (skasd, "AudioError"),
        (audio, "AudioError"),
        (challenge, "EvaluationError"),
        (datasets, "DatasetError"),
        (features, "WeightsError"),
        (monitoring, "EventFileError"),
        (persistence, "ModelFileError"),
        (persistence, "ModelVersionWarning"),
    ],
)
def test_rooms_export_what_they_raise(room, name):
    assert name in room.__all__
    error = getattr(room, name)
    assert error is getattr(exceptions, name)
    assert error.__module__ == "skasd.exceptions"
