"""Embeddings in and out: a token and its vectors, in the forms that tools for textual inversion read.

    safetensors   .safetensors   {token: [k, d]}, provenance in the metadata
    diffusers     .bin           {token: [d] or [k, d]}
    a1111         .pt            {"string_to_param": {"*": [k, d]}, "name": token, …}
                  .safetensors   {"clip_g": [k, 1280], "clip_l": [k, 768]}, for SDXL's width
    conceptlab    .pt            {"t2": {token: [d] or [k, d]}}
    npz           .npz           vectors [k, d]; token and provenance as JSON

A file may come from a stranger. Size, entries, keys, shapes and types are checked before any number is read. `.pt` and
`.bin` files are pickles: they are only read by torch.load(weights_only=True), after a scan that finds no names in them
but those of plain tensors. docs/formats.md describes the forms.

Image embeddings, which the prior imagines of a concept, are only written (`core.exchange.images`).

Importing this package does not import torch; reading and writing an embedding does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.exchange.embedding import (
    CLIP_G,
    CLIP_H,
    CLIP_L,
    FORMS,
    LARGEST_FILE,
    LARGEST_PROVENANCE,
    OURS,
    SCHEMA,
    TOKEN_SPACES,
    Embedding,
    ExchangeError,
    check_file,
    provenance_of,
    readers,
    suffix,
)
from core.exchange.images import IMAGE_FORMS, ImageEmbeds, image_files, image_readers, write_image_embeds
from core.files import write_atomically

__all__ = [
    "CLIP_G",
    "CLIP_H",
    "CLIP_L",
    "FORMS",
    "IMAGE_FORMS",
    "LARGEST_FILE",
    "LARGEST_PROVENANCE",
    "TOKEN_SPACES",
    "Embedding",
    "ExchangeError",
    "ImageEmbeds",
    "image_files",
    "image_readers",
    "read_embedding",
    "read_sidecar",
    "readers",
    "suffix",
    "write_embedding",
    "write_image_embeds",
    "write_sidecar",
]


def write_embedding(path: str | Path, embedding: Embedding, form: str = "safetensors") -> Path:
    """Write an embedding atomically to `path`, which must end with `suffix(form, embedding.width)`.

    Raises:
        ExchangeError: the form is unknown, or the path ends differently.
        StorageError: the file cannot be written.
    """
    from core.exchange.writing import encoded

    path, ending = Path(path), suffix(form, embedding.width)
    if path.suffix != ending:
        raise ExchangeError(f"{str(path)!r} does not fit the form {form}: choose a name that ends with {ending}")
    write_atomically(path, encoded(embedding, form))
    return path


def read_embedding(path: str | Path) -> Embedding:
    """The embedding in a file: in any of the forms, or as other tools write it (`learned_embeds`, `emb_params`).

    Raises:
        ExchangeError: the file is missing, damaged or too large, or does not hold one token's vectors; in one line.
    """
    from core.exchange.reading import read

    return read(Path(path))


def write_sidecar(path: str | Path, embedding: Embedding | ImageEmbeds, **facts: Any) -> Path:
    """Write a readable JSON file that describes an embedding: its shape, hash and provenance, and further `facts`."""
    path = Path(path)
    content = {OURS: SCHEMA, **facts, **embedding.shape, "sha256": embedding.digest, **embedding.provenance}
    # A stranger's provenance may hold what UTF-8 cannot; that is written as JSON's own \udXXX.
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace")
    write_atomically(path, text)
    return path


def read_sidecar(path: str | Path) -> dict[str, Any]:
    """A sidecar's content, with the "sha256" of the vectors; {} for JSON that Conceptree did not write.

    Raises:
        ExchangeError: the file is damaged, too large, or of a newer schema.
    """
    path = Path(path)
    try:
        check_file(path, LARGEST_PROVENANCE)
        return provenance_of(path.read_bytes())
    except (ExchangeError, OSError) as error:
        raise ExchangeError(
            f"the sidecar {str(path)!r} {error}; repair it, or move it away to go on without"
        ) from error
