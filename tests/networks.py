"""Embeddings as if fitted, with random weights: training would take its time."""

from itertools import pairwise

import numpy as np

from skasd import MachineIDEmbedding, SpectrumEmbedding


def machine_id_embedding(n_mels):
    rng = np.random.default_rng(0)
    embedding = MachineIDEmbedding((4, 6), embedding_size=5)
    layers = [(1, 4), (4, 6)]
    embedding.kernels_ = [weights(rng, 3, 3, *ends) for ends in layers]
    embedding.biases_ = [weights(rng, n_channels) for _, n_channels in layers]
    n_bands = -(-n_mels // 4)
    embedding.coefs_, embedding.intercepts_ = weights(rng, n_bands * 6, 5), weights(rng, 5)
    return as_if_fitted(embedding, n_mels)


def spectrum_embedding(n_bins):
    """Make one of at most 8192 bins, of which the convolutions leave a single step."""
    rng = np.random.default_rng(0)
    embedding = SpectrumEmbedding(4, hidden_units=(6,), embedding_size=3)
    layers = [(256, 1, 4), (64, 4, 4), (16, 4, 4)]
    embedding.kernels_ = [weights(rng, *shape) for shape in layers]
    embedding.biases_ = [weights(rng, 4) for _ in layers]
    units = list(pairwise([4, 6, 3]))
    embedding.coefs_ = [weights(rng, *ends) for ends in units]
    embedding.intercepts_ = [weights(rng, n_out) for _, n_out in units]
    return as_if_fitted(embedding, n_bins)


def weights(rng, *shape):
    # So that activations neither grow nor vanish.
    return (rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]) or 1)).astype(np.float32)


def as_if_fitted(embedding, n_features):
    embedding.n_features_in_ = n_features
    embedding.mean_ = np.full(n_features, -30, np.float32)
    embedding.scale_ = np.full(n_features, 6, np.float32)
    embedding.classes_, embedding.loss_curve_ = np.array(["fan", "pump"]), [1.0]
    return embedding
