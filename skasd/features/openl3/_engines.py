"""Engines that run the network: ncnn on a CPU, Keras on a GPU."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np

from skasd._utils.packages import needed_for
from skasd.features.openl3._network import Network

WINDOWS_IN_TURN = 32
"""Number of windows whose spectrograms are made before ncnn runs: 6.5 MB."""


class Engine(ABC):
    """Computes embeddings with one network; several threads may share an engine.

    Parameters
    ----------
    network : Network
        The network to run.
    n_threads : int or None, default=None
        Number of threads for one call, if the engine accepts one; None lets the engine choose.
    """

    def __init__(self, network: Network, n_threads: int | None = None):
        self.network = network

    @abstractmethod
    def embed(self, spectrograms: Iterable[np.ndarray]) -> np.ndarray:
        """Compute the embedding of each window.

        Parameters
        ----------
        spectrograms : iterable of ndarrays of shape (n_bands, n_frames), float32
            From `skasd.features.openl3._frontend.network_input`.

        Returns
        -------
        ndarray of shape (n_windows, embedding_size), float32
        """


class NcnnEngine(Engine):
    """Runs the network with ncnn, in float32, window by window.

    Parameters
    ----------
    network : Network
        The network to run.
    n_threads : int or None, default=None
        Number of threads for one window; None is ncnn's own choice, the number of cores.
    """

    def __init__(self, network: Network, n_threads: int | None = None):
        super().__init__(network, n_threads)
        with needed_for("OpenL3Embedding"):
            import ncnn

        self._ncnn = ncnn
        self._net = ncnn.Net()
        options = self._net.opt
        options.use_vulkan_compute = False
        # Half precision would halve the memory, and lose three digits.
        for half in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
            setattr(options, f"use_{half}", False)
        if n_threads is not None:
            options.num_threads = n_threads
        parameters, self._weights = _ncnn_model(network)
        if self._net.load_param_mem(parameters) != 0:
            raise RuntimeError("ncnn does not accept the network. Use engine='keras'.")
        self._net.load_model_mem(self._weights)

    def embed(self, spectrograms: Iterable[np.ndarray]) -> np.ndarray:
        """Compute the embedding of each window; see `Engine`."""
        embeddings: list[np.ndarray] = []
        spectrograms = iter(spectrograms)
        # In turns: if windows were processed one by one, BLAS' threads, which make a spectrogram,
        # and ncnn's would spend longer waiting for each other than working.
        while turn := list(islice(spectrograms, WINDOWS_IN_TURN)):
            embeddings += map(self._embed_window, turn)
        return np.array(embeddings, dtype=np.float32)

    def _embed_window(self, spectrogram: np.ndarray) -> np.ndarray:
        standardized = self.network.scale * spectrogram + self.network.shift
        window = np.ascontiguousarray(standardized[np.newaxis], dtype=np.float32)
        with self._net.create_extractor() as extractor:
            extractor.input("input", self._ncnn.Mat(window))
            _, output = extractor.extract("output")
        # ncnn puts channels first, but the embeddings of the openl3 package have them last.
        return np.moveaxis(np.array(output), 0, -1).ravel()


def _ncnn_model(network: Network) -> tuple[str, bytes]:
    """Write the network in ncnn's text format, and its weights one after another."""
    layers, weights = ["Input input 0 1 input"], []
    blob = "input"

    def add(kind: str, name: str, parameters: str) -> None:
        nonlocal blob
        output = "output" if name == "final" else name
        layers.append(f"{kind} {name} 1 1 {blob} {output} {parameters}")
        blob = output

    for i, convolution in enumerate(network.convolutions):
        kernel = convolution.kernel.transpose(3, 2, 0, 1)
        activation = int(convolution.relu)
        add(
            "Convolution",
            f"conv_{i}",
            f"0={kernel.shape[0]} 1=3 4=1 5=1 6={kernel.size} 9={activation}",
        )
        # A leading zero marks a kernel stored as plain float32.
        weights += [np.zeros(1), kernel, convolution.bias]
        if convolution.halve:
            add("Pooling", f"pool_{i}", "0=0 1=2 2=2 5=1")
    height, width = network.pooling
    add("Pooling", "final", f"0=0 1={width} 11={height} 2={width} 12={height} 5=1")
    parameters = "\n".join(["7767517", f"{len(layers)} {len(layers)}", *layers, ""])
    return parameters, b"".join(np.ascontiguousarray(w, dtype="<f4").tobytes() for w in weights)


class KerasEngine(Engine):
    """Runs the network with Keras, on any backend, `batch_size` windows at a time: for a GPU.

    Parameters
    ----------
    network : Network
        The network to run.
    n_threads : int or None, default=None
        Has no effect: a backend's threads are set when it starts.
    batch_size : int, default=32
        Number of windows in one call.
    """

    def __init__(self, network: Network, n_threads: int | None = None, batch_size: int = 32):
        super().__init__(network, n_threads)
        self.batch_size = batch_size
        self._model = _keras_model(network)

    def embed(self, spectrograms: Iterable[np.ndarray]) -> np.ndarray:
        """Compute the embedding of each window; see `Engine`."""
        windows = np.array(list(spectrograms), dtype=np.float32)[..., np.newaxis]
        return self._model.predict(windows, batch_size=self.batch_size, verbose=0)


def _keras_model(network: Network) -> Any:
    """Build the network in Keras: (n_windows, n_bands, n_frames, 1) → (n_windows, size)."""
    # Imported late, and from the only module that imports Keras.
    from skasd.features._training.backend import import_keras

    keras = import_keras()
    layers = keras.layers
    model = keras.Sequential([keras.Input((*network.input_shape, 1))])
    model.add(layers.Rescaling(network.scale, network.shift))
    for convolution in network.convolutions:
        layer = layers.Conv2D(
            convolution.kernel.shape[-1],
            3,
            padding="same",
            activation="relu" if convolution.relu else None,
        )
        model.add(layer)
        layer.set_weights([convolution.kernel, convolution.bias])
        if convolution.halve:
            model.add(layers.MaxPooling2D())
    model.add(layers.MaxPooling2D(network.pooling, padding="same"))
    model.add(layers.Flatten())
    return model


ENGINES = {"ncnn": NcnnEngine, "keras": KerasEngine}
