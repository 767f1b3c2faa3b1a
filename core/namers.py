"""Models that look at a drawing and name what it shows: namers for `core.negatives`.

A namer is an object with `name`, `identity` and a call (see `core.negatives.Namer`). `from_function` makes one of a
plain function, which is all that a new kind of namer needs:

    @from_function
    def colours(images, question):
        return [[("red", 0.9), ("blue", 0.1)] for image in images]

    ConceptLab(stack, namer=colours).run([Request("pet", schedule="adaptive")])
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from PIL.Image import new as new_picture

from core.constraints import normalise
from core.errors import ConceptreeError, StackError
from core.negatives import Answer, Namer
from core.prompts import PORTRAIT
from core.stack import folders, hub
from core.stack.fingerprint import content_hash
from core.stack.hub import BLIP2
from core.stack.loading import load_failure, quietly
from core.stack.offload import Turns
from core.stack.protocols import Draws
from core.stack.sizes import check_sizes
from core.wording import counted

__all__ = [
    "BLIP2",
    "FunctionNamer",
    "NamerError",
    "asking",
    "canned_namer",
    "from_function",
    "namer_of",
    "naming",
    "nearest_namer",
    "to_remember",
    "vqa_namer",
    "vqa_namer_for",
    "where_of",
]

_IMAGES_AT_ONCE = 8
_LONGEST_ANSWER = 12  # tokens
_LONGEST_GREEDY = 19  # and one to start with: transformers' 20 by default, which the authors' code leaves
Answers = list[list[Answer]]
# (model, processor, images, question, number of answers) -> answers to each image
Ask = Callable[[Any, Any, Sequence[Image], str, int], Answers]


class NamerError(ConceptreeError):
    """A visual question answering (VQA) model cannot be used."""


@dataclass(frozen=True, eq=False)
class FunctionNamer:
    """A namer made of a function `(images, question) -> answers to each image, best first`.

    where: the folder or id that finds the same model again; "" for a namer that only this process has.
    question: a person's own, which it asks instead of the published one; "" for none.
    check: raises NamerError for a question that is too long for the model; None if any is read.
    greedy: the same model with one answer, decoded greedily, as the authors' code asks BLIP-2; None if it gives no
    others.
    """

    function: Callable[[Sequence[Image], str], Answers]
    name: str
    identity: str
    where: str = ""
    question: str = ""
    check: Callable[[str], None] | None = None
    greedy: FunctionNamer | None = None

    def __call__(self, images: Sequence[Image], question: str) -> Answers:
        return self.function(images, self.question or question)


def from_function(
    function: Callable[[Sequence[Image], str], Answers], name: str = "", identity: str = ""
) -> FunctionNamer:
    """A namer of a plain function; also a decorator.

    name: by default the function's. identity: by default the name. Give one that changes with the answers, such as
    the version of the model that the function calls.
    """
    name = name or function.__name__
    return FunctionNamer(function, name, identity or name)


def where_of(namer: Namer | None) -> str:
    """The folder or id that finds the namer's model again; "" if there is none."""
    return namer.where if isinstance(namer, FunctionNamer) else ""


def namer_of(stack: Draws, vlm: str | None = None, question: str | None = None) -> FunctionNamer | None:
    """The VQA model that proposes negatives: `vlm`, a folder or an id, or by default the stack's own.

    A stack's own is the one in its folder `vqa/` or, for a stack from the hub, BLIP-2. None if there is none, if the
    stack cannot draw, or if vlm is "none": then the stack's vocabulary proposes negatives. question: a person's own
    instead of the published one.

    Raises:
        NamerError: the model cannot be used, or there is a question but no model to ask.
        StackError: vlm is given, but the stack cannot draw what it should look at.
    """
    if vlm is None and stack.draws:
        vlm = stack.question_answerer or None
    if vlm in (None, "none"):
        if question:
            raise NamerError(f"question = {question!r}: no VQA model is configured; choose one with --vlm")
        return None
    if not stack.draws:
        raise StackError(f"the stack {stack.version} cannot draw, so {vlm!r} has no pictures to look at: --vlm none")
    folder = Path(vlm).expanduser()
    changed = folder.stat().st_mtime_ns if folder.is_dir() else 0
    try:
        namer = _kept(vlm, changed, stack)  # type: ignore[arg-type]  # stacks are hashable
    except NamerError as error:
        raise NamerError(f"{error}; or --vlm none, for words of the stack's vocabulary") from error
    return asking(namer, question) if question else namer


def to_remember(stack: Draws, namer: Namer | None, asked: dict[str, str]) -> dict[str, str]:
    """The arguments of `namer_of` that find the same namer again; the stack's own needs none."""
    where, own = where_of(namer), stack.question_answerer
    if not where or (Path(own).is_dir() and Path(where) == Path(own).resolve()):
        return asked
    return {**asked, "vlm": where}


def vqa_namer_for(stack: Draws, where: str) -> FunctionNamer:
    """`vqa_namer` on the stack's device and in its precision; where the stack's parts take turns on the device, so
    does the namer.
    """
    make_room = stack.rest if stack.offloads else None
    return vqa_namer(where, stack.device, dtype=stack.dtype, make_room=make_room)


@lru_cache(maxsize=2)
def _kept(where: str, changed: int, stack: Draws) -> FunctionNamer:
    """`vqa_namer_for`, loaded once. changed: when the folder changed."""
    return vqa_namer_for(stack, where)


def vqa_namer(
    where: str | Path,
    device: str | torch.device = "cpu",
    answers: int = 5,
    *,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    sampling: bool = False,
    make_room: Callable[[], None] | None = None,
) -> FunctionNamer:
    """A model of transformers that answers questions about pictures, by folder or as ORG/NAME[@REVISION].

    Supported: classifiers (ViLT), BLIP, BLIP-2, and models that transformers calls image-text-to-text. Several answers
    come from class scores or beams, with their probability; with `sampling` from that many samples, with their share.
    make_room: called before each question; the model is then on the device only while it answers.

    Raises:
        NamerError: the model is missing, incomplete or damaged, is of another kind, or needs code of its own.
    """
    device = torch.device(device)
    try:
        place = hub.find_model(str(where), revision, folders.lacks)
        folder = place.folder
        folders.check_weights(folder)
        check_sizes(folder)
        with quietly():
            model, processor = _loaded(folder, dtype)
    except Exception as error:  # a stranger's configuration may fail anywhere in a library
        reason = error if isinstance(error, ConceptreeError) else load_failure(error, Path(where))
        raise NamerError(f"no question answering model in {str(where)!r}: {reason}") from error
    turns = Turns(device) if make_room else None
    if turns:
        turns.add("answer", [model])
    else:
        model.to(device)
    ask = _classified if not hasattr(model, "generate") else _sampled if sampling else _generated

    def answered(images: Sequence[Image], question: str, ask: Ask = ask, answers: int = answers) -> Answers:
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
    name = folder.name if Path(where).is_dir() else str(where).split("@")[0].split("/")[-1]
    content, check = content_hash({"vqa": folder}), partial(_check_length, model, processor)
    greedy = None
    if ask is _generated:
        plainly = partial(answered, ask=_greedy, answers=1)
        greedy = FunctionNamer(plainly, name, f"{content}, greedy answer", place.where, check=check)
    return FunctionNamer(answered, name, f"{content}, {answers} {how}", place.where, check=check, greedy=greedy)


def asking(namer: Namer, question: str) -> FunctionNamer:
    """The namer with a person's own question instead of the published one."""
    if not question.strip():
        raise NamerError("the question is empty: ask something, such as 'What animal is this?'")
    check_question(namer, question)
    check, greedy = (namer.check, namer.greedy) if isinstance(namer, FunctionNamer) else (None, None)
    identity = f"{namer.identity}, asked {question!r}"
    plainly = asking(greedy, question) if greedy else None
    return FunctionNamer(namer, namer.name, identity, where_of(namer), question, check, plainly)


def check_question(namer: Namer | None, question: str) -> None:
    """Raise NamerError for a question that is longer than the namer's model reads; its own question goes first."""
    if isinstance(namer, FunctionNamer) and namer.check:
        namer.check(namer.question or question)


def nearest_namer(stack: Draws, words: Sequence[str], answers: int = 5) -> FunctionNamer:
    """The words whose text embedding is nearest to the drawing in the stack's own CLIP, instead of a VQA model."""
    with torch.no_grad():
        texts = normalise(stack.encode_text([PORTRAIT.format(word) for word in words]))

    def answered(images: Sequence[Image], question: str) -> Answers:
        if not images:
            return []
        with torch.no_grad():
            similarity = normalise(stack.encode_images(images)) @ texts.T
        values, places = similarity.topk(min(answers, len(words)), dim=-1)
        return [
            [(words[place], value) for place, value in zip(*row, strict=True)]
            for row in zip(places.tolist(), values.tolist(), strict=True)
        ]

    return FunctionNamer(answered, "nearest word", _text_hash(["nearest word", answers, *words]))


def canned_namer(*answers: Sequence[str]) -> FunctionNamer:
    """Fixed answers, one list for each image asked about; the last list repeats. For tests and for people."""
    queue = [list(each) for each in answers]

    def answered(images: Sequence[Image], question: str) -> Answers:
        given = [queue.pop(0) if len(queue) > 1 else queue[0] for _ in images]
        return [[(word, 1.0 / (rank + 1)) for rank, word in enumerate(words)] for words in given]

    return FunctionNamer(answered, "canned", _text_hash(["canned", *queue]))


def naming(stack: Draws, namer: Namer | None, images: int, words: Sequence[str]) -> str:
    """Twelve hex digits: what adaptive negatives depend on, apart from the request and the parts that learn.

    These are the namer, the parts that draw the `images` pictures of each question, and the `words` of the
    vocabulary, which are proposed if there is no namer or if its answers do not push.
    """
    if namer is None:
        return _text_hash(["vocabulary", *words])
    return _text_hash([namer.identity, images, stack.drawing_fingerprint, *words])


def _text_hash(parts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _loaded(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """(model, processor) in a folder, by transformers' Auto classes."""
    from transformers import (
        AutoConfig,
        AutoModelForImageTextToText,
        AutoModelForVisualQuestionAnswering,
        AutoProcessor,
    )

    told = folders.read_json(folder / "config.json")
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
                "it wants to run its own code, and Conceptree never does that: choose one of transformers' classes"
            ) from error
        raise
    return model.eval().requires_grad_(False), processor


def _classified(model: Any, processor: Any, images: Sequence[Image], question: str, answers: int) -> Answers:
    inputs = processor(images=images, text=[question] * len(images), return_tensors="pt", padding=True)
    scores = model(**inputs.to(model.device, model.dtype)).logits.float().softmax(-1)
    values, places = scores.topk(min(answers, scores.shape[-1]), dim=-1)
    labels = model.config.id2label
    return [
        [(labels[place], value) for place, value in zip(*row, strict=True)]
        for row in zip(places.tolist(), values.tolist(), strict=True)
    ]


def _generated(model: Any, processor: Any, images: Sequence[Image], question: str, answers: int) -> Answers:
    beams = {"num_beams": answers, "num_return_sequences": answers} if answers > 1 else {}
    texts, scores = _written(model, processor, images, question, do_sample=False, **beams)
    ranks = scores.exp().tolist() if scores is not None else [1.0] * len(texts)
    each = len(texts) // len(images)
    pairs = list(zip(texts, ranks, strict=True))
    return [_distinct(pairs[i * each : (i + 1) * each]) for i in range(len(images))]


def _greedy(model: Any, processor: Any, images: Sequence[Image], question: str, answers: int) -> Answers:
    """One answer to each picture by itself, of the most probable tokens, as the authors ask BLIP-2."""
    longest = {"do_sample": False, "num_beams": 1, "max_new_tokens": _LONGEST_GREEDY}
    texts = [_written(model, processor, [image], question, **longest)[0][0] for image in images]
    return [[(text, 1.0)] for text in texts]


def _sampled(model: Any, processor: Any, images: Sequence[Image], question: str, answers: int) -> Answers:
    """Each picture by itself, from the same seed, so that its answers do not depend on the other pictures."""
    found = []
    for image in images:
        with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
            torch.manual_seed(0)
            texts, _ = _written(model, processor, [image], question, do_sample=True, num_return_sequences=answers)
        counts = Counter(texts)
        found.append([(word, count / len(texts)) for word, count in counts.most_common()])
    return found


def _written(
    model: Any, processor: Any, images: Sequence[Image], question: str, **how: Any
) -> tuple[list[str], torch.Tensor | None]:
    """(answers to the images in their order, several to each; the scores of beams)"""
    inputs = _read(processor, images, question).to(model.device, model.dtype)
    told = {"max_new_tokens": _LONGEST_ANSWER, **how}
    out = model.generate(**inputs, **told, return_dict_in_generate=True, output_scores=True)
    tokens, start = out.sequences, inputs["input_ids"].shape[1]
    # Decoder-only models repeat the question; encoder-decoder ones do not.
    if tokens.shape[1] >= start and torch.equal(tokens[0, :start], inputs["input_ids"][0]):
        tokens = tokens[:, start:]
    texts = processor.batch_decode(tokens, skip_special_tokens=True)
    return [text.strip() for text in texts], getattr(out, "sequences_scores", None)


def _check_length(model: Any, processor: Any, question: str) -> None:
    """Raise NamerError unless question, picture and answer fit into the model's positions."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if not limit:
        return
    answer = _LONGEST_ANSWER if hasattr(model, "generate") and not model.config.is_encoder_decoder else 0
    with quietly():
        picture = new_picture("RGB", (224, 224))
        ids = (_read(processor, [picture], question) if answer else processor.tokenizer(question))["input_ids"]
    tokens = ids.shape[-1] if isinstance(ids, torch.Tensor) else len(ids)
    if tokens + answer > limit:
        raise NamerError(
            f"question = {question[:80]!r} has {counted(tokens, 'token')}, and the model reads {limit - answer}:"
            " shorten it"
        )


def _read(processor: Any, images: Sequence[Image], question: str) -> Any:
    """The model's inputs: a chat if it has a chat template, else the bare question, as the authors asked BLIP-2."""
    if not getattr(processor, "chat_template", None):
        return processor(images=images, text=[question] * len(images), return_tensors="pt", padding=True)
    processor.tokenizer.padding_side = "left"  # answers continue from the end of the question
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
    """Equal answers merged, with the best score."""
    best: dict[str, float] = {}
    for word, score in answers:
        best[word] = max(score, best.get(word, 0.0))
    return list(best.items())
