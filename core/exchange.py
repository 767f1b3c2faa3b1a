"""Embeddings in and out: a token and its vectors, in the forms that tools of textual inversion trade.

    safetensors   .safetensors   {token: [k, d]}, provenance in the metadata
    diffusers     .bin           {token: [d] or [k, d]}
    a1111         .pt            {"string_to_param": {"*": [k, d]}, "name": token, …}
                  .safetensors   {"clip_g": [k, 1280], "clip_l": [k, 768]}, for SDXL's width
    conceptlab    .pt            {"t2": {token: [d] or [k, d]}}
    npz           .npz           vectors [k, d]; token and provenance as JSON

A file comes from a stranger. So its size, then its entries, keys, shapes and types are checked before the numbers are
read, and `.pt` and `.bin`, which are pickles, are read by torch.load(weights_only=True) and in no other way: after a
scan that finds no name in them but those of plain tensors. docs/formats.md has all of it.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickletools
import re
import stat
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

from core.concept import Array, frozen_array
from core.errors import ConceptreeError
from core.files import write_atomically

FORMS = ("safetensors", "diffusers", "a1111", "conceptlab", "npz")
CLIP_L, CLIP_H, CLIP_G = 768, 1024, 1280
TOKEN_SPACES = {
    CLIP_L: "CLIP ViT-L/14, that of Kandinsky 2.1 and Stable Diffusion 1",
    CLIP_H: "OpenCLIP ViT-H/14, that of Stable Diffusion 2",
    CLIP_G: "OpenCLIP ViT-bigG/14, that of Kandinsky 2.2 and SDXL's clip_g",
}
MOST_VECTORS = 32  # as many as a Request has
WIDEST = 16384
LONGEST_TOKEN = 200
MOST_ENTRIES = 64  # keys of a file, or files in a zip
LARGEST_FILE = 16 * 2**20  # bytes; the largest embedding needs an eighth
LARGEST_PICKLE = 2**16  # without the tensors, which lie beside it
LARGEST_PROVENANCE = 2**20

_SUFFIXES = {"safetensors": ".safetensors", "diffusers": ".bin", "a1111": ".pt", "conceptlab": ".pt", "npz": ".npz"}
_A1111 = {"string_to_token", "string_to_param", "name", "step", "sd_checkpoint", "sd_checkpoint_name", "hash"}
_RESERVED = {"string_to_param", "emb_params", "clip_g", "clip_l", "t2", "*", "__metadata__"}  # no names of tokens
_OURS = "conceptree"  # the key that tells our provenance, with its schema, from other people's JSON
_SCHEMA = 1
_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64"}
# What torch.save names in a pickle of plain tensors, as pickletools shows it.
_PLAIN = re.compile(r"torch [A-Za-z0-9]+Storage|torch\._utils _rebuild_(tensor_v2|parameter)|collections OrderedDict")


class ExchangeError(ConceptreeError):
    """An embedding that cannot be written as asked, or a file that is none."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """A token, and the vectors [k, d] that stand for it in a prompt.

    provenance: how it came to be, as JSON knows it; {} where nobody says. notes: what reading changed, a line each.
    """

    token: str
    vectors: Array
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        flaw = _token_flaw(self.token) or _flaw(np.asarray(self.vectors))
        if flaw:
            raise ExchangeError(f"the embedding {str(self.token)[:40]!r} {flaw}")
        object.__setattr__(self, "vectors", frozen_array(self.vectors, 2, "vectors"))

    @property
    def width(self) -> int:
        return self.vectors.shape[1]

    @property
    def digest(self) -> str:
        """SHA-256 of the vectors as little-endian float32: the same in every form."""
        return hashlib.sha256(self.vectors.astype("<f4").tobytes()).hexdigest()


def write_embedding(path: Path, embedding: Embedding, form: str = "safetensors") -> Path:
    """Write it as a whole or not at all, at `path`, whose ending is `suffix`'s.

    Raises:
        ExchangeError: no such form, or another ending.
        StorageError: the disk does not take it.
    """
    ending = suffix(form, embedding.width)
    if path.suffix != ending:
        raise ExchangeError(f"{str(path)!r} is no name for the form {form}: let it end with {ending}")
    write_atomically(path, _encoded(embedding, form))
    return path


def suffix(form: str, width: int) -> str:
    """How files of that form end: flat ones are .safetensors, nested ones .pt."""
    if form not in FORMS:
        raise ExchangeError(f"unknown form {form!r}: choose {', '.join(FORMS)}")
    return ".safetensors" if form == "a1111" and width == CLIP_G else _SUFFIXES[form]


def readers(form: str, vectors: Array) -> str:
    """One line on who can use vectors [k, d] in that form, and who cannot."""
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


def read_embedding(path: Path) -> Embedding:
    """What a file holds, in any of the forms, or as other tools write it (`learned_embeds`, `emb_params`).

    Raises:
        ExchangeError: it is not there, torn, too large, or anything but one token's vectors; in one line.
    """
    try:
        _check_file(path, LARGEST_FILE)
        reader = _READERS.get(path.suffix.lower())
        if reader is None:
            raise ExchangeError(f"is no embedding by its name: one ends with {', '.join(_READERS)}")
        content, provenance = reader(path)
        token, value, left_out = _one_token(content, path)
        vectors, cast = _vectors(value)
        digest = provenance.pop("sha256", None)
        embedding = Embedding(_checked_token(token), vectors, provenance, (*left_out, *cast))
        if digest not in (None, embedding.digest) and not cast:
            raise ExchangeError("has other numbers than were written into it, by their SHA-256: fetch it again")
        return embedding
    except ExchangeError as error:
        raise ExchangeError(f"{str(path)!r} {error}") from error
    except Exception as error:  # whatever a library thinks of a torn file, or of one that was made to break it
        reason = "".join(c for c in str(error)[:200] if c.isprintable()) or type(error).__name__
        kind = path.suffix.lower()
        raise ExchangeError(f"{str(path)!r} is torn or no {kind} file ({reason}): fetch it again") from error


def write_sidecar(path: Path, embedding: Embedding, **facts: Any) -> Path:
    """What an embedding is and how it came to be, as a JSON object that people can read, with further `facts`."""
    shape = {"token": embedding.token, "vectors": len(embedding.vectors), "width": embedding.width}
    content = {_OURS: _SCHEMA, **facts, **shape, "sha256": embedding.digest, **embedding.provenance}
    # What UTF-8 cannot hold, from a stranger's provenance, is written as JSON's own \udXXX.
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace")
    write_atomically(path, text)
    return path


def read_sidecar(path: Path) -> dict[str, Any]:
    """A sidecar's content, with the "sha256" of the vectors; {} for JSON that is not of Conceptree's making.

    Raises:
        ExchangeError: it is torn, too large, or of a newer schema.
    """
    try:
        _check_file(path, LARGEST_PROVENANCE)
        return _provenance(path.read_bytes())
    except (ExchangeError, OSError) as error:
        raise ExchangeError(f"the sidecar {str(path)!r} {error}; mend it, or move it away to go on without") from error


def _encoded(embedding: Embedding, form: str) -> bytes:
    token, vectors = embedding.token, torch.from_numpy(embedding.vectors.copy())
    flat = vectors[0] if len(vectors) == 1 else vectors  # one vector as [d], as published files have it
    about = json.dumps({_OURS: _SCHEMA, "sha256": embedding.digest, **embedding.provenance}, allow_nan=False)
    if len(about) > LARGEST_PROVENANCE:
        raise ExchangeError(f"the provenance of {token!r} has {len(about)} characters: {LARGEST_PROVENANCE} are read")
    if form == "safetensors":
        return to_safetensors({token: vectors}, {"format": "pt", _OURS: about})
    if form == "a1111" and embedding.width == CLIP_G:
        # A1111 takes every key for a text encoder, and wants both: there is no room for the token.
        return to_safetensors({"clip_g": vectors, "clip_l": torch.zeros(len(vectors), CLIP_L)}, {"format": "pt"})
    file = io.BytesIO()
    if form == "npz":
        np.savez(file, vectors=embedding.vectors, token=json.dumps(token), about=about)
    elif form == "diffusers":
        torch.save({token: flat}, file)
    elif form == "conceptlab":
        torch.save({"t2": {token: flat}}, file)
    else:
        nobody = {"step": 0, "sd_checkpoint": None, "sd_checkpoint_name": None}
        torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": vectors}, "name": token, **nobody}, file)
    return file.getvalue()


def _check_file(path: Path, most: int) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise ExchangeError("is not there: check the path") from None
    except OSError as error:
        raise ExchangeError(f"cannot be read: {error.strerror or error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise ExchangeError("is a folder: name the file in it")
    if not stat.S_ISREG(status.st_mode):
        raise ExchangeError("is no ordinary file")
    if not status.st_size:
        raise ExchangeError("is empty (0 bytes): fetch it again")
    if status.st_size > most:
        raise ExchangeError(f"has {status.st_size} bytes, and at most {most} are read: is it a whole model?")
    try:
        path.open("rb").close()
    except OSError as error:
        raise ExchangeError(f"cannot be read: {error.strerror or error}") from error


def _read_safetensors(path: Path) -> tuple[Any, dict[str, Any]]:
    with safe_open(path, framework="pt") as file:  # reads the header, and checks it against the size of the file
        names = list(file.keys())
        _check_count(names)
        for name in names:
            view = file.get_slice(name)
            _check_shape(view.get_shape())
            if view.get_dtype() not in _DTYPES.values():
                raise ExchangeError(f"holds numbers of type {view.get_dtype()}: expected floating point numbers")
        provenance = _provenance((file.metadata() or {}).get(_OURS, "{}"))
        return {name: file.get_tensor(name) for name in names}, provenance


def _read_npz(path: Path) -> tuple[Any, dict[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        entries = _checked_entries(archive)
        arrays = {entry.filename.removesuffix(".npy"): _read_npy(archive, entry) for entry in entries}
    if set(arrays) != {"vectors", "token", "about"}:
        return {name: _as_tensor(array) for name, array in arrays.items()}, {}
    token = json.loads(str(arrays["token"]))  # numpy drops zeros at the end of a text; JSON's quotes keep them
    return {token: _as_tensor(arrays["vectors"])}, _provenance(str(arrays["about"]))


def _read_npy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """An array, of as many numbers as there are; numpy itself first makes room for as many as the header claims."""
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(file)
        if dtype.hasobject:
            raise ExchangeError("holds Python objects, which are not read: save plain numbers")
        return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if fortran else "C")


def _as_tensor(array: np.ndarray) -> Any:
    """A tensor in the machine's byte order; what is no numbers stays what it is, to be refused."""
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="))) if array.dtype.kind in "fiu" else array


def _read_pickle(path: Path) -> tuple[Any, dict[str, Any]]:
    if not zipfile.is_zipfile(path):
        raise ExchangeError("is torn, or older than PyTorch 1.6: fetch it again, or ask for .safetensors")
    with zipfile.ZipFile(path) as archive:
        entries = _checked_entries(archive)
        # torch looks names up whatever their case, and inflates without a limit; torch.save makes no use of either.
        names = {entry.filename.lower() for entry in entries}
        pickles = [entry for entry in entries if entry.filename.lower().endswith("data.pkl")]
        packed = any(entry.compress_type or entry.compress_size != entry.file_size for entry in entries)
        if packed or len(names) < len(entries) or len(pickles) != 1 or pickles[0].file_size > LARGEST_PICKLE:
            raise ExchangeError("is no embedding as torch.save writes it: ask for .safetensors")
        if torn := archive.testzip():
            raise ExchangeError(f"is torn: the checksum of {torn[:80]!r} in it is another; fetch it again")
        _check_plain(archive.read(pickles[0]))
    # mmap: a tensor is a piece of the file, so that one that claims more than there is fails in every version of torch.
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True), {}


def _check_plain(pickle: bytes) -> None:
    """Refuse a pickle that names anything but plain tensors, before anything is made of it."""
    for opcode, argument, _ in pickletools.genops(pickle):
        if opcode.name == "PROTO" and argument != 2:
            raise ExchangeError(f"is pickled by protocol {argument}, and torch.save takes 2: ask for .safetensors")
        named = opcode.name in ("GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4")
        if named and not (opcode.name == "GLOBAL" and _PLAIN.fullmatch(str(argument))):
            what = str(argument).replace(" ", ".")[:80]
            raise ExchangeError(f"holds more than tensors and texts ({what!r}) and is not opened: ask for .safetensors")


def _checked_entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    _check_count(entries)
    size = sum(entry.file_size for entry in entries)
    if size > LARGEST_FILE:
        raise ExchangeError(f"unpacks to {size} bytes, and at most {LARGEST_FILE} are read")
    return entries


def _check_count(entries: Sequence[Any]) -> None:
    if len(entries) > MOST_ENTRIES:
        raise ExchangeError(f"has {len(entries)} entries, and an embedding one token: is it a whole model?")


def _one_token(content: Any, path: Path) -> tuple[Any, Any, list[str]]:
    """The token of a file, its tensor, and what is left out; by the layouts that tools write."""
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ExchangeError(f"holds a {type(content).__name__} and no tensors by name: it has no token")
    # A token that nobody named is called after its file. It is text: no path is ever made of it.
    unnamed = f"<{path.stem.encode(errors='replace').decode()[: LONGEST_TOKEN - 2]}>"
    if isinstance(content.get("string_to_param"), dict):
        _check_keys(content, _A1111)
        _, value = _only(content["string_to_param"], " under string_to_param")
        return content.get("name") or unnamed, value, []
    if isinstance(content.get("t2"), dict):
        _check_keys(content, {"t2"})
        token, value = _only(content["t2"], " under t2")
        return token, value, []
    if {"clip_g", "clip_l"} <= set(content):
        _check_keys(content, {"clip_g", "clip_l"})
        other = content["clip_l"]
        used = isinstance(other, Tensor) and not _shape_flaw(other.shape) and bool(other.any())
        return unnamed, content["clip_g"], ["clip_l, the vectors for SDXL's other text encoder, is left out"] * used
    token, value = _only(content)
    return unnamed if token in _RESERVED or not token else token, value, []


def _only(content: dict[Any, Any], where: str = "") -> tuple[Any, Any]:
    if len(content) != 1:
        keys = ", ".join(repr(str(key)[:40]) for key in list(content)[:5]) or "none"
        raise ExchangeError(f"has {len(content)} keys{where} ({keys}): expected one token")
    return next(iter(content.items()))


def _check_keys(content: dict[str, Any], known: set[str]) -> None:
    for key in content:
        if key not in known:
            beside = ", ".join(sorted(known & set(content)))
            raise ExchangeError(f"has an unknown key {key[:40]!r} beside {beside}: it is no form of an embedding")


def _checked_token(token: Any) -> str:
    if flaw := _token_flaw(token):
        raise ExchangeError(flaw)
    return token


def _token_flaw(token: Any) -> str:
    """What is wrong with a token, or ""."""
    if not isinstance(token, str) or not token:
        return "has a token that is no text: expected something like <moku>"
    if len(token) > LONGEST_TOKEN:
        return f"has a token of {len(token)} characters: at most {LONGEST_TOKEN} are read"
    if token in _RESERVED:
        return "has a token that means something else to its readers: choose another"
    if not token.isascii() and token.encode(errors="replace").decode() != token:
        return "has a token that is no text in UTF-8"
    return ""


def _vectors(value: Any) -> tuple[Array, list[str]]:
    """A tensor [d] or [k, d] as float32 [k, d], and what that changed."""
    if not isinstance(value, Tensor):
        raise ExchangeError(f"holds a {type(value).__name__} for its token: expected a tensor of numbers")
    _check_shape(value.shape)
    dtype = str(value.dtype).removeprefix("torch.")
    if value.dtype not in _DTYPES:
        raise ExchangeError(f"holds numbers of type {dtype}: expected floating point numbers")
    vectors = value.detach().to(torch.float32).reshape(-1, value.shape[-1]).numpy()
    if flaw := _flaw(vectors):
        raise ExchangeError(flaw)
    return vectors, [f"its numbers were {dtype}, and are float32 now"] * (value.dtype != torch.float32)


def _check_shape(shape: Sequence[int]) -> None:
    if flaw := _shape_flaw(shape):
        raise ExchangeError(flaw)


def _shape_flaw(shape: Sequence[int]) -> str:
    """What is wrong with the shape of vectors, [d] or [k, d], or ""."""
    if len(shape) not in (1, 2) or 0 in shape:
        return f"has shape {list(shape)}: expected [width] or [vectors, width]"
    if len(shape) == 2 and shape[0] > MOST_VECTORS:
        return f"has {shape[0]} vectors: a token has at most {MOST_VECTORS}"
    if shape[-1] > WIDEST:
        return f"is {shape[-1]} wide: at most {WIDEST} is read"
    return ""


def _flaw(vectors: np.ndarray) -> str:
    """What is wrong with vectors [k, d], or ""."""
    if vectors.ndim != 2 or _shape_flaw(vectors.shape):
        return _shape_flaw(vectors.shape) or f"has shape {list(vectors.shape)}: expected [vectors, width]"
    for number, vector in enumerate(vectors, 1):
        place = f"vector {number} of {len(vectors)}"
        if not np.isfinite(vector).all():
            return f"has NaN or infinity in {place}: it is torn, or its training went wrong"
        if not vector.any():
            return f"has nothing but zeros in {place}: it was never trained"
    return ""


def _provenance(text: str | bytes) -> dict[str, Any]:
    """Provenance from its JSON, {} where that is somebody else's."""
    if len(text) > LARGEST_PROVENANCE:
        raise ExchangeError(f"has provenance of {len(text)} characters: at most {LARGEST_PROVENANCE} are read")
    try:
        content = json.loads(text)
        json.dumps(content, indent=2, allow_nan=False)  # what Python reads and JSON does not know: NaN, 1e999
    except (ValueError, RecursionError) as error:
        raise ExchangeError(f"has provenance that is no JSON ({str(error)[:100]})") from error
    if not isinstance(content, dict) or _OURS not in content:
        return {}
    schema = content.pop(_OURS)
    if schema != _SCHEMA:
        raise ExchangeError(f"has provenance of schema {str(schema)[:40]!r}: this version reads {_SCHEMA}")
    return content


_READERS = {".safetensors": _read_safetensors, ".npz": _read_npz, ".pt": _read_pickle, ".bin": _read_pickle}
