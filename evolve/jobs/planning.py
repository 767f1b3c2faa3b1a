"""Makes plans from a person's input, checked against the run and the stack. The first problem raises an error."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.aspects import checked_aspect
from core.concept import Request, RequestError
from core.errors import ConceptreeError, StackError
from core.namers import check_question, namer_of, to_remember
from core.negatives import says_again
from core.optimizer import ConceptLab
from core.options import Options
from core.prompts import question
from core.settings import MOST_AT_ONCE, Settings
from core.stack.protocols import Draws
from core.texts import checked_text
from core.wording import counted
from evolve.jobs.batches import child_requests, found_parent, variation_requests
from evolve.jobs.choices import checked_words, chosen_settings, negatives_from, precision_of
from evolve.jobs.generations import NoParentChosenError, makes_parent
from evolve.jobs.options import BATCH, CHILDREN, FIRST, IMAGES, KEEP, SPREAD, STRENGTH, BreedOptions, SeedOptions
from evolve.jobs.plans import (
    TASTE,
    USER,
    Breed,
    EvolutionError,
    Evolve,
    Given,
    Map,
    ParentTold,
    PhotoTold,
    Seed,
    TakeTold,
    Vary,
)
from evolve.maps.chart import Chart
from evolve.operators import check_parents
from evolve.population import founders, start_apart, starts
from evolve.store.photos import Photograph, photo_parent, read_photo
from evolve.store.run import SMALL, Run
from evolve.taste import LEAST, all_judgements

LIGHTEST, HEAVIEST = 0.001, 1000  # weights of a parent, above or below 0: outside, the others would not count
# The weight of all further positives in Eq. 3 together, beside Eq. 5 and the inherited category, which weigh 1 each:
# the words should show, and so should the parents.
WORD_LAMBDA = 0.4


class ParentError(ConceptreeError):
    """An invalid parent or number of children."""


def plan_founders(stack: Draws, options: SeedOptions, settings: Settings | None = None) -> Seed:
    """A plan of founders. settings: by default the stack's, changed by the options.

    Where a stack learns founders between two members in seconds, its calibration has a `surplus`: so many times as many
    are learned as are kept, in one batch. Not with `ask`, since a person would be asked about those that leave.
    """
    (category,), kind = checked_words(stack, [options.category], "category"), options.kind
    apart = start_apart(stack, category, kind)
    given = {"segment": options.segment, "lam": options.lam, "between": apart}
    settings = settings or chosen_settings(stack, options.preset, kind, False, category, options.steps, **given)
    schedule, words = negatives_from(stack, category, kind, options.negatives)
    own_question = options.question and checked_text(options.question.replace("{}", category), "question")
    asked = {name: value for name, value in (("vlm", options.vlm), ("question", own_question)) if value}
    namer = namer_of(stack, **asked) if schedule == "adaptive" else None
    check_question(namer, question(kind, category, settings.preset))
    templates = tuple(options.templates)
    request = Request(
        category, kind, negatives=words, schedule=schedule, seed=options.seed, settings=settings, templates=templates
    )
    lab, naming = ConceptLab(stack), Options(namer=namer)
    prepared = lab.prepared(request, naming)
    # As in the paper and in the authors' code, their presets start all founders at the category's word.
    between_members = settings.preset == "default"
    initializers = tuple(starts(stack, category, kind, options.seed)) if between_members else ()
    traits = _traits(stack, options.traits, category, kind)
    count = options.of
    if count is None:
        alone = options.ask or options.wave is not None or not (between_members and apart)
        surplus = 1 if alone else _surplus(stack)
        count = max(options.count, min(surplus * options.count, MOST_AT_ONCE, len(initializers)))
    elif count < options.count:
        raise RequestError(f"of = {count}: expected at least the {options.count} founders that are kept")
    wave = options.wave
    if wave is None:
        wave = count if between_members and apart else 1
    plan = Seed(
        category=prepared.category,
        count=count,
        keep=options.count if options.count < count else 0,
        wave=wave,
        seed=options.seed,
        initializers=initializers,
        traits=traits,
        ask=options.ask,
        drafts=options.drafts,
        asked=to_remember(stack, namer, asked),
        dtype=precision_of(stack),
        settings=settings,
        kind=kind,
        schedule=schedule,
        negatives=words,
        templates=prepared.templates,
    )
    beginning = founders(plan.category, 1, seed=plan.seed, **plan.beginnings, **plan.request)
    for number in range(len(traits)):  # raises the errors of founders with traits now
        lab.prepared(beginning.request_of(number), naming)
    return plan


def _traits(stack: Draws, given: str, category: str, kind: str) -> tuple[str, ...]:
    """The traits of founders, in turn. given: words with commas between.

    Raises:
        UnknownWordError, WordError: a trait is no word of the stack.
        RequestError: a trait is a word of the category, or says it again, or the founders are styles.
    """
    words = [word.strip().removesuffix(f" {category}") for word in given.split(",") if word.strip()]
    if words and kind == "style":
        raise RequestError(f"traits = {given!r}: only objects have traits; leave them out for styles")
    checked = checked_words(stack, words, "trait", stack.vocabulary.words)
    traits = tuple({word.lower(): word for word in checked}.values())
    for trait in traits:
        if trait.lower() in category.lower().split():
            raise RequestError(f"the trait {trait!r} is in the category {category!r} already: leave it out")
        if says_again(trait, category):
            raise RequestError(f"the trait {trait!r} says the category again: give words such as blue or striped")
    return traits


def _surplus(stack: Draws) -> int:
    """Founders learned for each one kept, by the stack's calibration; 1 if it has no such number.

    Raises:
        StackError: it is no whole number, or out of range.
    """
    surplus = (stack.calibration or {}).get("object", {}).get("surplus", 1)
    if type(surplus) is not int or not 1 <= surplus <= MOST_AT_ONCE:
        raise StackError(
            f"calibration.json of the stack {stack.version}: surplus = {repr(surplus)[:60]}: expected a whole number"
            f" from 1 to {MOST_AT_ONCE}; correct it, or give the number of founders that are learned with --of"
        )
    return surplus


def plan_children(run: Run, stack: Draws, options: BreedOptions) -> Breed:
    """A plan of children. Nothing is drawn or stored yet."""
    if not options.parents and not options.photos:
        raise ParentError("no parents: name some with --parent NAME:WEIGHT or --photo FILE:WEIGHT")
    found = [(*found_parent(run, called), _weight(weight, called)) for called, weight in options.parents]
    if all(weight < 0 for _, weight in (*options.parents, *options.photos)):
        raise ParentError("all parents have weights below 0: a child needs at least one parent to resemble")
    _once([(each.id, each.name) for each, _, _ in found], "parent")
    concepts = [each.concept for each, _, _ in found]
    if concepts:
        check_parents(concepts)
    givers = [(checked_aspect(aspect), *found_parent(run, called)) for aspect, called in options.takes]
    words = _distinct_words(stack, options.words)
    if options.category is not None:
        options = replace(options, category=checked_words(stack, [options.category], "category")[0])
    kind = concepts[0].request.kind if concepts else run.about["kind"]
    heaviest = max((each for each in found if each[2] > 0), key=lambda each: each[2], default=None)
    category = options.category or (heaviest[0].concept.request.category if heaviest else run.about["category"])
    inherit = options.inherit
    if inherit is None:
        inherit = options.preset == "default" and not words  # within the category's clamps a word has little effect
    if inherit:
        words = [word for word in words if word.lower() != category.lower()]  # inherited already
    weighs = bool(words) and options.preset == "default"
    more: dict[str, Any] = {"lam": WORD_LAMBDA + (1 if inherit else 0)} if weighs else {}
    if inherit:
        more["category"] = category  # sets the clamps
    settings = chosen_settings(stack, options.preset, kind, mixing=True, steps=options.steps, **more)
    CHILDREN.check(options.children, "children", ParentError)
    SPREAD.check(options.spread, "spread", ParentError)
    if not 1 <= options.keep <= options.images:
        raise ParentError(
            f"keep = {options.keep} of images = {options.images}: keep at least 1, and no more than are drawn"
        )
    plan = Breed(
        category=category,
        kind=kind,
        parents=tuple(ParentTold(id=each.id, name=each.name, run=home, weight=w) for each, home, w in found),
        photos=tuple(_photo(stack, photo, weight, options.cutout) for photo, weight in options.photos),
        takes=tuple(TakeTold(aspect=aspect, id=each.id, name=each.name, run=home) for aspect, each, home in givers),
        words=tuple(words),
        word_weight=WORD_LAMBDA / len(words) if weighs and inherit else 1.0,
        inherit=inherit,
        children=options.children,
        images=options.images,
        keep=options.keep,
        spread=options.spread,
        seed=_seed(run, options.seed),
        dtype=precision_of(stack),
        warm=settings.preset == "default",
        settings=settings,
        drafts=options.drafts,
    )
    _once([(photo.id, photo.label) for photo in plan.photos], "photograph")
    # Raise a request's errors now; the parents' images do not matter for them.
    givers_only = [each for _, each, _ in givers]
    stand_ins = {each.id: each.concept.image_embed[None] for each in (*(each for each, _, _ in found), *givers_only)}
    child_requests(plan, [each for each, _, _ in found], stack, stand_ins, givers_only)
    weights = [(each.id, each.weight) for each in plan.parents] + [(photo.id, photo.weight) for photo in plan.photos]
    check_takes(plan.takes, [id_ for id_, weight in weights if weight > 0])
    return plan


def check_takes(takes: Sequence[TakeTold], resembled: Collection[str]) -> None:
    """Raise if the only parent also gives an aspect. resembled: ids of the parents with weights above 0.

    Raises:
        ParentError: it does; its child has the aspect anyway.
    """
    for each in takes:
        if set(resembled) == {each.id}:
            raise ParentError(
                f"{each.name!r} is the only parent and gives the {each.aspect}, which its children have anyway: take it"
                " from another concept, or add a parent"
            )


def plan_variations(
    run: Run,
    stack: Draws,
    parent: str,
    *,
    children: int = CHILDREN.default,
    strength: float = STRENGTH.default,
    words: Sequence[str] = (),
    seed: int | None = None,
    drafts: bool = False,
) -> Vary:
    """A plan of variations. parent: its name or id. strength: 0.1 to 1, see `operators.mutate`. words: extra
    positives. The rest is as in `BreedOptions`.
    """
    each, home = found_parent(run, parent)
    STRENGTH.check(strength, "strength", ParentError)
    CHILDREN.check(children, "children", ParentError)
    if each.concept.fingerprint and each.concept.fingerprint != stack.fingerprint:
        check_parents([each.concept, replace(each.concept, id="", fingerprint=stack.fingerprint)])
    plan = Vary(
        parents=(ParentTold(id=each.id, name=each.name, run=home, weight=1.0),),
        words=tuple(_distinct_words(stack, words)),
        children=children,
        strength=strength,
        seed=_seed(run, seed),
        dtype=precision_of(stack),
        drafts=drafts,
    )
    variation_requests(plan, each.concept)
    return plan


def plan_requests(requests: Sequence[Request], stack: Draws) -> Given:
    """A plan of children from finished requests."""
    return Given(requests=tuple(request.to_json() for request in requests), dtype=precision_of(stack))


def plan_evolution(
    run: Run,
    stack: Draws,
    *,
    chosen: Sequence[str] = (),
    weights: str | None = None,
    words: Sequence[str] = (),
    seed: int | None = None,
    steps: int | None = None,
    **numbers: Any,
) -> Evolve:
    """A plan of generations. chosen: names of the first parents, where a person selects. weights: "0.7,0.3", by default
    drawn. seed: by default a new one each time. numbers: fields of `Evolve`.
    """
    words = checked_words(stack, words, "word", stack.vocabulary.words)
    first = [run.entry(called).id for called in chosen]
    if first and numbers.get("select") != USER:
        raise EvolutionError(f"--parent {chosen[0]}: the selection is {numbers.get('select')}; add --select {USER}")
    if numbers.get("select") == USER and not first and not any(map(makes_parent, run.entries())):
        raise NoParentChosenError()
    judged = len(all_judgements(run).concepts) if TASTE in numbers.get("objectives", ()) else LEAST
    if judged < LEAST and numbers.get("select") != TASTE:
        few = counted(judged, "concept is", "concepts are")
        raise EvolutionError(f"--objective {TASTE}: only {few} judged: rate or compare at least {LEAST}")
    if sum(not each.note.hidden for each in run.entries()) < 2:
        raise EvolutionError(
            f"{run.folder.name!r} has fewer than 2 concepts that are not hidden: seed or breed more first"
        )
    return Evolve(
        weights=_numbers(weights),
        words=words,
        chosen=tuple(dict.fromkeys(first)),
        seed=_seed(run, seed),
        settings=chosen_settings(
            stack, kind=run.about["kind"], mixing=True, category=run.about["category"], steps=steps
        ),
        images=IMAGES.default,
        keep=KEEP,
        drawn=stack.draws,
        dtype=precision_of(stack),
        **numbers,
    )


def plan_map(
    stack: Draws,
    chart: Chart,
    founders: SeedOptions,
    run: Run | None = None,
    *,
    children: int = BATCH.default,
    steps: int | None = None,
    **given: Any,
) -> Map:
    """A plan that fills a chart. run: None for a new one. founders: how founders are made, and how many are first, if
    the run has fewer than two concepts to breed. steps: of children; by default two segments, which are enough for a
    child that starts between its parents. given: further fields of `Map`.
    """
    FIRST.check(founders.count, "founders", EvolutionError)
    seeding = plan_founders(stack, replace(founders, of=founders.count))
    segments = chosen_settings(stack, kind=founders.kind, mixing=True, category=seeding.category)
    steps = min(segments.steps, 2 * segments.segment) if steps is None else steps
    there = 0 if run is None else sum(not each.note.hidden for each in run.entries())
    return Map(
        chart=chart,
        founders=seeding,
        first=0 if there > 1 else founders.count,
        children=children,
        seed=founders.seed if run is None else _seed(run, None),
        dtype=seeding.dtype,
        settings=replace(segments, steps=steps, segment=min(segments.segment, steps)),
        **given,
    )


def parsed_parent(text: str, option: str = "--parent") -> tuple[str, float]:
    """`moku:0.7` → ("moku", 0.7); without a weight it is 1. A weight below 0 is that of a parent to move away from."""
    name, colon, weight = text.rpartition(":")
    if not colon:
        return text, 1.0
    try:
        number = float(weight)
    except ValueError:
        number = math.nan
    if not name or not LIGHTEST <= abs(number) <= HEAVIEST:  # NaN is neither
        what, example = ("FILE", "snail.jpg:0.4") if option == "--photo" else ("NAME", "moku:0.7")
        bounds = f"{LIGHTEST:g} to {HEAVIEST:g}"
        raise ParentError(
            f"{option} {text[:100]!r}: write {what}:WEIGHT with a weight from {bounds}, as in {example}, or below 0 to"
            " move away"
        )
    return name, number


def parsed_take(text: str) -> tuple[str, str]:
    """`colour=moku` → ("colour", "moku"): an aspect, and the concept that gives it."""
    aspect, equals, name = text.partition("=")
    if not aspect.strip() or not equals or not name.strip():
        raise ParentError(f"--take {text[:100]!r}: write ASPECT=NAME, as in colour=moku")
    return aspect, name.strip()


def _photo(stack: Draws, given: str | Path | Photograph, weight: float, cutout: bool) -> PhotoTold:
    """The data of a photograph that a plan stores."""
    photo = given if isinstance(given, Photograph) else read_photo(given, cutout)
    weight = _weight(weight, photo.label)
    parent = photo_parent(photo, weight, stack)
    small, content = photo.picture.convert("RGB"), io.BytesIO()
    small.thumbnail((SMALL, SMALL))
    small.save(content, format="PNG")
    return PhotoTold(
        id=photo.id,
        label=photo.label,
        weight=weight,
        image_embeds=tuple(map(tuple, parent.image_embeds.tolist())),
        picture=base64.b64encode(content.getvalue()).decode(),
    )


def _distinct_words(stack: Draws, words: Sequence[str]) -> list[str]:
    checked = checked_words(stack, words, "word", stack.vocabulary.words)
    return list({word.lower(): word for word in checked}.values())


def _weight(weight: float, of: str) -> float:
    if not LIGHTEST <= abs(weight) <= HEAVIEST:  # NaN is neither
        bounds = f"from {LIGHTEST:g} to {HEAVIEST:g}"
        raise ParentError(f"the weight {weight!r} of {of[:100]!r}: give one {bounds}, or below 0 to move away")
    return float(weight)


def _seed(run: Run, seed: int | None) -> int:
    return len(run.entries()) if seed is None else seed


def _once(given: Sequence[tuple[str, str]], what: str) -> None:
    """Raise a ParentError if one, (id, name), occurs more than once."""
    ids = [id_ for id_, _ in given]
    for id_, name in given:
        if ids.count(id_) > 1:
            raise ParentError(f"the {what} {name!r} is given twice: give it once, with the sum of the weights")


def _numbers(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        raise EvolutionError(f"weights = {text[:100]!r}: expected numbers with commas between, as in 0.7,0.3") from None
