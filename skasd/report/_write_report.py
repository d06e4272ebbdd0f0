"""The page of a batch: from a detector and clips to a file."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from skasd._steps import check_detector
from skasd._utils.files import write_whole
from skasd.audio._clips import Clips, check_sequence
from skasd.ensemble._skipping import ClipScore, score_clips
from skasd.inspection._matplotlib import import_pyplot

if TYPE_CHECKING:
    from skasd.persistence._model_info import ModelInfo

N_EXPLAINED = 10
SUFFIXES = (".html", ".htm")


def write_report(
    detector: BaseEstimator,
    X: Clips,
    path: str | PathLike[str],
    *,
    healthy: "Clips | None" = None,
    n_explained: int = N_EXPLAINED,
    title: str = "Sound report",
    on_error: str = "skip",
    n_jobs: int | None = None,
) -> list[ClipScore]:
    """Score a batch of clips, and write a page about it: one file, which opens offline.

    The page has the verdict of the batch, a table of the clips, and for the oddest anomalous clips
    a player, a picture with the unusual times and bands, and what the detector says of them; how
    the batch compares with the training clips; what could not be scored and why; settings and
    versions.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        It takes clips.
    X : clips
        Paths or arrays of samples.
    path : path
        The page, a file that ends with ``.html``; one that is there is replaced.
    healthy : clips or None, default=None
        Recordings of the healthy machine. Those that an anomalous clip is the most like, in what
        the detector hears, are played beside it. A detector itself holds no recordings.
    n_explained : int, default=10
        How many anomalous clips are explained and played at most, the oddest first.
    title : str, default="Sound report"
        Heading of the page, such as the name of the machine.
    on_error : {"skip", "raise"}, default="skip"
        What becomes of a clip that cannot be analyzed; see `score_clips`.
    n_jobs : int or None, default=None
        Clips that are scored at the same time, in threads.

    Returns
    -------
    list of ClipScore
        What `score_clips` yields.

    Raises
    ------
    AudioError
        If a clip cannot be analyzed, with ``on_error="raise"``.
    ImportError
        If matplotlib is missing and clips are to be explained.
    OSError
        If the file cannot be written.
    TypeError
        If `X` or `healthy` is a single clip.
    ValueError
        If `path` is not one of a page, there is no folder for it, or `n_explained` is negative.

    See Also
    --------
    skasd.inspection.explain : The words on an anomalous clip.
    skasd.score_clips : The scores alone.

    Notes
    -----
    All sounds of a page together take 20 MB at most; what does not fit in is linked to. Of a
    recording of more than 30 s, 30 s around what is unusual are played.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skasd import make_views_detector
    >>> from skasd.datasets import make_machine_sounds
    >>> from skasd.report import write_report
    >>> clips, y = make_machine_sounds("fan", n_normal=30, n_anomalous=3, duration=2.0,
    ...                                random_state=0)
    >>> detector = make_views_detector().fit(clips[:24])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = Path(folder) / "fan.html"
    ...     scores = write_report(detector, clips[24:], page, n_explained=0)
    ...     print(page.read_text(encoding="utf-8")[:15])
    <!doctype html>
    """
    path = Path(path)
    check_page(path, n_explained)
    check_detector(detector)
    if healthy is not None:
        check_sequence(healthy)
    results = list(score_clips(detector, X, on_error=on_error, n_jobs=n_jobs))
    write_scored(
        detector,
        X,
        results,
        path,
        healthy=healthy,
        n_explained=n_explained,
        title=title,
        n_jobs=n_jobs,
    )
    return results


def check_page(path: Path, n_explained: int) -> None:
    """Check, before the work, that a page can be written.

    Parameters
    ----------
    path : Path
        The page.
    n_explained : int
        How many clips are to be explained.

    Raises
    ------
    ImportError, ValueError
        See `write_report`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: a page is called .html. Pass another name.")
    if not path.parent.is_dir():
        raise ValueError(f"There is no folder {path.parent} for the page. Create it first.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Pass a file for the page, such as one in it.")
    if n_explained < 0:
        raise ValueError(f"n_explained={n_explained}: expected 0 or more.")
    if n_explained:
        import_pyplot()


def write_scored(
    detector: Any,
    X: Clips,
    results: Sequence[ClipScore],
    path: Path,
    *,
    healthy: "Clips | None" = None,
    n_explained: int = N_EXPLAINED,
    title: str = "Sound report",
    n_jobs: int | None = None,
    fdr: float | None = None,
    model_info: "ModelInfo | None" = None,
) -> str:
    """Write the page of clips that are scored.

    Parameters
    ----------
    detector, X
        See `write_report`.
    results : sequence of ClipScore
        Of each clip, in their order.
    path, healthy, n_explained, title, n_jobs
        See `write_report`.
    fdr : float or None, default=None
        False discovery rate by which the clips were judged together; None if by the threshold.
    model_info : ModelInfo or None, default=None
        What the detector's file says of it.

    Returns
    -------
    str
        The verdict of the batch.
    """
    from skasd.report._batch import Batch
    from skasd.report._odd_clips import odd_clips
    from skasd.report._page import make_page

    batch = Batch(detector, X, results, path, fdr=fdr, model_info=model_info)
    odd, unread = odd_clips(detector, batch, n_explained, healthy=healthy, n_jobs=n_jobs)
    page = make_page("report.html", title=title, batch=batch, odd_clips=odd, unread=unread)
    with write_whole(path) as file:
        file.write(page.encode())
    return batch.verdict
