"""Which channels of a recording are heard."""

import numpy as np

from skasd.exceptions import AudioError

NEAR_FAR = {"near-far": (0, 1), "far-near": (1, 0)}
"""Index of the channel near the machine, and of the one far from it."""

CHANNELS = {"mean", *NEAR_FAR}
"""What a channel may be, besides an index."""


def far_channel(channel: str | int) -> int | None:
    """Return the index of the channel that is far from the machine, if one is heard.

    Parameters
    ----------
    channel : "mean", "near-far", "far-near" or int
        What is heard.

    Returns
    -------
    int or None

    Examples
    --------
    >>> from skasd.audio._channels import far_channel
    >>> far_channel("near-far"), far_channel("mean")
    (1, None)
    """
    return NEAR_FAR[channel][1] if isinstance(channel, str) and channel in NEAR_FAR else None


def mix_down(samples: np.ndarray, channel: str | int, name: str) -> np.ndarray:
    """Make one channel of several.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, n_channels)
        All of them.
    channel : "mean", "near-far", "far-near" or int
        Average, the near one of two, or the index of one.
    name : str
        What an error calls the clip.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    AudioError
        If there is no such channel.
    ValueError
        If it is another word.
    """
    if channel == "mean":
        if samples.shape[1] == 1:
            return samples[:, 0]
        # What overflows is infinite afterwards, and is found as such.
        with np.errstate(over="ignore", invalid="ignore"):
            return samples.mean(axis=1)
    if isinstance(channel, str):
        if channel not in NEAR_FAR:
            words = ", ".join(sorted(CHANNELS))
            raise ValueError(f"channel={channel!r}: expected an index, or one of {words}.")
        if samples.shape[1] < 2:
            raise AudioError(
                name,
                f"has one channel, but channel={channel!r} compares two",
                "Record both microphones into one file, or pass channel=0.",
            )
        channel = NEAR_FAR[channel][0]
    if not 0 <= channel < samples.shape[1]:
        raise AudioError(
            name,
            f"has no channel {channel}: it has {samples.shape[1]}, counted from 0",
            'Pass another channel, or channel="mean".',
        )
    return np.ascontiguousarray(samples[:, channel])
