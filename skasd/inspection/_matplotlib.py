"""Matplotlib, once a picture is asked for."""

from typing import Any

PALETTE = BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#e69f00", "#009e73", "#cc79a7"
"""From Okabe and Ito: color-blind readers tell them apart."""


def import_pyplot() -> Any:
    """Return matplotlib.pyplot, or say what to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib: pip install "skasd[examples]", or pip install matplotlib.'
        ) from error
    return plt
