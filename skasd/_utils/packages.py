"""Packages that may be absent where a detector needs none of them."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needed_for(what: str) -> Iterator[None]:
    """Say what a package is needed for that cannot be imported in the context.

    Parameters
    ----------
    what : str
        What needs it, such as the name of a transformer.

    Raises
    ------
    ImportError
        With the package's name, and how it is installed.

    Examples
    --------
    >>> from skasd._utils.packages import needed_for
    >>> with needed_for("OpenL3Embedding"):
    ...     import no_such_package
    Traceback (most recent call last):
    ImportError: OpenL3Embedding needs no_such_package: pip install no_such_package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).partition(".")[0]
        message = f"{what} needs {package}: pip install {package}."
        raise ImportError(message, name=package) from error
