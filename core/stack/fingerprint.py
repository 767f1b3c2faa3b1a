"""Fingerprints: hashes of a model's files that do not depend on their place or on the library that wrote them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from core.errors import StackError
from core.stack.protocols import Learns

_VERSIONS = ("_diffusers_version", "_name_or_path", "transformers_version")
_UNREAD = ("*.bin", "*.msgpack", "*.h5", "*.fp16.*", "*.non_ema.*", "*.bin.index.json")


def check_made_on(
    what: str, version: str, fingerprint: str, stack: Learns, remedy: str = ": load the stack it was made on"
) -> None:
    """Raise StackError if `what` was made on another stack. remedy: the end of the message.

    Vectors and embeddings mean nothing on another stack, even one of the same width. An empty fingerprint is unknown
    and passes.
    """
    if fingerprint in ("", stack.fingerprint):
        return
    needed = f"{version} ({fingerprint})" if version else f"with the fingerprint {fingerprint}"
    found = f"{stack.where!r} is {stack.version} ({stack.fingerprint})"
    raise StackError(f"{what} needs the stack {needed}, but {found}{remedy}")


def content_hash(folders: Mapping[str, Path], also: str = "", bare: Container[str] = ()) -> str:
    """Twelve hex digits of the folders of parts, by name: the names and contents of their files, JSON without versions.

    bare: parts whose folders are whole repositories; only their configuration and weights count.

    Raises:
        StackError: a folder is missing, or a file .json holds no JSON.
    """
    digest = hashlib.sha256(also.encode())
    for part, folder in folders.items():
        if not folder.is_dir():
            raise StackError(f"a folder of the model is missing: {folder}")
        for file in sorted(folder.iterdir()):
            if any(fnmatch(file.name, pattern) for pattern in _UNREAD):
                continue  # the same weights in another form, which only some copies of a stack have
            if part in bare and not (file.name == "config.json" or ".safetensors" in file.name):
                continue
            digest.update(f"{part}/{file.name}\n".encode())
            if file.suffix == ".json":
                digest.update(_without_versions(file).encode())
            elif file.is_file():
                digest.update(_sha256(file))
    return digest.hexdigest()[:12]


def _sha256(file: Path) -> bytes:
    """SHA-256 of a file. The hub's cache uses it as the name of large files, so gigabytes are not read again."""
    blob = file.resolve()
    if blob.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", blob.name):
        return bytes.fromhex(blob.name)
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _without_versions(file: Path) -> str:
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StackError(f"{file} is missing or is not JSON") from error
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key not in _VERSIONS}
    return json.dumps(content, sort_keys=True)
