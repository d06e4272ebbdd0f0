"""``python -m skasd``: the command line."""

from skasd.cli import app

app(prog_name="skasd")
