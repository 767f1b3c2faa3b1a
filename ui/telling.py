"""What a command that learns prints: the events of its job, and commands to type next."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from types import TracebackType

from rich.console import Console

from core.segments import Event
from core.stack.backbone import Backbone
from core.wording import counted
from evolve import Individual, Run, likeness
from evolve.jobs.batches import Batch, DrawingParents, namer_in
from evolve.jobs.generations import Generation, awaits_choice, generations, logbook
from evolve.jobs.job import Job
from evolve.jobs.keeping import Chosen
from evolve.jobs.plans import TASTE, Breed, Evolve, Given, Map, Plan, Seed, Vary
from evolve.jobs.work import Began, Drawing, Happened, Learned, Reported
from evolve.store.rows import brief
from ui.console import LearningBar, say, to_type
from ui.descent import Words, announced
from ui.labels import RESULTS
from ui.person import Person
from ui.runs import names_beside
from ui.stack import can_draw, options_for

MOST_ANSWERS = 5  # shown answers of a namer


class Telling:
    """Prints what happens to a job, each event as one or more lines. found: the concepts so far."""

    def __init__(self, job: Job, run: Run, stack: Backbone, out: Console) -> None:
        plan = self.plan = job.plan
        self.run, self.stack, self.out = run, stack, out
        self.bar = LearningBar(out, lambda: job.left)
        self.person = Person(out, self.bar) if isinstance(plan, Seed) and plan.ask == "terminal" else None
        self.names: dict[str, str] = {}  # of requests, by their ids
        self.found: list[Individual] = []
        self.batches = 0

    def __enter__(self) -> Telling:
        self._introduce()
        self.bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.__exit__(kind, error, trace)

    def tell(self, happened: Happened) -> None:
        match happened, self.plan:
            case DrawingParents(names), _:
                say(self.out, f"Drawing the {'parent' if len(names) == 1 else 'parents'} ({', '.join(names)}) …")
            case Began(batch, numbers), plan:
                self._began(batch, numbers, plan)
            case Reported(report, step), plan:
                self.bar.advance(step)
                for event in report.events:
                    if isinstance(plan, Seed):
                        say(self.out, f"  step {event.step:<4} {self.names[event.id]}  {told(event)}")
                    for line in event.steered:
                        say(self.out, f"  {self.names[event.id]}: {line}")
                if report.events and not report.events[0].draft:
                    self.bar.print_line()
            case Learned(individuals, known), plan:
                self._learned(individuals, known, plan)
            case Drawing(_, number, of), _:
                self.bar.describe(f"drawing {number} of {of}")
            case Chosen(kept, aside), _:
                self.found = list(kept)
                stay = ", ".join(each.name for each in kept)
                say(self.out, f"The best {len(kept)} of {len(kept) + len(aside)} stay: {stay}. The others are hidden.")
            case Generation() as generation, _:
                self._generation(generation)

    def _introduce(self) -> None:
        match self.plan:
            case Seed(schedule="adaptive") as plan:
                namer = namer_in(plan, self.stack)
                by = f"the model {namer.name}" if namer else "the stack's vocabulary"
                say(self.out, f"Negatives are proposed by {by}, after each {counted(plan.settings.segment, 'step')}.")
            case Evolve(generations=number, children=each) | Map(generations=number, children=each):
                say(self.out, f"{counted(number, 'generation')} of {counted(each, 'child', 'children')}")

    def _began(self, batch: Batch, numbers: Mapping[str, int], plan: Plan) -> None:
        self.batches += 1
        self.bar.set_total(batch.total)
        first, count = batch.first + 1, len(numbers)
        one, _ = RESULTS["breed" if isinstance(plan, Evolve | Map) else plan.command]
        self.names |= {id_: f"{one} {number + 1}" for id_, number in numbers.items()}
        match plan:
            case Seed():
                wave = f"Wave {self.batches} of {plan.waves}: " if plan.waves > 1 else ""
                which = f"founder {first}" if count == 1 else f"founders {first} to {first + count - 1}"
                say(self.out, f"\n{wave}{which}, {counted(plan.settings.steps, 'step')}")
            case Map():
                say(self.out, f"\nGeneration {self.batches}: {counted(count, 'concept')}")
            case Breed() | Vary() | Given():
                say(self.out, f"Learning {counted(count, 'child', 'children')}, {counted(batch.total, 'step')}")

    def _learned(self, individuals: Sequence[Individual], known: Container[str], plan: Plan) -> None:
        before = len(self.found)
        self.found += individuals
        match plan:
            case Seed():
                for number, each in enumerate(individuals, before + 1):
                    say(self.out, f"  founder {number} is {summary(each)}")
                if (count := len(self.found)) > 1:
                    alike = likeness([each.concept for each in self.found])
                    say(self.out, f"  mean pairwise similarity of the {count} so far: {alike:.2f}")
            case Breed() | Vary() | Given():
                names, words = names_beside(self.run), self.run.words()
                for each in individuals:
                    say(self.out, _born(each, names, words, each.id in known))

    def _generation(self, generation: Generation) -> None:
        names = {each.id: each.name for each in self.run.entries()}
        if isinstance(self.plan, Map):
            told, (columns, rows) = generation.record, self.plan.chart.cells
            filled = f"{told['filled']} of {columns * rows} cells are filled, {told['new']} of them new"
            say(self.out, f"  {filled}; QD score {told['qd']:.1f}")
            return
        means = [f"{name} {value['mean']:.2f}" for name, value in generation.record.items() if isinstance(value, dict)]
        children = ", ".join(names.get(id_, id_) for id_ in generation.children)
        stay = counted(generation.record["stay"], "of them stays", "of them stay")
        say(self.out, f"Generation {generation.number}: {children}")
        say(self.out, f"  {stay}; on average {', '.join(means)}")


def _born(each: Individual, names: Mapping[str, str], words: Words, known: bool) -> str:
    """A line about a child: its parents, how much it resembles them."""
    again = ", which the run has already" if known else ""
    return f"  {announced(each, names, words)}{_resembles(each, names)}, {each.concept.seconds:.0f} s{again}"


def _resembles(each: Individual, names: Mapping[str, str]) -> str:
    """`, resembles them 0.88`, or `, resembles noti 0.88, fiva 0.31` if it moves away from fiva."""
    scores, parents = each.concept.scores, each.concept.request.mixed
    if "resembles" not in scores:
        return ""
    if "repelled" not in scores:
        return f", resembles {'it' if len(parents) == 1 else 'them'} {scores['resembles']:.2f}"
    called = [(names.get(parent.id, brief(parent.id)), parent.weight > 0) for parent in parents]
    near, far = (" and ".join(name for name, is_near in called if is_near is side) for side in (True, False))
    return f", resembles {near} {scores['resembles']:.2f}, {far} {scores['repelled']:.2f}"


def say_evolved(job: Job, run: Run, out: Console) -> None:
    """Print the table of an evolution's generations, and its Pareto front."""
    if done := generations(job):
        say(out, f"\n{str(logbook(done)).expandtabs(2)}")
        names = {each.id: each.name for each in run.entries()}
        say(out, f"Pareto front: {', '.join(names.get(id_, id_) for id_ in done[-1].front)}")


def say_choice(job: Job, run: Run, stack: Backbone, out: Console) -> None:
    """Print what to do next, if an evolution waits for a person's choice of parents."""
    plan = job.plan
    if isinstance(plan, Evolve) and (number := awaits_choice(job, plan)):
        name, options, runs = run.folder.name, options_for(run, stack), run.folder.parent
        if plan.select == TASTE:
            calls = [
                to_type("resume", name, *how, *options, runs=runs) for how in (["--like", "NAME"], ["--like-none"])
            ]
            say(out, f"\nSay what you like before generation {number} of {plan.generations}: {' or '.join(calls)}")
            say(out, "or tap it in the workbench: Rate, What do you like?")
            return
        call = to_type("resume", name, "--parent", "NAME", "--parent", "NAME", *options, runs=runs)
        say(out, f"\nChoose the parents of generation {number} of {plan.generations}: {call}")
        call = to_type("resume", name, *options, runs=runs)
        say(out, f"or mark favourites, or rate some with 4 or 5, in the workbench, then: {call}")


def say_stopped(job: Job, run: Run, stack: Backbone, out: Console) -> None:
    """Print what is kept of a stopped job, and the command that resumes it."""
    looks = job.looks()
    names = ", ".join(dict.fromkeys(look.name for look in looks if look.name))
    say(out, f"Stopped. Finished and kept in {run.folder}: {names or 'nothing yet'}.")
    step = max((look.step for look in looks if not look.name and not look.draft), default=0)
    if step and job.kept():
        say(out, f"The batch in progress is kept at step {step}.")
    call = to_type("resume", run.folder.name, *options_for(run, stack), runs=run.folder.parent)
    say(out, f"To resume: {call}")


def summary(each: Individual) -> str:
    """`moku: kept from step 500 of 600, pet 0.53, nearest negative 0.28, 5 negatives, 21 s`"""
    concept = each.concept
    told = [f"kept from step {concept.kept_step} of {concept.steps}"]
    belongs = concept.scores.get("category", concept.scores.get("belongs"))
    if belongs is not None:
        told.append(f"{concept.request.category} {belongs:.2f}")
    if "nearest" in concept.scores:
        told.append(f"nearest negative {concept.scores['nearest']:.2f}")
    if "crowded" in concept.scores:
        told.append(f"nearest earlier founder {concept.scores['crowded']:.2f}")
    told.append(counted(len(concept.negatives), "negative"))
    return f"{each.name}: {', '.join(told)}, {concept.seconds:.0f} s"


def say_next(run: Run, stack: Backbone, out: Console) -> None:
    """Print commands to try next, those that the stack can do."""
    if not (names := [each.name for each in run.entries() if not each.note.hidden]):
        return
    name, options = run.folder.name, options_for(run, stack)
    calls = []
    if len(names) > 1:
        # The newest, which has no children yet, and the first.
        parents = ["--parent", f"{names[-1]}:0.7", "--parent", f"{names[0]}:0.3"]
        calls.append(["breed", name, *parents, "--children", 2])
    if can_draw(stack):
        of_style = run.about["kind"] == "style"
        prompt = "a painting of a house in the style of {}" if of_style else "a painting of a {} in the snow"
        calls.append(["draw", name, names[-1], "--prompt", prompt])
    else:
        calls.append(["breed", name, "--parent", names[-1], "--mutate", "--children", 2])
    say(out, "\nNext:")
    for call in calls:
        say(out, f"  {to_type(*call, *options, runs=run.folder.parent)}")


def told(event: Event) -> str:
    """A concept at a boundary: similarities, new negatives with their source, notes on the answers."""
    own = [p.word or event.request.category for p in event.request.positives]
    parts = [f"{word} {event.similarities[word]:.2f}" for word in own if word in event.similarities]
    for negative in event.negatives:
        by = {"vocabulary": "from the vocabulary", "request": "next on the list", "user": "by you"}
        who = by.get(negative.by, f"proposed by {negative.by}")
        parts.append(f"new negative {negative.word} ({event.similarities[negative.word]:.2f}) {who}")
    # The word from the vocabulary is listed already.
    notes = [note for note in event.note.split("; ") if note and not note.endswith("from the vocabulary")]
    if any(negative.by != "vocabulary" for negative in event.negatives) and event.answers:
        answers = dict.fromkeys(answer for answer, _ in event.answers)
        notes.append(f"answers: {', '.join(list(answers)[:MOST_ANSWERS])}")
    return "; ".join([*parts, *notes])
