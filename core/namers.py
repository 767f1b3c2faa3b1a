"""Models that look at a drawing and name what it shows: namers for `core.negatives`.

A namer is a plain function, with two attributes if it likes: `name`, which negatives bear as their `by`, and
`identity`, a text that differs where its answers would (else the name stands for it). A concept whose negatives it
names has that in its id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from core.backbone import content_hash, load_failure, quietly
from core.constraints import normalise
from core.errors import ConceptreeError
from core.negatives import Answer, Namer
from core.prompts import PORTRAIT


class NamerError(ConceptreeError):
    """A visual question answering model cannot be used."""


def vqa_namer(where: str | Path, device: str | torch.device = "cpu", answers: int = 5) -> Namer:
    """A visual question answering model of transformers, by folder or id; several answers by beams or by
    class scores.

    Understood: classifiers (ViLT), BLIP and BLIP-2, and chat models of the image-text-to-text kind. Code that
    a hub repository brings along is not run.
    """
    from transformers import AutoConfig, AutoProcessor

    folder = Path(where)
    try:
        with quietly():
            config = AutoConfig.from_pretrained(where, trust_remote_code=False)
            processor = AutoProcessor.from_pretrained(where, trust_remote_code=False)
            model = _model_class(config).from_pretrained(where, trust_remote_code=False, use_safetensors=True)
        model = model.to(device).eval()
    except (OSError, ValueError, SafetensorError) as error:
        raise NamerError(f"no question answering model in {str(where)!r}: {load_failure(error, folder)}") from error
    answer = _classified if config.model_type == "vilt" else _generated

    def namer(images: list[Any], question: str) -> list[list[Answer]]:
        if not images:
            return []
        with torch.no_grad():
            return answer(model, processor, images, question, answers)

    # A hub's model is what its revision says; a folder may be anything, so its files are read.
    content = content_hash({"vqa": folder}) if folder.is_dir() else f"{where}@{getattr(config, '_commit_hash', None)}"
    namer.name = folder.name  # type: ignore[attr-defined]
    namer.identity = f"{content}, {answers} answers"  # type: ignore[attr-defined]
    return namer


def nearest_namer(backbone: Any, words: Sequence[str], answers: int = 5) -> Namer:
    """Instead of such a model: the words whose text embedding is nearest to the drawing in the stack's own
    CLIP.
    """
    with torch.no_grad():
        texts = normalise(backbone.encode_text([PORTRAIT.format(word) for word in words]))

    def namer(images: list[Any], question: str) -> list[list[Answer]]:
        if not images:
            return []
        with torch.no_grad():
            similarity = normalise(backbone.encode_images(images)) @ texts.T
        values, places = similarity.topk(min(answers, len(words)), dim=-1)
        return [
            [(words[place], value) for place, value in zip(*row, strict=True)]
            for row in zip(places.tolist(), values.tolist(), strict=True)
        ]

    namer.name = "nearest word"  # type: ignore[attr-defined]
    namer.identity = _text_hash(["nearest word", answers, *words])  # type: ignore[attr-defined]
    return namer


def canned_namer(*answers: Sequence[str]) -> Namer:
    """Answers given beforehand, one list for each image asked about; the last one repeats. For tests and for
    people.
    """
    queue = [list(each) for each in answers]

    def namer(images: list[Any], question: str) -> list[list[Answer]]:
        given = [queue.pop(0) if len(queue) > 1 else queue[0] for _ in images]
        return [[(word, 1.0 / (rank + 1)) for rank, word in enumerate(words)] for words in given]

    namer.name = "canned"  # type: ignore[attr-defined]
    namer.identity = _text_hash(["canned", *queue])  # type: ignore[attr-defined]
    return namer


def name_of(namer: Namer) -> str:
    """What a negative's `by` says of a namer."""
    return str(getattr(namer, "name", None) or getattr(namer, "__name__", "namer"))


def naming(backbone: Any, namer: Namer | None, images: int, words: Sequence[str]) -> str:
    """Twelve hex digits that tell what adaptive negatives depend on beside the request and what learns on the stack.

    That is: the namer and what draws the `images` pictures of each question for it, and the `words` of the vocabulary,
    which name where there is no namer or where its answers do not push.
    """
    if namer is None:
        return _text_hash(["vocabulary", *words])
    identity = getattr(namer, "identity", None) or name_of(namer)
    return _text_hash([identity, images, backbone.drawing_fingerprint, *words])


def _text_hash(parts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _model_class(config: Any) -> Any:
    import transformers

    named = [getattr(transformers, name, None) for name in config.architectures or []]
    known = next((each for each in named if each is not None), None)
    if known is not None:
        return known
    raise ValueError(f"transformers does not know {config.architectures}")


def _classified(model: Any, processor: Any, images: list[Any], question: str, answers: int) -> list[list[Answer]]:
    inputs = processor(images=images, text=[question] * len(images), return_tensors="pt", padding=True)
    scores = model(**inputs.to(model.device)).logits.softmax(-1)
    values, places = scores.topk(min(answers, scores.shape[-1]), dim=-1)
    labels = model.config.id2label
    return [
        [(labels[place], value) for place, value in zip(*row, strict=True)]
        for row in zip(places.tolist(), values.tolist(), strict=True)
    ]


def _generated(model: Any, processor: Any, images: list[Any], question: str, answers: int) -> list[list[Answer]]:
    prompt = _as_chat(processor, question) or question  # the bare question, as the authors asked BLIP-2
    inputs = processor(images=images, text=[prompt] * len(images), return_tensors="pt", padding=True).to(model.device)
    beams = {"num_beams": answers, "num_return_sequences": answers} if answers > 1 else {}
    out = model.generate(
        **inputs, **beams, max_new_tokens=12, do_sample=False, return_dict_in_generate=True, output_scores=True
    )
    tokens, scores = out.sequences, getattr(out, "sequences_scores", None)
    start = inputs["input_ids"].shape[1]
    # Decoder-only models repeat the question; encoder-decoder ones do not.
    if not model.config.is_encoder_decoder and torch.equal(tokens[0, :start], inputs["input_ids"][0]):
        tokens = tokens[:, start:]
    texts = processor.batch_decode(tokens, skip_special_tokens=True)
    ranks = scores.exp().tolist() if scores is not None else [1.0] * len(texts)
    each = len(texts) // len(images)
    pairs = list(zip((text.strip() for text in texts), ranks, strict=True))
    return [pairs[i * each : (i + 1) * each] for i in range(len(images))]


def _as_chat(processor: Any, question: str) -> str | None:
    if not getattr(processor, "chat_template", None):
        return None
    content = [{"type": "image"}, {"type": "text", "text": f"{question} Answer with one or two words."}]
    return processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
