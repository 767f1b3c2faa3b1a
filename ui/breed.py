"""`conceptree breed`, `vary` and `draw`: children of weighted parents, variations of one, a concept in any prompt."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console

from core.concept import Concept, Parent, Positive, Request
from core.errors import ConceptreeError
from core.optimizer import Report, total_steps
from core.options import Options
from core.settings import Settings
from core.stack.backbone import Backbone
from core.streams import stream_seed
from core.wording import counted
from evolve import Individual, Run, mate, mutate
from evolve.jobs.job import Job, new_job
from evolve.jobs.learning import learned
from evolve.jobs.portraits import are_known, portraits
from evolve.operators import check_parents, one_of, spread_weights
from evolve.store.parts import RunError
from evolve.store.photos import Photograph, photo_parent, read_photo
from evolve.store.run import SMALL
from ui.console import Course, say
from ui.descent import announced
from ui.pictures import checked_prompt, draw_all, drawings_of
from ui.runs import names_beside, open_run
from ui.seed import say_next, say_stopped, show_founders
from ui.stack import (
    can_draw,
    check_precision,
    check_words,
    chosen_settings,
    open_stack_of,
    precision_of,
    words_unknown_in,
)
from ui.workers import learning

LIGHTEST, HEAVIEST = 0.001, 1000  # of a parent: beyond that the others would not count
MOST_CHILDREN = 100
WEAKEST = 0.1  # strength of a variation
JITTER = 0.3  # of the starts of the second variation and all that follow, times the strength
SPREAD = 0.25  # of the weights of the second child and all that follow
# What further positives count in Eq. 3, all together, beside Eq. 5, which counts 1, and the category that is inherited,
# which counts 1 as well: they are to be seen, and the parents are too.
WORD_LAMBDA = 0.4
# Portraits drawn of each parent, and kept. Drawing is what takes the time, and the four truest of 32 are hardly truer.
IMAGES, KEEP = 8, 4
# Steps after which a child is drawn for people, beside so many of its boundaries at most.
DRAFTS, MOST_DRAFTS = (8, 30), 4
Weighted = Sequence[tuple[Individual, float]]


class ParentError(ConceptreeError):
    """A parent that is not written as NAME:WEIGHT, or a wish for children that cannot be."""


def breed(
    name: str,
    parents: Sequence[str],
    *,
    photos: Sequence[str] = (),
    cutout: bool = False,
    words: Sequence[str] = (),
    inherit: bool | None = None,
    category: str | None = None,
    children: int,
    images: int,
    spread: float = SPREAD,
    seed: int | None,
    runs: Path,
    model: str | None,
    preset: str,
    steps: int | None,
    out: Console,
) -> None:
    """Learn children of a run's concepts by Eq. 5, store them there, draw them, and say what to do next."""
    run = open_run(runs, name)
    backbone = open_stack_of(run, model, out)
    plan = plan_children(
        run,
        backbone,
        parents=[parsed_parent(text) for text in parents],
        photos=[parsed_parent(text, "--photo") for text in photos],
        cutout=cutout,
        words=words,
        inherit=inherit,
        category=category,
        children=children,
        images=images,
        spread=spread,
        seed=seed,
        preset=preset,
        steps=steps,
    )
    learn_planned(new_job(run, "breed", plan), run, backbone, out)
    show_founders(run, backbone, out)
    say_next(run, backbone, runs, out)


def vary(
    name: str,
    concept: str,
    *,
    children: int,
    strength: float,
    words: Sequence[str],
    seed: int | None,
    runs: Path,
    model: str | None,
    out: Console,
) -> None:
    """Learn variations of a concept, store them in its run, draw them, and say what to do next."""
    run = open_run(runs, name)
    backbone = open_stack_of(run, model, out)
    plan = plan_variations(run, backbone, concept, children=children, strength=strength, words=words, seed=seed)
    learn_planned(new_job(run, "vary", plan), run, backbone, out)
    show_founders(run, backbone, out)
    say_next(run, backbone, runs, out)


def plan_children(
    run: Run,
    backbone: Backbone,
    *,
    parents: Sequence[tuple[str, float]] = (),
    photos: Sequence[tuple[str | Path | Photograph, float]] = (),
    cutout: bool = False,
    category: str | None = None,
    words: Sequence[str] = (),
    inherit: bool | None = None,
    children: int = 1,
    images: int = IMAGES,
    keep: int = KEEP,
    spread: float = SPREAD,
    seed: int | None = None,
    steps: int | None = None,
    preset: str = "default",
    drafts: bool = False,
) -> dict[str, Any]:
    """The plan of a "breed" job, checked: nothing is drawn or stored yet.

    parents: names or ids, those of other runs beside this one as "run/name", with their weights. photos: files, which
    are not needed any more, or photographs as they were read. cutout: files without their background. words: what the
    children shall be besides. inherit: see `mate`; by default where the preset is `default` and no words are given.
    spread: of the weights, see `spread_weights`; where there is one, each child sees one portrait of each parent. The
    first child has the weights as they are, and sees all. seed: by default another one each time. drafts: draw the
    children while they learn.

    Raises:
        ConceptreeError: it cannot be done; the first reason.
    """
    if not parents and not photos:
        raise ParentError("no parents: name some with --parent NAME:WEIGHT or --photo FILE:WEIGHT")
    found = [(*_found(run, called), _weight(weight, called)) for called, weight in parents]
    _once([(each.id, each.name) for each, _, _ in found], "parent")
    concepts = [each.concept for each, _, _ in found]
    if concepts:
        check_parents(concepts)
    wanted = _distinct_words(backbone, words)
    if category is not None:
        check_words(backbone, [category], "category")
    kind = concepts[0].request.kind if concepts else run.about["kind"]
    heaviest = max(found, key=lambda each: each[2])[0].concept.request.category if found else run.about["category"]
    category = category or heaviest
    if inherit is None:
        inherit = preset == "default" and not wanted  # inside the category's clamps little is seen of a word
    if inherit:
        wanted = [word for word in wanted if word.lower() != category.lower()]  # that they are already
    more: dict[str, Any] = {}
    if wanted and preset == "default":
        more["lam"] = WORD_LAMBDA + (1 if inherit else 0)
    if inherit:
        more["category"] = category  # whose clamps its constraints have
    settings = chosen_settings(backbone, preset, kind, mixing=True, steps=steps, **more)
    plan = {
        "category": category,
        "kind": kind,
        "parents": [{"id": each.id, "name": each.name, "run": home, "weight": w} for each, home, w in found],
        "photos": [_photo(backbone, photo, weight, cutout) for photo, weight in photos],
        "words": wanted,
        "word_weight": WORD_LAMBDA / len(wanted) if "lam" in more and inherit else 1.0,
        "inherit": inherit,
        "children": _count(children),
        "images": images,
        "keep": keep,
        "spread": spread,
        "seed": len(run.entries()) if seed is None else seed,
        "dtype": precision_of(backbone),
        "warm": settings.preset == "default",
        "settings": settings.to_dict(),
        "drafts": drafts,
    }
    _once([(photo["id"], photo["label"]) for photo in plan["photos"]], "photograph")
    if not 1 <= keep <= images:
        raise ParentError(f"keep = {keep} of images = {images}: keep at least 1, and no more than are drawn")
    spread_weights([1.0, 1.0], spread, 0)  # its bounds; the first child has none
    # What a request would refuse is said now: the images of the parents play no part in that.
    stand_ins = {concept.id: concept.image_embed[None] for concept in concepts}
    _children(plan, [(each, weight) for each, _, weight in found], backbone, stand_ins)
    return plan


def plan_variations(
    run: Run,
    backbone: Backbone,
    parent: str,
    *,
    children: int = 1,
    strength: float = 0.5,
    words: Sequence[str] = (),
    seed: int | None = None,
    drafts: bool = False,
) -> dict[str, Any]:
    """The plan of a "vary" job, checked. parent: its name or id. strength: 0.1 to 1, see `mutate`.

    words: what the variations shall be besides. The rest is as for `plan_children`.

    Raises:
        ConceptreeError: it cannot be done; the first reason.
    """
    each, home = _found(run, parent)
    if not WEAKEST <= strength <= 1:  # NaN is neither
        raise ParentError(f"strength = {strength!r}: expected a number from {WEAKEST:g} to 1")
    if each.concept.fingerprint and each.concept.fingerprint != backbone.fingerprint:
        check_parents([each.concept, replace(each.concept, id="", fingerprint=backbone.fingerprint)])
    plan = {
        "parents": [{"id": each.id, "name": each.name, "run": home, "weight": 1.0}],
        "words": _distinct_words(backbone, words),
        "children": _count(children),
        "strength": strength,
        "seed": len(run.entries()) if seed is None else seed,
        "dtype": precision_of(backbone),
        "drafts": drafts,
    }
    _variations(plan, each.concept)
    return plan


def plan_of(requests: Sequence[Request], backbone: Backbone) -> dict[str, Any]:
    """What a job remembers of children whose requests are made already: all of it, their parents' images too."""
    return {"requests": [request.to_json() for request in requests], "dtype": precision_of(backbone)}


def learn_planned(job: Job, run: Run, backbone: Backbone, out: Console, since: float = 0.0) -> list[Individual]:
    """Learn a job of children or variations, from its plan or from wherever it is. since: see `Job.working`."""
    with job.working(since):
        check_precision(job.plan.get("dtype", "float32"), backbone)
        requests = job.requests()
        if requests is None:
            try:
                job.does("drawing the parents")
                requests = list(requests_of(job.command, job.plan, run, backbone, out))
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise RunError(
                    f"the job {str(job.folder)!r} cannot be read: remove that folder to go on without it"
                ) from error
            except KeyboardInterrupt:
                say_stopped(job, run, backbone, out)
                raise
            job.obey()
            job.keep_requests(requests)
        return learn_children(job, run, backbone, requests, out)


def requests_of(command: str, plan: Mapping[str, Any], run: Run, backbone: Backbone, out: Console) -> list[Request]:
    """The requests of a plan; parents that have not been drawn yet are drawn now, and that is remembered in the run."""
    found = [(_found(run, each["id"], each["run"])[0], float(each["weight"])) for each in plan["parents"]]
    if command == "vary":
        return _variations(plan, found[0][0].concept)
    how = {"images": int(plan["images"]), "keep": int(plan["keep"]), "drawn": can_draw(backbone)}
    new = [each.name for each, _ in found if not are_known(run, each.concept, backbone, **how)]
    if new:
        parents = "parent" if len(new) == 1 else "parents"
        say(out, f"Drawing the {parents} ({', '.join(new)}) …")
    known = {each.id: portraits(run, each.concept, backbone, **how) for each, _ in found}
    requests = _children(plan, found, backbone, known)
    for photo in plan["photos"]:
        with Image.open(io.BytesIO(base64.b64decode(photo["picture"]))) as picture:
            run.add_photo(photo["id"], picture.convert("RGB"), photo["label"])
    return requests


def _children(
    plan: Mapping[str, Any], parents: Weighted, backbone: Backbone, known: Mapping[str, Any]
) -> list[Request]:
    settings, spread = Settings.from_dict(plan["settings"]), float(plan["spread"])
    weights = [weight for _, weight in parents] + [float(photo["weight"]) for photo in plan["photos"]]
    homes = {each["id"]: each["run"] for each in plan["parents"] if each["run"]}
    words = [Positive(word, plan.get("word_weight", 1.0)) for word in plan["words"]]
    requests = []
    for number in range(plan["children"]):
        seed = child_seed(plan["seed"], number)
        apart = spread if number else 0.0
        own = spread_weights(weights, apart, seed)
        seen = zip(plan["photos"], own[len(parents) :], strict=True)
        requests.append(
            mate(
                [(each.concept, weight) for (each, _), weight in zip(parents, own, strict=False)],
                backbone,
                seed,
                category=plan["category"],
                settings=settings,
                warm=bool(plan.get("warm")),  # plans of earlier versions say nothing, and start at the category's word
                known={id_: one_of(images, seed, id_) if apart else images for id_, images in known.items()},
                photos=[Parent(photo["id"], weight, photo["image_embeds"], "image") for photo, weight in seen],
                homes=homes,
                words=words,
                inherit=bool(plan.get("inherit")),
            )
        )
    return requests


def _variations(plan: Mapping[str, Any], parent: Concept) -> list[Request]:
    strength, home = float(plan["strength"]), plan["parents"][0]["run"]
    how = {"strength": strength, "run": home, "words": plan["words"]}
    return [
        mutate(parent, child_seed(plan["seed"], number), jitter=JITTER * strength if number else 0.0, **how)
        for number in range(plan["children"])
    ]


def _found(run: Run, called: str, home: str | None = None) -> tuple[Individual, str]:
    """(a parent, the name of the run that it lives in if that is another one beside this)"""
    runs = run.folder.parent
    if home is None:
        home, slash, rest = called.rpartition("/")  # neither a run's nor a concept's name has one
        if slash and not (runs / home / "run.json").is_file():
            try:
                return run.find(called), ""
            except RunError as error:
                raise RunError(f"{error}; nor is there a run {home!r}") from None
        called = rest if slash else called
    return (open_run(runs, home) if home else run).find(called), home


def _photo(backbone: Backbone, given: str | Path | Photograph, weight: float, cutout: bool) -> dict[str, Any]:
    """All that a plan needs of a photograph."""
    photo = given if isinstance(given, Photograph) else read_photo(given, cutout)
    weight = _weight(weight, photo.label)
    parent = photo_parent(photo, weight, backbone)
    small, content = photo.picture.convert("RGB"), io.BytesIO()
    small.thumbnail((SMALL, SMALL))
    small.save(content, format="PNG")
    return {
        "id": photo.id,
        "label": photo.label,
        "weight": weight,
        "image_embeds": parent.image_embeds.tolist(),
        "picture": base64.b64encode(content.getvalue()).decode(),
    }


def _distinct_words(backbone: Backbone, words: Sequence[str]) -> list[str]:
    check_words(backbone, words, "word", backbone.vocabulary.words)
    return list({" ".join(word.split()).lower(): " ".join(word.split()) for word in words}.values())


def _weight(weight: float, of: str) -> float:
    if not LIGHTEST <= weight <= HEAVIEST:  # NaN is neither
        raise ParentError(f"the weight {weight!r} of {of[:100]!r}: give one from {LIGHTEST:g} to {HEAVIEST:g}")
    return float(weight)


def _count(children: int) -> int:
    if not 1 <= children <= MOST_CHILDREN:
        raise ParentError(f"children = {children!r}: expected a whole number from 1 to {MOST_CHILDREN}")
    return children


def child(parents: Weighted, backbone: Backbone, seed: int, settings: Settings, **options: Any) -> Request:
    """The request for one child; options are those of `mate`."""
    concepts = [(each.concept, weight) for each, weight in parents]
    return mate(concepts, backbone, seed, settings=settings, drawn=can_draw(backbone), **options)


def learn_children(
    job: Job, run: Run, backbone: Backbone, requests: Sequence[Request], out: Console
) -> list[Individual]:
    """Learn them as one batch, store and draw them; say of each how much it resembles its parents."""
    before = {each.id for each in run.entries()}
    shown = _drafts(requests) if job.plan.get("drafts") and can_draw(backbone) else []
    try:
        with (
            job.working(),
            learning(job, backbone, out) as learner,
            Course(out, total_steps(requests, job.batching().at_once)) as course,
        ):
            say(out, f"Learning {counted(len(requests), 'child', 'children')}, {counted(course.steps, 'step')}")

            def watch(report: Report) -> None:
                course.to(report.step)
                job.tell(report.step, report.steps)
                if report.events and not report.events[0].draft:
                    course.tell()

            concepts = learned(job, requests, run, learner, Options(drafts=tuple(shown)), on_report=watch)
            found = [run.find(concept.id) for concept in concepts]
            if can_draw(backbone):
                job.does("drawing what was learned")
                draw_all(run, backbone, found, out)
            job.finish()
    except KeyboardInterrupt:
        say_stopped(job, run, backbone, out)
        raise
    names = names_beside(run)
    for each in found:
        concept = each.concept
        again = ", which the run has already" if each.id in before else ""
        whom = "it" if len(concept.request.parents) == 1 else "them"
        likeness = f", resembles {whom} {concept.scores['resembles']:.2f}" if "resembles" in concept.scores else ""
        say(out, f"  {announced(each, names)}{likeness}, {concept.seconds:.0f} s{again}")
    return found


def _drafts(requests: Sequence[Request]) -> list[int]:
    """The steps after which children are drawn while they learn. Where they began nobody needs to see: it is a word, or
    a mean.
    """
    found = set(DRAFTS)
    for settings in (each.chosen for each in requests):
        boundaries = range(settings.segment, settings.steps, settings.segment)
        found |= {*boundaries[:: math.ceil(len(boundaries) / MOST_DRAFTS) or 1], settings.steps}
    return sorted(found)


def _once(given: Sequence[tuple[str, str]], what: str) -> None:
    """Refuse who is given more than once, each by id and name."""
    ids = [id_ for id_, _ in given]
    for id_, name in given:
        if ids.count(id_) > 1:
            raise ParentError(f"the {what} {name!r} is given twice: give it once, with the sum of the weights")


def parsed_parent(text: str, option: str = "--parent") -> tuple[str, float]:
    """`moku:0.7` → ("moku", 0.7); without a weight it is 1."""
    name, colon, weight = text.rpartition(":")
    if not colon:
        return text, 1.0
    try:
        number = float(weight)
    except ValueError:
        number = math.nan
    if not name or not LIGHTEST <= number <= HEAVIEST:  # NaN is neither
        what, example = ("FILE", "snail.jpg:0.4") if option == "--photo" else ("NAME", "moku:0.7")
        bounds = f"{LIGHTEST:g} to {HEAVIEST:g}"
        raise ParentError(f"{option} {text[:100]!r}: write {what}:WEIGHT with a weight from {bounds}, as in {example}")
    return name, number


def child_seed(seed: int, number: int) -> int:
    """The seed of a child, small enough to be typed."""
    return stream_seed(seed, number, "child") % 10**9


def draw(
    name: str,
    concept: str,
    prompts: Sequence[str],
    *,
    count: int,
    seed: int,
    runs: Path,
    model: str | None,
    out: Console,
) -> None:
    """Draw a stored concept in prompts, keep the pictures in the run, and say where they are."""
    for prompt in prompts:
        checked_prompt(prompt)
    run = open_run(runs, name)
    each = run.find(concept)
    backbone = open_stack_of(run, model)
    for prompt in prompts:
        unknown = words_unknown_in(backbone, prompt)
        if unknown:
            say(out, f"Note: to the stack {backbone.version} these words mean nothing: {', '.join(unknown)}")
    pairs = [(prompt, seed + number) for prompt in prompts for number in range(count)]
    drawings = drawings_of(run, backbone, each, [prompt for prompt, _ in pairs], [number for _, number in pairs])
    for drawing in drawings:
        say(out, f"{drawing.file}  {drawing.prompt.replace('{}', each.name)}, seed {drawing.seed}")
