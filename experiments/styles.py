"""New art styles (arXiv 2308.02669 §4.2): whether they stay the same, and how far they are from known ones.

For each seed there are three arms:

    ConceptLab   styles that start at "painting", with adaptive negatives by the question answerer, in waves
    no style     the same prompts without a style, equally many with other seeds: a painting by itself
    named        the styles that the stack's vocabulary lists, without learning

All are drawn with the same seeds on the same objects ("a painting of a car in the style of …"), which no style learns
on. Each drawing is compared with other drawings: the same style on other objects, other styles on the same object, and
other styles on other objects, as in `prompts.py`; and with the same object in the nearest named style (for a named
style, in the nearest other one). This compares drawings only, so a judge need not know the names of styles. Similarity
to the nearest *name* is measured on what the prior imagines (core/metrics.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from core.concept import Concept
from core.errors import ConceptreeError
from core.metrics import imagine_panel, imagine_word, word_similarity
from core.negatives import says_again
from core.prompts import TEMPLATES
from core.settings import Settings
from core.stack.wordbank import WordBank
from core.streams import stream_seed
from core.wording import counted
from experiments.conduct import Bench, ByCases, Telling, has_pictures
from experiments.cost import Work, of_waves
from experiments.drawing import check_draws, draw_many, imagine_one
from experiments.learning import learn_in_waves, run_of
from experiments.looking import drawing_bytes, drawing_of
from experiments.prompts import compared
from experiments.sheets import contact_sheet, small
from experiments.statistics import cell, markdown, signed, unit_means

LEARNED, PLAIN, NAMED = ARMS = ("ConceptLab", "no style", "named")
TEMPLATE = "a painting of {} in the style of {{}}"
OBJECTS = ("a car", "a guitar", "a fish", "an apple", "a turtle", "a butterfly", "a hat", "a rocket")
MEASURES = ("same", "others", "strangers", "known")
Array = npt.NDArray[np.float32]
SCHEMA = pa.schema(
    [
        ("seed", pa.int32()),
        ("arm", pa.string()),
        ("number", pa.int32()),  # of the style in its arm
        ("style", pa.string()),  # the concept's id, or the style's name; "" for none
        ("object", pa.string()),
        ("eyes", pa.string()),  # the stack or the judge
        ("same", pa.float64()),  # mean cosine with the same style's drawings of other objects
        ("others", pa.float64()),  # with other styles' drawings of the same object
        ("strangers", pa.float64()),  # with other styles' drawings of other objects
        ("known", pa.float64()),  # with the drawing of the same object in the named style that is nearest to the style
        ("known_style", pa.string()),  # its name
        ("painting", pa.float64()),  # similarity of the imagined style to the prompts without a style; by the stack
        ("name", pa.float64()),  # to the nearest name; by the stack
        ("nearest_name", pa.string()),
        ("picture", pa.binary()),  # WebP, small, of seed 0, once
    ]
)


@dataclass(frozen=True)
class Protocol(ByCases):
    """styles: learned ones. wave: styles that learn together. objects: with articles; those with words that the stack
    does not know are left out.
    """

    choosing = ("seeds",)

    seeds: int = 3
    category: str = "painting"
    styles: int = 6
    wave: int = 2
    objects: tuple[str, ...] = OBJECTS


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each seed.

    Raises:
        ConceptreeError: the stack cannot draw, lists no styles or does not know the category; or there are too few
            styles or objects.
    """
    backbone, category = bench.backbone, protocol.category
    check_draws(backbone)
    if not backbone.knows(category):
        raise ConceptreeError(f"the stack {backbone.version} does not know the word {category!r}: choose another")
    named = [word for word in backbone.vocabulary.members(category, "style") if not says_again(word, category)]
    named = [word for word in named if backbone.knows(word)]
    if not backbone.vocabulary.lists(category, "style") or len(named) < 2:
        raise ConceptreeError(f"the stack {backbone.version} lists no styles to compare with: choose another")
    if protocol.styles < 2:
        raise ConceptreeError(f"styles = {protocol.styles}: give at least 2")
    for thing in protocol.objects:
        if any(sign in thing for sign in "{}<>|") or TEMPLATE.format(thing) in TEMPLATES["style"]:
            raise ConceptreeError(
                f"object = {thing!r}: styles learn on it, or it has one of the signs {{}}<>|; choose another"
            )
    objects = tuple(thing for thing in dict.fromkeys(protocol.objects) if backbone.knows(thing))
    if len(objects) < 2:
        raise ConceptreeError(
            f"{counted(len(objects), 'object')} that the stack {backbone.version} knows: give at least 2"
        )
    return [Case(protocol, bench, tuple(named), objects, seed) for seed in range(protocol.seeds)]


@dataclass(frozen=True)
class Case(Telling):
    """All arms of one seed. named: the known styles. objects: the ones that the stack knows."""

    protocol: Protocol
    bench: Bench
    named: tuple[str, ...]
    objects: tuple[str, ...]
    seed: int

    @property
    def name(self) -> str:
        return f"{self.protocol.category.replace(' ', '-')}-{self.seed}"

    def work(self) -> Work:
        category, styles = self.protocol.category, self.protocol.styles
        drawings = (2 * styles + len(self.named)) * len(self.objects)
        return Work(drawings=drawings) + of_waves(category, styles, [self._how()], self.bench.namer)

    def rows(self) -> list[dict[str, Any]]:
        return self.seen({LEARNED: self.learned(), PLAIN: [""] * self.protocol.styles, NAMED: list(self.named)})

    def _how(self) -> dict[str, Any]:
        protocol = self.protocol
        return {
            "kind": "style",
            "wave": protocol.wave,
            "seed": self.seed,
            "settings": protocol.settings_for(self.bench.backbone, protocol.category, kind="style"),
            "schedule": "adaptive",
        }

    def learned(self) -> list[Concept]:
        """New styles, as `conceptree seed --style` makes them: all start at the category's word."""
        protocol, bench = self.protocol, self.bench
        run = run_of(bench, self.name, protocol.category, "style")
        arms = {LEARNED: self._how()}
        found = learn_in_waves(run, protocol.category, protocol.styles, arms, bench, self._tell, bench.namer)
        return found[LEARNED]

    @torch.no_grad()
    def seen(self, arms: dict[str, Sequence[Concept | str]]) -> list[dict[str, Any]]:
        """A row of `SCHEMA` for each drawing and each of the eyes."""
        drawn = {}
        for arm, of in arms.items():
            self._tell(f"drawing {arm}, {len(of)} on {len(self.objects)} objects")
            drawn[arm] = self._drawn(arm, of)
        words = {arm: self._words(of) for arm, of in arms.items()}
        rows = []
        for name, sees in self.bench.eyes.items():
            units = {
                arm: sees.embed(pictures).numpy().reshape(len(arms[arm]), len(self.objects), -1)
                for arm, pictures in drawn.items()
            }
            for arm, of in arms.items():
                found = compared(units[arm][:, :, None])
                known, which = nearest_known(units[arm], units[NAMED], arm == NAMED)
                for place, (number, thing) in enumerate(np.ndindex(len(of), len(self.objects))):
                    one = of[number]
                    painting, value, word = words[arm][number]
                    stack = name == "stack"
                    rows.append(
                        {
                            "seed": self.seed,
                            "arm": arm,
                            "number": number,
                            "style": one if isinstance(one, str) else one.id,
                            "object": self.objects[thing],
                            "eyes": name,
                            **{each: float(found[each][number, thing, 0]) for each in MEASURES[:3]},
                            "known": float(known[number, thing]),
                            "known_style": self.named[which[number]],
                            "painting": painting if stack else None,
                            "name": value if stack else None,
                            "nearest_name": word if stack else None,
                            "picture": drawing_bytes([drawn[arm][place]]) if stack and self.seed == 0 else None,
                        }
                    )
        return rows

    def _drawn(self, arm: str, of: Sequence[Concept | str]) -> list[Any]:
        """Pictures [styles × objects] with the same seeds for every style, or with others each time in `PLAIN`."""
        seeds = [
            [
                stream_seed(self.seed, number, f"styles {place}" if arm == PLAIN else "styles")
                for number in range(len(self.objects))
            ]
            for place in range(len(of))
        ]
        backbone, prompts = self.bench.backbone, [TEMPLATE.format(thing) for thing in self.objects]
        settings = Settings.for_stack(backbone, kind="style", **self.protocol.settings)
        pairs = zip(of, seeds, strict=True)
        imagined = torch.cat([imagine_one(backbone, one, prompts, own, settings) for one, own in pairs])
        return draw_many(backbone, imagined, [seed for own in seeds for seed in own])

    def _words(self, of: Sequence[Concept | str]) -> list[tuple[float | None, float | None, str | None]]:
        """Each style's (similarity to a painting without a style, to the nearest name, that name), imagined on the
        panel. A named style's own name does not count.
        """
        backbone = self.bench.backbone
        bank = WordBank(backbone.encode_text, backbone.width)
        texts = bank.panels("style", ["", *self.named])
        found: list[tuple[float | None, float | None, str | None]] = []
        for one in of:
            if one == "":
                found.append((None, None, None))
                continue
            if isinstance(one, str):
                panel = imagine_word(backbone, "style", one)
            else:
                panel = imagine_panel(backbone, "style", torch.from_numpy(one.vectors.copy())[None].to(backbone.device))
            painting, *near = word_similarity(panel, texts)[0].tolist()
            likeness, word = max((value, word) for value, word in zip(near, self.named, strict=True) if word != one)
            found.append((painting, likeness, word))
        return found


def nearest_known(unit: Array, named: Array, itself: bool) -> tuple[Array, npt.NDArray[np.intp]]:
    """(cosines [styles, objects] with the same objects in the nearest named style, its number [styles]).

    unit, named: unit embeddings [styles, objects, width]. The nearest is by the mean over the objects. itself: `unit`
    are the named styles, so the nearest other one counts.
    """
    found = np.einsum("sod,nod->sno", unit, named)
    means = found.mean(-1)
    if itself:
        np.fill_diagonal(means, -np.inf)
    which = means.argmax(1)
    return found[np.arange(len(unit)), which], which


def summary(table: pa.Table) -> str:
    """In Markdown: the finding, a table for each of the eyes, and the nearest styles to those of seed 0."""
    rows = [
        {**row, "stays": row["same"] - row["strangers"], "effect": row["others"] - row["strangers"]}
        for row in table.drop_columns(["picture"]).to_pylist()
    ]
    measures = (*MEASURES, "stays", "effect")
    found = {name: unit_means(rows, ["eyes", "arm"], name, ["seed"]) for name in measures}
    near = {name: [found["known"][name, arm] for arm in ARMS] for name in ("stack", "judge")}
    lines = [
        "A new style's drawings are like those of the same object in the nearest named style by"
        f" {' and '.join(f'{cell(values[0])} to the {name}' for name, values in near.items())}; a named style's like"
        f" those in the nearest other one by {' and '.join(cell(values[2]) for values in near.values())}.",
        "",
        f"Means over {counted(len(near['stack'][0]), 'seed')}, of drawings, 95 % bootstrap intervals where there are"
        " several. The judge looks at drawings, and is asked for no style by its name. style: same style, other"
        " objects − other styles, other objects; object: other styles, same object − other styles, other objects;"
        " nearest named: same"
        " object, nearest (other) named style.",
    ]
    header = ["arm", "same style", "same object", "neither", "nearest named", "style", "object"]
    for eyes in near:
        cells_of = []
        for arm in ARMS:
            cells = [cell(found[name][eyes, arm]) for name in MEASURES]
            cells += [signed(found[name][eyes, arm]) for name in ("stays", "effect")]
            cells_of.append([arm, *cells])
        lines += ["", f"By the {eyes}:", "", *markdown(header, cells_of)]
    words = [row for row in rows if row["eyes"] == "stack" and row["arm"] != PLAIN]
    imagined = {name: unit_means(words, ["arm"], name, ["seed"]) for name in ("painting", "name")}
    header = ["arm", "a painting without a style", "nearest (other) name"]
    cells_of = [[arm, *(cell(values[arm,]) for values in imagined.values())] for arm in (LEARNED, NAMED)]
    lines += ["", "What is imagined, to the stack:", "", *markdown(header, cells_of)]
    header = ["style of seed 0", "nearest name", "drawn most like, to the stack", "to the judge"]
    cells_of = []
    first = [row for row in rows if row["seed"] == 0 and row["arm"] == LEARNED]
    for number in sorted({row["number"] for row in first}):
        of = {row["eyes"]: row for row in first if row["number"] == number}
        cells = [of["stack"]["nearest_name"], of["stack"]["known_style"], of["judge"]["known_style"]]
        cells_of.append([str(number + 1), *cells])
    return "\n".join([*lines, "", *markdown(header, cells_of), ""])


def figures(table: pa.Table) -> dict[str, Any]:
    """`sheet`: seed 0's new styles on all objects. `named`: the named styles on the same objects."""
    if not has_pictures(table):
        return {}
    rows = [row for row in table.to_pylist() if row["picture"]]
    titles = {
        "sheet": ((PLAIN, LEARNED), "Each row is one new style; the first one has none"),
        "named": ((NAMED,), "The named styles, on the same objects"),
    }
    return {title: _sheet([row for row in rows if row["arm"] in arms], said) for title, (arms, said) in titles.items()}


def _sheet(rows: Sequence[dict[str, Any]], title: str) -> Any:
    styles = sorted(
        {(row["arm"] != PLAIN, row["number"], row["style"]) for row in rows if row["arm"] != PLAIN or not row["number"]}
    )
    objects = list(dict.fromkeys(row["object"] for row in rows))
    shown = {(row["arm"] != PLAIN, row["number"], row["object"]): drawing_of(row["picture"]) for row in rows}
    pictures = [[small(shown[styled, number, thing]) for thing in objects] for styled, number, _ in styles]
    learned = {row["style"] for row in rows if row["arm"] == LEARNED}
    labels = [
        f"style {number + 1}" if style in learned else (style if styled else "no style")
        for styled, number, style in styles
    ]
    return contact_sheet(pictures, labels, objects, title)
