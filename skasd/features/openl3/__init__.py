"""OpenL3 embeddings without TensorFlow, kapre or the openl3 package."""

from skasd.features.openl3._openl3_embedding import OpenL3Embedding

__all__ = ["OpenL3Embedding"]
