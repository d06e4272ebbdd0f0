"""OpenL3 windows per second: ``python -m benchmarks.openl3``.

The limit is a float32 matrix product of the same machine. A window takes 20.4 GFLOP in mel256 and
10.2 in mel128, counted as multiplications and additions of plain convolutions; Winograd's need
fewer. Beside our engines stands onnxruntime on the same layers, and beside soxr resampy, where it
is installed. Weights are random: speed does not depend on them.
"""

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np

from benchmarks.measure import Row, apart, cost, not_measured, product_gflops, run, seconds_of
from skasd.features._training.backend import import_keras
from skasd.features.openl3._engines import KerasEngine, NcnnEngine
from skasd.features.openl3._frontend import network_input, split_windows
from skasd.features.openl3._network import INPUT_SHAPES, build_network, expected_shapes

N_WINDOWS = 16


def random_network(input_repr):
    rng = np.random.default_rng(0)
    weights = {
        name: rng.uniform(0.5, 1.5, shape)
        if "norm" in name
        else rng.normal(0, 0.05, shape).astype(np.float32)
        for name, shape in expected_shapes().items()
    }
    return build_network(weights, input_repr, 512)


def gflop_per_window(network):
    """Count multiplications and additions of the convolutions."""
    height, width = network.input_shape
    total = 0
    for convolution in network.convolutions:
        total += 2 * height * width * convolution.kernel.size
        if convolution.halve:
            height, width = height // 2, width // 2
    return total / 1e9


class OnnxEngine:
    """The same layers in onnxruntime."""

    def __init__(self, network):
        import onnx
        import onnxruntime

        nodes, constants, blob = [], [], "input"
        for i, convolution in enumerate(network.convolutions):
            kernel = np.ascontiguousarray(convolution.kernel.transpose(3, 2, 0, 1))
            constants += [
                onnx.numpy_helper.from_array(kernel, f"kernel_{i}"),
                onnx.numpy_helper.from_array(convolution.bias, f"bias_{i}"),
            ]
            inputs = [blob, f"kernel_{i}", f"bias_{i}"]
            nodes.append(onnx.helper.make_node("Conv", inputs, [f"conv_{i}"], pads=[1] * 4))
            blob = f"conv_{i}"
            if convolution.relu:
                nodes.append(onnx.helper.make_node("Relu", [blob], [f"relu_{i}"]))
                blob = f"relu_{i}"
            if convolution.halve:
                pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
                nodes.append(onnx.helper.make_node("MaxPool", [blob], [f"pool_{i}"], **pool))
                blob = f"pool_{i}"
        pool = {"kernel_shape": network.pooling, "strides": network.pooling}
        nodes.append(onnx.helper.make_node("MaxPool", [blob], ["output"], **pool))
        value = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            nodes,
            "openl3",
            [value("input", onnx.TensorProto.FLOAT, [1, 1, *network.input_shape])],
            [value("output", onnx.TensorProto.FLOAT, None)],
            constants,
        )
        opset = [onnx.helper.make_opsetid("", 17)]
        model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
        self.network = network
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )

    def embed(self, spectrograms):
        """Compute the embedding of each window."""
        scale, shift = np.float32(self.network.scale), np.float32(self.network.shift)
        outputs = [
            self._session.run(None, {"input": (scale * each + shift)[np.newaxis, np.newaxis]})[0]
            for each in spectrograms
        ]
        return np.array([np.moveaxis(each[0], 0, -1).ravel() for each in outputs])


def seconds_per_window(engine, windows) -> float:
    """Return the fastest of three runs."""
    engine.embed(windows[:2])
    return min(seconds_of(lambda: engine.embed(windows)) for _ in range(3)) / len(windows)


def measure_engines(input_repr: str) -> list[Row]:
    """Measure all engines on the same windows, in this process."""
    import_keras()
    product = product_gflops()
    network = random_network(input_repr)
    shape = (N_WINDOWS, *INPUT_SHAPES[input_repr])
    windows = np.random.default_rng(0).uniform(-80, 0, shape).astype(np.float32)
    engines = {
        "skasd with ncnn, the default": NcnnEngine(network),
        "onnxruntime, the same layers": OnnxEngine(network),
        "skasd with Keras on JAX": KerasEngine(network),
    }
    reference = engines["skasd with ncnn, the default"].embed(windows[:2])
    rows = []
    for name, engine in engines.items():
        error = np.linalg.norm(engine.embed(windows[:2]) - reference) / np.linalg.norm(reference)
        seconds = seconds_per_window(engine, windows)
        rows.append(
            Row(
                part="c",
                what=f"OpenL3 {input_repr}, {name}",
                value=1 / seconds,
                unit="windows/s",
                ratio=gflop_per_window(network) / seconds / product,
                ratio_of="of the product's speed",
                note=f"differs from ncnn by {error:.0e}",
            )
        )
    return rows


def clip_memory() -> float:
    """Return the MB that 10 s at hop 0.1 take above the imports, the network included."""
    network_input(np.zeros((1, 48000), np.float32), "mel256", "kapre")
    import librosa  # noqa: F401
    import ncnn  # noqa: F401

    with cost() as spent:
        engine = NcnnEngine(random_network("mel256"))
        samples = np.random.default_rng(0).uniform(-0.1, 0.1, 480_000).astype(np.float32)
        engine.embed(network_input(split_windows(samples, 0.1, True), "mel256", "kapre"))
    return spent.megabytes


def resampling() -> dict[str, float]:
    """Return the seconds that soxr, and resampy where it is installed, take for 60 s of sound."""
    import soxr

    samples = np.random.default_rng(0).standard_normal(16000 * 60).astype(np.float32)
    methods = {"soxr HQ": lambda: soxr.resample(samples, 16000, 48000)}
    try:
        import resampy
    except ImportError:
        pass
    else:
        methods["resampy kaiser_best"] = lambda: resampy.resample(samples, 16000, 48000)
    times = {}
    for name, method in methods.items():
        method()
        times[name] = seconds_of(method)
    return times


def rows() -> Iterator[Row]:
    """Measure the engines, a clip's memory, and resampling."""
    for input_repr in ("mel256", "mel128"):
        yield from apart(measure_engines, input_repr)
    if find_spec("openl3") is None:
        yield not_measured(
            part="c",
            what="OpenL3 mel256, the openl3 package",
            unit="windows/s",
            why="it does not install beside current Keras",
        )
    megabytes = apart(clip_memory)
    yield Row(
        part="c",
        what="memory of a clip of 10 s at hop 0.1 above the imports",
        value=megabytes,
        unit="MB",
        ratio=megabytes / (10 * 48000 * 4 / 1e6),
        ratio_of="of its samples",
    )
    times = apart(resampling)
    for name, seconds in times.items():
        yield Row(
            part="c",
            what=f"60 s from 16 to 48 kHz, {name}",
            value=seconds,
            unit="s",
            ratio=seconds / times["soxr HQ"],
            ratio_of="of soxr's time",
        )


if __name__ == "__main__":
    run(__doc__, rows)
