"""The command line.

Results go to standard output, progress and complaints to standard error. Exit codes: 0, all was
done; 1, an anomaly was found, where ``--fail-on-anomaly`` asks; 2, nothing was done, because the
usage is wrong or a file or folder cannot be read or written; 3, something could not be scored, and
the rest was.
"""

from skasd.cli.app import app
from skasd.cli.evaluate import evaluate

__all__ = ["app", "evaluate"]
