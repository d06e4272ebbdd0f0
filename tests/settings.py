"""Ready systems with other settings than their factories take, such as networks that fit fast."""

import inspect


def make(factory, **settings):
    """Make a system; set what the factory does not take wherever a parameter has that name."""
    taken = {
        name: settings.pop(name) for name in inspect.signature(factory).parameters.keys() & settings
    }
    detector = factory(**taken)
    names = detector.get_params()
    for name, value in settings.items():
        found = [each for each in names if each == name or each.endswith(f"__{name}")]
        assert found, f"{factory.__name__}: nothing has a parameter {name}"
        detector.set_params(**dict.fromkeys(found, value))
    return detector
