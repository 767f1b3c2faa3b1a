"""`python -m experiments …`: an experiment is conducted, and its table, summary and figures are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console

from core.emoji.judge import Judge as EmbeddedJudge
from core.errors import ConceptreeError
from core.files import write_atomically
from core.namers import namer_of
from core.stack.backbone import Backbone
from core.stack.hub import find_model
from experiments.judging import Judge
from ui.console import duration, say, to_type
from ui.stack import asked, open_stack
from ui.webp import figure_bytes

ASKING = ("figure14", "ablations", "limitations", "negatives")  # negatives are named by the stack's question answerer


def conduct_experiment(
    name: str, *, folder: Path, steps: int | None, model: str, out: Console, **protocol: Any
) -> None:
    """Conduct the experiment of this name. protocol: fields of its Protocol; what is None or empty is left to it."""
    check_extra()
    experiment = import_module(f"experiments.{name}")
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in protocol.items()}
    chosen = {key: value for key, value in given.items() if value not in (None, ())}
    asked = experiment.Protocol(**chosen, settings=shortened(steps))
    run_experiment(experiment, asked, folder, model, out, asks=name in ASKING)


def figure11(
    *,
    folder: Path,
    categories: Sequence[str],
    pairs: Sequence[str],
    seeds: int,
    pictures: int,
    stable_diffusion: str | None,
    preset: str,
    steps: int | None,
    model: str,
    out: Console,
) -> None:
    """The paper's comparison with negative prompts. See `experiments.figure11`."""
    check_extra()
    from experiments import figure11 as experiment

    given = negatives_by_category(pairs)
    protocol = experiment.Protocol(
        **_chosen(categories or list(given)),
        **({"pairs": given} if given else {}),
        seeds=seeds,
        pictures=pictures,
        stable_diffusion=find_model(stable_diffusion).where if stable_diffusion else "",
        preset=preset,
        settings=shortened(steps),
    )
    run_experiment(experiment, protocol, folder, model, out)


def negatives_by_category(pairs: Sequence[str]) -> dict[str, list[list[str]]]:
    """What --pair gives, "pet:cat,dog", by category.

    Raises:
        ConceptreeError: another form, or the same twice.
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


def table1(
    *,
    folder: Path,
    categories: Sequence[str],
    pairs: Sequence[str],
    raters: Sequence[str],
    sets: int,
    pictures: int,
    stable_diffusion: str | None,
    preset: str,
    steps: int | None,
    model: str,
    out: Console,
) -> None:
    """The paper's user study. See `experiments.userstudy`."""
    check_extra()
    from experiments import userstudy as experiment

    given = negatives_by_category(pairs)
    for category, of in given.items():
        if len(of) > 1:
            raise ConceptreeError(f"--pair has {len(of)} lists of negatives for {category!r}: give one")
    protocol = experiment.Protocol(
        **_chosen(categories or list(given)),
        **({"pairs": {category: of[0] for category, of in given.items()}} if given else {}),
        sets=sets,
        pictures=pictures,
        stable_diffusion=find_model(stable_diffusion).where if stable_diffusion else "",
        preset=preset,
        settings=shortened(steps),
    )

    def with_ratings(table: Any, bench: Any) -> Any:
        experiment.invite(table, bench, raters)
        return experiment.rated(table, bench)

    if not run_experiment(experiment, protocol, folder, model, out, complete=with_ratings):
        return
    who = "Their sessions are" if raters else "Ask people with --rater LABEL; their sessions are then"
    say(out, f"{who} on the page Rate of each run: {to_type('view', runs=folder / 'runs')}")


def _chosen(categories: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Categories for a Protocol, where a person chose any."""
    return {"categories": tuple(categories)} if categories else {}


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
    """Settings for a shorter training, which is looked at as often."""
    return {"steps": steps, "segment": max(1, steps // 6)} if steps else {}


def run_experiment(
    experiment: ModuleType,
    protocol: Any,
    folder: Path,
    model: str,
    out: Console,
    asks: bool = False,
    complete: Callable[[Any, Any], Any] = lambda table, bench: table,
) -> bool:
    """Conduct an experiment of `experiments`: a module with SCHEMA, `cases`, `summary` and `figures`. protocol:
    its Protocol. asks: whether negatives are named by the stack's question answerer (`core.namers.namer_of`). complete:
    adds to the cases' table what is not kept with them, such as what people have said since.

    Return False where the folder has the results without their cases: nothing is conducted, and summary and charts are
    made from these results.
    """
    from experiments.conduct import Bench, conduct, has_only_results, write_results

    if has_only_results(folder):
        _write_again(experiment, folder, out)
        return False
    backbone = open_stack(model, out)
    course = _Course(out)
    bench = Bench(backbone, open_judge(backbone), folder, course.tell, namer_of(backbone) if asks else None)
    cases = experiment.cases(protocol, bench)
    about = bench.about(_name_of(experiment), **protocol.of_each())
    table = conduct(cases, experiment.SCHEMA, folder, about, course.on_case, course.tell)
    table = complete(table, bench)
    write_results(table, folder)
    written = _write_pages(experiment, table, about, folder, out)
    say(out, f"results.parquet, {', '.join(written)} are in {folder}.")
    return True


def _write_again(experiment: ModuleType, folder: Path, out: Console) -> None:
    """Write summary and charts from results without cases; sheets of pictures stay as they are."""
    from experiments.conduct import about_of, read_results

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
        " conduct it anew, remove that folder or choose another one with --to.",
    )


def _write_pages(experiment: ModuleType, table: Any, about: Mapping[str, Any], folder: Path, out: Console) -> list[str]:
    """Write summary.md and the figures, and return the files' names."""
    from experiments.conduct import seconds_of

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
    """Whom --judge or CONCEPTREE_JUDGE names, else the judge that lies beside the stack, as beside the embedded one.

    Raises:
        ConceptreeError: neither is there, or it cannot judge.
    """
    where = asked("judge")
    if where is None and (backbone.beside / "judge").is_dir():
        return EmbeddedJudge.load(backbone.beside / "judge")
    if where is None:
        raise ConceptreeError(
            f"the stack {backbone.version} has no judge beside it: name one that is not its own CLIP with --judge"
            " FOLDER|ID, such as google/siglip-base-patch16-224"
        )
    from experiments.clip_judge import ClipJudge

    device = "cpu" if backbone.turns else backbone.device  # where models take turns on the device, it has none
    return ClipJudge.load(where, backbone.vocabulary.categories, device)


def _made_by(about: Mapping[str, Any], seconds: float) -> str:
    stack = f"Stack {about['stack']} ({about['fingerprint']}, drawing {about['drawing']})"
    return f"{stack}, {about['judge']}; {duration(seconds)} of one process."


class _Course:
    """How far an experiment is, for people."""

    def __init__(self, out: Console) -> None:
        self.out = out
        self.done = self.of = self.before = 0
        self.began: float | None = None

    def on_case(self, done: int, of: int) -> None:
        if self.began is None:
            self.began, self.before = time.monotonic(), done
        self.done, self.of = done, of

    def tell(self, text: str) -> None:
        say(self.out, f"[{self.done} of {self.of}{self._left()}] {text}")

    def _left(self) -> str:
        """By how long the cases of this time took, as soon as there is one."""
        new = self.done - self.before
        if self.began is None or not new:
            return ""
        return f", about {duration((time.monotonic() - self.began) / new * (self.of - self.done))} left"
