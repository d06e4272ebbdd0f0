"""Recordings to learn and to test on."""

from skasd.datasets.synthetic import make_machine_sounds

__all__ = ["make_machine_sounds"]
