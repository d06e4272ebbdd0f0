"""A small builder around `onnx.helper`, in which operators read as they do in NumPy.

The steps of a model pass on skasd's three kinds of data, and scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike

OPSET = 18
"""Version of the operators: the first in which all reductions take their axes in the same way."""

IR_VERSION = 8
"""Version of the file format; as old as `OPSET`, so that old runtimes can read it."""

BATCH = "n_clips"
"""Name of the dimension of variable size."""


@dataclass(frozen=True)
class Tensor:
    """An operator's output or an input of the model; `@`, `+` and so on add operators to the graph.

    Numbers and arrays on the right become constants of the tensor's own type.

    Parameters
    ----------
    graph : Graph
        The graph that it belongs to.
    name : str
        Its name in the graph.
    dtype : numpy dtype
        Type of its elements.
    """

    graph: "Graph"
    name: str
    dtype: np.dtype

    def __add__(self, other: "Tensor | ArrayLike") -> "Tensor":
        return self.apply("Add", self._operand(other))

    def __sub__(self, other: "Tensor | ArrayLike") -> "Tensor":
        return self.apply("Sub", self._operand(other))

    def __mul__(self, other: "Tensor | ArrayLike") -> "Tensor":
        return self.apply("Mul", self._operand(other))

    def __truediv__(self, other: "Tensor | ArrayLike") -> "Tensor":
        return self.apply("Div", self._operand(other))

    def __matmul__(self, other: "Tensor | ArrayLike") -> "Tensor":
        return self.apply("MatMul", self._operand(other))

    def apply(
        self,
        operator: str,
        *inputs: "Tensor | np.ndarray",
        dtype: DTypeLike | None = None,
        **attributes: Any,
    ) -> "Tensor":
        """Apply an operator of ONNX, with this tensor as its first input.

        Parameters
        ----------
        operator : str
            Name of the operator.
        *inputs : Tensor or ndarray
            The other inputs. Arrays become constants as they are.
        dtype : dtype, default=None
            Type of the result; None means that of this tensor.
        **attributes
            Attributes of the operator.

        Returns
        -------
        Tensor
            The operator's first output.
        """
        return self.graph.apply(operator, [self, *inputs], dtype or self.dtype, attributes)

    def reduce(self, how: str, axis: int, *, keepdims: bool = False) -> "Tensor":
        """Reduce one axis by ``Reduce{how}``, such as ``"Mean"``, ``"Max"`` or ``"SumSquare"``."""
        return self.apply(f"Reduce{how}", np.array([axis]), keepdims=int(keepdims))

    def std(self, axis: int, *, keepdims: bool = False) -> "Tensor":
        """Compute the standard deviation along an axis, as NumPy does."""
        deviations = self - self.reduce("Mean", axis, keepdims=True)
        return (deviations * deviations).reduce("Mean", axis, keepdims=keepdims).apply("Sqrt")

    def largest_first(self, axis: int, size: int) -> "Tensor":
        """Sort an axis of this size, largest first."""
        return self.apply("TopK", np.array([size]), axis=axis)

    def smallest(self, axis: int, size: int) -> "Tensor":
        """Take this many of the smallest values along an axis, smallest first."""
        return self.apply("TopK", np.array([size]), axis=axis, largest=0)

    def cut(self, axis: int, start: int, stop: int) -> "Tensor":
        """Take the range from start to stop of an axis."""
        return self.apply("Slice", *(np.array([bound]) for bound in (start, stop, axis)))

    def cast(self, dtype: DTypeLike) -> "Tensor":
        """Convert the elements to another type."""
        to = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.apply("Cast", dtype=dtype, to=to)

    def _operand(self, other: "Tensor | ArrayLike") -> "Tensor | np.ndarray":
        return other if isinstance(other, Tensor) else np.asarray(other, dtype=self.dtype)


class Clips(NamedTuple):
    """Samples at the rate of the analysis: (n_clips, n_samples), float32."""

    tensor: Tensor
    n_samples: int
    sample_rate: int


class Spectrograms(NamedTuple):
    """Levels in dB: (n_clips, n_frames, n_mels), float32."""

    tensor: Tensor
    n_frames: int
    n_mels: int


class Features(NamedTuple):
    """Features of each clip: (n_clips, n_features), float64."""

    tensor: Tensor


class Scores(NamedTuple):
    """Anomaly scores: (n_clips,), float64; higher is more anomalous."""

    tensor: Tensor


class Graph:
    """The operators of a model, each of which occurs once.

    An operator that already exists with the same inputs is not added again. Thus members of an
    ensemble share everything that they have in common, above all the spectrogram.
    """

    def __init__(self) -> None:
        self._nodes: dict[tuple, onnx.NodeProto] = {}
        self._constants: dict[tuple, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: DTypeLike, shape: tuple, description: str) -> Tensor:
        """Add an input to the model, with this shape for each clip."""
        self._inputs.append(_describe(name, dtype, shape, description))
        return Tensor(self, name, np.dtype(dtype))

    def constant(self, array: np.ndarray) -> Tensor:
        """Add a constant, unless one with the same bytes exists."""
        array = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = onnx.numpy_helper.from_array(array, name)
        return Tensor(self, self._constants[key].name, array.dtype)

    def output(self, name: str, tensor: Tensor, description: str) -> None:
        """Make a tensor of shape (n_clips,) an output of the model."""
        node = onnx.helper.make_node("Identity", [tensor.name], [name], name)
        self._nodes[name,] = node
        self._outputs.append(_describe(name, tensor.dtype, (), description))

    def apply(
        self,
        operator: str,
        inputs: Sequence[Tensor | np.ndarray],
        dtype: DTypeLike,
        attributes: Mapping,
    ) -> Tensor:
        """Add an operator, unless it exists, and return its first output."""
        names = [
            (each if isinstance(each, Tensor) else self.constant(each)).name for each in inputs
        ]
        key = (operator, *names, *sorted(attributes.items()))
        if key not in self._nodes:
            name = f"{operator}_{len(self._nodes)}"
            # The second output of TopK, the indices, needs a name even though it is not used.
            outputs = [name, f"{name}_indices"] if operator == "TopK" else [name]
            self._nodes[key] = onnx.helper.make_node(operator, names, outputs, name, **attributes)
        return Tensor(self, self._nodes[key].output[0], np.dtype(dtype))

    def concatenate(self, tensors: list[Tensor], axis: int) -> Tensor:
        """Join tensors along an axis."""
        return self.apply("Concat", tensors, tensors[0].dtype, {"axis": axis})

    def model(self, metadata: Mapping[str, str], **properties: Any) -> onnx.ModelProto:
        """Make the model, with its metadata and properties such as ``producer_name``."""
        graph = onnx.helper.make_graph(
            list(self._nodes.values()),
            "detector",
            self._inputs,
            self._outputs,
            list(self._constants.values()),
        )
        model = onnx.helper.make_model(
            graph,
            opset_imports=[onnx.helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            **properties,
        )
        onnx.helper.set_model_props(model, dict(metadata))
        return model


def _describe(name: Any, dtype: Any, shape: Any, description: Any) -> onnx.ValueInfoProto:
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return onnx.helper.make_tensor_value_info(name, kind, [BATCH, *shape], description)


def quantile_weights(quantile: float, n_values: int) -> np.ndarray:
    """Return the weight of each value, largest first, in NumPy's linear quantile.

    A quantile is then a sum.

    Parameters
    ----------
    quantile : float
        The quantile, in [0, 1].
    n_values : int
        Number of sorted values.

    Returns
    -------
    ndarray of shape (n_values,)

    Examples
    --------
    >>> from skasd.export._graph import quantile_weights
    >>> quantile_weights(0.5, 4)
    array([0. , 0.5, 0.5, 0. ])
    """
    rank = (1 - quantile) * (n_values - 1)
    return np.maximum(0.0, 1 - np.abs(np.arange(n_values) - rank))
