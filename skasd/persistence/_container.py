"""The outside of a model file: one line that says what follows, and the digest of that.

``skasd-model 1 <SHA-256 of the rest, in hexadecimal>``, a newline, and a zip archive: that of
skops, with ``skasd.json`` beside its members. Whatever byte is lost or changed, the file says so
before anything in it is looked at.
"""

import hashlib
import os
import re
from pathlib import Path

from skasd._utils.files import write_whole
from skasd.exceptions import ModelFileError

FORMAT = 1

_HEADER = re.compile(rb"skasd-model (\d{1,6}) ([0-9a-f]{64})\n")
_HEADER_SIZE = len(b"skasd-model 999999 \n") + 64
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


def write_archive(path: str | os.PathLike, archive: bytes) -> None:
    """Write a model file; the file is whole, or what it was.

    Parameters
    ----------
    path : str or PathLike
        The file.
    archive : bytes
        What the file holds.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    digest = hashlib.sha256(archive).hexdigest()
    with write_whole(Path(path)) as file:
        file.write(f"skasd-model {FORMAT} {digest}\n".encode())
        file.write(archive)


def read_archive(path: str | os.PathLike) -> bytes:
    """Read what a model file holds, once it is certain that this is what was written.

    Parameters
    ----------
    path : str or PathLike
        The file.

    Returns
    -------
    bytes

    Raises
    ------
    ModelFileError
        If the file is none of skasd's, or of a later format, or damaged.
    OSError
        If it cannot be read.
    """
    path = os.fspath(path)
    with open(path, "rb") as file:
        head = file.read(_HEADER_SIZE)
        header = _HEADER.match(head)
        if header is None:
            raise _foreign(path, head)
        archive = head[header.end() :] + file.read()
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
    return archive


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
        "is no model file of skasd, or damaged at its beginning",
        "Pass a file that skasd.save or skasd fit has written.",
    )
