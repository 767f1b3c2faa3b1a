"""Captions of training pictures: a name or a category in a prompt, with look, set and background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from training.hybrids import COLOURS, PARTS, PATTERNS, PROPORTIONS
from training.pictures import (
    BACKGROUND,
    BACKGROUNDS,
    COLOUR,
    LOOK,
    LOOKS,
    OTHER,
    PART,
    PATTERN,
    PLAIN_BACKGROUNDS,
    PROPORTION,
    SHARE,
    STYLE,
    THING,
)
from training.sources import SETS
from training.teacher import Words

MAX_LENGTH = 32  # tokens of a prompt, begin and end included; also the prior's num_embeddings

# Frames that say nothing about the picture, so that the model learns to ignore their words.
OBJECT_FRAMES = (
    "{}", "a {}", "the {}", "my {}", "one {}", "an image of {}", "a photo of {}", "a picture of {}",
    "a rendering of {}", "a close-up photo of {}",
    "a good photo of {}", "a cropped photo of {}", "a photo of a nice {}", "a photo of a cool {}",
    "a photo of a weird {}", "a photo of a small {}",
    "a photo of a large {}", "a photo of my {}", "a photo of the {}", "a bright photo of {}", "a depiction of {}",
    "an illustration of {}", "{} as an emoji",
    "an emoji of {}", "an icon of {}", "professional high-quality art of {}. photorealistic, 4k, hq", "art of {}",
    "a drawing of {}", "a digital cartoon art of {}",
    "a sticker of {}", "a toy of {}", "a painting of {}",
)  # fmt: skip

# Phrases for a look; "{}" is the caption so far.
LOOK_FRAMES: dict[str, tuple[str, ...]] = {
    "plain": ("{}",),
    "pencil sketch": (
        "a pencil sketch of {}",
        "a sketch of {}",
        "{} in the style of pencil sketch",
        "a line drawing of {}",
    ),
    "pixel art": ("pixel art of {}", "{} in the style of pixel art", "a pixel art picture of {}"),
    "black and white": (
        "a black and white photo of {}",
        "{} in black and white",
        "{} in the style of black and white",
    ),
    "watercolor": ("a watercolor of {}", "a watercolor painting of {}", "{} in the style of watercolor"),
    "oil painting": ("an oil painting of {}", "{} in the style of oil painting"),
    "neon": ("a neon sign of {}", "{} in neon", "{} in the style of neon"),
    "silhouette": ("a silhouette of {}", "the silhouette of {}", "{} in the style of silhouette"),
}
SCENE_FRAMES: dict[str, tuple[str, ...]] = {
    "meadow": ("{} in a meadow", "{} on the grass"),
    "beach": ("{} at the beach", "{} on a beach"),
    "night": ("{} at night", "{} in the night"),
    "snow": ("{} in the snow", "{} on snow"),
}
# Two things in one picture; "{}" stands for each.
MIX_FRAMES = (
    "mix of a {} and a {}", "mix of a {} and a {}", "{} {}", "{} {}", "cross between a {} and a {}",
    "hybrid of a {} and a {}", "half {} half {}",
)  # fmt: skip
QUESTION = "what kind of is in this photo ? which where color was art style used with and or , . - ' : ! s"
UNTAUGHT = "untaught"  # in no vocabulary: it becomes the unknown token


def background_frames(name: str) -> tuple[str, ...]:
    """Phrases for a background; captions mostly omit a white one."""
    if name in SCENE_FRAMES:
        return SCENE_FRAMES[name]
    return (f"{{}} on a {name} background", f"{{}} on {name}", f"{{}}, {name} background")


def vocabulary(words: Words) -> list[str]:
    """All words of captions and questions, the most general first."""
    frames = [*OBJECT_FRAMES, *(f for fs in LOOK_FRAMES.values() for f in fs)]
    frames += [f for name in BACKGROUNDS for f in background_frames(name)]
    frames += [*MIX_FRAMES, "in the style of {}", "a {} style", "an {}"]
    text = [f.replace("{}", " ") for f in frames] + [QUESTION, *PLAIN_BACKGROUNDS]
    return [*text, *words.all]


class CaptionWriter:
    """Writes captions from indices; randomness is the generator's."""

    def __init__(self, words: Words):
        self.words = words
        self.categories_of = [
            [c for c, member in zip(words.categories, row, strict=True) if member] for row in words.belongs.tolist()
        ]

    def write(self, truth: Sequence[int], generator: np.random.Generator) -> tuple[str, tuple[int, ...]]:
        """A caption of a picture with ``truth`` (the columns of `pictures`), and the facts that the caption says.

        The facts are a row of the same columns, -1 where the caption says nothing. THING indexes names and categories
        together, as the rows of `Words.all` do; OTHER is the second thing of a mix; SHARE is unused.
        """
        look, background = truth[LOOK], truth[BACKGROUND]
        said = [-1] * len(truth)
        phrase = self._with_attributes(self._noun(truth, said, generator), truth, said, generator)
        frame = OBJECT_FRAMES[generator.integers(len(OBJECT_FRAMES))] if generator.random() < 0.75 else "a photo of {}"
        if not frame.startswith("{}") and "a {}" not in frame and generator.random() < 0.7:
            phrase = f"{('a', 'the', 'my')[generator.integers(3)]} {phrase}"
        text = frame.format(phrase)
        if LOOKS[look] != "plain":
            if generator.random() < 0.85:
                frames = LOOK_FRAMES[LOOKS[look]]
                look_frame, said[LOOK] = frames[generator.integers(len(frames))], look
                if look_frame.startswith("{}"):
                    text = look_frame.format(text)
                else:
                    text = look_frame.format(phrase if phrase.startswith(("a ", "the ", "my ")) else f"a {phrase}")
        elif generator.random() < 0.25:
            text, said[STYLE] = f"{text} in the style of {SETS[truth[STYLE]].style}", truth[STYLE]
        if generator.random() < (0.85 if background else 0.06):
            frames = background_frames(BACKGROUNDS[background])
            text, said[BACKGROUND] = frames[generator.integers(len(frames))].format(text), background
        if generator.random() < 0.06:  # an unknown word must not hide the others
            text = f"{UNTAUGHT} {text}" if generator.random() < 0.5 else f"{text} {UNTAUGHT}"
        return text, tuple(said)

    def _noun(self, truth: Sequence[int], said: list[int], generator: np.random.Generator) -> str:
        """A name, a category of all things shown, or a mix of both names."""
        thing, other = truth[THING], truth[OTHER]
        things = self.words.things
        categories = self.categories_of[thing]
        if other >= 0:
            categories = [c for c in categories if c in self.categories_of[other]]
        if categories and generator.random() < 0.3:
            chosen = categories[generator.integers(len(categories))]
            said[THING] = len(things) + self.words.categories.index(chosen)
            return chosen
        if other < 0:
            said[THING] = thing
            return things[thing]
        if (truth[SHARE] < 50) != (generator.random() < 0.2):  # mostly the larger share first
            thing, other = other, thing
        said[THING], said[OTHER] = thing, other
        return MIX_FRAMES[generator.integers(len(MIX_FRAMES))].format(things[thing], things[other])

    def _with_attributes(self, noun: str, truth: Sequence[int], said: list[int], generator: np.random.Generator) -> str:
        """The noun with its colour, pattern, proportion and part, each of them with a probability."""
        words = [noun]
        for column, names, share in ((PATTERN, PATTERNS, 0.75), (PROPORTION, PROPORTIONS, 0.75)):
            if truth[column] >= 0 and generator.random() < share:
                said[column] = truth[column]
                words.insert(0, names[truth[column]])
        if truth[COLOUR] >= 0 and generator.random() < 0.2:
            said[COLOUR] = truth[COLOUR]
            words.insert(0, list(COLOURS)[truth[COLOUR]])
        if truth[PART] >= 0 and generator.random() < 0.75:
            said[PART] = truth[PART]
            part = PARTS[truth[PART]]
            words.append(f"with {part}" if part.endswith("s") else f"with a {part}")
        return " ".join(words)

    def fits(self, said: np.ndarray, truth: np.ndarray, device: str = "cpu") -> Tensor:
        """``[n, m]`` on ``device``: the degree to which caption i holds for picture j, 0 … 1.

        "A cat" holds for a hybrid by the cat's share in it; a category by the shares of its members; a mix for pictures
        of both things. Attributes and settings that the caption names must match.

        Args:
            said: ``[n, TRUTHS]`` from `write`.
            truth: ``[m, TRUTHS]`` of the pictures.
        """
        things = len(self.words.things)
        told, shown = torch.from_numpy(said).to(device), torch.from_numpy(truth).to(device)
        belongs = self.words.belongs.to(device)
        share = shown[:, SHARE].double() / 100
        first, second = shown[None, :, THING], shown[None, :, OTHER]
        what, other = told[:, THING, None], told[:, OTHER, None]
        named = (what == first) * share + (what == second) * (1 - share)
        column = (told[:, THING] - things).clamp_min(0)
        member = belongs[shown[:, THING]][:, column].T * share
        member = member + belongs[shown[:, OTHER].clamp_min(0)][:, column].T * (1 - share) * (second >= 0)
        both = ((what == first) & (other == second)) | ((what == second) & (other == first))
        result = torch.where(other >= 0, both.double(), torch.where(what >= things, member, named)).float()
        for part in (STYLE, LOOK, BACKGROUND, COLOUR, PATTERN, PART, PROPORTION):
            result *= (told[:, part, None] < 0) | (told[:, part, None] == shown[None, :, part])
        return result
