"""Embeddings without a model: texts that share words lie close to each other."""

import hashlib
import math
import re

DEFAULT_DIMENSIONS = 768
MAX_DIMENSIONS = 4096


def embed(text: str, dimensions: int) -> list[float]:
    """Return a vector of length one: each word counts in one place, chosen by its digest (feature hashing)."""
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [""]:
        digest = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
        vector[(digest >> 1) % dimensions] += 1.0 if digest & 1 else -1.0
    length = math.sqrt(math.fsum(value * value for value in vector))
    if length == 0.0:  # Two words can cancel each other.
        return [1.0] + [0.0] * (dimensions - 1)
    return [value / length for value in vector]
