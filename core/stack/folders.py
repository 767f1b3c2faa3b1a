"""Models as folders on disk: what they name, what they lack, and whether they may be read.

Code and pickles that lie in them are never loaded.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from core.errors import StackError

# Files beside the weights that are read: other precisions, other frameworks.
IGNORED = ("*.fp16.*", "*.non_ema.*", "*.bin.index.json", "onnx/*", "openvino/*", "original/*")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack", "*.ot")
_WEIGHTLESS = re.compile(r"tokenizer|scheduler|image_processor|feature_extractor")
_LIBRARIES = ("diffusers", "transformers", "kandinsky", "unclip", "stable_diffusion")


def is_whole_pipeline(folder: Path, without: Sequence[str] = ()) -> str:
    """The first missing file of the parts that a pipeline's model_index.json names, or "". without: parts that may be
    missing.
    """
    if missing := lacks_file(folder, "model_index.json"):
        return missing
    found = parts_of(folder).items()
    return lacks_of(folder, [part for part, (library, _) in found if library is not None and part not in without])


def lacks_of(folder: Path, parts: Sequence[str]) -> str:
    """The first missing file of some parts of a pipeline, or ""."""
    for part in parts:
        if missing := lacks(folder / part, has_weights(part)):
            return f"{part}/{missing}" if not missing.startswith(" ") else f"{part}{missing}"
    return ""


def lacks_file(folder: Path, name: str) -> str:
    return "" if (folder / name).is_file() else f"{name} is missing"


def lacks(folder: Path, weights: bool = True) -> str:
    """The first missing file of a model's folder, or "". weights: whether it needs some."""
    files = [file for file in folder.glob("*.json") if file.is_file()] if folder.is_dir() else []
    if not files:
        return " is missing" if not folder.is_dir() else " has no configuration"
    if not weights:
        return ""
    for index in files:
        if index.name.endswith(".safetensors.index.json"):
            return next((f"{shard} is missing" for shard in _shards(index) if not (folder / shard).is_file()), "")
    if any(readable_weights(folder)):
        return ""
    pickled = next((file.name for pattern in PICKLES for file in sorted(folder.glob(pattern))), None)
    if pickled:
        return f"{pickled} is a pickle, which is never read: weights in *.safetensors are needed"
    return "*.safetensors is missing"


def _shards(index: Path) -> list[str]:
    """The files that an index of weights names. Raises StackError for one that is not beside it."""
    named = read_json(index).get("weight_map")
    shards = sorted({str(each) for each in named.values()}) if isinstance(named, dict) else [""]
    for shard in shards:
        if Path(shard).name != shard or not shard.endswith(".safetensors"):
            raise StackError(f"{index} names {shard[:80]!r}: expected files *.safetensors beside it; fetch it again")
    return shards


def readable_weights(folder: Path) -> Iterator[Path]:
    """The weight files of a model that are read, without those of another precision."""
    ignored = [pattern for pattern in IGNORED if "/" not in pattern]
    files = (file for file in sorted(folder.glob("*.safetensors")) if file.exists())
    return (file for file in files if not any(fnmatch(file.name, pattern) for pattern in ignored))


def parts_of(folder: Path) -> dict[str, tuple[str | None, str]]:
    """(library, class) of each part that a pipeline's model_index.json names; (None, "") for one left out.

    Raises:
        StackError: the file is missing or not JSON, or a part needs code of its own.
    """
    found: dict[str, tuple[str | None, str]] = {}
    for part, value in read_json(folder / "model_index.json").items():
        if part.startswith("_") or not isinstance(value, list) or len(value) != 2:
            continue
        library, name = value
        if library is not None and library not in _LIBRARIES:
            raise StackError(
                f"the {part} in {str(folder)!r} is a {name} of {library!r}, and a model's own code is never run:"
                " choose one whose parts are of diffusers and transformers"
            )
        found[part] = (library, str(name or ""))
    return found


def has_weights(part: str) -> bool:
    """Whether a part of a pipeline has weights."""
    return _WEIGHTLESS.search(part) is None


def called(pipeline: Path, part: str) -> str:
    """The name of a prior's part in a pipeline: Karlo's has a prior_scheduler beside those of its other models."""
    return own if (own := f"prior_{part}") in parts_of(pipeline) else part


def refuse_code(folder: Path) -> None:
    """Raise StackError for a model whose configuration names code of its own."""
    for name in ("config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json"):
        file = folder / name
        if file.is_file() and (wanted := read_json(file).get("auto_map")):
            classes = wanted.values() if isinstance(wanted, dict) else wanted
            raise StackError(
                f"{file} wants to run code of its own ({', '.join(str(each) for each in classes)}), which is refused:"
                " choose a model of transformers' own classes"
            )


def check_indexes(folder: Path) -> None:
    """Raise StackError if an index of weights names files outside the folder."""
    for index in folder.glob("*.safetensors.index.json"):
        _shards(index)


def check_weights(folder: Path) -> None:
    """Raise StackError for incomplete weights. Reads only headers: half a download is shorter than its header says."""
    for file in readable_weights(folder):
        if damage := damage_of(file):
            raise StackError(damage)


def damage_of(file: Path) -> str:
    """The damage of a file of weights, with the way to repair it; or ""."""
    try:
        with safe_open(file, "pt"):
            return ""
    except (SafetensorError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        again = f"fetch it again: {_again(file)}" if _again(file) else "fetch it again"
        return f"{file} is damaged ({reason}): {again}"


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object, or StackError."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StackError(f"{file} is missing or is not JSON") from error
    if not isinstance(content, dict):
        raise StackError(f"{file} should hold a JSON object")
    return content


def _again(file: Path) -> str:
    """The command that downloads a damaged file of the hub's cache again; "" for any other file."""
    parts = file.parts
    for place, name in enumerate(parts[:-3]):
        if name.startswith("models--") and parts[place + 1] == "snapshots":
            id_ = name.removeprefix("models--").replace("--", "/", 1)
            path = "/".join(parts[place + 3 :])
            return shlex.join(["hf", "download", id_, path, "--revision", parts[place + 2], "--force-download"])
    return ""
