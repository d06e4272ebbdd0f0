"""Memory that is used again and again."""

from functools import cache

import numpy as np

KEPT_BYTES = 2**23
"""Size of a block above which, and twice of which in all, freed memory may leave the process."""


@cache
def keep_freed_memory() -> None:
    """Have the C library keep what a clip took for the next one.

    glibc gives freed memory back to the system above a limit, which grows with the largest block
    that was ever freed, and the system clears each page that it hands out again. Depending on where
    a clip's memory happens to lie, its analysis then takes up to 1.7 times as long. To other C
    libraries, this is a block that comes and goes without being touched.

    Examples
    --------
    >>> from skasd._utils.memory import keep_freed_memory
    >>> keep_freed_memory()
    """
    np.empty(KEPT_BYTES, dtype=np.uint8)
