"""The command line.

Results go to standard output, progress and complaints to standard error. Exit codes: 0, all was
done; 1, an anomaly was found, where ``--fail-on-anomaly`` asks; 2, it could not be done, because
the usage is wrong or a file or folder cannot be read or written; 3, some clips could not be
scored, and the others were; 130, Ctrl-C, except for ``monitor``, which is meant to be ended so.
"""

from skasd.cli.app import app
from skasd.cli.evaluate import evaluate
from skasd.cli.explain import explain
from skasd.cli.fit import fit
from skasd.cli.info import info
from skasd.cli.monitor import monitor
from skasd.cli.score import score

__all__ = ["app", "evaluate", "explain", "fit", "info", "monitor", "score"]
