"""From clips to spectrograms, and from spectrograms to the features of each clip."""

from skasd._utils.public_names import claim_names
from skasd.exceptions import WeightsError
from skasd.features._clip_transformer import ClipTransformer
from skasd.features._frame_autoencoder import FrameAutoencoder
from skasd.features._interpolation_autoencoder import InterpolationAutoencoder
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._machine_id_embedding import MachineIDEmbedding
from skasd.features._power_spectrum import PowerSpectrum
from skasd.features._principal_components import PrincipalComponents
from skasd.features._selective_mahalanobis_autoencoder import SelectiveMahalanobisAutoencoder
from skasd.features._spectrogram_statistics import SpectrogramStatistics
from skasd.features._spectrogram_transformer import SpectrogramTransformer
from skasd.features._spectrum_embedding import SpectrumEmbedding
from skasd.features._time_weighted_pooling import TimeWeightedPooling
from skasd.features.encoders._by_name import make_encoder
from skasd.features.encoders._callable_encoder import CallableEncoder
from skasd.features.encoders._front_ends import FRONT_ENDS
from skasd.features.encoders._onnx_encoder import ONNXEncoder
from skasd.features.openl3._openl3_embedding import OpenL3Embedding

__all__ = [
    "FRONT_ENDS",
    "CallableEncoder",
    "ClipTransformer",
    "FrameAutoencoder",
    "InterpolationAutoencoder",
    "LogMelSpectrogram",
    "MachineIDEmbedding",
    "ONNXEncoder",
    "OpenL3Embedding",
    "PowerSpectrum",
    "PrincipalComponents",
    "SelectiveMahalanobisAutoencoder",
    "SpectrogramStatistics",
    "SpectrogramTransformer",
    "SpectrumEmbedding",
    "TimeWeightedPooling",
    "WeightsError",
    "make_encoder",
]

claim_names(__name__)
