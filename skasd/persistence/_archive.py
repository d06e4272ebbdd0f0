"""The archive in a model file: a zip file whose members are read within bounds."""

import io
import zipfile
import zlib
from collections.abc import Mapping

MOST_BYTES = 2**32
"""Of all members together, unpacked: 4 GiB."""

FREE_BYTES, MOST_FACTOR = 2**26, 32
"""Members may be 64 MiB unpacked, or so many times the size of the file if that is more."""

MOST_MEMBERS = 100_000

COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""What `skasd.save` writes, and versions before it."""

WORTHWHILE = 0.9
"""A member that deflating shrinks to more than this share is stored: inflating takes time."""


def unpack(archive: bytes) -> dict[str, bytes]:
    """Unpack an archive, after checking what it says of its members.

    Parameters
    ----------
    archive : bytes
        The archive.

    Returns
    -------
    dict of str to bytes
        Members by name.

    Raises
    ------
    ValueError
        If it has more members, or more bytes in them, than an archive of this size may have, is
        compressed in another way than `skasd.save` does, has two members of one name, or a member
        is of another size than it says.
    zipfile.BadZipFile
        If it is no archive, or damaged.

    Examples
    --------
    >>> from skasd.persistence._archive import pack, unpack
    >>> unpack(pack({"schema.json": b"{}"}))
    {'schema.json': b'{}'}
    """
    members = {}
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        listed = file.infolist()
        if len(listed) > MOST_MEMBERS:
            raise ValueError(f"it has {len(listed)} members, and may have {MOST_MEMBERS}")
        check_size(sum(each.file_size for each in listed), len(archive))
        for each in listed:
            if each.compress_type not in COMPRESSIONS or each.flag_bits & 1:
                raise ValueError(f"{each.filename!r:.80} is compressed as skasd.save does not")
            if each.filename in members:
                raise ValueError(f"it has {each.filename!r:.80} twice")
            with file.open(each) as member:
                # A member may hold more than it says, and this reads no more than that.
                content = member.read(each.file_size)
                if len(content) != each.file_size or member.read(1):
                    raise ValueError(f"{each.filename!r:.80} is of another size than it says")
            members[each.filename] = content
    return members


def pack(members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Put members into an archive.

    Parameters
    ----------
    members : mapping of str to bytes
        Members by name.
    compression : int, default=ZIP_STORED
        One of `COMPRESSIONS`. With ``ZIP_DEFLATED``, members that it would hardly shrink are
        stored.

    Returns
    -------
    bytes
        The archive.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            hardly = compression == zipfile.ZIP_DEFLATED and (
                len(zlib.compress(content)) > WORTHWHILE * len(content)
            )
            file.writestr(name, content, zipfile.ZIP_STORED if hardly else compression)
    return buffer.getvalue()


def check_size(n_bytes: int, archive_size: int) -> None:
    """Refuse more bytes than an archive of some size may hold.

    Parameters
    ----------
    n_bytes : int
        How many there are, unpacked.
    archive_size : int
        Size of the archive.

    Raises
    ------
    ValueError
        If there are more.
    """
    most = min(MOST_BYTES, max(FREE_BYTES, MOST_FACTOR * archive_size))
    if n_bytes > most:
        raise ValueError(f"it holds {n_bytes} bytes, and a file of its size may hold {most}")
