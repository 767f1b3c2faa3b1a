"""Conduct an experiment by name, and write its table, summary and figures: `python -m experiments`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
from rich.console import Console

from core.emoji.judge import Judge as EmbeddedJudge
from core.errors import ConceptreeError
from core.files import write_atomically
from core.namers import namer_of
from core.stack.backbone import Backbone
from core.stack.hub import find_model
from experiments.conduct import (
    CASES,
    Bench,
    about_of,
    conduct,
    has_only_results,
    read_results,
    seconds_of,
    write_results,
)
from experiments.cost import Forecast, hours
from experiments.judging import Judge
from ui.console import duration, say, to_type
from ui.stack import asked, open_stack
from ui.webp import figure_bytes

ASKING = (
    "figure14",
    "ablations",
    "limitations",
    "negatives",
    "styles",
    "gallery",
)  # the stack's question answerer names negatives


def conduct_experiment(name: str, *, folder: Path, steps: int | None, model: str, out: Console, **fields: Any) -> None:
    """Conduct the experiment of this name. fields: of its Protocol; None and empty ones keep their defaults."""
    experiment = _opened(name)
    run_experiment(experiment, _protocol(experiment, steps, **fields), folder, model, out, asks=name in ASKING)


def _figure11(
    name: str,
    *,
    folder: Path,
    categories: Sequence[str],
    pairs: Sequence[str],
    stable_diffusion: str | None,
    adaptive: bool,
    steps: int | None,
    model: str,
    out: Console,
    **fields: Any,
) -> None:
    """Conduct the paper's comparison with negative prompts. fields: as for `conduct_experiment`."""
    experiment, given = _opened(name), negatives_by_category(pairs)
    how = {"categories": categories or list(given), "pairs": given, "stable_diffusion": _found(stable_diffusion)}
    run_experiment(experiment, _protocol(experiment, steps, **how, **fields), folder, model, out, asks=adaptive)


def _table1(
    name: str,
    *,
    folder: Path,
    categories: Sequence[str],
    pairs: Sequence[str],
    raters: Sequence[str],
    stable_diffusion: str | None,
    steps: int | None,
    model: str,
    out: Console,
    **fields: Any,
) -> None:
    """Conduct the paper's user study. fields: as for `conduct_experiment`."""
    experiment, given = _opened("userstudy"), negatives_by_category(pairs)
    for category, of in given.items():
        if len(of) > 1:
            raise ConceptreeError(f"--pair has {len(of)} lists of negatives for {category!r}: give one")
    how = {
        "categories": categories or list(given),
        "pairs": {category: of[0] for category, of in given.items()},
        "stable_diffusion": _found(stable_diffusion),
    }

    def with_ratings(table: pa.Table, bench: Bench) -> pa.Table:
        experiment.invite(table, bench, raters)
        return experiment.rated(table, bench)

    protocol = _protocol(experiment, steps, **how, **fields)
    if not run_experiment(experiment, protocol, folder, model, out, complete=with_ratings):
        return
    who = "Their sessions are" if raters else "Ask people with --rater LABEL; their sessions are then"
    say(out, f"{who} on the page Rate of each run: {to_type('view', runs=folder / 'runs')}")


def _gallery(name: str, *, figure: str, mixtures: Sequence[str], **fields: Any) -> None:
    """Draw a gallery. fields: as for `conduct_experiment`."""
    words = tuple(tuple(" ".join(word.split()) for word in each.split(",") if word.strip()) for each in mixtures)
    conduct_experiment(name, figure=int(figure), mixtures=words, **fields)


CONDUCT: dict[str, Callable[..., None]] = {
    "figure11": _figure11,
    "table1": _table1,
    "gallery": _gallery,
}  # experiments with own options


def _opened(name: str) -> ModuleType:
    """The module of an experiment.

    Raises:
        ConceptreeError: a package of the extra `experiments` is missing.
    """
    check_extra()
    return import_module(f"experiments.{name}")


def _protocol(experiment: ModuleType, steps: int | None, **fields: Any) -> Any:
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    chosen = {name: value for name, value in given.items() if value not in (None, (), {}, "")}
    return experiment.Protocol(**chosen, settings=shortened(steps))


def _found(model: str | None) -> str:
    return find_model(model).where if model else ""


def negatives_by_category(pairs: Sequence[str]) -> dict[str, list[list[str]]]:
    """The lists of negatives by category from values of --pair, such as "pet:cat,dog".

    Raises:
        ConceptreeError: a value has another form or is given twice.
    """
    found: dict[str, list[list[str]]] = {}
    for pair in pairs:
        category, _, listed = pair.partition(":")
        words = [" ".join(word.split()) for word in listed.split(",") if word.strip()]
        category = " ".join(category.split())
        if not category or not words:
            raise ConceptreeError(f"--pair {pair!r}: expected a category and its negatives, as in pet:cat,dog")
        if words in found.setdefault(category, []):
            raise ConceptreeError(f"--pair {pair!r} is given twice: drop one")
        found[category].append(words)
    return found


def check_extra() -> None:
    """Raises:
    ConceptreeError: a package of the extra `experiments` is missing.
    """
    try:
        import matplotlib  # noqa: F401
        import scipy  # noqa: F401
    except ImportError as missing:
        raise ConceptreeError(f"{missing.name} is missing: install it with pip install '.[experiments]'") from missing


def shortened(steps: int | None) -> dict[str, int]:
    """Settings for fewer steps in the usual number of segments."""
    return {"steps": steps, "segment": max(1, steps // 6)} if steps else {}


def run_experiment(
    experiment: ModuleType,
    protocol: Any,
    folder: Path,
    model: str,
    out: Console,
    asks: bool = False,
    complete: Callable[[pa.Table, Bench], pa.Table] = lambda table, bench: table,
) -> bool:
    """Conduct an experiment, a module with SCHEMA, `cases`, `summary` and `figures`.

    Say first what is to do and what it takes; with --dry-run do nothing else, and return False. If the folder has
    results without their cases, write only summary and charts from these, and return False.

    Args:
        protocol: the module's Protocol.
        asks: whether the stack's question answerer names negatives.
        complete: adds data to the table that is not stored with the cases, such as ratings.
    """
    if has_only_results(folder):
        _write_again(experiment, folder, out)
        return False
    backbone = open_stack(model, out)
    course = _Course(out)
    bench = Bench(backbone, open_judge(backbone), folder, course.tell, namer_of(backbone) if asks else None)
    cases = experiment.cases(protocol, bench)
    about = bench.about(_name_of(experiment), **protocol.of_each())
    course.forecast = Forecast(cases, folder / CASES, backbone, asked("price"))
    say(out, "\n".join(course.forecast.told()))
    if asked("dry_run"):
        return False
    table = conduct(cases, experiment.SCHEMA, folder, about, course.on_case, course.tell)
    table = complete(table, bench)
    write_results(table, folder)
    written = _write_pages(experiment, table, about, folder, out)
    say(out, f"results.parquet, {', '.join(written)} are in {folder}.")
    return True


def _write_again(experiment: ModuleType, folder: Path, out: Console) -> None:
    """Write summary and charts from results without cases; sheets of pictures stay as they are."""
    about, name = about_of(folder), _name_of(experiment)
    if about.get("experiment") != name:
        raise ConceptreeError(
            f"{str(folder)!r} holds the experiment {about.get('experiment')!r}, not {name!r}: choose another folder"
            " with --to"
        )
    written = _write_pages(experiment, read_results(folder, experiment.SCHEMA), about, folder, out)
    say(
        out,
        f"{folder} has the results of stack {about.get('stack')} ({about.get('fingerprint')}) without their cases:"
        f" nothing was conducted, and {', '.join(written)} {'is' if len(written) == 1 else 'are'} written from them. To"
        " conduct the experiment again, remove that folder or choose another one with --to.",
    )


def _write_pages(
    experiment: ModuleType, table: pa.Table, about: Mapping[str, Any], folder: Path, out: Console
) -> list[str]:
    """Write summary.md and the figures, and return the files' names."""
    told = f"{experiment.summary(table)}\n{_made_by(about, seconds_of(table))}\n"
    pages = {"summary.md": told.encode()}
    pages |= {f"{title}.webp": figure_bytes(figure) for title, figure in experiment.figures(table).items()}
    for name, content in pages.items():
        write_atomically(folder / name, content)
    say(out, told)
    return list(pages)


def _name_of(experiment: ModuleType) -> str:
    return experiment.__name__.rpartition(".")[2]


def open_judge(backbone: Backbone) -> Judge:
    """The judge that --judge or CONCEPTREE_JUDGE names, else the one beside the stack.

    Raises:
        ConceptreeError: there is none, or it cannot judge.
    """
    where = asked("judge")
    if where is None and (backbone.beside / "judge").is_dir():
        return EmbeddedJudge.load(backbone.beside / "judge")
    if where is None:
        raise ConceptreeError(
            f"the stack {backbone.version} has no judge beside it: name one, but not its own CLIP, with --judge"
            " FOLDER|ID, such as google/siglip-base-patch16-224"
        )
    from experiments.clip_judge import ClipJudge

    device = "cpu" if backbone.turns else backbone.device  # models that take turns on the device leave no room for it
    return ClipJudge.load(where, backbone.vocabulary.categories, device)


def _made_by(about: Mapping[str, Any], seconds: float) -> str:
    stack = f"Stack {about['stack']} ({about['fingerprint']}, drawing {about['drawing']})"
    return f"{stack}, {about['judge']}; {duration(seconds)} of one process."


class _Course:
    """Progress messages of an experiment. forecast: of its cases, once they are known."""

    def __init__(self, out: Console) -> None:
        self.out = out
        self.done = self.of = 0
        self.forecast: Forecast | None = None
        self._here = 0  # cases that were begun here

    def on_case(self, done: int, of: int) -> None:
        self.done, self.of = done, of
        assert self.forecast is not None
        self.forecast.begin()
        self._here += 1
        if self._here == 2 and (line := self.forecast.here()):
            say(self.out, line)

    def tell(self, text: str) -> None:
        say(self.out, f"[{self.done} of {self.of}{self._left()}] {text}")

    def _left(self) -> str:
        """`, about 3 min left`, by the finished cases; "" before the first."""
        seconds = self.forecast.seconds_left() if self.forecast else None
        return "" if seconds is None else f", about {hours(seconds)} left"
