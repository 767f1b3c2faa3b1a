"""Sizes in a model's configuration, checked against the shapes of its weights before a model of that size is built."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

from core.errors import StackError
from core.stack import folders

_LAYERS = re.compile(r"(^|_)(layers?|depths?|blocks?)(_|$)")
_WIDTHS = re.compile(r"(hidden|intermediate|embed\w*)_(size|dim)|\w*(_dim|Dim|_channels|DimSize)|d_(model|ff|kv)")
_TABLES = re.compile(r"\w*vocab_size|num_embeddings|\w*_position_embeddings|n_positions|num_\w*(embeddings|tokens)")
_HARMLESS = 2**27  # numbers, half a gigabyte: as much may be built for nothing
_FEW = 64  # layers that any model may have
_SLACK = 16  # unused parts of a configuration may be larger than the weights


def check_sizes(folder: Path) -> None:
    """Raise StackError if `config.json` asks for a much larger model than the weights in the folder fill.

    A model is built from its configuration before its weights are read, so one number in a stranger's file could take
    all memory. Only headers are read. A folder without configuration or weights passes. The same for an index of
    weights that names files elsewhere.
    """
    folders.check_indexes(folder)
    config, file = folder / "config.json", next(folders.readable_weights(folder), None)
    if file is None or not config.is_file():
        return
    shapes = [shape for each in folders.readable_weights(folder) for shape in _shapes(each)]
    numbers = sum(map(prod, shapes))
    most = max(_HARMLESS, _SLACK * numbers)
    for told in _objects(folders.read_json(config)):
        layers = _largest(told, _LAYERS, {"": 1})
        widths = _largest(told, _WIDTHS, {"": 1})
        heads, head = told.get("num_attention_heads"), told.get("attention_head_dim")
        if isinstance(heads, int) and isinstance(head, int):
            widths |= {"num_attention_heads x attention_head_dim": heads * head}
        tables = _largest(told, _TABLES, {"": 1})
        (layer, layered), (wide, width), (table, rows) = (
            max(each.items(), key=lambda pair: pair[1]) for each in (layers, widths, tables)
        )
        if layered > max(_FEW, len(shapes)):
            raise _too_large(config, layer, layered, f"the weights hold {len(shapes)} tensors")
        if width * width * layered > most:
            raise _too_large(config, wide, width, f"the weights hold {numbers} numbers")
        if rows * width > most:
            raise _too_large(config, table, rows, f"the weights hold {numbers} numbers")


def _too_large(config: Path, key: str, value: int, there: str) -> StackError:
    return StackError(f"{config} has {key} = {value}, but {there}: fetch the model again")


def _shapes(file: Path) -> Iterator[list[int]]:
    """Shapes of the tensors in a safetensors file, from its header."""
    try:
        with file.open("rb") as content:
            length = int.from_bytes(content.read(8), "little")
            if length > file.stat().st_size:
                raise ValueError("its header is longer than the file")
            header = json.loads(content.read(length))
        yield from (told["shape"] for name, told in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StackError(f"{file} is damaged ({error}): fetch it again") from error


def _objects(told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A configuration and those in it."""
    yield told
    for value in told.values():
        if isinstance(value, Mapping):
            yield from _objects(value)


def _largest(told: Mapping[str, Any], keys: re.Pattern[str], least: dict[str, int]) -> dict[str, int]:
    """Values under keys that match, of a list its largest."""
    found = dict(least)
    for key, value in told.items():
        values = value if isinstance(value, list) else [value]
        whole = [each for each in values if isinstance(each, int) and not isinstance(each, bool)]
        if whole and keys.search(key):
            found[key] = max(whole)
    return found
