"""The `conceptree` command: a thin layer that parses, calls, and prints a person's mistake in one line."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import click

from ui.commands import GROUPS
from ui.commands.old import old_of
from ui.options import option
from ui.output import OutputError, ready_output


class OneLineErrors(click.Group):
    """Prints a `ConceptreeError` in one line on stderr, exit code 2; and Ctrl-C in one line, 130.

    Other exceptions are bugs and keep their traceback. Output that is closed or full is a mistake too. Warnings of
    libraries are shown with `python -W default` or PYTHONWARNINGS only.
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        with ready_output(), warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped." if sys.stderr.isatty() else "Stopped.", err=True)
            ctx.exit(130)
        except Exception as error:
            from core.errors import ConceptreeError

            if not isinstance(error, ConceptreeError):
                raise
            if isinstance(error, OutputError):  # `ready_output` tells it
                raise
            from ui.console import printable

            click.echo(printable(f"conceptree: {' '.join(str(error).split())}"), err=True)
            ctx.exit(2)


class Commands(OneLineErrors):
    """Commands listed by group; commands of earlier versions still work, and print their new names."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if old := old_of(args):
            click.echo(f"conceptree: {args[0]} is now: conceptree {old.usage}", err=True)
            args = old.rewrite(args[1:])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{each.name:<6}", each.short_help or "") for each in commands])


def _version(ctx: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked:
        from evolve.store.about import own_version

        click.echo(f"conceptree, version {own_version() or 'not installed'}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version.")
def main() -> None:
    """Invent new members of a category, breed and evolve them, and keep the family tree."""


@main.command(hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def experiment(words: tuple[str, ...]) -> None:
    """Print the command that conducts experiments now."""
    from core.errors import ConceptreeError

    raise ConceptreeError(f"experiments are run from a checkout: python -m experiments {' '.join(words)}".rstrip())


for commands in GROUPS.values():
    for command in commands:
        main.add_command(command)

if __name__ == "__main__":
    main()
