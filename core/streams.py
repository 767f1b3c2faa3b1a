"""Random streams that depend on a concept's seed, the step and the purpose alone.

Noise, template, parent image and drawing have separate streams. So a concept is the same alone and in a batch, and
resuming needs only the number of the step.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream_seed(seed: int, step: int, purpose: str) -> int:
    """A seed below 2**63 for one purpose at one step."""
    digest = hashlib.sha256(f"{seed}/{step}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def stream(seed: int, step: int, purpose: str) -> np.random.Generator:
    """A generator for one purpose at one step."""
    return np.random.default_rng(stream_seed(seed, step, purpose))
