"""What tells one model from another, or one stack: a hash of its files, wherever they lie and whatever wrote them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from core.errors import StackError

_VERSIONS = ("_diffusers_version", "_name_or_path", "transformers_version")
_UNREAD = ("*.bin", "*.msgpack", "*.h5", "*.fp16.*", "*.non_ema.*", "*.bin.index.json")


def content_hash(folders: Mapping[str, Path], also: str = "") -> str:
    """Twelve hex digits that tell what lies in folders, which are parts by name: their files by name and content, JSON
    without versions; not where they lie.

    Raises:
        StackError: a folder is missing, or a JSON file is none.
    """
    digest = hashlib.sha256(also.encode())
    for part, folder in folders.items():
        if not folder.is_dir():
            raise StackError(f"a folder of the model is missing: {folder}")
        for file in sorted(folder.iterdir()):
            if any(fnmatch(file.name, pattern) for pattern in _UNREAD):
                continue  # the same weights in another form, which some copies of a stack have and others do not
            digest.update(f"{part}/{file.name}\n".encode())
            if file.suffix == ".json":
                digest.update(_without_versions(file).encode())
            elif file.is_file():
                digest.update(_sha256(file))
    return digest.hexdigest()[:12]


def _sha256(file: Path) -> bytes:
    """Of a file's content. The hub's cache names large files by it, so that gigabytes need not be read again."""
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
