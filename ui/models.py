"""Stacks that `--model` accepts: names and abilities, read from their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from core.errors import ConceptreeError
from core.stack.backbone import Backbone
from core.stack.hub import ALIASES
from ui.console import print_json, say
from ui.stack import can_draw, folder_of

NAMED = ("emoji", *ALIASES)  # stacks that can be named instead of giving a folder
PRIOR_PARTS = ("tokenizer", "text_encoder", "image_encoder", "prior", "scheduler")
MB = 1e6


def list_models(folders: Sequence[str], as_json: bool, out: Console) -> None:
    """Print the stacks that can be named, and those in the folders."""
    found = [described(where) for where in (*NAMED, *folders)]
    if as_json:
        return print_json(found)
    for each in found:
        say(out, each["name"])
        if "error" in each:
            say(out, f"  {'amiss':<10}{each['error']}")
            continue
        does = [word for word, can in (("learn", True), ("draw", each["draws"]), ("answer", each["answers"])) if can]
        there = [part for part, present in each["parts"].items() if present]
        missing = ", ".join(part for part, present in each["parts"].items() if not present)
        say(out, f"  {'version':<10}{each['version']}, fingerprint {each['fingerprint']}")
        say(out, f"  {'can':<10}{', '.join(does)}{'' if each['calibrated'] else '; not calibrated'}")
        say(out, f"  {'size':<10}{each['megabytes']} MB, vectors of {each['width']} numbers")
        say(out, f"  {'parts':<10}{', '.join(there)}{f'; without {missing}' if missing else ''}")


def described(where: str) -> dict[str, Any]:
    """Description of a stack from its files, without loading or downloading anything."""
    try:
        backbone = Backbone.load(where, device="cpu", fetch=False)
        folder = folder_of(backbone)
        parts = {part: backbone.part_folder(part).is_dir() for part in PRIOR_PARTS}
        parts |= {"decoder": backbone.decoder_folder is not None}
        parts |= {part: (folder / part).is_dir() for part in ("vqa", "judge")}
        read = (folder, backbone.decoder_folder or folder, backbone.part_folder("prior"))
        files = {file for each in read for file in each.rglob("*")}
        size = sum(file.stat().st_size for file in files if file.is_file())
        return {
            "name": where,
            "version": backbone.version,
            "fingerprint": backbone.fingerprint,
            "width": backbone.width,
            "parts": parts,
            "megabytes": round(size / MB, 1),
            "draws": can_draw(backbone),
            "answers": parts["vqa"] and can_draw(backbone),
            "calibrated": backbone.calibration is not None,
        }
    except (ConceptreeError, OSError) as error:
        return {"name": where, "error": (str(error) or type(error).__name__).splitlines()[0]}
