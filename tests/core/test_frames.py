"""Templates that are read once up to the concept equal prompts that are read whole, and a step waits for nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import core.stack.offload
from core.concept import Avoid, Parent, Request
from core.frames import Frames
from core.optimizer import ConceptLab
from core.options import Options
from core.prompts import NAME, TEMPLATES
from core.settings import Settings
from core.stack.backbone import Backbone
from core.stack.prior import draw_noise
from core.stack.text import encode
from core.state import initial_state
from core.step import in_text_space, make_step

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("guidance_scale", [4.0, 1.0])
@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("kind", TEMPLATES)
def test_equal_prompts_that_are_read_whole(backbone64, kind, k, guidance_scale):
    """Values and gradients, for leads and rests of all lengths side by side, each row with vectors of its own."""
    templates = TEMPLATES[kind]
    which = [0, len(templates) - 1, 5, 0, 2]
    vectors = torch.randn(len(which), k, 16, dtype=torch.float64).requires_grad_()
    noise, prior = draw_noise(range(len(which)), 5, 16), backbone64.cached_prior(5, guidance_scale)
    ours = Frames(backbone64, templates, k, prior).embeds(which, vectors, noise)
    for row, place in enumerate(which):
        whole = encode(
            backbone64.text_encoder, backbone64.tokenizer, [templates[place].format(NAME)], {NAME: vectors[row]}
        )
        plain = prior.sample(whole, noise[:, row : row + 1])
        assert (ours[row] - plain[0]).abs().max() < 1e-12 * plain.abs().max()
        (ours_back,) = torch.autograd.grad(ours[row].sin().sum(), vectors, retain_graph=True)
        (plain_back,) = torch.autograd.grad(plain.sin().sum(), vectors, retain_graph=True)
        assert plain_back.abs().max() > 0
        assert (ours_back - plain_back).abs().max() < 1e-12 * plain_back.abs().max()
    without = Frames(backbone64, templates, k).embeds(which, vectors, None)
    whole = encode(backbone64.text_encoder, backbone64.tokenizer, [templates[5].format(NAME)], {NAME: vectors[2]})
    assert (without[2] - whole.embeds[0]).abs().max() < 1e-12


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_concept_stands_once_in_each_template(kind):
    assert all(template.count("{}") == 1 for template in TEMPLATES[kind])


READS = ("_local_scalar_dense", "nonzero", "equal", "is_nonzero", "masked_select", "unique", "_unique2")


class Waits(TorchDispatchMode):
    """Notes what would make Python wait for a GPU: a value read, or a copy that is not left to itself."""

    def __init__(self):
        super().__init__()
        self.found, self.calls, self.making = [], 0, Making(self)

    def __enter__(self):
        self.making.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.making.__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, func.overloadpacket.__name__
        result = func(*args, **kwargs)
        self.calls += 1
        places = {each.device.type for each in (*args, result) if isinstance(each, torch.Tensor)}
        waits = name in READS
        if name in ("_to_copy", "copy_"):
            waits = len(places) > 1 and not (kwargs.get("non_blocking") or args[-1] is True)
        if name in ("index", "index_put", "_index_put_impl_"):
            by = [each for each in args[1] if each is not None]
            waits = any(each.dtype == torch.bool or {each.device.type} != places for each in by)
        if waits:
            self.found.append(f"{func} {places}")
        return result


class Making(TorchFunctionMode):
    """Notes numbers of Python's that are made into a tensor on the device, which is a copy too."""

    def __init__(self, waits):
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in (torch.tensor, torch.as_tensor) and str((kwargs or {}).get("device") or "cpu") != "cpu":
            self.waits.found.append(f"{func.__name__} on the device")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("text_space", [False, True])
def test_between_two_boundaries_nothing_waits_for_the_device(stack_folder, text_space):
    """On a device that holds no numbers, where whatever would be read raises or is noted."""
    parents = (Parent("one", 0.7, RNG.normal(size=(3, 16))), Parent("two", 1.4, RNG.normal(size=(5, 16))))
    requests = [
        Request("pet", negatives=("cat", "dog"), seed=1),
        Request("painting", "style", negatives=("mosaic",), seed=2),
        Request("pet", negatives=("cat",), avoid=(Avoid("a", RNG.normal(size=16)),), seed=3),
        Request("pet", parents=parents, seed=4),
    ]
    settings = Settings(steps=4, through_prior=not text_space)
    requests = [replace(request, settings=settings) for request in requests]
    backbone = Backbone.load(stack_folder, device="cpu")
    lab = ConceptLab(backbone)
    vectors = torch.stack([lab.start(request) for request in requests])
    state = initial_state(requests, vectors, [request.negatives for request in requests], lab.bank)
    state = replace(state, steps=(1, 4, 4, 4))  # the batch gets smaller on the way

    backbone.text_encoder.to("meta"), backbone.prior.to("meta")
    state = _on(state, "meta")
    step = make_step(backbone, settings, in_text_space(requests[0]))
    step(state)  # reads the templates
    with Waits() as waits:
        for _ in range(3):
            state, losses = step(state)
    assert waits.found == [] and waits.calls > 300
    assert state.vectors.is_meta and losses.is_meta and state.step == (1, 3, 3, 3)


def test_where_models_take_turns_a_step_brings_its_own_back(stack_folder, monkeypatch):
    monkeypatch.setattr(core.stack.offload, "moved", lambda home, device: home.clone())
    request = Request("pet", negatives=("cat",), seed=1, settings=Settings(steps=4, segment=1))
    plain, turns = (Backbone.load(stack_folder, "cpu", offload=offload) for offload in (False, True))
    (concept,), (other,) = (ConceptLab(stack).run([request], Options(draw=True)) for stack in (plain, turns))
    assert np.array_equal(concept.vectors, other.vectors)
    step = make_step(turns, request.settings)
    lab = ConceptLab(turns)
    state, _ = step(initial_state([request], lab.start(request)[None], [("cat",)], lab.bank))
    turns.rest()
    assert turns.turns.present is None
    step(state)
    assert turns.turns.present == "learn"


@pytest.mark.parametrize(
    "wait",
    [
        lambda there: torch.tensor([1.0], device=there.device),
        lambda there: torch.ones(1).to(there.device),
        lambda there: there[torch.tensor([0])],
        lambda there: torch.as_tensor([1.0], device=there.device),
        lambda there: there[there > 0],
        lambda there: there.to("cpu"),
        lambda there: there.tolist(),
    ],
)
def test_what_waits_is_noticed(wait):
    with Waits() as waits:
        try:
            wait(torch.ones(2, device="meta"))
        except (NotImplementedError, RuntimeError):
            waits.found.append("raised")
    assert waits.found


def _on(value, device):
    """A state, or what is in it, on a device."""
    changed = {}
    for name, each in vars(value).items():
        if isinstance(each, torch.Tensor):
            changed[name] = each.to(device)
        elif name in ("constraints", "numbers"):
            changed[name] = _on(each, device)
    return replace(value, **changed)
