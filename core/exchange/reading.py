"""Reading an embedding from a file that may come from a stranger."""

from __future__ import annotations

import io
import json
import pickletools
import re
import warnings
import zipfile
from collections.abc import Sequence, Sized
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from core.archives import entries_up_to
from core.concept import Array
from core.exchange.embedding import (
    LARGEST_FILE,
    LONGEST_TOKEN,
    OURS,
    RESERVED,
    Embedding,
    ExchangeError,
    check_file,
    flaw_of,
    provenance_of,
    shape_flaw,
    token_flaw,
)
from core.files import read_ordinary

MOST_ENTRIES = 64  # keys of a file, or files in a zip
LARGEST_PICKLE = 2**16  # bytes without the tensors, which are stored beside it

_A1111 = {"string_to_token", "string_to_param", "name", "step", "sd_checkpoint", "sd_checkpoint_name", "hash"}
Read = tuple[dict[str, Tensor | np.ndarray] | object, dict[str, Any]]  # (content of the file, provenance)
_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64"}
# What torch.save names in a pickle of plain tensors, as pickletools shows it.
_PLAIN = re.compile(r"torch [A-Za-z0-9]+Storage|torch\._utils _rebuild_(tensor_v2|parameter)|collections OrderedDict")


def read(path: Path) -> Embedding:
    """See `core.exchange.read_embedding`."""
    try:
        check_file(path, LARGEST_FILE)
        reader = _READERS.get(path.suffix.lower())
        if reader is None:
            endings = ", ".join(_READERS)
            raise ExchangeError(f"is not an embedding by its name: expected a name that ends with {endings}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numpy and torch, about the form of a stranger's file
            content, provenance = reader(path)
        token, value, left_out = _one_token(content, path)
        vectors, cast = _vectors(value)
        digest = provenance.pop("sha256", None)
        embedding = Embedding(_checked_token(token), vectors, provenance, (*left_out, *cast))
        if digest not in (None, embedding.digest) and not cast:
            raise ExchangeError("has other numbers than were written, by their SHA-256: fetch it again")
        return embedding
    except ExchangeError as error:
        raise ExchangeError(f"{str(path)!r} {error}") from error
    except Exception as error:  # a damaged or hostile file may fail anywhere in a library
        reason = "".join(c for c in str(error)[:200] if c.isprintable()) or type(error).__name__
        kind = path.suffix.lower()
        raise ExchangeError(f"{str(path)!r} is damaged or not a {kind} file ({reason}): fetch it again") from error


def _read_safetensors(path: Path) -> Read:
    with safe_open(path, framework="pt") as file:  # reads the header, and checks it against the size of the file
        names = list(file.keys())
        _check_count(names)
        for name in names:
            view = file.get_slice(name)
            _check_shape(view.get_shape())
            if view.get_dtype() not in _DTYPES.values():
                raise ExchangeError(f"holds numbers of type {view.get_dtype()}: expected floating point numbers")
        provenance = provenance_of((file.metadata() or {}).get(OURS, "{}"))
        return {name: file.get_tensor(name) for name in names}, provenance


def _read_npz(path: Path) -> Read:
    with _archive(path) as archive:
        entries = _checked_entries(archive)
        arrays = {entry.filename.removesuffix(".npy"): _read_npy(archive, entry) for entry in entries}
    if set(arrays) != {"vectors", "token", "about"}:
        return {name: _as_tensor(array) for name, array in arrays.items()}, {}
    token = json.loads(str(arrays["token"]))  # numpy drops zeros at the end of a text; JSON's quotes keep them
    return {token: _as_tensor(arrays["vectors"])}, provenance_of(str(arrays["about"]))


def _read_npy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """The array of an entry. numpy's own reader would first allocate as much as the header claims."""
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(file)
        if dtype.hasobject:
            raise ExchangeError("holds Python objects, which are never read: save plain numbers")
        return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if fortran else "C")


def _as_tensor(array: np.ndarray) -> Tensor | np.ndarray:
    """A tensor in the machine's byte order; non-numeric input is returned unchanged for the caller to reject."""
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="))) if array.dtype.kind in "fiu" else array


def _read_pickle(path: Path) -> Read:
    if not zipfile.is_zipfile(path):
        raise ExchangeError("is damaged, or older than PyTorch 1.6: fetch it again, or ask for .safetensors")
    with _archive(path) as archive:
        entries = _checked_entries(archive)
        # torch ignores case in names and inflates without a limit; files of torch.save need neither.
        names = {entry.filename.lower() for entry in entries}
        pickles = [entry for entry in entries if entry.filename.lower().endswith("data.pkl")]
        packed = any(entry.compress_type or entry.compress_size != entry.file_size for entry in entries)
        if packed or len(names) < len(entries) or len(pickles) != 1 or pickles[0].file_size > LARGEST_PICKLE:
            raise ExchangeError("is not an embedding as torch.save writes it: ask for .safetensors")
        if torn := archive.testzip():
            raise ExchangeError(f"is damaged: {torn[:80]!r} in it has another checksum; fetch it again")
        _check_plain(archive.read(pickles[0]))
    # mmap: a tensor is a piece of the file, so one that claims more than is there fails in every version of torch.
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True), {}
    except Exception as error:  # its text advises to unpickle what it refused
        raise ExchangeError("is damaged, or holds more than tensors and texts: ask for .safetensors") from error


def _check_plain(pickle: bytes) -> None:
    """Refuse a pickle that names anything but plain tensors, before it is loaded."""
    for opcode, argument, _ in pickletools.genops(pickle):
        if opcode.name == "PROTO" and argument != 2:
            raise ExchangeError(f"is pickled with protocol {argument}, but torch.save uses 2: ask for .safetensors")
        named = opcode.name in ("GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4")
        if named and not (opcode.name == "GLOBAL" and _PLAIN.fullmatch(str(argument))):
            what = str(argument).replace(" ", ".")[:80]
            raise ExchangeError(
                f"holds more than tensors and texts ({what!r}), so it is not opened: ask for .safetensors"
            )


def _archive(path: Path) -> zipfile.ZipFile:
    """The zip of a file, whose entries are counted before they are listed."""
    content = read_ordinary(path, LARGEST_FILE)
    if entries_up_to(content, MOST_ENTRIES) > MOST_ENTRIES:
        raise ExchangeError(
            f"has more than {MOST_ENTRIES} entries, but an embedding has one token: is it a whole model?"
        )
    return zipfile.ZipFile(io.BytesIO(content))


def _checked_entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    _check_count(entries)
    size = sum(entry.file_size for entry in entries)
    if size > LARGEST_FILE:
        raise ExchangeError(f"unpacks to {size} bytes, but at most {LARGEST_FILE} are read")
    return entries


def _check_count(entries: Sized) -> None:
    if len(entries) > MOST_ENTRIES:
        raise ExchangeError(f"has {len(entries)} entries, but an embedding has one token: is it a whole model?")


def _one_token(content: object, path: Path) -> tuple[object, object, list[str]]:
    """(token, tensor, notes on ignored parts) of a file, in any of the layouts that tools write."""
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ExchangeError(f"holds a {type(content).__name__}, not tensors by name: it has no token")
    if "image_embeds" in content:
        raise ExchangeError("holds image embeddings, not the vectors of a token: import the concept's embedding")
    # A token without a name is called after its file. It is text: no path is ever made of it.
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
        used = isinstance(other, Tensor) and not shape_flaw(other.shape) and bool(other.any())
        return unnamed, content["clip_g"], ["clip_l, the vectors for SDXL's other text encoder, is left out"] * used
    token, value = _only(content)
    return unnamed if token in RESERVED or not token else token, value, []


def _only(content: dict[str, object], where: str = "") -> tuple[str, object]:
    if len(content) != 1:
        keys = ", ".join(repr(str(key)[:40]) for key in list(content)[:5]) or "none"
        raise ExchangeError(f"has {len(content)} keys{where} ({keys}): expected one token")
    return next(iter(content.items()))


def _check_keys(content: dict[str, object], known: set[str]) -> None:
    for key in content:
        if key not in known:
            beside = ", ".join(sorted(known & set(content)))
            raise ExchangeError(
                f"has an unknown key {key[:40]!r} beside {beside}: expected one of the forms of an embedding"
            )


def _checked_token(token: object) -> str:
    if flaw := token_flaw(token):
        raise ExchangeError(flaw)
    return str(token)


def _vectors(value: object) -> tuple[Array, list[str]]:
    """(a tensor [d] or [k, d] as float32 [k, d], notes on what that changed)"""
    if not isinstance(value, Tensor):
        raise ExchangeError(f"holds a {type(value).__name__} for its token: expected a tensor of numbers")
    _check_shape(value.shape)
    dtype = str(value.dtype).removeprefix("torch.")
    if value.dtype not in _DTYPES:
        raise ExchangeError(f"holds numbers of type {dtype}: expected floating point numbers")
    vectors = value.detach().to(torch.float32).reshape(-1, value.shape[-1]).numpy()
    if flaw := flaw_of(vectors):
        raise ExchangeError(flaw)
    return vectors, [f"its numbers were {dtype}, and are float32 now"] * (value.dtype != torch.float32)


def _check_shape(shape: Sequence[int]) -> None:
    if flaw := shape_flaw(shape):
        raise ExchangeError(flaw)


_READERS = {".safetensors": _read_safetensors, ".npz": _read_npz, ".pt": _read_pickle, ".bin": _read_pickle}
