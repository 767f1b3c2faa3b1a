"""Prompts for learning, drawing and asking about a concept.

They follow the authors' lists (arXiv 2308.02669 §4.1, appendix) in our own words; `read_templates` reads others. A
template has `{}` in place of the word. The article belongs to the template, since a step's constraints use the same
prompt.
"""

from __future__ import annotations

from pathlib import Path

from core.errors import FileError, PromptError
from core.files import read_ordinary
from core.texts import checked_text, fault

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
MOST_TEMPLATES, LONGEST_TEMPLATE = 1000, 400
_MOST_BYTES = 2**20


def fill(template: str, word: str) -> str:
    """The prompt with `word` in it; an empty word removes the style phrase, which gives a style's own positive (§2)."""
    return template.format(word) if word else template.replace(_STYLE_PHRASE, "").replace("{}", "")


def read_templates(file: str | Path) -> tuple[str, ...]:
    """The templates in a text file, one a line with {} for the concept, in NFC; for `Request(templates=…)`.

    Empty lines are left out. A step draws each line with the same probability, so a line that stands twice is drawn
    twice as often. The article belongs to the line.

    Raises:
        PromptError: the file cannot be read, has no line or too many, or a line is no template.
    """
    try:
        lines = read_ordinary(Path(file).expanduser(), _MOST_BYTES).decode("utf-8-sig").splitlines()
    except FileError as error:
        raise PromptError(f"{str(file)!r} {error}") from error
    except UnicodeDecodeError as error:
        raise PromptError(f"{str(file)!r} is not text in UTF-8: {error.reason} at byte {error.start}") from error
    found = [(number, " ".join(line.split())) for number, line in enumerate(lines, 1) if line.strip()]
    for number, line in found:
        if wrong := template_fault(line):
            raise PromptError(f"{str(file)!r}, line {number}: {line[:80]!r} {wrong}")
    if not 1 <= len(found) <= MOST_TEMPLATES:
        raise PromptError(f"{str(file)!r} has {len(found)} templates: expected 1 to {MOST_TEMPLATES}, one a line")
    return tuple(checked_text(line, "template", error=PromptError) for _, line in found)


def template_fault(template: str) -> str:
    """Why a text is no template of a step, to follow on its quotation; "" if it is one."""
    if template.count("{}") != 1:
        return "has {} " + f"{template.count('{}')} times: write it once, where the concept stands"
    if any(sign in template.replace("{}", "") for sign in "{}<>|"):
        return "has one of the signs {}<>| beside the {} of the concept: remove it"
    if len(template) > LONGEST_TEMPLATE:
        return f"has {len(template)} characters: at most {LONGEST_TEMPLATE} are read"
    found = fault(template)
    return f"has {found}: remove it" if found else ""


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
