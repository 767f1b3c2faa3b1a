"""Figure 12 and further prompts: whether a concept stays the same, and whether the prompt has its effect.

For each category and seed there are three arms of equally many concepts, drawn in the same prompts with the same seeds:

    ConceptLab         founders in waves and from different starts, as in `conceptree seed`; their negatives are the
                       nearest words of the stack's vocabulary
    without the prior  the same with constraints on the text embedding (CLIP-ConceptLab of Fig. 12)
    words              known members of the category, without learning: the consistency of the stack itself

Each drawing is compared with three others: of the same concept in other prompts ("same"), of other concepts in the same
prompt ("others"), and of other concepts in other prompts ("strangers"), by the stack's image encoder and by a judge.
If a concept stays the same, "same" is above "others"; if a prompt has an effect, "others" is above "strangers".
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
from core.prompts import TEMPLATES
from core.streams import stream
from core.wording import counted
from evolve.population import starts
from experiments.categories import TEN
from experiments.conduct import Bench, ByCases, SeededCase, categories_by_seed, has_pictures
from experiments.cost import Work, of_waves
from experiments.drawing import check_draws, draw_many, imagine_one
from experiments.learning import learn_in_waves, run_of
from experiments.looking import drawing_bytes, drawing_of, known_members
from experiments.sheets import bar, contact_sheet, small
from experiments.statistics import (
    BY_CATEGORY,
    between,
    cell,
    markdown,
    over_categories,
    student,
    there,
    unit_means,
)

LEARNED, TEXT, WORDS = ARMS = ("ConceptLab", "without the prior", "words")
PROMPTS = (
    "a photo of a {}",
    "a digital cartoon art of a {}",
    "a pencil sketch of a {}",
    "an oil painting of a {}",
    "a watercolor painting of a {}",
    "pixel art of a {}",
    "a black and white photo of a {}",
    "a silhouette of a {}",
    "a neon sign of a {}",
    "a photo of a {} on a yellow background",
    "a photo of a {} on a purple background",
    "a photo of a {} in the snow",
    "a gold statue of a {}",
    "a stone statue of a {}",
)
MEASURES = ("same", "others", "strangers")
Array = npt.NDArray[np.float32]
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("arm", pa.string()),
        ("number", pa.int32()),  # of the concept in its arm
        ("concept", pa.string()),  # its id, or the word
        ("prompt", pa.string()),
        ("learned_in", pa.bool_()),  # whether concepts learn in this prompt
        ("drawing", pa.int32()),  # of the concept in this prompt
        ("eyes", pa.string()),  # the stack or the judge
        ("same", pa.float64()),  # mean cosine with the same concept's drawings in other prompts
        ("others", pa.float64()),  # with other concepts' drawings in the same prompt
        ("strangers", pa.float64()),  # with other concepts' drawings in other prompts
        ("recognised", pa.float64()),  # 1 where the nearest of the concepts, by their other prompts, is its own; else 0
        ("belongs", pa.float64()),  # similarity to the category's word
        ("picture", pa.binary()),  # WebP, small: of the first drawings of seed 0, once
    ]
)


@dataclass(frozen=True)
class Protocol(ByCases):
    """concepts: of each arm. wave: concepts that learn together. pictures: of each concept in each prompt.

    prompts: with `{}` for the concept; those with words that the stack does not know are left out.
    """

    categories: tuple[str, ...] = TEN
    seeds: int = 1
    concepts: int = 6
    wave: int = 2
    pictures: int = 1
    prompts: tuple[str, ...] = PROMPTS


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category and seed.

    Raises:
        ConceptreeError: the stack cannot draw, a category is unknown, or there are too few concepts or prompts.
    """
    check_draws(bench.backbone)
    for prompt in protocol.prompts:
        if prompt.count("{}") != 1 or any(sign in prompt.replace("{}", "") for sign in "{}<>|"):
            raise ConceptreeError(f"prompt = {prompt!r}: write {{}} for the concept, once")
    known = tuple(prompt for prompt in protocol.prompts if bench.backbone.knows(prompt.replace("{}", " ")))
    if len(known) < 2 or len(set(known)) < len(known):
        different = counted(len(set(known)), "different prompt")
        raise ConceptreeError(f"the stack {bench.backbone.version} knows {different}: give at least 2, each once")
    for category in protocol.categories:
        words = known_members(bench, category)
        if not 2 <= protocol.concepts <= len(words):
            raise ConceptreeError(
                f"concepts = {protocol.concepts}: give from 2 to {len(words)}, as many as {category!r} has"
            )
    return [Case(protocol, bench, category, seed, known) for category, seed in categories_by_seed(protocol)]


@dataclass(frozen=True)
class Case(SeededCase):
    """All arms for one category and seed. prompts: the ones that the stack knows."""

    protocol: Protocol
    prompts: tuple[str, ...]

    def work(self) -> Work:
        count = self.protocol.concepts
        drawings = len(ARMS) * count * len(self.prompts) * self.protocol.pictures
        return Work(drawings=drawings) + of_waves(self.category, count, list(self._arms().values()))

    def rows(self) -> list[dict[str, Any]]:
        return self.seen(self.learned())

    def _arms(self) -> dict[str, dict[str, Any]]:
        how = {"wave": self.protocol.wave, "seed": self.seed, "schedule": "adaptive"}
        through_prior = {LEARNED: True, TEXT: False}
        return {arm: {**how, "settings": self._settings(through_prior=each)} for arm, each in through_prior.items()}

    def learned(self) -> dict[str, Sequence[Concept | str]]:
        """The concepts or words of each arm."""
        run, count = run_of(self.bench, self.name, self.category), self.protocol.concepts
        words = starts(self.bench.backbone, self.category, seed=self.seed)
        arms = {arm: {**how, "initializers": words} for arm, how in self._arms().items()}
        found: dict[str, Sequence[Concept | str]] = {}
        found |= learn_in_waves(run, self.category, count, arms, self.bench, self._tell)
        words = known_members(self.bench, self.category)
        order = stream(self.seed, 0, "words").permutation(len(words))[:count]
        return found | {WORDS: [words[i] for i in order]}

    @torch.no_grad()
    def seen(self, arms: dict[str, Sequence[Concept | str]]) -> list[dict[str, Any]]:
        """A row of `SCHEMA` for each drawing and each of the eyes."""
        rows = []
        for arm, of in arms.items():
            self._tell(f"drawing {arm}, {len(of)} in {len(self.prompts)} prompts")
            pictures = self._drawn(of)
            for name, sees in self.bench.eyes.items():
                shape = (len(of), len(self.prompts), self.protocol.pictures)
                found = compared(sees.embed(pictures).numpy().reshape(*shape, -1))
                belongs = sees.similarity(pictures, [self.category])[:, 0].tolist()
                for place, (number, prompt, drawing) in enumerate(np.ndindex(shape)):
                    one = of[number]
                    shown = name == "stack" and self.seed == drawing == 0
                    rows.append(
                        {
                            "category": self.category,
                            "seed": self.seed,
                            "arm": arm,
                            "number": number,
                            "concept": one if isinstance(one, str) else one.id,
                            "prompt": self.prompts[prompt],
                            "learned_in": self.prompts[prompt] in TEMPLATES["object"],
                            "drawing": drawing,
                            "eyes": name,
                            **{each: float(values[number, prompt, drawing]) for each, values in found.items()},
                            "belongs": belongs[place],
                            "picture": drawing_bytes([small(pictures[place])]) if shown else None,
                        }
                    )
        return rows

    def _drawn(self, of: Sequence[Concept | str]) -> list[Any]:
        """Pictures [concepts × prompts × pictures], the same seeds for every concept."""
        prompts = [prompt for prompt in self.prompts for _ in range(self.protocol.pictures)]
        seeds = self._seeds(len(prompts), "prompts")
        backbone, settings = self.bench.backbone, self._settings()
        imagined = torch.cat([imagine_one(backbone, each, prompts, seeds, settings) for each in of])
        return draw_many(backbone, imagined, seeds * len(of))


def compared(unit: Array) -> dict[str, Array]:
    """`MEASURES` and `recognised` [concepts, prompts, drawings] of unit embeddings [concepts, prompts, drawings,
    width].

    recognised: 1 if the nearest centroid is the drawing's own concept; centroids leave out the drawing's prompt.
    """
    concepts, prompts, drawings, _ = unit.shape
    here = unit.sum(2)  # [c, p, d]
    own, same_prompt, everything = here.sum(1), here.sum(0), here.sum((0, 1))
    sums = {
        "same": (own[:, None] - here, (prompts - 1) * drawings),
        "others": (same_prompt[None] - here, (concepts - 1) * drawings),
        "strangers": (
            everything - own[:, None] - same_prompt[None] + here,
            (concepts - 1) * (prompts - 1) * drawings,
        ),
    }
    found = {name: np.einsum("cpsd,cpd->cps", unit, total) / count for name, (total, count) in sums.items()}
    centroids = own[:, None] - here
    centroids /= np.linalg.norm(centroids, axis=-1, keepdims=True)
    nearest = np.einsum("cpsd,kpd->cpsk", unit, centroids).argmax(-1)
    return found | {"recognised": (nearest == np.arange(concepts)[:, None, None]).astype(np.float32)}


def summary(table: pa.Table) -> str:
    """In Markdown: the findings, a table for each of the eyes, and one of the prompts."""
    rows = _with_differences(table)
    units = {eyes: [row for row in rows if row["eyes"] == eyes] for eyes in dict.fromkeys(r["eyes"] for r in rows)}
    judge = units["judge"]
    same, known = (unit_means(judge, ["arm"], name, BY_CATEGORY) for name in ("same", "recognised"))
    chance = 1 / (1 + max(row["number"] for row in rows))
    lines = [
        "By the judge a concept's drawings in different prompts have a similarity of"
        f" {between(same[LEARNED,], student)}; minus that without the prior: "
        f"{over_categories(same[LEARNED,] - same[TEXT,])}. For words it is {between(same[WORDS,], student)}.",
        f"{_share(known[LEARNED,])} of its drawings are nearest to their own concept, {_share(known[TEXT,])} without"
        f" the prior, {_share(known[WORDS,])} of words; by chance {chance:.0%}.",
        "",
        f"Means over {counted(len(same[LEARNED,]), 'category', 'categories')}, of drawings, with Student's 95 %"
        " intervals; of a difference, in how many categories it has the mean's sign. stays: same concept, other prompts"
        " − other concepts, same prompt. effect of the prompt: other concepts, same prompt − other concepts, other"
        " prompts.",
    ]
    header = ["arm", "same concept", "same prompt", "neither", "stays", "effect of the prompt", "recognised", "belongs"]
    for eyes, of in units.items():
        names = (*MEASURES, "stays", "effect", "recognised", "belongs")
        found = {name: unit_means(of, ["arm"], name, BY_CATEGORY) for name in names}
        cells_of = []
        for arm in ARMS:
            cells = [cell(found[name][arm,]) for name in MEASURES]
            cells += [over_categories(found[name][arm,]) for name in ("stays", "effect")]
            cells += [_share(found["recognised"][arm,]), cell(found["belongs"][arm,])]
            cells_of.append([arm, *cells])
        lines += ["", f"By the {eyes}:", "", *markdown(header, cells_of)]
    header = ["prompt", "learned in", *(f"{name}, by the {eyes}" for eyes in units for name in ("stays", "recognised"))]
    cells_of = []
    by_prompt = {
        (eyes, name): unit_means([row for row in of if row["arm"] == LEARNED], ["prompt"], name, BY_CATEGORY)
        for eyes, of in units.items()
        for name in ("stays", "recognised")
    }
    for prompt, learned_in in dict.fromkeys((row["prompt"], row["learned_in"]) for row in rows):
        cells = [
            _share(values[prompt,]) if name == "recognised" else cell(values[prompt,])
            for (_, name), values in by_prompt.items()
        ]
        cells_of.append([prompt.replace("{}", "…"), "yes" if learned_in else "no", *cells])
    return "\n".join([*lines, "", "Concepts in each prompt:", "", *markdown(header, cells_of), ""])


def figures(table: pa.Table) -> dict[str, Any]:
    """`prompts`: the three similarities in each prompt. `sheet`: the first category's concepts in all prompts."""
    from matplotlib.figure import Figure

    rows = [row for row in table.to_pylist() if row["arm"] == LEARNED]
    prompts = list(dict.fromkeys(row["prompt"] for row in rows))
    figure = Figure(figsize=(11.5, 1.6 + 0.33 * len(prompts)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    looks = {
        "same": ("#1f6f5c", "same concept, other prompts"),
        "others": ("#b5651d", "other concepts, same prompt"),
        "strangers": ("#8a8a8a", "other concepts, other prompts"),
    }
    for axis, eyes in zip(axes, ("stack", "judge"), strict=True):
        of = [row for row in rows if row["eyes"] == eyes]
        for measure, (colour, label) in looks.items():
            found = unit_means(of, ["prompt"], measure, BY_CATEGORY)
            for place, prompt in enumerate(prompts):
                bar(axis, found[prompt,], place, colour, how=student, label=None if place else label)
        axis.set_title(f"seen by the {eyes}")
        axis.set_xlabel("mean cosine of drawings")
    axes[0].set_yticks(range(len(prompts)), [prompt.replace("{}", "…") for prompt in prompts])
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return {"prompts": figure, **({"sheet": _sheet(rows, prompts)} if has_pictures(table) else {})}


def _sheet(rows: Sequence[dict[str, Any]], prompts: Sequence[str]) -> Any:
    shown = [row for row in rows if row["picture"] and row["category"] == rows[0]["category"]]
    numbers = sorted({row["number"] for row in shown})
    found = {(row["number"], row["prompt"]): drawing_of(row["picture"]) for row in shown}
    pictures = [[found.get((number, prompt)) for prompt in prompts] for number in numbers]
    title = f"Each row is one concept, a {rows[0]['category']} that was learned; each column a prompt"
    columns = [prompt.replace("{}", "…") for prompt in prompts]
    return contact_sheet(pictures, [f"concept {number + 1}" for number in numbers], columns, title)


def _with_differences(table: pa.Table) -> list[dict[str, Any]]:
    rows = table.drop_columns(["picture"]).to_pylist()
    return [{**row, "stays": row["same"] - row["others"], "effect": row["others"] - row["strangers"]} for row in rows]


def _share(values: Any) -> str:
    return f"{np.mean(there(values)):.0%}"
