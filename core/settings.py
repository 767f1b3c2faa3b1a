"""Settings of learning: the numbers of §4.1 and §4.3 of the paper, and the choice of its terms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from core.errors import ConceptreeError

if TYPE_CHECKING:
    from core.stack.protocols import Learns

PRESETS: dict[str, dict[str, Any]] = {
    # For practical use: negatives ranked and generalised, the best checkpoint kept.
    "default": dict(answers="ranked", keep="best", mix_through_prior=True, normalise_weights=True, as_coded=False),
    # The paper's text: the first answer is the negative, the last vector is the concept.
    "paper": dict(answers="first", keep="last", mix_through_prior=True, normalise_weights=True, as_coded=False),
    # The authors' code: Eq. 5 compares with the text embedding, and weights are not normalised; see docs/fidelity.md.
    "published": dict(answers="first", keep="last", mix_through_prior=False, normalise_weights=False, as_coded=True),
}
PUBLISHED_MIX_STEPS = 2000
MIX_LOOKS = 12  # of a mix in `default`: enough to see when its loss stops falling
PATIENCE = 2  # of `default`
PUBLISHED_STYLE_MIN_COSINE = 0.15
# Requests in a batch, by default. Many rows share one read of the weights (§5.6 of docs/design.md), memory stays
# bounded, and a stop costs one batch at most.
MOST_AT_ONCE = 32


class SettingsError(ConceptreeError):
    """A setting with an impossible value."""


@dataclass(frozen=True)
class Settings:
    """All numbers and choices of learning; by default the published ones.

    Fields whose default is None follow from the preset. Similarities are cosines.
    """

    preset: str = "default"
    steps: int = 2500
    segment: int = 250  # steps between two boundaries: measuring, drawing, a new negative
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-2
    eps: float = 1e-8
    lam: float = 1.0  # λ of Eq. 3
    max_cosine: float = 0.28  # a positive similarity counts at most this much
    min_cosine: float = 0.20  # a negative similarity counts at least this much
    avoid_floor: float = 0.65  # the same for imagined embeddings of earlier waves, which have another scale
    prior_steps: int = 5
    guidance_scale: float = 4.0
    s_max: bool = True  # False: an ablation, Eq. 3 without Eq. 4
    clamp: bool = True  # False: an ablation, without max_cosine and min_cosine
    through_prior: bool = True  # False: CLIP-ConceptLab, constraints on the text embedding
    answers: str | None = None  # "ranked" or "first": which of a namer's answers becomes the negative
    keep: str | None = None  # "best" or "last" checkpoint
    mix_through_prior: bool | None = None
    normalise_weights: bool | None = None
    as_coded: bool | None = None  # start, pooling, question and mix in every detail as in the authors' code
    patience: int = 0  # boundaries in a row without gain that end a concept early; 0: never

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise SettingsError(f"unknown preset {self.preset!r}: choose {', '.join(PRESETS)}")
        for name, value in PRESETS[self.preset].items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        object.__setattr__(self, "betas", tuple(self.betas))
        self._check()

    def _check(self) -> None:
        _whole(self, "steps", least=0)
        _whole(self, "segment", least=1)
        _whole(self, "patience", least=0)
        _whole(self, "prior_steps", least=2)  # UnCLIPScheduler.set_timesteps(1) divides by zero
        for name in ("learning_rate", "weight_decay", "lam", "eps"):
            _number(self, name, least=0.0)
        for name in ("max_cosine", "min_cosine", "avoid_floor"):
            _number(self, name, least=-1.0, most=1.0)
        _number(self, "guidance_scale", least=1.0)
        if len(self.betas) != 2 or not all(_is_number(b) and 0 <= b < 1 for b in self.betas):
            raise SettingsError(f"betas = {self.betas}: expected two numbers from 0 up to, not including, 1")
        for name in ("s_max", "clamp", "through_prior", "mix_through_prior", "normalise_weights", "as_coded"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} = {getattr(self, name)!r}: expected true or false")
        if self.answers not in ("ranked", "first"):
            raise SettingsError(f"answers = {self.answers!r}: choose 'ranked' or 'first'")
        if self.keep not in ("best", "last"):
            raise SettingsError(f"keep = {self.keep!r}: choose 'best' or 'last'")

    @classmethod
    def for_stack(
        cls,
        stack: Learns,
        preset: str = "default",
        kind: str = "object",
        mixing: bool = False,
        category: str = "",
        between: bool = False,
        **overrides: Any,
    ) -> Settings:
        """The stack's calibrated settings (`calibration.json`), and the published numbers for the rest.

        kind: "object" or "style", which have caps and floors of their own. mixing: for Eq. 5, which needs fewer steps.
        category: in `default`, a measured category has its own scale; the paper has one for all. between: the concept
        starts between two members, so in `default` it needs fewer steps. Only `default` ends concepts early
        (core/stopping.py), so it looks at mixes more often. overrides: fields of Settings.
        """
        if kind not in ("object", "style"):
            raise SettingsError(f"unknown kind {kind!r}: choose object or style")
        numbers: dict[str, Any] = {"min_cosine": PUBLISHED_STYLE_MIN_COSINE} if kind == "style" else {}
        numbers["mix_steps"] = PUBLISHED_MIX_STEPS
        calibration = stack.calibration or {}
        if preset == "published" and getattr(stack, "multilingual", False):
            # Its constraints are in another encoder with its own scale: measured, or else the authors' numbers.
            calibration = calibration.get("multilingual", {})
        numbers |= calibration.get("object", {})  # a stack's own scale is nearer than another stack's style
        numbers |= calibration.get(kind, {})
        if preset == "default" and kind == "object":
            numbers |= calibration.get("categories", {}).get(category.lower(), {})
        mix_steps = numbers.pop("mix_steps")
        if mixing:
            numbers["steps"] = mix_steps
        elif between and preset == "default" and kind == "object":
            numbers |= {
                name: numbers[f"between_{name}"] for name in ("steps", "segment") if f"between_{name}" in numbers
            }
        if preset == "default":
            numbers["patience"] = PATIENCE
            if mixing:
                numbers["segment"] = max(1, round(mix_steps / MIX_LOOKS))
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(overrides) - known)
        if unknown:
            raise SettingsError(f"unknown setting {unknown[0]!r}: the settings are {', '.join(sorted(known))}")
        numbers = {name: value for name, value in numbers.items() if name in known}
        return cls(**{"preset": preset, **numbers, **overrides})

    def together(self) -> Settings:
        """The settings that must be equal within a batch; numbers that may differ by row are zeroed."""
        return replace(
            self, steps=0, learning_rate=0.0, weight_decay=0.0, lam=0.0, max_cosine=0.0, min_cosine=0.0, avoid_floor=0.0
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` reads them."""
        values = {**asdict(self), "betas": list(self.betas)}
        for name in ("patience", "as_coded"):
            if not getattr(self, name):
                del values[name]  # keeps the ids of requests from before these fields
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """The settings that `to_dict` wrote; SettingsError for an unknown field."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise SettingsError(f"unknown setting {unknown[0]!r}: the settings are {', '.join(sorted(known))}")
        return cls(**{"as_coded": False, **values})  # as requests of the preset `published` were before this field


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _number(settings: Settings, name: str, least: float, most: float = math.inf) -> None:
    value = getattr(settings, name)
    if not _is_number(value) or not least <= value <= most:
        bounds = f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        raise SettingsError(f"{name} = {value!r}: expected a number {bounds}")


def _whole(settings: Settings, name: str, least: int) -> None:
    value = getattr(settings, name)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise SettingsError(f"{name} = {value!r}: expected a whole number of at least {least}")
