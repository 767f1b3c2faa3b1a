"""`conceptree export` and `conceptree import`: concepts as files that other tools read, and their files as concepts."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from core.concept import KINDS, Positive, Request
from core.errors import ConceptreeError
from core.exchange import (
    TOKEN_SPACES,
    Embedding,
    ExchangeError,
    read_embedding,
    read_sidecar,
    readers,
    suffix,
    write_embedding,
    write_sidecar,
)
from core.optimizer import ConceptLab
from core.settings import Settings
from core.stack.backbone import Backbone
from core.wording import counted
from evolve import Individual, Run, develop
from evolve.jobs.choices import check_words, chosen_settings
from evolve.store.captions import concept_told, run_told
from evolve.store.run import LONGEST_COMMENT, RunError
from ui.console import printable, say, to_type
from ui.descent import born_of, mixed
from ui.pictures import PROMPTS, Pictures, card_lines, draw_all, usual_in
from ui.runs import forget_if_empty, free_name, new_run, open_run, run_names
from ui.sheet import Card, opened, save_sheet, sheet
from ui.stack import can_draw, made_on_another, open_stack, open_stack_of
from ui.working import say_next, show_founders

LONGEST_STEM = 60
BESIDE, LISTED = (".json", ".png"), 6  # what lies beside embeddings, and how many of those are told
MOST_DRAWINGS = 200  # as listed in a sidecar
MOST_PRIOR_STEPS = 1000  # of a stranger's settings: as many as its scheduler was trained with
_ID = re.compile(r"[0-9a-f]{16}")
_EMBEDDED_LICENCE = (
    "The vectors are their maker's own work. They were learned with {} (Apache-2.0), which learned from drawings under"
    " MIT, Apache-2.0 and CC BY 4.0; its card, core/emoji/CARD.md, names who made them."
)
_OTHER_LICENCE = "The vectors are their maker's own work, learned with the stack {}, whose own licence may bind them."
_NO_LICENCE = "Unknown: it was imported from {}, which names none."


def export(
    name: str,
    concepts: Sequence[str],
    *,
    form: str,
    to: Path,
    force: bool,
    as_json: bool,
    runs: Path,
    model: str | None,
    out: Console,
) -> None:
    """Write concepts of a run into the folder `to`: the embedding, its sidecar, and a sheet of its drawings."""
    run = open_run(runs, name)
    wanted = list({each.id: each for each in map(run.find, concepts)}.values())
    files = [to / (stem_of(each) + suffix(form, each.concept.vectors.shape[1])) for each in wanted]
    for each, file in zip(wanted, files, strict=True):
        if files.count(file) > 1:
            raise ExchangeError(f"{each.name!r} and another would both be {file.name!r}: export them one at a time")
        for path in (file, file.with_suffix(".json"), file.with_suffix(".png")):
            if not force and os.path.exists(path):
                raise ExchangeError(f"{str(path)!r} is there already: --force replaces it, --to names another folder")
    pictures, lacking = _pictures(run, wanted, model, Console(quiet=True) if as_json else out)
    names = run.names()
    told: dict[str, None] = {}
    for each, file in zip(wanted, files, strict=True):
        token = token_of(each.name, form)
        embedding = Embedding(token, each.concept.vectors, provenance_of(run, each, names))
        line = readers(form, embedding.vectors)
        drawn = _save_sheet(run, each, names, pictures, file.with_suffix(".png")) if each.id in pictures else None
        beside = write_sidecar(file.with_suffix(".json"), embedding, file=file.name, form=form, readers=line)
        write_embedding(file, embedding, form)  # the last: where it is, everything is
        if as_json:
            written = {"name": each.name, "id": each.id, "form": form, "file": file, "sidecar": beside, "sheet": drawn}
            shape = {"token": token, "vectors": len(embedding.vectors), "width": embedding.width}
            _print_line(written | shape | {"notes": [line, *lacking]})
        else:
            say(out, f"{each.name}: {file}, with {beside.name}{f' and {drawn.name}' if drawn else ''}")
            told[line] = None
    for line in (*told, *lacking) if not as_json else ():
        say(out, f"  {line}")


def provenance_of(run: Run, each: Individual, names: Mapping[str, str]) -> dict[str, Any]:
    """How a concept came to be, for its sidecar. names: of the run's concepts by id, for the parents."""
    concept, request = each.concept, each.concept.request
    origin = _origin(run, each.id)
    if origin:
        licence = origin.get("licence") or _NO_LICENCE.format(origin.get("file"))
    else:
        embedded = run.about["stack"]["where"] == "emoji"
        licence = (_EMBEDDED_LICENCE if embedded else _OTHER_LICENCE).format(concept.version)
    known = {
        "name": each.name,
        "id": each.id,
        "category": request.category,
        "kind": request.kind,
        "run": run.folder.name,
        "generation": each.generation,
        "created_at": each.created_at.isoformat(),
        "stack": {"version": concept.version, "fingerprint": concept.fingerprint},
        "licence": licence,
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


def token_of(name: str, form: str) -> str:
    """The word that stands for a concept elsewhere. ConceptLab's tokenizer lowers it, and cuts at all but letters."""
    return re.sub(r"[\W\d_]", "", name).lower() or "concept" if form == "conceptlab" else f"<{name}>"


def stem_of(each: Individual) -> str:
    """What the files of a concept are called: its name, of which no more is taken than a plain file name may have."""
    return re.sub(r"[^\w -]", "_", each.name)[:LONGEST_STEM].strip() or "concept"


def _pictures(run: Run, wanted: Sequence[Individual], model: str | None, out: Console) -> tuple[Pictures, list[str]]:
    """The drawings for the sheets, those that the run lacks drawn now and kept there; or why there are none."""
    missing = [each for each in wanted if len(_drawn(run, each)) < len(PROMPTS[each.concept.request.kind])]
    try:
        if missing:  # or else no stack is needed at all
            backbone = open_stack_of(run, model)
            if not can_draw(backbone):
                raise ExchangeError(f"the stack {backbone.version} has no decoder")
            draw_all(run, backbone, missing, out)
        return {each.id: [opened(file) for file in _drawn(run, each)] for each in wanted}, []
    except ConceptreeError as error:  # the vectors are what was asked for, and they are there
        return {}, [f"No sheet of drawings: {error}"]


def _drawn(run: Run, each: Individual) -> list[Path]:
    """The pictures for a concept's sheet that the run has."""
    return [drawing.file for drawing in usual_in(run.drawings(each.id), each.concept.request.kind)]


def _save_sheet(run: Run, each: Individual, names: Mapping[str, str], pictures: Pictures, path: Path) -> Path:
    card = Card(each.name, card_lines(each, names), pictures[each.id])
    captions = [prompt.replace("{}", "…") for prompt in PROMPTS[each.concept.request.kind]]
    title = f"{each.concept.request.category} · run {run.folder.name} · {each.concept.version}"
    drawn = usual_in(run.drawings(each.id), each.concept.request.kind)
    told: dict[str, object] = {
        "prompt": "; ".join(drawing.prompt for drawing in drawn),
        "seed": ", ".join(str(drawing.seed) for drawing in drawn),
    }
    told |= concept_told(run.entry(each.id), names) | run_told(run.folder.resolve().name, run.about)
    return save_sheet(sheet(title, captions, [card]), path, told)


@dataclass(frozen=True)
class Arrival:
    """A file that is to become a concept: what it holds, what is asked of the stack, and what is said of it."""

    path: Path
    embedding: Embedding
    request: Request
    story: str

    @property
    def name(self) -> str:
        """What it is called where it comes from."""
        return str(self.embedding.provenance.get("name") or self.embedding.token.strip("<>"))


def bring(
    files: Sequence[Path],
    *,
    run_name: str | None,
    name: str | None,
    category: str | None,
    style: bool,
    as_json: bool,
    runs: Path,
    model: str | None,
    out: Console,
) -> None:
    """Take embeddings into a run, new or not, as concepts of generation 0 with the vectors that they have."""
    files, beside = _without_what_lies_beside(files)
    if beside and not as_json:
        names = ", ".join(path.name for path in beside[:LISTED]) + (" …" if len(beside) > LISTED else "")
        say(out, f"Left out, since they belong to embeddings that are named too: {names}")
    if name is not None and len(files) > 1:
        raise ExchangeError(f"--name {name!r} is for one file, and {len(files)} are named: import them one by one")
    read = [(path, read_with_sidecar(path)) for path in files]
    run = open_run(runs, run_name) if run_name is not None and run_name in run_names(runs) else None
    is_new = run is None
    said = all(each.provenance.get("category") for _, each in read)
    options = {"--category": category or (run.about["category"] if run and not said else None), "--name": name}
    anew = to_type(
        "import",
        *files,
        *(["--run", free_name(runs, run_name)] if run_name else []),
        *(word for option, value in options.items() if value for word in (option, value)),
        *(["--style"] if style else []),
        runs=runs,
    )
    if run:
        _check_widths(read, run, anew, model)  # before a stack is fetched that the run is not of
    backbone = open_stack(model or (run.about["stack"]["where"] if run else "emoji"))
    if run and (text := made_on_another(run, backbone)):
        raise ExchangeError(f"{text}. {_for_a_new_run(anew, model)}")
    kind = _kind(read, run, style, f"{anew}{f' --model {shlex.quote(model)}' if model else ''}")
    arrivals = [arrival(path, each, backbone, run, category, kind, anew) for path, each in read]
    for i, each in enumerate(arrivals):
        for other in arrivals[:i]:
            if each.request == other.request:
                raise ExchangeError(f"{str(other.path)!r} and {str(each.path)!r} are one concept: name one of them")
    if run is None:
        about = arrivals[0].request.category
        run = new_run(runs, run_name, about, lambda folder: Run.create(folder, about, backbone, kind))
    before = {each.id for each in run.entries()}
    try:
        concepts = develop([each.request for each in arrivals], backbone, run)
    except BaseException:
        if is_new:
            forget_if_empty(run)
        raise
    for each, concept in zip(arrivals, concepts, strict=True):
        known = concept.id in before
        if not known or not _origin(run, concept.id):
            write_sidecar(_record(run, concept.id), each.embedding, file=each.path.name)
        notes = [*each.embedding.notes, *_named(run, concept.id, name, each, known)]
        called = run.entry(concept.id).name
        if as_json:
            values = {"file": each.path, "name": called, "id": concept.id, "run": run.folder.name, "known": known}
            _print_line(values | {"category": each.request.category, "notes": notes})
            continue
        again = ", which the run has already" if known else ""
        vectors = counted(len(concept.vectors), "vector")
        say(out, f"{each.path.name} is {called}{again}: {each.request.category}, {vectors}, in {run.folder}")
        for note in notes:
            say(out, f"  Note: {note}")
    quiet = Console(quiet=True) if as_json else out
    show_founders(run, backbone, quiet)
    say_next(run, backbone, runs, quiet)


def _without_what_lies_beside(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Embeddings, and what was exported with them, which `DIR/*` names as well: a sidecar, a sheet, drawings."""
    stems = {path.with_suffix("") for path in files if path.suffix and path.suffix.lower() not in BESIDE}
    beside = [
        path for path in files if path in stems or (path.suffix.lower() in BESIDE and path.with_suffix("") in stems)
    ]
    return [path for path in files if path not in beside], beside


def read_with_sidecar(path: Path) -> Embedding:
    """An embedding with the provenance that lies beside it, which says more than what is in the file, if it does."""
    embedding = read_embedding(path)
    sidecar = path.with_suffix(".json")
    if not os.path.exists(sidecar):
        return embedding
    about = read_sidecar(sidecar)
    if about.get("sha256") == embedding.digest:
        return replace(embedding, provenance=about)
    whose = "of other vectors" if about else "not Conceptree's"
    return replace(embedding, notes=(*embedding.notes, f"{sidecar.name}, which lies beside it, is {whose}: left out"))


def arrival(
    path: Path,
    embedding: Embedding,
    backbone: Backbone,
    run: Run | None,
    category: str | None,
    kind: str,
    anew: str = "",
) -> Arrival:
    """What is asked of the stack for a file, checked as far as it can be before anything is stored.

    anew: the command that imports it into a new run, for a file that the run's stack cannot take.
    """
    about, file = embedding.provenance, repr(str(path))
    if embedding.width != backbone.width:
        raise ExchangeError(
            f"{file} is {embedding.width} wide, the stack {backbone.version} {backbone.width}:"
            f" {_name_its_stack(embedding, run, anew)}"
        )
    try:
        notes = _check_stack(file, embedding, backbone, run, anew)
        category = category or about.get("category") or (run.about["category"] if run else None)
        if category is None:
            raise ExchangeError(f"nobody says what {file} is: name its category, as in --category pet")
        check_words(backbone, [category], "category")
        request, left_out = _request(embedding, backbone, category, kind)
        request = ConceptLab(backbone).prepared(request)
        story = _story(path, about)
    except ExchangeError:
        raise
    except ConceptreeError as error:
        raise ExchangeError(f"{file} cannot become a concept: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ExchangeError(f"the provenance of {file} is not as Conceptree writes it ({reason})") from error
    return Arrival(path, replace(embedding, notes=(*embedding.notes, *notes, *left_out)), request, story)


def _check_widths(read: Sequence[tuple[Path, Embedding]], run: Run, anew: str, model: str | None) -> None:
    """Refuse files that are not as wide as the concepts that the run has."""
    width = None
    with suppress(IndexError, RunError):  # a run without concepts, or a damaged one
        width = run.find(run.entries()[0].id).concept.vectors.shape[1]
    for path, each in read:
        if width not in (None, each.width):
            ours = f"the run {run.folder.name!r} {width}, on the stack {run.about['stack']['version']}"
            raise ExchangeError(
                f"{str(path)!r} is {each.width} wide, {ours}: {_name_its_stack(each, run, anew, model)}"
            )


def _name_its_stack(embedding: Embedding, run: Run | None, anew: str, model: str | None = None) -> str:
    """What to do about a file of another stack: a run that is there cannot change its stack."""
    space = TOKEN_SPACES.get(embedding.width)
    belongs = f"it belongs to {space}" if space else "it was learned on another one"
    if run is None:
        return f"{belongs}; name the stack that it belongs to with --model"
    return f"{belongs}. {_for_a_new_run(anew, model)}"


def _for_a_new_run(anew: str, model: str | None) -> str:
    return f"For a new run: {anew} --model {shlex.quote(model or 'STACK')}"


def _kind(read: Sequence[tuple[Path, Embedding]], run: Run | None, style: bool, anew: str) -> str:
    """Object or style: what is asked for, what the files say, and what the run holds have to agree."""
    said = {str(path): each.provenance.get("kind") for path, each in read}
    asked = {where: kind for where, kind in said.items() if kind in KINDS} | ({"--style": "style"} if style else {})
    kind = run.about["kind"] if run else next(iter(asked.values()), "object")
    for where, other in asked.items():
        if other != kind:
            told = (
                f"{where!r} is of kind {other}, and the run {run.folder.name!r}"
                if run
                else f"{where!r} is {other}, and"
            )
            raise ExchangeError(f"{told} of kind {kind}. For a new run: {anew}")
    return kind


def _check_stack(file: str, embedding: Embedding, backbone: Backbone, run: Run | None, anew: str) -> list[str]:
    """Refuse what another stack's own tokens mean; in a token space that stacks share, a note is enough."""
    made_on = embedding.provenance.get("stack") or {}
    if made_on.get("fingerprint") in (None, backbone.fingerprint):
        return []
    theirs = printable(f"{made_on.get('version')} ({made_on['fingerprint']})"[:100])
    ours = f"{backbone.version} ({backbone.fingerprint})"
    if embedding.width in TOKEN_SPACES:
        return [f"learned on the stack {theirs}, this is {ours}: the tokens are alike, the drawings may differ"]
    its_own = f". {_for_a_new_run(anew, None)}" if run else ": name its own with --model"
    raise ExchangeError(f"{file} was learned on the stack {theirs}, and {backbone.where!r} is {ours}{its_own}")


def _request(embedding: Embedding, backbone: Backbone, category: str, kind: str) -> tuple[Request, list[str]]:
    """A request that is learned by no steps at all, so that the concept has the vectors of the file bit for bit.

    What decides how it is drawn and judged comes along: settings, words and seed.
    """
    about, notes = embedding.provenance, []
    settings = chosen_settings(backbone, kind=kind)
    if about.get("settings"):
        settings = Settings.from_dict(about["settings"])
        if settings.prior_steps > MOST_PRIOR_STEPS:
            raise ExchangeError(f"prior_steps = {settings.prior_steps}: expected at most {MOST_PRIOR_STEPS}")
    same = about.get("category") == category
    positives = [Positive(each["word"], each["weight"]) for each in about.get("positives", ()) if same]
    taken = {category.lower(), *(each.word.lower() for each in positives)}
    negatives = {each["word"].lower(): each["word"] for each in about.get("negatives", ())}
    every = [each.word for each in positives if each.word] + list(negatives.values())
    unknown = {word for word in every if not word.isprintable() or not backbone.knows(word)}
    if unknown:
        listed = ", ".join(map(repr, sorted(unknown)))
        notes.append(f"the stack {backbone.version} does not know {listed[:200]}: left out")
    words = tuple(word for key, word in negatives.items() if word not in unknown and key not in taken)
    request = Request(
        category,
        kind,
        positives=tuple(each for each in positives if each.word not in unknown),
        negatives=words,
        schedule="list" if words else "none",
        seed=about.get("seed", 0),
        tokens=len(embedding.vectors),
        start=embedding.vectors,
        settings=replace(settings, steps=0),
        fingerprint=backbone.fingerprint if about.get("stack") else "",
    )
    return request, notes


def _story(path: Path, about: Mapping[str, Any]) -> str:
    """Where a concept comes from, as the comment on it."""
    told = f"imported from {path.name}"
    if about.get("name"):
        stack = about.get("stack") or {}
        told += f"; there it is {about['name']} of the run {about.get('run')}, on {stack.get('version')}"
    parents = about.get("parents", ())
    if mixture := mixed([(each["name"] or each["id"], each["weight"]) for each in parents]):
        told += f", {born_of([each.get('kind') for each in parents], mixture)}"
    return printable(told)[:LONGEST_COMMENT]


def _named(run: Run, concept: str, name: str | None, each: Arrival, known: bool) -> list[str]:
    """Give a concept the name that somebody asks for, or that the file has, and its story; what did not work."""
    said = {} if known else {"comment": each.story}
    if name is not None:
        try:
            run.note(concept, name=name, **said)
        except RunError as error:
            raise ExchangeError(f"{error}; it is in the run as {run.entry(concept).name}") from error
    elif not known:
        try:
            run.note(concept, name=each.name, **said)
        except RunError as error:
            run.note(concept, **said)
            return [f"it is called {run.entry(concept).name}, since {error}"]
    return []


def _record(run: Run, concept: str) -> Path:
    """Where a run keeps the provenance of a concept that was imported."""
    return run.folder / "imports" / f"{concept}.json"


def _origin(run: Run, concept: str) -> dict[str, Any]:
    """Where a concept was learned that was imported, by its provenance then; {} for one of the run's own.

    Of one that has gone through several runs it is the first.
    """
    if not _ID.fullmatch(concept) or not _record(run, concept).is_file():
        return {}
    about = read_sidecar(_record(run, concept))
    first = about.get("origin")
    return first if isinstance(first, dict) else about


def _print_line(values: Mapping[str, Any]) -> None:
    # ASCII: a terminal obeys nothing of it.
    click.echo(json.dumps(values, default=str))
