"""Addresses of pages and pictures. Pictures are addressed by their ids, never by a path."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import quote, urlsplit

import streamlit as st

from evolve.store.run import Drawing

PICTURES, LOOKS, PHOTOS, MIXTURES, GHOSTS = "pictures", "looks", "photos", "mixtures", "ghosts"
ABOUT, SAVED = "about", "saved"  # of a picture: what it shows, and a file of it; followed by its own address
WORKING, OFFERS = "working", "offers"
IMAGINED = "imagined"  # of a category


def picture(run: str, drawing: Drawing, side: int | None = None) -> str:
    """Address of a stored drawing; its content never changes. side: width of a smaller copy, in pixels."""
    return picture_of(run, drawing.file.stem, side)


def picture_of(run: str, digest: str, side: int | None = None) -> str:
    """As `picture`, by the 24 hex digits of the file's name."""
    return _address(PICTURES, run, digest, side=side)


def look(run: str, job: str, file: str, side: int | None = None) -> str:
    """Address of a drawing that a job made at a boundary. file: name without its suffix."""
    return _address(LOOKS, run, job, file, side=side)


def photo(run: str, id_: str, side: int | None = None) -> str:
    """Address of the stored copy of a photograph."""
    return _address(PHOTOS, run, id_, side=side)


def mixtures(key: str) -> str:
    """Address of the pictures of a mix, see ui/view/preview.py."""
    return f"{origin()}/{MIXTURES}/{key}"


def imagined(category: str) -> str:
    """Address of what the embedded stack draws for a category, see ui/view/imagined.py."""
    return _address(IMAGINED, category, side=None)


def ghosts(run: str) -> str:
    """Address of what the tree shows of a run's ghosts, see ui/view/ghosts.py."""
    return f"{origin()}/{GHOSTS}/{quote(run, safe='')}"


def working() -> str:
    """Address of the running jobs, see ui/view/working.py."""
    return f"{origin()}/{WORKING}"


def offers(run: str, others: bool = False) -> str:
    """Address of what the palette finds, see ui/view/palette/offers.py. others: of the other runs."""
    return f"{origin()}/{OFFERS}{'/others' if others else ''}" + (f"?run={quote(run, safe='')}" if run else "")


def pictures_of(run: str) -> str:
    """The part that the addresses of a run's pictures begin with; "" without a run."""
    return f"{origin()}/{PICTURES}/{quote(run, safe='')}" if run else ""


def look_path(run: str, job: str, file: str, side: int | None = None) -> str:
    """As `look`, without the server, which only a page knows."""
    return _path(LOOKS, run, job, file, side=side)


def _address(room: str, *parts: str, side: int | None) -> str:
    return f"{origin()}{_path(room, *parts, side=side)}"


def _path(room: str, *parts: str, side: int | None) -> str:
    path = "/".join(quote(part, safe="") for part in (room, *parts))
    return f"/{path}.webp" + (f"?side={side}" if side else "")


def origin() -> str:
    """This server as the browser addresses it: `http://localhost:8501`. Streamlit needs whole addresses."""
    found = urlsplit(st.context.url or "http://localhost:8501")
    return f"{found.scheme}://{found.netloc}"


def keep_address() -> None:
    """Update the browser's address to the shown page.

    After a link to the same page with another query, Streamlit keeps the old address, and the next click would go back
    to it. The browser ignores an address that it has already.
    """
    now = st.query_params.to_dict()
    if st.session_state.get("links.address", now) != now:
        st.query_params.from_dict(now)
    st.session_state["links.address"] = now


def go(name: str, **query: str) -> NoReturn:
    """Switch to another page in the same session, which keeps its state."""
    from ui.view.pages import pages

    st.switch_page(pages()[name], query_params={key: value for key, value in query.items() if value})


def to(name: str, label: str, *, icon: str | None = None, help: str | None = None, **query: str) -> None:
    """A link to another page in the same session. label: Markdown, see `text.plain`."""
    from ui.view.pages import pages

    told = {key: value for key, value in query.items() if value}
    st.page_link(pages()[name], label=label, icon=icon, help=help, query_params=told)
