"""Training of the interpolation autoencoder: ``python -m benchmarks.iae_fit``.

The limit is a float32 matrix product of the same machine. A training step takes 1.5 MFLOP a window
(250,000 weights, 2 operations each, forward, and twice that backward). Beside ours stand bare
Keras, `Model.fit` of the same layers with all windows laid out in memory, and scikit-learn's
`MLPRegressor`, which has no batch normalization. Each contender runs in a process of its own, on
the same data, in turn, and the faster of two runs counts.
"""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from benchmarks.measure import Row, apart, cost, not_measured, product_gflops, run, seconds_of
from skasd import InterpolationAutoencoder

N_WINDOWS, N_MELS, EPOCHS, REPEATS = 300_000, 128, 5, 2
ENCODER_UNITS = (256, 128, 64, 32)
HIDDEN_UNITS = (*ENCODER_UNITS, *reversed(ENCODER_UNITS[:-1]))
MFLOP_PER_WINDOW = 1.5


def spectrograms() -> list[np.ndarray]:
    """Return spectrograms with `N_WINDOWS` windows of five frames."""
    rng = np.random.default_rng(0)
    return [8 * rng.standard_normal((304, N_MELS), dtype=np.float32) - 30 for _ in range(1000)]


def windows(clips: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Lay out what the network sees, and what it predicts."""
    views = [np.lib.stride_tricks.sliding_window_view(clip, 5, axis=0) for clip in clips]
    inputs = np.concatenate(
        [view[:, :, [0, 1, 3, 4]].transpose(0, 2, 1).reshape(len(view), -1) for view in views]
    )
    return inputs, np.concatenate([view[:, :, 2] for view in views])


def fit_skasd(clips) -> float:
    autoencoder = InterpolationAutoencoder(ENCODER_UNITS, epochs=EPOCHS, random_state=0)
    return seconds_of(lambda: autoencoder.fit(clips))


def fit_two(clips) -> float:
    """Return the seconds for each of two that train at the same time."""
    autoencoders = [
        InterpolationAutoencoder(ENCODER_UNITS, epochs=EPOCHS, random_state=seed)
        for seed in range(2)
    ]
    with ThreadPoolExecutor(2) as pool:
        return seconds_of(lambda: list(pool.map(lambda each: each.fit(clips), autoencoders))) / 2


def fit_keras(clips) -> float:
    import keras

    inputs, targets = windows(clips)
    network = keras.Sequential([keras.Input((4 * N_MELS,))])
    for units in HIDDEN_UNITS:
        network.add(keras.layers.Dense(units))
        network.add(keras.layers.BatchNormalization())
        network.add(keras.layers.ReLU())
    network.add(keras.layers.Dense(N_MELS))
    network.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    return seconds_of(
        lambda: network.fit(inputs, targets, batch_size=512, epochs=EPOCHS, verbose=0)
    )


def fit_scikit_learn(clips) -> float:
    inputs, targets = windows(clips)
    # Standardised: without batch normalization it would not learn from decibels.
    inputs, targets = (inputs + 30) / 8, (targets + 30) / 8
    network = MLPRegressor(
        hidden_layer_sizes=HIDDEN_UNITS,
        batch_size=512,
        alpha=0.0,
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS + 1,
    )
    warnings.simplefilter("ignore", ConvergenceWarning)  # five epochs are few
    return seconds_of(lambda: network.fit(inputs, targets))


CONTENDERS = {
    "skasd on JAX": (fit_skasd, "jax"),
    "skasd on JAX, each of two at a time": (fit_two, "jax"),
    "skasd on TensorFlow": (fit_skasd, "tensorflow"),
    "skasd on PyTorch": (fit_skasd, "torch"),
    "bare Keras on JAX": (fit_keras, "jax"),
    "bare Keras on TensorFlow": (fit_keras, "tensorflow"),
    "bare Keras on PyTorch": (fit_keras, "torch"),
    "scikit-learn's MLPRegressor": (fit_scikit_learn, None),
}


@dataclass
class Fit:
    """What a fit takes, the MB above the clips, and the speed of the product just before it."""

    seconds: float
    megabytes: float
    product_gflops: float


def measure(name: str) -> Fit:
    """Fit once."""
    fit, backend = CONTENDERS[name]
    if backend:
        import keras

        keras.ops.zeros(1)  # starts the backend, which is not part of the fit
    gflops = product_gflops()
    clips = spectrograms()
    with cost() as spent:
        seconds = fit(clips)
    return Fit(seconds=seconds, megabytes=spent.megabytes, product_gflops=gflops)


def rows() -> Iterator[Row]:
    """Measure all contenders in turn."""
    fits, missing = {name: [] for name in CONTENDERS}, {}
    for _ in range(REPEATS):
        for name, (_, backend) in CONTENDERS.items():
            environment = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"} if backend else {}
            try:
                fits[name].append(apart(measure, name, **environment))
            except ImportError as error:
                missing[name] = error
    product = max(fit.product_gflops for of_name in fits.values() for fit in of_name)
    yield Row(part="a", what="float32 product of 2048 x 2048", value=product, unit="GFLOP/s")
    for name in CONTENDERS:
        what = f"IAE fit, {name}"
        if name in missing:
            yield not_measured(part="a", what=what, unit="s", why=missing[name])
            continue
        seconds = min(fit.seconds for fit in fits[name])
        megabytes = min(fit.megabytes for fit in fits[name])
        gflops = MFLOP_PER_WINDOW * N_WINDOWS * EPOCHS / seconds / 1e3
        yield Row(
            part="a",
            what=what,
            value=seconds,
            unit="s",
            ratio=gflops / product,
            ratio_of="of the product's speed",
            note=f"{megabytes:.0f} MB above the data",
        )


if __name__ == "__main__":
    print(f"{N_WINDOWS} windows of {N_MELS} bands, {EPOCHS} epochs\n")
    run(__doc__, rows)
