"""The paper's baselines (arXiv 2308.02669 §5.2): negative prompts instead of learning.

    prompt             A photo of a pet
    negative prompt    A photo of a cat, dog

For Kandinsky the diffusion prior has the negative prompt; the decoder's negative is the embedding of an empty image, as
for any picture. For Stable Diffusion 2 the sampler has it. Without Stable Diffusion, `decoder_negation` stands in: only
the decoder has the negative. The paper draws 160 pictures for each pair of negatives, as many as for ConceptLab's five
concepts.

`adaptive_negation` is a later method without learning (arXiv 2510.10715): a question answerer looks at what appears
while a picture is denoised, and the negative prompt grows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL.Image import Image
from torch import Tensor

from core.concept import RequestError, checked_word
from core.errors import PromptError, StackError
from core.metrics import PANEL_GUIDANCE, PANEL_STEPS
from core.negatives import Namer, first_answer, same_thing, says_again, says_nothing
from core.prompts import question
from core.stack import text
from core.stack.backbone import Backbone
from core.stack.decoder import Watch
from core.stack.diffusion import DRAWING_STEPS, GUIDANCE_SCALE, StableDiffusion
from core.stack.prior import CachedPrior, draw_noise
from core.stack.protocols import Learns

PROMPT = "A photo of a {}"
_ROWS_AT_ONCE = 64


def negation(positive: str, negatives: Sequence[str]) -> tuple[str, str]:
    """(prompt, negative prompt) in the paper's wording: "A photo of a pet", "A photo of a cat, dog".

    Raises:
        RequestError: no negatives, or a word that cannot stand in a prompt.
    """
    if isinstance(negatives, str) or not negatives:
        raise RequestError(f"negatives = {negatives!r}: expected a list with one word at least")
    words = [checked_word(word, "negative") for word in negatives]
    return PROMPT.format(checked_word(positive, "positive")), PROMPT.format(", ".join(words))


@torch.no_grad()
def imagine_with_negation(
    stack: Backbone,
    positive: str,
    negatives: Sequence[str],
    seeds: Sequence[int],
    *,
    steps: int = PANEL_STEPS,
    guidance_scale: float = PANEL_GUIDANCE,
) -> Tensor:
    """`[n, width]` image embeddings of the Kandinsky baseline, one for each seed.

    Equal to what the prior's pipeline gives for this prompt and `negative_prompt`; steps and guidance are those of
    concepts' drawings.
    """
    prompt, negative = negation(positive, negatives)
    _check_words(stack, positive, negatives)
    if stack.one_pass:
        raise StackError(f"the prior of {stack.version} takes no negative prompt: use the stack with Kandinsky's prior")
    features = text.encode(stack.text_encoder, stack.tokenizer, [prompt])
    unlike = text.encode(stack.text_encoder, stack.tokenizer, [negative])
    prior = CachedPrior(stack.prior, stack.scheduler, steps, guidance_scale, unlike)
    imagined = [features.embeds[:0]]
    for start in range(0, len(seeds), _ROWS_AT_ONCE):
        chunk = list(seeds[start : start + _ROWS_AT_ONCE])
        rows = torch.zeros(len(chunk), dtype=torch.long, device=stack.device)
        imagined.append(prior.sample(features.rows(rows), draw_noise(chunk, steps, stack.width)))
    return torch.cat(imagined)


def kandinsky_negation(
    stack: Backbone,
    positive: str,
    negatives: Sequence[str],
    seeds: Sequence[int],
    *,
    steps: int = PANEL_STEPS,
    guidance_scale: float = PANEL_GUIDANCE,
) -> list[Image]:
    """Pictures of the Kandinsky baseline, one for each seed, which serves prior and decoder alike.

    steps, guidance_scale: the prior's; the decoder draws as the stack says.

    Raises:
        RequestError: no negatives, or a word that the stack does not know or that cannot stand in a prompt.
        PromptError: more negatives than fit into a prompt.
    """
    embeds = imagine_with_negation(stack, positive, negatives, seeds, steps=steps, guidance_scale=guidance_scale)
    return stack.draw(embeds, seeds=list(seeds)) if len(seeds) else []


@torch.no_grad()
def imagine_apart(
    stack: Backbone,
    positive: str,
    negatives: Sequence[str],
    seeds: Sequence[int],
    *,
    steps: int = PANEL_STEPS,
    guidance_scale: float = PANEL_GUIDANCE,
) -> tuple[Tensor, Tensor]:
    """(image embeddings of the prompt, those of the negative prompt), `[n, width]` each, one of both for each seed:
    what the prior imagines for either alone.
    """
    prompt, negative = negation(positive, negatives)
    _check_words(stack, positive, negatives)
    prompts = [prompt] * len(seeds) + [negative] * len(seeds)
    both = stack.imagine(prompts, seeds=[*seeds, *seeds], steps=steps, guidance_scale=guidance_scale)
    return both[: len(seeds)], both[len(seeds) :]


def decoder_negation(
    stack: Backbone,
    positive: str,
    negatives: Sequence[str],
    seeds: Sequence[int],
    *,
    steps: int = PANEL_STEPS,
    guidance_scale: float = PANEL_GUIDANCE,
) -> list[Image]:
    """Pictures whose decoder is led away from the imagined negative prompt, in place of an empty image; one for each
    seed, which serves all three.

    steps, guidance_scale: the prior's; the decoder draws as the stack says. Equal to KandinskyV22Pipeline, or to
    KandinskyPipeline, with these `negative_image_embeds`.

    Raises:
        RequestError, PromptError: as for `kandinsky_negation`.
    """
    embeds, unlike = imagine_apart(stack, positive, negatives, seeds, steps=steps, guidance_scale=guidance_scale)
    return stack.draw(embeds, seeds=list(seeds), negative_image_embeds=unlike) if len(seeds) else []


def stable_diffusion_negation(
    stack: StableDiffusion,
    positive: str,
    negatives: Sequence[str],
    seeds: Sequence[int],
    *,
    steps: int = DRAWING_STEPS,
    guidance_scale: float = GUIDANCE_SCALE,
) -> list[Image]:
    """Pictures of the Stable Diffusion baseline, one for each seed, by the folder's own scheduler (the paper: 2).

    Raises:
        RequestError, PromptError: as for `kandinsky_negation`.
    """
    prompt, negative = negation(positive, negatives)
    _check_words(stack, positive, negatives)
    prompts = [prompt] * len(seeds)
    return stack.draw(prompts, seeds=list(seeds), negative=negative, steps=steps, guidance_scale=guidance_scale)


@torch.no_grad()
def adaptive_negation(
    stack: Backbone,
    positive: str,
    namer: Namer,
    seeds: Sequence[int],
    negatives: Sequence[str] = (),
    *,
    every: int = 1,
    steps: int = PANEL_STEPS,
    guidance_scale: float = PANEL_GUIDANCE,
) -> tuple[list[Image], list[list[str]]]:
    """Pictures whose negative prompt grows while they are drawn, one for each seed, and the negatives of each.

    The decoder is led away from the imagined negative prompt, as by `decoder_negation`. After each `every` denoising
    steps but the last, the namer sees what the decoder predicts, and its first answer joins the negatives of that
    picture; they stay. Left out are answers that name nothing, the category, a negative, an unknown word, or one that
    no longer fits the prompt. Without answers and negatives the pictures are those of the prompt.

    Args:
        namer: names what a picture shows, see core/namers.py.
        negatives: of every picture, from the start.
        steps, guidance_scale: the prior's; the decoder draws as the stack says.

    Raises:
        RequestError, PromptError: as for `kandinsky_negation`, but there may be no negatives.
    """
    seeds, words = list(seeds), [list(negatives) for _ in seeds]
    _check_words(stack, positive, negatives)
    prompt, asked = PROMPT.format(checked_word(positive, "positive")), question("object", positive)
    embeds = stack.imagine(prompt, seeds=seeds, steps=steps, guidance_scale=guidance_scale)
    unlike = stack.zero_image_embed.to(embeds.dtype).repeat(len(seeds), 1)

    def negate(rows: list[int]) -> None:
        """Lead these pictures away from their words."""
        if rows:
            prompts, of = [negation(positive, words[row])[1] for row in rows], [seeds[row] for row in rows]
            unlike[rows] = stack.imagine(prompts, seeds=of, steps=steps, guidance_scale=guidance_scale)

    def see(rows: Sequence[int], pictures: list[Image]) -> tuple[Tensor, Tensor]:
        grown = []
        for row, answers in zip(rows, namer(pictures, asked), strict=True):
            word = first_answer(answers).word
            if word and _joins(stack, word, positive, words[row]):
                words[row].append(word)
                grown.append(row)
        negate(grown)
        return embeds[list(rows)], unlike[list(rows)]

    if negatives:
        negate(list(range(len(seeds))))
    after = range(every, stack.drawing["steps"], every)
    drawn = stack.draw(embeds, seeds, negative_image_embeds=unlike, watch=Watch(after, see)) if seeds else []
    return drawn, words


def _joins(stack: Backbone, word: str, positive: str, negatives: Sequence[str]) -> bool:
    """Whether an answer becomes a negative."""
    if says_nothing(word) or says_again(word, positive) or any(same_thing(word, other) for other in negatives):
        return False
    try:
        stack.encode_text(negation(positive, [*negatives, word])[1])
    except PromptError:
        return False
    return stack.knows(word)


def _check_words(stack: Learns, positive: str, negatives: Sequence[str]) -> None:
    for word in (positive, *negatives):
        if not stack.knows(word):
            raise RequestError(f"the stack {stack.version} does not know the word {word!r}: choose another")
