"""Models that look at a drawing and name what it shows: namers for `core.negatives`.

A namer is a plain function, with attributes if it likes: `name`, which negatives bear as their `by`, and
`identity`, a text that differs where its answers would (else the name stands for it). A concept whose negatives it
names has that in its id. A third, `where`, finds the same model again; it is asked a person's own `question` where it
has one.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from core.constraints import normalise
from core.errors import ConceptreeError
from core.negatives import Answer, Namer
from core.prompts import PORTRAIT
from core.stack import hub
from core.stack.fingerprint import content_hash
from core.stack.loading import load_failure, quietly
from core.stack.offload import Turns

BLIP2 = "Salesforce/blip2-flan-t5-xl"  # what the authors asked
_IMAGES_AT_ONCE = 8


class NamerError(ConceptreeError):
    """A visual question answering model cannot be used."""


def vqa_namer(
    where: str | Path,
    device: str | torch.device = "cpu",
    answers: int = 5,
    *,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    sampling: bool = False,
    make_room: Callable[[], None] | None = None,
) -> Namer:
    """A model of transformers that answers questions about pictures, by folder or as ORG/NAME[@REVISION].

    Understood: classifiers (ViLT), BLIP and BLIP-2, and whatever transformers calls image-text-to-text. Several answers
    come from class scores or beams, with their probability, or with `sampling` from so many tries, with their share of
    them. make_room: what to do before each question, for a model that shall be on the device only while it answers.

    Raises:
        NamerError: it is not there, not whole, damaged, or no such model; or it wants to run code of its own.
    """
    device = torch.device(device)
    try:
        place = hub.find_model(str(where), revision, hub.lacks)
        folder = place.folder
        hub.check_weights(folder)
        with quietly():
            model, processor = _loaded(folder, dtype)
    except (ConceptreeError, ImportError, OSError, ValueError, SafetensorError) as error:
        reason = error if isinstance(error, ConceptreeError) else load_failure(error, Path(where))
        raise NamerError(f"no question answering model in {str(where)!r}: {reason}") from error
    turns = Turns(device) if make_room else None
    if turns:
        turns.add("answer", [model])
    else:
        model.to(device)
    ask = _classified if not hasattr(model, "generate") else _sampled if sampling else _generated

    def namer(images: list[Any], question: str) -> list[list[Answer]]:
        if not images:
            return []
        if make_room and turns:
            make_room()
            turns.bring("answer")
        try:
            chunks = [images[i : i + _IMAGES_AT_ONCE] for i in range(0, len(images), _IMAGES_AT_ONCE)]
            with torch.no_grad():
                return [each for chunk in chunks for each in ask(model, processor, chunk, question, answers)]
        finally:
            if turns:
                turns.clear()

    how = "sampled answers" if ask is _sampled else "answers"
    namer.name = folder.name if Path(where).is_dir() else str(where).split("@")[0].split("/")[-1]  # type: ignore[attr-defined]
    namer.identity = f"{content_hash({'vqa': folder})}, {answers} {how}"  # type: ignore[attr-defined]
    namer.where = place.where  # type: ignore[attr-defined]
    return namer


def asking(namer: Namer, question: str) -> Namer:
    """A namer that asks a person's own question instead of the published one."""
    if not question.strip():
        raise NamerError("the question is empty: ask something, such as 'What animal is this?'")

    def asked(images: list[Any], published: str) -> list[list[Answer]]:
        return namer(images, question)

    asked.name = name_of(namer)  # type: ignore[attr-defined]
    asked.where = getattr(namer, "where", None)  # type: ignore[attr-defined]
    asked.question = question  # type: ignore[attr-defined]
    asked.identity = f"{getattr(namer, 'identity', None) or name_of(namer)}, asked {question!r}"  # type: ignore[attr-defined]
    return asked


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


def _loaded(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """(model, processor) of a folder, by transformers' Auto classes."""
    from transformers import (
        AutoConfig,
        AutoModelForImageTextToText,
        AutoModelForVisualQuestionAnswering,
        AutoProcessor,
    )

    told = hub.read_json(folder / "config.json")
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        named = told.get("architectures") or []
        kinds = (AutoModelForVisualQuestionAnswering, AutoModelForImageTextToText)
        classes = [(kind, kind._model_mapping.get(type(config), None)) for kind in kinds]
        fitting = [kind for kind, cls in classes if cls is not None and (not named or cls.__name__ in named)]
        if not fitting:
            raise NamerError(
                f"a {', '.join(named) or told.get('model_type')} answers no questions about pictures: choose a model"
                " for visual question answering, or for image-text-to-text"
            )
        processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
        model = fitting[0].from_pretrained(folder, trust_remote_code=False, use_safetensors=True, dtype=dtype)
    except ValueError as error:
        if "trust_remote_code" in str(error):
            raise NamerError(
                "it wants to run code of its own, which is never done here: choose a model of transformers' own classes"
            ) from error
        raise
    return model.eval().requires_grad_(False), processor


def _classified(model: Any, processor: Any, images: list[Any], question: str, answers: int) -> list[list[Answer]]:
    inputs = processor(images=images, text=[question] * len(images), return_tensors="pt", padding=True)
    scores = model(**inputs.to(model.device, model.dtype)).logits.float().softmax(-1)
    values, places = scores.topk(min(answers, scores.shape[-1]), dim=-1)
    labels = model.config.id2label
    return [
        [(labels[place], value) for place, value in zip(*row, strict=True)]
        for row in zip(places.tolist(), values.tolist(), strict=True)
    ]


def _generated(model: Any, processor: Any, images: list[Any], question: str, answers: int) -> list[list[Answer]]:
    beams = {"num_beams": answers, "num_return_sequences": answers} if answers > 1 else {}
    texts, scores = _written(model, processor, images, question, do_sample=False, **beams)
    ranks = scores.exp().tolist() if scores is not None else [1.0] * len(texts)
    each = len(texts) // len(images)
    pairs = list(zip(texts, ranks, strict=True))
    return [_distinct(pairs[i * each : (i + 1) * each]) for i in range(len(images))]


def _sampled(model: Any, processor: Any, images: list[Any], question: str, answers: int) -> list[list[Answer]]:
    """Each picture by itself and from the same seed, so that its answers do not depend on what else is asked about."""
    found = []
    for image in images:
        with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
            torch.manual_seed(0)
            texts, _ = _written(model, processor, [image], question, do_sample=True, num_return_sequences=answers)
        counts = Counter(texts)
        found.append([(word, count / len(texts)) for word, count in counts.most_common()])
    return found


def _written(
    model: Any, processor: Any, images: list[Any], question: str, **how: Any
) -> tuple[list[str], torch.Tensor | None]:
    """(answers to the images in their order, several to each, and the scores of beams)"""
    inputs = _read(processor, images, question).to(model.device, model.dtype)
    out = model.generate(**inputs, **how, max_new_tokens=12, return_dict_in_generate=True, output_scores=True)
    tokens, start = out.sequences, inputs["input_ids"].shape[1]
    # Decoder-only models repeat the question; encoder-decoder ones do not.
    if tokens.shape[1] >= start and torch.equal(tokens[0, :start], inputs["input_ids"][0]):
        tokens = tokens[:, start:]
    texts = processor.batch_decode(tokens, skip_special_tokens=True)
    return [text.strip() for text in texts], getattr(out, "sequences_scores", None)


def _read(processor: Any, images: list[Any], question: str) -> Any:
    """Pictures and the question as a model reads them: as a chat, for those that are used to chats, or else the bare
    question, as the authors asked BLIP-2.
    """
    if not getattr(processor, "chat_template", None):
        return processor(images=images, text=[question] * len(images), return_tensors="pt", padding=True)
    processor.tokenizer.padding_side = "left"  # what is written goes on from the end of the question
    words = {"type": "text", "text": f"{question} Answer with one or two words."}
    chats = [[{"role": "user", "content": [{"type": "image", "image": image}, words]}] for image in images]
    return processor.apply_chat_template(
        chats,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        processor_kwargs={"return_tensors": "pt", "padding": True},
    )


def _distinct(answers: list[Answer]) -> list[Answer]:
    """Beams that say the same count once, with the score of the best."""
    best: dict[str, float] = {}
    for word, score in answers:
        best[word] = max(score, best.get(word, 0.0))
    return list(best.items())
