"""The container of a model file: a header line with a digest, and the archive.

The header is ``skasd-model 1 <SHA-256 of the rest, in hexadecimal>`` and a newline. What follows is
the zip archive of skops, with ``skasd.json`` added to its members. The digest reveals any lost or
changed byte before the archive is opened. Anyone can compute it: who wrote the file, it does not
say. If the file was saved with a key, the digest is followed by a space and the HMAC-SHA-256 of
the rest under that key.
"""

import hashlib
import hmac
import os
import re
from pathlib import Path

from skasd._utils.files import read_at_most, write_whole
from skasd.exceptions import ModelFileError

FORMAT = 1

MOST_BYTES = 2**31
"""Of a file: 2 GiB."""

_HEADER = re.compile(rb"skasd-model (\d{1,6}) ([0-9a-f]{64})(?: ([0-9a-f]{64}))?\n")
_HEADER_SIZE = len(b"skasd-model 999999  \n") + 2 * 64
_FOREIGN = {
    b"\x80": "is a pickle",
    b"\x78": "is a compressed pickle, as joblib writes it",
    b"\x1f\x8b": "is a compressed pickle, as joblib writes it",
    b"BZ": "is a compressed pickle, as joblib writes it",
    b"\xfd7zXZ": "is a compressed pickle, as joblib writes it",
}
_PICKLE_REMEDY = (
    "Loading a pickle can run any code that its author put there. If you made it yourself, load it "
    "with joblib.load, and keep it with skasd.save"
)


def write_archive(path: str | os.PathLike, archive: bytes, key: bytes | None = None) -> str:
    """Write a model file, completely or not at all.

    Parameters
    ----------
    path : str or PathLike
        The file.
    archive : bytes
        The archive to put into it.
    key : bytes or None, default=None
        Secret by which a reader can tell who wrote it.

    Returns
    -------
    str
        Digest of the archive.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    digest = hashlib.sha256(archive).hexdigest()
    signature = "" if key is None else f" {keyed_digest(key, archive)}"
    with write_whole(Path(path)) as file:
        file.write(f"skasd-model {FORMAT} {digest}{signature}\n".encode())
        file.write(archive)
    return digest


def keyed_digest(key: bytes, content: bytes) -> str:
    """Return the HMAC-SHA-256 of some content under a key, in hexadecimal."""
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def as_key(key: str | bytes | None) -> bytes | None:
    """Return a key as bytes.

    Parameters
    ----------
    key : str, bytes or None
        What a user has passed; text is encoded as UTF-8.

    Returns
    -------
    bytes or None

    Raises
    ------
    TypeError
        If it is something else.
    ValueError
        If it is empty.
    """
    if key is None:
        return None
    if not isinstance(key, str | bytes):
        raise TypeError(f"key is {type(key).__name__}, and should be bytes or str.")
    if not key:
        raise ValueError("key is empty. Pass a secret, such as secrets.token_bytes(32).")
    return key.encode() if isinstance(key, str) else key


def read_archive(
    path: str | os.PathLike,
    key: bytes | None = None,
    *,
    digest: str | None = None,
    needs_key: bool = True,
) -> bytes:
    """Read the archive in a model file, after verifying that it is what was written.

    Parameters
    ----------
    path : str or PathLike
        The file.
    key : bytes or None, default=None
        The key that it was saved with.
    digest : str or None, default=None
        Digest that the archive must have; any if None.
    needs_key : bool, default=True
        Whether a file that was saved with a key is refused without it.

    Returns
    -------
    bytes
        The archive.

    Raises
    ------
    ModelFileError
        If the file is not a model file of skasd, is of a later format, is damaged, or was saved
        with another key, with one and none is given, or without one and one is given.
    OSError
        If the file cannot be read.
    """
    path = os.fspath(path)
    with open(path, "rb") as file:
        head = file.read(_HEADER_SIZE)
        header = _HEADER.match(head)
        if header is None:
            raise _foreign(path, head)
        if os.fstat(file.fileno()).st_size > MOST_BYTES:
            raise ModelFileError(
                path,
                f"is larger than {MOST_BYTES} bytes",
                "skasd.save does not write such files. Use joblib for a detector of this size.",
            )
        archive = read_at_most(file, MOST_BYTES, before=head[header.end() :])
    if int(header[1]) != FORMAT:
        raise ModelFileError(
            path,
            f"has the format {int(header[1])}, and this skasd reads {FORMAT}",
            "Install the version of skasd that wrote it, or a later one.",
        )
    if hashlib.sha256(archive).hexdigest().encode() != header[2]:
        raise ModelFileError(
            path,
            "is damaged: its content is not what was saved",
            "Copy it again, or save the detector again.",
        )
    if digest is not None and header[2] != digest.encode():
        raise ModelFileError(
            path,
            "is not the file that the fleet was saved with: fleet.json has another digest for it",
            "It was replaced, or belongs to another machine. Copy the folder again.",
        )
    _check_key(path, header, archive, key, needs_key)
    return archive


def _check_key(
    path: str, header: re.Match[bytes], archive: bytes, key: bytes | None, needs_key: bool
) -> None:
    if key is None:
        if needs_key and header[3] is not None:
            raise ModelFileError(
                path,
                "was saved with a key, and none is given to verify who wrote it",
                "Pass the key that it was saved with: key=, or --key.",
            )
        return
    if header[3] is None:
        raise ModelFileError(
            path,
            "was saved without a key, so that nothing says who wrote it",
            "Save it with a key, or load it without one if you know where it is from.",
        )
    if not hmac.compare_digest(keyed_digest(key, archive).encode(), header[3]):
        raise ModelFileError(
            path,
            "was saved with another key than the one that is given, or changed by someone without "
            "it",
            "Pass the key that it was saved with. If you did, do not use the file.",
        )


def _foreign(path: str, head: bytes) -> ModelFileError:
    if not head:
        return ModelFileError(path, "is empty", "Copy it again, or save the detector again.")
    if b"skasd-model 1 ".startswith(head[:14]):
        return ModelFileError(path, "is cut off", "Copy it again, or save the detector again.")
    for beginning, problem in _FOREIGN.items():
        if head.startswith(beginning):
            return ModelFileError(path, problem, f"{_PICKLE_REMEDY}.")
    return ModelFileError(
        path,
        "is not a model file of skasd, or is damaged at its start",
        "Pass a file that skasd.save or skasd fit has written.",
    )
