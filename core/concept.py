"""Request (input of learning) and Concept (its result): frozen, compared by content.

A concept depends on its Request and the stack alone. The Request holds the images and vectors of other concepts that a
child or a later wave needs as numbers, not as references.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import ConceptreeError
from core.files import write_atomically
from core.prompts import MOST_TEMPLATES, TEMPLATES, template_fault
from core.settings import Settings
from core.texts import fault
from core.wording import counted

Array = npt.NDArray[np.float32]
KINDS = ("object", "style")
SCHEDULES = ("none", "list", "gradual", "adaptive")
PARENT_KINDS = ("mix", "mutate", "image")
TAKES = "take "  # before an aspect: the kind of a parent that gives nothing else
LONGEST_WORD = 80


class RequestError(ConceptreeError):
    """A request that cannot be learned."""


class _Content:
    """Equality and hash by content, arrays included (a dataclass alone cannot compare arrays)."""

    def _content(self) -> tuple[object, ...]:
        values = (getattr(self, f.name) for f in fields(self))  # type: ignore[arg-type]
        return tuple(_comparable(value) for value in values)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())


@dataclass(frozen=True)
class Positive:
    """A word to resemble. For a style the word may be "": the same prompt without its style phrase."""

    word: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.word != "":
            object.__setattr__(self, "word", checked_word(self.word, "positive"))
        object.__setattr__(self, "weight", _weight(self.weight, f"the positive {self.word!r}"))


@dataclass(frozen=True, eq=False)
class Parent(_Content):
    """A parent of Eq. 5: image embeddings [m, width] of its drawings; each step picks one at random.

    weight: above 0 to resemble the parent, below 0 to move away from it. kind: "mix" or, for photographs, "image";
    "mutate": the parent of a variation, which is only recorded; "take colour", with weight 0: records that the images
    of the other parents have the colour of this one, see `core.aspects`.
    """

    id: str
    weight: float
    image_embeds: Array
    kind: str = "mix"
    run: str = ""

    def __post_init__(self) -> None:
        if not is_parent_kind(self.kind):
            raise RequestError(f"parent {self.id!r} has kind {self.kind!r}: choose {', '.join(PARENT_KINDS)}")
        if not aspect_of(self.kind) or self.weight != 0:
            object.__setattr__(self, "weight", _signed_weight(self.weight, f"the parent {self.id!r}"))
        if aspect_of(self.kind) and self.weight:
            raise RequestError(f"the parent {self.id!r} gives one aspect and has weight {self.weight:g}: expected 0")
        object.__setattr__(self, "image_embeds", frozen_array(self.image_embeds, 2, f"image_embeds of {self.id!r}"))
        if self.weight < 0 and self.kind == "mutate":
            raise RequestError(f"the parent {self.id!r} of a variation has weight {self.weight:g}: give one above 0")


@dataclass(frozen=True, eq=False)
class Avoid(_Content):
    """A concept of an earlier wave to move away from: its imagined embedding [width]."""

    id: str
    image_embed: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_embed", frozen_array(self.image_embed, 1, f"image_embed of {self.id!r}"))


@dataclass(frozen=True, eq=False)
class Request(_Content):
    """One concept to learn.

    category: its category ("pet"; for a style "painting" or "art"). positives: by default the category. schedule of
    negatives: "none"; "list": all from the start; "gradual": a shuffled pool, one more word per segment; "adaptive":
    found by asking a model about drawings; "" chooses by the other fields. parents: Eq. 5. avoid: earlier waves.
    tokens: k, the number of vectors. initializer: the word whose mean token vector is the start, by default the
    category; start [k, d] gives the vectors themselves instead. settings: None takes the stack's calibrated ones; the
    request of a finished concept has them. fingerprint: of the stack that made its numbers (parents, avoid, start), the
    only one that can learn it; "" if unknown. constraints: words by the name of a further kind of constraint
    (core/constraints.py); a mapping is accepted. templates: prompts with {} for the concept, of which each step draws
    one; by default those of its kind in core/prompts.py.
    """

    category: str
    kind: str = "object"
    positives: tuple[Positive, ...] = ()
    negatives: tuple[str, ...] = ()
    schedule: str = ""
    parents: tuple[Parent, ...] = ()
    avoid: tuple[Avoid, ...] = ()
    seed: int = 0
    tokens: int = 1
    initializer: str | None = None
    start: Array | None = None
    settings: Settings | None = None
    fingerprint: str = ""
    constraints: tuple[tuple[str, tuple[str, ...]], ...] = ()
    templates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("category", checked_word(self.category, "category"))
        if self.kind not in KINDS:
            raise RequestError(f"kind = {self.kind!r}: choose {' or '.join(KINDS)}")
        put("parents", _tuple_of(self.parents, Parent, "parents"))
        put("avoid", _tuple_of(self.avoid, Avoid, "avoid"))
        given = _tuple_of(self.positives, Positive, "positives")
        default = (Positive("" if self.kind == "style" else self.category),)
        put("positives", given or (() if self.mixed else default))
        if isinstance(self.negatives, str):
            raise RequestError(f"negatives = {self.negatives!r}: expected a list of words, not one word")
        put("negatives", tuple(checked_word(word, "negative") for word in self.negatives))
        put("schedule", self.schedule or self._natural_schedule())
        put("constraints", _further(self.constraints))
        put("templates", _templates(self.templates))
        if self.settings is not None and not isinstance(self.settings, Settings):
            raise RequestError(f"settings = {self.settings!r}: expected Settings")
        if self.initializer is not None:
            put("initializer", checked_word(self.initializer, "initializer"))
        if self.start is not None:
            put("start", frozen_array(self.start, 2, "start"))
        self._check_numbers()
        self._check_words()
        self._check_others()

    @property
    def chosen(self) -> Settings:
        """The settings of a request that has them."""
        assert self.settings is not None, "settings are chosen before learning"
        return self.settings

    @property
    def prompts(self) -> tuple[str, ...]:
        """The templates; each step draws one of them."""
        return self.templates or TEMPLATES[self.kind]

    @property
    def mixed(self) -> tuple[Parent, ...]:
        """The parents of Eq. 5, and those to move away from. Parents of other kinds are only recorded."""
        return tuple(parent for parent in self.parents if parent.kind in ("mix", "image"))

    @property
    def words(self) -> tuple[str, ...]:
        """The words of all its constraints, as far as they are given."""
        further = (word for _, words in self.constraints for word in words)
        return (*(p.word for p in self.positives), *self.negatives, *further)

    def _natural_schedule(self) -> str:
        if self.negatives:
            return "list"
        return "none" if self.mixed else "adaptive"

    def _check_numbers(self) -> None:
        for name, least, most in (("seed", 0, 2**63 - 1), ("tokens", 1, 32)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise RequestError(f"{name} = {value!r}: expected a whole number from {least} to {most}")

    def _check_words(self) -> None:
        if self.schedule not in SCHEDULES:
            raise RequestError(f"schedule = {self.schedule!r}: choose {', '.join(SCHEDULES)}")
        if self.schedule == "none" and self.negatives:
            raise RequestError(f"schedule 'none' with negatives {list(self.negatives)}: choose 'list' or drop them")
        if self.schedule in ("list", "gradual") and not self.negatives:
            raise RequestError(f"schedule {self.schedule!r} needs negatives: give at least one word")
        if not self.kind == "style" and any(not p.word for p in self.positives):
            raise RequestError("a positive of an object is empty: give a word")
        words = [p.word.lower() for p in self.positives]
        negatives = [word.lower() for word in self.negatives]
        for group, name in ((words, "positive"), (negatives, "negative")):
            for word in group:
                if group.count(word) > 1:
                    raise RequestError(f"the {name} {word!r} is given twice: drop one")
        for word in negatives:
            if word in words or word == self.category.lower():
                raise RequestError(f"{word!r} is a negative and a positive: drop one of the two")

    def _check_others(self) -> None:
        whole = [parent for parent in self.parents if not aspect_of(parent.kind)]
        for group, name in ((whole, "parent"), (self.avoid, "avoided concept")):
            ids = [each.id for each in group]
            for id_ in ids:
                if ids.count(id_) > 1:
                    raise RequestError(f"the {name} {id_!r} is given twice: drop one")
        aspects = [aspect_of(parent.kind) for parent in self.parents if aspect_of(parent.kind)]
        for aspect in aspects:
            if aspects.count(aspect) > 1:
                raise RequestError(f"the {aspect} is taken from two parents: drop one")
        if aspects and not self.mixed:
            raise RequestError(f"the {aspects[0]} is taken, and there is no other parent: give one")
        if self.mixed and not any(parent.weight > 0 for parent in self.mixed):
            raise RequestError("no parent has a weight above 0: give at least one to resemble")
        widths = {p.image_embeds.shape[1] for p in self.parents} | {a.image_embed.shape[0] for a in self.avoid}
        if len(widths) > 1:
            raise RequestError(
                f"parents and avoided concepts have embeddings of widths {sorted(widths)}: use one stack"
            )
        if self.start is not None and len(self.start) != self.tokens:
            raise RequestError(
                f"start has {counted(len(self.start), 'vector')} and tokens = {self.tokens}: make them equal"
            )

    def to_json(self) -> str:
        """The request as canonical JSON: equal requests give equal texts. `from_json` reads it."""
        values = _plain(self)
        if not self.fingerprint:
            del values["fingerprint"]  # keeps the ids of requests that need none
        for name in ("constraints", "templates"):
            if not getattr(self, name):
                del values[name]
        return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Request:
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise RequestError(f"a stored request is not JSON: {error}") from error
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise RequestError(f"a stored request has an unknown field {unknown[0]!r}: was it made by a newer version?")
        if values.get("settings") is not None:
            values["settings"] = Settings.from_dict(values["settings"])
        for name, kind in (("positives", Positive), ("parents", Parent), ("avoid", Avoid)):
            values[name] = tuple(kind(**item) for item in values.get(name, ()))
        values["constraints"] = dict(values.get("constraints", ()))
        return cls(**values)


@dataclass(frozen=True)
class Negative:
    """A negative: its first step, its source ("user", "request", or a namer's name), and a note on its choice."""

    word: str
    step: int
    by: str
    note: str = ""


@dataclass(frozen=True)
class Measurement:
    """Similarity on the fixed panel: `constraint` is a word, or "avoid:<id>" or "parent:<id>"."""

    step: int
    constraint: str
    similarity: float


@dataclass(frozen=True, eq=False)
class Concept(_Content):
    """A learned concept: vectors [k, d] for the placeholder, and how they were learned.

    image_embed [width]: mean imagined embedding on the fixed panel. kept_step: the step of the checkpoint with these
    vectors, of `steps` learned. scores: by name, see `core.metrics`. seconds: its share of the batch's time.
    """

    id: str
    request: Request
    vectors: Array
    image_embed: Array
    negatives: tuple[Negative, ...] = ()
    history: tuple[Measurement, ...] = ()
    kept_step: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)
    fingerprint: str = ""
    version: str = ""
    steps: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", frozen_array(self.vectors, 2, "vectors"))
        object.__setattr__(self, "image_embed", frozen_array(self.image_embed, 1, "image_embed"))
        object.__setattr__(self, "scores", {str(k): float(v) for k, v in dict(self.scores).items()})

    def save(self, path: str | Path) -> Path:
        """Write everything to one `.safetensors` file: vectors and image_embed as tensors, the rest as JSON metadata.

        `Concept.load` reads it. For other tools, write an `Embedding` (core/exchange) instead.

        Raises:
            RequestError: the path ends differently.
            StorageError: the file cannot be written.
        """
        from safetensors.numpy import save

        path = _concept_file(path)
        plain = {name: getattr(self, name) for name in _PLAIN_FIELDS}
        about = {
            "schema": _SCHEMA,
            **plain,
            "request": self.request.to_json(),
            "negatives": [vars(negative) for negative in self.negatives],
            "history": [vars(measurement) for measurement in self.history],
            "scores": dict(self.scores),
        }
        tensors = {name: np.array(getattr(self, name)) for name in _ARRAYS}
        write_atomically(path, save(tensors, {"concept": json.dumps(about)}))
        return path

    @classmethod
    def load(cls, path: str | Path) -> Concept:
        """The concept that `save` wrote; nothing in the file is ever executed.

        Raises:
            RequestError: the file is missing, damaged, or not of a concept.
        """
        from safetensors import SafetensorError, safe_open

        path = _concept_file(path)
        try:
            with safe_open(path, framework="np") as file:
                about = json.loads((file.metadata() or {})["concept"])
                if (schema := about.pop("schema")) != _SCHEMA:
                    raise RequestError(f"{str(path)!r} has schema {schema!r}: this version reads {_SCHEMA}")
                arrays = {name: file.get_tensor(name) for name in _ARRAYS}
            about["request"] = Request.from_json(about["request"])
            about["negatives"] = tuple(Negative(**each) for each in about["negatives"])
            about["history"] = tuple(Measurement(**each) for each in about["history"])
            return cls(**about, **arrays)
        except OSError as error:
            raise RequestError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
        except (SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise RequestError(f"{str(path)!r} is damaged, or not a file of Concept.save ({error})") from error


_SCHEMA = 1  # of Concept.save
_ARRAYS = ("vectors", "image_embed")
_PLAIN_FIELDS = ("id", "kept_step", "fingerprint", "version", "steps", "seconds")


def _concept_file(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix != ".safetensors":
        raise RequestError(f"{str(path)!r} is not a concept's file: choose a name that ends with .safetensors")
    return path


def concept_id(request: Request, fingerprint: str, decisions: Sequence[str] = (), naming: str = "") -> str:
    """16 hex digits of the request, the stack and a person's decisions while it was learned.

    naming: the source of an adaptive request's negatives (`namers.naming`); other requests do not depend on it.
    """
    parts = [request.to_json(), fingerprint, *decisions]
    if request.schedule == "adaptive" and naming:
        parts.append(f"named by {naming}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def aspect_of(kind: object) -> str:
    """The aspect that a parent of this kind gives, "" for all other kinds: "take colour" → "colour"."""
    return kind.removeprefix(TAKES) if isinstance(kind, str) and kind.startswith(TAKES) else ""


def is_parent_kind(kind: object) -> bool:
    """Whether it is one of `PARENT_KINDS`, or a taken aspect."""
    return kind in PARENT_KINDS or 0 < len(aspect_of(kind)) <= LONGEST_WORD


def frozen_array(value: npt.ArrayLike, axes: int, name: str) -> Array:
    """A read-only float32 copy with `axes` axes, none empty, all numbers finite."""
    try:
        with np.errstate(over="ignore"):  # infinity is refused below
            array = np.array(value, dtype=np.float32, order="C")
    except (TypeError, ValueError) as error:
        raise RequestError(f"{name} is not an array of numbers: {error}") from error
    if array.ndim != axes or not array.size:
        shape = {1: "[width]", 2: "[n, width] with n ≥ 1"}[axes]
        raise RequestError(f"{name} has shape {list(array.shape)}: expected {shape}")
    if not np.isfinite(array).all():
        raise RequestError(f"{name} contains NaN or infinity")
    array.flags.writeable = False
    return array


def checked_word(value: object, what: str) -> str:
    """`value` without surrounding spaces; RequestError if it cannot be part of a prompt."""
    if not isinstance(value, str) or not value.strip():
        raise RequestError(f"{what} = {value!r}: expected a word")
    word = " ".join(value.split())
    if not word.isprintable() and any("\ud800" <= c <= "\udfff" for c in word):
        raise RequestError(f"{what} = {word[:LONGEST_WORD]!r} has {fault(word)}: remove it")
    if len(word) > LONGEST_WORD or any(c in word for c in "{}<>|"):
        raise RequestError(
            f"{what} = {word[:LONGEST_WORD]!r}: expected at most {LONGEST_WORD} characters, none of {{}}<>|"
        )
    return word


def _templates(values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise RequestError(f"templates = {values[:80]!r}: expected a list of templates, not one")
    values = tuple(values)
    if len(values) > MOST_TEMPLATES:
        raise RequestError(f"{len(values)} templates: at most {MOST_TEMPLATES} are read")
    for value in values:
        if wrong := template_fault(value) if isinstance(value, str) else "is no text":
            raise RequestError(f"the template {str(value)[:80]!r} {wrong}")
    return values


Further = tuple[tuple[str, tuple[str, ...]], ...]


def _further(values: Mapping[str, Sequence[str]] | Further) -> Further:
    """Further constraints in one order, so that equal requests have equal ids."""
    told = dict(values)
    for name, words in told.items():
        if isinstance(words, str) or not words:
            raise RequestError(f"constraints[{name!r}] = {words!r}: expected a list with one word at least")
    return tuple((str(name), tuple(checked_word(w, "constraint") for w in told[name])) for name in sorted(told))


def _comparable(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


def _weight(value: object, of: str) -> float:
    if isinstance(value, (int, float, np.floating)) and not isinstance(value, bool) and 0 < value < np.inf:
        return float(value)
    raise RequestError(f"{of} has weight {value!r}: expected a number above 0")


def _signed_weight(value: object, of: str) -> float:
    number = isinstance(value, (int, float, np.floating)) and not isinstance(value, bool)
    if number and value and abs(value) < np.inf:  # type: ignore[arg-type]  # NaN is not below infinity
        return float(value)  # type: ignore[arg-type]
    raise RequestError(f"{of} has weight {value!r}: expected a number above 0, or one below 0 to move away from it")


def _tuple_of(values: Iterable[object], kind: type, name: str) -> tuple[object, ...]:
    values = tuple(values)
    for value in values:
        if not isinstance(value, kind):
            raise RequestError(f"{name} contains {value!r}: expected {kind.__name__}(…)")
    return values


def _plain(value: Any) -> Any:
    """Dataclasses, tuples and arrays as JSON values. float32 numbers survive, as doubles."""
    if isinstance(value, Settings):
        return value.to_dict()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value
