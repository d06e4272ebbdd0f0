"""The container of a model file: a header line with a digest, and the archive.

The header is ``skasd-model 1 <SHA-256 of the rest, in hexadecimal>`` and a newline. What follows is
the zip archive of skops, with ``skasd.json`` added to its members. The digest reveals any lost or
changed byte before the archive is opened.
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
    """Write a model file, completely or not at all.

    Parameters
    ----------
    path : str or PathLike
        The file.
    archive : bytes
        The archive to put into it.

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
    """Read the archive in a model file, after verifying that it is what was written.

    Parameters
    ----------
    path : str or PathLike
        The file.

    Returns
    -------
    bytes
        The archive.

    Raises
    ------
    ModelFileError
        If the file is not a model file of skasd, is of a later format, or is damaged.
    OSError
        If the file cannot be read.
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
        "is not a model file of skasd, or is damaged at its start",
        "Pass a file that skasd.save or skasd fit has written.",
    )
