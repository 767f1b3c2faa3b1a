"""Text chunks of a run's pictures, by keyword (see `core.png`)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from core.concept import Request, aspect_of
from core.exchange.embedding import OURS
from core.renderers import Rendered, RenderError
from evolve.store.rows import Descent, Entry, shares

Told = dict[str, object]
SCHEMA = 1  # of the JSON in a drawing
LARGEST_SEED = 2**63 - 1
LONGEST_NAME, LONGEST_PROMPT = 200, 2000  # characters of a name and a prompt that a drawing tells
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Shown:
    """What a drawing says that it shows. prompt has {} in the concept's place; prompt and seed may be unknown.

    rendered: how another decoder than the stack's own drew it.
    """

    id: str
    name: str = ""
    run: str = ""
    stack: str = ""
    prompt: str = ""
    seed: int | None = None
    rendered: Rendered | None = None


def drawing_told(
    entry: Entry | None,
    names: Mapping[str, str],
    run: str,
    about: Mapping[str, Any],
    prompt: str,
    seed: int,
    size: tuple[int, int],
    rendered: Rendered | None = None,
) -> Told:
    """Texts of a drawing: each fact by its keyword, all as A1111's `parameters`, and all as JSON (`shown_by`).

    entry: the concept, if the run has it. names: of concepts, by id. run, about: name and run.json of the run. size:
    width and height in pixels. rendered: how another decoder than the stack's own drew it.
    """
    from core.png import LONGEST  # imports Pillow, which readers do not need

    of = concept_told(entry, names) if entry else {}
    told: Told = {"prompt": prompt, "seed": seed, **of, **run_told(run, about)}
    stack = about["stack"]
    rendered = rendered.shared if rendered else None
    told |= rendered.told if rendered else {}
    if entry:
        told["parameters"] = _parameters(entry, run, stack["version"], prompt, seed, size, rendered)
        facts = {OURS: SCHEMA, "concept": entry.name, "id": entry.id, "run": run, "prompt": prompt, "seed": seed}
        facts["stack"] = {"version": stack["version"], "fingerprint": stack["fingerprint"]}
        facts |= {"rendered": rendered.told} if rendered else {}
        text = json.dumps(facts, ensure_ascii=False)
        text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
        told |= {OURS: text} if len(text) <= LONGEST else {}
    return told


def _parameters(
    entry: Entry, run: str, stack: str, prompt: str, seed: int, size: tuple[int, int], rendered: Rendered | None
) -> str:
    """A1111's form: the prompt, then a line of `Key: value` pairs; a value with a comma or a colon is quoted."""
    values: dict[str, object] = {"Seed": seed, "Size": f"{size[0]}x{size[1]}", "Model": stack, "Concept": entry.name}
    if rendered:
        look = rendered.look
        known: dict[str, object] = {
            "Steps": look.steps,
            "CFG scale": look.guidance_scale,
            "IP-Adapter scale": look.scale,
        }
        known |= {"Text": look.text or None, "Decoder": rendered.decoder}
        values = {key: value for key, value in known.items() if value is not None} | values
        values |= {"Model": rendered.where, "Prior": stack}
    values |= {"Concept id": entry.id, "Run": run, "Version": "Conceptree"}
    quoted = {key: json.dumps(text) if set(text := str(value)) & set(",:\n") else text for key, value in values.items()}
    return f"{prompt.replace('{}', entry.name)}\n{', '.join(f'{key}: {text}' for key, text in quoted.items())}"


def shown_by(texts: Mapping[str, str]) -> Shown | None:
    """The concept that a drawing or a sheet shows, by its texts (`core.png.strangers_texts`); None if they name none.

    Drawings of earlier versions have no JSON, but the same facts by their keywords. Values of another type or size are
    left out.
    """
    try:
        told = json.loads(texts.get(OURS, ""))
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict) and told.get(OURS) == SCHEMA:
        stack = told.get("stack")
        if isinstance(stack, dict):
            told["stack"] = f"{stack.get('version')} ({stack.get('fingerprint')})"
    else:
        written = texts.get("seed", "")
        told = {**texts, "seed": int(written) if re.fullmatch(r"[0-9]{1,19}", written, re.ASCII) else None}
    id_, seed = told.get("id"), told.get("seed")
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        return None
    name, run, stack = (_short(told.get(key), LONGEST_NAME) for key in ("concept", "run", "stack"))
    rendered = None
    with suppress(RenderError):
        rendered = Rendered.of(told.get("rendered"))
    prompt = _short(told.get("prompt"), LONGEST_PROMPT)
    if type(seed) is not int or not 0 <= seed <= LARGEST_SEED or "{}" not in prompt:
        return Shown(id_, name, run, stack)  # a sheet has several prompts and seeds
    return Shown(id_, name, run, stack, prompt, seed, rendered)


def _short(value: object, most: int) -> str:
    return value if isinstance(value, str) and len(value) <= most else ""


def run_told(name: str, about: Mapping[str, Any]) -> Told:
    """The run and its stack. about: its run.json."""
    stack = about["stack"]
    return {"run": name, "stack": f"{stack['version']} ({stack['fingerprint']})"}


def concept_told(entry: Entry, names: Mapping[str, str]) -> Told:
    """A concept, its category and its parents. names: of concepts, by id."""
    return {
        "concept": entry.name,
        "id": entry.id,
        "category": entry.category,
        "parents": parents_told(entry.parents, names),
    }


def parents_told(parents: Sequence[Descent], names: Mapping[str, str]) -> str:
    """`0.7 moku (1f2e…), 0.3 vasi (9a8b…)`: shares, names and ids. Photographs go by their ids, not their files."""
    told = []
    for parent, share in zip(parents, shares(parents), strict=True):
        name = "" if parent.is_photo else names.get(parent.id, "")
        home = f" of run {parent.run}" if parent.run else ""
        part = f"{aspect} of" if (aspect := aspect_of(parent.kind)) else f"{share:.2g}"
        told.append(f"{part} {f'{name} ({parent.id})' if name else parent.id}{home}")
    return ", ".join(told)


def look_told(request: Request, step: int) -> Told:
    """A drawing of a concept that is still being learned."""
    return {"category": request.category, "step": step, "seed": request.seed}
