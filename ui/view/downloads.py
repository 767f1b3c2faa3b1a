"""What a person takes along: concepts as embeddings with their sidecars and drawings, in one zip."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import ConceptreeError
from core.exchange import Embedding, readers, suffix, write_embedding, write_sidecar
from evolve import Run
from evolve.store.run import Drawing
from ui.exchange import provenance_of, stem_of, token_of
from ui.sheet import opened

FORMS = {
    "safetensors": "safetensors: diffusers, A1111, ComfyUI, InvokeAI",
    "diffusers": "diffusers: learned_embeds.bin",
    "a1111": "A1111: .pt, for SDXL .safetensors",
    "conceptlab": "ConceptLab: .pt",
    "npz": "npz: numpy",
}


def zipped(chosen: Sequence[tuple[Run, Sequence[str]]], form: str) -> bytes:
    """Concepts (ids, by run) as a zip: of each its embedding, its sidecar and its drawings.

    What cannot be read is left out, and LEFT-OUT.txt says why.
    """
    content = io.BytesIO()
    left_out: list[str] = []
    taken: set[str] = set()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for run, ids in chosen:
            names = {each.id: each.name for each in run.entries()}
            drawings: dict[str, list[Drawing]] = {}
            for drawing in run.drawings():
                drawings.setdefault(drawing.concept, []).append(drawing)
            folder = "" if len(chosen) == 1 else f"{run.folder.name}/"
            for id_ in ids:
                try:
                    _add(archive, run, id_, names, drawings.get(id_, ()), form, folder, taken, left_out)
                except ConceptreeError as error:
                    left_out.append(f"{names.get(id_, id_)}: {error}")
        if left_out:
            archive.writestr("LEFT-OUT.txt", "\n".join([*left_out, ""]))
    return content.getvalue()


def _add(
    archive: zipfile.ZipFile,
    run: Run,
    id_: str,
    names: Mapping[str, str],
    drawings: Sequence[Drawing],
    form: str,
    folder: str,
    taken: set[str],
    left_out: list[str],
) -> None:
    each = run.find(id_)
    stem = folder + stem_of(each)
    if stem in taken:  # two names that are alike but for what no file name may have
        stem = f"{stem}-{id_[:8]}"
    taken.add(stem)
    embedding = Embedding(token_of(each.name, form), each.concept.vectors, provenance_of(run, each, names))
    ending = suffix(form, embedding.width)
    with tempfile.TemporaryDirectory() as place:
        file, beside = Path(place) / f"concept{ending}", Path(place) / "concept.json"
        write_embedding(file, embedding, form)
        line = readers(form, embedding.vectors)
        write_sidecar(beside, embedding, file=f"{Path(stem).name}{ending}", form=form, readers=line)
        archive.write(file, f"{stem}{ending}")
        archive.write(beside, f"{stem}.json")
    for number, drawing in enumerate(drawings, 1):
        try:
            opened(drawing.file)
        except ConceptreeError as error:
            left_out.append(f"{each.name}, drawing {number}: {error}")
            continue
        archive.write(drawing.file, f"{stem}/{number:02d}.png")
    if drawings:
        told = [f"{number:02d}.png  seed {d.seed}  {d.prompt}" for number, d in enumerate(drawings, 1)]
        archive.writestr(f"{stem}/prompts.txt", "\n".join([*told, ""]))
