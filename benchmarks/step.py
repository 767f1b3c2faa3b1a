"""One step of the optimizer as published against ours, as ratios measured in one run: `python -m benchmarks.step`.

As published: diffusers' and transformers' modules used plainly, one concept at a time, prompts padded to the full
length, every constraint encoded afresh, gradients through all steps of the prior. Only the vector is trained in both.
Both do the same step from the same state, and the vectors that they end with are compared.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import PriorTransformer, UnCLIPScheduler
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from core.backbone import EMOJI, Backbone
from core.concept import Positive, Request
from core.emoji.tokenizer import word_tokenizer
from core.errors import ConceptreeError
from core.prior import draw_noise
from core.prompts import TEMPLATES
from core.settings import Settings
from core.state import State, initial_state
from core.step import draw, make_step
from core.text import tokenize
from core.wordbank import WordBank

NEGATIVES = ("dog", "cat", "rabbit", "hamster")


def kandinsky_21() -> Backbone:
    """A stack with the shape of Kandinsky 2.1's prior and text tower (1.1 billion weights), at random."""
    width, length = 768, 77
    words = " ".join([*TEMPLATES["object"], "pet", *NEGATIVES]).replace("{}", "")
    tokenizer = word_tokenizer(words.split(), length)
    text = CLIPTextConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=12,
        num_attention_heads=12,
        eos_token_id=tokenizer.eos_token_id,
    )
    shape = {"num_layers": 20, "num_attention_heads": 32, "attention_head_dim": 64, "embedding_dim": width}
    with tempfile.TemporaryDirectory() as folder:
        # Only configs are written: the models below take the places that they would be loaded into.
        for part, config in {"text_encoder": text.to_dict(), "prior": shape, "": {}}.items():
            (Path(folder) / part).mkdir(exist_ok=True)
            (Path(folder) / part / ("config.json" if part else "model_index.json")).write_text(json.dumps(config))
        backbone = Backbone.load(folder, device="cpu")
    prior = PriorTransformer(**shape, num_embeddings=length, additional_embeddings=4)
    with torch.no_grad():
        prior.clip_std.fill_(1)
        for parameter in (prior.positional_embedding, prior.prd_embedding):
            parameter.normal_(std=0.02)
    models = {"prior": prior, "text_encoder": CLIPTextModelWithProjection(text)}
    for name, model in models.items():
        setattr(backbone, name, model.eval().requires_grad_(False))
    backbone.tokenizer = tokenizer
    backbone.scheduler = UnCLIPScheduler(
        variance_type="fixed_small_log", prediction_type="sample", clip_sample_range=10.0
    )
    return backbone


def start(backbone: Backbone, n: int) -> State:
    """n concepts in the middle of learning, at a step that draws the longest of all templates for one of them."""
    settings = Settings(learning_rate=1e-3)
    requests = [
        Request(category="pet", positives=(Positive("pet"),), negatives=NEGATIVES, settings=settings, seed=seed)
        for seed in range(n)
    ]
    vectors = backbone.word_vector("pet").expand(n, 1, -1)
    state = initial_state(requests, vectors, [NEGATIVES] * n, WordBank(backbone.encode_text, backbone.width))
    longest = length(backbone, TEMPLATES["object"])
    for step in count():
        if length(backbone, [TEMPLATES["object"][draw(request, step).template] for request in requests]) == longest:
            break
    return replace(state, step=(step,) * n)


def length(backbone: Backbone, templates: Sequence[str]) -> int:
    """Tokens of the longest prompt, begin and end included."""
    return tokenize(backbone.tokenizer, [template.format("pet") for template in templates]).ids.shape[1]


def as_published(backbone: Backbone, state: State) -> Tensor:
    """The vector `[1, d]` of the first concept after one step, with the models' own classes and nothing cached."""
    request, settings = state.requests[0], state.requests[0].chosen
    tokenizer, text_encoder = backbone.tokenizer, backbone.text_encoder
    chosen = draw(request, state.step[0])
    template = TEMPLATES[request.kind][chosen.template]
    vector = state.vectors[0].clone().requires_grad_()
    optimizer = torch.optim.AdamW([vector], settings.learning_rate, settings.betas, settings.eps, settings.weight_decay)
    moments = {"exp_avg": state.exp_avg[0].clone(), "exp_avg_sq": state.exp_avg_sq[0].clone()}
    optimizer.state[vector] = {"step": torch.tensor(float(state.step[0])), **moments}

    def encode(prompts: Sequence[str]) -> Any:
        inputs = tokenizer(
            list(prompts), padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt"
        )
        output = text_encoder(inputs.input_ids)
        return SimpleNamespace(
            embeds=output.text_embeds, hidden=output.last_hidden_state, mask=inputs.attention_mask.bool()
        )

    with torch.no_grad():
        words = encode([template.format(word) for word in ("pet", *NEGATIVES)]).embeds
        empty = encode([""])
    position = int(tokenize(tokenizer, [template.format("<here>")], {"<here>": 1}).positions)

    def stand(module: Any, inputs: Any, output: Tensor) -> Tensor:
        return torch.cat([output[:, :position], vector[None], output[:, position + 1 :]], dim=1)

    hook = text_encoder.get_input_embeddings().register_forward_hook(stand)
    concept = encode([template.format("pet")])
    hook.remove()

    scheduler = backbone.scheduler
    scheduler.set_timesteps(settings.prior_steps)
    latents = draw_noise([chosen.noise_seed], settings.prior_steps, backbone.width)[0]
    generator = torch.Generator().manual_seed(chosen.noise_seed)
    torch.randn(1, backbone.width, generator=generator)
    for i, t in enumerate(scheduler.timesteps):
        predicted = backbone.prior(
            torch.cat([latents] * 2),
            timestep=t,
            proj_embedding=torch.cat([empty.embeds, concept.embeds]),
            encoder_hidden_states=torch.cat([empty.hidden, concept.hidden]),
            attention_mask=torch.cat([empty.mask, concept.mask]),
        ).predicted_image_embedding
        without, prompted = predicted.chunk(2)
        predicted = without + settings.guidance_scale * (prompted - without)
        previous = scheduler.timesteps[i + 1] if i + 1 < settings.prior_steps else None
        latents = scheduler.step(predicted, t, latents, previous, generator).prev_sample
    imagined = backbone.prior.post_process_latents(latents)

    similarity = F.cosine_similarity(imagined, words)
    positive, negative = similarity[:1].clamp(max=settings.max_cosine), similarity[1:].clamp(min=settings.min_cosine)
    loss = (negative.mean() + negative.max()) / 2 + settings.lam * (1 - positive.mean())
    loss.backward()
    optimizer.step()
    return vector.detach()


def seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def compare(name: str, backbone: Backbone, batches: Sequence[int], repeats: int) -> None:
    """Measure one stack and print its ratios. The runs take turns, so that a slow moment of the machine hits all."""
    states = {n: start(backbone, n) for n in batches}
    step = make_step(backbone, next(iter(states.values())).requests[0].chosen)
    first = states[batches[0]]
    ours, _ = step(first)
    plain = as_published(backbone, first)
    moved = (plain - first.vectors[0]).norm()
    tokens = length(backbone, TEMPLATES["object"])
    print(f"\n{name}: prior {_shape(backbone)}, prompts of {tokens} tokens, 5 steps, guidance 4, 1 + 4 constraints")
    print(f"  the two steps differ by {(ours.vectors[0] - plain).norm() / moved:.1e} of how far the vector moves")
    taken: dict[int, list[float]] = {n: [] for n in (0, *batches)}
    for _ in range(repeats):
        taken[0].append(seconds(lambda: as_published(backbone, first)))
        for n, state in states.items():
            taken[n].append(seconds(lambda state=state: step(state)) / n)
    published = median(taken[0])
    print(f"  as published, batch 1    {published:8.3f} s a concept and step")
    for n in batches:
        print(
            f"  ours, batch {n:<3}          {median(taken[n]):8.3f} s   {published / median(taken[n]):6.1f} times less"
        )


def _shape(backbone: Backbone) -> str:
    config = backbone.prior.config
    return f"{config.num_layers} layers × {config.num_attention_heads * config.attention_head_dim}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=__doc__)
    parser.add_argument("--stack", default="all", help="emoji, kandinsky-2.1 (random weights), a folder, or all")
    parser.add_argument("--batches", default="1,8,16", help="how many concepts learn side by side")
    parser.add_argument("--repeats", type=int, help="how often each is run; the median counts")
    options = parser.parse_args(arguments)
    batches = [int(n) for n in options.batches.split(",")]
    print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}, float32")
    for stack in ("emoji", "kandinsky-2.1") if options.stack == "all" else (options.stack,):
        if stack == "kandinsky-2.1":
            compare("shaped like Kandinsky 2.1", kandinsky_21(), batches, options.repeats or 2)
        elif stack == "emoji" and not EMOJI.is_dir():
            print("\nemoji: the embedded stack is not there yet; make train-emoji builds it")
        else:
            try:
                compare(stack, Backbone.load(stack, device="cpu"), batches, options.repeats or 10)
            except ConceptreeError as error:
                parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
