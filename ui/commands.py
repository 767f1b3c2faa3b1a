"""The commands, as they are typed. What they do is imported when they run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

PRESETS = click.Choice(["default", "paper", "published"])
SEEDS = click.IntRange(0, 10**9)
STEPS = click.IntRange(1, 10**6)

runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="The folder in which runs are kept.",
)


def keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    """For whoever opens the stack (ui/stack.py `asked`)."""
    context.meta[f"conceptree.{option.name}"] = value


def _machine(model: Callable[[Any], Any], revision: bool) -> Callable[[Any], Any]:
    """--model, with what says where and how it runs."""
    options = [
        model,
        click.option("--device", help="auto, cpu or cuda.", expose_value=False, callback=keep),
        click.option(
            "--dtype",
            type=click.Choice(["float32", "bfloat16", "float16"]),
            help="Precision of the frozen parts; by default float32.",
            expose_value=False,
            callback=keep,
        ),
        click.option(
            "--offload",
            is_flag=True,
            help="Keep a part on the GPU only while it is used: less memory, more time.",
            expose_value=False,
            callback=keep,
        ),
    ]
    if revision:
        how = "Commit, tag or branch of the stack's repositories; by default main."
        options.append(click.option("--revision", help=how, expose_value=False, callback=keep))

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


model_option = _machine(
    click.option(
        "--model",
        default="emoji",
        show_default=True,
        help="The stack: emoji, kandinsky-2.1, kandinsky-2.2, a folder, or PRIOR+DECODER by folder or ORG/NAME.",
    ),
    revision=True,
)
model_now_option = _machine(
    click.option("--model", help="Where the run's stack is now, if it was moved."), revision=False
)


def workers_options(command: Any) -> Any:
    """Who learns (ui/workers.py)."""
    kept: Any = {"expose_value": False, "callback": keep}
    options = [
        click.option(
            "--workers", metavar="ray[:N]", help="Learn in N processes at once, by default one a GPU or core.", **kept
        ),
        click.option(
            "--address",
            "cluster",
            metavar="HOST:PORT",
            help="Of a Ray cluster, which has to demand a token (RAY_AUTH_MODE=token); by default this machine.",
            **kept,
        ),
        click.option(
            "--at-once",
            type=click.IntRange(1, 1000),
            help="How many learn side by side at most; by default 32, and 8 in a worker.",
            **kept,
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


steps_option = click.option("--steps", type=STEPS, help="Steps for each concept; by default what the stack needs.")
preset_option = click.option(
    "--preset", type=PRESETS, default="default", show_default=True, help="Whose version of the losses."
)
word_option = click.option(
    "--word", "words", multiple=True, metavar="WORD", help="What they shall be besides, as in --word blue."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
of_option = click.option(
    "--of",
    multiple=True,
    metavar="NAME",
    help="Only this concept's ancestors and descendants; can be given several times.",
)
depth_option = click.option("--depth", type=click.IntRange(0), help="With --of: only so many generations from it.")


@click.command()
@click.argument("category")
@click.option("--founders", "count", type=click.IntRange(1, 1000), default=6, show_default=True, help="How many.")
@click.option(
    "--wave",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="How many learn side by side, which is faster; only later waves keep away from earlier ones.",
)
@click.option("--run", "name", help="The new run's name; by default the category, with a number if it is taken.")
@runs_option
@model_option
@click.option(
    "--negatives",
    default="adaptive",
    show_default=True,
    help="What they shall not be. adaptive: whatever their drawings are taken for, found on the way; gradual: the"
    " members that the stack knows, one more at each look; none; or words with commas between, all from the start:"
    " cat,dog.",
)
@click.option(
    "--vlm",
    metavar="MODEL",
    help="Who is asked what a drawing shows: a folder, ORG/NAME, or none, for the stack's vocabulary; by default the"
    " stack's own, or BLIP-2 with Kandinsky.",
)
@click.option("--question", help='What it is asked, instead of "What kind of {} is in this photo?".')
@click.option("--style", is_flag=True, help="The category is one of styles, such as painting, not of objects.")
@steps_option
@click.option("--segment", type=STEPS, help="Steps between two looks at a concept, when new negatives are found.")
@click.option("--seed", type=SEEDS, default=0, show_default=True, help="Another seed gives other founders.")
@preset_option
@click.option("--lambda", "lam", type=float, help="Weight of belonging against differing (λ of Eq. 3).")
@click.option("--ask", is_flag=True, help="Ask about each new negative: agree, choose other words, drop, go back.")
@workers_options
def seed(style: bool, **given: Any) -> None:
    """Invent members of CATEGORY that do not exist: "pet", "musical instrument", "fruit".

    They are stored as a new run, drawn, and shown on one sheet.

    \b
    Example:
      conceptree seed pet --founders 6 --run pets
      conceptree seed pet --negatives cat,dog
    """
    from ui.console import new_console
    from ui.seed import seed

    seed(kind="style" if style else "object", out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.option(
    "--parent",
    "parents",
    multiple=True,
    metavar="NAME:WEIGHT",
    help="A parent; give one or more. OTHERRUN/NAME:WEIGHT takes one of another run.",
)
@click.option("--photo", "photos", multiple=True, metavar="FILE:WEIGHT", help="A photograph as one more parent.")
@click.option("--cutout", is_flag=True, help="Photographs without their background, if that is plain.")
@click.option("--category", help="What the children are; by default what the heaviest parent is.")
@click.option("--children", type=click.IntRange(1, 100), default=1, show_default=True, help="How many.")
@click.option(
    "--images",
    type=click.IntRange(4, 1000),
    default=8,
    show_default=True,
    help="Pictures drawn of each parent the first time, of which the four truest are kept.",
)
@word_option
@click.option(
    "--inherit", is_flag=True, help="They shall also be of their category, and none of what the parents shall not be."
)
@click.option(
    "--spread",
    type=click.FloatRange(0, 0.9),
    default=0.25,
    show_default=True,
    help="How far further children differ, by their weights and by the pictures that they see; 0: by chance alone.",
)
@click.option("--seed", type=SEEDS, help="By default another one each time.")
@runs_option
@model_now_option
@preset_option
@steps_option
@workers_options
def breed(**given: Any) -> None:
    """Breed children of RUN's concepts, which resemble each parent by its weight.

    \b
    Example:
      conceptree breed pets --parent moku:0.7 --parent vasi:0.3 --children 2
      conceptree breed pets --parent moku:0.6 --photo snail.jpg:0.4
      conceptree breed pets --parent moku --parent vasi --word blue
    """
    from ui.breed import breed
    from ui.console import new_console

    breed(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concept", metavar="NAME")
@click.option("--children", type=click.IntRange(1, 100), default=3, show_default=True, help="How many.")
@click.option(
    "--strength",
    type=click.FloatRange(0.1, 1),
    default=0.5,
    show_default=True,
    help="How far they may go from it.",
)
@word_option
@click.option("--seed", type=SEEDS, help="By default another one each time.")
@runs_option
@model_now_option
@workers_options
def vary(**given: Any) -> None:
    """Learn variations of a concept of RUN: they begin where it is, and go away from it.

    \b
    Example:
      conceptree vary pets moku --children 3
      conceptree vary pets moku --strength 0.3 --word blue
    """
    from ui.breed import vary
    from ui.console import new_console

    vary(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--generations", type=click.IntRange(1, 10_000), default=5, show_default=True, help="How many.")
@click.option(
    "--population", type=click.IntRange(2, 10_000), default=12, show_default=True, help="How many stay after each."
)
@click.option("--children", type=click.IntRange(1, 1000), help="Of each generation; by default as many as stay.")
@click.option(
    "--select",
    type=click.Choice(["nsga2", "tournament", "novelty", "random", "user"]),
    default="tournament",
    show_default=True,
    help="Who has children and who stays. tournament: by the mean rank over all objectives; nsga2: whoever is better in"
    " one respect and not worse in others; novelty: what is unlike all others; user: you choose after each generation.",
)
@click.option("--parents", type=click.IntRange(2, 16), default=2, show_default=True, help="Of each child.")
@click.option("--weights", metavar="W,W", help="The parents' weights, as in 0.7,0.3; by default drawn for each child.")
@click.option(
    "--mutation",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="How likely a child is a variation of one parent instead.",
)
@click.option(
    "--strength", type=click.FloatRange(0.1, 1), default=0.5, show_default=True, help="How far variations may go."
)
@click.option("--word", "words", multiple=True, metavar="WORD", help="What some variations shall be besides.")
@click.option(
    "--inherit/--no-inherit",
    default=True,
    show_default=True,
    help="Children shall also be of their category, and none of what their parents shall not be.",
)
@click.option(
    "--parent", "chosen", multiple=True, metavar="NAME", help="With --select user: a parent of the first generation."
)
@click.option("--seed", type=SEEDS, help="By default another one each time.")
@steps_option
@runs_option
@model_now_option
@workers_options
def evolve(children: int | None, population: int, **given: Any) -> None:
    """Evolve RUN: in each generation the fittest have children, and the fittest of all stay.

    Fitness has several objectives: belonging to the category, differing from its known members, novelty in the run,
    looking alike in different prompts, and your ratings, if you gave any. Favourites and locked concepts always stay,
    hidden ones are retired. It goes on with `resume` after a stop.

    \b
    Example:
      conceptree evolve pets --generations 3
      conceptree evolve pets --select user --parent moku --parent vasi
    """
    from ui.console import new_console
    from ui.evolve import evolve

    evolve(out=new_console(), population=population, children=children or population, **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="NAME...", nargs=-1, required=True)
@runs_option
@model_now_option
@workers_options
def choose(**given: Any) -> None:
    """Choose the parents of the next generation of RUN, where `evolve --select user` waits for that, and learn it.

    \b
    Example: conceptree choose pets moku vasi
    """
    from ui.console import new_console
    from ui.evolve import choose

    choose(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="NAME...", nargs=-1, required=True)
@click.option("--favourite/--no-favourite", default=None, help="It always stays in an evolution.")
@click.option("--lock/--unlock", "locked", default=None, help="The same, without being a favourite.")
@click.option("--retire/--no-retire", "hidden", default=None, help="Leave it out of lists, and of who has children.")
@click.option("--rate", "rating", type=click.IntRange(0, 5), help="1 to 5; 0 takes it back.")
@click.option("--comment", help="Any text.")
@runs_option
def mark(**given: Any) -> None:
    """Say something of concepts of RUN: favourite, rating, locked, retired. The workbench can take it back.

    \b
    Example:
      conceptree mark pets moku vasi --favourite
      conceptree mark pets moku --rate 5 --comment "the one with the tail"
    """
    from ui.console import new_console
    from ui.evolve import mark

    mark(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concept", metavar="NAME")
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    default=("a photo of a {}",),
    show_default=True,
    help="What to draw, with {} where the concept stands; can be given several times.",
)
@click.option("--count", type=click.IntRange(1, 100), default=1, show_default=True, help="Pictures of each prompt.")
@click.option("--seed", type=SEEDS, default=1, show_default=True, help="The first picture's seed.")
@runs_option
@model_now_option
def draw(**given: Any) -> None:
    """Draw a concept of RUN in any prompt; the pictures are kept in the run.

    \b
    Example: conceptree draw pets moku --prompt "a pencil sketch of a {}"
    """
    from ui.breed import draw
    from ui.console import new_console

    draw(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--job", metavar="JOB", help="Only this one, such as 0003-breed.")
@runs_option
@model_now_option
@workers_options
def resume(**given: Any) -> None:
    """Go on with what was stopped or killed in RUN, to the very result it would have had.

    \b
    Example:
      conceptree resume pets
      conceptree resume pets --job 0003-breed
    """
    since = time.time()  # before what takes seconds to load
    from ui.console import new_console
    from ui.resume import resume

    resume(out=new_console(), since=since, **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--job", metavar="JOB", help="Only this one, such as 0003-breed.")
@runs_option
def stop(**given: Any) -> None:
    """Stop what is being learned in RUN, whoever began it; resume goes on with it.

    \b
    Example: conceptree stop pets
    """
    from ui.console import new_console
    from ui.resume import stop

    stop(out=new_console(), **given)


@click.command()
@click.option(
    "--out",
    "runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="The folder in which the demo's run is made.",
)
@model_option
@steps_option
@click.option("--seed", type=SEEDS, default=0, show_default=True, help="Another seed gives other pets.")
def demo(**given: Any) -> None:
    """Six pets that do not exist, two children and a grandchild, their sheet and tree, and what a judge says.

    \b
    Example: conceptree demo --out runs
    """
    from ui.console import new_console
    from ui.demo import demo

    demo(out=new_console(), **given)


@click.command("list")
@click.argument("name", metavar="[RUN]", required=False)
@click.option("--all", "everybody", is_flag=True, help="With RUN: also the concepts that somebody has hidden.")
@json_option
@runs_option
def list_(name: str | None, everybody: bool, as_json: bool, runs: Path) -> None:
    """List the runs, or the concepts of RUN.

    \b
    Example:
      conceptree list
      conceptree list pets
    """
    from ui.browse import list_concepts, list_runs
    from ui.console import new_console

    if name is None:
        list_runs(runs, as_json, new_console())
    else:
        list_concepts(name, runs, everybody, as_json, new_console())


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concept", metavar="NAME")
@json_option
@runs_option
def show(**given: Any) -> None:
    """Show all that is known of a concept of RUN: parents, children, negatives, scores, drawings.

    \b
    Example:
      conceptree show pets moku
    """
    from ui.browse import show
    from ui.console import new_console

    show(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="[NAME [NAME]]", nargs=-1)
@json_option
@runs_option
def kin(**given: Any) -> None:
    """Tell who is how much of whom: of RUN its generations, the most fertile founders and the lines that ended; of a
    concept its founders' shares, ancestors and descendants; of two concepts what they have in common by descent.

    \b
    Example:
      conceptree kin pets
      conceptree kin pets moku
      conceptree kin pets moku vasi --json
    """
    from ui.console import new_console
    from ui.kin import kin

    kin(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@runs_option
def name(**given: Any) -> None:
    """Call a concept of RUN by another name; the one it was born with still finds it.

    \b
    Example:
      conceptree name pets moku Whiskerfin
    """
    from ui.browse import rename
    from ui.console import new_console

    rename(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@of_option
@depth_option
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .png or .svg file; by default tree.png and tree.svg in the run's folder.",
)
@runs_option
def tree(**given: Any) -> None:
    """Draw RUN's family as one picture: generations as rows, edges as thick as the parents' weights.

    \b
    Example:
      conceptree tree pets
      conceptree tree pets --of moku --depth 2 --to moku.svg
    """
    from ui.browse import draw_tree
    from ui.console import new_console

    draw_tree(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@of_option
@depth_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["graphml", "dot", "json", "gexf"]),
    help="By default what the ending of --to says, or else graphml.",
)
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="A file; by default the graph is printed.")
@runs_option
def lineage(**given: Any) -> None:
    """Write RUN's family as a graph, for Gephi, Graphviz, networkx or d3.

    \b
    Example:
      conceptree lineage pets --to pets.graphml
      conceptree lineage pets --of moku --format dot | dot -Tpdf -o moku.pdf
    """
    from ui.browse import write_lineage

    write_lineage(**given)


@click.command()
@click.argument("name", metavar="RUN")
@json_option
@runs_option
def check(**given: Any) -> None:
    """Check whether RUN is whole: every table and picture is what was written. Exits with 1 where something is lost.

    \b
    Example:
      conceptree check pets
    """
    from ui.browse import check_run
    from ui.console import new_console

    if not check_run(out=new_console(), **given):
        sys.exit(1)


@click.command()
@click.argument("folders", metavar="[FOLDER]...", nargs=-1)
@json_option
def models(folders: tuple[str, ...], as_json: bool) -> None:
    """Say which stacks can be named with --model, what each is and can do; also of those in FOLDERs.

    \b
    Example:
      conceptree models
      conceptree models ~/stacks/kandinsky-2-2 --json
    """
    from ui.browse import list_models
    from ui.console import new_console

    list_models(folders, as_json, new_console())


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["safetensors", "diffusers", "a1111", "conceptlab", "npz"]),
    default="safetensors",
    show_default=True,
    help="Who shall read it; safetensors is diffusers' layout too, and the safest.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("."),
    help="A folder; by default the one you are in.",
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@json_option
@runs_option
@model_now_option
def export(**given: Any) -> None:
    """Write concepts of RUN as embeddings for other tools: NAME.safetensors, a sidecar NAME.json, a sheet NAME.png.

    \b
    Example:
      conceptree export pets moku --to exports
      conceptree export pets moku vasi --format a1111 --to embeddings
    """
    from ui.console import new_console
    from ui.exchange import export

    export(out=new_console(), **given)


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--run", "run_name", help="The run it comes into, new or not; by default a new one, by its category.")
@click.option("--name", help="The concept's name; by default the one it has in the file.")
@click.option("--category", help="What it is, as in --category pet; by default what its sidecar, or the run, says.")
@click.option("--style", is_flag=True, help="It is a style, not an object.")
@json_option
@runs_option
@click.option("--model", help="The stack: emoji, or a folder; by default the run's, or emoji.")
def import_(**given: Any) -> None:
    """Take embeddings from FILEs into a run: .safetensors, .npz, .pt or .bin, made here or by other tools.

    \b
    Example:
      conceptree import exports/moku.safetensors
      conceptree import learned_embeds.bin --run pets --category pet --name Whiskerfin
    """
    from ui.console import new_console
    from ui.exchange import bring

    bring(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="The file; by default NAME.family.zip in the folder you are in.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@json_option
@runs_option
def share(**given: Any) -> None:
    """Write concepts of RUN with all their ancestors into one file: a family that others can open.

    \b
    Example:
      conceptree share pets moku
      conceptree share pets moku vasi --to ours.family.zip
    """
    from ui.console import new_console
    from ui.share import share

    share(out=new_console(), **given)


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--run", "run_name", help="The run it comes into, new or not; by default a new one, called as it was.")
@json_option
@runs_option
@click.option("--model", help="Where the family's stack is; by default it is looked for among those of the runs here.")
def adopt(**given: Any) -> None:
    """Take a family from FILE, which `conceptree share` has written, into a run: concepts, drawings, lineage.

    \b
    Example:
      conceptree adopt moku.family.zip
      conceptree adopt moku.family.zip --run pets
    """
    from ui.console import new_console
    from ui.share import bring_in

    bring_in(out=new_console(), **given)


@click.command()
@runs_option
@click.option("--port", type=click.IntRange(1, 65535), help="By default the first free one from 8501.")
@click.option(
    "--address",
    default="localhost",
    show_default=True,
    help="Where it listens; at another address others can read the runs and start jobs.",
)
@click.option("--browser/--no-browser", default=None, help="Open a browser; by default where there is a screen.")
def view(**given: Any) -> None:
    """Open the workbench in a browser: seed, breed, browse and export with the mouse or the keyboard.

    It says at which address it listens, and ends with Ctrl-C; what is being learned goes on.

    \b
    Example:
      conceptree view
      conceptree view --runs ~/designs --port 8600 --no-browser
    """
    from ui.console import new_console
    from ui.view.command import view

    if code := view(out=new_console(), **given):
        sys.exit(code)


COMMANDS = (
    seed,
    breed,
    vary,
    evolve,
    choose,
    mark,
    draw,
    resume,
    stop,
    demo,
    list_,
    show,
    name,
    tree,
    lineage,
    kin,
    check,
    models,
    export,
    import_,
    share,
    adopt,
    view,
)
