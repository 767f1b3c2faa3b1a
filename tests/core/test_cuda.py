"""On a GPU: the step equals the paper's loop written plainly on the processor, values and gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.optimizer import ConceptLab
from core.stack.backbone import Backbone
from core.state import initial_state
from core.step import in_text_space, make_step
from tests import paper
from tests.core.test_step import REQUESTS, SETTINGS, run, with_settings

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
STEPS = 5
BETA = 0.9  # of AdamW's first moment: after one step it is a tenth of the gradient


@pytest.fixture(scope="module")
def on_gpu(stack_folder) -> Backbone:
    return Backbone.load(stack_folder, device="cuda")


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """Distance of two tensors, as a share of the second one's length."""
    one, other = one.double().cpu(), other.double().cpu()
    return float((one - other).norm() / other.norm().clamp_min(1e-6))


@pytest.mark.parametrize("name", REQUESTS)
def test_steps_equal_the_paper_written_plainly(backbone64, on_gpu, name):
    request = with_settings(REQUESTS[name], steps=STEPS)
    plain = paper.learn(backbone64, request, STEPS, lambda step: list(request.negatives))
    begun = ConceptLab(backbone64).start(request)
    assert apart(run(on_gpu, [request], STEPS).vectors[0] - begun.cuda(), plain - begun) < 1e-3


@pytest.mark.parametrize("name", REQUESTS)
def test_losses_and_gradients_equal_the_processors(backbone64, on_gpu, name):
    request = with_settings(REQUESTS[name])
    found = []
    for backbone in (backbone64, on_gpu):
        lab = ConceptLab(backbone)
        vectors = lab.start(request).to(torch.promote_types(backbone.dtype, torch.float32))[None]
        state = initial_state([request], vectors, [request.negatives], lab.bank)
        after, losses = make_step(backbone, request.chosen, in_text_space(request))(state)
        found.append((losses, after.exp_avg / (1 - BETA)))
    (losses, gradient), (losses_gpu, gradient_gpu) = found
    assert apart(losses_gpu, losses) < 1e-4
    assert apart(gradient_gpu, gradient) < 1e-4


def test_half_precision_moves_the_vectors_alike(stack_folder, backbone64):
    half = Backbone.load(stack_folder, device="cuda", dtype=torch.bfloat16)
    request = with_settings(REQUESTS["list"])
    begun = ConceptLab(backbone64).start(request)
    moved, exact = (run(backbone, [request], 1).vectors[0].double().cpu() - begun for backbone in (half, backbone64))
    assert torch.nn.functional.cosine_similarity(moved.flatten(), exact.flatten(), dim=0) > 0.9


def test_a_concept_does_not_depend_on_its_neighbours(on_gpu):
    requests = [replace(REQUESTS["list"], seed=seed, settings=SETTINGS) for seed in range(3)]
    alone = torch.cat([run(on_gpu, [request], STEPS).vectors for request in requests])
    assert apart(run(on_gpu, requests, STEPS).vectors, alone) < 1e-5


def test_the_embedded_stack_learns_the_same_concept_again():
    request = replace(REQUESTS["list"], settings=replace(SETTINGS, steps=STEPS))
    lab = ConceptLab(Backbone.load("emoji", device="cuda"))
    one, again = (lab.run([request])[0].vectors for _ in range(2))
    assert one.tobytes() == again.tobytes()
