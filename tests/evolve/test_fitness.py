"""A concept's objectives, each seen to order a set made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core import Request, Settings
from core.constraints import normalise
from core.errors import ConceptreeError
from core.metrics import imagine_word
from core.prompts import PANEL
from core.stack.wordbank import WordBank
from evolve import Portraits, Run, develop, fitness, mate
from evolve.fitness import OBJECTIVES, Subject, evaluate, measure, novelties, novelty, of_run, register
from evolve.members import Fitness
from tests.families import family
from tests.stacks import MEMBERS

NOTHING = Settings(steps=0, learning_rate=1e-2)


def of_word(backbone, word, seed=0):
    """A concept that is nothing but a known word."""
    start = backbone.word_vector(word)[None].numpy()
    return develop([Request("pet", seed=seed, schedule="none", start=start, settings=NOTHING)], backbone)[0]


def placed(concept, id_, *image_embed):
    return replace(concept, id=id_, image_embed=np.array(image_embed, dtype=np.float32))


@pytest.fixture(scope="module")
def pet(backbone):
    return of_word(backbone, "pet")


def test_belonging_and_differing_are_similarities_to_words(backbone, pet):
    """By the plain way: the mean over the panel of the cosine between what is imagined and the word in that prompt."""
    imagined = normalise(imagine_word(backbone, "object", "pet"))[0]  # [templates, seeds, width]
    own, *known = (
        float(torch.einsum("tsd,td->ts", imagined, texts).mean())
        for texts in (
            normalise(backbone.encode_text([t.format(w) for t in PANEL["object"]])) for w in ("pet", *MEMBERS)
        )
    )
    belongs, differs, _, consistent = evaluate([pet], backbone)[0]
    assert belongs == pytest.approx(own, abs=1e-5)
    assert differs == pytest.approx(own - max(known), abs=1e-5)
    assert -1 <= consistent <= 1


def test_novelty_is_the_mean_distance_to_the_nearest_by_hand(pet):
    one, two, three = placed(pet, "1", 1, 0), placed(pet, "2", 0, 1), placed(pet, "3", -1, 0)
    assert novelty([one], [one, two, three], neighbours=1) == pytest.approx([1.0])
    assert novelty([one], [one, two, three], neighbours=2) == pytest.approx([1.5])
    assert novelty([one, two], [one, two, three], neighbours=5) == pytest.approx([1.5, 1.0])
    assert novelty([one], [one]) == [1.0]


def test_novelties_of_many_are_the_novelty_of_each(pet, monkeypatch):
    monkeypatch.setattr(fitness, "_AT_ONCE", 3)
    draw = np.random.default_rng(0)
    concepts = [placed(pet, str(number), *draw.normal(size=6)) for number in range(11)]
    embeds = {each.id: each.image_embed for each in concepts}
    for count in (1, 2, 4, 11):
        some = concepts[:count]
        found = novelties({each.id: embeds[each.id] for each in some}, neighbours=3)
        assert [found[each.id] for each in some] == pytest.approx(novelty(some, some, neighbours=3), abs=1e-6)
    assert novelties(embeds, ["4"]) == pytest.approx({"4": novelties(embeds)["4"]}) and novelties({}) == {}


def test_a_run_knows_what_was_measured_when_its_concepts_were_learned(backbone, tmp_path):
    """By the plain way: the same as measuring them again."""
    run = Run.create(tmp_path / "run", "pet", backbone)
    quick = Settings(steps=2, segment=1, learning_rate=1e-2, prior_steps=3, guidance_scale=2.0)
    one, two = develop([Request("pet", negatives=("cat",), seed=n, settings=quick) for n in (1, 2)], backbone, run)
    mixed = mate([(one, 0.7), (two, 0.3)], backbone, 3, portraits=Portraits(2, 1), settings=quick)
    start = backbone.word_vector("dog")[None].numpy()
    imported = Request("pet", schedule="none", start=start, settings=NOTHING)
    concepts = [one, two, *develop([mixed], backbone, run), *develop([imported], backbone, run)]
    plain = dict(zip((each.id for each in concepts), evaluate(concepts, backbone), strict=True))
    for id_, found in of_run(Run.open(run.folder)).items():
        assert [found[name] for name in OBJECTIVES] == pytest.approx(plain[id_], abs=1e-5)
    assert of_run(run, [two.id]) == {two.id: pytest.approx(of_run(run)[two.id], abs=1e-6)}


def test_who_was_learned_before_it_was_measured_lacks_it(tmp_path):
    run = family(tmp_path / "pets")
    assert {each["differs"] for each in of_run(run).values()} == {None}
    assert {each["belongs"] for each in of_run(run).values()} == {0.25}


def test_one_far_from_the_archive_is_more_novel(backbone, pet):
    near = replace(pet, id="near", image_embed=pet.image_embed * 1.001)
    far = replace(pet, id="far", image_embed=-pet.image_embed)
    place = list(OBJECTIVES).index("novel")
    close, distant = (evaluate([each], backbone, archive=[pet])[0][place] for each in (near, far))
    assert close == pytest.approx(0, abs=1e-5) and distant == pytest.approx(2, abs=1e-5)


@pytest.fixture
def made_up(backbone, pet):
    """Measure given unit embeddings [templates, seeds, width] in place of the prior's, in this order."""

    def values(*imagined):
        concepts = [placed(pet, str(n), *each.mean((0, 1)).tolist()) for n, each in enumerate(imagined)]
        bank = WordBank(backbone.encode_text, backbone.width)
        return [
            dict(zip(OBJECTIVES, measure(Subject(concept, backbone, each[None], bank, concepts)), strict=True))
            for concept, each in zip(concepts, imagined, strict=True)
        ]

    return values


def texts(backbone, word):
    """Imagined embeddings equal to the text embeddings of a word: [templates, 1, width]."""
    return normalise(backbone.encode_text([template.format(word) for template in PANEL["object"]]))[:, None]


def ordered(found, name):
    values = [each[name] for each in found]
    return values == sorted(values, reverse=True) and len(set(values)) == len(values)


def test_what_is_more_like_the_category_belongs_more(backbone, made_up):
    own = texts(backbone, "pet")
    other = torch.randn(own.shape, generator=torch.Generator().manual_seed(1))
    aside = normalise(other - (other * own).sum(-1, keepdim=True) * own)
    found = made_up(*(normalise(share * own + (1 - share) * aside) for share in (1.0, 0.8, 0.5, 0.1)))
    assert ordered(found, "belongs")
    assert found[0]["belongs"] == pytest.approx(1, abs=1e-5) and found[3]["belongs"] < 0.2


def test_what_is_more_like_a_known_member_than_like_the_category_differs_less(backbone, made_up):
    own, member, other = texts(backbone, "pet"), texts(backbone, MEMBERS[0]), texts(backbone, MEMBERS[1])
    found = made_up(own, normalise(2 * own + member), normalise(own + member), normalise(own + 2 * member), member)
    assert ordered(found, "differs")
    assert found[0]["differs"] > 0 > found[-1]["differs"] == pytest.approx(found[-1]["belongs"] - 1, abs=1e-5)
    two = made_up(normalise(own + member), normalise(own + member + other))
    assert two[1]["differs"] != pytest.approx(two[1]["belongs"] - 1), "the nearest member counts, not the sum of all"


def test_what_lies_apart_is_more_novel_than_what_lies_in_a_crowd(made_up):
    angles = torch.tensor([3.0, 1.0, 0.1, 0.05, 0.0, -0.05, -0.1, -0.15])  # the third lies at the edge of the crowd
    width = 16
    looks = torch.zeros(len(angles), 4, 2, width)
    looks[..., 0], looks[..., 1] = angles.cos()[:, None, None], angles.sin()[:, None, None]
    found = made_up(*looks)
    assert ordered(found[:3], "novel") and found[2]["novel"] > found[4]["novel"]


def test_what_looks_the_same_in_all_prompts_is_more_consistent(made_up):
    width = 16
    plain = torch.zeros(4, 2, width)
    plain[..., 0] = 1
    wobbles, turns, differs = (plain.clone() for _ in range(3))
    wobbles[0, :, 1] = 1  # one template in four is half another thing
    turns[:2, :, 1] = 2
    for template in range(4):
        differs[template] = 0
        differs[template, :, template] = 1
    seeds = plain.clone()
    seeds[:, 1] = 0
    seeds[:, 1, 2] = 1  # another thing by seed, the same in all prompts
    found = made_up(*(normalise(each) for each in (plain, wobbles, turns, differs)))
    assert ordered(found, "consistent")
    assert (found[0]["consistent"], found[3]["consistent"]) == pytest.approx((1, 0), abs=1e-6)
    assert made_up(seeds)[0]["consistent"] == pytest.approx(1), "seeds are not prompts"


def test_fitness_is_deaps_and_maximises():
    better, worse = Fitness((0.5, 0.2, 0.3, 0.9)), Fitness((0.4, 0.2, 0.3, 0.9))
    assert better.dominates(worse) and not worse.dominates(better)


def test_a_registered_objective_is_one_more_value(backbone, pet, tmp_path, monkeypatch):
    monkeypatch.setattr(fitness, "OBJECTIVES", objectives := dict(OBJECTIVES))
    plain = evaluate([pet], backbone)[0]
    register("short", lambda subject: -float(np.linalg.norm(subject.concept.vectors)))
    assert list(objectives) == ["belongs", "differs", "novel", "consistent", "short"]
    assert evaluate([pet], backbone)[0] == (*plain, pytest.approx(-float(np.linalg.norm(pet.vectors))))
    assert {each["short"] for each in of_run(family(tmp_path / "pets")).values()} == {None}, "no run stores it"
    for name in ("short", "rated"):
        with pytest.raises(ConceptreeError, match=f"the objective '{name}' is registered already"):
            register(name, lambda subject: 0.0)


def test_what_is_measured_does_not_depend_on_the_neighbours(backbone, pet):
    other = of_word(backbone, "dog", seed=2)
    alone = evaluate([pet], backbone, archive=[other])[0]
    assert evaluate([other, pet], backbone)[1] == pytest.approx(alone)
