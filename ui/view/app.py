"""The server: one ASGI application with Streamlit's pages and the routes of pictures."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from core.errors import ConceptreeError
from ui.view import ghosts, imagined, notices, preview, turns, whole, working
from ui.view.command import HOSTS, OWN_HOSTS, TOKEN
from ui.view.guard import Guard
from ui.view.lightbox import about
from ui.view.palette import offers
from ui.view.ready import get_ready
from ui.view.thumbnails import ROUTES


def shown(error: Exception) -> bool:
    """Show a user's error as one line, from fragments too; other errors keep their traceback."""
    if isinstance(error, ConceptreeError):
        notices.error(error)
    return isinstance(error, ConceptreeError)


# Streamlit checks the Host header of WebSocket connections only; this checks every request.
hosts = os.environ.get(HOSTS, ",".join(OWN_HOSTS)).split(",")
app = st.App(
    Path(__file__).with_name("main.py"),
    routes=[*ROUTES, *preview.ROUTES, *ghosts.ROUTES, *about.ROUTES, *working.ROUTES, *offers.ROUTES, *imagined.ROUTES],
    middleware=[
        Middleware(Guard, token=os.environ.get(TOKEN, "")),
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
    ],
    on_script_error=shown,
)
turns.switch_often()
whole.install()
get_ready()
