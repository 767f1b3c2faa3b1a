"""The command as a person types it: what it prints, or the one line that it says of a mistake."""

from __future__ import annotations

from click.testing import CliRunner, Result

from ui.cli import main


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def good(*arguments: object) -> str:
    """What it prints where all goes well, on one line."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def one_line(*arguments: object) -> str:
    """What is said of a mistake: exit code 2, one line, no traceback."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return line
