"""The commands as they are typed, by group. Each imports its code when it runs, so that `--help` is instant."""

from __future__ import annotations

from ui.commands import keeping, learning, looking, starting

GROUPS = {
    "Start": starting.COMMANDS,
    "Seed, breed, evolve": learning.COMMANDS,
    "Browse": looking.COMMANDS,
    "Note, check, export": keeping.COMMANDS,
}
