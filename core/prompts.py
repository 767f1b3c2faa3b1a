"""The prompts that a concept is learned in, drawn with and asked about.

In the spirit of the authors' lists (arXiv 2308.02669 §4.1, appendix), in words of our own. A template has
`{}` where the word stands; the article belongs to the template, since the constraints of a step stand in the
same prompt.
"""

from __future__ import annotations

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


# One group is chosen first and a template of it second, so that 3 standard ones weigh as much as 9 edits.
GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "object": (_with_articles(_STANDARD), _with_articles(_EDITS)),
    "style": (tuple(f"a painting of {scene} in the style of {{}}" for scene in _STYLE_SCENES),),
}
TEMPLATES: dict[str, tuple[str, ...]] = {kind: sum(groups, ()) for kind, groups in GROUPS.items()}

# What a concept is measured with, whatever it was learned with: other works of the same templates.
PANEL: dict[str, tuple[str, ...]] = {
    "object": ("a photo of a {}", "a bright photo of a {}", "a painting of a {}", "a pencil sketch of a {}"),
    "style": tuple(f"a painting of {scene} in the style of {{}}" for scene in ("a dog", "a house", "a tree", "a bird")),
}
PANEL_SEEDS = (1, 2)

PORTRAIT = "a photo of a {}"  # how a parent's images for Eq. 5 are drawn (§4.3)
_STYLE_PORTRAIT = "a painting of a dog in the style of {}"
# What is drawn for a namer of negatives, and what it is asked: (prompt, question), as the authors did it and as here.
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
    """The prompt with `word` in it; an empty word takes the style phrase out, which is a style's own positive
    (§2).
    """
    return template.format(word) if word else template.replace(_STYLE_PHRASE, "")


def portrait(kind: str) -> str:
    """The prompt that shows a concept of this kind by itself."""
    return _STYLE_PORTRAIT if kind == "style" else PORTRAIT


def drawn_for_question(kind: str, preset: str = "default") -> str:
    """The prompt of the drawing that a namer of negatives is asked about (§4.2)."""
    return _ASKED["default" if preset == "default" else "paper"][kind][0]


def question(kind: str, category: str, preset: str = "default") -> str:
    """What a visual question answering model is asked: for a member of the category, or the style and not the scene."""
    return _ASKED["default" if preset == "default" else "paper"][kind][1].format(category)
