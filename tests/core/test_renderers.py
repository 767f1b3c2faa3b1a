"""Each renderer draws what diffusers' own pipeline draws from the same folder, embedding, text and seed."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import (
    FluxPipeline,
    StableDiffusionXLPipeline,
    StableUnCLIPImg2ImgPipeline,
    UnCLIPImageVariationPipeline,
)
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPVisionModelWithProjection

import core.stack.offload
from core.errors import StackError
from core.renderers import Look, Rendered, RenderError, complete
from core.renderers.opening import RENDERERS, check_width, open_renderer, render
from core.stack import hub
from core.stack.hub import download_command
from tests.decoders import adapter_of, quiet, save_decoder
from tests.stacks import cache_as_hub, karlo_pipeline, liven, vision

WIDTH = 24
TEXT = "a photo of a dog in the snow"
WITH_TEXT = ("sdxl", "unclip-small", "flux")
WITH_SCALE = ("sdxl", "flux")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The decoder of each renderer, by name."""
    place = tmp_path_factory.mktemp("decoders")
    return {name: save_decoder(name, place / name, WIDTH) for name in RENDERERS}


def opened(folders, name, **options):
    adapter = adapter_of(folders[name])
    return open_renderer(str(folders[name]), "cpu", adapter=adapter if adapter.is_file() else None, **options)


def look_of(name, **look):
    return Look(**{"steps": 2, **({} if name == "karlo" else {"size": 16}), **look})


def embeds(n=2):
    return torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(0))


def drawn(renderer, image_embeds, seeds, look):
    looks = [complete(renderer, look)] * len(seeds)
    return [np.asarray(picture) for picture in render(renderer, image_embeds, seeds, looks)]


def differ(one, other):
    return int(np.abs(np.int16(one) - np.int16(other)).max())


def plain_sdxl(folder, embed, seed, look):
    pipeline = quiet(StableDiffusionXLPipeline.from_pretrained(folder))
    adapter = adapter_of(folder)
    pipeline.load_ip_adapter(str(adapter.parent), subfolder="", weight_name=adapter.name, image_encoder_folder=None)
    pipeline.set_ip_adapter_scale(look.scale)
    guided = look.guidance_scale > 1
    rows = torch.stack([torch.zeros_like(embed), embed]) if guided else embed[None]
    return pipeline(look.text, ip_adapter_image_embeds=[rows], **common(seed, look)).images[0]


def plain_karlo(folder, embed, seed, look):
    parts = {
        name: part
        for name, part in karlo_pipeline(WIDTH).components.items()
        if name not in ("prior", "prior_scheduler")
    }
    encoder = liven(CLIPVisionModelWithProjection(vision(WIDTH)), 3)
    pipeline = quiet(UnCLIPImageVariationPipeline(**parts, image_encoder=encoder, feature_extractor=None))
    return pipeline(
        image_embeddings=embed,
        decoder_num_inference_steps=look.steps,
        decoder_guidance_scale=look.guidance_scale,
        generator=torch.Generator().manual_seed(seed),
    ).images[0]


def plain_unclip(folder, embed, seed, look):
    pipeline = quiet(StableUnCLIPImg2ImgPipeline.from_pretrained(folder, feature_extractor=None))
    return pipeline(prompt=look.text, image_embeds=embed, **common(seed, look)).images[0]


def plain_flux(folder, embed, seed, look):
    pipeline = quiet(FluxPipeline.from_pretrained(folder))
    adapter = adapter_of(folder)
    pipeline.load_ip_adapter(
        str(adapter.parent), weight_name=adapter.name, image_encoder_pretrained_model_name_or_path=None
    )
    pipeline.set_ip_adapter_scale(look.scale)
    negative = [torch.zeros_like(embed[None])]
    rows = {"ip_adapter_image_embeds": [embed[None]], "negative_ip_adapter_image_embeds": negative}
    return pipeline(look.text, **rows, **common(seed, look)).images[0]


def common(seed, look):
    return dict(
        num_inference_steps=look.steps,
        guidance_scale=look.guidance_scale,
        height=look.size,
        width=look.size,
        generator=torch.Generator().manual_seed(seed),
    )


PLAIN = {"sdxl": plain_sdxl, "karlo": plain_karlo, "unclip-small": plain_unclip, "flux": plain_flux}


@pytest.mark.parametrize("guidance", [None, 1.0])
@pytest.mark.parametrize("name", RENDERERS)
def test_it_draws_what_its_pipeline_draws(folders, name, guidance):
    renderer = opened(folders, name)
    text = {"text": TEXT} if name in WITH_TEXT else {}
    look = complete(renderer, look_of(name, guidance_scale=guidance, **text))
    ours = drawn(renderer, embeds(), [3, 4], look)
    plain = [PLAIN[name](folders[name], embeds()[n : n + 1], seed, look) for n, seed in enumerate((3, 4))]
    for one, other in zip(ours, plain, strict=True):
        assert differ(one, np.asarray(other)) <= 1, "the parts are loaded apart: the last bit may round otherwise"
    assert differ(*ours) > 2 and np.ptp(ours[0]) > 2


@pytest.mark.parametrize("name", RENDERERS)
def test_concept_and_seed_matter_and_the_same_gives_the_same(folders, name):
    renderer = opened(folders, name)
    one, other, again = drawn(renderer, embeds()[[0, 1, 0]], [3, 3, 3], look_of(name))
    (reseeded,) = drawn(renderer, embeds(1), [4], look_of(name))
    assert differ(one, other) > 0 and differ(one, reseeded) > 0 and differ(one, again) == 0


@pytest.mark.parametrize("name", WITH_TEXT)
def test_the_text_beside_the_concept_matters(folders, name):
    renderer = opened(folders, name)
    (one,), (other,) = (drawn(renderer, embeds(1), [3], look_of(name, text=text)) for text in (TEXT, "a red chair"))
    assert differ(one, other) > 0


@pytest.mark.parametrize("name", WITH_SCALE)
def test_the_scale_says_how_much_the_concept_counts(folders, name):
    renderer = opened(folders, name)
    (plain,), (also,) = (drawn(renderer, embeds()[n : n + 1], [3], look_of(name, scale=0.0)) for n in (0, 1))
    assert differ(plain, also) == 0, "with a scale of 0 the text alone counts"
    (some,) = drawn(renderer, embeds(1), [3], look_of(name, scale=1.0))
    assert differ(plain, some) > 0


@pytest.mark.parametrize("name", RENDERERS)
def test_parts_that_read_and_parts_that_draw_take_turns(folders, name, monkeypatch):
    """The device is the CPU here, and what is moved is counted."""
    journeys = []
    monkeypatch.setattr(core.stack.offload, "moved", lambda home, device: journeys.append(home) or home.clone())
    plain = drawn(opened(folders, name), embeds(), [1, 2], look_of(name))
    assert not journeys
    taking = opened(folders, name, offload=True)
    for one, other in zip(drawn(taking, embeds(), [1, 2], look_of(name)), plain, strict=True):
        assert differ(one, other) <= 1
    once = len(journeys)
    modules = [*vars(taking)["pipeline"].components.values()]
    modules += [*vars(taking)["reader"].components.values()] if "reader" in vars(taking) else []
    tensors = sum(len([*m.parameters(), *m.buffers()]) for m in modules if isinstance(m, torch.nn.Module))
    assert 0 < once <= tensors, "the text was read once for both pictures"
    assert taking.turns is not None and taking.turns.present is None
    if name in WITH_TEXT:
        assert vars(taking)["pipeline"].text_encoder is None


@pytest.mark.parametrize("name", RENDERERS)
def test_half_precision(folders, name):
    renderer = opened(folders, name, dtype="bfloat16")
    (picture,) = drawn(renderer, embeds(1), [3], look_of(name))
    (full,) = drawn(opened(folders, name), embeds(1), [3], look_of(name))
    assert picture.shape == full.shape and np.isfinite(picture).all()


@pytest.mark.parametrize("name", RENDERERS)
def test_a_width_that_does_not_fit_is_one_line(folders, name):
    renderer = opened(folders, name)
    assert renderer.width == WIDTH
    with pytest.raises(RenderError) as error:
        check_width(renderer, 192, "emoji-3")
    assert str(error.value) == (
        f"the decoder {name} reads image embeddings 24 wide, of {renderer.reads}, and the stack emoji-3 imagines them"
        " 192 wide: choose another decoder, or a stack with that image encoder"
    )


def test_what_a_decoder_has_not_or_cannot_take_is_one_line(folders):
    karlo, sdxl = opened(folders, "karlo"), opened(folders, "sdxl")
    for look, said in (
        (Look(text="a dog"), "the decoder karlo has no --text: leave it out"),
        (Look(scale=0.5), "the decoder karlo has no --scale"),
        (Look(size=512), "the decoder karlo has no --size"),
        (Look(steps=1), "steps = 1: the decoder karlo takes 2 or more"),
    ):
        with pytest.raises(RenderError, match=said):
            complete(karlo, look)
    with pytest.raises(RenderError, match="size = 100: the decoder sdxl takes multiples of 8"):
        complete(sdxl, Look(size=100))
    assert complete(sdxl, Look()) == Look("{}", 0.8, 30, 5.0, 16), "the size that its UNet was trained with"
    for wrong, said in (
        ({"scale": 3.0}, r"scale = 3.0: expected 0.0 to 2.0"),
        ({"steps": 0}, "steps = 0: expected 1 to 1000"),
        ({"steps": 2.5}, "steps = 2.5: expected a whole number"),
        ({"guidance_scale": float("nan")}, "guidance_scale = nan: expected 0.0 to 50.0"),
        ({"text": "a" * 501}, "has 501 characters: at most 500"),
    ):
        with pytest.raises(RenderError, match=said):
            Look(**wrong)


def test_what_is_no_decoder_is_one_line(folders, tmp_path):
    for name, said in (
        ("sdlx", "there is no decoder 'sdlx': did you mean sdxl"),
        ("", "choose sdxl, karlo, unclip-small, flux, a folder, or ORG/NAME"),
        (str(tmp_path), "model_index.json is missing"),
    ):
        with pytest.raises((RenderError, StackError), match=said):
            open_renderer(name, "cpu", fetch=False)
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "KandinskyV22Pipeline"}))
    with pytest.raises(StackError, match="is a KandinskyV22Pipeline: expected a StableDiffusionXLPipeline or a"):
        open_renderer(str(tmp_path), "cpu")
    cut = shutil.copytree(folders["sdxl"], tmp_path / "cut")
    (cut / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(StackError, match=r"is not whole: unet/\*.safetensors is missing"):
        open_renderer(str(cut), "cpu", adapter=adapter_of(folders["sdxl"]))


def test_weights_that_lack_tensors_are_not_filled_at_random(folders, tmp_path):
    cut = shutil.copytree(folders["karlo"], tmp_path / "cut")
    file = cut / "decoder" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["conv_in.weight"]
    save_file(weights, file)
    with pytest.raises(StackError, match=r"the decoder in \S+ lacks 1 tensor, such as conv_in.weight"):
        drawn(open_renderer(str(cut), "cpu"), embeds(1), [1], look_of("karlo"))


def test_adapters_that_do_not_fit_are_one_line(folders, tmp_path):
    sdxl, adapter = str(folders["sdxl"]), adapter_of(folders["sdxl"])
    with pytest.raises(RenderError, match="the decoder karlo takes no IP-Adapter: leave --adapter out"):
        open_renderer(str(folders["karlo"]), "cpu", adapter=adapter)
    with pytest.raises(RenderError, match=r"there is no file 'nowhere.safetensors' of an IP-Adapter"):
        open_renderer(sdxl, "cpu", adapter="nowhere.safetensors")
    plus = tmp_path / "plus.safetensors"
    save_file({"image_proj.latents": torch.zeros(1, 16, 8), "ip_adapter.1.to_k_ip.weight": torch.zeros(2, 2)}, plus)
    with pytest.raises(StackError, match=r"is no IP-Adapter of image embeddings .* 'plus' and FaceID adapters"):
        open_renderer(sdxl, "cpu", adapter=plus)
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(adapter.read_bytes()[:-10])
    with pytest.raises(StackError, match=r"torn.safetensors' cannot be read \(.*fetch it again"):
        open_renderer(sdxl, "cpu", adapter=torn)
    other = adapter_of(folders["flux"])
    with pytest.raises(StackError, match="does not fit the decoder"):
        drawn(open_renderer(sdxl, "cpu", adapter=other), embeds(1), [1], look_of("sdxl"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def test_a_name_is_a_published_repository_of_which_only_what_is_read_is_fetched(folders, cache):
    with pytest.raises(StackError) as error:
        open_renderer("sdxl", "cpu")
    base = RENDERERS["sdxl"].default
    parts = [f"{part}/*" for part in RENDERERS["sdxl"].kinds["StableDiffusionXLPipeline"]]
    command = download_command(base, only=("model_index.json", *parts))
    assert command in str(error.value) and "--include 'unet/*'" in command
    snapshot = cache_as_hub(cache, base, folders["sdxl"])
    for part in ("vae", "unet"):
        for file in (snapshot / part).iterdir():
            file.unlink()
    with pytest.raises(StackError) as error:
        open_renderer("sdxl", "cpu")
    said = str(error.value)
    assert said.startswith(f"only a part of {base} is in the cache (unet has no configuration), and no more can")
    assert said.endswith(command) and "--exclude '*.fp16.*' --exclude '*.bin'" in said and "\n" not in said
    with pytest.raises(StackError, match=r"hf download some/pipeline --include model_index.json$"):
        open_renderer("some/pipeline", "cpu")
    cache_as_hub(cache, "some/sdxl", folders["sdxl"])
    with pytest.raises(StackError, match=r"hf download h94/IP-Adapter --include sdxl_models/ip-adapter_sdxl\S+$"):
        open_renderer("some/sdxl", "cpu")


def test_the_published_adapter_is_one_file_of_its_repository(folders, cache, tmp_path):
    cache_as_hub(cache, "some/sdxl", folders["sdxl"])
    repository, name = RENDERERS["sdxl"].adapter
    place = tmp_path / "h94" / name
    place.parent.mkdir(parents=True)
    shutil.copy(adapter_of(folders["sdxl"]), place)
    cache_as_hub(cache, repository, tmp_path / "h94")
    renderer = open_renderer("some/sdxl", "cpu")
    commit = "c0ffee" + "0" * 34
    assert (renderer.where, renderer.adapter_where) == (f"some/sdxl@{commit}", f"{repository}@{commit}")
    assert [picture.shape for picture in drawn(renderer, embeds(1), [1], look_of("sdxl"))] == [(16, 16, 3)]


def test_karlo_s_commit_is_pinned_and_its_prior_is_not_needed(folders, cache, tmp_path):
    cut = shutil.copytree(folders["karlo"], tmp_path / "cut", ignore=shutil.ignore_patterns("prior", "prior_scheduler"))
    id_ = RENDERERS["karlo"].default
    cache_as_hub(cache, id_, cut, hub.COMMITS[id_], ref="pinned")
    assert open_renderer("karlo", "cpu").where == f"{id_}@{hub.COMMITS[id_]}"


def test_each_renderer_has_the_name_that_it_is_found_by():
    assert [each.name for each in RENDERERS.values()] == list(RENDERERS)


def test_how_a_drawing_was_made_survives_as_json():
    made = Rendered("sdxl", "some/sdxl@c0ffee", "h94/IP-Adapter@c0ffee", Look("a pet", 0.8, 30, 5.0, 1024))
    assert Rendered.of(json.loads(made.to_json())) == made
    assert made.brief == "sdxl, text a pet, scale 0.8, steps 30, guidance 5.0, size 1024"
    home = Rendered("sdxl", "/stacks/my-sdxl", "/stacks/ip.safetensors")
    assert (home.shared.where, home.shared.adapter) == ("my-sdxl", "ip.safetensors") and made.shared == made
    plain = Rendered("karlo", "some/karlo", look=Look(steps=25, guidance_scale=8.0))
    assert Rendered.of(json.loads(plain.to_json())) == plain and "scale" not in json.loads(plain.to_json())
    for wrong in (
        [],
        {"decoder": "sdxl"},
        {"decoder": "sdxl", "where": 3},
        {"decoder": "sdxl", "where": "a\nb"},
        {"decoder": "sdxl", "where": "a", "text": 3},
        {"decoder": "sdxl", "where": "a", "steps": True},
        {"decoder": "sdxl", "where": "a", "scale": "high"},
    ):
        with pytest.raises(RenderError):
            Rendered.of(wrong)


def test_pictures_are_made_one_at_a_time(folders):
    renderer = opened(folders, "karlo")
    pictures = render(renderer, embeds(), [1, 2], [complete(renderer, look_of("karlo"))] * 2)
    assert "pipeline" not in vars(renderer) and isinstance(next(pictures), Image.Image)
