"""Training of the network that tells machines apart."""

from collections.abc import Sequence

import numpy as np

from skasd.features._convolutional_network import KERNEL, STRIDE, ConvolutionalNetwork, MixedClips
from skasd.features._training.dense import glorot_uniform, import_keras
from skasd.features._training.program import fit_batches


def train_machine_classifier(
    batches: MixedClips,
    *,
    channels: Sequence[int],
    embedding_size: int,
    scale: float,
    margin: float,
    learning_rate: float,
    epochs: int,
    random_state: np.random.RandomState,
    verbose: int,
) -> tuple[ConvolutionalNetwork, list[float]]:
    """Train a network to tell machines apart with an angular margin (ArcFace).

    Parameters
    ----------
    batches : MixedClips
        Inputs and targets.
    channels : sequence of int
        Channels of each convolution.
    embedding_size : int
        Units of the dense layer.
    scale, margin : float
        Of the loss; the margin is in radians.
    learning_rate : float
        Adam's at the beginning; it falls to 0 like a cosine.
    epochs : int
        Passes over the clips.
    random_state : RandomState
        Source of the initial weights; nothing global is seeded.
    verbose : int
        Whether to show a progress bar over epochs.

    Returns
    -------
    network : ConvolutionalNetwork
        The network up to the embedding.
    loss_curve : list of float
        Mean loss in each epoch.

    Raises
    ------
    ValueError
        Where the loss is not finite in some epoch.
    """
    keras = import_keras()
    layers, ops = keras.layers, keras.ops
    inputs, targets = batches[0]

    class Cosines(layers.Layer):
        """Cosines between the embedding and a direction for each machine."""

        def build(self, shape):
            self.directions = self.add_weight(
                shape=(shape[-1], targets.shape[1]),
                initializer=glorot_uniform(keras, random_state),
            )

        def call(self, embedding):
            return ops.normalize(embedding) @ ops.normalize(self.directions, axis=0)

    def angular_margin_loss(target, cosine):
        angle = ops.arccos(ops.clip(cosine, -1 + 1e-6, 1 - 1e-6))
        logits = scale * ops.cos(ops.minimum(angle + margin * target, np.pi))
        return ops.categorical_crossentropy(target, logits, from_logits=True)

    network = keras.Sequential([keras.Input(inputs.shape[1:])])
    convolutions, norms = [], []
    for n_channels in channels:
        convolution = layers.Conv2D(
            n_channels,
            KERNEL,
            strides=STRIDE,
            padding="same",
            use_bias=False,
            kernel_initializer=glorot_uniform(keras, random_state),
        )
        # The default momentum of 0.99 is too slow for a few hundred steps.
        norm = layers.BatchNormalization(momentum=0.9)
        convolutions.append(convolution)
        norms.append(norm)
        for layer in (convolution, norm, layers.ReLU()):
            network.add(layer)
    shape = network.output_shape
    dense = layers.Dense(embedding_size, kernel_initializer=glorot_uniform(keras, random_state))
    network.add(layers.AveragePooling2D((shape[1], 1)))
    for layer in (layers.Flatten(), dense, Cosines()):
        network.add(layer)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(batches))
    network.compile(optimizer=keras.optimizers.Adam(schedule), loss=angular_margin_loss)
    loss_curve = fit_batches(
        keras, network, batches, epochs=epochs, learning_rate=learning_rate, verbose=verbose
    )
    kernels, biases = [], []
    for convolution, norm in zip(convolutions, norms, strict=True):
        gamma, beta, mean, variance = norm.get_weights()
        factor = gamma / np.sqrt(variance + norm.epsilon)
        kernels.append(convolution.get_weights()[0] * factor)
        biases.append(beta - mean * factor)
    return ConvolutionalNetwork(kernels, biases, *dense.get_weights()), loss_curve
