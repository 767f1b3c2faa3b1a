"""What the first pages will need, made ready while the browser is still on its way."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Thread, Timer

from core.errors import ConceptreeError
from ui.view import model, store

FIRST = "ui.view.screens.tree"  # the page that is shown first, with what it imports
AFTER = 3.0  # seconds until the stack is loaded, which would keep the first page from the processor


def get_ready() -> None:
    """Read the run that the first page shows, now; load the stack once that page has been made. Nobody waits for it,
    and whatever is wrong is said by the page that needs it.
    """
    Thread(target=read, daemon=True).start()
    timer = Timer(AFTER, load)
    timer.daemon = True
    timer.start()


def read() -> None:
    """A page that asks for the same run meanwhile gets it as soon as it is read: `store` reads it once."""
    import_module(FIRST)
    with suppress(ConceptreeError):
        if name := store.latest():
            store.opened(name)


def load() -> None:
    """Importing what draws takes seconds, which the first preview would have to wait."""
    with suppress(ConceptreeError):
        model.stack("emoji")
