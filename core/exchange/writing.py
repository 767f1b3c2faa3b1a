"""Writing an embedding in the forms that other tools read."""

from __future__ import annotations

import io
import json

import numpy as np
import torch
from safetensors.torch import save as to_safetensors

from core.exchange.embedding import CLIP_G, CLIP_L, LARGEST_PROVENANCE, OURS, SCHEMA, Embedding, ExchangeError
from core.exchange.images import ImageEmbeds


def encoded(embedding: Embedding, form: str) -> bytes:
    """The content of a file of that form."""
    token, vectors = embedding.token, torch.from_numpy(embedding.vectors.copy())
    flat = vectors[0] if len(vectors) == 1 else vectors  # one vector as [d], as published files have it
    about = _about(embedding, repr(token))
    if form == "safetensors":
        return to_safetensors({token: vectors}, {"format": "pt", OURS: about})
    if form == "a1111" and embedding.width == CLIP_G:
        # A1111 reads every key as a text encoder and needs both, so there is no room for the token.
        return to_safetensors({"clip_g": vectors, "clip_l": torch.zeros(len(vectors), CLIP_L)}, {"format": "pt"})
    file = io.BytesIO()
    if form == "npz":
        np.savez(file, vectors=embedding.vectors, token=json.dumps(token), about=about)
    elif form == "diffusers":
        torch.save({token: flat}, file)
    elif form == "conceptlab":
        torch.save({"t2": {token: flat}}, file)
    else:
        unknown = {"step": 0, "sd_checkpoint": None, "sd_checkpoint_name": None}
        torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": vectors}, "name": token, **unknown}, file)
    return file.getvalue()


def encoded_images(embeds: ImageEmbeds, form: str) -> list[bytes]:
    """The contents of the files of that form, the concept's first."""
    tensor = torch.from_numpy(embeds.image_embeds.copy())
    if form == "image":
        return [
            to_safetensors({"image_embeds": tensor}, {"format": "pt", OURS: _about(embeds, "the image embeddings")})
        ]
    contents = []
    for each in (tensor, torch.zeros_like(tensor)):
        file = io.BytesIO()
        torch.save(each, file)
        contents.append(file.getvalue())
    return contents


def _about(embedding: Embedding | ImageEmbeds, what: str) -> str:
    """The provenance as JSON. what: names the embedding in an error."""
    about = json.dumps({OURS: SCHEMA, "sha256": embedding.digest, **embedding.provenance}, allow_nan=False)
    if len(about) > LARGEST_PROVENANCE:
        raise ExchangeError(
            f"the provenance of {what} has {len(about)} characters: at most {LARGEST_PROVENANCE} are read"
        )
    return about
