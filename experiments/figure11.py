"""Figure 11 of arXiv 2308.02669: similarity to a category and to two negatives, against negative prompts.

For each category, pair of negatives and seed, all methods draw "A photo of a …" from the same seeds:

    ours                 a concept that learned with these two negatives from the start
    prior negation       no learning: the prior negates "A photo of a cat, dog" (the paper's Kandinsky)
    decoder negation     no learning: only the decoder negates it; replaces Stable Diffusion, see core/baselines.py
    adaptive negation    the same, and a question answerer adds what it sees while a picture is denoised (arXiv
                         2510.10715), if the bench has one
    Stable Diffusion     its negative prompt, if a model is given
    plain prompt         no learning, no negatives
    ours, no negatives   a concept that learned without negatives

The last two methods have one set of drawings for all pairs of a category. Both negations are also drawn at other scales
of their guidance ("swept"), so that their best trade of category against margin stands beside ours.

Each drawing is compared with "a photo of a …" of the category and of its two negatives: belongs is the first
similarity, nearest the higher of the others, margin their difference. The paper does not say whether it takes the
higher one of each image or of their mean; here it is of each image.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image

from core.baselines import (
    PROMPT,
    adaptive_negation,
    imagine_apart,
    imagine_with_negation,
    negation,
    stable_diffusion_negation,
)
from core.concept import Concept, Request
from core.errors import ConceptreeError
from core.metrics import PANEL_GUIDANCE, imagine_word, word_similarity
from core.negatives import says_again
from core.stack.backbone import Backbone
from core.stack.diffusion import StableDiffusion
from core.stack.wordbank import WordBank
from evolve.population import founder_seed
from experiments.categories import TEN
from experiments.conduct import Bench, ByCases, SeededCase, categories_by_seed, has_pictures
from experiments.cost import Work, of_learning
from experiments.drawing import check_draws, draw_concepts, draw_many, half_precision
from experiments.learning import learn, run_of
from experiments.statistics import BY_CATEGORY, between, markdown, over_categories, student, unit_means

OURS, PRIOR, DECODER, ADAPTIVE = "ours", "prior negation", "decoder negation", "adaptive negation"
DIFFUSION, PLAIN, ALONE = "Stable Diffusion", "plain prompt", "ours, no negatives"
METHODS = (OURS, PRIOR, DECODER, ADAPTIVE, DIFFUSION, PLAIN, ALONE)
MEASURES = ("belongs", "nearest", "margin")
EYES = {"stack": "the stack's own CLIP, as in the paper", "judge": "the independent judge"}
# As `nearest_pairs` chooses them on the embedded stack; the judge has no part in it.
PAIRS: dict[str, tuple[tuple[str, ...], ...]] = {
    "pet": (("hamster", "cat"), ("mouse", "dog"), ("poodle", "rabbit face")),
    "plant": (("shamrock", "four leaf clover"), ("cactus", "blossom"), ("tulip", "herb")),
    "fruit": (("tangerine", "peach"), ("mango", "green apple"), ("lemon", "pear")),
    "furniture": (("seat", "door"), ("toilet", "file cabinet"), ("couch and lamp", "bed")),
    "musical instrument": (("guitar", "violin"), ("banjo", "saxophone"), ("trumpet", "drum")),
    "bird": (("parrot", "rooster"), ("baby chick", "goose"), ("dodo", "turkey")),
    "sea animal": (("octopus", "dolphin"), ("jellyfish", "spouting whale"), ("fish", "shrimp")),
    "vegetable": (("peanuts", "cucumber"), ("potato", "eggplant"), ("avocado", "hot pepper")),
    "vehicle": (("minibus", "ambulance"), ("oncoming police car", "fire engine"), ("trolleybus", "articulated lorry")),
    "building": (("post office", "house"), ("castle", "synagogue"), ("school", "hotel")),
}
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("negatives", pa.string()),  # "cat, dog"
        ("seed", pa.int32()),
        ("method", pa.string()),
        ("concept", pa.string()),  # its id; "" where nothing is learned
        ("guidance", pa.float64()),  # of a negation: the prior's or the decoder's; else null
        ("swept", pa.bool_()),  # whether that is another one than the published or the stack's own
        ("named", pa.int32()),  # negatives that were added while the picture was denoised; else null
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
_MARKERS = dict(zip(TEN, "os*P^vDX<>", strict=True))
_SEVEN = ("#1f6f5c", "#b5651d", "#4467a5", "#c2a01f", "#8a4a8f", "#8c8c8c", "#7fbf9f")
_COLOURS = dict(zip(METHODS, _SEVEN, strict=True))


@dataclass(frozen=True)
class Protocol(ByCases):
    """pairs: the sets of negatives of each category. pictures: of each seed, for each set of negatives.

    scales: of guidance, at which both negations are swept, with `swept` pictures each. stable_diffusion: its folder or
    id; "" for none.
    """

    categories: tuple[str, ...] = TEN
    seeds: int = 1
    pairs: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=lambda: PAIRS)
    pictures: int = 8
    scales: tuple[float, ...] = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
    swept: int = 4
    stable_diffusion: str = ""
    preset: str = "default"


class Drawn(NamedTuple):
    """Pictures of a method, for each of the pairs. guidance, swept, named: as in `SCHEMA`, named by picture."""

    method: str
    pairs: Sequence[tuple[str, ...]]
    pictures: Sequence[Any]
    concept: Concept | None = None
    guidance: float | None = None
    swept: bool = False
    named: Sequence[int] | None = None


def nearest_pairs(stack: Backbone, category: str) -> tuple[tuple[str, ...], ...]:
    """Three pairs of the six members nearest to what the prior imagines for the category's word, nearest first.

    Left out are names that are also a category ("bird"), and those with a word of the category or of a nearer member
    ("black cat").
    """
    listed = [word for word in stack.vocabulary.members(category) if word not in stack.vocabulary.categories]
    words = [word for word in listed if not says_again(word, category)]
    texts = WordBank(stack.encode_text, stack.width).panels("object", words)
    chosen = [category]
    for place in word_similarity(imagine_word(stack, "object", category), texts)[0].argsort(descending=True).tolist():
        if not any(set(words[place].split()) & set(other.split()) for other in chosen):
            chosen.append(words[place])
    return tuple(tuple(chosen[first : first + 2]) for first in (1, 3, 5))


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
        pictures, swept = self.protocol.pictures, min(self.protocol.swept, self.protocol.pictures)
        asked = pictures if self.bench.namer else 0
        each = pictures * (4 if self.diffusion else 3) + asked
        each += swept * sum(len(self._scales(own)) - 1 for own in (PANEL_GUIDANCE, self._own))
        questions = len(self.pairs) * asked * (self.bench.backbone.drawing["steps"] - 1)
        drawings = Work(drawings=len(self.pairs) * each + 2 * pictures, questions=questions)
        return drawings + of_learning([] if self.seed else self._all_requests())

    @property
    def _own(self) -> float:
        """The guidance of the stack's decoder."""
        return float(self.bench.backbone.drawing["guidance_scale"])

    def _scales(self, own: float) -> list[float]:
        """A negation's own guidance, then the others."""
        return list(dict.fromkeys([own, *self.protocol.scales]))

    def rows(self) -> list[dict[str, Any]]:
        return [row for drawn in self.drawn(self.learned()) for row in self.seen(drawn)]

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

    def drawn(self, concepts: Sequence[Concept]) -> Iterator[Drawn]:
        """The pictures of each method."""
        stack, category, namer = self.bench.backbone, self.category, self.bench.namer
        seeds = self._seeds(self.protocol.pictures, "figure 11")
        *ours, alone = concepts
        for pair, concept in zip(self.pairs, ours, strict=True):
            self._tell(f"drawing, not {' and not '.join(pair)}")
            yield Drawn(OURS, [pair], self._of(concept, seeds), concept)
            for scale in self._scales(PANEL_GUIDANCE):
                of = seeds if scale == PANEL_GUIDANCE else seeds[: self.protocol.swept]
                embeds = imagine_with_negation(stack, category, pair, of, guidance_scale=scale)
                yield Drawn(PRIOR, [pair], draw_many(stack, embeds, of), None, scale, scale != PANEL_GUIDANCE)
            embeds, unlike = imagine_apart(stack, category, pair, seeds)
            for scale in self._scales(self._own):
                n = len(seeds) if scale == self._own else min(self.protocol.swept, len(seeds))
                pictures = draw_many(stack, embeds[:n], seeds[:n], unlike[:n], guidance_scale=scale)
                yield Drawn(DECODER, [pair], pictures, None, scale, scale != self._own)
            if namer is not None:
                with half_precision(stack.device):
                    pictures, words = adaptive_negation(stack, category, namer, seeds, pair)
                yield Drawn(ADAPTIVE, [pair], pictures, named=[len(of) - len(pair) for of in words])
            if self.diffusion is not None:
                yield Drawn(DIFFUSION, [pair], stable_diffusion_negation(self.diffusion, category, pair, seeds))
        self._tell("drawing without negatives")
        plain = draw_many(stack, stack.imagine(PROMPT.format(category), seeds=seeds), seeds)
        yield Drawn(PLAIN, self.pairs, plain)
        yield Drawn(ALONE, self.pairs, self._of(alone, seeds), alone)

    def _of(self, concept: Concept, seeds: Sequence[int]) -> list[Any]:
        return draw_concepts(self.bench.backbone, [concept], [PROMPT] * len(seeds), [seeds])[0]

    def seen(self, drawn: Drawn) -> list[dict[str, Any]]:
        """A row for each picture, pair and pair of eyes, as in `SCHEMA`."""
        words, pictures = _distinct(drawn.pairs), drawn.pictures
        rows = []
        for eyes, of in self.bench.eyes.items():
            for drawing, (own, *others) in enumerate(of.similarity(pictures, [self.category, *words]).tolist()):
                found = dict(zip(words, others, strict=True))
                shown = eyes == "stack" and not drawn.swept
                for pair in drawn.pairs:
                    nearest = max(pair, key=found.__getitem__)
                    rows.append(
                        {
                            "category": self.category,
                            "negatives": ", ".join(pair),
                            "seed": self.seed,
                            "method": drawn.method,
                            "concept": drawn.concept.id if drawn.concept else "",
                            "guidance": drawn.guidance,
                            "swept": drawn.swept,
                            "named": drawn.named[drawing] if drawn.named else None,
                            "drawing": drawing,
                            "eyes": eyes,
                            "belongs": own,
                            "nearest": found[nearest],
                            "nearest_word": nearest,
                            "margin": own - found[nearest],
                            "picture": self._small(drawing, pictures[drawing]) if shown else None,
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
    rows = _labelled(table)
    methods = _methods(rows)
    lines = [*_finding(rows, methods), "", _protocol(rows), ""]
    for eyes, who in EYES.items():
        seen = [row for row in rows if row["eyes"] == eyes]
        lines += [f"By {who}:", "", *_whole(seen, methods), "", *_by_category(seen, methods), ""]
    return "\n".join(lines)


def _labelled(table: pa.Table) -> list[dict[str, Any]]:
    """The rows; a swept method has its guidance in its label."""
    rows = table.drop_columns(["picture"]).to_pylist()
    for row in rows:
        row["label"] = f"{row['method']} at {row['guidance']:g}" if row["swept"] else row["method"]
    return rows


def _methods(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The labels of all methods, those of one method by guidance, its own first."""
    there = {row["label"]: (METHODS.index(row["method"]), row["swept"], row["guidance"]) for row in rows}
    return sorted(there, key=there.__getitem__)


def _baselines(methods: Sequence[str]) -> list[str]:
    """The methods with negatives, with which the paper compares, at their own guidance."""
    return [method for method in methods if method in (PRIOR, DECODER, ADAPTIVE, DIFFUSION)]


def _finding(rows: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[str]:
    """In how many categories ours is ahead of each baseline."""
    compared = [(eyes, measure) for eyes in EYES for measure in ("belongs", "margin")]
    rows_of = []
    for method in _baselines(methods):
        cells = []
        for eyes, measure in compared:
            means = unit_means([row for row in rows if row["eyes"] == eyes], ["label"], measure, BY_CATEGORY)
            ahead = means[OURS,] > means[method,]
            cells.append(f"in {ahead.sum()} of {len(ahead)} categories")
        rows_of.append([method, *cells])
    return markdown(["ours is ahead of", *(f"{measure}, by the {eyes}" for eyes, measure in compared)], rows_of)


def _protocol(rows: Sequence[Mapping[str, Any]]) -> str:
    pairs = {(row["category"], row["negatives"]) for row in rows}
    seeds = {row["seed"] for row in rows}
    count, fewer = (len({row["drawing"] for row in rows if row["swept"] == swept}) for swept in (False, True))
    named = [row["named"] for row in rows if row["named"] is not None]
    return (
        f"Pairs of negatives: {len(pairs)}, in {len({each for each, _ in pairs})} categories; seeds: {len(seeds)};"
        f" drawings of each seed, for each pair by each method: {count}, at a swept guidance {fewer}."
        + (f" The adaptive negation adds {np.mean(named):.1f} negatives to a drawing." if named else "")
        + " belongs: similarity to the category; nearest: to the negative which a drawing is most like; margin: the"
        " difference, of each drawing. Means over the categories, with Student's 95 % intervals; of a"
        " difference, in how many categories it has the mean's sign. Of one category, means over its pairs and seeds."
    )


def _whole(seen: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[str]:
    found = {measure: unit_means(seen, ["label"], measure, BY_CATEGORY) for measure in MEASURES}
    rows = []
    for method in methods:
        cells = [between(found[measure][method,], student) for measure in MEASURES]
        ahead = [over_categories(found[measure][OURS,] - found[measure][method,]) for measure in ("belongs", "margin")]
        rows.append([method, *cells, *(ahead if method != OURS else ["", ""])])
    return markdown(["method", *MEASURES, "ours − it: belongs", "ours − it: margin"], rows)


def _by_category(seen: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[str]:
    others, measures = [*_baselines(methods), PLAIN], ("belongs", "margin")
    found = {measure: unit_means(seen, ["label", "category"], measure, ["eyes"]) for measure in measures}
    rows = []
    for category in dict.fromkeys(row["category"] for row in seen):
        ahead = [
            float((found[measure][OURS, category] - found[measure][method, category])[0])
            for method in others
            for measure in measures
        ]
        rows.append([category, *(f"{each:+.3f}" for each in ahead)])
    return markdown(["category", *(f"{m}: ours − {method}" for method in others for m in measures)], rows)


def figures(table: pa.Table) -> dict[str, Any]:
    """`scatter`: the paper's Figure 11 with the curves of swept negations, a panel for each of the eyes. `examples`:
    the first drawings of the first pair of the first five categories.
    """
    return {"scatter": _scatter(_labelled(table)), **({"examples": _examples(table)} if has_pictures(table) else {})}


def _scatter(rows: Sequence[Mapping[str, Any]]) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    methods = [method for method in _methods(rows) if method in METHODS]
    categories = list(dict.fromkeys(row["category"] for row in rows))
    markers = {each: _MARKERS.get(each, "DvX<>"[place % 5]) for place, each in enumerate(categories)}
    figure = Figure(figsize=(11.5, 6.0), layout="constrained")
    for axis, (eyes, who) in zip(figure.subplots(1, 2), EYES.items(), strict=True):
        seen = [row for row in rows if row["eyes"] == eyes]
        own = [row for row in seen if not row["swept"]]
        x, y = (unit_means(own, ["method", "category"], measure, ["eyes"]) for measure in ("belongs", "margin"))
        for method, category in x:
            at, look = (method, category), {"color": _COLOURS[method], "ms": 7, "alpha": 0.55}
            axis.plot(x[at], y[at], markers[category], mec="white", mew=0.6, **look)
        for method in methods:
            # Means over the categories; of a negation at each scale of its guidance, in a line.
            of = [row for row in seen if row["method"] == method]
            x, y = (unit_means(of, ["guidance"], measure, ["eyes"]) for measure in ("belongs", "margin"))
            line = [(float(x[key][0]), float(y[key][0]), *key) for key in sorted(x)]
            axis.plot(*list(zip(*line, strict=True))[:2], "o-", color=_COLOURS[method], ms=10, mec="black", lw=1.5)
            for right, up, scale in line[:: max(1, len(line) - 1)] if len(line) > 1 else []:
                axis.annotate(f"{scale:g}", (right, up), (5, 5), textcoords="offset points", fontsize=8)
        axis.set_title(f"by {who}", fontsize=10)
        axis.set_xlabel("similarity to the category")
        axis.set_ylabel("… minus that to the nearest negative")
    shapes = [Line2D([], [], color="#555555", marker=markers[each], ls="", ms=7, label=each) for each in categories]
    dots = [Line2D([], [], color=_COLOURS[each], marker="o", ls="", ms=9, mec="black", label=each) for each in methods]
    handles = [*dots, *shapes]
    figure.legend(handles=handles, loc="outside lower center", ncols=(len(handles) + 2) // 3, frameon=False)
    return figure


def _examples(table: pa.Table) -> Any:
    from matplotlib.figure import Figure

    shown = table.filter([value is not None for value in table.column("picture").to_pylist()]).to_pylist()
    methods = [method for method in METHODS if method in {row["method"] for row in shown}]
    first: dict[str, str] = {}
    for row in shown:
        if row["category"] in first or len(first) < 5:
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
