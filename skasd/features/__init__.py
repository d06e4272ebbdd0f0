"""From clips to spectrograms, and from these to features of each clip."""

from skasd._utils.public_names import claim_names
from skasd.exceptions import WeightsError
from skasd.features._base import ClipTransformer, SpectrogramTransformer
from skasd.features._frame_autoencoder import FrameAutoencoder
from skasd.features._interpolation_autoencoder import InterpolationAutoencoder
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._machine_id_embedding import MachineIDEmbedding
from skasd.features._principal_components import PrincipalComponents
from skasd.features._selective_mahalanobis_autoencoder import SelectiveMahalanobisAutoencoder
from skasd.features._spectrogram_statistics import SpectrogramStatistics
from skasd.features._time_weighted_pooling import TimeWeightedPooling
from skasd.features.openl3._openl3_embedding import OpenL3Embedding

__all__ = [
    "ClipTransformer",
    "FrameAutoencoder",
    "InterpolationAutoencoder",
    "LogMelSpectrogram",
    "MachineIDEmbedding",
    "OpenL3Embedding",
    "PrincipalComponents",
    "SelectiveMahalanobisAutoencoder",
    "SpectrogramStatistics",
    "SpectrogramTransformer",
    "TimeWeightedPooling",
    "WeightsError",
]

claim_names(__name__)
