"""The loop of the authors' code in our own plain words, one concept at a time, as the preset `published` must equal it.

It is written from a description of that code (docs/fidelity.md), on diffusers' and transformers' modules as they are:
rows padded with token 0 to the full length; constraints by the multilingual encoder; both rows of the prior pooled at
the end of the prompt; drawings pooled at the placeholder. Only what chance decides is taken from core.step.
"""

from __future__ import annotations

from unittest.mock import patch

import torch

from core.prompts import fill
from core.stack.prior import draw_noise
from core.step import draw
from core.streams import stream

CAP, FLOOR, STYLE_FLOOR = 0.28, 0.2, 0.15
QUESTION_SEED = 42
SHOWN = {
    "object": "Professional high-quality art of a {}. photorealistic, 4k, HQ",
    "style": "a painting of a horse and a barn in a valley in the style of {}",
}
PLACE = "{}"


def padded(backbone, prompt):
    """(ids [1, length], mask [1, length], position of the end token, position of the concept or None)"""
    tokenizer = backbone.tokenizer
    before, _, after = prompt.partition(PLACE)
    begin, end = tokenizer("").input_ids
    ids = [begin, *tokenizer(before, add_special_tokens=False).input_ids]
    place = len(ids) if PLACE in prompt else None
    ids += [0] if place else []
    ids += tokenizer(after, add_special_tokens=False).input_ids
    rest = tokenizer.model_max_length - len(ids) - 1
    mask = [True] * (len(ids) + 1) + [False] * rest
    return torch.tensor([[*ids, end, *[0] * rest]]), torch.tensor([mask]), len(ids), place


def hidden_states(backbone, ids, place, vector):
    """[1, length, width] of the text tower, with `vector` at `place`."""

    def put(module, args, output):
        return (
            output
            if place is None
            else torch.cat([output[:, :place], vector.view(1, 1, -1), output[:, place + 1 :]], 1)
        )

    hook = backbone.text_encoder.get_input_embeddings().register_forward_hook(put)
    hidden = backbone.text_encoder.text_model(ids).last_hidden_state
    hook.remove()
    return hidden


def embed(backbone, prompt, vector, seed, drawing=False):
    """(text embedding of the prompt, that of the row without prompt, image embedding), [width] each."""
    ids, mask, end, place = padded(backbone, prompt)
    none, no_mask, no_end, _ = padded(backbone, "")
    hidden, without = hidden_states(backbone, ids, place, vector), hidden_states(backbone, none, None, None)
    project = backbone.text_encoder.text_projection
    # While learning, one position serves both rows; while drawing, each row has that of its highest token id.
    text, empty = (hidden[0, place], without[0, no_end]) if drawing else (hidden[0, end], without[0, end])
    text, empty = project(text), project(empty)
    steps, scale, scheduler = 5, 4.0, backbone.scheduler
    noise = draw_noise([seed], steps, backbone.width).to(text)
    draws = iter(noise[1:])
    scheduler.set_timesteps(steps)
    latents = noise[0]
    with patch("diffusers.schedulers.scheduling_unclip.randn_tensor", lambda *_, **__: next(draws)):
        for i, t in enumerate(scheduler.timesteps):
            with_prompt, without_prompt = backbone.prior(
                torch.cat([latents] * 2),
                timestep=t,
                proj_embedding=torch.stack([text, empty]),
                encoder_hidden_states=torch.cat([hidden, without]),
                attention_mask=torch.cat([mask, no_mask]),
            ).predicted_image_embedding
            guided = without_prompt + scale * (with_prompt - without_prompt)
            previous = scheduler.timesteps[i + 1] if i + 1 < steps else None
            latents = scheduler.step(guided[None], timestep=t, sample=latents, prev_timestep=previous).prev_sample
    return text, empty, backbone.prior.post_process_latents(latents)[0]


def unit(x):
    return x / x.norm()


def loss_of(backbone, request, vector, step, negatives):
    """Eq. 3 with 4 for a concept of words; for a child, their Eq. 5 with its mistake."""
    chance = draw(request, step)
    template = request.prompts[chance.template]
    text, empty, imagined = embed(backbone, template, vector, chance.noise_seed)
    if request.parents:
        loss = torch.ones((), dtype=vector.dtype)
        for parent, place in zip(request.parents, chance.images, strict=True):
            image = unit(torch.tensor(parent.image_embeds[place]).to(vector))
            loss = loss - parent.weight * (image @ unit(text) + image @ unit(empty)) / 2
        return loss

    if not request.settings.through_prior:
        imagined = text

    def similarities(words):
        encoded = backbone.encode_multilingual([fill(template, word) for word in words])
        return torch.stack([unit(each) @ unit(imagined) for each in encoded])

    toward = similarities([positive.word for positive in request.positives]).clamp(max=CAP)
    loss = sum(p.weight * (1 - value) for p, value in zip(request.positives, toward, strict=True))
    if negatives:
        away = similarities(negatives).clamp(min=STYLE_FLOOR if request.kind == "style" else FLOOR)
        loss = loss + (away.mean() + away.max()) / 2
    return loss


def question_drawing(backbone, vector, kind="object"):
    """The picture that BLIP-2 is asked about."""
    imagined = embed(backbone, SHOWN[kind], vector, QUESTION_SEED, drawing=True)[2]
    return backbone.draw(imagined, seeds=QUESTION_SEED)[0]


def learn(backbone, request, steps, segment, ask):
    """(the vector [d], the negatives). ask: a picture → the name of what it shows."""
    tokens = backbone.tokenizer(request.category, add_special_tokens=False).input_ids
    vector = torch.nn.Parameter(backbone.text_encoder.get_input_embeddings().weight[tokens[0]].clone())
    optimizer = torch.optim.AdamW([vector], lr=request.settings.learning_rate, weight_decay=1e-2)
    given = list(request.negatives)
    pool = [given[i] for i in stream(request.seed, 0, "pool").permutation(len(given))]
    negatives = [] if request.schedule == "gradual" else given
    for step in range(steps):
        if step % segment == 0 and request.schedule == "adaptive" and (step or not request.negatives):
            with torch.no_grad():
                picture = question_drawing(backbone, vector, request.kind)
            negatives.append(ask(picture).removeprefix("a "))
        if step % segment == 0 and request.schedule == "gradual" and pool:
            negatives.append(pool.pop(0))
        optimizer.zero_grad()
        loss_of(backbone, request, vector, step, negatives).backward()
        optimizer.step()
    return vector.detach(), negatives
