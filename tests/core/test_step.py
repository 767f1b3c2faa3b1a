"""The optimizer's step equals the paper's loop written plainly, and a concept depends on nothing but its Request."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core import optimizer
from core.concept import Avoid, Parent, Positive, Request
from core.optimizer import ConceptLab
from core.prompts import GROUPS, TEMPLATES
from core.segments import Looker
from core.settings import Settings
from core.state import Numbers, adamw, initial_state
from core.step import DivergedError, check_losses, draw, in_text_space, make_step
from core.streams import stream, stream_seed
from tests import paper

# Caps and floors that lie among this stack's similarities, so that each of them holds at some steps and not at others.
SETTINGS = Settings(steps=50, segment=10, learning_rate=1e-2, max_cosine=0.37, min_cosine=0.36, avoid_floor=-0.15)
RNG = np.random.default_rng(0)
ONE = Parent("one", 0.7, RNG.normal(size=(3, 16)))
TWO = Parent("two", 1.4, RNG.normal(size=(5, 16)))
EARLIER = (Avoid("a", RNG.normal(size=16)), Avoid("b", RNG.normal(size=16)))
LESS = Parent("less", -0.9, RNG.normal(size=(4, 16)))

REQUESTS = {
    "list": Request("pet", negatives=("cat", "dog", "parrot"), seed=1),
    "positives": Request("pet", positives=(Positive("cat", 3), Positive("lemon")), schedule="none", seed=2),
    "gradual": Request("fruit", negatives=("pear", "melon", "apple"), schedule="gradual", seed=3),
    "style": Request("painting", "style", negatives=("mosaic", "sketch"), seed=4),
    "two vectors": Request("pet", negatives=("cat",), tokens=2, seed=5, initializer="rabbit"),
    "wave": Request("pet", negatives=("cat", "turtle"), avoid=EARLIER, seed=6),
    "parents": Request("pet", parents=(ONE, TWO), seed=7),
    "away from a parent": Request("pet", parents=(ONE, LESS, TWO), avoid=EARLIER, negatives=("cat",), seed=9),
    "own templates": Request(
        "pet", negatives=("cat",), seed=10, templates=("my {} in a photo", "this is a small blue {}")
    ),
    "child of words too": Request("pet", parents=(ONE,), positives=(Positive("cat"),), negatives=("dog",), seed=8),
}
ABLATIONS = {
    "no s_max": dict(s_max=False),
    "no clamp": dict(clamp=False),
    "lambda": dict(lam=0.3),
    "text space": dict(through_prior=False),
    "published": dict(mix_through_prior=False, normalise_weights=False),
    "prior steps": dict(prior_steps=2),
}


def run(backbone, requests, steps):
    """The state after some steps of a batch, with the negatives of lists only."""
    lab = ConceptLab(backbone)
    vectors = torch.stack(
        [lab.start(request).to(torch.promote_types(backbone.dtype, torch.float32)) for request in requests]
    )
    state = initial_state(requests, vectors, [request.negatives for request in requests], lab.bank)
    step = make_step(backbone, requests[0].chosen, in_text_space(requests[0]))
    for _ in range(steps):
        state, _ = step(state)
    return state


def with_settings(request, **changes):
    return replace(request, settings=replace(SETTINGS, **changes))


@pytest.mark.parametrize("name, steps", [(name, 50 if name in ("gradual", "parents") else 20) for name in REQUESTS])
def test_many_steps_equal_the_paper_written_plainly(backbone64, name, steps, monkeypatch):
    request = with_settings(REQUESTS[name], steps=steps)
    lab = ConceptLab(backbone64)
    finals = []
    look = Looker.look
    monkeypatch.setattr(Looker, "look", lambda self, state, *of: finals.append(state) or look(self, state, *of))
    concept = lab.run([request])[0]

    plain = paper.learn(backbone64, request, steps, lambda step: [n.word for n in concept.negatives if n.step <= step])

    assert (plain - lab.start(request)).abs().max() > 1e-2
    assert (finals[-1].vectors[0] - plain).abs().max() < 1e-8


def test_earlier_waves_repel_above_their_floor_and_not_below(backbone64):
    wave, alone = REQUESTS["wave"], replace(REQUESTS["wave"], avoid=())
    repelled, free = (run(backbone64, [with_settings(request)], 10).vectors for request in (wave, alone))
    assert (repelled - free).abs().max() > 1e-3
    assert torch.equal(run(backbone64, [with_settings(wave, avoid_floor=1.0)], 10).vectors, free)


def test_parents_repel_above_their_floor_and_not_below(backbone64):
    """A weight below 0 is a term of its own: without it, and with a floor that is always reached, all is as before."""
    signed, plain = (Request("pet", parents=of, seed=9) for of in ((ONE, LESS, TWO), (ONE, TWO)))
    # The images of `plain` are drawn without one between them: a parent of one image leaves the draws as they are.
    signed = replace(signed, parents=(ONE, TWO, replace(LESS, image_embeds=LESS.image_embeds[:1])))
    repelled, free = (run(backbone64, [with_settings(request)], 10).vectors for request in (signed, plain))
    assert (repelled - free).abs().max() > 1e-3
    assert torch.equal(run(backbone64, [with_settings(signed, avoid_floor=1.0)], 10).vectors, free)
    similar = []
    for vectors in (repelled, free):
        imagined = backbone64.imagine(["a photo of a x"], {"x": vectors[0]}, seeds=[1])[0]
        similar.append(float(torch.cosine_similarity(imagined, torch.tensor(LESS.image_embeds[0]).double(), dim=0)))
    assert similar[0] < similar[1]


@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("name", ["wave", "child of words too", "away from a parent"])
def test_ablations_equal_the_paper_written_plainly(backbone64, name, ablation):
    request = with_settings(REQUESTS[name], **ABLATIONS[ablation])
    plain = paper.learn(backbone64, request, 6, lambda step: request.negatives)
    assert (run(backbone64, [request], 6).vectors[0] - plain).abs().max() < 1e-10


def test_alone_and_in_a_batch_are_the_same(backbone64):
    """Ragged on purpose: kinds, lengths of lists, parents and earlier waves all differ within the batch."""
    requests = [with_settings(request, steps=5) for name, request in REQUESTS.items() if name != "two vectors"]
    batch = run(backbone64, requests, 5)
    for i, request in enumerate(requests):
        alone = run(backbone64, [request], 5)
        assert (batch.vectors[i] - alone.vectors[0]).abs().max() < 1e-10, request


def test_a_float32_batch_stays_near_the_float64_one(backbone, backbone64):
    requests = [with_settings(REQUESTS[name]) for name in ("list", "wave")]
    single, double = run(backbone, requests, 10).vectors, run(backbone64, requests, 10).vectors
    assert single.dtype == torch.float32
    assert (single.double() - double).abs().max() < 1e-4


def test_parents_are_not_swapped(backbone64):
    """Each parent's weight belongs to its own images: with nearly all weight on one parent, the child moves to it."""
    far = torch.eye(16)[:2].numpy()
    similar = []
    for weights in ((1.0, 1e-6), (1e-6, 1.0)):
        parents = tuple(Parent(str(i), w, far[i][None]) for i, w in enumerate(weights))
        state = run(backbone64, [with_settings(Request("pet", parents=parents, seed=1), steps=20)], 20)
        imagined = backbone64.imagine(["a photo of a x"], {"x": state.vectors[0]}, seeds=[1])[0]
        similar.append(torch.nn.functional.cosine_similarity(imagined[None], torch.eye(16, dtype=torch.float64)[:2]))
    assert similar[0][0] > similar[1][0] and similar[1][1] > similar[0][1]


def test_a_frozen_concept_does_not_move_at_all(backbone64):
    """AdamW moves a vector even where its gradient is zero: by momentum and by weight decay."""
    short, long = with_settings(REQUESTS["list"], steps=3), with_settings(REQUESTS["gradual"], steps=6)
    after3, after6 = run(backbone64, [short, long], 3), run(backbone64, [short, long], 6)
    for name in ("vectors", "exp_avg", "exp_avg_sq"):
        assert torch.equal(getattr(after3, name)[0], getattr(after6, name)[0])
    assert not torch.equal(after3.vectors[1], after6.vectors[1])
    assert after6.step == (3, 6) and after6.active == []


def test_step_is_pure(backbone64):
    state = run(backbone64, [with_settings(REQUESTS["list"])], 1)
    before = state.vectors.clone(), state.exp_avg.clone(), state.step
    step = make_step(backbone64, SETTINGS)
    (one, losses), (other, again) = step(state), step(state)
    assert torch.equal(one.vectors, other.vectors) and torch.equal(losses, again)
    assert torch.equal(state.vectors, before[0]) and torch.equal(state.exp_avg, before[1]) and state.step == before[2]


def test_losses_of_frozen_rows_are_nan(backbone64):
    requests = [with_settings(REQUESTS["list"], steps=0), with_settings(REQUESTS["gradual"])]
    state = run(backbone64, requests, 0)
    _, losses = make_step(backbone64, SETTINGS)(state)
    assert losses.isnan().tolist() == [True, False]


def test_a_loss_that_is_not_a_number_is_said_so_with_its_step(backbone64):
    """Steps are read some at a time, since to read is to wait: the first that went wrong is named."""
    step, start = make_step(backbone64, SETTINGS), run(backbone64, [with_settings(REQUESTS["list"])], 0)
    after, fine = step(start)
    broken = replace(after, vectors=after.vectors * float("nan"))
    later, wrong = step(broken)
    check_losses([(start, fine)])
    with pytest.raises(DivergedError, match=r"not a number at step 1: try a learning rate below 0\.01"):
        check_losses([(start, fine), (broken, wrong), (later, step(later)[1])])


def test_a_diverging_concept_ends_the_run_at_the_step_where_it_diverged(backbone, monkeypatch):
    """Whether the device is read at the boundary or before it."""
    request = Request("pet", negatives=("cat",), settings=replace(SETTINGS, steps=40, segment=20))
    for every in (3, 1000):
        monkeypatch.setattr(optimizer, "UNREAD", every)
        lab, done = ConceptLab(backbone), []
        make = lab.make_step

        def breaking(*which, make=make):
            step = make(*which)

            def broken(state):
                state, losses = step(state)
                return (replace(state, vectors=state.vectors * torch.nan) if state.step[0] == 7 else state), losses

            return broken

        monkeypatch.setattr(lab, "make_step", breaking)
        with pytest.raises(DivergedError, match=r"not a number at step 7: "):
            for report in lab.learn([request]):
                done.append(report.step)
        assert max(done) == {3: 8, 1000: 19}[every]


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_adamw_equals_torch(dtype, tolerance):
    """Each row with its own learning rate, weight decay and count of steps, over hundreds of steps."""
    settings = Settings(betas=(0.8, 0.99), eps=1e-3)
    rates, decays, starts = [1e-2, 3e-3], [0.0, 0.3], [0, 7]
    start = torch.randn(2, 3, 4, dtype=dtype, generator=torch.Generator().manual_seed(0))
    zero = torch.zeros(2, dtype=dtype)
    numbers = Numbers(torch.tensor(rates, dtype=dtype), torch.tensor(decays, dtype=dtype), zero, zero, zero, zero)
    ours, exp_avg, exp_avg_sq = start, torch.zeros_like(start), torch.zeros_like(start)
    theirs = [torch.nn.Parameter(row.clone()) for row in start]
    options = dict(betas=settings.betas, eps=settings.eps)
    optimizers = [
        torch.optim.AdamW([row], lr=rate, weight_decay=decay, **options)
        for row, rate, decay in zip(theirs, rates, decays, strict=True)
    ]
    count = torch.zeros(2, dtype=torch.long)
    for i in range(300):
        gradient = torch.randn(2, 3, 4, dtype=dtype, generator=torch.Generator().manual_seed(i + 1))
        learns = torch.tensor([i >= each for each in starts])
        count = count + learns
        new = adamw(ours, gradient, exp_avg, exp_avg_sq, count.clamp(min=1), numbers, settings)
        keep = learns[:, None, None]
        ours, exp_avg, exp_avg_sq = (
            torch.where(keep, each, old) for each, old in zip(new, (ours, exp_avg, exp_avg_sq), strict=True)
        )
        for row, each, grad, learn in zip(theirs, optimizers, gradient, learns.tolist(), strict=True):
            if learn:
                row.grad = grad
                each.step()
    assert (ours - torch.stack([row.detach() for row in theirs])).abs().max() < tolerance


def test_standard_and_edit_templates_are_equally_likely():
    draws = [draw(Request("pet", seed=seed), step).template for seed in range(20) for step in range(100)]
    standard = len(GROUPS["object"][0])
    share = sum(template < standard for template in draws) / len(draws)
    assert abs(share - 0.5) < 0.05
    assert set(draws) == set(range(len(TEMPLATES["object"])))


def test_templates_of_a_request_are_equally_likely_and_one_that_stands_twice_twice_as_likely():
    own = ("a {}", "my {}", "a {}")
    prompts = [draw(Request("pet", seed=seed, templates=own), 0).prompt for seed in range(600)]
    assert abs(prompts.count("a <concept>") - 400) < 50 and prompts.count("my <concept>") == 600 - prompts.count(
        "a <concept>"
    )


def test_each_parents_images_are_drawn_evenly_and_by_themselves():
    draws = [draw(Request("pet", parents=(ONE, TWO)), step).images for step in range(600)]
    counts = np.zeros((3, 5))
    for place in draws:
        counts[place] += 1
    assert (counts > 600 / 15 / 2).all()


def test_streams_differ_by_seed_step_and_purpose():
    seeds = {stream_seed(seed, step, purpose) for seed in (0, 1, 11) for step in (0, 1, 11) for purpose in ("a", "b")}
    assert len(seeds) == 18 and all(0 <= seed < 2**63 for seed in seeds)
    assert stream(1, 2, "a").integers(1000) == stream(1, 2, "a").integers(1000)
