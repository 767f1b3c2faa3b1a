"""Prompts for learning, drawing and asking about a concept.

They follow the authors' lists (arXiv 2308.02669 §4.1, appendix) in our own words. A template has `{}` in place of the
word. The article belongs to the template, since a step's constraints use the same prompt.
"""

from __future__ import annotations

from core.errors import PromptError
from core.texts import checked_text

NAME = "<concept>"  # the placeholder of a concept in a prompt
ARTICLES = ("a", "the", "my")
_STANDARD = (
    "a photo of {article} {{}}",
    "a good photo of {article} {{}}",
    "a bright photo of {article} {{}}",
)
_EDITS = (
    "a painting of {article} {{}}",
    "a pencil sketch of {article} {{}}",
    "a digital cartoon art of {article} {{}}",
    "a watercolor painting of {article} {{}}",
    "pixel art of {article} {{}}",
    "a black and white photo of {article} {{}}",
    "a sticker of {article} {{}}",
    "a rendering of {article} {{}}",
    "a photo of {article} {{}} on a blue background",
)
_STYLE_SCENES = (
    "a dog",
    "a cat",
    "a horse and a barn in a valley",
    "a bowl of fruit",
    "a house",
    "a city at night",
    "a tree",
    "a ship",
    "a flower",
    "a woman",
    "an old man",
    "a mountain in the snow",
    "a bridge",
    "a bird",
    "a castle",
    "a market",
    "a garden",
    "a chair",
    "a train",
    "the moon",
)


def _with_articles(templates: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(template.format(article=article) for template in templates for article in ARTICLES)


# A group is drawn first, then one of its templates, so that 3 standard ones weigh as much as 9 edits.
GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "object": (_with_articles(_STANDARD), _with_articles(_EDITS)),
    "style": (tuple(f"a painting of {scene} in the style of {{}}" for scene in _STYLE_SCENES),),
}
TEMPLATES: dict[str, tuple[str, ...]] = {kind: sum(groups, ()) for kind, groups in GROUPS.items()}

# The fixed panel: every concept is measured in these prompts, also if it was learned in others.
PANEL: dict[str, tuple[str, ...]] = {
    "object": ("a photo of a {}", "a bright photo of a {}", "a painting of a {}", "a pencil sketch of a {}"),
    "style": tuple(f"a painting of {scene} in the style of {{}}" for scene in ("a dog", "a house", "a tree", "a bird")),
}
PANEL_SEEDS = (1, 2)

PORTRAIT = "a photo of a {}"  # how a parent's images for Eq. 5 are drawn (§4.3)
_STYLE_PORTRAIT = "a painting of a dog in the style of {}"
# (prompt of the drawing, question about it) for a namer of negatives: the authors' and our own.
_ASKED = {
    "default": {
        "object": (PORTRAIT, "What kind of {} is in this photo?"),
        "style": (_STYLE_PORTRAIT, "What art style was used in this photo of a dog?"),
    },
    "paper": {
        "object": (
            "Professional high-quality art of a {}. photorealistic, 4k, HQ",
            "What kind of {} is in this photo?",
        ),
        "style": (
            "a painting of a horse and a barn in a valley in the style of {}",
            "What art style was used in this photo of a horse and a barn?",
        ),
    },
}
_STYLE_PHRASE = " in the style of {}"


def fill(template: str, word: str) -> str:
    """The prompt with `word` in it; an empty word removes the style phrase, which gives a style's own positive (§2)."""
    return template.format(word) if word else template.replace(_STYLE_PHRASE, "")


def checked_prompt(prompt: str) -> str:
    """The prompt in NFC. Raises PromptError unless {} stands for the concept and there are no other braces."""
    if not is_template(prompt):
        raise PromptError(f"prompt = {prompt[:200]!r}: write {{}} where the concept stands, as in 'a photo of a {{}}'")
    return checked_text(prompt, "prompt", error=PromptError)


def is_template(prompt: str) -> bool:
    """Whether a prompt has {}, once or more, and no other braces."""
    rest = prompt.replace("{}", "")
    return "{}" in prompt and "{" not in rest and "}" not in rest


def portrait(kind: str) -> str:
    """The prompt that shows a concept of this kind by itself."""
    return _STYLE_PORTRAIT if kind == "style" else PORTRAIT


def drawn_for_question(kind: str, preset: str = "default") -> str:
    """The prompt of the drawing that a namer of negatives is asked about (§4.2)."""
    return _ASKED["default" if preset == "default" else "paper"][kind][0]


def question(kind: str, category: str, preset: str = "default") -> str:
    """The question to a VQA model: which member of the category, or which style (not which scene)."""
    return _ASKED["default" if preset == "default" else "paper"][kind][1].format(category)
