"""The site has every public name, and its pages link to what exists."""

import doctest
import importlib
import inspect
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from test_public_surface import SURFACE

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REFERENCE = (DOCS / "api" / "index.rst").read_text("utf-8")


def pages_of_reference():
    """Return the full names that the API reference lists."""
    listed = re.findall(r"^   ([\w.]+)$", REFERENCE, re.MULTILINE)
    data = re.findall(r"^\.\. (?:auto)?data:: ([\w.]+)$", REFERENCE, re.MULTILINE)
    return [f"skasd.{name}" for name in listed] + data


@pytest.mark.parametrize("module", SURFACE)
def test_reference_has_every_public_name_once(module):
    pages = pages_of_reference()
    for name in SURFACE[module]:
        public = getattr(importlib.import_module(module), name)
        is_code = inspect.isclass(public) or inspect.isfunction(public)
        home = public.__module__ if is_code else module
        assert pages.count(f"{home}.{name}") == 1


@pytest.mark.parametrize("module", SURFACE)
def test_every_public_name_has_an_example(module):
    for name in SURFACE[module]:
        public = getattr(importlib.import_module(module), name)
        if inspect.isclass(public) or inspect.isfunction(public):
            assert ">>> " in inspect.getdoc(public), f"{module}.{name}"
        else:
            _, _, after = REFERENCE.partition(f"data:: {module}.{name}\n")
            assert ">>> " in after.partition("\n..")[0], f"{module}.{name}"


def test_examples_of_the_reference():
    assert doctest.testfile(str(DOCS / "api" / "index.rst"), module_relative=False).failed == 0


# Pages that the build makes, and so a clone does not have.
MADE = {"gallery/index.rst"} | {
    f"gallery/{example.stem}.rst" for example in (ROOT / "examples").glob("*.py")
}


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_links_to_files(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text("utf-8")):
        path = (page.parent / target).resolve()
        made = DOCS in path.parents and path.relative_to(DOCS).as_posix() in MADE
        assert made or path.is_file(), target


def test_what_was_fuzzed():
    """The table has the sums of all runs, and nothing else was found than what the page tells."""
    runs = json.loads((ROOT / "benchmarks" / "fuzz.json").read_text("utf-8"))
    sums = defaultdict(Counter)
    for run in runs:
        for kind, counts in run["kinds"].items():
            sums[kind].update(counts)
    page = (DOCS / "strange_files.md").read_text("utf-8")
    for kind, counts in sums.items():
        assert f"| {kind} | {' | '.join(f'{count:,}' for count in counts.values())} |" in page
        others = 1 if kind == "events" else 0
        assert counts["inputs"] == counts["taken"] + counts["refused"] + others


BLOB = "https://github.com/skasd/skasd/(?:blob|tree|raw)/main/"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/measured.md"])
def test_links_into_the_repository(page):
    for target in re.findall(rf"\({BLOB}([^)#]+)", (ROOT / page).read_text("utf-8")):
        assert (ROOT / target).exists(), target
