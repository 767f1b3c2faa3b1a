"""Readers of other tools open exported concepts, with the commands of docs/embeddings.md."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import KandinskyPriorPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image

from core.exchange import CLIP_G, CLIP_H, CLIP_L, Embedding, read_embedding, readers, suffix, write_embedding
from core.sd_conceptlab import SDConceptLab, image_request
from core.settings import Settings
from core.stack.backbone import Backbone
from core.stack.diffusion import StableDiffusion
from core.stack.text import encode
from evolve import Run, develop
from evolve.operators import Portraits, mate
from tests.diffusion import save_prior_21, save_sd, sdxl_pipeline
from tests.stacks import save_stack
from tests.typed import good

FORMS = ("safetensors", "diffusers", "a1111")
DOCUMENT = Path(__file__).parents[2] / "docs" / "embeddings.md"
PROMPT = "a photo of a <moku> on the beach"


def moku(k: int, width: int) -> Embedding:
    return Embedding("<moku>", 0.5 * np.random.default_rng(k).normal(size=(k, width)))


def written(folder: Path, each: Embedding, form: str = "safetensors") -> Path:
    return write_embedding(folder / f"moku{suffix(form, each.width)}", each, form)


@pytest.fixture(scope="module")
def sd15(tmp_path_factory) -> Path:
    """Stable Diffusion 1.5 with a text encoder of its own width, and little else."""
    return save_sd(tmp_path_factory.mktemp("sd15") / "sd", width=CLIP_L)


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sdxl") / "sdxl"
    sdxl_pipeline().save_pretrained(folder)
    return folder


def loaded(cls, folder):
    pipeline = cls.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


# diffusers: Stable Diffusion 1.5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("k", [1, 3])
def test_stable_diffusion_reads_a_concept_of_kandinsky_21(sd15, backbone, tmp_path, form, k):
    concept = moku(k, CLIP_L)
    pipe = loaded(StableDiffusionPipeline, sd15)
    before, _ = pipe.encode_prompt("a photo of a dog", "cpu", 1, False)
    pipe.load_textual_inversion(written(tmp_path, concept, form))
    found, _ = pipe.encode_prompt(PROMPT, "cpu", 1, False)
    expected = StableDiffusion.load(sd15, backbone).encode_prompts([PROMPT], {"<moku>": torch.tensor(concept.vectors)})
    assert torch.allclose(found, expected, atol=1e-5) and found.shape == (1, 77, CLIP_L)
    other = StableDiffusion.load(sd15, backbone).encode_prompts([PROMPT], {"<moku>": -torch.tensor(concept.vectors)})
    assert not torch.allclose(found, other, atol=1e-1)
    after, _ = pipe.encode_prompt("a photo of a dog", "cpu", 1, False)
    assert torch.equal(before, after), "other prompts are what they were"
    named = pipe.text_encoder.get_input_embeddings().weight[pipe.tokenizer.convert_tokens_to_ids("<moku>")]
    assert torch.equal(named, torch.tensor(concept.vectors[0])), "bit for bit"


def test_what_it_draws_is_the_concept(sd15, backbone, tmp_path):
    concept = moku(2, CLIP_L)
    pipe = loaded(StableDiffusionPipeline, sd15)
    pipe.load_textual_inversion(written(tmp_path, concept))
    [found] = pipe(PROMPT, num_inference_steps=3, generator=[torch.Generator().manual_seed(1)]).images
    stack = StableDiffusion.load(sd15, backbone)
    [expected] = stack.draw([PROMPT], {"<moku>": torch.tensor(concept.vectors)}, seeds=[1], steps=3)
    assert np.abs(np.asarray(found).astype(int) - np.asarray(expected)).max() <= 1
    [plain] = stack.draw(["a photo of a pet on the beach"], seeds=[1], steps=3)
    assert found != plain


@pytest.mark.parametrize(("version", "width"), [(1, CLIP_L), (2, CLIP_H)])
def test_what_stable_diffusion_learned_it_reads(backbone, tmp_path, version, width):
    folder = save_sd(tmp_path / "sd", width=width, version=version)
    stack = StableDiffusion.load(folder, backbone)
    images = {"dog": [Image.new("RGB", (20, 20), "red")], "cat": [Image.new("RGB", (20, 20), "blue")]}
    request = image_request(stack, "pet", images, tokens=2, steps=2, segment=2, prior_steps=2, learning_rate=1e-2)
    [learned] = SDConceptLab(stack).run([request])
    pipe = loaded(StableDiffusionPipeline, folder)
    pipe.load_textual_inversion(written(tmp_path, Embedding("<moku>", learned.vectors)))
    found, _ = pipe.encode_prompt(PROMPT, "cpu", 1, False)
    expected = stack.encode_prompts([PROMPT], {"<moku>": torch.tensor(learned.vectors)})
    assert torch.allclose(found, expected, atol=1e-5)
    assert f"for Stable Diffusion {version}" in readers("safetensors", learned.vectors)


# diffusers: SDXL


def put(encoder, tokenizer, vectors):
    """`prompt → output` of an encoder in which "moku" stands where vectors [k, d] go; no token is added."""

    def forward(prompt):
        prompt = prompt.replace("<moku>", " ".join(["moku"] * len(vectors)))
        ids = tokenizer(prompt, padding="max_length", max_length=77, return_tensors="pt").input_ids
        places = torch.where(ids == tokenizer.convert_tokens_to_ids("moku</w>"))
        hook = encoder.get_input_embeddings().register_forward_hook(lambda m, a, out: out.index_put(places, vectors))
        output = encoder(ids, output_hidden_states=True)
        hook.remove()
        return output

    return forward


@pytest.mark.parametrize("form", ["safetensors", "diffusers"])
@pytest.mark.parametrize("k", [1, 3])
def test_sdxl_reads_a_concept_of_kandinsky_22_with_its_second_encoder(sdxl, tmp_path, form, k):
    concept, pipe = moku(k, CLIP_G), loaded(StableDiffusionXLPipeline, sdxl)
    vectors = torch.tensor(concept.vectors)
    category = "a photo of a pet on the beach"
    expected = put(pipe.text_encoder_2, pipe.tokenizer_2, vectors)(PROMPT)
    ours = encode(pipe.text_encoder_2, pipe.tokenizer_2, [PROMPT], {"<moku>": vectors}).embeds
    first = pipe.text_encoder(
        pipe.tokenizer(category, padding="max_length", max_length=77, return_tensors="pt").input_ids,
        output_hidden_states=True,
    ).hidden_states[-2]

    path = written(tmp_path, concept, form)
    pipe.load_textual_inversion(path, tokenizer=pipe.tokenizer_2, text_encoder=pipe.text_encoder_2)
    asked = dict(prompt=category, prompt_2=PROMPT, do_classifier_free_guidance=False, device="cpu")
    found, _, pooled, _ = pipe.encode_prompt(**asked)
    assert torch.allclose(found[..., CLIP_L:], expected.hidden_states[-2], atol=1e-4), "clip_g: the concept"
    assert torch.equal(found[..., :CLIP_L], first), "clip_l: the prompt with the category"
    # As published (eos_token_id 2) transformers pools at the highest token, which is now the concept's.
    assert not torch.allclose(pooled, ours, atol=1e-2)
    pipe.text_encoder_2.text_model.eos_token_id = pipe.tokenizer_2.eos_token_id
    _, _, pooled, _ = pipe.encode_prompt(**asked)
    assert torch.allclose(pooled, ours, atol=1e-4)


def test_the_form_for_sdxl_has_an_empty_word_for_the_first_encoder(sdxl, tmp_path):
    """`clip_g` and `clip_l` as A1111, ComfyUI and InvokeAI hand them to the encoders, here by diffusers' own reader."""
    from safetensors.torch import load_file

    concept, pipe = moku(2, CLIP_G), loaded(StableDiffusionXLPipeline, sdxl)
    both = load_file(written(tmp_path, concept, "a1111"))
    vectors = torch.tensor(concept.vectors)
    expected = [
        put(encoder, tokenizer, given)(PROMPT).hidden_states[-2]
        for encoder, tokenizer, given in (
            (pipe.text_encoder, pipe.tokenizer, torch.zeros(2, CLIP_L)),
            (pipe.text_encoder_2, pipe.tokenizer_2, vectors),
        )
    ]
    pipe.load_textual_inversion(both["clip_g"], "<moku>", pipe.tokenizer_2, pipe.text_encoder_2)
    pipe.load_textual_inversion(both["clip_l"], "<moku>", pipe.tokenizer, pipe.text_encoder)
    found, *_ = pipe.encode_prompt(PROMPT, do_classifier_free_guidance=False, device="cpu")
    assert torch.allclose(found, torch.cat(expected, -1), atol=1e-4)
    assert "clip_l, which Kandinsky 2.2 does not have, is zeros" in readers("a1111", concept.vectors)


# A published embedding comes in


@pytest.mark.parametrize("k", [1, 2])
def test_a_published_embedding_is_imported_and_bred(tmp_path, k):
    """`learned_embeds.bin` as diffusers' training script writes it: rows of the trained table, the token's name."""
    stack = save_stack(tmp_path / "stack", width=CLIP_L)
    table = torch.nn.Embedding(10, CLIP_L).weight
    rows = [table[3] if k == 1 else table[3 : 3 + k], table[7] if k == 1 else table[7 : 7 + k]]
    for name, learned in zip(("cat-toy", "sloth"), rows, strict=True):
        (tmp_path / name).mkdir()
        torch.save({f"<{name}>": learned.detach().cpu().clone()}, tmp_path / name / "learned_embeds.bin")
    files = [tmp_path / name / "learned_embeds.bin" for name in ("cat-toy", "sloth")]
    where = ("--run", "pets", "--runs", tmp_path / "runs")
    shown = good("import", *files, "--category", "pet", "--model", stack, *where)
    assert f"learned_embeds.bin is cat-toy: pet, {k} vector" in shown

    run, backbone = Run.open(tmp_path / "runs" / "pets"), Backbone.load(stack, device="cpu")
    parents = [each.concept for each in run.individuals()]
    for parent, learned in zip(parents, rows, strict=True):
        assert parent.vectors.tobytes() == learned.detach().numpy().tobytes(), "bit for bit"
    settings = Settings(steps=2, segment=2, prior_steps=2, learning_rate=1e-2)
    request = mate([(parents[0], 0.7), (parents[1], 0.3)], backbone, 1, portraits=Portraits(2, 1), settings=settings)
    [child] = develop([request], backbone, run)
    mean = 0.7 * parents[0].vectors + 0.3 * parents[1].vectors
    assert np.allclose(request.start, mean, atol=1e-6) and not np.array_equal(child.vectors, request.start)
    assert {each.id for each in child.request.parents} == {each.id for each in parents}
    name = Run.open(run.folder).entry(child.id).name
    good("export", "pets", name, "--format", "diffusers", "--to", tmp_path, "--runs", tmp_path / "runs")
    assert read_embedding(tmp_path / f"{name}.bin").vectors.tobytes() == child.vectors.tobytes()


# docs/embeddings.md, as it is typed


def snippets() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def typed(tmp_path, monkeypatch, code: str, **folders: Path) -> dict:
    """Run a snippet where the file lies, with small folders for the published models and two steps of drawing."""
    monkeypatch.chdir(tmp_path)
    for published, folder in folders.items():
        names = re.findall(rf'"[\w-]+/[\w.-]*{published}[\w.-]*"', code)
        assert len(names) == 1
        code = code.replace(names[0], repr(str(folder)))
    # Two steps are enough for what has no trained weights.
    code = code.replace(").images[0]", ", num_inference_steps=2).images[0]")
    made: dict = {}
    exec(code, made)
    return made


def test_every_python_snippet_is_run():
    """The first three here, the fourth in test_image_embeds.py; FLUX is too large for a test."""
    pipelines = ("StableDiffusionPipeline", "StableDiffusionXLPipeline", "PriorPipeline", "load_ip_adapter", "Flux")
    for code, name in zip(snippets(), pipelines, strict=True):
        assert name in code
        compile(code, "embeddings.md", "exec")


def test_the_lines_for_stable_diffusion(sd15, tmp_path, monkeypatch):
    written(tmp_path, moku(1, CLIP_L))
    made = typed(tmp_path, monkeypatch, snippets()[0], diffusion=sd15)
    assert made["image"].size == (16, 16) and "<moku>" in made["pipe"].tokenizer.get_vocab()


def test_the_lines_for_sdxl(sdxl, tmp_path, monkeypatch):
    written(tmp_path, moku(2, CLIP_G))
    made = typed(tmp_path, monkeypatch, snippets()[1], diffusion=sdxl)
    assert made["image"].size == (16, 16)
    pipe = made["pipe"]
    assert "<moku>_1" in pipe.tokenizer_2.get_vocab() and "<moku>" not in pipe.tokenizer.get_vocab()


def test_the_lines_for_the_kandinsky_prior_imagine_the_concept(tmp_path, monkeypatch):
    folder = save_prior_21(tmp_path / "prior")
    concept = moku(1, CLIP_L)
    written(tmp_path, concept)
    torch.manual_seed(5)  # the snippet leaves the seed to chance
    made = typed(tmp_path, monkeypatch, snippets()[2], kandinsky=folder)
    assert isinstance(made["prior"], KandinskyPriorPipeline)
    seeded = made["prior"]("a photo of a sks", num_inference_steps=5, generator=torch.Generator().manual_seed(3))
    backbone = Backbone.load(folder, device="cpu")
    vectors = {"<moku>": torch.tensor(concept.vectors)}
    expected = backbone.imagine("a photo of a <moku>", vectors, seeds=3, steps=5)
    assert torch.allclose(seeded.image_embeds, expected, atol=1e-4)
    assert made["image_embeds"].shape == made["negative_image_embeds"].shape == (1, CLIP_L)
