"""A further kind of constraint and another prior are one function each, and cost other concepts nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core import Backbone, ConceptLab, Request, Settings
from core.concept import Positive
from core.constraints import ConstraintError, constraint, mean_similarity, penalty_of
from core.stack.prior import CachedPrior

PLAIN = Settings("published", 4, 2, 1e-2, clamp=False, mix_through_prior=True, as_coded=False)
PETS = Request("pet", schedule="none", settings=PLAIN, seed=3)


@constraint("pull")
def pull(similarities, mask):
    return 1 - mean_similarity(similarities, mask)


def test_a_registered_constraint_learns_like_the_built_in_one_that_it_copies(backbone64):
    further = replace(PETS, constraints={"pull": ["cat"]})
    built_in = replace(PETS, positives=(Positive("pet"), Positive("cat")))
    lab = ConceptLab(backbone64)
    (one,), (other,), (plain,) = (lab.run([each]) for each in (further, built_in, PETS))
    assert abs(one.vectors - other.vectors).max() < 1e-6 < abs(one.vectors - plain.vectors).max()
    assert one.id not in (other.id, plain.id)
    names = {measurement.constraint for measurement in one.history}
    assert names == {"pet", "pull:cat"} and one.scores["pull"] < 0
    beside = lab.run([further, PETS])
    assert abs(beside[0].vectors - one.vectors).max() < 1e-6 and abs(beside[1].vectors - plain.vectors).max() < 1e-6


def test_a_constraint_that_nothing_registered_is_one_line(backbone):
    with pytest.raises(ConstraintError, match=r"unknown constraint 'push': import the module .* registered: .*pull"):
        ConceptLab(backbone).run([replace(PETS, constraints={"push": ["cat"]})])
    with pytest.raises(ConstraintError, match="'pull' is registered already: choose another name"):
        constraint("pull")(mean_similarity)
    assert constraint("pull")(pull) is penalty_of("pull")


class Wrapped:
    def __init__(self, stack, steps, guidance_scale):
        empty = stack._features([""], None)
        self.own = CachedPrior(stack.prior, stack.scheduler, steps, guidance_scale, empty)

    def sample(self, features, noise):
        return self.own.sample(features, noise)


def test_another_prior_is_used_in_learning_measuring_and_drawing(stack_folder, backbone64):
    wrapped = Backbone.load(stack_folder, device="cpu", dtype=torch.float64, make_prior=Wrapped)
    requests = [PETS, replace(PETS, seed=4, negatives=("cat",), schedule="list")]
    for one, other in zip(ConceptLab(wrapped).run(requests), ConceptLab(backbone64).run(requests), strict=True):
        assert abs(one.vectors - other.vectors).max() < 1e-6 and abs(one.image_embed - other.image_embed).max() < 1e-6
        assert one.id != other.id and one.fingerprint == wrapped.fingerprint != backbone64.fingerprint
