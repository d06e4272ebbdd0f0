"""Published weights of encoders: where they are, their licence, size and format."""

from pathlib import Path
from typing import NamedTuple

from skasd._utils.download import DownloadError, download, sha256
from skasd._utils.files import write_whole
from skasd.exceptions import WeightsError
from skasd.features.encoders._efficientat import efficientat_model
from skasd.features.encoders._onnx_file import cache_folder, find_file
from skasd.features.encoders._torch_file import read_state_dict

MOST_BYTES = 2**30
"""Most bytes of a PyTorch weights file; EfficientAT's largest network has a quarter of that."""


class PublishedWeights(NamedTuple):
    """A file of weights published by others."""

    url: str
    sha256: str
    n_bytes: int
    licence: str
    owner: str

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.file} is of {self.owner}, {self.licence}, {self.n_bytes / 1e6:.1f} MB"


EFFICIENTAT_MN04 = PublishedWeights(
    "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/mn04_as_mAP_432.pt",
    "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
    4_066_513,
    "MIT licence",
    "Florian Schmid, 2022",
)


def find_published(weights: PublishedWeights, may_download: bool, verbose: int) -> Path:
    """Find published weights on this machine, or download them if that is allowed.

    Parameters
    ----------
    weights : PublishedWeights
        The weights to find.
    may_download : bool
        Whether to download them.
    verbose : int
        1 shows a progress bar.

    Returns
    -------
    Path

    Raises
    ------
    WeightsError
        If they are not on this machine and may not be downloaded, or the download fails.
    """
    try:
        return find_file(weights.file)
    except WeightsError as error:
        if not may_download:
            raise WeightsError(
                weights.file,
                f"is not on this machine. {weights}, at {weights.url}",
                f"Pass download=True if that suits you, or weights= with the file. {error.remedy}",
            ) from None
    target = cache_folder() / weights.file
    try:
        download(
            weights.url,
            target,
            digest=sha256,
            expected=weights.sha256,
            most_bytes=weights.n_bytes,
            verbose=verbose,
        )
    except (DownloadError, OSError) as error:
        raise WeightsError(
            weights.file,
            f"cannot be downloaded to {target}: {error}",
            "Try again, or download it elsewhere and pass it to weights=.",
        ) from error
    return target


def as_onnx(path: Path) -> Path:
    """Return an EfficientAT network as an ONNX file, converted from PyTorch's weights if needed.

    Parameters
    ----------
    path : Path
        An ``.onnx`` file, which is returned, or a ``.pt`` file of weights.

    Returns
    -------
    Path
        A converted file is kept in the user's cache, under the digest of the weights.

    Raises
    ------
    WeightsError
        If it is neither of these, or the ONNX file cannot be written.
    """
    if path.suffix == ".onnx":
        return path
    with open(path, "rb") as file:
        target = cache_folder() / f"efficientat-{sha256(file)}.onnx"
    if target.is_file():
        return target
    weights = read_state_dict(path, MOST_BYTES)
    try:
        model = efficientat_model(weights)
    except (LookupError, ValueError, AttributeError) as error:
        raise WeightsError(
            str(path),
            f"does not hold the weights of a MobileNet of EfficientAT: {error}",
            "Pass one of its published files mn*_as_*.pt, or an ONNX file.",
        ) from error
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with write_whole(target) as file:
            file.write(model)
    except OSError as error:
        raise WeightsError(
            str(target), f"cannot be written: {error}", "Make room there, or pass an ONNX file."
        ) from error
    return target
