"""The published step: diffusers' and transformers' modules used plainly, for one concept at a time.

Prompts are padded to the full length, every constraint is encoded again at each step (by the prior's own text tower;
the authors' multilingual one costs more), and gradients flow through all steps of the prior. Only the vector is
trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.shapes import CATEGORY, NEGATIVES
from core.concept import Positive, Request
from core.prompts import TEMPLATES
from core.settings import Settings
from core.stack.backbone import Backbone
from core.stack.prior import draw_noise
from core.stack.text import tokenize
from core.stack.wordbank import WordBank
from core.state import State, initial_state
from core.step import draw
from tests import eclipse


def start(backbone: Backbone, n: int) -> State:
    """n concepts in the middle of learning, at a step that draws the longest of all templates for one of them."""
    settings = Settings(learning_rate=1e-3)
    requests = [
        Request(category=CATEGORY, positives=(Positive(CATEGORY),), negatives=NEGATIVES, settings=settings, seed=seed)
        for seed in range(n)
    ]
    vectors = backbone.word_vector(CATEGORY).float().expand(n, 1, -1)
    state = initial_state(requests, vectors, [NEGATIVES] * n, WordBank(backbone.encode_text, backbone.width))
    longest = length(backbone, TEMPLATES["object"])
    for step in count():
        if length(backbone, [TEMPLATES["object"][draw(request, step).template] for request in requests]) == longest:
            break
    return replace(state, step=(step,) * n)


def length(backbone: Backbone, templates: Sequence[str]) -> int:
    """Tokens of the longest prompt, begin and end included."""
    return tokenize(backbone.tokenizer, [template.format(CATEGORY) for template in templates]).ids.shape[1]


def as_published(backbone: Backbone, state: State) -> Tensor:
    """The vector `[1, d]` of the first concept after one step, with the models' own classes and nothing cached."""
    request, settings = state.requests[0], state.requests[0].chosen
    tokenizer, text_encoder = backbone.tokenizer, backbone.text_encoder
    device, dtype = text_encoder.device, text_encoder.dtype
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
        inputs = inputs.to(device)
        output = text_encoder(inputs.input_ids)
        return SimpleNamespace(
            embeds=output.text_embeds, hidden=output.last_hidden_state, mask=inputs.attention_mask.bool()
        )

    with torch.no_grad():
        words = encode([template.format(word) for word in (CATEGORY, *NEGATIVES)]).embeds
        empty = None if backbone.one_pass else encode([""])
    position = int(tokenize(tokenizer, [template.format("<here>")], {"<here>": 1}).positions)

    def stand(module: Any, inputs: Any, output: Tensor) -> Tensor:
        return torch.cat([output[:, :position], vector[None].to(dtype), output[:, position + 1 :]], dim=1)

    hook = text_encoder.get_input_embeddings().register_forward_hook(stand)
    concept = encode([template.format(CATEGORY)])
    hook.remove()

    imagined = _imagined(backbone, concept, empty, chosen.noise_seed, settings)
    similarity = F.cosine_similarity(imagined.float(), words.float())
    positive, negative = similarity[:1].clamp(max=settings.max_cosine), similarity[1:].clamp(min=settings.min_cosine)
    loss = (negative.mean() + negative.max()) / 2 + settings.lam * (1 - positive.mean())
    loss.backward()
    optimizer.step()
    return vector.detach()


def _imagined(backbone: Backbone, concept: Any, empty: Any, seed: int, settings: Settings) -> Tensor:
    """`[1, width]` what the prior's published pipeline imagines for encoded prompts."""
    if backbone.one_pass:
        noise = draw_noise([seed], 1, backbone.width)[0].to(concept.embeds)
        return eclipse.as_published(backbone.prior, concept.embeds, concept.hidden, concept.mask, noise)
    scheduler = backbone.scheduler
    scheduler.set_timesteps(settings.prior_steps)
    latents = draw_noise([seed], settings.prior_steps, backbone.width)[0].to(concept.embeds)
    generator = torch.Generator().manual_seed(seed)
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
    return backbone.prior.post_process_latents(latents)
