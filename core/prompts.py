"""The prompts that a concept is learned in, drawn with and asked about.
 In the spirit of the authors' lists (arXiv 2308.02669 §4.1, appendix), in words of our own. A template has
`{}` where the word stands; the article belongs to the template, since the constraints of a step stand in the
same prompt.
"""

from __future__ import annotations

ARTICLES = ("a", "the", "my")
_STANDARD = (
    "a photo of {article} {{}}",
    "a detailed photo of {article} {{}}, high quality",
    "a bright photo of {article} {{}} on a white background",
)
_EDITS = (
    "a painting of {article} {{}}",
    "a pencil sketch of {article} {{}}",
    "a cartoon drawing of {article} {{}}",
    "a watercolor of {article} {{}}",
    "pixel art of {article} {{}}",
    "a 3d render of {article} {{}}",
    "a black and white picture of {article} {{}}",
    "a sticker of {article} {{}}",
    "{article} {{}} on a blue background",
)
_STYLE_SCENES = (
    "a dog",
    "a cat on a chair",
    "a horse and a barn in a valley",
    "a bowl of fruit",
    "a house by a lake",
    "a city street at night",
    "a tree on a hill",
    "a ship on the sea",
    "a vase of flowers",
    "a portrait of a woman",
    "a portrait of an old man",
    "a mountain in the snow",
    "a bridge over a river",
    "a bird on a branch",
    "a castle",
    "a market full of people",
    "a garden in spring",
    "a kitchen table",
    "a train in the fog",
    "the moon over a field",
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
    "object": (
        "a photo of a {}",
        "a detailed photo of a {}, high quality",
        "a painting of a {}",
        "a pencil sketch of a {}",
    ),
    "style": (
        "a painting of a dog in the style of {}",
        "a painting of a horse and a barn in a valley in the style of {}",
        "a painting of a bowl of fruit in the style of {}",
        "a painting of a house by a lake in the style of {}",
    ),
}
PANEL_SEEDS = (1, 2)

PORTRAIT = "a photo of a {}"  # how a parent's images for Eq. 5 are drawn (§4.3)
_SCENE = "a painting of a horse and a barn in a valley in the style of {}"
_DRAWN_FOR_QUESTION = {
    "default": {"object": PORTRAIT, "style": _SCENE},
    "paper": {"object": "Professional high-quality art of a {}. photorealistic, 4k, HQ", "style": _SCENE},
}
_STYLE_PHRASE = " in the style of {}"


def fill(template: str, word: str) -> str:
    """The prompt with `word` in it; an empty word takes the style phrase out, which is a style's own positive
    (§2).
    """
    return template.format(word) if word else template.replace(_STYLE_PHRASE, "")


def portrait(kind: str) -> str:
    """The prompt that shows a concept of this kind by itself."""
    return _SCENE if kind == "style" else PORTRAIT


def drawn_for_question(kind: str, preset: str = "default") -> str:
    """The prompt of the drawing that a namer of negatives is asked about (§4.2)."""
    return _DRAWN_FOR_QUESTION["default" if preset == "default" else "paper"][kind]


def question(kind: str, category: str) -> str:
    """What a visual question answering model is asked. The category is part of it, so that it answers with a
    member.
    """
    if kind == "style":
        return "What art style was used in this photo of a horse and a barn?"
    return f"What kind of {category} is in this photo?"
