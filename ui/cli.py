"""The `conceptree` command: a thin layer that parses, calls, and says in one line what a person did wrong.

Commands import what they need when they run: torch takes seconds to load, and `--help` should not.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from ui import commands, family_commands


def _version(context: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked:
        from evolve.store.about import own_version

        click.echo(f"conceptree, version {own_version() or 'not installed'}")
        context.exit()


class OneLineErrors(click.Group):
    """Turns a person's mistake into one line on stderr and exit code 2, and Ctrl-C into one line and 130.

    Anything else is a mistake of ours and keeps its traceback.
    """

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
            from ui.console import printable

            click.echo(printable(f"conceptree: {' '.join(str(error).split())}"), err=True)
            ctx.exit(2)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
def main() -> None:
    """Invent members of a category that do not exist, breed them, and keep the family tree."""


@main.command()
@click.option("--model", default="emoji", show_default=True, help="The stack to look at: emoji, or a folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(model: str, as_json: bool) -> None:
    """Say what is installed, which model, which device, and what is amiss.

    Exits with 1 where something that is needed is missing.

    \b
    Example: conceptree doctor --json
    """
    from ui.doctor import examine, show

    found = examine(model)
    show(found, as_json)
    if any(finding.needed for finding in found.findings):
        sys.exit(1)


@main.command(hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def experiment(words: tuple[str, ...]) -> None:
    """Name the command that conducts experiments now."""
    from core.errors import ConceptreeError

    raise ConceptreeError(f"experiments are run from a checkout: python -m experiments {' '.join(words)}".rstrip())


for command in (*commands.COMMANDS, *family_commands.COMMANDS):
    main.add_command(command)

if __name__ == "__main__":
    main()
