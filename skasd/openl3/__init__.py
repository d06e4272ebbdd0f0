"""OpenL3 embeddings without TensorFlow, kapre or the openl3 package."""

from skasd.openl3.embedding import OpenL3Embedding

__all__ = ["OpenL3Embedding"]
