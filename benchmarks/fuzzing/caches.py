"""Entries of the cache of embeddings."""

import hashlib
import random
import shutil
from pathlib import Path

import numpy as np

from benchmarks.fuzzing.kind import Files, Kind, MistakenError
from benchmarks.fuzzing.mutations import change_bytes
from skasd.features._embedding_cache import EmbeddingCache

SHAPE = (4, 8)
SAMPLES = np.zeros(100, np.float32)
COMPUTED = np.arange(32, dtype=np.float32).reshape(SHAPE)


class Caches(Kind):
    """Entries that were damaged, must be computed anew; forged ones, if they cannot be right."""

    name = "caches"
    share = 1
    most_megabytes = 50

    def __init__(self, folder: Path):
        super().__init__(folder)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        self._cache = EmbeddingCache(folder / "cache")
        self._fetch()
        (self._path,) = (folder / "cache").rglob("*.f32")
        self._honest = self._path.read_bytes()

    def _fetch(self) -> np.ndarray:
        return self._cache.fetch(SAMPLES, (), SHAPE, COMPUTED.copy)

    def make(self, rng: random.Random) -> Files:
        """Return an entry: damaged, or other numbers with a digest that is right."""
        if rng.random() < 0.5:
            return {"damaged": change_bytes(self._honest, rng, head=len(self._honest))}
        numbers = change_bytes(self._honest[32:], rng, head=128)
        return {"forged": hashlib.sha256(self._path.stem.encode() + numbers).digest() + numbers}

    def read(self, files: Files, folder: Path) -> None:
        """Fetch what the entry is of."""
        ((name, content),) = files.items()
        self._path.write_bytes(content)
        for _ in range(2):
            embeddings = self._fetch()
            if embeddings.shape != SHAPE or not np.isfinite(embeddings).all():
                raise MistakenError("an entry that cannot be right")
            if name == "damaged" and not np.array_equal(embeddings, COMPUTED):
                raise MistakenError("a damaged entry")
