"""`export`: concepts as embeddings for other tools, each with a sidecar and a sheet of drawings; or their pictures."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from core.errors import ConceptreeError
from core.exchange import (
    IMAGE_FORMS,
    Embedding,
    ExchangeError,
    ImageEmbeds,
    image_files,
    image_readers,
    readers,
    suffix,
    write_embedding,
    write_image_embeds,
    write_sidecar,
)
from core.files import write_atomically
from core.prompts import portrait
from core.stack.protocols import Learns
from evolve.store.captions import concept_told, run_told
from evolve.store.origins import origin_of
from evolve.store.run import Drawing, Individual, Run
from ui.console import print_line, say
from ui.descent import Words
from ui.pictures import CANDIDATES, PROMPTS, SEED, Pictures, card_lines, draw_all, is_whole, usual_in
from ui.runs import open_run
from ui.sheet import Card, opened, save_sheet, sheet
from ui.stack import can_draw, open_stack_of

PICTURES = "pictures"  # the form of an export without embeddings
IMAGINED = range(SEED, SEED + CANDIDATES)  # seeds of the portraits whose image embeddings are exported
LONGEST_STEM = 60
MOST_DRAWINGS = 200  # listed in a sidecar
_EMBEDDED_LICENCE = (
    "The vectors are their maker's own work. They were learned with {} (Apache-2.0), which learned from drawings under"
    " MIT, Apache-2.0 and CC BY 4.0; its card, core/emoji/CARD.md, names who made them."
)
_OTHER_LICENCE = "The vectors are their maker's own work, learned with the stack {}, whose own licence may bind them."
_NO_LICENCE = "Unknown: it was imported from {}, which names none."


@dataclass(frozen=True)
class Target:
    """Where an export goes. form: of its files. force: replace files. as_json: print JSON lines."""

    to: Path
    form: str
    force: bool = False
    as_json: bool = False


def export(name: str, concepts: Sequence[str], target: Target, *, runs: Path, model: str | None, out: Console) -> None:
    """Write concepts of a run into a folder: embeddings, each with a sidecar, or pictures alone."""
    run = open_run(runs, name)
    wanted = list({each.id: each for each in map(run.find, concepts)}.values())
    if target.form == PICTURES:
        return _export_pictures(run, wanted, target, out)
    write = _export_images if target.form in IMAGE_FORMS else _export_vectors
    for line in write(run, wanted, target, model, out):
        if not target.as_json:
            say(out, f"  {line}")


def _export_pictures(run: Run, wanted: Sequence[Individual], target: Target, out: Console) -> None:
    """Copy all drawings of concepts, which say themselves what they show: NAME-01.png and so on."""
    drawn = [[each for each in drawings_of(run, each.id) if is_whole(each.file)] for each in wanted]
    for each, drawings in zip(wanted, drawn, strict=True):
        if not drawings:
            raise ExchangeError(f"{each.name!r} has no drawing to export: `conceptree draw` makes some")
    files = [
        [target.to / f"{stem_of(each)}-{number:02d}.png" for number in range(1, len(drawings) + 1)]
        for each, drawings in zip(wanted, drawn, strict=True)
    ]
    _check_free(wanted, files, target.force)
    for each, drawings, paths in zip(wanted, drawn, files, strict=True):
        for drawing, path in zip(drawings, paths, strict=True):
            write_atomically(path, drawing.file.read_bytes())
        if target.as_json:
            print_line({"name": each.name, "id": each.id, "form": PICTURES, "files": list(map(str, paths))})
        else:
            others = f" to {paths[-1].name}" if len(paths) > 1 else ""
            say(out, f"{each.name}: {paths[0]}{others}")


def drawings_of(run: Run, id_: str) -> list[Drawing]:
    """All drawings of a concept, those of other decoders last."""
    return [*run.drawings(id_), *run.renderings(id_)]


def _export_vectors(
    run: Run, wanted: Sequence[Individual], target: Target, model: str | None, out: Console
) -> list[str]:
    """Write the token vectors of concepts, a sidecar, and a sheet of drawings of each; return notes for the end."""
    to, form, as_json = target.to, target.form, target.as_json
    files = [to / (stem_of(each) + suffix(form, each.concept.vectors.shape[1])) for each in wanted]
    _check_free(wanted, [[file, file.with_suffix(".json"), file.with_suffix(".png")] for file in files], target.force)
    pictures, lacking = _pictures(run, wanted, model, Console(quiet=True) if as_json else out)
    names, words = run.names(), run.words()
    told: dict[str, None] = {}
    for each, file in zip(wanted, files, strict=True):
        token = token_of(each.name, form)
        embedding = Embedding(token, each.concept.vectors, provenance_of(run, each, names))
        line = readers(form, embedding.vectors)
        drawn = (
            _save_sheet(run, each, names, words, pictures, file.with_suffix(".png")) if each.id in pictures else None
        )
        beside = write_sidecar(file.with_suffix(".json"), embedding, file=file.name, form=form, readers=line)
        write_embedding(file, embedding, form)  # the last: where it is, everything is
        if as_json:
            written = {"name": each.name, "id": each.id, "form": form, "file": file, "sidecar": beside, "sheet": drawn}
            shape = {"token": token, "vectors": len(embedding.vectors), "width": embedding.width}
            print_line(written | shape | {"notes": [line, *lacking]})
        else:
            say(out, f"{each.name}: {file}, with {beside.name}{f' and {drawn.name}' if drawn else ''}")
            told[line] = None
    return [*told, *lacking]


def _export_images(
    run: Run, wanted: Sequence[Individual], target: Target, model: str | None, out: Console
) -> list[str]:
    """Write image embeddings, imagined anew, and a sidecar of each concept; return notes for the end."""
    to, form, as_json = target.to, target.form, target.as_json
    lines = dict.fromkeys(image_readers(form, len(each.concept.image_embed)) for each in wanted)
    stems = [to / stem_of(each) for each in wanted]
    _check_free(wanted, [[*image_files(stem, form), sidecar_of(stem, form)] for stem in stems], target.force)
    stack, names = open_stack_of(run, model), run.names()
    for each, stem in zip(wanted, stems, strict=True):
        files = write_images(run, stack, each, names, stem, form)
        if as_json:
            written = {"name": each.name, "id": each.id, "form": form, "file": files[0], "sidecar": files[-1]}
            shape = {"image_embeds": 1 + len(IMAGINED), "width": len(each.concept.image_embed)}
            print_line(written | {"files": list(map(str, files[:-1]))} | shape | {"notes": list(lines)})
        else:
            say(out, f"{each.name}: {files[0]}, with {' and '.join(file.name for file in files[1:])}")
    return list(lines)


def write_images(
    run: Run, stack: Learns, each: Individual, names: Mapping[str, str], stem: Path, form: str
) -> list[Path]:
    """Imagine a concept's portraits and write their embeddings; the files of the form, then the sidecar.

    names: by id, for the parents. stem: path of the files, without their endings.
    """
    from core.depict import portrait_embeds  # imports torch

    imagined = {"prompt": portrait(each.concept.request.kind), "seeds": list(IMAGINED)}
    embeds = ImageEmbeds(
        portrait_embeds(stack, each.concept, IMAGINED), provenance_of(run, each, names) | {"imagined": imagined}
    )
    files = image_files(stem, form)
    told = {"files": [file.name for file in files]} if len(files) > 1 else {}
    line = image_readers(form, embeds.width)
    beside = write_sidecar(sidecar_of(stem, form), embeds, file=files[0].name, **told, form=form, readers=line)
    return [*write_image_embeds(stem, embeds, form), beside]


def sidecar_of(stem: Path, form: str) -> Path:
    """The sidecar of image embeddings; its name leaves room for that of the concept's token vectors."""
    return Path(f"{stem}.{form}.json")


def provenance_of(run: Run, each: Individual, names: Mapping[str, str]) -> dict[str, Any]:
    """Provenance of a concept, for its sidecar. names: by id, for the parents."""
    concept, request = each.concept, each.concept.request
    origin = origin_of(run, each.id)
    known = {
        "name": each.name,
        "id": each.id,
        "category": request.category,
        "kind": request.kind,
        "run": run.folder.name,
        "generation": each.generation,
        "created_at": each.created_at.isoformat(),
        "stack": {"version": concept.version, "fingerprint": concept.fingerprint},
        "licence": licence_of(run, each, origin),
        "parents": [
            {"name": names.get(p.id, ""), "id": p.id, "weight": p.weight, "kind": p.kind, "run": p.run}
            for p in request.parents
        ],
        "positives": [vars(positive) for positive in request.positives],
        "negatives": [vars(negative) for negative in concept.negatives],
        "drawings": [{"prompt": d.prompt, "seed": d.seed} for d in run.drawings(each.id)[:MOST_DRAWINGS]],
        "seed": request.seed,
        "initializer": request.initializer,
        "steps": concept.steps,
        "kept_step": concept.kept_step,
        "scores": {name: value for name, value in concept.scores.items() if math.isfinite(value)},
        "settings": request.chosen.to_dict(),
    }
    return known | ({"origin": origin} if origin else {})


def licence_of(run: Run, each: Individual, origin: Mapping[str, Any]) -> str:
    """The licence of a concept's vectors in one line. origin: see `origin_of`."""
    if origin:
        return str(origin.get("licence") or _NO_LICENCE.format(origin.get("file")))
    embedded = run.about["stack"]["where"] == "emoji"
    return (_EMBEDDED_LICENCE if embedded else _OTHER_LICENCE).format(each.concept.version)


def token_of(name: str, form: str) -> str:
    """Token of a concept in other tools. ConceptLab's tokenizer lowers it and splits it at anything but letters."""
    return re.sub(r"[\W\d_]", "", name).lower() or "concept" if form == "conceptlab" else f"<{name}>"


def stem_of(each: Individual) -> str:
    """Stem of a concept's files: its name, shortened to a plain file name."""
    return re.sub(r"[^\w -]", "_", each.name)[:LONGEST_STEM].strip() or "concept"


def _check_free(wanted: Sequence[Individual], files: Sequence[Sequence[Path]], force: bool) -> None:
    """Raise ExchangeError if two concepts have the same files, or a file exists and is not to be replaced."""
    for each, paths in zip(wanted, files, strict=True):
        if [other[0] for other in files].count(paths[0]) > 1:
            raise ExchangeError(f"{each.name!r} and another would both be {paths[0].name!r}: export them one at a time")
        for path in paths:
            if not force and os.path.exists(path):
                raise ExchangeError(f"{str(path)!r} is there already: --force replaces it, --to names another folder")


def _pictures(run: Run, wanted: Sequence[Individual], model: str | None, out: Console) -> tuple[Pictures, list[str]]:
    """Drawings for the sheets, made now where the run lacks them; or the reason why there are none."""
    missing = [each for each in wanted if len(_drawn(run, each)) < len(PROMPTS[each.concept.request.kind])]
    try:
        if missing:  # otherwise no stack is needed
            backbone = open_stack_of(run, model)
            if not can_draw(backbone):
                raise ExchangeError(f"the stack {backbone.version} has no decoder")
            draw_all(run, backbone, missing, out)
        return {each.id: [opened(file) for file in _drawn(run, each)] for each in wanted}, []
    except ConceptreeError as error:  # the vectors are exported already
        return {}, [f"No sheet of drawings: {error}"]


def _drawn(run: Run, each: Individual) -> list[Path]:
    """Stored pictures for a concept's sheet."""
    return [drawing.file for drawing in usual_in(run.drawings(each.id), each.concept.request.kind)]


def _save_sheet(
    run: Run, each: Individual, names: Mapping[str, str], words: Words, pictures: Pictures, path: Path
) -> Path:
    card = Card(each.name, card_lines(each, names, words), pictures[each.id])
    captions = [prompt.replace("{}", "…") for prompt in PROMPTS[each.concept.request.kind]]
    title = f"{each.concept.request.category} · run {run.folder.name} · {each.concept.version}"
    drawn = usual_in(run.drawings(each.id), each.concept.request.kind)
    told: dict[str, object] = {
        "prompt": "; ".join(drawing.prompt for drawing in drawn),
        "seed": ", ".join(str(drawing.seed) for drawing in drawn),
    }
    told |= concept_told(run.entry(each.id), names) | run_told(run.folder.resolve().name, run.about)
    return save_sheet(sheet(title, captions, [card]), path, told)
