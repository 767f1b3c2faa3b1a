"""A token with its vectors, and the limits on a file that holds one. Imports no torch."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.concept import Array, frozen_array
from core.errors import ConceptreeError

FORMS = ("safetensors", "diffusers", "a1111", "conceptlab", "npz")
CLIP_L, CLIP_H, CLIP_G = 768, 1024, 1280
TOKEN_SPACES = {
    CLIP_L: "CLIP ViT-L/14, that of Kandinsky 2.1 and Stable Diffusion 1",
    CLIP_H: "OpenCLIP ViT-H/14, that of Stable Diffusion 2",
    CLIP_G: "OpenCLIP ViT-bigG/14, that of Kandinsky 2.2 and SDXL's clip_g",
}
MOST_VECTORS = 32  # as many as a Request may have
WIDEST = 16384
LONGEST_TOKEN = 200
LARGEST_FILE = 16 * 2**20  # bytes; the largest embedding needs an eighth
LARGEST_PROVENANCE = 2**20
OURS = "conceptree"  # the key that marks our provenance, with its schema
SCHEMA = 1
RESERVED = {
    "string_to_param",
    "emb_params",
    "clip_g",
    "clip_l",
    "t2",
    "*",
    "__metadata__",
    "image_embeds",
}  # no names of tokens

_SUFFIXES = {"safetensors": ".safetensors", "diffusers": ".bin", "a1111": ".pt", "conceptlab": ".pt", "npz": ".npz"}


class ExchangeError(ConceptreeError):
    """An embedding that cannot be written, or a file that holds no embedding."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """A token, and the vectors [k, d] that stand for it in a prompt.

    provenance: how it was made, as JSON values; {} if unknown. notes: what reading changed, one line each.
    """

    token: str
    vectors: Array
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        flaw = token_flaw(self.token) or flaw_of(np.asarray(self.vectors))
        if flaw:
            raise ExchangeError(f"the embedding {str(self.token)[:40]!r} {flaw}")
        object.__setattr__(self, "vectors", frozen_array(self.vectors, 2, "vectors"))

    @property
    def width(self) -> int:
        return self.vectors.shape[1]

    @property
    def shape(self) -> dict[str, Any]:
        """Token, number of vectors and width, for a sidecar."""
        return {"token": self.token, "vectors": len(self.vectors), "width": self.width}

    @property
    def digest(self) -> str:
        """SHA-256 of the vectors as little-endian float32: the same in every form."""
        return hashlib.sha256(self.vectors.astype("<f4").tobytes()).hexdigest()


def suffix(form: str, width: int) -> str:
    """The ending of files of a form: .safetensors for flat ones, .pt for nested ones."""
    if form not in FORMS:
        raise ExchangeError(f"unknown form {form!r}: choose {', '.join(FORMS)}")
    return ".safetensors" if form == "a1111" and width == CLIP_G else _SUFFIXES[form]


def readers(form: str, vectors: Array) -> str:
    """One line on which tools can use vectors [k, d] in that form."""
    k, width = vectors.shape
    if form == "npz":
        return "numpy and Conceptree read it; no drawing tool does"
    if form == "conceptlab" and (k, width) == (1, CLIP_L):
        return "ConceptLab's scripts read it (Kandinsky 2.1); diffusers, A1111, ComfyUI and InvokeAI do not"
    if form == "conceptlab":
        return (
            f"only Conceptree reads it: ConceptLab's scripts take one vector, {CLIP_L} wide (Kandinsky 2.1),"
            f" and this has {k}, {width} wide"
        )
    if width == CLIP_L:
        return "diffusers, A1111, ComfyUI and InvokeAI read it for Stable Diffusion 1, whose tokens are Kandinsky 2.1's"
    if width == CLIP_H:
        return "diffusers, A1111, ComfyUI and InvokeAI read it for Stable Diffusion 2"
    if width == CLIP_G and form == "a1111":
        return "A1111, ComfyUI and InvokeAI read it for SDXL; clip_l, which Kandinsky 2.2 does not have, is zeros"
    if width == CLIP_G:
        return (
            "ComfyUI and diffusers (text_encoder_2, tokenizer_2) read it as SDXL's clip_g;"
            " A1111 and InvokeAI need the form a1111, which has a clip_l too"
        )
    return (
        "only Conceptree can use it, with the stack it was learned on: diffusers, A1111, ComfyUI and InvokeAI have no"
        f" model whose tokens are those, {width} wide"
    )


def token_flaw(token: object) -> str:
    """What is wrong with a token, or ""."""
    if not isinstance(token, str) or not token:
        return "has a token that is not text: expected something like <moku>"
    if len(token) > LONGEST_TOKEN:
        return f"has a token of {len(token)} characters: at most {LONGEST_TOKEN} are read"
    if token in RESERVED:
        return "has a token that means something else to its readers: choose another"
    if not token.isascii() and token.encode(errors="replace").decode() != token:
        return "has a token that is not valid UTF-8"
    return ""


def shape_flaw(shape: Sequence[int]) -> str:
    """What is wrong with the shape of vectors, [d] or [k, d], or ""."""
    if len(shape) not in (1, 2) or 0 in shape:
        return f"has shape {list(shape)}: expected [width] or [vectors, width]"
    if len(shape) == 2 and shape[0] > MOST_VECTORS:
        return f"has {shape[0]} vectors: a token has at most {MOST_VECTORS}"
    if shape[-1] > WIDEST:
        return f"is {shape[-1]} wide: at most {WIDEST} is read"
    return ""


def flaw_of(vectors: np.ndarray) -> str:
    """What is wrong with vectors [k, d], or ""."""
    if vectors.ndim != 2 or shape_flaw(vectors.shape):
        return shape_flaw(vectors.shape) or f"has shape {list(vectors.shape)}: expected [vectors, width]"
    for number, vector in enumerate(vectors, 1):
        place = f"vector {number} of {len(vectors)}"
        if not np.isfinite(vector).all():
            return f"has NaN or infinity in {place}: the file is damaged, or its training went wrong"
        if not vector.any():
            return f"has nothing but zeros in {place}: it was never trained"
    return ""


def provenance_of(text: str | bytes) -> dict[str, Any]:
    """Provenance from its JSON; {} if Conceptree did not write it."""
    if len(text) > LARGEST_PROVENANCE:
        raise ExchangeError(f"has provenance of {len(text)} characters: at most {LARGEST_PROVENANCE} are read")
    try:
        content = json.loads(text)
        json.dumps(
            content, indent=2, allow_nan=False
        )  # refuses NaN and 1e999, which Python reads but JSON does not have
    except (ValueError, RecursionError) as error:
        raise ExchangeError(f"has provenance that is not JSON ({str(error)[:100]})") from error
    if not isinstance(content, dict) or OURS not in content:
        return {}
    schema = content.pop(OURS)
    if schema != SCHEMA:
        raise ExchangeError(f"has provenance of schema {str(schema)[:40]!r}: this version reads {SCHEMA}")
    return content


def check_file(path: Path, most: int) -> None:
    """Raise ExchangeError unless `path` is a readable file of 1 to `most` bytes."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise ExchangeError("does not exist: check the path") from None
    except OSError as error:
        raise ExchangeError(f"cannot be read: {error.strerror or error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise ExchangeError("is a folder: name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise ExchangeError("is not an ordinary file")
    if not status.st_size:
        raise ExchangeError("is empty (0 bytes): fetch it again")
    if status.st_size > most:
        raise ExchangeError(f"has {status.st_size} bytes, but at most {most} are read: is it a whole model?")
    try:
        path.open("rb").close()
    except OSError as error:
        raise ExchangeError(f"cannot be read: {error.strerror or error}") from error
