"""Figure 11 of arXiv 2308.02669: similarity to a category and to two negatives, against negative prompts.

For each category, pair of negatives and seed, all methods draw "A photo of a …" from the same seeds:

    ours                 a concept that learned with these two negatives from the start
    prior negation       no learning: the prior negates "A photo of a cat, dog" (the paper's Kandinsky)
    decoder negation     no learning: only the decoder negates it; replaces Stable Diffusion, see core/baselines.py
    Stable Diffusion     its negative prompt, if a model is given
    plain prompt         no learning, no negatives
    ours, no negatives   a concept that learned without negatives

The last two methods have one set of drawings for all pairs of a category. Each drawing is compared with "a photo of
a …" of the category and of its two negatives: belongs is the first similarity, nearest the higher of the others, margin
their difference. The paper does not say whether it takes the higher one of each image or of their mean; here it is of
each image.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from core.baselines import PROMPT, imagine_apart, imagine_with_negation, negation, stable_diffusion_negation
from core.concept import Concept, Request
from core.errors import ConceptreeError
from core.stack.diffusion import StableDiffusion
from evolve.population import founder_seed
from experiments.conduct import Bench, ByCases, SeededCase, categories_by_seed, has_pictures
from experiments.cost import Work, of_learning
from experiments.drawing import check_draws, draw_concepts, draw_many
from experiments.learning import learn, run_of
from experiments.statistics import between, markdown, signed, unit_means

OURS, PRIOR, DECODER, DIFFUSION = "ours", "prior negation", "decoder negation", "Stable Diffusion"
PLAIN, ALONE = "plain prompt", "ours, no negatives"
METHODS = (OURS, PRIOR, DECODER, DIFFUSION, PLAIN, ALONE)
MEASURES = ("belongs", "nearest", "margin")
EYES = {"stack": "the stack's own CLIP, as in the paper", "judge": "the independent judge"}
# The six members of each category most similar to plain drawings of it, by the embedded stack and its judge. One word
# for each kind of thing, and no name that is also a category ("bird").
PAIRS: dict[str, tuple[tuple[str, ...], ...]] = {
    "pet": (("cat", "dog"), ("horse", "hamster"), ("chipmunk", "goat")),
    "plant": (("cactus", "herb"), ("shamrock", "blossom"), ("leaves", "seedling")),
    "fruit": (("peach", "tangerine"), ("apple", "tomato"), ("mango", "strawberry")),
    "furniture": (("ladder", "file cabinet"), ("seat", "door"), ("framed picture", "chair")),
    "musical instrument": (("violin", "guitar"), ("trombone", "flute"), ("saxophone", "harp")),
}
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("negatives", pa.string()),  # "cat, dog"
        ("seed", pa.int32()),
        ("method", pa.string()),
        ("concept", pa.string()),  # its id; "" where nothing is learned
        ("drawing", pa.int32()),
        ("eyes", pa.string()),  # who sees: the stack or the judge
        ("belongs", pa.float64()),
        ("nearest", pa.float64()),
        ("nearest_word", pa.string()),
        ("margin", pa.float64()),
        ("picture", pa.binary()),  # small PNG, of the first drawings of the first seed
    ]
)
SHOWN, SIDE = 3, 96  # pictures of each method, and their side in pixels at most
_MARKERS = {"pet": "o", "plant": "s", "fruit": "*", "furniture": "P", "musical instrument": "^"}
_COLOURS = dict(zip(METHODS, ("#1f6f5c", "#b5651d", "#4467a5", "#8a4a8f", "#8c8c8c", "#7fbf9f"), strict=True))


@dataclass(frozen=True)
class Protocol(ByCases):
    """pairs: the sets of negatives of each category. pictures: of each seed, for each set of negatives.

    stable_diffusion: its folder or id; "" for none.
    """

    categories: tuple[str, ...] = tuple(PAIRS)
    seeds: int = 5
    pairs: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=lambda: PAIRS)
    pictures: int = 32
    stable_diffusion: str = ""
    preset: str = "default"


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category and seed.

    Raises:
        ConceptreeError: the stack cannot draw; a category has no negatives, or negatives that are too long; the stack
            or the judge does not know a word; or there is no such Stable Diffusion.
    """
    check_draws(bench.backbone)
    for category in protocol.categories:
        _check(protocol, bench, category)
    where = protocol.stable_diffusion
    diffusion = StableDiffusion.load(where, bench.backbone) if where else None
    found = [Case(protocol, bench, category, seed, diffusion) for category, seed in categories_by_seed(protocol)]
    for case in found:
        case.requests(case.seed)
    return found


def _check(protocol: Protocol, bench: Bench, category: str) -> None:
    pairs = protocol.pairs.get(category, ())
    if not pairs:
        raise ConceptreeError(f"the category {category!r} has no negatives: add --pair '{category}:ONE,TWO'")
    words = [category, *_distinct(pairs)]
    for word in words:
        if not bench.backbone.knows(word):
            raise ConceptreeError(f"the stack {bench.backbone.version} does not know the word {word!r}: choose another")
    bench.backbone.encode_text([negation(category, pair)[1] for pair in pairs])  # raises if one is too long
    bench.judge.similarity([Image.new("RGB", (64, 64))], words)  # raises if it does not know a word


def _distinct(pairs: Sequence[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(word for pair in pairs for word in pair))


@dataclass(frozen=True)
class Case(SeededCase):
    """All pairs and methods for one category and seed."""

    protocol: Protocol
    diffusion: StableDiffusion | None = None

    @property
    def group(self) -> str:
        """The concepts of all seeds learn together, in one run."""
        return self.category.replace(" ", "-")

    @property
    def pairs(self) -> list[tuple[str, ...]]:
        return [tuple(pair) for pair in self.protocol.pairs[self.category]]

    def work(self) -> Work:
        """The concepts of all seeds are counted with the first seed."""
        drawings = self.protocol.pictures * (len(self.pairs) * (4 if self.diffusion else 3) + 2)
        return Work(drawings=drawings) + of_learning([] if self.seed else self._all_requests())

    def rows(self) -> list[dict[str, Any]]:
        found = []
        for method, pairs, concept, pictures in self.drawn(self.learned()):
            found += self.seen(method, pairs, concept, pictures)
        return found

    def requests(self, seed: int) -> list[Request]:
        """One for each pair, and one without negatives. All start at the category's word, as in the paper."""
        settings = self._settings(self.protocol.preset)
        return [
            Request(
                self.category,
                negatives=pair,
                schedule="list" if pair else "none",
                seed=founder_seed(seed, number),
                settings=settings,
            )
            for number, pair in enumerate([*self.pairs, ()])
        ]

    def _all_requests(self) -> list[Request]:
        return [request for seed in range(self.protocol.seeds) for request in self.requests(seed)]

    def learned(self) -> list[Concept]:
        """The seed's concepts, one for each request. The concepts of all seeds learn together."""
        run, what = run_of(self.bench, self.group, self.category), f"the concepts of {self.protocol.seeds} seeds"
        concepts = learn(run, self._all_requests(), self.bench, what, self._tell)
        size = len(self.pairs) + 1
        return concepts[self.seed * size : (self.seed + 1) * size]

    def drawn(
        self, concepts: Sequence[Concept]
    ) -> Iterator[tuple[str, list[tuple[str, ...]], Concept | None, list[Any]]]:
        """(method, the pairs that its pictures are for, its concept or None, pictures) of each method."""
        stack, category = self.bench.backbone, self.category
        seeds = self._seeds(self.protocol.pictures, "figure 11")
        *ours, alone = concepts
        for pair, concept in zip(self.pairs, ours, strict=True):
            self._tell(f"drawing, not {' and not '.join(pair)}")
            yield OURS, [pair], concept, self._of(concept, seeds)
            yield PRIOR, [pair], None, draw_many(stack, imagine_with_negation(stack, category, pair, seeds), seeds)
            embeds, unlike = imagine_apart(stack, category, pair, seeds)
            yield DECODER, [pair], None, draw_many(stack, embeds, seeds, unlike)
            if self.diffusion is not None:
                yield DIFFUSION, [pair], None, stable_diffusion_negation(self.diffusion, category, pair, seeds)
        self._tell("drawing without negatives")
        yield PLAIN, self.pairs, None, draw_many(stack, stack.imagine(PROMPT.format(category), seeds=seeds), seeds)
        yield ALONE, self.pairs, alone, self._of(alone, seeds)

    def _of(self, concept: Concept, seeds: Sequence[int]) -> list[Any]:
        return draw_concepts(self.bench.backbone, [concept], [PROMPT] * len(seeds), [seeds])[0]

    def seen(
        self, method: str, pairs: Sequence[tuple[str, ...]], concept: Concept | None, pictures: Sequence[Any]
    ) -> list[dict[str, Any]]:
        """A row for each picture, pair and pair of eyes, as in `SCHEMA`."""
        words = _distinct(pairs)
        rows = []
        for eyes, of in self.bench.eyes.items():
            for drawing, (own, *others) in enumerate(of.similarity(pictures, [self.category, *words]).tolist()):
                found = dict(zip(words, others, strict=True))
                for pair in pairs:
                    nearest = max(pair, key=found.__getitem__)
                    rows.append(
                        {
                            "category": self.category,
                            "negatives": ", ".join(pair),
                            "seed": self.seed,
                            "method": method,
                            "concept": concept.id if concept else "",
                            "drawing": drawing,
                            "eyes": eyes,
                            "belongs": own,
                            "nearest": found[nearest],
                            "nearest_word": nearest,
                            "margin": own - found[nearest],
                            "picture": self._small(drawing, pictures[drawing]) if eyes == "stack" else None,
                        }
                    )
        return rows

    def _small(self, drawing: int, picture: Any) -> bytes | None:
        if self.seed or drawing >= SHOWN:
            return None
        small, content = picture.convert("RGB"), io.BytesIO()
        small.thumbnail((SIDE, SIDE))
        small.save(content, "PNG")
        return content.getvalue()


def summary(table: pa.Table) -> str:
    """In Markdown: in how many categories ours is ahead; then for each of the eyes the means of all methods, and by how
    much ours is ahead, in all and in each category.
    """
    rows = table.drop_columns(["picture"]).to_pylist()
    methods = _methods(rows)
    lines = [*_finding(rows, methods), "", _protocol(rows), ""]
    for eyes, who in EYES.items():
        seen = [row for row in rows if row["eyes"] == eyes]
        lines += [f"By {who}:", "", *_whole(seen, methods), "", *_by_category(seen, methods), ""]
    return "\n".join(lines)


def _methods(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    there = {row["method"] for row in rows}
    return [method for method in METHODS if method in there]


def _baselines(methods: Sequence[str]) -> list[str]:
    """The methods with negatives, with which the paper compares."""
    return [method for method in methods if method in (PRIOR, DECODER, DIFFUSION)]


def _finding(rows: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[str]:
    """In how many categories ours is ahead of each baseline."""
    compared = [(eyes, measure) for eyes in EYES for measure in ("belongs", "margin")]
    rows_of = []
    for method in _baselines(methods):
        cells = []
        for eyes, measure in compared:
            means = unit_means([row for row in rows if row["eyes"] == eyes], ["method"], measure, ["category"])
            ahead = means[OURS,] > means[method,]
            cells.append(f"in {ahead.sum()} of {len(ahead)} categories")
        rows_of.append([method, *cells])
    return markdown(["ours is ahead of", *(f"{measure}, by the {eyes}" for eyes, measure in compared)], rows_of)


def _protocol(rows: Sequence[Mapping[str, Any]]) -> str:
    pairs = {(row["category"], row["negatives"]) for row in rows}
    seeds, drawings = ({row[name] for row in rows} for name in ("seed", "drawing"))
    return (
        f"Pairs of negatives: {len(pairs)}, in {len({each for each, _ in pairs})} categories; seeds: {len(seeds)};"
        f" drawings of each seed, for each pair by each method: {len(drawings)}. belongs: similarity to the category;"
        " nearest: to that of the negatives which a drawing is most like; margin: belongs − nearest, of each drawing."
        " Means over the pairs, with 95 % bootstrap intervals over them; of one category, over its pairs and seeds."
    )


def _whole(seen: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[str]:
    found = {measure: unit_means(seen, ["method"], measure, ["category", "negatives"]) for measure in MEASURES}
    rows = []
    for method in methods:
        cells = [between(found[measure][method,]) for measure in MEASURES]
        ahead = [signed(found[measure][OURS,] - found[measure][method,]) for measure in ("belongs", "margin")]
        rows.append([method, *cells, *(ahead if method != OURS else ["", ""])])
    return markdown(["method", *MEASURES, "ours − it: belongs", "ours − it: margin"], rows)


def _by_category(seen: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[str]:
    others = [*_baselines(methods), PLAIN]
    measures = ("belongs", "margin")
    rows = []
    for category in dict.fromkeys(row["category"] for row in seen):
        of = [row for row in seen if row["category"] == category]
        found = {measure: unit_means(of, ["method"], measure, ["negatives", "seed"]) for measure in measures}
        ahead = [found[measure][OURS,] - found[measure][method,] for method in others for measure in measures]
        rows.append([category, *map(signed, ahead)])
    return markdown(["category", *(f"{m}: ours − {method}" for method in others for m in measures)], rows)


def figures(table: pa.Table) -> dict[str, Any]:
    """`scatter`: the paper's Figure 11, a panel for each of the eyes. `examples`: the first drawings of each category's
    first pair.
    """
    rows = table.drop_columns(["picture"]).to_pylist()
    return {"scatter": _scatter(rows), **({"examples": _examples(table)} if has_pictures(table) else {})}


def _scatter(rows: Sequence[Mapping[str, Any]]) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    methods = _methods(rows)
    categories = list(dict.fromkeys(row["category"] for row in rows))
    markers = {each: _MARKERS.get(each, "DvX<>"[place % 5]) for place, each in enumerate(categories)}
    figure = Figure(figsize=(11.5, 5.4), layout="constrained")
    for axis, (eyes, who) in zip(figure.subplots(1, 2), EYES.items(), strict=True):
        seen = [row for row in rows if row["eyes"] == eyes]
        for keys, size, alpha in ((["method", "category", "negatives"], 6.5, 0.5), (["method", "category"], 11, 1.0)):
            x, y = (unit_means(seen, keys, measure, ["eyes"]) for measure in ("belongs", "margin"))
            for key in x:
                axis.plot(
                    x[key], y[key], markers[key[1]], color=_COLOURS[key[0]], ms=size, alpha=alpha, mec="white", mew=0.6
                )
        axis.axhline(0, color="#cccccc", linewidth=0.8, zorder=0)
        axis.set_title(f"by {who}", fontsize=10)
        axis.set_xlabel("similarity to the category")
        axis.set_ylabel("… minus that to the nearest negative")
    shapes = [Line2D([], [], color="#555555", marker=markers[each], ls="", ms=8, label=each) for each in categories]
    dots = [Line2D([], [], color=_COLOURS[each], marker="o", ls="", ms=8, label=each) for each in methods]
    small = Line2D([], [], color="#555555", marker="o", ls="", ms=4, alpha=0.5, label="one pair of negatives")
    handles = [*dots, *shapes, small]
    figure.legend(handles=handles, loc="outside lower center", ncols=(len(handles) + 1) // 2, frameon=False)
    return figure


def _examples(table: pa.Table) -> Any:
    from matplotlib.figure import Figure

    shown = table.filter([value is not None for value in table.column("picture").to_pylist()]).to_pylist()
    methods = _methods(shown)
    first: dict[str, str] = {}
    for row in shown:
        first.setdefault(row["category"], row["negatives"])
    figure = Figure(figsize=(12.0, 0.6 + 0.78 * max(1, len(first))), layout="constrained")
    grid = figure.subplots(max(1, len(first)), max(1, len(methods)), squeeze=False)
    for axis in grid.flat:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_frame_on(False)
    for line, (category, negatives) in zip(grid, first.items(), strict=False):
        line[0].set_ylabel(f"{category},\nnot {negatives}", rotation=0, ha="right", va="center", fontsize=8)
        for axis, method in zip(line, methods, strict=True):
            own = [r for r in shown if (r["category"], r["negatives"], r["method"]) == (category, negatives, method)]
            pictures = [Image.open(io.BytesIO(row["picture"])) for row in own]
            axis.imshow(np.concatenate([np.asarray(each) for each in pictures], axis=1))
    for axis, method in zip(grid[0], methods, strict=False):
        axis.set_title(method, fontsize=9)
    return figure
