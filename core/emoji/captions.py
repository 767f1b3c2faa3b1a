"""What a training picture is called: its name or a category in a prompt, with its look, set and background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.emoji.pictures import BACKGROUNDS, LOOKS, PLAIN_BACKGROUNDS
from core.emoji.sources import SETS
from core.emoji.teacher import Words

MAX_LENGTH = 32  # tokens of a prompt, begin and end included; also the prior's num_embeddings

# Words that say nothing about the picture; training on them makes them mean nothing.
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

# What a caption calls a look; "{}" is everything before it.
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
QUESTION = "what kind of is in this photo ? which where color was art style used with and or , . - ' : ! s"
UNTAUGHT = "untaught"  # stands in no vocabulary: it is read as the unknown token


def background_frames(name: str) -> tuple[str, ...]:
    """Phrases for a background; a white one mostly goes unsaid."""
    if name in SCENE_FRAMES:
        return SCENE_FRAMES[name]
    return (f"{{}} on a {name} background", f"{{}} on {name}", f"{{}}, {name} background")


def vocabulary(words: Words) -> list[str]:
    """Every word a caption or question can have, most general first."""
    frames = [*OBJECT_FRAMES, *(f for fs in LOOK_FRAMES.values() for f in fs)]
    frames += [f for name in BACKGROUNDS for f in background_frames(name)]
    frames += ["in the style of {}", "a {} style", "an {}"]
    text = [f.replace("{}", " ") for f in frames] + [QUESTION, *PLAIN_BACKGROUNDS]
    return [*text, *words.all]


class CaptionWriter:
    """Writes captions from indices; randomness is the generator's."""

    def __init__(self, words: Words):
        self.words = words
        self.categories_of = [
            [c for c, member in zip(words.categories, row, strict=True) if member] for row in words.belongs.tolist()
        ]

    def write(self, truth: Sequence[int], generator: np.random.Generator) -> tuple[str, tuple[int, int, int, int]]:
        """A caption of a picture whose thing, set, look and background are ``truth``; and what the caption says.

        That is (what, set, look, background) indices, -1 where it says nothing; ``what`` indexes names and
        categories together, as the rows of `Words.all` do.
        """
        thing, style, look, background = truth
        categories = self.categories_of[thing]
        what, phrase = thing, self.words.things[thing]
        if categories and generator.random() < 0.3:
            chosen = categories[generator.integers(len(categories))]
            what, phrase = len(self.words.things) + self.words.categories.index(chosen), chosen
        frame = OBJECT_FRAMES[generator.integers(len(OBJECT_FRAMES))] if generator.random() < 0.75 else "a photo of {}"
        if not frame.startswith("{}") and "a {}" not in frame and generator.random() < 0.7:
            phrase = f"{('a', 'the', 'my')[generator.integers(3)]} {phrase}"
        said_look = said_style = said_background = -1
        if LOOKS[look] != "plain":
            text = frame.format(phrase)
            if generator.random() < 0.85:
                frames = LOOK_FRAMES[LOOKS[look]]
                look_frame, said_look = frames[generator.integers(len(frames))], look
                if look_frame.startswith("{}"):
                    text = look_frame.format(text)
                else:
                    text = look_frame.format(phrase if phrase.startswith(("a ", "the ", "my ")) else f"a {phrase}")
        else:
            text = frame.format(phrase)
            if generator.random() < 0.25:
                text, said_style = f"{text} in the style of {SETS[style].style}", style
        if generator.random() < (0.85 if background else 0.06):
            frames = background_frames(BACKGROUNDS[background])
            text, said_background = frames[generator.integers(len(frames))].format(text), background
        if generator.random() < 0.06:  # a word that nobody taught: it must not hide the others
            text = f"{UNTAUGHT} {text}" if generator.random() < 0.5 else f"{text} {UNTAUGHT}"
        return text, (what, said_style, said_look, said_background)

    def fits(self, said: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """``[n, m]`` bool: does caption i hold for picture j?

        Args:
            said: ``[n, 4]`` from `write`.
            truth: ``[m, 4]`` thing, set, look, background of the pictures.
        """
        things = len(self.words.things)
        belongs = self.words.belongs.numpy()
        named = said[:, :1] == truth[None, :, 0]
        category = np.clip(said[:, 0] - things, 0, None)
        member = belongs[truth[:, 0]][:, category].T & (said[:, :1] >= things)
        result = named | member
        for part in (1, 2, 3):
            result &= (said[:, part : part + 1] < 0) | (said[:, part : part + 1] == truth[None, :, part])
        return result
