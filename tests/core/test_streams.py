"""Random draws follow from seed and step: new at each step, and equal when a step is repeated."""

from __future__ import annotations

from core.concept import Request
from core.step import draw

STEPS = 200


def test_each_step_of_each_concept_has_noise_of_its_own():
    seeds = [draw(Request("pet", seed=seed), step).noise_seed for seed in (0, 1) for step in range(STEPS)]
    assert len(set(seeds)) == len(seeds)


def test_a_step_taken_again_draws_the_same():
    request = Request("pet", seed=5)
    assert [draw(request, step) for step in range(STEPS)] == [draw(request, step) for step in range(STEPS)]


def test_the_template_says_nothing_about_the_noise():
    drawn = [draw(Request("pet", seed=3), step) for step in range(STEPS)]
    same_template = [each.noise_seed for each in drawn if each.template == drawn[0].template]
    assert len(same_template) > 1 and len(set(same_template)) == len(same_template)
