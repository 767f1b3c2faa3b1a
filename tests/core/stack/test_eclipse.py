"""The ECLIPSE prior equals a plain re-statement of its published forward pass: values and gradients."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import torch.nn.functional as F

from core import ConceptLab, Request, Settings
from core.baselines import kandinsky_negation
from core.calibration import calibrate, main, reservation, store
from core.errors import ConceptreeError, StackError
from core.stack import hub
from core.stack.backbone import Backbone
from core.stack.eclipse import EclipsePrior
from core.stack.prior import draw_noise
from core.stack.text import TextFeatures
from tests.core.stack.test_prior import random_features, relative_difference, trimmed, with_gradients
from tests.eclipse import as_published
from tests.stacks import cache_as_hub, eclipse_transformer, liven, prior_parts, save_eclipse, save_stack

ECLIPSE, PRIOR, DECODER = hub.ALIASES["kandinsky-2.2-eclipse"]
COMMITS = [letter * 40 for letter in "abc"]


def published(prior, features, noise):
    return as_published(prior, features.embeds, features.hidden, features.mask, noise)


SHAPES = [dict(), dict(width=8, layers=1, heads=1, head=8), dict(width=24, layers=4, heads=4, head=6)]


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lengths", [[7], [2, 20, 11]])
def test_values_and_gradients_equal_the_published_forward_pass(shape, lengths, dtype, tolerance):
    prior = eclipse_transformer(**shape).to(dtype)
    width = prior.config.embedding_dim
    features = random_features(lengths, width, dtype)
    noise = draw_noise(range(len(lengths)), 5, width).to(dtype)
    ours = with_gradients(lambda given: EclipsePrior(prior).sample(trimmed(given), noise), features)
    plain = with_gradients(lambda given: published(prior, given, noise[0]), features)
    for one, other in zip(ours, plain, strict=True):
        assert other.abs().max() > 1e-3
        assert relative_difference(one, other) < tolerance


def test_norms_that_other_priors_have_are_applied():
    prior = eclipse_transformer()
    prior.norm_in = liven(torch.nn.LayerNorm(16), 8)
    prior.embedding_proj_norm = liven(torch.nn.LayerNorm(16), 9)
    prior, features = prior.double(), random_features([7, 12], 16, torch.float64)
    noise = draw_noise([0, 1], 1, 16).double()
    assert (
        relative_difference(EclipsePrior(prior).sample(features, noise), published(prior, features, noise[0])) < 1e-12
    )


def test_tokens_read_in_advance_change_nothing():
    prior = eclipse_transformer().double()
    sampler, whole = EclipsePrior(prior), random_features([9, 6], 16, torch.float64)
    noise = draw_noise([3, 4], 2, 16).double()
    first = 4
    parts = [
        TextFeatures(whole.embeds, whole.hidden[:, part], whole.mask[:, part])
        for part in (slice(None, first), slice(first, None))
    ]
    split = with_gradients(lambda _: sampler.sample(parts[1], noise, sampler.read(parts[0])), whole)
    once = with_gradients(lambda _: sampler.sample(whole, noise), whole)
    assert relative_difference(split[0], once[0]) < 1e-12 and relative_difference(split[1], once[1]) < 1e-12
    # What was read in advance is constant; the gradient of the other tokens is the same.
    assert not split[2][:, :first].any()
    assert relative_difference(split[2][:, first:], once[2][:, first:]) < 1e-10


def test_a_row_depends_on_its_own_noise_alone():
    prior = eclipse_transformer().double()
    features, noise = random_features([5, 5], 16, torch.float64), draw_noise([1, 2], 3, 16).double()
    rows = EclipsePrior(prior).sample(features, noise)
    more = noise.clone()
    more[1:] += 1
    assert torch.equal(EclipsePrior(prior).sample(features, more), rows), "noise of later steps is not read"
    one = EclipsePrior(prior).sample(features.rows(torch.tensor([1])), noise[:, 1:])
    assert relative_difference(one[0], rows[1]) < 1e-12 and (rows[0] - rows[1]).abs().max() > 1e-2


def test_mistakes_are_told_in_one_line():
    with pytest.raises(StackError, match="lacks the text tokens or the query token"):
        EclipsePrior(prior_parts()[0])
    features = random_features([5, 7], 16, torch.float32)
    with pytest.raises(ConceptreeError, match=r"\[steps, n, width\] = \[steps, 2, 16\], got \[3, 1, 16\]"):
        EclipsePrior(eclipse_transformer()).sample(features, draw_noise([0], 3, 16))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A stack with the structure of Kandinsky 2.2, and an ECLIPSE prior as published beside it."""
    folder = tmp_path_factory.mktemp("eclipse")
    save_stack(folder / "2.2", family="2.2", length=77, published_eos=True)
    save_eclipse(folder / "eclipse", length=77)
    return folder


def line(folders):
    return "+".join(str(folders / each) for each in ("eclipse", "2.2/prior", "2.2/decoder"))


@pytest.fixture
def eclipse(folders):
    return Backbone.load(line(folders), device="cpu", dtype=torch.float64)


def test_it_takes_the_place_of_the_transformer_in_a_pipeline(folders, eclipse):
    eclipse.check()
    assert (eclipse.one_pass, eclipse.width, eclipse.draws, eclipse.version) == (True, 16, True, "eclipse")
    assert eclipse.prior.time_embedding is None and isinstance(eclipse.cached_prior(5, 4.0), EclipsePrior)
    assert eclipse.cached_prior(5, 4.0) is eclipse.cached_prior(9, 1.0, [3, 4])
    prompts = ["a photo of a dog", "кот 🐈"]
    read = eclipse.tokenizer(prompts, padding="max_length", max_length=77, return_tensors="pt")
    told = eclipse.text_encoder(read.input_ids)
    features = TextFeatures(told.text_embeds, told.last_hidden_state, read.attention_mask.bool())
    noise = draw_noise([3, 8], 5, 16)[0].double()
    plain = published(eclipse.prior, features, noise)
    imagined = eclipse.imagine(prompts, seeds=[3, 8])
    assert torch.allclose(imagined, plain, rtol=0, atol=1e-12)
    assert torch.equal(imagined, eclipse.imagine(prompts, seeds=[3, 8], steps=9, guidance_scale=1.0))
    other = Backbone.load(folders / "2.2", device="cpu", dtype=torch.float64)
    assert not other.one_pass and not torch.allclose(other.imagine(prompts, seeds=[3, 8]), imagined)


def test_a_folder_may_hold_it_inside_its_pipeline(folders, tmp_path, eclipse):
    folder = shutil.copytree(folders / "2.2", tmp_path / "stack")
    shutil.rmtree(folder / "prior" / "prior")
    shutil.copytree(folders / "eclipse", folder / "prior" / "prior", ignore=shutil.ignore_patterns("*.md"))
    inside = Backbone.load(folder, device="cpu", dtype=torch.float64)
    assert inside.one_pass and torch.equal(inside.imagine("a dog", seeds=1), eclipse.imagine("a dog", seeds=1))
    assert inside.fingerprint == eclipse.fingerprint != Backbone.load(folders / "2.2").fingerprint


def test_the_alias_fetches_no_transformer_that_is_not_read(folders, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with pytest.raises(StackError) as error:
        hub.find_stack("kandinsky-2.2-eclipse")
    said = str(error.value)
    assert "\n" not in said and said.count("hf download") == 3 and "--exclude 'prior/*'" in said
    cut = shutil.copytree(folders / "2.2" / "prior", tmp_path / "cut", ignore=shutil.ignore_patterns("diffusion*"))
    for id_, folder, commit in zip(
        (ECLIPSE, PRIOR, DECODER), (folders / "eclipse", cut, folders / "2.2/decoder"), COMMITS, strict=True
    ):
        cache_as_hub(tmp_path / "hub", id_, folder, commit)
    found = Backbone.load("kandinsky-2.2-eclipse", device="cpu", dtype=torch.float64)
    found.check()
    assert found.version == "kandinsky-2.2-eclipse"
    assert found.where == f"{ECLIPSE}@{COMMITS[0]}+{PRIOR}@{COMMITS[1]}+{DECODER}@{COMMITS[2]}"
    again = Backbone.load(found.where, device="cpu", dtype=torch.float64)
    assert torch.equal(found.imagine("a dog", seeds=1), again.imagine("a dog", seeds=1))
    assert found.fingerprint == again.fingerprint == Backbone.load(line(folders)).fingerprint
    assert found.beside == tmp_path / "data/conceptree/stacks" / ECLIPSE.replace("/", "--")
    with pytest.raises(StackError, match=r"prior/\*.safetensors is missing"):
        hub.find_stack(f"{PRIOR}+{DECODER}")


def test_a_stack_line_that_does_not_fit_is_told_in_one_line(folders, tmp_path):
    with pytest.raises(StackError, match=r"is a UNet2DConditionModel: expected a PriorTransformer as the first of"):
        hub.find_stack(f"{folders / '2.2/decoder/unet'}+{folders / '2.2/prior'}+{folders / '2.2/decoder'}")
    save_eclipse(tmp_path / "wide", width=24, length=77)
    with pytest.raises(StackError, match="text encoder's hidden_size is 16, prior's embedding_dim is 24"):
        Backbone.load(line(folders).replace(str(folders / "eclipse"), str(tmp_path / "wide")))
    broken = shutil.copytree(folders / "eclipse", tmp_path / "broken")
    told = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(told | {"num_layers": 3}))
    other = Backbone.load(line(folders).replace(str(folders / "eclipse"), str(broken)), device="cpu")
    with pytest.raises(StackError, match=r"the prior in \S+broken lacks 16 tensors, such as transformer_blocks\.2"):
        _ = other.prior
    with pytest.raises(StackError, match="takes no negative prompt: use the stack with Kandinsky's prior"):
        kandinsky_negation(other, "pet", ["cat"], [1])


def test_a_step_of_learning_equals_the_gradient_through_the_published_pass(folders):
    """With the tokens before the concept read in advance, on whole prompts of the templates."""
    stack = Backbone.load(line(folders), device="cpu", dtype=torch.float64)
    settings = Settings(steps=4, segment=4, learning_rate=1e-3)
    request = Request("dog", negatives=("cat",), schedule="list", settings=settings, seed=3)
    [ours] = ConceptLab(stack).run([request])

    class Published:
        def __init__(self, prior):
            self.prior = prior

        def sample(self, features, noise):
            length = 77 - features.mask.shape[1]
            hidden, mask = F.pad(features.hidden, (0, 0, 0, length)), F.pad(features.mask, (0, length))
            return published(self.prior, TextFeatures(features.embeds, hidden, mask), noise[0].double())

    def make(stack, steps, guidance_scale):
        return Published(stack.prior)

    plain = Backbone.load(line(folders), device="cpu", dtype=torch.float64, make_prior=make)
    [theirs] = ConceptLab(plain).run([request])
    start = stack.word_vector("dog")
    assert (torch.from_numpy(ours.vectors.copy()) - start).abs().max() > 1e-3
    assert abs(ours.vectors - theirs.vectors).max() < 1e-7, "stored in single precision"


def test_it_has_caps_and_floors_of_its_own(folders, tmp_path, monkeypatch, capsys):
    for name in ("eclipse", "2.2"):
        shutil.copytree(folders / name, tmp_path / name)
    shutil.copy(folders / "2.2" / "vocabulary.json", tmp_path / "eclipse")
    where = line(tmp_path)
    stack = Backbone.load(where, device="cpu")
    assert "is not calibrated" in reservation(stack)
    before = stack.fingerprint
    few = calibrate(stack, {"pet": ("dog", "cat", "rabbit")}, members=3, prompts=2, seeds=1)
    assert store(stack, few) == tmp_path / "eclipse" / "calibration.json"
    assert reservation(stack) is None and Backbone.load(where).fingerprint == before
    assert Backbone.load(tmp_path / "2.2").calibration is None
    monkeypatch.setattr("core.calibration.calibrate", lambda stack, constraints: few)
    assert main([where]) == 0 and str(tmp_path / "eclipse" / "calibration.json") in capsys.readouterr().out


def test_parts_that_take_turns_imagine_the_same(folders, monkeypatch):
    plain, taking = Backbone.load(line(folders), "cpu"), Backbone.load(line(folders), "cpu", offload=True)
    embeds = plain.imagine(["a dog", "a cat"], seeds=[1, 2])
    for _ in range(2):
        assert torch.allclose(taking.imagine(["a dog", "a cat"], seeds=[1, 2]), embeds, atol=1e-5)
        taking.rest()
