"""Addresses: of pages, with what they show in the query, and of pictures, by their ids and never by a path."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import quote, urlencode, urlsplit

import streamlit as st

from evolve.store.run import Drawing

PICTURES, LOOKS, PHOTOS = "pictures", "looks", "photos"


def picture(run: str, drawing: Drawing, side: int | None = None) -> str:
    """The address of a stored drawing; side: of a smaller one, in pixels. What it shows never changes."""
    return picture_of(run, drawing.file.stem, side)


def picture_of(run: str, digest: str, side: int | None = None) -> str:
    """As `picture`, by the 24 hex digits that the drawing's file is called by."""
    return _address(PICTURES, run, digest, side=side)


def look(run: str, job: str, file: str, side: int | None = None) -> str:
    """The address of what a job drew at a boundary; file: without its suffix."""
    return _address(LOOKS, run, job, file, side=side)


def photo(run: str, id_: str, side: int | None = None) -> str:
    """The address of the small copy of a photograph that is a parent."""
    return _address(PHOTOS, run, id_, side=side)


def _address(room: str, *parts: str, side: int | None) -> str:
    path = "/".join(quote(part, safe="") for part in (room, *parts))
    return f"{origin()}/{path}.webp" + (f"?side={side}" if side else "")


def origin() -> str:
    """Where the person's browser found this server: `http://localhost:8501`. Streamlit takes whole addresses only."""
    found = urlsplit(st.context.url or "http://localhost:8501")
    return f"{found.scheme}://{found.netloc}"


def page(name: str, **query: str) -> str:
    """The address of a page: `page("concept", run="example", concept="0f3a…")`."""
    told = urlencode({key: value for key, value in query.items() if value})
    return f"/{name}" + (f"?{told}" if told else "")


def keep_address() -> None:
    """Let the browser's address say what the page shows.

    After a link from a page to the same page with another query, Streamlit shows what was asked for and leaves the
    address as it was: the next click would lead back. What a browser knows already it does not take as news.
    """
    now = st.query_params.to_dict()
    if st.session_state.get("links.address", now) != now:
        st.query_params.from_dict(now)
    st.session_state["links.address"] = now


def go(name: str, **query: str) -> NoReturn:
    """Show another page now, in the same session, so that what was chosen stays chosen."""
    from ui.view.pages import pages

    st.switch_page(pages()[name], query_params={key: value for key, value in query.items() if value})


def to(name: str, label: str, *, icon: str | None = None, help: str | None = None, **query: str) -> None:
    """A link to another page in the same session. label: Markdown, see `text.plain`."""
    from ui.view.pages import pages

    told = {key: value for key, value in query.items() if value}
    st.page_link(pages()[name], label=label, icon=icon, help=help, query_params=told)
