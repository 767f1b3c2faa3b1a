"""Founders in waves, children of weighted parents, and the one way they come into a run."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from core import Backbone, ConceptLab, Request, Settings
from core.concept import Parent, RequestError
from core.depict import draw_concept, imagine_concept
from core.errors import StackError
from core.namers import canned_namer
from core.options import Options
from core.review import Decision
from core.stack import Vocabulary
from evolve import Portraits, Run, develop, founders, likeness, mate, mutate, populate
from evolve.jobs.options import SeedOptions
from evolve.jobs.planning import plan_founders
from evolve.operators import parent_images
from evolve.population import start_apart, starts

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2, max_cosine=0.5, min_cosine=0.2)


@pytest.fixture(scope="module")
def parents(backbone):
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in (1, 2)]
    return develop(requests, backbone)


@pytest.fixture
def run(tmp_path, backbone):
    return Run.create(tmp_path / "run", "pet", backbone)


def test_develop_returns_and_stores_concepts_in_order(backbone, run):
    reports = []
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in (5, 3)]
    concepts = develop(requests, backbone, run, on_report=reports.append)
    assert [concept.request for concept in concepts] == requests
    assert [each.concept for each in run.individuals()] == concepts
    assert reports[-1].concepts == tuple(concepts)
    assert len(list((run.folder / "concepts").glob("*.parquet"))) == 1


def test_what_a_run_has_is_not_learned_again(backbone, run):
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in (1, 2)]
    first = develop(requests[:1], backbone, run)
    reports = []
    both = develop(requests[::-1], backbone, run, on_report=reports.append)
    assert both[1] == first[0] and reports[-1].concepts == (both[0],)
    assert develop(requests, backbone, run) == both[::-1]
    assert len(run.individuals()) == 2


def test_the_same_request_twice_is_an_error(backbone):
    request = Request("pet", settings=QUICK)
    with pytest.raises(RequestError, match="requests 0 and 1 are the same: give them different seeds"):
        develop([request, request], backbone)


def test_a_concept_that_a_review_gives_again_is_returned_as_it_is_and_the_rest_is_stored(backbone, run):
    """A person's decisions are part of the id, so it is known only when the concept is learned."""
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in (1, 2)]

    def review(proposal):
        return Decision(words=("dog",)) if proposal.step == 1 else None

    (first,) = develop(requests[:1], backbone, run, Options(review=review))
    again, second = develop(requests, backbone, run, Options(review=review))
    assert again == first and again.seconds == first.seconds
    assert [each.concept for each in run.individuals()] == [first, second]
    third, fourth = develop(requests, backbone, run)
    assert len({first.id, second.id, third.id, fourth.id}) == len(run.individuals()) == 4
    again = develop(requests, backbone, run, Options(review=review))
    assert again == [third, fourth], "what is there needs no decisions"


def test_what_another_process_stored_meanwhile_does_not_lose_a_batch(backbone, run):
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in (1, 2)]

    def meanwhile(report):
        if report.step == 1 and not run.individuals():
            develop(requests[1:], backbone, Run.open(run.folder))

    concepts = develop(requests, backbone, run, on_report=meanwhile)
    assert [each.id for each in run.individuals()] == [concepts[1].id, concepts[0].id]


def test_many_requests_are_stored_batch_by_batch_and_a_stop_keeps_what_is_finished(backbone, run, monkeypatch):
    monkeypatch.setattr("core.optimizer.MOST_AT_ONCE", 2)
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in range(5)]
    reports = []

    def stop(report):
        reports.append(report)
        if report.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        develop(requests, backbone, run, on_report=stop)
    assert [each.concept.request.seed for each in run.individuals()] == [0, 1, 2, 3]
    assert {report.steps for report in reports} == {6}
    concepts = develop(requests, backbone, run)
    assert [concept.request.seed for concept in concepts] == [0, 1, 2, 3, 4]
    assert len(list((run.folder / "concepts").glob("*.parquet"))) == 3


def test_events_and_proposals_say_which_of_the_requests_they_are_about(backbone, run):
    """Also where some need not be learned."""
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in range(4)]
    develop([requests[0], requests[2]], backbone, run)
    told, lab = [], ConceptLab(backbone)
    options = Options(review=lambda proposal: told.append((proposal.id, proposal.request.seed)))
    events = lambda report: told.extend((event.id, event.request.seed) for event in report.events)  # noqa: E731
    concepts = develop(requests, lab, run, options, on_report=events)
    assert set(told) == {(lab.concept_id(requests[place]), place) for place in (1, 3)}
    assert [concept.request.seed for concept in concepts] == [0, 1, 2, 3]


def test_an_adaptive_request_with_another_namer_is_another_concept(backbone, run):
    request = Request("pet", seed=1, settings=QUICK)
    one, other = (develop([request], backbone, run, Options(namer=canned_namer([word])))[0] for word in ("dog", "cat"))
    assert one.id != other.id and len(run.individuals()) == 2
    assert develop([request], backbone, run, Options(namer=canned_namer(["dog"]))) == [one]


def test_nothing_is_stored_when_learning_fails(backbone, run):
    with pytest.raises(RequestError):
        develop([Request("pet", settings=QUICK), Request("dragon", settings=QUICK)], backbone, run)
    assert run.individuals() == []


def test_founders_of_later_waves_avoid_what_earlier_ones_imagined(backbone):
    waves = []
    asked = founders("pet", 5, wave=2, seed=7, settings=QUICK, negatives=("cat",))
    for requests in asked:
        waves.append(requests)
        asked.tell(develop(requests, backbone))
    concepts = asked.told
    assert [len(wave) for wave in waves] == [2, 2, 1]
    assert [[avoid.id for avoid in wave[0].avoid] for wave in waves] == [
        [], [c.id for c in concepts[:2]], [c.id for c in concepts[:4]]
    ]  # fmt: skip
    assert np.array_equal(waves[2][0].avoid[3].image_embed, concepts[3].image_embed)
    assert len({concept.request.seed for concept in concepts}) == 5


def test_a_wave_needs_the_one_before(backbone):
    waves = founders("pet", 4, wave=2)
    next(waves)
    with pytest.raises(RequestError, match="0 concepts were told before the next wave: expected 2"):
        next(waves)
    with pytest.raises(RequestError, match="founders = 0"):
        founders("pet", 0)


def test_populate_is_founders_and_develop(backbone, run):
    how = {"request": {"negatives": ("cat",), "settings": QUICK}, "seed": 1}
    concepts = populate("pet", 3, backbone, run, wave=2, initializers=(), **how)
    assert [each.concept for each in run.individuals()] == concepts
    assert [len(concept.request.avoid) for concept in concepts] == [0, 0, 2]
    apart = populate("pet", 2, backbone, **how)
    assert [concept.request.initializer for concept in apart] == starts(backbone, "pet", seed=1)[:2]
    assert not any(concept.request.avoid for concept in apart), "as the command does: all in one wave"
    assert -1 <= likeness(concepts) <= 1 and math.isnan(likeness(concepts[:1]))


def test_mate_makes_a_request_with_the_parents_images_and_weights(backbone, parents):
    portraits = Portraits(4, 2)
    pairs = [(parents[0], 0.7), (parents[1], 0.3)]
    request = mate(pairs, backbone, seed=9, portraits=portraits)
    assert [(p.id, p.weight, p.kind) for p in request.parents] == [
        (parents[0].id, 0.7, "mix"), (parents[1].id, 0.3, "mix")
    ]  # fmt: skip
    for parent, concept in zip(request.parents, parents, strict=True):
        assert np.array_equal(parent.image_embeds, parent_images(concept, backbone, 4, 2))
        assert portraits.known[concept.id] is not None
    assert (request.category, request.schedule, request.seed) == ("pet", "none", 9)
    assert mate([(parents[0], 1.0)], backbone, 1, portraits=portraits).parents[0].image_embeds.shape == (2, 16)
    develop([replace(request, settings=QUICK)], backbone)


def test_photographs_are_parents_beside_concepts_or_alone(backbone, parents):
    photo = Parent("photo-1", 0.4, backbone.encode_images([Image.new("RGB", (20, 20), "red")]).numpy(), "image")
    request = mate([(parents[0], 0.6), photo], backbone, seed=1, portraits=Portraits(2, 1))
    assert [(p.kind, p.weight) for p in request.parents] == [("mix", 0.6), ("image", 0.4)]
    alone = mate([photo], backbone, seed=1, category="pet", settings=QUICK)
    assert develop([alone], backbone)[0].scores["resembles"] <= 1
    with pytest.raises(RequestError, match="a child of photographs alone needs a category"):
        mate([photo], backbone, seed=1)
    with pytest.raises(RequestError, match="at least one parent"):
        mate([], backbone, seed=1, category="pet")


def test_a_warm_start_is_the_weighted_mean_of_the_parents_vectors(backbone, parents):
    request = mate([(parents[0], 3.0), (parents[1], 1.0)], backbone, 1, portraits=Portraits(2, 1, False))
    assert np.allclose(request.start, 0.75 * parents[0].vectors + 0.25 * parents[1].vectors)


def test_of_a_parents_images_the_ones_most_like_it_are_kept(backbone, parents):
    every, best = (parent_images(parents[0], backbone, 6, keep) for keep in (6, 2))
    own = torch.tensor(parents[0].image_embed)
    similarity = torch.nn.functional.cosine_similarity(torch.tensor(every), own[None])
    assert similarity.tolist() == sorted(similarity.tolist(), reverse=True)
    assert np.allclose(every[:2], best)
    with pytest.raises(RequestError, match="keep = 3 of images = 2"):
        parent_images(parents[0], backbone, 2, 3)


def test_mating_checks_the_parents(backbone, parents):
    with pytest.raises(RequestError, match="at least one parent"):
        mate([], backbone, 1)
    with pytest.raises(RequestError, match="given twice"):
        mate([(parents[0], 1), (parents[0], 1)], backbone, 1)
    with pytest.raises(RequestError, match="different stacks"):
        mate([(parents[0], 1), (replace(parents[1], fingerprint="other"), 1)], backbone, 1)
    with pytest.raises(RequestError, match="weight 0: expected a number above 0"):
        mate([(parents[0], 1), (parents[1], 0)], backbone, 1, portraits=Portraits(1, 1, False))


@pytest.fixture(scope="module")
def elsewhere(stack_folder, tmp_path_factory):
    """Another stack, of the same width."""
    folder = tmp_path_factory.mktemp("elsewhere") / "stack"
    shutil.copytree(stack_folder, folder)
    config = folder / "prior" / "prior" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"note": "another"}))
    about = folder / "stack.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"version": "tiny-2"}))
    return Backbone.load(folder, device="cpu")


def test_what_was_learned_on_another_stack_is_refused_everywhere(backbone, elsewhere, parents, run):
    needed = rf"needs the stack tiny-1 \({backbone.fingerprint}\).* is tiny-2 \({elsewhere.fingerprint}\)"
    with pytest.raises(StackError, match=needed):
        mate([(parents[0], 1)], elsewhere, 1)
    with pytest.raises(StackError, match=needed):
        mate([(parents[0], 1)], elsewhere, 1, portraits=Portraits(known={parents[0].id: np.ones((1, 16))}))
    for depict in (draw_concept, imagine_concept):
        with pytest.raises(StackError, match=needed):
            depict(elsewhere, parents[0], ["a {}"], [1])
    with pytest.raises(StackError, match=needed):
        develop([Request("pet", settings=QUICK)], elsewhere, run)
    for request in (mutate(parents[0], 1), mate([(parents[0], 1)], backbone, 1, portraits=Portraits(1, 1, False))):
        learned_on = (
            rf"the stack with the fingerprint {backbone.fingerprint}, but .* is tiny-2 \({elsewhere.fingerprint}"
        )
        with pytest.raises(StackError, match=learned_on):
            develop([replace(request, settings=QUICK)], elsewhere)


@pytest.mark.parametrize("preset", ["paper", "published"])
def test_mutate_takes_over_what_the_presets_of_the_paper_gave(backbone, preset):
    """They may name a negative again, or the category itself, which no request may ask for."""
    answers = canned_namer(["Dog"], ["a pet"], ["dog"])
    settings = Settings(preset=preset, steps=4, segment=1, learning_rate=1e-2)
    (parent,) = develop([Request("pet", settings=settings)], backbone, options=Options(namer=answers))
    found = {"paper": ["dog", "pet"], "published": ["Dog", "pet", "dog", "dog"]}[preset]  # that keeps capitals too
    assert [n.word for n in parent.negatives] == found
    assert mutate(parent, 1).negatives == (found[0],)
    assert mutate(parent, 1, word="cat").negatives == (found[0], "cat")
    assert mutate(parent, 1, word="DOG").negatives == (found[0],)
    with pytest.raises(RequestError, match="'pet' is a negative and a positive"):
        mutate(parent, 1, word="pet")
    (variant,) = develop([mutate(parent, 1)], backbone)
    assert variant.request.chosen.preset == preset


def test_of_several_vectors_and_of_styles_there_are_children_and_variations_too(backbone, run):
    two = Request("pet", negatives=("cat",), tokens=2, settings=QUICK)
    style = Request("painting", "style", negatives=("mosaic",), settings=QUICK)
    for request in (two, style, replace(style, tokens=2)):
        parents = develop([request, replace(request, seed=1)], backbone, run)
        pairs = [(parent, 0.5) for parent in parents]
        asked = [
            mate(pairs, backbone, 1, settings=QUICK, portraits=Portraits(2, 1)),
            mate(pairs, backbone, 2, settings=QUICK, portraits=Portraits(2, 1)),
            mutate(parents[0], 3),
            mutate(parents[0], 4, word="sketch" if request.kind == "style" else "dog"),
        ]
        children = develop(asked, backbone, run)
        assert {child.vectors.shape for child in children} == {(request.tokens, 16)}
        assert {child.request.kind for child in children} == {request.kind}
        develop([mutate(children[0], 5)], backbone, run)


def test_mutate_goes_on_from_the_parent_and_away_from_it(backbone, parents, run):
    request = mutate(parents[0], 4, steps=1)
    assert np.array_equal(request.start, parents[0].vectors)
    assert request.avoid[-1].id == parents[0].id and request.mixed == () and request.settings.steps == 1
    further = mutate(parents[0], 4, word="dog")
    assert further.negatives == ("cat", "dog") and further.avoid == ()
    (variation,) = develop([request], backbone, run)
    assert run.individuals()[0].generation == 1 and variation.request.parents[0].kind == "mutate"


def test_founders_start_between_two_members_of_their_category(backbone):
    pets = backbone.vocabulary.categories["pet"]
    sides = starts(backbone, "pet", seed=3)
    assert sides == starts(backbone, "pet", seed=3) and sides != starts(backbone, "pet", seed=4)
    pairs = [frozenset(side.split()) for side in sides]
    assert len(set(pairs)) == len(pairs) == len(pets) and all(len(pair) == 2 and pair <= set(pets) for pair in pairs)
    first = [member for pair in pairs[: len(pets) // 2] for member in pair]
    assert len(set(first)) == len(first), "no member is in two of the first half"
    (requests,) = founders("pet", 3, initializers=sides, settings=QUICK, negatives=("ant",))
    assert [request.initializer for request in requests] == sides[:3]
    assert not any(request.avoid for request in requests), "all in one wave"
    one, other = (backbone.word_vector(word) for word in sides[0].split())
    assert torch.allclose(ConceptLab(backbone).start(requests[0])[0], (one + other) / 2)


def test_founders_get_traits_in_turn():
    (requests,) = founders(
        "pet", 3, initializers=["cat dog", "dog rabbit"], traits=("red", "blue"), trait_weight=0.3, settings=QUICK
    )
    words = [[(each.word, each.weight) for each in request.positives] for request in requests]
    assert words == [[("pet", 1), (f"{trait} pet", 0.3)] for trait in ("red", "blue", "red")]
    assert [request.initializer for request in requests] == ["cat dog", "dog rabbit", "cat dog"], "traits move no start"


def test_styles_start_at_their_categorys_word(backbone):
    assert starts(backbone, "painting", "style") == [] and not start_apart(backbone, "painting", "style")
    plan = plan_founders(backbone, SeedOptions(category="painting", kind="style", count=3))
    assert plan.initializers == () and plan.wave == 1 and plan.schedule == "adaptive"
    settings = Settings(steps=1, learning_rate=1e-2)
    (style,) = populate("painting", 1, backbone, request={"kind": "style", "settings": settings})
    assert style.request.initializer is None
    assert torch.equal(ConceptLab(backbone).start(style.request)[0], backbone.word_vector("painting"))


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_no_two_starts_are_alike_however_few_members_there_are(count):
    pets = ["cat", "dog", "parrot", "turtle", "rabbit"][:count]
    listed = SimpleNamespace(
        vocabulary=Vocabulary.from_dict({"categories": {"pet": pets}}),
        encode_text=lambda prompts: torch.eye(len(prompts)),
    )
    sides = starts(listed, "pet")
    assert len({frozenset(side.split()) for side in sides}) == len(sides) == (1 if count == 2 else count)


def test_members_that_are_nearly_the_same_come_late():
    """Of three kinds of dog, of cat and of fish, mostly one each is among the first three of the order."""
    angles = {
        f"{kind} {n}".replace(" ", "-"): 120 * k + n for k, kind in enumerate(("dog", "cat", "fish")) for n in range(3)
    }

    def encode(prompts):
        turned = torch.tensor([math.radians(angles[each.removeprefix("a photo of a ")]) for each in prompts])
        return torch.stack([turned.cos(), turned.sin()], 1)

    listed = SimpleNamespace(vocabulary=Vocabulary.from_dict({"categories": {"pet": [*angles]}}), encode_text=encode)
    first = [" ".join(starts(listed, "pet", seed=seed)[:2]).split()[:3] for seed in range(100)]
    assert sum(len({word[:3] for word in words}) == 3 for words in first) > 80  # by chance 32
    assert len({*map(tuple, first)}) > 40


def test_without_a_list_of_members_founders_start_between_the_category_and_a_word():
    unlisted = SimpleNamespace(vocabulary=Vocabulary(("cat", "dog"), {"bird": ("parrot",)}))
    assert sorted(starts(unlisted, "dragon")) == ["dragon cat", "dragon dog"]
    assert starts(unlisted, "bird") == ["bird parrot"]
    assert not start_apart(unlisted, "dragon") and not start_apart(unlisted, "bird")
    assert starts(SimpleNamespace(vocabulary=Vocabulary()), "pet") == []


def test_a_founder_does_not_depend_on_those_beside_it(backbone64):
    sides = starts(backbone64, "pet", seed=3)
    how = {"initializers": sides, "settings": QUICK, "schedule": "adaptive"}
    (requests,) = founders("pet", 3, **how)
    beside, alone = develop(requests, backbone64), [develop([each], backbone64)[0] for each in requests]
    for one, other in zip(beside, alone, strict=True):
        assert one.id == other.id and one.negatives == other.negatives
        assert np.allclose(one.vectors, other.vectors, atol=1e-6)
