"""A network in an ONNX file, run by onnxruntime: its input, its outputs, and their axes.

Axes of arrays are denoted by letters: n for windows, t for time, b for bands, 1 for an axis of
length 1.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skasd._utils.packages import needed_for
from skasd.exceptions import WeightsError
from skasd.features.encoders._onnx_file import check_file

DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}

DEVICES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

LAYOUTS = {
    "clips": {1: ["t"], 2: ["nt"], 3: ["n1t"]},
    "spectrograms": {2: ["tb", "bt"], 3: ["ntb", "nbt"], 4: ["n1tb", "n1bt"]},
}
"""Orders of axes in which networks take clips and spectrograms, by the number of axes."""

Shape = Sequence[int | str | None]
"""Lengths of axes; a name or None stands for any length."""


class Network(NamedTuple):
    """A network that is ready to run; threads may share it."""

    path: Path
    digest: str
    session: Any
    input_name: str
    input_shape: Shape
    dtype: Any
    outputs: dict[str, Shape]
    sample_rate: str | None  # as the file states it, if it does

    def output(self, output: str | int) -> str:
        """Return the name of an output; negative numbers count from the last one."""
        names = list(self.outputs)
        if isinstance(output, str):
            if output in names:
                return output
        elif -len(names) <= output < len(names):
            return names[output]
        raise ValueError(f"output={output!r}: {self.path} has {_listed(names)}.")

    def layout(self, kind: str, n_bands: int | None, asked_for: str) -> str:
        """Return the order of the input's axes, or refuse data that the file does not take."""
        shape = self.input_shape
        takes = f"{self.path} takes {self.input_name} of shape {_shown(shape)}"
        layouts = LAYOUTS[kind].get(len(shape), [])
        fitting = [layout for layout in layouts if _fits(layout, shape, n_bands)]
        if asked_for != "auto":
            fitting = [layout for layout in fitting if layout.endswith(asked_for)]
        elif kind == "spectrograms":
            # The axis whose length is the number of bands is that of the bands. An axis of another
            # fixed length is not taken for time merely because the other one is open.
            named = [each for each in fitting if shape[each.index("b")] == n_bands]
            free = [each for each in fitting if not isinstance(shape[each.index("t")], int)]
            fitting = named or free
        if not fitting:
            given = f"{kind} of {n_bands} bands" if n_bands else kind
            possible = [each for some in LAYOUTS[kind].values() for each in some]
            raise ValueError(
                f"{takes}, which does not fit {given}. It should be one of "
                f"{', '.join(_expected(each, n_bands) for each in possible)}"
                ", with an open number of windows or 1. Pass input= and the front end that the "
                "network was trained with, or export it again with such an input."
            )
        if len(fitting) > 1:
            raise ValueError(
                f"{takes}, which leaves open whether time or bands come last. Pass layout='tb' or "
                "layout='bt'."
            )
        return fitting[0]

    def fixed_length(self, layout: str) -> int | None:
        """Return the length that windows must have, or None if any length will do."""
        length = self.input_shape[layout.index("t")]
        return length if isinstance(length, int) else None

    def time_axis(self, output: str, layout: str, asked_for: int | None) -> int | None:
        """Return which axis of an output is time, or None if none is."""
        shape = self.outputs[output]
        n_before = 1 if "n" in layout else 0
        n_axes = len(shape) - n_before
        if n_axes < 1:
            raise ValueError(
                f"output={output!r}: {self.path} gives one number for all windows together. Pass "
                "the name of another output."
            )
        if asked_for is not None:
            if not n_before <= asked_for < len(shape):
                raise ValueError(
                    f"time_axis={asked_for}: {output} of {self.path} has the shape {_shown(shape)}."
                )
            return asked_for
        free = [axis for axis in range(n_before, len(shape)) if not isinstance(shape[axis], int)]
        if len(free) == 1:
            return free[0]
        if n_axes == 1:
            return None
        return n_before if n_axes == 2 else len(shape) - 1

    def run(self, windows: np.ndarray, layout: str, output: str) -> np.ndarray:
        """Compute an output for windows, (n_windows, length) or (n_windows, length, n_bands)."""
        array = windows.astype(self.dtype, copy=False)
        if layout.endswith("bt"):
            array = array.swapaxes(1, 2)
        if "1" in layout:
            array = array[:, np.newaxis]
        array = np.ascontiguousarray(array if "n" in layout else array[0])
        (result,) = self.session.run([output], {self.input_name: array})
        return result


def _fits(layout: str, shape: Shape, n_bands: int | None) -> bool:
    for axis, length in zip(layout, shape, strict=True):
        expected = {"n": 1, "1": 1, "b": n_bands}.get(axis)
        if isinstance(length, int) and expected is not None and length != expected:
            return False
    return True


def _expected(layout: str, n_bands: int | None) -> str:
    names = {"n": "windows", "t": "time", "b": str(n_bands), "1": "1"}
    return _shown([names[axis] for axis in layout])


def _shown(shape: Shape) -> str:
    inside = ", ".join("?" if length is None else str(length) for length in shape)
    return f"({inside})"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:40])
    return f"the outputs {shown}" + (", …" if len(names) > 40 else "")


@lru_cache(maxsize=4)
def load_network(path: Path, modified: int, device: str, n_threads: int) -> Network:
    """Load a network once per process; a file that has changed since is loaded again.

    Parameters
    ----------
    path : Path
        The ONNX file.
    modified : int
        When it was last changed.
    device : {"auto", "cpu", "cuda"}
        What runs it; ``"auto"`` uses a GPU if onnxruntime can.
    n_threads : int
        Number of threads for one call.

    Returns
    -------
    Network

    Raises
    ------
    ImportError
        If onnx or onnxruntime is not installed.
    WeightsError
        If the file is not an ONNX file that can be run safely, or cannot run on this device.
    """
    with needed_for("ONNXEncoder"):
        import onnxruntime

    digest = check_file(path, modified)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.log_severity_level = 3
    available = onnxruntime.get_available_providers()
    names = ("cuda", "cpu") if device == "auto" else (device,)
    providers = [DEVICES[name] for name in names if DEVICES[name] in available]
    try:
        session = onnxruntime.InferenceSession(path, options, providers=providers)
    # onnxruntime's errors have no base class in common.
    except Exception as error:
        raise WeightsError(
            str(path),
            f"cannot be run by onnxruntime {onnxruntime.__version__}: {first_line(error)}",
            "Copy or export it again, or install a later onnxruntime.",
        ) from error
    if device == "cuda" and DEVICES[device] not in session.get_providers():
        raise WeightsError(
            f"device={device!r}",
            "onnxruntime cannot use a GPU here",
            "Install onnxruntime-gpu and its CUDA libraries, or pass device='auto'.",
        )
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in DTYPES:
        found = ", ".join(f"{each.name} of {each.type} {_shown(each.shape)}" for each in inputs)
        raise WeightsError(
            str(path),
            f"takes {found or 'nothing'}, but one tensor of floats is expected",
            "Export it with the samples, or their spectrogram, as the only input.",
        )
    return Network(
        path=path,
        digest=digest,
        session=session,
        input_name=inputs[0].name,
        input_shape=inputs[0].shape,
        dtype=DTYPES[inputs[0].type],
        outputs={each.name: each.shape for each in session.get_outputs()},
        sample_rate=session.get_modelmeta().custom_metadata_map.get("sample_rate"),
    )


def first_line(error: Exception) -> str:
    """Return the first line of an error, cut to a readable length."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
