"""What is raised where a clip cannot be analysed."""


class AudioError(ValueError):
    """A clip that cannot be analysed.

    Parameters
    ----------
    clip : str
        The clip's path or, for an array, ``"clip "`` and its index.
    problem : str
        What is wrong with it.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> from skasd import AudioError
    >>> raise AudioError("fan.wav", "holds no samples", "Record it again.")
    Traceback (most recent call last):
    skasd.AudioError: fan.wav: holds no samples. Record it again.
    """

    def __init__(self, clip: str, problem: str, remedy: str):
        super().__init__(clip, problem, remedy)
        self.clip = clip
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.clip}: {self.problem}. {self.remedy}"
