"""Scripts in processes of their own, which start as copies of one that has imported skasd.

Importing scikit-learn takes longer than what most of these scripts do.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

IMPORTED = ["skasd.challenge", "skasd.cli._score", "skasd.persistence", "skasd.systems", "skops.io"]
"""None of them imports keras."""


class Script:
    """A script that runs, with arguments and more environment variables."""

    def __init__(self, script, *arguments, **environment):
        self._folder = tempfile.TemporaryDirectory()
        self._outputs = [Path(self._folder.name) / name for name in ("stdout", "stderr")]
        context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
        context.set_forkserver_preload(IMPORTED)
        arguments = [str(argument) for argument in arguments]
        self._process = context.Process(
            target=_execute, args=(script, arguments, environment, self._outputs), daemon=True
        )
        self._process.start()

    def communicate(self):
        """Wait for its end, and return what it has written to stdout and stderr."""
        self._process.join()
        return tuple(path.read_text() for path in self._outputs)

    @property
    def returncode(self):
        """Its exit code; less than 0 if a signal has killed it."""
        return self._process.exitcode


def run_script(script, *arguments, **environment):
    """Run a script to its end, as `subprocess.run` does with a command."""
    process = Script(script, *arguments, **environment)
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)


def _execute(script, arguments, environment, outputs):
    for path, stream in zip(outputs, (sys.stdout, sys.stderr), strict=True):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.environ.update(environment)
    sys.argv[1:] = arguments
    exec(compile(script, "<script>", "exec"), {"__name__": "__main__"})
