"""The paper's loop written plainly, one concept at a time, as the fast one must equal it.
 diffusers' and transformers' modules as they are, padded to the full length; the constraints encoded afresh
at every step; torch.optim.AdamW on the vectors; Eq. 3, 4 and 5 term by term. Only what chance decides is
taken from core.step.
"""

from __future__ import annotations

from unittest.mock import patch

import torch

from core.prompts import fill
from core.stack.prior import draw_noise
from core.step import draw

STAND_IN = "cherry"  # an ordinary word in whose place the concept's vectors are put


def text_features(backbone, prompt, vectors=None):
    """(text_embeds, last_hidden_state, mask) of one prompt, in which STAND_IN stands where `vectors` [k, d]
    go.
    """
    tokenizer, encoder = backbone.tokenizer, backbone.text_encoder
    inputs = tokenizer(prompt, padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt")
    places = inputs.input_ids == tokenizer.convert_tokens_to_ids(STAND_IN)

    def put(module, args, output):
        return output.index_put(torch.where(places), vectors)

    hook = encoder.get_input_embeddings().register_forward_hook(put) if vectors is not None else None
    output = encoder(inputs.input_ids)
    if hook:
        hook.remove()
    return output.text_embeds, output.last_hidden_state, inputs.attention_mask.bool()


def imagine(backbone, prompt, vectors, seed, steps=5, guidance_scale=4.0):
    """KandinskyV22PriorPipeline for one prompt, with gradients and with the noise passed in: [width]"""
    both = zip(text_features(backbone, ""), text_features(backbone, prompt, vectors), strict=True)
    embeds, hidden, mask = (torch.cat(pair) for pair in both)
    noise = draw_noise([seed], steps, backbone.width).to(embeds)
    draws = iter(noise[1:])
    scheduler = backbone.scheduler
    scheduler.set_timesteps(steps)
    latents = noise[0] * scheduler.init_noise_sigma
    with patch("diffusers.schedulers.scheduling_unclip.randn_tensor", lambda *_, **__: next(draws)):
        for i, t in enumerate(scheduler.timesteps):
            predicted = backbone.prior(
                torch.cat([latents] * 2),
                timestep=t,
                proj_embedding=embeds,
                encoder_hidden_states=hidden,
                attention_mask=mask,
            ).predicted_image_embedding
            without, prompted = predicted.chunk(2)
            guided = without + guidance_scale * (prompted - without)
            previous = scheduler.timesteps[i + 1] if i + 1 < steps else None
            latents = scheduler.step(guided, timestep=t, sample=latents, prev_timestep=previous).prev_sample
    return backbone.prior.post_process_latents(latents)[0]


def similarity(a, b):
    return torch.nn.functional.cosine_similarity(a, b, dim=0)


def loss_of(backbone, request, vectors, step, negatives):
    """The loss of one concept at one step, with the negatives it has by then."""
    settings = request.settings
    chance = draw(request, step)
    template = request.prompts[chance.template]
    stand_ins = " ".join([STAND_IN] * len(vectors))
    if settings.through_prior and (settings.mix_through_prior or not request.parents):
        imagined = imagine(backbone, template.format(stand_ins), vectors, chance.noise_seed, settings.prior_steps)
    else:
        imagined = text_features(backbone, template.format(stand_ins), vectors)[0][0]

    def to_word(word):
        return similarity(imagined, text_features(backbone, fill(template, word))[0][0])

    def share(items):
        return sum(item.weight for item in items if item.weight > 0) if settings.normalise_weights else 1.0

    def term(similarities):
        mean = sum(similarities) / len(similarities)
        return (mean + torch.stack(similarities).max()) / 2 if settings.s_max else mean

    most, least, least_avoided = settings.max_cosine, settings.min_cosine, settings.avoid_floor
    if not settings.clamp:
        most, least, least_avoided = 2.0, -2.0, -2.0
    loss = torch.zeros((), dtype=vectors.dtype)
    for positive in request.positives:
        weight = positive.weight / share(request.positives)
        loss = loss + settings.lam * weight * (1 - to_word(positive.word).clamp(max=most))
    if negatives:
        loss = loss + term([to_word(word).clamp(min=least) for word in negatives])
    if request.avoid:
        embeds = [torch.tensor(avoid.image_embed).to(imagined) for avoid in request.avoid]
        loss = loss + term([similarity(imagined, embed).clamp(min=least_avoided) for embed in embeds])
    if request.parents:
        mix = 0
        floor = least_avoided if settings.mix_through_prior and settings.through_prior else least
        for parent, place in zip(request.parents, chance.images, strict=True):
            image = torch.tensor(parent.image_embeds[place]).to(imagined)
            likeness = similarity(imagined, image)
            if parent.weight < 0:  # ours, not the paper's: a term like Eq. 3's negatives
                likeness = likeness.clamp(min=floor)
            mix = mix + parent.weight / share(request.parents) * likeness
        loss = loss + 1 - mix
    return loss


def learn(backbone, request, steps, negatives_at):
    """The vectors [k, d] after some steps. negatives_at: step → the words that are negatives by then."""
    settings = request.settings
    word = request.initializer or request.category
    ids = backbone.tokenizer(word, add_special_tokens=False).input_ids
    first = backbone.text_encoder.get_input_embeddings().weight[ids].mean(0)
    vectors = torch.nn.Parameter(first.repeat(request.tokens, 1))
    optimizer = torch.optim.AdamW(
        [vectors],
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        eps=settings.eps,
    )
    for step in range(steps):
        optimizer.zero_grad()
        loss_of(backbone, request, vectors, step, negatives_at(step)).backward()
        optimizer.step()
    return vectors.detach()
