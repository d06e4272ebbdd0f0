"""What the kinds of files have in common."""

import json
import random
import resource
from pathlib import Path
from typing import Any, ClassVar

import skasd
from skasd.exceptions import SkasdError

GOOD = ACCEPTED, REFUSED = "accepted", "refused"

Files = dict[str, bytes]
"""Contents by name in a folder."""


class MistakenError(Exception):
    """What no file may do: be taken for what it is not."""


class Kind:
    """Files of one kind: honest ones, changed ones, and what reads them.

    Parameters
    ----------
    folder : Path
        Where `prepare` has put what honest files are.
    """

    name: ClassVar[str]
    share: ClassVar[int]
    """Of the time, beside other kinds."""
    most_megabytes: ClassVar[int]
    """That one input may take, above what the process holds anyway."""
    most_seconds: ClassVar[float] = 20

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def prepare(cls, folder: Path) -> None:
        """Write honest files, in a process of its own."""

    def make(self, rng: random.Random) -> Files:
        """Return a changed input; the same generator gives the same."""
        raise NotImplementedError

    def read(self, files: Files, folder: Path) -> None:
        """Read an input as skasd does: return, or raise skasd's error, or anything else."""
        raise NotImplementedError

    def outcome(self, files: Files, folder: Path) -> str:
        """Read an input, and say in a line what came of it."""
        try:
            self.read(files, folder)
        except SkasdError as error:
            if isinstance(error.__cause__, MemoryError):
                return f"asks for more memory than it may have: {error}"[:300].replace("\n", " ")
            return REFUSED
        except MistakenError as error:
            return f"taken for what it is not: {error}"
        except BaseException as error:
            return f"another exception: {type(error).__name__}: {error}"[:300].replace("\n", " ")
        return ACCEPTED


def write(files: Files, folder: Path) -> None:
    """Write the files of an input."""
    for name, content in files.items():
        (folder / name).write_bytes(content)


def saved(folder: Path, pattern: str) -> Files:
    """Read what `Kind.prepare` has written."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob(pattern))}


def save_honest(detectors: list[Any], folder: Path, key: bytes | None = None) -> None:
    """Save detectors as honest model files."""
    for number, detector in enumerate(detectors):
        skasd.save(detector, folder / f"{number:02}.skasd", key=key)


def is_same_json(one: bytes, other: bytes) -> bool:
    """Return whether two texts say the same."""
    try:
        return json.loads(one) == json.loads(other)
    except (ValueError, RecursionError):
        return False


def limit_memory(megabytes: int) -> None:
    """Let this process have so much more address space than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    n_bytes = pages * resource.getpagesize() + megabytes * 2**20
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (n_bytes, hard))
