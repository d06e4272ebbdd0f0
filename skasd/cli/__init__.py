"""The command line.

Results go to standard output, progress and complaints to standard error. Exit codes: 0, all was
done; 1, an anomaly was found, if ``--fail-on-anomaly`` asks, or ``check`` has found something,
if ``--fail-on-finding`` does; 2, it could not be done, because the usage is wrong or a file or
folder cannot be read or written; 3, some clips could not be read or scored, and the others were;
130, Ctrl-C, except for ``monitor``, which is meant to be ended so; 141, nobody reads the output,
as in ``skasd score … | head``: what a shell says of other tools then.
"""

from skasd.cli._app import app
from skasd.cli._calibrate import calibrate
from skasd.cli._check import check
from skasd.cli._evaluate import evaluate
from skasd.cli._explain import explain
from skasd.cli._fit import fit
from skasd.cli._info import info
from skasd.cli._monitor import monitor
from skasd.cli._report import report
from skasd.cli._score import score

__all__ = ["app"]

COMMANDS = (calibrate, check, evaluate, explain, fit, info, monitor, report, score)
"""The commands, which join the application when they are imported."""
