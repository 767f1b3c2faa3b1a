"""What parents look like, drawn once: portraits/<concept id>.safetensors in the run, which may be removed at will."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from core.concept import Array, Concept, RequestError, frozen_array
from core.depict import check_stack
from core.files import StorageError, write_atomically
from evolve.operators import parent_images
from evolve.store.run import Run

PORTRAITS = "portraits"
_ID = re.compile(r"[0-9a-f]{16}")


def portraits(run: Run, concept: Concept, backbone: Any, images: int = 32, keep: int = 4, drawn: bool = True) -> Array:
    """Image embeddings [keep, width] of a parent, see `parent_images`; from the run if they are there already."""
    check_stack(backbone, concept)
    file = run.folder / PORTRAITS / f"{concept.id}.safetensors"
    key = _key(concept, backbone, images, keep, drawn)
    found = _stored(file, key, (keep, backbone.width))
    if found is not None:
        return found
    embeds = parent_images(concept, backbone, images, keep, drawn)
    if _ID.fullmatch(concept.id):
        with suppress(StorageError):  # it only saves time, and the disk may be full
            content = save({"image_embeds": embeds}, {"key": key, "sha256": _digest(embeds)})
            write_atomically(file, content, within=run.folder)
    return embeds


def are_known(run: Run, concept: Concept, backbone: Any, images: int = 32, keep: int = 4, drawn: bool = True) -> bool:
    """Whether `portraits` need not be drawn."""
    file = run.folder / PORTRAITS / f"{concept.id}.safetensors"
    return _stored(file, _key(concept, backbone, images, keep, drawn), (keep, backbone.width)) is not None


def _key(concept: Concept, backbone: Any, images: int, keep: int, drawn: bool) -> str:
    """All that the portraits depend on."""
    vectors = hashlib.sha256(concept.vectors.tobytes()).hexdigest()[:16]
    by = backbone.drawing_fingerprint if drawn else ""
    return json.dumps([concept.id, vectors, backbone.fingerprint, by, images, keep])


def _digest(embeds: Array) -> str:
    return hashlib.sha256(np.asarray(embeds, np.float32).tobytes()).hexdigest()


def _stored(file: Path, key: str, shape: tuple[int, int]) -> Array | None:
    try:
        with safe_open(file, framework="np") as opened:
            about = opened.metadata() or {}
            if about.get("key") != key:
                return None
            embeds = frozen_array(opened.get_tensor("image_embeds"), 2, "portraits")
            if about.get("sha256", _digest(embeds)) != _digest(embeds):  # earlier versions kept no digest
                return None
    except (OSError, SafetensorError, RequestError, ValueError):
        return None
    return np.array(embeds) if embeds.shape == shape else None
