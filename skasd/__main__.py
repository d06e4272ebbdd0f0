"""``python -m skasd``: the command line."""

from skasd.cli._app import app

app(prog_name="skasd")
