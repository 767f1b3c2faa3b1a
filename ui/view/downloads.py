"""Export: concepts as a zip of embeddings, sidecars and drawings, or of drawings alone."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from core.concept import Array
from core.errors import ConceptreeError
from core.exchange import (
    CLIP_G,
    IMAGE_FORMS,
    Embedding,
    image_readers,
    readers,
    suffix,
    write_embedding,
    write_sidecar,
)
from core.wording import counted
from evolve import Run
from evolve.store.run import Drawing, Individual, Photo
from ui.exporting import PICTURES, provenance_of, stem_of, token_of, write_images
from ui.pictures import is_whole
from ui.sheet import opened
from ui.view import model
from ui.view.described import seeded
from ui.view.store import Opened
from ui.view.text import shortened

LONGEST = 120  # characters of the names of what is left out

# Layouts only: which tools can use a concept depends on its width, see `readers_of`.
FORMS = {
    "safetensors": "safetensors",
    "diffusers": "learned_embeds.bin (diffusers' layout)",
    "a1111": ".pt (A1111's layout), for SDXL .safetensors",
    "conceptlab": ".pt (ConceptLab's layout)",
    "npz": ".npz (numpy)",
    "image": "image embedding",
    "comfyui": "image embedding (ComfyUI's layout)",
}


def forms_for(width: int) -> list[str]:
    """The forms of FORMS that fit a stack of that width."""
    return [form for form in FORMS if form != "comfyui" or width == CLIP_G]


def readers_of(form: str, vectors: Array) -> str:
    """One line on which tools can use a concept of these vectors [k, d] in that form."""
    return image_readers(form, vectors.shape[1]) if form in IMAGE_FORMS else readers(form, vectors)


def torn(found: Opened, ids: Collection[str], photos: Collection[Photo] = ()) -> str:
    """The number of pictures that a file with these concepts and photographs leaves out, and whose they are; "" if all
    their files are whole.
    """
    counts: Counter[str] = Counter()
    for id_ in ids:
        drawn = (*found.drawings.get(id_, ()), *found.renderings.get(id_, ()))
        if lost := sum(not is_whole(each.file) for each in drawn):
            counts[found.by_id[id_].name] += lost
    counts.update(each.label for each in photos if not is_whole(each.file))
    if not counts:
        return ""
    many = counted(sum(counts.values()), "picture is left out: its file is", "pictures are left out: their files are")
    names = shortened(", ".join(counts), LONGEST)
    return f"{many} missing or torn ({names})."


def pictures_button(chosen: Sequence[tuple[Run, Sequence[str]]], stem: str, key: str) -> None:
    """A button that saves the drawings of these concepts alone. stem: of the file's name."""
    st.download_button(
        "Pictures only",
        lambda: zipped(chosen, PICTURES),
        file_name=f"{stem}-pictures.zip",
        mime="application/zip",
        key=key,
        icon=":material/image:",
        on_click="ignore",
        help="A zip of PNG files. Each says inside which concept it shows, and its parents, prompt and seed.",
    )


def zipped(chosen: Sequence[tuple[Run, Sequence[str]]], form: str) -> bytes:
    """Concepts (ids, by run) as a zip: embedding, sidecar and drawings of each, those of other decoders last. In the
    form `PICTURES` drawings alone, without folders of their own.

    Leaves out unreadable files; LEFT-OUT.txt has the reasons.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        export = _Export(archive, form)
        for run, ids in chosen:
            names = {each.id: each.name for each in run.entries()}
            drawings: dict[str, list[Drawing]] = {}
            for drawing in (*run.drawings(), *run.renderings()):
                drawings.setdefault(drawing.concept, []).append(drawing)
            folder = "" if len(chosen) == 1 else f"{run.folder.name}/"
            for id_ in ids:
                try:
                    export.add(run, id_, names, drawings.get(id_, ()), folder)
                except ConceptreeError as error:
                    export.left_out.append(f"{names.get(id_, id_)}: {error}")
        if export.left_out:
            archive.writestr("LEFT-OUT.txt", "\n".join([*export.left_out, ""]))
    return content.getvalue()


@dataclass
class _Export:
    """A zip that is being written. taken: file stems in use. left_out: missing files, with reasons."""

    archive: zipfile.ZipFile
    form: str
    taken: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)

    def add(self, run: Run, id_: str, names: Mapping[str, str], drawings: Sequence[Drawing], folder: str) -> None:
        """Add a concept. names: of its parents, by id. folder: in the zip, with a slash, or ""."""
        each = run.find(id_)
        stem = folder + stem_of(each)
        if stem in self.taken:  # names that differ only in characters that no file name has
            stem = f"{stem}-{id_[:8]}"
        self.taken.add(stem)
        if self.form == PICTURES:
            self._add_drawings(each, drawings, f"{stem}-")
            return
        with tempfile.TemporaryDirectory() as place:
            for file in self._written(run, each, names, Path(place) / Path(stem).name):
                self.archive.write(file, f"{folder}{file.name}")
        self._add_drawings(each, drawings, f"{stem}/")
        if drawings:
            told = [f"{number:02d}.png  {seeded(d)}  {d.prompt}" for number, d in enumerate(drawings, 1)]
            self.archive.writestr(f"{stem}/prompts.txt", "\n".join([*told, ""]))

    def _add_drawings(self, each: Individual, drawings: Sequence[Drawing], before: str) -> None:
        """Add the whole ones. before: their numbers, in their names."""
        for number, drawing in enumerate(drawings, 1):
            try:
                opened(drawing.file)
            except ConceptreeError as error:
                self.left_out.append(f"{each.name}, drawing {number}: {error}")
                continue
            self.archive.write(drawing.file, f"{before}{number:02d}.png")
        if not drawings and self.form == PICTURES:
            self.left_out.append(f"{each.name}: not drawn yet")

    def _written(self, run: Run, each: Individual, names: Mapping[str, str], stem: Path) -> list[Path]:
        """Write a concept's embedding and sidecar; the files. stem: their path, without endings."""
        if self.form in IMAGE_FORMS:
            return write_images(run, model.backbone(run), each, names, stem, self.form)
        embedding = Embedding(token_of(each.name, self.form), each.concept.vectors, provenance_of(run, each, names))
        file = stem.with_name(f"{stem.name}{suffix(self.form, embedding.width)}")
        line = readers(self.form, embedding.vectors)
        beside = stem.with_name(f"{stem.name}.json")
        write_sidecar(beside, embedding, file=file.name, form=self.form, readers=line)
        return [write_embedding(file, embedding, self.form), beside]
