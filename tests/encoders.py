"""ONNX files and weights of PyTorch for tests of encoders, made by onnx's own helper."""

import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from io import BytesIO

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def save_model(path, nodes, inputs, outputs, constants=(), *, opsets=(), metadata=None):
    """Write a model and return its path."""
    arrays = [numpy_helper.from_array(array, name) for name, array in dict(constants).items()]
    graph = helper.make_graph(nodes, "test", inputs, outputs, arrays)
    versions = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(each, 1) for each in opsets)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=8)
    if metadata:
        helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def waveform_model(path, *, n_windows="n", n_samples="t", metadata=None):
    """Write a model of clips: mean squares of 4, 3 of them in a frame, and the peak of a window."""
    nodes = [
        helper.make_node("Mul", ["clip", "clip"], ["squares"]),
        helper.make_node("Unsqueeze", ["squares", "axis"], ["channel"]),
        helper.make_node(
            "Conv", ["channel", "kernels"], ["channels"], kernel_shape=[4], strides=[4]
        ),
        helper.make_node("Transpose", ["channels"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("ReduceMax", ["clip"], ["peak"], axes=[1]),
    ]
    kernels = np.zeros((3, 1, 4), np.float32)
    kernels[0] = 0.25
    kernels[1, 0, 0] = kernels[2, 0, 3] = 1
    constants = {"axis": np.array([1]), "kernels": kernels}
    outputs = [value("frames", [n_windows, "frames", 3]), value("peak", [n_windows, 1])]
    inputs = [value("clip", [n_windows, n_samples])]
    return save_model(path, nodes, inputs, outputs, constants, metadata=metadata)


def spectrogram_model(path, *, shape=("n", 1, 8, "t"), maps="maps"):
    """Write a model of spectrograms: means and sums of pairs of bands, as two channels."""
    kernels = np.zeros((2, 1, 2, 1), np.float32)
    kernels[0], kernels[1] = 0.5, 1
    nodes = [
        helper.make_node("Conv", ["mel", "kernels"], [maps], kernel_shape=[2, 1], strides=[2, 1]),
        helper.make_node("ReduceMean", [maps], ["last"], axes=[2, 3], keepdims=0),
    ]
    outputs = [value(maps, [shape[0], 2, shape[2] // 2, shape[3]]), value("last", [shape[0], 2])]
    return save_model(path, nodes, [value("mel", shape)], outputs, {"kernels": kernels})


def save_torch(path, state, monkeypatch):
    """Write arrays as ``torch.save`` writes a state, without PyTorch."""

    def named(name, module):
        each = type(name, (), {"__module__": module})
        setattr(sys.modules[module], name, each)
        return each

    for module in ("torch", "torch._utils"):
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    kinds = {"f": named("FloatStorage", "torch"), "i": named("LongStorage", "torch")}

    def rebuild(*arguments):
        raise AssertionError(arguments)

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    sys.modules["torch._utils"]._rebuild_tensor_v2 = rebuild

    class Storage:
        def __init__(self, array):
            self.array = array

    class Tensor:
        def __init__(self, array):
            self.array = array

        def __reduce__(self):
            strides = tuple(each // self.array.itemsize for each in self.array.strides)
            storage = Storage(self.array)
            return rebuild, (storage, 0, self.array.shape, strides, False, OrderedDict())

    with zipfile.ZipFile(path, "w") as archive:

        class Writer(pickle.Pickler):
            def persistent_id(self, each):
                if not isinstance(each, Storage):
                    return None
                key = str(len(archive.namelist()))
                archive.writestr(f"archive/data/{key}", each.array.tobytes())
                return "storage", kinds[each.array.dtype.kind], key, "cpu", each.array.size

        content = BytesIO()
        tensors = OrderedDict((name, Tensor(array)) for name, array in state.items())
        tensors._metadata = OrderedDict({"": {"version": 1}})
        Writer(content, protocol=2).dump(tensors)
        archive.writestr("archive/data.pkl", content.getvalue())
        archive.writestr("archive/version", "3\n")
    return path


def efficientat_state(path):
    """Return the weights in the shared ONNX file by the names that EfficientAT gives them.

    Its batch norms are folded into convolutions: here are others that change nothing.
    """
    graph = onnx.load(path).graph
    arrays = [numpy_helper.to_array(each) for each in graph.initializer]
    convolutions = iter(zip(arrays[::2], arrays[1::2], strict=True))
    state = OrderedDict()

    def convolution(name):
        kernel, bias = next(convolutions)
        state[f"{name}.0.weight"] = kernel
        state[f"{name}.1.weight"] = np.full(len(bias), np.sqrt(1.001), np.float32)
        state[f"{name}.1.bias"] = bias
        state[f"{name}.1.running_mean"] = np.zeros(len(bias), np.float32)
        state[f"{name}.1.running_var"] = np.ones(len(bias), np.float32)
        state[f"{name}.1.num_batches_tracked"] = np.array(7)

    convolution("features.0")
    for block in range(1, 16):
        parts = ["conv"] if block == 1 else ["conv", "conv"]
        parts += ["excite"] if block in (4, 5, 6, 11, 12, 13, 14, 15) else []
        for part, kind in enumerate([*parts, "conv"]):
            name = f"features.{block}.block.{part}"
            if kind == "conv":
                convolution(name)
                continue
            for layer in ("fc1", "fc2"):
                kernel, bias = next(convolutions)
                layer_name = f"{name}.conc_se_layers.0.{layer}"
                state[f"{layer_name}.weight"] = kernel[:, :, 0, 0]
                state[f"{layer_name}.bias"] = bias
    convolution("features.16")
    assert next(convolutions, None) is None
    return state
