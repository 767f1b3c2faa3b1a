"""The preset `published` is what the authors' code does: twenty steps beside their loop, and each of its details."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import ImageChops

from core.concept import Parent, Positive, Request
from core.namers import from_function
from core.negatives import first_answer
from core.optimizer import ConceptLab
from core.options import Options
from core.prompts import TEMPLATES
from core.segments import Looker, seeds_of_drawings
from core.settings import PUBLISHED_STYLE_MIN_COSINE, Settings
from core.stack.backbone import Backbone
from core.stack.prior import CachedPrior
from core.stack.text import encode
from tests import authors
from tests.stacks import save_stack

SETTINGS = Settings("published", steps=20, segment=5, learning_rate=1e-2)
STYLE = replace(SETTINGS, min_cosine=PUBLISHED_STYLE_MIN_COSINE)
RNG = np.random.default_rng(0)
PARENTS = (Parent("one", 0.7, RNG.normal(size=(3, 16))), Parent("two", 0.6, RNG.normal(size=(5, 16))))


@pytest.fixture(scope="module")
def paper64(tmp_path_factory):
    """A stack with the structure of Kandinsky 2.1, in float64."""
    folder = save_stack(tmp_path_factory.mktemp("authors") / "stack", family="2.1", length=77, published_eos=True)
    return Backbone.load(folder, device="cpu", dtype=torch.float64)


@pytest.fixture
def ended(monkeypatch):
    """The states at boundaries, the last one at the end."""
    states, look = [], Looker.look
    monkeypatch.setattr(Looker, "look", lambda self, state, *of: states.append(state) or look(self, state, *of))
    return states


def named(pictures, question):
    """Names by what a picture shows, so that another drawing gives another negative."""
    names = ["a cat", "the Dog", "a rabbit", "hamster", "a parrot", "A turtle", "horse"]
    return [[(names[sum(picture.convert("RGB").tobytes()) % len(names)], 1.0)] for picture in pictures]


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(Request("pet", schedule="adaptive", seed=1, settings=SETTINGS), id="adaptive"),
        pytest.param(Request("painting", "style", schedule="none", seed=4, settings=SETTINGS), id="style"),
        pytest.param(
            Request("pet", negatives=("cat",), schedule="adaptive", seed=8, settings=SETTINGS), id="list, then adaptive"
        ),
        pytest.param(
            Request("pet", schedule="adaptive", seed=11, settings=replace(SETTINGS, through_prior=False)),
            id="text space",
        ),
        pytest.param(Request("pet", parents=PARENTS, seed=5, settings=SETTINGS), id="mix"),
        pytest.param(
            Request("musical instrument", schedule="adaptive", seed=2, settings=replace(SETTINGS, min_cosine=0.2)),
            id="several tokens",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            Request(
                "pet", schedule="adaptive", seed=3, settings=SETTINGS, templates=("my {} . 4k , HQ", "art of the {}")
            ),
            id="own templates",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            Request("painting", "style", schedule="adaptive", seed=6, settings=STYLE),
            id="adaptive style",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            Request("pet", negatives=("cat", "dog"), seed=7, settings=SETTINGS), id="list", marks=pytest.mark.slow
        ),
        pytest.param(
            Request("pet", negatives=("cat", "dog", "turtle"), schedule="gradual", seed=9, settings=SETTINGS),
            id="gradual",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            Request("pet", positives=(Positive("fish", 0.5), Positive("cat", 0.25)), seed=10, settings=SETTINGS),
            id="positives",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_twenty_steps_equal_the_authors_loop(paper64, request_, ended):
    [concept] = ConceptLab(paper64).run([request_], Options(namer=from_function(named)))

    def ask(picture):
        return named([picture], "")[0][0][0]

    plain, negatives = authors.learn(paper64, request_, 20, 5, ask)

    assert [negative.word for negative in concept.negatives] == negatives
    assert (plain - ConceptLab(paper64).start(request_)[0]).abs().max() > 1e-2
    assert (ended[-1].vectors[0, 0] - plain).abs().max() < 1e-9


def test_losses_of_a_mix_are_theirs_but_for_a_constant(paper64):
    lab, request = ConceptLab(paper64), Request("pet", parents=PARENTS, seed=5, settings=SETTINGS)
    [first, *_] = [report.losses for report in lab.learn([request]) if not report.losses.isnan().any()]
    vector = lab.start(request)[0]
    plain = authors.loss_of(paper64, request, vector, 0, [])
    text = authors.embed(paper64, request.prompts[authors.draw(request, 0).template], vector, 0)[1]
    images = [authors.unit(torch.tensor(p.image_embeds[i]).double()) for p, i in _drawn(request)]
    constant = sum(p.weight * float(i @ authors.unit(text)) / 2 for p, i in zip(PARENTS, images, strict=True))
    assert float(first[0]) == pytest.approx(float(plain) + constant, abs=1e-9)


def _drawn(request):
    return zip(request.parents, authors.draw(request, 0).images, strict=True)


def test_each_detail_has_an_effect_and_the_other_presets_have_none_of_them(paper64):
    request = Request("musical instrument", negatives=("cat",), seed=2, settings=replace(SETTINGS, steps=2))
    without = replace(request, settings=replace(request.settings, as_coded=False))
    coded, plain = (ConceptLab(paper64).run([each])[0] for each in (request, without))
    assert np.abs(coded.vectors - plain.vectors).max() > 1e-3 and coded.id != plain.id
    for preset in ("default", "paper"):
        assert Settings(preset).as_coded is False and "as_coded" not in Settings(preset).to_dict()


def test_requests_of_published_from_before_stay_as_they_were():
    now = Settings("published").to_dict()
    assert now.pop("as_coded") is True
    before = Settings.from_dict(now)
    assert before.as_coded is False and before.to_dict() == now
    assert Settings.from_dict(Settings("published").to_dict()) == Settings("published")


def test_a_concept_is_drawn_as_theirs_at_its_own_place(paper64):
    vector = torch.randn(16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    prompts = ["a photo of a <x>", "a photo"]
    features = encode(paper64.text_encoder, paper64.tokenizer, prompts, {"<x>": vector}, at_name=True)
    usual = encode(paper64.text_encoder, paper64.tokenizer, prompts, {"<x>": vector})
    assert torch.equal(features.embeds[1], usual.embeds[1]) and not torch.equal(features.embeds[0], usual.embeds[0])
    plain = authors.embed(paper64, "a photo of a {}", vector, 42, drawing=True)
    assert (features.embeds[0] - plain[0]).abs().max() < 1e-12
    imagined = paper64.imagine(prompts[:1], {"<x>": vector}, seeds=[42], at_name=True)
    assert (imagined[0] - plain[2]).abs().max() < 1e-10
    drawn = authors.question_drawing(paper64, vector)
    prompt = "Professional high-quality art of a <x>. photorealistic, 4k, HQ"
    ours = paper64.draw(paper64.imagine([prompt], {"<x>": vector}, seeds=[42], at_name=True), seeds=[42])[0]
    assert max(high for _, high in ImageChops.difference(drawn, ours).getextrema()) <= 1


def test_questions_are_about_their_seeds():
    request = Request("pet", schedule="adaptive", settings=SETTINGS)
    assert seeds_of_drawings(request, 1) == [42] and seeds_of_drawings(request, 2) == [42, 500]
    own = seeds_of_drawings(replace(request, settings=Settings("paper")), 3)
    assert seeds_of_drawings(request, 3) == [42, 500, own[0]] and not {42, 500} & set(own)


def test_an_answer_loses_a_leading_a_alone():
    for answer, word in (("a cat", "cat"), ("The Dog.", "The Dog."), ("a <cat>", "cat"), ("an owl", "an owl")):
        assert first_answer([(answer, 1.0)], as_coded=True).word == word
    assert first_answer([("", 1.0)], as_coded=True).word is None


def test_the_row_without_prompt_is_pooled_where_each_template_ends(paper64):
    """Templates of one batch end at different places; each row has its own."""
    own = [Request("pet", negatives=("cat",), seed=i, settings=replace(SETTINGS, steps=8)) for i in range(3)]
    lengths = {authors.padded(paper64, template)[2] for template in TEMPLATES["object"]}
    assert len(lengths) > 3
    together = ConceptLab(paper64).run(own)
    for request, concept in zip(own, together, strict=True):
        assert np.abs(ConceptLab(paper64).run([request])[0].vectors - concept.vectors).max() < 1e-6


def own_prior(stack, steps, guidance_scale):
    empty = encode(stack.text_encoder, stack.tokenizer, [""])
    return CachedPrior(stack.prior, stack.scheduler, steps, guidance_scale, empty)


def test_a_prior_of_ones_own_keeps_its_own_row_without_prompt(paper64):
    folder = paper64.prior_folder.parent
    other = Backbone.load(folder, device="cpu", dtype=torch.float64, make_prior=own_prior)
    request = Request("pet", negatives=("cat",), settings=replace(SETTINGS, steps=2))
    own, theirs = (ConceptLab(stack).run([request])[0].vectors for stack in (other, paper64))
    assert np.isfinite(own).all() and np.abs(own - theirs).max() > 1e-6


def test_an_answer_that_fits_into_no_prompt_is_left_out(paper64):
    request = Request("pet", schedule="adaptive", settings=replace(SETTINGS, steps=2, segment=1))
    namer = from_function(lambda pictures, question: [[("x" * 80, 1.0)] for _ in pictures], "long")
    events = [e for report in ConceptLab(paper64).learn([request], Options(namer=namer)) for e in report.events]
    assert "is too long for a prompt" in events[0].note and not events[-1].all_negatives
