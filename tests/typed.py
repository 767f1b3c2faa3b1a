"""The command as a person types it: what it prints, or the one line that it says of a mistake."""

from __future__ import annotations

import click
from click.testing import CliRunner, Result

from ui.cli import main


def run(*arguments: object, command: click.Command = main) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def good(*arguments: object, command: click.Command = main) -> str:
    """Output of a successful command, on one line."""
    result = run(*arguments, command=command)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def one_line(*arguments: object, command: click.Command = main) -> str:
    """The message of a user error: exit code 2, one line, no traceback."""
    result = run(*arguments, command=command)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return line
