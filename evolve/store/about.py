"""run.json: category, kind and stack of a run (docs/formats.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.concept import KINDS
from core.files import StorageError
from evolve.store.parts import RunError

SCHEMA = 1
_ABOUT = {"category": str, "kind": str, "stack": dict, "created_at": str}
_STACK = {"where": str, "version": str, "fingerprint": str}


def new_about(category: str, kind: str, backbone: Any) -> dict[str, Any]:
    """Content of the run.json of a new run."""
    return {
        "schema": SCHEMA,
        "category": category,
        "kind": kind,
        "stack": {
            "where": lasting(backbone.where),
            "version": backbone.version,
            "fingerprint": backbone.fingerprint,
        },
        "created_at": datetime.now(UTC).isoformat(),
        "written_by": own_version(),
    }


def read_about(folder: Path) -> dict[str, Any]:
    """Content of a run's run.json.

    Raises:
        RunError: it is missing, or this version cannot read it.
        StorageError: the disk cannot read it.
    """
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(f"there is no run in {str(folder)!r}: it has no run.json") from None
    except OSError as error:
        raise StorageError(f"the run.json in {str(folder)!r} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"the run.json in {str(folder)!r} cannot be read: it is not JSON ({error})") from error
    if not isinstance(about, dict):
        raise RunError(f"the run.json in {str(folder)!r} cannot be read: expected an object, with its schema")
    _check_schema(folder, about)
    _check_keys(folder, about, _ABOUT)
    _check_keys(folder, about["stack"], _STACK, "stack.")
    if about["kind"] not in KINDS:
        raise RunError(f"the run.json in {str(folder)!r} has kind {about['kind']!r}: expected {' or '.join(KINDS)}")
    return about


def _check_schema(folder: Path, about: dict[str, Any]) -> None:
    schema = about.get("schema")
    if type(schema) is int and schema == SCHEMA:
        return
    advice = "was it made by Conceptree?"
    if type(schema) is int and schema > SCHEMA:
        by = about.get("written_by")
        newer = f"Conceptree {by[:40]!r}" if isinstance(by, str) and by else "a newer Conceptree"
        advice = f"{newer} wrote it, and reads it; this is {own_version() or 'older'}"
    raise RunError(f"the run in {str(folder)!r} has schema {schema!r}, this version reads {SCHEMA}: {advice}")


def _check_keys(folder: Path, values: dict[str, Any], kinds: Mapping[str, type], prefix: str = "") -> None:
    for key, kind in kinds.items():
        if key not in values:
            raise RunError(f"the run.json in {str(folder)!r} lacks the key {prefix + key!r}: put it back from a copy")
        if not isinstance(values[key], kind):
            expected = "text" if kind is str else "an object"
            raise RunError(f"the run.json in {str(folder)!r} has {prefix + key} = {values[key]!r}: expected {expected}")


def lasting(where: str) -> str:
    """Absolute path of a stack's folder; other names of stacks unchanged."""
    folder = Path(where).expanduser()
    return str(folder.resolve()) if where != "emoji" and folder.is_dir() else where


def own_version() -> str:
    """The version that is installed, or ""."""
    from importlib.metadata import PackageNotFoundError, version  # takes as long as reading a small run

    try:
        return version("conceptree")
    except PackageNotFoundError:  # run from a folder that pip has not installed
        return ""
