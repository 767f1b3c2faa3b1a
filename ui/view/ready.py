"""Load what the first pages need while the browser opens."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Thread, Timer

from core.errors import ConceptreeError
from ui.view import model, store

FIRST = "ui.view.screens.start"  # the first page, with its imports
NEXT = ("ui.view.screens.evolve", "evolve.maps.archive")  # imports that make a page late: a click has to wait for it
AFTER = 3.0  # seconds: loading the stack at once would slow the first page down


def get_ready() -> None:
    """Read the first page's run now and load the stack a little later, both in threads; pages report the errors."""
    Thread(target=read, daemon=True).start()
    timer = Timer(AFTER, load)
    timer.daemon = True
    timer.start()


def read() -> None:
    """Import the first page and read its run. `store` reads it once, even if a page asks for it meanwhile."""
    import_module(FIRST)
    with suppress(ConceptreeError):
        if name := store.latest():
            store.opened(name)


def load() -> None:
    """Load the default stack, whose imports take seconds, and then what other pages need."""
    with suppress(ConceptreeError):
        model.stack("emoji")
    for name in NEXT:
        with suppress(ImportError):  # an extra that is not installed
            import_module(name)
