"""A decoder that reads from the start to the end, and never seeks."""

from soundfile import SoundFile


class SequentialFile(SoundFile):
    """A sound file whose declared length does not limit what is read.

    soundfile seeks after each block, which fails at the end of a FLAC file of unknown length.
    """

    def seekable(self) -> bool:
        """Return False, whatever the file is."""
        return False
