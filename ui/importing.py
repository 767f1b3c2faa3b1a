"""`import`: embeddings from files, made here or by other tools, as concepts of a run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from core.concept import KINDS, Concept, Positive, Request
from core.errors import ConceptreeError
from core.exchange import TOKEN_SPACES, Embedding, ExchangeError, read_embedding, read_sidecar, write_sidecar
from core.optimizer import ConceptLab
from core.settings import Settings
from core.stack.backbone import Backbone
from core.texts import fault
from core.wording import counted
from evolve.developing import check_made_on, develop
from evolve.jobs.choices import checked_words, chosen_settings
from evolve.store.origins import origin_of, record_of
from evolve.store.run import LONGEST_COMMENT, Run, RunError
from ui.console import print_line, printable, say, to_type
from ui.descent import born_of, mixed
from ui.learning import show_founders
from ui.runs import forget_if_empty, free_name, known_name, new_run, open_run
from ui.stack import open_stack
from ui.telling import say_next

# Endings of files beside embeddings, the longest first; how many such files are named.
BESIDE = (".negative.ipadpt", ".image.safetensors", ".comfyui.json", ".image.json", ".ipadpt", ".json", ".png")
LISTED = 6
MOST_PRIOR_STEPS = 1000  # of settings from a file: as many as its scheduler was trained with


@dataclass(frozen=True)
class Arrival:
    """A file to import: its embedding, the request that gives its concept, and a comment on its origin."""

    path: Path
    embedding: Embedding
    request: Request
    story: str

    @property
    def name(self) -> str:
        """Its name in the file."""
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
    """Import embeddings into a run, new or not, as concepts of generation 0 with the same vectors."""
    files, beside = _without_what_lies_beside(files)
    if beside and not as_json:
        names = ", ".join(path.name for path in beside[:LISTED]) + (" …" if len(beside) > LISTED else "")
        say(out, f"Left out, since they belong to embeddings that are named too: {names}")
    if name is not None and len(files) > 1:
        raise ExchangeError(f"--name {name!r} is for one file, and {len(files)} are named: import them one by one")
    read = [(path, read_with_sidecar(path)) for path in files]
    run = open_run(runs, run_name) if run_name is not None and known_name(runs, run_name) else None
    is_new = run is None
    said = all(each.provenance.get("category") for _, each in read)
    options = {"--category": category or (run.about["category"] if run and not said else None), "--name": name}
    for_new_run = to_type(
        "import",
        *files,
        *(["--run", free_name(runs, run_name)] if run_name else []),
        *(word for option, value in options.items() if value for word in (option, value)),
        *(["--style"] if style else []),
        runs=runs,
    )
    if run:
        _check_widths(read, run, for_new_run, model)  # before a stack is fetched that does not fit
        _check_named(run, for_new_run, model)
    backbone = open_stack(model or (run.about["stack"]["where"] if run else "emoji"))
    if run:
        check_made_on(run, backbone, f". {_for_a_new_run(for_new_run, model)}")
    kind = _kind(read, run, style, f"{for_new_run}{f' --model {shlex.quote(model)}' if model else ''}")
    arrivals = [arrival(path, each, backbone, run, category, kind, for_new_run) for path, each in read]
    _check_distinct(arrivals)
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
        _keep(run, each, concept, name, concept.id in before, None if as_json else out)
    quiet = Console(quiet=True) if as_json else out
    show_founders(run, backbone, quiet)
    say_next(run, backbone, quiet)


def _check_distinct(arrivals: Sequence[Arrival]) -> None:
    for i, each in enumerate(arrivals):
        for other in arrivals[:i]:
            if each.request == other.request:
                raise ExchangeError(f"{str(other.path)!r} and {str(each.path)!r} are one concept: name one of them")


def _keep(run: Run, each: Arrival, concept: Concept, name: str | None, known: bool, out: Console | None) -> None:
    """Record the origin of an imported concept, name it, and print both; as JSON if out is None."""
    if not known or not origin_of(run, concept.id):
        write_sidecar(record_of(run, concept.id), each.embedding, file=each.path.name)
    notes = [*each.embedding.notes, *_named(run, concept.id, name, each, known)]
    called = run.entry(concept.id).name
    if out is None:
        values = {"file": each.path, "name": called, "id": concept.id, "run": run.folder.name, "known": known}
        return print_line(values | {"category": each.request.category, "notes": notes})
    again = ", which the run has already" if known else ""
    vectors = counted(len(concept.vectors), "vector")
    say(out, f"{each.path.name} is {called}{again}: {each.request.category}, {vectors}, in {run.folder}")
    for note in notes:
        say(out, f"  Note: {note}")


def _without_what_lies_beside(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """(embeddings, files exported with them, which `DIR/*` names too: sidecars, sheets, drawings, image embeddings)"""
    stems = {path.with_suffix("") for path in files if path.suffix and not _ending(path)}
    beside = [path for path in files if path in stems or (_ending(path) and _stem(path) in stems)]
    return [path for path in files if path not in beside], beside


def _ending(path: Path) -> str:
    return next((ending for ending in BESIDE if path.name.lower().endswith(ending)), "")


def _stem(path: Path) -> Path:
    """The path without its ending, one of BESIDE."""
    return path.parent / path.name[: -len(_ending(path))]


def read_with_sidecar(path: Path) -> Embedding:
    """An embedding, with the more complete provenance of its sidecar if there is one of these vectors."""
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
    for_new_run: str = "",
) -> Arrival:
    """The request for a file, checked before anything is stored.

    for_new_run: command that imports it into a new run, for the error if the run's stack does not fit.
    """
    about, file = embedding.provenance, repr(str(path))
    if embedding.width != backbone.width:
        raise ExchangeError(
            f"{file} is {embedding.width} wide, the stack {backbone.version} {backbone.width}:"
            f" {_name_its_stack(embedding, run, for_new_run)}"
        )
    try:
        notes = _check_stack(file, embedding, backbone, run, for_new_run)
        category = category or about.get("category") or (run.about["category"] if run else None)
        if category is None:
            raise ExchangeError(f"{file} has no category: name it, as in --category pet")
        (checked,) = checked_words(backbone, [category], "category")
        category = checked if category != about.get("category") else category  # so that a file keeps its id
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


def _check_widths(read: Sequence[tuple[Path, Embedding]], run: Run, for_new_run: str, model: str | None) -> None:
    """Raise ExchangeError for files of another width than the run's concepts."""
    width = None
    with suppress(IndexError, RunError):  # a run without concepts, or a damaged one
        width = run.find(run.entries()[0].id).concept.vectors.shape[1]
    for path, each in read:
        if width not in (None, each.width):
            ours = f"the run {run.folder.name!r} {width}, on the stack {run.about['stack']['version']}"
            raise ExchangeError(
                f"{str(path)!r} is {each.width} wide, {ours}: {_name_its_stack(each, run, for_new_run, model)}"
            )


def _check_named(run: Run, for_new_run: str, model: str | None) -> None:
    """Raise ExchangeError for a stack of the hub, if the run is of the embedded one."""
    ours = run.about["stack"]
    other = model and model != "emoji" and not Path(model).expanduser().is_dir()
    if other and ours["where"] == "emoji":
        raise ExchangeError(
            f"the run {run.folder.name!r} is of the stack {ours['version']}, not of {model!r}."
            f" {_for_a_new_run(for_new_run, model)}"
        )


def _name_its_stack(embedding: Embedding, run: Run | None, for_new_run: str, model: str | None = None) -> str:
    """Advice for a file of another stack; an existing run cannot change its stack."""
    space = TOKEN_SPACES.get(embedding.width)
    belongs = f"it belongs to {space}" if space else "it was learned on another one"
    if run is None:
        return f"{belongs}; name the stack that it belongs to with --model"
    return f"{belongs}. {_for_a_new_run(for_new_run, model)}"


def _for_a_new_run(for_new_run: str, model: str | None) -> str:
    return f"For a new run: {for_new_run} --model {shlex.quote(model or 'STACK')}"


def _kind(read: Sequence[tuple[Path, Embedding]], run: Run | None, style: bool, for_new_run: str) -> str:
    """Object or style. Raises ExchangeError unless options, files and run agree."""
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
            raise ExchangeError(f"{told} of kind {kind}. For a new run: {for_new_run}")
    return kind


def _check_stack(file: str, embedding: Embedding, backbone: Backbone, run: Run | None, for_new_run: str) -> list[str]:
    """Raise ExchangeError for vectors in the token space of another stack; a note if stacks share the space."""
    made_on = embedding.provenance.get("stack") or {}
    if made_on.get("fingerprint") in (None, backbone.fingerprint):
        return []
    theirs = printable(f"{made_on.get('version')} ({made_on['fingerprint']})"[:100])
    ours = f"{backbone.version} ({backbone.fingerprint})"
    if embedding.width in TOKEN_SPACES:
        return [f"learned on the stack {theirs}, this is {ours}: the tokens are alike, the drawings may differ"]
    its_own = f". {_for_a_new_run(for_new_run, None)}" if run else ": name its own with --model"
    raise ExchangeError(f"{file} was learned on the stack {theirs}, and {backbone.where!r} is {ours}{its_own}")


def _request(embedding: Embedding, backbone: Backbone, category: str, kind: str) -> tuple[Request, list[str]]:
    """A request of 0 steps that starts at the file's vectors, so that its concept has them bit for bit.

    Settings, words and seed come along, since they decide how it is drawn and measured.
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
    unknown = {word for word in every if fault(word) or not backbone.knows(word)}
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
    """Comment on the origin of a concept."""
    told = f"imported from {path.name}"
    if about.get("name"):
        stack = about.get("stack") or {}
        told += f"; there it is {about['name']} of the run {about.get('run')}, on {stack.get('version')}"
    parents = about.get("parents", ())
    if mixture := mixed([(each["name"] or each["id"], each["weight"], each.get("kind")) for each in parents]):
        told += f", {born_of([each.get('kind') for each in parents], mixture)}"
    return printable(told)[:LONGEST_COMMENT]


def _named(run: Run, concept: str, name: str | None, each: Arrival, known: bool) -> list[str]:
    """Note name and origin of a concept; return the problems."""
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
