"""Autoencoders over windows of spectrogram frames, trained with Keras and run without it."""

from skasd.autoencoder.frame import FrameAutoencoder
from skasd.autoencoder.interpolation import InterpolationAutoencoder

__all__ = ["FrameAutoencoder", "InterpolationAutoencoder"]
