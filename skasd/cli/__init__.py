"""The command line.

Results go to standard output, progress and complaints to standard error. Exit codes: 0, all was
done; 1, an anomaly was found, if ``--fail-on-anomaly`` asks, or ``check`` has found something,
if ``--fail-on-finding`` does; 2, it could not be done, because the usage is wrong or a file or
folder cannot be read or written; 3, some clips could not be read or scored, and the others were;
130, Ctrl-C, except for ``monitor``, which is meant to be ended so; 141, nobody reads the output,
as in ``skasd score … | head``: what a shell says of other tools then.
"""

from skasd.cli._app import app

__all__ = ["app"]
