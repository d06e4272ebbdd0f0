"""Downloads that are either complete and verified, or absent."""

import hashlib
from collections.abc import Callable
from io import BufferedIOBase, BytesIO
from pathlib import Path

from skasd._utils.files import write_whole

TIMEOUT = 60
"""Seconds for which a server may be silent."""


class DownloadError(Exception):
    """A file that cannot be downloaded, or is not the expected one.

    Parameters
    ----------
    url : str
        The file, folder or argument.
    problem : str
        What is wrong.
    """

    def __init__(self, url: str, problem: str):
        super().__init__(url, problem)
        self.url = url
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.url}: {self.problem}"


def download(
    url: str,
    path: Path,
    *,
    digest: Callable[[BufferedIOBase], str],
    expected: str,
    most_bytes: int,
    verbose: int = 0,
) -> None:
    """Download a file unless it already exists, and name it only once it is verified.

    Parameters
    ----------
    url : str
        Address to download from, by HTTP.
    path : Path
        File to write. Its folder is created if it is missing.
    digest : callable
        Computes the digest of a file opened at its start: `md5`, `sha256` or `git_blob_id`.
    expected : str
        The expected digest.
    most_bytes : int
        What is taken from the server, which may send without end.
    verbose : int, default=0
        1 shows a progress bar.

    Raises
    ------
    DownloadError
        If the file cannot be downloaded, or is not the expected one.
    OSError
        If the file cannot be written.
    """
    if path.is_file():
        with open(path, "rb") as file:
            if digest(file) == expected:
                return
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(path) as file:
        _fetch(url, _Bounded(url, file, most_bytes), verbose)
        size = file.tell()
        file.seek(0)
        found = digest(file)
        if found != expected:
            raise DownloadError(
                url,
                f"is not the published file: {size} bytes with the {digest.__name__} {found}, "
                f"but {expected} is expected",
            )


def fetch_bytes(url: str, most_bytes: int) -> bytes:
    """Download what is small, such as a description of other files.

    Parameters
    ----------
    url : str
        Address to download from, by HTTP.
    most_bytes : int
        What is taken from the server, which may send without end.

    Returns
    -------
    bytes

    Raises
    ------
    DownloadError
        If it cannot be downloaded, or is longer.
    """
    file = BytesIO()
    _fetch(url, _Bounded(url, file, most_bytes), verbose=0)
    return file.getvalue()


class _Bounded:
    """A file that takes so many bytes and no more."""

    def __init__(self, url: str, file: BufferedIOBase | BytesIO, most_bytes: int):
        self.url = url
        self.flush = file.flush
        self._file = file
        self._most_bytes = most_bytes

    def write(self, content: bytes) -> None:
        """Write a block, or raise a DownloadError."""
        if self._file.tell() + len(content) > self._most_bytes:
            raise DownloadError(
                self.url, f"is not the published file: it has more than {self._most_bytes} bytes"
            )
        self._file.write(content)


def _fetch(url: str, file: _Bounded, verbose: int) -> None:
    import pooch
    from requests.exceptions import RequestException

    # Otherwise a server may declare a .gz file gzip-encoded, and requests would unpack it.
    headers = {"Accept-Encoding": "identity"}
    fetch = pooch.HTTPDownloader(
        progressbar=bool(verbose), chunk_size=1 << 20, timeout=TIMEOUT, headers=headers
    )
    try:
        fetch(url, file, None)
    except RequestException as error:
        raise DownloadError(url, f"cannot be downloaded: {error}") from error


def md5(file: BufferedIOBase) -> str:
    """Compute the MD5 digest of a file, which is what Zenodo publishes."""
    return hashlib.file_digest(file, "md5").hexdigest()


def sha256(file: BufferedIOBase) -> str:
    """Compute the SHA-256 digest of a file."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def git_blob_id(file: BufferedIOBase) -> str:
    """Compute the name that git gives a file's content.

    Parameters
    ----------
    file : binary file
        At its start.

    Returns
    -------
    str
        SHA-1, in hexadecimal.

    Examples
    --------
    >>> from io import BytesIO
    >>> from skasd._utils.download import git_blob_id
    >>> git_blob_id(BytesIO(b""))
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    content = file.read()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
