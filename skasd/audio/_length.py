"""How long a clip may be: what is heard of it is in memory at once."""

from skasd.exceptions import AudioError

MAX_SECONDS = 3600.0
"""How long a clip may be, if nobody has said so."""

VALUES_PER_SECOND = 96_000
"""How many samples may be kept of a second, over an hour or longer."""


def check_length(
    name: str, n_samples: int, n_channels: int, sample_rate: int, max_seconds: float | None
) -> None:
    """Refuse a clip that is too long, before memory is taken for it.

    Parameters
    ----------
    name : str
        What errors call it.
    n_samples : int
        Samples of each channel, those that are declared or have been read so far.
    n_channels : int
        Number of channels that are kept: 1 after they are mixed.
    sample_rate : int
        Rate at which it was recorded, in Hz.
    max_seconds : float or None
        How long it may be; None is as long as it likes. Seconds stay the same whatever the clip
        is resampled to, so a low rate hides no length.

    Raises
    ------
    AudioError
        If it is longer, or has more samples than as many seconds at 96 kHz, or than an hour of
        them if that is more.

    Examples
    --------
    >>> from skasd.audio._length import check_length
    >>> check_length("day.flac", 86400 * 16000, 1, 16000, max_seconds=3600)
    Traceback (most recent call last):
    skasd.exceptions.AudioError: day.flac: is too long: it lasts 86400 s or more, and a clip may ...
    """
    if max_seconds is None:
        return
    remedy = "Cut it into clips, listen to it with skasd monitor, or raise max_seconds."
    seconds = n_samples / sample_rate
    if seconds > max_seconds:
        raise AudioError(
            name,
            f"is too long: it lasts {seconds:.6g} s or more, and a clip may last {max_seconds:g} s",
            remedy,
        )
    most = int(max(max_seconds, MAX_SECONDS) * VALUES_PER_SECOND)
    if n_samples * n_channels > most:
        raise AudioError(
            name,
            f"is too large: {n_samples * n_channels} samples or more at {sample_rate} Hz, where "
            f"{most} may be in memory",
            remedy,
        )
