"""EfficientAT's MobileNets as ONNX graphs, with every block as an output."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skasd._utils.packages import needed_for

STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1)
"""Strides of the blocks."""

FIRST_HARDSWISH = 7
"""From this block on, the activation is a hard swish."""

EPSILON = 1e-3
"""Epsilon of the batch norms."""

N_BANDS = 128


def efficientat_model(weights: Mapping[str, np.ndarray]) -> bytes:
    """Write one of EfficientAT's networks as an ONNX model.

    Parameters
    ----------
    weights : mapping of str to ndarray
        State of a network ``mn*_as`` of any width, with the head ``"mlp"``.

    Returns
    -------
    bytes
        The model takes ``mel``, (n_windows, 1, 128, n_frames), and returns ``block1`` to
        ``block15`` and ``last``, each of shape (n_windows, n_channels, n_bands, n_frames).

    Raises
    ------
    LookupError or ValueError
        If weights are missing or do not fit together.

    References
    ----------
    Schmid et al., "Efficient large-scale audio tagging via transformer-to-CNN knowledge
    distillation", ICASSP 2023.
    """
    graph = _Graph(weights)
    graph.convolution("features.0", stride=2, activation="HardSwish")
    for block, stride in enumerate(STRIDES, start=1):
        graph.block(block, stride)
        graph.name_output(f"block{block}")
    graph.convolution(f"features.{len(STRIDES) + 1}", activation="HardSwish")
    graph.name_output("last")
    return graph.serialize()


class _Graph:
    """A graph to which nodes are added one by one."""

    def __init__(self, weights: Mapping[str, np.ndarray]):
        with needed_for("EfficientAT"):
            import onnx

        self._onnx = onnx
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._outputs: list[Any] = []
        self._end, self._n_channels, self._n_bands = "mel", 1, N_BANDS

    def block(self, number: int, stride: int) -> None:
        """Add an inverted residual: expand, filter by channel, squeeze and excite, project."""
        begin, n_channels = self._end, self._n_channels
        place = f"features.{number}.block."
        names = {name.split(".")[3] for name in self._weights if name.startswith(place)}
        *parts, projection = sorted(place + name for name in names)
        for part in parts:
            if f"{part}.conc_se_layers.0.fc1.weight" in self._weights:
                self._excite(f"{part}.conc_se_layers.0")
                continue
            by_channel = self._weights[f"{part}.0.weight"].shape[1] == 1
            self.convolution(
                part,
                stride=stride if by_channel else 1,
                by_channel=by_channel,
                activation="HardSwish" if number >= FIRST_HARDSWISH else "Relu",
            )
        self.convolution(projection)
        if stride == 1 and n_channels == self._n_channels:
            self._add("Add", [self._end, begin])

    def convolution(
        self,
        name: str,
        *,
        stride: int = 1,
        by_channel: bool = False,
        activation: str | None = None,
    ) -> None:
        """Add a convolution with its batch norm folded in."""
        gain, shift, mean, variance = (
            self._weights[f"{name}.1.{each}"].astype(np.float64)
            for each in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / np.sqrt(variance + EPSILON)
        kernel = self._weights[f"{name}.0.weight"] * scale[:, None, None, None]
        self._n_channels, _, size, _ = kernel.shape
        self._n_bands = 1 + (self._n_bands - 1) // stride
        self._add(
            "Conv",
            [self._end, self._constant(kernel), self._constant(shift - mean * scale)],
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[size // 2] * 4,
            group=self._n_channels if by_channel else 1,
        )
        if activation is not None:
            self._add(activation, [self._end])

    def name_output(self, name: str) -> None:
        """Make the current end of the graph an output."""
        self._end = self._nodes[-1].output[0] = name
        shape = ("n_windows", self._n_channels, self._n_bands, f"{name}_frames")
        self._outputs.append(self._value(name, shape))

    def serialize(self) -> bytes:
        """Return the model."""
        helper = self._onnx.helper
        mel = self._value("mel", ["n_windows", 1, N_BANDS, "n_frames"])
        graph = helper.make_graph(self._nodes, "efficientat", [mel], self._outputs, self._constants)
        opset = helper.make_opsetid("", 14)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=8, producer_name="skasd")
        self._onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString(deterministic=True)

    def _excite(self, name: str) -> None:
        """Weight the channels by a function of their averages."""
        begin = self._end
        self._add("GlobalAveragePool", [begin])
        for layer, activation in (("fc1", "Relu"), ("fc2", "Sigmoid")):
            kernel = self._weights[f"{name}.{layer}.weight"][:, :, None, None]
            bias = self._weights[f"{name}.{layer}.bias"]
            self._add("Conv", [self._end, self._constant(kernel), self._constant(bias)])
            self._add(activation, [self._end])
        self._add("Mul", [begin, self._end])

    def _add(self, operator: str, inputs: list[str], **attributes: Any) -> None:
        self._end = f"t{len(self._nodes)}"
        node = self._onnx.helper.make_node(operator, inputs, [self._end], **attributes)
        self._nodes.append(node)

    def _constant(self, array: np.ndarray) -> str:
        name = f"c{len(self._constants)}"
        numbers = np.ascontiguousarray(array, dtype=np.float32)
        self._constants.append(self._onnx.numpy_helper.from_array(numbers, name))
        return name

    def _value(self, name: str, shape: Sequence[str | int | None]) -> Any:
        kind = self._onnx.TensorProto.FLOAT
        return self._onnx.helper.make_tensor_value_info(name, kind, shape)
