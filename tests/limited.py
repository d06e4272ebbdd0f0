"""Code in a process that may take little memory."""

import os

import pytest
from processes import run_script

LIMITED = """
import resource, sys
with open("/proc/self/statm") as statm:
    held = int(statm.read().split()[0]) * resource.getpagesize()
limit = held + {megabytes} * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""


def run_limited(imports, code, *arguments, megabytes=300):
    """Run code in a child that may take so much more memory than its imports took."""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("this system does not say how much memory a process has")
    script = imports + LIMITED.format(megabytes=megabytes) + code
    process = run_script(script, *arguments)
    assert process.returncode == 0, process.stderr
    return process.stdout
