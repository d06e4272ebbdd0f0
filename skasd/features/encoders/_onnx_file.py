"""ONNX files: finding them, and checking them before anything in them is run."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from skasd._utils.packages import needed_for
from skasd.exceptions import WeightsError

FOLDER_VARIABLE = "SKASD_ENCODERS"

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Operator sets that onnxruntime has."""


def cache_folder() -> Path:
    """Return the user's cache folder for the files of encoders.

    Returns
    -------
    Path
    """
    return user_cache_path("skasd") / "encoders"


def find_file(file: str | os.PathLike) -> Path:
    """Find a file on this machine.

    Parameters
    ----------
    file : path
        A name without a folder is looked for in the working directory, in the folder that the
        environment variable ``SKASD_ENCODERS`` names, and in the user's cache.

    Returns
    -------
    Path

    Raises
    ------
    WeightsError
        If there is no such file.
    """
    path = Path(file)
    folders = [Path(os.environ[FOLDER_VARIABLE])] if os.environ.get(FOLDER_VARIABLE) else []
    folders = [*folders, cache_folder()] if path.name == str(path) else []
    for each in (path, *(folder / path for folder in folders)):
        if each.is_file():
            return each
    raise WeightsError(
        str(path),
        "there is no such file",
        f"Pass its path, or put it into {cache_folder()} or into the folder that the "
        f"environment variable {FOLDER_VARIABLE} names.",
    )


@lru_cache(maxsize=8)
def check_file(path: Path, modified: int) -> str:
    """Check an ONNX file without running it, and return its fingerprint.

    Parameters
    ----------
    path : Path
        The file.
    modified : int
        When it was last changed; a file that has changed is checked again.

    Returns
    -------
    str
        SHA-256 of the file or, if other files hold its weights, of the digests of all of them.

    Raises
    ------
    WeightsError
        If it is not a complete ONNX file, or has operators that onnxruntime does not have, or
        weights in files that are missing or outside its folder.
    """
    with needed_for("ONNXEncoder"):
        import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, format="protobuf", load_external_data=False)
    except DecodeError as error:
        raise _no_model(path, f"is truncated, or not an ONNX file: {error}") from error
    if not model.graph.node:
        raise _no_model(path, "is not an ONNX file, or computes nothing")
    nodes = list(_nodes([model.graph, *model.functions]))
    own = {(function.domain, function.name) for function in model.functions}
    for node in nodes:
        if node.domain not in DOMAINS and (node.domain, node.op_type) not in own:
            raise _no_model(
                path,
                f"has the operator {node.op_type} of {node.domain}, whose code is neither in the "
                "file nor part of onnxruntime",
            )
    files = [path, *sorted(_files_of_weights(path, model.graph, nodes))]
    digests = [_sha256(each) for each in files]
    return digests[0] if len(files) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files_of_weights(path: Path, graph: Any, nodes: Iterable[Any]) -> set[Path]:
    """Return the other files that hold tensors; refuse those outside the model's folder."""
    folder, files = path.parent.resolve(), set()
    for tensor in _tensors([graph], nodes):
        if not tensor.external_data:
            continue
        location = {each.key: each.value for each in tensor.external_data}.get("location", "")
        target = (folder / location).resolve()
        if not target.is_relative_to(folder):
            raise _no_model(path, f"has weights outside its folder, in {location}")
        if not target.is_file():
            raise _no_model(path, f"has weights in the file {location}, which is missing")
        files.add(target)
    return files


def _nodes(graphs: Iterable[Any]) -> Iterator[Any]:
    """Yield the nodes of graphs and functions, including those of nested graphs."""
    for graph in graphs:
        for node in graph.node:
            yield node
            for attribute in node.attribute:
                yield from _nodes([attribute.g, *attribute.graphs])


def _tensors(graphs: Iterable[Any], nodes: Iterable[Any]) -> Iterator[Any]:
    """Yield the tensors of graphs and of the attributes of all nodes, including nested graphs."""
    for graph in graphs:
        yield from graph.initializer
        yield from _dense(graph.sparse_initializer)
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            yield from _dense([attribute.sparse_tensor, *attribute.sparse_tensors])
            yield from _tensors([attribute.g, *attribute.graphs], ())


def _dense(sparse: Iterable[Any]) -> Iterator[Any]:
    for each in sparse:
        yield from (each.values, each.indices)


def _no_model(path: Path, problem: str) -> WeightsError:
    return WeightsError(str(path), problem, "Copy or export it again, from a source that you know.")
