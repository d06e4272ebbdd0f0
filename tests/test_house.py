"""The house: which rooms there are, what is public, and which way imports go."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

import skasd

HOUSE = Path(skasd.__file__).parent
FLOORS = [
    {"__init__"},
    {"__main__"},
    {"cli"},
    {"challenge", "report"},
    {"systems", "inspection", "persistence", "export", "monitoring", "utils"},
    {"ensemble"},
    {"_steps"},
    {"features"},
    {"audio"},
    {"model_selection"},
    {"detection"},
    {"metrics", "datasets"},
    {"exceptions", "_utils", "_sklearn", "_version"},
]
"""From the top down: a room imports from itself and from the floors below."""

ONLY_HERE = {
    "keras": "features/_training/backend.py",
    "ncnn": "features/openl3/_engines.py",
    "onnxruntime": "features/encoders/_onnx_network.py",
    "matplotlib": ("inspection/", "report/"),
}
"""Package → the only places that may import it."""

MODULES = sorted(path.relative_to(HOUSE) for path in HOUSE.rglob("*.py"))


def room_of(module):
    return module.parts[0].removesuffix(".py")


def floor_of(room):
    (floor,) = [number for number, rooms in enumerate(FLOORS) if room in rooms]
    return floor


def imports_of(module):
    """Return the full names of what a module imports, at its top or later."""
    names = []
    for node in ast.walk(ast.parse((HOUSE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name.split(".") for name in names]


def test_rooms():
    entries = [path.name for path in HOUSE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 25
    private = {name.removesuffix(".py") for name in entries if re.match("_[^_]", name)}
    assert private == {"_steps", "_sklearn", "_utils", "_version"}
    assert {room_of(module) for module in MODULES} == set.union(*FLOORS)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_go_down(module):
    """So there is no cycle of rooms, and nobody inside imports the package's face."""
    room = room_of(module)
    for package, *path in imports_of(module):
        if package == "skasd":
            assert path, f"{module} imports the package's face"
            other = path[0]
            down = floor_of(other) > floor_of(room)
            assert other == room or down, f"{module}: {room} imports {other}"
        elif package in ONLY_HERE:
            assert module.as_posix().startswith(ONLY_HERE[package]), f"{module}: {package}"
        elif package == "sklearn" and room != "_sklearn":
            private = [name for name in path if name.startswith("_")]
            assert not private, f"{module}: {'.'.join(path)} belongs into _sklearn"


def test_floors_hold_no_cycle():
    graph = {}
    for module in MODULES:
        name = "skasd." + ".".join(module.with_suffix("").parts)
        graph[name.removesuffix(".__init__")] = [".".join(path) for path in imports_of(module)]
    seen, path = set(), []

    def visit(name):
        if name not in graph:
            name = name.rpartition(".")[0]
        if name not in graph or name in seen:
            return
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        path.append(name)
        for imported in graph[name]:
            visit(imported)
        seen.add(path.pop())

    for name in graph:
        visit(name)


def names_used(path):
    """Return the modules of skasd that a program imports, each with a name in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "skasd":
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("folder", ["benchmarks", "examples", "studies"])
def test_programs_import_what_exists(folder):
    """The tests run none of the benchmarks, which use names that are not public."""
    for path in (HOUSE.parent / folder).rglob("*.py"):
        for module, name in names_used(path):
            found = importlib.import_module(module)
            if not hasattr(found, name):
                assert importlib.util.find_spec(f"{module}.{name}"), f"{path}: {module}.{name}"
