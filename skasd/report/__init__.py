"""Pages for whoever looks after the machine, each in one file that opens offline.

Pictures need matplotlib: ``pip install "skasd[report]"``.
"""

from skasd._utils.public_names import claim_names
from skasd.report._write_report import write_report

__all__ = ["write_report"]

claim_names(__name__)
