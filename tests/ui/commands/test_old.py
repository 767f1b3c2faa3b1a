"""Commands of earlier versions still work, as commands of today, and print these."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from tests.families import by_letter, family
from ui.cli import main
from ui.commands.old import MIXTURES, OLD, old_of

REWRITTEN = [
    ("vary pets moku", "breed pets --parent moku --mutate"),
    (
        "vary --children 3 pets moku --strength=0.3 --word blue",
        "breed pets --parent moku --mutate --children 3 --strength=0.3 --word blue",
    ),
    ("choose pets moku vasi --offload --runs x", "resume pets --parent moku --parent vasi --offload --runs x"),
    ("mark pets moku --favourite --rate 5", "note pets moku --favourite --rate 5"),
    ("name pets moku Tiger --runs x", "note pets moku --name Tiger --runs x"),
    ("lineage pets", "tree --format graphml pets"),
    ("lineage pets --to pets.txt", "tree --format graphml pets --to pets.txt"),
    ("lineage pets --to pets.dot --of moku", "tree pets --to pets.dot --of moku"),
    ("lineage pets --format json", "tree pets --format json"),
    ("models --json stacks", "doctor --models --json stacks"),
    ("share pets moku --to x.zip", "export --format family pets moku --to x.zip"),
    ("adopt x.family.zip --run pets", "import x.family.zip --run pets"),
]
SPELLED = [
    ("breed", "pets --photo x.png --cutout --word blue --at-once 4", {"cutout": True, "words": ("blue",)}),
    ("evolve", "pets --mutation 0.5 --word blue", {"mutation": 0.5, "words": ("blue",)}),
    ("note", "pets moku --retire --rate 5", {"hidden": True, "rating": 5}),
    ("note", "pets moku --no-retire", {"hidden": False}),
    ("draw", "pets moku --count 3", {"count": 3}),
    ("tree", "pets --of moku --of vasi", {"of": ("moku", "vasi")}),
]


@pytest.mark.parametrize(("typed", "today"), REWRITTEN)
def test_an_old_command_is_one_of_today(typed, today, capsys):
    context = click.Context(main)
    name, command, arguments = main.resolve_command(context, typed.split())
    assert " ".join([str(name), *arguments]) == today and command is main.commands[today.split()[0]]
    assert (
        capsys.readouterr().err == f"conceptree: {typed.split()[0]} is now: conceptree {OLD[typed.split()[0]].usage}\n"
    )
    command.make_context(name, arguments, parent=context)


def test_map_of_concepts_draws_mixtures_and_of_a_run_is_todays(capsys):
    context = click.Context(main)
    for typed in ("map pets moku vasi --seed 2", "map pets --cells 3x2 moku vasi buso"):
        name, _, arguments = main.resolve_command(context, typed.split())
        assert [name, *arguments] == typed.replace("map", "mixtures").split()
        assert capsys.readouterr().err == f"conceptree: map is now: conceptree {MIXTURES.usage}\n"
    for typed in ("map", "map pet --axes a:b c:d", "map --axes a:b c:d pet", "map pets --to map.png"):
        assert old_of(typed.split()) is None
    assert old_of([]) is None


def test_every_old_command_is_covered_and_hidden():
    assert {typed.split()[0] for typed, _ in REWRITTEN} == set(OLD) and not set(OLD) & set(main.commands)


@pytest.mark.parametrize("old", OLD)
def test_help_of_an_old_command_is_that_of_the_new_one(old):
    shown = CliRunner().invoke(main, [old, "--help"])
    assert shown.exit_code == 0 and f"main {OLD[old].usage.split()[0]} [OPTIONS]" in shown.stdout


@pytest.mark.parametrize(("command", "typed", "values"), SPELLED)
def test_old_options_are_understood_and_not_shown(command, typed, values):
    context = main.commands[command].make_context(command, typed.split(), parent=click.Context(main))
    assert {key: context.params[key] for key in values} == values
    shown = main.commands[command].get_help(context)
    assert not any(
        f"{word} " in shown or f"{word}\n" in shown or f"{word}/" in shown
        for word in typed.split()
        if word in ("--cutout", "--word", "--at-once", "--mutation", "--retire", "--rate", "--count", "--of")
    )


def test_old_commands_do_their_work(tmp_path):
    pets = family(tmp_path / "pets")
    name = by_letter(pets)["a"].name
    runner = CliRunner()
    done = runner.invoke(main, ["name", "pets", name, "Tiger", "--runs", str(tmp_path)])
    assert done.exit_code == 0 and f"the name {name} still finds it" in done.stdout
    assert done.stderr == "conceptree: name is now: conceptree note RUN NAME --name NEW\n"
    done = runner.invoke(main, ["mark", "pets", "Tiger", "--rate", "4", "--runs", str(tmp_path)])
    assert done.exit_code == 0 and done.stdout == "Tiger: rated 4\n"
    done = runner.invoke(main, ["lineage", "pets", "--runs", str(tmp_path)])
    assert done.exit_code == 0 and "Tiger" in done.stdout and done.stdout.startswith("<?xml")


def test_options_of_children_are_not_for_variations():
    for options, said in [
        (["--photo", "x.png"], "--photo and --mutate exclude each other"),
        (["--spread", "0.25"], "--spread and --mutate exclude each other"),
        (["--parent", "vasi"], "--mutate needs one --parent, and 2 are given"),
    ]:
        done = CliRunner().invoke(main, ["breed", "pets", "--parent", "moku", "--mutate", *options])
        assert done.exit_code == 2 and said in done.stderr
    done = CliRunner().invoke(main, ["breed", "pets", "--parent", "moku", "--strength", "0.3"])
    assert done.exit_code == 2 and "--strength needs --mutate" in done.stderr
